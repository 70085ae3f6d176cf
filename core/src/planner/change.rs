//! What a round or a command changes, and the one function that carries it out on the records.

use crate::assignment::{Assignment, Direction, LastGood};
use crate::id::{ClusterName, Generation};
use crate::rollout::{Approval, Back, ClusterRelease, Debt, Forward, Head, Promotion, State, Turn};
use std::collections::BTreeMap;

/// One change of one record or two.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Change {
    /// The cluster gets an assignment; its turn is in flight.
    Issue(Assignment),
    /// The cluster's way forward ended or began anew.
    Forward(ClusterName, Forward),
    /// The cluster's way back ended.
    Back(ClusterName, Back),
    /// Work of a superseded rollout ended.
    CarriedEnded(ClusterName),
    /// What the cluster had before this rollout touched it became known (adoption).
    Previous(ClusterName, LastGood),
    /// The state that the cluster can be taken back to.
    LastGood(ClusterName, LastGood),
    /// The release is gone from the cluster; there is nothing to go back to.
    NoLastGood(ClusterName),
    /// The cluster is owed something from now on, or the debt changed.
    Owe(ClusterName, Debt),
    /// The debt is paid or forgiven.
    Settled(ClusterName),
    /// A wave was promoted; the next is open.
    Promote(Promotion),
    /// A wave that was promoted is open again, because one of its clusters is tried again.
    Reopen(usize),
    /// A person's approval.
    Approve(usize, Approval),
    /// Where the rollout stands.
    SetState(State),
}

impl Change {
    /// The cluster that it touches, if it is about one.
    pub fn cluster(&self) -> Option<&ClusterName> {
        match self {
            Self::Issue(assignment) => Some(&assignment.cluster),
            Self::Forward(name, _)
            | Self::Back(name, _)
            | Self::CarriedEnded(name)
            | Self::Previous(name, _)
            | Self::LastGood(name, _)
            | Self::NoLastGood(name)
            | Self::Owe(name, _)
            | Self::Settled(name) => Some(name),
            Self::Promote(_) | Self::Reopen(_) | Self::Approve(..) | Self::SetState(_) => None,
        }
    }
}

/// Carries the changes out. The shells diff the records before and after, the planner uses it on its draft.
pub fn apply(
    changes: &[Change],
    head: &mut Head,
    turns: &mut BTreeMap<ClusterName, Turn>,
    releases: &mut BTreeMap<ClusterName, ClusterRelease>,
) {
    for change in changes {
        match change.cluster() {
            None => on_head(change, head),
            Some(name) => {
                let mut turn = turns.get(name).cloned().unwrap_or_default();
                let mut release = releases.get(name).cloned().unwrap_or_default();
                on_cluster(change, &mut turn, &mut release);
                if touches_turn(change) {
                    turns.insert(name.clone(), turn);
                }
                releases.insert(name.clone(), release);
            }
        }
    }
}

fn touches_turn(change: &Change) -> bool {
    match change {
        Change::Issue(assignment) => assignment.direction != Direction::Debt,
        Change::Forward(..) | Change::Back(..) | Change::CarriedEnded(_) | Change::Previous(..) => true,
        _ => false,
    }
}

pub(super) fn on_head(change: &Change, head: &mut Head) {
    match change {
        Change::SetState(state) => head.state = state.clone(),
        Change::Promote(promotion) => {
            head.wave = promotion.wave + 1;
            head.promotions.push(promotion.clone());
        }
        Change::Reopen(wave) => head.wave = head.wave.min(*wave),
        Change::Approve(wave, approval) => {
            head.approvals.insert(*wave, approval.clone());
        }
        _ => {}
    }
}

pub(super) fn on_cluster(change: &Change, turn: &mut Turn, release: &mut ClusterRelease) {
    match change {
        Change::Issue(assignment) => issue(assignment, turn, release),
        Change::Forward(_, forward) => turn.forward = forward.clone(),
        Change::Back(_, back) => turn.back = back.clone(),
        Change::CarriedEnded(_) => turn.carried = None,
        Change::Previous(_, previous) => {
            turn.previous = Some(previous.clone());
            release.last_good.get_or_insert_with(|| previous.clone());
        }
        Change::LastGood(_, last_good) => release.last_good = Some(last_good.clone()),
        Change::NoLastGood(_) => release.last_good = None,
        Change::Owe(_, debt) => release.debt = Some(debt.clone()),
        Change::Settled(_) => release.debt = None,
        Change::Promote(_) | Change::Reopen(_) | Change::Approve(..) | Change::SetState(_) => {}
    }
}

fn issue(assignment: &Assignment, turn: &mut Turn, release: &mut ClusterRelease) {
    let (generation, since, until) = (assignment.generation, assignment.issued_at, assignment.ends_at());
    match assignment.direction {
        Direction::Forward => {
            if turn.attempts == 0 {
                turn.previous = release.last_good.clone();
            }
            turn.attempts += 1;
            turn.forward = Forward::InFlight { generation, since, until };
            turn.back = Back::None;
            turn.carried = None;
            // A newer version pays whatever was owed: debts collapse to the newest.
            release.debt = None;
        }
        Direction::Back => {
            if let Forward::InFlight { generation, .. } = turn.forward {
                turn.forward = overtaken(generation, assignment);
            }
            turn.back = Back::InFlight { generation, since, until };
            release.debt = None;
        }
        Direction::Debt => {
            if let Some(debt) = &mut release.debt {
                debt.paying = Some(generation);
                debt.order.issued_at = since;
                debt.order.generation = generation;
            }
        }
    }
    release.generation = generation;
    release.assignment = Some(assignment.clone());
}

fn overtaken(generation: Generation, by: &Assignment) -> Forward {
    Forward::Failed { generation, at: by.issued_at, why: "not finished when the rollback began".into() }
}
