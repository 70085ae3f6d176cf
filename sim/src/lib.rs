//! The simulated fleet: seeded worlds of hundreds of clusters in one thread, with virtual time. Never shipped.
//!
//! The coordinator and the agents of a [`world::World`] run the planner and the agent step of `groundswell-core`, in the
//! order of durable steps that server and agent have. Messages are lost, late and doubled; processes end before and after
//! every durable step; leaders are replaced. After every step the invariants GS-1 to GS-12 are checked against what really
//! happened ([`check`]). A troubled world is then healed and must come to rest ([`rest`]).

pub mod chaos;
pub mod check;
pub mod coordinator;
pub mod fleet;
pub mod helm;
pub mod mutation;
mod net;
pub mod person;
mod pod;
pub mod records;
pub mod rest;
pub mod rng;
pub mod script;
pub mod world;
