//! Decisions about the operator's own keys, and the names that they are told with. The renders that they rest on are made elsewhere.

use serde_json::Value;

use crate::compare::identity::{group_of, text};
use crate::compare::mask::{self, is_secret_value_key};
use crate::input::OverrideClass;
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
    keys.iter().any(|key| is_secret_value_key(key))
}

/// A value of the operator as it may be shown: masked where a key on the way to it, or in it, looks like a secret's.
#[must_use]
pub fn shown(keys: &[&str], value: &Value) -> Value {
    mask::of_values(keys, value)
}

/// An object as it may be shown: what is in a Secret is masked, and what stands at keys that look like a secret's.
#[must_use]
pub fn open(object: &Value) -> Value {
    mask::masked(text(object, "kind"), &[], object)
}

/// As [`shown`], for a value that reaches the data of a Secret: all of it is one.
#[must_use]
pub fn hidden(value: &Value) -> Value {
    if matches!(value, Value::Null | Value::Bool(_)) { value.clone() } else { Value::String(mask::MASK.to_owned()) }
}

/// What is known of one key.
#[derive(Debug, Clone, Default)]
pub struct Facts<'a> {
    /// The value given.
    pub given: Value,
    /// Default of the old chart.
    pub old_default: Option<&'a Value>,
    /// Default of the new chart.
    pub new_default: Option<&'a Value>,
    /// Whether the old render is another one without it; `None` when it was not tried.
    pub old_effect: Option<bool>,
    /// Whether the new render is another one without it.
    pub new_effect: Option<bool>,
    /// Whether the old render is another one with another value in its place; `None` when that was not tried.
    pub old_live: Option<bool>,
    /// Whether the new render is another one with another value in its place.
    pub new_live: Option<bool>,
    /// Whether a template of the old chart that makes what is random may read the key.
    pub old_random: bool,
    /// The same of the new chart.
    pub new_random: bool,
    /// Whether the new chart names the key, in its defaults or its templates.
    pub named: bool,
    /// The key that took its place, and how that is known; no key where several may have.
    pub moved: Option<(Option<String>, String)>,
}

/// Whether the value is the new chart's default: then it changes nothing, by the way that Helm lays values over each other, and no
/// render is needed to know it.
#[must_use]
pub fn is_default(given: &Value, default: Option<&Value>) -> bool {
    // An empty map over a map is not that map, and a null is a deletion.
    !given.is_null() && default == Some(given)
}

/// Whether a template may choose something else where this is the default (`default`, `coalesce`, `tpl`): what comes without the key
/// can change although the default does not.
#[must_use]
pub fn is_filled_in(default: Option<&Value>) -> bool {
    match default {
        None | Some(Value::Null) => true,
        Some(Value::String(text)) => text.is_empty() || text.contains("{{"),
        Some(_) => false,
    }
}

/// Another value of the same type, to see whether the key decides anything. `None` where none is sure to be taken.
#[must_use]
pub fn another(given: &Value) -> Option<Value> {
    Some(match given {
        Value::Bool(value) => Value::Bool(!value),
        Value::Number(number) => match number.as_i64() {
            Some(number) => number.checked_add(1)?.into(),
            None => (number.as_f64()? + 1.0).into(),
        },
        // A text that is a number may have to stay one.
        Value::String(text) => match text.parse::<i64>() {
            Ok(number) => number.checked_add(1)?.to_string().into(),
            Err(_) => format!("{text}x").into(),
        },
        Value::Null | Value::Array(_) | Value::Object(_) => return None,
    })
}

