//! A store that forgets at exit, and fails when it is told to.

use std::{
    io,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use crate::{
    error::{CommitError, StoreError},
    state::{Draft, State, check_shape},
    store::{Store, StoreFuture},
    types::{DEFAULT_MAX_OPS, Entry, Epoch, Lineage, Page, Revision, Txn},
    watch::{Hub, RING_EVENTS, Watch},
};

/// How a durable write fails. Either way the caller is told of an I/O error and the store is closed, as it is when the
/// process dies there; [`MemoryStore::reopen`] is the next process.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// The write is lost.
    BeforeCommit,
    /// The write is durable, and only the answer is lost.
    AfterCommit,
}

struct Inner {
    state: State,
    closed: bool,
    /// Durable writes since the beginning of the lineage, over all reopenings.
    writes: u64,
    /// The number of the write that fails, and how.
    fault: Option<(u64, Fault)>,
}

/// In-memory [`Store`]. Every method of the trait has a plain twin that ends in `_now`, for callers without a runtime.
pub struct MemoryStore {
    inner: Mutex<Inner>,
    hub: Arc<Hub>,
    ring: usize,
    max_ops: usize,
}

impl Default for MemoryStore {
    fn default() -> Self {
        Self::new()
    }
}

impl MemoryStore {
    /// An empty store with a random lineage.
    #[must_use]
    pub fn new() -> Self {
        Self::with_lineage(Lineage::random())
    }

    /// An empty store with a given lineage, for worlds that must be the same on each run.
    #[must_use]
    pub fn with_lineage(lineage: Lineage) -> Self {
        Self::from_state(State::empty(lineage), 0, RING_EVENTS, DEFAULT_MAX_OPS)
    }

    /// Keeps only this many transactions for watchers, so that tests see one lag.
    #[must_use]
    pub fn with_watch_capacity(self, transactions: usize) -> Self {
        let inner = self.inner.into_inner().unwrap_or_else(PoisonError::into_inner);
        Self::from_state(inner.state, inner.writes, transactions, self.max_ops)
    }

    /// Bears this many operations in a transaction.
    #[must_use]
    pub fn with_max_ops(mut self, max_ops: usize) -> Self {
        self.max_ops = max_ops;
        self
    }

    fn from_state(state: State, writes: u64, ring: usize, max_ops: usize) -> Self {
        let hub = Hub::new(state.revision, ring);
        let inner = Mutex::new(Inner { state, closed: false, writes, fault: None });
        Self { inner, hub, ring, max_ops }
    }

    /// What the next process finds: all durable writes, no faults, no watchers. This handle is closed by it.
    #[must_use]
    pub fn reopen(&self) -> Self {
        self.close_now();
        let inner = self.lock();
        Self::from_state(inner.state.clone(), inner.writes, self.ring, self.max_ops)
    }

    /// Makes the `nth` durable write from now fail (1 is the next). Replaces a fault that has not struck yet.
    pub fn fail_at(&self, nth: u64, fault: Fault) {
        let mut inner = self.lock();
        inner.fault = Some((inner.writes + nth, fault));
    }

    /// Durable writes so far (transactions that changed something, and epochs), to walk a test through all of them.
    pub fn writes(&self) -> u64 {
        self.lock().writes
    }

    /// [`Store::get`] at once.
    ///
    /// # Errors
    /// [`StoreError::Closed`].
    pub fn get_now(&self, key: &str) -> Result<Option<Entry>, StoreError> {
        let inner = self.lock();
        if inner.closed { Err(StoreError::Closed) } else { Ok(inner.state.get(key)) }
    }

    /// [`Store::scan`] at once.
    ///
    /// # Errors
    /// [`StoreError::Closed`].
    pub fn scan_now(&self, prefix: &str, after: Option<&str>, limit: usize) -> Result<Page, StoreError> {
        let inner = self.lock();
        if inner.closed { Err(StoreError::Closed) } else { Ok(inner.state.scan(prefix, after, limit)) }
    }

    /// [`Store::commit`] at once.
    ///
    /// # Errors
    /// All of [`CommitError`].
    pub fn commit_now(&self, txn: Txn) -> Result<Revision, CommitError> {
        check_shape(&txn, self.max_ops)?;
        let mut inner = self.lock();
        if inner.closed {
            return Err(CommitError::Closed);
        }
        let mut draft = Draft::new(&inner.state);
        let (revision, changes) = draft.admit(txn)?;
        if changes.is_empty() {
            return Ok(revision);
        }
        let delta = draft.finish();
        self.write(&mut inner, |state| state.apply(delta)).map_err(CommitError::Io)?;
        self.hub.publish([(revision, changes)]);
        Ok(revision)
    }

