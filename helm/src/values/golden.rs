//! What helm itself makes of values texts: ours must be the same.

use std::path::{Path, PathBuf};
use std::process::Command;

use base64::Engine as _;
use serde_json::Value;

use super::interpolate::tests::arb_value;
use super::resolve::number;
use super::{Layer, interpolate, merge, parse_values};

mod chart;

/// A chart that renders its values, in a folder of its own.
struct Probe {
    folder: tempfile::TempDir,
    helm: PathBuf,
}

impl Probe {
    fn new() -> Probe {
        let folder = tempfile::tempdir().unwrap();
        let chart = folder.path().join("chart");
        std::fs::create_dir_all(chart.join("templates")).unwrap();
        std::fs::write(chart.join("Chart.yaml"), "apiVersion: v2\nname: probe\nversion: 0.1.0\n").unwrap();
        std::fs::write(chart.join("templates/values.yaml"), "v: {{ toJson .Values | b64enc }}\n").unwrap();
        Probe { folder, helm: helm_binary() }
    }

    /// The values as a template sees them, or what helm said.
    fn values(&self, texts: &[&str]) -> Result<Value, String> {
        let mut command = Command::new(&self.helm);
        command.env_clear().env("HOME", self.folder.path()).args(["template", "p"]).arg(self.folder.path().join("chart"));
        for (index, text) in texts.iter().enumerate() {
            let file = self.folder.path().join(format!("{index}.yaml"));
            std::fs::write(&file, text).unwrap();
            command.arg("-f").arg(file);
        }
        let output = command.output().unwrap();
        if !output.status.success() {
            return Err(String::from_utf8_lossy(&output.stderr).into_owned());
        }
        let rendered = String::from_utf8(output.stdout).unwrap();
        let json = base64::engine::general_purpose::STANDARD.decode(rendered.split_once("\nv: ").unwrap().1.trim_end()).unwrap();
        Ok(normal(serde_json::from_slice(&json).unwrap()))
    }
}

/// `GROUNDSWELL_HELM`, else the one the workspace builds, else the one in PATH.
fn helm_binary() -> PathBuf {
    if let Some(given) = std::env::var_os("GROUNDSWELL_HELM") {
        let given = PathBuf::from(given);
        assert!(given.is_file(), "GROUNDSWELL_HELM names {}, which is no file", given.display());
        return given;
    }
    let built = Path::new(env!("CARGO_MANIFEST_DIR")).join("../target/foundation/bin/helm");
    if built.is_file() {
        return built;
    }
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path)
        .map(|folder| folder.join("helm"))
        .find(|file| file.is_file())
        .unwrap_or_else(|| panic!("this test compares with helm 3: set GROUNDSWELL_HELM, put it into PATH, or build {}", built.display()))
}

/// Go writes 1e3 as 1000 and -0.0 as -0; the value is the same.
fn normal(value: Value) -> Value {
    match value {
        Value::Number(n) => number(n.as_f64().unwrap()).unwrap(),
        Value::Array(items) => items.into_iter().map(normal).collect(),
        Value::Object(map) => map.into_iter().map(|(key, value)| (key, normal(value))).collect(),
        other => other,
    }
}

const SCALARS: &str = r##"
yes Yes YES yEs no No NO on On ON oN off Off OFF y Y n N true True TRUE tRUE false False FALSE
~ null Null NULL nUll "" '' Nil none
0 -0 +0 00 0777 0o17 0O17 08 09.5 -012 +012 0x1F 0X1f 0x 0xg -0x10 0b101 0B11 -0b11 0b 0b2 0o 0o8
1_000 1__0 _1 1_ -_1 +_ 1_0.5 0_7 0x_1F 0x1_F
1.10 1. .5 -.5 +.5 . - + .e5 .5e .5e1 .1_0 .1__0 ._1 .1_ .1_e1 .1e1_0 1e3 1E3 1e+3 1e-3 1e 1.5e300 1e400 -1e400 1e-400 -0.0 1.0 2.50 1e21 123456789.123
.inf .Inf -.Inf .nan 9007199254740993 9223372036854775807 9223372036854775808 -9223372036854775808 -9223372036854775809
18446744073709551615 18446744073709551616 +18446744073709551615 12345678901234567890
2001-01-01 2001-1-1 2001-01-01T00:00:00Z 12:30:45 1:30 190:20:30 = << <<x 1.2.3 v1 10.0.0.1 5m 1Gi 0.5Gi
"yes" '0777' "1" !!str 0777_ !local 12_ !!int "3"_ ! 12_ !!float 3_ !!binary aGk=_ !!bool yes_ !!null ~_ !!str ~_ !!binary /w==_ !!timestamp 2001-01-01_
"\x41\u00e9\U0001F600\n\t\e\0\_" 'it''s' {a:1} {a: 1} [1,2] [] {} [yes,no] {yes: no} [a: b] {a} {"a":1} ["a":1]
"##;

