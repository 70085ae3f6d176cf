//! Values and texts of charts in a line: short, and without anything that steers a terminal.

use crate::output::clean;
use serde_json::Value;
use unicode_width::{UnicodeWidthChar, UnicodeWidthStr};

/// Characters of a common beginning that stay when two long values are told apart.
const CONTEXT: usize = 12;

/// Text of a chart in one line. Characters that turn the writing direction or have no width go too: a name must read as it is.
pub(super) fn safe(text: &str) -> String {
    let hidden = |c: char| matches!(c, '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}');
    let cleaned: String = clean(text).chars().map(|c| if hidden(c) { '\u{fffd}' } else { c }).collect();
    cleaned.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// A value in one line, of any length.
pub(super) fn plain(value: &Value) -> String {
    match value {
        // A text that looks like something else, or like nothing, is quoted.
        Value::String(text) => {
            let other = serde_json::from_str::<Value>(text).is_ok() || text.is_empty() || text.trim() != text;
            safe(&if other { format!("{text:?}") } else { text.clone() })
        }
        other => safe(&other.to_string()),
    }
}

/// `before -> after` within so many columns. Of two long texts the common beginning goes first: what differs must be seen.
pub(super) fn change(before: Option<&Value>, after: Option<&Value>, width: usize) -> Option<String> {
    match (before.map(plain), after.map(plain)) {
        (None, None) => None,
        (Some(before), None) => Some(format!("was {}", cut(&before, width.saturating_sub(4)))),
        (None, Some(after)) => Some(format!("now {}", cut(&after, width.saturating_sub(4)))),
        (Some(before), Some(after)) => {
            let (before, after) = apart(before, after, width);
            Some(format!("{before} -> {after}"))
        }
    }
}

fn apart(before: String, after: String, width: usize) -> (String, String) {
    let room = width.saturating_sub(4);
    if before.width() + after.width() <= room {
        return (before, after);
    }
    let half = room / 2;
    let shared = before.chars().zip(after.chars()).take_while(|(a, b)| a == b).count();
    let skip = if shared + CONTEXT > half { shared.saturating_sub(CONTEXT) } else { 0 };
    let tail = |text: String| if skip == 0 { text } else { format!("…{}", text.chars().skip(skip).collect::<String>()) };
    let (before, after) = (tail(before), tail(after));
    // A short one leaves its room to the other.
    let before_room = half.max(room.saturating_sub(after.width()));
    let before = cut(&before, before_room);
    let after_room = room.saturating_sub(before.width());
    (before, cut(&after, after_room))
}

/// The text within so many columns, with … where it was cut.
pub(super) fn cut(text: &str, width: usize) -> String {
    if text.width() <= width {
        return text.to_owned();
    }
    let (mut kept, mut used) = (String::new(), 0);
    for c in text.chars() {
        used += c.width().unwrap_or(0);
        if used >= width.max(1) {
            break;
        }
        kept.push(c);
    }
    kept + "…"
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn said(before: Value, after: Value, width: usize) -> String {
        change(Some(&before), Some(&after), width).unwrap()
    }

    #[test]
    fn values_are_short_and_tell_apart() {
        assert_eq!(said(json!("a"), json!("b"), 40), "a -> b");
        assert_eq!(said(json!(1), json!("1"), 40), r#"1 -> "1""#);
        assert_eq!(said(json!(""), json!(null), 40), r#""" -> null"#);
        assert_eq!(said(json!({"a": [1]}), json!({}), 40), r#"{"a":[1]} -> {}"#);
        assert_eq!(change(None, Some(&json!(true)), 40).unwrap(), "now true");
        assert_eq!(change(Some(&json!("x")), None, 40).unwrap(), "was x");
        assert_eq!(change(None, None, 40), None);
    }

    #[test]
    fn of_long_values_the_difference_is_shown() {
        let long = |end: &str| json!(format!("{}{end}", "registry.example/a/very/long/path/".repeat(4)));
        let text = said(long("one"), long("two"), 50);
        assert!(text.contains("one -> …") && text.ends_with("two"), "{text}");
        assert!(text.width() <= 50, "{text}");
        let text = said(json!("x".repeat(90)), json!("y".repeat(90)), 40);
        assert_eq!(text.width(), 40, "{text}");
    }

    #[test]
    fn widths_are_columns_not_characters() {
        assert_eq!(cut("日本語テキスト", 7), "日本語…");
        assert_eq!(cut("日本", 4), "日本");
    }

    #[test]
    fn nothing_steers_the_terminal() {
        assert_eq!(safe("a\u{1b}[31m\nb\u{202e}c"), "a\u{fffd}[31m b\u{fffd}c");
        assert_eq!(plain(&json!("\u{7}x")), "\u{fffd}x");
    }
}
