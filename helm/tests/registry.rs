//! Charts from a real registry (distribution 3), pushed by the real helm.
#![expect(clippy::unwrap_used, reason = "what fails here fails the test; clippy knows only functions with #[test]")]

use groundswell_foundation::{Binaries, Registry};
use groundswell_helm::archive::digest_hex;
use groundswell_helm::repository::{
    Access, Ask, Credentials, FetchError, Fetcher, Keyring, Naming, Pulled, Reference, Secret, Settings, Url, read_docker_config,
};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;

/// `me` with the password below, at bcrypt's cheapest.
const USERS: &str = "me:$2a$04$814w6OVses.H8Sr6DZXwCeoVkGyJBoofmjDrUk2gMRQMWZL8faE6O\n";
const PASSWORD: &str = "correct-horse";

/// An archive in a folder, with a provenance beside it if wanted; helm pushes both.
fn packed(folder: &Path, version: &str, provenance: Option<&str>) -> (PathBuf, Vec<u8>) {
    let chart = folder.join(format!("chart-{version}"));
    std::fs::create_dir_all(&chart).unwrap();
    std::fs::write(chart.join("Chart.yaml"), format!("apiVersion: v2\nname: beacon\nversion: {version}\n")).unwrap();
    let bytes = groundswell_helm::pack::pack(&chart).unwrap().bytes;
    let path = folder.join(format!("beacon-{version}.tgz"));
    std::fs::write(&path, &bytes).unwrap();
    if let Some(hash) = provenance {
        let hash = hash.replace("REAL", &digest_hex(&bytes));
        let text = format!(
            "-----BEGIN PGP SIGNED MESSAGE-----\nHash: SHA512\n\nname: beacon\nversion: {version}\n\n...\nfiles:\n  beacon-{version}.tgz: {hash}\n\
             -----BEGIN PGP SIGNATURE-----\n\nAAAA\n-----END PGP SIGNATURE-----\n"
        );
        std::fs::write(folder.join(format!("beacon-{version}.tgz.prov")), text).unwrap();
    }
    (path, bytes)
}

fn helm(home: &Path, args: &[&str], stdin: &str) {
    let program = Binaries::locate_or_build(&mut |_| {}).unwrap().helm;
    let mut command = Command::new(program);
    command.args(args).env_clear().env("HOME", home).stdin(std::process::Stdio::piped());
    command.stdout(std::process::Stdio::piped()).stderr(std::process::Stdio::piped());
    let mut child = command.spawn().unwrap();
    std::io::Write::write_all(&mut child.stdin.take().unwrap(), stdin.as_bytes()).unwrap();
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success(), "helm {args:?}: {}", String::from_utf8_lossy(&output.stderr));
}

fn push(home: &Path, archive: &Path, registry: &Registry) {
    helm(home, &["push", archive.to_str().unwrap(), &format!("oci://{}/charts", registry.host()), "--plain-http"], "");
}

fn plain(registry: &Registry, password: Option<&str>) -> Access {
    let credentials = password.map(|password| Credentials { username: "me".into(), password: Secret::new(password.into()) });
    let url = Url::parse(&format!("http://{}/v2/", registry.host())).unwrap();
    Access { credentials, plain_http: true, ..Access::open(url) }
}

fn fetcher(access: Access) -> Fetcher {
    let mut keyring = Keyring::default();
    keyring.add(access);
    Fetcher::new(Settings { keyring, ..Settings::default() })
}

fn reference(registry: &Registry, rest: &str) -> Reference {
    let naming = Naming { repo: None, version: None, known: &BTreeMap::new() };
    Reference::parse(&format!("oci://{}/charts/{rest}", registry.host()), naming).unwrap()
}

async fn pull(registry: &Registry, access: Access, rest: &str) -> Result<Pulled, FetchError> {
    fetcher(access).fetch(&reference(registry, rest)).await
}

