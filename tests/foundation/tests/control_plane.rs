//! The foundation itself: what every other test on it takes for granted.
#![expect(clippy::unwrap_used, clippy::print_stderr, reason = "helpers of tests are tests too; a first build takes minutes and says so")]

use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::sync::OnceLock;
use std::time::{Duration, Instant};

use groundswell_foundation::stand::eventually;
use groundswell_foundation::{Binaries, Cluster, ClusterConfig, Foundation, FoundationConfig};
use serde_json::{Value, json};

const PATIENCE: Duration = Duration::from_secs(120);

fn binaries() -> &'static Binaries {
    static BINARIES: OnceLock<Binaries> = OnceLock::new();
    BINARIES.get_or_init(|| Binaries::locate_or_build(&mut |words| eprintln!("{words}")).unwrap())
}

fn start(name: &str) -> Foundation {
    Foundation::start(&FoundationConfig::named(&[name]), binaries()).unwrap()
}

/// Asks until `done` answers, and shows the cluster's logs when it never does.
fn until<T>(cluster: &Cluster, what: &str, mut done: impl FnMut() -> Option<T>) -> T {
    let deadline = Instant::now() + PATIENCE;
    loop {
        if let Some(answer) = done() {
            return answer;
        }
        assert!(Instant::now() < deadline, "{what} never came:\n{}", cluster.logs(5));
        std::thread::sleep(Duration::from_millis(50));
    }
}

fn pod(name: &str, fate: &str) -> Value {
    json!({ "metadata": { "labels": { "app": name }, "annotations": { "beacon.groundswell.dev/fate": fate } },
            "spec": { "containers": [{ "name": "c", "image": "none" }] } })
}

fn deployment(name: &str, fate: &str) -> Value {
    json!({ "apiVersion": "apps/v1", "kind": "Deployment", "metadata": { "name": name },
            "spec": { "selector": { "matchLabels": { "app": name } }, "template": pod(name, fate) } })
}

fn job(name: &str, fate: &str) -> Value {
    let mut template = pod(name, fate);
    template["spec"]["restartPolicy"] = json!("Never");
    json!({ "apiVersion": "batch/v1", "kind": "Job", "metadata": { "name": name },
            "spec": { "backoffLimit": 0, "template": template } })
}

fn pod_status(cluster: &Cluster, app: &str) -> Option<Value> {
    let pods = cluster.api().get(&format!("/api/v1/namespaces/default/pods?labelSelector=app%3D{app}")).ok()?;
    pods["items"].get(0).map(|pod| pod["status"].clone())
}

fn holds(status: &Value, condition: &str) -> bool {
    let conditions = status["conditions"].as_array().into_iter().flatten();
    conditions.into_iter().any(|found| found["type"] == condition && found["status"] == "True")
}

#[test]
fn pods_and_jobs_meet_their_fates() {
    let foundation = start("fates-01");
    let cluster = foundation.cluster("fates-01").unwrap();
    let api = cluster.api();
    for (name, fate) in [("bad", "never-ready"), ("crash", "crash"), ("slow", "slow"), ("good", "")] {
        api.create("/apis/apps/v1/namespaces/default/deployments", &deployment(name, fate)).unwrap();
    }
    for (name, fate) in [("fails", "fail"), ("completes", "")] {
        api.create("/apis/batch/v1/namespaces/default/jobs", &job(name, fate)).unwrap();
    }
    let job_is = |name: &str, condition: &str| {
        let job = api.get(&format!("/apis/batch/v1/namespaces/default/jobs/{name}")).ok()?;
        holds(&job["status"], condition).then_some(())
    };
    until(cluster, "the good pod's readiness", || pod_status(cluster, "good").filter(|status| holds(status, "Ready")));
    until(cluster, "the Job's completion", || job_is("completes", "Complete"));
    until(cluster, "the Job's failure", || job_is("fails", "Failed"));
    let crash = until(cluster, "the crash", || {
        let status = pod_status(cluster, "crash")?;
        let container = status["containerStatuses"][0].clone();
        (container["state"]["waiting"]["reason"] == "CrashLoopBackOff").then_some(container)
    });
    assert!(crash["restartCount"].as_u64() >= Some(1), "{crash}");
    until(cluster, "the slow pod's readiness", || pod_status(cluster, "slow").filter(|status| holds(status, "Ready")));
    let bad = until(cluster, "the bad pod's start", || pod_status(cluster, "bad").filter(|status| status["phase"] == "Running"));
    // Far more time has passed than a healthy pod needs.
    assert!(!holds(&bad, "Ready"));
    let (status, _) = api.request("DELETE", "/apis/apps/v1/namespaces/default/deployments/good", None).unwrap();
    assert_eq!(status, 200);
    until(cluster, "the good pod's end", || pod_status(cluster, "good").is_none().then_some(()));
}

fn helm(kubeconfig: &Path, args: &[&str]) -> Output {
    Command::new(&binaries().helm).args(args).env("KUBECONFIG", kubeconfig).output().unwrap()
}

