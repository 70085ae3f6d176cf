//! Workloads: which pods restart and why, what runs that did not, and what runs no more.

mod config;
mod operated;
mod power;
mod resources;
mod restart;
mod scale;
#[cfg(test)]
mod tests;
mod why;

use serde_json::Value;

use super::Context;
use super::read::{Seen, about, claim, finish};
use crate::compare::{Pair, Single};
use crate::summary::{Item, ObjectRef, Weight};
use crate::verdict::GONE;

/// Kinds that run pods.
const KINDS: [&str; 7] = ["CronJob", "DaemonSet", "Deployment", "Job", "Pod", "ReplicaSet", "StatefulSet"];

pub(super) fn items(context: &Context<'_>) -> Vec<Item> {
    let mut items = Vec::new();
    let changed = config::changed(context);
    for pair in context.objects.pairs.iter().filter(|pair| is_workload(&pair.object)) {
        items.extend(restart::item(pair, &config::changed_under(pair, &changed)));
        items.extend(restart::resumed(pair));
        items.extend(scale::items(context, pair));
        items.extend(resources::item(pair));
        items.extend(power::item(&pair.object, Some(&pair.old.value), pair.new));
    }
    items.extend(operated::items(context));
    items.extend(come_and_go(context));
    items.extend(config::items(context, &changed));
    items.extend(scale::disruption(context));
    items.extend(scale::turned(context));
    finish(together(items))
}

/// Whether the object runs pods of itself.
pub(super) fn is_workload(object: &ObjectRef) -> bool {
    KINDS.contains(&object.kind.as_str()) && matches!(object.group.as_str(), "" | "apps" | "batch" | "extensions")
}

/// Whether this section tells of the object when it comes or goes.
pub(super) fn tells_of(object: &ObjectRef) -> bool {
    is_workload(object)
        || operated::is_operated(object)
        || matches!(object.kind.as_str(), "HorizontalPodAutoscaler" | "PodDisruptionBudget")
}

/// The template of the pods.
fn template(value: &Value) -> &Value {
    match value["kind"].as_str() {
        Some("CronJob") => &value["spec"]["jobTemplate"]["spec"]["template"],
        Some("Pod") => value,
        _ => &value["spec"]["template"],
    }
}

fn come_and_go(context: &Context<'_>) -> Vec<Item> {
    let mut items = Vec::new();
    for one in told(&context.objects.added) {
        items.push(claim("workload-added", Weight::Know, arrival(one.value()), &[one]));
        items.extend(power::item(one.object, None, one.rendered));
    }
    for one in told(&context.objects.removed) {
        let kept = super::read::kept(one.value());
        let what =
            if kept { "is no more part of the chart, and stays in the cluster: it says so itself" } else { "goes, and its pods with it" };
        let what = if is_workload(one.object) || kept || operated::is_operated(one.object) { what } else { "goes" };
        items.push(claim(GONE, if kept { Weight::Know } else { Weight::Look }, what, &[one]));
    }
    items
}

fn told<'c>(singles: &'c [Single<'_>]) -> impl Iterator<Item = Seen<'c>> {
    singles.iter().filter(|one| tells_of(&one.object)).map(|one| Seen { object: &one.object, rendered: one.rendered })
}

fn arrival(value: &Value) -> String {
    let replicas = value["spec"]["replicas"].as_u64();
    match (value["kind"].as_str(), replicas) {
        (Some("Deployment" | "StatefulSet" | "Prometheus" | "Alertmanager" | "ThanosRuler"), replicas) => {
            let n = replicas.unwrap_or(1);
            format!("is new, with {}", super::read::count(usize::try_from(n).unwrap_or(usize::MAX), "pod", "pods"))
        }
        (Some("DaemonSet"), _) => "is new, with a pod on each node that it selects".to_owned(),
        _ => "is new".to_owned(),
    }
}

/// One claim for all objects of which it holds alike.
fn together(items: Vec<Item>) -> Vec<Item> {
    let mut merged: Vec<Item> = Vec::new();
    for item in items {
        let same = merged.iter_mut().find(|one| {
            one.code == item.code
                && one.weight == item.weight
                && one.what == item.what
                && one.detail == item.detail
                && one.next == item.next
                && one.path == item.path
        });
        match same {
            Some(first) => {
                let mut objects =
                    if first.objects.is_empty() { first.object.iter().cloned().collect() } else { std::mem::take(&mut first.objects) };
                objects.extend(item.object);
                about(first, objects);
            }
            None => merged.push(item),
        }
    }
    merged
}

/// The pair as one that has been seen in the new render.
fn new_of<'c>(pair: &'c Pair<'_>) -> Seen<'c> {
    Seen { object: &pair.object, rendered: pair.new }
}
