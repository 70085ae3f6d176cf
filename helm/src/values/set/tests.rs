use proptest::prelude::*;
use serde_json::json;

use super::*;

fn done(text: &str, path: &str, new: &str) -> String {
    set("d", text, path, new).unwrap()
}

fn fails(text: &str, path: &str, new: &str) -> String {
    set("values.yaml", text, path, new).unwrap_err().to_string()
}

#[test]
fn a_scalar_is_replaced_in_its_style() {
    assert_eq!(done("a: 1 # c\nb: 2\n", "a", "5"), "a: 5 # c\nb: 2\n");
    assert_eq!(done("a:   'x'   # c\n", "a", "it's"), "a:   'it''s'   # c\n");
    assert_eq!(done("a: \"x\"\n", "a", "v1"), "a: \"v1\"\n");
    assert_eq!(done("a: x\n", "a", "1.2.3"), "a: \"1.2.3\"\n");
    assert_eq!(done("a: x\n", "a", "yes"), "a: \"yes\"\n");
    assert_eq!(done("a: 'x'\n", "a", "true"), "a: true\n");
    assert_eq!(done("a: x\r\nb: 1\r\n", "a", "y z"), "a: \"y z\"\r\nb: 1\r\n");
    assert_eq!(done("a: one\n  two # c\nb: 1\n", "a", "x"), "a: x # c\nb: 1\n");
    assert_eq!(done("a: |  # c\n  one\n  two\n\nb: 1\n", "a", "x"), "a: x\n\nb: 1\n");
    assert_eq!(done("l:\n- k: >-\n    one\n\n    two\n  b: 1\n", "l[0].k", "x"), "l:\n- k: x\n  b: 1\n");
    assert_eq!(done("a:\nb: 1\n", "a", "x"), "a: x\nb: 1\n");
    assert_eq!(done("a: # c\nb: 1\n", "a", "x"), "a: x # c\nb: 1\n");
    assert_eq!(done("a: {}\nb: []\n", "b", "x"), "a: {}\nb: x\n");
    assert_eq!(done("a: {b: [1, {c: d}]}\n", "a.b[1].c", "e"), "a: {b: [1, {c: e}]}\n");
    assert_eq!(done("x: &x 1\na: *x\n", "a", "2"), "x: &x 1\na: 2\n");
    assert_eq!(done("a: 1\na: 2\n", "a", "3"), "a: 1\na: 3\n");
}

#[test]
fn types_are_those_of_helm_set() {
    for (new, expected) in [
        ("true", json!(true)),
        ("FALSE", json!(false)),
        ("null", json!(null)),
        ("0", json!(0)),
        ("-5", json!(-5)),
        ("+5", json!(5)),
        ("42", json!(42)),
        ("007", json!("007")),
        ("1.5", json!("1.5")),
        ("yes", json!("yes")),
        ("", json!("")),
        ("a,b", json!("a,b")),
        ("12345678901234567890", json!("12345678901234567890")),
        ("- x", json!("- x")),
        ("a: b", json!("a: b")),
        ("a # b", json!("a # b")),
        ("x\ny", json!("x\ny")),
        ("{a}", json!("{a}")),
        ("1e3", json!("1e3")),
        ("~", json!("~")),
    ] {
        assert_eq!(parse("d", &done("a: x\n", "a", new)).unwrap(), json!({"a": expected}), "{new}");
    }
}

