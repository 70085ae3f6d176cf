//! Helpers of the tests across processes. A test plays on a [`Fleet`] (real control planes, server and agents) or on a
//! server [`Alone`]; whatever fails shows the ends of the logs.

mod alone;
pub mod archive;
pub mod audit;
mod chart;
mod document;
mod fleet;
pub mod helm;
mod rollouts;
pub mod wire;

pub use alone::{Alone, SmallDisk};
pub use chart::{Chart, digest};
pub use document::Release;
pub use fleet::{Fleet, NAMESPACE};
pub use groundswell_foundation::stand::{Ran, eventually};
pub use rollouts::{Operator, is_ended};
