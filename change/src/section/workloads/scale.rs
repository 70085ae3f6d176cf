//! How many pods there are, and who decides it.

use serde_json::Value;

use super::super::Context;
use super::super::read::{Seen, at, claim, news, text};
use super::{is_workload, new_of, operated, template};
use crate::compare::Pair;
use crate::summary::{Item, Weight};

pub(super) fn items(context: &Context<'_>, pair: &Pair<'_>) -> Vec<Item> {
    let mut items = replicas(pair);
    items.extend(scaled(context, pair));
    items.extend(strategy(pair));
    items
}

/// Pods that a workload asks for, changed.
pub(super) fn replicas(pair: &Pair<'_>) -> Vec<Item> {
    if !pair.changes.iter().any(|change| change.under(&["spec", "replicas"])) {
        return Vec::new();
    }
    let count = |value: &Value| at(value, &["spec", "replicas"]).map_or(Some(1), Value::as_u64);
    let (Some(was), Some(is)) = (count(&pair.old.value), count(&pair.new.value)) else { return Vec::new() };
    let weight = match is {
        0 => Weight::Act,
        _ if is < was => Weight::Look,
        _ => Weight::Know,
    };
    let field = |value: &Value| at(value, &["spec", "replicas"]).cloned();
    vec![claim("replicas", weight, format!("runs {is} {} instead of {was}", if is == 1 { "pod" } else { "pods" }), &[new_of(pair)]).field(
        "spec.replicas",
        field(&pair.old.value),
        field(&pair.new.value),
    )]
}

/// A number in the manifest that an autoscaler writes too.
fn scaled(context: &Context<'_>, pair: &Pair<'_>) -> Option<Item> {
    let written = at(&pair.new.value, &["spec", "replicas"])?;
    let of = |hpa: &Seen<'_>| {
        hpa.kind() == "HorizontalPodAutoscaler"
            && hpa.object.namespace == pair.object.namespace
            && text(hpa.value(), &["spec", "scaleTargetRef", "kind"]) == Some(&pair.object.kind)
            && text(hpa.value(), &["spec", "scaleTargetRef", "name"]) == Some(&pair.object.name)
    };
    let hpa = news(context.objects).into_iter().find(of)?;
    let arrived = context.objects.added.iter().any(|added| &added.object == hpa.object);
    let changed = pair.changes.iter().any(|change| change.under(&["spec", "replicas"]));
    (arrived || changed).then(|| {
        let what = format!(
            "says replicas: {written} while {} {} scales it: each upgrade that changes the number sets it back",
            hpa.kind(),
            hpa.object.name
        );
        claim("replicas-and-autoscaler", Weight::Look, what, &[new_of(pair)])
    })
}

fn strategy(pair: &Pair<'_>) -> Option<Item> {
    let field = if pair.object.kind == "Deployment" { "strategy" } else { "updateStrategy" };
    let changed = pair.changes.iter().find(|change| change.under(&["spec", field]))?;
    let kind = |value: &Value| text(value, &["spec", field, "type"]).unwrap_or("RollingUpdate").to_owned();
    let (was, is) = (kind(&pair.old.value), kind(&pair.new.value));
    let what = if was == is {
        "replaces its pods at another pace from now on".to_owned()
    } else {
        let means = match is.as_str() {
            "Recreate" => ": all old ones stop before new ones start",
            "OnDelete" => ": they stay as they are until you delete them",
            _ => "",
        };
        format!("replaces its pods by {is} from now on (not {was}){means}")
    };
    let weight = if is == "Recreate" || is == "OnDelete" { Weight::Look } else { Weight::Know };
    Some(claim("strategy", weight, what, &[new_of(pair)]).field(changed.path_text(), changed.before.clone(), changed.after.clone()))
}

/// Budgets, new or changed, that let no pod go: nodes cannot be drained.
pub(super) fn disruption(context: &Context<'_>) -> Vec<Item> {
    let touched = |seen: &Seen<'_>| {
        context.objects.added.iter().any(|added| &added.object == seen.object)
            || context.objects.pairs.iter().any(|pair| &pair.object == seen.object && pair.changed())
    };
    let all = news(context.objects);
    let budgets = all.iter().filter(|seen| seen.kind() == "PodDisruptionBudget" && touched(seen));
    budgets
        .filter_map(|budget| {
            let target = all.iter().find(|one| selects(budget, one))?;
            let replicas = target.value()["spec"]["replicas"].as_u64().unwrap_or(1);
            let spec = &budget.value()["spec"];
            let none = is_zero(&spec["maxUnavailable"])
                || spec["minAvailable"].as_u64().is_some_and(|least| least >= replicas)
                || spec["minAvailable"] == "100%";
            none.then(|| {
                let what = format!("lets no pod of {} {} be evicted: draining its node waits for ever", target.kind(), target.object.name);
                claim("budget-blocks-drain", Weight::Look, what, &[*budget])
            })
        })
        .collect()
}

fn is_zero(value: &Value) -> bool {
    value.as_u64() == Some(0) || value == "0%"
}

fn selects(budget: &Seen<'_>, workload: &Seen<'_>) -> bool {
    if budget.object.namespace != workload.object.namespace || !(is_workload(workload.object) || operated::is_operated(workload.object)) {
        return false;
    }
    let labels = &template(workload.value())["metadata"]["labels"];
    let wanted = at(budget.value(), &["spec", "selector", "matchLabels"]).and_then(Value::as_object);
    wanted.is_some_and(|wanted| !wanted.is_empty() && wanted.iter().all(|(key, value)| labels.get(key) == Some(value)))
}
