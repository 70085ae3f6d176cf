//! What makes a plain upgrade fail, even when the CRDs were applied before it.

mod brought;
pub(super) mod fixed;
mod kubernetes;
mod record;
mod selector;
pub(super) mod served;
#[cfg(test)]
mod tests;
mod versions;

use super::Context;
use super::read::{Seen, about, finish};
use crate::compare::Single;
use crate::summary::{Evidence, Item, Provenance, Weight};

pub(super) fn items(context: &Context<'_>) -> Vec<Item> {
    let mut items = kubernetes::items(context.input);
    items.extend(served::items(context));
    items.extend(brought::items(context));
    items.extend(versions::items(context));
    items.extend(fixed::items(context));
    items.extend(selector::items(context));
    items.extend(record::items(context.input));
    items.extend(twice(context));
    finish(items)
}

/// Objects that the new render has more than once. Helm patches such an object twice, and the last wins; but one that it has to
/// create it then does not find in the old release, and gives up.
fn twice(context: &Context<'_>) -> Vec<Item> {
    let is_new = |single: &Single<'_>| context.objects.added.iter().any(|added| added.object == single.object);
    let (fail, pass): (Vec<&Single<'_>>, Vec<&Single<'_>>) = context.objects.new_twice.iter().partition(|single| is_new(single));
    let claim = |weight, what: &str, of: &[&Single<'_>]| {
        let source = of.first().map(|single| single.rendered.source.clone()).unwrap_or_default();
        let mut item = Item::new("duplicate-object", weight, what, Provenance::new(Evidence::Render, source));
        let seen: Vec<Seen<'_>> = of.iter().map(|single| Seen { object: &single.object, rendered: single.rendered }).collect();
        about(&mut item, seen.iter().map(|one| one.object.clone()).collect());
        item
    };
    let mut items = Vec::new();
    if !fail.is_empty() {
        items.push(
            claim(Weight::Stop, "is new and in the render more than once: Helm creates the first and fails at the next", &fail)
                .next("find the value that switches one of them off, or tell the chart's authors"),
        );
    }
    if !pass.is_empty() {
        items.push(claim(Weight::Look, "is in the render more than once; the last one is what stays", &pass));
    }
    items
}
