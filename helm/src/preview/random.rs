//! What is different each time a chart is rendered: passwords, certificates, times. It says nothing about a change between
//! versions, so it is taken out and named.

use std::cmp::Reverse;
use std::collections::BTreeMap;

use groundswell_change::compare::{Step, path_text};
pub use groundswell_change::input::RANDOM;
use groundswell_change::input::{RandomField, Rendered, is_drawn};
use serde_json::{Map, Value};

use super::revision;

/// What two renders of the same have in common.
#[derive(Debug, Default, PartialEq)]
pub(super) struct Steady {
    pub(super) objects: Vec<Rendered>,
    pub(super) random: Vec<RandomField>,
    /// Templates that give another set of objects each time.
    pub(super) unsteady: Vec<String>,
}

/// Lays two renders against each other. Objects are matched by source, kind and name; what is left over of a source in equal
/// numbers has a random name and is matched in order.
pub(super) fn steady(first: Vec<Rendered>, second: Vec<Rendered>, name: &dyn Fn(&Value) -> String) -> Steady {
    if first == second {
        return Steady { objects: first, ..Steady::default() };
    }
    let mut others: BTreeMap<(String, String), Vec<(usize, Rendered)>> = BTreeMap::new();
    for (at, object) in second.into_iter().enumerate().rev() {
        others.entry((object.source.clone(), name(&object.value))).or_default().push((at, object));
    }
    let (mut out, mut single) = (Steady::default(), Vec::new());
    let mut slots: Vec<Option<Rendered>> = Vec::with_capacity(first.len());
    for mut object in first {
        let named = name(&object.value);
        match others.get_mut(&(object.source.clone(), named.clone())).and_then(Vec::pop) {
            Some((_, other)) => {
                blank(&mut object.value, &other.value, &named, &mut out.random);
                slots.push(Some(object));
            }
            None => {
                single.push((slots.len(), object));
                slots.push(None);
            }
        }
    }
    let mut left: BTreeMap<(String, String), Vec<Rendered>> = BTreeMap::new();
    let mut rest: Vec<(usize, Rendered)> = others.into_values().flatten().collect();
    rest.sort_by_key(|(at, _)| Reverse(*at));
    for (_, object) in rest {
        left.entry((object.source.clone(), kind(&object.value))).or_default().push(object);
    }
    let mut wanted: BTreeMap<(String, String), usize> = BTreeMap::new();
    for (_, object) in &single {
        *wanted.entry((object.source.clone(), kind(&object.value))).or_default() += 1;
    }
    let same = |key: &(String, String)| wanted.get(key).copied().unwrap_or(0) == left.get(key).map_or(0, Vec::len);
    out.unsteady = wanted.keys().chain(left.keys()).filter(|key| !same(key)).map(|(source, _)| source.clone()).collect();
    out.unsteady.sort();
    out.unsteady.dedup();
    for (slot, mut object) in single {
        let key = (object.source.clone(), kind(&object.value));
        if out.unsteady.contains(&key.0) {
            continue;
        }
        let Some(other) = left.get_mut(&key).and_then(Vec::pop) else { continue };
        blank_name(&mut object.value, &other.value);
        let named = name(&object.value);
        out.random.push(RandomField { object: named.clone(), path: "metadata.name".to_owned() });
        let mut other = other.value;
        other["metadata"]["name"] = object.value["metadata"]["name"].clone();
        blank(&mut object.value, &other, &named, &mut out.random);
        slots[slot] = Some(object);
    }
    out.objects = slots.into_iter().flatten().collect();
    out
}

fn kind(value: &Value) -> String {
    value["kind"].as_str().unwrap_or_default().to_owned()
}

/// `job-x7f2k` and `job-9q1mz` are both `job-(random)`.
fn blank_name(value: &mut Value, other: &Value) {
    let (Some(a), Some(b)) = (value["metadata"]["name"].as_str(), other["metadata"]["name"].as_str()) else { return };
    if let Some(name) = revision::marked(a, b) {
        value["metadata"]["name"] = Value::String(name);
        return;
    }
    // Up to a separator: two random words may begin alike by chance.
    let alike = a.bytes().zip(b.bytes()).take_while(|(a, b)| a == b).count();
    let keep = a.get(..alike).and_then(|head| head.rfind(['-', '.'])).map_or(0, |at| at + 1);
    value["metadata"]["name"] = Value::String(format!("{}{RANDOM}", &a[..keep]));
}

fn blank(value: &mut Value, other: &Value, object: &str, random: &mut Vec<RandomField>) {
    blank_at(value, other, &mut Vec::new(), &mut |path| {
        random.push(RandomField { object: object.to_owned(), path: path_text(path) });
    });
}

