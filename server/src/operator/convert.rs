//! Records and decisions as the operator API shows them.

use crate::coordinator::records::{AuditRecord, ChartRecord, Role};
use groundswell_api::dto::{
    self, AuditDto, BackDto, BackState, ChartDependencyDto, ChartDto, ClusterTurnDto, DebtDto, EvidenceDto, PromotionDto, RolloutPurpose,
    RolloutState, TurnState,
};
use groundswell_core::id::{ClusterName, Digest, ReleaseName};
use groundswell_core::report::Phase;
use groundswell_core::rollout::{Back, ClusterRelease, Debt, Forward, Outcome, Promotion, Purpose, Snapshot, State, Turn};
use groundswell_core::time::Time;
use jiff::Timestamp;

/// A time as RFC 3339 has it.
pub(super) fn at(time: Time) -> Timestamp {
    i64::try_from(time.0).ok().and_then(|ms| Timestamp::from_millisecond(ms).ok()).unwrap_or(Timestamp::MAX)
}

pub(super) fn role(role: Role) -> dto::Role {
    match role {
        Role::Viewer => dto::Role::Viewer,
        Role::Operator => dto::Role::Operator,
        Role::Approver => dto::Role::Approver,
        Role::Admin => dto::Role::Admin,
    }
}

pub(super) fn role_of(role: dto::Role) -> Role {
    match role {
        dto::Role::Viewer => Role::Viewer,
        dto::Role::Operator => Role::Operator,
        dto::Role::Approver => Role::Approver,
        dto::Role::Admin => Role::Admin,
    }
}

pub(super) fn state(state: &State) -> RolloutState {
    match state {
        State::Running => RolloutState::Running,
        State::Paused { .. } => RolloutState::Paused,
        State::Halted { .. } => RolloutState::Halted,
        State::RollingBack { .. } => RolloutState::RollingBack,
        State::Ended { outcome, .. } => match outcome {
            Outcome::Succeeded => RolloutState::Succeeded,
            Outcome::SucceededWithDebt => RolloutState::SucceededWithDebt,
            Outcome::RolledBack => RolloutState::RolledBack,
            Outcome::Superseded => RolloutState::Superseded,
            Outcome::Aborted => RolloutState::Aborted,
        },
    }
}

pub(super) fn reason(state: &State) -> String {
    match state {
        State::Running => String::new(),
        State::Paused { by, why, .. } if why.is_empty() => format!("paused by {by}"),
        State::Paused { by, why, .. } => format!("paused by {by}: {why}"),
        State::Halted { why } | State::RollingBack { why, .. } | State::Ended { why, .. } => {
            // Who gave no reason gave none.
            why.strip_suffix(": ").unwrap_or(why).to_owned()
        }
    }
}

pub(super) fn ended_at(state: &State) -> Option<Timestamp> {
    match state {
        State::Ended { at: time, .. } => Some(at(*time)),
        _ => None,
    }
}

pub(super) fn purpose(purpose: Purpose) -> RolloutPurpose {
    match purpose {
        Purpose::Apply => RolloutPurpose::Apply,
        Purpose::Uninstall => RolloutPurpose::Uninstall,
        Purpose::Orphan => RolloutPurpose::Orphan,
    }
}

/// What stands for the agent's word, which cannot tell what went from what was let go.
pub(super) const LET_GO: &str = "let go; its objects stay";

/// Where a cluster stands, its way back included. What was under way when a newer rollout took over is that one's to tell; what was
/// under way when a person ended the rollout finishes by itself, and only the cluster's reports tell how.
pub(super) fn turn_state(turn: &Turn, rollout: &State, known: Option<&ClusterRelease>) -> TurnState {
    let stands = standing(turn);
    match rollout {
        State::Ended { outcome, .. } if matches!(stands, TurnState::InFlight | TurnState::RollingBack) => match outcome {
            Outcome::Superseded => TurnState::Superseded,
            Outcome::Aborted => left_alone(turn, stands, known),
            Outcome::Succeeded | Outcome::SucceededWithDebt | Outcome::RolledBack => stands,
        },
        _ => stands,
    }
}

/// What became of a cluster after nobody looked any more.
fn left_alone(turn: &Turn, stands: TurnState, known: Option<&ClusterRelease>) -> TurnState {
    let (Some(generation), Some(known)) = (turn.in_flight(), known) else { return stands };
    if known.assignment.as_ref().is_some_and(|assignment| assignment.generation > generation) {
        return TurnState::Superseded;
    }
    match known.current_report().filter(|report| report.generation == generation).map(|report| report.phase) {
        Some(Phase::Healthy | Phase::Gone) if stands == TurnState::RollingBack => TurnState::RolledBack,
        Some(Phase::Healthy | Phase::Gone) => TurnState::Succeeded,
        Some(Phase::Failed | Phase::Refused) => TurnState::Failed,
        Some(Phase::Accepted | Phase::Blocked | Phase::Applying | Phase::Unhealthy) | None => stands,
    }
}

fn standing(turn: &Turn) -> TurnState {
    match (&turn.back, &turn.forward) {
        (Back::InFlight { .. }, _) => TurnState::RollingBack,
        (Back::Done { .. }, _) => TurnState::RolledBack,
        (Back::Failed { .. }, _) | (Back::None | Back::Left { .. }, Forward::Failed { .. }) => TurnState::Failed,
        (Back::Owed { .. }, _) | (_, Forward::Owed { .. }) => TurnState::Owed,
        (_, Forward::Waiting) if turn.carried.is_some() => TurnState::InFlight,
        (_, Forward::Waiting) => TurnState::Waiting,
        (_, Forward::InFlight { .. }) => TurnState::InFlight,
        (_, Forward::Succeeded { .. }) => TurnState::Succeeded,
        (_, Forward::TimedOut { .. }) => TurnState::TimedOut,
        (_, Forward::Skipped { .. }) => TurnState::Skipped,
    }
}

