//! Reads a values text as Helm 3 does: goyaml v2, then JSON.

use std::collections::BTreeMap;

use serde_json::{Map, Value};

use super::MAX_DEPTH;
use super::resolve::{self, TAG, Typed};
use super::tree::{Kind, Node, Position, YamlError, read, read_first, read_within};
use granit_parser::ScalarStyle;

/// Bytes of scalars that may come out of aliases. The text itself is at most 1 MiB; four times that is more than any
/// hand-written document repeats, and bounds what a text of nested aliases can make us hold.
const MAX_ALIAS_BYTES: usize = 4 << 20;

/// Nodes that may come out of aliases; a node costs some 100 bytes, so this is 10 MB.
const MAX_ALIAS_NODES: usize = 100_000;

/// Reads one document. A text without content is null.
///
/// # Errors
/// When the text is no YAML, holds more than one document, or something that Helm cannot turn into JSON.
pub fn parse(source: &str, text: &str) -> Result<Value, YamlError> {
    one(source, &read(source, text)?)
}

/// The same for a text of up to `limit` bytes: what helm rendered, a CRD.
pub(crate) fn parse_within(source: &str, text: &str, limit: usize) -> Result<Value, YamlError> {
    one(source, &read_within(source, text, limit)?)
}

fn one(source: &str, documents: &[Node]) -> Result<Value, YamlError> {
    if let Some(second) = documents.get(1) {
        return Err(YamlError::Refused {
            source_name: source.to_owned(),
            at: second.at,
            what: "a second document begins before here; Helm 3 would silently ignore it, so put it into a file of its own".to_owned(),
        });
    }
    documents.first().map_or(Ok(Value::Null), |root| Reader::new(source, root).value(root, 0))
}

/// Reads one document that must be a map; a text without content is the empty map.
///
/// # Errors
/// As [`parse`], and when the document is a list or a scalar.
pub fn parse_values(source: &str, text: &str) -> Result<Map<String, Value>, YamlError> {
    as_map(source, parse(source, text)?)
}

/// Reads the first document, as Helm reads the `values.yaml` of a chart: the map, and where a second document begins that it does
/// not look at.
///
/// # Errors
/// When the document is no YAML, no map, or something that Helm cannot turn into JSON.
pub(super) fn parse_first(source: &str, text: &str) -> Result<(Map<String, Value>, Option<Position>), YamlError> {
    let (first, more) = read_first(source, text)?;
    let value = first.as_ref().map_or(Ok(Value::Null), |root| Reader::new(source, root).value(root, 0))?;
    Ok((as_map(source, value)?, more))
}

fn as_map(source: &str, value: Value) -> Result<Map<String, Value>, YamlError> {
    match value {
        Value::Object(map) => Ok(map),
        Value::Null => Ok(Map::new()),
        other => Err(YamlError::Refused {
            source_name: source.to_owned(),
            at: Position { line: 1, column: 1 },
            what: format!("values are a map of keys, this document is a {}", kind_of(&other)),
        }),
    }
}

pub(crate) fn kind_of(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "boolean",
        Value::Number(_) => "number",
        Value::String(_) => "string",
        Value::Array(_) => "list",
        Value::Object(_) => "map",
    }
}

/// A key as a template sees it, or why it cannot be one.
pub(crate) fn key_text(node: &Node) -> Result<String, String> {
    match scalar(node)? {
        Some(typed) => typed_key(typed),
        None => Err("a key must be a scalar".to_owned()),
    }
}

fn typed_key(typed: Typed) -> Result<String, String> {
    Ok(match typed {
        Typed::Str(text) => text,
        Typed::Int(int) => int.to_string(),
        Typed::Bool(value) => value.to_string(),
        Typed::Float(float) => float_key(float),
        Typed::Null => return Err("null cannot be a key".to_owned()),
        Typed::Uint(_) => return Err("a number this large cannot be a key; quote it".to_owned()),
    })
}

