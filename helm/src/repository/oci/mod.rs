//! OCI registries.
//!
//! Spoken to directly and not through the `oci-client` crate, whose 0.18 cannot keep three of our rules: it sends user and
//! password to whatever realm a registry names, it reads manifests, tokens and refusals without a limit, and its HTTP client
//! follows ten redirects, to plain http too, without being asked about any. What is needed here is three GETs.

mod auth;
mod manifest;
mod tags;

use super::error::FetchError;
use super::http::Session;
use super::index::Entry;
use super::pick::{self, pick};
use super::reference::OciReference;
use super::{Arrived, Ask, Settings, same_digest};
use crate::archive::digest_hex;
use auth::Registry;
use manifest::{Layer, Manifest};
use reqwest::Url;

/// Gets a chart.
pub(super) async fn fetch(settings: &Settings, reference: &OciReference, ask: &Ask) -> Result<Arrived, FetchError> {
    let base = base(settings, reference)?;
    let session = Session::open(settings, &base)?;
    let registry = Registry::new(&session, &base, reference);
    let exact = reference.version.as_deref().filter(|version| semver::Version::parse(pick::bare(version)).is_ok());
    let (name, expected_version) = match (&reference.digest, exact) {
        // A digest says which; the tag beside it says what version must be inside.
        (Some(digest), version) => (digest.clone(), version.map(str::to_owned)),
        (None, Some(version)) => (tag(version), Some(version.to_owned())),
        (None, None) => {
            let version = chosen(&registry, reference, ask).await.map_err(|error| match error {
                FetchError::NotFound { .. } => unknown(reference),
                error => error,
            })?;
            (tag(&version), Some(version))
        }
    };
    let (manifest, manifest_digest) = match read_manifest(&registry, reference, &name).await {
        Err(FetchError::NotFound { .. }) if reference.digest.is_none() => return Err(missing(&registry, reference, ask).await),
        other => other?,
    };
    let cached = settings.cache.as_ref().and_then(|cache| cache.archive(&manifest.chart.digest));
    let from_cache = cached.is_some();
    let bytes = match cached {
        Some(bytes) => bytes,
        None => blob(&registry, "chart archive", &manifest.chart, settings.limits.archive).await?,
    };
    let origin = OciReference { digest: Some(manifest_digest.clone()), version: expected_version.clone(), ..reference.clone() };
    let provenance = match &manifest.provenance {
        Some(layer) => Some((blob(&registry, "provenance", layer, settings.limits.provenance).await?, origin.to_string())),
        None => None,
    };
    Ok(Arrived {
        bytes,
        origin: origin.to_string(),
        manifest_digest: Some(manifest_digest),
        vouched: vec!["manifest"],
        provenance,
        from_cache,
        expected: (Some(reference.name().to_owned()), expected_version),
        ..Arrived::default()
    })
}

/// The versions that a registry has of a chart. Tags that are no versions are left out.
pub(super) async fn versions(settings: &Settings, reference: &OciReference) -> Result<Vec<Entry>, FetchError> {
    let base = base(settings, reference)?;
    let session = Session::open(settings, &base)?;
    let tags = tags::all(&Registry::new(&session, &base, reference)).await?;
    Ok(tags.into_iter().map(|version| Entry { version, ..Entry::default() }).collect())
}

/// Where the registry's API is: https, except where the configuration or a flag says otherwise.
fn base(settings: &Settings, reference: &OciReference) -> Result<Url, FetchError> {
    // Docker's own registry has another name for its API.
    let host = super::credentials::docker_host(&reference.registry);
    let at = |scheme: &str| {
        let url = Url::parse(&format!("{scheme}://{host}/v2/{}/", reference.repository));
        url.map_err(|error| FetchError::NotAChart { reference: reference.to_string(), reason: error.to_string() })
    };
    let plain = at("http")?;
    if settings.keyring.access(&plain).is_some_and(|access| access.plain_http) {
        return Ok(plain);
    }
    at("https")
}

/// A tag cannot hold a `+`; Helm writes `_` in its place.
fn tag(version: &str) -> String {
    version.replace('+', "_")
}

async fn chosen(registry: &Registry<'_>, reference: &OciReference, ask: &Ask) -> Result<String, FetchError> {
    let tags = tags::all(registry).await?;
    let versions: Vec<&str> = tags.iter().map(String::as_str).collect();
    let wanted = reference.version.as_deref();
    match pick(&versions, wanted, ask.devel) {
        Ok(at) => Ok(versions[at].to_owned()),
        Err(why) => Err(why.refusal(&reference.registry, &reference.repository, wanted)),
    }
}

fn unknown(reference: &OciReference) -> FetchError {
    FetchError::UnknownChart { repository: reference.registry.clone(), name: reference.repository.clone(), near: Vec::new() }
}

/// Why there is no manifest: which tags there are says what was meant.
async fn missing(registry: &Registry<'_>, reference: &OciReference, ask: &Ask) -> FetchError {
    match chosen(registry, reference, ask).await {
        Err(FetchError::NotFound { .. }) => unknown(reference),
        // There is no manifest, whatever the rest of the list would say.
        Err(FetchError::EndlessTags { .. }) => {
            let none = pick::NotPicked::None { near: Vec::new(), latest: None };
            none.refusal(&reference.registry, &reference.repository, reference.version.as_deref())
        }
        Err(error) => error,
        // The tag is listed, and its manifest is gone.
        Ok(_) => FetchError::NotFound { what: "manifest", url: reference.to_string() },
    }
}

async fn read_manifest(registry: &Registry<'_>, reference: &OciReference, name: &str) -> Result<(Manifest, String), FetchError> {
    let url = registry.url(&format!("manifests/{name}"))?;
    let limit = registry.settings().limits.manifest;
    let answer = registry.get(&url, "manifest", limit, Some(manifest::ACCEPT)).await?.ok("manifest")?;
    let digest = format!("sha256:{}", digest_hex(&answer.body));
    let asked = name.starts_with("sha256:").then_some((name, "the reference"));
    // Registries that compute other digests exist; only ours can be compared.
    let said = answer.header("docker-content-digest").filter(|said| said.starts_with("sha256:")).map(|said| (said, "the registry"));
    for (expected, said_by) in asked.into_iter().chain(said) {
        if expected != digest {
            let (expected, got) = (expected.to_owned(), digest);
            return Err(FetchError::Digest { what: "manifest", url: reference.to_string(), said_by, expected, got });
        }
    }
    Ok((Manifest::read(&answer.body, reference)?, digest))
}

async fn blob(registry: &Registry<'_>, what: &'static str, layer: &Layer, limit: u64) -> Result<Vec<u8>, FetchError> {
    let url = registry.url(&format!("blobs/sha256:{}", layer.digest))?;
    if layer.size > limit {
        return Err(FetchError::TooLarge { what, url: url.to_string(), limit });
    }
    let answer = registry.get(&url, what, limit, None).await?.ok(what)?;
    same_digest(what, url.as_str(), "the manifest", &layer.digest, &digest_hex(&answer.body))?;
    Ok(answer.body)
}
