//! The real helm binary, run as a child: no shell, an environment of our own, values in private files, deadlines, typed answers.
//!
//! A call that changes a cluster goes through the exec stub when one is configured (see `stub`), so that helm ends when
//! the agent dies or loses its Lease. Dropping the future of a call ends its helm with SIGTERM.

mod child;
mod error;
mod home;
mod name;
mod output;
mod request;

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::de::DeserializeOwned;
use serde_json::Value;
use tokio::sync::watch;

pub use child::Control;
pub use error::HelmError;
pub use name::ReleaseName;
pub use output::{TAIL, WHOLE};
pub use request::{Outcome, ReleaseInfo, ReleaseStatus, Rollback, Template, Uninstall, Upgrade};

use crate::history::{HistoryEntry, latest};
pub(crate) use child::exit_code;
use child::{Cut, Plan};
use output::Capture;

/// Exit code of the stub when the Lease was not renewed in time, or the agent died.
pub const EXIT_HOLD: i32 = 124;

/// Exit code of the stub when it could not start helm, or its parent was gone before it began.
pub const EXIT_STUB: i32 = 125;

/// Longest history that is read: Helm's own default for `helm history`.
const MAX_HISTORY: usize = 256;

/// How helm reaches the cluster.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Cluster {
    /// With a kubeconfig; an absolute path.
    Kubeconfig(PathBuf),
    /// As a pod of the cluster, with the pod's service account.
    InCluster {
        /// `KUBERNETES_SERVICE_HOST`.
        host: String,
        /// `KUBERNETES_SERVICE_PORT`.
        port: u16,
    },
    /// Not at all: `template`, `version`.
    None,
}

/// The exec stub that stands between agent and helm.
///
/// Sum to keep: time between two renewals + `hold` + `grace` < duration of the Lease.
#[derive(Debug, Clone)]
pub struct Stub {
    /// Program and the arguments that lead it into the stub, such as the agent's own binary and `exec-stub`.
    pub command: Vec<OsString>,
    /// How long helm may run on after the start of the last successful renewal.
    pub hold: Duration,
    /// From SIGTERM to SIGKILL.
    pub grace: Duration,
    /// Start of the last successful renewal of the Lease, as `stub::now_ms` told it *before* the request was sent. A time,
    /// not a count: an agent that is stopped between renewing and telling must not prolong anything.
    pub renewals: watch::Receiver<u64>,
}

/// A helm binary and where and how it is run.
#[derive(Debug, Clone)]
pub struct Helm {
    /// The binary; an absolute path.
    pub binary: PathBuf,
    /// Stands between us and every call that changes something.
    pub stub: Option<Stub>,
    /// Folder of our own for helm's caches and for values files.
    pub home: PathBuf,
    /// The cluster.
    pub cluster: Cluster,
}

/// One call, before it runs.
struct Call<'a> {
    verb: &'static str,
    release: &'a str,
    /// Whether it may change the cluster, and so runs under the stub.
    changes: bool,
    whole: bool,
    args: Vec<OsString>,
}

impl<'a> Call<'a> {
    fn new(verb: &'static str, release: &'a ReleaseName) -> Self {
        let args = vec![verb.into(), "--namespace".into(), release.namespace().into()];
        Self { verb, release: release.name(), changes: false, whole: false, args }
    }

    fn changes(mut self) -> Self {
        self.changes = true;
        self
    }

    fn whole(mut self) -> Self {
        self.whole = true;
        self
    }

    fn arg(mut self, arg: impl Into<OsString>) -> Self {
        self.args.push(arg.into());
        self
    }

    fn flag(self, name: &str, value: impl Into<OsString>) -> Self {
        self.arg(name).arg(value)
    }

    fn flag_if(self, name: &str, on: bool) -> Self {
        if on { self.arg(name) } else { self }
    }

    fn timeout(self, timeout: Duration) -> Self {
        self.flag("--timeout", format!("{}s", timeout.as_secs().max(1)))
    }
}

struct Answer {
    stdout: Vec<u8>,
}

