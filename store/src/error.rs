//! What can go wrong, told so that the reader knows where and what next.

use std::{io, path::PathBuf};

use crate::types::{Expect, MAX_KEY_BYTES, MAX_TXN_BYTES, MAX_VALUE_BYTES, Revision};

/// Why a transaction was not committed.
#[derive(Debug, thiserror::Error)]
pub enum CommitError {
    /// An expectation did not hold. Nothing was done; read again and decide anew.
    #[error("key {key} was expected {expected} but is {}", found_words(*.found))]
    Conflict {
        /// The key.
        key: String,
        /// What the transaction expected.
        expected: Expect,
        /// The revision that the key has, or `None` when it is not there.
        found: Option<Revision>,
    },
    /// Another leader has taken over (or the epoch is none that this store gave out). The sender must step down.
    #[error("epoch {given} may not commit: the store is at epoch {current}")]
    Fenced {
        /// The epoch that may commit.
        current: u64,
        /// The epoch of the transaction.
        given: u64,
    },
    /// More operations, or more expectations, than one transaction bears.
    #[error("a transaction bears {max} operations and {max} expectations, not {given}: split it")]
    TooManyOps {
        /// How many the transaction had.
        given: usize,
        /// [`Store::max_ops`](crate::Store::max_ops).
        max: usize,
    },
    /// A value beyond [`MAX_VALUE_BYTES`].
    #[error("value of key {key} has {given} bytes, more than {MAX_VALUE_BYTES}: large content belongs in the blob store")]
    ValueTooLarge {
        /// The key.
        key: String,
        /// Bytes of the value.
        given: usize,
    },
    /// Keys and values together are beyond [`MAX_TXN_BYTES`].
    #[error("transaction has {given} bytes, more than {MAX_TXN_BYTES}: split it")]
    TxnTooLarge {
        /// Bytes of all keys and values.
        given: usize,
    },
    /// An empty key, one with control characters, or one beyond [`MAX_KEY_BYTES`].
    #[error("key {key:?} is not 1 to {MAX_KEY_BYTES} bytes of printable text")]
    InvalidKey {
        /// The key.
        key: String,
    },
    /// One key in two operations of the same transaction.
    #[error("key {key} is changed twice in one transaction")]
    DuplicateKey {
        /// The key.
        key: String,
    },
    /// The store was closed. Nothing was done.
    #[error("the store is closed")]
    Closed,
    /// The disk failed. Whether the transaction will be there after a restart is not known.
    #[error("the store could not make the transaction durable")]
    Io(#[source] io::Error),
}

fn found_words(found: Option<Revision>) -> String {
    found.map_or_else(|| "absent".to_owned(), |revision| format!("at revision {revision}"))
}

/// Why a read, a watch or a new epoch failed.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// The store was closed.
    #[error("the store is closed")]
    Closed,
    /// A watch from a revision that the store has not reached: it comes from another lineage or a lost store.
    #[error("revision {from} is ahead of the store, which is at {current}: read everything again")]
    FutureRevision {
        /// The revision asked for.
        from: Revision,
        /// The revision of the store.
        current: Revision,
    },
    /// The disk failed.
    #[error("the store could not write")]
    Io(#[source] io::Error),
    /// The logical snapshot failed.
    #[error("the store could not write its snapshot")]
    Snapshot(#[source] SnapshotError),
}

/// Why a logical snapshot could not be written or read.
#[derive(Debug, thiserror::Error)]
pub enum SnapshotError {
    /// The file or its folder could not be read or written.
    #[error("{path}: cannot {what}")]
    Io {
        /// The file or folder.
        path: PathBuf,
        /// What was tried.
        what: &'static str,
        /// Why not.
        #[source]
        source: io::Error,
    },
    /// The content is not what was written.
    #[error("{path}: line {line}: {why}; take an older snapshot")]
    Damaged {
        /// The file.
        path: PathBuf,
        /// The line, from 1.
        line: usize,
        /// What is wrong with it.
        why: String,
    },
}

/// Why a store could not be opened. It is left as it is: none of these ever starts an empty store in its place.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// Another process has it.
    #[error("store {dir} is in use by {holder}: stop it first, two coordinators must not share one folder")]
    Locked {
        /// The folder of the store.
        dir: PathBuf,
        /// The process as its lock file tells it.
        holder: String,
    },
    /// It cannot be read, or what is read cannot be what was written.
    #[error("store {dir} is damaged: {why}; it was left where it is: move it aside and restore {newest} with `groundswell-server admin restore`", newest = newest_words(.snapshot.as_ref()))]
    Damaged {
        /// The folder of the store.
        dir: PathBuf,
        /// What does not fit.
        why: String,
        /// The newest logical snapshot that is sound.
        snapshot: Option<PathBuf>,
    },
    /// It was written by a newer program.
    #[error("store {dir} has format {found}, this program knows {known}: start the newer version again")]
    Format {
        /// The folder of the store.
        dir: PathBuf,
        /// The format of the store.
        found: u32,
        /// The newest format that is known.
        known: u32,
    },
    /// An import into a folder that has something in it.
    #[error("folder {dir} is not empty: a store is restored into a new folder, never over another")]
    NotEmpty {
        /// The folder.
        dir: PathBuf,
    },
    /// A logical snapshot cannot be used.
    #[error("the snapshot cannot be restored")]
    Snapshot(#[source] SnapshotError),
    /// The folder cannot be read or written.
    #[error("store {path}: cannot {what}")]
    Io {
        /// The file or folder.
        path: PathBuf,
        /// What was tried.
        what: &'static str,
        /// Why not.
        #[source]
        source: io::Error,
    },
}

fn newest_words(snapshot: Option<&PathBuf>) -> String {
    snapshot.map_or_else(|| "a snapshot from elsewhere (none of its own is sound)".to_owned(), |path| path.display().to_string())
}
