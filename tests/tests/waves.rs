//! Issue test 1: canary, bake, approval, then the rest at `maxConcurrent`, as the API servers and Helm saw it.

use anyhow::{Context, Result, ensure};
use groundswell_api::dto::{PromotionDto, RolloutState, WaveState};
use groundswell_tests::audit::{Work, most_at_once, work};
use groundswell_tests::{Fleet, Release};
use jiff::{SignedDuration, Timestamp};
use std::time::Duration;

const CANARY: &str = "east-01";
const REST: [&str; 4] = ["east-02", "east-03", "east-04", "east-05"];
/// `ready: {for: 2s}`: a cluster is in flight at least so long after helm's last write.
const READY: SignedDuration = SignedDuration::from_secs(2);
/// From the moment of health on, so that `READY` is a part of it.
const BAKE: SignedDuration = SignedDuration::from_secs(3);
/// Five clusters, three at a time at most, on two cores.
const PATIENCE: Duration = Duration::from_secs(180);

fn release(message: &str, approval: &str) -> Release {
    Release::new("beacon", "./beacon", "").values(&format!("message: {message}\n")).strategy(&format!(
        "waves:
  - {{name: canary, selector: canary=true, bake: 3s, approval: {approval}}}
  - {{name: rest, selector: '', maxConcurrent: 50%, bake: 3s}}
each: {{deadline: 90s, gates: [ready: {{for: 2s}}]}}"
    ))
}

fn rest(fleet: &Fleet, revision: u64) -> Result<Vec<Work>> {
    let works = REST.iter().map(|name| work(fleet.stand.cluster(name)?, "beacon", revision));
    Ok(works.collect::<Result<Vec<_>>>()?.into_iter().flatten().collect())
}

fn canary(fleet: &Fleet, revision: u64) -> Result<Work> {
    work(fleet.stand.cluster(CANARY)?, "beacon", revision)?.context("the canary was not touched")
}

fn first(works: &[Work]) -> Timestamp {
    works.iter().map(|work| work.from).min().unwrap_or(Timestamp::MAX)
}

/// With four clusters in the wave a limit of 1, 3 or 4 shows as such.
fn two_at_a_time(works: &[Work]) -> Result<()> {
    ensure!(works.len() == REST.len(), "not all of the rest were worked on: {works:#?}");
    let most = most_at_once(works, READY);
    ensure!(most == 2, "{most} clusters were in flight at once where maxConcurrent is 50% of 4: {works:#?}");
    Ok(())
}

#[test]
fn canary_bake_approval_then_the_rest_two_at_a_time() -> Result<()> {
    let clusters = [(CANARY, "canary=true"), (REST[0], ""), (REST[1], ""), (REST[2], ""), (REST[3], "")];
    Fleet::play(&clusters, |fleet| {
        fleet.beacon("waves", "0.1.0")?;
        the_bake_holds_the_rest_back(fleet)?;
        the_approval_holds_the_rest_back(fleet)
    })
}

fn the_bake_holds_the_rest_back(fleet: &mut Fleet) -> Result<()> {
    let id = fleet.apply("waves", "beacon", &release("first", "none"))?;
    let ended = fleet.operator()?.wait_end(&id, PATIENCE)?;
    ensure!(ended.state == RolloutState::Succeeded, "{:?}: {}", ended.state, ended.reason);
    let (canary, rest) = (canary(fleet, 1)?, rest(fleet, 1)?);
    let earliest = canary.to + BAKE;
    ensure!(first(&rest) >= earliest, "the rest began at {} while the canary baked until {earliest}", first(&rest));
    two_at_a_time(&rest)?;
    let last = rest.iter().map(|work| work.to).max().unwrap_or_default();
    let end = ended.ended_at.context("no time of the end")?;
    ensure!(end >= last + BAKE, "the rollout ended at {end}, and the last wave's bake had to last until {}", last + BAKE);
    Ok(())
}

fn the_approval_holds_the_rest_back(fleet: &mut Fleet) -> Result<()> {
    let operator = fleet.operator()?;
    let id = fleet.apply("waves", "beacon", &release("second", "required"))?;
    let waiting = operator.wait(&id, "the canary awaits approval", PATIENCE, |rollout| {
        rollout.waves.first().is_some_and(|wave| wave.state == WaveState::AwaitingApproval)
    })?;
    ensure!(waiting.waits.iter().any(|wait| wait.who.as_deref().is_some_and(|who| who.contains("approve"))), "{:?}", waiting.waits);
    let (before, reached) = (canary(fleet, 2)?, Timestamp::now());
    ensure!(reached >= before.to + BAKE, "approval was asked for at {reached}, before the bake was over");

    let shown = fleet.stand.cli(&["rollout", "wait", &id, "--timeout", "2s"])?;
    ensure!(shown.code == 6, "a wait that ends in an awaited approval exits with {}:\n{}{}", shown.code, shown.stdout, shown.stderr);
    ensure!(rest(fleet, 2)?.is_empty(), "the rest was touched without approval: {:#?}", rest(fleet, 2)?);
    let approved = Timestamp::now();
    fleet.stand.cli_ok(&["rollout", "approve", &id])?;

    let ended = operator.wait_end(&id, PATIENCE)?;
    ensure!(ended.state == RolloutState::Succeeded, "{:?}: {}", ended.state, ended.reason);
    let works = rest(fleet, 2)?;
    ensure!(first(&works) >= approved, "the rest began at {}, approved was at {approved}", first(&works));
    two_at_a_time(&works)?;
    histories_agree(fleet, &id)?;

    let promotions: Vec<PromotionDto> = operator.list(&format!("/v1/rollouts/{id}/evidence"))?;
    let first = promotions.first().context("no evidence")?;
    ensure!(first.wave == "canary" && first.approved_by.is_some(), "{first:?}");
    ensure!(first.evidence.iter().all(|report| report.cluster == CANARY && report.helm_revision == Some(2)), "{first:?}");
    Ok(())
}

/// One revision for each rollout, with the rollout's name in it, the canary's the oldest.
fn histories_agree(fleet: &Fleet, id: &str) -> Result<()> {
    let own = fleet.deployed(CANARY, "beacon")?;
    for cluster in REST {
        let history = fleet.history(cluster, "beacon")?;
        let last = fleet.deployed(cluster, "beacon")?;
        ensure!(history.len() == 2 && last.mark().is_some_and(|mark| mark.rollout == id), "{cluster}: {history:#?}");
        let time = |text: &str| text.parse::<Timestamp>().with_context(|| format!("helm's time {text:?}"));
        ensure!(time(&own.updated)? < time(&last.updated)?, "{cluster} was upgraded before the canary");
    }
    Ok(())
}
