//! How far back one can go, and what that takes.

use super::cluster::ClusterUpgrade;
use super::graph::{Chores, Graph, Stand};
use super::kubernetes::Minors;
use super::route::{Reason, denied};
use super::rule::{Object, Rule, Step};

/// How an older version comes back without its revision.
const AN_UPGRADE: &str = "`helm upgrade`, where that version's chart can write APIs that the cluster still serves";

/// The oldest version that one can go back to from a node, and the rules that forbid the one before it. A way back is one rollback to
/// any version that was stood on, so the rules are asked of each of them, and whether it bears what the cluster runs by now. What
/// was lost once stays lost. `runs` is what the cluster runs now.
pub(crate) fn way_back(graph: &Graph<'_>, stood: &[usize], limit: usize, node: usize, runs: Minors) -> (usize, Vec<Reason>) {
    let forbids = |from: usize| -> Vec<Reason> {
        let lost = |(_, rule): (usize, &Rule)| Some(Reason::new(rule, rule.no_way_back.as_ref()?));
        let outgrown = graph.kubernetes_rules(from).into_iter().filter(|(_, bears)| bears.and(runs) != runs);
        let outgrown = outgrown.map(|(rule, _)| Reason::from(rule));
        graph.crossed(from, node).filter_map(lost).chain(outgrown).collect()
    };
    match stood.iter().rposition(|from| *from >= limit && !forbids(*from).is_empty()) {
        Some(last) => (stood.get(last + 1).copied().unwrap_or(node), forbids(stood[last])),
        None => (limit, Vec::new()),
    }
}

/// What going back over a hop takes beside the rollback itself.
pub(crate) fn going_back(chores: &Chores<'_>, hop: (&Stand, &Stand)) -> Vec<String> {
    let steps = || chores.before.iter().chain(&chores.after).map(|(step, _)| *step);
    // The selector that stood in the way of the new version stands in the way of the old one.
    let again = |step: &Step| match (kept(step), step) {
        (Some(object), _) => {
            format!("leave {object} as it is, for nobody makes anew what it holds: a plain `helm rollback` may meet the same field")
        }
        (None, Step::ChartDiff(claim)) => format!("a plain `helm rollback` meets the same field, so once more: {}", claim.words),
        (None, step) => format!("{} once more: a plain `helm rollback` meets the same field", step.words(&hop.1.version)),
    };
    // What the renders do not bear out stands in nobody's way.
    let meets = |(step, rules): &&(&Step, Vec<&Rule>)| recreates(step) && (kept(step).is_some() || denied(step, rules, hop).is_none());
    // What is cleaned up after the upgrade stood in its way no more.
    let mut words: Vec<String> = chores.before.iter().filter(meets).map(|(step, _)| again(step)).collect();
    let rewritten = |step: &Step| matches!(step, Step::ChartDiff(claim) if claim.code == "rewrite-record");
    if steps().any(rewritten) {
        words.push(format!(
            "`helm rollback` can take the revision that rewriting the record made, and none before it: those have what the cluster serves \
             no more, and come back only with {AN_UPGRADE}"
        ));
    }
    let keys: Vec<&str> = steps().filter_map(key).collect();
    if !keys.is_empty() {
        let keys = keys.join(", ");
        words.push(format!("take the values back, too, which `helm rollback` does by itself and an upgrade does not: {keys}"));
    }
    words
}

/// What is left of the revisions from before an upgrade of the cluster.
pub(crate) fn further_back(upgrade: &ClusterUpgrade) -> Option<String> {
    let stop = upgrade.stops.iter().rev().find(|stop| stop.certain && !stop.removed.is_empty())?;
    Some(format!(
        "further back than {} only with {AN_UPGRADE}: `helm rollback` would take a manifest that may have what Kubernetes {} \
         serves no more",
        upgrade.at, stop.before
    ))
}

/// What the hops before this one add, since a way back is one rollback over all of them; `told` has where each begins that says what it
/// takes, and its number.
pub(crate) fn over_hops(told: &[(usize, usize)], back: usize, to: &Stand) -> Option<String> {
    let over: Vec<String> = told.iter().filter(|(from, _)| *from >= back).map(|(_, number)| number.to_string()).collect();
    let (last, first) = over.split_last()?;
    let hops = if first.is_empty() { format!("hop {last}") } else { format!("hops {} and {last}", first.join(", ")) };
    Some(format!("all the way to {to} goes over {hops}, too, and takes what is said there of the way back"))
}

