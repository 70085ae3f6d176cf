//! Two ways to write one object, where the API server takes both and stores one.

use std::borrow::Cow;

use serde_json::{Map, Value, json};

use super::identity::text;

/// The object as the API server would keep it; borrowed when it is written so already.
pub(super) fn stored(value: &Value) -> Cow<'_, Value> {
    match text(value, "kind") {
        "Secret" if value["stringData"].is_object() => Cow::Owned(secret(value)),
        "Ingress" if text(value, "apiVersion").ends_with("/v1beta1") => Cow::Owned(ingress(value)),
        _ => Cow::Borrowed(value),
    }
}

/// `stringData` is written into `data`, and wins there.
fn secret(value: &Value) -> Value {
    let mut value = value.clone();
    let Some(map) = value.as_object_mut() else { return value };
    let Some(Value::Object(texts)) = map.remove("stringData") else { return value };
    let data = map.entry("data").or_insert_with(|| Value::Object(Map::new()));
    if data.is_null() {
        *data = Value::Object(Map::new());
    }
    if let Some(data) = data.as_object_mut() {
        for (key, text) in texts {
            let encoded = text.as_str().map(|text| Value::String(base64(text.as_bytes())));
            data.insert(key, encoded.unwrap_or(text));
        }
    }
    value
}

/// The backends of `v1beta1` in the words of `v1`. `apiVersion` stays, so that the move is told.
fn ingress(value: &Value) -> Value {
    let mut value = value.clone();
    if let Some(spec) = value.get_mut("spec").and_then(Value::as_object_mut)
        && let Some(backend) = spec.remove("backend")
    {
        spec.insert("defaultBackend".to_owned(), backend_v1(&backend));
    }
    let rules = value.pointer_mut("/spec/rules").and_then(Value::as_array_mut);
    for path in rules.into_iter().flatten().filter_map(|rule| rule.pointer_mut("/http/paths")?.as_array_mut()).flatten() {
        let Some(path) = path.as_object_mut() else { continue };
        if let Some(backend) = path.get("backend").map(backend_v1) {
            path.insert("backend".to_owned(), backend);
        }
        path.entry("pathType").or_insert_with(|| json!("ImplementationSpecific"));
    }
    value
}

fn backend_v1(backend: &Value) -> Value {
    let Some(name) = backend.get("serviceName") else { return backend.clone() };
    let port = match backend.get("servicePort") {
        Some(Value::String(name)) => json!({ "name": name }),
        Some(number) => json!({ "number": number }),
        None => Value::Null,
    };
    json!({ "service": { "name": name, "port": port } })
}

/// A text as Secrets keep it.
pub(super) fn base64(bytes: &[u8]) -> String {
    const LETTERS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut out = String::with_capacity(bytes.len().div_ceil(3) * 4);
    for chunk in bytes.chunks(3) {
        let number = chunk.iter().enumerate().fold(0_u32, |sum, (at, byte)| sum | u32::from(*byte) << (16 - 8 * at));
        for at in 0..4 {
            let letter = LETTERS[(number >> (18 - 6 * at) & 63) as usize];
            out.push(if at <= chunk.len() { char::from(letter) } else { '=' });
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn base64_of_all_lengths() {
        for (text, encoded) in [("", ""), ("f", "Zg=="), ("fo", "Zm8="), ("foo", "Zm9v"), ("foob", "Zm9vYg=="), ("\u{ff}~", "w79+")] {
            assert_eq!(base64(text.as_bytes()), encoded, "RFC 4648, 10");
        }
    }

    #[test]
    fn ingresses_in_old_words() {
        let old = json!({"apiVersion": "extensions/v1beta1", "kind": "Ingress", "spec": {
            "backend": {"serviceName": "d", "servicePort": "http"},
            "rules": [{"http": {"paths": [{"path": "/", "backend": {"serviceName": "a", "servicePort": 80}}]}}, {}],
        }});
        let spec = json!({
            "defaultBackend": {"service": {"name": "d", "port": {"name": "http"}}},
            "rules": [{"http": {"paths": [{"path": "/", "pathType": "ImplementationSpecific", "backend": {"service": {"name": "a", "port": {"number": 80}}}}]}}, {}],
        });
        assert_eq!(stored(&old)["spec"], spec);
    }

    #[test]
    fn secrets_in_clear_text() {
        let old = json!({"kind": "Secret", "stringData": {"a": "foo"}, "data": {"a": "x", "b": "y"}});
        assert_eq!(*stored(&old), json!({"kind": "Secret", "data": {"a": "Zm9v", "b": "y"}}));
    }
}
