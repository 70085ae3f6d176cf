//! `/v1/charts`: archives by digest.

use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// A chart archive that the server holds.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ChartDto {
    /// From `Chart.yaml`.
    pub name: String,
    /// From `Chart.yaml`.
    pub version: String,
    /// From `Chart.yaml`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub app_version: Option<String>,
    /// SHA-256 of the archive.
    pub digest: String,
    /// Bytes of the archive.
    pub size: u64,
    /// Names of the CRDs in `crds/`, subcharts included.
    #[serde(default)]
    pub crds: Vec<String>,
    /// The charts packed inside it.
    #[serde(default)]
    pub dependencies: Vec<ChartDependencyDto>,
    /// Kubernetes versions that it asks for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub kube_version: Option<String>,
    /// Whether it has a `values.schema.json`.
    #[serde(default)]
    pub has_schema: bool,
    /// When it was pushed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pushed_at: Option<Timestamp>,
}

/// A chart inside a chart.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ChartDependencyDto {
    /// Its name.
    pub name: String,
    /// Its version.
    pub version: String,
}

/// A chart in a line.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ChartBrief {
    /// From `Chart.yaml`.
    pub name: String,
    /// From `Chart.yaml`.
    pub version: String,
    /// SHA-256 of the archive.
    pub digest: String,
}
