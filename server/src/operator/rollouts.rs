//! `/v1/rollouts`.

use super::auth::Caller;
use super::body::{Asked, Body, Named, name};
use super::error::ApiError;
use super::{Answer, convert};
use crate::coordinator::command::{Command, no_rollout};
use crate::coordinator::records::Role;
use crate::coordinator::submit::plan::{brief, failure_budget};
use crate::coordinator::{Coordinator, Refused};
use axum::Json;
use axum::extract::State;
use groundswell_api::convert::span;
use groundswell_api::dto::{
    ApprovalDto, ApproveRequest, BakeDto, ClusterTurnDto, List, Object, PromotionDto, RetryRequest, RolloutDto, RolloutRef,
    RolloutSummaryDto, SkipRequest, TurnCounts, TurnState, WaitDto, WaveDto, WaveState, WhyRequest,
};
use groundswell_core::id::{ClusterName, Digest, ReleaseName, RolloutId};
use groundswell_core::planner::Wait;
use groundswell_core::rollout::{Head, Outcome, Snapshot, State as RolloutState, Turn};
use serde::Deserialize;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

/// Exceptions on a rollout's page: below 300 KB at 10,000 clusters, and what a person reads.
const MAX_EXCEPTIONS: usize = 50;

/// Clusters of one page.
const MAX_PAGE: usize = 1_000;

/// A long poll ends before any proxy's usual minute.
const MAX_POLL: Duration = Duration::from_secs(45);

static NO_TURN: std::sync::LazyLock<Turn> = std::sync::LazyLock::new(Turn::default);

#[derive(Deserialize)]
pub(super) struct ListQuery {
    release: Option<String>,
    limit: Option<usize>,
    #[serde(default)]
    all: bool,
}

/// The newest first: those under way and the newest of each release, or all of them.
pub(super) async fn list(
    State(coordinator): State<Arc<Coordinator>>,
    _: Caller,
    Asked(asked): Asked<ListQuery>,
) -> Answer<List<RolloutSummaryDto>> {
    let release: Option<ReleaseName> = asked.release.as_deref().map(name).transpose()?;
    let mut heads: Vec<Head> = {
        let state = coordinator.state();
        let is_newest = |head: &Head| state.releases.get(&head.release).and_then(|record| record.latest.as_ref()) == Some(&head.id);
        let wanted = |head: &&Head| {
            release.as_ref().is_none_or(|release| head.release == *release) && (asked.all || !head.state.is_ended() || is_newest(head))
        };
        state.rollouts.values().filter(wanted).cloned().collect()
    };
    heads.sort_by(|a, b| b.created_at.cmp(&a.created_at).then_with(|| b.id.cmp(&a.id)));
    heads.truncate(asked.limit.unwrap_or(100).clamp(1, MAX_PAGE));
    let mut items = Vec::with_capacity(heads.len());
    for head in heads {
        items.push(summary(&coordinator, &head).await?);
    }
    Ok(Json(List::new(items)))
}

