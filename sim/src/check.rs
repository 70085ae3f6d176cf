//! What was seen of the world, and the invariants checked against it. Everything here is noted where it happens, apart from
//! what coordinator and agent believe.

use crate::fleet::label;
use crate::net::HealthFact;
use crate::records::Write;
use crate::world::STALE;
use groundswell_core::agent::{HelmCall, Marker};
use groundswell_core::assignment::{Assignment, Direction, Target};
use groundswell_core::id::{ClusterName, Epoch, Generation, ReleaseName, RolloutId};
use groundswell_core::invariant::{
    HelmRun, Violation, check_round, gs_3_frozen, gs_5_rising, gs_6_one_helm, gs_7_deployed_once, gs_9_epochs,
};
use groundswell_core::planner::{Change, DebtView, View};
use groundswell_core::report::Phase;
use groundswell_core::rollout::{Back, ClusterRelease, Forward, Scope, Snapshot, State, Turn};
use groundswell_core::time::Time;
use std::collections::BTreeMap;

type Place = (ClusterName, ReleaseName);

struct Heard {
    rollout: RolloutId,
    generation: Generation,
    phase: Phase,
    at: Time,
}

/// The history of a world, as far as the invariants need it.
#[derive(Default)]
pub struct Truth {
    /// The invariants that broke.
    pub violations: Vec<Violation>,
    issued: BTreeMap<Place, Vec<Assignment>>,
    runs: BTreeMap<Place, Vec<(u64, HelmRun)>>,
    obeyed: BTreeMap<ClusterName, Vec<Epoch>>,
    accepted: BTreeMap<Place, Vec<Generation>>,
    heard: BTreeMap<Place, Heard>,
    permits: BTreeMap<(ClusterName, ReleaseName, Generation), Time>,
    newest_epoch: u64,
    second_tries: BTreeMap<(RolloutId, ClusterName), usize>,
    snapshots: BTreeMap<RolloutId, Snapshot>,
    turns: BTreeMap<(RolloutId, ClusterName), Turn>,
    known: BTreeMap<Place, ClusterRelease>,
    good: BTreeMap<Place, String>,
    before: BTreeMap<(RolloutId, ClusterName), Option<String>>,
}

impl Truth {
    /// Notes that an invariant broke.
    pub fn complain(&mut self, id: &'static str, what: impl Into<String>) {
        self.violations.push(Violation { id, what: what.into() });
    }

    /// How often helm ran for a release in a cluster.
    pub fn runs(&self, cluster: &ClusterName, release: &ReleaseName) -> usize {
        self.runs.get(&(cluster.clone(), release.clone())).map_or(0, Vec::len)
    }

    /// What a cluster had and was well with before a rollout first touched it.
    pub(crate) fn before(&self, id: &RolloutId, cluster: &ClusterName) -> Option<&String> {
        self.before.get(&(id.clone(), cluster.clone()))?.as_ref()
    }

    pub(crate) fn had_by_hand(&mut self, cluster: &ClusterName, release: &ReleaseName, chart: &str) {
        self.good.insert((cluster.clone(), release.clone()), chart.to_owned());
    }

    /// A person asks for another try.
    pub(crate) fn second_try(&mut self, id: &RolloutId, cluster: &ClusterName) {
        *self.second_tries.entry((id.clone(), cluster.clone())).or_default() += 1;
    }

    pub(crate) fn heard(&mut self, cluster: &ClusterName, fact: &HealthFact, now: Time) {
        let heard = Heard { rollout: fact.rollout.clone(), generation: fact.generation, phase: fact.phase, at: now };
        self.heard.insert((cluster.clone(), fact.release.clone()), heard);
    }

    pub(crate) fn permitted(&mut self, cluster: &ClusterName, release: &ReleaseName, generation: Generation, until: Time) {
        self.permits.insert((cluster.clone(), release.clone(), generation), until);
    }

    fn issue_of(&self, cluster: &ClusterName, release: &ReleaseName, generation: Generation) -> Option<&Assignment> {
        self.issued.get(&(cluster.clone(), release.clone()))?.iter().find(|issued| issued.generation == generation)
    }

    /// GS-8, GS-12: only what was committed is sent, and only to its own cluster.
    pub(crate) fn delivered(&mut self, cluster: &ClusterName, assignment: &Assignment) {
        if assignment.cluster != *cluster {
            self.complain("GS-12", format!("{cluster} was sent an assignment of {}", assignment.cluster));
        }
        let issued = self.issue_of(cluster, &assignment.release, assignment.generation);
        // A later leader sends it under its own epoch.
        if issued.is_none_or(|issued| *issued != Assignment { epoch: issued.epoch.clone(), ..assignment.clone() }) {
            self.complain("GS-8", format!("{cluster} was sent generation {}, which was not committed so", assignment.generation));
        }
    }

