//! Registries that hand out tokens: who is sent the password, who the token. Played here, because what matters is what a registry
//! could do and an honest one does not.

use crate::site::{Site, basic, beacon, fetch, login, missing, ok, redirect, refusal, status, with_access, with_header};
use groundswell_helm::archive::digest_hex;
use groundswell_helm::repository::{Access, Fetcher, OciReference, Reference, Settings, Url};
use std::sync::atomic::{AtomicUsize, Ordering};

const TOKEN: &str = "token-that-nobody-else-may-see";

/// Hands out the token to everybody who asks, or only for the password.
async fn token_service(needs_password: bool) -> Site {
    Site::start(move |_, headers| {
        let known = headers.get("authorization").is_some_and(|sent| sent.to_str().unwrap() == basic());
        if known || !needs_password { ok(format!("{{\"token\": \"{TOKEN}\"}}")) } else { status(401, "who are you") }
    })
    .await
}

fn manifest(archive: &[u8], digest: &str) -> String {
    let config = "application/vnd.cncf.helm.config.v1+json";
    let layer = "application/vnd.cncf.helm.chart.content.v1.tar+gzip";
    format!(
        r#"{{"schemaVersion": 2, "config": {{"mediaType": "{config}", "digest": "sha256:{0}", "size": 2}},
            "layers": [{{"mediaType": "{layer}", "digest": "sha256:{digest}", "size": {1}}}]}}"#,
        "0".repeat(64),
        archive.len(),
    )
}

/// A registry that wants the token, asks for it at `realm` (its own `/token` where that is empty), and keeps blobs in `storage`.
async fn registry(realm: &str, storage: &str, manifest: String) -> Site {
    let (realm, storage) = (realm.to_owned(), storage.to_owned());
    Site::start_with(move |own| {
        let realm = if realm.is_empty() { own.to_owned() } else { realm };
        move |path, headers| {
            let sent = headers.get("authorization").map(|sent| sent.to_str().unwrap().to_owned()).unwrap_or_default();
            match path {
                _ if path.starts_with("/token") && sent == basic() => ok(format!("{{\"access_token\": \"{TOKEN}\"}}")),
                _ if sent != format!("Bearer {TOKEN}") => {
                    with_header(status(401, "{}"), "www-authenticate", &format!("Bearer realm=\"{realm}/token\",service=\"here\""))
                }
                "/v2/charts/beacon/manifests/1.0.0" => ok(manifest.clone()),
                _ if path.contains("/blobs/") => redirect(&format!("{storage}/blob")),
                _ => missing(),
            }
        }
    })
    .await
}

async fn storage(archive: &[u8]) -> Site {
    let archive = archive.to_vec();
    Site::start(move |_, _| ok(archive.clone())).await
}

fn chart(site: &Site) -> Reference {
    let registry = site.url.replace("http://", "");
    Reference::Oci(OciReference { registry, repository: "charts/beacon".into(), version: Some("1.0.0".into()), digest: None })
}

fn me(site: &Site) -> Access {
    Access { plain_http: true, ..login(&site.url) }
}

fn nobody(site: &Site) -> Settings {
    with_access([Access { plain_http: true, ..Access::open(Url::parse(&site.url).unwrap()) }])
}

fn sent(site: &Site) -> Vec<Option<String>> {
    site.asked().into_iter().map(|asked| asked.authorization).collect()
}

#[tokio::test]
async fn the_password_goes_to_the_registry_and_the_token_nowhere_else() {
    let archive = beacon("1.0.0");
    let storage = storage(&archive).await;
    let site = registry("", &storage.url, manifest(&archive, &digest_hex(&archive))).await;
    let pulled = fetch(with_access([me(&site)]), &chart(&site)).await.unwrap();
    assert!(pulled.bytes == archive);
    let bearer = Some(format!("Bearer {TOKEN}"));
    assert_eq!(sent(&site), [None, Some(basic()), bearer.clone(), bearer]);
    assert_eq!(site.paths()[1], "/token?scope=repository%3Acharts%2Fbeacon%3Apull&service=here");
    assert_eq!(sent(&storage), [None]);
}

#[tokio::test]
async fn a_registry_that_sends_logins_elsewhere_gets_none_unless_that_was_said() {
    let archive = beacon("1.0.0");
    let (storage, service) = (storage(&archive).await, token_service(true).await);
    let site = registry(&service.url, &storage.url, manifest(&archive, &digest_hex(&archive))).await;
    let text = refusal(with_access([me(&site)]), &chart(&site)).await;
    assert!(text.contains("asks for the login to be sent to") && text.contains(&format!("tokenUrl: {}", service.url)), "{text}");
    assert!(service.asked().is_empty() && sent(&site) == [None], "{:?}", sent(&site));
    let allowed = Access { token_url: Some(Url::parse(&service.url).unwrap()), ..me(&site) };
    fetch(with_access([allowed]), &chart(&site)).await.unwrap();
    assert_eq!(sent(&service), [Some(basic())]);
    // An entry of its own for the token service does as well.
    let own = [Access { plain_http: true, ..Access::open(Url::parse(&site.url).unwrap()) }, login(&service.url)];
    fetch(with_access(own), &chart(&site)).await.unwrap();
    assert_eq!(sent(&service).len(), 2);
}

