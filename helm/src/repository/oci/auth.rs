//! Logging in to a registry: it says how, and credentials go where the operator said that they may.

use super::super::Settings;
use super::super::credentials::{Credentials, Secret};
use super::super::error::FetchError;
use super::super::http::{Answer, Auth, Session, Want};
use super::super::origin::{Origin, shown};
use super::super::reference::OciReference;
use reqwest::header::WWW_AUTHENTICATE;
use reqwest::{StatusCode, Url};
use std::sync::{Mutex, PoisonError};

/// A registry, and what it was shown so far.
pub(super) struct Registry<'s> {
    session: &'s Session<'s>,
    base: Url,
    reference: OciReference,
    auth: Mutex<Auth>,
}

/// What a registry wants to see.
#[derive(Debug, PartialEq, Eq)]
enum Challenge {
    Basic,
    Bearer { realm: String, service: Option<String> },
}

impl<'s> Registry<'s> {
    pub(super) fn new(session: &'s Session<'s>, base: &Url, reference: &OciReference) -> Self {
        Self { session, base: base.clone(), reference: reference.clone(), auth: Mutex::new(Auth::None) }
    }

    pub(super) fn settings(&self) -> &'s Settings {
        self.session.settings()
    }

    /// A path below `/v2/NAME/`.
    pub(super) fn url(&self, path: &str) -> Result<Url, FetchError> {
        let url = self.base.join(path);
        url.map_err(|error| FetchError::NotAChart { reference: self.reference.to_string(), reason: error.to_string() })
    }

    /// GETs, and logs in when the registry asks for it. Tokens last for minutes, a long list of tags may take longer: for one that
    /// was taken before another one is asked for.
    pub(super) async fn get(&self, url: &Url, what: &'static str, limit: u64, accept: Option<&str>) -> Result<Answer, FetchError> {
        let held = self.auth.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let want = Want { accept, auth: held, ..Want::new(what, limit) };
        let first = self.session.get(url, &want).await?;
        // Only what was taken once is held; and a storage behind a redirect has its own reasons.
        let renewable = matches!(want.auth, Auth::None | Auth::Bearer(..));
        let asks = first.status == StatusCode::UNAUTHORIZED && renewable && Origin::of(&first.url) == Origin::of(url);
        let Some(challenge) = first.header(WWW_AUTHENTICATE).filter(|_| asks).and_then(Challenge::read) else { return Ok(first) };
        let auth = match challenge {
            Challenge::Basic => self.credentials()?.zip(Origin::of(url)).map(|(credentials, origin)| Auth::Lent(origin, credentials)),
            Challenge::Bearer { realm, service } => self.token(&realm, service.as_deref()).await?,
        };
        let Some(auth) = auth else { return Ok(first) };
        let second = self.session.get(url, &Want { auth: auth.clone(), ..want }).await?;
        let taken = second.status != StatusCode::UNAUTHORIZED;
        *self.auth.lock().unwrap_or_else(PoisonError::into_inner) = if taken { auth } else { Auth::None };
        Ok(second)
    }

    /// The registry's own credentials: from the flags or configuration, else from docker's.
    fn credentials(&self) -> Result<Option<Credentials>, FetchError> {
        let access = self.session.access(&self.base);
        if let Some(credentials) = access.and_then(|access| access.credentials.clone()) {
            return Ok(Some(credentials));
        }
        let found = self.settings().keyring.docker(&self.reference.registry);
        found
            .map(|found| found.cloned())
            .map_err(|helper| FetchError::CredentialHelper { registry: self.reference.registry.clone(), helper: helper.helper })
    }

    /// A token for this chart, for user and password where there are any and they may go there.
    async fn token(&self, realm: &str, service: Option<&str>) -> Result<Option<Auth>, FetchError> {
        let wrong = |reason: &str| FetchError::BadRedirect { url: shown(&self.base), to: realm.to_owned(), reason: reason.to_owned() };
        let mut url = Url::parse(realm).map_err(|_| wrong("its realm is no URL"))?;
        if !url.username().is_empty() || url.password().is_some() {
            return Err(wrong("its realm carries a user and password"));
        }
        if self.base.scheme() == "https" && url.scheme() != "https" {
            return Err(wrong("its realm is not https"));
        }
        let auth = self.auth_for(&url)?;
        let login = !matches!(auth, Auth::None);
        url.query_pairs_mut().append_pair("scope", &format!("repository:{}:pull", self.reference.repository));
        if let Some(service) = service {
            url.query_pairs_mut().append_pair("service", service);
        }
        let want = Want { accept: Some("application/json"), auth, ..Want::new("token", self.settings().limits.small) };
        let answer = self.session.get(&url, &want).await?.ok("token")?;
        let token: Token = serde_json::from_slice(&answer.body).map_err(|_| FetchError::WrongContent {
            url: shown(&url),
            expected: "a token",
            // The parser's words may quote the token.
            reason: "it is not the JSON that registries answer with".to_owned(),
        })?;
        let token = token.token.or(token.access_token).filter(|token| !token.is_empty());
        Ok(token.zip(Origin::of(&self.base)).map(|(token, origin)| Auth::Bearer(origin, Secret::new(token), login)))
    }

    /// Credentials go to the registry's own origin, or to one that the operator named; without credentials any realm is asked.
    fn auth_for(&self, realm: &Url) -> Result<Auth, FetchError> {
        let (registry, to) = (Origin::of(&self.base), Origin::of(realm));
        if to != registry && self.session.access(realm).is_some_and(|access| access.credentials.is_some()) {
            return Ok(Auth::Basic);
        }
        let Some((credentials, to)) = self.credentials()?.zip(to) else { return Ok(Auth::None) };
        let configured = self.session.access(&self.base).and_then(|access| access.token_url.as_ref()).and_then(Origin::of);
        // Docker's registry and its token service are one service under two names, by its own documentation.
        let docker = self.base.host_str() == Some("registry-1.docker.io") && to.to_string() == "https://auth.docker.io";
        if Some(&to) == registry.as_ref() || Some(&to) == configured.as_ref() || docker {
            return Ok(Auth::Lent(to, credentials));
        }
        Err(FetchError::ForeignRealm { registry: registry.map(|origin| origin.to_string()).unwrap_or_default(), realm: to.to_string() })
    }
}

