//! The coordinator as a whole, on a memory store.

mod apis;
mod durability;
mod golden;
mod rollouts;

use super::testing::{World, bare};
use super::{Closed, NotAdmitted, RedeemError};
use crate::coordinator::enrolment::TokenWish;
use groundswell_core::time::Span;
use std::collections::BTreeMap;

fn open_wish() -> TokenWish {
    TokenWish { cluster: None, labels: BTreeMap::new(), ttl: Span::minutes(5), uses: 1 }
}

async fn token(world: &World, wish: TokenWish) -> String {
    let token = world.coordinator.create_token(wish, "admin").await.unwrap().token;
    bare(&token).to_owned()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_a_thousand_who_redeem_one_token_exactly_one_is_let_in() {
    let world = World::new().await;
    let token = token(&world, open_wish()).await;
    let mut tries = tokio::task::JoinSet::new();
    for n in 0..1_000 {
        let (coordinator, token) = (world.coordinator.clone(), token.clone());
        tries.spawn(async move { coordinator.redeem(&token, Some(&format!("c{n}")), &format!("key{n}"), BTreeMap::new()).await });
    }
    let answers = tries.join_all().await;
    assert_eq!(answers.iter().filter(|answer| answer.is_ok()).count(), 1);
    assert_eq!(world.coordinator.state().clusters.len(), 1);
    let refusals: std::collections::BTreeSet<String> =
        answers.iter().filter_map(|answer| answer.as_ref().err().map(ToString::to_string)).collect();
    assert_eq!(refusals.len(), 1, "every refusal reads the same: {refusals:?}");
}

#[tokio::test]
async fn a_lost_answer_is_given_again_to_the_same_key_only() {
    let world = World::new().await;
    let token = token(&world, open_wish()).await;
    let redeem = |key: &'static str| world.coordinator.redeem(&token, Some("east-01"), key, BTreeMap::new());
    assert_eq!(redeem("k1").await.unwrap().as_str(), "east-01");
    assert_eq!(redeem("k1").await.unwrap().as_str(), "east-01");
    assert!(matches!(redeem("k2").await, Err(RedeemError::Refused)));
}

#[tokio::test]
async fn tokens_that_open_nothing() {
    let world = World::new().await;
    world.enrol("taken", &[]).await;
    let good = token(&world, open_wish()).await;
    let (id, _) = good.split_once('.').unwrap();
    let cases = [("", "x"), ("nonsense", "x"), (&format!("{id}.{}", "0".repeat(64)), "x"), (&good, "taken"), (&good, "--flag")];
    for (token, name) in cases {
        let answer = world.coordinator.redeem(token, Some(name), "key", BTreeMap::new()).await;
        assert!(matches!(answer, Err(RedeemError::Refused)), "{token} {name}");
    }
    world.clock.advance(Span::minutes(6));
    assert!(world.coordinator.redeem(&good, Some("late"), "key", BTreeMap::new()).await.is_err(), "expired");
    assert_eq!(world.coordinator.state().clusters.len(), 1);
}

#[tokio::test]
async fn a_revoked_cluster_loses_its_session_and_is_not_admitted() {
    let world = World::new().await;
    let name = world.enrol("east-01", &[]).await;
    let agent = world.agent("east-01").await;
    assert_eq!(world.coordinator.admit(&name, "key-east-01"), Ok(()));
    assert_eq!(world.coordinator.admit(&name, "another"), Err(NotAdmitted::Key));
    world.coordinator.revoke(&name, "stolen", "admin").await.unwrap();
    assert_eq!(agent.session.closed().await, Closed::Revoked);
    assert_eq!(world.coordinator.admit(&name, "key-east-01"), Err(NotAdmitted::Revoked));
    assert!(world.agent("east-01").await.session.closed().await == Closed::Revoked, "a session that began beside it ends too");
}

#[tokio::test]
async fn a_newer_session_replaces_the_older() {
    let world = World::new().await;
    world.enrol("east-01", &[]).await;
    let old = world.agent("east-01").await;
    let _new = world.agent("east-01").await;
    assert_eq!(old.session.closed().await, Closed::Replaced);
    drop(old);
    assert_eq!(world.coordinator.sessions_up(), 1, "the end of the old one is not the end of the new");
}

#[tokio::test]
async fn variables_that_no_document_could_use_are_refused() {
    let world = World::new().await;
    let name = world.enrol("east-01", &[]).await;
    for bad in ["cluster_name", "", "bad name)", "a/b"] {
        let variables = BTreeMap::from([(bad.to_owned(), serde_json::json!("evil"))]);
        assert!(world.coordinator.set_variables(&name, variables, "alice").await.is_err(), "{bad:?}");
    }
    let good = BTreeMap::from([("zone.of_it-1".to_owned(), serde_json::json!("x"))]);
    world.coordinator.set_variables(&name, good, "alice").await.unwrap();
}

#[tokio::test]
async fn a_join_token_that_was_revoked_opens_nothing() {
    let world = World::new().await;
    let token = token(&world, open_wish()).await;
    let (id, _) = token.split_once('.').unwrap();
    world.coordinator.revoke_token(id, "admin").await.unwrap();
    assert!(matches!(world.coordinator.redeem(&token, Some("x"), "key", BTreeMap::new()).await, Err(RedeemError::Refused)));
    assert!(world.coordinator.revoke_token(id, "admin").await.is_err());
}
