//! What is said of files, questions and ways that are wrong.

use super::super::*;
use super::{line, question, version};

const HEAD: &str = "apiVersion: groundswell.dev/v1alpha1\nkind: PathRules\nchart: beacon\ncovers: \">=1.0.0 <=4.0.0\"\nversions: [1.0.0, 1.10.0, 2.0.0, 2.5.0, 3.0.0, 4.0.0]\n";

fn file(rules: &str) -> String {
    if rules.is_empty() { HEAD.to_owned() } else { format!("{HEAD}rules:\n{rules}") }
}

fn set(rules: &str) -> RuleSet {
    let mut set = RuleSet::default();
    set.add(read("beacon.yaml", &file(rules), Origin::Operator).unwrap()).unwrap();
    set
}

fn refused(text: &str) -> String {
    let errors = read("beacon.yaml", text, Origin::Operator).unwrap_err();
    errors.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n")
}

fn linted(rules: &str) -> String {
    let problems = lint(&RuleSet::default(), &[("beacon.yaml".to_owned(), file(rules))], Origin::Operator);
    problems.iter().map(|problem| format!("{}: {}", problem.place, problem.words)).collect::<Vec<_>>().join("\n")
}

fn asked(set: &RuleSet, from: &str, to: &str, kubernetes: Option<&str>) -> String {
    match solve(set, &question("beacon", from, to, kubernetes)) {
        Ok(route) => line(&route),
        Err(error) => error.to_string(),
    }
}

#[test]
fn a_version_keeps_its_zeros() {
    assert!(set("").charts["beacon"].versions.contains(&version("1.10.0")));
    let text = HEAD.replace("1.10.0", "1.10");
    let read = read("a", &text, Origin::Operator).unwrap();
    assert!(read.versions.iter().any(|version| version.as_str() == "1.10"));
}

#[test]
fn what_cannot_be_read_is_said_with_its_place() {
    for (rules, place) in [
        ("- {id: a, source: s, mustStopat: 2.x}\n", "beacon.yaml:7:"),
        ("- id: a\n  source: s\n  from: banana\n", "beacon.yaml:9:"),
        ("- id: a\n  source: s\n  needsKubernetes: '> = 1'\n", "beacon.yaml:9:"),
        ("- id: a\n  tests: [x]\n", "beacon.yaml:8:"),
        ("- {id: a b, source: s}\n", "beacon.yaml:7:"),
        ("- {id: a, source: ''}\n", "beacon.yaml:7:"),
        ("- {id: a, source: s}\n- {id: a, source: s}\n", "beacon.yaml:8:"),
        ("- {id: a, source: s, skip: 2.x, mustStopAt: 3.x}\n", "beacon.yaml:7:"),
        ("- {id: a, source: s, fromChart: old}\n", "beacon.yaml:7:"),
        ("- id: a\n  source: s\n  before:\n  - deleteObject: {kind: Job}\n", "beacon.yaml:10:"),
        ("- id: a\n  source: s\n  before:\n  - destroy: all\n", "beacon.yaml:10:"),
        ("- id: a\n  source: \"s\\u001b[31m\"\n", "beacon.yaml:8:"),
    ] {
        let said = refused(&file(rules));
        assert!(said.starts_with(place), "{rules}{said}");
    }
    for text in ["", "- a", "chart: [", "&a [*a]", "apiVersion: v1\nkind: Pod\nchart: x\n", "\u{0}", "a: !!binary x"] {
        assert!(!refused(text).is_empty());
    }
    assert!(refused(&"#".repeat(MAX_FILE_BYTES + 1)).contains("at most 1048576 bytes"));
    assert_eq!(refused(&format!("{HEAD}---\n{HEAD}")), "beacon.yaml:7:1: a file of rules is one document; write a file for each chart");
    // What comes behind the last that is allowed is not read: it would be refused for other reasons.
    let many: String = (0..1_000).map(|number| format!("- {{id: r{number}, source: s}}\n")).collect();
    assert!(read("beacon.yaml", &file(&many), Origin::Operator).is_ok());
    let said = refused(&file(&format!("{many}- {{id: last, source: s}}\n- nonsense\n")));
    assert!(said.contains("these are more than 1000 rules"), "{said}");
    let said = refused(&file(&format!("- id: a\n  source: s\n  tests: [{}]\n", "x,".repeat(51))));
    assert!(said.starts_with("beacon.yaml:9:") && said.contains("more than 50 tests"), "{said}");
    let twice = "x, ".repeat(26).replace('x', "text: a").replace("text: a", "{text: a}");
    let said = refused(&file(&format!("- id: a\n  source: s\n  before: [{twice}]\n  after: [{twice}]\n")));
    assert!(said.starts_with("beacon.yaml:7:3: rule \"a\" has 52 steps"), "{said}");
    assert!(refused(&HEAD.replace("PathRules", "PathRule")).starts_with("beacon.yaml:2:7: `kind` is \"PathRule\""));
    assert!(refused(&HEAD.replace("4.0.0]", "1.0.0]")).contains("version 1.0.0 is listed twice"));
}

