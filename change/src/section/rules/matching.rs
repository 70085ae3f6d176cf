//! Which rule of the old render is which of the new one.

use std::collections::BTreeMap;

use super::read::Rule;

/// A rule in both renders.
#[derive(Clone, Copy)]
pub(super) struct Pair<'r, 'c> {
    pub(super) old: &'r Rule<'c>,
    pub(super) new: &'r Rule<'c>,
}

/// The rules of both renders, laid against each other.
#[derive(Default)]
pub(super) struct Matched<'r, 'c> {
    /// Of the same name.
    pub(super) pairs: Vec<Pair<'r, 'c>>,
    /// Of another name, and the same otherwise.
    pub(super) renamed: Vec<Pair<'r, 'c>>,
    pub(super) removed: Vec<&'r Rule<'c>>,
    pub(super) added: Vec<&'r Rule<'c>>,
}

/// Matches alerts, or recording rules: by name, and where a name stands several times, by what is most alike.
pub(super) fn matched<'r, 'c>(old: &'r [Rule<'c>], new: &'r [Rule<'c>], alert: bool) -> Matched<'r, 'c> {
    let mut named: BTreeMap<&str, (Vec<&Rule<'c>>, Vec<&Rule<'c>>)> = BTreeMap::new();
    for rule in old.iter().filter(|rule| rule.alert == alert) {
        named.entry(&rule.name).or_default().0.push(rule);
    }
    for rule in new.iter().filter(|rule| rule.alert == alert) {
        named.entry(&rule.name).or_default().1.push(rule);
    }
    let mut all = Matched::default();
    let alike: [fn(&Rule<'_>, &Rule<'_>) -> bool; 5] = [
        |a, b| a.same(b) && a.group == b.group,
        |a, b| a.same(b),
        |a, b| a.normal == b.normal,
        |a, b| a.severity() == b.severity() && a.group == b.group,
        |_, _| true,
    ];
    for (mut was, mut is) in named.into_values() {
        for alike in alike {
            all.pairs.extend(take(&mut was, &mut is, alike));
        }
        all.removed.extend(was);
        all.added.extend(is);
    }
    // The expressions of two rules are the same by chance only when they say nothing.
    let renamed: fn(&Rule<'_>, &Rule<'_>) -> bool = |a, b| a.normal == b.normal && a.normal.len() > 3 && a.severity() == b.severity();
    all.renamed = take(&mut all.removed, &mut all.added, renamed);
    all
}

/// Takes from both lists the rules that are alike.
fn take<'r, 'c>(was: &mut Vec<&'r Rule<'c>>, is: &mut Vec<&'r Rule<'c>>, alike: fn(&Rule<'_>, &Rule<'_>) -> bool) -> Vec<Pair<'r, 'c>> {
    let mut pairs = Vec::new();
    was.retain(|old| match is.iter().position(|new| alike(old, new)) {
        Some(at) => {
            pairs.push(Pair { old, new: is.remove(at) });
            false
        }
        None => true,
    });
    pairs
}
