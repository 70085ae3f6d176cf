//! The rounds of trials: the new side, then the old one, and whether a key decides anything.

use std::collections::{BTreeMap, BTreeSet};
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;

use groundswell_change::overrides::{another, is_default};
use serde_json::Value;
use tokio::task::JoinSet;

use super::MAX_KEYS;
use super::cache::Cache;
use super::keys::{Key, get, names, with, without};
use super::named::Named;
use super::trial::{Bench, NEEDED, Trials};
use crate::preview::error::Which;

/// By the index of the key, the objects that it changes; a key that is not here was not tried.
pub(super) type Effects = BTreeMap<usize, BTreeSet<String>>;

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

    /// Whether another value in the place of these keys changes one side: then they decide something there. A key is not in the
    /// answer where none could be tried.
    pub(super) async fn live(&mut self, which: Which, some: &[usize]) -> BTreeMap<usize, bool> {
        let mut found = BTreeMap::new();
        let mut tasks = JoinSet::new();
        let keys = Arc::clone(&self.keys);
        for index in some {
            let Some((key, other)) = keys.get(*index).and_then(|key| Some((key.clone(), another(&key.given)?))) else { continue };
            let name =
                self.cache.as_ref().map(|cache| cache.name(&[b"another", which.to_string().as_bytes(), key.path.to_string().as_bytes()]));
            if let Some(objects) = self.known(name.as_ref()) {
                found.insert(*index, objects);
                continue;
            }
            let (trials, bench, index) = (Arc::clone(&self.trials), self.bench(which), *index);
            self.trials.expect(1);
            tasks.spawn(async move {
                let objects = trials.run(&bench, || with(&trials.merged, &key.path, &other)).await;
                trials.done(1, || key.path.to_string());
                (index, name, objects)
            });
        }
        while let Some(done) = tasks.join_next().await {
            let Ok((index, name, Some(objects))) = done else { continue };
            self.keep(name, &objects);
            found.insert(index, objects);
        }
        // One that helm refuses says nothing about the one that was given.
        found.into_iter().filter(|(_, objects)| !objects.contains(NEEDED)).map(|(index, objects)| (index, !objects.is_empty())).collect()
    }
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
