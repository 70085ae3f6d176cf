use serde_json::{Value, json};

use super::Health::{Current, Failed, InProgress, NotFound, Terminating, Unknown};
use super::*;

/// An object at generation 2, with the given spec and status.
fn object(api: &str, kind: &str, spec: Value, status: Value) -> Value {
    json!({"apiVersion": api, "kind": kind, "metadata": {"name": "x", "namespace": "n", "generation": 2}, "spec": spec, "status": status})
}

fn check(table: &[(Value, Health, &str)]) {
    for (object, state, why) in table {
        let found = assess(object);
        assert_eq!((found.state, found.why.as_str()), (*state, *why), "{object}");
    }
}

#[test]
fn deployments() {
    let make = |spec: Value, status: Value| object("apps/v1", "Deployment", spec, status);
    let counts = |seen: i64, all: i64, updated: i64, ready: i64, available: i64| {
        json!({"observedGeneration": seen, "replicas": all, "updatedReplicas": updated, "readyReplicas": ready,
               "availableReplicas": available})
    };
    let three = || json!({"replicas": 3});
    let late = json!({"observedGeneration": 2, "replicas": 3, "updatedReplicas": 1, "readyReplicas": 2, "availableReplicas": 2, "conditions": [
        {"type": "Progressing", "status": "False", "reason": "ProgressDeadlineExceeded", "message": "ReplicaSet \"x-1\" has timed out"}]});
    let quota = json!({"observedGeneration": 2, "replicas": 0, "conditions": [
        {"type": "ReplicaFailure", "status": "True", "reason": "FailedCreate", "message": "exceeded quota"}]});
    check(&[
        (make(three(), counts(2, 3, 3, 3, 3)), Current, "3/3 replicas ready"),
        (make(three(), counts(1, 3, 3, 3, 3)), InProgress, "its controller saw generation 1, the newest is 2"),
        (make(three(), json!({})), InProgress, "its controller has not looked at it yet"),
        (make(three(), counts(2, 4, 1, 3, 3)), InProgress, "1/3 replicas updated"),
        (make(three(), counts(2, 4, 3, 4, 4)), InProgress, "1 old replicas still to go"),
        (make(three(), counts(2, 3, 3, 3, 2)), InProgress, "2/3 replicas available"),
        (make(three(), counts(2, 3, 3, 2, 3)), InProgress, "2/3 replicas ready"),
        (make(json!({"replicas": 0}), counts(2, 0, 0, 0, 0)), Current, "0/0 replicas ready"),
        (make(json!({"replicas": 0}), json!({})), InProgress, "its controller has not looked at it yet"),
        (make(json!({}), counts(2, 1, 1, 1, 1)), Current, "1/1 replicas ready"),
        (make(three(), late.clone()), Failed, "ProgressDeadlineExceeded: ReplicaSet \"x-1\" has timed out"),
        (make(json!({"replicas": 3, "paused": true}), late), InProgress, "1/3 replicas updated, and it is paused"),
        (make(json!({"replicas": 3, "paused": true}), counts(2, 3, 3, 3, 3)), Current, "3/3 replicas ready"),
        (make(three(), quota), InProgress, "0/3 replicas updated; FailedCreate: exceeded quota"),
    ]);
}

#[test]
fn stateful_sets() {
    let make = |spec: Value, status: Value| object("apps/v1", "StatefulSet", spec, status);
    let counts = |seen: i64, all: i64, updated: i64, ready: i64, now: &str, next: &str| {
        json!({"observedGeneration": seen, "replicas": all, "updatedReplicas": updated, "readyReplicas": ready,
               "currentRevision": now, "updateRevision": next})
    };
    let rolling =
        |partition: i64| json!({"replicas": 2, "updateStrategy": {"type": "RollingUpdate", "rollingUpdate": {"partition": partition}}});
    let by_hand = || json!({"replicas": 2, "updateStrategy": {"type": "OnDelete"}});
    check(&[
        (make(rolling(0), counts(2, 2, 2, 2, "b", "b")), Current, "2/2 replicas ready"),
        (make(rolling(0), counts(1, 2, 2, 2, "a", "a")), InProgress, "its controller saw generation 1, the newest is 2"),
        (make(rolling(0), counts(2, 2, 1, 2, "a", "b")), InProgress, "1/2 replicas updated"),
        (make(rolling(0), counts(2, 2, 2, 1, "a", "b")), InProgress, "1/2 replicas ready"),
        (make(rolling(0), counts(2, 2, 2, 2, "a", "b")), InProgress, "moving to revision b"),
        (make(rolling(0), counts(2, 1, 1, 1, "b", "b")), InProgress, "1/2 replicas created"),
        (make(rolling(0), counts(2, 3, 3, 3, "b", "b")), InProgress, "1 old replicas still to go"),
        (make(rolling(1), counts(2, 2, 1, 2, "a", "b")), Current, "2/2 replicas ready, 1 kept back by the partition"),
        (make(rolling(1), counts(2, 2, 0, 2, "a", "b")), InProgress, "0/1 replicas updated"),
        (make(rolling(9), counts(2, 2, 0, 2, "a", "b")), Current, "2/2 replicas ready, 2 kept back by the partition"),
        (make(by_hand(), counts(2, 2, 0, 2, "a", "b")), Current, "2/2 replicas ready (updated only when they are deleted)"),
        (make(by_hand(), counts(2, 2, 0, 1, "a", "b")), InProgress, "1/2 replicas ready"),
        (make(json!({"replicas": 0}), counts(2, 0, 0, 0, "a", "b")), Current, "0/0 replicas ready"),
    ]);
}

