//! Charts from wherever people keep them: folders, archives, HTTP repositories, OCI registries.
//!
//! What arrives is untrusted until [`ChartArchive::read`] has taken it, and it is named by its digest from then on. Credentials
//! belong to one origin and never follow a redirect or an index to another.

mod cache;
mod chart_repository;
mod credentials;
mod docker;
mod error;
pub mod folder;
mod http;
mod index;
mod limits;
mod local;
mod oci;
mod origin;
mod pace;
mod pick;
mod provenance;
mod reference;

pub use cache::Cache;
pub use credentials::{Access, Credentials, Keyring, Secret};
pub use docker::{DockerConfigError, read_docker_config};
pub use error::FetchError;
pub use index::Entry;
pub use limits::Limits;
pub use origin::{Origin, shown};
pub use pace::{Pace, RealPace};
pub use provenance::Provenance;
pub use reference::{Naming, OciReference, Reference, ReferenceError, is_digest, repository_url};
pub use reqwest::Url;

use crate::archive::{ChartArchive, digest_hex};
use cache::Remembered;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

/// Told while something is fetched.
pub trait Progress: Send + Sync + fmt::Debug {
    /// So many bytes have arrived, of so many.
    fn bytes(&self, what: &str, done: u64, total: Option<u64>) {
        let _ = (what, done, total);
    }
    /// What arrived is being read, which may take a while.
    fn reading(&self, what: &str) {
        let _ = what;
    }
    /// A try failed; the next begins after the delay.
    fn retry(&self, reason: &str, attempt: u32, of: u32, delay: Duration) {
        let _ = (reason, attempt, of, delay);
    }
}

/// Tells nobody.
#[derive(Debug, Clone, Copy, Default)]
pub struct Silent;

impl Progress for Silent {}

/// What a [`Fetcher`] works with.
#[derive(Debug, Clone)]
pub struct Settings {
    /// Who may be told which password.
    pub keyring: Keyring,
    /// How much is taken.
    pub limits: Limits,
    /// What was fetched before.
    pub cache: Option<Cache>,
    /// Time and chance.
    pub pace: Arc<dyn Pace>,
    /// Who is told.
    pub progress: Arc<dyn Progress>,
    /// Nothing is asked of the network.
    pub offline: bool,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            keyring: Keyring::default(),
            limits: Limits::default(),
            cache: None,
            pace: Arc::new(RealPace),
            progress: Arc::new(Silent),
            offline: false,
        }
    }
}

/// What is wanted beside the chart itself.
#[derive(Debug, Clone, Default)]
pub struct Ask {
    /// The digest that the archive must have, 64 hex digits, whatever the repository says.
    pub digest: Option<String>,
    /// Prereleases count where no exact version was asked for.
    pub devel: bool,
}

/// A chart that arrived and was checked.
#[derive(Debug, Clone)]
pub struct Pulled {
    /// The archive, byte for byte.
    pub bytes: Vec<u8>,
    /// What is in it.
    pub archive: ChartArchive,
    /// SHA-256 of the archive, hex.
    pub digest: String,
    /// Where it really came from: the URL of the archive, the OCI reference, the path.
    pub origin: String,
    /// `sha256:…` of its OCI manifest.
    pub manifest_digest: Option<String>,
    /// Who named the digest before the archive arrived: `index`, `manifest`, `operator`. Empty: nobody did.
    pub vouched: Vec<&'static str>,
    /// The provenance beside it, its hash compared with the archive's.
    pub provenance: Option<Provenance>,
    /// Why it is not known whether there is a provenance. There is a note of it, too.
    pub provenance_unknown: Option<String>,
    /// The bytes were in the cache.
    pub from_cache: bool,
    /// What the operator should know and what stopped nothing.
    pub notes: Vec<String>,
}

/// Bytes on their way to become a [`Pulled`].
#[derive(Default)]
struct Arrived {
    bytes: Vec<u8>,
    origin: String,
    manifest_digest: Option<String>,
    vouched: Vec<&'static str>,
    /// The provenance, and where it came from.
    provenance: Option<(Vec<u8>, String)>,
    provenance_unknown: Option<String>,
    from_cache: bool,
    notes: Vec<String>,
    /// Name and version that it must have inside, as far as they are known.
    expected: (Option<String>, Option<String>),
}

/// Gets charts.
#[derive(Debug, Clone)]
pub struct Fetcher {
    settings: Settings,
}

impl Fetcher {
    /// A fetcher with these settings.
    #[must_use]
    pub fn new(settings: Settings) -> Self {
        Self { settings }
    }

