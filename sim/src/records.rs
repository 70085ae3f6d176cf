//! What the coordinator keeps: the records, and the durable store that fences them.
//!
//! The fence and the expectations are those of the real [`MemoryStore`]; the records lie beside it as values of Rust, because
//! their bytes prove nothing here and would cost most of the time.

use groundswell_core::id::{ClusterName, Epoch, ReleaseName, RolloutId};
use groundswell_core::rollout::{ClusterRelease, Head, Snapshot, Turn};
use groundswell_store::{CommitError, Expect, Lineage, MemoryStore, Op, Revision, Txn};
use std::collections::BTreeMap;
use std::rc::Rc;

/// One release of the fleet.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ReleaseRecord {
    /// How many rollouts it had.
    pub rollouts: u64,
    /// The newest.
    pub latest: Option<RolloutId>,
}

/// All records, and which transaction wrote each last.
#[derive(Clone, Debug, Default)]
pub struct Records {
    /// Releases.
    pub index: BTreeMap<ReleaseName, ReleaseRecord>,
    /// Rollouts.
    pub heads: BTreeMap<RolloutId, Head>,
    /// Immutable, as blobs are.
    pub snapshots: BTreeMap<RolloutId, Rc<Snapshot>>,
    /// Turns that have begun, by rollout.
    pub turns: BTreeMap<RolloutId, BTreeMap<ClusterName, Turn>>,
    /// Releases in clusters.
    pub releases: BTreeMap<ReleaseName, BTreeMap<ClusterName, ClusterRelease>>,
    /// Enrolled clusters; false when revoked.
    pub clusters: BTreeMap<ClusterName, bool>,
    /// The end of the audit log.
    pub audit: u64,
    revisions: BTreeMap<String, Revision>,
}

/// One record that is written.
#[derive(Clone, Debug)]
pub enum Write {
    /// A release.
    Index(ReleaseName, ReleaseRecord),
    /// A rollout; the snapshot comes with its first write.
    Head(Box<Head>, Option<Rc<Snapshot>>),
    /// A cluster's turn.
    Turn(RolloutId, ClusterName, Box<Turn>),
    /// A release in a cluster.
    Release(ReleaseName, ClusterName, Box<ClusterRelease>),
    /// A cluster, and whether it belongs to the fleet.
    Cluster(ClusterName, bool),
    /// An audit record: who did what.
    Audit(String),
}

impl Records {
    /// The turns of one rollout.
    pub fn turns_of(&self, id: &RolloutId) -> Option<&BTreeMap<ClusterName, Turn>> {
        self.turns.get(id)
    }

    /// What is stored of a release in a cluster.
    pub fn release(&self, release: &ReleaseName, cluster: &ClusterName) -> Option<&ClusterRelease> {
        self.releases.get(release)?.get(cluster)
    }

    /// The newest rollout of a release.
    pub fn latest(&self, release: &ReleaseName) -> Option<&Head> {
        self.heads.get(self.index.get(release)?.latest.as_ref()?)
    }

    fn key(&self, write: &Write, audits: &mut u64) -> String {
        match write {
            Write::Index(release, _) => format!("release/{release}"),
            Write::Head(head, _) => format!("rollout/{}", head.id),
            Write::Turn(id, cluster, _) => format!("turn/{id}/{cluster}"),
            Write::Release(release, cluster, _) => format!("cr/{release}/{cluster}"),
            Write::Cluster(cluster, _) => format!("cluster/{cluster}"),
            Write::Audit(_) => {
                *audits += 1;
                format!("audit/{:020}", self.audit + *audits)
            }
        }
    }

    fn take(&mut self, write: &Write, key: String, revision: Revision) {
        self.revisions.insert(key, revision);
        match write.clone() {
            Write::Index(release, record) => drop(self.index.insert(release, record)),
            Write::Head(head, snapshot) => {
                if let Some(snapshot) = snapshot {
                    self.snapshots.insert(head.id.clone(), snapshot);
                }
                self.heads.insert(head.id.clone(), *head);
            }
            Write::Turn(id, cluster, turn) => drop(self.turns.entry(id).or_default().insert(cluster, *turn)),
            Write::Release(release, cluster, known) => drop(self.releases.entry(release).or_default().insert(cluster, *known)),
            Write::Cluster(cluster, member) => drop(self.clusters.insert(cluster, member)),
            Write::Audit(_) => self.audit += 1,
        }
    }
}

/// The store that outlives every coordinator.
pub struct Durable {
    fence: MemoryStore,
    records: Records,
    values: u64,
}

impl Default for Durable {
    fn default() -> Self {
        let fence = MemoryStore::with_lineage(Lineage("sim".into()));
        Self { fence, records: Records::default(), values: 0 }
    }
}

impl Durable {
    /// What the next coordinator reads.
    pub fn records(&self) -> &Records {
        &self.records
    }

    /// A new leader's term.
    ///
    /// # Errors
    /// The store's own.
    pub fn begin_epoch(&self) -> Result<Epoch, groundswell_store::StoreError> {
        let epoch = self.fence.begin_epoch_now()?;
        Ok(Epoch { lineage: epoch.lineage.0, number: epoch.number })
    }

    /// Commits what was decided on `mirror`, and brings the mirror up to date.
    ///
    /// # Errors
    /// The store's own: fenced, or decided on something older.
    pub fn commit(&mut self, epoch: u64, mirror: &mut Records, writes: &[Write]) -> Result<(), CommitError> {
        let mut audits = 0;
        let keys: Vec<String> = writes.iter().map(|write| mirror.key(write, &mut audits)).collect();
        let expect = keys.iter().map(|key| match mirror.revisions.get(key) {
            Some(revision) => Expect::Unchanged(key.clone(), *revision),
            None => Expect::Absent(key.clone()),
        });
        let expect = expect.collect();
        let ops = keys.iter().map(|key| {
            self.values += 1;
            Op::Put { key: key.clone(), value: self.values.to_le_bytes().to_vec() }
        });
        let ops = ops.collect();
        let revision = self.fence.commit_now(Txn { epoch, expect, ops })?;
        for (write, key) in writes.iter().zip(keys) {
            self.records.take(write, key.clone(), revision);
            mirror.take(write, key, revision);
        }
        Ok(())
    }

    /// Writes past the fence, as a store without one would. Only a mutation does it.
    pub fn commit_unfenced(&mut self, mirror: &mut Records, writes: &[Write]) {
        for write in writes {
            let key = mirror.key(write, &mut 0);
            let revision = mirror.revisions.get(&key).copied().unwrap_or_default();
            self.records.take(write, key.clone(), revision);
            mirror.take(write, key, revision);
        }
    }
}
