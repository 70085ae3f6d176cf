//! Transactions.

use std::{collections::BTreeSet, sync::Arc};

use super::{Fixture, Outcome, ROOMY, delete, put, txn};
use crate::{
    error::CommitError,
    store::Store,
    types::{Expect, MAX_KEY_BYTES, MAX_VALUE_BYTES, Op, Revision, Txn},
};

/// Each expectation against a key that is there, one that is not, and one that was written again.
pub async fn expectations(fixture: &mut dyn Fixture) -> Outcome {
    let store = fixture.fresh(ROOMY);
    let first = store.commit(txn(vec![], vec![put("here", "1"), put("gone", "1")])).await?;
    let second = store.commit(txn(vec![], vec![put("here", "2"), delete("gone")])).await?;
    let here = || "here".to_owned();
    let gone = || "gone".to_owned();
    let table = [
        (Expect::Exists(here()), None),
        (Expect::Unchanged(here(), second), None),
        (Expect::Absent(gone()), None),
        (Expect::Absent("never".to_owned()), None),
        (Expect::Absent(here()), Some(Some(second))),
        (Expect::Unchanged(here(), first), Some(Some(second))),
        (Expect::Unchanged(here(), Revision(second.0 + 7)), Some(Some(second))),
        (Expect::Exists(gone()), Some(None)),
        (Expect::Unchanged(gone(), first), Some(None)),
        (Expect::Unchanged(gone(), Revision::ZERO), Some(None)),
    ];
    for (expect, refusal) in table {
        let result = store.commit(txn(vec![expect.clone()], vec![put("probe", "x")])).await;
        match (result, refusal) {
            (Ok(_), None) => {}
            (Err(CommitError::Conflict { key, expected, found }), Some(wanted)) => {
                assert_eq!((key.as_str(), &expected, found), (expect.key(), &expect, wanted));
            }
            (result, refusal) => panic!("{expect:?} gave {result:?}, wanted refusal {refusal:?}"),
        }
    }
    Ok(())
}

/// One expectation that fails undoes the whole transaction, also beside ones that hold.
pub async fn all_or_nothing(fixture: &mut dyn Fixture) -> Outcome {
    let store = fixture.fresh(ROOMY);
    let before = store.commit(txn(vec![], vec![put("a", "1"), put("b", "1")])).await?;
    let expect = vec![Expect::Exists("a".to_owned()), Expect::Absent("b".to_owned())];
    let refused = store.commit(txn(expect, vec![put("a", "2"), delete("b"), put("c", "2")])).await;
    assert!(matches!(refused, Err(CommitError::Conflict { .. })), "{refused:?}");
    let page = store.scan("", None, 10).await?;
    let values: Vec<_> = page.entries.iter().map(|e| (e.key.as_str(), e.value.as_slice(), e.revision)).collect();
    assert_eq!(values, [("a", &b"1"[..], before), ("b", b"1", before)]);
    assert_eq!(page.revision, before);

    let after = store.commit(txn(vec![], vec![put("a", "2"), delete("b"), put("c", "2")])).await?;
    let page = store.scan("", None, 10).await?;
    let values: Vec<_> = page.entries.iter().map(|e| (e.key.as_str(), e.value.as_slice(), e.revision)).collect();
    assert_eq!(values, [("a", &b"2"[..], after), ("c", b"2", after)]);
    Ok(())
}

/// Only the newest leader commits, and nobody commits with an epoch that was never given out.
pub async fn fencing(fixture: &mut dyn Fixture) -> Outcome {
    let store = fixture.fresh(ROOMY);
    store.commit(txn(vec![], vec![put("a", "before any leader")])).await?;
    let first = store.begin_epoch().await?;
    let second = store.begin_epoch().await?;
    assert_eq!((first.number, second.number), (1, 2));
    assert_eq!(second.lineage, store.lineage());
    for given in [0, first.number, second.number + 1] {
        let late = Txn { epoch: given, expect: vec![], ops: vec![put("a", "late")] };
        match store.commit(late).await {
            Err(CommitError::Fenced { current, given: told }) => assert_eq!((current, told), (2, given)),
            other => panic!("epoch {given} gave {other:?}"),
        }
    }
    // Fenced before anything else is told: a stale leader must not act on a conflict.
    let stale = Txn { epoch: 1, expect: vec![Expect::Absent("a".to_owned())], ops: vec![] };
    assert!(matches!(store.commit(stale).await, Err(CommitError::Fenced { .. })));
    let entry = store.get("a").await?.ok_or("a is gone")?;
    assert_eq!(entry.value, b"before any leader");
    store.commit(Txn { epoch: 2, expect: vec![], ops: vec![put("a", "now")] }).await?;
    Ok(())
}