/// A rollout in a line.
pub(super) async fn summary(coordinator: &Coordinator, head: &Head) -> Result<RolloutSummaryDto, ApiError> {
    let snapshot = coordinator.snapshot(head).await?;
    let state = coordinator.state();
    let (turns, known) = (state.turns_of(&head.id), state.clusters_of(&head.release));
    let mut counts = TurnCounts::default();
    for cluster in snapshot.members.keys() {
        counts.add(convert::turn_state(turns.get(cluster).unwrap_or(&NO_TURN), &head.state, known.get(cluster)));
    }
    Ok(RolloutSummaryDto {
        id: head.id.to_string(),
        release: head.release.to_string(),
        state: convert::state(&head.state),
        reason: convert::reason(&head.state),
        chart: snapshot.chart.as_ref().map(brief),
        wave: snapshot.strategy.waves.get(head.wave).filter(|_| !head.state.is_ended()).map(|wave| wave.name.to_string()),
        counts,
        created_at: convert::at(head.created_at),
        created_by: snapshot.created_by.clone(),
        ended_at: convert::ended_at(&head.state),
    })
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct ShowQuery {
    after: Option<u64>,
    timeout_seconds: Option<u64>,
}

pub(super) async fn show(
    State(coordinator): State<Arc<Coordinator>>,
    _: Caller,
    Named(id): Named,
    Asked(asked): Asked<ShowQuery>,
) -> Answer<Object<RolloutDto>> {
    let id = meant(&coordinator, id);
    let release = head(&coordinator, &id)?.release;
    if let Some(after) = asked.after {
        let timeout = Duration::from_secs(asked.timeout_seconds.unwrap_or(30)).min(MAX_POLL);
        let mut applied = coordinator.applied();
        let news = async {
            // What is touched is looked at again with each transaction; most are of other releases.
            while coordinator.state().touched(&release).0 <= after {
                if applied.changed().await.is_err() {
                    return;
                }
            }
        };
        // A timeout is an answer too: the page as it stands.
        drop(tokio::time::timeout(timeout, news).await);
    }
    let head = head(&coordinator, &id)?;
    let snapshot = coordinator.snapshot(&head).await?;
    Ok(Json(Object::new(page(&coordinator, &snapshot, &id)?)))
}

/// A rollout, or else the newest one of a release of that name: also of one that is deleted, whose last rollout a script may still await.
fn meant(coordinator: &Coordinator, id: String) -> RolloutId {
    let state = coordinator.state();
    let id = RolloutId(id);
    if state.rollouts.contains_key(&id) {
        return id;
    }
    let latest = ReleaseName::new(id.0.clone()).ok().and_then(|release| state.releases.get(&release)?.latest.clone());
    latest.unwrap_or(id)
}

fn head(coordinator: &Coordinator, id: &RolloutId) -> Result<Head, ApiError> {
    Ok(coordinator.state().rollouts.get(id).cloned().ok_or_else(|| no_rollout(id))?)
}

fn page(coordinator: &Coordinator, snapshot: &Snapshot, id: &RolloutId) -> Result<RolloutDto, ApiError> {
    let mut waits = coordinator.waits(id);
    let state = coordinator.state();
    let head = state.rollouts.get(id).ok_or_else(|| no_rollout(id))?;
    if head.state.is_ended() {
        // They are of the last look at it while it went.
        waits.clear();
    }
    let (turns, known) = (state.turns_of(id), state.clusters_of(&head.release));
    let mut counts = vec![TurnCounts::default(); snapshot.strategy.waves.len()];
    let mut exceptions: Vec<(u8, &ClusterName)> = Vec::new();
    for (cluster, member) in &snapshot.members {
        let stands = convert::turn_state(turns.get(cluster).unwrap_or(&NO_TURN), &head.state, known.get(cluster));
        if let Some(counts) = counts.get_mut(member.wave) {
            counts.add(stands);
        }
        if !matches!(stands, TurnState::Waiting | TurnState::Succeeded) {
            exceptions.push((convert::urgency(stands), cluster));
        }
    }
    exceptions.sort();
    exceptions.truncate(MAX_EXCEPTIONS);
    let said = said(&waits);
    let exceptions = exceptions
        .into_iter()
        .map(|(_, cluster)| {
            convert::turn(
                snapshot,
                &head.state,
                cluster,
                turns.get(cluster).unwrap_or(&NO_TURN),
                known.get(cluster),
                said.get(cluster.as_str()).copied(),
            )
        })
        .collect();
    Ok(RolloutDto {
        id: id.to_string(),
        release: head.release.to_string(),
        namespace: snapshot.namespace.to_string(),
        purpose: convert::purpose(snapshot.purpose),
        revision: state.touched(&head.release).0,
        document_revision: snapshot.document_revision,
        state: convert::state(&head.state),
        reason: convert::reason(&head.state),
        chart: snapshot.chart.as_ref().map(brief),
        plan_hash: head.plan_hash.to_string(),
        created_at: convert::at(head.created_at),
        created_by: snapshot.created_by.clone(),
        ended_at: convert::ended_at(&head.state),
        supersedes: snapshot.supersedes.as_ref().map(ToString::to_string),
        waves: counts.into_iter().enumerate().filter_map(|(index, counts)| wave(snapshot, head, &waits, index, counts)).collect(),
        waits: waits.iter().map(|wait| wait_dto(snapshot, wait)).collect(),
        exceptions,
    })
}

fn said(waits: &[Wait]) -> BTreeMap<&str, &str> {
    waits.iter().map(|wait| (wait.subject.as_str(), wait.why.as_str())).collect()
}

fn wave(snapshot: &Snapshot, head: &Head, waits: &[Wait], index: usize, counts: TurnCounts) -> Option<WaveDto> {
    let wave = snapshot.strategy.waves.get(index)?;
    let size = usize::try_from(counts.total()).unwrap_or(usize::MAX);
    let wait = waits.iter().find(|wait| wait.subject == wave.name.as_str());
    let (state, until) = wave_state(head, index, &counts, wait);
    let approval = wave.approval.then(|| match head.approvals.get(&index) {
        Some(given) => {
            ApprovalDto { by: Some(given.by.clone()), at: Some(convert::at(given.at)), expires_at: given.expires_at.map(convert::at) }
        }
        None => ApprovalDto::default(),
    });
    Some(WaveDto {
        name: wave.name.to_string(),
        index: u32::try_from(index).unwrap_or(u32::MAX),
        state,
        size: counts.total(),
        counts,
        max_concurrent: wave.max_concurrent.max_concurrent(size) as u64,
        failure_budget: failure_budget(wave.failure_budget, size),
        min_available: wave.min_available.min_available(size) as u64,
        bake: BakeDto { span: wave.bake.to_string(), until },
        approval,
    })
}

fn wave_state(head: &Head, index: usize, counts: &TurnCounts, wait: Option<&Wait>) -> (WaveState, Option<jiff::Timestamp>) {
    if index < head.wave {
        return (WaveState::Promoted, None);
    }
    let has_begun = counts.total() > counts.waiting;
    if index > head.wave || (head.state.is_ended() && !has_begun) {
        return (WaveState::Waiting, None);
    }
    if let RolloutState::Ended { outcome, .. } = &head.state {
        let is_done = matches!(outcome, Outcome::Succeeded | Outcome::SucceededWithDebt);
        return (if is_done { WaveState::Promoted } else { WaveState::Stopped }, None);
    }
    let runs = counts.waiting + counts.in_flight > 0;
    match wait {
        Some(Wait { until: Some(until), .. }) if !runs => (WaveState::Baking, Some(convert::at(*until))),
        Some(Wait { who: Some(who), .. }) if !runs && who.starts_with("groundswell rollout approve") => (WaveState::AwaitingApproval, None),
        _ => (WaveState::Open, None),
    }
}

fn wait_dto(snapshot: &Snapshot, wait: &Wait) -> WaitDto {
    let is_wave = snapshot.strategy.waves.iter().any(|wave| wave.name.as_str() == wait.subject);
    let subject = match wait.subject.as_str() {
        "rollout" => "rollout".to_owned(),
        wave if is_wave => format!("wave {wave}"),
        cluster => format!("cluster {cluster}"),
    };
    WaitDto { subject, why: wait.why.clone(), until: wait.until.map(convert::at), who: wait.who.clone() }
}

#[derive(Deserialize)]
pub(super) struct ClustersQuery {
    wave: Option<String>,
    state: Option<TurnState>,
    limit: Option<usize>,
    next: Option<String>,
}

/// In name order; `next` is the last name of the page before.
pub(super) async fn clusters(
    State(coordinator): State<Arc<Coordinator>>,
    _: Caller,
    Named(id): Named,
    Asked(asked): Asked<ClustersQuery>,
) -> Answer<List<ClusterTurnDto>> {
    let id = RolloutId(id);
    let head = head(&coordinator, &id)?;
    let snapshot = coordinator.snapshot(&head).await?;
    let limit = asked.limit.unwrap_or(MAX_PAGE).clamp(1, MAX_PAGE);
    let waits = if head.state.is_ended() { Vec::new() } else { coordinator.waits(&id) };
    let said = said(&waits);
    let state = coordinator.state();
    let (turns, known) = (state.turns_of(&id), state.clusters_of(&head.release));
    let in_wave = |wave: usize| {
        asked.wave.as_deref().is_none_or(|wanted| snapshot.strategy.waves.get(wave).is_some_and(|wave| wave.name.as_str() == wanted))
    };
    let wanted = snapshot
        .members
        .iter()
        .filter(|(name, member)| in_wave(member.wave) && asked.next.as_deref().is_none_or(|next| name.as_str() > next));
    let items: Vec<ClusterTurnDto> = wanted
        .map(|(name, _)| (name, turns.get(name).unwrap_or(&NO_TURN)))
        .filter(|(name, turn)| asked.state.is_none_or(|wanted| convert::turn_state(turn, &head.state, known.get(*name)) == wanted))
        .take(limit)
        .map(|(name, turn)| convert::turn(&snapshot, &head.state, name, turn, known.get(name), said.get(name.as_str()).copied()))
        .collect();
    let next = items.last().filter(|_| items.len() == limit).map(|last| last.cluster.clone());
    Ok(Json(List::page(items, next)))
}

pub(super) async fn evidence(State(coordinator): State<Arc<Coordinator>>, _: Caller, Named(id): Named) -> Answer<List<PromotionDto>> {
    let head = head(&coordinator, &RolloutId(id))?;
    let snapshot = coordinator.snapshot(&head).await?;
    Ok(Json(List::new(head.promotions.iter().map(|promotion| convert::promotion(&snapshot, promotion)).collect())))
}

async fn command(coordinator: &Coordinator, caller: &Caller, id: String, wanted: Command) -> Answer<Object<RolloutRef>> {
    coordinator.command(&RolloutId(id.clone()), wanted, caller.name()).await?;
    Ok(Json(Object::new(RolloutRef { rollout: id, plan: None })))
}

pub(super) async fn pause(
    State(coordinator): State<Arc<Coordinator>>,
    caller: Caller,
    Named(id): Named,
    Body(WhyRequest { why }): Body<WhyRequest>,
) -> Answer<Object<RolloutRef>> {
    caller.needs(Role::Operator)?;
    command(&coordinator, &caller, id, Command::Pause { why }).await
}

pub(super) async fn resume(State(coordinator): State<Arc<Coordinator>>, caller: Caller, Named(id): Named) -> Answer<Object<RolloutRef>> {
    caller.needs(Role::Operator)?;
    command(&coordinator, &caller, id, Command::Resume).await
}

pub(super) async fn approve(
    State(coordinator): State<Arc<Coordinator>>,
    caller: Caller,
    Named(id): Named,
    Body(given): Body<ApproveRequest>,
) -> Answer<Object<RolloutRef>> {
    caller.needs(Role::Approver)?;
    let bad = |what: &str, why: String| ApiError::from(Refused::invalid("GS-APPROVE", what, why));
    let expires_in = given.expires_in.as_deref().map(span).transpose();
    let expires_in = expires_in.map_err(|why| bad("expiresIn", format!("write a length of time such as 2h or 1h 30m: {why}")))?;
    let plan_hash = given.plan_hash.map(Digest::new).transpose().map_err(|error| bad("planHash", error.to_string()))?;
    command(&coordinator, &caller, id, Command::Approve { wave: given.wave, plan_hash, expires_in }).await
}

pub(super) async fn retry(
    State(coordinator): State<Arc<Coordinator>>,
    caller: Caller,
    Named(id): Named,
    Body(wanted): Body<RetryRequest>,
) -> Answer<Object<RolloutRef>> {
    caller.needs(Role::Operator)?;
    command(&coordinator, &caller, id, Command::Retry(name(&wanted.cluster)?)).await
}

pub(super) async fn skip(
    State(coordinator): State<Arc<Coordinator>>,
    caller: Caller,
    Named(id): Named,
    Body(wanted): Body<SkipRequest>,
) -> Answer<Object<RolloutRef>> {
    caller.needs(Role::Operator)?;
    command(&coordinator, &caller, id, Command::Skip { cluster: name(&wanted.cluster)?, why: wanted.why }).await
}

pub(super) async fn abort(
    State(coordinator): State<Arc<Coordinator>>,
    caller: Caller,
    Named(id): Named,
    Body(WhyRequest { why }): Body<WhyRequest>,
) -> Answer<Object<RolloutRef>> {
    caller.needs(Role::Operator)?;
    command(&coordinator, &caller, id, Command::Abort { why }).await
}

pub(super) async fn undo(
    State(coordinator): State<Arc<Coordinator>>,
    caller: Caller,
    Named(id): Named,
    Body(WhyRequest { why }): Body<WhyRequest>,
) -> Answer<Object<RolloutRef>> {
    caller.needs(Role::Operator)?;
    command(&coordinator, &caller, id, Command::Undo { why }).await
}
