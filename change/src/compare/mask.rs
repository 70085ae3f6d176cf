//! Takes secrets out of what is shown.

use std::borrow::Cow;

use serde_json::{Map, Value};

use super::Step;

/// Stands in the place of a secret.
pub(crate) const MASK: &str = "(secret)";

/// Words that make a key one of a secret, in lower case and without separators.
const SECRET_WORDS: [&str; 13] = [
    "password",
    "passwd",
    "passphrase",
    "secret",
    "token",
    "apikey",
    "accesskey",
    "privatekey",
    "secretkey",
    "encryptionkey",
    "signingkey",
    "credential",
    "htpasswd",
];
/// Ends of keys that name where a secret is, or say something about it.
const HARMLESS_ENDS: [&str; 19] = [
    "name",
    "names",
    "ref",
    "refs",
    "file",
    "files",
    "path",
    "paths",
    "key",
    "keys",
    "seconds",
    "url",
    "uri",
    "namespace",
    "type",
    "mode",
    "policy",
    "enabled",
    "header",
];
/// Keys of secrets although they end like a harmless one.
const SECRET_ENDS: [&str; 6] = ["apikey", "accesskey", "privatekey", "secretkey", "encryptionkey", "signingkey"];

/// Whether what stands at this key is to be kept out of sight.
pub(crate) fn is_secret_key(key: &str) -> bool {
    let plain: String = key.chars().filter(char::is_ascii_alphanumeric).map(|c| c.to_ascii_lowercase()).collect();
    if SECRET_ENDS.iter().any(|end| plain.ends_with(end)) {
        return true;
    }
    SECRET_WORDS.iter().any(|word| plain.contains(word))
        && !HARMLESS_ENDS.iter().any(|end| plain.ends_with(end))
        && !matches!(plain.as_str(), "existingsecret" | "secrets" | "tls.secret" | "imagepullsecrets")
}

/// The value as it may be shown.
pub(crate) fn masked(kind: &str, path: &[Step], value: &Value) -> Value {
    let key = path.iter().rev().find_map(|step| match step {
        Step::Key(key) => Some(key.as_str()),
        Step::Item(_) | Step::Index(_) => None,
    });
    if kind == "Secret" && matches!(path.first(), Some(Step::Key(top)) if top == "data" || top == "stringData") {
        return hide_all(value);
    }
    // What a CRD says of a field called `token` is its pattern and its bounds, and everybody may read them.
    if kind == "CustomResourceDefinition" && matches!(path.first(), Some(Step::Key(top)) if top == "spec") {
        return value.clone();
    }
    // `env[DB_PASSWORD].value`: the name of the item says what it is.
    if let [.., Step::Item(name), Step::Key(last)] = path
        && last == "value"
        && is_secret_key(name)
    {
        return hide_all(value);
    }
    mask_in(kind, path.is_empty(), key, value)
}

/// A value of a values document as it may be shown: hidden whole where a key on the way to it looks like a secret's, for charts give
/// such keys any shape.
pub(crate) fn of_values(keys: &[&str], value: &Value) -> Value {
    if keys.iter().any(|key| is_secret_key(key)) && !matches!(value, Value::Null | Value::Bool(_)) {
        return Value::String(MASK.to_owned());
    }
    match value {
        Value::Object(map) => {
            let secret_entry = names_secret(map);
            let each = |(name, value): (&String, &Value)| {
                let hidden = secret_entry && name == "value";
                (name.clone(), if hidden { Value::String(MASK.to_owned()) } else { of_values(&[name], value) })
            };
            Value::Object(map.iter().map(each).collect())
        }
        Value::Array(items) => {
            let each = |at: usize| if after_secret_flag(items, at) { MASK.into() } else { of_values(&[], &items[at]) };
            Value::Array((0..items.len()).map(each).collect())
        }
        leaf => mask_in("", false, keys.last().copied(), leaf),
    }
}

/// Whether the `value` beside this `name` is a secret, as in `env`.
pub(super) fn names_secret(map: &Map<String, Value>) -> bool {
    map.get("name").and_then(Value::as_str).is_some_and(is_secret_key)
}