#[test]
fn what_is_wrong_is_said_in_the_words_of_a_rule() {
    let step = |step: &str| refused(&file(&format!("- id: a\n  source: s\n  before:\n  - {step}\n")));
    for (said, words) in [
        (refused(""), "beacon.yaml:1:1: there is nothing in this file; a file of rules begins with `apiVersion`"),
        (
            refused("apiVersion: v1\nkind: ConfigMap\ndata: {}\n"),
            "beacon.yaml:2:7: `kind` is \"ConfigMap\"; a file of rules says PathRules",
        ),
        (refused("kind: Pod\nspec: {}\n---\nkind: Job\n"), "beacon.yaml:1:7: `kind` is \"Pod\"; a file of rules says PathRules"),
        (refused(&file("- id: a\n  id: b\n  source: s\n")), "beacon.yaml:8:3: `id` is written twice here"),
        (step("applyCrds: now"), "nothing follows this step: it is one word, `- applyCrds`"),
        (step("text: a\n    removeValue: {path: b}"), "a step is one thing; the next one begins with `-` on its own line"),
        (step("[a]"), "a step is a word or a map with one field"),
        (step("renameValue: {from: a.b, to: a.b}"), "`renameValue` gives \"a.b\" the name that it has"),
        (step("setValue: {path: a..b, value: x}"), "`setValue` has an empty key in \"a..b\""),
        (step("removeValue: {path: .a}"), "`removeValue` has an empty key in \".a\""),
        (step("renameValue: {from: a, to: b.}"), "`renameValue` has an empty key in \"b.\""),
    ] {
        assert!(said.ends_with(words), "{said}\n{words}");
    }
}

#[test]
fn files_are_laid_over_one_another() {
    let stop = "- {id: stop, from: <2, to: '>=3', mustStopAt: 2.x, source: s}\n";
    let mut rules = set(stop);
    assert_eq!(asked(&rules, "1.0.0", "4.0.0", None), "1.0.0 2.5.0 4.0.0");
    let over = |text: &str| {
        read("own.yaml", &format!("apiVersion: groundswell.dev/v1alpha1\nkind: PathRules\nchart: beacon\n{text}"), Origin::Operator)
    };
    let errors = rules.add(over("rules:\n- {id: stop, skip: 2.x, source: s}\n").unwrap()).unwrap_err();
    assert!(errors[0].to_string().starts_with("own.yaml:5:3: there is a rule \"stop\" already"), "{errors:?}");
    assert!(errors[0].what.contains("there is a rule \"stop\" already, at beacon.yaml:7:3; say"), "{errors:?}");
    let twice = "disable:\n- {id: stop, reason: none}\n- {id: stop, reason: none}\n";
    let errors = rules.clone().add(over(twice).unwrap()).unwrap_err();
    assert_eq!(errors[0].to_string(), "own.yaml:6:3: rule \"stop\" is disabled already, at own.yaml:5:3; take one of them out");
    let both = "rules:\n- {id: mine, replaces: stop, skip: 3.x, source: s}\n- {id: ours, replaces: stop, skip: 3.x, source: s}\n";
    let errors = rules.clone().add(over(both).unwrap()).unwrap_err();
    assert_eq!(errors[0].to_string(), "own.yaml:6:3: rule \"stop\" is replaced by \"mine\" already, at own.yaml:5:3; take one of them out");
    let mut changed = rules.clone();
    changed.add(over("disable:\n- {id: stop, reason: none}\n").unwrap()).unwrap();
    let errors = changed.add(over("rules:\n- {id: mine, replaces: stop, skip: 3.x, source: s}\n").unwrap()).unwrap_err();
    assert!(errors[0].what.starts_with("rule \"stop\" is disabled already, at own.yaml:5:3"), "{errors:?}");
    let errors = rules.add(over("disable:\n- {id: stp, reason: none}\n").unwrap()).unwrap_err();
    assert!(errors[0].what.contains("no rule \"stp\""), "{errors:?}");
    let mut replaced = rules.clone();
    replaced.add(over("rules:\n- {id: mine, replaces: stop, from: <2, to: '>=3', mustStopAt: 3.x, source: s}\n").unwrap()).unwrap();
    assert_eq!(asked(&replaced, "1.0.0", "4.0.0", None), "1.0.0 3.0.0 4.0.0");
    rules.add(over("disable:\n- {id: stop, reason: not here}\n").unwrap()).unwrap();
    assert_eq!(asked(&rules, "1.0.0", "4.0.0", None), "1.0.0 4.0.0");
    assert_eq!(rules.disabled["stop"], "not here");
}

