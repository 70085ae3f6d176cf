//! Answers that are not what they should be.

use crate::site::{Site, beacon, fetch, index, index_of, missing, ok, refusal, settings, status, with_access};
use axum::body::Body;
use base64::Engine as _;
use groundswell_helm::archive::digest_hex;
use groundswell_helm::repository::{Access, Cache, Limits, Naming, Reference, Settings, Url};
use std::collections::BTreeMap;
use std::time::Duration;

#[tokio::test]
async fn a_web_page_is_no_index_and_no_chart() {
    let page = "<!DOCTYPE html><html><title>Please log in</title></html>";
    let site = Site::start(move |path, _| if path.starts_with("/down") { status(404, page) } else { ok(page) }).await;
    let text = refusal(settings(), &site.chart("beacon", None)).await;
    assert!(text.contains("is not a repository index: it is a web page") && text.contains("login page"), "{text}");
    let direct = Reference::Url(Url::parse(&format!("{}/a.tgz", site.url)).unwrap());
    let text = refusal(settings(), &direct).await;
    assert!(text.contains("is not a chart archive: it is a web page"), "{text}");
}

#[tokio::test]
async fn an_archive_that_breaks_a_rule_is_refused() {
    let mut damaged = beacon("1.0.0");
    damaged.truncate(100);
    let text = index("1.0.0", "a.tgz", &damaged);
    let site = Site::of(BTreeMap::from([("/index.yaml", text), ("/a.tgz", damaged)])).await;
    let text = refusal(settings(), &site.chart("beacon", None)).await;
    assert!(text.contains("is refused") && text.contains("truncated or damaged"), "{text}");
}

#[tokio::test]
async fn an_archive_without_end_is_cut_off() {
    let archive = beacon("1.0.0");
    let text = index("1.0.0", "a.tgz", &archive);
    let site = Site::start(move |path, _| match path {
        "/index.yaml" => ok(text.clone()),
        "/a.tgz" => ok(Body::from_stream(futures::stream::repeat_with(|| Ok::<_, std::io::Error>(vec![0_u8; 4096])))),
        _ => missing(),
    })
    .await;
    let limits = Limits { archive: 1 << 20, ..Limits::default() };
    let text = refusal(Settings { limits, ..settings() }, &site.chart("beacon", None)).await;
    assert!(text.contains("the chart archive at") && text.contains("larger than 1048576 bytes"), "{text}");
    assert_eq!(site.paths(), ["/index.yaml", "/a.tgz"], "what is too large is not asked for again");
}

#[tokio::test]
async fn an_index_sends_nobody_inside() {
    for (url, said) in [
        ("http://169.254.169.254/latest/a.tgz", "where http://127.0.0.1"),
        ("https://169.254.169.254/latest/a.tgz", "is at 169.254.169.254, where"),
        ("https://[fe80::1]/a.tgz", "is at fe80::1, where"),
        ("https://0.0.0.0/a.tgz", "is at 0.0.0.0, where"),
        ("http://charts.example/a.tgz", "plain http"),
        ("file:///etc/passwd", "only https is fetched"),
        ("https://me:you@c.example/a.tgz", "carries a user and password"),
    ] {
        let site = Site::of(BTreeMap::from([("/index.yaml", index_of(&[("1.0.0", &format!("'{url}'"), "")]))])).await;
        let text = refusal(settings(), &site.chart("beacon", None)).await;
        assert!(text.contains(said), "{url}: {text}");
        assert!(!url.contains("169.254") || text.contains("asked on nobody's word"), "{url}: {text}");
        assert!(!text.contains("login page"), "{url}: {text}");
    }
}

#[tokio::test]
async fn plain_http_is_for_this_machine_unless_it_was_asked_for() {
    let reference = Reference::Repository { url: Url::parse("http://charts.example/x").unwrap(), name: "beacon".into(), version: None };
    let text = refusal(settings(), &reference).await;
    assert!(text.contains("is plain http") && text.contains("--plain-http"), "{text}");
}

#[tokio::test]
async fn a_hint_says_what_can_help() {
    let archive = beacon("1.0.0");
    for (url, said, not) in [
        ("http://charts.example/a.tgz", "--plain-http is for the server that you name", "or say --plain-http"),
        ("gone.tgz", "where the index names it", "--repo is what stands"),
    ] {
        let site = Site::of(BTreeMap::from([("/index.yaml", index("1.0.0", url, &archive))])).await;
        let text = refusal(settings(), &site.chart("beacon", None)).await;
        assert!(text.contains(said) && !text.contains(not), "{url}: {text}");
    }
    let site = Site::of(BTreeMap::new()).await;
    let text = refusal(settings(), &site.chart("beacon", None)).await;
    assert!(text.contains("--repo is what stands before /index.yaml"), "{text}");
    let host = site.url.trim_start_matches("http://");
    let access = Access { plain_http: true, ..Access::open(Url::parse(&format!("{}/v2/", site.url)).unwrap()) };
    for name in [format!("oci://{host}/charts/beacon"), format!("oci://{host}/charts/beacon:1.0.0")] {
        let reference = Reference::parse(&name, Naming { repo: None, version: None, known: &BTreeMap::new() }).unwrap();
        let text = refusal(with_access([access.clone()]), &reference).await;
        assert!(text.contains("has no chart \"charts/beacon\"") && text.contains("check the name"), "{text}");
    }
}

