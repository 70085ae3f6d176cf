//! A StatefulSet that waits for a pod of a version that nobody wants any more.
//!
//! With its default pod management Kubernetes replaces no pod before all others are ready, so one pod of a broken version that
//! never gets ready holds the way back for ever. Its documentation ("Forced rollback") says to delete that pod by hand; who asks
//! for a rollback of a fleet expects it done.
//!
//! On the way forward the same happens when a fixed version follows a broken one. Only pods of a version that the set never finished
//! rolling out are deleted there: a pod of the version before may be one that serves and is not ready for a moment.

use k8s_openapi::api::apps::v1::StatefulSet;
use k8s_openapi::api::core::v1::Pod;
use kube::api::{DeleteParams, ListParams, Preconditions};
use kube::{Api, Client};

const REVISION: &str = "controller-revision-hash";

/// Deletes the pods that hold a StatefulSet up, and says which. On the way `back` every revision but the wanted one may go.
pub(crate) async fn release(client: &Client, namespace: &str, name: &str, back: bool) -> Result<Vec<String>, kube::Error> {
    let sets: Api<StatefulSet> = Api::namespaced(client.clone(), namespace);
    let Some(set) = sets.get_opt(name).await? else { return Ok(Vec::new()) };
    let status = set.status.unwrap_or_default();
    let seen = status.observed_generation >= set.metadata.generation;
    let (Some(wanted), Some(owner), true) = (status.update_revision, set.metadata.uid, seen) else { return Ok(Vec::new()) };
    let kept = Kept { wanted, complete: status.current_revision.filter(|_| !back) };
    let pods: Api<Pod> = Api::namespaced(client.clone(), namespace);
    let mut deleted = Vec::new();
    for pod in pods.list(&ListParams::default().labels(&format!("{REVISION}!={}", kept.wanted))).await?.items {
        let Some(name) = held_up_by(&pod, &owner, &kept) else { continue };
        let preconditions = Preconditions { uid: pod.metadata.uid.clone(), resource_version: None };
        pods.delete(name, &DeleteParams { preconditions: Some(preconditions), ..DeleteParams::default() }).await?;
        let version = if back { "the version that was taken back" } else { "a version that was never rolled out in full" };
        deleted.push(format!("pod {name} of {version} never got ready and held its StatefulSet up: deleted"));
    }
    Ok(deleted)
}

/// Revisions whose pods are left alone.
struct Kept {
    wanted: String,
    /// The last one that every pod had.
    complete: Option<String>,
}

/// The pod's name, if it is the set's, of a revision that is not kept, not ready and not on its way out.
fn held_up_by<'a>(pod: &'a Pod, owner: &str, kept: &Kept) -> Option<&'a str> {
    let meta = &pod.metadata;
    let owned = meta.owner_references.iter().flatten().any(|reference| reference.uid == owner);
    let revision = meta.labels.as_ref().and_then(|labels| labels.get(REVISION));
    let other = revision.is_some_and(|revision| *revision != kept.wanted && Some(revision) != kept.complete.as_ref());
    let conditions = pod.status.iter().flat_map(|status| status.conditions.iter().flatten());
    let ready = conditions.into_iter().any(|condition| condition.type_ == "Ready" && condition.status == "True");
    (owned && other && !ready && meta.deletion_timestamp.is_none()).then_some(meta.name.as_deref()).flatten()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pod(owner: &str, revision: &str, ready: &str) -> Pod {
        let object = serde_json::json!({
            "metadata": {
                "name": "log-0",
                "labels": {REVISION: revision},
                "ownerReferences": [{"apiVersion": "apps/v1", "kind": "StatefulSet", "name": "log", "uid": owner}],
            },
            "status": {"conditions": [{"type": "Ready", "status": ready}]},
        });
        serde_json::from_value(object).unwrap()
    }

    #[test]
    fn only_unready_pods_of_the_set_and_of_another_revision_go() {
        let kept = Kept { wanted: "good".into(), complete: None };
        assert_eq!(held_up_by(&pod("set", "bad", "False"), "set", &kept), Some("log-0"));
        assert_eq!(held_up_by(&pod("set", "bad", "True"), "set", &kept), None, "serves");
        assert_eq!(held_up_by(&pod("set", "good", "False"), "set", &kept), None, "is starting");
        assert_eq!(held_up_by(&pod("other", "bad", "False"), "set", &kept), None, "somebody else's");
    }

    #[test]
    fn on_the_way_forward_the_version_before_is_left_alone() {
        let kept = Kept { wanted: "fixed".into(), complete: Some("good".into()) };
        assert_eq!(held_up_by(&pod("set", "bad", "False"), "set", &kept), Some("log-0"));
        assert_eq!(held_up_by(&pod("set", "good", "False"), "set", &kept), None, "may be back in a moment");
        assert_eq!(held_up_by(&pod("set", "fixed", "False"), "set", &kept), None, "is starting");
    }
}
