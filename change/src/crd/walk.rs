//! The walk through two OpenAPI schemas.

use serde_json::{Map, Value};

use super::bounds;
use super::{FieldChange, FieldKind, FieldStep};

/// Deepest field that is compared: four times the depth of the deepest CRD known to us (Prometheus, 24).
const DEEPEST: usize = 96;

/// Most schemas that are visited in one version: the largest CRD known to us (Prometheus) has some 6,000.
const MOST_NODES: usize = 200_000;

/// Most findings that are kept in one version.
const MOST_FOUND: usize = 5_000;

/// What every object has, whatever its schema says: the API server adds these to the schema itself. Generators have spelled out
/// `metadata` and left it out again.
const OF_ALL: [&str; 3] = ["apiVersion", "kind", "metadata"];

/// What was found.
#[derive(Default)]
pub(super) struct Found {
    pub(super) fields: Vec<FieldChange>,
    pub(super) added: usize,
    pub(super) truncated: bool,
}

/// Compares two schemas of a version.
pub(super) fn walk(old: &Value, new: &Value, old_prunes: bool, new_prunes: bool) -> Found {
    let mut walk = Walk { found: Found::default(), nodes: 0, path: Vec::new(), prunes: new_prunes };
    if !old_prunes && new_prunes {
        walk.push(FieldKind::Closed, None, None);
    }
    walk.schema(old, new);
    walk.found
}

struct Walk {
    found: Found,
    nodes: usize,
    path: Vec<FieldStep>,
    /// Whether the new CRD drops what its schema does not name.
    prunes: bool,
}

impl Walk {
    fn push(&mut self, kind: FieldKind, before: Option<Value>, after: Option<Value>) {
        if self.found.fields.len() >= MOST_FOUND {
            self.found.truncated = true;
            return;
        }
        self.found.fields.push(FieldChange { versions: Vec::new(), path: self.path.clone(), kind, before, after });
    }

    fn below(&mut self, step: FieldStep, old: &Value, new: &Value) {
        self.path.push(step);
        self.schema(old, new);
        self.path.pop();
    }

    fn schema(&mut self, old: &Value, new: &Value) {
        self.nodes += 1;
        if self.nodes > MOST_NODES || self.path.len() > DEEPEST {
            self.found.truncated = true;
            return;
        }
        if old == new {
            return;
        }
        let (was, is) = (types(old), types(new));
        if let (_, Some(is)) = (&was, &is)
            && !was.as_ref().is_some_and(|was| was.iter().all(|one| is.contains(one)))
        {
            self.push(FieldKind::Retyped, Some(Value::from(said(was.as_deref()))), Some(Value::from(said(Some(is)))));
            self.closed(old, new, Some(is));
            return;
        }
        self.values(old, new);
        self.closed(old, new, is.as_deref());
        self.properties(old, new);
        match (old.get("items"), new.get("items")) {
            (Some(old), Some(new)) => self.below(FieldStep::Items, old, new),
            (None, Some(new)) if is.is_some() && was.is_some() => self.below(FieldStep::Items, &Value::Null, new),
            _ => {}
        }
        if let (Some(old), Some(new)) = (old.get("additionalProperties"), new.get("additionalProperties")) {
            self.below(FieldStep::Values, old, new);
        }
    }

    /// Whether keys that have no name in the schema were kept, and are dropped.
    fn closed(&mut self, old: &Value, new: &Value, is: Option<&[&str]>) {
        let said = self.path.is_empty() && self.found.fields.iter().any(|field| field.kind == FieldKind::Closed);
        if open(old) && !open(new) && is.is_some_and(|is| is.contains(&"object")) && self.prunes && !said {
            self.push(FieldKind::Closed, None, None);
        }
    }

