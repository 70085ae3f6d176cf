//! Texts that stand in a Secret of either render, and that are shown nowhere else either.

use std::borrow::Cow;
use std::collections::BTreeSet;

use serde_json::Value;

use super::convert::base64;
use super::mask::MASK;
use super::{Change, Step};
use crate::input::{Rendered, Side, is_drawn};

/// Shortest text that is hidden: Secrets hold numbers and plain words too.
const SHORTEST: usize = 6;

/// The texts, in base64.
#[derive(Debug, Default)]
pub(crate) struct Held<'a>(BTreeSet<Cow<'a, str>>);

impl<'a> Held<'a> {
    pub(crate) fn of(old: &'a Side, new: &'a Side) -> Self {
        let objects = [old, new].into_iter().flat_map(|side| side.objects.iter().chain(&side.hooks));
        let secrets = objects.map(|rendered: &Rendered| &rendered.value).filter(|value| value["kind"] == "Secret");
        let mut texts = BTreeSet::new();
        for secret in secrets {
            let of = |key: &str| secret[key].as_object().into_iter().flat_map(|map| map.values()).filter_map(Value::as_str);
            texts.extend(of("data").filter(|text| !is_drawn(text)).map(Cow::Borrowed));
            texts.extend(of("stringData").filter(|text| !is_drawn(text)).map(|text| Cow::Owned(base64(text.as_bytes()))));
        }
        Self(texts)
    }

    /// Takes the texts out of a change. An image is no secret.
    pub(super) fn mask(&self, change: &mut Change) {
        if self.0.is_empty() || matches!(change.path.last(), Some(Step::Key(key)) if key == "image") {
            return;
        }
        [&mut change.before, &mut change.after].into_iter().flatten().for_each(|value| self.mask_in(value));
    }

    /// Takes the texts out of what is shown of a value.
    pub(crate) fn mask_in(&self, value: &mut Value) {
        match value {
            Value::String(text) => {
                let held = |text: &str| self.0.contains(text) || self.0.contains(base64(text.as_bytes()).as_str());
                if text.len() >= SHORTEST && held(text) {
                    MASK.clone_into(text);
                }
            }
            Value::Array(items) => items.iter_mut().for_each(|item| self.mask_in(item)),
            Value::Object(map) => map.values_mut().for_each(|value| self.mask_in(value)),
            Value::Null | Value::Bool(_) | Value::Number(_) => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::super::compare;
    use super::*;
    use crate::input::{Input, Target};

    fn side(objects: &[Value]) -> Side {
        let objects = objects.iter().map(|value| Rendered { source: String::new(), value: value.clone() }).collect();
        Side { objects, ..Side::default() }
    }

    #[test]
    fn what_stands_in_a_secret_is_shown_nowhere() {
        let map = |text: &str| json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "x"}, "data": {"a": text}});
        let secret = |data: Value| {
            let mut secret = json!({"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "s"}});
            secret.as_object_mut().into_iter().for_each(|secret| secret.extend(data.as_object().cloned().unwrap_or_default()));
            secret
        };
        let (plain, encoded) = (secret(json!({"stringData": {"p": "hunter2zz"}})), secret(json!({"data": {"p": "aHVudGVyMnp6"}})));
        for (old, new, after) in [
            (vec![plain.clone(), map("b")], vec![map("hunter2zz")], MASK),
            (vec![map("b")], vec![map("hunter2zz"), plain.clone()], MASK),
            (vec![encoded.clone(), map("b")], vec![map("hunter2zz")], MASK),
            (vec![plain, map("b")], vec![map("aHVudGVyMnp6")], MASK),
            (vec![encoded, map("b")], vec![map("hunter2")], "hunter2"),
            (vec![secret(json!({"stringData": {"p": "5432"}})), map("b")], vec![map("5432")], "5432"),
        ] {
            let (old, new) = (side(&old), side(&new));
            let compared = compare(&old, &new, &Target::default());
            let changes: Vec<&Change> =
                compared.pairs.iter().filter(|pair| pair.object.kind == "ConfigMap").flat_map(|pair| &pair.changes).collect();
            assert!(
                matches!(changes.as_slice(), [change] if change.before == Some("b".into()) && change.after == Some(after.into())),
                "{changes:?}"
            );
        }
    }

    #[test]
    fn nor_in_a_claim() {
        let class = |text: &str| json!({"apiVersion": "storage.k8s.io/v1", "kind": "StorageClass", "metadata": {"name": "x"}, "parameters": {"a": text}});
        let secret = json!({"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "s"}, "stringData": {"p": "hunter2zz"}});
        let input = Input { old: side(&[class("earlier"), secret.clone()]), new: side(&[class("hunter2zz"), secret]), ..Input::default() };
        let page = format!("{:?}", crate::summarise(&input));
        assert!(page.contains("immutable-field") && page.contains("earlier") && !page.contains("hunter2zz"), "{page}");
    }
}
