//! What `groundswell chart diff --cluster` says is of the cluster as it is: its version, its APIs, its chart, its values.

use anyhow::{Context, Result, ensure};
use groundswell_api::dto::{ClusterDto, PresenceState, RolloutState};
use groundswell_foundation::stand::{Programs, Ran, run};
use groundswell_helm::pack::pack;
use groundswell_tests::{Chart, Fleet, Release, digest, eventually};
use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

const CLUSTER: &str = "east-01";
const PATIENCE: Duration = Duration::from_secs(120);
/// `cluster` only has a value once the server has filled it in, and `replicas` is the override's.
const VALUES: &str = "message: first\ncluster: ((cluster_name))\nreplicas: 1\n";
const OVERRIDE: &str = "replicas: 2\n";

/// The next version shows in a ConfigMap what it was rendered for, and makes the override the default.
fn newer(fleet: &Fleet) -> Result<Chart> {
    let chart = fleet.beacon("newer", "0.2.0")?;
    chart.edit("values.yaml", "replicas: 1", "replicas: 2")?;
    let shown = "printf \"%s on %s, signals %v\" .Values.cluster .Capabilities.KubeVersion.Version \
         (.Capabilities.APIVersions.Has \"groundswell.dev/v1/Beacon\")";
    chart.edit("templates/configmap.yaml", ".Values.cluster", shown)?;
    Ok(chart)
}

fn release() -> Release {
    Release::new("beacon", "./beacon", "").values(VALUES).over("foundation=east", OVERRIDE)
}

/// The command with a cache of its own: what an earlier run remembers of the values is not tested here.
fn diff(fleet: &Fleet, cluster: &str, new: &Path) -> Result<Ran> {
    let mut command = Command::new(Programs::locate()?.cli);
    command.envs(fleet.stand.cli_env()).env("XDG_CACHE_HOME", fleet.stand.dir().join("cache"));
    command.args(["chart", "diff", "--cluster", cluster, "-o", "json", "--helm"]).arg(fleet.stand.helm_binary()).arg(new);
    run(&mut command)
}

fn summary(fleet: &Fleet, new: &Chart, code: i32) -> Result<Value> {
    let ran = diff(fleet, CLUSTER, new.folder())?;
    ensure!(ran.code == code, "it exits with {}, not {code}:\n{}{}", ran.code, ran.stdout, ran.stderr);
    serde_json::from_str(&ran.stdout).with_context(|| format!("no JSON: {}", ran.stdout))
}

#[test]
fn a_comparison_is_for_the_cluster_as_it_is() -> Result<()> {
    Fleet::play(&[(CLUSTER, "foundation=east")], |fleet| {
        let (first, newer) = (fleet.beacon("first", "0.1.0")?, newer(fleet)?);
        let unknown = diff(fleet, "moon", newer.folder())?;
        ensure!(unknown.code == 1 && unknown.stdout.is_empty() && unknown.stderr.contains("moon"), "{unknown:?}");
        let early = diff(fleet, CLUSTER, newer.folder())?;
        ensure!(early.code == 1 && early.stderr.contains("has no installed chart of cluster east-01"), "{early:?}");

        ends(fleet, "first", RolloutState::Succeeded)?;
        let told = summary(fleet, &newer, 3)?;
        it_is_about(&told, &first, &newer)?;
        its_values_are_the_clusters(&told)?;

        let second = ends(fleet, "newer", RolloutState::Succeeded)?;
        let same = summary(fleet, &newer, 0)?;
        it_is_about(&same, &newer, &newer)?;
        fleet.stand.cli_ok(&["rollout", "undo", &second])?;
        fleet.operator()?.wait(&second, "it is taken back", PATIENCE, |rollout| rollout.state == RolloutState::RolledBack)?;
        ensure!(fleet.deployed(CLUSTER, "beacon")?.chart == "beacon-0.1.0", "{:?}", fleet.deployed(CLUSTER, "beacon")?);
        let back = summary(fleet, &newer, 3)?;
        it_is_about(&back, &first, &newer)?;

        its_apis_are_the_clusters(fleet, &newer)?;
        the_server_answers_for_an_agent_that_is_away(fleet, &newer)
    })
}

fn ends(fleet: &Fleet, folder: &str, state: RolloutState) -> Result<String> {
    let id = fleet.apply(folder, "beacon", &release())?;
    let ended = fleet.operator()?.wait_end(&id, PATIENCE)?;
    ensure!(ended.state == state, "{ended:#?}");
    Ok(id)
}

