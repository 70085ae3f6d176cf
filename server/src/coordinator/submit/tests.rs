//! What is refused at submit, and what an apply makes of the same document again.

use super::splice::with_values;
use crate::coordinator::testing::{RELEASE, World};
use crate::coordinator::{CoordinatorError, RefusalKind, Refused};
use groundswell_api::document::{Document, parse};
use groundswell_api::dto::{ApplyAction, SetRequest, SourceText};
use groundswell_core::assignment::Target;
use groundswell_core::id::{ClusterName, ReleaseName};

pub(super) fn refused<T: std::fmt::Debug>(answer: Result<T, CoordinatorError>) -> Refused {
    match answer {
        Err(CoordinatorError::Refused(refused)) => *refused,
        other => panic!("not refused: {other:?}"),
    }
}

/// What is put in place of a line of [`RELEASE`], the code and place of the refusal, and a word that it must say.
const WRONG: [(&str, &str, &str, Option<&str>, &str); 16] = [
    ("kind: Release", "kind: [", "GS-DOCUMENT", Some("release.yaml:4:7"), "not YAML"),
    ("  namespace: monitoring", "  namespace: monitoring\n  colour: red", "GS-DOCUMENT", Some("release.yaml:7:3"), "colour"),
    ("{selector: \"\"}\n  values", "{selector: planet=mars}\n  values", "GS-NO-CLUSTER", Some("release.yaml:8:24"), "no cluster"),
    ("selector: \"\", maxConcurrent", "selector: x=y, maxConcurrent", "GS-WAVES", None, "no wave takes b, c"),
    ("selector: canary=true", "selector: canary=never", "GS-EMPTY-WAVE", Some("release.yaml:13:16"), "mend its selector"),
    ("maxConcurrent: 2", "maxConcurrent: 0", "GS-DOCUMENT", Some("release.yaml:14:51"), "no cluster would ever go"),
    ("maxConcurrent: 2", "failureBudget: 2", "GS-LIMIT", Some("release.yaml:14:16"), "all of its 2 clusters"),
    ("maxConcurrent: 2", "failureBudget: 100%", "GS-DOCUMENT", Some("release.yaml:14:51"), "as large as its wave"),
    ("maxConcurrent: 2", "minAvailable: 3", "GS-LIMIT", Some("release.yaml:14:16"), "more than its 2 clusters"),
    ("maxConcurrent: 2", "failureBudget: 101%", "GS-DOCUMENT", Some("release.yaml:14:51"), "101%"),
    ("((cluster_name))", "((cluster_nam))", "GS-VALUES", Some("release.yaml:10:14"), "did you mean cluster_name"),
    ("    cluster: ((cluster_name))", "    cluster: [", "GS-VALUES", Some("release.yaml:10:14"), "unclosed bracket"),
    ("    cluster: ((cluster_name))", "    replicas: many", "GS-SCHEMA", None, "replicas"),
    ("  values: |\n    cluster: ((cluster_name))", "  values:\n    enabled: yes", "GS-VALUES", Some("release.yaml:10:14"), "quote it"),
    ("{path: ./chart}", "{name: beacon, version: 9.9.9}", "GS-CHART", Some("release.yaml:7:10"), "does not have it"),
    ("{path: ./chart}", "{path: ./elsewhere}", "GS-CHART", Some("release.yaml:7:10"), "did not come with the request"),
];

#[tokio::test]
async fn what_is_wrong_is_refused_with_its_place_and_changes_nothing() {
    let world = World::new().await;
    world.fleet().await;
    let digest = world.chart("1.0.0").await;
    let writes = world.store.writes();
    for (good, bad, code, place, word) in WRONG {
        assert!(RELEASE.contains(good), "{good:?} is no part of the document");
        let found = refused(world.apply(&RELEASE.replacen(good, bad, 1), &digest).await);
        let said = serde_json::to_string(&found.error).unwrap();
        assert_eq!(found.error.code, code, "{bad}: {said}");
        assert_eq!(found.error.place.as_deref(), place, "{bad}: {said}");
        assert!(said.contains(word), "{bad}: {said}");
        assert!(!found.error.why.is_empty() || !found.error.what.is_empty());
    }
    assert_eq!(world.store.writes(), writes);
    assert!(world.coordinator.state().releases.is_empty());
}

