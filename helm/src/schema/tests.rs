use serde_json::json;

use super::*;

fn one(keys: &[&str], schema: &Value) -> ChartSchema {
    ChartSchema { keys: keys.iter().map(ToString::to_string).collect(), data: serde_json::to_vec(schema).unwrap().into() }
}

fn checked(schema: &Value) -> Result<Value, SchemaError> {
    check(&serde_json::to_vec(schema).unwrap())
}

#[test]
fn violations_name_the_path_and_not_the_value() {
    let schema = json!({"properties": {"rules": {"items": {"properties": {"n": {"type": "integer"}}}}}, "required": ["a"]});
    let sub = json!({"properties": {"replicas": {"type": "integer", "maximum": 3}}});
    let values = json!({"rules": [{"n": 1}, {"n": "hunter2"}], "grafana": {"replicas": 7}});
    let error = validate(&[one(&[], &schema), one(&["grafana"], &sub), one(&["absent"], &sub)], &values).unwrap_err();
    let SchemaError::Violated { violations } = &error else { panic!("{error:?}") };
    let paths: Vec<&str> = violations.iter().map(|v| v.path.as_str()).collect();
    assert!(paths.contains(&"rules[1].n") && paths.contains(&"grafana.replicas") && paths.contains(&""), "{paths:?}");
    assert!(!error.to_string().contains("hunter2"), "{error}");
    assert_eq!(validate(&[one(&["grafana"], &sub)], &json!({"grafana": {"replicas": 1}})), Ok(()));
    assert_eq!(validate(&[one(&["grafana"], &sub)], &json!({"grafana": null})), Ok(()));
}

#[test]
fn no_reference_leaves_the_document() {
    for target in ["http://h/x.json", "file:///dev/zero", "other.json", "//h/x", "#anchor", "urn:x"] {
        let error = checked(&json!({"properties": {"a/b": {"$ref": target}}})).unwrap_err();
        assert_eq!(error, SchemaError::RemoteRef { at: "/properties/a~1b/$ref".into(), reference: target.into() });
    }
    checked(&json!({"$defs": {"a b": {"type": "object"}}, "properties": {"x": {"$ref": "#/$defs/a%20b"}}})).unwrap();
    let dangling = checked(&json!({"$ref": "#/$defs/none"})).unwrap_err();
    assert!(matches!(dangling, SchemaError::DanglingRef { .. }), "{dangling:?}");
}

#[test]
fn circles_and_trillions_of_ways_are_refused() {
    for schema in [
        json!({"$ref": "#"}),
        json!({"allOf": [{"$ref": "#"}]}),
        json!({"$defs": {"a": {"$ref": "#/$defs/b"}, "b": {"not": {"$ref": "#/$defs/a"}}}}),
    ] {
        let error = checked(&schema).unwrap_err();
        assert!(matches!(error, SchemaError::Circle { .. }), "{error:?}");
    }
    let mut defs = serde_json::Map::new();
    defs.insert("d0".into(), json!({"type": "object"}));
    for level in 1..40 {
        let below = json!({"$ref": format!("#/$defs/d{}", level - 1)});
        defs.insert(format!("d{level}"), json!({"allOf": [below, below]}));
    }
    let error = checked(&json!({"$defs": defs, "$ref": "#/$defs/d39"})).unwrap_err();
    assert!(matches!(error, SchemaError::Circle { .. }), "{error:?}");
}

#[test]
fn a_recursive_schema_that_goes_deeper_is_fine() {
    let tree = json!({"type": "object", "properties": {"child": {"$ref": "#"}, "n": {"type": "integer"}}});
    let deep = json!({"child": {"child": {"n": "x"}}});
    let error = validate(&[one(&[], &tree)], &deep).unwrap_err();
    assert!(error.to_string().contains("child.child.n"), "{error}");
}

#[test]
fn size_depth_and_nonsense_are_answers_not_panics() {
    assert!(matches!(check(&vec![b' '; MAX_SCHEMA_BYTES + 1]), Err(SchemaError::TooLarge { .. })));
    assert!(matches!(check("[".repeat(100_000).as_bytes()), Err(SchemaError::NotJson { .. })));
    assert!(matches!(validate(&[one(&[], &json!({"type": 7}))], &json!({})), Err(SchemaError::Invalid { .. })));
    assert!(matches!(validate(&[one(&[], &json!({"$schema": "http://h/meta.json"}))], &json!({})), Err(SchemaError::Invalid { .. })));
}
