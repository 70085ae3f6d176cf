//! The only wiring: build everything, then spawn, then wait, then drain.

use crate::acceptor::{self, Connection};
use crate::admin::{self, Health};
use crate::args::LogFormat;
use crate::config::Config;
use crate::coordinator::{Clock, Coordinator, CoordinatorConfig, Failpoint, SystemClock};
use crate::enrol::Enrolment;
use crate::operator;
use crate::pki::{Authority, write_private};
use crate::session::Sessions;
use crate::tls::{Clients, server_config};
use anyhow::{Context as _, Result};
use groundswell_core::limit::Limit;
use groundswell_core::time::{Span, Time};
use groundswell_proto::v1::enrolment_service_server::EnrolmentServiceServer;
use groundswell_proto::v1::session_service_server::SessionServiceServer;
use groundswell_store::{BlobStore, SledOptions, SledStore};
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto;
use hyper_util::service::TowerToHyperService;
use std::io::Write as _;
use std::net::SocketAddr;
use std::process::ExitCode;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::Duration;
use tokio::net::TcpListener;
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tokio_stream::StreamExt as _;
use tokio_util::sync::CancellationToken;

/// A chart has at most 20 MiB; values and snapshots less.
const MAX_BLOB: u64 = 64 * 1024 * 1024;
/// A token, a CSR and some labels.
const MAX_ENROL: usize = 64 * 1024;
/// What agents send is small: a report has 64 KiB at most, an attach a report for each release.
const MAX_FROM_AGENT: usize = 1024 * 1024;
/// Below 1 MiB h2's budget for small frames ends sessions under a burst of reports (reference: reliability 0.5).
const CONNECTION_WINDOW: u32 = 1024 * 1024;
const STREAM_WINDOW: u32 = 256 * 1024;
/// A session, a fetch or two, a renewal.
const STREAMS_PER_AGENT: u32 = 8;
const HEADER_LIST: u32 = 16 * 1024;
const KEEPALIVE: Duration = Duration::from_secs(30);
const KEEPALIVE_TIMEOUT: Duration = Duration::from_secs(10);
/// Headers of a request come at once; a client that dribbles them is hostile.
const HEADER_DEADLINE: Duration = Duration::from_secs(10);
/// Agents get 5 s to move, answers in flight a little longer; then the process ends with what is durable.
const DRAIN_DEADLINE: Duration = Duration::from_secs(8);
/// Two lost heartbeats and the third late.
const HEARTBEATS_TO_STALE: u64 = 3;
/// The runtime's threads: the planner and the sessions on two cores; the store has a thread of its own.
const WORKERS: usize = 2;

/// An error with its causes, in one line.
pub fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        text = format!("{text}: {cause}");
        source = cause.source();
    }
    text
}

/// Says why on stderr, and gives the exit code.
pub fn complain(error: &dyn std::error::Error, code: u8) -> ExitCode {
    let _ = writeln!(std::io::stderr().lock(), "groundswell-server: {}", chain(error));
    ExitCode::from(code)
}

/// Prints what the configuration comes to.
pub fn describe(config: &Config) -> ExitCode {
    let _ = write!(std::io::stdout().lock(), "{config}");
    ExitCode::SUCCESS
}

/// Serves until it is told to stop.
pub fn run(config: Config) -> ExitCode {
    if let Err(error) = start_logging(&config) {
        return complain(error.as_ref(), 64);
    }
    let runtime = match tokio::runtime::Builder::new_multi_thread().worker_threads(WORKERS).enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => return complain(&error, 1),
    };
    match runtime.block_on(serve(config)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => complain(error.as_ref(), 1),
    }
}

fn start_logging(config: &Config) -> Result<()> {
    let filter = tracing_subscriber::EnvFilter::try_new(&config.log)?;
    let builder = tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr).with_target(false);
    match config.log_format {
        LogFormat::Text => builder.with_ansi(false).init(),
        LogFormat::Json => builder.json().init(),
    }
    Ok(())
}

fn now() -> Time {
    SystemClock.now()
}

/// Ports that are bound, before anything is served on them.
struct Listeners {
    enrolment: TcpListener,
    sessions: TcpListener,
    operators: TcpListener,
    admin: TcpListener,
}

impl Listeners {
    async fn bind(config: &Config) -> Result<Self> {
        Ok(Self {
            enrolment: bind("enrolment", config.enrolment_listen).await?,
            sessions: bind("sessions", config.sessions_listen).await?,
            operators: bind("operators", config.operators_listen).await?,
            admin: bind("admin", config.admin_listen).await?,
        })
    }
}

async fn bind(what: &str, address: SocketAddr) -> Result<TcpListener> {
    TcpListener::bind(address).await.with_context(|| format!("cannot listen on {address} for {what}; is another server running?"))
}

/// Where this server is reached, written to `<data-dir>/endpoints.json` once it is ready.
struct Endpoints {
    enrolment: String,
    sessions: String,
    operators: String,
    admin: String,
}

