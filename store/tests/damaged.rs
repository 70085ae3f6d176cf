//! Stores that are damaged, half made, in use, or lost: refused with words, left alone, restored from a snapshot.
#![allow(clippy::unwrap_used, reason = "clippy knows tests, not their helpers")]

mod common;

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
};

use common::{Numbers, copy_dir, put, txn};
use groundswell_store::{Op, OpenError, Revision, SledOptions, SledStore, SnapshotError, Store, Txn};
use tempfile::TempDir;

type Content = BTreeMap<String, (Vec<u8>, Revision)>;

fn open(dir: &Path) -> Result<SledStore, OpenError> {
    SledStore::open(dir, &SledOptions::default())
}

async fn content(store: &SledStore) -> (Revision, Content) {
    let page = store.scan("", None, 4000).await.unwrap();
    assert!(!page.more);
    (page.revision, page.entries.into_iter().map(|e| (e.key, (e.value, e.revision))).collect())
}

/// A store with a history: what it held at each revision.
async fn history(commits: usize) -> (TempDir, Vec<Content>) {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path()).unwrap();
    let mut states = vec![Content::new()];
    for n in 0..commits {
        let mut ops = vec![put(&format!("k/{}", n % 23), &vec![1; (n * 37) % 3000]), put("last", &[2])];
        if n % 4 == 3 {
            ops.push(Op::Delete { key: format!("k/{}", (n + 7) % 23) });
        }
        store.commit(txn(ops)).await.unwrap();
        states.push(content(&store).await.1);
    }
    (dir, states)
}

/// A copy of the store with its log changed.
fn with_log(dir: &Path, change: impl FnOnce(&mut Vec<u8>)) -> TempDir {
    let copy = tempfile::tempdir().unwrap();
    copy_dir(dir, copy.path());
    let log = copy.path().join("sled/db");
    let mut bytes = fs::read(&log).unwrap();
    change(&mut bytes);
    fs::write(log, bytes).unwrap();
    copy
}

/// Bytes of the log that were written to: behind them there is only room.
fn used(dir: &Path) -> usize {
    let log = fs::read(dir.join("sled/db")).unwrap();
    log.iter().rposition(|byte| *byte != 0).unwrap() + 1
}

/// Opens to one of the states that there were, or not at all. Says which.
async fn prefix_or_refusal(dir: &Path, states: &[Content], what: &str) -> Option<Revision> {
    match open(dir) {
        Ok(store) => {
            let (revision, content) = content(&store).await;
            assert!(content == states[usize::try_from(revision.0).unwrap()], "{what}: not the state of {revision}");
            Some(revision)
        }
        Err(OpenError::Damaged { dir: told, why, .. }) => {
            assert_eq!(told, dir);
            assert!(!why.is_empty());
            None
        }
        Err(other) => panic!("{what}: {other}"),
    }
}

/// A log that lost its end holds some of the history, and never a hole in it. While there is proof that more was
/// acknowledged, it is refused, twice too.
#[tokio::test]
async fn a_truncated_log_is_refused_or_a_prefix() {
    let (dir, states) = history(80).await;
    let used = used(dir.path());
    let mut numbers = Numbers(1);
    let mut prefixes = Vec::new();
    for _ in 0..40 {
        let at = usize::try_from(numbers.below(used as u64)).unwrap();
        let copy = with_log(dir.path(), |log| log.truncate(at));
        let first = prefix_or_refusal(copy.path(), &states, &format!("cut at {at}")).await;
        assert!(first.is_none_or(|revision| revision == Revision(80)), "cut at {at}: opened at {first:?}");
        assert_eq!(first, prefix_or_refusal(copy.path(), &states, "again").await);

        let copy = with_log(dir.path(), |log| log.truncate(at));
        fs::remove_file(copy.path().join("acked")).unwrap();
        prefixes.extend(prefix_or_refusal(copy.path(), &states, &format!("cut at {at}")).await);
    }
    assert!(prefixes.iter().any(|revision| *revision < Revision(80)), "no cut hit the history: {prefixes:?}");
}

