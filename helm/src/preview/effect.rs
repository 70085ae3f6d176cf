//! What is another one in a render when something was left out or added.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use groundswell_change::input::{RANDOM, REVISION, Side, is_drawn};
use groundswell_change::overrides::{object_ref, open};
use serde_json::Value;

use super::manifest;
use super::revision::FIRST;

/// Stands among the changed objects when what is in a Secret is among the changes, and not its labels alone; or when an object changes
/// only where it holds a secret, as in a variable called `DB_PASSWORD`.
pub(super) const SECRET_DATA: &str = "(the data of a Secret)";

/// Fields of one render that are looked at to tell what a key makes: a large chart has some 50,000 in all.
const MAX_LEAVES: usize = 100_000;

/// Shortest text that is looked for in others.
const SHORTEST: usize = 4;

/// A field with its value: object, path, value.
pub(super) type Leaf = (String, String, String);

/// What differs in a trial, field by field.
#[derive(Debug, Default)]
pub(super) struct Delta {
    /// Fields of the reference that the trial does not have so.
    pub(super) gone: BTreeSet<Leaf>,
    /// Fields of the trial that the reference does not have so.
    pub(super) come: BTreeSet<Leaf>,
}

/// The render that trials are held against. Random fields of it match whatever stands there.
pub(super) struct Reference {
    /// Documents as helm printed them: most are the same in a trial, and need not be read.
    documents: HashMap<Box<str>, usize>,
    steady: BTreeMap<(String, String), Value>,
    /// Sources with objects whose names are random.
    nameless: BTreeSet<String>,
    unsteady: BTreeSet<String>,
    namespace: String,
}

impl Reference {
    pub(super) fn new(text: &str, side: &Side, unsteady: &[String], namespace: &str) -> Self {
        let mut documents: HashMap<Box<str>, usize> = HashMap::new();
        for (_, document) in manifest::parts(text) {
            *documents.entry(document.into()).or_default() += 1;
        }
        let mut steady = BTreeMap::new();
        let mut nameless = BTreeSet::new();
        for object in side.objects.iter().chain(&side.hooks) {
            if object.value["metadata"]["name"].as_str().is_some_and(is_drawn) {
                nameless.insert(object.source.clone());
            }
            let name = object_ref(&object.value, namespace).to_string();
            steady.insert((object.source.clone(), name), object.value.clone());
        }
        let unsteady = unsteady.iter().cloned().collect();
        Self { documents, steady, nameless, unsteady, namespace: namespace.to_owned() }
    }