impl Endpoints {
    fn of(config: &Config, listeners: &Listeners) -> Result<Self> {
        let host = config.names.first().map_or("localhost", String::as_str);
        let url =
            |scheme: &str, listener: &TcpListener| -> Result<String> { Ok(format!("{scheme}://{host}:{}", listener.local_addr()?.port())) };
        Ok(Self {
            enrolment: url("https", &listeners.enrolment)?,
            sessions: config.sessions_url.clone().map_or_else(|| url("https", &listeners.sessions), Ok)?,
            operators: url("https", &listeners.operators)?,
            admin: url("http", &listeners.admin)?,
        })
    }

    fn write(&self, config: &Config) -> Result<()> {
        let Self { enrolment, sessions, operators, admin } = self;
        let json = serde_json::json!({"enrolment": enrolment, "sessions": sessions, "operators": operators, "admin": admin});
        let path = config.data_dir.join("endpoints.json");
        write_private(&path, json.to_string().as_bytes()).with_context(|| format!("write {}", path.display()))?;
        tracing::info!(enrolment, sessions, operators, admin, "ready");
        Ok(())
    }
}

async fn serve(config: Config) -> Result<()> {
    let listeners = Listeners::bind(&config).await?;
    let endpoints = Endpoints::of(&config, &listeners)?;
    let (health, late): (Arc<Health>, Arc<OnceLock<Arc<Coordinator>>>) = Default::default();
    let Listeners { enrolment, sessions, operators, admin } = listeners;
    let mut tasks = JoinSet::new();
    // Health first: a probe must see a store that is being opened as "not ready", not as nothing.
    tasks.spawn(serve_admin(admin, health.clone(), late.clone()));
    let authority = Arc::new(Authority::open_or_create(&config.data_dir.join("pki"), now())?);
    let coordinator = open(&config, &authority).await?;
    let _ = late.set(coordinator.clone());
    first_admin(&config, &coordinator).await?;

    let stop = CancellationToken::new();
    let tls = |clients, alpn: &[&[u8]]| server_config(&authority, &config.names, clients, alpn, now());
    let connections = acceptor::spawn(enrolment, tls(Clients::Anonymous, &[b"h2"])?, "enrolment");
    let service = Enrolment::new(coordinator.clone(), authority.clone(), endpoints.sessions.clone(), now);
    tasks.spawn(serve_grpc(
        "enrolment",
        connections,
        EnrolmentServiceServer::new(service).max_decoding_message_size(MAX_ENROL),
        stop.clone(),
    ));
    let connections = acceptor::spawn(sessions, tls(Clients::Certified, &[b"h2"])?, "sessions");
    let service = Sessions::new(coordinator.clone(), authority.clone(), stop.clone(), now);
    tasks.spawn(serve_grpc(
        "sessions",
        connections,
        SessionServiceServer::new(service).max_decoding_message_size(MAX_FROM_AGENT),
        stop.clone(),
    ));
    let connections = acceptor::spawn(operators, tls(Clients::Anonymous, &[b"h2", b"http/1.1"])?, "operators");
    tasks.spawn(serve_operators(connections, operator::router(coordinator.clone()), stop.clone()));
    endpoints.write(&config)?;
    health.set_ready(true);

    let why = wait_for_the_end(&coordinator, &mut tasks).await;
    tracing::info!(why = %why.as_ref().map_or_else(|error| format!("{error:#}"), Clone::clone), "stopping");
    health.set_ready(false);
    stop.cancel();
    let drained = tokio::time::timeout(DRAIN_DEADLINE, async { while tasks.len() > 1 && tasks.join_next().await.is_some() {} }).await;
    if drained.is_err() {
        tracing::info!("some connections were still open at the end of the drain");
    }
    coordinator.close().await;
    why.map(|_| ())
}

async fn open(config: &Config, authority: &Authority) -> Result<Arc<Coordinator>> {
    let folder = config.data_dir.join("store");
    let store = tokio::task::spawn_blocking({
        let folder = folder.clone();
        move || SledStore::open(&folder, &SledOptions::default())
    });
    let store = store.await?.with_context(|| format!("cannot open the store in {}", folder.display()))?;
    let blobs = BlobStore::new(&config.data_dir.join("blobs"), MAX_BLOB).context("cannot open the folder of charts")?;
    let settings = CoordinatorConfig {
        fleet_max_concurrent: u32::try_from(config.fleet_max_concurrent).map_or(Limit::None, Limit::Count),
        heartbeat: config.heartbeat,
        stale_after: Span(config.heartbeat.0 * HEARTBEATS_TO_STALE),
        root_pin: authority.pin()?,
        failpoint: failpoint(),
        ..CoordinatorConfig::default()
    };
    Ok(Coordinator::open(Arc::new(store), blobs, settings, Arc::new(SystemClock)).await?)
}

