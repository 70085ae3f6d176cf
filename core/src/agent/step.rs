//! The one step to do now.

use super::history::{HistoryEntry, Marker, RevisionStatus, UNLOCKED};
use super::ledger::{Entry, HelmCall, LedgerPhase, Operation, RevisionContent};
use super::observed::{Chart, Crds, Observed, Permit, Preflight};
use super::refusal;
use crate::assignment::{Assignment, Content, Direction, Target};
use crate::report::{Adopted, Phase};
use crate::time::{Span, Time};
use std::collections::BTreeMap;

/// Attempts of one generation: the first, and two recoveries. A helm that dies three times over one release will die again,
/// and a person has to look.
pub const MAX_ATTEMPTS: u32 = 3;

/// What to do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Step {
    /// Read Helm's history into [`Observed::history`].
    ReadHistory,
    /// Ask the server for a start permit.
    AskPermit,
    /// Fetch chart and values by digest.
    Fetch,
    /// Make the checks before touching anything.
    Preflight,
    /// Apply the CRDs of the chart and wait until they are established.
    ApplyCrds,
    /// Replace the entry in the ledger; what it says becomes true only by this write.
    WriteLedger(Box<Entry>),
    /// Run helm. Forget the history and the end of the run before; afterwards set [`Observed::helm_end`].
    RunHelm {
        /// What to ask of it.
        call: HelmCall,
        /// Carried in `--description`.
        marker: Marker,
    },
    /// Mark a dead pending revision of ours failed, with [`UNLOCKED`] in its description.
    Unlock {
        /// The revision.
        revision: u32,
    },
    /// Look at the objects of the release, now and from now on.
    Watch {
        /// Helm's revision whose manifest counts.
        revision: u32,
    },
    /// Nothing to do until something changes; look at everything again after a while.
    Wait,
    /// This generation is at its end.
    Rest,
}

/// A step, and where the release stands meanwhile.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Next {
    /// What to do.
    pub step: Step,
    /// For the report.
    pub phase: Phase,
    /// One sentence for the operator: what happens, or what it waits for.
    pub message: String,
}

fn then(step: Step, phase: Phase, message: impl Into<String>) -> Next {
    Next { step, phase, message: message.into() }
}

fn blocked(why: impl Into<String>) -> Next {
    then(Step::Wait, Phase::Blocked, why)
}

fn write(entry: Entry, phase: Phase, message: impl Into<String>) -> Next {
    then(Step::WriteLedger(Box::new(entry)), phase, message)
}

/// What to do now for one release, from its entry and all that is seen. Calling it again after the step was done, or was
/// cut off by a crash, never does a thing twice (GS-7, GS-8).
pub fn next(entry: &Entry, seen: &Observed, now: Time) -> Next {
    match &entry.phase {
        LedgerPhase::Failed { why } => return then(Step::Rest, Phase::Failed, why),
        LedgerPhase::Refused { why } => return then(Step::Rest, Phase::Refused, why),
        LedgerPhase::Gone => return then(Step::Rest, Phase::Gone, "the release is gone"),
        LedgerPhase::Applied { revision } => return watch(*revision, seen),
        LedgerPhase::Accepted => {}
    }
    if !seen.holds_lease {
        return then(Step::Wait, standing(entry), "another pod of the agent holds the lease");
    }
    if !seen.predecessor_gone {
        return then(Step::Wait, standing(entry), "giving the pod that acted before time to stop its helm");
    }
    if seen.helm_running {
        return then(Step::Wait, Phase::Applying, "helm is at work");
    }
    let Some(history) = &seen.history else {
        return then(Step::ReadHistory, standing(entry), "reading helm's history");
    };
    match &entry.operation {
        Some(operation) => resolve(entry, operation, history, seen, now),
        None => begin(entry, history, seen, now),
    }
}

/// Nothing is said to be before its start once helm may have been at work.
fn standing(entry: &Entry) -> Phase {
    if entry.current_operation().is_some() || entry.attempt > 0 { Phase::Applying } else { Phase::Accepted }
}

fn watch(revision: u32, seen: &Observed) -> Next {
    let step = Step::Watch { revision };
    match seen.health.as_ref().filter(|health| health.revision == revision) {
        None => then(step, Phase::Unhealthy, format!("revision {revision} is deployed; its objects were not looked at yet")),
        Some(health) if health.healthy => then(step, Phase::Healthy, &*health.message),
        Some(health) => then(step, Phase::Unhealthy, &*health.message),
    }
}