    /// Documents that the trial alone has, and those that the reference alone has.
    fn parted<'t>(&'t self, trial: &'t str) -> (manifest::Objects, manifest::Objects) {
        let mut left: HashMap<&str, usize> = self.documents.iter().map(|(text, count)| (text.as_ref(), *count)).collect();
        let mut fresh = Vec::new();
        for (source, document) in manifest::parts(trial) {
            match left.get_mut(document) {
                Some(count) if *count > 0 => *count -= 1,
                _ => fresh.push((source, document)),
            }
        }
        let gone = left.iter().filter(|(_, count)| **count > 0).map(|(text, _)| (first_line(text), *text));
        (manifest::objects(fresh), manifest::objects(gone))
    }

    /// Names of the objects that this render has, has not, or has otherwise than the reference, sorted.
    pub(super) fn differs(&self, trial: &str) -> BTreeSet<String> {
        let (fresh, gone) = self.parted(trial);
        let mut out = BTreeSet::new();
        let mut seen = BTreeSet::new();
        for object in &fresh.objects {
            if self.unsteady.contains(&object.source) {
                continue;
            }
            let name = object_ref(&object.value, &self.namespace).to_string();
            let key = (object.source.clone(), name.clone());
            let same = match self.steady.get(&key) {
                Some(steady) => alike(steady, &object.value),
                None => self.nameless_twin(&object.source, &object.value),
            };
            if !same {
                if self.steady.get(&key).map_or_else(|| is_secret(&object.value), |steady| is_of_secrets(steady, &object.value)) {
                    out.insert(SECRET_DATA.to_owned());
                }
                out.insert(name);
            }
            seen.insert(key);
        }
        for object in &gone.objects {
            let key = (object.source.clone(), object_ref(&object.value, &self.namespace).to_string());
            if self.steady.contains_key(&key) && !seen.contains(&key) {
                if is_secret(&object.value) {
                    out.insert(SECRET_DATA.to_owned());
                }
                out.insert(key.1);
            }
        }
        // A document that is no object counts by its text alone.
        let sources = |odd: &[(String, String)]| odd.iter().map(|(source, _)| source.clone()).collect::<BTreeSet<_>>();
        out.extend(sources(&fresh.odd).symmetric_difference(&sources(&gone.odd)).cloned());
        out
    }

    /// The same, field by field. Objects are known by their names alone: templates may move between versions.
    pub(super) fn delta(&self, trial: &str) -> Delta {
        let (fresh, gone) = self.parted(trial);
        let mut delta = Delta::default();
        let mut seen = BTreeSet::new();
        for object in fresh.objects.iter().filter(|object| !self.unsteady.contains(&object.source)) {
            let name = object_ref(&object.value, &self.namespace).to_string();
            match self.steady.get(&(object.source.clone(), name.clone())) {
                Some(steady) => {
                    leaves(&name, steady, String::new(), &mut delta.gone);
                    leaves(&name, &without_random(steady, &object.value), String::new(), &mut delta.come);
                }
                None if self.nameless_twin(&object.source, &object.value) => {}
                None => leaves(&name, &object.value, String::new(), &mut delta.come),
            }
            seen.insert((object.source.clone(), name));
        }
        for object in &gone.objects {
            let key = (object.source.clone(), object_ref(&object.value, &self.namespace).to_string());
            if self.steady.contains_key(&key) && !seen.contains(&key) {
                leaves(&key.1, &object.value, String::new(), &mut delta.gone);
            }
        }
        let both: Vec<Leaf> = delta.gone.intersection(&delta.come).cloned().collect();
        for leaf in &both {
            delta.gone.remove(leaf);
            delta.come.remove(leaf);
        }
        delta
    }

    /// Whether the render has an object of this name.
    pub(super) fn has(&self, object: &str) -> bool {
        self.steady.keys().any(|(_, name)| name == object)
    }

    /// All fields of its objects.
    pub(super) fn leaves(&self) -> BTreeSet<Leaf> {
        let mut all = BTreeSet::new();
        for ((_, name), value) in &self.steady {
            leaves(name, value, String::new(), &mut all);
        }
        all
    }

    /// What its objects say.
    pub(super) fn texts(&self) -> Texts {
        let (mut all, mut shown) = (BTreeSet::new(), BTreeSet::new());
        for ((_, name), value) in &self.steady {
            leaves(name, &open(value), String::new(), &mut shown);
            leaves(name, &decoded(value), String::new(), &mut all);
        }
        let text = |(_, _, text): &Leaf| text.clone();
        Texts { kept: all.difference(&shown).map(text).collect(), shown: shown.iter().map(text).collect() }
    }

    fn nameless_twin(&self, source: &str, value: &Value) -> bool {
        let of_source = |((from, _), _): &(&(String, String), &Value)| from == source;
        self.nameless.contains(source) && self.steady.iter().filter(of_source).any(|(_, steady)| alike(steady, value))
    }
}

/// The texts of a render.
pub(super) struct Texts {
    /// Those that anybody may see.
    shown: BTreeSet<String>,
    /// Those with something in them that is to be kept out of sight.
    kept: BTreeSet<String>,
}

/// Whether a value, or a part of one, stands in one of these renders only where it is to be kept out of sight: what the other version
/// shows to everybody was a secret all the same.
pub(super) fn is_kept(value: &Value, renders: &[Texts; 2]) -> bool {
    let text = match value {
        Value::String(text) => text.trim().to_owned(),
        Value::Number(number) => number.to_string(),
        Value::Array(items) => return items.iter().any(|item| is_kept(item, renders)),
        Value::Object(map) => return map.values().any(|value| is_kept(value, renders)),
        Value::Null | Value::Bool(_) => return false,
    };
    // A short word is part of many another.
    let has = |texts: &BTreeSet<String>| {
        if text.len() < SHORTEST { texts.contains(&text) } else { texts.iter().any(|one| one.contains(&text)) }
    };
    !text.is_empty() && renders.iter().any(|render| has(&render.kept) && !has(&render.shown))
}

/// The object with the data of a Secret as it will be read.
fn decoded(value: &Value) -> Value {
    let mut value = value.clone();
    if is_secret(&value)
        && let Some(Value::Object(data)) = value.get_mut("data")
    {
        for entry in data.values_mut() {
            let text = entry.as_str().and_then(|text| String::from_utf8(STANDARD.decode(text).ok()?).ok());
            *entry = text.map_or(Value::Null, Value::String);
        }
    }
    value
}

fn is_secret(value: &Value) -> bool {
    value["kind"].as_str().is_some_and(|kind| kind.contains("Secret"))
}

/// Whether what differs is in a Secret, or only where a secret stands.
fn is_of_secrets(steady: &Value, trial: &Value) -> bool {
    (is_secret(trial) && !alike(&content(steady), &content(trial))) || alike(&open(steady), &open(trial))
}

