//! The thread that writes logical snapshots, from time to time and when asked.

use std::{
    io,
    sync::{
        Arc,
        mpsc::{Receiver, RecvTimeoutError, SyncSender, TrySendError, sync_channel},
    },
    thread::{self, JoinHandle},
    time::Duration,
};

use tokio::sync::oneshot;

use super::Shared;
use crate::error::StoreError;

/// Requests that wait. Only operators ask, and one snapshot serves whoever asked before it began.
const QUEUE: usize = 8;

type Reply = oneshot::Sender<Result<(), StoreError>>;

pub(super) struct Snapshotter {
    /// `None` only while it is dropped.
    requests: Option<SyncSender<Reply>>,
    thread: Option<JoinHandle<()>>,
}

impl Snapshotter {
    pub(super) fn start(shared: Arc<Shared>, every: Duration) -> io::Result<Self> {
        let (requests, queue) = sync_channel(QUEUE);
        let thread = thread::Builder::new().name("store-snapshot".to_owned()).spawn(move || run(&shared, &queue, every))?;
        Ok(Self { requests: Some(requests), thread: Some(thread) })
    }

    pub(super) fn ask(&self) -> Result<oneshot::Receiver<Result<(), StoreError>>, StoreError> {
        let (reply, answer) = oneshot::channel();
        let requests = self.requests.as_ref().ok_or(StoreError::Closed)?;
        match requests.try_send(reply) {
            Ok(()) => Ok(answer),
            Err(TrySendError::Disconnected(_)) => Err(StoreError::Closed),
            Err(TrySendError::Full(_)) => {
                Err(StoreError::Io(io::Error::new(io::ErrorKind::WouldBlock, format!("{QUEUE} snapshots are already waiting"))))
            }
        }
    }
}

impl Drop for Snapshotter {
    fn drop(&mut self) {
        self.requests = None;
        if let Some(thread) = self.thread.take() {
            let _ended = thread.join();
        }
    }
}

fn run(shared: &Shared, queue: &Receiver<Reply>, every: Duration) {
    loop {
        let reply = match queue.recv_timeout(every) {
            Ok(reply) => Some(reply),
            Err(RecvTimeoutError::Timeout) => None,
            Err(RecvTimeoutError::Disconnected) => return,
        };
        let result = if shared.is_closed() { Err(StoreError::Closed) } else { shared.write_snapshot().map_err(StoreError::Snapshot) };
        match (reply, result) {
            (Some(reply), result) => drop(reply.send(result)),
            (None, Err(StoreError::Closed)) => return,
            (None, Err(error)) => {
                tracing::error!(error = &error as &dyn std::error::Error, "cannot write the hourly snapshot");
            }
            (None, Ok(())) => {}
        }
    }
}
