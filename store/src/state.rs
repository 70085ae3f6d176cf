//! What the store holds, in memory, and the decision whether a transaction may be committed. No I/O.
//!
//! A group of transactions is drafted against the state, made durable by the caller, and only then applied: readers of
//! the state never see what could still be lost.

use std::{
    collections::{BTreeMap, BTreeSet},
    ops::Bound,
    sync::Arc,
};

use sha2::{Digest as _, Sha256};

use crate::{
    error::CommitError,
    types::{Change, Entry, Expect, Lineage, MAX_KEY_BYTES, MAX_PAGE, MAX_TXN_BYTES, MAX_VALUE_BYTES, Op, Page, Revision, Txn},
};

/// A value with the revision that wrote it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Record {
    pub(crate) value: Arc<[u8]>,
    pub(crate) revision: Revision,
}

impl Record {
    fn entry(&self, key: &str) -> Entry {
        Entry { key: key.to_owned(), value: self.value.to_vec(), revision: self.revision }
    }
}

/// A digest over all entries in no order: each commit updates it at the cost of the entries that it touches, and a
/// store that lost or changed an entry does not match it any more.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Fingerprint(pub(crate) [u8; 32]);

impl Fingerprint {
    /// Adds the entry, or takes it out: both are the same operation.
    pub(crate) fn toggle(&mut self, key: &str, record: &Record) {
        let mut hash = Sha256::new();
        hash.update(u64::try_from(key.len()).unwrap_or(u64::MAX).to_be_bytes());
        hash.update(key.as_bytes());
        hash.update(record.revision.0.to_be_bytes());
        hash.update(&record.value);
        for (mine, theirs) in self.0.iter_mut().zip(hash.finalize()) {
            *mine ^= theirs;
        }
    }
}

/// Everything that a store holds.
#[derive(Clone, Debug)]
pub(crate) struct State {
    pub(crate) lineage: Lineage,
    pub(crate) epoch: u64,
    pub(crate) revision: Revision,
    pub(crate) fingerprint: Fingerprint,
    pub(crate) entries: BTreeMap<String, Record>,
}

impl State {
    pub(crate) fn empty(lineage: Lineage) -> Self {
        Self { lineage, epoch: 0, revision: Revision::ZERO, fingerprint: Fingerprint::default(), entries: BTreeMap::new() }
    }

    pub(crate) fn get(&self, key: &str) -> Option<Entry> {
        self.entries.get(key).map(|record| record.entry(key))
    }

    pub(crate) fn scan(&self, prefix: &str, after: Option<&str>, limit: usize) -> Page {
        let limit = limit.clamp(1, MAX_PAGE);
        let from = match after {
            Some(after) if after >= prefix => Bound::Excluded(after),
            _ => Bound::Included(prefix),
        };
        let mut matching = self
            .entries
            .range::<str, _>((from, Bound::Unbounded))
            .take_while(|(key, _)| key.starts_with(prefix))
            .map(|(key, record)| record.entry(key));
        let entries = matching.by_ref().take(limit).collect();
        Page { entries, revision: self.revision, more: matching.next().is_some() }
    }

    pub(crate) fn apply(&mut self, delta: Delta) {
        for (key, record) in delta.changed {
            match record {
                Some(record) => self.entries.insert(key, record),
                None => self.entries.remove(&key),
            };
        }
        self.epoch = delta.epoch;
        self.revision = delta.revision;
        self.fingerprint = delta.fingerprint;
    }
}

/// What must be written, and then applied, to move the state on.
#[derive(Debug)]
pub(crate) struct Delta {
    pub(crate) epoch: u64,
    pub(crate) revision: Revision,
    pub(crate) fingerprint: Fingerprint,
    pub(crate) changed: BTreeMap<String, Option<Record>>,
}

/// Transactions that are admitted but not durable yet.
pub(crate) struct Draft<'a> {
    base: &'a State,
    delta: Delta,
}

impl<'a> Draft<'a> {
    pub(crate) fn new(base: &'a State) -> Self {
        let delta = Delta { epoch: base.epoch, revision: base.revision, fingerprint: base.fingerprint, changed: BTreeMap::new() };
        Self { base, delta }
    }

    fn record(&self, key: &str) -> Option<&Record> {
        match self.delta.changed.get(key) {
            Some(drafted) => drafted.as_ref(),
            None => self.base.entries.get(key),
        }
    }

