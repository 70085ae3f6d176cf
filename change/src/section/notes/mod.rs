//! What the chart's authors wrote about the versions that are crossed. It is prose of others: quoted, bounded, and never believed.

mod heading;
mod note;

use serde_json::Value;

use super::Context;
use super::read::{clean, count, few, finish, plain};
use crate::constraint::Version;
use crate::input::{Chart, Text};
use crate::summary::{Evidence, Item, Provenance, Weight};
use note::Note;

/// Most notes that are shown: a jump over all versions of a chart that is known to us crosses 84.
const MOST: usize = 100;

/// Most lines of one note.
const LINES: usize = 40;

/// Largest text that is read; the largest known to us has 60 kB.
const LARGEST: usize = 2 << 20;

/// How much of a note stands in its sentence.
const SENTENCE: usize = 240;

pub(super) fn items(context: &Context<'_>) -> Vec<Item> {
    let (old, new) = (&context.input.old.chart, &context.input.new.chart);
    let mut found: Vec<Found<'_>> = Vec::new();
    for text in &context.input.new.texts {
        let Some((was, is)) = crossed(&text.path, old, new) else { continue };
        if text.text.len() > LARGEST {
            continue;
        }
        let within = |note: &Note| note.version.precedence(&was).is_gt() && note.version.precedence(&is).is_le();
        found.extend(note::notes(&text.text).into_iter().filter(within).map(|note| Found { text, note }));
    }
    // The chart's own first, then those of the charts inside it; each in the order in which the versions are crossed.
    found.sort_by(|a, b| chart_of(&a.text.path).cmp(&chart_of(&b.text.path)).then_with(|| a.note.version.precedence(&b.note.version)));
    let more = found.len().saturating_sub(MOST);
    found.truncate(MOST);
    let mut items: Vec<Item> = folded(&found).iter().map(|group| item(group)).collect();
    if more > 0 {
        let what = format!("{} not shown", count(more, "further note is", "further notes are"));
        items.push(Item::new("note-more", Weight::Look, what, Provenance::new(Evidence::Text, &new.name)));
    }
    items.extend(changes(old, new));
    finish(items)
}

/// A note and the text that it stands in.
struct Found<'a> {
    text: &'a Text,
    note: Note,
}

/// The folders of the charts inside which a text lies.
fn chart_of(path: &str) -> Option<&str> {
    path.rfind("charts/").map(|at| path[at + "charts/".len()..].split('/').next().unwrap_or_default())
}

/// From which version to which the chart of a text goes; `None` where it is new, gone, the same, or going back.
fn crossed(path: &str, old: &Chart, new: &Chart) -> Option<(Version, Version)> {
    let (was, is) = match chart_of(path) {
        None => (&old.version, &new.version),
        Some(folder) => {
            let version = |chart: &'_ Chart| {
                chart.subcharts.iter().find(|one| one.name == folder || one.key == folder).map(|one| one.version.clone())
            };
            return Some((Version::parse(&version(old)?).ok()?, Version::parse(&version(new)?).ok()?));
        }
    };
    Some((Version::parse(was).ok()?, Version::parse(is).ok()?))
}

