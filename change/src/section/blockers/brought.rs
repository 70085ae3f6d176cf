//! Objects of an API that only a CRD in `crds/` of the new version brings. An upgrade leaves `crds/` alone, and Helm asks the cluster for
//! every kind before it changes anything.

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
    let brought: BTreeMap<Api, &Rendered> =
        input.new.crds.iter().flat_map(|crd| apis(crd).into_iter().map(move |api| (api, crd))).collect();
    if brought.is_empty() {
        return Vec::new();
    }
    let was: BTreeSet<Api> = input.old.crds.iter().chain(&input.old.objects).flat_map(apis).collect();
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
        let what = format!("is {api} {kind}, and an upgrade does not apply the CRD that brings it: Helm does not find the kind and fails");
        let mut item = claim("crd-not-applied", Weight::Stop, what, &seen).next("apply the CRDs first: see the steps");
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
