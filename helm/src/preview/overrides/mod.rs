//! The operator's keys, classed by what changes when each is left out.
//!
//! A key that leaves the new render as it is has no effect there; such keys are left out of the old render too, and so are those whose
//! default a template may make (`default`), for that can change unseen. Keys without effect are then left out all at once, for two of
//! them may cover each other, and tried with another value: one that decides something was given what comes without it. Three things
//! save renders, and none of them changes an answer:
//!
//! * A value equal to the new chart's default is its default: Helm lays values over each other, so leaving it out gives the same.
//! * Keys whose name no template of the chart has as a word are left out all at once, then by halves where that changed something.
//!   Could two of them cancel each other out, this would miss them; for that a template had to name them.
//! * What an earlier run found for the same charts, values, target and helm is not tried again.

mod cache;
mod keys;
mod moved;
mod named;
mod proofs;
mod rounds;
mod together;
mod trial;

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use groundswell_change::input::{OverrideClass, OverrideVerdict, Side};
use groundswell_change::overrides::{Facts, class, hidden, is_filled_in, shown};
use groundswell_change::summary::NotChecked;
use tokio::time::Instant;

use super::effect::{Reference, SECRET_DATA, is_kept};
use super::error::Which;
use super::render::Renderer;
use super::{PreviewChart, PreviewTarget, Progress};
use crate::values::{Layer, flow, merge};
use cache::Cache;
use keys::{get, names};
use named::Named;
use proofs::Moved;
use rounds::{Classing, Effects};
use trial::{Bench, NEEDED, Trials};

/// Keys that are classed. Each takes a render of 0.1 to 0.5 s; the longest values seen of an operator set some 250.
const MAX_KEYS: usize = 400;

/// Objects that are named with a key: more are a sign of a label, not something to read.
const MAX_AFFECTED: usize = 8;

/// A side as it was rendered.
pub(super) struct Basis<'a> {
    pub(super) chart: PreviewChart<'a>,
    pub(super) side: &'a Side,
    pub(super) reference: Reference,
    /// The Kubernetes version that it was rendered for.
    pub(super) kube_version: Option<String>,
}

impl Basis<'_> {
    fn bench(self, which: Which) -> Arc<Bench> {
        Arc::new(Bench {
            which,
            archive: self.chart.archive.clone(),
            defaults: self.side.defaults.clone(),
            reference: self.reference,
            kube_version: self.kube_version,
        })
    }
}

/// How far the classing may go.
pub(super) struct Bounds {
    pub(super) limit: Duration,
    pub(super) progress: Option<Progress>,
    pub(super) cache: Option<PathBuf>,
    pub(super) helm_version: String,
}

/// Classes every key. What could not be tried is said.
pub(super) async fn classed(
    renderer: Renderer,
    layers: &[Layer],
    target: &PreviewTarget,
    old: Basis<'_>,
    new: Basis<'_>,
    bounds: Bounds,
) -> (Vec<OverrideVerdict>, Vec<NotChecked>) {
    let (was, will) = (old.side, new.side);
    let (named_before, named) = (Named::new(old.chart.archive), Named::new(new.chart.archive));
    let merged = merge(layers).value;
    let random = [Named::of_random(old.chart.archive, was, &merged), Named::of_random(new.chart.archive, will, &merged)];
    let cache = bounds.cache.as_deref().and_then(|folder| {
        let to = format!("{:?} {:?} {:?} {:?}", target.kube_version, target.api_versions, target.release, bounds.helm_version);
        let (old, new) = (&old.chart.archive.digest, &new.chart.archive.digest);
        Cache::open(folder, &[old.as_bytes(), new.as_bytes(), flow(&merged).as_bytes(), to.as_bytes()])
    });
    let trials =
        Trials { renderer, merged, deadline: Instant::now() + bounds.limit, progress: bounds.progress, counted: Mutex::new((0, 0)) };
    let mut classing = Classing {
        trials: Arc::new(trials),
        benches: [old.bench(Which::Old), new.bench(Which::New)],
        keys: Arc::new(keys::keys(layers)),
        cache,
    };
    let open = classing.open(&will.defaults);
    let (mut new_effects, reproduced) = match classing.effects(Which::New, &open, &named).await {
        Some(effects) => (effects, true),
        None => (Effects::new(), false),
    };
    classing.together(Which::New, &mut new_effects).await;
    let (dead, filled) = classing.doubtful(&open, &new_effects, was, will);
    let open_before: Vec<usize> = dead.iter().chain(&filled).copied().collect();
    let old_effects = classing.effects(Which::Old, &open_before, &named_before).await;
    let reproduced = reproduced && old_effects.is_some();
    let mut old_effects = old_effects.unwrap_or_default();
    classing.together(Which::Old, &mut old_effects).await;
    let moved = classing.moved(&dead, &old_effects, &named, was, will).await;
    let is_named = |index: &&usize| classing.keys.get(**index).is_some_and(|key| named.has(&names(&key.path), &will.defaults));
    let still_named: Vec<usize> = dead.iter().filter(is_named).copied().collect();
    let idle = |index: &&usize| old_effects.get(index).is_some_and(BTreeSet::is_empty);
    let idle_before: Vec<usize> = filled.iter().filter(idle).copied().collect();
    let live = [classing.live(Which::Old, &idle_before).await, classing.live(Which::New, &still_named).await];
    let verdicts = verdicts(&classing, [&old_effects, &new_effects], &live, &moved, (&named, &random), (was, will));
    let not_checked = not_checked(&verdicts, reproduced);
    (verdicts, not_checked)
}

