//! What Groundswell decides, as pure functions of facts and a clock that is an argument.
//!
//! Nothing here does I/O, waits, logs or draws random numbers. The server, the agent and the simulator run the same code:
//! a shell gathers facts, calls [`planner::plan`] or [`agent::next`], and carries out what comes back.

pub mod agent;
pub mod apis;
pub mod assignment;
pub mod health;
pub mod id;
pub mod invariant;
pub mod limit;
pub mod planner;
pub mod report;
pub mod rollout;
pub mod selector;
pub mod strategy;
pub mod time;
