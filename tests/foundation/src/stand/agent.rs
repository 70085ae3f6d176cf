//! An agent outside its cluster, with exactly the rights that our own chart gives.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use rustix::process::Signal;

use super::{AGENT_NAMESPACE, Stand};
use crate::process::{Process, Spec};

/// A running agent.
#[derive(Debug)]
pub(crate) struct Agent {
    pub(crate) process: Process,
}

/// The charts of this repository.
pub fn charts_dir() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../charts")
}

impl Stand {
    /// Installs the agent chart and starts an agent, for every cluster.
    ///
    /// # Errors
    /// When one of them cannot be started.
    pub fn start_agents(&mut self) -> Result<()> {
        let names: Vec<String> = self.config.clusters.iter().map(|(name, _)| name.clone()).collect();
        for name in &names {
            self.prepare_cluster(name)?;
            let token = self.join_token(name)?;
            self.start_agent(name, &token)?;
        }
        Ok(())
    }

    /// Makes the namespaces and installs our agent chart, as the cluster's admin.
    ///
    /// # Errors
    /// When the API server or helm refuses.
    pub fn prepare_cluster(&self, name: &str) -> Result<()> {
        let cluster = self.cluster(name)?;
        for namespace in &self.config.namespaces {
            let object = serde_json::json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": namespace}});
            cluster.api().create("/api/v1/namespaces", &object)?;
        }
        let chart = charts_dir().join("groundswell-agent");
        let chart = chart.to_str().context("the path of the charts is no UTF-8")?;
        let namespaces = format!("rbac.namespaces={{{}}}", self.config.namespaces.join(","));
        let (session, enrol) = (format!("server.sessionUrl={}", self.sessions_url()), format!("server.enrolUrl={}", self.enrolment_url()));
        let escalate = "rbac.allowEscalate=true";
        let sets = [session.as_str(), &enrol, &namespaces, escalate].into_iter().flat_map(|set| ["--set", set]);
        let base = ["upgrade", "--install", "groundswell-agent", chart, "-n", AGENT_NAMESPACE, "--create-namespace"];
        let args: Vec<&str> = base.into_iter().chain(sets).collect();
        self.helm(name, &args).map(|_| ())
    }

    /// A join token for a cluster, with its labels.
    ///
    /// # Errors
    /// When the command refuses.
    pub fn join_token(&self, name: &str) -> Result<String> {
        let labels = self.config.clusters.iter().find(|(other, _)| other == name).map(|(_, labels)| labels.clone()).unwrap_or_default();
        let labels: Vec<String> = labels.into_iter().map(|(key, value)| format!("{key}={value}")).collect();
        let mut args = vec!["cluster", "token", "create", name];
        args.extend(labels.iter().flat_map(|label| ["--label", label.as_str()]));
        self.cli_ok(&args).map(|token| token.trim().to_owned())
    }

    /// Starts (or starts again) the agent of a cluster under the ServiceAccount of our chart.
    ///
    /// # Errors
    /// When its kubeconfig cannot be made or it cannot be started.
    pub fn start_agent(&mut self, name: &str, token: &str) -> Result<()> {
        let spec = self.agent_spec(name, name, token)?;
        let process = Process::start(spec, &self.guard)?;
        self.agents.insert(name.to_owned(), Agent { process });
        Ok(())
    }

    /// Starts a second agent process for a cluster, as a rolling update would; it is known as `<name>-<suffix>`.
    ///
    /// # Errors
    /// As [`Stand::start_agent`].
    pub fn start_second_agent(&mut self, name: &str, suffix: &str) -> Result<String> {
        let known_as = format!("{name}-{suffix}");
        let spec = self.agent_spec(name, &known_as, "")?;
        let process = Process::start(spec, &self.guard)?;
        self.agents.insert(known_as.clone(), Agent { process });
        Ok(known_as)
    }

    fn agent_spec(&self, name: &str, known_as: &str, token: &str) -> Result<Spec> {
        let folder = self.dir.join("agents").join(known_as);
        fs::create_dir_all(&folder)?;
        let kubeconfig =
            self.cluster(name)?.service_account_kubeconfig(AGENT_NAMESPACE, "groundswell-agent", &folder.join("kubeconfig"))?;
        let token_file = folder.join("token");
        fs::write(&token_file, token)?;
        let path = |path: &Path| path.display().to_string();
        let mut args: Vec<String> = vec!["run".into()];
        let flags = [
            ("--server", self.sessions_url().to_owned()),
            ("--enrol-server", self.enrolment_url().to_owned()),
            ("--token-file", path(&token_file)),
            ("--namespace", AGENT_NAMESPACE.to_owned()),
            // A test that restarts the server would wait a minute each time.
            ("--reconnect-max", "2".to_owned()),
            ("--release-namespaces", self.config.namespaces.join(",")),
            ("--kubeconfig", path(&kubeconfig)),
            ("--helm", path(&self.binaries.helm)),
            ("--data-dir", path(&folder.join("data"))),
        ];
        args.extend(flags.into_iter().flat_map(|(flag, value)| [flag.to_owned(), value]));
        let log = self.dir.join(format!("agent-{known_as}.log"));
        Ok(Spec {
            name: format!("groundswell-agent {known_as}"),
            program: self.programs.agent.clone(),
            args,
            env: self.config.agent_env.clone(),
            log,
        })
    }

    /// SIGKILL to the agent process alone; helm, if it runs, is its own process.
    pub fn kill_agent(&mut self, name: &str) {
        if let Some(mut agent) = self.agents.remove(name) {
            agent.process.kill();
        }
    }

    /// Sends an agent a signal.
    ///
    /// # Errors
    /// When it does not run.
    pub fn signal_agent(&self, name: &str, signal: Signal) -> Result<()> {
        self.agents.get(name).with_context(|| format!("no agent is known as {name}"))?.process.signal(signal)
    }

    /// The process id of an agent.
    pub fn agent_pid(&self, name: &str) -> Option<u32> {
        self.agents.get(name)?.process.pid()
    }

    /// How an agent ended, when it has.
    ///
    /// # Errors
    /// When there is no such agent.
    pub fn agent_ended(&mut self, name: &str) -> Result<Option<std::process::ExitStatus>> {
        self.agents.get_mut(name).with_context(|| format!("no agent is known as {name}"))?.process.ended()
    }

    /// The last lines of an agent's log.
    pub fn agent_log(&self, name: &str, lines: usize) -> String {
        self.agents.get(name).map(|agent| agent.process.tail(lines)).unwrap_or_default()
    }

    /// The environment that agents are started with from now on.
    pub fn set_agent_env(&mut self, env: Vec<(&'static str, String)>) {
        self.config.agent_env = env;
    }
}
