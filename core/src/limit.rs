//! Numbers and percentages of a wave: `maxConcurrent`, `failureBudget`, `minAvailable` (DESIGN 4).

use serde::{Deserialize, Serialize};
use std::fmt;

/// A count, a percentage of the wave, or the word `none`. Zero means zero.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Limit {
    /// So many clusters.
    Count(u32),
    /// So many per cent of the wave's clusters.
    Percent(u8),
    /// No limit.
    None,
}

impl Limit {
    /// How many may be in flight: floor, at least 1 for a percentage (1 % of ten clusters still goes forward).
    pub fn max_concurrent(self, wave_size: usize) -> usize {
        match self {
            Self::Count(n) => n as usize,
            Self::Percent(p) => (wave_size * usize::from(p) / 100).max(1),
            Self::None => wave_size,
        }
    }

    /// How many may fail: floor, so that a small wave has no budget by rounding.
    pub fn failure_budget(self, wave_size: usize) -> usize {
        match self {
            Self::Count(n) => n as usize,
            Self::Percent(p) => wave_size * usize::from(p) / 100,
            Self::None => usize::MAX,
        }
    }

    /// How many must be healthy: rounded up, the careful side; `none` demands nothing.
    pub fn min_available(self, wave_size: usize) -> usize {
        match self {
            Self::Count(n) => n as usize,
            Self::Percent(p) => (wave_size * usize::from(p)).div_ceil(100),
            Self::None => 0,
        }
    }
}

impl fmt::Display for Limit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Count(n) => write!(f, "{n}"),
            Self::Percent(p) => write!(f, "{p}%"),
            Self::None => f.write_str("none"),
        }
    }
}

/// Why a limit was refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is no limit: write a count such as 3, a percentage from 0% to 100%, or none")]
pub struct BadLimit(pub String);

impl std::str::FromStr for Limit {
    type Err = BadLimit;
    fn from_str(text: &str) -> Result<Self, BadLimit> {
        let refuse = || BadLimit(text.chars().take(40).collect());
        if text == "none" {
            return Ok(Self::None);
        }
        let digits = text.strip_suffix('%').unwrap_or(text);
        if digits.is_empty() || !digits.bytes().all(|b| b.is_ascii_digit()) {
            return Err(refuse());
        }
        if digits.len() == text.len() {
            return text.parse().map(Self::Count).map_err(|_| refuse());
        }
        match digits.parse::<u8>() {
            Ok(percent) if percent <= 100 => Ok(Self::Percent(percent)),
            _ => Err(refuse()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rounding_is_floor_for_freedom_and_up_for_care() {
        let quarter = Limit::Percent(25);
        assert_eq!((quarter.max_concurrent(10), quarter.failure_budget(10), quarter.min_available(10)), (2, 2, 3));
        let one = Limit::Percent(1);
        assert_eq!((one.max_concurrent(10), one.failure_budget(10), one.min_available(10)), (1, 0, 1));
    }

    #[test]
    fn zero_is_zero_and_none_is_a_word() {
        assert_eq!("0".parse::<Limit>().unwrap().max_concurrent(5), 0);
        assert_eq!("none".parse::<Limit>().unwrap().max_concurrent(5), 5);
        for bad in ["", "-1", "101%", "%", "1.5", "all", "+3", "99999999999"] {
            assert!(bad.parse::<Limit>().is_err(), "{bad:?} passed");
        }
    }
}