    /// GS-5, GS-9: what an agent took into its ledger.
    pub(crate) fn obeyed(&mut self, cluster: &ClusterName, assignment: &Assignment) {
        let epochs = self.obeyed.entry(cluster.clone()).or_default();
        epochs.push(assignment.epoch.clone());
        let generations = self.accepted.entry((cluster.clone(), assignment.release.clone())).or_default();
        generations.push(assignment.generation);
        let last = |all: usize| all.saturating_sub(2);
        let found = gs_9_epochs(&epochs[last(epochs.len())..]).into_iter().chain(gs_5_rising(&generations[last(generations.len())..]));
        self.violations.extend(found);
    }

    /// GS-2, GS-4, GS-6, GS-8, GS-11: helm runs only for what was committed, as it was committed, under a permit, alone.
    #[expect(clippy::too_many_arguments, reason = "a helm run is what all of these say")]
    pub(crate) fn helm_began(
        &mut self,
        cluster: &ClusterName,
        release: &ReleaseName,
        run: u64,
        call: &HelmCall,
        marker: Marker,
        epoch: &Epoch,
        chart: &str,
        now: Time,
    ) {
        match self.issue_of(cluster, release, marker.generation).map(|issued| agrees(issued, call, chart)) {
            None => self.complain("GS-8", format!("{cluster}: helm ran for {marker}, which nobody committed")),
            Some(Err((id, what))) => self.complain(id, format!("{cluster}: {what} for {marker}")),
            Some(Ok(())) => {}
        }
        let permit = self.permits.get(&(cluster.clone(), release.clone(), marker.generation));
        if permit.is_none_or(|until| *until < now) {
            self.complain("GS-4", format!("{cluster}: helm started for {marker} after its permit ran out"));
        }
        let runs = self.runs.entry((cluster.clone(), release.clone())).or_default();
        let (generation, attempt) = (marker.generation, marker.attempt);
        let began =
            HelmRun { cluster: cluster.clone(), generation, attempt, epoch: epoch.clone(), began: now, ended: None, deployed: false };
        runs.push((run, began));
        let runs: Vec<HelmRun> = runs.iter().rev().take(4).map(|(_, run)| run.clone()).collect();
        self.violations.extend(gs_6_one_helm(&runs));
    }

    /// GS-7: one attempt leaves one deployed revision.
    pub(crate) fn helm_ended(&mut self, cluster: &ClusterName, release: &ReleaseName, run: u64, deployed: bool, now: Time) {
        let Some(runs) = self.runs.get_mut(&(cluster.clone(), release.clone())) else { return };
        if let Some((_, ended)) = runs.iter_mut().rev().find(|(known, _)| *known == run) {
            (ended.ended, ended.deployed) = (Some(now), deployed);
        }
        let runs: Vec<HelmRun> = runs.iter().map(|(_, run)| run.clone()).collect();
        self.violations.extend(gs_7_deployed_once(&runs));
    }

    /// GS-5, GS-8, GS-9, GS-12: what the store took.
    pub(crate) fn committed(&mut self, epoch: u64, writes: &[Write]) {
        if epoch < self.newest_epoch {
            self.complain("GS-9", format!("leader {epoch} committed after leader {}", self.newest_epoch));
        }
        self.newest_epoch = self.newest_epoch.max(epoch);
        if !writes.iter().any(|write| matches!(write, Write::Audit(_))) {
            self.complain("GS-12", "a change has no audit record");
        }
        for write in writes {
            match write {
                Write::Head(head, Some(snapshot)) => drop(self.snapshots.insert(head.id.clone(), (**snapshot).clone())),
                Write::Turn(id, cluster, turn) => self.turn_written(id, cluster, turn, writes),
                _ => {}
            }
        }
        for write in writes {
            if let Write::Release(release, cluster, known) = write {
                self.release_written(release, cluster, known);
            }
        }
    }

    fn release_written(&mut self, release: &ReleaseName, cluster: &ClusterName, known: &ClusterRelease) {
        let place = (cluster.clone(), release.clone());
        let was = self.known.insert(place.clone(), known.clone()).unwrap_or_default();
        let paid = was.debt.is_some_and(|debt| debt.paying.is_some()) && known.debt.is_none();
        if paid && was.assignment == known.assignment {
            self.is_good(&place);
        }
        let Some(assignment) = &known.assignment else { return };
        let issued = self.issued.entry(place.clone()).or_default();
        if issued.last() == Some(assignment) {
            return;
        }
        issued.push(assignment.clone());
        let generations: Vec<Generation> = issued.iter().rev().take(2).rev().map(|issued| issued.generation).collect();
        let of_rollout =
            issued.iter().filter(|issued| issued.rollout == assignment.rollout && issued.direction == Direction::Forward).count();
        let key = (assignment.rollout.clone(), cluster.clone());
        let allowed = 1 + self.second_tries.get(&key).copied().unwrap_or_default();
        if of_rollout > allowed {
            self.complain("GS-8", format!("{} was issued to {cluster} {of_rollout} times, {allowed} were asked for", assignment.rollout));
        }
        if assignment.direction == Direction::Forward && of_rollout == 1 {
            self.before.insert(key, self.good.get(&place).cloned());
        }
        self.violations.extend(gs_5_rising(&generations));
    }