fn recreates(step: &Step) -> bool {
    match step {
        Step::DeleteOrphan(_) | Step::DeleteObject(_) => true,
        Step::ChartDiff(claim) => claim.recreates(),
        _ => false,
    }
}

/// What a step deletes and nobody gets back: a way back never asks for that, even where a rule of the way there does.
fn kept(step: &Step) -> Option<&Object> {
    match step {
        Step::DeleteOrphan(object) | Step::DeleteObject(object) => Some(object).filter(|object| object.holds_data()),
        Step::ChartDiff(claim) => claim.objects.iter().find(|object| object.holds_data()),
        _ => None,
    }
}

/// The key that had another value or name before.
fn key(step: &Step) -> Option<&str> {
    match step {
        Step::RenameValue { from: path, .. } | Step::SetValue { path, .. } | Step::RemoveValue { path } => Some(path),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::super::diffed::DiffClaim;
    use super::*;
    use crate::constraint::Version;

    #[test]
    fn nobody_is_told_to_delete_what_holds_data() {
        let target = Stand { chart: "beacon".to_owned(), version: Version::parse("2.0.0").unwrap() };
        let object = |kind: &str| Object { kind: kind.to_owned(), name: Some("data".to_owned()), selector: None, namespace: None };
        let diff = |kind: &str| {
            let words = format!("{kind} data: delete it before the upgrade");
            let code = "recreate".to_owned();
            Step::ChartDiff(DiffClaim { code, words, objects: vec![object(kind)], field: None, next: None, detail: Vec::new() })
        };
        for (kind, deletes) in [
            ("PersistentVolumeClaim", false),
            ("PersistentVolume", false),
            ("CustomResourceDefinition", false),
            ("pvc", false),
            ("persistentvolumeclaims", false),
            ("crds.apiextensions.k8s.io", false),
            ("sts,pvc", false),
            ("Deployment", true),
            ("VolumeAttachment", true),
        ] {
            for step in [Step::DeleteObject(object(kind)), Step::DeleteOrphan(object(kind)), diff(kind)] {
                let said = going_back(&Chores { before: vec![(&step, Vec::new())], after: Vec::new() }, (&target, &target));
                let [words] = &said[..] else { panic!("{kind}: {said:?}") };
                assert_eq!((words.contains("delete"), words.starts_with("leave ")), (deletes, !deletes), "{words}");
            }
        }
    }

    #[test]
    fn a_rewritten_record_ends_what_a_rollback_can_take() {
        let stand = |version: &str| Stand { chart: "beacon".to_owned(), version: Version::parse(version).unwrap() };
        let (from, to) = (stand("1.0.0"), stand("2.0.0"));
        let (code, words) = ("rewrite-record".to_owned(), "Rewrite the record".to_owned());
        let step = Step::ChartDiff(DiffClaim { code, words, objects: Vec::new(), field: None, next: None, detail: Vec::new() });
        let said = going_back(&Chores { before: vec![(&step, Vec::new())], after: Vec::new() }, (&from, &to));
        assert!(matches!(&said[..], [words] if words.contains("and none before it")), "{said:?}");
        assert_eq!(going_back(&Chores::default(), (&from, &to)), Vec::<String>::new());
    }

    #[test]
    fn what_is_cleaned_up_afterwards_is_not_in_the_way() {
        let stand = Stand { chart: "beacon".to_owned(), version: Version::parse("2.0.0").unwrap() };
        let step = Step::DeleteObject(Object { kind: "Deployment".into(), name: Some("x".into()), selector: None, namespace: None });
        let said = |chores: Chores<'_>| going_back(&chores, (&stand, &stand)).len();
        assert_eq!(said(Chores { before: vec![(&step, Vec::new())], after: Vec::new() }), 1);
        assert_eq!(said(Chores { before: Vec::new(), after: vec![(&step, Vec::new())] }), 0);
    }

    #[test]
    fn every_value_to_be_taken_back_is_named() {
        let set = |path: &str| Step::SetValue { path: path.to_owned(), value: "x".to_owned() };
        let steps = ["a", "b", "c", "d", "e"].map(set);
        let at = Stand { chart: "beacon".to_owned(), version: Version::parse("2.0.0").unwrap() };
        let before = steps.iter().map(|step| (step, Vec::new())).collect();
        let said = going_back(&Chores { before, after: Vec::new() }, (&at, &at));
        assert!(said[0].ends_with(": a, b, c, d, e"), "{said:?}");
    }
}
