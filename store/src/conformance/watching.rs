//! Watches.

use std::{sync::Arc, time::Duration};

use super::{Fixture, Outcome, ROOMY, delete, put, txn};
use crate::{
    error::StoreError,
    types::{Change, Revision},
    watch::WatchEvent,
};

/// Far beyond what any store takes; only a watch that never wakes reaches it.
const PATIENCE: Duration = Duration::from_secs(20);

/// Every transaction once, in order, with what it changed; from the beginning, from the middle, and from now.
pub async fn watch_order(fixture: &mut dyn Fixture) -> Outcome {
    let store = fixture.fresh(ROOMY);
    let mut from_start = store.watch(Revision::ZERO)?;
    for i in 0..50 {
        store.commit(txn(vec![], vec![put("b", &i.to_string()), put("a", ""), delete("never")])).await?;
    }
    let mut from_middle = store.watch(Revision(20))?;
    let mut from_now = store.watch(Revision(50))?;
    store.commit(txn(vec![], vec![delete("b")])).await?;
    for revision in 1..=50 {
        let b = Change { key: "b".to_owned(), value: Some((revision - 1).to_string().into_bytes()) };
        let a = Change { key: "a".to_owned(), value: Some(vec![]) };
        let wanted = WatchEvent::Committed { revision: Revision(revision), changes: vec![b, a] };
        assert_eq!(from_start.next().await, wanted);
        if revision > 20 {
            assert_eq!(from_middle.next().await, wanted);
        }
    }
    let gone = Change { key: "b".to_owned(), value: None };
    let wanted = WatchEvent::Committed { revision: Revision(51), changes: vec![gone] };
    for watch in [&mut from_start, &mut from_middle, &mut from_now] {
        assert_eq!(watch.next().await, wanted);
        assert_eq!(watch.try_next(), None);
    }
    let ahead = store.watch(Revision(52)).map(drop);
    assert!(matches!(ahead, Err(StoreError::FutureRevision { from: Revision(52), current: Revision(51) })));
    Ok(())
}

/// A watcher that waits is woken, and sees nothing that a reader could not see yet.
pub async fn watch_wakes(fixture: &mut dyn Fixture) -> Outcome {
    let store = fixture.fresh(ROOMY);
    let mut watch = store.watch(Revision::ZERO)?;
    let reader = Arc::clone(&store);
    let watcher = tokio::spawn(async move {
        for revision in 1..=20 {
            let event = tokio::time::timeout(PATIENCE, watch.next()).await?;
            assert!(matches!(event, WatchEvent::Committed { revision: r, .. } if r == Revision(revision)), "{event:?}");
            let entry = reader.get(&format!("k/{revision}")).await?.ok_or("watched before it could be read")?;
            assert_eq!(entry.revision, Revision(revision));
        }
        Outcome::Ok(())
    });
    for i in 1..=20 {
        store.commit(txn(vec![], vec![put(&format!("k/{i}"), "")])).await?;
    }
    watcher.await?
}

/// A watcher that falls behind is told, for ever; one that starts anew goes on.
pub async fn watch_lags(fixture: &mut dyn Fixture) -> Outcome {
    let store = fixture.fresh(4);
    let mut slow = store.watch(Revision::ZERO)?;
    store.commit(txn(vec![], vec![put("k", "first")])).await?;
    let mut just_in_time = store.watch(Revision(1))?;
    for i in 0..4 {
        store.commit(txn(vec![], vec![put("k", &i.to_string())])).await?;
    }
    for revision in 2..=5 {
        let event = just_in_time.next().await;
        assert!(matches!(event, WatchEvent::Committed { revision: r, .. } if r == Revision(revision)), "{event:?}");
    }
    assert_eq!(slow.next().await, WatchEvent::Lagged);
    store.commit(txn(vec![], vec![put("k", "more")])).await?;
    assert_eq!(slow.next().await, WatchEvent::Lagged);
    assert_eq!(store.watch(Revision::ZERO)?.next().await, WatchEvent::Lagged, "the past is not kept for ever");

    let rescan = store.scan("", None, 10).await?;
    let mut anew = store.watch(rescan.revision)?;
    store.commit(txn(vec![], vec![put("k", "new")])).await?;
    let event = anew.next().await;
    assert!(matches!(event, WatchEvent::Committed { revision: Revision(7), .. }), "{event:?}");
    Ok(())
}

/// Closing tells the watchers, after all that was committed.
pub async fn watch_ends(fixture: &mut dyn Fixture) -> Outcome {
    let store = fixture.fresh(ROOMY);
    let mut watch = store.watch(Revision::ZERO)?;
    let mut waiting = store.watch(Revision::ZERO)?;
    let waiter = tokio::spawn(async move {
        let first = waiting.next().await;
        (first, tokio::time::timeout(PATIENCE, waiting.next()).await)
    });
    store.commit(txn(vec![], vec![put("a", "1")])).await?;
    store.close().await?;
    let event = watch.next().await;
    assert!(matches!(event, WatchEvent::Committed { .. }), "{event:?}");
    assert_eq!(watch.next().await, WatchEvent::Closed);
    assert_eq!(watch.next().await, WatchEvent::Closed);
    let (first, second) = waiter.await?;
    assert!(matches!(first, WatchEvent::Committed { .. }), "{first:?}");
    assert_eq!(second?, WatchEvent::Closed);
    Ok(())
}
