//! Charts from real HTTP servers on loopback.
#![expect(clippy::unwrap_used, reason = "what fails here fails the test; clippy knows only functions with #[test]")]

mod cache;
mod credentials;
mod hostile;
mod index;
mod retry;
mod site;
mod tags;
mod tls;
mod token;
