//! CPU time, because on two cores the wall clock measures the neighbours too.

use std::time::Duration;

use rustix::time::{ClockId, clock_gettime};

fn read(clock: ClockId) -> Duration {
    let now = clock_gettime(clock);
    Duration::new(u64::try_from(now.tv_sec).unwrap_or_default(), u32::try_from(now.tv_nsec).unwrap_or_default())
}

/// CPU time of this process so far, all threads together.
pub(crate) fn of_process() -> Duration {
    read(ClockId::ProcessCPUTime)
}

/// CPU time of this thread so far.
pub(crate) fn of_thread() -> Duration {
    read(ClockId::ThreadCPUTime)
}
