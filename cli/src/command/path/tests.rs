//! The command as an operator types it, without a server.

use crate::args::Args;
use crate::error::finish;
use crate::exit::Exit;
use crate::output::Output;
use clap::Parser;
use groundswell_helm::archive::ChartSchema;
use groundswell_helm::schema::validate;
use serde_json::{Value, json};
use std::io::Write;
use std::sync::{Arc, Mutex};

#[derive(Clone, Default)]
struct Buffer(Arc<Mutex<Vec<u8>>>);

impl Write for Buffer {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }
    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

/// Exit code, stdout and stderr of a line.
pub(super) fn run(line: &str) -> (Exit, String, String) {
    let buffers = (Buffer::default(), Buffer::default());
    let mut out = Output::captured(buffers.0.clone(), buffers.1.clone());
    let args = Args::try_parse_from(["groundswell", "path"].into_iter().chain(line.split(' '))).unwrap();
    let exit = finish(crate::command::run(args, &mut out), &mut out);
    let text = |buffer: &Buffer| String::from_utf8(buffer.0.lock().unwrap().clone()).unwrap();
    (exit, text(&buffers.0), text(&buffers.1))
}

fn file(text: &str) -> tempfile::NamedTempFile {
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), text).unwrap();
    file
}

const RULES: &str =
    "apiVersion: groundswell.dev/v1alpha1\nkind: PathRules\nchart: beacon\ncovers: '>=1 <=3'\nversions: [1.0.0, 2.0.0, 3.0.0]\n";

#[test]
fn a_kubernetes_too_new_is_said_before_the_first_hop() {
    let (_, text, _) = run("show --from 22.1.0 --to 80.14.4 --kube-version 1.26.3");
    let before = text.split("\n 1  ").next().unwrap_or_default().split_whitespace().collect::<Vec<_>>().join(" ");
    assert!(before.contains("! the cluster runs Kubernetes 1.26.3, and kube-prometheus-stack 22.1.0 bears 1.16–1.24; "), "{text}");
    assert!(before.contains("Before it, see that `helm get manifest`"), "{text}");
    assert_eq!(text.matches("the cluster runs Kubernetes 1.26.3").count(), 1, "{text}");
}

#[test]
fn a_way_fits_into_eighty_columns() {
    let (exit, text, noise) = run("show --from 8.5.2 --to 88.5.3 --kube-version 1.16.15");
    assert_eq!((exit, noise.as_str()), (Exit::Ok, ""));
    // What is to be copied in one piece may be longer.
    let long = |line: &&str| line.chars().count() > 80 && line.trim().contains(' ');
    assert_eq!(text.lines().filter(long).collect::<Vec<_>>(), Vec::<&str>::new());
    assert!(text.starts_with("prometheus-operator 8.5.2 → kube-prometheus-stack 88.5.3: "), "{text}");
    assert!(text.contains("Upgrade Kubernetes from 1.16 to 1.25 or newer"), "{text}");
    assert!(text.contains("way back: only to kube-prometheus-stack 66.7.1 from here on"), "{text}");
}

