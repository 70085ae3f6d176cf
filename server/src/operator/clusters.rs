//! `/v1/clusters` and `/v1/tokens`.

use super::auth::Caller;
use super::body::{Asked, Body, Named, name};
use super::releases::with_name;
use super::{Answer, convert};
use crate::coordinator::enrolment::{TokenWish, known};
use crate::coordinator::records::{ClusterRecord, Role, TokenRecord};
use crate::coordinator::state::State as Mirror;
use crate::coordinator::submit::plan::brief;
use crate::coordinator::{Coordinator, Refused};
use axum::Json;
use axum::extract::State;
use groundswell_api::dto::{
    ClusterDto, ClusterReleaseDto, LabelsRequest, List, NewTokenDto, Object, PresenceDto, PresenceState, TokenDto, TokenRequest,
    VariableDto, VariableOrigin, VariablesRequest, WhyRequest,
};
use groundswell_core::assignment::Target;
use groundswell_core::id::{ClusterName, ReleaseName};
use groundswell_core::planner::Presence;
use groundswell_core::report::Phase;
use groundswell_core::rollout::ClusterRelease;
use groundswell_core::selector::Selector;
use groundswell_core::time::Span;
use serde::Deserialize;
use std::collections::BTreeMap;
use std::sync::Arc;

/// Clusters of one page.
const MAX_PAGE: usize = 1_000;

#[derive(Deserialize)]
pub(super) struct ClusterQuery {
    selector: Option<String>,
    limit: Option<usize>,
    next: Option<String>,
}

/// In name order; `next` is the last name of the page before.
pub(super) async fn list(
    State(coordinator): State<Arc<Coordinator>>,
    _: Caller,
    Asked(asked): Asked<ClusterQuery>,
) -> Answer<List<ClusterDto>> {
    let selector: Selector =
        asked.selector.as_deref().unwrap_or_default().parse().map_err(|error: groundswell_core::selector::BadSelector| {
            Refused::invalid("GS-SELECTOR", format!("selector {:?}", error.text), error.why)
        })?;
    let limit = asked.limit.unwrap_or(MAX_PAGE).clamp(1, MAX_PAGE);
    let state = coordinator.state();
    let wanted = state.clusters.iter().filter(|(name, record)| {
        asked.next.as_deref().is_none_or(|next| name.as_str() > next) && selector.matches(&with_name(&record.labels, name))
    });
    let items: Vec<ClusterDto> = wanted.take(limit).map(|(name, record)| dto(&coordinator, &state, name, record)).collect();
    let next = items.last().filter(|_| items.len() == limit).map(|last| last.name.clone());
    Ok(Json(List::page(items, next)))
}

pub(super) async fn show(State(coordinator): State<Arc<Coordinator>>, _: Caller, named: Named) -> Answer<Object<ClusterDto>> {
    Ok(Json(Object::new(shown(&coordinator, &named.read()?)?)))
}

fn shown(coordinator: &Coordinator, name: &ClusterName) -> Result<ClusterDto, Refused> {
    let state = coordinator.state();
    let record = known(&state, name)?;
    Ok(ClusterDto { variables: variables_of(name, record), ..dto(coordinator, &state, name, record) })
}

fn dto(coordinator: &Coordinator, state: &Mirror, name: &ClusterName, record: &ClusterRecord) -> ClusterDto {
    let live = coordinator.sessions().live(name);
    let some = |text: &str| (!text.is_empty()).then(|| text.to_owned());
    let in_cluster = || state.cluster_releases.iter().filter_map(|(release, known)| Some((release, known.get(name)?)));
    ClusterDto {
        name: name.to_string(),
        labels: record.labels.clone(),
        presence: presence(coordinator, name, record, in_cluster().any(|(_, known)| known.report.is_some())),
        certificate_expires_at: record.certificate_not_after.map(convert::at),
        agent_version: some(&live.agent_version),
        helm_version: some(&live.helm_version),
        // A server that has just started knows it from before.
        kubernetes_version: some(&live.kubernetes_version).or_else(|| record.seen.as_ref().map(|seen| seen.kubernetes_version.clone())),
        variables: BTreeMap::new(),
        releases: in_cluster()
            .filter(|(_, known)| known.assignment.is_some())
            .map(|(release, known)| release_dto(coordinator, state, name, record, release, known))
            .collect(),
        debts: in_cluster().filter_map(|(release, known)| Some(convert::debt(release, name, known.debt.as_ref()?))).collect(),
    }
}

