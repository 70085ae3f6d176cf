//! Issue test 8: who gets in, who does not, and who sees what.

use anyhow::{Context, Result, bail, ensure};
use groundswell_api::dto::{ClusterDto, ClusterTurnDto, PresenceState, RolloutState};
use groundswell_foundation::stand::{Programs, Stand};
use groundswell_proto::v1::agent_message::Message as FromAgent;
use groundswell_proto::v1::server_message::Message as ToAgent;
use groundswell_proto::v1::{AttachState, Heartbeat, PermitRequest, Phase, ReleaseHealth, Report};
use groundswell_tests::wire::{self, Identity, Session};
use groundswell_tests::{Alone, Fleet, Release, eventually};
use serde_json::{Value, json};
use std::fs;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

const A: &str = "east-01";
const B: &str = "west-01";
const PATIENCE: Duration = Duration::from_secs(90);
/// DESIGN 8.
const REVOKED_WITHIN: Duration = Duration::from_secs(5);
/// The server says nothing for so long when it has nothing more to say: assignments come within milliseconds of each other.
const SILENCE: Duration = Duration::from_secs(2);

#[test]
fn tokens_certificates_and_what_they_open() -> Result<()> {
    Fleet::play(&[(A, "mine=a"), (B, "mine=b")], |fleet| {
        for (cluster, release, selector) in [(A, "alpha", "mine=a"), (B, "beta", "mine=b")] {
            fleet.beacon(release, if cluster == A { "0.1.0" } else { "0.1.1" })?;
            let document = Release::new(release, "./beacon", selector).values(&format!("message: for {cluster} alone\n"));
            let id = fleet.apply(release, release, &document)?;
            let ended = fleet.operator()?.wait_end(&id, PATIENCE)?;
            ensure!(ended.state == RolloutState::Succeeded, "{ended:#?}");
        }
        tokens(fleet)?;
        a_server_with_another_root(fleet)?;
        let identity = Identity::of_agent(fleet.stand.cluster(A)?)?;
        // The agent would take the session back again and again.
        fleet.stand.kill_agent(A);
        wire::block_on(a_sees_nothing_of_b(fleet, &identity))??;
        wire::block_on(a_changes_nothing_of_b(fleet, &identity))??;
        wire::block_on(a_revoked_cluster_is_out(fleet, &identity))?
    })
}

fn token(fleet: &Fleet, request: Value) -> Result<String> {
    let answer = fleet.operator()?.send("POST", "/v1/tokens", request)?;
    Ok(answer["token"].as_str().context("no token in the answer")?.to_owned())
}

fn enrol(stand: &Stand, token: &str) -> Result<Identity> {
    let root = fs::read_to_string(stand.data_dir().join("pki/root.pem"))?;
    wire::block_on(wire::enrol(stand.enrolment_url(), &root, token, ""))?
}

/// One text for all of them, so that nobody learns which tokens there are.
fn tokens(fleet: &Fleet) -> Result<()> {
    let fresh = |name: &str, ttl: u64| token(fleet, json!({"cluster": name, "ttlSeconds": ttl, "uses": 1}));
    let used = fresh("north-01", 600)?;
    enrol(&fleet.stand, &used).context("a fresh token")?;
    let expired = fresh("north-02", 1)?;
    let mine = fresh("north-03", 600)?;
    let parts: Vec<&str> = mine.split('.').collect();
    let [.., id, secret, pin] = parts.as_slice() else { bail!("a token of {} parts", parts.len()) };
    let wrong = format!("{id}.{}.{pin}", secret.chars().rev().collect::<String>());
    // Until its second is over an expired token is a good one; each try would use it, so the clock is asked.
    let made = Instant::now();
    eventually("a second has passed", Duration::from_secs(5), || {
        ensure!(made.elapsed() > Duration::from_millis(1_500), "not yet");
        Ok(())
    })?;
    let mut refusals = Vec::new();
    for (what, token) in [("used", used), ("expired", expired), ("wrong", wrong), ("unknown", format!("0000000000.{secret}.{pin}"))] {
        match enrol(&fleet.stand, &token) {
            Ok(_) => bail!("a token that was {what} opened the fleet"),
            Err(error) => {
                let status = error.downcast_ref::<tonic::Status>().with_context(|| format!("{what}: {error:#}"))?;
                ensure!(status.code() == tonic::Code::PermissionDenied, "{what}: {status:?}");
                refusals.push(status.message().to_owned());
            }
        }
    }
    ensure!(refusals.windows(2).all(|pair| pair[0] == pair[1]), "the refusals differ: {refusals:#?}");
    let clusters: Vec<ClusterDto> = fleet.operator()?.list("/v1/clusters")?;
    let names: Vec<&str> = clusters.iter().map(|cluster| cluster.name.as_str()).collect();
    ensure!(names == [A, "north-01", B], "{names:?}");
    enrol(&fleet.stand, &mine).map(|_| ()).context("the token whose secret was guessed wrongly is still good")
}