    /// The second, dumber model of what a cluster can be taken back to. What is known is still that from before the commit.
    fn turn_written(&mut self, id: &RolloutId, cluster: &ClusterName, turn: &Turn, writes: &[Write]) {
        let was = self.turns.insert((id.clone(), cluster.clone()), turn.clone()).unwrap_or_default();
        let Some(release) = self.snapshots.get(id).map(|snapshot| snapshot.release.clone()) else { return };
        let place = (cluster.clone(), release);
        let is = |turn: &Turn| matches!(turn.forward, Forward::Succeeded { .. });
        let is_back = |turn: &Turn| matches!(turn.back, Back::Done { .. });
        let carried_well = was.carried.is_some() && turn.carried.is_none() && {
            let brought = self.known.get(&place).and_then(|known| known.assignment.as_ref()).map(|assignment| &assignment.rollout);
            writes.iter().any(|write| match write {
                Write::Release(of, name, known) if (name, of) == (&place.0, &place.1) => {
                    let before = self.known.get(&place).and_then(|before| before.last_good.as_ref());
                    known.last_good.as_ref() != before && known.last_good.as_ref().and_then(|good| good.rollout.as_ref()) == brought
                }
                _ => false,
            })
        };
        if (is(turn) && !is(&was)) || (is_back(turn) && !is_back(&was)) || carried_well {
            self.is_good(&place);
        }
    }

    fn is_good(&mut self, place: &Place) {
        let Some(assignment) = self.known.get(place).and_then(|known| known.assignment.as_ref()) else { return };
        match &assignment.target {
            Target::Content(content) => {
                let version = content.chart.version.trim_start_matches("0.").trim_end_matches(".0").parse().unwrap_or_default();
                self.good.insert(place.clone(), label(&place.1, version));
            }
            Target::HelmRevision(_) => drop(self.good.insert(place.clone(), format!("{}-9.9.9", place.1))),
            Target::Uninstalled | Target::Orphaned => drop(self.good.remove(place)),
        }
    }

    /// GS-1 to GS-5 and GS-10 of a round, by the shared checks and by what was really heard.
    pub(crate) fn round(&mut self, view: &View<'_>, changes: &[Change], now: Time) {
        self.violations.extend(check_round(view, changes, now));
        let frozen = self.snapshots.get(&view.snapshot.id).and_then(|first| gs_3_frozen(first, view.snapshot));
        self.violations.extend(frozen);
        let mut turns = view.turns.clone();
        for change in changes {
            match change {
                Change::Forward(name, forward) => {
                    self.counted(view, name, forward);
                    turns.entry(name.clone()).or_default().forward = forward.clone();
                }
                Change::Back(name, back) => turns.entry(name.clone()).or_default().back = back.clone(),
                Change::Promote(promotion) => self.promoted(view, &turns, promotion.wave, now),
                Change::Issue(assignment) if assignment.direction == Direction::Back => self.goes_back(view, &turns, assignment),
                Change::Issue(_) => self.within_budget(view, &turns),
                _ => {}
            }
        }
    }

    /// Done is only who was heard to be, about this very generation.
    fn counted(&mut self, view: &View<'_>, name: &ClusterName, forward: &Forward) {
        let Forward::Succeeded { generation, .. } = forward else { return };
        let heard = self.heard.get(&(name.clone(), view.snapshot.release.clone()));
        if heard.is_none_or(|heard| heard.generation != *generation || !matches!(heard.phase, Phase::Healthy | Phase::Gone)) {
            self.complain("GS-10", format!("{name} counts as done, and was not heard to be with generation {generation}"));
        }
    }

    fn within_budget(&mut self, view: &View<'_>, turns: &BTreeMap<ClusterName, Turn>) {
        for (index, wave) in view.snapshot.strategy.waves.iter().enumerate() {
            let members: Vec<&ClusterName> = view.snapshot.wave_members(index).collect();
            let failed = members.iter().filter(|name| turns.get(**name).is_some_and(Turn::is_failure)).count();
            if failed > wave.failure_budget.failure_budget(members.len()) {
                self.complain("GS-10", format!("{} goes on with {failed} failures in wave {}", view.snapshot.id, wave.name));
            }
        }
    }

