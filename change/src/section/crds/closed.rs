//! Fields of objects that a CRD kept without naming them, and that its new schema drops.

use serde_json::Value;

use super::super::read::{at, list, text};
use crate::crd::{FieldChange, FieldStep};

/// Most fields that are named for one object, as for other changes.
const MOST: usize = 100;
/// Deepest value that is looked through; the API server takes some hundred levels.
const DEEPEST: usize = 128;

/// Paths of an object below the closed field that the new CRD does not have.
pub(super) fn dropped(crd: &Value, field: &FieldChange, object: &Value) -> Vec<String> {
    let mut found = Vec::new();
    let Some(schema) = field.versions.first().and_then(|version| schema(crd, version)) else { return found };
    let Some(below) = field.path.iter().try_fold(schema, step) else { return found };
    for (path, value) in field.places(object) {
        unknown(below, value, &path, field.path.is_empty(), 0, &mut found);
    }
    found
}

/// The schema of one version, in either form of a CRD.
fn schema<'v>(crd: &'v Value, version: &str) -> Option<&'v Value> {
    let versions = list(crd, &["spec", "versions"]).iter();
    let own = versions.filter(|one| text(one, &["name"]) == Some(version)).find_map(|one| at(one, &["schema", "openAPIV3Schema"]));
    own.or_else(|| at(crd, &["spec", "validation", "openAPIV3Schema"]))
}

fn step<'v>(schema: &'v Value, step: &FieldStep) -> Option<&'v Value> {
    match step {
        FieldStep::Key(key) => at(schema, &["properties", key]),
        FieldStep::Items => schema.get("items"),
        FieldStep::Values => schema.get("additionalProperties"),
    }
}

fn unknown(schema: &Value, value: &Value, path: &str, whole: bool, depth: usize, found: &mut Vec<String>) {
    let keeps = schema.get("x-kubernetes-preserve-unknown-fields") == Some(&Value::Bool(true));
    if keeps || depth > DEEPEST || found.len() >= MOST {
        return;
    }
    match value {
        Value::Object(map) => {
            for (key, value) in map {
                let inner = if path.is_empty() { key.clone() } else { format!("{path}.{key}") };
                // Every object has these, whatever its schema says.
                if whole && matches!(key.as_str(), "apiVersion" | "kind" | "metadata") {
                    continue;
                }
                match (at(schema, &["properties", key]), schema.get("additionalProperties")) {
                    (Some(schema), _) | (None, Some(schema @ Value::Object(_))) => unknown(schema, value, &inner, false, depth + 1, found),
                    (None, Some(Value::Bool(true))) => {}
                    _ => found.push(inner),
                }
            }
        }
        Value::Array(items) => {
            let Some(schema) = schema.get("items") else { return };
            for (n, value) in items.iter().enumerate() {
                unknown(schema, value, &format!("{path}[{n}]"), false, depth + 1, found);
            }
        }
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use super::super::super::testing::says;

    #[test]
    fn what_a_closed_field_drops() {
        let crd = |a: &str| {
            format!(
                "# crds/\napiVersion: apiextensions.k8s.io/v1\nkind: CustomResourceDefinition\nmetadata: {{name: foos.x.io}}\nspec: {{group: x.io, \
                 scope: Namespaced, names: {{kind: Foo, plural: foos}}, versions: [{{name: v1, served: true, storage: true, schema: \
                 {{openAPIV3Schema: {{type: object, properties: {{spec: {{type: object, properties: {{a: {a}}}}}}}}}}}}}]}}"
            )
        };
        let foo = |a: &str| format!("apiVersion: x.io/v1\nkind: Foo\nmetadata: {{name: f}}\nspec: {{a: {a}}}");
        let open = crd("{type: object, x-kubernetes-preserve-unknown-fields: true}");
        let closed = crd("{type: object, properties: {k: {type: object, properties: {n: {type: string}}}}}");
        let both = |crd: &str, a: &str| format!("{crd}\n---\n{}", foo(a));
        let said = |a: &str| says(super::super::items, &both(&open, a), &both(&closed, a));
        assert!(said("{k: {n: x}}").contains("look crd-field-closed"), "{}", said("{k: {n: x}}"));
        let used = said("{other: 1}");
        assert!(
            used.contains("ACT crd-field-used Foo/ns/f: sets spec.a.other, which the new CRD foos.x.io does not have: it is dropped"),
            "{used}"
        );
        assert!(said("{k: {m: x}}").contains("sets spec.a.k.m, which"), "{}", said("{k: {m: x}}"));
        let gone = says(super::super::items, &both(&open, "{other: 1}"), &both(&closed, "{}"));
        assert!(gone.contains("has spec.a.other, which the new CRD foos.x.io does not have: it is dropped as soon as"), "{gone}");
    }
}
