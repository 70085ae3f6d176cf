//! Clusters that joined since a release's last finished rollout are owed its version, not the one in flight.

use crate::coordinator::records::Key;
use crate::coordinator::state::State;
use crate::coordinator::submit::layout::{Cache, Layers, Subject};
use crate::coordinator::{Chain, Coordinator, CoordinatorError, put_blob};
use groundswell_core::assignment::{Assignment, Content, Direction, Target};
use groundswell_core::id::{ClusterName, Digest, Epoch, Generation, ReleaseName};
use groundswell_core::rollout::{ClusterRelease, Debt, Head, Outcome, Purpose, Snapshot, State as RolloutState};
use groundswell_core::selector::Selector;

/// Clusters of one transaction: a record and an audit record for each.
const MAX_JOINERS: usize = 40;

/// A cluster that lacks a release, and the rollout whose version it gets.
struct Joiner {
    release: ReleaseName,
    head: Head,
    subject: Subject,
}

impl Coordinator {
    /// Writes down what clusters are owed that joined; the debts are paid like any other.
    pub(crate) async fn owe_joiners(&self) -> Result<(), CoordinatorError> {
        let joiners = joiners(&self.state());
        for joiner in joiners {
            if let Err(error) = self.owe(&joiner).await {
                // One cluster without a variable keeps no other from its release.
                tracing::warn!(cluster = %joiner.subject.name, release = %joiner.release, error = %Chain(&error), "a cluster that joined cannot be given the release");
            }
        }
        Ok(())
    }

    async fn owe(&self, joiner: &Joiner) -> Result<(), CoordinatorError> {
        let snapshot = self.snapshot(&joiner.head).await?;
        // A member that the rollout left behind has its debt from there; what left the fleet and came back is a joiner.
        let (Purpose::Apply, Some(chart)) = (snapshot.purpose, snapshot.chart.clone()) else { return Ok(()) };
        let values = self.values_for(&joiner.release, &snapshot, &joiner.subject).await?;
        let target = Target::Content(Content { chart, values });
        let name = &joiner.subject.name;
        self.write(|state, draft| {
            let known = state.cluster_release(&joiner.release, name).cloned().unwrap_or_default();
            if known.assignment.is_some() || known.debt.is_some() {
                return Ok(());
            }
            let order = order(&snapshot, name, target, draft.now());
            let why = format!("joined after {} finished", snapshot.id);
            let debt = Debt { rollout: snapshot.id.clone(), order, why: why.clone(), since: draft.now(), paying: None, failed: None };
            draft.put(&Key::ClusterRelease(joiner.release.clone(), name.clone()), &ClusterRelease { debt: Some(debt), ..known });
            draft.audit("planner", "release.owe", format!("release/{}", joiner.release), format!("{name}: {why}"));
            Ok(())
        })
        .await
    }

    /// The values of the rollout's own document, laid out for a cluster that was not there then.
    async fn values_for(&self, release: &ReleaseName, snapshot: &Snapshot, subject: &Subject) -> Result<Vec<Digest>, CoordinatorError> {
        let stored = self.stored(release, snapshot.document_revision).await?;
        let all = |refused| {
            crate::coordinator::Refused::all(refused)
                .map_or_else(|| CoordinatorError::Cut("values cannot be read".into()), CoordinatorError::from)
        };
        let layers = Layers::read(&stored.record.source, &stored.release, &stored.files).map_err(all)?;
        let texts = layers.for_cluster(subject, &mut Cache::default())?;
        let blobs = self.blobs().clone();
        Self::blocking(move || texts.iter().map(|text| put_blob(&blobs, text.text.as_bytes())).collect()).await?
    }
}

fn joiners(state: &State) -> Vec<Joiner> {
    let mut joiners = Vec::new();
    for (release, record) in state.releases.iter().filter(|(_, record)| !record.deleted) {
        let Some(head) = last_finished(state, release) else { continue };
        let Some(selector) = state.document(release).and_then(|document| document.selector.parse::<Selector>().ok()) else { continue };
        let known = state.clusters_of(release);
        let lacks = |name: &ClusterName| known.get(name).is_none_or(|known| known.assignment.is_none() && known.debt.is_none());
        // Only those who came later: a label that changed alters nothing until the next rollout.
        let came = state
            .clusters
            .iter()
            .filter(|(name, cluster)| cluster.revoked.is_none() && cluster.enrolled_at > head.created_at && lacks(name));
        for (name, cluster) in came {
            let subject = Subject::new(name, cluster);
            let is_in_flight = record.latest.as_ref().is_some_and(|latest| state.turns_of(latest).contains_key(name));
            if selector.matches(&subject.labels) && !is_in_flight && joiners.len() < MAX_JOINERS {
                joiners.push(Joiner { release: release.clone(), head: head.clone(), subject });
            }
        }
    }
    joiners
}

/// The newest rollout of a release that succeeded.
fn last_finished(state: &State, release: &ReleaseName) -> Option<Head> {
    let succeeded =
        |head: &&Head| matches!(head.state, RolloutState::Ended { outcome: Outcome::Succeeded | Outcome::SucceededWithDebt, .. });
    let of_release = state.rollouts.values().filter(|head| head.release == *release).filter(succeeded);
    of_release.max_by_key(|head| head.created_at).cloned()
}

fn order(snapshot: &Snapshot, cluster: &ClusterName, target: Target, now: groundswell_core::time::Time) -> Assignment {
    Assignment {
        cluster: cluster.clone(),
        release: snapshot.release.clone(),
        namespace: snapshot.namespace.clone(),
        rollout: snapshot.id.clone(),
        generation: Generation(0),
        epoch: Epoch::default(),
        direction: Direction::Debt,
        target,
        issued_at: now,
        deadline: snapshot.strategy.each.deadline,
        service_account: snapshot.service_account.clone(),
        drift: snapshot.drift,
        create_namespace: snapshot.create_namespace,
    }
}
