//! `POST /v1/apply`, `POST /v1/releases/{name}/set`, and the plan that both answer with.

use super::{ChartBrief, is_false};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// `POST /v1/apply`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ApplyRequest {
    /// The document files.
    pub documents: Vec<SourceText>,
    /// Texts of the `valuesFiles`, by [`file_key`].
    #[serde(default)]
    pub files: BTreeMap<String, String>,
    /// Digests of the chart folders that were pushed before, by [`file_key`] of `chart.path`.
    #[serde(default)]
    pub charts: BTreeMap<String, String>,
    /// Answer with the plan and change nothing.
    #[serde(default)]
    pub dry_run: bool,
    /// Allow a paused or halted rollout of the release to be superseded.
    #[serde(default)]
    pub supersede: bool,
    /// Make a rollout even though nothing changed.
    #[serde(default)]
    pub again: bool,
    /// Refuse (409) unless the release's document has this revision; 0 means that it must not exist.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expect_revision: Option<u64>,
}

/// One document file.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct SourceText {
    /// The name as the operator gave it; positions in answers begin with it.
    pub source: String,
    /// The text, byte for byte.
    pub text: String,
}

/// The key of a file that a document names: its path as written, behind the folder of the document's own source name, so that
/// two documents in two folders may each have their `overrides.yaml`. For a source without a folder it is the path as written.
pub fn file_key(source: &str, path: &str) -> String {
    match source.rsplit_once('/') {
        Some((folder, _)) if !path.starts_with('/') => format!("{folder}/{path}"),
        _ => path.to_owned(),
    }
}

/// `POST /v1/releases/{name}/set`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct SetRequest {
    /// `path.to.key=value`, as `helm --set` has them.
    pub assignments: Vec<String>,
    /// Answer with the plan and change nothing.
    #[serde(default)]
    pub dry_run: bool,
    /// Allow a paused or halted rollout of the release to be superseded.
    #[serde(default)]
    pub supersede: bool,
    /// Refuse (409) unless the release's document has this revision.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expect_revision: Option<u64>,
}

/// What became of an apply.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ApplyResponse {
    /// One for each document, in the order of the request.
    pub results: Vec<ApplyResult>,
    /// What the operator should know and nothing was refused for.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub warnings: Vec<String>,
}

/// What became of one document.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ApplyResult {
    /// `Release` or `Strategy`.
    pub kind: String,
    /// Its `metadata.name`.
    pub name: String,
    /// What was (or, in a dry run, would be) done.
    pub action: ApplyAction,
    /// Revision of the document after that.
    pub revision: u64,
    /// The rollout that was made; absent in a dry run, for a strategy, and when nothing changed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rollout: Option<String>,
    /// How the rollout goes, for a release that gets one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub plan: Option<PlanDto>,
}

/// What an apply does to one document.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum ApplyAction {
    /// It did not exist.
    Created,
    /// It differs from what was stored.
    Configured,
    /// It is what was stored; no rollout is made.
    Unchanged,
}

/// A frozen plan: who goes when, and under which numbers.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct PlanDto {
    /// SHA-256 of the canonical snapshot; what an approval is bound to.
    pub plan_hash: String,
    /// The chart; absent for a deletion.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub chart: Option<ChartBrief>,
    /// Where the release lives in each cluster.
    pub namespace: String,
    /// In their order.
    pub waves: Vec<PlanWaveDto>,
    /// `halt`, `rollbackFailed` or `rollbackAll`.
    pub on_failure: String,
    /// How long each cluster may take, such as `15m`.
    pub deadline: String,
    /// Releases that Helm already has and that would become ours.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub adopted: Vec<AdoptedDto>,
    /// Selected clusters that will not be touched.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub skipped: Vec<ClusterNote>,
    /// Clusters that have the release and that no selector matches any more, or whose labels changed since.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub outdated: Vec<ClusterNote>,
    /// The rollout under way that this one would supersede.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub supersedes: Option<String>,
}

/// One wave of a plan; percentages are resolved to numbers.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct PlanWaveDto {
    /// Its name.
    pub name: String,
    /// Its clusters, in name order.
    pub clusters: Vec<String>,
    /// How many may be in flight.
    pub max_concurrent: u64,
    /// How many may fail; absent is no limit.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub failure_budget: Option<u64>,
    /// How many must stay healthy.
    pub min_available: u64,
    /// How long it must stay healthy before the next wave opens.
    pub bake: String,
    /// Whether a person must approve before the next wave opens.
    #[serde(default, skip_serializing_if = "is_false")]
    pub approval: bool,
}

/// A release that Helm had before us.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct AdoptedDto {
    /// Where.
    pub cluster: String,
    /// `<chart>-<version>` as Helm shows it.
    pub chart: String,
    /// Helm's revision, the one that `undo` returns to.
    pub helm_revision: u32,
}

/// A cluster and a word about it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ClusterNote {
    /// Which.
    pub cluster: String,
    /// What there is to say.
    pub why: String,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_of_two_folders_do_not_meet() {
        assert_eq!(file_key("release.yaml", "overrides.yaml"), "overrides.yaml");
        assert_eq!(file_key("east/release.yaml", "overrides.yaml"), "east/overrides.yaml");
        assert_eq!(file_key("east/release.yaml", "/etc/overrides.yaml"), "/etc/overrides.yaml");
    }

    #[test]
    fn a_mistyped_dry_run_is_refused() {
        let sent = r#"{"documents": [], "dryrun": true}"#;
        assert!(serde_json::from_str::<ApplyRequest>(sent).is_err());
    }
}
