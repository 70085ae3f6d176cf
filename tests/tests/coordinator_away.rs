//! Issue test 9: without a coordinator agents keep what they have; when it is back nothing is installed again.

use anyhow::{Context, Result, ensure};
use groundswell_api::dto::{ReleaseDto, RolloutState};
use groundswell_tests::helm::{changing, no_attempt_twice};
use groundswell_tests::{Fleet, NAMESPACE, Release, eventually};
use std::time::Duration;

const CLUSTERS: [&str; 2] = ["east-01", "east-02"];
const PATIENCE: Duration = Duration::from_secs(120);

fn release(message: &str) -> Release {
    Release::new("beacon", "./beacon", "").values(&format!("message: {message}\n"))
}

#[test]
fn agents_keep_what_they_have_and_nothing_is_installed_again() -> Result<()> {
    Fleet::play(&[(CLUSTERS[0], ""), (CLUSTERS[1], "")], |fleet| {
        fleet.beacon("away", "0.1.0")?;
        let id = fleet.apply("away", "beacon", &release("first"))?;
        let ended = fleet.operator()?.wait_end(&id, PATIENCE)?;
        ensure!(ended.state == RolloutState::Succeeded, "{ended:#?}");
        away_at_rest(fleet)?;
        away_in_the_middle_of_an_upgrade(fleet)
    })
}

fn revisions(fleet: &Fleet) -> Result<Vec<u64>> {
    CLUSTERS.iter().map(|cluster| Ok(fleet.deployed(cluster, "beacon")?.revision)).collect()
}

fn away_at_rest(fleet: &mut Fleet) -> Result<()> {
    let watch = fleet.watch_helm();
    fleet.stand.kill_server();
    // One agent lives through it, the other is born into it: it has its ledger and nobody to ask.
    fleet.stand.kill_agent(CLUSTERS[1]);
    fleet.stand.start_agent(CLUSTERS[1], "")?;
    for cluster in CLUSTERS {
        let said = format!("{cluster}'s agent says that it cannot reach the server");
        eventually(&said, PATIENCE, || {
            let log = fleet.stand.agent_log(cluster, 1_000);
            let refused = log.matches("refused").count();
            ensure!(refused >= 2, "{refused} times so far");
            Ok(())
        })?;
    }
    ensure!(revisions(fleet)? == [1, 1], "{:?}", revisions(fleet)?);
    for cluster in CLUSTERS {
        let path = format!("/apis/apps/v1/namespaces/{NAMESPACE}/deployments/beacon-light");
        fleet.stand.cluster(cluster)?.api().get(&path).with_context(|| format!("{cluster} lost what it had"))?;
    }
    fleet.stand.restart_server(&[])?;
    fleet.online()?;
    healthy_again(fleet)?;
    ensure!(revisions(fleet)? == [1, 1], "{:?}", revisions(fleet)?);
    ensure!(watch.lives().is_empty(), "helm changed something: {:#?}", watch.lives());
    Ok(())
}

/// The server knows it from fresh reports, not from its store.
fn healthy_again(fleet: &Fleet) -> Result<()> {
    let operator = fleet.operator()?;
    eventually("both clusters are healthy", PATIENCE, || {
        let release: ReleaseDto = operator.get("/v1/releases/beacon")?;
        ensure!(release.counts.healthy == 2, "{:?}", release.counts);
        Ok(())
    })
}

fn away_in_the_middle_of_an_upgrade(fleet: &mut Fleet) -> Result<()> {
    fleet.beacon("away-slow", "0.2.0")?.slow_hook()?;
    let id = fleet.apply("away-slow", "beacon", &release("second"))?;
    let agents = fleet.agents_dir();
    eventually("helm is at work in both clusters", PATIENCE, || {
        let running = changing(&agents);
        ensure!(running.len() == CLUSTERS.len(), "{running:?}");
        Ok(())
    })?;
    fleet.stand.kill_server();
    eventually("helm is done in both clusters", PATIENCE, || {
        ensure!(changing(&agents).is_empty() && revisions(fleet)? == [2, 2], "{:?}", changing(&agents));
        Ok(())
    })?;
    fleet.stand.restart_server(&[])?;
    fleet.online()?;
    let ended = fleet.operator()?.wait_end(&id, PATIENCE)?;
    ensure!(ended.state == RolloutState::Succeeded, "{ended:#?}");
    ensure!(revisions(fleet)? == [2, 2], "{:?}", revisions(fleet)?);
    for cluster in CLUSTERS {
        no_attempt_twice(cluster, &fleet.history(cluster, "beacon")?)?;
    }
    Ok(())
}
