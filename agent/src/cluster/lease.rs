//! The Lease that says which pod acts.
//!
//! A Lease is no fence, so two sums keep a second helm away. With duration 15 s: a helm may run on for `HOLD` (8 s) after the
//! start of the last good renewal and is dead `GRACE` (3 s) later: 8 + 3 = 11 s. A successor acts when it has itself seen the
//! Lease unchanged for duration and `MARGIN`, 15 + 2 = 17 s, by its own monotonic clock, so no two clocks are compared.
//! 11 < 15 leaves 4 s for a renewal that was under way, and 17 the margin for scheduling.

use super::{is_conflict, is_missing};
use k8s_openapi::api::coordination::v1::{Lease, LeaseSpec};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::MicroTime;
use kube::api::{ObjectMeta, PostParams};
use kube::{Api, Client};
use std::time::{Duration, Instant};

const NAME: &str = "groundswell-agent";
/// How long helm may run on after the start of the last good renewal.
pub(crate) const HOLD: Duration = Duration::from_secs(8);
/// From SIGTERM to SIGKILL.
pub(crate) const GRACE: Duration = Duration::from_secs(3);
/// Between two renewals: two may fail before `HOLD` ends a helm.
pub(crate) const RENEW: Duration = Duration::from_secs(3);
/// On top of the duration, before a successor acts.
const MARGIN: Duration = Duration::from_secs(2);

/// What an attempt to hold the Lease came to.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Held {
    /// It is ours.
    Ours,
    /// Somebody else's; who.
    Other(String),
}

/// What was seen of another's Lease, and since when it did not change.
#[derive(Debug)]
struct Sighting {
    version: Option<String>,
    since: Instant,
}

/// Our side of the Lease.
pub(crate) struct Holder {
    api: Api<Lease>,
    /// One life of one process; a restarted process is another holder and waits like any other.
    identity: String,
    duration: Duration,
    sighting: Option<Sighting>,
}

impl Holder {
    pub(crate) fn new(client: Client, namespace: &str, identity: String, duration: Duration) -> Self {
        Self { api: Api::namespaced(client, namespace), identity, duration, sighting: None }
    }

    /// Takes the Lease, or renews it. Everything that changed it in between makes this fail rather than win.
    pub(crate) async fn acquire(&mut self) -> Result<Held, kube::Error> {
        let now = Instant::now();
        let params = PostParams { field_manager: Some(super::FIELD_MANAGER.into()), ..PostParams::default() };
        let lease = match self.api.get(NAME).await {
            Ok(lease) => lease,
            Err(error) if is_missing(&error) => {
                return match self.api.create(&params, &self.renewed(Lease::default())).await {
                    Ok(_) => Ok(Held::Ours),
                    Err(error) if is_conflict(&error) => Ok(Held::Other("a pod that was faster".into())),
                    Err(error) => Err(error),
                };
            }
            Err(error) => return Err(error),
        };
        let holder = lease.spec.as_ref().and_then(|spec| spec.holder_identity.clone()).unwrap_or_default();
        if !holder.is_empty() && holder != self.identity && !self.lapsed(&lease, now) {
            return Ok(Held::Other(holder));
        }
        match self.api.replace(NAME, &params, &self.renewed(lease)).await {
            Ok(_) => Ok(Held::Ours),
            Err(error) if is_conflict(&error) => Ok(Held::Other(holder)),
            Err(error) => Err(error),
        }
    }

    /// Gives it back, so that a successor need not wait. Only ever called when no helm of ours runs.
    pub(crate) async fn release(&self) -> Result<(), kube::Error> {
        let mut lease = self.api.get(NAME).await?;
        let Some(spec) = lease.spec.as_mut().filter(|spec| spec.holder_identity.as_ref() == Some(&self.identity)) else { return Ok(()) };
        spec.holder_identity = None;
        self.api.replace(NAME, &PostParams::default(), &lease).await.map(|_| ())
    }

    /// Whether another's Lease has stood unchanged for long enough, as seen from here.
    fn lapsed(&mut self, lease: &Lease, now: Instant) -> bool {
        let version = lease.metadata.resource_version.clone();
        let wait = lease.spec.as_ref().and_then(|spec| spec.lease_duration_seconds).and_then(|s| u64::try_from(s).ok());
        let wait = wait.map_or(self.duration, Duration::from_secs).max(self.duration) + MARGIN;
        match &self.sighting {
            Some(seen) if seen.version == version => now.duration_since(seen.since) >= wait,
            _ => {
                self.sighting = Some(Sighting { version, since: now });
                false
            }
        }
    }

    fn renewed(&self, lease: Lease) -> Lease {
        let before = lease.spec.unwrap_or_default();
        let now = Some(MicroTime(jiff::Timestamp::now()));
        let mine = before.holder_identity.as_ref() == Some(&self.identity);
        let transitions = before.lease_transitions.unwrap_or_default();
        Lease {
            metadata: ObjectMeta { name: Some(NAME.into()), ..lease.metadata },
            spec: Some(LeaseSpec {
                holder_identity: Some(self.identity.clone()),
                lease_duration_seconds: i32::try_from(self.duration.as_secs()).ok(),
                acquire_time: if mine { before.acquire_time } else { now.clone() },
                renew_time: now,
                lease_transitions: Some(if mine { transitions } else { transitions.saturating_add(1) }),
                ..before
            }),
        }
    }
}