/// Notes that say the same but for numbers stand together, where the first of them stands.
fn folded<'f, 'a>(found: &'f [Found<'a>]) -> Vec<Vec<&'f Found<'a>>> {
    let mut groups: Vec<(String, Vec<&Found<'_>>)> = Vec::new();
    for one in found {
        let key = likeness(one);
        match groups.iter_mut().find(|(other, _)| *other == key) {
            Some((_, group)) => group.push(one),
            None => groups.push((key, vec![one])),
        }
    }
    groups.into_iter().map(|(_, group)| group).collect()
}

/// A note without its numbers.
fn likeness(found: &Found<'_>) -> String {
    let prose = found.note.prose.join(" ");
    let mut key = format!("{} ", found.text.path);
    let mut number = false;
    for c in prose.chars() {
        let part = c.is_ascii_digit() || (number && c == '.');
        if !part {
            key.push(c);
        } else if !number {
            key.push('#');
        }
        number = part;
    }
    key
}

/// One claim for notes that are alike.
fn item(group: &[&Found<'_>]) -> Item {
    // The last one counts most: its commands are those of the version to come.
    let (Some(first), Some(last)) = (group.first(), group.last()) else {
        return Item::new("note", Weight::Know, "", Provenance::new(Evidence::Text, ""));
    };
    let at = |found: &Found<'_>| format!("{}:{}", found.text.path, found.note.line);
    let note = &last.note;
    let prose = note.prose.join(" ");
    let said = if prose.is_empty() { String::new() } else { format!(": {}", clean(&prose, SENTENCE)) };
    let chart = chart_of(&first.text.path).map_or_else(String::new, |chart| format!("{chart}, "));
    let what = match group {
        [_] => format!("{chart}{}{said}", clean(&note.heading, 80)),
        _ => format!("{chart}{} … {} ({} notes alike){said}", clean(&first.note.heading, 80), clean(&note.heading, 80), group.len()),
    };
    let mut item = Item::new("note", Weight::Look, what, Provenance::new(Evidence::Text, at(first)));
    let warnings = note.warnings();
    if !warnings.is_empty() {
        item.detail.push(format!("it says: {}", warnings.join(", ")));
    }
    if group.len() > 1 {
        item.detail.extend(group.iter().map(|one| format!("{} at {}", clean(&one.note.heading, 80), at(one))));
    }
    if prose.chars().count() > SENTENCE {
        item.detail.extend(bounded(&note.prose.iter().map(String::as_str).collect::<Vec<_>>()));
    }
    let commands = note.commands();
    item.detail.extend(alike(&commands).into_iter().map(|line| format!("$ {line}")));
    item.next = Some(if commands.is_empty() {
        format!("read {}", at(last))
    } else {
        format!("read {}: it has {}, to be checked before they are run", at(last), count(commands.len(), "command", "commands"))
    });
    item
}

fn bounded(lines: &[&str]) -> Vec<String> {
    let mut out: Vec<String> = lines.iter().take(LINES).map(|line| (*line).to_owned()).collect();
    if lines.len() > LINES {
        out.push(format!("and {} more", count(lines.len() - LINES, "line", "lines")));
    }
    out
}

/// Commands, of which those that begin alike (`kubectl apply --server-side -f …`) are told by their first.
fn alike(commands: &[&str]) -> Vec<String> {
    let start = |command: &str| command.split_whitespace().take(3).map(str::to_owned).collect::<Vec<_>>();
    let mut out: Vec<String> = Vec::new();
    for run in commands.chunk_by(|a, b| start(a) == start(b)) {
        out.extend(run.iter().take(2).map(|command| (*command).to_owned()));
        if run.len() > 2 {
            out.push(format!("… and {} more like it", run.len() - 2));
        }
    }
    out.truncate(LINES);
    out
}

/// The changes that Artifact Hub shows. They are those of the new version alone.
fn changes(old: &Chart, new: &Chart) -> Option<Item> {
    const KEY: &str = "artifacthub.io/changes";
    let text = |chart: &Chart| chart.annotations.iter().find(|(key, _)| key == KEY).map(|(_, text)| text.clone());
    let list = text(new).filter(|is| text(old).as_ref() != Some(is) && is.len() <= LARGEST)?;
    let parsed: Value = serde_saphyr::from_str(&list).ok()?;
    let line = |one: &Value| {
        let field = |key: &str| one.get(key).map(plain).unwrap_or_default();
        if one.is_object() {
            format!("{}: {}", field("kind"), field("description")).trim_start_matches(": ").to_owned()
        } else {
            plain(one)
        }
    };
    let lines: Vec<String> = parsed.as_array()?.iter().map(line).filter(|line| !line.trim().is_empty()).collect();
    if lines.is_empty() {
        return None;
    }
    let security = parsed.as_array()?.iter().any(|one| one.get("kind").and_then(Value::as_str) == Some("security"));
    let weight = if security || lines.iter().any(|line| line.starts_with("removed") || line.to_lowercase().contains("breaking")) {
        Weight::Look
    } else {
        Weight::Know
    };
    let short: Vec<String> = lines.iter().map(|line| clean(line, 90)).collect();
    let what = format!("{} {}: {}", new.version, count(lines.len(), "change by its authors", "changes by its authors"), few(&short, 2));
    Some(
        Item::new("note-changes", weight, what, Provenance::new(Evidence::Text, format!("Chart.yaml, annotation {KEY}")))
            .detail(bounded(&lines.iter().map(String::as_str).collect::<Vec<_>>())),
    )
}

#[cfg(test)]
mod tests;