    fn promoted(&mut self, view: &View<'_>, turns: &BTreeMap<ClusterName, Turn>, index: usize, now: Time) {
        self.within_budget(view, turns);
        let Some(wave) = view.snapshot.strategy.waves.get(index) else { return };
        if wave.approval && !view.head.approvals.contains_key(&index) {
            self.complain("GS-10", format!("wave {} was promoted without approval", wave.name));
        }
        for (name, member) in view.snapshot.members.iter().filter(|(_, member)| member.wave <= index) {
            let turn = turns.get(name).cloned().unwrap_or_default();
            if member.wave == index && matches!(turn.forward, Forward::Waiting | Forward::InFlight { .. }) {
                self.complain("GS-10", format!("wave {} was promoted, and {name} has not ended", wave.name));
            }
            if !matches!(turn.forward, Forward::Succeeded { .. }) {
                continue;
            }
            let newest = self.issued.get(&(name.clone(), view.snapshot.release.clone())).and_then(|issued| issued.last());
            let heard = self.heard.get(&(name.clone(), view.snapshot.release.clone()));
            let holds = heard.zip(newest).is_some_and(|(heard, newest)| {
                heard.rollout == view.snapshot.id
                    && heard.generation == newest.generation
                    && newest.direction == Direction::Forward
                    && matches!(heard.phase, Phase::Healthy | Phase::Gone)
                    && (heard.phase == Phase::Gone || now.since(heard.at) <= STALE)
            });
            if !holds {
                self.complain("GS-10", format!("wave {} was promoted, and {name} was not heard to be healthy with it", wave.name));
            }
        }
    }

    /// Reverse wave order: no wave goes back before the later ones are back.
    fn goes_back(&mut self, view: &View<'_>, turns: &BTreeMap<ClusterName, Turn>, assignment: &Assignment) {
        let State::RollingBack { scope, .. } = view.head.state else { return };
        let Some(wave) = view.snapshot.members.get(&assignment.cluster).map(|member| member.wave) else { return };
        for (name, _) in view.snapshot.members.iter().filter(|(_, member)| member.wave > wave) {
            let turn = turns.get(name).cloned().unwrap_or_default();
            let is_to_go = turn.was_changed() && turn.back == Back::None && (scope == Scope::All || turn.is_failure());
            if is_to_go || matches!(turn.back, Back::InFlight { .. }) {
                self.complain("GS-2", format!("{} goes back before {name}, which is of a later wave", assignment.cluster));
            }
        }
    }

    /// GS-1 of debts.
    pub(crate) fn debts(&mut self, view: &DebtView<'_>, changes: &[Change]) {
        let issued: Vec<&Assignment> =
            changes.iter().filter_map(|change| if let Change::Issue(assignment) = change { Some(assignment) } else { None }).collect();
        let pays = |name: &ClusterName| {
            let ends = changes.iter().any(|change| matches!(change, Change::Owe(of, _) | Change::Settled(of) if of == name));
            !ends && view.releases.get(name).is_some_and(|known| known.debt.as_ref().is_some_and(|debt| debt.paying.is_some()))
        };
        let in_flight = view.releases.keys().filter(|name| pays(name)).count() + issued.len();
        if !issued.is_empty() && in_flight > view.max_concurrent.min(view.fleet_room) {
            self.complain(
                "GS-1",
                format!("{in_flight} pay debts, {} may, the fleet has room for {}", view.max_concurrent, view.fleet_room),
            );
        }
        for assignment in issued {
            if view.active.is_some_and(|active| active.members.contains_key(&assignment.cluster)) {
                self.complain("GS-1", format!("{} pays a debt while a rollout brings it what is newest", assignment.cluster));
            }
        }
    }
}

fn agrees(issued: &Assignment, call: &HelmCall, chart: &str) -> Result<(), (&'static str, String)> {
    match (&issued.target, call) {
        (Target::Content(content), HelmCall::Upgrade { content: given }) if content == given => Ok(()),
        (Target::Content(content), HelmCall::Rollback { .. })
            if issued.direction == Direction::Back && chart == format!("{}-{}", content.chart.name, content.chart.version) =>
        {
            Ok(())
        }
        (Target::HelmRevision(_), HelmCall::Rollback { .. }) if chart.ends_with("-9.9.9") => Ok(()),
        (Target::Uninstalled, HelmCall::Uninstall) => Ok(()),
        (_, HelmCall::Uninstall) => Err(("GS-11", "helm uninstalled without a tombstone".into())),
        (target, call) => Err(("GS-2", format!("helm did {call:?} where {target:?} was wanted"))),
    }
}