#[test]
fn a_way_of_ones_own_rules() {
    let rules = file(&format!(
        "{RULES}rules:\n- id: stop\n  from: <2\n  to: '>=3'\n  mustStopAt: 2.x\n  note: the store is rewritten there\n  source: runbook 7\n- id: crds\n  from: <3\n  to: '>=3'\n  before: [applyCrds]\n  noWayBack: old readers cannot read it\n  tests: [the store opens]\n  source: runbook 8\n"
    ));
    let (exit, text, _) = run(&format!("show --from 1.0.0 --to 3.0.0 --rules {}", rules.path().display()));
    assert_eq!(exit, Exit::Ok);
    insta::assert_snapshot!(text, @r"
    beacon 1.0.0 → beacon 3.0.0: 2 hops, 1 step by hand

     1  beacon 2.0.0
        why stop here:
          - a step from <2 to >=3 has to stop at the newest of 2.x
            the store is rewritten there
            [stop] runbook 7
        way back: to beacon 1.0.0, where it began

     2  beacon 3.0.0
        before:
          1. apply the CRDs of 3.0.0
             [crds] runbook 8
        tested:
          - the store opens
        way back: none from here on
          - old readers cannot read it
            [crds] runbook 8
    ");
}

#[test]
fn json_says_what_it_is() {
    let (exit, text, _) = run("show --from 66.7.1 --to 67.11.0 --kube-version 1.30.0 -o json");
    let value: Value = serde_json::from_str(&text).unwrap();
    assert_eq!((exit, &value["kind"], &value["hops"][0]["version"]), (Exit::Ok, &"UpgradePath".into(), &"67.11.0".into()));
    let (exit, text, _) = run("show --from 61.9.0 --to 63.1.0 -o json");
    let value: Value = serde_json::from_str(&text).unwrap();
    assert_eq!((exit, &value["kind"], &value["rules"][0]["rule"]), (Exit::Blocked, &"NoUpgradePath".into(), &"kps-63-skip".into()));
}

#[test]
fn what_is_printed_is_as_the_schema_says() {
    let data = include_bytes!("../../../../docs/schema/upgrade-path.json").as_slice();
    let schema = ChartSchema { keys: Vec::new(), data: data.into() };
    let against = |value: &Value| validate(std::slice::from_ref(&schema), value);
    // With a cluster's upgrade and without, a way that is not there, and one that nobody knows rules for.
    for line in [
        "show --from 8.5.2 --to 80.14.4 -o json",
        "show --from 8.5.2 --to 80.14.4 --kube-version 1.16.15 -o json",
        "show --from 80.14.4 --to 80.14.4 -o json",
        "show --from 61.9.0 --to 63.1.0 -o json",
        "show --from 1.0.0 --to 2.0.0 --chart lantern -o json",
    ] {
        let mut value: Value = serde_json::from_str(&run(line).1).unwrap();
        against(&value).unwrap_or_else(|error| panic!("{line}: {error}"));
        value.as_object_mut().unwrap().remove("apiVersion");
        assert!(against(&value).is_err(), "{line}: the schema takes anything");
    }
    // What only renders bring into a way.
    let claim = json!({"code": "keep-field", "words": "Service web: keep the old value"});
    let mut value: Value = serde_json::from_str(&run("show --from 66.7.1 --to 67.11.0 -o json").1).unwrap();
    value["hops"][0]["before"] = json!([{"words": "keep it", "step": {"chartDiff": &claim}, "why": []}]);
    let removed = json!({"crdFieldRemoved": {"field": "spec.a", "usedBy": "Foo web"}});
    let (from, to) = (&value["from"], &value["to"]);
    let tried = json!([{"from": from, "to": to, "seen": [removed, {"asks": &claim}], "taken": true}]);
    value["rendered"] = tried;
    against(&value).unwrap();
    value["hops"][0]["before"][0]["step"] = json!({"chartDifference": &claim});
    assert!(against(&value).is_err());
}

#[test]
fn json_is_there_where_no_rule_is() {
    let (exit, text, said) = run("show --from 1.0.0 --to 2.0.0 --chart lantern -o json");
    let value: Value = serde_json::from_str(&text).unwrap();
    assert_eq!((exit, &value["kind"], said.as_str()), (Exit::Blocked, &"NoUpgradePath".into(), ""));
    assert!(value["why"].as_str().unwrap().contains("no rules are known for a chart"), "{text}");
}

#[test]
fn a_cluster_is_upgraded_with_what_belongs_to_it() {
    let (_, text, _) = run("show --from 22.1.0 --to 80.14.4 --kube-version 1.19.16");
    let upgrade = text.split(" ▲  Upgrade Kubernetes from 1.19 to 1.25").nth(1).and_then(|rest| rest.split("\n\n").next()).unwrap();
    // Lines end where the width has it.
    let upgrade = upgrade.split_whitespace().collect::<Vec<_>>().join(" ");
    let at = |words: &str| upgrade.find(words).unwrap_or_else(|| panic!("{words}: {upgrade}"));
    assert!(at("on 1.21, before 1.22:") < at("on 1.24, before 1.25:"));
    assert!(at("set the value global.rbac.pspEnabled to false") < at("policy/v1beta1 (PodDisruptionBudget, PodSecurityPolicy)"));
    assert_eq!(upgrade.matches("[kps-psp-before-1.25]").count(), 1, "four steps have one reason\n{upgrade}");
    assert!(upgrade.contains("enforces some") && upgrade.contains("in the same way before 1.26"), "{upgrade}");
    let (_, text, _) = run("show --from 22.1.0 --to 80.14.4 --kube-version 1.19.16 -o json");
    let value: Value = serde_json::from_str(&text).unwrap();
    let hops = value["hops"].as_array().unwrap();
    let stops = &hops.iter().find(|hop| hop["clusterUpgrade"].is_object()).unwrap()["clusterUpgrade"]["stops"];
    assert_eq!((&stops[0]["on"], &stops[0]["before"], &stops[0]["certain"]), (&"1.21".into(), &"1.22".into(), &true.into()));
    assert_eq!(stops[1]["steps"].as_array().unwrap().len(), 4);
}

#[test]
fn without_a_way_the_rule_is_named() {
    let (exit, text, _) = run("show --from 9.3.2 --to 9.4.10 --kube-version 1.22.1");
    assert_eq!(exit, Exit::Blocked);
    assert!(text.contains("[kps-9-kubernetes] kube-prometheus-stack 9.4.10"), "{text}");
    assert!(text.contains("a file with `disable`"), "{text}");
    assert_eq!(run("show --from 80.14.4 --to 79.12.0").0, Exit::Blocked);
    assert!(run("show --from 80.14.4 --to 80.14.44").1.contains("80.14.44 was never published"));
}

#[test]
fn nobody_is_told_to_disable_a_shipped_rule_for_ones_own() {
    let head = "apiVersion: groundswell.dev/v1alpha1\nkind: PathRules\nchart: kube-prometheus-stack\n";
    let own = file(&format!("{head}rules:\n- {{id: never-66, skip: 66.x, source: s}}\n"));
    let (exit, text, _) = run(&format!("show --from 60.5.0 --to 80.14.4 --rules {}", own.path().display()));
    assert_eq!(exit, Exit::Blocked);
    assert!(text.contains("[kps-66-prometheus-2.55]") && text.contains("[never-66] s"), "{text}");
    assert!(text.contains("your own rule never-66") && !text.contains("`disable`"), "{text}");
    let all = file(&format!("{head}rules:\n- {{id: s1, skip: '*', source: s}}\n"));
    let (_, text, _) = run(&format!("lint {}", all.path().display()));
    assert!(text.contains("keeps the rule s1: ") && !text.contains("kps-"), "{text}");
}

#[test]
fn a_chart_without_rules_is_tried_where_it_can_be_rendered() {
    let folder = tempfile::tempdir().unwrap();
    let (exit, _, said) = run("show --from 1.0.0 --to 2.0.0 --chart lantern");
    assert!(exit == Exit::Blocked && said.contains("no rules are known"), "{said}");
    std::fs::write(folder.path().join("lantern-3.0.0.tgz"), "").unwrap();
    let (exit, text, _) =
        run(&format!("show --from 1.0.0 --to 2.0.0 --chart lantern --helm /bin/true --charts {}", folder.path().display()));
    assert_eq!(exit, Exit::Ok, "{text}");
    assert!(text.contains("a straight step is assumed") && text.contains("not rendered"), "{text}");
}

#[test]
fn what_makes_no_sense_is_said() {
    assert_eq!(run("show --from 0.1.0 --to 9.3.2").0, Exit::Usage);
    let (exit, _, said) = run("show --from 8.5.2 --to 9.3.2 --kube-version 2.1");
    assert!(exit == Exit::Usage && said.contains("no version of Kubernetes"), "{said}");
    let (exit, _, said) = run("show --from 8.5.2 --to 9.3.2 --chart promethues-operator");
    assert!(exit == Exit::Blocked && said.contains("known are kube-prometheus-stack, prometheus-operator"), "{said}");
    let both = file(&RULES.replace("1.0.0", "8.5.2"));
    let (exit, _, said) = run(&format!("show --from 8.5.2 --to 9.3.2 --rules {}", both.path().display()));
    assert!(exit == Exit::Usage && said.contains("beacon and prometheus-operator have a version 8.5.2"), "{said}");
    let versions = file("9.3.2\nbanana\n");
    let (exit, _, said) = run(&format!("show --from 8.5.2 --to 9.3.2 --versions prometheus-operator={}", versions.path().display()));
    assert!(exit == Exit::Error && said.contains(":2:1\n"), "{said}");
    let bad = file(&format!("{RULES}rules:\n- {{id: a, source: s, mustStopat: 2.x}}\n"));
    let (exit, _, said) = run(&format!("show --from 8.5.2 --to 9.3.2 --rules {}", bad.path().display()));
    assert!(exit == Exit::Error && said.contains(":7:") && said.contains("mustStopat"), "{said}");
    assert_eq!(run("lint /nowhere/rules.yaml").0, Exit::Error);
}

#[test]
fn lint_finds_and_passes() {
    assert_eq!(run("lint"), (Exit::Ok, "2 files: nothing is wrong\n".to_owned(), String::new()));
    let bad = file(&format!("{RULES}rules:\n- {{id: a, source: s, skip: 7.x}}\n"));
    let (exit, text, _) = run(&format!("lint {}", bad.path().display()));
    assert_eq!(exit, Exit::Error);
    assert_eq!(text, format!("{}:7:3: rule \"a\" says `skip: 7.x`, which no known version of beacon is in\n", bad.path().display()));
    let (exit, text, _) = run(&format!("lint {} -o json", bad.path().display()));
    let value: Value = serde_json::from_str(&text).unwrap();
    assert_eq!((exit, &value["problems"][0]["place"]["line"]), (Exit::Error, &7.into()));
}

#[test]
fn rules_are_listed_with_their_sources() {
    let (exit, text, _) = run("list");
    assert!(exit == Exit::Ok && text.contains("kps-63-skip: kube-prometheus-stack 63.x is no version to stand on"), "{text}");
    let (_, text, _) = run("list -o json");
    let value: Value = serde_json::from_str(&text).unwrap();
    assert!(value["items"].as_array().unwrap().iter().all(|item| item["source"].as_str().is_some_and(|source| !source.is_empty())));
}

#[test]
fn the_example_of_the_book_holds() {
    let book = include_str!("../../../../docs/paths.md");
    let example = book.split("```yaml\n").nth(1).and_then(|rest| rest.split("```").next()).unwrap();
    let rules = file(example);
    let (exit, text, _) = run(&format!("lint {}", rules.path().display()));
    assert_eq!((exit, text.as_str()), (Exit::Ok, "1 file: nothing is wrong\n"));
    let (exit, text, _) = run(&format!("show --from 22.1.0 --to 88.5.3 --kube-version 1.24.3 --rules {}", rules.path().display()));
    assert!(exit == Exit::Ok && text.contains("export the dashboards of team-a"), "{text}");
    let shown = book.split("```console\n$ groundswell path show --from 8.5.2").nth(1).and_then(|rest| rest.split("```").next()).unwrap();
    let (_, text, _) = run("show --from 8.5.2 --to 80.14.4 --kube-version 1.16.15");
    for line in shown.lines().skip(1).filter(|line| *line != "…") {
        assert!(text.lines().any(|real| real == line), "the book shows {line:?}, the command says\n{text}");
    }
}
