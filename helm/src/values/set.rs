//! Changes one key of a values text and leaves every other byte as it is.

use granit_parser::ScalarStyle;
use serde_json::Value;

use super::parse::{key_text, parse};
use super::path::{Path, PathError, Segment};
use super::scalar::{double_quoted, escape_single, plain_or_quoted};
use super::tree::{Kind, Node, Position, YamlError, read};

#[cfg(test)]
mod tests;

/// Why a key could not be set.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SetError {
    /// The path cannot be read.
    #[error(transparent)]
    Path(#[from] PathError),
    /// The text is no values document.
    #[error(transparent)]
    Yaml(#[from] YamlError),
    /// The path leads somewhere that one line cannot change.
    #[error("cannot set `{path}` in {source_name}:{at}: {what}")]
    Refused {
        /// Name of the document.
        source_name: String,
        /// The path.
        path: String,
        /// The node that is in the way.
        at: Position,
        /// Why, and what to do.
        what: &'static str,
    },
}

/// Sets the value at `path` (`a.b[0].c`, see [`Path`]) in `text`; `source` names the document in errors.
///
/// `new` is typed as by `helm --set`: true, false, null and integers are what they look like, all else is a string. A
/// key that is not there is added at the end of its map, with its parents, in the style of the map.
///
/// # Errors
/// A map or list in the way, an alias or anchor on the way (the change would show elsewhere), an index past the end of
/// a list, or a text that is no YAML.
pub fn set(source: &str, text: &str, path: &str, new: &str) -> Result<String, SetError> {
    let path: Path = path.parse()?;
    let value = typed(new);
    let mut expected = parse(source, text)?;
    let documents = read(source, text)?;
    let start = Position { line: 1, column: 1 };
    let refused = |at, what| SetError::Refused { source_name: source.to_owned(), path: path.to_string(), at, what };

    let change = match documents.first() {
        None if starts_late(&path.0) => return Err(refused(start, LATE)),
        None => Change { from: text.len(), to: text.len(), new: with_line_start(text, &block(&path.0, &value, 0, eol(text)), eol(text)) },
        Some(root) => find(text, root, &path.0, &value).map_err(|(at, what)| refused(at, what))?,
    };
    let mut out = String::with_capacity(text.len() + change.new.len());
    out.push_str(&text[..change.from]);
    out.push_str(&change.new);
    out.push_str(&text[change.to..]);

    // The last word: nothing but this key may differ, for whatever reason the text has to surprise us.
    put(&mut expected, &path.0, value);
    let at = documents.first().map_or(start, |root| root.at);
    let surprise = "this text is written in a way that does not let the key change alone; change it by hand";
    match parse(source, &out) {
        Ok(got) if got == expected => Ok(out),
        Err(error @ YamlError::TooLarge { .. }) => Err(error.into()),
        _ => Err(refused(at, surprise)),
    }
}

/// The types of `helm --set`.
fn typed(new: &str) -> Value {
    match new.to_ascii_lowercase().as_str() {
        "true" => return Value::Bool(true),
        "false" => return Value::Bool(false),
        "null" => return Value::Null,
        "0" => return Value::from(0),
        _ => {}
    }
    // Beyond 2^53 Helm's values lose digits, and a string is what was meant: an id.
    let integer = new.parse::<i64>().ok().filter(|i| i.unsigned_abs() <= 1 << 53);
    match integer {
        Some(integer) if !new.starts_with('0') => Value::from(integer),
        _ => Value::String(new.to_owned()),
    }
}

/// `value` at `path`; the way there is made where it is missing.
fn put(root: &mut Value, path: &[Segment], value: Value) {
    let Some((first, rest)) = path.split_first() else {
        *root = value;
        return;
    };
    match first {
        Segment::Key(key) => {
            if root.is_null() {
                *root = Value::Object(serde_json::Map::new());
            }
            if let Value::Object(map) = root {
                put(map.entry(key.clone()).or_insert(Value::Null), rest, value);
            }
        }
        Segment::Index(index) => {
            if root.is_null() {
                *root = Value::Array(Vec::new());
            }
            if let Value::Array(list) = root {
                if list.len() == *index {
                    list.push(Value::Null);
                }
                if let Some(item) = list.get_mut(*index) {
                    put(item, rest, value);
                }
            }
        }
    }
}

/// Bytes `from..to` become `new`.
struct Change {
    from: usize,
    to: usize,
    new: String,
}

type Stop = (Position, &'static str);

const LATE: &str = "the list ends before this index";
const UNUSUAL: &str = "the text here is written in an unusual way; change it by hand";

/// A list that is not there can only begin with item 0.
fn starts_late(path: &[Segment]) -> bool {
    path.iter().any(|segment| matches!(segment, Segment::Index(index) if *index > 0))
}

fn find(text: &str, root: &Node, path: &[Segment], value: &Value) -> Result<Change, Stop> {
    let mut node = root;
    // The column new lines under an absent value start at, and where its key ends.
    let mut parent: Option<(usize, usize)> = None;
    let mut in_flow = false;
    let mut left = path;
    while let Some((segment, rest)) = left.split_first() {
        if node.anchor != 0 {
            return Err((node.at, "an anchor stands on the way, and where its aliases are the change would show too; change it by hand"));
        }
        match (&node.kind, segment) {
            (Kind::Alias { .. }, _) => {
                return Err((node.at, "an alias stands on the way; change the value it names, or write the map out"));
            }
            (Kind::Map { flow, entries }, Segment::Key(name)) => {
                in_flow |= *flow;
                let Some((key, below)) = entries.iter().rev().find(|(key, _)| key_text(key).is_ok_and(|text| text == *name)) else {
                    if starts_late(rest) {
                        return Err((node.at, LATE));
                    }
                    return Ok(if *flow { add_flow(node, left, value) } else { add_block(text, node, entries, left, value) });
                };
                parent = Some((key.at.column - 1 + 2, key.content_end()));
                node = below;
            }
            (Kind::Seq { flow, items }, Segment::Index(index)) => {
                in_flow |= *flow;
                match items.get(*index) {
                    Some(item) => {
                        parent = None;
                        node = item;
                    }
                    None if *index == items.len() && !starts_late(rest) => {
                        return if *flow { Ok(add_flow(node, left, value)) } else { add_item(text, items, rest, value) };
                    }
                    None => return Err((node.at, LATE)),
                }
            }
            (Kind::Map { .. }, Segment::Index(_)) => return Err((node.at, "this is a map, and the path has an index")),
            (Kind::Seq { .. }, Segment::Key(_)) => return Err((node.at, "this is a list; say which item, like a[0].b")),
            (Kind::Scalar { .. }, _) => return under_scalar(text, node, left, value, parent.filter(|_| !in_flow)),
        }
        left = rest;
    }
    replace_value(text, node, value)
}

/// There is a scalar where a map or list should be; only a null may become one.
fn under_scalar(text: &str, node: &Node, left: &[Segment], value: &Value, parent: Option<(usize, usize)>) -> Result<Change, Stop> {
    if node.tag.is_some() {
        return Err((node.at, "a tag stands here; change it by hand"));
    }
    let null = matches!(super::parse::scalar(node), Ok(Some(super::resolve::Typed::Null)));
    if null && starts_late(left) {
        return Err((node.at, LATE));
    }
    if !null {
        return Err((node.at, "this is a scalar, and the path goes on below it"));
    }
    match parent {
        Some((column, key_end)) if node.is_absent() => Ok(after_line(text, key_end, &block(left, value, column, eol(text)))),
        _ => Ok(if node.is_absent() { fill(text, node, &inline(left, value)) } else { whole(node, inline(left, value)) }),
    }
}

fn replace_value(text: &str, node: &Node, value: &Value) -> Result<Change, Stop> {
    if node.anchor != 0 {
        return Err((node.at, "the value has an anchor, and where its aliases are the change would show too; change it by hand"));
    }
    if node.tag.is_some() {
        return Err((node.at, "the value has a tag; change it by hand"));
    }
    match (&node.kind, value) {
        (Kind::Map { entries, .. }, _) if !entries.is_empty() => Err((node.at, "this is a map; name a key inside it")),
        (Kind::Seq { items, .. }, _) if !items.is_empty() => Err((node.at, "this is a list; name an item like a[0]")),
        (Kind::Scalar { style: ScalarStyle::Literal | ScalarStyle::Folded, .. }, _) => replace_block_scalar(text, node, value),
        (Kind::Scalar { style: ScalarStyle::SingleQuoted, .. }, Value::String(new)) => {
            Ok(whole(node, escape_single(new).map_or_else(|| double_quoted(new), |new| format!("'{new}'"))))
        }
        (Kind::Scalar { style: ScalarStyle::DoubleQuoted, .. }, Value::String(new)) => Ok(whole(node, double_quoted(new))),
        _ if node.is_absent() => Ok(fill(text, node, &one_line(value))),
        _ => Ok(whole(node, one_line(value))),
    }
}

fn whole(node: &Node, new: String) -> Change {
    Change { from: node.range.start, to: node.range.end, new }
}

/// A value where none was written: its place is before the colon if there is one, and else after the dash or key.
fn fill(text: &str, node: &Node, new: &str) -> Change {
    let start = node.range.start;
    let rest = text[start..].trim_start_matches([' ', '\t']);
    let (at, lead) = match rest.as_bytes().first() {
        Some(b':') => (text.len() - rest.len() + 1, " "),
        Some(b',' | b'}') => (start, ": "),
        _ => (before_comment(text, start), " "),
    };
    Change { from: at, to: at, new: format!("{lead}{new}") }
}

/// The parser puts an absent list item behind the comment of its line; this is the end of what precedes both.
fn before_comment(text: &str, at: usize) -> usize {
    let line = text[..at].rfind('\n').map_or(0, |end| end + 1);
    let before = &text[line..at];
    let comment = before.match_indices('#').map(|(hash, _)| hash).find(|hash| before[..*hash].ends_with([' ', '\t']));
    comment.map_or(at, |hash| line + before[..hash].trim_end().len())
}

fn replace_block_scalar(text: &str, node: &Node, value: &Value) -> Result<Change, Stop> {
    let from = block_header(text, node).ok_or((node.at, UNUSUAL))?;
    // Its blank lines at the end stay: they are what parts it from the next key.
    let to = node.range.start + text[node.range.clone()].trim_end().len();
    Ok(Change { from, to, new: one_line(value) })
}

/// Where the `|` or `>` of a block scalar stands; its node starts at the content.
fn block_header(text: &str, node: &Node) -> Option<usize> {
    let Kind::Scalar { text: content, style } = &node.kind else { return None };
    if content.trim().is_empty() {
        return None;
    }
    // On the last line before the content that is not blank.
    let before = text[..node.range.start].trim_end();
    let line = before.rfind('\n').map_or(0, |at| at + 1);
    let sign = if *style == ScalarStyle::Literal { '|' } else { '>' };
    let is_header = |rest: &str| {
        let indicators = rest.split('#').next().unwrap_or_default().trim_end();
        indicators.chars().all(|c| c.is_ascii_digit() || matches!(c, '+' | '-'))
    };
    before[line..]
        .match_indices(sign)
        .map(|(at, _)| line + at)
        .find(|at| before[..*at].ends_with([' ', '\t']) && is_header(&before[at + 1..]))
}

fn add_block(text: &str, map: &Node, entries: &[(Node, Node)], left: &[Segment], value: &Value) -> Change {
    let column = entries.first().map_or(map.at.column, |(key, _)| key.at.column) - 1;
    after_line(text, map.content_end(), &block(left, value, column, eol(text)))
}

fn add_item(text: &str, items: &[Node], rest: &[Segment], value: &Value) -> Result<Change, Stop> {
    let Some(last) = items.last() else { return Err((Position { line: 1, column: 1 }, UNUSUAL)) };
    // The dash of the last item: only blanks lie between it and the item.
    let item_start = match last.is_absent() {
        true => before_comment(text, last.range.start),
        false => block_header(text, last).unwrap_or(last.range.start),
    };
    let dash = text[..item_start].trim_end().strip_suffix('-').ok_or((last.at, UNUSUAL))?;
    let column = Position::of(text, dash.len()).column - 1;
    let mut path = vec![Segment::Index(0)];
    path.extend_from_slice(rest);
    let end = if last.is_absent() { dash.len() + 1 } else { last.content_end() };
    Ok(after_line(text, end, &block(&path, value, column, eol(text))))
}

/// Before the closing bracket of a flow map or list, after its last entry.
fn add_flow(node: &Node, left: &[Segment], value: &Value) -> Change {
    let last = match &node.kind {
        Kind::Map { entries, .. } => {
            entries.last().map(|(key, value)| if value.is_absent() { key.content_end() } else { value.content_end() })
        }
        Kind::Seq { items, .. } => items.last().map(Node::content_end),
        Kind::Scalar { .. } | Kind::Alias { .. } => None,
    };
    let whole = inline(left, value);
    let entry = &whole[1..whole.len() - 1];
    match last {
        Some(end) => Change { from: end, to: end, new: format!(", {entry}") },
        None => Change { from: node.range.start + 1, to: node.range.start + 1, new: entry.to_owned() },
    }
}

/// New lines after the line that holds byte `end`.
fn after_line(text: &str, end: usize, lines: &str) -> Change {
    let at = if text[..end].ends_with('\n') { end } else { text[end..].find('\n').map_or(text.len(), |line| end + line + 1) };
    Change { from: at, to: at, new: with_line_start(&text[..at], lines, eol(text)) }
}

fn with_line_start(before: &str, lines: &str, eol: &str) -> String {
    let bare = before.strip_prefix('\u{feff}').unwrap_or(before);
    if bare.is_empty() || bare.ends_with('\n') { lines.to_owned() } else { format!("{eol}{lines}") }
}

fn eol(text: &str) -> &'static str {
    if text.contains("\r\n") { "\r\n" } else { "\n" }
}

/// The path and value as block lines, each ended, the first at `column`.
fn block(path: &[Segment], value: &Value, column: usize, eol: &str) -> String {
    let mut out = " ".repeat(column);
    let mut column = column;
    for (at, segment) in path.iter().enumerate() {
        let last = at + 1 == path.len();
        column += 2;
        match segment {
            Segment::Key(key) => {
                out.push_str(&plain_or_quoted(key));
                out.push(':');
                if last {
                    out.push(' ');
                } else {
                    out.push_str(eol);
                    out.push_str(&" ".repeat(column));
                }
            }
            Segment::Index(_) => out.push_str("- "),
        }
    }
    out.push_str(&one_line(value));
    out.push_str(eol);
    out
}

/// The path and value as a flow collection.
fn inline(path: &[Segment], value: &Value) -> String {
    path.iter().rev().fold(one_line(value), |below, segment| match segment {
        Segment::Key(key) => format!("{{{}: {below}}}", plain_or_quoted(key)),
        Segment::Index(_) => format!("[{below}]"),
    })
}

fn one_line(value: &Value) -> String {
    match value {
        Value::String(text) => plain_or_quoted(text),
        other => other.to_string(),
    }
}
