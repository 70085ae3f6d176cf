//! What stops an upgrade.

use super::super::testing::{input, page, run, says};
use super::*;

fn object(api: &str, kind: &str, rest: &str) -> String {
    format!("apiVersion: {api}\nkind: {kind}\nmetadata: {{name: x}}\n{rest}")
}

fn stops(api: &str, kind: &str, old: &str, new: &str) -> Vec<String> {
    let items = run(items, &input(&object(api, kind, old), &object(api, kind, new)));
    items.iter().filter(|item| item.weight == Weight::Stop).filter_map(|item| item.path.clone()).collect()
}

#[test]
fn fields_that_cannot_change() {
    for (api, kind, old, new, expected) in [
        (
            "apps/v1",
            "Deployment",
            "spec: {selector: {matchLabels: {a: b}}}",
            "spec: {selector: {matchLabels: {a: c}}}",
            vec!["spec.selector"],
        ),
        (
            "apps/v1",
            "DaemonSet",
            "spec: {selector: {matchLabels: {a: b}}}",
            "spec: {selector: {matchLabels: {a: b, c: d}}}",
            vec!["spec.selector"],
        ),
        ("apps/v1", "Deployment", "spec: {replicas: 2}", "spec: {replicas: 3}", vec![]),
        (
            "apps.kruise.io/v1beta1",
            "StatefulSet",
            "spec: {scaleStrategy: {maxUnavailable: 1}}",
            "spec: {scaleStrategy: {maxUnavailable: 2}}",
            vec![],
        ),
        (
            "apps.kruise.io/v1beta1",
            "StatefulSet",
            "spec: {}",
            "spec: {selector: {matchLabels: {a: b}}, template: {metadata: {labels: {a: c}}}}",
            vec![],
        ),
        ("apps/v1", "StatefulSet", "spec: {serviceName: a, replicas: 1}", "spec: {serviceName: b, replicas: 2}", vec!["spec.serviceName"]),
        (
            "apps/v1",
            "StatefulSet",
            "spec: {volumeClaimTemplates: [{metadata: {name: d}, spec: {resources: {requests: {storage: 1Gi}}}}]}",
            "spec: {volumeClaimTemplates: [{metadata: {name: d}, spec: {resources: {requests: {storage: 2Gi}}}}]}",
            vec!["spec.volumeClaimTemplates"],
        ),
        (
            "apps/v1",
            "StatefulSet",
            "spec: {volumeClaimTemplates: [{metadata: {name: d}, spec: {resources: {requests: {storage: 1Gi}}}}]}",
            "spec: {podManagementPolicy: OrderedReady, volumeClaimTemplates: [{metadata: {name: d}, spec: {resources: {requests: {storage: 1024Mi}}}}]}",
            vec![],
        ),
        (
            "batch/v1",
            "Job",
            "spec: {template: {spec: {containers: [{name: a, image: 'a:1'}]}}}",
            "spec: {template: {spec: {containers: [{name: a, image: 'a:2'}]}}}",
            vec!["spec.template"],
        ),
        (
            "batch/v1",
            "CronJob",
            "spec: {jobTemplate: {spec: {template: {spec: {a: 1}}}}}",
            "spec: {jobTemplate: {spec: {template: {spec: {a: 2}}}}}",
            vec![],
        ),
        (
            "v1",
            "Pod",
            "spec: {activeDeadlineSeconds: 9, tolerations: [{key: a}], containers: [{name: a, image: 'a:1'}]}",
            "spec: {activeDeadlineSeconds: 8, tolerations: [{key: a}, {key: b}], containers: [{name: a, image: 'a:2'}]}",
            vec![],
        ),
        (
            "v1",
            "Pod",
            "spec: {nodeName: a, tolerations: [{key: a}], containers: [{name: a, image: a, env: [{name: A, value: a}]}]}",
            "spec: {nodeName: b, tolerations: [{key: b}], containers: [{name: a, image: a, env: [{name: A, value: b}]}]}",
            vec!["spec.containers[a].env", "spec.tolerations", "spec.nodeName"],
        ),
        ("v1", "Pod", "spec: {containers: [{name: a}]}", "spec: {containers: [{name: a}, {name: b}]}", vec!["spec.containers"]),
        ("v1", "Service", "spec: {clusterIP: 10.0.0.1}", "spec: {clusterIP: 10.0.0.2}", vec!["spec.clusterIP"]),
        ("v1", "Service", "spec: {}", "spec: {clusterIP: None}", vec!["spec.clusterIP"]),
        ("v1", "Service", "spec: {clusterIP: 10.0.0.1}", "spec: {}", vec![]),
        ("v1", "Service", "spec: {clusterIP: None}", "spec: {type: LoadBalancer}", vec!["spec.clusterIP"]),
        ("v1", "Service", "spec: {clusterIP: None}", "spec: {type: ClusterIP}", vec![]),
        ("batch/v1", "Job", "spec: {completions: 2}", "spec: {completions: 3}", vec!["spec.completions"]),
        ("batch/v1", "Job", "spec: {completions: 2}", "spec: {}", vec!["spec.completions"]),
        ("batch/v1", "Job", "spec: {}", "spec: {completions: 1, parallelism: 1}", vec![]),
        ("batch/v1", "Job", "spec: {parallelism: 1}", "spec: {completions: 1, parallelism: 1}", vec!["spec.completions"]),
        (
            "batch/v1",
            "Job",
            "spec: {completionMode: Indexed, completions: 2, parallelism: 2}",
            "spec: {completionMode: Indexed, completions: 3, parallelism: 3}",
            vec![],
        ),
        (
            "batch/v1",
            "Job",
            "spec: {completionMode: Indexed, completions: 2, parallelism: 2}",
            "spec: {completionMode: Indexed, completions: 3, parallelism: 2}",
            vec!["spec.completions"],
        ),
        ("batch/v1", "Job", "spec: {}", "spec: {managedBy: a.b/c}", vec!["spec.managedBy"]),
        ("batch/v1", "Job", "spec: {}", "spec: {successPolicy: {rules: [{succeededCount: 1}]}}", vec!["spec.successPolicy"]),
        ("batch/v1", "Job", "spec: {}", "spec: {parallelism: 3, suspend: true, activeDeadlineSeconds: 3}", vec![]),
        ("batch/v1", "Job", "spec: {parallelism: 1}", "spec: {}", vec!["spec.completions"]),
        ("batch/v1", "Job", "spec: {completions: 2, parallelism: 1}", "spec: {completions: 2}", vec![]),
        ("v1", "Service", "spec: {type: ClusterIP}", "spec: {type: NodePort}", vec![]),
        ("v1", "PersistentVolumeClaim", "spec: {storageClassName: a}", "spec: {storageClassName: b}", vec!["spec.storageClassName"]),
        (
            "v1",
            "PersistentVolumeClaim",
            "spec: {resources: {requests: {storage: 2Gi}}}",
            "spec: {resources: {requests: {storage: 1Gi}}}",
            vec!["spec.resources.requests.storage"],
        ),
        (
            "v1",
            "PersistentVolumeClaim",
            "spec: {resources: {requests: {storage: 1Gi}}}",
            "spec: {resources: {requests: {storage: 2Gi}}}",
            vec![],
        ),
        (
            "rbac.authorization.k8s.io/v1",
            "RoleBinding",
            "roleRef: {kind: Role, name: a}",
            "roleRef: {kind: Role, name: b}",
            vec!["roleRef"],
        ),
        ("v1", "ConfigMap", "immutable: true\ndata: {a: b}", "immutable: true\ndata: {a: c}", vec!["data"]),
        ("v1", "ConfigMap", "data: {a: b}", "immutable: true\ndata: {a: c}", vec![]),
        ("v1", "Secret", "type: Opaque", "type: kubernetes.io/tls", vec!["type"]),
        ("v1", "Secret", "data: {a: b}", "type: Opaque\ndata: {a: b}", vec![]),
        ("storage.k8s.io/v1", "StorageClass", "provisioner: a", "provisioner: b", vec!["provisioner"]),
        ("scheduling.k8s.io/v1", "PriorityClass", "value: 1", "value: 2", vec!["value"]),
        (
            "v1",
            "PersistentVolume",
            "spec: {nfs: {path: a}, capacity: {storage: 1Gi}}",
            "spec: {nfs: {path: b}, capacity: {storage: 2Gi}}",
            vec!["spec.nfs"],
        ),
    ] {
        assert_eq!(stops(api, kind, old, new), expected, "{kind}: {old} to {new}");
    }
}

