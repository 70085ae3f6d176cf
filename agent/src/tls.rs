//! TLS 1.3 with aws-lc, without resumption: a resumed session would skip the checks of the certificates.

use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::CryptoProvider;
use rustls::{CertificateError, ClientConfig, DigitallySignedStruct, RootCertStore, SignatureScheme};
use rustls_pki_types::pem::PemObject as _;
use rustls_pki_types::{CertificateDer, PrivateKeyDer, ServerName, UnixTime};
use sha2::{Digest as _, Sha256};
use std::sync::Arc;
use x509_parser::prelude::FromDer as _;

/// Why TLS could not be set up.
#[derive(Debug, thiserror::Error)]
pub(crate) enum TlsError {
    #[error("{what} is not PEM")]
    Pem { what: &'static str, source: rustls_pki_types::pem::Error },
    #[error("the {what} cannot be used for TLS")]
    Rustls { what: &'static str, source: rustls::Error },
    #[error("the root certificate cannot be used to verify the server")]
    Verifier(#[from] rustls::client::VerifierBuilderError),
}

fn provider() -> Arc<CryptoProvider> {
    Arc::new(rustls::crypto::aws_lc_rs::default_provider())
}

/// All certificates of a PEM text.
pub(crate) fn certificates(what: &'static str, pem: &str) -> Result<Vec<CertificateDer<'static>>, TlsError> {
    CertificateDer::pem_slice_iter(pem.as_bytes()).collect::<Result<_, _>>().map_err(|source| TlsError::Pem { what, source })
}

/// SHA-256 of a certificate's public key (SPKI, DER).
pub(crate) fn key_hash(certificate: &CertificateDer<'_>) -> Option<[u8; 32]> {
    let (_, parsed) = x509_parser::certificate::X509Certificate::from_der(certificate).ok()?;
    Some(Sha256::digest(parsed.public_key().raw).into())
}

/// Trusts the one root whose key has the pinned hash, wherever in the presented chain it stands, and then verifies the leaf
/// against that root as usual.
#[derive(Debug)]
struct PinnedRoot {
    pin: [u8; 32],
    provider: Arc<CryptoProvider>,
}

impl ServerCertVerifier for PinnedRoot {
    fn verify_server_cert(
        &self,
        leaf: &CertificateDer<'_>,
        chain: &[CertificateDer<'_>],
        name: &ServerName<'_>,
        ocsp: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        let root = chain.iter().find(|certificate| key_hash(certificate) == Some(self.pin));
        let root = root.ok_or(rustls::Error::InvalidCertificate(CertificateError::UnknownIssuer))?;
        let mut roots = RootCertStore::empty();
        roots.add(root.clone().into_owned())?;
        let verifier = WebPkiServerVerifier::builder_with_provider(Arc::new(roots), self.provider.clone()).build();
        let verifier = verifier.map_err(|error| rustls::Error::General(error.to_string()))?;
        verifier.verify_server_cert(leaf, chain, name, ocsp, now)
    }

    fn verify_tls12_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        Err(rustls::Error::General("TLS 1.2 is not spoken here".into()))
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        leaf: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        rustls::crypto::verify_tls13_signature(message, leaf, signed, &self.provider.signature_verification_algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.provider.signature_verification_algorithms.supported_schemes()
    }
}

fn finish(mut config: ClientConfig) -> Arc<ClientConfig> {
    config.resumption = rustls::client::Resumption::disabled();
    config.alpn_protocols = vec![b"h2".to_vec()];
    Arc::new(config)
}

fn builder() -> Result<rustls::ConfigBuilder<ClientConfig, rustls::WantsVerifier>, TlsError> {
    ClientConfig::builder_with_provider(provider())
        .with_protocol_versions(&[&rustls::version::TLS13])
        .map_err(|source| TlsError::Rustls { what: "cryptography", source })
}

/// For enrolment: no certificate of our own, and only a pin to know the server by.
pub(crate) fn pinned(pin: [u8; 32]) -> Result<Arc<ClientConfig>, TlsError> {
    let verifier = Arc::new(PinnedRoot { pin, provider: provider() });
    Ok(finish(builder()?.dangerous().with_custom_certificate_verifier(verifier).with_no_client_auth()))
}

/// For sessions: our certificate, and the root that enrolment gave us.
pub(crate) fn mutual(root_pem: &str, chain_pem: &str, key_pem: &str) -> Result<Arc<ClientConfig>, TlsError> {
    let mut roots = RootCertStore::empty();
    for root in certificates("the root certificate", root_pem)? {
        roots.add(root).map_err(|source| TlsError::Rustls { what: "root certificate", source })?;
    }
    let verifier = WebPkiServerVerifier::builder_with_provider(Arc::new(roots), provider()).build()?;
    let chain = certificates("the certificate", chain_pem)?;
    let key = PrivateKeyDer::from_pem_slice(key_pem.as_bytes()).map_err(|source| TlsError::Pem { what: "the key", source })?;
    let config = builder()?.with_webpki_verifier(verifier).with_client_auth_cert(chain, key);
    config.map(finish).map_err(|source| TlsError::Rustls { what: "certificate", source })
}

#[cfg(test)]
mod tests {
    use super::*;
    use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};

    struct Authority(CertifiedIssuer<'static, KeyPair>);

    impl Authority {
        fn new() -> Self {
            let mut params = CertificateParams::default();
            params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
            Self(CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap())
        }

        fn root(&self) -> CertificateDer<'static> {
            self.0.der().clone()
        }

        fn leaf(&self, name: &str) -> CertificateDer<'static> {
            let key = KeyPair::generate().unwrap();
            CertificateParams::new(vec![name.to_owned()]).unwrap().signed_by(&key, &self.0).unwrap().der().clone()
        }
    }

    fn verify(pin: [u8; 32], leaf: &CertificateDer<'_>, chain: &[CertificateDer<'_>], name: &str) -> bool {
        let verifier = PinnedRoot { pin, provider: provider() };
        verifier.verify_server_cert(leaf, chain, &name.try_into().unwrap(), &[], UnixTime::now()).is_ok()
    }

    #[test]
    fn only_a_leaf_below_the_pinned_root_is_believed() {
        let (ours, theirs) = (Authority::new(), Authority::new());
        let pin = key_hash(&ours.root()).unwrap();
        let leaf = ours.leaf("server");
        assert!(verify(pin, &leaf, &[ours.root()], "server"));
        assert!(!verify(pin, &leaf, &[ours.root()], "other"), "another name");
        assert!(!verify(pin, &leaf, &[], "server"), "the root is not shown");
        assert!(!verify(pin, &theirs.leaf("server"), &[theirs.root()], "server"), "another root");
        assert!(!verify(pin, &theirs.leaf("server"), &[theirs.root(), ours.root()], "server"), "the pinned root only shown beside");
    }
}
