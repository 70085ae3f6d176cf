//! Objects that come, go or change and that no other part tells of; and those whose going loses something.

mod invalid;
mod used;

use std::collections::{BTreeMap, BTreeSet};

pub(super) use invalid::{is_port_name, is_refused};
pub(super) use used::needed;

use super::Context;
use super::blockers::served;
use super::read::{Seen, about, claim, count, few, finish, kept};
use crate::compare::drawn::is_of_every_upgrade;
use crate::compare::{Change, Pair, replacements};
use crate::input::RenameTrial;
use crate::summary::{Evidence, Item, ObjectRef, Provenance, Weight};

/// Fields that are named for a group of objects that change alike.
const PATHS: usize = 6;

pub(super) fn items(context: &Context<'_>) -> Vec<Item> {
    let mut items: Vec<Item> = names_change(context).into_iter().collect();
    items.extend(losses(context));
    items.extend(unkept(context));
    items.extend(used::items(context));
    items.extend(invalid::items(context));
    items.extend(served::ending(context));
    finish(items)
}

/// What is left when all other parts have told of theirs.
pub(super) fn rest(context: &Context<'_>, told: &BTreeSet<ObjectRef>) -> Vec<Item> {
    let single = |single: &'_ crate::compare::Single<'_>| !told.contains(&single.object);
    let mut items = Vec::new();
    let removed = context.objects.removed.iter().filter(|one| single(one));
    let (stay, go): (Vec<_>, Vec<_>) =
        removed.map(|one| Seen { object: &one.object, rendered: one.rendered }).partition(|seen| kept(seen.value()));
    items.extend(by_kind("object-kept", Weight::Know, "no more part of the chart, and kept in the cluster", stay));
    items.extend(by_kind("object-removed", Weight::Know, "gone", go));
    let added = context.objects.added.iter().filter(|one| single(one)).map(|one| Seen { object: &one.object, rendered: one.rendered });
    items.extend(by_kind("object-added", Weight::Know, "new", added.collect()));
    items.extend(changed(context, told));
    finish(items)
}

fn by_kind(code: &str, weight: Weight, what: &str, objects: Vec<Seen<'_>>) -> Vec<Item> {
    let mut kinds: BTreeMap<&str, Vec<Seen<'_>>> = BTreeMap::new();
    for seen in objects {
        kinds.entry(seen.kind()).or_default().push(seen);
    }
    kinds
        .into_iter()
        .map(|(kind, seen)| {
            let words =
                if seen.len() == 1 { format!("is {what}") } else { format!("{} are {what}", count(seen.len(), kind, &plural(kind))) };
            claim(code, weight, words, &seen)
        })
        .collect()
}

/// Changed objects: those of one kind that change in the same fields together, and all that change in nothing but their labels.
fn changed(context: &Context<'_>, told: &BTreeSet<ObjectRef>) -> Vec<Item> {
    let pairs = context.objects.pairs.iter().filter(|pair| substance(pair).next().is_some() && !told.contains(&pair.object));
    let (outside, inside): (Vec<&Pair<'_>>, Vec<&Pair<'_>>) = pairs.partition(|pair| substance(pair).all(is_metadata));
    let mut groups: BTreeMap<(&str, Vec<String>), Vec<&Pair<'_>>> = BTreeMap::new();
    for pair in inside {
        let fields = paths(std::iter::once(pair), |change| !is_metadata(change));
        groups.entry((pair.object.kind.as_str(), fields)).or_default().push(pair);
    }
    let mut items: Vec<Item> = groups.into_iter().map(|((kind, fields), pairs)| content(kind, &fields, &pairs)).collect();
    if !outside.is_empty() {
        let fields = paths(outside.iter().copied(), |_| true);
        let few = few(&fields, PATHS);
        let words = match outside.len() {
            1 => format!("changes in labels or annotations only: {few}"),
            n => format!("{n} objects change in labels or annotations only: {few}"),
        };
        items.push(claim("metadata-changed", Weight::Know, words, &seen(&outside)));
    }
    items
}

/// Changes between the versions.
fn substance<'c>(pair: &'c Pair<'_>) -> impl Iterator<Item = &'c Change> {
    pair.changes.iter().filter(|change| !is_of_every_upgrade(change))
}

fn is_metadata(change: &Change) -> bool {
    change.under(&["metadata"])
}

fn seen<'c>(pairs: &[&'c Pair<'_>]) -> Vec<Seen<'c>> {
    pairs.iter().map(|pair| Seen { object: &pair.object, rendered: pair.new }).collect()
}

