//! The versions that a way can stop at, and what the rules say of a step between two of them.

use super::kubernetes::{Minors, refused_suffix};
use super::rule::{Rule, Step, takes};
use super::set::RuleSet;
use crate::constraint::{Constraint, Version};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;
use std::fmt;

/// A version of a chart.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Stand {
    /// The chart.
    pub chart: String,
    /// Its version.
    pub version: Version,
}

impl fmt::Display for Stand {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.chart, self.version)
    }
}

/// All versions that count for one question, in the order in which a way goes through them.
pub(crate) struct Graph<'a> {
    /// The first is where the way begins, the last is where it ends.
    pub(crate) nodes: Vec<Node>,
    rules: Vec<Known<'a>>,
    /// What the cluster runs at the beginning, where that is known.
    cluster: Option<Version>,
    /// Indexes of rules that are taken as not written.
    ignored: Vec<usize>,
}

pub(crate) struct Node {
    pub(crate) stand: Stand,
    /// Where its chart comes in the line of names.
    chart: usize,
}

/// A rule with all that is looked up about it more than once.
struct Known<'a> {
    rule: &'a Rule,
    from_chart: usize,
    chart: usize,
    /// The versions in `must_stop_at` that can be the one that counts, the newest first, each with the rules that skip it.
    candidates: Vec<(Version, Vec<usize>)>,
    /// The node that counts as the stop, as long as nothing else is ignored.
    stop: Option<usize>,
    minors: Minors,
    /// For each node, whether `from`, `to`, `must_stop_at` and `skip` take it.
    takes: Vec<Taken>,
    /// Whether `from` takes what stands for all that came under an older name, and `to` what stands for all that comes
    /// under a newer one.
    edges: (bool, bool),
}

#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
struct Taken {
    from: bool,
    to: bool,
    stop: bool,
    skip: bool,
}

impl<'a> Graph<'a> {
    /// `line` names the charts from the first to the last. Of versions that no rule tells apart the newest stands for all.
    pub(crate) fn new(set: &'a RuleSet, line: &[String], from: &Stand, to: &Stand, cluster: Option<&Version>) -> Self {
        let place = |name: &str| line.iter().position(|chart| chart == name);
        let mut rules: Vec<Known<'a>> = Vec::new();
        for rule in &set.rules {
            if let (Some(from_chart), Some(chart)) = (place(&rule.from_chart), place(&rule.chart)) {
                let minors = rule.needs_kubernetes.as_ref().map_or(Minors::ALL, |range| Minors::taken(range, cluster));
                rules.push(Known {
                    rule,
                    from_chart,
                    chart,
                    candidates: Vec::new(),
                    stop: None,
                    minors,
                    takes: Vec::new(),
                    edges: (true, true),
                });
            }
        }
        let mut graph = Self { nodes: Vec::new(), rules, cluster: cluster.cloned(), ignored: Vec::new() };
        graph.nodes = graph.between(set, line, from, to);
        graph.know_stops(set, line, from, to);
        graph.know_nodes();
        graph.drop_twins();
        graph.ignore(&[]);
        graph
    }

    /// The published releases between two versions, and these two.
    fn between(&self, set: &RuleSet, line: &[String], from: &Stand, to: &Stand) -> Vec<Node> {
        let place = |stand: &Stand| line.iter().position(|chart| *chart == stand.chart).unwrap_or_default();
        let (first, last) = ((place(from), &from.version), (place(to), &to.version));
        let mut nodes = vec![Node { stand: from.clone(), chart: first.0 }];
        for (index, name) in line.iter().enumerate() {
            for version in set.charts.get(name).into_iter().flat_map(|chart| &chart.versions) {
                if (index, version) > first && (index, version) < last && version.prerelease().is_empty() {
                    nodes.push(Node { stand: Stand { chart: name.clone(), version: version.clone() }, chart: index });
                }
            }
        }
        nodes.push(Node { stand: to.clone(), chart: last.0 });
        nodes
    }

