//! `/v1/releases` and `/v1/values`.

use super::{ChartBrief, RolloutState, RolloutSummaryDto};
use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// A release: what should run, and how much of it does.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ReleaseDto {
    /// Its name.
    pub name: String,
    /// Where it lives in each cluster.
    pub namespace: String,
    /// Of its document; rises with each change.
    pub revision: u64,
    /// The document, byte for byte; absent in lists.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub document: Option<String>,
    /// The chart that the document asks for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub chart: Option<ChartBrief>,
    /// Which clusters, as text.
    pub selector: String,
    /// The strategy by name; absent when it is inline or the safe default.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub strategy: Option<String>,
    /// `report` or `correct`.
    pub drift: String,
    /// When the document last changed.
    pub updated_at: Timestamp,
    /// Who changed it.
    pub updated_by: String,
    /// The newest rollout.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub latest_rollout: Option<RolloutSummaryDto>,
    /// How its clusters stand now.
    pub counts: ReleaseCounts,
    /// Clusters that are owed something, at most 50.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub debts: Vec<DebtDto>,
}

/// How the clusters of a release stand; each is counted once.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct ReleaseCounts {
    /// All that have it or should have it.
    pub clusters: u64,
    /// Have what they should, healthy.
    pub healthy: u64,
    /// Have what they should, and are not healthy.
    pub unhealthy: u64,
    /// An assignment is in flight.
    pub updating: u64,
    /// Their last attempt failed.
    pub failed: u64,
    /// Wait for their turn.
    pub waiting: u64,
    /// Are owed a version.
    pub owed: u64,
    /// Silent.
    pub unknown: u64,
    /// Have it, and no selector matches them any more.
    pub orphaned: u64,
}

/// What a cluster is owed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct DebtDto {
    /// To whom.
    pub cluster: String,
    /// Of which release.
    pub release: String,
    /// The rollout that left it behind.
    pub rollout: String,
    /// Why.
    pub why: String,
    /// Since when.
    pub since: Timestamp,
    /// Why paying it failed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub failed: Option<String>,
}

/// One revision of a release's document, newest first in `/history`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ReleaseRevisionDto {
    /// Of the document.
    pub revision: u64,
    /// When it was stored.
    pub at: Timestamp,
    /// By whom.
    pub by: String,
    /// The chart that it asked for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub chart: Option<ChartBrief>,
    /// What made it, such as `apply`, `set image.tag=2` or `undo of beacon-3`.
    pub cause: String,
    /// The rollout that it led to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rollout: Option<String>,
    /// Where that rollout stands.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub state: Option<RolloutState>,
}

/// `GET /v1/values`: what one cluster really gets.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ValuesDto {
    /// Of which release.
    pub release: String,
    /// In which cluster.
    pub cluster: String,
    /// The texts in helm's order, interpolated; the last wins.
    pub documents: Vec<ValuesDocumentDto>,
    /// The merge of them all, as Helm makes it.
    pub merged: serde_json::Value,
    /// For each leaf, by its path (`image.tag`, `list[0]`), the name of the document that it came from.
    pub origin: BTreeMap<String, String>,
    /// For each leaf that an earlier document set too, the names of those documents.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub overridden: BTreeMap<String, Vec<String>>,
    /// The rollout that carries them; absent when none did yet.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rollout: Option<String>,
    /// Of the assignment that carries them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub generation: Option<u64>,
}

/// One values text.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ValuesDocumentDto {
    /// Such as `values`, `overrides.yaml` or `override role=federation`.
    pub name: String,
    /// The text.
    pub text: String,
}
