//! Figures on stdout, each beside what it should be.

use anyhow::Result;
use std::io::Write as _;
use std::time::{Duration, Instant};

/// One line.
pub(crate) fn say(line: &str) -> Result<()> {
    Ok(writeln!(std::io::stdout().lock(), "{line}")?)
}

/// A figure, and what it is to be compared with: a limit of DESIGN 16, the physical limit, or a peer.
pub(crate) fn figure(what: &str, measured: &str, beside: &str) -> Result<()> {
    say(&format!("  {what:<58} {measured:>18}   {beside}"))
}

/// Whether this bench was asked for: `cargo xtask bench NAME`, or nothing was named.
pub(crate) fn is_wanted(name: &str) -> bool {
    let named: Vec<String> = std::env::args().skip(1).filter(|word| !word.starts_with('-')).collect();
    named.is_empty() || named.iter().any(|word| name.contains(word.as_str()))
}

/// The median of several runs: one that another process disturbed does not count.
pub(crate) fn median<T>(runs: usize, mut run: impl FnMut() -> T) -> Duration {
    let mut times: Vec<Duration> = (0..runs.max(1))
        .map(|_| {
            let begun = Instant::now();
            std::hint::black_box(run());
            begun.elapsed()
        })
        .collect();
    times.sort();
    times.get(times.len() / 2).copied().unwrap_or_default()
}

/// A length of time with three digits.
pub(crate) fn span(time: Duration) -> String {
    let micros = time.as_secs_f64() * 1e6;
    match micros {
        m if m < 1_000.0 => format!("{m:.0} us"),
        m if m < 1_000_000.0 => format!("{:.1} ms", m / 1e3),
        m => format!("{:.2} s", m / 1e6),
    }
}

/// A count with its thousands apart.
pub(crate) fn count(value: f64) -> String {
    let whole = format!("{value:.0}");
    let mut text = String::new();
    for (n, digit) in whole.chars().enumerate() {
        if n > 0 && (whole.len() - n) % 3 == 0 {
            text.push(',');
        }
        text.push(digit);
    }
    text
}
