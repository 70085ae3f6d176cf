//! Connections to the server as an agent makes them: tonic over TLS 1.3 of our own, without resumption.

use anyhow::{Context as _, Result};
use hyper_util::rt::TokioIo;
use rustls::{ClientConfig, RootCertStore};
use rustls_pki_types::pem::PemObject as _;
use rustls_pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use tokio::net::{TcpSocket, TcpStream};
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;
use tonic::transport::{Channel, Endpoint};

/// A cluster that was enrolled.
#[derive(Clone, Debug, serde::Serialize, serde::Deserialize)]
pub(crate) struct Identity {
    pub(crate) cluster: String,
    pub(crate) chain_pem: String,
    pub(crate) key_pem: String,
}

/// Trusts the server's root; shows a certificate where there is one.
pub(crate) fn client_config(root_pem: &str, identity: Option<&Identity>) -> Result<Arc<ClientConfig>> {
    let mut roots = RootCertStore::empty();
    roots.add(CertificateDer::from_pem_slice(root_pem.as_bytes())?)?;
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let builder =
        ClientConfig::builder_with_provider(provider).with_protocol_versions(&[&rustls::version::TLS13])?.with_root_certificates(roots);
    let mut config = match identity {
        None => builder.with_no_client_auth(),
        Some(identity) => {
            let chain = CertificateDer::pem_slice_iter(identity.chain_pem.as_bytes()).collect::<Result<Vec<_>, _>>()?;
            builder.with_client_auth_cert(chain, PrivateKeyDer::from_pem_slice(identity.key_pem.as_bytes())?)?
        }
    };
    config.resumption = rustls::client::Resumption::disabled();
    config.alpn_protocols = vec![b"h2".to_vec()];
    Ok(Arc::new(config))
}

/// TCP and TLS. `from` is the local address: the server counts enrolments for each.
pub(crate) async fn dial(port: u16, from: Ipv4Addr, tls: Arc<ClientConfig>) -> std::io::Result<TlsStream<TcpStream>> {
    let socket = TcpSocket::new_v4()?;
    socket.bind(SocketAddr::from((from, 0)))?;
    let stream = socket.connect(SocketAddr::from((Ipv4Addr::LOCALHOST, port))).await?;
    stream.set_nodelay(true)?;
    let name = ServerName::try_from("localhost").map_err(std::io::Error::other)?;
    TlsConnector::from(tls).connect(name, stream).await
}

/// A channel over one such connection.
pub(crate) async fn channel(port: u16, from: Ipv4Addr, tls: Arc<ClientConfig>) -> Result<Channel> {
    let endpoint = Endpoint::from_shared(format!("https://localhost:{port}"))?;
    let connector = tower::service_fn(move |_| {
        let tls = Arc::clone(&tls);
        async move { dial(port, from, tls).await.map(TokioIo::new) }
    });
    endpoint.connect_with_connector(connector).await.context("cannot connect to the server")
}
