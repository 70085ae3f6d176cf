//! Reads from a comparison of two rendered versions what it proves about rules.

use serde_json::Value;

use super::diffed::{Diffed, about, section};
use super::evidence::{Evidence, Labels, Seen, crosses, is};
use super::graph::Stand;
use super::kubernetes::Minors;
use super::rule::{Object, Rule, Step, takes};
use super::set::RuleSet;
use crate::compare::replaced_count;
use crate::constraint::Constraint;
use crate::input::{Input, Rendered, Side};
use crate::summary::{SectionId, Summary, Weight};
use std::collections::BTreeSet;

/// What the comparison of two versions shows, and which rules it bears out or contradicts. `source` says what was rendered.
#[must_use]
pub fn seen(set: &RuleSet, from: &Stand, to: &Stand, input: &Input, summary: &Summary, source: &str) -> Vec<Evidence> {
    let diffed = Diffed::read(summary, &input.target.namespace);
    let mut all: Vec<Seen> = immutable(&diffed, &input.old.objects);
    all.extend(diffed.steps.iter().map(|claim| Seen::Asks(Box::new(claim.clone()))));
    all.extend(lost_fields(summary));
    all.extend((!diffed.crds.is_empty()).then(|| Seen::CrdChanged { crds: diffed.crds.clone() }));
    all.extend(replaced(input));
    // That a rule knows where the way begins needs no proof.
    all.extend(kubernetes(set, from, &input.old).filter(|seen| matches!(seen, Seen::KubeVersion { .. })));
    all.extend(kubernetes(set, to, &input.new));
    all.extend(diffed.blockers.iter().map(|claim| Seen::Blocks(Box::new(claim.clone()))));
    all.extend(set.rules.iter().filter(|rule| crosses(rule, from, to)).flat_map(|rule| refuted(rule, &diffed, input)));
    let evidence = |seen| Evidence { from: from.clone(), to: to.clone(), seen, source: source.to_owned() };
    all.into_iter().map(evidence).collect()
}

fn immutable(diffed: &Diffed, old: &[Rendered]) -> Vec<Seen> {
    let seen = |stuck: &super::diffed::Stuck| Seen::ImmutableField {
        object: stuck.object.clone(),
        labels: installed(old, &stuck.object),
        fields: stuck.fields.clone(),
        before: Box::new(stuck.before.clone()),
        after: stuck.after.clone().map(Box::new),
    };
    diffed.stuck.iter().map(seen).collect()
}

/// Fields that are dropped, or refused later; what is refused in the upgrade is a blocker.
fn lost_fields(summary: &Summary) -> Vec<Seen> {
    let lost = section(summary, SectionId::Crds).filter(|item| item.code == "crd-field-used" && item.weight != Weight::Stop);
    let seen = |item: &crate::summary::Item| {
        let used_by = about(item).first().map(ToString::to_string).unwrap_or_default();
        Seen::CrdFieldRemoved { field: item.path.clone().unwrap_or_default(), used_by }
    };
    lost.map(seen).collect()
}

/// Whether so many objects get another name that it is a change of the chart's name: a third of them.
fn replaced(input: &Input) -> Option<Seen> {
    let count = replaced_count(&input.old, &input.new, &input.target);
    let keeps = input.rename.as_ref().and_then(|trial| trial.set.first()).cloned();
    (count >= 3 && count * 3 >= input.old.objects.len()).then_some(Seen::Replaced { count, keeps })
}

/// What a chart says of Kubernetes: a confirmation where a rule knows at least as much, else a rule that is missing.
fn kubernetes(set: &RuleSet, at: &Stand, side: &Side) -> Option<Seen> {
    let text = side.chart.kube_version.as_deref().filter(|text| !text.trim().is_empty())?;
    let range = Constraint::parse(text).ok()?;
    let said = Minors::taken(&range, None);
    let knows = |rule: &&Rule| {
        let needed = rule.needs_kubernetes.as_ref().map(|needed| Minors::taken(needed, None));
        rule.chart == at.chart && takes(rule.to.as_ref(), &at.version) && needed.is_some_and(|needed| needed.and(said) == needed)
    };
    match set.rules.iter().find(knows) {
        _ if said == Minors::ALL => None,
        Some(rule) => Some(Seen::Confirms { rule: rule.id.clone(), detail: format!("kubeVersion is {text}") }),
        None => Some(Seen::KubeVersion { at: at.clone(), range }),
    }
}

