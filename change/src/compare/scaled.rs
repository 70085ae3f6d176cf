//! Which workloads an autoscaler of either render scales.

use std::collections::BTreeSet;

use serde_json::Value;

use super::identity::{Scopes, text};
use crate::input::Rendered;
use crate::summary::ObjectRef;

/// Kind, namespace and name of what is scaled.
#[derive(Debug, Default)]
pub(super) struct Targets(BTreeSet<(String, String, String)>);

impl Targets {
    pub(super) fn of<'r>(scopes: &Scopes<'_>, objects: impl Iterator<Item = &'r Rendered>) -> Self {
        let target = |rendered: &'r Rendered| {
            let (kind, name) = scaled_by(&rendered.value)?;
            Some((kind.to_owned(), scopes.name(&rendered.value).namespace, name.to_owned()))
        };
        Self(objects.filter_map(target).collect())
    }

    pub(super) fn contains(&self, object: &ObjectRef) -> bool {
        // Most renders have no autoscaler.
        !self.0.is_empty() && self.0.contains(&(object.kind.clone(), object.namespace.clone(), object.name.clone()))
    }
}

/// Kind and name of the workload that this object scales, when it is an autoscaler of Kubernetes or KEDA.
pub(crate) fn scaled_by(value: &Value) -> Option<(&str, &str)> {
    let target = &value["spec"]["scaleTargetRef"];
    let kind = match text(value, "kind") {
        "HorizontalPodAutoscaler" => target["kind"].as_str()?,
        "ScaledObject" => target["kind"].as_str().unwrap_or("Deployment"),
        _ => return None,
    };
    Some((kind, target["name"].as_str()?))
}
