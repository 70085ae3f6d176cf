//! The one thread that writes.

use std::{
    io,
    panic::{AssertUnwindSafe, catch_unwind},
    sync::Arc,
    time::{Duration, Instant},
};

use tokio::sync::{mpsc, oneshot};

use super::{Shared, disk::Disk, disk::panic_words, sync::AbortHook};
use crate::{
    error::{CommitError, SnapshotError, StoreError},
    state::Draft,
    types::{Change, Epoch, Revision, Txn},
};

/// A group is closed at this many operations (five of the largest transactions), or
const GROUP_OPS: usize = 512;
/// after gathering for so long, about what one `fdatasync` takes. Nobody waits for a group to fill: while one is being
/// synced the next gathers in the queue by itself.
const GROUP_TIME: Duration = Duration::from_millis(2);

pub(super) enum Job {
    Commit { txn: Txn, reply: oneshot::Sender<Result<Revision, CommitError>> },
    BeginEpoch { reply: oneshot::Sender<Result<Epoch, StoreError>> },
    Close { reply: oneshot::Sender<Result<(), SnapshotError>> },
}

/// An answer that may be given once the group is durable.
enum Answer {
    Commit(oneshot::Sender<Result<Revision, CommitError>>, Revision),
    Refusal(oneshot::Sender<Result<Revision, CommitError>>, CommitError),
    Epoch(oneshot::Sender<Result<Epoch, StoreError>>, u64),
}

/// A group that may or may not be durable, and who waits for it.
struct Failed {
    error: io::Error,
    answers: Vec<Answer>,
}

pub(super) struct Writer {
    pub(super) disk: Disk,
    pub(super) shared: Arc<Shared>,
    pub(super) queue: mpsc::Receiver<Job>,
    pub(super) abort: AbortHook,
}

type CloseReply = oneshot::Sender<Result<(), SnapshotError>>;

impl Writer {
    /// Runs until the store is closed or dropped, or the disk fails.
    pub(super) fn run(mut self) {
        let abort = Arc::clone(&self.abort);
        let shared = Arc::clone(&self.shared);
        let ended = catch_unwind(AssertUnwindSafe(move || self.serve()));
        shared.close();
        match ended {
            Ok(Some((reply, result))) => {
                let _gone = reply.send(result);
            }
            Ok(None) => {}
            Err(panic) => abort(&format!("the writer of the store {}", panic_words(panic.as_ref()))),
        }
    }

    fn serve(&mut self) -> Option<(CloseReply, Result<(), SnapshotError>)> {
        while let Some(first) = self.queue.blocking_recv() {
            let (group, close) = self.gather(first);
            if let Err(Failed { error, answers }) = self.commit(group) {
                tracing::error!(%error, "the store cannot make its log durable: ending the process");
                self.shared.close();
                (self.abort)(&format!("the store cannot make its log durable: {error}"));
                for answer in answers {
                    answer.fail(&error);
                }
                return None;
            }
            if let Some(reply) = close {
                // Readers are refused from here on, so that the snapshot holds all that anyone has seen.
                self.shared.close();
                return Some((reply, self.shared.write_snapshot().map(drop)));
            }
        }
        None
    }

    fn gather(&mut self, first: Job) -> (Vec<Job>, Option<CloseReply>) {
        let started = Instant::now();
        let mut group = Vec::new();
        let mut ops = 0;
        let mut next = Some(first);
        while let Some(job) = next {
            match job {
                Job::Close { reply } => return (group, Some(reply)),
                Job::Commit { ref txn, .. } => ops += txn.ops.len(),
                Job::BeginEpoch { .. } => ops += 1,
            }
            group.push(job);
            let full = ops >= GROUP_OPS || started.elapsed() >= GROUP_TIME;
            next = if full { None } else { self.queue.try_recv().ok() };
        }
        (group, None)
    }

    /// Decides, makes durable, shows, answers: in this order.
    fn commit(&mut self, group: Vec<Job>) -> Result<(), Failed> {
        let state = self.shared.read();
        let epoch = state.epoch;
        let mut draft = Draft::new(&state);
        let mut answers = Vec::with_capacity(group.len());
        let mut committed: Vec<(Revision, Vec<Change>)> = Vec::new();
        for job in group {
            match job {
                Job::Commit { txn, reply } => match draft.admit(txn) {
                    Ok((revision, changes)) => {
                        if !changes.is_empty() {
                            committed.push((revision, changes));
                        }
                        answers.push(Answer::Commit(reply, revision));
                    }
                    Err(refusal) => answers.push(Answer::Refusal(reply, refusal)),
                },
                Job::BeginEpoch { reply } => answers.push(Answer::Epoch(reply, draft.begin_epoch())),
                Job::Close { .. } => {}
            }
        }
        let delta = draft.finish();
        drop(state);
        if !committed.is_empty() || delta.epoch != epoch {
            if let Err(error) = self.disk.write(&delta) {
                return Err(Failed { error, answers });
            }
            self.shared.write().apply(delta);
            self.shared.hub.publish(committed);
        }
        for answer in answers {
            answer.give(&self.shared);
        }
        Ok(())
    }
}

impl Answer {
    // Who asked may have gone away; that is no fault of the store's.
    fn give(self, shared: &Shared) {
        match self {
            Self::Commit(reply, revision) => drop(reply.send(Ok(revision))),
            Self::Refusal(reply, refusal) => drop(reply.send(Err(refusal))),
            Self::Epoch(reply, number) => drop(reply.send(Ok(Epoch { lineage: shared.lineage.clone(), number }))),
        }
    }

    fn fail(self, error: &io::Error) {
        let error = io::Error::new(error.kind(), error.to_string());
        match self {
            Self::Commit(reply, _) => drop(reply.send(Err(CommitError::Io(error)))),
            // Refused against others of the group that may not be there after a restart.
            Self::Refusal(reply, _) => drop(reply.send(Err(CommitError::Io(error)))),
            Self::Epoch(reply, _) => drop(reply.send(Err(StoreError::Io(error)))),
        }
    }
}
