//! What is acknowledged survives a loss of power.
//!
//! A killed process leaves its writes in the page cache, so killing proves nothing here. Instead the log is copied
//! whenever its `fdatasync` returns: the copy is what a disk is bound to have. Then the folder is rebuilt from the copy
//! and opened.
#![allow(clippy::unwrap_used, reason = "clippy knows tests, not their helpers")]

mod common;

use std::{
    collections::BTreeMap,
    fs, io,
    path::{Path, PathBuf},
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, Ordering},
    },
};

use common::{Numbers, copy_dir, put, telling_abort, txn};
use groundswell_store::{CommitError, RealSyncer, SledOptions, SledStore, Store, StoreError, Syncer, SyncerFactory};

type Values = BTreeMap<String, Vec<u8>>;

/// The disk as the test believes it.
#[derive(Default)]
struct Platter {
    /// The log as of the last sync.
    synced: Mutex<Arc<Vec<u8>>>,
    /// Pretend to sync and do not.
    skip: AtomicBool,
    /// Fail the next sync, and keep here what had been written by then.
    fail: AtomicBool,
    unsynced: Mutex<Vec<u8>>,
}

impl Platter {
    fn synced(&self) -> Arc<Vec<u8>> {
        Arc::clone(&self.synced.lock().unwrap())
    }

    fn syncer(self: &Arc<Self>) -> SyncerFactory {
        let platter = Arc::clone(self);
        Arc::new(move |log| {
            let real = RealSyncer::open(log)?;
            Ok(Box::new(Recording { real, log: log.to_owned(), platter: Arc::clone(&platter) }))
        })
    }
}

struct Recording {
    real: RealSyncer,
    log: PathBuf,
    platter: Arc<Platter>,
}

impl Syncer for Recording {
    fn sync(&mut self) -> io::Result<()> {
        if self.platter.skip.load(Ordering::SeqCst) {
            return Ok(());
        }
        if self.platter.fail.load(Ordering::SeqCst) {
            *self.platter.unsynced.lock().unwrap() = fs::read(&self.log)?;
            return Err(io::Error::other("the disk is on fire"));
        }
        self.real.sync()?;
        *self.platter.synced.lock().unwrap() = Arc::new(fs::read(&self.log)?);
        Ok(())
    }
}

fn recorded(dir: &Path) -> (SledStore, Arc<Platter>, SledOptions) {
    let platter = Arc::new(Platter::default());
    let options = SledOptions { syncer: platter.syncer(), ..SledOptions::default() };
    (SledStore::open(dir, &options).unwrap(), platter, options)
}

/// The folder as a loss of power leaves it: the log is `log`, and what was never synced is not there.
fn rebuild(dir: &Path, log: &[u8]) -> tempfile::TempDir {
    let rebuilt = tempfile::tempdir().unwrap();
    copy_dir(dir, rebuilt.path());
    fs::write(rebuilt.path().join("sled/db"), log).unwrap();
    fs::remove_file(rebuilt.path().join("acked")).unwrap();
    rebuilt
}

/// Opens what is left and looks for all that was acknowledged.
async fn lost(dir: &Path, log: &[u8], acked: &Values) -> Result<Vec<String>, String> {
    let rebuilt = rebuild(dir, log);
    let store = SledStore::open(rebuilt.path(), &SledOptions::default()).map_err(|e| e.to_string())?;
    let mut lost = Vec::new();
    for (key, value) in acked {
        if store.get(key).await.unwrap().is_none_or(|entry| entry.value != *value) {
            lost.push(key.clone());
        }
    }
    Ok(lost)
}

/// A value whose length and bytes depend on the number, from nothing to many pages of the log.
fn value(n: usize) -> Vec<u8> {
    vec![u8::try_from(n % 251).unwrap(); (n * n * 7) % 30_000]
}

