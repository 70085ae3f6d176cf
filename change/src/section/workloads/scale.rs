//! How many pods there are, and who decides it.

use serde_json::Value;

use super::super::Context;
use super::super::read::{Seen, at, claim, news, plain, text};
use super::{is_workload, new_of, operated, template};
use crate::compare::budget::{Selects, selects as selects_by_nothing};
use crate::compare::scaled::scaled_by;
use crate::compare::{Pair, Single};
use crate::summary::{Item, Weight};

pub(super) fn items(context: &Context<'_>, pair: &Pair<'_>) -> Vec<Item> {
    let mut items = match scaler(context, pair) {
        Some(scaler) => scaled(pair, &scaler).into_iter().collect(),
        None => replicas(pair),
    };
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
    // Written or not, where an autoscaler writes it too.
    if was == is {
        return Vec::new();
    }
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

/// What scales a workload.
struct Scaler<'c> {
    seen: Seen<'c>,
    comes: bool,
    goes: bool,
}

/// The autoscaler of the workload: that of the new render, or the one that goes.
fn scaler<'c>(context: &'c Context<'_>, pair: &Pair<'_>) -> Option<Scaler<'c>> {
    let of = |seen: &Seen<'_>| {
        seen.object.namespace == pair.object.namespace
            && scaled_by(seen.value()) == Some((pair.object.kind.as_str(), pair.object.name.as_str()))
    };
    let has = |singles: &[Single<'_>], object| singles.iter().any(|single| &single.object == object);
    if let Some(seen) = news(context.objects).into_iter().find(of) {
        return Some(Scaler { comes: has(&context.objects.added, seen.object), goes: false, seen });
    }
    let gone = context.objects.removed.iter().map(|one| Seen { object: &one.object, rendered: one.rendered });
    gone.into_iter().find(of).map(|seen| Scaler { seen, comes: false, goes: true })
}

/// A number in the manifest that an autoscaler writes too. Helm lays the manifest over what is there, so a number that is written holds
/// from each upgrade on until the autoscaler writes its own, and one that is written no more becomes 1, the server's default.
fn scaled(pair: &Pair<'_>, scaler: &Scaler<'_>) -> Option<Item> {
    let field = |value: &Value| at(value, &["spec", "replicas"]).filter(|number| !number.is_null()).cloned();
    let (was, is) = (field(&pair.old.value), field(&pair.new.value));
    let changed = pair.changes.iter().any(|change| change.under(&["spec", "replicas"]));
    let by = format!("{} {}", scaler.seen.kind(), scaler.seen.object.name);
    let number = is.as_ref().map_or_else(|| "1".to_owned(), plain);
    let pods = if number == "1" { "1 pod".to_owned() } else { format!("{number} pods") };
    let upgrade = match &is {
        Some(_) => format!("each upgrade sets it to {pods}"),
        None => format!("replicas: {} is written no more, and this upgrade sets it to {pods}", was.as_ref().map(plain).unwrap_or_default()),
    };
    let (weight, what) = match (&is, changed) {
        // What is to scale it begins now, and has made nothing of it yet.
        (None, true) if scaler.comes && was.as_ref().is_none_or(|was| *was == 1) => return None,
        (None, true) if scaler.comes => (Weight::Act, format!("{upgrade}, until {by}, which is new, scales it")),
        (Some(_), true) if scaler.goes => (
            Weight::Act,
            format!("goes to {pods}, however many {by} has made of it: its autoscaler goes, and replicas: {number} is written"),
        ),
        (_, true) => (Weight::Act, format!("{upgrade}, however many {by} has made of it, until that scales it again")),
        (Some(_), false) if scaler.comes => {
            (Weight::Look, format!("says replicas: {number} while {by} is to scale it: {upgrade}, until that scales it again"))
        }
        _ => return None,
    };
    let object = &pair.object;
    let group = if object.group.is_empty() { String::new() } else { format!(".{}", object.group) };
    let look = format!(
        "kubectl get {}{group} {} --namespace {} -o jsonpath={{.spec.replicas}}",
        object.kind.to_ascii_lowercase(),
        object.name,
        object.namespace
    );
    let next = match &is {
        Some(_) => format!("leave replicas out by your values where the chart can, or set the number that runs: {look}"),
        None => format!("set the number that runs by your values where the chart can, or choose an hour in which {pods} is enough: {look}"),
    };
    Some(claim("replicas-and-autoscaler", weight, what, &[new_of(pair)]).field("spec.replicas", was, is).next(next))
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

/// Budgets that select other pods although nothing but their version differs.
pub(super) fn turned(context: &Context<'_>) -> Vec<Item> {
    let of = |pair: &Pair<'_>| {
        let (was, is) = (selects_by_nothing(&pair.old.value)?, selects_by_nothing(&pair.new.value)?);
        let what = match is {
            _ if was == is => return None,
            Selects::Everything => "holds for every pod of its namespace from now on: an empty selector selected none in policy/v1beta1",
            Selects::Nothing => "holds for no pod from now on: an empty selector selects none in policy/v1beta1",
        };
        let version = |value: &Value| Some(value["apiVersion"].clone());
        let item = claim("budget-selects", Weight::Look, what, &[new_of(pair)]);
        Some(
            item.field("apiVersion", version(&pair.old.value), version(&pair.new.value))
                .next("give it the labels of the pods that it is meant for"),
        )
    };
    context.objects.pairs.iter().filter_map(of).collect()
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
