//! What a submit refuses for the sake of what is there already, and what it carries over.

use super::tests::refused;
use crate::coordinator::command::Command;
use crate::coordinator::sessions::Found;
use crate::coordinator::testing::{RELEASE, World};
use crate::coordinator::{AttachFacts, RefusalKind};
use groundswell_api::dto::SetRequest;
use groundswell_core::assignment::Direction;
use groundswell_core::id::{Incarnation, RolloutId};
use groundswell_core::report::Phase;
use groundswell_core::rollout::Carried;
use groundswell_core::time::Span;

const NAMED: &str = "{name: beacon, version: 1.0.0}";

#[tokio::test]
async fn a_version_that_has_two_contents_must_be_named_by_its_digest() {
    let world = World::new().await;
    world.fleet().await;
    let text = RELEASE.replace("{path: ./chart}", NAMED);
    let good = world.chart("1.0.0").await;
    world.apply(&text, &good).await.unwrap();
    world.clock.advance(Span::seconds(1));
    let other = world.chart_with("1.0.0", "replicas: 9\n").await;
    let found = refused(world.apply(&text, &good).await).error;
    assert_eq!((found.code.as_str(), found.place.as_deref()), ("GS-CHART", Some("release.yaml:7:10")));
    assert!(found.why.contains("ambiguous") && found.why.contains(&good) && found.why.contains(&other), "{}", found.why);
    assert!(found.why.contains("2023-11-14T"), "when each was pushed: {}", found.why);
    let request = SetRequest { assignments: vec!["replicas=2".into()], ..SetRequest::default() };
    let set = world.coordinator.set(&"beacon".parse().unwrap(), &request, "alice").await.unwrap();
    assert_eq!(set.results[0].plan.as_ref().unwrap().chart.as_ref().unwrap().digest, good, "a value was changed, not the chart");
    world.apply(&RELEASE.replace("{path: ./chart}", &format!("{{digest: {other}}}")), &good).await.unwrap();
}

#[tokio::test]
async fn a_release_stays_in_the_namespace_where_it_is_installed() {
    let world = World::new().await;
    world.fleet().await;
    let a = world.agent("a").await;
    let digest = world.chart("1.0.0").await;
    world.apply(RELEASE, &digest).await.unwrap();
    a.comply().await;
    let moved = RELEASE.replace("namespace: monitoring", "namespace: elsewhere");
    let found = refused(world.apply(&moved, &digest).await);
    assert_eq!((found.kind, found.error.code.as_str()), (RefusalKind::Conflict, "GS-NAMESPACE"));
    assert_eq!(found.error.place.as_deref(), Some("release.yaml:6:14"));
    assert!(found.error.why.contains("in monitoring in a"), "{}", found.error.why);
    assert!(found.error.next.contains("groundswell delete beacon --uninstall"));
    world.apply(&moved.replace("name: beacon", "name: beacon-two"), &digest).await.unwrap();
}

#[tokio::test]
async fn the_agent_is_no_release_of_ours() {
    let world = World::new().await;
    world.fleet().await;
    let digest = world.chart("1.0.0").await;
    let own = RELEASE.replace("name: beacon", "name: groundswell-agent");
    assert_eq!(refused(world.apply(&own, &digest).await).error.code, "GS-AGENT");
    let name = "a".parse().unwrap();
    let session = world.coordinator.connect(&name, &Incarnation("a-1".into()));
    let found = |name: &str, chart: &str| Found {
        name: name.into(),
        namespace: "monitoring".into(),
        revision: 1,
        status: "deployed".into(),
        chart: chart.into(),
    };
    for (release, chart, is_refused) in [
        ("eyes", "groundswell-agent-0.1.0", true),
        ("groundswell-agent", "x-1.0.0", true),
        ("other", "groundswell-agent-tools-1.0.0", false),
    ] {
        let facts = AttachFacts { found: vec![found(release, chart)], ..AttachFacts::default() };
        world.coordinator.attach(&session, facts).await.unwrap();
        let mut asked = World::request(RELEASE, &digest);
        asked.dry_run = true;
        let answer = world.coordinator.apply(asked, "alice").await;
        if is_refused {
            let error = refused(answer).error;
            assert_eq!((error.code.as_str(), error.place.as_deref()), ("GS-AGENT", Some("release.yaml:6:14")), "{release}");
        } else {
            answer.unwrap();
        }
    }
}

