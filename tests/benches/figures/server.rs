//! The real server as a process of its own, on loopback, with an empty data folder.

use anyhow::{Context as _, Result, bail};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// Linux counts CPU time of processes in hundredths of a second for user space, on every architecture that we build for.
const TICKS_PER_SECOND: f64 = 100.0;
const PATIENCE: Duration = Duration::from_secs(30);

/// Running; ends when this is dropped.
pub(crate) struct Server {
    child: Child,
    folder: tempfile::TempDir,
    programs: PathBuf,
    endpoints: serde_json::Value,
}

impl Server {
    /// Starts the release build where there is one, else the debug build.
    pub(crate) fn start() -> Result<Self> {
        let programs = programs()?;
        let folder = tempfile::Builder::new().prefix("bench-server-").tempdir_in(env!("CARGO_TARGET_TMPDIR"))?;
        let mut command = Command::new(programs.join("groundswell-server"));
        command.arg("run").arg("--data-dir").arg(folder.path().join("data")).args(["--log", "warn"]);
        for listener in ["enrolment", "sessions", "operators", "admin"] {
            command.arg(format!("--{listener}-listen")).arg("127.0.0.1:0");
        }
        let log = fs::File::create(folder.path().join("log"))?;
        let child = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(log).spawn().context("cannot start the server")?;
        let mut server = Self { child, folder, programs, endpoints: serde_json::Value::Null };
        server.endpoints = server.wait()?;
        Ok(server)
    }

    fn wait(&mut self) -> Result<serde_json::Value> {
        let begun = Instant::now();
        loop {
            if let Ok(text) = fs::read_to_string(self.data().join("endpoints.json")) {
                return Ok(serde_json::from_str(&text)?);
            }
            if self.child.try_wait()?.is_some() || begun.elapsed() > PATIENCE {
                bail!("the server did not come up:\n{}", self.log());
            }
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    pub(crate) fn is_release(&self) -> bool {
        self.programs.ends_with("release")
    }

    pub(crate) fn data(&self) -> PathBuf {
        self.folder.path().join("data")
    }

    pub(crate) fn folder(&self) -> &Path {
        self.folder.path()
    }

    pub(crate) fn log(&self) -> String {
        fs::read_to_string(self.folder.path().join("log")).unwrap_or_default()
    }

    pub(crate) fn root_pem(&self) -> Result<String> {
        Ok(fs::read_to_string(self.data().join("pki/root.pem"))?)
    }

    pub(crate) fn port(&self, listener: &str) -> Result<u16> {
        let url = self.endpoints[listener].as_str().with_context(|| format!("no {listener} in endpoints.json"))?;
        Ok(url.rsplit_once(':').context("an endpoint without a port")?.1.parse()?)
    }

    /// Runs the command as an admin; its stdout.
    pub(crate) fn cli(&self, args: &[&str]) -> Result<String> {
        let output = Command::new(self.programs.join("groundswell"))
            .args(args)
            .env("GROUNDSWELL_SERVER", format!("https://localhost:{}", self.port("operators")?))
            .env("GROUNDSWELL_TOKEN_FILE", self.data().join("admin.token"))
            .env("GROUNDSWELL_CA_FILE", self.data().join("pki/root.pem"))
            .stdin(Stdio::null())
            .output()?;
        if !output.status.success() {
            bail!("groundswell {}: {}", args.join(" "), String::from_utf8_lossy(&output.stderr));
        }
        Ok(String::from_utf8_lossy(&output.stdout).into_owned())
    }

    /// Resident memory in bytes.
    pub(crate) fn rss(&self) -> Result<u64> {
        let status = fs::read_to_string(format!("/proc/{}/status", self.child.id()))?;
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).context("no VmRSS")?;
        Ok(line.trim().trim_end_matches(" kB").parse::<u64>()? * 1024)
    }

    /// CPU time so far.
    pub(crate) fn cpu(&self) -> Result<Duration> {
        let stat = fs::read_to_string(format!("/proc/{}/stat", self.child.id()))?;
        // The name in parentheses may hold anything; user and system time are the 14th and 15th field.
        let fields: Vec<&str> = stat.rsplit_once(')').context("no ) in stat")?.1.split_whitespace().collect();
        let ticks = |n: usize| fields.get(n).and_then(|field| field.parse::<f64>().ok()).unwrap_or_default();
        Ok(Duration::from_secs_f64((ticks(11) + ticks(12)) / TICKS_PER_SECOND))
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The folder with our programs: release, else debug.
pub(crate) fn programs() -> Result<PathBuf> {
    let here = std::env::current_exe()?;
    let target = here.ancestors().find(|folder| folder.join("CACHEDIR.TAG").is_file()).context("not in a target folder of cargo")?;
    let has_all = |folder: &PathBuf| folder.join("groundswell-server").is_file() && folder.join("groundswell").is_file();
    let found = ["release", "debug"].map(|profile| target.join(profile)).into_iter().find(has_all);
    found.context("groundswell-server and groundswell are not built: cargo build --release -p groundswell-server -p groundswell")
}