    /// Takes the transaction in, or says why not and leaves the draft as it was. The shape must have been checked.
    pub(crate) fn admit(&mut self, txn: Txn) -> Result<(Revision, Vec<Change>), CommitError> {
        if txn.epoch != self.delta.epoch {
            return Err(CommitError::Fenced { current: self.delta.epoch, given: txn.epoch });
        }
        for expect in txn.expect {
            let found = self.record(expect.key()).map(|record| record.revision);
            let holds = match &expect {
                Expect::Absent(_) => found.is_none(),
                Expect::Exists(_) => found.is_some(),
                Expect::Unchanged(_, revision) => found == Some(*revision),
            };
            if !holds {
                return Err(CommitError::Conflict { key: expect.key().to_owned(), expected: expect, found });
            }
        }
        let revision = self.delta.revision.next();
        let changes: Vec<Change> = txn.ops.into_iter().filter_map(|op| self.write(op, revision)).collect();
        if !changes.is_empty() {
            self.delta.revision = revision;
        }
        Ok((self.delta.revision, changes))
    }

    fn write(&mut self, op: Op, revision: Revision) -> Option<Change> {
        let (key, value) = match op {
            Op::Put { key, value } => (key, Some(value)),
            Op::Delete { key } => (key, None),
        };
        let old = self.record(&key).cloned();
        if let Some(old) = &old {
            self.delta.fingerprint.toggle(&key, old);
        } else if value.is_none() {
            return None;
        }
        let record = value.as_deref().map(|value| Record { value: Arc::from(value), revision });
        if let Some(record) = &record {
            self.delta.fingerprint.toggle(&key, record);
        }
        self.delta.changed.insert(key.clone(), record);
        Some(Change { key, value })
    }

    /// The number of the new epoch.
    pub(crate) fn begin_epoch(&mut self) -> u64 {
        self.delta.epoch += 1;
        self.delta.epoch
    }

    pub(crate) fn finish(self) -> Delta {
        self.delta
    }
}

/// What can be refused without looking at the state.
pub(crate) fn check_shape(txn: &Txn, max_ops: usize) -> Result<(), CommitError> {
    let given = txn.ops.len().max(txn.expect.len());
    if given > max_ops {
        return Err(CommitError::TooManyOps { given, max: max_ops });
    }
    let mut seen = BTreeSet::new();
    let mut bytes = 0;
    for op in &txn.ops {
        let key = op.key();
        if key.is_empty() || key.len() > MAX_KEY_BYTES || key.chars().any(char::is_control) {
            return Err(CommitError::InvalidKey { key: key.to_owned() });
        }
        if !seen.insert(key) {
            return Err(CommitError::DuplicateKey { key: key.to_owned() });
        }
        bytes += key.len();
        if let Op::Put { value, .. } = op {
            if value.len() > MAX_VALUE_BYTES {
                return Err(CommitError::ValueTooLarge { key: key.to_owned(), given: value.len() });
            }
            bytes += value.len();
        }
    }
    if bytes > MAX_TXN_BYTES {
        return Err(CommitError::TxnTooLarge { given: bytes });
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn any_op() -> impl Strategy<Value = Op> {
        let key = (0..6_u8).prop_map(|n| format!("k{n}"));
        (key, proptest::option::of(0..4_u8)).prop_map(|(key, value)| match value {
            Some(value) => Op::Put { key, value: vec![value] },
            None => Op::Delete { key },
        })
    }

    fn any_txn() -> impl Strategy<Value = Txn> {
        let expect = (0..6_u8, 0..3_u8, 0..12_u64).prop_map(|(key, kind, revision)| {
            let key = format!("k{key}");
            match kind {
                0 => Expect::Absent(key),
                1 => Expect::Exists(key),
                _ => Expect::Unchanged(key, Revision(revision)),
            }
        });
        let parts = (0..2_u64, prop::collection::vec(expect, 0..2), prop::collection::vec(any_op(), 0..4));
        parts.prop_map(|(epoch, expect, ops)| Txn { epoch, expect, ops })
    }

    proptest! {
        /// Writing in groups is an economy: nobody can tell it from one transaction after the other.
        #[test]
        fn a_group_is_the_same_as_one_by_one(txns in prop::collection::vec(any_txn(), 1..40), size in 1..9_usize) {
            let txns: Vec<_> = txns.into_iter().filter(|txn| check_shape(txn, 100).is_ok()).collect();
            let mut single = State::empty(Lineage("test".to_owned()));
            let mut grouped = single.clone();
            for group in txns.chunks(size) {
                let mut draft = Draft::new(&grouped);
                for txn in group {
                    let mut alone = Draft::new(&single);
                    let wanted = alone.admit(txn.clone());
                    let delta = alone.finish();
                    single.apply(delta);
                    let got = draft.admit(txn.clone());
                    prop_assert_eq!(format!("{got:?}"), format!("{wanted:?}"));
                }
                let delta = draft.finish();
                grouped.apply(delta);
                prop_assert_eq!(&grouped.entries, &single.entries);
                prop_assert_eq!(grouped.revision, single.revision);
            }
            let mut fingerprint = Fingerprint::default();
            for (key, record) in &grouped.entries {
                fingerprint.toggle(key, record);
            }
            prop_assert_eq!(grouped.fingerprint, fingerprint);
        }
    }
}
