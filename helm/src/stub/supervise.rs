//! The stub's one loop.

use std::ffi::OsString;
use std::io::Write;
use std::os::fd::AsFd;
use std::process::Stdio;
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};
use tokio::io::{AsyncRead, AsyncReadExt};
use tokio::net::unix::pipe;
use tokio::process::{Child, Command};
use tokio::signal::unix::{Signal as TermSignal, SignalKind, signal};

use super::args::Options;
use super::{EXIT_HOLD, bind_to_parent, now_ms};
use crate::runner::exit_code;

/// Tokio's clock stands still while the machine sleeps, ours does not: so the time left is looked at anew this often.
const LOOK: Duration = Duration::from_millis(500);

/// How far in the future a stamp may lie. It is taken before it is sent on the same machine, so any is a mistake, and one
/// that was believed would hold helm for ever.
const AHEAD_MS: u64 = 1_000;

enum End {
    Exited(i32),
    /// Somebody sent us SIGTERM: the runner, or Linux at the agent's death.
    Asked,
    /// The agent is gone.
    AgentGone,
    /// No stamp came in time.
    HoldOver,
}

pub(super) async fn supervise(prefix: &[OsString], options: &Options) -> Result<i32, String> {
    // Before the parent's death can send it: the default would end us and, through the leaf's own signal, kill helm unprepared.
    let mut asked = signal(SignalKind::terminate()).map_err(|e| format!("cannot listen for SIGTERM: {e}"))?;
    bind_to_parent(options.parent, Signal::TERM)?;
    let mut lease = Lease::new(options)?;
    if lease.left().is_zero() {
        return Ok(EXIT_HOLD);
    }
    let mut child = start(prefix, options)?;
    let (out, err) = (child.stdout.take(), child.stderr.take());
    let relay = [tokio::spawn(pass_on(out, std::io::stdout())), tokio::spawn(pass_on(err, std::io::stderr()))];
    let code = hold(&mut child, &mut lease, &mut asked, options.grace).await;
    for stream in relay {
        // A grandchild may hold the pipe open; what it says later is nobody's business.
        let _ = tokio::time::timeout(LOOK, stream).await;
    }
    code
}

/// Passes helm's words on for as long as anybody listens, and reads them when nobody does: a Go program whose reader is gone
/// dies of SIGPIPE when it says that it was cancelled, before it has marked its release as failed.
async fn pass_on(from: Option<impl AsyncRead + Unpin>, mut to: impl Write) {
    let Some(mut from) = from else { return };
    let (mut chunk, mut heard) = (vec![0_u8; 16 << 10], true);
    while let Ok(read @ 1..) = from.read(&mut chunk).await {
        heard = heard && to.write_all(&chunk[..read]).and_then(|()| to.flush()).is_ok();
    }
}

/// Holds helm until it ends or has to be ended.
async fn hold(child: &mut Child, lease: &mut Lease, asked: &mut TermSignal, grace: Duration) -> Result<i32, String> {
    let end = loop {
        let wait = lease.left().min(LOOK);
        tokio::select! {
            status = child.wait() => break End::Exited(exit_code(status.map_err(|e| format!("cannot wait for helm: {e}"))?)),
            _ = asked.recv() => break End::Asked,
            alive = lease.read() => if !alive { break End::AgentGone },
            () = tokio::time::sleep(wait) => if lease.left().is_zero() { break End::HoldOver },
        }
    };
    match end {
        End::Exited(code) => Ok(code),
        End::Asked => terminate(child, grace).await,
        End::AgentGone | End::HoldOver => terminate(child, grace).await.map(|_| EXIT_HOLD),
    }
}

/// Starts the leaf from this thread, the one whose end Linux takes for our death.
fn start(prefix: &[OsString], options: &Options) -> Result<Child, String> {
    let own = std::env::current_exe().map_err(|e| format!("cannot find the own binary: {e}"))?;
    let mut command = Command::new(own);
    command.args(prefix).args(["--leaf", "--parent", &std::process::id().to_string(), "--"]);
    command.args(&options.command).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).kill_on_drop(true);
    command.spawn().map_err(|e| format!("cannot start: {e}"))
}

/// SIGTERM, `grace`, SIGKILL; helm's exit code.
async fn terminate(child: &mut Child, grace: Duration) -> Result<i32, String> {
    let waited = |e: std::io::Error| format!("cannot wait for helm: {e}");
    if let Some(pid) = child.id().and_then(|id| i32::try_from(id).ok()).and_then(Pid::from_raw) {
        // Not yet waited for, so the id is still its own; it may have ended, which is what we want.
        let _ = kill_process(pid, Signal::TERM);
    }
    if let Ok(status) = tokio::time::timeout(grace, child.wait()).await {
        return status.map(exit_code).map_err(waited);
    }
    child.start_kill().map_err(waited)?;
    child.wait().await.map(exit_code).map_err(waited)
}

/// Until when we may hold helm, by the stamps on stdin.
struct Lease {
    stdin: pipe::Receiver,
    partial: Vec<u8>,
    hold_ms: u64,
    until_ms: u64,
}

impl Lease {
    fn new(options: &Options) -> Result<Self, String> {
        let stdin = std::io::stdin().as_fd().try_clone_to_owned().map_err(|e| format!("cannot use stdin: {e}"))?;
        let stdin = pipe::Receiver::from_owned_fd(stdin).map_err(|e| format!("stdin must be a pipe: {e}"))?;
        let hold_ms = u64::try_from(options.hold.as_millis()).unwrap_or(u64::MAX);
        let mut lease = Self { stdin, partial: Vec::with_capacity(64), hold_ms, until_ms: 0 };
        lease.renew(options.renewed_ms);
        Ok(lease)
    }

    fn renew(&mut self, stamp: u64) {
        if stamp <= now_ms().saturating_add(AHEAD_MS) {
            self.until_ms = self.until_ms.max(stamp.saturating_add(self.hold_ms));
        }
    }

    fn left(&self) -> Duration {
        Duration::from_millis(self.until_ms.saturating_sub(now_ms()))
    }

    /// Takes what the agent wrote; false when its end of the pipe is closed. Nothing is lost when this is cancelled.
    async fn read(&mut self) -> bool {
        match self.stdin.read_buf(&mut self.partial).await {
            Ok(0) | Err(_) => return false,
            Ok(_) => {}
        }
        while let Some((stamp, rest)) = self.partial.split_first_chunk::<8>() {
            let (stamp, rest) = (u64::from_le_bytes(*stamp), rest.to_vec());
            self.partial = rest;
            self.renew(stamp);
        }
        true
    }
}
