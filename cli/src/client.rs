//! JSON over HTTPS to the server.

use crate::config::{Connection, read_token};
use crate::error::{Failure, Result, chain};
use crate::exit::Exit;
use groundswell_api::dto::{ErrorBody, ErrorDto, List};
use reqwest::{Method, StatusCode};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;
use std::time::Duration;

/// Long enough for a link across an ocean; a wrong address shows before the operator looks away.
const CONNECT: Duration = Duration::from_secs(5);
/// For an answer; the server's slowest, an apply over 10,000 clusters, takes seconds.
const ANSWER: Duration = Duration::from_secs(60);
/// For pushing a chart of some MiB over a slow link.
const PUSH: Duration = Duration::from_secs(600);
/// 10,000 clusters at 3 KB; anything larger is not an answer of ours.
const MAX_ANSWER: usize = 32 << 20;

/// At the server's 1,000 for each page, ten times the clusters that a server can bear.
const MAX_PAGES: usize = 1_000;

/// A connection to one server.
pub(crate) struct Client {
    http: reqwest::Client,
    server: String,
    token: Option<String>,
}

/// An answer: as it came, and read.
pub(crate) struct Answer<T> {
    pub(crate) raw: Value,
    pub(crate) body: T,
}

impl Client {
    pub(crate) fn new(connection: &Connection) -> Result<Self> {
        let token = connection.token.as_ref().map(read_token).transpose()?;
        let mut builder = reqwest::Client::builder()
            .http1_only()
            .connect_timeout(CONNECT)
            .redirect(reqwest::redirect::Policy::none())
            .user_agent(concat!("groundswell/", env!("CARGO_PKG_VERSION")));
        if let Some(path) = &connection.ca_file {
            let pem = crate::config::read_limited(path)?;
            let bundle =
                reqwest::Certificate::from_pem_bundle(pem.as_bytes()).ok().filter(|bundle| !bundle.is_empty()).ok_or_else(|| {
                    Failure::error(format!("{} holds no certificate", path.display()), "PEM is expected", "look at GROUNDSWELL_CA_FILE")
                })?;
            builder = builder.tls_certs_only(bundle);
        }
        let http = builder.build().map_err(|error| Failure::error("cannot set up TLS", chain(&error), ""))?;
        Ok(Self { http, server: connection.server.clone(), token })
    }

    pub(crate) fn server(&self) -> &str {
        &self.server
    }

    pub(crate) async fn get<T: DeserializeOwned>(&self, path: &str, query: &[(&str, &str)]) -> Result<Answer<T>> {
        self.get_within(path, query, ANSWER).await
    }

    /// A whole list, page by page: what is printed is never cut short.
    pub(crate) async fn list<T: DeserializeOwned>(&self, path: &str, query: &[(&str, &str)]) -> Result<Answer<List<T>>> {
        let mut whole = self.get::<List<T>>(path, query).await?;
        for _ in 0..MAX_PAGES {
            let Some(next) = whole.body.next.take() else { break };
            let query: Vec<(&str, &str)> = query.iter().copied().chain([("next", next.as_str())]).collect();
            let mut page = self.get::<List<T>>(path, &query).await?;
            whole.body.items.append(&mut page.body.items);
            whole.body.next = page.body.next;
            let raw_items = page.raw.get_mut("items").and_then(Value::as_array_mut).map(std::mem::take).unwrap_or_default();
            if let Some(items) = whole.raw.get_mut("items").and_then(Value::as_array_mut) {
                items.extend(raw_items);
            }
        }
        if let Some(raw) = whole.raw.as_object_mut() {
            raw.remove("next");
        }
        Ok(whole)
    }

    /// A long poll: the server may take `wait` before it answers.
    pub(crate) async fn poll<T: DeserializeOwned>(&self, path: &str, query: &[(&str, &str)], wait: Duration) -> Result<Answer<T>> {
        self.get_within(path, query, wait + Duration::from_secs(15)).await
    }

    async fn get_within<T: DeserializeOwned>(&self, path: &str, query: &[(&str, &str)], limit: Duration) -> Result<Answer<T>> {
        let request = self.request(Method::GET, path).query(query).timeout(limit);
        self.send(request).await
    }

    pub(crate) async fn send_json<T: DeserializeOwned>(&self, method: Method, path: &str, body: &impl Serialize) -> Result<Answer<T>> {
        let request = self.request(method, path).json(body).timeout(ANSWER);
        self.send(request).await
    }

    pub(crate) async fn post<T: DeserializeOwned>(&self, path: &str, body: &impl Serialize) -> Result<Answer<T>> {
        self.send_json(Method::POST, path, body).await
    }

    pub(crate) async fn put_bytes<T: DeserializeOwned>(&self, path: &str, bytes: Vec<u8>) -> Result<Answer<T>> {
        let request = self.request(Method::PUT, path).header("content-type", "application/gzip").body(bytes).timeout(PUSH);
        self.send(request).await
    }

