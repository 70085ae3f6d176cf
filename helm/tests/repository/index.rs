//! Finding a chart in an index.

use crate::site::{Site, beacon, fetch, index, index_of, missing, ok, redirect, refusal, settings, status};
use groundswell_helm::archive::digest_hex;
use groundswell_helm::repository::{Ask, Fetcher, Limits, Reference, Settings, Url};
use std::collections::BTreeMap;

#[tokio::test]
async fn a_chart_arrives_as_the_index_says() {
    let archive = beacon("1.2.0+build.7");
    let site = Site::of(BTreeMap::from([
        ("/index.yaml", index("1.2.0+build.7", "files/beacon-1.2.0+build.7.tgz", &archive)),
        ("/files/beacon-1.2.0+build.7.tgz", archive.clone()),
    ]))
    .await;
    for wanted in [None, Some("1.2.0"), Some("v1.2.0+build.7"), Some("^1.1"), Some("1.x")] {
        let pulled = fetch(settings(), &site.chart("beacon", wanted)).await.unwrap();
        assert_eq!((pulled.digest.as_str(), pulled.bytes == archive), (digest_hex(&archive).as_str(), true));
        assert_eq!(pulled.archive.metadata.version, "1.2.0+build.7");
        assert_eq!(pulled.origin, format!("{}/files/beacon-1.2.0+build.7.tgz", site.url));
        assert_eq!((pulled.vouched.as_slice(), pulled.provenance.is_none(), pulled.from_cache), (["index"].as_slice(), true, false));
        assert!(pulled.notes.is_empty(), "{:?}", pulled.notes);
    }
}

#[tokio::test]
async fn a_repository_may_be_a_folder_and_an_archive_elsewhere() {
    let archive = beacon("1.0.0");
    let files = Site::of(BTreeMap::from([("/beacon.tgz", archive.clone())])).await;
    let text = index("1.0.0", &format!("{}/beacon.tgz", files.url), &archive);
    let site = Site::of(BTreeMap::from([("/charts/stable/index.yaml?key=1", text)])).await;
    let url = Url::parse(&format!("{}/charts/stable/?key=1", site.url)).unwrap();
    let pulled = fetch(settings(), &Reference::Repository { url, name: "beacon".into(), version: None }).await.unwrap();
    assert_eq!(pulled.origin, format!("{}/beacon.tgz", files.url));
    assert_eq!(files.paths(), ["/beacon.tgz", "/beacon.tgz.prov"]);
}

#[tokio::test]
async fn redirects_are_followed_three_times() {
    let archive = beacon("1.0.0");
    let text = index("1.0.0", "a.tgz", &archive);
    let site = Site::start(move |path, _| match path {
        "/index.yaml" => redirect("/one"),
        "/one" => redirect("two"),
        "/two" => redirect("/three"),
        "/three" => ok(text.clone()),
        "/a.tgz" => redirect("/b.tgz"),
        "/b.tgz" => ok(archive.clone()),
        "/loop/index.yaml" => redirect("/loop/index.yaml"),
        "/nowhere/index.yaml" => status(302, ""),
        "/file/index.yaml" => redirect("file:///etc/passwd"),
        "/user/index.yaml" => redirect("http://me:other@127.0.0.1:1/index.yaml"),
        "/plain/index.yaml" => redirect("http://charts.example/index.yaml"),
        "/metadata/index.yaml" => redirect("http://169.254.169.254/latest/meta-data"),
        _ => missing(),
    })
    .await;
    let pulled = fetch(settings(), &site.chart("beacon", None)).await.unwrap();
    assert_eq!(pulled.origin, format!("{}/b.tgz", site.url));
    for (folder, said) in [
        ("loop", "redirected more than 3 times"),
        ("nowhere", "does not say where to"),
        ("file", "only https is followed"),
        ("user", "a user and password of its own"),
        ("plain", "plain http"),
        ("metadata", "is at 169.254.169.254"),
    ] {
        let url = Url::parse(&format!("{}/{folder}", site.url)).unwrap();
        let text = refusal(settings(), &Reference::Repository { url, name: "beacon".into(), version: None }).await;
        assert!(text.contains(said), "{folder}: {text}");
    }
}

#[tokio::test]
async fn names_and_versions_that_are_wrong_show_what_is_near() {
    let text = index_of(&[("2.0.0-rc.1", "a", ""), ("1.10.0", "b", ""), ("1.9.0", "c", "")]);
    let site = Site::of(BTreeMap::from([("/index.yaml", text)])).await;
    for (name, version, said) in [
        ("becon", None, "did you mean beacon"),
        ("grafana", None, "has no chart \"grafana\""),
        ("beacon", Some("1.9.1"), "near are 2.0.0-rc.1, 1.10.0, 1.9.0; the newest release is 1.10.0"),
        ("beacon", Some(">=3"), "no version >=3 of beacon"),
        ("beacon", Some("latest"), "neither a version nor a range"),
    ] {
        let text = refusal(settings(), &site.chart(name, version)).await;
        assert!(text.contains(said), "{name} {version:?}: {text}");
    }
    let elsewhere = Site::of(BTreeMap::new()).await;
    assert!(refusal(settings(), &elsewhere.chart("beacon", None)).await.contains("has no index.yaml"));
}

