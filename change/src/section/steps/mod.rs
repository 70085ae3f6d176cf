//! What has to be done beside the upgrade, in the order in which it is done.

mod recreate;
#[cfg(test)]
mod tests;

use super::Context;
use super::blockers::{fixed, served};
use super::crds::{self, Migrated};
use super::read::{about, count, few, finish};
use crate::compare::compare_crds;
use crate::input::{Chart, ChartSource, Input, OverrideClass, RenameTrial, Rendered, Target};
use crate::summary::{Evidence, Item, ObjectRef, Provenance, Weight};

pub(super) fn items(context: &Context<'_>) -> Vec<Item> {
    let input = context.input;
    let mut before: Vec<Item> = input.rename.iter().filter_map(keep_names).collect();
    before.extend(values_to_move(input));
    before.extend(rewrite_record(context));
    before.extend(adopt_crds(context));
    before.extend(crds::migrated(context).into_iter().map(|one| migrate_stored(&one)));
    before.extend(apply_crds(input));
    let mut after = Vec::new();
    for stuck in fixed::stuck(context).iter().filter(|stuck| stuck.can_be_made_anew()) {
        let steps = recreate::steps(stuck);
        before.extend(steps.before);
        after.extend(steps.after);
    }
    before.extend(after);
    finish(before)
}

fn step(code: &str, what: impl Into<String>, from: Provenance) -> Item {
    Item::new(code, Weight::Act, what, from)
}

/// Values that keep the names of the old release, where rendering has shown that they do.
fn keep_names(trial: &RenameTrial) -> Option<Item> {
    // A trial that saves less than half is no answer to "everything is replaced".
    if trial.replaced_with * 2 > trial.replaced_without {
        return None;
    }
    let set: Vec<String> = trial.set.iter().map(|(key, value)| format!("{key}={value}")).collect();
    let kept = trial.replaced_without - trial.replaced_with;
    let what = format!(
        "Set {}: {kept} of {} that change their name keep it. Without it Helm removes them and makes others: Services and pods are \
         gone for a while, and what lies on their volumes stays behind under the old names.",
        set.join(" "),
        count(trial.replaced_without, "object", "objects"),
    );
    let from = Provenance::new(Evidence::Tried, "the new version, rendered with these values");
    Some(step("keep-names", what, from).next(format!("add to your values: {}", set.join(", "))))
}

fn values_to_move(input: &Input) -> Vec<Item> {
    let moved = input.overrides.iter().flatten().filter_map(|verdict| match &verdict.class {
        OverrideClass::Gone { moved_to: Some(to), because } => Some((verdict, to, because)),
        _ => None,
    });
    moved
        .map(|(verdict, to, because)| {
            let document = if verdict.document.is_empty() { "your values" } else { verdict.document.as_str() };
            let mut item =
                step("move-value", format!("In {document}, move {} to {to}.", verdict.path), Provenance::new(Evidence::Tried, document));
            item.path = Some(verdict.path.clone());
            item.detail(vec![because.clone()])
        })
        .collect()
}

fn rewrite_record(context: &Context<'_>) -> Option<Item> {
    if !served::record_is_stale(context) {
        return None;
    }
    let what = "Rewrite the release record: the installed manifest names APIs that the target serves no more.";
    Some(step("rewrite-record", what, Provenance::new(Evidence::Render, "the old version")).next(served::rewrite(context.input)))
}