/// It will never begin; after an attempt "refused" would say that nothing was touched.
fn refused(entry: &Entry, why: String) -> Next {
    let phase = if entry.attempt == 0 { LedgerPhase::Refused { why: why.clone() } } else { LedgerPhase::Failed { why: why.clone() } };
    write(Entry { phase, ..entry.clone() }, standing(entry), why)
}

/// What became of a helm call whose end is not in the ledger.
fn resolve(entry: &Entry, operation: &Operation, history: &[HistoryEntry], seen: &Observed, now: Time) -> Next {
    if operation.call == HelmCall::Uninstall {
        return resolve_uninstall(entry, operation, history, seen, now);
    }
    match history.iter().find(|candidate| is_of(candidate, operation)) {
        Some(made) if made.status.is_pending() => {
            let (revision, status) = (made.revision, made.status);
            let said = format!("revision {revision} is {status} and its helm is dead: unlocking it");
            then(Step::Unlock { revision }, Phase::Applying, said)
        }
        Some(made) if made.status.was_deployed() => deployed(entry, operation, made, history),
        Some(made) if made.was_interrupted() => interrupted(entry, operation, made),
        Some(made) => {
            let said = helm_error(operation, seen).unwrap_or(&made.description);
            ended(entry, operation, format!("revision {}: {said}", made.revision))
        }
        None => nothing_made(entry, operation, history, seen, now),
    }
}

/// Whether a revision was made by this operation. Helm writes our marker only when it is done; before that, the number that
/// the ledger expected (nobody had it when the ledger was written), the kind of status and the chart have to fit.
fn is_of(candidate: &HistoryEntry, operation: &Operation) -> bool {
    let in_turn = candidate.revision == operation.expected_revision;
    match (&operation.call, candidate.status) {
        (HelmCall::Upgrade { .. }, status) if status.was_deployed() => candidate.marker == Some(operation.marker),
        (HelmCall::Upgrade { content }, RevisionStatus::PendingInstall | RevisionStatus::PendingUpgrade | RevisionStatus::Failed) => {
            in_turn && candidate.chart == chart_label(content)
        }
        (HelmCall::Rollback { to }, status) if status.was_deployed() || status == RevisionStatus::PendingRollback => {
            in_turn && candidate.rollback_to == Some(*to)
        }
        (HelmCall::Rollback { .. }, RevisionStatus::Failed) => in_turn,
        _ => false,
    }
}

/// `<chart>-<version>`, as Helm shows it.
fn chart_label(content: &Content) -> String {
    format!("{}-{}", content.chart.name, content.chart.version)
}

fn helm_error<'a>(operation: &Operation, seen: &'a Observed) -> Option<&'a String> {
    seen.helm_end.as_ref().filter(|end| end.marker == operation.marker)?.error.as_ref()
}

fn deployed(entry: &Entry, operation: &Operation, made: &HistoryEntry, history: &[HistoryEntry]) -> Next {
    let mut entry = Entry { operation: None, ..entry.clone() };
    let holds = match &operation.call {
        HelmCall::Upgrade { content } => RevisionContent::Ours { content: content.clone(), marker: operation.marker },
        HelmCall::Rollback { to } => {
            RevisionContent::CopyOf { revision: *to, content: entry.revisions.get(to).and_then(|held| held.content().cloned()) }
        }
        HelmCall::Uninstall => return write(entry, Phase::Applying, "helm uninstalled the release"),
    };
    entry.revisions.insert(made.revision, holds);
    entry.revisions.retain(|revision, _| history.iter().any(|known| known.revision == *revision));
    if operation.marker.generation == entry.assignment.generation {
        entry.phase = LedgerPhase::Applied { revision: made.revision };
    }
    write(entry, Phase::Applying, format!("helm deployed revision {}", made.revision))
}

fn interrupted(entry: &Entry, operation: &Operation, made: &HistoryEntry) -> Next {
    let mut next = Entry { operation: None, ..entry.clone() };
    let how = if made.description.contains(UNLOCKED) { "was left pending by a dead helm and unlocked" } else { "was interrupted" };
    let said = format!("attempt {} (revision {}) {how}", operation.marker.attempt, made.revision);
    next.note(said.clone());
    if operation.marker.generation == entry.assignment.generation && operation.marker.attempt >= MAX_ATTEMPTS {
        next.phase = LedgerPhase::Failed { why: format!("{said}; it was the last of {MAX_ATTEMPTS}") };
    }
    write(next, Phase::Applying, said)
}

