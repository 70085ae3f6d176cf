//! The coordinator of Groundswell: what should run where, who may say so, and the sessions of the agents.

pub mod acceptor;
pub mod admin;
pub mod app;
pub mod args;
pub mod config;
pub mod coordinator;
pub mod enrol;
pub mod maintenance;
pub mod metrics;
pub mod operator;
pub mod pki;
pub mod session;
pub mod task;
pub mod tls;
