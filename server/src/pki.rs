//! The coordinator's own certificate authority: one P-256 root, made at first start, that signs the server's own
//! certificates at each start and a 30-day certificate for each cluster.
//!
//! P-256 everywhere, never P-384: with aws-lc it signs 40 times faster (`docs/adr/0004`).

use groundswell_core::id::ClusterName;
use groundswell_core::time::{Span, Time};
use rcgen::{
    BasicConstraints, CertificateParams, CertificateSigningRequestParams, DistinguishedName, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer,
    KeyPair, KeyUsagePurpose, PKCS_ECDSA_P256_SHA256, PublicKeyData as _, SanType,
};
use rustls_pki_types::{CertificateDer, CertificateSigningRequestDer, PrivateKeyDer, PrivatePkcs8KeyDer};
use sha2::{Digest as _, Sha256};
use std::io::Write as _;
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};
use time::OffsetDateTime;
use x509_parser::prelude::{FromDer as _, GeneralName, X509Certificate};

/// Before the name of a cluster in the SAN of its certificate.
pub const CLUSTER_URI: &str = "spiffe://groundswell/cluster/";
/// How long a cluster's certificate is valid. It is renewed at half of it, so that two weeks away do no harm.
pub const CLUSTER_LIFE: Span = Span::minutes(30 * 24 * 60);
/// A clock of a cluster may be behind ours by so much.
const SKEW: Span = Span::minutes(5);

/// Why the authority could not do what was asked.
#[derive(Debug, thiserror::Error)]
pub enum PkiError {
    /// A file of the authority cannot be read or written.
    #[error("the certificate authority's file {path}")]
    File {
        /// Which.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// One of the two files is there and the other is not, or one does not parse.
    #[error(
        "the certificate authority in {path} is damaged ({why}); restore root.pem and root.key from a backup: a new root would lock every agent out"
    )]
    Damaged {
        /// The folder.
        path: PathBuf,
        /// What is wrong.
        why: String,
    },
    /// A certificate could not be made.
    #[error("a certificate for {what} could not be made")]
    Issue {
        /// For whom.
        what: String,
        /// Why.
        source: rcgen::Error,
    },
    /// A request for a certificate is not one we sign.
    #[error("the certificate request is refused: {0}")]
    BadRequest(String),
    /// A client's certificate names no cluster.
    #[error("the client certificate names no cluster: {0}")]
    NoCluster(String),
}

/// The root and its key.
pub struct Authority {
    root_der: CertificateDer<'static>,
    root_pem: String,
    issuer: Issuer<'static, KeyPair>,
}

/// A certificate made for a cluster.
#[derive(Debug)]
pub struct ClusterCertificate {
    /// Leaf, then root, PEM.
    pub chain_pem: String,
    /// SHA-256 of the public key's SPKI, hexadecimal.
    pub key_hash: String,
    /// When it ends.
    pub not_after: Time,
}

/// Who holds a session, read from the client certificate and nowhere else (GS-12).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Peer {
    /// The cluster that the certificate names.
    pub cluster: ClusterName,
    /// SHA-256 of its SPKI, hexadecimal.
    pub key_hash: String,
    /// When its certificate ends.
    pub not_after: Time,
}

impl Authority {
    /// Reads the authority in `<folder>`, or makes one where there is none yet.
    pub fn open_or_create(folder: &Path, now: Time) -> Result<Self, PkiError> {
        let (root, key) = (folder.join("root.pem"), folder.join("root.key"));
        match (root.exists(), key.exists()) {
            (true, true) => Self::open(folder, &root, &key),
            (false, false) => Self::create(folder, &root, &key, now),
            (has_root, _) => {
                let why = format!("{} is missing", if has_root { "root.key" } else { "root.pem" });
                Err(PkiError::Damaged { path: folder.into(), why })
            }
        }
    }

