//! The only wiring: configuration, then the Lease, then a tenure with all its jobs, again and again.

use crate::args::{Cli, ClusterArgs, Command};
use crate::board::Board;
use crate::cluster::lease::{GRACE, HOLD, Holder};
use crate::cluster::records::Records;
use crate::cluster::secrets::Secrets;
use crate::cluster::{client, for_helm};
use crate::config::{ClusterConfig, Config, ConfigError};
use crate::enrol::{self, EnrolError, Identity};
use crate::fetch::Blobs;
use crate::keeper::Keeper;
use crate::log;
use crate::retry::Delays;
use crate::task::{Tenure, admin, apis, lease, renew, session};
use anyhow::Context as _;
use clap::Parser as _;
use groundswell_core::assignment::Target;
use groundswell_helm::capability::probe;
use groundswell_helm::runner::{Control, Helm, Stub};
use std::collections::BTreeSet;
use std::io::Write as _;
use std::process::ExitCode;
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

/// The configuration was refused; nothing was touched. The same as the server's (EX_USAGE), apart from clap's 2 for a command line that
/// cannot be read at all.
const BAD_CONFIG: u8 = 64;
/// Helm marks its release failed within a second or two of SIGTERM; the stub's `GRACE` bounds it.
const DRAIN: Duration = Duration::from_secs(20);

/// Parses the command line and runs.
pub(crate) fn main() -> ExitCode {
    let cli = Cli::parse();
    let done = match cli.command {
        Command::Run(args) => match configure(&args.cluster, || Config::new(&args)) {
            Ok(config) => block(async { run(Arc::new(config)).await }),
            Err(error) => return say(BAD_CONFIG, &error),
        },
        Command::Check(args) => match configure(&args, || ClusterConfig::new(&args)) {
            Ok(config) => block(async { check(&config).await }),
            Err(error) => return say(BAD_CONFIG, &error),
        },
        Command::Version => writeln!(std::io::stdout(), "groundswell-agent {}", env!("CARGO_PKG_VERSION")).map_err(anyhow::Error::from),
        Command::ExecStub => Err(anyhow::anyhow!("exec-stub is started by the agent itself")),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => say(1, &error),
    }
}

fn say(code: u8, error: &anyhow::Error) -> ExitCode {
    // Nobody may be listening; the exit code says it too.
    let _ = writeln!(std::io::stderr(), "groundswell-agent: {error:#}");
    ExitCode::from(code)
}

/// Checks the configuration, and starts logging as it says.
fn configure<C>(args: &ClusterArgs, config: impl FnOnce() -> Result<C, ConfigError>) -> anyhow::Result<C> {
    let config = config()?;
    log::start(args.log_format, &args.log_filter)?;
    Ok(config)
}

fn block(work: impl Future<Output = anyhow::Result<()>>) -> anyhow::Result<()> {
    // kube takes the process-wide provider; everything of ours names its own.
    rustls::crypto::aws_lc_rs::default_provider().install_default().ok().context("TLS was set up twice")?;
    // Two threads: the Lease must be renewed while a large record is decoded. More would only cost memory.
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).max_blocking_threads(4).enable_all().build()?;
    let done = runtime.block_on(work);
    runtime.shutdown_timeout(Duration::from_secs(1));
    done
}

fn helm(config: &ClusterConfig, stub: Option<Stub>) -> anyhow::Result<Helm> {
    Ok(Helm { binary: config.helm.clone(), stub, home: config.data_dir.join("helm"), cluster: for_helm(config)? })
}

fn stub(renewals: watch::Receiver<u64>) -> anyhow::Result<Stub> {
    let own = std::env::current_exe().context("the agent's own program cannot be found")?;
    Ok(Stub { command: vec![own.into(), "exec-stub".into()], hold: HOLD, grace: GRACE, renewals })
}

