//! The lines of one item.

use super::value::{change, cut, safe};
use super::word::{evidence, objects, weight};
use groundswell_change::summary::{Evidence, Item, ObjectRef, Provenance, Weight};
use textwrap::core::display_width;
use textwrap::{Options, WordSeparator, WordSplitter};

/// Columns before the text of an item: two blanks, glyph, blank, word of at most four, two blanks.
const INDENT: &str = "          ";
/// From here on, a folded item names two objects and not only one.
const WIDE: usize = 120;
/// What begins so is for a shell, and can be copied: the terminal breaks its line, not we.
const COMMANDS: [&str; 3] = ["kubectl ", "helm ", "groundswell "];

/// How an item is laid out.
pub(super) struct Layout<'a> {
    pub(super) width: usize,
    /// Every object, every detail.
    pub(super) full: bool,
    /// Taken off the front of template paths, which all begin with it.
    pub(super) chart: &'a str,
    /// Objects there are named without it.
    pub(super) namespace: &'a str,
}

/// The item in lines.
pub(super) fn lines(item: &Item, layout: &Layout<'_>) -> Vec<String> {
    let (glyph, word, style) = weight(item.weight);
    let head = format!("  {style}{glyph} {word:<4}{style:#}  ");
    let room = layout.width.saturating_sub(INDENT.len()).max(20);
    let mut parts = vec![sentence(item, layout, room)];
    join(&mut parts, place(item, room), room);
    if let (Some(from), Some(last)) = (provenance(&item.from, layout, room), parts.last_mut()) {
        let dim = anstyle::Style::new().effects(anstyle::Effects::DIMMED);
        last.push_str(&format!("  {dim}{from}{dim:#}"));
    }
    let mut lines = Vec::new();
    for part in &parts {
        lines.extend(wrap(part, layout.width, if lines.is_empty() { &head } else { INDENT }, INDENT));
    }
    if layout.full || item.weight <= Weight::Act {
        lines.extend(item.next.as_deref().into_iter().flat_map(|next| advice(&safe(next), layout.width)));
    }
    if layout.full {
        lines.extend(item.detail.iter().flat_map(|line| wrap(&format!("- {}", safe(line)), layout.width, INDENT, "            ")));
    }
    lines
}

/// Whether advice is for a shell.
pub(super) fn is_command(next: &str) -> bool {
    COMMANDS.iter().any(|command| next.starts_with(command))
}

fn advice(next: &str, width: usize) -> Vec<String> {
    if is_command(next) {
        return vec![format!("{INDENT}next: {next}")];
    }
    wrap(&format!("next: {next}"), width, INDENT, INDENT)
}

/// What, of which objects. Folded, what nobody has to act on is cut at two lines.
fn sentence(item: &Item, layout: &Layout<'_>, room: usize) -> String {
    let all = objects(item);
    let shown = if layout.full { all.len() } else { 1 + usize::from(layout.width >= WIDE) };
    let mut names: Vec<String> = all.iter().take(shown).map(|object| named(object, layout.namespace)).collect();
    if all.len() > shown {
        names.push(format!("{} more", all.len() - shown));
    }
    let what = safe(&item.what);
    let said = match names.as_slice() {
        [] => what,
        [one] => format!("{one}: {what}"),
        [first @ .., last] => format!("{} and {last}: {what}", first.join(", ")),
    };
    if layout.full || item.weight <= Weight::Act { said } else { cut(&said, room * 2) }
}

/// As kubectl would be told; a kind that everybody knows by three letters has them.
fn named(object: &ObjectRef, namespace: &str) -> String {
    let kind = if object.kind == "CustomResourceDefinition" { "CRD" } else { &object.kind };
    if object.namespace.is_empty() || object.namespace == namespace {
        return safe(&format!("{kind}/{}", object.name));
    }
    safe(&format!("{kind}/{}/{}", object.namespace, object.name))
}

/// Which field, from what to what.
fn place(item: &Item, room: usize) -> Option<String> {
    let path = item.path.as_deref().map(safe).filter(|path| !path.is_empty());
    let taken = path.as_ref().map_or(0, |path| display_width(path) + 2);
    // A path as long as the line leaves its values a line of their own.
    let left = if taken + 20 > room { room } else { room - taken };
    // What stays as it is (a default that an override equals) is no change.
    let differs = item.before != item.after;
    match (path, differs.then(|| change(item.before.as_ref(), item.after.as_ref(), left)).flatten()) {
        (Some(path), Some(change)) => Some(format!("{path}: {change}")),
        // A path that the sentence has said already is not said again.
        (path, None) => path.filter(|path| !safe(&item.what).contains(path.as_str())),
        (None, change) => change,
    }
}

/// `[templates/deployment.yaml]`; how it is known is said where it is not simply the render.
fn provenance(from: &Provenance, layout: &Layout<'_>, room: usize) -> Option<String> {
    let at = safe(&from.at);
    let at = at.strip_prefix(layout.chart).and_then(|rest| rest.strip_prefix('/')).unwrap_or(&at);
    // Of a long path the end says more.
    let short = format!("…/{}", at.rsplit('/').take(2).collect::<Vec<_>>().into_iter().rev().collect::<Vec<_>>().join("/"));
    let at = if layout.full || display_width(at) + 16 <= room { at } else { &short };
    let said = match (from.kind, at) {
        (Evidence::Render, "") => return None,
        (Evidence::Render, at) => format!("[{at}]"),
        (kind, "") => format!("[{}]", evidence(kind)),
        (kind, at) => format!("[{}: {at}]", evidence(kind)),
    };
    // It moves to the next line as a whole.
    Some(said.replace(' ', "\u{a0}"))
}

/// Adds to the last line what fits there, else as a line of its own.
fn join(parts: &mut Vec<String>, more: Option<String>, room: usize) {
    let Some(more) = more else { return };
    match parts.last_mut() {
        Some(last) if display_width(last) + 2 + display_width(&more) <= room => *last = format!("{last}  {more}"),
        _ => parts.push(more),
    }
}

/// Wraps at blanks only: a name or path with hyphens can be copied.
pub(super) fn wrap(text: &str, width: usize, first: &str, rest: &str) -> Vec<String> {
    let options = Options::new(width)
        .initial_indent(first)
        .subsequent_indent(rest)
        .word_separator(WordSeparator::AsciiSpace)
        .word_splitter(WordSplitter::NoHyphenation);
    textwrap::wrap(text, options).into_iter().map(std::borrow::Cow::into_owned).collect()
}
