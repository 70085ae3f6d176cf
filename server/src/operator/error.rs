//! Refusals and failures as HTTP: a status, and a body that says what, where, why and what next.

use crate::coordinator::{Chain, CoordinatorError, RefusalKind, Refused};
use axum::Json;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use groundswell_api::dto::{ErrorBody, ErrorDto};
use groundswell_store::{BlobError, CommitError};

/// An answer that is no success.
#[derive(Debug)]
pub(super) struct ApiError {
    status: StatusCode,
    error: Box<ErrorDto>,
}

impl ApiError {
    fn new(status: StatusCode, code: &str, what: &str, why: &str, next: &str) -> Self {
        let error = ErrorDto { code: code.into(), what: what.into(), why: why.into(), next: next.into(), ..ErrorDto::default() };
        Self { status, error: Box::new(error) }
    }
}

impl IntoResponse for ApiError {
    fn into_response(self) -> Response {
        let mut response = (self.status, Json(ErrorBody { error: *self.error })).into_response();
        if self.status == StatusCode::UNAUTHORIZED {
            response.headers_mut().insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
        }
        response
    }
}

impl From<Refused> for ApiError {
    fn from(refused: Refused) -> Self {
        let status = match refused.kind {
            RefusalKind::Invalid => StatusCode::BAD_REQUEST,
            RefusalKind::NotFound => StatusCode::NOT_FOUND,
            RefusalKind::Conflict => StatusCode::CONFLICT,
            RefusalKind::TooLarge => StatusCode::PAYLOAD_TOO_LARGE,
            RefusalKind::Forbidden => StatusCode::FORBIDDEN,
            RefusalKind::Unauthenticated => StatusCode::UNAUTHORIZED,
        };
        Self { status, error: refused.error }
    }
}

impl From<CoordinatorError> for ApiError {
    fn from(error: CoordinatorError) -> Self {
        match error {
            CoordinatorError::Refused(refused) => (*refused).into(),
            CoordinatorError::Commit(CommitError::Conflict { .. }) => Self::new(
                StatusCode::CONFLICT,
                "GS-CONFLICT",
                "the change",
                "something else changed at the same moment; nothing was done",
                "try again",
            ),
            CoordinatorError::Blob(BlobError::NoSpace { given, .. }) => {
                let why = format!("no room for {given} bytes on the server's disk; nothing was changed");
                Self::new(
                    StatusCode::INSUFFICIENT_STORAGE,
                    "GS-NO-SPACE",
                    "content could not be stored",
                    &why,
                    "make room on the server, then try again",
                )
            }
            CoordinatorError::Blob(BlobError::TooLarge { given, max }) => {
                let why = format!("it has {given} bytes, more than the {max} that are stored");
                Self::new(StatusCode::PAYLOAD_TOO_LARGE, "GS-TOO-LARGE", "the content", &why, "")
            }
            CoordinatorError::SteppedDown(_) => Self::new(
                StatusCode::SERVICE_UNAVAILABLE,
                "GS-STEPPED-DOWN",
                "this server no longer leads",
                "another one took over, or its store failed",
                "try again in a moment",
            ),
            // The log has the details; they are nobody else's.
            error => {
                tracing::error!(error = %Chain(&error), "a request of an operator failed");
                Self::new(
                    StatusCode::INTERNAL_SERVER_ERROR,
                    "GS-INTERNAL",
                    "the request failed",
                    "the server's log says why",
                    "try again, then look into the server's log",
                )
            }
        }
    }
}

pub(super) async fn no_such_path() -> ApiError {
    ApiError::new(
        StatusCode::NOT_FOUND,
        "GS-NOT-FOUND",
        "no such path",
        "the API lives under /v1",
        "groundswell version shows what client and server speak",
    )
}

pub(super) async fn no_such_method() -> ApiError {
    ApiError::new(
        StatusCode::METHOD_NOT_ALLOWED,
        "GS-METHOD",
        "no such method here",
        "the path is known, the method is not",
        "groundswell version shows what client and server speak",
    )
}
