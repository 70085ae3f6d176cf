//! A StatefulSet that waits for a pod of the version that was just taken back.
//!
//! With its default pod management Kubernetes replaces no pod before all others are ready, so one pod of a broken version that
//! never gets ready holds the way back for ever. Its documentation ("Forced rollback") says to delete that pod by hand; who asks
//! for a rollback of a fleet expects it done.

use k8s_openapi::api::apps::v1::StatefulSet;
use k8s_openapi::api::core::v1::Pod;
use kube::api::{DeleteParams, ListParams, Preconditions};
use kube::{Api, Client};

const REVISION: &str = "controller-revision-hash";

/// Deletes the pods that hold a StatefulSet up, and says which.
pub(crate) async fn release(client: &Client, namespace: &str, name: &str) -> Result<Vec<String>, kube::Error> {
    let sets: Api<StatefulSet> = Api::namespaced(client.clone(), namespace);
    let Some(set) = sets.get_opt(name).await? else { return Ok(Vec::new()) };
    let status = set.status.unwrap_or_default();
    let seen = status.observed_generation >= set.metadata.generation;
    let (Some(wanted), Some(owner), true) = (status.update_revision, set.metadata.uid, seen) else { return Ok(Vec::new()) };
    let pods: Api<Pod> = Api::namespaced(client.clone(), namespace);
    let mut deleted = Vec::new();
    for pod in pods.list(&ListParams::default().labels(&format!("{REVISION}!={wanted}"))).await?.items {
        let Some(name) = held_up_by(&pod, &owner, &wanted) else { continue };
        let preconditions = Preconditions { uid: pod.metadata.uid.clone(), resource_version: None };
        pods.delete(name, &DeleteParams { preconditions: Some(preconditions), ..DeleteParams::default() }).await?;
        deleted.push(format!("pod {name} of the version that was taken back never got ready and held its StatefulSet up: deleted"));
    }
    Ok(deleted)
}

/// The pod's name, if it is the set's, of another revision, not ready and not on its way out.
fn held_up_by<'a>(pod: &'a Pod, owner: &str, wanted: &str) -> Option<&'a str> {
    let meta = &pod.metadata;
    let owned = meta.owner_references.iter().flatten().any(|reference| reference.uid == owner);
    let revision = meta.labels.as_ref().and_then(|labels| labels.get(REVISION));
    let other = revision.is_some_and(|revision| revision != wanted);
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
        assert_eq!(held_up_by(&pod("set", "bad", "False"), "set", "good"), Some("log-0"));
        assert_eq!(held_up_by(&pod("set", "bad", "True"), "set", "good"), None, "serves");
        assert_eq!(held_up_by(&pod("set", "good", "False"), "set", "good"), None, "is starting");
        assert_eq!(held_up_by(&pod("other", "bad", "False"), "set", "good"), None, "somebody else's");
    }
}
