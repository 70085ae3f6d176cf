//! TLS settings of the three listeners: 1.3 only, no resumption. rustls restores a cached chain without asking the
//! client-certificate verifier again, so a revoked cluster could come back by a ticket (reference: reliability, 0.7).

use crate::pki::{Authority, PkiError};
use groundswell_core::time::Time;
use rustls::server::{NoServerSessionStorage, WebPkiClientVerifier};
use rustls::{RootCertStore, ServerConfig};
use std::sync::Arc;

/// Why a listener's TLS could not be set up.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    /// The certificate could not be made.
    #[error(transparent)]
    Pki(#[from] PkiError),
    /// rustls refused the parts.
    #[error("TLS settings")]
    Rustls(#[from] rustls::Error),
    /// The verifier of client certificates refused the root.
    #[error("TLS settings for client certificates")]
    Verifier(#[from] rustls::server::VerifierBuilderError),
}

/// Who must show a certificate.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Clients {
    /// Nobody: enrolment and operators.
    Anonymous,
    /// Everybody, one of our root: sessions.
    Certified,
}

/// The settings of one listener.
pub fn server_config(
    authority: &Authority,
    names: &[String],
    clients: Clients,
    alpn: &[&[u8]],
    now: Time,
) -> Result<Arc<ServerConfig>, TlsError> {
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let (chain, key) = authority.server_certificate(names, now)?;
    let builder = ServerConfig::builder_with_provider(provider.clone()).with_protocol_versions(&[&rustls::version::TLS13])?;
    let builder = match clients {
        Clients::Anonymous => builder.with_no_client_auth(),
        Clients::Certified => {
            let mut roots = RootCertStore::empty();
            roots.add(authority.root_der().clone())?;
            builder.with_client_cert_verifier(WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider).build()?)
        }
    };
    let mut config = builder.with_single_cert(chain, key)?;
    config.session_storage = Arc::new(NoServerSessionStorage {});
    config.send_tls13_tickets = 0;
    config.max_early_data_size = 0;
    config.alpn_protocols = alpn.iter().map(|protocol| protocol.to_vec()).collect();
    Ok(Arc::new(config))
}
