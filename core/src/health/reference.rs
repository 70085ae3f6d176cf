//! Which object is meant.

use std::collections::BTreeSet;
use std::fmt;

use serde::{Deserialize, Serialize};
use serde_json::Value;

/// The address of an object in a cluster.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct ObjectRef {
    /// API group; empty for the core group.
    pub group: String,
    /// API version within the group, such as `v1`.
    pub version: String,
    /// Kind, such as `StatefulSet`.
    pub kind: String,
    /// Namespace, where the object or its manifest names one. A manifest may leave it out for the release's own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub namespace: Option<String>,
    /// Name of the object.
    pub name: String,
}

impl fmt::Display for ObjectRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.namespace {
            Some(namespace) => write!(f, "{} {namespace}/{}", self.kind, self.name),
            None => write!(f, "{} {}", self.kind, self.name),
        }
    }
}

/// Why an object of a manifest cannot be addressed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RefError {
    /// A field that every object needs is absent or no text.
    #[error("object {index} of the manifest has no {field}")]
    Missing {
        /// Position in the manifest, from 0.
        index: usize,
        /// The field.
        field: &'static str,
    },
    /// Lists within lists, deeper than any chart has them.
    #[error("object {index} of the manifest nests lists deeper than {MAX_NESTING}")]
    TooDeep {
        /// Position in the manifest, from 0.
        index: usize,
    },
}

/// `kubectl` writes a List, and a chart may include such a file; a List in a List is already odd.
const MAX_NESTING: usize = 4;

/// The objects of a manifest in its order, each once; `List`s are taken apart, empty documents (null) are left out.
///
/// # Errors
/// When an object names no `apiVersion`, `kind` or `metadata.name`, or lists are nested too deep.
pub fn parse_refs(manifest_objects: &[Value]) -> Result<Vec<ObjectRef>, RefError> {
    let mut refs = Vec::new();
    for (index, object) in manifest_objects.iter().enumerate() {
        collect(index, object, MAX_NESTING, &mut refs)?;
    }
    let mut seen = BTreeSet::new();
    refs.retain(|reference| seen.insert(reference.clone()));
    Ok(refs)
}

fn collect(index: usize, object: &Value, nesting: usize, refs: &mut Vec<ObjectRef>) -> Result<(), RefError> {
    if object.is_null() {
        return Ok(());
    }
    let text = |pointer: &str, field: &'static str| {
        let found = object.pointer(pointer).and_then(Value::as_str).filter(|text| !text.is_empty());
        found.ok_or(RefError::Missing { index, field })
    };
    let (api_version, kind) = (text("/apiVersion", "apiVersion")?, text("/kind", "kind")?);
    if let (true, Some(items)) = (kind.ends_with("List"), object.get("items").and_then(Value::as_array)) {
        let nesting = nesting.checked_sub(1).ok_or(RefError::TooDeep { index })?;
        return items.iter().try_for_each(|item| collect(index, item, nesting, refs));
    }
    let (group, version) = api_version.rsplit_once('/').unwrap_or(("", api_version));
    refs.push(ObjectRef {
        group: group.into(),
        version: version.into(),
        kind: kind.into(),
        namespace: object.pointer("/metadata/namespace").and_then(Value::as_str).map(Into::into),
        name: text("/metadata/name", "metadata.name")?.into(),
    });
    Ok(())
}