async fn check(config: &ClusterConfig) -> anyhow::Result<()> {
    let mut out = std::io::stdout();
    let helm = helm(config, None)?;
    let found = probe(&helm, &Control::new(Duration::from_secs(30))).await.context("helm")?;
    writeln!(out, "ok  helm {} at {}", found.version, helm.binary.display())?;
    let client = client(config).await?;
    let version = client.apiserver_version().await.context("the cluster's API server does not answer")?;
    writeln!(out, "ok  Kubernetes {}", version.git_version)?;
    let secrets = Secrets::new(client.clone(), config.namespace.as_str());
    Keeper::load(secrets).await.context("the ledger")?;
    writeln!(out, "ok  ledger in namespace {}", config.namespace)?;
    Ok(())
}

/// What stays over all tenures.
struct Process {
    config: Arc<Config>,
    client: kube::Client,
    board: Arc<Board>,
    /// SIGTERM or SIGINT.
    end: CancellationToken,
    helm_version: String,
    kubernetes_version: String,
}

async fn run(config: Arc<Config>) -> anyhow::Result<()> {
    let client = client(&config.cluster).await?;
    let plain = helm(&config.cluster, None)?;
    let found = probe(&plain, &Control::new(Duration::from_secs(60))).await.context("helm")?;
    plain.remove_leftovers().await.context("helm")?;
    let end = CancellationToken::new();
    end_on_signals(&end)?;
    let board = Arc::new(Board::default());
    if let Some(address) = config.admin_listen {
        let listener = tokio::net::TcpListener::bind(address).await.with_context(|| format!("--admin-listen {address}"))?;
        tracing::info!(address = %listener.local_addr()?, "admin endpoints");
        tokio::spawn(admin::run(listener, board.clone()));
    }
    let kubernetes_version = kubernetes(&client, &end).await;
    let process = Process { config, client, board, end, helm_version: found.version.to_string(), kubernetes_version };
    tracing::info!(helm = process.helm_version, kubernetes = process.kubernetes_version, "groundswell-agent {}", env!("CARGO_PKG_VERSION"));
    let mut delays = Delays::new();
    while !process.end.is_cancelled() {
        if let Err(error) = process.tenure().await {
            tracing::error!("{error:#}");
        }
        tokio::select! {
            () = process.end.cancelled() => {}
            () = tokio::time::sleep(delays.next()) => {}
        }
    }
    Ok(())
}

fn end_on_signals(end: &CancellationToken) -> anyhow::Result<()> {
    let (mut terminate, mut interrupt) = (signal(SignalKind::terminate())?, signal(SignalKind::interrupt())?);
    let end = end.clone();
    tokio::spawn(async move {
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
        tracing::info!("asked to end");
        end.cancel();
    });
    Ok(())
}

/// The API server's version; asked until it answers, because without it there is nothing to do.
async fn kubernetes(client: &kube::Client, end: &CancellationToken) -> String {
    let mut delays = Delays::new();
    while !end.is_cancelled() {
        match client.apiserver_version().await {
            Ok(version) => return version.git_version,
            Err(error) => tracing::warn!("the cluster's API server does not answer: {}", crate::link::told(&error)),
        }
        tokio::select! {
            () = end.cancelled() => {}
            () = tokio::time::sleep(delays.next()) => {}
        }
    }
    String::new()
}

impl Process {
    /// From winning the Lease to its loss or the process's end.
    async fn tenure(&self) -> anyhow::Result<()> {
        let incarnation = uuid::Uuid::new_v4().simple().to_string();
        let pod = std::env::var("POD_NAME").unwrap_or_else(|_| "agent".into());
        let namespace = self.config.cluster.namespace.as_str();
        let mut holder = Holder::new(self.client.clone(), namespace, format!("{pod}_{incarnation}"), self.config.lease_duration);
        let won = tokio::select! {
            () = self.end.cancelled() => return Ok(()),
            won = lease::win(&mut holder) => won,
        };
        tracing::info!("this pod holds the lease");
        let (renewals, renewed) = watch::channel(won);
        let (lost, drained) = (CancellationToken::new(), CancellationToken::new());
        let keeping = async {
            let kept = lease::keep(&mut holder, &renewals, &drained).await;
            lost.cancel();
            kept
        };
        let working = async {
            let worked = self.work(incarnation, renewed, &lost).await;
            drained.cancel();
            worked
        };
        let (kept, worked) = tokio::join!(keeping, working);
        if kept.is_ok() {
            // No helm runs any more, so a successor need not wait. If this fails, it waits: no harm.
            let _ = tokio::time::timeout(Duration::from_secs(2), holder.release()).await;
        }
        kept.and(worked)
    }

