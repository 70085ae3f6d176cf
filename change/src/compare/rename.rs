//! Objects that go while others of the same content come under another name, as when a chart was renamed.

use std::collections::BTreeMap;
use std::hash::{DefaultHasher, Hash, Hasher};

use serde_json::Value;

use super::{Comparison, ObjectRef, Single, compare};
use crate::input::{Chart, Side, Target};
use crate::table::scopes::lasting_group;

/// How alike two objects have to be: names inside them differ when the chart's name does, so much less than all.
const ALIKE: f64 = 0.55;
/// Fields of one object that are looked at; dashboards have one large text, rules some hundred fields.
const FIELDS: usize = 512;
/// Objects of one kind that are laid against each other, squared: 300 x 300 x 512 fields is half a second at worst.
const OF_A_KIND: usize = 300;
/// Each candidate costs a render.
const MOST_CANDIDATES: usize = 6;

/// Objects that would be removed and made anew under another name.
#[must_use]
pub fn replaced_count(old: &Side, new: &Side, target: &Target) -> usize {
    replacements(&compare(old, new, target)).len()
}

/// Objects that go, each with the one that comes in its place.
pub(crate) fn replacements<'c>(comparison: &'c Comparison<'_>) -> Vec<(&'c ObjectRef, &'c Single<'c>)> {
    let kind = |object: &ObjectRef| (lasting_group(&object.group, &object.kind).to_owned(), object.kind.clone());
    let mut coming: BTreeMap<(String, String), Vec<(&'c Single<'c>, Shape)>> = BTreeMap::new();
    for single in &comparison.added {
        let of_kind = coming.entry(kind(&single.object)).or_default();
        if of_kind.len() < OF_A_KIND {
            of_kind.push((single, Shape::of(&single.rendered.value)));
        }
    }
    let mut found = Vec::new();
    let mut looked: BTreeMap<(String, String), usize> = BTreeMap::new();
    for gone in &comparison.removed {
        let Some(candidates) = coming.get_mut(&kind(&gone.object)) else { continue };
        let count = looked.entry(kind(&gone.object)).or_default();
        *count += 1;
        if *count > OF_A_KIND {
            continue;
        }
        let shape = Shape::of(&gone.rendered.value);
        let scored = candidates.iter().enumerate().map(|(at, (single, other))| {
            let name = tail(&gone.object.name, &single.object.name).len();
            (at, shape.alike(other), name)
        });
        let best =
            scored.filter(|(_, alike, _)| *alike >= ALIKE).max_by(|a, b| a.2.cmp(&b.2).then(a.1.total_cmp(&b.1)).then(b.0.cmp(&a.0)));
        if let Some((at, ..)) = best {
            found.push((&gone.object, candidates.remove(at).0));
        }
    }
    found
}

/// Fields of an object without its metadata, and the fields with their values, as sorted hashes.
struct Shape {
    paths: Vec<u64>,
    values: Vec<u64>,
}

impl Shape {
    fn of(value: &Value) -> Self {
        let mut shape = Self { paths: Vec::new(), values: Vec::new() };
        for (key, value) in value.as_object().into_iter().flatten() {
            if !matches!(key.as_str(), "metadata" | "apiVersion" | "kind" | "status") {
                shape.walk(hash(&(0_u64, key)), value);
            }
        }
        for hashes in [&mut shape.paths, &mut shape.values] {
            hashes.sort_unstable();
            hashes.dedup();
        }
        shape
    }

    fn walk(&mut self, path: u64, value: &Value) {
        if self.paths.len() >= FIELDS {
            return;
        }
        match value {
            Value::Object(map) => map.iter().for_each(|(key, value)| self.walk(hash(&(path, key)), value)),
            Value::Array(items) => items.iter().enumerate().for_each(|(at, value)| self.walk(hash(&(path, at)), value)),
            leaf => {
                self.paths.push(path);
                self.values.push(hash(&(path, leaf.to_string())));
            }
        }
    }

    fn alike(&self, other: &Self) -> f64 {
        (shared(&self.paths, &other.paths) + shared(&self.values, &other.values)) / 2.0
    }
}

