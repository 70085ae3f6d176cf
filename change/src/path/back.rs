//! How far back one can go, and what that takes.

use super::cluster::ClusterUpgrade;
use super::graph::{Chores, Graph, Stand};
use super::kubernetes::Minors;
use super::route::Reason;
use super::rule::{Rule, Step};

/// Values that are named before the rest is counted.
const NAMED: usize = 3;

/// The oldest version that one can go back to from a node, and the rules that forbid the one before it. A way back is one rollback to
/// any version that was stood on, so the rules are asked of each of them, and whether it bears what the cluster runs by now. What
/// was lost once stays lost. `runs` is what the cluster runs now.
pub(crate) fn way_back(graph: &Graph<'_>, stood: &[usize], limit: usize, node: usize, runs: Minors) -> (usize, Vec<Reason>) {
    let forbids = |from: usize| -> Vec<Reason> {
        let lost = |(_, rule): (usize, &Rule)| Some(Reason::new(rule, rule.no_way_back.as_ref()?));
        let outgrown = graph.kubernetes_rules(from).into_iter().filter(|(_, bears)| bears.and(runs) != runs);
        let outgrown = outgrown.map(|(rule, _)| Reason::from(rule));
        graph.crossed(from, node).filter_map(lost).chain(outgrown).collect()
    };
    match stood.iter().rposition(|from| *from >= limit && !forbids(*from).is_empty()) {
        Some(last) => (stood.get(last + 1).copied().unwrap_or(node), forbids(stood[last])),
        None => (limit, Vec::new()),
    }
}

/// What going back over a hop takes beside the rollback itself.
pub(crate) fn going_back(chores: &Chores<'_>, target: &Stand) -> Vec<String> {
    let steps = || chores.before.iter().chain(&chores.after).map(|(step, _)| *step);
    // The selector that stood in the way of the new version stands in the way of the old one.
    let again = |step: &Step| match step {
        Step::ChartDiff(claim) => format!("a plain `helm rollback` meets the same field, so once more: {}", claim.words),
        step => format!("{} once more: a plain `helm rollback` meets the same field", step.words(&target.version)),
    };
    let mut words: Vec<String> = steps().filter(|step| recreates(step)).map(again).collect();
    let keys: Vec<&str> = steps().filter_map(key).collect();
    if !keys.is_empty() {
        let more = keys.len().saturating_sub(NAMED);
        let named = keys[..keys.len() - more].join(", ");
        let rest = if more > 0 { format!(" and {more} more") } else { String::new() };
        words.push(format!("take the values back, too, which `helm rollback` does by itself and an upgrade does not: {named}{rest}"));
    }
    words
}

/// What is left of the revisions from before an upgrade of the cluster.
pub(crate) fn further_back(upgrade: &ClusterUpgrade) -> Option<String> {
    let stop = upgrade.stops.iter().rev().find(|stop| stop.certain && !stop.removed.is_empty())?;
    Some(format!(
        "further back than {} with `helm upgrade` alone: `helm rollback` would take a manifest that may have what Kubernetes {} serves no more",
        upgrade.at, stop.before
    ))
}

fn recreates(step: &Step) -> bool {
    match step {
        Step::DeleteOrphan(_) | Step::DeleteObject(_) => true,
        Step::ChartDiff(claim) => claim.recreates(),
        _ => false,
    }
}

/// The key that had another value or name before.
fn key(step: &Step) -> Option<&str> {
    match step {
        Step::RenameValue { from: path, .. } | Step::SetValue { path, .. } | Step::RemoveValue { path } => Some(path),
        _ => None,
    }
}
