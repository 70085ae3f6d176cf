//! Lists of tags: which page the newest version is on, and where a list ends.

use crate::site::{Site, beacon, fetch, missing, ok, with_access, with_header};
use axum::body::Body;
use axum::http::Response;
use groundswell_helm::archive::digest_hex;
use groundswell_helm::repository::{Access, FetchError, Fetcher, Limits, OciReference, Reference, Settings, Url};
use std::time::Duration;

const LIST: &str = "/v2/charts/beacon/tags/list";

/// The page of `tags` that `path` asks for, with a link to the next in the words of `link`.
fn page(tags: &[String], size: usize, path: &str, link: impl Fn(usize) -> String) -> Response<Body> {
    let from = path.split("last=").nth(1).map_or(0, |last| last.parse().unwrap());
    let to = (from + size).min(tags.len());
    let answer = ok(serde_json::json!({"name": "charts/beacon", "tags": tags[from..to]}).to_string());
    if to == tags.len() { answer } else { with_header(answer, "link", &link(to)) }
}

/// A registry of one chart in one version, and of tags that only its list has.
async fn registry(version: &str, tags: Vec<String>, size: usize, link: impl Fn(usize) -> String + Send + Sync + 'static) -> Site {
    let archive = beacon(version);
    let manifest = serde_json::json!({
        "schemaVersion": 2,
        "config": {"mediaType": "application/vnd.cncf.helm.config.v1+json", "digest": format!("sha256:{}", "0".repeat(64)), "size": 2},
        "layers": [{
            "mediaType": "application/vnd.cncf.helm.chart.content.v1.tar+gzip",
            "digest": format!("sha256:{}", digest_hex(&archive)),
            "size": archive.len(),
        }],
    });
    let own = format!("/v2/charts/beacon/manifests/{version}");
    Site::start(move |path, _| match path {
        _ if path.starts_with(LIST) => page(&tags, size, path, &link),
        _ if path == own => ok(manifest.to_string()),
        _ if path.contains("/blobs/") => ok(archive.clone()),
        _ => missing(),
    })
    .await
}

fn chart(site: &Site, version: Option<&str>) -> Reference {
    let registry = site.url.replace("http://", "");
    Reference::Oci(OciReference { registry, repository: "charts/beacon".into(), version: version.map(str::to_owned), digest: None })
}

fn at(site: &Site, limits: Limits) -> Settings {
    Settings { limits, ..with_access([Access { plain_http: true, ..Access::open(Url::parse(&site.url).unwrap()) }]) }
}

/// In the order of texts, as registries list them: the newest version is the last.
fn tags(count: usize) -> Vec<String> {
    (0..count).map(|patch| format!("1.9.{patch}")).chain(["2.0.0".to_owned()]).collect()
}

#[tokio::test]
async fn the_newest_version_may_be_on_the_last_of_many_pages() {
    // As a registry behind a proxy says it: with the name that only the proxy knows.
    let site =
        registry("2.0.0", tags(30_000), 100, |last| format!("<https://registry.internal:5000{LIST}?n=100&last={last}>; rel=\"next\""))
            .await;
    for wanted in [None, Some(">=2")] {
        let pulled = fetch(at(&site, Limits::default()), &chart(&site, wanted)).await.unwrap();
        assert_eq!(pulled.archive.metadata.version, "2.0.0");
    }
}

#[tokio::test]
async fn a_list_that_was_cut_names_no_newest_version() {
    let relative = |last: usize| format!("<?n=100&last={last}>; rel=next");
    let site = registry("1.9.7", tags(1000), 100, relative).await;
    for (limits, said) in [
        (Limits { tag_pages: 5, ..Limits::default() }, "5 pages"),
        (Limits { tag_bytes: 5000, ..Limits::default() }, "5000 bytes"),
        (Limits { tag_time: Duration::ZERO, ..Limits::default() }, "0 s"),
    ] {
        for wanted in [None, Some("^1")] {
            let error = fetch(at(&site, limits.clone()), &chart(&site, wanted)).await.unwrap_err();
            let text = format!("{error}; {}", error.next());
            assert!(text.contains(&format!("no end within {said}")) && text.contains("name an exact version"), "{text}");
        }
        // What is asked for exactly needs no list.
        fetch(at(&site, limits.clone()), &chart(&site, Some("1.9.7"))).await.unwrap();
        let error = fetch(at(&site, limits), &chart(&site, Some("3.0.0"))).await.unwrap_err();
        assert!(matches!(&error, FetchError::UnknownVersion { latest: None, .. }), "{error:?}");
    }
    // A list in one large page is one that registries send, too.
    let long: Vec<String> = (0..8000).map(|patch| format!("0.1.{patch}-{}", "x".repeat(60))).collect();
    let site = registry("1.9.7", long, 10_000, relative).await;
    assert_eq!(Fetcher::new(at(&site, Limits::default())).versions(&chart(&site, None)).await.unwrap().len(), 8000);
}

#[tokio::test]
async fn pages_that_lead_in_a_circle_are_no_list() {
    let site = registry("1.9.7", tags(1000), 100, |_| format!("<{LIST}?last=100>; rel=\"next\"")).await;
    let error = fetch(at(&site, Limits::default()), &chart(&site, None)).await.unwrap_err();
    assert!(error.to_string().contains("lead in a circle") && site.paths().len() == 2, "{error}");
}
