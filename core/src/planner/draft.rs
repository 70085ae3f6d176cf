//! A round in the making: the view with this round's changes laid over it.

use super::change::{Change, on_cluster, on_head};
use super::{ClusterFacts, LiveHealth, Plan, Presence, View, Wait};
use crate::assignment::{Assignment, Direction, Target};
use crate::id::ClusterName;
use crate::report::{Phase, Report};
use crate::rollout::{ClusterRelease, Head, Member, Snapshot, Turn};
use crate::time::Time;
use std::collections::{BTreeMap, BTreeSet};

/// More than these add nothing that an operator reads; the rest is a count.
const MAX_WAITS: usize = 100;

pub(super) struct Draft<'a> {
    view: &'a View<'a>,
    pub(super) now: Time,
    head: Head,
    turns: BTreeMap<ClusterName, Turn>,
    releases: BTreeMap<ClusterName, ClusterRelease>,
    touched: BTreeSet<ClusterName>,
    plan: Plan,
    no_turn: Turn,
    no_release: ClusterRelease,
}

impl<'a> Draft<'a> {
    pub(super) fn new(view: &'a View<'a>, now: Time) -> Self {
        Self {
            view,
            now,
            head: view.head.clone(),
            turns: BTreeMap::new(),
            releases: BTreeMap::new(),
            touched: BTreeSet::new(),
            plan: Plan::default(),
            no_turn: Turn::default(),
            no_release: ClusterRelease::default(),
        }
    }

    pub(super) fn into_plan(self) -> Plan {
        self.plan
    }

    pub(super) fn snapshot(&self) -> &'a Snapshot {
        self.view.snapshot
    }

    pub(super) fn view(&self) -> &'a View<'a> {
        self.view
    }

    pub(super) fn head(&self) -> &Head {
        &self.head
    }

    pub(super) fn turn(&self, name: &ClusterName) -> &Turn {
        self.turns.get(name).or_else(|| self.view.turns.get(name)).unwrap_or(&self.no_turn)
    }

    pub(super) fn release(&self, name: &ClusterName) -> &ClusterRelease {
        self.releases.get(name).or_else(|| self.view.releases.get(name)).unwrap_or(&self.no_release)
    }

    pub(super) fn facts(&self, name: &ClusterName) -> Option<&'a ClusterFacts> {
        self.view.clusters.get(name)
    }

    pub(super) fn is_member(&self, name: &ClusterName) -> bool {
        self.facts(name).is_some_and(|facts| facts.member)
    }

    pub(super) fn is_connected(&self, name: &ClusterName) -> bool {
        self.facts(name).is_some_and(|facts| facts.presence == Presence::Connected)
    }

    /// Since when the cluster is not there; `None` when it is.
    pub(super) fn absent_since(&self, name: &ClusterName) -> Option<Time> {
        match self.facts(name)?.presence {
            Presence::Connected => None,
            Presence::Away { since } | Presence::Unknown { since } => Some(since),
        }
    }

    /// Health that is fresh and about the assignment in force.
    pub(super) fn fresh_health(&self, name: &ClusterName) -> Option<&'a LiveHealth> {
        let assignment = self.release(name).assignment.as_ref()?;
        let live = self.facts(name)?.live.as_ref()?;
        let is_current = live.generation == assignment.generation && live.rollout == assignment.rollout;
        let is_fresh = self.now.since(live.received_at) <= self.view.stale_after;
        (is_current && is_fresh).then_some(live)
    }

    /// Since when the cluster is healthy, proved by fresh health and by a stored report that names the digest (GS-10).
    pub(super) fn proven_healthy_since(&self, name: &ClusterName) -> Option<Time> {
        let live = self.fresh_health(name)?;
        let release = self.release(name);
        let report = release.current_report()?;
        let proves =
            live.phase == Phase::Healthy && report.phase == Phase::Healthy && names_the_target(report, release.assignment.as_ref()?);
        if proves { live.healthy_since } else { None }
    }

    pub(super) fn in_flight(&self) -> usize {
        self.snapshot().members.keys().filter(|name| self.turn(name).in_flight().is_some()).count()
    }

    pub(super) fn members_of(&self, wave: usize) -> impl Iterator<Item = (&'a ClusterName, &'a Member)> + use<'a> {
        self.view.snapshot.members.iter().filter(move |(_, member)| member.wave == wave)
    }

    /// Whether the transaction bears no further cluster.
    pub(super) fn is_full(&mut self) -> bool {
        let full = self.touched.len() >= self.view.max_assignments;
        self.plan.more |= full;
        full
    }

    pub(super) fn more(&mut self) {
        self.plan.more = true;
    }

    pub(super) fn push(&mut self, change: Change) {
        match change.cluster() {
            None => on_head(&change, &mut self.head),
            Some(name) => {
                let (mut turn, mut release) = (self.turn(name).clone(), self.release(name).clone());
                on_cluster(&change, &mut turn, &mut release);
                self.touched.insert(name.clone());
                self.turns.insert(name.clone(), turn);
                self.releases.insert(name.clone(), release);
            }
        }
        self.plan.changes.push(change);
    }

    pub(super) fn issue(&mut self, name: &ClusterName, direction: Direction, target: Target) {
        let snapshot = self.snapshot();
        let assignment = Assignment {
            cluster: name.clone(),
            release: snapshot.release.clone(),
            namespace: snapshot.namespace.clone(),
            rollout: snapshot.id.clone(),
            generation: self.release(name).generation.next(),
            epoch: self.view.epoch.clone(),
            direction,
            target,
            issued_at: self.now,
            deadline: snapshot.strategy.each.deadline,
            service_account: snapshot.service_account.clone(),
            drift: snapshot.drift,
            create_namespace: snapshot.create_namespace,
        };
        self.push(Change::Issue(assignment));
    }

    pub(super) fn wait(&mut self, subject: &str, why: String, until: Option<Time>) {
        self.wait_for(subject, why, until, None);
    }

    pub(super) fn wait_for(&mut self, subject: &str, why: String, until: Option<Time>, who: Option<String>) {
        if self.plan.waits.len() < MAX_WAITS {
            self.plan.waits.push(Wait { subject: subject.into(), why, until, who });
        }
    }
}

/// Whether a report is about what the assignment asked for, down to the digest.
pub(super) fn names_the_target(report: &Report, assignment: &Assignment) -> bool {
    match &assignment.target {
        Target::Content(content) => report.chart_digest == content.chart.digest.as_str(),
        Target::HelmRevision(_) | Target::Uninstalled | Target::Orphaned => true,
    }
}
