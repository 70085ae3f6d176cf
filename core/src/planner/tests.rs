//! Scenarios on a toy fleet whose agents do at once what they are told. The simulator in `sim/` does the hard ones.

mod back;

use super::*;
use crate::assignment::{ChartRef, Content, Direction, Drift, LastGood, Target};
use crate::id::{Digest, Namespace, ReleaseName, WaveName};
use crate::invariant::check_round;
use crate::limit::Limit;
use crate::report::{Adopted, Report};
use crate::rollout::{Back, Forward, Member, Outcome, Purpose};
use crate::strategy::{Each, OnFailure, Strategy, Wave};

const STALE: Span = Span::seconds(30);

struct Fleet {
    snapshot: Snapshot,
    head: Head,
    turns: BTreeMap<ClusterName, Turn>,
    clusters: BTreeMap<ClusterName, ClusterFacts>,
    releases: BTreeMap<ClusterName, ClusterRelease>,
    epoch: Epoch,
    now: Time,
    waits: Vec<Wait>,
    most_in_flight: usize,
}

fn name(text: &str) -> ClusterName {
    ClusterName::new(text).unwrap()
}

fn digest(byte: u8) -> Digest {
    Digest::new(format!("{byte:02x}").repeat(32)).unwrap()
}

fn content(byte: u8) -> Content {
    Content { chart: ChartRef { name: "beacon".into(), version: format!("0.{byte}.0"), digest: digest(byte) }, values: vec![] }
}

fn wave(label: &str, max: Limit) -> Wave {
    Wave { max_concurrent: max, ..Wave::safe(WaveName::new(label).unwrap(), format!("wave={label}").parse().unwrap()) }
}

impl Fleet {
    /// `sizes` clusters in each wave, named `<wave>-<n>`, all connected.
    fn new(sizes: &[usize], adjust: impl FnOnce(&mut Strategy)) -> Self {
        let waves: Vec<Wave> = (0..sizes.len()).map(|n| wave(&format!("w{n}"), Limit::Count(2))).collect();
        let mut strategy = Strategy { waves, each: Each::default(), ..Strategy::default() };
        adjust(&mut strategy);
        let members = sizes
            .iter()
            .enumerate()
            .flat_map(|(wave, size)| (0..*size).map(move |n| (name(&format!("w{wave}-{n}")), Member { wave, values: vec![] })));
        let members: BTreeMap<_, _> = members.collect();
        let release = ReleaseName::new("beacon").unwrap();
        let id = RolloutId::new(&release, 1);
        let facts = ClusterFacts { presence: Presence::Connected, member: true, live: None };
        let head = Head {
            id: id.clone(),
            release: release.clone(),
            plan_hash: digest(9),
            plan_recipe: 1,
            snapshot: digest(8),
            state: State::Running,
            wave: 0,
            approvals: BTreeMap::new(),
            promotions: vec![],
            created_at: Time(0),
        };
        Self {
            clusters: members.keys().map(|member| (member.clone(), facts.clone())).collect(),
            snapshot: Snapshot {
                id,
                release,
                namespace: Namespace::new("monitoring").unwrap(),
                purpose: Purpose::Apply,
                chart: Some(content(2).chart),
                strategy,
                members,
                drift: Drift::Report,
                service_account: None,
                create_namespace: true,
                document_revision: 1,
                supersedes: None,
                created_at: Time(0),
                created_by: "test".into(),
            },
            head,
            turns: BTreeMap::new(),
            releases: BTreeMap::new(),
            epoch: Epoch { lineage: "test".into(), number: 1 },
            now: Time(1_000_000),
            waits: vec![],
            most_in_flight: 0,
        }
    }

