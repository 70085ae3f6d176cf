//! Objects of an API that only a CRD of the new version brings. An upgrade leaves `crds/` alone, and Helm asks the cluster for every kind
//! before it changes anything, runs a hook, or makes a CRD of a template.

use std::collections::{BTreeMap, BTreeSet};

use super::super::Context;
use super::super::read::{Seen, claim, news, olds};
use super::served::{upgrade_hooks, versions_of};
use crate::compare::identity::text;
use crate::input::Rendered;
use crate::summary::{Evidence, Item, Provenance, Weight};

/// `group/version`, and kind.
type Api = (String, String);

pub(super) fn items(context: &Context<'_>) -> Vec<Item> {
    let input = context.input;
    let of = |crds: &'_ [Rendered]| -> BTreeSet<Api> { crds.iter().flat_map(apis).collect() };
    let folder = of(&input.new.crds);
    let made = input.new.crds.iter().chain(&input.new.objects).chain(&input.new.hooks);
    let brought: BTreeMap<Api, &Rendered> = made.flat_map(|crd| apis(crd).into_iter().map(move |api| (api, crd))).collect();
    if brought.is_empty() {
        return Vec::new();
    }
    let was: BTreeSet<Api> = [&input.old.crds, &input.old.objects, &input.old.hooks].into_iter().flat_map(|crds| of(crds)).collect();
    let installed: BTreeSet<Api> = olds(context.objects).iter().map(api_of).collect();
    let served = |(api, kind): &Api| {
        let listed = |entry: &str| input.target.api_versions.iter().any(|one| one == entry);
        listed(api) || listed(&format!("{api}/{kind}"))
    };
    let mut lacking: BTreeMap<Api, Vec<Seen<'_>>> = BTreeMap::new();
    for seen in news(context.objects).into_iter().chain(upgrade_hooks(context)) {
        let api = api_of(&seen);
        if brought.contains_key(&api) && !was.contains(&api) && !installed.contains(&api) && !served(&api) {
            lacking.entry(api).or_default().push(seen);
        }
    }
    let item = |((api, kind), seen): (Api, Vec<Seen<'_>>)| {
        let is_applied_first = folder.contains(&(api.clone(), kind.clone()));
        let mut item = if is_applied_first {
            let what =
                format!("is {api} {kind}, and an upgrade does not apply the CRD that brings it: Helm does not find the kind and fails");
            claim("crd-not-applied", Weight::Stop, what, &seen).next("apply the CRDs first: see the steps")
        } else {
            let what = format!(
                "is {api} {kind}, and the same upgrade makes the CRD that brings it: Helm looks for the kind before it makes anything, and fails unless the cluster has it already"
            );
            claim("crd-too-late", Weight::Stop, what, &seen)
                .next("upgrade once with these objects switched off by your values, then with them; or give --api-versions or --cluster if the cluster has the kind")
        };
        let source = brought.get(&(api, kind)).map(|crd| crd.source.clone()).unwrap_or_default();
        item.from = Provenance::new(Evidence::CrdSchema, source);
        item
    };
    lacking.into_iter().map(item).collect()
}

fn apis(crd: &Rendered) -> Vec<Api> {
    let kind = crd.value["spec"]["names"]["kind"].as_str().unwrap_or_default();
    versions_of(crd).into_iter().map(|api| (api, kind.to_owned())).collect()
}

fn api_of(seen: &Seen<'_>) -> Api {
    (text(seen.value(), "apiVersion").to_owned(), seen.kind().to_owned())
}
