//! A server without clusters: for what it refuses, and how it starts and ends.

use crate::fleet::{no_panic, show_tail};
use crate::rollouts::Operator;
use crate::wire::{self, Identity};
use anyhow::{Context, Result, bail, ensure};
use groundswell_foundation::Api;
use groundswell_foundation::stand::{Programs, Ran, eventually, run};
use serde_json::{Value, json};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::Duration;

/// A start takes a second; a machine under load takes longer.
const PATIENCE: Duration = Duration::from_secs(60);

/// A server in a folder of its own.
#[derive(Debug)]
pub struct Alone {
    child: Child,
    programs: Programs,
    dir: PathBuf,
    disk: Disk,
    endpoints: Value,
    _temporary: Option<tempfile::TempDir>,
}

/// Where a server's data lie.
#[derive(Clone, Debug)]
struct Disk {
    /// As the server sees it.
    data: PathBuf,
    /// As the test sees it.
    view: PathBuf,
    /// Words before the server's own command line.
    prefix: Vec<String>,
}

impl Alone {
    /// Plays a test on a server that is ready; when it fails the log is shown.
    ///
    /// # Errors
    /// As the test, or when the server does not come up.
    pub fn play(test: impl FnOnce(&mut Self) -> Result<()>) -> Result<()> {
        let mut alone = Self::start()?;
        let played = test(&mut alone).and_then(|()| no_panic(&alone.log()));
        if played.is_err() {
            show_tail(&alone.log());
        }
        played
    }

    /// Starts a server.
    ///
    /// # Errors
    /// When it does not come up.
    pub fn start() -> Result<Self> {
        let temporary = tempfile::Builder::new().prefix("groundswell-alone-").tempdir()?;
        let dir = temporary.path().canonicalize()?;
        let data = dir.join("server");
        let disk = Disk { view: data.clone(), data, prefix: Vec::new() };
        let mut alone = Self::spawn(dir, disk)?;
        alone._temporary = Some(temporary);
        alone.wait_until_ready()?;
        Ok(alone)
    }

    /// Starts a server whose data lie on a small disk.
    ///
    /// # Errors
    /// When it does not come up.
    pub fn start_on(disk: &SmallDisk, dir: &Path) -> Result<Self> {
        let disk = Disk { data: disk.dir.join("server"), view: disk.view().join("server"), prefix: disk.enter() };
        let mut alone = Self::spawn(dir.to_owned(), disk)?;
        alone.wait_until_ready()?;
        Ok(alone)
    }

    fn spawn(dir: PathBuf, disk: Disk) -> Result<Self> {
        let programs = Programs::locate()?;
        // A server that was there before left its own.
        let _ = fs::remove_file(disk.view.join("endpoints.json"));
        let child = spawn(&mut command(&programs, &disk), &dir)?;
        Ok(Self { child, programs, dir, disk, endpoints: Value::Null, _temporary: None })
    }

    /// Starts the server again on its data, after it has ended.
    ///
    /// # Errors
    /// When it does not come up.
    pub fn start_again(&mut self) -> Result<()> {
        let again = Self::spawn(self.dir.clone(), self.disk.clone())?;
        let before = std::mem::replace(self, again);
        self._temporary = before.forget();
        self.wait_until_ready()
    }

    fn forget(mut self) -> Option<tempfile::TempDir> {
        self._temporary.take()
    }

    fn wait_until_ready(&mut self) -> Result<()> {
        let path = self.disk.view.join("endpoints.json");
        let (log, child) = (self.log(), &mut self.child);
        let ready = eventually("the server is ready", PATIENCE, || {
            if child.try_wait()?.is_some() {
                return Ok(None);
            }
            let text = fs::read_to_string(&path).with_context(|| format!("{} is not there yet", path.display()))?;
            Ok(Some(serde_json::from_str(&text)?))
        })?;
        let Some(endpoints) = ready else { bail!("the server ended:\n{}", fs::read_to_string(log).unwrap_or_default()) };
        self.endpoints = endpoints;
        Ok(())
    }

