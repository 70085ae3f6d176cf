use super::*;
use crate::assignment::{Assignment, ChartRef, Content, Direction, Drift, Target};
use crate::id::{ClusterName, Digest, Epoch, Generation, Namespace, ReleaseName, RolloutId};
use crate::report::Phase;
use crate::time::{Span, Time};
use proptest::prelude::*;

const NOW: Time = Time(1_000_000);

pub(super) fn content(version: &str) -> Content {
    let chart = ChartRef { name: "beacon".into(), version: version.into(), digest: Digest::new("a".repeat(64)).unwrap() };
    Content { chart, values: vec![] }
}

pub(super) fn assignment(generation: u64, target: Target) -> Assignment {
    Assignment {
        cluster: ClusterName::new("east-01").unwrap(),
        release: ReleaseName::new("beacon").unwrap(),
        namespace: Namespace::new("beacon").unwrap(),
        rollout: RolloutId("beacon-1".into()),
        generation: Generation(generation),
        epoch: Epoch { lineage: "one".into(), number: 3 },
        direction: Direction::Forward,
        target,
        issued_at: NOW,
        deadline: Span::minutes(15),
        service_account: None,
        drift: Drift::Report,
        create_namespace: true,
    }
}

pub(super) fn forward(generation: u64, version: &str) -> Assignment {
    assignment(generation, Target::Content(content(version)))
}

pub(super) fn back(generation: u64, target: Target) -> Assignment {
    Assignment { direction: Direction::Back, ..assignment(generation, target) }
}

pub(super) fn taken(ledger: &Ledger, assignment: &Assignment) -> Ledger {
    match offer(ledger, assignment) {
        Offer::Accept(ledger) => *ledger,
        other => panic!("{other:?}"),
    }
}

/// How far a helm comes before something cuts it off.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Cut {
    BeforeRevision,
    Pending,
    Stopped,
    Failing,
    Never,
}

/// Helm, as far as its history tells; it refuses what the real one refuses.
#[derive(Clone, Debug, Default)]
pub(super) struct FakeHelm {
    history: Vec<HistoryEntry>,
}

impl FakeHelm {
    fn push(&mut self, status: RevisionStatus, description: &str, chart: &str, marker: Option<Marker>, rollback_to: Option<u32>) {
        let revision = self.history.last().map_or(1, |latest| latest.revision + 1);
        if status == RevisionStatus::Deployed {
            self.supersede();
        }
        let (description, chart) = (description.to_owned(), chart.to_owned());
        self.history.push(HistoryEntry { revision, status, marker, rollback_to, description, chart, updated: NOW });
    }

    fn supersede(&mut self) {
        for known in self.history.iter_mut().filter(|known| known.status == RevisionStatus::Deployed) {
            known.status = RevisionStatus::Superseded;
        }
    }

    pub(super) fn by_hand(&mut self, chart: &str) {
        self.push(RevisionStatus::Deployed, "Upgrade complete", chart, None, None);
    }

    fn run(&mut self, call: &HelmCall, marker: Marker, cut: Cut) -> Option<String> {
        let (pending, chart, rollback_to) = match call {
            HelmCall::Uninstall if matches!(cut, Cut::Never) => {
                self.history.clear();
                return None;
            }
            HelmCall::Uninstall => return Some("interrupted".into()),
            HelmCall::Upgrade { content } => {
                if self.history.last().is_some_and(|latest| latest.status.is_pending()) {
                    return Some("another operation (install/upgrade/rollback) is in progress".into());
                }
                let first = self.history.is_empty();
                let pending = if first { RevisionStatus::PendingInstall } else { RevisionStatus::PendingUpgrade };
                (pending, format!("{}-{}", content.chart.name, content.chart.version), None)
            }
            HelmCall::Rollback { to } => {
                let chart = self.history.iter().find(|known| known.revision == *to).expect("rollback to what is there").chart.clone();
                (RevisionStatus::PendingRollback, chart, Some(*to))
            }
        };
        let marked = rollback_to.is_none().then_some(marker);
        match cut {
            Cut::BeforeRevision => return Some("killed".into()),
            Cut::Pending => self.push(pending, "Preparing", &chart, None, rollback_to),
            Cut::Stopped => self.push(RevisionStatus::Failed, "Upgrade \"beacon\" failed: context canceled", &chart, None, None),
            Cut::Failing => self.push(RevisionStatus::Failed, "Upgrade \"beacon\" failed: no", &chart, None, None),
            Cut::Never => {
                self.push(RevisionStatus::Deployed, "Rollback to or marker", &chart, marked, rollback_to);
                return None;
            }
        }
        Some("killed".into())
    }
}

