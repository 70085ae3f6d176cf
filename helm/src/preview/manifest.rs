//! What helm prints, as objects: split where Helm splits, read as Helm reads.

use std::collections::BTreeMap;

use groundswell_change::input::Rendered;
use serde_json::{Map, Value};

use crate::values::parse_within;

/// Longest single document, in bytes. A CRD of the Prometheus operator has 0.9 MB; etcd takes 1.5 MB.
const MAX_DOCUMENT: usize = 16 << 20;

/// Lists within lists that are opened. One is normal, none is known that has two.
const MAX_LISTS: usize = 4;

/// The objects of one render or file, and what in it is none.
#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct Objects {
    pub(super) objects: Vec<Rendered>,
    /// Source, and what is wrong with a document of it.
    pub(super) odd: Vec<(String, String)>,
}

/// Splits as Helm's `releaseutil` does, by `(?:^|\s*\n)---\s*`: a line that begins with three dashes ends a document, whatever
/// follows on it belongs to the next. Inside of block scalars they are indented, and so no ends.
pub(super) fn split(text: &str) -> Vec<&str> {
    let mut documents = Vec::new();
    let mut begin = 0;
    let mut at = 0;
    while at <= text.len() {
        let rest = &text[at..];
        if rest.starts_with("---") {
            documents.push(text[begin..at].trim_end());
            let after = &text[at + 3..];
            begin = at + 3 + (after.len() - after.trim_start().len());
            at = begin;
            // What follows the dashes on their line is no beginning of a line.
            if text[..begin].ends_with('\n') && !text[begin..].starts_with("---") {
                continue;
            }
        }
        match text[at..].find('\n') {
            Some(end) => at += end + 1,
            None => break,
        }
    }
    documents.push(text[begin.min(text.len())..].trim_end());
    documents.retain(|document| !document.trim().is_empty());
    documents
}

/// The documents of what `helm template` printed, each with its template, which it says first.
pub(super) fn parts(text: &str) -> Vec<(&str, &str)> {
    let mut source = "";
    let mut out = Vec::new();
    for document in split(text) {
        // A document that itself begins with dashes is parted from its first line.
        source = document.lines().next().and_then(|line| line.strip_prefix("# Source: ")).map_or(source, str::trim);
        out.push((source, document));
    }
    out
}

/// Reads documents as [`parts`] gives them.
pub(super) fn objects<'a>(parts: impl IntoIterator<Item = (&'a str, &'a str)>) -> Objects {
    let mut out = Objects::default();
    for (source, document) in parts {
        read(source, document, &mut out);
    }
    out
}

/// Reads what `helm template` printed.
pub(super) fn rendered(text: &str) -> Objects {
    objects(parts(text))
}

/// Reads a file that is no template.
pub(super) fn file(source: &str, text: &str) -> Objects {
    let mut out = Objects::default();
    for document in split(text.trim_start_matches('\u{feff}')) {
        read(source, document, &mut out);
    }
    out
}

fn read(source: &str, document: &str, out: &mut Objects) {
    // Helm writes one line break behind each document when it puts them together: block scalars at the end have it.
    match parse_within(source, &format!("{document}\n"), MAX_DOCUMENT) {
        // A template whose condition is not met leaves its comments.
        Ok(Value::Null) => {}
        Ok(Value::Object(map)) if map.is_empty() => {}
        Ok(Value::Object(map)) => take(source, map, 0, out),
        Ok(_) => out.odd.push((source.to_owned(), "a document that is no map, and so no object".to_owned())),
        // The reader's words have line and column of the document, and no values.
        Err(error) => out.odd.push((source.to_owned(), format!("a document that cannot be read: {error}"))),
    }
}

