//! The configuration, checked before anything is touched.

use crate::args::{ClusterArgs, RunArgs};
use crate::token::{BadToken, Token};
use groundswell_core::id::{BadName, ClusterName, Namespace};
use http::Uri;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// Where a pod finds the namespace that it runs in.
const POD_NAMESPACE: &str = "/var/run/secrets/kubernetes.io/serviceaccount/namespace";
const DEFAULT_NAMESPACE: &str = "groundswell";

/// What is wrong with the configuration.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ConfigError {
    #[error("{flag} {value:?} is no address: {why}; write https://HOST:PORT")]
    Url { flag: &'static str, value: String, why: String },
    #[error("{path}, given by {flag}, cannot be used")]
    File { flag: &'static str, path: PathBuf, source: std::io::Error },
    #[error(transparent)]
    Name(#[from] BadName),
    #[error("the join token in {place} cannot be used")]
    Token { place: String, source: BadToken },
}

/// How the cluster is reached, and where the agent keeps what it can lose.
#[derive(Clone, Debug)]
pub(crate) struct ClusterConfig {
    pub(crate) namespace: Namespace,
    /// Where Helm's records may be read when they may not be read everywhere.
    pub(crate) release_namespaces: Vec<Namespace>,
    pub(crate) kubeconfig: Option<PathBuf>,
    pub(crate) helm: PathBuf,
    pub(crate) data_dir: PathBuf,
}

/// All that `run` needs.
#[derive(Clone, Debug)]
pub(crate) struct Config {
    pub(crate) server: Uri,
    pub(crate) enrol_server: Option<Uri>,
    pub(crate) token: TokenSource,
    pub(crate) cluster_name: Option<ClusterName>,
    pub(crate) admin_listen: Option<SocketAddr>,
    pub(crate) lease_duration: Duration,
    pub(crate) reconnect_max: Duration,
    pub(crate) cluster: ClusterConfig,
}

/// Where the join token is, if it is needed.
#[derive(Clone, Debug)]
pub(crate) enum TokenSource {
    None,
    Given(Box<Token>),
    /// Read when it is needed: it may be gone after the first start, or come later.
    File(PathBuf),
}

impl TokenSource {
    /// The token, if there is one.
    pub(crate) fn read(&self) -> Result<Option<Token>, ConfigError> {
        match self {
            Self::None => Ok(None),
            Self::Given(token) => Ok(Some((**token).clone())),
            Self::File(path) => match std::fs::read_to_string(path) {
                Ok(text) if text.trim().is_empty() => Ok(None),
                Ok(text) => parse(&text, &path.display().to_string()).map(Some),
                Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
                Err(source) => Err(ConfigError::File { flag: "--token-file", path: path.clone(), source }),
            },
        }
    }
}

fn parse(text: &str, place: &str) -> Result<Token, ConfigError> {
    text.trim().parse().map_err(|source| ConfigError::Token { place: place.to_owned(), source })
}

fn url(flag: &'static str, value: &str) -> Result<Uri, ConfigError> {
    let bad = |why: &str| ConfigError::Url { flag, value: value.to_owned(), why: why.to_owned() };
    let uri: Uri = value.parse().map_err(|error: http::uri::InvalidUri| bad(&error.to_string()))?;
    if uri.scheme_str() != Some("https") {
        return Err(bad("it does not begin with https://"));
    }
    match (uri.host(), uri.port_u16()) {
        (None | Some(""), _) => Err(bad("it names no host")),
        (_, None) => Err(bad("it names no port")),
        _ => Ok(uri),
    }
}

fn absolute(flag: &'static str, path: &Path) -> Result<PathBuf, ConfigError> {
    std::path::absolute(path).map_err(|source| ConfigError::File { flag, path: path.into(), source })
}

impl ClusterConfig {
    /// Checks the part that says where the cluster is.
    pub(crate) fn new(args: &ClusterArgs) -> Result<Self, ConfigError> {
        let pod = || std::fs::read_to_string(POD_NAMESPACE).ok().filter(|_| args.kubeconfig.is_none());
        let namespace = args.namespace.clone().or_else(pod).unwrap_or_else(|| DEFAULT_NAMESPACE.to_owned());
        let data_dir = match &args.data_dir {
            Some(path) => absolute("--data-dir", path)?,
            None => std::env::temp_dir().join(format!("groundswell-agent-{}", std::process::id())),
        };
        let kubeconfig = args.kubeconfig.as_deref().map(|path| absolute("--kubeconfig", path)).transpose()?;
        if let Some(path) = &kubeconfig
            && let Err(source) = std::fs::metadata(path)
        {
            return Err(ConfigError::File { flag: "--kubeconfig", path: path.clone(), source });
        }
        let names = args.release_namespaces.iter().map(|name| name.trim()).filter(|name| !name.is_empty());
        let release_namespaces = names.map(Namespace::new).collect::<Result<_, _>>()?;
        Ok(Self {
            namespace: Namespace::new(namespace.trim())?,
            release_namespaces,
            kubeconfig,
            helm: absolute("--helm", &args.helm)?,
            data_dir,
        })
    }
}

impl Config {
    /// Checks everything that can be checked without the network.
    pub(crate) fn new(args: &RunArgs) -> Result<Self, ConfigError> {
        let token = match (&args.token, &args.token_file) {
            (Some(text), _) => TokenSource::Given(Box::new(parse(text, "--token")?)),
            (None, Some(path)) => TokenSource::File(path.clone()),
            (None, None) => TokenSource::None,
        };
        token.read()?;
        Ok(Self {
            server: url("--server", &args.server)?,
            enrol_server: args.enrol_server.as_deref().map(|value| url("--enrol-server", value)).transpose()?,
            token,
            cluster_name: args.cluster_name.clone().map(ClusterName::new).transpose()?,
            admin_listen: args.admin_listen,
            lease_duration: Duration::from_secs(u64::from(args.lease_duration)),
            reconnect_max: Duration::from_secs(u64::from(args.reconnect_max)),
            cluster: ClusterConfig::new(&args.cluster)?,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_https_with_host_and_port() {
        assert!(url("--server", "https://localhost:7444").is_ok());
        for bad in ["http://localhost:7444", "https://localhost", "localhost:7444", "https://:1", "", "https://h:99999"] {
            assert!(url("--server", bad).is_err(), "{bad:?} passed");
        }
    }

    #[test]
    fn an_empty_or_missing_token_file_is_no_token() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("token");
        assert!(TokenSource::File(path.clone()).read().unwrap().is_none());
        std::fs::write(&path, "\n").unwrap();
        assert!(TokenSource::File(path.clone()).read().unwrap().is_none());
        std::fs::write(&path, "nonsense").unwrap();
        assert!(TokenSource::File(path).read().is_err());
    }
}