#[tokio::test]
async fn what_no_agent_carries_out_is_refused() {
    let world = World::new().await;
    world.fleet().await;
    let digest = world.chart("1.0.0").await;
    for line in ["drift: correct", "serviceAccount: deployer"] {
        let text = RELEASE.replace("  namespace: monitoring", &format!("  namespace: monitoring\n  {line}"));
        let found = refused(world.apply(&text, &digest).await).error;
        assert_eq!(found.code, "GS-UNSUPPORTED", "{line}");
        assert!(found.why.contains("comes in a later release"), "{}", found.why);
    }
}

#[tokio::test]
async fn a_deletion_supersedes_a_paused_rollout_only_when_it_is_told_to() {
    let world = World::new().await;
    world.fleet().await;
    world.apply(RELEASE, &world.chart("1.0.0").await).await.unwrap();
    let pause = Command::Pause { why: String::new() };
    world.coordinator.command(&RolloutId("beacon-1".into()), pause, "alice").await.unwrap();
    let (name, mode) = ("beacon".parse().unwrap(), super::DeleteMode::Uninstall);
    let found = refused(world.coordinator.delete_release(&name, mode, false, "admin").await);
    assert_eq!((found.kind, found.error.code.as_str()), (RefusalKind::Conflict, "GS-SUPERSEDE"));
    assert_eq!(found.error.why, "it was paused by alice");
    let (id, plan) = world.coordinator.delete_release(&name, mode, true, "admin").await.unwrap();
    assert_eq!((id.as_str(), plan.supersedes.as_deref()), ("beacon-2", Some("beacon-1")));
}

#[tokio::test]
async fn what_an_aborted_rollout_left_under_way_holds_its_slot_in_the_next() {
    let world = World::new().await;
    world.fleet().await;
    let (a, digest) = (world.agent("a").await, world.chart("1.0.0").await);
    world.apply(RELEASE, &digest).await.unwrap();
    let under_way = a.take().await;
    world.coordinator.command(&RolloutId("beacon-1".into()), Command::Abort { why: String::new() }, "alice").await.unwrap();
    world.apply(&RELEASE.replace("cluster: ((", "n: 2\n    cluster: (("), &digest).await.unwrap();
    let turn = world.coordinator.state().turns_of(&RolloutId("beacon-2".into()))[a.session.cluster()].clone();
    assert_eq!(turn.carried, Some(Carried { generation: under_way.generation, until: under_way.ends_at() }));
    assert!(a.has_nothing().await, "helm still runs there");
    a.report(&under_way, Phase::Healthy).await;
    assert_eq!(a.take().await.rollout.as_str(), "beacon-2");
}

#[tokio::test]
async fn a_cluster_that_pays_a_debt_holds_its_slot_in_the_next_rollout() {
    let world = World::new().await;
    world.fleet().await;
    let (agents, digest) = ([world.agent("a").await, world.agent("b").await, world.agent("c").await], world.chart("1.0.0").await);
    world.apply(RELEASE, &digest).await.unwrap();
    for agent in &agents {
        agent.comply().await;
    }
    world.until_ended("beacon-1").await;
    world.clock.advance(Span::seconds(5));
    world.enrol("d", &[]).await;
    let d = world.agent("d").await;
    let paying = d.take().await;
    assert_eq!(paying.direction, Direction::Debt);
    world.apply(&RELEASE.replace("cluster: ((", "n: 2\n    cluster: (("), &digest).await.unwrap();
    let turn = world.coordinator.state().turns_of(&RolloutId("beacon-2".into()))[d.session.cluster()].clone();
    assert_eq!(turn.carried, Some(Carried { generation: paying.generation, until: paying.ends_at() }));
}
