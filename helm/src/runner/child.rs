//! One helm process from start to end: its own process group, SIGTERM before SIGKILL, never left behind.

use std::ffi::OsString;
use std::path::PathBuf;
use std::process::{ExitStatus, Stdio};
use std::sync::mpsc::{SyncSender, sync_channel};
use std::time::Duration;

use std::os::unix::process::ExitStatusExt;

use rustix::process::{Pid, Signal, kill_process_group};
use tokio::io::AsyncWriteExt;
use tokio::process::{Child, ChildStdin, Command};
use tokio::sync::{oneshot, watch};

use super::HelmError;
use super::output::Capture;

/// Time for the last output to arrive after the child ended: the pipe is local, so this is only reached when a
/// grandchild holds it open.
const DRAIN: Duration = Duration::from_secs(2);

/// When to end a helm call before it ends itself.
#[derive(Debug, Clone)]
pub struct Control {
    /// Longest time of the call. Helm's own `--timeout` is for each step, so this must be longer
    /// (hooks + 1) times two.
    pub deadline: Duration,
    /// From SIGTERM to SIGKILL, for a call without stub; with one, the stub's grace counts. Helm needs it to mark a
    /// release as failed.
    pub grace: Duration,
    /// Turns true when the call must end. `None`, or a sender that is gone, never stops it.
    pub stop: Option<watch::Receiver<bool>>,
}

impl Control {
    /// A call that only the deadline ends, with 30 seconds from SIGTERM to SIGKILL.
    #[must_use]
    pub fn new(deadline: Duration) -> Self {
        Self { deadline, grace: Duration::from_secs(30), stop: None }
    }

    /// The same, and ended when `stop` turns true.
    #[must_use]
    pub fn stopped_by(mut self, stop: watch::Receiver<bool>) -> Self {
        self.stop = Some(stop);
        self
    }
}

/// What to start.
pub(super) struct Plan {
    pub(super) program: PathBuf,
    pub(super) args: Vec<OsString>,
    pub(super) env: Vec<(&'static str, OsString)>,
    pub(super) folder: PathBuf,
    /// Renewal stamps to pass on to the stub.
    pub(super) renewals: Option<watch::Receiver<u64>>,
    pub(super) stdout: Capture,
}

/// Why a child ended before its own end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Cut {
    Deadline,
    Stop,
}

pub(super) struct Ended {
    pub(super) code: i32,
    pub(super) cut: Option<Cut>,
    pub(super) stdout: Capture,
    pub(super) stderr: Capture,
}

/// Ends the group when the runtime goes away under a call.
struct Group(Option<Pid>);

impl Group {
    fn signal(&self, signal: Signal) {
        if let Some(pid) = self.0 {
            // It may have ended this moment; then there is nobody left to tell.
            let _ = kill_process_group(pid, signal);
        }
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        self.signal(Signal::TERM);
    }
}

pub(crate) fn exit_code(status: ExitStatus) -> i32 {
    status.code().unwrap_or_else(|| 128 + status.signal().unwrap_or(0))
}

/// Starts the child on a thread that lasts as long as the call: the stub asks for a signal at its parent's death, and
/// Linux means the death of the *thread* that started it. Tokio's threads come and go.
async fn spawn(mut command: Command, program: PathBuf) -> Result<(Child, SyncSender<()>), HelmError> {
    let failed = |source| HelmError::Spawn { path: program.clone(), source };
    let (alive, ended) = sync_channel::<()>(1);
    let (answer, started) = oneshot::channel();
    let runtime = tokio::runtime::Handle::current();
    let thread = std::thread::Builder::new().name("helm-parent".into()).spawn(move || {
        let result = {
            let _entered = runtime.enter();
            command.spawn()
        };
        if let Err(Ok(child)) = answer.send(result) {
            drop(Group(pid_of(&child)));
        }
        // Returns when the call drops its end.
        let _ = ended.recv();
    });
    thread.map_err(failed)?;
    let gone = || std::io::Error::other("the thread that starts helm is gone");
    let child = started.await.map_err(|_| failed(gone()))?.map_err(failed)?;
    Ok((child, alive))
}

