//! What a helm call is told, and what it answers.

use std::path::Path;
use std::time::Duration;

use serde::Deserialize;

use crate::history::{HistoryEntry, Status};

/// An upgrade, or the install where nothing is yet.
#[derive(Debug, Clone)]
pub struct Upgrade<'a> {
    /// The checked archive on disk; an absolute path.
    pub chart: &'a Path,
    /// Values documents in order, the last wins. They are the complete values: what an earlier revision had is reset.
    pub values: &'a [&'a [u8]],
    /// Our mark; see [`crate::history::Description`].
    pub description: &'a str,
    /// Revisions that Helm keeps.
    pub history_max: u32,
    /// Helm's limit for each of its steps (a hook, for one).
    pub timeout: Duration,
    /// Whether Helm makes the namespace.
    pub create_namespace: bool,
}

/// A rollback to a revision that Helm still has.
#[derive(Debug, Clone, Copy)]
pub struct Rollback {
    /// The revision to go back to, from 1.
    pub revision: u64,
    /// Revisions that Helm keeps.
    pub history_max: u32,
    /// Helm's limit for each of its steps.
    pub timeout: Duration,
}

/// The end of a release.
#[derive(Debug, Clone, Copy)]
pub struct Uninstall<'a> {
    /// Whether Helm keeps its history.
    pub keep_history: bool,
    /// Our mark, seen only when history is kept.
    pub description: &'a str,
    /// Helm's limit for each of its steps.
    pub timeout: Duration,
}

/// A render without a cluster.
#[derive(Debug, Clone, Default)]
pub struct Template<'a> {
    /// Values documents in order, the last wins.
    pub values: &'a [&'a [u8]],
    /// Kubernetes version to render for; Helm's own default without it.
    pub kube_version: Option<&'a str>,
    /// APIs that the cluster has, `group/version` and `group/version/Kind`.
    pub api_versions: &'a [String],
    /// Whether `.Release.IsUpgrade` is set.
    pub is_upgrade: bool,
    /// Whether `crds/` are part of the output.
    pub include_crds: bool,
    /// Whether hooks are left out.
    pub no_hooks: bool,
    /// Whether test hooks are left out.
    pub skip_tests: bool,
}

/// What became of an upgrade or rollback.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Outcome {
    /// The newest revision after the call.
    pub revision: HistoryEntry,
    /// The whole history after the call, oldest first.
    pub history: Vec<HistoryEntry>,
    /// End of what helm printed, without control characters.
    pub text: String,
}

/// `helm status -o json`, without the parts that hold secrets.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct ReleaseStatus {
    /// Name of the release.
    pub name: String,
    /// Its namespace.
    #[serde(default)]
    pub namespace: String,
    /// Helm's revision.
    pub version: u64,
    /// State and times.
    pub info: ReleaseInfo,
}

/// State and times of a release.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct ReleaseInfo {
    /// How it is.
    pub status: Status,
    /// What `--description` or Helm said.
    #[serde(default)]
    pub description: String,
    /// RFC 3339.
    #[serde(default)]
    pub first_deployed: String,
    /// RFC 3339.
    #[serde(default)]
    pub last_deployed: String,
}