    fn open(folder: &Path, root: &Path, key: &Path) -> Result<Self, PkiError> {
        let read = |path: &Path| std::fs::read_to_string(path).map_err(|source| PkiError::File { path: path.into(), source });
        let damaged = |why: String| PkiError::Damaged { path: folder.into(), why };
        let (root_pem, key_pem) = (read(root)?, read(key)?);
        let key = KeyPair::from_pem(&key_pem).map_err(|error| damaged(format!("root.key: {error}")))?;
        let root_der = single_certificate(&root_pem).map_err(|why| damaged(format!("root.pem: {why}")))?;
        if spki_hash(&root_der).map_err(|error| damaged(error.to_string()))? != hex::encode(Sha256::digest(key.subject_public_key_info())) {
            return Err(damaged("root.key does not belong to root.pem".into()));
        }
        let issuer = Issuer::from_ca_cert_der(&root_der, key).map_err(|error| damaged(format!("root.pem: {error}")))?;
        Ok(Self { root_der, root_pem, issuer })
    }

    fn create(folder: &Path, root: &Path, key_path: &Path, now: Time) -> Result<Self, PkiError> {
        let issue = |source| PkiError::Issue { what: "the root".into(), source };
        let key = KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256).map_err(issue)?;
        let mut params = CertificateParams::default();
        params.distinguished_name = common_name("groundswell root");
        params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
        params.not_before = date(now - SKEW);
        // Ten years: agents pin this key, so its end is the end of every agent's trust.
        params.not_after = date(now + Span::minutes(10 * 365 * 24 * 60));
        let certificate = params.self_signed(&key).map_err(issue)?;
        let file = |path: &Path| {
            let path = path.to_path_buf();
            move |source| PkiError::File { path, source }
        };
        std::fs::DirBuilder::new().recursive(true).mode(0o700).create(folder).map_err(file(folder))?;
        write_private(key_path, key.serialize_pem().as_bytes()).map_err(file(key_path))?;
        write_private(root, certificate.pem().as_bytes()).map_err(file(root))?;
        let (root_der, root_pem) = (certificate.der().clone(), certificate.pem());
        Ok(Self { root_der, root_pem, issuer: Issuer::new(params, key) })
    }

    /// The root, PEM.
    pub fn root_pem(&self) -> &str {
        &self.root_pem
    }

    /// The root, DER.
    pub fn root_der(&self) -> &CertificateDer<'static> {
        &self.root_der
    }

    /// SHA-256 of the root's SPKI, hexadecimal: the pin in a join token.
    pub fn pin(&self) -> Result<String, PkiError> {
        spki_hash(&self.root_der)
    }

    /// A certificate and key for one of our own listeners, chain with the root (an agent that only knows the pin needs it).
    pub fn server_certificate(
        &self,
        names: &[String],
        now: Time,
    ) -> Result<(Vec<CertificateDer<'static>>, PrivateKeyDer<'static>), PkiError> {
        let issue = |source| PkiError::Issue { what: names.join(", "), source };
        let key = KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256).map_err(issue)?;
        let mut params = CertificateParams::new(names.to_vec()).map_err(issue)?;
        params.distinguished_name = common_name("groundswell server");
        params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
        params.not_before = date(now - SKEW);
        // Made anew at each start; a year is longer than any process should live.
        params.not_after = date(now + Span::minutes(365 * 24 * 60));
        let certificate = params.signed_by(&key, &self.issuer).map_err(issue)?;
        let key = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(key.serialize_der()));
        Ok((vec![certificate.der().clone(), self.root_der.clone()], key))
    }

    /// Signs a cluster's request. Only the public key is taken from it: the name is the one given here.
    pub fn cluster_certificate(&self, cluster: &ClusterName, csr_der: &[u8], now: Time) -> Result<ClusterCertificate, PkiError> {
        let issue = |source| PkiError::Issue { what: cluster.to_string(), source };
        let (request, key_hash) = read_request(csr_der)?;
        let mut params = CertificateParams::default();
        params.distinguished_name = common_name(cluster.as_str());
        let uri = format!("{CLUSTER_URI}{cluster}").try_into().map_err(issue)?;
        params.subject_alt_names = vec![SanType::URI(uri)];
        params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
        params.not_before = date(now - SKEW);
        let not_after = now + CLUSTER_LIFE;
        params.not_after = date(not_after);
        let certificate =
            CertificateSigningRequestParams { params, public_key: request.public_key }.signed_by(&self.issuer).map_err(issue)?;
        Ok(ClusterCertificate { chain_pem: format!("{}{}", certificate.pem(), self.root_pem), key_hash, not_after })
    }
}