fn it_is_about(told: &Value, old: &Chart, new: &Chart) -> Result<()> {
    for (side, chart) in [("old", old), ("new", new)] {
        let expected = digest(&pack(chart.folder())?.bytes);
        ensure!(told[side]["digest"] == expected.as_str(), "the {side} chart is {:#} and should have {expected}", told[side]);
    }
    Ok(())
}

fn items(told: &Value) -> Vec<&Value> {
    let sections = told["sections"].as_array().map(Vec::as_slice).unwrap_or_default();
    sections.iter().flat_map(|section| section["items"].as_array().map(Vec::as_slice).unwrap_or_default()).collect()
}

/// The key of the chart's ConfigMap that says what it was rendered for.
fn rendered_for(told: &Value) -> Result<(&str, &str)> {
    let found =
        items(told).into_iter().find(|item| item["path"] == "data.cluster").with_context(|| format!("no data.cluster: {told:#}"))?;
    Ok((found["before"].as_str().unwrap_or_default(), found["after"].as_str().unwrap_or_default()))
}

fn its_values_are_the_clusters(told: &Value) -> Result<()> {
    ensure!(told["target"]["values"] == json!(["values", "override foundation=east"]), "{:#}", told["target"]);
    let (before, after) = rendered_for(told)?;
    ensure!(before == CLUSTER && after.starts_with("east-01 on v"), "((cluster_name)) is not filled in: {before}, {after}");
    let classed = |path: &str| items(told).into_iter().find(|item| item["path"] == path).with_context(|| format!("{path}: {told:#}"));
    let replicas = classed("replicas")?;
    ensure!(replicas["code"] == "override-now-default" && replicas["from"]["at"] == "override foundation=east", "{replicas:#}");
    let works = items(told).into_iter().find(|item| item["code"] == "override-works").context("no value works")?;
    ensure!(works["detail"] == json!(["cluster", "message"]), "{works:#}");
    Ok(())
}

/// By discovery of our own. The agent looks again a while after the chart brought its CRD.
fn its_apis_are_the_clusters(fleet: &Fleet, newer: &Chart) -> Result<()> {
    let api = fleet.stand.cluster(CLUSTER)?.api();
    let version = api.get("/version")?["gitVersion"].as_str().context("no version")?.to_owned();
    let groups = api.get("/apis")?;
    let of_group = |group: &Value| group["versions"].as_array().cloned().unwrap_or_default();
    let named = groups["groups"].as_array().context("no groups")?.iter().flat_map(of_group).map(|version| version["groupVersion"].clone());
    let mut all = BTreeSet::new();
    for group in std::iter::once(json!("v1")).chain(named) {
        let group = group.as_str().context("a group without a name")?;
        let kinds = api.get(&format!("/{}/{group}", if group == "v1" { "api" } else { "apis" }))?;
        all.insert(group.to_owned());
        all.extend(
            kinds["resources"]
                .as_array()
                .into_iter()
                .flatten()
                .map(|kind| format!("{group}/{}", kind["kind"].as_str().unwrap_or_default())),
        );
    }
    ensure!(all.len() > 50 && all.contains("groundswell.dev/v1/Beacon"), "{all:?}");
    eventually("the server knows the cluster's APIs", PATIENCE, || {
        let told = summary(fleet, newer, 3)?;
        let target = &told["target"];
        ensure!(target["kubeVersion"] == version.as_str() && target["from"] == "cluster east-01", "{target:#}");
        ensure!(target["apiVersions"] == all.len(), "{target:#}, and it serves {}", all.len());
        let expected = format!("{CLUSTER} on {version}, signals true");
        ensure!(rendered_for(&told)?.1 == expected, "helm was told something else than {expected}: {told:#}");
        Ok(())
    })
}

fn the_server_answers_for_an_agent_that_is_away(fleet: &mut Fleet, newer: &Chart) -> Result<()> {
    let before = summary(fleet, newer, 3)?;
    fleet.stand.kill_agent(CLUSTER);
    eventually("the server knows that the agent is away", PATIENCE, || {
        let cluster: ClusterDto = fleet.operator()?.get(&format!("/v1/clusters/{CLUSTER}"))?;
        ensure!(cluster.presence.state == PresenceState::Offline, "{:?}", cluster.presence);
        Ok(())
    })?;
    let mut away = summary(fleet, newer, 3)?;
    let unknown = away["verdict"]["notChecked"].as_array_mut().context("no list")?;
    let said = unknown.iter().position(|one| one["what"] == "what changed in cluster east-01 since its agent is away");
    unknown.remove(said.with_context(|| format!("it is not said that the agent is away: {unknown:#?}"))?);
    ensure!(away == before, "it was\n{before:#}\nand is\n{away:#}");
    Ok(())
}
