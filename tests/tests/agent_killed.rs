//! Issue test 5: agents die in the middle of `helm upgrade`. One helm at a time, the successor recovers and finishes; a
//! pending operation of somebody else is left alone and shown.

use anyhow::{Context, Result, ensure};
use groundswell_api::dto::RolloutState;
use groundswell_helm::history::{HistoryEntry, Status};
use groundswell_tests::helm::{Watch, changing, kill, no_attempt_twice};
use groundswell_tests::{Fleet, NAMESPACE, Release, eventually};
use rustix::process::Signal;
use std::process::{Command, Stdio};
use std::time::Duration;

/// Its agent alone dies.
const AGENT: &str = "agent-dies";
/// Its agent and its helm die.
const BOTH: &str = "both-die";
/// Its agent is stopped past its Lease and goes on when a successor acts.
const STOPPED: &str = "agent-stops";
/// Somebody else's helm died there.
const FOREIGN: &str = "foreign";

/// A successor waits 17 s for the Lease, then unlocks, then helm's hook takes its 10 s.
const PATIENCE: Duration = Duration::from_secs(180);

fn release(name: &str, selector: &str, message: &str, deadline: &str) -> Release {
    Release::new(name, "./beacon", selector)
        .values(&format!("message: {message}\n"))
        .strategy(&format!("each: {{deadline: {deadline}, bake: 1s, maxConcurrent: 100%, gates: [ready: {{for: 1s}}]}}\nonFailure: halt"))
}

#[test]
fn one_helm_at_a_time_whoever_dies() -> Result<()> {
    let clusters = [(AGENT, "mine=true"), (BOTH, "mine=true"), (STOPPED, "mine=true"), (FOREIGN, "mine=false")];
    Fleet::play(&clusters, |fleet| {
        fleet.beacon("quick", "0.1.0")?;
        let id = fleet.apply("quick", "beacon", &release("beacon", "mine=true", "first", "60s"))?;
        let ended = fleet.operator()?.wait_end(&id, PATIENCE)?;
        ensure!(ended.state == RolloutState::Succeeded, "{ended:#?}");
        let watch = fleet.watch_helm();
        successors_recover(fleet, &watch)?;
        somebody_elses_operation_is_left_alone(fleet, &watch)
    })
}

fn successors_recover(fleet: &mut Fleet, watch: &Watch) -> Result<()> {
    fleet.beacon("slow", "0.2.0")?.slow_hook()?;
    let id = fleet.apply("slow", "beacon", &release("beacon", "mine=true", "second", "150s"))?;
    for cluster in [AGENT, BOTH, STOPPED] {
        in_the_middle(fleet, cluster)?;
    }
    let helm_of = |agents: Vec<(String, u32)>, name: &str| agents.into_iter().find(|(agent, _)| agent == name).map(|(_, pid)| pid);
    let agents = fleet.agents_dir();
    fleet.stand.signal_agent(STOPPED, Signal::STOP)?;
    let helm = helm_of(changing(&agents), BOTH).context("no helm of the agent that dies with it")?;
    fleet.stand.kill_agent(BOTH);
    kill(helm)?;
    fleet.stand.kill_agent(AGENT);
    for cluster in [AGENT, BOTH] {
        fleet.stand.start_agent(cluster, "")?;
    }
    let successor = fleet.stand.start_second_agent(STOPPED, "successor")?;

    eventually("the successor's helm is at work", PATIENCE, || helm_of(changing(&agents), &successor).context("it is not"))?;
    fleet.stand.signal_agent(STOPPED, Signal::CONT)?;

    let ended = fleet.operator()?.wait_end(&id, PATIENCE)?;
    ensure!(ended.state == RolloutState::Succeeded, "{ended:#?}");
    for cluster in [AGENT, BOTH, STOPPED] {
        recovered(fleet, cluster, &id)?;
        let overlap = watch.overlap(cluster);
        ensure!(overlap.is_none(), "two helms at a time in {cluster}: {overlap:#?}");
    }
    let late: Vec<_> = watch.lives().into_iter().filter(|life| life.agent == STOPPED).collect();
    ensure!(late.len() == 1, "the agent that was stopped ran helm again: {late:#?}");
    Ok(())
}