#[tokio::test]
async fn everything_wrong_is_told_at_once() {
    let world = World::new().await;
    world.fleet().await;
    let text = RELEASE
        .replace("canary=true", "canary=never")
        .replace("((cluster_name))", "((nobody))")
        .replace("maxConcurrent: 2", "minAvailable: 5");
    let found = refused(world.apply(&text, &world.chart("1.0.0").await).await);
    let codes: Vec<&str> = std::iter::once(&*found.error).chain(&found.error.more).map(|error| error.code.as_str()).collect();
    assert_eq!(codes, ["GS-EMPTY-WAVE", "GS-LIMIT", "GS-VALUES", "GS-VALUES", "GS-VALUES"]);
}

#[tokio::test]
async fn an_archive_that_breaks_a_rule_is_refused() {
    let world = World::new().await;
    for bytes in [&b""[..], b"garbage", &[0x1f, 0x8b, 8, 0]] {
        let Err(CoordinatorError::Refused(found)) = world.coordinator.push_chart(bytes.to_vec(), "alice").await else { panic!("taken") };
        assert_eq!(found.error.code, "GS-ARCHIVE");
    }
    assert!(world.coordinator.state().charts.is_empty());
}

#[tokio::test]
async fn a_chart_that_helm_can_install_nowhere_is_refused() {
    let world = World::new().await;
    let pushed = async |kind: &str, values: &str| {
        let folder = tempfile::tempdir().unwrap();
        let chart = format!("apiVersion: v2\nname: beacon\nversion: 1.0.0\ntype: {kind}\n");
        std::fs::write(folder.path().join("Chart.yaml"), chart).unwrap();
        std::fs::write(folder.path().join("values.yaml"), values).unwrap();
        let bytes = groundswell_helm::pack::pack(folder.path()).unwrap().bytes;
        world.coordinator.push_chart(bytes, "alice").await
    };
    for (kind, values, why) in [
        ("application", "[a]\n", "helm cannot load values.yaml:1:1: values are a map of keys"),
        ("application", "a: [\n", "helm cannot load values.yaml:"),
        ("library", "", "is a library chart"),
    ] {
        let Err(CoordinatorError::Refused(found)) = pushed(kind, values).await else { panic!("{values:?} was taken") };
        assert!(found.error.code == "GS-ARCHIVE" && found.error.why.contains(why), "{:?}", found.error);
    }
    pushed("application", "a: 1\n---\nb: 2\n").await.unwrap();
}

#[tokio::test]
async fn the_same_document_makes_no_second_rollout() {
    let world = World::new().await;
    world.fleet().await;
    let digest = world.chart("1.0.0").await;
    let first = world.apply(RELEASE, &digest).await.unwrap().results.remove(0);
    assert_eq!((first.action, first.revision, first.rollout.as_deref()), (ApplyAction::Created, 1, Some("beacon-1")));
    let writes = world.store.writes();
    let again = world.apply(RELEASE, &digest).await.unwrap().results.remove(0);
    assert_eq!((again.action, again.revision, again.rollout), (ApplyAction::Unchanged, 1, None));
    assert_eq!(world.store.writes(), writes);
    let comment = world.apply(&format!("# a word\n{RELEASE}"), &digest).await.unwrap().results.remove(0);
    assert_eq!(comment.rollout, None, "a comment changes nothing in any cluster");
    let mut asked = World::request(RELEASE, &digest);
    asked.again = true;
    let forced = world.coordinator.apply(asked, "alice").await.unwrap().results.remove(0);
    assert_eq!(forced.rollout.as_deref(), Some("beacon-2"));
}

#[tokio::test]
async fn a_dry_run_shows_the_hash_that_the_rollout_will_have_and_changes_nothing() {
    let world = World::new().await;
    world.fleet().await;
    let digest = world.chart("1.0.0").await;
    let mut asked = World::request(RELEASE, &digest);
    asked.dry_run = true;
    let writes = world.store.writes();
    let plan = world.coordinator.apply(asked, "bob").await.unwrap().results.remove(0).plan.unwrap();
    assert_eq!(world.store.writes(), writes);
    let waves: Vec<(&str, Vec<&str>, u64)> = plan
        .waves
        .iter()
        .map(|wave| (wave.name.as_str(), wave.clusters.iter().map(String::as_str).collect(), wave.max_concurrent))
        .collect();
    assert_eq!(waves, [("canary", vec!["a"], 1), ("rest", vec!["b", "c"], 2)]);
    world.clock.advance(groundswell_core::time::Span::seconds(7));
    let done = world.apply(RELEASE, &digest).await.unwrap().results.remove(0);
    assert_eq!(done.plan.unwrap().plan_hash, plan.plan_hash);
}