fn paths<'c>(pairs: impl Iterator<Item = &'c Pair<'c>>, wanted: impl Fn(&Change) -> bool) -> Vec<String> {
    let paths: BTreeSet<String> = pairs.flat_map(substance).filter(|change| wanted(change)).map(Change::path_text).collect();
    paths.into_iter().collect()
}

fn content(kind: &str, fields: &[String], pairs: &[&Pair<'_>]) -> Item {
    let few = few(fields, PATHS);
    let words = match pairs.len() {
        1 => format!("changes: {few}"),
        n => format!("{} change: {few}", count(n, kind, &plural(kind))),
    };
    let mut item = claim("object-changed", Weight::Know, words, &seen(pairs));
    if let [pair] = pairs
        && let [only] = substance(pair).collect::<Vec<_>>().as_slice()
        // Both are masked alike when they are secret.
        && only.before != only.after
    {
        item = item.field(only.path_text(), only.before.clone(), only.after.clone());
    }
    item
}

fn plural(kind: &str) -> String {
    if let Some(stem) = kind.strip_suffix('y') {
        format!("{stem}ies")
    } else if kind.ends_with('s') || kind.ends_with("ss") {
        format!("{kind}es")
    } else {
        format!("{kind}s")
    }
}

/// Objects whose deletion takes more with it than themselves.
fn losses(context: &Context<'_>) -> Vec<Item> {
    let loss = |one: &'_ crate::compare::Single<'_>| {
        let seen = Seen { object: &one.object, rendered: one.rendered };
        let what = match seen.kind() {
            "Namespace" => "goes, and with it everything in that namespace",
            "PersistentVolume" => "goes; what lies on it may be lost",
            _ => return None,
        };
        if kept(seen.value()) {
            return None;
        }
        // Helm looks at the object in the cluster before it deletes it.
        let kind = if seen.kind() == "Namespace" { "namespace" } else { "pv" };
        let keep = format!("keep it first: kubectl annotate {kind} {} helm.sh/resource-policy=keep", seen.object.name);
        Some(claim("object-loss", Weight::Act, what, &[seen]).next(keep))
    };
    context.objects.removed.iter().filter_map(loss).collect()
}

/// Objects that Helm would have left in the cluster, and will delete from now on.
fn unkept(context: &Context<'_>) -> Vec<Item> {
    let lost = context.objects.pairs.iter().filter(|pair| kept(&pair.old.value) && !kept(&pair.new.value));
    let what = "is no longer marked to be kept: an uninstall deletes it from now on, and so does a later version without it";
    lost.map(|pair| claim("keep-lost", Weight::Look, what, &seen(&[pair]))).collect()
}

/// Many objects that go while as many alike come under other names.
fn names_change(context: &Context<'_>) -> Option<Item> {
    let solved = |trial: &RenameTrial| trial.replaced_with * 2 <= trial.replaced_without;
    if context.input.rename.as_ref().is_some_and(solved) {
        return None;
    }
    let replaced = replacements(context.objects);
    // A few renamed objects are a change of the chart; a third of them is a change of its name.
    let total = context.objects.removed.len() + context.objects.pairs.len();
    if replaced.len() < 3 || replaced.len() * 3 < total {
        return None;
    }
    let what = format!(
        "{} of {} go while others of the same content come under another name: Services and pods are gone for a while, and data on volumes stays \
         behind under the old names",
        replaced.len(),
        count(total, "object", "objects"),
    );
    let mut item =
        Item::new("names-change", Weight::Act, what, Provenance::new(Evidence::Inferred, "content of the objects that go and come"));
    about(&mut item, replaced.iter().map(|(gone, _)| (*gone).clone()).collect());
    item = item.detail(replaced.iter().take(20).map(|(gone, come)| format!("{gone} becomes {}", come.object.name)).collect());
    // Values that might keep the names were tried before this, and a step says so where one does.
    Some(item.next("look in the new values.yaml for what names them; else save what lies on their volumes before the upgrade"))
}

#[cfg(test)]
mod tests {
    use super::super::testing::{input, page, says};
    use super::*;
    use crate::input::RandomField;
    use crate::summarise;
    use crate::summary::{SectionId, Summary};

    fn map(name: &str, rest: &str) -> String {
        format!("apiVersion: v1\nkind: ConfigMap\nmetadata: {{name: {name}}}\n{rest}")
    }

    fn objects(summary: &Summary) -> String {
        summary.sections.iter().filter(|section| section.id == SectionId::Objects).map(|section| page(&section.items)).collect()
    }

    #[test]
    fn what_nobody_else_tells_of() {
        let old = [map("a", "data: {k: '1'}"), map("b", "data: {k: '1'}"), map("c", ""), map("e", "")].join("\n---\n");
        let account = "apiVersion: v1\nkind: ServiceAccount\nmetadata: {name: s, annotations: {a: b}}";
        let old = format!("{old}\n---\n{}", account.replace("a: b", "a: c"));
        let new = [map("a", "data: {k: '2'}"), map("b", "data: {k: '2'}"), map("d", "data: {z: z}"), map("e", ""), account.to_owned()]
            .join("\n---\n");
        let page = objects(&summarise(&input(&old, &new)));
        for line in [
            "know object-removed ConfigMap/ns/c: is gone",
            "know object-added ConfigMap/ns/d: is new",
            "know object-changed ConfigMap/ns/a +1: 2 ConfigMaps change: data.k",
            "know metadata-changed ServiceAccount/ns/s: changes in labels or annotations only: metadata.annotations.a",
        ] {
            assert!(page.contains(line), "{page}");
        }
    }

    #[test]
    fn what_differs_beside_a_random_name() {
        let mut input = input(&map("c-(random)", "data: {a: '1'}"), &map("c-(random)", "data: {a: '2'}"));
        for side in [&mut input.old, &mut input.new] {
            side.random = vec![RandomField { object: "ConfigMap/ns/c-(random)".to_owned(), path: "metadata.name".to_owned() }];
        }
        let page = objects(&summarise(&input));
        assert!(page.contains("object-each-time ConfigMap/ns/c-(random): has another name"), "{page}");
        assert!(page.contains("know object-changed ConfigMap/ns/c-(random): changes: data.a\n"), "{page}");
        input.new.objects = input.old.objects.clone();
        assert_eq!(objects(&summarise(&input)).lines().count(), 1, "{page}");
    }

    #[test]
    fn what_takes_more_with_it() {
        let space = "apiVersion: v1\nkind: Namespace\nmetadata: {name: spare}";
        let said = says(items, space, "");
        assert!(said.starts_with("ACT object-loss Namespace/spare: goes, and with it everything"), "{said}");
        assert!(said.contains("-> keep it first: kubectl annotate namespace spare helm.sh/resource-policy=keep"), "{said}");
        let crd = "apiVersion: apiextensions.k8s.io/v1\nkind: CustomResourceDefinition\nmetadata: {name: a.b}\nspec: {group: b}";
        assert_eq!(says(items, crd, ""), "", "told among the CRDs");
        let kept = "apiVersion: v1\nkind: Namespace\nmetadata: {name: spare, annotations: {helm.sh/resource-policy: keep}}";
        assert_eq!(says(items, kept, ""), "");
        assert!(objects(&summarise(&input(kept, ""))).contains("object-kept Namespace/spare: is no more part of the chart"));
    }

    #[test]
    fn what_is_kept_no_more() {
        let claim = "apiVersion: v1\nkind: PersistentVolumeClaim\nmetadata: {name: p, annotations: {helm.sh/resource-policy: keep}}";
        let bare = claim.replace(", annotations: {helm.sh/resource-policy: keep}", "");
        let said = says(items, claim, &bare);
        assert!(said.starts_with("look keep-lost PersistentVolumeClaim/ns/p: is no longer marked to be kept"), "{said}");
        assert_eq!(says(items, &bare, claim), "");
    }

    #[test]
    fn many_that_change_their_name() {
        let all =
            |prefix: &str| (0..4).map(|n| map(&format!("{prefix}-{n}"), &format!("data: {{k{n}: v}}"))).collect::<Vec<_>>().join("\n---\n");
        let mut input = input(&all("rel-old"), &all("rel-new"));
        input.target.release = "rel".to_owned();
        let page = objects(&summarise(&input));
        assert!(page.starts_with("ACT names-change ConfigMap/ns/rel-old-0 +3: 4 of 4 objects go"), "{page}");
        assert!(page.contains("-> look in the new values.yaml"), "what does not keep them is no advice: {page}");
        input.rename = Some(RenameTrial { set: Vec::new(), replaced_without: 4, replaced_with: 0 });
        assert!(!objects(&summarise(&input)).contains("names-change"));
    }

    #[test]
    fn an_api_that_ends() {
        let budget = "apiVersion: policy/v1beta1\nkind: PodDisruptionBudget\nmetadata: {name: b}";
        let mut input = input(budget, budget);
        input.target.kube_version = Some("v1.24.0".to_owned());
        assert!(
            objects(&summarise(&input))
                .contains("look api-ends PodDisruptionBudget/ns/b: is policy/v1beta1 PodDisruptionBudget, which Kubernetes 1.25")
        );
    }
}
