//! When to try again. Time and chance come from outside, so that tests need neither.

use super::limits::Limits;
use futures::future::BoxFuture;
use rand::Rng as _;
use std::fmt;
use std::time::Duration;

/// Time and chance.
pub trait Pace: Send + Sync + fmt::Debug {
    /// Waits.
    fn sleep(&self, delay: Duration) -> BoxFuture<'_, ()>;
    /// A length of time between zero and this one, each as likely.
    fn draw(&self, ceiling: Duration) -> Duration;
}

/// The real ones.
#[derive(Debug, Clone, Copy, Default)]
pub struct RealPace;

impl Pace for RealPace {
    fn sleep(&self, delay: Duration) -> BoxFuture<'_, ()> {
        Box::pin(tokio::time::sleep(delay))
    }

    fn draw(&self, ceiling: Duration) -> Duration {
        rand::rng().random_range(Duration::ZERO..=ceiling)
    }
}

/// Full jitter: evenly from zero to a ceiling that doubles, so that a hundred pipelines that failed together come back apart.
pub(super) fn delay(pace: &dyn Pace, limits: &Limits, failures: u32) -> Duration {
    let ceiling = limits.first_delay.saturating_mul(2_u32.saturating_pow(failures.saturating_sub(1)));
    pace.draw(ceiling.min(limits.longest_delay))
}

/// `Retry-After` in seconds. Its other form, a date, trusts the server's clock and is left aside.
pub(super) fn retry_after(value: &str) -> Option<Duration> {
    value.trim().parse().ok().map(Duration::from_secs)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug)]
    struct Highest;

    impl Pace for Highest {
        fn sleep(&self, _: Duration) -> BoxFuture<'_, ()> {
            Box::pin(async {})
        }
        fn draw(&self, ceiling: Duration) -> Duration {
            ceiling
        }
    }

    #[test]
    fn ceilings_double_up_to_the_longest() {
        let limits = Limits { first_delay: Duration::from_secs(1), longest_delay: Duration::from_secs(5), ..Limits::default() };
        let drawn: Vec<u64> = (1..=5).chain([u32::MAX]).map(|failures| delay(&Highest, &limits, failures).as_secs()).collect();
        assert_eq!(drawn, [1, 2, 4, 5, 5, 5]);
        assert!(RealPace.draw(Duration::from_secs(1)) <= Duration::from_secs(1));
    }
}
