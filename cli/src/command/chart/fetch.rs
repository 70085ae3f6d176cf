//! Which repository, with whose password: flags, then the configuration, then docker's.

use crate::config::{self, read_limited};
use crate::error::{Failure, Result, chain};
use crate::exit::Exit;
use clap::Args;
use groundswell_helm::repository::{
    Access, Ask, Cache, Credentials, FetchError, Fetcher, Keyring, Naming, Progress, Pulled, Reference, Secret, Settings, is_digest,
    read_docker_config, repository_url,
};
use std::collections::BTreeMap;
use std::io::Read as _;
use std::path::PathBuf;
use std::sync::Arc;

/// How charts are fetched.
#[derive(Debug, Clone, Default, Args)]
pub(crate) struct FetchArgs {
    /// The repository, https://HOST/PATH or oci://HOST/PATH
    #[arg(long, value_name = "URL", help_heading = "Repository")]
    pub(crate) repo: Option<String>,
    /// User of the repository; its password comes from --password-file or --password-stdin
    #[arg(long, value_name = "NAME", help_heading = "Repository")]
    pub(crate) username: Option<String>,
    /// File with the password
    #[arg(long, value_name = "FILE", requires = "username", help_heading = "Repository")]
    pub(crate) password_file: Option<PathBuf>,
    /// Read the password from standard input
    #[arg(long, requires = "username", conflicts_with = "password_file", help_heading = "Repository")]
    pub(crate) password_stdin: bool,
    /// Certificates (PEM) that the repository's must come from
    #[arg(long, value_name = "FILE", help_heading = "Repository")]
    pub(crate) repo_ca_file: Option<PathBuf>,
    /// Speak plain http: anybody on the way can change what arrives, and read the password
    #[arg(long, help_heading = "Repository")]
    pub(crate) plain_http: bool,
    /// Digest that the archive must have, whatever the repository says
    #[arg(long, value_name = "sha256:HEX", value_parser = digest, help_heading = "Repository")]
    pub(crate) digest: Option<String>,
    /// Take prereleases, too, where no exact version is named
    #[arg(long, help_heading = "Repository")]
    pub(crate) devel: bool,
    /// Take what was fetched before from the cache, and ask nobody
    #[arg(long, help_heading = "Repository")]
    pub(crate) offline: bool,
}

fn digest(text: &str) -> std::result::Result<String, String> {
    let full = if text.contains(':') { text.to_ascii_lowercase() } else { format!("sha256:{}", text.to_ascii_lowercase()) };
    if is_digest(&full) { Ok(full[7..].to_owned()) } else { Err("write sha256: and 64 hex digits".to_owned()) }
}

/// A chart's name understood, and somebody who can fetch it.
#[derive(Debug)]
pub(crate) struct Fetching {
    pub(crate) reference: Reference,
    fetcher: Fetcher,
    ask: Ask,
}

impl Fetching {
    /// Reads configuration and passwords. Nothing is asked of the network yet.
    pub(crate) fn prepare(
        name: &str,
        version: Option<&str>,
        args: &FetchArgs,
        env: impl Fn(&str) -> Option<String>,
        progress: Arc<dyn Progress>,
    ) -> Result<Self> {
        let env = |name: &str| env(name).filter(|value| !value.is_empty());
        let file = config::read_file(env)?;
        let known: BTreeMap<String, String> = file.repositories.iter().map(|repo| (repo.name.clone(), repo.url.clone())).collect();
        let naming = Naming { repo: args.repo.as_deref(), version, known: &known };
        let reference = Reference::parse(name, naming)
            .map_err(|error| Failure::new(Exit::Usage, format!("{:?} names no chart", error.text), error.why, error.next))?;
        let mut keyring = Keyring::default();
        if let Some(access) = of_flags(&reference, args)? {
            keyring.add(access);
        }
        for repository in &file.repositories {
            match configured(repository, env) {
                Ok(access) => keyring.add(access),
                // What is wrong with the entry of another server is that one's matter.
                Err(failure) if concerns(&reference, &repository.url) => return Err(failure),
                Err(_) => {}
            }
        }
        let home = env("HOME").map(PathBuf::from);
        let docker = env("DOCKER_CONFIG").map(PathBuf::from).or_else(|| home.as_ref().map(|home| home.join(".docker")));
        let helm = env("HELM_REGISTRY_CONFIG")
            .map(PathBuf::from)
            .or_else(|| xdg(env, "XDG_CONFIG_HOME", ".config").map(|folder| folder.join("helm/registry/config.json")));
        for path in [helm, docker.map(|folder| folder.join("config.json"))].into_iter().flatten() {
            // Only a registry that asks for a login needs it: what is broken there is said and stops nothing else.
            if let Err(error) = read_docker_config(&path, &mut keyring)
                && matches!(reference, Reference::Oci(_))
            {
                return Err(Failure::error("cannot use the registry logins", chain(&error), ""));
            }
        }
        let cache = xdg(env, "XDG_CACHE_HOME", ".cache").map(|folder| Cache::new(folder.join("groundswell/charts")));
        let settings = Settings { keyring, cache, progress, offline: args.offline, ..Settings::default() };
        let ask = Ask { digest: args.digest.clone(), devel: args.devel };
        Ok(Self { reference, fetcher: Fetcher::new(settings), ask })
    }

