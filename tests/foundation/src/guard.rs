//! The last line of defence: a shell that outlives us by a moment and ends what we started.

use std::fs::OpenOptions;
use std::io::Write;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::{Mutex, PoisonError};

use anyhow::{Context, Result};

/// Reads which processes live and ends them at end of file, which comes even when this process was killed.
/// Its first argument is a folder to remove afterwards, or empty.
const SCRIPT: &str = r#"
live=" "
while read -r op pid; do
  case $op in
    +) live="$live$pid " ;;
    -) live="${live%%" $pid "*} ${live#*" $pid "}" ;;
    release) exit 0 ;;
  esac
done
for pid in $live; do kill -KILL "$pid" 2>/dev/null; done
[ -z "$1" ] || rm -rf -- "$1" 2>/dev/null || { sleep 1; rm -rf -- "$1"; }
"#;

/// Ends every process entered here when this process ends without having ended them itself.
#[derive(Debug)]
pub(crate) struct Guard {
    shell: Mutex<(Child, Option<ChildStdin>)>,
    pids: PathBuf,
}

impl Guard {
    pub(crate) fn start(dir: &Path, remove_dir: bool) -> Result<Self> {
        let mut shell = Command::new("/bin/sh")
            .args(["-c", SCRIPT, "foundation-guard"])
            .arg(if remove_dir { dir.as_os_str() } else { "".as_ref() })
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            // An interrupt from the terminal must not end the guard before us.
            .process_group(0)
            .spawn()
            .context("/bin/sh cannot be run")?;
        let line = shell.stdin.take();
        Ok(Self { shell: Mutex::new((shell, line)), pids: dir.join("pids") })
    }

    /// Enters a process, here and in the file that [`crate::reap()`] reads.
    pub(crate) fn enter(&self, pid: u32, name: &str) -> Result<()> {
        self.tell(&format!("+ {pid}\n"));
        let mut pids = OpenOptions::new().create(true).append(true).open(&self.pids)?;
        writeln!(pids, "{pid} {name}").context("the file of process ids cannot be written")
    }

    /// Strikes a process that has ended: its id may soon be another's.
    pub(crate) fn strike(&self, pid: u32) {
        self.tell(&format!("- {pid}\n"));
    }

    /// Ends the guard and nothing else.
    pub(crate) fn release(&self) {
        self.tell("release\n");
        let mut shell = self.shell.lock().unwrap_or_else(PoisonError::into_inner);
        shell.1 = None;
        let _ = shell.0.wait();
    }

    fn tell(&self, words: &str) {
        if let Some(line) = &mut self.shell.lock().unwrap_or_else(PoisonError::into_inner).1 {
            // A guard that someone killed guards nothing; the processes still end with our own drop.
            let _ = line.write_all(words.as_bytes());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sleeper() -> Child {
        Command::new("sleep").arg("1000").spawn().unwrap()
    }

    /// What the kernel does when the process that holds the guard is killed: the pipe closes without a word.
    fn die(guard: &Guard) {
        let mut shell = guard.shell.lock().unwrap();
        shell.1 = None;
        shell.0.wait().unwrap();
    }

    #[test]
    fn a_killed_owner_takes_what_it_entered_along_and_nothing_else() {
        let dir = tempfile::tempdir().unwrap();
        let guard = Guard::start(dir.path(), true).unwrap();
        let (mut first, mut struck, mut last) = (sleeper(), sleeper(), sleeper());
        for child in [&first, &struck, &last] {
            guard.enter(child.id(), "sleep").unwrap();
        }
        guard.strike(struck.id());
        die(&guard);
        assert!(!first.wait().unwrap().success());
        assert!(!last.wait().unwrap().success());
        assert!(struck.try_wait().unwrap().is_none(), "a struck process was ended");
        assert!(!dir.path().exists(), "the temporary folder was left behind");
        struck.kill().unwrap();
        struck.wait().unwrap();
    }

    #[test]
    fn a_released_guard_ends_nothing() {
        let dir = tempfile::tempdir().unwrap();
        let guard = Guard::start(dir.path(), true).unwrap();
        let mut kept = sleeper();
        guard.enter(kept.id(), "sleep").unwrap();
        guard.release();
        assert!(kept.try_wait().unwrap().is_none());
        assert!(dir.path().exists());
        kept.kill().unwrap();
        kept.wait().unwrap();
    }
}
