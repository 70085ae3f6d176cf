//! Custom resource definitions: which come and go, and what changes in their fields.

mod closed;
mod fields;
mod unevaluated;

use std::collections::BTreeMap;

use super::Context;
use super::read::{Seen, count, finish, is_upgrade_hook, kept, news, olds};
use crate::crd::{self, CrdChange, VersionChange};
use crate::input::Rendered;
use crate::summary::{Evidence, Item, ObjectRef, Provenance, Weight};

const KIND: &str = "CustomResourceDefinition";

/// A CRD of one render.
#[derive(Clone, Copy)]
struct Defined<'c> {
    rendered: &'c Rendered,
    /// Whether it lies in `crds/`, which Helm reads on install alone; else it is a template like any other.
    in_crds: bool,
}

/// A CRD that both have, and what differs.
struct Changed<'c> {
    object: ObjectRef,
    new: Defined<'c>,
    group: String,
    kind: String,
    change: CrdChange,
}

pub(super) fn items(context: &Context<'_>) -> Vec<Item> {
    let (before, after) = both(context);
    let mut items = Vec::new();
    for (name, new) in &after {
        match before.get(name) {
            Some(old) => items.extend(moved(name, *old, *new)),
            None => items.push(added(name, *new, &context.input.new.crds)),
        }
    }
    let changed = changed(&before, &after);
    items.extend(before.iter().filter(|(name, _)| !after.contains_key(*name)).map(|(name, old)| removed(name, *old)));
    items.extend(changed.iter().flat_map(shape));
    items.extend(fields::items(context, &changed));
    items.extend(grown(&changed));
    items.extend(changed.iter().filter(|one| one.change.truncated).map(cut));
    finish(items)
}

/// CRDs by name.
type Crds<'c> = BTreeMap<String, Defined<'c>>;

/// The CRDs of both renders.
fn both<'c>(context: &'c Context<'_>) -> (Crds<'c>, Crds<'c>) {
    let before = defined(olds(context.objects), olds(context.hooks), &context.input.old.crds);
    let after = defined(news(context.objects), news(context.hooks), &context.input.new.crds);
    (before, after)
}

fn changed<'c>(before: &Crds<'c>, after: &Crds<'c>) -> Vec<Changed<'c>> {
    let pairs = after.iter().filter_map(|(name, new)| Some((name, before.get(name)?, new)));
    let all = pairs.map(|(name, old, new)| {
        let (group, kind) = crd::defines(&new.rendered.value);
        Changed { object: named(name), new: *new, group, kind, change: crd::compare(&old.rendered.value, &new.rendered.value) }
    });
    all.filter(|one| !one.change.is_empty()).collect()
}

fn defined<'c>(objects: Vec<Seen<'c>>, hooks: Vec<Seen<'c>>, crds: &'c [Rendered]) -> Crds<'c> {
    let mut all = BTreeMap::new();
    let name = |rendered: &Rendered| rendered.value.get("metadata")?.get("name")?.as_str().map(str::to_owned);
    for seen in objects.into_iter().filter(|seen| seen.kind() == KIND) {
        all.insert(seen.object.name.clone(), Defined { rendered: seen.rendered, in_crds: false });
    }
    // Hooks of Helm 2 (`crd-install`): like those of `crds/` they are no part of the release.
    for seen in hooks.into_iter().filter(|seen| seen.kind() == KIND) {
        all.entry(seen.object.name.clone()).or_insert(Defined { rendered: seen.rendered, in_crds: true });
    }
    for rendered in crds {
        if let Some(name) = name(rendered) {
            all.entry(name).or_insert(Defined { rendered, in_crds: true });
        }
    }
    all
}

