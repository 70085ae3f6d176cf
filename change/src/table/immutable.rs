//! Fields that the API server lets nobody change. From `pkg/apis/*/validation` of Kubernetes 1.36.

use std::collections::BTreeSet;

use serde_json::{Map, Value};

use crate::compare::identity::text;
use crate::compare::scalar::quantity;
use crate::input::is_drawn;
use crate::table::scopes::is_builtin;

/// Where the table is from, as a claim says it.
pub(crate) const SOURCE: &str = "update validation of the Kubernetes API server";

/// What is wrong with a change of an immutable field.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Fixed {
    /// The field, from the top of the object.
    pub(crate) path: String,
    pub(crate) before: Option<Value>,
    pub(crate) after: Option<Value>,
    /// A shrunk volume and not another one.
    pub(crate) shrinks: bool,
}

/// Fields that are fixed, by kind.
const FIELDS: &[(&str, &[&str])] = &[
    ("CSIDriver", &["spec.attachRequired", "spec.volumeLifecycleModes"]),
    ("CertificateRequest", &["spec"]),
    ("CertificateSigningRequest", &["spec"]),
    ("ClusterRoleBinding", &["roleRef"]),
    ("CustomResourceDefinition", &["spec.group", "spec.scope", "spec.names.plural", "spec.names.kind"]),
    ("EndpointSlice", &["addressType"]),
    ("IngressClass", &["spec.controller"]),
    (
        "Job",
        &[
            "spec.selector",
            "spec.template",
            "spec.backoffLimitPerIndex",
            "spec.completionMode",
            "spec.managedBy",
            "spec.manualSelector",
            "spec.podFailurePolicy",
            "spec.successPolicy",
        ],
    ),
    ("PriorityClass", &["value", "preemptionPolicy"]),
    ("ResourceQuota", &["spec.scopes", "spec.scopeSelector"]),
    ("RoleBinding", &["roleRef"]),
    ("RuntimeClass", &["handler"]),
    ("Secret", &["type"]),
    ("StorageClass", &["provisioner", "parameters", "reclaimPolicy", "volumeBindingMode"]),
];

/// Kinds of the table that Kubernetes does not define.
const CUSTOM: [(&str, &str); 1] = [("cert-manager.io", "CertificateRequest")];

/// What a StatefulSet may change in its spec.
const STATEFUL_FREE: [&str; 7] = [
    "minReadySeconds",
    "ordinals",
    "persistentVolumeClaimRetentionPolicy",
    "replicas",
    "revisionHistoryLimit",
    "template",
    "updateStrategy",
];
/// What a PersistentVolumeClaim may change in its spec.
const CLAIM_FREE: [&str; 3] = ["resources", "volumeAttributesClassName", "volumeName"];
/// What a PersistentVolume may change in its spec.
const VOLUME_FREE: [&str; 8] = [
    "accessModes",
    "capacity",
    "claimRef",
    "mountOptions",
    "nodeAffinity",
    "persistentVolumeReclaimPolicy",
    "storageClassName",
    "volumeAttributesClassName",
];

/// What cannot be changed in an object that differs. `differs` says whether anything of substance differs at a path or below it.
pub(crate) fn fixed(old: &Value, new: &Value, differs: &dyn Fn(&[&str]) -> bool) -> Vec<Fixed> {
    let kind = text(new, "kind");
    let group = text(new, "apiVersion").rsplit_once('/').map_or("", |(group, _)| group);
    let mut found = Vec::new();
    // Others have StatefulSets, too, under rules of their own.
    if !is_builtin(group) && !CUSTOM.contains(&(group, kind)) {
        return found;
    }
    match kind {
        "Deployment" | "DaemonSet" | "ReplicaSet" => selector(old, new, differs, &mut found),
        "StatefulSet" => {
            selector(old, new, differs, &mut found);
            spec_but(old, new, &["selector"], &STATEFUL_FREE, differs, &mut found);
        }
        "PersistentVolumeClaim" => {
            spec_but(old, new, &[], &CLAIM_FREE, differs, &mut found);
            shrunk(old, new, &mut found);
        }
        "Pod" => pod(old, new, differs, &mut found),
        "PersistentVolume" => spec_but(old, new, &[], &VOLUME_FREE, differs, &mut found),
        "Service" => service(old, new, &mut found),
        "Job" => completions(old, new, differs, &mut found),
        "ConfigMap" | "Secret" => frozen(old, new, differs, &mut found),
        _ => {}
    }
    for path in FIELDS.iter().filter(|(of, _)| *of == kind).flat_map(|(_, paths)| *paths) {
        let keys: Vec<&str> = path.split('.').collect();
        if differs(&keys) {
            found.push(at(path, look(old, &keys), look(new, &keys)));
        }
    }
    found
}

