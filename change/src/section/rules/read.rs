//! The rules and dashboards of one render.

use std::collections::BTreeMap;

use serde_json::Value;

use super::super::read::{Seen, entries, list, plain, text};
use super::promql;
use crate::compare::scalar::duration;

/// Largest text in a ConfigMap that is read as rules or as a dashboard: the limit of a ConfigMap is 1 MiB.
const LARGEST: usize = 1 << 20;

/// An alert or a recording rule.
#[derive(Clone)]
pub(super) struct Rule<'c> {
    pub(super) seen: Seen<'c>,
    pub(super) group: String,
    pub(super) alert: bool,
    pub(super) name: String,
    pub(super) expr: String,
    /// The expression without what means nothing.
    pub(super) normal: String,
    pub(super) wait: String,
    pub(super) keep: String,
    pub(super) labels: BTreeMap<String, String>,
    pub(super) annotations: BTreeMap<String, String>,
}

impl Rule<'_> {
    pub(super) fn severity(&self) -> &str {
        self.labels.get("severity").map_or("", String::as_str)
    }

    /// Whether it does the same, wherever it stands.
    pub(super) fn same(&self, other: &Self) -> bool {
        self.normal == other.normal && self.waits_like(other) && self.labels == other.labels
    }

    /// Whether it waits as long as the other, however that is written.
    pub(super) fn waits_like(&self, other: &Self) -> bool {
        same_time(&self.wait, &other.wait) && same_time(&self.keep, &other.keep)
    }
}

fn same_time(one: &str, other: &str) -> bool {
    let read = |text: &str| if text.is_empty() { Some(0) } else { duration(&Value::from(text)) };
    one == other || matches!((read(one), read(other)), (Some(one), Some(other)) if one == other)
}

/// All rules of a render.
pub(super) fn rules<'c>(objects: &[Seen<'c>]) -> Vec<Rule<'c>> {
    let mut rules = Vec::new();
    for seen in objects {
        match seen.kind() {
            "PrometheusRule" => groups(*seen, seen.value().get("spec").unwrap_or(&Value::Null), &mut rules),
            "ConfigMap" => {
                for (key, value) in entries(seen.value(), &["data"]) {
                    let Some(text) = value.as_str().filter(|text| text.len() <= LARGEST && !key.ends_with(".json")) else { continue };
                    if text.contains("groups:")
                        && (text.contains("alert:") || text.contains("record:"))
                        && let Ok(parsed) = serde_saphyr::from_str::<Value>(text)
                    {
                        groups(*seen, &parsed, &mut rules);
                    }
                }
            }
            _ => {}
        }
    }
    rules
}

fn groups<'c>(seen: Seen<'c>, from: &Value, rules: &mut Vec<Rule<'c>>) {
    for group in list(from, &["groups"]) {
        let name = text(group, &["name"]).unwrap_or_default();
        for rule in list(group, &["rules"]) {
            let alert = text(rule, &["alert"]);
            let Some(named) = alert.or_else(|| text(rule, &["record"])) else { continue };
            let expr = rule.get("expr").map(plain).unwrap_or_default();
            let map = |key: &str| entries(rule, &[key]).map(|(key, value)| (key.clone(), plain(value))).collect();
            let field = |key: &str| text(rule, &[key]).unwrap_or_default().to_owned();
            rules.push(Rule {
                seen,
                group: name.to_owned(),
                alert: alert.is_some(),
                name: named.to_owned(),
                normal: promql::normal(&expr),
                expr,
                wait: field("for"),
                keep: field("keep_firing_for"),
                labels: map("labels"),
                annotations: map("annotations"),
            });
        }
    }
}

/// A dashboard.
pub(super) struct Dashboard<'c> {
    pub(super) seen: Seen<'c>,
    pub(super) title: String,
    pub(super) uid: String,
    /// Without its uid, and without what its editor counts up.
    pub(super) content: Value,
    /// As it stands in the ConfigMap, to look for metrics in.
    pub(super) text: &'c str,
}

/// All dashboards of a render.
pub(super) fn dashboards<'c>(objects: &[Seen<'c>]) -> Vec<Dashboard<'c>> {
    let mut dashboards = Vec::new();
    for seen in objects {
        let texts: Vec<&str> = match seen.kind() {
            "ConfigMap" => {
                entries(seen.value(), &["data"]).filter(|(key, _)| key.ends_with(".json")).filter_map(|(_, text)| text.as_str()).collect()
            }
            "GrafanaDashboard" => text(seen.value(), &["spec", "json"]).into_iter().collect(),
            _ => continue,
        };
        for text in texts.into_iter().filter(|text| text.len() <= LARGEST) {
            let Ok(Value::Object(mut content)) = serde_json::from_str::<Value>(text) else { continue };
            if !content.contains_key("panels") && !content.contains_key("rows") {
                continue;
            }
            let field = |key: &str| content.get(key).and_then(Value::as_str).unwrap_or_default().to_owned();
            let (title, uid) = (field("title"), field("uid"));
            for counted in ["version", "uid", "id", "iteration", "gnetId", "__inputs", "__requires"] {
                content.remove(counted);
            }
            dashboards.push(Dashboard { seen: *seen, title, uid, content: Value::Object(content), text });
        }
    }
    dashboards
}
