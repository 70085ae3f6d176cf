//! Our own acceptor in front of tonic and hyper. tonic's spins on EMFILE, bounds no handshake and cannot be told TLS 1.3 only
//! (reference: ecosystem finding 1, reliability 0.6).

use crate::pki::{Peer, peer_of};
use std::collections::{HashMap, VecDeque};
use std::net::{IpAddr, SocketAddr};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::{Duration, Instant};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc;
use tokio::task::{AbortHandle, Id, JoinSet};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;

/// A handshake takes two round trips and half a millisecond; a peer that needs longer is broken or hostile.
const HANDSHAKE_DEADLINE: Duration = Duration::from_secs(10);
/// Two round trips around the world.
const HONEST_HANDSHAKE: Duration = Duration::from_secs(1);
/// Connections that are not through their handshake. Each holds a socket and some 20 KB: 20 MB in all. A thousand honest ones
/// are half a second of a core.
const MAX_PENDING: usize = 1_024;
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

/// Accepts until the receiver is dropped. Handshakes run beside each other, up to a limit.
pub fn spawn(listener: TcpListener, config: Arc<rustls::ServerConfig>, name: &'static str) -> mpsc::Receiver<Connection> {
    let (ready, connections) = mpsc::channel(READY_QUEUE);
    tokio::spawn(accept(listener, TlsAcceptor::from(config), ready, name));
    connections
}

async fn accept(listener: TcpListener, acceptor: TlsAcceptor, ready: mpsc::Sender<Connection>, name: &'static str) {
    let mut pending = Pending::default();
    let mut handshakes = JoinSet::new();
    loop {
        let has_room = pending.make_room(name);
        let accepted = tokio::select! {
            accepted = listener.accept(), if has_room => accepted,
            () = tokio::time::sleep(ACCEPT_BACKOFF), if !has_room => continue,
            Some(ended) = handshakes.join_next_with_id(), if !handshakes.is_empty() => {
                let id = ended.map_or_else(|error| error.id(), |(id, ())| id);
                pending.ended(id);
                continue;
            }
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
        let handle = handshakes.spawn(async move {
            match tokio::time::timeout(HANDSHAKE_DEADLINE, handshake(acceptor, socket, address)).await {
                Ok(Ok(connection)) => _ = ready.send(connection).await,
                Ok(Err(error)) => tracing::debug!(listener = name, %address, %error, "handshake refused"),
                Err(_) => tracing::debug!(listener = name, %address, "handshake took too long"),
            }
        });
        pending.begun(address.ip(), handle);
    }
}

/// Connections before the end of their handshake. When there are too many, the address with the most loses its oldest: who
/// holds connections open to keep others out only keeps itself out.
#[derive(Default)]
struct Pending {
    by_address: HashMap<IpAddr, VecDeque<(Instant, AbortHandle)>>,
    address_of: HashMap<Id, IpAddr>,
}

impl Pending {
    fn begun(&mut self, address: IpAddr, handle: AbortHandle) {
        self.address_of.insert(handle.id(), address);
        self.by_address.entry(address).or_default().push_back((Instant::now(), handle));
    }

    fn ended(&mut self, id: Id) {
        let Some(address) = self.address_of.remove(&id) else { return };
        if let Some(handles) = self.by_address.get_mut(&address) {
            handles.retain(|(_, handle)| handle.id() != id);
            if handles.is_empty() {
                self.by_address.remove(&address);
            }
        }
    }

    /// Whether another may be accepted. In a storm of honest agents the kernel's backlog waits; what has idled for longer than an
    /// honest handshake takes goes.
    fn make_room(&mut self, listener: &'static str) -> bool {
        if self.address_of.len() < MAX_PENDING {
            return true;
        }
        let most = self.by_address.iter().max_by_key(|(_, handles)| handles.len());
        let Some((begun, oldest)) = most.and_then(|(_, handles)| handles.front().cloned()) else { return true };
        if begun.elapsed() < HONEST_HANDSHAKE {
            return false;
        }
        let address = self.address_of.get(&oldest.id()).copied();
        tracing::warn!(listener, ?address, "too many connections without a handshake; the oldest of this address was dropped");
        oldest.abort();
        self.ended(oldest.id());
        true
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pki::Authority;
    use crate::tls::{Clients, server_config};
    use groundswell_core::time::Time;
    use rustix::process::{Resource, getrlimit, setrlimit};
    use rustls::RootCertStore;
    use std::time::SystemTime;

    /// Idle connections of one address fill every place; the next client of that address is served all the same.
    #[tokio::test]
    async fn idle_connections_keep_nobody_out() {
        // Both ends of each connection lie in this process: more files than many a system allows before one asks.
        let mut limit = getrlimit(Resource::Nofile);
        limit.current = limit.maximum;
        setrlimit(Resource::Nofile, limit).unwrap();
        let folder = tempfile::tempdir().unwrap();
        let now = Time(SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap().as_millis() as u64);
        let authority = Authority::open_or_create(folder.path(), now).unwrap();
        let config = server_config(&authority, &["localhost".into()], Clients::Anonymous, &[b"h2"], now).unwrap();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let mut connections = spawn(listener, config, "test");
        let mut idle = Vec::new();
        for _ in 0..MAX_PENDING {
            idle.push(TcpStream::connect(address).await.unwrap());
        }
        let mut roots = RootCertStore::empty();
        roots.add(authority.root_der().clone()).unwrap();
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let client = rustls::ClientConfig::builder_with_provider(provider).with_protocol_versions(&[&rustls::version::TLS13]).unwrap();
        let connector = tokio_rustls::TlsConnector::from(Arc::new(client.with_root_certificates(roots).with_no_client_auth()));
        let socket = TcpStream::connect(address).await.unwrap();
        let greeting = connector.connect("localhost".try_into().unwrap(), socket);
        let served = async { tokio::join!(greeting, connections.recv()) };
        let (greeted, taken) = tokio::time::timeout(HANDSHAKE_DEADLINE / 2, served).await.expect("kept out by idle connections");
        assert!(greeted.is_ok() && taken.is_some_and(|connection| connection.peer.is_none()));
    }
}
