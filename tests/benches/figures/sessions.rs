//! The running server under 1,000 sessions: memory for each, handshakes, and a rollout from the commit to the last agent.
//! Server and agents are processes of their own; 1,000 sessions stay far within 20,000 open files.

use crate::agents::{Orders, Told, now_ms};
use crate::print::{count, figure, say, span};
use crate::server::Server;
use crate::wire::{Identity, channel, client_config, dial};
use anyhow::{Context as _, Result, bail};
use groundswell_proto::v1::EnrolRequest;
use groundswell_proto::v1::enrolment_service_client::EnrolmentServiceClient;
use rcgen::{CertificateParams, KeyPair, PKCS_ECDSA_P256_SHA256};
use rustix::process::{Resource, getrlimit, setrlimit};
use std::io::{BufRead as _, BufReader};
use std::net::Ipv4Addr;
use std::process::{Child, ChildStdout, Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::io::AsyncReadExt as _;

const SESSIONS: usize = 1_000;
/// Uses of one token, and enrolments from one address: the server's own limits are 200, and 20 in ten seconds.
const USES: usize = 200;
const FROM_ONE_ADDRESS: usize = 20;
/// Connections at once while handshakes are measured.
const DIALLERS: usize = 16;
const DIAL_FOR: Duration = Duration::from_secs(4);
/// After the last session is up: what the handshakes needed is given back.
const SETTLE: Duration = Duration::from_secs(3);
const FILES: u64 = 20_000;

const RELEASE: &str = "
apiVersion: groundswell.dev/v1alpha1
kind: Release
metadata: {name: bench}
spec:
  namespace: bench
  chart: {path: CHART}
  clusters: {selector: bench=true}
  values: |
    message: hello from ((cluster_name))
  strategySpec:
    waves:
      - {name: all, selector: '', maxConcurrent: none, bake: 0s}
    each: {gates: [{ready: {for: 1s}}]}
";

pub(crate) fn run() -> Result<()> {
    allow_files()?;
    let server = Server::start()?;
    let build = if server.is_release() { "release build" } else { "DEBUG build: build the release for figures that count" };
    say(&format!("sessions: {SESSIONS} sessions over loopback, the real server ({build})"))?;
    measure(&server).with_context(|| format!("the server's log:\n{}", server.log()))
}

fn measure(server: &Server) -> Result<()> {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
    let begun = Instant::now();
    let identities = runtime.block_on(enrol(server))?;
    figure(&format!("{SESSIONS} enrolments, two commits each"), &span(begun.elapsed()), "")?;
    let identity = identities.first().context("nobody was enrolled")?.clone();
    runtime.block_on(handshakes(server, &identity))?;

    let orders = Orders { port: server.port("sessions")?, root_pem: server.root_pem()?, identities };
    let path = server.folder().join("orders.json");
    std::fs::write(&path, serde_json::to_vec(&orders)?)?;
    let before = server.rss()?;
    let mut agents = Agents::start(&path)?;
    agents.line().and_then(|line| if line == "ready" { Ok(()) } else { bail!("{line}") })?;
    std::thread::sleep(SETTLE);
    let idle = server.rss()?;
    let each = idle.saturating_sub(before) as f64 / SESSIONS as f64 / 1024.0;
    figure("memory for each idle session", &format!("{each:.1} KB"), "DESIGN 16: at most 50 KB, aim 25")?;
    rollout(server, &mut agents, idle)
}

/// An apply over all clusters, from its answer to the last agent, and on to the last durable report.
fn rollout(server: &Server, agents: &mut Agents, idle: u64) -> Result<()> {
    let chart = concat!(env!("CARGO_MANIFEST_DIR"), "/../charts/beacon");
    let document = server.folder().join("release.yaml");
    std::fs::write(&document, RELEASE.replace("CHART", chart))?;
    let cpu = server.cpu()?;
    let begun = now_ms();
    server.cli(&["apply", "-f", document.to_str().context("a path that is no UTF-8")?])?;
    let answered = now_ms();
    let told: Told = serde_json::from_str(&agents.line()?)?;
    let ms = |from: u64, to: u64| span(Duration::from_millis(to.saturating_sub(from)));
    let delay = |part: f64| {
        let index = (told.delays_ms.len() as f64 * part) as usize;
        span(Duration::from_millis(told.delays_ms.get(index.min(told.delays_ms.len().saturating_sub(1))).copied().unwrap_or_default()))
    };
    figure("the apply itself, values of all clusters laid out", &ms(begun, answered), "")?;
    figure(
        &format!("from its answer to the last of {} agents", told.delays_ms.len()),
        &ms(answered, told.last_assignment),
        "DESIGN 16: 10,000 agents within 1 s of the commit",
    )?;
    figure("  from one decision to its agent, median", &delay(0.5), "commit and sync included")?;
    figure("  the same, 99th percentile", &delay(0.99), "")?;
    figure(
        "from the answer to the last durable report",
        &ms(answered, told.last_taken),
        "DESIGN 16: 2 s for 1,000 clusters (a peer: 56 s)",
    )?;
    figure("  CPU of the server for all of it", &span(server.cpu()?.saturating_sub(cpu)), "DESIGN 16: 3 CPU seconds (a peer: 104)")?;
    let (after, mb) = (server.rss()?, 1024.0 * 1024.0);
    figure("  memory of the server then", &format!("{:.0} MB", after as f64 / mb), "DESIGN 16: 150 MB (a peer: 1,500)")?;
    figure("  memory of the server with the sessions idle", &format!("{:.0} MB", idle as f64 / mb), "")
}

/// Raises the soft limit of open files, which the server and the agents inherit.
fn allow_files() -> Result<()> {
    let mut limit = getrlimit(Resource::Nofile);
    let wanted = limit.maximum.map_or(FILES, |hard| hard.min(FILES));
    if limit.current.is_some_and(|soft| soft < wanted) {
        limit.current = Some(wanted);
        setrlimit(Resource::Nofile, limit)?;
    }
    Ok(())
}

/// Enrols with real tokens, from several addresses of the loopback network.
async fn enrol(server: &Server) -> Result<Vec<Identity>> {
    let (port, tls) = (server.port("enrolment")?, client_config(&server.root_pem()?, None)?);
    let mut identities = Vec::with_capacity(SESSIONS);
    let mut tasks = tokio::task::JoinSet::new();
    let names: Vec<String> = (0..SESSIONS).map(|n| format!("cluster-{n:05}")).collect();
    let mut address = u32::from(Ipv4Addr::new(127, 0, 1, 0));
    for many in names.chunks(USES) {
        let uses = many.len().to_string();
        let token = server.cli(&["cluster", "token", "create", "--uses", &uses, "-l", "bench=true"])?.trim().to_owned();
        // `gs1.<id>.<secret>.<pin>`: the server gets id and secret.
        let parts: Vec<&str> = token.split('.').collect();
        let [_, id, secret, _] = parts.as_slice() else { bail!("a token of {} parts", parts.len()) };
        let token = format!("{id}.{secret}");
        for few in many.chunks(FROM_ONE_ADDRESS) {
            address += 1;
            let (few, token, tls, from) = (few.to_vec(), token.clone(), Arc::clone(&tls), Ipv4Addr::from(address));
            tasks.spawn(async move { enrol_from(port, from, tls, token, few).await });
        }
    }
    while let Some(enrolled) = tasks.join_next().await {
        identities.extend(enrolled??);
    }
    Ok(identities)
}

async fn enrol_from(port: u16, from: Ipv4Addr, tls: Arc<rustls::ClientConfig>, token: String, names: Vec<String>) -> Result<Vec<Identity>> {
    let mut client = EnrolmentServiceClient::new(channel(port, from, tls).await?);
    let mut identities = Vec::with_capacity(names.len());
    for cluster in names {
        let key = KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256)?;
        let csr_der = CertificateParams::default().serialize_request(&key)?.der().to_vec();
        let request = EnrolRequest { token: token.clone(), csr_der, cluster_name: cluster.clone(), ..EnrolRequest::default() };
        let answer = client.enrol(request).await?.into_inner();
        identities.push(Identity { cluster, chain_pem: answer.certificate_chain_pem, key_pem: key.serialize_pem() });
    }
    Ok(identities)
}

