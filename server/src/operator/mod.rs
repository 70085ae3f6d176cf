//! The operator API: JSON over HTTPS under `/v1`, for the command and whoever else holds a token.

mod auth;
mod body;
mod charts;
mod clusters;
mod convert;
mod error;
mod installed;
mod releases;
mod rollouts;
mod system;

use crate::coordinator::{Coordinator, CoordinatorError};
use axum::Router;
use axum::extract::DefaultBodyLimit;
use axum::middleware::{Next, from_fn_with_state};
use axum::routing::{delete, get, patch, post, put};
use error::ApiError;
use std::sync::Arc;

/// Documents with their values files: Helm bears 1 MiB for a release, and a request may have several.
const MAX_BODY: usize = 4 << 20;

/// What is larger is no chart archive, either.
const MAX_CHART: usize = groundswell_helm::archive::Limits::DEFAULT.compressed as usize;

/// The API. Everything but `/v1/version` wants a bearer token.
pub fn router(coordinator: Arc<Coordinator>) -> Router {
    Router::new()
        .route("/v1/version", get(system::version))
        .route("/v1/audit", get(system::audit))
        .route("/v1/operators", get(system::operators).post(system::create_operator))
        .route("/v1/operators/{id}", delete(system::revoke_operator))
        .route("/v1/apply", post(releases::apply))
        .route("/v1/releases", get(releases::list))
        .route("/v1/releases/{name}", get(releases::show).delete(releases::delete))
        .route("/v1/releases/{name}/history", get(releases::history))
        .route("/v1/releases/{name}/set", post(releases::set))
        .route("/v1/values", get(releases::values))
        .route("/v1/rollouts", get(rollouts::list))
        .route("/v1/rollouts/{id}", get(rollouts::show))
        .route("/v1/rollouts/{id}/clusters", get(rollouts::clusters))
        .route("/v1/rollouts/{id}/evidence", get(rollouts::evidence))
        .route("/v1/rollouts/{id}/pause", post(rollouts::pause))
        .route("/v1/rollouts/{id}/resume", post(rollouts::resume))
        .route("/v1/rollouts/{id}/approve", post(rollouts::approve))
        .route("/v1/rollouts/{id}/retry", post(rollouts::retry))
        .route("/v1/rollouts/{id}/skip", post(rollouts::skip))
        .route("/v1/rollouts/{id}/abort", post(rollouts::abort))
        .route("/v1/rollouts/{id}/undo", post(rollouts::undo))
        .route("/v1/clusters", get(clusters::list))
        .route("/v1/clusters/{name}", get(clusters::show))
        .route("/v1/clusters/{name}/apis", get(installed::apis))
        .route("/v1/clusters/{name}/releases", get(installed::list))
        .route("/v1/clusters/{name}/releases/{release}", get(installed::show))
        .route("/v1/clusters/{name}/labels", patch(clusters::labels))
        .route("/v1/clusters/{name}/variables", put(clusters::variables))
        .route("/v1/clusters/{name}/revoke", post(clusters::revoke))
        .route("/v1/tokens", get(clusters::tokens).post(clusters::create_token))
        .route("/v1/tokens/{id}", delete(clusters::revoke_token))
        .route("/v1/charts", get(charts::list).put(charts::push).layer(DefaultBodyLimit::max(MAX_CHART)))
        .route("/v1/charts/{chart}", get(charts::show))
        .route("/v1/charts/{chart}/archive", get(charts::archive))
        .fallback(error::no_such_path)
        .method_not_allowed_fallback(error::no_such_method)
        .layer(DefaultBodyLimit::max(MAX_BODY))
        .layer(from_fn_with_state(Arc::clone(&coordinator), count))
        .with_state(coordinator)
}

async fn count(
    axum::extract::State(coordinator): axum::extract::State<Arc<Coordinator>>,
    request: axum::extract::Request,
    next: Next,
) -> axum::response::Response {
    coordinator.metrics().requests.inc();
    next.run(request).await
}

/// At the first start of all: an admin's token, to be written to a file of mode 0600. `None` once there is an operator.
///
/// # Errors
/// The store failed.
pub async fn bootstrap_admin(coordinator: &Coordinator) -> Result<Option<String>, CoordinatorError> {
    coordinator.bootstrap_admin().await
}

type Answer<T> = Result<axum::Json<T>, ApiError>;

#[cfg(test)]
mod tests;