/// A real agent with a token of our server, sent to another one.
fn a_server_with_another_root(fleet: &Fleet) -> Result<()> {
    let impostor = Alone::start()?;
    let folder = fleet.folder("impostor")?;
    let token = token(fleet, json!({"cluster": "south-01", "ttlSeconds": 600, "uses": 1}))?;
    fs::write(folder.join("token"), token)?;
    let log = fs::File::create(folder.join("agent.log"))?;
    // In another namespace, where no identity lies that it would use instead; whom it trusts has nothing to do with its rights.
    let mut agent = Ended(
        Command::new(Programs::locate()?.agent)
            .args(["run", "--server", impostor.url("sessions"), "--enrol-server", impostor.url("enrolment"), "--namespace", "demo"])
            .arg("--token-file")
            .arg(folder.join("token"))
            .arg("--kubeconfig")
            .arg(fleet.stand.cluster(B)?.admin_kubeconfig())
            .arg("--helm")
            .arg(fleet.stand.helm_binary())
            .arg("--data-dir")
            .arg(folder.join("data"))
            .stdin(Stdio::null())
            .stdout(log.try_clone()?)
            .stderr(log)
            .spawn()?,
    );
    eventually("the agent says that it does not know this server", PATIENCE, || {
        let text = fs::read_to_string(folder.join("agent.log"))?;
        ensure!(text.contains("UnknownIssuer"), "{text}");
        ensure!(agent.0.try_wait()?.is_none(), "it gave up: {text}");
        Ok(())
    })?;
    let clusters: Vec<ClusterDto> = impostor.operator()?.list("/v1/clusters")?;
    ensure!(clusters.is_empty(), "the impostor has {clusters:?}");
    let shown = fs::read_to_string(impostor.log())?;
    ensure!(!shown.contains("panicked"), "{shown}");
    Ok(())
}

/// A process that ends with this value.
struct Ended(Child);

