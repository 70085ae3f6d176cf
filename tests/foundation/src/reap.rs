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
    // A stand keeps its control planes in a folder of their own below it.
    let below = dir.join("foundation");
    let nested = if below.join("pids").is_file() { reap(&below)? } else { 0 };
    Ok(ours.len() + nested)
}

fn runs_in(pid: i32, dir: &Path) -> bool {
    let command = fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
    String::from_utf8_lossy(&command).contains(&format!("{}/", dir.display()))
}

#[cfg(test)]
mod tests {
    use std::io::Read as _;
    use std::process::{Child, Command, Stdio};

    use super::*;

    /// Waits for a line that never comes, with `word` on its command line. It has spoken before it is given away: `spawn` comes
    /// back while the kernel still sets the new program up, and until then its command line reads as empty.
    fn waiting(word: &str) -> Child {
        let mut shell = Command::new("sh");
        shell.args(["-c", "echo; read line", word]).stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut child = shell.spawn().unwrap();
        child.stdout.as_mut().unwrap().read_exact(&mut [0]).unwrap();
        child
    }

    #[test]
    fn only_processes_that_name_the_folder_are_ended() {
        let dir = tempfile::tempdir().unwrap();
        let word = dir.path().canonicalize().unwrap().join("etcd");
        let (mut ours, mut stranger) = (waiting(&word.display().to_string()), waiting("stranger"));
        fs::write(dir.path().join("pids"), format!("{} etcd\n{} recycled\n", ours.id(), stranger.id())).unwrap();
        assert_eq!(reap(dir.path()).unwrap(), 1);
        assert!(!ours.wait().unwrap().success());
        assert!(stranger.try_wait().unwrap().is_none(), "a process that took an old id was ended");
        assert_eq!(reap(dir.path()).unwrap(), 0);
        stranger.kill().unwrap();
        stranger.wait().unwrap();
    }

    #[test]
    fn the_control_planes_of_a_stand_are_ended_with_it() {
        let dir = tempfile::tempdir().unwrap();
        let below = dir.path().canonicalize().unwrap().join("foundation");
        fs::create_dir(&below).unwrap();
        let mut plane = waiting(&below.join("apiserver").display().to_string());
        fs::write(below.join("pids"), format!("{} apiserver\n", plane.id())).unwrap();
        assert_eq!(reap(dir.path()).unwrap(), 1);
        assert!(!plane.wait().unwrap().success());
    }
}