/// Go's `FormatFloat(f, 'g', -1, 32)`: the shortest digits of the float32, with an exponent below -4 and from 6 on.
fn float_key(float: f64) -> String {
    #[expect(clippy::cast_possible_truncation, reason = "Helm's key is the float32 too")]
    let short = float as f32;
    if short.is_nan() {
        return ".nan".to_owned();
    }
    if short.is_infinite() {
        return if short > 0.0 { ".inf" } else { "-.inf" }.to_owned();
    }
    let scientific = format!("{short:e}");
    let Some((digits, exponent)) = scientific.split_once('e') else { return scientific };
    match exponent.parse::<i32>() {
        Ok(e) if !(-4..6).contains(&e) => format!("{digits}e{}{:02}", if e < 0 { '-' } else { '+' }, e.abs()),
        _ => format!("{short}"),
    }
}

/// The typed value of a scalar node; `None` for a collection or alias.
pub(crate) fn scalar(node: &Node) -> Result<Option<Typed>, String> {
    let Kind::Scalar { text, style } = &node.kind else { return Ok(None) };
    match node.tag.as_deref() {
        None if *style == ScalarStyle::Plain => resolve::helm(None, text),
        None | Some("!") => Ok(Typed::Str(text.clone())),
        Some(tag) => resolve::helm(Some(tag), text),
    }
    .map(Some)
}

struct Reader<'a> {
    source: &'a str,
    anchors: BTreeMap<usize, &'a Node>,
    /// Anchors whose node is being read: an alias to one of them would never end.
    inside: Vec<usize>,
    in_alias: usize,
    nodes: usize,
    alias_nodes: usize,
    alias_bytes: usize,
}

impl<'a> Reader<'a> {
    fn new(source: &'a str, root: &'a Node) -> Self {
        let mut anchors = BTreeMap::new();
        collect_anchors(root, &mut anchors);
        Reader { source, anchors, inside: Vec::new(), in_alias: 0, nodes: 0, alias_nodes: 0, alias_bytes: 0 }
    }

    fn refuse<T>(&self, node: &Node, what: impl Into<String>) -> Result<T, YamlError> {
        Err(YamlError::Refused { source_name: self.source.to_owned(), at: node.at, what: what.into() })
    }

    fn limit<T>(&self, node: &Node, what: impl Into<String>) -> Result<T, YamlError> {
        Err(YamlError::Limit { source_name: self.source.to_owned(), at: node.at, what: what.into() })
    }

    fn value(&mut self, node: &'a Node, depth: usize) -> Result<Value, YamlError> {
        self.count(node, depth)?;
        if node.anchor != 0 {
            self.inside.push(node.anchor);
        }
        let value = match &node.kind {
            Kind::Scalar { .. } => {
                let typed = scalar(node).and_then(|typed| typed.unwrap_or(Typed::Null).into_json().map_err(str::to_owned));
                match typed {
                    Ok(value) => value,
                    Err(what) => return self.refuse(node, what),
                }
            }
            Kind::Seq { items, .. } => {
                let mut list = Vec::with_capacity(items.len());
                for item in items {
                    list.push(self.value(item, depth + 1)?);
                }
                Value::Array(list)
            }
            Kind::Map { entries, .. } => {
                let mut map = Mapping::default();
                self.fill(entries, &mut map, depth + 1)?;
                Value::Object(map.values)
            }
            Kind::Alias { .. } => {
                let target = self.target(node)?;
                self.in_alias += 1;
                let value = self.value(target, depth + 1)?;
                self.in_alias -= 1;
                value
            }
        };
        if node.anchor != 0 {
            self.inside.pop();
        }
        Ok(value)
    }