#[tokio::test]
async fn garbage_in_the_log_is_refused_or_a_prefix() {
    let (dir, states) = history(80).await;
    let used = used(dir.path());
    let mut numbers = Numbers(2);
    let mut refused = 0;
    for round in 0..60 {
        let at = usize::try_from(numbers.below(used as u64)).unwrap();
        let length = [1, 16, 4096][round % 3];
        let copy = with_log(dir.path(), |log| {
            for byte in log.iter_mut().skip(at).take(length) {
                *byte ^= u8::try_from(1 + numbers.below(255)).unwrap();
            }
        });
        let what = format!("{length} bytes at {at}");
        let opened = prefix_or_refusal(copy.path(), &states, &what).await;
        assert!(opened.is_none_or(|revision| revision == Revision(80)), "{what}: opened at {opened:?}");
        refused += usize::from(opened.is_none());
        fs::remove_file(copy.path().join("acked")).unwrap();
        prefix_or_refusal(copy.path(), &states, &what).await;
    }
    assert!(refused > 30, "only {refused} of 60 were noticed");
}

/// Nothing of what is left when files are lost is taken for a new store.
#[tokio::test]
async fn a_lost_log_is_no_empty_store() {
    let (dir, _) = history(5).await;
    let emptied = with_log(dir.path(), Vec::clear);
    let gone = with_log(dir.path(), |_| {});
    fs::remove_file(gone.path().join("sled/db")).unwrap();
    let no_folder = with_log(dir.path(), |_| {});
    fs::remove_dir_all(no_folder.path().join("sled")).unwrap();
    let other = history(5).await.0;
    let swapped = with_log(dir.path(), |log| *log = fs::read(other.path().join("sled/db")).unwrap());
    for copy in [emptied, gone, no_folder, swapped] {
        for _ in 0..2 {
            let refused = open(copy.path()).map(drop).unwrap_err();
            assert!(matches!(refused, OpenError::Damaged { .. }), "{refused}");
            let words = refused.to_string();
            assert!(words.contains(copy.path().to_str().unwrap()) && words.contains("admin restore"), "{words}");
        }
    }
}

/// A crash while sled opens leaves its next snapshot half written.
#[tokio::test]
async fn an_unfinished_snapshot_of_sled_does_not_stop_it() {
    let (dir, states) = history(30).await;
    for name in ["snap.0000000000FFFFFF.generating", "snap.generating"] {
        fs::write(dir.path().join("sled").join(name), b"half").unwrap();
        let store = open(dir.path()).unwrap();
        assert_eq!(content(&store).await, (Revision(30), states[30].clone()));
    }
}

/// A crash at creation, before the marker: the next start goes on.
#[tokio::test]
async fn a_half_made_store_is_made() {
    let (dir, states) = history(3).await;
    fs::remove_file(dir.path().join("store.json")).unwrap();
    assert_eq!(content(&open(dir.path()).unwrap()).await.1, states[3]);
    assert!(dir.path().join("store.json").exists());
}

#[tokio::test]
async fn one_process_at_a_time() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path()).unwrap();
    let refused = open(dir.path()).map(drop).unwrap_err();
    let holder = format!("process {}", std::process::id());
    assert!(matches!(&refused, OpenError::Locked { holder: h, .. } if *h == holder), "{refused}");
    store.close().await.unwrap();
    open(dir.path()).unwrap();
    let newer = fs::read_to_string(dir.path().join("store.json")).unwrap().replace("\"format\":1", "\"format\":2");
    drop(store);
    fs::write(dir.path().join("store.json"), newer).unwrap();
    let refused = open(dir.path()).map(drop).unwrap_err();
    assert!(matches!(refused, OpenError::Format { found: 2, known: 1, .. }), "{refused}");
}

fn snapshots(dir: &Path) -> Vec<PathBuf> {
    let mut found: Vec<_> = fs::read_dir(dir.join("snapshots")).unwrap().map(|e| e.unwrap().path()).collect();
    found.sort();
    found
}

