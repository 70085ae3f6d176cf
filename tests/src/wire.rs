//! Speaks with the server as an agent does, or as a hostile one would.

use anyhow::{Context, Result};
use base64::Engine as _;
use groundswell_foundation::Cluster;
use groundswell_foundation::stand::AGENT_NAMESPACE;
use groundswell_proto::v1::agent_message::Message as FromAgent;
use groundswell_proto::v1::enrolment_service_client::EnrolmentServiceClient;
use groundswell_proto::v1::server_message::Message as ToAgent;
use groundswell_proto::v1::session_service_client::SessionServiceClient;
use groundswell_proto::v1::{AgentMessage, AttachState, EnrolRequest, FetchRequest, Hello, ServerMessage};
use hyper_util::rt::TokioIo;
use rcgen::{CertificateParams, KeyPair, PKCS_ECDSA_P256_SHA256};
use rustls::{ClientConfig, RootCertStore};
use rustls_pki_types::pem::PemObject as _;
use rustls_pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use serde_json::Value;
use std::sync::Arc;
use std::time::Duration;
use tokio::net::TcpStream;
use tokio::sync::mpsc;
use tokio_rustls::TlsConnector;
use tonic::transport::{Channel, Endpoint};
use tonic::{Status, Streaming};

/// Messages of a test that wait while the server reads.
const OUTBOX: usize = 64;

/// What a cluster proves itself by.
#[derive(Clone, Debug)]
pub struct Identity {
    /// Leaf first.
    pub chain_pem: String,
    /// Of the leaf.
    pub key_pem: String,
    /// Of the server.
    pub root_pem: String,
}

impl Identity {
    /// The identity that the agent of a cluster keeps in a Secret of its namespace.
    ///
    /// # Errors
    /// When no Secret there holds one.
    pub fn of_agent(cluster: &Cluster) -> Result<Self> {
        let list = cluster.api().get(&format!("/api/v1/namespaces/{AGENT_NAMESPACE}/secrets"))?;
        let secrets = list["items"].as_array().context("no list of Secrets")?;
        secrets.iter().find_map(|secret| identity_in(&secret["data"])).context("no Secret of the agent holds a certificate and a key")
    }
}

/// By content: a chain, its key and a root, whatever the keys are called.
fn identity_in(data: &Value) -> Option<Identity> {
    let texts: Vec<String> = data.as_object()?.values().filter_map(decoded).collect();
    let key_pem = texts.iter().find(|text| text.contains("PRIVATE KEY"))?.clone();
    let mut certificates: Vec<&String> = texts.iter().filter(|text| text.contains("BEGIN CERTIFICATE")).collect();
    // The chain carries the root behind the leaf, so it is the longer one.
    certificates.sort_by_key(|text| std::cmp::Reverse(text.len()));
    let (chain, root) = (certificates.first()?, certificates.last()?);
    Some(Identity { chain_pem: (*chain).clone(), key_pem, root_pem: (*root).clone() })
}

fn decoded(value: &Value) -> Option<String> {
    String::from_utf8(base64::engine::general_purpose::STANDARD.decode(value.as_str()?).ok()?).ok()
}

/// Runs what waits, in a runtime of its own.
///
/// # Errors
/// When there is no runtime to be had.
pub fn block_on<T>(work: impl Future<Output = T>) -> Result<T> {
    Ok(tokio::runtime::Runtime::new()?.block_on(work))
}

/// TLS 1.3 that trusts one root, and shows an identity if there is one.
///
/// # Errors
/// When root, chain or key are none.
pub fn tls(root_pem: &str, identity: Option<&Identity>, alpn: &[&[u8]]) -> Result<Arc<ClientConfig>> {
    let mut roots = RootCertStore::empty();
    for root in CertificateDer::pem_slice_iter(root_pem.as_bytes()) {
        roots.add(root.context("the root")?)?;
    }
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let builder = ClientConfig::builder_with_provider(provider).with_protocol_versions(&[&rustls::version::TLS13])?;
    let builder = builder.with_root_certificates(roots);
    let mut config = match identity {
        None => builder.with_no_client_auth(),
        Some(identity) => {
            let chain = CertificateDer::pem_slice_iter(identity.chain_pem.as_bytes()).collect::<Result<_, _>>().context("the chain")?;
            builder.with_client_auth_cert(chain, PrivateKeyDer::from_pem_slice(identity.key_pem.as_bytes()).context("the key")?)?
        }
    };
    config.alpn_protocols = alpn.iter().map(|name| name.to_vec()).collect();
    Ok(Arc::new(config))
}