    /// Gets a chart.
    ///
    /// # Errors
    /// When it is not there, may not be had, or is not what it should be.
    pub async fn fetch(&self, reference: &Reference) -> Result<Pulled, FetchError> {
        self.fetch_asking(reference, &Ask::default()).await
    }

    /// Gets a chart, with wishes.
    ///
    /// # Errors
    /// When it is not there, may not be had, or is not what it should be.
    pub async fn fetch_asking(&self, reference: &Reference, ask: &Ask) -> Result<Pulled, FetchError> {
        let remote = !matches!(reference, Reference::Folder(_) | Reference::Archive(_));
        let arrived = match reference {
            Reference::Folder(path) => local::folder(path).await?,
            Reference::Archive(path) => local::archive(path, &self.settings.limits).await?,
            _ if self.settings.offline => self.recalled(reference, ask)?,
            Reference::Url(url) => chart_repository::archive(&self.settings, url).await?,
            Reference::Repository { url, name, version } => {
                chart_repository::fetch(&self.settings, url, name, version.as_deref(), ask).await?
            }
            Reference::Oci(oci) => oci::fetch(&self.settings, oci, ask).await?,
        };
        let mut pulled = checked(arrived, ask).await?;
        if remote && !self.settings.offline {
            self.keep(reference, &mut pulled);
        }
        Ok(pulled)
    }

    /// The versions that there are of a chart, as listed; of an OCI chart with nothing but their numbers.
    ///
    /// # Errors
    /// When the chart is not there or may not be seen.
    pub async fn versions(&self, reference: &Reference) -> Result<Vec<Entry>, FetchError> {
        match reference {
            Reference::Repository { url, name, .. } => chart_repository::versions(&self.settings, url, name).await,
            Reference::Oci(oci) => oci::versions(&self.settings, oci).await,
            other => {
                let why = "a folder, an archive or a URL has one version".to_owned();
                Err(ReferenceError { text: other.to_string(), why, next: "name a repository's chart".to_owned() }.into())
            }
        }
    }

    /// What the cache has for a reference, or for a digest that the operator gave.
    fn recalled(&self, reference: &Reference, ask: &Ask) -> Result<Arrived, FetchError> {
        let missing = || FetchError::Offline { reference: reference.to_string() };
        let cache = self.settings.cache.as_ref().ok_or_else(missing)?;
        let remembered = cache.recall(&key(reference));
        let digest = ask.digest.clone().or_else(|| remembered.as_ref().map(|found| found.digest.clone())).ok_or_else(missing)?;
        let held = cache.holds(&digest);
        let damaged = || FetchError::Damaged { reference: reference.to_string(), digest: digest.clone() };
        let bytes = cache.archive(&digest).ok_or_else(|| if held { damaged() } else { missing() })?;
        let remembered = remembered.filter(|found| found.digest == digest);
        let origin = remembered.as_ref().map_or_else(|| "the cache".to_owned(), |found| found.origin.clone());
        let vouched = remembered.as_ref().and_then(|found| found.vouched.as_deref()).map(vouchers);
        let notes = match vouched {
            Some(_) => Vec::new(),
            None => vec!["from the cache; who vouched for it was not recorded".to_owned()],
        };
        let vouched = vouched.unwrap_or_default();
        let (name, version) = expected(reference);
        Ok(Arrived {
            provenance: remembered.as_ref().and_then(|found| found.provenance.clone()).map(|text| (text.into_bytes(), origin.clone())),
            provenance_unknown: remembered.as_ref().and_then(|found| found.provenance_unknown.clone()),
            manifest_digest: remembered.and_then(|found| found.manifest_digest),
            bytes,
            origin,
            vouched,
            from_cache: true,
            notes,
            expected: (name, version),
        })
    }

    /// A cache that cannot be written is a pity and no failure.
    fn keep(&self, reference: &Reference, pulled: &mut Pulled) {
        let Some(cache) = &self.settings.cache else { return };
        let remembered = Remembered {
            digest: pulled.digest.clone(),
            origin: pulled.origin.clone(),
            manifest_digest: pulled.manifest_digest.clone(),
            provenance: pulled.provenance.as_ref().map(|found| found.raw.clone()),
            provenance_unknown: pulled.provenance_unknown.clone(),
            vouched: Some(pulled.vouched.iter().map(|by| (*by).to_owned()).collect()),
        };
        let kept = if pulled.from_cache { Ok(()) } else { cache.keep_archive(&pulled.digest, &pulled.bytes) };
        if let Err(error) = kept.and_then(|()| cache.remember(&key(reference), &remembered)) {
            pulled.notes.push(format!("the cache cannot be written: {error}"));
        }
    }
}

