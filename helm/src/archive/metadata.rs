//! What `Chart.yaml` says.

use serde::{Deserialize, Serialize};

use super::ArchiveError;
use super::ambiguous;
use super::unpack::Files;

/// The part of `Chart.yaml` that we use. Texts have lost their control characters.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ChartMetadata {
    /// `v1` (Helm 2 and 3) or `v2` (Helm 3 and later); absent means `v1`, as in Helm.
    #[serde(default = "api_version_v1")]
    pub api_version: String,
    /// Name of the chart, `^[a-z0-9][a-z0-9-]{0,52}$`.
    #[serde(default, deserialize_with = "null_is_empty")]
    pub name: String,
    /// SemVer version as written, perhaps with a leading `v`.
    #[serde(default, deserialize_with = "null_is_empty")]
    pub version: String,
    /// Version of the application inside; free text.
    #[serde(default)]
    pub app_version: Option<String>,
    /// Range of Kubernetes versions, in Helm's syntax.
    #[serde(default)]
    pub kube_version: Option<String>,
    /// One sentence for people.
    #[serde(default)]
    pub description: Option<String>,
    /// `application` or `library`; absent means application.
    #[serde(default, rename = "type")]
    pub kind: Option<String>,
    /// The maintainers no longer care for it.
    #[serde(default)]
    pub deprecated: Option<bool>,
    /// Charts that it needs, from `Chart.yaml` or, in `v1`, `requirements.yaml`.
    #[serde(default, deserialize_with = "null_is_empty")]
    pub dependencies: Vec<Dependency>,
}

/// One dependency of a chart.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Dependency {
    /// Name of the chart.
    #[serde(default, deserialize_with = "null_is_empty")]
    pub name: String,
    /// Range of versions.
    #[serde(default)]
    pub version: Option<String>,
    /// Where it came from; never fetched by us.
    #[serde(default)]
    pub repository: Option<String>,
    /// Paths in the values, comma-separated; the first that is a boolean decides.
    #[serde(default)]
    pub condition: Option<String>,
    /// Tags that switch it on or off.
    #[serde(default, deserialize_with = "null_is_empty")]
    pub tags: Vec<String>,
    /// Key of its values, if not its name.
    #[serde(default)]
    pub alias: Option<String>,
}

impl Dependency {
    /// Key under which the parent's values carry those of this chart.
    #[must_use]
    pub fn values_key(&self) -> &str {
        self.alias.as_deref().filter(|a| !a.is_empty()).unwrap_or(&self.name)
    }
}

/// A key without a value (`dependencies:`) is common, and Helm takes it for nothing.
fn null_is_empty<'de, D, T>(from: D) -> Result<T, D::Error>
where
    D: serde::Deserializer<'de>,
    T: Deserialize<'de> + Default,
{
    Option::<T>::deserialize(from).map(Option::unwrap_or_default)
}

fn api_version_v1() -> String {
    "v1".into()
}

#[derive(Deserialize)]
struct Requirements {
    #[serde(default, deserialize_with = "null_is_empty")]
    dependencies: Vec<Dependency>,
}

/// Longest chart name: with `name-version` it still fits a label, and a release may be named after it.
const MAX_NAME: usize = 53;

/// Whether a chart may have this name.
pub(crate) fn valid_chart_name(name: &str) -> bool {
    let inner = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
    name.len() <= MAX_NAME && !name.is_empty() && !name.starts_with('-') && name.chars().all(inner)
}

/// Characters of a version: a tag of a registry holds no more, and `NAME-VERSION.tgz` stays a file name.
const MAX_VERSION: usize = 128;

impl ChartMetadata {
    /// The version parsed; a leading `v` (cert-manager and others write it) is left aside.
    ///
    /// # Errors
    /// When it is not SemVer 2, which a checked archive never has.
    pub fn semver(&self) -> Result<semver::Version, semver::Error> {
        semver::Version::parse(self.version.strip_prefix('v').unwrap_or(&self.version))
    }

