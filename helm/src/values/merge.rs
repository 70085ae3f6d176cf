//! Helm's merge of several values documents, and which of them each value came from.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Map, Value};

use super::path::{Path, Segment};

/// One values document.
#[derive(Debug, Clone, PartialEq)]
pub struct Layer {
    /// Name of the document, for people.
    pub name: String,
    /// Its content. What is no map counts as an empty one, as a text without content does for Helm.
    pub value: Value,
}

/// Where a merged value came from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Origin {
    /// The document that set it.
    pub layer: String,
    /// Earlier documents that set it too, or set something in its place, in their order.
    pub overridden: Vec<String>,
}

/// The user's values as Helm sees them (`helm get values`), before a chart's defaults.
#[derive(Debug, Clone, PartialEq)]
pub struct Merged {
    /// Always a map. Nulls stay: they delete a chart's default when Helm coalesces.
    pub value: Value,
    /// Of every leaf: scalars, lists as a whole, and empty maps.
    pub origin: BTreeMap<Path, Origin>,
}

/// Merges as `helm -f first -f second …`: maps deep, all else replaced by the later document, null included.
#[must_use]
pub fn merge(layers: &[Layer]) -> Merged {
    let mut value = Map::new();
    let mut tracks = Tracks::new();
    for (index, layer) in layers.iter().enumerate() {
        if let Value::Object(map) = &layer.value {
            merge_maps(&mut value, map);
            track(&mut tracks, map, index, &BTreeSet::new());
        }
    }
    let mut origin = BTreeMap::new();
    collect(&tracks, &mut Vec::new(), layers, &mut origin);
    Merged { value: Value::Object(value), origin }
}

fn merge_maps(into: &mut Map<String, Value>, from: &Map<String, Value>) {
    for (key, value) in from {
        match (into.get_mut(key), value) {
            (Some(Value::Object(below)), Value::Object(map)) => merge_maps(below, map),
            _ => {
                into.insert(key.clone(), value.clone());
            }
        }
    }
}

type Tracks = BTreeMap<String, Track>;

/// The layers, by index, behind one key of the merged map.
enum Track {
    Leaf {
        layer: usize,
        overridden: BTreeSet<usize>,
    },
    /// `touched` are all layers that ever set the key to something: a map that later becomes a scalar hides them.
    Map {
        below: Tracks,
        touched: BTreeSet<usize>,
    },
}

impl Track {
    fn touched(&self) -> BTreeSet<usize> {
        match self {
            Track::Leaf { layer, overridden } => overridden.iter().copied().chain([*layer]).collect(),
            Track::Map { touched, .. } => touched.clone(),
        }
    }
}

fn track(into: &mut Tracks, from: &Map<String, Value>, layer: usize, hidden: &BTreeSet<usize>) {
    for (key, value) in from {
        match (into.get_mut(key), value) {
            (Some(Track::Map { below, touched }), Value::Object(map)) => {
                touched.insert(layer);
                track(below, map, layer, hidden);
            }
            (before, Value::Object(map)) => {
                let mut overridden = before.map(|track| track.touched()).unwrap_or_default();
                overridden.extend(hidden);
                let mut below = Tracks::new();
                track(&mut below, map, layer, &overridden);
                overridden.insert(layer);
                into.insert(key.clone(), Track::Map { below, touched: overridden });
            }
            (before, _) => {
                let mut overridden = before.map(|track| track.touched()).unwrap_or_default();
                overridden.extend(hidden);
                into.insert(key.clone(), Track::Leaf { layer, overridden });
            }
        }
    }
}