#[tokio::test]
async fn what_is_acknowledged_is_on_the_disk() {
    let dir = tempfile::tempdir().unwrap();
    let (store, platter, _) = recorded(dir.path());
    let mut acked = BTreeMap::new();
    for n in 0..40 {
        let key = format!("k/{}", n % 30);
        store.commit(txn(vec![put(&key, &value(n))])).await.unwrap();
        acked.insert(key, value(n));
        assert_eq!(lost(dir.path(), &platter.synced(), &acked).await, Ok(vec![]), "after commit {n}");
    }
    let epoch = store.begin_epoch().await.unwrap();
    let rebuilt = rebuild(dir.path(), &platter.synced());
    let after = SledStore::open(rebuilt.path(), &SledOptions::default()).unwrap();
    assert_eq!(after.begin_epoch().await.unwrap().number, epoch.number + 1, "an epoch is given out once");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn so_it_is_in_groups() {
    let dir = tempfile::tempdir().unwrap();
    let (store, platter, _) = recorded(dir.path());
    let store = Arc::new(store);
    let mut tasks = tokio::task::JoinSet::new();
    for task in 0..16 {
        let (store, platter) = (Arc::clone(&store), Arc::clone(&platter));
        tasks.spawn(async move {
            let mut seen = Vec::new();
            for n in 0..10 {
                let key = format!("k/{task}/{n}");
                store.commit(txn(vec![put(&key, &value(n + task))])).await.unwrap();
                // What the disk had when the answer came.
                seen.push((key, value(n + task), platter.synced()));
            }
            seen
        });
    }
    let mut disks: Vec<(Arc<Vec<u8>>, Values)> = Vec::new();
    while let Some(seen) = tasks.join_next().await {
        for (key, value, disk) in seen.unwrap() {
            match disks.iter_mut().find(|(known, _)| Arc::ptr_eq(known, &disk)) {
                Some((_, acked)) => drop(acked.insert(key, value)),
                None => disks.push((disk, BTreeMap::from([(key, value)]))),
            }
        }
    }
    assert!(disks.len() < 160, "160 commits at once should share some syncs, not make {}", disks.len());
    for (disk, acked) in disks {
        assert_eq!(lost(dir.path(), &disk, &acked).await, Ok(vec![]));
    }
}

/// The check above can fail: without the sync it finds just what was acknowledged too early.
#[tokio::test]
async fn without_the_sync_it_is_lost_and_found_out() {
    let dir = tempfile::tempdir().unwrap();
    let (store, platter, _) = recorded(dir.path());
    let mut acked = BTreeMap::new();
    for n in 0..20 {
        platter.skip.store(n >= 10, Ordering::SeqCst);
        let key = format!("k/{n:02}");
        store.commit(txn(vec![put(&key, &value(n + 1))])).await.unwrap();
        acked.insert(key, value(n + 1));
    }
    let wanted: Vec<_> = (10..20).map(|n| format!("k/{n:02}")).collect();
    assert_eq!(lost(dir.path(), &platter.synced(), &acked).await, Ok(wanted));
}

/// And the syncer that a coordinator runs with does call `fdatasync`: the kernel refuses it for a device.
#[test]
fn the_default_syncer_syncs() {
    let mut syncer = (SledOptions::default().syncer)(Path::new("/dev/null")).unwrap();
    assert_eq!(syncer.sync().unwrap_err().kind(), io::ErrorKind::InvalidInput);
}

/// A loss of power in the middle of a group: any part of what was written since the last sync may be there.
#[tokio::test]
async fn a_torn_group_is_there_as_a_whole_or_not_at_all() {
    let mut numbers = Numbers(7);
    let mut whole = 0;
    for round in 0..6 {
        let dir = tempfile::tempdir().unwrap();
        let (store, platter, acked, torn_keys) = torn(dir.path(), round).await;
        drop(store);
        let (before, after) = (platter.synced(), platter.unsynced.lock().unwrap().clone());
        for _ in 0..10 {
            let keep = numbers.below(5);
            let mut log = before.to_vec();
            log.resize(after.len().max(before.len()), 0);
            for (sector, new) in after.chunks(512).enumerate() {
                if numbers.below(4) < keep {
                    log[sector * 512..][..new.len()].copy_from_slice(new);
                }
            }
            assert_eq!(lost(dir.path(), &log, &acked).await, Ok(vec![]), "round {round}");
            let missing = lost(dir.path(), &log, &torn_keys).await.unwrap();
            assert!(missing.is_empty() || missing.len() == torn_keys.len(), "round {round}: half a transaction");
            whole += usize::from(missing.is_empty());
        }
    }
    assert!((1..60).contains(&whole), "only {whole} of 60 were whole: the test tears nothing, or everything");
}

/// A store whose disk failed under its last transaction; what was acknowledged before, and what was in that one.
async fn torn(dir: &Path, round: usize) -> (SledStore, Arc<Platter>, Values, Values) {
    let (told, abort) = telling_abort();
    let platter = Arc::new(Platter::default());
    let options = SledOptions { syncer: platter.syncer(), abort, ..SledOptions::default() };
    let store = SledStore::open(dir, &options).unwrap();
    let mut acked = BTreeMap::new();
    for n in 0..round * 9 {
        let key = format!("k/{n}");
        store.commit(txn(vec![put(&key, &value(n + 1))])).await.unwrap();
        acked.insert(key, value(n + 1));
    }
    platter.fail.store(true, Ordering::SeqCst);
    let last: Values = (0..9).map(|n| (format!("torn/{n}"), value(n + round + 1))).collect();
    let ops = last.iter().map(|(key, value)| put(key, value)).collect();
    let refused = store.commit(txn(ops)).await;
    assert!(matches!(refused, Err(CommitError::Io(_))), "{refused:?}");
    assert_eq!(told.lock().unwrap().len(), 1, "a failed sync ends the process");
    (store, platter, acked, last)
}

/// After a failed sync nothing more is written, shown or acknowledged.
#[tokio::test]
async fn a_failed_sync_ends_it() {
    let dir = tempfile::tempdir().unwrap();
    let (store, platter, _, last) = torn(dir.path(), 1).await;
    platter.fail.store(false, Ordering::SeqCst);
    let refused = store.commit(txn(vec![put("next", b"")])).await;
    assert!(matches!(refused, Err(CommitError::Closed)), "{refused:?}");
    for key in last.keys() {
        assert!(matches!(store.get(key).await, Err(StoreError::Closed)));
    }
    assert!(matches!(store.begin_epoch().await, Err(StoreError::Closed)));
}

/// What a process that died left in the page cache is made durable before it is shown.
#[tokio::test]
async fn what_is_found_at_opening_is_synced_before_it_is_shown() {
    let dir = tempfile::tempdir().unwrap();
    let (store, platter, options) = recorded(dir.path());
    platter.skip.store(true, Ordering::SeqCst);
    store.commit(txn(vec![put("unsynced", b"1")])).await.unwrap();
    drop(store);
    platter.skip.store(false, Ordering::SeqCst);
    let store = SledStore::open(dir.path(), &options).unwrap();
    assert!(store.get("unsynced").await.unwrap().is_some());
    let shown = BTreeMap::from([("unsynced".to_owned(), b"1".to_vec())]);
    assert_eq!(lost(dir.path(), &platter.synced(), &shown).await, Ok(vec![]));
}