/// The part that two sorted lists share; two empty ones are the same.
fn shared(a: &[u64], b: &[u64]) -> f64 {
    let common = a.iter().filter(|one| b.binary_search(one).is_ok()).count();
    let all = a.len() + b.len() - common;
    if all == 0 {
        return 1.0;
    }
    // At most FIELDS of each: exact.
    f64::from(u32::try_from(common).unwrap_or(u32::MAX)) / f64::from(u32::try_from(all).unwrap_or(u32::MAX))
}

fn hash(what: &impl Hash) -> u64 {
    let mut hasher = DefaultHasher::new();
    what.hash(&mut hasher);
    hasher.finish()
}

/// What both names end with, from a hyphen on.
fn tail<'n>(old: &'n str, new: &str) -> &'n str {
    let same = old.bytes().rev().zip(new.bytes().rev()).take_while(|(a, b)| a == b).count();
    if same == old.len() {
        return old;
    }
    let from = (old.len() - same..old.len()).find(|at| old.is_char_boundary(*at)).unwrap_or(old.len());
    old[from..].find('-').map_or("", |at| &old[from + at..])
}

/// Values worth a render: each set might make the names of the new objects those of the old ones. None when nothing is replaced.
#[must_use]
pub fn rename_candidates(comparison: &Comparison<'_>, old: &Chart, new: &Chart, target: &Target) -> Vec<Vec<(String, String)>> {
    let mut scopes: BTreeMap<String, BTreeMap<String, usize>> = BTreeMap::new();
    for (gone, come) in replacements(comparison) {
        let tail = tail(&gone.name, &come.object.name);
        let head = gone.name[..gone.name.len() - tail.len()].trim_end_matches('-');
        if !head.is_empty() {
            *scopes.entry(scope(&come.rendered.source, new)).or_default().entry(head.to_owned()).or_default() += 1;
        }
    }
    let mut by_scope: Vec<(usize, Vec<(String, String)>)> = Vec::new();
    for (scope, heads) in &scopes {
        let weight = heads.values().sum();
        let Some((head, _)) = heads.iter().max_by(|a, b| a.1.cmp(b.1).then(b.0.len().cmp(&a.0.len()))) else { continue };
        by_scope.push((weight, values(scope, head, old, target)));
    }
    by_scope.sort_by_key(|(weight, _)| std::cmp::Reverse(*weight));
    let mut candidates: Vec<Vec<(String, String)>> = Vec::new();
    if by_scope.len() > 1 {
        candidates.push(by_scope.iter().filter_map(|(_, values)| values.first().cloned()).collect());
    }
    for (_, values) in by_scope {
        candidates.extend(values.into_iter().map(|value| vec![value]));
    }
    candidates.truncate(MOST_CANDIDATES);
    candidates
}

/// Values for one chart whose old objects begin with `head`.
fn values(scope: &str, head: &str, old: &Chart, target: &Target) -> Vec<(String, String)> {
    let key = |name: &str| if scope.is_empty() { name.to_owned() } else { format!("{scope}.{name}") };
    let mut found = Vec::new();
    let mut add = |name: &str, value: &str| {
        let value = (key(name), value.to_owned());
        if !found.contains(&value) {
            found.push(value);
        }
    };
    let rest = head.strip_prefix(target.release.as_str()).and_then(|rest| rest.strip_prefix('-')).filter(|rest| !rest.is_empty());
    // Charts cut their full name at 26 or 63 characters, so the old name of the chart is worth more than what is left of it.
    let written = if scope.is_empty() {
        old.name.as_str()
    } else {
        old.subcharts.iter().find(|chart| chart.key == scope).map_or("", |chart| &chart.name)
    };
    if let Some(rest) = rest {
        if !written.is_empty() && written.starts_with(rest) {
            add("nameOverride", written);
        }
        add("nameOverride", rest);
    } else if head == target.release && !written.is_empty() {
        add("nameOverride", written);
    }
    add("fullnameOverride", head);
    found
}

