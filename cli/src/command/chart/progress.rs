//! What is told while a chart is fetched. A fetch that takes a second says nothing.

use crate::error::Result;
use crate::output::{Output, clean};
use groundswell_helm::repository::Progress;
use std::future::Future;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

/// Often enough to see that something moves.
const LOOK_EVERY: Duration = Duration::from_secs(2);

/// What was told and not yet shown.
#[derive(Debug, Default)]
pub(crate) struct Shown(Mutex<State>);

#[derive(Debug, Default)]
struct State {
    bytes: Option<String>,
    retries: Vec<String>,
}

/// More tries than this are never made between two looks.
const MAX_RETRIES: usize = 32;

impl Progress for Shown {
    fn bytes(&self, what: &str, done: u64, total: Option<u64>) {
        let (unit, shift) = if total.unwrap_or(done).max(done) < 1 << 20 { ("KiB", 10) } else { ("MiB", 20) };
        let total = total.map(|total| format!(" of {}", tenths(total, shift))).unwrap_or_default();
        self.0.lock().unwrap_or_else(PoisonError::into_inner).bytes = Some(format!("{what}: {}{total} {unit}", tenths(done, shift)));
    }

    fn reading(&self, what: &str) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).bytes = Some(format!("reading the {what}…"));
    }

    fn retry(&self, reason: &str, attempt: u32, of: u32, delay: Duration) {
        let mut state = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if state.retries.len() < MAX_RETRIES {
            state.retries.push(format!("{reason}; try {attempt} of {of} in {:.1} s", delay.as_secs_f64()));
        }
    }
}

/// In units of two to the `shift`th bytes.
fn tenths(bytes: u64, shift: u32) -> String {
    let tenths = bytes.saturating_mul(10) >> shift;
    format!("{}.{}", tenths / 10, tenths % 10)
}

impl Shown {
    fn take(&self) -> Vec<String> {
        let mut state = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let retries = std::mem::take(&mut state.retries);
        retries.into_iter().chain(state.bytes.take()).collect()
    }
}

/// Waits for a fetch, and shows on stderr what it tells.
pub(crate) async fn watched<T>(fetch: impl Future<Output = Result<T>>, shown: &Shown, out: &mut Output) -> Result<T> {
    let mut fetch = std::pin::pin!(fetch);
    loop {
        match tokio::time::timeout(LOOK_EVERY, &mut fetch).await {
            Ok(done) => return done,
            Err(_) => {
                for line in shown.take() {
                    out.note(&clean(&line))?;
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_told_is_shown_once() {
        let shown = Shown::default();
        shown.bytes("chart archive", 1 << 19, Some(3 << 20));
        shown.bytes("chart archive", 1 << 20, Some(3 << 20));
        shown.retry("busy", 2, 4, Duration::from_millis(1500));
        assert_eq!(shown.take(), ["busy; try 2 of 4 in 1.5 s", "chart archive: 1.0 of 3.0 MiB"]);
        assert!(shown.take().is_empty());
        shown.bytes("chart archive", 512, Some(20 << 10));
        assert_eq!(shown.take(), ["chart archive: 0.5 of 20.0 KiB"]);
        shown.bytes("index", 3 << 10, None);
        assert_eq!(shown.take(), ["index: 3.0 KiB"]);
        shown.reading("index");
        assert_eq!(shown.take(), ["reading the index…"]);
    }
}
