//! What is a change and what is noise, on small objects.

use proptest::prelude::*;
use serde_json::json;

use super::*;
use crate::input::{Chart, Subchart};

fn side(version: &str, objects: &[&str]) -> Side {
    let objects = objects
        .iter()
        .map(|text| Rendered { source: "chart/templates/x.yaml".to_owned(), value: serde_saphyr::from_str(text).unwrap() })
        .collect();
    let subcharts =
        vec![Subchart { key: "grafana".to_owned(), name: "grafana".to_owned(), version: format!("9.{version}"), app_version: None }];
    Side {
        chart: Chart { name: "demo".to_owned(), version: version.to_owned(), subcharts, ..Chart::default() },
        objects,
        ..Side::default()
    }
}

fn target() -> Target {
    Target { release: "demo".to_owned(), namespace: "monitoring".to_owned(), ..Target::default() }
}

/// `path: before -> after` of each change, then the kinds of noise.
fn told(old: &str, new: &str) -> (Vec<String>, Vec<NoiseKind>) {
    let (old, new) = (side("1.0.0", &[old]), side("2.0.0", &[new]));
    let comparison = compare(&old, &new, &target());
    assert_eq!((comparison.added.len(), comparison.removed.len()), (0, 0), "one object");
    let pair = &comparison.pairs[0];
    let shown = |value: &Option<Value>| value.as_ref().map_or("-".to_owned(), Value::to_string);
    let changes =
        pair.changes.iter().map(|change| format!("{}: {} -> {}", change.path_text(), shown(&change.before), shown(&change.after)));
    (changes.collect(), pair.noise.clone())
}

fn object(kind: &str, rest: &str) -> String {
    let (api, kind) = kind.rsplit_once('/').unwrap();
    format!("apiVersion: {api}\nkind: {kind}\nmetadata: {{name: x}}\n{rest}")
}

