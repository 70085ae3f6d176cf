//! Running a program to its end, and waiting for a condition.

use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};

/// How a program ended.
#[derive(Debug, Clone)]
pub struct Ran {
    /// Its exit code; -1 when a signal ended it.
    pub code: i32,
    /// What it printed.
    pub stdout: String,
    /// What it complained of.
    pub stderr: String,
    line: String,
}

impl Ran {
    /// Its stdout, if it exited with 0.
    ///
    /// # Errors
    /// When it did not; the text has the command and what it printed.
    pub fn ok(self) -> Result<String> {
        if self.code == 0 {
            return Ok(self.stdout);
        }
        bail!("`{}` exited with {}:\n{}{}", self.line, self.code, self.stdout, self.stderr)
    }
}

/// Runs a program to its end; it has no stdin.
///
/// # Errors
/// When it cannot be started.
pub fn run(command: &mut Command) -> Result<Ran> {
    let words = std::iter::once(command.get_program()).chain(command.get_args());
    let line = words.map(|word| word.to_string_lossy().into_owned()).collect::<Vec<_>>().join(" ");
    let output = command.stdin(Stdio::null()).output().with_context(|| format!("`{line}` cannot be run"))?;
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    Ok(Ran { code: output.status.code().unwrap_or(-1), stdout: text(&output.stdout), stderr: text(&output.stderr), line })
}

/// Looks ten times a second until `look` succeeds.
///
/// # Errors
/// Past the deadline: what was waited for, and why the last look failed.
pub fn eventually<T>(what: &str, deadline: Duration, mut look: impl FnMut() -> Result<T>) -> Result<T> {
    let begun = Instant::now();
    loop {
        match look() {
            Ok(found) => return Ok(found),
            Err(error) if begun.elapsed() > deadline => return Err(error.context(format!("{what}: not within {deadline:?}"))),
            Err(_) => std::thread::sleep(Duration::from_millis(100)),
        }
    }
}
