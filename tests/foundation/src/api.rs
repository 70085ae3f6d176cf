//! A small blocking client of one API server.

use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use serde_json::Value;
use ureq::http::Method;
use ureq::tls::{Certificate, RootCerts, TlsConfig};

/// Loopback answers in milliseconds, on a machine under load in seconds; a paused server must not hold a test up.
const TIMEOUT: Duration = Duration::from_secs(30);
/// A question that is asked again and again may be short of patience.
const PROBE_TIMEOUT: Duration = Duration::from_secs(1);

/// One API server, spoken to as one user.
#[derive(Debug, Clone)]
pub struct Api {
    agent: ureq::Agent,
    probe: ureq::Agent,
    server: String,
    token: String,
}

impl Api {
    /// A client of `server` that trusts one root (PEM) and shows one bearer token.
    ///
    /// # Errors
    /// When the root is no certificate.
    pub fn new(server: &str, authority: &str, token: &str) -> Result<Self> {
        let authority = Certificate::from_pem(authority.as_bytes())?;
        let tls = TlsConfig::builder()
            .root_certs(RootCerts::new_with_certs(&[authority]))
            .unversioned_rustls_crypto_provider(Arc::new(rustls::crypto::aws_lc_rs::default_provider()))
            .build();
        let agent = |timeout: Duration| {
            ureq::Agent::config_builder()
                .tls_config(tls.clone())
                .timeout_global(Some(timeout))
                .http_status_as_error(false)
                // A proxy of the machine is for the world outside.
                .proxy(None)
                .build()
                .new_agent()
        };
        Ok(Self { agent: agent(TIMEOUT), probe: agent(PROBE_TIMEOUT), server: server.to_owned(), token: token.to_owned() })
    }

    /// `https://127.0.0.1:<port>`.
    pub fn server(&self) -> &str {
        &self.server
    }

    /// Sends one request; answers with the status and the body (null when it is not JSON).
    ///
    /// # Errors
    /// When no answer came.
    pub fn request(&self, method: &str, path: &str, body: Option<&Value>) -> Result<(u16, Value)> {
        self.send(&self.agent, method, path, body)
    }

    fn send(&self, agent: &ureq::Agent, method: &str, path: &str, body: Option<&Value>) -> Result<(u16, Value)> {
        let request = ureq::http::Request::builder()
            .method(Method::from_bytes(method.as_bytes())?)
            .uri(format!("{}{path}", self.server))
            .header("authorization", format!("Bearer {}", self.token))
            .header("content-type", if method == "PATCH" { "application/apply-patch+yaml" } else { "application/json" });
        let body = body.map(Value::to_string).unwrap_or_default();
        let what = || format!("{method} {}{path}", self.server);
        let mut answer = agent.run(request.body(body)?).with_context(what)?;
        let text = answer.body_mut().read_to_string().with_context(what)?;
        Ok((answer.status().as_u16(), serde_json::from_str(&text).unwrap_or(Value::Null)))
    }

    /// Sends bytes as they are; answers with the status and the body (null when it is not JSON).
    ///
    /// # Errors
    /// When no answer came.
    pub fn send_bytes(&self, method: &str, path: &str, content_type: &str, body: &[u8]) -> Result<(u16, Value)> {
        let request = ureq::http::Request::builder()
            .method(Method::from_bytes(method.as_bytes())?)
            .uri(format!("{}{path}", self.server))
            .header("authorization", format!("Bearer {}", self.token))
            .header("content-type", content_type);
        let what = || format!("{method} {}{path}", self.server);
        let mut answer = self.agent.run(request.body(body)?).with_context(what)?;
        let text = answer.body_mut().read_to_string().with_context(what)?;
        Ok((answer.status().as_u16(), serde_json::from_str(&text).unwrap_or(Value::Null)))
    }

    /// Reads `path`.
    ///
    /// # Errors
    /// When the answer is not a success.
    pub fn get(&self, path: &str) -> Result<Value> {
        self.expect("GET", path, None)
    }

    /// Creates `object` in the collection `path`.
    ///
    /// # Errors
    /// When the answer is not a success.
    pub fn create(&self, path: &str, object: &Value) -> Result<Value> {
        self.expect("POST", path, Some(object))
    }

    /// Whether the server says, within a second, that it is ready.
    pub fn ready(&self) -> bool {
        self.send(&self.probe, "GET", "/readyz", None).is_ok_and(|(status, _)| status == 200)
    }

    fn expect(&self, method: &str, path: &str, body: Option<&Value>) -> Result<Value> {
        let (status, answer) = self.request(method, path, body)?;
        if !(200..300).contains(&status) {
            bail!("{method} {path} was answered {status}: {}", answer["message"].as_str().unwrap_or("no message"));
        }
        Ok(answer)
    }
}
