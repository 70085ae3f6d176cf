//! Plain scalars that one YAML reader takes for a string and another for something else.

use granit_parser::ScalarStyle;

use super::resolve::{Typed, helm, yaml12};
use super::tree::{Kind, Node, Position, YamlError, read};

/// A plain scalar that means different things to YAML 1.1 (and Helm 3) and to YAML 1.2.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ambiguous {
    /// Where.
    pub at: Position,
    /// The scalar as written.
    pub text: String,
    /// What a reader of YAML 1.1 makes of it.
    pub yaml11: String,
    /// What a reader of YAML 1.2 makes of it.
    pub yaml12: String,
    /// It stands as the key of a map.
    pub is_key: bool,
}

impl std::fmt::Display for Ambiguous {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Ambiguous { at, text, yaml11, yaml12, .. } = self;
        write!(f, "{at}: `{text}` is {yaml11} in YAML 1.1 and {yaml12} in YAML 1.2; write \"{text}\" for the text, or the value itself")
    }
}

/// All ambiguous plain scalars of a text, keys included, in order. Dates are not among them: to Helm and to YAML 1.2 they
/// are strings.
///
/// # Errors
/// When the text is no YAML.
pub fn ambiguous_plain(source: &str, text: &str) -> Result<Vec<Ambiguous>, YamlError> {
    let mut found = Vec::new();
    for document in read(source, text)? {
        visit(&document, false, &mut found);
    }
    Ok(found)
}

fn visit(node: &Node, is_key: bool, found: &mut Vec<Ambiguous>) {
    match &node.kind {
        Kind::Scalar { text, style: ScalarStyle::Plain } if node.tag.is_none() => {
            if let Some((yaml11, yaml12)) = readings(text) {
                found.push(Ambiguous { at: node.at, text: text.clone(), yaml11, yaml12, is_key });
            }
        }
        Kind::Seq { items, .. } => items.iter().for_each(|item| visit(item, false, found)),
        Kind::Map { entries, .. } => entries.iter().for_each(|(key, value)| {
            visit(key, true, found);
            visit(value, false, found);
        }),
        Kind::Scalar { .. } | Kind::Alias { .. } => {}
    }
}

fn readings(text: &str) -> Option<(String, String)> {
    let to_helm = helm(None, text).ok()?;
    let modern = yaml12(text);
    let old = if let Some(value) = sexagesimal(text) {
        value
    } else if text == "=" {
        "the tag !!value".to_owned()
    } else if text.starts_with("0o") && matches!(modern, Typed::Int(_)) {
        // Helm's reader agrees with 1.2 here, the standard of 1.1 does not.
        "a string".to_owned()
    } else if leading_zero(text) || !same(&to_helm, &modern) {
        describe(&to_helm)
    } else {
        return None;
    };
    Some((old, describe(&modern)))
}

/// 1 and 1.0 are the same JSON value to Helm.
fn same(a: &Typed, b: &Typed) -> bool {
    match (a, b) {
        (Typed::Float(a), Typed::Float(b)) if a.is_nan() && b.is_nan() => true,
        (a, b) => a == b || a.clone().into_json().ok().is_some_and(|a| b.clone().into_json().is_ok_and(|b| a == b)),
    }
}

/// `0777` and `08`, but not `0` and `0.5`.
fn leading_zero(text: &str) -> bool {
    let digits = text.strip_prefix(['+', '-']).unwrap_or(text);
    digits.len() > 1 && digits.starts_with('0') && digits.bytes().all(|b| b.is_ascii_digit() || b == b'_')
}

/// `12:30:45` and `1:30.5`: numbers to base 60 in YAML 1.1.
fn sexagesimal(text: &str) -> Option<String> {
    let unsigned = text.strip_prefix(['+', '-']).unwrap_or(text);
    let mut parts = unsigned.split(':');
    let first = parts.next()?;
    let rest: Vec<&str> = parts.collect();
    let (last, middle) = rest.split_last()?;
    let minutes = |part: &&str| matches!(part.len(), 1 | 2) && part.parse::<u8>().is_ok_and(|n| n < 60) && !part.starts_with('+');
    let whole = last.split('.').next().unwrap_or_default();
    let fraction_ok = last.strip_prefix(whole).is_some_and(|f| f.is_empty() || f[1..].bytes().all(|b| b.is_ascii_digit() || b == b'_'));
    let good = first.starts_with(|c: char| c.is_ascii_digit())
        && first.bytes().all(|b| b.is_ascii_digit() || b == b'_')
        && middle.iter().all(minutes)
        && minutes(&whole)
        && fraction_ok;
    good.then(|| "a number to base 60".to_owned())
}

fn describe(typed: &Typed) -> String {
    match typed {
        Typed::Null => "null".to_owned(),
        Typed::Bool(value) => value.to_string(),
        Typed::Int(value) => format!("the number {value}"),
        Typed::Uint(value) => format!("the number {value}"),
        Typed::Float(value) => format!("the number {value}"),
        Typed::Str(_) => "a string".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_two_readers_see_differently_is_named() {
        for text in [
            "yes",
            "Yes",
            "NO",
            "on",
            "off",
            "y",
            "N",
            "0777",
            "-012",
            "08",
            "0o17",
            "1_000",
            "1_0.5",
            "12:30:45",
            "1:30",
            "190:20:30.15",
            "=",
            "0b101",
            "+0x10",
            "0X1F",
        ] {
            let found = ambiguous_plain("d", &format!("k: {text}\n")).unwrap();
            assert_eq!(found.len(), 1, "{text}");
            assert_eq!((found[0].at, found[0].text.as_str(), found[0].is_key), (Position { line: 1, column: 4 }, text, false));
        }
    }

    #[test]
    fn what_all_readers_see_alike_is_not() {
        for text in [
            "true",
            "null",
            "~",
            "",
            "1",
            "-5",
            "+5",
            "0",
            "0.5",
            "1.10",
            "1e3",
            ".5",
            ".inf",
            ".nan",
            "0x1F",
            "abc",
            "yesterday",
            "on-call",
            "1.2.3",
            "2024-01-01",
            "10.0.0.1:80:90",
            "a:b",
            "1:75",
            "\"yes\"",
            "'0777'",
            "!!str yes",
            "<<",
            "5m",
            "_1",
            "-",
        ] {
            assert_eq!(ambiguous_plain("d", &format!("- - x\n- {text}\n")).unwrap_or_default(), [], "{text}");
        }
    }

    #[test]
    fn keys_and_flow_are_looked_at_and_comments_are_not() {
        let found = ambiguous_plain("d", "# yes\non: [no, \"no\"] # off\nx: |\n  yes\nz: >\n  no\n").unwrap();
        let short: Vec<_> = found.iter().map(|a| (a.text.as_str(), a.is_key, a.at.to_string())).collect();
        assert_eq!(short, [("on", true, "2:1".to_owned()), ("no", false, "2:6".to_owned())]);
        assert_eq!(
            found[0].to_string(),
            "2:1: `on` is true in YAML 1.1 and a string in YAML 1.2; write \"on\" for the text, or the value itself"
        );
    }
}
