//! Following the store: one bounded ring of recent transactions that all watchers read from.
//!
//! A ring instead of a queue for each watcher: memory does not grow with watchers, and a slow one harms nobody. Who
//! falls behind the ring is told so.

use std::{
    collections::VecDeque,
    sync::{Arc, Mutex, PoisonError},
};

use tokio::sync::watch;

use crate::{
    error::StoreError,
    types::{Change, Revision},
};

/// Transactions kept for watchers: a quarter of a second at 15,000 a second, by then a reader is better off rescanning.
pub(crate) const RING_EVENTS: usize = 4096;

/// Bytes kept for watchers: 64 transactions of the largest size.
const RING_BYTES: usize = 64 * 1024 * 1024;

/// What a watcher is told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum WatchEvent {
    /// A transaction was committed.
    Committed {
        /// Its revision.
        revision: Revision,
        /// What it changed, in the order of its operations.
        changes: Vec<Change>,
    },
    /// The watcher was too slow and has missed transactions: scan, then watch anew. Nothing else follows.
    Lagged,
    /// The store was closed. Nothing else follows.
    Closed,
}

struct Committed {
    revision: Revision,
    changes: Vec<Change>,
    bytes: usize,
}

struct Ring {
    /// Revisions without a gap, the newest is `newest`.
    events: VecDeque<Arc<Committed>>,
    bytes: usize,
    newest: Revision,
    closed: bool,
}

/// The sending side, one for each store.
pub(crate) struct Hub {
    ring: Mutex<Ring>,
    /// Only wakes: what happened is read from the ring.
    wake: watch::Sender<()>,
    capacity: usize,
}

impl Hub {
    pub(crate) fn new(revision: Revision, capacity: usize) -> Arc<Self> {
        let ring = Ring { events: VecDeque::new(), bytes: 0, newest: revision, closed: false };
        Arc::new(Self { ring: Mutex::new(ring), wake: watch::Sender::new(()), capacity: capacity.max(1) })
    }

    /// Must be called in the order of revisions, without a gap.
    pub(crate) fn publish(&self, committed: impl IntoIterator<Item = (Revision, Vec<Change>)>) {
        let mut ring = self.ring.lock().unwrap_or_else(PoisonError::into_inner);
        for (revision, changes) in committed {
            debug_assert_eq!(revision, ring.newest.next(), "watchers count on revisions without a gap");
            let bytes = changes.iter().map(|c| c.key.len() + c.value.as_ref().map_or(0, Vec::len)).sum();
            ring.newest = revision;
            ring.bytes += bytes;
            ring.events.push_back(Arc::new(Committed { revision, changes, bytes }));
            while ring.events.len() > self.capacity || (ring.bytes > RING_BYTES && ring.events.len() > 1) {
                let Some(gone) = ring.events.pop_front() else {
                    break;
                };
                ring.bytes -= gone.bytes;
            }
        }
        drop(ring);
        self.wake.send_replace(());
    }

    pub(crate) fn close(&self) {
        self.ring.lock().unwrap_or_else(PoisonError::into_inner).closed = true;
        self.wake.send_replace(());
    }

    pub(crate) fn watch(self: &Arc<Self>, from: Revision) -> Result<Watch, StoreError> {
        let ring = self.ring.lock().unwrap_or_else(PoisonError::into_inner);
        if ring.closed {
            return Err(StoreError::Closed);
        }
        if from > ring.newest {
            return Err(StoreError::FutureRevision { from, current: ring.newest });
        }
        let wake = self.wake.subscribe();
        Ok(Watch { hub: Arc::clone(self), seen: from, wake, lagged: false })
    }
}

/// A reader of transactions, from [`Store::watch`](crate::Store::watch).
pub struct Watch {
    hub: Arc<Hub>,
    seen: Revision,
    wake: watch::Receiver<()>,
    lagged: bool,
}

impl Watch {
    /// The next transaction, waiting for it if need be. May be dropped and called again without losing one.
    pub async fn next(&mut self) -> WatchEvent {
        loop {
            // Marked before looking: what comes after the look wakes the wait below.
            self.wake.mark_unchanged();
            if let Some(event) = self.try_next() {
                return event;
            }
            if self.wake.changed().await.is_err() {
                return WatchEvent::Closed;
            }
        }
    }

    /// The next transaction if there is one already.
    pub fn try_next(&mut self) -> Option<WatchEvent> {
        if self.lagged {
            return Some(WatchEvent::Lagged);
        }
        let ring = self.hub.ring.lock().unwrap_or_else(PoisonError::into_inner);
        if self.seen == ring.newest {
            return ring.closed.then_some(WatchEvent::Closed);
        }
        let behind = usize::try_from(ring.newest.0 - self.seen.0).unwrap_or(usize::MAX);
        let Some(index) = ring.events.len().checked_sub(behind) else {
            self.lagged = true;
            return Some(WatchEvent::Lagged);
        };
        let event = Arc::clone(ring.events.get(index)?);
        drop(ring);
        self.seen = event.revision;
        Some(WatchEvent::Committed { revision: event.revision, changes: event.changes.clone() })
    }
}
