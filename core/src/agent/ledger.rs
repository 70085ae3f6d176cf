//! What the agent has written down, and which assignments it takes.

use super::history::Marker;
use crate::assignment::{Assignment, Content, Drift};
use crate::id::{Epoch, ReleaseName};
use crate::report::Adopted;
use crate::time::Time;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// Notes that an entry keeps; the oldest go first. Ten are more than a turn of one cluster makes.
const MAX_NOTES: usize = 10;

/// Said with every release that asks for it, or its owner would rely on what nobody does.
const NO_CORRECTION: &str = "drift: correct is not carried out in this version: objects that were changed by hand stay as they are";

/// Everything of the agent that survives a crash.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ledger {
    /// The highest epoch ever obeyed (GS-9).
    pub max_epoch: Epoch,
    /// One for each release that was ever assigned; a tombstone that was carried out stays, so that generations only rise.
    pub entries: BTreeMap<ReleaseName, Entry>,
}

/// How far the assignment in force has come.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum LedgerPhase {
    /// Taken, not ended. With an [`Operation`] of this generation it was started.
    Accepted,
    /// Helm's revision holds it; from here on only health is watched.
    Applied {
        /// Helm's revision.
        revision: u32,
    },
    /// Ended badly.
    Failed {
        /// In words for the operator.
        why: String,
    },
    /// Refused before anything was touched.
    Refused {
        /// In words for the operator.
        why: String,
    },
    /// A tombstone was carried out.
    Gone,
}

/// What helm is asked to do.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum HelmCall {
    /// `helm upgrade --install`.
    Upgrade {
        /// Chart and values.
        content: Content,
    },
    /// `helm rollback`.
    Rollback {
        /// The revision to go back to.
        to: u32,
    },
    /// `helm uninstall`.
    Uninstall,
}

/// A helm call that was begun and of whose end the ledger does not know yet. Outlives a newer assignment: what a dead helm
/// left behind is recognised by it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Operation {
    /// Generation and attempt that it belongs to.
    pub marker: Marker,
    /// The revision that helm will make.
    pub expected_revision: u32,
    /// What helm was asked to do.
    pub call: HelmCall,
    /// When this was written, by the agent's clock; helm runs on the same host.
    pub written_at: Time,
}

/// What one of Helm's revisions holds.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum RevisionContent {
    /// An install or upgrade of ours.
    Ours {
        /// Chart and values.
        content: Content,
        /// As it stands in Helm's description; guards against a history that began anew.
        marker: Marker,
    },
    /// A rollback of ours.
    CopyOf {
        /// The revision it went back to.
        revision: u32,
        /// Chart and values, where that revision was ours.
        content: Option<Content>,
    },
}

impl RevisionContent {
    /// Chart and values, where we know them.
    pub fn content(&self) -> Option<&Content> {
        match self {
            Self::Ours { content, .. } => Some(content),
            Self::CopyOf { content, .. } => content.as_ref(),
        }
    }
}

/// One release in the ledger.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Entry {
    /// What the cluster must have.
    pub assignment: Assignment,
    /// How far that has come.
    pub phase: LedgerPhase,
    /// The last attempt begun for this generation; 0 before the first.
    pub attempt: u32,
    /// Begun and not known to have ended.
    pub operation: Option<Operation>,
    /// What Helm's revisions hold, for `helm rollback`.
    pub revisions: BTreeMap<u32, RevisionContent>,
    /// What was there before our first assignment.
    pub adopted: Option<Adopted>,
    /// Whether helm was ever asked to do something for the release since it was last gone. A ledger that does not say means yes.
    #[serde(default = "yes")]
    pub begun: bool,
    /// Steps out of the ordinary, for the report.
    pub notes: Vec<String>,
}

fn yes() -> bool {
    true
}

impl Entry {
    /// A release's first entry.
    pub fn new(assignment: Assignment) -> Self {
        Self {
            assignment,
            phase: LedgerPhase::Accepted,
            attempt: 0,
            operation: None,
            revisions: BTreeMap::new(),
            adopted: None,
            begun: false,
            notes: Vec::new(),
        }
    }

    /// The entry once a newer assignment is in force. What was begun and what the revisions hold stays known.
    #[must_use]
    pub fn succeed(&self, assignment: Assignment) -> Self {
        let fresh = Self::new(assignment);
        if self.phase == LedgerPhase::Gone {
            return fresh;
        }
        Self {
            operation: self.operation.clone(),
            revisions: self.revisions.clone(),
            adopted: self.adopted.clone(),
            begun: self.begun,
            ..fresh
        }
    }

