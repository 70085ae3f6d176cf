//! Finds the shortest way that keeps every rule.

use super::blocked::{NoRoute, diagnose};
use super::graph::{Graph, Stand};
use super::kubernetes::Minors;
use super::route::{Route, tell};
use super::set::RuleSet;
use crate::constraint::Version;
use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};

/// What somebody wants to know.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Question {
    /// Where the release stands.
    pub from: Stand,
    /// Where it shall go. None for the chart: the one of its line that has the version.
    pub to_chart: Option<String>,
    /// The version there.
    pub to: Version,
    /// What the cluster runs, where that is known.
    pub kubernetes: Option<Version>,
}

/// Finds the way with the fewest hops; among these the one with the fewest steps by hand, an upgrade of the cluster counting as one;
/// among these the one that goes furthest with its first hops.
///
/// # Errors
/// [`NoRoute`] says which rule stops it, or what is wrong with the question.
pub fn solve(set: &RuleSet, question: &Question) -> Result<Route, NoRoute> {
    let (line, to) = destination(set, question)?;
    let order = |stand: &Stand| line.iter().position(|chart| *chart == stand.chart);
    match (order(&to), &to.version).cmp(&(order(&question.from), &question.from.version)) {
        std::cmp::Ordering::Less => return Err(NoRoute::Downgrade { from: Box::new(question.from.clone()), to: Box::new(to) }),
        std::cmp::Ordering::Equal => return Ok(Route::nothing(question, to)),
        std::cmp::Ordering::Greater => {}
    }
    published(set, &to)?;
    let cluster = match &question.kubernetes {
        None => None,
        Some(version) => Some(Minors::of(version).ok_or_else(|| NoRoute::NotKubernetes { version: version.clone() })?),
    };
    let mut graph = Graph::new(set, &line, &question.from, &to, question.kubernetes.as_ref());
    match search(&graph, cluster) {
        Some(way) => Ok(tell(set, question, &graph, &way, cluster)),
        None => Err(diagnose(&mut graph, cluster)),
    }
}

/// The line of names that the question is about, and where the way ends.
fn destination(set: &RuleSet, question: &Question) -> Result<(Vec<String>, Stand), NoRoute> {
    let known = || set.charts.keys().cloned().collect();
    let line = set.successors(&question.from.chart);
    let unknown = |chart: &String| NoRoute::UnknownChart { chart: chart.clone(), known: known() };
    if !set.charts.contains_key(&question.from.chart) {
        return Err(unknown(&question.from.chart));
    }
    let chart = match &question.to_chart {
        Some(chart) if !set.charts.contains_key(chart) => return Err(unknown(chart)),
        Some(chart) if !line.contains(chart) => {
            return Err(NoRoute::OtherChart { from: Box::new(question.from.clone()), to: chart.clone() });
        }
        Some(chart) => chart.clone(),
        None => {
            let has = |chart: &&String| set.charts.get(*chart).is_some_and(|chart| chart.versions.contains(&question.to));
            let covers = |chart: &&String| set.covers(chart, &question.to);
            // A version that nobody knows is most likely the newest of the chart's newest name.
            let newest = || if question.to < question.from.version { line.first() } else { line.last() };
            line.iter().find(has).or_else(|| line.iter().find(covers)).or_else(newest).unwrap_or(&question.from.chart).clone()
        }
    };
    Ok((line, Stand { chart, version: question.to.clone() }))
}

/// A version older than the newest one known, yet not among the known ones, was never published.
fn published(set: &RuleSet, to: &Stand) -> Result<(), NoRoute> {
    let Some(chart) = set.charts.get(&to.chart).filter(|chart| !chart.versions.is_empty()) else {
        return Ok(());
    };
    let above = chart.versions.range(&to.version..).next();
    match above {
        Some(version) if *version != to.version => {
            let below = chart.versions.range(..&to.version).next_back();
            Err(NoRoute::NeverPublished { wanted: Box::new(to.clone()), near: below.into_iter().chain(above).cloned().collect() })
        }
        _ => Ok(()),
    }
}

/// A hop of a way: to which node, and whether the cluster is upgraded before it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Leg {
    pub(crate) node: usize,
    pub(crate) cluster_first: bool,
}

/// What a way costs, the lower the better: hops, steps by hand, and at last the way itself, where going far at once is better.
type Cost = (usize, usize, Reverse<Vec<(usize, Reverse<bool>)>>);

/// The best way from the first node to the last, over states of node and what the cluster may run there.
pub(crate) fn search(graph: &Graph<'_>, cluster: Option<Minors>) -> Option<Vec<Leg>> {
    let minors: Vec<Minors> = (0..graph.nodes.len()).map(|node| graph.minors(node)).collect();
    let mut open: BTreeMap<Cost, (usize, Minors)> = BTreeMap::new();
    open.insert((0, 0, Reverse(Vec::new())), (0, cluster.unwrap_or(minors[0])));
    let mut done = BTreeSet::new();
    while let Some(((hops, steps, Reverse(way)), (node, runs))) = open.pop_first() {
        if node == graph.last() {
            let leg = |(node, Reverse(cluster_first))| Leg { node, cluster_first };
            return Some(way.into_iter().map(leg).collect());
        }
        if !done.insert((node, runs)) {
            continue;
        }
        let reach = runs.reach(minors[node]);
        for (next, there) in minors.iter().enumerate().skip(node + 1) {
            let (stays, moved) = after(runs, reach, *there);
            if (stays.is_empty() && moved.is_empty()) || !graph.may(node, next) {
                continue;
            }
            let chores = graph.chores(node, next).count();
            for (runs, cluster_first) in [(stays, false), (moved, true)] {
                if !runs.is_empty() && !done.contains(&(next, runs)) {
                    let mut way = way.clone();
                    way.push((next, Reverse(cluster_first)));
                    open.insert((hops + 1, steps + chores + usize::from(cluster_first), Reverse(way)), (next, runs));
                }
            }
        }
    }
    None
}

/// What a cluster may run after a hop, when it stays as it is and when it is upgraded before, within `reach`. It runs what both
/// versions bear; only where the way begins it may run what the version there does not.
pub(crate) fn after(runs: Minors, reach: Minors, there: Minors) -> (Minors, Minors) {
    let (stays, moved) = (runs.and(there), reach.and(there));
    (stays, if moved == stays { Minors::NONE } else { moved })
}
