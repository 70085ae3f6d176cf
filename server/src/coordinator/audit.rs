//! The audit log: a chain of hashes, so that a record cannot be changed or taken out unseen (GS-12).

use super::records::AuditRecord;
use groundswell_core::time::Time;
use sha2::{Digest as _, Sha256};

/// Longest detail; what an operator types as a reason fits, a document does not.
const MAX_DETAIL: usize = 2_000;

/// What happened, before it has its place in the chain.
#[derive(Clone, Debug)]
pub(crate) struct Entry {
    pub(crate) who: String,
    pub(crate) what: &'static str,
    pub(crate) subject: String,
    pub(crate) detail: String,
}

impl Entry {
    pub(crate) fn new(who: impl Into<String>, what: &'static str, subject: impl Into<String>, detail: impl Into<String>) -> Self {
        let mut detail = detail.into();
        if let Some((cut, _)) = detail.char_indices().nth(MAX_DETAIL) {
            detail.truncate(cut);
        }
        Self { who: who.into(), what, subject: subject.into(), detail }
    }
}

/// The record that follows `last`.
pub(crate) fn chain(last: Option<&AuditRecord>, entry: Entry, at: Time) -> AuditRecord {
    let Entry { who, what, subject, detail } = entry;
    let sequence = last.map_or(0, |last| last.sequence) + 1;
    let record = AuditRecord { sequence, at, who, what: what.to_owned(), subject, detail, hash: String::new() };
    let hash = hash_of(last.map_or("", |last| &last.hash), &record);
    AuditRecord { hash, ..record }
}

fn hash_of(before: &str, record: &AuditRecord) -> String {
    let bare = AuditRecord { hash: String::new(), ..record.clone() };
    let mut sha = Sha256::new();
    sha.update(before.as_bytes());
    sha.update(super::records::encode(&bare));
    hex::encode(sha.finalize())
}

/// Where a chain is broken.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("the audit log is broken at record {sequence}: {why}")]
pub struct Broken {
    /// The first record that does not fit.
    pub sequence: u64,
    /// What does not fit.
    pub why: &'static str,
}

/// Checks records in their order; `last` is the one before the first of them.
pub fn verify<'a>(last: Option<&AuditRecord>, records: impl IntoIterator<Item = &'a AuditRecord>) -> Result<(), Broken> {
    let (mut sequence, mut hash) = last.map_or((0, String::new()), |last| (last.sequence, last.hash.clone()));
    for record in records {
        sequence += 1;
        if record.sequence != sequence {
            return Err(Broken { sequence, why: "it is missing" });
        }
        if record.hash != hash_of(&hash, record) {
            return Err(Broken { sequence, why: "its hash does not follow from the one before" });
        }
        hash.clone_from(&record.hash);
    }
    Ok(())
}
