//! All that Groundswell knows about Helm: chart archives, values, and the helm binary itself.
//!
//! Charts are untrusted input ([`archive`], [`schema`]); values stay text ([`values`]); helm is the real binary, run as
//! a child that cannot outlive its agent's Lease ([`runner`], [`stub`]); what it leaves in the cluster is read from its
//! own records ([`history`], [`record`]).

pub mod archive;
pub mod capability;
pub mod history;
pub mod installable;
pub mod pack;
pub mod preview;
pub mod record;
#[cfg(feature = "repository")]
pub mod repository;
pub mod runner;
pub mod schema;
#[cfg(target_os = "linux")]
pub mod stub;
pub mod values;

#[cfg(test)]
pub(crate) mod testing;
