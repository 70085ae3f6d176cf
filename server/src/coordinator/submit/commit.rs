//! Commits a prepared submit: content first, then the records, in as many transactions as the work in flight needs.

use super::prepare::{Prepared, PreparedRollout, check_supersede};
use crate::coordinator::records::{Key, ReleaseRecord, encode};
use crate::coordinator::state::State;
use crate::coordinator::{Coordinator, CoordinatorError, Draft, Refused, put_blob};
use groundswell_api::dto::{ApplyAction, ApplyResult};
use groundswell_core::id::{ClusterName, Digest, RolloutId};
use groundswell_core::planner::{Change, apply, command};
use groundswell_core::rollout::{Carried, Head, State as RolloutState, Turn};
use groundswell_core::time::Time;
use groundswell_store::BlobStore;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// The code of the refusal that something changed between preparing and committing.
pub(super) const MOVED: &str = "GS-MOVED";

/// Release, document, two heads, and two audit records.
const FIXED_OPS: usize = 6;

/// Each carried turn is settled while others are; the old rollout cannot outrun this.
const MAX_CARRY_ROUNDS: usize = 1_000;

impl Coordinator {
    /// Commits one release.
    ///
    /// # Errors
    /// Something that mattered changed meanwhile (code [`MOVED`]), or content could not be stored.
    pub(super) async fn commit_release(&self, prepared: &Prepared, by: &str) -> Result<ApplyResult, CoordinatorError> {
        if prepared.action == ApplyAction::Unchanged {
            return Ok(prepared.dry_result());
        }
        let snapshot = self.store_content(prepared).await?;
        self.at("submit.stored");
        for _ in 0..MAX_CARRY_ROUNDS {
            let done = self.write(|state, draft| self.decide_commit(state, draft, prepared, snapshot.as_ref(), by)).await?;
            if done {
                self.at("submit.after");
                let rollout = prepared.rollout.as_ref().map(|rollout| rollout.snapshot.id.to_string());
                return Ok(ApplyResult { rollout, ..prepared.dry_result() });
            }
        }
        Err(Refused::conflict(
            MOVED,
            format!("release {}", prepared.name),
            "the rollout under way assigns faster than it can be taken over; pause it first",
        )
        .into())
    }

    /// Texts and snapshot, durable before any record names them. Content that nobody names is harmless.
    async fn store_content(&self, prepared: &Prepared) -> Result<Option<Digest>, CoordinatorError> {
        let (blobs, mut texts) = (self.blobs().clone(), prepared.texts.clone());
        let known = self.stored_values(prepared).await?;
        texts.retain(|digest, _| !known.contains(digest));
        let snapshot = prepared.rollout.as_ref().map(|rollout| encode(&rollout.snapshot));
        let digest = Self::blocking(move || {
            put_all(&blobs, &texts.into_values().collect::<Vec<_>>())?;
            snapshot.map(|bytes| put_blob(&blobs, &bytes)).transpose()
        })
        .await??;
        if let (Some(rollout), Some(digest)) = (&prepared.rollout, &digest) {
            self.remember_snapshot(digest.clone(), Arc::new(rollout.snapshot.clone()));
        }
        Ok(digest)
    }

    /// Values that the rollout before names: they are durable since it was committed, and most of them stay the same.
    async fn stored_values(&self, prepared: &Prepared) -> Result<BTreeSet<Digest>, CoordinatorError> {
        let latest = prepared.base.as_ref().and_then(|base| base.latest.as_ref());
        let head = latest.and_then(|latest| self.state().rollouts.get(latest).cloned());
        let Some(head) = head else { return Ok(BTreeSet::new()) };
        let before = self.snapshot(&head).await?;
        Ok(before.members.values().flat_map(|member| member.values.iter().cloned()).collect())
    }

    /// True when all is committed; false when work in flight was carried over and more has to be.
    fn decide_commit(
        &self,
        state: &State,
        draft: &mut Draft,
        prepared: &Prepared,
        snapshot: Option<&Digest>,
        by: &str,
    ) -> Result<bool, CoordinatorError> {
        if state.releases.get(&prepared.name) != prepared.base.as_ref() {
            return Err(Refused::conflict(MOVED, format!("release {}", prepared.name), "it was changed while this was prepared")
                .next("try again")
                .into());
        }
        if let (Some(rollout), Some(snapshot)) = (&prepared.rollout, snapshot)
            && !take_over(state, draft, prepared, rollout, snapshot, self.store().max_ops(), by)?
        {
            return Ok(false);
        }
        let base = prepared.base.as_ref();
        let rollout = prepared.rollout.as_ref();
        let record = ReleaseRecord {
            namespace: rollout
                .map_or_else(|| base.map(|base| base.namespace.clone()), |rollout| Some(rollout.snapshot.namespace.clone()))
                .ok_or_else(|| Refused::conflict(MOVED, format!("release {}", prepared.name), "it has neither a rollout nor a record"))?,
            revision: prepared.revision,
            rollouts: base.map_or(0, |base| base.rollouts) + u64::from(rollout.is_some()),
            latest: rollout.map(|rollout| rollout.snapshot.id.clone()).or_else(|| base.and_then(|base| base.latest.clone())),
            content: rollout.map(|rollout| rollout.content.clone()).or_else(|| base.and_then(|base| base.content.clone())),
            deleted: prepared.deletes,
        };
        draft.put(&Key::Release(prepared.name.clone()), &record);
        draft.put(&Key::Document(prepared.name.clone(), prepared.revision), &prepared.document);
        let detail = match rollout {
            Some(rollout) => format!(
                "{}: revision {}, rollout {}, plan {}",
                prepared.document.cause, prepared.revision, rollout.snapshot.id, rollout.hash
            ),
            None => format!("{}: revision {}, no rollout", prepared.document.cause, prepared.revision),
        };
        draft.audit(by, "release.apply", format!("release/{}", prepared.name), detail);
        Ok(true)
    }
}