    /// Which versions a rule may want to be stopped at: the newest published release in its range that no rule skips. What lies
    /// beyond the two ends counts too, so that the answer does not depend on the question. Of those that the same rules skip only
    /// the newest can ever be it.
    fn know_stops(&mut self, set: &RuleSet, line: &[String], from: &Stand, to: &Stand) {
        let releases: Vec<Vec<(Version, Vec<usize>)>> = line.iter().map(|chart| self.releases(set, chart, from, to)).collect();
        for known in &mut self.rules {
            if let Some(range) = &known.rule.must_stop_at {
                for (version, skips) in releases[known.chart].iter().filter(|(version, _)| takes(Some(range), version)) {
                    if known.candidates.iter().all(|(_, other)| other != skips) {
                        known.candidates.push((version.clone(), skips.clone()));
                    }
                }
            }
        }
        for known in &mut self.rules {
            let versions = |index: usize| set.charts.get(&line[index]).map(|chart| &chart.versions);
            let oldest = versions(known.from_chart).and_then(|versions| versions.first());
            let newest = versions(known.chart).and_then(|versions| versions.last());
            known.edges = (
                oldest.is_none_or(|version| takes(known.rule.from.as_ref(), version)),
                newest.is_none_or(|version| takes(known.rule.to.as_ref(), version)),
            );
        }
    }

    /// The releases of a chart and the two ends, the newest first, each with the rules that skip it.
    fn releases(&self, set: &RuleSet, chart: &str, from: &Stand, to: &Stand) -> Vec<(Version, Vec<usize>)> {
        let ends = [from, to].into_iter().filter(|stand| stand.chart == *chart).map(|stand| &stand.version);
        let published = set.charts.get(chart).into_iter().flat_map(|chart| &chart.versions);
        let all: BTreeSet<&Version> = published.chain(ends).filter(|version| version.prerelease().is_empty()).collect();
        let skips: Vec<(usize, &Constraint)> = (self.rules.iter().enumerate())
            .filter(|(_, known)| known.rule.chart == chart)
            .filter_map(|(index, known)| Some((index, known.rule.skip.as_ref()?)))
            .collect();
        let skipped = |version: &Version| skips.iter().filter(|(_, range)| takes(Some(range), version)).map(|(index, _)| *index).collect();
        all.into_iter().rev().map(|version| (version.clone(), skipped(version))).collect()
    }

    /// Takes rules as not written: these, and no others.
    pub(crate) fn ignore(&mut self, rules: &[usize]) {
        rules.clone_into(&mut self.ignored);
        let (nodes, ignored) = (&self.nodes, &self.ignored);
        for known in &mut self.rules {
            let stop = known.candidates.iter().find(|(_, skips)| skips.iter().all(|skip| ignored.contains(skip)));
            let is = |node: &Node, version: &Version| node.chart == known.chart && node.stand.version == *version;
            known.stop = stop.and_then(|(version, _)| nodes.iter().position(|node| is(node, version)));
        }
    }

    fn know_nodes(&mut self) {
        let (nodes, last) = (&self.nodes, self.nodes.len() - 1);
        for known in &mut self.rules {
            let rule = known.rule;
            let taken = |(index, node): (usize, &Node)| {
                let version = &node.stand.version;
                let own = node.chart == known.chart;
                let within = |range: &Option<Constraint>| own && range.as_ref().is_some_and(|range| takes(Some(range), version));
                let ends = index == 0 || index == last;
                Taken {
                    from: node.chart == known.from_chart && takes(rule.from.as_ref(), version),
                    to: own && takes(rule.to.as_ref(), version),
                    stop: within(&rule.must_stop_at) && (ends || known.candidates.iter().any(|(candidate, _)| candidate == version)),
                    skip: within(&rule.skip),
                }
            };
            known.takes = nodes.iter().enumerate().map(taken).collect();
        }
    }

