//! Configuration that changes while the pods that read it do not restart.

use std::collections::BTreeSet;

use serde_json::Value;

use super::super::Context;
use super::super::read::{claim, few, list, text};
use super::{is_workload, new_of, template};
use crate::compare::Pair;
use crate::summary::{Item, Weight};

/// How pods read a ConfigMap or a Secret.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Reads {
    /// As files that follow.
    Files,
    /// Once, when they start.
    AtStart,
}

/// ConfigMaps and Secrets with another content: kind, namespace, name.
pub(super) type Changed<'c> = BTreeSet<(&'c str, &'c str, &'c str)>;

pub(super) fn changed<'c>(context: &'c Context<'_>) -> Changed<'c> {
    let pairs = context.objects.pairs.iter();
    pairs
        .filter(|pair| matches!(pair.object.kind.as_str(), "ConfigMap" | "Secret") && pair.object.group.is_empty())
        .filter(|pair| pair.changes.iter().any(|change| ["data", "stringData", "binaryData"].iter().any(|key| change.under(&[key]))))
        .map(|pair| (pair.object.kind.as_str(), pair.object.namespace.as_str(), pair.object.name.as_str()))
        .collect()
}

/// Those of them that the pods of this workload read, as people name them.
pub(super) fn changed_under(pair: &Pair<'_>, changed: &Changed<'_>) -> Vec<String> {
    let read = reads(&template(&pair.new.value)["spec"]);
    let hit = |(kind, name): &(&str, &str)| changed.contains(&(*kind, pair.object.namespace.as_str(), *name));
    let named: BTreeSet<(&str, &str)> = read.into_iter().map(|(kind, name, _)| (kind, name)).collect();
    named.into_iter().filter(hit).map(|(kind, name)| format!("{kind} {name}")).collect()
}

pub(super) fn items(context: &Context<'_>, changed: &Changed<'_>) -> Vec<Item> {
    let lasting =
        |pair: &&Pair<'_>| matches!(pair.object.kind.as_str(), "Deployment" | "StatefulSet" | "DaemonSet") && is_workload(&pair.object);
    let resting =
        context.objects.pairs.iter().filter(lasting).filter(|pair| !pair.changes.iter().any(|change| change.under(&["spec", "template"])));
    resting.filter_map(|pair| one(pair, changed)).collect()
}

fn one(pair: &Pair<'_>, changed: &Changed<'_>) -> Option<Item> {
    let spec = &template(&pair.new.value)["spec"];
    let mut read = reads(spec);
    read.retain(|(kind, name, _)| changed.contains(&(*kind, pair.object.namespace.as_str(), *name)));
    if read.is_empty() {
        return None;
    }
    let named = |how: Reads| -> Vec<String> {
        let names: BTreeSet<String> = read.iter().filter(|(.., is)| *is == how).map(|(kind, name, _)| format!("{kind} {name}")).collect();
        names.into_iter().collect()
    };
    let (files, once) = (named(Reads::Files), named(Reads::AtStart));
    let restart = format!(
        "kubectl rollout restart {}/{} --namespace {}",
        pair.object.kind.to_ascii_lowercase(),
        pair.object.name,
        pair.object.namespace
    );
    if !once.is_empty() {
        let what = format!("does not restart, and reads {} only when it starts: it goes on with the old content", few(&once, 3));
        return Some(claim("config-not-read", Weight::Look, what, &[new_of(pair)]).next(restart));
    }
    if has_reloader(spec) {
        let what = format!("does not restart; a container beside it reloads {}", few(&files, 3));
        return Some(claim("config-reloaded", Weight::Know, what, &[new_of(pair)]));
    }
    let what = format!(
        "does not restart for {}: its files follow within about a minute, and whether it reads them again is its own affair",
        few(&files, 3)
    );
    Some(claim("config-without-restart", Weight::Look, what, &[new_of(pair)]).next(restart))
}

/// Kind, name, and how it is read.
fn reads(spec: &Value) -> BTreeSet<(&str, &str, Reads)> {
    let mut found = BTreeSet::new();
    let containers: Vec<&Value> = list(spec, &["containers"]).iter().chain(list(spec, &["initContainers"])).collect();
    let mounts = |volume: &str, what: &dyn Fn(&Value) -> bool| {
        containers
            .iter()
            .any(|container| list(container, &["volumeMounts"]).iter().any(|mount| text(mount, &["name"]) == Some(volume) && what(mount)))
    };
    for volume in list(spec, &["volumes"]) {
        let name = text(volume, &["name"]).unwrap_or_default();
        // A file mounted by subPath does not follow.
        let whole = mounts(name, &|mount| mount.get("subPath").is_none() && mount.get("subPathExpr").is_none());
        let part = mounts(name, &|mount| mount.get("subPath").is_some() || mount.get("subPathExpr").is_some());
        for (kind, object) in sources(volume) {
            if whole {
                found.insert((kind, object, Reads::Files));
            }
            if part {
                found.insert((kind, object, Reads::AtStart));
            }
        }
    }
    for container in &containers {
        let from = list(container, &["envFrom"])
            .iter()
            .flat_map(|from| [("ConfigMap", text(from, &["configMapRef", "name"])), ("Secret", text(from, &["secretRef", "name"]))]);
        let keys = list(container, &["env"]).iter().flat_map(|env| {
            [
                ("ConfigMap", text(env, &["valueFrom", "configMapKeyRef", "name"])),
                ("Secret", text(env, &["valueFrom", "secretKeyRef", "name"])),
            ]
        });
        found.extend(from.chain(keys).filter_map(|(kind, name)| Some((kind, name?, Reads::AtStart))));
    }
    found
}

fn sources(volume: &Value) -> Vec<(&'static str, &str)> {
    let direct = [("ConfigMap", text(volume, &["configMap", "name"])), ("Secret", text(volume, &["secret", "secretName"]))];
    let projected = list(volume, &["projected", "sources"])
        .iter()
        .flat_map(|source| [("ConfigMap", text(source, &["configMap", "name"])), ("Secret", text(source, &["secret", "name"]))]);
    direct.into_iter().chain(projected).filter_map(|(kind, name)| Some((kind, name?))).collect()
}

fn has_reloader(spec: &Value) -> bool {
    let is = |container: &Value| {
        let words = [text(container, &["name"]), text(container, &["image"])];
        words.into_iter().flatten().any(|word| word.contains("reload") || word.contains("k8s-sidecar"))
    };
    list(spec, &["containers"]).iter().any(is)
}
