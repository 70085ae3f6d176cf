//! A repository with TLS and a CA of its own.

use crate::site::{Site, beacon, fetch, index, login, missing, ok, redirect, refusal, settings, with_access};
use axum::serve::Listener;
use groundswell_helm::repository::{Access, Url};
use std::net::SocketAddr;
use std::sync::Arc;
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;

struct Secure {
    plain: TcpListener,
    acceptor: TlsAcceptor,
}

impl Listener for Secure {
    type Io = TlsStream<TcpStream>;
    type Addr = SocketAddr;

    async fn accept(&mut self) -> (Self::Io, Self::Addr) {
        loop {
            let (stream, address) = self.plain.accept().await.unwrap();
            // Whoever does not trust us hangs up in the handshake.
            if let Ok(stream) = self.acceptor.accept(stream).await {
                return (stream, address);
            }
        }
    }

    fn local_addr(&self) -> std::io::Result<Self::Addr> {
        self.plain.local_addr()
    }
}

/// A repository for these names, and the PEM of what must be trusted.
async fn secure(names: &[&str], to: String) -> (Site, Vec<u8>) {
    let names: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
    let made = rcgen::generate_simple_self_signed(names).unwrap();
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let config = rustls::ServerConfig::builder_with_provider(provider).with_safe_default_protocol_versions().unwrap().with_no_client_auth();
    let key = rustls::pki_types::PrivateKeyDer::Pkcs8(made.signing_key.serialize_der().into());
    let config = config.with_single_cert(vec![made.cert.der().clone()], key).unwrap();
    let plain = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("https://127.0.0.1:{}", plain.local_addr().unwrap().port());
    let archive = beacon("1.0.0");
    let text = index("1.0.0", "a.tgz", &archive);
    let site = Site::serve(Secure { plain, acceptor: TlsAcceptor::from(Arc::new(config)) }, url, |_| {
        move |path: &str, _: &axum::http::HeaderMap| match path {
            "/index.yaml" => ok(text.clone()),
            "/a.tgz" if to.is_empty() => ok(archive.clone()),
            "/a.tgz" => redirect(&to),
            _ => missing(),
        }
    });
    (site, made.cert.pem().into_bytes())
}

fn trusting(site: &Site, ca: &[u8]) -> Access {
    Access { ca: Some(ca.to_vec()), ..login(&site.url) }
}

#[tokio::test]
async fn a_ca_of_ones_own_is_trusted_where_it_was_named() {
    let (site, ca) = secure(&["127.0.0.1"], String::new()).await;
    fetch(with_access([trusting(&site, &ca)]), &site.chart("beacon", None)).await.unwrap();
    let text = refusal(settings(), &site.chart("beacon", None)).await;
    assert!(text.contains("the certificate of") && text.contains("--repo-ca-file"), "{text}");
    let skip = Access { insecure_skip_tls_verify: true, ..Access::open(Url::parse(&site.url).unwrap()) };
    fetch(with_access([skip]), &site.chart("beacon", None)).await.unwrap();
    let text = refusal(with_access([trusting(&site, b"no certificate")]), &site.chart("beacon", None)).await;
    assert!(text.contains("holds no certificate"), "{text}");
}

#[tokio::test]
async fn a_certificate_for_another_name_does_not_hold() {
    let (site, ca) = secure(&["charts.example"], String::new()).await;
    let text = refusal(with_access([trusting(&site, &ca)]), &site.chart("beacon", None)).await;
    assert!(text.contains("the certificate of"), "{text}");
    assert!(site.asked().is_empty());
}

#[tokio::test]
async fn nobody_leads_from_https_to_plain_http() {
    let plain = Site::start(|_, _| missing()).await;
    let (site, ca) = secure(&["127.0.0.1"], format!("{}/a.tgz", plain.url)).await;
    let text = refusal(with_access([trusting(&site, &ca)]), &site.chart("beacon", None)).await;
    assert!(text.contains("from https to plain http anybody on the way could change"), "{text}");
    assert!(plain.asked().is_empty());
}
