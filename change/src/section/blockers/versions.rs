//! Objects in a version that the new CRD serves no more. The old CRD still serves it, and so may the cluster: it is the CRD of the new
//! chart that takes it away, before the objects are applied.

use std::collections::{BTreeMap, BTreeSet};

use super::super::Context;
use super::super::read::{Seen, claim, few, news, olds};
use super::served::{upgrade_hooks, versions_of};
use crate::compare::identity::{group_of, text};
use crate::input::Rendered;
use crate::summary::{Evidence, Item, Provenance, Weight};

/// What a CRD of the new render serves.
struct Served<'c> {
    crd: &'c Rendered,
    /// `group/version`.
    versions: BTreeSet<String>,
    /// Whether it is applied by hand before the upgrade, and not by the upgrade.
    in_crds: bool,
}

/// By group and kind.
type Kinds<'c> = BTreeMap<(String, String), Served<'c>>;

/// API version and kind.
type Api<'c> = (&'c str, &'c str);

pub(super) fn items(context: &Context<'_>) -> Vec<Item> {
    let kinds = kinds(context);
    if kinds.is_empty() {
        return Vec::new();
    }
    let coming = lost(&kinds, news(context.objects).into_iter().chain(upgrade_hooks(context)));
    let installed = lost(&kinds, olds(context.objects).into_iter());
    let mut items = Vec::new();
    for (api, (served, objects)) in &coming {
        items.push(refused(*api, served, objects));
    }
    // What the new render still writes so is told already.
    for (api, (served, objects)) in installed.iter().filter(|(api, _)| !coming.contains_key(*api)) {
        items.push(unread(*api, served, objects));
    }
    items
}

fn kinds<'c>(context: &'c Context<'_>) -> Kinds<'c> {
    let side = &context.input.new;
    let mut kinds = Kinds::new();
    for (crd, in_crds) in side.objects.iter().map(|crd| (crd, false)).chain(side.crds.iter().map(|crd| (crd, true))) {
        let versions = versions_of(crd);
        let spec = &crd.value["spec"];
        let (Some(group), Some(kind)) = (spec["group"].as_str(), spec["names"]["kind"].as_str()) else { continue };
        if !versions.is_empty() {
            let of = || Served { crd, versions: BTreeSet::new(), in_crds };
            kinds.entry((group.to_owned(), kind.to_owned())).or_insert_with(of).versions.extend(versions);
        }
    }
    kinds
}

/// Objects whose version their CRD does not serve.
fn lost<'k, 'c>(kinds: &'k Kinds<'c>, objects: impl Iterator<Item = Seen<'c>>) -> BTreeMap<Api<'c>, (&'k Served<'c>, Vec<Seen<'c>>)> {
    let mut lost: BTreeMap<Api<'c>, (&'k Served<'c>, Vec<Seen<'c>>)> = BTreeMap::new();
    for seen in objects {
        let api = text(seen.value(), "apiVersion");
        let Some(served) = kinds.get(&(group_of(seen.value()).to_owned(), seen.kind().to_owned())) else { continue };
        if !served.versions.contains(api) {
            lost.entry((api, seen.kind())).or_insert_with(|| (served, Vec::new())).1.push(seen);
        }
    }
    lost
}

fn item(weight: Weight, what: String, served: &Served<'_>, objects: &[Seen<'_>]) -> Item {
    let mut item = claim("crd-version-used", weight, what, objects);
    item.from = Provenance::new(Evidence::CrdSchema, &served.crd.source);
    item
}

fn crd_name<'c>(served: &Served<'c>) -> &'c str {
    served.crd.value["metadata"]["name"].as_str().unwrap_or_default()
}

fn only(served: &Served<'_>) -> String {
    let versions: Vec<&str> = served.versions.iter().map(|version| version.rsplit('/').next().unwrap_or_default()).collect();
    few(&versions, 3)
}

/// The new render asks for a version that is gone.
fn refused((api, kind): Api<'_>, served: &Served<'_>, objects: &[Seen<'_>]) -> Item {
    let what = format!("is {api} {kind}, and the new CRD {} serves only {}: the cluster refuses it", crd_name(served), only(served));
    item(Weight::Stop, what, served, objects)
        .next(format!("look for a value, or a newer chart, that makes it {}", few(&served.versions.iter().collect::<Vec<_>>(), 3)))
}

/// The installed release holds a version that is gone.
fn unread((api, kind): Api<'_>, served: &Served<'_>, objects: &[Seen<'_>]) -> Item {
    let head = format!("is {api} {kind} in the installed release, and the new CRD {} serves only {}", crd_name(served), only(served));
    if !served.in_crds {
        // Helm has read the installed manifest by then; a rollback would read it again.
        let what = format!("{head}: after the upgrade there is no way back to the old version");
        return item(Weight::Act, what, served, objects).next("make sure that nothing else uses the old version of the API".to_owned());
    }
    let version = api.rsplit('/').next().unwrap_or_default();
    let what = format!("{head}; Helm reads the installed manifest first and fails");
    item(Weight::Stop, what, served, objects)
        .next(format!("apply the CRD with {version} still served (served: true), upgrade, and then apply it as the chart has it"))
}