/// An agent that does what it is told, and can be cut off before or within any step.
pub(super) struct World {
    pub(super) ledger: Ledger,
    pub(super) helm: FakeHelm,
    seen: Observed,
    pub(super) runs: Vec<(HelmCall, Marker)>,
    pub(super) own_namespace: Option<Namespace>,
}

impl World {
    pub(super) fn new(helm: FakeHelm) -> Self {
        Self { ledger: Ledger::default(), helm, seen: awake(), runs: vec![], own_namespace: None }
    }

    pub(super) fn give(&mut self, assignment: &Assignment) {
        self.ledger = taken(&self.ledger, assignment);
        self.seen = Observed { own_namespace: self.own_namespace.clone(), ..awake() };
    }

    pub(super) fn entry(&self) -> &Entry {
        self.ledger.entries.values().next().unwrap()
    }

    fn next(&self) -> Next {
        next(self.entry(), &self.seen, NOW)
    }

    /// One step; a crash loses all that is only seen.
    fn step(&mut self, cut: Cut, crash: bool) -> Next {
        let next = self.next();
        match next.step.clone() {
            Step::ReadHistory => self.seen.history = Some(self.helm.history.clone()),
            Step::AskPermit => self.seen.permit = Permit::Until(NOW + Span::minutes(1)),
            Step::Fetch => self.seen.chart = Chart::Ready,
            Step::Preflight => self.seen.preflight = Preflight::Passed,
            Step::ApplyCrds => self.seen.crds = Crds::Applied { notes: vec![] },
            Step::WriteLedger(entry) => {
                self.ledger.entries.insert(entry.assignment.release.clone(), *entry);
            }
            Step::RunHelm { call, marker } => {
                self.runs.push((call.clone(), marker));
                let error = self.helm.run(&call, marker, cut);
                self.seen.helm_end = Some(HelmEnd { marker, error });
                self.seen.history = None;
            }
            Step::Unlock { revision } => {
                let record = self.helm.history.iter_mut().find(|known| known.revision == revision).unwrap();
                record.status = RevisionStatus::Failed;
                record.description = UNLOCKED.into();
                self.seen.history = None;
            }
            Step::Watch { .. } | Step::Wait | Step::Rest => {}
        }
        if crash {
            self.seen = awake();
        }
        next
    }

    /// Up to and with the next run of helm.
    pub(super) fn run_helm(&mut self, cut: Cut) {
        let before = self.runs.len();
        for _ in 0..60 {
            self.step(cut, false);
            if self.runs.len() > before {
                return;
            }
        }
        panic!("helm is not run: {:?}", self.next());
    }

    pub(super) fn settle(&mut self) -> Next {
        for _ in 0..60 {
            let next = self.step(Cut::Never, false);
            if matches!(next.step, Step::Watch { .. } | Step::Wait | Step::Rest) {
                return next;
            }
        }
        panic!("does not come to rest: {:?}", self.entry());
    }

    fn deployed_of(&self, marker: Marker) -> usize {
        self.helm.history.iter().filter(|known| known.marker == Some(marker)).count()
    }
}

fn awake() -> Observed {
    Observed { holds_lease: true, predecessor_gone: true, ..Observed::default() }
}