fn look<'v>(value: &'v Value, keys: &[&str]) -> Option<&'v Value> {
    keys.iter().try_fold(value, |value, key| value.get(key))
}

fn at(path: &str, before: Option<&Value>, after: Option<&Value>) -> Fixed {
    Fixed { path: path.to_owned(), before: before.cloned(), after: after.cloned(), shrinks: false }
}

/// The selector that the API server stored: old API versions made it of the labels of the pods.
pub(crate) fn stored_selector(object: &Value) -> Option<Value> {
    let written = look(object, &["spec", "selector"]).filter(|value| !value.is_null());
    written.cloned().or_else(|| {
        let labels = look(object, &["spec", "template", "metadata", "labels"])?;
        let mut selector = Map::new();
        selector.insert("matchLabels".to_owned(), labels.clone());
        Some(Value::Object(selector))
    })
}

fn selector(old: &Value, new: &Value, differs: &dyn Fn(&[&str]) -> bool, found: &mut Vec<Fixed>) {
    let (before, after) = (stored_selector(old), stored_selector(new));
    let is_another = before != after || after.as_ref().is_some_and(|selector| is_drawn(&selector.to_string()));
    if is_another && differs(&["spec", "selector"]) {
        found.push(Fixed { path: "spec.selector".to_owned(), before, after, shrinks: false });
    }
}

/// All fields of the spec but those that are free (and those that are looked at elsewhere).
fn spec_but(old: &Value, new: &Value, elsewhere: &[&str], free: &[&str], differs: &dyn Fn(&[&str]) -> bool, found: &mut Vec<Fixed>) {
    let keys = |value: &Value| -> Vec<String> { value["spec"].as_object().into_iter().flat_map(|map| map.keys().cloned()).collect() };
    let mut all = keys(old);
    all.extend(keys(new));
    all.sort();
    all.dedup();
    for key in all.iter().filter(|key| !free.contains(&key.as_str()) && !elsewhere.contains(&key.as_str())) {
        if differs(&["spec", key]) {
            found.push(at(&format!("spec.{key}"), look(old, &["spec", key]), look(new, &["spec", key])));
        }
    }
}

/// A Pod may change its images, how long it may run, and tolerations that it gains.
fn pod(old: &Value, new: &Value, differs: &dyn Fn(&[&str]) -> bool, found: &mut Vec<Fixed>) {
    let items = |value: &Value, key: &str| look(value, &["spec", key]).and_then(Value::as_array).cloned().unwrap_or_default();
    for of in ["containers", "initContainers"] {
        let (was, is) = (items(old, of), items(new, of));
        let names = |list: &[Value]| -> Vec<Value> { list.iter().map(|one| one["name"].clone()).collect() };
        if names(&was) != names(&is) {
            found.push(at(&format!("spec.{of}"), Some(&Value::from(names(&was))), Some(&Value::from(names(&is)))));
            continue;
        }
        let all: BTreeSet<&String> = was.iter().chain(&is).filter_map(Value::as_object).flat_map(Map::keys).collect();
        for key in all.into_iter().filter(|key| *key != "image" && differs(&["spec", of, key])) {
            let (was, is) = was.iter().zip(&is).find(|(was, is)| was.get(key) != is.get(key)).unwrap_or((&Value::Null, &Value::Null));
            let name = is["name"].as_str().unwrap_or_default();
            found.push(at(&format!("spec.{of}[{name}].{key}"), was.get(key), is.get(key)));
        }
    }
    let (was, is) = (items(old, "tolerations"), items(new, "tolerations"));
    if differs(&["spec", "tolerations"]) && !was.iter().all(|one| is.contains(one)) {
        found.push(at("spec.tolerations", look(old, &["spec", "tolerations"]), look(new, &["spec", "tolerations"])));
    }
    spec_but(old, new, &["containers", "initContainers", "tolerations"], &["activeDeadlineSeconds"], differs, found);
}

