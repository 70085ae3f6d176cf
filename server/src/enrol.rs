//! The enrolment listener: a join token and a CSR for a certificate.

use crate::acceptor::ConnectionInfo;
use crate::coordinator::{Coordinator, CoordinatorError, RedeemError};
use crate::pki::{Authority, PkiError, request_key_hash};
use groundswell_core::time::Time;
use groundswell_proto::v1::enrolment_service_server::EnrolmentService;
use groundswell_proto::v1::{EnrolRequest, EnrolResponse};
use std::collections::{BTreeMap, HashMap};
use std::net::IpAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};
use tonic::{Request, Response, Status};

/// Guessing a 256-bit secret is hopeless at any speed; this keeps a broken agent from costing more than it should.
const ATTEMPTS: u32 = 20;
/// The window of [`ATTEMPTS`], for each address.
const WINDOW: Duration = Duration::from_secs(10);
/// Addresses remembered at once; past it the oldest windows are forgotten.
const MAX_ADDRESSES: usize = 10_000;
/// A label's key and value have at most 317 and 63 characters; nobody needs more of them than this.
const MAX_LABELS: usize = 64;

/// Enrols clusters.
pub struct Enrolment {
    coordinator: Arc<Coordinator>,
    authority: Arc<Authority>,
    sessions_url: String,
    attempts: Mutex<HashMap<IpAddr, (Instant, u32)>>,
    now: fn() -> Time,
}

impl Enrolment {
    /// Serves enrolment; agents are told to hold their sessions at `sessions_url`.
    pub fn new(coordinator: Arc<Coordinator>, authority: Arc<Authority>, sessions_url: String, now: fn() -> Time) -> Self {
        Self { coordinator, authority, sessions_url, attempts: Mutex::default(), now }
    }

    fn is_too_often(&self, address: IpAddr) -> bool {
        let mut attempts = self.attempts.lock().unwrap_or_else(PoisonError::into_inner);
        let now = Instant::now();
        if attempts.len() >= MAX_ADDRESSES {
            attempts.retain(|_, (begun, _)| now.duration_since(*begun) < WINDOW);
        }
        let (begun, count) = attempts.entry(address).or_insert((now, 0));
        if now.duration_since(*begun) >= WINDOW {
            (*begun, *count) = (now, 0);
        }
        *count += 1;
        *count > ATTEMPTS
    }
}

#[tonic::async_trait]
impl EnrolmentService for Enrolment {
    async fn enrol(&self, request: Request<EnrolRequest>) -> Result<Response<EnrolResponse>, Status> {
        let address = request.extensions().get::<ConnectionInfo>().map(|info| info.address);
        if address.is_some_and(|address| self.is_too_often(address.ip())) {
            return Err(Status::resource_exhausted("too many enrolments from this address; try again in 10 seconds"));
        }
        let request = request.into_inner();
        if request.labels.len() > MAX_LABELS {
            return Err(Status::invalid_argument(format!("{} labels, at most {MAX_LABELS}", request.labels.len())));
        }
        let key_hash = request_key_hash(&request.csr_der).map_err(refused)?;
        let wanted = Some(request.cluster_name.as_str()).filter(|name| !name.is_empty());
        let labels: BTreeMap<String, String> = request.labels.into_iter().collect();
        let cluster = self.coordinator.redeem(&request.token, wanted, &key_hash, labels).await.map_err(not_redeemed)?;
        let certificate = self.authority.cluster_certificate(&cluster, &request.csr_der, (self.now)()).map_err(refused)?;
        self.coordinator.certified(&cluster, &key_hash, certificate.not_after).await.map_err(internal)?;
        tracing::info!(%cluster, address = ?address, "enrolled");
        Ok(Response::new(EnrolResponse {
            cluster_name: cluster.to_string(),
            certificate_chain_pem: certificate.chain_pem,
            root_pem: self.authority.root_pem().to_owned(),
            session_url: self.sessions_url.clone(),
        }))
    }
}

pub(crate) fn refused(error: PkiError) -> Status {
    match error {
        PkiError::BadRequest(_) | PkiError::NoCluster(_) => Status::invalid_argument(error.to_string()),
        error => {
            tracing::error!(error = %crate::app::chain(&error), "certificate");
            Status::internal("the certificate could not be made; the server's log says why")
        }
    }
}

fn not_redeemed(error: RedeemError) -> Status {
    match error {
        RedeemError::Failed(error) => internal(error),
        error => Status::permission_denied(error.to_string()),
    }
}

pub(crate) fn internal(error: CoordinatorError) -> Status {
    tracing::error!(error = %crate::app::chain(&error), "request of an agent");
    Status::unavailable("the server could not do it now; its log says why")
}