#[tokio::test]
async fn without_a_password_any_token_service_is_asked() {
    let archive = beacon("1.0.0");
    let (storage, service) = (storage(&archive).await, token_service(false).await);
    let site = registry(&service.url, &storage.url, manifest(&archive, &digest_hex(&archive))).await;
    assert!(fetch(nobody(&site), &chart(&site)).await.unwrap().bytes == archive);
    assert_eq!(sent(&service), [None]);
    // A token that everybody gets is no login.
    let closed = Site::start_with(|own| {
        let challenge = format!("Bearer realm=\"{own}/token\"");
        move |path, _| match path {
            _ if path.starts_with("/token") => ok(format!("{{\"token\": \"{TOKEN}\"}}")),
            _ => with_header(status(401, "{}"), "www-authenticate", &challenge),
        }
    })
    .await;
    let text = refusal(nobody(&closed), &chart(&closed)).await;
    assert!(text.contains("answered 401 to a request without credentials") && text.contains("--username"), "{text}");
    assert_eq!(sent(&closed).last(), Some(&Some(format!("Bearer {TOKEN}"))));
    let (storage, service) = (storage, token_service(true).await);
    let site = registry(&service.url, &storage.url, manifest(&archive, &digest_hex(&archive))).await;
    let text = refusal(nobody(&site), &chart(&site)).await;
    assert!(text.contains("answered 401 to a request without credentials"), "{text}");
}

#[tokio::test]
async fn a_layer_that_is_not_the_manifests_is_refused() {
    let archive = beacon("1.0.0");
    let storage = storage(&archive).await;
    let site = registry("", &storage.url, manifest(&archive, &digest_hex(b"another"))).await;
    let text = refusal(with_access([me(&site)]), &chart(&site)).await;
    assert!(text.contains("the manifest says sha256:"), "{text}");
}

#[tokio::test]
async fn a_token_service_that_answers_nonsense_is_not_quoted() {
    let service = Site::start(|_, _| ok(format!("{{\"token\": {TOKEN}"))).await;
    let site = registry(&service.url, "http://127.0.0.1:1", String::new()).await;
    let text = refusal(nobody(&site), &chart(&site)).await;
    assert!(text.contains("is not a token") && !text.contains(TOKEN), "{text}");
}

#[tokio::test]
async fn a_realm_that_makes_no_sense_is_refused() {
    for (realm, said) in [
        ("nothing", "its realm is no URL"),
        ("http://you:and@127.0.0.1:1", "carries a user and password"),
        ("http://charts.example", "is plain http"),
        ("https://169.254.169.254", "is at 169.254.169.254"),
    ] {
        let site = registry(realm, "", String::new()).await;
        let text = refusal(nobody(&site), &chart(&site)).await;
        assert!(text.contains(said), "{realm}: {text}");
    }
}

#[tokio::test]
async fn a_token_that_ends_within_a_long_list_is_renewed_once() {
    /// Which token the registry takes: each lasts for two pages, and with `never` none does.
    async fn list(never: bool) -> (Site, Reference) {
        let (given, pages) = (AtomicUsize::new(0), AtomicUsize::new(0));
        let site = Site::start_with(move |own| {
            let challenge = format!("Bearer realm=\"{own}/token\"");
            move |path, headers| {
                if path.starts_with("/token") {
                    return ok(format!("{{\"token\": \"{TOKEN}-{}\"}}", given.fetch_add(1, Ordering::SeqCst)));
                }
                let page = pages.load(Ordering::SeqCst);
                let taken = format!("Bearer {TOKEN}-{}", page / 2);
                if never || headers.get("authorization").is_none_or(|sent| sent.to_str().unwrap() != taken) {
                    return with_header(status(401, "{}"), "www-authenticate", &challenge);
                }
                pages.fetch_add(1, Ordering::SeqCst);
                let answer = ok(format!("{{\"tags\": [\"1.0.{page}\"]}}"));
                if page == 4 { answer } else { with_header(answer, "link", &format!("<?last={page}>; rel=next")) }
            }
        })
        .await;
        let chart = chart(&site);
        (site, chart)
    }
    let (site, reference) = list(false).await;
    let found = Fetcher::new(nobody(&site)).versions(&reference).await.unwrap();
    assert_eq!(found.len(), 5);
    assert_eq!(site.paths().iter().filter(|path| path.starts_with("/token")).count(), 3);
    let (site, reference) = list(true).await;
    let error = Fetcher::new(nobody(&site)).versions(&reference).await.unwrap_err();
    assert!(error.is_denied() && site.paths().len() == 3, "{error}: {:?}", site.paths());
}
