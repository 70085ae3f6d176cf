//! One cluster: an API server and the parts that make it live.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use rustix::process::Signal;
use serde_json::json;

use crate::api::Api;
use crate::audit::{self, AuditEvent};
use crate::binaries::Binaries;
use crate::foundation::ClusterConfig;
use crate::guard::Guard;
use crate::identity::{ADMIN, CONTROLLER_MANAGER, Identity, KWOK, SCHEDULER, write_kubeconfig};
use crate::process::{Process, Spec};
use crate::{nodes, ports};

const AUDIT_POLICY: &str = include_str!("../assets/audit-policy.yaml");
const STAGES: &str = include_str!("../assets/stages.yaml");

/// As long as an agent of ours lives in a test, and then some.
const TOKEN_LIFE_SECONDS: u32 = 24 * 60 * 60;

/// A restart took 4 s on two busy cores; thirty times that is a hang.
const RESTART_PATIENCE: Duration = Duration::from_secs(120);

/// A port lost five times in a row is no accident.
pub(crate) const PORT_TRIES: u32 = 5;

/// A running control plane.
#[derive(Debug)]
pub struct Cluster {
    name: String,
    dir: PathBuf,
    nodes: u32,
    authority: String,
    admin_token: String,
    admin_kubeconfig: PathBuf,
    etcd: String,
    api: Api,
    server: Mutex<Process>,
    parts: Vec<Process>,
    guard: Arc<Guard>,
    tries: u32,
}

impl Cluster {
    /// Starts the API server; [`Cluster::advance`] does the rest.
    pub(crate) fn start(
        config: &ClusterConfig,
        root: &Path,
        etcd: &str,
        binaries: &Binaries,
        guard: &Arc<Guard>,
    ) -> Result<(Self, Identity)> {
        let dir = root.join(&config.name);
        if dir.exists() {
            fs::remove_dir_all(&dir)?;
        }
        fs::create_dir_all(&dir)?;
        fs::write(dir.join("audit-policy.yaml"), AUDIT_POLICY)?;
        fs::write(dir.join("stages.yaml"), STAGES)?;
        let identity = Identity::create(&dir, &config.name)?;
        let admin_token = identity.token(ADMIN)?.to_owned();
        let port = ports::free()?;
        let server = Process::start(server_spec(&config.name, &dir, etcd, port, binaries), guard)?;
        let cluster = Self {
            name: config.name.clone(),
            nodes: config.nodes,
            admin_kubeconfig: dir.join("admin.kubeconfig"),
            api: Api::new(&address(port), &identity.authority, &admin_token)?,
            authority: identity.authority.clone(),
            admin_token,
            etcd: etcd.to_owned(),
            server: Mutex::new(server),
            parts: Vec::new(),
            guard: Arc::clone(guard),
            tries: 1,
            dir,
        };
        Ok((cluster, identity))
    }

    /// One step on the way up; true when all stands.
    pub(crate) fn advance(&mut self, identity: &Identity, binaries: &Binaries) -> Result<bool> {
        self.survive_lost_port(binaries)?;
        if !self.parts.is_empty() {
            self.check_parts()?;
            return nodes::ready(&self.api, self.nodes);
        }
        if self.api.ready() {
            self.start_parts(identity, binaries)?;
            nodes::create(&self.api, &self.name, self.nodes)?;
        }
        Ok(false)
    }

    /// Another process may take the port between our asking and the server's binding.
    fn survive_lost_port(&mut self, binaries: &Binaries) -> Result<()> {
        let mut server = self.server();
        let Some(status) = server.ended()? else { return Ok(()) };
        if !server.lost_its_port() || self.tries >= PORT_TRIES {
            bail!("{} ended ({status}); its last words:\n{}", server.name(), server.tail(15));
        }
        server.kill();
        let port = ports::free()?;
        let log = self.dir.join("kube-apiserver.log");
        fs::write(&log, "")?;
        *server = Process::start(server_spec(&self.name, &self.dir, &self.etcd, port, binaries), &self.guard)?;
        drop(server);
        self.api = Api::new(&address(port), &self.authority, &self.admin_token)?;
        self.tries += 1;
        Ok(())
    }