fn blank_at(value: &mut Value, other: &Value, path: &mut Vec<Step>, found: &mut dyn FnMut(&[Step])) {
    if value == other {
        return;
    }
    match (value, other) {
        (Value::Object(map), Value::Object(others)) => {
            let gone = if blank_keys(map, others, path, found) { Vec::new() } else { only_in(others, map) };
            for key in gone {
                // A key that is there only sometimes is taken for there, so that both sides have it alike.
                map.insert(key.clone(), RANDOM.into());
                path.push(Step::Key(key));
                found(path);
                path.pop();
            }
            for (key, value) in map {
                if value.as_str().is_some_and(is_drawn) {
                    continue;
                }
                path.push(Step::Key(key.clone()));
                match others.get(key) {
                    Some(other) => blank_at(value, other, path, found),
                    None => replace(value, &Value::Null, path, found),
                }
                path.pop();
            }
        }
        (Value::Array(items), Value::Array(others)) if items.len() == others.len() => {
            for (index, (value, other)) in items.iter_mut().zip(others).enumerate() {
                path.push(Step::Index(index));
                blank_at(value, other, path, found);
                path.pop();
            }
        }
        (Value::String(text), Value::String(other)) if text.contains('\n') && text.lines().count() == other.lines().count() => {
            *text = blank_lines(text, other);
            found(path);
        }
        (value, other) => replace(value, other, path, found),
    }
}

/// Keys of the first that the second does not have.
fn only_in(map: &Map<String, Value>, other: &Map<String, Value>) -> Vec<String> {
    map.keys().filter(|key| !other.contains_key(*key)).cloned().collect()
}

/// Where each render has keys that the other lacks, and both as many, they are the same keys under random names. They become one key,
/// for their order is random, too. Answers whether there were any.
fn blank_keys(map: &mut Map<String, Value>, others: &Map<String, Value>, path: &mut Vec<Step>, found: &mut dyn FnMut(&[Step])) -> bool {
    let (mine, theirs) = (only_in(map, others), only_in(others, map));
    let name = match (mine.as_slice(), theirs.as_slice()) {
        ([], _) => return false,
        ([one], [two]) => revision::marked(one, two).unwrap_or_else(|| RANDOM.to_owned()),
        (mine, theirs) if mine.len() == theirs.len() => RANDOM.to_owned(),
        _ => return false,
    };
    map.retain(|key, _| !mine.contains(key));
    map.insert(name.clone(), RANDOM.into());
    path.push(Step::Key(name));
    found(path);
    path.pop();
    true
}

fn replace(value: &mut Value, other: &Value, path: &[Step], found: &mut dyn FnMut(&[Step])) {
    let text = |value: &Value| value.as_str().map_or_else(|| value.to_string(), str::to_owned);
    let drawn = || match (&*value, other) {
        // Items of a list may be the same in another order.
        (Value::String(text), Value::String(other)) if !path.iter().any(|step| matches!(step, Step::Index(_))) => around(text, other),
        _ => RANDOM.to_owned(),
    };
    *value = revision::marked(&text(value), &text(other)).unwrap_or_else(drawn).into();
    found(path);
}

/// `east since 2026-11-23` and `east since 2026-11-24` are both `east since (random)`. Only what cannot be alike by chance is kept: words
/// up to a sign that is in no base64, and no digits, for the year and the hour are alike today only.
fn around(text: &str, other: &str) -> String {
    let words = |text: &str| {
        let mut words: Vec<String> = text.split(|c: char| !c.is_alphanumeric()).map(str::to_owned).collect();
        words.sort();
        words
    };
    if text.contains('\n') || other.contains('\n') || words(text) == words(other) {
        return RANDOM.to_owned();
    }
    let parts = |c: char| !c.is_alphanumeric() && !matches!(c, '+' | '/' | '=' | '.');
    let long = |part: &&str| part.chars().count() >= LEAST;
    let same = |(a, b): &(char, char)| a == b && !a.is_numeric();
    let alike: usize = text.chars().zip(other.chars()).take_while(same).map(|(a, _)| a.len_utf8()).sum();
    let head = text[..alike].trim_end_matches(|c| !parts(c));
    let head = Some(head).filter(long).unwrap_or_default();
    let (rest, others) = (&text[head.len()..], &other[head.len()..]);
    let alike: usize = rest.chars().rev().zip(others.chars().rev()).take_while(same).map(|(a, _)| a.len_utf8()).sum();
    let tail = rest[rest.len() - alike..].trim_start_matches(|c| !parts(c));
    let tail = Some(tail).filter(long).unwrap_or_default();
    format!("{head}{RANDOM}{tail}")
}

/// Letters that are kept before or behind what is random: one may be alike by chance.
const LEAST: usize = 2;

