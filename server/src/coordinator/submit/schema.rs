//! Merged values against the chart's schemas, once for each distinct result.

use super::layout::Text;
use crate::coordinator::Refused;
use groundswell_core::id::{ClusterName, Digest, ReleaseName};
use groundswell_helm::archive::{ChartArchive, ChartMetadata, Files, Subchart};
use groundswell_helm::schema::{SchemaError, validate};
use groundswell_helm::values::{Layer, chart_values, merge, parse_values};
use serde_json::{Map, Value};
use std::collections::BTreeSet;

/// Distinct results that were found wrong; an operator mends the first few.
const MAX_REFUSED: usize = 10;

/// Checks each distinct result of a layout.
pub(crate) struct Checker<'a> {
    archive: &'a ChartArchive,
    release: &'a ReleaseName,
    defaults: Option<Value>,
    seen: BTreeSet<Vec<Digest>>,
    refused: Vec<Refused>,
}

impl<'a> Checker<'a> {
    pub(crate) fn new(archive: &'a ChartArchive, release: &'a ReleaseName) -> Self {
        let defaults = (!archive.schemas().is_empty()).then(|| defaults(archive));
        Self { archive, release, defaults, seen: BTreeSet::new(), refused: Vec::new() }
    }

    pub(crate) fn check(&mut self, cluster: &ClusterName, texts: &[Text]) {
        let Some(defaults) = &self.defaults else { return };
        if self.refused.len() >= MAX_REFUSED || !self.seen.insert(texts.iter().map(|text| text.digest.clone()).collect()) {
            return;
        }
        let mut layers = vec![Layer { name: "values.yaml of the chart".into(), value: defaults.clone() }];
        layers.extend(texts.iter().map(|text| Layer { name: text.name.clone(), value: parsed(&text.text) }));
        let mut merged = merge(&layers).value;
        drop_deleted(&mut merged, defaults);
        let Err(error) = validate(&self.archive.schemas(), &merged) else { return };
        let what = match &error {
            SchemaError::Violated { .. } => format!("values for cluster {cluster}"),
            _ => format!("schema of chart {}", self.archive.metadata.name),
        };
        self.refused.push(
            Refused::invalid("GS-SCHEMA", what, error.to_string())
                .next(format!("groundswell values {} --cluster {cluster} --reveal-origin", self.release)),
        );
    }

    pub(crate) fn finish(self) -> Vec<Refused> {
        self.refused
    }
}

fn parsed(text: &str) -> Value {
    parse_values("values", text).map(Value::Object).unwrap_or_default()
}

/// The chart's own values over those of its subcharts, under their keys, as Helm coalesces them.
fn defaults(archive: &ChartArchive) -> Value {
    let own = coalesced(&archive.files, &archive.metadata, &archive.subcharts);
    Value::Object(own)
}

fn coalesced(files: &Files, metadata: &ChartMetadata, subcharts: &[Subchart]) -> Map<String, Value> {
    let mut below = Map::new();
    for subchart in subcharts {
        let values = Value::Object(coalesced(&subchart.files, &subchart.metadata, &subchart.subcharts));
        let named = metadata.dependencies.iter().filter(|dependency| dependency.name == subchart.metadata.name);
        let mut keys: Vec<&str> = named.map(|dependency| dependency.values_key()).collect();
        if keys.is_empty() {
            keys.push(&subchart.metadata.name);
        }
        below.extend(keys.into_iter().map(|key| (key.to_owned(), values.clone())));
    }
    let own = files.get("values.yaml").and_then(|bytes| chart_values("values.yaml", bytes).ok()).unwrap_or_default();
    let own = Value::Object(own.values);
    let layers = [Layer { name: "subcharts".into(), value: Value::Object(below) }, Layer { name: "values.yaml".into(), value: own }];
    match merge(&layers).value {
        Value::Object(map) => map,
        _ => Map::new(),
    }
}

/// A null over a chart's default deletes it before Helm looks at the schema.
fn drop_deleted(merged: &mut Value, defaults: &Value) {
    let (Value::Object(merged), Value::Object(defaults)) = (merged, defaults) else { return };
    merged.retain(|key, value| !(value.is_null() && defaults.contains_key(key)));
    for (key, value) in merged {
        if let Some(default) = defaults.get(key) {
            drop_deleted(value, default);
        }
    }
}