    /// Fetches it.
    pub(crate) async fn fetch(&self) -> Result<Pulled> {
        self.fetcher.fetch_asking(&self.reference, &self.ask).await.map_err(|error| failure(&error))
    }

    /// The versions that there are.
    pub(crate) async fn versions(&self) -> Result<Vec<String>> {
        let entries = self.fetcher.versions(&self.reference).await.map_err(|error| failure(&error))?;
        Ok(entries.into_iter().map(|entry| entry.version).collect())
    }

    /// Fetches the same chart in another version; none where it cannot be had.
    pub(crate) async fn fetch_version(&self, version: &str) -> Option<Pulled> {
        self.fetcher.fetch(&self.reference.at_version(version)?).await.ok()
    }
}

/// A refusal in the operator's words.
pub(crate) fn failure(error: &FetchError) -> Failure {
    let exit = match error {
        _ if error.is_denied() => Exit::Denied,
        FetchError::BadVersion { .. } => Exit::Usage,
        _ => Exit::Error,
    };
    Failure::new(exit, error.to_string(), sources(error), error.next())
}

fn sources(error: &FetchError) -> String {
    use std::error::Error as _;
    match error {
        FetchError::Status { said, .. } => said.clone(),
        _ => error.source().map(chain).unwrap_or_default(),
    }
}

/// Credentials of the command line belong to what the command line names.
fn of_flags(reference: &Reference, args: &FetchArgs) -> Result<Option<Access>> {
    let asks = args.username.is_some() || args.repo_ca_file.is_some() || args.plain_http;
    let url = match reference {
        Reference::Repository { url, .. } => Some(url.clone()),
        Reference::Url(url) => url.join(".").ok(),
        Reference::Oci(oci) => Some(registry_url(&format!("{}/{}", oci.registry, oci.repository), args.plain_http)?),
        Reference::Folder(_) | Reference::Archive(_) if asks => {
            return Err(Failure::usage("a chart on this machine needs no repository flags", "leave them away"));
        }
        Reference::Folder(_) | Reference::Archive(_) => None,
    };
    let Some(url) = url.filter(|_| asks) else { return Ok(None) };
    let credentials = match &args.username {
        Some(username) => Some(Credentials { username: username.clone(), password: password_of(args)? }),
        None => None,
    };
    let ca = args.repo_ca_file.as_deref().map(read_limited).transpose()?.map(String::into_bytes);
    Ok(Some(Access { credentials, ca, plain_http: args.plain_http, ..Access::open(url) }))
}

fn password_of(args: &FetchArgs) -> Result<Secret> {
    let text = match (&args.password_file, args.password_stdin) {
        (Some(path), _) => read_limited(path)?,
        (None, true) => from_stdin()?,
        (None, false) => return Err(Failure::usage("--username without a password", "add --password-file FILE or --password-stdin")),
    };
    password(&text, "the password")
}

