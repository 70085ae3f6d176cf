//! What comes in: bodies, names and queries, each refused in our own words.

use super::error::ApiError;
use crate::coordinator::{Coordinator, RefusalKind, Refused};
use axum::body::Bytes;
use axum::extract::{FromRequest, FromRequestParts, Path, Query, Request};
use axum::http::StatusCode;
use axum::http::request::Parts;
use groundswell_core::id::BadName;
use serde::de::DeserializeOwned;
use std::sync::Arc;

/// A JSON body. An empty one is an empty object.
pub(super) struct Body<T>(pub(super) T);

impl<T: DeserializeOwned> FromRequest<Arc<Coordinator>> for Body<T> {
    type Rejection = ApiError;

    async fn from_request(request: Request, coordinator: &Arc<Coordinator>) -> Result<Self, ApiError> {
        let Raw(bytes) = Raw::from_request(request, coordinator).await?;
        let bytes: &[u8] = if bytes.is_empty() { b"{}" } else { &bytes };
        serde_json::from_slice(bytes).map(Self).map_err(|error| {
            let place = format!("body:{}:{}", error.line(), error.column());
            Refused::invalid("GS-BODY", "the body of the request", error.to_string())
                .at(place)
                .next("use a groundswell command of the server's version")
                .into()
        })
    }
}

/// The bytes of a body.
pub(super) struct Raw(pub(super) Bytes);

impl FromRequest<Arc<Coordinator>> for Raw {
    type Rejection = ApiError;

    async fn from_request(request: Request, coordinator: &Arc<Coordinator>) -> Result<Self, ApiError> {
        Bytes::from_request(request, coordinator).await.map(Self).map_err(|rejected| {
            let (kind, code) = match rejected.status() {
                StatusCode::PAYLOAD_TOO_LARGE => (RefusalKind::TooLarge, "GS-TOO-LARGE"),
                _ => (RefusalKind::Invalid, "GS-BODY"),
            };
            Refused::new(kind, code, "the body of the request", rejected.body_text()).into()
        })
    }
}

/// A query.
pub(super) struct Asked<T>(pub(super) T);

impl<T: DeserializeOwned> FromRequestParts<Arc<Coordinator>> for Asked<T> {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, coordinator: &Arc<Coordinator>) -> Result<Self, ApiError> {
        match Query::<T>::from_request_parts(parts, coordinator).await {
            Ok(Query(asked)) => Ok(Self(asked)),
            Err(rejected) => Err(Refused::invalid("GS-QUERY", "the query of the request", rejected.body_text()).into()),
        }
    }
}

/// The one variable part of a path.
pub(super) struct Named(pub(super) String);

impl FromRequestParts<Arc<Coordinator>> for Named {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, coordinator: &Arc<Coordinator>) -> Result<Self, ApiError> {
        match Path::<String>::from_request_parts(parts, coordinator).await {
            Ok(Path(name)) => Ok(Self(name)),
            Err(rejected) => Err(Refused::invalid("GS-PATH", "the path of the request", rejected.body_text()).into()),
        }
    }
}

/// The two variable parts of a path.
pub(super) struct NamedIn(pub(super) String, pub(super) String);

impl FromRequestParts<Arc<Coordinator>> for NamedIn {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, coordinator: &Arc<Coordinator>) -> Result<Self, ApiError> {
        match Path::<(String, String)>::from_request_parts(parts, coordinator).await {
            Ok(Path((outer, inner))) => Ok(Self(outer, inner)),
            Err(rejected) => Err(Refused::invalid("GS-PATH", "the path of the request", rejected.body_text()).into()),
        }
    }
}

impl Named {
    /// The name, if it is one.
    pub(super) fn read<T: std::str::FromStr<Err = BadName>>(&self) -> Result<T, ApiError> {
        name(&self.0)
    }
}

/// A name out of a request.
pub(super) fn name<T: std::str::FromStr<Err = BadName>>(text: &str) -> Result<T, ApiError> {
    text.parse().map_err(|error: BadName| Refused::invalid("GS-NAME", format!("{} {:?}", error.what, error.name), error.why).into())
}
