//! Runs the planner over every rollout that has not ended, then pays debts. One transaction for each round.

use crate::coordinator::command::commit_changes;
use crate::coordinator::records::Key;
use crate::coordinator::state::State;
use crate::coordinator::{Coordinator, CoordinatorError};
use groundswell_core::id::{ClusterName, ReleaseName, RolloutId};
use groundswell_core::invariant;
use groundswell_core::planner::{Change, DebtView, Plan, View, Wait, pay_debts, plan};
use groundswell_core::rollout::{Forward, Head, Snapshot};
use groundswell_core::time::Time;
use std::collections::BTreeMap;
use std::sync::{Arc, Weak};
use std::time::{Duration, Instant};
use tokio_util::sync::CancellationToken;

/// Rounds without a pause in between, before others get the writer: at 32 clusters each, 3,200 assignments.
const MAX_ROUNDS: usize = 100;

/// Operations that a round keeps free beside its clusters: the head, and its audit record.
const HEAD_OPS: usize = 2;

/// Nudges that come in so short a time are one: a thousand reports a second are no thousand rounds.
const QUIET: Duration = Duration::from_millis(10);

/// Runs until the coordinator is gone.
pub(crate) async fn run(coordinator: Weak<Coordinator>, stop: CancellationToken) {
    let mut pause = Duration::ZERO;
    loop {
        let Some(nudged) = coordinator.upgrade().map(|coordinator| coordinator.nudged()) else { return };
        tokio::select! {
            () = tokio::time::sleep(pause) => {}
            () = nudged.notified() => {}
            () = stop.cancelled() => return,
        }
        let Some(coordinator) = coordinator.upgrade() else { return };
        let begun = Instant::now();
        pause = match coordinator.plan_all().await {
            Ok(until) => until_next(&coordinator, until),
            Err(error) => {
                tracing::error!(error = %crate::coordinator::Chain(&error), "a round of the planner failed and will be tried again");
                Duration::from_millis(coordinator.config().plan_every.0)
            }
        };
        drop(coordinator);
        // At least as long as the round took: half of the time at most goes into planning.
        let quiet = QUIET.max(begun.elapsed());
        tokio::select! {
            () = tokio::time::sleep(quiet) => {}
            () = stop.cancelled() => return,
        }
    }
}

/// The period, or less when something is due before.
fn until_next(coordinator: &Coordinator, until: Option<Time>) -> Duration {
    let period = coordinator.config().plan_every;
    let due = until.map_or(period, |until| until.since(coordinator.now()));
    Duration::from_millis(due.0.clamp(1, period.0.max(1)))
}

impl Coordinator {
    /// Plans until nothing more is to be done at once. Answers when something is due by itself.
    pub(crate) async fn plan_all(&self) -> Result<Option<Time>, CoordinatorError> {
        let begun = Instant::now();
        let mut waits: BTreeMap<RolloutId, Vec<Wait>> = BTreeMap::new();
        for _ in 0..MAX_ROUNDS {
            waits.clear();
            let mut more = false;
            for snapshot in self.active_snapshots().await? {
                let plan = self.plan_one(&snapshot).await?;
                more |= plan.more;
                waits.entry(snapshot.id.clone()).or_default().extend(plan.waits);
            }
            for (rollout, release) in self.owing_releases() {
                let plan = self.pay_one(&rollout, &release).await?;
                more |= plan.more;
                waits.entry(rollout).or_default().extend(plan.waits);
            }
            if !more {
                break;
            }
            tokio::task::yield_now().await;
        }
        let until = waits.values().flatten().filter_map(|wait| wait.until).filter(|until| *until > self.now()).min();
        self.set_waits(waits);
        self.owe_joiners().await?;
        self.metrics().plan_ms.set(i64::try_from(begun.elapsed().as_millis()).unwrap_or(i64::MAX));
        self.metrics().sessions.set(i64::try_from(self.sessions_up()).unwrap_or(i64::MAX));
        Ok(until)
    }

