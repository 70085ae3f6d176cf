//! Several clusters on one etcd.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use serde_json::json;
use tempfile::TempDir;

use crate::binaries::Binaries;
use crate::cluster::{Cluster, PORT_TRIES};
use crate::guard::Guard;
use crate::ports;
use crate::process::{Process, Spec};

/// Three clusters stand in 10 s on two idle cores; the rest is for cores that others use too.
const PATIENCE: Duration = Duration::from_secs(240);
/// etcd answers within a second; a slow disk may take longer.
const ETCD_PATIENCE: Duration = Duration::from_secs(60);
const PAUSE: Duration = Duration::from_millis(100);

/// One cluster to be made.
#[derive(Debug, Clone)]
pub struct ClusterConfig {
    /// A DNS label; also its folder and its prefix in etcd.
    pub name: String,
    /// How many nodes kwok plays.
    pub nodes: u32,
}

/// What to start.
#[derive(Debug, Clone, Default)]
pub struct FoundationConfig {
    /// At least one.
    pub clusters: Vec<ClusterConfig>,
    /// Where data and logs go; `None` is a temporary folder that goes away with the foundation.
    pub dir: Option<PathBuf>,
    /// Leaves everything running after this process, described in `foundation.json`. Needs a `dir`.
    pub keep: bool,
}

impl FoundationConfig {
    /// Clusters of two nodes each, gone when the foundation is dropped.
    pub fn named(names: &[&str]) -> Self {
        let clusters = names.iter().map(|name| ClusterConfig { name: (*name).to_owned(), nodes: 2 }).collect();
        Self { clusters, ..Self::default() }
    }

    fn check(&self) -> Result<()> {
        if self.clusters.is_empty() {
            bail!("no clusters to start: name at least one");
        }
        if self.keep && self.dir.is_none() {
            bail!("clusters that stay need a folder of their own: give a dir");
        }
        for (index, cluster) in self.clusters.iter().enumerate() {
            let label = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
            if cluster.name.is_empty() || cluster.name.starts_with('-') || !cluster.name.chars().all(label) {
                bail!("cluster name {:?}: use lower-case letters, digits and dashes", cluster.name);
            }
            if self.clusters[..index].iter().any(|other| other.name == cluster.name) {
                bail!("two clusters are named {}", cluster.name);
            }
        }
        Ok(())
    }
}

/// Running clusters. Dropping it ends them all, unless they were to be kept.
#[derive(Debug)]
pub struct Foundation {
    // The order matters: servers end before their etcd, everything before the guard, and the folder goes last.
    clusters: Vec<Cluster>,
    etcd: Process,
    guard: Arc<Guard>,
    dir: PathBuf,
    keep: bool,
    _temporary: Option<TempDir>,
}

impl Foundation {
    /// Starts the clusters and waits until each takes pods. What an earlier run left in the same folder is ended first.
    ///
    /// # Errors
    /// When the configuration makes no sense or a part does not come up; the text carries the end of that part's log.
    pub fn start(config: &FoundationConfig, binaries: &Binaries) -> Result<Self> {
        config.check()?;
        let (dir, temporary) = match &config.dir {
            Some(dir) => (dir.clone(), None),
            None => {
                let made = tempfile::Builder::new().prefix("foundation-").tempdir()?;
                (made.path().to_owned(), Some(made))
            }
        };
        fs::create_dir_all(&dir).with_context(|| format!("the folder {} cannot be made", dir.display()))?;
        let dir = dir.canonicalize()?;
        crate::reap(&dir)?;
        let guard = Arc::new(Guard::start(&dir, temporary.is_some())?);
        let (etcd, address) = start_etcd(&dir, binaries, &guard)?;
        let mut foundation = Self { clusters: Vec::new(), etcd, guard, dir, keep: config.keep, _temporary: temporary };
        foundation.start_clusters(&config.clusters, &address, binaries)?;
        if config.keep {
            foundation.write_record(&address)?;
        }
        Ok(foundation)
    }

