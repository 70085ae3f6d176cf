//! From two renders to a summary.

use crate::compare::{Comparison, compare, compare_hooks};
use crate::input::{Chart, Input};
use crate::section::{self, Context};
use crate::summary::{API_VERSION, ChartBrief, Counts, KIND, Noise, Summary, TargetBrief};
use crate::verdict;

/// Says what changes.
#[must_use]
pub fn summarise(input: &Input) -> Summary {
    let objects = compare(&input.old, &input.new, &input.target);
    let hooks = compare_hooks(&input.old, &input.new, &input.target);
    let sections = section::all(&Context { input, objects: &objects, hooks: &hooks });
    let counts = counts(&objects, input);
    let changed = sections.iter().any(|section| !section.items.is_empty());
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
        sections,
        noise: Noise::default(),
        counts,
    }
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
