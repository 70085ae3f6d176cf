//! A way, told with all reasons.

use super::back::{further_back, going_back, over_hops, way_back};
use super::cluster::{ClusterUpgrade, RemovedApi, check_record, cluster_upgrade, removed_by};
use super::graph::{Graph, Stand};
use super::kubernetes::{KubernetesRange, Minors};
use super::rule::{Denied, Origin, Proof, Rule, Step};
use super::set::RuleSet;
use super::solve::{Leg, Question, after};
use crate::constraint::Version;
use schemars::JsonSchema;
use serde::Serialize;

/// A way from one version to another.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Route {
    /// Where it begins.
    pub from: Stand,
    /// Where it ends.
    pub to: Stand,
    /// What the cluster runs, as it was said.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub kubernetes: Option<Version>,
    /// What the cluster is taken to run at the beginning, where it was not said. With something else there may be another way.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub kubernetes_assumed: Option<KubernetesRange>,
    /// In order; none when everything is there already.
    pub hops: Vec<Hop>,
    /// Steps by hand in all hops, an upgrade of the cluster counting as one.
    pub manual_steps: usize,
    /// What should be known about the answer itself.
    pub findings: Vec<Finding>,
}

/// One hop: an upgrade of the release that is tested before the next one begins.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Hop {
    /// From 1.
    pub number: usize,
    /// Where it goes.
    #[serde(flatten)]
    pub stand: Stand,
    /// Why it does not go further at once. Empty for the last hop.
    pub why: Vec<Reason>,
    /// An upgrade of the cluster that comes before it, while the release still is where the hop begins.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cluster_upgrade: Option<ClusterUpgrade>,
    /// What stops it, and no step helps, as its render showed.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub blockers: Vec<super::diffed::DiffClaim>,
    /// To be done before it.
    pub before: Vec<Chore>,
    /// To be done after it.
    pub after: Vec<Chore>,
    /// What is checked after it.
    pub tests: Vec<Reason>,
    /// Why nobody goes back beyond `way_back_to` from here on; empty when this hop changes nothing about the way back.
    pub no_way_back: Vec<Reason>,
    /// How far back one can go once it is done: the oldest version of the way, the beginning of it at best.
    pub way_back_to: Stand,
    /// What going back over this hop takes beside the rollback itself, in words; empty where nobody goes back over it.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub going_back: Vec<String>,
    /// What the version bears as rules know it; none when there is no such rule.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub kubernetes: Option<KubernetesRange>,
}

/// Something to do by hand.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Chore {
    /// In words.
    pub words: String,
    /// For a program.
    pub step: Step,
    /// The rules that ask for it.
    pub why: Vec<Reason>,
    /// What the renders of this hop say against it. It is kept, since a rule may know what they do not show, and comes last.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub contradicted: Option<String>,
}

/// A rule, as the reason of something.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Reason {
    /// Its id.
    pub rule: String,
    /// What it says here.
    pub words: String,
    /// Why it is so.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub note: Option<String>,
    /// Where it comes from.
    pub source: String,
    /// Who wrote it.
    pub origin: Origin,
    /// What rendered charts said about it.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub proofs: Vec<Proof>,
}

/// Something that should be known about an answer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Finding {
    /// A word for programs.
    pub code: FindingCode,
    /// For people.
    pub words: String,
}

/// What a finding is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum FindingCode {
    /// Release and target are the same.
    NothingToDo,
    /// Nobody looked for rules there, so a straight step is assumed.
    NotCovered,
    /// A version that is not among the published ones.
    UnknownVersion,
    /// The cluster runs what the version on it does not bear.
    KubernetesUnsupported,
    /// Nobody said what the cluster runs.
    KubernetesUnknown,
    /// A rule was added because renders showed it.
    FoundByRendering,
    /// Renders contradict a rule that is used.
    Refuted,
}