/// Steps of a rule of which the renders show no need. That an object is in neither of them (a component that the values switch off) says
/// nothing about the rule, and so it is with CRDs.
fn refuted(rule: &Rule, diffed: &Diffed, input: &Input) -> Vec<Seen> {
    let both = |object: &Object| has(&input.old.objects, object) && has(&input.new.objects, object);
    let stuck: Vec<(&Object, Labels)> = (diffed.stuck.iter().map(|stuck| &stuck.object))
        .chain(diffed.blockers.iter().flat_map(|claim| &claim.objects))
        .map(|object| (object, installed(&input.old.objects, object)))
        .collect();
    let needed =
        |object: &Object| stuck.iter().any(|(other, labels)| is(object, &other.kind, other.name.as_deref().unwrap_or_default(), labels));
    let needless = |step: &Step| match step {
        Step::DeleteOrphan(object) | Step::DeleteObject(object) if both(object) && !needed(object) => {
            Some(format!("no field of {object} differs that cannot be changed in place"))
        }
        Step::ApplyCrds if diffed.crds.is_empty() && same_crds(input) => Some("no CRD differs".to_owned()),
        _ => None,
    };
    let refutes = |step: &Step| Some(Seen::Refutes { rule: rule.id.clone(), step: step.clone(), detail: needless(step)? });
    rule.before.iter().filter_map(refutes).collect()
}

/// Whether both versions have CRDs, and the same ones.
fn same_crds(input: &Input) -> bool {
    let names = |crds: &[Rendered]| crds.iter().map(|crd| text(&crd.value["metadata"]["name"])).collect::<BTreeSet<_>>();
    !input.old.crds.is_empty() && names(&input.old.crds) == names(&input.new.crds)
}

fn has(objects: &[Rendered], object: &Object) -> bool {
    let meant = |value: &Value| is(object, &text(&value["kind"]), &text(&value["metadata"]["name"]), &labels(value));
    objects.iter().any(|rendered| meant(&rendered.value))
}

/// The labels of an object that is installed.
fn installed(old: &[Rendered], object: &Object) -> Labels {
    let same = |value: &&Value| value["kind"] == object.kind && value["metadata"]["name"].as_str() == object.name.as_deref();
    old.iter().map(|rendered| &rendered.value).find(same).map(labels).unwrap_or_default()
}

fn labels(value: &Value) -> Labels {
    let labels = value["metadata"]["labels"].as_object().into_iter().flatten();
    labels.map(|(key, value)| (key.clone(), text(value))).collect()
}

