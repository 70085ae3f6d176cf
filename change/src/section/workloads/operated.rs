//! Objects whose operator runs the pods: those of the Prometheus Operator.

use super::super::Context;
use super::super::read::{and, claim};
use super::why::lines;
use super::{new_of, scale};
use crate::compare::{Change, Pair, Step};
use crate::summary::{Item, ObjectRef, Weight};
use crate::verdict::RESTART;

const GROUP: &str = "monitoring.coreos.com";
const KINDS: [&str; 4] = ["Alertmanager", "Prometheus", "PrometheusAgent", "ThanosRuler"];

/// Fields of the spec that end up in the configuration, which is reloaded; from `makeStatefulSetSpec` and the config generator of
/// prometheus-operator 0.90. All others are taken for ones that restart.
const RELOADED: [&str; 20] = [
    "additionalAlertManagerConfigs",
    "additionalAlertRelabelConfigs",
    "additionalScrapeConfigs",
    "alerting",
    "alertmanagerConfigMatcherStrategy",
    "alertmanagerConfiguration",
    "arbitraryFSAccessThroughSMs",
    "evaluationInterval",
    "excludedFromEnforcement",
    "externalLabels",
    "overrideHonorLabels",
    "overrideHonorTimestamps",
    "queryLogFile",
    "remoteRead",
    "remoteWrite",
    "scrapeClasses",
    "scrapeInterval",
    "scrapeProtocols",
    "scrapeTimeout",
    "tracingConfig",
];

/// Whether the object has pods that prometheus-operator makes.
pub(super) fn is_operated(object: &ObjectRef) -> bool {
    object.group == GROUP && KINDS.contains(&object.kind.as_str())
}

pub(super) fn items(context: &Context<'_>) -> Vec<Item> {
    let reloader = reloader_changes(context);
    let mut items = Vec::new();
    let mut untouched = Vec::new();
    for pair in context.objects.pairs.iter().filter(|pair| is_operated(&pair.object)) {
        items.extend(scale::replicas(pair));
        match restart(pair, reloader) {
            Some(item) => items.push(item),
            None => untouched.push(pair.object.name.as_str()),
        }
        items.extend(reload(pair));
        items.extend(storage(pair));
    }
    items.extend(operators(context, &untouched));
    items
}

fn field(change: &Change) -> Option<&str> {
    match change.path.as_slice() {
        [Step::Key(spec), Step::Key(field), ..] if spec == "spec" => Some(field),
        _ => None,
    }
}

fn is_reloaded(field: &str) -> bool {
    RELOADED.contains(&field) || field.ends_with("Selector") && field != "nodeSelector" || field.starts_with("enforced")
}

fn restart(pair: &Pair<'_>, reloader: bool) -> Option<Item> {
    let told =
        |change: &&Change| field(change).is_some_and(|field| !is_reloaded(field) && !matches!(field, "replicas" | "storage" | "paused"));
    let changes: Vec<&Change> = pair.changes.iter().filter(told).collect();
    let mut names: Vec<&str> = changes.iter().filter_map(|change| field(change)).collect();
    names.dedup();
    if reloader {
        names.push("the config-reloader beside it, which the operator's arguments name");
    }
    if names.is_empty() {
        return None;
    }
    let paused = if pair.new.value["spec"]["paused"] == true { " once it is not paused any more" } else { "" };
    let what = format!("prometheus-operator replaces its pods{paused}: {}", and(&names));
    let one = pair.new.value["spec"]["replicas"].as_u64().unwrap_or(1) == 1;
    let what = if one { format!("{what}; there is only one, down meanwhile") } else { what };
    let weight = if one { Weight::Look } else { Weight::Know };
    Some(claim(RESTART, weight, what, &[new_of(pair)]).detail(lines(changes.into_iter())))
}

fn reload(pair: &Pair<'_>) -> Option<Item> {
    let changes: Vec<&Change> = pair.changes.iter().filter(|change| field(change).is_some_and(is_reloaded)).collect();
    let mut names: Vec<&str> = changes.iter().filter_map(|change| field(change)).collect();
    names.dedup();
    (!names.is_empty()).then(|| {
        let what = format!("reloads its configuration, without a restart: {}", and(&names));
        claim("config-reload", Weight::Know, what, &[new_of(pair)]).detail(lines(changes.into_iter()))
    })
}

fn storage(pair: &Pair<'_>) -> Option<Item> {
    let changes: Vec<&Change> = pair.changes.iter().filter(|change| change.under(&["spec", "storage"])).collect();
    (!changes.is_empty()).then(|| {
        let what = "its storage changes: prometheus-operator deletes its StatefulSet and makes it anew; claims that exist stay as they are, so \
                    that a new size or class holds for new ones only";
        claim("operated-storage", Weight::Look, what, &[new_of(pair)]).detail(lines(changes.into_iter()))
    })
}

/// Whether an operator gets another config-reloader to put beside everything that it runs.
fn reloader_changes(context: &Context<'_>) -> bool {
    let names = |change: &Change| {
        change.after.as_ref().and_then(serde_json::Value::as_str).is_some_and(|arg| arg.starts_with("--prometheus-config-reloader="))
    };
    context.objects.pairs.iter().filter(|pair| pair.object.kind == "Deployment").flat_map(|pair| &pair.changes).any(names)
}

/// Operators whose image changes: what they manage may restart although its objects stay the same.
fn operators(context: &Context<'_>, untouched: &[&str]) -> Vec<Item> {
    let is_image = |change: &Change| {
        matches!(change.path.last(), Some(Step::Key(key)) if key == "image") && change.under(&["spec", "template", "spec", "containers"])
    };
    let image = |change: &Change| change.after.as_ref().and_then(serde_json::Value::as_str).map(str::to_owned);
    let of = |pair: &Pair<'_>| {
        let operator = pair.changes.iter().filter(|change| is_image(change)).filter_map(image).find(|image| {
            let name = image.rsplit('/').next().unwrap_or(image);
            name.split([':', '@']).next().is_some_and(|name| name.ends_with("-operator"))
        });
        operator.map(|_| {
            let whom = if untouched.is_empty() { String::new() } else { format!(" ({})", and(untouched)) };
            let what = format!("is an operator with a new version: what it manages may restart although its objects stay the same{whom}");
            claim("operator-changed", Weight::Know, what, &[new_of(pair)])
        })
    };
    context.objects.pairs.iter().filter(|pair| pair.object.kind == "Deployment").filter_map(of).collect()
}
