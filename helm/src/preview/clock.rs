//! The time of the second render: a day later. A chart may write the day or the minute, and two renders of one minute would have it alike.

use std::borrow::Cow;

/// `now`, and a day, an hour, a minute and a second: every part of it is another one, but for the month and the year, which most upgrades
/// have in common. There is no quote in it, so that it breaks no text where `now` is a word of one.
pub(super) const LATER: &str = "((now).Add 90061000000000)";

/// The text of a template, or of values that may be one, for whom it is a day later.
pub(super) fn later(text: &str) -> Cow<'_, str> {
    if !text.contains("now") {
        return Cow::Borrowed(text);
    }
    let action = |part: &str| {
        let (action, rest) = part.split_at(part.find("}}").unwrap_or(part.len()));
        // What stands in quotes is text.
        let code = |(n, piece): (usize, &str)| if n % 2 == 0 { replaced(piece) } else { piece.to_owned() };
        action.split('"').enumerate().map(code).collect::<Vec<_>>().join("\"") + rest
    };
    let part = |(n, part): (usize, &str)| if n == 0 { part.to_owned() } else { action(part) };
    text.split("{{").enumerate().map(part).collect::<Vec<_>>().join("{{").into()
}

fn replaced(code: &str) -> String {
    let part_of_word = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '.' | '$');
    let mut out = String::with_capacity(code.len());
    let mut from = 0;
    for (at, word) in code.match_indices("now") {
        let end = at + word.len();
        let is_name = code[..at].ends_with(part_of_word) || code[end..].starts_with(|c: char| c.is_ascii_alphanumeric() || c == '_');
        out.push_str(&code[from..at]);
        out.push_str(if is_name { word } else { LATER });
        from = end;
    }
    out + &code[from..]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn now_is_a_day_later_in_actions() {
        for (text, expected) in [
            ("at: {{ now | date \"now\" }} now", "at: {{ NOW | date \"now\" }} now"),
            ("{{now}}{{- $now := now -}}{{ $now }}{{ .Values.now }}", "{{NOW}}{{- $now := NOW -}}{{ $now }}{{ .Values.now }}"),
            ("{{ (now).Unix }}{{ now.Unix }}{{ nowhere }}{{ known }}", "{{ (NOW).Unix }}{{ NOW.Unix }}{{ nowhere }}{{ known }}"),
            ("{{ date \"2006\" now }}{{ now|unixEpoch }}", "{{ date \"2006\" NOW }}{{ NOW|unixEpoch }}"),
        ] {
            assert_eq!(later(text), expected.replace("NOW", LATER));
        }
    }
}
