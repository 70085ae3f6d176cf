//! `/v1/clusters` and `/v1/tokens`.

use super::{ChartBrief, DebtDto, is_false};
use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// A cluster, as its agent and the operators describe it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ClusterDto {
    /// Its name.
    pub name: String,
    /// Its labels, without `name`.
    #[serde(default)]
    pub labels: BTreeMap<String, String>,
    /// Whether it is there.
    pub presence: PresenceDto,
    /// When its certificate runs out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub certificate_expires_at: Option<Timestamp>,
    /// Of the agent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub agent_version: Option<String>,
    /// Of the helm that the agent runs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub helm_version: Option<String>,
    /// Of the API server.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub kubernetes_version: Option<String>,
    /// What `((name))` becomes for it; absent in lists.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub variables: BTreeMap<String, VariableDto>,
    /// The releases it has or should have.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub releases: Vec<ClusterReleaseDto>,
    /// What it is owed.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub debts: Vec<DebtDto>,
}

/// Whether a cluster is there.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct PresenceDto {
    /// How it stands.
    pub state: PresenceState,
    /// Since when.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub since: Option<Timestamp>,
    /// When it was last heard.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_seen: Option<Timestamp>,
}

/// Whether a cluster is there.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum PresenceState {
    /// A session is up.
    Online,
    /// Silent beyond the deadline: its state is unknown, not failed.
    Offline,
    /// Enrolled, and never had a session.
    Never,
    /// Its certificate was revoked.
    Revoked,
}

/// A variable and where it came from.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct VariableDto {
    /// Its value; `null` when it is secret.
    pub value: serde_json::Value,
    /// Where it came from.
    pub origin: VariableOrigin,
    /// Whether the value is kept from being shown.
    #[serde(default, skip_serializing_if = "is_false")]
    pub secret: bool,
}

/// Where a variable came from; a later one wins over an earlier.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum VariableOrigin {
    /// The cluster's name (`cluster_name`).
    Name,
    /// A label.
    Label,
    /// `groundswell cluster vars set`.
    Variable,
}

/// One release in one cluster.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ClusterReleaseDto {
    /// Its name.
    pub release: String,
    /// Where it lives.
    pub namespace: String,
    /// What the agent last reported as installed, `<chart>-<version>` as Helm shows it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub installed: Option<String>,
    /// What it should have; absent when it should be gone or nothing was assigned yet.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub wanted: Option<ChartBrief>,
    /// Helm's revision, as last reported.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub helm_revision: Option<u32>,
    /// Whether it is healthy, as last reported; absent when nothing was.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub healthy: Option<bool>,
    /// Of the assignment in force.
    pub generation: u64,
    /// The rollout of that assignment.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rollout: Option<String>,
    /// The agent's words.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub message: String,
    /// Whether its labels or the document changed since its last rollout.
    #[serde(default, skip_serializing_if = "is_false")]
    pub outdated: bool,
    /// Whether no selector matches it any more.
    #[serde(default, skip_serializing_if = "is_false")]
    pub orphaned: bool,
}

/// `PATCH /v1/clusters/{name}/labels`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct LabelsRequest {
    /// Labels to set.
    #[serde(default)]
    pub set: BTreeMap<String, String>,
    /// Keys to take away.
    #[serde(default)]
    pub remove: Vec<String>,
}

/// `PUT /v1/clusters/{name}/variables`: replaces all of them.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct VariablesRequest {
    /// By name; a value may be a list or a map.
    pub variables: BTreeMap<String, serde_json::Value>,
}

/// `POST /v1/tokens`: a token with which a cluster enrols.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct TokenRequest {
    /// The only cluster that may use it; any when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cluster: Option<String>,
    /// Labels of the cluster that enrols with it.
    #[serde(default)]
    pub labels: BTreeMap<String, String>,
    /// How long it may be used, in seconds.
    pub ttl_seconds: u64,
    /// How often it may be used.
    #[serde(default = "one")]
    pub uses: u32,
}

fn one() -> u32 {
    1
}

/// A token that was just made; the only answer that ever carries its secret.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct NewTokenDto {
    /// The token itself. Not stored, so never to be had again.
    pub token: String,
    /// What it is called in lists and in the audit log.
    pub id: String,
    /// When it runs out.
    pub expires_at: Timestamp,
}

impl std::fmt::Debug for NewTokenDto {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("NewTokenDto").field("id", &self.id).field("expires_at", &self.expires_at).finish_non_exhaustive()
    }
}

/// A token in a list: no secret in it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct TokenDto {
    /// What it is called.
    pub id: String,
    /// The only cluster that may use it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cluster: Option<String>,
    /// Labels of the cluster that enrols with it.
    #[serde(default)]
    pub labels: BTreeMap<String, String>,
    /// When it was made.
    pub created_at: Timestamp,
    /// By whom.
    pub created_by: String,
    /// When it runs out.
    pub expires_at: Timestamp,
    /// How often it may still be used.
    pub uses_left: u32,
}
