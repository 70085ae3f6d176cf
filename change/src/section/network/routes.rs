//! Ways in from outside, and who may talk to whom: Ingresses, routes of the Gateway API, network policies.

use std::collections::BTreeSet;

use serde_json::Value;

use super::super::Context;
use super::super::read::{Seen, and, annotation, claim, few, list, plain, text, texts};
use super::new_of;
use crate::compare::Pair;
use crate::summary::{Item, Weight};

const GATEWAY: &str = "gateway.networking.k8s.io";

pub(super) fn items(context: &Context<'_>) -> Vec<Item> {
    let mut items = Vec::new();
    for pair in &context.objects.pairs {
        match pair.object.kind.as_str() {
            "Ingress" => items.extend(ingress(pair)),
            "NetworkPolicy" | "CiliumNetworkPolicy" if pair.changed() => {
                let what = format!("changes who may talk to its pods ({})", paths(pair));
                items.push(claim("network-policy", Weight::Look, what, &[new_of(pair)]));
            }
            _ if pair.object.group == GATEWAY => items.extend(route(pair)),
            _ => {}
        }
    }
    for one in &context.objects.added {
        let seen = Seen { object: &one.object, rendered: one.rendered };
        items.extend(single(seen, true));
    }
    for one in &context.objects.removed {
        let seen = Seen { object: &one.object, rendered: one.rendered };
        items.extend(single(seen, false));
    }
    items
}

fn single(seen: Seen<'_>, added: bool) -> Option<Item> {
    let (code, what) = match (seen.kind(), added) {
        ("Ingress", true) => ("ingress-added", format!("is new and lets in {}", few(&in_words(seen.value()), 3))),
        ("Ingress", false) => ("ingress-removed", format!("is gone: {} no longer leads here", few(&in_words(seen.value()), 3))),
        ("NetworkPolicy" | "CiliumNetworkPolicy", true) => ("network-policy", format!("is new: {}", limits(seen.value()))),
        ("NetworkPolicy" | "CiliumNetworkPolicy", false) => ("network-policy", "is gone: what it kept out may come in".to_owned()),
        _ if seen.object.group == GATEWAY && seen.object.kind.ends_with("Route") => {
            let hosts: Vec<&str> = texts(seen.value(), &["spec", "hostnames"]).collect();
            let hosts = if hosts.is_empty() { "any host".to_owned() } else { few(&hosts, 3) };
            if added {
                ("route-added", format!("is new and lets in {hosts}"))
            } else {
                ("route-removed", format!("is gone: {hosts} no longer leads here"))
            }
        }
        _ => return None,
    };
    Some(claim(code, Weight::Look, what, &[seen]))
}

/// What a policy limits.
fn limits(policy: &Value) -> String {
    let mut types: Vec<&str> = texts(policy, &["spec", "policyTypes"]).collect();
    if types.is_empty() {
        types.push("Ingress");
        if policy.get("spec").is_some_and(|spec| spec.get("egress").is_some()) {
            types.push("Egress");
        }
    }
    let ways: Vec<&str> = types.into_iter().map(|one| if one == "Egress" { "out of" } else { "into" }).collect();
    format!("traffic {} its pods that it does not name is cut off", and(&ways))
}

fn paths(pair: &Pair<'_>) -> String {
    let mut paths: Vec<String> = pair.changes.iter().map(crate::compare::Change::path_text).collect();
    paths.dedup();
    few(&paths, 3)
}

/// Host and path of each rule.
fn rules(ingress: &Value) -> BTreeSet<(String, String)> {
    let mut all = BTreeSet::new();
    for rule in list(ingress, &["spec", "rules"]) {
        let host = text(rule, &["host"]).filter(|host| !host.is_empty()).unwrap_or("any host").to_owned();
        let paths = list(rule, &["http", "paths"]);
        for path in paths {
            all.insert((host.clone(), text(path, &["path"]).unwrap_or("/").to_owned()));
        }
        if paths.is_empty() {
            all.insert((host, "/".to_owned()));
        }
    }
    all
}

fn in_words(ingress: &Value) -> Vec<String> {
    let said: Vec<String> =
        rules(ingress).into_iter().map(|(host, path)| if path == "/" { host } else { format!("{host}{path}") }).collect();
    if said.is_empty() { vec!["any host".to_owned()] } else { said }
}

