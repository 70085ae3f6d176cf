//! One GET, with everything that a hostile or tired server can do to it: redirects, endless bodies, pauses, addresses inside.
//!
//! Redirects are followed here and not by the client, because each hop is a new decision: which credentials, which address.

mod body;
mod client;

use super::Settings;
use super::credentials::{Access, Credentials, Secret};
use super::error::FetchError;
use super::origin::{Depth, Origin, shown};
use super::pace;
use client::Clients;
use reqwest::header::{ACCEPT, AUTHORIZATION, DATE, HeaderMap, LOCATION, RETRY_AFTER};
use reqwest::{StatusCode, Url};
use std::time::Duration;

/// What is asked for.
#[derive(Debug, Clone)]
pub(super) struct Want<'a> {
    /// What it is, for messages.
    pub(super) what: &'static str,
    /// Bytes that are taken.
    pub(super) limit: u64,
    pub(super) accept: Option<&'a str>,
    pub(super) auth: Auth,
    /// `If-None-Match`.
    pub(super) etag: Option<&'a str>,
}

impl<'a> Want<'a> {
    pub(super) fn new(what: &'static str, limit: u64) -> Self {
        Self { what, limit, accept: None, auth: Auth::Basic, etag: None }
    }
}

/// Which of the credentials a request carries; each hop decides anew whether it may.
#[derive(Debug, Clone)]
pub(super) enum Auth {
    None,
    /// User and password of the hop's own origin, where there are any.
    Basic,
    /// A token, for this origin only, and whether it was had for user and password.
    Bearer(Origin, Secret, bool),
    /// User and password of this origin to another, as its configuration allows.
    Lent(Origin, Credentials),
}

/// An answer with a status that the caller wants to see.
#[derive(Debug)]
pub(super) struct Answer {
    pub(super) status: StatusCode,
    pub(super) headers: HeaderMap,
    pub(super) body: Vec<u8>,
    /// Where it really came from.
    pub(super) url: Url,
    /// Whether the last hop was sent user and password, or a token for which they were shown.
    pub(super) with_credentials: bool,
    /// The server that the operator named, where the last hop was another one.
    pub(super) elsewhere: Option<String>,
    attempts: u32,
}

impl Answer {
    /// The body of a 200, and an error for all else.
    pub(super) fn ok(self, what: &'static str) -> Result<Self, FetchError> {
        let url = shown(&self.url);
        match self.status {
            StatusCode::OK => Ok(self),
            StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => {
                let (status, with_credentials) = (self.status.as_u16(), self.with_credentials);
                // A registry's token service gets what is given for the registry, as far as that is allowed.
                match (self.elsewhere, Origin::of(&self.url)) {
                    (Some(named), Some(origin)) if !with_credentials && what != "token" => {
                        Err(FetchError::DeniedElsewhere { url, status, origin: origin.to_string(), named })
                    }
                    _ => Err(FetchError::Denied { url, status, with_credentials }),
                }
            }
            StatusCode::NOT_FOUND | StatusCode::GONE => Err(FetchError::NotFound { what, url }),
            status => Err(FetchError::Status { url, status: status.as_u16(), attempts: self.attempts, said: self.said() }),
        }
    }

    /// The beginning of the body, for people.
    pub(super) fn said(&self) -> String {
        String::from_utf8_lossy(&self.body).chars().filter(|c| !c.is_control()).take(200).collect()
    }

    pub(super) fn header(&self, name: impl reqwest::header::AsHeaderName) -> Option<&str> {
        self.headers.get(name)?.to_str().ok()
    }
}

/// The conversation of one fetch.
pub(super) struct Session<'s> {
    settings: &'s Settings,
    /// What the operator named; credentials of the command line belong to its origin.
    named: Origin,
    clients: Clients,
}

/// One failed try.
enum Failed {
    /// Another try may help, after this long if the server said so.
    Maybe(FetchError, Option<Duration>),
    For(FetchError),
}

impl<'s> Session<'s> {
    /// A session with the server of a URL that the operator named.
    pub(super) fn open(settings: &'s Settings, named: &Url) -> Result<Self, FetchError> {
        let origin = Origin::of(named).ok_or_else(|| FetchError::PlainHttp { url: shown(named), elsewhere: false })?;
        Ok(Self { settings, clients: Clients::new(origin.clone()), named: origin })
    }

