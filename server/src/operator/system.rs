//! `/v1/version`, `/v1/audit`, `/v1/operators`.

use super::auth::Caller;
use super::body::{Asked, Body, Named};
use super::{Answer, convert};
use crate::coordinator::Coordinator;
use crate::coordinator::records::{OperatorRecord, Role};
use axum::Json;
use axum::extract::State;
use groundswell_api::dto::{self, API_VERSION, AuditDto, List, Object, OperatorDto, VersionDto};
use serde::{Deserialize, Serialize};
use std::sync::Arc;

/// Records of one page.
const MAX_AUDIT: usize = 1_000;

pub(super) async fn version(caller: Option<Caller>) -> Json<Object<VersionDto>> {
    let (user, role) = caller.map(|Caller(who)| (who.name, convert::role(who.role))).unzip();
    Json(Object::new(VersionDto { version: env!("CARGO_PKG_VERSION").into(), api_versions: vec![API_VERSION.into()], user, role }))
}

#[derive(Deserialize)]
pub(super) struct AuditQuery {
    after: Option<u64>,
    before: Option<u64>,
    limit: Option<usize>,
}

/// In their order. The newest unless it is asked what came after a record or before one; `next` is what to ask behind.
pub(super) async fn audit(
    State(coordinator): State<Arc<Coordinator>>,
    _: Caller,
    Asked(asked): Asked<AuditQuery>,
) -> Answer<List<AuditDto>> {
    let limit = asked.limit.unwrap_or(100).clamp(1, MAX_AUDIT);
    let after = asked.after.unwrap_or_else(|| {
        let newest = coordinator.state().audit.as_ref().map_or(0, |last| last.sequence);
        let end = asked.before.map_or(newest, |before| before.saturating_sub(1).min(newest));
        end.saturating_sub(limit as u64)
    });
    let mut items: Vec<AuditDto> = coordinator.audit(after, limit).await?.into_iter().map(convert::audit).collect();
    items.retain(|item| asked.before.is_none_or(|before| item.sequence < before));
    let next = items.last().filter(|_| asked.after.is_some() && items.len() == limit).map(|last| last.sequence.to_string());
    Ok(Json(List::page(items, next)))
}

/// `POST /v1/operators`.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct OperatorRequest {
    name: String,
    role: dto::Role,
}

/// The only answer that ever carries the token.
#[derive(Serialize)]
pub(super) struct OperatorToken {
    name: String,
    token: String,
}

impl dto::Kind for OperatorToken {
    const KIND: &'static str = "OperatorToken";
}

pub(super) async fn create_operator(
    State(coordinator): State<Arc<Coordinator>>,
    caller: Caller,
    Body(wanted): Body<OperatorRequest>,
) -> Answer<Object<OperatorToken>> {
    caller.needs(Role::Admin)?;
    let token = coordinator.create_operator(&wanted.name, convert::role_of(wanted.role), caller.name()).await?;
    Ok(Json(Object::new(OperatorToken { name: wanted.name, token })))
}

pub(super) async fn operators(State(coordinator): State<Arc<Coordinator>>, caller: Caller) -> Answer<List<OperatorDto>> {
    caller.needs(Role::Admin)?;
    let items = coordinator.state().operators.iter().map(|(id, record)| operator(id, record)).collect();
    Ok(Json(List::new(items)))
}

pub(super) async fn revoke_operator(
    State(coordinator): State<Arc<Coordinator>>,
    caller: Caller,
    Named(id): Named,
) -> Answer<Object<OperatorDto>> {
    caller.needs(Role::Admin)?;
    let (id, record) = coordinator.revoke_operator(&id, caller.name()).await?;
    Ok(Json(Object::new(operator(&id, &record))))
}

fn operator(id: &str, record: &OperatorRecord) -> OperatorDto {
    OperatorDto {
        id: id.to_owned(),
        name: record.name.clone(),
        role: convert::role(record.role),
        created_at: convert::at(record.created_at),
    }
}