async fn refused(registry: &Registry, access: Access, rest: &str) -> String {
    let error = pull(registry, access, rest).await.map(|pulled| pulled.origin).expect_err(rest);
    let text = format!("{error}; {}", error.next());
    assert!(!format!("{text} {error:?}").contains(PASSWORD), "{error:?}");
    text
}

#[tokio::test]
async fn charts_are_pulled_by_tag_range_and_digest() {
    let home = tempfile::tempdir().unwrap();
    let registry = Registry::start(None).unwrap();
    let mut bytes = BTreeMap::new();
    for (version, provenance) in [("1.0.0", None), ("1.2.0+build.7", Some("sha256:REAL")), ("2.0.0-rc.1", None)] {
        let (path, archive) = packed(home.path(), version, provenance);
        push(home.path(), &path, &registry);
        bytes.insert(version, archive);
    }
    let open = || plain(&registry, None);
    let exact = pull(&registry, open(), "beacon:1.2.0+build.7").await.unwrap();
    assert!(exact.bytes == bytes["1.2.0+build.7"] && exact.vouched == ["manifest"], "{:?}", exact.vouched);
    let provenance = exact.provenance.unwrap();
    assert!(provenance.text.contains("version: 1.2.0+build.7") && !provenance.verified);
    let digest = exact.manifest_digest.unwrap();
    assert_eq!(exact.origin, format!("oci://{}/charts/beacon:1.2.0+build.7@{digest}", registry.host()));
    for (rest, version) in [
        ("beacon".to_owned(), "1.2.0+build.7"),
        ("beacon:1.2.0_build.7".to_owned(), "1.2.0+build.7"),
        ("beacon:1.0.0".to_owned(), "1.0.0"),
        ("beacon:2.0.0-rc.1".to_owned(), "2.0.0-rc.1"),
        (format!("beacon@{digest}"), "1.2.0+build.7"),
        (format!("beacon:1.2.0+build.7@{digest}"), "1.2.0+build.7"),
    ] {
        let pulled = pull(&registry, open(), &rest).await.unwrap();
        assert!(pulled.bytes == bytes[version], "{rest}: {}", pulled.archive.metadata.version);
    }
    let range = reference(&registry, "beacon").at_version("~1.0").unwrap();
    assert_eq!(fetcher(open()).fetch(&range).await.unwrap().archive.metadata.version, "1.0.0");
    let devel = Ask { devel: true, ..Ask::default() };
    let newest = fetcher(open()).fetch_asking(&reference(&registry, "beacon"), &devel).await.unwrap();
    assert_eq!(newest.archive.metadata.version, "2.0.0-rc.1");
    let mut listed: Vec<String> =
        fetcher(open()).versions(&reference(&registry, "beacon")).await.unwrap().into_iter().map(|entry| entry.version).collect();
    listed.sort();
    assert_eq!(listed, ["1.0.0", "1.2.0+build.7", "2.0.0-rc.1"]);
    let wrong = format!("beacon:1.0.0@{digest}");
    assert!(refused(&registry, open(), &wrong).await.contains("holds beacon 1.2.0+build.7, and beacon 1.0.0 was asked for"));
    for (rest, said) in [
        ("beacon:1.1.0", "no version 1.1.0 of charts/beacon; near are"),
        ("becon:1.0.0", "has no chart \"charts/becon\""),
        ("becon", "has no chart \"charts/becon\""),
        (&format!("beacon@sha256:{}", "0".repeat(64)), "has no manifest"),
    ] {
        let text = refused(&registry, open(), rest).await;
        assert!(text.contains(said), "{rest}: {text}");
    }
}

