//! What a person may do to a rollout. Each answers the changes, or why not and what to do instead.

use super::Change;
use crate::id::{ClusterName, Digest};
use crate::rollout::{Approval, Back, Carried, Forward, Head, Outcome, Scope, Snapshot, State, Turn};
use crate::strategy::Wave;
use crate::time::{Span, Time};
use std::collections::BTreeMap;

/// Why a command does not fit where the rollout stands.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{why}")]
pub struct Refusal {
    /// What stands in the way.
    pub why: String,
    /// What would help; empty where nothing would.
    pub next: String,
}

type Answer = Result<Vec<Change>, Refusal>;

fn refuse(why: impl Into<String>, next: impl Into<String>) -> Answer {
    Err(Refusal { why: why.into(), next: next.into() })
}

/// No new cluster starts; what runs finishes.
pub fn pause(head: &Head, by: &str, why: &str) -> Answer {
    let back = match &head.state {
        State::Running => None,
        State::RollingBack { scope, .. } => Some(*scope),
        State::Paused { by, .. } => return refuse(format!("{} is paused already, by {by}", head.id), ""),
        State::Halted { .. } => return refuse(format!("{} is halted; nothing starts", head.id), ""),
        State::Ended { .. } => return refuse(format!("{} has ended", head.id), ""),
    };
    Ok(vec![Change::SetState(State::Paused { by: by.into(), why: why.into(), back })])
}

/// Goes on after a pause, or after a halt whose cause was dealt with.
pub fn resume(head: &Head) -> Answer {
    match &head.state {
        State::Paused { back: None, .. } => Ok(vec![Change::SetState(State::Running)]),
        State::Paused { back: Some(scope), why, .. } => Ok(vec![Change::SetState(State::RollingBack { scope: *scope, why: why.clone() })]),
        State::Halted { .. } => Ok(vec![Change::SetState(State::Running)]),
        State::Running | State::RollingBack { .. } => refuse(format!("{} is not paused", head.id), ""),
        State::Ended { .. } => refuse(format!("{} has ended", head.id), ""),
    }
}

/// A person's word for one wave (the open one unless named), bound to the plan hash that they saw. It can be given from the
/// moment at which every cluster of the wave has ended its turn, also while it still bakes: before, there is nothing to judge.
#[expect(clippy::too_many_arguments, reason = "a command has who, what and when; a struct would only name them again")]
pub fn approve(
    snapshot: &Snapshot,
    head: &Head,
    turns: &BTreeMap<ClusterName, Turn>,
    wave: Option<&str>,
    seen: Option<&Digest>,
    by: &str,
    expires_in: Option<Span>,
    now: Time,
) -> Answer {
    if head.state.is_ended() {
        return refuse(format!("{} has ended", head.id), "");
    }
    if seen.is_some_and(|seen| *seen != head.plan_hash) {
        return refuse(format!("the plan hash of {} is {}", head.id, head.plan_hash), format!("groundswell rollout show {}", head.id));
    }
    let status = format!("groundswell rollout status {}", head.id);
    let (index, wave) = match find_wave(snapshot, head, wave) {
        Ok(found) => found,
        Err(why) => return refuse(why, status),
    };
    if !wave.approval {
        return refuse(format!("wave {} asks for no approval", wave.name), "");
    }
    if index < head.wave {
        return refuse(format!("wave {} is promoted already", wave.name), "");
    }
    let is_at_it =
        |name: &&ClusterName| turns.get(*name).is_none_or(|turn| matches!(turn.forward, Forward::Waiting | Forward::InFlight { .. }));
    let at_it = snapshot.wave_members(index).filter(is_at_it).count();
    if index > head.wave || at_it > 0 {
        return refuse(
            format!("wave {} does not await approval yet: {at_it} of its clusters have not ended their turn", wave.name),
            status,
        );
    }
    let approval = Approval { by: by.into(), at: now, plan_hash: head.plan_hash.clone(), expires_at: expires_in.map(|span| now + span) };
    Ok(vec![Change::Approve(index, approval)])
}

fn find_wave<'s>(snapshot: &'s Snapshot, head: &Head, name: Option<&str>) -> Result<(usize, &'s Wave), String> {
    let waves = &snapshot.strategy.waves;
    match name {
        None => waves.get(head.wave).map(|wave| (head.wave, wave)).ok_or_else(|| "every wave is promoted".into()),
        Some(name) => {
            waves.iter().enumerate().find(|(_, wave)| wave.name.as_str() == name).ok_or_else(|| format!("there is no wave {name:?}"))
        }
    }
}

/// Gives a cluster another try. Leaves a halt; its wave is proved anew.
pub fn retry(snapshot: &Snapshot, head: &Head, turns: &BTreeMap<ClusterName, Turn>, cluster: &ClusterName) -> Answer {
    let (member, turn) = standing(snapshot, head, turns, cluster)?;
    if is_half_back(turns) {
        return back_again(head, cluster, &turn, Back::None);
    }
    match turn.forward {
        Forward::Failed { .. } | Forward::TimedOut { .. } | Forward::Skipped { .. } | Forward::Owed { .. } => {}
        Forward::Waiting => return refuse(format!("{cluster} has not had its turn yet"), ""),
        Forward::InFlight { .. } => return refuse(format!("{cluster} is at it"), ""),
        Forward::Succeeded { .. } => return refuse(format!("{cluster} has succeeded"), ""),
    }
    let mut changes = vec![Change::Forward(cluster.clone(), Forward::Waiting), Change::Back(cluster.clone(), Back::None)];
    if member < head.wave {
        changes.push(Change::Reopen(member));
    }
    changes.extend(leave_halt(head));
    Ok(changes)
}