#[tokio::test]
async fn prereleases_come_only_when_asked_for() {
    let archive = beacon("1.0.0-rc.1");
    let files = BTreeMap::from([("/index.yaml", index("1.0.0-rc.1", "a.tgz", &archive)), ("/a.tgz", archive)]);
    let site = Site::of(files).await;
    let text = refusal(settings(), &site.chart("beacon", None)).await;
    assert!(text.contains("only prereleases") && text.contains("--devel"), "{text}");
    let devel = Ask { devel: true, ..Ask::default() };
    Fetcher::new(settings()).fetch_asking(&site.chart("beacon", None), &devel).await.unwrap();
    fetch(settings(), &site.chart("beacon", Some("1.0.0-rc.1"))).await.unwrap();
}

#[tokio::test]
async fn a_stale_index_is_noticed() {
    let (old, new) = (beacon("1.0.0"), beacon("1.0.1"));
    let text =
        index_of(&[("1.0.0", "gone.tgz", &digest_hex(&old)), ("1.0.1", "changed.tgz", &digest_hex(&old)), ("1.0.2", "other.tgz", "")]);
    let site = Site::of(BTreeMap::from([("/index.yaml", text), ("/changed.tgz", new.clone()), ("/other.tgz", new)])).await;
    for (version, said) in [
        ("1.0.0", "/gone.tgz has no chart archive"),
        ("1.0.1", "the index says sha256:"),
        ("1.0.2", "holds beacon 1.0.1, and beacon 1.0.2 was asked for"),
    ] {
        let text = refusal(settings(), &site.chart("beacon", Some(version))).await;
        assert!(text.contains(said), "{version}: {text}");
    }
}

#[tokio::test]
async fn the_operators_digest_goes_before_the_indexs() {
    let archive = beacon("1.0.0");
    let files = BTreeMap::from([("/index.yaml", index("1.0.0", "a.tgz", &archive)), ("/a.tgz", archive.clone())]);
    let site = Site::of(files).await;
    let ask = |digest: String| Ask { digest: Some(digest), devel: false };
    let fetcher = Fetcher::new(settings());
    let pulled = fetcher.fetch_asking(&site.chart("beacon", None), &ask(digest_hex(&archive))).await.unwrap();
    assert_eq!(pulled.vouched, ["index", "operator"]);
    let error = fetcher.fetch_asking(&site.chart("beacon", None), &ask("0".repeat(64))).await.unwrap_err();
    assert!(error.to_string().contains("--digest says sha256:000") && error.next().contains("than you named"), "{error}");
    let direct = Reference::Url(Url::parse(&format!("{}/a.tgz", site.url)).unwrap());
    let pulled = fetcher.fetch(&direct).await.unwrap();
    assert!(
        pulled.vouched.is_empty() && pulled.notes[0].contains("nobody vouches for what arrived: it came over plain http"),
        "{:?}",
        pulled.notes
    );
}

#[tokio::test]
async fn what_is_odd_in_an_index_is_told_apart() {
    let archive = beacon("1.0.0");
    let digest = digest_hex(&archive);
    let twice = index_of(&[("1.0.0", "a.tgz", &digest), ("v1.0.0", "b.tgz", &"0".repeat(64)), ("0.9.0", "c.tgz", "md5:1")]);
    let site = Site::of(BTreeMap::from([("/index.yaml", twice), ("/a.tgz", archive.clone())])).await;
    let pulled = fetch(settings(), &site.chart("beacon", None)).await.unwrap();
    assert!(pulled.notes.len() == 1 && pulled.notes[0].contains("lists beacon 1.0.0 more than once"), "{:?}", pulled.notes);
    let text = refusal(settings(), &site.chart("beacon", Some("0.9.0"))).await;
    assert!(text.contains("is not SHA-256") && text.contains("only the repository's owner"), "{text}");
    let gzip = Site::of(BTreeMap::from([("/index.yaml", vec![0x1f, 0x8b, 8, 0])])).await;
    let text = refusal(settings(), &gzip.chart("beacon", None)).await;
    assert!(text.contains("compressed (gzip)") && !text.contains("login page"), "{text}");
}

/// 35 MB with 17,000 versions of other charts: more than any public index.
#[tokio::test]
async fn a_huge_index_is_read_and_a_larger_one_refused() {
    let archive = beacon("1.0.0");
    let mut text = String::from_utf8(index("1.0.0", "a.tgz", &archive)).unwrap();
    let filler = "d".repeat(2000);
    for chart in 0..170 {
        text.push_str(&format!("  other-{chart}:\n"));
        for version in 0..100 {
            text.push_str(&format!(
                "  - {{version: 1.{version}.0, description: {filler}, urls: [https://c.example/{chart}-{version}.tgz]}}\n"
            ));
        }
    }
    assert!(text.len() > 30 << 20, "{}", text.len());
    let files = BTreeMap::from([("/index.yaml", text.into_bytes()), ("/a.tgz", archive)]);
    let site = Site::of(files).await;
    fetch(settings(), &site.chart("beacon", None)).await.unwrap();
    let small = Settings { limits: Limits { index: 20 << 20, ..Limits::default() }, ..settings() };
    let text = refusal(small, &site.chart("beacon", None)).await;
    assert!(text.contains("the index at") && text.contains("larger than 20971520 bytes"), "{text}");
}
