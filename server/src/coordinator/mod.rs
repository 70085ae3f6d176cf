//! The coordinator: what should run where, and what is known of it.
//!
//! Every record is mirrored in memory ([`state`]). A change is decided on the mirror, committed to the store with what it
//! expects and with its audit record, and seen by everybody (mailboxes, long polls, the planner) only as the mirror takes
//! it in from the store's own watch: commit first, send afterwards.

pub mod apis;
pub mod audit;
mod batch;
pub mod clock;
pub mod command;
mod draft;
pub mod enrolment;
mod error;
pub(crate) mod installed;
mod mirror;
pub mod operators;
pub mod permits;
mod raise;
pub mod records;
pub mod reports;
pub mod sessions;
pub mod state;
pub mod submit;
#[cfg(test)]
pub(crate) mod testing;
#[cfg(test)]
mod tests;

pub use apis::ApisSaid;
pub use clock::{Clock, SystemClock};
pub use error::{CoordinatorError, NotAdmitted, OpenError, RedeemError, RefusalKind, Refused};
pub use permits::PermitAnswer;
pub use sessions::{AttachFacts, Closed, Found, HealthFact, SessionHandle};

use crate::metrics::Metrics;
use crate::task;
pub(crate) use draft::Draft;
use groundswell_core::id::{Digest, Epoch, RolloutId};
use groundswell_core::limit::Limit;
use groundswell_core::planner::Wait;
use groundswell_core::rollout::{Head, Snapshot};
use groundswell_core::time::{Span, Time};
use groundswell_store::{BlobStore, CommitError, Revision, Store, Txn};
use sessions::Sessions;
use state::State;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};
use tokio::sync::{Notify, mpsc, watch};
use tokio_util::sync::CancellationToken;

/// Called at named points, for tests that end the process there: `commit.before`, `commit.after`, `mirror.applied`,
/// `report.before`, `report.after`, `plan.before`, `plan.after`, `submit.stored`, `submit.after`, `mailbox.posted`.
pub type Failpoint = Arc<dyn Fn(&'static str) + Send + Sync>;

/// How the coordinator goes about it.
#[derive(Clone)]
pub struct CoordinatorConfig {
    /// How many clusters may be in flight over all rollouts.
    pub fleet_max_concurrent: Limit,
    /// How often an agent is asked to be heard.
    pub heartbeat: Span,
    /// Silence beyond this makes a cluster unknown, and its last health proves nothing.
    pub stale_after: Span,
    /// How long a start permit lasts (GS-4).
    pub permit: Span,
    /// When an agent that was refused a permit asks again.
    pub permit_retry: Span,
    /// How often the planner looks without being nudged.
    pub plan_every: Span,
    /// SHA-256 of the root's public key, as it goes into join tokens.
    pub root_pin: String,
    /// For tests that end the process at a point; `None` in production.
    pub failpoint: Option<Failpoint>,
}

impl Default for CoordinatorConfig {
    fn default() -> Self {
        let heartbeat = Span::seconds(10);
        Self {
            fleet_max_concurrent: Limit::None,
            heartbeat,
            // Two lost heartbeats and the third late.
            stale_after: Span(heartbeat.0 * 3),
            permit: Span::seconds(60),
            permit_retry: Span::seconds(5),
            plan_every: Span::seconds(1),
            root_pin: String::new(),
            failpoint: None,
        }
    }
}

impl fmt::Debug for CoordinatorConfig {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CoordinatorConfig")
            .field("fleet_max_concurrent", &self.fleet_max_concurrent)
            .field("heartbeat", &self.heartbeat)
            .field("stale_after", &self.stale_after)
            .finish_non_exhaustive()
    }
}

/// Snapshots held in memory: those of rollouts under way and the last that were looked at. One of 10,000 clusters has 2 MB.
const MAX_SNAPSHOTS: usize = 64;

/// The coordinator. Shared as `Arc<Coordinator>`.
pub struct Coordinator {
    store: Arc<dyn Store>,
    blobs: BlobStore,
    config: CoordinatorConfig,
    clock: Arc<dyn Clock>,
    epoch: Epoch,
    state: RwLock<State>,
    applied: watch::Sender<Revision>,
    /// One decision at a time: each sees all that were made before it, and the audit chain has one end.
    writer: Arc<tokio::sync::Mutex<()>>,
    sessions: Arc<Sessions>,
    reports: mpsc::Sender<reports::Queued>,
    learned: mpsc::Sender<apis::Learned>,
    lists: apis::Lists,
    /// By the digest of their bytes: an id is taken only once a submit is committed.
    snapshots: Mutex<BTreeMap<Digest, Arc<Snapshot>>>,
    waits: Mutex<BTreeMap<RolloutId, Vec<Wait>>>,
    nudge: Arc<Notify>,
    down: watch::Sender<Option<String>>,
    stop: CancellationToken,
    metrics: Arc<Metrics>,
}