fn mask_in(kind: &str, top: bool, key: Option<&str>, value: &Value) -> Value {
    match value {
        Value::Object(map) => {
            let secret_entry = names_secret(map);
            let each = |(name, value): (&String, &Value)| {
                let hidden =
                    (top && kind == "Secret" && matches!(name.as_str(), "data" | "stringData")) || (secret_entry && name == "value");
                (name.clone(), if hidden { hide_all(value) } else { mask_in(kind, false, Some(name), value) })
            };
            Value::Object(map.iter().map(each).collect())
        }
        Value::Array(items) => mask_list(kind, key, items),
        Value::String(text) if key.is_some_and(is_secret_key) && !text.is_empty() => Value::String(MASK.to_owned()),
        Value::Number(_) if key.is_some_and(is_secret_key) => Value::String(MASK.to_owned()),
        // A colon in an image is no key's.
        Value::String(text) if key == Some("image") => Value::String(text.clone()),
        Value::String(text) => Value::String(masked_text(text).into_owned()),
        Value::Null | Value::Bool(_) | Value::Number(_) => value.clone(),
    }
}

/// `--password x` are two items; the second is known by the first.
fn mask_list(kind: &str, key: Option<&str>, items: &[Value]) -> Value {
    let mut after_flag = false;
    let each = |item: &Value| {
        let hidden = std::mem::replace(&mut after_flag, is_secret_flag(item));
        if hidden && item.as_str().is_some_and(|text| !text.starts_with('-')) {
            Value::String(MASK.to_owned())
        } else {
            mask_in(kind, false, key, item)
        }
    };
    Value::Array(items.iter().map(each).collect())
}

fn is_secret_flag(item: &Value) -> bool {
    item.as_str().is_some_and(|text| text.starts_with('-') && !text.contains(['=', ' ', '\n']) && is_secret_key(text))
}

/// Whether the item is the value of the flag before it, and secret.
pub(super) fn after_secret_flag(items: &[Value], at: usize) -> bool {
    let before = at.checked_sub(1).and_then(|before| items.get(before));
    before.is_some_and(is_secret_flag) && items[at].as_str().is_some_and(|text| !text.starts_with('-'))
}

/// The item of a list of arguments, hidden where it is the value of a secret flag.
pub(super) fn item(items: &[Value], at: usize) -> Value {
    if after_secret_flag(items, at) { Value::String(MASK.to_owned()) } else { items[at].clone() }
}

pub(super) fn hide_all(value: &Value) -> Value {
    match value {
        Value::Object(map) => Value::Object(map.iter().map(|(key, value)| (key.clone(), hide_all(value))).collect()),
        Value::Array(items) => Value::Array(items.iter().map(hide_all).collect()),
        Value::Null => Value::Null,
        Value::Bool(_) | Value::Number(_) | Value::String(_) => Value::String(MASK.to_owned()),
    }
}

/// Text with what follows a secret's key, and what stands before the `@` of a URL, taken out.
pub(crate) fn masked_text(text: &str) -> Cow<'_, str> {
    // `tls.key` is a key like any other by its name.
    if text.contains("PRIVATE KEY-----") {
        return Cow::Borrowed(MASK);
    }
    if !text.contains([':', '=']) {
        return Cow::Borrowed(text);
    }
    let mut changed = false;
    let lines: Vec<Cow<'_, str>> = text
        .split('\n')
        .map(|line| {
            let line = mask_line(line);
            changed |= matches!(line, Cow::Owned(_));
            line
        })
        .collect();
    if changed { Cow::Owned(lines.join("\n")) } else { Cow::Borrowed(text) }
}

/// Cuts a line behind the first key of a secret that is followed by a value. What comes after it on the line is lost too: JSON on
/// one line cannot be told from a secret with commas in it.
fn mask_line(line: &str) -> Cow<'_, str> {
    for (at, separator) in line.match_indices([':', '=']) {
        let key = word_before(&line[..at]);
        // `image:tag` and `host:port` have no space and no quotes; keys of YAML and JSON have one or the other.
        let is_key = separator == "=" || line[..at].ends_with(['"', '\'']) || line[at + 1..].starts_with([' ', '\t']);
        if !is_key || key.is_empty() || !is_secret_key(key) {
            continue;
        }
        let rest = line[at + separator.len()..].trim();
        let structural = rest.is_empty() || matches!(rest, "{" | "[" | "|" | ">" | "|-" | ">-" | "\"\"" | "''" | "null" | "true" | "false");
        if !structural {
            return Cow::Owned(format!("{} {MASK}", &line[..=at]));
        }
    }
    mask_url(line)
}

/// The key that ends here, without its quotes.
fn word_before(text: &str) -> &str {
    let text = text.trim_end().trim_end_matches(['"', '\'']);
    let from = text
        .rfind(|c: char| !(c.is_alphanumeric() || matches!(c, '_' | '-' | '.')))
        .map_or(0, |at| at + text[at..].chars().next().map_or(1, char::len_utf8));
    &text[from..]
}