/// The attempt is over and bad. Of an older generation nothing is left to say.
fn ended(entry: &Entry, operation: &Operation, why: String) -> Next {
    let mut next = Entry { operation: None, ..entry.clone() };
    if operation.marker.generation == entry.assignment.generation {
        next.phase = LedgerPhase::Failed { why: why.clone() };
    }
    write(next, Phase::Applying, why)
}

/// No revision in the history is this operation's: helm never came that far, or says why it did not.
fn nothing_made(entry: &Entry, operation: &Operation, history: &[HistoryEntry], seen: &Observed, now: Time) -> Next {
    let ended_here = seen.helm_end.as_ref().filter(|end| end.marker == operation.marker);
    let foreign = foreign_pending(history);
    if operation.marker.generation != entry.assignment.generation || (ended_here.is_some() && foreign.is_some()) {
        let next = Entry { operation: None, ..entry.clone() };
        return write(next, standing(entry), "helm ended without a revision");
    }
    match ended_here.map(|end| &end.error) {
        Some(Some(error)) => return ended(entry, operation, error.clone()),
        Some(None) => return ended(entry, operation, "helm said that it succeeded, and its history does not show it".to_owned()),
        None => {}
    }
    if let Some(lock) = foreign {
        return held_by_another(lock, now);
    }
    if operation.expected_revision != expected(history) {
        let moved = Operation { expected_revision: expected(history), written_at: now, ..operation.clone() };
        let said = "helm died before it made a revision, and the history went on";
        return write(Entry { operation: Some(moved), ..entry.clone() }, Phase::Applying, said);
    }
    start(entry, operation, seen, now)
}

fn resolve_uninstall(entry: &Entry, operation: &Operation, history: &[HistoryEntry], seen: &Observed, now: Time) -> Next {
    let current = operation.marker.generation == entry.assignment.generation;
    if history.is_empty() {
        let mut next = Entry { operation: None, revisions: BTreeMap::new(), ..entry.clone() };
        if current {
            next.phase = LedgerPhase::Gone;
        }
        return write(next, Phase::Applying, "helm uninstalled the release");
    }
    match helm_error(operation, seen) {
        _ if !current => write(Entry { operation: None, ..entry.clone() }, Phase::Applying, "the release is wanted again"),
        Some(error) => ended(entry, operation, error.clone()),
        None => start(entry, operation, seen, now),
    }
}

/// Nothing is begun: what would bring the release to its target, and may it begin?
fn begin(entry: &Entry, history: &[HistoryEntry], seen: &Observed, now: Time) -> Next {
    let satisfied = satisfied(entry, history);
    if let (None, Some(why)) = (&satisfied, refusal::of(entry, history, seen)) {
        return refused(entry, why);
    }
    if let Some(adopted) = adoptable(entry, history) {
        let said = format!("adopted revision {} ({}) as the last good state", adopted.helm_revision, adopted.chart);
        let mut next = Entry { adopted: Some(adopted), ..entry.clone() };
        next.note(said.clone());
        return write(next, standing(entry), said);
    }
    if let Some(next) = satisfied {
        return next;
    }
    if let Some(lock) = foreign_pending(history) {
        return held_by_another(lock, now);
    }
    if entry.attempt >= MAX_ATTEMPTS {
        let why = format!("{MAX_ATTEMPTS} attempts were interrupted");
        return write(Entry { phase: LedgerPhase::Failed { why: why.clone() }, ..entry.clone() }, Phase::Applying, why);
    }
    let call = match call_for(entry, history) {
        Ok(call) => call,
        Err(why) => return refused(entry, why),
    };
    if let Some(waits) = prepare(entry, &call, seen, now) {
        return waits;
    }
    let marker = Marker { generation: entry.assignment.generation, attempt: entry.attempt + 1 };
    let mut next = Entry { attempt: marker.attempt, begun: true, ..entry.clone() };
    next.operation = Some(Operation { marker, expected_revision: expected(history), call, written_at: now });
    if let Crds::Applied { notes } = &seen.crds {
        notes.iter().for_each(|note| next.note(note.clone()));
    }
    write(next, Phase::Applying, format!("starting attempt {}", marker.attempt))
}

