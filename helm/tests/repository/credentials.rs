//! Who is told which password: two servers write down what they were sent.

use crate::site::{Asked, Site, basic, beacon, fetch, index, login, missing, ok, redirect, refusal, settings, status, with_access};
use groundswell_helm::archive::digest_hex;

fn authorizations(site: &Site) -> Vec<Option<String>> {
    site.asked().into_iter().map(|Asked { authorization, .. }| authorization).collect()
}

/// A repository behind a password whose archive is at `archive_url`.
async fn behind_password(text: Vec<u8>, archive: Option<Vec<u8>>) -> Site {
    Site::start(move |path, headers| {
        if headers.get("authorization").is_none_or(|sent| sent.to_str().unwrap() != basic()) {
            return status(401, "who are you");
        }
        match (path, &archive) {
            ("/index.yaml", _) => ok(text.clone()),
            ("/a.tgz", Some(archive)) => ok(archive.clone()),
            _ => missing(),
        }
    })
    .await
}

#[tokio::test]
async fn a_repository_gets_its_own_password_and_says_when_it_is_wrong() {
    let archive = beacon("1.0.0");
    let site = behind_password(index("1.0.0", "a.tgz", &archive), Some(archive)).await;
    fetch(with_access([login(&site.url)]), &site.chart("beacon", None)).await.unwrap();
    assert_eq!(authorizations(&site), vec![Some(basic()); 3]);
    let text = refusal(settings(), &site.chart("beacon", None)).await;
    assert!(text.contains("answered 401 to a request without credentials") && text.contains("--username"), "{text}");
    let mut wrong = login(&site.url);
    wrong.credentials.as_mut().unwrap().username = "you".into();
    let text = refusal(with_access([wrong]), &site.chart("beacon", None)).await;
    assert!(text.contains("answered 401 to these credentials"), "{text}");
}

#[tokio::test]
async fn an_index_that_points_elsewhere_takes_no_password_along() {
    let archive = beacon("1.0.0");
    let given = archive.clone();
    let other = Site::start(move |path, _| if path == "/a.tgz" { ok(given.clone()) } else { missing() }).await;
    let site = behind_password(index("1.0.0", &format!("{}/a.tgz", other.url), &archive), None).await;
    let pulled = fetch(with_access([login(&site.url)]), &site.chart("beacon", None)).await.unwrap();
    assert_eq!(pulled.digest, digest_hex(&archive));
    assert_eq!(authorizations(&site), [Some(basic())]);
    assert_eq!(authorizations(&other), [None, None]);
}

#[tokio::test]
async fn a_redirect_elsewhere_takes_no_password_along_and_one_back_finds_it_again() {
    let archive = beacon("1.0.0");
    let text = index("1.0.0", "a.tgz", &archive);
    let (other_url, other) = {
        let home: std::sync::Arc<std::sync::Mutex<String>> = std::sync::Arc::default();
        let back = std::sync::Arc::clone(&home);
        let other = Site::start(move |_, _| redirect(&format!("{}/real.tgz", back.lock().unwrap()))).await;
        (home, other)
    };
    let to = other.url.clone();
    let site = Site::start(move |path, _| match path {
        "/index.yaml" => ok(text.clone()),
        "/a.tgz" => redirect(&format!("{to}/x")),
        "/real.tgz" => ok(archive.clone()),
        _ => missing(),
    })
    .await;
    other_url.lock().unwrap().clone_from(&site.url);
    fetch(with_access([login(&site.url)]), &site.chart("beacon", None)).await.unwrap();
    assert_eq!(authorizations(&other), [None]);
    let last = site.asked().into_iter().find(|asked| asked.path == "/real.tgz").unwrap();
    assert_eq!(last.authorization, Some(basic()));
}

/// The same host on another port is another server.
#[tokio::test]
async fn each_server_gets_the_password_that_was_given_for_it() {
    let archive = beacon("1.0.0");
    let given = archive.clone();
    let files = behind_password(Vec::new(), Some(given)).await;
    let text = index("1.0.0", &format!("{}/a.tgz", files.url), &archive);
    let site = Site::start(move |path, _| if path == "/index.yaml" { ok(text.clone()) } else { missing() }).await;
    fetch(with_access([login(&files.url)]), &site.chart("beacon", None)).await.unwrap();
    assert_eq!(authorizations(&site), [None]);
    let text = refusal(with_access([login(&site.url)]), &site.chart("beacon", None)).await;
    assert!(text.contains(&files.url) && text.contains("without credentials"), "{text}");
    let advice = format!("{} is another server than {}, whose credentials go nowhere else: write an entry", files.url, site.url);
    assert!(text.contains(&advice) && !text.contains("--username"), "{text}");
}

#[tokio::test]
async fn a_server_that_repeats_the_password_is_not_quoted() {
    let site = Site::start(|_, headers| {
        let sent = headers.get("authorization").map(|sent| sent.to_str().unwrap().to_owned()).unwrap_or_default();
        let password = crate::site::PASSWORD;
        status(500, &format!("you sent {sent}, that is {password}"))
    })
    .await;
    let error =
        groundswell_helm::repository::Fetcher::new(with_access([login(&site.url)])).fetch(&site.chart("beacon", None)).await.unwrap_err();
    let groundswell_helm::repository::FetchError::Status { said, attempts, .. } = &error else { panic!("{error:?}") };
    assert_eq!(*attempts, 4);
    let encoded = basic().replace("Basic ", "");
    assert!(said.contains("you sent") && !said.contains(crate::site::PASSWORD) && !said.contains(&encoded), "{said}");
}
