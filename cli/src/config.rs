//! Which server, with which token: flags, then environment, then the file with contexts.

use crate::error::{Failure, Result};
use crate::exit::Exit;
use groundswell_change::yaml::what_is_wrong;
use serde::Deserialize;
use std::collections::BTreeMap;
use std::io::Read;
use std::path::{Path, PathBuf};

const MAX_FILE: u64 = 1 << 20;

/// What the flags say.
#[derive(Clone, Debug, Default)]
pub(crate) struct Flags {
    pub(crate) server: Option<String>,
    pub(crate) token_file: Option<PathBuf>,
    pub(crate) ca_file: Option<PathBuf>,
    pub(crate) context: Option<String>,
}

/// `~/.config/groundswell/config.yaml`.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct File {
    current_context: Option<String>,
    #[serde(default)]
    contexts: BTreeMap<String, Context>,
    /// Where charts come from.
    #[serde(default)]
    pub(crate) repositories: Vec<Repository>,
}

/// One chart repository or registry.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct Repository {
    /// What stands before the slash in `REPO/CHART`.
    pub(crate) name: String,
    /// `https://HOST/PATH` or `oci://HOST/PATH`. What follows is for this origin alone.
    pub(crate) url: String,
    pub(crate) username: Option<String>,
    pub(crate) password_file: Option<PathBuf>,
    /// Environment variable that holds the password.
    pub(crate) password_env: Option<String>,
    pub(crate) ca_file: Option<PathBuf>,
    #[serde(default)]
    pub(crate) plain_http: bool,
    #[serde(default)]
    pub(crate) insecure_skip_tls_verify: bool,
    /// Another origin that is sent the credentials, when the registry asks for a token from there.
    pub(crate) token_url: Option<String>,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Context {
    server: Option<String>,
    token_file: Option<PathBuf>,
    ca_file: Option<PathBuf>,
}

/// Where a token comes from.
#[derive(Clone, PartialEq, Eq)]
pub(crate) enum TokenSource {
    Text(String),
    File(PathBuf),
}

/// The connection that a command uses.
pub(crate) struct Connection {
    pub(crate) server: String,
    pub(crate) token: Option<TokenSource>,
    pub(crate) ca_file: Option<PathBuf>,
}

/// Puts flags, environment and file together. A context that is named by flag goes before the environment, the file's own
/// current one after it.
pub(crate) fn resolve(flags: &Flags, env: impl Fn(&str) -> Option<String>, file: &File) -> Result<Connection> {
    let env = |name: &str| env(name).filter(|value| !value.is_empty());
    let (named, current) = (context(file, flags.context.as_deref())?, context(file, file.current_context.as_deref())?);
    let server = flags
        .server
        .clone()
        .or_else(|| named.and_then(|context| context.server.clone()))
        .or_else(|| env("GROUNDSWELL_SERVER"))
        .or_else(|| current.and_then(|context| context.server.clone()));
    let server = server.ok_or_else(|| {
        let next = "pass --server https://HOST:PORT, set GROUNDSWELL_SERVER, or write a context into ~/.config/groundswell/config.yaml";
        Failure::new(Exit::Usage, "no server is configured", "", next)
    })?;
    // A token of the current context was given for that context's server and is sent nowhere else.
    let current = current.filter(|context| context.server.as_ref() == Some(&server));
    let token = flags
        .token_file
        .clone()
        .or_else(|| named.and_then(|context| context.token_file.clone()))
        .map(TokenSource::File)
        .or_else(|| env("GROUNDSWELL_TOKEN").map(TokenSource::Text))
        .or_else(|| env("GROUNDSWELL_TOKEN_FILE").map(|path| TokenSource::File(path.into())))
        .or_else(|| current.and_then(|context| context.token_file.clone()).map(TokenSource::File));
    let ca_file = flags
        .ca_file
        .clone()
        .or_else(|| named.and_then(|context| context.ca_file.clone()))
        .or_else(|| env("GROUNDSWELL_CA_FILE").map(PathBuf::from))
        .or_else(|| current.and_then(|context| context.ca_file.clone()));
    Ok(Connection { server: checked(server)?, token, ca_file })
}

fn context<'f>(file: &'f File, name: Option<&str>) -> Result<Option<&'f Context>> {
    let Some(name) = name else { return Ok(None) };
    file.contexts.get(name).map(Some).ok_or_else(|| {
        let known: Vec<&str> = file.contexts.keys().map(String::as_str).collect();
        let why = if known.is_empty() { "the configuration has none".to_owned() } else { format!("there are {}", known.join(", ")) };
        Failure::new(Exit::Usage, format!("no context {name:?}"), why, "see ~/.config/groundswell/config.yaml")
    })
}

/// The token must not travel in the clear.
fn checked(server: String) -> Result<String> {
    let server = server.trim_end_matches('/').to_owned();
    let local = ["http://127.0.0.1", "http://localhost", "http://[::1]"];
    let is_local = local.iter().any(|host| server.strip_prefix(host).is_some_and(|rest| rest.is_empty() || rest.starts_with(':')));
    if server.starts_with("https://") || is_local {
        return Ok(server);
    }
    Err(Failure::new(
        Exit::Usage,
        format!("server {server:?} is not an https:// address"),
        "the token would travel in the clear",
        "write https://HOST:PORT",
    ))
}

