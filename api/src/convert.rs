//! Documents to `core` types, with the defaults. Unsaid means safe.

use crate::document::{EachSpec, Limits, StrategySpec, WaveSpec};
use groundswell_core::id::WaveName;
use groundswell_core::selector::Selector;
use groundswell_core::strategy::{Each, Strategy, Wave};

pub use crate::document::parse_span as span;

/// A strategy with its defaults filled in. What `each` says about waves holds for those that say nothing themselves.
///
/// Without waves, all clusters go in one, named `all`.
pub fn strategy(spec: &StrategySpec) -> Strategy {
    let waves = if spec.waves.is_empty() {
        all_clusters().map(|wave| with_limits(wave, &spec.each.limits)).into_iter().collect()
    } else {
        spec.waves.iter().map(|written| wave(written, &spec.each.limits)).collect()
    };
    Strategy {
        waves,
        each: each(&spec.each),
        on_failure: spec.on_failure.unwrap_or_default(),
        on_failed_install: spec.on_failed_install.unwrap_or_default(),
        unmatched: spec.unmatched.unwrap_or_default(),
    }
}

/// The strategy of a release that names none: one wave of all clusters, one at a time, no failure forgiven.
pub fn safe_strategy() -> Strategy {
    strategy(&StrategySpec::default())
}

fn all_clusters() -> Option<Wave> {
    WaveName::new("all").ok().map(|name| Wave::safe(name, Selector::all()))
}

fn wave(written: &WaveSpec, each: &Limits) -> Wave {
    let mut wave = with_limits(Wave::safe(written.name.value.clone(), written.selector.value.clone()), each);
    wave = with_limits(wave, &written.limits);
    wave.may_be_empty = written.may_be_empty;
    wave.may_be_owed = written.canary_may_be_owed;
    wave
}

fn with_limits(wave: Wave, limits: &Limits) -> Wave {
    let Limits { max_concurrent, failure_budget, min_available, bake, approval } = limits;
    Wave {
        max_concurrent: max_concurrent.map_or(wave.max_concurrent, |limit| limit.value),
        failure_budget: failure_budget.map_or(wave.failure_budget, |limit| limit.value),
        min_available: min_available.map_or(wave.min_available, |limit| limit.value),
        bake: bake.map_or(wave.bake, |bake| bake.value),
        approval: approval.unwrap_or(wave.approval),
        ..wave
    }
}

fn each(written: &EachSpec) -> Each {
    let EachSpec { limits: _, deadline, ready_for, offline_after, relapse_after } = written;
    let safe = Each::default();
    Each {
        deadline: deadline.map_or(safe.deadline, |span| span.value),
        ready_for: ready_for.map_or(safe.ready_for, |span| span.value),
        offline_after: offline_after.map_or(safe.offline_after, |span| span.value),
        relapse_after: relapse_after.map_or(safe.relapse_after, |span| span.value),
    }
}
