//! What every [`Store`] has to do, as checks that each implementation runs: see [`conformance_suite!`](crate::conformance_suite).
//!
//! They panic where the store is wrong, as tests do.

mod commits;
mod reading;
mod watching;

use std::sync::Arc;

pub use self::{
    commits::{all_or_nothing, concurrent_commits_linearise, expectations, fencing, revisions, shape_is_checked},
    reading::{closing, reading, reopening_keeps_all, scan_pages},
    watching::{watch_ends, watch_lags, watch_order, watch_wakes},
};
use crate::{
    store::{Store, StoreFuture},
    types::{Expect, Op, Txn},
};

/// What a check gives back: an error that it did not expect.
pub type Outcome = Result<(), Box<dyn std::error::Error + Send + Sync>>;

/// Where the suite gets its stores from.
pub trait Fixture: Send {
    /// A new and empty store that keeps so many transactions for watchers.
    fn fresh(&mut self, watch_capacity: usize) -> Arc<dyn Store>;

    /// The last store as the next process finds it. It was closed before, and nobody has it any more.
    fn reopen(&mut self) -> StoreFuture<'_, Arc<dyn Store>>;
}

/// Watchers can follow all that one check does.
const ROOMY: usize = 4096;

fn put(key: &str, value: &str) -> Op {
    Op::Put { key: key.to_owned(), value: value.as_bytes().to_vec() }
}

fn delete(key: &str) -> Op {
    Op::Delete { key: key.to_owned() }
}

fn txn(expect: Vec<Expect>, ops: Vec<Op>) -> Txn {
    Txn { epoch: 0, expect, ops }
}

/// Makes a test of each check. Give it an expression that makes a [`Fixture`]; the crate needs tokio's test macro.
#[macro_export]
macro_rules! conformance_suite {
    ($fixture:expr) => {
        $crate::conformance_suite! { $fixture;
            expectations all_or_nothing fencing revisions shape_is_checked concurrent_commits_linearise
            reading scan_pages reopening_keeps_all closing
            watch_order watch_wakes watch_lags watch_ends
        }
    };
    ($fixture:expr; $($check:ident)*) => {
        $(
            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $check() -> $crate::conformance::Outcome {
                let mut fixture = $fixture;
                $crate::conformance::$check(&mut fixture).await
            }
        )*
    };
}