#[test]
fn an_assignment_goes_to_a_deployed_revision_and_is_not_repeated() {
    let mut world = World::new(FakeHelm::default());
    world.give(&forward(1, "1.0.0"));
    assert_eq!(world.settle().step, Step::Watch { revision: 1 });
    assert_eq!(offer(&world.ledger, &forward(1, "1.0.0")), Offer::Known);
    world.seen = awake();
    world.settle();
    assert_eq!(world.runs.len(), 1);
}

#[test]
fn the_ledger_is_written_before_helm_runs() {
    let mut world = World::new(FakeHelm::default());
    world.give(&forward(1, "1.0.0"));
    while !matches!(world.next().step, Step::RunHelm { .. }) {
        world.step(Cut::Never, false);
    }
    let operation = world.entry().current_operation().expect("written");
    assert_eq!((operation.expected_revision, operation.marker.attempt), (1, 1));
}

#[test]
fn stale_generations_contents_and_leaders_are_refused() {
    let ledger = taken(&Ledger::default(), &forward(5, "1.0.0"));
    let refused = |assignment: &Assignment| matches!(offer(&ledger, assignment), Offer::Refuse(_));
    assert!(refused(&forward(4, "1.0.0")), "lower generation");
    assert!(refused(&forward(5, "2.0.0")), "other content");
    let epoch = |lineage: &str, number| Epoch { lineage: lineage.into(), number };
    assert!(refused(&Assignment { epoch: epoch("one", 2), ..forward(6, "2.0.0") }), "replaced leader");
    assert!(refused(&Assignment { epoch: epoch("two", 1), ..forward(5, "2.0.0") }), "restored store, generation not raised");
    let restored = Assignment { epoch: epoch("two", 1), ..forward(6, "2.0.0") };
    assert_eq!(taken(&ledger, &restored).max_epoch, epoch("two", 1));
    let resent = Assignment { epoch: epoch("one", 4), ..forward(5, "1.0.0") };
    assert_eq!(offer(&ledger, &resent), Offer::Known);
}

#[test]
fn nothing_starts_after_its_permit_ran_out() {
    let mut world = World::new(FakeHelm::default());
    world.give(&forward(1, "1.0.0"));
    while !matches!(world.next().step, Step::RunHelm { .. }) {
        world.step(Cut::Never, false);
    }
    world.seen.permit = Permit::Until(NOW);
    assert_eq!(world.next().step, Step::AskPermit);
    world.seen.permit = Permit::Refused { why: "the rollout is paused".into(), ask_at: NOW + Span(1) };
    assert_eq!((world.next().step, world.next().phase), (Step::Wait, Phase::Blocked));
    assert!(world.runs.is_empty());
}

#[test]
fn a_pending_revision_of_somebody_else_is_shown_and_left_alone() {
    let mut helm = FakeHelm::default();
    helm.by_hand("beacon-0.9.0");
    helm.push(RevisionStatus::PendingUpgrade, "Preparing upgrade", "beacon-1.0.0", None, None);
    let mut world = World::new(helm);
    world.give(&forward(1, "1.0.0"));
    let rest = world.settle();
    assert_eq!((rest.step, rest.phase), (Step::Wait, Phase::Blocked));
    assert!(rest.message.contains("pending-upgrade"), "{}", rest.message);
    world.seen.history = Some(world.helm.history.clone());
    let words = |from: u64, to: u64| -> std::collections::BTreeSet<String> {
        (from..to).map(|minute| next(world.entry(), &world.seen, NOW + Span::minutes(minute)).message).collect()
    };
    assert_eq!(words(0, 120).len(), 1 + 9 + 11, "its age is a new report for the server only now and then");
    assert_eq!(words(120, 24 * 60).len(), 22);
    assert_eq!(world.helm.history.last().unwrap().status, RevisionStatus::PendingUpgrade);
}