/// The Service behind each host and path, in the words of either API version.
fn backends(ingress: &Value) -> BTreeSet<(String, String, String)> {
    let mut all = BTreeSet::new();
    for rule in list(ingress, &["spec", "rules"]) {
        for path in list(rule, &["http", "paths"]) {
            let backend = path.get("backend").unwrap_or(&Value::Null);
            let name = text(backend, &["service", "name"]).or_else(|| text(backend, &["serviceName"])).unwrap_or_default();
            let port = backend.get("service").and_then(|service| service.get("port"));
            let port = port.and_then(|port| port.get("number").or_else(|| port.get("name"))).or_else(|| backend.get("servicePort"));
            let host = text(rule, &["host"]).unwrap_or_default();
            all.insert((
                host.to_owned(),
                text(path, &["path"]).unwrap_or("/").to_owned(),
                format!("{name}:{}", port.map(plain).unwrap_or_default()),
            ));
        }
    }
    all
}

fn ingress(pair: &Pair<'_>) -> Vec<Item> {
    let (old, new) = (&pair.old.value, &pair.new.value);
    let mut items = Vec::new();
    let mut push = |code, what: String| items.push(claim(code, Weight::Look, what, &[new_of(pair)]));
    let (was, is) = (rules(old), rules(new));
    let said = |rules: Vec<&(String, String)>| few(&rules.iter().map(|(host, path)| format!("{host}{path}")).collect::<Vec<_>>(), 3);
    let gone: Vec<_> = was.difference(&is).collect();
    let come: Vec<_> = is.difference(&was).collect();
    if !gone.is_empty() {
        push("ingress-path-removed", format!("{} no longer leads here", said(gone.clone())));
    }
    if !come.is_empty() {
        push("ingress-path-added", format!("{} leads here now", said(come.clone())));
    }
    if gone.is_empty() && come.is_empty() && backends(old) != backends(new) {
        let to: Vec<String> = backends(new).difference(&backends(old)).map(|(_, _, service)| service.clone()).collect();
        push(
            "ingress-backend",
            format!("leads to another Service or port{}", if to.is_empty() { String::new() } else { format!(": {}", few(&to, 3)) }),
        );
    }
    let class = |ingress: &Value| {
        let class = text(ingress, &["spec", "ingressClassName"]).or_else(|| annotation(ingress, "kubernetes.io/ingress.class"));
        class.unwrap_or("the cluster's default").to_owned()
    };
    if class(old) != class(new) {
        push("ingress-class", format!("is served by class {} where it was {}", class(new), class(old)));
    }
    let tls = |ingress: &Value| list(ingress, &["spec", "tls"]).to_vec();
    if tls(old) != tls(new) {
        let what = match (tls(old).is_empty(), tls(new).is_empty()) {
            (true, false) => "is encrypted now (TLS)",
            (false, true) => "is no longer encrypted (no TLS)",
            _ => "has other hosts or Secrets for TLS",
        };
        push("ingress-tls", what.to_owned());
    }
    let by_annotation: Vec<String> =
        pair.changes.iter().filter(|change| change.under(&["metadata", "annotations"])).map(crate::compare::Change::path_text).collect();
    if !by_annotation.is_empty() && class(old) == class(new) {
        push("ingress-annotations", format!("annotations that steer its controller changed: {}", few(&by_annotation, 3)));
    }
    items
}

fn route(pair: &Pair<'_>) -> Option<Item> {
    let hosts = |route: &Value| texts(route, &["spec", "hostnames"]).map(str::to_owned).collect::<BTreeSet<_>>();
    let (was, is) = (hosts(&pair.old.value), hosts(&pair.new.value));
    let gone: Vec<&String> = was.difference(&is).collect();
    let come: Vec<&String> = is.difference(&was).collect();
    let what = match (gone.is_empty(), come.is_empty()) {
        (true, true) if !pair.changed() => return None,
        (true, true) => format!("leads otherwise than before ({})", paths(pair)),
        (true, false) => format!("{} leads here now", few(&come, 3)),
        (false, true) => format!("{} no longer leads here", few(&gone, 3)),
        (false, false) => format!("{} leads here where {} did", few(&come, 3), few(&gone, 3)),
    };
    Some(claim("route-changed", Weight::Look, what, &[new_of(pair)]))
}
