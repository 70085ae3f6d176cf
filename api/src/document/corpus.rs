//! Bad documents with the answer that each must get, and the examples, which must all be taken.

use super::*;
use crate::convert;
use groundswell_core::limit::Limit;
use groundswell_core::time::Span;

fn answers(text: &str) -> Vec<String> {
    match parse("bad.yaml", text) {
        Ok(_) => Vec::new(),
        Err(problems) => problems.iter().map(|p| format!("{}:{} {} | {} | {}", p.line, p.column, p.what, p.why, p.hint)).collect(),
    }
}

/// A release around some lines of `spec`; they begin on line 9.
fn release(lines: &str) -> String {
    let head = "apiVersion: groundswell.dev/v1alpha1\nkind: Release\nmetadata:\n  name: beacon\nspec:\n  namespace: demo\n  chart: {path: ./beacon}\n  clusters: {selector: canary=true}\n";
    format!("{head}{lines}")
}

/// A strategy around some lines of `spec`; they begin on line 6.
fn strategy(lines: &str) -> String {
    format!("apiVersion: groundswell.dev/v1alpha1\nkind: Strategy\nmetadata:\n  name: careful\nspec:\n{lines}")
}

#[test]
fn bad_documents_are_answered_with_their_place() {
    let cases: &[(String, &str)] = &[
        (String::new(), "1:1 no document here"),
        ("# nothing\n---\n".into(), "1:1 no document here"),
        ("a: b: c\n".into(), "1:5 this is not YAML"),
        ("a:\n\t- b\n".into(), "2:2 this is not YAML | tabs"),
        ("a: [1, 2\n".into(), "1:4 this is not YAML | unclosed bracket"),
        ("- a\n".into(), "1:1 a document is a map of fields | this is a list"),
        (
            "apiVersion: v1\nkind: Release\nmetadata: {name: a}\nspec: {}\n".into(),
            "1:13 this apiVersion is not known |  | write `apiVersion: groundswell.dev/v1alpha1`",
        ),
        (
            "apiVersion: groundswell.dev/v1alpha1\nkind: Realease\nmetadata: {name: a}\nspec: {}\n".into(),
            "2:7 `kind` does not know `Realease` |  | did you mean `Release`?",
        ),
        ("apiVersion: groundswell.dev/v1alpha1\nkind: Release\nspec: {}\n".into(), "1:1 field `metadata` is missing"),
        (
            release("").replace("name: beacon", "name: --kubeconfig=x"),
            "4:9 `metadata.name` cannot be taken | release \"--kubeconfig=x\" is not a name",
        ),
        (release("  strateggy: careful\n"), "9:3 field `spec.strateggy` is not known |  | did you mean `strategy`?"),
        (release("  values_files: [a.yaml]\n"), "9:3 field `spec.values_files` is not known |  | did you mean `valuesFiles`?"),
        (release("  frobnicate: 1\n"), "9:3 field `spec.frobnicate` is not known |  | the fields here are `namespace`"),
        (release("  drift: report\n  drift: correct\n"), "10:3 field `spec.drift` is written twice"),
        (
            release("  createNamespace: yes\n"),
            "9:20 `spec.createNamespace` is true or false | `yes` is text | write `true`, without quotes",
        ),
        (release("  createNamespace: [true]\n"), "9:20 `spec.createNamespace` is true or false | this is a list"),
        (release("  drift: fix\n"), "9:10 `spec.drift` does not know `fix` |  | write `report` or `correct`"),
        (release("").replace("namespace: demo", "namespace:"), "6:12 field `spec.namespace` is missing"),
        (release("").replace("namespace: demo", "namespace: {a: 1}"), "6:14 `spec.namespace` is text | this is a map"),
        (
            release("").replace("canary=true", "\"canary in (a\""),
            "8:24 `spec.clusters.selector` cannot be taken | selector \"canary in (a\": a '(' without its ')'",
        ),
        (
            release("").replace("{path: ./beacon}", "{repository: https://x, name: a, version: 1.0.0}"),
            "7:23 charts are not taken from repositories yet",
        ),
        (release("").replace("{path: ./beacon}", "{name: a}"), "7:17 `spec.chart` names no version"),
        (release("").replace("{path: ./beacon}", "{path: ./a, digest: abc}"), "7:10 `spec.chart` does not say which chart in one way"),
        (
            release("").replace("{path: ./beacon}", "{digest: abc}"),
            "7:19 `spec.chart.digest` cannot be taken | digest \"abc\" is not a name: a SHA-256 has",
        ),
        (release("  values: yes\n"), "9:11 `spec.values` holds no values"),
        (release("  values: [1]\n"), "9:11 `spec.values` is a map or a text | this is a list"),
        (release("  values:\n    a: {b: 1, b: 2}\n"), "10:15 field `spec.values.a.b` is written twice"),
        (
            release("  values: &v\n    a: 1\n  overrides:\n    - selector: x=y\n      values: {b: *v}\n"),
            "13:19 this alias points out of the values",
        ),
        (release("  overrides:\n    - selector: x=y\n"), "10:7 `spec.overrides[0]` changes nothing"),
        (release("  overrides:\n    - values: {a: 1}\n"), "10:7 field `spec.overrides[0].selector` is missing"),
        (release("  strategy: {waves: []}\n"), "9:13 `spec.strategy` is the name of a Strategy"),
        (release("  strategy: a\n  strategySpec: {}\n"), "10:17 `strategy` and `strategySpec` stand side by side"),
        (release("  serviceAccount: --x\n"), "9:19 `spec.serviceAccount` is no name"),
        (release("  drift: !!str report\n"), "9:16 tags and anchors are not taken here"),
        (strategy("  waves: []\n"), "6:10 `spec.waves` is empty"),
        (
            strategy("  waves:\n    - name: a\n      selector: x\n    - name: a\n      selector: y\n"),
            "9:13 two waves are named `a` | the other one is on line 7",
        ),
        (strategy("  waves:\n    - {name: a, selector: x, maxConcurrent: 0}\n"), "7:45 `spec.waves[0].maxConcurrent` is 0"),
        (strategy("  each: {failureBudget: 101%}\n"), "6:25 `spec.each.failureBudget` cannot be taken | \"101%\" is no limit"),
        (strategy("  each: {failureBudget: 100%}\n"), "6:25 `spec.each.failureBudget` is as large as its wave"),
        (strategy("  each: {failureBudget: -1}\n"), "6:25 `spec.each.failureBudget` cannot be taken"),
        (strategy("  waves:\n    - {name: a, selector: x, bake: 90}\n"), "7:36 `spec.waves[0].bake` is no length of time"),
        (strategy("  each: {bake: -5m}\n"), "6:16 `spec.each.bake` is no length of time | it is less than nothing"),
        (strategy("  each: {bake: 1000h}\n"), "6:16 `spec.each.bake` is no length of time | it is longer than 31 days"),
        (strategy("  each: {deadline: 0s}\n"), "6:20 `deadline` is 0"),
        (
            strategy("  each: {deadline: 1m, gates: [ready: {for: 1m}]}\n"),
            "6:45 no cluster could ever be done | a cluster must be ready for 1m, and times out after 1m",
        ),
        (strategy("  each:\n    gates:\n      - prometheus: {query: up}\n"), "8:9 gate `prometheus` comes in a later release"),
        (strategy("  each:\n    gates: [redy]\n"), "7:13 gate `redy` is not known"),
        (
            strategy("  waves:\n    - {name: a, selector: x}\n    - {name: b, selector: y, canaryMayBeOwed: true}\n"),
            "8:47 `canaryMayBeOwed` stands in a later wave",
        ),
        (strategy("  onFailure: rollback\n"), "6:14 `spec.onFailure` does not know `rollback`"),
        (
            strategy("  waves:\n    - {name: a, selector: x, approval: true}\n"),
            "7:40 `spec.waves[0].approval` does not know `true` |  | write `required` or `none`",
        ),
        (format!("{}---\n{}", release(""), release("")), "13:9 Release `beacon` stands in this file twice"),
    ];
    let wrong: Vec<String> = cases
        .iter()
        .map(|(text, expected)| (expected, answers(text)))
        .filter(|(expected, answers)| !answers.iter().any(|answer| answer.starts_with(**expected)))
        .map(|(expected, answers)| format!("expected {expected:?}, got {answers:#?}"))
        .collect();
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn all_that_is_wrong_is_said_at_once() {
    let text = release("  drift: fix\n  createNamespace: yes\n  strateggy: a\n");
    assert_eq!(answers(&text).len(), 3, "{:#?}", answers(&text));
}

#[test]
fn a_problem_shows_the_line() {
    let problems = parse("release.yaml", &release("  drift: fix\n")).unwrap_err();
    let shown = problems[0].to_string();
    insta::assert_snapshot!(shown, @r"
    release.yaml:9:10: `spec.drift` does not know `fix`
      9 |   drift: fix
        |          ^
      fix: write `report` or `correct`
    ");
}

#[test]
fn hostile_text_is_answered_and_nothing_panics() {
    let deep = format!("spec: {}", "[".repeat(100_000));
    let wide = format!("spec: [{}]", "a,".repeat(200_000));
    let bomb = "a: &a [x,x,x]\nb: &b [*a,*a,*a]\nc: [*b,*b,*b]\n".to_owned();
    let large = "x".repeat(MAX_TEXT_BYTES + 1);
    let odd = [
        "\u{0}",
        "\u{feff}a: b",
        "%YAML 9.9\n---\na",
        "? [a]\n: b",
        "{a: b}}",
        "---\n...\n---",
        "!!x &y *z",
        "a: |9\n b",
        "\"\\ud800\"",
        "é: ü\nß",
    ];
    for text in [deep, wide, bomb, large].into_iter().chain(odd.map(str::to_owned)) {
        assert!(!answers(&text).is_empty(), "{:?} was taken", text.chars().take(30).collect::<String>());
    }
}

fn values(lines: &str) -> ValuesText {
    let documents = parse("r.yaml", &release(lines)).unwrap_or_else(|problems| panic!("{problems:#?}"));
    match documents.into_iter().next() {
        Some(Document::Release(release)) => release.spec.values.expect("it has values"),
        other => panic!("{other:?}"),
    }
}

#[test]
fn values_are_text_byte_for_byte() {
    let text = values("  values: |\n    a: yes   # kept\n\n    b: ((cluster_name))\n");
    assert_eq!((text.text.as_str(), text.form), ("a: yes   # kept\n\nb: ((cluster_name))\n", ValuesForm::Text));
    assert_eq!(text.place(1, 1), Spot { line: 10, column: 5 });
    assert_eq!(text.place(3, 4), Spot { line: 12, column: 8 });
    let late = values("  values: |\n\n    a: 1\n");
    assert_eq!((late.text.as_str(), late.place(2, 1)), ("\na: 1\n", Spot { line: 11, column: 5 }));
    let quoted = values("  values: \"a: 1\\nb: 2\"\n");
    assert_eq!((quoted.text.as_str(), quoted.place(1, 1)), ("a: 1\nb: 2", Spot { line: 9, column: 12 }));
}

#[test]
fn a_map_is_cut_out_as_it_is_written() {
    let written = "  values:\n    a: 0777  # stays\n      # a comment out of line\n    list:\n    - &x yes\n    - *x\n    text: |\n      one\n        two\n\n    last: 'it''s'\n  drift: report\n";
    let cut = "a: 0777  # stays\n  # a comment out of line\nlist:\n- &x yes\n- *x\ntext: |\n  one\n    two\n\nlast: 'it''s'\n";
    let map = values(written);
    assert_eq!((map.text.as_str(), map.form, map.line), (cut, ValuesForm::Map, 10));
    assert_eq!(map.place(4, 3), Spot { line: 13, column: 7 });
    assert_eq!(values("  values: {a: [yes, {b: 1}], c: {d: e}}\n").text, "{a: [yes, {b: 1}], c: {d: e}}\n");
    assert_eq!(values("  values:\n    a:\n      b: |\n        x\n\n  drift: report\n").text.trim_end(), "a:\n  b: |\n    x");
}

#[test]
fn unsaid_is_safe_and_each_feeds_the_waves() {
    let safe = convert::safe_strategy();
    assert_eq!((safe.waves.len(), safe.waves[0].max_concurrent, safe.waves[0].bake), (1, Limit::Count(1), Span::minutes(1)));
    let text = strategy(
        "  waves:\n    - {name: a, selector: x, bake: 0s, approval: none}\n    - {name: b, selector: '', maxConcurrent: none}\n  each: {bake: 1h30m, maxConcurrent: 25%, gates: [approval, ready: {for: 5s}]}\n  onFailure: halt\n",
    );
    let documents = parse("s.yaml", &text).unwrap_or_else(|problems| panic!("{problems:#?}"));
    let Some(Document::Strategy(written)) = documents.first() else { panic!("no strategy") };
    let strategy = convert::strategy(&written.spec);
    let (a, b) = (&strategy.waves[0], &strategy.waves[1]);
    assert_eq!((a.bake, a.max_concurrent, a.approval), (Span::ZERO, Limit::Percent(25), false));
    assert_eq!((b.bake, b.max_concurrent, b.approval), (Span::minutes(90), Limit::None, true));
    assert_eq!(strategy.each.ready_for, Span::seconds(5));
}

#[test]
fn the_text_of_a_document_is_its_own_and_reads_the_same() {
    let file = format!("# head\n{}---\n{}", release("  values: |\n    a: 1\n  # tail\n"), strategy("  onFailure: halt\n"));
    let documents = parse("f.yaml", &file).expect("both are good");
    assert_eq!(documents.len(), 2);
    for document in documents {
        let again = parse("stored", document.text()).expect("its text is good");
        match (&document, &again[0]) {
            (Document::Release(a), Document::Release(b)) => assert_eq!(a.spec, b.spec),
            (Document::Strategy(a), Document::Strategy(b)) => assert_eq!(a.spec, b.spec),
            _ => panic!("kinds differ"),
        }
    }
}

#[test]
fn every_example_is_taken() {
    let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../examples");
    let mut read = 0;
    for entry in std::fs::read_dir(folder).expect("examples exist") {
        let path = entry.expect("readable").path();
        let text = std::fs::read_to_string(&path).expect("text");
        if !text.contains("kind:") || path.extension().is_none_or(|extension| extension != "yaml") {
            continue;
        }
        assert!(text.starts_with("# yaml-language-server: $schema="), "{} names no schema", path.display());
        parse(&path.display().to_string(), &text).unwrap_or_else(|problems| panic!("{problems:#?}"));
        read += 1;
    }
    assert!(read >= 3, "only {read} examples were found");
}

#[test]
fn the_schema_beside_the_examples_is_the_one_that_is_printed() {
    let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../examples/groundswell.schema.json");
    let printed = serde_json::to_string_pretty(&schema()).expect("JSON") + "\n";
    if std::env::var_os("GROUNDSWELL_UPDATE_EXAMPLES").is_some() {
        std::fs::write(&path, &printed).expect("writable");
    }
    let stored = std::fs::read_to_string(path).unwrap_or_default();
    assert!(stored == printed, "run this test once with GROUNDSWELL_UPDATE_EXAMPLES=1");
}