fn take(source: &str, map: Map<String, Value>, depth: usize, out: &mut Objects) {
    let kind = map.get("kind").and_then(Value::as_str).unwrap_or_default();
    if kind.is_empty() || !map.get("apiVersion").is_some_and(Value::is_string) {
        out.odd.push((source.to_owned(), "an object without apiVersion and kind, which the API server refuses".to_owned()));
        return;
    }
    if !(kind.ends_with("List") && map.get("items").is_some_and(Value::is_array) && depth < MAX_LISTS) {
        out.objects.push(Rendered { source: source.to_owned(), value: Value::Object(map) });
        return;
    }
    // Items of a typed list need not say what they are.
    let implied = (kind != "List").then(|| (kind.trim_end_matches("List").to_owned(), map.get("apiVersion").cloned().unwrap_or_default()));
    let Some(Value::Array(items)) = map.into_iter().find(|(key, _)| key == "items").map(|(_, items)| items) else { return };
    for item in items {
        let Value::Object(mut item) = item else {
            out.odd.push((source.to_owned(), "an item of a list that is no object".to_owned()));
            continue;
        };
        if let Some((kind, version)) = &implied {
            item.entry("kind").or_insert_with(|| kind.clone().into());
            item.entry("apiVersion").or_insert_with(|| version.clone());
        }
        take(source, item, depth + 1, out);
    }
}

/// Whether Helm takes it for a hook. One with a word that Helm does not know (`crd-install` of Helm 2) is neither installed nor
/// run; it is listed with the hooks, where it can be seen.
pub(super) fn is_hook(object: &Rendered) -> bool {
    object.value["metadata"]["annotations"]["helm.sh/hook"].as_str().is_some_and(|hook| !hook.is_empty())
}

/// Sources by the number of odd documents in them, with the first thing that is wrong.
pub(super) fn odd_by_source(odd: &[(String, String)]) -> BTreeMap<&str, (usize, &str)> {
    let mut out: BTreeMap<&str, (usize, &str)> = BTreeMap::new();
    for (source, what) in odd {
        out.entry(source).or_insert((0, what)).0 += 1;
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(objects: &Objects) -> Vec<String> {
        let name = |o: &Rendered| {
            format!("{} {}/{}", o.source, o.value["kind"].as_str().unwrap(), o.value["metadata"]["name"].as_str().unwrap_or("?"))
        };
        objects.objects.iter().map(name).collect()
    }

    #[test]
    fn documents_are_split_where_helm_splits_them() {
        // The second separator's line break belongs to the first one, for Helm too; YAML reads the rest as one document.
        assert_eq!(split("---\na: 1\n---\n\n---\nb: 2\n"), ["a: 1", "---\nb: 2"]);
        assert_eq!(split("a: 1\n--- # comment\nb: 2"), ["a: 1", "# comment\nb: 2"]);
        assert_eq!(split("--- ---\na: 1"), ["---\na: 1"]);
        assert_eq!(split("a: |\n  x\n  ---\n  y\n"), ["a: |\n  x\n  ---\n  y"]);
        assert_eq!(split("a: --- 1\nb: 2---\n"), ["a: --- 1\nb: 2---"]);
        assert_eq!(split("a: 1\n\n \n---b: 2"), ["a: 1", "b: 2"]);
        assert_eq!(split("\n---\n \n---"), ["---"]);
    }

    #[test]
    fn lists_are_opened_and_what_is_no_object_is_named() {
        let text = "---\n# Source: c/templates/a.yaml\napiVersion: v1\nkind: List\nitems:\n- {apiVersion: v1, kind: Secret, metadata: {name: a}}\n\
                    ---\n# Source: c/templates/b.yaml\napiVersion: v1\nkind: ConfigMapList\nitems:\n- metadata: {name: b}\n\
                    ---\n# Source: c/templates/c.yaml\n# nothing\n\
                    ---\n# Source: c/templates/d.yaml\n- 1\n---\n# Source: c/templates/e.yaml\nkind: Pod\n";
        let objects = rendered(text);
        assert_eq!(names(&objects), ["c/templates/a.yaml Secret/a", "c/templates/b.yaml ConfigMap/b"]);
        let odd = odd_by_source(&objects.odd);
        assert_eq!(odd.keys().copied().collect::<Vec<_>>(), ["c/templates/d.yaml", "c/templates/e.yaml"]);
    }

    #[test]
    fn a_crd_with_a_bare_equals_sign_is_read() {
        let objects = file("crds/a.yaml", "apiVersion: v1\nkind: X\nenum:\n- '!='\n- =\n- =~\n");
        assert_eq!(objects.objects[0].value["enum"], serde_json::json!(["!=", "=", "=~"]));
    }
}