    /// Which values it takes: enum, limits, default.
    fn values(&mut self, old: &Value, new: &Value) {
        let list = |schema: &Value| schema.get("enum").and_then(Value::as_array).cloned();
        if let Some(is) = list(new)
            && !list(old).is_some_and(|was| was.iter().all(|one| is.contains(one)))
        {
            self.push(FieldKind::Enum, list(old).map(Value::from), Some(Value::from(is)));
        }
        for (name, was, is) in bounds::tightened(old, new) {
            self.push(FieldKind::Tightened(name.to_owned()), was, is);
        }
        let (was, is) = (old.get("default"), new.get("default"));
        if was != is {
            self.push(FieldKind::Default, was.cloned(), is.cloned());
        }
    }

    fn properties(&mut self, old: &Value, new: &Value) {
        let empty = Map::new();
        let map = |schema: &Value| schema.get("properties").and_then(Value::as_object).cloned();
        let (was, is) = (old.get("properties").and_then(Value::as_object), new.get("properties").and_then(Value::as_object));
        let (was, is) = (was.unwrap_or(&empty), is.unwrap_or(&empty));
        // Where anything goes, a field that is named no more is still kept.
        let open =
            keeps_unknown(new) || (map(new).is_none() && new.get("additionalProperties").is_some_and(|more| *more != Value::Bool(false)));
        let whole = self.path.is_empty() || new.get("x-kubernetes-embedded-resource").and_then(Value::as_bool) == Some(true);
        for (key, before) in was.iter().filter(|(key, _)| !(whole && OF_ALL.contains(&key.as_str()))) {
            match is.get(key) {
                Some(after) => self.below(FieldStep::Key(key.clone()), before, after),
                None if open => {}
                None => {
                    self.path.push(FieldStep::Key(key.clone()));
                    self.push(FieldKind::Removed, Some(Value::from(said(types(before).as_deref()))), None);
                    self.path.pop();
                }
            }
        }
        self.found.added += is.keys().filter(|key| !was.contains_key(*key)).count();
        self.required(old, new, is);
    }

    fn required(&mut self, old: &Value, new: &Value, is: &Map<String, Value>) {
        let names = |schema: &Value| -> Vec<String> {
            schema
                .get("required")
                .and_then(Value::as_array)
                .into_iter()
                .flatten()
                .filter_map(|name| name.as_str().map(str::to_owned))
                .collect()
        };
        let was = names(old);
        let whole = self.path.is_empty();
        for name in names(new).into_iter().filter(|name| !(whole && OF_ALL.contains(&name.as_str()))) {
            // A default fills it in before it is asked for.
            let filled = is.get(&name).is_some_and(|schema| schema.get("default").is_some());
            if !was.contains(&name) && !filled {
                self.path.push(FieldStep::Key(name));
                self.push(FieldKind::Required, None, None);
                self.path.pop();
            }
        }
    }
}

fn keeps_unknown(schema: &Value) -> bool {
    schema.get("x-kubernetes-preserve-unknown-fields").and_then(Value::as_bool) == Some(true)
}

/// Whether keys without a name in the schema are kept.
fn open(schema: &Value) -> bool {
    keeps_unknown(schema) || schema.get("additionalProperties").is_some_and(|more| *more != Value::Bool(false))
}

/// The types that a schema takes; `None` when it takes any. Older schemas left out what can be told from the rest.
pub(super) fn types(schema: &Value) -> Option<Vec<&str>> {
    if bounds::int_or_string(schema) {
        return Some(vec!["integer", "string"]);
    }
    match schema.get("type").and_then(Value::as_str) {
        Some("number") => Some(vec!["integer", "number"]),
        Some(one) => Some(vec![one]),
        None if schema.get("properties").is_some() || schema.get("additionalProperties").is_some() => Some(vec!["object"]),
        None if schema.get("items").is_some() => Some(vec!["array"]),
        None => None,
    }
}

fn said(types: Option<&[&str]>) -> String {
    match types {
        None => "any".to_owned(),
        Some(["integer", "number"]) => "number".to_owned(),
        Some(types) => types.join(" or "),
    }
}
