//! The grammar of ranges, asked of the real helm: nothing that is expected here was typed, helm says it.

#![expect(clippy::unwrap_used, reason = "a test fails by it")]

use groundswell_change::constraint::{Constraint, Version};
use proptest::prelude::*;
use proptest::strategy::ValueTree;
use proptest::test_runner::TestRunner;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

/// One run of helm takes a fraction of a second however many pairs it is given; only what does not parse needs a run for itself.
const GENERATED: usize = 1_500;
/// Invalid texts that are asked one by one.
const INVALID: usize = 80;

const RANGES: &str = r"
    >=1.25.0-0 | >=1.25.0 | ^1.16.0-0 | >= 1.19.0-0 | >=1.16-0 <1.22-0 | <1.22.0-0 | 1 | 1.2 | 1.2.3 | v1.2 | =1.2 | = 1.2.3 | * | x | X | 1.x
    1.2.x | 1.*.* | 1.x.3 | x.1.2 | * - * | >11 | >11.1 | >11.1.x | >=11 | <=11 | <=11.1 | <11 | <11.1 | =>1.2 | =<1.2 | ~1 | ~1.2 | ~1.2.3 | ~1.x
    ~> 1.2 | ~0 | ~0.0.0 | ~0.0 | ~* | ^1 | ^1.2 | ^1.2.3 | ^0 | ^0.0 | ^0.0.0 | ^0.0.3 | ^0.2 | ^0.2.3 | ^0.2.x | ^* | !=1.2.3 | !=1.2 | !=1.2.x | !=1
    !=* | !=1.2.3-alpha | !=1.2-alpha | 1.2 - 1.4.5 | 1.2.3-alpha - 2 | v1 - v2 | 1.2 - 3.x | >=1.2, <2 | >=1.2 <2 | >=1.2 , <2 | >1,<1.5,!=1.3
    1.0.0-alpha | >1.0.0-alpha | >=1.0.0-alpha.1 <1.0.0-beta | <1.0.0-rc.1 | ^1.0.0-0 | ~1.2.0-0 | *-0 | >=0-0 | >=0.0.0-0 | 1-0 | 1.2-0 | >1-0
    <=1.2-0 | 1.28.3+vmware.1 | >=1.28.3+a | 1.2.3+a.b-c | 01.002.3 | >=1.0.0-0.3.7 | 1.0.0-x.7.z.92 | >=1.0.0-99 | >1.0.0-999999999999999999999
    1.2.3|4 | x|1 | x.1|2 | 1.x.| | ^1.2.3-beta.2 | ~1.2.3-beta.2 | =1.x-alpha | 18446744073709551615 | >=18446744073709551615.0";

const VERSIONS: &str = "0.0.0 0.0.1 0.0.3 0.0.4 0.1.0 0.2.0 0.2.3 0.2.9 0.3.0 1 1.0 1.0.0 1.0.1 1.2 1.2.0 1.2.3 1.2.4 1.2.9 1.3.0 1.4.5 1.4.6 \
    1.16.0 1.21.14 1.22.0 1.25.0 v1.28.3+vmware.1 1.28.3-gke.7 v1.25.1-eks-7f9249a 1.24.17+k3s1 2 2.0.0 2.5.1 3 3.1.4 11 11.0.1 11.1 11.1.9 11.2 12 \
    0.0.0-alpha 0.0.0-0 1.0.0-0 1.0.0-alpha 1.0.0-alpha.1 1.0.0-alpha.beta 1.0.0-beta 1.0.0-beta.2 1.0.0-beta.11 1.0.0-rc.1 1.0.0-1 1.0.0-99 1.0.0-103 \
    1.0.0-999999999999999999999 1.2.0-alpha 1.2.3-alpha 1.2.3-beta.2 1.2.3-beta.10 1.2.3--1 1.3.0-0 2.0.0-0 2.0.0-rc.1 12.0.0-0 1.2.3+a 1.2.3+b \
    01.2.3 1.02 18446744073709551615.0.0";

