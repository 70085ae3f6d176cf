//! Restarts and their reasons as a person reads them.

use super::super::testing::says;
use super::*;

fn workload(kind: &str, spec: &str, pod: &str) -> String {
    format!("apiVersion: apps/v1\nkind: {kind}\nmetadata: {{name: x}}\nspec: {{{spec} template: {pod}}}")
}

fn containers(containers: &str) -> String {
    format!("{{spec: {{containers: [{containers}]}}}}")
}

#[test]
fn why_pods_restart() {
    let old = workload(
        "Deployment",
        "",
        "{metadata: {labels: {v: '1'}, annotations: {checksum/config: a}}, spec: {containers: [{name: a, image: 'r/a:1', args: [-a], env: [{name: X, value: '1'}]}, {name: b}]}}",
    );
    let new = workload(
        "Deployment",
        "",
        "{metadata: {labels: {v: '2'}, annotations: {checksum/config: b}}, spec: {containers: [{name: a, image: 'r/a:2', args: [-b], env: [{name: X, value: '2'}]}, {name: b, livenessProbe: {exec: {command: [x]}}}], nodeSelector: {a: b}}}",
    );
    insta::assert_snapshot!(says(items, &old, &new), @r#"
    know pods-restart Deployment/ns/x: its pods restart: image of a (1 to 2), configuration (checksum/config), arguments of a, environment of a (X), probes of b (liveness), where its pods may run and label v
        spec.template.metadata.annotations[checksum/config]: a to b
        spec.template.metadata.labels.v: 1 to 2
        spec.template.spec.containers[a].args[0]: -a goes
        spec.template.spec.containers[a].args[0]: -b is new
        spec.template.spec.containers[a].env[X].value: 1 to 2
        spec.template.spec.containers[a].image: r/a:1 to r/a:2
        spec.template.spec.containers[b].livenessProbe: {"exec":{"command":["x"]}} is new
        spec.template.spec.nodeSelector: {"a":"b"} is new
    "#);
}

#[test]
fn a_number_and_its_text_are_told_apart() {
    let pods = |port: &str| workload("Deployment", "", &containers(&format!("{{name: a, livenessProbe: {{httpGet: {{port: {port}}}}}}}")));
    let said = says(items, &pods("80"), &pods("'80'"));
    assert!(said.contains(r#".port: 80 to "80""#), "{said}");
}

#[test]
fn a_variable_that_no_longer_finds_the_one_that_it_names() {
    let pods = |env: &str| workload("Deployment", "", &containers(&format!("{{name: a, env: [{env}]}}")));
    let (a, b, c) = ("{name: A, value: '1'}", "{name: B, value: $(A)}", "{name: C, value: '1'}");
    let of = |names: [&str; 3]| pods(&names.join(", "));
    insta::assert_snapshot!(says(items, &of([a, b, c]), &of([c, b, a])), @r#"
    know pods-restart Deployment/ns/x: its pods restart: environment of a (B: $(A) now stands after it)
        spec.template.spec.containers[a].env[B]: ["A","B"] to ["B","A"]
    "#);
}

#[test]
fn pods_that_restart_for_nothing_but_another_order() {
    let pods = |pod: &str| workload("Deployment", "", &format!("{{spec: {{containers: [{{name: a, {pod}}}]}}}}"));
    let spec = |spec: &str| workload("DaemonSet", "", &format!("{{spec: {{{spec}}}}}"));
    for (old, new, expected) in [
        (
            pods("env: [{name: A}, {name: B}]"),
            pods("env: [{name: B}, {name: A}]"),
            "its pods restart for nothing but another order (env of a)",
        ),
        (
            spec("tolerations: [{key: a}, {key: b}]"),
            spec("tolerations: [{key: b}, {key: a}]"),
            "its pods restart for nothing but another order (tolerations), node by node",
        ),
        (
            spec("volumes: [{name: a}, {name: b}]"),
            spec("volumes: [{name: b}, {name: a}]"),
            "its pods restart for nothing but another order (volumes), node by node",
        ),
        (
            pods("image: 'x:1', ports: [{name: a, containerPort: 1}, {name: b, containerPort: 2}]"),
            pods("image: 'x:2', ports: [{name: b, containerPort: 2}, {name: a, containerPort: 1}]"),
            "its pods restart: image of a (1 to 2)",
        ),
    ] {
        let said = says(items, &old, &new);
        assert!(said.lines().next().is_some_and(|line| line.ends_with(expected)), "{said}");
    }
}

#[test]
fn what_a_checksum_stands_for() {
    let map = |name: &str, n: u8| format!("apiVersion: v1\nkind: ConfigMap\nmetadata: {{name: {name}}}\ndata: {{a: '{n}'}}");
    let pods = |n: u8| {
        workload(
            "Deployment",
            "",
            &format!(
                "{{metadata: {{annotations: {{checksum/config: '{n}'}}}}, spec: {{containers: [{{name: a, envFrom: [{{configMapRef: {{name: read}}}}]}}]}}}}"
            ),
        )
    };
    let all = |n: u8, read: u8| [map("read", read), map("other", n), pods(n)].join("\n---\n");
    let page = says(items, &all(1, 1), &all(2, 2));
    assert!(page.contains("its pods restart: ConfigMap read (checksum/config)\n"), "{page}");
    let page = says(items, &all(1, 1), &all(2, 1));
    assert!(page.contains("its pods restart: configuration (checksum/config)\n"), "nothing that they read: {page}");
}

#[test]
fn a_label_alone_is_said_to_be_the_reason() {
    let pods = |version: &str| workload("Deployment", "", &format!("{{metadata: {{labels: {{chart: demo-{version}}}}}}}"));
    assert!(
        says(items, &pods("1"), &pods("2"))
            .starts_with("know pods-restart Deployment/ns/x: its pods restart for nothing but label chart\n")
    );
}

#[test]
fn how_they_restart() {
    let image = |n: u8| containers(&format!("{{name: a, image: 'a:{n}'}}"));
    for (kind, spec, expected) in [
        (
            "Deployment",
            "strategy: {type: Recreate},",
            "look pods-restart Deployment/ns/x: its pods restart, all old ones stopping before new ones start: image of a (1 to 2)",
        ),
        (
            "StatefulSet",
            "",
            "look pods-restart StatefulSet/ns/x: its pods restart, and there is only one, down meanwhile: image of a (1 to 2)",
        ),
        ("StatefulSet", "replicas: 3,", "know pods-restart StatefulSet/ns/x: its pods restart, one after the other: image of a (1 to 2)"),
        (
            "DaemonSet",
            "updateStrategy: {type: OnDelete},",
            "look pods-restart-by-hand DaemonSet/ns/x: its pods keep the old version until you delete them",
        ),
    ] {
        let page = says(items, &workload(kind, spec, &image(1)), &workload(kind, spec, &image(2)));
        assert!(page.starts_with(expected), "{page}");
    }
}

#[test]
fn a_default_that_is_written_restarts_nothing() {
    let old = workload("Deployment", "", &containers("{name: a, image: 'a:1'}"));
    let new = workload("Deployment", "replicas: 1, ", &containers("{name: a, image: 'a:1', imagePullPolicy: IfNotPresent, resources: {}}"));
    assert_eq!(says(items, &old, &new), "");
}

#[test]
fn pods_come_go_and_get_power() {
    let plain = workload("Deployment", "replicas: 3,", &containers("{name: a, resources: {limits: {memory: 1Gi}}}"));
    let other = workload(
        "Deployment",
        "replicas: 1,",
        "{spec: {hostNetwork: true, containers: [{name: a, securityContext: {privileged: true}, resources: {limits: {memory: 512Mi}}}]}}",
    );
    let page = says(items, &plain, &other);
    for line in [
        "look replicas Deployment/ns/x: runs 1 pod instead of 3",
        "look node-access Deployment/ns/x: gets power over its node: hostNetwork and privileged container a",
        "look resources Deployment/ns/x: has other resources: memory limit of a 1Gi to 512Mi (less)",
    ] {
        assert!(page.contains(line), "{page}");
    }
    assert!(says(items, "", &plain).contains("know workload-added Deployment/ns/x: is new, with 3 pods"));
    assert!(says(items, &plain, "").contains("look workload-removed Deployment/ns/x: goes, and its pods with it"));
}

#[test]
fn configuration_without_a_restart() {
    let map = |data: &str| format!("apiVersion: v1\nkind: ConfigMap\nmetadata: {{name: c}}\ndata: {{a: {data}}}");
    let with = |pod: &str| {
        let pod = workload("Deployment", "", pod);
        says(items, &format!("{}\n---\n{pod}", map("a")), &format!("{}\n---\n{pod}", map("b")))
    };
    let files = "{spec: {volumes: [{name: v, configMap: {name: c}}], containers: [{name: a, volumeMounts: [{name: v, mountPath: /c}]}]}}";
    assert!(with(files).starts_with("look config-without-restart Deployment/ns/x: does not restart for ConfigMap c"));
    assert!(with(&files.replace("mountPath: /c", "mountPath: /c, subPath: a")).starts_with("look config-not-read"));
    assert!(with(&files.replace("name: a, v", "name: config-reloader, v")).starts_with("know config-reloaded"));
    assert!(with("{spec: {containers: [{name: a, envFrom: [{configMapRef: {name: c}}]}]}}").starts_with("look config-not-read"));
    assert_eq!(with("{spec: {volumes: [{name: v, configMap: {name: other}}], containers: []}}"), "");
}

#[test]
fn pods_of_an_operator() {
    let prometheus = |spec: &str| {
        format!("apiVersion: monitoring.coreos.com/v1\nkind: Prometheus\nmetadata: {{name: p}}\nspec: {{replicas: 2, {spec}}}")
    };
    let with = |old: &str, new: &str| says(items, &prometheus(old), &prometheus(new));
    assert!(
        with("version: v2", "version: v3")
            .starts_with("know pods-restart Prometheus/ns/p: prometheus-operator replaces its pods: version\n")
    );
    assert!(with("scrapeInterval: 1m", "scrapeInterval: 2m").starts_with("know config-reload"));
    assert!(with("ruleSelector: {}", "a: b").contains("config-reload"));
    assert!(with("storage: {a: b}", "storage: {a: c}").starts_with("look operated-storage"));
    let operator = |n: u8| {
        let args = format!("args: ['--prometheus-config-reloader=r:{n}']");
        format!(
            "{}\n---\n{}",
            prometheus(""),
            workload("Deployment", "", &containers(&format!("{{name: o, image: 'q/prometheus-operator:{n}', {args}}}")))
        )
    };
    let page = says(items, &operator(1), &operator(2));
    assert!(page.contains("Prometheus/ns/p: prometheus-operator replaces its pods: the config-reloader beside it"), "{page}");
    assert!(page.contains("know operator-changed Deployment/ns/x"), "{page}");
}

#[test]
fn a_number_that_an_autoscaler_writes_too_is_no_default() {
    let pods = |spec: &str| workload("Deployment", spec, &containers("{name: a}"));
    let hpa = "apiVersion: autoscaling/v2\nkind: HorizontalPodAutoscaler\nmetadata: {name: h}\nspec: {scaleTargetRef: {kind: Deployment, name: x}}";
    let keda = "apiVersion: keda.sh/v1alpha1\nkind: ScaledObject\nmetadata: {name: k}\nspec: {scaleTargetRef: {name: x}}";
    let with = |spec: &str, scaler: &str| [&pods(spec), scaler].join("\n---\n");
    insta::assert_snapshot!(says(items, &with("", hpa), &with("replicas: 1,", hpa)), @r"
    ACT replicas-and-autoscaler Deployment/ns/x: each upgrade sets it to 1 pod, however many HorizontalPodAutoscaler h has made of it, until that scales it again
        -> leave replicas out by your values where the chart can, or set the number that runs: kubectl get deployment.apps x --namespace ns -o jsonpath={.spec.replicas}
    ");
    insta::assert_snapshot!(says(items, &with("replicas: 1,", keda), &with("", keda)), @r"
    ACT replicas-and-autoscaler Deployment/ns/x: replicas: 1 is written no more, and this upgrade sets it to 1 pod, however many ScaledObject k has made of it, until that scales it again
        -> set the number that runs by your values where the chart can, or choose an hour in which 1 pod is enough: kubectl get deployment.apps x --namespace ns -o jsonpath={.spec.replicas}
    ");
    let off = says(items, &with("", hpa), &pods("replicas: 1,"));
    assert!(off.contains("ACT replicas-and-autoscaler Deployment/ns/x: goes to 1 pod, however many HorizontalPodAutoscaler h"), "{off}");
    assert_eq!(says(items, &with("", hpa), &with("", hpa)), "");
    let on = says(items, &pods("replicas: 1,"), &with("", hpa));
    assert_eq!(on, "know workload-added HorizontalPodAutoscaler/ns/h: is new\n", "nobody has scaled it yet");
    let on = says(items, &pods("replicas: 3,"), &with("", hpa));
    assert!(
        on.contains(
            "ACT replicas-and-autoscaler Deployment/ns/x: replicas: 3 is written no more, and this upgrade sets it to 1 pod, until \
             HorizontalPodAutoscaler h, which is new, scales it\n"
        ),
        "{on}"
    );
    assert_eq!(
        says(items, &with("", hpa).replace("name: x}", "name: y}"), &with("replicas: 1,", hpa).replace("name: x}", "name: y}")),
        "",
        "another one"
    );
    assert_eq!(says(items, &pods(""), &pods("replicas: 1,")), "", "nobody else scales it");
    assert!(
        says(items, &with("replicas: 2,", hpa), &with("replicas: 3,", hpa))
            .starts_with("ACT replicas-and-autoscaler Deployment/ns/x: each upgrade sets it to 3 pods")
    );
}

#[test]
fn numbers_that_two_write_and_budgets_that_let_nobody_go() {
    let with_labels = workload("Deployment", "replicas: 2,", "{metadata: {labels: {a: b}}, spec: {containers: []}}");
    let hpa = "apiVersion: autoscaling/v2\nkind: HorizontalPodAutoscaler\nmetadata: {name: h}\nspec: {scaleTargetRef: {kind: Deployment, name: x}}";
    let budget =
        "apiVersion: policy/v1\nkind: PodDisruptionBudget\nmetadata: {name: b}\nspec: {minAvailable: 2, selector: {matchLabels: {a: b}}}";
    let page = says(items, &with_labels, &[&with_labels, hpa, budget].join("\n---\n"));
    assert!(page.contains("look replicas-and-autoscaler Deployment/ns/x"), "{page}");
    assert!(page.contains("look budget-blocks-drain PodDisruptionBudget/ns/b: lets no pod of Deployment x be evicted"), "{page}");
}

#[test]
fn what_is_alike_is_told_once() {
    let pods = |n: u8, name: &str| {
        workload("Deployment", "", &containers(&format!("{{name: a, image: 'a:{n}'}}"))).replace("name: x", &format!("name: {name}"))
    };
    let page = says(items, &[pods(1, "x"), pods(1, "z")].join("\n---\n"), &[pods(2, "x"), pods(2, "z")].join("\n---\n"));
    assert_eq!(page.lines().count(), 2, "{page}");
    assert!(page.starts_with("know pods-restart Deployment/ns/x +1:"), "{page}");
}

#[test]
fn pods_that_are_held_back() {
    let image = |n: u8| containers(&format!("{{name: a, image: 'a:{n}'}}"));
    let with = |kind: &str, spec: &str| says(items, &workload(kind, spec, &image(1)), &workload(kind, spec, &image(2)));
    let by_hand = "look pods-restart-by-hand";
    let partition = |n: u8| format!("replicas: 3, updateStrategy: {{rollingUpdate: {{partition: {n}}}}},");
    let paused = with("Deployment", "paused: true,");
    assert!(
        paused.starts_with(&format!("{by_hand} Deployment/ns/x: its pods keep the old version, for it is paused: image of a (1 to 2)")),
        "{paused}"
    );
    assert!(paused.contains("kubectl rollout resume deployment/x --namespace ns"));
    let resumed = says(items, &workload("Deployment", "paused: true,", ""), &workload("Deployment", "", ""));
    assert_eq!(
        resumed,
        "look resumed Deployment/ns/x: is no longer paused: if it has held back changes of its pods, they restart for them now\n"
    );
    let all = with("StatefulSet", &partition(3));
    assert!(
        all.starts_with(&format!("{by_hand} StatefulSet/ns/x: its pods keep the old version, for its partition 3 leaves all of them out")),
        "{all}"
    );
    let some = with("StatefulSet", &partition(2));
    assert!(
        some.starts_with("look pods-restart StatefulSet/ns/x: its pods restart, those from its partition on, and no others: image"),
        "{some}"
    );
    assert!(with("StatefulSet", &partition(0)).starts_with("know pods-restart"));
    assert!(with("StatefulSet", &format!("ordinals: {{start: 3}}, {}", partition(3))).starts_with("know pods-restart"), "it counts from 3");
}

#[test]
fn an_empty_selector_of_a_budget_means_another_thing() {
    let budget = |version: &str, selector: &str| {
        format!("apiVersion: policy/{version}\nkind: PodDisruptionBudget\nmetadata: {{name: b}}\nspec: {{minAvailable: 1, {selector}}}")
    };
    let says = |selector: &str| says(items, &budget("v1beta1", selector), &budget("v1", selector));
    let expected = "look budget-selects PodDisruptionBudget/ns/b: holds for every pod of its namespace from now on: an empty selector selected none in policy/v1beta1\n    -> give it the labels of the pods that it is meant for\n";
    assert_eq!(says("selector: {}"), expected);
    assert_eq!(says("selector: {matchLabels: {}}"), expected);
    assert_eq!(says("selector: {matchLabels: {a: b}}"), "");
    assert_eq!(says(""), "", "none is none in both");
}
