//! Keeps the Lease, and tells the exec stub of every renewal.

use crate::cluster::lease::{HOLD, Held, Holder, RENEW};
use groundswell_helm::stub::now_ms;
use std::time::Duration;
use tokio::sync::watch;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

/// A try that takes longer counts as failed: the next one must have its turn before `HOLD` is over.
const TRY: Duration = Duration::from_secs(2);

async fn acquire(holder: &mut Holder) -> Option<Held> {
    match tokio::time::timeout(TRY, holder.acquire()).await {
        Ok(Ok(held)) => Some(held),
        Ok(Err(error)) => {
            tracing::warn!("the lease cannot be renewed: {}", crate::link::told(&error));
            None
        }
        Err(_) => {
            tracing::warn!("the lease cannot be renewed: no answer within {} s", TRY.as_secs());
            None
        }
    }
}

/// Returns once the Lease is ours, with the time at which the renewal that won it was sent.
pub(crate) async fn win(holder: &mut Holder) -> u64 {
    let mut waits_for = None;
    loop {
        let sent = now_ms();
        match acquire(holder).await {
            Some(Held::Ours) => return sent,
            Some(Held::Other(who)) if waits_for.as_ref() != Some(&who) => {
                tracing::info!(holder = who, "another pod holds the lease; waiting until it has let go");
                waits_for = Some(who);
            }
            _ => {}
        }
        tokio::time::sleep(Duration::from_secs(1)).await;
    }
}

/// Renews until the Lease is lost or `until` says so. `HOLD` without a renewal is a loss: from then on no helm of ours may run.
pub(crate) async fn keep(holder: &mut Holder, renewals: &watch::Sender<u64>, until: &CancellationToken) -> anyhow::Result<()> {
    let mut good = Instant::now();
    loop {
        let pause = if good.elapsed() < RENEW { RENEW } else { Duration::from_millis(500) };
        tokio::select! {
            () = until.cancelled() => return Ok(()),
            () = tokio::time::sleep(pause) => {}
        }
        let (began, sent) = (Instant::now(), now_ms());
        match acquire(holder).await {
            Some(Held::Ours) => {
                good = began;
                renewals.send_replace(sent);
            }
            Some(Held::Other(who)) => anyhow::bail!("the lease went to {who}"),
            None if good.elapsed() >= HOLD => anyhow::bail!("the lease was not renewed for {} s", good.elapsed().as_secs()),
            None => {}
        }
    }
}
