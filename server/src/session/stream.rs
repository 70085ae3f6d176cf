//! One session from Hello to its end.

use super::convert::{Sender, assignment, cut, epoch, epoch_of, millis, phase_of, report_of};
use super::{Sessions, internal, reconnect_spread};
use crate::coordinator::{ApisSaid, AttachFacts, Closed, Found, HealthFact, SessionHandle};
use crate::pki::Peer;
use futures::StreamExt as _;
use futures::stream::BoxStream;
use groundswell_core::id::{Digest, Generation, Incarnation, ReleaseName, RolloutId};
use groundswell_core::report::Phase;
use groundswell_core::time::Span;
use groundswell_proto::v1::agent_message::Message as FromAgent;
use groundswell_proto::v1::server_message::Message as ToAgent;
use groundswell_proto::v1::{self, AgentMessage, ServerMessage};
use groundswell_proto::{FEATURE_API_LIST, PROTOCOL_MAX, PROTOCOL_MIN};
use std::time::{Duration, Instant};
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
/// Between two lists of one session. An agent leaves 15 s between two looks, so only one that goes astray is slowed down.
const LISTS_APART: Duration = Duration::from_secs(10);

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

/// What one session keeps between two messages.
struct Talk<'a> {
    sessions: &'a Sessions,
    handle: SessionHandle,
    outbox: &'a Outbox,
    agent_version: String,
    sends_lists: bool,
    /// The list of API versions that was asked for.
    asked: Option<Digest>,
    asked_at: Option<Instant>,
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
    let sends_lists = hello.features.iter().any(|feature| feature == FEATURE_API_LIST);
    let mut talk = Talk { sessions, handle, outbox, agent_version, sends_lists, asked: None, asked_at: None };
    let mut admit_again = tokio::time::interval(ADMIT_AGAIN);
    loop {
        tokio::select! {
            message = incoming.next() => match message {
                None => return Ok(()),
                Some(Err(status)) => return Err(status),
                Some(Ok(message)) => talk.take(message).await?,
            },
            next = talk.handle.next_assignment() => {
                let permit = sessions.coordinator.permit(&peer.cluster, &next.release, next.generation).granted_for;
                say(outbox, ToAgent::Assignment(assignment(&next, &sessions.coordinator.epoch(), permit))).await?;
            },
            closed = talk.handle.closed() => return Err(match closed {
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
        features: vec![FEATURE_API_LIST.into()],
    }
}

impl Talk<'_> {
    async fn take(&mut self, message: AgentMessage) -> Result<(), Status> {
        match message.message {
            Some(FromAgent::Attach(attach)) => self.take_attach(attach).await,
            Some(FromAgent::Report(report)) => self.take_report(report).await,
            Some(FromAgent::Heartbeat(heartbeat)) => {
                let facts = heartbeat.releases.into_iter().take(MAX_RELEASES).filter_map(health_of).collect();
                self.sessions.coordinator.heartbeat(&self.handle, facts);
                say(self.outbox, ToAgent::HeartbeatSeen(v1::HeartbeatSeen { sequence: heartbeat.sequence })).await
            }
            Some(FromAgent::PermitRequest(request)) => self.answer_permit(request).await,
            Some(FromAgent::ApiState(state)) => self.take_apis(state).await,
            Some(FromAgent::ApiList(list)) => self.take_list(list).await,
            Some(FromAgent::Unsupported(what)) => {
                tracing::warn!(cluster = %self.handle.cluster(), what = cut(&what.what, MAX_WORD), "the agent does not know what it was sent");
                Ok(())
            }
            Some(FromAgent::Hello(_)) => Err(Status::invalid_argument("hello was said already")),
            // A newer agent's message: nothing is dropped in silence.
            None => {
                say(self.outbox, ToAgent::Unsupported(v1::Unsupported { what: "a message that this server does not know".into() })).await
            }
        }
    }

    async fn take_attach(&mut self, attach: v1::AttachState) -> Result<(), Status> {
        let sender = self.sender();
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
            agent_version: self.agent_version.clone(),
            helm_version: cut(&attach.helm_version, MAX_WORD),
            kubernetes_version: cut(&attach.kubernetes_version, MAX_WORD),
            found: found.collect(),
            // Which list it is follows below, once what it has is known.
            apis: if self.sends_lists { ApisSaid::NotYet } else { ApisSaid::Unsupported },
        };
        self.sessions.coordinator.attach(&self.handle, facts).await.map_err(internal)?;
        match attach.apis {
            Some(apis) => self.take_apis(apis).await,
            None => Ok(()),
        }
    }

    /// The list itself is asked for when nobody has sent it yet.
    async fn take_apis(&mut self, state: v1::ApiState) -> Result<(), Status> {
        let digest = Digest::new(state.digest).map_err(|error| Status::invalid_argument(error.to_string()))?;
        let version = cut(&state.kubernetes_version, MAX_WORD);
        if !self.sessions.coordinator.announce(&self.handle, &version, digest.clone()).await.map_err(internal)? {
            return Ok(());
        }
        if self.asked_at.is_some_and(|at| at.elapsed() < LISTS_APART) {
            tracing::warn!(cluster = %self.handle.cluster(), "the agent's list of API versions changes too often; it is asked for later");
            return Ok(());
        }
        self.asked = Some(digest.clone());
        self.asked_at = Some(Instant::now());
        say(self.outbox, ToAgent::WantApiList(v1::WantApiList { digest: digest.to_string() })).await
    }

    async fn take_list(&mut self, list: v1::ApiList) -> Result<(), Status> {
        let Some(digest) = self.asked.take_if(|asked| asked.as_str() == list.digest) else {
            return say(self.outbox, ToAgent::Unsupported(v1::Unsupported { what: "a list that nobody asked for".into() })).await;
        };
        match self.sessions.coordinator.take_list(&self.handle, &digest, list.canonical).await {
            Ok(()) => Ok(()),
            Err(why) => {
                tracing::warn!(cluster = %self.handle.cluster(), why, "a list of API versions is not taken");
                say(self.outbox, ToAgent::Unsupported(v1::Unsupported { what: format!("the list of API versions: {why}") })).await
            }
        }
    }

    async fn take_report(&self, report: v1::Report) -> Result<(), Status> {
        let (release, sequence) = (report.release.clone(), report.sequence);
        let report = report_of(report, self.sender()).map_err(|error| Status::invalid_argument(error.to_string()))?;
        self.sessions.coordinator.report(&self.handle, report).await.map_err(internal)?;
        say(self.outbox, ToAgent::ReportTaken(v1::ReportTaken { release, sequence })).await
    }

    async fn answer_permit(&self, request: v1::PermitRequest) -> Result<(), Status> {
        let release = ReleaseName::new(request.release.clone()).map_err(|error| Status::invalid_argument(error.to_string()))?;
        let answer = self.sessions.coordinator.permit(self.handle.cluster(), &release, Generation(request.generation));
        let permit = v1::Permit {
            release: request.release,
            generation: request.generation,
            permit_ms: millis(answer.granted_for.unwrap_or(Span::ZERO)),
            retry_ms: millis(answer.retry),
            why: answer.why,
        };
        say(self.outbox, ToAgent::Permit(permit)).await
    }

    fn sender(&self) -> Sender<'_> {
        Sender { cluster: self.handle.cluster(), incarnation: self.handle.incarnation(), now: (self.sessions.now)() }
    }
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
