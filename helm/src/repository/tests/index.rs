use super::*;

fn read_text(text: &str, name: &str) -> Result<Found, FetchError> {
    read(text.as_bytes(), name, "https://c.example/index.yaml", &Limits::default())
}

const INDEX: &str = "apiVersion: v1\nentries:\n  beacon:\n  - version: 1.10\n    digest: abc\n    urls: [beacon-1.10.tgz]\n    annotations: {a: [b, {c: d}]}\n  \
    - {version: 0.9.0, urls: null}\n  other:\n  - description: |\n      text\n    version: {this: is no version}\ngenerated: 2026-01-01T00:00:00Z\n";

#[test]
fn only_the_chart_asked_for_is_kept() {
    let found = read_text(INDEX, "beacon").unwrap();
    let versions: Vec<&str> = found.entries.iter().map(|entry| entry.version.as_str()).collect();
    assert_eq!((versions, found.names), (vec!["1.10", "0.9.0"], vec!["beacon".to_owned(), "other".to_owned()]));
    let json = r#"{"apiVersion": "v1", "entries": {"beacon": [{"version": "1.0.0", "urls": ["x"]}]}}"#;
    assert_eq!(read_text(json, "beacon").unwrap().entries.len(), 1);
    assert!(read_text("apiVersion: v1\nentries:\n", "beacon").unwrap().names.is_empty());
    assert!(read_text("apiVersion: v1\nentries: {}\n", "beacon").unwrap().names.is_empty());
}

#[test]
fn what_is_no_index_is_said() {
    for (text, said) in [
        ("<!DOCTYPE html><title>Log in</title>", "a web page"),
        ("<?xml version='1.0'?><Error/>", "XML"),
        ("", "empty"),
        ("apiVersion: v1\n", "no entries"),
        ("just a text", "a map of fields is expected"),
        ("entries: [a", ""),
        ("a: \u{0}", ""),
    ] {
        let error = read_text(text, "beacon").expect_err(text).to_string();
        assert!(error.contains("is not a repository index") && error.contains(said), "{text}: {error}");
    }
}

#[test]
fn an_index_is_bounded_in_what_is_kept() {
    let limits = Limits { versions: 2, charts: 2, ..Limits::default() };
    let bounded = |text: &str| read(text.as_bytes(), "a", "u", &limits).map(|_| ()).unwrap_err().to_string();
    let json = r#"{"entries": {"a": [{"version": "1.0.0"}, {"version": "1"}, {"version": "2"}]}}"#;
    assert!(bounded(json).contains("cannot be used for this chart: it lists more than 2 versions"));
    assert!(bounded("entries: {a: [{version: 1.0.0}, {version: 1.0.1}, {version: 1.0.2}]}").contains("more than 2 versions"));
    assert!(bounded("entries: {b: [], c: [], a: []}").contains("more than 2 charts"));
}

/// As helm reads it.
#[test]
fn versions_that_are_nothing_are_passed_over() {
    for text in ["entries:\n  a:\n  - null\n  - version: 1.0.0\n  -\n  - ~\n", "{\"entries\": {\"a\": [null, {\"version\": \"1.0.0\"}]}}"] {
        assert_eq!(read_text(text, "a").unwrap().entries.len(), 1, "{text}");
    }
}

/// Each alias stands for ten of the one before: read out, that is more than memory holds.
#[test]
fn aliases_do_not_multiply() {
    let mut text = "x0: &x0 [a, a, a, a, a, a, a, a, a, a]\n".to_owned();
    for level in 1..12 {
        let list = vec![format!("*x{}", level - 1); 10].join(", ");
        text.push_str(&format!("x{level}: &x{level} [{list}]\n"));
    }
    text.push_str("entries: {}\n");
    assert!(read_text(&text, "a").is_err());
}
