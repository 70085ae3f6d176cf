//! Ends what a killed run left behind.

use std::fs;
use std::path::Path;
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Result, bail};
use rustix::process::{Pid, Signal, kill_process};

/// A killed process is gone in milliseconds unless the disk hangs.
const PATIENCE: Duration = Duration::from_secs(10);

/// Ends every process that a foundation in `dir` left running and answers how many they were. A process counts only when its
/// command line names `dir`: ids are used again. Nothing to do is no error.
///
/// # Errors
/// When a process does not end.
pub fn reap(dir: &Path) -> Result<usize> {
    let Ok(dir) = dir.canonicalize() else { return Ok(0) };
    let listed = fs::read_to_string(dir.join("pids")).unwrap_or_default();
    let pids = listed.lines().filter_map(|line| line.split(' ').next()?.parse::<i32>().ok());
    let ours: Vec<i32> = pids.filter(|pid| runs_in(*pid, &dir)).collect();
    for pid in ours.iter().filter_map(|pid| Pid::from_raw(*pid)) {
        // It may end by itself in between.
        let _ = kill_process(pid, Signal::KILL);
    }
    let deadline = Instant::now() + PATIENCE;
    while ours.iter().any(|pid| runs_in(*pid, &dir)) {
        if Instant::now() > deadline {
            bail!("processes of {} do not end: {ours:?}", dir.display());
        }
        thread::sleep(Duration::from_millis(20));
    }
    let _ = fs::remove_file(dir.join("pids"));
    Ok(ours.len())
}

fn runs_in(pid: i32, dir: &Path) -> bool {
    let command = fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
    String::from_utf8_lossy(&command).contains(&format!("{}/", dir.display()))
}