fn chart(dir: &Path) -> PathBuf {
    let chart = dir.join("wave");
    std::fs::create_dir_all(chart.join("templates")).unwrap();
    let about = "apiVersion: v2\nname: wave\nversion: 1.0.0\nkubeVersion: '>=1.36.0-0'\n";
    std::fs::write(chart.join("Chart.yaml"), about).unwrap();
    std::fs::write(chart.join("templates/deployment.yaml"), deployment("wave", "").to_string()).unwrap();
    chart
}

#[test]
fn an_account_may_do_what_its_role_says_and_the_audit_log_tells() {
    let foundation = start("audit-01");
    let cluster = foundation.cluster("audit-01").unwrap();
    let api = cluster.api();
    api.create("/api/v1/namespaces/default/serviceaccounts", &json!({ "metadata": { "name": "beacon" } })).unwrap();
    let rules = json!([{ "apiGroups": [""], "resources": ["secrets"], "verbs": ["*"] },
                       { "apiGroups": ["apps"], "resources": ["deployments"], "verbs": ["get"] }]);
    let roles = "/apis/rbac.authorization.k8s.io/v1/namespaces/default";
    api.create(&format!("{roles}/roles"), &json!({ "metadata": { "name": "beacon" }, "rules": rules })).unwrap();
    let binding = json!({ "metadata": { "name": "beacon" },
        "roleRef": { "apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": "beacon" },
        "subjects": [{ "kind": "ServiceAccount", "name": "beacon", "namespace": "default" }] });
    api.create(&format!("{roles}/rolebindings"), &binding).unwrap();

    let dir = tempfile::tempdir().unwrap();
    let chart = chart(dir.path()).display().to_string();
    let kubeconfig = cluster.service_account_kubeconfig("default", "beacon", &dir.path().join("beacon")).unwrap();
    let refused = helm(&kubeconfig, &["install", "wave", &chart]);
    let words = String::from_utf8_lossy(&refused.stderr).into_owned();
    assert!(words.contains(r#"User "system:serviceaccount:default:beacon" cannot create resource "deployments""#), "{words}");

    let installed = helm(cluster.admin_kubeconfig(), &["upgrade", "--install", "wave", &chart, "--wait", "--timeout=60s"]);
    assert!(installed.status.success(), "{}", String::from_utf8_lossy(&installed.stderr));

    let events = cluster.audit_events().unwrap();
    let wrote = |user: &str, resource: &str| -> Vec<u16> {
        let creates = events.iter().filter(|event| event.verb == "create" && event.namespace == "default");
        creates.filter(|event| event.user == user && event.resource == resource).map(|event| event.code).collect()
    };
    assert_eq!(wrote("system:serviceaccount:default:beacon", "deployments"), [403]);
    assert_eq!(wrote("system:serviceaccount:default:beacon", "secrets"), [201]);
    assert_eq!(wrote("admin", "deployments"), [201]);
    assert_eq!(wrote("admin", "serviceaccounts/token"), [201]);
    assert!(events.iter().all(|event| event.stage == "ResponseComplete"), "{events:?}");
    assert!(!events.iter().any(|event| event.user.starts_with("system:kube-")), "the foundation's own parts are left out");
}

#[test]
fn an_api_server_can_be_paused_killed_and_brought_back() {
    let foundation = start("faults-01");
    let cluster = foundation.cluster("faults-01").unwrap();
    cluster.pause().unwrap();
    assert!(!cluster.api().ready());
    cluster.resume().unwrap();
    until(cluster, "the answer after the pause", || cluster.api().ready().then_some(()));

    let made = json!({ "metadata": { "name": "kept" } });
    cluster.api().create("/api/v1/namespaces/default/configmaps", &made).unwrap();
    cluster.kill();
    assert!(!cluster.api().ready());
    assert!(cluster.pause().is_err());
    cluster.restart().unwrap();
    cluster.api().get("/api/v1/namespaces/default/configmaps/kept").unwrap();
}

#[test]
fn clusters_on_one_etcd_do_not_see_each_other_and_end_together() {
    let dir = tempfile::tempdir().unwrap();
    let clusters = ["east-01", "west-01"].map(|name| ClusterConfig { name: name.to_owned(), nodes: 1 }).to_vec();
    let config = FoundationConfig { clusters, dir: Some(dir.path().to_owned()), keep: true };
    let kept = Foundation::start(&config, binaries()).unwrap();
    let (east, west) = (kept.cluster("east-01").unwrap(), kept.cluster("west-01").unwrap());
    east.api().create("/api/v1/namespaces", &json!({ "metadata": { "name": "only-east" } })).unwrap();
    assert_eq!(west.api().request("GET", "/api/v1/namespaces/only-east", None).unwrap().0, 404);
    let east = east.api().clone();

    drop(kept);
    eventually("kept clusters outlive their foundation", PATIENCE, || east.get("/readyz")).unwrap();
    let record: Value = serde_json::from_slice(&std::fs::read(dir.path().join("foundation.json")).unwrap()).unwrap();
    assert_eq!(record["clusters"][0]["server"], east.server());
    // etcd, and four parts for each cluster.
    assert_eq!(groundswell_foundation::reap(dir.path()).unwrap(), 9);
    assert!(!east.ready());
}
