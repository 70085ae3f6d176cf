//! What one cluster must have now.

use crate::id::{ClusterName, Digest, Epoch, Generation, Namespace, ReleaseName, RolloutId};
use crate::time::{Span, Time};
use serde::{Deserialize, Serialize};

/// A chart archive, named by what it says of itself and by the digest of its bytes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ChartRef {
    /// From `Chart.yaml`.
    pub name: String,
    /// From `Chart.yaml`.
    pub version: String,
    /// SHA-256 of the archive.
    pub digest: Digest,
}

/// Chart and values: all that decides what helm is given.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Content {
    /// The chart.
    pub chart: ChartRef,
    /// The values documents in helm's order, already interpolated, by the SHA-256 of their text.
    pub values: Vec<Digest>,
}

/// What the cluster is to be brought to.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Target {
    /// This chart with these values, by install or upgrade.
    Content(Content),
    /// A revision that stands in Helm's history and whose content we may not have (an adopted release).
    HelmRevision(u32),
    /// The release is gone: a tombstone (GS-11).
    Uninstalled,
    /// The release stays as it is, and is ours no more: a tombstone that leaves the objects.
    Orphaned,
}

/// Which way an assignment goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Direction {
    /// To what the rollout brings.
    Forward,
    /// Back to the cluster's last good state.
    Back,
    /// To what the cluster was owed.
    Debt,
}

/// Hand-made changes of what was applied.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum Drift {
    /// Reported.
    #[default]
    Report,
    /// Corrected.
    Correct,
}

/// What one cluster must have of one release. Immutable: a change is a new generation.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Assignment {
    /// Whose it is.
    pub cluster: ClusterName,
    /// Helm's release name.
    pub release: ReleaseName,
    /// Where the release lives.
    pub namespace: Namespace,
    /// The rollout that this belongs to.
    pub rollout: RolloutId,
    /// Higher than any that this cluster's release had (GS-5).
    pub generation: Generation,
    /// The leader that issued it (GS-9).
    pub epoch: Epoch,
    /// Forward, back, or paying a debt.
    pub direction: Direction,
    /// What to bring the release to.
    pub target: Target,
    /// When the commit that issued it was made, by the server's clock.
    pub issued_at: Time,
    /// From `issued_at`; past it the server counts the cluster as timed out.
    pub deadline: Span,
    /// The ServiceAccount whose rights the whole helm child has; `None` is the agent's own.
    pub service_account: Option<String>,
    /// What to do about drift.
    pub drift: Drift,
    /// Whether the namespace is made when it is missing.
    pub create_namespace: bool,
}

impl Assignment {
    /// When the server gives up waiting.
    pub fn ends_at(&self) -> Time {
        self.issued_at + self.deadline
    }
}

/// The state a cluster's release can be taken back to.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LastGood {
    /// Chart and values; `None` for a release that Helm had before us (adopted) and whose archive nobody has.
    pub content: Option<Content>,
    /// Helm's revision of it.
    pub helm_revision: u32,
    /// The rollout that brought it; `None` when adopted.
    pub rollout: Option<RolloutId>,
    /// `<chart>-<version>` as Helm shows it, for people.
    pub chart: String,
}

impl LastGood {
    /// How to get back there.
    pub fn target(&self) -> Target {
        match &self.content {
            Some(content) => Target::Content(content.clone()),
            None => Target::HelmRevision(self.helm_revision),
        }
    }
}