impl Drop for Ended {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn turn(fleet: &Fleet, release: &str, cluster: &str) -> Result<ClusterTurnDto> {
    let operator = fleet.operator()?;
    let turns = operator.turns(&operator.latest(release)?.id)?;
    turns.into_iter().find(|turn| turn.cluster == cluster).with_context(|| format!("{cluster} has no turn of {release}"))
}

fn chart_digest(fleet: &Fleet, release: &str) -> Result<String> {
    Ok(fleet.operator()?.latest(release)?.chart.context("no chart")?.digest)
}

async fn a_sees_nothing_of_b(fleet: &Fleet, identity: &Identity) -> Result<()> {
    let mut session = Session::open(fleet.stand.sessions_url(), identity, AttachState::default()).await?;
    let mut heard = Vec::new();
    while !heard.iter().any(|message| matches!(message, ToAgent::Assignment(_))) {
        heard.push(session.hear(PATIENCE).await?.context("A was told of nothing")?);
    }
    heard.extend(session.hear_all(SILENCE).await?);
    let named: Vec<&str> = heard
        .iter()
        .filter_map(|message| if let ToAgent::Assignment(given) = message { Some(given.release.as_str()) } else { None })
        .collect();
    ensure!(named == ["alpha"], "A was told of {named:?}");

    let own = session.fetch(&chart_digest(fleet, "alpha")?).await.context("A's own chart")?;
    ensure!(groundswell_tests::digest(&own) == chart_digest(fleet, "alpha")?, "A's own chart came with other bytes");
    let other = session.fetch(&chart_digest(fleet, "beta")?).await;
    let nobody = session.fetch(&groundswell_tests::digest(b"nothing has this")).await;
    let told = |answer: &Result<Vec<u8>, tonic::Status>| answer.as_ref().err().map(|status| (status.code(), status.message().to_owned()));
    ensure!(told(&other).is_some_and(|(code, _)| code == tonic::Code::NotFound), "A fetched B's chart: {:?}", told(&other));
    ensure!(told(&other) == told(&nobody), "A can tell what B has from what nobody has: {:?} {:?}", told(&other), told(&nobody));
    Ok(())
}

async fn a_changes_nothing_of_b(fleet: &Fleet, identity: &Identity) -> Result<()> {
    let before = (turn(fleet, "beta", B)?, fleet.operator()?.get::<Value>("/v1/releases/beta")?);
    let report = Report {
        release: "beta".into(),
        rollout: fleet.operator()?.latest("beta")?.id,
        generation: before.0.generation.unwrap_or(1),
        chart_digest: chart_digest(fleet, "beta")?,
        attempt: 1,
        sequence: 1_000_000,
        phase: Phase::Failed.into(),
        helm_revision: 99,
        message: "A says so".into(),
        ..Report::default()
    };
    let attach = AttachState { releases: vec![report.clone()], ..AttachState::default() };
    let mut session = Session::open(fleet.stand.sessions_url(), identity, attach).await?;
    session.say(FromAgent::Report(Report { sequence: 1_000_001, ..report.clone() })).await?;
    let health = ReleaseHealth {
        release: "beta".into(),
        rollout: report.rollout.clone(),
        generation: report.generation,
        phase: Phase::Unhealthy.into(),
        ..ReleaseHealth::default()
    };
    session.say(FromAgent::Heartbeat(Heartbeat { sequence: 1, releases: vec![health] })).await?;
    session.say(FromAgent::PermitRequest(PermitRequest { release: "beta".into(), generation: report.generation })).await?;
    // A session that is ended over it is as good an answer.
    if let Ok(heard) = session.hear_all(SILENCE).await {
        for message in heard {
            if let ToAgent::Permit(permit) = message {
                ensure!(permit.permit_ms == 0, "A got a permit for B's release: {permit:?}");
            }
        }
    }
    let after = (turn(fleet, "beta", B)?, fleet.operator()?.get::<Value>("/v1/releases/beta")?);
    ensure!(before == after, "A changed something of B:\n{before:#?}\n{after:#?}");
    ensure!(fleet.operator()?.turns(&report.rollout)?.iter().all(|turn| turn.cluster == B), "A is in B's rollout");
    let cluster: ClusterDto = fleet.operator()?.get(&format!("/v1/clusters/{A}"))?;
    ensure!(cluster.releases.iter().all(|release| release.release == "alpha"), "{:#?}", cluster.releases);
    Ok(())
}

async fn a_revoked_cluster_is_out(fleet: &Fleet, identity: &Identity) -> Result<()> {
    let url = fleet.stand.sessions_url();
    let mut session = Session::open(url, identity, AttachState::default()).await?;
    session.hear_all(SILENCE).await.context("before the revocation")?;
    let revoked = Instant::now();
    fleet.stand.cli_ok(&["cluster", "revoke", A, "--reason", "the test says so", "--yes"])?;
    let end = loop {
        match session.hear(REVOKED_WITHIN).await {
            Ok(Some(_)) => {}
            Ok(None) => bail!("the session of a revoked cluster lives on"),
            Err(status) => break status,
        }
    };
    ensure!(revoked.elapsed() < REVOKED_WITHIN, "it took {:?}", revoked.elapsed());
    ensure!(end.code() == tonic::Code::PermissionDenied, "{end:?}");
    let again = match Session::open(url, identity, AttachState::default()).await {
        Ok(mut session) => session.hear_all(SILENCE).await.map(|_| ()).map_err(anyhow::Error::from),
        Err(error) => Err(error),
    };
    ensure!(again.is_err(), "a revoked cluster opened a session");
    let cluster: ClusterDto = fleet.operator()?.get(&format!("/v1/clusters/{A}"))?;
    ensure!(cluster.presence.state == PresenceState::Revoked, "{:?}", cluster.presence);
    Ok(())
}
