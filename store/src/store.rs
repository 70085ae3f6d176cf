//! The trait.

use std::{future::Future, pin::Pin};

use crate::{
    error::{CommitError, StoreError},
    types::{DEFAULT_MAX_OPS, Entry, Epoch, Lineage, Page, Revision, Txn},
    watch::Watch,
};

/// What the methods of [`Store`] return: boxed, so that the trait can be used as `dyn Store`.
pub type StoreFuture<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// An ordered map of keys to small values, with transactions.
///
/// Readers see only what is durable. Transactions are linearised: each sees all that were acknowledged before it.
pub trait Store: Send + Sync + 'static {
    /// Operations, and expectations, that one transaction bears.
    fn max_ops(&self) -> usize {
        DEFAULT_MAX_OPS
    }

    /// The identity of this store.
    fn lineage(&self) -> Lineage;

    /// The entry of a key, if it is there.
    ///
    /// # Errors
    /// [`StoreError::Closed`], [`StoreError::Io`].
    fn get<'a>(&'a self, key: &'a str) -> StoreFuture<'a, Result<Option<Entry>, StoreError>>;

    /// The entries whose keys begin with `prefix` and come behind `after`, in key order, at most `limit` of them
    /// (1 to [`MAX_PAGE`](crate::MAX_PAGE); what is outside is brought inside).
    ///
    /// # Errors
    /// [`StoreError::Closed`], [`StoreError::Io`].
    fn scan<'a>(&'a self, prefix: &'a str, after: Option<String>, limit: usize) -> StoreFuture<'a, Result<Page, StoreError>>;

    /// Commits, and returns the revision once the transaction is durable. One that changes nothing returns the revision
    /// that the store has. A future that is dropped may have committed or not.
    ///
    /// # Errors
    /// All of [`CommitError`]; only [`CommitError::Io`] leaves it open whether the transaction was done.
    fn commit(&self, txn: Txn) -> StoreFuture<'_, Result<Revision, CommitError>>;

    /// Begins the term of a new leader: from now on transactions of earlier epochs are [`CommitError::Fenced`]. Durable
    /// when it returns.
    ///
    /// # Errors
    /// [`StoreError::Closed`], [`StoreError::Io`].
    fn begin_epoch(&self) -> StoreFuture<'_, Result<Epoch, StoreError>>;

    /// Follows the transactions behind `from`, each once and in order.
    ///
    /// # Errors
    /// [`StoreError::FutureRevision`] when the store has not reached `from`; [`StoreError::Closed`].
    fn watch(&self, from: Revision) -> Result<Watch, StoreError>;

    /// Writes a logical snapshot now, where the store keeps such; elsewhere it does nothing.
    ///
    /// # Errors
    /// [`StoreError::Closed`], [`StoreError::Snapshot`].
    fn snapshot(&self) -> StoreFuture<'_, Result<(), StoreError>>;

    /// Finishes what was queued, writes a last snapshot and lets go of the files. Everything after it is `Closed`;
    /// closing twice is no error.
    ///
    /// # Errors
    /// [`StoreError::Snapshot`]: the store is closed all the same.
    fn close(&self) -> StoreFuture<'_, Result<(), StoreError>>;
}
