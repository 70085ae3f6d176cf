//! Issue test 6: a release that was installed by hand is adopted, and undo returns to it.

use anyhow::{Context, Result, ensure};
use groundswell_api::dto::RolloutState;
use groundswell_tests::{Fleet, NAMESPACE, Release};
use std::fs;
use std::time::Duration;

const CLUSTER: &str = "east-01";
const PATIENCE: Duration = Duration::from_secs(120);

#[test]
fn a_release_installed_by_hand_is_adopted_and_undo_returns_to_it() -> Result<()> {
    Fleet::play_without_agents(&[(CLUSTER, "")], |fleet| {
        fleet.stand.prepare_cluster(CLUSTER)?;
        by_hand(fleet)?;
        let token = fleet.stand.join_token(CLUSTER)?;
        fleet.stand.start_agent(CLUSTER, &token)?;
        fleet.online()?;
        let (values, before) = (fleet.helm_values(CLUSTER, "beacon")?, fleet.deployed(CLUSTER, "beacon")?);
        ensure!(before.revision == 7, "{before:?}");

        fleet.beacon("adopted", "0.2.0")?;
        let release = Release::new("beacon", "./beacon", "").values("message: ours\n");
        let plan = fleet.apply_with("adopted", "beacon", &release, &["--dry-run"])?.ok()?;
        ensure!(plan.contains("adopt") && plan.contains('7'), "the plan does not say that it adopts:\n{plan}");
        let id = fleet.apply("adopted", "beacon", &release)?;
        let ended = fleet.operator()?.wait_end(&id, PATIENCE)?;
        ensure!(ended.state == RolloutState::Succeeded, "{ended:#?}");
        let ours = fleet.deployed(CLUSTER, "beacon")?;
        ensure!(ours.revision == 8 && ours.chart == "beacon-0.2.0", "{ours:?}");

        fleet.stand.cli_ok(&["rollout", "undo", &id])?;
        let back = fleet.operator()?.wait(&id, "it is taken back", PATIENCE, |rollout| rollout.state == RolloutState::RolledBack)?;
        ensure!(back.state == RolloutState::RolledBack, "{back:#?}");
        let last = fleet.deployed(CLUSTER, "beacon")?;
        ensure!(last.revision == 9 && last.chart == "beacon-0.0.7" && last.description == "Rollback to 7", "{last:?}");
        ensure!(fleet.helm_values(CLUSTER, "beacon")? == values, "the values by hand are not back");
        Ok(())
    })
}

/// Seven revisions of a chart whose archive nobody has afterwards.
fn by_hand(fleet: &Fleet) -> Result<()> {
    let chart = fleet.beacon("by-hand", "0.0.7")?;
    let folder = chart.folder().to_str().context("a path that is no UTF-8")?.to_owned();
    for n in 1..=7 {
        let set = format!("message=by hand {n}");
        fleet.stand.helm(CLUSTER, &["upgrade", "-i", "beacon", &folder, "-n", NAMESPACE, "--set", &set, "--set", "hooks.enabled=false"])?;
    }
    Ok(fs::remove_dir_all(chart.folder())?)
}
