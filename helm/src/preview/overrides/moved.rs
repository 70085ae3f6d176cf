//! Where a key may have gone. Guesses only: a render proves them.

use std::collections::BTreeSet;

use groundswell_change::input::{Side, Text};
use serde_json::Value;

use super::keys::{get, names};
use crate::values::{Path, Segment};

/// Guesses that are tried for one key.
pub(super) const MAX_GUESSES: usize = 5;

/// Names this much alike (Jaro-Winkler) may be a new spelling of one word.
const ALIKE: f64 = 0.88;

/// Lines around a mention of a key in which its successor is looked for: upgrade notes are written in paragraphs.
const PARAGRAPH: usize = 6;

/// A key of the new chart that may have taken the place.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Guess {
    pub(super) path: Path,
    /// The text that names both keys.
    pub(super) said_in: Option<String>,
}

/// The likeliest first: what the notes say, then the same name elsewhere, then a similar name beside it.
pub(super) fn guesses(path: &Path, given: &Value, old: &Side, new: &Side) -> Vec<Guess> {
    let mut fresh = Vec::new();
    collect(&new.defaults, &mut Vec::new(), &mut fresh);
    let takes = |to: &Path| *to != *path && fits(given, get(&new.defaults, to));
    let mut out = said(path, &fresh, &new.texts);
    let known: BTreeSet<&Path> = fresh.iter().filter(|to| get(&old.defaults, to).is_some()).collect();
    let mut rated: Vec<(u8, &Path)> =
        fresh.iter().filter(|to| !known.contains(to) && takes(to)).filter_map(|to| Some((rate(path, to)?, to))).collect();
    rated.sort();
    out.extend(rated.into_iter().map(|(_, path)| Guess { path: path.clone(), said_in: None }));
    let mut seen = BTreeSet::new();
    out.retain(|guess| seen.insert(guess.path.clone()));
    out.truncate(MAX_GUESSES);
    out
}

fn collect(value: &Value, path: &mut Vec<Segment>, out: &mut Vec<Path>) {
    if !path.is_empty() {
        out.push(Path(path.clone()));
    }
    let Value::Object(map) = value else { return };
    for (key, below) in map {
        path.push(Segment::Key(key.clone()));
        collect(below, path, out);
        path.pop();
    }
}

/// A boolean goes where a boolean stands; where the default says nothing, anything goes.
fn fits(given: &Value, default: Option<&Value>) -> bool {
    match default {
        None | Some(Value::Null) => true,
        Some(Value::String(text)) if text.is_empty() => !matches!(given, Value::Object(_) | Value::Array(_) | Value::Bool(_)),
        Some(default) => std::mem::discriminant(default) == std::mem::discriminant(given),
    }
}

/// The lower the likelier; `None` for what is not alike at all.
fn rate(from: &Path, to: &Path) -> Option<u8> {
    let (from, to) = (names(from), names(to));
    let ((leaf, way), (to_leaf, to_way)) = (from.split_last()?, to.split_last()?);
    let shared = way.iter().any(|key| to_way.contains(key)) || way.is_empty();
    if leaf == to_leaf {
        return Some(if shared { 0 } else { 2 });
    }
    if way == to_way && strsim::jaro_winkler(&leaf.to_lowercase(), &to_leaf.to_lowercase()) >= ALIKE {
        return Some(1);
    }
    // `a.bC` that became `a.b.c`.
    let flat = |path: &[&str]| path.concat().to_lowercase();
    (flat(&from) == flat(&to)).then_some(0)
}

/// Keys that the new version's texts name close behind this one.
fn said(path: &Path, known: &[Path], texts: &[Text]) -> Vec<Guess> {
    let written = path.to_string();
    let mut out = Vec::new();
    for text in texts {
        let lines: Vec<&str> = text.text.lines().collect();
        for (at, line) in lines.iter().enumerate() {
            let Some(found) = words(line).position(|word| word == written) else { continue };
            let behind = words(line)
                .skip(found + 1)
                .chain(lines[at + 1..].iter().take(PARAGRAPH).take_while(|l| !l.trim().is_empty()).flat_map(|l| words(l)));
            for word in behind {
                let Ok(to) = word.parse::<Path>() else { continue };
                if word.contains('.') && (known.contains(&to) || is_key(word)) && to != *path {
                    out.push(Guess { path: to, said_in: Some(format!("{}:{}", text.path, at + 1)) });
                }
            }
        }
    }
    out
}

/// Words that can be paths of values: `a.b` in all the quotes that people put around them.
fn words(line: &str) -> impl Iterator<Item = &str> {
    let part = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-');
    line.split(move |c: char| !part(c))
        .map(|word| word.trim_start_matches(".Values.").trim_matches(['.', '-']))
        .filter(|word| !word.is_empty())
}

/// Whether it looks like a key and not like a version, a file or a host.
fn is_key(word: &str) -> bool {
    let ends = [".md", ".yaml", ".yml", ".io", ".com", ".org", ".dev", ".go", ".json", ".sh"];
    !word.contains(|c: char| c.is_ascii_digit()) && !ends.iter().any(|end| word.ends_with(end))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn tried(path: &str, given: &Value, old: Value, new: Value, text: &str) -> Vec<String> {
        let texts = vec![Text { path: "UPGRADE.md".into(), text: text.into() }];
        let (old, new) = (Side { defaults: old, ..Side::default() }, Side { defaults: new, texts, ..Side::default() });
        let path: Path = path.parse().unwrap();
        let line = |guess: Guess| format!("{} {}", guess.path, guess.said_in.unwrap_or_default()).trim_end().to_owned();
        guesses(&path, given, &old, &new).into_iter().map(line).collect()
    }

    #[test]
    fn the_same_name_elsewhere_or_a_name_alike_is_guessed() {
        let old = json!({"a": {"replicas": 1, "x": 1}});
        let new = json!({"a": {"x": 1, "server": {"replicas": 1}}, "b": {"replicas": 2}, "c": {"replicas": "text"}});
        assert_eq!(tried("a.replicas", &json!(3), old, new, ""), ["a.server.replicas", "b.replicas"]);
        assert_eq!(tried("a.nodeSelektor", &json!({}), json!({}), json!({"a": {"nodeSelector": {}}}), ""), ["a.nodeSelector"]);
        assert_eq!(tried("s.externalName", &json!("x"), json!({}), json!({"s": {"external": {"name": ""}}}), ""), ["s.external.name"]);
    }

    #[test]
    fn the_notes_are_believed_first() {
        let text = "## 2\n\n* `a.old` has been renamed\n  to `b.fresh.key`, see UPGRADE.md and 1.2.3\n\nother.key\n";
        let found = tried("a.old", &json!(1), json!({}), json!({"b": {"fresh": {"key": null}}}), text);
        assert_eq!(found, ["b.fresh.key UPGRADE.md:3"]);
    }
}