/// The first assignment of a release that Helm already has.
fn adoptable(entry: &Entry, history: &[HistoryEntry]) -> Option<Adopted> {
    if entry.adopted.is_some() || !entry.revisions.is_empty() || entry.attempt > 0 {
        return None;
    }
    let found = history.iter().rev().find(|known| known.status == RevisionStatus::Deployed)?;
    let own = found.marker.is_some_and(|marker| marker.generation == entry.assignment.generation);
    (!own).then(|| Adopted { helm_revision: found.revision, chart: found.chart.clone() })
}

/// Whether the target is reached without helm.
fn satisfied(entry: &Entry, history: &[HistoryEntry]) -> Option<Next> {
    let Assignment { target, generation, direction, .. } = &entry.assignment;
    let applied =
        |revision, said: String| Some(write(Entry { phase: LedgerPhase::Applied { revision }, ..entry.clone() }, Phase::Applying, said));
    let gone = |said| Some(write(Entry { phase: LedgerPhase::Gone, revisions: BTreeMap::new(), ..entry.clone() }, standing(entry), said));
    match target {
        Target::Orphaned => return gone("the release stays in the cluster and is managed no more"),
        Target::Uninstalled if history.is_empty() => return gone("helm has no such release"),
        Target::Uninstalled => return None,
        Target::Content(_) | Target::HelmRevision(_) => {}
    }
    // The ledger was lost after helm was done: the marker alone proves that this generation was deployed (GS-7).
    let marked = |known: &&HistoryEntry| known.status.was_deployed() && known.marker.is_some_and(|marker| marker.generation == *generation);
    if let Some(made) = history.iter().rev().find(marked) {
        let mut next = entry.clone();
        if let (Target::Content(content), Some(marker)) = (target, made.marker) {
            next.attempt = next.attempt.max(marker.attempt);
            next.revisions.insert(made.revision, RevisionContent::Ours { content: content.clone(), marker });
        }
        next.phase = LedgerPhase::Applied { revision: made.revision };
        return Some(write(next, Phase::Applying, format!("revision {} already holds this generation", made.revision)));
    }
    let latest = history.last().filter(|latest| latest.status == RevisionStatus::Deployed)?;
    let held = held(entry, latest);
    let there = match target {
        Target::Content(content) => *direction != Direction::Forward && held.and_then(RevisionContent::content) == Some(content),
        Target::HelmRevision(wanted) => latest.revision == *wanted || goes_back_to(entry, history, latest.revision, *wanted),
        Target::Uninstalled | Target::Orphaned => false,
    };
    if there { applied(latest.revision, format!("revision {} already is what is wanted", latest.revision)) } else { None }
}

/// What a revision holds, if the history is still the one that the ledger knows: after an uninstall by hand Helm counts
/// from 1 again.
fn held<'a>(entry: &'a Entry, known: &HistoryEntry) -> Option<&'a RevisionContent> {
    let held = entry.revisions.get(&known.revision)?;
    let same = match held {
        RevisionContent::Ours { marker, .. } => known.marker == Some(*marker),
        RevisionContent::CopyOf { revision, .. } => known.rollback_to == Some(*revision),
    };
    same.then_some(held)
}

/// Whether a revision is a rollback, or a rollback of a rollback, to the wanted one. A rollback always goes to a lower
/// number, so this ends.
fn goes_back_to(entry: &Entry, history: &[HistoryEntry], revision: u32, wanted: u32) -> bool {
    let known = history.iter().find(|known| known.revision == revision);
    match known.and_then(|known| held(entry, known)) {
        Some(RevisionContent::CopyOf { revision: lower, .. }) if *lower < revision => {
            *lower == wanted || goes_back_to(entry, history, *lower, wanted)
        }
        _ => false,
    }
}

/// What helm is to be asked, or why there is nothing that could be asked.
fn call_for(entry: &Entry, history: &[HistoryEntry]) -> Result<HelmCall, String> {
    let usable = |revision: u32| history.iter().any(|known| known.revision == revision && known.status.was_deployed());
    match &entry.assignment.target {
        Target::HelmRevision(to) if usable(*to) => Ok(HelmCall::Rollback { to: *to }),
        Target::HelmRevision(to) => match history.iter().rev().find(|known| goes_back_to(entry, history, known.revision, *to)) {
            Some(copy) if copy.status.was_deployed() => Ok(HelmCall::Rollback { to: copy.revision }),
            _ => Err(format!("revision {to} is not in helm's history any more, and its chart was never ours")),
        },
        Target::Content(content) if entry.assignment.direction == Direction::Back => {
            let holds = |known: &&HistoryEntry| {
                known.status.was_deployed() && held(entry, known).and_then(RevisionContent::content) == Some(content)
            };
            let found = history.iter().rev().find(holds);
            Ok(found.map_or_else(|| HelmCall::Upgrade { content: content.clone() }, |known| HelmCall::Rollback { to: known.revision }))
        }
        Target::Content(content) => Ok(HelmCall::Upgrade { content: content.clone() }),
        Target::Uninstalled | Target::Orphaned => Ok(HelmCall::Uninstall),
    }
}