    pub(super) fn settings(&self) -> &'s Settings {
        self.settings
    }

    /// How the server of a URL is reached.
    pub(super) fn access(&self, url: &Url) -> Option<&'s Access> {
        self.settings.keyring.access(url)
    }

    /// Who vouches for what arrives from these servers when nobody named a digest.
    pub(super) fn only_voucher(&self, asked: &[&Url]) -> &'static str {
        if asked.iter().any(|url| url.scheme() == "http") {
            "nobody vouches for what arrived: it came over plain http"
        } else if asked.iter().any(|url| self.access(url).is_some_and(|access| access.insecure_skip_tls_verify)) {
            "nobody vouches for what arrived: certificates were not looked at"
        } else {
            "only TLS vouches for what arrived"
        }
    }

    /// GETs a URL, with redirects and tries.
    pub(super) async fn get(&self, url: &Url, want: &Want<'_>) -> Result<Answer, FetchError> {
        let limits = &self.settings.limits;
        let mut attempt = 1;
        loop {
            let (error, asked) = match self.follow(url, want, attempt).await {
                Ok(answer) => return Ok(answer),
                Err(Failed::For(error)) => return Err(error),
                Err(Failed::Maybe(error, asked)) => (error, asked),
            };
            if let Some(asked) = asked.filter(|asked| *asked > limits.longest_delay) {
                return Err(FetchError::Busy { url: shown(url), seconds: asked.as_secs() });
            }
            if attempt >= limits.attempts {
                return Err(error);
            }
            let drawn = pace::delay(self.settings.pace.as_ref(), limits, attempt);
            let delay = asked.map_or(drawn, |asked| asked + drawn).min(limits.longest_delay);
            self.settings.progress.retry(&error.to_string(), attempt + 1, limits.attempts, delay);
            self.settings.pace.sleep(delay).await;
            attempt += 1;
        }
    }

    /// One try: the request and its redirects.
    async fn follow(&self, first: &Url, want: &Want<'_>, attempt: u32) -> Result<Answer, Failed> {
        let limit = self.settings.limits.redirects;
        let mut url = first.clone();
        for _ in 0..=limit {
            let answer = self.once(&url, want, attempt).await?;
            let redirects = matches!(answer.status.as_u16(), 301 | 302 | 303 | 307 | 308);
            if !redirects {
                return Ok(answer);
            }
            url = next_hop(&url, answer.header(LOCATION)).map_err(Failed::For)?;
        }
        Err(Failed::For(FetchError::TooManyRedirects { url: shown(first), to: shown(&url), limit }))
    }

    async fn once(&self, url: &Url, want: &Want<'_>, attempt: u32) -> Result<Answer, Failed> {
        let limits = &self.settings.limits;
        let access = self.access(url);
        let origin = self.allowed(url, access).map_err(Failed::For)?;
        let client = self.clients.get(&origin, access, limits).map_err(Failed::For)?;
        let mut request = client.get(url.clone());
        let authorization = self.authorization(&origin, access, &want.auth);
        if let Some(header) = &authorization {
            request = request.header(AUTHORIZATION, header.value.clone());
        }
        if let Some(accept) = want.accept {
            request = request.header(ACCEPT, accept);
        }
        if let Some(etag) = want.etag {
            request = request.header(reqwest::header::IF_NONE_MATCH, etag);
        }
        let slow = |reason: String| FetchError::Slow { url: shown(url), reason };
        let sent = tokio::time::timeout(limits.idle, request.send()).await;
        let response = match sent {
            Err(_) => return Err(Failed::Maybe(slow(format!("no answer within {} s", limits.idle.as_secs_f32())), None)),
            Ok(Err(error)) => return Err(self.clients.failure(url, &error, attempt)),
            Ok(Ok(response)) => response,
        };
        let (status, headers) = (response.status(), response.headers().clone());
        let keep =
            body::Keep { what: want.what, limit: if status.is_success() { want.limit } else { limits.small }, cut: !status.is_success() };
        let body = body::read(response, url, &keep, self.settings, attempt).await?;
        let anonymous = matches!(want.auth, Auth::Bearer(_, _, false));
        let mut answer = Answer {
            status,
            headers,
            body,
            url: url.clone(),
            with_credentials: authorization.is_some() && !anonymous,
            elsewhere: (origin != self.named).then(|| self.named.to_string()),
            attempts: attempt,
        };
        if let Some(header) = authorization.filter(|_| !status.is_success()) {
            let text = String::from_utf8_lossy(&answer.body).into_owned();
            answer.body = header.secrets.iter().fold(text, |text, secret| secret.scrub(&text)).into_bytes();
        }
        if matches!(status.as_u16(), 429 | 500 | 502 | 503 | 504) {
            let now = || self.settings.pace.now();
            let asked = answer.header(RETRY_AFTER).and_then(|after| pace::retry_after(after, answer.header(DATE), now));
            let error = FetchError::Status { url: shown(url), status: status.as_u16(), attempts: attempt, said: answer.said() };
            return Err(Failed::Maybe(error, asked));
        }
        Ok(answer)
    }

    /// Whether a URL may be asked at all.
    fn allowed(&self, url: &Url, access: Option<&Access>) -> Result<Origin, FetchError> {
        let plain = |elsewhere| FetchError::PlainHttp { url: shown(url), elsewhere };
        let origin = Origin::of(url).ok_or_else(|| plain(false))?;
        // First, because no configuration makes it right.
        if let Some(address) = origin.address().filter(|_| origin != self.named)
            && Depth::of(address) > self.clients.depth()
        {
            return Err(FetchError::Inside { url: shown(url), address: address.to_string(), named: self.named.to_string() });
        }
        let said = access.is_some_and(|access| access.plain_http);
        if origin.is_plain() && !origin.is_loopback() && !said {
            return Err(plain(origin != self.named));
        }
        Ok(origin)
    }

    fn authorization(&self, origin: &Origin, access: Option<&Access>, auth: &Auth) -> Option<Header> {
        match auth {
            Auth::None => None,
            Auth::Basic => access.and_then(|access| access.credentials.as_ref()).and_then(Header::basic),
            Auth::Bearer(to, token, _) if to == origin => Header::bearer(token),
            Auth::Lent(to, credentials) if to == origin => Header::basic(credentials),
            Auth::Bearer(..) | Auth::Lent(..) => None,
        }
    }
}

