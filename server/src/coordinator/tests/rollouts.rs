//! Rollouts from apply to their end.

use crate::coordinator::command::Command;
use crate::coordinator::testing::{RELEASE, World};
use groundswell_api::dto::SetRequest;
use groundswell_core::assignment::Direction;
use groundswell_core::id::{Generation, RolloutId};
use groundswell_core::report::Phase;
use groundswell_core::rollout::{Forward, Outcome, State};
use groundswell_core::time::Span;

fn outcome(state: &State) -> Option<Outcome> {
    match state {
        State::Ended { outcome, .. } => Some(*outcome),
        _ => None,
    }
}

#[tokio::test]
async fn the_canary_goes_first_and_then_the_rest() {
    let world = World::new().await;
    world.fleet().await;
    let (a, b, c) = (world.agent("a").await, world.agent("b").await, world.agent("c").await);
    let digest = world.chart("1.0.0").await;
    world.apply(RELEASE, &digest).await.unwrap();

    let canary = a.take().await;
    assert!(b.has_nothing().await && c.has_nothing().await, "the rest waits for the canary");
    assert!(world.coordinator.may_fetch(a.session.cluster(), &digest.parse_digest()));
    assert!(!world.coordinator.may_fetch(b.session.cluster(), &digest.parse_digest()), "nothing was assigned to b");
    a.report(&canary, Phase::Healthy).await;
    b.comply().await;
    c.comply().await;
    assert_eq!(outcome(&world.until_ended("beacon-1").await), Some(Outcome::Succeeded));
}

trait ParseDigest {
    fn parse_digest(&self) -> groundswell_core::id::Digest;
}

impl ParseDigest for String {
    fn parse_digest(&self) -> groundswell_core::id::Digest {
        groundswell_core::id::Digest::new(self.as_str()).unwrap()
    }
}

#[tokio::test]
async fn a_bad_version_stops_at_the_canary_and_is_taken_back() {
    let world = World::new().await;
    world.fleet().await;
    let (a, b, c) = (world.agent("a").await, world.agent("b").await, world.agent("c").await);
    world.apply(RELEASE, &world.chart("1.0.0").await).await.unwrap();
    for agent in [&a, &b, &c] {
        agent.comply().await;
    }
    world.until_ended("beacon-1").await;
    world.apply(RELEASE, &world.chart("2.0.0").await).await.unwrap();
    let bad = a.take().await;
    a.report(&bad, Phase::Failed).await;
    let back = a.comply().await;
    assert_eq!(back.direction, Direction::Back);
    assert!(back.generation > bad.generation);
    assert_eq!(outcome(&world.until_ended("beacon-2").await), Some(Outcome::RolledBack));
    assert!(b.has_nothing().await && c.has_nothing().await, "nobody else was touched");
    let request = SetRequest { assignments: vec!["a.b=x".into()], dry_run: true, ..SetRequest::default() };
    let answer = world.coordinator.set(&"beacon".parse().unwrap(), &request, "alice").await.unwrap();
    assert!(answer.warnings.iter().any(|warning| warning.contains("a document that did not hold (beacon-2")), "{:?}", answer.warnings);
}

#[tokio::test]
async fn a_paused_rollout_starts_nothing_and_permits_nothing() {
    let world = World::new().await;
    world.fleet().await;
    let (a, b) = (world.agent("a").await, world.agent("b").await);
    world.apply(RELEASE, &world.chart("1.0.0").await).await.unwrap();
    let assignment = a.take().await;
    let permit = || world.coordinator.permit(a.session.cluster(), &assignment.release, assignment.generation);
    assert_eq!(permit().granted_for, Some(Span::seconds(60)));
    let id = RolloutId("beacon-1".into());
    world.coordinator.command(&id, Command::Pause { why: "lunch".into() }, "alice").await.unwrap();
    assert_eq!(permit().granted_for, None);
    assert!(permit().why.contains("lunch"));
    a.report(&assignment, Phase::Healthy).await;
    assert!(b.has_nothing().await);
    world.coordinator.command(&id, Command::Resume, "alice").await.unwrap();
    b.take().await;
}

#[tokio::test]
async fn a_stale_report_is_acknowledged_and_changes_nothing() {
    let world = World::new().await;
    world.fleet().await;
    let a = world.agent("a").await;
    world.apply(RELEASE, &world.chart("1.0.0").await).await.unwrap();
    let assignment = a.take().await;
    a.report(&assignment, Phase::Applying).await;
    let writes = world.store.writes();
    let mut repeated = a.words(&assignment, Phase::Applying);
    repeated.sequence = 1;
    let mut older = a.words(&assignment, Phase::Failed);
    older.generation = Generation(0);
    let mut foreign = a.words(&assignment, Phase::Failed);
    foreign.rollout = RolloutId("beacon-9".into());
    let mut unknown = a.words(&assignment, Phase::Failed);
    unknown.release = "other".parse().unwrap();
    for report in [repeated, older, foreign, unknown] {
        a.coordinator.report(&a.session, report).await.unwrap();
    }
    assert_eq!(world.store.writes(), writes);
    let turn = world.coordinator.state().turns_of(&assignment.rollout)[a.session.cluster()].clone();
    assert!(matches!(turn.forward, Forward::InFlight { .. }));
}

