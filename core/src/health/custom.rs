//! Custom resources: what their status says, by the conventions that most operators keep.

use serde_json::Value;

use super::read::{Condition, Read};
use super::reference::ObjectRef;
use super::{ObjectHealth, current, failed, in_progress};

/// Conditions that speak for the whole object, the worst news first. `Available` and `Reconciled` are those of the
/// Prometheus Operator.
const GOOD_WHEN_TRUE: [&str; 3] = ["Reconciled", "Ready", "Available"];

pub(super) fn resource(read: &Read<'_>) -> ObjectHealth {
    if !read.has("/status") {
        return current("exists, and has no status to judge by");
    }
    // Paused objects of the Prometheus Operator keep the conditions of an older generation for ever.
    if read.flag("/spec/paused") {
        return current("paused: its operator leaves it alone");
    }
    if let Some(stale) = read.stale() {
        return stale;
    }
    if let Some(stalled) = read.condition("Stalled").filter(Condition::is_true) {
        return failed(stalled.said());
    }
    if let Some(busy) = read.condition("Reconciling").filter(Condition::is_true) {
        return in_progress(busy.said());
    }
    for kind in GOOD_WHEN_TRUE {
        let Some(condition) = read.condition(kind) else { continue };
        if let Some(wait) = outdated(read, &condition) {
            return wait;
        }
        if !condition.is_true() {
            return in_progress(format!("{kind} is {}: {}", condition.status, condition.said()));
        }
    }
    current("its conditions are met")
}

/// A condition has an observedGeneration of its own; the Prometheus Operator writes it only there.
fn outdated(read: &Read<'_>, condition: &Condition<'_>) -> Option<ObjectHealth> {
    let (generation, observed) = (read.int("/metadata/generation")?, condition.observed?);
    (observed < generation).then(|| in_progress(format!("{} speaks of generation {observed}, the newest is {generation}", condition.kind)))
}

/// Most shards that are followed: a bound on what a spec can make the agent ask for.
const MAX_SHARDS: i64 = 64;

/// The workloads that the Prometheus Operator makes for an object, which have to be judged with it: the object's own
/// conditions lag behind its StatefulSets. Empty for every other kind.
pub fn operator_children(object: &Value) -> Vec<ObjectRef> {
    let read = Read::new(object);
    let group = read.text("/apiVersion").and_then(|version| version.rsplit_once('/')).map(|(group, _)| group);
    let (Some("monitoring.coreos.com"), Some(name)) = (group, read.text("/metadata/name")) else {
        return Vec::new();
    };
    let (prefix, kind) = match read.text("/kind") {
        Some("Prometheus") => ("prometheus", "StatefulSet"),
        Some("Alertmanager") => ("alertmanager", "StatefulSet"),
        Some("ThanosRuler") => ("thanos-ruler", "StatefulSet"),
        Some("PrometheusAgent") if read.text("/spec/mode") == Some("DaemonSet") => ("prom-agent", "DaemonSet"),
        Some("PrometheusAgent") => ("prom-agent", "StatefulSet"),
        _ => return Vec::new(),
    };
    let shards = match prefix {
        "prometheus" | "prom-agent" if kind == "StatefulSet" => read.int("/spec/shards").unwrap_or(1),
        _ => 1,
    };
    (0..shards.clamp(1, MAX_SHARDS))
        .map(|shard| ObjectRef {
            group: "apps".into(),
            version: "v1".into(),
            kind: kind.into(),
            namespace: read.text("/metadata/namespace").map(Into::into),
            name: if shard == 0 { format!("{prefix}-{name}") } else { format!("{prefix}-{name}-shard-{shard}") },
        })
        .collect()
}