/// The table's entries stand apart by blanks; one that has blanks of its own ends in `_` or is a quoted or flow one.
fn scalars() -> Vec<String> {
    let fixed =
        [".Inf", "-.Inf", ".nan", "!!str 0777", "!local 12", "!!int \"3\"", "! 12", "!!float 3", "!!binary aGk=", "!!bool yes", "!!null ~"];
    let more = [
        "!!str ~",
        "!!binary /w==",
        "!!timestamp 2001-01-01",
        "{a: 1}",
        "{yes: no}",
        "[a: b]",
        "[\"a\":1]",
        "[1, 2]",
        "!!int 3.5",
        "!!bool 1",
    ];
    let odd =
        ["!!null x", "!!timestamp x", "!!binary ?", "!!float 0x10", "!!set {a, b}", "!!map x", "&a b", "*a", "a # b", "a#b", "a: b", "- a"];
    let words = SCALARS
        .split_whitespace()
        .filter(|word| !word.ends_with('_') || word.starts_with(['1', '+', '-', '_', '.']) || word.contains("\\_"));
    words.map(str::to_owned).chain(fixed.into_iter().chain(more).chain(odd).map(str::to_owned)).collect()
}

#[test]
fn scalars_are_helms() {
    let probe = Probe::new();
    let (mut together, mut alone) = (String::new(), Vec::new());
    let all = scalars();
    assert!(all.len() > 150);
    for (index, scalar) in all.iter().enumerate() {
        let line = format!("s{index}: {scalar}\n");
        if parse_values("d", &line).is_ok() { together.push_str(&line) } else { alone.push(line) }
    }
    let (ours, helms) = (parse_values("d", &together).unwrap(), probe.values(&[&together]).unwrap());
    for (key, value) in &ours {
        assert_eq!(Some(value), helms.get(key), "{}", all[key[1..].parse::<usize>().unwrap()]);
    }
    assert_eq!(Some(ours.len()), helms.as_object().map(serde_json::Map::len));
    for line in alone {
        assert!(probe.values(&[&line]).is_err(), "we refuse what helm takes: {line}");
    }
}

const DOCUMENTS: &[&str] = &[
    "",
    "# only a comment\n",
    "---\na: 1\n",
    "a: 1\n...\n",
    "--- # c\na: 1\n",
    "\u{feff}a: 1\n",
    "{}",
    "null",
    "~",
    "a:\nb:\n  c:\n",
    "a: 1\na: 2\n",
    "a: {b: 1}\na: {c: 2}\n",
    "yes: 1\nno: 2\non: x\n1: a\n1.5: b\n0.1: c\n1e30: d\n0.00001: e\n123456.0: f\n1234567.0: g\n0x10: h\n2001-01-01: t\n",
    "x: &x {a: 1, b: 2}\ny: {<<: *x, b: 3}\nz: {b: 3, <<: *x}\n",
    "x: &x {a: 1}\ny: &y {a: 2, b: 2}\nz: {<<: [*x, *y]}\n",
    "z: {<<: {a: 1}, b: 2}\nq: {\"<<\": 1}\n",
    "x: &x {a: 1}\ny:\n  <<: *x\n  <<: {a: 5}\n",
    "a: &a [1, &b two]\nc: *a\nd: *b\n",
    "a: &a x\n*a : y\n",
    "? a\n: b\n? c\n",
    "l:\n- 1\n-\n- - x\n  - y\n- k: v\n  m: n\n",
    "a: |\n  one\n   two\n\nb: |-\n  x\nc: |+\n  x\n\nd: >\n  a\n  b\n\n  c\n   more\n  d\n",
    "a: |2\n    x\n   y\n",
    "a: |\n  no end",
    "a: >-\n\n  x\n",
    "a: plain over\n  two lines\n\n  and a blank\nb: \"quoted  \n   over \\\n   lines\\n\"\nc: 'it''s\n\n  here'\n",
    "a: \"\\x41\\u263A\\U0001F600\\N\\L\\P\\_\\e\\0\\a\\b\\v\\f\\r\\ \\\"\"\n",
    "a: 1\r\nb: |\r\n  x\r\n  y\r\nc: 'd'\r\n",
    "a: {b: [1, {c: d}, [e]], f: }\n",
    "a: {\n  b: 1, # c\n  c: 2,\n}\n",
    "a: http://x:80/#y\nb: a:b\nc: x #y\n",
    "%YAML 1.1\n---\na: yes\n",
    "!!map {a: !!seq [1]}\n",
    "a: é ü 日本 😀\n",
    "a:    \n  b: 1\n",
    "a:\t1\n",
    "n: {a: {b: {c: {d: [[[[1]]]]}}}}\n",
    "\"a\": 1\n'b': 2\n\"c d\" : 3\n",
    "a: \"{{ .Values.x }}\"\nb: '{{ x }}'\nc: ((x))\nd: a((x))b\n",
    "a: !foo {b: 1}\nc: !bar [1]\n",
];

