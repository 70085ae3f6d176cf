//! What a person types to name a chart.

use super::origin::shown;
use reqwest::Url;
use std::collections::BTreeMap;
use std::fmt;
use std::path::{Path, PathBuf};

/// Where a chart is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Reference {
    /// A chart folder.
    Folder(PathBuf),
    /// A .tgz on disk.
    Archive(PathBuf),
    /// A .tgz at a URL.
    Url(Url),
    /// A chart in an OCI registry.
    Oci(OciReference),
    /// A chart of an HTTP repository, found through its index.
    Repository {
        /// URL of the repository, without `index.yaml`.
        url: Url,
        /// Name of the chart.
        name: String,
        /// Exact version or range; the newest release where it is absent.
        version: Option<String>,
    },
}

/// `oci://registry/repository[:tag][@digest]`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OciReference {
    /// Host, with its port where one was given.
    pub registry: String,
    /// Path of the chart, its name last.
    pub repository: String,
    /// Exact version or range, as a version: a tag's `_` is a version's `+`.
    pub version: Option<String>,
    /// `sha256:` and 64 hex digits, of the manifest.
    pub digest: Option<String>,
}

impl OciReference {
    /// Last part of the path, which is the chart's name.
    #[must_use]
    pub fn name(&self) -> &str {
        self.repository.rsplit('/').next().unwrap_or(&self.repository)
    }
}

/// What a name may refer to.
#[derive(Debug, Clone, Copy)]
pub struct Naming<'a> {
    /// `--repo`.
    pub repo: Option<&'a str>,
    /// `--version`.
    pub version: Option<&'a str>,
    /// Repositories of the configuration by name. Their URLs may be `oci://` ones.
    pub known: &'a BTreeMap<String, String>,
}

/// Why a text names no chart.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{text:?} names no chart: {why}")]
pub struct ReferenceError {
    /// What was typed; what may be a password in it is left out.
    pub text: String,
    /// What is wrong with it.
    pub why: String,
    /// What to write instead.
    pub next: String,
}

const FORMS: &str = "write a folder (./chart), a .tgz, oci://HOST/PATH/CHART[:VERSION], https://HOST/PATH/CHART-VERSION.tgz, NAME with --repo URL, or REPO/NAME with REPO from the configuration";

impl Reference {
    /// Reads what a person typed. Looks at the disk only to tell a folder's name from a chart's.
    ///
    /// # Errors
    /// When it names no chart, or names two.
    pub fn parse(text: &str, naming: Naming<'_>) -> Result<Self, ReferenceError> {
        let refuse = |why: String, next: &str| Err(ReferenceError { text: without_password(text), why, next: next.to_owned() });
        if text.is_empty() || text.chars().any(|c| c.is_control() || c.is_whitespace()) {
            return refuse("it is empty or has blanks in it".into(), FORMS);
        }
        if let Some(version) = naming.version.filter(|version| version.trim().is_empty() || version.chars().any(char::is_control)) {
            return refuse(format!("its version {version:?} is empty"), "leave --version away for the newest release");
        }
        if let Some((scheme, _)) = text.split_once("://") {
            if naming.repo.is_some() {
                return refuse("with --repo, the name alone is expected".into(), "leave --repo away, or write NAME --repo URL");
            }
            return match scheme {
                "oci" => oci(text, naming.version).map(Self::Oci),
                "http" | "https" => archive_url(text, naming.version),
                _ => refuse(format!("{scheme}:// is not a way in which charts are fetched"), FORMS),
            };
        }
        if let Some(repo) = naming.repo {
            return in_repository(repo, text, naming.version);
        }
        let path = Path::new(text);
        let is_path = text.starts_with(['.', '/', '~']) || ends_with_tgz(text);
        let known = text.split_once('/').and_then(|(repo, name)| Some((naming.known.get(repo)?, name)));
        match known {
            Some(_) if !is_path && path.join("Chart.yaml").is_file() => {
                refuse("it is both a chart of a configured repository and a folder here".into(), &format!("write ./{text} for the folder"))
            }
            Some((url, name)) if !is_path => in_repository(url, name, naming.version),
            _ if (is_path || path.is_dir()) && naming.version.is_some() => {
                refuse("what is here has the version that it has".into(), "leave --version away, or name a repository's chart")
            }
            _ if ends_with_tgz(text) => Ok(Self::Archive(path.to_owned())),
            _ if is_path || path.is_dir() => Ok(Self::Folder(path.to_owned())),
            _ => refuse(unknown(text, naming.known), FORMS),
        }
    }

