//! Walks two objects side by side, and tells substance from noise.

use std::collections::{BTreeSet, HashMap, VecDeque};

use serde_json::{Map, Value};

use super::align::{Row, align};
use super::labels::Versions;
use super::list::{Layout, is_edit, layout};
use super::{Change, Step, mask, scalar, variables};
use crate::summary::NoiseKind;
use crate::table::defaults::{Around, is_default};
use crate::table::pods::{Stored, pod_part, stored};

/// Objects of Kubernetes are some 30 deep; what is deeper is compared whole.
const MAX_DEPTH: usize = 100;

/// Values of one object that are looked at only to find out which item of a list is which. Each level of lists in lists doubles
/// the work, and each item is tried against all: 100,000 take some 50 ms, and no public chart needs 5,000.
const MAX_TRIED: usize = 100_000;

/// What two objects are compared with.
#[derive(Clone, Copy)]
pub(super) struct Rules<'a> {
    pub(super) kind: &'a str,
    /// Whether Kubernetes defines the kind, so that what is empty there means nothing.
    pub(super) builtin: bool,
    /// Whether an empty list of the kind is as good as none.
    pub(super) lists: bool,
    pub(super) versions: &'a Versions,
    /// Whether its pods run on from one version to the next; those of a hook are made anew for each run.
    pub(super) lasting: bool,
    /// Whether an autoscaler writes its number of pods too: then no number is a default.
    pub(super) scaled: bool,
}

/// What was found.
#[derive(Debug, Default)]
pub(super) struct Found {
    pub(super) changes: Vec<Change>,
    pub(super) noise: BTreeSet<NoiseKind>,
}

/// Compares two objects that are the same one.
pub(super) fn walk(rules: Rules<'_>, old: &Value, new: &Value) -> Found {
    let mut walk = Walk { rules, path: Vec::new(), found: Found::default(), secret: false, left: MAX_TRIED, trying: false };
    match (old, new) {
        (Value::Object(old), Value::Object(new)) => walk.maps(old, new),
        _ => walk.both(old, new),
    }
    walk.found
}

#[derive(Clone, Copy)]
enum Only<'v> {
    Old(&'v Value),
    New(&'v Value),
}

impl<'v> Only<'v> {
    fn value(self) -> &'v Value {
        match self {
            Self::Old(value) | Self::New(value) => value,
        }
    }
}

struct Walk<'a> {
    rules: Rules<'a>,
    path: Vec<Step>,
    found: Found,
    /// Whether what is walked here is a secret by what stands beside it.
    secret: bool,
    /// How many values may still be tried.
    left: usize,
    /// Whether this is only to find out whether two items are the same.
    trying: bool,
}

