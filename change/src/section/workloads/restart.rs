//! Pods that a workload replaces because their template changes.

use serde_json::Value;

use super::super::read::{and, claim, list, text};
use super::new_of;
use super::why::{lines, reasons};
use crate::compare::drawn::{is_of_every_upgrade, may_be_looked_up};
use crate::compare::{Change, Pair};
use crate::summary::{Item, Weight};
use crate::verdict::{MAY_RESTART, RESTART};

const TEMPLATE: [&str; 2] = ["spec", "template"];
const CRON_TEMPLATE: [&str; 4] = ["spec", "jobTemplate", "spec", "template"];

/// `configs`: what the pods read and that changes too.
pub(super) fn item(pair: &Pair<'_>, configs: &[String]) -> Option<Item> {
    let kind = pair.object.kind.as_str();
    let below: &[&str] = match kind {
        "CronJob" => &CRON_TEMPLATE,
        // A Job cannot be changed, and a pod hardly: the blockers say so.
        "Job" | "Pod" => return None,
        _ => &TEMPLATE,
    };
    let changes: Vec<&Change> = pair.changes.iter().filter(|change| change.under(below)).collect();
    if changes.is_empty() {
        return None;
    }
    let (always, once): (Vec<&Change>, Vec<&Change>) = changes.iter().partition(|change| is_of_every_upgrade(change));
    let kept = !always.is_empty() && always.iter().all(|change| may_be_looked_up(change));
    let found = reasons(once.iter().copied(), below.len(), configs);
    let always = and(&reasons(always.into_iter(), below.len(), &[]).phrases);
    let each = if kept { "another each time, unless `lookup` finds the last one in the cluster" } else { "another each time" };
    let because = match (found.phrases.is_empty(), always.is_empty()) {
        (_, true) => and(&found.phrases),
        (true, false) => format!("{always} ({each})"),
        (false, false) => format!("{}; and on every upgrade: {always} ({each})", and(&found.phrases)),
    };
    let value = &pair.new.value;
    let detail = lines(changes.iter().copied());
    if kind == "CronJob" {
        return Some(claim("job-template", Weight::Know, format!("its next run differs: {because}"), &[new_of(pair)]).detail(detail));
    }
    if strategy(value) == "OnDelete" {
        let what = format!("its pods keep the old version until you delete them (strategy OnDelete): {because}");
        return Some(claim("pods-restart-by-hand", Weight::Look, what, &[new_of(pair)]).detail(detail));
    }
    if let Some((why, next)) = held(pair) {
        let what = format!("its pods keep the old version, {why}: {because}");
        return Some(claim("pods-restart-by-hand", Weight::Look, what, &[new_of(pair)]).detail(detail).next(next));
    }
    let (weight, how) = manner(value);
    if kept && found.phrases.is_empty() {
        let what = format!("its pods may restart on every upgrade{how}: {because}");
        return Some(claim(MAY_RESTART, weight, what, &[new_of(pair)]).detail(detail));
    }
    let what = if found.phrases.is_empty() {
        format!("its pods restart on every upgrade{how}: {because}")
    } else if found.for_nothing {
        format!("its pods restart for nothing but {because}{how}")
    } else {
        format!("its pods restart{how}: {because}")
    };
    Some(claim(RESTART, weight, what, &[new_of(pair)]).detail(detail))
}

/// A Deployment that is paused no more: whether it has held anything back, the cluster knows alone.
pub(super) fn resumed(pair: &Pair<'_>) -> Option<Item> {
    let paused = |value: &Value| value["spec"]["paused"] == true;
    let resumed = pair.object.kind == "Deployment" && paused(&pair.old.value) && !paused(&pair.new.value);
    let what = "is no longer paused: if it has held back changes of its pods, they restart for them now";
    resumed.then(|| claim("resumed", Weight::Look, what, &[new_of(pair)]))
}

fn strategy(value: &Value) -> &str {
    let field = if value["kind"] == "Deployment" { "strategy" } else { "updateStrategy" };
    text(value, &["spec", field, "type"]).unwrap_or("RollingUpdate")
}

/// What keeps pods as they are although their template changes, and what lets them go.
fn held(pair: &Pair<'_>) -> Option<(String, String)> {
    let object = &pair.object;
    let spec = &pair.new.value["spec"];
    if object.kind == "Deployment" && spec["paused"] == true {
        let next = format!("when it suits you: kubectl rollout resume deployment/{} --namespace {}", object.name, object.namespace);
        return Some(("for it is paused".to_owned(), next));
    }
    let (partition, end) = partition(spec).filter(|_| object.kind == "StatefulSet")?;
    (partition >= end).then(|| {
        (format!("for its partition {partition} leaves all of them out"), "lower the partition by your values when it suits you".to_owned())
    })
}

/// The first ordinal that gets a new template, and the one behind the last.
fn partition(spec: &Value) -> Option<(u64, u64)> {
    let partition = spec["updateStrategy"]["rollingUpdate"]["partition"].as_u64().filter(|partition| *partition > 0)?;
    let start = spec["ordinals"]["start"].as_u64().unwrap_or(0);
    let replicas = spec["replicas"].as_u64().unwrap_or(1);
    (partition > start && replicas > 0).then(|| (partition, start.saturating_add(replicas)))
}

/// How much of a gap there is.
fn manner(value: &Value) -> (Weight, &'static str) {
    let replicas = value["spec"]["replicas"].as_u64().unwrap_or(1);
    let claims = list(value, &["spec", "template", "spec", "volumes"]).iter().any(|volume| volume.get("persistentVolumeClaim").is_some());
    match value["kind"].as_str() {
        _ if replicas == 0 => (Weight::Know, " (it has none now)"),
        Some("Deployment") if strategy(value) == "Recreate" => (Weight::Look, ", all old ones stopping before new ones start"),
        Some("Deployment") if claims => (Weight::Look, " (a new one may wait for the volume that the old one holds)"),
        Some("StatefulSet") if partition(&value["spec"]).is_some() => (Weight::Look, ", those from its partition on, and no others"),
        Some("StatefulSet") if replicas == 1 => (Weight::Look, ", and there is only one, down meanwhile"),
        Some("StatefulSet") => (Weight::Know, ", one after the other"),
        Some("DaemonSet") => (Weight::Know, ", node by node"),
        _ => (Weight::Know, ""),
    }
}
