use super::*;
use crate::path::tests::{line, question};
use crate::path::{FindingCode, read, solve};

const RULES: &str = r#"
apiVersion: groundswell.dev/v1alpha1
kind: PathRules
chart: beacon
covers: ">=1 <=4"
versions: [1.0.0, 2.0.0, 3.0.0, 4.0.0]
rules:
- id: known
  from: "<2"
  to: ">=2"
  before:
  - deleteOrphan: {kind: Deployment, name: RELEASE-agent}
  source: s
"#;

fn rules(text: &str) -> RuleSet {
    let mut set = RuleSet::default();
    set.add(read("rules.yaml", text, Origin::Operator).unwrap()).unwrap();
    set
}

fn stand(text: &str) -> Stand {
    Stand { chart: "beacon".to_owned(), version: Version::parse(text).unwrap() }
}

fn evidence(from: &str, to: &str, seen: Seen) -> Evidence {
    Evidence { from: stand(from), to: stand(to), seen, source: "defaults".to_owned() }
}

fn claim(code: &str, object: &Object, next: &str) -> Box<DiffClaim> {
    Box::new(DiffClaim {
        code: code.to_owned(),
        words: format!("{object}: {code}"),
        objects: vec![object.clone()],
        field: None,
        next: Some(next.to_owned()),
        detail: Vec::new(),
    })
}

fn stuck(kind: &str, name: &str, code: &str, next: &str, clean_up: bool) -> Seen {
    let object = Object { kind: kind.into(), name: Some(name.into()), selector: None, namespace: None };
    let after = clean_up.then(|| claim("clean-up", &object, "kubectl delete pods"));
    let labels = Labels::from([("app".to_owned(), name.trim_start_matches("prod-").to_owned())]);
    Seen::ImmutableField { fields: vec!["spec.selector".into()], before: claim(code, &object, next), after, object, labels }
}

fn words(set: &RuleSet, kubernetes: Option<&str>) -> Vec<String> {
    let route = solve(set, &question("beacon", "1.0.0", "4.0.0", kubernetes)).unwrap();
    let hop = &route.hops[0];
    hop.before.iter().chain(&hop.after).map(|chore| chore.words.clone()).collect()
}

const ORPHAN: &str = "kubectl delete x --cascade=orphan";

fn refutes(rule: &str, name: &str) -> Seen {
    let object = Object { kind: "Deployment".into(), name: Some(name.into()), selector: None, namespace: None };
    Seen::Refutes { rule: rule.into(), step: Step::DeleteOrphan(object), detail: "no field differs".into() }
}

#[test]
fn a_step_that_renders_do_not_bear_out_is_marked_and_comes_last() {
    let two = RULES.replace("  source: s", "  - deleteOrphan: {kind: Deployment, name: RELEASE-store}\n  source: s");
    let all = [
        evidence("1.0.0", "4.0.0", refutes("known", "RELEASE-agent")),
        evidence("1.0.0", "4.0.0", stuck("Deployment", "prod-store", "recreate", "kubectl delete x", false)),
        evidence("1.0.0", "4.0.0", stuck("StatefulSet", "prod-agent", "recreate", "kubectl delete y", false)),
    ];
    let route = solve(&apply_evidence(&rules(&two), &all), &question("beacon", "1.0.0", "4.0.0", None)).unwrap();
    let hop = &route.hops[0];
    let orphan = |name: &str| format!("delete Deployment RELEASE-{name}, and leave its pods running (--cascade=orphan)");
    let (agent, store) = (orphan("agent"), orphan("store"));
    let said: Vec<(&str, Option<&str>)> = hop.before.iter().map(|chore| (chore.words.as_str(), chore.contradicted.as_deref())).collect();
    let wanted = [
        ("Deployment prod-store: recreate", None),
        ("StatefulSet prod-agent: recreate", None),
        (agent.as_str(), Some("no field differs, beacon 1.0.0 → beacon 4.0.0 (defaults)")),
        (store.as_str(), Some("Deployment prod-store: recreate, beacon 1.0.0 → beacon 4.0.0 (defaults)")),
    ];
    assert_eq!(said, wanted);
    // What stands in nobody's way stands in that of nobody who goes back.
    assert_eq!(hop.going_back.len(), 2, "{:?}", hop.going_back);
    assert!(hop.going_back.iter().all(|words| words.ends_with(": recreate")), "{:?}", hop.going_back);
    // Of another hop the renders say nothing here.
    let elsewhere = [evidence("1.0.0", "2.0.0", refutes("known", "RELEASE-agent"))];
    let route = solve(&apply_evidence(&rules(&two), &elsewhere), &question("beacon", "1.0.0", "4.0.0", None)).unwrap();
    assert!(route.hops[0].before.iter().all(|chore| chore.contradicted.is_none()));
}

