//! Proofs of where keys went: a new key has taken the place of an old one when it makes the same change in the same object.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use groundswell_change::input::Side;
use groundswell_change::overrides::is_default;
use serde_json::Value;
use tokio::task::JoinSet;

use super::keys::{get, names, with, without};
use super::moved::{Guess, guesses};
use super::named::Named;
use super::rounds::{Classing, Effects};
use super::trial::NEEDED;
use crate::preview::effect::{Leaf, Reference};
use crate::preview::error::Which;
use crate::values::Path;

/// Renders in search of the new places of keys that are gone, for all of them together: 40 take some 10 s.
const MAX_PROOFS: usize = 40;

/// Where a key went; no key where several may have taken its place.
pub(super) struct Moved {
    pub(super) to: Option<Path>,
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
        let (old, new) = (self.bench(Which::Old), self.bench(Which::New));
        let all = if searches.is_empty() { BTreeSet::new() } else { old.reference.leaves() };
        let given = |index: &usize| keys.get(*index).map(|key| key.given.clone()).unwrap_or_default();
        let judged = |(index, search): (usize, Search)| {
            let same =
                |made: &BTreeSet<Leaf>| shared(search.made.as_ref().unwrap_or(&all), made, &given(&index), &old.reference, &new.reference);
            let scored = search.guesses.iter().map(|(guess, made)| (guess, made.as_ref().map(same))).collect();
            Some((index, best(scored)?))
        };
        searches.into_iter().filter_map(judged).collect()
    }
}

/// How many fields a guess makes as the old key did. Objects of the old version that are in the new one no more may have another name
/// there; then a field of the same kind counts that has the very value that was given.
fn shared(old: &BTreeSet<Leaf>, guess: &BTreeSet<Leaf>, given: &Value, was: &Reference, will: &Reference) -> usize {
    let same = guess.intersection(old).count();
    if same > 0 {
        return same;
    }
    let text = match given {
        Value::String(text) => text.clone(),
        Value::Number(number) => number.to_string(),
        _ => return 0,
    };
    let kind = |object: &str| object.split('/').next().unwrap_or_default().to_owned();
    let renamed = old.iter().filter(|(object, _, value)| *value == text && !will.has(object));
    let wanted: BTreeSet<(String, &String)> = renamed.map(|(object, path, _)| (kind(object), path)).collect();
    guess.iter().filter(|(object, path, value)| *value == text && !was.has(object) && wanted.contains(&(kind(object), path))).count()
}

/// The guess that does most of what the old key did. Where several do the same, what the notes say decides; else nobody can.
fn best(guesses: Vec<(&Guess, Option<usize>)>) -> Option<Moved> {
    let most = guesses.iter().filter_map(|(_, score)| *score).max().filter(|score| *score > 0);
    let proved: Vec<&Guess> = guesses.iter().filter(|(_, score)| most.is_some() && *score == most).map(|(guess, _)| *guess).collect();
    let said = proved.iter().find_map(|guess| Some((guess.said_in.as_ref()?, *guess)));
    match (said, proved.as_slice()) {
        (Some((at, guess)), _) => {
            let because = format!("{at} says so, and setting it changes the render as the old key did");
            Some(Moved { to: Some(guess.path.clone()), because })
        }
        (None, [guess]) => {
            Some(Moved { to: Some(guess.path.clone()), because: "setting it changes the render as the old key did".to_owned() })
        }
        (None, [first @ .., last]) if !first.is_empty() => {
            let first: Vec<String> = first.iter().map(|guess| guess.path.to_string()).collect();
            let because = format!(
                "{} and {} each change the new render as it changed the old one: set the one that is meant",
                first.join(", "),
                last.path
            );
            Some(Moved { to: None, because })
        }
        _ => guesses.into_iter().find_map(|(guess, score)| {
            let at = guess.said_in.as_ref()?;
            let doubt =
                if score.is_some() { "with the value given it does not change what the old key changed" } else { "it was not tried" };
            Some(Moved { to: Some(guess.path.clone()), because: format!("{at} names both; {doubt}") })
        }),
    }
}
