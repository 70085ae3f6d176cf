//! The rounds of trials: the new side, then the old one, then the proofs of where keys went.

use std::collections::{BTreeMap, BTreeSet};
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;

use groundswell_change::input::Side;
use groundswell_change::overrides::is_default;
use serde_json::Value;
use tokio::task::JoinSet;

use super::MAX_KEYS;
use super::cache::Cache;
use super::keys::{Key, get, names, with, without};
use super::moved::{Guess, guesses};
use super::named::Named;
use super::trial::{Bench, NEEDED, Trials};
use crate::preview::error::Which;
use crate::values::Path;

/// Renders in search of the new places of keys that are gone, for all of them together: 40 take some 10 s.
const MAX_PROOFS: usize = 40;

/// By the index of the key, the objects that it changes; a key that is not here was not tried.
pub(super) type Effects = BTreeMap<usize, BTreeSet<String>>;

/// Where a key went.
pub(super) struct Moved {
    pub(super) to: Path,
    pub(super) because: String,
}

pub(super) struct Classing {
    pub(super) trials: Arc<Trials>,
    pub(super) benches: [Arc<Bench>; 2],
    pub(super) keys: Arc<Vec<Key>>,
    pub(super) cache: Option<Cache>,
}

impl Classing {
    pub(super) fn bench(&self, which: Which) -> Arc<Bench> {
        let [old, new] = &self.benches;
        Arc::clone(if which == Which::Old { old } else { new })
    }

    /// Keys for which a render is needed.
    pub(super) fn open(&self, defaults: &Value) -> Vec<usize> {
        let needs = |index: &usize| self.keys.get(*index).is_some_and(|key| !is_default(&key.given, get(defaults, &key.path)));
        (0..self.keys.len().min(MAX_KEYS)).filter(needs).collect()
    }

    fn trial_name(&self, which: Which, index: usize) -> Option<String> {
        let path = self.keys.get(index)?.path.to_string();
        Some(self.cache.as_ref()?.name(&[which.to_string().as_bytes(), path.as_bytes()]))
    }

    fn keep(&mut self, name: Option<String>, objects: &BTreeSet<String>) {
        if let (Some(cache), Some(name)) = (&mut self.cache, name) {
            cache.put(name, objects.iter().cloned().collect());
        }
    }

    fn known(&self, name: Option<&String>) -> Option<BTreeSet<String>> {
        Some(self.cache.as_ref()?.found.get(name?)?.iter().cloned().collect())
    }

    /// What these keys change on one side; `None` when the side cannot be rendered as it was.
    pub(super) async fn effects(&mut self, which: Which, open: &[usize], named: &Named) -> Option<Effects> {
        let known = |index: &usize| Some((*index, self.known(self.trial_name(which, *index).as_ref())?));
        let mut effects: Effects = open.iter().filter_map(known).collect();
        let left: Vec<usize> = open.iter().copied().filter(|index| !effects.contains_key(index)).collect();
        if left.is_empty() {
            return Some(effects);
        }
        let bench = self.bench(which);
        // All trials rest on this: the documents, merged by us, render as they did when helm merged them.
        match self.trials.run(&bench, || Some(self.trials.merged.clone())).await {
            Some(objects) if !objects.is_empty() => return None,
            Some(_) => {}
            None => return Some(effects),
        }
        let doubtful = |index: &usize| self.keys.get(*index).is_some_and(|key| !named.says(&names(&key.path)));
        let (group, single): (Vec<usize>, Vec<usize>) = left.iter().partition(|index| doubtful(index));
        self.trials.expect(left.len());
        let mut tasks = JoinSet::new();
        for group in single.into_iter().map(|index| vec![index]).chain([group]).filter(|group| !group.is_empty()) {
            let (trials, bench, keys) = (Arc::clone(&self.trials), Arc::clone(&bench), Arc::clone(&self.keys));
            tasks.spawn(async move { left_out(&trials, &bench, &keys, group).await });
        }
        while let Some(done) = tasks.join_next().await {
            for (index, objects) in done.unwrap_or_default() {
                let name = self.trial_name(which, index);
                self.keep(name, &objects);
                effects.insert(index, objects);
            }
        }
        Some(effects)
    }

