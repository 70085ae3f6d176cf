//! A rollout: an immutable snapshot, and its progress.

use crate::assignment::{Assignment, ChartRef, Content, Direction, Drift, LastGood, Target};
use crate::id::{ClusterName, Digest, Generation, Namespace, ReleaseName, RolloutId};
use crate::report::Report;
use crate::strategy::Strategy;
use crate::time::Time;
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};

/// What a rollout is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Purpose {
    /// Brings a chart and values.
    Apply,
    /// Takes the release away, by tombstones.
    Uninstall,
    /// Lets go of the release and leaves its objects.
    Orphan,
}

/// All that was decided when the rollout was submitted. Never changes (GS-3); the plan hash is over its canonical form.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Snapshot {
    /// `<release>-<number>`.
    pub id: RolloutId,
    /// The release.
    pub release: ReleaseName,
    /// Where it lives in each cluster.
    pub namespace: Namespace,
    /// What it is for.
    pub purpose: Purpose,
    /// The chart; `None` for tombstones.
    pub chart: Option<ChartRef>,
    /// How it goes through the clusters.
    pub strategy: Strategy,
    /// The clusters.
    pub members: BTreeMap<ClusterName, Member>,
    /// What to do about drift.
    pub drift: Drift,
    /// The ServiceAccount that helm runs as.
    pub service_account: Option<String>,
    /// Whether a missing namespace is made.
    pub create_namespace: bool,
    /// Revision of the `Release` document that it was made from.
    pub document_revision: u64,
    /// The rollout that it replaced while that was under way.
    pub supersedes: Option<RolloutId>,
    /// When, by the server's clock.
    pub created_at: Time,
    /// Who submitted it.
    pub created_by: String,
}

/// One cluster of a rollout.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Member {
    /// Index of its wave.
    pub wave: usize,
    /// The values documents laid out for this cluster, in helm's order.
    pub values: Vec<Digest>,
}

impl Snapshot {
    /// The clusters of one wave, in name order.
    pub fn wave_members(&self, wave: usize) -> impl Iterator<Item = &ClusterName> {
        self.members.iter().filter(move |(_, member)| member.wave == wave).map(|(name, _)| name)
    }

    /// What the rollout brings to one member.
    pub fn target(&self, member: &Member) -> Target {
        match (self.purpose, &self.chart) {
            (Purpose::Apply, Some(chart)) => Target::Content(Content { chart: chart.clone(), values: member.values.clone() }),
            (Purpose::Orphan, _) => Target::Orphaned,
            (Purpose::Uninstall, _) | (Purpose::Apply, None) => Target::Uninstalled,
        }
    }
}

/// How a rollout ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Outcome {
    /// Every cluster has it.
    Succeeded,
    /// Every cluster has it but those that are owed or were skipped.
    SucceededWithDebt,
    /// The clusters that it changed were taken back.
    RolledBack,
    /// A newer rollout of the release took over.
    Superseded,
    /// A person ended it.
    Aborted,
}

/// Which clusters a rollback takes back.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Scope {
    /// All that this rollout changed.
    All,
    /// Those that failed; the rollout halts afterwards.
    Failed,
}

/// Where a rollout stands.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum State {
    /// Going forward.
    Running,
    /// Stopped by a person; what runs finishes.
    Paused {
        /// Who.
        by: String,
        /// Why, in their words.
        why: String,
        /// Set when it was going back as it was paused.
        back: Option<Scope>,
    },
    /// Stopped by a failure; a person decides.
    Halted {
        /// What happened.
        why: String,
    },
    /// Going back.
    RollingBack {
        /// Which clusters.
        scope: Scope,
        /// What happened.
        why: String,
    },
    /// Over.
    Ended {
        /// How.
        outcome: Outcome,
        /// When, by the server's clock.
        at: Time,
        /// What led there; empty for a plain success.
        why: String,
    },
}

impl State {
    /// Whether nothing further happens by itself or by `resume`.
    pub fn is_ended(&self) -> bool {
        matches!(self, Self::Ended { .. })
    }
}

/// A person's word that a wave may be promoted; bound to the plan hash.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Approval {
    /// Who.
    pub by: String,
    /// When, by the server's clock.
    pub at: Time,
    /// Of the snapshot that they approved.
    pub plan_hash: Digest,
    /// After which it counts no more.
    pub expires_at: Option<Time>,
}