impl Helm {
    /// Installs or upgrades, and reads the history afterwards. Neither waits for health nor touches CRDs: both are the agent's.
    ///
    /// # Errors
    /// See [`HelmError`]; after each of them the history tells what became of the release.
    pub async fn upgrade_install(&self, release: &ReleaseName, upgrade: &Upgrade<'_>, control: &Control) -> Result<Outcome, HelmError> {
        let values = self.values_files(upgrade.values).await?;
        let mut call = Call::new("upgrade", release)
            .changes()
            .arg("--install")
            .arg("--reset-values")
            .arg("--skip-crds")
            .flag("--description", one_line(upgrade.description))
            .flag("--history-max", upgrade.history_max.to_string())
            .timeout(upgrade.timeout)
            .flag_if("--create-namespace", upgrade.create_namespace);
        for path in values.paths() {
            call = call.flag("--values", path);
        }
        let chart = absolute(upgrade.chart)?;
        let answer = self.run(call.arg("--").arg(release.name()).arg(chart), control).await?;
        self.outcome(release, &answer, control).await
    }

    /// Goes back to a revision that Helm still has, and reads the history afterwards. Helm refuses no pending release here.
    ///
    /// # Errors
    /// See [`HelmError`].
    pub async fn rollback(&self, release: &ReleaseName, rollback: Rollback, control: &Control) -> Result<Outcome, HelmError> {
        let call = Call::new("rollback", release)
            .changes()
            .flag("--history-max", rollback.history_max.to_string())
            .timeout(rollback.timeout)
            .arg("--")
            .arg(release.name())
            .arg(rollback.revision.to_string());
        let answer = self.run(call, control).await?;
        self.outcome(release, &answer, control).await
    }

    async fn outcome(&self, release: &ReleaseName, answer: &Answer, control: &Control) -> Result<Outcome, HelmError> {
        let history = self.history(release, control).await?;
        let revision = latest(&history)
            .cloned()
            .ok_or_else(|| HelmError::BadOutput { verb: "history", reason: "no revision after a success".into() })?;
        Ok(Outcome { revision, history, text: output::plain(&answer.stdout) })
    }

    /// Takes a release away.
    ///
    /// # Errors
    /// [`HelmError::ReleaseNotFound`] when there is none, else see [`HelmError`].
    pub async fn uninstall(&self, release: &ReleaseName, uninstall: &Uninstall<'_>, control: &Control) -> Result<(), HelmError> {
        let call = Call::new("uninstall", release)
            .changes()
            .timeout(uninstall.timeout)
            .flag("--description", one_line(uninstall.description))
            .flag_if("--keep-history", uninstall.keep_history)
            .arg("--")
            .arg(release.name());
        self.run(call, control).await.map(|_| ())
    }

    /// All revisions that Helm has, oldest first.
    ///
    /// # Errors
    /// [`HelmError::ReleaseNotFound`] when there is none, else see [`HelmError`].
    pub async fn history(&self, release: &ReleaseName, control: &Control) -> Result<Vec<HistoryEntry>, HelmError> {
        let call = Call::new("history", release)
            .whole()
            .flag("--max", MAX_HISTORY.to_string())
            .flag("--output", "json")
            .arg("--")
            .arg(release.name());
        let mut history: Vec<HistoryEntry> = json("history", &self.run(call, control).await?)?;
        if history.len() > MAX_HISTORY {
            let reason = format!("{} revisions, {MAX_HISTORY} were asked for", history.len());
            return Err(HelmError::BadOutput { verb: "history", reason });
        }
        history.sort_by_key(|e| e.revision);
        Ok(history)
    }

    /// State of the newest revision.
    ///
    /// # Errors
    /// [`HelmError::ReleaseNotFound`] when there is none, else see [`HelmError`].
    pub async fn status(&self, release: &ReleaseName, control: &Control) -> Result<ReleaseStatus, HelmError> {
        let call = Call::new("status", release).whole().flag("--output", "json").arg("--").arg(release.name());
        json("status", &self.run(call, control).await?)
    }

