//! Environment variables that name each other: `$(NAME)` is replaced only where `NAME` stands before it.

use std::collections::BTreeMap;

use serde_json::Value;

/// A variable whose value changes because another changes sides.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Turned {
    pub(super) variable: String,
    pub(super) other: String,
    /// Whether the other stood before it.
    pub(super) was_before: bool,
}

/// Variables that both lists have, and that name one which stands on the other side of them in the new list.
pub(super) fn turned(old: &[Value], new: &[Value]) -> Vec<Turned> {
    let (was, is) = (places(old), places(new));
    let mut found = Vec::new();
    for item in new {
        let (Some(name), Some(text)) = (item["name"].as_str(), item["value"].as_str()) else { continue };
        for other in names(text) {
            let before = |places: &BTreeMap<&str, usize>| Some(places.get(other)? < places.get(name)?);
            if let (Some(was_before), Some(is_before)) = (before(&was), before(&is))
                && was_before != is_before
            {
                found.push(Turned { variable: name.to_owned(), other: other.to_owned(), was_before });
            }
        }
    }
    found
}

fn places(items: &[Value]) -> BTreeMap<&str, usize> {
    items.iter().enumerate().filter_map(|(at, item)| Some((item["name"].as_str()?, at))).collect()
}

/// The names in `$(…)`, each once. `$$` stands for a dollar, as Kubernetes reads it.
fn names(text: &str) -> Vec<&str> {
    let mut found = Vec::new();
    let mut rest = text;
    while let Some(at) = rest.find('$') {
        let after = &rest[at + 1..];
        rest = match after.strip_prefix('(').and_then(|inner| inner.split_once(')')) {
            Some((name, behind)) => {
                if !found.contains(&name) {
                    found.push(name);
                }
                behind
            }
            None => after.strip_prefix('$').unwrap_or(after),
        };
    }
    found
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn names_in_a_value() {
        for (text, expected) in [
            ("$(A)", vec!["A"]),
            ("x-$(A)/$(B)$(A)", vec!["A", "B"]),
            ("$$(A)", vec![]),
            ("$$$(A)", vec!["A"]),
            ("$(A", vec![]),
            ("$A $ é$", vec![]),
        ] {
            assert_eq!(names(text), expected, "{text}");
        }
    }

    #[test]
    fn sides_that_change() {
        let list = |names: &str| -> Vec<Value> {
            names.chars().map(|name| json!({"name": name.to_string(), "value": if name == 'b' { "$(a) $(b) $(z)" } else { "1" }})).collect()
        };
        let found = |old: &str, new: &str| turned(&list(old), &list(new));
        assert_eq!(found("ab", "ba"), [Turned { variable: "b".to_owned(), other: "a".to_owned(), was_before: true }]);
        assert_eq!(found("ba", "ab"), [Turned { variable: "b".to_owned(), other: "a".to_owned(), was_before: false }]);
        assert_eq!(found("abc", "cab"), []);
        assert_eq!(found("b", "ab"), [], "one that is new is a change of its own");
    }
}
