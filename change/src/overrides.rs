//! Decisions about the operator's own keys, and the names that they are told with. The renders that they rest on are made elsewhere.

use serde_json::Value;

use crate::compare::identity::{group_of, text};
use crate::compare::mask::{MASK, is_secret_key};
use crate::summary::ObjectRef;
use crate::table::scopes::is_cluster_kind;

/// Names an object of a release in this namespace. Of kinds that are not built in nobody knows here whether they belong to a
/// namespace; they are taken for it.
#[must_use]
pub fn object_ref(value: &Value, namespace: &str) -> ObjectRef {
    let (group, kind) = (group_of(value), text(value, "kind"));
    let namespace = match &value["metadata"]["namespace"] {
        _ if is_cluster_kind(group, kind) => "",
        Value::String(written) if !written.is_empty() => written,
        _ => namespace,
    };
    let name = value["metadata"]["name"].as_str().unwrap_or_default();
    ObjectRef { group: group.to_owned(), kind: kind.to_owned(), namespace: namespace.to_owned(), name: name.to_owned() }
}

/// Whether the value at this key, or below a key of this name, is to be kept out of sight.
#[must_use]
pub fn is_secret(keys: &[&str]) -> bool {
    keys.iter().any(|key| is_secret_key(key))
}

/// A value of the operator as it may be shown: masked where a key on the way to it, or in it, looks like a secret's.
#[must_use]
pub fn shown(keys: &[&str], value: &Value) -> Value {
    if is_secret(keys) && !matches!(value, Value::Null | Value::Bool(_)) {
        return Value::String(MASK.to_owned());
    }
    match value {
        Value::Object(map) => Value::Object(map.iter().map(|(key, below)| (key.clone(), shown(&[key], below))).collect()),
        Value::Array(items) => Value::Array(items.iter().map(|item| shown(&[], item)).collect()),
        _ => value.clone(),
    }
}
