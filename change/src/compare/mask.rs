//! Takes secrets out of what is shown.

mod key;

use std::borrow::Cow;

use serde_json::{Map, Value};

use super::Step;
pub(crate) use key::{is_secret_key, is_secret_value_key};

/// Shortest text that is taken for a token: those in use have 20 characters and more.
const TOKEN: usize = 20;
/// Length of a commit in hexadecimal digits, which stands in many a link.
const COMMIT: usize = 40;

/// Stands in the place of a secret.
pub(crate) const MASK: &str = "(secret)";

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
    let hidden =
        keys.iter().any(|key| is_secret_key(key)) || keys.last().is_some_and(|last| is_secret_value_key(last) && !value.is_object());
    if hidden && !matches!(value, Value::Null | Value::Bool(_)) {
        return Value::String(MASK.to_owned());
    }
    match value {
        Value::String(text) if is_credential(text) => Value::String(MASK.to_owned()),
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

/// Whether a text looks like a credential by itself: a signed token, or a user and password before a host.
fn is_credential(text: &str) -> bool {
    let text = text.trim();
    let token = |start: &str| text.starts_with(start) && text.len() >= TOKEN;
    let known = ["eyJ", "ghp_", "gho_", "github_pat_", "glpat-", "xoxb-", "xoxp-", "xapp-", "AKIA", "SG.", "sk-", "hvs."];
    // `user:password@tcp(host)/db`, but not `image:tag@sha256:…`.
    let login = !text.contains(char::is_whitespace)
        && !text.contains("://")
        && text.split_once('@').is_some_and(|(user, host)| user.contains(':') && !host.starts_with("sha"));
    known.into_iter().any(token) || login
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
            return Cow::Owned(format!("{} {MASK}", mask_url(&line[..=at])));
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

/// Takes out what stands before the `@` of a URL, and the rest of its path from a part on that looks like a token: who knows such
/// an address of a chat or pager may write there.
fn mask_url(line: &str) -> Cow<'_, str> {
    let mut out = String::new();
    let mut rest = line;
    while let Some(at) = rest.find("://") {
        let after = &rest[at + 3..];
        let end = after.find(['/', ' ', '"', '\'', '?', ',']).unwrap_or(after.len());
        out.push_str(&rest[..at + 3]);
        let authority = &after[..end];
        match authority.rfind('@') {
            Some(host) => {
                out.push_str(MASK);
                out.push_str(&authority[host..]);
            }
            None => out.push_str(authority),
        }
        rest = &after[end..];
        if rest.starts_with('/') {
            let end = rest.find([' ', '"', '\'', '?', ',', ')', '>', '#']).unwrap_or(rest.len());
            let path = &rest[..end];
            let mut starts = path.match_indices('/').map(|(at, _)| at + 1);
            let token = starts.find(|at| is_token(path[*at..].split('/').next().unwrap_or_default())).unwrap_or(path.len());
            out.push_str(&path[..token]);
            if token < path.len() {
                out.push_str(MASK);
            }
            rest = &rest[end..];
        }
    }
    if out.is_empty() {
        return Cow::Borrowed(line);
    }
    out.push_str(rest);
    if out == line { Cow::Borrowed(line) } else { Cow::Owned(out) }
}

/// Whether a part of a path is no word: long, of digits and letters mixed. Names with hyphens have to have capitals too.
fn is_token(part: &str) -> bool {
    let all = |wanted: fn(&char) -> bool| part.chars().all(|c| wanted(&c));
    let any = |wanted: fn(&char) -> bool| part.chars().any(|c| wanted(&c));
    let mixed = any(char::is_ascii_digit) && any(char::is_ascii_alphabetic);
    let commit = part.len() == COMMIT && all(char::is_ascii_hexdigit);
    let cased = any(char::is_ascii_uppercase) && any(char::is_ascii_lowercase);
    part.len() >= TOKEN
        && mixed
        && !commit
        && (all(char::is_ascii_alphanumeric) || (cased && all(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '_'))))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

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
            ("db=postgres://u:x@h/d?password=y", "db=postgres://(secret)@h/d?password= (secret)"),
            ("https://token@host/x, https://host/y", "https://(secret)@host/x, https://host/y"),
            ("https://hooks.chat/services/T0/B0/a1B2c3D4e5F6g7H8i9J0k1L2 x", "https://hooks.chat/services/T0/B0/(secret) x"),
            ("https://h/api/webhooks/1/aB3-de_gh1jKlMnOpQrS/x?y=1", "https://h/api/webhooks/1/(secret)?y=1"),
            ("https://h/blob/0123456789abcdef0123456789abcdef01234567/x", "https://h/blob/0123456789abcdef0123456789abcdef01234567/x"),
            ("https://h/runbooks/kube-api-error-budget-burn-2", "https://h/runbooks/kube-api-error-budget-burn-2"),
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
        assert_eq!(
            of_values(&["basicAuth"], &json!({"user": "u", "pw": "x", "key": "y", "enabled": true})),
            json!({"user": "u", "pw": MASK, "key": MASK, "enabled": true})
        );
        for credential in ["eyJhbGciOiJIUzI1NiJ9.e30.x", "root:pw@tcp(db:3306)/x", "ghp_0123456789abcdef0123", "postgres://u:p@h/d"] {
            assert!(of_values(&["some", "value"], &json!(credential)).as_str().unwrap().contains(MASK), "{credential}");
        }
        for fine in ["quay.io/a/b:1@sha256:00ff", "a@b.c", "15d", "https://grafana.corp/"] {
            assert_eq!(of_values(&["some", "value"], &json!(fine)), json!(fine));
        }
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
