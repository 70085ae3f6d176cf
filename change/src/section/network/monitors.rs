//! Monitors that select a port by a name that nothing has any more: the target disappears, and nothing says so.

use std::collections::BTreeSet;

use serde_json::Value;

use super::super::Context;
use super::super::read::{Seen, and, at, claim, entries, list, news, olds, pod_spec, text, texts};
use crate::summary::{Item, Weight};

pub(super) fn items(context: &Context<'_>) -> Vec<Item> {
    let (before, after) = (olds(context.objects), news(context.objects));
    let mut items = Vec::new();
    for seen in after.iter().filter(|seen| matches!(seen.kind(), "ServiceMonitor" | "PodMonitor")) {
        let Reach::Targets { lacking, matched, names } = reach(*seen, &after) else {
            continue;
        };
        let old = before.iter().find(|old| old.object == seen.object).map(|old| reach(*old, &before));
        let Some(Reach::Targets { lacking: lacked, matched: had, .. }) = old else { continue };
        let what = if seen.kind() == "PodMonitor" { "pod" } else { "Service" };
        if matched == 0 && had > 0 {
            let line = format!("selects no {what} of the chart any more: its targets disappear");
            items.push(
                claim("monitor-selects-none", Weight::Act, line, &[*seen]).next("compare its selector with the labels of the new objects"),
            );
            continue;
        }
        let fresh: Vec<&String> = lacking.iter().filter(|port| !lacked.contains(*port)).collect();
        if !fresh.is_empty() {
            let names: Vec<&String> = names.iter().collect();
            let line = format!(
                "scrapes port {}, which no {what} that it selects has any more (there is {}): its targets disappear",
                and(&fresh),
                and(&names)
            );
            items.push(
                claim("monitor-port", Weight::Act, line, &[*seen])
                    .next("correct the port in the values that make this monitor or that object"),
            );
        }
    }
    items
}

/// What a monitor reaches in its render.
enum Reach {
    /// It selects by means that cannot be followed here.
    Unknown,
    /// Objects that it selects, the ports that it wants and none of them has, and the names that they have.
    Targets { matched: usize, lacking: BTreeSet<String>, names: BTreeSet<String> },
}

fn reach(monitor: Seen<'_>, objects: &[Seen<'_>]) -> Reach {
    let spec = monitor.value().get("spec").unwrap_or(&Value::Null);
    let pods = monitor.kind() == "PodMonitor";
    let any = at(spec, &["namespaceSelector", "any"]).and_then(Value::as_bool) == Some(true);
    let named: Vec<&str> = texts(spec, &["namespaceSelector", "matchNames"]).collect();
    let within = |namespace: &str| any || if named.is_empty() { namespace == monitor.object.namespace } else { named.contains(&namespace) };
    let Some(selector) = spec.get("selector") else { return Reach::Unknown };
    let mut matched = 0;
    let mut names = BTreeSet::new();
    for seen in objects.iter().filter(|seen| within(&seen.object.namespace)) {
        let (labels, ports): (Option<&Value>, Vec<String>) = if pods {
            let Some(pod) = pod_spec(seen.value()) else { continue };
            let containers = ["containers", "initContainers"].into_iter().flat_map(|key| list(pod, &[key]));
            let ports =
                containers.flat_map(|one| list(one, &["ports"])).filter_map(|port| text(port, &["name"]).map(str::to_owned)).collect();
            (template_labels(seen.value()), ports)
        } else if seen.kind() == "Service" {
            let ports = list(seen.value(), &["spec", "ports"]).iter().filter_map(|port| text(port, &["name"]).map(str::to_owned)).collect();
            (at(seen.value(), &["metadata", "labels"]), ports)
        } else {
            continue;
        };
        if selects(selector, labels.unwrap_or(&Value::Null)) {
            matched += 1;
            names.extend(ports);
        }
    }
    let endpoints = list(spec, &[if pods { "podMetricsEndpoints" } else { "endpoints" }]);
    let wanted = endpoints.iter().filter_map(|endpoint| text(endpoint, &["port"])).map(str::to_owned);
    // Where nothing of the chart is selected, the targets are somebody else's (the API server, the kubelet).
    let lacking = if matched == 0 { BTreeSet::new() } else { wanted.filter(|port| !names.contains(port)).collect() };
    Reach::Targets { matched, lacking, names }
}

fn template_labels(object: &Value) -> Option<&Value> {
    match text(object, &["kind"])? {
        "Pod" => at(object, &["metadata", "labels"]),
        "CronJob" => at(object, &["spec", "jobTemplate", "spec", "template", "metadata", "labels"]),
        _ => at(object, &["spec", "template", "metadata", "labels"]),
    }
}

/// Whether a label selector takes these labels.
fn selects(selector: &Value, labels: &Value) -> bool {
    let label = |key: &str| labels.get(key).and_then(Value::as_str);
    let same = entries(selector, &["matchLabels"]).all(|(key, value)| label(key) == value.as_str());
    let expression = |one: &Value| {
        let has = text(one, &["key"]).and_then(label);
        let among = || has.is_some_and(|has| texts(one, &["values"]).any(|value| value == has));
        match text(one, &["operator"]) {
            Some("In") => among(),
            Some("NotIn") => !among(),
            Some("Exists") => has.is_some(),
            Some("DoesNotExist") => has.is_none(),
            _ => false,
        }
    };
    same && list(selector, &["matchExpressions"]).iter().all(expression)
}
