//! Services whose port leads to a port of the pods by a name that none of these pods has: nothing answers there.

use std::collections::BTreeSet;

use serde_json::Value;

use super::super::Context;
use super::super::objects::is_port_name;
use super::super::read::{Seen, and, at, claim, entries, list, news, olds, pod_spec, text};
use crate::summary::{Item, Weight};

pub(super) fn items(context: &Context<'_>) -> Vec<Item> {
    let (before, after) = (olds(context.objects), news(context.objects));
    let of = |objects: &[Seen<'_>], seen: &Seen<'_>| {
        objects.iter().find(|one| one.object == seen.object).map(|one| lacking(*one, objects)).unwrap_or_default()
    };
    let mut items = Vec::new();
    for service in after.iter().filter(|seen| seen.kind() == "Service" && seen.object.group.is_empty()) {
        let lacked = of(&before, service);
        let fresh: Vec<String> = lacking(*service, &after).into_iter().filter(|port| !lacked.contains(port)).collect();
        if !fresh.is_empty() {
            let names: Vec<String> = names(&selected(*service, &after)).into_iter().collect();
            let there = if names.is_empty() { "they name none".to_owned() } else { format!("they have {}", and(&names)) };
            let what = format!(
                "leads to port {} of its pods, which none of them has ({there}): nothing answers there, unless an injected container has it",
                and(&fresh)
            );
            let next = "correct targetPort or the name of the container's port in the values that make them";
            items.push(claim("port-target-missing", Weight::Act, what, &[*service]).next(next));
        }
    }
    items
}

/// Names of ports that the Service wants and none of its pods has; none where its pods are not of this render.
fn lacking(service: Seen<'_>, objects: &[Seen<'_>]) -> BTreeSet<String> {
    let selected = selected(service, objects);
    if selected.is_empty() {
        return BTreeSet::new();
    }
    let names = names(&selected);
    let wanted = list(service.value(), &["spec", "ports"]).iter().filter_map(|port| text(port, &["targetPort"]));
    // What is no name is refused, which is told elsewhere.
    wanted.filter(|name| is_port_name(name) && !names.contains(*name)).map(str::to_owned).collect()
}

/// Workloads whose pods the Service selects.
fn selected<'c>(service: Seen<'c>, objects: &[Seen<'c>]) -> Vec<Seen<'c>> {
    let wanted: Vec<(&String, &Value)> = entries(service.value(), &["spec", "selector"]).collect();
    let fits = |one: &&Seen<'_>| {
        let metadata: &[&str] = if one.kind() == "Pod" { &["metadata", "labels"] } else { &["spec", "template", "metadata", "labels"] };
        let labels = at(one.value(), metadata);
        one.object.namespace == service.object.namespace
            && pod_spec(one.value()).is_some()
            && labels.is_some_and(|labels| wanted.iter().all(|(key, value)| labels.get(key.as_str()) == Some(*value)))
    };
    if wanted.is_empty() { Vec::new() } else { objects.iter().filter(fits).copied().collect() }
}

/// Names of the ports of their pods; sidecars of Kubernetes are init containers that run on.
fn names(workloads: &[Seen<'_>]) -> BTreeSet<String> {
    let specs = workloads.iter().filter_map(|one| pod_spec(one.value()));
    let containers = specs.flat_map(|spec| ["containers", "initContainers"].into_iter().flat_map(move |key| list(spec, &[key])));
    containers.flat_map(|container| list(container, &["ports"])).filter_map(|port| text(port, &["name"])).map(str::to_owned).collect()
}