const BROKEN: &[&str] = &[
    "%YAML 1.2\n---\na: 1\n",
    "- a\n- b\n",
    "just text\n",
    "5\n",
    "a: [1\n",
    "a: {b\n",
    "a: \"x\n",
    "a: b: c\n",
    "a: 1\n b: 2\n",
    "a:\n\tb: 1\n",
    "a: *nope\n",
    "a: &a [*a]\n",
    "a: .inf\n",
    "a: {b: .nan}\n",
    "a: \u{1}\n",
    "~: 1\n",
    "{a: 1}: b\n",
    "[a]: b\n",
    "a: {<<: 1}\n",
    "l: &l [{a: 1}]\nb: {<<: *l}\n",
    "18446744073709551615: x\n",
    "a: @x\n",
    "a: `x\n",
    "a: %x\n",
    "a: \"\\q\"\n",
    "a: \"x\\/y\"\n",
    "a: \"\\ud800\"\n",
    "a: \"\\ud83d\\ude00\"\n",
    "a: \"\\uDC00\"\n",
    "a: \"\\U0000d800\"\n",
    "a: {{ .Values.x }}\n",
];

#[test]
fn documents_are_helms() {
    let probe = Probe::new();
    for text in DOCUMENTS {
        match (parse_values("d", text), probe.values(&[text])) {
            (Ok(ours), Ok(helms)) => assert_eq!(Value::Object(ours), helms, "{text:?}"),
            (ours, helms) => panic!("{text:?}\nours {ours:?}\nhelm {helms:?}"),
        }
    }
}

#[test]
fn what_helm_refuses_we_refuse_and_say_where() {
    let probe = Probe::new();
    for text in BROKEN {
        assert!(probe.values(&[text]).is_err(), "helm takes {text:?}");
        let error = parse_values("values.yaml", text).expect_err(text).to_string();
        assert!(error.starts_with("values.yaml:"), "{text:?}: {error}");
        assert!(error.split(':').nth(1).is_some_and(|line| line.parse::<usize>().is_ok()), "{text:?}: {error}");
    }
}

#[test]
fn helm_ignores_a_second_document_and_we_refuse_it() {
    let text = "a: 1\n---\nb: 2\n";
    assert_eq!(Probe::new().values(&[text]).unwrap(), serde_json::json!({"a": 1}));
    let error = parse_values("d", text).unwrap_err().to_string();
    assert!(error.starts_with("d:3:1: a second document"), "{error}");
}

/// YAML 1.1 breaks a line at U+2028, so the comment ends there for helm and for nobody else.
#[test]
fn a_line_separator_would_hide_a_key_from_us_and_is_refused() {
    let text = "a: 1 # c\u{2028}b: 2\n";
    assert_eq!(Probe::new().values(&[text]).unwrap(), serde_json::json!({"a": 1, "b": 2}));
    assert!(parse_values("d", text).unwrap_err().to_string().starts_with("d:1:9: the character U+2028"));
}

#[test]
fn aliases_that_unfold_to_too_much_are_refused() {
    let mut laughs = "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n".to_owned();
    for level in 1..9 {
        let aliases = vec![format!("*a{}", level - 1); 10].join(", ");
        laughs.push_str(&format!("a{level}: &a{level} [{aliases}]\n"));
    }
    assert!(parse_values("d", &laughs).unwrap_err().to_string().contains("aliases"));
    assert!(Probe::new().values(&[&laughs]).is_err());

    let long = format!("a: &a {}\nb: [{}]\n", "x".repeat(100_000), vec!["*a"; 60].join(", "));
    assert!(parse_values("d", &long).unwrap_err().to_string().contains("aliases"));
}

