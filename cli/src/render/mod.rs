//! What people read. Pure: facts and `now` in, text out.

pub(crate) mod change;
pub(crate) mod chart;
pub(crate) mod lists;
pub(crate) mod path;
pub(crate) mod plan;
pub(crate) mod rollout;
pub(crate) mod word;

use jiff::Timestamp;

/// How long ago, or how long until: `45s`, `12m`, `3h`, `5d`.
pub(crate) fn span(seconds: i64) -> String {
    let seconds = seconds.max(0);
    match seconds {
        0..=119 => format!("{seconds}s"),
        120..=7_199 => format!("{}m", seconds / 60),
        7_200..=172_799 => format!("{}h", seconds / 3_600),
        _ => format!("{}d", seconds / 86_400),
    }
}

/// How long ago something was.
pub(crate) fn age(at: Timestamp, now: Timestamp) -> String {
    span(now.as_second() - at.as_second())
}

/// How long until something is.
pub(crate) fn until(at: Timestamp, now: Timestamp) -> String {
    span(at.as_second() - now.as_second())
}

/// The first characters of a digest.
pub(crate) fn short(digest: &str) -> &str {
    digest.get(..12).unwrap_or(digest)
}

/// `1 cluster`, `2 clusters`.
pub(crate) fn clusters(n: usize) -> String {
    if n == 1 { "1 cluster".to_owned() } else { format!("{n} clusters") }
}