/// Read once, also for two charts of one repository.
fn from_stdin() -> Result<String> {
    static READ: std::sync::OnceLock<String> = std::sync::OnceLock::new();
    if let Some(text) = READ.get() {
        return Ok(text.clone());
    }
    let mut text = String::new();
    // No password is longer; a pipe of something else is not read to its end.
    std::io::stdin().take(64 << 10).read_to_string(&mut text)?;
    Ok(READ.get_or_init(|| text).clone())
}

fn password(text: &str, what: &str) -> Result<Secret> {
    let text = text.trim_end_matches(['\r', '\n']);
    if text.is_empty() {
        return Err(Failure::new(Exit::Denied, format!("{what} is empty"), "", ""));
    }
    Ok(Secret::new(text.to_owned()))
}

fn concerns(reference: &Reference, repository: &str) -> bool {
    let authority = repository.split_once("://").map_or(repository, |(_, rest)| rest).split('/').next().unwrap_or_default();
    match reference {
        Reference::Repository { url, .. } | Reference::Url(url) => url.authority().eq_ignore_ascii_case(authority),
        Reference::Oci(oci) => oci.registry.eq_ignore_ascii_case(authority),
        Reference::Folder(_) | Reference::Archive(_) => false,
    }
}

fn configured(repository: &config::Repository, env: impl Fn(&str) -> Option<String>) -> Result<Access> {
    let name = &repository.name;
    let refuse = |why: String| {
        Failure::new(Exit::Usage, format!("repository {name:?} of the configuration makes no sense"), why, "see docs/charts.md")
    };
    let url = match repository.url.strip_prefix("oci://") {
        Some(rest) => registry_url(rest, repository.plain_http)?,
        None => repository_url(&repository.url).map_err(|error| refuse(error.why))?,
    };
    let password = match (&repository.password_file, &repository.password_env) {
        (Some(_), Some(_)) => return Err(refuse("it has both passwordFile and passwordEnv".to_owned())),
        (Some(path), None) => Some(password(&read_limited(path)?, &format!("the password of repository {name}"))?),
        (None, Some(variable)) => env(variable).map(|text| password(&text, variable)).transpose()?,
        (None, None) => None,
    };
    let credentials = match (&repository.username, password) {
        (Some(username), Some(password)) => Some(Credentials { username: username.clone(), password }),
        (None, Some(_)) => return Err(refuse("it has a password and no username".to_owned())),
        (Some(_), None) if repository.password_env.is_some() => {
            return Err(refuse(format!("the environment has no {}", repository.password_env.as_deref().unwrap_or_default())));
        }
        (Some(_), None) => return Err(refuse("it has a username and neither passwordFile nor passwordEnv".to_owned())),
        (None, None) => None,
    };
    let token_url = repository.token_url.as_deref().map(repository_url).transpose().map_err(|error| refuse(error.why))?;
    let ca = repository.ca_file.as_deref().map(read_limited).transpose()?.map(String::into_bytes);
    let (plain_http, insecure_skip_tls_verify) = (repository.plain_http, repository.insecure_skip_tls_verify);
    Ok(Access { url, credentials, ca, plain_http, insecure_skip_tls_verify, token_url })
}

/// Below a registry's API, so that paths compare.
fn registry_url(rest: &str, plain: bool) -> Result<groundswell_helm::repository::Url> {
    let (host, path) = rest.split_once('/').unwrap_or((rest, ""));
    // Docker's registry is configured by its usual name and spoken to by another.
    let host = if matches!(host, "docker.io" | "index.docker.io") { "registry-1.docker.io" } else { host };
    let scheme = if plain { "http" } else { "https" };
    repository_url(&format!("{scheme}://{host}/v2/{path}")).map_err(|error| Failure::new(Exit::Usage, error.to_string(), "", error.next))
}