    /// Snapshots of the rollouts under way, the oldest first: what came first gets the fleet's room first.
    async fn active_snapshots(&self) -> Result<Vec<Arc<Snapshot>>, CoordinatorError> {
        let mut heads: Vec<Head> = self.state().active_rollouts().cloned().collect();
        heads.sort_by(|a, b| a.created_at.cmp(&b.created_at).then_with(|| a.id.cmp(&b.id)));
        self.metrics().active_rollouts.set(i64::try_from(heads.len()).unwrap_or(i64::MAX));
        let mut snapshots = Vec::with_capacity(heads.len());
        for head in &heads {
            snapshots.push(self.snapshot(head).await?);
        }
        Ok(snapshots)
    }

    async fn plan_one(&self, snapshot: &Snapshot) -> Result<Plan, CoordinatorError> {
        // Most rounds change nothing, and need not keep the reports waiting.
        let idle = self.decide(&self.state(), snapshot, self.now());
        if idle.changes.is_empty() {
            return Ok(idle);
        }
        self.at("plan.before");
        let plan = self
            .write(|state, draft| {
                let plan = self.decide(state, snapshot, draft.now());
                if let Some(head) = state.rollouts.get(&snapshot.id) {
                    commit_changes(state, draft, head, &plan.changes);
                    audit(draft, &head.id, &plan.changes);
                }
                Ok(plan)
            })
            .await?;
        self.at("plan.after");
        Ok(plan)
    }

    fn decide(&self, state: &State, snapshot: &Snapshot, now: Time) -> Plan {
        let Some(head) = state.rollouts.get(&snapshot.id) else { return Plan::default() };
        let clusters = self.sessions().facts(state, &snapshot.release);
        let epoch = self.epoch();
        let view = View {
            snapshot,
            head,
            turns: state.turns_of(&snapshot.id),
            clusters: &clusters,
            releases: state.clusters_of(&snapshot.release),
            fleet_room: self.room_beside(state, Some(&snapshot.id), None),
            max_assignments: self.clusters_per_round(),
            stale_after: self.config().stale_after,
            epoch: &epoch,
        };
        let mut plan = plan(&view, now);
        self.metrics().rounds.inc();
        self.hold_if_broken(&view, &mut plan, now);
        plan
    }

    /// A round that would break an invariant is not committed, and says so to a person.
    fn hold_if_broken(&self, view: &View<'_>, plan: &mut Plan, now: Time) {
        let broken = invariant::check_round(view, &plan.changes, now);
        if broken.is_empty() {
            return;
        }
        let what = broken.iter().map(ToString::to_string).collect::<Vec<_>>().join("; ");
        tracing::error!(rollout = %view.head.id, what, "a round would break an invariant and was not committed");
        self.metrics().violations.inc();
        let why = format!("the planner's next step would break {what}; this is a defect, nothing was done");
        *plan = Plan {
            waits: vec![Wait { subject: "rollout".into(), why, until: None, who: Some("pause it, and report the defect".into()) }],
            ..Plan::default()
        };
    }

    /// Two records and an audit record for each cluster.
    fn clusters_per_round(&self) -> usize {
        (self.max_ops().saturating_sub(HEAD_OPS) / 3).max(1)
    }

    /// `fleet.maxConcurrent` less what is in flight outside one rollout, or outside one release's debts.
    fn room_beside(&self, state: &State, rollout: Option<&RolloutId>, debts_of: Option<&ReleaseName>) -> usize {
        let fleet = state.clusters.values().filter(|record| record.revoked.is_none()).count();
        let limit = self.config().fleet_max_concurrent.max_concurrent(fleet);
        let turns = state.active_rollouts().filter(|head| Some(&head.id) != rollout).flat_map(|head| state.turns_of(&head.id).values());
        let debts = state.cluster_releases.iter().filter(|(name, _)| Some(*name) != debts_of).flat_map(|(_, known)| known.values());
        let elsewhere = turns.filter(|turn| turn.in_flight().is_some()).count()
            + debts.filter(|known| known.debt.as_ref().is_some_and(|debt| debt.paying.is_some())).count();
        limit.saturating_sub(elsewhere)
    }

    /// Releases that owe something, with a rollout whose rules hold for it.
    fn owing_releases(&self) -> Vec<(RolloutId, ReleaseName)> {
        let state = self.state();
        let owing = state.cluster_releases.iter().filter_map(|(release, known)| {
            let debt = known.values().find_map(|known| known.debt.as_ref())?;
            Some((debt.rollout.clone(), release.clone()))
        });
        owing.collect()
    }

