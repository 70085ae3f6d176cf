//! The API as a client sees it.

use super::router;
use crate::coordinator::records::Role;
use crate::coordinator::testing::{RELEASE, World};
use axum::Router;
use axum::body::Body;
use axum::http::{Method, Request, StatusCode};
use http_body_util::BodyExt;
use serde_json::{Value, json};
use std::time::Duration;
use tower::ServiceExt;

struct Api {
    world: World,
    router: Router,
    admin: String,
}

async fn api() -> Api {
    let world = World::new().await;
    let router = router(world.coordinator.clone());
    let admin = world.coordinator.bootstrap_admin().await.unwrap().unwrap();
    Api { world, router, admin }
}

impl Api {
    async fn send(&self, token: Option<&str>, method: Method, path: &str, body: impl Into<Body>) -> (StatusCode, Value) {
        let mut request = Request::builder().method(method).uri(path);
        if let Some(token) = token {
            request = request.header("authorization", format!("Bearer {token}"));
        }
        let answer = self.router.clone().oneshot(request.body(body.into()).unwrap()).await.unwrap();
        let status = answer.status();
        let bytes = answer.into_body().collect().await.unwrap().to_bytes();
        (status, serde_json::from_slice(&bytes).unwrap_or_else(|_| panic!("{path}: no JSON: {bytes:?}")))
    }

    async fn get(&self, path: &str) -> (StatusCode, Value) {
        self.send(Some(&self.admin), Method::GET, path, Body::empty()).await
    }

    async fn post(&self, path: &str, body: Value) -> (StatusCode, Value) {
        self.send(Some(&self.admin), Method::POST, path, body.to_string()).await
    }

    async fn rolling(&self) {
        self.world.fleet().await;
        let digest = self.world.chart("1.0.0").await;
        let request = World::request(RELEASE, &digest);
        let (status, answer) = self.post("/v1/apply", serde_json::to_value(request).unwrap()).await;
        assert_eq!(status, StatusCode::OK, "{answer}");
    }
}

#[tokio::test]
async fn nobody_without_a_token_learns_anything() {
    let api = api().await;
    api.rolling().await;
    let paths = [
        "/v1/releases",
        "/v1/releases/beacon",
        "/v1/releases/beacon/history",
        "/v1/rollouts",
        "/v1/rollouts/beacon-1",
        "/v1/rollouts/beacon-1/clusters",
        "/v1/rollouts/beacon-1/evidence",
        "/v1/clusters",
        "/v1/clusters/a",
        "/v1/clusters/a/releases",
        "/v1/tokens",
        "/v1/charts",
        "/v1/audit",
        "/v1/values?release=beacon&cluster=a",
    ];
    let (id, _) = api.admin.split_once('.').unwrap();
    for path in paths {
        for token in [None, Some(""), Some("x.y"), Some(id), Some(&format!("{id}.{}", "0".repeat(64)))] {
            let (status, answer) = api.send(token, Method::GET, path, Body::empty()).await;
            assert_eq!((status, &answer["error"]["code"]), (StatusCode::UNAUTHORIZED, &json!("GS-UNAUTHENTICATED")), "{path}");
        }
        assert_eq!(api.get(path).await.0, StatusCode::OK, "{path}");
    }
    assert_eq!(api.send(None, Method::GET, "/v1/version", Body::empty()).await.0, StatusCode::OK);
}