    /// [`Store::begin_epoch`] at once.
    ///
    /// # Errors
    /// [`StoreError::Closed`], [`StoreError::Io`] for an injected fault.
    pub fn begin_epoch_now(&self) -> Result<Epoch, StoreError> {
        let mut inner = self.lock();
        if inner.closed {
            return Err(StoreError::Closed);
        }
        self.write(&mut inner, |state| state.epoch += 1).map_err(StoreError::Io)?;
        Ok(Epoch { lineage: inner.state.lineage.clone(), number: inner.state.epoch })
    }

    /// [`Store::close`] at once.
    pub fn close_now(&self) {
        self.lock().closed = true;
        self.hub.close();
    }

    fn write(&self, inner: &mut Inner, apply: impl FnOnce(&mut State)) -> Result<(), io::Error> {
        let number = inner.writes + 1;
        let fault = inner.fault.filter(|(at, _)| *at == number).map(|(_, fault)| fault);
        if fault != Some(Fault::BeforeCommit) {
            inner.writes = number;
            apply(&mut inner.state);
        }
        let Some(fault) = fault else { return Ok(()) };
        inner.closed = true;
        self.hub.close();
        Err(io::Error::other(format!("injected fault {fault:?} at durable write {number}")))
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Store for MemoryStore {
    fn max_ops(&self) -> usize {
        self.max_ops
    }

    fn lineage(&self) -> Lineage {
        self.lock().state.lineage.clone()
    }

    fn get<'a>(&'a self, key: &'a str) -> StoreFuture<'a, Result<Option<Entry>, StoreError>> {
        Box::pin(async move { self.get_now(key) })
    }

    fn scan<'a>(&'a self, prefix: &'a str, after: Option<String>, limit: usize) -> StoreFuture<'a, Result<Page, StoreError>> {
        Box::pin(async move { self.scan_now(prefix, after.as_deref(), limit) })
    }

    fn commit(&self, txn: Txn) -> StoreFuture<'_, Result<Revision, CommitError>> {
        Box::pin(async move { self.commit_now(txn) })
    }

    fn begin_epoch(&self) -> StoreFuture<'_, Result<Epoch, StoreError>> {
        Box::pin(async move { self.begin_epoch_now() })
    }

    fn watch(&self, from: Revision) -> Result<Watch, StoreError> {
        self.hub.watch(from)
    }

    fn snapshot(&self) -> StoreFuture<'_, Result<(), StoreError>> {
        Box::pin(async move { if self.lock().closed { Err(StoreError::Closed) } else { Ok(()) } })
    }

    fn close(&self) -> StoreFuture<'_, Result<(), StoreError>> {
        Box::pin(async move {
            self.close_now();
            Ok(())
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{types::Op, watch::WatchEvent};

    fn put(epoch: u64, key: &str) -> Txn {
        Txn { epoch, expect: vec![], ops: vec![Op::Put { key: key.to_owned(), value: vec![] }] }
    }

    fn keys(store: &MemoryStore) -> Vec<String> {
        store.scan_now("", None, 100).unwrap().entries.into_iter().map(|e| e.key).collect()
    }

    #[test]
    fn a_fault_strikes_once_and_where_it_was_told() {
        for (fault, there) in [(Fault::BeforeCommit, vec!["a"]), (Fault::AfterCommit, vec!["a", "b"])] {
            let store = MemoryStore::new();
            store.begin_epoch_now().unwrap();
            store.fail_at(2, fault);
            store.commit_now(put(1, "a")).unwrap();
            let refused = store.commit_now(Txn { ops: vec![], ..put(0, "") });
            assert!(matches!(refused, Err(CommitError::Fenced { .. })), "a refusal is no durable write");
            assert!(matches!(store.commit_now(put(1, "b")), Err(CommitError::Io(_))));
            assert!(matches!(store.commit_now(put(1, "c")), Err(CommitError::Closed)));
            let store = store.reopen();
            assert_eq!(keys(&store), there);
            assert_eq!(store.writes(), 1 + there.len() as u64);
            store.commit_now(put(1, "c")).unwrap();
        }
    }

    #[test]
    fn an_epoch_is_a_durable_write_too() {
        for (fault, next) in [(Fault::BeforeCommit, 1), (Fault::AfterCommit, 2)] {
            let store = MemoryStore::new();
            store.fail_at(1, fault);
            assert!(matches!(store.begin_epoch_now(), Err(StoreError::Io(_))));
            assert_eq!(store.reopen().begin_epoch_now().unwrap().number, next);
        }
    }

    #[test]
    fn a_watcher_never_sees_what_a_fault_swallowed() {
        let store = MemoryStore::with_lineage(Lineage("fixed".to_owned()));
        let mut watch = store.watch(Revision::ZERO).unwrap();
        store.fail_at(1, Fault::BeforeCommit);
        store.commit_now(put(0, "a")).unwrap_err();
        assert_eq!(watch.try_next(), Some(WatchEvent::Closed));
        assert_eq!(store.reopen().lineage(), Lineage("fixed".to_owned()));
    }
}
