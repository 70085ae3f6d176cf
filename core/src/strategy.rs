//! How a rollout goes through its clusters. Unsaid means safe: [`Each::default`].

use crate::id::WaveName;
use crate::limit::Limit;
use crate::selector::Selector;
use crate::time::Span;
use serde::{Deserialize, Serialize};

/// Waves in their order, and the rules for each cluster.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Strategy {
    /// The waves; the first is the canary. A cluster goes with the first that matches it.
    pub waves: Vec<Wave>,
    /// Rules that hold for each cluster.
    pub each: Each,
    /// What is done when a failure budget is exceeded.
    pub on_failure: OnFailure,
    /// What is done with a first install that failed.
    pub on_failed_install: OnFailedInstall,
    /// What is done with clusters that the release selects and no wave takes.
    pub unmatched: Unmatched,
}

/// Clusters that go together.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Wave {
    /// Unique in its strategy.
    pub name: WaveName,
    /// Which clusters, of those that no earlier wave took.
    pub selector: Selector,
    /// How many may be in flight at once.
    pub max_concurrent: Limit,
    /// How many may fail or time out before the rollout stops.
    pub failure_budget: Limit,
    /// How many clusters of the wave must stay healthy.
    pub min_available: Limit,
    /// How long the whole wave must have been healthy before the next opens.
    pub bake: Span,
    /// Whether a person must approve before the next wave opens.
    pub approval: bool,
    /// Whether the wave may have no cluster.
    pub may_be_empty: bool,
    /// Whether the wave may be promoted while clusters of it are owed. Only asked of the first wave.
    pub may_be_owed: bool,
}

/// Rules for each cluster of a rollout.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Each {
    /// From the assignment to a healthy report; past it the cluster has timed out.
    pub deadline: Span,
    /// How long a cluster must have been healthy to count as done (gate `ready`).
    pub ready_for: Span,
    /// How long a cluster may be away before its turn until it is owed.
    pub offline_after: Span,
    /// How long a cluster of an earlier wave may be unhealthy before it counts to the budget. New assignments are
    /// held from the first moment; this only keeps one evicted pod from taking a fleet back.
    pub relapse_after: Span,
}

impl Default for Each {
    fn default() -> Self {
        Self {
            deadline: Span::minutes(15),
            ready_for: Span::seconds(10),
            offline_after: Span::minutes(10),
            relapse_after: Span::seconds(30),
        }
    }
}

/// What happens when a budget is exceeded.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum OnFailure {
    /// Stop and wait for a person.
    Halt,
    /// Take the failed clusters back, then wait for a person.
    RollbackFailed,
    /// Take every cluster back that this rollout changed.
    #[default]
    RollbackAll,
}

/// What happens to a first install that failed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum OnFailedInstall {
    /// Left as it is, for a person to look at.
    #[default]
    Keep,
    /// Uninstalled.
    Uninstall,
}

/// What happens to selected clusters that no wave takes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum Unmatched {
    /// The rollout is refused at submit.
    #[default]
    Refuse,
    /// They go with the last wave.
    LastWave,
}

/// The strategy of a release that names none: one wave of all clusters, one at a time, no failure forgiven, a bake of a minute.
impl Default for Strategy {
    fn default() -> Self {
        Self {
            waves: Vec::new(),
            each: Each::default(),
            on_failure: OnFailure::default(),
            on_failed_install: OnFailedInstall::default(),
            unmatched: Unmatched::default(),
        }
    }
}

impl Wave {
    /// A wave with the safe values: one at a time, budget 0, a bake of a minute, no approval.
    pub fn safe(name: WaveName, selector: Selector) -> Self {
        Self {
            name,
            selector,
            max_concurrent: Limit::Count(1),
            failure_budget: Limit::Count(0),
            min_available: Limit::None,
            bake: Span::minutes(1),
            approval: false,
            may_be_empty: false,
            may_be_owed: false,
        }
    }
}