/// SHA-256 of the SPKI in a request whose own signature is right.
pub fn request_key_hash(csr_der: &[u8]) -> Result<String, PkiError> {
    read_request(csr_der).map(|(_, key_hash)| key_hash)
}

/// A PKCS#10 of a P-256 key is about 300 bytes; with a long subject it stays below this.
const MAX_REQUEST: usize = 4 * 1024;

fn read_request(csr_der: &[u8]) -> Result<(CertificateSigningRequestParams, String), PkiError> {
    if csr_der.len() > MAX_REQUEST {
        return Err(PkiError::BadRequest(format!("{} bytes, at most {MAX_REQUEST}", csr_der.len())));
    }
    let bad = |why: &dyn std::fmt::Display| PkiError::BadRequest(why.to_string());
    let request = CertificateSigningRequestParams::from_der(&CertificateSigningRequestDer::from(csr_der)).map_err(|error| bad(&error))?;
    let (_, parsed) = x509_parser::certification_request::X509CertificationRequest::from_der(csr_der).map_err(|error| bad(&error))?;
    let key_hash = hex::encode(Sha256::digest(parsed.certification_request_info.subject_pki.raw));
    Ok((request, key_hash))
}

/// Reads who a client is. The chain was verified against the root by rustls before.
pub fn peer_of(leaf: &CertificateDer<'_>) -> Result<Peer, PkiError> {
    let refuse = |why: String| PkiError::NoCluster(why);
    let (_, certificate) = X509Certificate::from_der(leaf).map_err(|error| refuse(error.to_string()))?;
    let names = certificate.subject_alternative_name().map_err(|error| refuse(error.to_string()))?;
    let names = names.ok_or_else(|| refuse("it has no subject alternative name".into()))?;
    let uris: Vec<&str> =
        names.value.general_names.iter().filter_map(|name| if let GeneralName::URI(uri) = name { Some(*uri) } else { None }).collect();
    let [uri] = uris.as_slice() else { return Err(refuse(format!("{} URIs where one is expected", uris.len()))) };
    let name = uri.strip_prefix(CLUSTER_URI).ok_or_else(|| refuse(format!("{uri:?} is no cluster")))?;
    let cluster = ClusterName::new(name).map_err(|error| refuse(error.to_string()))?;
    let seconds = u64::try_from(certificate.validity().not_after.timestamp()).unwrap_or_default();
    Ok(Peer { cluster, key_hash: hex::encode(Sha256::digest(certificate.public_key().raw)), not_after: Time(seconds * 1_000) })
}

fn spki_hash(der: &CertificateDer<'_>) -> Result<String, PkiError> {
    let (_, certificate) = X509Certificate::from_der(der).map_err(|error| PkiError::BadRequest(error.to_string()))?;
    Ok(hex::encode(Sha256::digest(certificate.public_key().raw)))
}

fn single_certificate(pem: &str) -> Result<CertificateDer<'static>, String> {
    use rustls_pki_types::pem::PemObject as _;
    CertificateDer::from_pem_slice(pem.as_bytes()).map_err(|error| error.to_string())
}

fn common_name(name: &str) -> DistinguishedName {
    let mut subject = DistinguishedName::new();
    subject.push(DnType::CommonName, name);
    subject
}

