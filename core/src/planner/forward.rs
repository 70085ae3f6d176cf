//! Who goes next in the open wave.

use super::Change;
use super::budget::is_sick;
use super::draft::Draft;
use crate::assignment::Direction;
use crate::id::ClusterName;
use crate::report::Phase;
use crate::rollout::Forward;
use std::collections::BTreeMap;

/// Clusters of the open wave that have been away for longer than `offlineAfter` before their turn are owed.
pub(super) fn owe_the_absent(draft: &mut Draft<'_>) {
    let offline_after = draft.snapshot().strategy.each.offline_after;
    for (name, _) in draft.members_of(draft.head().wave) {
        let turn = draft.turn(name);
        if turn.forward != Forward::Waiting || turn.carried.is_some() {
            continue;
        }
        let Some(since) = draft.absent_since(name) else { continue };
        if draft.now.since(since) < offline_after {
            draft.wait(
                name.as_str(),
                format!("away for {}; owed after {offline_after}", draft.now.since(since)),
                Some(since + offline_after),
            );
            continue;
        }
        if draft.is_full() {
            return;
        }
        let why = format!("away for longer than {offline_after}");
        draft.push(Change::Forward(name.clone(), Forward::Owed { why, at: draft.now }));
    }
}

/// Gives assignments to clusters of the open wave, as many as every limit bears.
pub(super) fn assign(draft: &mut Draft<'_>) {
    let Some(wave) = draft.snapshot().strategy.waves.get(draft.head().wave) else { return };
    if let Some(sick) = first_sick_of_earlier_waves(draft) {
        let who = Some("it, by becoming healthy; or undo".into());
        return draft.wait_for(wave.name.as_str(), format!("{sick} of an earlier wave is unhealthy; nothing new starts"), None, who);
    }
    let candidates: Vec<ClusterName> = candidates(draft);
    if candidates.is_empty() {
        return;
    }
    let size = draft.members_of(draft.head().wave).count();
    let limit = wave.max_concurrent.max_concurrent(size);
    // By wave: one of an earlier wave that was owed and is back counts in its own.
    let mut available: BTreeMap<usize, usize> = BTreeMap::new();
    let mut left = candidates.len();
    // Counted once: each count looks at every member.
    let mut in_flight = draft.in_flight();
    for name in candidates {
        if in_flight >= limit {
            return draft.wait(
                wave.name.as_str(),
                format!("{left} wait for a slot: {in_flight} in flight, maxConcurrent is {} ({limit})", wave.max_concurrent),
                None,
            );
        }
        if in_flight >= draft.view().fleet_room {
            return draft.wait(wave.name.as_str(), format!("{left} wait for other rollouts: fleet.maxConcurrent is reached"), None);
        }
        let Some(member) = draft.snapshot().members.get(&name) else { continue };
        let Some(own) = draft.snapshot().strategy.waves.get(member.wave) else { continue };
        let size = draft.members_of(member.wave).count();
        let floor = own.min_available.min_available(size);
        let count = || draft.members_of(member.wave).filter(|(name, _)| is_available(draft, name)).count();
        let healthy = *available.entry(member.wave).or_insert_with(count);
        let was_available = is_available(draft, &name);
        if was_available && healthy <= floor {
            draft.wait(
                name.as_str(),
                format!("{healthy} of {size} clusters are healthy, minAvailable is {} ({floor})", own.min_available),
                None,
            );
            continue;
        }
        if draft.is_full() {
            return;
        }
        draft.issue(&name, Direction::Forward, draft.snapshot().target(member));
        available.insert(member.wave, healthy - usize::from(was_available));
        left -= 1;
        in_flight += 1;
    }
}

/// Clusters whose turn it is: of the open wave in name order, then those of earlier waves that were owed and are back.
fn candidates(draft: &Draft<'_>) -> Vec<ClusterName> {
    let open = draft.head().wave;
    let ready = |name: &ClusterName| draft.turn(name).carried.is_none() && draft.is_member(name) && draft.is_connected(name);
    let waiting = draft.members_of(open).map(|(name, _)| name).filter(|name| draft.turn(name).forward == Forward::Waiting);
    let back_again = draft.snapshot().members.iter().filter(|(_, member)| member.wave <= open).map(|(name, _)| name);
    let back_again = back_again.filter(|name| matches!(draft.turn(name).forward, Forward::Owed { .. }));
    waiting.chain(back_again).filter(|name| ready(name)).cloned().collect()
}

fn first_sick_of_earlier_waves<'a>(draft: &Draft<'a>) -> Option<&'a ClusterName> {
    let open = draft.head().wave;
    let earlier = draft.snapshot().members.iter().filter(|(_, member)| member.wave < open).map(|(name, _)| name);
    earlier
        .filter(|name| matches!(draft.turn(name).forward, Forward::Succeeded { .. }))
        .find(|name| draft.fresh_health(name).is_some_and(|live| is_sick(live.phase)))
}

/// Healthy now, and not about to be disturbed.
fn is_available(draft: &Draft<'_>, name: &ClusterName) -> bool {
    draft.turn(name).in_flight().is_none()
        && draft.is_connected(name)
        && draft.fresh_health(name).is_some_and(|live| live.phase == Phase::Healthy)
}
