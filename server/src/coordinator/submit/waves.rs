//! Which cluster goes with which wave, and whether the numbers make sense.

use super::layout::Subject;
use crate::coordinator::Refused;
use groundswell_core::id::{ClusterName, WaveName};
use groundswell_core::limit::Limit;
use groundswell_core::strategy::{Strategy, Unmatched, Wave};
use std::collections::BTreeMap;

/// Where the waves are written, as `file:line:column`.
pub(crate) type Places = BTreeMap<WaveName, String>;

/// The wave of each cluster: the first that matches it.
pub(crate) fn assign(strategy: &Strategy, subjects: &[Subject], places: &Places) -> Result<BTreeMap<ClusterName, usize>, Vec<Refused>> {
    let mut waves = BTreeMap::new();
    let mut unmatched = Vec::new();
    for subject in subjects {
        match strategy.waves.iter().position(|wave| wave.selector.matches(&subject.labels)) {
            Some(wave) => drop(waves.insert(subject.name.clone(), wave)),
            None if strategy.unmatched == Unmatched::LastWave && !strategy.waves.is_empty() => {
                waves.insert(subject.name.clone(), strategy.waves.len() - 1);
            }
            None => unmatched.push(subject.name.as_str()),
        }
    }
    let mut refused = Vec::new();
    if !unmatched.is_empty() {
        let why = format!("no wave takes {}", listed(&unmatched));
        refused.push(
            Refused::invalid("GS-WAVES", format!("{} of {} clusters", unmatched.len(), subjects.len()), why)
                .next("add a wave that matches them, or write `unmatched: lastWave`"),
        );
    }
    for (index, wave) in strategy.waves.iter().enumerate() {
        let size = waves.values().filter(|at| **at == index).count();
        let found = numbers(wave, size);
        refused.extend(found.into_iter().map(|refused| match places.get(&wave.name) {
            Some(place) => refused.at(place.clone()),
            None => refused,
        }));
    }
    if refused.is_empty() { Ok(waves) } else { Err(refused) }
}

/// Names, shortened to what a person reads.
fn listed(names: &[&str]) -> String {
    let shown = names.iter().take(10).copied().collect::<Vec<_>>().join(", ");
    if names.len() > 10 { format!("{shown} and {} more", names.len() - 10) } else { shown }
}

fn numbers(wave: &Wave, size: usize) -> Vec<Refused> {
    let mut refused = Vec::new();
    let mut refuse =
        |code: &str, why: String, next: &str| refused.push(Refused::invalid(code, format!("wave {}", wave.name), why).next(next));
    if wave.max_concurrent.max_concurrent(size.max(1)) == 0 {
        refuse("GS-LIMIT", "maxConcurrent 0 would never let a cluster go".into(), "write 1 or more, a percentage, or none");
    }
    if size == 0 {
        if !wave.may_be_empty {
            let why = "no cluster is in it (a cluster goes with the first wave that matches it)".into();
            refuse("GS-EMPTY-WAVE", why, "mend its selector, or write `mayBeEmpty: true`");
        }
        return refused;
    }
    if wave.failure_budget != Limit::None && wave.failure_budget.failure_budget(size) >= size {
        let why = format!("failureBudget {} lets all of its {size} clusters fail", wave.failure_budget);
        refuse("GS-LIMIT", why, "write a smaller one, or the word none");
    }
    if wave.min_available.min_available(size) > size {
        let why = format!("minAvailable {} is more than its {size} clusters", wave.min_available);
        refuse("GS-LIMIT", why, "write a smaller one, or a percentage");
    }
    refused
}