fn date(time: Time) -> OffsetDateTime {
    let seconds = i64::try_from(time.0 / 1_000).unwrap_or(i64::MAX);
    OffsetDateTime::from_unix_timestamp(seconds).unwrap_or(OffsetDateTime::UNIX_EPOCH)
}

/// Writes a file that only its owner may read: whole under another name, synced, then renamed.
pub fn write_private(path: &Path, bytes: &[u8]) -> std::io::Result<()> {
    let temporary = path.with_extension("new");
    let mut file = std::fs::OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&temporary)?;
    file.write_all(bytes)?;
    file.sync_all()?;
    std::fs::rename(&temporary, path)?;
    if let Some(folder) = path.parent() {
        std::fs::File::open(folder)?.sync_all()?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Time = Time(1_790_000_000_000);

    fn request() -> (KeyPair, Vec<u8>) {
        let key = KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256).unwrap();
        let params = CertificateParams::new(vec!["evil.example".to_owned()]).unwrap();
        let der = params.serialize_request(&key).unwrap().der().to_vec();
        (key, der)
    }

    #[test]
    fn the_root_is_made_once_and_read_back() {
        let folder = tempfile::tempdir().unwrap();
        let first = Authority::open_or_create(folder.path(), NOW).unwrap().pin().unwrap();
        let again = Authority::open_or_create(folder.path(), NOW).unwrap().pin().unwrap();
        assert_eq!(first, again);
        use std::os::unix::fs::PermissionsExt as _;
        assert_eq!(std::fs::metadata(folder.path().join("root.key")).unwrap().permissions().mode() & 0o777, 0o600);
    }

    #[test]
    fn a_root_whose_key_is_gone_is_not_replaced() {
        let folder = tempfile::tempdir().unwrap();
        Authority::open_or_create(folder.path(), NOW).unwrap();
        std::fs::remove_file(folder.path().join("root.key")).unwrap();
        assert!(matches!(Authority::open_or_create(folder.path(), NOW), Err(PkiError::Damaged { .. })));
        assert!(!folder.path().join("root.key").exists());
    }

    #[test]
    fn a_cluster_gets_its_own_name_and_nothing_it_asked_for() {
        let folder = tempfile::tempdir().unwrap();
        let authority = Authority::open_or_create(folder.path(), NOW).unwrap();
        let (_, csr) = request();
        let made = authority.cluster_certificate(&ClusterName::new("east-01").unwrap(), &csr, NOW).unwrap();
        let leaf = single_certificate(&made.chain_pem).unwrap();
        let peer = peer_of(&leaf).unwrap();
        assert_eq!((peer.cluster.as_str(), &peer.key_hash), ("east-01", &made.key_hash));
        assert_eq!(peer.not_after, Time(made.not_after.0 / 1_000 * 1_000));
        assert!(!String::from_utf8_lossy(&leaf).contains("evil.example"));
    }

    #[test]
    fn garbage_is_no_request() {
        let folder = tempfile::tempdir().unwrap();
        let authority = Authority::open_or_create(folder.path(), NOW).unwrap();
        for garbage in [&b""[..], b"-----BEGIN", &[0x30; 5000]] {
            assert!(matches!(authority.cluster_certificate(&ClusterName::new("a").unwrap(), garbage, NOW), Err(PkiError::BadRequest(_))));
        }
        let (_, mut csr) = request();
        let last = csr.len() - 1;
        csr[last] ^= 1;
        assert!(request_key_hash(&csr).is_err(), "a request whose signature is wrong passed");
    }

    #[test]
    fn a_server_certificate_names_no_cluster() {
        let folder = tempfile::tempdir().unwrap();
        let authority = Authority::open_or_create(folder.path(), NOW).unwrap();
        let (chain, _) = authority.server_certificate(&["localhost".into()], NOW).unwrap();
        assert!(matches!(peer_of(&chain[0]), Err(PkiError::NoCluster(_))));
    }
}