/// Which of two exceptions an operator wants to see first.
pub(super) fn urgency(state: TurnState) -> u8 {
    match state {
        TurnState::Failed => 0,
        TurnState::TimedOut => 1,
        TurnState::RollingBack => 2,
        TurnState::InFlight => 3,
        TurnState::Owed => 4,
        TurnState::Skipped => 5,
        TurnState::Superseded => 6,
        TurnState::RolledBack => 7,
        TurnState::Succeeded => 8,
        TurnState::Waiting => 9,
    }
}

/// One cluster's turn; `said` is why it waits, where the planner said so.
pub(super) fn turn(
    snapshot: &Snapshot,
    rollout: &State,
    cluster: &ClusterName,
    turn: &Turn,
    known: Option<&ClusterRelease>,
    said: Option<&str>,
) -> ClusterTurnDto {
    let wave = snapshot.members.get(cluster).and_then(|member| snapshot.strategy.waves.get(member.wave));
    let (forward_generation, since, why) = forward(&turn.forward);
    let (back_generation, back_since, back) = back(&turn.back);
    let generation = back_generation.or(forward_generation).or(turn.carried.as_ref().map(|carried| carried.generation.0));
    let report = known.and_then(ClusterRelease::current_report).filter(|report| Some(report.generation.0) == generation);
    let is_let_go = snapshot.purpose == Purpose::Orphan && report.is_some_and(|report| report.phase == Phase::Gone);
    let words =
        report.map(|report| if is_let_go { LET_GO.to_owned() } else { report.message.clone() }).filter(|message| !message.is_empty());
    let message = why.or(words).or_else(|| said.map(str::to_owned)).unwrap_or_default();
    ClusterTurnDto {
        cluster: cluster.to_string(),
        wave: wave.map(|wave| wave.name.to_string()).unwrap_or_default(),
        state: turn_state(turn, rollout, known),
        generation,
        attempt: turn.attempts,
        helm_revision: report.and_then(|report| report.helm_revision),
        message,
        since: back_since.or(since).map(at),
        back,
    }
}

fn forward(forward: &Forward) -> (Option<u64>, Option<Time>, Option<String>) {
    match forward {
        Forward::Waiting => (None, None, None),
        Forward::InFlight { generation, since, .. } => (Some(generation.0), Some(*since), None),
        Forward::Succeeded { generation, at, .. } => (Some(generation.0), Some(*at), None),
        Forward::Failed { generation, at, why } | Forward::TimedOut { generation, at, why } => {
            (Some(generation.0), Some(*at), Some(why.clone()))
        }
        Forward::Skipped { by, why, at } => (None, Some(*at), Some(format!("skipped by {by}: {why}"))),
        Forward::Owed { why, at } => (None, Some(*at), Some(why.clone())),
    }
}

fn back(back: &Back) -> (Option<u64>, Option<Time>, Option<BackDto>) {
    let dto = |state, why: &str| Some(BackDto { state, why: why.to_owned() });
    match back {
        Back::None => (None, None, None),
        Back::InFlight { generation, since, .. } => (Some(generation.0), Some(*since), dto(BackState::InFlight, "")),
        Back::Done { generation, at } => (Some(generation.0), Some(*at), dto(BackState::Done, "")),
        Back::Left { why } => (None, None, dto(BackState::Left, why)),
        Back::Failed { generation, at, why } => (Some(generation.0), Some(*at), dto(BackState::Failed, why)),
        Back::Owed { why, at } => (None, Some(*at), dto(BackState::Owed, why)),
    }
}

pub(super) fn promotion(snapshot: &Snapshot, promotion: &Promotion) -> PromotionDto {
    let evidence = promotion.evidence.iter().map(|evidence| EvidenceDto {
        cluster: evidence.cluster.to_string(),
        generation: evidence.generation.0,
        chart_digest: evidence.chart_digest.clone(),
        helm_revision: evidence.helm_revision,
        healthy_since: at(evidence.healthy_since),
        received_at: at(evidence.received_at),
    });
    PromotionDto {
        wave: snapshot.strategy.waves.get(promotion.wave).map(|wave| wave.name.to_string()).unwrap_or_default(),
        at: at(promotion.at),
        reports: promotion.reports as u64,
        evidence: evidence.collect(),
        approved_by: promotion.approved_by.clone(),
    }
}

pub(super) fn debt(release: &ReleaseName, cluster: &ClusterName, debt: &Debt) -> DebtDto {
    DebtDto {
        cluster: cluster.to_string(),
        release: release.to_string(),
        rollout: debt.rollout.to_string(),
        why: debt.why.clone(),
        since: at(debt.since),
        failed: debt.failed.clone(),
    }
}

pub(super) fn chart(digest: &Digest, record: &ChartRecord) -> ChartDto {
    let dependency = |(name, version): &(String, String)| ChartDependencyDto { name: name.clone(), version: version.clone() };
    ChartDto {
        name: record.name.clone(),
        version: record.version.clone(),
        app_version: record.app_version.clone(),
        digest: digest.to_string(),
        size: record.size,
        crds: record.crds.clone(),
        dependencies: record.dependencies.iter().map(dependency).collect(),
        kube_version: record.kube_version.clone(),
        has_schema: record.has_schema,
        pushed_at: Some(at(record.pushed_at)),
    }
}

pub(super) fn audit(record: AuditRecord) -> AuditDto {
    let AuditRecord { sequence, at: time, who, what, subject, detail, hash } = record;
    AuditDto { sequence, at: at(time), who, what, subject, detail, hash }
}
