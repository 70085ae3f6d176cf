//! What `groundswell chart diff` says of two versions, taken over into a path in its own words.

use super::rule::Object;
use crate::summary::{Item, ObjectRef, SectionId, Summary, Weight};
use crate::verdict::HAS_STEP;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::fmt;

/// Findings that ask for a decision because something is lost or stops: a path has them among its steps. What else asks for one
/// (rights that grow, a value that does nothing any more) stays with `chart diff`.
const LOSSES: [&str; 10] = [
    "claim-removed",
    "crd-deleted",
    "crd-version-gone",
    "crd-version-used",
    "hook-ignored",
    "hook-to-object",
    "object-loss",
    "object-used",
    "volume-removed",
    "volume-shrinks",
];
/// Steps that a path has in a form of its own: CRDs are applied once for all rules, and names are kept by a value.
const OWN_FORM: [&str; 2] = ["apply-crds", "keep-names"];
/// Steps whose sentence names the object.
const NAMES_IT: [&str; 4] = ["adopt-crd", "migrate-stored", "move-value", "rewrite-record"];
/// Objects that are named before the rest is counted.
const NAMED: usize = 3;

/// A step by hand or a blocker of `groundswell chart diff`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct DiffClaim {
    /// Its word there, such as `keep-field`.
    pub code: String,
    /// What it says, its objects named.
    pub words: String,
    /// The objects that it is about; none when it is about the release.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub objects: Vec<Object>,
    /// The field that it is about.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub field: Option<String>,
    /// A command, or advice.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next: Option<String>,
    /// Further lines.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub detail: Vec<String>,
}

impl fmt::Display for DiffClaim {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.words)
    }
}

impl DiffClaim {
    /// Whether there is a command in `next` that somebody will copy.
    #[must_use]
    pub fn is_command(next: &str) -> bool {
        next.contains("kubectl ") || next.starts_with("helm ") && !next.contains(", then: ")
    }

    /// Whether it deletes an object so that the upgrade can make it anew.
    pub(super) fn recreates(&self) -> bool {
        self.code == "recreate"
    }

    /// Whether pods run on while the object is made anew.
    pub(super) fn orphans(&self) -> bool {
        self.recreates() && self.next.as_ref().is_some_and(|next| next.contains("--cascade=orphan"))
    }

    /// Its turn among the steps before an upgrade: what deletes something comes last.
    pub(super) fn turn(&self) -> u8 {
        if self.recreates() { 2 } else { 0 }
    }

    fn is_about(&self, object: &Object) -> bool {
        self.objects.contains(object)
    }

    /// A claim of a summary; `namespace` is that of the release.
    #[must_use]
    pub fn of(item: &Item, namespace: &str) -> Self {
        let objects: Vec<Object> = about(item).into_iter().map(|object| named(object, namespace)).collect();
        // To delete what nobody makes anew is never advised here.
        let holds_data = objects.iter().any(Object::holds_data);
        let deletes = |next: &String| next.contains("delete ");
        Self {
            code: item.code.clone(),
            words: words(item, &objects),
            field: item.path.clone(),
            next: item.next.clone().filter(|next| !(holds_data && deletes(next))),
            detail: item.detail.clone(),
            objects,
        }
    }
}

/// An object that cannot be changed in place, with what is to be done about it.
pub(super) struct Stuck {
    pub(super) object: Object,
    pub(super) fields: Vec<String>,
    pub(super) before: DiffClaim,
    pub(super) after: Option<DiffClaim>,
}

/// What a summary asks for.
pub(super) struct Diffed {
    pub(super) stuck: Vec<Stuck>,
    /// Steps of other kinds, before the upgrade.
    pub(super) steps: Vec<DiffClaim>,
    /// What stops the upgrade, and no step helps.
    pub(super) blockers: Vec<DiffClaim>,
    /// The names of the CRDs to be applied.
    pub(super) crds: Vec<String>,
}