#[tokio::test]
async fn each_role_may_what_it_may() {
    let api = api().await;
    api.rolling().await;
    let mut tokens = Vec::new();
    for (name, role) in [("v", Role::Viewer), ("o", Role::Operator), ("p", Role::Approver)] {
        tokens.push((role, api.world.coordinator.create_operator(name, role, "admin").await.unwrap()));
    }
    let cases = [
        (Role::Operator, Method::POST, "/v1/apply", json!({"documents": []})),
        (Role::Operator, Method::POST, "/v1/releases/beacon/set", json!({"assignments": []})),
        (Role::Operator, Method::POST, "/v1/rollouts/beacon-9/pause", json!({"why": ""})),
        (Role::Operator, Method::POST, "/v1/rollouts/beacon-9/resume", json!({})),
        (Role::Operator, Method::POST, "/v1/rollouts/beacon-9/retry", json!({"cluster": "a"})),
        (Role::Operator, Method::POST, "/v1/rollouts/beacon-9/skip", json!({"cluster": "a"})),
        (Role::Operator, Method::POST, "/v1/rollouts/beacon-9/abort", json!({})),
        (Role::Operator, Method::POST, "/v1/rollouts/beacon-9/undo", json!({})),
        (Role::Approver, Method::POST, "/v1/rollouts/beacon-9/approve", json!({})),
        (Role::Operator, Method::PATCH, "/v1/clusters/nobody/labels", json!({})),
        (Role::Operator, Method::PUT, "/v1/clusters/nobody/variables", json!({"variables": {}})),
        (Role::Operator, Method::PUT, "/v1/charts", json!({})),
        (Role::Admin, Method::POST, "/v1/clusters/nobody/revoke", json!({})),
        (Role::Admin, Method::POST, "/v1/tokens", json!({"ttlSeconds": 0})),
        (Role::Admin, Method::GET, "/v1/tokens", json!({})),
        (Role::Admin, Method::DELETE, "/v1/tokens/nobody", json!({})),
        (Role::Admin, Method::GET, "/v1/operators", json!({})),
        (Role::Admin, Method::DELETE, "/v1/operators/nobody", json!({})),
        (Role::Admin, Method::POST, "/v1/operators", json!({"name": "", "role": "viewer"})),
        (Role::Admin, Method::DELETE, "/v1/releases/nobody?mode=orphan", json!({})),
    ];
    let writes = api.world.store.writes();
    for (needed, method, path, body) in cases {
        for (role, token) in &tokens {
            let (status, answer) = api.send(Some(token), method.clone(), path, body.to_string()).await;
            assert_eq!(status == StatusCode::FORBIDDEN, *role < needed, "{role:?} {method} {path}: {answer}");
        }
    }
    assert_eq!(api.world.store.writes(), writes);
}

#[tokio::test]
async fn garbage_is_refused_in_our_words() {
    let api = api().await;
    let cases = [
        (Method::POST, "/v1/apply", "{\"documents\": [}", StatusCode::BAD_REQUEST, "GS-BODY"),
        (Method::POST, "/v1/apply", "{\"documents\": [], \"dryrun\": true}", StatusCode::BAD_REQUEST, "GS-BODY"),
        (Method::GET, "/v1/nothing", "", StatusCode::NOT_FOUND, "GS-NOT-FOUND"),
        (Method::DELETE, "/v1/version", "", StatusCode::METHOD_NOT_ALLOWED, "GS-METHOD"),
        (Method::GET, "/v1/clusters/--flag", "", StatusCode::BAD_REQUEST, "GS-NAME"),
        (Method::GET, "/v1/clusters/%00", "", StatusCode::BAD_REQUEST, "GS-NAME"),
        (Method::GET, "/v1/clusters/%ff", "", StatusCode::BAD_REQUEST, "GS-PATH"),
        (Method::GET, "/v1/clusters?selector=a%20in%20x", "", StatusCode::BAD_REQUEST, "GS-SELECTOR"),
        (Method::GET, "/v1/charts/abc", "", StatusCode::NOT_FOUND, "GS-NOT-FOUND"),
        (Method::DELETE, "/v1/tokens/abc", "", StatusCode::NOT_FOUND, "GS-NOT-FOUND"),
        (Method::DELETE, "/v1/operators/abc", "", StatusCode::NOT_FOUND, "GS-NOT-FOUND"),
        (Method::DELETE, "/v1/operators/admin", "", StatusCode::CONFLICT, "GS-LAST-ADMIN"),
        (Method::GET, "/v1/rollouts?limit=many", "", StatusCode::BAD_REQUEST, "GS-QUERY"),
        (Method::DELETE, "/v1/releases/x?mode=gently", "", StatusCode::BAD_REQUEST, "GS-QUERY"),
        (Method::GET, "/v1/releases/nobody", "", StatusCode::NOT_FOUND, "GS-NOT-FOUND"),
    ];
    for (method, path, body, status, code) in cases {
        let (found, answer) = api.send(Some(&api.admin), method, path, body).await;
        assert_eq!((found, &answer["error"]["code"]), (status, &json!(code)), "{path}: {answer}");
    }
    let huge = vec![b' '; super::MAX_BODY + 1];
    let (status, answer) = api.send(Some(&api.admin), Method::POST, "/v1/apply", huge).await;
    assert_eq!((status, &answer["error"]["code"]), (StatusCode::PAYLOAD_TOO_LARGE, &json!("GS-TOO-LARGE")));
}