/// One report that let a wave through.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Evidence {
    /// Whose.
    pub cluster: ClusterName,
    /// What it was about.
    pub generation: Generation,
    /// What is installed.
    pub chart_digest: String,
    /// Helm's revision.
    pub helm_revision: Option<u32>,
    /// Since when it is healthy, by the server's clock.
    pub healthy_since: Time,
    /// When the report was taken.
    pub received_at: Time,
}

/// A wave that was promoted, and why that was right.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Promotion {
    /// Index of the wave.
    pub wave: usize,
    /// When, by the server's clock.
    pub at: Time,
    /// The reports. At most [`MAX_EVIDENCE`] are kept, those with the latest `healthy_since` (they decided).
    pub evidence: Vec<Evidence>,
    /// How many reports there were.
    pub reports: usize,
    /// Who approved, where approval was asked for.
    pub approved_by: Option<String>,
}

/// A head record must stay below the store's 64 KiB: 31 waves × 8 × ~200 bytes is 50 KB.
pub const MAX_EVIDENCE: usize = 8;

/// Progress of a rollout as a whole.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Head {
    /// Which rollout.
    pub id: RolloutId,
    /// Which release.
    pub release: ReleaseName,
    /// SHA-256 of the canonical snapshot; stored, never computed again.
    pub plan_hash: Digest,
    /// Version of the recipe of that hash.
    pub plan_recipe: u32,
    /// Where the snapshot lies: SHA-256 of its stored bytes.
    pub snapshot: Digest,
    /// Where it stands.
    pub state: State,
    /// Index of the wave that is open.
    pub wave: usize,
    /// Approvals by wave.
    pub approvals: BTreeMap<usize, Approval>,
    /// Waves that were promoted.
    pub promotions: Vec<Promotion>,
    /// When it was submitted.
    pub created_at: Time,
}

/// Where one cluster stands in one rollout.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Turn {
    /// Forward.
    pub forward: Forward,
    /// Back.
    pub back: Back,
    /// What it had before this rollout first touched it.
    pub previous: Option<LastGood>,
    /// Work of a superseded rollout that still runs; it holds a slot here.
    pub carried: Option<Carried>,
    /// How often it was assigned, `retry` included.
    pub attempts: u32,
}

/// An assignment of a superseded rollout that has not ended.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Carried {
    /// Its generation.
    pub generation: Generation,
    /// When the server gives up waiting for it.
    pub until: Time,
}

/// A cluster's way forward.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum Forward {
    /// Its turn has not come.
    #[default]
    Waiting,
    /// Assigned and not ended.
    InFlight {
        /// Of the assignment.
        generation: Generation,
        /// When it was issued.
        since: Time,
        /// When it has timed out.
        until: Time,
    },
    /// Has it, and was healthy for long enough.
    Succeeded {
        /// Of the assignment.
        generation: Generation,
        /// When it succeeded.
        at: Time,
        /// When the assignment would have timed out: past it a relapse is a failure.
        until: Time,
    },
    /// Ended badly.
    Failed {
        /// Of the assignment.
        generation: Generation,
        /// When.
        at: Time,
        /// In the agent's words.
        why: String,
    },
    /// No end within the deadline.
    TimedOut {
        /// Of the assignment.
        generation: Generation,
        /// When.
        at: Time,
        /// The last that was heard.
        why: String,
    },
    /// Left out by a person.
    Skipped {
        /// Who.
        by: String,
        /// Why, in their words.
        why: String,
        /// When.
        at: Time,
    },
    /// Left behind on purpose, still owed the version.
    Owed {
        /// Why.
        why: String,
        /// When.
        at: Time,
    },
}

/// A cluster's way back.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum Back {
    /// Nothing to do (yet).
    #[default]
    None,
    /// Assigned and not ended.
    InFlight {
        /// Of the assignment.
        generation: Generation,
        /// When it was issued.
        since: Time,
        /// When it has timed out.
        until: Time,
    },
    /// Back at its last good state, healthy.
    Done {
        /// Of the assignment.
        generation: Generation,
        /// When.
        at: Time,
    },
    /// There is no state to go back to.
    Left {
        /// Why.
        why: String,
    },
    /// Could not be taken back.
    Failed {
        /// Of the assignment.
        generation: Generation,
        /// When.
        at: Time,
        /// In the agent's words.
        why: String,
    },
    /// Away; owes the old version.
    Owed {
        /// Why.
        why: String,
        /// When.
        at: Time,
    },
}

