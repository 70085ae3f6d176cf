//! The values that apply when the operator says nothing, and what they become under the operator's.

use serde_json::{Map, Value};

use crate::archive::{ChartArchive, ChartMetadata, Files, Subchart};
use crate::values::{chart_values, parse};

/// Values of the chart with those of its subcharts under their keys, the parent's winning, as Helm coalesces them. Values that a
/// parent imports from a subchart (`import-values`) lie below its own.
#[must_use]
pub fn defaults(archive: &ChartArchive) -> Value {
    Value::Object(coalesced(&archive.files, &archive.metadata, &archive.subcharts))
}

fn coalesced(files: &Files, metadata: &ChartMetadata, subcharts: &[Subchart]) -> Map<String, Value> {
    // Helm refuses what we cannot read, and says so in its own words when it renders.
    let own = files.get("values.yaml").and_then(|bytes| chart_values("values.yaml", bytes).ok());
    let mut values = own.unwrap_or_default().values;
    for sub in subcharts {
        let below = coalesced(&sub.files, &sub.metadata, &sub.subcharts);
        let named = metadata.dependencies.iter().filter(|dependency| dependency.name == sub.metadata.name);
        let mut keys: Vec<&str> = named.map(|dependency| dependency.values_key()).collect();
        if keys.is_empty() {
            keys.push(&sub.metadata.name);
        }
        for key in keys {
            match values.get_mut(key) {
                Some(Value::Object(over)) => lay_under(over, &below),
                // A parent that gives its subchart something else than a map switches all of its values off.
                Some(_) => {}
                None => {
                    values.insert(key.to_owned(), Value::Object(below.clone()));
                }
            }
        }
    }
    for (child, parent) in imports(files) {
        let Some(Value::Object(from)) = at(&values, &child).cloned() else { continue };
        let below = parent.iter().rev().fold(from, |below, key| Map::from_iter([(key.clone(), Value::Object(below))]));
        lay_under(&mut values, &below);
    }
    values
}

/// Fills in what is not there. A null deletes the default beneath it.
fn lay_under(over: &mut Map<String, Value>, under: &Map<String, Value>) {
    for (key, value) in under {
        match (over.get_mut(key), value) {
            (None, _) => {
                over.insert(key.clone(), value.clone());
            }
            (Some(Value::Object(over)), Value::Object(under)) => lay_under(over, under),
            (Some(_), _) => {}
        }
    }
}

/// The operator's merged values over the defaults; nulls delete.
pub(super) fn applied(given: &Value, defaults: &Value) -> Value {
    let (Value::Object(given), Value::Object(defaults)) = (given, defaults) else { return defaults.clone() };
    let mut out = given.clone();
    lay_under(&mut out, defaults);
    drop_nulls(&mut out);
    Value::Object(out)
}

fn drop_nulls(map: &mut Map<String, Value>) {
    map.retain(|_, value| !value.is_null());
    for value in map.values_mut() {
        if let Value::Object(below) = value {
            drop_nulls(below);
        }
    }
}

pub(super) fn read(bytes: &[u8]) -> Value {
    let text = String::from_utf8_lossy(bytes);
    parse("chart", text.trim_start_matches('\u{feff}')).unwrap_or_default()
}

fn at<'a>(values: &'a Map<String, Value>, path: &[String]) -> Option<&'a Value> {
    let (first, rest) = path.split_first()?;
    rest.iter().try_fold(values.get(first)?, |value, key| value.get(key))
}

/// From where to where a chart imports values of its subcharts.
fn imports(files: &Files) -> Vec<(Vec<String>, Vec<String>)> {
    let mut out = Vec::new();
    for file in ["Chart.yaml", "requirements.yaml"] {
        let chart = files.get(file).map(|bytes| read(bytes)).unwrap_or_default();
        for dependency in chart["dependencies"].as_array().into_iter().flatten() {
            let key = dependency["alias"].as_str().filter(|alias| !alias.is_empty()).or(dependency["name"].as_str()).unwrap_or_default();
            let path = |text: &str| text.split('.').filter(|key| !key.is_empty() && *key != ".").map(str::to_owned).collect::<Vec<_>>();
            let below = |text: &str| [key.to_owned()].into_iter().chain(path(text)).collect::<Vec<_>>();
            for import in dependency["import-values"].as_array().into_iter().flatten() {
                match import {
                    Value::String(name) => out.push((below(&format!("exports.{name}")), Vec::new())),
                    Value::Object(map) => {
                        let text = |key: &str| map.get(key).and_then(Value::as_str).unwrap_or_default();
                        out.push((below(text("child")), path(text("parent"))));
                    }
                    _ => {}
                }
            }
        }
    }
    out
}
