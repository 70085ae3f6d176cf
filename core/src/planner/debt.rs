//! Debts outside rollouts: clusters that were left behind, or joined since, get what they are owed as they come.

use super::draft::names_the_target;
use super::settle::last_good_of;
use super::{Change, ClusterFacts, Plan, Presence, Wait};
use crate::assignment::{Assignment, Direction};
use crate::id::{ClusterName, Epoch};
use crate::report::Phase;
use crate::rollout::{ClusterRelease, Debt, Snapshot};
use crate::time::{Span, Time};
use std::collections::BTreeMap;

/// What paying the debts of one release looks at.
#[derive(Clone, Copy, Debug)]
pub struct DebtView<'a> {
    /// The rollout of the release that is under way; it brings its members what is newest, so they are left to it.
    pub active: Option<&'a Snapshot>,
    /// What is known of the clusters.
    pub clusters: &'a BTreeMap<ClusterName, ClusterFacts>,
    /// What is stored about the release in each cluster.
    pub releases: &'a BTreeMap<ClusterName, ClusterRelease>,
    /// How many clusters of this release may pay at once.
    pub max_concurrent: usize,
    /// `fleet.maxConcurrent` less what is in flight elsewhere.
    pub fleet_room: usize,
    /// How many clusters this round may touch.
    pub max_assignments: usize,
    /// How long a cluster must have been healthy to count as done.
    pub ready_for: Span,
    /// Older health than this proves nothing.
    pub stale_after: Span,
    /// Who plans.
    pub epoch: &'a Epoch,
}

/// Decides which debts are paid now, and which are paid by now.
pub fn pay_debts(view: &DebtView<'_>, now: Time) -> Plan {
    let mut plan = Plan::default();
    let mut in_flight = view.releases.values().filter(|release| release.debt.as_ref().is_some_and(|debt| debt.paying.is_some())).count();
    for (name, release) in view.releases {
        let Some(debt) = &release.debt else { continue };
        if plan.changes.len() >= view.max_assignments {
            plan.more = true;
            break;
        }
        if debt.paying.is_some() {
            let ended = settle(view, now, name, release, debt);
            in_flight -= usize::from(!ended.is_empty());
            plan.changes.extend(ended);
        } else if may_pay(view, name, debt) && in_flight < view.max_concurrent.min(view.fleet_room) {
            in_flight += 1;
            plan.changes.push(Change::Issue(order(view, now, release, debt)));
        } else {
            plan.waits.push(why_not(view, name, debt));
        }
    }
    plan
}

fn may_pay(view: &DebtView<'_>, name: &ClusterName, debt: &Debt) -> bool {
    let is_there = view.clusters.get(name).is_some_and(|facts| facts.member && facts.presence == Presence::Connected);
    let is_left_to_a_rollout = view.active.is_some_and(|snapshot| snapshot.members.contains_key(name));
    is_there && !is_left_to_a_rollout && debt.failed.is_none()
}

fn why_not(view: &DebtView<'_>, name: &ClusterName, debt: &Debt) -> Wait {
    let (why, who) = match &debt.failed {
        Some(failed) => (
            format!("owed by {}, and paying failed: {failed}", debt.rollout),
            Some(format!("groundswell rollout retry {} {name}", debt.rollout)),
        ),
        None if view.active.is_some() => (format!("owed by {}; the rollout under way brings it", debt.rollout), None),
        None => (format!("owed by {}: {}", debt.rollout, debt.why), Some("the cluster, by coming back".into())),
    };
    Wait { subject: name.as_str().into(), why, until: None, who }
}

fn order(view: &DebtView<'_>, now: Time, release: &ClusterRelease, debt: &Debt) -> Assignment {
    let generation = release.generation.next();
    Assignment { generation, epoch: view.epoch.clone(), direction: Direction::Debt, issued_at: now, ..debt.order.clone() }
}

fn settle(view: &DebtView<'_>, now: Time, name: &ClusterName, release: &ClusterRelease, debt: &Debt) -> Vec<Change> {
    let Some(assignment) = &release.assignment else { return Vec::new() };
    let failed = |why: String| vec![Change::Owe(name.clone(), Debt { paying: None, failed: Some(why), ..debt.clone() })];
    let report = release.current_report();
    match report {
        Some(report) if report.phase.is_failure() => return failed(report.message.clone()),
        Some(report) if report.phase == Phase::Gone => return vec![Change::NoLastGood(name.clone()), Change::Settled(name.clone())],
        Some(report) if report.phase == Phase::Healthy && names_the_target(report, assignment) && is_ready(view, now, name, assignment) => {
            let last_good = last_good_of(assignment, report).map(|last_good| Change::LastGood(name.clone(), last_good));
            return last_good.into_iter().chain([Change::Settled(name.clone())]).collect();
        }
        _ => {}
    }
    if now < assignment.ends_at() {
        return Vec::new();
    }
    failed(report.map_or_else(|| "nothing heard within the deadline".into(), |report| report.message.clone()))
}

fn is_ready(view: &DebtView<'_>, now: Time, name: &ClusterName, assignment: &Assignment) -> bool {
    let live = view.clusters.get(name).and_then(|facts| facts.live.as_ref());
    live.is_some_and(|live| {
        let is_current = live.generation == assignment.generation && live.rollout == assignment.rollout;
        let is_fresh = now.since(live.received_at) <= view.stale_after;
        is_current && is_fresh && live.phase == Phase::Healthy && live.healthy_since.is_some_and(|since| now.since(since) >= view.ready_for)
    })
}
