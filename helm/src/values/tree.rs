//! A YAML text as a tree of nodes that know their place in the text.

use std::ops::Range;

use granit_parser::{ErrorKind, Event, Parser, ScalarStyle, ScanError, Span, StrInput, StructureStyle};

use super::{MAX_DEPTH, MAX_TEXT_BYTES};

/// A place in a text, as an editor counts it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Position {
    /// Line, from 1.
    pub line: usize,
    /// Column in characters, from 1.
    pub column: usize,
}

impl std::fmt::Display for Position {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}:{}", self.line, self.column)
    }
}

impl Position {
    /// The position of a byte offset in `text`; an offset past the end means the end.
    pub(crate) fn of(text: &str, offset: usize) -> Position {
        let before = text.get(..offset).unwrap_or(text);
        let line_start = before.rfind('\n').map_or(0, |at| at + 1);
        Position { line: before.matches('\n').count() + 1, column: before[line_start..].chars().count() + 1 }
    }

    fn of_span(span: &Span) -> Position {
        Position { line: span.start.line(), column: span.start.col() + 1 }
    }
}

/// Why a text is not a values document.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum YamlError {
    /// Longer than [`MAX_TEXT_BYTES`].
    #[error("{source_name}: {bytes} bytes, more than the {MAX_TEXT_BYTES} a release can carry")]
    TooLarge {
        /// Name of the document.
        source_name: String,
        /// Its size.
        bytes: usize,
    },
    /// A character that Helm's reader refuses or takes for a line break where other readers do not.
    #[error("{source_name}:{at}: the character U+{code:04X} cannot stand here as it is; write it as an escape in double quotes")]
    Character {
        /// Name of the document.
        source_name: String,
        /// Where.
        at: Position,
        /// The code point.
        code: u32,
    },
    /// Not YAML.
    #[error("{source_name}:{at}: {what}")]
    Syntax {
        /// Name of the document.
        source_name: String,
        /// Where.
        at: Position,
        /// What the reader expected or found.
        what: String,
    },
    /// More than we read, though Helm might.
    #[error("{source_name}:{at}: {what}")]
    Limit {
        /// Name of the document.
        source_name: String,
        /// Where.
        at: Position,
        /// What and why.
        what: String,
    },
    /// YAML, but nothing that Helm can read as values.
    #[error("{source_name}:{at}: {what}")]
    Refused {
        /// Name of the document.
        source_name: String,
        /// Where.
        at: Position,
        /// What and why.
        what: String,
    },
}

#[derive(Debug, Clone)]
pub(crate) enum Kind {
    /// The text is the value after folding and escapes.
    Scalar {
        text: String,
        style: ScalarStyle,
    },
    Seq {
        flow: bool,
        items: Vec<Node>,
    },
    Map {
        flow: bool,
        entries: Vec<(Node, Node)>,
    },
    Alias {
        target: usize,
    },
}

#[derive(Debug, Clone)]
pub(crate) struct Node {
    pub(crate) kind: Kind,
    /// Bytes of the node without anchor and tag. A block scalar starts at its first content, not at `|`.
    pub(crate) range: Range<usize>,
    pub(crate) at: Position,
    /// 0 is none.
    pub(crate) anchor: usize,
    /// Full form, `tag:yaml.org,2002:str`; `!` alone is the non-specific tag.
    pub(crate) tag: Option<String>,
}

impl Node {
    fn is_flow(&self) -> bool {
        matches!(self.kind, Kind::Map { flow: true, .. } | Kind::Seq { flow: true, .. })
    }

    /// A plain scalar nobody wrote: `key:` with nothing after it.
    pub(crate) fn is_absent(&self) -> bool {
        self.range.is_empty() && matches!(&self.kind, Kind::Scalar { style: ScalarStyle::Plain, .. })
    }

    /// End of the last byte that belongs to the node or its children.
    pub(crate) fn content_end(&self) -> usize {
        match &self.kind {
            Kind::Map { flow: false, entries } => {
                entries.iter().map(|(key, value)| key.content_end().max(if value.is_absent() { 0 } else { value.content_end() })).max()
            }
            Kind::Seq { flow: false, items } => items.iter().map(Node::content_end).max(),
            _ => None,
        }
        .unwrap_or(self.range.end)
    }
}