    /// Where one of the listeners is, by its name in `endpoints.json`.
    pub fn url(&self, listener: &str) -> &str {
        self.endpoints[listener].as_str().unwrap_or_default()
    }

    /// The host and port of a listener.
    pub fn address(&self, listener: &str) -> String {
        let url = self.url(listener);
        url.split_once("://").map_or(url, |(_, address)| address).replace("localhost", "127.0.0.1")
    }

    /// A folder for files of the test.
    pub fn dir(&self) -> &Path {
        &self.dir
    }

    /// The server's data folder.
    pub fn data_dir(&self) -> &Path {
        &self.disk.view
    }

    /// The server's log.
    pub fn log(&self) -> PathBuf {
        self.dir.join("server.log")
    }

    /// The root that its certificates are issued by.
    ///
    /// # Errors
    /// When it cannot be read.
    pub fn root_pem(&self) -> Result<String> {
        Ok(fs::read_to_string(self.disk.view.join("pki/root.pem"))?)
    }

    /// The server, as an operator's program sees it.
    ///
    /// # Errors
    /// When token or root cannot be read.
    pub fn operator(&self) -> Result<Operator> {
        let token = fs::read_to_string(self.disk.view.join("admin.token"))?;
        Ok(Operator::new(Api::new(self.url("operators"), &self.root_pem()?, token.trim())?))
    }

    /// Runs the command as an operator with the admin token.
    ///
    /// # Errors
    /// When it cannot be run.
    pub fn cli(&self, args: &[&str]) -> Result<Ran> {
        let mut command = Command::new(&self.programs.cli);
        command.env("GROUNDSWELL_SERVER", self.url("operators")).env("GROUNDSWELL_TOKEN_FILE", self.disk.view.join("admin.token"));
        command.env("GROUNDSWELL_CA_FILE", self.disk.view.join("pki/root.pem")).env("NO_COLOR", "1").args(args);
        run(&mut command)
    }

    /// Enrols a cluster that has no agent.
    ///
    /// # Errors
    /// When the server refuses.
    pub fn enrol(&self, name: &str, labels: Value) -> Result<Identity> {
        let request = json!({"cluster": name, "labels": labels, "ttlSeconds": 600, "uses": 1});
        let token = self.operator()?.send("POST", "/v1/tokens", request)?;
        let token = token["token"].as_str().context("no token in the answer")?;
        let enrolled = wire::block_on(wire::enrol(self.url("enrolment"), &self.root_pem()?, token, ""))?;
        enrolled.with_context(|| format!("enrol {name}"))
    }

    /// Asks the server to end, and waits until it has.
    ///
    /// # Errors
    /// When it does not end.
    pub fn stop(&mut self) -> Result<ExitStatus> {
        let pid = i32::try_from(self.child.id()).ok().and_then(rustix::process::Pid::from_raw).context("no process id")?;
        rustix::process::kill_process(pid, rustix::process::Signal::TERM)?;
        self.wait_end()
    }

    /// Waits until the server has ended.
    ///
    /// # Errors
    /// When it does not end.
    pub fn wait_end(&mut self) -> Result<ExitStatus> {
        let child = &mut self.child;
        eventually("the server ends", PATIENCE, || child.try_wait()?.context("it still runs"))
    }

    /// Runs the server's program on this data folder to its end: it must refuse to start.
    ///
    /// # Errors
    /// When it runs on.
    pub fn refuses_to_start(&self) -> Result<Ran> {
        // `timeout` ends with 124 when it had to end the program.
        let server = command(&self.programs, &self.disk);
        let ran = run(Command::new("timeout").arg("60").arg(server.get_program()).args(server.get_args()))?;
        ensure!(ran.code != 124 && ran.code != 0, "the server started: {}{}", ran.stdout, ran.stderr);
        Ok(ran)
    }
}

