//! Generations after a restored store: an agent may have seen higher ones than the store knows.

use super::records::Key;
use super::state::State;
use super::{Coordinator, CoordinatorError, Draft};
use groundswell_core::id::{ClusterName, Epoch, Generation};
use groundswell_core::report::Report;
use groundswell_core::rollout::{Back, ClusterRelease, Forward};

impl Coordinator {
    /// After a restored store an agent may have higher generations than we: ours rise above them, and what is in force is
    /// issued anew, or the agent would not obey it (GS-5).
    pub(super) async fn raise(&self, cluster: &ClusterName, report: &Report) -> Result<(), CoordinatorError> {
        let stored = self.state().cluster_release(&report.release, cluster).map_or(Generation(0), |known| known.generation);
        if report.generation <= stored {
            return Ok(());
        }
        self.write(|state, draft| {
            let mut known = state.cluster_release(&report.release, cluster).cloned().unwrap_or_default();
            if report.generation <= known.generation {
                return Ok(());
            }
            let before = known.generation;
            known.generation = report.generation;
            if known.assignment.is_some() {
                reissue(&mut known, &self.epoch);
                self.renumber(state, draft, cluster, before, &known);
            }
            draft.put(&Key::ClusterRelease(report.release.clone(), cluster.clone()), &known);
            let detail = format!("the agent has generation {}, the store had {before}", report.generation);
            draft.audit(cluster.as_str(), "release.raise", format!("release/{}", report.release), detail);
            Ok(())
        })
        .await
    }

    /// The turn that waited for the old number waits for the new one.
    fn renumber(&self, state: &State, draft: &mut Draft, cluster: &ClusterName, before: Generation, known: &ClusterRelease) {
        let Some(assignment) = &known.assignment else { return };
        let Some(turn) = state.turns_of(&assignment.rollout).get(cluster) else { return };
        let mut turn = turn.clone();
        if let Forward::InFlight { generation, .. } | Forward::Succeeded { generation, .. } = &mut turn.forward
            && *generation == before
        {
            *generation = assignment.generation;
        }
        if let Back::InFlight { generation, .. } = &mut turn.back
            && *generation == before
        {
            *generation = assignment.generation;
        }
        draft.put(&Key::Turn(assignment.rollout.clone(), cluster.clone()), &turn);
    }
}

fn reissue(known: &mut ClusterRelease, epoch: &Epoch) {
    let generation = known.generation.next();
    if let Some(assignment) = &mut known.assignment {
        assignment.generation = generation;
        assignment.epoch = epoch.clone();
        known.generation = generation;
    }
    if let Some(debt) = &mut known.debt
        && debt.paying.is_some()
    {
        debt.paying = Some(generation);
    }
}