pub(super) fn xdg(env: impl Fn(&str) -> Option<String>, variable: &str, below_home: &str) -> Option<PathBuf> {
    env(variable)
        .map(PathBuf::from)
        .filter(|path| path.is_absolute())
        .or_else(|| env("HOME").map(|home| PathBuf::from(home).join(below_home)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use groundswell_helm::repository::Silent;

    fn prepare(config: &str, chart: &str, args: &FetchArgs, env: &[(&str, &str)]) -> Result<Fetching> {
        let home = tempfile::tempdir().unwrap();
        let file = home.path().join("config.yaml");
        std::fs::write(&file, config).unwrap();
        std::fs::write(home.path().join("password"), "hunter2\n").unwrap();
        let file = file.display().to_string();
        let env = |name: &str| match name {
            "GROUNDSWELL_CONFIG" => Some(file.clone()),
            _ => env.iter().find(|(key, _)| *key == name).map(|(_, value)| (*value).to_owned()),
        };
        Fetching::prepare(chart, None, args, env, Arc::new(Silent))
    }

    const CONFIG: &str = "repositories:\n\
        - {name: prom, url: 'https://charts.example/prom', username: me, passwordFile: password}\n\
        - {name: reg, url: 'oci://registry.example/charts', username: me, passwordEnv: REG_PASSWORD}\n";

    #[test]
    fn repositories_of_the_configuration_are_names() {
        let env = [("REG_PASSWORD", "hunter2")];
        let fetching = prepare(CONFIG, "prom/kps:1.0.0", &FetchArgs::default(), &env).unwrap();
        assert_eq!(fetching.reference.to_string(), "kps:1.0.0 of https://charts.example/prom");
        assert!(!format!("{fetching:?}").contains("hunter2"));
        let fetching = prepare(CONFIG, "reg/kps", &FetchArgs::default(), &env).unwrap();
        assert_eq!(fetching.reference.to_string(), "oci://registry.example/charts/kps");
        let failure = prepare(CONFIG, "prim/kps", &FetchArgs::default(), &env).unwrap_err();
        assert!(failure.exit == Exit::Usage && failure.errors[0].why.contains("configured are prom, reg"), "{failure:?}");
    }

    #[test]
    fn only_the_repository_that_is_asked_must_make_sense() {
        prepare(CONFIG, "prom/kps", &FetchArgs::default(), &[]).unwrap();
        let failure = prepare(CONFIG, "reg/kps", &FetchArgs::default(), &[]).unwrap_err();
        assert!(failure.errors[0].why.contains("the environment has no REG_PASSWORD"), "{failure:?}");
        for (entry, said) in [
            ("username: me", "neither passwordFile nor passwordEnv"),
            ("passwordFile: password", "a password and no username"),
            ("username: me, passwordFile: password, passwordEnv: X", "both passwordFile and passwordEnv"),
            ("tokenUrl: nothing", "relative URL"),
        ] {
            let config = format!("repositories:\n- {{name: a, url: 'https://a.example', {entry}}}\n");
            let failure = prepare(&config, "a/b", &FetchArgs::default(), &[]).unwrap_err();
            assert!(failure.errors[0].why.contains(said), "{entry}: {failure:?}");
        }
    }

    #[test]
    fn no_version_is_the_operators_slip() {
        let of = |error: FetchError| failure(&error).exit;
        assert_eq!(of(FetchError::BadVersion { wanted: "banana".into(), reason: String::new() }), Exit::Usage);
        assert_eq!(of(FetchError::Denied { url: String::new(), status: 401, with_credentials: false }), Exit::Denied);
        assert_eq!(of(FetchError::Offline { reference: String::new() }), Exit::Error);
    }

    #[test]
    fn flags_that_make_no_sense_are_refused() {
        let with = |change: fn(&mut FetchArgs)| {
            let mut args = FetchArgs { repo: Some("https://a.example".into()), ..FetchArgs::default() };
            change(&mut args);
            prepare("{}", "b", &args, &[]).unwrap_err()
        };
        let failure = with(|args| args.username = Some("me".into()));
        assert!(failure.exit == Exit::Usage && failure.errors[0].what.contains("without a password"), "{failure:?}");
        let failure = with(|args| args.repo = Some("https://me:hunter2@a.example".into()));
        assert!(failure.errors[0].why.contains("a user or password in it") && !format!("{failure:?}").contains("hunter2"), "{failure:?}");
        assert_eq!(digest(&"A".repeat(64)), Ok("a".repeat(64)));
        assert!(digest("sha256:abc").is_err());
    }
}
