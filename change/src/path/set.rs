//! All rules that hold: the shipped ones, and what operators add, replace or turn off.

use super::read::{RuleError, RuleFile, read};
use super::rule::{Origin, Place, Rule, takes};
use crate::constraint::{Constraint, Version};
use std::collections::{BTreeMap, BTreeSet};

/// The shipped files, in the order of their charts.
pub const SHIPPED: [(&str, &str); 2] = [
    ("paths/prometheus-operator.yaml", include_str!("../../../paths/prometheus-operator.yaml")),
    ("paths/kube-prometheus-stack.yaml", include_str!("../../../paths/kube-prometheus-stack.yaml")),
];

/// Rules, and the versions that they are about.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RuleSet {
    /// In the order in which their steps are done.
    pub rules: Vec<Rule>,
    /// What is known of each chart.
    pub charts: BTreeMap<String, Chart>,
    /// Rules that were turned off, and why.
    pub disabled: BTreeMap<String, String>,
    /// Rules that were here, by their ids: how they went, and where that is written.
    pub(super) gone: BTreeMap<String, (String, Place)>,
}

/// A chart that rules know.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Chart {
    /// What was published, rising.
    pub versions: BTreeSet<Version>,
    /// The versions for which somebody looked for rules.
    pub covers: Vec<Constraint>,
}

impl RuleSet {
    /// The rules that come with Groundswell.
    ///
    /// # Errors
    /// Never, as long as the tests of this crate pass.
    pub fn shipped() -> Result<Self, Vec<RuleError>> {
        let mut set = Self::default();
        for (name, text) in SHIPPED {
            set.add(read(name, text, Origin::Shipped)?)?;
        }
        Ok(set)
    }

    /// Lays a file over what is there: its rules are added, stand in for others (`replaces`), or turn others off (`disable`).
    ///
    /// # Errors
    /// When an id is taken already or names nothing; the set is then unchanged.
    pub fn add(&mut self, file: RuleFile) -> Result<(), Vec<RuleError>> {
        let (mut after, mut problems) = (self.clone(), Vec::new());
        for disabled in &file.disabled {
            if after.remove(&disabled.id) {
                after.disabled.insert(disabled.id.clone(), disabled.reason.clone());
                after.gone.insert(disabled.id.clone(), ("disabled".to_owned(), disabled.place.clone()));
            } else {
                problems.push(after.unknown(&disabled.place, &disabled.id));
            }
        }
        for rule in file.rules {
            let at = rule.place.clone();
            match rule.replaces.as_deref() {
                Some(id) => match after.rules.iter().position(|other| other.id == id) {
                    Some(index) => match after.taken(&at, &rule.id).filter(|_| rule.id != id) {
                        Some(problem) => problems.push(problem),
                        None => {
                            after.gone.insert(id.to_owned(), (format!("replaced by {:?}", rule.id), at));
                            after.rules[index] = rule;
                        }
                    },
                    None => problems.push(after.unknown(&at, id)),
                },
                None => match after.taken(&at, &rule.id) {
                    Some(problem) => problems.push(problem),
                    None => after.rules.push(rule),
                },
            }
        }
        let chart = after.charts.entry(file.chart).or_default();
        chart.versions.extend(file.versions);
        chart.covers.extend(file.covers);
        if problems.is_empty() {
            *self = after;
            Ok(())
        } else {
            Err(problems)
        }
    }

    /// Replaces the list of published versions of a chart, by an index of a repository for example.
    pub fn publish(&mut self, chart: &str, versions: impl IntoIterator<Item = Version>) {
        self.charts.entry(chart.to_owned()).or_default().versions = versions.into_iter().collect();
    }

    /// The charts of which a version is known to have been published.
    #[must_use]
    pub fn charts_with(&self, version: &Version) -> Vec<&str> {
        self.charts.iter().filter(|(_, chart)| chart.versions.contains(version)).map(|(name, _)| name.as_str()).collect()
    }

    /// The charts that a chart goes on as, each after the one that it follows, the chart itself first.
    #[must_use]
    pub fn successors(&self, chart: &str) -> Vec<String> {
        let mut line = vec![chart.to_owned()];
        let mut at = 0;
        while let Some(name) = line.get(at).cloned() {
            for rule in self.rules.iter().filter(|rule| rule.renames() && rule.from_chart == name) {
                if !line.contains(&rule.chart) {
                    line.push(rule.chart.clone());
                }
            }
            at += 1;
        }
        line
    }

    /// Whether somebody looked for rules for a version.
    #[must_use]
    pub fn covers(&self, chart: &str, version: &Version) -> bool {
        self.charts.get(chart).is_some_and(|chart| chart.covers.iter().any(|range| takes(Some(range), version)))
    }

    /// That an id is taken.
    fn taken(&self, place: &Place, id: &str) -> Option<RuleError> {
        let other = &self.rules.iter().find(|rule| rule.id == id)?.place;
        let next = format!("say `replaces: {id}` if this one stands in for it, or give it another id");
        Some(RuleError { place: place.clone(), what: format!("there is a rule {id:?} already, at {other}; {next}") })
    }

    fn remove(&mut self, id: &str) -> bool {
        let before = self.rules.len();
        self.rules.retain(|rule| rule.id != id);
        self.rules.len() < before
    }

    fn unknown(&self, place: &Place, id: &str) -> RuleError {
        if let Some((how, at)) = self.gone.get(id) {
            return RuleError { place: place.clone(), what: format!("rule {id:?} is {how} already, at {at}; take one of them out") };
        }
        let near = self.rules.iter().find(|rule| rule.id.starts_with(id) || id.starts_with(&rule.id));
        let hint = near.map_or_else(|| "`groundswell path list` shows them".to_owned(), |rule| format!("did you mean {:?}?", rule.id));
        RuleError { place: place.clone(), what: format!("there is no rule {id:?} to replace or disable; {hint}") }
    }
}
