//! The mirror: every record of the store, decoded, as of one revision.

use super::records::{
    AuditRecord, ChartRecord, ClusterRecord, DocumentRecord, Key, OperatorRecord, Record, RecordError, ReleaseRecord, StrategyRecord,
    TokenRecord, decode,
};
use groundswell_core::assignment::Assignment;
use groundswell_core::id::{ClusterName, Digest, ReleaseName, RolloutId};
use groundswell_core::rollout::{ClusterRelease, Head, Turn};
use groundswell_store::{Change, Revision};
use std::collections::{BTreeMap, HashMap};

/// All records but the audit log, of which only the end is kept.
#[derive(Debug, Default, PartialEq)]
pub struct State {
    /// The newest transaction that was applied.
    pub revision: Revision,
    /// Which transaction wrote each key last; what a commit expects.
    revisions: HashMap<String, Revision>,
    /// Clusters.
    pub clusters: BTreeMap<ClusterName, ClusterRecord>,
    /// Enrolment tokens by id.
    pub tokens: BTreeMap<String, TokenRecord>,
    /// Operators by id.
    pub operators: BTreeMap<String, OperatorRecord>,
    /// Releases.
    pub releases: BTreeMap<ReleaseName, ReleaseRecord>,
    /// Documents by release and revision.
    pub documents: BTreeMap<(ReleaseName, u64), DocumentRecord>,
    /// Strategies by name.
    pub strategies: BTreeMap<String, StrategyRecord>,
    /// Rollouts.
    pub rollouts: BTreeMap<RolloutId, Head>,
    /// Turns that have begun, by rollout.
    pub turns: BTreeMap<RolloutId, BTreeMap<ClusterName, Turn>>,
    /// Releases in clusters.
    pub cluster_releases: BTreeMap<ReleaseName, BTreeMap<ClusterName, ClusterRelease>>,
    /// Charts.
    pub charts: BTreeMap<Digest, ChartRecord>,
    /// The last record of the audit log.
    pub audit: Option<AuditRecord>,
    /// The newest transaction that changed anything that a rollout's page shows.
    touched: BTreeMap<ReleaseName, Revision>,
}

/// What a transaction means for others than the mirror.
#[derive(Debug, Default)]
pub(crate) struct Effects {
    /// New assignments, for the mailboxes.
    pub(crate) assigned: Vec<Assignment>,
    /// Clusters whose sessions end.
    pub(crate) revoked: Vec<ClusterName>,
    /// Whether the planner has something to look at.
    pub(crate) plan: bool,
}

static NO_TURNS: BTreeMap<ClusterName, Turn> = BTreeMap::new();
static NO_RELEASES: BTreeMap<ClusterName, ClusterRelease> = BTreeMap::new();

impl State {
    /// Takes in one entry of a scan.
    pub(crate) fn load(&mut self, key: &str, value: &[u8], revision: Revision) -> Result<(), RecordError> {
        let mut effects = Effects::default();
        self.put(key, value, revision, &mut effects)
    }

    /// Takes in one transaction.
    pub(crate) fn apply(&mut self, revision: Revision, changes: &[Change]) -> Result<Effects, RecordError> {
        let mut effects = Effects::default();
        for change in changes {
            match &change.value {
                Some(value) => self.put(&change.key, value, revision, &mut effects)?,
                None => self.remove(&change.key)?,
            }
        }
        self.revision = revision;
        Ok(effects)
    }

    fn put(&mut self, key: &str, value: &[u8], revision: Revision, effects: &mut Effects) -> Result<(), RecordError> {
        match decode(key, value)? {
            (Key::Cluster(name), Record::Cluster(record)) => {
                if record.revoked.is_some() {
                    effects.revoked.push(name.clone());
                }
                effects.plan = true;
                self.clusters.insert(name, record);
            }
            (Key::Rollout(id), Record::Rollout(head)) => {
                self.touched.insert(head.release.clone(), revision);
                effects.plan = true;
                self.rollouts.insert(id, head);
            }
            (Key::Turn(id, cluster), Record::Turn(turn)) => {
                if let Some(head) = self.rollouts.get(&id) {
                    self.touched.insert(head.release.clone(), revision);
                }
                self.turns.entry(id).or_default().insert(cluster, turn);
            }
            (Key::ClusterRelease(release, cluster), Record::ClusterRelease(record)) => {
                self.touched.insert(release.clone(), revision);
                effects.plan = true;
                let known = self.cluster_releases.entry(release).or_default();
                let before = known.get(&cluster).and_then(|release| release.assignment.as_ref()).map(|assignment| assignment.generation);
                if let Some(assignment) = record.assignment.as_ref().filter(|assignment| Some(assignment.generation) != before) {
                    effects.assigned.push(assignment.clone());
                }
                known.insert(cluster, record);
            }
            (_, Record::Audit(record)) => {
                if self.audit.as_ref().is_none_or(|last| last.sequence < record.sequence) {
                    self.audit = Some(record);
                }
                // The log is as long as the fleet's life: nothing of it but its end is held in memory.
                return Ok(());
            }
            (key, record) => self.put_plain(key, record),
        }
        self.revisions.insert(key.to_owned(), revision);
        Ok(())
    }