    /// Keeps the newest of neighbours that no rule tells apart.
    fn drop_twins(&mut self) {
        let last = self.nodes.len() - 1;
        let twin = |index: usize| {
            index > 0
                && index + 1 < last
                && self.nodes[index].chart == self.nodes[index + 1].chart
                && self.rules.iter().all(|known| known.takes[index] == known.takes[index + 1])
        };
        let keep: Vec<bool> = (0..=last).map(|index| !twin(index)).collect();
        let kept = |index: &mut usize| {
            *index += 1;
            keep[*index - 1]
        };
        for known in &mut self.rules {
            let mut index = 0;
            known.takes.retain(|_| kept(&mut index));
        }
        let mut index = 0;
        self.nodes.retain(|_| kept(&mut index));
    }

    pub(crate) fn last(&self) -> usize {
        self.nodes.len() - 1
    }

    fn active(&self) -> impl Iterator<Item = (usize, &Known<'a>)> {
        self.rules.iter().enumerate().filter(|(index, _)| !self.ignored.contains(index))
    }

    /// The rule with an index.
    pub(crate) fn rule(&self, index: usize) -> &'a Rule {
        self.rules[index].rule
    }

    /// The rules that can make a way impossible.
    pub(crate) fn binding(&self) -> Vec<usize> {
        let binds = |rule: &Rule| rule.must_stop_at.is_some() || rule.skip.is_some() || rule.needs_kubernetes.is_some();
        self.rules.iter().enumerate().filter(|(_, known)| binds(known.rule)).map(|(index, _)| index).collect()
    }

    /// What a cluster can run while it stands on a node.
    pub(crate) fn minors(&self, node: usize) -> Minors {
        self.active().filter(|(_, known)| known.takes[node].to).fold(Minors::ALL, |minors, (_, known)| minors.and(known.minors))
    }

    /// The rules that say what a cluster runs while it stands on a node, each with what it takes.
    pub(crate) fn kubernetes_rules(&self, node: usize) -> Vec<(&'a Rule, Minors)> {
        let asks = |known: &&Known<'a>| known.takes[node].to && known.rule.needs_kubernetes.is_some();
        self.active().map(|(_, known)| known).filter(asks).map(|known| (known.rule, known.minors)).collect()
    }

    /// The rules about an upgrade of the cluster while the release stands on a node, each with what the cluster comes to run.
    pub(crate) fn cluster_rules(&self, node: usize) -> Vec<(&'a Rule, Minors)> {
        let about = |known: &Known<'a>| {
            let range = known.rule.before_kubernetes.as_ref().filter(|_| known.takes[node].to)?;
            Some((known.rule, Minors::taken(range, self.cluster.as_ref())))
        };
        self.active().filter_map(|(_, known)| about(known)).collect()
    }

    /// The suffix for which a rule takes no version that this cluster can ever run.
    pub(crate) fn refused_suffix(&self, rule: &Rule) -> Option<&str> {
        refused_suffix(rule.needs_kubernetes.as_ref()?, self.cluster.as_ref())
    }

    /// The rules that a step touches, in the order of their charts and files. Under another name a version lies before all
    /// versions of the next one and behind all of the one before.
    pub(crate) fn crossed(&self, from: usize, to: usize) -> impl Iterator<Item = (usize, &'a Rule)> {
        let charts = (self.nodes[from].chart, self.nodes[to].chart);
        let crosses = move |known: &Known<'a>| {
            let begins = if known.from_chart > charts.0 && known.from_chart == charts.1 { known.edges.0 } else { known.takes[from].from };
            let ends = if known.chart < charts.1 && known.chart == charts.0 { known.edges.1 } else { known.takes[to].to };
            // A rule about another name is about exactly that step.
            let names = known.from_chart == known.chart || (known.from_chart, known.chart) == charts;
            // What is done before the cluster is upgraded belongs to no hop.
            begins && ends && names && known.rule.before_kubernetes.is_none()
        };
        self.active().filter(move |(_, known)| crosses(known)).map(|(index, known)| (index, known.rule))
    }

    /// Whether a step from one node to another keeps the rules, Kubernetes aside.
    pub(crate) fn may(&self, from: usize, to: usize) -> bool {
        self.named(from, to) && self.against(from, to).is_empty()
    }

    /// Whether a rule leads from the one name to the other.
    pub(crate) fn named(&self, from: usize, to: usize) -> bool {
        self.nodes[from].chart == self.nodes[to].chart || self.crossed(from, to).any(|(_, rule)| rule.renames())
    }

    /// The rules that a step would break.
    pub(crate) fn against(&self, from: usize, to: usize) -> Vec<&'a Rule> {
        let skips = self.active().filter(|(_, known)| known.takes[to].skip).map(|(_, known)| known.rule);
        let last = self.last();
        let stop = |index: &usize| {
            let known = &self.rules[*index];
            let stops = |node: usize| known.takes[node].stop && (node == 0 || node == last || known.stop == Some(node));
            known.rule.must_stop_at.is_some() && !stops(from) && !stops(to)
        };
        skips.chain(self.crossed(from, to).filter(|(index, _)| stop(index)).map(|(_, rule)| rule)).collect()
    }

    /// The version that a rule would have its stop at if no rule skipped it, with these rules.
    pub(crate) fn passed_over(&self, rule: &Rule) -> Option<(&Version, Vec<&'a Rule>)> {
        let known = self.rules.iter().find(|known| known.rule.id == rule.id)?;
        let (newest, skips) = known.candidates.first()?;
        let skips: Vec<&Rule> = skips.iter().filter(|skip| !self.ignored.contains(skip)).map(|skip| self.rules[*skip].rule).collect();
        (!skips.is_empty()).then_some((newest, skips))
    }

    /// What to do by hand around a step, each thing once, with the rules that ask for it.
    pub(crate) fn chores(&self, from: usize, to: usize) -> Chores<'a> {
        let mut chores = Chores::default();
        for (_, rule) in self.crossed(from, to) {
            for (steps, list) in [(&rule.before, &mut chores.before), (&rule.after, &mut chores.after)] {
                for step in steps {
                    match list.iter_mut().find(|(known, _): &&mut (_, Vec<_>)| *known == step) {
                        Some((_, rules)) => rules.push(rule),
                        None => list.push((step, vec![rule])),
                    }
                }
            }
        }
        // Values can be made ready long before; while an object is deleted something is missing, so that comes last.
        chores.before.sort_by_key(|(step, _)| match step {
            Step::RenameValue { .. } | Step::SetValue { .. } | Step::RemoveValue { .. } | Step::Text(_) => 0,
            Step::ApplyCrds => 1,
            Step::DeleteOrphan(_) | Step::DeleteObject(_) => 2,
            Step::ChartDiff(claim) => claim.turn(),
        });
        inner_first(&mut chores.before);
        chores
    }
}

/// Puts a key that gets a new name before the one that it lies in: afterwards it would have moved along to the wrong place.
fn inner_first(chores: &mut [(&Step, Vec<&Rule>)]) {
    let moves_along = |outer: &Step, inner: &Step| match (outer, inner) {
        (Step::RenameValue { from: outer, .. }, Step::RenameValue { from: inner, .. }) => {
            inner.strip_prefix(outer.as_str()).is_some_and(|rest| rest.starts_with('.'))
        }
        _ => false,
    };
    for at in 1..chores.len() {
        if let Some(outer) = (0..at).find(|outer| moves_along(chores[*outer].0, chores[at].0)) {
            chores[outer..=at].rotate_right(1);
        }
    }
}

/// Steps by hand with the rules that ask for them.
#[derive(Default)]
pub(crate) struct Chores<'a> {
    pub(crate) before: Vec<(&'a Step, Vec<&'a Rule>)>,
    pub(crate) after: Vec<(&'a Step, Vec<&'a Rule>)>,
}

impl Chores<'_> {
    pub(crate) fn count(&self) -> usize {
        self.before.len() + self.after.len()
    }
}
