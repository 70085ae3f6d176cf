//! The coordinator: decides on its mirror, commits, and only then sends. It does what the server does, in the same order.

use crate::mutation::Inputs;
use crate::net::{HealthFact, Message};
use crate::records::{Records, Write};
use crate::world::{Actor, Cut, Event, PERMIT, STALE, World};
use groundswell_core::assignment::{Assignment, Direction};
use groundswell_core::id::{ClusterName, Epoch, Generation, ReleaseName, RolloutId};
use groundswell_core::planner::{Change, ClusterFacts, DebtView, LiveHealth, Presence, View, Wait, apply, pay_debts};
use groundswell_core::report::{Phase, Report};
use groundswell_core::rollout::{ClusterRelease, Outcome, State};
use groundswell_core::time::{Span, Time};
use std::collections::BTreeMap;

/// How often the planner looks when something changed, and when nothing did.
const PLAN_EVERY: Span = Span::seconds(1);
const LOOK_EVERY: Span = Span::seconds(5);

/// Rounds in a row: more than a fleet of some hundred clusters ever needs.
const MAX_ROUNDS: usize = 200;

/// The coordinator's end of a session.
#[derive(Clone, Debug)]
pub(crate) struct Session {
    pub(crate) id: u64,
    pub(crate) attached: bool,
    pub(crate) has: BTreeMap<ReleaseName, Generation>,
}

/// A coordinator's process.
pub struct Leader {
    /// Its term.
    pub epoch: Epoch,
    /// All that it has read and written.
    pub records: Records,
    /// It has learned that it was replaced.
    pub down: bool,
    /// Why rollouts did not go on in the last round.
    pub waits: BTreeMap<RolloutId, Vec<Wait>>,
    pub(crate) sessions: BTreeMap<usize, Session>,
    pub(crate) heard_at: BTreeMap<ClusterName, Time>,
    pub(crate) live: BTreeMap<ReleaseName, BTreeMap<ClusterName, LiveHealth>>,
    connected: BTreeMap<ClusterName, usize>,
    started_at: Time,
    nudged: bool,
    looked_at: Time,
}

impl Leader {
    fn presence(&self, name: &ClusterName, now: Time) -> Presence {
        let heard = self.heard_at.get(name).copied();
        match heard {
            Some(heard) if self.connected.contains_key(name) && now.since(heard) <= STALE => Presence::Connected,
            Some(heard) => Presence::Away { since: heard },
            None => Presence::Unknown { since: self.started_at },
        }
    }

    /// What the planner looks at.
    pub(crate) fn facts(&self, release: &ReleaseName, now: Time) -> BTreeMap<ClusterName, ClusterFacts> {
        let live = self.live.get(release);
        let facts = self.records.clusters.iter().map(|(name, member)| {
            let live = live.and_then(|live| live.get(name)).cloned();
            (name.clone(), ClusterFacts { presence: self.presence(name, now), member: *member, live })
        });
        facts.collect()
    }

    /// Takes in health, as a report or a heartbeat has it.
    fn hear(&mut self, name: &ClusterName, fact: HealthFact, now: Time) {
        let known = self.live.entry(fact.release.clone()).or_default();
        let before = known.get(name);
        if before.is_some_and(|before| before.generation > fact.generation) {
            return;
        }
        let same = before.filter(|before| before.generation == fact.generation && before.phase == fact.phase);
        self.nudged |= same.is_none();
        let changed_at = same.map_or(now, |before| before.changed_at);
        let healthy_since = (fact.phase == Phase::Healthy).then(|| now - fact.healthy_for);
        let HealthFact { rollout, generation, phase, helm_revision, .. } = fact;
        known.insert(name.clone(), LiveHealth { rollout, generation, phase, healthy_since, changed_at, helm_revision, received_at: now });
    }
}

