//! Delays between tries. The only place that knows the `backoff` crate, which is not maintained any more.

use backoff::backoff::Backoff as _;
use backoff::{ExponentialBackoff, ExponentialBackoffBuilder};
use rand::Rng as _;
use std::time::Duration;

const FIRST: Duration = Duration::from_secs(1);
/// A server that was away for an hour is noticed within a minute; 10,000 agents at this pace are 170 tries a second.
const CAP: Duration = Duration::from_secs(60);

/// Full jitter: each delay is drawn evenly from zero to a ceiling that doubles. It never gives up.
#[derive(Debug)]
pub(crate) struct Delays {
    ceiling: ExponentialBackoff,
    cap: Duration,
}

impl Delays {
    pub(crate) fn new() -> Self {
        Self::up_to(CAP)
    }

    /// With another cap than the usual one.
    pub(crate) fn up_to(cap: Duration) -> Self {
        let ceiling = ExponentialBackoffBuilder::new()
            .with_initial_interval(FIRST)
            .with_multiplier(2.0)
            // The crate's jitter keeps half of the interval as a floor; ours is drawn below, over all of it.
            .with_randomization_factor(0.0)
            .with_max_interval(cap)
            // Its default gives up after 15 minutes, and an agent that gives up is lost.
            .with_max_elapsed_time(None)
            .build();
        Self { ceiling, cap }
    }

    /// The next delay.
    pub(crate) fn next(&mut self) -> Duration {
        let ceiling = self.ceiling.next_backoff().unwrap_or(self.cap).min(self.cap);
        even(ceiling)
    }

    /// After a success.
    pub(crate) fn reset(&mut self) {
        self.ceiling.reset();
    }
}

/// Evenly from zero to `most`.
pub(crate) fn even(most: Duration) -> Duration {
    most.mul_f64(rand::rng().random::<f64>())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn delays_grow_to_the_cap_and_never_end() {
        let mut delays = Delays::new();
        let mut longest = Duration::ZERO;
        for _ in 0..10_000 {
            longest = longest.max(delays.next());
        }
        assert!(longest <= CAP && longest > CAP / 2, "{longest:?}");
        delays.reset();
        assert!(delays.next() <= FIRST);
    }
}