fn helm_binary() -> PathBuf {
    let built = Path::new(env!("CARGO_MANIFEST_DIR")).join("../target/foundation/bin/helm");
    let named = std::env::var_os("GROUNDSWELL_HELM").map(PathBuf::from);
    let on_path = std::env::var_os("PATH").unwrap_or_default();
    let candidates = named.into_iter().chain([built]).chain(std::env::split_paths(&on_path).map(|p| p.join("helm")));
    let found = candidates.into_iter().find(|p| p.is_file());
    found.expect("no helm binary: build it (cargo xtask foundation) or name one in GROUNDSWELL_HELM")
}

/// A chart that answers questions.
struct Oracle {
    folder: tempfile::TempDir,
    helm: PathBuf,
}

impl Oracle {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        std::fs::create_dir(folder.path().join("templates")).unwrap();
        std::fs::write(folder.path().join("Chart.yaml"), "apiVersion: v2\nname: oracle\nversion: 1.0.0\n").unwrap();
        // Each answer is a character, so that a hundred thousand of them make one small document.
        let template = r#"answers: "{{ range .Values.ranges }}{{ $range := . }}{{ range $.Values.versions }}{{ if semverCompare $range . }}1{{ else }}0{{ end }}{{ end }}{{ end }}"
versions: "{{ range .Values.only }}{{ semver . }}{{ end }}"
"#;
        std::fs::write(folder.path().join("templates/answers.yaml"), template).unwrap();
        Self { folder, helm: helm_binary() }
    }

    fn ask(&self, ranges: &[String], versions: &[String], only: &[String]) -> Output {
        let values = tempfile::NamedTempFile::new_in(self.folder.path()).unwrap();
        let asked = serde_json::json!({ "ranges": ranges, "versions": versions, "only": only });
        std::fs::write(values.path(), asked.to_string()).unwrap();
        let home = self.folder.path().join("home");
        let mut helm = Command::new(&self.helm);
        helm.env_clear().env("HELM_CACHE_HOME", &home).env("HELM_CONFIG_HOME", &home).env("HELM_DATA_HOME", &home);
        helm.arg("template").arg(self.folder.path()).arg("--values").arg(values.path()).output().unwrap()
    }

    /// The answers for each range and version.
    fn answers(&self, ranges: &[String], versions: &[String]) -> Vec<bool> {
        let output = self.ask(ranges, versions, &[]);
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(output.status.success(), "we take a range or version that helm refuses: {said}");
        let text = String::from_utf8(output.stdout).unwrap();
        let line = text.lines().find_map(|line| line.strip_prefix("answers: ")).unwrap();
        line.trim_matches('"').chars().map(|c| c == '1').collect()
    }

    fn takes(&self, ranges: &[String], only: &[String]) -> bool {
        self.ask(ranges, &["1.2.3".to_owned()], only).status.success()
    }
}

/// Texts from the grammar, and from beside it.
fn generated() -> Vec<String> {
    let suffix = "(||||-0|-alpha|-beta\\.2|-rc\\.1\\+a|\\+meta)";
    let clean = text("(0|1|2|11|x|X|\\*|[0-3])", "{0,2}", suffix, "( \\|\\| |\\|\\|| |,|, | - )");
    let wild = text("(0|1|2|01|x1|1x|\\|1|[0-3])", "{0,3}", "(|||-0|-01|-|\\+a)", "( \\|\\| | |  |\t| -|\\||)");
    let mut runner = TestRunner::deterministic();
    let mut make = |text: &str, count: usize| -> Vec<String> {
        let strategy = proptest::string::string_regex(text).unwrap();
        (0..count).map(|_| strategy.new_tree(&mut runner).unwrap().current()).collect()
    };
    let (mut texts, wild) = (make(&clean, GENERATED), make(&wild, GENERATED / 3));
    texts.extend(wild);
    texts
}

/// Terms with something between them.
fn text(part: &str, more: &str, suffix: &str, between: &str) -> String {
    let term = format!("(=|!=|>|<|>=|=>|<=|=<|~|~>|\\^|||) {{0,1}}v?{part}(\\.{part}){more}{suffix}");
    format!(" {{0,1}}{term}({between}{term}){{0,3}} {{0,1}}")
}

