//! The corpus of hostile archives: each is refused by the rule that it breaks, and so is what lies near it.

use std::collections::BTreeMap;
use std::path::Path;
use std::process::Command;
use std::sync::LazyLock;

use proptest::prelude::*;

use crate::archive::corpus::{Tar, gunzip, gzip, mutate, outcome, table, tars};
use crate::archive::{ArchiveError, ChartArchive, Files, Limits, Subchart};
use crate::values;

/// What holds of every archive that was read, whatever it was.
fn keeps_the_rules(chart: &ChartArchive, bytes: &[u8]) {
    let limits = Limits::DEFAULT;
    assert!(bytes.len() as u64 <= limits.compressed && chart.expanded_bytes <= limits.expanded);
    assert!(chart.metadata.semver().is_ok(), "{:?}", chart.metadata);
    tree_keeps_the_rules(&chart.files, &chart.subcharts, 0);
}

fn tree_keeps_the_rules(files: &Files, subcharts: &[Subchart], depth: usize) {
    let limits = Limits::DEFAULT;
    assert!(files.len() <= limits.files && depth <= limits.depth);
    for (path, data) in files {
        assert!(path.len() <= limits.path && data.len() as u64 <= limits.file, "{path:?}");
        assert!(!path.split('/').any(|part| matches!(part, "" | "." | "..")), "{path:?}");
        assert!(!path.contains('\\') && !path.chars().any(char::is_control), "{path:?}");
    }
    for sub in subcharts {
        tree_keeps_the_rules(&sub.files, &sub.subcharts, depth + 1);
    }
}

#[test]
fn each_archive_of_the_corpus_gets_its_refusal() {
    let mut wrong = Vec::new();
    let mut seen = BTreeMap::new();
    for case in table() {
        let read = ChartArchive::read(&case.bytes);
        let mut got = outcome(&read);
        if let (Ok(chart), true) = (&read, case.expect.contains("values")) {
            let text = chart.values_yaml().map(|bytes| std::str::from_utf8(bytes).map_err(drop));
            let refused = text.is_some_and(|text| text.and_then(|text| values::parse_values("values.yaml", text).map_err(drop)).is_err());
            got += if refused { ", values refused" } else { ", values read" };
        }
        if got != case.expect {
            wrong.push(format!("{}: {} expected, {got}: {:?}", case.what, case.expect, read.as_ref().err()));
        }
        match &read {
            Ok(chart) => keeps_the_rules(chart, &case.bytes),
            Err(error) if chain(error).chars().any(char::is_control) => wrong.push(format!("{}: raw {:?}", case.what, chain(error))),
            Err(_) => {}
        }
        if let Some(other) = seen.insert((case.what, case.expect), case.bytes.len()) {
            wrong.push(format!("{} is there twice ({other} bytes)", case.what));
        }
    }
    assert!(wrong.is_empty(), "{} of {}:\n{}", wrong.len(), seen.len(), wrong.join("\n"));
    assert!(seen.len() > 150, "only {} archives", seen.len());
}

/// What an operator reads.
fn chain(error: &ArchiveError) -> String {
    let mut text = error.to_string();
    let mut source = std::error::Error::source(error);
    while let Some(error) = source {
        text += &format!(": {error}");
        source = error.source();
    }
    text
}

#[test]
fn an_archive_that_ends_early_is_never_read() {
    let whole = Tar::good().pax("path", b"beacon/long").file("x", &[7; 2000]);
    let (tar, tgz) = (whole.clone().bytes(), whole.tgz());
    ChartArchive::read(&tgz).unwrap();
    for cut in (0..tar.len()).step_by(512).flat_map(|at| [at, at + 1, at + 511]) {
        let read = ChartArchive::read(&gzip(&tar[..cut]));
        assert!(matches!(read, Err(ArchiveError::BrokenTar { .. })), "after {cut} of {}: {read:?}", tar.len());
    }
    for cut in 0..tgz.len() {
        let read = ChartArchive::read(&tgz[..cut]);
        assert!(matches!(read, Err(ArchiveError::NotGzip | ArchiveError::BrokenGzip { .. })), "after {cut} of {}: {read:?}", tgz.len());
    }
}