/// Those of [`Pulled::vouched`] that there are; nothing else that stands in a file becomes one.
fn vouchers(remembered: &[String]) -> Vec<&'static str> {
    ["manifest", "index", "operator"].into_iter().filter(|known| remembered.iter().any(|by| by == known)).collect()
}

/// Under what name a reference is remembered: with all of the URL, which is hashed and never shown.
fn key(reference: &Reference) -> String {
    match reference {
        Reference::Url(url) => url.to_string(),
        Reference::Repository { url, name, version } => format!("{url} {name} {}", version.as_deref().unwrap_or_default()),
        other => other.to_string(),
    }
}

/// Name and exact version that a reference names.
fn expected(reference: &Reference) -> (Option<String>, Option<String>) {
    let exact = |version: &Option<String>| version.clone().filter(|version| semver::Version::parse(pick::bare(version)).is_ok());
    match reference {
        Reference::Repository { name, version, .. } => (Some(name.clone()), exact(version)),
        Reference::Oci(oci) => (Some(oci.name().to_owned()), exact(&oci.version)),
        _ => (None, None),
    }
}

/// The rules that hold for every archive, wherever it came from.
async fn checked(arrived: Arrived, ask: &Ask) -> Result<Pulled, FetchError> {
    let origin = arrived.origin;
    // Up to 100 MiB are expanded and hashed; the runtime's threads have better to do.
    let read = tokio::task::spawn_blocking(move || (ChartArchive::read(&arrived.bytes), arrived.bytes)).await;
    let (archive, bytes) = match read {
        Ok((archive, bytes)) => (archive, bytes),
        Err(_) => {
            return Err(FetchError::WrongContent { url: origin, expected: "a chart archive", reason: "it cannot be read".to_owned() });
        }
    };
    let mut vouched = arrived.vouched;
    if let Some(expected) = &ask.digest {
        let got = digest_hex(&bytes);
        same_digest("chart", &origin, "--digest", expected, &got)?;
        if !vouched.contains(&"operator") {
            vouched.push("operator");
        }
    }
    let archive = match archive {
        Ok(archive) => archive,
        Err(source) => match index::looks_like(&bytes) {
            Some(what) => {
                return Err(FetchError::WrongContent { url: origin, expected: "a chart archive", reason: format!("it is {what}") });
            }
            None => return Err(FetchError::Archive { origin, source }),
        },
    };
    let (name, version) = (&archive.metadata.name, &archive.metadata.version);
    let same_version = |expected: &String| pick::pick(&[version], Some(expected), true).is_ok();
    let fits = arrived.expected.0.as_ref().is_none_or(|expected| expected == name);
    if !fits || !arrived.expected.1.as_ref().is_none_or(same_version) {
        let words = |name: Option<String>, version: Option<String>| [name, version].into_iter().flatten().collect::<Vec<_>>().join(" ");
        let expected = words(arrived.expected.0, arrived.expected.1);
        return Err(FetchError::WrongChart { origin, expected, got: words(Some(name.clone()), Some(version.clone())) });
    }
    let provenance = match arrived.provenance {
        Some((text, url)) => {
            let file = url.split('?').next().and_then(|path| path.rsplit('/').next()).map(|file| file.trim_end_matches(".prov"));
            let subject = provenance::Subject { name, version, digest: &archive.digest, file };
            let read = provenance::read(&text, &subject);
            Some(read.map_err(|reason| FetchError::Provenance { url: url.clone(), reason })?)
        }
        None => None,
    };
    let unknown = arrived.provenance_unknown.as_ref().map(|why| format!("it is not known whether there is a provenance: {why}"));
    Ok(Pulled {
        digest: archive.digest.clone(),
        bytes,
        archive,
        origin,
        manifest_digest: arrived.manifest_digest,
        vouched,
        provenance,
        provenance_unknown: arrived.provenance_unknown,
        from_cache: arrived.from_cache,
        notes: arrived.notes.into_iter().chain(unknown).collect(),
    })
}

fn same_digest(what: &'static str, url: &str, said_by: &'static str, expected: &str, got: &str) -> Result<(), FetchError> {
    if expected == got {
        return Ok(());
    }
    let full = |hex: &str| format!("sha256:{hex}");
    Err(FetchError::Digest { what, url: url.to_owned(), said_by, expected: full(expected), got: full(got) })
}
