//! The operator's keys: the leaves of the merged documents, lists and empty maps as a whole.

use serde_json::{Map, Value};

use crate::values::{Layer, Path, Segment, merge};

/// One key.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Key {
    pub(super) path: Path,
    /// The document that sets it last.
    pub(super) document: String,
    /// Earlier documents that set it too.
    pub(super) also_in: Vec<String>,
    pub(super) given: Value,
}

/// All keys, in the order of their paths.
pub(super) fn keys(layers: &[Layer]) -> Vec<Key> {
    let merged = merge(layers);
    let key = |(path, origin): (&Path, &crate::values::Origin)| Key {
        path: path.clone(),
        document: origin.layer.clone(),
        also_in: origin.overridden.clone(),
        given: get(&merged.value, path).cloned().unwrap_or_default(),
    };
    merged.origin.iter().map(key).collect()
}

pub(super) fn get<'a>(values: &'a Value, path: &Path) -> Option<&'a Value> {
    path.0.iter().try_fold(values, |at, segment| match segment {
        Segment::Key(key) => at.get(key),
        Segment::Index(index) => at.get(index),
    })
}

/// Names of the maps on the way, and of the key itself.
pub(super) fn names(path: &Path) -> Vec<&str> {
    path.0.iter().filter_map(name).collect()
}

fn name(segment: &Segment) -> Option<&str> {
    match segment {
        Segment::Key(key) => Some(key),
        Segment::Index(_) => None,
    }
}

/// The values as they would be had these keys never been written; maps that only held them go too.
pub(super) fn without<'a>(values: &Value, paths: impl IntoIterator<Item = &'a Path>) -> Value {
    let mut out = values.clone();
    for path in paths {
        if let Value::Object(map) = &mut out {
            remove(map, &names(path));
        }
    }
    out
}

fn remove(map: &mut Map<String, Value>, path: &[&str]) {
    match path {
        [] => {}
        [key] => {
            map.shift_remove(*key);
        }
        [key, rest @ ..] => {
            let Some(Value::Object(below)) = map.get_mut(*key) else { return };
            remove(below, rest);
            if below.is_empty() {
                map.shift_remove(*key);
            }
        }
    }
}

/// The values with another key set; `None` when something else than a map stands in the way.
pub(super) fn with(values: &Value, path: &Path, value: &Value) -> Option<Value> {
    let mut out = values.clone();
    let mut at = out.as_object_mut()?;
    let names = names(path);
    let (last, way) = names.split_last()?;
    for key in way {
        at = at.entry((*key).to_owned()).or_insert_with(|| Value::Object(Map::new())).as_object_mut()?;
    }
    at.insert((*last).to_owned(), value.clone());
    Some(out)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn keys_are_leaves_and_go_with_the_maps_that_held_them() {
        let layer = |name: &str, value: Value| Layer { name: name.into(), value };
        let layers = [layer("a", json!({"x": {"y": {"z": 1}}, "l": [1], "e": {}})), layer("b", json!({"x": {"k": null}}))];
        let keys = keys(&layers);
        let listed: Vec<String> = keys.iter().map(|key| format!("{} {} {}", key.path, key.document, key.given)).collect();
        assert_eq!(listed, ["e a {}", "l a [1]", "x.k b null", "x.y.z a 1"]);
        let merged = merge(&layers).value;
        assert_eq!(without(&merged, [&keys[3].path]), json!({"x": {"k": null}, "l": [1], "e": {}}));
        assert_eq!(without(&merged, keys[2..].iter().map(|key| &key.path)), json!({"l": [1], "e": {}}));
        let to: Path = "n.m".parse().unwrap();
        assert_eq!(with(&json!({"n": {}}), &to, &json!(2)), Some(json!({"n": {"m": 2}})));
        assert_eq!(with(&json!({"n": 1}), &to, &json!(2)), None);
    }
}
