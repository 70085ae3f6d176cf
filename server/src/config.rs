//! What the server runs with, checked before a port opens.

use crate::args::{LogFormat, Settings};
use groundswell_core::time::Span;
use serde::Deserialize;
use std::fmt;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};

/// The whole configuration.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Config {
    /// Folder of everything that lasts.
    pub data_dir: PathBuf,
    /// Enrolment.
    pub enrolment_listen: SocketAddr,
    /// Sessions.
    pub sessions_listen: SocketAddr,
    /// What agents dial; `None` until the port is known (it may be 0).
    pub sessions_url: Option<String>,
    /// Operators.
    pub operators_listen: SocketAddr,
    /// Health and metrics.
    pub admin_listen: SocketAddr,
    /// In the server's certificates.
    pub names: Vec<String>,
    /// Clusters in flight over all rollouts.
    pub fleet_max_concurrent: usize,
    /// How often agents are to be heard.
    pub heartbeat: Span,
    /// How log lines look.
    pub log_format: LogFormat,
    /// What is logged.
    pub log: String,
}

/// Why the configuration was refused.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// The file cannot be read.
    #[error("configuration file {path}")]
    Read {
        /// Which.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// The file is not what it should be; the text has line and column.
    #[error("configuration file {path}: {why}")]
    Parse {
        /// Which.
        path: PathBuf,
        /// With line, column and a snippet.
        why: String,
    },
    /// A value is out of its range.
    #[error("{what}: {why}")]
    Value {
        /// The setting.
        what: &'static str,
        /// What would be right.
        why: String,
    },
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
struct File {
    data_dir: Option<PathBuf>,
    enrolment: Listener,
    sessions: Sessions,
    operators: Listener,
    admin: Listener,
    names: Option<Vec<String>>,
    fleet: Fleet,
    heartbeat_ms: Option<u64>,
    log: Log,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
struct Listener {
    listen: Option<String>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
struct Sessions {
    listen: Option<String>,
    url: Option<String>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
struct Fleet {
    max_concurrent: Option<MaxConcurrent>,
}

#[derive(Debug, Deserialize)]
#[serde(untagged)]
enum MaxConcurrent {
    Count(u64),
    Word(String),
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
struct Log {
    format: Option<LogFormat>,
    filter: Option<String>,
}

/// A configuration file is a page; more is a wrong file.
const MAX_FILE: u64 = 256 * 1024;

impl Config {
    /// Puts flags and environment over the file over the defaults, and checks the sum.
    pub fn load(settings: &Settings) -> Result<Self, ConfigError> {
        let file = settings.config.as_deref().map(read).transpose()?.unwrap_or_default();
        let names = settings.names.clone().or(file.names).unwrap_or_else(|| vec!["localhost".into(), "127.0.0.1".into()]);
        if names.is_empty() || names.iter().any(|name| name.trim().is_empty()) {
            return Err(ConfigError::Value { what: "names", why: "at least one host name or address, none of them empty".into() });
        }
        if let Some(name) = names.iter().find(|name| rustls_pki_types::ServerName::try_from(name.as_str()).is_err()) {
            return Err(ConfigError::Value { what: "names", why: format!("{name:?} is neither a host name nor an address") });
        }
        let fleet = settings.fleet_max_concurrent.clone().or(file.fleet.max_concurrent.map(|limit| match limit {
            MaxConcurrent::Count(count) => count.to_string(),
            MaxConcurrent::Word(word) => word,
        }));
        let config = Self {
            data_dir: settings.data_dir.clone().or(file.data_dir).unwrap_or_else(|| "groundswell-data".into()),
            enrolment_listen: address("enrolment.listen", settings.enrolment_listen, file.enrolment.listen, 7443)?,
            sessions_listen: address("sessions.listen", settings.sessions_listen, file.sessions.listen, 7444)?,
            sessions_url: settings.sessions_url.clone().or(file.sessions.url),
            operators_listen: address("operators.listen", settings.operators_listen, file.operators.listen, 7445)?,
            admin_listen: address("admin.listen", settings.admin_listen, file.admin.listen, 7446)?,
            names,
            fleet_max_concurrent: fleet_limit(fleet.as_deref())?,
            heartbeat: heartbeat(settings.heartbeat_ms.or(file.heartbeat_ms))?,
            log_format: settings.log_format.or(file.log.format).unwrap_or_default(),
            log: settings.log.clone().or(file.log.filter).unwrap_or_else(|| "info".into()),
        };
        config.check()?;
        Ok(config)
    }

    fn check(&self) -> Result<(), ConfigError> {
        let listeners = [self.enrolment_listen, self.sessions_listen, self.operators_listen, self.admin_listen];
        for (n, one) in listeners.iter().enumerate() {
            if listeners[n + 1..].iter().any(|other| other == one && one.port() != 0) {
                return Err(ConfigError::Value { what: "listen", why: format!("{one} is given to two listeners") });
            }
        }
        if let Some(url) = &self.sessions_url
            && !url.starts_with("https://")
        {
            return Err(ConfigError::Value { what: "sessions.url", why: format!("{url:?} should begin with https://") });
        }
        if let Err(error) = tracing_subscriber::EnvFilter::try_new(&self.log) {
            return Err(ConfigError::Value {
                what: "log.filter",
                why: format!("{:?}: {error}; write such as info or groundswell_server=debug", self.log),
            });
        }
        Ok(())
    }
}

/// What it comes to, in the form of the file.
impl fmt::Display for Config {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let limit = if self.fleet_max_concurrent == usize::MAX { "none".into() } else { self.fleet_max_concurrent.to_string() };
        writeln!(f, "dataDir: {}", self.data_dir.display())?;
        writeln!(f, "enrolment: {{listen: '{}'}}", self.enrolment_listen)?;
        let url = self.sessions_url.as_ref().map(|url| format!(", url: '{url}'")).unwrap_or_default();
        writeln!(f, "sessions: {{listen: '{}'{url}}}", self.sessions_listen)?;
        writeln!(f, "operators: {{listen: '{}'}}", self.operators_listen)?;
        writeln!(f, "admin: {{listen: '{}'}}", self.admin_listen)?;
        writeln!(f, "names: [{}]", self.names.join(", "))?;
        writeln!(f, "fleet: {{maxConcurrent: {limit}}}")?;
        writeln!(f, "heartbeatMs: {}", self.heartbeat.0)?;
        writeln!(f, "log: {{format: {}, filter: '{}'}}", if self.log_format == LogFormat::Json { "json" } else { "text" }, self.log)
    }
}

fn read(path: &Path) -> Result<File, ConfigError> {
    let failed = |source| ConfigError::Read { path: path.into(), source };
    let size = std::fs::metadata(path).map_err(failed)?.len();
    if size > MAX_FILE {
        return Err(ConfigError::Parse { path: path.into(), why: format!("{size} bytes, at most {MAX_FILE}") });
    }
    let text = std::fs::read_to_string(path).map_err(failed)?;
    if text.trim().is_empty() {
        return Ok(File::default());
    }
    serde_saphyr::from_str(&text)
        .map_err(|error| ConfigError::Parse { path: path.into(), why: groundswell_helm::values::what_is_wrong(&error) })
}

fn address(what: &'static str, flag: Option<SocketAddr>, file: Option<String>, port: u16) -> Result<SocketAddr, ConfigError> {
    match (flag, file) {
        (Some(address), _) => Ok(address),
        (None, None) => Ok(SocketAddr::from(([127, 0, 0, 1], port))),
        (None, Some(text)) => text.parse().map_err(|_| ConfigError::Value {
            what,
            why: format!("{text:?} is no address; write host:port with a port from 0 to 65535, such as 0.0.0.0:{port}"),
        }),
    }
}

fn fleet_limit(text: Option<&str>) -> Result<usize, ConfigError> {
    match text {
        None | Some("none") => Ok(usize::MAX),
        Some(text) => match text.parse() {
            Ok(count) if count > 0 => Ok(count),
            _ => Err(ConfigError::Value { what: "fleet.maxConcurrent", why: format!("{text:?} should be a count from 1, or none") }),
        },
    }
}

/// Faster than 200 ms is load without use; slower than a minute leaves a silent cluster unseen for too long.
fn heartbeat(ms: Option<u64>) -> Result<Span, ConfigError> {
    match ms.unwrap_or(10_000) {
        ms @ 200..=60_000 => Ok(Span(ms)),
        ms => Err(ConfigError::Value { what: "heartbeatMs", why: format!("{ms} should be from 200 to 60000") }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn load(text: &str) -> Result<Config, ConfigError> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("server.yaml");
        std::fs::write(&path, text).unwrap();
        Config::load(&Settings { config: Some(path), ..Settings::default() })
    }

    #[test]
    fn nothing_said_binds_loopback_only() {
        let config = Config::load(&Settings::default()).unwrap();
        for listen in [config.enrolment_listen, config.sessions_listen, config.operators_listen, config.admin_listen] {
            assert!(listen.ip().is_loopback());
        }
    }

    #[test]
    fn what_is_described_reads_back_the_same() {
        let config = Config::load(&Settings::default()).unwrap();
        assert_eq!(load(&config.to_string()).unwrap(), config);
    }

    #[test]
    fn flags_win_over_the_file() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("server.yaml");
        std::fs::write(&path, "heartbeatMs: 5000\nfleet: {maxConcurrent: 7}\n").unwrap();
        let settings = Settings { config: Some(path), heartbeat_ms: Some(300), ..Settings::default() };
        let config = Config::load(&settings).unwrap();
        assert_eq!((config.heartbeat, config.fleet_max_concurrent), (Span(300), 7));
    }

    #[test]
    fn wrong_values_say_what_would_be_right() {
        let cases = [
            ("sessions: {listen: '0.0.0.0:70000'}", "0 to 65535"),
            ("sessions: {listen: localhost}", "host:port"),
            ("fleet: {maxConcurrent: 0}", "from 1, or none"),
            ("heartbeatMs: 1", "200 to 60000"),
            ("names: []", "at least one"),
            ("names: ['a b']", "neither a host name"),
            ("log: {filter: 'foo=bar=x'}", "log.filter"),
            ("sessions: {listen: '127.0.0.1:7443'}", "two listeners"),
            ("sessions: {url: 'http://x'}", "https://"),
            ("sesions: {}", "sesions"),
            ("a: [", "line 1"),
        ];
        for (text, expected) in cases {
            let error = load(text).map(|_| ()).unwrap_err().to_string();
            assert!(error.contains(expected), "{text}: {error}");
        }
    }
}
