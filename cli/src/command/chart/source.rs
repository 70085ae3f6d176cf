//! Where a chart comes from: a folder, an archive, a repository or registry, or the server.

use super::cluster;
use super::fetch::{FetchArgs, Fetching};
use super::progress::{Shown, watched};
use crate::client::{Client, segment};
use crate::command::{connect, environment};
use crate::config::Flags;
use crate::error::{Failure, Result, chain};
use crate::output::{Output, clean};
use groundswell_api::dto::{ChartBrief, ChartDto, Object};
use groundswell_change::input::ChartSource;
use groundswell_helm::archive::{ChartArchive, Limits};
use groundswell_helm::pack;
use groundswell_helm::preview::PreviewChart;
use groundswell_helm::repository::{OciReference, Reference, Url, shown};
use std::io::Read as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// What is larger is no chart archive, either.
pub(crate) const MAX_ARCHIVE: u64 = Limits::DEFAULT.compressed;

/// Who has the chart.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Place {
    /// This machine.
    Local(PathBuf),
    /// A repository or registry.
    Remote(String),
    /// The server.
    Server(String),
}

impl Place {
    /// What a name means. The rule stands in `chart diff --help`; it must stay as simple as that.
    pub(crate) fn of(name: &str, repo: Option<&str>) -> Self {
        let is_remote = ["oci://", "http://", "https://"].iter().any(|scheme| name.starts_with(scheme));
        if is_remote || repo.is_some() {
            return Self::Remote(name.to_owned());
        }
        let is_path = ["./", "../", "/", "~/"].iter().any(|start| name.starts_with(start)) || matches!(name, "." | "..");
        if is_path || name.ends_with(".tgz") || name.ends_with(".tar.gz") || Path::new(name).exists() {
            return Self::Local(name.into());
        }
        // REPO/NAME of the configuration: no chart of the server has a slash.
        if name.contains('/') {
            return Self::Remote(name.to_owned());
        }
        Self::Server(name.strip_prefix("sha256:").unwrap_or(name).to_owned())
    }
}

/// A chart at hand.
#[derive(Debug, Clone)]
pub(crate) struct Loaded {
    /// The archive; of a folder, its reproducible packing.
    pub(crate) bytes: Arc<[u8]>,
    /// The same, read and checked.
    pub(crate) archive: ChartArchive,
    /// Where from, where helm can take it from there too.
    pub(crate) from: Option<ChartSource>,
}

impl Loaded {
    /// The same for a preview.
    pub(crate) fn preview(&self) -> PreviewChart<'_> {
        PreviewChart { archive: &self.archive, bytes: &self.bytes }
    }

    /// An archive that came from somewhere.
    pub(crate) fn read(name: &str, bytes: Vec<u8>) -> Result<Self> {
        let archive = ChartArchive::read(&bytes)
            .map_err(|error| Failure::error(format!("{name} is no chart that can be used"), chain(&error), ""))?;
        Ok(Self { bytes: bytes.into(), archive, from: None })
    }
}

/// Brings a chart here, from wherever it is.
pub(crate) async fn load(name: &str, fetch: &FetchArgs, flags: &Flags, out: &mut Output) -> Result<Loaded> {
    let loaded = match Place::of(name, fetch.repo.as_deref()) {
        Place::Local(path) => Loaded { from: Some(ChartSource::Path(name.to_owned())), ..local(path).await? },
        // Whoever fetches holds it against the digest before it reads a byte of the chart.
        Place::Remote(name) => return remote(&name, fetch, out).await,
        Place::Server(name) => of_server(&name, &connect(flags).map_err(|failure| neither(&name, failure))?).await?,
    };
    match fetch.digest.as_deref().filter(|wanted| *wanted != loaded.archive.digest) {
        Some(wanted) => Err(other_digest(name, wanted, &loaded.archive.digest)),
        None => Ok(loaded),
    }
}

fn other_digest(name: &str, wanted: &str, has: &str) -> Failure {
    let (what, why) = (format!("{name} is not the archive that --digest names"), format!("it has sha256:{has}, wanted is sha256:{wanted}"));
    // Whoever packed it has another digest than we have for the same folder.
    let next = if Path::new(name).is_dir() { "a folder has the digest of our packing of it: name the .tgz" } else { "" };
    Failure::error(what, why, next)
}

/// Somebody who names a file that is not there should not only hear of servers.
pub(super) fn neither(name: &str, mut failure: Failure) -> Failure {
    if let Some(error) = failure.errors.first_mut() {
        error.why = format!(
            "{name:?} is no file or folder here, and so a chart of the server; {}",
            if error.why.is_empty() { &error.what } else { &error.why }
        );
        error.what = format!("there is no chart {name}");
        error.next = format!("write ./{name} for a path, or {}", error.next);
    }
    failure
}