fn text(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::constraint::Version;
    use crate::path::{Origin, Question, apply_evidence, read, solve};
    use crate::summarise;
    use serde_json::json;

    const RULES: &str = r#"
apiVersion: groundswell.dev/v1alpha1
kind: PathRules
chart: beacon
covers: ">=1.0.0 <=3.0.0"
versions: [1.0.0, 2.0.0, 3.0.0]
rules:
- id: delete-two
  from: "<2.0.0"
  to: ">=2.0.0"
  before:
  - deleteOrphan: {kind: Deployment, name: RELEASE-agent}
  source: a test
- id: kubernetes
  to: ">=2.0.0"
  needsKubernetes: ">=1.25.0-0"
  source: a test
"#;

    fn rules() -> RuleSet {
        let mut set = RuleSet::default();
        set.add(read("rules.yaml", RULES, Origin::Operator).unwrap()).unwrap();
        set
    }

    fn stand(version: &str) -> Stand {
        Stand { chart: "beacon".to_owned(), version: Version::parse(version).unwrap() }
    }

    fn deployment(name: &str, label: &str) -> Rendered {
        let labels = json!({"app": label});
        let value = json!({
            "apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": name},
            "spec": {"selector": {"matchLabels": labels}, "template": {"metadata": {"labels": labels}}},
        });
        Rendered { source: "beacon/templates/deployment.yaml".to_owned(), value }
    }

    fn input(old: Vec<Rendered>, new: Vec<Rendered>, kube: &str) -> Input {
        let mut input = Input::default();
        input.target.namespace = "monitoring".to_owned();
        (input.old.objects, input.new.objects) = (old, new);
        input.new.chart.kube_version = Some(kube.to_owned());
        input
    }

    fn found(input: &Input) -> Vec<Seen> {
        let all = seen(&rules(), &stand("1.0.0"), &stand("2.0.0"), input, &summarise(input), "a test");
        all.into_iter().map(|evidence| evidence.seen).collect()
    }

    #[test]
    fn a_needed_deletion_confirms_and_a_needless_one_refutes() {
        let changed = input(vec![deployment("x-agent", "a")], vec![deployment("x-agent", "b")], ">=1.25.0-0");
        let seen = found(&changed);
        assert!(matches!(&seen[0], Seen::ImmutableField { object, .. } if object.kind == "Deployment"), "{seen:#?}");
        assert!(matches!(&seen[1], Seen::Confirms { rule, .. } if rule == "kubernetes"), "{seen:#?}");
        assert_eq!(seen.len(), 2, "{seen:#?}");

        let same = input(vec![deployment("x-agent", "a")], vec![deployment("x-agent", "a")], "");
        assert!(matches!(&found(&same)[..], [Seen::Refutes { rule, step: Step::DeleteOrphan(_), .. }] if rule == "delete-two"));
        // Switched off, it says nothing.
        assert_eq!(found(&input(Vec::new(), Vec::new(), "")), []);
    }

    #[test]
    fn what_no_rule_names_becomes_one() {
        let changed = input(vec![deployment("x-agent", "a")], vec![deployment("x-agent", "a")], ">=1.31.0-0");
        let evidence = seen(&rules(), &stand("1.0.0"), &stand("2.0.0"), &changed, &summarise(&changed), "a test");
        let question = Question {
            from: stand("1.0.0"),
            to_chart: None,
            to: Version::parse("2.0.0").unwrap(),
            kubernetes: Some(Version::parse("1.30.2").unwrap()),
        };
        assert!(solve(&rules(), &question).unwrap().hops[0].cluster_upgrade.is_none());
        let proved = apply_evidence(&rules(), &evidence);
        // Nothing is known to run on both sides of 1.31, and 1.0.0 runs on any.
        let route = solve(&proved, &question).unwrap();
        assert!(route.hops[0].cluster_upgrade.is_some(), "{route:#?}");
    }

    #[test]
    fn what_the_version_bears_where_the_way_begins_is_read_too() {
        let mut changed = input(Vec::new(), Vec::new(), "");
        changed.old.chart.kube_version = Some(">=1.20 <1.25".to_owned());
        let evidence = seen(&rules(), &stand("1.0.0"), &stand("2.0.0"), &changed, &summarise(&changed), "a test");
        assert_eq!(evidence[0].seen.to_string(), "kubeVersion of beacon 1.0.0 is >=1.20 <1.25");
        let mut set = apply_evidence(&rules(), &evidence);
        let question = |kubernetes: &str| Question {
            from: stand("1.0.0"),
            to_chart: None,
            to: Version::parse("2.0.0").unwrap(),
            kubernetes: Some(Version::parse(kubernetes).unwrap()),
        };
        // No Kubernetes takes both, so the cluster cannot be upgraded while it stands there.
        assert!(solve(&set, &question("1.22.3")).is_err());
        set.rules.retain(|rule| rule.id != "kubernetes");
        let route = solve(&set, &question("1.26.3")).unwrap();
        assert_eq!((route.hops[0].way_back_to.clone(), route.hops[0].no_way_back.len()), (stand("2.0.0"), 1));
    }

    #[test]
    fn objects_of_another_name_are_counted() {
        let all = |name: &str| ["a", "b", "c"].map(|end| deployment(&format!("x-{name}-{end}"), end)).to_vec();
        let mut renamed = input(all("beacon"), all("lighthouse"), "");
        let keeps = ("nameOverride".to_owned(), "beacon".to_owned());
        renamed.rename = Some(crate::input::RenameTrial { set: vec![keeps.clone()], replaced_without: 3, replaced_with: 0 });
        assert_eq!(found(&renamed), [Seen::Replaced { count: 3, keeps: Some(keeps) }]);
        let evidence = seen(&rules(), &stand("1.0.0"), &stand("2.0.0"), &renamed, &summarise(&renamed), "a test");
        let rule = apply_evidence(&rules(), &evidence).rules.pop().unwrap();
        assert!(matches!(&rule.before[..], [Step::SetValue { path, .. }] if path == "nameOverride"), "{rule:#?}");
    }

    #[test]
    fn crds_are_named_and_counted() {
        let spec = json!({"group": "x.io", "names": {"kind": "X"}, "versions": []});
        let crd = |name: &str| Rendered {
            source: String::new(),
            value: json!({"kind": "CustomResourceDefinition", "metadata": {"name": name}, "spec": spec}),
        };
        let mut changed = input(Vec::new(), Vec::new(), "");
        changed.new.crds = ["a", "b", "c"].map(crd).to_vec();
        assert!(found(&changed).iter().any(|seen| seen.to_string() == "CRDs change: a and b and 1 more"), "{:#?}", found(&changed));
        changed.old.crds = changed.new.crds.clone();
        assert_eq!(found(&changed), []);

        let apply = |input: &Input| {
            let mut set = RuleSet::default();
            let rules = RULES.replace("deleteOrphan: {kind: Deployment, name: RELEASE-agent}", "applyCrds");
            set.add(read("rules.yaml", &rules, Origin::Operator).unwrap()).unwrap();
            let all = seen(&set, &stand("1.0.0"), &stand("2.0.0"), input, &summarise(input), "a test");
            all.iter().any(|one| matches!(one.seen, Seen::Refutes { step: Step::ApplyCrds, .. }))
        };
        assert!(apply(&changed), "the same CRDs");
        changed.new.crds.pop();
        assert!(!apply(&changed), "one of them goes");
        (changed.old.crds, changed.new.crds) = (Vec::new(), Vec::new());
        assert!(!apply(&changed), "switched off");
    }

    #[test]
    fn a_selector_is_asked_of_the_labels_that_objects_have() {
        let labelled = |name: &str, selector: &str| {
            let mut object = deployment(&format!("x-{name}"), selector);
            object.value["metadata"]["labels"] = json!({"app": name});
            object
        };
        let mut set = RuleSet::default();
        let rules = RULES.replace("name: RELEASE-agent", "selector: app=web");
        set.add(read("rules.yaml", &rules, Origin::Operator).unwrap()).unwrap();
        let proofs = |web: &str, store: &str| {
            let old = vec![labelled("web", "a"), labelled("web-store", "b")];
            let input = input(old, vec![labelled("web", web), labelled("web-store", store)], "");
            let all = seen(&set, &stand("1.0.0"), &stand("2.0.0"), &input, &summarise(&input), "a test");
            apply_evidence(&set, &all).rules[0].proofs.iter().map(|proof| proof.holds).collect::<Vec<_>>()
        };
        assert_eq!((proofs("c", "b"), proofs("a", "c")), (vec![true], vec![false]));
    }

    #[test]
    fn a_rule_is_not_refuted_by_an_object_that_is_refused() {
        let mut invalid = deployment("x-agent", "a");
        invalid.value["spec"]["selector"]["matchLabels"]["app"] = json!("b");
        let seen = found(&input(vec![deployment("x-agent", "a")], vec![invalid], ""));
        assert!(matches!(&seen[..], [Seen::Blocks(claim)] if claim.code == "invalid-selector"), "{seen:#?}");
    }

    #[test]
    fn what_a_new_crd_refuses_is_a_blocker_and_no_step() {
        let crd = |kind: &str| {
            let schema = json!({"type": "object", "properties": {"spec": {"type": "object", "properties": {"b": {"type": kind}}}}});
            let version = json!({"name": "v1", "served": true, "storage": true, "schema": {"openAPIV3Schema": schema}});
            let spec = json!({"group": "x.io", "scope": "Namespaced", "names": {"kind": "Foo", "plural": "foos"}, "versions": [version]});
            let value = json!({"kind": "CustomResourceDefinition", "metadata": {"name": "foos.x.io"}, "spec": spec});
            Rendered { source: "crds/foo.yaml".to_owned(), value }
        };
        let foo = json!({"apiVersion": "x.io/v1", "kind": "Foo", "metadata": {"name": "f"}, "spec": {"b": "text"}});
        let mut refused = input(Vec::new(), vec![Rendered { source: String::new(), value: foo }], "");
        (refused.old.crds, refused.new.crds) = (vec![crd("string")], vec![crd("integer")]);
        let seen = found(&refused);
        assert!(seen.iter().any(|seen| matches!(seen, Seen::Blocks(claim) if claim.code == "crd-field-used")), "{seen:#?}");
        assert!(!seen.iter().any(|seen| matches!(seen, Seen::CrdFieldRemoved { .. })), "{seen:#?}");
    }
}
