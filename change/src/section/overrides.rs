//! What becomes of the operator's own values.

use serde_json::Value;

use super::Context;
use super::read::{and, clean, count, few, finish, plain};
use crate::compare::mask;
use crate::input::{OverrideClass, OverrideVerdict};
use crate::summary::{Evidence, Item, Provenance, Weight};

pub(super) fn items(context: &Context<'_>) -> Vec<Item> {
    let Some(verdicts) = &context.input.overrides else { return Vec::new() };
    let mut ordered: Vec<&OverrideVerdict> = verdicts.iter().collect();
    ordered.sort_by_key(|verdict| rank(&verdict.class));
    let mut items: Vec<Item> = ordered.iter().filter_map(|verdict| one(verdict)).collect();
    items.extend(untried(&ordered));
    items.extend(working(&ordered));
    finish(items)
}

/// The order in which they are read: what is lost first.
fn rank(class: &OverrideClass) -> u8 {
    match class {
        OverrideClass::Gone { .. } => 0,
        OverrideClass::NoEffect => 1,
        OverrideClass::NeverWorked => 2,
        OverrideClass::HidesNewItems { .. } => 3,
        OverrideClass::DefaultChanged => 4,
        OverrideClass::NowDefault => 5,
        OverrideClass::Unclear => 6,
        OverrideClass::NotTried => 7,
        OverrideClass::Works => 8,
    }
}

fn one(verdict: &OverrideVerdict) -> Option<Item> {
    let path = &named(&verdict.path);
    let document = &verdict.document;
    let (documents, first) = (documents(verdict), hint(verdict));
    let item = |code, weight, what: String| {
        let from = Provenance::new(Evidence::Tried, document);
        Item::new(code, weight, what, from).field(
            path,
            shown(verdict, verdict.old_default.as_ref()),
            shown(verdict, verdict.new_default.as_ref()),
        )
    };
    let item = match &verdict.class {
        OverrideClass::Gone { moved_to: Some(to), because } => {
            item("override-gone", Weight::Act, format!("{path} does nothing in the new version: its place is now {to} ({because})"))
                .next(format!("in {document}, set {to} instead of {path}"))
        }
        OverrideClass::Gone { moved_to: None, because } => {
            item("override-gone", Weight::Act, format!("{path} does nothing in the new version{}", in_brackets(because)))
                .next(format!("look in the new values.yaml for what replaces it, then move or delete {path} in {documents}"))
        }
        OverrideClass::NoEffect => item(
            "override-no-effect",
            Weight::Act,
            format!("{path} changed the old version and changes nothing in the new one, though it is still written there"),
        )
        .next(format!("check what {path} was for, then move or delete it in {documents}")),
        OverrideClass::NeverWorked => {
            let what = format!("{path} has no effect, neither in the old version nor in the new one");
            let known = verdict.old_default.is_some() || verdict.new_default.is_some();
            // A key that the chart knows is spelled well: most likely another value switches off what it belongs to.
            let next = if known { "or see whether another value switches off what it belongs to" } else { "or correct its spelling" };
            item("override-never-worked", Weight::Look, what).next(format!("delete {path} from {documents}, {next}"))
        }
        OverrideClass::HidesNewItems { items } => item(
            "override-hides",
            Weight::Look,
            format!(
                "{path} replaces a list that has gained {}: {}",
                count(items.len(), "item by default", "items by default"),
                few(&names(verdict, items), 4)
            ),
        )
        .next(format!("in {document}, add to {path} what you want of them")),
        OverrideClass::DefaultChanged => {
            let (was, is) = (said(verdict, &verdict.old_default), said(verdict, &verdict.new_default));
            let line = if was == mask::MASK && is == mask::MASK {
                format!("{path} works, and the default that it replaces changed {}", mask::MASK)
            } else if was == is {
                format!("{path} works now and changed nothing before: without it the new version does something else than the old one did")
            } else {
                format!("{path} works, and the default that it replaces went from {was} to {is}")
            };
            let yours = Some(given(verdict)).filter(|given| given != mask::MASK).unwrap_or_else(|| "yours".to_owned());
            item("override-default-changed", Weight::Look, line)
                .next(format!("decide whether {yours} is still wanted, or delete {path} from {documents}{first}"))
        }
        OverrideClass::NowDefault => item(
            "override-now-default",
            Weight::Know,
            format!("{path} is what the new version does anyway{}", in_brackets(&given(verdict))),
        )
        .next(format!("{path} can be deleted from {documents}{first}")),
        OverrideClass::Unclear => {
            item("override-unclear", Weight::Look, format!("whether {path} has an effect cannot be told: what is random may depend on it"))
                .next(format!("leave {path} as it is, or see in the chart's templates what it is for"))
        }
        OverrideClass::NotTried | OverrideClass::Works => return None,
    };
    let affects: Vec<String> = verdict.affects.iter().map(|object| format!("changes {object}")).collect();
    let next = item.next.iter().cloned().chain(read_as(&verdict.path)).collect::<Vec<_>>().join("; ");
    Some(item.detail(affects).next(next))
}

