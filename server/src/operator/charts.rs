//! `/v1/charts`.

use super::auth::Caller;
use super::body::{Asked, Named, Raw};
use super::error::ApiError;
use super::{Answer, convert};
use crate::coordinator::records::{ChartRecord, Role};
use crate::coordinator::state::State as Mirror;
use crate::coordinator::submit::charts::{by_name, listed};
use crate::coordinator::{Coordinator, CoordinatorError, Refused, open_blob};
use axum::Json;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::header;
use axum::response::{IntoResponse, Response};
use groundswell_api::dto::{CHART_DIGEST_HEADER, ChartDto, List, Object};
use groundswell_core::id::Digest;
use serde::Deserialize;
use std::convert::Infallible;
use std::sync::Arc;
use tokio::sync::Semaphore;

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

/// Archives being sent at once, of at most [`super::MAX_CHART`] bytes each: 160 MiB at the very worst, 8 MiB with charts as they are.
static SENDING: Semaphore = Semaphore::const_new(8);

/// What a slow reader is given at a time.
const CHUNK: usize = 64 * 1024;

pub(super) async fn archive(State(coordinator): State<Arc<Coordinator>>, _: Caller, Named(wanted): Named) -> Result<Response, ApiError> {
    let digest = find(&coordinator.state(), &wanted)?.0.clone();
    let sending = SENDING.acquire().await.map_err(|_| CoordinatorError::Cut("the server is stopping".into()))?;
    let (blobs, wanted) = (coordinator.blobs().clone(), digest.clone());
    let bytes = Coordinator::blocking(move || open_blob(&blobs, &wanted)).await??;
    let length = bytes.len();
    let chunks = futures::stream::unfold((Bytes::from(bytes), sending), async |(mut rest, sending)| {
        // The permit lives as long as the stream: that is what it limits.
        let chunk = rest.split_to(rest.len().min(CHUNK));
        (!chunk.is_empty()).then_some((Ok::<_, Infallible>(chunk), (rest, sending)))
    });
    let headers = [
        (header::CONTENT_TYPE.as_str(), "application/gzip".to_owned()),
        (header::CONTENT_LENGTH.as_str(), length.to_string()),
        (CHART_DIGEST_HEADER, digest.to_string()),
    ];
    Ok((headers, axum::body::Body::from_stream(chunks)).into_response())
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
