//! The session with the server: level-triggered, so that nothing depends on a message having arrived.

use super::apis::Found;
use super::{Tenure, now};
use crate::cluster::FIELD_MANAGER;
use crate::convert::{assignment_of, epoch, epoch_of};
use crate::link::{self, told};
use crate::retry::{Delays, even};
use crate::tls;
use groundswell_core::agent::{Offer, Permit, Refusal};
use groundswell_core::id::{Generation, ReleaseName};
use groundswell_core::time::Span;
use groundswell_proto::v1::agent_message::Message as Say;
use groundswell_proto::v1::server_message::Message as Hear;
use groundswell_proto::v1::session_service_client::SessionServiceClient;
use groundswell_proto::{FEATURE_API_LIST, PROTOCOL_MAX, PROTOCOL_MIN, v1};
use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{mpsc, watch};
use tokio::time::Instant;
use tokio_stream::wrappers::ReceiverStream;
use tonic::Streaming;

/// From the stream's opening to the Welcome.
const WELCOME: Duration = Duration::from_secs(20);
/// What may wait to be sent: the board keeps only the newest word of each release, so this only smooths a burst.
const QUEUE: usize = 32;
/// Heartbeats that may stay unanswered before the session counts as dead.
const UNANSWERED: u32 = 4;
/// A session that lasted so long was a good one: delays start over.
const GOOD: Duration = Duration::from_secs(60);

/// Why a session ended, and how long to wait before the next.
enum End {
    /// Unexpected: spread over what the server asked for.
    Lost { why: String, spread: Duration },
    /// The server asked us to move.
    Drained,
}

/// Holds sessions for ever, one after the other.
pub(crate) async fn run(tenure: &Arc<Tenure>) -> anyhow::Result<()> {
    let mut delays = Delays::up_to(tenure.config.reconnect_max);
    loop {
        let began = Instant::now();
        let end = one(tenure).await;
        tenure.board.set_connected(false);
        tenure.board.set_channel(None);
        if began.elapsed() >= GOOD {
            delays.reset();
        }
        match end? {
            End::Drained => tracing::info!("the server asked this agent to open a new session"),
            End::Lost { why, spread } => {
                let delay = delays.next().max(even(spread));
                tracing::warn!(retry_in_ms = u64::try_from(delay.as_millis()).unwrap_or(u64::MAX), "no session: {why}");
                tokio::time::sleep(delay).await;
            }
        }
    }
}

async fn one(tenure: &Arc<Tenure>) -> anyhow::Result<End> {
    let lost = |why: String| Ok(End::Lost { why, spread: Duration::ZERO });
    let identity = tenure.identity.borrow().clone();
    let tls = tls::mutual(&identity.root_pem, &identity.chain_pem, &identity.key_pem)?;
    let channel = match link::connect(&tenure.config.server, tls).await {
        Ok(channel) => channel,
        Err(why) => return lost(why),
    };
    let (out, queue) = mpsc::channel(QUEUE);
    let hello = v1::Hello {
        protocol_min: PROTOCOL_MIN,
        protocol_max: PROTOCOL_MAX,
        agent_version: env!("CARGO_PKG_VERSION").into(),
        incarnation: tenure.incarnation.clone(),
        features: vec![FEATURE_API_LIST.into()],
    };
    out.send(said(Say::Hello(hello))).await?;
    let opening = async {
        let mut hears = SessionServiceClient::new(channel.clone()).attach(ReceiverStream::new(queue)).await?.into_inner();
        Ok::<_, tonic::Status>((hears.message().await?, hears))
    };
    let (first, hears) = match tokio::time::timeout(WELCOME, opening).await {
        Ok(Ok(opened)) => opened,
        Ok(Err(status)) => return lost(told(&status)),
        Err(_) => return lost(format!("the server did not greet within {} s", WELCOME.as_secs())),
    };
    let Some(v1::ServerMessage { message: Some(Hear::Welcome(welcome)) }) = first else {
        return lost("the server's first message is no Welcome".into());
    };
    if let Some(leader) = welcome.epoch.clone() {
        tenure.keeper.see(&epoch_of(leader)).await?;
    }
    tracing::info!(cluster = %identity.cluster, server = welcome.server_version, protocol = welcome.protocol, "session opened");
    tenure.board.set_channel(Some(channel));
    let lists = welcome.features.iter().any(|feature| feature == FEATURE_API_LIST);
    let mut session = Session { tenure, out, hears, sent: 0, unanswered: 0, beat: 0, move_at: None, lists, looks: tenure.apis.watch() };
    session.attach().await?;
    tenure.board.set_connected(true);
    session.serve(&welcome).await
}

