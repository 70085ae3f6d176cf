//! What has ended since the last round.

use super::Change;
use super::draft::Draft;
use crate::assignment::{Assignment, LastGood, Target};
use crate::id::{ClusterName, Generation};
use crate::report::{Phase, Report};
use crate::rollout::{Back, Forward};
use crate::time::Time;

/// How an assignment ended, read from the facts.
pub(super) enum End {
    Good,
    Bad(String),
    TimedOut(String),
}

/// `None` while it runs. Only the report about exactly this generation counts.
pub(super) fn end_of(draft: &Draft<'_>, name: &ClusterName, generation: Generation, until: Time) -> Option<End> {
    let release = draft.release(name);
    let report = release.current_report().filter(|report| report.generation == generation);
    let ready_for = draft.snapshot().strategy.each.ready_for;
    match report {
        Some(report) if report.phase.is_failure() => return Some(End::Bad(report.message.clone())),
        Some(report) if report.phase == Phase::Gone => return Some(End::Good),
        _ => {}
    }
    if draft.proven_healthy_since(name).is_some_and(|since| draft.now.since(since) >= ready_for) {
        return Some(End::Good);
    }
    if draft.now < until {
        return None;
    }
    Some(End::TimedOut(match report {
        Some(report) => format!("no success within {}; last: {}", draft.snapshot().strategy.each.deadline, report.message),
        None => format!("nothing heard within {}", draft.snapshot().strategy.each.deadline),
    }))
}

/// Work of the rollout that this one superseded.
pub(super) fn carried(draft: &mut Draft<'_>) {
    for name in draft.snapshot().members.keys() {
        let Some(carried) = draft.turn(name).carried.clone() else { continue };
        if draft.is_full() {
            return;
        }
        let superseded = draft.release(name).generation != carried.generation;
        let end = end_of(draft, name, carried.generation, carried.until);
        if matches!(end, Some(End::Good)) {
            keep_as_last_good(draft, name);
        }
        if superseded || end.is_some() || !draft.is_member(name) {
            draft.push(Change::CarriedEnded(name.clone()));
        }
    }
}

/// Ways forward, and relapses of clusters that had succeeded.
pub(super) fn forward(draft: &mut Draft<'_>) {
    for name in draft.snapshot().members.keys() {
        if draft.is_full() {
            return;
        }
        remember_adoption(draft, name);
        match draft.turn(name).forward.clone() {
            Forward::InFlight { generation, until, .. } if draft.turn(name).back == Back::None => {
                forward_end(draft, name, generation, until)
            }
            Forward::Succeeded { generation, until, .. } if draft.turn(name).back == Back::None => relapse(draft, name, generation, until),
            Forward::Waiting if !draft.is_member(name) => leave(draft, name),
            _ => {}
        }
    }
}

/// Ways back.
pub(super) fn back(draft: &mut Draft<'_>) {
    for name in draft.snapshot().members.keys() {
        let Back::InFlight { generation, until, .. } = draft.turn(name).back else { continue };
        if draft.is_full() {
            return;
        }
        let (at, cluster) = (draft.now, name.clone());
        if !draft.is_member(name) {
            draft.push(Change::Back(cluster, Back::Left { why: "left the fleet".into() }));
            continue;
        }
        match end_of(draft, name, generation, until) {
            None => {}
            Some(End::Good) => {
                keep_as_last_good(draft, name);
                draft.push(Change::Back(cluster, Back::Done { generation, at }));
            }
            Some(End::Bad(why) | End::TimedOut(why)) => draft.push(Change::Back(cluster, Back::Failed { generation, at, why })),
        }
    }
}

fn forward_end(draft: &mut Draft<'_>, name: &ClusterName, generation: Generation, until: Time) {
    if !draft.is_member(name) {
        return leave(draft, name);
    }
    let at = draft.now;
    let forward = match end_of(draft, name, generation, until) {
        None => return,
        Some(End::Good) => {
            keep_as_last_good(draft, name);
            Forward::Succeeded { generation, at, until }
        }
        Some(End::Bad(why)) => Forward::Failed { generation, at, why },
        Some(End::TimedOut(why)) => Forward::TimedOut { generation, at, why },
    };
    draft.push(Change::Forward(name.clone(), forward));
}

/// A cluster of the open wave that is unhealthy past its deadline has failed; before it, only the bake begins anew.
fn relapse(draft: &mut Draft<'_>, name: &ClusterName, generation: Generation, until: Time) {
    let is_open_wave = draft.snapshot().members.get(name).is_some_and(|member| member.wave >= draft.head().wave);
    let is_unhealthy = draft.fresh_health(name).is_some_and(|live| live.phase != Phase::Healthy && live.phase != Phase::Gone);
    if is_open_wave && is_unhealthy && draft.now >= until {
        let why = format!("relapsed: {}", last_words(draft, name));
        draft.push(Change::Forward(name.clone(), Forward::Failed { generation, at: draft.now, why }));
    }
}

pub(super) fn last_words(draft: &Draft<'_>, name: &ClusterName) -> String {
    draft.release(name).current_report().map_or_else(|| "no report".into(), |report| report.message.clone())
}

fn leave(draft: &mut Draft<'_>, name: &ClusterName) {
    let forward = Forward::Skipped { by: "system".into(), why: "left the fleet".into(), at: draft.now };
    draft.push(Change::Forward(name.clone(), forward));
}

fn remember_adoption(draft: &mut Draft<'_>, name: &ClusterName) {
    let turn = draft.turn(name);
    if turn.previous.is_some() || !turn.was_changed() {
        return;
    }
    let Some(adopted) = draft.release(name).current_report().and_then(|report| report.adopted.clone()) else { return };
    let previous = LastGood { content: None, helm_revision: adopted.helm_revision, rollout: None, chart: adopted.chart };
    draft.push(Change::Previous(name.clone(), previous));
}

/// What the cluster now has is what it can be taken back to.
fn keep_as_last_good(draft: &mut Draft<'_>, name: &ClusterName) {
    let release = draft.release(name);
    let (Some(assignment), Some(report)) = (&release.assignment, release.current_report()) else { return };
    let change = match last_good_of(assignment, report) {
        Some(last_good) => Change::LastGood(name.clone(), last_good),
        None => Change::NoLastGood(name.clone()),
    };
    draft.push(change);
}

/// The state that a finished assignment leaves; `None` for tombstones.
pub(super) fn last_good_of(assignment: &Assignment, report: &Report) -> Option<LastGood> {
    let helm_revision = report.helm_revision.unwrap_or_default();
    let rollout = Some(assignment.rollout.clone());
    match &assignment.target {
        Target::Content(content) => {
            let chart = format!("{}-{}", content.chart.name, content.chart.version);
            Some(LastGood { content: Some(content.clone()), helm_revision, rollout, chart })
        }
        Target::HelmRevision(wanted) => {
            Some(LastGood { content: None, helm_revision, rollout, chart: format!("as of Helm revision {wanted}") })
        }
        Target::Uninstalled | Target::Orphaned => None,
    }
}
