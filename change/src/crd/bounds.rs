//! Limits of OpenAPI that a value has to keep, and which of two is tighter.

use serde_json::Value;

/// Limits that only ever allow less when they fall.
const UPPER: [&str; 4] = ["maximum", "maxLength", "maxItems", "maxProperties"];
/// Limits that only ever allow less when they rise.
const LOWER: [&str; 4] = ["minimum", "minLength", "minItems", "minProperties"];
/// What allows less when it comes, or may do so when it changes. The last decides how server-side apply merges a list, which is
/// refused for objects whose list holds a key twice.
const OTHER: [&str; 12] = [
    "pattern",
    "format",
    "multipleOf",
    "uniqueItems",
    "exclusiveMinimum",
    "exclusiveMaximum",
    "not",
    "allOf",
    "anyOf",
    "oneOf",
    "x-kubernetes-validations",
    "x-kubernetes-list-map-keys",
];

/// The limits that are tighter in the new schema: name, before, after.
pub(super) fn tightened(old: &Value, new: &Value) -> Vec<(&'static str, Option<Value>, Option<Value>)> {
    let mut found = Vec::new();
    let mut push = |name, was: Option<&Value>, is: Option<&Value>| found.push((name, was.cloned(), is.cloned()));
    for (names, tighter) in [(UPPER, (|was, is| is < was) as fn(f64, f64) -> bool), (LOWER, |was, is| is > was)] {
        for name in names {
            let (was, is) = (old.get(name), new.get(name));
            match (was.and_then(Value::as_f64), is.and_then(Value::as_f64)) {
                (Some(before), Some(after)) if tighter(before, after) => push(name, was, is),
                // An absent lower limit is 0 for lengths, and so is no news when it is written.
                (None, Some(after)) if name == "minimum" || !(name.starts_with("min") && after <= 0.0) => push(name, was, is),
                _ => {}
            }
        }
    }
    for name in OTHER {
        let (was, is) = (old.get(name), new.get(name));
        let nothing = matches!(is, None | Some(Value::Bool(false)));
        if nothing || was.is_some_and(|was| alike(name, was, is.unwrap_or(&Value::Null))) {
            continue;
        }
        // int-or-string was spelled `anyOf` long before it had a marker of its own.
        if name == "anyOf" && int_or_string(new) {
            continue;
        }
        push(name, was, is);
    }
    found
}

/// Whether a schema takes integers and strings alike.
pub(super) fn int_or_string(schema: &Value) -> bool {
    let types = |list: &Vec<Value>| list.iter().all(|one| matches!(one.get("type").and_then(Value::as_str), Some("integer" | "string")));
    schema.get("x-kubernetes-int-or-string").and_then(Value::as_bool) == Some(true)
        || (schema.get("type").is_none()
            && schema.get("anyOf").and_then(Value::as_array).is_some_and(|list| list.len() == 2 && types(list)))
}

/// Whether what follows is no tighter: the same, or fewer rules, or the same rules in other words for people.
fn alike(name: &str, was: &Value, is: &Value) -> bool {
    if name != "x-kubernetes-validations" {
        return was == is;
    }
    let rules =
        |value: &Value| -> Vec<Value> { value.as_array().into_iter().flatten().filter_map(|one| one.get("rule").cloned()).collect() };
    let was = rules(was);
    rules(is).iter().all(|rule| was.contains(rule))
}

/// Whether [`breaks`] can tell for a limit of this name.
pub(super) fn evaluated(name: &str) -> bool {
    UPPER.contains(&name) || LOWER.contains(&name)
}

/// Whether a value breaks a limit. What would need an expression language or a schema in full is not tried.
pub(super) fn breaks(name: &str, limit: &Value, value: &Value) -> bool {
    let Some(limit) = limit.as_f64() else { return false };
    #[expect(clippy::cast_precision_loss, reason = "lengths are far below 2^52")]
    let size = match (name, value) {
        ("maximum" | "minimum", value) => value.as_f64(),
        ("maxLength" | "minLength", Value::String(text)) => Some(text.chars().count() as f64),
        ("maxItems" | "minItems", Value::Array(items)) => Some(items.len() as f64),
        ("maxProperties" | "minProperties", Value::Object(map)) => Some(map.len() as f64),
        _ => None,
    };
    size.is_some_and(|size| if name.starts_with("max") { size > limit } else { size < limit })
}