impl Diffed {
    pub(super) fn read(summary: &Summary, namespace: &str) -> Self {
        let steps: Vec<&Item> = section(summary, SectionId::Steps).collect();
        let claims = |codes: &[&str]| -> Vec<DiffClaim> {
            let wanted = steps.iter().filter(|item| codes.contains(&item.code.as_str()));
            wanted.map(|item| DiffClaim::of(item, namespace)).collect()
        };
        let crds = steps.iter().filter(|item| item.code == "apply-crds").flat_map(|item| about(item));
        let other = |item: &&&Item| !OWN_FORM.contains(&item.code.as_str()) && !RECREATE.contains(&item.code.as_str());
        let mut others: Vec<DiffClaim> = steps.iter().filter(other).map(|item| DiffClaim::of(item, namespace)).collect();
        let stops: Vec<DiffClaim> = every(summary, Weight::Stop).map(|item| DiffClaim::of(item, namespace)).collect();
        let (before, after) = (claims(&["keep-field", "recreate"]), claims(&["clean-up"]));
        others.extend(losses(summary, namespace, &before));
        let stuck = before.iter().flat_map(|claim| claim.objects.iter().map(|object| stuck(claim, object, &after, &stops))).collect();
        let blockers = unanswered(&stops, &before, &others);
        Self { stuck, steps: others, blockers, crds: crds.map(|object| object.name.clone()).collect() }
    }
}

/// Steps about an object that cannot be changed in place.
const RECREATE: [&str; 3] = ["clean-up", "keep-field", "recreate"];

fn stuck(claim: &DiffClaim, object: &Object, after: &[DiffClaim], stops: &[DiffClaim]) -> Stuck {
    let fixed = stops.iter().filter(|stop| stop.code == "immutable-field" && stop.is_about(object));
    Stuck {
        object: object.clone(),
        fields: fixed.filter_map(|stop| stop.field.clone()).collect(),
        before: claim.clone(),
        after: after.iter().find(|step| step.is_about(object)).cloned(),
    }
}

/// Blockers that no step removes. One that a step could have removed is left out, too, where a worse one is about the same object.
fn unanswered(stops: &[DiffClaim], stuck: &[DiffClaim], steps: &[DiffClaim]) -> Vec<DiffClaim> {
    let has_step = |stop: &DiffClaim| HAS_STEP.contains(&stop.code.as_str());
    let hard = |object: &Object| stops.iter().any(|stop| !has_step(stop) && stop.is_about(object));
    let answer = |stop: &DiffClaim| match stop.code.as_str() {
        "crd-adopted" => "adopt-crd",
        "crd-version-gone" => "migrate-stored",
        "installed-unserved-api" => "rewrite-record",
        _ => "",
    };
    let answered = |stop: &DiffClaim, object: &Object| {
        let by = |step: &DiffClaim| step.code == answer(stop) && (step.objects.is_empty() || step.is_about(object));
        match stop.code.as_str() {
            "immutable-field" => stuck.iter().any(|step| step.is_about(object)),
            _ => steps.iter().any(by),
        }
    };
    let open = |stop: &&DiffClaim| !has_step(stop) || !stop.objects.iter().all(|object| answered(stop, object) || hard(object));
    let mut open: Vec<DiffClaim> = stops.iter().filter(open).cloned().collect();
    open.dedup_by(|next, first| next.words == first.words);
    open
}

/// What is lost, without what another claim about the same object says already.
fn losses(summary: &Summary, namespace: &str, stuck: &[DiffClaim]) -> Vec<DiffClaim> {
    let lost = every(summary, Weight::Act).filter(|item| LOSSES.contains(&item.code.as_str()));
    let all: Vec<DiffClaim> = lost.map(|item| DiffClaim::of(item, namespace)).collect();
    let told = |loss: &DiffClaim, object: &Object| match loss.code.as_str() {
        "object-loss" => all.iter().any(|other| other.code != loss.code && other.is_about(object)),
        "volume-shrinks" => stuck.iter().any(|step| step.is_about(object)),
        _ => false,
    };
    all.iter().filter(|loss| loss.objects.is_empty() || !loss.objects.iter().all(|object| told(loss, object))).cloned().collect()
}