#[test]
fn a_missing_key_is_added_after_the_last_of_its_map() {
    assert_eq!(done("", "a.b.c", "1"), "a:\n  b:\n    c: 1\n");
    assert_eq!(done("# c\n", "a", "1"), "# c\na: 1\n");
    assert_eq!(done("a: 1", "b", "2"), "a: 1\nb: 2\n");
    assert_eq!(done("a: 1\r\n", "b.c", "2"), "a: 1\r\nb:\r\n  c: 2\r\n");
    assert_eq!(done("a:\n    b: 1 # c\n    # d\n\n# e\nc: 2\n", "a.x", "v"), "a:\n    b: 1 # c\n    x: v\n    # d\n\n# e\nc: 2\n");
    assert_eq!(
        done("a:\n  b:\n    - 1\n    - k: v\n      m: n\nc: 2\n", "a.b[1].x", "v"),
        "a:\n  b:\n    - 1\n    - k: v\n      m: n\n      x: v\nc: 2\n"
    );
    assert_eq!(done("a:\n  b: |\n    text\n\nc: 2\n", "a.x", "v"), "a:\n  b: |\n    text\n\n  x: v\nc: 2\n");
    assert_eq!(done("a:\n  b:\nc: 2\n", "a.x", "v"), "a:\n  b:\n  x: v\nc: 2\n");
    assert_eq!(done("a:\n  b: # c\nc: 2\n", "a.b.x", "v"), "a:\n  b: # c\n    x: v\nc: 2\n");
    assert_eq!(done("a: 1\n...\n", "b", "2"), "a: 1\nb: 2\n...\n");
    assert_eq!(done("a: 1\n", r"kubernetes\.io/os", "linux"), "a: 1\nkubernetes.io/os: linux\n");
    assert_eq!(done("a: 1\n", "on", "x"), "a: 1\n\"on\": x\n");
    assert_eq!(done("a: null\n", "a.b", "1"), "a: {b: 1}\n");
}

#[test]
fn flow_maps_grow_in_flow() {
    assert_eq!(done("a: {b: 1}\n", "a.c.d", "x"), "a: {b: 1, c: {d: x}}\n");
    assert_eq!(done("a: {}\n", "a.c", "x"), "a: {c: x}\n");
    assert_eq!(done("a: {b: 1,}\n", "a.c", "x"), "a: {b: 1, c: x,}\n");
    assert_eq!(done("{a: 1}", "b", "x"), "{a: 1, b: x}");
    assert_eq!(done("a: [1, 2]\n", "a[2]", "x"), "a: [1, 2, x]\n");
    assert_eq!(done("a: []\n", "a[0].b", "x"), "a: [{b: x}]\n");
    assert_eq!(done("a: {\n  b: 1, # c\n}\n", "a.c", "x"), "a: {\n  b: 1, c: x, # c\n}\n");
}

#[test]
fn lists_grow_by_one() {
    assert_eq!(done("a:\n- 1\n- 2 # c\nb: 1\n", "a[2]", "x"), "a:\n- 1\n- 2 # c\n- x\nb: 1\n");
    assert_eq!(done("a:\n  - k: 1\n    l: 2\n", "a[1].k.m", "x"), "a:\n  - k: 1\n    l: 2\n  - k:\n      m: x\n");
    assert_eq!(done("b: 1\n", "a[0].k", "x"), "b: 1\na:\n  - k: x\n");
    assert_eq!(done("a:\n- # c\n", "a[1]", "x"), "a:\n- # c\n- x\n");
    assert_eq!(done("a:\n- # c\n", "a[0]", "x"), "a:\n- x # c\n");
    assert_eq!(done("a:\n- |\n  t\n", "a[1]", "x"), "a:\n- |\n  t\n- x\n");
    assert_eq!(done("a:\n- 1\n-\n", "a[1]", "x"), "a:\n- 1\n- x\n");
}