#[test]
fn questions_without_a_way() {
    let rules = set(
        "- {id: low, to: <2, needsKubernetes: <1.22-0, source: s}\n- {id: high, to: '>=2', needsKubernetes: '>=1.25-0', source: s}\n- {id: never, skip: 3.x, source: s}\n",
    );
    assert_eq!(asked(&rules, "1.0.0", "4.0.0", None), "no path from beacon 1.0.0 to beacon 4.0.0 keeps all of the rules low, high");
    assert_eq!(
        asked(&rules, "1.0.0", "1.10.0", Some("1.27.3")),
        "no path from beacon 1.0.0 to beacon 1.10.0 keeps the rule low: beacon <2 needs Kubernetes <1.22-0"
    );
    assert_eq!(
        asked(&rules, "2.0.0", "3.0.0", None),
        "no path from beacon 2.0.0 to beacon 3.0.0 keeps the rule never: beacon 3.x is no version to stand on"
    );
    assert!(asked(&rules, "2.0.0", "1.0.0", None).contains("is older than beacon 2.0.0; a path only leads up"));
    assert_eq!(asked(&rules, "1.0.0", "2.1.0", None), "beacon 2.1.0 was never published; its neighbours are 2.0.0 and 2.5.0");
    assert_eq!(asked(&rules, "1.0.0", "4.0.0", Some("2.1.0")), "2.1.0 is no version of Kubernetes; those begin with 1");
    assert_eq!(
        solve(&rules, &question("lighthouse", "1.0.0", "2.0.0", None)).unwrap_err().to_string(),
        "no rules are known for a chart \"lighthouse\"; known are beacon"
    );
    let there = solve(&rules, &question("beacon", "2.0.0", "2.0.0", None)).unwrap();
    assert_eq!((there.hops.len(), there.findings[0].code), (0, FindingCode::NothingToDo));
    // A cluster that its chart does not bear is left as soon as a version bears it.
    assert_eq!(asked(&rules, "1.0.0", "4.0.0", Some("1.28.3+vmware.1")), "1.0.0 4.0.0");
}

#[test]
fn no_upgrade_of_the_cluster_takes_a_vendors_suffix_away() {
    let rules = set("- {id: release, to: '>=2', needsKubernetes: '>=1.25.0', source: s}\n");
    assert_eq!(
        asked(&rules, "1.0.0", "4.0.0", Some("v1.28.3-gke.7")),
        "no path from beacon 1.0.0 to beacon 4.0.0 keeps the rule release: beacon >=2 needs Kubernetes >=1.25.0, which takes no version with a suffix such as -gke.7; an upgrade of the cluster does not change that"
    );
    assert_eq!(asked(&rules, "1.0.0", "4.0.0", Some("v1.28.3+vmware.1")), "1.0.0 4.0.0");
    // What is to become a release has a suffix, too, and loses it.
    assert_eq!(asked(&rules, "1.0.0", "4.0.0", Some("1.28.0-rc.1")), "1.0.0 [k8s 1.29 or newer] 4.0.0");
    let any = set("- {id: any, to: '>=2', needsKubernetes: '>=1.30.0-0', source: s}\n");
    assert_eq!(asked(&any, "1.0.0", "4.0.0", Some("v1.28.3-gke.7")), "1.0.0 [k8s 1.30 or newer] 4.0.0");
    let there = set("- {id: here, to: <2, needsKubernetes: '>=1.25.0', source: s}\n");
    let route = solve(&there, &question("beacon", "1.0.0", "4.0.0", Some("v1.28.3-gke.7"))).unwrap();
    assert_eq!(route.findings[0].code, FindingCode::KubernetesUnsupported);
    assert!(route.findings[0].words.contains("beacon 1.0.0 bears no version with a suffix"), "{:?}", route.findings);
}

