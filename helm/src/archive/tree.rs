//! Charts within charts.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use groundswell_change::constraint::{Constraint, Version};
use serde_json::Value;

use super::budget::{Budget, Limits};
use super::unpack::{self, Files};
use super::{ArchiveError, ChartMetadata, Dependency};

/// A chart in another chart's `charts/`.
#[derive(Debug, Clone)]
pub struct Subchart {
    /// Where it is in its parent, such as `charts/grafana` or `charts/grafana-6.1.0.tgz`.
    pub path: String,
    /// What its `Chart.yaml` says.
    pub metadata: ChartMetadata,
    /// Its files, path below its own folder.
    pub files: Files,
    /// Charts in its own `charts/`.
    pub subcharts: Vec<Subchart>,
}

/// A file of a chart or subchart.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ChartFile {
    /// Names of the charts on the way down, the outermost first.
    pub chart: Vec<String>,
    /// Path below the folder of the last of them.
    pub path: String,
    /// Content.
    pub data: Arc<[u8]>,
}

/// The values schema of a chart or subchart.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ChartSchema {
    /// Keys from the top of the values down to those of this chart; empty for the outermost chart.
    pub keys: Vec<String>,
    /// `values.schema.json`.
    pub data: Arc<[u8]>,
}

/// Reads what is in `charts/`, checks the schema, and that every dependency is there.
pub(super) fn subcharts(
    files: &Files,
    metadata: &ChartMetadata,
    at: &str,
    depth: usize,
    budget: &mut Budget,
) -> Result<Vec<Subchart>, ArchiveError> {
    if let Some(schema) = files.get("values.schema.json") {
        crate::schema::check(schema).map_err(|source| ArchiveError::Schema { path: format!("{at}values.schema.json"), source })?;
    }
    let mut found = Vec::new();
    for (name, group) in groups(files) {
        // Helm skips these too: they are editor leftovers, not charts.
        if name.starts_with(['_', '.']) {
            continue;
        }
        let path = format!("charts/{name}");
        let place = format!("{at}{path}");
        if depth > budget.limits.depth {
            return Err(ArchiveError::TooDeep { path: place, limit: budget.limits.depth });
        }
        match group {
            Group::Packed(data) => {
                let nested = |source| ArchiveError::Nested { path: place.clone(), source: Box::new(source) };
                let chart = packed(path, &data, depth, budget).map_err(nested)?;
                found.push(chart);
            }
            // Helm refuses both: what is in charts/ and no archive must be a chart, and what ends like an archive must be one.
            Group::Loose => return Err(ArchiveError::NoChartYaml { chart: place }),
            Group::Folder(_) if name.ends_with(".tgz") => return Err(ArchiveError::NoChartYaml { chart: place }),
            Group::Folder(files) => {
                let below = format!("{place}/");
                let metadata = ChartMetadata::read(&files, &below)?;
                let subcharts = subcharts(&files, &metadata, &below, depth + 1, budget)?;
                found.push(Subchart { path, metadata, files, subcharts });
            }
        }
    }
    let present: BTreeSet<&str> = found.iter().map(|c| c.metadata.name.as_str()).collect();
    for dependency in &metadata.dependencies {
        if !present.contains(dependency.name.as_str()) {
            return Err(ArchiveError::NotVendored { chart: metadata.name.clone(), dependency: dependency.name.clone() });
        }
    }
    Ok(found)
}

fn packed(path: String, data: &[u8], depth: usize, budget: &mut Budget) -> Result<Subchart, ArchiveError> {
    let unpacked = unpack::unpack(data, budget)?;
    let at = format!("{}/", unpacked.top);
    let metadata = ChartMetadata::read(&unpacked.files, &at)?;
    if unpacked.top != metadata.name {
        return Err(ArchiveError::NameMismatch { folder: unpacked.top, name: metadata.name });
    }
    let subcharts = subcharts(&unpacked.files, &metadata, &at, depth + 1, budget)?;
    Ok(Subchart { path, metadata, files: unpacked.files, subcharts })
}

