//! Issue test 4: the server is killed at ten named points in mid-wave. It goes on, nothing is lost, nothing is done twice.

use anyhow::{Context, Result, ensure};
use groundswell_api::dto::RolloutState;
use groundswell_tests::helm::no_attempt_twice;
use groundswell_tests::{Fleet, Release, eventually};
use std::time::Duration;

const CLUSTERS: [&str; 3] = ["east-01", "east-02", "east-03"];
const PATIENCE: Duration = Duration::from_secs(120);

/// The points, and at which passage the server dies. Counted from the apply: a few commits and rounds after it the canary is
/// assigned and not done, so the server dies in the middle of the wave; the two of the submission can only come there.
const POINTS: [(&str, u32); 10] = [
    ("submit.stored", 1),
    ("submit.after", 1),
    ("plan.before", 3),
    ("plan.after", 2),
    ("commit.before", 3),
    ("commit.after", 3),
    ("mirror.applied", 3),
    ("mailbox.posted", 1),
    ("report.before", 2),
    ("report.after", 2),
];

fn release(message: &str) -> Release {
    Release::new("beacon", "./beacon", "").values(&format!("message: {message}\nhooks: {{enabled: false}}\n")).strategy(
        "waves:
  - {name: canary, selector: canary=true}
  - {name: rest, selector: '', maxConcurrent: 100%}
each: {deadline: 60s, bake: 1s, gates: [ready: {for: 1s}]}",
    )
}

#[test]
fn a_server_killed_at_any_point_goes_on() -> Result<()> {
    Fleet::play(&[(CLUSTERS[0], "canary=true"), (CLUSTERS[1], ""), (CLUSTERS[2], "")], |fleet| {
        fleet.beacon("killed", "0.1.0")?;
        let id = fleet.apply("killed", "beacon", &release("before"))?;
        let ended = fleet.operator()?.wait_end(&id, PATIENCE)?;
        ensure!(ended.state == RolloutState::Succeeded, "{ended:#?}");
        for (n, (point, passage)) in POINTS.into_iter().enumerate() {
            die_at(fleet, point, passage, n as u64 + 2).with_context(|| format!("failpoint {point}:{passage}"))?;
        }
        Ok(())
    })
}

fn die_at(fleet: &mut Fleet, point: &str, passage: u32, revision: u64) -> Result<()> {
    fleet.stand.restart_server(&[("GROUNDSWELL_FAILPOINT", format!("{point}:{passage}"))])?;
    fleet.online()?;
    ensure!(fleet.stand.server_ended()?.is_none(), "the server died before anything was applied");
    let release = release(point);
    // The command may lose its connection: that is the point of some of the points.
    let ran = fleet.apply_with("killed", "beacon", &release, &[])?;
    let ended = eventually("the server dies", PATIENCE, || fleet.stand.server_ended()?.context("it lives"))?;
    ensure!(std::os::unix::process::ExitStatusExt::signal(&ended) == Some(9), "it ended with {ended}");

    fleet.stand.restart_server(&[])?;
    let operator = fleet.operator()?;
    if ran.code == 0 {
        let rollout = operator.rollout(&operator.latest("beacon")?.id)?;
        ensure!(!groundswell_tests::is_ended(&rollout), "the server died after the rollout had ended: take an earlier passage");
    } else {
        // Whoever got no answer asks again; what was committed already is not made twice.
        fleet.apply_with("killed", "beacon", &release, &[])?.ok()?;
    }
    let id = operator.latest("beacon")?.id;
    let ended = operator.wait_end(&id, PATIENCE)?;
    ensure!(ended.state == RolloutState::Succeeded, "{ended:#?}");
    for cluster in CLUSTERS {
        let last = fleet.deployed(cluster, "beacon")?;
        // The server's death is none of the agents': one rollout is one revision, and Helm keeps the last ten.
        ensure!(
            last.revision == revision,
            "{cluster} is at revision {}, not {revision}: {:#?}",
            last.revision,
            fleet.history(cluster, "beacon")?
        );
        ensure!(last.mark().is_some_and(|mark| mark.rollout == id), "{cluster}: {last:?}");
        no_attempt_twice(cluster, &fleet.history(cluster, "beacon")?)?;
    }
    Ok(())
}
