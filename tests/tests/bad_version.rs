//! Issue test 2: a bad version stops at the canary and is taken back; the others were never touched.

use anyhow::{Context, Result, ensure};
use groundswell_api::dto::{BackState, ReleaseDto, RolloutState, TurnState, WaveState};
use groundswell_helm::history::Status;
use groundswell_tests::audit::work;
use groundswell_tests::{Fleet, Release};
use std::time::Duration;

const CANARY: &str = "east-01";
const REST: [&str; 2] = ["east-02", "west-01"];
const PATIENCE: Duration = Duration::from_secs(120);

/// A good version has all the time that a busy machine may need; a bad one is not waited for so long.
fn release(name: &str, message: &str, fate: &str) -> Release {
    let deadline = if fate == "ready" { "90s" } else { "20s" };
    Release::new(name, "./beacon", "").values(&format!("message: {message}\nfate: {fate}\n")).strategy(&format!(
        "waves:
  - {{name: canary, selector: canary=true, bake: 1s}}
  - {{name: rest, selector: '', maxConcurrent: 100%, bake: 1s}}
each: {{deadline: {deadline}, gates: [ready: {{for: 1s}}]}}
onFailure: rollbackAll"
    ))
}

#[test]
fn a_bad_version_stops_at_the_canary_and_is_taken_back() -> Result<()> {
    Fleet::play(&[(CANARY, "canary=true"), (REST[0], ""), (REST[1], "")], |fleet| {
        fleet.beacon("bad", "0.1.0")?;
        for message in ["first", "second"] {
            let id = fleet.apply("bad", "beacon", &release("beacon", message, "ready"))?;
            let ended = fleet.operator()?.wait_end(&id, PATIENCE)?;
            ensure!(ended.state == RolloutState::Succeeded, "{:?}: {}", ended.state, ended.reason);
        }
        an_upgrade_is_taken_back(fleet)?;
        a_failed_first_install_is_shown(fleet)
    })
}

fn an_upgrade_is_taken_back(fleet: &mut Fleet) -> Result<()> {
    let good = fleet.helm_values(CANARY, "beacon")?;
    let ran = fleet.apply_with("bad", "beacon", &release("beacon", "third", "never-ready"), &["--wait", "--timeout", "2m"])?;
    ensure!(ran.code == 5, "a rollout that is rolled back exits with {}:\n{}{}", ran.code, ran.stdout, ran.stderr);
    let operator = fleet.operator()?;
    let rollout = operator.rollout(&operator.latest("beacon")?.id)?;
    ensure!(rollout.state == RolloutState::RolledBack, "{rollout:#?}");
    ensure!(rollout.waves.get(1).is_some_and(|wave| wave.state == WaveState::Waiting), "the second wave opened: {rollout:#?}");
    let turn = rollout.exceptions.iter().find(|turn| turn.cluster == CANARY).context("the canary is no exception")?;
    ensure!(turn.back.as_ref().is_some_and(|back| back.state == BackState::Done), "{turn:#?}");

    let history = fleet.history(CANARY, "beacon")?;
    let statuses: Vec<Status> = history.iter().map(|entry| entry.status).collect();
    ensure!(statuses == [Status::Superseded, Status::Superseded, Status::Superseded, Status::Deployed], "{history:#?}");
    ensure!(history[3].description == "Rollback to 2", "{history:#?}");
    ensure!(fleet.helm_values(CANARY, "beacon")? == good, "the canary does not have its old values");
    for cluster in REST {
        ensure!(fleet.deployed(cluster, "beacon")?.revision == 2, "{cluster} is not at revision 2");
        let touched = work(fleet.stand.cluster(cluster)?, "beacon", 3)?;
        ensure!(touched.is_none(), "{cluster} was touched: {touched:?}");
    }
    Ok(())
}

/// It has no last good state: it is left as it failed, and everybody who looks is told.
fn a_failed_first_install_is_shown(fleet: &mut Fleet) -> Result<()> {
    let ran = fleet.apply_with("bad", "flare", &release("flare", "first", "never-ready"), &["--wait", "--timeout", "2m"])?;
    ensure!(ran.code == 5, "it exits with {}:\n{}{}", ran.code, ran.stdout, ran.stderr);
    let operator = fleet.operator()?;
    let found: ReleaseDto = operator.get("/v1/releases/flare")?;
    ensure!(found.counts.failed + found.counts.unhealthy == 1 && found.counts.healthy == 0, "{:?}", found.counts);
    let rollout = operator.rollout(&operator.latest("flare")?.id)?;
    let turn = rollout.exceptions.iter().find(|turn| turn.cluster == CANARY).context("the canary is no exception")?;
    ensure!(turn.back.as_ref().is_some_and(|back| back.state == BackState::Left), "{turn:#?}");
    ensure!(matches!(turn.state, TurnState::TimedOut | TurnState::Failed), "{turn:#?}");
    let shown = fleet.stand.cli_ok(&["rollout", "status", &rollout.id])?;
    ensure!(shown.contains(CANARY), "the status does not name the canary:\n{shown}");
    ensure!(fleet.history(CANARY, "flare")?.len() == 1, "the failed install was not left as it is");
    for cluster in REST {
        ensure!(fleet.history(cluster, "flare")?.is_empty(), "{cluster} got the bad release");
    }
    Ok(())
}