/// A file in a ConfigMap, or a certificate: the lines that differ go, the others stay comparable.
fn blank_lines(text: &str, other: &str) -> String {
    let drawn = |a: &str, b: &str| revision::marked(a, b).unwrap_or_else(|| RANDOM.to_owned());
    let line = |(a, b): (&str, &str)| if a == b { a.to_owned() } else { drawn(a, b) };
    let mut out: String = text.lines().zip(other.lines()).map(line).collect::<Vec<_>>().join("\n");
    if text.ends_with('\n') {
        out.push('\n');
    }
    out
}

/// Functions that give another answer each time, the clock apart.
const RANDOM_WORDS: [&str; 18] = [
    "bcrypt",
    "encryptAES",
    "genCA",
    "genCAWithKey",
    "genPrivateKey",
    "genSelfSignedCert",
    "genSelfSignedCertWithKey",
    "genSignedCert",
    "genSignedCertWithKey",
    "htpasswd",
    "randAlpha",
    "randAlphaNum",
    "randAscii",
    "randBytes",
    "randInt",
    "randNumeric",
    "shuffle",
    "uuidv4",
];

/// Whether a template makes what is another each time.
pub(super) fn draws(text: &str) -> bool {
    has_action(text, &RANDOM_WORDS) || asks_for_the_time(text)
}

/// Words with which an action hands on what it makes.
const HANDING_ON: [&str; 8] = ["block", "define", "if", "include", "range", "template", "tpl", "with"];

/// Whether something that a template draws may depend on values, or be mixed with them: everything but a field of its own that is made
/// of literals, `at: {{ now | date "2006-01-02" | quote }}`.
pub(super) fn draws_with_others(text: &str) -> bool {
    for (part, next) in text.split("{{").zip(text.split("{{").skip(1)) {
        let before = part.rsplit("}}").next().unwrap_or(part);
        let (action, after) = next.split_once("}}").unwrap_or((next, ""));
        let drawn = format!("{{{{{action}");
        if !draws(&drawn) {
            continue;
        }
        let literals = action.split(['"', '`']).step_by(2).all(|code| !code.contains(['.', '$', '=']));
        let begins = before.trim_end_matches(['"', '\'']).ends_with(": ");
        let ends = after.trim_start_matches(['"', '\'']).trim_start_matches(' ');
        let ends = ends.is_empty() || ends.starts_with(['\n', ',', '}']);
        if !literals || !begins || !ends || has_action(&drawn, &HANDING_ON) {
            return true;
        }
    }
    false
}

/// Words in template actions whose answer depends on the clock.
const CLOCK_WORDS: [&str; 7] = ["now", "ago", "date", "dateInZone", "date_in_zone", "htmlDate", "htmlDateInZone"];

/// Whether a template, or values that may be templates, ask for the time: then two renders in the same second tell nothing.
pub(super) fn asks_for_the_time(text: &str) -> bool {
    has_action(text, &CLOCK_WORDS)
}

