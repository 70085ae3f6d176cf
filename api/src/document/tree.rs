//! A YAML text as a tree of nodes that know their place.

use super::types::Spot;
use serde_saphyr::granit_parser::{Event, Marker, Options, Parser, ScalarStyle, Span, StructureStyle};
use std::ops::Range;

/// Deeper than any document of ours is, values included; keeps what walks the tree from a stack overflow.
const MAX_DEPTH: usize = 64;
/// A node costs some 150 bytes here, so this is 15 MB at the most.
const MAX_NODES: usize = 100_000;

/// Why a text is not YAML.
pub(super) struct Broken {
    pub(super) at: Spot,
    pub(super) why: String,
    pub(super) hint: String,
}

#[derive(Clone, Debug)]
pub(super) struct Node {
    pub(super) at: Spot,
    /// Of the node's own text; of a block map or list: from its first key to the end of its last value.
    pub(super) bytes: Range<usize>,
    /// Tagged (`!!str`), which has no meaning outside values.
    pub(super) tag: bool,
    pub(super) anchor: usize,
    pub(super) kind: Kind,
}

#[derive(Clone, Debug)]
pub(super) enum Kind {
    Scalar { text: String, style: ScalarStyle },
    List(Vec<Node>),
    Map { entries: Vec<(Node, Node)>, flow: bool },
    Alias(usize),
}

impl Node {
    /// Nothing is written, or `null`.
    pub(super) fn is_null(&self) -> bool {
        matches!(&self.kind, Kind::Scalar { text, style: ScalarStyle::Plain } if matches!(text.as_str(), "" | "~" | "null" | "Null" | "NULL"))
    }

    /// What a person would call it.
    pub(super) fn called(&self) -> &'static str {
        match &self.kind {
            _ if self.is_null() => "nothing",
            Kind::Scalar { text, style: ScalarStyle::Plain } if matches!(text.as_str(), "true" | "false") => "true or false",
            Kind::Scalar { text, style: ScalarStyle::Plain } if text.parse::<f64>().is_ok() => "a number",
            Kind::Scalar { .. } => "text",
            Kind::List(_) => "a list",
            Kind::Map { .. } => "a map",
            Kind::Alias(_) => "an alias",
        }
    }
}

/// A collection whose end has not come.
struct Open {
    node: Node,
    /// The key that waits for its value.
    key: Option<Node>,
}

/// Reads all documents; those without content are left out.
pub(super) fn read(text: &str) -> Result<Vec<Node>, Broken> {
    let mut options = Options::default();
    options.emit_comments = false;
    (options.flow_nesting_limit, options.block_nesting_limit) = (MAX_DEPTH, MAX_DEPTH);
    let (mut documents, mut open, mut count) = (Vec::new(), Vec::<Open>::new(), 0);
    for next in Parser::new_from_str_with_options(text, options) {
        let (event, span) = next.map_err(|error| Broken { at: spot(error.marker()), why: error.info(), hint: hint(&error.info()) })?;
        count += 1;
        if count > MAX_NODES {
            let why = format!("it has more than {MAX_NODES} nodes");
            return Err(Broken { at: spot(&span.start), why, hint: "write the values as text (`values: |`)".to_owned() });
        }
        let done = match event {
            Event::Scalar(value, style, anchor, tag) => {
                let kind = Kind::Scalar { text: value.into_owned(), style };
                Some(node(&span, kind, anchor, tag.is_some()))
            }
            Event::Alias(target) => Some(node(&span, Kind::Alias(target), 0, false)),
            Event::SequenceStart(_, anchor, tag) => {
                push(&mut open, node(&span, Kind::List(Vec::new()), anchor, tag.is_some()))?;
                None
            }
            Event::MappingStart(style, anchor, tag) => {
                let kind = Kind::Map { entries: Vec::new(), flow: style == StructureStyle::Flow };
                push(&mut open, node(&span, kind, anchor, tag.is_some()))?;
                None
            }
            Event::SequenceEnd | Event::MappingEnd => open.pop().map(|top| close(top.node, &span)),
            _ => None,
        };
        let Some(done) = done else { continue };
        match open.last_mut() {
            Some(parent) => parent.take(done),
            None if done.is_null() => {}
            None => documents.push(done),
        }
    }
    Ok(documents)
}

fn push(open: &mut Vec<Open>, node: Node) -> Result<(), Broken> {
    if open.len() >= MAX_DEPTH {
        let hint = "write the values as text (`values: |`)".to_owned();
        return Err(Broken { at: node.at, why: format!("it is nested more than {MAX_DEPTH} levels deep"), hint });
    }
    open.push(Open { node, key: None });
    Ok(())
}

impl Open {
    fn take(&mut self, child: Node) {
        self.node.bytes.end = self.node.bytes.end.max(child.bytes.end);
        match &mut self.node.kind {
            Kind::List(items) => items.push(child),
            Kind::Map { entries, .. } => match self.key.take() {
                Some(key) => entries.push((key, child)),
                None => self.key = Some(child),
            },
            Kind::Scalar { .. } | Kind::Alias(_) => {}
        }
    }
}

/// A flow collection ends with its bracket; a block one has no end of its own, so it ends where its last child does.
fn close(mut node: Node, end: &Span) -> Node {
    if matches!(node.kind, Kind::Map { flow: true, .. } | Kind::List(_))
        && !end.is_empty()
        && let Some(range) = end.byte_range()
    {
        node.bytes.end = node.bytes.end.max(range.end);
    }
    node
}

fn node(span: &Span, kind: Kind, anchor: usize, tag: bool) -> Node {
    Node { at: spot(&span.start), bytes: span.byte_range().unwrap_or_default(), tag, anchor, kind }
}

fn spot(marker: &Marker) -> Spot {
    Spot { line: marker.line().max(1), column: marker.col() + 1 }
}

/// The two mistakes that make most of the broken files.
fn hint(info: &str) -> String {
    let info = info.to_ascii_lowercase();
    if info.contains("tab") {
        "YAML is indented by spaces; put spaces in place of the tab".to_owned()
    } else if info.contains("mapping values") || info.contains("simple key") || info.contains("did not find expected") {
        "look at the indentation of this line and the one above, and quote text that contains `: `".to_owned()
    } else {
        String::new()
    }
}