enum Group {
    Folder(Files),
    Packed(Arc<[u8]>),
    Loose,
}

/// What lies in `charts/`, by the first part of the path; signatures beside archives aside.
fn groups(files: &Files) -> BTreeMap<String, Group> {
    let mut groups = BTreeMap::new();
    for (path, data) in files {
        let Some(rest) = path.strip_prefix("charts/") else { continue };
        match rest.split_once('/') {
            Some((name, below)) => {
                let group = groups.entry(name.to_owned()).or_insert_with(|| Group::Folder(Files::new()));
                if let Group::Folder(folder) = group {
                    folder.insert(below.to_owned(), Arc::clone(data));
                }
            }
            None if rest.ends_with(".tgz") => {
                groups.insert(rest.to_owned(), Group::Packed(Arc::clone(data)));
            }
            None if rest.ends_with(".prov") => {}
            None => {
                groups.insert(rest.to_owned(), Group::Loose);
            }
        }
    }
    groups
}

pub(super) fn values_yaml(files: &Files) -> Option<&[u8]> {
    let data = files.get("values.yaml")?;
    Some(data.strip_prefix(b"\xef\xbb\xbf").unwrap_or(data))
}

pub(super) fn crds(files: &Files, metadata: &ChartMetadata, subcharts: &[Subchart], values: Option<&Value>) -> Vec<ChartFile> {
    let mut out = Vec::new();
    let mut chart = Vec::new();
    collect_crds(files, metadata, subcharts, values, &mut chart, &mut out);
    out
}

fn collect_crds(
    files: &Files,
    metadata: &ChartMetadata,
    subcharts: &[Subchart],
    values: Option<&Value>,
    chart: &mut Vec<String>,
    out: &mut Vec<ChartFile>,
) {
    chart.push(metadata.name.clone());
    for (path, data) in files {
        let manifest = [".yaml", ".yml", ".json"].iter().any(|end| path.ends_with(end));
        if path.starts_with("crds/") && manifest {
            out.push(ChartFile { chart: chart.clone(), path: path.clone(), data: Arc::clone(data) });
        }
    }
    for sub in subcharts {
        match values {
            None => collect_crds(&sub.files, &sub.metadata, &sub.subcharts, None, chart, out),
            Some(values) => {
                if let Some(key) = enabled_places(metadata, sub, values).into_iter().next() {
                    let below = values.get(key).unwrap_or(&Value::Null);
                    collect_crds(&sub.files, &sub.metadata, &sub.subcharts, Some(below), chart, out);
                }
            }
        }
    }
    chart.pop();
}

/// Charts inside that the values enable, with the keys of their values from the top; outer ones first.
pub(super) fn enabled_below<'a>(
    metadata: &ChartMetadata,
    subcharts: &'a [Subchart],
    values: &Value,
    keys: &[String],
    out: &mut Vec<(Vec<String>, &'a Subchart)>,
) {
    for sub in subcharts {
        for name in enabled_places(metadata, sub, values) {
            let keys: Vec<String> = keys.iter().cloned().chain([name.to_owned()]).collect();
            out.push((keys.clone(), sub));
            enabled_below(&sub.metadata, &sub.subcharts, values.get(name).unwrap_or(&Value::Null), &keys, out);
        }
    }
}

/// Keys under which the values of a chart stand in those of the chart around it: one for each dependency that names it and takes its
/// version, else its own name.
fn places<'a>(metadata: &'a ChartMetadata, sub: &'a Subchart) -> BTreeSet<&'a str> {
    let version = Version::parse(&sub.metadata.version);
    let takes = |dependency: &&Dependency| {
        let range = Constraint::parse(dependency.version.as_deref().unwrap_or_default());
        matches!((range, &version), (Ok(range), Ok(version)) if range.matches(version))
    };
    keys(metadata.dependencies.iter().filter(takes), sub)
}