#[test]
fn what_one_line_cannot_change_is_refused() {
    for (text, path, words) in [
        ("a: {b: 1}\n", "a", "1:4: this is a map; name a key inside it"),
        ("a:\n  - 1\n", "a", "this is a list; name an item like a[0]"),
        ("a: 1\n", "a.b", "this is a scalar, and the path goes on below it"),
        ("a: 1\n", "a[0]", "this is a scalar"),
        ("a: [1]\n", "a.b", "this is a list; say which item"),
        ("a: {b: 1}\n", "a[0]", "this is a map, and the path has an index"),
        ("a: [1]\n", "a[5]", "the list ends before this index"),
        ("a: 1\n", "b[1]", "the list ends before this index"),
        ("x: &x {b: 1}\na: *x\n", "a.b", "an alias stands on the way"),
        ("x: &x {b: 1}\na: *x\n", "x.b", "an anchor stands on the way"),
        ("x: &x 1\na: *x\n", "x", "the value has an anchor"),
        ("a: !!str 1\n", "a", "the value has a tag"),
        ("x: {b: {c: 1}}\na:\n  <<: {b: {c: 1}}\n", "a.b.d", "change it by hand"),
        ("a: 1\n---\nb: 2\n", "a", "a second document"),
        ("a: [\n", "a", "values.yaml:"),
        ("a: 1\n", "a..b", "is no path"),
    ] {
        let error = fails(text, path, "x");
        assert!(error.contains(words), "{text:?} {path}: {error}");
    }
}

/// A document, in block or flow style, with comments and odd indentation.
fn arb_text() -> impl Strategy<Value = String> {
    let scalar = prop::sample::select(vec![
        "1",
        "x",
        "'q'",
        "\"d\"",
        "",
        "~",
        "yes",
        "a b # c",
        "|\n        t\n         u\n",
        ">-\n        t\n\n        u\n",
        "two\n        lines",
    ]);
    let flow = prop::sample::select(vec!["{}", "[]", "{a: 1}", "[1, {b: x}]", "{a: {b: [1]}, c}"]);
    let leaf = prop_oneof![3 => scalar, 1 => flow].prop_map(str::to_owned);
    let entry = (leaf.clone(), prop::collection::vec(leaf, 0..3), prop::sample::select(vec!["\n", " # c\n", "\n\n# d\n"]), 0..4_usize);
    prop::collection::vec(entry, 0..4).prop_map(|entries| {
        let mut out = String::new();
        for (key, (value, below, end, shape)) in ["a", "b", "c", "d"].iter().zip(&entries) {
            let line = |indent: &str, key: &str, value: &str| {
                let end = if value.ends_with('\n') || value.contains('#') { "\n" } else { end };
                let space = if value.is_empty() { "" } else { " " };
                format!("{indent}{key}{space}{}{end}", value.trim_end_matches('\n'))
            };
            match shape {
                0 => out.push_str(&line("", &format!("{key}:"), value)),
                1 => {
                    out.push_str(&format!("{key}:{end}"));
                    for (name, value) in ["a", "b", "c"].iter().zip(below) {
                        out.push_str(&line("    ", &format!("{name}:"), value));
                    }
                }
                2 => {
                    out.push_str(&format!("{key}:\n"));
                    for value in below {
                        out.push_str(&line("  ", "-", value));
                    }
                }
                _ => {
                    out.push_str(&format!("{key}:\n"));
                    for value in below {
                        out.push_str(&line("- ", "a:", value));
                        out.push_str("  b: 1\n");
                    }
                }
            }
        }
        out
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(5000))]

    #[test]
    fn the_key_changes_and_nothing_else(
        text in arb_text(),
        path in "[a-d](\\[[0-2]\\])?(\\.[a-c]){0,2}",
        new in prop_oneof!["[ -~]{0,8}", Just("x\ny".to_owned()), Just("5".to_owned()), Just("\u{2028}é".to_owned())],
    ) {
        let Ok(mut expected) = parse("d", &text) else { return Err(TestCaseError::reject("not yaml")) };
        match set("d", &text, &path, &new) {
            Ok(out) => {
                let steps: Path = path.parse().unwrap();
                put(&mut expected, &steps.0, typed(&new));
                prop_assert_eq!(parse("d", &out).unwrap(), expected, "{}", out);
                prop_assert_eq!(out.matches('#').count(), text.matches('#').count() + new.matches('#').count());
            }
            // A refusal must have its reason, not the last check's.
            Err(error) => prop_assert!(!error.to_string().contains("does not let the key change alone"), "{error}\n{text}"),
        }
    }
}
