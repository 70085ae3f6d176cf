//! /healthz, /readyz and /metrics, for those who run the agent.

use crate::board::Board;
use axum::Router;
use axum::extract::State;
use axum::http::StatusCode;
use axum::routing::get;
use std::fmt::Write as _;
use std::sync::Arc;
use tokio::net::TcpListener;

async fn ready(State(board): State<Arc<Board>>) -> (StatusCode, &'static str) {
    if board.connected() {
        (StatusCode::OK, "ok\n")
    } else {
        (StatusCode::SERVICE_UNAVAILABLE, "no session with the server; what is installed stays as it is\n")
    }
}

async fn metrics(State(board): State<Arc<Board>>) -> String {
    let mut text = String::from(
        "# HELP groundswell_agent_connected Whether a session with the server stands.\n# TYPE groundswell_agent_connected gauge\n",
    );
    // Writing to a String cannot fail.
    let _ = writeln!(text, "groundswell_agent_connected {}", u8::from(board.connected()));
    text.push_str("# HELP groundswell_agent_release Where each release stands.\n# TYPE groundswell_agent_release gauge\n");
    for (release, phase) in board.phases() {
        let phase = phase.as_str_name().trim_start_matches("PHASE_").to_lowercase();
        let _ = writeln!(text, "groundswell_agent_release{{release=\"{release}\",phase=\"{phase}\"}} 1");
    }
    text
}

/// Serves until it is dropped.
pub(crate) async fn run(listener: TcpListener, board: Arc<Board>) -> anyhow::Result<()> {
    let routes = Router::new().route("/healthz", get(async || "ok\n")).route("/readyz", get(ready)).route("/metrics", get(metrics));
    axum::serve(listener, routes.with_state(board)).await?;
    Ok(())
}