/// Leaves a cluster out. Leaves a halt.
pub fn skip(
    snapshot: &Snapshot,
    head: &Head,
    turns: &BTreeMap<ClusterName, Turn>,
    cluster: &ClusterName,
    by: &str,
    why: &str,
    now: Time,
) -> Answer {
    let (_, turn) = standing(snapshot, head, turns, cluster)?;
    if is_half_back(turns) {
        return back_again(head, cluster, &turn, Back::Left { why: format!("skipped by {by}: {why}") });
    }
    match turn.forward {
        Forward::Succeeded { .. } => return refuse(format!("{cluster} has succeeded"), ""),
        Forward::Skipped { .. } => return refuse(format!("{cluster} is skipped already"), ""),
        Forward::InFlight { .. } => {
            return refuse(format!("{cluster} is in flight, and cannot be called back"), "wait for its end, or undo");
        }
        _ => {}
    }
    let skipped = Forward::Skipped { by: by.into(), why: why.into(), at: now };
    let mut changes = vec![Change::Forward(cluster.clone(), skipped)];
    changes.extend(leave_halt(head));
    Ok(changes)
}

/// Whether a rollback of all clusters was begun; then the way on is back.
fn is_half_back(turns: &BTreeMap<ClusterName, Turn>) -> bool {
    turns.values().any(Turn::is_taken_back)
}

/// Deals with a cluster whose way back failed, and goes on going back.
fn back_again(head: &Head, cluster: &ClusterName, turn: &Turn, back: Back) -> Answer {
    if !matches!(turn.back, Back::Failed { .. }) {
        return refuse(
            format!("{} is half taken back, and {cluster} is not what stopped that", head.id),
            "retry or skip a cluster whose way back failed, or abort",
        );
    }
    let why = format!("{cluster} was dealt with");
    Ok(vec![Change::Back(cluster.clone(), back), Change::SetState(State::RollingBack { scope: Scope::All, why })])
}

fn leave_halt(head: &Head) -> Option<Change> {
    matches!(head.state, State::Halted { .. }).then_some(Change::SetState(State::Running))
}

fn standing(
    snapshot: &Snapshot,
    head: &Head,
    turns: &BTreeMap<ClusterName, Turn>,
    cluster: &ClusterName,
) -> Result<(usize, Turn), Refusal> {
    let refuse = |why: String| Err(Refusal { why, next: format!("groundswell rollout status {}", head.id) });
    let Some(member) = snapshot.members.get(cluster) else {
        return refuse(format!("{cluster} is no member of {}", head.id));
    };
    match head.state {
        State::Ended { .. } => return refuse(format!("{} has ended", head.id)),
        State::RollingBack { .. } | State::Paused { back: Some(_), .. } => return refuse(format!("{} is going back", head.id)),
        _ => {}
    }
    Ok((member.wave, turns.get(cluster).cloned().unwrap_or_default()))
}

/// Ends the rollout where it stands; clusters keep what they have.
pub fn abort(head: &Head, by: &str, why: &str, now: Time) -> Answer {
    if head.state.is_ended() {
        return refuse(format!("{} has ended", head.id), "");
    }
    let why = format!("aborted by {by}: {why}");
    Ok(vec![Change::SetState(State::Ended { outcome: Outcome::Aborted, at: now, why })])
}

/// Takes every cluster back that the rollout changed. Works on an ended rollout too, while it is the newest of its release
/// (which the caller checks).
pub fn undo(head: &Head, by: &str, why: &str) -> Answer {
    match &head.state {
        State::Ended { outcome: Outcome::RolledBack, .. } => return refuse(format!("{} is rolled back already", head.id), ""),
        State::Ended { outcome: Outcome::Superseded, .. } => {
            return refuse(format!("{} was superseded; undo the rollout that took over", head.id), "");
        }
        State::RollingBack { scope: Scope::All, .. } => return refuse(format!("{} is going back already", head.id), ""),
        _ => {}
    }
    let why = if why.is_empty() { format!("undone by {by}") } else { format!("undone by {by}: {why}") };
    Ok(vec![Change::SetState(State::RollingBack { scope: Scope::All, why })])
}

/// Ends a rollout because a newer one takes over, and says what the newer one begins with: work in flight is carried.
pub fn supersede(turns: &BTreeMap<ClusterName, Turn>, by: &crate::id::RolloutId, now: Time) -> (Change, BTreeMap<ClusterName, Turn>) {
    let ended = State::Ended { outcome: Outcome::Superseded, at: now, why: format!("superseded by {by}") };
    let carried = turns.iter().filter_map(|(name, turn)| {
        let generation = turn.in_flight()?;
        let until = match (&turn.back, &turn.forward, &turn.carried) {
            (Back::InFlight { until, .. }, _, _) => *until,
            (_, Forward::InFlight { until, .. }, _) => *until,
            (_, _, Some(carried)) => carried.until,
            _ => return None,
        };
        Some((name.clone(), Turn { carried: Some(Carried { generation, until }), ..Turn::default() }))
    });
    (Change::SetState(ended), carried.collect())
}