/// A chart of a repository or registry.
pub(crate) async fn remote(name: &str, fetch: &FetchArgs, out: &mut Output) -> Result<Loaded> {
    let shown = Arc::new(Shown::default());
    let fetching = Fetching::prepare(name, None, fetch, environment, Arc::clone(&shown) as Arc<_>)?;
    let pulled = watched(fetching.fetch(), &shown, out).await?;
    for note in &pulled.notes {
        out.note(&format!("note: {}", clean(note)))?;
    }
    Ok(Loaded { bytes: pulled.bytes.into(), archive: pulled.archive, from: for_helm(&fetching.reference) })
}

/// The place in helm's words; none for an address with a password or token in it.
fn for_helm(reference: &Reference) -> Option<ChartSource> {
    let open = |url: &Url| Some(shown(url)).filter(|shown| shown == url.as_str());
    match reference {
        Reference::Folder(path) | Reference::Archive(path) => Some(ChartSource::Path(path.display().to_string())),
        Reference::Oci(oci) => Some(ChartSource::Oci(OciReference { version: None, ..oci.clone() }.to_string())),
        Reference::Url(url) => open(url).map(ChartSource::Url),
        Reference::Repository { url, name, .. } => open(url).map(|url| ChartSource::Repository { url, name: name.clone() }),
    }
}

async fn of_server(name: &str, client: &Client) -> Result<Loaded> {
    let chart = client.get::<Object<ChartDto>>(&format!("/v1/charts/{}", segment(name)), &[]).await?.body.body;
    let bytes = cluster::archive(client, &ChartBrief { name: chart.name, version: chart.version, digest: chart.digest }).await?;
    Loaded::read(name, bytes)
}

/// A folder or archive of this machine.
pub(crate) async fn local(path: PathBuf) -> Result<Loaded> {
    let lost = |error: tokio::task::JoinError| Failure::error("the chart could not be read", error, "");
    tokio::task::spawn_blocking(move || read_local(&path)).await.map_err(lost)?
}

fn read_local(path: &Path) -> Result<Loaded> {
    let shown = path.display().to_string();
    let refuse = |why: String, next: &str| Failure::error(format!("cannot read chart {shown}"), why, next);
    if path.is_dir() {
        let packed = pack::pack(path).map_err(|error| refuse(chain(&error), ""))?;
        return Ok(Loaded { bytes: packed.bytes.into(), archive: packed.archive, from: None });
    }
    let next = if path.exists() { "" } else { "name a chart folder or .tgz that is here; oci://, REPO/NAME and --repo fetch one" };
    let bytes = archive_file(path).map_err(|why| refuse(why, next))?;
    Loaded::read(&shown, bytes)
}

/// The bytes of an archive on this machine, or why not. A device never ends, and a pipe is there once.
pub(crate) fn archive_file(path: &Path) -> std::result::Result<Vec<u8>, String> {
    let words = |error: std::io::Error| error.to_string();
    if !std::fs::metadata(path).map_err(words)?.is_file() {
        return Err("it is neither a file nor a folder".to_owned());
    }
    let mut bytes = Vec::new();
    // What counts is what comes: a file can grow, and some of /proc say that they are empty.
    std::fs::File::open(path).map_err(words)?.take(MAX_ARCHIVE + 1).read_to_end(&mut bytes).map_err(words)?;
    if bytes.len() as u64 > MAX_ARCHIVE {
        return Err(format!("it has more than {MAX_ARCHIVE} bytes"));
    }
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_a_path_a_url_or_the_servers() {
        let folder = env!("CARGO_MANIFEST_DIR");
        for (name, place) in [
            ("./beacon", Place::Local("./beacon".into())),
            ("..", Place::Local("..".into())),
            ("beacon-1.0.0.tgz", Place::Local("beacon-1.0.0.tgz".into())),
            (folder, Place::Local(folder.into())),
            ("oci://h/beacon:1", Place::Remote("oci://h/beacon:1".into())),
            ("https://h/beacon-1.tgz", Place::Remote("https://h/beacon-1.tgz".into())),
            ("prom/beacon:1.0.0", Place::Remote("prom/beacon:1.0.0".into())),
            ("beacon:1.0.0", Place::Server("beacon:1.0.0".into())),
            ("sha256:0123456789", Place::Server("0123456789".into())),
        ] {
            assert_eq!(Place::of(name, None), place);
        }
        assert_eq!(Place::of("beacon:1", Some("https://h")), Place::Remote("beacon:1".into()));
    }

    #[test]
    fn what_is_no_chart_is_refused_with_its_reason() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("x.tgz");
        std::fs::write(&file, "no archive").unwrap();
        let large = folder.path().join("large.tgz");
        std::fs::File::create(&large).unwrap().set_len(MAX_ARCHIVE + 1).unwrap();
        for (path, why) in [
            (folder.path().join("none"), "No such file"),
            (folder.path().to_owned(), "Chart.yaml"),
            (file, ""),
            (large, "more than"),
            ("/dev/zero".into(), "neither a file nor a folder"),
        ] {
            let failure = read_local(&path).unwrap_err();
            let error = &failure.errors[0];
            assert!(error.what.contains(&path.display().to_string()) && error.why.contains(why), "{error:?}");
        }
    }
}