impl Reason {
    pub(crate) fn new(rule: &Rule, words: impl Into<String>) -> Self {
        Self {
            rule: rule.id.clone(),
            words: words.into(),
            note: rule.note.clone(),
            source: rule.source.clone(),
            origin: rule.origin,
            proofs: rule.proofs.clone(),
        }
    }
}

impl From<&Rule> for Reason {
    fn from(rule: &Rule) -> Self {
        Self::new(rule, rule.says())
    }
}

impl Route {
    /// The way of somebody who is there already.
    pub(crate) fn nothing(question: &Question, to: Stand) -> Self {
        let words = format!("the release stands at {to} already; there is nothing to do");
        Self {
            from: question.from.clone(),
            to,
            kubernetes: question.kubernetes.clone(),
            kubernetes_assumed: None,
            hops: Vec::new(),
            manual_steps: 0,
            findings: vec![Finding { code: FindingCode::NothingToDo, words }],
        }
    }

    /// All reasons that are given anywhere.
    fn reasons(&self) -> impl Iterator<Item = &Reason> {
        self.hops.iter().flat_map(|hop| {
            let cluster = hop.cluster_upgrade.iter().flat_map(ClusterUpgrade::reasons);
            let chores = hop.before.iter().chain(&hop.after).flat_map(|chore| &chore.why);
            hop.why.iter().chain(cluster).chain(chores).chain(&hop.tests).chain(&hop.no_way_back)
        })
    }
}

/// Tells a way that the search found.
pub(crate) fn tell(set: &RuleSet, question: &Question, graph: &Graph<'_>, way: &[Leg], cluster: Option<Minors>) -> Route {
    let runs = stretches(graph, way, cluster);
    let stand = |node: usize| graph.nodes[node].stand.clone();
    // What the cluster runs before an upgrade is what the last hop was done on.
    let upgrade = |index: usize, leg: &Leg, here: usize| {
        let asked = || cluster_upgrade(graph, here, &way[index..], (runs[index], runs[index + 1]), index > 0);
        leg.cluster_first.then(asked).flatten()
    };
    let (mut hops, mut here, mut back, mut stood) = (Vec::with_capacity(way.len()), 0, 0, vec![0]);
    let mut over_told = Vec::new();
    for (index, leg) in way.iter().enumerate() {
        let (limit, no_way_back) = way_back(graph, &stood, back, leg.node, runs[index + 1]);
        back = limit;
        stood.push(leg.node);
        let chores = graph.chores(here, leg.node);
        let upgrade = upgrade(index, leg, here);
        let hop = (&graph.nodes[here].stand, &graph.nodes[leg.node].stand);
        let mut over = if back <= here { going_back(&chores, hop) } else { Vec::new() };
        over.extend(upgrade.as_ref().filter(|_| back < here).and_then(further_back));
        let before = over_hops(&over_told, back, &graph.nodes[back].stand);
        over_told.extend((!over.is_empty()).then_some((here, index + 1)));
        over.extend(before);
        let target = &graph.nodes[leg.node].stand.version;
        let told = |list: Vec<(&Step, Vec<&Rule>)>| {
            let chore = |(step, rules): (&Step, Vec<&Rule>)| Chore {
                words: step.words(target),
                step: step.clone(),
                contradicted: denied(step, &rules, hop).map(str::to_owned),
                why: rules.into_iter().map(Reason::from).collect(),
            };
            let mut chores: Vec<Chore> = list.into_iter().map(chore).collect();
            chores.sort_by_key(|chore| chore.contradicted.is_some());
            chores
        };
        hops.push(Hop {
            number: index + 1,
            stand: stand(leg.node),
            why: way.get(index + 1).map(|next| why_not_further(graph, here, leg.node, next)).unwrap_or_default(),
            cluster_upgrade: upgrade,
            blockers: Vec::new(),
            before: told(chores.before),
            after: told(chores.after),
            tests: tests(graph, here, leg.node),
            no_way_back,
            way_back_to: stand(back),
            going_back: over,
            kubernetes: graph.minors(leg.node).range(),
        });
        here = leg.node;
    }
    let by_hand = |hop: &Hop| hop.before.len() + hop.after.len() + usize::from(hop.cluster_upgrade.is_some());
    let mut route = Route {
        from: question.from.clone(),
        to: stand(graph.last()),
        kubernetes: question.kubernetes.clone(),
        kubernetes_assumed: if cluster.is_none() { runs[0].range() } else { None },
        manual_steps: hops.iter().map(by_hand).sum(),
        hops,
        findings: Vec::new(),
    };
    route.findings = findings(set, graph, &route, cluster);
    route
}

