//! What the demo shows, and checks.

use crate::shell::say;
use anyhow::{Context as _, Result, bail, ensure};
use groundswell_foundation::stand::{Stand, charts_dir};
use serde_json::Value;
use std::fs;
use std::path::{Path, PathBuf};

const RELEASE: &str = "beacon";
const NAMESPACE: &str = "demo";
const CLUSTERS: [&str; 3] = ["east-01", "east-02", "west-01"];

/// Plays all scenes; the first thing that is not as it is told ends it.
pub(crate) fn play(stand: &mut Stand) -> Result<()> {
    say("== 4. three agents, enrolled with tokens, under the rights of our own agent chart");
    stand.start_agents()?;
    groundswell_foundation::stand::eventually("three agents are connected", std::time::Duration::from_secs(60), || connected(stand))?;
    show(stand, &["cluster", "list"])?;

    say("\n== 5. install beacon 0.1.0 everywhere: overrides by selector, ((cluster_name)) filled in");
    let first = charts(stand, "0.1.0", "ready")?;
    apply(stand, &first, 0)?;
    for cluster in CLUSTERS {
        let values: Value = serde_json::from_str(&stand.helm(cluster, &["get", "values", RELEASE, "-n", NAMESPACE, "-o", "json"])?)?;
        ensure!(values["cluster"] == cluster, "{cluster} got the values of another: {values}");
        let replicas = if cluster == "west-01" { Value::from(2) } else { Value::Null };
        ensure!(values["replicas"] == replicas, "the override for role=federation is wrong on {cluster}: {values}");
    }
    show(stand, &["values", RELEASE, "--cluster", "west-01"])?;

    say("\n== 6. upgrade to 0.2.0: canary first, bake, then the rest");
    let second = charts(stand, "0.2.0", "ready")?;
    apply(stand, &second, 0)?;
    canary_was_first(stand)?;

    say("\n== 7. a version whose pods never become ready: stopped at the canary, taken back");
    let bad = charts(stand, "0.3.0", "never-ready")?;
    apply(stand, &bad, 5)?;

    say("\n== 8. what Helm says, cluster by cluster");
    for cluster in CLUSTERS {
        say(&format!("-- {cluster}"));
        say(stand.helm(cluster, &["history", RELEASE, "-n", NAMESPACE])?.trim_end());
    }
    check_histories(stand)
}

fn connected(stand: &Stand) -> Result<()> {
    let list = stand.cli_json(&["get", "clusters"])?;
    let items = list["items"].as_array().context("no items")?;
    let count = items.iter().filter(|item| item["presence"]["state"] == "online").count();
    ensure!(count == CLUSTERS.len(), "{count} of 3 are connected: {list}");
    Ok(())
}

fn show(stand: &Stand, args: &[&str]) -> Result<()> {
    say(&format!("$ groundswell {}", args.join(" ")));
    say(stand.cli_ok(args)?.trim_end());
    Ok(())
}

/// A copy of the beacon chart at a version, beside a release document that asks for it.
fn charts(stand: &Stand, version: &str, fate: &str) -> Result<PathBuf> {
    let folder = stand.dir().join(format!("release-{version}"));
    copy(&charts_dir().join("beacon"), &folder.join("beacon"))?;
    let file = folder.join("beacon/Chart.yaml");
    let chart = fs::read_to_string(&file)?;
    let lines = chart.lines().map(|line| if line.starts_with("version:") { format!("version: {version}") } else { line.to_owned() });
    fs::write(&file, lines.collect::<Vec<_>>().join("\n") + "\n")?;
    let document = folder.join("release.yaml");
    fs::write(&document, release(version, fate))?;
    Ok(document)
}

fn release(version: &str, fate: &str) -> String {
    format!(
        "apiVersion: groundswell.dev/v1alpha1
kind: Release
metadata:
  name: {RELEASE}
spec:
  namespace: {NAMESPACE}
  chart:
    path: ./beacon
  clusters:
    selector: foundation in (east, west)
  values: |
    cluster: ((cluster_name))
    foundation: ((foundation))
    message: this is {version} on ((cluster_name))
    fate: {fate}
  overrides:
    - selector: role=federation
      values: |
        replicas: 2
  strategy: careful
---
apiVersion: groundswell.dev/v1alpha1
kind: Strategy
metadata:
  name: careful
spec:
  waves:
    - name: canary
      selector: canary=true
      bake: 5s
    - name: rest
      selector: '!canary'
      maxConcurrent: 50%
      bake: 2s
  each:
    deadline: 20s
    gates:
      - ready: {{for: 2s}}
  onFailure: rollbackAll
"
    )
}

fn copy(from: &Path, to: &Path) -> Result<()> {
    fs::create_dir_all(to)?;
    for entry in fs::read_dir(from).with_context(|| format!("read {}", from.display()))? {
        let entry = entry?;
        let target = to.join(entry.file_name());
        if entry.file_type()?.is_dir() { copy(&entry.path(), &target)? } else { fs::copy(entry.path(), target).map(|_| ())? }
    }
    Ok(())
}

/// `groundswell apply --wait`, shown, with the exit code that it must have.
fn apply(stand: &Stand, document: &Path, code: i32) -> Result<()> {
    let document = document.to_str().context("a path that is no UTF-8")?;
    say(&format!("$ groundswell apply -f {document} --wait"));
    let ran = stand.cli(&["apply", "-f", document, "--wait", "--timeout", "3m"])?;
    say(format!("{}{}", ran.stderr, ran.stdout).trim_end());
    if ran.code != code {
        bail!("it exited with {}, expected {code}", ran.code);
    }
    Ok(())
}

fn revisions(stand: &Stand, cluster: &str) -> Result<Vec<Value>> {
    stand.history(cluster, NAMESPACE, RELEASE)
}

fn updated(history: &[Value], chart: &str) -> Result<String> {
    let revision = history.iter().find(|revision| revision["chart"] == chart).with_context(|| format!("no revision of {chart}"))?;
    Ok(revision["updated"].as_str().unwrap_or_default().to_owned())
}

fn canary_was_first(stand: &Stand) -> Result<()> {
    let canary = updated(&revisions(stand, "east-01")?, "beacon-0.2.0")?;
    for cluster in ["east-02", "west-01"] {
        let other = updated(&revisions(stand, cluster)?, "beacon-0.2.0")?;
        ensure!(canary < other, "{cluster} was upgraded at {other}, the canary at {canary}");
    }
    say("   Helm's own times agree: the canary was upgraded first");
    Ok(())
}

fn check_histories(stand: &Stand) -> Result<()> {
    let canary = revisions(stand, "east-01")?;
    let last = canary.last().context("no history on the canary")?;
    ensure!(
        canary.len() == 4 && last["chart"] == "beacon-0.2.0" && last["status"] == "deployed",
        "the canary is not back on 0.2.0: {canary:?}"
    );
    for cluster in ["east-02", "west-01"] {
        let history = revisions(stand, cluster)?;
        ensure!(history.len() == 2, "{cluster} was touched by the bad version: {history:?}");
    }
    Ok(())
}
