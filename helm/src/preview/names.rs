//! Trials of a `nameOverride` or `fullnameOverride` that would keep the names of the old release.

use std::collections::BTreeSet;

use groundswell_change::compare::{compare, rename_candidates, replaced_count};
use groundswell_change::input::{Input, RenameTrial, Side};
use groundswell_change::overrides::object_ref;
use serde_json::{Map, Value};

use super::error::Which;
use super::render::Renderer;
use super::{Previewed, manifest, side};
use crate::values::{Path, Segment, flow};

/// Sets of names that are tried; each is one render.
const MAX_SETS: usize = 4;

/// Asks what would keep the names of the old release, and renders the new version with each answer (dots in keys part maps) laid over
/// the documents. The set that keeps most objects is noted, where one keeps any. A set with which the chart does not render is
/// passed over.
pub(super) async fn tried(renderer: &Renderer, documents: &[(String, String)], previewed: &mut Previewed) {
    let input = &previewed.input;
    if !some_go_and_some_come(input) {
        return;
    }
    let candidates = {
        let found = compare(&input.old, &input.new, &input.target);
        rename_candidates(&found, &input.old.chart, &input.new.chart, &input.target)
    };
    if candidates.is_empty() {
        return;
    }
    let replaced_without = replaced_count(&input.old, &input.new, &input.target);
    let mut best: Option<RenameTrial> = None;
    for set in candidates.into_iter().take(MAX_SETS) {
        let extra = flow(&document(&set));
        let mut values: Vec<&[u8]> = documents.iter().map(|(_, text)| text.as_bytes()).collect();
        values.push(extra.as_bytes());
        let (answer, took) = renderer.render(Which::New, previewed.new_kube_version.as_deref(), &values).await;
        previewed.took.add(took);
        let Ok(text) = answer else { continue };
        let (objects, hooks) = side::sort(manifest::rendered(&text).objects);
        let input = &previewed.input;
        let trial = Side { chart: input.new.chart.clone(), objects, hooks, crds: input.new.crds.clone(), ..Side::default() };
        let replaced_with = replaced_count(&input.old, &trial, &input.target);
        if replaced_with < best.as_ref().map_or(replaced_without, |best| best.replaced_with) {
            best = Some(RenameTrial { set, replaced_without, replaced_with });
        }
    }
    previewed.input.rename = best;
}

/// Most upgrades rename nothing, and then a comparison more would cost a third of the time.
fn some_go_and_some_come(input: &Input) -> bool {
    let names = |side: &Side| -> BTreeSet<String> {
        side.objects.iter().map(|one| object_ref(&one.value, &input.target.namespace).to_string()).collect()
    };
    let (old, new) = (names(&input.old), names(&input.new));
    old.difference(&new).next().is_some() && new.difference(&old).next().is_some()
}

fn document(set: &[(String, String)]) -> Value {
    let mut out = Map::new();
    for (key, value) in set {
        let path = key.parse::<Path>().unwrap_or_else(|_| Path(vec![Segment::Key(key.clone())]));
        let mut at = &mut out;
        let mut steps = path.0.iter().peekable();
        while let Some(Segment::Key(step)) = steps.next() {
            if steps.peek().is_none() {
                at.insert(step.clone(), Value::String(value.clone()));
                break;
            }
            let below = at.entry(step.clone()).or_insert_with(|| Value::Object(Map::new()));
            match below {
                Value::Object(map) => at = map,
                _ => break,
            }
        }
    }
    Value::Object(out)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn sets_become_a_document() {
        let set = [("nameOverride".to_owned(), "x".to_owned()), ("sub.fullnameOverride".to_owned(), "y".to_owned())];
        assert_eq!(document(&set), json!({"nameOverride": "x", "sub": {"fullnameOverride": "y"}}));
    }
}