#[test]
fn daemon_and_replica_sets() {
    let daemon = |status: Value| object("apps/v1", "DaemonSet", json!({}), status);
    let counts = |updated: i64, available: i64| {
        json!({"observedGeneration": 2, "desiredNumberScheduled": 3, "currentNumberScheduled": 3, "updatedNumberScheduled": updated,
               "numberAvailable": available, "numberReady": available})
    };
    let set = |ready: i64| {
        let status =
            json!({"observedGeneration": 2, "replicas": 2, "fullyLabeledReplicas": 2, "availableReplicas": ready, "readyReplicas": ready});
        object("apps/v1", "ReplicaSet", json!({"replicas": 2}), status)
    };
    check(&[
        (daemon(counts(3, 3)), Current, "3/3 replicas ready"),
        (daemon(counts(2, 3)), InProgress, "2/3 replicas updated"),
        (daemon(counts(3, 1)), InProgress, "1/3 replicas available"),
        (daemon(json!({"observedGeneration": 2})), InProgress, "its controller has not looked at it yet"),
        (daemon(json!({})), InProgress, "its controller has not looked at it yet"),
        (set(2), Current, "2/2 replicas ready"),
        (set(1), InProgress, "1/2 replicas available"),
    ]);
}

#[test]
fn pods_and_jobs() {
    let pod = |status: Value| object("v1", "Pod", json!({}), status);
    let waits = |reason: &str| json!({"phase": "Running", "containerStatuses": [{"name": "c", "state": {"waiting": {"reason": reason}}}]});
    let job = |spec: Value, status: Value| object("batch/v1", "Job", spec, status);
    check(&[
        (pod(json!({"phase": "Running", "conditions": [{"type": "Ready", "status": "True"}]})), Current, "ready"),
        (pod(json!({"phase": "Running", "conditions": [{"type": "Ready", "status": "False"}]})), InProgress, "not ready"),
        (pod(waits("CrashLoopBackOff")), Failed, "container c is in CrashLoopBackOff"),
        (pod(waits("ImagePullBackOff")), InProgress, "container c waits: ImagePullBackOff"),
        (pod(waits("ContainerCreating")), InProgress, "not ready"),
        (pod(json!({"phase": "Succeeded"})), Current, "completed"),
        (pod(json!({"phase": "Failed", "reason": "Evicted"})), Failed, "Evicted"),
        (pod(json!({})), InProgress, "its phase is not known yet"),
        (job(json!({}), json!({"conditions": [{"type": "Complete", "status": "True"}]})), Current, "completed"),
        (
            job(json!({}), json!({"conditions": [{"type": "Failed", "status": "True", "reason": "BackoffLimitExceeded"}]})),
            Failed,
            "BackoffLimitExceeded",
        ),
        (job(json!({"completions": 3}), json!({"startTime": "2026-01-01T00:00:00Z", "succeeded": 1})), InProgress, "1/3 completions"),
        (job(json!({"suspend": true}), json!({})), Current, "suspended, as its spec says"),
    ]);
}

