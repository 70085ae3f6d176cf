//! What is known about Kubernetes without asking a cluster: tables, each with where it is from.

pub(crate) mod apis;
pub(crate) mod defaults;
pub(crate) mod immutable;
pub(crate) mod pods;
pub(crate) mod scopes;