impl World {
    pub(crate) fn start_leader(&mut self) {
        let Ok(epoch) = self.store.begin_epoch() else { return };
        let number = epoch.number;
        let leader = Leader {
            epoch,
            records: self.store.records().clone(),
            down: false,
            waits: BTreeMap::new(),
            sessions: BTreeMap::new(),
            heard_at: BTreeMap::new(),
            live: BTreeMap::new(),
            connected: BTreeMap::new(),
            started_at: self.now,
            nudged: true,
            looked_at: self.now,
        };
        self.leaders.insert(number, leader);
        self.after(PLAN_EVERY, Event::Plan(number));
    }

    pub(crate) fn open_session(&mut self, number: u64, site: usize, id: u64) {
        let (name, now) = (self.sites[site].name.clone(), self.now);
        let Some(leader) = self.leaders.get_mut(&number) else { return };
        leader.sessions.insert(site, Session { id, attached: false, has: BTreeMap::new() });
        leader.connected.insert(name.clone(), site);
        leader.heard_at.insert(name.clone(), now);
        // Health is what an agent sees without a break; it says so again as it attaches.
        for known in leader.live.values_mut() {
            known.remove(&name);
        }
    }

    pub(crate) fn server_break(&mut self, number: u64, site: usize, session: u64) {
        let (name, now) = (self.sites[site].name.clone(), self.now);
        let Some(leader) = self.leaders.get_mut(&number) else { return };
        if leader.sessions.get(&site).is_some_and(|present| present.id == session) {
            leader.sessions.remove(&site);
            leader.connected.remove(&name);
            leader.heard_at.insert(name, now);
        }
    }

    pub(crate) fn server_hears(&mut self, number: u64, site: usize, session: u64, body: Message) {
        let (name, now) = (self.sites[site].name.clone(), self.now);
        let Some(leader) = self.leaders.get_mut(&number).filter(|leader| !leader.down) else { return };
        // What a replaced session still says is no longer the newest.
        if leader.sessions.get(&site).is_none_or(|present| present.id != session) || leader.records.clusters.get(&name) != Some(&true) {
            return;
        }
        leader.heard_at.insert(name, now);
        match body {
            Message::Attach(epoch, reports) => self.attach(number, site, &epoch, reports),
            Message::Report(report) => drop(self.take_report(number, site, *report)),
            Message::Heartbeat(facts) => {
                for fact in facts {
                    self.hear(number, site, fact);
                }
            }
            Message::AskPermit(release, generation) => self.permit(number, site, session, release, generation),
            Message::Assign(_) | Message::Permit(..) => {}
        }
    }

    fn attach(&mut self, number: u64, site: usize, epoch: &Epoch, reports: Vec<Report>) {
        if epoch.number > number {
            return self.step_down(number);
        }
        let has = reports.iter().map(|report| (report.release.clone(), report.generation)).collect();
        for report in reports {
            if !self.take_report(number, site, report) {
                return;
            }
        }
        let name = self.sites[site].name.clone();
        let Some(leader) = self.leaders.get_mut(&number) else { return };
        let Some(session) = leader.sessions.get_mut(&site) else { return };
        (session.has, session.attached) = (has, true);
        let of_cluster = leader.records.releases.values().filter_map(|known| known.get(&name));
        let assignments: Vec<Assignment> = of_cluster.filter_map(|known| known.assignment.clone()).collect();
        leader.nudged = true;
        assignments.into_iter().for_each(|assignment| self.post(number, assignment));
    }

    fn hear(&mut self, number: u64, site: usize, fact: HealthFact) {
        let (name, now) = (self.sites[site].name.clone(), self.now);
        self.truth.heard(&name, &fact, now);
        if let Some(leader) = self.leaders.get_mut(&number) {
            leader.hear(&name, fact, now);
        }
    }

