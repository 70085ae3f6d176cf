//! One release's worker: looks, asks `core::agent::next` what to do, does it, looks again.

use super::{Tenure, hands, now};
use crate::cluster::objects::Objects;
use crate::cluster::stuck;
use crate::keeper::KeeperError;
use crate::link::told;
use groundswell_core::agent::{Entry, HealthSeen, HelmCall, Next, Observed, Step, next};
use groundswell_core::assignment::{Direction, Target};
use groundswell_core::id::{Generation, ReleaseName};
use groundswell_core::report::Phase;
use groundswell_core::time::Span;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::sync::Notify;

/// After a step that could not be done, and while waiting for something outside.
const AGAIN: Duration = Duration::from_secs(2);
/// Between two looks at a release that is not healthy, or is for less than `YOUNG`.
const OFTEN: Duration = Duration::from_millis(800);
const YOUNG: Duration = Duration::from_secs(120);
/// Between two looks at a release that rests.
const SELDOM: Duration = Duration::from_secs(5);
/// Between two looks for another helm's work.
const DRIFT: Duration = Duration::from_secs(60);
/// A StatefulSet gets so long to go on by itself before a pod that holds it up is deleted.
const HELP: Duration = Duration::from_secs(3);
/// At rest nothing is due; this only bounds what a lost nudge costs.
const REST: Duration = Duration::from_secs(60);

/// The objects that are watched, and what came of it.
struct Watching {
    revision: u32,
    objects: Objects,
    healthy_since: Option<Instant>,
    drift_due: Instant,
    drift: Option<String>,
    /// When StatefulSets that are held up are next helped.
    help_due: Instant,
    helped: Vec<String>,
}

pub(crate) struct Worker {
    tenure: Arc<Tenure>,
    release: ReleaseName,
    nudge: Arc<Notify>,
    generation: Generation,
    seen: Observed,
    /// Why the last step could not be done; said with the report, or an operator would only see that nothing happens.
    trouble: Option<String>,
    watching: Option<Watching>,
}

impl Worker {
    pub(crate) fn new(tenure: Arc<Tenure>, release: ReleaseName) -> Self {
        let nudge = tenure.board.nudge_of(&release);
        Self { tenure, release, nudge, generation: Generation::default(), seen: Observed::default(), trouble: None, watching: None }
    }

    /// Works until the tenure is over.
    pub(crate) async fn run(mut self) -> Result<(), KeeperError> {
        let over = self.tenure.over.clone();
        while !over.is_cancelled() {
            let Some(entry) = self.tenure.keeper.entry(&self.release).await else { return Ok(()) };
            self.refresh(&entry);
            let next = next(&entry, &self.seen, now());
            self.say(&entry, &next);
            if let Step::RunHelm { call, marker } = &next.step {
                // Not cut off: helm is told to end, and its end is awaited.
                self.seen.history = None;
                self.seen.helm_end = hands::run_helm(&self.tenure, &entry, call, *marker).await;
                continue;
            }
            let carried_out = tokio::select! {
                () = over.cancelled() => return Ok(()),
                carried_out = self.carry_out(&entry, &next) => carried_out,
            };
            carried_out?;
        }
        Ok(())
    }

    /// What is seen holds for one generation.
    fn refresh(&mut self, entry: &Entry) {
        if self.generation != entry.assignment.generation {
            self.generation = entry.assignment.generation;
            self.seen = Observed::default();
        }
        // A worker lives within a tenure: it exists because the Lease was won, which takes as long as a predecessor needs. But a
        // process that was stopped for a while finds out only later that its Lease went on.
        self.seen.holds_lease = self.tenure.holds_lease();
        self.seen.predecessor_gone = true;
        self.seen.own_namespace = Some(self.tenure.config.cluster.namespace.clone());
        self.seen.permit = self.tenure.board.permit(&self.release, self.generation);
    }

    fn say(&self, entry: &Entry, next: &Next) {
        let watching = self.watching.as_ref().filter(|watching| entry.applied_revision() == Some(watching.revision));
        let healthy_since = watching.and_then(|watching| watching.healthy_since).filter(|_| next.phase == Phase::Healthy);
        let mut entry = entry.clone();
        if let Some(drift) = watching.and_then(|watching| watching.drift.as_ref()) {
            entry.note(drift);
        }
        watching.iter().flat_map(|watching| &watching.helped).for_each(|helped| entry.note(helped));
        match &self.trouble {
            None => self.tenure.board.say(&entry, next, &self.seen, healthy_since),
            Some(trouble) => {
                let phase = if next.phase == Phase::Accepted { Phase::Blocked } else { next.phase };
                let next =
                    Next { step: next.step.clone(), phase, message: format!("{}: {trouble}; tried again every {AGAIN:?}", next.message) };
                self.tenure.board.say(&entry, &next, &self.seen, healthy_since);
            }
        }
    }

    /// A step could not be done: said, and tried again after a while.
    async fn stumble(&mut self, why: String) {
        if self.trouble.as_ref() != Some(&why) {
            tracing::warn!(release = %self.release, "{why}");
        }
        self.trouble = Some(why);
        tokio::time::sleep(AGAIN).await;
    }

