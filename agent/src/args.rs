//! The command line; every flag is also an environment variable.

use clap::{Args, Parser, Subcommand, ValueEnum};
use std::net::SocketAddr;
use std::path::PathBuf;

const EXAMPLES: &str = "Examples:
  # as a pod, the first time
  groundswell-agent run --server https://groundswell.example.com:7444 \\
    --enrol-server https://groundswell.example.com:7443 --token-file /etc/groundswell/token/token

  # outside the cluster
  groundswell-agent run --server https://localhost:7444 --kubeconfig ~/.kube/config --helm /usr/local/bin/helm

  # is everything there that the agent needs?
  groundswell-agent check --kubeconfig ~/.kube/config";

/// The agent of one cluster.
#[derive(Debug, Parser)]
#[command(name = "groundswell-agent", version, after_help = EXAMPLES, propagate_version = true)]
pub(crate) struct Cli {
    #[command(subcommand)]
    pub(crate) command: Command,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Enrols if need be, then serves the cluster until it is told to end.
    Run(Box<RunArgs>),
    /// Looks whether helm, the cluster and the rights are there; changes nothing.
    Check(ClusterArgs),
    /// Prints the version.
    Version,
    /// Stands between the agent and helm; started by the agent itself.
    #[command(hide = true)]
    ExecStub,
}

/// How logs look.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub(crate) enum LogFormat {
    /// For people.
    #[default]
    Text,
    /// One JSON object a line.
    Json,
}

/// Where the cluster and helm are.
#[derive(Clone, Debug, Args)]
pub(crate) struct ClusterArgs {
    /// Namespace of the agent's own Secrets and Lease; the pod's own inside a cluster, else `groundswell`.
    #[arg(long, env = "GROUNDSWELL_NAMESPACE", value_name = "NAME")]
    pub(crate) namespace: Option<String>,
    /// How to reach the cluster from outside; inside, the pod's service account is used.
    #[arg(long, env = "GROUNDSWELL_KUBECONFIG", value_name = "FILE")]
    pub(crate) kubeconfig: Option<PathBuf>,
    /// Namespaces in which the agent may read Helm's records, where it may not read them everywhere: what lies there already is shown
    /// in plans as adopted.
    #[arg(long, env = "GROUNDSWELL_RELEASE_NAMESPACES", value_name = "NAMES", value_delimiter = ',')]
    pub(crate) release_namespaces: Vec<String>,
    /// The helm binary.
    #[arg(long, env = "GROUNDSWELL_HELM", value_name = "FILE", default_value = "/usr/local/bin/helm")]
    pub(crate) helm: PathBuf,
    /// Folder for charts and helm's own files; nothing in it is missed when it is lost. A folder below TMPDIR when not given.
    #[arg(long, env = "GROUNDSWELL_DATA_DIR", value_name = "DIR")]
    pub(crate) data_dir: Option<PathBuf>,
    /// How logs look.
    #[arg(long, env = "GROUNDSWELL_LOG_FORMAT", value_enum, default_value_t)]
    pub(crate) log_format: LogFormat,
    /// Which logs: a level, or directives such as `info,groundswell_agent=debug`.
    #[arg(long = "log", env = "GROUNDSWELL_LOG", value_name = "FILTER", default_value = "info")]
    pub(crate) log_filter: String,
}

#[derive(Clone, Debug, Args)]
pub(crate) struct RunArgs {
    /// The server's session listener.
    #[arg(long, env = "GROUNDSWELL_SERVER", value_name = "URL")]
    pub(crate) server: String,
    /// The server's enrolment listener; needed until the agent has its certificate.
    #[arg(long, env = "GROUNDSWELL_ENROL_SERVER", value_name = "URL")]
    pub(crate) enrol_server: Option<String>,
    /// The join token itself. Prefer --token-file: a command line can be read by others.
    #[arg(long, env = "GROUNDSWELL_TOKEN", value_name = "TOKEN", hide_env_values = true, conflicts_with = "token_file")]
    pub(crate) token: Option<String>,
    /// A file with the join token; need not be there once the agent has its certificate.
    #[arg(long, env = "GROUNDSWELL_TOKEN_FILE", value_name = "FILE")]
    pub(crate) token_file: Option<PathBuf>,
    /// The name to enrol under, where the token leaves it open.
    #[arg(long, env = "GROUNDSWELL_CLUSTER_NAME", value_name = "NAME")]
    pub(crate) cluster_name: Option<String>,
    /// Where /healthz, /readyz and /metrics are served, such as 127.0.0.1:9102; not at all when not given.
    #[arg(long, env = "GROUNDSWELL_ADMIN_LISTEN", value_name = "ADDRESS")]
    pub(crate) admin_listen: Option<SocketAddr>,
    /// Seconds that the agent's Lease lasts without renewal.
    #[arg(long, env = "GROUNDSWELL_LEASE_DURATION", value_name = "SECONDS", default_value_t = 15, value_parser = clap::value_parser!(u16).range(15..=300))]
    pub(crate) lease_duration: u16,
    /// Longest delay between two tries to reach the server, in seconds. A small fleet may have less than the default, which keeps
    /// 10,000 agents from falling upon a server that comes back.
    #[arg(long, env = "GROUNDSWELL_RECONNECT_MAX", value_name = "SECONDS", default_value_t = 60, value_parser = clap::value_parser!(u16).range(1..=600))]
    pub(crate) reconnect_max: u16,
    #[command(flatten)]
    pub(crate) cluster: ClusterArgs,
}
