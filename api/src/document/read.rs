//! Takes typed things out of a tree and says what is wrong where it cannot.

use super::problem::Report;
use super::tree::{Kind, Node};
use super::types::{At, Spot};
use groundswell_core::id::check_name;
use groundswell_core::time::Span;
use serde_saphyr::granit_parser::ScalarStyle;
use std::collections::BTreeMap;
use std::str::FromStr;

/// Longer than a month nobody bakes a wave; it also keeps sums of spans far from an overflow.
const MAX_SPAN: Span = Span::minutes(31 * 24 * 60);

/// A map with its known fields.
pub(super) struct Fields<'n> {
    place: String,
    at: Spot,
    fields: BTreeMap<&'n str, &'n Node>,
}

impl<'n> Fields<'n> {
    /// Opens a map; unknown and repeated fields are reported. `place` is its path in the document, empty at the top.
    pub(super) fn open(report: &mut Report<'_>, node: &'n Node, place: &str, known: &[&str]) -> Option<Self> {
        let Kind::Map { entries, .. } = &node.kind else {
            let what = if place.is_empty() { "a document is a map of fields".to_owned() } else { format!("`{place}` is a map of fields") };
            report.add(node.at, what, format!("this is {}", node.called()), format!("its fields are {}", listed(known)));
            return None;
        };
        report.plain_node(node);
        let mut opened = Self { place: place.to_owned(), at: node.at, fields: BTreeMap::new() };
        for (key, value) in entries {
            let Kind::Scalar { text: name, .. } = &key.kind else {
                report.add(key.at, format!("a field name is text, this is {}", key.called()), "", "");
                continue;
            };
            if !known.contains(&name.as_str()) {
                let hint =
                    near(name, known).map_or_else(|| format!("the fields here are {}", listed(known)), |n| format!("did you mean `{n}`?"));
                report.add(key.at, format!("field `{}` is not known", opened.path(&cut(name))), "", hint);
            } else if opened.fields.insert(name, value).is_some() {
                report.add(
                    key.at,
                    format!("field `{}` is written twice", opened.path(name)),
                    "only one of them could count",
                    "take one of them out",
                );
            }
        }
        Some(opened)
    }

    /// The path of one of its fields.
    pub(super) fn path(&self, name: &str) -> String {
        if self.place.is_empty() { name.to_owned() } else { format!("{}.{name}", self.place) }
    }

    /// Where the map begins.
    pub(super) fn at(&self) -> Spot {
        self.at
    }

    /// A field, when something is written there.
    pub(super) fn get(&self, name: &str) -> Option<&'n Node> {
        self.fields.get(name).copied().filter(|node| !node.is_null())
    }

    /// A field that has to be there.
    pub(super) fn require(&self, report: &mut Report<'_>, name: &str, example: &str) -> Option<&'n Node> {
        let found = self.get(name);
        if found.is_none() {
            let at = self.fields.get(name).map_or(self.at, |node| node.at);
            report.add(at, format!("field `{}` is missing", self.path(name)), "", format!("it says {example}"));
        }
        found
    }
}

