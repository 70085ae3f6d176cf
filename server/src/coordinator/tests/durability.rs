//! Restarts, a mirror that fell behind, leaders that were replaced, and the audit chain.

use crate::coordinator::audit::{Broken, Entry, chain, verify};
use crate::coordinator::records::{AuditRecord, Key, encode};
use crate::coordinator::state::State;
use crate::coordinator::testing::{RELEASE, World};
use crate::coordinator::{AttachFacts, Coordinator, CoordinatorConfig, CoordinatorError, SystemClock};
use groundswell_core::id::Epoch;
use groundswell_core::report::Phase;
use groundswell_store::{BlobStore, CommitError, MemoryStore, Op, Store, Txn};
use std::sync::Arc;

fn copy(world: &World) -> String {
    format!("{:?}", without_hash_order(&world.coordinator.state()))
}

/// All that is decoded, in order; the revisions of keys are in a hash map.
fn without_hash_order(state: &State) -> impl std::fmt::Debug + '_ {
    let documents = (&state.documents, &state.strategies, &state.charts, &state.audit);
    (&state.clusters, &state.tokens, &state.operators, &state.releases, documents, &state.rollouts, &state.turns, &state.cluster_releases)
}

async fn busy(world: &World) {
    world.fleet().await;
    let a = world.agent("a").await;
    world.apply(RELEASE, &world.chart("1.0.0").await).await.unwrap();
    let assignment = a.take().await;
    a.report(&assignment, Phase::Applying).await;
}

#[tokio::test]
async fn a_restart_finds_everything_and_assigns_nothing_twice() {
    let world = World::new().await;
    busy(&world).await;
    let before = copy(&world);
    let epoch = world.coordinator.epoch();
    let world = world.restart().await;
    assert_eq!(copy(&world), before);
    assert_eq!(world.coordinator.epoch().number, epoch.number + 1);
    let a = world.agent("a").await;
    let again = a.take().await;
    assert_eq!(again.generation.0, 1, "the same assignment, not a new one");
    let report = a.words(&again, Phase::Healthy);
    let a = world.agent_with("a", vec![report]).await;
    assert!(a.has_nothing().await, "what it has already is not sent");
}

#[tokio::test]
async fn a_mirror_that_fell_behind_reads_everything_anew() {
    let world = World::with(MemoryStore::new().with_watch_capacity(1), CoordinatorConfig::default()).await;
    world.enrol("a", &[]).await;
    let record = world.coordinator.state().clusters.values().next().unwrap().clone();
    // Behind the coordinator's back, without letting its mirror run in between.
    for name in ["x", "y", "z"] {
        let key = Key::Cluster(name.parse().unwrap()).to_string();
        let ops = vec![Op::Put { key, value: encode(&record) }];
        world.store.commit_now(Txn { epoch: 1, ops, ..Txn::default() }).unwrap();
    }
    world.enrol("b", &[]).await;
    assert_eq!(world.coordinator.metrics().rescans.get(), 1);
    let names: Vec<String> = world.coordinator.state().clusters.keys().map(ToString::to_string).collect();
    assert_eq!(names, ["a", "b", "x", "y", "z"]);
    let fresh = world.restart().await;
    let again: Vec<String> = fresh.coordinator.state().clusters.keys().map(ToString::to_string).collect();
    assert_eq!(again, names);
}

#[tokio::test]
async fn a_leader_that_was_replaced_steps_down_and_commits_nothing() {
    let world = World::new().await;
    world.enrol("a", &[]).await;
    let folder = tempfile::tempdir().unwrap();
    let blobs = BlobStore::new(folder.path(), 1 << 20).unwrap();
    let store: Arc<dyn Store> = world.store.clone();
    let newer = Coordinator::open(store, blobs, CoordinatorConfig::default(), Arc::new(SystemClock)).await.unwrap();
    let writes = world.store.writes();
    let refused = world.coordinator.revoke(&"a".parse().unwrap(), "", "admin").await.unwrap_err();
    assert!(matches!(refused, CoordinatorError::Commit(CommitError::Fenced { .. })), "{refused:?}");
    assert!(world.coordinator.stepped_down().await.contains("epoch 1"));
    assert_eq!(world.store.writes(), writes);
    newer.revoke(&"a".parse().unwrap(), "", "admin").await.unwrap();
}

