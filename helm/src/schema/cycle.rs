//! Schemas that a validator would follow for ever.
//!
//! Keywords such as `allOf` and `$ref` apply another schema to the *same* value. Following only those, the schema must
//! be a graph without circles, and the number of ways through it must stay small: `{"$ref": "#"}` overflows a stack, and
//! forty levels of `allOf: [X, X]` take a trillion steps.

use std::collections::HashMap;

use serde_json::Value;

use super::SchemaError;

/// Schemas applied to one value, counted with repetition. The largest public schema that was looked at stays below 100.
const MAX_WAYS: u64 = 10_000;

const ONE: &[&str] = &["not", "if", "then", "else"];
const MANY: &[&str] = &["allOf", "anyOf", "oneOf"];
const NAMED: &[&str] = &["dependentSchemas", "dependencies"];
const REFS: &[&str] = &["$ref", "$dynamicRef", "$recursiveRef"];

struct Walk<'a> {
    root: &'a Value,
    /// Pointer of a schema to its number of ways, or `None` while it is on the stack.
    ways: HashMap<String, Option<u64>>,
}

/// Refuses circles, dangling references and too many ways.
pub(super) fn check(root: &Value) -> Result<(), SchemaError> {
    let mut walk = Walk { root, ways: HashMap::new() };
    walk.everything(root, "")
}

impl Walk<'_> {
    /// Each object of the document may be a schema that some value meets, so each is a start.
    fn everything(&mut self, at: &Value, pointer: &str) -> Result<(), SchemaError> {
        let mut visit = |key: &str, value: &Value| self.everything(value, &join(pointer, key));
        match at {
            Value::Object(map) => map.iter().try_for_each(|(key, value)| visit(key, value))?,
            Value::Array(items) => items.iter().enumerate().try_for_each(|(i, v)| visit(&i.to_string(), v))?,
            _ => return Ok(()),
        }
        self.count(at, pointer, 0).map(|_| ())
    }

    fn count(&mut self, schema: &Value, pointer: &str, depth: usize) -> Result<u64, SchemaError> {
        let circle = || SchemaError::Circle { at: if pointer.is_empty() { "#".into() } else { pointer.to_owned() } };
        match self.ways.get(pointer) {
            Some(Some(ways)) => return Ok(*ways),
            Some(None) => return Err(circle()),
            None => {}
        }
        // A chain of references can be as long as the document; the stack is not.
        if depth > 256 {
            return Err(circle());
        }
        let Value::Object(map) = schema else { return Ok(1) };
        self.ways.insert(pointer.to_owned(), None);
        let mut ways = 1_u64;
        for (key, value) in map {
            let here = join(pointer, key);
            let key = key.as_str();
            if ONE.contains(&key) {
                ways = ways.saturating_add(self.count(value, &here, depth + 1)?);
            } else if let (true, Value::Array(items)) = (MANY.contains(&key), value) {
                for (index, item) in items.iter().enumerate() {
                    ways = ways.saturating_add(self.count(item, &join(&here, &index.to_string()), depth + 1)?);
                }
            } else if let (true, Value::Object(named)) = (NAMED.contains(&key), value) {
                for (name, item) in named {
                    ways = ways.saturating_add(self.count(item, &join(&here, name), depth + 1)?);
                }
            } else if let (true, Value::String(reference)) = (REFS.contains(&key), value) {
                let target = reference.strip_prefix('#').unwrap_or(reference);
                let target = decoded(target);
                let Some(found) = self.root.pointer(&target) else {
                    return Err(SchemaError::DanglingRef { at: here, reference: reference.clone() });
                };
                ways = ways.saturating_add(self.count(found, &target, depth + 1)?);
            }
        }
        if ways > MAX_WAYS {
            return Err(circle());
        }
        self.ways.insert(pointer.to_owned(), Some(ways));
        Ok(ways)
    }
}

fn join(pointer: &str, key: &str) -> String {
    format!("{pointer}/{}", key.replace('~', "~0").replace('/', "~1"))
}

/// A reference is a URI fragment: its pointer may be percent-encoded.
fn decoded(pointer: &str) -> String {
    let mut out = Vec::with_capacity(pointer.len());
    let bytes = pointer.as_bytes();
    let mut at = 0;
    while at < bytes.len() {
        let hex = pointer.get(at + 1..at + 3).and_then(|h| u8::from_str_radix(h, 16).ok());
        match (bytes[at], hex) {
            (b'%', Some(byte)) => {
                out.push(byte);
                at += 3;
            }
            (byte, _) => {
                out.push(byte);
                at += 1;
            }
        }
    }
    String::from_utf8_lossy(&out).into_owned()
}
