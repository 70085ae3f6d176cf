//! Proofs of where keys went: a new key has taken the place of an old one when it makes the same change in the same object.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use groundswell_change::input::Side;
use groundswell_change::overrides::is_default;
use serde_json::Value;
use tokio::task::JoinSet;

use super::keys::{Key, get, names, with, without};
use super::moved::{Guess, guesses};
use super::named::Named;
use super::rounds::{Classing, Effects};
use super::trial::NEEDED;
use crate::preview::effect::{Leaf, Reference};
use crate::preview::error::Which;
use crate::values::Path;

/// Renders in search of the new places of keys that are gone, for all of them together: 40 take some 10 s.
const MAX_PROOFS: usize = 40;

/// Where a key went: to one, or to all of several; no key where it may be any of several.
pub(super) struct Moved {
    pub(super) to: Option<String>,
    pub(super) because: String,
}

/// What one key does, field by field. `None` where there was no time.
enum Found {
    /// What the old key made in the old render.
    Old(usize, Option<BTreeSet<Leaf>>),
    /// What a guess makes in the new one.
    New(usize, usize, Option<BTreeSet<Leaf>>),
}

/// What is known of one key that is gone.
struct Search {
    guesses: Vec<(Guess, Option<BTreeSet<Leaf>>)>,
    /// What it made; any field of the old render may be of it where that cannot be known, as with a default.
    made: Option<BTreeSet<Leaf>>,
}

impl Classing {
    /// Where keys went that changed the old render and change the new one no more.
    pub(super) async fn moved(
        &mut self,
        dead: &[usize],
        old_effects: &Effects,
        named: &Named,
        was: &Side,
        will: &Side,
    ) -> BTreeMap<usize, Moved> {
        let keys = Arc::clone(&self.keys);
        let mut tasks = JoinSet::new();
        let mut searches: BTreeMap<usize, Search> = BTreeMap::new();
        let mut proofs = 0;
        for index in dead {
            let (Some(key), Some(before)) = (keys.get(*index), old_effects.get(index)) else { continue };
            let was_default = is_default(&key.given, get(&was.defaults, &key.path));
            if named.has(&names(&key.path), &will.defaults) || (before.is_empty() && !was_default) {
                continue;
            }
            let guesses = guesses(&key.path, &key.given, was, will);
            let room = MAX_PROOFS.saturating_sub(proofs);
            if !guesses.is_empty() && room > 0 && !before.is_empty() && !before.contains(NEEDED) {
                proofs += 1;
                let (trials, bench, key, index) = (Arc::clone(&self.trials), self.bench(Which::Old), key.clone(), *index);
                tasks.spawn(async move {
                    Found::Old(index, trials.delta(&bench, || Some(without(&trials.merged, [&key.path]))).await.map(|delta| delta.gone))
                });
            }
            for (rank, guess) in guesses.iter().enumerate().take(MAX_PROOFS.saturating_sub(proofs)) {
                proofs += 1;
                let (trials, bench) = (Arc::clone(&self.trials), self.bench(Which::New));
                let (index, key, to) = (*index, key.clone(), guess.path.clone());
                self.trials.expect(1);
                tasks.spawn(async move {
                    let values = || with(&without(&trials.merged, [&key.path]), &to, &key.given);
                    let delta = trials.delta(&bench, values).await;
                    trials.done(1, || to.to_string());
                    Found::New(index, rank, delta.map(|delta| delta.come))
                });
            }
            searches.insert(*index, Search { guesses: guesses.into_iter().map(|guess| (guess, None)).collect(), made: None });
        }
        while let Some(done) = tasks.join_next().await {
            match done {
                Ok(Found::Old(index, made)) => {
                    if let Some(search) = searches.get_mut(&index) {
                        search.made = made;
                    }
                }
                Ok(Found::New(index, rank, made)) => {
                    if let Some(slot) = searches.get_mut(&index).and_then(|search| search.guesses.get_mut(rank)) {
                        slot.1 = made;
                    }
                }
                Err(_) => {}
            }
        }
        self.judged(searches).await
    }

