//! The command line. Flags win over the environment, the environment over the file, the file over the defaults.

use clap::{Parser, Subcommand, ValueEnum};
use std::net::SocketAddr;
use std::path::PathBuf;

/// The Groundswell coordinator: holds what should run where, and tells the agents.
#[derive(Debug, Parser)]
#[command(name = "groundswell-server", version, after_help = EXAMPLES)]
pub struct Args {
    /// What to do; `run` if nothing is said.
    #[command(subcommand)]
    pub command: Option<Command>,
    /// Settings.
    #[command(flatten)]
    pub settings: Settings,
}

/// What the server can be told to do.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Serve until SIGTERM or SIGINT (the default)
    Run,
    /// Read the configuration, say what it comes to, and stop before a port opens
    CheckConfig,
    /// Work on the data folder of a server that is stopped
    #[command(subcommand)]
    Admin(Admin),
}

/// Work on the data folder.
#[derive(Debug, Subcommand)]
pub enum Admin {
    /// Write a logical snapshot of the store to a file
    Export {
        /// Where to; must not exist
        file: PathBuf,
    },
    /// Make a new store from a logical snapshot, of a new lineage: agents keep what they have, and generations begin above all
    /// that they report. The old store must have been moved aside
    Restore {
        /// A file of the store's `snapshots` folder or of `admin export`
        file: PathBuf,
    },
}

/// Settings that a file may hold too.
#[derive(Clone, Debug, Default, clap::Args)]
pub struct Settings {
    /// Configuration file (YAML)
    #[arg(long, short, env = "GROUNDSWELL_CONFIG", global = true)]
    pub config: Option<PathBuf>,
    /// Folder of the store, charts, certificate authority and admin token [default: ./groundswell-data]
    #[arg(long, env = "GROUNDSWELL_DATA_DIR", global = true)]
    pub data_dir: Option<PathBuf>,
    /// Where agents enrol [default: 127.0.0.1:7443]
    #[arg(long, env = "GROUNDSWELL_ENROLMENT_LISTEN", global = true)]
    pub enrolment_listen: Option<SocketAddr>,
    /// Where agents hold their sessions [default: 127.0.0.1:7444]
    #[arg(long, env = "GROUNDSWELL_SESSIONS_LISTEN", global = true)]
    pub sessions_listen: Option<SocketAddr>,
    /// What agents are told to dial for sessions [default: https://, the first name, the sessions port]
    #[arg(long, env = "GROUNDSWELL_SESSIONS_URL", global = true)]
    pub sessions_url: Option<String>,
    /// Where operators talk to the server [default: 127.0.0.1:7445]
    #[arg(long, env = "GROUNDSWELL_OPERATORS_LISTEN", global = true)]
    pub operators_listen: Option<SocketAddr>,
    /// Health and metrics, without TLS [default: 127.0.0.1:7446]
    #[arg(long, env = "GROUNDSWELL_ADMIN_LISTEN", global = true)]
    pub admin_listen: Option<SocketAddr>,
    /// Host names and addresses that the server's certificates carry [default: localhost,127.0.0.1]
    #[arg(long, env = "GROUNDSWELL_NAMES", value_delimiter = ',', global = true)]
    pub names: Option<Vec<String>>,
    /// Clusters in flight over all rollouts together: a count, or none [default: none]
    #[arg(long, env = "GROUNDSWELL_FLEET_MAX_CONCURRENT", global = true)]
    pub fleet_max_concurrent: Option<String>,
    /// How often agents say that they are there, in milliseconds [default: 10000]
    #[arg(long, env = "GROUNDSWELL_HEARTBEAT_MS", global = true)]
    pub heartbeat_ms: Option<u64>,
    /// Log format [default: text]
    #[arg(long, env = "GROUNDSWELL_LOG_FORMAT", global = true)]
    pub log_format: Option<LogFormat>,
    /// What is logged, as in RUST_LOG [default: info]
    #[arg(long, env = "GROUNDSWELL_LOG", global = true)]
    pub log: Option<String>,
}

/// How log lines look.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum LogFormat {
    /// For people.
    #[default]
    Text,
    /// One JSON object a line.
    Json,
}

const EXAMPLES: &str = "\
Examples:
  groundswell-server                                       everything on loopback, data in ./groundswell-data
  groundswell-server --config /etc/groundswell/server.yaml
  groundswell-server check-config -c server.yaml           say what it comes to, open no port
  groundswell-server admin restore groundswell-data/store.broken/snapshots/<newest>
  groundswell-server --names rollout.example.com --sessions-listen 0.0.0.0:7444

At first start an admin token is written to <data-dir>/admin.token; the root certificate is <data-dir>/pki/root.pem.
Next: export GROUNDSWELL_TOKEN_FILE and GROUNDSWELL_CA_FILE, then `groundswell check`.

Exit codes: 0 stopped as asked, 1 failed while running, 2 wrong usage, 64 wrong configuration (no port was opened).";
