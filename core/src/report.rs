//! What an agent says happened. A report is a fact with an identity: nothing older than its generation is believed (GS-10).

use crate::id::{ClusterName, Generation, Incarnation, ReleaseName, RolloutId};
use crate::time::{Span, Time};
use serde::{Deserialize, Serialize};

/// Where a cluster's release stands for one generation.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Phase {
    /// In the agent's ledger, not begun.
    Accepted,
    /// Cannot begin or go on, and says why: a foreign pending operation, no start permit, a chart that cannot be fetched yet.
    Blocked,
    /// Helm is at work.
    Applying,
    /// Helm is done; objects are not ready yet, or are no longer.
    Unhealthy,
    /// Every object of the release is ready.
    Healthy,
    /// This attempt ended badly.
    Failed,
    /// Refused before anything was touched.
    Refused,
    /// A tombstone was carried out.
    Gone,
}

impl Phase {
    /// Whether the attempt ended without success.
    pub fn is_failure(self) -> bool {
        matches!(self, Self::Failed | Self::Refused)
    }

    /// Whether nothing has been touched yet.
    pub fn is_before_start(self) -> bool {
        matches!(self, Self::Accepted | Self::Blocked | Self::Refused)
    }
}

/// A release that Helm had before the agent's first assignment of it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Adopted {
    /// Helm's deployed revision.
    pub helm_revision: u32,
    /// `<chart>-<version>`.
    pub chart: String,
}

/// One statement of an agent about one generation of one release.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Report {
    /// Taken from the session's certificate, never from the message (GS-12).
    pub cluster: ClusterName,
    /// The release.
    pub release: ReleaseName,
    /// The rollout of the assignment that it is about.
    pub rollout: RolloutId,
    /// The generation of that assignment.
    pub generation: Generation,
    /// Digest of the chart that is in place, as 64 hex characters; empty where the target has none.
    pub chart_digest: String,
    /// Which try it is, from 1.
    pub attempt: u32,
    /// The life of the agent that says it.
    pub incarnation: Incarnation,
    /// Rises with each report of that incarnation.
    pub sequence: u64,
    /// What happened.
    pub phase: Phase,
    /// How long the agent itself has seen it healthy without a break; zero unless `Healthy`.
    pub healthy_for: Span,
    /// Helm's revision, once there is one.
    pub helm_revision: Option<u32>,
    /// One sentence for the operator.
    pub message: String,
    /// What was found before the first assignment.
    pub adopted: Option<Adopted>,
    /// Steps out of the ordinary: a recovered `pending-upgrade`, CRDs applied, drift seen.
    pub notes: Vec<String>,
    /// When the server took it, by the server's clock.
    pub received_at: Time,
}

impl Report {
    /// Since when the release is healthy, by the server's clock; `None` when it is not.
    pub fn healthy_since(&self) -> Option<Time> {
        (self.phase == Phase::Healthy).then(|| self.received_at - self.healthy_for)
    }
}