fn said(message: Say) -> v1::AgentMessage {
    v1::AgentMessage { message: Some(message) }
}

struct Session<'a> {
    tenure: &'a Arc<Tenure>,
    out: mpsc::Sender<v1::AgentMessage>,
    hears: Streaming<v1::ServerMessage>,
    /// Sequence of the newest report that was sent.
    sent: u64,
    unanswered: u32,
    beat: u64,
    /// When to leave, once the server asked for it.
    move_at: Option<Instant>,
    /// Whether the server takes lists of API versions.
    lists: bool,
    /// From before the attach, so that no look falls between the two.
    looks: watch::Receiver<Found>,
}

impl Session<'_> {
    async fn say(&self, message: Say) -> Result<(), mpsc::error::SendError<v1::AgentMessage>> {
        self.out.send(said(message)).await
    }

    async fn attach(&mut self) -> anyhow::Result<()> {
        let ours: BTreeSet<ReleaseName> = self.tenure.keeper.releases().await.into_iter().collect();
        let releases = self.tenure.board.reports_after(0);
        self.sent = releases.iter().map(|report| report.sequence).max().unwrap_or_default();
        let cluster = self.tenure.apis.found();
        // The look of a session before may be old.
        self.tenure.apis.look_again();
        let state = v1::AttachState {
            epoch: Some(epoch(&self.tenure.keeper.epoch().await)),
            releases,
            apis: self.api_state(&cluster),
            kubernetes_version: cluster.kubernetes_version,
            helm_version: self.tenure.helm_version.clone(),
            found: self.tenure.records.found(&self.tenure.config.cluster.release_namespaces, |name| ours.contains(name)).await,
        };
        self.say(Say::Attach(state)).await?;
        Ok(())
    }

    /// Which list of API versions the cluster has; `None` before the first look, or when the server would not know what to do with it.
    fn api_state(&self, found: &Found) -> Option<v1::ApiState> {
        let list = found.list.as_ref().filter(|_| self.lists)?;
        Some(v1::ApiState { digest: list.digest.clone(), kubernetes_version: found.kubernetes_version.clone() })
    }

    /// The list that the server asked for. When another look came in between, that one's digest is on its way.
    async fn send_list(&self, wanted: String) -> Result<(), mpsc::error::SendError<v1::AgentMessage>> {
        let Some(list) = self.tenure.apis.found().list.filter(|list| list.digest == wanted) else { return Ok(()) };
        self.say(Say::ApiList(v1::ApiList { digest: wanted, canonical: list.canonical.clone().into_bytes() })).await
    }

    async fn serve(&mut self, welcome: &v1::Welcome) -> anyhow::Result<End> {
        let spread = Duration::from_millis(u64::from(welcome.reconnect_spread_ms));
        let period = Duration::from_millis(u64::from(welcome.heartbeat_ms.clamp(200, 300_000)));
        let mut beats = tokio::time::interval(period);
        beats.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        let lost = |why: String| Ok(End::Lost { why, spread });
        loop {
            let leave = self.move_at;
            let leaving = async {
                match leave {
                    Some(at) => tokio::time::sleep_until(at).await,
                    None => std::future::pending().await,
                }
            };
            tokio::select! {
                heard = self.hears.message() => match heard {
                    Ok(Some(message)) => self.hear(message).await?,
                    Ok(None) => return lost("the server ended the session".into()),
                    Err(status) => return lost(told(&status)),
                },
                () = self.tenure.board.outbound.notified() => {
                    if self.send_news().await.is_err() {
                        return lost("the stream is closed".into());
                    }
                }
                Ok(()) = self.looks.changed() => {
                    let found = self.tenure.apis.found();
                    if let Some(state) = self.api_state(&found)
                        && self.say(Say::ApiState(state)).await.is_err()
                    {
                        return lost("the stream is closed".into());
                    }
                }
                _ = beats.tick() => {
                    if self.unanswered >= UNANSWERED {
                        return lost(format!("the server left {UNANSWERED} heartbeats unanswered"));
                    }
                    self.beat += 1;
                    self.unanswered += 1;
                    let beat = v1::Heartbeat { sequence: self.beat, releases: self.tenure.board.health() };
                    if self.say(Say::Heartbeat(beat)).await.is_err() || self.send_news().await.is_err() {
                        return lost("the stream is closed".into());
                    }
                }
                () = leaving => return Ok(End::Drained),
            }
        }
    }

    async fn send_news(&mut self) -> Result<(), mpsc::error::SendError<v1::AgentMessage>> {
        for report in self.tenure.board.reports_after(self.sent) {
            let sequence = report.sequence;
            self.say(Say::Report(report)).await?;
            self.sent = sequence;
        }
        for (release, generation) in self.tenure.board.take_wanted() {
            self.say(Say::PermitRequest(v1::PermitRequest { release: release.to_string(), generation: generation.0 })).await?;
        }
        Ok(())
    }

    async fn hear(&mut self, message: v1::ServerMessage) -> anyhow::Result<()> {
        match message.message {
            Some(Hear::Assignment(assignment)) => self.take(assignment).await?,
            Some(Hear::Permit(permit)) => self.permit(permit),
            Some(Hear::HeartbeatSeen(_)) => self.unanswered = 0,
            Some(Hear::WantApiList(wanted)) => self.send_list(wanted.digest).await?,
            Some(Hear::Drain(drain)) => {
                tracing::info!(why = drain.why, "the server drains");
                self.move_at.get_or_insert(Instant::now() + even(Duration::from_millis(u64::from(drain.reconnect_after_ms))));
            }
            Some(Hear::ReportTaken(_) | Hear::Welcome(_)) => {}
            Some(Hear::Unsupported(what)) => tracing::warn!(what = what.what, "the server does not know something that this agent said"),
            None => self.say(Say::Unsupported(v1::Unsupported { what: "a message newer than this agent".into() })).await?,
        }
        Ok(())
    }

    async fn take(&mut self, wire: v1::Assignment) -> anyhow::Result<()> {
        let permit = Duration::from_millis(u64::from(wire.permit_ms));
        let release = wire.release.clone();
        let about = about(&wire);
        let cluster = self.tenure.identity.borrow().cluster.clone();
        let assignment = match assignment_of(wire, &cluster) {
            Ok(assignment) => assignment,
            Err(error) => {
                tracing::error!(release, "an assignment cannot be read: {error}");
                let what = format!("assignment of {release}: {error} ({FIELD_MANAGER} {})", env!("CARGO_PKG_VERSION"));
                self.refuse_unreadable(about, &what).await;
                self.say(Say::Unsupported(v1::Unsupported { what })).await?;
                return Ok(());
            }
        };
        match self.tenure.keeper.offer(&assignment).await? {
            Offer::Refuse(Refusal { why, is_stale }) => {
                tracing::warn!(%release, generation = %assignment.generation, "assignment refused: {why}");
                if !is_stale {
                    self.tenure.board.refuse(&assignment.release, v1::Report { message: why, ..about });
                }
                return Ok(());
            }
            Offer::Accept(_) => {
                tracing::info!(%release, generation = %assignment.generation, rollout = %assignment.rollout, "assignment accepted")
            }
            Offer::Known => {}
        }
        self.tenure.board.taken(&assignment.release, assignment.generation);
        if !permit.is_zero() {
            let until = Permit::Until(now() + span(permit));
            self.tenure.board.set_permit(&assignment.release, assignment.generation, until);
        }
        self.tenure.attend(&assignment.release);
        Ok(())
    }

    /// The rollout is told as well: it would wait for this cluster until its deadline.
    async fn refuse_unreadable(&self, about: v1::Report, what: &str) {
        let Ok(release) = ReleaseName::new(about.release.clone()) else { return };
        let known = self.tenure.keeper.entry(&release).await.map_or(0, |entry| entry.assignment.generation.0);
        if about.generation > known {
            self.tenure.board.refuse(&release, v1::Report { message: what.to_owned(), ..about });
        }
    }

    fn permit(&self, wire: v1::Permit) {
        let Ok(release) = ReleaseName::new(wire.release) else { return };
        let permit = match wire.permit_ms {
            0 => Permit::Refused {
                why: if wire.why.is_empty() { "the server gives no start permit now".into() } else { wire.why },
                ask_at: now() + Span(u64::from(wire.retry_ms.max(500))),
            },
            ms => Permit::Until(now() + Span(u64::from(ms))),
        };
        self.tenure.board.set_permit(&release, Generation(wire.generation), permit);
    }
}

/// A report's identity for an assignment that may not come into the ledger.
fn about(wire: &v1::Assignment) -> v1::Report {
    let chart = match &wire.target {
        Some(v1::assignment::Target::Content(content)) => content.chart.as_ref(),
        _ => None,
    };
    v1::Report {
        release: wire.release.clone(),
        rollout: wire.rollout.clone(),
        generation: wire.generation,
        chart_digest: chart.map(|chart| chart.digest.clone()).unwrap_or_default(),
        ..v1::Report::default()
    }
}

fn span(duration: Duration) -> Span {
    Span(u64::try_from(duration.as_millis()).unwrap_or(u64::MAX))
}
