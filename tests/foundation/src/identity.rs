//! Keys, certificates, tokens and kubeconfigs of a cluster.

use std::fs::{self, OpenOptions};
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use anyhow::{Context, Result};
use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use rcgen::{BasicConstraints, CertificateParams, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair, KeyUsagePurpose};

/// The user that tests act as.
pub(crate) const ADMIN: &str = "admin";
/// Users that the audit log leaves out, one per part, as `assets/audit-policy.yaml` names them.
pub(crate) const CONTROLLER_MANAGER: &str = "system:kube-controller-manager";
pub(crate) const SCHEDULER: &str = "system:kube-scheduler";
pub(crate) const KWOK: &str = "system:kwok";

/// What the API server needs to be trusted and to know its callers. Every cluster has its own: a client that mixes clusters up
/// must fail.
pub(crate) struct Identity {
    /// PEM.
    pub(crate) authority: String,
    tokens: Vec<(&'static str, String)>,
}

impl Identity {
    /// Writes `ca.crt`, `server.{crt,key}`, `accounts.{key,pub}` and `tokens.csv` into `dir`.
    pub(crate) fn create(dir: &Path, cluster: &str) -> Result<Self> {
        let key = KeyPair::generate()?;
        let mut params = CertificateParams::new(Vec::new())?;
        params.distinguished_name.push(DnType::CommonName, format!("{cluster} foundation authority"));
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign, KeyUsagePurpose::DigitalSignature];
        let authority = params.self_signed(&key)?.pem();
        let issuer = Issuer::new(params, key);

        let server_key = KeyPair::generate()?;
        let names = ["127.0.0.1", "10.96.0.1", "localhost", "kubernetes", "kubernetes.default.svc"];
        let mut server = CertificateParams::new(names.map(str::to_owned).to_vec())?;
        server.distinguished_name.push(DnType::CommonName, "kube-apiserver");
        server.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
        server.use_authority_key_identifier_extension = true;
        let certificate = server.signed_by(&server_key, &issuer)?.pem();

        let accounts = KeyPair::generate()?;
        write_private(&dir.join("ca.crt"), &authority)?;
        write_private(&dir.join("server.crt"), &certificate)?;
        write_private(&dir.join("server.key"), &server_key.serialize_pem())?;
        write_private(&dir.join("accounts.key"), &accounts.serialize_pem())?;
        write_private(&dir.join("accounts.pub"), &accounts.public_key_pem())?;

        let mut tokens = Vec::new();
        let mut table = String::new();
        for user in [ADMIN, CONTROLLER_MANAGER, SCHEDULER, KWOK] {
            let token = random_token()?;
            table.push_str(&format!("{token},{user},{user},system:masters\n"));
            tokens.push((user, token));
        }
        write_private(&dir.join("tokens.csv"), &table)?;
        Ok(Self { authority, tokens })
    }

    pub(crate) fn token(&self, user: &str) -> Result<&str> {
        let held = self.tokens.iter().find(|(name, _)| *name == user);
        Ok(&held.with_context(|| format!("no token was made for {user}"))?.1)
    }
}

/// A key pair's secret half is as good a source of 256 random bits as any, and needs no crate of its own.
fn random_token() -> Result<String> {
    let der = KeyPair::generate()?.serialize_der();
    // PKCS#8 of P-256: 36 bytes of header, then the 32 bytes of the secret.
    let secret = der.get(36..68).context("a P-256 key shorter than its own secret")?;
    Ok(URL_SAFE_NO_PAD.encode(secret))
}

/// A kubeconfig with everything inside, readable by its owner alone (helm warns otherwise).
pub(crate) fn write_kubeconfig(path: &Path, cluster: &str, server: &str, authority: &str, user: &str, token: &str) -> Result<()> {
    let authority = STANDARD.encode(authority);
    let text = format!(
        "apiVersion: v1\nkind: Config\ncurrent-context: {cluster}\n\
         clusters:\n- name: {cluster}\n  cluster:\n    server: {server}\n    certificate-authority-data: {authority}\n\
         contexts:\n- name: {cluster}\n  context:\n    cluster: {cluster}\n    user: \"{user}\"\n\
         users:\n- name: \"{user}\"\n  user:\n    token: {token}\n"
    );
    write_private(path, &text)
}

fn write_private(path: &Path, text: &str) -> Result<()> {
    if path.exists() {
        fs::remove_file(path)?;
    }
    let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(path)?;
    file.write_all(text.as_bytes()).with_context(|| format!("{} cannot be written", path.display()))
}
