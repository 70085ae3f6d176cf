//! A cluster as Helm and its pods show it: history, one running helm, objects that become ready or do not.

use groundswell_core::agent::{HelmCall, HistoryEntry, Marker, RevisionStatus, UNLOCKED};
use groundswell_core::id::{Generation, ReleaseName};
use groundswell_core::time::{Span, Time};

/// Helm's own default of `--history-max`.
const HISTORY_MAX: usize = 10;

/// What becomes of one run of helm, decided as it starts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Fate {
    /// From the start until the pending record is written.
    pub pending_after: Span,
    /// From the start until the end.
    pub ends_after: Span,
    /// Whether helm fails.
    pub fails: bool,
    /// From the end until the pods are ready; `None` is never.
    pub ready_after: Option<Span>,
}

/// A helm that runs.
#[derive(Clone, Debug)]
pub struct Running {
    /// Tells runs apart.
    pub run: u64,
    /// What it was asked.
    pub call: HelmCall,
    /// For whom.
    pub marker: Marker,
    /// The pod of the agent that started it.
    pub pod: u64,
    /// What becomes of it.
    pub fate: Fate,
    /// The record that it has written.
    pub revision: Option<u32>,
}

/// How a helm is cut off.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kill {
    /// At once; what it has written stays.
    Hard,
    /// By a signal that it answers.
    Soft,
}

/// One release in one cluster.
#[derive(Clone, Debug, Default)]
pub struct HelmRelease {
    /// Ascending.
    pub history: Vec<HistoryEntry>,
    /// The helm that runs, if one does.
    pub running: Option<Running>,
    /// When the pods of the deployed revision are ready; `None` is never.
    pub ready_at: Option<Time>,
    /// Not healthy until then, whatever else.
    pub sick_until: Time,
}

impl HelmRelease {
    /// A release that somebody has upgraded by hand so many times.
    pub fn by_hand(release: &ReleaseName, revisions: u32) -> Self {
        let mut made = Self { ready_at: Some(Time(0)), ..Self::default() };
        for _ in 0..revisions {
            made.push(RevisionStatus::Deployed, "Upgrade complete", &format!("{release}-9.9.9"), None, None, Time(0));
        }
        made
    }

    fn push(&mut self, status: RevisionStatus, said: &str, chart: &str, marker: Option<Marker>, to: Option<u32>, now: Time) -> u32 {
        let revision = self.history.last().map_or(1, |latest| latest.revision + 1);
        if status == RevisionStatus::Deployed {
            self.supersede();
        }
        let (description, chart) = (said.to_owned(), chart.to_owned());
        self.history.push(HistoryEntry { revision, status, marker, rollback_to: to, description, chart, updated: now });
        while self.history.len() > HISTORY_MAX {
            // Helm prunes from the oldest, but never the one that is deployed.
            let Some(oldest) = self.history.iter().position(|known| known.status != RevisionStatus::Deployed) else { break };
            self.history.remove(oldest);
        }
        revision
    }

    fn supersede(&mut self) {
        for known in self.history.iter_mut().filter(|known| known.status == RevisionStatus::Deployed) {
            known.status = RevisionStatus::Superseded;
        }
    }

    /// What is deployed.
    pub fn deployed(&self) -> Option<&HistoryEntry> {
        self.history.iter().rev().find(|known| known.status == RevisionStatus::Deployed)
    }

    /// Whether the pods of the deployed revision are well.
    pub fn is_healthy(&self, now: Time) -> bool {
        self.deployed().is_some() && self.ready_at.is_some_and(|at| at <= now) && self.sick_until <= now
    }

    fn chart_of(&self, call: &HelmCall) -> String {
        match call {
            HelmCall::Upgrade { content } => format!("{}-{}", content.chart.name, content.chart.version),
            HelmCall::Rollback { to } => {
                self.history.iter().find(|known| known.revision == *to).map(|known| known.chart.clone()).unwrap_or_default()
            }
            HelmCall::Uninstall => String::new(),
        }
    }

