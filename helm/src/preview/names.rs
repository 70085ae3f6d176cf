//! Trials of a `nameOverride` or `fullnameOverride` that would keep the names of the old release.

use std::collections::BTreeMap;

use groundswell_change::compare::compare;
use groundswell_change::input::{Input, RenameTrial, Side};
use serde_json::{Map, Value};

use super::error::{PreviewError, Which};
use super::render::Renderer;
use super::{Preview, PreviewChart, PreviewTarget, Previewed, layers, manifest, side};
use crate::values::{Path, Segment, flow};

/// Sets of names that are tried; each is one render.
const MAX_SETS: usize = 4;

impl Preview {
    /// Renders the new version with each of these sets of values (`key`, `value`; dots in keys part maps) laid over the documents,
    /// and notes the set that keeps most objects of the old release, where one keeps more than none at all. The first four are tried.
    ///
    /// # Errors
    /// No helm, values that are none. A set with which the chart does not render is passed over.
    pub async fn try_names(
        &self,
        old: PreviewChart<'_>,
        new: PreviewChart<'_>,
        target: &PreviewTarget,
        documents: &[(String, String)],
        candidates: &[Vec<(String, String)>],
        previewed: &mut Previewed,
    ) -> Result<(), PreviewError> {
        if candidates.is_empty() {
            return Ok(());
        }
        layers(documents)?;
        let renderer = Renderer::new(&self.helm, &self.control, target, old, new).await?;
        let input = &mut previewed.input;
        let replaced_without = replaced(input, &input.new);
        let mut best: Option<RenameTrial> = None;
        for set in candidates.iter().take(MAX_SETS) {
            let extra = flow(&document(set));
            let mut values: Vec<&[u8]> = documents.iter().map(|(_, text)| text.as_bytes()).collect();
            values.push(extra.as_bytes());
            let (answer, took) = renderer.render(Which::New, previewed.new_kube_version.as_deref(), &values).await;
            previewed.took.add(took);
            let Ok(text) = answer else { continue };
            let (objects, hooks) = side::sort(manifest::rendered(&text).objects);
            let trial = Side { objects, hooks, crds: input.new.crds.clone(), ..Side::default() };
            let replaced_with = replaced(input, &trial);
            if replaced_with < best.as_ref().map_or(replaced_without, |best| best.replaced_with) {
                best = Some(RenameTrial { set: set.clone(), replaced_without, replaced_with });
            }
        }
        input.rename = best;
        Ok(())
    }
}

/// Objects that go while others of their kind come.
fn replaced(input: &Input, new: &Side) -> usize {
    let found = compare(&input.old, new, &input.target);
    let mut kinds: BTreeMap<(&str, &str), (usize, usize)> = BTreeMap::new();
    for single in &found.removed {
        kinds.entry((&single.object.group, &single.object.kind)).or_default().0 += 1;
    }
    for single in &found.added {
        kinds.entry((&single.object.group, &single.object.kind)).or_default().1 += 1;
    }
    kinds.values().map(|(removed, added)| removed.min(added)).sum()
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
