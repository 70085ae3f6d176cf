//! Control planes, server, agents and the command, for one test.

use crate::chart::Chart;
use crate::document::Release;
use crate::helm::{Watch, agents_of};
use crate::rollouts::Operator;
use anyhow::{Context, Result, bail, ensure};
use groundswell_foundation::Binaries;
use groundswell_foundation::stand::{Programs, Ran, Stand, StandConfig};
use groundswell_helm::history::{HistoryEntry, Status};
use serde_json::Value;
use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// Where the tests' releases live.
pub const NAMESPACE: &str = "demo";
/// An agent connects within two seconds; on busy cores it may take its time.
const ONLINE: Duration = Duration::from_secs(60);
/// What is shown of each log when a test fails.
const TAIL: usize = 60;

/// A stand with what the tests ask of it again and again.
#[derive(Debug)]
pub struct Fleet {
    /// The processes.
    pub stand: Stand,
    clusters: Vec<String>,
}

impl Fleet {
    /// Plays a test on clusters (name, labels) whose agents are online; when it fails the logs are shown.
    ///
    /// # Errors
    /// As the test, or when a part does not come up.
    pub fn play(clusters: &[(&str, &str)], test: impl FnOnce(&mut Self) -> Result<()>) -> Result<()> {
        Self::play_without_agents(clusters, |fleet| {
            fleet.start_agents()?;
            test(fleet)
        })
    }

    /// As [`Fleet::play`], but no agent is started and nothing is installed in the clusters.
    ///
    /// # Errors
    /// As the test, or when a part does not come up.
    pub fn play_without_agents(clusters: &[(&str, &str)], test: impl FnOnce(&mut Self) -> Result<()>) -> Result<()> {
        let mut said = |text: &str| _ = writeln!(std::io::stderr(), "{text}");
        let binaries = Binaries::locate_or_build(&mut said)?;
        let stand = Stand::start(StandConfig::of(clusters), binaries, Programs::locate()?)?;
        let clusters = clusters.iter().map(|(name, _)| (*name).to_owned()).collect();
        let mut fleet = Self { stand, clusters };
        let played = test(&mut fleet).and_then(|()| fleet.nobody_panicked());
        if played.is_err() {
            fleet.show_logs();
        }
        played
    }

    /// Starts an agent in each cluster and waits until all are online.
    ///
    /// # Errors
    /// When one does not come.
    pub fn start_agents(&mut self) -> Result<()> {
        self.stand.start_agents()?;
        self.online()
    }

    /// Waits until the agents of all clusters are online.
    ///
    /// # Errors
    /// When one does not come.
    pub fn online(&self) -> Result<()> {
        self.operator()?.wait_online(self.clusters.len(), ONLINE)
    }

    /// The server, as an operator's program sees it.
    ///
    /// # Errors
    /// When token or root cannot be read.
    pub fn operator(&self) -> Result<Operator> {
        Ok(Operator::new(self.stand.operators()?))
    }

