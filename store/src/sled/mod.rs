//! The embedded store on sled 0.34, with the care that it needs.
//!
//! sled's `flush` does not reach the disk, a crash while it opens can leave it unable to open, and it grows with many
//! trees. So: one tree, one writer thread, group commit, `flush` and then `fdatasync` before anything is seen or
//! acknowledged, small values, reads from memory, and logical snapshots beside it. Nothing outside of this folder
//! knows that sled is there.

mod disk;
mod snapshotter;
mod sync;
mod writer;

use std::{
    io,
    path::{Path, PathBuf},
    sync::{
        Arc, Mutex, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard,
        atomic::{AtomicBool, Ordering},
    },
    thread::{self, JoinHandle},
    time::Duration,
};

use tokio::sync::{mpsc, oneshot};

pub use self::sync::{AbortHook, RealSyncer, Syncer, SyncerFactory};
use self::{
    disk::Disk,
    snapshotter::Snapshotter,
    writer::{Job, Writer},
};
use crate::{
    error::{CommitError, OpenError, SnapshotError, StoreError},
    snapshot::{self, SnapshotInfo},
    state::{State, check_shape},
    store::{Store, StoreFuture},
    types::{DEFAULT_MAX_OPS, Entry, Epoch, Lineage, Page, Revision, Txn},
    watch::{Hub, RING_EVENTS, Watch},
};

/// Transactions that wait for the writer: at the size limit of one it is 512 MiB, at a typical 1 KiB half a MiB. Who
/// finds it full waits.
const QUEUE: usize = 512;

/// How a store is opened. The default is what a coordinator wants.
#[derive(Clone)]
pub struct SledOptions {
    /// Memory for sled's page cache, in bytes. Reads do not use it, so it only has to hold what is being written.
    pub cache_bytes: u64,
    /// How often a logical snapshot is written, if there was a change.
    pub snapshot_every: Duration,
    /// How many logical snapshots are kept.
    pub snapshots_kept: usize,
    /// Transactions that are kept for watchers.
    pub watch_capacity: usize,
    /// Makes the log durable.
    pub syncer: SyncerFactory,
    /// Ends the process when the disk has failed.
    pub abort: AbortHook,
}

impl Default for SledOptions {
    fn default() -> Self {
        Self {
            cache_bytes: 64 * 1024 * 1024,
            snapshot_every: Duration::from_secs(60 * 60),
            snapshots_kept: 3,
            watch_capacity: RING_EVENTS,
            syncer: Arc::new(|log| Ok(Box::new(RealSyncer::open(log)?))),
            // After a failed sync nobody knows what is on the disk, and a second try would say that all is well.
            abort: Arc::new(|_| std::process::abort()),
        }
    }
}

/// What the threads and the handle share.
struct Shared {
    lineage: Lineage,
    /// Only the writer changes it, and only to what is durable.
    state: RwLock<State>,
    hub: Arc<Hub>,
    closed: AtomicBool,
    snapshots: PathBuf,
    snapshots_kept: usize,
    /// Held while a snapshot is written; the revision and epoch of the last.
    snapshot: Mutex<Option<(Revision, u64)>>,
}

impl Shared {
    fn read(&self) -> RwLockReadGuard<'_, State> {
        self.state.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn write(&self) -> RwLockWriteGuard<'_, State> {
        self.state.write().unwrap_or_else(PoisonError::into_inner)
    }

    fn close(&self) {
        self.closed.store(true, Ordering::Release);
        self.hub.close();
    }

    fn is_closed(&self) -> bool {
        self.closed.load(Ordering::Acquire)
    }

    /// Writes a snapshot unless the last one is of the same state.
    fn write_snapshot(&self) -> Result<(), SnapshotError> {
        let mut last = self.snapshot.lock().unwrap_or_else(PoisonError::into_inner);
        // A copy shares the values, so the writer is held up for the keys only.
        let state = self.read().clone();
        let this = (state.revision, state.epoch);
        if *last != Some(this) {
            let info = snapshot::write(&state, &self.snapshots, self.snapshots_kept)?;
            tracing::debug!(path = %info.path.display(), revision = %info.revision, "wrote a snapshot of the store");
            *last = Some(this);
        }
        Ok(())
    }
}

/// [`Store`] in a folder of its own, by one process at a time.
pub struct SledStore {
    shared: Arc<Shared>,
    /// `None` only while it is dropped.
    queue: Option<mpsc::Sender<Job>>,
    snapshotter: Option<Snapshotter>,
    writer: Option<JoinHandle<()>>,
}

impl SledStore {
    /// Opens the store in the folder, or makes one where there is none. Blocks for as long as sled replays its log.
    ///
    /// # Errors
    /// All of [`OpenError`]. A store that is damaged is refused and left in its place.
    pub fn open(dir: &Path, options: &SledOptions) -> Result<Self, OpenError> {
        let (disk, state) = Disk::open(dir, options)?;
        Self::start(dir, disk, state, options)
    }