/// Helm waits for its hook: its record is pending.
fn in_the_middle(fleet: &Fleet, cluster: &str) -> Result<()> {
    eventually(&format!("helm of {cluster} is in the middle of its upgrade"), PATIENCE, || {
        let history = fleet.history(cluster, "beacon")?;
        ensure!(history.last().is_some_and(|last| last.status == Status::PendingUpgrade), "{history:#?}");
        Ok(())
    })
}

/// The dead attempt is marked as failed, the next one is deployed, and nothing else was made.
fn recovered(fleet: &Fleet, cluster: &str, id: &str) -> Result<()> {
    let history = fleet.history(cluster, "beacon")?;
    let statuses: Vec<Status> = history.iter().map(|entry| entry.status).collect();
    ensure!(statuses == [Status::Superseded, Status::Failed, Status::Deployed], "{cluster}: {history:#?}");
    let ours = |entry: &HistoryEntry| entry.mark().is_some_and(|mark| mark.rollout == *id && mark.attempt == 2);
    ensure!(history.last().is_some_and(ours), "{cluster}: {history:#?}");
    no_attempt_twice(cluster, &history)?;
    let turns = fleet.operator()?.turns(id)?;
    let turn = turns.iter().find(|turn| turn.cluster == cluster).context("no turn")?;
    ensure!(turn.helm_revision == Some(3), "{turn:#?}");
    Ok(())
}

fn somebody_elses_operation_is_left_alone(fleet: &mut Fleet, watch: &Watch) -> Result<()> {
    by_hand_and_killed(fleet)?;
    let before = fleet.history(FOREIGN, "beacon-2")?;
    fleet.beacon("foreign", "0.2.0")?;
    let id = fleet.apply("foreign", "beacon-2", &release("beacon-2", "mine=false", "ours", "15s"))?;
    let blocked = fleet.operator()?.wait(&id, "it shows what it waits for", PATIENCE, |rollout| {
        rollout.exceptions.iter().any(|turn| turn.message.contains("pending-upgrade"))
    })?;
    let words = &blocked.exceptions.first().context("no exception")?.message;
    ensure!(words.contains("revision 2") && words.contains("not made by this agent"), "{words}");
    let halted = fleet.operator()?.wait(&id, "it is halted at the deadline", PATIENCE, |rollout| rollout.state == RolloutState::Halted)?;
    let shown = fleet.stand.cli_ok(&["rollout", "status", &id])?;
    ensure!(shown.contains("pending-upgrade"), "the status does not show the foreign operation:\n{shown}\n{halted:#?}");
    ensure!(fleet.history(FOREIGN, "beacon-2")? == before, "it was not left alone: {:#?}", fleet.history(FOREIGN, "beacon-2")?);
    let lives: Vec<_> = watch.lives().into_iter().filter(|life| life.agent == FOREIGN).collect();
    ensure!(lives.is_empty(), "helm ran beside a pending operation: {lives:#?}");
    Ok(())
}

/// `helm upgrade` from a terminal that was closed hard.
fn by_hand_and_killed(fleet: &Fleet) -> Result<()> {
    let chart = fleet.beacon("by-hand", "0.0.1")?.slow_hook()?;
    let folder = chart.folder().to_str().context("a path that is no UTF-8")?.to_owned();
    let words = ["upgrade", "-i", "beacon-2", &folder, "-n", NAMESPACE];
    fleet.stand.helm(FOREIGN, &[&words[..], &["--set", "hooks.enabled=false"]].concat())?;
    let mut helm = Command::new(fleet.stand.helm_binary());
    helm.arg("--kubeconfig").arg(fleet.stand.cluster(FOREIGN)?.admin_kubeconfig()).args(words).args(["--set", "hooks.enabled=true"]);
    let mut helm = helm.stdout(Stdio::null()).stderr(Stdio::null()).spawn()?;
    let pending = eventually("helm by hand is in the middle", PATIENCE, || {
        let history = fleet.history(FOREIGN, "beacon-2")?;
        ensure!(history.last().is_some_and(|last| last.status == Status::PendingUpgrade), "{history:#?}");
        Ok(())
    });
    helm.kill()?;
    helm.wait()?;
    pending
}