/// Connections to the session listener up to the server's first bytes of HTTP/2, which it sends only behind a finished handshake.
async fn handshakes(server: &Server, identity: &Identity) -> Result<()> {
    let (port, tls) = (server.port("sessions")?, client_config(&server.root_pem()?, Some(identity))?);
    let (begun, cpu) = (Instant::now(), server.cpu()?);
    let mut tasks = tokio::task::JoinSet::new();
    for _ in 0..DIALLERS {
        let tls = Arc::clone(&tls);
        tasks.spawn(async move {
            let mut done = 0_u32;
            while begun.elapsed() < DIAL_FOR {
                let mut stream = dial(port, Ipv4Addr::LOCALHOST, Arc::clone(&tls)).await?;
                stream.read_u8().await?;
                done += 1;
            }
            anyhow::Ok(done)
        });
    }
    let mut done = 0;
    while let Some(ended) = tasks.join_next().await {
        done += ended??;
    }
    let (took, cpu) = (begun.elapsed(), server.cpu()?.saturating_sub(cpu));
    let per_core = f64::from(done) / cpu.as_secs_f64().max(1e-9);
    figure(
        "handshakes a second and core of the server",
        &format!("{}/s", count(per_core)),
        "DESIGN 16: 1,500 (TCP, TLS and HTTP/2 settings)",
    )?;
    figure("  as it ran, both ends on this machine", &format!("{}/s", count(f64::from(done) / took.as_secs_f64())), "")
}

/// The process of the agents; ends when this is dropped.
struct Agents {
    child: Child,
    lines: BufReader<ChildStdout>,
}

impl Agents {
    fn start(orders: &std::path::Path) -> Result<Self> {
        let mut command = Command::new(std::env::current_exe()?);
        let mut child = command.arg(crate::AGENTS).arg(orders).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn()?;
        let lines = BufReader::new(child.stdout.take().context("no stdout")?);
        Ok(Self { child, lines })
    }

    fn line(&mut self) -> Result<String> {
        let mut line = String::new();
        self.lines.read_line(&mut line)?;
        match line.trim() {
            "" => bail!("the process of the agents ended"),
            line if line.starts_with("failed: ") => bail!("{line}"),
            line => Ok(line.to_owned()),
        }
    }
}

impl Drop for Agents {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
