//! `((name))` in a values text: a variable's value goes where the name stood, and nowhere else.
//!
//! The text is edited, never written anew: only bytes inside scalars change. A value cannot leave its scalar: it is
//! escaped for the style it lands in, and the result is read again and compared with the tree before. A text for which
//! that comparison fails is refused.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;

use granit_parser::ScalarStyle;
use serde_json::Value;

use super::MAX_TEXT_BYTES;
use super::parse::kind_of;
use super::scalar::{double_quoted, escape_double, escape_single, flow};
use super::tree::{Kind, Node, Position, YamlError, may_stand_raw, read};

#[cfg(test)]
pub(super) mod tests;

/// Why variables could not be put into a text.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum InterpolateError {
    /// The text is no YAML.
    #[error(transparent)]
    Yaml(#[from] YamlError),
    /// Nobody set this variable.
    #[error("{source_name}:{at}: no variable is named `{name}`{}; set it, or write ((!{name})) for the text itself", near_names(.near))]
    Unknown {
        /// Name of the document.
        source_name: String,
        /// Where.
        at: Position,
        /// The name.
        name: String,
        /// Variables with a name like it, the likeliest first.
        near: Vec<String>,
    },
    /// A map, list or null where only text fits.
    #[error("{source_name}:{at}: `{name}` is a {kind} and stands within a text; it must be alone and without quotes: key: (({name}))")]
    NotText {
        /// Name of the document.
        source_name: String,
        /// Where.
        at: Position,
        /// The name.
        name: String,
        /// What it is.
        kind: &'static str,
    },
    /// A line break, or a character that needs an escape, where there are no escapes.
    #[error(
        "{source_name}:{at}: the value of `{name}` has a line break or control character and cannot stand in a block scalar (| or >); use double quotes"
    )]
    Block {
        /// Name of the document.
        source_name: String,
        /// Where.
        at: Position,
        /// The name.
        name: String,
    },
    /// The result would not mean what it should.
    #[error(
        "{source_name}:{at}: the value cannot stand here without changing what is around it; write this scalar on one line in double quotes"
    )]
    Breaks {
        /// Name of the document.
        source_name: String,
        /// Where.
        at: Position,
    },
    /// With the values in place the text is too long.
    #[error("{source_name}: more than {MAX_TEXT_BYTES} bytes with its variables in place")]
    TooLarge {
        /// Name of the document.
        source_name: String,
    },
}

fn near_names(near: &[String]) -> String {
    if near.is_empty() { String::new() } else { format!(" (did you mean {}?)", near.join(", ")) }
}

/// Puts `vars` into `text`; `source` names the document in errors.
///
/// A whole plain scalar becomes the value as JSON; inside quotes the value is escaped; inside a plain scalar with other
/// text the scalar is written anew in double quotes; into a block scalar the value goes as it is. `((!name))` becomes
/// `((name))`. Keys, comments, anchors and tags stay as they are, and so does all that only looks like a name.
///
/// # Errors
/// An unknown name, a value that does not fit where it should go, or a text that is no YAML.
pub fn interpolate(text: &str, source: &str, vars: &BTreeMap<String, Value>) -> Result<String, InterpolateError> {
    if !text.contains("((") {
        return Ok(text.to_owned());
    }
    let before = read(source, text)?;
    let mut edits = Vec::new();
    for document in &before {
        visit(document, &mut |node| edits.extend(edit(text, source, node, vars).transpose()));
    }
    let edits = edits.into_iter().collect::<Result<Vec<Edit<'_>>, _>>()?;
    if edits.is_empty() {
        return Ok(text.to_owned());
    }
    let mut out = String::with_capacity(text.len());
    let mut done = 0;
    for edit in &edits {
        out.push_str(&text[done..edit.range.start]);
        out.push_str(&edit.new);
        done = edit.range.end;
        if out.len() > MAX_TEXT_BYTES {
            return Err(InterpolateError::TooLarge { source_name: source.to_owned() });
        }
    }
    out.push_str(&text[done..]);
    verify(source, &out, &before, &edits)?;
    Ok(out)
}

/// The variables a text needs.
///
/// # Errors
/// When the text is no YAML.
pub fn names_used(text: &str, source: &str) -> Result<BTreeSet<String>, YamlError> {
    let mut names = BTreeSet::new();
    if text.contains("((") {
        for document in read(source, text)? {
            visit(&document, &mut |node| {
                let raw = &text[node.range.clone()];
                names.extend(marks(raw).into_iter().filter(|mark| !mark.literal).map(|mark| mark.name.to_owned()));
            });
        }
    }
    Ok(names)
}

/// Calls `f` with all scalars that are no keys and in no key, in the order of the text.
fn visit<'a>(node: &'a Node, f: &mut dyn FnMut(&'a Node)) {
    match &node.kind {
        Kind::Scalar { .. } => f(node),
        Kind::Seq { items, .. } => items.iter().for_each(|item| visit(item, f)),
        Kind::Map { entries, .. } => entries.iter().for_each(|(_, value)| visit(value, f)),
        Kind::Alias { .. } => {}
    }
}

