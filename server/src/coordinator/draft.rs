//! A transaction in the making: records, their expectations, and the audit records that go with them.

use super::audit::{Entry, chain};
use super::records::{Key, encode};
use super::state::State;
use groundswell_core::time::Time;
use groundswell_store::{Expect, Op, Txn};
use serde::Serialize;
use std::collections::BTreeMap;

/// What one decision changes.
#[derive(Debug)]
pub(crate) struct Draft {
    now: Time,
    ops: BTreeMap<String, Option<Vec<u8>>>,
    entries: Vec<Entry>,
}

impl Draft {
    pub(crate) fn new(now: Time) -> Self {
        Self { now, ops: BTreeMap::new(), entries: Vec::new() }
    }

    /// The time of the decision.
    pub(crate) fn now(&self) -> Time {
        self.now
    }

    pub(crate) fn put<T: Serialize>(&mut self, key: &Key, record: &T) {
        self.ops.insert(key.to_string(), Some(encode(record)));
    }

    pub(crate) fn delete(&mut self, key: &Key) {
        self.ops.insert(key.to_string(), None);
    }

    pub(crate) fn audit(&mut self, who: impl Into<String>, what: &'static str, subject: impl Into<String>, detail: impl Into<String>) {
        self.entries.push(Entry::new(who, what, subject, detail));
    }

    /// Operations so far, audit records included.
    pub(crate) fn len(&self) -> usize {
        self.ops.len() + self.entries.len()
    }

    /// `None` when nothing changes. Each key is expected as the state has it: a decision made on something older conflicts.
    pub(crate) fn into_txn(self, state: &State, epoch: u64) -> Option<Txn> {
        if self.ops.is_empty() {
            return None;
        }
        let mut last = state.audit.clone();
        let mut txn = Txn { epoch, ..Txn::default() };
        for (key, value) in self.ops {
            txn.expect.push(match state.revision_of(&key) {
                Some(revision) => Expect::Unchanged(key.clone(), revision),
                None => Expect::Absent(key.clone()),
            });
            txn.ops.push(match value {
                Some(value) => Op::Put { key, value },
                None => Op::Delete { key },
            });
        }
        for entry in self.entries {
            let record = chain(last.as_ref(), entry, self.now);
            let key = Key::Audit(record.sequence).to_string();
            txn.expect.push(Expect::Absent(key.clone()));
            txn.ops.push(Op::Put { key, value: encode(&record) });
            last = Some(record);
        }
        Some(txn)
    }
}