#[test]
fn a_selector_that_was_made_of_labels() {
    let old = "apiVersion: extensions/v1beta1\nkind: Deployment\nmetadata: {name: x}\nspec: {template: {metadata: {labels: {a: b}}}}";
    let same = object("apps/v1", "Deployment", "spec: {selector: {matchLabels: {a: b}}, template: {metadata: {labels: {a: b}}}}");
    let other = same.replace("matchLabels: {a: b}", "matchLabels: {c: d}");
    assert_eq!(says(items, old, &same), "");
    assert!(says(items, old, &other).contains("spec.selector of a Deployment cannot be changed"));
}

#[test]
fn apis_of_both_renders() {
    let pdb = |version: &str| object(version, "PodDisruptionBudget", "");
    let at = |kube: &str, old: &str, new: &str| {
        let mut input = input(old, new);
        input.target.kube_version = Some(kube.to_owned());
        let items = run(items, &input);
        items.iter().map(|item| item.code.clone()).collect::<Vec<_>>().join(" ")
    };
    assert_eq!(at("v1.24.1", &pdb("policy/v1beta1"), &pdb("policy/v1beta1")), "");
    assert_eq!(at("v1.25.0+vmware.1", &pdb("policy/v1beta1"), &pdb("policy/v1")), "installed-unserved-api");
    assert_eq!(at("v1.25.0", &pdb("policy/v1"), &pdb("policy/v1beta1")), "unserved-api");
    assert_eq!(at("v1.20.0", &pdb("policy/v1beta1"), &pdb("policy/v1")), "unserved-api");
    assert_eq!(at("odd", &pdb("policy/v1beta1"), &pdb("policy/v1beta1")), "", "not known, and said elsewhere");
}

