//! The agent's identity: key, certificate, root, kept in a Secret. The key is written before it is used, so that an enrolment whose
//! answer was lost is repeated with the same key and gets the same certificate.

use crate::cluster::secrets::{Held, SecretError, Secrets};
use crate::config::{Config, ConfigError};
use crate::link;
use crate::tls::{self, TlsError};
use groundswell_core::id::{BadName, ClusterName};
use groundswell_proto::v1;
use groundswell_proto::v1::enrolment_service_client::EnrolmentServiceClient;
use rcgen::{CertificateParams, KeyPair, PKCS_ECDSA_P256_SHA256};
use std::collections::BTreeMap;
use std::time::{Duration, SystemTime, UNIX_EPOCH};
use x509_parser::prelude::FromDer as _;

const NAME: &str = "groundswell-agent-identity";
const PART: &str = "identity";

/// Why there is no identity (yet).
#[derive(Debug, thiserror::Error)]
pub(crate) enum EnrolError {
    #[error(transparent)]
    Secret(#[from] SecretError),
    #[error(transparent)]
    Config(#[from] ConfigError),
    #[error(transparent)]
    Tls(#[from] TlsError),
    #[error(transparent)]
    Name(#[from] BadName),
    #[error("a key or certificate request could not be made")]
    Key(#[from] rcgen::Error),
    #[error("this cluster is not enrolled: give --token-file with a token from `groundswell cluster token create NAME`")]
    NoToken,
    #[error("this cluster is not enrolled: give --enrol-server with the address of the enrolment listener")]
    NoServer,
    #[error("no connection to {server}: {why}")]
    Connect { server: String, why: String },
    #[error("the server does not enrol this cluster: {0}")]
    Refused(String),
    #[error("the server's certificate for this cluster cannot be read")]
    BadCertificate,
}

/// Who the agent is.
#[derive(Clone)]
pub(crate) struct Identity {
    pub(crate) cluster: ClusterName,
    pub(crate) key_pem: String,
    pub(crate) chain_pem: String,
    pub(crate) root_pem: String,
    /// Which token it came by.
    token_id: String,
    held: Held,
}

impl Identity {
    fn read(held: &Held) -> Option<Result<Self, EnrolError>> {
        let (key_pem, chain_pem, root_pem) = (held.text("key.pem")?, held.text("chain.pem")?, held.text("root.pem")?);
        let (cluster, token_id) = (held.text("cluster")?, held.text("token-id").unwrap_or_default());
        let named = |cluster| Self { cluster, key_pem, chain_pem, root_pem, token_id, held: held.clone() };
        Some(ClusterName::new(cluster).map(named).map_err(EnrolError::from))
    }

    fn data(&self) -> BTreeMap<String, Vec<u8>> {
        let texts = [("key.pem", &self.key_pem), ("chain.pem", &self.chain_pem), ("root.pem", &self.root_pem)];
        let mut data: BTreeMap<_, _> = texts.into_iter().map(|(key, text)| (key.to_owned(), text.clone().into_bytes())).collect();
        data.insert("cluster".into(), self.cluster.as_str().into());
        data.insert("token-id".into(), self.token_id.as_str().into());
        data
    }

    /// Beginning and end of the certificate, from the Unix epoch.
    fn validity(&self) -> Option<(Duration, Duration)> {
        let chain = tls::certificates("the certificate", &self.chain_pem).ok()?;
        let (_, leaf) = x509_parser::certificate::X509Certificate::from_der(chain.first()?).ok()?;
        let seconds = |time: x509_parser::time::ASN1Time| u64::try_from(time.timestamp()).ok().map(Duration::from_secs);
        Some((seconds(leaf.validity().not_before)?, seconds(leaf.validity().not_after)?))
    }

    /// Whether half of its life is over.
    pub(crate) fn is_half_over(&self) -> bool {
        let now = since_epoch();
        self.validity().is_none_or(|(from, to)| now >= from + to.saturating_sub(from) / 2)
    }

    fn is_over(&self) -> bool {
        self.validity().is_none_or(|(_, to)| since_epoch() >= to)
    }

    /// A request for a new certificate for the same key.
    pub(crate) fn request(&self) -> Result<Vec<u8>, EnrolError> {
        request(&self.key_pem)
    }

    /// Stores a renewed certificate, whole.
    pub(crate) async fn renew(&mut self, secrets: &Secrets, chain_pem: String, root_pem: String) -> Result<(), EnrolError> {
        // What TLS would refuse must not replace what it accepts.
        tls::mutual(&root_pem, &chain_pem, &self.key_pem)?;
        (self.chain_pem, self.root_pem) = (chain_pem, root_pem);
        let data = self.data();
        secrets.write(NAME, PART, &mut self.held, data).await?;
        Ok(())
    }
}

fn since_epoch() -> Duration {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default()
}

fn request(key_pem: &str) -> Result<Vec<u8>, EnrolError> {
    let key = KeyPair::from_pem(key_pem)?;
    let request = CertificateParams::default().serialize_request(&key)?;
    Ok(request.der().to_vec())
}

/// The identity from the Secret, or by enrolment. Another token than the one that it came by means that somebody wants the cluster
/// enrolled anew, after it was revoked, say; where the server does not take that token, the identity that is there is kept.
pub(crate) async fn identity(secrets: &Secrets, config: &Config) -> Result<Identity, EnrolError> {
    let held = secrets.read(NAME).await?;
    let Some(known) = Identity::read(&held).transpose()?.filter(|identity| !identity.is_over()) else {
        return enrol(secrets, config, held).await;
    };
    let is_new = matches!(config.token.read(), Ok(Some(token)) if token.id != known.token_id);
    if !is_new || known.token_id.is_empty() {
        return Ok(known);
    }
    tracing::info!(cluster = %known.cluster, "there is a new token; enrolling anew");
    match enrol(secrets, config, held).await {
        Err(error @ (EnrolError::Refused(_) | EnrolError::Connect { .. } | EnrolError::NoServer)) => {
            tracing::warn!("{error}; going on with the identity that is there");
            Ok(known)
        }
        enrolled => enrolled,
    }
}

async fn enrol(secrets: &Secrets, config: &Config, mut held: Held) -> Result<Identity, EnrolError> {
    let token = config.token.read()?.ok_or(EnrolError::NoToken)?;
    let server = config.enrol_server.as_ref().ok_or(EnrolError::NoServer)?;
    let key_pem = match held.text("key.pem") {
        Some(key_pem) => key_pem,
        None => {
            let key_pem = KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256)?.serialize_pem();
            let data = BTreeMap::from([("key.pem".to_owned(), key_pem.clone().into_bytes())]);
            secrets.write(NAME, PART, &mut held, data).await?;
            key_pem
        }
    };
    let connected = link::connect(server, tls::pinned(token.pin)?).await;
    let channel = connected.map_err(|why| EnrolError::Connect { server: server.to_string(), why })?;
    let wish = v1::EnrolRequest {
        token: token.credential(),
        csr_der: request(&key_pem)?,
        cluster_name: config.cluster_name.as_ref().map(ToString::to_string).unwrap_or_default(),
        agent_version: env!("CARGO_PKG_VERSION").into(),
        labels: std::collections::HashMap::new(),
    };
    let answer = EnrolmentServiceClient::new(channel).enrol(wish).await;
    let answer = answer.map_err(|status| EnrolError::Refused(format!("{} ({})", status.message(), status.code())))?.into_inner();
    let cluster = ClusterName::new(answer.cluster_name)?;
    tls::mutual(&answer.root_pem, &answer.certificate_chain_pem, &key_pem)?;
    let pinned = tls::certificates("the root certificate", &answer.root_pem)?.iter().any(|root| tls::key_hash(root) == Some(token.pin));
    if !pinned {
        return Err(EnrolError::BadCertificate);
    }
    let (chain_pem, root_pem, token_id) = (answer.certificate_chain_pem, answer.root_pem, token.id.clone());
    let mut identity = Identity { cluster, key_pem, chain_pem, root_pem, token_id, held };
    let data = identity.data();
    secrets.write(NAME, PART, &mut identity.held, data).await?;
    tracing::info!(cluster = %identity.cluster, "enrolled");
    Ok(identity)
}
