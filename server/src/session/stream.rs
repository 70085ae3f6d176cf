//! One session from Hello to its end.

use super::convert::{Sender, assignment, cut, epoch, epoch_of, millis, phase_of, report_of};
use super::{Sessions, reconnect_spread};
use crate::coordinator::{AttachFacts, Closed, Found, HealthFact, SessionHandle};
use crate::pki::Peer;
use futures::StreamExt as _;
use futures::stream::BoxStream;
use groundswell_core::id::{Generation, Incarnation, ReleaseName, RolloutId};
use groundswell_core::report::Phase;
use groundswell_core::time::Span;
use groundswell_proto::v1::agent_message::Message as FromAgent;
use groundswell_proto::v1::server_message::Message as ToAgent;
use groundswell_proto::v1::{self, AgentMessage, ServerMessage};
use groundswell_proto::{PROTOCOL_MAX, PROTOCOL_MIN};
use std::time::Duration;
use tokio::sync::mpsc;
use tonic::{Status, Streaming};

/// Hello comes with the first packet; who has not said it by then is no agent.
const HELLO_DEADLINE: Duration = Duration::from_secs(5);
/// Answers wait here while the agent reads: an assignment for each release and an answer to each report of a burst.
const OUTBOX: usize = 64;
/// A certificate that ends or is revoked while its session lives is noticed within this (revoking also ends the session at once).
const ADMIT_AGAIN: Duration = Duration::from_secs(60);
/// An agent at the drain opens its new session first, so it needs a moment; it is told how long it may take.
const DRAIN_SPREAD: Span = Span::seconds(5);
/// Names of agents and versions are short.
const MAX_WORD: usize = 80;
/// Releases that Helm has and we do not; the message carries no more.
const MAX_FOUND: usize = 200;
/// Releases of one cluster; more in one message is nothing that we sent.
const MAX_RELEASES: usize = 1_000;

pub(super) fn open(sessions: Sessions, peer: Peer, incoming: Streaming<AgentMessage>) -> BoxStream<'static, Result<ServerMessage, Status>> {
    let (outbox, outgoing) = mpsc::channel(OUTBOX);
    tokio::spawn(async move {
        let cluster = peer.cluster.clone();
        if let Err(status) = hold(&sessions, &peer, incoming, &outbox).await {
            tracing::info!(%cluster, why = status.message(), "session ends");
            let _ = outbox.send(Err(status)).await;
        }
    });
    tokio_stream::wrappers::ReceiverStream::new(outgoing).boxed()
}

type Outbox = mpsc::Sender<Result<ServerMessage, Status>>;

async fn say(outbox: &Outbox, message: ToAgent) -> Result<(), Status> {
    let message = ServerMessage { message: Some(message) };
    outbox.send(Ok(message)).await.map_err(|_| Status::cancelled("the agent is gone"))
}

async fn hold(sessions: &Sessions, peer: &Peer, mut incoming: Streaming<AgentMessage>, outbox: &Outbox) -> Result<(), Status> {
    let hello = hello(&mut incoming).await?;
    let incarnation = Incarnation(cut(&hello.incarnation, MAX_WORD));
    let handle = sessions.coordinator.connect(&peer.cluster, &incarnation);
    tracing::info!(cluster = %peer.cluster, agent = hello.agent_version, "session begins");
    say(outbox, ToAgent::Welcome(welcome(sessions, &hello))).await?;
    let agent_version = cut(&hello.agent_version, MAX_WORD);
    let mut admit_again = tokio::time::interval(ADMIT_AGAIN);
    loop {
        tokio::select! {
            message = incoming.next() => match message {
                None => return Ok(()),
                Some(Err(status)) => return Err(status),
                Some(Ok(message)) => take(sessions, &handle, message, &agent_version, outbox).await?,
            },
            next = handle.next_assignment() => {
                let permit = sessions.coordinator.permit(&peer.cluster, &next.release, next.generation).granted_for;
                say(outbox, ToAgent::Assignment(assignment(&next, &sessions.coordinator.epoch(), permit))).await?;
            },
            closed = handle.closed() => return Err(match closed {
                Closed::Revoked => Status::permission_denied("this cluster was revoked"),
                Closed::Replaced => Status::aborted("a newer session of this cluster took over"),
            }),
            _ = admit_again.tick() => sessions.admit_peer(peer)?,
            () = sessions.drain.cancelled() => return drain(outbox, incoming).await,
        }
    }
}

async fn hello(incoming: &mut Streaming<AgentMessage>) -> Result<v1::Hello, Status> {
    let first = tokio::time::timeout(HELLO_DEADLINE, incoming.next()).await;
    let Ok(first) = first else { return Err(Status::deadline_exceeded("no hello within 5 seconds")) };
    let Some(AgentMessage { message: Some(FromAgent::Hello(hello)) }) = first.transpose()? else {
        return Err(Status::invalid_argument("the first message of a session is hello"));
    };
    if hello.protocol_max < PROTOCOL_MIN || hello.protocol_min > PROTOCOL_MAX {
        return Err(Status::failed_precondition(format!(
            "the agent speaks protocol {} to {}, this server {PROTOCOL_MIN} to {PROTOCOL_MAX}; upgrade the older of the two",
            hello.protocol_min, hello.protocol_max
        )));
    }
    Ok(hello)
}

