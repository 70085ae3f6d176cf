//! Rollback: reverse wave order, under the same limits, to each cluster's own last good state.

use super::Change;
use super::draft::Draft;
use super::promote::debt_of;
use crate::assignment::{Direction, Target};
use crate::id::ClusterName;
use crate::rollout::{Back, Outcome, Scope, State};
use crate::strategy::OnFailedInstall;

pub(super) fn go(draft: &mut Draft<'_>, scope: Scope, why: &str) {
    for wave in (0..draft.snapshot().strategy.waves.len()).rev() {
        if !wave_is_back(draft, wave, scope) {
            return;
        }
    }
    finish(draft, scope, why);
}

/// Whether clusters that had succeeded, or were on their way, were taken back: only a rollback of all does that.
pub(super) fn is_half_done(draft: &Draft<'_>) -> bool {
    draft.snapshot().members.keys().any(|name| draft.turn(name).is_taken_back())
}

/// Takes one wave back; true when all of it has ended, so that the wave before it may begin.
fn wave_is_back(draft: &mut Draft<'_>, index: usize, scope: Scope) -> bool {
    let Some(wave) = draft.snapshot().strategy.waves.get(index) else { return true };
    let limit = wave.max_concurrent.max_concurrent(draft.members_of(index).count());
    let members: Vec<ClusterName> = draft.members_of(index).map(|(name, _)| name.clone()).collect();
    let mut is_back = true;
    // Counted once: each count looks at every member.
    let mut in_flight = draft.in_flight();
    for name in members {
        match draft.turn(&name).back {
            Back::None if is_in_scope(draft, &name, scope) => {}
            Back::InFlight { .. } => {
                is_back = false;
                continue;
            }
            _ => continue,
        }
        if draft.is_full() {
            return false;
        }
        is_back &= begin(draft, &name, limit, &mut in_flight);
    }
    if !is_back {
        draft.wait(wave.name.as_str(), format!("going back, {in_flight} in flight, maxConcurrent is {}", wave.max_concurrent), None);
    }
    is_back
}

fn is_in_scope(draft: &Draft<'_>, name: &ClusterName, scope: Scope) -> bool {
    let turn = draft.turn(name);
    turn.was_changed() && (scope == Scope::All || turn.is_failure())
}

/// Gives one cluster its way back; true when it has none and so has ended already.
fn begin(draft: &mut Draft<'_>, name: &ClusterName, limit: usize, in_flight: &mut usize) -> bool {
    let at = draft.now;
    if !draft.is_member(name) {
        draft.push(Change::Back(name.clone(), Back::Left { why: "left the fleet".into() }));
        return true;
    }
    let Some(target) = way_back(draft, name) else {
        cut_short(draft, name);
        let why = "first install: there is no last good state".to_owned();
        draft.push(Change::Back(name.clone(), Back::Left { why }));
        return true;
    };
    if let Some(since) = draft.absent_since(name) {
        let is_sure = matches!(draft.facts(name).map(|facts| facts.presence), Some(super::Presence::Away { .. }));
        if !is_sure && at.since(since) < draft.snapshot().strategy.each.offline_after {
            draft.wait(name.as_str(), "not heard of since the server started; goes back when it is".into(), None);
            return false;
        }
        let why = "away as the rollback reached it; owes the old version".to_owned();
        let debt = debt_of(draft, name, target, why.clone(), at);
        cut_short(draft, name);
        draft.push(Change::Owe(name.clone(), debt));
        draft.push(Change::Back(name.clone(), Back::Owed { why, at }));
        return true;
    }
    // One that is in flight holds its slot already; turning it round takes none.
    let holds_a_slot = draft.turn(name).in_flight().is_some();
    if !holds_a_slot && (*in_flight >= limit || *in_flight >= draft.view().fleet_room) {
        return false;
    }
    *in_flight += usize::from(!holds_a_slot);
    draft.issue(name, Direction::Back, target);
    false
}

fn way_back(draft: &Draft<'_>, name: &ClusterName) -> Option<Target> {
    let turn = draft.turn(name);
    match &turn.previous {
        Some(previous) => Some(previous.target()),
        None if turn.is_failure() && draft.snapshot().strategy.on_failed_install == OnFailedInstall::Uninstall => Some(Target::Uninstalled),
        None => None,
    }
}

/// A way forward that is still in flight ends here, or its slot would never be free.
fn cut_short(draft: &mut Draft<'_>, name: &ClusterName) {
    if let crate::rollout::Forward::InFlight { generation, .. } = draft.turn(name).forward {
        let forward = crate::rollout::Forward::Failed { generation, at: draft.now, why: "not finished when the rollback began".into() };
        draft.push(Change::Forward(name.clone(), forward));
    }
}

fn finish(draft: &mut Draft<'_>, scope: Scope, why: &str) {
    let failed: Vec<&str> = draft
        .snapshot()
        .members
        .keys()
        .filter(|name| matches!(draft.turn(name).back, Back::Failed { .. }))
        .map(ClusterName::as_str)
        .collect();
    let state = if !failed.is_empty() {
        State::Halted { why: format!("{why}; and the rollback failed on {}", failed.join(", ")) }
    } else if scope == Scope::Failed {
        State::Halted { why: format!("{why}; the failed clusters were taken back") }
    } else {
        State::Ended { outcome: Outcome::RolledBack, at: draft.now, why: why.to_owned() }
    };
    draft.push(Change::SetState(state));
}