#[test]
fn a_full_list_of_apis_is_believed_and_a_short_one_is_not() {
    let thing = object("demo.io/v1", "Thing", "");
    let crd = "# crds/\napiVersion: apiextensions.k8s.io/v1\nkind: CustomResourceDefinition\nmetadata: {name: things.demo.io}\nspec: {group: demo.io, names: {kind: Thing}, versions: [{name: v1, served: true}]}";
    let with = |apis: &[&str], new: &str| {
        let mut input = input("", new);
        input.target.api_versions = apis.iter().map(|api| (*api).to_owned()).collect();
        page(&run(items, &input))
    };
    assert_eq!(with(&["monitoring.coreos.com/v1"], &thing), "");
    assert!(
        with(&["v1", "apps/v1"], &thing).starts_with("STOP unserved-api Thing/ns/x: is demo.io/v1 Thing, and the target does not serve it")
    );
    assert!(with(&["v1", "apps/v1", "demo.io/v1", "demo.io/v1/Other"], &thing).contains("does not serve it"), "the version, not the kind");
    assert_eq!(with(&["v1", "apps/v1", "demo.io/v1"], &thing), "");
    let brought = with(&["v1", "apps/v1", "apiextensions.k8s.io/v1"], &format!("{thing}\n---\n{crd}"));
    assert!(brought.starts_with("STOP crd-not-applied"), "the chart brings it, and a step applies it: {brought}");
}

#[test]
fn versions_of_kubernetes() {
    let with = |range: &str, server: Option<&str>| {
        let mut input = input("", "");
        input.new.chart.name = "demo".to_owned();
        input.new.chart.version = "2.0.0".to_owned();
        input.new.chart.kube_version = Some(range.to_owned());
        input.target.kube_version = server.map(str::to_owned);
        page(&run(items, &input))
    };
    assert_eq!(with(">=1.25.0-0", Some("v1.36.3")), "");
    assert_eq!(with(">=1.25.0-0", None), "");
    assert!(
        with(">=1.25.0-0", Some("v1.18.0")).starts_with("STOP kube-version demo 2.0.0 needs Kubernetes >=1.25.0-0; the target is v1.18.0")
    );
    assert!(with(">=1.25.0", Some("v1.26.1-gke.3")).contains("is a prerelease in Helm's grammar"));
    assert!(with("some", Some("v1.26.1")).contains("none that Helm can read"));
}

#[test]
fn the_record_has_to_fit() {
    let with = |bytes| {
        let mut input = input("", "");
        input.new.record_bytes = Some(bytes);
        run(items, &input).iter().map(|item| item.weight).collect::<Vec<_>>()
    };
    assert_eq!(with(800_000), []);
    assert_eq!(with(900_000), [Weight::Look]);
    assert_eq!(with(1_048_577), [Weight::Stop]);
}