#[tokio::test]
async fn an_answer_that_trickles_is_given_up() {
    // Never idle, and never done.
    let site = Site::start(move |_, _| {
        ok(Body::from_stream(futures::stream::unfold((), |()| async {
            tokio::time::sleep(Duration::from_millis(10)).await;
            Some((Ok::<_, std::io::Error>(vec![0_u8]), ()))
        })))
    })
    .await;
    // Long enough that a busy machine is not taken for an idle server.
    let limits = Limits { idle: Duration::from_secs(3), ..Limits::default() };
    let url = Reference::Url(Url::parse(&format!("{}/a.tgz", site.url)).unwrap());
    let text = refusal(Settings { limits, ..settings() }, &url).await;
    assert!(text.contains("was too slow") && text.contains("less than 1024 bytes/s is given up"), "{text}");
    assert_eq!(site.paths(), ["/a.tgz"], "another try would be as slow");
}

fn signed(hash: &str) -> Vec<u8> {
    let signature = base64::engine::general_purpose::STANDARD.encode([0_u8; 12]);
    format!(
        "-----BEGIN PGP SIGNED MESSAGE-----\nHash: SHA512\n\nname: beacon\nversion: 1.0.0\n\n...\nfiles:\n  beacon-1.0.0.tgz: sha256:{hash}\n\
         -----BEGIN PGP SIGNATURE-----\n\n{signature}\n-----END PGP SIGNATURE-----\n"
    )
    .into_bytes()
}

#[tokio::test]
async fn a_provenance_is_compared_and_fails_closed() {
    let archive = beacon("1.0.0");
    for (provenance, said) in [
        (signed(&digest_hex(&archive)), None),
        (signed(&"0".repeat(64)), Some("does not vouch for this archive: it speaks of \"beacon-1.0.0.tgz\"")),
        (b"whatever".to_vec(), Some("does not begin as a signed PGP message")),
        (b"<html>no such page".to_vec(), None),
    ] {
        let is_signed = provenance.starts_with(b"-----");
        let text = index("1.0.0", "a.tgz", &archive);
        let files = BTreeMap::from([("/index.yaml", text), ("/a.tgz", archive.clone()), ("/a.tgz.prov", provenance)]);
        let site = Site::of(files).await;
        match said {
            Some(said) => {
                let text = refusal(settings(), &site.chart("beacon", None)).await;
                assert!(text.contains(said), "{text}");
            }
            None => {
                let pulled = fetch(settings(), &site.chart("beacon", None)).await.unwrap();
                assert_eq!(pulled.notes.iter().any(|note| note.contains("a.tgz.prov is no provenance but a web page")), !is_signed);
                assert_eq!(pulled.provenance.is_some_and(|found| !found.verified && found.text.contains("name: beacon")), is_signed);
            }
        }
    }
}

#[tokio::test]
async fn only_a_server_that_says_so_has_no_provenance() {
    let archive = beacon("1.0.0");
    for (code, said) in [
        (404, None),
        (410, None),
        (401, Some(".prov answered 401 to a request without credentials; some storage")),
        (403, Some(".prov answered 403 to a request without credentials; some storage answers so for what is not there")),
        (400, Some(".prov answered 400")),
        (500, Some(".prov answered 500 4 times")),
    ] {
        let (text, archive) = (index("1.0.0", "a.tgz", &archive), archive.clone());
        let site = Site::start(move |path, _| match path {
            "/index.yaml" => ok(text.clone()),
            "/a.tgz" => ok(archive.clone()),
            _ => status(code, ""),
        })
        .await;
        let home = tempfile::tempdir().unwrap();
        let cached = |offline| Settings { cache: Some(Cache::new(home.path().to_owned())), offline, ..settings() };
        for offline in [false, true] {
            let pulled = fetch(cached(offline), &site.chart("beacon", None)).await.unwrap();
            let unknown = pulled.provenance_unknown.as_deref();
            assert!(unknown.is_some() == said.is_some() && unknown.unwrap_or_default().contains(said.unwrap_or_default()), "{unknown:?}");
            let note = pulled.notes.iter().find(|note| note.contains("it is not known whether there is a provenance"));
            assert_eq!(note.is_some(), said.is_some(), "{code}: {:?}", pulled.notes);
        }
    }
}