    fn check_parts(&mut self) -> Result<()> {
        for part in &mut self.parts {
            if let Some(status) = part.ended()? {
                bail!("{} ended ({status}); its last words:\n{}", part.name(), part.tail(15));
            }
        }
        Ok(())
    }

    fn start_parts(&mut self, identity: &Identity, binaries: &Binaries) -> Result<()> {
        let write = |file: &str, user: &str| -> Result<String> {
            let path = self.dir.join(file);
            write_kubeconfig(&path, &self.name, self.api.server(), &self.authority, user, identity.token(user)?)?;
            Ok(path.display().to_string())
        };
        write("admin.kubeconfig", ADMIN)?;
        let manager = write("controller-manager.kubeconfig", CONTROLLER_MANAGER)?;
        let scheduler = write("scheduler.kubeconfig", SCHEDULER)?;
        let kwok = write("kwok.kubeconfig", KWOK)?;
        let in_dir = |file: &str| self.dir.join(file).display().to_string();
        let parts = [
            self.part(
                "kube-controller-manager",
                &binaries.kube_controller_manager,
                vec![
                    format!("--kubeconfig={manager}"),
                    "--leader-elect=false".to_owned(),
                    "--secure-port=0".to_owned(),
                    format!("--service-account-private-key-file={}", in_dir("accounts.key")),
                    format!("--root-ca-file={}", in_dir("ca.crt")),
                ],
            ),
            self.part(
                "kube-scheduler",
                &binaries.kube_scheduler,
                vec![format!("--kubeconfig={scheduler}"), "--leader-elect=false".to_owned(), "--secure-port=0".to_owned()],
            ),
            self.part(
                "kwok",
                &binaries.kwok,
                vec![
                    format!("--kubeconfig={kwok}"),
                    format!("--config={}", in_dir("stages.yaml")),
                    "--manage-all-nodes=true".to_owned(),
                    "--node-lease-duration-seconds=40".to_owned(),
                    "--node-ip=10.0.0.1".to_owned(),
                    "--cidr=10.244.0.0/16".to_owned(),
                ],
            ),
        ];
        for spec in parts {
            self.parts.push(Process::start(spec, &self.guard)?);
        }
        Ok(())
    }

    fn part(&self, name: &str, program: &Path, args: Vec<String>) -> Spec {
        Spec {
            name: format!("{}/{name}", self.name),
            program: program.to_owned(),
            args,
            // kwok also reads a configuration from its work folder, which would otherwise be the home of whoever runs the test.
            env: vec![("KWOK_WORKDIR", self.dir.display().to_string())],
            log: self.dir.join(format!("{name}.log")),
        }
    }

    /// As given in the configuration.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// A kubeconfig that may do anything.
    pub fn admin_kubeconfig(&self) -> &Path {
        &self.admin_kubeconfig
    }

    /// The API server, spoken to as admin.
    pub fn api(&self) -> &Api {
        &self.api
    }

    /// Writes a kubeconfig with a token of `account` that lives a day.
    ///
    /// # Errors
    /// When the account is not there.
    pub fn service_account_kubeconfig(&self, namespace: &str, account: &str, path: &Path) -> Result<PathBuf> {
        let request = json!({
            "apiVersion": "authentication.k8s.io/v1",
            "kind": "TokenRequest",
            "spec": { "expirationSeconds": TOKEN_LIFE_SECONDS },
        });
        let answer = self.api.create(&format!("/api/v1/namespaces/{namespace}/serviceaccounts/{account}/token"), &request)?;
        let token = answer["status"]["token"].as_str().context("the API server answered without a token")?;
        let user = format!("system:serviceaccount:{namespace}:{account}");
        write_kubeconfig(path, &self.name, self.api.server(), &self.authority, &user, token)?;
        Ok(path.to_owned())
    }

    /// Stops the API server where it stands: connections stay open and nothing answers.
    ///
    /// # Errors
    /// When it does not run.
    pub fn pause(&self) -> Result<()> {
        self.server().signal(Signal::STOP)
    }

