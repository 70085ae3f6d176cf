//! Scalars written so that every YAML reader takes them for what they are.

use std::fmt::Write as _;

use serde_json::Value;

use super::resolve::{Typed, helm, yaml12};
use super::tree::may_stand_raw;

/// `text` between double quotes, on one line, without the quotes.
pub(crate) fn escape_double(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            c if may_stand_raw(c) => out.push(c),
            // All that may not stand raw lies below U+10000.
            c => {
                let _ = write!(out, "\\u{:04X}", u32::from(c));
            }
        }
    }
    out
}

/// `text` as a double-quoted scalar.
pub(crate) fn double_quoted(text: &str) -> String {
    format!("\"{}\"", escape_double(text))
}

/// `text` for the inside of a single-quoted scalar on one line; `None` if that style cannot hold it.
pub(crate) fn escape_single(text: &str) -> Option<String> {
    text.chars().all(may_stand_raw).then(|| text.replace('\'', "''"))
}

/// A value on one line: JSON, with a space after `:` and `,`, and the escapes YAML needs.
pub(crate) fn flow(value: &Value) -> String {
    match value {
        Value::Null | Value::Bool(_) | Value::Number(_) => value.to_string(),
        Value::String(text) => double_quoted(text),
        Value::Array(items) => format!("[{}]", items.iter().map(flow).collect::<Vec<_>>().join(", ")),
        Value::Object(map) => {
            let entries: Vec<_> = map.iter().map(|(key, value)| format!("{}: {}", double_quoted(key), flow(value))).collect();
            format!("{{{}}}", entries.join(", "))
        }
    }
}

/// `text` without quotes where no reader can take it for anything but this string, else double-quoted.
pub(crate) fn plain_or_quoted(text: &str) -> String {
    let mut chars = text.chars();
    let plain_shape = chars.next().is_some_and(|c| c.is_ascii_alphabetic())
        && chars.all(|c| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-' | '/'));
    let same = Typed::Str(text.to_owned());
    if plain_shape && helm(None, text).is_ok_and(|typed| typed == same) && yaml12(text) == same {
        text.to_owned()
    } else {
        double_quoted(text)
    }
}