    fn round(&mut self) -> Vec<Change> {
        let view = View {
            snapshot: &self.snapshot,
            head: &self.head,
            turns: &self.turns,
            clusters: &self.clusters,
            releases: &self.releases,
            fleet_room: usize::MAX,
            max_assignments: 30,
            stale_after: STALE,
            epoch: &self.epoch,
        };
        let plan = plan(&view, self.now);
        assert_eq!(check_round(&view, &plan.changes, self.now), vec![]);
        apply(&plan.changes, &mut self.head, &mut self.turns, &mut self.releases);
        self.waits = plan.waits;
        self.most_in_flight = self.most_in_flight.max(self.turns.values().filter(|turn| turn.in_flight().is_some()).count());
        plan.changes
    }

    /// Plans until nothing changes any more at this time.
    fn rest(&mut self) {
        for _ in 0..200 {
            if self.round().is_empty() {
                return;
            }
        }
        panic!("no rest: {:?}", self.head.state);
    }

    fn report(&mut self, cluster: &ClusterName, phase: Phase, message: &str) {
        let release = self.releases.get_mut(cluster).unwrap();
        let assignment = release.assignment.clone().unwrap();
        let chart_digest = match &assignment.target {
            Target::Content(content) => content.chart.digest.to_string(),
            _ => String::new(),
        };
        release.report = Some(Report {
            cluster: cluster.clone(),
            release: assignment.release.clone(),
            rollout: assignment.rollout.clone(),
            generation: assignment.generation,
            chart_digest,
            attempt: 1,
            incarnation: Default::default(),
            sequence: 1,
            phase,
            healthy_for: Span::ZERO,
            helm_revision: Some(7),
            message: message.into(),
            adopted: None,
            notes: vec![],
            received_at: self.now,
        });
        self.clusters.get_mut(cluster).unwrap().live = Some(LiveHealth {
            rollout: assignment.rollout,
            generation: assignment.generation,
            phase,
            healthy_since: (phase == Phase::Healthy).then_some(self.now),
            changed_at: self.now,
            helm_revision: Some(7),
            received_at: self.now,
        });
    }

    fn in_flight(&self) -> Vec<ClusterName> {
        self.turns.iter().filter(|(_, turn)| turn.in_flight().is_some()).map(|(name, _)| name.clone()).collect()
    }

    /// Heartbeats: what was said last is said again.
    fn pass(&mut self, span: Span) {
        self.now = self.now + span;
        for facts in self.clusters.values_mut().filter(|facts| facts.presence == Presence::Connected) {
            if let Some(live) = &mut facts.live {
                live.received_at = self.now;
            }
        }
    }

    /// Lets every agent succeed, second by second, until the rollout ends or stands still for an hour.
    fn run(&mut self) {
        for _ in 0..3_600 {
            self.rest();
            if self.head.state.is_ended() {
                return;
            }
            for cluster in self.in_flight() {
                if self.releases[&cluster].current_report().is_none() {
                    self.report(&cluster, Phase::Healthy, "healthy");
                }
            }
            self.pass(Span::seconds(1));
        }
    }

    fn outcome(&self) -> Option<Outcome> {
        if let State::Ended { outcome, .. } = self.head.state { Some(outcome) } else { None }
    }
}

#[test]
fn canary_first_then_the_rest_within_the_limit() {
    let mut fleet = Fleet::new(&[1, 5], |_| {});
    fleet.rest();
    assert_eq!(fleet.in_flight(), [name("w0-0")]);
    fleet.run();
    assert_eq!((fleet.outcome(), fleet.most_in_flight), (Some(Outcome::Succeeded), 2));
    assert_eq!(fleet.head.promotions.len(), 2);
    assert!(fleet.releases.values().all(|release| release.last_good.as_ref().is_some_and(|good| good.content == Some(content(2)))));
}

