//! Ports, Services, ways in from outside, network policies and volumes.

mod claims;
mod monitors;
mod routes;
mod services;
mod targets;

use serde_json::Value;

use super::Context;
use super::read::{Seen, claim, finish, list, pod_spec};
use crate::compare::Pair;
use crate::summary::{Item, Weight};

pub(super) fn items(context: &Context<'_>) -> Vec<Item> {
    let mut items = monitors::items(context);
    items.extend(services::items(context));
    items.extend(targets::items(context));
    items.extend(routes::items(context));
    items.extend(claims::items(context));
    items.extend(host_ports(context));
    finish(items)
}

/// The new side of a pair.
fn new_of<'c>(pair: &'c Pair<'_>) -> Seen<'c> {
    Seen { object: &pair.object, rendered: pair.new }
}

/// Ports that pods take of their node: two pods that want the same one never run on the same node.
fn host_ports(context: &Context<'_>) -> Vec<Item> {
    let mut items = Vec::new();
    let pairs = context.objects.pairs.iter().map(|pair| (new_of(pair), taken(&pair.old.value)));
    let added = context.objects.added.iter().map(|one| (Seen { object: &one.object, rendered: one.rendered }, Vec::new()));
    for (seen, before) in pairs.chain(added) {
        let fresh: Vec<String> = taken(seen.value()).into_iter().filter(|port| !before.contains(port)).collect();
        if !fresh.is_empty() {
            let what = format!("now takes port {} of its node", super::read::and(&fresh));
            items.push(claim("host-port", Weight::Look, what, &[seen]));
        }
    }
    items
}

fn taken(object: &Value) -> Vec<String> {
    let Some(spec) = pod_spec(object) else { return Vec::new() };
    let host = spec.get("hostNetwork").and_then(Value::as_bool) == Some(true);
    let containers = ["containers", "initContainers"].into_iter().flat_map(|key| list(spec, &[key]));
    let ports = containers.flat_map(|container| list(container, &["ports"]));
    let number = |port: &Value| {
        let of = |key: &str| port.get(key).and_then(Value::as_u64).filter(|n| *n > 0);
        of("hostPort").or_else(|| of("containerPort").filter(|_| host)).map(|n| n.to_string())
    };
    let mut taken: Vec<String> = ports.filter_map(number).collect();
    taken.sort();
    taken.dedup();
    taken
}

#[cfg(test)]
mod tests;