/// A `((name))` or `((!name))` in a text.
struct Mark<'a> {
    range: Range<usize>,
    name: &'a str,
    literal: bool,
}

fn marks(text: &str) -> Vec<Mark<'_>> {
    let mut found = Vec::new();
    let mut from = 0;
    while let Some(at) = text[from..].find("((").map(|at| from + at) {
        match mark_at(text, at) {
            Some(mark) => {
                from = mark.range.end;
                found.push(mark);
            }
            None => from = at + 1,
        }
    }
    found
}

fn mark_at(text: &str, at: usize) -> Option<Mark<'_>> {
    let rest = text[at + 2..].trim_start_matches(' ');
    let (literal, rest) = rest.strip_prefix('!').map_or((false, rest), |rest| (true, rest.trim_start_matches(' ')));
    if !rest.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_') {
        return None;
    }
    let end = rest.find(|c: char| !c.is_ascii_alphanumeric() && !matches!(c, '_' | '.' | '-'))?;
    let (name, rest) = rest.split_at(end);
    let rest = rest.trim_start_matches(' ').strip_prefix("))")?;
    Some(Mark { range: at..text.len() - rest.len(), name, literal })
}

/// One scalar that changes.
struct Edit<'a> {
    range: Range<usize>,
    at: Position,
    new: String,
    expect: Expect<'a>,
}

enum Expect<'a> {
    Value(&'a Value),
    Text(String),
}

fn edit<'a>(text: &str, source: &str, node: &Node, vars: &'a BTreeMap<String, Value>) -> Result<Option<Edit<'a>>, InterpolateError> {
    let Kind::Scalar { text: decoded, style } = &node.kind else { return Ok(None) };
    let raw = &text[node.range.clone()];
    let found = marks(raw);
    if found.is_empty() {
        return Ok(None);
    }
    let place = |mark: &Mark<'_>| Position::of(text, node.range.start + mark.range.start);
    let breaks = || InterpolateError::Breaks { source_name: source.to_owned(), at: node.at };
    let mut values = Vec::with_capacity(found.len());
    for mark in found.iter().filter(|mark| !mark.literal) {
        values.push(lookup(source, mark.name, vars, || place(mark))?);
    }
    let done = |new, expect| Ok(Some(Edit { range: node.range.clone(), at: node.at, new, expect }));

    if let ([mark], [value], ScalarStyle::Plain) = (&found[..], &values[..], style)
        && mark.range == (0..raw.len())
    {
        return done(flow(value), Expect::Value(value));
    }

    let mut texts = Vec::with_capacity(found.len());
    let mut values = values.into_iter();
    for mark in &found {
        texts.push(match values.next_if_not(mark.literal) {
            None => format!("(({}))", mark.name),
            Some(value) => as_text(value).ok_or_else(|| InterpolateError::NotText {
                source_name: source.to_owned(),
                at: place(mark),
                name: mark.name.to_owned(),
                kind: kind_of(value),
            })?,
        });
    }
    // An escape or a fold can make a name that was none in the text, or split one; then which is meant is a guess.
    let in_value = marks(decoded);
    if in_value.len() != found.len() || in_value.iter().zip(&found).any(|(a, b)| a.name != b.name || a.literal != b.literal) {
        return Err(breaks());
    }
    let expected = replace(decoded, &in_value, &texts);
    let one_line = !raw.contains(['\n', '\r']);
    let only_literal = found.iter().all(|mark| mark.literal);
    let new = match style {
        _ if only_literal => replace(raw, &found, &texts),
        ScalarStyle::DoubleQuoted if one_line => {
            let escaped: Vec<String> = texts.iter().map(|text| escape_double(text)).collect();
            replace(raw, &found, &escaped)
        }
        ScalarStyle::SingleQuoted if one_line => match texts.iter().map(|text| escape_single(text)).collect::<Option<Vec<_>>>() {
            Some(escaped) => replace(raw, &found, &escaped),
            // The style has no escapes.
            None => double_quoted(&expected),
        },
        // Over several lines, blanks and empty values at a line's edge would be folded away.
        ScalarStyle::Plain | ScalarStyle::DoubleQuoted | ScalarStyle::SingleQuoted => double_quoted(&expected),
        ScalarStyle::Literal | ScalarStyle::Folded => {
            if let Some((mark, _)) = found.iter().zip(&texts).find(|(_, text)| !text.chars().all(may_stand_raw)) {
                return Err(InterpolateError::Block { source_name: source.to_owned(), at: place(mark), name: mark.name.to_owned() });
            }
            replace(raw, &found, &texts)
        }
    };
    done(new, Expect::Text(expected))
}

trait NextIfNot: Iterator {
    /// The next item, unless `skip`; then nothing is taken.
    fn next_if_not(&mut self, skip: bool) -> Option<Self::Item> {
        if skip { None } else { self.next() }
    }
}

