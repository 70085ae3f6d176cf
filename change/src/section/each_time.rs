//! Objects with another name at each upgrade: Helm makes a new one and deletes the last, whatever is the same in them.

use super::Context;
use super::read::{Seen, claim, finish, kept};
use super::workloads::is_workload;
use crate::compare::Pair;
use crate::compare::drawn::may_look_up;
use crate::input::{RANDOM, is_drawn};
use crate::summary::{Item, Weight};

/// Code of these claims.
pub(super) const CODE: &str = "object-each-time";

/// Those that run pods, or those that do not.
pub(super) fn items(context: &Context<'_>, running: bool) -> Vec<Item> {
    let pairs = context.objects.pairs.iter().filter(|pair| is_drawn(&pair.object.name) && is_workload(&pair.object) == running);
    let lookups = &context.input.new.lookups;
    let is_kept = |pair: &Pair<'_>| pair.object.name.contains(RANDOM) && may_look_up(lookups, &pair.new.source);
    finish(pairs.map(|pair| one(Seen { object: &pair.object, rendered: pair.new }, is_kept(pair))).collect())
}

fn one(seen: Seen<'_>, looked_up: bool) -> Item {
    if looked_up {
        let what = "has a random name, unless `lookup` finds the last one in the cluster: then it may stay, else Helm makes a new one and deletes the last";
        return claim(CODE, Weight::Look, what, &[seen]);
    }
    let (weight, means) = match seen.kind() {
        "Job" => (Weight::Know, ", so that it runs each time"),
        "CronJob" => (Weight::Know, ""),
        "PersistentVolumeClaim" => (Weight::Act, ", with the data in it"),
        _ if is_workload(seen.object) => (Weight::Look, ", and its pods with it"),
        _ => (Weight::Know, ""),
    };
    let what = if kept(seen.value()) {
        "has another name at each upgrade: Helm makes a new one, and leaves the last where it is".to_owned()
    } else {
        format!("has another name at each upgrade: Helm makes a new one and deletes the last{means}")
    };
    claim(CODE, weight, what, &[seen])
}

#[cfg(test)]
mod tests {
    use super::super::testing::{input, page, run};
    use super::*;
    use crate::input::{Input, RandomField};
    use crate::overrides::object_ref;

    /// The same render on both sides (or another image on the new one), with all objects among those that have random fields.
    fn both(old: &str, new: &str) -> Input {
        let mut input = input(old, new);
        for side in [&mut input.old, &mut input.new] {
            let field = |name: String| RandomField { object: name, path: String::new() };
            side.random = side.objects.iter().map(|one| field(object_ref(&one.value, "ns").to_string())).collect();
        }
        input
    }

    fn all(context: &Context<'_>) -> Vec<Item> {
        use super::super::{blockers, steps, workloads};
        [blockers::items(context), steps::items(context), workloads::items(context), items(context, true), items(context, false)].concat()
    }

    fn says(old: &str, new: &str) -> String {
        page(&run(all, &both(old, new)))
    }

    fn object(kind: &str, name: &str, rest: &str) -> String {
        let api = match kind {
            "Job" => "batch/v1",
            "Deployment" => "apps/v1",
            _ => "v1",
        };
        format!("apiVersion: {api}\nkind: {kind}\nmetadata: {{name: {name}}}\n{rest}")
    }

