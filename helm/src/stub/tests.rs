//! With real processes: the stub as the example binary, shell scripts as helm.

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::time::Duration;

use tokio::sync::watch;

use super::*;
use crate::runner::{Cluster, Control, Helm, HelmError, ReleaseName, Stub};
use crate::testing::{script, until};

const LONG: Duration = Duration::from_secs(60);

fn stub_binary() -> PathBuf {
    let own = std::env::current_exe().unwrap();
    let path = own.parent().and_then(Path::parent).unwrap().join("examples/exec_stub");
    assert!(path.is_file(), "{path:?} is not built: run `cargo test -p groundswell-helm`, which builds it");
    path
}

/// A stand-in for helm: says its id, then waits; SIGTERM leaves a mark.
fn polite(folder: &Path) -> PathBuf {
    script(
        folder,
        "helm",
        &format!("trap 'touch {0}/termed; exit 9' TERM\necho $$ > {0}/pid\nwhile :; do sleep 0.01; done", folder.display()),
    )
}

fn stubborn(folder: &Path) -> PathBuf {
    script(folder, "helm", &format!("trap '' TERM\necho $$ > {}/pid\nwhile :; do sleep 0.01; done", folder.display()))
}

fn args(helm: &Path, parent: u32, hold: Duration, grace: Duration) -> Vec<String> {
    let millis = |d: Duration| d.as_millis().to_string();
    let head = ["--parent".into(), parent.to_string(), "--hold-ms".into(), millis(hold), "--grace-ms".into(), millis(grace)];
    let tail = ["--renewed-ms".into(), now_ms().to_string(), "--".into(), helm.display().to_string()];
    head.into_iter().chain(tail).collect()
}

fn start(helm: &Path, hold: Duration, grace: Duration) -> (Child, ChildStdin) {
    let args = args(helm, std::process::id(), hold, grace);
    let mut child = Command::new(stub_binary()).args(args).stdin(Stdio::piped()).spawn().unwrap();
    let stdin = child.stdin.take().unwrap();
    (child, stdin)
}

fn helm_pid(folder: &Path) -> i32 {
    let path = folder.join("pid");
    until("helm runs", || fs::read_to_string(&path).is_ok_and(|p| p.ends_with('\n')));
    fs::read_to_string(&path).unwrap().trim().parse().unwrap()
}

/// Ended, or a zombie that nobody has waited for yet.
fn ended(pid: i32) -> bool {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    stat.rsplit(") ").next().is_none_or(|rest| rest.is_empty() || rest.starts_with(['Z', 'X']))
}

fn signal(pid: i32, signal: Signal) {
    rustix::process::kill_process(Pid::from_raw(pid).unwrap(), signal).unwrap();
}

#[test]
fn helms_own_code_comes_through() {
    let folder = tempfile::tempdir().unwrap();
    let helm = script(folder.path(), "helm", "exit 7");
    let (mut child, _stdin) = start(&helm, LONG, LONG);
    assert_eq!(child.wait().unwrap().code(), Some(7));
    let (mut child, _stdin) = start(Path::new("/nowhere/helm"), LONG, LONG);
    assert_eq!(child.wait().unwrap().code(), Some(EXIT_STUB));
}

#[test]
fn the_agents_end_is_helms_end_with_sigterm_first() {
    let folder = tempfile::tempdir().unwrap();
    let (mut child, stdin) = start(&polite(folder.path()), LONG, LONG);
    let pid = helm_pid(folder.path());
    drop(stdin);
    assert_eq!(child.wait().unwrap().code(), Some(EXIT_HOLD));
    assert!(ended(pid) && folder.path().join("termed").exists());
}

#[test]
fn without_renewals_helm_is_ended_and_old_stamps_prolong_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let (mut child, mut stdin) = start(&stubborn(folder.path()), Duration::from_secs(5), Duration::from_millis(100));
    let pid = helm_pid(folder.path());
    let old = 1_u64;
    let ahead = now_ms() + 3_600_000;
    stdin.write_all(&[old.to_le_bytes(), ahead.to_le_bytes()].concat()).unwrap();
    assert_eq!(child.wait().unwrap().code(), Some(EXIT_HOLD));
    assert!(ended(pid));
}