fn welcome(sessions: &Sessions, hello: &v1::Hello) -> v1::Welcome {
    let config = sessions.coordinator.config();
    v1::Welcome {
        protocol: hello.protocol_max.min(PROTOCOL_MAX),
        server_version: env!("CARGO_PKG_VERSION").into(),
        epoch: Some(epoch(&sessions.coordinator.epoch())),
        heartbeat_ms: millis(config.heartbeat),
        reconnect_spread_ms: millis(reconnect_spread(sessions.coordinator.sessions().connected())),
        permit_ms: millis(config.permit),
        features: Vec::new(),
    }
}

async fn take(
    sessions: &Sessions,
    handle: &SessionHandle,
    message: AgentMessage,
    agent_version: &str,
    outbox: &Outbox,
) -> Result<(), Status> {
    match message.message {
        Some(FromAgent::Attach(attach)) => take_attach(sessions, handle, attach, agent_version).await,
        Some(FromAgent::Report(report)) => take_report(sessions, handle, report, outbox).await,
        Some(FromAgent::Heartbeat(heartbeat)) => {
            let facts = heartbeat.releases.into_iter().take(MAX_RELEASES).filter_map(health_of).collect();
            sessions.coordinator.heartbeat(handle, facts);
            say(outbox, ToAgent::HeartbeatSeen(v1::HeartbeatSeen { sequence: heartbeat.sequence })).await
        }
        Some(FromAgent::PermitRequest(request)) => answer_permit(sessions, handle, request, outbox).await,
        Some(FromAgent::Unsupported(what)) => {
            tracing::warn!(cluster = %handle.cluster(), what = cut(&what.what, MAX_WORD), "the agent does not know what it was sent");
            Ok(())
        }
        Some(FromAgent::Hello(_)) => Err(Status::invalid_argument("hello was said already")),
        // A newer agent's message: nothing is dropped in silence.
        None => say(outbox, ToAgent::Unsupported(v1::Unsupported { what: "a message that this server does not know".into() })).await,
    }
}

async fn take_attach(sessions: &Sessions, handle: &SessionHandle, attach: v1::AttachState, agent_version: &str) -> Result<(), Status> {
    let sender = Sender { cluster: handle.cluster(), incarnation: handle.incarnation(), now: (sessions.now)() };
    let reports = attach.releases.into_iter().take(MAX_RELEASES).map(|report| report_of(report, sender));
    let found = attach.found.into_iter().take(MAX_FOUND).map(|found| Found {
        name: cut(&found.name, MAX_WORD),
        namespace: cut(&found.namespace, MAX_WORD),
        revision: found.revision,
        status: cut(&found.status, MAX_WORD),
        chart: cut(&found.chart, MAX_WORD),
    });
    let facts = AttachFacts {
        epoch: epoch_of(attach.epoch),
        reports: reports.collect::<Result<_, _>>().map_err(|error| Status::invalid_argument(error.to_string()))?,
        agent_version: agent_version.to_owned(),
        helm_version: cut(&attach.helm_version, MAX_WORD),
        kubernetes_version: cut(&attach.kubernetes_version, MAX_WORD),
        found: found.collect(),
    };
    sessions.coordinator.attach(handle, facts).await.map_err(super::internal)
}

async fn take_report(sessions: &Sessions, handle: &SessionHandle, report: v1::Report, outbox: &Outbox) -> Result<(), Status> {
    let (release, sequence) = (report.release.clone(), report.sequence);
    let sender = Sender { cluster: handle.cluster(), incarnation: handle.incarnation(), now: (sessions.now)() };
    let report = report_of(report, sender).map_err(|error| Status::invalid_argument(error.to_string()))?;
    sessions.coordinator.report(handle, report).await.map_err(super::internal)?;
    say(outbox, ToAgent::ReportTaken(v1::ReportTaken { release, sequence })).await
}

async fn answer_permit(sessions: &Sessions, handle: &SessionHandle, request: v1::PermitRequest, outbox: &Outbox) -> Result<(), Status> {
    let release = ReleaseName::new(request.release.clone()).map_err(|error| Status::invalid_argument(error.to_string()))?;
    let answer = sessions.coordinator.permit(handle.cluster(), &release, Generation(request.generation));
    let permit = v1::Permit {
        release: request.release,
        generation: request.generation,
        permit_ms: millis(answer.granted_for.unwrap_or(Span::ZERO)),
        retry_ms: millis(answer.retry),
        why: answer.why,
    };
    say(outbox, ToAgent::Permit(permit)).await
}

fn health_of(health: v1::ReleaseHealth) -> Option<HealthFact> {
    let phase = phase_of(health.phase());
    Some(HealthFact {
        release: ReleaseName::new(health.release).ok()?,
        rollout: RolloutId(cut(&health.rollout, MAX_WORD)),
        generation: Generation(health.generation),
        phase,
        healthy_for: if phase == Phase::Healthy { Span(health.healthy_for_ms) } else { Span::ZERO },
        helm_revision: (health.helm_revision > 0).then_some(health.helm_revision),
    })
}

/// Asks the agent to move, and leaves it the time to do so. Ends when it has gone; the server's own deadline ends the rest.
async fn drain(outbox: &Outbox, mut incoming: Streaming<AgentMessage>) -> Result<(), Status> {
    let drain = v1::Drain { reconnect_after_ms: millis(DRAIN_SPREAD), why: "the server is stopping".into() };
    say(outbox, ToAgent::Drain(drain)).await?;
    while let Some(Ok(_)) = incoming.next().await {}
    Ok(())
}
