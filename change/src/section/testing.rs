//! Small renders for the tests of the sections.

use proptest::prelude::*;
use serde_json::{Value, json};

use super::Context;
use crate::compare::{compare, compare_hooks};
use crate::input::{Input, Rendered, Side};
use crate::summary::{Item, Weight};

/// A render from YAML documents; hooks are told by their annotation, and `crds/` by their source comment.
pub(super) fn side(yaml: &str) -> Side {
    let mut side = Side::default();
    for (n, document) in yaml.split("\n---\n").enumerate() {
        let value: Value = serde_saphyr::from_str(document).unwrap();
        if value.is_null() {
            continue;
        }
        let in_crds = document.contains("# crds/");
        let folder = if in_crds { "crds" } else { "templates" };
        let rendered = Rendered { source: format!("c/{folder}/{n}.yaml"), value };
        if in_crds {
            side.crds.push(rendered);
        } else if rendered.value["metadata"]["annotations"].get("helm.sh/hook").is_some() {
            side.hooks.push(rendered);
        } else {
            side.objects.push(rendered);
        }
    }
    side
}

/// Two renders laid against each other in the namespace `ns`.
pub(super) fn input(old: &str, new: &str) -> Input {
    let mut input = Input { old: side(old), new: side(new), ..Input::default() };
    input.target.namespace = "ns".to_owned();
    input
}

/// What a section says about an input.
pub(super) fn run(section: fn(&Context<'_>) -> Vec<Item>, input: &Input) -> Vec<Item> {
    let objects = compare(&input.old, &input.new, &input.target);
    let hooks = compare_hooks(&input.old, &input.new, &input.target);
    section(&Context { input, objects: &objects, hooks: &hooks })
}

/// Claims as a person reads them.
pub(super) fn page(items: &[Item]) -> String {
    let mut page = String::new();
    for item in items {
        let weight = match item.weight {
            Weight::Stop => "STOP",
            Weight::Act => "ACT",
            Weight::Look => "look",
            Weight::Know => "know",
        };
        let object = match (&item.object, item.objects.len()) {
            (None, _) => String::new(),
            (Some(object), 0) => format!(" {object}:"),
            (Some(object), n) => format!(" {object} +{}:", n - 1),
        };
        page.push_str(&format!("{weight} {}{object} {}\n", item.code, item.what));
        for line in &item.detail {
            page.push_str(&format!("    {line}\n"));
        }
        if let Some(next) = &item.next {
            page.push_str(&format!("    -> {next}\n"));
        }
    }
    page
}

/// What a section says about two renders, as a person reads it.
pub(super) fn says(section: fn(&Context<'_>) -> Vec<Item>, old: &str, new: &str) -> String {
    page(&run(section, &input(old, new)))
}

/// Anything, with the words at which the sections look.
fn anything() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        "[a-z:/.@{}0-9*é-]{0,12}".prop_map(Value::from),
        prop_oneof![Just("None"), Just("10Gi"), Just("--image=quay.io/a/b:1"), Just("*"), Just("ServiceAccount"), Just("{\"panels\": []}")]
            .prop_map(Value::from),
    ];
    const WORDS: [&str; 44] = [
        "name",
        "namespace",
        "labels",
        "annotations",
        "containers",
        "image",
        "args",
        "env",
        "template",
        "spec",
        "ports",
        "port",
        "nodePort",
        "targetPort",
        "selector",
        "matchLabels",
        "endpoints",
        "rules",
        "groups",
        "alert",
        "record",
        "expr",
        "verbs",
        "resources",
        "apiGroups",
        "resourceNames",
        "subjects",
        "roleRef",
        "kind",
        "webhooks",
        "operations",
        "clientConfig",
        "http",
        "paths",
        "backend",
        "host",
        "tls",
        "storage",
        "volumeClaimTemplate",
        "requests",
        "hostNetwork",
        "helm.sh/hook",
        "volumeClaimTemplates",
        "d.json",
    ];
    leaf.prop_recursive(6, 80, 6, |inner| {
        let key = prop::sample::select(&WORDS[..]).prop_map(str::to_owned);
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            prop::collection::btree_map(key, inner, 0..6).prop_map(|map| Value::Object(map.into_iter().collect())),
        ]
    })
}

/// An object of a kind at which a section looks, with anything in it.
fn object() -> impl Strategy<Value = Value> {
    const KINDS: [&str; 20] = [
        "Service",
        "Ingress",
        "NetworkPolicy",
        "PersistentVolumeClaim",
        "StorageClass",
        "StatefulSet",
        "Prometheus",
        "PrometheusRule",
        "ConfigMap",
        "Role",
        "ClusterRole",
        "RoleBinding",
        "ClusterRoleBinding",
        "ValidatingWebhookConfiguration",
        "ServiceMonitor",
        "PodMonitor",
        "CustomResourceDefinition",
        "Job",
        "ServiceAccount",
        "HTTPRoute",
    ];
    let body = (anything(), anything(), anything(), anything(), anything());
    (prop::sample::select(&KINDS[..]), "[ab]", body).prop_map(|(kind, name, (spec, rules, subjects, data, annotations))| {
        json!({
            "apiVersion": if kind == "HTTPRoute" { "gateway.networking.k8s.io/v1" } else { "v1" }, "kind": kind,
            "metadata": {"name": name, "namespace": "ns", "labels": annotations, "annotations": annotations},
            "spec": spec, "rules": rules, "roleRef": subjects, "subjects": subjects, "data": data, "webhooks": rules,
        })
    })
}

fn objects() -> impl Strategy<Value = Side> {
    (prop::collection::vec(object(), 0..5), prop::collection::vec(object(), 0..3), prop::collection::vec(object(), 0..2)).prop_map(
        |(objects, hooks, crds)| {
            let rendered = |values: Vec<Value>| values.into_iter().map(|value| Rendered { source: String::new(), value }).collect();
            Side { objects: rendered(objects), hooks: rendered(hooks), crds: rendered(crds), ..Side::default() }
        },
    )
}

proptest! {
    // Each case runs six sections twice; the default of 256 takes 20 s.
    #![proptest_config(ProptestConfig::with_cases(64))]
    #[test]
    fn nothing_panics_and_the_same_render_twice_says_nothing(old in objects(), new in objects()) {
        let sections: [fn(&Context<'_>) -> Vec<Item>; 6] = [
            super::versions::items, super::crds::items, super::rbac::items, super::network::items, super::rules::items, super::hooks::items,
        ];
        for section in sections {
            run(section, &Input { old: old.clone(), new: new.clone(), ..Input::default() });
            let said = run(section, &Input { old: old.clone(), new: old.clone(), ..Input::default() });
            prop_assert!(said.is_empty(), "{}", page(&said));
        }
    }
}
