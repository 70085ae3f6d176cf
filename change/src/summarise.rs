//! From two renders to a summary.

use std::borrow::Cow;
use std::collections::BTreeMap;

use crate::compare::{Comparison, Pair, compare, compare_crds, compare_hooks};
use crate::input::{Chart, Input, flattened, is_list};
use crate::section::{self, Context};
use crate::summary::{API_VERSION, ChartBrief, Counts, KIND, Noise, NoiseCount, NoiseKind, Summary, TargetBrief};
use crate::verdict;

/// Objects that are named for each kind of noise.
const EXAMPLES: usize = 3;

/// Says what changes.
#[must_use]
pub fn summarise(input: &Input) -> Summary {
    let input: &Input = &without_lists(input);
    let objects = compare(&input.old, &input.new, &input.target);
    let hooks = compare_hooks(&input.old, &input.new, &input.target);
    let sections = section::all(&Context { input, objects: &objects, hooks: &hooks });
    let crds = compare_crds(&input.old, &input.new, &input.target);
    let changed = [&objects, &hooks, &crds].into_iter().any(Comparison::changed);
    Summary {
        api_version: API_VERSION.to_owned(),
        kind: KIND.to_owned(),
        old: brief(&input.old.chart),
        new: brief(&input.new.chart),
        target: TargetBrief {
            from: input.target.from.clone(),
            kube_version: input.target.kube_version.clone(),
            api_versions: input.target.api_versions.len(),
            release: input.target.release.clone(),
            namespace: input.target.namespace.clone(),
            values: input.documents.clone(),
        },
        verdict: verdict::judge(&sections, input, changed),
        noise: noise(&objects, &hooks, input),
        counts: counts(&objects, input),
        sections,
    }
}

/// Helm takes the items of a `List` for objects of their own, and so do we.
fn without_lists(input: &Input) -> Cow<'_, Input> {
    let sides = [&input.old, &input.new];
    if !sides.iter().any(|side| [&side.objects, &side.hooks, &side.crds].iter().any(|objects| objects.iter().any(is_list))) {
        return Cow::Borrowed(input);
    }
    let mut input = input.clone();
    for side in [&mut input.old, &mut input.new] {
        for objects in [&mut side.objects, &mut side.hooks, &mut side.crds] {
            *objects = flattened(std::mem::take(objects));
        }
    }
    Cow::Owned(input)
}

fn brief(chart: &Chart) -> ChartBrief {
    ChartBrief {
        name: chart.name.clone(),
        version: chart.version.clone(),
        app_version: chart.app_version.clone(),
        digest: chart.digest.clone(),
    }
}

fn counts(objects: &Comparison<'_>, input: &Input) -> Counts {
    let changed = objects.pairs.iter().filter(|pair| pair.changed()).count();
    Counts {
        old: input.old.objects.len(),
        new: input.new.objects.len(),
        added: objects.added.len(),
        removed: objects.removed.len(),
        changed,
        unchanged: objects.pairs.len() - changed,
    }
}

fn noise(objects: &Comparison<'_>, hooks: &Comparison<'_>, input: &Input) -> Noise {
    let pairs: Vec<&Pair<'_>> = objects.pairs.iter().chain(&hooks.pairs).collect();
    let mut by_kind: BTreeMap<NoiseKind, Vec<String>> = BTreeMap::new();
    for pair in &pairs {
        for kind in &pair.noise {
            by_kind.entry(*kind).or_default().push(pair.object.to_string());
        }
    }
    let count = |(kind, mut examples): (NoiseKind, Vec<String>)| {
        let objects = examples.len();
        examples.truncate(EXAMPLES);
        NoiseCount { kind, objects, examples }
    };
    let mut kinds: Vec<NoiseCount> = by_kind.into_iter().map(count).collect();
    kinds.sort_by(|a, b| b.objects.cmp(&a.objects).then(a.kind.cmp(&b.kind)));
    let fields = input.old.random.iter().chain(&input.new.random);
    let mut random: Vec<String> = fields.map(|field| format!("{}: {}", field.object, field.path)).collect();
    random.sort();
    random.dedup();
    let objects = pairs.iter().filter(|pair| !pair.changed() && !pair.noise.is_empty()).count();
    Noise { objects, kinds, random }
}
