//! Admission webhooks and aggregated APIs: what may refuse what others do in the cluster.

use std::collections::BTreeMap;

use serde_json::Value;

use super::super::Context;
use super::super::read::{Seen, and, claim, list, text, texts};
use crate::summary::{Item, Weight};

const KINDS: [&str; 2] = ["ValidatingWebhookConfiguration", "MutatingWebhookConfiguration"];

pub(super) fn items(context: &Context<'_>) -> Vec<Item> {
    let mut items = Vec::new();
    // The chart of the Prometheus operator makes its webhooks as plain objects and patches them by a hook; others make them as hooks.
    for comparison in [context.objects, context.hooks] {
        for pair in comparison.pairs.iter().filter(|pair| pair.changed() && KINDS.contains(&pair.object.kind.as_str())) {
            items.extend(changed(&pair.old.value, Seen { object: &pair.object, rendered: pair.new }));
        }
        for one in &comparison.added {
            items.extend(added(Seen { object: &one.object, rendered: one.rendered }));
        }
        for one in comparison.removed.iter().filter(|one| KINDS.contains(&one.object.kind.as_str())) {
            items.push(claim("webhook-removed", Weight::Know, "is gone", &[Seen { object: &one.object, rendered: one.rendered }]));
        }
    }
    items
}

fn added(seen: Seen<'_>) -> Option<Item> {
    let what = match seen.kind() {
        "APIService" => format!(
            "is new: {} serves a part of the Kubernetes API",
            text(seen.value(), &["spec", "service", "name"]).unwrap_or("a service")
        ),
        "ValidatingAdmissionPolicy" | "MutatingAdmissionPolicy" => "is new: it may refuse or alter what others apply".to_owned(),
        kind if KINDS.contains(&kind) => {
            let hooks = webhooks(seen.value());
            let lines: Vec<String> = hooks.values().map(|hook| format!("{} ({})", hook.rules, hook.failure())).collect();
            format!("is new and is asked about {}", and(&lines))
        }
        _ => return None,
    };
    Some(claim("webhook-added", Weight::Look, what, &[seen]))
}

/// What is compared of a webhook. Its certificate is none of that.
#[derive(PartialEq)]
struct Webhook {
    policy: String,
    rules: String,
    namespaces: Value,
    objects: Value,
    service: Value,
    timeout: i64,
}

impl Webhook {
    fn failure(&self) -> &'static str {
        if self.policy == "Ignore" { "when it does not answer, they pass" } else { "when it does not answer, they are refused" }
    }
}

fn webhooks(configuration: &Value) -> BTreeMap<String, Webhook> {
    let beta = text(configuration, &["apiVersion"]).is_some_and(|version| version.ends_with("v1beta1"));
    let mut hooks = BTreeMap::new();
    for (n, hook) in list(configuration, &["webhooks"]).iter().enumerate() {
        let rules: Vec<String> = list(hook, &["rules"]).iter().map(rule).collect();
        hooks.insert(
            text(hook, &["name"]).map_or_else(|| n.to_string(), str::to_owned),
            Webhook {
                policy: text(hook, &["failurePolicy"]).unwrap_or(if beta { "Ignore" } else { "Fail" }).to_owned(),
                rules: and(&rules),
                namespaces: selector(hook, "namespaceSelector"),
                objects: selector(hook, "objectSelector"),
                service: service(hook),
                timeout: hook.get("timeoutSeconds").and_then(Value::as_i64).unwrap_or(if beta { 30 } else { 10 }),
            },
        );
    }
    hooks
}

/// Which objects it is asked about, in one order; nothing where that is all of them.
fn selector(hook: &Value, key: &str) -> Value {
    let mut selector = hook.get(key).filter(|value| value.as_object().is_none_or(|map| !map.is_empty())).cloned().unwrap_or(Value::Null);
    let sort = |list: &mut Vec<Value>| list.sort_by_cached_key(Value::to_string);
    if let Some(expressions) = selector.get_mut("matchExpressions").and_then(Value::as_array_mut) {
        for expression in expressions.iter_mut() {
            if let Some(values) = expression.get_mut("values").and_then(Value::as_array_mut) {
                sort(values);
            }
        }
        sort(expressions);
    }
    selector
}

/// Which service answers, with what Kubernetes adds.
fn service(hook: &Value) -> Value {
    let mut service = hook.get("clientConfig").and_then(|config| config.get("service")).cloned().unwrap_or(Value::Null);
    if let Value::Object(map) = &mut service {
        map.retain(|_, value| !value.is_null());
        map.entry("port").or_insert_with(|| Value::from(443));
    }
    service
}

/// `CREATE and UPDATE of prometheusrules`.
fn rule(rule: &Value) -> String {
    let mut verbs: Vec<&str> = texts(rule, &["operations"]).collect();
    verbs.sort_unstable();
    let resources: Vec<&str> = texts(rule, &["resources"]).collect();
    let verbs = if verbs.contains(&"*") { "everything done to".to_owned() } else { format!("{} of", and(&verbs)) };
    let resources = if resources.contains(&"*") { "all resources".to_owned() } else { and(&resources) };
    let groups: Vec<&str> = texts(rule, &["apiGroups"]).filter(|group| !group.is_empty() && *group != "*").collect();
    let groups = if groups.is_empty() { String::new() } else { format!(" ({})", groups.join(", ")) };
    format!("{verbs} {resources}{groups}")
}

fn changed(old: &Value, seen: Seen<'_>) -> Vec<Item> {
    let (before, after) = (webhooks(old), webhooks(seen.value()));
    let mut items = Vec::new();
    let mut push = |code, what: String| items.push(claim(code, Weight::Look, what, &[seen]));
    for (name, is) in &after {
        let Some(was) = before.get(name) else {
            push("webhook-added", format!("has a new webhook {name}, asked about {} ({})", is.rules, is.failure()));
            continue;
        };
        if was.policy != is.policy {
            push("webhook-failure-policy", format!("{name} goes from {} to {}: {}", was.policy, is.policy, is.failure()));
        }
        if was.rules != is.rules {
            push("webhook-rules", format!("{name} is now asked about {} where it was asked about {}", is.rules, was.rules));
        }
        if was.namespaces != is.namespaces || was.objects != is.objects {
            let all = is.namespaces.is_null() && is.objects.is_null();
            push(
                "webhook-scope",
                format!(
                    "{name} is asked about other objects than before{}",
                    if all { ": now all of them" } else { " (its selectors changed)" }
                ),
            );
        }
        if was.service != is.service {
            push("webhook-service", format!("{name} is answered by another service or path"));
        }
        if was.timeout != is.timeout {
            push("webhook-timeout", format!("{name} is waited for {} s where it was {} s", is.timeout, was.timeout));
        }
    }
    for name in before.keys().filter(|name| !after.contains_key(*name)) {
        push("webhook-removed", format!("{name} is gone from it"));
    }
    items
}
