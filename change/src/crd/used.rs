//! Whether an object has something that a change of its schema drops or refuses.

use serde_json::Value;

use super::{FieldChange, FieldKind, FieldStep, bounds};

/// Most places that are named for one object and field.
const MOST: usize = 100;

pub(super) fn breaks(field: &FieldChange, object: &Value) -> Vec<String> {
    let mut found = Vec::new();
    match (&field.kind, field.path.split_last()) {
        (FieldKind::Required, Some((FieldStep::Key(key), parent))) => {
            let lacks = |value: &Value| value.is_object() && value.get(key).is_none_or(Value::is_null);
            find(object, parent, String::new(), &lacks, &mut found);
            found.iter_mut().for_each(|path| *path = joined(path, key));
        }
        (FieldKind::Removed, Some(_)) => find(object, &field.path, String::new(), &|value| !value.is_null(), &mut found),
        (FieldKind::Retyped, Some(_)) => find(object, &field.path, String::new(), &|value| !fits(value, field.after.as_ref()), &mut found),
        (FieldKind::Enum, Some(_)) => {
            let allowed = field.after.as_ref().and_then(Value::as_array);
            let other = |value: &Value| !value.is_null() && allowed.is_some_and(|allowed| !allowed.contains(value));
            find(object, &field.path, String::new(), &other, &mut found);
        }
        (FieldKind::Tightened(name), _) => {
            let over = |value: &Value| field.after.as_ref().is_some_and(|limit| bounds::breaks(name, limit, value));
            find(object, &field.path, String::new(), &over, &mut found);
        }
        _ => {}
    }
    found
}

/// Places and values of the field in an object.
pub(super) fn places<'v>(field: &FieldChange, object: &'v Value) -> Vec<(String, &'v Value)> {
    let mut found = Vec::new();
    collect(object, &field.path, String::new(), &mut |at, value| {
        if !value.is_null() && found.len() < MOST {
            found.push((at, value));
        }
    });
    found
}

fn joined(path: &str, key: &str) -> String {
    if path.is_empty() { key.to_owned() } else { format!("{path}.{key}") }
}

/// The places that a path of a schema names in an object, where they fulfil a condition.
fn find(value: &Value, path: &[FieldStep], at: String, wanted: &dyn Fn(&Value) -> bool, found: &mut Vec<String>) {
    collect(value, path, at, &mut |at, value| {
        if found.len() < MOST && wanted(value) {
            found.push(at);
        }
    });
}

/// Visits the places that a path of a schema names in an object.
fn collect<'v>(value: &'v Value, path: &[FieldStep], at: String, visit: &mut dyn FnMut(String, &'v Value)) {
    let Some((step, rest)) = path.split_first() else {
        visit(at, value);
        return;
    };
    match (step, value) {
        (FieldStep::Key(key), Value::Object(map)) => {
            if let Some(inner) = map.get(key) {
                collect(inner, rest, joined(&at, key), visit);
            }
        }
        (FieldStep::Values, Value::Object(map)) => {
            for (key, inner) in map {
                collect(inner, rest, joined(&at, key), visit);
            }
        }
        (FieldStep::Items, Value::Array(items)) => {
            for (n, inner) in items.iter().enumerate() {
                let name = inner.get("name").and_then(Value::as_str).map_or_else(|| n.to_string(), str::to_owned);
                collect(inner, rest, format!("{at}[{name}]"), visit);
            }
        }
        _ => {}
    }
}

/// Whether a value has one of the types, as the walk writes them.
fn fits(value: &Value, types: Option<&Value>) -> bool {
    let Some(types) = types.and_then(Value::as_str) else { return true };
    types.split(" or ").any(|one| match one {
        "any" => true,
        "object" => value.is_object() || value.is_null(),
        "array" => value.is_array() || value.is_null(),
        "string" => value.is_string() || value.is_null(),
        "boolean" => value.is_boolean() || value.is_null(),
        "integer" => value.is_i64() || value.is_u64() || value.is_null(),
        "number" => value.is_number() || value.is_null(),
        _ => true,
    })
}
