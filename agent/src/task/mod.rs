//! The jobs of a tenure: the time in which this process holds the Lease.

pub(crate) mod admin;
pub(crate) mod apis;
pub(crate) mod hands;
pub(crate) mod lease;
pub(crate) mod renew;
pub(crate) mod session;
pub(crate) mod worker;

use crate::board::Board;
use crate::cluster::lease::HOLD;
use crate::cluster::records::Records;
use crate::cluster::secrets::Secrets;
use crate::config::Config;
use crate::enrol::Identity;
use crate::fetch::Blobs;
use crate::keeper::Keeper;
use groundswell_core::id::ReleaseName;
use groundswell_core::time::Time;
use groundswell_helm::runner::Helm;
use groundswell_helm::stub::now_ms;
use std::collections::BTreeSet;
use std::sync::{Arc, LazyLock, Mutex, PoisonError};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

/// What all jobs of a tenure share.
pub(crate) struct Tenure {
    pub(crate) config: Arc<Config>,
    pub(crate) client: kube::Client,
    pub(crate) secrets: Secrets,
    pub(crate) records: Records,
    pub(crate) keeper: Keeper,
    pub(crate) blobs: Blobs,
    pub(crate) board: Arc<Board>,
    pub(crate) helm: Helm,
    pub(crate) helm_version: String,
    pub(crate) apis: apis::Apis,
    /// Random, new with each tenure.
    pub(crate) incarnation: String,
    pub(crate) identity: watch::Sender<Identity>,
    /// Turns true when helm has to end.
    pub(crate) stop_helm: watch::Sender<bool>,
    /// Ends the tenure.
    pub(crate) over: CancellationToken,
    pub(crate) tracker: TaskTracker,
    pub(crate) working: Mutex<BTreeSet<ReleaseName>>,
}

impl Tenure {
    /// Sees to it that a release has its worker, and wakes it.
    pub(crate) fn attend(self: &Arc<Self>, release: &ReleaseName) {
        let nudge = self.board.nudge_of(release);
        let fresh = self.working.lock().unwrap_or_else(PoisonError::into_inner).insert(release.clone());
        if fresh {
            let (tenure, release) = (self.clone(), release.clone());
            self.tracker.spawn(async move {
                let worked = worker::Worker::new(tenure.clone(), release.clone()).run().await;
                tenure.ended("worker", worked.map_err(anyhow::Error::from));
            });
        }
        nudge.notify_one();
    }

    /// Whether the Lease was renewed lately enough to act on.
    pub(crate) fn holds_lease(&self) -> bool {
        let renewed = self.helm.stub.as_ref().map(|stub| *stub.renewals.borrow());
        renewed.is_some_and(|at| Duration::from_millis(now_ms().saturating_sub(at)) < HOLD)
    }

    /// A job came to its end: the tenure is over, whatever the reason. Nothing ends in silence.
    pub(crate) fn ended(&self, what: &'static str, how: anyhow::Result<()>) {
        match how {
            _ if self.over.is_cancelled() => tracing::debug!(what, "task ended"),
            Ok(()) => tracing::warn!(what, "task ended before its time; starting over"),
            Err(error) => tracing::error!(what, "task failed; starting over: {error:#}"),
        }
        self.over.cancel();
    }
}

/// The time by a clock that never goes back: the wall clock at start, and the monotonic one since.
pub(crate) fn now() -> Time {
    static START: LazyLock<(Duration, Instant)> =
        LazyLock::new(|| (SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default(), Instant::now()));
    let (wall, since) = *START;
    Time(u64::try_from((wall + since.elapsed()).as_millis()).unwrap_or(u64::MAX))
}