#[test]
fn renewals_keep_helm_running() {
    let folder = tempfile::tempdir().unwrap();
    let hold = Duration::from_secs(2);
    let began = now_ms();
    let (mut child, mut stdin) = start(&polite(folder.path()), hold, LONG);
    // Past twice the hold, in halves of a stamp, too.
    until("twice the hold is over", || {
        let stamp = now_ms().to_le_bytes();
        stdin.write_all(&stamp[..3]).unwrap();
        stdin.write_all(&stamp[3..]).unwrap();
        now_ms() > began + 4_500
    });
    let pid = helm_pid(folder.path());
    assert!(!ended(pid) && child.try_wait().unwrap().is_none());
    signal(i32::try_from(child.id()).unwrap(), Signal::TERM);
    assert_eq!(child.wait().unwrap().code(), Some(9), "SIGTERM to the stub is passed on, helm's code comes back");
}

#[test]
fn a_killed_stub_takes_helm_along() {
    let folder = tempfile::tempdir().unwrap();
    let (mut child, _stdin) = start(&stubborn(folder.path()), LONG, LONG);
    let pid = helm_pid(folder.path());
    child.kill().unwrap();
    child.wait().unwrap();
    until("helm ended", || ended(pid));
}

#[test]
fn a_stub_whose_parent_is_gone_does_not_start() {
    let folder = tempfile::tempdir().unwrap();
    let args = args(&polite(folder.path()), 1, LONG, LONG);
    let out = Command::new(stub_binary()).args(args).stdin(Stdio::piped()).output().unwrap();
    assert_eq!(out.status.code(), Some(EXIT_STUB));
    assert!(!folder.path().join("pid").exists());
}

/// A shell plays the agent: it starts the stub, renews once, and holds the pipe open.
fn fake_agent(folder: &Path, helm: &Path, hold: Duration) -> Child {
    let args = args(helm, 0, hold, LONG).join(" ").replace("--parent 0", "--parent $$");
    let fifo = folder.join("stdin");
    assert!(Command::new("mkfifo").arg(&fifo).status().unwrap().success());
    let body = format!("exec 3<>{0}\n{1} {args} <&3 3>&- &\nwhile :; do sleep 0.01; done", fifo.display(), stub_binary().display());
    Command::new(script(folder, "agent", &body)).spawn().unwrap()
}

#[test]
fn a_killed_agent_ends_helm_by_the_death_signal() {
    let folder = tempfile::tempdir().unwrap();
    let mut agent = fake_agent(folder.path(), &polite(folder.path()), LONG);
    let pid = helm_pid(folder.path());
    // The pipe stays open here, so only the parent's death can tell.
    let _open = fs::OpenOptions::new().read(true).write(true).open(folder.path().join("stdin")).unwrap();
    agent.kill().unwrap();
    agent.wait().unwrap();
    until("helm ended", || ended(pid));
    assert!(folder.path().join("termed").exists(), "helm must get SIGTERM, to mark its release");
}

#[test]
fn a_stopped_agent_ends_helm_when_the_hold_is_over() {
    let folder = tempfile::tempdir().unwrap();
    let mut agent = fake_agent(folder.path(), &polite(folder.path()), Duration::from_secs(5));
    let pid = helm_pid(folder.path());
    signal(i32::try_from(agent.id()).unwrap(), Signal::STOP);
    until("helm ended", || ended(pid));
    agent.kill().unwrap();
    agent.wait().unwrap();
}

#[tokio::test]
async fn the_runner_and_the_stub_fit_together() {
    let folder = tempfile::tempdir().unwrap();
    let (renew, renewals) = watch::channel(now_ms());
    let command = vec![stub_binary().into()];
    let stub = Stub { command, hold: Duration::from_secs(5), grace: Duration::from_millis(200), renewals };
    let binary = polite(folder.path());
    let helm = Helm { binary, stub: Some(stub), home: folder.path().join("home"), cluster: Cluster::None };
    let release = ReleaseName::new("ops", "beacon").unwrap();
    let error = helm.test(&release, LONG, false, &Control::new(LONG)).await.unwrap_err();
    assert!(matches!(error, HelmError::LeaseLost { verb: "test", .. }), "{error:?}");
    assert!(ended(helm_pid(folder.path())));
    renew.send_replace(now_ms());
    let short = Control::new(Duration::from_secs(1));
    let error = helm.test(&release, LONG, false, &short).await.unwrap_err();
    assert!(matches!(error, HelmError::TimedOut { .. }), "{error:?}");
    assert!(ended(helm_pid(folder.path())));
}