    /// Bytes up to a limit, and what a header says of them.
    pub(crate) async fn get_bytes(&self, path: &str, header: &str, limit: usize) -> Result<(Vec<u8>, Option<String>)> {
        let answer = self.request(Method::GET, path).timeout(PUSH).send().await.map_err(|error| self.unreachable(&error))?;
        let status = answer.status();
        let said = answer.headers().get(header).and_then(|value| value.to_str().ok()).map(str::to_owned);
        let bytes = self.read_within(answer, limit).await?;
        if status.is_success() { Ok((bytes, said)) } else { Err(self.refused(status, &bytes)) }
    }

    pub(crate) async fn delete<T: DeserializeOwned>(&self, path: &str, query: &[(&str, &str)]) -> Result<Answer<T>> {
        let request = self.request(Method::DELETE, path).query(query).timeout(ANSWER);
        self.send(request).await
    }

    fn request(&self, method: Method, path: &str) -> reqwest::RequestBuilder {
        let request = self.http.request(method, format!("{}{path}", self.server));
        match &self.token {
            Some(token) => request.bearer_auth(token),
            None => request,
        }
    }

    async fn send<T: DeserializeOwned>(&self, request: reqwest::RequestBuilder) -> Result<Answer<T>> {
        let answer = request.send().await.map_err(|error| self.unreachable(&error))?;
        let status = answer.status();
        let bytes = self.read(answer).await?;
        if !status.is_success() {
            return Err(self.refused(status, &bytes));
        }
        let strange = |error: serde_json::Error| {
            let next = "compare `groundswell version`: command and server may be too far apart";
            Failure::error(format!("{} answered something that this command cannot read", self.server), error, next)
        };
        // An answer without content reads as null, for the verbs that say nothing back.
        let raw: Value = if bytes.is_empty() { Value::Null } else { serde_json::from_slice(&bytes).map_err(strange)? };
        let body = T::deserialize(&raw).map_err(strange)?;
        Ok(Answer { raw, body })
    }

    async fn read(&self, answer: reqwest::Response) -> Result<Vec<u8>> {
        self.read_within(answer, MAX_ANSWER).await
    }

    async fn read_within(&self, mut answer: reqwest::Response, limit: usize) -> Result<Vec<u8>> {
        let mut bytes = Vec::new();
        while let Some(chunk) = answer.chunk().await.map_err(|error| self.unreachable(&error))? {
            if bytes.len() + chunk.len() > limit {
                let why = format!("more than {} MiB", limit >> 20);
                return Err(Failure::error(
                    format!("the answer of {} is too large", self.server),
                    why,
                    "narrow it with a selector or --limit",
                ));
            }
            bytes.extend_from_slice(&chunk);
        }
        Ok(bytes)
    }

    fn refused(&self, status: StatusCode, bytes: &[u8]) -> Failure {
        if let Ok(body) = serde_json::from_slice::<ErrorBody>(bytes) {
            return Failure::refused(status.as_u16(), body.error);
        }
        // Not our server's words: a proxy on the way, or another service on that port.
        let error = ErrorDto {
            what: format!("{} answered {status}", self.server),
            why: String::from_utf8_lossy(bytes).chars().take(200).collect(),
            next: if status.is_client_error() { String::new() } else { "look at the server's log, then try again".to_owned() },
            ..ErrorDto::default()
        };
        Failure::refused(status.as_u16(), error)
    }

    /// The three usual reasons, each with what helps.
    fn unreachable(&self, error: &reqwest::Error) -> Failure {
        let why = chain(error);
        let lower = why.to_lowercase();
        let next = if lower.contains("certificate") || lower.contains("unknownissuer") || lower.contains("unknown issuer") {
            "pass the server's CA with --ca-file or GROUNDSWELL_CA_FILE; the server writes it beside its state at first start"
        } else if error.is_timeout() && !error.is_connect() {
            "the server took too long; look at its log, then try again"
        } else {
            "check the address (--server, GROUNDSWELL_SERVER) and that the server runs: `groundswell check`"
        };
        let mut failure = Failure::new(Exit::Error, format!("cannot talk to {}", self.server), why, next);
        failure.errors[0].code = UNREACHABLE.to_owned();
        failure
    }
}

/// The code of failures that may pass by themselves.
pub(crate) const UNREACHABLE: &str = "GS-UNREACHABLE";

/// One segment of a path, with what has a meaning in URLs escaped.
pub(crate) fn segment(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for byte in text.bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'_' => escaped.push(char::from(byte)),
            b'.' if !text.bytes().all(|b| b == b'.') => escaped.push('.'),
            // Nothing but dots is a folder in URLs, escaped or not; escaped twice it is a name that nobody has.
            b'.' => escaped.push_str("%252E"),
            _ => escaped.push_str(&format!("%{byte:02X}")),
        }
    }
    escaped
}

#[cfg(test)]
mod tests {
    use super::segment;

    #[test]
    fn a_name_stays_one_segment() {
        assert_eq!(segment("beacon-3"), "beacon-3");
        assert_eq!(segment("../clusters/x?y#z"), "..%2Fclusters%2Fx%3Fy%23z");
        assert_eq!(segment(".."), "%252E%252E");
    }
}