/// Says what became of a key.
#[must_use]
pub fn class(facts: &Facts<'_>) -> OverrideClass {
    if is_default(&facts.given, facts.new_default) {
        return OverrideClass::NowDefault;
    }
    match (facts.new_effect, facts.old_effect) {
        (Some(true), _) => working(facts),
        (None, _) | (Some(false), None) => OverrideClass::NotTried,
        // It decides, and what was given is what comes without it too, be it by a template or written otherwise.
        (Some(false), Some(_)) if facts.new_live == Some(true) => OverrideClass::NowDefault,
        (Some(false), Some(_)) if facts.new_random && facts.moved.is_none() => OverrideClass::Unclear,
        (Some(false), Some(true)) if facts.named && facts.moved.is_none() => OverrideClass::NoEffect,
        (Some(false), Some(true)) => gone(facts, "the new chart has no such key, neither in its defaults nor in its templates"),
        // What was given is what the old chart did anyway, so leaving it out showed nothing there.
        (Some(false), Some(false)) if !facts.named && is_default(&facts.given, facts.old_default) => {
            gone(facts, "it was a default of the old chart, and the new chart has no such key")
        }
        (Some(false), Some(false)) if facts.old_random => OverrideClass::Unclear,
        (Some(false), Some(false)) => OverrideClass::NeverWorked,
    }
}

fn gone(facts: &Facts<'_>, otherwise: &str) -> OverrideClass {
    match &facts.moved {
        Some((to, because)) => OverrideClass::Gone { moved_to: to.clone(), because: because.clone() },
        None => OverrideClass::Gone { moved_to: None, because: otherwise.to_owned() },
    }
}

fn working(facts: &Facts<'_>) -> OverrideClass {
    let items = hidden_items(facts);
    if !items.is_empty() {
        return OverrideClass::HidesNewItems { items };
    }
    let said = |default: Option<&Value>| default.filter(|value| !value.is_null()).cloned();
    // It was what the old version did by itself, and the new one does something else: no default that is written shows that.
    let held_back = facts.old_effect == Some(false) && facts.old_live == Some(true);
    if said(facts.old_default) == said(facts.new_default) && !held_back { OverrideClass::Works } else { OverrideClass::DefaultChanged }
}

/// Items of the new default list that neither the old default nor the given list has. Items with names are the same when their
/// names are.
fn hidden_items(facts: &Facts<'_>) -> Vec<Value> {
    let (Some(Value::Array(new)), Value::Array(given)) = (facts.new_default, &facts.given) else { return Vec::new() };
    let empty = Vec::new();
    let old = facts.old_default.and_then(Value::as_array).unwrap_or(&empty);
    let same = |a: &Value, b: &Value| a == b || name(a).is_some_and(|name_a| Some(name_a) == name(b));
    let fresh = |item: &&Value| !old.iter().chain(given).any(|other| same(item, other));
    new.iter().filter(fresh).map(|item| shown(&[], item)).collect()
}

