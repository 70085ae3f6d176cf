//! How an object that cannot be changed in place is made anew, and what that costs.

use serde_json::{Map, Value};

use super::super::blockers::fixed::Stuck;
use super::super::read::{at, list, text};
use crate::input::is_drawn;
use crate::summary::{Evidence, Item, ObjectRef, Provenance, Weight};
use crate::table::immutable::stored_selector;
use crate::verdict::capital;

/// Steps around the upgrade for one object.
pub(super) struct Steps {
    pub(super) before: Vec<Item>,
    pub(super) after: Vec<Item>,
}

/// How an object goes.
struct Way {
    /// Whether what it made stays.
    orphan: bool,
    /// What that means, in sentences.
    costs: Vec<String>,
    /// What is to be removed afterwards: resource and selector.
    clean: Option<(&'static str, String)>,
    /// Instead of deleting.
    instead: Option<String>,
}

impl Way {
    fn delete(cost: &str) -> Self {
        Self { orphan: false, costs: vec![cost.to_owned()], clean: None, instead: None }
    }

    fn orphan(cost: &str) -> Self {
        Self { orphan: true, ..Self::delete(cost) }
    }

    fn keep(instead: &str, cost: &str) -> Self {
        Self { instead: Some(instead.to_owned()), ..Self::delete(cost) }
    }
}

pub(super) fn steps(stuck: &Stuck<'_>) -> Steps {
    let way = way(stuck);
    let fields: Vec<&str> = stuck.fields.iter().map(|field| field.path.as_str()).collect();
    let from = || Provenance::new(Evidence::Table, stuck.new.source.clone());
    let delete = command("delete", stuck.object);
    let mut costs = way.costs;
    let mut item = match &way.instead {
        Some(instead) => Item::new("keep-field", Weight::Act, format!("{} cannot be changed: {instead}", fields.join(", ")), from()),
        None => {
            // What it costs is part of the decision, and no detail.
            let cost = if costs.is_empty() { String::new() } else { costs.remove(0) };
            let what =
                format!("Delete it before the upgrade, which makes it anew: {} cannot be changed. {}.", fields.join(", "), capital(&cost));
            let orphan = if way.orphan { " --cascade=orphan" } else { "" };
            Item::new("recreate", Weight::Act, what, from()).next(format!("{delete}{orphan}"))
        }
    };
    item = item.about(stuck.object.clone()).detail(costs);
    let clean = way.clean.map(|(resource, selector)| {
        let what = format!("Afterwards delete what the old {} left running: the new one does not adopt it.", stuck.object.kind);
        let command = format!("kubectl delete {resource} --namespace {} --selector {}", word(&stuck.object.namespace), word(&selector));
        Item::new("clean-up", Weight::Act, what, from()).about(stuck.object.clone()).next(command)
    });
    Steps { before: vec![item], after: clean.into_iter().collect() }
}

fn way(stuck: &Stuck<'_>) -> Way {
    let selector = stuck.fields.iter().any(|field| field.path == "spec.selector");
    match stuck.object.kind.as_str() {
        "Deployment" | "ReplicaSet" => of_pods(stuck, "replicasets.apps"),
        "DaemonSet" => of_pods(stuck, "pods"),
        "StatefulSet" if selector => Way::delete(
            "its pods stop until the upgrade has made it anew; its volume claims stay (unless its retention policy deletes them) and are \
             taken again by the pods of the same names",
        ),
        "StatefulSet" => stateful(stuck),
        "Job" => Way::delete("the new Job runs again"),
        "Service" => Way::delete("it has no address until the upgrade has made it anew, and then another one (of a load balancer, too)"),
        "PersistentVolumeClaim" => Way::keep(
            "keep the old value in your values, or copy the data to a new claim",
            "deleting the claim deletes its data when its StorageClass says Delete, which is the default",
        ),
        "PersistentVolume" => Way::keep("keep the old value in your values, or make a volume of another name", "a volume holds data"),
        "CustomResourceDefinition" => {
            Way::keep("follow the chart's own notes", "deleting a CRD deletes every object of its kind, in all namespaces")
        }
        "RoleBinding" | "ClusterRoleBinding" => Way::delete("its subjects lack these rights until the upgrade has made it anew"),
        "ConfigMap" | "Secret" => Way::delete("pods that run keep what they have; pods that start before the upgrade wait for it"),
        "StorageClass" => Way::delete("volumes that exist keep working; claims made before the upgrade wait"),
        "PriorityClass" => Way::delete("pods that run keep their priority; no pod of this class starts before the upgrade"),
        _ => Way::delete("it is missing until the upgrade has made it anew"),
    }
}

fn stateful(stuck: &Stuck<'_>) -> Way {
    let (was, is) = (&stuck.old.value["spec"]["template"], &stuck.new.value["spec"]["template"]);
    let then = if was == is && !is_drawn(&is.to_string()) { "leaves them as they are" } else { "then replaces them one by one" };
    let is_stuck = |path| stuck.fields.iter().any(|field| field.path == path);
    // The controller compares templates, and nothing in them tells the name of the Service.
    let names = if is_stuck("spec.serviceName") { "; each keeps its old DNS name until it restarts" } else { "" };
    let mut way = Way::orphan(&format!("its pods run on and are adopted by the new one, which {then}{names}"));
    if is_stuck("spec.volumeClaimTemplates") {
        way.costs.push(
            "claims that exist stay as they are: a new size or class holds for new replicas only (grow the claims by hand)".to_owned(),
        );
    }
    way
}

/// Deployments and DaemonSets, by whether old pods can run beside new ones, and whether the new object takes them over.
fn of_pods(stuck: &Stuck<'_>, left: &'static str) -> Way {
    let (old, new) = (&stuck.old.value, &stuck.new.value);
    let drawn = |value: &Value| is_drawn(&value.to_string());
    let labels = |object| at(object, &["spec", "template", "metadata", "labels"]).and_then(Value::as_object);
    let selects = |object: &Value, pods: Option<&Map<String, Value>>| {
        // `None` where the selector has expressions: then nobody tells.
        let selector = stored_selector(object)?;
        let wanted = selector.get("matchLabels")?.as_object()?.clone();
        let plain = selector.get("matchExpressions").is_none();
        // The same mark is another value each time.
        let has = |key: &String, value: &Value| !drawn(value) && pods.is_some_and(|pods| pods.get(key) == Some(value));
        plain.then(|| wanted.iter().all(|(key, value)| has(key, value)))
    };
    let plain_delete = |why: &str| Way::delete(&format!("its pods stop until the upgrade has made it anew: {why}"));
    if holds_host(old) {
        return plain_delete("they hold ports of their nodes, so that new pods could not start beside them");
    }
    if holds_volume(old) {
        return plain_delete("they hold a volume, which pods on another node may not get");
    }
    match (selects(new, labels(old)), selects(old, labels(new))) {
        (Some(true), _) => Way::orphan("its pods run on and are adopted by the new one, which then replaces them"),
        (Some(false), Some(false)) if stored_selector(old).is_some_and(|selector| drawn(&selector)) => {
            plain_delete("left running they would be nobody's, for its selector was another at each upgrade")
        }
        (Some(false), Some(false)) => {
            let clean = stored_selector(old).and_then(|selector| selector_text(&selector)).map(|text| (left, text));
            let until = if clean.is_some() { "the step after the upgrade deletes them" } else { "they are deleted by hand" };
            Way { clean, ..Way::orphan(&format!("its pods run on beside the new ones until {until}")) }
        }
        _ => plain_delete("old and new pods cannot be told apart by their labels"),
    }
}

fn selector_text(selector: &Value) -> Option<String> {
    let labels = selector.get("matchLabels")?.as_object()?;
    let pairs: Option<Vec<String>> = labels.iter().map(|(key, value)| Some(format!("{key}={}", value.as_str()?))).collect();
    pairs.filter(|pairs| !pairs.is_empty()).map(|pairs| pairs.join(","))
}

fn holds_host(object: &Value) -> bool {
    let spec = &object["spec"]["template"]["spec"];
    spec["hostNetwork"] == true
        || list(spec, &["containers"])
            .iter()
            .any(|container| list(container, &["ports"]).iter().any(|port| port["hostPort"].as_u64() > Some(0)))
}

fn holds_volume(object: &Value) -> bool {
    list(object, &["spec", "template", "spec", "volumes"])
        .iter()
        .any(|volume| text(volume, &["persistentVolumeClaim", "claimName"]).is_some())
}

/// A kubectl command about one object.
pub(super) fn command(verb: &str, object: &ObjectRef) -> String {
    let kind = object.kind.to_ascii_lowercase();
    let resource = if object.group.is_empty() { kind } else { format!("{kind}.{}", object.group) };
    let namespace = if object.namespace.is_empty() { String::new() } else { format!(" --namespace {}", word(&object.namespace)) };
    format!("kubectl {verb} {} {}{namespace}", word(&resource), word(&object.name))
}

/// A word for a shell. Names come out of charts, and people copy commands.
pub(super) fn word(text: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_' | '/' | '=' | ',' | ':' | '+');
    if !text.is_empty() && text.chars().all(plain) { text.to_owned() } else { format!("'{}'", text.replace('\'', r"'\''")) }
}

/// A path for a shell, which is to find the home folder in it and nothing else.
pub(super) fn path(text: &str) -> String {
    match text.strip_prefix("~/") {
        Some("") => text.to_owned(),
        Some(rest) => format!("~/{}", word(rest)),
        // Without it helm would take a name for one of a repository, or for a flag.
        None if text.starts_with(['/', '.']) => word(text),
        None => word(&format!("./{text}")),
    }
}