proptest! {
    #[test]
    fn random_bytes_never_panic(bytes: Vec<u8>) {
        let _ = ChartArchive::read(&bytes);
        let _ = ChartArchive::read(&gzip(&bytes));
    }

    #[test]
    fn a_damaged_stream_never_panics(which: prop::sample::Index, changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..8)) {
        let mut bytes = which.get(SMALL.as_slice()).clone();
        for (index, byte) in changes {
            let at = index.index(bytes.len());
            bytes[at] = byte;
        }
        if let Ok(chart) = ChartArchive::read(&bytes) {
            keeps_the_rules(&chart, &bytes);
        }
    }
}

static SMALL: LazyLock<Vec<Vec<u8>>> =
    LazyLock::new(|| table().into_iter().map(|case| case.bytes).filter(|bytes| (1..8 << 10).contains(&bytes.len())).collect());

#[test]
fn what_lies_near_the_corpus_keeps_the_rules_or_is_refused() {
    let tars = tars();
    let mut read = 0;
    for seed in 0..2_000 {
        let bytes = gzip(&mutate(&tars, seed));
        if let Ok(chart) = ChartArchive::read(&bytes) {
            keeps_the_rules(&chart, &bytes);
            read += 1;
        }
    }
    // With nothing read, the mutations would prove nothing.
    assert!(read > 200, "only {read} of 2000 were read");
}

/// Prints all that a chart is to a template. `toJson` sorts keys.
const PROBE: &str = r#"kind: Probe
files:{{ range $path, $data := .Files }}
  {{ $path | quote }}: {{ toString $data | sha256sum }}{{ end }}
values: {{ toJson .Values }}
chart: {{ toJson .Chart }}
"#;

/// The tar with the probe in front, and whether its reading holds it: a mutated tar may have taken it as content of something.
fn probed(tar: &[u8]) -> Option<(Vec<u8>, ChartArchive)> {
    let probe = Tar::default().file("beacon/templates/probe.yaml", PROBE.as_bytes()).unended();
    let bytes = gzip(&[&probe, tar].concat());
    ChartArchive::read(&bytes).ok().map(|chart| (bytes, chart))
}

/// The same files in the plainest tar there is.
fn plain(chart: &ChartArchive) -> Vec<u8> {
    let top = &chart.metadata.name;
    let one =
        |tar: Tar, (path, data): (&String, &std::sync::Arc<[u8]>)| tar.pax("path", format!("{top}/{path}").as_bytes()).file("x", data);
    chart.files.iter().fold(Tar::default(), one).tgz()
}

fn as_helm_sees(bytes: &[u8], folder: &Path) -> (bool, String) {
    let chart = folder.join("chart.tgz");
    std::fs::write(&chart, bytes).unwrap();
    let mut helm = Command::new(crate::testing::helm_binary());
    helm.args(["template", "r"]).arg(&chart).env_clear().env("HOME", folder);
    let out = helm.output().unwrap();
    (out.status.success(), format!("{}{}", String::from_utf8_lossy(&out.stdout), String::from_utf8_lossy(&out.stderr)))
}

#[test]
fn what_we_read_the_real_helm_reads_alike() {
    let folder = tempfile::tempdir().unwrap();
    let honest = table().into_iter().filter(|case| case.expect == "read").map(|case| gunzip(&case.bytes));
    let tars = tars();
    let near = (0..4_000).map(|seed| mutate(&tars, seed)).filter(|tar| !tars.contains(tar));
    let mut same = 0;
    for (bytes, chart) in honest.filter_map(|tar| probed(&tar)).take(12).chain(near.filter_map(|tar| probed(&tar)).take(18)) {
        let (theirs, ours) = (as_helm_sees(&bytes, folder.path()), as_helm_sees(&plain(&chart), folder.path()));
        assert_eq!(theirs, ours, "{:?}", chart.files.keys());
        same += usize::from(theirs.0);
    }
    assert!(same >= 20, "only {same} were charts to helm at all");
}