impl Report<'_> {
    /// Anchors, aliases and tags have no meaning outside values.
    fn plain_node(&mut self, node: &Node) {
        if node.tag || node.anchor > 0 {
            self.add(node.at, "tags and anchors are not taken here", "they have a meaning only inside values", "take it out");
        }
    }

    /// Text, with its place. A number is taken as it is written, so that a version 1.10 stays 1.10.
    pub(super) fn text(&mut self, node: &Node, place: &str) -> Option<At<String>> {
        let Kind::Scalar { text, .. } = &node.kind else {
            self.add(node.at, format!("`{place}` is text"), format!("this is {}", node.called()), "");
            return None;
        };
        self.plain_node(node);
        if node.is_null() || text.is_empty() {
            self.add(node.at, format!("`{place}` is empty"), "", "");
            return None;
        }
        Some(At { value: text.clone(), at: node.at })
    }

    /// Something with a grammar of its own, whose error says what is wrong.
    pub(super) fn parsed<T: FromStr<Err: std::fmt::Display>>(&mut self, node: &Node, place: &str) -> Option<At<T>> {
        // An empty selector has a meaning, so the empty text goes to the grammar too.
        let text = match &node.kind {
            Kind::Scalar { text, .. } if text.is_empty() && !node.is_null() => At { value: String::new(), at: node.at },
            _ => self.text(node, place)?,
        };
        match text.parse() {
            Ok(value) => Some(At { value, at: text.at }),
            Err(error) => {
                self.add(text.at, format!("`{place}` cannot be taken"), error.to_string(), "");
                None
            }
        }
    }

    /// A name by the rules of Kubernetes.
    pub(super) fn name(&mut self, node: &Node, place: &str, what: &'static str) -> Option<At<String>> {
        let text = self.text(node, place)?;
        match check_name(what, &text) {
            Ok(()) => Some(text),
            Err(error) => {
                self.add(text.at, format!("`{place}` cannot be taken"), error.to_string(), "");
                None
            }
        }
    }

    /// One of some words.
    pub(super) fn one_of<T: Copy>(&mut self, node: &Node, place: &str, words: &[(&str, T)]) -> Option<T> {
        let text = self.text(node, place)?;
        let found = words.iter().find(|(word, _)| *word == text.value).map(|(_, value)| *value);
        if found.is_none() {
            let names: Vec<&str> = words.iter().map(|(word, _)| *word).collect();
            let hint = near(&text, &names).map_or_else(|| format!("write {}", any_of(&names)), |word| format!("did you mean `{word}`?"));
            self.add(text.at, format!("`{place}` does not know `{}`", cut(&text)), "", hint);
        }
        found
    }

    /// `true` or `false`.
    pub(super) fn flag(&mut self, node: &Node, place: &str) -> Option<bool> {
        match &node.kind {
            Kind::Scalar { text, style: ScalarStyle::Plain } if text == "true" || text == "false" => Some(text == "true"),
            Kind::Scalar { text, .. } => {
                let hint = match text.to_ascii_lowercase().as_str() {
                    "yes" | "on" | "y" | "true" => "write `true`, without quotes",
                    "no" | "off" | "n" | "false" => "write `false`, without quotes",
                    _ => "write `true` or `false`",
                };
                self.add(node.at, format!("`{place}` is true or false"), format!("`{}` is text", cut(text)), hint);
                None
            }
            _ => {
                self.add(node.at, format!("`{place}` is true or false"), format!("this is {}", node.called()), "");
                None
            }
        }
    }

    /// A length of time such as `90s`, `10m` or `1h30m`.
    pub(super) fn span(&mut self, node: &Node, place: &str) -> Option<At<Span>> {
        let text = self.text(node, place)?;
        match parse_span(&text) {
            Ok(value) => Some(At { value, at: text.at }),
            Err(why) => {
                let hint = match text.parse::<u64>() {
                    Ok(n) => format!("a unit is missing: write `{n}s` or `{n}m`"),
                    Err(_) => "write `90s`, `10m` or `1h30m`".to_owned(),
                };
                self.add(text.at, format!("`{place}` is no length of time"), why, hint);
                None
            }
        }
    }

    /// The items of a list.
    pub(super) fn list<'n>(&mut self, node: &'n Node, place: &str) -> &'n [Node] {
        match &node.kind {
            Kind::List(items) => {
                self.plain_node(node);
                items
            }
            _ => {
                self.add(node.at, format!("`{place}` is a list"), format!("this is {}", node.called()), "begin each item with `- `");
                &[]
            }
        }
    }
}

/// Reads a length of time; the words are those of an operator, `10m` or `1h 30m`.
///
/// # Errors
/// What is wrong with it.
pub fn parse_span(text: &str) -> Result<Span, String> {
    let length: jiff::SignedDuration = text.trim().parse().map_err(|error: jiff::Error| error.to_string())?;
    let ms = u64::try_from(length.as_millis()).map_err(|_| "it is less than nothing".to_owned())?;
    if ms > MAX_SPAN.0 {
        return Err("it is longer than 31 days".to_owned());
    }
    Ok(Span(ms))
}

/// The word that was probably meant.
fn near<'w>(text: &str, words: &[&'w str]) -> Option<&'w str> {
    // 0.7 takes one slip in a word of five letters; a word that differs only in case and dashes always counts.
    let bare = |word: &str| word.replace(['-', '_'], "").to_lowercase();
    let text = bare(text);
    words
        .iter()
        .map(|word| (strsim::normalized_damerau_levenshtein(&text, &bare(word)), *word))
        .filter(|(score, _)| *score >= 0.7)
        .max_by(|a, b| a.0.total_cmp(&b.0))
        .map(|(_, word)| word)
}

fn listed(words: &[&str]) -> String {
    words.iter().map(|word| format!("`{word}`")).collect::<Vec<_>>().join(", ")
}

fn any_of(words: &[&str]) -> String {
    match words {
        [one] => format!("`{one}`"),
        [rest @ .., last] => format!("{} or `{last}`", listed(rest)),
        [] => String::new(),
    }
}

/// What an operator wrote, short enough for a message.
pub(super) fn cut(text: &str) -> String {
    text.chars().take(60).collect()
}