    /// Takes a report; false when the process ended over it.
    fn take_report(&mut self, number: u64, site: usize, mut report: Report) -> bool {
        let Some(leader) = self.leaders.get(&number) else { return false };
        let name = self.sites[site].name.clone();
        report.cluster = name.clone();
        report.received_at = self.now;
        let fact = HealthFact {
            release: report.release.clone(),
            rollout: report.rollout.clone(),
            generation: report.generation,
            phase: report.phase,
            healthy_for: report.healthy_for,
            helm_revision: report.helm_revision,
        };
        self.truth.heard(&name, &fact, self.now);
        let known = leader.records.release(&report.release, &name);
        let (report, fact) = self.mutation.on_report(known, report, fact);
        if let Some(known) = known.filter(|known| known.is_news(&report)) {
            let write =
                Write::Release(report.release.clone(), name.clone(), Box::new(ClusterRelease { report: Some(report), ..known.clone() }));
            if !self.commit(number, vec![write, Write::Audit(format!("{name} report"))]) {
                return false;
            }
        }
        let now = self.now;
        if let Some(leader) = self.leaders.get_mut(&number) {
            leader.nudged = true;
            leader.hear(&name, fact, now);
        }
        true
    }

    fn permit(&mut self, number: u64, site: usize, session: u64, release: ReleaseName, generation: Generation) {
        let name = self.sites[site].name.clone();
        let Some(leader) = self.leaders.get(&number) else { return };
        let granted = may_start(&leader.records, &name, &release, generation).then_some(PERMIT);
        if granted.is_some() {
            let until = self.now + PERMIT;
            self.truth.permitted(&name, &release, generation, until);
        }
        self.send_down(site, session, Message::Permit(release, generation, granted));
    }

    /// Puts an assignment into the mailbox of its cluster.
    pub(crate) fn post(&mut self, number: u64, assignment: Assignment) {
        let Some(leader) = self.leaders.get_mut(&number) else { return };
        let Some(site) = leader.connected.get(&assignment.cluster).copied() else { return };
        let Some(session) = leader.sessions.get_mut(&site).filter(|session| session.attached) else { return };
        if session.has.get(&assignment.release).is_some_and(|has| *has >= assignment.generation) {
            return;
        }
        session.has.insert(assignment.release.clone(), assignment.generation);
        let session = session.id;
        // What a predecessor issued is sent under the leader's own epoch; an agent that has seen this leader would refuse it else.
        let assignment =
            if self.mutation.keeps_old_epochs() { assignment } else { Assignment { epoch: leader.epoch.clone(), ..assignment } };
        self.send_down(site, session, Message::Assign(Box::new(assignment)));
    }

    /// Commits; false when the process ended over it, or may no longer lead.
    pub(crate) fn commit(&mut self, number: u64, writes: Vec<Write>) -> bool {
        let cut = self.cut(Actor::Coordinator);
        if cut == Cut::Before {
            self.crash_leader(number, true);
            return false;
        }
        let Some(leader) = self.leaders.get_mut(&number).filter(|leader| !leader.down) else { return false };
        let committed = if self.mutation.is_unfenced() {
            self.store.commit_unfenced(&mut leader.records, &writes);
            true
        } else {
            self.store.commit(number, &mut leader.records, &writes).is_ok()
        };
        if !committed {
            self.step_down(number);
            return false;
        }
        leader.nudged = true;
        self.truth.committed(number, &writes);
        if cut == Cut::After {
            self.crash_leader(number, true);
            return false;
        }
        true
    }

    /// A coordinator that was replaced ends.
    fn step_down(&mut self, number: u64) {
        let leads = self.leaders.last_key_value().is_some_and(|(last, _)| *last == number);
        self.crash_leader(number, leads);
    }

    pub(crate) fn plan_event(&mut self, number: u64) {
        let now = self.now;
        let Some(leader) = self.leaders.get_mut(&number).filter(|leader| !leader.down) else { return };
        if leader.nudged || now.since(leader.looked_at) >= LOOK_EVERY {
            (leader.nudged, leader.looked_at) = (false, now);
            self.plan_all(number);
        }
        if self.leaders.contains_key(&number) {
            self.after(PLAN_EVERY, Event::Plan(number));
        }
    }

    /// Plans until nothing is left to do now; how many rounds changed something.
    pub(crate) fn plan_all(&mut self, number: u64) -> usize {
        let Some(leader) = self.leaders.get(&number) else { return 0 };
        let releases: Vec<ReleaseName> = leader.records.index.keys().cloned().collect();
        let mut changed = 0;
        for release in releases {
            for _ in 0..MAX_ROUNDS {
                match self.round(number, &release) {
                    Some((did, more)) => {
                        changed += usize::from(did);
                        if !more {
                            break;
                        }
                    }
                    None => return changed,
                }
            }
            for _ in 0..MAX_ROUNDS {
                match self.debt_round(number, &release) {
                    Some((did, more)) => {
                        changed += usize::from(did);
                        if !more {
                            break;
                        }
                    }
                    None => return changed,
                }
            }
        }
        changed
    }

