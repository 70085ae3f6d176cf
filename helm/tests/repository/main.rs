//! Charts from real HTTP servers on loopback.

mod cache;
mod credentials;
mod hostile;
mod index;
mod retry;
mod site;
mod tls;
mod token;