fn keys<'a>(dependencies: impl Iterator<Item = &'a Dependency>, sub: &'a Subchart) -> BTreeSet<&'a str> {
    let mut keys: BTreeSet<&str> = dependencies.filter(|d| d.name == sub.metadata.name).map(Dependency::values_key).collect();
    if keys.is_empty() {
        keys.insert(&sub.metadata.name);
    }
    keys
}

/// Those that the values switch on. Helm goes by the key, also where the dependency takes another version.
fn enabled_places<'a>(metadata: &'a ChartMetadata, sub: &'a Subchart, values: &Value) -> BTreeSet<&'a str> {
    let is_off = |key: &str| metadata.dependencies.iter().any(|d| d.values_key() == key && !enabled(d, values));
    let mut places = places(metadata, sub);
    places.retain(|key| !is_off(key));
    places
}

/// A chart and all in it, each as often as there are places for its values. Whoever walks the charts by their values walks this.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Unfolded {
    charts: usize,
    bytes: u64,
}

impl Unfolded {
    /// Aliases must gain nothing that files do not have: they multiply with each level, and Chart.yaml costs 30 bytes for one.
    pub(super) fn keeps(self, limits: Limits) -> Result<(), ArchiveError> {
        if self.charts > limits.charts {
            return Err(ArchiveError::TooManyCharts { limit: limits.charts });
        }
        if self.bytes > limits.expanded {
            return Err(ArchiveError::AliasesTooLarge { limit: limits.expanded });
        }
        Ok(())
    }
}

/// Sums up without walking them: by then it would be too late. Whoever counts too many places, those of other versions, is safe.
pub(super) fn unfolded(files: &Files, metadata: &ChartMetadata, subcharts: &[Subchart]) -> Unfolded {
    // Charts in folders are among the files of those around them, and count for themselves.
    let own = files.iter().filter(|(path, _)| !path.starts_with("charts/")).map(|(_, data)| data.len() as u64).sum();
    subcharts.iter().fold(Unfolded { charts: 1, bytes: own }, |all, sub| {
        let below = unfolded(&sub.files, &sub.metadata, &sub.subcharts);
        keys(metadata.dependencies.iter(), sub).into_iter().fold(all, |all, key| Unfolded {
            charts: all.charts.saturating_add(below.charts),
            // The key is written down once for each chart below it.
            bytes: all.bytes.saturating_add(below.bytes).saturating_add((key.len() as u64).saturating_mul(below.charts as u64)),
        })
    })
}

/// Helm's rule: tags first (any true wins over false, none said means on), then the first condition that is a boolean.
fn enabled(dependency: &Dependency, values: &Value) -> bool {
    let tags = values.get("tags");
    let said: Vec<bool> = dependency.tags.iter().filter_map(|tag| tags.and_then(|t| t.get(tag)).and_then(Value::as_bool)).collect();
    let by_tags = said.is_empty() || said.contains(&true);
    let conditions = dependency.condition.as_deref().unwrap_or_default();
    conditions
        .split(',')
        .map(str::trim)
        .filter(|path| !path.is_empty())
        .find_map(|path| path.split('.').try_fold(values, |at, key| at.get(key)).and_then(Value::as_bool))
        .unwrap_or(by_tags)
}

pub(super) fn schemas(files: &Files, metadata: &ChartMetadata, subcharts: &[Subchart]) -> Vec<ChartSchema> {
    let mut out = Vec::new();
    collect_schemas(files, metadata, subcharts, &mut Vec::new(), &mut out);
    out
}

fn collect_schemas(files: &Files, metadata: &ChartMetadata, subcharts: &[Subchart], keys: &mut Vec<String>, out: &mut Vec<ChartSchema>) {
    if let Some(data) = files.get("values.schema.json") {
        out.push(ChartSchema { keys: keys.clone(), data: Arc::clone(data) });
    }
    for sub in subcharts {
        for name in places(metadata, sub) {
            keys.push(name.to_owned());
            collect_schemas(&sub.files, &sub.metadata, &sub.subcharts, keys, out);
            keys.pop();
        }
    }
}