    fn put_plain(&mut self, key: Key, record: Record) {
        match (key, record) {
            (Key::Token(id), Record::Token(record)) => drop(self.tokens.insert(id, record)),
            (Key::Operator(id), Record::Operator(record)) => drop(self.operators.insert(id, record)),
            (Key::Release(name), Record::Release(record)) => drop(self.releases.insert(name, record)),
            (Key::Document(name, revision), Record::Document(record)) => drop(self.documents.insert((name, revision), record)),
            (Key::Strategy(name), Record::Strategy(record)) => drop(self.strategies.insert(name, record)),
            (Key::Chart(digest), Record::Chart(record)) => drop(self.charts.insert(digest, record)),
            // `decode` gives the kind that the key says.
            _ => {}
        }
    }

    fn remove(&mut self, key: &str) -> Result<(), RecordError> {
        match Key::parse(key)? {
            Key::Cluster(name) => drop(self.clusters.remove(&name)),
            Key::Token(id) => drop(self.tokens.remove(&id)),
            Key::Operator(id) => drop(self.operators.remove(&id)),
            Key::Release(name) => drop(self.releases.remove(&name)),
            Key::Document(name, revision) => drop(self.documents.remove(&(name, revision))),
            Key::Strategy(name) => drop(self.strategies.remove(&name)),
            Key::Rollout(id) => {
                self.rollouts.remove(&id);
                self.turns.remove(&id);
            }
            Key::Turn(id, cluster) => drop(self.turns.get_mut(&id).and_then(|turns| turns.remove(&cluster))),
            Key::ClusterRelease(release, cluster) => drop(self.cluster_releases.get_mut(&release).and_then(|known| known.remove(&cluster))),
            Key::Chart(digest) => drop(self.charts.remove(&digest)),
            Key::Audit(_) => {}
        }
        self.revisions.remove(key);
        Ok(())
    }

    /// Which transaction wrote a key last.
    pub(crate) fn revision_of(&self, key: &str) -> Option<Revision> {
        self.revisions.get(key).copied()
    }

    /// The newest transaction that changed what a page of the release's rollouts shows.
    pub fn touched(&self, release: &ReleaseName) -> Revision {
        self.touched.get(release).copied().unwrap_or_default()
    }

    /// The turns of a rollout that have begun.
    pub fn turns_of(&self, id: &RolloutId) -> &BTreeMap<ClusterName, Turn> {
        self.turns.get(id).unwrap_or(&NO_TURNS)
    }

    /// A release in its clusters.
    pub fn clusters_of(&self, release: &ReleaseName) -> &BTreeMap<ClusterName, ClusterRelease> {
        self.cluster_releases.get(release).unwrap_or(&NO_RELEASES)
    }

    /// A release in one cluster.
    pub fn cluster_release(&self, release: &ReleaseName, cluster: &ClusterName) -> Option<&ClusterRelease> {
        self.cluster_releases.get(release)?.get(cluster)
    }

    /// The rollout of a release that has not ended.
    pub fn active(&self, release: &ReleaseName) -> Option<&Head> {
        let latest = self.releases.get(release)?.latest.as_ref()?;
        self.rollouts.get(latest).filter(|head| !head.state.is_ended())
    }

    /// Every rollout that has not ended.
    pub fn active_rollouts(&self) -> impl Iterator<Item = &Head> {
        self.rollouts.values().filter(|head| !head.state.is_ended())
    }

    /// The newest revision of a release's document.
    pub fn document(&self, release: &ReleaseName) -> Option<&DocumentRecord> {
        let revision = self.releases.get(release)?.revision;
        self.documents.get(&(release.clone(), revision))
    }
}
