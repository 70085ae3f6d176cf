//! Workloads whose selector does not match the pods that they make. The API server refuses such an object whether it is there or not.

use serde_json::Value;

use super::super::Context;
use super::super::read::{at, clean, entries, plain};
use crate::input::Rendered;
use crate::summary::{Evidence, Item, ObjectRef, Provenance, Weight};
use crate::table::immutable::SOURCE;
use crate::table::scopes::is_builtin;

/// Kinds that name their selector; that of a Job is made for it.
const KINDS: [&str; 4] = ["DaemonSet", "Deployment", "ReplicaSet", "StatefulSet"];

pub(super) fn items(context: &Context<'_>) -> Vec<Item> {
    // One that is the same in both renders is not written.
    let pairs = context.objects.pairs.iter().filter(|pair| pair.changed()).map(|pair| (&pair.object, pair.new, true));
    let added = context.objects.added.iter().map(|single| (&single.object, single.rendered, false));
    pairs.chain(added).filter_map(|(object, new, there)| claim(object, new, there)).collect()
}

/// The first label that the selector asks for and the pods do not have: `app=zzz`.
pub(super) fn mismatch(workload: &Value) -> Option<String> {
    let kind = workload.get("kind").and_then(Value::as_str)?;
    let (group, _) = workload.get("apiVersion").and_then(Value::as_str)?.rsplit_once('/')?;
    is_builtin(group).then_some(())?;
    at(workload, &["spec", "template"]).filter(|_| KINDS.contains(&kind))?;
    let labels = at(workload, &["spec", "template", "metadata", "labels"]);
    let lacks = |key: &str, value: &Value| labels.and_then(|labels| labels.get(key)) != Some(value);
    let (key, value) = entries(workload, &["spec", "selector", "matchLabels"]).find(|(key, value)| lacks(key, value))?;
    Some(format!("{}={}", clean(key, 80), clean(&plain(value), 80)))
}

fn claim(object: &ObjectRef, new: &Rendered, there: bool) -> Option<Item> {
    let label = mismatch(&new.value)?;
    let what = format!("is invalid: its selector asks for {label}, and the pods of its own template do not have that");
    let next = if there {
        "do not delete it: the new one is refused, and the workload would be gone; make the labels agree by your values, or take another chart version"
    } else {
        "make the labels agree by your values, or take another chart version"
    };
    let from = Provenance::new(Evidence::Table, format!("{SOURCE}; {}", new.source));
    Some(Item::new("invalid-selector", Weight::Stop, what, from).about(object.clone()).next(next))
}
