//! Alerts, recording rules and dashboards: what people are paged by, and what they look at then.

mod boards;
mod matching;
mod promql;
mod read;

use super::Context;
use super::read::{about, clean, count, few, finish, news, olds};
use crate::summary::{Evidence, Item, Provenance, Weight};
use matching::{Matched, Pair};
use read::Rule;

/// Most characters of an expression that are shown, from a little before the place where it differs.
const EXPR: usize = 140;

pub(super) fn items(context: &Context<'_>) -> Vec<Item> {
    let (before, after) = (olds(context.objects), news(context.objects));
    let (old, new) = (read::rules(&before), read::rules(&after));
    let (old_boards, new_boards) = (read::dashboards(&before), read::dashboards(&after));
    let mut items = Vec::new();
    for alert in [true, false] {
        let of = |rules: &[Rule<'_>]| rules.iter().filter(|rule| rule.alert == alert).count();
        let matched = matching::matched(&old, &new, alert);
        items.extend(Words::of(alert).claims(&matched, of(&old), of(&new)));
        if !alert {
            items.extend(still_used(&matched, &new, &new_boards));
        }
    }
    items.extend(boards::items(&old_boards, &new_boards));
    finish(items)
}

/// A way in which a rule may change.
struct Change {
    code: &'static str,
    weight: Weight,
    said: &'static str,
    which: fn(&Pair<'_, '_>) -> bool,
    line: fn(&Pair<'_, '_>) -> String,
}

/// All of them, those that change who is paged first.
const CHANGES: [Change; 5] = [
    Change {
        code: "expr",
        weight: Weight::Look,
        said: "evaluated otherwise",
        which: |pair| pair.old.normal != pair.new.normal,
        line: |pair| {
            let (was, is) = difference(&pair.old.expr, &pair.new.expr);
            format!("{}: {is} | was: {was}", pair.new.name)
        },
    },
    Change {
        code: "severity",
        weight: Weight::Look,
        said: "of another severity",
        which: |pair| pair.old.severity() != pair.new.severity(),
        line: |pair| format!("{}: {} to {}", pair.new.name, unsaid(pair.old.severity()), unsaid(pair.new.severity())),
    },
    Change {
        code: "for",
        weight: Weight::Look,
        said: "given another time to wait",
        which: |pair| !pair.old.waits_like(pair.new),
        line: |pair| format!("{}: {} to {}", pair.new.name, waits(pair.old), waits(pair.new)),
    },
    Change {
        code: "labels",
        weight: Weight::Look,
        said: "labelled otherwise",
        which: |pair| labels(pair.old) != labels(pair.new),
        line: |pair| format!("{}: {} to {}", pair.new.name, labels(pair.old), labels(pair.new)),
    },
    Change {
        code: "annotations",
        weight: Weight::Know,
        said: "described otherwise",
        which: |pair| pair.old.annotations != pair.new.annotations,
        line: |pair| pair.new.name.clone(),
    },
];

/// The words for alerts or for recording rules.
struct Words {
    one: &'static str,
    many: &'static str,
    /// Beginning of the codes.
    code: &'static str,
    alert: bool,
}

impl Words {
    fn of(alert: bool) -> Self {
        if alert {
            Self { one: "alert", many: "alerts", code: "alerts", alert }
        } else {
            Self { one: "recording rule", many: "recording rules", code: "recordings", alert }
        }
    }

    fn claims(&self, matched: &Matched<'_, '_>, before: usize, after: usize) -> Vec<Item> {
        let mut items = Vec::new();
        let sum = format!("{before} before, {after} after");
        if !matched.removed.is_empty() {
            let them = if matched.removed.len() == 1 { "it" } else { "them" };
            let more = if self.alert { format!("nobody is paged for {them} any more") } else { format!("queries for {them} find nothing") };
            let lines = matched.removed.iter().map(|rule| place(rule)).collect();
            items.extend(self.claim("removed", Weight::Look, &matched.removed, "gone", &format!("; {more}"), lines));
        }
        items.extend(self.pairs("renamed", Weight::Look, &matched.renamed, "called otherwise", |pair| {
            format!("{} is now {}", pair.old.name, pair.new.name)
        }));
        if !matched.added.is_empty() {
            let weight = if self.alert { Weight::Look } else { Weight::Know };
            let lines = matched.added.iter().map(|rule| place(rule)).collect();
            items.extend(self.claim("added", weight, &matched.added, "new", &format!(" ({sum})"), lines));
        }
        for kind in CHANGES {
            let pairs: Vec<Pair<'_, '_>> =
                matched.pairs.iter().chain(&matched.renamed).filter(|pair| (kind.which)(pair)).copied().collect();
            items.extend(self.pairs(kind.code, kind.weight, &pairs, kind.said, kind.line));
        }
        let moved: Vec<Pair<'_, '_>> = matched
            .pairs
            .iter()
            .filter(|pair| pair.old.group != pair.new.group || pair.old.seen.object != pair.new.seen.object)
            .copied()
            .collect();
        items.extend(self.pairs("moved", Weight::Know, &moved, "in another group or object, and the same", |pair| {
            format!("{}: {} to {}", pair.new.name, at(pair.old), at(pair.new))
        }));
        items
    }

    fn pairs(&self, code: &str, weight: Weight, pairs: &[Pair<'_, '_>], said: &str, line: fn(&Pair<'_, '_>) -> String) -> Option<Item> {
        let rules: Vec<&Rule<'_>> = pairs.iter().map(|pair| pair.new).collect();
        // Several rules of one name, for several severities, say often the same.
        let mut lines: Vec<String> = pairs.iter().map(line).collect();
        lines.dedup();
        self.claim(code, weight, &rules, said, "", lines)
    }

    /// `7 alerts are gone: A, B and 5 more`.
    fn claim(&self, code: &str, weight: Weight, rules: &[&Rule<'_>], said: &str, more: &str, lines: Vec<String>) -> Option<Item> {
        let first = rules.first()?;
        let mut names: Vec<&str> = rules.iter().map(|rule| rule.name.as_str()).collect();
        names.dedup();
        let verb = if rules.len() == 1 { "is" } else { "are" };
        // One change is told in the sentence itself.
        let told = match lines.as_slice() {
            [one] if rules.len() == 1 && !matches!(code, "removed" | "added" | "annotations" | "expr") => one.clone(),
            _ => few(&names, 3),
        };
        let what = format!("{} {verb} {said}: {told}{more}", count(rules.len(), self.one, self.many));
        let mut item =
            Item::new(&format!("{}-{code}", self.code), weight, what, Provenance::new(Evidence::Render, &first.seen.rendered.source));
        if lines.len() > 1 || lines.first().is_some_and(|line| !item.what.contains(line)) {
            item.detail = lines;
        }
        about(&mut item, rules.iter().map(|rule| rule.seen.object.clone()).collect());
        Some(item)
    }
}

/// Two expressions around the place from which on they differ.
fn difference(was: &str, is: &str) -> (String, String) {
    let (was, is): (Vec<&str>, Vec<&str>) = (was.split_whitespace().collect(), is.split_whitespace().collect());
    let same = was.iter().zip(&is).take_while(|(a, b)| a == b).count();
    let from = |words: &[&str]| {
        // A little of what they share, to find the place again.
        let start = same.saturating_sub(3).min(words.len());
        let more = if start > 0 { "… " } else { "" };
        format!("{more}{}", clean(&words[start..].join(" "), EXPR))
    };
    (from(&was), from(&is))
}

fn unsaid(text: &str) -> &str {
    if text.is_empty() { "none" } else { text }
}

fn waits(rule: &Rule<'_>) -> String {
    let wait = if rule.wait.is_empty() { "at once".to_owned() } else { rule.wait.clone() };
    if rule.keep.is_empty() { wait } else { format!("{wait}, kept for {}", rule.keep) }
}

fn labels(rule: &Rule<'_>) -> String {
    let labels: Vec<String> =
        rule.labels.iter().filter(|(key, _)| *key != "severity").map(|(key, value)| format!("{key}={value}")).collect();
    if labels.is_empty() { "no labels".to_owned() } else { labels.join(",") }
}

fn at(rule: &Rule<'_>) -> String {
    format!("{}/{}", rule.seen.object.name, rule.group)
}

fn place(rule: &Rule<'_>) -> String {
    let severity = if rule.severity().is_empty() { String::new() } else { format!(" ({})", rule.severity()) };
    format!("{}{severity} in {}", rule.name, at(rule))
}

/// Recording rules that are gone while something in the new render still asks for what they recorded.
fn still_used(matched: &Matched<'_, '_>, new: &[Rule<'_>], boards: &[read::Dashboard<'_>]) -> Vec<Item> {
    let lost = matched.removed.iter().copied().chain(matched.renamed.iter().map(|pair| pair.old));
    let mut items = Vec::new();
    let mut told: Vec<&str> = Vec::new();
    for rule in lost {
        // The same series may be recorded by several rules, of which one remains.
        if told.contains(&rule.name.as_str()) || new.iter().any(|one| !one.alert && one.name == rule.name) {
            continue;
        }
        let rules = new.iter().filter(|one| promql::names(&one.expr, &rule.name)).map(|one| (one.seen.object.clone(), one.name.clone()));
        let boards = boards
            .iter()
            .filter(|board| promql::names(board.text, &rule.name))
            .map(|board| (board.seen.object.clone(), format!("dashboard {}", board.title)));
        let users: Vec<_> = rules.chain(boards).collect();
        if users.is_empty() {
            continue;
        }
        told.push(&rule.name);
        let mut names: Vec<&str> = users.iter().map(|(_, name)| name.as_str()).collect();
        names.dedup();
        let what = format!(
            "{} is recorded no more, and {} still ask{} for it",
            rule.name,
            few(&names, 3),
            if names.len() == 1 { "s" } else { "" }
        );
        let mut item = Item::new("recording-used", Weight::Act, what, Provenance::new(Evidence::Render, &rule.seen.rendered.source));
        item.next = Some("check what records it now; until then they find nothing".to_owned());
        about(&mut item, users.into_iter().map(|(object, _)| object).collect());
        items.push(item);
    }
    items
}

#[cfg(test)]
mod tests;