/// An object without its labels and annotations.
fn content(value: &Value) -> Value {
    let mut value = value.clone();
    if let Value::Object(map) = &mut value {
        map.remove("metadata");
    }
    value
}

/// The trial's value with a null where the steady one is random.
fn without_random(steady: &Value, trial: &Value) -> Value {
    match (steady, trial) {
        (Value::String(text), _) if is_drawn(text) => Value::Null,
        (Value::Object(steady), Value::Object(trial)) => {
            let drawn = steady.keys().any(|key| is_drawn(key));
            let other = |value: &Value| if drawn { Value::Null } else { value.clone() };
            let each = |(key, value): (&String, &Value)| {
                (key.clone(), steady.get(key).map_or_else(|| other(value), |one| without_random(one, value)))
            };
            Value::Object(trial.iter().map(each).collect())
        }
        (Value::Array(steady), Value::Array(trial)) => {
            let each = |(at, value): (usize, &Value)| steady.get(at).map_or_else(|| value.clone(), |one| without_random(one, value));
            Value::Array(trial.iter().enumerate().map(each).collect())
        }
        _ => trial.clone(),
    }
}

/// Scalars and empty collections; what is random is left out.
fn leaves(object: &str, value: &Value, path: String, out: &mut BTreeSet<Leaf>) {
    if out.len() >= MAX_LEAVES {
        return;
    }
    match value {
        Value::Object(map) if !map.is_empty() => map.iter().for_each(|(key, value)| leaves(object, value, format!("{path}.{key}"), out)),
        Value::Array(items) if !items.is_empty() => {
            items.iter().enumerate().for_each(|(at, value)| leaves(object, value, format!("{path}[{at}]"), out));
        }
        Value::Null => {}
        Value::String(text) if is_drawn(text) => {}
        Value::String(text) => {
            out.insert((object.to_owned(), path, text.clone()));
        }
        other => {
            out.insert((object.to_owned(), path, other.to_string()));
        }
    }
}

fn first_line(document: &str) -> &str {
    document.lines().next().and_then(|line| line.strip_prefix("# Source: ")).unwrap_or_default().trim()
}

/// Whether a value is the steady one, where what is random may be anything.
fn alike(steady: &Value, trial: &Value) -> bool {
    match (steady, trial) {
        (Value::String(text), _) if text == RANDOM => true,
        // Trials are made at the revision of the first render.
        (Value::String(text), Value::Number(trial)) if text == REVISION => trial.to_string() == FIRST,
        (Value::String(text), Value::String(trial)) if is_drawn(text) => alike_text(&text.replace(REVISION, FIRST), trial),
        (Value::Object(steady), Value::Object(trial)) => {
            let known = |(key, value): (&String, &Value)| match trial.get(key) {
                Some(trial) => alike(value, trial),
                None => value.as_str().is_some_and(is_drawn),
            };
            let drawn = steady.keys().any(|key| is_drawn(key));
            (drawn || trial.keys().all(|key| steady.contains_key(key))) && steady.iter().all(known)
        }
        (Value::Array(steady), Value::Array(trial)) => {
            steady.len() == trial.len() && steady.iter().zip(trial).all(|(steady, trial)| alike(steady, trial))
        }
        _ => steady == trial,
    }
}