    /// Adds a note, once.
    pub fn note(&mut self, note: impl Into<String>) {
        let note = note.into();
        if !self.notes.contains(&note) {
            self.notes.push(note);
        }
        let surplus = self.notes.len().saturating_sub(MAX_NOTES);
        self.notes.drain(..surplus);
    }

    /// The operation, if it belongs to the assignment in force.
    pub fn current_operation(&self) -> Option<&Operation> {
        self.operation.as_ref().filter(|operation| operation.marker.generation == self.assignment.generation)
    }

    /// Whether Helm has the release in the namespace of the assignment, as far as the ledger knows.
    fn is_settled(&self) -> bool {
        self.phase != LedgerPhase::Gone
            && (self.begun || self.adopted.is_some() || !self.revisions.is_empty() || self.applied_revision().is_some())
    }

    /// Helm's revision that holds the assignment in force.
    pub fn applied_revision(&self) -> Option<u32> {
        match self.phase {
            LedgerPhase::Applied { revision } => Some(revision),
            _ => None,
        }
    }
}

/// The answer to an assignment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Offer {
    /// Write this ledger, then act on it.
    Accept(Box<Ledger>),
    /// Already in the ledger: answer from there (GS-7).
    Known,
    /// Not taken.
    Refuse(Refusal),
}

/// Why an assignment is not taken.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// In words for the operator.
    pub why: String,
    /// It is older than what is in the ledger, or its leader is: nobody waits for an answer. Any other refusal has to reach the
    /// server as [`crate::report::Phase::Refused`], or it would wait for the generation until its deadline.
    pub is_stale: bool,
}

impl Refusal {
    fn stale(why: String) -> Self {
        Self { why, is_stale: true }
    }

    fn of_newest(why: String) -> Self {
        Self { why, is_stale: false }
    }
}

/// Whether the agent takes an assignment (GS-5, GS-9).
pub fn offer(ledger: &Ledger, assignment: &Assignment) -> Offer {
    let epoch = &assignment.epoch;
    let seen = &ledger.max_epoch;
    let same_lineage = seen.lineage.is_empty() || epoch.lineage == seen.lineage;
    if same_lineage && epoch.number < seen.number {
        let why = format!("it comes from leader {}, and leader {} was already seen", epoch.number, seen.number);
        return Offer::Refuse(Refusal::stale(why));
    }
    let mut entry = match ledger.entries.get(&assignment.release) {
        None => Entry::new(assignment.clone()),
        Some(known) => match succeed(known, assignment) {
            Ok(Some(entry)) => entry,
            Ok(None) => return Offer::Known,
            Err(refusal) => return Offer::Refuse(refusal),
        },
    };
    if assignment.drift == Drift::Correct {
        entry.note(NO_CORRECTION);
    }
    let mut next = ledger.clone();
    next.max_epoch = epoch.clone();
    next.entries.insert(assignment.release.clone(), entry);
    Offer::Accept(Box::new(next))
}

fn succeed(known: &Entry, assignment: &Assignment) -> Result<Option<Entry>, Refusal> {
    let (had, gets) = (known.assignment.generation, assignment.generation);
    if gets < had {
        return Err(Refusal::stale(format!("generation {gets} is older than {had}, which the ledger holds")));
    }
    if gets == had {
        // A new leader sends what its predecessor issued under its own epoch; that alone is no other content.
        let as_known = Assignment { epoch: known.assignment.epoch.clone(), ..assignment.clone() };
        let other = || Refusal::of_newest(format!("generation {gets} is in the ledger with other content"));
        return if as_known == known.assignment { Ok(None) } else { Err(other()) };
    }
    if known.is_settled() && known.assignment.namespace != assignment.namespace {
        let (from, to) = (&known.assignment.namespace, &assignment.namespace);
        let why = format!("the release lives in namespace {from}; Helm cannot move it to {to}: uninstall it first");
        return Err(Refusal::of_newest(why));
    }
    Ok(Some(known.succeed(assignment.clone())))
}

impl Ledger {
    /// Takes note of a leader's epoch; says whether the ledger changed. Another lineage (a restored store) is believed only
    /// with an assignment that raises a generation.
    pub fn see(&mut self, epoch: &Epoch) -> bool {
        let newer = self.max_epoch.lineage.is_empty() || (self.max_epoch.lineage == epoch.lineage && self.max_epoch.number < epoch.number);
        if newer {
            self.max_epoch = epoch.clone();
        }
        newer
    }
}
