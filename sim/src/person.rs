//! What people do: submit, pause, retry, enrol a cluster. Each act is committed as the server commits it.

use crate::coordinator::{is_under_way, writes_of};
use crate::fleet::Submission;
use crate::records::Write;
use crate::world::{Event, World};
use groundswell_core::assignment::{Assignment, Direction, Drift};
use groundswell_core::id::{ClusterName, Epoch, Generation, ReleaseName, RolloutId};
use groundswell_core::planner::{apply, command};
use groundswell_core::rollout::{Carried, ClusterRelease, Debt, Head, Outcome, State, Turn};
use groundswell_core::time::Span;
use std::collections::BTreeMap;
use std::rc::Rc;

/// An act on the newest rollout of a release.
#[derive(Clone, Debug)]
pub enum Act {
    /// No new cluster starts.
    Pause,
    /// Goes on.
    Resume,
    /// Lets the open wave through.
    Approve,
    /// Another try.
    Retry(ClusterName),
    /// Left out.
    Skip(ClusterName),
    /// Ends it where it stands.
    Abort,
    /// Takes it back.
    Undo,
}

impl World {
    /// Submits a rollout; one that is under way is superseded. The answer is its id, or why not.
    ///
    /// # Errors
    /// No coordinator is up, or it crashed over it.
    pub fn submit(&mut self, submission: &Submission) -> Result<RolloutId, String> {
        let now = self.now;
        let number = self.leader_number().ok_or("no coordinator is up")?;
        let leader = self.leaders.get(&number).ok_or("no coordinator is up")?;
        let records = &leader.records;
        let mut record = records.index.get(&submission.release).cloned().unwrap_or_default();
        record.rollouts += 1;
        let id = RolloutId::new(&submission.release, record.rollouts);
        let before = records.latest(&submission.release).cloned();
        let (head, mut snapshot) = submission.freeze(&id, before.as_ref().map(|head| head.id.clone()), now);
        snapshot.members.retain(|name, _| records.clusters.get(name) == Some(&true));
        record.latest = Some(id.clone());
        let mut writes = vec![
            Write::Audit(format!("submit {id}")),
            Write::Index(submission.release.clone(), record),
            Write::Head(Box::new(head), Some(Rc::new(snapshot))),
        ];
        if let Some(mut before) = before {
            let empty = BTreeMap::new();
            let turns = records.turns_of(&before.id).unwrap_or(&empty);
            let (ended, mut carried) = command::supersede(turns, &id, now);
            if before.state.is_ended() {
                // A rollout that a person aborted may have left work under way.
                carried.retain(|name, _| turns.get(name).is_some_and(|turn| is_under_way(turn, now)));
            } else {
                apply(&[ended], &mut before, &mut BTreeMap::new(), &mut BTreeMap::new());
                writes.push(Write::Head(Box::new(before), None));
            }
            carried.extend(self.debts_under_way(&submission.release));
            writes.extend(carried.into_iter().map(|(name, turn)| Write::Turn(id.clone(), name, Box::new(turn))));
        }
        if self.commit(number, writes) { Ok(id) } else { Err("the coordinator went down over it".into()) }
    }

    /// Clusters that pay a debt as a rollout begins hold a slot in it.
    fn debts_under_way(&self, release: &ReleaseName) -> BTreeMap<ClusterName, Turn> {
        let known = self.store.records().releases.get(release).into_iter().flatten();
        let carried = known.filter_map(|(name, known)| {
            let generation = known.debt.as_ref()?.paying?;
            let until = known.assignment.as_ref()?.ends_at();
            Some((name.clone(), Turn { carried: Some(Carried { generation, until }), ..Turn::default() }))
        });
        carried.collect()
    }

    /// Acts on the newest rollout of a release.
    ///
    /// # Errors
    /// Why it does not fit where the rollout stands, or that no coordinator took it.
    pub fn act(&mut self, release: &ReleaseName, act: &Act) -> Result<(), String> {
        let now = self.now;
        let number = self.leader_number().ok_or("no coordinator is up")?;
        let leader = self.leaders.get(&number).ok_or("no coordinator is up")?;
        let records = &leader.records;
        let head = records.latest(release).ok_or("there is no rollout")?;
        let snapshot = records.snapshots.get(&head.id).ok_or("there is no snapshot")?;
        let empty = BTreeMap::new();
        let turns = records.turns_of(&head.id).unwrap_or(&empty);
        let changes = match act {
            Act::Pause => command::pause(head, "ann", "incident"),
            Act::Resume => command::resume(head),
            Act::Approve => command::approve(snapshot, head, turns, None, None, "ann", None, now),
            Act::Retry(cluster) => command::retry(snapshot, head, turns, cluster),
            Act::Skip(cluster) => command::skip(snapshot, head, turns, cluster, "ann", "broken", now),
            Act::Abort => command::abort(head, "ann", "enough", now),
            Act::Undo => command::undo(head, "ann", ""),
        };
        let changes = changes.map_err(|refusal| refusal.to_string())?;
        let id = head.id.clone();
        let mut writes = writes_of(records, Some(&id), release, &changes);
        writes.push(Write::Audit(format!("{act:?}")));
        if let Act::Retry(cluster) = act {
            self.truth.second_try(&id, cluster);
        }
        if self.commit(number, writes) { Ok(()) } else { Err("the coordinator went down over it".into()) }
    }

