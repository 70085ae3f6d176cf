//! Whether the target serves the APIs of both renders. Helm reads the objects of the installed manifest before it does anything, so
//! an API that only the old one uses stops it too.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use super::super::Context;
use super::super::read::{Seen, claim, is_upgrade_hook, news, olds};
pub(in crate::section) use super::kubernetes::minor;
use crate::compare::compare_crds;
use crate::compare::identity::text;
use crate::input::{Input, Rendered, Target};
use crate::summary::{Evidence, Item, Provenance, Weight};
use crate::table::apis::{SOURCE, removed, since};
use crate::table::scopes::is_builtin;

/// What is known about the APIs of the target.
struct Served<'a> {
    list: BTreeSet<&'a str>,
    /// Whether the list is one of all APIs: people give `--api-versions` with the few that a chart asks for, too.
    complete: bool,
    minor: Option<u64>,
    /// Group and version of CRDs of either render.
    custom: BTreeSet<String>,
}

impl<'a> Served<'a> {
    fn of(input: &'a Input) -> Self {
        let list: BTreeSet<&str> = input.target.api_versions.iter().map(String::as_str).collect();
        let complete = list.contains("v1") && list.contains("apps/v1");
        let custom =
            [&input.old, &input.new].into_iter().flat_map(|side| side.crds.iter().chain(&side.objects)).flat_map(versions_of).collect();
        Self { list, complete, minor: minor(input), custom }
    }

    /// Why the API is not served, and how that is known; `None` when it is, or when nobody can tell.
    fn missing(&self, api: &str, kind: &str) -> Option<(String, Provenance)> {
        if api.is_empty() || kind.is_empty() || self.custom.contains(api) {
            return None;
        }
        let table = |words: String| Some((words, Provenance::new(Evidence::Table, SOURCE)));
        if self.complete {
            let exact = format!("{api}/{kind}");
            let kinds_known = self.list.iter().any(|entry| entry.strip_prefix(api).is_some_and(|rest| rest.starts_with('/')));
            let there = if kinds_known { self.list.contains(exact.as_str()) } else { self.list.contains(api) };
            return (!there)
                .then(|| ("the target does not serve it".to_owned(), Provenance::new(Evidence::Render, "API list of the target")));
        }
        let group = api.rsplit_once('/').map_or("", |(group, _)| group);
        let minor = self.minor.filter(|_| is_builtin(group))?;
        match (removed(api, kind), since(api, kind)) {
            (Some(gone), _) if gone.minor <= minor => {
                table(format!("Kubernetes serves it no more from 1.{} on, and the target is 1.{minor}", gone.minor))
            }
            (_, Some(first)) if first > minor => table(format!("Kubernetes serves it from 1.{first} on, and the target is 1.{minor}")),
            _ => None,
        }
    }
}

/// `group/version` of a CRD, each that it serves.
pub(super) fn versions_of(crd: &Rendered) -> Vec<String> {
    if text(&crd.value, "kind") != "CustomResourceDefinition" {
        return Vec::new();
    }
    let spec = &crd.value["spec"];
    let group = spec["group"].as_str().unwrap_or_default();
    let listed = spec["versions"].as_array().into_iter().flatten();
    let served = listed.filter(|version| version["served"] != Value::Bool(false)).filter_map(|version| version["name"].as_str());
    served.chain(spec["version"].as_str()).map(|version| format!("{group}/{version}")).collect()
}

pub(super) fn items(context: &Context<'_>) -> Vec<Item> {
    let served = Served::of(context.input);
    let mut items = Vec::new();
    // Applying them is the first step, and fails when their own API is gone.
    let crds = compare_crds(&context.input.old, &context.input.new, &context.input.target);
    let hooks = upgrade_hooks(context);
    let coming = news(context.objects).into_iter().chain(hooks).chain(news(&crds));
    for ((api, kind), seen) in by_api(coming) {
        if let Some((why, from)) = served.missing(api, kind) {
            let mut item = claim("unserved-api", Weight::Stop, format!("is {api} {kind}, and {why}"), &seen);
            item.from = from;
            item.next =
                Some(instead(api, kind).unwrap_or_else(|| "install what brings this API first, or switch these objects off".to_owned()));
            items.push(item);
        }
    }
    for ((api, kind), seen) in installed(context, &served) {
        let Some((why, from)) = served.missing(api, kind) else { continue };
        let what = format!("is {api} {kind} in the installed release, and {why}; Helm reads the installed manifest first and fails");
        let mut item = claim("installed-unserved-api", Weight::Stop, what, &seen);
        item.from = from;
        items.push(item.next(rewrite(context.input)));
    }
    items
}

/// APIs of the installed manifest that the target does not serve.
fn installed<'c>(context: &'c Context<'_>, served: &Served<'_>) -> BTreeMap<(&'c str, &'c str), Vec<Seen<'c>>> {
    let mut apis = by_api(olds(context.objects).into_iter());
    apis.retain(|(api, kind), _| served.missing(api, kind).is_some());
    apis
}

/// Whether the release record has to be rewritten before Helm can go on.
pub(in crate::section) fn record_is_stale(context: &Context<'_>) -> bool {
    !installed(context, &Served::of(context.input)).is_empty()
}

/// The command that rewrites the release record.
pub(in crate::section) fn rewrite(input: &Input) -> String {
    let Target { release, namespace, .. } = &input.target;
    format!("helm plugin install https://github.com/helm/helm-mapkubeapis, then: helm mapkubeapis {release} --namespace {namespace}")
}

/// APIs of the new render that a later Kubernetes drops.
pub(in crate::section) fn ending<'c>(context: &'c Context<'_>) -> Vec<Item> {
    let Some(minor) = minor(context.input) else { return Vec::new() };
    let apis: BTreeMap<(&'c str, &'c str), Vec<Seen<'c>>> = by_api(news(context.objects).into_iter());
    let later = |((api, kind), seen): ((&str, &str), Vec<Seen<'_>>)| {
        let gone = removed(api, kind).filter(|gone| gone.minor > minor)?;
        let what = format!("is {api} {kind}, which Kubernetes 1.{} serves no more: upgrade this chart before the cluster", gone.minor);
        let mut item = claim("api-ends", Weight::Look, what, &seen);
        item.from = Provenance::new(Evidence::Table, SOURCE);
        Some(item)
    };
    apis.into_iter().filter_map(later).collect()
}

fn instead(api: &str, kind: &str) -> Option<String> {
    let gone = removed(api, kind)?;
    Some(if gone.instead.is_empty() {
        "nothing takes its place: switch these objects off".to_owned()
    } else {
        format!("the chart has to use {}; look for a value, or a newer chart version", gone.instead)
    })
}

fn by_api<'c>(objects: impl Iterator<Item = Seen<'c>>) -> BTreeMap<(&'c str, &'c str), Vec<Seen<'c>>> {
    let mut apis: BTreeMap<(&str, &str), Vec<Seen<'_>>> = BTreeMap::new();
    for seen in objects {
        apis.entry((text(seen.value(), "apiVersion"), seen.kind())).or_default().push(seen);
    }
    apis
}

/// Hooks that an upgrade runs.
pub(super) fn upgrade_hooks<'c>(context: &'c Context<'_>) -> impl Iterator<Item = Seen<'c>> {
    news(context.hooks).into_iter().filter(|seen| is_upgrade_hook(seen.value()))
}
