//! What changes in the fields of CRDs, and which objects of either render that touches.

use std::collections::BTreeMap;

use serde_json::Value;

use super::super::Context;
use super::super::read::{Seen, about, clean, count, few, news, olds, plain};
use super::{Changed, closed, unevaluated};
use crate::crd::{FieldChange, FieldKind};
use crate::summary::{Evidence, Item, ObjectRef, Provenance, Weight};

/// Most objects that are looked through for one changed field; the rest are likely to be like them.
const MOST_OBJECTS: usize = 2_000;

pub(super) fn items(context: &Context<'_>, changed: &[Changed<'_>]) -> Vec<Item> {
    let (before, after) = (olds(context.objects), news(context.objects));
    let mut items = Vec::new();
    // By kind of change and by field, then by which CRDs: the operator's CRDs share whole subtrees of fields.
    let mut unused: BTreeMap<(FieldKind, String, String), (Vec<&Changed<'_>>, &FieldChange)> = BTreeMap::new();
    for one in changed {
        for field in &one.change.fields {
            let mut used = used(context, one, field, &before, &after);
            used.extend(unevaluated::items(one, field, &before, &after));
            if used.is_empty() {
                let values = format!("{:?} {:?}", field.before, field.after);
                unused.entry((field.kind.clone(), field.path_text(), values)).or_insert_with(|| (Vec::new(), field)).0.push(one);
            } else {
                items.extend(used);
            }
        }
    }
    items.extend(folded(unused.into_values()));
    items
}

/// How an object meets a change.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Meets {
    /// The upgrade writes it, and the cluster refuses it.
    Refused,
    /// It is dropped from an object of the new render.
    Dropped,
    /// Both renders have it alike, so that Helm does not write it.
    Later,
    /// The old render alone has it so.
    Old,
}

/// Objects that have something that the change drops or refuses.
fn used(context: &Context<'_>, changed: &Changed<'_>, field: &FieldChange, before: &[Seen<'_>], after: &[Seen<'_>]) -> Vec<Item> {
    let hits = |objects: &[Seen<'_>]| -> Vec<(ObjectRef, Vec<String>)> {
        let found = of_kind(changed, objects).map(|seen| (seen.object.clone(), breaks(changed, field, seen.value())));
        found.filter(|(_, paths)| !paths.is_empty()).collect()
    };
    let new = hits(after);
    let mut met: BTreeMap<Meets, Vec<(ObjectRef, Vec<String>)>> = BTreeMap::new();
    if new.is_empty() {
        met.insert(Meets::Old, hits(before));
    }
    for hit in new {
        let same = || context.objects.pairs.iter().any(|pair| pair.object == hit.0 && !pair.changed());
        let meets = match field.kind {
            FieldKind::Removed | FieldKind::Closed => Meets::Dropped,
            _ if same() => Meets::Later,
            _ => Meets::Refused,
        };
        met.entry(meets).or_default().push(hit);
    }
    met.into_iter().filter_map(|(meets, hits)| met_by(changed, field, meets, hits)).collect()
}

/// Where an object has something that the change drops or refuses.
fn breaks(changed: &Changed<'_>, field: &FieldChange, object: &Value) -> Vec<String> {
    if field.kind != FieldKind::Closed {
        return field.breaks(object);
    }
    let mut paths = closed::dropped(&changed.new.rendered.value, field, object);
    // A field that goes by its name is told as such.
    let by_name: Vec<String> =
        changed.change.fields.iter().filter(|one| one.kind == FieldKind::Removed).flat_map(|one| one.breaks(object)).collect();
    paths.retain(|path| !by_name.contains(path));
    paths
}

/// The objects of the kind that the CRD defines.
pub(super) fn of_kind<'s, 'c: 's>(changed: &'s Changed<'_>, objects: &'s [Seen<'c>]) -> impl Iterator<Item = Seen<'c>> + 's {
    let of_it = |seen: &&Seen<'_>| seen.object.kind == changed.kind && seen.object.group == changed.group;
    objects.iter().filter(of_it).take(MOST_OBJECTS).copied()
}