/// How a key got a name that nobody writes.
fn read_as(path: &str) -> Option<String> {
    let read = path.split('.').find(|key| matches!(*key, "true" | "false"))?;
    let words = if read == "true" { "on, yes and y" } else { "off, no and n" };
    Some(format!("Helm reads the keys {words} as {read} where they are not in quotes"))
}

fn untried(verdicts: &[&OverrideVerdict]) -> Option<Item> {
    let paths = of(verdicts, &OverrideClass::NotTried);
    let first = paths.first()?;
    let what = format!("{} not tried, for lack of time: {}", count(paths.len(), "key was", "keys were"), few(&paths, 3));
    let from = Provenance::new(Evidence::Inferred, first.clone());
    Some(Item::new("override-not-tried", Weight::Look, what, from).detail(paths).next("run again: keys that were tried are remembered"))
}

fn working(verdicts: &[&OverrideVerdict]) -> Option<Item> {
    let paths = of(verdicts, &OverrideClass::Works);
    if paths.is_empty() {
        return None;
    }
    let what = format!("{} as before", count(paths.len(), "key works", "keys work"));
    Some(Item::new("override-works", Weight::Know, what, Provenance::new(Evidence::Tried, "")).detail(paths))
}

fn of(verdicts: &[&OverrideVerdict], class: &OverrideClass) -> Vec<String> {
    verdicts.iter().filter(|verdict| verdict.class == *class).map(|verdict| named(&verdict.path)).collect()
}

fn in_brackets(text: &str) -> String {
    match text {
        "" => String::new(),
        // It has its own.
        mask::MASK => format!(" {text}"),
        _ => format!(" ({text})"),
    }
}

/// A key without a name is shown as one.
fn named(path: &str) -> String {
    if path.is_empty() { "\"\"".to_owned() } else { path.to_owned() }
}

/// All documents that set it: what an earlier one says counts as soon as the last one is silent.
fn documents(verdict: &OverrideVerdict) -> String {
    let all: Vec<&str> = verdict.also_in.iter().chain([&verdict.document]).map(String::as_str).collect();
    and(&all)
}

fn hint(verdict: &OverrideVerdict) -> String {
    if verdict.also_in.is_empty() {
        String::new()
    } else {
        format!("; from {} alone, what {} says would count", verdict.document, and(&verdict.also_in))
    }
}

/// A value of the key, without its secrets.
fn masked(verdict: &OverrideVerdict, value: &Value) -> Value {
    let is_secret = |object: &String| object.split('/').next().is_some_and(|kind| kind.contains("Secret"));
    if !verdict.affects.is_empty() && verdict.affects.iter().all(is_secret) {
        return crate::overrides::hidden(value);
    }
    let keys: Vec<&str> = verdict.path.split(['.', '[', ']']).filter(|key| !key.is_empty()).collect();
    mask::of_values(&keys, value)
}

fn shown(verdict: &OverrideVerdict, value: Option<&Value>) -> Option<Value> {
    value.map(|value| masked(verdict, value))
}

fn given(verdict: &OverrideVerdict) -> String {
    said(verdict, &Some(verdict.given.clone()))
}

fn said(verdict: &OverrideVerdict, value: &Option<Value>) -> String {
    match value {
        None => "nothing".to_owned(),
        Some(Value::String(text)) if text.is_empty() => "\"\"".to_owned(),
        Some(value) => clean(&plain(&masked(verdict, value)), 60),
    }
}

