//! What changes between two chart versions, and the way from one version to another.
//!
//! Pure: no I/O, no clock, no randomness. `groundswell-helm` renders and reads archives; what they mean is decided here,
//! so that the command, the server and the agent give the same answer.

pub mod compare;
pub mod constraint;
pub mod crd;
pub mod input;
pub mod overrides;
pub mod path;
mod section;
mod summarise;
pub mod summary;
mod table;
mod verdict;
pub mod yaml;

pub use summarise::summarise;