#[tokio::test]
async fn a_server_that_is_shown_a_newer_leader_steps_down() {
    let world = World::new().await;
    let name = world.enrol("a", &[]).await;
    let session = world.coordinator.connect(&name, &Default::default());
    let epoch = Epoch { number: 9, ..world.coordinator.epoch() };
    assert!(world.coordinator.attach(&session, AttachFacts { epoch, ..AttachFacts::default() }).await.is_err());
    assert!(world.coordinator.is_down().is_some());
}

#[tokio::test]
async fn a_store_that_was_set_back_rises_above_the_agents() {
    let world = World::new().await;
    busy(&world).await;
    let a = world.agent("a").await;
    let mut report = a.words(&a.take().await, Phase::Healthy);
    report.generation.0 = 7;
    let a = world.agent_with("a", vec![report]).await;
    let assignment = a.comply().await;
    assert_eq!(assignment.generation.0, 8);
    a.coordinator.plan_all().await.unwrap();
    let turn = world.coordinator.state().turns_of(&assignment.rollout)[a.session.cluster()].clone();
    assert!(matches!(turn.forward, groundswell_core::rollout::Forward::Succeeded { .. }), "{turn:?}");
}

async fn log(world: &World) -> Vec<AuditRecord> {
    world.coordinator.audit(0, 1_000).await.unwrap()
}

#[tokio::test]
async fn every_change_is_in_the_audit_log_and_a_flipped_byte_shows() {
    let world = World::new().await;
    busy(&world).await;
    let records = log(&world).await;
    verify(None, &records).unwrap();
    let what: Vec<&str> = records.iter().map(|record| record.what.as_str()).collect();
    for wanted in ["token.create", "cluster.enrol", "chart.push", "release.apply", "rollout.plan", "report"] {
        assert!(what.contains(&wanted), "{wanted} is missing in {what:?}");
    }
    for n in 0..records.len() {
        let mut forged = records.clone();
        forged[n].detail.push('x');
        assert!(verify(None, &forged).is_err(), "record {n} was changed unseen");
    }
    for n in 0..records.len() - 1 {
        let mut forged = records.clone();
        let before = n.checked_sub(1).map(|before| &records[before]);
        forged[n] = chain(before, Entry::new("nobody", "report", "release/beacon", "never happened"), records[n].at);
        let broken = verify(None, &forged).unwrap_err();
        assert_eq!(broken.sequence, n as u64 + 2, "record {n} was written anew, with a hash that fits, and the next did not show it");
    }
    let mut cut = records.clone();
    cut.remove(2);
    assert_eq!(verify(None, &cut), Err(Broken { sequence: 3, why: "it is missing" }));
    verify(Some(&records[2]), &records[3..]).unwrap();
}

#[tokio::test]
async fn the_chain_goes_on_after_a_restart() {
    let world = World::new().await;
    busy(&world).await;
    let world = world.restart().await;
    world.enrol("later", &[]).await;
    verify(None, &log(&world).await).unwrap();
}

/// Each durable write is lost once, and once only its answer; the next process goes on from there.
#[tokio::test]
async fn a_crash_at_any_write_of_an_apply_leaves_all_or_nothing() {
    use groundswell_store::Fault;
    for fault in [Fault::BeforeCommit, Fault::AfterCommit] {
        let world = World::new().await;
        world.fleet().await;
        let digest = world.chart("1.0.0").await;
        world.store.fail_at(1, fault);
        assert!(world.apply(RELEASE, &digest).await.is_err());
        world.coordinator.stepped_down().await;
        let world = world.restart().await;
        let (releases, rollouts, documents) = {
            let state = world.coordinator.state();
            (state.releases.len(), state.rollouts.len(), state.documents.len())
        };
        let expected = if fault == Fault::AfterCommit { 1 } else { 0 };
        assert_eq!((releases, rollouts, documents), (expected, expected, expected), "{fault:?}");
        verify(None, &log(&world).await).unwrap();
        world.apply(RELEASE, &digest).await.unwrap();
        assert_eq!(world.coordinator.state().rollouts.len(), 1);
    }
}