    /// The same chart in another version.
    #[must_use]
    pub fn at_version(&self, wanted: &str) -> Option<Self> {
        match self {
            Self::Repository { url, name, .. } => {
                Some(Self::Repository { url: url.clone(), name: name.clone(), version: Some(wanted.to_owned()) })
            }
            Self::Oci(oci) => Some(Self::Oci(OciReference { version: Some(wanted.to_owned()), digest: None, ..oci.clone() })),
            _ => None,
        }
    }
}

impl fmt::Display for Reference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Folder(path) | Self::Archive(path) => write!(f, "{}", path.display()),
            Self::Url(url) => f.write_str(&shown(url)),
            Self::Oci(oci) => oci.fmt(f),
            Self::Repository { url, name, version } => {
                write!(f, "{name}{} of {}", version.as_deref().map(|v| format!(":{v}")).unwrap_or_default(), shown(url))
            }
        }
    }
}

impl fmt::Display for OciReference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "oci://{}/{}", self.registry, self.repository)?;
        if let Some(version) = &self.version {
            write!(f, ":{version}")?;
        }
        if let Some(digest) = &self.digest {
            write!(f, "@{digest}")?;
        }
        Ok(())
    }
}

fn unknown(text: &str, known: &BTreeMap<String, String>) -> String {
    match text.split_once('/') {
        Some((repo, _)) if known.is_empty() => format!("there is no folder of that name, and no repository {repo:?} is configured"),
        Some((repo, _)) => {
            let names: Vec<&str> = known.keys().map(String::as_str).collect();
            format!("there is no folder of that name, and no repository {repo:?}: configured are {}", names.join(", "))
        }
        None => "there is no folder of that name, and it does not say in which repository to look".to_owned(),
    }
}

fn ends_with_tgz(text: &str) -> bool {
    text.ends_with(".tgz") || text.ends_with(".tar.gz")
}

/// The URL of a repository, as written in `--repo` and the configuration.
///
/// # Errors
/// When it is none, or has a user or password in it.
pub fn repository_url(text: &str) -> Result<Url, ReferenceError> {
    let refuse = |why: &str, next: &str| ReferenceError { text: without_password(text), why: why.to_owned(), next: next.to_owned() };
    let url = Url::parse(text).map_err(|error| refuse(&error.to_string(), "write https://HOST/PATH"))?;
    if !url.username().is_empty() || url.password().is_some() {
        return Err(refuse("it has a user or password in it", "use --username with --password-file, or the configuration"));
    }
    if !matches!(url.scheme(), "http" | "https") || url.host_str().is_none() {
        return Err(refuse("it is neither https:// nor oci://", "write https://HOST/PATH or oci://HOST/PATH"));
    }
    if url.fragment().is_some() {
        return Err(refuse("it has a # in it", "write https://HOST/PATH"));
    }
    Ok(url)
}

fn in_repository(repo: &str, text: &str, version: Option<&str>) -> Result<Reference, ReferenceError> {
    let refuse = |why: String, next: &str| ReferenceError { text: without_password(text), why, next: next.to_owned() };
    let (name, tag) = text.split_once(':').map_or((text, None), |(name, tag)| (name, Some(tag)));
    if !crate::archive::valid_chart_name(name) {
        let why = format!("the name {name:?} must match ^[a-z0-9][a-z0-9-]{{0,52}}$");
        return Err(refuse(why, "write NAME or NAME:VERSION, as the repository lists it"));
    }
    if let Some(base) = repo.strip_prefix("oci://") {
        return oci(&format!("oci://{}/{text}", base.trim_end_matches('/')), version).map(Reference::Oci);
    }
    let version = one_version(text, tag, version)?;
    Ok(Reference::Repository { url: repository_url(repo)?, name: name.to_owned(), version })
}

/// A version may be said once, or twice in the same words.
fn one_version(text: &str, tag: Option<&str>, version: Option<&str>) -> Result<Option<String>, ReferenceError> {
    let refuse = |why: String| ReferenceError { text: text.to_owned(), why, next: "say the version once".to_owned() };
    match (tag, version) {
        (Some(""), _) => Err(refuse("nothing stands after the colon".into())),
        (Some(tag), Some(version)) if tag != version => Err(refuse(format!("it says {tag}, and --version says {version}"))),
        (tag, version) => Ok(tag.or(version).map(str::to_owned)),
    }
}