#[test]
fn a_selector_means_the_objects_with_its_labels() {
    let proved = |steps: &[&str], seen: &[Seen]| {
        let step = |step: &&str| format!("  - {step}\n");
        let text =
            RULES.replace("  - deleteOrphan: {kind: Deployment, name: RELEASE-agent}\n", &steps.iter().map(step).collect::<String>());
        let all: Vec<Evidence> = seen.iter().map(|seen| evidence("1.0.0", "4.0.0", seen.clone())).collect();
        let route = solve(&apply_evidence(&rules(&text), &all), &question("beacon", "1.0.0", "4.0.0", None)).unwrap();
        let hop = &route.hops[0];
        let marked = hop.before.iter().filter(|chore| chore.contradicted.is_some()).count();
        (hop.before.len(), marked, hop.going_back.len())
    };
    let (web, store) = ("deleteOrphan: {kind: Deployment, selector: app=web}", "deleteOrphan: {kind: Deployment, name: RELEASE-web-store}");
    let all = "deleteOrphan: {kind: Deployment, selector: app=RELEASE}";
    let orphan = stuck("Deployment", "prod-web", "recreate", ORPHAN, false);
    let stop = stuck("Deployment", "prod-web-store", "recreate", "kubectl delete x", false);
    // The other object's step is its own.
    assert_eq!(proved(&[web], &[orphan.clone(), stop.clone()]), (2, 0, 2));
    // It is needed for one of the two that it means.
    assert_eq!(proved(&[all], &[orphan.clone(), stop.clone()]), (2, 0, 2));
    assert_eq!(proved(&[all], std::slice::from_ref(&stop)), (2, 1, 1));
    // What cannot be read means nothing that is known.
    assert_eq!(proved(&["deleteOrphan: {kind: Deployment, selector: 'app in (web-store)'}"], std::slice::from_ref(&stop)), (2, 0, 2));
    // Two steps of one rule for one object are both marked.
    assert_eq!(proved(&[store, all], &[stop]), (3, 2, 1));
}

#[test]
fn renders_add_confirm_and_contradict() {
    let rules = rules(RULES);
    let proved = apply_evidence(
        &rules,
        &[
            evidence("1.10.0", "2.0.0", stuck("Deployment", "prod-agent", "recreate", ORPHAN, false)),
            evidence("1.10.0", "2.0.0", stuck("StatefulSet", "prod-store", "recreate", ORPHAN, false)),
            evidence("2.5.0", "4.0.0", Seen::KubeVersion { at: stand("4.0.0"), range: Constraint::parse(">=1.30.0-0").unwrap() }),
            evidence("1.9.0", "2.0.0", refutes("known", "RELEASE-agent")),
        ],
    );
    assert_eq!(proved.rules.iter().map(|rule| rule.id.as_str()).collect::<Vec<_>>(), ["known", "rendered-2", "rendered-3"]);
    assert_eq!(proved.rules[0].proofs.iter().map(|proof| proof.holds).collect::<Vec<_>>(), [true, false]);
    let route = solve(&proved, &question("beacon", "1.0.0", "4.0.0", Some("1.28.0"))).unwrap();
    assert_eq!(line(&route), "1.0.0 [k8s 1.30 or newer] 4.0.0");
    let asked = ["delete Deployment RELEASE-agent, and leave its pods running (--cascade=orphan)", "StatefulSet prod-store: recreate"];
    assert_eq!(words(&proved, Some("1.28.0")), asked);
    let codes: Vec<FindingCode> = route.findings.iter().map(|finding| finding.code).collect();
    assert_eq!(codes, [FindingCode::FoundByRendering, FindingCode::Refuted, FindingCode::FoundByRendering]);
    let store = "found by rendering, no rule names it: StatefulSet prod-store: recreate";
    assert!(route.findings.iter().any(|finding| finding.words == store), "{:#?}", route.findings);
    let kubernetes = "found by rendering, no rule names it: beacon =4.0.0 needs Kubernetes >=1.30.0-0";
    assert!(route.findings.iter().any(|finding| finding.words == kubernetes), "{:#?}", route.findings);
    assert_eq!(apply_evidence(&rules, &[]), rules);
}

