//! What a cluster has of a release now: its last good state, not what it should have or will get.

use super::enrolment::known;
use super::submit::layout::{Cache, Layers, Subject, Text};
use super::{Coordinator, CoordinatorError, Refused, open_blob};
use groundswell_core::assignment::{Content, Target};
use groundswell_core::id::{ClusterName, Digest, ReleaseName, RolloutId};
use groundswell_core::report::{Phase, Report};
use groundswell_core::rollout::ClusterRelease;
use groundswell_core::time::Time;

/// How it stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Standing {
    Healthy,
    Unhealthy,
    Updating,
    Failed,
}

/// A release in a cluster.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Installed {
    pub(crate) standing: Standing,
    pub(crate) since: Option<Time>,
    pub(crate) message: String,
    /// `None` before the first, and where Helm had it before us.
    pub(crate) content: Option<Content>,
    /// `<chart>-<version>`.
    pub(crate) chart: Option<String>,
    pub(crate) helm_revision: Option<u32>,
    pub(crate) rollout: Option<RolloutId>,
    /// What it should have, where that is something else.
    pub(crate) wanted: Option<Content>,
}

/// A values document that helm was given.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Given {
    pub(crate) name: String,
    pub(crate) text: String,
}

/// What is there; `None` when nothing of ours is, or nothing was ever assigned.
pub(crate) fn installed(known: &ClusterRelease) -> Option<Installed> {
    let assignment = known.assignment.as_ref()?;
    let report = known.current_report();
    let wanted = match &assignment.target {
        Target::Content(content) => Some(content.clone()),
        Target::HelmRevision(_) | Target::Uninstalled | Target::Orphaned => None,
    };
    let standing = match report.map(|report| report.phase) {
        Some(Phase::Gone) => return None,
        Some(Phase::Healthy) => Standing::Healthy,
        Some(Phase::Unhealthy) => Standing::Unhealthy,
        Some(Phase::Failed | Phase::Refused) => Standing::Failed,
        Some(Phase::Accepted | Phase::Blocked | Phase::Applying) | None => Standing::Updating,
    };
    let message = report.map(|report| report.message.clone()).unwrap_or_default();
    let since = report.map(|report| report.healthy_since().unwrap_or(report.received_at));
    // Helm is done with it: the assignment is what is there, whether it is well or not.
    let arrived = wanted.as_ref().filter(|_| matches!(standing, Standing::Healthy | Standing::Unhealthy));
    if let Some(content) = arrived {
        return Some(Installed {
            standing,
            since,
            message,
            chart: Some(format!("{}-{}", content.chart.name, content.chart.version)),
            helm_revision: report.and_then(|report| report.helm_revision),
            rollout: Some(brought_by(known, content).unwrap_or_else(|| assignment.rollout.clone())),
            content: Some(content.clone()),
            wanted: None,
        });
    }
    Some(Installed { standing, since, message, wanted, ..before(known, report) })
}

/// On a way back it was an earlier rollout that brought what is there.
fn brought_by(known: &ClusterRelease, content: &Content) -> Option<RolloutId> {
    known.last_good.as_ref().filter(|good| good.content.as_ref() == Some(content))?.rollout.clone()
}

/// The last good state, or what Helm had before us.
fn before(known: &ClusterRelease, report: Option<&Report>) -> Installed {
    let good = known.last_good.as_ref();
    let adopted = report.and_then(|report| report.adopted.as_ref()).filter(|_| good.is_none());
    Installed {
        standing: Standing::Updating,
        since: None,
        message: String::new(),
        content: good.and_then(|good| good.content.clone()),
        chart: good.map(|good| good.chart.clone()).or_else(|| adopted.map(|adopted| adopted.chart.clone())),
        helm_revision: good.map(|good| good.helm_revision).or(adopted.map(|adopted| adopted.helm_revision)),
        rollout: good.and_then(|good| good.rollout.clone()),
        wanted: None,
    }
}

impl Coordinator {
    /// What a cluster has of a release, and the texts that helm was given for it, in helm's order.
    ///
    /// # Errors
    /// No such cluster, nothing of that release in it, or the texts cannot be read.
    pub(crate) async fn installed(
        &self,
        release: &ReleaseName,
        cluster: &ClusterName,
    ) -> Result<(ClusterRelease, Installed, Vec<Given>), CoordinatorError> {
        let (of_cluster, installed) = {
            let state = self.state();
            known(&state, cluster)?;
            let of_cluster = state.cluster_release(release, cluster).cloned();
            let installed = of_cluster.as_ref().and_then(installed);
            let none = || {
                Refused::not_found(format!("release {release} in cluster {cluster}"), format!("groundswell cluster get {cluster}"))
                    .because("the cluster has nothing of it")
            };
            (of_cluster.ok_or_else(none)?, installed.ok_or_else(none)?)
        };
        let Some(content) = &installed.content else { return Ok((of_cluster, installed, Vec::new())) };
        let (blobs, wanted) = (self.blobs().clone(), content.values.clone());
        let texts = Self::blocking(move || wanted.iter().map(|digest| open_blob(&blobs, digest)).collect::<Result<Vec<_>, _>>()).await??;
        let names = self.names(release, cluster, installed.rollout.as_ref(), content).await;
        let given = texts.into_iter().enumerate().map(|(index, text)| Given {
            name: names.get(index).cloned().unwrap_or_else(|| format!("document {}", index + 1)),
            text: String::from_utf8_lossy(&text).into_owned(),
        });
        let given = given.collect();
        Ok((of_cluster, installed, given))
    }

    /// What the documents were called in the release that the rollout was made from. The texts are what counts: names that cannot be
    /// found any more (the cluster has other labels by now) are missing, and no error.
    async fn names(&self, release: &ReleaseName, cluster: &ClusterName, rollout: Option<&RolloutId>, content: &Content) -> Vec<String> {
        let texts = match rollout {
            Some(rollout) => self.laid_out(release, cluster, rollout).await.unwrap_or_default(),
            None => Vec::new(),
        };
        let is_same = texts.len() == content.values.len();
        let name = |(index, digest): (usize, &Digest)| {
            let found = texts.iter().find(|text| text.digest == *digest).or_else(|| texts.get(index).filter(|_| is_same));
            found.map_or_else(|| format!("document {}", index + 1), |text| text.name.clone())
        };
        content.values.iter().enumerate().map(name).collect()
    }

    async fn laid_out(&self, release: &ReleaseName, cluster: &ClusterName, rollout: &RolloutId) -> Option<Vec<Text>> {
        let (head, subject) = {
            let state = self.state();
            (state.rollouts.get(rollout)?.clone(), Subject::new(cluster, state.clusters.get(cluster)?))
        };
        let snapshot = self.snapshot(&head).await.ok()?;
        let stored = self.stored(release, snapshot.document_revision).await.ok()?;
        let layers = Layers::read(&stored.record.source, &stored.release, &stored.files).ok()?;
        layers.for_cluster(&subject, &mut Cache::default()).ok()
    }
}