#[tokio::test]
async fn a_rollouts_page_counts_its_clusters_and_says_why_it_waits() {
    let api = api().await;
    api.rolling().await;
    api.world.coordinator.plan_all().await.unwrap();
    let (_, page) = api.get("/v1/rollouts/beacon-1").await;
    assert_eq!((&page["kind"], &page["state"]), (&json!("Rollout"), &json!("running")));
    assert_eq!(page["waves"][0]["counts"]["waiting"], 1);
    assert_eq!(page["waves"][1]["size"], 2);
    let waits = page["waits"].as_array().unwrap();
    assert!(waits.iter().any(|wait| wait["subject"] == "cluster a" || wait["subject"] == "wave canary"), "{waits:?}");
    let (_, clusters) = api.get("/v1/rollouts/beacon-1/clusters?limit=2").await;
    assert_eq!((&clusters["items"][1]["cluster"], &clusters["next"]), (&json!("b"), &json!("b")));
    let (_, rest) = api.get("/v1/rollouts/beacon-1/clusters?limit=2&next=b").await;
    assert_eq!((rest["items"].as_array().unwrap().len(), &rest["next"]), (1, &Value::Null));
}

#[tokio::test]
async fn a_long_poll_answers_when_something_changes() {
    let api = api().await;
    api.rolling().await;
    let a = api.world.agent("a").await;
    let assignment = a.take().await;
    let (_, page) = api.get("/v1/rollouts/beacon-1").await;
    let path = format!("/v1/rollouts/beacon-1?after={}&timeoutSeconds=30", page["revision"]);
    let poll = tokio::time::timeout(Duration::from_secs(25), api.get(&path));
    let report = a.report(&assignment, groundswell_core::report::Phase::Applying);
    let (answer, ()) = tokio::join!(poll, report);
    let (_, news) = answer.expect("it answers long before its timeout");
    assert!(news["revision"].as_u64() > page["revision"].as_u64());
    assert_eq!(news["exceptions"][0]["message"], "Applying");
}

#[tokio::test]
async fn a_token_is_shown_once_and_never_again() {
    let api = api().await;
    let (status, made) = api.post("/v1/tokens", json!({"labels": {"canary": "true"}, "ttlSeconds": 60})).await;
    assert_eq!(status, StatusCode::OK, "{made}");
    let secret = made["token"].as_str().unwrap().split('.').nth(2).unwrap().to_owned();
    let (_, list) = api.get("/v1/tokens").await;
    assert_eq!(list["items"][0]["usesLeft"], 1);
    let (_, audit) = api.get("/v1/audit").await;
    for text in [list.to_string(), audit.to_string()] {
        assert!(!text.contains(&secret), "{text}");
    }
}

