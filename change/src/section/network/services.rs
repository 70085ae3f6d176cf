//! Services: their ports by number and name, and where they lead.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use super::super::Context;
use super::super::read::{Seen, and, claim, entries, list, plain, text, texts};
use super::new_of;
use crate::summary::{Item, Weight};

/// A port of a Service, with what Kubernetes adds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Port {
    pub(super) name: String,
    pub(super) number: u64,
    pub(super) protocol: String,
    pub(super) target: String,
    pub(super) node: Option<u64>,
}

impl Port {
    /// `9090/TCP`, with its name where it has one.
    fn said(&self) -> String {
        let name = if self.name.is_empty() { String::new() } else { format!(" ({})", self.name) };
        let protocol = if self.protocol == "TCP" { String::new() } else { format!("/{}", self.protocol) };
        format!("{}{protocol}{name}", self.number)
    }
}

/// The ports of a Service.
pub(super) fn ports(service: &Value) -> Vec<Port> {
    let port = |port: &Value| {
        let number = port.get("port").and_then(Value::as_u64)?;
        Some(Port {
            name: text(port, &["name"]).unwrap_or_default().to_owned(),
            number,
            protocol: text(port, &["protocol"]).unwrap_or("TCP").to_owned(),
            target: port.get("targetPort").filter(|target| !target.is_null()).map_or_else(|| number.to_string(), plain),
            node: port.get("nodePort").and_then(Value::as_u64).filter(|n| *n > 0),
        })
    };
    list(service, &["spec", "ports"]).iter().filter_map(port).collect()
}

pub(super) fn items(context: &Context<'_>) -> Vec<Item> {
    let mut items = Vec::new();
    for pair in context.objects.pairs.iter().filter(|pair| pair.object.kind == "Service" && pair.object.group.is_empty()) {
        let seen = new_of(pair);
        items.extend(whole(&pair.old.value, seen));
        items.extend(by_port(&ports(&pair.old.value), &ports(&pair.new.value), seen));
    }
    for one in context.objects.removed.iter().filter(|one| one.object.kind == "Service" && one.object.group.is_empty()) {
        let names: Vec<String> = ports(&one.rendered.value).iter().map(Port::said).collect();
        let what = format!("is gone, with {}: whatever calls it by this name fails", ports_said(&names));
        items.push(claim("service-removed", Weight::Look, what, &[Seen { object: &one.object, rendered: one.rendered }]));
    }
    for one in context.objects.added.iter().filter(|one| one.object.kind == "Service" && one.object.group.is_empty()) {
        let seen = Seen { object: &one.object, rendered: one.rendered };
        let names: Vec<String> = ports(seen.value()).iter().map(Port::said).collect();
        let (weight, more) = match kind(seen.value()) {
            "LoadBalancer" => (Weight::Look, ", and asks for a load balancer that is reached from outside"),
            "NodePort" => (Weight::Look, ", and is reached on every node"),
            _ => (Weight::Know, ""),
        };
        items.push(claim("service-added", weight, format!("is new, with {}{more}", ports_said(&names)), &[seen]));
    }
    items
}

fn ports_said(names: &[String]) -> String {
    match names.len() {
        0 => "no port".to_owned(),
        1 => format!("port {}", and(names)),
        _ => format!("ports {}", and(names)),
    }
}

fn kind(service: &Value) -> &str {
    text(service, &["spec", "type"]).unwrap_or("ClusterIP")
}

