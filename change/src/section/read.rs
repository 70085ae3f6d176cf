//! Reading objects and putting claims into words: what several parts need.

use std::collections::BTreeMap;

use serde_json::Value;

use crate::compare::Comparison;
use crate::input::Rendered;
use crate::summary::{Evidence, Item, ObjectRef, Provenance, Weight};

/// Longest `what`, `next` or line of `detail`, in characters: some three lines of a wide terminal. Charts are not ours, so they
/// do not decide how long a summary is.
const LINE: usize = 400;

/// Most lines of `detail` below one claim: the rules of a large chart (some 300 alerts) fit.
const DETAIL: usize = 400;

/// An object of one render.
#[derive(Clone, Copy)]
pub(super) struct Seen<'c> {
    pub(super) object: &'c ObjectRef,
    pub(super) rendered: &'c Rendered,
}

impl<'c> Seen<'c> {
    pub(super) fn value(&self) -> &'c Value {
        &self.rendered.value
    }

    pub(super) fn kind(&self) -> &'c str {
        &self.object.kind
    }
}

/// All objects of the old render.
pub(super) fn olds<'c>(comparison: &'c Comparison<'_>) -> Vec<Seen<'c>> {
    let pairs = comparison.pairs.iter().map(|pair| Seen { object: &pair.object, rendered: pair.old });
    pairs.chain(comparison.removed.iter().map(|one| Seen { object: &one.object, rendered: one.rendered })).collect()
}

/// All objects of the new render.
pub(super) fn news<'c>(comparison: &'c Comparison<'_>) -> Vec<Seen<'c>> {
    let pairs = comparison.pairs.iter().map(|pair| Seen { object: &pair.object, rendered: pair.new });
    pairs.chain(comparison.added.iter().map(|one| Seen { object: &one.object, rendered: one.rendered })).collect()
}

/// What stands at a path of keys.
pub(super) fn at<'v>(value: &'v Value, path: &[&str]) -> Option<&'v Value> {
    path.iter().try_fold(value, |value, key| value.get(key))
}

/// The text at a path.
pub(super) fn text<'v>(value: &'v Value, path: &[&str]) -> Option<&'v str> {
    at(value, path).and_then(Value::as_str)
}

/// The list at a path; empty when there is none.
pub(super) fn list<'v>(value: &'v Value, path: &[&str]) -> &'v [Value] {
    at(value, path).and_then(Value::as_array).map_or(&[], Vec::as_slice)
}

/// The entries of the map at a path; none when there is no map.
pub(super) fn entries<'v>(value: &'v Value, path: &[&str]) -> impl Iterator<Item = (&'v String, &'v Value)> {
    at(value, path).and_then(Value::as_object).into_iter().flatten()
}

/// The texts in the list at a path.
pub(super) fn texts<'v>(value: &'v Value, path: &[&str]) -> impl Iterator<Item = &'v str> {
    list(value, path).iter().filter_map(Value::as_str)
}

/// A scalar as it is written, a map or list as JSON.
pub(super) fn plain(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}

/// An annotation of an object.
pub(super) fn annotation<'v>(value: &'v Value, key: &str) -> Option<&'v str> {
    text(value, &["metadata", "annotations", key])
}

/// The words of an annotation that is a list of them, in small letters as Helm reads them.
pub(super) fn annotated_words(value: &Value, key: &str) -> Vec<String> {
    let words = annotation(value, key).unwrap_or_default().split(',').map(|word| word.trim().to_lowercase());
    words.filter(|word| !word.is_empty()).collect()
}

/// Whether an object is a hook that an upgrade runs.
pub(super) fn is_upgrade_hook(value: &Value) -> bool {
    annotated_words(value, "helm.sh/hook").iter().any(|event| matches!(event.as_str(), "pre-upgrade" | "post-upgrade"))
}

/// Whether Helm leaves the object in the cluster when it goes from the manifest.
pub(super) fn kept(value: &Value) -> bool {
    annotation(value, "helm.sh/resource-policy").is_some_and(|policy| policy.eq_ignore_ascii_case("keep"))
}

/// The pod specs of an object: that of a workload, of a CronJob, of a Pod.
pub(super) fn pod_spec(value: &Value) -> Option<&Value> {
    let paths: &[&[&str]] = match value.get("kind").and_then(Value::as_str)? {
        "Pod" => &[&["spec"]],
        "CronJob" => &[&["spec", "jobTemplate", "spec", "template", "spec"]],
        _ => &[&["spec", "template", "spec"]],
    };
    paths.iter().find_map(|path| at(value, path)).filter(|spec| spec.get("containers").is_some_and(Value::is_array))
}

/// `1 alert`, `2 alerts`.
pub(super) fn count(n: usize, one: &str, many: &str) -> String {
    if n == 1 { format!("1 {one}") } else { format!("{n} {many}") }
}