    /// Lets a paused API server go on.
    ///
    /// # Errors
    /// When it does not run.
    pub fn resume(&self) -> Result<()> {
        self.server().signal(Signal::CONT)
    }

    /// Ends the API server without warning: connections are refused.
    pub fn kill(&self) {
        self.server().kill();
    }

    /// Ends the API server if it runs, starts it on the same port and waits until it is ready.
    ///
    /// # Errors
    /// When it does not come back; the text carries the end of its log.
    pub fn restart(&self) -> Result<()> {
        self.server().restart()?;
        let deadline = Instant::now() + RESTART_PATIENCE;
        while !self.api.ready() {
            let mut server = self.server();
            if server.ended()?.is_some() || Instant::now() > deadline {
                bail!("{} did not come back; its last words:\n{}", server.name(), server.tail(15));
            }
            drop(server);
            thread::sleep(Duration::from_millis(50));
        }
        Ok(())
    }

    /// The API server's log of writes, one JSON object a line.
    pub fn audit_log(&self) -> PathBuf {
        self.dir.join("audit.log")
    }

    /// What was written so far, by whom. The log is written before a request is answered: your own writes are in it.
    ///
    /// # Errors
    /// When the log cannot be read.
    pub fn audit_events(&self) -> Result<Vec<AuditEvent>> {
        audit::read(&self.audit_log())
    }

    /// The end of every part's log: what a test shows when it fails.
    pub fn logs(&self, lines: usize) -> String {
        let server = self.server();
        let parts = self.parts.iter().map(|part| format!("--- {}\n{}\n", part.name(), part.tail(lines)));
        parts.fold(format!("--- {}\n{}\n", server.name(), server.tail(lines)), |all, part| all + &part)
    }

    pub(crate) fn pids(&self) -> Vec<u32> {
        self.server().pid().into_iter().chain(self.parts.iter().filter_map(Process::pid)).collect()
    }

    pub(crate) fn forget(&mut self) {
        self.server().forget();
        self.parts.iter_mut().for_each(Process::forget);
    }

    fn server(&self) -> MutexGuard<'_, Process> {
        self.server.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn address(port: u16) -> String {
    format!("https://127.0.0.1:{port}")
}

fn server_spec(name: &str, dir: &Path, etcd: &str, port: u16, binaries: &Binaries) -> Spec {
    let file = |file: &str| dir.join(file).display().to_string();
    let args = vec![
        format!("--etcd-servers={etcd}"),
        format!("--etcd-prefix=/{name}"),
        "--bind-address=127.0.0.1".to_owned(),
        "--advertise-address=127.0.0.1".to_owned(),
        format!("--secure-port={port}"),
        format!("--tls-cert-file={}", file("server.crt")),
        format!("--tls-private-key-file={}", file("server.key")),
        format!("--token-auth-file={}", file("tokens.csv")),
        "--authorization-mode=RBAC".to_owned(),
        "--service-account-issuer=https://kubernetes.default.svc.cluster.local".to_owned(),
        format!("--service-account-signing-key-file={}", file("accounts.key")),
        format!("--service-account-key-file={}", file("accounts.pub")),
        // No kubelet mounts tokens here, and pods would wait for accounts that charts may not name.
        "--disable-admission-plugins=ServiceAccount".to_owned(),
        "--service-cluster-ip-range=10.96.0.0/16".to_owned(),
        "--allow-privileged=true".to_owned(),
        // A loopback address is refused as an endpoint; nothing here reads the endpoints of `kubernetes`.
        "--endpoint-reconciler-type=none".to_owned(),
        format!("--audit-policy-file={}", file("audit-policy.yaml")),
        format!("--audit-log-path={}", file("audit.log")),
        "--audit-log-mode=blocking".to_owned(),
        "--audit-log-maxsize=1000".to_owned(),
        "--profiling=false".to_owned(),
    ];
    Spec {
        name: format!("{name}/kube-apiserver"),
        program: binaries.kube_apiserver.clone(),
        args,
        env: Vec::new(),
        log: dir.join("kube-apiserver.log"),
    }
}
