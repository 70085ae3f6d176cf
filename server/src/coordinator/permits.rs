//! What a cluster may do now: start what it was assigned, and fetch what that names.

use super::Coordinator;
use super::state::State;
use groundswell_core::assignment::{Direction, Target};
use groundswell_core::id::{ClusterName, Digest, Generation, ReleaseName};
use groundswell_core::rollout::{Outcome, State as RolloutState};
use groundswell_core::time::Span;

/// Whether an agent may start.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PermitAnswer {
    /// How long the permit lasts; `None` is a refusal.
    pub granted_for: Option<Span>,
    /// After a refusal, when to ask again.
    pub retry: Span,
    /// Why it was refused.
    pub why: String,
}

impl Coordinator {
    /// Whether an agent may start what it was assigned (GS-4).
    pub fn permit(&self, cluster: &ClusterName, release: &ReleaseName, generation: Generation) -> PermitAnswer {
        let state = self.state();
        match may_start(&state, cluster, release, generation) {
            Ok(()) => PermitAnswer { granted_for: Some(self.config.permit), retry: Span::ZERO, why: String::new() },
            Err(why) => PermitAnswer { granted_for: None, retry: self.config.permit_retry, why },
        }
    }

    /// Whether a cluster's own assignments name this content (GS-12).
    pub fn may_fetch(&self, cluster: &ClusterName, digest: &Digest) -> bool {
        let state = self.state();
        state.cluster_releases.values().filter_map(|known| known.get(cluster)?.assignment.as_ref()).any(|assignment| {
            match &assignment.target {
                Target::Content(content) => content.chart.digest == *digest || content.values.contains(digest),
                Target::HelmRevision(_) | Target::Uninstalled | Target::Orphaned => false,
            }
        })
    }
}

fn may_start(state: &State, cluster: &ClusterName, release: &ReleaseName, generation: Generation) -> Result<(), String> {
    let record = state.clusters.get(cluster).ok_or("the cluster is not enrolled")?;
    if record.revoked.is_some() {
        return Err("the cluster was revoked".into());
    }
    let assignment = state.cluster_release(release, cluster).and_then(|known| known.assignment.as_ref()).ok_or("nothing is assigned")?;
    if assignment.generation != generation {
        return Err(format!("generation {generation} was superseded by {}", assignment.generation));
    }
    if assignment.direction == Direction::Debt {
        return Ok(());
    }
    let head = state.rollouts.get(&assignment.rollout).ok_or("its rollout is not known")?;
    match &head.state {
        RolloutState::Paused { by, why, .. } => Err(format!("{} is paused by {by}: {why}", head.id)),
        RolloutState::Halted { why } if assignment.direction == Direction::Forward => Err(format!("{} is halted: {why}", head.id)),
        RolloutState::RollingBack { why, .. } if assignment.direction == Direction::Forward => {
            Err(format!("{} is going back: {why}", head.id))
        }
        RolloutState::Ended { outcome: Outcome::Aborted, why, .. } => Err(format!("{} was ended: {why}", head.id)),
        // What was in flight when a newer rollout took over finishes, and holds a slot there.
        _ => Ok(()),
    }
}