fn presence(coordinator: &Coordinator, name: &ClusterName, record: &ClusterRecord, was_heard: bool) -> PresenceDto {
    let live = coordinator.sessions().live(name);
    let (state, since) = match (&record.revoked, coordinator.sessions().presence(name)) {
        (Some(revoked), _) => (PresenceState::Revoked, Some(revoked.at)),
        (None, Presence::Connected) => (PresenceState::Online, live.connected_at),
        (None, Presence::Away { since }) => (PresenceState::Offline, Some(since)),
        // Not heard since this server started; before that, perhaps.
        (None, Presence::Unknown { .. }) if was_heard => (PresenceState::Offline, None),
        (None, Presence::Unknown { .. }) => (PresenceState::Never, None),
    };
    PresenceDto { state, since: since.map(convert::at), last_seen: live.last_heard.map(convert::at) }
}

fn release_dto(
    coordinator: &Coordinator,
    state: &Mirror,
    name: &ClusterName,
    record: &ClusterRecord,
    release: &ReleaseName,
    known: &ClusterRelease,
) -> ClusterReleaseDto {
    let assignment = known.assignment.as_ref();
    let report = known.current_report();
    let wanted = assignment.and_then(|assignment| match &assignment.target {
        Target::Content(content) => Some(&content.chart),
        Target::HelmRevision(_) | Target::Uninstalled | Target::Orphaned => None,
    });
    let arrived =
        wanted.filter(|chart| report.is_some_and(|report| !report.phase.is_before_start() && report.chart_digest == chart.digest.as_str()));
    let installed = arrived
        .map(|chart| format!("{}-{}", chart.name, chart.version))
        .or_else(|| known.last_good.as_ref().map(|good| good.chart.clone()));
    let live = coordinator.sessions().live(name);
    let phase = live
        .health(release)
        .filter(|live| Some(live.generation) == assignment.map(|a| a.generation))
        .map(|live| live.phase)
        .or(report.map(|report| report.phase));
    let selector = state.document(release).and_then(|document| document.selector.parse::<Selector>().ok());
    let orphaned = selector.is_some_and(|selector| !selector.matches(&with_name(&record.labels, name)));
    ClusterReleaseDto {
        release: release.to_string(),
        namespace: assignment.map(|assignment| assignment.namespace.to_string()).unwrap_or_default(),
        installed: installed.filter(|_| phase != Some(Phase::Gone)),
        wanted: wanted.map(brief),
        helm_revision: report.and_then(|report| report.helm_revision),
        healthy: phase.filter(|phase| *phase != Phase::Gone).map(|phase| phase == Phase::Healthy),
        generation: assignment.map_or(0, |assignment| assignment.generation.0),
        rollout: assignment.map(|assignment| assignment.rollout.to_string()),
        message: match (phase, assignment.map(|assignment| &assignment.target)) {
            (Some(Phase::Gone), Some(Target::Orphaned)) => convert::LET_GO.to_owned(),
            _ => report.map(|report| report.message.clone()).unwrap_or_default(),
        },
        outdated: !orphaned && is_outdated(state, release, known),
        orphaned,
    }
}

/// What it has is of an older revision of the document than the last that was rolled out, and nothing is under way.
fn is_outdated(state: &Mirror, release: &ReleaseName, known: &ClusterRelease) -> bool {
    let Some(assignment) = &known.assignment else { return false };
    if state.active(release).is_some() {
        return false;
    }
    let revisions = || state.documents.range((release.clone(), 0)..=(release.clone(), u64::MAX));
    let newest = revisions().rev().find(|(_, document)| document.rollout.is_some()).map(|((_, revision), _)| *revision);
    let has = revisions().find(|(_, document)| document.rollout.as_ref() == Some(&assignment.rollout)).map(|((_, revision), _)| *revision);
    has.is_some() && has < newest
}

