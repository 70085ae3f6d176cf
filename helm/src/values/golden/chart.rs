//! The `values.yaml` of a chart.

use super::*;
use crate::values::{ChartValuesError, chart_values};

impl Probe {
    /// What a template sees of a chart with such values of its own.
    fn own(&self, values: &[u8]) -> Result<Value, String> {
        std::fs::write(self.folder.path().join("chart/values.yaml"), values).unwrap();
        self.values(&[])
    }
}

/// A list of ten, and lists of ten times the one before.
fn aliases(levels: usize) -> String {
    let mut text = "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n".to_owned();
    for level in 1..levels {
        text.push_str(&format!("a{level}: &a{level} [{}]\n", vec![format!("*a{}", level - 1); 10].join(", ")));
    }
    text
}

#[test]
fn a_charts_own_values_are_helms() {
    let probe = Probe::new();
    let more: Vec<Vec<u8>> = [
        "a: 1\n---\nb: 2\n",
        "---\n---\nb: 2\n",
        "a: 1\n---\n- x\n",
        "a: 1\n---\nb: [\n",
        "a: 1\n...\n]]garbage: [\n",
        "{a: 1}\n{b: 2}\n",
        "a: 1\n---\n# nothing\n",
        "%YAML 1.2\n---\na: 1\n",
        "a: 1\u{85}b: 2\n",
        "a: 1\u{85}b\n",
        "a: x\u{2028}y\n",
        "a: \"x\u{2028}y\"\n",
        "a: 'x\u{2029}y' # \u{2028}\n",
        "a: |\n  x\u{2028}y\n",
        "a: |\n  x\u{2028}  y\n",
        "a: {\n\tb: 1}\n",
        "a: {\n\t# c\n\tb: 1,\n\t\tc: [\n\t1]\n}\n",
        "a:\n\tb: {c: 1}\n",
        "a: {b: c}\n\td: 1\n",
        "a: x\u{feff}y\n",
        "a: x\u{7f}y\n",
        "a: 1\n\0",
        "a: {{ .x }}\n",
        "a: !!int x\n",
        "\"a\\0\": 1\n",
        "1: a\n\"1\": b\n",
    ]
    .iter()
    .map(|text| text.as_bytes().to_vec())
    .chain([b"a: \xff\xfe\n".to_vec(), b"\xff\xfea\0:\0 \x001\0\n\0".to_vec()])
    .chain([6, 9].map(|levels| aliases(levels).into_bytes()))
    .chain([110, 120].map(|deep| format!("a: {}{}\n", "[".repeat(deep), "]".repeat(deep)).into_bytes()))
    .chain([format!("# {}\na: 1\n", "x".repeat(1 << 20)).into_bytes()])
    .collect();
    let known = DOCUMENTS.iter().chain(BROKEN).map(|text| text.as_bytes().to_vec());
    let (mut read, mut unread, mut unloadable, mut other) = (0, 0, 0, Vec::new());
    for text in known.chain(more) {
        let shown = String::from_utf8_lossy(&text[..text.len().min(80)]).into_owned();
        match (chart_values("values.yaml", &text), probe.own(&text)) {
            (Ok(ours), Ok(helms)) => {
                assert_eq!(normal(Value::Object(ours.values)), helms, "{shown}");
                read += 1;
            }
            (Err(ChartValuesError::Unloadable(_)), Err(said)) => {
                assert!(said.contains("cannot load values.yaml"), "{shown}: {said}");
                unloadable += 1;
            }
            (Err(ChartValuesError::Unread(_)), Ok(_)) => unread += 1,
            (ours, helms) => other.push(format!("{shown}: ours {ours:?}, helm's {helms:?}")),
        }
    }
    assert!(other.is_empty(), "{}", other.join("\n"));
    assert!(read > 40 && unread >= 6 && unloadable > 30, "{read} {unread} {unloadable}");
}

#[test]
fn a_second_document_is_told() {
    let read = |text: &str| chart_values("values.yaml", text.as_bytes()).unwrap().second.map(|at| at.line);
    assert_eq!((read("a: 1\n---\nb: 2\n"), read("a: 1\n"), read("---\na: 1\n...\n")), (Some(2), None, None));
}
