//! Dashboards.

use super::super::read::{about, count, few};
use super::read::Dashboard;
use crate::summary::{Evidence, Item, Provenance, Weight};

pub(super) fn items(old: &[Dashboard<'_>], new: &[Dashboard<'_>]) -> Vec<Item> {
    let mut removed: Vec<&Dashboard<'_>> = Vec::new();
    let mut added: Vec<&Dashboard<'_>> = new.iter().collect();
    let mut pairs = Vec::new();
    let uid = |was: &Dashboard<'_>, is: &Dashboard<'_>| !was.uid.is_empty() && was.uid == is.uid;
    let object = |was: &Dashboard<'_>, is: &Dashboard<'_>| was.seen.object == is.seen.object && was.title == is.title;
    let title = |was: &Dashboard<'_>, is: &Dashboard<'_>| !was.title.is_empty() && was.title == is.title;
    for was in old {
        let found = [&uid as &dyn Fn(&Dashboard<'_>, &Dashboard<'_>) -> bool, &object, &title]
            .iter()
            .find_map(|same| added.iter().position(|is| same(was, is)));
        match found {
            Some(at) => pairs.push((was, added.remove(at))),
            None => removed.push(was),
        }
    }
    let changed: Vec<&Dashboard<'_>> =
        pairs.iter().filter(|(was, is)| was.content != is.content && was.title == is.title).map(|(_, is)| *is).collect();
    let renamed: Vec<_> = pairs.iter().filter(|(was, is)| was.title != is.title).collect();
    let linked: Vec<_> = pairs.iter().filter(|(was, is)| !was.uid.is_empty() && was.uid != is.uid).collect();
    let mut items = Vec::new();
    items.extend(claim("dashboards-removed", Weight::Look, &removed, "gone", removed.iter().map(|one| named(one)).collect()));
    let lines = linked
        .iter()
        .map(|(was, is)| format!("{}: uid {} to {}", named(is), was.uid, if is.uid.is_empty() { "none" } else { &is.uid }))
        .collect();
    items.extend(claim(
        "dashboards-uid",
        Weight::Look,
        &linked.iter().map(|(_, is)| *is).collect::<Vec<_>>(),
        "found under another uid, so that links to them break",
        lines,
    ));
    let lines = renamed.iter().map(|(was, is)| format!("{} was {}", named(is), named(was))).collect();
    items.extend(claim(
        "dashboards-renamed",
        Weight::Know,
        &renamed.iter().map(|(_, is)| *is).collect::<Vec<_>>(),
        "called otherwise",
        lines,
    ));
    items.extend(claim("dashboards-added", Weight::Know, &added, "new", added.iter().map(|one| named(one)).collect()));
    items.extend(claim("dashboards-changed", Weight::Know, &changed, "changed", changed.iter().map(|one| named(one)).collect()));
    items
}

fn named(board: &Dashboard<'_>) -> String {
    if board.title.is_empty() { board.seen.object.name.clone() } else { board.title.clone() }
}

fn claim(code: &str, weight: Weight, boards: &[&Dashboard<'_>], said: &str, lines: Vec<String>) -> Option<Item> {
    let first = boards.first()?;
    let names: Vec<String> = boards.iter().map(|one| named(one)).collect();
    let verb = if boards.len() == 1 { "is" } else { "are" };
    let what = format!("{} {verb} {said}: {}", count(boards.len(), "dashboard", "dashboards"), few(&names, 3));
    let mut item = Item::new(code, weight, what, Provenance::new(Evidence::Render, &first.seen.rendered.source));
    if lines.len() > 1 || lines.first().is_some_and(|line| !item.what.contains(line)) {
        item.detail = lines;
    }
    about(&mut item, boards.iter().map(|one| one.seen.object.clone()).collect());
    Some(item)
}
