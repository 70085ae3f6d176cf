//! The planner, the coordinator and the agent broken on purpose, to see that the checks see it. The broken code is made from
//! the right code by giving it wrong inputs; nothing of it is in what ships.

use crate::net::HealthFact;
use groundswell_core::id::{ClusterName, Generation};
use groundswell_core::limit::Limit;
use groundswell_core::planner::{Plan, Presence, View, plan};
use groundswell_core::report::{Phase, Report};
use groundswell_core::rollout::{ClusterRelease, Head, Snapshot, State, Turn};
use groundswell_core::time::{Span, Time};
use std::collections::BTreeMap;

/// What is broken.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Mutation {
    /// Nothing.
    #[default]
    None,
    /// The planner does not look at `maxConcurrent`.
    NoMaxConcurrent,
    /// The planner forgets that a cluster which fell silent is in flight.
    ForgetsTheSilent,
    /// The planner does not look at what other rollouts have in flight.
    NoFleetCap,
    /// The planner disturbs healthy clusters below `minAvailable`.
    NoMinAvailable,
    /// The planner counts old health as fresh.
    StaleIsFresh,
    /// The planner does not bake.
    NoBake,
    /// The planner opens all waves at once.
    AllWavesOpen,
    /// The planner goes on while the rollout is paused.
    IgnoresPause,
    /// The planner forgives every failure.
    NoBudget,
    /// The planner asks for no approval.
    NoApproval,
    /// The planner begins generations anew.
    GenerationsBeginAnew,
    /// The planner takes all waves back at once.
    BackInOneWave,
    /// The coordinator believes reports about older generations.
    BelievesOldReports,
    /// The coordinator sends before it commits.
    SendsFirst,
    /// The store does not fence leaders that were replaced.
    NoFence,
    /// The agent does not ask its ledger.
    AgentTakesAll,
    /// The coordinator sends what its predecessor issued under the predecessor's epoch.
    KeepsOldEpochs,
}

impl Mutation {
    /// All but none.
    pub const ALL: [Self; 17] = [
        Self::NoMaxConcurrent,
        Self::ForgetsTheSilent,
        Self::NoFleetCap,
        Self::NoMinAvailable,
        Self::StaleIsFresh,
        Self::NoBake,
        Self::AllWavesOpen,
        Self::IgnoresPause,
        Self::NoBudget,
        Self::NoApproval,
        Self::GenerationsBeginAnew,
        Self::BackInOneWave,
        Self::BelievesOldReports,
        Self::SendsFirst,
        Self::NoFence,
        Self::AgentTakesAll,
        Self::KeepsOldEpochs,
    ];

    pub(crate) fn is_unfenced(self) -> bool {
        self == Self::NoFence
    }

    pub(crate) fn keeps_old_epochs(self) -> bool {
        self == Self::KeepsOldEpochs
    }

    pub(crate) fn sends_first(self) -> bool {
        self == Self::SendsFirst
    }

    pub(crate) fn on_report(self, known: Option<&ClusterRelease>, report: Report, fact: HealthFact) -> (Report, HealthFact) {
        match known.and_then(|known| known.assignment.as_ref()) {
            Some(assignment) if self == Self::BelievesOldReports && report.phase == Phase::Healthy => {
                let (rollout, generation) = (assignment.rollout.clone(), assignment.generation);
                let chart_digest = match &assignment.target {
                    groundswell_core::assignment::Target::Content(content) => content.chart.digest.to_string(),
                    _ => String::new(),
                };
                (Report { rollout: rollout.clone(), generation, chart_digest, ..report }, HealthFact { rollout, generation, ..fact })
            }
            _ => (report, fact),
        }
    }
}

/// The inputs of a round, as a mutation makes them.
pub(crate) struct Inputs {
    snapshot: Option<Snapshot>,
    head: Option<Head>,
    turns: Option<BTreeMap<ClusterName, Turn>>,
    releases: Option<BTreeMap<ClusterName, ClusterRelease>>,
    fleet_room: usize,
    stale_after: Span,
}

impl Inputs {
    pub(crate) fn of(view: &View<'_>) -> Self {
        let (fleet_room, stale_after) = (view.fleet_room, view.stale_after);
        Self { snapshot: None, head: None, turns: None, releases: None, fleet_room, stale_after }
    }

    /// The plan that the mutated planner makes.
    pub(crate) fn plan(mut self, mutation: Mutation, view: &View<'_>, now: Time) -> Plan {
        if mutation == Mutation::None {
            return plan(view, now);
        }
        self.mutate(mutation, view);
        let mutated = View {
            snapshot: self.snapshot.as_ref().unwrap_or(view.snapshot),
            head: self.head.as_ref().unwrap_or(view.head),
            turns: self.turns.as_ref().unwrap_or(view.turns),
            releases: self.releases.as_ref().unwrap_or(view.releases),
            fleet_room: self.fleet_room,
            stale_after: self.stale_after,
            ..*view
        };
        plan(&mutated, now)
    }

    fn mutate(&mut self, mutation: Mutation, view: &View<'_>) {
        let mut snapshot = view.snapshot.clone();
        let waves = &mut snapshot.strategy.waves;
        match mutation {
            Mutation::NoMaxConcurrent => waves.iter_mut().for_each(|wave| wave.max_concurrent = Limit::None),
            Mutation::NoMinAvailable => waves.iter_mut().for_each(|wave| wave.min_available = Limit::None),
            Mutation::NoBake => waves.iter_mut().for_each(|wave| wave.bake = Span::ZERO),
            Mutation::NoBudget => waves.iter_mut().for_each(|wave| wave.failure_budget = Limit::None),
            Mutation::NoApproval => waves.iter_mut().for_each(|wave| wave.approval = false),
            Mutation::AllWavesOpen if view.head.state == State::Running => {
                snapshot.members.values_mut().for_each(|member| member.wave = view.head.wave);
            }
            Mutation::BackInOneWave if matches!(view.head.state, State::RollingBack { .. }) => {
                snapshot.members.values_mut().for_each(|member| member.wave = 0);
            }
            Mutation::NoFleetCap => self.fleet_room = usize::MAX,
            Mutation::StaleIsFresh => self.stale_after = Span(u64::MAX),
            Mutation::IgnoresPause if matches!(view.head.state, State::Paused { back: None, .. }) => {
                self.head = Some(Head { state: State::Running, ..view.head.clone() });
            }
            Mutation::ForgetsTheSilent => {
                let silent = |name: &ClusterName| view.clusters.get(name).is_some_and(|facts| facts.presence != Presence::Connected);
                let turns = view.turns.iter().filter(|(name, turn)| turn.in_flight().is_none() || !silent(name));
                self.turns = Some(turns.map(|(name, turn)| (name.clone(), turn.clone())).collect());
            }
            Mutation::GenerationsBeginAnew => {
                let anew =
                    view.releases.iter().map(|(name, known)| (name.clone(), ClusterRelease { generation: Generation(0), ..known.clone() }));
                self.releases = Some(anew.collect());
            }
            _ => return,
        }
        self.snapshot = Some(snapshot);
    }
}