    /// What the searches say.
    async fn judged(&self, searches: BTreeMap<usize, Search>) -> BTreeMap<usize, Moved> {
        let (old, new) = (self.bench(Which::Old), self.bench(Which::New));
        let all = if searches.is_empty() { BTreeSet::new() } else { old.reference.leaves() };
        let mut found = BTreeMap::new();
        for (index, search) in searches {
            let Some(key) = self.keys.get(index) else { continue };
            let of = search.made.as_ref().unwrap_or(&all);
            let same = |made: &BTreeSet<Leaf>| shared(of, made, &key.given, &old.reference, &new.reference);
            let scored: Scored<'_> = search.guesses.iter().map(|(guess, made)| (guess, made.as_ref().map(same))).collect();
            let moved = match search.made.as_ref().and_then(|made| parts(&scored, made)) {
                Some(parts) if self.make_it_together(key, &parts).await => Some(parts.moved()),
                _ => best(&scored, &|guess| {
                    let made = search.guesses.iter().find(|(other, _)| other == guess).and_then(|(_, made)| made.as_ref());
                    search.made.as_ref().zip(made).is_none_or(|(old, made)| is_all(old, made, &new.reference))
                }),
            };
            found.extend(moved.map(|moved| (index, moved)));
        }
        found
    }

    /// Whether the new version makes all that they make one by one when all of them are set.
    async fn make_it_together(&self, key: &Key, parts: &Parts<'_>) -> bool {
        let bench = self.bench(Which::New);
        let rest = without(&self.trials.merged, [&key.path]);
        let values = || parts.paths.iter().try_fold(rest, |values, to| with(&values, to, &key.given));
        self.trials.delta(&bench, values).await.is_some_and(|delta| parts.made.is_subset(&delta.come))
    }
}

/// Guesses, and the fields that each makes as the old key did; `None` where it was not tried.
type Scored<'a> = Vec<(&'a Guess, Option<BTreeSet<&'a Leaf>>)>;

/// Keys that each make another part of what one old key made.
struct Parts<'a> {
    paths: Vec<&'a Path>,
    /// What they make, one by one.
    made: BTreeSet<Leaf>,
    /// Whether the old key made nothing else.
    all: bool,
}

impl Parts<'_> {
    fn moved(&self) -> Moved {
        let because = if self.all {
            "set together, they change the render as the old key did"
        } else {
            "set together, they make a part of the change that the old key made, and nothing is known to make the rest"
        };
        Moved { to: Some(listed(&self.paths)), because: because.to_owned() }
    }
}

/// The guesses as parts of the old key; none where two make the same field, for then they are two answers to one question.
fn parts<'a>(scored: &Scored<'a>, old: &BTreeSet<Leaf>) -> Option<Parts<'a>> {
    let some: Vec<_> = scored.iter().filter_map(|(guess, made)| Some((*guess, made.as_ref().filter(|made| !made.is_empty())?))).collect();
    let made: BTreeSet<Leaf> = some.iter().flat_map(|(_, made)| made.iter().map(|leaf| (*leaf).clone())).collect();
    let apart = made.len() == some.iter().map(|(_, made)| made.len()).sum::<usize>();
    let all = made.len() == old.len();
    (some.len() > 1 && apart).then(|| Parts { paths: some.iter().map(|(guess, _)| &guess.path).collect(), made, all })
}

/// `a`, `a and b`, `a, b and c`.
fn listed(paths: &[&Path]) -> String {
    let all: Vec<String> = paths.iter().map(ToString::to_string).collect();
    match all.split_last() {
        Some((last, first)) if !first.is_empty() => format!("{} and {last}", first.join(", ")),
        _ => all.concat(),
    }
}

/// Fields of the old key that a guess makes as it did. Objects of the old version that are in the new one no more may have another name
/// there; then a field counts that has the very value that was given, where the guess makes it in another object of the kind.
fn shared<'a>(old: &'a BTreeSet<Leaf>, guess: &BTreeSet<Leaf>, given: &Value, was: &Reference, will: &Reference) -> BTreeSet<&'a Leaf> {
    let same: BTreeSet<&Leaf> = old.iter().filter(|leaf| guess.contains(leaf)).collect();
    let text = match given {
        _ if !same.is_empty() => return same,
        Value::String(text) => text.clone(),
        Value::Number(number) => number.to_string(),
        _ => return same,
    };
    let kind = |object: &str| object.split('/').next().unwrap_or_default().to_owned();
    let made = guess.iter().filter(|(object, _, value)| *value == text && !was.has(object));
    let made: BTreeSet<(String, &String)> = made.map(|(object, path, _)| (kind(object), path)).collect();
    old.iter().filter(|(object, path, value)| *value == text && !will.has(object) && made.contains(&(kind(object), path))).collect()
}

