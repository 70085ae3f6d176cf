//! `/v1/clusters/{name}/apis` and `/v1/clusters/{name}/releases`: what one cluster is, and what it has.

use super::{ChartBrief, ValuesDocumentDto};
use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// What a cluster serves, as its agent found it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ClusterApisDto {
    /// Of the API server.
    pub kubernetes_version: String,
    /// SHA-256 of the list; clusters with the same digest serve the same.
    pub digest: String,
    /// `v1`, `v1/Pod`, `apps/v1`, `apps/v1/Deployment` and so on, as `helm template --api-versions` takes them, sorted.
    pub api_versions: Vec<String>,
    /// What is missing, in words: `metrics.k8s.io/v1beta1` for a group that did not answer.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub incomplete: Vec<String>,
    /// When the agent last said so; when it first did, if it was not heard since this server started.
    pub seen_at: Timestamp,
}

/// What a cluster has of a release now, which is not always what it should have.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct InstalledDto {
    /// The cluster.
    pub cluster: String,
    /// The release; Helm calls it the same.
    pub release: String,
    /// Where it lives.
    pub namespace: String,
    /// How it stands.
    pub state: InstalledState,
    /// Since when it stands so, where that is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub since: Option<Timestamp>,
    /// The agent's words.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub message: String,
    /// The chart of the cluster's last good state. Absent when it has none yet, or when Helm had the release before us: then nobody
    /// has the archive.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub chart: Option<ChartBrief>,
    /// `<chart>-<version>` as Helm shows it; there also without an archive.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub installed: Option<String>,
    /// Helm's revision of it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub helm_revision: Option<u32>,
    /// The rollout that brought it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rollout: Option<String>,
    /// What it is being brought to, or could not be brought to, where that is another state.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub wanted: Option<ChartBrief>,
    /// The texts that helm was given for it, in helm's order; absent in lists.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub values: Vec<ValuesDocumentDto>,
}

/// How a release stands in a cluster.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum InstalledState {
    /// All of its objects are ready.
    Healthy,
    /// Helm is done, and not all of its objects are ready.
    Unhealthy,
    /// It is being changed; what is shown is what it was before.
    Updating,
    /// The last change failed or was refused; what is shown is what it was before.
    Failed,
}

/// The header of a chart's archive that carries its SHA-256.
pub const CHART_DIGEST_HEADER: &str = "groundswell-chart-digest";