/// Files that are synced at once: a disk bears many syncs together nearly as fast as one.
const PUTS_AT_ONCE: usize = 16;

fn put_all(blobs: &BlobStore, texts: &[String]) -> Result<(), CoordinatorError> {
    let put = |part: &[String]| part.iter().try_for_each(|text| put_blob(blobs, text.as_bytes()).map(drop));
    let size = texts.len().div_ceil(PUTS_AT_ONCE).max(1);
    std::thread::scope(|scope| {
        let put = &put;
        let parts: Vec<_> = texts.chunks(size).map(|part| scope.spawn(move || put(part))).collect();
        parts.into_iter().try_for_each(|part| part.join().unwrap_or_else(|_| Err(CoordinatorError::Cut("storing content panicked".into()))))
    })
}

/// Begins the new rollout and ends the one under way. False when only a part of what is in flight fits.
fn take_over(
    state: &State,
    draft: &mut Draft,
    prepared: &Prepared,
    rollout: &PreparedRollout,
    snapshot: &Digest,
    max_ops: usize,
    by: &str,
) -> Result<bool, CoordinatorError> {
    let id = &rollout.snapshot.id;
    let active = state.active(&prepared.name);
    if active.map(|head| &head.id) != rollout.snapshot.supersedes.as_ref() {
        return Err(Refused::conflict(MOVED, format!("release {}", prepared.name), "its rollout ended or began meanwhile")
            .next("try again")
            .into());
    }
    let mut carried = BTreeMap::new();
    let mut ended = None;
    if let Some(old) = active {
        check_supersede(&old.id, &old.state, prepared.supersede)?;
        let (change, turns) = command::supersede(state.turns_of(&old.id), id, draft.now());
        ended = Some(end(old, &change));
        carried = turns;
    } else if let Some(before) = prepared.base.as_ref().and_then(|base| base.latest.as_ref()) {
        carried = left_behind(state, before, id, draft.now());
    }
    carried.extend(debts_under_way(state, prepared));
    // A cluster that is no member any more has no slot to hold.
    carried.retain(|name, _| rollout.snapshot.members.contains_key(name));
    if !carry(state, draft, id, &carried, max_ops.saturating_sub(FIXED_OPS)) {
        draft.audit(by, "rollout.carry", format!("rollout/{id}"), "work in flight is taken over");
        return Ok(false);
    }
    if let Some(old) = ended {
        draft.put(&Key::Rollout(old.id.clone()), &old);
        draft.audit(by, "rollout.supersede", format!("rollout/{}", old.id), format!("by {id}"));
    }
    let head = Head {
        id: id.clone(),
        release: prepared.name.clone(),
        plan_hash: rollout.hash.clone(),
        plan_recipe: rollout.recipe,
        snapshot: snapshot.clone(),
        state: RolloutState::Running,
        wave: 0,
        approvals: BTreeMap::new(),
        promotions: Vec::new(),
        created_at: rollout.snapshot.created_at,
    };
    draft.put(&Key::Rollout(id.clone()), &head);
    Ok(true)
}

/// Work that a rollout left under way that has ended, such as one that a person aborted.
fn left_behind(state: &State, before: &RolloutId, by: &RolloutId, now: Time) -> BTreeMap<ClusterName, Turn> {
    let (_, mut turns) = command::supersede(state.turns_of(before), by, now);
    turns.retain(|_, turn| turn.carried.as_ref().is_some_and(|carried| now < carried.until));
    turns
}

/// Clusters that pay a debt as a rollout begins hold a slot in it (GS-1).
fn debts_under_way(state: &State, prepared: &Prepared) -> BTreeMap<ClusterName, Turn> {
    let paying = state.clusters_of(&prepared.name).iter().filter_map(|(name, known)| {
        let generation = known.debt.as_ref()?.paying?;
        let until = known.assignment.as_ref()?.ends_at();
        Some((name.clone(), Turn { carried: Some(Carried { generation, until }), ..Turn::default() }))
    });
    paying.collect()
}

fn end(old: &Head, change: &Change) -> Head {
    let mut head = old.clone();
    apply(std::slice::from_ref(change), &mut head, &mut BTreeMap::new(), &mut BTreeMap::new());
    head
}

/// Turns of the new rollout are written ahead of it, while it does not exist yet, because ten thousand fit no transaction.
/// True when those that are left fit the last one.
fn carry(state: &State, draft: &mut Draft, id: &RolloutId, wanted: &BTreeMap<ClusterName, Turn>, room: usize) -> bool {
    let there = state.turns_of(id);
    let missing: Vec<_> = wanted.iter().filter(|(name, turn)| there.get(*name) != Some(turn)).collect();
    // Left by a submit that was cut off.
    let excess: Vec<_> = there.keys().filter(|name| !wanted.contains_key(*name)).collect();
    let fits = missing.len() + excess.len() <= room;
    for (name, turn) in missing.into_iter().take(room) {
        draft.put(&Key::Turn(id.clone(), name.clone()), turn);
    }
    for name in excess.into_iter().take(room.saturating_sub(draft.len())) {
        draft.delete(&Key::Turn(id.clone(), name.clone()));
    }
    fits
}