/// All that has to be so before helm may run; `None` when it is.
fn prepare(entry: &Entry, call: &HelmCall, seen: &Observed, now: Time) -> Option<Next> {
    let phase = standing(entry);
    let upgrade = matches!(call, HelmCall::Upgrade { .. });
    if upgrade {
        match &seen.chart {
            Chart::Ready => {}
            Chart::Missing => return Some(then(Step::Fetch, phase, "fetching chart and values")),
            Chart::Unavailable(why) => return Some(then(Step::Fetch, Phase::Blocked, why)),
        }
        match &seen.preflight {
            Preflight::Passed => {}
            Preflight::Unknown => return Some(then(Step::Preflight, phase, "checking before anything is touched")),
            Preflight::Unavailable(why) => return Some(then(Step::Preflight, Phase::Blocked, why)),
            Preflight::Refused(why) => return Some(refused(entry, why.clone())),
        }
    }
    if let Some(waits) = permitted(phase, seen, now) {
        return Some(waits);
    }
    match &seen.crds {
        _ if !upgrade => None,
        Crds::Applied { .. } => None,
        Crds::Unknown => Some(then(Step::ApplyCrds, Phase::Applying, "applying the chart's CRDs")),
        Crds::Unavailable(why) => Some(then(Step::ApplyCrds, Phase::Blocked, why)),
        Crds::Failed(why) => Some(write(Entry { phase: LedgerPhase::Failed { why: why.clone() }, ..entry.clone() }, Phase::Applying, why)),
    }
}

/// GS-4: valid at the moment of the start, not at the moment of the asking.
fn permitted(phase: Phase, seen: &Observed, now: Time) -> Option<Next> {
    match &seen.permit {
        Permit::Until(until) if now < *until => None,
        Permit::Until(_) => Some(then(Step::AskPermit, phase, "the start permit ran out; asking for another")),
        Permit::Unknown => Some(then(Step::AskPermit, phase, "asking for a start permit")),
        Permit::Refused { ask_at, why } if now >= *ask_at => Some(then(Step::AskPermit, Phase::Blocked, why)),
        Permit::Refused { why, .. } => Some(blocked(why)),
    }
}

/// The operation is in the ledger and made nothing yet: run it, under all the same conditions.
fn start(entry: &Entry, operation: &Operation, seen: &Observed, now: Time) -> Next {
    prepare(entry, &operation.call, seen, now).unwrap_or_else(|| {
        let said = format!("running helm, attempt {}", operation.marker.attempt);
        then(Step::RunHelm { call: operation.call.clone(), marker: operation.marker }, Phase::Applying, said)
    })
}

fn expected(history: &[HistoryEntry]) -> u32 {
    history.last().map_or(1, |latest| latest.revision.saturating_add(1))
}

/// A lock that is not known to be ours; only the latest revision can be one.
fn foreign_pending(history: &[HistoryEntry]) -> Option<&HistoryEntry> {
    history.last().filter(|latest| latest.status.is_pending())
}

/// Each other word is a report that the server stores, so the age moves in steps: 10 of a minute, then of ten minutes, from two
/// hours on of an hour. A lock that is left for a day is told of 43 times.
fn coarse(age: Span) -> String {
    let step = match age {
        age if age < Span::minutes(1) => return "since less than a minute ago".to_owned(),
        age if age < Span::minutes(10) => Span::minutes(1),
        age if age < Span::minutes(120) => Span::minutes(10),
        _ => Span::minutes(60),
    };
    format!("since {} ago", Span(age.0 - age.0 % step.0))
}

fn held_by_another(lock: &HistoryEntry, now: Time) -> Next {
    let (revision, status, age) = (lock.revision, lock.status, coarse(now.since(lock.updated)));
    blocked(format!(
        "revision {revision} is {status} {age} and was not made by this agent: whoever began it has to finish it, or `helm rollback`"
    ))
}