/// In debug builds `GROUNDSWELL_FAILPOINT=<name>[:<n>]` ends the process with SIGKILL's effect at the n-th passage of a named
/// point. Release builds do not look.
fn failpoint() -> Option<Failpoint> {
    if !cfg!(debug_assertions) {
        return None;
    }
    let wanted = std::env::var("GROUNDSWELL_FAILPOINT").ok()?;
    let (name, count) = wanted.split_once(':').map_or((wanted.as_str(), 1), |(name, n)| (name, n.parse().unwrap_or(1)));
    let (name, left) = (name.to_owned(), AtomicUsize::new(count));
    Some(Arc::new(move |point| {
        if point == name && left.fetch_sub(1, Ordering::SeqCst) == 1 {
            tracing::warn!(point, "failpoint");
            let _ = rustix::process::kill_process(rustix::process::getpid(), rustix::process::Signal::KILL);
        }
    }))
}

/// Writes the admin token once, at first start.
async fn first_admin(config: &Config, coordinator: &Arc<Coordinator>) -> Result<()> {
    let path = config.data_dir.join("admin.token");
    if let Some(token) = operator::bootstrap_admin(coordinator).await? {
        write_private(&path, format!("{token}\n").as_bytes()).with_context(|| format!("write {}", path.display()))?;
        tracing::info!(file = %path.display(), "the admin token was written");
    }
    Ok(())
}

/// A signal, a task that ended, or a newer leader.
async fn wait_for_the_end(coordinator: &Coordinator, tasks: &mut JoinSet<Result<&'static str>>) -> Result<String> {
    let mut terminate = tokio::signal::unix::signal(tokio::signal::unix::SignalKind::terminate())?;
    tokio::select! {
        _ = terminate.recv() => Ok("SIGTERM".into()),
        interrupted = tokio::signal::ctrl_c() => interrupted.map(|()| "SIGINT".into()).map_err(Into::into),
        why = coordinator.stepped_down() => Err(anyhow::anyhow!("this server may no longer lead: {why}")),
        ended = tasks.join_next() => match ended {
            Some(Ok(Ok(name))) => Err(anyhow::anyhow!("the {name} listener ended")),
            Some(Ok(Err(error))) => Err(error),
            Some(Err(error)) => Err(anyhow::anyhow!("a listener broke off: {error}")),
            None => Err(anyhow::anyhow!("no listener is left")),
        },
    }
}

async fn serve_admin(listener: TcpListener, health: Arc<Health>, coordinator: Arc<OnceLock<Arc<Coordinator>>>) -> Result<&'static str> {
    let metrics: admin::Metrics = Arc::new(move || {
        let text = coordinator.get().map(|coordinator| coordinator.metrics().encode());
        text.and_then(Result::ok).unwrap_or_else(|| "# EOF\n".into())
    });
    axum::serve(listener, admin::router(health, metrics)).await.context("admin listener")?;
    Ok("admin")
}

async fn serve_grpc<S>(
    name: &'static str,
    connections: mpsc::Receiver<Connection>,
    service: S,
    stop: CancellationToken,
) -> Result<&'static str>
where
    S: tower::Service<http::Request<tonic::body::Body>, Response = http::Response<tonic::body::Body>, Error = std::convert::Infallible>
        + tonic::server::NamedService
        + Clone
        + Send
        + Sync
        + 'static,
    S::Future: Send + 'static,
{
    let incoming = tokio_stream::wrappers::ReceiverStream::new(connections).map(Ok::<_, std::io::Error>);
    tonic::transport::Server::builder()
        .initial_stream_window_size(STREAM_WINDOW)
        .initial_connection_window_size(CONNECTION_WINDOW)
        .max_concurrent_streams(STREAMS_PER_AGENT)
        .http2_keepalive_interval(Some(KEEPALIVE))
        .http2_keepalive_timeout(Some(KEEPALIVE_TIMEOUT))
        .http2_max_header_list_size(HEADER_LIST)
        .add_service(service)
        .serve_with_incoming_shutdown(incoming, stop.cancelled_owned())
        .await
        .with_context(|| format!("{name} listener"))?;
    Ok(name)
}

async fn serve_operators(
    mut connections: mpsc::Receiver<Connection>,
    router: axum::Router,
    stop: CancellationToken,
) -> Result<&'static str> {
    loop {
        let connection = tokio::select! {
            connection = connections.recv() => connection,
            () = stop.cancelled() => return Ok("operators"),
        };
        let Some(connection) = connection else { return Ok("operators") };
        let service = TowerToHyperService::new(router.clone());
        tokio::spawn(async move {
            let mut builder = auto::Builder::new(TokioExecutor::new());
            builder.http1().timer(TokioTimer::new()).header_read_timeout(HEADER_DEADLINE);
            builder.http2().max_concurrent_streams(32).max_header_list_size(HEADER_LIST);
            if let Err(error) = builder.serve_connection(TokioIo::new(connection), service).await {
                tracing::debug!(%error, "a connection of an operator ended");
            }
        });
    }
}