#[tokio::test]
async fn commands_that_do_not_fit_are_conflicts_that_say_what_to_do() {
    let api = api().await;
    api.rolling().await;
    let (status, answer) = api.post("/v1/rollouts/beacon-1/resume", json!({})).await;
    assert_eq!((status, &answer["error"]["code"]), (StatusCode::CONFLICT, &json!("GS-STATE")), "{answer}");
    let (status, _) = api.post("/v1/rollouts/beacon-1/pause", json!({"why": "lunch"})).await;
    assert_eq!(status, StatusCode::OK);
    let (_, page) = api.get("/v1/rollouts/beacon-1").await;
    assert_eq!((&page["state"], &page["reason"]), (&json!("paused"), &json!("paused by admin: lunch")));
    let (status, _) = api.post("/v1/rollouts/beacon-7/pause", json!({})).await;
    assert_eq!(status, StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn a_revoked_operators_token_opens_nothing_and_the_last_admin_stays() {
    let api = api().await;
    let token = api.world.coordinator.create_operator("ci", Role::Admin, "admin").await.unwrap();
    let (id, secret) = token.split_once('.').unwrap();
    let (_, list) = api.get("/v1/operators").await;
    assert!(list["items"].as_array().unwrap().iter().any(|item| item["id"] == *id && item["role"] == "admin"), "{list}");
    assert!(!list.to_string().contains(secret));
    let (status, gone) = api.send(Some(&api.admin), Method::DELETE, &format!("/v1/operators/{id}"), Body::empty()).await;
    assert_eq!((status, &gone["name"]), (StatusCode::OK, &json!("ci")));
    assert_eq!(api.send(Some(&token), Method::GET, "/v1/releases", Body::empty()).await.0, StatusCode::UNAUTHORIZED);
    let (status, answer) = api.send(Some(&api.admin), Method::DELETE, "/v1/operators/admin", Body::empty()).await;
    assert_eq!((status, &answer["error"]["code"]), (StatusCode::CONFLICT, &json!("GS-LAST-ADMIN")));
    let (_, audit) = api.get("/v1/audit?limit=1").await;
    assert_eq!(audit["items"][0]["what"], "operator.revoke", "the newest record comes first to mind: {audit}");
}

#[tokio::test]
async fn the_audit_log_is_read_from_its_end() {
    let api = api().await;
    api.world.fleet().await;
    let of = |answer: &Value| answer["items"].as_array().unwrap().iter().map(|item| item["sequence"].as_u64().unwrap()).collect::<Vec<_>>();
    let (_, all) = api.get("/v1/audit?after=0").await;
    let all = of(&all);
    let n = all.len() as u64;
    assert_eq!(of(&api.get("/v1/audit?limit=2").await.1), [n - 1, n]);
    assert_eq!(of(&api.get(&format!("/v1/audit?limit=2&before={}", n - 1)).await.1), [n - 3, n - 2]);
    assert_eq!(of(&api.get("/v1/audit?limit=5&before=3").await.1), [1, 2]);
    let (_, first) = api.get("/v1/audit?limit=2&after=0").await;
    assert_eq!((of(&first), &first["next"]), (vec![1, 2], &json!("2")));
}

#[tokio::test]
async fn a_chart_is_found_by_what_the_tables_show_of_it() {
    let api = api().await;
    let digest = api.world.chart("1.0.0").await;
    let other = api.world.chart("2.0.0").await;
    for wanted in [digest.as_str(), &digest[..12], &digest[..8], "beacon:1.0.0"] {
        let (status, shown) = api.get(&format!("/v1/charts/{wanted}")).await;
        assert_eq!((status, &shown["digest"]), (StatusCode::OK, &json!(digest)), "{wanted}");
    }
    assert_eq!(api.get(&format!("/v1/charts/{}", &digest[..7])).await.0, StatusCode::NOT_FOUND);
    let (status, answer) = api.get("/v1/charts/beacon").await;
    assert_eq!(status, StatusCode::CONFLICT);
    assert!(answer.to_string().contains(&digest) && answer.to_string().contains(&other), "{answer}");
}

#[tokio::test]
async fn an_ended_rollout_waits_for_nothing_and_a_superseded_one_says_so() {
    let api = api().await;
    api.rolling().await;
    let a = api.world.agent("a").await;
    a.take().await;
    let digest = api.world.chart("2.0.0").await;
    api.world.apply(RELEASE, &digest).await.unwrap();
    let (_, page) = api.get("/v1/rollouts/beacon-1").await;
    assert_eq!((&page["state"], &page["waves"][0]["state"]), (&json!("superseded"), &json!("stopped")));
    assert_eq!((&page["waves"][0]["counts"]["superseded"], &page["waits"]), (&json!(1), &Value::Null), "{page}");
    let (_, _) = api.post("/v1/rollouts/beacon-2/abort", json!({})).await;
    let (_, page) = api.get("/v1/rollouts/beacon-2").await;
    assert_eq!((&page["reason"], &page["waits"]), (&json!("aborted by admin"), &Value::Null));
}

#[tokio::test]
async fn what_was_let_go_is_not_called_gone_or_unhealthy() {
    let api = api().await;
    api.rolling().await;
    let a = api.world.agent("a").await;
    a.comply().await;
    let (status, answer) = api.send(Some(&api.admin), Method::DELETE, "/v1/releases/beacon?mode=orphan", Body::empty()).await;
    assert_eq!((status, &answer["plan"]["waves"][0]["clusters"]), (StatusCode::OK, &json!(["a"])), "{answer}");
    let gone = a.take().await;
    a.report(&gone, groundswell_core::report::Phase::Gone).await;
    let (_, shown) = api.get("/v1/clusters/a").await;
    let release = &shown["releases"][0];
    assert_eq!((&release["message"], &release["healthy"]), (&json!("let go; its objects stay"), &Value::Null), "{shown}");
    let (_, turns) = api.get("/v1/rollouts/beacon-2/clusters").await;
    assert_eq!(turns["items"][0]["message"], "let go; its objects stay", "{turns}");
    let (status, answer) = api.get("/v1/releases/beacon").await;
    assert_eq!((status, &answer["counts"]["unhealthy"]), (StatusCode::OK, &json!(0)), "{answer}");
    let (status, answer) = api.post("/v1/releases/beacon/set", json!({"assignments": ["a=b"]})).await;
    assert_eq!((status, &answer["error"]["code"]), (StatusCode::CONFLICT, &json!("GS-DELETED")));
}

impl Api {
    async fn bytes(&self, path: &str) -> (StatusCode, axum::http::HeaderMap, Vec<u8>) {
        let request = Request::builder().uri(path).header("authorization", format!("Bearer {}", self.admin));
        let answer = self.router.clone().oneshot(request.body(Body::empty()).unwrap()).await.unwrap();
        let (status, headers) = (answer.status(), answer.headers().clone());
        (status, headers, answer.into_body().collect().await.unwrap().to_bytes().to_vec())
    }
}

#[tokio::test]
async fn a_charts_archive_is_what_was_pushed() {
    let api = api().await;
    let digest = api.world.chart("1.0.0").await;
    for wanted in [digest.as_str(), &digest[..12], "beacon:1.0.0"] {
        let (status, headers, bytes) = api.bytes(&format!("/v1/charts/{wanted}/archive")).await;
        assert_eq!((status, headers["content-type"].as_bytes()), (StatusCode::OK, &b"application/gzip"[..]));
        assert_eq!(headers["groundswell-chart-digest"], digest.as_str());
        assert_eq!(headers["content-length"], bytes.len().to_string().as_str());
        assert_eq!(crate::coordinator::digest_of(&bytes).as_str(), digest);
    }
    let (status, answer) = api.get("/v1/charts/nobody/archive").await;
    assert_eq!((status, &answer["error"]["code"]), (StatusCode::NOT_FOUND, &json!("GS-NOT-FOUND")));
}

#[tokio::test]
async fn what_a_cluster_has_is_its_last_good_state() {
    use groundswell_core::report::Phase;
    let api = api().await;
    api.rolling().await;
    let a = api.world.agent("a").await;
    let has = async |release: &str| api.get(&format!("/v1/clusters/a/releases{release}")).await;
    let first = a.take().await;
    a.report(&first, Phase::Applying).await;
    let (_, shown) = has("/beacon").await;
    assert_eq!((&shown["kind"], &shown["state"], &shown["chart"]), (&json!("InstalledRelease"), &json!("updating"), &Value::Null));
    assert_eq!(shown["wanted"]["version"], "1.0.0");
    a.report(&first, Phase::Healthy).await;
    let (_, shown) = has("/beacon").await;
    assert_eq!((&shown["state"], &shown["chart"]["version"], &shown["wanted"]), (&json!("healthy"), &json!("1.0.0"), &Value::Null));
    assert_eq!(shown["values"], json!([{"name": "values", "text": "cluster: \"a\"\n"}]));
    assert_eq!((&shown["namespace"], &shown["helmRevision"], &shown["rollout"]), (&json!("monitoring"), &json!(1), &json!("beacon-1")));
    a.coordinator.plan_all().await.unwrap();

    // The next version, with other values, fails: what it has is still the first.
    let digest = api.world.chart("2.0.0").await;
    api.world.apply(&RELEASE.replace("cluster: ((cluster_name))", "cluster: ((cluster_name))\n    level: 2"), &digest).await.unwrap();
    let second = a.take().await;
    a.report(&second, Phase::Failed).await;
    let (_, shown) = has("/beacon").await;
    assert_eq!(
        (&shown["state"], &shown["chart"]["version"], &shown["wanted"]["version"]),
        (&json!("failed"), &json!("1.0.0"), &json!("2.0.0"))
    );
    assert_eq!(shown["values"], json!([{"name": "values", "text": "cluster: \"a\"\n"}]));

    // It is taken back, and the document stays ahead of what it has.
    let back = a.take().await;
    assert_eq!(back.direction, groundswell_core::assignment::Direction::Back);
    a.report(&back, Phase::Healthy).await;
    let (_, shown) = has("/beacon").await;
    assert_eq!((&shown["state"], &shown["chart"]["version"], &shown["rollout"]), (&json!("healthy"), &json!("1.0.0"), &json!("beacon-1")));
    assert_eq!(shown["values"], json!([{"name": "values", "text": "cluster: \"a\"\n"}]), "not what the next rollout brings");

    let (_, list) = has("").await;
    assert_eq!((&list["kind"], list["items"].as_array().unwrap().len()), (&json!("InstalledReleaseList"), 1));
    assert_eq!((&list["items"][0]["release"], &list["items"][0]["values"]), (&json!("beacon"), &Value::Null));
    assert_eq!(api.get("/v1/clusters/b/releases").await.1["items"], json!([]), "its turn has not come");
    for path in [
        "/v1/clusters/nobody/releases",
        "/v1/clusters/nobody/releases/beacon",
        "/v1/clusters/b/releases/beacon",
        "/v1/clusters/a/releases/x",
    ] {
        assert_eq!(api.get(path).await.0, StatusCode::NOT_FOUND, "{path}");
    }
}

#[tokio::test]
async fn what_is_gone_is_not_had_any_more() {
    let api = api().await;
    api.rolling().await;
    let a = api.world.agent("a").await;
    a.comply().await;
    api.send(Some(&api.admin), Method::DELETE, "/v1/releases/beacon?mode=uninstall", Body::empty()).await;
    let gone = a.take().await;
    let (_, shown) = api.get("/v1/clusters/a/releases/beacon").await;
    assert_eq!((&shown["state"], &shown["chart"]["version"]), (&json!("updating"), &json!("1.0.0")));
    a.report(&gone, groundswell_core::report::Phase::Gone).await;
    assert_eq!(api.get("/v1/clusters/a/releases").await.1["items"], json!([]));
}

#[tokio::test]
async fn a_viewer_reads_what_a_cluster_serves() {
    let api = api().await;
    api.world.fleet().await;
    let a = api.world.agent("a").await;
    let bytes = b"groundswell api list 1\napps/v1\nv1\nv1/Pod\n! metrics.k8s.io/v1beta1\n".to_vec();
    let digest = crate::coordinator::digest_of(&bytes);
    assert!(a.coordinator.announce(&a.session, "v1.36.3", digest.clone()).await.unwrap());
    a.coordinator.take_list(&a.session, &digest, bytes).await.unwrap();
    let viewer = api.world.coordinator.create_operator("v", Role::Viewer, "admin").await.unwrap();
    let answered = async || api.send(Some(&viewer), Method::GET, "/v1/clusters/a/apis", Body::empty()).await;
    let waiting = async {
        while answered().await.0 != StatusCode::OK {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(Duration::from_secs(60), waiting).await.expect("it is stored in a moment");
    let (_, apis) = answered().await;
    assert_eq!(
        (&apis["kind"], &apis["kubernetesVersion"], &apis["digest"]),
        (&json!("ClusterApis"), &json!("v1.36.3"), &json!(digest.as_str()))
    );
    assert_eq!((&apis["apiVersions"], &apis["incomplete"]), (&json!(["apps/v1", "v1", "v1/Pod"]), &json!(["metrics.k8s.io/v1beta1"])));
    assert_eq!(apis["seenAt"], "2023-11-14T22:13:20Z");
    let (status, answer) = api.get("/v1/clusters/b/apis").await;
    assert_eq!((status, &answer["error"]["code"]), (StatusCode::CONFLICT, &json!("GS-APIS")), "{answer}");
    assert_eq!(api.get("/v1/clusters/a").await.1["kubernetesVersion"], "v1.36.3");
}

#[tokio::test]
async fn what_was_under_way_at_an_abort_is_shown_as_it_ended() {
    use groundswell_core::report::Phase;
    let api = api().await;
    api.rolling().await;
    let a = api.world.agent("a").await;
    let assignment = a.take().await;
    api.post("/v1/rollouts/beacon-1/abort", json!({})).await;
    let state = async || api.get("/v1/rollouts/beacon-1").await.1["exceptions"].clone();
    assert_eq!(state().await[0]["state"], "inFlight", "it runs still");
    a.report(&assignment, Phase::Failed).await;
    assert_eq!(state().await[0]["state"], "failed");
    a.report(&assignment, Phase::Healthy).await;
    assert_eq!(state().await, Value::Null, "it has it");
    let (_, clusters) = api.get("/v1/rollouts/beacon-1/clusters?state=succeeded").await;
    assert_eq!(clusters["items"][0]["cluster"], "a");
    let (_, clusters) = api.get("/v1/rollouts/beacon-1/clusters?state=inFlight").await;
    assert_eq!(clusters["items"], json!([]));
}

/// `rollout wait RELEASE` asks so; the release itself is not there any more.
#[tokio::test]
async fn the_last_rollout_of_a_deleted_release_is_found_by_its_name() {
    let api = api().await;
    api.rolling().await;
    let a = api.world.agent("a").await;
    a.comply().await;
    api.send(Some(&api.admin), Method::DELETE, "/v1/releases/beacon?mode=uninstall", Body::empty()).await;
    let gone = a.take().await;
    a.report(&gone, groundswell_core::report::Phase::Gone).await;
    a.coordinator.plan_all().await.unwrap();
    api.world.clock.advance(groundswell_core::time::Span::seconds(11));
    api.world.until_ended("beacon-2").await;
    assert_eq!(api.get("/v1/releases/beacon").await.0, StatusCode::NOT_FOUND);
    let (status, page) = api.get("/v1/rollouts/beacon").await;
    assert_eq!((status, &page["id"], &page["state"]), (StatusCode::OK, &json!("beacon-2"), &json!("succeeded")), "{page}");
    assert_eq!(api.get("/v1/rollouts/moon").await.0, StatusCode::NOT_FOUND);
}
