//! Keeps the mirror at the store's heels, and tells mailboxes, sessions and the planner what that means.

use super::error::OpenError;
use super::records::{AuditRecord, Key, decode_as};
use super::state::{Effects, State};
use super::{Chain, Coordinator};
use groundswell_store::{MAX_PAGE, Revision, Store, Watch, WatchEvent};
use std::sync::Weak;
use tokio_util::sync::CancellationToken;

/// All kinds but the audit log, of which only the end is read.
const PREFIXES: [&str; 10] =
    ["chart/", "cluster/", "cr/", "document/", "operator/", "release/", "rollout/", "strategy/", "token/", "turn/"];

/// A store that is lapped by its writers so often is not ours alone.
const MAX_SCANS: usize = 10;

/// Reads everything, and a watch that goes on from there.
pub(super) async fn read(store: &dyn Store) -> Result<(State, Watch), OpenError> {
    for _ in 0..MAX_SCANS {
        let (mut state, newest) = scan(store).await?;
        let mut watch = store.watch(state.revision)?;
        if catch_up(&mut state, &mut watch, newest).await? {
            return Ok((state, watch));
        }
    }
    Err(OpenError::NeverStill)
}

/// The state as of the first page, with whatever later pages had newer, and the revision of the last page.
async fn scan(store: &dyn Store) -> Result<(State, Revision), OpenError> {
    let mut state = State::default();
    let (mut first, mut newest) = (None, Revision::ZERO);
    for prefix in PREFIXES {
        let mut after = None;
        loop {
            let page = store.scan(prefix, after, MAX_PAGE).await?;
            first.get_or_insert(page.revision);
            newest = page.revision;
            for entry in &page.entries {
                state.load(&entry.key, &entry.value, entry.revision)?;
            }
            after = page.entries.last().map(|entry| entry.key.clone());
            if !page.more {
                break;
            }
        }
    }
    state.audit = last_audit(store).await?;
    state.revision = first.unwrap_or_default();
    Ok((state, newest))
}

/// The log has no gaps, so its end is found by doubling and halving.
async fn last_audit(store: &dyn Store) -> Result<Option<AuditRecord>, OpenError> {
    let (mut there, mut beyond) = (0_u64, 1_u64);
    while store.get(&Key::Audit(beyond).to_string()).await?.is_some() {
        there = beyond;
        beyond *= 2;
    }
    while beyond - there > 1 {
        let middle = there + (beyond - there) / 2;
        if store.get(&Key::Audit(middle).to_string()).await?.is_some() {
            there = middle;
        } else {
            beyond = middle;
        }
    }
    let key = Key::Audit(there).to_string();
    match store.get(&key).await? {
        Some(entry) => Ok(Some(decode_as(&key, &entry.value)?)),
        None => Ok(None),
    }
}

/// False when the watch was lapped and all has to be read again.
async fn catch_up(state: &mut State, watch: &mut Watch, newest: Revision) -> Result<bool, OpenError> {
    while state.revision < newest {
        match watch.next().await {
            WatchEvent::Committed { revision, changes } => drop(state.apply(revision, &changes)?),
            WatchEvent::Lagged => return Ok(false),
            WatchEvent::Closed => return Err(OpenError::Store(groundswell_store::StoreError::Closed)),
        }
    }
    Ok(true)
}

/// Follows the store until the coordinator is gone or steps down.
pub(super) async fn follow(coordinator: Weak<Coordinator>, mut watch: Watch, stop: CancellationToken) {
    loop {
        let event = tokio::select! {
            event = watch.next() => event,
            () = stop.cancelled() => return,
        };
        let Some(coordinator) = coordinator.upgrade() else { return };
        match event {
            WatchEvent::Committed { revision, changes } => {
                let effects = coordinator.state_mut().apply(revision, &changes);
                match effects {
                    Ok(effects) => coordinator.publish(revision, effects),
                    Err(error) => return coordinator.step_down(Chain(&error).to_string()),
                }
            }
            WatchEvent::Lagged => match coordinator.rescan().await {
                Ok(fresh) => watch = fresh,
                Err(error) => return coordinator.step_down(Chain(&error).to_string()),
            },
            WatchEvent::Closed => return coordinator.step_down("the store was closed".into()),
        }
    }
}

impl Coordinator {
    fn publish(&self, revision: Revision, effects: Effects) {
        self.at("mirror.applied");
        for cluster in &effects.revoked {
            self.sessions.revoke(cluster);
        }
        for assignment in effects.assigned {
            self.sessions.post(assignment);
            self.at("mailbox.posted");
        }
        self.applied.send_replace(revision);
        if effects.plan {
            self.nudge();
        }
    }

    /// Reads everything anew after the watch was lapped. What was missed is made good from the full state.
    async fn rescan(&self) -> Result<Watch, OpenError> {
        tracing::warn!("the mirror fell behind the store and reads it anew");
        self.metrics.rescans.inc();
        let (state, watch) = read(self.store.as_ref()).await?;
        let revision = state.revision;
        let assigned =
            state.cluster_releases.values().flat_map(|known| known.values()).filter_map(|release| release.assignment.clone()).collect();
        let revoked = state.clusters.iter().filter(|(_, cluster)| cluster.revoked.is_some()).map(|(name, _)| name.clone()).collect();
        *self.state_mut() = state;
        self.publish(revision, Effects { assigned, revoked, plan: true });
        Ok(watch)
    }
}