/// A revision for each transaction that changes something, none for others.
pub async fn revisions(fixture: &mut dyn Fixture) -> Outcome {
    let store = fixture.fresh(ROOMY);
    let first = store.commit(txn(vec![], vec![put("a", "1"), put("b", "1")])).await?;
    assert_eq!(first, Revision(1));
    assert_eq!(store.commit(txn(vec![Expect::Exists("a".to_owned())], vec![])).await?, first);
    assert_eq!(store.commit(txn(vec![], vec![delete("not there")])).await?, first);
    let second = store.commit(txn(vec![], vec![put("a", "1")])).await?;
    assert!(second > first, "the same value is a change all the same");
    store.begin_epoch().await?;
    let entry = store.get("b").await?.ok_or("b is gone")?;
    assert_eq!(entry.revision, first);
    Ok(())
}

/// Sizes and names at their limits, and one beyond.
pub async fn shape_is_checked(fixture: &mut dyn Fixture) -> Outcome {
    let store = fixture.fresh(ROOMY);
    let max = store.max_ops();
    let many = |n: usize| (0..n).map(|i| put(&format!("k/{i}"), "v")).collect::<Vec<_>>();
    let big = |key: &str, bytes: usize| Op::Put { key: key.to_owned(), value: vec![b'x'; bytes] };
    store.commit(txn(vec![], many(max))).await?;
    let before = store.commit(txn(vec![], vec![big("v", MAX_VALUE_BYTES)])).await?;
    store.commit(txn(vec![], vec![put(&"k".repeat(MAX_KEY_BYTES), "v"), delete("k/0")])).await?;

    let refused = store.commit(txn(vec![], many(max + 1))).await;
    assert!(matches!(refused, Err(CommitError::TooManyOps { given, max: m }) if given == max + 1 && m == max));
    let expect = vec![Expect::Exists("v".to_owned()); max + 1];
    assert!(matches!(store.commit(txn(expect, vec![])).await, Err(CommitError::TooManyOps { .. })));
    let refused = store.commit(txn(vec![], vec![big("v", MAX_VALUE_BYTES + 1)])).await;
    assert!(matches!(refused, Err(CommitError::ValueTooLarge { ref key, .. }) if key == "v"));
    let heavy = (0..17).map(|i| big(&format!("h/{i}"), MAX_VALUE_BYTES)).collect();
    assert!(matches!(store.commit(txn(vec![], heavy)).await, Err(CommitError::TxnTooLarge { .. })));
    for key in ["", "tab\there", "line\nbreak", "nul\0", &"k".repeat(MAX_KEY_BYTES + 1)] {
        let refused = store.commit(txn(vec![], vec![put(key, "v")])).await;
        assert!(matches!(refused, Err(CommitError::InvalidKey { .. })), "{key:?}");
    }
    let refused = store.commit(txn(vec![], vec![put("twice", "1"), delete("twice")])).await;
    assert!(matches!(refused, Err(CommitError::DuplicateKey { .. })));
    assert_eq!(store.scan("", None, 1).await?.revision, Revision(before.0 + 1), "a refusal is no revision");
    Ok(())
}

/// Tasks that count up one counter by read and conditional write: nothing is lost and no revision given twice, which
/// is so only if they have one order.
pub async fn concurrent_commits_linearise(fixture: &mut dyn Fixture) -> Outcome {
    const TASKS: usize = 8;
    const EACH: usize = 20;
    let store = fixture.fresh(ROOMY);
    store.commit(txn(vec![], vec![put("counter", "0")])).await?;
    let mut tasks = tokio::task::JoinSet::new();
    for task in 0..TASKS {
        let store = Arc::clone(&store);
        tasks.spawn(async move { count_up(store.as_ref(), task, EACH).await });
    }
    let mut seen = BTreeSet::new();
    while let Some(revisions) = tasks.join_next().await {
        for revision in revisions?? {
            assert!(seen.insert(revision), "revision {revision} was given twice");
        }
    }
    let counter = store.get("counter").await?.ok_or("no counter")?;
    assert_eq!(counter.value, (TASKS * EACH).to_string().into_bytes());
    assert_eq!(store.scan("log/", None, 1000).await?.entries.len(), TASKS * EACH);
    assert_eq!(seen.len(), TASKS * EACH);
    Ok(())
}

async fn count_up(store: &dyn Store, task: usize, times: usize) -> Result<Vec<Revision>, Box<dyn std::error::Error + Send + Sync>> {
    let mut done = Vec::new();
    while done.len() < times {
        let counter = store.get("counter").await?.ok_or("no counter")?;
        let value = String::from_utf8(counter.value)?.parse::<u64>()? + 1;
        let expect = vec![Expect::Unchanged("counter".to_owned(), counter.revision)];
        let ops = vec![put("counter", &value.to_string()), put(&format!("log/{task}/{}", done.len()), "done")];
        match store.commit(txn(expect, ops)).await {
            Ok(revision) => done.push(revision),
            Err(CommitError::Conflict { .. }) => {}
            Err(other) => return Err(other.into()),
        }
    }
    Ok(done)
}