fn words(text: &str) -> Vec<String> {
    text.split_whitespace().map(ToOwned::to_owned).collect()
}

fn ranges() -> Vec<String> {
    let typed = RANGES.lines().flat_map(|line| line.split(" | ")).map(|text| text.trim().to_owned());
    let alternatives =
        [">=1.2 <2 || =>3 =<4", "1.x||2.x", "1 - 2 || 3 - 4", "1 - 2 1 - 2", "1 - 2v3", "11 - 2 1 - 2"].map(ToOwned::to_owned);
    let limits = [
        "1".repeat(20),
        vec!["1"; 32].join("||"),
        vec!["1"; 33].join("||"),
        " ".repeat(511) + "1",
        " ".repeat(512) + "1",
        format!("1.2.3-{}", "a".repeat(251)),
    ];
    typed.filter(|text| !text.is_empty()).chain(alternatives).chain(limits).chain(generated()).collect()
}

#[test]
fn ranges_mean_what_helm_takes_them_for() {
    let oracle = Oracle::new();
    let versions: Vec<String> = words(VERSIONS);
    let ranges = ranges();
    let valid: Vec<(String, Constraint)> = ranges.iter().filter_map(|text| Some((text.clone(), Constraint::parse(text).ok()?))).collect();
    assert!(valid.len() > 900, "the generator makes too few ranges that parse: {}", valid.len());
    let texts: Vec<String> = valid.iter().map(|(text, _)| text.clone()).collect();
    let answers = oracle.answers(&texts, &versions);
    assert_eq!(answers.len(), texts.len() * versions.len());
    let parsed: Vec<Version> = versions.iter().map(|text| Version::parse(text).unwrap()).collect();
    let mut wrong = Vec::new();
    for ((text, range), answers) in valid.iter().zip(answers.chunks(versions.len())) {
        for (version, helm) in parsed.iter().zip(answers) {
            if range.matches(version) != *helm {
                wrong.push(format!("{text:?} and {version}: helm says {helm}"));
            }
        }
    }
    assert!(wrong.is_empty(), "{} of {}:\n{}", wrong.len(), answers.len(), wrong[..wrong.len().min(30)].join("\n"));
    assert!(answers.iter().filter(|yes| **yes).count() > 1_000, "hardly any version lies in a range");
}

#[test]
fn what_we_refuse_helm_refuses() {
    let oracle = Oracle::new();
    let mut invalid: Vec<String> = ranges().into_iter().filter(|text| Constraint::parse(text).is_err()).collect();
    invalid.sort_by_key(String::len);
    invalid.dedup();
    let step = (invalid.len() / INVALID).max(1);
    let mut asked: Vec<String> = invalid.into_iter().step_by(step).collect();
    asked
        .extend(["", " ", "1||", "||1", "1,,2", ",1", "1,", "> = 1", "1>2", ">=1 - 2", "1 - 2 - 3", "1\u{b}2", "ü"].map(ToOwned::to_owned));
    let taken: Vec<&String> =
        asked.iter().filter(|text| Constraint::parse(text).is_err() && oracle.takes(&[(*text).clone()], &[])).collect();
    assert!(taken.is_empty(), "helm takes what we refuse: {taken:#?}");
}

#[test]
fn versions_are_those_that_helm_reads() {
    let oracle = Oracle::new();
    let good: Vec<String> = words(VERSIONS).into_iter().chain(["1.2.3-a.b.c+d.e", "v1", "1.2.3+0001"].map(ToOwned::to_owned)).collect();
    assert!(good.iter().all(|text| Version::parse(text).is_ok()));
    assert!(oracle.takes(&[], &good));
    for text in
        ["", "v", "V1", "1.2.3.4", "1.x", "*", "1-", "1+", "1.2.3-a..b", "1.2.3-01", "18446744073709551616", "1|2", "ü", "1.2.3-ü", "1 "]
    {
        assert!(Version::parse(text).is_err(), "{text}");
        assert!(!oracle.takes(&[], &[text.to_owned()]), "helm reads {text:?}");
    }
}