/// What the renders of a hop say against a step of it.
pub(super) fn denied<'r>(step: &Step, rules: &[&'r Rule], (from, to): (&Stand, &Stand)) -> Option<&'r str> {
    let here = |denied: &Denied| (&denied.from, &denied.to, &denied.step) == (from, to, step);
    let proofs = rules.iter().flat_map(|rule| &rule.proofs);
    proofs.filter(|proof| proof.denies.as_deref().is_some_and(here)).map(|proof| proof.detail.as_str()).next()
}

/// What the cluster runs before each hop and after the last one: between two of its upgrades the same, as narrow as all versions
/// that are stood on in that time make it.
fn stretches(graph: &Graph<'_>, way: &[Leg], cluster: Option<Minors>) -> Vec<Minors> {
    let mut runs = vec![cluster.unwrap_or_else(|| graph.minors(0))];
    let mut here = 0;
    for leg in way {
        let now = runs.last().copied().unwrap_or(Minors::ALL);
        let (stays, moved) = after(now, now.reach(graph.minors(here)), graph.minors(leg.node));
        runs.push(if leg.cluster_first { moved } else { stays });
        here = leg.node;
    }
    for (index, leg) in way.iter().enumerate().rev() {
        if !leg.cluster_first {
            runs[index] = runs[index + 1];
        }
    }
    runs
}

/// The rules that forbid to leave out a stop, or else the cluster's upgrade that happens there.
fn why_not_further(graph: &Graph<'_>, before: usize, stop: usize, next: &Leg) -> Vec<Reason> {
    let mut why: Vec<Reason> = graph.against(before, next.node).into_iter().flat_map(|rule| asked_to_stop(graph, rule)).collect();
    if !graph.named(before, next.node) {
        let renames = |(from, to)| graph.crossed(from, to).map(|(_, rule)| rule).filter(|rule| rule.renames()).map(Reason::from);
        [(before, stop), (stop, next.node)].into_iter().for_each(|step| why.extend(renames(step)));
    }
    if graph.minors(before).and(graph.minors(next.node)).is_empty() || (why.is_empty() && next.cluster_first) {
        for node in [before, next.node] {
            why.extend(graph.kubernetes_rules(node).into_iter().map(|(rule, _)| Reason::from(rule)));
        }
    }
    let mut seen = std::collections::BTreeSet::new();
    why.retain(|reason| seen.insert(reason.rule.clone()));
    why
}

/// A rule that asks for a stop, with those that skip the version where it would be.
fn asked_to_stop(graph: &Graph<'_>, rule: &Rule) -> Vec<Reason> {
    match graph.passed_over(rule) {
        Some((version, skips)) => {
            let words = format!("{}; {version} is skipped", rule.says());
            std::iter::once(Reason::new(rule, words)).chain(skips.into_iter().map(Reason::from)).collect()
        }
        None => vec![Reason::from(rule)],
    }
}

fn tests(graph: &Graph<'_>, from: usize, to: usize) -> Vec<Reason> {
    let mut tests: Vec<Reason> = Vec::new();
    for (_, rule) in graph.crossed(from, to) {
        for test in &rule.tests {
            if tests.iter().all(|known| known.words != *test) {
                tests.push(Reason::new(rule, test));
            }
        }
    }
    tests
}