    /// Makes a new store, of a new lineage, in an empty or missing folder from a logical snapshot.
    ///
    /// # Errors
    /// [`OpenError::NotEmpty`], [`OpenError::Snapshot`], [`OpenError::Io`]. A folder that was begun may be removed.
    pub fn import(snapshot: &Path, dir: &Path, options: &SledOptions) -> Result<Self, OpenError> {
        let state = snapshot::read(snapshot).map_err(OpenError::Snapshot)?;
        let (disk, state) = Disk::import(dir, state, options)?;
        Self::start(dir, disk, state, options)
    }

    /// Writes a logical snapshot to a file of the caller's choice. Blocks.
    ///
    /// # Errors
    /// [`SnapshotError::Io`].
    pub fn export(&self, to: &Path) -> Result<SnapshotInfo, SnapshotError> {
        let no_name = || SnapshotError::Io {
            path: to.to_owned(),
            what: "write the snapshot",
            source: io::Error::new(io::ErrorKind::InvalidInput, "not the path of a file"),
        };
        let name = to.file_name().and_then(|name| name.to_str()).ok_or_else(no_name)?;
        let dir = to.parent().filter(|dir| !dir.as_os_str().is_empty()).unwrap_or_else(|| Path::new("."));
        let state = self.shared.read().clone();
        snapshot::write_as(&state, dir, name)
    }

    fn start(dir: &Path, disk: Disk, state: State, options: &SledOptions) -> Result<Self, OpenError> {
        let shared = Arc::new(Shared {
            lineage: state.lineage.clone(),
            hub: Hub::new(state.revision, options.watch_capacity),
            state: RwLock::new(state),
            closed: AtomicBool::new(false),
            snapshots: disk::snapshots_dir(dir),
            snapshots_kept: options.snapshots_kept,
            snapshot: Mutex::new(None),
        });
        let failed = |source| OpenError::Io { path: dir.to_owned(), what: "start its threads", source };
        let (queue, jobs) = mpsc::channel(QUEUE);
        let writer = Writer { disk, shared: Arc::clone(&shared), queue: jobs, abort: Arc::clone(&options.abort) };
        let writer = thread::Builder::new().name("store-writer".to_owned()).spawn(|| writer.run()).map_err(failed)?;
        let snapshotter = Snapshotter::start(Arc::clone(&shared), options.snapshot_every).map_err(failed)?;
        Ok(Self { shared, queue: Some(queue), snapshotter: Some(snapshotter), writer: Some(writer) })
    }

    async fn send(&self, job: Job) -> bool {
        match &self.queue {
            Some(queue) => queue.send(job).await.is_ok(),
            None => false,
        }
    }

    fn open_state(&self) -> Result<RwLockReadGuard<'_, State>, StoreError> {
        if self.shared.is_closed() { Err(StoreError::Closed) } else { Ok(self.shared.read()) }
    }
}

impl Drop for SledStore {
    /// Waits until the files are let go of: who drops a store may open it again at once.
    fn drop(&mut self) {
        self.queue = None;
        self.snapshotter = None;
        if let Some(writer) = self.writer.take() {
            // A panic of the writer has already been dealt with by its abort hook.
            let _ended = writer.join();
        }
    }
}

impl Store for SledStore {
    fn lineage(&self) -> Lineage {
        self.shared.lineage.clone()
    }

    fn get<'a>(&'a self, key: &'a str) -> StoreFuture<'a, Result<Option<Entry>, StoreError>> {
        Box::pin(async move { Ok(self.open_state()?.get(key)) })
    }

    fn scan<'a>(&'a self, prefix: &'a str, after: Option<String>, limit: usize) -> StoreFuture<'a, Result<Page, StoreError>> {
        Box::pin(async move { Ok(self.open_state()?.scan(prefix, after.as_deref(), limit)) })
    }

    fn commit(&self, txn: Txn) -> StoreFuture<'_, Result<Revision, CommitError>> {
        Box::pin(async move {
            check_shape(&txn, DEFAULT_MAX_OPS)?;
            let (reply, answer) = oneshot::channel();
            if !self.send(Job::Commit { txn, reply }).await {
                return Err(CommitError::Closed);
            }
            answer.await.unwrap_or(Err(CommitError::Closed))
        })
    }

    fn begin_epoch(&self) -> StoreFuture<'_, Result<Epoch, StoreError>> {
        Box::pin(async move {
            let (reply, answer) = oneshot::channel();
            if !self.send(Job::BeginEpoch { reply }).await {
                return Err(StoreError::Closed);
            }
            answer.await.unwrap_or(Err(StoreError::Closed))
        })
    }

    fn watch(&self, from: Revision) -> Result<Watch, StoreError> {
        self.shared.hub.watch(from)
    }

    fn snapshot(&self) -> StoreFuture<'_, Result<(), StoreError>> {
        Box::pin(async move {
            let answer = self.snapshotter.as_ref().ok_or(StoreError::Closed)?.ask()?;
            answer.await.unwrap_or(Err(StoreError::Closed))
        })
    }

    fn close(&self) -> StoreFuture<'_, Result<(), StoreError>> {
        Box::pin(async move {
            let (reply, answer) = oneshot::channel();
            if !self.send(Job::Close { reply }).await {
                return Ok(());
            }
            answer.await.unwrap_or(Ok(())).map_err(StoreError::Snapshot)
        })
    }
}
