//! What a shell sees besides the ledger. All of it is lost in a crash and found again.

use super::history::{HistoryEntry, Marker};
use crate::id::Namespace;
use crate::time::{Span, Time};

/// The server's word on when to begin.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Permit {
    /// Not asked, or no answer yet.
    #[default]
    Unknown,
    /// May start until then, by the agent's clock.
    Until(Time),
    /// Not now.
    Refused {
        /// In the server's words.
        why: String,
        /// When to ask again, by the agent's clock.
        ask_at: Time,
    },
}

/// The archive and the values, on the agent's disk.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Chart {
    /// Not fetched.
    #[default]
    Missing,
    /// There, with the right digests.
    Ready,
    /// The last try failed; it is tried again.
    Unavailable(String),
}

/// What the checks before touching anything said.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Preflight {
    /// Not made.
    #[default]
    Unknown,
    /// Nothing found.
    Passed,
    /// Names the object and the field.
    Refused(String),
    /// Could not be made; it is tried again.
    Unavailable(String),
}

/// The CRDs of the chart.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Crds {
    /// Not looked at.
    #[default]
    Unknown,
    /// All there and established.
    Applied {
        /// What was changed, for the report.
        notes: Vec<String>,
    },
    /// The API server refused one.
    Failed(String),
    /// Could not be tried; it is tried again.
    Unavailable(String),
}

/// How a helm child of this process ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HelmEnd {
    /// Which operation it was.
    pub marker: Marker,
    /// Helm's words; `None` is success.
    pub error: Option<String>,
}

/// The objects of the release.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HealthSeen {
    /// Helm's revision whose manifest was looked at; other revisions' health says nothing.
    pub revision: u32,
    /// Whether every object is ready.
    pub healthy: bool,
    /// How long without a break, by the agent's monotonic clock.
    pub healthy_for: Span,
    /// What is not ready, or that all is.
    pub message: String,
}

/// All that [`super::next`] knows besides the entry.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Observed {
    /// Where the agent itself lives.
    pub own_namespace: Option<Namespace>,
    /// Helm's history, ascending; `None` when it was not read since helm last ran. A shell reads it anew after each
    /// [`super::Step::Wait`].
    pub history: Option<Vec<HistoryEntry>>,
    /// Whether this pod holds the agent's Lease.
    pub holds_lease: bool,
    /// Whether a predecessor has had time to stop: this pod itself saw the Lease unrenewed for its duration and a margin,
    /// or the predecessor released it.
    pub predecessor_gone: bool,
    /// Whether a helm child of this process runs for the release.
    pub helm_running: bool,
    /// How the last one ended, as long as its operation is in the ledger.
    pub helm_end: Option<HelmEnd>,
    /// The start permit for this generation.
    pub permit: Permit,
    /// For this generation.
    pub chart: Chart,
    /// For this generation.
    pub preflight: Preflight,
    /// For this generation.
    pub crds: Crds,
    /// The newest look at the objects.
    pub health: Option<HealthSeen>,
}
