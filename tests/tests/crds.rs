//! Issue test 7: a CRD that changed between two versions of a chart is upgraded; Helm alone never does that. And what the server
//! knows of a cluster afterwards is what helm finds there.

use anyhow::{Context, Result, ensure};
use groundswell_api::dto::{ClusterApisDto, InstalledDto, InstalledState, RolloutState};
use groundswell_foundation::stand::eventually;
use groundswell_tests::{Fleet, NAMESPACE, Release};
use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::fs;
use std::time::Duration;

const CLUSTER: &str = "east-01";
const PATIENCE: Duration = Duration::from_secs(120);

fn roll_out(fleet: &Fleet, folder: &str) -> Result<()> {
    let release = Release::new("beacon", "./beacon", "").values("signal: {enabled: true, colour: red}\n");
    let id = fleet.apply(folder, "beacon", &release)?;
    let ended = fleet.operator()?.wait_end(&id, PATIENCE)?;
    ensure!(ended.state == RolloutState::Succeeded, "{ended:#?}");
    Ok(())
}

fn fields(fleet: &Fleet) -> Result<Value> {
    let crd = fleet.stand.cluster(CLUSTER)?.api().get("/apis/apiextensions.k8s.io/v1/customresourcedefinitions/beacons.groundswell.dev")?;
    Ok(crd["spec"]["versions"][0]["schema"]["openAPIV3Schema"]["properties"]["spec"]["properties"].clone())
}

fn signal(fleet: &Fleet) -> Result<Value> {
    let path = format!("/apis/groundswell.dev/v1/namespaces/{NAMESPACE}/beacons/beacon");
    Ok(fleet.stand.cluster(CLUSTER)?.api().get(&path)?["spec"].clone())
}

#[test]
fn a_changed_crd_is_upgraded_before_the_release() -> Result<()> {
    Fleet::play(&[(CLUSTER, "")], |fleet| {
        fleet.beacon("crd-1", "0.1.0")?;
        roll_out(fleet, "crd-1")?;
        ensure!(fields(fleet)? == json!({"colour": {"type": "string"}}), "{}", fields(fleet)?);

        let next = fleet.beacon("crd-2", "0.2.0")?;
        next.edit("crds/beacons.yaml", "colour: {type: string}", "colour: {type: string}\n                brightness: {type: integer}")?;
        next.edit("templates/signal.yaml", "spec:\n", "spec:\n  brightness: 7\n")?;
        roll_out(fleet, "crd-2")?;
        ensure!(fields(fleet)?["brightness"] == json!({"type": "integer"}), "the CRD was not upgraded: {}", fields(fleet)?);
        // An API server that did not know the field would have dropped it.
        ensure!(signal(fleet)? == json!({"brightness": 7, "colour": "red"}), "{}", signal(fleet)?);
        the_api_list_is_helms_own(fleet)?;
        what_is_installed_is_told(fleet)
    })
}

const PROBE: &str =
    "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: probe}\ndata:\n  list: {{ .Capabilities.APIVersions | toJson | quote }}\n";

/// `.Capabilities.APIVersions` of a render against the cluster itself.
fn seen_by_helm(fleet: &Fleet) -> Result<BTreeSet<String>> {
    let chart = fleet.folder("probe")?;
    fs::create_dir_all(chart.join("templates"))?;
    fs::write(chart.join("Chart.yaml"), "apiVersion: v2\nname: probe\nversion: 1.0.0\n")?;
    fs::write(chart.join("templates/probe.yaml"), PROBE)?;
    let chart = chart.to_str().context("a path that is no UTF-8")?;
    let rendered = fleet.stand.helm(CLUSTER, &["template", "probe", chart, "--validate"])?;
    let quoted = rendered.lines().find_map(|line| line.trim().strip_prefix("list: ")).with_context(|| format!("no list in {rendered}"))?;
    Ok(serde_json::from_str(&serde_json::from_str::<String>(quoted)?)?)
}

/// The CRDs came in with the rollout: the agent looked again by itself.
fn the_api_list_is_helms_own(fleet: &Fleet) -> Result<()> {
    let apis = eventually("the server has the list with the CRD", PATIENCE, || {
        let apis: ClusterApisDto = fleet.operator()?.get(&format!("/v1/clusters/{CLUSTER}/apis"))?;
        let has = apis.api_versions.iter().any(|version| version == "groundswell.dev/v1/Beacon");
        ensure!(has, "it has {} entries without it", apis.api_versions.len());
        Ok(apis)
    })?;
    let found: BTreeSet<String> = apis.api_versions.iter().cloned().collect();
    let helms = seen_by_helm(fleet)?;
    ensure!(found == helms, "only ours: {:?}\nonly helm's: {:?}", found.difference(&helms), helms.difference(&found));
    ensure!(apis.incomplete.is_empty() && apis.kubernetes_version.starts_with("v1."), "{apis:#?}");
    Ok(())
}

fn what_is_installed_is_told(fleet: &Fleet) -> Result<()> {
    let operator = fleet.operator()?;
    let installed: InstalledDto = operator.get(&format!("/v1/clusters/{CLUSTER}/releases/beacon"))?;
    let deployed = fleet.deployed(CLUSTER, "beacon")?;
    ensure!(installed.state == InstalledState::Healthy && installed.installed.as_deref() == Some("beacon-0.2.0"), "{installed:#?}");
    ensure!(installed.helm_revision.map(u64::from) == Some(deployed.revision), "{installed:#?}\n{deployed:#?}");
    ensure!(installed.values.len() == 1 && installed.values[0].text.contains("colour: red"), "{installed:#?}");
    Ok(())
}
