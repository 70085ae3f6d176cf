//! The wire between our processes. Generated from `proto/groundswell/v1/*.proto`; no logic.

pub mod codec;

/// Package `groundswell.v1`: enrolment and agent session.
#[allow(
    missing_docs,
    unreachable_pub,
    clippy::all,
    clippy::allow_attributes_without_reason,
    reason = "generated; the .proto files hold the documentation"
)]
pub mod v1 {
    tonic::include_proto!("groundswell.v1");
}

/// The newest protocol that this build speaks.
pub const PROTOCOL_MAX: u32 = 1;
/// The oldest protocol that this build speaks.
pub const PROTOCOL_MIN: u32 = 1;

/// What peers that have it tell each other in `features`: API lists by digest.
pub const FEATURE_API_LIST: &str = "api-list";
