//! What the server counts, for `/metrics`.

use prometheus_client::encoding::text::encode;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::Registry;
use std::fmt;

/// Counters and gauges, and the registry that prints them.
pub struct Metrics {
    registry: Registry,
    /// Transactions that were committed or tried.
    pub commits: Counter,
    /// Reports that were made durable.
    pub reports: Counter,
    /// Heartbeats.
    pub heartbeats: Counter,
    /// Rounds of the planner.
    pub rounds: Counter,
    /// Rounds that were not committed because they broke an invariant.
    pub violations: Counter,
    /// How often the mirror was read anew.
    pub rescans: Counter,
    /// Requests of operators that were answered, errors included.
    pub requests: Counter,
    /// Milliseconds that the planner's last round took.
    pub plan_ms: Gauge,
    /// Sessions that are up.
    pub sessions: Gauge,
    /// Rollouts that have not ended.
    pub active_rollouts: Gauge,
}

impl Metrics {
    /// All at zero.
    pub fn new() -> Self {
        let mut registry = Registry::with_prefix("groundswell_server");
        let mut counter = |name: &str, help: &str| {
            let counter = Counter::default();
            registry.register(name, help, counter.clone());
            counter
        };
        let commits = counter("commits", "Transactions that were committed or tried");
        let reports = counter("reports", "Reports of agents that were made durable");
        let heartbeats = counter("heartbeats", "Heartbeats of agents");
        let rounds = counter("planner_rounds", "Rounds of the planner");
        let violations = counter("planner_violations", "Rounds that were not committed because they broke an invariant");
        let rescans = counter("mirror_rescans", "How often the mirror was read anew from the store");
        let requests = counter("operator_requests", "Requests of operators that were answered");
        let mut gauge = |name: &str, help: &str| {
            let gauge = Gauge::default();
            registry.register(name, help, gauge.clone());
            gauge
        };
        let plan_ms = gauge("planner_last_milliseconds", "How long the planner's last round took");
        let sessions = gauge("sessions", "Sessions that are up");
        let active_rollouts = gauge("active_rollouts", "Rollouts that have not ended");
        Self { registry, commits, reports, heartbeats, rounds, violations, rescans, requests, plan_ms, sessions, active_rollouts }
    }

    /// In the text format of OpenMetrics.
    ///
    /// # Errors
    /// Never in practice: writing into a string does not fail.
    pub fn encode(&self) -> Result<String, fmt::Error> {
        let mut text = String::new();
        encode(&mut text, &self.registry)?;
        Ok(text)
    }
}

impl Default for Metrics {
    fn default() -> Self {
        Self::new()
    }
}
