//! A writer that is killed with SIGKILL, again and again: nothing acknowledged is lost, no revision is given twice.
#![allow(clippy::unwrap_used, reason = "clippy knows tests, not their helpers")]

mod common;

use std::{
    collections::BTreeMap,
    io::{self, BufRead, BufReader, Write},
    path::Path,
    process::{Command, Stdio},
    sync::Arc,
};

use common::{Numbers, put};
use groundswell_store::{Entry, Revision, SledOptions, SledStore, Store, Txn};

const DIR: &str = "GROUNDSWELL_TEST_KILLED_DIR";
const ROUND: &str = "GROUNDSWELL_TEST_KILLED_ROUND";
const ROUNDS: u64 = 20;

/// The process that is killed. Run as a test it has nothing to do.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn child() {
    let (Ok(dir), Ok(round)) = (std::env::var(DIR), std::env::var(ROUND)) else { return };
    say("opening");
    let store = Arc::new(SledStore::open(Path::new(&dir), &SledOptions::default()).unwrap());
    let epoch = store.begin_epoch().await.unwrap().number;
    say(&format!("epoch {epoch}"));
    let mut tasks = tokio::task::JoinSet::new();
    for task in 0..6 {
        let (store, round) = (Arc::clone(&store), round.clone());
        tasks.spawn(async move {
            for n in 0.. {
                let (a, b) = (format!("a/{round}/{task}/{n}"), format!("b/{round}/{task}/{n}"));
                let same = put(&format!("same/{task}"), round.as_bytes());
                let ops = vec![put(&a, &vec![7; n % 900]), put(&b, b""), same];
                let revision = store.commit(Txn { epoch, expect: vec![], ops }).await.unwrap();
                say(&format!("acked {a} {revision}"));
            }
        });
    }
    while tasks.join_next().await.is_some() {}
}

/// Past the test harness, which keeps what is printed until the test ends.
fn say(line: &str) {
    let mut out = io::stdout().lock();
    out.write_all(format!("{line}\n").as_bytes()).and_then(|()| out.flush()).unwrap();
}

/// What one child said before it was killed.
#[derive(Default)]
struct Heard {
    epoch: u64,
    acked: BTreeMap<String, u64>,
}

/// Kills the child at its `at`th line, and hears it out.
fn run_and_kill(dir: &Path, round: u64, at: u64) -> Heard {
    let mut child = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "child"])
        .env(DIR, dir)
        .env(ROUND, round.to_string())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut heard = Heard::default();
    let mut lines = 0;
    for line in BufReader::new(child.stdout.take().unwrap()).lines() {
        let line = line.unwrap();
        match line.split(' ').collect::<Vec<_>>()[..] {
            ["opening"] => {}
            ["epoch", number] => heard.epoch = number.parse().unwrap(),
            ["acked", key, revision] => drop(heard.acked.insert(key.to_owned(), revision.parse().unwrap())),
            // The harness' own lines.
            _ => continue,
        }
        lines += 1;
        if lines == at {
            child.kill().unwrap();
        }
    }
    let status = child.wait().unwrap();
    assert!(lines >= at && !status.success(), "the child ended by itself after {lines} lines: {status}");
    heard
}

#[tokio::test]
async fn nothing_acknowledged_is_lost() {
    let dir = tempfile::tempdir().unwrap();
    let mut numbers = Numbers(42);
    let mut acked = BTreeMap::new();
    let (mut epoch, mut last) = (0, Revision::ZERO);
    for round in 0..ROUNDS {
        // Every fifth is killed while it opens, which is when sled is weakest.
        let at = if round % 5 == 4 { 1 } else { 2 + numbers.below(400) };
        let heard = run_and_kill(dir.path(), round, at);
        assert!(heard.epoch == 0 || heard.epoch > epoch, "round {round}: epoch {} after {epoch}", heard.epoch);
        acked.extend(heard.acked);

        let store = SledStore::open(dir.path(), &SledOptions::default()).unwrap();
        let now = store.begin_epoch().await.unwrap().number;
        assert!(now > epoch && now > heard.epoch);
        epoch = now;
        let (a, revision) = all(&store, "a/").await;
        let (b, _) = all(&store, "b/").await;
        assert!(revision >= last);
        last = revision;
        let found: BTreeMap<_, _> = a.iter().map(|entry| (entry.key.clone(), entry.revision.0)).collect();
        for (key, revision) in &acked {
            assert_eq!(found.get(key), Some(revision), "round {round}: {key} was acknowledged");
        }
        let halves = |entries: &[Entry]| -> Vec<_> { entries.iter().map(|entry| (entry.key[1..].to_owned(), entry.revision)).collect() };
        assert_eq!(halves(&a), halves(&b), "round {round}: half a transaction");
        // Each transaction left one entry under `a/`, so its revisions are all there are, each once.
        let mut revisions: Vec<_> = found.into_values().collect();
        revisions.sort_unstable();
        assert_eq!(revisions, (1..=last.0).collect::<Vec<_>>(), "round {round}");
    }
    assert!(acked.len() > 500, "only {} were acknowledged", acked.len());
}

async fn all(store: &SledStore, prefix: &str) -> (Vec<Entry>, Revision) {
    let mut entries = Vec::new();
    loop {
        let after = entries.last().map(|entry: &Entry| entry.key.clone());
        let page = store.scan(prefix, after, 1000).await.unwrap();
        entries.extend(page.entries);
        if !page.more {
            return (entries, page.revision);
        }
    }
}
