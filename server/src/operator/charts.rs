//! `/v1/charts`.

use super::auth::Caller;
use super::body::{Asked, Named, Raw};
use super::error::ApiError;
use super::{Answer, convert};
use crate::coordinator::records::Role;
use crate::coordinator::{Coordinator, Refused};
use axum::Json;
use axum::extract::State;
use groundswell_api::dto::{ChartDto, List, Object};
use groundswell_core::id::Digest;
use serde::Deserialize;
use std::sync::Arc;

/// Charts of one page.
const MAX_PAGE: usize = 1_000;

pub(super) async fn push(State(coordinator): State<Arc<Coordinator>>, caller: Caller, Raw(bytes): Raw) -> Answer<Object<ChartDto>> {
    caller.needs(Role::Operator)?;
    let (digest, record) = coordinator.push_chart(bytes.to_vec(), caller.name()).await?;
    Ok(Json(Object::new(convert::chart(&digest, &record))))
}

#[derive(Deserialize)]
pub(super) struct ChartQuery {
    limit: Option<usize>,
    next: Option<String>,
}

pub(super) async fn list(
    State(coordinator): State<Arc<Coordinator>>,
    _: Caller,
    Asked(asked): Asked<ChartQuery>,
) -> Answer<List<ChartDto>> {
    let limit = asked.limit.unwrap_or(MAX_PAGE).clamp(1, MAX_PAGE);
    let state = coordinator.state();
    let behind = |digest: &Digest| asked.next.as_deref().is_none_or(|next| digest.as_str() > next);
    let items: Vec<ChartDto> = state
        .charts
        .iter()
        .filter(|(digest, _)| behind(digest))
        .take(limit)
        .map(|(digest, record)| convert::chart(digest, record))
        .collect();
    let next = items.last().filter(|_| items.len() == limit).map(|last| last.digest.clone());
    Ok(Json(List::page(items, next)))
}

pub(super) async fn show(State(coordinator): State<Arc<Coordinator>>, _: Caller, Named(digest): Named) -> Answer<Object<ChartDto>> {
    let digest: Digest = Digest::new(digest.as_str()).map_err(|_| not_a_digest(&digest))?;
    let state = coordinator.state();
    let record = state
        .charts
        .get(&digest)
        .ok_or_else(|| Refused::not_found(format!("chart {}", digest.short()), "groundswell chart push <folder or .tgz>"))?;
    Ok(Json(Object::new(convert::chart(&digest, record))))
}

fn not_a_digest(text: &str) -> ApiError {
    let what = format!("digest {:?}", text.chars().take(80).collect::<String>());
    Refused::invalid("GS-NAME", what, "a SHA-256 has 64 lower-case hexadecimal characters").into()
}
