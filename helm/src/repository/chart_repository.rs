//! HTTP repositories: an `index.yaml`, and archives wherever it says.

use super::error::FetchError;
use super::http::{Session, Want};
use super::index::{self, Entry, Found};
use super::oci;
use super::origin::shown;
use super::pick::{bare, pick, similar};
use super::reference::{Naming, Reference, is_digest};
use super::{Arrived, Ask, Settings, same_digest};
use crate::archive::digest_hex;
use reqwest::header::ETAG;
use reqwest::{StatusCode, Url};
use std::collections::BTreeMap;

/// Gets a chart by name.
pub(super) async fn fetch(settings: &Settings, url: &Url, name: &str, wanted: Option<&str>, ask: &Ask) -> Result<Arrived, FetchError> {
    let session = Session::open(settings, url)?;
    let repository = shown(url);
    let mut notes = Vec::new();
    let found = listed(&session, url, name, &mut notes).await?;
    let versions: Vec<&str> = found.iter().map(|entry| entry.version.as_str()).collect();
    let at = pick(&versions, wanted, ask.devel).map_err(|why| why.refusal(&repository, name, wanted))?;
    let entry = &found[at];
    if entry.deprecated {
        notes.push(format!("{name} {} is marked as deprecated by its maintainers", entry.version));
    }
    let digest = digest_of(entry, &repository)?;
    let twin = |other: &Entry| bare(&other.version) == bare(&entry.version) && digest_of(other, &repository).ok() != Some(digest.clone());
    if found.iter().any(twin) {
        notes.push(format!("the index lists {name} {} more than once, with other digests: the first is taken", entry.version));
    }
    let expected = (Some(name.to_owned()), Some(entry.version.clone()));
    let target = target(url, entry, &repository)?;
    if digest.is_none()
        && let Target::Http(target) = &target
    {
        notes.push(format!("the index names no digest, so {}", session.only_voucher(&[url, target])));
    }
    let arrived = match target {
        // Some repositories keep their archives in a registry and are nothing but an index.
        Target::Oci(reference) => oci::fetch(settings, &reference, &Ask::default()).await?,
        Target::Http(target) => download(&session, &target, digest.as_deref()).await?,
    };
    let mut vouched = arrived.vouched;
    if let Some(digest) = &digest {
        same_digest("chart", &arrived.origin, "the index", digest, &digest_hex(&arrived.bytes))?;
        vouched.push("index");
    }
    notes.extend(arrived.notes);
    Ok(Arrived { expected, notes, vouched, ..arrived })
}

/// Gets an archive by its URL.
pub(super) async fn archive(settings: &Settings, url: &Url) -> Result<Arrived, FetchError> {
    let session = Session::open(settings, url)?;
    let mut arrived = download(&session, url, None).await?;
    arrived.notes.push(format!("nobody named a digest beforehand, so {}; --digest would", session.only_voucher(&[url])));
    Ok(arrived)
}

/// All versions of a chart.
pub(super) async fn versions(settings: &Settings, url: &Url, name: &str) -> Result<Vec<Entry>, FetchError> {
    listed(&Session::open(settings, url)?, url, name, &mut Vec::new()).await
}

async fn listed(session: &Session<'_>, url: &Url, name: &str, notes: &mut Vec<String>) -> Result<Vec<Entry>, FetchError> {
    let Found { entries, names, .. } = read_index(session, url, name, notes).await?;
    if entries.is_empty() {
        let near = similar(&names, name);
        return Err(FetchError::UnknownChart { repository: shown(url), name: name.to_owned(), near });
    }
    Ok(entries)
}