#[test]
fn an_object_that_is_there_twice() {
    let map = |data: &str| format!("apiVersion: v1\nkind: ConfigMap\nmetadata: {{name: x}}\ndata: {{a: {data}}}");
    let two = format!("{}\n---\n{}", map("b"), map("c"));
    assert!(says(items, "", &two).starts_with("STOP duplicate-object ConfigMap/ns/x:"));
    assert!(says(items, &map("b"), &two).starts_with("look duplicate-object ConfigMap/ns/x:"));
    let named = |name: &str| two.replace("name: x", &format!("name: {name}"));
    assert_eq!(says(items, "", &named("x-(random)")), "", "two draws are two names");
    assert!(says(items, "", &named("x-(revision)")).starts_with("STOP duplicate-object ConfigMap/ns/x-(revision):"));
}

fn lamps(folder: &str, served: &str) -> String {
    format!(
        "# {folder}/\napiVersion: apiextensions.k8s.io/v1\nkind: CustomResourceDefinition\nmetadata: {{name: lamps.demo.io}}\nspec: {{group: demo.io, \
         names: {{kind: Lamp}}, versions: [{{name: v1, served: {served}}}, {{name: v2, served: true}}]}}"
    )
}

#[test]
fn objects_of_a_version_that_the_new_crd_serves_no_more() {
    let both = |folder: &str, served: &str, api: &str| [lamps(folder, served), object(api, "Lamp", "")].join("\n---\n");
    let page = |folder: &str, old: &str, new: &str| says(items, &both(folder, "true", old), &both(folder, "false", new));
    insta::assert_snapshot!(page("crds", "demo.io/v1", "demo.io/v1"), @r"
    STOP crd-version-used Lamp/ns/x: is demo.io/v1 Lamp, and the new CRD lamps.demo.io serves only v2: the cluster refuses it
        -> look for a value, or a newer chart, that makes it demo.io/v2
    ");
    insta::assert_snapshot!(page("crds", "demo.io/v1", "demo.io/v2"), @r"
    STOP crd-version-used Lamp/ns/x: is demo.io/v1 Lamp in the installed release, and the new CRD lamps.demo.io serves only v2; Helm reads the installed manifest first and fails
        -> apply the CRD with v1 still served (served: true), upgrade, and then apply it as the chart has it
    ");
    insta::assert_snapshot!(page("templates", "demo.io/v1", "demo.io/v2"), @r"
    ACT crd-version-used Lamp/ns/x: is demo.io/v1 Lamp in the installed release, and the new CRD lamps.demo.io serves only v2: after the upgrade there is no way back to the old version
        -> make sure that nothing else uses the old version of the API
    ");
    assert_eq!(page("crds", "demo.io/v2", "demo.io/v2"), "");
    assert_eq!(says(items, &both("crds", "true", "demo.io/v1"), &both("crds", "true", "demo.io/v1")), "", "still served");
}

#[test]
fn a_selector_that_does_not_match_its_own_pods() {
    let workload = |selects: &str, labels: &str| {
        object(
            "apps/v1",
            "Deployment",
            &format!("spec: {{selector: {{matchLabels: {{a: {selects}}}}}, template: {{metadata: {{labels: {{a: {labels}}}}}}}}}"),
        )
    };
    let (good, bad) = (workload("b", "b"), workload("c", "b"));
    let stops = |old: &str, new: &str| {
        let items = run(items, &input(old, new));
        let codes: Vec<String> = items.into_iter().filter(|item| item.weight == Weight::Stop).map(|item| item.code).collect();
        (codes, says(super::super::steps::items, old, new))
    };
    assert_eq!(stops(&good, &bad), (vec!["immutable-field".to_owned(), "invalid-selector".to_owned()], String::new()));
    assert_eq!(stops("", &bad), (vec!["invalid-selector".to_owned()], String::new()));
    assert_eq!(stops(&bad, &bad).0, Vec::<String>::new());
    assert_eq!(stops("", &good).0, Vec::<String>::new());
    let fine = stops(&good, &workload("c", "c"));
    assert!(fine.0 == ["immutable-field"] && fine.1.contains("recreate"), "{fine:?}");
}

#[test]
fn objects_of_a_crd_that_no_upgrade_applies() {
    let lamp = object("demo.io/v2", "Lamp", "");
    let both = |folder: &str, served: &str| [lamps(folder, served), lamp.clone()].join("\n---\n");
    let of = |old: &str, new: &str, apis: &[&str]| {
        let mut input = input(old, new);
        input.target.api_versions = apis.iter().map(|api| (*api).to_owned()).collect();
        page(&run(items, &input))
    };
    insta::assert_snapshot!(of("", &both("crds", "true"), &[]), @r"
    STOP crd-not-applied Lamp/ns/x: is demo.io/v2 Lamp, and an upgrade does not apply the CRD that brings it: Helm does not find the kind and fails
        -> apply the CRDs first: see the steps
    ");
    assert_eq!(of(&lamps("crds", "true"), &both("crds", "true"), &[]), "", "it was applied by the install");
    assert_eq!(of("", &both("crds", "true"), &["v1", "apps/v1", "apiextensions.k8s.io/v1", "demo.io/v2"]), "", "the cluster has it");
    assert_eq!(of(&lamp, &both("crds", "true"), &[]), "", "an object of it is installed");
    assert_eq!(of("", &lamps("crds", "true"), &[]), "", "nothing uses it");
    let late = of("", &both("templates", "true"), &[]);
    assert!(late.starts_with("STOP crd-too-late Lamp/ns/x: is demo.io/v2 Lamp, and the same upgrade makes the CRD"), "{late}");
    assert_eq!(of(&lamps("templates", "true"), &both("templates", "true"), &[]), "", "it is there");
}

#[test]
fn what_a_server_takes_under_conditions() {
    let kube = |minor: &str, kind: &str, old: &str, new: &str| {
        let api = if kind == "Job" { "batch/v1" } else { "v1" };
        let mut input = input(&object(api, kind, old), &object(api, kind, new));
        input.target.kube_version = Some(format!("v1.{minor}.0"));
        let items = run(items, &input);
        items.iter().map(|item| format!("{:?} {}", item.weight, item.path.clone().unwrap_or_default())).collect::<Vec<_>>().join(", ")
    };
    let job = |suspend: bool, pod: &str| format!("spec: {{suspend: {suspend}, template: {{spec: {{{pod} restartPolicy: Never}}}}}}");
    let container = |cpu: u8, image: u8| format!("containers: [{{name: a, image: 'a:{image}', resources: {{limits: {{cpu: {cpu}}}}}}}],");
    assert_eq!(
        kube("36", "Job", &job(true, &container(1, 1)), &job(true, &container(2, 1))),
        "",
        "a suspended one may get other resources"
    );
    assert_eq!(kube("34", "Job", &job(true, &container(1, 1)), &job(true, &container(2, 1))), "Stop spec.template");
    assert_eq!(kube("36", "Job", &job(false, &container(1, 1)), &job(true, &container(2, 1))), "Stop spec.template");
    assert_eq!(kube("36", "Job", &job(true, &container(1, 1)), &job(true, &container(1, 2))), "Stop spec.template");
    assert_eq!(kube("34", "Job", &job(true, ""), &job(true, "nodeSelector: {a: b},")), "");
    assert_eq!(kube("34", "Job", &job(false, ""), &job(false, "nodeSelector: {a: b},")), "Stop spec.template");
    let claim = |class: &str| format!("spec: {{accessModes: [ReadWriteOnce], {class}}}");
    assert_eq!(kube("36", "PersistentVolumeClaim", &claim(""), &claim("storageClassName: ''")), "Act spec.storageClassName");
    assert_eq!(
        kube("36", "PersistentVolumeClaim", &claim("storageClassName: a"), &claim("storageClassName: b")),
        "Stop spec.storageClassName"
    );
    let role = |group: &str| format!("roleRef: {{{group} kind: Role, name: a}}");
    let binding = |old: &str, new: &str| stops("rbac.authorization.k8s.io/v1", "RoleBinding", &role(old), &role(new));
    assert!(binding("apiGroup: '',", "apiGroup: rbac.authorization.k8s.io,").is_empty(), "the server wrote it");
    assert!(binding("apiGroup: rbac.authorization.k8s.io,", "apiGroup: '',").is_empty());
    assert_eq!(binding("apiGroup: other.io,", "apiGroup: rbac.authorization.k8s.io,"), ["roleRef"]);
}