    /// A debt whose payment failed is tried again.
    pub(crate) fn retry_debt(&mut self, release: &ReleaseName, cluster: &ClusterName) {
        let Some(number) = self.leader_number() else { return };
        let Some(known) = self.leaders.get(&number).and_then(|leader| leader.records.release(release, cluster)) else { return };
        let Some(debt) = known.debt.clone().filter(|debt| debt.failed.is_some()) else { return };
        let known = ClusterRelease { debt: Some(Debt { failed: None, ..debt }), ..known.clone() };
        self.commit(number, vec![Write::Release(release.clone(), cluster.clone(), Box::new(known)), Write::Audit("retry".into())]);
    }

    /// A cluster enrols. It is owed the last version that finished, not the one in flight.
    pub fn enrol(&mut self, site: usize) {
        let (name, now) = (self.sites[site].name.clone(), self.now);
        let Some(number) = self.leader_number() else { return };
        let Some(leader) = self.leaders.get(&number).filter(|_| !self.sites[site].enrolled) else { return };
        let mut writes = vec![Write::Audit(format!("enrol {name}")), Write::Cluster(name.clone(), true)];
        for release in leader.records.index.keys() {
            let finished = |head: &&Head| {
                head.release == *release
                    && matches!(head.state, State::Ended { outcome: Outcome::Succeeded | Outcome::SucceededWithDebt, .. })
            };
            let newest = leader.records.heads.values().filter(finished).max_by_key(|head| head.created_at);
            let Some(snapshot) = newest.and_then(|head| leader.records.snapshots.get(&head.id)) else { continue };
            let Some(chart) = snapshot.chart.clone() else { continue };
            let order = Assignment {
                cluster: name.clone(),
                release: release.clone(),
                namespace: snapshot.namespace.clone(),
                rollout: snapshot.id.clone(),
                generation: Generation(0),
                epoch: Epoch::default(),
                direction: Direction::Debt,
                target: groundswell_core::assignment::Target::Content(groundswell_core::assignment::Content { chart, values: vec![] }),
                issued_at: now,
                deadline: snapshot.strategy.each.deadline,
                service_account: None,
                drift: Drift::Report,
                create_namespace: true,
            };
            let debt = Debt { rollout: snapshot.id.clone(), order, why: "joined since".into(), since: now, paying: None, failed: None };
            writes.push(Write::Release(
                release.clone(),
                name.clone(),
                Box::new(ClusterRelease { debt: Some(debt), ..ClusterRelease::default() }),
            ));
        }
        if self.commit(number, writes) {
            self.sites[site].enrolled = true;
            self.after(Span(10), Event::StartPod { site });
        }
    }

    /// A cluster is revoked: its session ends, and it belongs to the fleet no more.
    pub fn revoke(&mut self, site: usize) {
        let name = self.sites[site].name.clone();
        let Some(number) = self.leader_number() else { return };
        if self.commit(number, vec![Write::Cluster(name, false), Write::Audit("revoke".into())]) {
            let session = self.sites[site].pod.as_ref().and_then(|pod| pod.session.as_ref()).map(|session| session.id);
            if let Some(session) = session {
                self.after(Span(10), Event::ServerBreak { leader: number, site, session });
                self.after(Span(20), Event::AgentBreak { site, session });
            }
        }
    }

    /// Plans now, until nothing is left to do at this moment.
    pub fn plan_now(&mut self) {
        if let Some(number) = self.leader_number() {
            self.plan_all(number);
        }
    }

    /// Whether a plan at this moment changes anything; what it changes is then done.
    pub fn would_change(&mut self) -> bool {
        let Some(number) = self.leader_number() else { return true };
        let commits = self.cuts.count(crate::world::Actor::Coordinator);
        self.plan_all(number) > 0 || self.cuts.count(crate::world::Actor::Coordinator) != commits
    }

    /// Where the newest rollout of a release stands.
    pub(crate) fn state_of(&self, release: &ReleaseName) -> Option<&State> {
        self.store.records().latest(release).map(|head| &head.state)
    }
}
