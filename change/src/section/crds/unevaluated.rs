//! New rules that nobody evaluates here: expressions (CEL), patterns, schemas within a schema. An object that sets such a field may be
//! refused, and that is said instead of nothing.

use std::collections::BTreeMap;

use serde_json::Value;

use super::super::read::{Seen, about};
use super::Changed;
use super::fields::{of_kind, said};
use crate::crd::{FieldChange, FieldKind};
use crate::summary::{Evidence, Item, ObjectRef, Provenance, Weight};

/// Objects of the new render that set the field.
pub(super) fn items(changed: &Changed<'_>, field: &FieldChange, before: &[Seen<'_>], after: &[Seen<'_>]) -> Vec<Item> {
    if field.evaluated() {
        return Vec::new();
    }
    let was: BTreeMap<&ObjectRef, &Value> = of_kind(changed, before).map(|seen| (seen.object, seen.value())).collect();
    let mut by_weight: BTreeMap<Weight, Vec<(ObjectRef, String)>> = BTreeMap::new();
    for seen in of_kind(changed, after) {
        let old = was.get(seen.object).map(|old| field.places(old)).unwrap_or_default();
        for (at, value) in field.places(seen.value()) {
            // A value that was there before was accepted before: newer API servers let it be, whatever the new rule says.
            let weight = if refuses(field) && !old.contains(&(at.clone(), value)) { Weight::Act } else { Weight::Look };
            by_weight.entry(weight).or_default().push((seen.object.clone(), at));
        }
    }
    by_weight.into_iter().filter_map(|(weight, places)| item(changed, field, weight, places)).collect()
}

/// Rules that are written to refuse something; the others are respelled by generators more often than they are tightened.
fn refuses(field: &FieldChange) -> bool {
    matches!(&field.kind, FieldKind::Tightened(name) if matches!(name.as_str(), "pattern" | "x-kubernetes-validations"))
}

fn item(changed: &Changed<'_>, field: &FieldChange, weight: Weight, places: Vec<(ObjectRef, String)>) -> Option<Item> {
    let (first, at) = places.first()?;
    let shown = if at.is_empty() { "the object as a whole" } else { at };
    let alike = if weight == Weight::Act { "" } else { " as before" };
    let what = format!("sets a field{alike} whose new rule was not evaluated: {shown} (CRD {}, {})", changed.object.name, said(field));
    let mut item = Item::new("crd-rule-unevaluated", weight, what, Provenance::new(Evidence::CrdSchema, &changed.new.rendered.source));
    item = item.field(shown, field.before.clone(), field.after.clone());
    item.detail = places.iter().skip(1).map(|(object, at)| format!("{object}: {at}")).collect();
    item.next = Some(format!("check {first} against the rule, or apply it with --dry-run=server once the new CRD is there"));
    about(&mut item, places.into_iter().map(|(object, _)| object).collect());
    Some(item)
}