/// What a rule that was found asks for: the step by hand where there is one, and why.
fn what(route: &Route, reason: &Reason) -> String {
    let mut chores = route.hops.iter().flat_map(|hop| hop.before.iter().chain(&hop.after));
    let chore = chores.find(|chore| chore.why.iter().any(|why| why.rule == reason.rule));
    let words = chore.map_or(&reason.words, |chore| &chore.words);
    let note = reason.note.as_ref().filter(|note| !words.contains(note.as_str()));
    format!("{words}{}", note.map(|note| format!(" ({note})")).unwrap_or_default())
}

/// What the record of a release may hold that came to a version on an older Kubernetes than the cluster runs by now, on any that the
/// version bears.
fn stale_record(bears: Minors, runs: &Version) -> String {
    let lowest = bears.ends().map_or(u64::MAX, |(lowest, _)| lowest);
    let removed: Vec<RemovedApi> = (lowest..runs.minor()).flat_map(|minor| removed_by(minor + 1)).collect();
    if removed.is_empty() {
        return String::new();
    }
    format!(
        ". Before it, {}. Where it has, the record has to be rewritten first; the plugin helm-mapkubeapis does that for the APIs that it \
         knows",
        check_record(&format!("1.{}", runs.minor()), &removed)
    )
}

fn findings(set: &RuleSet, graph: &Graph<'_>, route: &Route, cluster: Option<Minors>) -> Vec<Finding> {
    let mut findings = Vec::new();
    let mut add = |code, words| findings.push(Finding { code, words });
    for stand in [&route.from, &route.to] {
        let chart = set.charts.get(&stand.chart);
        if chart.is_none_or(|chart| !chart.versions.contains(&stand.version)) {
            let newest = chart.and_then(|chart| chart.versions.last());
            let known = newest.map_or_else(|| "none is listed".to_owned(), |version| format!("the newest is {version}"));
            add(FindingCode::UnknownVersion, format!("{stand} is not among the versions that are known; {known}"));
        }
        if !set.covers(&stand.chart, &stand.version) {
            let ranges = chart.map(|chart| chart.covers.iter().map(ToString::to_string).collect::<Vec<_>>().join(" or "));
            let ranges = ranges.filter(|text| !text.is_empty()).map(|text| format!(" (there are for {text})")).unwrap_or_default();
            add(FindingCode::NotCovered, format!("no rules are known for {stand}{ranges}; a straight step is assumed there"));
        }
    }
    match (cluster, &route.kubernetes) {
        (Some(runs), Some(version)) if runs.and(graph.minors(0)).is_empty() => {
            let suffix = graph.kubernetes_rules(0).into_iter().find_map(|(rule, _)| graph.refused_suffix(rule));
            let bears = match (graph.minors(0).range(), suffix) {
                (_, Some(suffix)) => format!("no version with a suffix such as -{suffix}"),
                (Some(range), _) => range.to_string(),
                (None, None) => "nothing that one rule allows".to_owned(),
            };
            let words = format!(
                "the cluster runs Kubernetes {version}, and {} bears {bears}; the first hop leaves it as soon as it can",
                route.from
            );
            add(FindingCode::KubernetesUnsupported, format!("{words}{}", stale_record(graph.minors(0), version)));
        }
        (None, _) if route.kubernetes_assumed.is_some() || route.hops.iter().any(|hop| hop.cluster_upgrade.is_some()) => {
            let fits = route
                .kubernetes_assumed
                .as_ref()
                .map_or_else(|| format!("any Kubernetes that {} bears", route.from), |range| format!("Kubernetes {range}"));
            let words = format!("nobody said what the cluster runs (--kube-version); {fits} is assumed, another may need another path");
            add(FindingCode::KubernetesUnknown, words);
        }
        _ => {}
    }
    let mut told = std::collections::BTreeSet::new();
    for reason in route.reasons().filter(|reason| told.insert(reason.rule.clone())) {
        if reason.origin == Origin::Rendered {
            add(FindingCode::FoundByRendering, format!("found by rendering, no rule names it: {}", what(route, reason)));
        }
        for proof in reason.proofs.iter().filter(|proof| !proof.holds) {
            add(FindingCode::Refuted, format!("the rule {} is kept, though renders contradict it: {}", reason.rule, proof.detail));
        }
    }
    findings
}
