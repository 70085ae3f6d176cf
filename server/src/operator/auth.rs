//! Who asks, and whether they may.

use super::error::ApiError;
use crate::coordinator::operators::Who;
use crate::coordinator::records::Role;
use crate::coordinator::{Coordinator, RefusalKind, Refused};
use axum::extract::{FromRequestParts, OptionalFromRequestParts};
use axum::http::header;
use axum::http::request::Parts;
use std::convert::Infallible;
use std::sync::Arc;

/// An operator with a valid token.
#[derive(Clone, Debug)]
pub(super) struct Caller(pub(super) Who);

impl Caller {
    /// What the audit log calls them.
    pub(super) fn name(&self) -> &str {
        &self.0.name
    }

    /// Refuses who may less than this.
    pub(super) fn needs(&self, role: Role) -> Result<(), ApiError> {
        if self.0.role >= role {
            return Ok(());
        }
        let why = format!("{} has the role {:?}, this needs {role:?}", self.0.name, self.0.role).to_lowercase();
        Err(Refused::new(RefusalKind::Forbidden, "GS-FORBIDDEN", "you may not do this", why).next("ask an admin").into())
    }
}

fn caller(parts: &Parts, coordinator: &Coordinator) -> Option<Caller> {
    let header = parts.headers.get(header::AUTHORIZATION)?.to_str().ok()?;
    let (scheme, token) = header.split_once(' ')?;
    if !scheme.eq_ignore_ascii_case("bearer") {
        return None;
    }
    coordinator.authenticate(token.trim()).map(Caller)
}

impl FromRequestParts<Arc<Coordinator>> for Caller {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, coordinator: &Arc<Coordinator>) -> Result<Self, ApiError> {
        caller(parts, coordinator).ok_or_else(|| {
            let why = "there is no bearer token with it that this server knows";
            let refused = Refused::new(RefusalKind::Unauthenticated, "GS-UNAUTHENTICATED", "the request is nobody's", why);
            refused.next("give --token-file, or set GROUNDSWELL_TOKEN").into()
        })
    }
}

impl OptionalFromRequestParts<Arc<Coordinator>> for Caller {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, coordinator: &Arc<Coordinator>) -> Result<Option<Self>, Infallible> {
        Ok(caller(parts, coordinator))
    }
}
