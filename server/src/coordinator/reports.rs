//! Reports: made durable in batches, each with its audit record, before they are acknowledged.

use super::records::Key;
use super::sessions::{HealthFact, SessionHandle};
use super::state::State;
use super::{Chain, Coordinator, CoordinatorError, Draft, batch};
use groundswell_core::report::Report;
use std::collections::BTreeMap;
use std::sync::Weak;
use tokio::sync::{mpsc, oneshot};
use tokio_util::sync::CancellationToken;

/// Bytes of a report's message: helm's own errors fit.
const MAX_MESSAGE: usize = 2_000;

/// Notes of one report, and bytes of each. With the message they are 5 KB; a cluster's release, with assignment and debt of a
/// hundred values documents each, stays below 20 KB, so that a transaction of 33 clusters stays below the store's 1 MiB.
const MAX_NOTES: usize = 10;
const MAX_NOTE: usize = 300;

/// A report, and who waits for it to be durable.
pub(super) struct Queued {
    report: Report,
    answer: oneshot::Sender<Result<(), String>>,
}

impl Coordinator {
    /// Takes a report; durable when it returns. One about a generation or rollout that is not in force (or that came
    /// before) is dropped, and acknowledged all the same: the agent has nothing to say that is news.
    ///
    /// # Errors
    /// The session has ended, or the store failed: the agent must say it again.
    pub async fn report(&self, session: &SessionHandle, mut report: Report) -> Result<(), CoordinatorError> {
        self.check_session(session)?;
        report.cluster = session.cluster().clone();
        report.incarnation = session.incarnation().clone();
        report.received_at = self.now();
        bound(&mut report);
        let health = HealthFact {
            release: report.release.clone(),
            rollout: report.rollout.clone(),
            generation: report.generation,
            phase: report.phase,
            healthy_for: report.healthy_for,
            helm_revision: report.helm_revision,
        };
        let is_news = self.state().cluster_release(&report.release, &report.cluster).is_some_and(|known| known.is_news(&report));
        if is_news {
            self.at("report.before");
            let (answer, durable) = oneshot::channel();
            let gone = |_| CoordinatorError::SteppedDown("reports are no longer taken".into());
            self.reports
                .send(Queued { report, answer })
                .await
                .map_err(|_| CoordinatorError::SteppedDown("reports are no longer taken".into()))?;
            durable.await.map_err(gone)?.map_err(CoordinatorError::Cut)?;
            self.at("report.after");
        }
        if self.sessions.heard(session, [health]) {
            self.nudge();
        }
        Ok(())
    }
}

/// What an agent sends is cut to what a record bears.
fn bound(report: &mut Report) {
    cut(&mut report.message, MAX_MESSAGE);
    report.notes.truncate(MAX_NOTES);
    report.notes.iter_mut().for_each(|note| cut(note, MAX_NOTE));
    cut(&mut report.chart_digest, 64);
    if let Some(adopted) = &mut report.adopted {
        cut(&mut adopted.chart, MAX_NOTE);
    }
}

/// Control characters have six bytes in JSON, and no meaning to whoever reads the message.
fn cut(text: &mut String, max: usize) {
    if text.chars().any(char::is_control) {
        *text = text.replace(char::is_control, " ");
    }
    text.truncate(text.floor_char_boundary(max));
}

/// Commits what has gathered while the last transaction was made durable.
pub(super) async fn run(coordinator: Weak<Coordinator>, mut queue: mpsc::Receiver<Queued>, stop: CancellationToken) {
    while let Some((coordinator, batch)) = batch::next(&coordinator, &mut queue, &stop).await {
        let (reports, answers): (Vec<Report>, Vec<_>) = batch.into_iter().map(|queued| (queued.report, queued.answer)).unzip();
        let count = reports.len() as u64;
        let done = coordinator
            .write(|state, draft| {
                store(state, draft, reports);
                Ok(())
            })
            .await;
        coordinator.metrics.reports.inc_by(count);
        let done = done.map_err(|error| Chain(&error).to_string());
        for answer in answers {
            // Who no longer waits will say it again.
            drop(answer.send(done.clone()));
        }
    }
}

fn store(state: &State, draft: &mut Draft, reports: Vec<Report>) {
    let mut changed = BTreeMap::new();
    for report in reports {
        let key = (report.release.clone(), report.cluster.clone());
        let before = changed.get(&key).or_else(|| state.cluster_release(&key.0, &key.1));
        let Some(mut known) = before.filter(|known| known.is_news(&report)).cloned() else { continue };
        let detail = format!("generation {} attempt {}: {:?} {}", report.generation, report.attempt, report.phase, report.message);
        draft.audit(report.cluster.as_str(), "report", format!("release/{}", report.release), detail);
        known.report = Some(report);
        changed.insert(key, known);
    }
    for ((release, cluster), known) in changed {
        draft.put(&Key::ClusterRelease(release, cluster), &known);
    }
}