    /// Writes a document into a folder of the stand's; a chart `./beacon` or the like lies beside it.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn document(&self, folder: &str, release: &Release) -> Result<PathBuf> {
        let folder = self.folder(folder)?;
        let file = folder.join("release.yaml");
        fs::write(&file, release.text())?;
        Ok(file)
    }

    /// A folder for documents and charts.
    ///
    /// # Errors
    /// When it cannot be made.
    pub fn folder(&self, name: &str) -> Result<PathBuf> {
        let folder = self.stand.dir().join("documents").join(name);
        fs::create_dir_all(&folder)?;
        Ok(folder)
    }

    /// A copy of the beacon chart at a version beside the documents of that folder.
    ///
    /// # Errors
    /// When it cannot be copied.
    pub fn beacon(&self, folder: &str, version: &str) -> Result<Chart> {
        Chart::beacon(&self.folder(folder)?, version)
    }

    /// `groundswell apply -f`, which must succeed; the rollout that it made.
    ///
    /// # Errors
    /// When it is refused, or made no rollout.
    pub fn apply(&self, folder: &str, name: &str, release: &Release) -> Result<String> {
        self.apply_with(folder, name, release, &[])?.ok()?;
        Ok(self.operator()?.latest(name)?.id)
    }

    /// `groundswell apply -f` with more words.
    ///
    /// # Errors
    /// When it cannot be run.
    pub fn apply_with(&self, folder: &str, name: &str, release: &Release, more: &[&str]) -> Result<Ran> {
        ensure!(release.text().contains(&format!("name: {name}\n")), "the document is not {name}'s");
        let document = self.document(folder, release)?;
        let document = document.to_str().context("a path that is no UTF-8")?;
        self.stand.cli(&[&["apply", "-f", document], more].concat())
    }

    /// Helm's history of a release, oldest first.
    ///
    /// # Errors
    /// When helm prints no history.
    pub fn history(&self, cluster: &str, release: &str) -> Result<Vec<HistoryEntry>> {
        let history = self.stand.history(cluster, NAMESPACE, release)?;
        history.into_iter().map(|entry| Ok(serde_json::from_value(entry)?)).collect()
    }

    /// The newest revision of a release, which must be deployed.
    ///
    /// # Errors
    /// When it is not.
    pub fn deployed(&self, cluster: &str, release: &str) -> Result<HistoryEntry> {
        let history = self.history(cluster, release)?;
        match history.last() {
            Some(last) if last.status == Status::Deployed => Ok(last.clone()),
            _ => bail!("{cluster}: {release} is not deployed: {history:#?}"),
        }
    }

    /// `helm get values -o json`, what the user supplied.
    ///
    /// # Errors
    /// When there is no such release.
    pub fn helm_values(&self, cluster: &str, release: &str) -> Result<Value> {
        let text = self.stand.helm(cluster, &["get", "values", release, "-n", NAMESPACE, "-o", "json"])?;
        serde_json::from_str(&text).with_context(|| format!("helm get values printed {text}"))
    }

    /// Looks for helm processes from now on.
    pub fn watch_helm(&self) -> Watch {
        Watch::start(&self.agents_dir())
    }

    /// Where the agents keep their folders.
    pub fn agents_dir(&self) -> PathBuf {
        agents_of(self.stand.dir())
    }

    fn logs(&self) -> Vec<PathBuf> {
        let Ok(entries) = fs::read_dir(self.stand.dir()) else { return Vec::new() };
        let mut logs: Vec<PathBuf> =
            entries.filter_map(|entry| Some(entry.ok()?.path())).filter(|path| path.extension().is_some_and(|end| end == "log")).collect();
        logs.sort();
        logs
    }

    /// None of our processes may ever panic, whatever a test does to it.
    fn nobody_panicked(&self) -> Result<()> {
        for log in self.logs() {
            no_panic(&log)?;
        }
        Ok(())
    }

    fn show_logs(&self) {
        for log in self.logs() {
            show_tail(&log);
        }
    }
}

impl Drop for Fleet {
    fn drop(&mut self) {
        if std::thread::panicking() {
            self.show_logs();
        }
    }
}

/// A log in which nobody panicked.
pub(crate) fn no_panic(log: &Path) -> Result<()> {
    let text = fs::read_to_string(log).unwrap_or_default();
    match text.lines().find(|line| line.contains("panicked")) {
        Some(line) => bail!("{}: {line}", log.display()),
        None => Ok(()),
    }
}

pub(crate) fn show_tail(log: &Path) {
    let text = fs::read_to_string(log).unwrap_or_default();
    let lines: Vec<&str> = text.lines().collect();
    let tail = lines[lines.len().saturating_sub(TAIL)..].join("\n");
    let _ = writeln!(std::io::stderr(), "--- {}\n{tail}", log.display());
}