/// A gRPC connection.
///
/// # Errors
/// When there is none to be had.
pub async fn channel(url: &str, root_pem: &str, identity: Option<&Identity>) -> Result<Channel> {
    let tls = tls(root_pem, identity, &[b"h2"])?;
    let connector = tower::service_fn(move |uri: http::Uri| {
        let tls = Arc::clone(&tls);
        async move {
            let bad = |why: String| std::io::Error::new(std::io::ErrorKind::InvalidInput, why);
            let host = uri.host().ok_or_else(|| bad("no host".into()))?.to_owned();
            let name = ServerName::try_from(host.clone()).map_err(|error| bad(error.to_string()))?;
            let stream = TcpStream::connect((host.as_str(), uri.port_u16().unwrap_or(443))).await?;
            Ok::<_, std::io::Error>(TokioIo::new(TlsConnector::from(tls).connect(name, stream).await?))
        }
    });
    let endpoint = Endpoint::from_shared(url.to_owned())?.connect_timeout(Duration::from_secs(10));
    Ok(endpoint.connect_with_connector(connector).await?)
}

/// Exchanges a token (as it was printed) for an identity. The inner error is the server's refusal.
///
/// # Errors
/// When the server cannot be reached.
pub async fn enrol(url: &str, root_pem: &str, token: &str, name: &str) -> Result<Identity> {
    let key = KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256)?;
    let csr_der = CertificateParams::default().serialize_request(&key)?.der().to_vec();
    let request = EnrolRequest { csr_der, cluster_name: name.into(), ..request(token) };
    let answer = EnrolmentServiceClient::new(channel(url, root_pem, None).await?).enrol(request).await?.into_inner();
    Ok(Identity { chain_pem: answer.certificate_chain_pem, key_pem: key.serialize_pem(), root_pem: answer.root_pem })
}

/// A request with a printed token, without version and pin.
pub fn request(token: &str) -> EnrolRequest {
    let token = token.trim().strip_prefix("gs1.").unwrap_or(token.trim());
    let credential = token.rsplit_once('.').map_or(token, |(credential, _)| credential);
    EnrolRequest { token: credential.to_owned(), agent_version: "test".into(), ..EnrolRequest::default() }
}

/// A session that said hello and has attached.
#[derive(Debug)]
pub struct Session {
    /// For fetches beside the session.
    pub client: SessionServiceClient<Channel>,
    outbox: mpsc::Sender<AgentMessage>,
    incoming: Streaming<ServerMessage>,
}

impl Session {
    /// Opens one with an identity.
    ///
    /// # Errors
    /// When the server does not want it: the connection's error or its status.
    pub async fn open(url: &str, identity: &Identity, attach: AttachState) -> Result<Self> {
        let mut client = SessionServiceClient::new(channel(url, &identity.root_pem, Some(identity)).await?);
        let (outbox, outgoing) = mpsc::channel(OUTBOX);
        let hello = Hello { protocol_min: 1, protocol_max: 1, agent_version: "test".into(), incarnation: "test".into(), features: vec![] };
        for message in [FromAgent::Hello(hello), FromAgent::Attach(attach)] {
            outbox.send(AgentMessage { message: Some(message) }).await?;
        }
        let incoming = client.attach(tokio_stream::wrappers::ReceiverStream::new(outgoing)).await?.into_inner();
        Ok(Self { client, outbox, incoming })
    }

    /// Says something.
    ///
    /// # Errors
    /// When the session is over.
    pub async fn say(&self, message: FromAgent) -> Result<()> {
        Ok(self.outbox.send(AgentMessage { message: Some(message) }).await?)
    }

    /// What the server says next; `Ok(None)` when it said nothing for so long.
    ///
    /// # Errors
    /// The status with which the server ended the session.
    pub async fn hear(&mut self, within: Duration) -> Result<Option<ToAgent>, Status> {
        match tokio::time::timeout(within, self.incoming.message()).await {
            Err(_) => Ok(None),
            Ok(Ok(Some(message))) => Ok(message.message),
            Ok(Ok(None)) => Err(Status::ok("the server ended the session without a word")),
            Ok(Err(status)) => Err(status),
        }
    }

    /// All that the server says until it is silent for so long.
    ///
    /// # Errors
    /// The status with which the server ended the session.
    pub async fn hear_all(&mut self, silence: Duration) -> Result<Vec<ToAgent>, Status> {
        let mut heard = Vec::new();
        while let Some(message) = self.hear(silence).await? {
            heard.push(message);
        }
        Ok(heard)
    }

    /// The bytes of a digest.
    ///
    /// # Errors
    /// The server's refusal.
    pub async fn fetch(&mut self, digest: &str) -> Result<Vec<u8>, Status> {
        let mut chunks = self.client.fetch(FetchRequest { digest: digest.to_owned() }).await?.into_inner();
        let mut bytes = Vec::new();
        while let Some(chunk) = chunks.message().await? {
            bytes.extend(chunk.data);
        }
        Ok(bytes)
    }
}
