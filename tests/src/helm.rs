//! What Helm and `/proc` know about releases.

use anyhow::{Context, Result, ensure};
use groundswell_helm::history::{HistoryEntry, Status};
use jiff::Timestamp;
use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

/// Revisions that are deployed now or once were, with our mark: no attempt may stand there twice (GS-7).
///
/// # Errors
/// When one does.
pub fn no_attempt_twice(cluster: &str, history: &[HistoryEntry]) -> Result<()> {
    let mut seen = BTreeSet::new();
    for entry in history.iter().filter(|entry| matches!(entry.status, Status::Deployed | Status::Superseded)) {
        if let Some(mark) = entry.mark() {
            let attempt = (mark.rollout, mark.generation, mark.attempt);
            ensure!(seen.insert(attempt.clone()), "{cluster}: attempt {attempt:?} was deployed twice: {history:#?}");
        }
    }
    Ok(())
}

/// One life of a helm process, as far as it was seen.
#[derive(Clone, Debug)]
pub struct Life {
    /// Whose it is: the folder of its agent.
    pub agent: String,
    /// Its process id.
    pub pid: u32,
    /// When it was first seen.
    pub from: Timestamp,
    /// When it was last seen.
    pub to: Timestamp,
}

/// Looks at `/proc` all the time for helm processes that agents run.
#[derive(Debug)]
pub struct Watch {
    lives: Arc<Mutex<BTreeMap<u32, Life>>>,
    stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

/// Short beside the seconds that a helm call takes.
const LOOK_EVERY: Duration = Duration::from_millis(20);

impl Watch {
    /// Begins to look for the agents whose folders lie in `agents`.
    pub fn start(agents: &Path) -> Self {
        let (lives, stop) = (Arc::new(Mutex::default()), Arc::new(AtomicBool::new(false)));
        let (agents, into, until) = (agents.to_owned(), Arc::clone(&lives), Arc::clone(&stop));
        let thread = std::thread::spawn(move || {
            while !until.load(Ordering::SeqCst) {
                look(&agents, &into);
                std::thread::sleep(LOOK_EVERY);
            }
        });
        Self { lives, stop, thread: Some(thread) }
    }

    /// The helm processes seen so far, by their first sight.
    pub fn lives(&self) -> Vec<Life> {
        let mut lives: Vec<Life> = self.lives.lock().unwrap_or_else(PoisonError::into_inner).values().cloned().collect();
        lives.sort_by_key(|life| life.from);
        lives
    }

    /// Two lives that were seen at the same time, of agents whose name begins with `cluster`.
    pub fn overlap(&self, cluster: &str) -> Option<(Life, Life)> {
        let lives: Vec<Life> = self.lives().into_iter().filter(|life| life.agent.starts_with(cluster)).collect();
        lives.windows(2).find(|pair| pair[1].from <= pair[0].to).map(|pair| (pair[0].clone(), pair[1].clone()))
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::SeqCst);
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

fn look(agents: &Path, lives: &Mutex<BTreeMap<u32, Life>>) {
    let now = Timestamp::now();
    let mut lives = lives.lock().unwrap_or_else(PoisonError::into_inner);
    for (agent, pid) in changing(agents) {
        lives.entry(pid).or_insert(Life { agent, pid, from: now, to: now }).to = now;
    }
}

/// Helm processes that change something, with the name of their agent.
pub fn changing(agents: &Path) -> Vec<(String, u32)> {
    let Ok(entries) = fs::read_dir("/proc") else { return Vec::new() };
    let pids = entries.filter_map(|entry| entry.ok()?.file_name().to_str()?.parse::<u32>().ok());
    pids.filter_map(|pid| Some((agent_of(agents, pid)?, pid))).collect()
}

fn agent_of(agents: &Path, pid: u32) -> Option<String> {
    let program = fs::read_link(format!("/proc/{pid}/exe")).ok()?;
    if program.file_name()? != "helm" {
        return None;
    }
    let line = fs::read(format!("/proc/{pid}/cmdline")).ok()?;
    let words: Vec<String> = line.split(|byte| *byte == 0).map(|word| String::from_utf8_lossy(word).into_owned()).collect();
    // At its start an agent asks helm what it can do.
    let asks = words.iter().any(|word| word == "--help" || word == "version");
    if asks || !words.iter().any(|word| ["upgrade", "install", "rollback", "uninstall"].contains(&word.as_str())) {
        return None;
    }
    let environment = fs::read(format!("/proc/{pid}/environ")).ok()?;
    let everything = format!("{}\0{}", words.join("\0"), String::from_utf8_lossy(&environment));
    let (_, rest) = everything.split_once(&format!("{}/", agents.display()))?;
    Some(rest.split(['/', '\0']).next()?.to_owned())
}

/// SIGKILL to one process by its id.
///
/// # Errors
/// When it cannot be sent.
pub fn kill(pid: u32) -> Result<()> {
    let pid = i32::try_from(pid).ok().and_then(rustix::process::Pid::from_raw).context("no process id")?;
    Ok(rustix::process::kill_process(pid, rustix::process::Signal::KILL)?)
}

/// Where the agents of a stand keep their folders.
pub fn agents_of(stand: &Path) -> PathBuf {
    stand.join("agents")
}