fn archive_url(text: &str, version: Option<&str>) -> Result<Reference, ReferenceError> {
    let refuse = |why: &str, next: &str| ReferenceError { text: without_password(text), why: why.to_owned(), next: next.to_owned() };
    let url = repository_url(text)?;
    if !ends_with_tgz(url.path()) {
        return Err(refuse("the URL does not end in .tgz", "for a repository write NAME --repo URL"));
    }
    if version.is_some() {
        return Err(refuse("a URL names one archive, and --version another", "leave --version away, or write NAME --repo URL --version V"));
    }
    Ok(Reference::Url(url))
}

fn oci(text: &str, version: Option<&str>) -> Result<OciReference, ReferenceError> {
    let refuse = |why: String| ReferenceError {
        text: without_password(text),
        why,
        next: "write oci://HOST[:PORT]/PATH/CHART[:VERSION][@sha256:DIGEST]".to_owned(),
    };
    let rest = text.strip_prefix("oci://").unwrap_or(text);
    let (registry, path) = rest.split_once('/').unwrap_or((rest, ""));
    if registry.contains('@') {
        return Err(refuse("it has a user or password in it; use --username with --password-file, or docker login".into()));
    }
    if !valid_registry(registry) {
        return Err(refuse(format!("{registry:?} is no host")));
    }
    let (path, digest) = path.split_once('@').map_or((path, None), |(path, digest)| (path, Some(digest)));
    if let Some(digest) = digest
        && !is_digest(digest)
    {
        return Err(refuse(format!("{digest:?} is not sha256: and 64 hex digits")));
    }
    let tag_at = path.rfind(':').filter(|colon| path.rfind('/').is_none_or(|slash| slash < *colon));
    let (repository, tag) = tag_at.map_or((path, None), |colon| (&path[..colon], Some(&path[colon + 1..])));
    if let Some(part) = repository.split('/').find(|part| !valid_part(part)) {
        return Err(refuse(format!("its path has the part {part:?}; lower-case letters, digits and . _ - between them are allowed")));
    }
    let tag = tag.map(|tag| tag.replace('_', "+"));
    if let Some(tag) = tag.as_deref().filter(|tag| !valid_tag(tag)) {
        return Err(refuse(format!("{tag:?} is no tag")));
    }
    let version = one_version(text, tag.as_deref(), version)?;
    Ok(OciReference {
        registry: registry.to_ascii_lowercase(),
        repository: repository.to_owned(),
        version,
        digest: digest.map(str::to_owned),
    })
}

/// Whether a text is `sha256:` and 64 lower-case hex digits.
#[must_use]
pub fn is_digest(text: &str) -> bool {
    text.strip_prefix("sha256:").is_some_and(|hex| hex.len() == 64 && hex.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f')))
}

fn valid_registry(host: &str) -> bool {
    let parsed = Url::parse(&format!("https://{host}/"));
    let plain = host.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'-' | b':' | b'[' | b']'));
    plain && parsed.is_ok_and(|url| url.host_str().is_some_and(|host| !host.is_empty()) && url.path() == "/")
}

fn valid_part(part: &str) -> bool {
    let alnum = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit();
    let bytes = part.as_bytes();
    let ends = |b: Option<&u8>| b.is_some_and(|b| alnum(*b));
    part.len() <= 255 && ends(bytes.first()) && ends(bytes.last()) && bytes.iter().all(|b| alnum(*b) || matches!(b, b'.' | b'_' | b'-'))
}

/// A tag, with `+` for the `_` that stands in its place.
fn valid_tag(tag: &str) -> bool {
    let first = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'+');
    tag.len() <= 128
        && tag.bytes().next().is_some_and(first)
        && tag.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'_' | b'-' | b'+'))
}

/// What was typed, without what stands before an `@` and without a query.
fn without_password(text: &str) -> String {
    let text = text.split(['?', '#']).next().unwrap_or(text);
    let Some((scheme, rest)) = text.split_once("://") else { return text.to_owned() };
    let (host, path) = rest.split_once('/').map_or((rest, None), |(host, path)| (host, Some(path)));
    let host = host.rsplit('@').next().unwrap_or(host);
    path.map_or_else(|| format!("{scheme}://{host}"), |path| format!("{scheme}://{host}/{path}"))
}

#[cfg(test)]
#[path = "tests/reference.rs"]
mod tests;