#[test]
fn a_cluster_that_was_upgraded_too_early_may_have_left_a_stale_record() {
    let rules = set("- {id: psp, to: <2, needsKubernetes: '>=1.22.0-0, <1.25.0-0', source: s}\n");
    // One that was left alone since 1.21 has what 1.22 removed.
    let older = set("- {id: psp, to: <2, needsKubernetes: '>=1.21.0-0, <1.25.0-0', source: s}\n");
    let said = |rules: &RuleSet, kubernetes: &str| {
        let route = solve(rules, &question("beacon", "1.0.0", "4.0.0", Some(kubernetes))).unwrap();
        route
            .findings
            .into_iter()
            .filter(|finding| finding.code == FindingCode::KubernetesUnsupported)
            .map(|one| one.words)
            .collect::<String>()
    };
    let words = said(&rules, "1.26.3");
    assert!(words.starts_with("the cluster runs Kubernetes 1.26.3, and beacon 1.0.0 bears 1.22–1.24; "), "{words}");
    assert!(words.contains("no API that Kubernetes 1.26 no longer serves") && words.contains("PodSecurityPolicy"), "{words}");
    assert!(words.contains("autoscaling/v2beta2 (HorizontalPodAutoscaler)") && !words.contains("Ingress"), "{words}");
    assert!(said(&older, "1.26.3").contains("networking.k8s.io/v1beta1 (Ingress"), "{}", said(&older, "1.26.3"));
    assert_eq!(said(&rules, "1.24.3"), "");
}

#[test]
fn a_key_does_not_move_along_with_another_rules_key() {
    let rename = |id: &str, from: &str| format!("- {{id: {id}, source: s, before: [renameValue: {{from: {from}, to: new.{id}}}]}}\n");
    let rules = set(&[rename("outer", "a.b"), rename("other", "a.bc"), rename("inner", "a.b.c.d")].concat());
    let route = solve(&rules, &question("beacon", "1.0.0", "2.0.0", None)).unwrap();
    let order: Vec<&str> = route.hops[0].before.iter().map(|chore| chore.why[0].rule.as_str()).collect();
    assert_eq!(order, ["inner", "outer", "other"]);
}

#[test]
fn what_is_skipped_is_no_stop_and_is_named() {
    let rules = set("- {id: stop, from: <3, to: '>=3', mustStopAt: 2.x, source: s}\n- {id: sk, skip: 2.5.0, source: s}\n");
    let route = solve(&rules, &question("beacon", "1.0.0", "3.0.0", None)).unwrap();
    assert_eq!(line(&route), "1.0.0 2.0.0 3.0.0");
    let why: Vec<&str> = route.hops[0].why.iter().map(|reason| reason.words.as_str()).collect();
    assert_eq!(why, ["a step from <3 to >=3 has to stop at the newest of 2.x; 2.5.0 is skipped", "beacon 2.5.0 is no version to stand on"]);
}

#[test]
fn the_operators_own_rules_are_blamed_and_skips_with_them() {
    let blamed = |rules: &str, from: &str, to: &str| -> Vec<String> {
        let mut set = RuleSet::shipped().unwrap();
        let text = format!("apiVersion: groundswell.dev/v1alpha1\nkind: PathRules\nchart: kube-prometheus-stack\nrules:\n{rules}");
        set.add(read("own.yaml", &text, Origin::Operator).unwrap()).unwrap();
        match solve(&set, &question("kube-prometheus-stack", from, to, None)).unwrap_err() {
            NoRoute::Blocked { by, .. } => by.into_iter().map(|blocking| blocking.rule).collect(),
            other => panic!("{other}"),
        }
    };
    assert_eq!(blamed("- {id: s1, skip: '*', source: s}\n", "40.0.0", "80.14.4"), ["s1"]);
    let both = "- {id: a1, from: <80.0.0, to: '>=80.0.0', mustStopAt: 79.x, source: a}\n- {id: a2, skip: 79.x, source: a}\n";
    assert_eq!(blamed(both, "72.9.1", "80.14.4"), ["a1", "a2"]);
    assert_eq!(blamed("- {id: s2, skip: 66.x, source: s}\n", "60.5.0", "80.14.4"), ["s2", "kps-66-prometheus-2.55"]);
}