    /// Reads and checks the metadata of the chart whose files these are; `at` is put before paths in errors.
    pub(super) fn read(files: &Files, at: &str) -> Result<Self, ArchiveError> {
        let path = format!("{at}Chart.yaml");
        let bytes = files.get("Chart.yaml").ok_or_else(|| ArchiveError::NoChartYaml { chart: at.trim_end_matches('/').to_owned() })?;
        let mut metadata: ChartMetadata = yaml(bytes, &path)?;
        ambiguous::chart_yaml(bytes, &path, &metadata.name)?;
        if let Some(bytes) = files.get("requirements.yaml") {
            let path = format!("{at}requirements.yaml");
            let requirements: Requirements = yaml(bytes, &path)?;
            ambiguous::requirements_yaml(bytes, &path)?;
            if metadata.dependencies.is_empty() {
                metadata.dependencies = requirements.dependencies;
            } else if !requirements.dependencies.is_empty() && requirements.dependencies != metadata.dependencies {
                let reason = "it names other dependencies than Chart.yaml does: keep one of the two lists".to_owned();
                return Err(ArchiveError::Metadata { path, reason });
            }
        }
        metadata.check(&path)?;
        Ok(metadata)
    }

    fn check(&mut self, path: &str) -> Result<(), ArchiveError> {
        let path = || path.to_owned();
        if !matches!(self.api_version.as_str(), "v1" | "v2") {
            return Err(ArchiveError::BadApiVersion { path: path(), api_version: self.api_version.clone() });
        }
        if !valid_chart_name(&self.name) {
            return Err(ArchiveError::BadName { path: path(), name: self.name.clone() });
        }
        if self.version.len() > MAX_VERSION {
            let reason = format!("it has {} characters, more than the {MAX_VERSION} of a registry's tag", self.version.len());
            return Err(ArchiveError::BadVersion { path: path(), version: self.version.chars().take(40).collect(), reason });
        }
        if let Err(error) = self.semver() {
            return Err(ArchiveError::BadVersion { path: path(), version: self.version.clone(), reason: error.to_string() });
        }
        for dependency in &mut self.dependencies {
            let Dependency { name, version, repository, condition, tags, alias } = dependency;
            for text in [version, repository, condition, alias].into_iter().flatten().chain(tags).chain([name]) {
                text.retain(|c| !c.is_control());
            }
        }
        for text in [&mut self.app_version, &mut self.kube_version, &mut self.description, &mut self.kind].into_iter().flatten() {
            text.retain(|c| !c.is_control());
        }
        Ok(())
    }
}

fn yaml<T: serde::de::DeserializeOwned>(bytes: &[u8], path: &str) -> Result<T, ArchiveError> {
    let refuse = |reason: String| ArchiveError::Metadata { path: path.to_owned(), reason };
    if bytes.len() > crate::values::MAX_TEXT_BYTES {
        return Err(refuse(format!(
            "it has {} bytes, more than the {} that a release can carry",
            bytes.len(),
            crate::values::MAX_TEXT_BYTES
        )));
    }
    let text = std::str::from_utf8(bytes).map_err(|e| refuse(e.to_string()))?;
    let text = text.trim_start_matches('\u{feff}');
    // Helm's limit for aliases first: the parser below would unfold a quarter of a million nodes before it stops, and that takes seconds.
    crate::values::parse("", text).map_err(|e| refuse(first_line(e.to_string().trim_start_matches(':'))))?;
    serde_saphyr::from_str(text).map_err(|e| refuse(crate::values::what_is_wrong(&e)))
}

/// The parser quotes the text below its first line, and with it what a chart wants a terminal to do.
fn first_line(error: &str) -> String {
    let line = error.lines().next().unwrap_or_default();
    line.strip_prefix("error: ").unwrap_or(line).chars().filter(|c| !c.is_control()).collect()
}
