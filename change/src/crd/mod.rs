//! What differs between two versions of a custom resource definition, field by field.
//!
//! ```
//! use groundswell_change::crd;
//! use serde_json::json;
//!
//! let version = |schema| json!({"name": "v1", "served": true, "storage": true, "schema": {"openAPIV3Schema": schema}});
//! let crd = |schema| json!({"metadata": {"name": "a.b.c"}, "spec": {"group": "b.c", "names": {"kind": "A"}, "versions": [version(schema)]}});
//! let field = |kind: &str| json!({"type": "object", "properties": {"spec": {"type": kind}}});
//! let change = crd::compare(&crd(field("integer")), &crd(field("string")));
//! assert_eq!(change.fields[0].path_text(), "spec");
//! assert_eq!(change.fields[0].breaks(&json!({"kind": "A", "spec": 7})), ["spec"]);
//! ```

mod bounds;
mod shape;
mod used;
mod walk;

use std::collections::BTreeMap;

use serde_json::Value;

use shape::Shape;

/// What differs between two versions of a CRD. Descriptions and examples do not count.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct CrdChange {
    /// `scope`, before and after.
    pub scope: Option<(String, String)>,
    /// Group or names that changed: which, before, after.
    pub names: Vec<(String, String, String)>,
    /// The strategy of conversion, before and after.
    pub conversion: Option<(String, String)>,
    /// Versions that come, go, or are served otherwise.
    pub versions: Vec<(String, VersionChange)>,
    /// The version that is stored, before and after.
    pub storage: Option<(String, String)>,
    /// The version that is gone although the old CRD stored objects in it, and the one that is stored from now on.
    pub stored_gone: Option<(String, String)>,
    /// Fields that changed so that an object could notice, in the order of the schema. The same change in several versions stands once.
    pub fields: Vec<FieldChange>,
    /// How many fields are new; what lies below a new field is not counted.
    pub added: usize,
    /// Whether the schema was too deep or too large to be compared as a whole.
    pub truncated: bool,
}

impl CrdChange {
    /// Whether nothing differs.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}

/// What becomes of a version of a CRD.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum VersionChange {
    /// It is new.
    Added,
    /// It is no more. The API server refuses that while `status.storedVersions` names it.
    Gone,
    /// It stays defined, and is served no more.
    Unserved,
    /// It is served now.
    Served,
}

/// A field that changed.
#[derive(Debug, Clone, PartialEq)]
pub struct FieldChange {
    /// In which versions of the CRD.
    pub versions: Vec<String>,
    /// Where, from the top of the object.
    pub path: Vec<FieldStep>,
    /// How.
    pub kind: FieldKind,
    /// As it was: a type, the values of an enum, a limit. `None` when there was none.
    pub before: Option<Value>,
    /// As it will be.
    pub after: Option<Value>,
}

/// One step of the path of a field.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum FieldStep {
    /// A field with a name.
    Key(String),
    /// Any item of a list.
    Items,
    /// Any value of a map with free keys.
    Values,
}

/// How a field changed.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum FieldKind {
    /// It is no more; the API server drops it from objects.
    Removed,
    /// It takes other types.
    Retyped,
    /// Objects that lack it are refused.
    Required,
    /// It takes fewer values.
    Enum,
    /// Fields below it that the schema does not name were kept, and are now dropped.
    Closed,
    /// A limit is tighter: the name that OpenAPI has for it (`maximum`, `pattern`, `x-kubernetes-validations`).
    Tightened(String),
    /// Its default is another.
    Default,
}

impl FieldChange {
    /// The path as people write it: `spec.containers[].ports[].name`, `spec.labels.*`.
    #[must_use]
    pub fn path_text(&self) -> String {
        let mut text = String::new();
        for step in &self.path {
            match step {
                FieldStep::Key(key) if text.is_empty() => text.push_str(key),
                FieldStep::Key(key) => text.push_str(&format!(".{key}")),
                FieldStep::Items => text.push_str("[]"),
                FieldStep::Values => text.push_str(".*"),
            }
        }
        text
    }

    /// Where this object has something that the change drops or refuses; its paths, at most a hundred.
    #[must_use]
    pub fn breaks(&self, object: &Value) -> Vec<String> {
        used::breaks(self, object)
    }

