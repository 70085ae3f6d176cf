//! Deletes a release, in waves too, by tombstones (GS-11).

use super::hash::{RECIPE, content_hash, plan_hash};
use super::layout::Subject;
use super::plan;
use super::prepare::{Prepared, PreparedRollout, check_supersede};
use crate::coordinator::records::DocumentRecord;
use crate::coordinator::{Coordinator, CoordinatorError, Refused};
use groundswell_api::dto::{ApplyAction, PlanDto};
use groundswell_core::assignment::{Drift, Target};
use groundswell_core::id::{ClusterName, ReleaseName, RolloutId};
use groundswell_core::limit::Limit;
use groundswell_core::rollout::{Member, Purpose, Snapshot};
use groundswell_core::strategy::Strategy;
use std::collections::BTreeMap;

/// What becomes of the objects.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DeleteMode {
    /// `helm uninstall` in every cluster.
    Uninstall,
    /// They stay, and are ours no more.
    Orphan,
}

impl Coordinator {
    /// Begins to delete a release.
    ///
    /// # Errors
    /// No such release, or a rollout under way that may not be superseded.
    pub async fn delete_release(
        &self,
        name: &ReleaseName,
        mode: DeleteMode,
        supersede: bool,
        by: &str,
    ) -> Result<(RolloutId, PlanDto), CoordinatorError> {
        let (base, before, latest, active) = {
            let state = self.state();
            let not_there = || Refused::not_found(format!("release {name}"), "groundswell get releases");
            let base = state.releases.get(name).filter(|base| !base.deleted).cloned().ok_or_else(not_there)?;
            let before = state.document(name).cloned().ok_or_else(not_there)?;
            let latest = base.latest.as_ref().and_then(|latest| state.rollouts.get(latest)).cloned().ok_or_else(not_there)?;
            let active = state.active(name);
            if let Some(head) = active {
                check_supersede(&head.id, &head.state, supersede)?;
            }
            (base, before, latest, active.map(|head| head.id.clone()))
        };
        let old = self.snapshot(&latest).await?;
        let strategy = forgiving(&old.strategy);
        let snapshot = Snapshot {
            id: RolloutId::new(name, base.rollouts + 1),
            release: name.clone(),
            namespace: old.namespace.clone(),
            purpose: match mode {
                DeleteMode::Uninstall => Purpose::Uninstall,
                DeleteMode::Orphan => Purpose::Orphan,
            },
            chart: None,
            members: self.holders(name, &strategy),
            strategy,
            drift: Drift::Report,
            service_account: old.service_account.clone(),
            create_namespace: false,
            document_revision: base.revision,
            supersedes: active,
            created_at: self.now(),
            created_by: by.to_owned(),
        };
        let id = snapshot.id.clone();
        let hash = plan_hash(&snapshot);
        let plan = plan::describe(&self.state(), self.sessions(), &snapshot, &hash);
        let rollout = PreparedRollout { plan: plan.clone(), content: content_hash(&snapshot), hash, recipe: RECIPE, snapshot };
        let cause = match mode {
            DeleteMode::Uninstall => "delete --uninstall",
            DeleteMode::Orphan => "delete --orphan",
        };
        let document = DocumentRecord { cause: cause.into(), rollout: Some(id.clone()), by: by.to_owned(), at: self.now(), ..before };
        let prepared = Prepared {
            name: name.clone(),
            revision: base.revision + 1,
            base: Some(base),
            action: ApplyAction::Configured,
            document,
            rollout: Some(rollout),
            texts: BTreeMap::new(),
            supersede,
            deletes: true,
            warnings: Vec::new(),
        };
        self.commit_release(&prepared, by).await?;
        Ok((id, plan))
    }

    /// Clusters that have the release, and the wave that each goes with.
    fn holders(&self, name: &ReleaseName, strategy: &Strategy) -> BTreeMap<ClusterName, Member> {
        let state = self.state();
        let holders = state.clusters_of(name).iter().filter_map(|(cluster, known)| {
            let record = state.clusters.get(cluster).filter(|record| record.revoked.is_none())?;
            let target = &known.assignment.as_ref()?.target;
            matches!(target, Target::Content(_) | Target::HelmRevision(_)).then(|| Subject::new(cluster, record))
        });
        let last = strategy.waves.len().saturating_sub(1);
        let member = |subject: Subject| {
            let wave = strategy.waves.iter().position(|wave| wave.selector.matches(&subject.labels)).unwrap_or(last);
            (subject.name, Member { wave, values: Vec::new() })
        };
        holders.map(member).collect()
    }
}

/// The waves as they were, which may be empty by now. Nothing has to stay available of what goes away.
fn forgiving(strategy: &Strategy) -> Strategy {
    let mut strategy = strategy.clone();
    for wave in &mut strategy.waves {
        wave.may_be_empty = true;
        wave.min_available = Limit::None;
    }
    strategy
}