#[tokio::test]
async fn of_two_who_apply_at_once_each_gets_what_they_asked_for_or_a_refusal() {
    let world = World::new().await;
    world.fleet().await;
    let digest = world.chart("1.0.0").await;
    let texts: Vec<String> = (0..8).map(|n| RELEASE.replace("cluster: ((", &format!("n: {n}\n    cluster: (("))).collect();
    let answers = futures::future::join_all(texts.iter().map(|text| world.apply(text, &digest))).await;
    for (n, answer) in answers.into_iter().enumerate() {
        let Ok(answer) = answer else { continue };
        let id = groundswell_core::id::RolloutId(answer.results[0].rollout.clone().unwrap());
        let head = world.coordinator.state().rollouts[&id].clone();
        let snapshot = world.coordinator.snapshot(&head).await.unwrap();
        assert_eq!(super::hash::plan_hash(&snapshot), head.plan_hash, "{id} has somebody else's snapshot");
        let values = super::super::open_blob(world.coordinator.blobs(), &snapshot.members.values().next().unwrap().values[0]).unwrap();
        assert!(String::from_utf8(values).unwrap().starts_with(&format!("n: {n}\n")), "{id}");
    }
    let last = world.coordinator.state().releases.values().next().unwrap().clone();
    assert_eq!(world.coordinator.state().rollouts.len() as u64, last.rollouts);
}

#[tokio::test]
async fn somebody_elses_change_in_between_is_a_conflict() {
    let world = World::new().await;
    world.fleet().await;
    let digest = world.chart("1.0.0").await;
    world.apply(RELEASE, &digest).await.unwrap();
    let mut asked = World::request(RELEASE, &digest);
    asked.expect_revision = Some(0);
    let found = refused(world.coordinator.apply(asked, "alice").await);
    assert_eq!((found.kind, found.error.code.as_str()), (RefusalKind::Conflict, "GS-REVISION"));
}

#[tokio::test]
async fn one_bad_document_keeps_the_others_out() {
    let world = World::new().await;
    world.fleet().await;
    let mut asked = World::request(RELEASE, &world.chart("1.0.0").await);
    let strategy = "apiVersion: groundswell.dev/v1alpha1\nkind: Strategy\nmetadata: {name: careful}\nspec: {}\n";
    asked.documents.push(SourceText { source: "s.yaml".into(), text: strategy.into() });
    asked.documents[0].text = RELEASE.replace("canary=true", "canary=never");
    refused(world.coordinator.apply(asked.clone(), "alice").await);
    assert!(world.coordinator.state().strategies.is_empty());
    asked.documents[0].text = RELEASE.into();
    assert_eq!(world.coordinator.apply(asked, "alice").await.unwrap().results.len(), 2);
}

async fn values_of(world: &World, cluster: &str) -> serde_json::Value {
    let release: ReleaseName = "beacon".parse().unwrap();
    world.coordinator.values(&release, &cluster.parse().unwrap()).await.unwrap().merged
}

#[tokio::test]
async fn overrides_lie_over_the_base_in_order_with_variables_in_place() {
    let world = World::new().await;
    world.fleet().await;
    let name: ClusterName = "b".parse().unwrap();
    world.coordinator.set_variables(&name, [("zone".to_owned(), serde_json::json!(["x", 1]))].into(), "alice").await.unwrap();
    let overrides = r#"  overrides:
    - selector: name=b
      values: |
        zone: ((zone))
      valuesFiles: [more.yaml]
    - selector: canary=true
      values: |
        cluster: canary
"#;
    let mut asked = World::request(&RELEASE.replace("  strategySpec", &format!("{overrides}  strategySpec")), &world.chart("1.0.0").await);
    asked.files.insert("more.yaml".into(), "replicas: 3\n".into());
    world.coordinator.apply(asked, "alice").await.unwrap();
    assert_eq!(values_of(&world, "a").await, serde_json::json!({"cluster": "canary"}));
    assert_eq!(values_of(&world, "b").await, serde_json::json!({"cluster": "b", "zone": ["x", 1], "replicas": 3}));
    assert_eq!(values_of(&world, "c").await, serde_json::json!({"cluster": "c"}));
    let shown = world.coordinator.values(&"beacon".parse().unwrap(), &"a".parse().unwrap()).await.unwrap();
    assert_eq!(shown.origin["cluster"], "override canary=true");
    assert_eq!(shown.overridden["cluster"], ["values"]);
}

