use super::*;

fn parse(text: &str, repo: Option<&str>, version: Option<&str>) -> Result<Reference, ReferenceError> {
    let known = BTreeMap::from([
        ("prom".to_owned(), "https://charts.example/prom".to_owned()),
        ("reg".to_owned(), "oci://registry.example:5000/charts".to_owned()),
    ]);
    Reference::parse(text, Naming { repo, version, known: &known })
}

fn oci_of(text: &str) -> (String, String, Option<String>, Option<String>) {
    match parse(text, None, None).unwrap() {
        Reference::Oci(oci) => (oci.registry, oci.repository, oci.version, oci.digest),
        other => panic!("{other:?}"),
    }
}

#[test]
fn what_people_type() {
    let url = |text: &str| Url::parse(text).unwrap();
    let some = |text: &str| Some(text.to_owned());
    assert_eq!(parse("./charts/beacon", None, None), Ok(Reference::Folder("./charts/beacon".into())));
    assert_eq!(parse("src", None, None), Ok(Reference::Folder("src".into())));
    assert_eq!(parse("beacon-1.0.0.tgz", None, None), Ok(Reference::Archive("beacon-1.0.0.tgz".into())));
    assert_eq!(parse("https://c.example/a/b-1.0.0.tgz", None, None), Ok(Reference::Url(url("https://c.example/a/b-1.0.0.tgz"))));
    let repository = |name: &str, version| Reference::Repository { url: url("https://charts.example/prom"), name: name.into(), version };
    assert_eq!(parse("prom/kps", None, None), Ok(repository("kps", None)));
    assert_eq!(parse("prom/kps:85.0.0", None, None), Ok(repository("kps", some("85.0.0"))));
    assert_eq!(parse("prom/kps:85.0.0", None, Some("85.0.0")), Ok(repository("kps", some("85.0.0"))));
    assert_eq!(parse("kps", Some("https://charts.example/prom"), Some("^85")), Ok(repository("kps", some("^85"))));
    let digest = format!("sha256:{}", "a".repeat(64));
    assert_eq!(oci_of("oci://r.example/a/b"), ("r.example".into(), "a/b".into(), None, None));
    assert_eq!(oci_of("oci://127.0.0.1:5000/b:1.2.3_x"), ("127.0.0.1:5000".into(), "b".into(), some("1.2.3+x"), None));
    assert_eq!(oci_of(&format!("oci://r.example/b:1.2.3@{digest}")), ("r.example".into(), "b".into(), some("1.2.3"), Some(digest.clone())));
    assert_eq!(oci_of(&format!("oci://r.example/b@{digest}")).3, Some(digest));
    assert_eq!(oci_of("reg/kps:1.0.0"), ("registry.example:5000".into(), "charts/kps".into(), some("1.0.0"), None));
    assert!(matches!(parse("kps", Some("oci://r.example"), Some("1.0.0")), Ok(Reference::Oci(oci)) if oci.version == some("1.0.0")));
}

#[test]
fn what_names_no_chart_is_refused_with_words() {
    for (text, repo, version, said) in [
        ("", None, None, "empty"),
        ("kps", None, None, "in which repository"),
        ("grafana/kps", None, None, "configured are prom, reg"),
        ("a b", None, None, "blanks"),
        ("file:///etc/chart.tgz", None, None, "file://"),
        ("git+https://x.example/y", None, None, "git+https://"),
        ("https://c.example/charts", None, None, "does not end in .tgz"),
        ("https://c.example/a-1.0.0.tgz", None, Some("1.0.0"), "--version"),
        ("https://me:hunter2@c.example/a-1.0.0.tgz", None, None, "user or password"),
        ("oci://me:hunter2@c.example/a", None, None, "user or password"),
        ("kps", Some("https://me:hunter2@c.example/a"), None, "user or password"),
        ("kps", Some("ftp://c.example/a"), None, "neither"),
        ("../kps", Some("https://c.example"), None, "must match"),
        ("KPS", Some("https://c.example"), None, "must match"),
        ("./kps", None, Some("1.0.1"), "has the version that it has"),
        ("kps-1.0.0.tgz", None, Some("1.0.1"), "has the version that it has"),
        ("kps:1.0.0", Some("https://c.example"), Some("1.0.1"), "--version says 1.0.1"),
        ("kps:", Some("https://c.example"), None, "after the colon"),
        ("oci://c.example/kps", Some("https://c.example"), None, "--repo"),
        ("oci:///kps", None, None, "no host"),
        ("oci://c.example", None, None, "part \"\""),
        ("oci://c.example/a/../b", None, None, "part \"..\""),
        ("oci://c.example/A", None, None, "lower-case"),
        ("oci://c.example/a@sha256:abc", None, None, "64 hex"),
        ("oci://c.example/a:-x", None, None, "no tag"),
        ("oci://c.example?x/a", None, None, "no host"),
    ] {
        let error = parse(text, repo, version).expect_err(text);
        assert!(error.why.contains(said), "{text}: {error:?}");
        assert!(!format!("{error:?}").contains("hunter2"), "{error:?}");
    }
}