/// CRDs that go from `crds/` to the templates: their names, and where they are now.
pub(super) fn adopted<'c>(context: &'c Context<'_>) -> Vec<(ObjectRef, &'c Rendered)> {
    let (before, after) = both(context);
    let moves = |(name, new): (String, Defined<'c>)| (before.get(&name)?.in_crds && !new.in_crds).then(|| (named(&name), new.rendered));
    after.into_iter().filter_map(moves).collect()
}

/// A CRD whose stored version goes.
pub(super) struct Migrated<'c> {
    pub(super) object: ObjectRef,
    pub(super) new: &'c Rendered,
    /// The version that goes.
    pub(super) from: String,
    /// The version that is stored from now on.
    pub(super) to: String,
}

/// CRDs that Kubernetes refuses until the objects that are stored in a version that goes are stored in another.
pub(super) fn migrated<'c>(context: &'c Context<'_>) -> Vec<Migrated<'c>> {
    let (before, after) = both(context);
    let stored = |one: Changed<'c>| {
        let (from, to) = one.change.stored_gone?;
        Some(Migrated { object: one.object, new: one.new.rendered, from, to })
    };
    changed(&before, &after).into_iter().filter_map(stored).collect()
}

fn named(name: &str) -> ObjectRef {
    ObjectRef { group: "apiextensions.k8s.io".to_owned(), kind: KIND.to_owned(), namespace: String::new(), name: name.to_owned() }
}

fn item(code: &str, weight: Weight, name: &str, of: Defined<'_>, what: impl Into<String>) -> Item {
    Item::new(code, weight, what, Provenance::new(Evidence::CrdSchema, &of.rendered.source)).about(named(name))
}

fn added(name: &str, new: Defined<'_>, crds: &[Rendered]) -> Item {
    if is_upgrade_hook(&new.rendered.value) {
        return item("crd-added", Weight::Know, name, new, "is new; a hook of the upgrade makes it");
    }
    if new.in_crds {
        // A hook of Helm 2 is no part of what `helm show crds` prints.
        let next = if crds.iter().any(|one| std::ptr::eq(one, new.rendered)) {
            "apply it before the upgrade: the step that applies the CRDs has the command".to_owned()
        } else {
            format!("apply it before the upgrade: the chart has it in {}", new.rendered.source)
        };
        return item("crd-added", Weight::Act, name, new, "is new, and Helm does not create it on an upgrade").next(next);
    }
    item("crd-added", Weight::Know, name, new, "is new; the chart makes it")
}

fn removed(name: &str, old: Defined<'_>) -> Item {
    if old.in_crds {
        return item(
            "crd-removed",
            Weight::Look,
            name,
            old,
            "is no longer in the chart; Helm never deletes it, so it stays in the cluster with its objects",
        );
    }
    if kept(&old.rendered.value) {
        return item(
            "crd-removed",
            Weight::Look,
            name,
            old,
            "is no longer in the chart; it stays in the cluster, since it is marked to be kept",
        );
    }
    item(
        "crd-deleted",
        Weight::Act,
        name,
        old,
        "is no longer in the chart, so Helm deletes it, and with it every object of that kind in the cluster",
    )
    .next(format!("keep it first: kubectl annotate crd {name} helm.sh/resource-policy=keep"))
}

/// From `crds/` to the templates or back: Helm treats the two in opposite ways.
fn moved(name: &str, old: Defined<'_>, new: Defined<'_>) -> Option<Item> {
    match (old.in_crds, new.in_crds) {
        (false, true) if !kept(&old.rendered.value) => Some(
            item(
                "crd-deleted",
                Weight::Act,
                name,
                new,
                "moves from the templates to crds/, so Helm deletes it, and with it every object of that kind in the cluster",
            )
            .next(format!("keep it first: kubectl annotate crd {name} helm.sh/resource-policy=keep")),
        ),
        (true, false) => Some(
            item(
                "crd-adopted",
                Weight::Stop,
                name,
                new,
                "moves from crds/ to the templates, and Helm refuses to import one that is not marked as its own (invalid ownership metadata)",
            )
            .next("mark it as part of the release before the upgrade: the steps have the commands"),
        ),
        _ => None,
    }
}

