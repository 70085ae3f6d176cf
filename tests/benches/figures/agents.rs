//! The other process: many agents that hold sessions, take assignments and report at once that all is well.

use crate::wire::{Identity, channel, client_config};
use anyhow::{Context as _, Result};
use groundswell_proto::PROTOCOL_MAX;
use groundswell_proto::v1::agent_message::Message as ToServer;
use groundswell_proto::v1::server_message::Message as FromServer;
use groundswell_proto::v1::session_service_client::SessionServiceClient;
use groundswell_proto::v1::{self, AgentMessage};
use std::io::{BufRead as _, Write as _};
use std::net::Ipv4Addr;
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};
use tokio::sync::{Semaphore, mpsc};

/// Handshakes at once; the server's own limit is 64.
const CONNECTS: usize = 32;
/// What one agent may have to say before the connection takes it.
const OUTBOX: usize = 16;
/// Events of all agents: three for each.
const EVENTS: usize = 8 * 1024;

/// What this process is told, as JSON in a file.
#[derive(serde::Serialize, serde::Deserialize)]
pub(crate) struct Orders {
    pub(crate) port: u16,
    pub(crate) root_pem: String,
    pub(crate) identities: Vec<Identity>,
}

/// What it says when every agent has its assignment and every report is durable. Times are milliseconds since 1970.
#[derive(Debug, serde::Serialize, serde::Deserialize)]
pub(crate) struct Told {
    /// From the decision to the agent, for each, ascending.
    pub(crate) delays_ms: Vec<u64>,
    pub(crate) last_assignment: u64,
    pub(crate) last_taken: u64,
}

enum Event {
    Up,
    Assigned { at: u64, issued: u64 },
    Taken { at: u64 },
}

pub(crate) fn now_ms() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| u64::try_from(since.as_millis()).unwrap_or(u64::MAX))
}

/// Says `ready` when every session is up, then [`Told`] when a rollout has reached all, then waits for the end of stdin.
pub(crate) fn run(orders: &str) -> Result<()> {
    let orders: Orders = serde_json::from_slice(&std::fs::read(orders)?)?;
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build()?;
    runtime.spawn(async move {
        if let Err(error) = serve(orders).await {
            let _ = tell(&format!("failed: {error:#}"));
        }
    });
    // The parent's end closes it.
    while std::io::stdin().lock().read_line(&mut String::new())? > 0 {}
    runtime.shutdown_background();
    Ok(())
}

fn tell(line: &str) -> std::io::Result<()> {
    let mut out = std::io::stdout().lock();
    writeln!(out, "{line}")?;
    out.flush()
}

async fn serve(orders: Orders) -> Result<()> {
    let count = orders.identities.len();
    let (events, mut seen) = mpsc::channel(EVENTS);
    let connects = Arc::new(Semaphore::new(CONNECTS));
    for identity in orders.identities {
        let tls = client_config(&orders.root_pem, Some(&identity))?;
        let (events, connects, port) = (events.clone(), Arc::clone(&connects), orders.port);
        tokio::spawn(async move {
            if let Err(error) = agent(port, tls, events, connects).await {
                let _ = tell(&format!("failed: {}: {error:#}", identity.cluster));
            }
        });
    }
    let (mut up, mut taken) = (0, 0);
    let mut told = Told { delays_ms: Vec::new(), last_assignment: 0, last_taken: 0 };
    while let Some(event) = seen.recv().await {
        match event {
            Event::Up => {
                up += 1;
                if up == count {
                    tell("ready")?;
                }
            }
            Event::Assigned { at, issued } => {
                told.delays_ms.push(at.saturating_sub(issued));
                told.last_assignment = told.last_assignment.max(at);
            }
            Event::Taken { at } => {
                taken += 1;
                told.last_taken = told.last_taken.max(at);
                if taken == count {
                    told.delays_ms.sort_unstable();
                    tell(&serde_json::to_string(&told)?)?;
                }
            }
        }
    }
    Ok(())
}

async fn agent(port: u16, tls: Arc<rustls::ClientConfig>, events: mpsc::Sender<Event>, connects: Arc<Semaphore>) -> Result<()> {
    let permit = connects.acquire_owned().await?;
    let channel = channel(port, Ipv4Addr::LOCALHOST, tls).await?;
    let (outbox, messages) = mpsc::channel(OUTBOX);
    let say = |message| {
        let outbox = outbox.clone();
        async move { outbox.send(AgentMessage { message: Some(message) }).await.context("the session ended") }
    };
    say(ToServer::Hello(v1::Hello {
        protocol_min: PROTOCOL_MAX,
        protocol_max: PROTOCOL_MAX,
        agent_version: "bench".into(),
        incarnation: "bench".into(),
        features: vec![],
    }))
    .await?;
    let messages = tokio_stream::wrappers::ReceiverStream::new(messages);
    let mut incoming = SessionServiceClient::new(channel).attach(messages).await?.into_inner();
    say(ToServer::Attach(v1::AttachState { kubernetes_version: "v1.36.3".into(), helm_version: "v3".into(), ..Default::default() }))
        .await?;
    let mut beat = tokio::time::interval(Duration::from_secs(10));
    let mut permit = Some(permit);
    let mut healthy: Option<v1::ReleaseHealth> = None;
    loop {
        let message = tokio::select! {
            message = incoming.message() => message?.context("the server ended the session")?.message,
            _ = beat.tick() => {
                say(ToServer::Heartbeat(v1::Heartbeat { sequence: 1, releases: healthy.clone().into_iter().collect() })).await?;
                continue;
            }
        };
        match message {
            Some(FromServer::Welcome(_)) => {
                permit.take();
                events.send(Event::Up).await?;
            }
            Some(FromServer::Assignment(assignment)) => {
                events.send(Event::Assigned { at: now_ms(), issued: assignment.issued_at_ms }).await?;
                let report = all_is_well(&assignment);
                healthy = Some(health_of(&report));
                say(ToServer::Report(report)).await?;
            }
            Some(FromServer::ReportTaken(_)) => events.send(Event::Taken { at: now_ms() }).await?,
            _ => {}
        }
    }
}

fn all_is_well(assignment: &v1::Assignment) -> v1::Report {
    let digest = match &assignment.target {
        Some(v1::assignment::Target::Content(content)) => content.chart.as_ref().map(|chart| chart.digest.clone()).unwrap_or_default(),
        _ => String::new(),
    };
    v1::Report {
        release: assignment.release.clone(),
        rollout: assignment.rollout.clone(),
        generation: assignment.generation,
        chart_digest: digest,
        attempt: 1,
        sequence: 1,
        phase: v1::Phase::Healthy.into(),
        healthy_for_ms: 60_000,
        helm_revision: 1,
        message: "3 objects are ready".into(),
        ..v1::Report::default()
    }
}

fn health_of(report: &v1::Report) -> v1::ReleaseHealth {
    v1::ReleaseHealth {
        release: report.release.clone(),
        rollout: report.rollout.clone(),
        generation: report.generation,
        phase: report.phase,
        healthy_for_ms: report.healthy_for_ms,
        helm_revision: report.helm_revision,
    }
}
