//! Helm's history of one release, as far as the agent decides by it.

use crate::id::Generation;
use crate::time::Time;
use serde::{Deserialize, Serialize};
use std::fmt;

/// Written into a pending record's description when it is unlocked; a record that bears it counts as interrupted.
pub const UNLOCKED: &str = "unlocked by groundswell: the helm that made it is dead";

/// What stands in the description of a failed revision whose helm was stopped rather than defeated. `context canceled` is
/// what helm 3 and 4 write when they are asked to end by a signal.
pub const INTERRUPTED: [&str; 2] = ["context canceled", UNLOCKED];

/// What an install or upgrade of ours carries in `--description`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Marker {
    /// The assignment's generation.
    pub generation: Generation,
    /// The attempt, from 1.
    pub attempt: u32,
}

impl fmt::Display for Marker {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "generation {} attempt {}", self.generation, self.attempt)
    }
}

/// The status of a revision, in Helm's words.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum RevisionStatus {
    /// `deployed`
    Deployed,
    /// `superseded`
    Superseded,
    /// `failed`
    Failed,
    /// `pending-install`
    PendingInstall,
    /// `pending-upgrade`
    PendingUpgrade,
    /// `pending-rollback`
    PendingRollback,
    /// `uninstalling`
    Uninstalling,
    /// `uninstalled`, kept by `--keep-history`
    Uninstalled,
    /// Anything else.
    Unknown,
}

impl RevisionStatus {
    /// Reads Helm's word.
    pub fn parse(word: &str) -> Self {
        match word {
            "deployed" => Self::Deployed,
            "superseded" => Self::Superseded,
            "failed" => Self::Failed,
            "pending-install" => Self::PendingInstall,
            "pending-upgrade" => Self::PendingUpgrade,
            "pending-rollback" => Self::PendingRollback,
            "uninstalling" => Self::Uninstalling,
            "uninstalled" => Self::Uninstalled,
            _ => Self::Unknown,
        }
    }

    /// Whether the revision is a lock that some helm holds or has left behind.
    pub fn is_pending(self) -> bool {
        matches!(self, Self::PendingInstall | Self::PendingUpgrade | Self::PendingRollback)
    }

    /// Whether it was deployed, now or once.
    pub fn was_deployed(self) -> bool {
        matches!(self, Self::Deployed | Self::Superseded)
    }
}

impl fmt::Display for RevisionStatus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Deployed => "deployed",
            Self::Superseded => "superseded",
            Self::Failed => "failed",
            Self::PendingInstall => "pending-install",
            Self::PendingUpgrade => "pending-upgrade",
            Self::PendingRollback => "pending-rollback",
            Self::Uninstalling => "uninstalling",
            Self::Uninstalled => "uninstalled",
            Self::Unknown => "unknown",
        })
    }
}

/// One revision in Helm's history.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct HistoryEntry {
    /// From 1.
    pub revision: u32,
    /// In Helm's words.
    pub status: RevisionStatus,
    /// What our `--description` says, where it is ours. Helm writes it only when it is done, so a pending or failed
    /// revision bears none.
    pub marker: Option<Marker>,
    /// The target, where Helm's description says "Rollback to n".
    pub rollback_to: Option<u32>,
    /// Helm's description as it stands.
    pub description: String,
    /// `<chart>-<version>`.
    pub chart: String,
    /// When helm last wrote it, by the clock of the host that helm ran on.
    pub updated: Time,
}

impl HistoryEntry {
    /// Whether its helm was stopped before it came to an end of its own.
    pub fn was_interrupted(&self) -> bool {
        self.status == RevisionStatus::Failed && INTERRUPTED.iter().any(|sign| self.description.contains(sign))
    }
}
