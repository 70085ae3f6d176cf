//! `/v1/charts`.

use super::auth::Caller;
use super::body::{Asked, Named, Raw};
use super::{Answer, convert};
use crate::coordinator::records::{ChartRecord, Role};
use crate::coordinator::state::State as Mirror;
use crate::coordinator::submit::charts::{by_name, listed};
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

pub(super) async fn show(State(coordinator): State<Arc<Coordinator>>, _: Caller, Named(wanted): Named) -> Answer<Object<ChartDto>> {
    let state = coordinator.state();
    let (digest, record) = find(&state, &wanted)?;
    Ok(Json(Object::new(convert::chart(digest, record))))
}

/// Digits that make a prefix of a digest; fewer are as likely a name.
const MIN_PREFIX: usize = 8;

/// The one chart that is meant by a digest or the beginning of one, a name, or `name:version`.
fn find<'s>(state: &'s Mirror, wanted: &str) -> Result<(&'s Digest, &'s ChartRecord), Refused> {
    let what = format!("chart {:?}", wanted.chars().take(80).collect::<String>());
    let is_prefix = wanted.len() >= MIN_PREFIX && wanted.bytes().all(|b| b.is_ascii_digit() || matches!(b, b'a'..=b'f'));
    let mut found: Vec<_> = state.charts.iter().filter(|(digest, _)| is_prefix && digest.as_str().starts_with(wanted)).collect();
    if found.is_empty() {
        found = match wanted.split_once(':') {
            Some((name, version)) => by_name(state, name, Some(version)),
            None => by_name(state, wanted, None),
        };
    }
    match found.as_slice() {
        [one] => Ok(*one),
        [] => Err(Refused::not_found(what, "groundswell chart list")),
        several => {
            let why = format!("it is ambiguous, {} charts are meant: {}", several.len(), listed(several));
            Err(Refused::conflict("GS-CHART", what, why).next("groundswell chart show DIGEST"))
        }
    }
}