fn collect(tracks: &Tracks, path: &mut Vec<Segment>, layers: &[Layer], out: &mut BTreeMap<Path, Origin>) {
    let name = |index: &usize| layers[*index].name.clone();
    for (key, track) in tracks {
        path.push(Segment::Key(key.clone()));
        match track {
            Track::Map { below, .. } if !below.is_empty() => collect(below, path, layers, out),
            Track::Map { touched, .. } => {
                let mut earlier: Vec<_> = touched.iter().map(name).collect();
                if let Some(layer) = earlier.pop() {
                    out.insert(Path(path.clone()), Origin { layer, overridden: earlier });
                }
            }
            Track::Leaf { layer, overridden } => {
                let origin = Origin { layer: name(layer), overridden: overridden.iter().map(name).collect() };
                out.insert(Path(path.clone()), origin);
            }
        }
        path.pop();
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    fn layers(values: &[Value]) -> Vec<Layer> {
        values.iter().enumerate().map(|(i, value)| Layer { name: format!("d{i}"), value: value.clone() }).collect()
    }

    fn origins(merged: &Merged) -> Vec<String> {
        let line = |(path, origin): (&Path, &Origin)| format!("{path} {} {}", origin.layer, origin.overridden.join(","));
        merged.origin.iter().map(line).map(|line| line.trim_end().to_owned()).collect()
    }

    #[test]
    fn later_documents_win_and_maps_join() {
        let merged = merge(&layers(&[
            json!({"a": {"b": 1, "c": [1, 2]}, "s": "x", "gone": {"deep": 1}}),
            json!({"a": {"c": [3], "d": null}, "e": {}}),
            json!({"a": {"b": 2}, "gone": null, "s": {"now": "map"}}),
        ]));
        assert_eq!(merged.value, json!({"a": {"b": 2, "c": [3], "d": null}, "s": {"now": "map"}, "gone": null, "e": {}}));
        assert_eq!(origins(&merged), ["a.b d2 d0", "a.c d1 d0", "a.d d1", "e d1", "gone d2 d0", "s.now d2 d0"]);
    }

    #[test]
    fn what_a_map_hides_is_named_however_deep_the_map_goes() {
        let merged = merge(&layers(&[json!({"a": 1}), json!({"a": {"b": {"c": {"d": 2}}, "e": {}}})]));
        assert_eq!(origins(&merged), ["a.b.c.d d1 d0", "a.e d1 d0"]);
    }

    #[test]
    fn an_empty_map_does_not_empty_a_map() {
        let merged = merge(&layers(&[json!({"a": {"b": 1}}), json!({"a": {}})]));
        assert_eq!(merged.value, json!({"a": {"b": 1}}));
        assert_eq!(origins(&merged), ["a.b d0"]);
    }

    #[test]
    fn a_document_without_content_changes_nothing() {
        let merged = merge(&layers(&[json!({"a": 1}), Value::Null]));
        assert_eq!(merged.value, json!({"a": 1}));
    }

    fn arb_value() -> impl Strategy<Value = Value> {
        let leaf = prop_oneof![Just(Value::Null), any::<bool>().prop_map(Value::from), (0..3).prop_map(Value::from), Just(json!([1]))];
        leaf.prop_recursive(3, 12, 3, |inner| {
            prop::collection::vec(("[a-c]", inner), 0..3).prop_map(|entries| Value::Object(entries.into_iter().collect()))
        })
    }

    fn leaves(value: &Value, path: &mut Vec<Segment>, out: &mut Vec<Path>) {
        match value {
            Value::Object(map) if !map.is_empty() || path.is_empty() => {
                for (key, value) in map {
                    path.push(Segment::Key(key.clone()));
                    leaves(value, path, out);
                    path.pop();
                }
            }
            _ => out.push(Path(path.clone())),
        }
    }

    fn get<'a>(value: &'a Value, path: &Path) -> Option<&'a Value> {
        path.0.iter().try_fold(value, |value, segment| match segment {
            Segment::Key(key) => value.get(key),
            Segment::Index(index) => value.get(index),
        })
    }

    proptest! {
        /// Every leaf has an origin, nothing else has, and the named document holds exactly that value there.
        #[test]
        fn origins_name_the_document_that_set_the_value(values in prop::collection::vec(arb_value(), 1..4)) {
            let layers = layers(&values);
            let merged = merge(&layers);
            let mut expected = Vec::new();
            leaves(&merged.value, &mut Vec::new(), &mut expected);
            expected.sort();
            prop_assert_eq!(merged.origin.keys().cloned().collect::<Vec<_>>(), expected);
            for (path, origin) in &merged.origin {
                let layer = layers.iter().find(|layer| layer.name == origin.layer).unwrap();
                prop_assert_eq!(get(&layer.value, path), get(&merged.value, path));
                prop_assert!(!origin.overridden.contains(&origin.layer));
            }
        }
    }
}