    #[test]
    fn a_template_that_is_another_each_time_restarts_its_pods() {
        let pods = |image: u8, mark: &str| {
            let rest = format!(
                "spec: {{template: {{metadata: {{annotations: {{rollme: {mark}}}}}, spec: {{containers: [{{name: a, image: 'a:{image}', env: [{{name: X, value: (revision)}}]}}]}}}}}}"
            );
            object("Deployment", "x", &rest)
        };
        insta::assert_snapshot!(says(&pods(1, "(random)"), &pods(1, "(random)")), @r"
        know pods-restart Deployment/ns/x: its pods restart on every upgrade: environment of a (X) and annotation rollme (another each time)
            spec.template.metadata.annotations.rollme: (random), changed
            spec.template.spec.containers[a].env[X].value: (revision), changed
        ");
        insta::assert_snapshot!(says(&pods(1, "(random)"), &pods(2, "(random)")), @r"
        know pods-restart Deployment/ns/x: its pods restart: image of a (1 to 2); and on every upgrade: environment of a (X) and annotation rollme (another each time)
            spec.template.spec.containers[a].image: a:1 to a:2
            spec.template.metadata.annotations.rollme: (random), changed
            spec.template.spec.containers[a].env[X].value: (revision), changed
        ");
        let unmarked = input(&pods(1, "(random)"), &pods(1, "(random)"));
        assert!(run(all, &unmarked).is_empty(), "a chart may write the word itself");
    }

    #[test]
    fn what_cannot_be_changed_fails_each_time() {
        let job = |name: &str| object("Job", name, "spec: {template: {metadata: {annotations: {a: (random)}}, spec: {containers: []}}}");
        insta::assert_snapshot!(says(&job("x"), &job("x")), @r"
        STOP immutable-field Job/ns/x: spec.template of a Job cannot be changed once it is there, and spec.template.metadata.annotations.a in it is another at each upgrade
            -> see the steps: they say what has to be done before the upgrade
        ACT recreate Job/ns/x: Delete it before the upgrade, which makes it anew: spec.template cannot be changed. The new Job runs again.
            -> kubectl delete job.batch x --namespace ns
        ");
        let secret = |more: &str| object("Secret", "x", &format!("data: {{p: (random)}}\n{more}"));
        let page = says(&secret("immutable: true"), &secret("immutable: true"));
        assert!(page.starts_with("STOP immutable-field Secret/ns/x: data of a Secret cannot be changed once it is there, and data.p in it is another at each upgrade\n"), "{page}");
        assert_eq!(says(&secret(""), &secret("")), "", "a password says nothing");
        let selector =
            object("Deployment", "x", "spec: {selector: {matchLabels: {a: (revision)}}, template: {metadata: {labels: {a: (revision)}}}}");
        assert!(says(&selector, &selector).starts_with("STOP immutable-field Deployment/ns/x: spec.selector of a Deployment cannot"));
    }

    #[test]
    fn pods_of_a_random_selector_are_adopted_by_nobody() {
        let pods = |selector: &str, labels: &str| {
            let template = format!("{{metadata: {{labels: {{{labels}}}}}}}");
            object("Deployment", "x", &format!("spec: {{selector: {{matchLabels: {{{selector}}}}}, template: {template}}}"))
        };
        let drawn = "a: b, r: (random)";
        let stop = "Its pods stop until the upgrade has made it anew: left running they would be nobody's";
        for (old, new, expected) in [
            (pods(drawn, drawn), pods(drawn, drawn), stop),
            (pods(drawn, drawn), pods("c: d", "c: d"), stop),
            (pods(drawn, drawn), pods("a: b", "a: b"), "Its pods run on and are adopted by the new one"),
            (pods("c: d", "c: d"), pods(drawn, drawn), "Its pods run on beside the new ones until the step after the upgrade"),
        ] {
            let page = says(&old, &new);
            assert!(page.contains(expected), "{old} to {new}: {page}");
            assert_eq!(page.contains("--cascade=orphan"), expected != stop, "{page}");
            assert!(!page.contains("--selector") || page.contains("--selector c=d"), "{page}");
        }
    }

    #[test]
    fn what_lookup_may_keep_is_not_said_for_sure() {
        let kept = |old: &str, new: &str, lookups: &str| {
            let mut input = both(old, new);
            for one in input.new.objects.iter_mut().chain(&mut input.old.objects) {
                one.source = "stack/charts/web/templates/x.yaml".to_owned();
            }
            input.new.lookups = vec![lookups.to_owned()];
            page(&run(all, &input))
        };
        let pods = |image: u8, mark: &str| {
            let template = format!(
                "{{metadata: {{annotations: {{checksum/secret: {mark}}}}}, spec: {{containers: [{{name: a, image: 'a:{image}'}}]}}}}"
            );
            object("Deployment", "x", &format!("spec: {{template: {template}}}"))
        };
        let drawn = pods(1, "(random)");
        for chart in ["stack/charts/web", "stack", "stack/charts/web/charts/common"] {
            let said = kept(&drawn, &drawn, chart);
            assert!(said.contains("pods-may-restart") && said.contains("unless `lookup` finds the last one"), "{said}");
        }
        assert!(
            kept(&drawn, &drawn, "stack/charts/website").contains("know pods-restart Deployment/ns/x: its pods restart on every upgrade")
        );
        let revision = pods(1, "(revision)");
        assert!(kept(&revision, &revision, "stack").contains("know pods-restart"), "the revision is not looked up");
        assert!(
            kept(&drawn, &pods(2, "(random)"), "stack")
                .contains("know pods-restart Deployment/ns/x: its pods restart: image of a (1 to 2)")
        );
        let claim = object("PersistentVolumeClaim", "c-(random)", "spec: {}");
        assert!(
            kept(&claim, &claim, "stack")
                .starts_with("look object-each-time PersistentVolumeClaim/ns/c-(random): has a random name, unless")
        );
        let job = object("Job", "x", "spec: {template: {metadata: {annotations: {a: (random)}}, spec: {containers: []}}}");
        let said = kept(&job, &job, "stack");
        assert!(
            said.starts_with("STOP immutable-field Job/ns/x: spec.template of a Job cannot be changed once it is there, and"),
            "{said}"
        );
        assert!(said.contains("in it is random: `lookup` may keep it at some upgrades") && said.contains("ACT recreate"), "{said}");
        let secret = object("Secret", "x", "immutable: true\ndata: {p: (random)}");
        let said = kept(&secret, &secret, "stack");
        assert!(
            said.starts_with("ACT immutable-field Secret/ns/x: data cannot be changed, and is random unless") && !said.contains("recreate"),
            "{said}"
        );
    }

    #[test]
    fn another_name_is_another_object() {
        let job = |name: &str, image: u8| {
            object("Job", name, &format!("spec: {{template: {{spec: {{containers: [{{name: a, image: 'a:{image}'}}]}}}}}}"))
        };
        let line = "know object-each-time Job/ns/mig-(revision): has another name at each upgrade: Helm makes a new one and deletes the last, so that it runs each time\n";
        assert_eq!(says(&job("mig-(revision)", 1), &job("mig-(revision)", 2)), line);
        assert_eq!(says(&job("mig-(revision)", 1), &job("mig-(revision)", 1)), line);
        let map = object("ConfigMap", "c-(random)", "immutable: true\ndata: {a: (random)}");
        assert!(says(&map, &map).starts_with("know object-each-time ConfigMap/ns/c-(random): has another name"));
        let claim = object("PersistentVolumeClaim", "c-(random)", "spec: {}");
        assert!(says(&claim, &claim).starts_with("ACT object-each-time") && says(&claim, &claim).contains("with the data in it"));
        let two = [job("mig-(random)", 1), job("mig-(random)", 2)].join("\n---\n");
        let said = says(&two, &two);
        assert!(said.starts_with("know object-each-time Job/ns/mig-(random) +1: has another name") && said.lines().count() == 1, "{said}");
    }
}
