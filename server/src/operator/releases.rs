//! `/v1/apply`, `/v1/releases`, `/v1/values`.

use super::auth::Caller;
use super::body::{Asked, Body, Named, name};
use super::error::ApiError;
use super::rollouts::summary;
use super::{Answer, convert};
use crate::coordinator::records::{DocumentRecord, ReleaseRecord, Role};
use crate::coordinator::submit::plan::brief;
use crate::coordinator::submit::{DeleteMode, charts::by_digest};
use crate::coordinator::{Coordinator, Refused};
use axum::Json;
use axum::extract::State;
use groundswell_api::dto::{
    ApplyRequest, ApplyResponse, List, Object, ReleaseCounts, ReleaseDto, ReleaseRevisionDto, RolloutRef, SetRequest, TurnState, ValuesDto,
};
use groundswell_core::id::{ClusterName, ReleaseName};
use groundswell_core::planner::Presence;
use groundswell_core::report::Phase;
use groundswell_core::rollout::{ClusterRelease, Head, Snapshot};
use groundswell_core::selector::{Labels, Selector};
use serde::Deserialize;
use std::collections::BTreeSet;
use std::sync::Arc;

/// Debts that a release's page names.
const MAX_DEBTS: usize = 50;

pub(super) async fn apply(
    State(coordinator): State<Arc<Coordinator>>,
    caller: Caller,
    Body(request): Body<ApplyRequest>,
) -> Answer<Object<ApplyResponse>> {
    // A dry run changes nothing, so whoever may read may ask.
    caller.needs(if request.dry_run { Role::Viewer } else { Role::Operator })?;
    Ok(Json(Object::new(coordinator.apply(request, caller.name()).await?)))
}

pub(super) async fn set(
    State(coordinator): State<Arc<Coordinator>>,
    caller: Caller,
    named: Named,
    Body(request): Body<SetRequest>,
) -> Answer<Object<ApplyResponse>> {
    caller.needs(if request.dry_run { Role::Viewer } else { Role::Operator })?;
    Ok(Json(Object::new(coordinator.set(&named.read()?, &request, caller.name()).await?)))
}

#[derive(Deserialize)]
pub(super) struct DeleteQuery {
    mode: String,
    #[serde(default)]
    supersede: bool,
}

pub(super) async fn delete(
    State(coordinator): State<Arc<Coordinator>>,
    caller: Caller,
    named: Named,
    Asked(asked): Asked<DeleteQuery>,
) -> Answer<Object<RolloutRef>> {
    caller.needs(Role::Admin)?;
    let mode = match asked.mode.as_str() {
        "uninstall" => DeleteMode::Uninstall,
        "orphan" => DeleteMode::Orphan,
        _ => {
            let refused = Refused::invalid("GS-QUERY", "mode", "it is either uninstall (the objects go) or orphan (they stay)");
            return Err(refused.next("groundswell delete RELEASE --uninstall | --orphan").into());
        }
    };
    let (rollout, plan) = coordinator.delete_release(&named.read()?, mode, asked.supersede, caller.name()).await?;
    Ok(Json(Object::new(RolloutRef { rollout: rollout.to_string(), plan: Some(plan) })))
}

#[derive(Deserialize)]
pub(super) struct ValuesQuery {
    release: String,
    cluster: String,
}

pub(super) async fn values(
    State(coordinator): State<Arc<Coordinator>>,
    _: Caller,
    Asked(asked): Asked<ValuesQuery>,
) -> Answer<Object<ValuesDto>> {
    Ok(Json(Object::new(coordinator.values(&name(&asked.release)?, &name(&asked.cluster)?).await?)))
}

/// What a page of a release is made of.
struct Parts {
    record: ReleaseRecord,
    document: DocumentRecord,
    latest: Option<Head>,
}

fn parts(coordinator: &Coordinator, release: &ReleaseName) -> Option<Parts> {
    let state = coordinator.state();
    let record = state.releases.get(release)?.clone();
    let latest = record.latest.as_ref().and_then(|latest| state.rollouts.get(latest)).cloned();
    // Deleted, and gone everywhere.
    if record.deleted && latest.as_ref().is_none_or(|head| head.state.is_ended()) {
        return None;
    }
    Some(Parts { document: state.document(release)?.clone(), record, latest })
}

pub(super) async fn list(State(coordinator): State<Arc<Coordinator>>, _: Caller) -> Answer<List<ReleaseDto>> {
    let names: Vec<ReleaseName> = coordinator.state().releases.keys().cloned().collect();
    let mut items = Vec::with_capacity(names.len());
    for release in names {
        if let Some(parts) = parts(&coordinator, &release) {
            items.push(dto(&coordinator, &release, parts).await?);
        }
    }
    Ok(Json(List::new(items)))
}

pub(super) async fn show(State(coordinator): State<Arc<Coordinator>>, _: Caller, named: Named) -> Answer<Object<ReleaseDto>> {
    let release: ReleaseName = named.read()?;
    let parts =
        parts(&coordinator, &release).ok_or_else(|| Refused::not_found(format!("release {release}"), "groundswell get releases"))?;
    let stored = coordinator.stored(&release, parts.record.revision).await?;
    let mut dto = dto(&coordinator, &release, parts).await?;
    dto.document = Some(stored.release.text);
    Ok(Json(Object::new(dto)))
}