fn alike_text(steady: &str, trial: &str) -> bool {
    let line = |(steady, trial): (&str, &str)| match steady.split_once(RANDOM) {
        Some((head, tail)) => trial.len() >= head.len() + tail.len() && trial.starts_with(head) && trial.ends_with(tail),
        None => steady == trial,
    };
    steady.lines().count() == trial.lines().count() && steady.lines().zip(trial.lines()).all(line)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::preview::random::steady;
    use crate::preview::side;

    fn reference(first: &str, second: &str) -> Reference {
        let name = |value: &Value| object_ref(value, "ops").to_string();
        let steady = steady(manifest::rendered(first).objects, manifest::rendered(second).objects, &name);
        let (objects, hooks) = side::sort(steady.objects);
        Reference::new(first, &Side { objects, hooks, ..Side::default() }, &steady.unsteady, "ops")
    }

    fn text(secret: &str, name: &str, value: &str) -> String {
        format!(
            "---\n# Source: c/templates/s.yaml\napiVersion: v1\nkind: Secret\nmetadata: {{name: s}}\ndata: {{p: {secret}}}\n\
             ---\n# Source: c/templates/j.yaml\napiVersion: batch/v1\nkind: Job\nmetadata: {{name: job-{name}}}\nspec: {{}}\n\
             ---\n# Source: c/templates/m.yaml\napiVersion: v1\nkind: ConfigMap\nmetadata: {{name: m}}\ndata: {{v: {value}}}\n"
        )
    }

    #[test]
    fn random_parts_are_no_difference_and_others_are_named() {
        let reference = reference(&text("eA==", "x1", "one"), &text("eQ==", "y2", "one"));
        assert!(reference.differs(&text("eg==", "z3", "one")).is_empty());
        let other: Vec<String> = reference.differs(&text("eg==", "z3", "two")).into_iter().collect();
        assert_eq!(other, ["ConfigMap/ops/m"]);
        let delta = reference.delta(&text("eg==", "z3", "two"));
        let leaf = |value: &str| BTreeSet::from([("ConfigMap/ops/m".to_owned(), ".data.v".to_owned(), value.to_owned())]);
        assert_eq!((delta.gone, delta.come), (leaf("one"), leaf("two")));
        let without = text("eg==", "z3", "one");
        let without = &without[..without.find("---\n# Source: c/templates/m").unwrap()];
        assert_eq!(reference.differs(without).into_iter().collect::<Vec<_>>(), ["ConfigMap/ops/m"]);
    }

    #[test]
    fn the_revision_of_a_trial_is_known() {
        let map = |a: &str, b: &str| {
            format!(
                "---\n# Source: c/templates/m.yaml\napiVersion: v1\nkind: ConfigMap\nmetadata: {{name: m-{b}}}\ndata: {{a: \"{a}\", n: {b}}}\n"
            )
        };
        let reference = reference(&map("r2", "2"), &map("r7921", "7921"));
        assert!(reference.differs(&map("r2", "2")).is_empty());
        assert_eq!(reference.differs(&map("", "2")).len(), 1);
        assert_eq!(reference.differs(&map("r2", "3")).len(), 1);
    }

    #[test]
    fn a_key_with_a_random_name_is_no_difference() {
        let map = |key: &str, v: &str| {
            format!(
                "---\n# Source: c/templates/m.yaml\napiVersion: v1\nkind: ConfigMap\nmetadata: {{name: m}}\ndata: {{{key}: x, v: {v}}}\n"
            )
        };
        let reference = reference(&map("k1", "one"), &map("k2", "one"));
        assert!(reference.differs(&map("k3", "one")).is_empty());
        assert_eq!(reference.differs(&map("k3", "two")).len(), 1);
        assert_eq!(reference.delta(&map("k3", "two")).come.len(), 1);
    }

    #[test]
    fn what_is_in_a_secret_is_told_from_its_labels() {
        let secret = |label: &str, data: &str| {
            format!(
                "---\n# Source: c/templates/s.yaml\napiVersion: v1\nkind: Secret\nmetadata: {{name: s, labels: {{v: {label}}}}}\ndata: {{p: {data}}}\n"
            )
        };
        let reference = reference(&secret("a", "eA=="), &secret("a", "eA=="));
        let differs = |text: &str| reference.differs(text).into_iter().collect::<Vec<_>>();
        assert_eq!(differs(&secret("b", "eA==")), ["Secret/ops/s"]);
        assert_eq!(differs(&secret("a", "eQ==")), [SECRET_DATA, "Secret/ops/s"]);
        assert_eq!(differs(""), [SECRET_DATA, "Secret/ops/s"]);
    }

    #[test]
    fn a_variable_that_is_a_secret_is_one_and_its_text_is_kept() {
        let pod = |password: &str, name: &str, key: &str| {
            format!(
                "---\n# Source: c/templates/p.yaml\napiVersion: v1\nkind: Pod\nmetadata: {{name: p}}\nspec: {{containers: [{{name: {name}, env: [{{name: DB_PASSWORD, value: \"{password}\"}}]}}]}}\n\
                 ---\n# Source: c/templates/s.yaml\napiVersion: v1\nkind: Secret\nmetadata: {{name: s}}\ndata: {{k: {key}}}\n"
            )
        };
        let text = pod("hunter2", "web", "Y29ycmVjdCBob3JzZQ==");
        let reference = reference(&text, &text);
        let differs = |text: &str| reference.differs(text).into_iter().collect::<Vec<_>>();
        assert_eq!(differs(&pod("x", "web", "Y29ycmVjdCBob3JzZQ==")), [SECRET_DATA, "Pod/ops/p"]);
        assert_eq!(differs(&pod("x", "aux", "Y29ycmVjdCBob3JzZQ==")), ["Pod/ops/p"]);
        let open = self::reference(&pod("x", "hunter2", "eA=="), &pod("x", "hunter2", "eA=="));
        let renders = [reference.texts(), open.texts()];
        for kept in ["hunter2", "correct horse", "horse"] {
            assert!(is_kept(&serde_json::json!([{"a": kept}]), &renders), "{kept}");
        }
        for shown in ["web", "hor", "nowhere", ""] {
            assert!(!is_kept(&shown.into(), &renders), "{shown}");
        }
    }
}