    async fn identity(&self, secrets: &Secrets, lost: &CancellationToken) -> Option<Identity> {
        let mut delays = Delays::new();
        loop {
            match enrol::identity(secrets, &self.config).await {
                Ok(identity) => return Some(identity),
                Err(error @ EnrolError::Refused(_)) => tracing::error!("{error}"),
                Err(error) => tracing::warn!("{}", crate::link::told(&error)),
            }
            tokio::select! {
                () = self.end.cancelled() => return None,
                () = lost.cancelled() => return None,
                () = tokio::time::sleep(delays.next()) => {}
            }
        }
    }

    async fn work(&self, incarnation: String, renewed: watch::Receiver<u64>, lost: &CancellationToken) -> anyhow::Result<()> {
        let secrets = Secrets::new(self.client.clone(), self.config.cluster.namespace.as_str());
        let Some(identity) = self.identity(&secrets, lost).await else { return Ok(()) };
        let tenure = Arc::new(Tenure {
            config: self.config.clone(),
            client: self.client.clone(),
            records: Records::new(self.client.clone()),
            keeper: Keeper::load(secrets.clone()).await.context("the ledger")?,
            blobs: Blobs::open(&self.config.cluster.data_dir).context("--data-dir")?,
            board: self.board.clone(),
            helm: helm(&self.config.cluster, Some(stub(renewed)?))?,
            helm_version: self.helm_version.clone(),
            apis: apis::Apis::new(self.kubernetes_version.clone()),
            incarnation,
            identity: watch::Sender::new(identity),
            stop_helm: watch::Sender::new(false),
            over: CancellationToken::new(),
            tracker: TaskTracker::new(),
            working: Mutex::default(),
            secrets,
        });
        keep_used_blobs(&tenure).await;
        for release in tenure.keeper.releases().await {
            tenure.attend(&release);
        }
        for job in [Job::Session, Job::Renew, Job::Apis] {
            tenure.tracker.spawn(job.run(tenure.clone()));
        }
        tokio::select! {
            () = self.end.cancelled() => {}
            () = lost.cancelled() => {}
            () = tenure.over.cancelled() => {}
        }
        tenure.over.cancel();
        tenure.stop_helm.send_replace(true);
        tenure.tracker.close();
        tokio::time::timeout(DRAIN, tenure.tracker.wait()).await.context("jobs did not end in time")
    }
}

#[derive(Clone, Copy)]
enum Job {
    Session,
    Renew,
    Apis,
}

impl Job {
    async fn run(self, tenure: Arc<Tenure>) {
        let over = tenure.over.clone();
        let work = async {
            match self {
                Self::Session => session::run(&tenure).await,
                Self::Renew => renew::run(&tenure).await,
                Self::Apis => apis::run(&tenure).await,
            }
        };
        let how = tokio::select! {
            () = over.cancelled() => Ok(()),
            how = work => how,
        };
        let what = match self {
            Self::Session => "session",
            Self::Renew => "renew",
            Self::Apis => "apis",
        };
        tenure.board.set_connected(false);
        tenure.ended(what, how);
    }
}

async fn keep_used_blobs(tenure: &Tenure) {
    let mut used = BTreeSet::new();
    for release in tenure.keeper.releases().await {
        let entry = tenure.keeper.entry(&release).await;
        if let Some(Target::Content(content)) = entry.map(|entry| entry.assignment.target) {
            used.extend(content.values);
            used.insert(content.chart.digest);
        }
    }
    tenure.blobs.keep_only(&used).await;
}