#[test]
fn noise_is_folded() {
    use NoiseKind::{ApiVersion, Default, Empty, Namespace, Order, Spelling, VersionLabel, Whitespace};
    let pods = |containers: &str| format!("spec: {{template: {{spec: {containers}}}}}");
    let table = [
        ("v1/ConfigMap", "data: {a: b}".to_owned(), "data: {a: b}\nstatus: {}".to_owned(), Empty),
        ("demo.io/v1/Thing", "spec: {description: \"b \\nc\"}".to_owned(), "spec: {description: \"b\\nc\\n\"}".to_owned(), Whitespace),
        (
            "monitoring.coreos.com/v1/PrometheusRule",
            "spec: {groups: [{name: a, rules: [{alert: b, expr: 'c'}]}]}".to_owned(),
            "spec: {groups: [{name: a, rules: [{alert: b, expr: 'c '}]}]}".to_owned(),
            Whitespace,
        ),
        ("apps/v1/Deployment", "spec: {}".to_owned(), "spec: {replicas: 1, strategy: {type: RollingUpdate}}".to_owned(), Default),
        ("apps/v1/Deployment", pods("{securityContext: {}}"), pods("{}"), Empty),
        (
            "apps/v1/Deployment",
            pods("{containers: [{name: a, image: 'b:1'}]}"),
            pods("{containers: [{name: a, image: 'b:1', imagePullPolicy: IfNotPresent}]}"),
            Default,
        ),
        (
            "apps/v1/Deployment",
            pods("{containers: [{name: a, image: b}]}"),
            pods("{containers: [{name: a, image: b, imagePullPolicy: Always}]}"),
            Default,
        ),
        ("v1/Service", "spec: {ports: [{name: a},{name: b}]}".to_owned(), "spec: {ports: [{name: b},{name: a}]}".to_owned(), Order),
        (
            "apps/v1/Deployment",
            pods("{containers: [{name: a, livenessProbe: {tcpSocket: {port: 1}}}]}"),
            pods("{containers: [{name: a, livenessProbe: {tcpSocket: {port: 1}, periodSeconds: 10}}]}"),
            Default,
        ),
        (
            "apps/v1/Deployment",
            pods("{containers: [{name: a, resources: {limits: {cpu: 1000m}}}]}"),
            pods("{containers: [{name: a, resources: {limits: {cpu: 1}}}]}"),
            Spelling,
        ),
        (
            "apps/v1/Deployment",
            pods("{containers: [{name: a, ports: [{containerPort: 1}]}]}"),
            pods("{containers: [{name: a, ports: [{containerPort: 1, protocol: TCP}]}]}"),
            Default,
        ),
        (
            "v1/Service",
            "spec: {ports: [{port: 80, targetPort: 80}]}".to_owned(),
            "spec: {type: ClusterIP, ports: [{port: 80}]}".to_owned(),
            Default,
        ),
        (
            "rbac.authorization.k8s.io/v1/ClusterRole",
            "rules: [{apiGroups: [''], resources: [a, b], verbs: [get]}]".to_owned(),
            "rules: [{apiGroups: [''], resources: [b, a], verbs: [get]}]".to_owned(),
            Order,
        ),
        (
            "rbac.authorization.k8s.io/v1/ClusterRole",
            "rules: [{apiGroups: [''], resources: [a, b], verbs: [get]}]".to_owned(),
            "rules: [{apiGroups: [''], resources: [a], verbs: [get]}, {apiGroups: [''], resources: [b], verbs: [get]}]".to_owned(),
            Spelling,
        ),
        (
            "rbac.authorization.k8s.io/v1/RoleBinding",
            "subjects: [{kind: User, name: a}]".to_owned(),
            "subjects: [{kind: User, name: a, apiGroup: rbac.authorization.k8s.io}]".to_owned(),
            Default,
        ),
        ("v1/Secret", "stringData: {a: foo}".to_owned(), "data: {a: Zm9v}".to_owned(), Spelling),
        (
            "monitoring.coreos.com/v1/ServiceMonitor",
            "spec: {endpoints: [{port: a, relabelings: [{}], metricRelabelings: []}]}".to_owned(),
            "spec: {endpoints: [{port: a, relabelings: [{action: replace}], metricRelabelings: []}]}".to_owned(),
            Default,
        ),
        (
            "apiextensions.k8s.io/v1/CustomResourceDefinition",
            "spec: {versions: [{name: v1, schema: {openAPIV3Schema: {properties: {a: {description: b}}}}}]}".to_owned(),
            "spec: {versions: [{name: v1, schema: {openAPIV3Schema: {description: c, properties: {a: {description: d}}}}}]}".to_owned(),
            NoiseKind::Description,
        ),
        ("monitoring.coreos.com/v1/PodMonitor", "spec: {a: []}".to_owned(), "spec: {}".to_owned(), Empty),
        ("monitoring.coreos.com/v1/Prometheus", "spec: {}".to_owned(), "spec: {hostNetwork: false}".to_owned(), Default),
        (
            "monitoring.coreos.com/v1/ServiceMonitor",
            "spec: {endpoints: [{port: a, interval: 1m}]}".to_owned(),
            "spec: {endpoints: [{port: a, interval: 60s}]}".to_owned(),
            Spelling,
        ),
    ];
    for (kind, old, new, noise) in table {
        let (old, new) = (object(kind, &old), object(kind, &new));
        assert_eq!(told(&old, &new), (vec![], vec![noise]), "{old}\n{new}");
        assert_eq!(told(&new, &old), (vec![], vec![noise]), "{new}\n{old}");
    }
    let labels = |label: &str| format!("apiVersion: v1\nkind: ConfigMap\nmetadata: {{name: x, labels: {{{label}}}}}");
    for (old, new) in [
        ("helm.sh/chart: demo-1.0.0", "helm.sh/chart: demo-2.0.0"),
        ("a: demo-1.0.0", "a: demo-2.0.0"),
        ("a: grafana-9.1.0.0", "a: grafana-9.2.0.0"),
        ("b: c", "b: c, app.kubernetes.io/version: \"7\""),
    ] {
        assert_eq!(told(&labels(old), &labels(new)), (vec![], vec![VersionLabel]), "{old}");
    }
    let explicit = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: x, namespace: monitoring}";
    assert_eq!(told(&object("v1/ConfigMap", ""), explicit), (vec![], vec![Namespace]));
    for (old, new) in [
        ("extensions/v1beta1/Ingress", "networking.k8s.io/v1/Ingress"),
        ("extensions/v1beta1/Deployment", "apps/v1/Deployment"),
        ("policy/v1beta1/PodDisruptionBudget", "policy/v1/PodDisruptionBudget"),
    ] {
        assert_eq!(told(&object(old, ""), &object(new, "")), (vec![], vec![ApiVersion]), "{old}");
    }
}