/// A version that goes while objects may be stored in it.
fn migrate_stored(one: &Migrated<'_>) -> Item {
    let Migrated { object, new, from, to } = one;
    let what = format!(
        "Store the objects of {} as {to}: {from} goes, and Kubernetes refuses that while status.storedVersions names it. Apply the new CRD \
         with {from} added to its versions (served: true, storage: false), then run the commands.",
        object.name
    );
    let name = recreate::word(&object.name);
    let status = recreate::word(&format!(r#"{{"status":{{"storedVersions":["{to}"]}}}}"#));
    let commands = format!(
        "kubectl get {name} --all-namespaces -o json | kubectl replace -f - && \
         kubectl patch crd {name} --subresource=status --type=merge -p {status}"
    );
    let first = format!("where the installed release holds objects as {from}, upgrade before {from} is taken out: helm reads them");
    let from = Provenance::new(Evidence::CrdSchema, &new.source);
    step("migrate-stored", what, from)
        .about(object.clone())
        .detail(vec![first, "where there are no objects, the second command is enough".to_owned()])
        .next(commands)
}

/// CRDs that become templates: Helm imports what carries its label and the annotations of the release, and nothing else.
fn adopt_crds(context: &Context<'_>) -> Vec<Item> {
    let Target { release, namespace, .. } = &context.input.target;
    let adopt = |(object, new): (ObjectRef, &Rendered)| {
        let name = recreate::word(&object.name);
        let marks = [format!("meta.helm.sh/release-name={release}"), format!("meta.helm.sh/release-namespace={namespace}")];
        let commands = format!(
            "kubectl label crd {name} app.kubernetes.io/managed-by=Helm --overwrite && kubectl annotate crd {name} {} {} --overwrite",
            recreate::word(&marks[0]),
            recreate::word(&marks[1]),
        );
        let what = format!("Mark CRD {} as part of the release: it was in crds/, and the templates make it from now on.", object.name);
        step("adopt-crd", what, Provenance::new(Evidence::Render, &new.source)).about(object).next(commands)
    };
    crds::adopted(context).into_iter().map(adopt).collect()
}

/// Helm makes the CRDs of `crds/` on the first install and never touches them again.
fn apply_crds(input: &Input) -> Option<Item> {
    let comparison = compare_crds(&input.old, &input.new, &input.target);
    let new: Vec<&ObjectRef> = comparison.added.iter().map(|single| &single.object).collect();
    let changed: Vec<&ObjectRef> = comparison.pairs.iter().filter(|pair| pair.changed()).map(|pair| &pair.object).collect();
    let all: Vec<ObjectRef> = new.iter().chain(&changed).map(|object| (*object).clone()).collect();
    if all.is_empty() {
        return None;
    }
    let parts: Vec<String> = [(new.len(), "new"), (changed.len(), "changed")]
        .into_iter()
        .filter(|(n, _)| *n > 0)
        .map(|(n, word)| format!("{n} {word}"))
        .collect();
    let what = format!(
        "Apply {} of the new version first ({}): helm upgrade leaves them as they are.",
        count(all.len(), "CRD", "CRDs"),
        parts.join(", ")
    );
    let source = comparison.added.first().map(|single| &single.rendered.source);
    let source = source.or_else(|| comparison.pairs.iter().find(|pair| pair.changed()).map(|pair| &pair.new.source));
    let mut item = step("apply-crds", what, Provenance::new(Evidence::Render, source.cloned().unwrap_or_default()));
    about(&mut item, all);
    let names: Vec<&str> = new.iter().map(|object| object.name.as_str()).collect();
    let mut lines = vec!["a rollout of Groundswell does this itself, before each upgrade".to_owned()];
    if !names.is_empty() {
        lines.push(format!("new: {}", few(&names, 8)));
    }
    let crds = format!("helm show crds {} | kubectl apply --server-side --force-conflicts -f -", named(&input.new.chart));
    Some(item.detail(lines).next(crds))
}

/// The chart as helm takes it on a command line.
fn named(chart: &Chart) -> String {
    let by_version = |name: &str| format!("{} --version {}", recreate::word(name), recreate::word(&chart.version));
    match &chart.from {
        // A digest cannot be given beside a version.
        Some(ChartSource::Oci(oci)) if oci.contains('@') => recreate::word(oci),
        Some(ChartSource::Oci(oci)) => by_version(oci),
        Some(ChartSource::Path(path)) => recreate::path(path),
        Some(ChartSource::Url(url)) => recreate::word(url),
        Some(ChartSource::Repository { url, name }) => format!("{} --repo {}", by_version(name), recreate::word(url)),
        None => by_version(&chart.name),
    }
}