/// The key under which the values of the chart of this template stand; empty for the chart itself.
fn scope(source: &str, new: &Chart) -> String {
    let mut names = Vec::new();
    let mut parts = source.split('/');
    while let Some(part) = parts.next() {
        if part == "templates" {
            break;
        }
        if part == "charts"
            && let Some(name) = parts.next()
        {
            names.push(name);
        }
    }
    let path = names.join(".");
    let known = new.subcharts.iter().find(|chart| chart.key == path);
    let by_name = || new.subcharts.iter().find(|chart| names.last().is_some_and(|last| chart.name == *last));
    known.or_else(by_name).map_or(path.clone(), |chart| chart.key.clone())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::input::{Rendered, Subchart};

    fn side(chart: &str, names: &[&str]) -> Side {
        let object = |(at, name): (usize, &&str)| Rendered {
            source: format!("{chart}/templates/x.yaml"),
            value: json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name}, "data": {format!("key{at}"): "value", "of": name}}),
        };
        Side {
            chart: Chart { name: chart.to_owned(), ..Chart::default() },
            objects: names.iter().enumerate().map(object).collect(),
            ..Side::default()
        }
    }

    fn target() -> Target {
        Target { release: "rel".to_owned(), namespace: "ns".to_owned(), ..Target::default() }
    }

    #[test]
    fn a_renamed_chart() {
        let old =
            side("prometheus-operator", &["rel-prometheus-operator-a", "rel-prometheus-operator-b", "rel-prometheus-operator", "same"]);
        let new = side("stack", &["rel-stack-a", "rel-stack-b", "rel-stack", "same"]);
        assert_eq!(replaced_count(&old, &new, &target()), 3);
        let candidates = rename_candidates(&compare(&old, &new, &target()), &old.chart, &new.chart, &target());
        let words: Vec<String> = candidates.iter().map(|set| set.iter().map(|(key, value)| format!("{key}={value}")).collect()).collect();
        assert_eq!(words, ["nameOverride=prometheus-operator", "fullnameOverride=rel-prometheus-operator"]);
    }

    #[test]
    fn names_that_were_cut() {
        let old = side("prometheus-operator", &["rel-prometheus-oper-a", "rel-prometheus-oper-b"]);
        let new = side("stack", &["rel-stack-a", "rel-stack-b"]);
        let candidates = rename_candidates(&compare(&old, &new, &target()), &old.chart, &new.chart, &target());
        assert_eq!(candidates[0], [("nameOverride".to_owned(), "prometheus-operator".to_owned())]);
        assert_eq!(candidates[1], [("nameOverride".to_owned(), "prometheus-oper".to_owned())]);
    }

    #[test]
    fn a_renamed_chart_inside() {
        let old = side("demo", &["rel-grafana"]);
        let mut new = side("demo", &["graphs"]);
        new.objects[0].source = "demo/charts/grafana/templates/x.yaml".to_owned();
        new.chart.subcharts = vec![Subchart { key: "boards".to_owned(), name: "grafana".to_owned(), ..Subchart::default() }];
        let candidates = rename_candidates(&compare(&old, &new, &target()), &old.chart, &new.chart, &target());
        assert!(candidates.contains(&vec![("boards.fullnameOverride".to_owned(), "rel-grafana".to_owned())]), "{candidates:?}");
    }

    #[test]
    fn others_are_no_replacement() {
        let old = side("demo", &["a"]);
        let mut new = side("demo", &["b"]);
        new.objects[0].value["data"] = json!({"other": 1, "things": 2});
        assert_eq!(replaced_count(&old, &new, &target()), 0);
        assert!(rename_candidates(&compare(&old, &new, &target()), &old.chart, &new.chart, &target()).is_empty());
        assert_eq!(replaced_count(&old, &old, &target()), 0);
    }

    #[test]
    fn ends_of_names() {
        assert_eq!(tail("a-b-c", "x-b-c"), "-b-c");
        assert_eq!(tail("ab", "xb"), "");
        assert_eq!(tail("a-é", "b-é"), "-é");
        assert_eq!(tail("same", "same"), "same");
    }
}