    async fn carry_out(&mut self, entry: &Entry, next: &Next) -> Result<(), KeeperError> {
        if next.phase == Phase::Blocked && next.step != Step::Wait {
            self.pause(AGAIN).await;
        }
        let content = match (entry.operation.as_ref().map(|operation| &operation.call), &entry.assignment.target) {
            (Some(HelmCall::Upgrade { content }), _) | (_, Target::Content(content)) => Some(content),
            _ => None,
        };
        match &next.step {
            Step::ReadHistory => self.read_history(entry).await,
            Step::AskPermit => {
                self.tenure.board.ask_permit(&self.release, self.generation);
                self.pause(AGAIN).await;
            }
            Step::Fetch => {
                if let Some(content) = content {
                    self.seen.chart = hands::fetch(&self.tenure, content).await;
                }
            }
            Step::Preflight => self.seen.preflight = hands::preflight(&self.tenure, entry).await,
            Step::ApplyCrds => {
                if let Some(content) = content {
                    self.seen.crds = hands::apply_crds(&self.tenure, content).await;
                }
            }
            Step::WriteLedger(written) => {
                self.tenure.keeper.write((**written).clone()).await?;
            }
            Step::Unlock { revision } => self.unlock(entry, *revision).await,
            Step::Watch { revision } => self.watch(entry, *revision).await,
            Step::Wait => {
                self.pause(AGAIN).await;
                self.seen.history = None;
            }
            Step::Rest => self.pause(REST).await,
            Step::RunHelm { .. } => {}
        }
        Ok(())
    }

    async fn pause(&self, most: Duration) {
        tokio::select! {
            () = self.nudge.notified() => {}
            () = tokio::time::sleep(most) => {}
        }
    }

    async fn read_history(&mut self, entry: &Entry) {
        match self.tenure.records.history(&entry.assignment.namespace, &self.release).await {
            Ok(history) => {
                self.trouble = None;
                self.seen.history = Some(history);
            }
            Err(error) => self.stumble(told(&error)).await,
        }
    }

    async fn unlock(&mut self, entry: &Entry, revision: u32) {
        tracing::warn!(release = %self.release, revision, "unlocking a pending revision that a dead helm of ours left behind");
        if let Err(error) = self.tenure.records.unlock(&entry.assignment.namespace, &self.release, revision).await {
            self.stumble(told(&error)).await;
        }
        self.seen.history = None;
    }

    async fn watch(&mut self, entry: &Entry, revision: u32) {
        if self.watching.as_ref().is_none_or(|watching| watching.revision != revision) {
            self.watching = None;
            match self.begin_watching(entry, revision).await {
                Ok(watching) => (self.watching, self.trouble) = (Some(watching), None),
                Err(why) => return self.stumble(format!("the objects of revision {revision} are not known: {why}")).await,
            }
        }
        let Some(watching) = &mut self.watching else { return };
        let look = watching.objects.look().await;
        watching.healthy_since = if look.healthy { watching.healthy_since.or_else(|| Some(Instant::now())) } else { None };
        let since = watching.healthy_since.map(|since| since.elapsed()).unwrap_or_default();
        if watching.drift_due <= Instant::now() {
            watching.drift_due = Instant::now() + DRIFT;
            if let Ok(latest) = self.tenure.records.latest(&entry.assignment.namespace, &self.release).await {
                watching.drift = drift(latest, revision);
            }
        }
        if watching.help_due <= Instant::now() {
            watching.help_due = Instant::now() + HELP;
            let back = entry.assignment.direction == Direction::Back;
            for (namespace, name) in &look.waiting_sets {
                match stuck::release(&self.tenure.client, namespace, name, back).await {
                    Ok(helped) => watching.helped.extend(helped),
                    Err(error) => tracing::warn!(release = %self.release, "StatefulSet {name}: {}", told(&error)),
                }
            }
        }
        let healthy_for = Span(u64::try_from(since.as_millis()).unwrap_or(u64::MAX));
        let seen = HealthSeen { revision, healthy: look.healthy, healthy_for, message: look.message };
        // A change is said at once; the same again is looked at after a while.
        let changed = self.seen.health.as_ref().is_none_or(|known| known.healthy != seen.healthy || known.message != seen.message);
        self.seen.health = Some(seen);
        if !changed {
            self.pause(if look.healthy && since > YOUNG { SELDOM } else { OFTEN }).await;
        }
    }

    async fn begin_watching(&self, entry: &Entry, revision: u32) -> Result<Watching, String> {
        let namespace = &entry.assignment.namespace;
        let record = self.tenure.records.record(namespace, &self.release, revision).await.map_err(|error| told(&error))?;
        let objects = Objects::new(self.tenure.client.clone(), namespace.as_str(), &record.manifest)?;
        let now = Instant::now();
        Ok(Watching { revision, objects, healthy_since: None, drift_due: now, drift: None, help_due: now + HELP, helped: Vec::new() })
    }
}

/// What another helm did since.
fn drift(latest: Option<(u32, String)>, ours: u32) -> Option<String> {
    match latest {
        None => Some("the release was uninstalled by somebody else".to_owned()),
        Some((revision, status)) if revision > ours => {
            Some(format!("revision {revision} ({status}) was made by somebody else after our {ours}"))
        }
        Some(_) => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn another_helms_work_is_seen() {
        assert_eq!(drift(Some((3, "deployed".into())), 3), None);
        assert!(drift(Some((4, "failed".into())), 3).unwrap().contains("revision 4 (failed)"));
        assert!(drift(None, 3).unwrap().contains("uninstalled"));
    }
}