impl Drop for Alone {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        if std::thread::panicking() {
            show_tail(&self.log());
        }
    }
}

/// A disk of a few MiB in a mount namespace of its own; it goes away with this value.
#[derive(Debug)]
pub struct SmallDisk {
    holder: Child,
    dir: PathBuf,
}

impl SmallDisk {
    /// Mounts it on a folder; nobody outside sees it there.
    ///
    /// # Errors
    /// When the system gives no mount namespace.
    pub fn mount(dir: &Path, mib: u32) -> Result<Self> {
        fs::create_dir_all(dir)?;
        let script = format!("mount -t tmpfs -o size={mib}m tmpfs \"$1\" && touch \"$1/.mounted\" && exec sleep 3600");
        let mut command = Command::new("unshare");
        if !rustix::process::geteuid().is_root() {
            command.args(["--user", "--map-root-user"]);
        }
        command.args(["--mount", "sh", "-c", &script, "sh"]).arg(dir).stdin(Stdio::null());
        let holder = command.spawn().context("unshare cannot be run; it is needed for a disk that may be filled")?;
        let mut disk = Self { holder, dir: dir.to_owned() };
        eventually("a small disk is mounted", PATIENCE, || {
            ensure!(disk.holder.try_wait()?.is_none() || disk.view().join(".mounted").exists(), "unshare or mount failed");
            ensure!(disk.view().join(".mounted").exists(), "not yet");
            Ok(())
        })?;
        Ok(disk)
    }

    /// The disk's root, as the test sees it.
    pub fn view(&self) -> PathBuf {
        let below = self.dir.strip_prefix("/").unwrap_or(&self.dir);
        PathBuf::from(format!("/proc/{}/root", self.holder.id())).join(below)
    }

    /// Fills it to the last byte.
    ///
    /// # Errors
    /// When it fails for another reason than that it is full.
    pub fn fill(&self) -> Result<PathBuf> {
        let path = self.view().join("ballast");
        let mut file = fs::File::create(&path)?;
        for size in [1 << 20, 4096, 1] {
            let chunk = vec![0_u8; size];
            let full = loop {
                if let Err(error) = std::io::Write::write_all(&mut file, &chunk) {
                    break error;
                }
            };
            ensure!(full.kind() == std::io::ErrorKind::StorageFull, "{full}");
        }
        Ok(path)
    }

    fn enter(&self) -> Vec<String> {
        let namespaces: &[&str] =
            if rustix::process::geteuid().is_root() { &["--mount"] } else { &["--user", "--preserve-credentials", "--mount"] };
        let mut words = vec!["nsenter".to_owned(), "--target".to_owned(), self.holder.id().to_string()];
        words.extend(namespaces.iter().map(|word| (*word).to_owned()));
        words
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        let _ = self.holder.kill();
        let _ = self.holder.wait();
    }
}

fn command(programs: &Programs, disk: &Disk) -> Command {
    let server = programs.server.display().to_string();
    let words = disk.prefix.iter().cloned().chain([server]).chain(arguments(&disk.data));
    let mut words = words.collect::<Vec<_>>().into_iter();
    let mut command = Command::new(words.next().unwrap_or_default());
    command.args(words);
    command
}

/// On ports that the system chooses.
fn arguments(data: &Path) -> Vec<String> {
    let mut words = vec!["run".to_owned(), "--data-dir".to_owned(), data.display().to_string()];
    for listener in ["enrolment", "sessions", "operators", "admin"] {
        words.extend([format!("--{listener}-listen"), "127.0.0.1:0".to_owned()]);
    }
    words.extend(["--heartbeat-ms".to_owned(), "1000".to_owned()]);
    words
}

fn spawn(command: &mut Command, dir: &Path) -> Result<Child> {
    let log = fs::File::create(dir.join("server.log"))?;
    let spawned = command.stdin(Stdio::null()).stdout(log.try_clone()?).stderr(log).spawn();
    spawned.context("the server cannot be run")
}
