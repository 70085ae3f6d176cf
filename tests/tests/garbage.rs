//! Garbage on each listener: bytes, TLS with garbage inside, HTTP/2 without sense, gRPC with nonsense in it.

use anyhow::{Context, Result, ensure};
use groundswell_foundation::Api;
use groundswell_proto::v1::EnrolRequest;
use groundswell_proto::v1::enrolment_service_client::EnrolmentServiceClient;
use groundswell_tests::wire::{self, Identity};
use groundswell_tests::{Alone, eventually};
use rustls_pki_types::ServerName;
use serde_json::json;
use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::sync::Arc;
use std::time::Duration;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

const TLS_LISTENERS: [&str; 3] = ["enrolment", "sessions", "operators"];
const LISTENERS: [&str; 4] = ["enrolment", "sessions", "operators", "admin"];
/// A peer that waits longer than the server's handshake deadline is the server's business, not ours.
const PATIENCE: Duration = Duration::from_secs(20);

/// Reproducible, and nothing that any protocol begins with.
fn garbage(seed: u64, length: usize) -> Vec<u8> {
    let mut state = seed | 1;
    let mut next = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state.to_le_bytes()[0]
    };
    (0..length).map(|_| next()).collect()
}

fn texts() -> Vec<Vec<u8>> {
    let mut texts = vec![
        Vec::new(),
        b"\0".to_vec(),
        b"GET / HTTP/1.1\r\n\r\n".to_vec(),
        b"GET /v1/version HTTP/1.1\r\nhost: x\r\nauthorization: Bearer \xff\xfe\r\n\r\n".to_vec(),
        [b"GET /".as_slice(), &b"a".repeat(100_000), b" HTTP/1.1\r\n\r\n"].concat(),
        b"POST /v1/apply HTTP/1.1\r\nhost: x\r\ncontent-length: 99999999999999999999\r\n\r\n{".to_vec(),
        b"POST /v1/apply HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\n\r\nfffffffffffffffff\r\n".to_vec(),
        // The beginning of HTTP/2, then frames of no kind.
        [b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".as_slice(), &[0xff; 64]].concat(),
        // A TLS record that says it holds a hello, and does not.
        [&[0x16, 3, 1, 2, 0, 1, 0, 1, 0xfc][..], &garbage(7, 512)].concat(),
    ];
    texts.extend((1..6).map(|seed| garbage(seed, 1 << (seed * 3))));
    texts
}

#[test]
fn no_garbage_ends_or_changes_the_server() -> Result<()> {
    Alone::play(|server| {
        let identity = server.enrol("east-01", json!({}))?;
        let before = server.operator()?.state()?;
        for listener in LISTENERS {
            for text in texts() {
                raw(&server.address(listener), &text).with_context(|| format!("raw bytes on {listener}"))?;
            }
        }
        wire::block_on(inside_tls(server, &identity))??;
        wire::block_on(inside_grpc(server))??;
        wrong_tokens(server)?;
        let shown = eventually("the server still answers", PATIENCE, || server.operator()?.state())?;
        ensure!(shown == before, "garbage changed something:\n{before:#}\n{shown:#}");
        Ok(())
    })
}

fn raw(address: &str, text: &[u8]) -> Result<()> {
    let mut stream = TcpStream::connect(address)?;
    stream.set_read_timeout(Some(Duration::from_millis(200)))?;
    stream.set_write_timeout(Some(PATIENCE))?;
    // The server may hang up in the middle: that is an answer.
    let _ = stream.write_all(text);
    let _ = stream.shutdown(std::net::Shutdown::Write);
    let _ = stream.read(&mut [0; 1024]);
    Ok(())
}

async fn inside_tls(server: &Alone, identity: &Identity) -> Result<()> {
    for listener in TLS_LISTENERS {
        for alpn in [&[b"h2".as_slice()][..], &[b"http/1.1"], &[]] {
            let config = wire::tls(&server.root_pem()?, (listener == "sessions").then_some(identity), alpn)?;
            for text in texts() {
                let stream = tokio::net::TcpStream::connect(server.address(listener)).await?;
                let connector = tokio_rustls::TlsConnector::from(Arc::clone(&config));
                // A listener that wants another ALPN refuses the handshake: so be it.
                let Ok(mut stream) = connector.connect(ServerName::try_from("localhost")?, stream).await else { break };
                let _ = stream.write_all(&text).await;
                let _ = stream.shutdown().await;
                let _ = tokio::time::timeout(Duration::from_millis(200), stream.read(&mut [0; 1024])).await;
            }
        }
    }
    // Whoever shows no certificate has no business with sessions.
    let refused = wire::channel(server.url("sessions"), &server.root_pem()?, None).await;
    if let Ok(channel) = refused {
        let mut client = groundswell_proto::v1::session_service_client::SessionServiceClient::new(channel);
        let answer = client.fetch(groundswell_proto::v1::FetchRequest { digest: "x".into() }).await;
        ensure!(answer.is_err(), "the session listener serves somebody without a certificate");
    }
    Ok(())
}

async fn inside_grpc(server: &Alone) -> Result<()> {
    let mut client = EnrolmentServiceClient::new(wire::channel(server.url("enrolment"), &server.root_pem()?, None).await?);
    let requests = [
        EnrolRequest::default(),
        EnrolRequest { token: "--set.x".into(), csr_der: garbage(3, 300), ..EnrolRequest::default() },
        EnrolRequest {
            token: "a.b".into(),
            csr_der: vec![0x30; 100_000],
            cluster_name: "--kubeconfig=x".into(),
            ..EnrolRequest::default()
        },
        EnrolRequest { token: "\0".repeat(10_000), cluster_name: "../../etc".into(), ..EnrolRequest::default() },
        EnrolRequest { labels: (0..100).map(|n| (format!("-{n}"), "\n".into())).collect(), ..EnrolRequest::default() },
    ];
    for request in requests {
        let status = client.enrol(request).await.err().context("a nonsensical enrolment was answered with a certificate")?;
        let refusal = matches!(status.code(), tonic::Code::InvalidArgument | tonic::Code::PermissionDenied | tonic::Code::OutOfRange);
        ensure!(refusal && !status.message().is_empty(), "{status:?}");
    }
    Ok(())
}

fn wrong_tokens(server: &Alone) -> Result<()> {
    for token in ["", "x", "0000000000.0000", &"a".repeat(8_000), "admin", "../admin.token"] {
        let api = Api::new(server.url("operators"), &server.root_pem()?, token)?;
        for (method, path) in [("GET", "/v1/releases"), ("POST", "/v1/tokens"), ("POST", "/v1/apply")] {
            let (status, answer) = api.request(method, path, (method == "POST").then_some(&json!({})))?;
            ensure!(status == 401, "{method} {path} with token {:?} was answered {status}: {answer}", &token[..token.len().min(20)]);
        }
    }
    Ok(())
}
