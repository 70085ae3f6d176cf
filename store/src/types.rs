//! The words of the store: revisions, entries, transactions.

use std::fmt;

use serde::{Deserialize, Serialize};

/// Operations in one transaction. etcd's default is 128; 100 leaves room for what an implementation adds of its own.
pub const DEFAULT_MAX_OPS: usize = 100;

/// Bytes of one value. sled keeps values beyond its segment size in files that it never syncs; this stays far below.
pub const MAX_VALUE_BYTES: usize = 64 * 1024;

/// Bytes of keys and values in one transaction. etcd refuses requests beyond 1.5 MiB; a third is left for framing.
pub const MAX_TXN_BYTES: usize = 1024 * 1024;

/// Bytes of one key: four names of 253 bytes (the longest in Kubernetes) with separators.
pub const MAX_KEY_BYTES: usize = 1024;

/// Entries in one page of a scan. At a typical 500 bytes it is 2 MB, and 10,000 clusters are three pages.
pub const MAX_PAGE: usize = 4096;

/// Revision of the whole store: rises with each committed transaction that changes something.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Revision(pub u64);

impl Revision {
    /// The revision of a store into which nothing was written yet.
    pub const ZERO: Self = Self(0);

    pub(crate) fn next(self) -> Self {
        Self(self.0 + 1)
    }
}

impl fmt::Display for Revision {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// Random identity of a store, made when it is created or restored. Revisions and epochs of two lineages do not compare.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Lineage(pub String);

impl Lineage {
    pub(crate) fn random() -> Self {
        Self(uuid::Uuid::new_v4().simple().to_string())
    }
}

impl fmt::Display for Lineage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// A coordinator leader's term: the number rises with each leader of the same lineage.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Epoch {
    /// The store that gave the number out.
    pub lineage: Lineage,
    /// 1 for the first leader; 0 is the time before any.
    pub number: u64,
}

/// One key with its value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// The key.
    pub key: String,
    /// The value, at most [`MAX_VALUE_BYTES`].
    pub value: Vec<u8>,
    /// The transaction that last wrote it.
    pub revision: Revision,
}

/// What must hold for a transaction to be committed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Expect {
    /// The key is not there.
    Absent(String),
    /// The key is there and was last written by this revision.
    Unchanged(String, Revision),
    /// The key is there, whatever it holds.
    Exists(String),
}

impl Expect {
    /// The key that it is about.
    #[must_use]
    pub fn key(&self) -> &str {
        match self {
            Self::Absent(key) | Self::Unchanged(key, _) | Self::Exists(key) => key,
        }
    }
}

impl fmt::Display for Expect {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Absent(_) => f.write_str("absent"),
            Self::Unchanged(_, revision) => write!(f, "at revision {revision}"),
            Self::Exists(_) => f.write_str("present"),
        }
    }
}

/// One change of one key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Op {
    /// Write the value, whether or not the key was there.
    Put {
        /// The key.
        key: String,
        /// The value.
        value: Vec<u8>,
    },
    /// Remove the key. Removing what is not there is no error and no change.
    Delete {
        /// The key.
        key: String,
    },
}

impl Op {
    /// The key that it changes.
    #[must_use]
    pub fn key(&self) -> &str {
        match self {
            Self::Put { key, .. } | Self::Delete { key } => key,
        }
    }
}

/// All or nothing: when every expectation holds, every operation is done.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Txn {
    /// The epoch number of the leader that sends it, from [`Store::begin_epoch`](crate::Store::begin_epoch).
    pub epoch: u64,
    /// What must hold, at most [`Store::max_ops`](crate::Store::max_ops).
    pub expect: Vec<Expect>,
    /// What to do, at most [`Store::max_ops`](crate::Store::max_ops), each key once.
    pub ops: Vec<Op>,
}

/// A part of a scan, in key order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Page {
    /// The entries. Give the last key as `after` for the next page.
    pub entries: Vec<Entry>,
    /// Revision of the store when the page was read. Pages of one scan may differ: who wants to follow the keys
    /// watches from the revision of the *first* page, and sees what changed while the others were read.
    pub revision: Revision,
    /// Whether there are further entries behind the last.
    pub more: bool,
}

/// What a transaction did to one key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Change {
    /// The key.
    pub key: String,
    /// The new value, or `None` when the key was removed.
    pub value: Option<Vec<u8>>,
}
