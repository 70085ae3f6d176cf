//! A CRD of either API version, in one shape.

use std::collections::BTreeMap;

use serde_json::Value;

/// What is compared of a CRD.
pub(super) struct Shape<'a> {
    pub(super) group: String,
    pub(super) kind: String,
    pub(super) scope: String,
    pub(super) names: BTreeMap<String, String>,
    pub(super) conversion: String,
    pub(super) versions: BTreeMap<String, Defined<'a>>,
    /// Whether fields that the schema does not name are dropped.
    pub(super) prunes: bool,
}

/// A version of a CRD.
pub(super) struct Defined<'a> {
    pub(super) served: bool,
    pub(super) stored: bool,
    pub(super) schema: Option<&'a Value>,
}

impl<'a> Shape<'a> {
    pub(super) fn read(crd: &'a Value) -> Self {
        let spec = crd.get("spec").unwrap_or(&Value::Null);
        let text = |value: &Value, key: &str, unsaid: &str| value.get(key).and_then(Value::as_str).unwrap_or(unsaid).to_owned();
        let beta = text(crd, "apiVersion", "").ends_with("/v1beta1");
        let names = spec.get("names").unwrap_or(&Value::Null);
        let conversion = spec.get("conversion").unwrap_or(&Value::Null);
        Self {
            group: text(spec, "group", ""),
            kind: text(names, "kind", ""),
            scope: text(spec, "scope", "Namespaced"),
            names: ["kind", "plural", "singular", "listKind"]
                .iter()
                .filter_map(|key| Some(((*key).to_owned(), names.get(*key)?.as_str()?.to_owned())))
                .collect(),
            conversion: text(conversion, "strategy", "None"),
            versions: versions(spec),
            prunes: !spec.get("preserveUnknownFields").and_then(Value::as_bool).unwrap_or(beta),
        }
    }

    /// The version that is stored.
    pub(super) fn stored(&self) -> Option<(&String, &Defined<'a>)> {
        self.versions.iter().find(|(_, version)| version.stored)
    }

    /// Its name.
    pub(super) fn storage(&self) -> Option<&str> {
        self.stored().map(|(name, _)| name.as_str())
    }
}

fn versions(spec: &Value) -> BTreeMap<String, Defined<'_>> {
    // v1beta1 may have one schema for all versions, and one version without a list.
    let shared = spec.get("validation").and_then(|validation| validation.get("openAPIV3Schema"));
    let mut versions = BTreeMap::new();
    for version in spec.get("versions").and_then(Value::as_array).into_iter().flatten() {
        let Some(name) = version.get("name").and_then(Value::as_str) else { continue };
        let flag = |key| version.get(key).and_then(Value::as_bool).unwrap_or(true);
        let schema = version.get("schema").and_then(|schema| schema.get("openAPIV3Schema")).or(shared);
        versions.insert(name.to_owned(), Defined { served: flag("served"), stored: flag("storage"), schema });
    }
    if versions.is_empty()
        && let Some(name) = spec.get("version").and_then(Value::as_str)
    {
        versions.insert(name.to_owned(), Defined { served: true, stored: true, schema: shared });
    }
    versions
}
