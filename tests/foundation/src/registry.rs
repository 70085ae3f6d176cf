//! A real OCI registry on loopback.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Result, bail};
use tempfile::TempDir;

use crate::binaries::registry_program;
use crate::guard::Guard;
use crate::ports;
use crate::process::{Process, Spec};
use crate::stand::eventually;

/// It answers within a second; a machine under load takes longer.
const PATIENCE: Duration = Duration::from_secs(60);
/// Each try takes another port.
const PORT_TRIES: u32 = 5;

/// A registry (distribution 3) with an empty store. Dropping it ends it.
#[derive(Debug)]
pub struct Registry {
    // The process ends before its folder goes.
    process: Process,
    host: String,
    dir: PathBuf,
    _temporary: TempDir,
}

impl Registry {
    /// Starts a registry that everybody may use, or, with lines of an htpasswd file (bcrypt), those users only.
    ///
    /// # Errors
    /// When the program is not there and cannot be built, or does not come up.
    pub fn start(htpasswd: Option<&str>) -> Result<Self> {
        let program = registry_program(&mut |line| eprint_line(line))?;
        for _ in 0..PORT_TRIES {
            if let Some(registry) = Self::try_start(&program, htpasswd)? {
                return Ok(registry);
            }
        }
        bail!("no port stayed free for the registry, {PORT_TRIES} times")
    }

    fn try_start(program: &Path, htpasswd: Option<&str>) -> Result<Option<Self>> {
        let temporary = tempfile::Builder::new().prefix("foundation-registry-").tempdir()?;
        let dir = temporary.path().canonicalize()?;
        let host = format!("127.0.0.1:{}", ports::free()?);
        let mut config = format!(
            "version: 0.1\nlog: {{level: info}}\nstorage: {{filesystem: {{rootdirectory: {}/store}}}}\nhttp: {{addr: '{host}'}}\n",
            dir.display()
        );
        if let Some(users) = htpasswd {
            fs::write(dir.join("htpasswd"), users)?;
            config.push_str(&format!("auth: {{htpasswd: {{realm: foundation, path: {}/htpasswd}}}}\n", dir.display()));
        }
        fs::write(dir.join("config.yaml"), config)?;
        let guard = Arc::new(Guard::start(&dir, true)?);
        let spec = Spec {
            name: "registry".to_owned(),
            program: program.to_owned(),
            args: vec!["serve".to_owned(), dir.join("config.yaml").display().to_string()],
            // Its traces would go to a collector that is not there.
            env: vec![("OTEL_TRACES_EXPORTER", "none".to_owned())],
            log: dir.join("registry.log"),
        };
        let mut registry = Self { process: Process::start(spec, &guard)?, host, dir, _temporary: temporary };
        let came_up = eventually("the registry answers", PATIENCE, || registry.answers());
        if came_up.is_err() && registry.process.lost_its_port() {
            return Ok(None);
        }
        came_up.map(|()| Some(registry))
    }

    fn answers(&mut self) -> Result<()> {
        if let Some(status) = self.process.ended()? {
            bail!("it ended ({status}); its last words:\n{}", self.process.tail(15));
        }
        // Whoever asks for a password is up, too.
        let url = format!("http://{}/v2/", self.host);
        // A proxy of the machine is for the world outside.
        match ureq::get(url).config().proxy(None).build().call() {
            Ok(_) | Err(ureq::Error::StatusCode(401)) => Ok(()),
            Err(error) => bail!("{error}"),
        }
    }

    /// `127.0.0.1:PORT`. It speaks plain http.
    pub fn host(&self) -> &str {
        &self.host
    }

    /// Where it keeps what was pushed: for tests that damage it.
    pub fn store(&self) -> PathBuf {
        self.dir.join("store")
    }

    /// What it logged, the last lines.
    pub fn log(&self, lines: usize) -> String {
        self.process.tail(lines)
    }
}

/// A build takes minutes, and a test that says nothing for so long looks stuck.
#[expect(clippy::print_stderr, reason = "tests have no other way to show progress")]
fn eprint_line(line: &str) {
    eprintln!("{line}");
}