impl Walk<'_> {
    fn keys(&self) -> Vec<&str> {
        self.path
            .iter()
            .filter_map(|step| match step {
                Step::Key(key) => Some(key.as_str()),
                Step::Item(_) | Step::Index(_) => None,
            })
            .collect()
    }

    fn at(&mut self, step: Step, act: impl FnOnce(&mut Self)) {
        self.path.push(step);
        act(self);
        self.path.pop();
    }

    fn noise(&mut self, kind: NoiseKind) {
        self.found.noise.insert(kind);
    }

    fn change(&mut self, before: Option<&Value>, after: Option<&Value>) {
        // Nobody reads what a trial finds.
        if self.trying {
            return self.found.changes.push(Change { path: Vec::new(), before: None, after: None });
        }
        let masked = |value: &Value| if self.secret { mask::hide_all(value) } else { mask::masked(self.rules.kind, &self.path, value) };
        let shown = |value: Option<&Value>| value.map(masked);
        let change = Change { path: self.path.clone(), before: shown(before), after: shown(after) };
        self.found.changes.push(change);
    }

    fn maps(&mut self, old: &Map<String, Value>, new: &Map<String, Value>) {
        let keys: BTreeSet<&String> = old.keys().chain(new.keys()).collect();
        let secret = [old, new].into_iter().any(mask::names_secret);
        for key in keys {
            // Most is the same, and a path to it is not worth its memory.
            if old.get(key) == new.get(key) {
                continue;
            }
            let outer = self.secret;
            self.secret |= secret && key == "value";
            self.at(Step::Key(key.clone()), |walk| match (old.get(key), new.get(key)) {
                (Some(was), Some(is)) if was.is_null() && !is.is_null() => walk.one(Only::New(is), old, new),
                (Some(was), Some(is)) if is.is_null() && !was.is_null() => walk.one(Only::Old(was), old, new),
                (Some(was), Some(is)) if walk.spelt_out(was, is, old, new) => walk.noise(NoiseKind::Default),
                (Some(was), Some(is)) => walk.both(was, is),
                (Some(was), None) => walk.one(Only::Old(was), old, new),
                (None, Some(is)) => walk.one(Only::New(is), old, new),
                (None, None) => {}
            });
            self.secret = outer;
        }
    }

    fn both(&mut self, old: &Value, new: &Value) {
        if old == new {
            return;
        }
        if self.trying {
            match self.left.checked_sub(1).filter(|_| self.found.changes.is_empty()) {
                Some(left) => self.left = left,
                None => return self.change(Some(old), Some(new)),
            }
        }
        if let Some(noise) = self.place(Some(old), Some(new)) {
            return self.noise(noise);
        }
        if self.path.len() >= MAX_DEPTH {
            return self.change(Some(old), Some(new));
        }
        match (old, new) {
            (Value::Object(old), Value::Object(new)) => self.maps(old, new),
            (Value::Array(old), Value::Array(new)) => self.lists(old, new),
            (Value::String(was), Value::String(is)) if self.is_prose() && scalar::same_lines(was, is) => self.noise(NoiseKind::Whitespace),
            _ if scalar::same_meaning(self.rules.kind, &self.keys(), old, new) => self.noise(NoiseKind::Spelling),
            _ => self.change(Some(old), Some(new)),
        }
    }

    /// Whether one says with an empty text what the other says with the default that stands for it.
    fn spelt_out(&self, was: &Value, is: &Value, old: &Map<String, Value>, new: &Map<String, Value>) -> bool {
        (was == "" && !is.is_object() && self.is_default(Only::New(is), old, new))
            || (is == "" && !was.is_object() && self.is_default(Only::Old(was), old, new))
    }

    fn is_default(&self, only: Only<'_>, old: &Map<String, Value>, new: &Map<String, Value>) -> bool {
        let keys = self.keys();
        let known = self.rules.builtin || self.rules.lists;
        let around = match only {
            Only::Old(_) => Around { having: old, lacking: new, goes: true },
            Only::New(_) => Around { having: new, lacking: old, goes: false },
        };
        let is_free = self.rules.scaled && keys == ["spec", "replicas"];
        known && !is_free && is_default(self.rules.kind, &keys, only.value(), around)
    }

    /// A value that only one of the two maps has.
    fn one(&mut self, only: Only<'_>, old: &Map<String, Value>, new: &Map<String, Value>) {
        let value = only.value();
        let (before, after) = match only {
            Only::Old(value) => (Some(value), None),
            Only::New(value) => (None, Some(value)),
        };
        if let Some(noise) = self.place(before, after) {
            return self.noise(noise);
        }
        if value.is_null() {
            return self.noise(NoiseKind::Empty);
        }
        if self.is_default(only, old, new) {
            return self.noise(NoiseKind::Default);
        }
        match self.of_pods(value) {
            Some(Stored::Nothing) if value.is_array() => return self.noise(NoiseKind::Empty),
            Some(Stored::Nothing) => return self.noise(NoiseKind::Default),
            Some(Stored::AsGiven) => return self.change(before, after),
            // `nodeSelector: {}` is a map, and not a selector that takes everything.
            Some(Stored::Parts) if value.as_object().is_some_and(Map::is_empty) => return self.noise(NoiseKind::Empty),
            Some(Stored::Parts) | None => {}
        }
        match value {
            Value::Object(map) if map.is_empty() && self.empty_means_nothing() => self.noise(NoiseKind::Empty),
            Value::Array(items) if items.is_empty() && (self.rules.lists || self.empty_means_nothing()) => self.noise(NoiseKind::Empty),
            Value::Object(map) if !map.is_empty() && self.path.len() < MAX_DEPTH => self.one_map(only, map),
            _ => self.change(before, after),
        }
    }

    /// What the server stores of a value in a pod; `None` for what is in no pod.
    fn of_pods(&self, value: &Value) -> Option<Stored> {
        let keys = self.keys();
        let part = pod_part(self.rules.kind, &keys).filter(|_| self.rules.builtin)?;
        Some(stored(part, value))
    }

    /// A map of nothing but defaults is no change; else the whole of it is one.
    fn one_map(&mut self, only: Only<'_>, map: &Map<String, Value>) {
        let outer = std::mem::take(&mut self.found);
        let nothing = Map::new();
        for (key, value) in map {
            let (inner, old, new) = match only {
                Only::Old(_) => (Only::Old(value), map, &nothing),
                Only::New(_) => (Only::New(value), &nothing, map),
            };
            self.at(Step::Key(key.clone()), |walk| walk.one(inner, old, new));
            if !self.found.changes.is_empty() {
                break;
            }
        }
        let inner = std::mem::replace(&mut self.found, outer);
        if inner.changes.is_empty() {
            self.found.noise.extend(inner.noise);
        } else if let Only::Old(value) = only {
            self.change(Some(value), None);
        } else {
            self.change(None, Some(only.value()));
        }
    }

    fn empty_means_nothing(&self) -> bool {
        let keys = self.keys();
        let last = keys.last().copied().unwrap_or_default();
        // An empty selector takes everything, an absent one nothing or another thing. An empty volume source says which source it is.
        self.rules.builtin && !last.ends_with("elector") && !matches!(last, "ingress" | "egress") || keys.first() == Some(&"metadata")
    }

    /// Noise that is known by where it stands.
    fn place(&self, old: Option<&Value>, new: Option<&Value>) -> Option<NoiseKind> {
        let keys = self.keys();
        match keys.as_slice() {
            ["apiVersion"] => Some(NoiseKind::ApiVersion),
            ["status"] => Some(NoiseKind::Empty),
            [.., "metadata", "creationTimestamp"] if [old, new].into_iter().flatten().all(Value::is_null) => Some(NoiseKind::Empty),
            ["metadata", "namespace"] => Some(NoiseKind::Namespace),
            // Pods have names of their own, and an empty one in their template is not stored.
            ["spec", .., "template", "metadata", "name" | "namespace"]
                if self.rules.builtin && [old, new].into_iter().flatten().all(|value| value == "") =>
            {
                Some(NoiseKind::Empty)
            }
            ["spec", .., "description"] if self.rules.kind == "CustomResourceDefinition" && self.says_only(old, new) => {
                Some(NoiseKind::Description)
            }
            [prefix @ .., "metadata", "labels" | "annotations", label] if self.free_metadata(prefix) => {
                let text =
                    |value: Option<&Value>| value.map(|value| value.as_str().map(str::to_owned).unwrap_or_else(|| value.to_string()));
                self.rules.versions.explain(label, text(old).as_deref(), text(new).as_deref()).then_some(NoiseKind::VersionLabel)
            }
            _ => None,
        }
    }

    /// Whether a text is a schema's own word about a field, and no value that its objects get. A field called so is a map.
    fn says_only(&self, old: Option<&Value>, new: Option<&Value>) -> bool {
        let keys = self.keys();
        let in_schema = keys.contains(&"openAPIV3Schema") || keys.contains(&"additionalPrinterColumns");
        in_schema && !keys.contains(&"default") && !keys.contains(&"enum") && [old, new].into_iter().flatten().all(Value::is_string)
    }

    /// Whether labels there can change without anything being restarted: those of the object, and of pods that are made anew anyway.
    fn free_metadata(&self, prefix: &[&str]) -> bool {
        prefix.is_empty()
            || (self.rules.kind == "CronJob" && pod_part(self.rules.kind, prefix).is_none() && prefix.starts_with(&["spec", "jobTemplate"]))
    }

    /// Whether white space at the ends of lines means nothing there. In data it does: a shell reads `\\ ` and `\\` as two things.
    fn is_prose(&self) -> bool {
        let keys = self.keys();
        match keys.as_slice() {
            ["metadata", ..] => true,
            ["data" | "binaryData" | "stringData", ..] => false,
            _ if self.in_pods() => false,
            _ => self.rules.kind == "PrometheusRule" || keys.last() == Some(&"description"),
        }
    }

    /// Whether the place is in a template of pods, where any other byte makes other pods.
    fn in_pods(&self) -> bool {
        self.rules.lasting && pod_part(self.rules.kind, &self.keys()).is_some()
    }

    /// The same items in another order: noise, but for pods, which are replaced for it.
    fn reordered(&mut self, old: &[Value], new: &[Value]) {
        if self.in_pods() {
            self.change(Some(&Value::from(old)), Some(&Value::from(new)));
        } else {
            self.noise(NoiseKind::Order);
        }
    }

    fn lists(&mut self, old: &[Value], new: &[Value]) {
        match layout(self.rules.builtin, self.rules.kind, &self.keys(), old, new) {
            Layout::Named { old: was, new: is, ordered } => self.named((old, &was), (new, &is), ordered),
            Layout::Bag => self.bag(old, new),
            Layout::Sequence => self.sequence(old, new),
        }
    }

    fn named(&mut self, (old, was): (&[Value], &[String]), (new, is): (&[Value], &[String]), ordered: bool) {
        let places: std::collections::BTreeMap<&str, usize> = was.iter().enumerate().map(|(at, name)| (name.as_str(), at)).collect();
        let mut taken = vec![false; old.len()];
        let mut order = Vec::new();
        for (value, name) in new.iter().zip(is) {
            let place = places.get(name.as_str()).copied();
            self.at(Step::Item(name.clone()), |walk| match place {
                Some(at) => walk.both(&old[at], value),
                None => walk.change(None, Some(value)),
            });
            if let Some(at) = place {
                taken[at] = true;
                order.push(at);
            }
        }
        for (at, name) in was.iter().enumerate().filter(|(at, _)| !taken[*at]) {
            self.at(Step::Item(name.clone()), |walk| walk.change(Some(&old[at]), None));
        }
        if !order.is_sorted() {
            let uses = if self.keys().last() == Some(&"env") { variables::turned(old, new) } else { Vec::new() };
            let names = |names: &[String]| names.iter().cloned().map(Value::String).collect::<Vec<_>>();
            if ordered {
                self.change(Some(&Value::from(names(was))), Some(&Value::from(names(is))));
            } else if uses.is_empty() {
                self.reordered(&names(was), &names(is));
            }
            for one in uses {
                self.turned(one);
            }
        }
    }

    /// The value of a variable is what it says as long as the one that it names stands behind it: told by their order, since the
    /// values may be secret.
    fn turned(&mut self, variables::Turned { variable, other, was_before }: variables::Turned) {
        let order = |first: &str, second: &str| Value::from(vec![first, second]);
        let (straight, round) = (order(&other, &variable), order(&variable, &other));
        let (before, after) = if was_before { (straight, round) } else { (round, straight) };
        self.at(Step::Item(variable), |walk| walk.change(Some(&before), Some(&after)));
    }

    /// Items without order: what both have is taken away, and what is left is told.
    fn bag(&mut self, old: &[Value], new: &[Value]) {
        let mut partners = equal(old, new);
        let mut taken = vec![false; old.len()];
        partners.iter().flatten().for_each(|was| taken[*was] = true);
        for (value, partner) in new.iter().zip(&mut partners).filter(|(_, partner)| partner.is_none()) {
            *partner = (0..old.len()).find(|&was| !taken[was] && self.alike(&old[was], value));
            partner.iter().for_each(|was| taken[*was] = true);
        }
        let order: Vec<usize> = partners.iter().flatten().copied().collect();
        let come: Vec<usize> = (0..new.len()).filter(|at| partners[*at].is_none()).collect();
        if !order.is_sorted() {
            let all_are_there = order.len() == old.len() && order.len() == new.len();
            if all_are_there { self.reordered(old, new) } else { self.noise(NoiseKind::Order) }
        }
        let gone: Vec<usize> = (0..old.len()).filter(|at| !taken[*at]).collect();
        let step = |value: &Value, at: usize| value.as_str().map_or(Step::Index(at), |text| Step::Item(text.to_owned()));
        // One for one is an edit; strings are told as what goes and what comes.
        if gone.len() == come.len() && gone.iter().all(|&at| old[at].is_object()) {
            for (was, is) in gone.into_iter().zip(come) {
                self.at(Step::Index(is), |walk| walk.both(&old[was], &new[is]));
            }
            return;
        }
        for at in gone {
            self.at(step(&old[at], at), |walk| walk.change(Some(&old[at]), None));
        }
        for at in come {
            self.at(step(&new[at], at), |walk| walk.change(None, Some(&new[at])));
        }
    }

    /// Whether two items that are not equal differ in nothing but noise.
    fn alike(&mut self, old: &Value, new: &Value) -> bool {
        if !old.is_object() || self.left == 0 {
            return false;
        }
        let mut inner = Walk {
            rules: self.rules,
            path: self.path.clone(),
            found: Found::default(),
            secret: self.secret,
            left: self.left,
            trying: true,
        };
        inner.both(old, new);
        self.left = inner.left;
        let alike = inner.found.changes.is_empty();
        if alike {
            self.found.noise.append(&mut inner.found.noise);
        }
        alike
    }

    fn sequence(&mut self, old: &[Value], new: &[Value]) {
        let rows = align(old.len(), new.len(), |was, is| old[was] == new[is]);
        let mut gone: Vec<usize> = Vec::new();
        let mut come: Vec<usize> = Vec::new();
        for row in rows.into_iter().map(Some).chain([None]) {
            match row {
                Some(Row::Gone(at)) => gone.push(at),
                Some(Row::Come(at)) => come.push(at),
                Some(Row::Same(..)) | None => {
                    self.gap((old, &gone), (new, &come));
                    gone.clear();
                    come.clear();
                }
            }
        }
    }

    /// Items between two that are the same in both lists.
    fn gap(&mut self, (old, gone): (&[Value], &[usize]), (new, come): (&[Value], &[usize])) {
        let mut left: Vec<usize> = come.to_vec();
        for &was in gone {
            let partner = left.iter().position(|&is| is_edit(&old[was], &new[is]));
            match partner.map(|at| left.remove(at)) {
                Some(is) if mask::after_secret_flag(old, was) || mask::after_secret_flag(new, is) => {
                    let hidden = Value::String(mask::MASK.to_owned());
                    self.at(Step::Index(is), |walk| walk.change(Some(&hidden), Some(&hidden)));
                }
                Some(is) => self.at(Step::Index(is), |walk| walk.both(&old[was], &new[is])),
                None => self.at(Step::Index(was), |walk| walk.change(Some(&mask::item(old, was)), None)),
            }
        }
        for is in left {
            self.at(Step::Index(is), |walk| walk.change(None, Some(&mask::item(new, is))));
        }
    }
}

/// For each of the new items the first of the old ones that equals it and is no other's.
fn equal(old: &[Value], new: &[Value]) -> Vec<Option<usize>> {
    let mut places: HashMap<&Value, VecDeque<usize>> = HashMap::new();
    for (at, value) in old.iter().enumerate() {
        places.entry(value).or_default().push_back(at);
    }
    new.iter().map(|value| places.get_mut(value)?.pop_front()).collect()
}
