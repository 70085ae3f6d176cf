//! What Helm reads in `Chart.yaml` and we would not.
//!
//! Helm turns the YAML into JSON and lets Go's decoder fill its fields. That decoder ignores the case of keys, and
//! `requirements.yaml` is decoded over what `Chart.yaml` said: a chart could show one name or version to us and another to Helm.

use serde_json::Value;

use super::ArchiveError;
use crate::values;

/// Keys that decide what the chart is.
const CHART: &[&str] = &["name", "version", "apiVersion", "kubeVersion", "type", "dependencies"];
/// Further keys that `requirements.yaml` would replace.
const PROSE: &[&str] =
    &["home", "sources", "description", "keywords", "maintainers", "icon", "condition", "tags", "appVersion", "deprecated", "annotations"];
const DEPENDENCY: &[&str] = &["name", "version", "condition", "tags", "enabled", "import-values", "alias"];

pub(super) fn chart_yaml(bytes: &[u8], path: &str, name: &str) -> Result<(), ArchiveError> {
    let yaml = as_helm_reads(bytes, path)?;
    keys(&yaml, CHART, path)?;
    dependencies(&yaml, path)?;
    match yaml.get("name") {
        // `name: on` is the text "true" to Helm, `name: 010` is "8".
        Some(Value::Number(number)) if number.to_string() != name => refuse(path, "its name is a number to Helm: quote it"),
        Some(Value::Bool(_)) => refuse(path, "its name is a boolean to Helm: quote it"),
        _ => Ok(()),
    }
}

pub(super) fn requirements_yaml(bytes: &[u8], path: &str) -> Result<(), ArchiveError> {
    let yaml = as_helm_reads(bytes, path)?;
    let Value::Object(map) = &yaml else { return Ok(()) };
    let known = |key: &str| CHART.iter().chain(PROSE).any(|name| folded(name) == folded(key));
    let replaces = |key: &&String| key.as_str() != "dependencies" && known(key);
    if let Some(key) = map.keys().find(replaces) {
        return refuse(path, format!("the key {key:?} would replace what Chart.yaml says: only \"dependencies\" belongs here"));
    }
    dependencies(&yaml, path)
}

fn dependencies(yaml: &Value, path: &str) -> Result<(), ArchiveError> {
    let items = yaml.get("dependencies").and_then(Value::as_array);
    items.into_iter().flatten().try_for_each(|item| keys(item, DEPENDENCY, path))
}

fn keys(map: &Value, known: &[&str], path: &str) -> Result<(), ArchiveError> {
    let Value::Object(map) = map else { return Ok(()) };
    for key in map.keys() {
        if let Some(name) = known.iter().find(|name| **name != key && folded(name) == folded(key)) {
            return refuse(path, format!("Helm takes the key {key:?} for {name:?}: write {name:?}"));
        }
    }
    Ok(())
}

/// Go folds the long s too; the Kelvin sign becomes a k on its way to lower case.
fn folded(key: &str) -> String {
    key.to_lowercase().replace('\u{17f}', "s")
}

fn text(bytes: &[u8]) -> &str {
    let text = std::str::from_utf8(bytes).unwrap_or_default();
    text.trim_start_matches('\u{feff}')
}

fn as_helm_reads(bytes: &[u8], path: &str) -> Result<Value, ArchiveError> {
    values::parse("", text(bytes)).or_else(|error| refuse(path, error.to_string().trim_start_matches(':')))
}

fn refuse<T>(path: &str, reason: impl Into<String>) -> Result<T, ArchiveError> {
    Err(ArchiveError::Metadata { path: path.to_owned(), reason: reason.into() })
}