#[test]
fn other_built_in_kinds() {
    let of = |api: &str, kind: &str, spec: Value, status: Value| object(api, kind, spec, status);
    let crd = |conditions: Value| of("apiextensions.k8s.io/v1", "CustomResourceDefinition", json!({}), json!({"conditions": conditions}));
    let api = |conditions: Value| of("apiregistration.k8s.io/v1", "APIService", json!({}), json!({"conditions": conditions}));
    let balanced = || json!({"type": "LoadBalancer"});
    check(&[
        (of("v1", "PersistentVolumeClaim", json!({}), json!({"phase": "Bound"})), Current, "bound"),
        (of("v1", "PersistentVolumeClaim", json!({}), json!({"phase": "Pending"})), InProgress, "not bound (phase Pending)"),
        (of("v1", "Service", balanced(), json!({"loadBalancer": {}})), InProgress, "its load balancer has no address yet"),
        (of("v1", "Service", balanced(), json!({"loadBalancer": {"ingress": [{"ip": "192.0.2.1"}]}})), Current, "exists"),
        (of("v1", "Service", json!({"type": "ClusterIP"}), json!({})), Current, "exists"),
        (crd(json!([{"type": "NamesAccepted", "status": "True"}, {"type": "Established", "status": "True"}])), Current, "established"),
        (crd(json!([{"type": "Established", "status": "False", "reason": "Installing"}])), InProgress, "not established yet"),
        (crd(json!([{"type": "NamesAccepted", "status": "False", "reason": "ListKindConflict"}])), Failed, "ListKindConflict"),
        (api(json!([{"type": "Available", "status": "True"}])), Current, "available"),
        (api(json!([{"type": "Available", "status": "False", "reason": "MissingEndpoints"}])), InProgress, "MissingEndpoints"),
        (of("policy/v1", "PodDisruptionBudget", json!({}), json!({"observedGeneration": 2})), Current, "computed"),
        (of("policy/v1", "PodDisruptionBudget", json!({}), json!({})), InProgress, "its controller has not looked at it yet"),
        (of("v1", "Namespace", json!({}), json!({"phase": "Active"})), Current, "exists"),
        (of("v1", "Namespace", json!({}), json!({"phase": "Terminating"})), Terminating, "is being deleted"),
        (of("v1", "ConfigMap", json!({}), json!({})), Current, "exists"),
        (of("autoscaling/v2", "HorizontalPodAutoscaler", json!({}), json!({"conditions": []})), Current, "exists"),
        (json!({"kind": "ConfigMap", "metadata": {"deletionTimestamp": "2026-01-01T00:00:00Z"}}), Terminating, "is being deleted"),
        (json!({}), Unknown, "the object has no kind"),
    ]);
}

#[test]
fn custom_resources() {
    let beacon = |status: Value| object("groundswell.dev/v1", "Beacon", json!({}), status);
    let prometheus = |spec: Value, available: &str, observed: i64| {
        let conditions = json!([
            {"type": "Available", "status": available, "reason": "SomePodsNotReady", "message": "shard 0", "observedGeneration": observed},
            {"type": "Reconciled", "status": "True", "observedGeneration": observed}]);
        object("monitoring.coreos.com/v1", "Prometheus", spec, json!({"conditions": conditions}))
    };
    let mut bare = beacon(json!({}));
    bare.as_object_mut().unwrap().remove("status");
    check(&[
        (bare, Current, "exists, and has no status to judge by"),
        (beacon(json!({"conditions": [{"type": "Ready", "status": "True"}]})), Current, "its conditions are met"),
        (
            beacon(json!({"conditions": [{"type": "Ready", "status": "False", "message": "no light"}]})),
            InProgress,
            "Ready is False: no light",
        ),
        (beacon(json!({"observedGeneration": 1})), InProgress, "its controller saw generation 1, the newest is 2"),
        (beacon(json!({"observedGeneration": "1"})), InProgress, "its controller saw generation 1, the newest is 2"),
        (beacon(json!({"conditions": [{"type": "Stalled", "status": "True", "reason": "Broken"}]})), Failed, "Broken"),
        (beacon(json!({"conditions": [{"type": "Reconciling", "status": "True", "reason": "Busy"}]})), InProgress, "Busy"),
        (prometheus(json!({}), "True", 2), Current, "its conditions are met"),
        (prometheus(json!({}), "Degraded", 2), InProgress, "Available is Degraded: SomePodsNotReady: shard 0"),
        (prometheus(json!({}), "True", 1), InProgress, "Reconciled speaks of generation 1, the newest is 2"),
        (prometheus(json!({"paused": true}), "True", 1), Current, "paused: its operator leaves it alone"),
    ]);
}

#[test]
fn an_operator_s_workloads_are_named() {
    let names = |kind: &str, spec: Value| -> Vec<String> {
        operator_children(&object("monitoring.coreos.com/v1", kind, spec, json!({}))).iter().map(ToString::to_string).collect()
    };
    assert_eq!(names("Prometheus", json!({"shards": 2})), ["StatefulSet n/prometheus-x", "StatefulSet n/prometheus-x-shard-1"]);
    assert_eq!(names("Alertmanager", json!({"shards": 2})), ["StatefulSet n/alertmanager-x"]);
    assert_eq!(names("PrometheusAgent", json!({"mode": "DaemonSet"})), ["DaemonSet n/prom-agent-x"]);
    assert_eq!(names("Prometheus", json!({"shards": i64::MAX})).len(), 64);
    assert!(names("ServiceMonitor", json!({})).is_empty());
}

