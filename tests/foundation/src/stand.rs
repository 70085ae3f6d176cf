//! Our own processes beside the control planes: one coordinator, an agent for each cluster, and the command.

mod agent;
mod programs;
mod run;

pub use agent::charts_dir;
pub use programs::Programs;
pub use run::{Ran, eventually, run};

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use rustix::process::Signal;
use serde_json::Value;

use crate::cluster::PORT_TRIES;
use crate::guard::Guard;
use crate::process::{Process, Spec};
use crate::{Binaries, Cluster, ClusterConfig, Foundation, FoundationConfig, ports};
use agent::Agent;

/// A start takes a second; a machine under load takes longer.
const PATIENCE: Duration = Duration::from_secs(60);
/// Where the agents live in each cluster.
pub const AGENT_NAMESPACE: &str = "groundswell";

/// What to start.
#[derive(Debug, Clone, Default)]
pub struct StandConfig {
    /// Name and labels of each cluster.
    pub clusters: Vec<(String, Vec<(String, String)>)>,
    /// Namespaces that are made beforehand and in which the agents may work.
    pub namespaces: Vec<String>,
    /// Where everything lies; `None` is a temporary folder.
    pub dir: Option<PathBuf>,
    /// Leaves everything running after this process.
    pub keep: bool,
    /// Further settings of the server's environment, such as a failpoint.
    pub server_env: Vec<(&'static str, String)>,
    /// Further settings of the agents' environment.
    pub agent_env: Vec<(&'static str, String)>,
}

impl StandConfig {
    /// Clusters with their labels, in the form `("east-01", "foundation=east,canary=true")`.
    pub fn of(clusters: &[(&str, &str)]) -> Self {
        let labels = |text: &str| {
            let pairs = text.split(',').filter_map(|pair| pair.split_once('='));
            pairs.map(|(key, value)| (key.to_owned(), value.to_owned())).collect()
        };
        let clusters = clusters.iter().map(|(name, text)| ((*name).to_owned(), labels(text))).collect();
        Self { clusters, namespaces: vec!["demo".into()], ..Self::default() }
    }
}

/// Everything, running.
#[derive(Debug)]
pub struct Stand {
    // The order matters: agents end before the server, that before the clusters, the folder goes last.
    agents: BTreeMap<String, Agent>,
    server: Process,
    /// The control planes.
    pub foundation: Foundation,
    guard: Arc<Guard>,
    config: StandConfig,
    binaries: Binaries,
    programs: Programs,
    endpoints: Endpoints,
    dir: PathBuf,
    _temporary: Option<tempfile::TempDir>,
}

#[derive(Debug, Clone)]
struct Endpoints {
    enrolment: String,
    sessions: String,
    operators: String,
    admin: String,
}

impl Stand {
    /// Starts control planes and coordinator; agents follow with [`Stand::start_agent`] or [`Stand::start_agents`].
    ///
    /// # Errors
    /// When a part does not come up; the text carries the end of its log.
    pub fn start(config: StandConfig, binaries: Binaries, programs: Programs) -> Result<Self> {
        let (dir, temporary) = match &config.dir {
            Some(dir) => (dir.clone(), None),
            None => {
                let made = tempfile::Builder::new().prefix("groundswell-stand-").tempdir()?;
                (made.path().to_owned(), Some(made))
            }
        };
        fs::create_dir_all(&dir).with_context(|| format!("the folder {} cannot be made", dir.display()))?;
        let dir = dir.canonicalize()?;
        crate::reap(&dir)?;
        let clusters = config.clusters.iter().map(|(name, _)| ClusterConfig { name: name.clone(), nodes: 2 }).collect();
        let planes = FoundationConfig { clusters, dir: Some(dir.join("foundation")), keep: config.keep };
        let foundation = Foundation::start(&planes, &binaries)?;
        let guard = Arc::new(Guard::start(&dir, false)?);
        let (server, endpoints) = start_server(&dir, &programs, &config, &guard)?;
        Ok(Self { agents: BTreeMap::new(), server, foundation, guard, config, binaries, programs, endpoints, dir, _temporary: temporary })
    }

    /// The folder of everything.
    pub fn dir(&self) -> &Path {
        &self.dir
    }

    /// The server's data folder.
    pub fn data_dir(&self) -> PathBuf {
        self.dir.join("server")
    }

    /// The control plane of that name.
    ///
    /// # Errors
    /// When there is none.
    pub fn cluster(&self, name: &str) -> Result<&Cluster> {
        self.foundation.cluster(name)
    }

    /// `https://host:port` of the enrolment listener.
    pub fn enrolment_url(&self) -> &str {
        &self.endpoints.enrolment
    }

    /// `https://host:port` of the session listener.
    pub fn sessions_url(&self) -> &str {
        &self.endpoints.sessions
    }

    /// `https://host:port` of the operators' listener.
    pub fn operators_url(&self) -> &str {
        &self.endpoints.operators
    }

    /// `http://host:port` of health and metrics.
    pub fn admin_url(&self) -> &str {
        &self.endpoints.admin
    }

    /// Runs the command as an operator with the admin token.
    ///
    /// # Errors
    /// When it cannot be started or does not end.
    pub fn cli(&self, args: &[&str]) -> Result<Ran> {
        let mut command = std::process::Command::new(&self.programs.cli);
        command.args(args).envs(self.cli_env());
        run(&mut command)
    }

    /// The command, which must succeed; its stdout.
    ///
    /// # Errors
    /// When it exits with another code than 0; the text has what it printed.
    pub fn cli_ok(&self, args: &[&str]) -> Result<String> {
        self.cli(args)?.ok()
    }

    /// The command with `-o json`, which must succeed.
    ///
    /// # Errors
    /// As [`Stand::cli_ok`], and when it prints no JSON.
    pub fn cli_json(&self, args: &[&str]) -> Result<Value> {
        let text = self.cli_ok(&[args, &["-o", "json"]].concat())?;
        serde_json::from_str(&text).with_context(|| format!("{args:?} printed no JSON: {text}"))
    }

    /// The operators' listener, spoken to with the admin token.
    ///
    /// # Errors
    /// When token or root cannot be read.
    pub fn operators(&self) -> Result<crate::Api> {
        let read = |name: &str| fs::read_to_string(self.data_dir().join(name)).with_context(|| format!("{name} of the server"));
        crate::Api::new(&self.endpoints.operators, &read("pki/root.pem")?, read("admin.token")?.trim())
    }

    /// What the command needs in its environment.
    pub fn cli_env(&self) -> Vec<(&'static str, String)> {
        let data = self.data_dir();
        vec![
            ("GROUNDSWELL_SERVER", self.endpoints.operators.clone()),
            ("GROUNDSWELL_TOKEN_FILE", data.join("admin.token").display().to_string()),
            ("GROUNDSWELL_CA_FILE", data.join("pki/root.pem").display().to_string()),
            ("NO_COLOR", "1".into()),
        ]
    }

    /// Runs helm against a cluster as its admin; it must succeed; its stdout.
    ///
    /// # Errors
    /// When it exits with another code than 0.
    pub fn helm(&self, cluster: &str, args: &[&str]) -> Result<String> {
        let mut command = std::process::Command::new(&self.binaries.helm);
        command.arg("--kubeconfig").arg(self.cluster(cluster)?.admin_kubeconfig()).args(args);
        run(&mut command)?.ok()
    }

    /// `helm history -o json` of a release; empty when there is none.
    ///
    /// # Errors
    /// When helm prints no JSON.
    pub fn history(&self, cluster: &str, namespace: &str, release: &str) -> Result<Vec<Value>> {
        match self.helm(cluster, &["history", release, "-n", namespace, "-o", "json"]) {
            Ok(text) => serde_json::from_str(&text).with_context(|| format!("helm history printed {text}")),
            Err(error) if error.to_string().contains("not found") => Ok(Vec::new()),
            Err(error) => Err(error),
        }
    }

    /// The path of the helm binary.
    pub fn helm_binary(&self) -> &Path {
        &self.binaries.helm
    }

    // --- the server -------------------------------------------------------------------------------------------

    /// SIGKILL.
    pub fn kill_server(&mut self) {
        self.server.kill();
    }

    /// Sends the server a signal.
    ///
    /// # Errors
    /// When it does not run.
    pub fn signal_server(&self, signal: Signal) -> Result<()> {
        self.server.signal(signal)
    }

    /// How the server ended, when it has.
    ///
    /// # Errors
    /// When the operating system does not say.
    pub fn server_ended(&mut self) -> Result<Option<std::process::ExitStatus>> {
        self.server.ended()
    }

    /// Starts the server again on the same ports, with these settings in its environment instead of the first ones.
    ///
    /// # Errors
    /// When it does not come up.
    pub fn restart_server(&mut self, env: &[(&'static str, String)]) -> Result<()> {
        self.server.kill();
        let _ = fs::remove_file(self.data_dir().join("endpoints.json"));
        self.config.server_env = env.to_vec();
        self.server = Process::start(server_spec(&self.dir, &self.programs, &self.config, &self.endpoints), &self.guard)?;
        self.endpoints = wait_for_endpoints(&self.dir, &mut self.server)?;
        Ok(())
    }

    /// The last lines of the server's log.
    pub fn server_log(&self, lines: usize) -> String {
        self.server.tail(lines)
    }

    /// Leaves everything running after this process.
    pub fn leave(mut self) -> PathBuf {
        self.server.forget();
        for agent in self.agents.values_mut() {
            agent.process.forget();
        }
        self.guard.release();
        if let Some(temporary) = self._temporary.take() {
            let _ = temporary.keep();
        }
        self.dir.clone()
    }
}

impl Endpoints {
    /// On ports that no connection takes while the server restarts, as one that the system gave away might be.
    fn choose() -> Result<Self> {
        let url = || ports::free().map(|port| format!("https://127.0.0.1:{port}"));
        Ok(Self { enrolment: url()?, sessions: url()?, operators: url()?, admin: url()? })
    }
}

fn start_server(dir: &Path, programs: &Programs, config: &StandConfig, guard: &Arc<Guard>) -> Result<(Process, Endpoints)> {
    for _ in 0..PORT_TRIES {
        let mut server = Process::start(server_spec(dir, programs, config, &Endpoints::choose()?), guard)?;
        match wait_for_endpoints(dir, &mut server) {
            Ok(endpoints) => return Ok((server, endpoints)),
            Err(_) if server.lost_its_port() => {}
            Err(error) => return Err(error),
        }
    }
    bail!("no ports stayed free for the server, {PORT_TRIES} times")
}

fn server_spec(dir: &Path, programs: &Programs, config: &StandConfig, endpoints: &Endpoints) -> Spec {
    let listen = |url: &str| url.split_once("://").map_or(url, |(_, address)| address).replace("localhost", "127.0.0.1");
    let data = dir.join("server");
    let args = [
        ("--data-dir", data.display().to_string()),
        ("--enrolment-listen", listen(&endpoints.enrolment)),
        ("--sessions-listen", listen(&endpoints.sessions)),
        ("--operators-listen", listen(&endpoints.operators)),
        ("--admin-listen", listen(&endpoints.admin)),
        // A tenth of the default: the tests wait for presence and health.
        ("--heartbeat-ms", "1000".to_owned()),
    ];
    let mut words = vec!["run".to_owned()];
    words.extend(args.into_iter().flat_map(|(flag, value)| [flag.to_owned(), value]));
    Spec {
        name: "groundswell-server".into(),
        program: programs.server.clone(),
        args: words,
        env: config.server_env.clone(),
        log: dir.join("server.log"),
    }
}

/// The server writes `endpoints.json` once every port is bound and it is ready.
fn wait_for_endpoints(dir: &Path, server: &mut Process) -> Result<Endpoints> {
    let path = dir.join("server/endpoints.json");
    let came_up = eventually("the server is ready", PATIENCE, || {
        if server.ended()?.is_some() {
            return Ok(None);
        }
        let Ok(text) = fs::read_to_string(&path) else { bail!("{} is not there yet", path.display()) };
        let value: Value = serde_json::from_str(&text)?;
        let url = |key: &str| value[key].as_str().map(str::to_owned).with_context(|| format!("{key} is not in {text}"));
        Ok(Some(Endpoints { enrolment: url("enrolment")?, sessions: url("sessions")?, operators: url("operators")?, admin: url("admin")? }))
    });
    let endpoints = came_up.with_context(|| format!("the server did not come up:\n{}", server.tail(20)))?;
    endpoints.with_context(|| format!("the server ended:\n{}", server.tail(20)))
}