#[derive(serde::Deserialize)]
struct Token {
    #[serde(default)]
    token: Option<String>,
    #[serde(default)]
    access_token: Option<String>,
}

impl Challenge {
    /// Reads `WWW-Authenticate` (RFC 9110, 11.6.1) as registries write it: one challenge, values in quotes.
    fn read(header: &str) -> Option<Self> {
        let (scheme, rest) = header.trim().split_once(' ').unwrap_or((header.trim(), ""));
        if scheme.eq_ignore_ascii_case("basic") {
            return Some(Self::Basic);
        }
        let value = |name: &str| {
            let at = rest.to_ascii_lowercase().find(&format!("{name}=\""))? + name.len() + 2;
            let text = rest.get(at..)?;
            Some(text.split('"').next()?.to_owned())
        };
        let realm = value("realm").filter(|_| scheme.eq_ignore_ascii_case("bearer"))?;
        Some(Self::Bearer { realm, service: value("service") })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn challenges_are_read() {
        assert_eq!(Challenge::read("Basic realm=\"x\""), Some(Challenge::Basic));
        let bearer = "Bearer realm=\"https://auth.example/token\",service=\"r.example\",scope=\"repository:a:pull\"";
        let read = Challenge::Bearer { realm: "https://auth.example/token".into(), service: Some("r.example".into()) };
        assert_eq!(Challenge::read(bearer), Some(read));
        for none in ["", "Bearer", "Bearer realm=x", "Negotiate", "Digest realm=\"x\"", "Bearer realm"] {
            assert_eq!(Challenge::read(none), None, "{none}");
        }
    }
}
