//! User names and passwords, each bound to one origin.

use super::origin::Origin;
use reqwest::Url;
use std::collections::BTreeMap;
use std::fmt;
use zeroize::Zeroizing;

/// A text that is never printed.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(Zeroizing<String>);

impl Secret {
    /// Keeps a text from being printed.
    #[must_use]
    pub fn new(text: String) -> Self {
        Self(Zeroizing::new(text))
    }

    /// The text itself, for the wire.
    pub(super) fn reveal(&self) -> &str {
        &self.0
    }

    /// The text with every occurrence of this secret blotted out: servers like to quote what they were sent.
    pub(super) fn scrub(&self, text: &str) -> String {
        if self.0.is_empty() { text.to_owned() } else { text.replace(self.0.as_str(), "***") }
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("***")
    }
}

/// User name and password.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Credentials {
    /// The user's name.
    pub username: String,
    /// The password or token.
    pub password: Secret,
}

/// How one repository or registry is reached.
#[derive(Debug, Clone)]
pub struct Access {
    /// Where it is. Credentials go to this URL's origin only; of several accesses of one origin the longest path that fits counts.
    pub url: Url,
    /// With whose name.
    pub credentials: Option<Credentials>,
    /// Certificates (PEM) that its own must come from, instead of the system's.
    pub ca: Option<Vec<u8>>,
    /// http:// is said to be right here, although it is not this machine.
    pub plain_http: bool,
    /// Its certificate is not checked.
    pub insecure_skip_tls_verify: bool,
    /// Another origin that may be sent the credentials when the registry asks for a token from there.
    pub token_url: Option<Url>,
}

impl Access {
    /// Access without credentials.
    #[must_use]
    pub fn open(url: Url) -> Self {
        Self { url, credentials: None, ca: None, plain_http: false, insecure_skip_tls_verify: false, token_url: None }
    }
}

/// Why docker's configuration cannot be used for a registry.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct HelperOnly {
    pub(super) helper: String,
}

/// All credentials of one run.
#[derive(Debug, Clone, Default)]
pub struct Keyring {
    accesses: Vec<Access>,
    docker: BTreeMap<String, Credentials>,
    helpers: BTreeMap<String, String>,
}

impl Keyring {
    /// Adds one; what was added first goes before what is added later, for the same URL.
    pub fn add(&mut self, access: Access) {
        self.accesses.push(access);
    }

    /// Adds what docker's or helm's `config.json` holds, as far as it holds the passwords themselves.
    pub(super) fn add_docker(&mut self, host: String, credentials: Credentials) {
        self.docker.entry(host).or_insert(credentials);
    }

    pub(super) fn add_helper(&mut self, host: String, helper: String) {
        self.helpers.entry(host).or_insert(helper);
    }

    /// The access whose URL is of the same origin and whose path is the longest that `url` begins with; failing that, the only
    /// one of the origin: archives may lie beside the index.
    pub(super) fn access(&self, url: &Url) -> Option<&Access> {
        let origin = Origin::of(url)?;
        let same: Vec<&Access> = self.accesses.iter().filter(|access| Origin::of(&access.url).as_ref() == Some(&origin)).collect();
        let mut best: Option<&Access> = None;
        for access in same.iter().copied().filter(|access| below(access.url.path(), url.path())) {
            if best.is_none_or(|other| access.url.path().len() > other.url.path().len()) {
                best = Some(access);
            }
        }
        best.or(match same.as_slice() {
            [only] => Some(*only),
            _ => None,
        })
    }

    /// What docker's configuration knows for a registry.
    pub(super) fn docker(&self, host: &str) -> Result<Option<&Credentials>, HelperOnly> {
        let host = docker_host(host);
        match (self.docker.get(&host), self.helpers.get(&host)) {
            (Some(credentials), _) => Ok(Some(credentials)),
            (None, Some(helper)) => Err(HelperOnly { helper: helper.clone() }),
            (None, None) => Ok(None),
        }
    }
}

/// Docker writes hosts with and without scheme and path, and has three names for its own registry.
pub(super) fn docker_host(key: &str) -> String {
    let host = key.strip_prefix("https://").or_else(|| key.strip_prefix("http://")).unwrap_or(key);
    let host = host.split('/').next().unwrap_or(host).to_ascii_lowercase();
    match host.as_str() {
        "index.docker.io" | "docker.io" => "registry-1.docker.io".to_owned(),
        _ => host,
    }
}

fn below(folder: &str, path: &str) -> bool {
    let folder = folder.trim_end_matches('/');
    path.strip_prefix(folder).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn access(url: &str, user: &str) -> Access {
        let credentials = Credentials { username: user.into(), password: Secret::new("hunter2".into()) };
        Access { credentials: Some(credentials), ..Access::open(Url::parse(url).unwrap()) }
    }

    fn who(keyring: &Keyring, url: &str) -> Option<String> {
        keyring.access(&Url::parse(url).unwrap())?.credentials.as_ref().map(|credentials| credentials.username.clone())
    }

    #[test]
    fn credentials_stay_with_their_origin_and_path() {
        let mut keyring = Keyring::default();
        keyring.add(access("https://a.example/team/one", "one"));
        keyring.add(access("https://a.example/team", "team"));
        keyring.add(access("https://b.example/charts", "b"));
        for (url, expected) in [
            ("https://a.example/team/one/index.yaml", Some("one")),
            ("https://a.example/team/onemore/index.yaml", Some("team")),
            ("https://a.example/else/index.yaml", None),
            ("https://b.example/files/c.tgz", Some("b")),
            ("http://b.example/charts/c.tgz", None),
            ("https://b.example:8443/charts/c.tgz", None),
            ("https://b.example.evil/charts/c.tgz", None),
        ] {
            assert_eq!(who(&keyring, url).as_deref(), expected, "{url}");
        }
    }

    #[test]
    fn nothing_prints_a_password() {
        let mut keyring = Keyring::default();
        keyring.add(access("https://a.example/", "me"));
        keyring.add_docker("b.example".into(), access("https://a.example/", "me").credentials.unwrap());
        assert!(!format!("{keyring:?}").contains("hunter2"));
        assert_eq!(Secret::new("hunter2".into()).scrub("you sent hunter2"), "you sent ***");
    }
}
