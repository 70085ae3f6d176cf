//! Our own acceptor in front of tonic and hyper. tonic's spins on EMFILE, bounds no handshake and cannot be told TLS 1.3 only
//! (reference: ecosystem finding 1, reliability 0.6).

use crate::pki::{Peer, peer_of};
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Semaphore, mpsc};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;

/// A handshake takes two round trips and half a millisecond; a peer that needs longer is broken or hostile.
const HANDSHAKE_DEADLINE: Duration = Duration::from_secs(10);
/// Each costs half a millisecond of a core, so 64 at once keep a core busy for 32 ms, and the p99 of the others survives.
const HANDSHAKES_AT_ONCE: usize = 64;
/// Connections through the handshake and not yet taken by the service: it takes them at once, so this only smooths.
const READY_QUEUE: usize = 64;
/// After EMFILE only a closed connection helps; looking again ten times a second costs nothing.
const ACCEPT_BACKOFF: Duration = Duration::from_millis(100);
/// Half-open peers are gone after this; the kernel's own patience is a quarter of an hour.
const TCP_USER_TIMEOUT: Duration = Duration::from_secs(30);

/// A connection through its handshake.
#[derive(Debug)]
pub struct Connection {
    stream: TlsStream<TcpStream>,
    /// Who is there; `None` on a listener that asks for no certificate.
    pub peer: Option<Peer>,
    /// Its address.
    pub address: SocketAddr,
}

/// What tonic hands to each request of the connection.
#[derive(Clone, Debug)]
pub struct ConnectionInfo {
    /// Who is there.
    pub peer: Option<Peer>,
    /// Its address.
    pub address: SocketAddr,
}

/// Accepts until the receiver is dropped. Handshakes run beside each other, up to a limit; beyond it the kernel's backlog waits.
pub fn spawn(listener: TcpListener, config: Arc<rustls::ServerConfig>, name: &'static str) -> mpsc::Receiver<Connection> {
    let (ready, connections) = mpsc::channel(READY_QUEUE);
    tokio::spawn(accept(listener, TlsAcceptor::from(config), ready, name));
    connections
}

async fn accept(listener: TcpListener, acceptor: TlsAcceptor, ready: mpsc::Sender<Connection>, name: &'static str) {
    let permits = Arc::new(Semaphore::new(HANDSHAKES_AT_ONCE));
    loop {
        let Ok(permit) = permits.clone().acquire_owned().await else { return };
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            () = ready.closed() => return,
        };
        let (socket, address) = match accepted {
            Ok(accepted) => accepted,
            Err(error) => {
                tracing::warn!(listener = name, %error, "cannot accept; trying again");
                tokio::time::sleep(ACCEPT_BACKOFF).await;
                continue;
            }
        };
        let (acceptor, ready) = (acceptor.clone(), ready.clone());
        tokio::spawn(async move {
            let handshake = tokio::time::timeout(HANDSHAKE_DEADLINE, handshake(acceptor, socket, address)).await;
            drop(permit);
            match handshake {
                Ok(Ok(connection)) => _ = ready.send(connection).await,
                Ok(Err(error)) => tracing::debug!(listener = name, %address, %error, "handshake refused"),
                Err(_) => tracing::debug!(listener = name, %address, "handshake took too long"),
            }
        });
    }
}

async fn handshake(acceptor: TlsAcceptor, socket: TcpStream, address: SocketAddr) -> std::io::Result<Connection> {
    socket.set_nodelay(true)?;
    let options = socket2::SockRef::from(&socket);
    options.set_tcp_user_timeout(Some(TCP_USER_TIMEOUT))?;
    let stream = acceptor.accept(socket).await?;
    let leaf = stream.get_ref().1.peer_certificates().and_then(|chain| chain.first());
    let peer = leaf.map(peer_of).transpose().map_err(std::io::Error::other)?;
    Ok(Connection { stream, peer, address })
}

impl AsyncRead for Connection {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<std::io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(cx, buf)
    }
}

impl AsyncWrite for Connection {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<std::io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(cx, buf)
    }

    fn poll_write_vectored(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bufs: &[std::io::IoSlice<'_>]) -> Poll<std::io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write_vectored(cx, bufs)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<std::io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<std::io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}

impl tonic::transport::server::Connected for Connection {
    type ConnectInfo = ConnectionInfo;

    fn connect_info(&self) -> ConnectionInfo {
        ConnectionInfo { peer: self.peer.clone(), address: self.address }
    }
}
