//! Which object an object is.

use std::collections::BTreeMap;

use serde_json::Value;

use crate::input::Rendered;
use crate::summary::ObjectRef;
use crate::table::scopes::{is_cluster_kind, lasting_group};

/// Objects with equal keys are the same one: lasting group, kind, namespace, name.
pub(super) type Key = (String, String, String, String);

/// What has to be known to tell the namespace of an object.
pub(super) struct Scopes<'a> {
    release: String,
    /// By group and kind, from CRDs of either render: whether its objects belong to the cluster.
    custom: BTreeMap<(&'a str, &'a str), bool>,
}

impl<'a> Scopes<'a> {
    pub(super) fn new(release: &str, objects: impl Iterator<Item = &'a Rendered>) -> Self {
        let mut custom = BTreeMap::new();
        for object in objects {
            let spec = &object.value["spec"];
            if text(&object.value, "kind") != "CustomResourceDefinition" {
                continue;
            }
            if let (Some(group), Some(kind)) = (spec["group"].as_str(), spec["names"]["kind"].as_str()) {
                custom.insert((group, kind), spec["scope"] == "Cluster");
            }
        }
        Self { release: release.to_owned(), custom }
    }

    /// Kinds that nobody knows are taken for namespaced, as most are.
    fn is_of_cluster(&self, group: &str, kind: &str) -> bool {
        self.custom.get(&(group, kind)).copied().unwrap_or_else(|| is_cluster_kind(group, kind))
    }

    pub(super) fn name(&self, value: &Value) -> ObjectRef {
        let (group, kind) = (group_of(value), text(value, "kind"));
        let namespace = match &value["metadata"]["namespace"] {
            _ if self.is_of_cluster(group, kind) => "",
            Value::String(written) if !written.is_empty() => written,
            _ => &self.release,
        };
        ObjectRef { group: group.to_owned(), kind: kind.to_owned(), namespace: namespace.to_owned(), name: name_of(value).to_owned() }
    }
}

pub(super) fn key(object: &ObjectRef) -> Key {
    let group = lasting_group(&object.group, &object.kind).to_owned();
    (group, object.kind.clone(), object.namespace.clone(), object.name.clone())
}

/// The API group, empty for the core.
pub(crate) fn group_of(value: &Value) -> &str {
    text(value, "apiVersion").rsplit_once('/').map_or("", |(group, _)| group)
}

/// A string at the top of the object; empty when there is none.
pub(crate) fn text<'v>(value: &'v Value, key: &str) -> &'v str {
    value.get(key).and_then(Value::as_str).unwrap_or_default()
}

fn name_of(value: &Value) -> &str {
    let metadata = &value["metadata"];
    metadata["name"].as_str().or_else(|| metadata["generateName"].as_str()).unwrap_or_default()
}
