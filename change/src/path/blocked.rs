//! Why there is no way.

use super::graph::{Graph, Stand};
use super::kubernetes::Minors;
use super::rule::Rule;
use super::solve::search;
use crate::constraint::Version;
use schemars::JsonSchema;
use serde::Serialize;

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
        /// The rules; without any one of them there would be a way. Empty when no rule leads to the other name at all.
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
}

impl From<&Rule> for Blocking {
    fn from(rule: &Rule) -> Self {
        Self { rule: rule.id.clone(), words: rule.says(), note: rule.note.clone(), source: rule.source.clone() }
    }
}

fn rules_in_words(by: &[Blocking]) -> String {
    match by {
        [] => "one name to the other: no rule leads between them here".to_owned(),
        [one] => format!("the rule {}: {}", one.rule, one.words),
        several => format!("all of the rules {}", several.iter().map(|rule| rule.rule.as_str()).collect::<Vec<_>>().join(", ")),
    }
}

/// A smallest set of rules that leaves no way. What is not needed to block it is taken out one rule at a time, later rules first,
/// so that the answer is always the same.
pub(crate) fn diagnose(graph: &mut Graph<'_>, cluster: Option<Minors>) -> NoRoute {
    let binding = graph.binding();
    let mut guilty = Vec::new();
    for rule in binding.iter().rev() {
        graph.ignored.push(*rule);
        if search(graph, cluster).is_some() {
            graph.ignored.pop();
            guilty.push(*rule);
        }
    }
    let by = guilty.iter().rev().map(|rule| Blocking::from(graph.rule(*rule))).collect();
    let stand = |node: usize| Box::new(graph.nodes[node].stand.clone());
    NoRoute::Blocked { from: stand(0), to: stand(graph.last()), by }
}
