//! Reads, and what is there after a restart.

use std::collections::BTreeMap;

use super::{Fixture, Outcome, ROOMY, delete, put, txn};
use crate::{
    error::{CommitError, StoreError},
    types::{MAX_PAGE, Op, Revision, Txn},
};

/// What was acknowledged is seen at once, byte for byte.
pub async fn reading(fixture: &mut dyn Fixture) -> Outcome {
    let store = fixture.fresh(ROOMY);
    assert_eq!(store.get("a").await?, None);
    assert_eq!(store.scan("", None, 1).await?.revision, Revision::ZERO);
    for value in [vec![], vec![0, 255, 10], b"text".to_vec()] {
        let ops = vec![Op::Put { key: "a".to_owned(), value: value.clone() }];
        let revision = store.commit(txn(vec![], ops)).await?;
        let entry = store.get("a").await?.ok_or("a is gone")?;
        assert_eq!((entry.key.as_str(), entry.value, entry.revision), ("a", value, revision));
    }
    store.commit(txn(vec![], vec![delete("a")])).await?;
    assert_eq!(store.get("a").await?, None);
    Ok(())
}

/// Every page of every prefix equals the same cut through a plain map.
pub async fn scan_pages(fixture: &mut dyn Fixture) -> Outcome {
    let store = fixture.fresh(ROOMY);
    let keys = ["a", "a/", "a/1", "a/10", "a/2", "a/\u{fc}", "a0", "b", "b/1", "\u{10ffff}", "\u{10ffff}/1"];
    store.commit(txn(vec![], keys.iter().map(|key| put(key, key)).collect())).await?;
    let model: BTreeMap<_, _> = keys.iter().map(|key| ((*key).to_owned(), key.as_bytes().to_vec())).collect();
    for prefix in ["", "a", "a/", "a/1", "b/", "c", "\u{10ffff}"] {
        for limit in [1, 2, 3, 100] {
            let wanted: Vec<_> = model.iter().filter(|(key, _)| key.starts_with(prefix)).collect();
            let mut got = Vec::new();
            let mut after = None;
            loop {
                let page = store.scan(prefix, after, limit).await?;
                assert!(page.entries.len() <= limit);
                assert_eq!(page.more, got.len() + page.entries.len() < wanted.len(), "{prefix} {limit}");
                after = page.entries.last().map(|entry| entry.key.clone());
                got.extend(page.entries);
                if !page.more {
                    break;
                }
            }
            let got: Vec<_> = got.iter().map(|entry| (&entry.key, &entry.value)).collect();
            assert_eq!(got, wanted, "{prefix} {limit}");
        }
    }
    // A key that is not there (any more) is a place to go on from all the same; one outside of the prefix too.
    assert_eq!(store.scan("a/", Some("a/15".to_owned()), 1).await?.entries[0].key, "a/2");
    assert_eq!(store.scan("b", Some("a".to_owned()), 1).await?.entries[0].key, "b");
    assert!(store.scan("a", Some("b".to_owned()), 1).await?.entries.is_empty());
    assert_eq!(store.scan("", None, 0).await?.entries.len(), 1, "a page that makes no progress would loop");

    for part in 0..=MAX_PAGE / 100 {
        let ops = (0..100).map(|i| put(&format!("many/{part:03}/{i:03}"), "")).collect();
        store.commit(txn(vec![], ops)).await?;
    }
    let page = store.scan("many/", None, usize::MAX).await?;
    assert_eq!((page.entries.len(), page.more), (MAX_PAGE, true));
    Ok(())
}

/// A restart keeps entries with their revisions, the revision, the epoch and the lineage.
pub async fn reopening_keeps_all(fixture: &mut dyn Fixture) -> Outcome {
    let store = fixture.fresh(ROOMY);
    let lineage = store.lineage();
    store.begin_epoch().await?;
    for round in 0..50 {
        let epoch = store.begin_epoch().await?.number;
        let ops = vec![
            put(&format!("k/{:02}", round % 17), &format!("{round}")),
            delete(&format!("k/{:02}", round % 5)),
            Op::Put { key: "bytes".to_owned(), value: vec![255; round] },
        ];
        // 17 and 5 meet at times, and one key twice is refused.
        let ops = if round % 17 == round % 5 { vec![ops[0].clone(), ops[2].clone()] } else { ops };
        store.commit(Txn { epoch, expect: vec![], ops }).await?;
    }
    let before = store.scan("", None, 1000).await?;
    store.close().await?;
    drop(store);

    let store = fixture.reopen().await;
    assert_eq!(store.scan("", None, 1000).await?, before);
    assert_eq!(store.lineage(), lineage);
    let stale = Txn { epoch: 50, expect: vec![], ops: vec![put("late", "")] };
    assert!(matches!(store.commit(stale).await, Err(CommitError::Fenced { current: 51, given: 50 })));
    assert_eq!(store.begin_epoch().await?.number, 52);
    let next = store.commit(Txn { epoch: 52, expect: vec![], ops: vec![put("next", "")] }).await?;
    assert_eq!(next, Revision(before.revision.0 + 1));
    Ok(())
}

/// A closed store says so to everybody, and may be closed again.
pub async fn closing(fixture: &mut dyn Fixture) -> Outcome {
    let store = fixture.fresh(ROOMY);
    store.commit(txn(vec![], vec![put("a", "1")])).await?;
    store.snapshot().await?;
    store.close().await?;
    store.close().await?;
    assert!(matches!(store.commit(txn(vec![], vec![put("a", "2")])).await, Err(CommitError::Closed)));
    assert!(matches!(store.get("a").await, Err(StoreError::Closed)));
    assert!(matches!(store.scan("", None, 1).await, Err(StoreError::Closed)));
    assert!(matches!(store.begin_epoch().await, Err(StoreError::Closed)));
    assert!(matches!(store.snapshot().await, Err(StoreError::Closed)));
    assert!(matches!(store.watch(Revision::ZERO), Err(StoreError::Closed)));
    Ok(())
}
