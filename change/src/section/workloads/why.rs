//! Why pods restart, in words.

use std::collections::BTreeMap;

use serde_json::Value;

use crate::compare::{Change, Step};

use super::super::read::{clean, few, plain};

/// Values of one line of detail, in characters.
const SHOWN: usize = 90;
/// Lines of detail of one restart; the whole list is in the render.
const MOST_LINES: usize = 40;

/// What is the same in another order, and stands behind all that is not.
const ORDER: &str = "another order";
const LAST: u8 = u8::MAX;

/// Reasons of one kind, about one container or about the pod.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord, Clone)]
struct Why {
    rank: u8,
    what: &'static str,
    container: Option<String>,
}

/// Why pods restart: phrases, the most telling first, and whether there is nothing but labels, annotations and another order.
#[derive(Debug, Default)]
pub(super) struct Reasons {
    pub(super) phrases: Vec<String>,
    pub(super) for_nothing: bool,
}

/// Sorts the changes below a pod template into phrases. `below` are the keys of the template; `configs` is what the pods read and
/// that changes too, which is what a checksum stands for.
pub(super) fn reasons<'c>(changes: impl Iterator<Item = &'c Change>, below: usize, configs: &[String]) -> Reasons {
    let mut all: BTreeMap<Why, Vec<String>> = BTreeMap::new();
    for change in changes {
        let (why, name) = why(&change.path, below);
        let of = why.container.clone();
        let why = if only_turns(change) { Why { rank: LAST, what: ORDER, container: None } } else { why };
        let name = match why.what {
            "image" => tags(change).or(name),
            "environment" => turned(change).or(name),
            ORDER => list_name(change, of.as_deref()).or(name),
            _ => name,
        };
        let names = all.entry(why).or_default();
        if let Some(name) = name
            && !names.contains(&name)
        {
            names.push(name);
        }
    }
    // Beside anything else another order is not worth a word.
    if all.keys().any(|why| why.what != ORDER) {
        all.retain(|why, _| why.what != ORDER);
    }
    let for_nothing = !all.is_empty() && all.keys().all(|why| matches!(why.what, "label" | "annotation" | ORDER));
    Reasons { phrases: all.iter().map(|(why, names)| phrase(why, names, configs)).collect(), for_nothing }
}

fn phrase(why: &Why, names: &[String], configs: &[String]) -> String {
    let mut text = match (why.what, names.len()) {
        ("configuration", _) if !configs.is_empty() => few(configs, 3),
        ("label", 2..) => "labels".to_owned(),
        ("annotation", 2..) => "annotations".to_owned(),
        (what, _) => what.to_owned(),
    };
    if let Some(container) = &why.container {
        text.push_str(&format!(" of {container}"));
    }
    match why.what {
        "label" | "annotation" => text.push_str(&format!(" {}", few(names, 3))),
        _ if !names.is_empty() => text.push_str(&format!(" ({})", few(names, 3))),
        _ => {}
    }
    text
}

/// What the path is about, and the name of the thing there.
fn why(path: &[Step], below: usize) -> (Why, Option<String>) {
    let inside = path.get(below..).unwrap_or_default();
    let keys: Vec<&str> = inside
        .iter()
        .filter_map(|step| match step {
            Step::Key(key) => Some(key.as_str()),
            Step::Item(_) | Step::Index(_) => None,
        })
        .collect();
    let items: Vec<&str> = inside
        .iter()
        .filter_map(|step| match step {
            Step::Item(name) => Some(name.as_str()),
            Step::Key(_) | Step::Index(_) => None,
        })
        .collect();
    let pod = |rank, what, name: Option<&str>| (Why { rank, what, container: None }, name.map(str::to_owned));
    let first = items.first().copied();
    match keys.as_slice() {
        [] => pod(0, "all of it", None),
        ["metadata", "annotations", key, ..] if is_checksum(key) => pod(1, "configuration", Some(key)),
        ["metadata", "annotations", key, ..] => pod(9, "annotation", Some(key)),
        ["metadata", "labels", key, ..] => pod(9, "label", Some(key)),
        ["spec", list @ ("containers" | "initContainers"), rest @ ..] => container(list, rest, &items),
        ["spec", "volumes", ..] => pod(5, "volumes", first),
        ["spec", key @ ("hostNetwork" | "hostPID" | "hostIPC"), ..] => pod(2, "access to the node", Some(key)),
        ["spec", "serviceAccountName" | "serviceAccount" | "automountServiceAccountToken", ..] => pod(4, "service account", None),
        ["spec", "affinity" | "nodeSelector" | "tolerations" | "topologySpreadConstraints" | "nodeName", ..] => {
            pod(6, "where its pods may run", None)
        }
        ["spec", "priorityClassName" | "priority", ..] => pod(6, "priority", None),
        ["spec", "securityContext", ..] => pod(4, "security context", None),
        ["spec", "terminationGracePeriodSeconds"] => pod(7, "time to stop", None),
        ["spec", "imagePullSecrets", ..] => pod(7, "image pull secrets", None),
        [.., key] => pod(8, "other fields", Some(key)),
    }
}

