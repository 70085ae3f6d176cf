//! When to try again. Time and chance come from outside, so that tests need neither.

use super::limits::Limits;
use futures::future::BoxFuture;
use rand::Rng as _;
use std::fmt;
use std::time::{Duration, SystemTime};

/// Time and chance.
pub trait Pace: Send + Sync + fmt::Debug {
    /// Waits.
    fn sleep(&self, delay: Duration) -> BoxFuture<'_, ()>;
    /// A length of time between zero and this one, each as likely.
    fn draw(&self, ceiling: Duration) -> Duration;
    /// The time of day.
    fn now(&self) -> SystemTime {
        SystemTime::now()
    }
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

/// `Retry-After`, in seconds or as a date. What a date means is told by the server's own clock where its answer has a `Date`, and
/// by ours else; one that has passed is no delay.
pub(super) fn retry_after(value: &str, date: Option<&str>, now: impl FnOnce() -> SystemTime) -> Option<Duration> {
    let value = value.trim();
    if let Ok(seconds) = value.parse() {
        return Some(Duration::from_secs(seconds));
    }
    let until = httpdate::parse_http_date(value).ok()?;
    let now = date.and_then(|date| httpdate::parse_http_date(date.trim()).ok()).unwrap_or_else(now);
    Some(until.duration_since(now).unwrap_or_default())
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

    #[test]
    fn a_date_counts_from_the_servers_clock() {
        let ours = || SystemTime::UNIX_EPOCH + Duration::from_secs(784_111_770);
        let read = |value: &str, date: Option<&str>| retry_after(value, date, ours).map(|delay| delay.as_secs());
        let at = "Sun, 06 Nov 1994 08:49:37 GMT";
        assert_eq!(read(" 7 ", None), Some(7));
        assert_eq!(read(at, Some("Sun, 06 Nov 1994 08:49:30 GMT")), Some(7));
        assert_eq!(read("Sunday, 06-Nov-94 08:49:37 GMT", None), Some(7));
        assert_eq!(read(at, Some("no date")), Some(7));
        assert_eq!(read(at, Some("Sun, 06 Nov 1994 09:00:00 GMT")), Some(0));
        assert_eq!((read("-1", None), read("soon", None), read("", None)), (None, None, None));
    }
}