impl Classing {
    /// Keys without effect in the new version; and those with one whose default a template may make, so that it can change unseen.
    fn doubtful(&self, open: &[usize], new_effects: &Effects, was: &Side, will: &Side) -> (Vec<usize>, Vec<usize>) {
        let tried = |dead: bool| {
            let wanted = move |index: &&usize| new_effects.get(*index).is_some_and(|objects| objects.is_empty() == dead);
            open.iter().filter(wanted).copied()
        };
        let filled = |index: &usize| {
            self.keys.get(*index).is_some_and(|key| {
                let scalar = groundswell_change::overrides::another(&key.given).is_some();
                scalar && is_filled_in(get(&was.defaults, &key.path)) && is_filled_in(get(&will.defaults, &key.path))
            })
        };
        (tried(true).collect(), tried(false).filter(filled).collect())
    }
}

fn verdicts(
    classing: &Classing,
    [old_effects, new_effects]: [&Effects; 2],
    [old_live, new_live]: &[BTreeMap<usize, bool>; 2],
    moved: &BTreeMap<usize, Moved>,
    (named, [old_random, new_random]): (&Named, &[Named; 2]),
    (was, will): (&Side, &Side),
) -> Vec<OverrideVerdict> {
    let texts = [Which::Old, Which::New].map(|which| classing.bench(which).reference.texts());
    let verdict = |(index, key): (usize, &keys::Key)| {
        let names = names(&key.path);
        let (old_default, new_default) = (get(&was.defaults, &key.path), get(&will.defaults, &key.path));
        let affects = new_effects.get(&index);
        let facts = Facts {
            given: key.given.clone(),
            old_default,
            new_default,
            old_effect: old_effects.get(&index).map(|objects| !objects.is_empty()),
            new_effect: affects.map(|objects| !objects.is_empty()),
            named: named.has(&names, &will.defaults),
            moved: moved.get(&index).map(|moved| (moved.to.clone(), moved.because.clone())),
            old_live: old_live.get(&index).copied(),
            new_live: new_live.get(&index).copied(),
            old_random: old_random.may_read(&names),
            new_random: new_random.may_read(&names),
        };
        let class = class(&facts);
        // What is random is a credential most often, and nobody sees what of the value is in it.
        let is_secret = class == OverrideClass::Unclear
            || is_kept(&shown(&names, &key.given), &texts)
            || affects.into_iter().chain(old_effects.get(&index)).any(|objects| objects.contains(SECRET_DATA));
        let mask = |value: &serde_json::Value| if is_secret { hidden(value) } else { shown(&names, value) };
        let affects = affects.into_iter().flatten().filter(|object| *object != NEEDED && *object != SECRET_DATA);
        OverrideVerdict {
            path: key.path.to_string(),
            document: key.document.clone(),
            also_in: key.also_in.clone(),
            class: match class {
                OverrideClass::HidesNewItems { items } => OverrideClass::HidesNewItems { items: items.iter().map(mask).collect() },
                other => other,
            },
            given: mask(&key.given),
            old_default: old_default.map(mask),
            new_default: new_default.map(mask),
            affects: affects.take(MAX_AFFECTED).cloned().collect(),
        }
    };
    classing.keys.iter().enumerate().map(verdict).collect()
}

fn not_checked(verdicts: &[OverrideVerdict], reproduced: bool) -> Vec<NotChecked> {
    let missed = verdicts.iter().filter(|verdict| verdict.class == OverrideClass::NotTried).count();
    if missed == 0 {
        return Vec::new();
    }
    let what = format!("what {missed} of {} override keys do", verdicts.len());
    let (why, next) = if !reproduced {
        let why = "the render with the merged values is not the render with the documents, so leaving out a key of them proves nothing";
        (why.to_owned(), String::new())
    } else if verdicts.len() > MAX_KEYS {
        (format!("only the first {MAX_KEYS} are tried, and those in the time that was given"), String::new())
    } else {
        (
            "the time for trying them was over".to_owned(),
            "run it again, which goes on where this ended, or give more time with --overrides-limit".to_owned(),
        )
    };
    vec![NotChecked { what, why, next }]
}

#[cfg(test)]
mod tests;
