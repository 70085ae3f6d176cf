//! What the tasks tell each other: the newest word of each release, never a queue. Bounded by the number of releases.

use groundswell_core::agent::{Entry, Next, Observed, Permit, Step};
use groundswell_core::assignment::Target;
use groundswell_core::id::{Generation, ReleaseName};
use groundswell_core::report::Phase;
use groundswell_proto::v1;
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;
use tokio::sync::Notify;
use tonic::transport::Channel;

use crate::convert;

/// Where a release stands, as it will be reported.
#[derive(Clone, Debug)]
struct Status {
    report: v1::Report,
    healthy_since: Option<Instant>,
}

#[derive(Debug, Default)]
struct Place {
    status: Option<Status>,
    /// An assignment that never came into the ledger. Stands in front of what the worker says of older ones, until a newer is taken.
    refused: Option<v1::Report>,
    permit: Option<(Generation, Permit)>,
    wants_permit: Option<Generation>,
    nudge: Arc<Notify>,
}

impl Place {
    /// What the server is to know.
    fn shown(&self) -> Option<v1::Report> {
        let status = || self.status.as_ref().map(|status| v1::Report { healthy_for_ms: healthy_for(status), ..status.report.clone() });
        self.refused.clone().or_else(status)
    }
}

#[derive(Debug, Default)]
struct Inner {
    places: BTreeMap<ReleaseName, Place>,
    sequence: u64,
    channel: Option<Channel>,
    connected: bool,
}

/// Shared by session and workers.
#[derive(Debug, Default)]
pub(crate) struct Board {
    inner: Mutex<Inner>,
    /// Something for the session to send.
    pub(crate) outbound: Notify,
}

impl Board {
    fn lock(&self) -> MutexGuard<'_, Inner> {
        // Nothing in here can be left half-done by a panic.
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Wakes the worker of that release.
    pub(crate) fn nudge_of(&self, release: &ReleaseName) -> Arc<Notify> {
        self.lock().places.entry(release.clone()).or_default().nudge.clone()
    }

    /// A worker says where its release stands. An unchanged word is not sent again.
    pub(crate) fn say(&self, entry: &Entry, next: &Next, seen: &Observed, healthy_since: Option<Instant>) {
        let mut inner = self.lock();
        let mut report = report(entry, next, seen);
        let place = inner.places.entry(entry.assignment.release.clone()).or_default();
        if let Some(known) = &mut place.status {
            report.sequence = known.report.sequence;
            if is_passing(&next.step) && known.report.generation == report.generation && known.report.phase == report.phase {
                // Gone in a moment: each report is a write to the server's disk, in each cluster of a fleet.
                report.message.clone_from(&known.report.message);
            }
            if known.report == report {
                known.healthy_since = healthy_since;
                return;
            }
        }
        inner.sequence += 1;
        report.sequence = inner.sequence;
        tracing::info!(release = report.release, generation = report.generation, phase = ?next.phase, "{}", next.message);
        if let Some(place) = inner.places.get_mut(&entry.assignment.release) {
            place.status = Some(Status { report, healthy_since });
        }
        drop(inner);
        self.outbound.notify_one();
    }

    /// An assignment was refused before it came into the ledger. The same refusal again is not sent again.
    pub(crate) fn refuse(&self, release: &ReleaseName, report: v1::Report) {
        let report = v1::Report { phase: v1::Phase::Refused.into(), ..report };
        let mut inner = self.lock();
        let known = inner.places.get(release).and_then(|place| place.refused.as_ref());
        if known.is_some_and(|known| v1::Report { sequence: known.sequence, ..report.clone() } == *known) {
            return;
        }
        inner.sequence += 1;
        let report = v1::Report { sequence: inner.sequence, ..report };
        inner.places.entry(release.clone()).or_default().refused = Some(report);
        drop(inner);
        self.outbound.notify_one();
    }

    /// An assignment is in the ledger: a refusal that is not newer is over, and the worker is heard again.
    pub(crate) fn taken(&self, release: &ReleaseName, generation: Generation) {
        let mut inner = self.lock();
        let sequence = inner.sequence + 1;
        let Some(place) = inner.places.get_mut(release) else { return };
        if place.refused.take_if(|refused| refused.generation <= generation.0).is_none() {
            return;
        }
        if let Some(status) = &mut place.status {
            // It may have been passed over while the refusal stood.
            status.report.sequence = sequence;
            inner.sequence = sequence;
        }
        drop(inner);
        self.outbound.notify_one();
    }

    /// Reports newer than those of that sequence, oldest first.
    pub(crate) fn reports_after(&self, sequence: u64) -> Vec<v1::Report> {
        let inner = self.lock();
        let mut newer: Vec<_> = inner.places.values().filter_map(Place::shown).filter(|report| report.sequence > sequence).collect();
        newer.sort_by_key(|report| report.sequence);
        newer
    }

    /// The health of every release, for a heartbeat.
    pub(crate) fn health(&self) -> Vec<v1::ReleaseHealth> {
        let inner = self.lock();
        let reports = inner.places.values().filter_map(Place::shown);
        let health = reports.map(|report| v1::ReleaseHealth {
            release: report.release,
            rollout: report.rollout,
            generation: report.generation,
            phase: report.phase,
            healthy_for_ms: report.healthy_for_ms,
            helm_revision: report.helm_revision,
        });
        health.collect()
    }

