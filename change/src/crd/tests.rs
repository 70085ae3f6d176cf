use proptest::prelude::*;
use serde_json::json;

use super::*;

fn crd(schema: Value) -> Value {
    json!({
        "apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition", "metadata": {"name": "as.b.c"},
        "spec": {"group": "b.c", "scope": "Namespaced", "names": {"kind": "A", "plural": "as"},
            "versions": [{"name": "v1", "served": true, "storage": true, "schema": {"openAPIV3Schema": schema}}]},
    })
}

/// The changes of a `spec` with these properties, one line each.
fn lines(old: Value, new: Value) -> Vec<String> {
    let schema = |spec| crd(json!({"type": "object", "properties": {"spec": spec}}));
    let change = compare(&schema(old), &schema(new));
    let text = |value: &Option<Value>| value.as_ref().map_or_else(|| "-".to_owned(), ToString::to_string);
    let mut lines: Vec<String> = change
        .fields
        .iter()
        .map(|field| format!("{:?} {} {} -> {}", field.kind, field.path_text(), text(&field.before), text(&field.after)))
        .collect();
    if change.added > 0 {
        lines.push(format!("{} added", change.added));
    }
    lines
}

#[test]
fn fields() {
    let object = |properties: Value| json!({"type": "object", "properties": properties});
    let string = json!({"type": "string"});
    let table: [(&str, Value, Value, &[&str]); 28] = [
        ("a description", json!({"type": "string", "description": "a"}), json!({"type": "string", "description": "b"}), &[]),
        ("removed", object(json!({"a": string, "b": string})), object(json!({"b": string})), &[r#"Removed spec.a "string" -> -"#]),
        ("added", object(json!({})), object(json!({"b": object(json!({"c": string}))})), &["1 added"]),
        ("retyped", object(json!({"a": string})), object(json!({"a": {"type": "integer"}})), &[r#"Retyped spec.a "string" -> "integer""#]),
        ("integer to number", json!({"type": "integer"}), json!({"type": "number"}), &[]),
        ("number to integer", json!({"type": "number"}), json!({"type": "integer"}), &[r#"Retyped spec "number" -> "integer""#]),
        ("widened to int-or-string", string.clone(), json!({"x-kubernetes-int-or-string": true}), &[]),
        (
            "int-or-string in old words",
            json!({"anyOf": [{"type": "integer"}, {"type": "string"}]}),
            json!({"anyOf": [{"type": "integer"}, {"type": "string"}], "x-kubernetes-int-or-string": true}),
            &[],
        ),
        (
            "narrowed from int-or-string",
            json!({"x-kubernetes-int-or-string": true}),
            string.clone(),
            &[r#"Retyped spec "integer or string" -> "string""#],
        ),
        ("the type was left out", json!({"properties": {"a": string}}), object(json!({"a": string})), &[]),
        (
            "required",
            object(json!({"a": string})),
            json!({"type": "object", "properties": {"a": string}, "required": ["a"]}),
            &["Required spec.a - -> -"],
        ),
        (
            "required, filled by a default",
            object(json!({"a": {"type": "string", "default": "x"}})),
            json!({"type": "object", "properties": {"a": {"type": "string", "default": "x"}}, "required": ["a"]}),
            &[],
        ),
        (
            "enum narrowed",
            json!({"type": "string", "enum": ["a", "b"]}),
            json!({"type": "string", "enum": ["b", "c"]}),
            &[r#"Enum spec ["a","b"] -> ["b","c"]"#],
        ),
        ("enum widened", json!({"type": "string", "enum": ["a"]}), json!({"type": "string", "enum": ["a", "b"]}), &[]),
        (
            "maximum",
            json!({"type": "integer", "maximum": 9}),
            json!({"type": "integer", "maximum": 5}),
            &[r#"Tightened("maximum") spec 9 -> 5"#],
        ),
        ("looser", json!({"type": "integer", "maximum": 5, "minimum": 2}), json!({"type": "integer", "maximum": 9, "minimum": 1}), &[]),
        ("minLength 0 says nothing", string.clone(), json!({"type": "string", "minLength": 0}), &[]),
        ("pattern", string.clone(), json!({"type": "string", "pattern": "^a"}), &[r#"Tightened("pattern") spec - -> "^a""#]),
        (
            "CEL rule in other words",
            json!({"type": "string", "x-kubernetes-validations": [{"rule": "a", "message": "x"}]}),
            json!({"type": "string", "x-kubernetes-validations": [{"rule": "a", "message": "y"}]}),
            &[],
        ),
        ("default", json!({"type": "string", "default": "a"}), json!({"type": "string", "default": "b"}), &[r#"Default spec "a" -> "b""#]),
        (
            "in lists",
            json!({"type": "array", "items": object(json!({"a": string}))}),
            json!({"type": "array", "items": object(json!({}))}),
            &[r#"Removed spec[].a "string" -> -"#],
        ),
        (
            "in maps",
            json!({"type": "object", "additionalProperties": string}),
            json!({"type": "object", "additionalProperties": {"type": "integer"}}),
            &[r#"Retyped spec.* "string" -> "integer""#],
        ),
        (
            "removed where anything goes",
            object(json!({"a": string})),
            json!({"type": "object", "x-kubernetes-preserve-unknown-fields": true}),
            &[],
        ),
        (
            "closed",
            json!({"type": "object", "x-kubernetes-preserve-unknown-fields": true}),
            object(json!({"a": string})),
            &["Closed spec - -> -", "1 added"],
        ),
        (
            "a map that loses its values",
            json!({"type": "object", "additionalProperties": string}),
            json!({"type": "object"}),
            &["Closed spec - -> -"],
        ),
        (
            "a map that becomes one with names",
            json!({"type": "object", "additionalProperties": string}),
            object(json!({"a": string})),
            &["Closed spec - -> -", "1 added"],
        ),
        (
            "a map in the place of anything",
            json!({"type": "object", "x-kubernetes-preserve-unknown-fields": true}),
            json!({"type": "object", "additionalProperties": string}),
            &[],
        ),
        (
            "closed, and anything before",
            json!({"x-kubernetes-preserve-unknown-fields": true}),
            object(json!({})),
            &[r#"Retyped spec "any" -> "object""#, "Closed spec - -> -"],
        ),
    ];
    for (name, old, new, expected) in table {
        assert_eq!(lines(old, new), expected, "{name}");
    }
}

#[test]
fn what_every_object_has_is_in_no_need_of_a_schema() {
    let spelled = json!({"type": "object", "required": ["kind"], "properties": {
        "kind": {"type": "string"}, "metadata": {"type": "object", "properties": {"labels": {"type": "object"}}}, "spec": {"type": "object"},
    }});
    let short =
        json!({"type": "object", "required": ["metadata"], "properties": {"metadata": {"type": "object"}, "spec": {"type": "object"}}});
    assert!(compare(&crd(spelled.clone()), &crd(short.clone())).fields.is_empty());
    assert!(compare(&crd(short), &crd(spelled)).fields.is_empty());
    // Below the top they are fields like any other.
    let field = |properties: Value| json!({"type": "object", "properties": properties});
    let gone = lines(field(json!({"metadata": {"type": "string"}})), field(json!({})));
    assert_eq!(gone, [r#"Removed spec.metadata "string" -> -"#]);
}

#[test]
fn versions_scope_and_names() {
    let mut old = crd(json!({}));
    old["spec"]["versions"][0]["name"] = json!("v1alpha1");
    let mut new = crd(json!({}));
    new["spec"]["scope"] = json!("Cluster");
    new["spec"]["names"]["plural"] = json!("aas");
    new["spec"]["conversion"] = json!({"strategy": "Webhook"});
    let change = compare(&old, &new);
    assert_eq!(change.scope, Some(("Namespaced".into(), "Cluster".into())));
    assert_eq!(change.names, [("plural".to_owned(), "as".to_owned(), "aas".to_owned())]);
    assert_eq!(change.conversion, Some(("None".into(), "Webhook".into())));
    assert_eq!(change.storage, Some(("v1alpha1".into(), "v1".into())));
    assert_eq!(change.versions, [("v1alpha1".into(), VersionChange::Gone), ("v1".into(), VersionChange::Added)]);
    new["spec"]["versions"][0]["served"] = json!(false);
    assert_eq!(compare(&crd(json!({})), &new).versions, [("v1".into(), VersionChange::Unserved)]);
    assert!(compare(&old, &old).is_empty());
}

#[test]
fn the_old_form_of_a_crd_is_compared_with_the_new_one() {
    let old = json!({
        "apiVersion": "apiextensions.k8s.io/v1beta1", "metadata": {"name": "as.b.c"},
        "spec": {"group": "b.c", "scope": "Namespaced", "version": "v1", "names": {"kind": "A", "plural": "as"},
            "validation": {"openAPIV3Schema": {"properties": {"spec": {"properties": {"gone": {"type": "string"}}}}}}},
    });
    let change = compare(&old, &crd(json!({"type": "object", "properties": {"spec": {"type": "object", "properties": {}}}})));
    assert_eq!(
        change.fields.iter().map(|field| (field.kind.clone(), field.path_text())).collect::<Vec<_>>(),
        [(FieldKind::Closed, String::new()), (FieldKind::Removed, "spec.gone".into())]
    );
    assert_eq!(change.versions, []);
}

#[test]
fn objects_that_a_change_breaks() {
    let schema = |item: Value| {
        crd(json!({"type": "object", "properties": {"spec": {"type": "object", "properties": {"list": {"type": "array", "items": item}}}}}))
    };
    let item = |properties: Value, required: Value| json!({"type": "object", "properties": properties, "required": required});
    let old = schema(item(
        json!({"name": {"type": "string"}, "gone": {"type": "string"}, "port": {"type": "string"}, "mode": {"type": "string"}, "n": {"type": "integer"}}),
        json!([]),
    ));
    let new = schema(item(
        json!({"name": {"type": "string"}, "port": {"type": "integer"}, "mode": {"type": "string", "enum": ["x"]}, "n": {"type": "integer", "maximum": 3}}),
        json!(["name"]),
    ));
    let object = json!({"kind": "A", "spec": {"list": [{"name": "a", "gone": "x", "port": 1, "mode": "x", "n": 3}, {"port": "p", "mode": "y", "n": 4}]}});
    let broken: Vec<String> = compare(&old, &new).fields.iter().flat_map(|field| field.breaks(&object)).collect();
    assert_eq!(broken, ["spec.list[a].gone", "spec.list[1].port", "spec.list[1].mode", "spec.list[1].n", "spec.list[1].name"]);
}

#[test]
fn a_schema_without_end_is_cut() {
    let mut deep = json!({"type": "string"});
    for _ in 0..150 {
        deep = json!({"type": "object", "properties": {"a": deep}});
    }
    let change = compare(&crd(deep), &crd(json!({"type": "object", "properties": {"a": {"type": "object"}}})));
    assert!(!change.truncated, "what is gone as a whole need not be walked");
    let mut deep_too = json!({"type": "integer"});
    let mut deep = json!({"type": "string"});
    for _ in 0..150 {
        deep = json!({"type": "object", "properties": {"a": deep}});
        deep_too = json!({"type": "object", "properties": {"a": deep_too}});
    }
    assert!(compare(&crd(deep), &crd(deep_too)).truncated);
}

fn json() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i32>().prop_map(Value::from),
        "[a-z]{0,6}".prop_map(Value::from)
    ];
    let word = prop_oneof![
        Just("properties"),
        Just("items"),
        Just("type"),
        Just("required"),
        Just("enum"),
        Just("additionalProperties"),
        Just("default"),
        Just("maximum"),
        Just("x-kubernetes-validations"),
        Just("spec"),
        Just("versions"),
        Just("name"),
        Just("schema"),
        Just("openAPIV3Schema"),
        Just("anyOf"),
        Just("names")
    ];
    leaf.prop_recursive(6, 60, 6, move |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            prop::collection::btree_map(word.clone().prop_map(str::to_owned), inner, 0..6)
                .prop_map(|map| Value::Object(map.into_iter().collect())),
        ]
    })
}

proptest! {
    #[test]
    fn nothing_panics_and_the_same_is_no_change(a in json(), b in json(), object in json()) {
        for (old, new) in [(a.clone(), b.clone()), (crd(a.clone()), crd(b.clone()))] {
            for field in compare(&old, &new).fields {
                let _ = field.breaks(&object);
            }
            prop_assert!(compare(&old, &old).is_empty());
        }
    }
}