#[test]
fn a_lock_that_came_between_our_start_and_our_revision_is_left_alone() {
    for lived in [true, false] {
        let mut world = World::new(FakeHelm::default());
        world.helm.by_hand("beacon-0.9.0");
        world.give(&forward(1, "1.0.0"));
        world.run_helm(Cut::BeforeRevision);
        if !lived {
            world.seen = awake();
        }
        world.helm.push(RevisionStatus::PendingUpgrade, "Preparing upgrade", "other-2.0.0", None, None);
        let rest = world.settle();
        assert_eq!((rest.step, rest.phase), (Step::Wait, Phase::Blocked), "lived: {lived}");
        world.helm.history.last_mut().unwrap().status = RevisionStatus::Failed;
        world.seen.history = None;
        assert_eq!(world.settle().step, Step::Watch { revision: 3 }, "lived: {lived}");
    }
}

#[test]
fn our_own_dead_pending_is_unlocked_only_by_the_holder_of_the_lease() {
    let mut world = World::new(FakeHelm::default());
    world.give(&forward(1, "1.0.0"));
    world.run_helm(Cut::Pending);
    world.seen = awake();
    world.seen.predecessor_gone = false;
    world.seen.history = Some(world.helm.history.clone());
    assert_eq!(world.next().step, Step::Wait);
    world.seen.predecessor_gone = true;
    world.seen.helm_running = true;
    assert_eq!(world.next().step, Step::Wait);
    world.seen.helm_running = false;
    assert_eq!(world.next().step, Step::Unlock { revision: 1 });
    assert_eq!(world.settle().step, Step::Watch { revision: 2 });
    assert_eq!(world.entry().attempt, 2);
    assert!(world.entry().notes[0].contains("unlocked"), "{:?}", world.entry().notes);
}

#[test]
fn a_helm_that_failed_is_not_tried_again() {
    let mut world = World::new(FakeHelm::default());
    world.give(&forward(1, "1.0.0"));
    world.run_helm(Cut::Failing);
    assert_eq!(world.settle().phase, Phase::Failed);
    assert_eq!(world.runs.len(), 1);
}

#[test]
fn a_third_interruption_is_the_last() {
    let mut world = World::new(FakeHelm::default());
    world.give(&forward(1, "1.0.0"));
    for _ in 0..80 {
        world.step(Cut::Pending, false);
    }
    assert_eq!((world.next().phase, world.runs.len()), (Phase::Failed, 3));
}

#[test]
fn the_way_back_is_helms_own_rollback_while_its_history_has_the_content() {
    let mut world = World::new(FakeHelm::default());
    for (generation, version) in [(1, "1.0.0"), (2, "2.0.0")] {
        world.give(&forward(generation, version));
        world.settle();
    }
    world.give(&back(3, Target::Content(content("1.0.0"))));
    world.settle();
    assert_eq!(world.runs.last().unwrap().0, HelmCall::Rollback { to: 1 });
    assert_eq!(world.entry().applied_revision(), Some(3));
    world.give(&back(4, Target::Content(content("1.0.0"))));
    world.settle();
    assert_eq!(world.runs.len(), 3, "already there");
    world.give(&back(5, Target::Content(content("0.1.0"))));
    world.settle();
    assert!(matches!(world.runs.last().unwrap().0, HelmCall::Upgrade { .. }), "not in the history");
}

#[test]
fn an_adopted_release_goes_back_to_the_revision_it_had() {
    let mut helm = FakeHelm::default();
    (0..7).for_each(|_| helm.by_hand("beacon-0.9.0"));
    let mut world = World::new(helm);
    world.give(&forward(1, "1.0.0"));
    world.settle();
    assert_eq!(world.entry().adopted.as_ref().unwrap().helm_revision, 7);
    world.give(&back(2, Target::HelmRevision(7)));
    world.settle();
    assert_eq!(world.runs.last().unwrap().0, HelmCall::Rollback { to: 7 });
    world.give(&back(3, Target::HelmRevision(7)));
    world.settle();
    assert_eq!(world.runs.len(), 2, "a copy of 7 is as good as 7");
    world.give(&back(4, Target::HelmRevision(99)));
    assert_eq!(world.settle().phase, Phase::Refused);
}