/// An `Authorization`, and what must not be printed of it, in clear and encoded.
struct Header {
    value: reqwest::header::HeaderValue,
    secrets: Vec<Secret>,
}

impl Header {
    fn basic(credentials: &Credentials) -> Option<Self> {
        use base64::Engine as _;
        let pair = format!("{}:{}", credentials.username, credentials.password.reveal());
        let encoded = base64::engine::general_purpose::STANDARD.encode(pair);
        Self::of(format!("Basic {encoded}"), vec![credentials.password.clone(), Secret::new(encoded)])
    }

    fn bearer(token: &Secret) -> Option<Self> {
        Self::of(format!("Bearer {}", token.reveal()), vec![token.clone()])
    }

    fn of(text: String, secrets: Vec<Secret>) -> Option<Self> {
        let mut value = reqwest::header::HeaderValue::from_str(&text).ok()?;
        value.set_sensitive(true);
        Some(Self { value, secrets })
    }
}

/// Where a redirect leads.
fn next_hop(from: &Url, location: Option<&str>) -> Result<Url, FetchError> {
    let refuse = |to: &str, reason: &str| FetchError::BadRedirect { url: shown(from), to: to.to_owned(), reason: reason.to_owned() };
    let location = location.ok_or_else(|| refuse("", "it does not say where to"))?;
    let mut to = from.join(location).map_err(|error| refuse("a broken URL", &error.to_string()))?;
    to.set_fragment(None);
    if !matches!(to.scheme(), "http" | "https") {
        return Err(refuse(&format!("{}:", to.scheme()), "only https is followed"));
    }
    if from.scheme() == "https" && to.scheme() == "http" {
        return Err(refuse(&shown(&to), "from https to plain http anybody on the way could change what arrives"));
    }
    if !to.username().is_empty() || to.password().is_some() {
        return Err(refuse(&shown(&to), "it carries a user and password of its own"));
    }
    Ok(to)
}