/// The documents of a stream; a stream without content has none.
pub(crate) fn read(source: &str, text: &str) -> Result<Vec<Node>, YamlError> {
    read_within(source, text, MAX_TEXT_BYTES)
}

/// The same for a text that may be longer than values are: what helm rendered, a CRD.
pub(crate) fn read_within(source: &str, text: &str, limit: usize) -> Result<Vec<Node>, YamlError> {
    check_characters(source, text, limit)?;
    let mut builder = Builder { source, text, open: Vec::new(), documents: Vec::new() };
    let mut parser = parser(text);
    while let Some(next) = parser.next_event() {
        builder.next(next)?;
    }
    Ok(builder.documents)
}

/// The first document, and where the next one begins. Helm reads no further: what is behind need not even be YAML.
pub(crate) fn read_first(source: &str, text: &str) -> Result<(Option<Node>, Option<Position>), YamlError> {
    check_characters(source, text, MAX_TEXT_BYTES)?;
    let mut builder = Builder { source, text, open: Vec::new(), documents: Vec::new() };
    let mut parser = parser(text);
    while let Some(next) = parser.next_event() {
        let ends = matches!(next, Ok((Event::DocumentEnd, _)));
        builder.next(next)?;
        if ends {
            break;
        }
    }
    let more = match parser.next_event() {
        Some(Ok((Event::DocumentStart(..), span))) => Some(Position::of_span(&span)),
        _ => None,
    };
    Ok((builder.documents.into_iter().next(), more))
}

fn parser(text: &str) -> Parser<'_, StrInput<'_>> {
    let options = granit_parser::options! {
        emit_comments: false,
        // As Helm's reader does.
        block_scalar_eof_without_line_feed: true,
        flow_nesting_limit: MAX_DEPTH,
        block_nesting_limit: MAX_DEPTH,
    };
    Parser::new_from_str_with_options(text, options)
}

/// Helm's reader knows YAML 1.1: it refuses control characters, and takes U+0085, U+2028 and U+2029 for line breaks,
/// where a reader of YAML 1.2 sees a letter. Where the two disagree about lines they disagree about keys.
fn check_characters(source: &str, text: &str, limit: usize) -> Result<(), YamlError> {
    if text.len() > limit {
        return Err(YamlError::TooLarge { source_name: source.to_owned(), bytes: text.len() });
    }
    let body = text.strip_prefix('\u{feff}').unwrap_or(text);
    let offset = text.len() - body.len();
    match body.char_indices().find(|(_, c)| !may_stand_raw(*c) && *c != '\n' && *c != '\r') {
        None => Ok(()),
        Some((at, c)) => {
            Err(YamlError::Character { source_name: source.to_owned(), at: Position::of(text, offset + at), code: u32::from(c) })
        }
    }
}

/// Characters that mean themselves to every reader, anywhere within a line.
pub(crate) fn may_stand_raw(c: char) -> bool {
    match c {
        '\t' | ' '..='~' => true,
        '\u{2028}' | '\u{2029}' | '\u{feff}' | '\u{fffe}' | '\u{ffff}' => false,
        _ => c >= '\u{a0}',
    }
}

struct Builder<'a> {
    source: &'a str,
    text: &'a str,
    /// Collections that are not closed, the outermost first; a map's keys and values follow each other in the list.
    open: Vec<(Node, Vec<Node>)>,
    documents: Vec<Node>,
}