#[test]
fn depth_and_size_end_somewhere() {
    let deep = |n: usize| format!("a: {}{}", "[".repeat(n), "]".repeat(n));
    assert!(parse_values("d", &deep(99)).is_ok());
    assert!(parse_values("d", &deep(101)).is_err());
    assert!(parse_values("d", &deep(200_000)).is_err());
    assert!(parse_values("d", &"- ".repeat(200_000)).is_err());
    assert!(parse_values("d", &format!("a: {}", "x".repeat(super::MAX_TEXT_BYTES))).unwrap_err().to_string().contains("bytes"));
}

#[test]
fn merging_is_helms() {
    let probe = Probe::new();
    let cases: &[&[&str]] = &[
        &["a: {b: 1, c: [1, 2]}\n", "a: {c: [3]}\nd: 4\n"],
        &["a: {b: {c: 1, d: 2}}\n", "a: {b: {c: null}}\n", "a: {b: {e: 3}}\n"],
        &["a: {b: 1}\n", "a: null\n"],
        &["a: null\n", "a: {b: 1}\n"],
        &["a: {b: 1}\n", "a: 5\n", "a: {c: 1}\n"],
        &["a: {b: 1}\n", "a: {}\n"],
        &["a: [1, 2]\n", "a: {x: 1}\n"],
        &["a: {x: 1}\n", "a: []\n"],
        &["a: 1\n", "", "# nothing\n"],
        &["yes: 1\n", "\"true\": 2\n"],
        &["a: &x {b: 1}\nc: *x\n", "c: {b: 2}\n"],
        &["m: {a: null, b: {c: ~}}\nl: [null, {a: null}]\n", "m: {b: {d: null}}\n"],
    ];
    for texts in cases {
        let layers: Vec<Layer> = texts
            .iter()
            .enumerate()
            .map(|(index, text)| Layer { name: index.to_string(), value: Value::Object(parse_values("d", text).unwrap()) })
            .collect();
        assert_eq!(merge(&layers).value, probe.values(texts).unwrap(), "{texts:?}");
    }
}

/// Helm's reader is another one than ours; what cannot break out for ours must not for helm's either.
#[test]
fn helm_sees_interpolated_values_as_they_are() {
    use proptest::strategy::{Strategy as _, ValueTree as _};
    use proptest::test_runner::TestRunner;

    let mut runner = TestRunner::deterministic();
    let (mut text, mut vars) = (String::new(), std::collections::BTreeMap::new());
    let mut expected = serde_json::Map::new();
    for i in 0..400 {
        let value = arb_value().new_tree(&mut runner).unwrap().current();
        text.push_str(&format!(
            "a{i}: ((x{i}))\nb{i}: \"p((x{i}))s\"\nc{i}: 'p((x{i}))s'\nd{i}: p((x{i}))s # c\ne{i}: {{k: [((x{i}))]}}\nf{i}:\n- 'p\n\n  ((x{i}))s'\ng{i}: ((m{i}))\n"
        ));
        expected.insert(format!("a{i}"), value.clone().into());
        for key in ["b", "c", "d"] {
            expected.insert(format!("{key}{i}"), format!("p{value}s").into());
        }
        expected.insert(format!("e{i}"), serde_json::json!({"k": [value.clone()]}));
        expected.insert(format!("f{i}"), serde_json::json!([format!("p\n{value}s")]));
        let map = serde_json::json!({value.clone(): {"k": value.clone()}});
        expected.insert(format!("g{i}"), map.clone());
        vars.insert(format!("m{i}"), map);
        vars.insert(format!("x{i}"), Value::from(value.clone()));
        if value.chars().all(super::tree::may_stand_raw) {
            text.push_str(&format!("h{i}: |\n  p\n  p((x{i}))\ni{i}: >-\n  p((x{i}))s\n  s\n"));
            expected.insert(format!("h{i}"), format!("p\np{value}\n").into());
            expected.insert(format!("i{i}"), format!("p{value}s s").into());
        }
    }
    let out = interpolate(&text, "d", &vars).unwrap();
    let helms = Probe::new().values(&[&out]).unwrap();
    for (key, value) in &expected {
        assert_eq!(helms.get(key), Some(value), "{key}");
    }
    assert_eq!(helms.as_object().unwrap().len(), expected.len());
}