/// The index, from the cache where the server says that it is still the same.
async fn read_index(session: &Session<'_>, url: &Url, name: &str, notes: &mut Vec<String>) -> Result<Found, FetchError> {
    let settings = session.settings();
    let target = below(url, "index.yaml").map_err(|reason| wrong_index(url, reason))?;
    let cached = settings.cache.as_ref().and_then(|cache| cache.index(target.as_str()));
    let mut want = Want::new("index", settings.limits.index);
    want.etag = cached.as_ref().map(|(etag, _)| etag.as_str());
    let answer = session.get(&target, &want).await?;
    let from = shown(&answer.url);
    let bytes = match cached {
        Some((_, bytes)) if answer.status == StatusCode::NOT_MODIFIED => bytes,
        _ => {
            let answer = answer.ok("index.yaml")?;
            let etag = answer.header(ETAG).map(str::to_owned);
            if let (Some(cache), Some(etag)) = (&settings.cache, etag)
                && let Err(error) = cache.keep_index(target.as_str(), &etag, &answer.body)
            {
                notes.push(format!("the cache cannot be written: {error}"));
            }
            answer.body
        }
    };
    // Tens of megabytes of YAML take a second.
    settings.progress.reading("index");
    let (name, limits) = (name.to_owned(), settings.limits.clone());
    let read = tokio::task::spawn_blocking(move || index::read(&bytes, &name, &from, &limits)).await;
    read.map_err(|error| wrong_index(url, error.to_string()))?
}

fn wrong_index(url: &Url, reason: String) -> FetchError {
    FetchError::WrongContent { url: shown(url), expected: "a repository index", reason }
}

/// The digest of an entry in lower-case hex. One that is there and cannot be read is not taken for none.
fn digest_of(entry: &Entry, repository: &str) -> Result<Option<String>, FetchError> {
    let Some(digest) = entry.digest.as_deref().map(str::trim).filter(|digest| !digest.is_empty()) else { return Ok(None) };
    let hex = digest.strip_prefix("sha256:").unwrap_or(digest).to_ascii_lowercase();
    if is_digest(&format!("sha256:{hex}")) {
        return Ok(Some(hex));
    }
    let shown: String = digest.chars().filter(|c| !c.is_control()).take(80).collect();
    let reason = format!("the digest {shown:?} of {} is not SHA-256", entry.version);
    Err(FetchError::BadEntry { repository: repository.to_owned(), reason })
}

enum Target {
    Http(Url),
    Oci(super::OciReference),
}

/// Where the archive of an entry is. Only the first URL counts, as with Helm: another one would be another archive.
fn target(repository: &Url, entry: &Entry, shown_repository: &str) -> Result<Target, FetchError> {
    let wrong = |reason: String| {
        let reason = format!("the URL of {} {reason}", entry.version);
        FetchError::BadEntry { repository: shown_repository.to_owned(), reason }
    };
    let text = entry.urls.first().ok_or_else(|| wrong("is missing".to_owned()))?;
    if text.starts_with("oci://") {
        let naming = Naming { repo: None, version: None, known: &BTreeMap::new() };
        return match Reference::parse(text, naming)? {
            Reference::Oci(oci) => Ok(Target::Oci(oci)),
            _ => Err(wrong("names no chart".to_owned())),
        };
    }
    let url = match Url::parse(text) {
        Ok(url) => url,
        Err(_) => below(repository, text).map_err(wrong)?,
    };
    if !matches!(url.scheme(), "http" | "https") {
        return Err(wrong(format!("is {}:, and only https is fetched", url.scheme())));
    }
    if !url.username().is_empty() || url.password().is_some() {
        return Err(wrong("carries a user and password".to_owned()));
    }
    if repository.scheme() == "https" && url.scheme() == "http" {
        return Err(wrong("is plain http, where anybody on the way could change the chart".to_owned()));
    }
    Ok(Target::Http(url))
}

/// A path below a repository's URL; what stands after its `?` is kept, because some put a token there.
fn below(repository: &Url, path: &str) -> Result<Url, String> {
    let mut base = repository.clone();
    let query = base.query().map(str::to_owned);
    if !base.path().ends_with('/') {
        base.set_path(&format!("{}/", repository.path()));
    }
    let mut url = base.join(path).map_err(|error| error.to_string())?;
    if url.query().is_none() && url.host() == repository.host() && url.port_or_known_default() == repository.port_or_known_default() {
        url.set_query(query.as_deref());
    }
    Ok(url)
}

async fn download(session: &Session<'_>, url: &Url, digest: Option<&str>) -> Result<Arrived, FetchError> {
    let settings = session.settings();
    let cached = digest.and_then(|digest| settings.cache.as_ref()?.archive(digest));
    let from_cache = cached.is_some();
    let (bytes, origin) = match cached {
        Some(bytes) => (bytes, shown(url)),
        None => {
            let answer = session.get(url, &Want::new("chart archive", settings.limits.archive)).await?.ok("chart archive")?;
            let origin = shown(&answer.url);
            (answer.body, origin)
        }
    };
    let mut arrived = Arrived { bytes, origin, from_cache, ..Arrived::default() };
    provenance(session, url, &mut arrived).await?;
    Ok(arrived)
}

