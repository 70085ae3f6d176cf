//! `/v1/version`, `/v1/audit`, `/v1/operators`.

use super::auth::Caller;
use super::body::{Asked, Body};
use super::{Answer, convert};
use crate::coordinator::Coordinator;
use crate::coordinator::records::Role;
use axum::Json;
use axum::extract::State;
use groundswell_api::dto::{self, API_VERSION, AuditDto, List, Object, VersionDto};
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
    #[serde(default)]
    after: u64,
    limit: Option<usize>,
}

pub(super) async fn audit(
    State(coordinator): State<Arc<Coordinator>>,
    _: Caller,
    Asked(asked): Asked<AuditQuery>,
) -> Answer<List<AuditDto>> {
    let limit = asked.limit.unwrap_or(100).clamp(1, MAX_AUDIT);
    let items: Vec<AuditDto> = coordinator.audit(asked.after, limit).await?.into_iter().map(convert::audit).collect();
    let next = items.last().filter(|_| items.len() == limit).map(|last| last.sequence.to_string());
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
