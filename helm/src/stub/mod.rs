//! The exec stub: a small process between agent and helm, so that no helm outlives the right to run it.
//!
//! A Lease is no fence. An agent that was killed, stopped, or cut off from its API server cannot end its helm, and a
//! successor would start a second one. So the agent starts this stub, and the stub starts helm:
//!
//! ```text
//! agent ──stdin: renewal stamps──▶ exec-stub ──▶ exec-stub --leaf ══exec══▶ helm
//! ```
//!
//! * The agent dies: Linux sends SIGTERM to the stub, and its stdin ends.
//! * The agent is stopped or loses its Lease: no stamps come, and `hold` after the last one the time is up.
//! * Either way helm gets SIGTERM, `grace` later SIGKILL, and the stub exits with [`EXIT_HOLD`].
//! * The stub itself is killed: the leaf asked for SIGKILL at its parent's death before it became helm.
//! * The agent ends a call by SIGTERM to the process group, which has stub and helm in it. The stub passes its own SIGTERM on as
//!   well, so that a signal to the stub alone is enough; helm counts the first only.
//!
//! Stamps are times ([`now_ms`] at the start of a renewal, eight bytes, little-endian), not a count: an agent that was
//! stopped after renewing and goes on later tells an old time, which prolongs nothing.
//!
//! "Parent's death" is the death of the parent's *thread*: the runner starts the stub from a thread that lasts as long
//! as the call, and the stub runs on one thread, its main one.

mod args;
mod supervise;

#[cfg(test)]
mod tests;

use std::ffi::OsString;
use std::io::Write;
use std::os::unix::process::CommandExt;

use rustix::process::{Pid, Signal, getppid, set_parent_process_death_signal};
use rustix::time::{ClockId, clock_gettime};

pub use crate::runner::{EXIT_HOLD, EXIT_STUB};
use args::{Leaf, Options, Parsed};

/// Time since boot in milliseconds, the same for all processes of a machine, time asleep included. Take it before a
/// renewal is sent, and tell it to [`crate::runner::Stub::renewals`] when the renewal succeeded.
#[must_use]
pub fn now_ms() -> u64 {
    let now = clock_gettime(ClockId::Boottime);
    let seconds = u64::try_from(now.tv_sec).unwrap_or(0);
    seconds.saturating_mul(1000).saturating_add(u64::try_from(now.tv_nsec).unwrap_or(0) / 1_000_000)
}

/// Runs the stub and gives its exit code: helm's own, [`EXIT_HOLD`] or [`EXIT_STUB`]. Call it first thing in `main`, on the main
/// thread, before any other thread or runtime is started.
///
/// `prefix` are the arguments that lead this binary here (`exec-stub`), `args` what follows them:
/// `--parent PID --hold-ms N --grace-ms N --renewed-ms N -- HELM ARGS…`.
pub fn run(prefix: &[OsString], args: impl IntoIterator<Item = OsString>) -> i32 {
    let refused = match args::parse(args) {
        Ok(Parsed::Supervise(options)) => return supervise_main(prefix, &options),
        Ok(Parsed::Leaf(leaf)) => become_helm(&leaf),
        Err(reason) => reason,
    };
    say(&refused);
    EXIT_STUB
}

fn say(text: &str) {
    // Nobody may be listening any more; the exit code says it too.
    let _ = writeln!(std::io::stderr(), "exec-stub: {text}");
}

/// Asks for a signal at the parent's death, then looks whether the parent is still the one that we were started by: had it died
/// in between, no signal would ever come.
fn bind_to_parent(parent: Pid, signal: Signal) -> Result<(), String> {
    set_parent_process_death_signal(Some(signal)).map_err(|e| format!("cannot ask for a signal: {e}"))?;
    if getppid() == Some(parent) { Ok(()) } else { Err("the process that started this one is gone".into()) }
}

/// Only returns when helm could not be started, with the reason.
fn become_helm(leaf: &Leaf) -> String {
    if let Err(reason) = bind_to_parent(leaf.parent, Signal::KILL) {
        return reason;
    }
    let error = std::process::Command::new(&leaf.program).args(&leaf.args).exec();
    format!("cannot run {:?}: {error}", leaf.program)
}

fn supervise_main(prefix: &[OsString], options: &Options) -> i32 {
    let runtime = match tokio::runtime::Builder::new_current_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => {
            say(&format!("cannot start: {error}"));
            return EXIT_STUB;
        }
    };
    match runtime.block_on(supervise::supervise(prefix, options)) {
        Ok(code) => code,
        Err(reason) => {
            say(&reason);
            EXIT_STUB
        }
    }
}
