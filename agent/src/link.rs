//! Connections to the server: tonic over our own TLS, because tonic's cannot be held to TLS 1.3 without resumption.

use http::Uri;
use hyper_util::rt::TokioIo;
use rustls::ClientConfig;
use rustls_pki_types::ServerName;
use std::sync::Arc;
use std::time::Duration;
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;
use tonic::transport::{Channel, Endpoint};

/// For name, TCP and TLS together.
const CONNECT: Duration = Duration::from_secs(15);
/// A connection that died without a word is noticed by h2's own pings after the sum of the two.
const PING_EVERY: Duration = Duration::from_secs(20);
const PING_ANSWER: Duration = Duration::from_secs(10);
/// One session and one fetch at a time; charts are at most a few MiB and come in chunks.
const STREAM_WINDOW: u32 = 256 * 1024;

async fn dial(uri: Uri, tls: Arc<ClientConfig>) -> std::io::Result<TokioIo<TlsStream<TcpStream>>> {
    let bad = |why: String| std::io::Error::new(std::io::ErrorKind::InvalidInput, why);
    let host = uri.host().ok_or_else(|| bad(format!("{uri} names no host")))?.trim_matches(['[', ']']).to_owned();
    let port = uri.port_u16().unwrap_or(443);
    let name = ServerName::try_from(host.clone()).map_err(|error| bad(format!("{host:?}: {error}")))?;
    let stream = TcpStream::connect((host.as_str(), port)).await?;
    stream.set_nodelay(true)?;
    Ok(TokioIo::new(TlsConnector::from(tls).connect(name, stream).await?))
}

/// Connects, and says in words why it did not.
pub(crate) async fn connect(server: &Uri, tls: Arc<ClientConfig>) -> Result<Channel, String> {
    let endpoint = Endpoint::from(server.clone())
        .connect_timeout(CONNECT)
        .http2_keep_alive_interval(PING_EVERY)
        .keep_alive_timeout(PING_ANSWER)
        .keep_alive_while_idle(true)
        .initial_stream_window_size(STREAM_WINDOW)
        .initial_connection_window_size(2 * STREAM_WINDOW);
    let connector = tower::service_fn(move |uri: Uri| dial(uri, tls.clone()));
    let connecting = tokio::time::timeout(CONNECT, endpoint.connect_with_connector(connector));
    match connecting.await {
        Ok(Ok(channel)) => Ok(channel),
        Ok(Err(error)) => Err(told(&error)),
        Err(_) => Err(format!("no connection within {} s", CONNECT.as_secs())),
    }
}

/// An error with its causes, outermost first; tonic's own text is only "transport error".
pub(crate) fn told(error: &(dyn std::error::Error + 'static)) -> String {
    let mut said = one(error);
    let mut cause = error.source();
    while let Some(inner) = cause {
        let text = one(inner);
        if !said.contains(&text) {
            said = format!("{said}: {text}");
        }
        cause = inner.source();
    }
    said
}

/// kube's text for an answer of the API server carries the whole status; its message says all that a person needs.
fn one(error: &(dyn std::error::Error + 'static)) -> String {
    match error.downcast_ref::<kube::Error>().or_else(|| error.downcast_ref::<Box<kube::Error>>().map(AsRef::as_ref)) {
        Some(kube::Error::Api(status)) => status.message.clone(),
        _ => error.to_string(),
    }
}