    fn start_clusters(&mut self, configs: &[ClusterConfig], etcd: &str, binaries: &Binaries) -> Result<()> {
        let mut identities = Vec::with_capacity(configs.len());
        for config in configs {
            let (cluster, identity) = Cluster::start(config, &self.dir, etcd, binaries, &self.guard)?;
            self.clusters.push(cluster);
            identities.push(identity);
        }
        let deadline = Instant::now() + PATIENCE;
        let mut standing = vec![false; configs.len()];
        while standing.contains(&false) {
            for ((cluster, identity), stands) in self.clusters.iter_mut().zip(&identities).zip(&mut standing) {
                if *stands {
                    continue;
                }
                *stands = cluster.advance(identity, binaries).with_context(|| format!("cluster {} did not come up", cluster.name()))?;
                if !*stands && Instant::now() > deadline {
                    bail!("cluster {} takes no pods after {PATIENCE:?}:\n{}", cluster.name(), cluster.logs(8));
                }
            }
            thread::sleep(PAUSE);
        }
        Ok(())
    }

    /// In the order of the configuration.
    pub fn clusters(&self) -> &[Cluster] {
        &self.clusters
    }

    /// The cluster of that name.
    ///
    /// # Errors
    /// When there is none.
    pub fn cluster(&self, name: &str) -> Result<&Cluster> {
        self.clusters.iter().find(|cluster| cluster.name() == name).with_context(|| format!("no cluster is named {name}"))
    }

    /// Where data and logs are.
    pub fn dir(&self) -> &Path {
        &self.dir
    }

    fn write_record(&self, etcd: &str) -> Result<()> {
        let clusters: Vec<_> = self.clusters.iter().map(record).collect();
        let all = json!({ "etcd": { "address": etcd, "pid": self.etcd.pid() }, "clusters": clusters });
        fs::write(self.dir.join("foundation.json"), serde_json::to_string_pretty(&all)?)?;
        Ok(())
    }
}

fn record(cluster: &Cluster) -> serde_json::Value {
    json!({
        "name": cluster.name(),
        "server": cluster.api().server(),
        "kubeconfig": cluster.admin_kubeconfig(),
        "audit_log": cluster.audit_log(),
        "pids": cluster.pids(),
    })
}

impl Drop for Foundation {
    fn drop(&mut self) {
        // A start that failed keeps nothing.
        if self.keep && self.dir.join("foundation.json").exists() {
            self.clusters.iter_mut().for_each(Cluster::forget);
            self.etcd.forget();
        } else {
            self.clusters.clear();
            self.etcd.kill();
        }
        self.guard.release();
    }
}

fn start_etcd(dir: &Path, binaries: &Binaries, guard: &Arc<Guard>) -> Result<(Process, String)> {
    let _ = fs::remove_file(dir.join("foundation.json"));
    let mut last_words = String::new();
    for _ in 0..PORT_TRIES {
        let data = dir.join("etcd");
        if data.exists() {
            fs::remove_dir_all(&data)?;
        }
        let (client, peer) = (ports::free()?, ports::free()?);
        let address = format!("http://127.0.0.1:{client}");
        let mut etcd = Process::start(etcd_spec(dir, &data, &address, peer, binaries), guard)?;
        if answers(&mut etcd, client)? {
            return Ok((etcd, address));
        }
        last_words = etcd.tail(15);
        if !etcd.lost_its_port() {
            break;
        }
    }
    bail!("etcd did not come up; its last words:\n{last_words}")
}

fn etcd_spec(dir: &Path, data: &Path, address: &str, peer: u16, binaries: &Binaries) -> Spec {
    let peer = format!("http://127.0.0.1:{peer}");
    let args = vec![
        format!("--data-dir={}", data.display()),
        format!("--listen-client-urls={address}"),
        format!("--advertise-client-urls={address}"),
        format!("--listen-peer-urls={peer}"),
        format!("--initial-advertise-peer-urls={peer}"),
        format!("--initial-cluster=default={peer}"),
        // The data lives as long as the test: nothing is gained by waiting for the disk.
        "--unsafe-no-fsync".to_owned(),
        "--log-level=warn".to_owned(),
    ];
    Spec { name: "etcd".to_owned(), program: binaries.etcd.clone(), args, env: Vec::new(), log: dir.join("etcd.log") }
}

/// False when etcd ended or stayed silent.
fn answers(etcd: &mut Process, port: u16) -> Result<bool> {
    let deadline = Instant::now() + ETCD_PATIENCE;
    while Instant::now() < deadline && etcd.ended()?.is_none() {
        if std::net::TcpStream::connect(("127.0.0.1", port)).is_ok() {
            // Another process on the port would also take the connection: ours must still be alive a moment later.
            thread::sleep(PAUSE);
            return Ok(etcd.ended()?.is_none());
        }
        thread::sleep(PAUSE);
    }
    Ok(false)
}