fn variables_of(name: &ClusterName, record: &ClusterRecord) -> BTreeMap<String, VariableDto> {
    let variable = |value, origin| VariableDto { value, origin, secret: false };
    let label = |(key, value): (&String, &String)| (key.clone(), variable(value.as_str().into(), VariableOrigin::Label));
    let mut variables: BTreeMap<String, VariableDto> = record.labels.iter().map(label).collect();
    variables.extend(record.variables.iter().map(|(key, value)| (key.clone(), variable(value.clone(), VariableOrigin::Variable))));
    variables.insert("cluster_name".to_owned(), variable(name.as_str().into(), VariableOrigin::Name));
    variables
}

pub(super) async fn labels(
    State(coordinator): State<Arc<Coordinator>>,
    caller: Caller,
    named: Named,
    Body(wanted): Body<LabelsRequest>,
) -> Answer<Object<ClusterDto>> {
    caller.needs(Role::Operator)?;
    let name = named.read()?;
    coordinator.set_labels(&name, wanted.set, &wanted.remove, caller.name()).await?;
    Ok(Json(Object::new(shown(&coordinator, &name)?)))
}

pub(super) async fn variables(
    State(coordinator): State<Arc<Coordinator>>,
    caller: Caller,
    named: Named,
    Body(wanted): Body<VariablesRequest>,
) -> Answer<Object<ClusterDto>> {
    caller.needs(Role::Operator)?;
    let name = named.read()?;
    coordinator.set_variables(&name, wanted.variables, caller.name()).await?;
    Ok(Json(Object::new(shown(&coordinator, &name)?)))
}

pub(super) async fn revoke(
    State(coordinator): State<Arc<Coordinator>>,
    caller: Caller,
    named: Named,
    Body(wanted): Body<WhyRequest>,
) -> Answer<Object<ClusterDto>> {
    caller.needs(Role::Admin)?;
    let name = named.read()?;
    coordinator.revoke(&name, &wanted.why, caller.name()).await?;
    Ok(Json(Object::new(shown(&coordinator, &name)?)))
}

pub(super) async fn create_token(
    State(coordinator): State<Arc<Coordinator>>,
    caller: Caller,
    Body(wanted): Body<TokenRequest>,
) -> Answer<Object<NewTokenDto>> {
    caller.needs(Role::Admin)?;
    let wish = TokenWish {
        cluster: wanted.cluster.as_deref().map(name).transpose()?,
        labels: wanted.labels,
        ttl: Span(wanted.ttl_seconds.saturating_mul(1_000)),
        uses: wanted.uses,
    };
    let made = coordinator.create_token(wish, caller.name()).await?;
    Ok(Json(Object::new(NewTokenDto { token: made.token, id: made.id, expires_at: convert::at(made.expires_at) })))
}

pub(super) async fn tokens(State(coordinator): State<Arc<Coordinator>>, caller: Caller) -> Answer<List<TokenDto>> {
    caller.needs(Role::Admin)?;
    let state = coordinator.state();
    let tokens = state.tokens.iter().rev().take(MAX_PAGE).map(|(id, record)| token(id, record));
    Ok(Json(List::new(tokens.collect())))
}

pub(super) async fn revoke_token(
    State(coordinator): State<Arc<Coordinator>>,
    caller: Caller,
    Named(id): Named,
) -> Answer<Object<TokenDto>> {
    caller.needs(Role::Admin)?;
    let record = coordinator.revoke_token(&id, caller.name()).await?;
    Ok(Json(Object::new(token(&id, &record))))
}

fn token(id: &str, record: &TokenRecord) -> TokenDto {
    TokenDto {
        id: id.to_owned(),
        cluster: record.cluster.as_ref().map(ToString::to_string),
        labels: record.labels.clone(),
        created_at: convert::at(record.created_at),
        created_by: record.created_by.clone(),
        expires_at: convert::at(record.expires_at),
        uses_left: record.uses.saturating_sub(u32::try_from(record.used.len()).unwrap_or(u32::MAX)),
    }
}