#[test]
fn white_space_in_data_and_pods_is_substance() {
    let pods = |value: &str| format!("spec: {{template: {{spec: {{containers: [{{name: a, env: [{{name: A, value: {value}}}]}}]}}}}}}");
    for (kind, old, new) in [
        ("v1/ConfigMap", r#"data: {a: "b \\\nc"}"#.to_owned(), r#"data: {a: "b \\ \nc"}"#.to_owned()),
        ("v1/ConfigMap", r#"data: {description: "b"}"#.to_owned(), r#"data: {description: "b "}"#.to_owned()),
        ("v1/Secret", r#"stringData: {a: "b"}"#.to_owned(), r#"stringData: {a: "b\n"}"#.to_owned()),
        ("demo.io/v1/Thing", "spec: {script: a}".to_owned(), "spec: {script: 'a '}".to_owned()),
        ("apps/v1/Deployment", pods("a"), pods("'a '")),
    ] {
        let (changes, noise) = told(&object(kind, &old), &object(kind, &new));
        assert_eq!((changes.len(), noise), (1, vec![]), "{old}");
    }
}

#[test]
fn an_ingress_in_the_words_of_its_new_api() {
    let old = "spec: {rules: [{host: a, http: {paths: [{path: /, backend: {serviceName: s, servicePort: 80}}]}}]}";
    let new = "spec: {rules: [{host: a, http: {paths: [{path: /, pathType: ImplementationSpecific, backend: {service: {name: s, port: {number: 80}}}}]}}]}";
    let told = told(&object("extensions/v1beta1/Ingress", old), &object("networking.k8s.io/v1/Ingress", new));
    assert_eq!(told, (vec![], vec![NoiseKind::ApiVersion]));
}

#[test]
fn substance_is_told_where_it_is() {
    let pods = |containers: &str| format!("spec: {{template: {{spec: {containers}}}}}");
    for (kind, old, new, expected) in [
        (
            "apps/v1/Deployment",
            pods("{containers: [{name: a, image: 'x:1'}, {name: b}]}"),
            pods("{containers: [{name: b}, {name: a, image: 'x:2'}]}"),
            vec![r#"spec.template.spec.containers[a].image: "x:1" -> "x:2""#, r#"spec.template.spec.containers: ["a","b"] -> ["b","a"]"#],
        ),
        (
            "apps/v1/Deployment",
            pods("{containers: [{name: a, args: [-a, --b=1, -c]}]}"),
            pods("{containers: [{name: a, args: [-a, -x, --b=2, -c]}]}"),
            vec![
                r#"spec.template.spec.containers[a].args[2]: "--b=1" -> "--b=2""#,
                r#"spec.template.spec.containers[a].args[1]: - -> "-x""#,
            ],
        ),
        (
            "apps/v1/Deployment",
            pods("{initContainers: [{name: a}, {name: b}]}"),
            pods("{initContainers: [{name: b}, {name: a}]}"),
            vec![r#"spec.template.spec.initContainers: ["a","b"] -> ["b","a"]"#],
        ),
        (
            "v1/Service",
            "spec: {ports: [{port: 80, targetPort: 8080}]}".to_owned(),
            "spec: {ports: [{port: 80, targetPort: '8080'}]}".to_owned(),
            vec![r#"spec.ports[80/TCP].targetPort: 8080 -> "8080""#],
        ),
        (
            "rbac.authorization.k8s.io/v1/ClusterRole",
            "rules: [{apiGroups: [''], resources: [a], verbs: [get]}]".to_owned(),
            "rules: [{apiGroups: [''], resources: [a], verbs: [list, get]}]".to_owned(),
            vec![r#"rules[0].verbs[list]: - -> "list""#],
        ),
        // An empty selector of a custom resource takes everything, an absent one nothing.
        (
            "monitoring.coreos.com/v1/Prometheus",
            "spec: {}".to_owned(),
            "spec: {ruleSelector: {}}".to_owned(),
            vec!["spec.ruleSelector: - -> {}"],
        ),
        (
            "networking.k8s.io/v1/NetworkPolicy",
            "spec: {}".to_owned(),
            "spec: {podSelector: {}}".to_owned(),
            vec!["spec.podSelector: - -> {}"],
        ),
        ("v1/ConfigMap", "data: {a: 'x: 1'}".to_owned(), "data: {a: 'x: 2'}".to_owned(), vec![r#"data.a: "x: 1" -> "x: 2""#]),
    ] {
        let (changes, _) = told(&object(kind, &old), &object(kind, &new));
        assert_eq!(changes, expected, "{kind}");
    }
}

#[test]
fn a_version_label_of_pods_is_substance() {
    let deployment = |version: &str| {
        object("apps/v1/Deployment", &format!("spec: {{template: {{metadata: {{labels: {{helm.sh/chart: demo-{version}}}}}}}}}"))
    };
    let (changes, noise) = told(&deployment("1.0.0"), &deployment("2.0.0"));
    assert_eq!(changes, [r#"spec.template.metadata.labels[helm.sh/chart]: "demo-1.0.0" -> "demo-2.0.0""#]);
    assert_eq!(noise, []);
}

#[test]
fn the_tool_that_wrote_a_crd_is_no_substance() {
    let crd = |version: &str| {
        format!(
            "apiVersion: apiextensions.k8s.io/v1\nkind: CustomResourceDefinition\nmetadata: {{name: a.b, annotations: \
             {{controller-gen.kubebuilder.io/version: {version}}}}}"
        )
    };
    assert_eq!(told(&crd("v0.18.0"), &crd("v0.19.0")), (vec![], vec![NoiseKind::VersionLabel]));
}

#[test]
fn an_empty_name_in_a_template_of_pods_is_not_stored() {
    let pods = |metadata: &str| object("apps/v1/Deployment", &format!("spec: {{template: {{metadata: {{labels: {{a: b}}{metadata}}}}}}}"));
    assert_eq!(told(&pods(""), &pods(", name: '', namespace: ''")), (vec![], vec![NoiseKind::Empty]));
    assert_eq!(told(&pods(""), &pods(", name: x")).0, [r#"spec.template.metadata.name: - -> "x""#]);
}

#[test]
fn each_random_name_is_an_object() {
    let map = |data: &str| object("v1/ConfigMap", &format!("data: {{a: {data}}}")).replace("name: x", "name: x-(random)");
    let (old, new) = (side("1", &[&map("b"), &map("c")]), side("1", &[&map("b"), &map("d"), &map("e")]));
    let comparison = compare(&old, &new, &target());
    assert_eq!((comparison.pairs.len(), comparison.added.len(), comparison.new_twice.len()), (2, 1, 0));
    let changed: Vec<bool> = comparison.pairs.iter().map(Pair::changed).collect();
    assert_eq!(changed, [false, true]);
    assert_eq!(comparison.pairs[1].object.name, "x-(random) #2");
}

#[test]
fn objects_of_the_cluster_have_no_namespace() {
    let role = "apiVersion: rbac.authorization.k8s.io/v1\nkind: ClusterRole\nmetadata: {name: x, namespace: other}";
    let custom = "apiVersion: demo.io/v1\nkind: Thing\nmetadata: {name: x}";
    let elsewhere = "apiVersion: demo.io/v1\nkind: Thing\nmetadata: {name: x, namespace: other}";
    let crd = "apiVersion: apiextensions.k8s.io/v1\nkind: CustomResourceDefinition\nmetadata: {name: things.demo.io}\nspec: {group: demo.io, scope: Cluster, names: {kind: Thing}}";
    let old = side("1", &[role, custom]);
    let mut new = side("1", &[&role.replace(", namespace: other", ""), elsewhere]);
    assert_eq!(compare(&old, &new, &target()).removed.len(), 1, "nobody says that a Thing is of the cluster");
    new.crds = side("1", &[crd]).objects;
    let comparison = compare(&old, &new, &target());
    assert_eq!((comparison.pairs.len(), comparison.removed.len()), (2, 0));
    assert_eq!(comparison.pairs[0].object.to_string(), "ClusterRole/x");
}

#[test]
fn of_two_with_one_name_the_last_counts() {
    let old = side("1", &[&object("v1/ConfigMap", "data: {a: b}")]);
    let new = side("1", &[&object("v1/ConfigMap", "data: {a: c}"), &object("v1/ConfigMap", "data: {a: b}")]);
    let comparison = compare(&old, &new, &target());
    assert!(!comparison.pairs[0].changed());
    assert_eq!(comparison.new_twice.len(), 1);
}

#[test]
fn secrets_are_out_of_sight() {
    let planted = "hunter2";
    for (kind, old, new) in [
        ("v1/Secret", "data: {a: hunter2}".to_owned(), "data: {a: hunter2x, b: hunter2}".to_owned()),
        ("v1/Secret", "type: x".to_owned(), "stringData: {a: hunter2}".to_owned()),
        ("v1/ConfigMap", "data: {}".to_owned(), "data: {grafana.ini: \"a = b\\nadmin_password = hunter2\"}".to_owned()),
        (
            "apps/v1/Deployment",
            "spec: {template: {spec: {containers: [{name: a, env: [{name: PASSWORD, value: hunter2}], args: [--token, hunter2]}]}}}"
                .to_owned(),
            "spec: {template: {spec: {containers: [{name: a, env: [{name: PASSWORD, value: hunter2x}], args: [--token, hunter2x]}]}}}"
                .to_owned(),
        ),
        (
            "apps/v1/Deployment",
            "spec: {template: {spec: {containers: [{name: a, env: [{name: A}, {name: A}, {name: PASSWORD, value: hunter2}]}]}}}".to_owned(),
            "spec: {template: {spec: {containers: [{name: a, env: [{name: A}, {name: A}, {name: PASSWORD, value: hunter2x}]}]}}}"
                .to_owned(),
        ),
        (
            "demo.io/v1/Thing",
            "spec: {password: hunter2}".to_owned(),
            "spec: {nested: {password: hunter2}, list: [{apiKey: hunter2}]}".to_owned(),
        ),
    ] {
        let (changes, _) = told(&object(kind, &old), &object(kind, &new));
        assert!(!changes.is_empty(), "{kind} changed");
        assert!(!changes.join("\n").contains(planted), "{changes:?}");
    }
}

/// Each level of it would double the work, and each item is tried against all.
#[test]
fn lists_in_lists_take_no_longer_than_their_size() {
    let nested = |leaf: &str| format!("spec: {}{leaf}{}", "{from: [".repeat(28), "]}".repeat(28));
    let (changes, _) = told(&object("demo.io/v1/Thing", &nested("{a: 1}")), &object("demo.io/v1/Thing", &nested("{a: 2}")));
    assert_eq!(changes.len(), 1, "{changes:?}");
    let many = |first: usize| (first..first + 500).map(|at| format!("{{key: k, value: v{at}}}")).collect::<Vec<_>>().join(", ");
    let tolerations = |first| object("v1/Pod", &format!("spec: {{tolerations: [{}]}}", many(first)));
    assert_eq!(told(&tolerations(0), &tolerations(500)).0.len(), 500);
}

fn any_json() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        "[a-c=:\\- ]{0,6}".prop_map(Value::from),
    ];
    leaf.prop_recursive(5, 64, 6, |inner| {
        let key = prop_oneof![
            Just("name".to_owned()),
            Just("metadata".to_owned()),
            Just("spec".to_owned()),
            Just("labels".to_owned()),
            Just("verbs".to_owned()),
            Just("tolerations".to_owned()),
            Just("containers".to_owned()),
            "[a-d]{1,2}".prop_map(String::from),
        ];
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..6).prop_map(Value::Array),
            prop::collection::vec((key, inner), 0..6).prop_map(|entries| Value::Object(entries.into_iter().collect())),
        ]
    })
}

fn kind() -> impl Strategy<Value = &'static str> {
    prop::sample::select(vec!["Deployment", "Secret", "ClusterRole", "PrometheusRule", "Thing", "CustomResourceDefinition"])
}

fn side_of(kind: &str, value: Value) -> Side {
    let mut value = value;
    if let Value::Object(map) = &mut value {
        map.insert("kind".to_owned(), json!(kind));
        map.insert("apiVersion".to_owned(), json!("apps/v1"));
    }
    Side { objects: vec![Rendered { source: String::new(), value }], ..Side::default() }
}

/// The same, with each list of named things turned round.
fn turned(value: &Value) -> Value {
    match value {
        Value::Object(map) => Value::Object(map.iter().rev().map(|(key, value)| (key.clone(), turned(value))).collect()),
        Value::Array(items) if items.iter().all(Value::is_object) => Value::Array(items.iter().rev().map(turned).collect()),
        other => other.clone(),
    }
}

proptest! {
    #[test]
    fn nothing_changes_between_two_that_are_equal(kind in kind(), value in any_json()) {
        let side = side_of(kind, value);
        let comparison = compare(&side, &side, &target());
        prop_assert_eq!(comparison.pairs.len(), 1);
        prop_assert!(comparison.pairs[0].changes.is_empty());
        prop_assert!(comparison.pairs[0].noise.is_empty());
    }

    #[test]
    fn any_two_are_compared(kind in kind(), old in any_json(), new in any_json()) {
        let (old, new) = (side_of(kind, old), side_of(kind, new));
        let comparison = compare(&old, &new, &target());
        prop_assert_eq!(comparison.pairs.len() * 2 + comparison.added.len() + comparison.removed.len(), 2);
        for pair in &comparison.pairs {
            for change in &pair.changes {
                prop_assert!(change.before.is_some() || change.after.is_some());
                let _ = change.path_text();
            }
        }
    }

    #[test]
    fn the_order_of_named_things_is_no_change(names in prop::collection::btree_set("[a-z]{1,3}", 0..8), value in any_json()) {
        let items: Vec<Value> = names.iter().map(|name| json!({"name": name, "env": [{"name": "A", "value": "1"}, {"name": "B", "value": name}], "x": value})).collect();
        // Of a hook, since pods that run are replaced for another order.
        let object = json!({"metadata": {"name": "x", "annotations": {"helm.sh/hook": "test"}}, "spec": {"template": {"spec": {"containers": items, "tolerations": [{"key": "a"}, {"key": "b"}]}}}});
        // What is in the middle of it may be a sequence, so only the lists that we made are turned round.
        let mut other = object.clone();
        for pointer in ["/spec/template/spec/containers", "/spec/template/spec/tolerations"] {
            if let Some(Value::Array(items)) = other.pointer_mut(pointer) {
                items.reverse();
                for item in items {
                    if let Some(env) = item.get_mut("env") {
                        *env = turned(env);
                    }
                }
            }
        }
        let (old, new) = (side_of("Deployment", object), side_of("Deployment", other));
        let comparison = compare(&old, &new, &target());
        prop_assert!(comparison.pairs[0].changes.is_empty(), "{:?}", comparison.pairs[0].changes);
    }
}

#[test]
fn a_description_that_objects_get_is_no_word_about_a_field() {
    let crd = |field: &str| {
        object(
            "apiextensions.k8s.io/v1/CustomResourceDefinition",
            &format!("spec: {{versions: [{{name: v1, schema: {{openAPIV3Schema: {{{field}}}}}}}]}}"),
        )
    };
    for (old, new) in [
        ("default: {description: a}", "default: {description: b}"),
        ("properties: {description: {type: string}}", "properties: {description: {type: integer}}"),
        ("properties: {}", "properties: {description: {type: integer}}"),
    ] {
        assert_eq!(told(&crd(old), &crd(new)).0.len(), 1, "{old} to {new}");
    }
}
