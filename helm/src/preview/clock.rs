//! The time of the second render: a day later. A chart may write the day or the minute, and two renders of one minute would have it alike.
//! Values and files that a template reads stay as they are: what is written there is text for whoever gets it, and only seldom for `tpl`.

use std::borrow::Cow;

/// `now`, and a day, an hour, a minute and a second: every part of it is another one, but for the month and the year, which most upgrades
/// have in common. There is no quote in it, so that it breaks no text where `now` is a word of one.
pub(super) const LATER: &str = "((now).Add 90061000000000)";

/// The text of a template for whom it is a day later. Actions are read as Go's `text/template` reads them: what stands in quotes, in
/// backticks (a dashboard of Grafana, with braces and quotes of its own) or in a comment is no code.
pub(super) fn later(text: &str) -> Cow<'_, str> {
    if !text.contains("now") {
        return Cow::Borrowed(text);
    }
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find(OPEN) {
        let (before, code) = rest.split_at(at + OPEN.len());
        out.push_str(before);
        rest = action(code, &mut out);
    }
    out.push_str(rest);
    out.into()
}

const OPEN: &str = "{{";
const CLOSE: &str = "}}";

/// Writes an action up to its end and answers what follows it.
fn action<'a>(mut code: &'a str, out: &mut String) -> &'a str {
    while let Some(at) = code.find(['"', '`', '\'', '/', '}']) {
        let (before, special) = code.split_at(at);
        out.push_str(&replaced(before));
        if special.starts_with(CLOSE) {
            return special;
        }
        let (text, after) = special.split_at(literal(special));
        out.push_str(text);
        code = after;
    }
    out.push_str(&replaced(code));
    ""
}

/// Length of the text in quotes, in backticks or of the comment that begins here; of one character where none does.
fn literal(text: &str) -> usize {
    let to = |end: &str, from: usize| text[from..].find(end).map_or(text.len(), |at| from + at + end.len());
    let Some(first) = text.chars().next() else { return 0 };
    match first {
        '`' => to("`", 1),
        '/' if text.starts_with("/*") => to("*/", 2),
        '"' | '\'' => {
            let mut escaped = false;
            let ends = |c: char| {
                let ends = c == first && !escaped;
                escaped = c == '\\' && !escaped;
                ends
            };
            text[1..].find(ends).map_or(text.len(), |at| at + 2)
        }
        _ => first.len_utf8(),
    }
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
            // A dashboard in backticks, with braces and an odd number of quotes before its own `now`.
            ("{{`{{job}}\" {{ now`}} {\"from\":\"now-6h\"} {{ now }}", "{{`{{job}}\" {{ now`}} {\"from\":\"now-6h\"} {{ NOW }}"),
            ("{{/* it's now }} */}}{{ now }}", "{{/* it's now }} */}}{{ NOW }}"),
            (r#"{{ "a\"}} now\\" now }} now"#, r#"{{ "a\"}} now\\" NOW }} now"#),
            ("{{ eq 'ä' '\\'' now }}{{ div 1 2 }}", "{{ eq 'ä' '\\'' NOW }}{{ div 1 2 }}"),
            ("{{ now", "{{ NOW"),
        ] {
            assert_eq!(later(text), expected.replace("NOW", LATER));
        }
    }
}
