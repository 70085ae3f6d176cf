//! A frozen plan in the words of the operator API.

use crate::coordinator::sessions::Sessions;
use crate::coordinator::state::State;
use groundswell_api::dto::{AdoptedDto, ChartBrief, ClusterNote, PlanDto, PlanWaveDto};
use groundswell_core::assignment::{ChartRef, Target};
use groundswell_core::id::Digest;
use groundswell_core::limit::Limit;
use groundswell_core::rollout::{Purpose, Snapshot};
use groundswell_core::strategy::OnFailure;

/// Clusters that are named in a note; the page stays readable at 10,000.
const MAX_NOTES: usize = 200;

pub(crate) fn brief(chart: &ChartRef) -> ChartBrief {
    ChartBrief { name: chart.name.clone(), version: chart.version.clone(), digest: chart.digest.to_string() }
}

pub(crate) fn failure_budget(limit: Limit, size: usize) -> Option<u64> {
    (limit != Limit::None).then(|| limit.failure_budget(size) as u64)
}

/// The plan alone, without what is known of the clusters.
pub(crate) fn empty(snapshot: &Snapshot, hash: &Digest) -> PlanDto {
    let waves = snapshot.strategy.waves.iter().enumerate().map(|(index, wave)| {
        let clusters: Vec<String> = snapshot.wave_members(index).map(ToString::to_string).collect();
        let size = clusters.len();
        PlanWaveDto {
            name: wave.name.to_string(),
            clusters,
            max_concurrent: wave.max_concurrent.max_concurrent(size) as u64,
            failure_budget: failure_budget(wave.failure_budget, size),
            min_available: wave.min_available.min_available(size) as u64,
            bake: wave.bake.to_string(),
            approval: wave.approval,
        }
    });
    PlanDto {
        plan_hash: hash.to_string(),
        chart: snapshot.chart.as_ref().map(brief),
        namespace: snapshot.namespace.to_string(),
        waves: waves.collect(),
        on_failure: match snapshot.strategy.on_failure {
            OnFailure::Halt => "halt",
            OnFailure::RollbackFailed => "rollbackFailed",
            OnFailure::RollbackAll => "rollbackAll",
        }
        .into(),
        deadline: snapshot.strategy.each.deadline.to_string(),
        adopted: Vec::new(),
        skipped: Vec::new(),
        outdated: Vec::new(),
        supersedes: snapshot.supersedes.as_ref().map(ToString::to_string),
    }
}

/// The plan with what it will find.
pub(crate) fn describe(state: &State, sessions: &Sessions, snapshot: &Snapshot, hash: &Digest) -> PlanDto {
    let mut plan = empty(snapshot, hash);
    let known = state.clusters_of(&snapshot.release);
    if snapshot.purpose == Purpose::Apply {
        for name in snapshot.members.keys() {
            if known.get(name).is_some_and(|known| known.assignment.is_some()) || plan.adopted.len() >= MAX_NOTES {
                continue;
            }
            let live = sessions.live(name);
            let found =
                live.found.iter().find(|found| found.name == snapshot.release.as_str() && found.namespace == snapshot.namespace.as_str());
            plan.adopted.extend(found.map(|found| AdoptedDto {
                cluster: name.to_string(),
                chart: found.chart.clone(),
                helm_revision: found.revision,
            }));
        }
    }
    let has_it = known
        .iter()
        .filter(|(_, known)| matches!(known.assignment.as_ref().map(|a| &a.target), Some(Target::Content(_) | Target::HelmRevision(_))));
    let left = has_it.filter(|(name, _)| !snapshot.members.contains_key(*name)).take(MAX_NOTES);
    plan.outdated.extend(left.map(|(name, _)| ClusterNote {
        cluster: name.to_string(),
        why: "has the release, and no selector matches it any more; it keeps its chart".into(),
    }));
    plan
}
