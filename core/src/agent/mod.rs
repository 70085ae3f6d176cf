//! The agent's order of durable steps: ledger, act, report.
//!
//! [`Ledger`] is all that survives a crash on the agent's side, Helm's history all that survives on the cluster's.
//! [`offer`] decides whether an assignment is taken at all; [`next`] says, from full state and never from an event, the
//! one step to do now. A shell (or the simulator) carries the step out, looks again, and calls [`next`] again, so it can
//! be stopped between any two steps.

mod history;
mod ledger;
mod observed;
mod refusal;
mod step;

pub use history::{HistoryEntry, INTERRUPTED, Marker, RevisionStatus, UNLOCKED};
pub use ledger::{Entry, HelmCall, Ledger, LedgerPhase, Offer, Operation, Refusal, RevisionContent, offer};
pub use observed::{Chart, Crds, HealthSeen, HelmEnd, Observed, Permit, Preflight};
pub use step::{MAX_ATTEMPTS, Next, Step, next};

#[cfg(test)]
mod tests;