    /// Whether [`FieldChange::breaks`] can tell: expressions, patterns and schemas within a schema are not evaluated.
    #[must_use]
    pub fn evaluated(&self) -> bool {
        !matches!(&self.kind, FieldKind::Tightened(name) if !bounds::evaluated(name))
    }

    /// Where this object has the field, and its values; at most a hundred.
    #[must_use]
    pub fn places<'v>(&self, object: &'v Value) -> Vec<(String, &'v Value)> {
        used::places(self, object)
    }
}

/// Which kind a CRD defines: its group and its kind.
#[must_use]
pub fn defines(crd: &Value) -> (String, String) {
    let shape = Shape::read(crd);
    (shape.group, shape.kind)
}

/// Compares two versions of a CRD, in the form of `apiextensions.k8s.io/v1` or `v1beta1`.
#[must_use]
pub fn compare(old: &Value, new: &Value) -> CrdChange {
    let (old, new) = (Shape::read(old), Shape::read(new));
    let mut change = CrdChange {
        scope: differ(&old.scope, &new.scope),
        conversion: differ(&old.conversion, &new.conversion),
        storage: old.storage().zip(new.storage()).and_then(|(was, is)| differ(was, is)),
        versions: versions(&old, &new),
        stored_gone: old.storage().filter(|was| !new.versions.contains_key(*was)).zip(new.storage()).and_then(|(was, is)| differ(was, is)),
        ..CrdChange::default()
    };
    for (name, was) in [("group", &old.group)].into_iter().chain(old.names.iter().map(|(name, was)| (name.as_str(), was))) {
        let is = if name == "group" { Some(&new.group) } else { new.names.get(name) };
        if let Some((was, is)) = is.and_then(|is| differ(was, is)) {
            change.names.push((name.to_owned(), was, is));
        }
    }
    fields(&old, &new, &mut change);
    change
}

fn differ(was: &str, is: &str) -> Option<(String, String)> {
    (was != is).then(|| (was.to_owned(), is.to_owned()))
}

fn versions(old: &Shape<'_>, new: &Shape<'_>) -> Vec<(String, VersionChange)> {
    let mut changes = Vec::new();
    for (name, was) in &old.versions {
        match new.versions.get(name) {
            None => changes.push((name.clone(), VersionChange::Gone)),
            Some(is) if was.served && !is.served => changes.push((name.clone(), VersionChange::Unserved)),
            Some(is) if !was.served && is.served => changes.push((name.clone(), VersionChange::Served)),
            Some(_) => {}
        }
    }
    changes.extend(new.versions.keys().filter(|name| !old.versions.contains_key(*name)).map(|name| (name.clone(), VersionChange::Added)));
    changes
}

/// Compares the schemas of the versions that both have; where they share none, those that are stored.
fn fields(old: &Shape<'_>, new: &Shape<'_>, change: &mut CrdChange) {
    let mut both: Vec<(&String, &Value, &Value)> = Vec::new();
    for (name, is) in &new.versions {
        if let (Some(was), Some(is)) = (old.versions.get(name).and_then(|was| was.schema), is.schema) {
            both.push((name, was, is));
        }
    }
    if both.is_empty()
        && let (Some(was), Some((name, is))) = (old.stored().and_then(|(_, version)| version.schema), new.stored())
        && let Some(schema) = is.schema
    {
        both.push((name, was, schema));
    }
    let mut added = 0;
    // By what changed, so that the same change in several versions stands once.
    let mut known: BTreeMap<String, usize> = BTreeMap::new();
    for (name, was, is) in both {
        let found = walk::walk(was, is, old.prunes, new.prunes);
        added = added.max(found.added);
        change.truncated |= found.truncated;
        for mut field in found.fields {
            let key = format!("{:?} {:?} {:?} {:?}", field.kind, field.path, field.before, field.after);
            if let Some(at) = known.get(&key) {
                change.fields[*at].versions.push(name.clone());
            } else {
                known.insert(key, change.fields.len());
                field.versions.push(name.clone());
                change.fields.push(field);
            }
        }
    }
    change.added = added;
}

#[cfg(test)]
mod tests;
