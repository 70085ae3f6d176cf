//! Fields that the API server lets nobody change.

use serde_json::Value;

use super::super::Context;
use super::super::read::few;
use super::selector::mismatch;
use crate::compare::drawn::is_of_every_upgrade;
use crate::compare::identity::text;
use crate::compare::mask;
use crate::compare::{Change, Pair, Step};
use crate::input::{Rendered, is_drawn};
use crate::summary::{Evidence, Item, ObjectRef, Provenance, Weight};
use crate::table::immutable::{Fixed, SOURCE, fixed};

/// An object that cannot be changed in place.
pub(in crate::section) struct Stuck<'c> {
    pub(in crate::section) object: &'c ObjectRef,
    pub(in crate::section) old: &'c Rendered,
    pub(in crate::section) new: &'c Rendered,
    pub(in crate::section) fields: Vec<Fixed>,
    /// Fields that are another at each upgrade.
    drawn: Vec<String>,
}

/// Objects whose change the API server refuses, in the order of the new render.
pub(in crate::section) fn stuck<'c>(context: &'c Context<'_>) -> Vec<Stuck<'c>> {
    // One with another name at each upgrade is made anew, and not changed.
    let lasts = |pair: &&Pair<'_>| pair.changed() && !is_drawn(&pair.object.name);
    context.objects.pairs.iter().filter(lasts).filter_map(of_pair).collect()
}

fn of_pair<'c>(pair: &'c Pair<'_>) -> Option<Stuck<'c>> {
    let (old, new) = (&pair.old.value, &pair.new.value);
    let differs = |keys: &[&str]| {
        let at = |value: &Value| keys.iter().try_fold(value, |value, key| value.get(key)).cloned();
        pair.changes.iter().any(|change| change.under(keys) || (above(&change.path, keys) && at(old) != at(new)))
    };
    let fields = fixed(old, new, &differs);
    let drawn = pair.changes.iter().filter(|change| is_of_every_upgrade(change)).map(Change::path_text).collect();
    (!fields.is_empty()).then_some(Stuck { object: &pair.object, old: pair.old, new: pair.new, fields, drawn })
}

/// Whether the change stands above the keys: a whole map that came or went.
fn above(path: &[Step], keys: &[&str]) -> bool {
    path.len() < keys.len() && path.iter().zip(keys).all(|(step, key)| matches!(step, Step::Key(found) if found == key))
}

pub(super) fn items(context: &Context<'_>) -> Vec<Item> {
    let mut items: Vec<Item> = stuck(context).iter().flat_map(|stuck| stuck.fields.iter().map(|field| claim(stuck, field))).collect();
    items.extend(crds(context));
    items
}

fn claim(stuck: &Stuck<'_>, field: &Fixed) -> Item {
    let kind = text(&stuck.new.value, "kind");
    let what = if field.shrinks {
        format!("{} cannot shrink", field.path)
    } else {
        let drawn: Vec<&String> = stuck.drawn.iter().filter(|path| path.starts_with(&field.path)).collect();
        let always = match drawn.as_slice() {
            [] => String::new(),
            [one] if **one == field.path => ", and is another at each upgrade".to_owned(),
            all => format!(", and {} in it is another at each upgrade", few(all, 3)),
        };
        format!("{} of a {kind} cannot be changed once it is there{always}", field.path)
    };
    let path: Vec<Step> = field.path.split('.').map(|key| Step::Key(key.to_owned())).collect();
    let shown = |value: &Option<Value>| value.as_ref().map(|value| mask::masked(kind, &path, value));
    // Making it anew would fail, and so there is no step that deletes it.
    let next = if mismatch(&stuck.new.value).is_some() {
        "do not delete it: the new one is invalid, and would not be made anew"
    } else {
        "see the steps: they say what has to be done before the upgrade"
    };
    Item::new("immutable-field", Weight::Stop, what, Provenance::new(Evidence::Table, format!("{SOURCE}; {}", stuck.new.source)))
        .about(stuck.object.clone())
        .field(field.path.clone(), shown(&field.before), shown(&field.after))
        .next(next)
}

/// CRDs of `crds/` whose group, scope or name changes: applying them is refused.
fn crds(context: &Context<'_>) -> Vec<Item> {
    let name = |rendered: &Rendered| rendered.value["metadata"]["name"].as_str().unwrap_or_default().to_owned();
    let mut items = Vec::new();
    for new in &context.input.new.crds {
        let Some(old) = context.input.old.crds.iter().find(|old| name(old) == name(new)) else { continue };
        for key in ["/spec/scope", "/spec/names/kind"] {
            let (before, after) = (old.value.pointer(key), new.value.pointer(key));
            if before != after {
                let object = ObjectRef {
                    group: "apiextensions.k8s.io".to_owned(),
                    kind: "CustomResourceDefinition".to_owned(),
                    namespace: String::new(),
                    name: name(new),
                };
                let path = key.trim_start_matches('/').replace('/', ".");
                let what = format!("{path} of a CRD cannot be changed, and deleting a CRD deletes all objects of its kind");
                let from = Provenance::new(Evidence::Table, format!("{SOURCE}; {}", new.source));
                items.push(
                    Item::new("immutable-field", Weight::Stop, what, from).about(object).field(path, before.cloned(), after.cloned()).next(
                        "follow the notes of the chart's authors: save the objects, delete the CRD, apply the new one, write them back",
                    ),
                );
            }
        }
    }
    items
}