async fn dto(coordinator: &Coordinator, release: &ReleaseName, parts: Parts) -> Result<ReleaseDto, ApiError> {
    let Parts { record, document, latest } = parts;
    let (latest_rollout, snapshot) = match &latest {
        Some(head) => (Some(summary(coordinator, head).await?), Some((head, coordinator.snapshot(head).await?))),
        None => (None, None),
    };
    let selector: Selector = document.selector.parse().unwrap_or_default();
    let active = snapshot.as_ref().filter(|(head, _)| !head.state.is_ended()).map(|(head, snapshot)| (*head, snapshot.as_ref()));
    let counts = counts(coordinator, release, &selector, active);
    let state = coordinator.state();
    let debts =
        state.clusters_of(release).iter().filter_map(|(cluster, known)| Some(convert::debt(release, cluster, known.debt.as_ref()?)));
    Ok(ReleaseDto {
        name: release.to_string(),
        namespace: record.namespace.to_string(),
        revision: record.revision,
        document: None,
        chart: by_digest(&state, &document.chart).as_ref().map(brief),
        selector: document.selector.clone(),
        strategy: document.strategy.clone(),
        drift: if document.corrects_drift { "correct" } else { "report" }.into(),
        updated_at: convert::at(document.at),
        updated_by: document.by.clone(),
        latest_rollout,
        counts,
        debts: debts.take(MAX_DEBTS).collect(),
    })
}

fn counts(coordinator: &Coordinator, release: &ReleaseName, selector: &Selector, active: Option<(&Head, &Snapshot)>) -> ReleaseCounts {
    let state = coordinator.state();
    let known = state.clusters_of(release);
    let holds =
        known.iter().filter(|(_, known)| known.debt.is_some() || known.assignment.is_some() && !is_gone(known)).map(|(name, _)| name);
    let members = active.into_iter().flat_map(|(_, snapshot)| snapshot.members.keys());
    let names: BTreeSet<&ClusterName> = holds.chain(members).collect();
    let facts = coordinator.sessions().facts(&state, release);
    let mut counts = ReleaseCounts::default();
    for name in names {
        // It went with the deletion that is under way.
        if known.get(name).is_some_and(is_gone) {
            continue;
        }
        counts.clusters += 1;
        let turn = active.filter(|(_, snapshot)| snapshot.members.contains_key(name)).map(|(head, _)| {
            state.turns_of(&head.id).get(name).map_or(TurnState::Waiting, |turn| convert::turn_state(turn, &head.state, known.get(name)))
        });
        let known = known.get(name);
        let is_away = facts.get(name).is_none_or(|facts| facts.presence != Presence::Connected);
        let report = known.and_then(ClusterRelease::current_report);
        let live = facts.get(name).and_then(|facts| facts.live.as_ref());
        let phase = live.map(|live| live.phase).or(report.map(|report| report.phase));
        *match (turn, phase) {
            _ if known.is_some_and(|known| known.debt.is_some()) => &mut counts.owed,
            _ if is_away => &mut counts.unknown,
            (Some(TurnState::InFlight | TurnState::RollingBack), _) => &mut counts.updating,
            (Some(TurnState::Failed | TurnState::TimedOut), _) => &mut counts.failed,
            (Some(TurnState::Waiting), _) => &mut counts.waiting,
            _ if !state.clusters.get(name).is_some_and(|record| selector.matches(&with_name(&record.labels, name))) => &mut counts.orphaned,
            (_, Some(Phase::Failed | Phase::Refused)) => &mut counts.failed,
            (_, Some(Phase::Healthy)) => &mut counts.healthy,
            (_, Some(Phase::Accepted | Phase::Blocked | Phase::Applying)) => &mut counts.updating,
            (_, Some(Phase::Unhealthy | Phase::Gone) | None) => &mut counts.unhealthy,
        } += 1;
    }
    counts
}

fn is_gone(known: &ClusterRelease) -> bool {
    known.current_report().is_some_and(|report| report.phase == Phase::Gone)
}

/// Labels as selectors see them.
pub(super) fn with_name(labels: &Labels, name: &ClusterName) -> Labels {
    let mut labels = labels.clone();
    labels.insert("name".to_owned(), name.to_string());
    labels
}

/// The newest first.
pub(super) async fn history(State(coordinator): State<Arc<Coordinator>>, _: Caller, named: Named) -> Answer<List<ReleaseRevisionDto>> {
    let release: ReleaseName = named.read()?;
    let state = coordinator.state();
    if !state.releases.contains_key(&release) {
        return Err(Refused::not_found(format!("release {release}"), "groundswell get releases").into());
    }
    let revisions = state.documents.range((release.clone(), 0)..=(release.clone(), u64::MAX)).rev().take(200);
    let items = revisions.map(|((_, revision), record)| ReleaseRevisionDto {
        revision: *revision,
        at: convert::at(record.at),
        by: record.by.clone(),
        chart: by_digest(&state, &record.chart).as_ref().map(brief),
        cause: record.cause.clone(),
        rollout: record.rollout.as_ref().map(ToString::to_string),
        state: record.rollout.as_ref().and_then(|id| state.rollouts.get(id)).map(|head| convert::state(&head.state)),
    });
    Ok(Json(List::new(items.collect())))
}
