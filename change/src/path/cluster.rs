//! An upgrade of the cluster that is part of a way, and what has to be done with the release meanwhile.

use super::graph::{Graph, Stand};
use super::kubernetes::{KubernetesRange, Minors};
use super::route::{Chore, Reason};
use super::rule::{Rule, Step};
use super::solve::Leg;
use crate::table::apis;
use schemars::JsonSchema;
use serde::Serialize;

/// A cluster that must be upgraded, one minor after another.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ClusterUpgrade {
    /// Where the release stands meanwhile.
    pub at: Stand,
    /// What the cluster runs before.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub from: Option<KubernetesRange>,
    /// What it must reach; all in here will do for what follows.
    pub to: KubernetesRange,
    /// The rules that ask for it.
    pub why: Vec<Reason>,
    /// Where it stops on the way, in order: it is all one step of the way.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub stops: Vec<MinorStop>,
}

/// A stop before a minor of Kubernetes that serves some APIs no more, or that rules say something about. Helm cannot upgrade a release
/// whose stored manifest has an object of an API that the cluster does not serve.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct MinorStop {
    /// The minor that the cluster runs while this is done, such as `1.21`.
    pub on: String,
    /// The minor that comes next.
    pub before: String,
    /// Whether every upgrade that is asked for here comes by. Otherwise only one that begins lower or goes further than it has to.
    pub certain: bool,
    /// What rules ask for.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub steps: Vec<Chore>,
    /// Whether the release has to be upgraded once more to the version that it has: charts choose their APIs by what the cluster
    /// serves. Not where it has just been upgraded on that minor.
    pub upgrade_again: bool,
    /// What must not be in the release's stored manifest any more.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub removed: Vec<RemovedApi>,
}

/// An API that a minor of Kubernetes serves no more.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct RemovedApi {
    /// Group and version.
    pub api_version: String,
    /// The kinds that charts have of it.
    pub kinds: Vec<String>,
}

impl ClusterUpgrade {
    /// All reasons that are given.
    pub(super) fn reasons(&self) -> impl Iterator<Item = &Reason> {
        self.why.iter().chain(self.stops.iter().flat_map(|stop| &stop.steps).flat_map(|chore| &chore.why))
    }
}

impl MinorStop {
    /// What is done there, in order: what rules ask for, then what holds of every chart. `at` is where the release stands.
    #[must_use]
    pub fn words(&self, at: &Stand) -> Vec<String> {
        let mut words: Vec<String> = self.steps.iter().map(|chore| chore.words.clone()).collect();
        if self.upgrade_again {
            words.push(format!("upgrade the release to {at} once more: a chart chooses its APIs by what the cluster serves"));
        }
        if !self.removed.is_empty() {
            words.push(check_record(&self.before, &self.removed));
        }
        words
    }
}

/// An upgrade of the cluster before the first of these hops; it is for all of them, up to the next one. `just_upgraded` says that the
/// release came to where it stands on what the cluster runs before.
pub(crate) fn cluster_upgrade(
    graph: &Graph<'_>,
    here: usize,
    hops: &[Leg],
    (before, after): (Minors, Minors),
    just_upgraded: bool,
) -> Option<ClusterUpgrade> {
    let stretch = hops.iter().enumerate().take_while(|(index, leg)| *index == 0 || !leg.cluster_first);
    let mut why: Vec<Reason> = Vec::new();
    let needs = |(_, bears): &(&Rule, Minors)| before.and(*bears) != before;
    for (rule, _) in stretch.flat_map(|(_, leg)| graph.kubernetes_rules(leg.node)).filter(needs) {
        if why.iter().all(|known| known.rule != rule.id) {
            why.push(Reason::from(rule));
        }
    }
    let stops = stops(graph, here, (before, after), just_upgraded);
    Some(ClusterUpgrade { at: graph.nodes[here].stand.clone(), from: before.range(), to: after.range()?, why, stops })
}

fn stops(graph: &Graph<'_>, here: usize, (before, after): (Minors, Minors), just_upgraded: bool) -> Vec<MinorStop> {
    let Some(((lowest, highest), (least, most))) = before.ends().zip(after.ends()) else {
        return Vec::new();
    };
    let asked = graph.cluster_rules(here);
    // A rule about what the cluster runs already comes too late.
    let asked: Vec<(&Rule, Minors)> = asked.into_iter().filter(|(_, range)| !range.has(lowest)).collect();
    let stop = |minor: u64| {
        let first = |(_, range): &&(&Rule, Minors)| (lowest + 1..minor).all(|lower| !range.has(lower)) && range.has(minor);
        let steps: Vec<Chore> = asked.iter().filter(first).flat_map(|(rule, _)| chores(rule, &graph.nodes[here].stand)).collect();
        let removed = removed_by(minor);
        let there = just_upgraded && (lowest, highest) == (minor - 1, minor - 1);
        let upgrade_again = !there || !steps.is_empty();
        let stop = MinorStop {
            on: format!("1.{}", minor - 1),
            before: format!("1.{minor}"),
            certain: highest < minor && minor <= least,
            steps,
            upgrade_again,
            removed,
        };
        (!stop.steps.is_empty() || !stop.removed.is_empty()).then_some(stop)
    };
    (lowest + 1..=most).filter_map(stop).collect()
}

/// What a minor serves no more.
pub(super) fn removed_by(minor: u64) -> Vec<RemovedApi> {
    let api = |(version, kinds): (&str, Vec<&str>)| RemovedApi {
        api_version: version.to_owned(),
        kinds: kinds.into_iter().map(str::to_owned).collect(),
    };
    apis::removed_by(minor).map(api).collect()
}

/// What to look for in the record of a release: helm reads it anew at each upgrade, and fails on what the cluster does not know.
pub(super) fn check_record(version: &str, removed: &[RemovedApi]) -> String {
    let api = |api: &RemovedApi| format!("{} ({})", api.api_version, api.kinds.join(", "));
    let apis = removed.iter().map(api).collect::<Vec<_>>().join(", ");
    format!(
        "see that `helm get manifest` names no API that Kubernetes {version} no longer serves, else helm cannot upgrade the release: {apis}"
    )
}

fn chores(rule: &Rule, at: &Stand) -> Vec<Chore> {
    let chore =
        |step: &Step| Chore { words: step.words(&at.version), step: step.clone(), why: vec![Reason::from(rule)], contradicted: None };
    rule.before.iter().map(chore).collect()
}