#[test]
fn a_wave_bakes_for_its_time_and_a_relapse_begins_it_anew() {
    let mut fleet = Fleet::new(&[1, 1], |strategy| strategy.waves[0].bake = Span::minutes(5));
    fleet.rest();
    fleet.report(&name("w0-0"), Phase::Healthy, "healthy");
    fleet.pass(Span::minutes(4));
    fleet.rest();
    fleet.report(&name("w0-0"), Phase::Unhealthy, "a pod went away");
    fleet.pass(Span::seconds(20));
    fleet.rest();
    fleet.report(&name("w0-0"), Phase::Healthy, "healthy");
    fleet.pass(Span::minutes(4));
    fleet.rest();
    assert_eq!((fleet.head.wave, fleet.head.state.clone()), (0, State::Running));
    assert!(fleet.waits.iter().any(|wait| wait.why.contains("baking")), "{:?}", fleet.waits);
    fleet.pass(Span::minutes(1));
    fleet.rest();
    assert_eq!(fleet.head.wave, 1);
}

#[test]
fn a_cluster_that_never_becomes_ready_times_out_and_a_first_install_is_left() {
    let mut fleet = Fleet::new(&[1, 1], |_| {});
    fleet.rest();
    fleet.report(&name("w0-0"), Phase::Unhealthy, "1 of 2 pods ready");
    fleet.pass(Span::minutes(15));
    fleet.rest();
    assert_eq!(fleet.outcome(), Some(Outcome::RolledBack));
    let turn = &fleet.turns[&name("w0-0")];
    assert!(matches!(&turn.forward, Forward::TimedOut { why, .. } if why.contains("1 of 2 pods")), "{turn:?}");
    assert!(matches!(turn.back, Back::Left { .. }));
}

#[test]
fn halting_strategies_wait_for_a_person_and_retry_goes_on() {
    let mut fleet = Fleet::new(&[1, 1], |strategy| strategy.on_failure = OnFailure::Halt);
    fleet.rest();
    fleet.report(&name("w0-0"), Phase::Failed, "no");
    fleet.rest();
    assert!(matches!(fleet.head.state, State::Halted { .. }));
    let changes = command::retry(&fleet.snapshot, &fleet.head, &fleet.turns, &name("w0-0")).unwrap();
    apply(&changes, &mut fleet.head, &mut fleet.turns, &mut fleet.releases);
    fleet.run();
    assert_eq!(fleet.outcome(), Some(Outcome::Succeeded));
    assert_eq!(fleet.turns[&name("w0-0")].attempts, 2);
}

#[test]
fn approval_is_asked_for_after_the_bake_and_bound_to_the_plan() {
    let mut fleet = Fleet::new(&[1, 1], |strategy| strategy.waves[0].approval = true);
    fleet.rest();
    let early = command::approve(&fleet.snapshot, &fleet.head, &fleet.turns, None, None, "ann", None, fleet.now);
    assert!(early.unwrap_err().why.contains("does not await approval yet"));
    fleet.run();
    assert_eq!(fleet.head.wave, 0);
    assert!(fleet.waits.iter().any(|wait| wait.why.contains("approval")), "{:?}", fleet.waits);
    let wrong = command::approve(&fleet.snapshot, &fleet.head, &fleet.turns, None, Some(&digest(1)), "eve", None, fleet.now);
    assert!(wrong.is_err());
    let changes = command::approve(&fleet.snapshot, &fleet.head, &fleet.turns, None, None, "ann", None, fleet.now).unwrap();
    apply(&changes, &mut fleet.head, &mut fleet.turns, &mut fleet.releases);
    fleet.run();
    assert_eq!(fleet.outcome(), Some(Outcome::Succeeded));
    assert_eq!(fleet.head.promotions[0].approved_by.as_deref(), Some("ann"));
}

#[test]
fn absent_clusters_are_owed_and_an_absent_canary_holds() {
    let mut fleet = Fleet::new(&[1, 2], |_| {});
    fleet.clusters.get_mut(&name("w1-1")).unwrap().presence = Presence::Away { since: fleet.now };
    fleet.run();
    assert_eq!(fleet.outcome(), Some(Outcome::SucceededWithDebt));
    assert!(fleet.releases[&name("w1-1")].debt.is_some());

    let mut held = Fleet::new(&[1, 2], |_| {});
    held.clusters.get_mut(&name("w0-0")).unwrap().presence = Presence::Away { since: held.now };
    held.run();
    assert_eq!((held.outcome(), held.head.wave), (None, 0));
    assert!(held.waits.iter().any(|wait| wait.why.contains("canaryMayBeOwed")), "{:?}", held.waits);
}