#[test]
fn a_rule_that_deletes_otherwise_does_not_stand_for_chart_diff() {
    // The rule leaves pods running that hold what the new ones need.
    let stop = stuck("Deployment", "prod-agent", "recreate", "kubectl delete x", false);
    let proved = apply_evidence(&rules(RULES), &[evidence("1.0.0", "2.0.0", stop.clone())]);
    assert!(!proved.rules[0].proofs[0].holds);
    assert_eq!(words(&proved, None).last().unwrap(), "Deployment prod-agent: recreate");
    // One that deletes with the pods is the more careful one.
    let careful = RULES.replace("deleteOrphan", "deleteObject");
    for seen in [stop, stuck("Deployment", "prod-agent", "recreate", ORPHAN, false)] {
        let proved = apply_evidence(&rules(&careful), &[evidence("1.0.0", "2.0.0", seen)]);
        assert!(proved.rules[0].proofs[0].holds);
        assert_eq!(words(&proved, None), ["delete Deployment RELEASE-agent"]);
    }
    let claim = RULES.replace("kind: Deployment", "kind: PersistentVolumeClaim");
    let keep = stuck("PersistentVolumeClaim", "prod-agent", "keep-field", "", false);
    let proved = apply_evidence(&rules(&claim), &[evidence("1.0.0", "2.0.0", keep)]);
    assert!(!proved.rules[0].proofs[0].holds && words(&proved, None)[0] == "PersistentVolumeClaim prod-agent: keep-field");
}

#[test]
fn what_is_left_running_is_cleaned_up_once() {
    let orphaned = || [evidence("1.0.0", "2.0.0", stuck("Deployment", "prod-agent", "recreate", ORPHAN, true))];
    let proved = apply_evidence(&rules(RULES), &orphaned());
    let delete = "delete Deployment RELEASE-agent, and leave its pods running (--cascade=orphan)";
    assert_eq!(words(&proved, None), [delete, "Deployment prod-agent: clean-up"]);
    let says = RULES.replace("  source: s", "  after: [text: clean up]\n  source: s");
    assert_eq!(words(&apply_evidence(&rules(&says), &orphaned()), None), [delete, "clean up"]);
    let with_pods = RULES.replace("deleteOrphan", "deleteObject");
    assert_eq!(words(&apply_evidence(&rules(&with_pods), &orphaned()), None), ["delete Deployment RELEASE-agent"]);
}

#[test]
fn a_blocker_is_told_at_its_own_hop() {
    let object = Object { kind: "Deployment".into(), name: Some("x".into()), selector: None, namespace: None };
    let blocks = |from: &str, to: &str| evidence(from, to, Seen::Blocks(claim("invalid-selector", &object, "mend it")));
    let stop = RULES.replace("  source: s", "  mustStopAt: 2.x\n  source: s");
    let all = [blocks("2.0.0", "4.0.0"), blocks("1.0.0", "4.0.0")];
    let proved = apply_evidence(&rules(&stop), &all);
    let mut route = solve(&proved, &question("beacon", "1.0.0", "4.0.0", None)).unwrap();
    route.block(&all);
    assert_eq!((line(&route).as_str(), route.blocked_at(), route.hops[1].blockers.len()), ("1.0.0 2.0.0 4.0.0", vec![2], 1));
    assert!(route.findings.iter().all(|finding| finding.code != FindingCode::FoundByRendering));
}
