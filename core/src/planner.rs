//! The planner: facts and a time in, changes and reasons to wait out (DESIGN 3, 4).
//!
//! One round reads top down in [`plan`]. Each step either pushes [`Change`]s, which the shell commits in one transaction, or
//! [`Wait`]s, which the operator reads. Planning again on the result of a round at the same time changes nothing, once
//! [`Plan::more`] is false.

mod back;
mod budget;
mod change;
pub mod command;
mod debt;
mod draft;
mod forward;
mod promote;
mod settle;

pub use change::{Change, apply};
pub use debt::{DebtView, pay_debts};

#[cfg(test)]
mod tests;

use crate::id::{ClusterName, Epoch, Generation, RolloutId};
use crate::report::Phase;
use crate::rollout::{ClusterRelease, Head, Scope, Snapshot, State, Turn};
use crate::strategy::OnFailure;
use crate::time::{Span, Time};
use draft::Draft;
use std::collections::BTreeMap;

/// Whether a cluster's agent holds a session.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Presence {
    /// It does.
    Connected,
    /// It did, until then.
    Away {
        /// When it was last heard.
        since: Time,
    },
    /// This server has not heard of it since it started.
    Unknown {
        /// When this server started.
        since: Time,
    },
}

/// The newest that is known of a release's health, from heartbeats and reports; held in memory only.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LiveHealth {
    /// What it is about.
    pub rollout: RolloutId,
    /// What it is about.
    pub generation: Generation,
    /// How it stands.
    pub phase: Phase,
    /// Since when it is healthy, by the server's clock: time of receipt less the agent's own `healthyFor`.
    pub healthy_since: Option<Time>,
    /// When the server first saw this phase.
    pub changed_at: Time,
    /// Helm's revision.
    pub helm_revision: Option<u32>,
    /// When it was heard.
    pub received_at: Time,
}

/// What is known of one cluster apart from what is stored about its release.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClusterFacts {
    /// Whether its agent is there.
    pub presence: Presence,
    /// Whether it still belongs to the fleet (not revoked).
    pub member: bool,
    /// The newest of heartbeat and report.
    pub live: Option<LiveHealth>,
}

/// All that a round looks at.
#[derive(Clone, Copy, Debug)]
pub struct View<'a> {
    /// What was decided at submit.
    pub snapshot: &'a Snapshot,
    /// Where the rollout stands.
    pub head: &'a Head,
    /// Where its clusters stand; one that is not in it waits.
    pub turns: &'a BTreeMap<ClusterName, Turn>,
    /// What is known of the clusters.
    pub clusters: &'a BTreeMap<ClusterName, ClusterFacts>,
    /// What is stored about the release in each cluster.
    pub releases: &'a BTreeMap<ClusterName, ClusterRelease>,
    /// `fleet.maxConcurrent` less what is in flight outside this rollout.
    pub fleet_room: usize,
    /// How many clusters this round may touch: each costs two records and an audit record of one transaction.
    pub max_assignments: usize,
    /// Older health than this proves nothing.
    pub stale_after: Span,
    /// Who plans.
    pub epoch: &'a Epoch,
}

/// Something that does not go on, in words that the operator reads.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Wait {
    /// What waits: the rollout, a wave or a cluster.
    pub subject: String,
    /// For what, with the numbers.
    pub why: String,
    /// When it ends by itself, where that is known.
    pub until: Option<Time>,
    /// Who or what can end it.
    pub who: Option<String>,
}

/// What a round decided.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[must_use = "a plan that is not committed did not happen"]
pub struct Plan {
    /// To be committed together.
    pub changes: Vec<Change>,
    /// Why the rest does not go on.
    pub waits: Vec<Wait>,
    /// Whether another round should follow at once.
    pub more: bool,
}

/// Decides what happens next. Pure: the same view and time give the same plan.
pub fn plan(view: &View<'_>, now: Time) -> Plan {
    let mut draft = Draft::new(view, now);
    if !view.head.state.is_ended() {
        settle::carried(&mut draft);
        settle::forward(&mut draft);
        settle::back(&mut draft);
        if !draft.is_full() {
            go_on(&mut draft);
        }
    }
    draft.into_plan()
}

fn go_on(draft: &mut Draft<'_>) {
    match draft.head().state.clone() {
        State::Ended { .. } => {}
        State::Paused { by, why, .. } => {
            draft.wait_for("rollout", format!("paused by {by}: {why}"), None, Some("resume, undo or abort".into()))
        }
        State::Halted { why } => draft.wait_for("rollout", format!("halted: {why}"), None, Some("retry, skip, undo or abort".into())),
        State::RollingBack { scope, why } => back::go(draft, scope, &why),
        State::Running => run(draft),
    }
}

/// The order of a rollout's decisions, on one screen.
fn run(draft: &mut Draft<'_>) {
    if back::is_half_done(draft) {
        // A rollback that stopped half-way was left by `resume`, `retry` or `skip`: clusters that are back have the old version,
        // and nothing may be promoted on them.
        let why = "the rollback that was begun is finished first".to_owned();
        draft.push(Change::SetState(State::RollingBack { scope: Scope::All, why }));
        return draft.more();
    }
    if let Some(why) = budget::exceeded(draft) {
        return stop(draft, why);
    }
    forward::owe_the_absent(draft);
    if draft.is_full() || promote::try_promote(draft) {
        return;
    }
    forward::assign(draft);
}

fn stop(draft: &mut Draft<'_>, why: String) {
    let state = match draft.snapshot().strategy.on_failure {
        OnFailure::Halt => State::Halted { why },
        OnFailure::RollbackFailed => State::RollingBack { scope: Scope::Failed, why },
        OnFailure::RollbackAll => State::RollingBack { scope: Scope::All, why },
    };
    draft.push(Change::SetState(state));
    draft.more();
}