impl Turn {
    /// The generation that is in flight in this rollout or is carried from the one before.
    pub fn in_flight(&self) -> Option<Generation> {
        match (&self.forward, &self.back, &self.carried) {
            (_, Back::InFlight { generation, .. }, _) | (Forward::InFlight { generation, .. }, Back::None, _) => Some(*generation),
            (_, _, Some(carried)) => Some(carried.generation),
            _ => None,
        }
    }

    /// Whether this rollout ever gave the cluster an assignment.
    pub fn was_changed(&self) -> bool {
        self.attempts > 0
    }

    /// Whether it was taken back, or was to be, although it had not failed by itself.
    pub fn is_taken_back(&self) -> bool {
        self.back != Back::None && matches!(self.forward, Forward::Succeeded { .. })
    }

    /// Whether it failed or timed out.
    pub fn is_failure(&self) -> bool {
        matches!(self.forward, Forward::Failed { .. } | Forward::TimedOut { .. })
    }
}

/// A cluster that is owed something outside the rollout that left it behind.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Debt {
    /// The rollout that left it behind, or the last that finished when the cluster joined.
    pub rollout: RolloutId,
    /// What pays it. Its generation, epoch and time of issue are filled in when it is issued.
    pub order: Assignment,
    /// Why it was left behind.
    pub why: String,
    /// Since when.
    pub since: Time,
    /// The generation that pays it, while that is in flight.
    pub paying: Option<Generation>,
    /// Why paying failed; a person decides (`retry`).
    pub failed: Option<String>,
}

/// All that the server keeps of one release in one cluster, across rollouts.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ClusterRelease {
    /// The highest generation ever used (GS-5).
    pub generation: Generation,
    /// What the cluster must have now; `None` before the first.
    pub assignment: Option<Assignment>,
    /// The newest report about the newest generation.
    pub report: Option<Report>,
    /// Where it can be taken back to.
    pub last_good: Option<LastGood>,
    /// What it is owed.
    pub debt: Option<Debt>,
}

impl ClusterRelease {
    /// The report about the assignment that is in force; older ones are history, not facts (GS-10).
    pub fn current_report(&self) -> Option<&Report> {
        let assignment = self.assignment.as_ref()?;
        self.report.as_ref().filter(|report| report.generation == assignment.generation && report.rollout == assignment.rollout)
    }

    /// Whether a report is about the assignment in force and says something that was not said yet (GS-10).
    pub fn is_news(&self, report: &Report) -> bool {
        let Some(assignment) = &self.assignment else { return false };
        if assignment.generation != report.generation || assignment.rollout != report.rollout {
            return false;
        }
        let Some(before) = self.current_report() else { return true };
        if before.incarnation == report.incarnation && report.sequence <= before.sequence {
            return false;
        }
        // Said again after a reconnect: the same but for who says it and when.
        let same = Report {
            incarnation: before.incarnation.clone(),
            sequence: before.sequence,
            healthy_for: before.healthy_for,
            received_at: before.received_at,
            ..report.clone()
        };
        same != *before
    }

    /// Whether the assignment in force belongs to a rollout's way forward.
    pub fn is_forward_of(&self, rollout: &RolloutId) -> bool {
        self.assignment.as_ref().is_some_and(|a| a.rollout == *rollout && a.direction == Direction::Forward)
    }
}

/// Sizes of the waves of a snapshot.
pub fn wave_sizes(snapshot: &Snapshot) -> Vec<usize> {
    let mut sizes = vec![0; snapshot.strategy.waves.len()];
    for member in snapshot.members.values() {
        if let Some(size) = sizes.get_mut(member.wave) {
            *size += 1;
        }
    }
    sizes
}

/// Names of the members, for the frozen-membership check (GS-3).
pub fn member_names(snapshot: &Snapshot) -> BTreeSet<ClusterName> {
    snapshot.members.keys().cloned().collect()
}