#[test]
fn tombstones_uninstall_or_let_go() {
    let mut world = World::new(FakeHelm::default());
    world.give(&forward(1, "1.0.0"));
    world.settle();
    world.give(&assignment(2, Target::Uninstalled));
    world.run_helm(Cut::Pending);
    world.seen = awake();
    assert_eq!(world.settle().phase, Phase::Gone);
    assert!(world.helm.history.is_empty());
    world.give(&forward(3, "1.0.0"));
    assert_eq!(world.settle().step, Step::Watch { revision: 1 });
    world.give(&assignment(4, Target::Orphaned));
    assert_eq!(world.settle().phase, Phase::Gone);
    assert_eq!(world.helm.history.len(), 1);
}

#[test]
fn a_lost_ledger_does_not_deploy_the_same_generation_again() {
    let mut world = World::new(FakeHelm::default());
    world.give(&forward(1, "1.0.0"));
    world.settle();
    world.ledger = Ledger::default();
    world.give(&forward(1, "1.0.0"));
    assert_eq!(world.settle().step, Step::Watch { revision: 1 });
    assert_eq!(world.runs.len(), 1);
}

#[test]
fn a_newer_assignment_cleans_up_after_a_helm_that_died_for_the_older() {
    let mut world = World::new(FakeHelm::default());
    world.give(&forward(1, "1.0.0"));
    world.run_helm(Cut::Pending);
    world.seen = awake();
    world.give(&forward(2, "2.0.0"));
    world.settle();
    assert_eq!((world.entry().applied_revision(), world.entry().attempt), (Some(2), 1));
}

#[test]
fn a_relapse_is_said_and_health_of_another_revision_says_nothing() {
    let mut world = World::new(FakeHelm::default());
    world.give(&forward(1, "1.0.0"));
    world.settle();
    let health = |revision, healthy| Some(HealthSeen { revision, healthy, healthy_for: Span::ZERO, message: "said".into() });
    for (revision, healthy, phase) in [(1, true, Phase::Healthy), (1, false, Phase::Unhealthy), (9, true, Phase::Unhealthy)] {
        world.seen.health = health(revision, healthy);
        assert_eq!(world.next().phase, phase);
    }
}

fn cuts() -> impl Strategy<Value = Cut> {
    prop_oneof![Just(Cut::BeforeRevision), Just(Cut::Pending), Just(Cut::Stopped), Just(Cut::Failing), Just(Cut::Never)]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    /// GS-7 and GS-8 on the agent's side: cut off anywhere, three assignments in a row; no attempt is deployed twice, and
    /// once the cutting stops the last one comes to an end.
    #[test]
    fn crashes_lose_nothing_and_double_nothing(chaos in proptest::collection::vec((cuts(), any::<bool>()), 1..120), hand in any::<bool>()) {
        let mut helm = FakeHelm::default();
        if hand {
            helm.by_hand("beacon-0.9.0");
        }
        let mut world = World::new(helm);
        let third = chaos.len() / 3;
        for (at, (cut, crash)) in chaos.iter().enumerate() {
            if at == 0 {
                world.give(&forward(1, "1.0.0"));
            } else if at == third.max(1) {
                world.give(&forward(2, "2.0.0"));
            } else if at == (2 * third).max(2) {
                world.give(&back(3, Target::Content(content("1.0.0"))));
            }
            world.step(*cut, *crash);
            for generation in 1..=3 {
                for attempt in 1..=MAX_ATTEMPTS {
                    let marker = Marker { generation: Generation(generation), attempt };
                    prop_assert!(world.deployed_of(marker) <= 1, "{marker} deployed twice");
                }
            }
            prop_assert!(world.entry().attempt <= MAX_ATTEMPTS);
        }
        // An end of helm that the agent did not live to see is lost with it.
        world.seen = awake();
        let rest = world.settle();
        prop_assert!(matches!(rest.step, Step::Watch { .. } | Step::Rest), "{rest:?}");
        prop_assert!(world.helm.history.iter().all(|known| !known.status.is_pending()));
        prop_assert!(world.helm.history.iter().filter(|known| known.status == RevisionStatus::Deployed).count() <= 1);
    }
}
