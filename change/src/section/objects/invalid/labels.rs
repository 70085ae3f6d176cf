//! Labels and keys of annotations that the API server refuses.

use serde_json::Value;

use super::super::super::read::{Seen, at, clean, entries, few};
use super::{LONGEST, LONGEST_LABEL, NAMED, fault, label};
use crate::input::is_drawn;
use crate::summary::Item;
use crate::table::scopes::is_builtin;

/// Characters of a key or value that are shown.
const SHOWN: usize = 80;

pub(super) fn item(seen: Seen<'_>) -> Option<Item> {
    let mut wrong = Vec::new();
    look(seen.value(), &["metadata"], &mut wrong);
    if is_builtin(&seen.object.group) {
        look(seen.value(), &["spec", "template", "metadata"], &mut wrong);
        look(seen.value(), &["spec", "jobTemplate", "spec", "template", "metadata"], &mut wrong);
    }
    let has_domain = wrong.iter().any(|one| one.starts_with("the key") && one.contains('/'));
    let domain = if has_domain { ", and before a slash a domain in small letters" } else { "" };
    (!wrong.is_empty()).then(|| {
        fault(
            seen,
            format!(
                "is refused for {}: at most {LONGEST_LABEL} letters, digits, '-', '_' and '.', with a letter or digit at both ends{domain}",
                few(&wrong, NAMED)
            ),
        )
    })
}

fn look(value: &Value, metadata: &[&str], wrong: &mut Vec<String>) {
    let Some(metadata) = at(value, metadata) else { return };
    for (kind, map) in [("label", "labels"), ("annotation", "annotations")] {
        for (key, value) in entries(metadata, &[map]) {
            if !is_key(key, map == "labels") {
                wrong.push(format!("the key of {kind} {:?}", clean(key, SHOWN)));
            } else if let Some(text) = value.as_str().filter(|text| map == "labels" && !is_value(text)) {
                wrong.push(format!("the value of {kind} {key}, {:?}", clean(text, SHOWN)));
            }
        }
    }
}

/// `example.org/name`, or the name alone. The API server takes capitals in the prefix of an annotation, and of no label.
fn is_key(key: &str, of_label: bool) -> bool {
    let (prefix, name) = key.split_once('/').map_or((None, key), |(prefix, name)| (Some(prefix), name));
    let is_domain = |prefix: &str| prefix.len() <= LONGEST && prefix.split('.').all(label);
    let prefix = prefix.is_none_or(|prefix| if of_label { is_domain(prefix) } else { is_domain(&prefix.to_ascii_lowercase()) });
    prefix && !name.is_empty() && is_value(name)
}

/// What is random is not known here.
fn is_value(text: &str) -> bool {
    let inner = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.');
    let end = |byte: Option<&u8>| byte.is_some_and(u8::is_ascii_alphanumeric);
    let bytes = text.as_bytes();
    is_drawn(text)
        || bytes.is_empty()
        || (bytes.len() <= LONGEST_LABEL && bytes.iter().all(|byte| inner(*byte)) && end(bytes.first()) && end(bytes.last()))
}

#[cfg(test)]
mod tests {
    use super::super::super::super::testing::says;

    /// Each was tried with helm 3.22 on an API server 1.36.
    #[test]
    fn labels_that_are_refused() {
        let long = "a".repeat(64);
        for (metadata, expected) in [
            ("labels: {a: ''}", ""),
            ("labels: {example.org/a: 'x_y.z-1'}, annotations: {a: any thing}", ""),
            (&format!("labels: {{e: {long}}}"), "the value of label e, \"aaaa"),
            ("labels: {e: 'a b'}", "the value of label e, \"a b\": at most 63 letters"),
            ("labels: {e: x/y}", "the value of label e"),
            ("labels: {e: x+y}", "the value of label e"),
            ("labels: {e: x-}", "the value of label e"),
            ("labels: {'a b': x}", "the key of label \"a b\""),
            ("annotations: {'a b': x}", "the key of annotation \"a b\""),
            ("labels: {A.b/c: x}", "the key of label \"A.b/c\""),
            ("labels: {a.b/C_d: x}, annotations: {A.b/c: x}", ""),
            ("labels: {e: 'a (random)'}", ""),
        ] {
            let new = format!("apiVersion: v1\nkind: ConfigMap\nmetadata: {{name: a, {metadata}}}");
            let said = says(super::super::super::items, "", &new);
            assert_eq!(said.is_empty(), expected.is_empty(), "{metadata}: {said}");
            assert!(said.is_empty() || said.contains(&format!("is refused for {expected}")), "{metadata}: {said}");
        }
    }
}
