//! Our own charts under helm's own eyes, and the examples under the server's.

use anyhow::{Context, Result, ensure};
use groundswell_foundation::Binaries;
use groundswell_foundation::stand::{Ran, charts_dir, run};
use groundswell_tests::Alone;
use serde_json::json;
use std::fs;
use std::path::PathBuf;
use std::process::Command;

/// What each chart needs said before it renders.
const CHARTS: [(&str, &[&str]); 3] = [
    ("beacon", &[]),
    ("groundswell-agent", &["server.sessionUrl=https://s:7444", "server.enrolUrl=https://s:7443", "rbac.namespaces={demo}"]),
    ("groundswell-server", &[]),
];

/// A chart, one value set wrongly, and what the refusal names.
const REFUSED: [(&str, &str, &str); 6] = [
    ("beacon", "replicas=many", "replicas"),
    ("beacon", "fate=luck", "fate"),
    ("beacon", "repliccas=2", "repliccas"),
    ("groundswell-agent", "rbac.mode=all", "mode"),
    ("groundswell-agent", "serverr.sessionUrl=x", "serverr"),
    ("groundswell-server", "startup.periodSeconds=soon", "periodSeconds"),
];

fn helm(verb: &[&str], chart: &str, sets: &[&str]) -> Result<Ran> {
    let binaries = Binaries::locate_or_build(&mut |_| {})?;
    let sets = sets.iter().flat_map(|set| ["--set", set]);
    run(Command::new(binaries.helm).args(verb).arg(charts_dir().join(chart)).args(sets))
}

#[test]
fn our_charts_pass_lint_and_render() -> Result<()> {
    for (chart, sets) in CHARTS {
        helm(&["lint", "--strict"], chart, sets)?.ok()?;
        let rendered = helm(&["template", "r", "--namespace", "n"], chart, sets)?.ok()?;
        ensure!(
            rendered.contains("kind: Deployment") || rendered.contains("kind: StatefulSet"),
            "{chart} renders no workload:\n{rendered}"
        );
    }
    Ok(())
}

#[test]
fn values_that_make_no_sense_are_refused_by_name() -> Result<()> {
    for (chart, set, name) in REFUSED {
        let sets = CHARTS.iter().find(|(other, _)| *other == chart).map(|(_, sets)| *sets).unwrap_or_default();
        let ran = helm(&["template", "r"], chart, &[sets, &[set]].concat())?;
        ensure!(ran.code != 0, "{chart} takes {set}");
        ensure!(ran.stderr.contains(name), "the refusal of {set} does not name it:\n{}", ran.stderr);
    }
    Ok(())
}

fn examples() -> PathBuf {
    charts_dir().join("../examples")
}

#[test]
fn the_examples_apply() -> Result<()> {
    Alone::play(|server| {
        let labels = [("east-01", json!({"foundation": "east", "canary": "true"})), ("west-01", json!({"foundation": "west"}))];
        for (cluster, labels) in labels {
            server.enrol(cluster, labels)?;
        }
        let before = server.operator()?.get::<serde_json::Value>("/v1/releases")?;
        let path = |name: &str| Ok::<_, anyhow::Error>(examples().join(name).to_str().context("a path that is no UTF-8")?.to_owned());
        let (strategies, beacon, minimal) = (path("strategies.yaml")?, path("beacon.yaml")?, path("minimal.yaml")?);
        let plan = server.cli(&["apply", "-f", &strategies, "-f", &beacon, "--dry-run"])?.ok()?;
        ensure!(plan.contains("canary") && plan.contains("east-01") && plan.contains("west-01"), "{plan}");
        server.cli(&["apply", "-f", &minimal, "--dry-run"])?.ok()?;
        ensure!(server.operator()?.get::<serde_json::Value>("/v1/releases")? == before, "a dry run changed something");
        let schema = server.cli(&["schema"])?.ok()?;
        ensure!(
            schema == fs::read_to_string(examples().join("groundswell.schema.json"))?,
            "the schema in examples/ is not what the command prints"
        );
        for entry in fs::read_dir(examples())? {
            let name = entry?.file_name().into_string().unwrap_or_default();
            let known = ["beacon.yaml", "minimal.yaml", "strategies.yaml", "beacon-overrides.yaml", "groundswell.schema.json", "README.md"];
            ensure!(known.contains(&name.as_str()), "examples/{name} is not tested here");
        }
        Ok(())
    })
}