fn name(item: &Value) -> Option<&str> {
    item.get("name").and_then(Value::as_str)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::compare::mask::MASK;

    fn facts(given: Value, old: Option<bool>, new: Option<bool>) -> Facts<'static> {
        Facts { given, old_effect: old, new_effect: new, ..Facts::default() }
    }

    #[test]
    fn a_key_is_classed_by_what_its_absence_changes() {
        let (yes, no) = (Some(true), Some(false));
        assert_eq!(class(&facts(json!(1), None, yes)), OverrideClass::Works);
        assert_eq!(class(&facts(json!(1), no, no)), OverrideClass::NeverWorked);
        assert_eq!(class(&facts(json!(1), None, no)), OverrideClass::NotTried);
        assert_eq!(class(&facts(json!(1), yes, None)), OverrideClass::NotTried);
        assert!(matches!(class(&facts(json!(1), yes, no)), OverrideClass::Gone { moved_to: None, .. }));
        assert_eq!(class(&Facts { named: true, ..facts(json!(1), yes, no) }), OverrideClass::NoEffect);
        let moved = Some((Some("b".to_owned()), "tried".to_owned()));
        let to = OverrideClass::Gone { moved_to: Some("b".into()), because: "tried".into() };
        assert_eq!(class(&Facts { moved, ..facts(json!(1), yes, no) }), to);
        let either = Facts { moved: Some((None, "b or c".to_owned())), named: true, ..facts(json!(1), yes, no) };
        assert_eq!(class(&either), OverrideClass::Gone { moved_to: None, because: "b or c".into() });
    }

    #[test]
    fn a_default_that_a_template_makes() {
        let (yes, no) = (Some(true), Some(false));
        let of = |old, new, old_live, new_live| class(&Facts { old_live, new_live, named: true, ..facts(json!("1.0"), old, new) });
        assert_eq!(of(no, yes, yes, None), OverrideClass::DefaultChanged, "it holds back what the new version would do");
        assert_eq!(of(yes, no, None, yes), OverrideClass::NowDefault);
        assert_eq!(of(no, no, None, yes), OverrideClass::NowDefault, "in both");
        assert_eq!(of(no, yes, no, None), OverrideClass::Works, "it is new, and was set before");
        assert_eq!(of(yes, no, None, no), OverrideClass::NoEffect);
        assert_eq!(of(no, no, None, no), OverrideClass::NeverWorked);
        let others = [json!(1), json!("a"), json!("8080"), json!(true), json!(1.5), json!([1])].map(|given| another(&given));
        assert_eq!(others, [Some(json!(2)), Some(json!("ax")), Some(json!("8081")), Some(json!(false)), Some(json!(2.5)), None]);
    }

    #[test]
    fn what_may_be_in_a_random_field_is_not_called_without_effect() {
        let of =
            |old, old_random, new_random| class(&Facts { named: true, old_random, new_random, ..facts(json!(1), Some(old), Some(false)) });
        for (old, old_random, new_random) in [(true, false, true), (false, false, true), (false, true, false)] {
            assert_eq!(of(old, old_random, new_random), OverrideClass::Unclear);
        }
        assert_eq!(of(true, true, false), OverrideClass::NoEffect);
    }

    #[test]
    fn defaults_are_held_against_what_is_given() {
        let (one, two) = (json!(1), json!(2));
        let with = |given: Value, old, new| Facts { old_default: old, new_default: new, ..facts(given, None, Some(true)) };
        assert_eq!(class(&with(json!(2), Some(&one), Some(&two))), OverrideClass::NowDefault);
        assert_eq!(class(&with(json!(3), Some(&one), Some(&two))), OverrideClass::DefaultChanged);
        assert_eq!(class(&with(json!(3), Some(&one), Some(&one))), OverrideClass::Works);
        assert_eq!(class(&with(json!(3), None, Some(&Value::Null))), OverrideClass::Works);
        let was = Facts { old_default: Some(&one), ..facts(json!(1), Some(false), Some(false)) };
        assert!(matches!(class(&was), OverrideClass::Gone { .. }), "a default of the old chart that is no more");
    }

    #[test]
    fn a_list_hides_what_the_default_has_gained() {
        let (old, new) = (json!(["a", {"name": "x", "v": 1}]), json!(["a", {"name": "x", "v": 2}, "b", {"name": "token", "value": "t"}]));
        let hides = Facts { old_default: Some(&old), new_default: Some(&new), ..facts(json!(["a"]), None, Some(true)) };
        assert_eq!(class(&hides), OverrideClass::HidesNewItems { items: vec![json!("b"), json!({"name": "token", "value": MASK})] });
        let all = Facts { given: json!(["b", {"name": "token"}]), ..hides };
        assert_eq!(class(&all), OverrideClass::DefaultChanged);
    }

    #[test]
    fn what_looks_like_a_secret_is_masked() {
        assert_eq!(shown(&["grafana", "adminPassword"], &json!("x")), json!(MASK));
        assert_eq!(shown(&["a"], &json!({"token": 5, "b": ["c"]})), json!({"token": MASK, "b": ["c"]}));
        assert_eq!(shown(&["tokens", "enabled"], &json!(true)), json!(true));
    }
}