impl Coordinator {
    /// Begins an epoch, reads the store, and starts the tasks. Must be called in a tokio runtime.
    ///
    /// # Errors
    /// A store or a record that cannot be read. Nothing is changed then but the epoch.
    pub async fn open(
        store: Arc<dyn Store>,
        blobs: BlobStore,
        config: CoordinatorConfig,
        clock: Arc<dyn Clock>,
    ) -> Result<Arc<Self>, OpenError> {
        let epoch = store.begin_epoch().await?;
        let epoch = Epoch { lineage: epoch.lineage.0, number: epoch.number };
        let (state, watch) = mirror::read(store.as_ref()).await?;
        let (reports, queue) = mpsc::channel(batch::QUEUE);
        let (learned, learning) = mpsc::channel(batch::QUEUE);
        let coordinator = Arc::new(Self {
            applied: watch::Sender::new(state.revision),
            state: RwLock::new(state),
            sessions: Arc::new(Sessions::new(Arc::clone(&clock), config.stale_after)),
            store,
            blobs,
            config,
            clock,
            epoch,
            writer: Arc::default(),
            reports,
            learned,
            lists: apis::Lists::default(),
            snapshots: Mutex::default(),
            waits: Mutex::default(),
            nudge: Arc::default(),
            down: watch::Sender::new(None),
            stop: CancellationToken::new(),
            metrics: Arc::new(Metrics::new()),
        });
        tokio::spawn(mirror::follow(Arc::downgrade(&coordinator), watch, coordinator.stop.clone()));
        tokio::spawn(reports::run(Arc::downgrade(&coordinator), queue, coordinator.stop.clone()));
        tokio::spawn(apis::run(Arc::downgrade(&coordinator), learning, coordinator.stop.clone()));
        tokio::spawn(task::planner::run(Arc::downgrade(&coordinator), coordinator.stop.clone()));
        Ok(coordinator)
    }

    /// The epoch in which this process leads.
    pub fn epoch(&self) -> Epoch {
        self.epoch.clone()
    }

    /// Charts, values documents and snapshots.
    pub fn blobs(&self) -> &BlobStore {
        &self.blobs
    }

    /// What it was configured with.
    pub fn config(&self) -> &CoordinatorConfig {
        &self.config
    }

    /// What is counted.
    pub fn metrics(&self) -> &Arc<Metrics> {
        &self.metrics
    }

    /// Waits until this process may no longer lead, and says why. The process must end then.
    pub async fn stepped_down(&self) -> String {
        let mut down = self.down.subscribe();
        match down.wait_for(Option::is_some).await {
            Ok(why) => why.clone().unwrap_or_default(),
            Err(_) => "the coordinator is gone".into(),
        }
    }

    /// Why this process may no longer lead; `None` while it does. For `/readyz`.
    pub fn is_down(&self) -> Option<String> {
        self.down.borrow().clone()
    }

    /// Stops the tasks and closes the store.
    pub async fn close(&self) {
        let _last = self.writer.lock().await;
        self.stop.cancel();
        if let Err(error) = self.store.close().await {
            tracing::error!(error = %Chain(&error), "the store did not close cleanly");
        }
    }

    pub(crate) fn now(&self) -> Time {
        self.clock.now()
    }

    pub(crate) fn state(&self) -> RwLockReadGuard<'_, State> {
        self.state.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn state_mut(&self) -> RwLockWriteGuard<'_, State> {
        self.state.write().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn sessions(&self) -> &Sessions {
        &self.sessions
    }

    pub(crate) fn nudge(&self) {
        self.nudge.notify_one();
    }

    pub(crate) fn nudged(&self) -> Arc<Notify> {
        Arc::clone(&self.nudge)
    }

    /// The revision of the mirror, for long polls.
    pub(crate) fn applied(&self) -> watch::Receiver<Revision> {
        self.applied.subscribe()
    }

    pub(crate) fn at(&self, point: &'static str) {
        if let Some(failpoint) = &self.config.failpoint {
            failpoint(point);
        }
    }

    pub(crate) fn step_down(&self, why: String) {
        if self.down.send_if_modified(|down| {
            down.is_none() && {
                *down = Some(why.clone());
                true
            }
        }) {
            tracing::error!(why, "this server may no longer lead and ends");
            self.stop.cancel();
        }
    }

    /// Decides on the mirror and commits; when it returns, the mirror has what was committed.
    pub(crate) async fn write<T>(
        &self,
        decide: impl FnOnce(&State, &mut Draft) -> Result<T, CoordinatorError> + Send,
    ) -> Result<T, CoordinatorError> {
        let turn = Arc::clone(&self.writer).lock_owned().await;
        let (answer, txn) = {
            let state = self.state();
            let mut draft = Draft::new(self.now());
            let answer = decide(&state, &mut draft)?;
            (answer, draft.into_txn(&state, self.epoch.number))
        };
        if let Some(txn) = txn {
            self.commit(txn, turn).await?;
        }
        Ok(answer)
    }

