//! An authority as the server makes it: P-256 throughout, TLS 1.3 only, no resumption.

use anyhow::Result;
use rcgen::{
    BasicConstraints, CertificateParams, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair, KeyUsagePurpose, PKCS_ECDSA_P256_SHA256, SanType,
};
use rustls::server::{NoServerSessionStorage, WebPkiClientVerifier};
use rustls::{ClientConfig, RootCertStore, ServerConfig};
use rustls_pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer};
use std::sync::Arc;

/// Settings of both ends.
pub(crate) struct Ends {
    pub(crate) server: Arc<ServerConfig>,
    pub(crate) client: Arc<ClientConfig>,
}

type Identity = (Vec<CertificateDer<'static>>, PrivateKeyDer<'static>);

pub(crate) fn ends() -> Result<Ends> {
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let key = KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256)?;
    let mut params = CertificateParams::default();
    params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign];
    let root = params.self_signed(&key)?.der().clone();
    let issuer = Issuer::new(params, key);
    let mut roots = RootCertStore::empty();
    roots.add(root.clone())?;
    let roots = Arc::new(roots);

    let uri = SanType::URI("spiffe://groundswell/cluster/east-01".try_into()?);
    let server = identity(&issuer, vec![SanType::DnsName("localhost".try_into()?)], ExtendedKeyUsagePurpose::ServerAuth, &root)?;
    let client = identity(&issuer, vec![uri], ExtendedKeyUsagePurpose::ClientAuth, &root)?;

    let verifier = WebPkiClientVerifier::builder_with_provider(roots.clone(), provider.clone()).build()?;
    let mut server_config = ServerConfig::builder_with_provider(provider.clone())
        .with_protocol_versions(&[&rustls::version::TLS13])?
        .with_client_cert_verifier(verifier)
        .with_single_cert(server.0, server.1)?;
    server_config.session_storage = Arc::new(NoServerSessionStorage {});
    server_config.send_tls13_tickets = 0;
    server_config.alpn_protocols = vec![b"h2".to_vec()];

    let mut client_config = ClientConfig::builder_with_provider(provider)
        .with_protocol_versions(&[&rustls::version::TLS13])?
        .with_root_certificates(roots)
        .with_client_auth_cert(client.0, client.1)?;
    client_config.resumption = rustls::client::Resumption::disabled();
    client_config.alpn_protocols = vec![b"h2".to_vec()];
    Ok(Ends { server: Arc::new(server_config), client: Arc::new(client_config) })
}

fn identity(
    issuer: &Issuer<'_, KeyPair>,
    names: Vec<SanType>,
    usage: ExtendedKeyUsagePurpose,
    root: &CertificateDer<'static>,
) -> Result<Identity> {
    let key = KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256)?;
    let mut params = CertificateParams::default();
    params.subject_alt_names = names;
    params.extended_key_usages = vec![usage];
    let leaf = params.signed_by(&key, issuer)?.der().clone();
    Ok((vec![leaf, root.clone()], PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(key.serialize_der()))))
}