    /// The permit for a generation, if one was given.
    pub(crate) fn permit(&self, release: &ReleaseName, generation: Generation) -> Permit {
        let inner = self.lock();
        let known = inner.places.get(release).and_then(|place| place.permit.as_ref());
        known.filter(|(of, _)| *of == generation).map(|(_, permit)| permit.clone()).unwrap_or_default()
    }

    /// The server gave or refused a permit.
    pub(crate) fn set_permit(&self, release: &ReleaseName, generation: Generation, permit: Permit) {
        let mut inner = self.lock();
        let place = inner.places.entry(release.clone()).or_default();
        place.permit = Some((generation, permit));
        place.nudge.notify_one();
    }

    /// A worker wants a permit; what was known before is forgotten.
    pub(crate) fn ask_permit(&self, release: &ReleaseName, generation: Generation) {
        let mut inner = self.lock();
        let place = inner.places.entry(release.clone()).or_default();
        place.permit = None;
        place.wants_permit = Some(generation);
        drop(inner);
        self.outbound.notify_one();
    }

    /// Permits to ask for, each once.
    pub(crate) fn take_wanted(&self) -> Vec<(ReleaseName, Generation)> {
        let mut inner = self.lock();
        inner.places.iter_mut().filter_map(|(release, place)| Some((release.clone(), place.wants_permit.take()?))).collect()
    }

    /// The session's connection, for fetches; `None` when there is none.
    pub(crate) fn set_channel(&self, channel: Option<Channel>) {
        self.lock().channel = channel;
    }

    pub(crate) fn channel(&self) -> Option<Channel> {
        self.lock().channel.clone()
    }

    /// Whether a session stands (after its Welcome).
    pub(crate) fn set_connected(&self, connected: bool) {
        self.lock().connected = connected;
    }

    pub(crate) fn connected(&self) -> bool {
        self.lock().connected
    }

    /// Phases of all releases, for metrics.
    pub(crate) fn phases(&self) -> BTreeMap<ReleaseName, v1::Phase> {
        let inner = self.lock();
        inner.places.iter().filter_map(|(release, place)| Some((release.clone(), place.shown()?.phase()))).collect()
    }
}

/// Whether a step takes a moment and its name tells the operator nothing that the phase does not.
fn is_passing(step: &Step) -> bool {
    !matches!(step, Step::RunHelm { .. } | Step::Unlock { .. } | Step::Watch { .. } | Step::Wait | Step::Rest)
}

fn healthy_for(status: &Status) -> u64 {
    status.healthy_since.map_or(0, |since| u64::try_from(since.elapsed().as_millis()).unwrap_or(u64::MAX))
}

/// Without sequence and `healthy_for`, which are added when it is sent.
fn report(entry: &Entry, next: &Next, seen: &Observed) -> v1::Report {
    let assignment = &entry.assignment;
    let chart_digest = match &assignment.target {
        Target::Content(content) => content.chart.digest.to_string(),
        _ => String::new(),
    };
    let made = seen.history.as_ref().and_then(|history| history.last()).map(|latest| latest.revision);
    let revision = entry.applied_revision().or(made.filter(|_| next.phase == Phase::Failed));
    v1::Report {
        release: assignment.release.to_string(),
        rollout: assignment.rollout.to_string(),
        generation: assignment.generation.0,
        chart_digest,
        attempt: entry.attempt,
        sequence: 0,
        phase: convert::phase(next.phase).into(),
        healthy_for_ms: 0,
        helm_revision: revision.unwrap_or_default(),
        message: next.message.clone(),
        adopted: entry.adopted.as_ref().map(|a| v1::AdoptedRelease { helm_revision: a.helm_revision, chart: a.chart.clone() }),
        notes: entry.notes.clone(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn name() -> ReleaseName {
        ReleaseName::new("beacon").unwrap()
    }

    fn about(generation: u64) -> v1::Report {
        v1::Report { release: "beacon".into(), generation, message: "no".into(), ..v1::Report::default() }
    }

    /// As a worker's word would put it there.
    fn stand(board: &Board, generation: u64) {
        let mut inner = board.lock();
        inner.sequence += 1;
        let report = v1::Report { sequence: inner.sequence, phase: v1::Phase::Healthy.into(), ..about(generation) };
        inner.places.entry(name()).or_default().status = Some(Status { report, healthy_since: None });
    }

    #[test]
    fn a_refusal_is_reported_once_and_stands_before_older_words() {
        let board = Board::default();
        stand(&board, 4);
        board.refuse(&name(), about(5));
        let said = board.reports_after(0);
        assert_eq!((said.len(), said[0].generation, said[0].phase()), (1, 5, v1::Phase::Refused));
        assert_eq!((board.health()[0].generation, board.health()[0].healthy_for_ms), (5, 0));
        let sent = said[0].sequence;
        stand(&board, 4);
        board.refuse(&name(), about(5));
        assert!(board.reports_after(sent).is_empty(), "neither the older word nor the same again");
    }

    #[test]
    fn once_a_newer_assignment_is_taken_the_worker_is_heard_again() {
        let board = Board::default();
        board.refuse(&name(), about(5));
        stand(&board, 4);
        let sent = 100;
        board.lock().sequence = sent;
        board.taken(&name(), Generation(4));
        assert!(board.reports_after(sent).is_empty(), "an old assignment that came again ends no newer refusal");
        board.taken(&name(), Generation(6));
        assert_eq!(board.reports_after(sent)[0].phase(), v1::Phase::Healthy);
    }
}
