//! Issue test 7: a CRD that changed between two versions of a chart is upgraded; Helm alone never does that.

use anyhow::{Result, ensure};
use groundswell_api::dto::RolloutState;
use groundswell_tests::{Fleet, NAMESPACE, Release};
use serde_json::{Value, json};
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
        Ok(())
    })
}
