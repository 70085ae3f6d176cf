//! A fleet as data, for the planner and for records of the size that the server writes.

use anyhow::Result;
use groundswell_core::assignment::{ChartRef, Drift};
use groundswell_core::id::{ClusterName, Digest, Epoch, Namespace, ReleaseName, RolloutId, WaveName};
use groundswell_core::limit::Limit;
use groundswell_core::planner::{Change, ClusterFacts, LiveHealth, Plan, Presence, View, apply, plan};
use groundswell_core::report::{Phase, Report};
use groundswell_core::rollout::{ClusterRelease, Head, Member, Purpose, Snapshot, State, Turn};
use groundswell_core::strategy::{Each, Strategy, Wave};
use groundswell_core::time::{Span, Time};
use std::collections::BTreeMap;

/// As the server has it: (100 operations - 2) / 3 for each cluster of a round.
pub(crate) const CLUSTERS_PER_ROUND: usize = 32;

/// All that the planner looks at.
#[derive(Clone)]
pub(crate) struct Fleet {
    pub(crate) snapshot: Snapshot,
    pub(crate) head: Head,
    pub(crate) turns: BTreeMap<ClusterName, Turn>,
    pub(crate) clusters: BTreeMap<ClusterName, ClusterFacts>,
    pub(crate) releases: BTreeMap<ClusterName, ClusterRelease>,
    pub(crate) epoch: Epoch,
    pub(crate) now: Time,
}

pub(crate) fn digest(byte: u8) -> Result<Digest> {
    Ok(Digest::new(format!("{byte:02x}").repeat(32))?)
}

impl Fleet {
    /// One wave of `size` clusters, all connected, nothing begun, no limit on how many go at once.
    pub(crate) fn new(size: usize) -> Result<Self> {
        let wave = Wave { max_concurrent: Limit::None, ..Wave::safe(WaveName::new("all")?, "".parse()?) };
        let strategy = Strategy { waves: vec![wave], each: Each::default(), ..Strategy::default() };
        let release = ReleaseName::new("beacon")?;
        let id = RolloutId::new(&release, 1);
        let mut members = BTreeMap::new();
        for n in 0..size {
            members.insert(
                ClusterName::new(format!("foundation-{:02}-cluster-{n:05}", n % 40))?,
                Member { wave: 0, values: vec![digest(7)?] },
            );
        }
        let facts = ClusterFacts { presence: Presence::Connected, member: true, live: None };
        let now = Time(1_790_000_000_000);
        Ok(Self {
            clusters: members.keys().map(|name| (name.clone(), facts.clone())).collect(),
            head: Head {
                id: id.clone(),
                release: release.clone(),
                plan_hash: digest(9)?,
                plan_recipe: 1,
                snapshot: digest(8)?,
                state: State::Running,
                wave: 0,
                approvals: BTreeMap::new(),
                promotions: vec![],
                created_at: now,
            },
            snapshot: Snapshot {
                id,
                release,
                namespace: Namespace::new("monitoring")?,
                purpose: Purpose::Apply,
                chart: Some(ChartRef { name: "beacon".into(), version: "0.2.0".into(), digest: digest(2)? }),
                strategy,
                members,
                drift: Drift::Report,
                service_account: None,
                create_namespace: true,
                document_revision: 1,
                supersedes: None,
                created_at: now,
                created_by: "bench".into(),
            },
            turns: BTreeMap::new(),
            releases: BTreeMap::new(),
            epoch: Epoch { lineage: "b".repeat(32), number: 1 },
            now,
        })
    }

    pub(crate) fn view(&self) -> View<'_> {
        View {
            snapshot: &self.snapshot,
            head: &self.head,
            turns: &self.turns,
            clusters: &self.clusters,
            releases: &self.releases,
            fleet_room: usize::MAX,
            max_assignments: CLUSTERS_PER_ROUND,
            stale_after: Span::seconds(30),
            epoch: &self.epoch,
        }
    }

    pub(crate) fn plan(&self) -> Plan {
        plan(&self.view(), self.now)
    }

    pub(crate) fn carry_out(&mut self, changes: &[Change]) {
        apply(changes, &mut self.head, &mut self.turns, &mut self.releases);
    }

    /// Plans and carries out until a round changes nothing; answers how many rounds that took.
    pub(crate) fn rest(&mut self) -> usize {
        for round in 0..10_000 {
            let plan = self.plan();
            if plan.changes.is_empty() {
                return round;
            }
            self.carry_out(&plan.changes);
        }
        10_000
    }

    /// Every cluster that has an assignment says that it is healthy, and has been for so long.
    pub(crate) fn all_healthy(&mut self, since: Span) {
        for (name, release) in &mut self.releases {
            let Some(assignment) = release.assignment.clone() else { continue };
            let report = healthy_report(name, &assignment, self.now);
            let live = LiveHealth {
                rollout: report.rollout.clone(),
                generation: report.generation,
                phase: Phase::Healthy,
                healthy_since: Some(self.now - since),
                changed_at: self.now - since,
                helm_revision: report.helm_revision,
                received_at: self.now,
            };
            release.report = Some(report);
            if let Some(facts) = self.clusters.get_mut(name) {
                facts.live = Some(live);
            }
        }
    }
}

/// A report as an agent sends it.
pub(crate) fn healthy_report(name: &ClusterName, assignment: &groundswell_core::assignment::Assignment, now: Time) -> Report {
    let chart_digest = match &assignment.target {
        groundswell_core::assignment::Target::Content(content) => content.chart.digest.to_string(),
        _ => String::new(),
    };
    Report {
        cluster: name.clone(),
        release: assignment.release.clone(),
        rollout: assignment.rollout.clone(),
        generation: assignment.generation,
        chart_digest,
        attempt: 1,
        incarnation: groundswell_core::id::Incarnation("0123456789abcdef0123456789abcdef".into()),
        sequence: 3,
        phase: Phase::Healthy,
        healthy_for: Span::seconds(10),
        helm_revision: Some(2),
        message: "3 objects are ready".into(),
        adopted: None,
        notes: vec![],
        received_at: now,
    }
}