/// Whether a guess sets every field that the old key set, be it to something else, as a checksum is. Objects may have other names now.
fn is_all(old: &BTreeSet<Leaf>, guess: &BTreeSet<Leaf>, will: &Reference) -> bool {
    let kind = |object: &str| object.split('/').next().unwrap_or_default().to_owned();
    let fields: BTreeSet<(&str, &str)> = guess.iter().map(|(object, path, _)| (object.as_str(), path.as_str())).collect();
    let kinds: BTreeSet<(String, &str)> = guess.iter().map(|(object, path, _)| (kind(object), path.as_str())).collect();
    old.iter().all(|(object, path, _)| {
        fields.contains(&(object.as_str(), path.as_str())) || (!will.has(object) && kinds.contains(&(kind(object), path.as_str())))
    })
}

/// The guess that does most of what the old key did; `is_all` says of one whether it does all. Where several do the same, what the notes
/// say decides; else nobody can.
fn best(guesses: &Scored<'_>, is_all: &dyn Fn(&Guess) -> bool) -> Option<Moved> {
    let does = |guess: &Guess| {
        if is_all(guess) {
            "setting it changes the render as the old key did"
        } else {
            "setting it makes a part of the change that the old key made, and nothing is known to make the rest"
        }
    };
    let score = |made: &Option<BTreeSet<&Leaf>>| made.as_ref().map(BTreeSet::len);
    let most = guesses.iter().filter_map(|(_, made)| score(made)).max().filter(|most| *most > 0);
    let proved: Vec<&Guess> = guesses.iter().filter(|(_, made)| most.is_some() && score(made) == most).map(|(guess, _)| *guess).collect();
    let said = proved.iter().find_map(|guess| Some((guess.said_in.as_ref()?, *guess)));
    match (said, proved.as_slice()) {
        (Some((at, guess)), _) => {
            let because = format!("{at} says so, and {}", does(guess));
            Some(Moved { to: Some(guess.path.to_string()), because })
        }
        (None, [guess]) => Some(Moved { to: Some(guess.path.to_string()), because: does(guess).to_owned() }),
        (None, [_, _, ..]) => {
            let paths: Vec<&Path> = proved.iter().map(|guess| &guess.path).collect();
            let mut made = guesses.iter().filter_map(|(_, made)| made.as_ref()).filter(|made| Some(made.len()) == most);
            let first = made.next();
            let does = if made.all(|made| Some(made) == first) {
                "each change the new render as it changed the old one: set the one that is meant"
            } else {
                "each make a part of the change that the old key made: set those that are meant"
            };
            let because = format!("{} {does}", listed(&paths));
            Some(Moved { to: None, because })
        }
        (None, []) => guesses.iter().find_map(|(guess, made)| {
            let at = guess.said_in.as_ref()?;
            let doubt =
                if made.is_some() { "with the value given it does not change what the old key changed" } else { "it was not tried" };
            Some(Moved { to: Some(guess.path.to_string()), because: format!("{at} names both; {doubt}") })
        }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_that_were_not_set_together_are_not_called_the_same() {
        let leaf = |path: &str| ("ConfigMap/ns/a".to_owned(), path.to_owned(), "7".to_owned());
        let guess = |path: &str| Guess { path: path.parse().unwrap(), said_in: None };
        let (a, b, one, other) = (guess("a.tag"), guess("b.tag"), leaf(".a"), leaf(".b"));
        let because = |second: &Leaf| {
            best(&vec![(&a, Some(BTreeSet::from([&one]))), (&b, Some(BTreeSet::from([second])))], &|_| true).unwrap().because
        };
        assert_eq!(because(&one), "a.tag and b.tag each change the new render as it changed the old one: set the one that is meant");
        assert_eq!(because(&other), "a.tag and b.tag each make a part of the change that the old key made: set those that are meant");
    }
}