/// Every field of a good object is replaced by every odd value: none may panic, and the reason stays bounded.
#[test]
fn odd_input_is_judged_and_does_not_panic() {
    let odd =
        [json!(null), json!("text"), json!(-1), json!(i64::MIN), json!(i64::MAX), json!(1.5), json!([1]), json!({"a": 1}), json!(true)];
    let status = json!({"observedGeneration": 2, "replicas": 1, "updatedReplicas": 1, "readyReplicas": 1, "phase": "Running",
        "desiredNumberScheduled": 1, "succeeded": 1, "conditions": [{"type": "Ready", "status": "False", "message": "m ".repeat(9000)}]});
    let spec = json!({"replicas": 1, "paused": true, "completions": 1, "updateStrategy": {"rollingUpdate": {"partition": 1}}});
    for kind in ["Deployment", "StatefulSet", "DaemonSet", "ReplicaSet", "Pod", "Job", "Service", "Prometheus", "CustomResourceDefinition"]
    {
        for api in ["apps/v1", "v1", "batch/v1", "apiextensions.k8s.io/v1", "monitoring.coreos.com/v1", "a.b/c/d", ""] {
            let whole = object(api, kind, spec.clone(), status.clone());
            let mut places = vec![String::new()];
            let mut at = 0;
            while let Some(place) = places.get(at).cloned() {
                at += 1;
                match whole.pointer(&place) {
                    Some(Value::Object(map)) => places.extend(map.keys().map(|key| format!("{place}/{key}"))),
                    Some(Value::Array(list)) => places.extend((0..list.len()).map(|index| format!("{place}/{index}"))),
                    _ => {}
                }
            }
            for (place, value) in places.iter().flat_map(|place| odd.iter().map(move |value| (place, value))) {
                let mut broken = whole.clone();
                *broken.pointer_mut(place).unwrap() = value.clone();
                assert!(assess(&broken).why.chars().count() <= 240);
                let _ = (operator_children(&broken), parse_refs(&[broken]));
            }
        }
    }
}

fn named(kind: &str, name: &str) -> ObjectRef {
    ObjectRef { group: "apps".into(), version: "v1".into(), kind: kind.into(), namespace: Some("monitoring".into()), name: name.into() }
}

#[test]
fn a_release_is_told_in_one_line_with_the_failed_first() {
    let fine = |name: &str| (named("Deployment", name), Some(current("1/1 replicas ready")));
    let slow = (named("StatefulSet", "prometheus-k8s"), Some(in_progress("1/2 replicas updated")));
    let bad = (named("Deployment", "grafana"), Some(failed("ProgressDeadlineExceeded")));
    assert_eq!(summarise(&[fine("a"), fine("b")]).summary, "2 objects ready");
    assert!(summarise(&[fine("a")]).healthy);
    assert_eq!(summarise(&[]).summary, "no objects to watch");
    let one = summarise(&[fine("a"), slow.clone()]);
    assert_eq!(one.summary, "1 of 2 objects not ready: StatefulSet monitoring/prometheus-k8s 1/2 replicas updated");
    let gone = |name: &str| (named("DaemonSet", name), None);
    let all = summarise(&[slow, gone("c"), gone("d"), bad]);
    assert!(!all.healthy);
    assert_eq!((all.failing.len(), all.waiting.len()), (1, 3));
    assert_eq!(
        all.summary,
        "4 of 4 objects not ready: Deployment monitoring/grafana ProgressDeadlineExceeded; StatefulSet monitoring/prometheus-k8s \
         1/2 replicas updated; DaemonSet monitoring/c is not in the cluster; and 1 more"
    );
}

#[test]
fn references_come_from_the_manifest_in_its_order() {
    let map = json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "m"}});
    let list = json!({"apiVersion": "v1", "kind": "List", "items": [map, object("apps/v1", "Deployment", json!({}), json!({}))]});
    let refs = parse_refs(&[json!(null), list, map.clone()]).unwrap();
    assert_eq!(refs.iter().map(ToString::to_string).collect::<Vec<_>>(), ["ConfigMap m", "Deployment n/x"]);
    assert_eq!(refs[1].group, "apps");
    let nameless = parse_refs(&[map, json!({"apiVersion": "v1", "kind": "Secret"})]).unwrap_err();
    assert_eq!(nameless.to_string(), "object 1 of the manifest has no metadata.name");
}

#[test]
fn a_finished_job_may_be_gone() {
    let job = |spec: Value| object("batch/v1", "Job", spec, json!({}));
    assert_eq!(assess_missing(&job(json!({"ttlSecondsAfterFinished": 60}))).state, Current);
    assert_eq!(assess_missing(&job(json!({}))).state, NotFound);
}