    /// Spawned, so that a caller who goes away does not leave the mirror behind the next decision.
    async fn commit(&self, txn: Txn, turn: tokio::sync::OwnedMutexGuard<()>) -> Result<(), CoordinatorError> {
        if let Some(why) = self.is_down() {
            return Err(CoordinatorError::SteppedDown(why));
        }
        self.at("commit.before");
        let (store, mut applied, stop) = (Arc::clone(&self.store), self.applied.subscribe(), self.stop.clone());
        let work = tokio::spawn(async move {
            let _turn = turn;
            let committed = store.commit(txn).await;
            if let Ok(revision) = &committed {
                tokio::select! {
                    _ = applied.wait_for(|applied| applied >= revision) => {}
                    () = stop.cancelled() => {}
                }
            }
            committed
        });
        let committed = work.await.map_err(|error| CoordinatorError::Cut(error.to_string()))?;
        self.at("commit.after");
        self.metrics.commits.inc();
        match committed {
            Ok(_) => Ok(()),
            Err(error) => {
                // After a failed sync nobody knows what is on the disk; a fenced leader must not try again.
                if matches!(error, CommitError::Fenced { .. } | CommitError::Io(_) | CommitError::Closed) {
                    self.step_down(Chain(&error).to_string());
                }
                Err(error.into())
            }
        }
    }

    /// Runs what blocks (blobs, archives, schemas) where blocking is allowed.
    pub(crate) async fn blocking<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> Result<T, CoordinatorError> {
        tokio::task::spawn_blocking(work).await.map_err(|error| CoordinatorError::Cut(error.to_string()))
    }

    /// The snapshot of a rollout.
    pub(crate) async fn snapshot(&self, head: &Head) -> Result<Arc<Snapshot>, CoordinatorError> {
        if let Some(snapshot) = self.snapshots().get(&head.snapshot) {
            return Ok(Arc::clone(snapshot));
        }
        let (blobs, digest) = (self.blobs.clone(), head.snapshot.clone());
        let bytes = Self::blocking(move || open_blob(&blobs, &digest)).await??;
        let key = format!("snapshot of {}", head.id);
        let snapshot = Arc::new(records::decode_as::<Snapshot>(&key, &bytes)?);
        self.remember_snapshot(head.snapshot.clone(), Arc::clone(&snapshot));
        Ok(snapshot)
    }

    fn remember_snapshot(&self, digest: Digest, snapshot: Arc<Snapshot>) {
        let mut known = self.snapshots();
        if known.len() >= MAX_SNAPSHOTS {
            let active: BTreeSet<Digest> = self.state().active_rollouts().map(|head| head.snapshot.clone()).collect();
            known.retain(|digest, _| active.contains(digest));
        }
        known.insert(digest, snapshot);
    }

    fn snapshots(&self) -> MutexGuard<'_, BTreeMap<Digest, Arc<Snapshot>>> {
        self.snapshots.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Why a rollout did not go on in the planner's last round.
    pub(crate) fn waits(&self, id: &RolloutId) -> Vec<Wait> {
        self.waits.lock().unwrap_or_else(PoisonError::into_inner).get(id).cloned().unwrap_or_default()
    }

    pub(crate) fn set_waits(&self, waits: BTreeMap<RolloutId, Vec<Wait>>) {
        *self.waits.lock().unwrap_or_else(PoisonError::into_inner) = waits;
    }

    /// Audit records behind `after`, at most `limit`.
    ///
    /// # Errors
    /// The store cannot be read, or a record is damaged.
    pub async fn audit(&self, after: u64, limit: usize) -> Result<Vec<records::AuditRecord>, CoordinatorError> {
        let page = self.store.scan("audit/", Some(records::Key::Audit(after).to_string()), limit).await?;
        page.entries.iter().map(|entry| Ok(records::decode_as(&entry.key, &entry.value)?)).collect()
    }
}

/// Reads content by a digest of ours.
pub(crate) fn open_blob(blobs: &BlobStore, digest: &Digest) -> Result<Vec<u8>, CoordinatorError> {
    match digest.as_str().parse::<groundswell_store::Digest>() {
        Ok(digest) => Ok(blobs.open(&digest)?),
        Err(error) => Err(CoordinatorError::Cut(format!("digest {digest}: {error}"))),
    }
}

/// Stores content under its digest.
pub(crate) fn put_blob(blobs: &BlobStore, content: &[u8]) -> Result<Digest, CoordinatorError> {
    let digest = blobs.put(content)?;
    Digest::new(digest.to_string()).map_err(|error| CoordinatorError::Cut(error.to_string()))
}

/// SHA-256 of a text as a digest of ours.
pub(crate) fn digest_of(content: &[u8]) -> Digest {
    use sha2::Digest as _;
    let hex = hex::encode(sha2::Sha256::digest(content));
    Digest::new(hex).unwrap_or_else(|_| unreachable!("hex of SHA-256 is 64 lower-case digits"))
}

/// An error with its sources, in one line.
pub(crate) struct Chain<'a>(pub(crate) &'a (dyn std::error::Error + 'a));

impl fmt::Display for Chain<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0)?;
        let mut source = self.0.source();
        while let Some(error) = source {
            write!(f, ": {error}")?;
            source = error.source();
        }
        Ok(())
    }
}

impl Coordinator {
    pub(crate) fn store(&self) -> &dyn Store {
        self.store.as_ref()
    }
}