#[tokio::test]
async fn set_is_a_new_revision_of_the_document_and_leaves_the_rest_of_it_alone() {
    let world = World::new().await;
    world.fleet().await;
    world.apply(RELEASE, &world.chart("1.0.0").await).await.unwrap();
    let release: ReleaseName = "beacon".parse().unwrap();
    let request = SetRequest { assignments: vec!["replicas=2".into(), "a.b=x".into()], ..SetRequest::default() };
    let result = world.coordinator.set(&release, &request, "alice").await.unwrap().results.remove(0);
    assert_eq!((result.revision, result.rollout.as_deref()), (2, Some("beacon-2")));
    assert_eq!(values_of(&world, "c").await, serde_json::json!({"cluster": "c", "replicas": 2, "a": {"b": "x"}}));
    let stored = world.coordinator.stored(&release, 2).await.unwrap();
    let expected =
        RELEASE.replace("    cluster: ((cluster_name))\n", "    cluster: ((cluster_name))\n    replicas: 2\n    a:\n      b: x\n");
    assert_eq!(stored.release.text.trim_end(), expected.trim_end());
    let bad = SetRequest { assignments: vec!["replicas=many".into()], ..SetRequest::default() };
    let found = refused(world.coordinator.set(&release, &bad, "alice").await).error;
    assert_eq!((found.code.as_str(), found.next.as_str()), ("GS-SCHEMA", "groundswell values beacon --cluster a --reveal-origin"));
    let bad = SetRequest { assignments: vec!["a.b=((nobody))".into()], ..SetRequest::default() };
    let found = refused(world.coordinator.set(&release, &bad, "alice").await).error;
    assert_eq!((found.code.as_str(), found.place.as_deref()), ("GS-VALUES", Some("set a.b=((nobody))")));
}

#[test]
fn values_are_spliced_into_every_way_of_writing_them() {
    let cases = [
        ("  values: |\n    a: 1\n\n    b: 2\n", true),
        ("  values:\n    a: 1\n    b: 2\n", true),
        ("  values: |-\n    a: 1\n", true),
        ("", true),
        ("  values: {a: 1}\n", true),
    ];
    for (values, _) in cases {
        let text = RELEASE.replace("  values: |\n    cluster: ((cluster_name))\n", values);
        let Document::Release(release) = parse("r.yaml", &text).unwrap().remove(0) else { panic!() };
        let wanted = if values.contains('{') { "{a: 2}" } else { "a: 2\nc:\n  d: e\n" };
        let spliced = with_values("r.yaml", &release, wanted).unwrap_or_else(|| panic!("not mended: {values:?}"));
        let Document::Release(read) = parse("r.yaml", &spliced).unwrap().remove(0) else { panic!() };
        assert_eq!(read.spec.values.unwrap().text.trim_end(), wanted.trim_end(), "{spliced}");
    }
}

#[tokio::test]
async fn a_release_that_is_deleted_goes_in_waves_by_tombstones() {
    let world = World::new().await;
    world.fleet().await;
    let agents = [world.agent("a").await, world.agent("b").await, world.agent("c").await];
    world.apply(RELEASE, &world.chart("1.0.0").await).await.unwrap();
    for agent in &agents {
        agent.comply().await;
    }
    world.until_ended("beacon-1").await;
    let (id, plan) =
        world.coordinator.delete_release(&"beacon".parse().unwrap(), super::DeleteMode::Uninstall, false, "admin").await.unwrap();
    assert_eq!(plan.waves.iter().map(|wave| wave.clusters.len()).collect::<Vec<_>>(), [1, 2]);
    let gone = agents[0].take().await;
    assert_eq!((id.as_str(), &gone.target), ("beacon-2", &Target::Uninstalled));
    assert!(agents[1].has_nothing().await, "the canary goes first here too");
    agents[0].report(&gone, groundswell_core::report::Phase::Gone).await;
    world.clock.advance(groundswell_core::time::Span::seconds(10));
    for agent in &agents[1..] {
        let gone = agent.take().await;
        agent.report(&gone, groundswell_core::report::Phase::Gone).await;
    }
    world.until_ended("beacon-2").await;
    let again = world.apply(RELEASE, &world.chart("1.0.0").await).await.unwrap().results.remove(0);
    assert_eq!((again.action, again.rollout.as_deref()), (ApplyAction::Created, Some("beacon-3")));
}
