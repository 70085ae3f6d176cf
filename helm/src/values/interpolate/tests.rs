use proptest::prelude::*;
use serde_json::json;

use super::*;
use crate::values::parse;

fn vars() -> BTreeMap<String, Value> {
    let value = json!({
        "name": "abc", "n": 5, "f": 1.5, "yes": true, "none": null, "list": [1, "two", null], "map": {"a: b": "c\nd", "x": {"y": []}},
        "nasty": "a: b # c", "quote": "it's \"x\" \\ ", "lines": "one\ntwo", "word": "yes", "digits": "0777", "empty": "", "lead": "  x",
        "foundation.zone-1": "z", "sep": "a\u{2028}b\u{85}c\u{feff}\u{7}",
    });
    value.as_object().unwrap().iter().map(|(key, value)| (key.clone(), value.clone())).collect()
}

fn done(text: &str) -> String {
    interpolate(text, "d", &vars()).unwrap()
}

fn fails(text: &str) -> String {
    interpolate(text, "values.yaml", &vars()).unwrap_err().to_string()
}

#[test]
fn a_whole_plain_scalar_becomes_json() {
    assert_eq!(done("a: ((name))\n"), "a: \"abc\"\n");
    assert_eq!(done("a: (( n )) # c\nb: ((f))\nc: ((yes))\nd: ((none))\n"), "a: 5 # c\nb: 1.5\nc: true\nd: null\n");
    assert_eq!(done("- ((list))\n- [((word)), ((digits))]"), "- [1, \"two\", null]\n- [\"yes\", \"0777\"]");
    assert_eq!(done("a: &x !!str ((map))"), "a: &x !!str {\"a: b\": \"c\\nd\", \"x\": {\"y\": []}}");
    assert_eq!(done("{a: ((n)), b: ((foundation.zone-1))}"), "{a: 5, b: \"z\"}");
    assert_eq!(done("((map))"), "{\"a: b\": \"c\\nd\", \"x\": {\"y\": []}}");
}

