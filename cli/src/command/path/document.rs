//! What `-o json` prints of ways and rules. `groundswell schema` describes it, so names here are an interface.

use super::proof::Proof;
use groundswell_api::dto::API_VERSION;
use groundswell_change::path::{Blocking, NoRoute, Origin, Place, Problem, Route, Rule, RuleSet};
use schemars::JsonSchema;
use serde::Serialize;
use std::collections::BTreeMap;

/// The answer of `path show`.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(untagged)]
pub(crate) enum PathAnswer {
    Path(Box<UpgradePath>),
    None(NoUpgradePath),
}

/// A way from one version to another.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct UpgradePath {
    /// `groundswell.dev/v1alpha1`.
    api_version: String,
    /// `UpgradePath`.
    kind: String,
    #[serde(flatten)]
    route: Route,
    /// The steps that were rendered, where charts were given.
    #[serde(skip_serializing_if = "Option::is_none")]
    rendered: Option<Proof>,
}

/// That there is no way, and why.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct NoUpgradePath {
    /// `groundswell.dev/v1alpha1`.
    api_version: String,
    /// `NoUpgradePath`.
    kind: String,
    /// In words.
    why: String,
    /// The rules that leave no way together, an operator's own before the others; none when something else is in the way.
    rules: Vec<Blocking>,
    /// The steps that were rendered before, where charts were given.
    #[serde(skip_serializing_if = "Option::is_none")]
    rendered: Option<Proof>,
}

/// What `path lint` found.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct PathLint {
    /// `groundswell.dev/v1alpha1`.
    api_version: String,
    /// `PathLint`.
    kind: String,
    /// How many files were checked.
    files: usize,
    /// What is wrong with them; nothing when all is well.
    problems: Vec<Problem>,
}

/// The rules that hold, as `path list` prints them.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct PathRuleList {
    /// `groundswell.dev/v1alpha1`.
    api_version: String,
    /// `PathRuleList`.
    kind: String,
    /// In the order in which their steps are done.
    items: Vec<ListedRule>,
    /// Rules that were turned off by their ids, and why.
    disabled: BTreeMap<String, String>,
}

/// A rule in a list.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct ListedRule {
    /// Its name.
    id: String,
    /// The chart that it is about.
    chart: String,
    /// What it says, in words.
    says: String,
    /// Why.
    note: Option<String>,
    /// Where it comes from.
    source: String,
    /// Where it is written.
    place: Place,
    /// Who wrote it.
    origin: Origin,
}

impl PathAnswer {
    pub(crate) fn new(route: Result<Route, NoRoute>, rendered: Option<Proof>) -> Self {
        match route {
            Ok(route) => {
                let (api_version, kind) = head("UpgradePath");
                Self::Path(Box::new(UpgradePath { api_version, kind, route, rendered }))
            }
            Err(error) => {
                let (api_version, kind) = head("NoUpgradePath");
                let why = error.to_string();
                let rules = if let NoRoute::Blocked { by, .. } = error { by } else { Vec::new() };
                Self::None(NoUpgradePath { api_version, kind, why, rules, rendered })
            }
        }
    }
}

impl PathLint {
    pub(crate) fn new(files: usize, problems: Vec<Problem>) -> Self {
        let (api_version, kind) = head("PathLint");
        Self { api_version, kind, files, problems }
    }
}

impl PathRuleList {
    pub(crate) fn new(set: &RuleSet) -> Self {
        let (api_version, kind) = head("PathRuleList");
        Self { api_version, kind, items: set.rules.iter().map(ListedRule::from).collect(), disabled: set.disabled.clone() }
    }
}

impl From<&Rule> for ListedRule {
    fn from(rule: &Rule) -> Self {
        Self {
            id: rule.id.clone(),
            chart: rule.chart.clone(),
            says: rule.says(),
            note: rule.note.clone(),
            source: rule.source.clone(),
            place: rule.place.clone(),
            origin: rule.origin,
        }
    }
}

fn head(kind: &str) -> (String, String) {
    (API_VERSION.to_owned(), kind.to_owned())
}