    async fn pay_one(&self, rollout: &RolloutId, release: &ReleaseName) -> Result<Plan, CoordinatorError> {
        let (head, active) = {
            let state = self.state();
            (state.rollouts.get(rollout).cloned(), state.active(release).cloned())
        };
        let Some(head) = head else { return Ok(Plan::default()) };
        let rules = self.snapshot(&head).await?;
        let active = match &active {
            Some(active) => Some(self.snapshot(active).await?),
            None => None,
        };
        let idle = self.decide_debts(&self.state(), release, &rules, active.as_deref(), self.now());
        if idle.changes.is_empty() {
            return Ok(idle);
        }
        self.write(|state, draft| {
            let plan = self.decide_debts(state, release, &rules, active.as_deref(), draft.now());
            commit_changes(state, draft, &head, &plan.changes);
            audit(draft, &head.id, &plan.changes);
            Ok(plan)
        })
        .await
    }

    fn decide_debts(&self, state: &State, release: &ReleaseName, rules: &Snapshot, active: Option<&Snapshot>, now: Time) -> Plan {
        let view = DebtView {
            active,
            clusters: &self.sessions().facts(state, release),
            releases: state.clusters_of(release),
            max_concurrent: debt_limit(rules),
            fleet_room: self.room_beside(state, None, Some(release)),
            max_assignments: self.clusters_per_round(),
            ready_for: rules.strategy.each.ready_for,
            stale_after: self.config().stale_after,
            epoch: &self.epoch(),
        };
        pay_debts(&view, now)
    }

    fn max_ops(&self) -> usize {
        self.store().max_ops()
    }
}

/// Debts go under the limit of the last wave: they are stragglers of a version that is proved.
fn debt_limit(rules: &Snapshot) -> usize {
    let sizes = groundswell_core::rollout::wave_sizes(rules);
    let last = rules.strategy.waves.last().zip(sizes.last());
    last.map_or(1, |(wave, size)| wave.max_concurrent.max_concurrent(*size)).max(1)
}

/// One audit record for each cluster that a round touches, one for the rollout itself.
fn audit(draft: &mut crate::coordinator::Draft, id: &RolloutId, changes: &[Change]) {
    let mut by_cluster: BTreeMap<Option<&ClusterName>, Vec<String>> = BTreeMap::new();
    for change in changes {
        by_cluster.entry(change.cluster()).or_default().push(words(change));
    }
    for (cluster, words) in by_cluster {
        let detail = cluster.map_or_else(|| words.join("; "), |cluster| format!("{cluster}: {}", words.join("; ")));
        draft.audit("planner", "rollout.plan", Key::Rollout(id.clone()).to_string(), detail);
    }
}

fn words(change: &Change) -> String {
    match change {
        Change::Issue(assignment) => format!("assigned generation {} ({:?})", assignment.generation, assignment.direction),
        Change::Forward(_, Forward::Failed { why, .. }) => format!("failed: {why}"),
        Change::Forward(_, Forward::TimedOut { why, .. }) => format!("timed out: {why}"),
        Change::Forward(_, Forward::Owed { why, .. }) => format!("owed: {why}"),
        Change::Forward(_, Forward::Skipped { by, why, .. }) => format!("skipped by {by}: {why}"),
        Change::Forward(_, Forward::Succeeded { .. }) => "succeeded".into(),
        Change::Forward(_, Forward::Waiting | Forward::InFlight { .. }) => "waits again".into(),
        Change::Back(_, back) => format!("back: {back:?}"),
        Change::CarriedEnded(_) => "work of the superseded rollout ended".into(),
        Change::Previous(_, previous) => format!("had {} at Helm revision {}", previous.chart, previous.helm_revision),
        Change::LastGood(_, good) => format!("last good is {}", good.chart),
        Change::NoLastGood(_) => "the release is gone".into(),
        Change::Owe(_, debt) => format!("owes {}: {}", debt.rollout, debt.why),
        Change::Settled(_) => "debt settled".into(),
        Change::Promote(promotion) => format!("wave {} promoted on {} reports", promotion.wave, promotion.reports),
        Change::Reopen(wave) => format!("wave {wave} is open again"),
        Change::Approve(wave, approval) => format!("wave {wave} approved by {}", approval.by),
        Change::SetState(state) => format!("{state:?}"),
    }
}