fn met_by(changed: &Changed<'_>, field: &FieldChange, meets: Meets, hits: Vec<(ObjectRef, Vec<String>)>) -> Option<Item> {
    let (first, paths) = hits.first()?;
    let at = paths.first().cloned().unwrap_or_default();
    let name = &changed.object.name;
    let later = if meets == Meets::Later { ": not now, but at its next write" } else { "" };
    let what = match (&field.kind, meets) {
        (FieldKind::Removed | FieldKind::Closed, Meets::Old) => {
            format!("has {at}, which the new CRD {name} does not have: it is dropped as soon as the CRD is applied")
        }
        (FieldKind::Removed | FieldKind::Closed, _) => format!("sets {at}, which the new CRD {name} does not have: it is dropped"),
        (FieldKind::Required, Meets::Later) => format!("lacks {at}, which the new CRD {name} asks for: refused at its next write"),
        (FieldKind::Required, _) => format!("lacks {at}, which the new CRD {name} asks for"),
        (_, Meets::Old) => format!("has a value at {at} that the new CRD {name} would refuse ({})", said(field)),
        _ => format!("has a value at {at} that the new CRD {name} refuses ({}){later}", said(field)),
    };
    let weight = if meets == Meets::Refused { Weight::Stop } else { Weight::Act };
    let mut item = Item::new("crd-field-used", weight, what, Provenance::new(Evidence::CrdSchema, &changed.new.rendered.source));
    item = item.field(at, field.before.clone(), field.after.clone());
    item.detail = hits.iter().flat_map(|(object, paths)| paths.iter().map(move |path| format!("{object}: {path}"))).skip(1).collect();
    item.next = Some(match meets {
        Meets::Old => format!("check that nothing needs it, and look for objects of your own: kubectl get {} -A", plural(changed)),
        _ => format!("find which of your values sets it on {first}, and take it out or correct it"),
    });
    about(&mut item, hits.into_iter().map(|(object, _)| object).collect());
    Some(item)
}

fn plural(changed: &Changed<'_>) -> String {
    changed.object.name.clone()
}