/// Reads the file with contexts; none is an empty one. Relative paths in it start from its folder.
pub(crate) fn read_file(env: impl Fn(&str) -> Option<String>) -> Result<File> {
    let folder = env("XDG_CONFIG_HOME").map(PathBuf::from).or_else(|| env("HOME").map(|home| Path::new(&home).join(".config")));
    let Some(path) = env("GROUNDSWELL_CONFIG").map(PathBuf::from).or_else(|| folder.map(|folder| folder.join("groundswell/config.yaml")))
    else {
        return Ok(File::default());
    };
    let text = match std::fs::read_to_string(&path) {
        Ok(text) => text,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(File::default()),
        Err(error) => return Err(Failure::error(format!("cannot read {}", path.display()), error, "")),
    };
    let mut file: File = serde_saphyr::from_str(&text)
        .map_err(|error| Failure::error(format!("{} cannot be read", path.display()), what_is_wrong(&error), ""))?;
    let folder = path.parent().unwrap_or(Path::new(""));
    for context in file.contexts.values_mut() {
        for path in [&mut context.token_file, &mut context.ca_file].into_iter().flatten() {
            *path = folder.join(&*path);
        }
    }
    for repository in &mut file.repositories {
        for path in [&mut repository.password_file, &mut repository.ca_file].into_iter().flatten() {
            *path = folder.join(&*path);
        }
    }
    Ok(file)
}

/// The token itself, without the line's end.
pub(crate) fn read_token(source: &TokenSource) -> Result<String> {
    let token = match source {
        TokenSource::Text(token) => token.trim().to_owned(),
        TokenSource::File(path) => read_limited(path)?.trim().to_owned(),
    };
    if token.is_empty() || !token.bytes().all(|b| b.is_ascii_graphic()) {
        return Err(Failure::new(
            Exit::Denied,
            "the token is empty or has blanks in it",
            "",
            "look at GROUNDSWELL_TOKEN or the token file",
        ));
    }
    Ok(token)
}

/// Text of a file that is not larger than a document may be.
pub(crate) fn read_limited(path: &Path) -> Result<String> {
    let refuse = |error: std::io::Error| Failure::error(format!("cannot read {}", path.display()), error, "");
    let file = std::fs::File::open(path).map_err(refuse)?;
    let mut text = Vec::new();
    // A device or a pipe says nothing of its size, so what counts is what comes.
    file.take(MAX_FILE + 1).read_to_end(&mut text).map_err(refuse)?;
    if text.len() as u64 > MAX_FILE {
        return Err(Failure::error(format!("{} is too large", path.display()), format!("it has more than {MAX_FILE} bytes"), ""));
    }
    String::from_utf8(text).map_err(|error| Failure::error(format!("{} is no text", path.display()), error.utf8_error(), ""))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_never_ends_is_read_up_to_the_limit() {
        let refused = read_limited(Path::new("/dev/zero")).unwrap_err();
        assert_eq!(
            (refused.errors[0].what.as_str(), refused.errors[0].why.as_str()),
            ("/dev/zero is too large", "it has more than 1048576 bytes")
        );
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), "x".repeat(1 << 20)).unwrap();
        assert_eq!(read_limited(file.path()).unwrap().len(), 1 << 20);
        std::fs::write(file.path(), "x".repeat((1 << 20) + 1)).unwrap();
        assert!(read_limited(file.path()).is_err());
        std::fs::write(file.path(), [0xff, 0xfe]).unwrap();
        assert!(read_limited(file.path()).unwrap_err().errors[0].what.contains("is no text"));
    }

    #[test]
    fn what_is_wrong_is_said_to_its_author() {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), "contexts: {}\ncontexts: {}\n").unwrap();
        let refused = read_file(|name| (name == "GROUNDSWELL_CONFIG").then(|| file.path().display().to_string())).unwrap_err();
        assert_eq!(refused.errors[0].why, "line 2, column 1: the key \"contexts\" is written twice");
    }

    fn file() -> File {
        let text = "currentContext: lab\ncontexts:\n  lab: {server: 'https://lab:1', tokenFile: /lab}\n  prod: {server: 'https://prod:1', tokenFile: /prod}\n";
        serde_saphyr::from_str(text).unwrap()
    }

    fn resolved(flags: Flags, env: &[(&str, &str)]) -> (String, Option<TokenSource>) {
        let env = |name: &str| env.iter().find(|(key, _)| *key == name).map(|(_, value)| (*value).to_owned());
        let connection = resolve(&flags, env, &file()).unwrap_or_else(|failure| panic!("{failure:?}"));
        (connection.server, connection.token)
    }

    #[test]
    fn flags_go_before_environment_before_file() {
        let path = |p: &str| Some(TokenSource::File(p.into()));
        assert!(resolved(Flags::default(), &[]) == ("https://lab:1".into(), path("/lab")));
        let env = [("GROUNDSWELL_SERVER", "https://env:1/"), ("GROUNDSWELL_TOKEN", "t")];
        assert!(resolved(Flags::default(), &env) == ("https://env:1".into(), Some(TokenSource::Text("t".into()))));
        let flags = Flags { context: Some("prod".into()), ..Flags::default() };
        assert!(resolved(flags, &env) == ("https://prod:1".into(), path("/prod")));
        let flags = Flags { server: Some("https://flag:1".into()), ..Flags::default() };
        assert!(resolved(flags, &env).0 == "https://flag:1");
    }

    #[test]
    fn a_token_of_the_current_context_goes_nowhere_else() {
        let flags = Flags { server: Some("https://elsewhere:1".into()), ..Flags::default() };
        assert!(resolved(flags, &[]) == ("https://elsewhere:1".into(), None));
    }

    #[test]
    fn a_token_never_travels_in_the_clear() {
        for bad in ["http://server:1", "http://localhost.evil.example", "http://127.0.0.1.evil.example:80", "server:1", "ftp://x"] {
            assert!(checked(bad.into()).is_err(), "{bad} passed");
        }
        assert!(checked("http://127.0.0.1:8080".into()).is_ok());
    }
}