fn mask_url(line: &str) -> Cow<'_, str> {
    let mut out = String::new();
    let mut rest = line;
    while let Some(at) = rest.find("://") {
        let after = &rest[at + 3..];
        let end = after.find(['/', ' ', '"', '\'', '?', ',']).unwrap_or(after.len());
        out.push_str(&rest[..at + 3]);
        let authority = &after[..end];
        match authority.rfind('@') {
            Some(host) if authority[..host].contains(':') => {
                out.push_str(MASK);
                out.push_str(&authority[host..]);
            }
            _ => out.push_str(authority),
        }
        rest = &after[end..];
    }
    if out.is_empty() {
        return Cow::Borrowed(line);
    }
    out.push_str(rest);
    if out == line { Cow::Borrowed(line) } else { Cow::Owned(out) }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn keys() {
        for key in ["password", "adminPassword", "bearerToken", "API_KEY", "client-secret", "GF_SECURITY_ADMIN_PASSWORD", "secretKey"] {
            assert!(is_secret_key(key), "{key}");
        }
        for key in
            ["secretName", "passwordKey", "tokenFile", "topologyKey", "key", "existingSecret", "bearerTokenSecretRef", "name", "image"]
        {
            assert!(!is_secret_key(key), "{key}");
        }
    }

    #[test]
    fn texts() {
        for (text, shown) in [
            ("a: 1", "a: 1"),
            ("password: x", "password: (secret)"),
            ("admin_password = x", "admin_password = (secret)"),
            (r#"{"a":1,"password":"x"}"#, r#"{"a":1,"password": (secret)"#),
            ("--web.token=abc", "--web.token= (secret)"),
            ("http://user:pw@host/x", "http://(secret)@host/x"),
            ("http://host/x", "http://host/x"),
            ("password:", "password:"),
            ("quay.io/external-secrets:1.2", "quay.io/external-secrets:1.2"),
            ("summary: token: yes or no", "summary: token: (secret)"),
            ("-----BEGIN EC PRIVATE KEY-----\nMHcC", "(secret)"),
        ] {
            assert_eq!(masked_text(text), shown);
        }
    }

    #[test]
    fn values_documents() {
        let value = json!({
            "adminPassword": "x", "existingSecret": "name", "list": [{"token": "t", "port": 1}], "keys": ["a"], "args": ["--password", "x"],
            "credentials": {"user": "u"}, "tokens": true, "ini": "a = b\npassword = x", "env": [{"name": "API_KEY", "value": "x"}],
        });
        let shown = json!({
            "adminPassword": MASK, "existingSecret": "name", "list": [{"token": MASK, "port": 1}], "keys": ["a"], "args": ["--password", MASK],
            "credentials": MASK, "tokens": true, "ini": "a = b\npassword = (secret)", "env": [{"name": "API_KEY", "value": MASK}],
        });
        assert_eq!(of_values(&["grafana"], &value), shown);
        assert_eq!(of_values(&["grafana"], &shown), shown, "it is shown by several on its way");
        assert_eq!(of_values(&["a", "b", "apiKey"], &json!("x")), json!(MASK));
    }

    #[test]
    fn schemas_are_no_secrets() {
        let path = |keys: &[&str]| keys.iter().map(|key| Step::Key((*key).to_owned())).collect::<Vec<_>>();
        let field = json!({"type": "string", "pattern": "^token: [a-z]+$", "default": {"password": "none"}});
        let at = path(&["spec", "versions", "schema", "properties", "token"]);
        assert_eq!(masked("CustomResourceDefinition", &at, &field), field);
        assert_ne!(masked("Thing", &at, &field), field);
    }

    #[test]
    fn values() {
        let env = json!([{"name": "DB_PASSWORD", "value": "x"}, {"name": "A", "value": "b"}]);
        assert_eq!(masked("Deployment", &[], &env), json!([{"name": "DB_PASSWORD", "value": MASK}, {"name": "A", "value": "b"}]));
        assert_eq!(masked("Deployment", &[], &json!(["--password", "x", "-v"])), json!(["--password", MASK, "-v"]));
        assert_eq!(masked("Secret", &[], &json!({"kind": "Secret", "data": {"a": "b"}})), json!({"kind": "Secret", "data": {"a": MASK}}));
    }
}