fn pid_of(child: &Child) -> Option<Pid> {
    child.id().and_then(|id| i32::try_from(id).ok()).and_then(Pid::from_raw)
}

/// Passes every renewal on, newest only. Returns when the stub no longer reads or the agent has no Lease task any more;
/// then the stub runs out of time by itself.
async fn feed(stdin: Option<ChildStdin>, renewals: Option<watch::Receiver<u64>>) {
    let (Some(mut stdin), Some(mut renewals)) = (stdin, renewals) else {
        return std::future::pending().await;
    };
    loop {
        let stamp = *renewals.borrow_and_update();
        if stdin.write_all(&stamp.to_le_bytes()).await.is_err() || renewals.changed().await.is_err() {
            break;
        }
    }
    // The pipe stays open: closing it would tell the stub that the agent died.
    let _stdin = stdin;
    std::future::pending().await
}

async fn stopped(stop: Option<watch::Receiver<bool>>) {
    let Some(mut stop) = stop else { return std::future::pending().await };
    if stop.wait_for(|stop| *stop).await.is_err() {
        std::future::pending::<()>().await;
    }
}

/// Runs a plan to its end. Dropping the future ends the child, and somebody stays to read what it says: helm writes a line when
/// it is told to stop, and a Go program whose reader is gone dies of that before it has marked its release as failed.
pub(super) async fn run(plan: Plan, control: Control) -> Result<Ended, HelmError> {
    let program = plan.program.clone();
    let (caller, gone) = oneshot::channel::<()>();
    let lost = |e| HelmError::Spawn { path: program, source: std::io::Error::other(e) };
    let ended = tokio::spawn(attend(plan, control, gone)).await.map_err(lost)?;
    drop(caller);
    ended
}

async fn attend(plan: Plan, control: Control, gone: oneshot::Receiver<()>) -> Result<Ended, HelmError> {
    let Plan { program, args, env, folder, renewals, mut stdout } = plan;
    let mut command = Command::new(&program);
    command.args(args).env_clear().envs(env).current_dir(folder).process_group(0);
    command.stdin(if renewals.is_some() { Stdio::piped() } else { Stdio::null() });
    command.stdout(Stdio::piped()).stderr(Stdio::piped());
    let (mut child, _alive) = spawn(command, program.clone()).await?;
    let mut group = Group(pid_of(&child));
    let mut stderr = Capture::tail();
    let (out, err, input) = (child.stdout.take(), child.stderr.take(), child.stdin.take());
    let mut cut = None;
    let status = {
        let output = async { tokio::join!(stdout.fill(out), stderr.fill(err)) };
        let feeding = feed(input, renewals);
        let stopping = async {
            tokio::select! {
                () = stopped(control.stop) => {}
                _ = gone => {}
            }
        };
        tokio::pin!(output, feeding, stopping);
        let mut drained = false;
        let deadline = tokio::time::sleep(control.deadline);
        // Set when SIGTERM is sent; until then it lies far away.
        let kill = tokio::time::sleep(Duration::MAX);
        tokio::pin!(deadline, kill);
        let mut killed = false;
        let status = loop {
            let ask = tokio::select! {
                status = child.wait() => break status,
                _ = &mut output, if !drained => { drained = true; continue }
                () = &mut feeding => continue,
                () = &mut stopping, if cut.is_none() => Cut::Stop,
                () = &mut deadline, if cut.is_none() => Cut::Deadline,
                () = &mut kill, if cut.is_some() && !killed => {
                    group.signal(Signal::KILL);
                    killed = true;
                    continue
                }
            };
            cut = Some(ask);
            group.signal(Signal::TERM);
            kill.as_mut().reset(tokio::time::Instant::now() + control.grace);
        };
        // The id may be given to somebody else from here on.
        group.0 = None;
        if !drained {
            let _ = tokio::time::timeout(DRAIN, output).await;
        }
        status
    };
    let status = status.map_err(|source| HelmError::Spawn { path: program, source })?;
    Ok(Ended { code: exit_code(status), cut, stdout, stderr })
}