/// What changes about a Service beside its ports.
fn whole(old: &Value, seen: Seen<'_>) -> Vec<Item> {
    let new = seen.value();
    let mut items = Vec::new();
    let mut push = |code, weight, what: String| items.push(claim(code, weight, what, &[seen]));
    if kind(old) != kind(new) {
        let more = match kind(new) {
            "LoadBalancer" => ": it asks for a load balancer that is reached from outside",
            "NodePort" => ": it is reached on every node",
            "ExternalName" => ": it is only another name from now on",
            _ if matches!(kind(old), "LoadBalancer" | "NodePort") => ": it is no longer reached from outside",
            _ => "",
        };
        push("service-type", Weight::Look, format!("its type goes from {} to {}{more}", kind(old), kind(new)));
    }
    let headless = |service: &Value| text(service, &["spec", "clusterIP"]) == Some("None");
    if headless(old) != headless(new) {
        let what = if headless(new) {
            "becomes headless: its name leads to the pods and no longer to one address"
        } else {
            // The API server fills an address that is not given from the object that is there.
            "stays headless until it is deleted and made anew: the new version asks for an address and the API server keeps clusterIP None"
        };
        push("service-headless", Weight::Look, what.to_owned());
    }
    let selector = |service: &Value| {
        entries(service, &["spec", "selector"]).map(|(key, value)| (key.clone(), plain(value))).collect::<BTreeMap<_, _>>()
    };
    let (was, is) = (selector(old), selector(new));
    if was != is {
        let differ: Vec<String> = was
            .keys()
            .chain(is.keys().filter(|key| !was.contains_key(*key)))
            .filter(|key| was.get(*key) != is.get(*key))
            .cloned()
            .collect();
        let what = if is.is_empty() {
            "selects no pods any more: it leads to whatever endpoints somebody else writes for it".to_owned()
        } else {
            format!("selects pods by other labels ({}): until they have them it leads nowhere", and(&differ))
        };
        push("service-selector", Weight::Look, what);
    }
    for (field, said) in [
        ("externalTrafficPolicy", "external traffic"),
        ("sessionAffinity", "session affinity"),
        ("internalTrafficPolicy", "internal traffic"),
    ] {
        let (was, is) = (text(old, &["spec", field]), text(new, &["spec", field]));
        if let (Some(was), Some(is)) = (was, is)
            && was != is
        {
            push("service-policy", Weight::Know, format!("its {said} goes from {was} to {is}"));
        }
    }
    // Their order says nothing.
    let sources = |value| texts(value, &["spec", "loadBalancerSourceRanges"]).collect::<BTreeSet<&str>>();
    let (was, is) = (sources(old), sources(new));
    if was != is {
        push("service-sources", Weight::Look, "other addresses may reach its load balancer (loadBalancerSourceRanges)".to_owned());
    }
    items
}

/// Ports of both by number and protocol; what is left over by name.
fn by_port(old: &[Port], new: &[Port], seen: Seen<'_>) -> Vec<Item> {
    let mut items = Vec::new();
    let mut push = |code, weight, what: String| items.push(claim(code, weight, what, &[seen]));
    let same = |one: &Port, other: &Port| one.number == other.number && one.protocol == other.protocol;
    let mut come: Vec<&Port> = new.iter().filter(|is| !old.iter().any(|was| same(was, is))).collect();
    for was in old {
        let Some(is) = new.iter().find(|is| same(was, is)) else {
            match come.iter().position(|is| !was.name.is_empty() && is.name == was.name) {
                Some(at) => {
                    let is = come.remove(at);
                    push(
                        "port-number",
                        Weight::Look,
                        format!("port {} goes from {} to {}: whatever calls it by number fails", was.name, was.number, is.number),
                    );
                }
                None => push("port-removed", Weight::Look, format!("port {} is gone", was.said())),
            }
            continue;
        };
        if was.name != is.name {
            let name = |name: &str| if name.is_empty() { "nothing".to_owned() } else { name.to_owned() };
            push(
                "port-renamed",
                Weight::Look,
                format!(
                    "port {} is called {} where it was {}: monitors, Ingresses and scrape configs of your own that name it need the new name",
                    is.number,
                    name(&is.name),
                    name(&was.name)
                ),
            );
        }
        if was.target != is.target {
            push(
                "port-target",
                Weight::Know,
                format!("port {} leads to {} of the pods where it led to {}", is.said(), is.target, was.target),
            );
        }
        if let (was, Some(is_node)) = (was.node, is.node)
            && was != Some(is_node)
        {
            let before = was.map_or_else(|| "one that Kubernetes chose".to_owned(), |n| n.to_string());
            push("node-port", Weight::Look, format!("port {} is {is_node} on the nodes where it was {before}", is.said()));
        }
    }
    for is in come {
        push("port-added", Weight::Know, format!("port {} is new", is.said()));
    }
    items
}