pub(super) fn section(summary: &Summary, id: SectionId) -> impl Iterator<Item = &Item> {
    summary.sections.iter().filter(move |section| section.id == id).flat_map(|section| &section.items)
}

fn every(summary: &Summary, weight: Weight) -> impl Iterator<Item = &Item> {
    let sections = summary.sections.iter().filter(|section| section.id != SectionId::Steps);
    sections.flat_map(|section| &section.items).filter(move |item| item.weight == weight)
}

pub(super) fn about(item: &Item) -> Vec<&ObjectRef> {
    if item.objects.is_empty() { item.object.iter().collect() } else { item.objects.iter().collect() }
}

fn named(object: &ObjectRef, namespace: &str) -> Object {
    Object {
        kind: object.kind.clone(),
        name: Some(object.name.clone()),
        selector: None,
        namespace: Some(object.namespace.clone()).filter(|own| !own.is_empty() && own != namespace),
    }
}

/// `DaemonSet agent: delete it before the upgrade, …`
fn words(item: &Item, objects: &[Object]) -> String {
    let what = item.what.trim_end_matches('.');
    if objects.is_empty() || NAMES_IT.contains(&item.code.as_str()) {
        return what.to_owned();
    }
    let more = objects.len().saturating_sub(NAMED);
    let mut names: Vec<String> = objects[..objects.len() - more].iter().map(ToString::to_string).collect();
    if more > 0 {
        names.push(format!("{more} more"));
    }
    let last = names.pop().unwrap_or_default();
    let names = if names.is_empty() { last } else { format!("{} and {last}", names.join(", ")) };
    let mut chars = what.chars();
    let what: String = chars.next().map(|first| first.to_lowercase().chain(chars).collect()).unwrap_or_default();
    format!("{names}: {what}")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::input::{Input, Rendered};
    use crate::summarise;
    use serde_json::{Value, json};

    fn diffed(old: &[Value], new: &[Value]) -> Diffed {
        let rendered =
            |values: &[Value]| values.iter().map(|value| Rendered { source: "t.yaml".to_owned(), value: value.clone() }).collect();
        let mut input = Input::default();
        input.target.namespace = "mon".to_owned();
        input.target.kube_version = Some("1.28.3".to_owned());
        (input.old.objects, input.new.objects) = (rendered(old), rendered(new));
        Diffed::read(&summarise(&input), "mon")
    }

    /// Code and words of each claim.
    fn says<'a>(claims: impl IntoIterator<Item = &'a DiffClaim>) -> Vec<String> {
        claims.into_iter().map(|claim| format!("{}| {}", claim.code, claim.words)).collect()
    }

    fn volume(size: &str) -> Value {
        let spec = json!({"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": size}}});
        json!({"apiVersion": "v1", "kind": "PersistentVolumeClaim", "metadata": {"name": "data"}, "spec": spec})
    }

    fn workload(kind: &str, selects: &str, label: &str, host_network: bool) -> Value {
        let template = json!({"metadata": {"labels": {"app": label}}, "spec": {"hostNetwork": host_network}});
        let spec = json!({"selector": {"matchLabels": {"app": selects}}, "template": template});
        json!({"apiVersion": "apps/v1", "kind": kind, "metadata": {"name": "w"}, "spec": spec})
    }

    fn crd(scope: &str) -> Value {
        let version = json!({"name": "v1", "served": true, "storage": true, "schema": {"openAPIV3Schema": {"type": "object"}}});
        let spec = json!({"group": "x.io", "scope": scope, "names": {"kind": "Foo", "plural": "foos"}, "versions": [version]});
        json!({"apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition", "metadata": {"name": "foos.x.io"}, "spec": spec})
    }

    #[test]
    fn a_volume_is_kept_and_never_deleted() {
        let shrinks = diffed(&[volume("2Gi")], &[volume("1Gi")]);
        let [stuck] = &shrinks.stuck[..] else { panic!("{:?}", says(&shrinks.steps)) };
        assert_eq!(stuck.before.code, "keep-field");
        assert!(stuck.before.words.contains("keep the old value") && stuck.before.next.is_none(), "{:?}", stuck.before);
        assert_eq!((says(&shrinks.steps), says(&shrinks.blockers)), (vec![], vec![]));
        let leaves = diffed(&[volume("2Gi")], &[]);
        let words = "claim-removed| PersistentVolumeClaim data: is no longer in the chart, so Helm deletes it, and with most storage classes its data";
        assert_eq!(says(&leaves.steps), [words]);
        assert_eq!(leaves.steps[0].next.as_deref(), Some("keep it: kubectl -n mon annotate pvc data helm.sh/resource-policy=keep"));
    }

    #[test]
    fn pods_stop_or_run_on_as_chart_diff_says() {
        let holds_ports = diffed(&[workload("DaemonSet", "a", "a", true)], &[workload("DaemonSet", "b", "b", true)]);
        let before = &holds_ports.stuck[0].before;
        assert!(before.recreates() && !before.orphans() && before.words.contains("they hold ports of their nodes"), "{before:?}");
        assert!(before.words.starts_with("DaemonSet w: delete it before the upgrade") && holds_ports.stuck[0].after.is_none());
        let plain = diffed(&[workload("Deployment", "a", "a", false)], &[workload("Deployment", "b", "b", false)]);
        let stuck = &plain.stuck[0];
        assert!(stuck.before.orphans() && stuck.fields == ["spec.selector"], "{:?}", stuck.before);
        let clean_up = stuck.after.as_ref().unwrap();
        assert_eq!(clean_up.next.as_deref(), Some("kubectl delete replicasets.apps --namespace mon --selector app=a"));
    }

    #[test]
    fn what_no_step_helps_against_is_a_blocker() {
        // Deleted, it would be gone: the new one is refused.
        let invalid = diffed(&[workload("Deployment", "a", "a", false)], &[workload("Deployment", "b", "a", false)]);
        assert!(invalid.stuck.is_empty());
        let words =
            "invalid-selector| Deployment w: is invalid: its selector asks for app=b, and the pods of its own template do not have that";
        assert_eq!(says(&invalid.blockers), [words]);
        let scope = diffed(&[crd("Namespaced")], &[crd("Cluster")]);
        assert_eq!(scope.blockers.iter().map(|claim| claim.code.as_str()).collect::<Vec<_>>(), ["crd-scope"]);
        let gone = json!({"apiVersion": "policy/v1beta1", "kind": "PodDisruptionBudget", "metadata": {"name": "b"}, "spec": {}});
        let served = json!({"apiVersion": "policy/v1", "kind": "PodDisruptionBudget", "metadata": {"name": "b"}, "spec": {}});
        assert_eq!(diffed(std::slice::from_ref(&served), std::slice::from_ref(&gone)).blockers[0].code, "unserved-api");
        // The record can be rewritten.
        let installed = diffed(&[gone], &[served]);
        assert_eq!((installed.blockers.len(), installed.steps[0].code.as_str()), (0, "rewrite-record"));
    }

    #[test]
    fn nobody_is_told_to_delete_a_crd() {
        let all = [diffed(&[crd("Namespaced")], &[crd("Cluster")]), diffed(&[crd("Namespaced")], &[])];
        for claim in all.iter().flat_map(|one| one.steps.iter().chain(&one.blockers).chain(one.stuck.iter().map(|stuck| &stuck.before))) {
            assert!(!claim.next.as_ref().is_some_and(|next| next.contains("delete")), "{claim:?}");
        }
        let loss = "crd-deleted| CustomResourceDefinition foos.x.io: is no longer in the chart, so Helm deletes it, and with it every object of that kind in the cluster";
        assert_eq!(says(&all[1].steps), [loss]);
    }
}