    /// One round of a release's rollout: whether it changed something, and whether another should follow. `None` when the
    /// process ended.
    fn round(&mut self, number: u64, release: &ReleaseName) -> Option<(bool, bool)> {
        let now = self.now;
        let leader = self.leaders.get(&number)?;
        let records = &leader.records;
        let Some(head) = records.latest(release).filter(|head| !head.state.is_ended()) else { return Some((false, false)) };
        let (Some(snapshot), clusters) = (records.snapshots.get(&head.id).cloned(), leader.facts(release, now)) else {
            return Some((false, false));
        };
        let (id, no_turns, no_releases) = (head.id.clone(), BTreeMap::new(), BTreeMap::new());
        let turns = records.turns_of(&id).unwrap_or(&no_turns);
        let releases = records.releases.get(release).unwrap_or(&no_releases);
        let elsewhere = in_flight(records, now).into_iter().filter(|(of, _)| of != release).map(|(_, count)| count).sum::<usize>()
            + paying(records, release);
        let view = View {
            snapshot: &snapshot,
            head,
            turns,
            clusters: &clusters,
            releases,
            fleet_room: self.config.fleet_max.saturating_sub(elsewhere),
            max_assignments: self.config.max_assignments,
            stale_after: STALE,
            epoch: &leader.epoch,
        };
        let plan = Inputs::of(&view).plan(self.mutation, &view, now);
        self.truth.round(&view, &plan.changes, now);
        let writes = writes_of(records, Some(&id), release, &plan.changes);
        let did = !plan.changes.is_empty();
        if let Some(leader) = self.leaders.get_mut(&number) {
            leader.waits.insert(id, plan.waits);
        }
        self.commit_and_send(number, writes, &plan.changes)?;
        Some((did, did && plan.more))
    }

    fn debt_round(&mut self, number: u64, release: &ReleaseName) -> Option<(bool, bool)> {
        let now = self.now;
        let leader = self.leaders.get(&number)?;
        let records = &leader.records;
        let Some(releases) = records.releases.get(release).filter(|known| known.values().any(|known| known.debt.is_some())) else {
            return Some((false, false));
        };
        let head = records.latest(release);
        let active = head.filter(|head| !head.state.is_ended()).and_then(|head| records.snapshots.get(&head.id).cloned());
        let elsewhere = in_flight(records, now).values().sum::<usize>()
            + records.index.keys().filter(|other| *other != release).map(|other| paying(records, other)).sum::<usize>();
        let view = DebtView {
            active: active.as_deref(),
            clusters: &leader.facts(release, now),
            releases,
            max_concurrent: self.config.debts_at_once,
            fleet_room: self.config.fleet_max.saturating_sub(elsewhere),
            max_assignments: self.config.max_assignments,
            ready_for: Span::seconds(10),
            stale_after: STALE,
            epoch: &leader.epoch,
        };
        let plan = pay_debts(&view, now);
        self.truth.debts(&view, &plan.changes);
        let writes = writes_of(records, None, release, &plan.changes);
        let did = !plan.changes.is_empty();
        self.commit_and_send(number, writes, &plan.changes)?;
        Some((did, did && plan.more))
    }

    fn commit_and_send(&mut self, number: u64, writes: Vec<Write>, changes: &[Change]) -> Option<()> {
        let issued =
            changes.iter().filter_map(|change| if let Change::Issue(assignment) = change { Some(assignment.clone()) } else { None });
        let issued: Vec<Assignment> = issued.collect();
        if self.mutation.sends_first() {
            issued.iter().for_each(|assignment| self.post(number, assignment.clone()));
        }
        if !writes.is_empty() && !self.commit(number, writes) {
            return None;
        }
        issued.into_iter().for_each(|assignment| self.post(number, assignment));
        Some(())
    }
}