/// The `.prov` beside an archive. Only a server that says so has none: of all others it is not known.
async fn provenance(session: &Session<'_>, archive: &Url, arrived: &mut Arrived) -> Result<(), FetchError> {
    let mut url = archive.clone();
    url.set_path(&format!("{}.prov", archive.path()));
    let asked = session.get(&url, &Want::new("provenance", session.settings().limits.provenance)).await;
    match asked.and_then(|answer| answer.ok("provenance")) {
        Ok(answer) => match index::looks_like(&answer.body) {
            Some(what) => {
                let note = format!("what is at {} is no provenance but {what}: it counts as none", shown(&answer.url));
                arrived.notes.push(note);
            }
            None => arrived.provenance = Some((answer.body, shown(&answer.url))),
        },
        Err(FetchError::NotFound { .. }) => {}
        Err(error @ (FetchError::TooLarge { .. } | FetchError::Inside { .. })) => return Err(error),
        Err(error) => {
            let storage = if error.is_denied() { "; some storage answers so for what is not there" } else { "" };
            arrived.provenance_unknown = Some(format!("{error}{storage}"));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn url_of(repository: &str, url: &str) -> Result<String, String> {
        let entry = Entry { version: "1.0.0".into(), digest: None, urls: vec![url.into()], app_version: None, deprecated: false };
        match target(&Url::parse(repository).unwrap(), &entry, "R") {
            Ok(Target::Http(url)) => Ok(url.to_string()),
            Ok(Target::Oci(oci)) => Ok(oci.to_string()),
            Err(error) => Err(error.to_string()),
        }
    }

    #[test]
    fn archives_are_where_the_index_says() {
        for (repository, url, expected) in [
            ("https://c.example/charts", "a-1.0.0.tgz", "https://c.example/charts/a-1.0.0.tgz"),
            ("https://c.example/charts/", "a-1.0.0.tgz", "https://c.example/charts/a-1.0.0.tgz"),
            ("https://c.example/charts", "sub/a-1.0.0+b.tgz", "https://c.example/charts/sub/a-1.0.0+b.tgz"),
            ("https://c.example/charts", "/files/a.tgz", "https://c.example/files/a.tgz"),
            ("https://c.example/charts?t=1", "a.tgz", "https://c.example/charts/a.tgz?t=1"),
            ("https://c.example/charts?t=1", "https://d.example/a.tgz", "https://d.example/a.tgz"),
            ("https://c.example/charts?t=1", "//d.example/a.tgz", "https://d.example/a.tgz"),
            ("https://c.example/charts", "oci://r.example/charts/a:1.0.0", "oci://r.example/charts/a:1.0.0"),
        ] {
            assert_eq!(url_of(repository, url), Ok(expected.to_owned()), "{url}");
        }
        for (url, said) in [
            ("http://c.example/a.tgz", "plain http"),
            ("file:///etc/passwd", "only https"),
            ("https://me:hunter2@c.example/a.tgz", "user and password"),
        ] {
            let error = url_of("https://c.example/charts", url).unwrap_err();
            assert!(error.contains(said) && !error.contains("hunter2"), "{error}");
        }
    }

    #[test]
    fn a_digest_that_cannot_be_read_is_not_taken_for_none() {
        let entry = |digest: &str| Entry { digest: Some(digest.into()), ..Entry::default() };
        let hex = "AB".repeat(32);
        assert_eq!(digest_of(&entry(&hex), "R").unwrap(), Some(hex.to_lowercase()));
        assert_eq!(digest_of(&entry(&format!("sha256:{hex}")), "R").unwrap(), Some(hex.to_lowercase()));
        assert_eq!(digest_of(&entry(" "), "R").unwrap(), None);
        for bad in ["abc", "md5:0123", "sha256:"] {
            assert!(digest_of(&entry(bad), "R").is_err(), "{bad}");
        }
    }
}
