//! What containers ask for and may use.

use std::collections::BTreeMap;

use serde_json::Value;

use super::super::read::{and, claim, list, plain, text};
use super::{new_of, template};
use crate::compare::Pair;
use crate::compare::scalar::quantity;
use crate::summary::{Item, Weight};

/// By container, by `requests` or `limits`, by resource.
type Amounts<'v> = BTreeMap<(&'v str, &'static str, &'v str), &'v Value>;

pub(super) fn item(pair: &Pair<'_>) -> Option<Item> {
    let (old, new) = (amounts(&pair.old.value), amounts(&pair.new.value));
    let mut phrases = Vec::new();
    let mut less = false;
    for (key, was) in &old {
        let (container, bound, resource) = key;
        let name = if *bound == "limits" { "limit" } else { "request" };
        match new.get(key) {
            Some(is) if quantity(was) == quantity(is) => {}
            Some(is) => {
                let down = matches!((quantity(was), quantity(is)), (Some(was), Some(is)) if is < was);
                less |= down && *bound == "limits";
                let word = if down { "less" } else { "more" };
                phrases.push(format!("{resource} {name} of {container} {} to {} ({word})", plain(was), plain(is)));
            }
            None if still_there(container, &pair.new.value) => {
                phrases.push(format!("no {resource} {name} of {container} any more (was {})", plain(was)))
            }
            None => {}
        }
    }
    for (key, is) in new.iter().filter(|(key, _)| !old.contains_key(*key)) {
        let (container, bound, resource) = key;
        if still_there(container, &pair.old.value) {
            less |= *bound == "limits";
            phrases.push(format!("a {resource} {} of {container}, {}", if *bound == "limits" { "limit" } else { "request" }, plain(is)));
        }
    }
    if phrases.is_empty() {
        return None;
    }
    let weight = if less { Weight::Look } else { Weight::Know };
    Some(claim("resources", weight, format!("has other resources: {}", and(&phrases)), &[new_of(pair)]))
}

fn amounts(value: &Value) -> Amounts<'_> {
    let mut all = Amounts::new();
    for container in list(template(value), &["spec", "containers"]) {
        let Some(name) = text(container, &["name"]) else { continue };
        for bound in ["requests", "limits"] {
            for (resource, amount) in container["resources"][bound].as_object().into_iter().flatten() {
                all.insert((name, bound, resource), amount);
            }
        }
    }
    all
}

fn still_there(container: &str, value: &Value) -> bool {
    list(template(value), &["spec", "containers"]).iter().any(|one| text(one, &["name"]) == Some(container))
}