#[test]
fn inside_quotes_it_is_escaped() {
    assert_eq!(done(r#"a: "x ((quote))-((lines)) \t""#), r#"a: "x it's \"x\" \\ -one\ntwo \t""#);
    assert_eq!(done("a: 'x ((quote)) it''s'"), "a: 'x it''s \"x\" \\  it''s'");
    assert_eq!(done("a: '((lines))'"), "a: \"one\\ntwo\"");
    assert_eq!(done("a: \"((n)) ((yes))\""), "a: \"5 true\"");
    assert_eq!(done("a: \"((sep))\"\nb: '((sep))'\nc: ((sep))"), {
        let escaped = "\"a\\u2028b\\u0085c\\uFEFF\\u0007\"";
        format!("a: {escaped}\nb: {escaped}\nc: {escaped}")
    });
}

#[test]
fn inside_a_plain_scalar_the_scalar_is_written_anew() {
    assert_eq!(done("a: foo-((nasty))-bar # c\n"), "a: \"foo-a: b # c-bar\" # c\n");
    assert_eq!(done("a: ((n))((n))\n"), "a: \"55\"\n");
    assert_eq!(done("a: http://((name)):80/x\n"), "a: \"http://abc:80/x\"\n");
}

#[test]
fn scalars_over_several_lines_are_folded_first() {
    assert_eq!(done("a: one ((name))\n  two # c\nb: 1\n"), "a: \"one abc two\" # c\nb: 1\n");
    assert_eq!(done("a: \"one\n  ((lead))\n\n  ((empty))\n  two\"\nb: 1\n"), "a: \"one   x\\n two\"\nb: 1\n");
    assert_eq!(done("a: 'one\r\n  ((name))'\r\n"), "a: \"one abc\"\r\n");
}

#[test]
fn a_block_scalar_takes_the_value_as_it_is() {
    assert_eq!(done("a: |\n  x: ((nasty))\n  ((name))\nb: >-\n  ((quote))\n"), "a: |\n  x: a: b # c\n  abc\nb: >-\n  it's \"x\" \\ \n");
    assert!(fails("a: |\n  x ((lines))\n").starts_with("values.yaml:2:5: the value of `lines` has a line break"));
    // It would move the indentation of the block.
    assert!(fails("a: |\n  ((lead))\n  b\n").starts_with("values.yaml:2:3: the value cannot stand here"));
}

#[test]
fn what_is_no_value_stays() {
    for text in [
        "# ((nope))\na: 1 # ((nope))\n",
        "((nope)): 1\n",
        "\"((nope))\": 1\n{((nope))}: 2\n",
        "? [((nope))]\n: 1\n",
        "a: &((nope)) 1\n",
        "a: (( 1+2 ))\nb: ((a b))\nc: ((\nd: (())\ne: ((x)\nf: ((é))\ng: (x)\n",
        "a: {((nope))}\n",
        "a: \"((no\\\n  pe))\"\n",
    ] {
        assert_eq!(done(text), text);
    }
    assert_eq!(done("a: (((name)))\n"), "a: \"(abc)\"\n");
}

#[test]
fn a_bang_writes_the_text_itself() {
    assert_eq!(done("a: ((!name))\nb: \"((!name)) ((name))\"\nc: |\n  ((! x ))\n"), "a: ((name))\nb: \"((name)) abc\"\nc: |\n  ((x))\n");
    assert_eq!(done("a: ((!name))-((name))\n"), "a: \"((name))-abc\"\n");
    assert_eq!(done("a: x\n  ((!name))\n"), "a: x\n  ((name))\n");
}

#[test]
fn all_other_bytes_stay() {
    let text = "\u{feff}%YAML 1.1\r\n--- # ((x))\r\na:   ((n))   # é ((y))\r\n\r\n\tb: 'unchanged'\r\n".replace("\tb", "b");
    assert_eq!(done(&text), text.replace("((n))", "5"));
    assert_eq!(done("a: ((n))\n---\nb: ((n))\n"), "a: 5\n---\nb: 5\n");
}

#[test]
fn errors_say_where_and_what_else() {
    assert_eq!(
        fails("a: 1\nbé: [x, \"é ((nme))\"]\n"),
        "values.yaml:2:12: no variable is named `nme` (did you mean name?); set it, or write ((!nme)) for the text itself"
    );
    assert_eq!(
        fails("a: x-((map))"),
        "values.yaml:1:6: `map` is a map and stands within a text; it must be alone and without quotes: key: ((map))"
    );
    assert!(fails("a: \"((list))\"").contains("`list` is a list"));
    assert!(fails("a: '((none))'").contains("`none` is a null"));
    assert!(fails("a: [((n))\n").starts_with("values.yaml:"));
    assert!(fails("a: \"\\x28(n)) ((n))\"").contains("cannot stand here"));
    assert!(fails(&format!("a: {}", "((list)) ".repeat(3))).contains("list"));
}

#[test]
fn the_result_has_a_bound() {
    let vars = BTreeMap::from([("x".to_owned(), Value::from("x".repeat(600_000)))]);
    assert!(matches!(interpolate("a: ((x))\nb: ((x))\n", "d", &vars), Err(InterpolateError::TooLarge { .. })));
}

#[test]
fn names_used_are_those_that_would_be_looked_up() {
    let names = names_used("# ((a))\nb: ((c)) ((!d))\n((e)): \"x((f.g))\"\n", "d").unwrap();
    assert_eq!(names.into_iter().collect::<Vec<_>>(), ["c", "f.g"]);
}

/// Positions for a value, what stands around it, and the string it should become part of.
const PLACES: &[(&str, &str, &str)] = &[
    ("a: ((x))\nb: 1\n", "", ""),
    ("a: pre((x))post # c\nb: 1\n", "pre", "post"),
    ("a: pre\n  ((x))\n  post\nb: 1\n", "pre ", " post"),
    ("a: \"pre((x))post\"\nb: 1\n", "pre", "post"),
    ("a: \"pre\n  ((x))\n  post\"\nb: 1\n", "pre ", " post"),
    ("a: 'pre((x))post'\nb: 1\n", "pre", "post"),
    ("a: '((x))'\r\nb: 1\r\n", "", ""),
    ("a: 'pre\n\n  ((x))'\nb: 1\n", "pre\n", ""),
    ("{a: ((x)), b: 1}\n", "", ""),
    ("{a: p((x)), b: 1}\n", "p", ""),
    ("a: !!str ((x))\nb: 1\n", "", ""),
    ("a: |\n  pre\n  ((x))\n  post\nb: 1\n", "pre\n", "\npost\n"),
    ("a: |-\n  ((x))\nb: 1\n", "", ""),
    ("a: >\n  pre ((x)) post\nb: 1\n", "pre ", " post\n"),
    ("a: >-\n  pre\n  ((x))\nb: 1\n", "pre ", ""),
];

pub(in crate::values) fn arb_value() -> impl Strategy<Value = String> {
    let bits = prop::sample::select(vec![
        "\"", "'", "\\", ": ", " #", "#", "\n", "\r\n", "\n\n", "\nb: 2\n", "}}", "{{", "}", "]", ",", "- ", "&a", "*a", "!t", "%", "@",
        "|", ">", "\t", "  ", "é", "日本", "😀", "\u{2028}", "\u{85}", "\u{feff}", "\u{0}", "\u{7f}", "\u{a0}", "---", "...", "yes",
        "0777", "((x))", "((", "null", "~", "x", "\\n", "<<",
    ]);
    prop_oneof![prop::collection::vec(bits, 0..6).prop_map(|bits| bits.concat()), ".{0,12}", "[ -~]{0,12}"]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    #[test]
    fn a_text_without_a_mark_is_returned_as_it_is(text in "[^(]{0,60}") {
        prop_assert_eq!(interpolate(&text, "d", &vars()).unwrap(), text);
    }

    #[test]
    fn a_value_that_tries_to_break_out_does_not(value in arb_value(), place in prop::sample::select(PLACES)) {
        let (text, before, after) = place;
        let vars = BTreeMap::from([("x".to_owned(), Value::from(value.clone()))]);
        match interpolate(text, "d", &vars) {
            Ok(out) => {
                let expected = json!({"a": format!("{before}{value}{after}"), "b": 1});
                prop_assert_eq!(parse("d", &out).unwrap(), expected, "{}", out);
            }
            // Only where there are no escapes may a value be refused.
            Err(_) => prop_assert!(text.contains(['|', '>'])),
        }
    }

    #[test]
    fn any_value_alone_is_itself(value in arb_json()) {
        let vars = BTreeMap::from([("x".to_owned(), value.clone())]);
        for text in ["a: ((x))\nb: [1]\n", "a:\n  ((x))\nb: [1]\n", "{a: ((x)), b: [1]}", "b:\n- 1\na: ((x))"] {
            let out = interpolate(text, "d", &vars).unwrap();
            prop_assert_eq!(parse("d", &out).unwrap(), json!({"a": value, "b": [1]}), "{}", out);
        }
    }
}

fn arb_json() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i32>().prop_map(Value::from),
        (any::<i32>(), 1..1000_i32).prop_map(|(a, b)| crate::values::resolve::number(f64::from(a) / f64::from(b)).unwrap()),
        arb_value().prop_map(Value::from),
    ];
    leaf.prop_recursive(3, 16, 4, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            prop::collection::vec((arb_value(), inner), 0..4).prop_map(|entries| Value::Object(entries.into_iter().collect())),
        ]
    })
}