#[test]
fn what_the_cluster_runs_is_assumed_where_nobody_says_it() {
    let rules = set("- {id: high, to: '>=2', needsKubernetes: '>=1.25-0', source: s}\n");
    let route = solve(&rules, &question("beacon", "1.0.0", "4.0.0", None)).unwrap();
    assert_eq!(line(&route), "1.0.0 4.0.0");
    assert_eq!(route.kubernetes_assumed.unwrap().to_string(), "1.25 or newer");
    assert_eq!(route.findings[0].code, FindingCode::KubernetesUnknown);
    assert!(route.findings[0].words.contains("Kubernetes 1.25 or newer is assumed"), "{:?}", route.findings);
    assert_eq!(asked(&rules, "1.0.0", "4.0.0", Some("1.20.0")), "1.0.0 [k8s 1.25 or newer] 4.0.0");
}

#[test]
fn what_nobody_looked_at_is_said() {
    let rules = set("");
    let codes = |from: &str, to: &str| -> Vec<FindingCode> {
        solve(&rules, &question("beacon", from, to, None)).unwrap().findings.into_iter().map(|finding| finding.code).collect()
    };
    assert_eq!(codes("1.0.0", "4.0.0"), []);
    assert_eq!(codes("0.9.0", "4.0.0"), [FindingCode::UnknownVersion, FindingCode::NotCovered]);
    assert_eq!(codes("2.5.0", "5.0.0"), [FindingCode::UnknownVersion, FindingCode::NotCovered]);
    assert_eq!(codes("2.1.0", "2.5.0"), [FindingCode::UnknownVersion]);
}

#[test]
fn no_rule_is_missed_on_a_prerelease() {
    let rules = set("- {id: stop, from: <3, to: '>=3', mustStopAt: 2.x, source: s}\n");
    assert_eq!(asked(&rules, "1.0.0-rc.1", "4.0.0", None), "1.0.0-rc.1 2.5.0 4.0.0");
    assert_eq!(asked(&rules, "1.0.0", "4.1.0-beta", None), "1.0.0 2.5.0 4.1.0-beta");
}

#[test]
fn the_way_back_ends() {
    let rules = set(
        "- {id: data, from: <2, to: '>=3', noWayBack: new format, source: s}\n- {id: stop, from: <3, to: '>=3', mustStopAt: 2.x, source: s}\n- {id: old, to: <2, needsKubernetes: <1.22-0, source: s}\n- {id: new, to: '>=4', needsKubernetes: '>=1.24-0', source: s}\n- {id: last, from: <4, to: '>=4', mustStopAt: 3.x, source: s}\n",
    );
    let route = solve(&rules, &question("beacon", "1.0.0", "4.0.0", Some("1.20.0"))).unwrap();
    assert_eq!(line(&route), "1.0.0 2.5.0 3.0.0 [k8s 1.24 or newer] 4.0.0");
    let back: Vec<String> = route.hops.iter().map(|hop| hop.way_back_to.version.to_string()).collect();
    assert_eq!(back, ["1.0.0", "2.5.0", "2.5.0"]);
    assert_eq!(route.hops[1].no_way_back[0].rule, "data");
    // Without the rule about data it is the cluster's upgrade that ends the way back.
    let mut rules = rules;
    rules.rules.retain(|rule| rule.id != "data");
    let route = solve(&rules, &question("beacon", "1.0.0", "4.0.0", Some("1.20.0"))).unwrap();
    assert_eq!(route.hops[2].way_back_to.version, version("2.5.0"));
    assert_eq!(route.hops[2].no_way_back[0].rule, "old");
    assert!(route.hops[1].no_way_back.is_empty());
    // Where the oldest version bears the new Kubernetes, too, its revision may not.
    rules.rules.retain(|rule| rule.id != "old");
    let route = solve(&rules, &question("beacon", "1.0.0", "4.0.0", Some("1.20.0"))).unwrap();
    assert_eq!(line(&route), "1.0.0 2.5.0 3.0.0 [k8s 1.24 or newer] 4.0.0");
    assert_eq!(
        route.hops[2].going_back,
        [
            "further back than beacon 3.0.0 only with `helm upgrade`, where that version's chart can write APIs that the cluster still serves: `helm rollback` would take a manifest that may have what Kubernetes 1.22 serves no more"
        ]
    );
}