#[test]
fn a_debt_is_paid_when_the_cluster_is_back() {
    let mut fleet = Fleet::new(&[1, 2], |_| {});
    fleet.clusters.get_mut(&name("w1-1")).unwrap().presence = Presence::Away { since: fleet.now };
    fleet.run();
    fleet.clusters.get_mut(&name("w1-1")).unwrap().presence = Presence::Connected;
    for _ in 0..30 {
        let view = DebtView {
            active: None,
            clusters: &fleet.clusters,
            releases: &fleet.releases,
            max_concurrent: 1,
            fleet_room: 10,
            max_assignments: 10,
            ready_for: Span::seconds(10),
            stale_after: STALE,
            epoch: &fleet.epoch,
        };
        let plan = pay_debts(&view, fleet.now);
        apply(&plan.changes, &mut fleet.head, &mut fleet.turns, &mut fleet.releases);
        if fleet.releases[&name("w1-1")].assignment.is_some() && fleet.releases[&name("w1-1")].report.is_none() {
            fleet.report(&name("w1-1"), Phase::Healthy, "healthy");
        }
        fleet.pass(Span::seconds(1));
    }
    let release = &fleet.releases[&name("w1-1")];
    assert_eq!((release.debt.clone(), release.last_good.as_ref().and_then(|good| good.content.clone())), (None, Some(content(2))));
}

#[test]
fn nothing_starts_while_paused_and_work_in_flight_is_carried_over() {
    let mut fleet = Fleet::new(&[3], |_| {});
    fleet.rest();
    assert_eq!(fleet.in_flight().len(), 2);
    let changes = command::pause(&fleet.head, "ann", "incident").unwrap();
    apply(&changes, &mut fleet.head, &mut fleet.turns, &mut fleet.releases);
    for cluster in fleet.in_flight() {
        fleet.report(&cluster, Phase::Healthy, "healthy");
    }
    fleet.pass(Span::seconds(20));
    fleet.rest();
    assert_eq!(fleet.in_flight().len(), 0);
    assert!(!fleet.turns.contains_key(&name("w0-2")), "a paused rollout started a cluster");

    let mut newer = Fleet::new(&[3], |_| {});
    newer.rest();
    let (ended, turns) = command::supersede(&newer.turns, &RolloutId("beacon-2".into()), newer.now);
    assert!(matches!(ended, Change::SetState(State::Ended { outcome: Outcome::Superseded, .. })));
    assert_eq!(turns.values().filter(|turn| turn.in_flight().is_some()).count(), 2);
    newer.snapshot.id = RolloutId("beacon-2".into());
    newer.head.id = newer.snapshot.id.clone();
    newer.turns = turns;
    newer.rest();
    assert_eq!(newer.in_flight().len(), 2, "carried work holds its slots");
    newer.run();
    assert_eq!((newer.outcome(), newer.most_in_flight), (Some(Outcome::Succeeded), 2));
}

#[test]
fn an_old_report_or_stale_health_proves_nothing() {
    let mut fleet = Fleet::new(&[1, 1], |_| {});
    fleet.rest();
    fleet.report(&name("w0-0"), Phase::Healthy, "healthy");
    fleet.clusters.get_mut(&name("w0-0")).unwrap().presence = Presence::Away { since: fleet.now };
    fleet.pass(Span::minutes(2));
    fleet.rest();
    assert_eq!(fleet.head.wave, 0, "promoted on health that was two minutes old");
}

