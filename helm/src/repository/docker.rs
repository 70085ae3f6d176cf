//! Docker's `config.json`, which `docker login` and `helm registry login` write: the entries that hold a password.

use super::credentials::{Credentials, Keyring, Secret, docker_host};
use base64::Engine as _;
use serde::Deserialize;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Config {
    #[serde(default)]
    auths: BTreeMap<String, Entry>,
    #[serde(default)]
    creds_store: Option<String>,
    #[serde(default)]
    cred_helpers: BTreeMap<String, String>,
}

#[derive(Deserialize)]
struct Entry {
    #[serde(default)]
    auth: Option<String>,
    #[serde(default)]
    username: Option<String>,
    #[serde(default)]
    password: Option<String>,
}

/// A `config.json` that cannot be used. Never quotes it.
#[derive(Debug, thiserror::Error)]
pub enum DockerConfigError {
    /// Not readable.
    #[error("cannot read {path:?}")]
    Read {
        /// Which.
        path: PathBuf,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// Not what docker writes. The parser's own words may quote a password and are left out.
    #[error("{path:?} is not a docker config.json (line {line})")]
    Json {
        /// Which.
        path: PathBuf,
        /// Line, from 1.
        line: usize,
    },
    /// An entry whose `auth` is not base64 of `user:password`.
    #[error("{path:?}: the auth of {host:?} is not base64 of user:password; log in again")]
    Auth {
        /// Which file.
        path: PathBuf,
        /// Which registry.
        host: String,
    },
}

/// A user's configuration has a few entries; a megabyte is not one.
const MAX_BYTES: u64 = 1 << 20;

/// Adds the entries of one file; a file that is not there is an empty one.
///
/// # Errors
/// When it is there and cannot be used.
pub fn read_docker_config(path: &Path, keyring: &mut Keyring) -> Result<(), DockerConfigError> {
    let failed = |source| DockerConfigError::Read { path: path.to_owned(), source };
    let text = match std::fs::metadata(path) {
        Ok(found) if found.len() > MAX_BYTES => return Err(failed(std::io::Error::other("it is larger than 1 MiB"))),
        Ok(_) => std::fs::read(path).map_err(failed)?,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(()),
        Err(source) => return Err(failed(source)),
    };
    let config: Config =
        serde_json::from_slice(&text).map_err(|error| DockerConfigError::Json { path: path.to_owned(), line: error.line() })?;
    for (key, entry) in config.auths {
        let host = docker_host(&key);
        let pair = match (entry.auth.filter(|auth| !auth.is_empty()), entry.username, entry.password) {
            (Some(auth), ..) => Some(decode(&auth).ok_or_else(|| DockerConfigError::Auth { path: path.to_owned(), host: host.clone() })?),
            (None, Some(username), Some(password)) => Some((username, password)),
            _ => None,
        };
        match pair {
            Some((username, password)) => keyring.add_docker(host, Credentials { username, password: Secret::new(password) }),
            // Docker leaves an empty entry where a helper holds the password.
            None => {
                if let Some(helper) = &config.creds_store {
                    keyring.add_helper(host, helper.clone());
                }
            }
        }
    }
    for (key, helper) in config.cred_helpers {
        keyring.add_helper(docker_host(&key), helper);
    }
    Ok(())
}

fn decode(auth: &str) -> Option<(String, String)> {
    let bytes = base64::engine::general_purpose::STANDARD.decode(auth.trim()).ok()?;
    let text = String::from_utf8(bytes).ok()?;
    let (username, password) = text.split_once(':')?;
    Some((username.to_owned(), password.trim_end_matches('\0').to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<Keyring, DockerConfigError> {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), text).unwrap();
        let mut keyring = Keyring::default();
        read_docker_config(file.path(), &mut keyring).map(|()| keyring)
    }

    #[test]
    fn passwords_are_taken_and_helpers_are_named() {
        // me:hunter2
        let keyring = read(
            r#"{"auths": {"a.example:5000": {"auth": "bWU6aHVudGVyMg=="}, "https://index.docker.io/v1/": {"auth": "bWU6aHVudGVyMg=="}, "b.example": {}},
                "credsStore": "desktop", "credHelpers": {"c.example": "ecr-login"}}"#,
        )
        .unwrap();
        assert_eq!(keyring.docker("a.example:5000").unwrap().map(|found| found.username.as_str()), Some("me"));
        assert_eq!(keyring.docker("registry-1.docker.io").unwrap().map(|found| found.username.as_str()), Some("me"));
        assert_eq!(keyring.docker("b.example").unwrap_err().helper, "desktop");
        assert_eq!(keyring.docker("c.example").unwrap_err().helper, "ecr-login");
        assert!(keyring.docker("a.example").unwrap().is_none());
    }

    #[test]
    fn a_broken_file_is_not_quoted() {
        for text in ["{\"auths\": {\"a\": {\"auth\": 5hunter2", "{\"auths\": {\"a\": {\"auth\": \"hunter2\"}}}", "5"] {
            let error = read(text).unwrap_err();
            assert!(!format!("{error} {error:?}").contains("hunter2"), "{error:?}");
        }
        let mut keyring = Keyring::default();
        read_docker_config(Path::new("/nonexistent/config.json"), &mut keyring).unwrap();
    }
}
