//! What is wrong with rules although they can be read.

use super::blocked::{Blocking, NoRoute};
use super::graph::Stand;
use super::kubernetes::Minors;
use super::read::{RuleError, RuleFile, read};
use super::rule::{Origin, Place, Rule, takes};
use super::set::RuleSet;
use super::solve::{Question, solve};
use crate::constraint::{Constraint, Version};
use schemars::JsonSchema;
use serde::Serialize;
use std::collections::BTreeSet;

/// Something that is wrong with a rule.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Problem {
    /// Where it is written.
    pub place: Place,
    /// The rule, where it is one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rule: Option<String>,
    /// What is wrong.
    pub words: String,
}

impl From<RuleError> for Problem {
    fn from(error: RuleError) -> Self {
        Self { place: error.place, rule: None, words: error.what }
    }
}

/// Checks files, each a name and its text, laid over rules that hold already. The answer is in the order of the files.
#[must_use]
pub fn lint(base: &RuleSet, files: &[(String, String)], origin: Origin) -> Vec<Problem> {
    let (mut set, mut problems, mut good) = (base.clone(), Vec::new(), Vec::new());
    for (name, text) in files {
        match read(name, text, origin).and_then(|file| set.add(file.clone()).map(|()| file)) {
            Ok(file) => good.push(file),
            Err(errors) => problems.extend(errors.into_iter().map(Problem::from)),
        }
    }
    for file in &good {
        let known = set.charts.get(&file.chart).is_some_and(|chart| !chart.versions.is_empty());
        if !known {
            let words = format!("no version of the chart {:?} is known; list them in `versions`, or mend the name", file.chart);
            problems.push(Problem { place: file.place.clone(), rule: None, words });
        }
        file.rules.iter().for_each(|rule| problems.extend(one(&set, rule, known)));
    }
    // What only shows when all rules come together is asked of rules that are sound by themselves.
    if problems.is_empty() {
        problems.extend(good.iter().filter_map(|file| from_end_to_end(&set, file)));
    }
    problems
}

/// What is wrong with one rule.
fn one(set: &RuleSet, rule: &Rule, chart_is_known: bool) -> Vec<Problem> {
    let mut words = Vec::new();
    let effects = [rule.must_stop_at.is_some(), rule.skip.is_some(), rule.needs_kubernetes.is_some(), rule.no_way_back.is_some()];
    let work = rule.before.len() + rule.after.len() + rule.tests.len();
    if effects.iter().all(|has| !has) && work == 0 && !rule.renames() {
        words.push("has no effect: it says no stop, skip, Kubernetes, step, test or end of the way back".to_owned());
    }
    if rule.skip.is_some() && (rule.from.is_some() || rule.to.is_some()) {
        words.push("says `from` or `to` beside `skip`, which always holds; leave them out".to_owned());
    }
    if rule.needs_kubernetes.is_some() && rule.to.is_none() {
        words.push("says `needsKubernetes` without `to`: of which versions?".to_owned());
    }
    if [&rule.needs_kubernetes, &rule.before_kubernetes].into_iter().flatten().any(|range| Minors::taken(range, None).is_empty()) {
        words.push("names a Kubernetes that no version 1.x is".to_owned());
    }
    if rule.before_kubernetes.is_some() {
        words.extend(before_kubernetes(rule));
    }
    if rule.renames() && !set.charts.contains_key(&rule.from_chart) {
        words.push(format!("comes from a chart {:?} that no file is about", rule.from_chart));
    } else if chart_is_known {
        words.extend(ranges(set, rule));
    }
    if rule.renames() && set.successors(&rule.chart).contains(&rule.from_chart) {
        words.push(format!("leads in a circle: {} goes on as {} already", rule.chart, rule.from_chart));
    }
    words.into_iter().map(|words| problem(rule, words)).collect()
}

/// What is wrong with a rule about an upgrade of the cluster.
fn before_kubernetes(rule: &Rule) -> Option<String> {
    if rule.to.is_none() || rule.before.is_empty() {
        return Some("says `beforeKubernetes` without `to` and `before`: what is done, and at which versions?".to_owned());
    }
    let others = [
        ("from", rule.from.is_some()),
        ("fromChart", rule.renames()),
        ("mustStopAt", rule.must_stop_at.is_some()),
        ("skip", rule.skip.is_some()),
        ("needsKubernetes", rule.needs_kubernetes.is_some()),
        ("after", !rule.after.is_empty()),
        ("noWayBack", rule.no_way_back.is_some()),
        ("tests", !rule.tests.is_empty()),
    ];
    let said: Vec<&str> = others.into_iter().filter(|(_, said)| *said).map(|(field, _)| field).collect();
    (!said.is_empty()).then(|| format!("says {} beside `beforeKubernetes`, which is about no hop; write two rules", said.join(", ")))
}