impl Builder<'_> {
    fn next(&mut self, next: std::result::Result<(Event<'_>, Span), ScanError>) -> Result<(), YamlError> {
        let (event, span) = next.map_err(|error| {
            let (source_name, what) = (self.source.to_owned(), error.info());
            let at = Position { line: error.marker().line(), column: error.marker().col() + 1 };
            match error.kind() {
                ErrorKind::RecursionLimitExceeded => YamlError::Limit { source_name, at, what },
                // Helm's reader skips a tab wherever it is not in a block's indentation.
                ErrorKind::TabInBlockIndentation if self.open.iter().any(|(node, _)| node.is_flow()) => YamlError::Limit {
                    source_name,
                    at,
                    what: "a line within {} or [] begins with a tab, which Helm may take and we do not: write spaces".to_owned(),
                },
                _ => YamlError::Syntax { source_name, at, what },
            }
        })?;
        self.take(event, &span)
    }

    fn take(&mut self, event: Event<'_>, span: &Span) -> Result<(), YamlError> {
        let range = span.byte_range().unwrap_or_default();
        let node = |kind, anchor, tag: Option<String>| Node { kind, range: range.clone(), at: Position::of_span(span), anchor, tag };
        match event {
            Event::Scalar(text, style, anchor, tag) => {
                if style == ScalarStyle::DoubleQuoted {
                    self.check_escapes(&range)?;
                }
                // The parser gives an absent scalar the text of a null.
                let text = if range.is_empty() && style == ScalarStyle::Plain { String::new() } else { text.into_owned() };
                self.put(node(Kind::Scalar { text, style }, anchor, tag.map(|tag| full_tag(&tag))))
            }
            Event::Alias(target) => self.put(node(Kind::Alias { target }, 0, None)),
            Event::SequenceStart(style, anchor, tag) => {
                let flow = style == StructureStyle::Flow;
                self.open(node(Kind::Seq { flow, items: Vec::new() }, anchor, tag.map(|tag| full_tag(&tag))))
            }
            Event::MappingStart(style, anchor, tag) => {
                let flow = style == StructureStyle::Flow;
                self.open(node(Kind::Map { flow, entries: Vec::new() }, anchor, tag.map(|tag| full_tag(&tag))))
            }
            Event::SequenceEnd | Event::MappingEnd => self.close(range.end),
            Event::DocumentStart(_, Some(version)) if (version.major, version.minor) != (1, 1) => Err(YamlError::Refused {
                source_name: self.source.to_owned(),
                at: Position::of_span(span),
                what: "Helm 3 reads YAML 1.1 and refuses a document of another version: leave the line with %YAML away".to_owned(),
            }),
            Event::DocumentEnd | Event::StreamEnd | Event::StreamStart | Event::DocumentStart(..) => Ok(()),
            _ => Ok(()),
        }
    }

    /// JSON and YAML 1.2 know `\/`, and JSON writes a character beyond U+FFFF as two halves; Helm's reader knows neither.
    fn check_escapes(&self, range: &Range<usize>) -> Result<(), YamlError> {
        let raw = self.text.get(range.clone()).unwrap_or_default();
        let mut chars = raw.char_indices();
        while let Some((at, c)) = chars.next() {
            let escaped = if c == '\\' { chars.next().map(|(_, escaped)| escaped) } else { None };
            let half = || raw.get(at + 2..at + 6).and_then(|hex| u32::from_str_radix(hex, 16).ok()).is_some_and(|code| code >> 11 == 0x1b);
            let what = match escaped {
                Some('/') => "Helm 3 does not know the escape \\/; write / alone",
                Some('u') if half() => "Helm 3 refuses an escape of half a character; write the character itself, or \\U and 8 digits",
                _ => continue,
            };
            let at = Position::of(self.text, range.start + at);
            return Err(YamlError::Refused { source_name: self.source.to_owned(), at, what: what.to_owned() });
        }
        Ok(())
    }

    fn open(&mut self, node: Node) -> Result<(), YamlError> {
        if self.open.len() >= MAX_DEPTH {
            return Err(YamlError::Limit {
                source_name: self.source.to_owned(),
                at: node.at,
                what: format!("nested more than {MAX_DEPTH} deep"),
            });
        }
        self.open.push((node, Vec::new()));
        Ok(())
    }

    fn close(&mut self, end: usize) -> Result<(), YamlError> {
        let Some((mut node, children)) = self.open.pop() else { return Ok(()) };
        node.range.end = end.max(node.range.start);
        match &mut node.kind {
            Kind::Seq { items, .. } => *items = children,
            Kind::Map { entries, .. } => {
                let mut rest = children.into_iter();
                while let (Some(key), Some(value)) = (rest.next(), rest.next()) {
                    entries.push((key, value));
                }
            }
            Kind::Scalar { .. } | Kind::Alias { .. } => {}
        }
        self.put(node)
    }

    fn put(&mut self, node: Node) -> Result<(), YamlError> {
        match self.open.last_mut() {
            Some((_, children)) => children.push(node),
            None => self.documents.push(node),
        }
        Ok(())
    }
}

fn full_tag(tag: &granit_parser::Tag) -> String {
    format!("{}{}", tag.handle(), tag.suffix())
}
