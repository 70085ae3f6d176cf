//! Is an object of a release doing what its manifest says? A small port of the kstatus rules, over plain JSON.
//!
//! Helm's `--wait` is not the judge: it ignores custom resources and StatefulSets that an operator makes. The rules here
//! differ from kstatus where its answer would let a rollout go on too early, and each place says so.

mod cluster;
mod custom;
mod read;
mod reference;
mod release;
mod workload;

use serde::{Deserialize, Serialize};
use serde_json::Value;

pub use custom::operator_children;
pub use reference::{ObjectRef, RefError, parse_refs};
pub use release::{ReleaseHealth, Unready, summarise};

use read::{Read, clip};

/// How far one object is on its way to what its spec asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Health {
    /// It is as its newest spec wants it.
    Current,
    /// A controller still works on it, or has not seen its newest spec.
    InProgress,
    /// It will not get there without a person or a new spec.
    Failed,
    /// It is being deleted.
    Terminating,
    /// The cluster does not have it.
    NotFound,
    /// It could not be judged; never taken for healthy.
    Unknown,
}

/// What one object's state is, and the words that an operator reads.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ObjectHealth {
    /// The verdict.
    pub state: Health,
    /// What is missing or done, such as `1/2 replicas updated`; one line, at most 240 characters.
    pub why: String,
}

impl ObjectHealth {
    /// A verdict with its reason, which is cut to one line of bounded length: conditions carry text of any size.
    pub fn new(state: Health, why: impl AsRef<str>) -> Self {
        Self { state, why: clip(why.as_ref()) }
    }

    /// Whether the object is as its newest spec wants it.
    pub fn is_current(&self) -> bool {
        self.state == Health::Current
    }
}

fn current(why: impl AsRef<str>) -> ObjectHealth {
    ObjectHealth::new(Health::Current, why)
}

fn in_progress(why: impl AsRef<str>) -> ObjectHealth {
    ObjectHealth::new(Health::InProgress, why)
}

fn failed(why: impl AsRef<str>) -> ObjectHealth {
    ObjectHealth::new(Health::Failed, why)
}

/// Judges an object as the API server returned it.
///
/// Fields of a wrong type count as absent, so that odd input leads to "not yet", not to a panic. No clock is asked:
/// how long is too long is the rollout's business.
pub fn assess(object: &Value) -> ObjectHealth {
    let read = Read::new(object);
    let Some(kind) = read.text("/kind") else {
        return ObjectHealth::new(Health::Unknown, "the object has no kind");
    };
    if read.text("/metadata/deletionTimestamp").is_some_and(|at| !at.is_empty()) {
        return ObjectHealth::new(Health::Terminating, "is being deleted");
    }
    let version = read.text("/apiVersion").unwrap_or_default();
    let group = version.rsplit_once('/').map_or("", |(group, _)| group);
    by_kind(group, kind, &read)
}

fn by_kind(group: &str, kind: &str, read: &Read<'_>) -> ObjectHealth {
    match (group, kind) {
        ("apps", "Deployment") => workload::deployment(read),
        ("apps", "StatefulSet") => workload::stateful_set(read),
        ("apps", "DaemonSet") => workload::daemon_set(read),
        ("apps", "ReplicaSet") | ("", "ReplicationController") => workload::replica_set(read),
        ("", "Pod") => cluster::pod(read),
        ("batch", "Job") => cluster::job(read),
        ("", "PersistentVolumeClaim") => cluster::volume_claim(read),
        ("", "Service") => cluster::service(read),
        ("", "Namespace") => cluster::namespace(read),
        ("policy", "PodDisruptionBudget") => cluster::disruption_budget(read),
        ("apiextensions.k8s.io", "CustomResourceDefinition") => cluster::definition(read),
        ("apiregistration.k8s.io", "APIService") => cluster::api_service(read),
        // Of the built-in groups only the kinds above have a controller whose progress counts; a custom resource has
        // always a group with a dot, and of those the ones below belong to Kubernetes itself.
        (group, _) if !group.contains('.') || group.ends_with(".k8s.io") && !read.has("/status/conditions") => current("exists"),
        _ => custom::resource(read),
    }
}

/// Judges an object of the manifest that the cluster does not have (any more).
///
/// A Job with `ttlSecondsAfterFinished` is removed by Kubernetes once it has finished, so its absence is no fault.
pub fn assess_missing(manifest: &Value) -> ObjectHealth {
    let read = Read::new(manifest);
    if read.text("/kind") == Some("Job") && read.int("/spec/ttlSecondsAfterFinished").is_some() {
        return current("finished, and removed after its ttlSecondsAfterFinished");
    }
    ObjectHealth::new(Health::NotFound, "is not in the cluster")
}

#[cfg(test)]
mod tests;
