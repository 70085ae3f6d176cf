//! One child process with its log.

use std::fs::{File, OpenOptions};
use std::os::unix::process::CommandExt;
use std::path::PathBuf;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::Arc;

use anyhow::{Context, Result};
use rustix::process::{Pid, Signal, WaitId, WaitIdOptions, kill_process, waitid};

use crate::guard::Guard;

/// How a child is started, so that it can be started again.
#[derive(Debug, Clone)]
pub(crate) struct Spec {
    pub(crate) name: String,
    pub(crate) program: PathBuf,
    pub(crate) args: Vec<String>,
    pub(crate) env: Vec<(&'static str, String)>,
    pub(crate) log: PathBuf,
}

/// A child that ends with this value, unless [`Process::forget`] lets it go.
#[derive(Debug)]
pub(crate) struct Process {
    spec: Spec,
    child: Option<Child>,
    guard: Arc<Guard>,
}

impl Process {
    pub(crate) fn start(spec: Spec, guard: &Arc<Guard>) -> Result<Self> {
        let mut process = Self { spec, child: None, guard: Arc::clone(guard) };
        process.spawn()?;
        Ok(process)
    }

    fn spawn(&mut self) -> Result<()> {
        let log = OpenOptions::new().create(true).append(true).open(&self.spec.log)?;
        let child = Command::new(&self.spec.program)
            .args(&self.spec.args)
            .envs(self.spec.env.iter().map(|(name, value)| (name, value)))
            .stdin(Stdio::null())
            .stdout(log.try_clone()?)
            .stderr(log)
            // The terminal's interrupt is for the test, which ends its children in order.
            .process_group(0)
            .spawn()
            .with_context(|| format!("{} cannot be run", self.spec.program.display()))?;
        self.guard.enter(child.id(), &self.spec.name)?;
        self.child = Some(child);
        Ok(())
    }

    pub(crate) fn name(&self) -> &str {
        &self.spec.name
    }

    pub(crate) fn pid(&self) -> Option<u32> {
        self.child.as_ref().map(Child::id)
    }

    /// How the child ended, when it has.
    pub(crate) fn ended(&mut self) -> Result<Option<ExitStatus>> {
        match &mut self.child {
            Some(child) => Ok(child.try_wait()?),
            None => Ok(None),
        }
    }

    /// Sends a signal. A process that is to stop stands still when this comes back.
    pub(crate) fn signal(&self, signal: Signal) -> Result<()> {
        let pid = self.child.as_ref().with_context(|| format!("{} is not running", self.spec.name))?.id();
        let pid = Pid::from_raw(i32::try_from(pid)?).context("a process id of zero")?;
        kill_process(pid, signal).with_context(|| format!("{} (process {pid:?}) takes no signal", self.spec.name))?;
        if signal == Signal::STOP {
            // Its threads run on until one of them has had its turn to hear of it.
            waitid(WaitId::Pid(pid), WaitIdOptions::STOPPED | WaitIdOptions::EXITED | WaitIdOptions::NOWAIT)?;
        }
        Ok(())
    }

    /// SIGKILL, and waits until it is gone. Nothing when it does not run.
    pub(crate) fn kill(&mut self) {
        if let Some(mut child) = self.child.take() {
            let _ = child.kill();
            let _ = child.wait();
            self.guard.strike(child.id());
        }
    }

    /// Ends the child when it runs and starts it with the same arguments.
    pub(crate) fn restart(&mut self) -> Result<()> {
        self.kill();
        self.spawn()
    }

    /// Leaves the child running after this value.
    pub(crate) fn forget(&mut self) {
        self.child = None;
    }

    /// Whether the log says that another process took the port.
    pub(crate) fn lost_its_port(&self) -> bool {
        self.tail(50).to_lowercase().contains("address already in use")
    }

    /// The last lines of the log.
    pub(crate) fn tail(&self, lines: usize) -> String {
        let Ok(file) = File::open(&self.spec.log) else { return String::new() };
        let text = std::io::read_to_string(file).unwrap_or_default();
        let all: Vec<&str> = text.lines().collect();
        all[all.len().saturating_sub(lines)..].join("\n")
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.kill();
    }
}