#[test]
fn min_available_counts_a_cluster_that_the_same_round_found_done() {
    let mut fleet = Fleet::new(&[3], |strategy| {
        strategy.waves[0].max_concurrent = Limit::Count(1);
        strategy.waves[0].min_available = Limit::Count(2);
    });
    for cluster in ["w0-0", "w0-1", "w0-2"] {
        let cluster = name(cluster);
        fleet.releases.insert(cluster.clone(), ClusterRelease::default());
        let mut before = Fleet::new(&[3], |_| {});
        before.rest();
        let mut assignment = before.releases[&name("w0-0")].assignment.clone().unwrap();
        (assignment.cluster, assignment.rollout) = (cluster.clone(), RolloutId("beacon-0".into()));
        fleet.releases.get_mut(&cluster).unwrap().generation = assignment.generation;
        fleet.releases.get_mut(&cluster).unwrap().assignment = Some(assignment);
        fleet.report(&cluster, Phase::Healthy, "healthy");
    }
    // `round` holds each of its plans against the invariants.
    fleet.run();
    assert_eq!((fleet.outcome(), fleet.most_in_flight), (Some(Outcome::Succeeded), 1));
}

#[test]
fn a_rollout_does_not_end_while_a_cluster_that_came_back_is_in_flight() {
    let mut fleet = Fleet::new(&[2, 1], |strategy| strategy.waves[0].may_be_owed = true);
    fleet.clusters.get_mut(&name("w0-1")).unwrap().presence = Presence::Away { since: Time(0) };
    fleet.rest();
    fleet.report(&name("w0-0"), Phase::Healthy, "healthy");
    fleet.pass(Span::minutes(1));
    fleet.rest();
    assert_eq!(fleet.head.wave, 1);
    fleet.report(&name("w1-0"), Phase::Healthy, "healthy");
    fleet.clusters.get_mut(&name("w0-1")).unwrap().presence = Presence::Connected;
    fleet.rest();
    assert_eq!(fleet.in_flight(), [name("w0-1"), name("w1-0")]);
    fleet.pass(Span::minutes(2));
    fleet.rest();
    assert_eq!((fleet.head.wave, fleet.head.state.clone()), (2, State::Running));
    fleet.report(&name("w0-1"), Phase::Healthy, "healthy");
    fleet.run();
    assert_eq!(fleet.outcome(), Some(Outcome::Succeeded));
}

#[test]
fn min_available_of_a_cluster_that_came_back_is_that_of_its_own_wave() {
    let mut fleet = Fleet::new(&[2, 2], |strategy| {
        strategy.waves[0].may_be_owed = true;
        strategy.waves[0].min_available = Limit::Count(2);
    });
    fleet.clusters.get_mut(&name("w0-1")).unwrap().presence = Presence::Away { since: Time(0) };
    fleet.rest();
    fleet.report(&name("w0-0"), Phase::Healthy, "healthy");
    fleet.pass(Span::minutes(1));
    fleet.rest();
    assert_eq!(fleet.head.wave, 1);
    // Back, and healthy with what it had; touching it would leave one healthy of the two that its wave must keep.
    let mut had = fleet.releases[&name("w0-0")].assignment.clone().unwrap();
    (had.cluster, had.rollout) = (name("w0-1"), RolloutId("beacon-0".into()));
    let release = ClusterRelease { generation: had.generation, assignment: Some(had), ..ClusterRelease::default() };
    fleet.releases.insert(name("w0-1"), release);
    fleet.clusters.get_mut(&name("w0-1")).unwrap().presence = Presence::Connected;
    fleet.report(&name("w0-1"), Phase::Healthy, "healthy");
    // Frees the slots of the open wave.
    fleet.report(&name("w1-0"), Phase::Healthy, "healthy");
    fleet.report(&name("w1-1"), Phase::Healthy, "healthy");
    fleet.pass(Span::seconds(20));
    fleet.rest();
    assert!(fleet.waits.iter().any(|wait| wait.subject == "w0-1" && wait.why.contains("minAvailable")) || fleet.head.state.is_ended());
    assert!(!fleet.in_flight().contains(&name("w0-1")));
}