    fn target(&self, alias: &'a Node) -> Result<&'a Node, YamlError> {
        let Kind::Alias { target } = &alias.kind else { return Ok(alias) };
        if self.inside.contains(target) {
            return self.refuse(alias, "the alias stands inside the node it names");
        }
        match self.anchors.get(target) {
            Some(node) => Ok(node),
            None => self.refuse(alias, "an alias to an anchor that this document does not have"),
        }
    }

    /// Helm's reader goes through a map in order and lets the later entry win, `<<` included.
    fn fill(&mut self, entries: &'a [(Node, Node)], map: &mut Mapping, depth: usize) -> Result<(), YamlError> {
        for (key, value) in entries {
            if is_merge(key) {
                self.merge_key(value, map, depth)?;
                continue;
            }
            self.count(key, depth)?;
            let key_node = self.target(key)?;
            let typed = match scalar(key_node) {
                Ok(Some(typed)) => typed,
                Ok(None) => return self.refuse(key, "a key must be a scalar"),
                Err(what) => return self.refuse(key, what),
            };
            let is_string = matches!(typed, Typed::Str(_));
            let name = match typed_key(typed) {
                Ok(name) => name,
                Err(what) => return self.refuse(key, what),
            };
            if map.strings.insert(name.clone(), is_string).is_some_and(|before| before != is_string) {
                return self.limit(key, format!("two keys become \"{name}\", one quoted and one not; which one Helm takes is chance"));
            }
            let value = self.value(value, depth)?;
            map.values.insert(name, value);
        }
        Ok(())
    }

    fn merge_key(&mut self, value: &'a Node, map: &mut Mapping, depth: usize) -> Result<(), YamlError> {
        let is_list = matches!(value.kind, Kind::Seq { .. });
        let sources: Vec<&'a Node> = match &value.kind {
            // The first of a list wins, so it is read last.
            Kind::Seq { items, .. } => items.iter().rev().collect(),
            _ => vec![value],
        };
        if is_list {
            self.count(value, depth)?;
        }
        for node in sources {
            let aliased = matches!(node.kind, Kind::Alias { .. });
            let target = self.target(node)?;
            let Kind::Map { entries, .. } = &target.kind else {
                return self.refuse(node, "<< takes a map, an alias to a map, or a list of these");
            };
            self.in_alias += usize::from(aliased);
            self.count(target, depth)?;
            if target.anchor != 0 {
                self.inside.push(target.anchor);
            }
            self.fill(entries, map, depth + 1)?;
            if target.anchor != 0 {
                self.inside.pop();
            }
            self.in_alias -= usize::from(aliased);
        }
        Ok(())
    }

    fn count(&mut self, node: &Node, depth: usize) -> Result<(), YamlError> {
        if depth > MAX_DEPTH {
            return self.limit(node, format!("nested more than {MAX_DEPTH} deep"));
        }
        self.nodes += 1;
        if self.in_alias == 0 {
            return Ok(());
        }
        self.alias_nodes += 1;
        if let Kind::Scalar { text, .. } = &node.kind {
            self.alias_bytes += text.len();
        }
        // Helm's own limit: of more than 1000 nodes no more than 99 % may come from aliases.
        let helm_refuses = self.alias_nodes > 100 && self.nodes > 1000 && self.alias_nodes * 100 > self.nodes * 99;
        if helm_refuses {
            return self.refuse(node, "the aliases of this document unfold to more than Helm accepts");
        }
        if self.alias_nodes > MAX_ALIAS_NODES || self.alias_bytes > MAX_ALIAS_BYTES {
            return self.limit(node, "the aliases of this document unfold to more than we accept");
        }
        Ok(())
    }
}

#[derive(Default)]
struct Mapping {
    values: Map<String, Value>,
    /// Whether the key of this name was a string before it became one.
    strings: BTreeMap<String, bool>,
}

pub(crate) fn is_merge(key: &Node) -> bool {
    let Kind::Scalar { text, style } = &key.kind else { return false };
    text == "<<"
        && match key.tag.as_deref() {
            None => *style == ScalarStyle::Plain,
            Some(tag) => tag.strip_prefix(TAG) == Some("merge"),
        }
}

fn collect_anchors<'a>(node: &'a Node, anchors: &mut BTreeMap<usize, &'a Node>) {
    if node.anchor != 0 {
        anchors.insert(node.anchor, node);
    }
    match &node.kind {
        Kind::Seq { items, .. } => items.iter().for_each(|item| collect_anchors(item, anchors)),
        Kind::Map { entries, .. } => entries.iter().for_each(|(key, value)| {
            collect_anchors(key, anchors);
            collect_anchors(value, anchors);
        }),
        Kind::Scalar { .. } | Kind::Alias { .. } => {}
    }
}