fn shrunk(old: &Value, new: &Value, found: &mut Vec<Fixed>) {
    const SIZE: [&str; 4] = ["spec", "resources", "requests", "storage"];
    let (before, after) = (look(old, &SIZE), look(new, &SIZE));
    if let (Some(was), Some(is)) = (before.and_then(quantity), after.and_then(quantity))
        && is < was
    {
        found.push(Fixed { shrinks: true, ..at("spec.resources.requests.storage", before, after) });
    }
}

/// How often a Job has to succeed; one with indices may change it together with how many run at once.
fn completions(old: &Value, new: &Value, differs: &dyn Fn(&[&str]) -> bool, found: &mut Vec<Fixed>) {
    const COUNT: [&str; 2] = ["spec", "completions"];
    let (before, after) = (look(old, &COUNT), look(new, &COUNT));
    let at_once = new["spec"]["parallelism"].as_u64().unwrap_or(1);
    let together = new["spec"]["completionMode"] == "Indexed" && after.and_then(Value::as_u64) == Some(at_once);
    // Where both are left out, the server writes 1 for both; with `parallelism` alone it writes none. So this makes 1 of none.
    let parallelism = |value: &Value| look(value, &["spec", "parallelism"]).is_some_and(|count| !count.is_null());
    let made = before.is_none() && after.is_none() && parallelism(old) && !parallelism(new);
    if made || (differs(&COUNT) && !together) {
        found.push(at("spec.completions", before, after));
    }
}

/// An address, once given, stays. What is not written is filled in from what is stored.
fn service(old: &Value, new: &Value, found: &mut Vec<Fixed>) {
    let spec = |value: &Value, key: &str| value["spec"][key].as_str().unwrap_or_default().to_owned();
    let has_address = |value: &Value| spec(value, "type") != "ExternalName";
    if !(has_address(old) && has_address(new)) {
        return;
    }
    let after = spec(new, "clusterIP");
    // One without an address has none for its nodes, either, and is not given one for its new type.
    let needs_one = |value: &Value| matches!(spec(value, "type").as_str(), "LoadBalancer" | "NodePort");
    let stays_headless = spec(old, "clusterIP") == "None" && after.is_empty() && needs_one(new);
    if stays_headless || (!after.is_empty() && spec(old, "clusterIP") != after) {
        found.push(at("spec.clusterIP", look(old, &["spec", "clusterIP"]), look(new, &["spec", "clusterIP"])));
    }
    let (before, after) = (&old["spec"]["ipFamilies"][0], &new["spec"]["ipFamilies"][0]);
    if before.is_string() && after.is_string() && before != after {
        found.push(at("spec.ipFamilies[0]", Some(before), Some(after)));
    }
    let (before, after) = (spec(old, "loadBalancerClass"), spec(new, "loadBalancerClass"));
    let balanced = |value: &Value| spec(value, "type") == "LoadBalancer";
    if balanced(old) && balanced(new) && before != after {
        found.push(at("spec.loadBalancerClass", look(old, &["spec", "loadBalancerClass"]), look(new, &["spec", "loadBalancerClass"])));
    }
}

/// `immutable: true` freezes the content and itself.
fn frozen(old: &Value, new: &Value, differs: &dyn Fn(&[&str]) -> bool, found: &mut Vec<Fixed>) {
    if old["immutable"] != Value::Bool(true) {
        return;
    }
    for key in ["data", "binaryData", "stringData", "immutable"] {
        if differs(&[key]) {
            let scalar = key == "immutable";
            let shown = |value: &Value| scalar.then(|| value.get(key).cloned()).flatten();
            found.push(Fixed { path: key.to_owned(), before: shown(old), after: shown(new), shrinks: false });
        }
    }
}