    /// Where keys went that changed the old render and change the new one no more. A guess counts when setting the new key changes
    /// an object that the old key changed, or when the chart's own notes say it.
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
        let mut found: BTreeMap<usize, Vec<(Guess, Option<bool>)>> = BTreeMap::new();
        let mut proofs = 0;
        for index in dead {
            let (Some(key), Some(before)) = (keys.get(*index), old_effects.get(index)) else { continue };
            let was_default = is_default(&key.given, get(&was.defaults, &key.path));
            if named.has(&names(&key.path), &will.defaults) || (before.is_empty() && !was_default) {
                continue;
            }
            let guesses = guesses(&key.path, &key.given, was, will);
            for (rank, guess) in guesses.iter().enumerate().take(MAX_PROOFS.saturating_sub(proofs)) {
                proofs += 1;
                let (trials, bench) = (Arc::clone(&self.trials), self.bench(Which::New));
                let (index, before, key, to) = (*index, before.clone(), key.clone(), guess.path.clone());
                self.trials.expect(1);
                tasks.spawn(async move {
                    let values = || with(&without(&trials.merged, [&key.path]), &to, &key.given);
                    let objects = trials.run(&bench, values).await;
                    trials.done(1, || to.to_string());
                    let proved = objects.map(|objects| !objects.contains(NEEDED) && proves(&before, &objects));
                    (index, rank, proved)
                });
            }
            found.insert(*index, guesses.into_iter().map(|guess| (guess, None)).collect());
        }
        while let Some(done) = tasks.join_next().await {
            let Ok((index, rank, proved)) = done else { continue };
            if let Some(slot) = found.get_mut(&index).and_then(|guesses| guesses.get_mut(rank)) {
                slot.1 = proved;
            }
        }
        found.into_iter().filter_map(|(index, guesses)| Some((index, best(guesses)?))).collect()
    }
}

/// A key that was a default changed nothing by being left out; then any change by the new one is enough.
fn proves(before: &BTreeSet<String>, after: &BTreeSet<String>) -> bool {
    let kind = |object: &String| object.split('/').next().unwrap_or_default().to_owned();
    let kinds: BTreeSet<String> = before.iter().map(kind).collect();
    // Names of objects may have changed with the version; their kinds seldom do.
    !after.is_empty() && (before.is_empty() || before.contains(NEEDED) || after.iter().any(|object| kinds.contains(&kind(object))))
}

fn best(guesses: Vec<(Guess, Option<bool>)>) -> Option<Moved> {
    let proved = guesses.iter().find(|(_, proved)| *proved == Some(true));
    if let Some((guess, _)) = proved {
        let because = match &guess.said_in {
            Some(at) => format!("{at} says so, and setting it changes the render as the old key did"),
            None => "setting it changes the render as the old key did".to_owned(),
        };
        return Some(Moved { to: guess.path.clone(), because });
    }
    let said = guesses.into_iter().find_map(|(guess, tried)| Some((guess.said_in?, guess.path, tried)));
    said.map(|(at, to, tried)| {
        let doubt = if tried.is_some() { "with the value given it changes nothing that the old key changed" } else { "it was not tried" };
        Moved { to, because: format!("{at} names both; {doubt}") }
    })
}

/// Work that ends with the objects that each of some keys changes.
type LeftOut<'a> = Pin<Box<dyn Future<Output = Vec<(usize, BTreeSet<String>)>> + Send + 'a>>;

/// Leaves out all these keys at once; where that changes something, each half of them.
fn left_out<'a>(trials: &'a Trials, bench: &'a Bench, keys: &'a [Key], group: Vec<usize>) -> LeftOut<'a> {
    Box::pin(async move {
        let paths = || group.iter().filter_map(|index| keys.get(*index)).map(|key| &key.path);
        let Some(objects) = trials.run(bench, || Some(without(&trials.merged, paths()))).await else { return Vec::new() };
        let path = |index: usize| keys.get(index).map(|key| key.path.to_string()).unwrap_or_default();
        if objects.is_empty() || group.len() == 1 {
            trials.done(group.len(), || group.last().map(|index| path(*index)).unwrap_or_default());
            return group.into_iter().map(|index| (index, objects.clone())).collect();
        }
        let (left, right) = group.split_at(group.len() / 2);
        let half = |part: &[usize]| left_out(trials, bench, keys, part.to_vec());
        let (mut left, right) = tokio::join!(half(left), half(right));
        left.extend(right);
        left
    })
}