fn problem(rule: &Rule, words: String) -> Problem {
    Problem { place: rule.place.clone(), rule: Some(rule.id.clone()), words: format!("rule {:?} {words}", rule.id) }
}

/// What is wrong with the ranges of a rule, judged by the versions that are known.
fn ranges(set: &RuleSet, rule: &Rule) -> Vec<String> {
    let published = |chart: &str| set.charts.get(chart).into_iter().flat_map(|chart| &chart.versions);
    let within =
        |chart: &str, range: Option<&Constraint>| -> Vec<Version> { published(chart).filter(|v| takes(range, v)).cloned().collect() };
    let mut words = Vec::new();
    let named = [
        ("from", &rule.from, &rule.from_chart),
        ("to", &rule.to, &rule.chart),
        ("mustStopAt", &rule.must_stop_at, &rule.chart),
        ("skip", &rule.skip, &rule.chart),
    ];
    for (field, range, chart) in named {
        if let Some(range) = range.as_ref().filter(|range| within(chart, Some(range)).is_empty()) {
            words.push(format!("says `{field}: {range}`, which no known version of {chart} is in"));
        }
    }
    if !words.is_empty() {
        return words;
    }
    let steps = rule.from.is_some() || rule.to.is_some();
    let (begins, ends) = (within(&rule.from_chart, rule.from.as_ref()), within(&rule.chart, rule.to.as_ref()));
    let lowest = begins.first().zip(ends.last());
    if steps
        && !rule.renames()
        && rule.needs_kubernetes.is_none()
        && rule.before_kubernetes.is_none()
        && lowest.is_none_or(|(from, to)| from >= to)
    {
        words.push("is about no step upwards: all of `from` lies above `to`".to_owned());
    }
    if let Some(range) = &rule.must_stop_at {
        let skip = |version: &Version| {
            set.rules.iter().find(|other| other.chart == rule.chart && other.skip.as_ref().is_some_and(|range| takes(Some(range), version)))
        };
        let stops = within(&rule.chart, Some(range));
        let skips: BTreeSet<&str> = stops.iter().filter_map(skip).map(|other| other.id.as_str()).collect();
        if stops.iter().all(|version| skip(version).is_some()) {
            let ids = skips.into_iter().collect::<Vec<_>>().join(", ");
            words.push(format!("has to stop at {range}, all of which is skipped by {ids}"));
        }
    }
    words
}

/// What can be done about rules that leave no way together.
fn remedy(by: &[Blocking]) -> String {
    let ids = |own: bool| {
        let ids: Vec<&str> = by.iter().filter(|one| (one.origin == Origin::Operator) == own).map(|one| one.rule.as_str()).collect();
        ids.join(" or ")
    };
    match (ids(true).as_str(), ids(false).as_str()) {
        ("", "") => String::new(),
        ("", others) => format!("; mend {others}, or take one of them out"),
        (own, "") => format!("; mend {own}, or take one of them out"),
        (own, others) => format!("; mend {own}, or say that {others} does not hold for you: `disable` with the reason"),
    }
}

/// Whether one can get from the oldest known version of a file's chart to the newest at all.
fn from_end_to_end(set: &RuleSet, file: &RuleFile) -> Option<Problem> {
    let versions = &set.charts.get(&file.chart)?.versions;
    let (oldest, newest) = (versions.first()?, versions.last()?);
    let from = Stand { chart: file.chart.clone(), version: oldest.clone() };
    let question = Question { from, to_chart: Some(file.chart.clone()), to: newest.clone(), kubernetes: None };
    let blocked = solve(set, &question).err()?;
    let by = if let NoRoute::Blocked { by, .. } = &blocked { by.as_slice() } else { &[] };
    let own = file.rules.iter().find(|rule| by.iter().any(|blocking| blocking.rule == rule.id));
    let place = own.map_or(&file.place, |rule| &rule.place).clone();
    let mut words = blocked.to_string();
    let rules = by.iter().filter_map(|blocking| set.rules.iter().find(|rule| rule.id == blocking.rule));
    let several = by.len() > 1;
    for rule in rules.filter(|rule| several || rule.place != place) {
        words.push_str(&format!("; {} at {}: {}", rule.id, rule.place, rule.says()));
    }
    words.push_str(&remedy(by));
    Some(Problem { place, rule: own.map(|rule| rule.id.clone()), words })
}
