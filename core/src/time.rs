//! Time as data: the shells read clocks, the core only compares.

use serde::{Deserialize, Serialize};
use std::fmt;
use std::ops::{Add, Sub};

/// Milliseconds since the Unix epoch, read by a shell from its own clock.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Time(pub u64);

/// A length of time in milliseconds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Span(pub u64);

impl Span {
    /// No time at all.
    pub const ZERO: Self = Self(0);

    /// A span of whole seconds.
    pub const fn seconds(n: u64) -> Self {
        Self(n * 1_000)
    }

    /// A span of whole minutes.
    pub const fn minutes(n: u64) -> Self {
        Self(n * 60_000)
    }
}

impl Time {
    /// How long ago `earlier` was; zero when it lies ahead (clocks of two hosts may differ).
    pub fn since(self, earlier: Self) -> Span {
        Span(self.0.saturating_sub(earlier.0))
    }
}

impl Add<Span> for Time {
    type Output = Self;
    fn add(self, span: Span) -> Self {
        Self(self.0.saturating_add(span.0))
    }
}

impl Sub<Span> for Time {
    type Output = Self;
    fn sub(self, span: Span) -> Self {
        Self(self.0.saturating_sub(span.0))
    }
}

impl Add for Span {
    type Output = Self;
    fn add(self, other: Self) -> Self {
        Self(self.0.saturating_add(other.0))
    }
}

/// Written as an operator would say it: `45s`, `2m 30s`, `1h 5m`.
impl fmt::Display for Span {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let seconds = self.0 / 1_000;
        let (hours, minutes, rest) = (seconds / 3_600, seconds / 60 % 60, seconds % 60);
        match (hours, minutes, rest) {
            (0, 0, 0) if self.0 > 0 => write!(f, "{}ms", self.0),
            (0, 0, s) => write!(f, "{s}s"),
            (0, m, 0) => write!(f, "{m}m"),
            (0, m, s) => write!(f, "{m}m {s}s"),
            (h, 0, _) => write!(f, "{h}h"),
            (h, m, _) => write!(f, "{h}h {m}m"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spans_read_like_an_operator_says_them() {
        let said: Vec<String> = [0, 20, 45_000, 60_000, 150_000, 3_600_000, 3_900_000].map(|ms| Span(ms).to_string()).to_vec();
        assert_eq!(said, ["0s", "20ms", "45s", "1m", "2m 30s", "1h", "1h 5m"]);
    }

    #[test]
    fn a_time_ahead_is_no_time_ago() {
        assert_eq!(Time(5).since(Time(9)), Span::ZERO);
    }
}
