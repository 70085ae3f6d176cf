//! The coordinator of Groundswell: what should run where, who may say so, and the sessions of the agents.

mod acceptor;
pub mod admin;
pub mod app;
pub mod args;
pub mod config;
pub mod coordinator;
mod enrol;
pub mod maintenance;
pub mod metrics;
pub mod operator;
pub mod pki;
mod session;
pub mod task;
mod tls;
