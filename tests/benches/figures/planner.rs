//! Time of the planner for 10,000 clusters: one round in several states, and all rounds of a whole wave.
//!
//! DESIGN 16 has no figure of its own for it; it is a part of "an assignment to 10,000 agents within a second of the commit".

use crate::fleet::{CLUSTERS_PER_ROUND, Fleet};
use crate::print::{figure, median, say, span};
use anyhow::Result;
use groundswell_core::invariant::check_round;
use groundswell_core::rollout::{Scope, State};
use groundswell_core::time::Span;
use std::time::Instant;

const CLUSTERS: usize = 10_000;
/// A round has to leave room for the commits of all others: at two a second it may cost 50 ms.
const ROUND: &str = "aim: below 50 ms";
const RUNS: usize = 15;

pub(crate) fn run() -> Result<()> {
    say(&format!("planner: {CLUSTERS} clusters in one wave, maxConcurrent none, {CLUSTERS_PER_ROUND} clusters a round"))?;
    let new = Fleet::new(CLUSTERS)?;
    round("a round that issues the first 32", &new)?;

    let mut begun = new.clone();
    let started = Instant::now();
    let rounds = begun.rest();
    figure(
        &format!("all {rounds} rounds that issue 10,000, without the commits"),
        &span(started.elapsed()),
        "DESIGN 16: 10,000 agents have it within 1 s of the commit",
    )?;
    round("a round with 10,000 in flight and nothing new", &begun)?;

    let mut healthy = begun.clone();
    healthy.now = healthy.now + Span::seconds(20);
    healthy.all_healthy(Span::seconds(10));
    round("a round that takes the first 32 of 10,000 successes", &healthy)?;
    healthy.rest();
    round("a round that waits for the bake of 10,000", &healthy)?;

    let mut baked = healthy.clone();
    baked.all_healthy(Span::minutes(2));
    round("a round that promotes the wave on 10,000 reports", &baked)?;

    let mut back = healthy.clone();
    back.head.state = State::RollingBack { scope: Scope::All, why: "bench".into() };
    round("a round of the way back", &back)?;

    let mut paused = begun.clone();
    paused.head.state = State::Paused { by: "bench".into(), why: String::new(), back: None };
    round("a round while paused, 10,000 in flight", &paused)
}

/// Planning, and the invariants that the server checks before it commits.
fn round(what: &str, fleet: &Fleet) -> Result<()> {
    let plan = fleet.plan();
    figure(what, &span(median(RUNS, || fleet.plan())), ROUND)?;
    let view = fleet.view();
    let checked = median(RUNS, || check_round(&view, &plan.changes, fleet.now));
    figure("  and its check against GS-1 to GS-10", &span(checked), "")
}
