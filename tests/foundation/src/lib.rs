//! Real Kubernetes control planes for tests, without a container engine.
//!
//! One etcd serves every cluster under a prefix of its own. Each cluster is an API server, a controller manager, a scheduler
//! and kwok, which plays the nodes by stages of ours: a pod's annotation `beacon.groundswell.dev/fate` (`never-ready`, `slow`,
//! `crash`, `fail`) decides what becomes of it. Everything listens on loopback and dies with the process that started it.
//! Linux only: signals and leftovers are followed through `/proc`.

mod api;
mod audit;
mod binaries;
mod builder;
mod cluster;
mod foundation;
mod guard;
mod identity;
mod nodes;
mod ports;
mod process;
mod reap;
mod registry;
pub mod stand;
mod tools;

pub use api::Api;
pub use audit::AuditEvent;
pub use binaries::Binaries;
pub use cluster::Cluster;
pub use foundation::{ClusterConfig, Foundation, FoundationConfig};
pub use reap::reap;
pub use registry::Registry;