/// Snapshots are taken when asked and at the end, three are kept, and a new store can be made from each.
#[tokio::test]
async fn a_store_is_restored_from_its_snapshot() {
    let (dir, states) = history(12).await;
    let store = open(dir.path()).unwrap();
    store.begin_epoch().await.unwrap();
    let epoch = store.begin_epoch().await.unwrap().number;
    let mut states = states;
    for n in 0..4_u8 {
        let ops = vec![put("odd\"key\u{fc}", &[0xff, n]), put("n", &[n])];
        store.commit(Txn { epoch, expect: vec![], ops }).await.unwrap();
        states.push(content(&store).await.1);
        store.snapshot().await.unwrap();
        store.snapshot().await.unwrap();
    }
    store.commit(Txn { epoch, expect: vec![], ops: vec![put("end", b"")] }).await.unwrap();
    states.push(content(&store).await.1);
    let lineage = store.lineage();
    store.close().await.unwrap();

    let kept = snapshots(dir.path());
    assert_eq!(kept.len(), 3, "{kept:?}");
    for (path, revision) in kept.iter().zip(15..) {
        let new = tempfile::tempdir().unwrap();
        let target = new.path().join("store");
        let restored = SledStore::import(path, &target, &SledOptions::default()).unwrap();
        assert_eq!(content(&restored).await, (Revision(revision), states[usize::try_from(revision).unwrap()].clone()));
        assert_ne!(restored.lineage(), lineage);
        assert_eq!(restored.begin_epoch().await.unwrap().number, epoch + 1);
        let lineage = restored.lineage();
        drop(restored);
        let again = open(&target).unwrap();
        assert_eq!(again.lineage(), lineage);
        assert_eq!(content(&again).await.0, Revision(revision));
        drop(again);
        let refused = SledStore::import(path, &target, &SledOptions::default()).map(drop);
        assert!(matches!(refused, Err(OpenError::NotEmpty { .. })));
    }

    // A refusal names the newest snapshot that is whole.
    fs::write(&kept[2], b"{}").unwrap();
    let log = dir.path().join("sled/db");
    fs::write(&log, b"").unwrap();
    let refused = open(dir.path()).map(drop).unwrap_err();
    assert!(matches!(&refused, OpenError::Damaged { snapshot: Some(path), .. } if *path == kept[1]), "{refused}");
    assert!(!fs::read(&kept[0]).unwrap().is_empty(), "the others are left alone");
}

/// A snapshot that is newer than the log proves that the log has lost something.
#[tokio::test]
async fn a_log_that_is_behind_its_snapshot_is_refused() {
    let (dir, _) = history(5).await;
    let old = tempfile::tempdir().unwrap();
    copy_dir(dir.path(), old.path());
    let store = open(dir.path()).unwrap();
    store.commit(txn(vec![put("later", b"")])).await.unwrap();
    store.close().await.unwrap();
    copy_dir(&dir.path().join("snapshots"), &old.path().join("snapshots"));
    let refused = open(old.path()).map(drop).unwrap_err();
    assert!(matches!(&refused, OpenError::Damaged { why, .. } if why.contains("a snapshot has 6")), "{refused}");
}

#[tokio::test]
async fn an_export_that_was_changed_is_refused() {
    let (dir, _) = history(9).await;
    let store = open(dir.path()).unwrap();
    let file = dir.path().join("export.jsonl");
    let info = store.export(&file).unwrap();
    assert_eq!((info.revision, info.lineage), (Revision(9), store.lineage()));
    let sound = fs::read_to_string(&file).unwrap();
    let lines: Vec<_> = sound.lines().collect();
    let mut broken = vec![String::new(), "\0\u{1}garbage".to_owned(), sound[..sound.len() - 1].to_owned()];
    for n in 0..lines.len() {
        let mut without = lines.clone();
        without.remove(n);
        broken.push(without.join("\n") + "\n");
        let mut changed = lines.clone();
        let line = lines[n].replace("\"revision\":", "\"revision\":0").replace("sha256\":\"", "sha256\":\"0");
        changed[n] = &line;
        broken.push(changed.join("\n") + "\n");
    }
    for (n, text) in broken.into_iter().enumerate() {
        fs::write(&file, text).unwrap();
        let target = dir.path().join(format!("restored-{n}"));
        let refused = SledStore::import(&file, &target, &SledOptions::default()).map(drop);
        let damaged = matches!(&refused, Err(OpenError::Snapshot(SnapshotError::Damaged { .. })));
        assert!(damaged, "variant {n}: {refused:?}");
        assert!(!target.exists(), "a refused import leaves nothing");
    }
}
