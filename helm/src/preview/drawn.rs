//! Two renders of a side, read; two sides, put together.

use std::time::Duration;

use groundswell_change::input::{Input, RandomField, Rendered, Side, Target};
use groundswell_change::overrides::object_ref;
use groundswell_change::summary::NotChecked;
use serde_json::Value;

use super::error::Which;
use super::{PreviewTarget, Previewed, Took, manifest, random, revision, side};
use crate::archive::ChartArchive;

pub(super) struct Renders {
    pub(super) first: String,
    pub(super) second: String,
    pub(super) took: [Duration; 2],
    /// The version that was asked for, and the one inside the chart's range that was taken instead.
    pub(super) instead: Option<(Option<String>, String)>,
    /// Whether the second is one of another revision and of a day later.
    pub(super) is_later: bool,
}

/// A side, and what could not be known of it.
pub(super) struct Drawn {
    pub(super) side: Side,
    /// The first of its renders, as helm printed it.
    pub(super) text: String,
    took: [Duration; 2],
    odd: Vec<(String, String)>,
    pub(super) unsteady: Vec<String>,
    instead: Option<(Option<String>, String)>,
    is_later: bool,
}

impl Drawn {
    /// The Kubernetes version that it was rendered for; `None` is helm's default.
    pub(super) fn kube_version(&self, target: &PreviewTarget) -> Option<String> {
        self.instead.as_ref().map(|(_, taken)| taken.clone()).or_else(|| target.kube_version.clone())
    }
}

/// Reads both renders of a side.
pub(super) fn finish(
    side: Side,
    mut odd: Vec<(String, String)>,
    renders: Renders,
    archive: &ChartArchive,
    given: &Value,
    namespace: &str,
) -> Drawn {
    let record_bytes = crate::record::estimate_size(archive, given, &renders.first).ok().and_then(|bytes| u64::try_from(bytes).ok());
    let (objects, random, unsteady) = read(&renders, &mut odd, namespace);
    let (objects, hooks) = side::sort(objects);
    let side = Side { objects, hooks, random, record_bytes, ..side };
    Drawn { side, text: renders.first, took: renders.took, odd, unsteady, instead: renders.instead, is_later: renders.is_later }
}

fn read(renders: &Renders, odd: &mut Vec<(String, String)>, namespace: &str) -> (Vec<Rendered>, Vec<RandomField>, Vec<String>) {
    let first = manifest::rendered(&renders.first);
    odd.extend(first.odd);
    if renders.first == renders.second {
        return (first.objects, Vec::new(), Vec::new());
    }
    let second = manifest::rendered(&renders.second);
    let steady = random::steady(first.objects, second.objects, &|value| object_ref(value, namespace).to_string());
    (steady.objects, steady.random, steady.unsteady)
}

/// Puts both sides together.
pub(super) fn previewed(old: Drawn, new: Drawn, target: &PreviewTarget, documents: &[(String, String)]) -> Previewed {
    let times = old.took.iter().chain(&new.took);
    let took = Took {
        old: old.took.into_iter().max().unwrap_or_default(),
        new: new.took.into_iter().max().unwrap_or_default(),
        all: times.sum(),
        renders: 4,
    };
    let new_kube_version = new.kube_version(target);
    let not_checked = [(Which::Old, &old), (Which::New, &new)].into_iter().flat_map(|(which, drawn)| not_checked(which, drawn)).collect();
    let input = Input {
        old: old.side,
        new: new.side,
        target: Target {
            from: target.from.clone(),
            kube_version: target.kube_version.clone(),
            api_versions: target.api_versions.clone(),
            release: target.release.name().to_owned(),
            namespace: target.release.namespace().to_owned(),
        },
        documents: documents.iter().map(|(name, _)| name.clone()).collect(),
        not_checked,
        ..Input::default()
    };
    Previewed { input, took, new_kube_version }
}

fn not_checked(which: Which, drawn: &Drawn) -> Vec<NotChecked> {
    let mut out = Vec::new();
    if let Some((wanted, taken)) = &drawn.instead {
        let range = drawn.side.chart.kube_version.as_deref().unwrap_or_default();
        let wanted = wanted.as_deref().unwrap_or("helm's default version");
        out.push(NotChecked {
            what: format!("what the {which} version renders for Kubernetes {wanted}"),
            why: format!("the chart takes {range} only, so it was rendered for {taken}"),
            next: "give the version that the cluster will have with --kube-version".to_owned(),
        });
    }
    if !drawn.is_later {
        out.push(NotChecked {
            what: format!("what holds the revision of the release or the day in the {which} version"),
            why: format!("a render at revision {} and a day later, which would tell, fails", revision::SECOND),
            next: String::new(),
        });
    }
    for (source, (count, what)) in manifest::odd_by_source(&drawn.odd) {
        let documents = if count == 1 { "a document".to_owned() } else { format!("{count} documents") };
        out.push(NotChecked { what: format!("{documents} of {source} in the {which} version"), why: what.to_owned(), next: String::new() });
    }
    for source in &drawn.unsteady {
        out.push(NotChecked {
            what: format!("objects of {source} in the {which} version"),
            why: "it makes another set of objects each time that it is rendered".to_owned(),
            next: String::new(),
        });
    }
    out
}