/// What people call the items of a list: their name, or what is written.
fn names(verdict: &OverrideVerdict, items: &[Value]) -> Vec<String> {
    let name = |item: &Value| match item.get("name").and_then(Value::as_str) {
        Some(name) => name.to_owned(),
        None => clean(&plain(&masked(verdict, item)), 60),
    };
    items.iter().map(name).collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::super::testing::{page, run};
    use super::*;
    use crate::input::Input;

    fn verdict(path: &str, class: OverrideClass, given: Value) -> OverrideVerdict {
        OverrideVerdict {
            path: path.to_owned(),
            document: "prod.yaml".to_owned(),
            also_in: Vec::new(),
            class,
            given,
            old_default: Some(json!("10d")),
            new_default: Some(json!("15d")),
            affects: vec![],
        }
    }

    #[test]
    fn what_is_lost_comes_first_and_what_works_is_counted() {
        let gone = |to: Option<&str>, because: &str| OverrideClass::Gone { moved_to: to.map(str::to_owned), because: because.to_owned() };
        let items = vec![json!({"name": "proxy"}), json!("plain")];
        let input = Input {
            overrides: Some(vec![
                verdict("a.works", OverrideClass::Works, json!(1)),
                verdict("b.works", OverrideClass::Works, json!(1)),
                verdict("retention", OverrideClass::DefaultChanged, json!("30d")),
                verdict("adminPassword", OverrideClass::NowDefault, json!("hunter2")),
                verdict("sidecars", OverrideClass::HidesNewItems { items }, json!([])),
                OverrideVerdict { old_default: None, new_default: None, ..verdict("typo", OverrideClass::NeverWorked, json!(1)) },
                verdict("masked", OverrideClass::NeverWorked, json!(1)),
                verdict("slow", OverrideClass::NotTried, json!(1)),
                verdict("user", OverrideClass::Unclear, json!(1)),
                verdict("stale", OverrideClass::NoEffect, json!(1)),
                verdict("x.old", gone(Some("y.new"), "renamed in values.yaml"), json!(1)),
                verdict("x.lost", gone(None, ""), json!(1)),
            ]),
            ..Input::default()
        };
        insta::assert_snapshot!(page(&run(super::items, &input)), @"
        ACT override-gone x.old does nothing in the new version: its place is now y.new (renamed in values.yaml)
            -> in prod.yaml, set y.new instead of x.old
        ACT override-gone x.lost does nothing in the new version
            -> look in the new values.yaml for what replaces it, then move or delete x.lost in prod.yaml
        ACT override-no-effect stale changed the old version and changes nothing in the new one, though it is still written there
            -> check what stale was for, then move or delete it in prod.yaml
        look override-never-worked typo has no effect, neither in the old version nor in the new one
            -> delete typo from prod.yaml, or correct its spelling
        look override-never-worked masked has no effect, neither in the old version nor in the new one
            -> delete masked from prod.yaml, or see whether another value switches off what it belongs to
        look override-hides sidecars replaces a list that has gained 2 items by default: proxy and plain
            -> in prod.yaml, add to sidecars what you want of them
        look override-default-changed retention works, and the default that it replaces went from 10d to 15d
            -> decide whether 30d is still wanted, or delete retention from prod.yaml
        know override-now-default adminPassword is what the new version does anyway (secret)
            -> adminPassword can be deleted from prod.yaml
        look override-unclear whether user has an effect cannot be told: what is random may depend on it
            -> leave user as it is, or see in the chart's templates what it is for
        look override-not-tried 1 key was not tried, for lack of time: slow
            slow
            -> run again: keys that were tried are remembered
        know override-works 2 keys work as before
            a.works
            b.works
        ");
    }

    #[test]
    fn an_earlier_document_is_deleted_from_too() {
        let also_in = vec!["base.yaml".to_owned()];
        let now = OverrideVerdict { also_in: also_in.clone(), ..verdict("a", OverrideClass::NowDefault, json!(1)) };
        let typo = OverrideVerdict { also_in, ..verdict("b", OverrideClass::NeverWorked, json!(1)) };
        let held = OverrideVerdict { old_default: None, new_default: None, ..verdict("", OverrideClass::DefaultChanged, json!("1.0")) };
        let affects = vec!["Secret/ns/s".to_owned()];
        let hidden = OverrideVerdict { affects, ..verdict("smtp", OverrideClass::DefaultChanged, json!("hunter2")) };
        let on = verdict("flags.true", OverrideClass::NoEffect, json!(1));
        let input = Input { overrides: Some(vec![now, typo, held, hidden, on]), ..Input::default() };
        insta::assert_snapshot!(page(&run(super::items, &input)), @r#"
        ACT override-no-effect flags.true changed the old version and changes nothing in the new one, though it is still written there
            -> check what flags.true was for, then move or delete it in prod.yaml; Helm reads the keys on, yes and y as true where they are not in quotes
        look override-never-worked b has no effect, neither in the old version nor in the new one
            -> delete b from base.yaml and prod.yaml, or see whether another value switches off what it belongs to
        look override-default-changed "" works now and changed nothing before: without it the new version does something else than the old one did
            -> decide whether 1.0 is still wanted, or delete "" from prod.yaml
        look override-default-changed smtp works, and the default that it replaces changed (secret)
            changes Secret/ns/s
            -> decide whether yours is still wanted, or delete smtp from prod.yaml
        know override-now-default a is what the new version does anyway (1)
            -> a can be deleted from base.yaml and prod.yaml; from prod.yaml alone, what base.yaml says would count
        "#);
    }

    #[test]
    fn nothing_was_classed() {
        assert_eq!(run(super::items, &Input::default()), vec![]);
    }
}