/// In flight in rollouts, by release. Work of one that a person aborted counts until its time is over.
pub(crate) fn in_flight(records: &Records, now: Time) -> BTreeMap<ReleaseName, usize> {
    let counts = records.index.iter().filter_map(|(release, record)| {
        let head = records.heads.get(record.latest.as_ref()?)?;
        let counts =
            |turn: &groundswell_core::rollout::Turn| turn.in_flight().is_some() && (!head.state.is_ended() || is_under_way(turn, now));
        Some((release.clone(), records.turns_of(&head.id)?.values().filter(|turn| counts(turn)).count()))
    });
    counts.collect()
}

/// Whether the time of what is in flight is not over yet.
pub(crate) fn is_under_way(turn: &groundswell_core::rollout::Turn, now: Time) -> bool {
    use groundswell_core::rollout::{Back, Forward};
    match (&turn.forward, &turn.back, &turn.carried) {
        (_, Back::InFlight { until, .. }, _) | (Forward::InFlight { until, .. }, Back::None, _) => now < *until,
        (_, _, Some(carried)) => now < carried.until,
        _ => false,
    }
}

pub(crate) fn paying(records: &Records, release: &ReleaseName) -> usize {
    let known = records.releases.get(release).into_iter().flat_map(BTreeMap::values);
    known.filter(|known| known.debt.as_ref().is_some_and(|debt| debt.paying.is_some())).count()
}

/// The records that changes come to, with an audit record for each cluster and for the head.
pub(crate) fn writes_of(records: &Records, id: Option<&RolloutId>, release: &ReleaseName, changes: &[Change]) -> Vec<Write> {
    if changes.is_empty() {
        return Vec::new();
    }
    let names: std::collections::BTreeSet<&ClusterName> = changes.iter().filter_map(Change::cluster).collect();
    let turns_before = id.and_then(|id| records.turns_of(id));
    let pick = |name: &&ClusterName| turns_before.and_then(|turns| turns.get(*name)).map(|turn| ((*name).clone(), turn.clone()));
    let mut turns: BTreeMap<_, _> = names.iter().filter_map(pick).collect();
    let mut known: BTreeMap<_, _> =
        names.iter().filter_map(|name| records.release(release, name).map(|known| ((*name).clone(), known.clone()))).collect();
    let latest = id.and_then(|id| records.heads.get(id)).or_else(|| records.latest(release));
    let Some(before) = latest else { return Vec::new() };
    let mut head = before.clone();
    apply(changes, &mut head, &mut turns, &mut known);
    let mut writes = Vec::new();
    if let Some(id) = id {
        for (name, turn) in turns {
            if turns_before.and_then(|before| before.get(&name)) != Some(&turn) {
                writes.push(Write::Turn(id.clone(), name, Box::new(turn)));
            }
        }
        if head != *before {
            writes.push(Write::Audit(format!("{id}: {:?}", head.state)));
            writes.push(Write::Head(Box::new(head), None));
        }
    }
    for (name, release_now) in known {
        if records.release(release, &name) != Some(&release_now) {
            writes.push(Write::Release(release.clone(), name, Box::new(release_now)));
        }
    }
    writes.push(Write::Audit("planner".into()));
    writes
}

/// Whether an agent may start (GS-4), as the server says it.
pub(crate) fn may_start(records: &Records, cluster: &ClusterName, release: &ReleaseName, generation: Generation) -> bool {
    let Some(assignment) = records.release(release, cluster).and_then(|known| known.assignment.as_ref()) else { return false };
    if assignment.generation != generation || records.clusters.get(cluster) != Some(&true) {
        return false;
    }
    let Some(head) = records.heads.get(&assignment.rollout) else { return false };
    match (&head.state, assignment.direction) {
        (_, Direction::Debt) => true,
        (State::Paused { .. } | State::Ended { outcome: Outcome::Aborted, .. }, _) => false,
        (State::Halted { .. } | State::RollingBack { .. }, direction) => direction != Direction::Forward,
        _ => true,
    }
}