#[test]
fn lint_finds_what_can_never_hold() {
    for (rules, words) in [
        ("- {id: a, source: s, from: <1, to: '>=2', tests: [x]}\n", "rule \"a\" says `from: <1`, which no known version of beacon is in"),
        ("- {id: a, source: s, skip: 7.x}\n", "says `skip: 7.x`, which no known version"),
        ("- {id: a, source: s, from: '>=3', to: <2, tests: [x]}\n", "is about no step upwards"),
        ("- {id: a, source: s, from: <2}\n", "has no effect"),
        ("- {id: a, source: s, needsKubernetes: '>=1.20-0'}\n", "without `to`"),
        ("- {id: a, source: s, to: '*', needsKubernetes: '>2'}\n", "names a Kubernetes that no version 1.x is"),
        ("- {id: a, source: s, to: '*', beforeKubernetes: '>2', before: [text: x]}\n", "names a Kubernetes that no version 1.x is"),
        ("- {id: a, source: s, beforeKubernetes: '>=1.25.0-0', before: [text: x]}\n", "without `to` and `before`"),
        (
            "- {id: a, source: s, from: <2, to: '>=2', beforeKubernetes: '>=1.25.0-0', before: [text: x], tests: [y]}\n",
            "says from, tests beside `beforeKubernetes`",
        ),
        ("- {id: a, source: s, from: <2, to: '>=3', mustStopAt: 2.x}\n- {id: b, source: s, skip: 2.x}\n", "all of which is skipped by b"),
        ("- {id: a, source: s, skip: 2.x, to: 2.x}\n", "beside `skip`"),
        ("- {id: a, source: s, fromChart: lost, from: 1.x, to: 2.x}\n", "a chart \"lost\" that no file is about"),
        (
            "- {id: a, source: s, to: <2, needsKubernetes: <1.20-0}\n- {id: b, source: s, to: '>=2', needsKubernetes: '>=1.22-0'}\n",
            "beacon.yaml:7:3: no path from beacon 1.0.0 to beacon 4.0.0 keeps all of the rules a, b; a at beacon.yaml:7:3: beacon <2 needs Kubernetes <1.20-0; b at beacon.yaml:8:3: beacon >=2 needs Kubernetes >=1.22-0; mend a or b, or take one of them out",
        ),
    ] {
        let said = linted(rules);
        assert!(said.contains(words), "{rules}{said}");
    }
    assert_eq!(linted("- {id: a, source: s, from: <2, to: '>=3', mustStopAt: 2.x}\n"), "");
    assert_eq!(linted("- {id: a, source: s, to: 1.0.0, beforeKubernetes: '>=1.25.0-0', before: [text: x]}\n"), "");
    let own = "apiVersion: groundswell.dev/v1alpha1\nkind: PathRules\nchart: kube-prometheus-stack\nrules:\n- {id: a-skip, skip: 22.x, source: s}\n";
    let problems = lint(&RuleSet::shipped().unwrap(), &[("own.yaml".to_owned(), own.to_owned())], Origin::Operator);
    let words = &problems[0].words;
    assert!(words.contains("keeps all of the rules a-skip, kps-22-kube-state-metrics; a-skip at own.yaml:5:3: "), "{words}");
    assert!(words.contains("; kps-22-kube-state-metrics at paths/kube-prometheus-stack.yaml:"), "{words}");
    assert!(
        words.ends_with("mend a-skip, or say that kps-22-kube-state-metrics does not hold for you: `disable` with the reason"),
        "{words}"
    );
    let unknown =
        lint(&RuleSet::default(), &[("b.yaml".to_owned(), HEAD.lines().take(3).collect::<Vec<_>>().join("\n"))], Origin::Operator);
    assert!(unknown[0].words.contains("no version of the chart \"beacon\" is known"), "{unknown:?}");
    let circle = format!("{HEAD}rules:\n- {{id: r, source: s, fromChart: lantern, from: 1.x, to: 2.x}}\n");
    let other = circle
        .replace("beacon", "x")
        .replace("lantern", "beacon")
        .replace("id: r", "id: q")
        .replace('x', "lantern")
        .replace("1.lantern", "1.x")
        .replace("2.lantern", "2.x");
    let problems = lint(&RuleSet::default(), &[("a.yaml".to_owned(), circle), ("b.yaml".to_owned(), other)], Origin::Operator);
    assert!(problems.iter().any(|problem| problem.words.contains("leads in a circle")), "{problems:?}");
}