    /// Values of a revision: what was given, or with `all` also the chart's own. May hold secrets.
    ///
    /// # Errors
    /// [`HelmError::ReleaseNotFound`] when there is no such revision, else see [`HelmError`].
    pub async fn get_values(&self, release: &ReleaseName, revision: Option<u64>, all: bool, control: &Control) -> Result<Value, HelmError> {
        let call = Self::get("values", release, revision).flag("--output", "json").flag_if("--all", all);
        json("get", &self.run(call.arg("--").arg(release.name()), control).await?)
    }

    /// Rendered manifest of a revision, without hooks. Holds the release's Secrets.
    ///
    /// # Errors
    /// [`HelmError::ReleaseNotFound`] when there is no such revision, else see [`HelmError`].
    pub async fn get_manifest(&self, release: &ReleaseName, revision: Option<u64>, control: &Control) -> Result<String, HelmError> {
        let call = Self::get("manifest", release, revision).arg("--").arg(release.name());
        text("get", self.run(call, control).await?)
    }

    fn get<'a>(what: &str, release: &'a ReleaseName, revision: Option<u64>) -> Call<'a> {
        let mut call = Call::new("get", release).whole();
        call.args.insert(1, what.into());
        match revision {
            Some(revision) => call.flag("--revision", revision.to_string()),
            None => call,
        }
    }

    /// Renders a chart archive without a cluster.
    ///
    /// # Errors
    /// [`HelmError::Failed`] when the chart does not render, else see [`HelmError`].
    pub async fn template(
        &self,
        release: &ReleaseName,
        chart: &Path,
        template: &Template<'_>,
        control: &Control,
    ) -> Result<String, HelmError> {
        let values = self.values_files(template.values).await?;
        let mut call = Call::new("template", release)
            .whole()
            .flag_if("--is-upgrade", template.is_upgrade)
            .flag_if("--include-crds", template.include_crds)
            .flag_if("--no-hooks", template.no_hooks)
            .flag_if("--skip-tests", template.skip_tests);
        if let Some(version) = template.kube_version {
            call = call.flag("--kube-version", name::kube_version(version)?);
        }
        for version in template.api_versions {
            call = call.flag("--api-versions", name::api_version(version)?);
        }
        for path in values.paths() {
            call = call.flag("--values", path);
        }
        text("template", self.run(call.arg("--").arg(release.name()).arg(absolute(chart)?), control).await?)
    }

    /// Runs the release's test hooks; the answer is what helm printed, for people.
    ///
    /// # Errors
    /// [`HelmError::Failed`] when a test failed, else see [`HelmError`].
    pub async fn test(&self, release: &ReleaseName, timeout: Duration, logs: bool, control: &Control) -> Result<String, HelmError> {
        let call = Call::new("test", release).changes().timeout(timeout).flag_if("--logs", logs);
        let answer = self.run(call.arg("--").arg(release.name()), control).await?;
        Ok(output::plain(&answer.stdout))
    }

    /// Checks a chart archive as `helm lint` does; the answer is what helm printed.
    ///
    /// # Errors
    /// [`HelmError::Failed`] when lint found errors, else see [`HelmError`].
    pub async fn lint(&self, chart: &Path, control: &Control) -> Result<String, HelmError> {
        let args = vec!["lint".into(), "--".into(), absolute(chart)?.into()];
        let call = Call { verb: "lint", release: "", changes: false, whole: false, args };
        Ok(output::plain(&self.run(call, control).await?.stdout))
    }

    /// Runs helm with arguments of this crate's own; for the capability probe.
    pub(crate) async fn ask(&self, verb: &'static str, args: &[&str], control: &Control) -> Result<String, HelmError> {
        let args = args.iter().map(OsString::from).collect();
        let call = Call { verb, release: "", changes: false, whole: true, args };
        Ok(output::plain(&self.run(call, control).await?.stdout))
    }

    async fn run(&self, call: Call<'_>, control: &Control) -> Result<Answer, HelmError> {
        self.prepare().await?;
        let (program, args, renewals) = self.command(&call);
        let mut control = control.clone();
        if renewals.is_some()
            && let Some(stub) = &self.stub
        {
            // The stub does the SIGKILL; ours comes later, for a stub that hangs.
            control.grace = stub.grace + Duration::from_secs(2);
        }
        let deadline = control.deadline;
        let stdout = if call.whole { Capture::whole() } else { Capture::tail() };
        let plan = Plan { program, args, env: self.environment(), folder: self.home.join("work"), renewals, stdout };
        let verb = call.verb;
        tracing::debug!(verb, release = call.release, "helm starts");
        let ended = child::run(plan, control).await?;
        tracing::debug!(verb, release = call.release, code = ended.code, cut = ?ended.cut, "helm ended");
        let release = || call.release.to_owned();
        let stderr_tail = output::plain(&ended.stderr.bytes);
        match (ended.code, ended.cut) {
            // It came to its end before the signal reached it: what it did counts.
            (0, _) if ended.stdout.cut && call.whole => Err(HelmError::BadOutput { verb, reason: format!("more than {WHOLE} bytes") }),
            (0, _) => Ok(Answer { stdout: ended.stdout.bytes }),
            (_, Some(Cut::Deadline)) => Err(HelmError::TimedOut { verb, release: release(), deadline, stderr_tail }),
            (_, Some(Cut::Stop)) => Err(HelmError::Stopped { verb, release: release() }),
            (EXIT_HOLD, None) if call.changes && self.stub.is_some() => Err(HelmError::LeaseLost { verb, release: release() }),
            (EXIT_STUB, None) if call.changes && self.stub.is_some() => Err(HelmError::Stub { verb, release: release(), stderr_tail }),
            _ if stderr_tail.contains("release: not found") => Err(HelmError::ReleaseNotFound { release: release() }),
            (code, None) => Err(HelmError::Failed { verb, release: release(), code, stderr_tail }),
        }
    }

    /// Program and arguments, with the stub in front where the call changes something.
    fn command(&self, call: &Call<'_>) -> (PathBuf, Vec<OsString>, Option<watch::Receiver<u64>>) {
        let Some((stub, (program, prefix))) = self.stub.as_ref().filter(|_| call.changes).and_then(|s| Some((s, s.command.split_first()?)))
        else {
            return (self.binary.clone(), call.args.clone(), None);
        };
        let stamp = *stub.renewals.borrow();
        let mut args: Vec<OsString> = prefix.to_vec();
        for (flag, value) in [
            ("--parent", u64::from(std::process::id())),
            ("--hold-ms", millis(stub.hold)),
            ("--grace-ms", millis(stub.grace)),
            ("--renewed-ms", stamp),
        ] {
            args.extend([flag.into(), value.to_string().into()]);
        }
        args.push("--".into());
        args.push(self.binary.clone().into());
        args.extend(call.args.iter().cloned());
        (program.into(), args, Some(stub.renewals.clone()))
    }
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

/// Helm runs in a folder of its own; and a relative path could be taken for a chart of a repository.
fn absolute(path: &Path) -> Result<&Path, HelmError> {
    if path.is_absolute() {
        return Ok(path);
    }
    Err(HelmError::BadName { what: "chart path", value: path.to_string_lossy().into_owned(), rule: "an absolute path" })
}

fn one_line(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect()
}

fn json<T: DeserializeOwned>(verb: &'static str, answer: &Answer) -> Result<T, HelmError> {
    // The error of serde_json has line and column and never the text, which may hold a secret.
    serde_json::from_slice(&answer.stdout)
        .map_err(|e| HelmError::BadOutput { verb, reason: format!("not the JSON that was asked for: {e}") })
}

fn text(verb: &'static str, answer: Answer) -> Result<String, HelmError> {
    String::from_utf8(answer.stdout).map_err(|e| HelmError::BadOutput { verb, reason: e.utf8_error().to_string() })
}

#[cfg(test)]
mod tests;
