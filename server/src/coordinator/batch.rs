//! What gathers while a transaction is made durable goes into the next one together.

use super::Coordinator;
use std::sync::{Arc, Weak};
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

/// What waits for a transaction: twenty full ones. Beyond that the sessions wait, and with them the agents.
pub(super) const QUEUE: usize = 20 * 40;

/// What goes into the next transaction; none when the server ends.
pub(super) async fn next<T>(
    coordinator: &Weak<Coordinator>,
    queue: &mut mpsc::Receiver<T>,
    stop: &CancellationToken,
) -> Option<(Arc<Coordinator>, Vec<T>)> {
    // A record and an audit record for each.
    let max = coordinator.upgrade()?.store.max_ops() / 2;
    let mut batch = Vec::new();
    let taken = tokio::select! {
        taken = queue.recv_many(&mut batch, max) => taken,
        () = stop.cancelled() => return None,
    };
    let coordinator = coordinator.upgrade().filter(|_| taken > 0)?;
    Some((coordinator, batch))
}