#[tokio::test]
async fn a_report_speaks_for_the_cluster_of_its_session_only() {
    let world = World::new().await;
    world.fleet().await;
    let (a, b) = (world.agent("a").await, world.agent("b").await);
    world.apply(RELEASE, &world.chart("1.0.0").await).await.unwrap();
    let assignment = a.take().await;
    let mut forged = b.words(&assignment, Phase::Failed);
    forged.cluster = a.session.cluster().clone();
    b.coordinator.report(&b.session, forged).await.unwrap();
    assert!(world.coordinator.state().cluster_release(&assignment.release, a.session.cluster()).unwrap().report.is_none());
}

#[tokio::test]
async fn a_newer_rollout_takes_over_what_is_in_flight() {
    let world = World::new().await;
    world.fleet().await;
    let a = world.agent("a").await;
    world.apply(RELEASE, &world.chart("1.0.0").await).await.unwrap();
    let first = a.take().await;
    world.apply(RELEASE, &world.chart("2.0.0").await).await.unwrap();
    assert_eq!(outcome(&world.head("beacon-1")), Some(Outcome::Superseded));
    let turn = world.coordinator.state().turns_of(&RolloutId("beacon-2".into()))[a.session.cluster()].clone();
    assert_eq!(turn.carried.map(|carried| carried.generation), Some(first.generation));
    assert!(a.has_nothing().await, "it holds the slot");
    a.report(&first, Phase::Healthy).await;
    let second = a.take().await;
    assert_eq!(second.rollout.as_str(), "beacon-2");
    assert!(second.generation > first.generation);
}

#[tokio::test]
async fn a_paused_rollout_is_superseded_only_by_word() {
    let world = World::new().await;
    world.fleet().await;
    world.apply(RELEASE, &world.chart("1.0.0").await).await.unwrap();
    world.coordinator.command(&RolloutId("beacon-1".into()), Command::Pause { why: "look".into() }, "alice").await.unwrap();
    let digest = world.chart("2.0.0").await;
    let refused = world.apply(RELEASE, &digest).await.unwrap_err();
    assert!(refused.to_string().contains("paused by alice"), "{refused}");
    let mut request = World::request(RELEASE, &digest);
    request.supersede = true;
    world.coordinator.apply(request, "alice").await.unwrap();
    assert_eq!(world.head("beacon-2"), State::Running);
}

#[tokio::test]
async fn a_cluster_that_joins_gets_the_last_version_that_finished() {
    let world = World::new().await;
    world.fleet().await;
    let agents = [world.agent("a").await, world.agent("b").await, world.agent("c").await];
    world.apply(RELEASE, &world.chart("1.0.0").await).await.unwrap();
    for agent in &agents {
        agent.comply().await;
    }
    world.until_ended("beacon-1").await;
    world.clock.advance(Span::seconds(5));
    world.enrol("d", &[]).await;
    let d = world.agent("d").await;
    let assignment = d.comply().await;
    assert_eq!((assignment.direction, assignment.rollout.as_str()), (Direction::Debt, "beacon-1"));
    d.coordinator.plan_all().await.unwrap();
    assert!(world.coordinator.state().cluster_release(&assignment.release, d.session.cluster()).unwrap().debt.is_none());
}

#[tokio::test]
async fn a_debt_that_could_not_be_paid_is_tried_again_by_word_though_its_rollout_has_ended() {
    let world = World::new().await;
    world.fleet().await;
    let agents = [world.agent("a").await, world.agent("b").await, world.agent("c").await];
    world.apply(RELEASE, &world.chart("1.0.0").await).await.unwrap();
    for agent in &agents {
        agent.comply().await;
    }
    world.until_ended("beacon-1").await;
    world.clock.advance(Span::seconds(5));
    world.enrol("d", &[]).await;
    let d = world.agent("d").await;
    let paying = d.take().await;
    d.report(&paying, Phase::Failed).await;
    assert!(d.has_nothing().await, "a person decides");
    let failed = || world.coordinator.state().cluster_release(&paying.release, d.session.cluster()).unwrap().debt.clone().unwrap().failed;
    assert!(failed().is_some());
    let retry = |cluster: &str| Command::Retry(cluster.parse().unwrap());
    let id = RolloutId("beacon-1".into());
    assert!(world.coordinator.command(&id, retry("a"), "alice").await.is_err(), "a owes nothing, and the rollout has ended");
    world.coordinator.command(&id, retry("d"), "alice").await.unwrap();
    let again = d.comply().await;
    assert!(again.generation > paying.generation);
}