fn container(list: &str, keys: &[&str], items: &[&str]) -> (Why, Option<String>) {
    let name = items.first().copied().unwrap_or("a container");
    let of = |rank, what, thing: Option<&str>| (Why { rank, what, container: Some(name.to_owned()) }, thing.map(str::to_owned));
    let inner = items.get(1).copied();
    match keys {
        [] if list == "containers" => (Why { rank: 2, what: "containers", container: None }, items.first().map(|name| (*name).to_owned())),
        [] => (Why { rank: 2, what: "init containers", container: None }, items.first().map(|name| (*name).to_owned())),
        ["image", ..] => of(0, "image", None),
        ["args" | "command", ..] => of(3, "arguments", None),
        ["env" | "envFrom", ..] => of(3, "environment", inner),
        ["resources", ..] => of(4, "resources", None),
        [probe @ ("livenessProbe" | "readinessProbe" | "startupProbe"), ..] => of(5, "probes", Some(probe.trim_end_matches("Probe"))),
        ["securityContext", ..] => of(4, "security context", None),
        ["ports", ..] => of(5, "ports", inner),
        ["volumeMounts" | "volumeDevices", ..] => of(5, "mounts", inner),
        ["lifecycle", ..] => of(5, "lifecycle hooks", None),
        [key, ..] => of(8, "other fields", Some(key)),
    }
}

/// Annotations that charts put on pods so that they restart with their configuration.
fn is_checksum(key: &str) -> bool {
    let key = key.to_ascii_lowercase();
    ["checksum", "hash", "sha256", "config-version"].iter().any(|word| key.contains(word))
}

/// `1.2 to 1.3`, when nothing but the tag of an image changes.
fn tags(change: &Change) -> Option<String> {
    let (before, after) = (change.before.as_ref()?.as_str()?, change.after.as_ref()?.as_str()?);
    let (old, was) = split(before);
    let (new, is) = split(after);
    Some(if old == new { format!("{was} to {is}") } else { format!("{before} to {after}") })
}

/// `B: $(A) now stands after it`, when nothing but the order of two variables changes.
fn turned(change: &Change) -> Option<String> {
    let Some(Step::Item(variable)) = change.path.last() else { return None };
    let after = change.after.as_ref()?.as_array()?;
    let [first, second] = after.as_slice() else { return None };
    let (first, second) = (first.as_str()?, second.as_str()?);
    change.before.as_ref()?.is_array().then(|| {
        let (other, side) = if first == variable { (second, "after") } else { (first, "before") };
        format!("{variable}: $({other}) now stands {side} it")
    })
}

/// Whether a list has the same items in another order. That of init containers is meant, and so is that of variables that use each other.
fn only_turns(change: &Change) -> bool {
    let (Some(Value::Array(before)), Some(Value::Array(after))) = (&change.before, &change.after) else { return false };
    let is_meant = match change.path.last() {
        Some(Step::Key(key)) => key == "initContainers",
        _ => true,
    };
    !is_meant && before.len() == after.len() && after.iter().all(|item| before.contains(item))
}

/// The list whose order changes, and of which container it is.
fn list_name(change: &Change, container: Option<&str>) -> Option<String> {
    match change.path.last()? {
        Step::Key(key) => Some(container.map_or_else(|| key.clone(), |container| format!("{key} of {container}"))),
        Step::Item(_) | Step::Index(_) => None,
    }
}

/// Name and tag or digest of an image.
fn split(image: &str) -> (&str, &str) {
    let path = image.rfind('/').map_or(0, |at| at + 1);
    let at = image[path..].find(['@', ':']).map_or(image.len(), |at| path + at);
    (&image[..at], image[at..].trim_start_matches([':', '@']))
}

/// `path: before to after`, a line for each change.
pub(super) fn lines<'c>(changes: impl Iterator<Item = &'c Change>) -> Vec<String> {
    let shown = |value: &Option<serde_json::Value>| value.as_ref().map(|value| clean(&plain(value), SHOWN));
    let line = |change: &Change| {
        let path = change.path_text();
        match (shown(&change.before), shown(&change.after)) {
            (Some(before), Some(_)) if change.before == change.after => format!("{path}: {before}, changed"),
            (Some(_), Some(_)) if said_alike(change) => format!("{path}: {} to {}", as_json(&change.before), as_json(&change.after)),
            (Some(before), Some(after)) if before == after => format!("{path}: {}", further_on(change)),
            (Some(before), Some(after)) => format!("{path}: {before} to {after}"),
            (None, Some(after)) => format!("{path}: {after} is new"),
            (Some(before), None) => format!("{path}: {before} goes"),
            (None, None) => path,
        }
    };
    changes.take(MOST_LINES).map(line).collect()
}

/// Whether a number or boolean becomes the text that reads like it, or the other way round.
fn said_alike(change: &Change) -> bool {
    change.before.as_ref().map(plain) == change.after.as_ref().map(plain)
}

/// With the quotes of a text.
fn as_json(value: &Option<Value>) -> String {
    value.as_ref().map(|value| clean(&value.to_string(), SHOWN)).unwrap_or_default()
}

/// What differs in two long texts that begin alike.
fn further_on(change: &Change) -> String {
    let text = |value: &Option<serde_json::Value>| value.as_ref().map(plain).unwrap_or_default();
    let (before, after) = (text(&change.before), text(&change.after));
    let same = before.chars().zip(after.chars()).take_while(|(a, b)| a == b).count();
    let from = same.saturating_sub(SHOWN / 3);
    let part = |text: &str| clean(&text.chars().skip(from).collect::<String>(), SHOWN);
    format!("…{} to …{}", part(&before), part(&after))
}