impl<I: Iterator> NextIfNot for I {}

fn lookup<'a>(
    source: &str,
    name: &str,
    vars: &'a BTreeMap<String, Value>,
    at: impl FnOnce() -> Position,
) -> Result<&'a Value, InterpolateError> {
    vars.get(name).ok_or_else(|| {
        // Below 0.8 names have a few letters in common and no more; three are as many as a person reads.
        let mut near: Vec<(f64, &String)> =
            vars.keys().map(|key| (strsim::jaro_winkler(key, name), key)).filter(|(score, _)| *score > 0.8).collect();
        near.sort_by(|a, b| b.0.total_cmp(&a.0));
        InterpolateError::Unknown {
            source_name: source.to_owned(),
            at: at(),
            name: name.to_owned(),
            near: near.into_iter().take(3).map(|(_, key)| key.clone()).collect(),
        }
    })
}

fn as_text(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.clone()),
        Value::Bool(_) | Value::Number(_) => Some(value.to_string()),
        Value::Null | Value::Array(_) | Value::Object(_) => None,
    }
}

fn replace(text: &str, marks: &[Mark<'_>], with: &[String]) -> String {
    let mut out = String::with_capacity(text.len());
    let mut done = 0;
    for (mark, with) in marks.iter().zip(with) {
        out.push_str(&text[done..mark.range.start]);
        out.push_str(with);
        done = mark.range.end;
    }
    out.push_str(&text[done..]);
    out
}

/// The new text must be the old tree, but for the scalars that were to change, and these must be what was meant.
fn verify(source: &str, new: &str, before: &[Node], edits: &[Edit<'_>]) -> Result<(), InterpolateError> {
    // A value may be legal alone and too much here: too deep, or a key longer than YAML's 1024 characters.
    let Some(first) = edits.first() else { return Ok(()) };
    let breaks = |at| InterpolateError::Breaks { source_name: source.to_owned(), at };
    let after = match read(source, new) {
        Ok(after) => after,
        Err(YamlError::TooLarge { .. }) => return Err(InterpolateError::TooLarge { source_name: source.to_owned() }),
        Err(_) => return Err(breaks(first.at)),
    };
    let edits: BTreeMap<usize, &Edit<'_>> = edits.iter().map(|edit| (edit.range.start, edit)).collect();
    if before.len() != after.len() {
        return Err(breaks(first.at));
    }
    before.iter().zip(&after).try_for_each(|(old, new)| same(old, new, &edits)).map_err(breaks)
}

fn same(old: &Node, new: &Node, edits: &BTreeMap<usize, &Edit<'_>>) -> Result<(), Position> {
    let check = |good: bool| if good { Ok(()) } else { Err(old.at) };
    check(old.anchor == new.anchor && old.tag == new.tag)?;
    match (&old.kind, &new.kind) {
        (Kind::Scalar { text, style }, kind) => match (edits.get(&old.range.start).filter(|_| !old.range.is_empty()), kind) {
            (Some(Edit { expect: Expect::Value(value), .. }), _) => check(is_value(new, value)),
            (Some(Edit { expect: Expect::Text(expected), .. }), Kind::Scalar { text, .. }) => check(expected == text),
            (None, Kind::Scalar { text: new_text, style: new_style }) => check(text == new_text && style == new_style),
            _ => Err(old.at),
        },
        (Kind::Alias { target: old }, Kind::Alias { target: new }) => check(old == new),
        (Kind::Seq { items: old, .. }, Kind::Seq { items: new, .. }) => {
            check(old.len() == new.len())?;
            old.iter().zip(new).try_for_each(|(old, new)| same(old, new, edits))
        }
        (Kind::Map { entries: old, .. }, Kind::Map { entries: new, .. }) => {
            check(old.len() == new.len())?;
            old.iter().zip(new).try_for_each(|(old, new)| {
                // Keys never change.
                same(&old.0, &new.0, &BTreeMap::new())?;
                same(&old.1, &new.1, edits)
            })
        }
        _ => Err(old.at),
    }
}

fn is_value(node: &Node, value: &Value) -> bool {
    match (&node.kind, value) {
        (Kind::Scalar { text, style: ScalarStyle::DoubleQuoted }, Value::String(expected)) => text == expected,
        (Kind::Scalar { text, style: ScalarStyle::Plain }, Value::Null | Value::Bool(_) | Value::Number(_)) => *text == flow(value),
        (Kind::Seq { items, .. }, Value::Array(values)) => {
            items.len() == values.len() && items.iter().zip(values).all(|(item, value)| is_value(item, value))
        }
        (Kind::Map { entries, .. }, Value::Object(map)) => {
            let one = |((key, value), (name, expected)): (&(Node, Node), (&String, &Value))| {
                matches!(&key.kind, Kind::Scalar { text, .. } if text == name) && is_value(value, expected)
            };
            entries.len() == map.len() && entries.iter().zip(map).all(one)
        }
        _ => false,
    }
}
