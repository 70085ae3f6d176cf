//! What pods may do to their node.

use std::collections::BTreeSet;

use serde_json::Value;

use super::super::read::{Seen, and, claim, list, text};
use super::template;
use crate::input::Rendered;
use crate::summary::{Item, ObjectRef, Weight};

pub(super) fn item(object: &ObjectRef, old: Option<&Value>, new: &Rendered) -> Option<Item> {
    let before = old.map(powers).unwrap_or_default();
    let after = powers(&new.value);
    let gained: Vec<&String> = after.difference(&before).collect();
    let lost: Vec<&String> = before.difference(&after).collect();
    let seen = [Seen { object, rendered: new }];
    if !gained.is_empty() {
        let verb = if old.is_some() { "gets" } else { "has" };
        return Some(claim("node-access", Weight::Look, format!("{verb} power over its node: {}", and(&gained)), &seen));
    }
    (!lost.is_empty())
        .then(|| claim("node-access-less", Weight::Know, format!("has less power over its node, no more {}", and(&lost)), &seen))
}

fn powers(value: &Value) -> BTreeSet<String> {
    let spec = &template(value)["spec"];
    let mut found = BTreeSet::new();
    for key in ["hostIPC", "hostNetwork", "hostPID"] {
        if spec[key] == true {
            found.insert(key.to_owned());
        }
    }
    for volume in list(spec, &["volumes"]) {
        if let Some(path) = text(volume, &["hostPath", "path"]) {
            found.insert(format!("hostPath {path}"));
        }
    }
    let containers = list(spec, &["containers"]).iter().chain(list(spec, &["initContainers"]));
    for container in containers {
        let name = text(container, &["name"]).unwrap_or_default();
        let security = &container["securityContext"];
        if security["privileged"] == true {
            found.insert(format!("privileged container {name}"));
        }
        for capability in list(security, &["capabilities", "add"]).iter().filter_map(Value::as_str) {
            found.insert(format!("capability {capability} of {name}"));
        }
    }
    found
}
