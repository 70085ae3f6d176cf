//! Keys that cover each other: with `{{ if or .Values.a .Values.b }}` either may be left out, but not both.

use std::collections::BTreeSet;

use super::keys::without;
use super::rounds::{Classing, Effects};
use super::trial::{Bench, Trials};
use crate::preview::error::Which;

/// Sets of keys that are told apart on one side; values of an operator with more than one are rare.
const MAX_SETS: usize = 8;

impl Classing {
    /// Leaves out at once all keys that change nothing alone. Those that then change something have that effect, each of them; where
    /// there was no time to know, they count as not tried.
    pub(super) async fn together(&self, which: Which, effects: &mut Effects) {
        let bench = self.bench(which);
        let mut rest: Vec<usize> = effects.iter().filter(|(_, objects)| objects.is_empty()).map(|(index, _)| *index).collect();
        for _ in 0..MAX_SETS {
            if rest.len() < 2 {
                return;
            }
            match self.least(&bench, &rest).await {
                None => return effects.retain(|index, _| !rest.contains(index)),
                Some((set, _)) if set.is_empty() => return,
                Some((set, objects)) => {
                    rest.retain(|index| !set.contains(index));
                    effects.extend(set.into_iter().map(|index| (index, objects.clone())));
                }
            }
        }
    }

    /// Keys that change something together, and none of which can be spared for it; empty when all together change nothing.
    async fn least(&self, bench: &Bench, all: &[usize]) -> Option<(Vec<usize>, BTreeSet<String>)> {
        let mut set = all.to_vec();
        let mut objects = self.without(&self.trials, bench, &set).await?;
        if objects.is_empty() {
            return Some((Vec::new(), objects));
        }
        let mut size = set.len().div_ceil(2);
        loop {
            let mut at = 0;
            while at < set.len() {
                let end = (at + size).min(set.len());
                let less: Vec<usize> = [set.get(..at)?, set.get(end..)?].concat();
                let found = if less.is_empty() { BTreeSet::new() } else { self.without(&self.trials, bench, &less).await? };
                if found.is_empty() {
                    at = end;
                } else {
                    (set, objects) = (less, found);
                }
            }
            if size == 1 {
                return Some((set, objects));
            }
            size = size.div_ceil(2).min(set.len().max(1));
        }
    }

    async fn without(&self, trials: &Trials, bench: &Bench, keys: &[usize]) -> Option<BTreeSet<String>> {
        let paths = || keys.iter().filter_map(|index| self.keys.get(*index)).map(|key| &key.path);
        trials.run(bench, || Some(without(&trials.merged, paths()))).await
    }
}
