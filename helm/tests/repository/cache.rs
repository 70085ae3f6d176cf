//! What was fetched before.

use crate::site::{Site, beacon, fetch, index, missing, ok, refusal, settings, status, with_header};
use groundswell_helm::archive::digest_hex;
use groundswell_helm::repository::{Ask, Cache, Fetcher, Settings};
use std::path::Path;

fn cached(folder: &Path, offline: bool) -> Settings {
    Settings { cache: Some(Cache::new(folder.to_owned())), offline, ..settings() }
}

async fn site(archive: Vec<u8>) -> Site {
    let text = index("1.0.0", "a.tgz", &archive);
    Site::start(move |path, headers| match path {
        "/index.yaml" if headers.get("if-none-match").is_some_and(|tag| tag == "\"one\"") => status(304, ""),
        "/index.yaml" => with_header(ok(text.clone()), "etag", "\"one\""),
        "/a.tgz" => ok(archive.clone()),
        _ => missing(),
    })
    .await
}

#[tokio::test]
async fn an_archive_is_fetched_once_and_a_damaged_copy_anew() {
    let (folder, archive) = (tempfile::tempdir().unwrap(), beacon("1.0.0"));
    let site = site(archive.clone()).await;
    let reference = site.chart("beacon", None);
    let from_cache =
        async || fetch(cached(folder.path(), false), &reference).await.map(|pulled| (pulled.from_cache, pulled.bytes == archive));
    assert_eq!(from_cache().await.unwrap(), (false, true));
    assert_eq!(from_cache().await.unwrap(), (true, true));
    assert_eq!(site.paths(), ["/index.yaml", "/a.tgz", "/a.tgz.prov", "/index.yaml", "/a.tgz.prov"]);
    assert_eq!(site.asked()[3].if_none_match.as_deref(), Some("\"one\""));
    let copy = folder.path().join(format!("archives/{}.tgz", digest_hex(&archive)));
    std::fs::write(&copy, "something else").unwrap();
    assert_eq!(from_cache().await.unwrap(), (false, true));
    assert_eq!(std::fs::read(&copy).unwrap(), archive);
}

#[tokio::test]
async fn offline_is_what_was_fetched_before() {
    let (folder, archive) = (tempfile::tempdir().unwrap(), beacon("1.0.0"));
    let site = site(archive.clone()).await;
    let reference = site.chart("beacon", Some("1.0.0"));
    let text = refusal(cached(folder.path(), true), &reference).await;
    assert!(text.contains("beacon:1.0.0") && text.contains("is not in the cache"), "{text}");
    fetch(cached(folder.path(), false), &reference).await.unwrap();
    let asked = site.paths().len();
    let pulled = fetch(cached(folder.path(), true), &reference).await.unwrap();
    assert_eq!((pulled.from_cache, pulled.origin.ends_with("/a.tgz"), site.paths().len()), (true, true, asked));
    assert_eq!((pulled.vouched, pulled.notes), (vec!["index"], Vec::new()));
    // As versions before wrote it.
    let remembered = folder.path().join("references").read_dir().unwrap().next().unwrap().unwrap().path();
    let text = std::fs::read_to_string(&remembered).unwrap().replace("\"vouched\"", "\"other\"");
    std::fs::write(&remembered, text).unwrap();
    let pulled = fetch(cached(folder.path(), true), &reference).await.unwrap();
    assert!(pulled.vouched.is_empty() && pulled.notes[0].contains("was not recorded"), "{:?}", pulled.notes);
    let by_digest = Ask { digest: Some(digest_hex(&archive)), devel: false };
    let offline = Fetcher::new(cached(folder.path(), true));
    offline.fetch_asking(&site.chart("beacon", Some("1.0.0+other.name")), &by_digest).await.unwrap_err();
    offline.fetch_asking(&site.chart("beacon", None), &by_digest).await.unwrap();
    let copy = folder.path().join(format!("archives/{}.tgz", digest_hex(&archive)));
    std::fs::write(copy, "something else").unwrap();
    let text = refusal(cached(folder.path(), true), &reference).await;
    assert!(text.contains("is damaged and was removed") && text.contains("without --offline"), "{text}");
    assert!(refusal(cached(folder.path(), true), &reference).await.contains("is not in the cache"));
}

#[tokio::test]
async fn a_cache_that_cannot_be_written_stops_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("file");
    std::fs::write(&file, "").unwrap();
    let site = site(beacon("1.0.0")).await;
    let pulled = fetch(cached(&file, false), &site.chart("beacon", None)).await.unwrap();
    assert!(pulled.notes.iter().all(|note| note.contains("the cache cannot be written")) && !pulled.notes.is_empty(), "{:?}", pulled.notes);
}