/// What changes about a CRD as a whole.
fn shape(changed: &Changed<'_>) -> Vec<Item> {
    let Changed { object, new, change, .. } = changed;
    let item = |code, weight, what: String| item(code, weight, &object.name, *new, what);
    let check = format!("kubectl get crd {} -o jsonpath='{{.status.storedVersions}}'", object.name);
    let mut items = Vec::new();
    if let Some((was, is)) = &change.scope {
        let what =
            format!("its scope goes from {was} to {is}, which Kubernetes refuses: the CRD and all its objects would have to be made anew");
        items.push(
            item("crd-scope", Weight::Stop, what).next(format!("save every {} object, delete the CRD, and make both again", changed.kind)),
        );
    }
    for (name, was, is) in &change.names {
        let (weight, more) =
            if matches!(name.as_str(), "group" | "plural") { (Weight::Stop, ", which Kubernetes refuses") } else { (Weight::Look, "") };
        items.push(item("crd-names", weight, format!("its {name} goes from {was} to {is}{more}")));
    }
    for (version, what) in &change.versions {
        items.push(match what {
            VersionChange::Gone if change.stored_gone.as_ref().is_some_and(|(gone, _)| gone == version) => item(
                "crd-version-gone",
                Weight::Stop,
                format!("version {version} is gone, and objects were stored in it: Kubernetes refuses the new CRD while status.storedVersions names it"),
            )
            .next("store the objects in another version first: the steps have the commands"),
            VersionChange::Gone => item(
                "crd-version-gone",
                Weight::Act,
                format!("version {version} is gone; Kubernetes refuses that while objects are stored in it"),
            )
            .next(format!("check status.storedVersions: {check}")),
            VersionChange::Unserved => item(
                "crd-version-unserved",
                Weight::Act,
                format!("version {version} is no longer served: manifests and clients that use it fail"),
            )
            .next(format!("look for manifests of your own with {}/{version}", changed.group)),
            VersionChange::Added => item("crd-version-added", Weight::Know, format!("version {version} is new")),
            VersionChange::Served => item("crd-version-served", Weight::Know, format!("version {version} is served now")),
        });
    }
    if let Some((was, is)) = &change.storage {
        let what = format!("objects are stored as {is} where they were stored as {was}: after that the old CRD cannot come back as it was");
        items.push(item("crd-storage", Weight::Look, what).next(format!("check status.storedVersions: {check}")));
    }
    if let Some((was, is)) = &change.conversion {
        let more = if is == "Webhook" { ": without its webhook no object of it can be read" } else { "" };
        items.push(item("crd-conversion", Weight::Look, format!("conversion between its versions goes from {was} to {is}{more}")));
    }
    items
}

/// New fields, counted over all CRDs.
fn grown(changed: &[Changed<'_>]) -> Option<Item> {
    let grown: Vec<&Changed<'_>> = changed.iter().filter(|one| one.change.added > 0).collect();
    let first = grown.first()?;
    let sum: usize = grown.iter().map(|one| one.change.added).sum();
    let what = if grown.len() == 1 {
        format!("has {}", count(sum, "new field", "new fields"))
    } else {
        format!("{} have {} between them", count(grown.len(), "CRD", "CRDs"), count(sum, "new field", "new fields"))
    };
    let mut item = Item::new("crd-fields-added", Weight::Know, what, Provenance::new(Evidence::CrdSchema, &first.new.rendered.source));
    item.detail = grown.iter().map(|one| format!("{}: {}", one.object.name, one.change.added)).collect();
    super::read::about(&mut item, grown.iter().map(|one| one.object.clone()).collect());
    Some(item)
}

fn cut(changed: &Changed<'_>) -> Item {
    item(
        "crd-not-compared",
        Weight::Look,
        &changed.object.name,
        changed.new,
        "its schema is too deep or too large to be compared as a whole",
    )
}

#[cfg(test)]
mod tests;
