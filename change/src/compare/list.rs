//! How the items of a list are told apart.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Map, Value};

/// Fields whose strings have no order.
const SETS: [&str; 24] = [
    "accessModes",
    "add",
    "allowedCapabilities",
    "apiGroups",
    "apiVersions",
    "categories",
    "drop",
    "externalIPs",
    "finalizers",
    "hosts",
    "loadBalancerSourceRanges",
    "matchNames",
    "mountOptions",
    "namespaces",
    "nonResourceURLs",
    "operations",
    "policyTypes",
    "requiredDropCapabilities",
    "resourceNames",
    "resources",
    "shortNames",
    "supplementalGroups",
    "values",
    "verbs",
];

/// Fields whose maps have no order and no name.
const BAGS: [&str; 5] = ["tolerations", "matchExpressions", "imagePullSecrets", "from", "to"];

/// Fields whose items have names, and whose order is nevertheless meant.
const ORDERED: [&str; 1] = ["initContainers"];

/// Keys that together name an item, tried in this order after `name`.
const KEYS: [&[&str]; 19] = [
    &["name"],
    &["mountPath"],
    &["containerPort", "protocol"],
    &["port", "protocol"],
    &["port"],
    &["devicePath"],
    &["topologyKey", "whenUnsatisfiable"],
    &["kind", "namespace", "name"],
    &["kind", "name"],
    &["path"],
    &["host"],
    &["ip"],
    &["uid"],
    &["alert"],
    &["record"],
    &["type"],
    &["key"],
    &["name", "namespace"],
    &["secretName"],
];

/// How two lists are laid against each other.
pub(super) enum Layout {
    /// By names, one for each item of the old and of the new list.
    Named { old: Vec<String>, new: Vec<String>, ordered: bool },
    /// Without order.
    Bag,
    /// In order.
    Sequence,
}

pub(super) fn layout(builtin: bool, kind: &str, keys: &[&str], old: &[Value], new: &[Value]) -> Layout {
    let field = keys.last().copied().unwrap_or_default();
    let all = || old.iter().chain(new);
    if all().all(Value::is_string) {
        let set = SETS.contains(&field) && (builtin || field == "matchNames") && kind != "ConfigMap";
        return if set && distinct(old) && distinct(new) { Layout::Bag } else { Layout::Sequence };
    }
    if !all().all(Value::is_object) {
        return Layout::Sequence;
    }
    if BAGS.contains(&field) || (field == "rules" && matches!(kind, "Role" | "ClusterRole")) {
        return Layout::Bag;
    }
    if kind == "PrometheusRule" && field == "rules" {
        return Layout::Named { old: rule_names(old), new: rule_names(new), ordered: false };
    }
    let ordered = ORDERED.contains(&field);
    for key in KEYS {
        if let (Some(old), Some(new)) = (names(key, old), names(key, new)) {
            return Layout::Named { old, new, ordered };
        }
    }
    match (claim_names(old), claim_names(new)) {
        (Some(old), Some(new)) => Layout::Named { old, new, ordered },
        _ => Layout::Sequence,
    }
}

/// The names of all items, where each has one and no two are alike.
fn names(keys: &[&str], items: &[Value]) -> Option<Vec<String>> {
    let names: Vec<String> = items.iter().map(|item| item.as_object().and_then(|map| name(keys, map))).collect::<Option<_>>()?;
    unique(names)
}

fn name(keys: &[&str], map: &Map<String, Value>) -> Option<String> {
    let part = |(at, key): (usize, &&str)| match map.get(*key) {
        Some(Value::String(text)) if text.is_empty() && *key == "protocol" => Some("TCP".to_owned()),
        Some(Value::String(text)) => Some(text.clone()),
        Some(Value::Number(number)) => Some(number.to_string()),
        // A number without a protocol is a port of TCP; a port that a monitor names has none. A subject need not have a namespace.
        None if at > 0 && *key == "protocol" && map.get(keys[0]).is_some_and(Value::is_number) => Some("TCP".to_owned()),
        None if keys.len() > 1 && *key == "namespace" => Some(String::new()),
        _ => None,
    };
    let parts: Vec<String> = keys.iter().enumerate().map(part).collect::<Option<_>>()?;
    Some(parts.into_iter().filter(|part| !part.is_empty()).collect::<Vec<_>>().join("/"))
}

/// Claim templates of a StatefulSet have their name where objects have it.
fn claim_names(items: &[Value]) -> Option<Vec<String>> {
    unique(items.iter().map(|item| item["metadata"]["name"].as_str().map(str::to_owned)).collect::<Option<_>>()?)
}

/// Alerts come with several severities under one name: the second of a name is told by its severity or its place.
fn rule_names(items: &[Value]) -> Vec<String> {
    let mut seen = BTreeSet::new();
    // Where the next of a name begins to look: ten thousand of one name are not counted anew for each.
    let mut places: BTreeMap<String, usize> = BTreeMap::new();
    let each = |item: &Value| {
        let name = item["alert"].as_str().or_else(|| item["record"].as_str()).unwrap_or("rule").to_owned();
        let severity = item["labels"]["severity"].as_str().map(|severity| format!("{name}/{severity}"));
        let mut wanted = severity.unwrap_or(name.clone());
        while !seen.insert(wanted.clone()) {
            let place = places.entry(name.clone()).or_insert(2);
            wanted = format!("{name}#{place}");
            *place += 1;
        }
        wanted
    };
    items.iter().map(each).collect()
}

fn unique(names: Vec<String>) -> Option<Vec<String>> {
    let distinct: BTreeSet<&str> = names.iter().map(String::as_str).collect();
    (distinct.len() == names.len()).then_some(names)
}

fn distinct(items: &[Value]) -> bool {
    let found: BTreeSet<&str> = items.iter().filter_map(Value::as_str).collect();
    found.len() == items.len()
}

/// Whether two items that stand at the same place of two lists are one that was edited, and not one for another.
pub(super) fn is_edit(old: &Value, new: &Value) -> bool {
    match (old, new) {
        (Value::Object(_), Value::Object(_)) => true,
        (Value::String(old), Value::String(new)) => match (flag(old), flag(new)) {
            (Some(old), Some(new)) => old == new,
            (None, None) => true,
            _ => false,
        },
        _ => std::mem::discriminant(old) == std::mem::discriminant(new),
    }
}

/// `--log.level` of `--log.level=info`.
fn flag(text: &str) -> Option<&str> {
    text.starts_with('-').then(|| text.split_once('=').map_or(text, |(flag, _)| flag))
}
