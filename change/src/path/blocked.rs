//! Why there is no way.

use super::graph::{Graph, Stand};
use super::kubernetes::Minors;
use super::rule::{Origin, Rule};
use super::solve::search;
use crate::constraint::Version;
use schemars::JsonSchema;
use serde::Serialize;
use std::cmp::Reverse;

/// Why there is no way.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NoRoute {
    /// No rules are known for the chart.
    #[error("no rules are known for a chart {chart:?}; known are {}", .known.join(", "))]
    UnknownChart {
        /// What was asked for.
        chart: String,
        /// What there are rules for.
        known: Vec<String>,
    },
    /// No rule leads from the one chart to the other.
    #[error("no rule leads from {from} to a chart {to}")]
    OtherChart {
        /// Where the release stands.
        from: Box<Stand>,
        /// The chart.
        to: String,
    },
    /// The version is older than the one that is there.
    #[error("{to} is older than {from}; a path only leads up, the way back is a rollback to a revision that was there")]
    Downgrade {
        /// Where the release stands.
        from: Box<Stand>,
        /// What was asked for.
        to: Box<Stand>,
    },
    /// There are newer versions of the chart, but this one is none of them.
    #[error("{wanted} was never published; its neighbours are {}", .near.iter().map(ToString::to_string).collect::<Vec<_>>().join(" and "))]
    NeverPublished {
        /// What was asked for.
        wanted: Box<Stand>,
        /// The next older and the next newer version.
        near: Vec<Version>,
    },
    /// Not a version of Kubernetes 1.
    #[error("{version} is no version of Kubernetes; those begin with 1")]
    NotKubernetes {
        /// What was given.
        version: Version,
    },
    /// Rules leave no way.
    #[error("no path from {from} to {to} keeps {}", rules_in_words(.by))]
    Blocked {
        /// Where the release stands.
        from: Box<Stand>,
        /// What was asked for.
        to: Box<Stand>,
        /// The rules that leave no way together, while fewer of them would; an operator's own come first. Empty when no rule leads to
        /// the other name at all.
        by: Vec<Blocking>,
    },
}

/// A rule that stops a way.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Blocking {
    /// Its id.
    pub rule: String,
    /// What it says.
    pub words: String,
    /// Why.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub note: Option<String>,
    /// Where it comes from.
    pub source: String,
    /// Who wrote it.
    pub origin: Origin,
}

impl Blocking {
    fn new(graph: &Graph<'_>, rule: &Rule) -> Self {
        let mut words = rule.says();
        if let Some(suffix) = graph.refused_suffix(rule) {
            words.push_str(&format!(
                ", which takes no version with a suffix such as -{suffix}; an upgrade of the cluster does not change that"
            ));
        }
        Self { rule: rule.id.clone(), words, note: rule.note.clone(), source: rule.source.clone(), origin: rule.origin }
    }
}

fn rules_in_words(by: &[Blocking]) -> String {
    match by {
        [] => "one name to the other: no rule leads between them here".to_owned(),
        [one] => format!("the rule {}: {}", one.rule, one.words),
        several => format!("all of the rules {}", several.iter().map(|rule| rule.rule.as_str()).collect::<Vec<_>>().join(", ")),
    }
}

/// How near a rule is to the operator.
fn near(origin: Origin) -> u8 {
    match origin {
        Origin::Shipped => 0,
        Origin::Rendered => 1,
        Origin::Operator => 2,
    }
}

/// A set of rules that leaves no way, of which none can be left out. The shipped rules are known to leave ways by themselves, so
/// they are taken out first where that makes no difference, and an operator's own, the skips above all, stay to be blamed.
pub(crate) fn diagnose(graph: &mut Graph<'_>, cluster: Option<Minors>) -> NoRoute {
    let mut guilty = graph.binding();
    let weight = |index: &usize| {
        let rule = graph.rule(*index);
        (near(rule.origin), rule.skip.is_some(), Reverse(*index))
    };
    guilty.sort_by_key(weight);
    let mut innocent = Vec::new();
    // Which version is a stop depends on the skips, so a rule that is needed at first need not be in the end.
    loop {
        let before = guilty.len();
        guilty.retain(|rule| {
            innocent.push(*rule);
            graph.ignore(&innocent);
            let needed = search(graph, cluster).is_some();
            if needed {
                innocent.pop();
            }
            needed
        });
        if guilty.len() == before {
            break;
        }
    }
    graph.ignore(&[]);
    guilty.sort_by_key(|index| (Reverse(near(graph.rule(*index).origin)), *index));
    let by = guilty.iter().map(|index| Blocking::new(graph, graph.rule(*index))).collect();
    let stand = |node: usize| Box::new(graph.nodes[node].stand.clone());
    NoRoute::Blocked { from: stand(0), to: stand(graph.last()), by }
}