/// `a`, `a and b`, `a, b and c`.
pub(super) fn and<S: AsRef<str>>(words: &[S]) -> String {
    match words {
        [] => String::new(),
        [one] => one.as_ref().to_owned(),
        [first @ .., last] => {
            let first: Vec<&str> = first.iter().map(AsRef::as_ref).collect();
            format!("{} and {}", first.join(", "), last.as_ref())
        }
    }
}

/// The first few words, and how many more there are.
pub(super) fn few<S: AsRef<str>>(words: &[S], most: usize) -> String {
    if words.len() <= most + 1 {
        return and(words);
    }
    let first: Vec<&str> = words[..most].iter().map(AsRef::as_ref).collect();
    format!("{} and {} more", first.join(", "), words.len() - most)
}

/// Without control characters and characters that reorder text, and bounded.
pub(super) fn clean(text: &str, most: usize) -> String {
    let mut out = String::new();
    let mut space = false;
    for (n, c) in text.chars().map(|c| if c.is_control() { ' ' } else { c }).filter(|c| !unseen(*c)).enumerate() {
        if n >= most {
            out.push('…');
            break;
        }
        // Indentation is kept, for lines of code; runs of spaces within a line say nothing.
        if c == ' ' && space && !out.trim().is_empty() {
            continue;
        }
        space = c == ' ';
        out.push(c);
    }
    out.truncate(out.trim_end().len());
    out
}

/// Characters that show nothing or turn the direction of a line round.
fn unseen(c: char) -> bool {
    matches!(c, '\u{200B}'..='\u{200F}' | '\u{202A}'..='\u{202E}' | '\u{2060}'..='\u{2069}' | '\u{FEFF}')
}

/// Tells once what holds for several objects alike, bounds a section, and strips from its texts what a terminal would obey.
pub(super) fn finish(items: Vec<Item>) -> Vec<Item> {
    let mut items = folded(items);
    for item in &mut items {
        item.what = clean(&item.what, LINE);
        item.next = item.next.as_deref().map(|next| clean(next, LINE));
        item.path = item.path.as_deref().map(|path| clean(path, LINE));
        item.from.at = clean(&item.from.at, LINE);
        let more = item.detail.len().saturating_sub(DETAIL);
        item.detail.truncate(DETAIL);
        for line in &mut item.detail {
            *line = clean(line, LINE);
        }
        if more > 0 {
            item.detail.push(format!("and {}", count(more, "line more", "lines more")));
        }
    }
    items
}

/// Claims that differ in their object alone become one, where the first of them stands.
fn folded(items: Vec<Item>) -> Vec<Item> {
    let mut out: Vec<Item> = Vec::with_capacity(items.len());
    let mut known: BTreeMap<(String, String), usize> = BTreeMap::new();
    for item in items {
        let key = (item.code.clone(), item.what.clone());
        let first = known.get(&key).and_then(|at| out.get_mut(*at)).filter(|first| {
            let alike = (first.weight, &first.path, &first.before, &first.after, &first.detail, &first.next)
                == (item.weight, &item.path, &item.before, &item.after, &item.detail, &item.next);
            alike && first.object.is_some() && item.object.is_some()
        });
        if let Some(first) = first {
            let objects = |item: &Item| if item.objects.is_empty() { item.object.iter().cloned().collect() } else { item.objects.clone() };
            let all = [objects(first), objects(&item)].concat();
            about(first, all);
        } else {
            known.entry(key).or_insert(out.len());
            out.push(item);
        }
    }
    out
}

/// A claim about objects, the first of which says where it comes from.
pub(super) fn claim(code: &str, weight: Weight, what: impl Into<String>, seen: &[Seen<'_>]) -> Item {
    let source = seen.first().map(|one| one.rendered.source.as_str()).unwrap_or_default();
    let mut item = Item::new(code, weight, what, Provenance::new(Evidence::Render, source));
    about(&mut item, seen.iter().map(|one| one.object.clone()).collect());
    item
}

/// Sets the objects of a claim, each once.
pub(super) fn about(item: &mut Item, mut objects: Vec<ObjectRef>) {
    objects.sort();
    objects.dedup();
    item.object = objects.first().cloned();
    item.objects = if objects.len() > 1 { objects } else { Vec::new() };
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words() {
        assert_eq!(and(&["a", "b", "c"]), "a, b and c");
        assert_eq!(few(&["a", "b", "c"], 2), "a, b and c", "one more is not worth a number");
        assert_eq!(few(&["a", "b", "c", "d"], 2), "a, b and 2 more");
        assert_eq!(clean("a\u{1b}[31mb\u{202e}c\n d", 40), "a [31mbc d");
        assert_eq!(clean("abcdef", 3), "abc…");
    }
}
