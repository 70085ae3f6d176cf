//! What clusters serve: kept once, by digest, for as long as a cluster serves it.

use crate::coordinator::testing::{Agent, World};
use crate::coordinator::{ApisSaid, AttachFacts, Coordinator, CoordinatorError, digest_of};
use groundswell_core::apis::{ApiList, MAX_BYTES};
use groundswell_core::id::{ClusterName, Digest};
use groundswell_core::time::Span;
use std::collections::BTreeSet;
use std::time::Duration;

fn list(kinds: &[&str]) -> (Digest, Vec<u8>) {
    let kinds: BTreeSet<String> = kinds.iter().map(|kind| (*kind).to_owned()).collect();
    let bytes = ApiList::new(BTreeSet::from(["v1".to_owned()]), kinds, BTreeSet::new()).canonical().into_bytes();
    (digest_of(&bytes), bytes)
}

fn cluster(name: &str) -> ClusterName {
    name.parse().unwrap()
}

async fn announce(agent: &Agent, digest: &Digest) -> bool {
    agent.coordinator.announce(&agent.session, "v1.36.3", digest.clone()).await.unwrap()
}

/// Until it is so; the limit is for a test that fails.
async fn until(what: &str, is_so: impl Fn() -> bool) {
    let waiting = async {
        while !is_so() {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(Duration::from_secs(60), waiting).await.unwrap_or_else(|_| panic!("never: {what}"));
}

async fn stored(coordinator: &Coordinator, name: &str, digest: &Digest) {
    let has = || coordinator.state().clusters[name].seen.as_ref().is_some_and(|seen| seen.apis.as_ref() == Some(digest));
    until("the record has the digest", has).await;
}

fn is_on_disk(world: &World, digest: &Digest) -> bool {
    world.coordinator.blobs().has(&digest.as_str().parse().unwrap()).unwrap()
}

async fn why(world: &World, name: &str) -> String {
    match world.coordinator.cluster_apis(&cluster(name)).await {
        Err(CoordinatorError::Refused(refused)) => format!("{}: {}", refused.error.code, refused.error.why),
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn one_agent_sends_the_list_and_all_clusters_have_it_after_a_restart_too() {
    let world = World::new().await;
    world.fleet().await;
    let (digest, bytes) = list(&["v1/Pod", "apps/v1/Deployment"]);
    let (a, b) = (world.agent("a").await, world.agent("b").await);
    assert!(announce(&a, &digest).await, "nobody has it");
    assert!(!announce(&b, &digest).await, "another was asked a moment ago");
    stored(&world.coordinator, "a", &digest).await;
    assert!(why(&world, "a").await.starts_with("GS-APIS: its agent named a list that this server does not have"));
    a.coordinator.take_list(&a.session, &digest, bytes).await.unwrap();
    stored(&world.coordinator, "b", &digest).await;
    let writes = world.store.writes();
    for agent in [&a, &b] {
        assert!(!announce(agent, &digest).await);
    }
    assert_eq!(world.store.writes(), writes, "the same again is no change");
    drop((a, b));
    let world = world.restart().await;
    for name in ["a", "b"] {
        let found = world.coordinator.cluster_apis(&cluster(name)).await.unwrap();
        assert_eq!((found.kubernetes_version.as_str(), found.digest), ("v1.36.3", digest.clone()));
        assert_eq!(found.list.versions(), ["apps/v1/Deployment", "v1", "v1/Pod"]);
    }
    let c = world.agent("c").await;
    assert!(!announce(&c, &digest).await, "it is on disk");
}

#[tokio::test]
async fn who_was_asked_and_never_sent_it_is_not_waited_for_for_ever() {
    let world = World::new().await;
    world.fleet().await;
    let (digest, _) = list(&["v1/Pod"]);
    let (a, b) = (world.agent("a").await, world.agent("b").await);
    assert!(announce(&a, &digest).await);
    world.clock.advance(Span::seconds(31));
    assert!(announce(&b, &digest).await);
}

#[tokio::test]
async fn what_is_no_list_is_not_kept_and_said() {
    let world = World::new().await;
    world.fleet().await;
    let a = world.agent("a").await;
    let (digest, bytes) = list(&["v1/Pod"]);
    let (other, _) = list(&["v1/Secret"]);
    let evil = b"groundswell api list 1\nv1\n../../etc\n".to_vec();
    let cases = [
        (other.clone(), bytes.clone(), "another list"),
        (digest_of(&evil), evil, "line 3"),
        (digest.clone(), vec![b'x'; MAX_BYTES + 1], "bytes"),
    ];
    for (digest, bytes, expected) in cases {
        announce(&a, &digest).await;
        stored(&world.coordinator, "a", &digest).await;
        let refused = a.coordinator.take_list(&a.session, &digest, bytes).await.unwrap_err();
        assert!(refused.contains(expected), "{refused}");
        assert!(!is_on_disk(&world, &digest));
        assert!(why(&world, "a").await.contains(expected), "{}", why(&world, "a").await);
        world.clock.advance(Span::seconds(31));
    }
    announce(&a, &digest).await;
    a.coordinator.take_list(&a.session, &digest, bytes).await.unwrap();
    stored(&world.coordinator, "a", &digest).await;
    assert!(world.coordinator.cluster_apis(&cluster("a")).await.is_ok(), "what was refused before stands in nobody's way");
}

#[tokio::test]
async fn a_list_that_no_cluster_serves_any_more_is_removed_and_nothing_else() {
    let world = World::new().await;
    world.fleet().await;
    let chart = Digest::new(world.chart("1.0.0").await).unwrap();
    let (old, old_bytes) = list(&["v1/Pod"]);
    let (new, new_bytes) = list(&["v1/Pod", "batch/v1/Job"]);
    let (a, b) = (world.agent("a").await, world.agent("b").await);
    for agent in [&a, &b] {
        announce(agent, &old).await;
    }
    a.coordinator.take_list(&a.session, &old, old_bytes.clone()).await.unwrap();
    stored(&world.coordinator, "a", &old).await;
    stored(&world.coordinator, "b", &old).await;
    announce(&a, &new).await;
    a.coordinator.take_list(&a.session, &new, new_bytes).await.unwrap();
    stored(&world.coordinator, "a", &new).await;
    assert!(world.coordinator.cluster_apis(&cluster("b")).await.is_ok(), "b serves it still");
    announce(&b, &chart).await;
    stored(&world.coordinator, "b", &chart).await;
    until("the old list is gone", || !is_on_disk(&world, &old)).await;
    assert!(announce(&b, &old).await, "who serves it again is asked again");
    b.coordinator.take_list(&b.session, &old, old_bytes).await.unwrap();
    stored(&world.coordinator, "b", &old).await;
    announce(&b, &new).await;
    stored(&world.coordinator, "b", &new).await;
    until("the old list is gone again", || !is_on_disk(&world, &old)).await;
    assert!(is_on_disk(&world, &chart), "an agent that names a chart does not have it removed");
    assert!(is_on_disk(&world, &new));
}

#[tokio::test]
async fn why_a_list_is_not_known_is_said() {
    let world = World::new().await;
    world.fleet().await;
    assert_eq!(why(&world, "a").await, "GS-APIS: no agent of it was heard yet");
    let attach = async |agent: &Agent, apis| {
        let facts = AttachFacts { agent_version: "0.1.0".into(), kubernetes_version: "v1.30.1".into(), apis, ..AttachFacts::default() };
        agent.coordinator.attach(&agent.session, facts).await.unwrap();
    };
    let a = world.agent("a").await;
    attach(&a, ApisSaid::Unsupported).await;
    assert_eq!(why(&world, "a").await, "GS-APIS: its agent 0.1.0 does not tell; it is of an older version");
    let b = world.agent("b").await;
    attach(&b, ApisSaid::NotYet).await;
    assert_eq!(why(&world, "b").await, "GS-APIS: its agent has not finished its first look");
    until("the version is stored", || {
        world.coordinator.state().clusters["a"].seen.as_ref().is_some_and(|seen| seen.kubernetes_version == "v1.30.1")
    })
    .await;
    assert!(
        matches!(world.coordinator.cluster_apis(&cluster("nobody")).await, Err(CoordinatorError::Refused(refused)) if refused.error.code == "GS-NOT-FOUND")
    );
}

#[tokio::test]
async fn an_agent_that_starts_anew_and_has_not_looked_yet_takes_nothing_away_but_an_older_one_does() {
    let world = World::new().await;
    world.fleet().await;
    let (digest, bytes) = list(&["v1/Pod"]);
    let a = world.agent("a").await;
    announce(&a, &digest).await;
    a.coordinator.take_list(&a.session, &digest, bytes).await.unwrap();
    stored(&world.coordinator, "a", &digest).await;
    let next = world.agent("a").await;
    let facts = |apis| AttachFacts { kubernetes_version: "v1.36.3".into(), apis, ..AttachFacts::default() };
    next.coordinator.attach(&next.session, facts(ApisSaid::NotYet)).await.unwrap();
    assert!(world.coordinator.cluster_apis(&cluster("a")).await.is_ok());
    next.coordinator.attach(&next.session, facts(ApisSaid::Unsupported)).await.unwrap();
    until("it is not known any more", || world.coordinator.state().clusters["a"].seen.as_ref().is_some_and(|seen| seen.apis.is_none()))
        .await;
}

/// GS-12, and a session that was replaced is nobody's any more.
#[tokio::test]
async fn a_session_changes_only_its_own_cluster_and_only_while_it_is_the_newest() {
    let world = World::new().await;
    world.fleet().await;
    let (digest, bytes) = list(&["v1/Pod"]);
    let (old, new) = (world.agent("a").await, world.agent("a").await);
    assert!(old.coordinator.announce(&old.session, "v9.9.9", digest.clone()).await.is_err());
    assert!(old.coordinator.take_list(&old.session, &digest, bytes).await.is_err());
    let (other, _) = list(&[]);
    announce(&new, &other).await;
    stored(&world.coordinator, "a", &other).await;
    let state = world.coordinator.state();
    assert_eq!(state.clusters["a"].seen.as_ref().unwrap().kubernetes_version, "v1.36.3");
    assert!(state.clusters["b"].seen.is_none() && state.clusters["c"].seen.is_none());
    assert_eq!(state.audit.as_ref().map(|last| (last.who.as_str(), last.what.as_str())), Some(("a", "cluster.describe")));
}
