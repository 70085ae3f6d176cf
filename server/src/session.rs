//! The session listener: assignments one way, reports the other (DESIGN 7). The cluster is the one in the certificate.

mod convert;
mod fetch;
mod stream;

use crate::acceptor::ConnectionInfo;
use crate::coordinator::Coordinator;
use crate::enrol::{internal, refused};
use crate::pki::{Authority, Peer, request_key_hash};
use futures::stream::BoxStream;
use groundswell_core::time::{Span, Time};
use groundswell_proto::v1::session_service_server::SessionService;
use groundswell_proto::v1::{AgentMessage, FetchChunk, FetchRequest, RenewRequest, RenewResponse, ServerMessage};
use std::sync::Arc;
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;
use tonic::{Request, Response, Status, Streaming};

/// Charts being sent at once: 64 KiB each in flight is 2 MiB, and a wave that opens does not starve the sessions.
const FETCHES_AT_ONCE: usize = 32;

/// Serves sessions.
#[derive(Clone)]
pub struct Sessions {
    coordinator: Arc<Coordinator>,
    authority: Arc<Authority>,
    fetches: Arc<Semaphore>,
    drain: CancellationToken,
    now: fn() -> Time,
}

impl Sessions {
    /// Serves sessions until `drain`; then every agent is asked to move.
    pub fn new(coordinator: Arc<Coordinator>, authority: Arc<Authority>, drain: CancellationToken, now: fn() -> Time) -> Self {
        Self { coordinator, authority, fetches: Arc::new(Semaphore::new(FETCHES_AT_ONCE)), drain, now }
    }

    /// Who asks, if it may: the certificate is of our root (rustls saw to that), has not ended, and is not revoked.
    fn admit<T>(&self, request: &Request<T>) -> Result<Peer, Status> {
        let peer = request.extensions().get::<ConnectionInfo>().and_then(|info| info.peer.clone());
        let peer = peer.ok_or_else(|| Status::unauthenticated("no client certificate"))?;
        self.admit_peer(&peer)?;
        Ok(peer)
    }

    fn admit_peer(&self, peer: &Peer) -> Result<(), Status> {
        if peer.not_after <= (self.now)() {
            return Err(Status::unauthenticated("the client certificate has ended; enrol again"));
        }
        self.coordinator.admit(&peer.cluster, &peer.key_hash).map_err(|error| Status::permission_denied(error.to_string()))
    }
}

#[tonic::async_trait]
impl SessionService for Sessions {
    type AttachStream = BoxStream<'static, Result<ServerMessage, Status>>;
    type FetchStream = BoxStream<'static, Result<FetchChunk, Status>>;

    async fn attach(&self, request: Request<Streaming<AgentMessage>>) -> Result<Response<Self::AttachStream>, Status> {
        let peer = self.admit(&request)?;
        Ok(Response::new(stream::open(self.clone(), peer, request.into_inner())))
    }

    async fn fetch(&self, request: Request<FetchRequest>) -> Result<Response<Self::FetchStream>, Status> {
        let peer = self.admit(&request)?;
        fetch::open(self, &peer.cluster, request.into_inner().digest).await.map(Response::new)
    }

    async fn renew(&self, request: Request<RenewRequest>) -> Result<Response<RenewResponse>, Status> {
        let peer = self.admit(&request)?;
        let csr = request.into_inner().csr_der;
        let key_hash = request_key_hash(&csr).map_err(refused)?;
        let certificate = self.authority.cluster_certificate(&peer.cluster, &csr, (self.now)()).map_err(refused)?;
        // The old key stays good until the new one is first used: a lost answer locks nobody out.
        self.coordinator.certified(&peer.cluster, &key_hash, certificate.not_after).await.map_err(internal)?;
        tracing::info!(cluster = %peer.cluster, "certificate renewed");
        Ok(Response::new(RenewResponse { certificate_chain_pem: certificate.chain_pem, root_pem: self.authority.root_pem().to_owned() }))
    }
}

/// Agents that lost their session come back over so long: a thousand a second, at least two seconds.
pub(crate) fn reconnect_spread(sessions: usize) -> Span {
    Span::seconds((sessions as u64 / 1_000).max(2))
}
