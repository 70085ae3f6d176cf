//! The one selector that means another thing in another version of its API: an empty one of a PodDisruptionBudget selects no pod in
//! `policy/v1beta1`, and every pod of the namespace in `policy/v1` ("PodDisruptionBudget" in the deprecated API migration guide).

use serde_json::Value;

use super::identity::text;
use super::{Change, Step};

/// What a budget selects by an empty selector.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Selects {
    Nothing,
    Everything,
}

/// What an empty selector means; `None` for one that is not empty, or not there.
pub(crate) fn selects(budget: &Value) -> Option<Selects> {
    let selector = budget["spec"]["selector"].as_object().filter(|_| text(budget, "kind") == "PodDisruptionBudget")?;
    let is_empty = |value: &Value| {
        value.is_null() || value.as_object().is_some_and(|map| map.is_empty()) || value.as_array().is_some_and(Vec::is_empty)
    };
    match text(budget, "apiVersion") {
        _ if !selector.values().all(is_empty) => None,
        "policy/v1beta1" => Some(Selects::Nothing),
        "policy/v1" => Some(Selects::Everything),
        _ => None,
    }
}

/// The change of version of a budget that selects other pods by it.
pub(super) fn turned(old: &Value, new: &Value) -> Option<Change> {
    let (was, is) = (selects(old)?, selects(new)?);
    let version = |value: &Value| Some(value["apiVersion"].clone());
    (was != is).then(|| Change { path: vec![Step::Key("apiVersion".to_owned())], before: version(old), after: version(new) })
}
