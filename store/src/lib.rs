//! The store: what the coordinator must not forget, behind one trait.
//!
//! [`Store`] is a small, ordered map of keys to bytes with transactions that are checked against expected revisions
//! and fenced by the leader's epoch. [`MemoryStore`] forgets at exit and fails on order, for tests and the simulator;
//! [`SledStore`] is the embedded default. Both pass [`conformance`].
//!
//! Large values do not belong in it: charts go to [`BlobStore`], which keeps files by their SHA-256.

mod blobs;
pub mod conformance;
mod error;
mod files;
mod memory;
mod sled;
mod snapshot;
mod state;
mod store;
mod types;
mod watch;

pub use crate::blobs::{BlobError, BlobStore, Digest, ParseDigestError};
pub use crate::error::{CommitError, OpenError, SnapshotError, StoreError};
pub use crate::memory::{Fault, MemoryStore};
pub use crate::sled::{AbortHook, RealSyncer, SledOptions, SledStore, Syncer, SyncerFactory};
pub use crate::snapshot::SnapshotInfo;
pub use crate::store::{Store, StoreFuture};
pub use crate::types::{
    Change, DEFAULT_MAX_OPS, Entry, Epoch, Expect, Lineage, MAX_KEY_BYTES, MAX_PAGE, MAX_TXN_BYTES, MAX_VALUE_BYTES, Op, Page, Revision,
    Txn,
};
pub use crate::watch::{Watch, WatchEvent};