    /// The pending record of the helm that runs; an error when another holds the lock.
    pub fn write_pending(&mut self, now: Time) -> Result<(), String> {
        let Some(running) = &self.running else { return Ok(()) };
        let (status, to) = match &running.call {
            HelmCall::Uninstall => return Ok(()),
            HelmCall::Rollback { to } => (RevisionStatus::PendingRollback, Some(*to)),
            HelmCall::Upgrade { .. } if self.history.is_empty() => (RevisionStatus::PendingInstall, None),
            HelmCall::Upgrade { .. } => (RevisionStatus::PendingUpgrade, None),
        };
        if self.history.last().is_some_and(|latest| latest.status.is_pending()) {
            return Err("another operation (install/upgrade/rollback) is in progress".into());
        }
        let chart = self.chart_of(&running.call);
        let said = to.map_or_else(|| "Preparing upgrade".to_owned(), |to| format!("Rollback to {to}"));
        let revision = self.push(status, &said, &chart, None, to, now);
        if let Some(running) = &mut self.running {
            running.revision = Some(revision);
        }
        Ok(())
    }

    /// The helm that runs comes to its own end; says with which error, and whether it left a deployed revision.
    pub fn finish(&mut self, now: Time) -> (Option<String>, bool) {
        let Some(running) = self.running.take() else { return (None, false) };
        if running.call == HelmCall::Uninstall {
            self.history.clear();
            self.ready_at = None;
            return (None, false);
        }
        let Some(revision) = running.revision else { return (Some("helm wrote no revision".into()), false) };
        if running.fate.fails {
            self.conclude(revision, RevisionStatus::Failed, "Upgrade failed: a hook failed", now);
            return (Some("a hook failed".into()), false);
        }
        self.supersede();
        self.conclude(revision, RevisionStatus::Deployed, "", now);
        self.ready_at = running.fate.ready_after.map(|after| now + after);
        self.sick_until = Time(0);
        if let Some(made) = self.history.iter_mut().find(|known| known.revision == revision)
            && made.rollback_to.is_none()
        {
            made.marker = Some(running.marker);
        }
        (None, true)
    }

    /// The helm that runs is cut off.
    pub fn kill(&mut self, kill: Kill, now: Time) -> Option<Running> {
        let running = self.running.take()?;
        if let (Kill::Soft, Some(revision)) = (kill, running.revision) {
            self.conclude(revision, RevisionStatus::Failed, "Upgrade failed: context canceled", now);
        }
        Some(running)
    }

    /// The agent marks a dead pending record.
    pub fn unlock(&mut self, revision: u32, now: Time) {
        self.conclude(revision, RevisionStatus::Failed, UNLOCKED, now);
    }

    /// Somebody else's helm begins.
    pub fn lock_by_hand(&mut self, release: &ReleaseName, now: Time) {
        if self.running.is_none() && !self.history.last().is_some_and(|latest| latest.status.is_pending()) {
            let status = if self.history.is_empty() { RevisionStatus::PendingInstall } else { RevisionStatus::PendingUpgrade };
            self.push(status, "Preparing upgrade", &format!("{release}-8.8.8"), None, None, now);
        }
    }

    /// Somebody else's helm ends, badly: what was deployed stays so.
    pub fn unlock_by_hand(&mut self, release: &ReleaseName, now: Time) {
        let chart = format!("{release}-8.8.8");
        let locked = self.history.iter().find(|known| known.status.is_pending() && known.chart == chart).map(|known| known.revision);
        if let Some(revision) = locked {
            self.conclude(revision, RevisionStatus::Failed, "Upgrade failed: by hand", now);
        }
    }

    /// Whether somebody else's helm holds the lock.
    pub fn is_locked_by_hand(&self) -> bool {
        self.history.last().is_some_and(|latest| latest.status.is_pending() && latest.chart.ends_with("-8.8.8"))
    }

    fn conclude(&mut self, revision: u32, status: RevisionStatus, said: &str, now: Time) {
        if let Some(made) = self.history.iter_mut().find(|known| known.revision == revision) {
            made.status = status;
            made.updated = now;
            if !said.is_empty() {
                said.clone_into(&mut made.description);
            }
        }
    }

    /// Deployed revisions that bear this generation's marker.
    pub fn marked(&self, generation: Generation) -> usize {
        self.history.iter().filter(|known| known.marker.is_some_and(|marker| marker.generation == generation)).count()
    }
}