/// Whether an action of a template has one of the words.
pub(super) fn has_action(text: &str, words: &[&str]) -> bool {
    text.split("{{").skip(1).any(|action| {
        let action = action.split("}}").next().unwrap_or_default();
        action.split(|c: char| !(c.is_ascii_alphanumeric() || c == '_' || c == '.')).any(|word| words.contains(&word))
    })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn object(name: &str, rest: &Value) -> Rendered {
        let mut value = json!({"apiVersion": "v1", "kind": "Secret", "metadata": {"name": name}});
        value.as_object_mut().unwrap().extend(rest.as_object().unwrap().clone());
        Rendered { source: "c/templates/s.yaml".into(), value }
    }

    fn name(value: &Value) -> String {
        format!("{}/{}", value["kind"].as_str().unwrap(), value["metadata"]["name"].as_str().unwrap())
    }

    fn paths(steady: &Steady) -> Vec<String> {
        steady.random.iter().map(|field| format!("{} {}", field.object, field.path)).collect()
    }

    #[test]
    fn fields_that_differ_are_blanked_and_named() {
        let one =
            object("a", &json!({"data": {"p": "eA==", "user": "cm9vdA=="}, "list": [{"x": 1, "y": 2}], "lines": "a\nb\nc\n", "only": 1}));
        let two = object("a", &json!({"data": {"p": "eQ==", "user": "cm9vdA=="}, "list": [{"x": 1, "y": 3}], "lines": "a\nB\nc\n"}));
        let steady = steady(vec![one], vec![two], &name);
        assert_eq!(paths(&steady), ["Secret/a data.p", "Secret/a list[0].y", "Secret/a lines", "Secret/a only"]);
        let value = &steady.objects[0].value;
        assert_eq!(value["data"], json!({"p": RANDOM, "user": "cm9vdA=="}));
        assert_eq!(value["lines"], "a\n(random)\nc\n");
        assert_eq!(value["list"][0], json!({"x": 1, "y": RANDOM}));
    }

    #[test]
    fn words_around_what_is_random_are_kept() {
        for (one, two, kept) in [
            ("y since 2026-11-23", "y since 2026-11-24", "y since (random)"),
            ("east-abc", "east-axy", "east-(random)"),
            ("at 13:04 UTC", "at 14:05 UTC", "at (random) UTC"),
            ("2026-11-23 13:04", "2026-11-24 14:05", RANDOM),
            ("ab==", "xy==", RANDOM),
            ("ax/b+c", "ax/d+e", RANDOM),
            ("-x", "-y", RANDOM),
            ("foo,bar,baz", "foo,baz,bar", RANDOM),
            ("ä-ö", "ä-ü", "ä-(random)"),
            ("a-a-", "a-", "a-(random)"),
        ] {
            assert_eq!(around(one, two), kept);
        }
        let item = |text: &str| object("a", &json!({"data": {"v": text}, "list": [text]}));
        let steady = steady(vec![item("east-a")], vec![item("east-b")], &name);
        assert_eq!(steady.objects[0].value["data"]["v"], "east-(random)");
        assert_eq!(steady.objects[0].value["list"][0], RANDOM);
    }

    #[test]
    fn keys_with_random_names_are_one() {
        let data = |key: &str| object("a", &json!({"data": {key: "x", "b": "y"}}));
        let random = steady(vec![data("k1")], vec![data("z9")], &name);
        assert_eq!(random.objects[0].value["data"], json!({"(random)": RANDOM, "b": "y"}));
        assert_eq!(random.random.len(), 1);
        let revision = steady(vec![data("r2")], vec![data("r7921")], &name);
        assert_eq!(revision.objects[0].value["data"], json!({"r(revision)": RANDOM, "b": "y"}));
    }

    #[test]
    fn random_names_are_matched_and_other_sets_are_said() {
        let given = |names: &[&str]| names.iter().map(|n| object(n, &json!({}))).collect::<Vec<_>>();
        let named = steady(given(&["fix", "job-ab1"]), given(&["fix", "job-ab2"]), &name);
        assert_eq!(paths(&named), ["Secret/job-(random) metadata.name"]);
        assert!(named.unsteady.is_empty() && named.objects.len() == 2);
        let valued = |names: [&str; 2]| names.iter().zip([1, 2]).map(|(n, v)| object(n, &json!({"v": v}))).collect::<Vec<_>>();
        let ordered = steady(valued(["c-x", "c-y"]), valued(["c-a", "c-z"]), &name);
        assert_eq!(paths(&ordered), ["Secret/c-(random) metadata.name"; 2], "the first is the first");
        let sets = steady(given(&["fix", "x", "y"]), given(&["fix", "z"]), &name);
        assert_eq!(sets.unsteady, ["c/templates/s.yaml"]);
        assert_eq!(sets.objects.len(), 1);
    }

    #[test]
    fn what_carries_the_revision_is_marked_so() {
        let given =
            |n: &str, word: &str| object(&format!("mig-{n}"), &json!({"data": {"n": n, "w": word}, "number": n.parse::<u64>().unwrap()}));
        let steady = steady(vec![given("2", "a")], vec![given("7921", "b")], &name);
        let value = &steady.objects[0].value;
        assert_eq!(value["metadata"]["name"], "mig-(revision)");
        assert_eq!(value["data"], json!({"n": "(revision)", "w": RANDOM}));
        assert_eq!(value["number"], "(revision)");
    }

    #[test]
    fn what_is_drawn_with_others_is_told_from_what_stands_for_itself() {
        for own in
            ["a: {{ randAlpha 5 }}\n", "{a: '{{ now | date \"2006.01\" }}', b: {{ .Values.x }}}", "{{ .Values.x }}\na: \"{{ uuidv4 }}\""]
        {
            assert!(draws(own) && !draws_with_others(own), "{own}");
        }
        for mixed in [
            "a: {{ randAlpha (int .Values.n) }}",
            "a: x-{{ randAlpha 5 }}",
            "a: {{ randAlpha 5 }}-{{ .Values.x }}",
            "a: {{ .Values.x }}{{ randAlpha 5 }}",
            "{{ $x := randAlpha 5 }}",
            "{{ define \"p\" }}{{ randAlpha 5 }}{{ end }}",
            "a: {{ with uuidv4 }}",
        ] {
            assert!(draws_with_others(mixed), "{mixed}");
        }
    }

    #[test]
    fn the_clock_is_found_in_actions_only() {
        assert!(asks_for_the_time("a: {{ now | unixEpoch }}"));
        assert!(asks_for_the_time("{{- $d := dateInZone \"x\" . \"UTC\" -}}"));
        assert!(!asks_for_the_time("# now\na: {{ .Values.now }} now"));
    }
}