/// Changes that no object here notices: one claim for each kind of change. The operator's CRDs share whole subtrees of fields, so
/// that one change of a library stands in ten of them.
fn folded<'a, 'c: 'a>(fields: impl Iterator<Item = (Vec<&'a Changed<'c>>, &'a FieldChange)>) -> Vec<Item> {
    let mut groups: BTreeMap<u8, Vec<(&FieldChange, Vec<&Changed<'_>>)>> = BTreeMap::new();
    for (crds, field) in fields {
        groups.entry(rank(&field.kind)).or_default().push((field, crds));
    }
    groups.into_values().filter_map(|fields| claim(&fields)).collect()
}

/// The order in which they are read.
fn rank(kind: &FieldKind) -> u8 {
    match kind {
        FieldKind::Removed => 0,
        FieldKind::Retyped => 1,
        FieldKind::Required => 2,
        FieldKind::Enum => 3,
        FieldKind::Closed => 4,
        FieldKind::Tightened(_) => 5,
        FieldKind::Default => 6,
    }
}

fn claim(fields: &[(&FieldChange, Vec<&Changed<'_>>)]) -> Option<Item> {
    let (field, crds) = fields.first()?;
    let changed = crds.first()?;
    let mut objects: Vec<ObjectRef> = fields.iter().flat_map(|(_, crds)| crds.iter().map(|one| one.object.clone())).collect();
    objects.sort();
    objects.dedup();
    let (code, weight, one, many) = match field.kind {
        FieldKind::Removed => ("crd-field-removed", Weight::Look, "is removed", "are removed"),
        FieldKind::Retyped => ("crd-field-retyped", Weight::Look, "takes another type", "take another type"),
        FieldKind::Required => ("crd-field-required", Weight::Look, "is required now", "are required now"),
        FieldKind::Enum => ("crd-field-enum", Weight::Look, "takes fewer values", "take fewer values"),
        FieldKind::Closed => ("crd-field-closed", Weight::Look, "keeps no unknown fields any more", "keep no unknown fields any more"),
        FieldKind::Tightened(_) => ("crd-field-tightened", Weight::Look, "has a tighter rule", "have tighter rules"),
        FieldKind::Default => ("crd-field-default", Weight::Know, "has another default", "have another default"),
    };
    let nobody = if field.kind == FieldKind::Default { "" } else { "; no object of either render notices" };
    let path = |field: &FieldChange| if field.path.is_empty() { "the object as a whole".to_owned() } else { field.path_text() };
    let what = if fields.len() == 1 {
        let said = said(field);
        let said = if said.is_empty() { said } else { format!(" ({said})") };
        format!("{} {one}{said}{nobody}", path(field))
    } else {
        let mut names: Vec<String> = fields.iter().map(|(field, _)| path(field)).collect();
        names.dedup();
        let of = if objects.len() > 1 { format!(" of {} CRDs", objects.len()) } else { String::new() };
        let many = if names.len() == 1 { "changed in several ways" } else { many };
        format!("{}{of} {many}: {}{nobody}", count(names.len(), "field", "fields"), few(&names, 2))
    };
    let mut item = Item::new(code, weight, what, Provenance::new(Evidence::CrdSchema, &changed.new.rendered.source));
    if fields.len() == 1 {
        item = item.field(path(field), field.before.clone(), field.after.clone());
    } else {
        let line = |(field, crds): &(&FieldChange, Vec<&Changed<'_>>)| {
            let kinds: Vec<&str> = crds.iter().map(|one| one.kind.as_str()).collect();
            let of = if objects.len() > 1 { format!(" ({})", few(&kinds, 3)) } else { String::new() };
            format!("{}: {}{of}", path(field), said(field)).trim_end_matches(": ").to_owned()
        };
        item.detail = fields.iter().map(line).collect();
    }
    if weight == Weight::Look && matches!(field.kind, FieldKind::Removed | FieldKind::Retyped | FieldKind::Required) {
        item.next = Some(format!("objects that other people made are not seen here: kubectl get {} -A -o yaml", plural(changed)));
    }
    about(&mut item, objects);
    Some(item)
}

/// Before and after in a few words.
pub(super) fn said(field: &FieldChange) -> String {
    let text = |value: &Option<Value>| value.as_ref().map_or_else(|| "none".to_owned(), |value| clean(&plain(value), 80));
    let list = |value: &Option<Value>| -> Vec<Value> { value.as_ref().and_then(Value::as_array).cloned().unwrap_or_default() };
    match &field.kind {
        FieldKind::Required | FieldKind::Closed => String::new(),
        FieldKind::Removed => format!("was {}", text(&field.before)),
        FieldKind::Retyped | FieldKind::Default => format!("{} to {}", text(&field.before), text(&field.after)),
        FieldKind::Enum => {
            let after = list(&field.after);
            let lost: Vec<String> =
                list(&field.before).iter().filter(|one| !after.contains(one)).map(|one| clean(&plain(one), 40)).collect();
            if lost.is_empty() {
                format!("only {} from now on", few(&after.iter().map(plain).collect::<Vec<_>>(), 6))
            } else {
                format!("no longer {}", few(&lost, 6))
            }
        }
        FieldKind::Tightened(name) if name == "x-kubernetes-validations" => format!("rules: {}", new_rules(field)),
        FieldKind::Tightened(name) => format!("{name}: {} to {}", text(&field.before), text(&field.after)),
    }
}

/// The rules that are new, in the words of the CRD's authors.
fn new_rules(field: &FieldChange) -> String {
    let rules = |value: &Option<Value>| value.as_ref().and_then(Value::as_array).cloned().unwrap_or_default();
    let old: Vec<Option<Value>> = rules(&field.before).iter().map(|one| one.get("rule").cloned()).collect();
    let new = rules(&field.after);
    let fresh = new.iter().filter(|one| !old.contains(&one.get("rule").cloned()));
    let words: Vec<String> =
        fresh.filter_map(|one| one.get("message").or_else(|| one.get("rule"))).map(|text| clean(&plain(text), 120)).collect();
    few(&words, 2)
}