#[tokio::test]
async fn a_registry_with_passwords() {
    let home = tempfile::tempdir().unwrap();
    let registry = Registry::start(Some(USERS)).unwrap();
    let (path, bytes) = packed(home.path(), "1.0.0", None);
    let host = registry.host().to_owned();
    helm(home.path(), &["registry", "login", &host, "-u", "me", "--password-stdin", "--plain-http"], PASSWORD);
    push(home.path(), &path, &registry);
    assert!(pull(&registry, plain(&registry, Some(PASSWORD)), "beacon:1.0.0").await.unwrap().bytes == bytes);
    let text = refused(&registry, plain(&registry, Some("wrong")), "beacon:1.0.0").await;
    assert!(text.contains("answered 401 to these credentials"), "{text}");
    let text = refused(&registry, plain(&registry, None), "beacon:1.0.0").await;
    assert!(text.contains("answered 401 to a request without credentials"), "{text}");
    // What `helm registry login` wrote.
    let mut keyring = Keyring::default();
    keyring.add(plain(&registry, None));
    read_docker_config(&home.path().join(".config/helm/registry/config.json"), &mut keyring).unwrap();
    let fetcher = Fetcher::new(Settings { keyring, ..Settings::default() });
    assert!(fetcher.fetch(&reference(&registry, "beacon:1.0.0")).await.unwrap().bytes == bytes);
}

#[tokio::test]
async fn plain_http_and_tls_are_not_guessed() {
    let registry = Registry::start(None).unwrap();
    let text = refused(&registry, Access::open(Url::parse("https://elsewhere.example/").unwrap()), "beacon:1.0.0").await;
    assert!(text.contains("cannot be reached") && text.contains("--plain-http"), "{text}");
}

#[tokio::test]
async fn a_provenance_of_another_archive_is_refused() {
    let home = tempfile::tempdir().unwrap();
    let registry = Registry::start(None).unwrap();
    let other = format!("sha256:{}", "0".repeat(64));
    let (path, _) = packed(home.path(), "1.0.0", Some(&other));
    push(home.path(), &path, &registry);
    let text = refused(&registry, plain(&registry, None), "beacon:1.0.0").await;
    assert!(text.contains("does not vouch for this archive"), "{text}");
}

/// A blob changed on the registry's disk: the registry itself does not look.
#[tokio::test]
async fn a_layer_that_was_changed_is_noticed() {
    let home = tempfile::tempdir().unwrap();
    let registry = Registry::start(None).unwrap();
    let (path, bytes) = packed(home.path(), "1.0.0", None);
    push(home.path(), &path, &registry);
    let digest = digest_hex(&bytes);
    let blob = registry.store().join(format!("docker/registry/v2/blobs/sha256/{}/{digest}/data", &digest[..2]));
    let other = packed(home.path(), "1.0.1", None).1;
    std::fs::write(&blob, &other[..other.len().min(bytes.len())]).unwrap();
    let text = refused(&registry, plain(&registry, None), "beacon:1.0.0").await;
    assert!(text.contains("the manifest says sha256:") || text.contains("broke off"), "{text}");
}

/// An image as a container engine pushes it: uploads of a config and a manifest.
#[tokio::test]
async fn an_image_is_no_chart() {
    let registry = Registry::start(None).unwrap();
    let http = reqwest::Client::new();
    let base = format!("http://{}/v2/charts/image", registry.host());
    let config = b"{}".to_vec();
    let digest = format!("sha256:{}", digest_hex(&config));
    let begun = http.post(format!("{base}/blobs/uploads/")).send().await.unwrap();
    let mut upload = Url::parse(begun.headers()["location"].to_str().unwrap()).unwrap();
    upload.query_pairs_mut().append_pair("digest", &digest);
    assert!(http.put(upload).body(config).send().await.unwrap().status().is_success());
    let kind = "application/vnd.oci.image.manifest.v1+json";
    let manifest = format!(
        r#"{{"schemaVersion": 2, "mediaType": "{kind}", "config": {{"mediaType": "application/vnd.oci.image.config.v1+json", "digest": "{digest}", "size": 2}}, "layers": []}}"#
    );
    let put = http.put(format!("{base}/manifests/1.0.0")).header("content-type", kind).body(manifest).send().await.unwrap();
    assert!(put.status().is_success(), "{}", put.text().await.unwrap());
    let text = refused(&registry, plain(&registry, None), "image:1.0.0").await;
    assert!(text.contains("is no Helm chart: its config is \"application/vnd.oci.image.config.v1+json\""), "{text}");
}
