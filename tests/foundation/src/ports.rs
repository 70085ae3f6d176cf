//! Free loopback ports.

use std::net::{Ipv4Addr, TcpListener};
use std::sync::atomic::{AtomicU16, Ordering};

use anyhow::{Result, bail};

/// Below Linux's ephemeral range (32768 up), so that no outgoing connection takes the port while its server restarts.
const FIRST: u16 = 20_000;
const COUNT: u16 = 12_000;

/// Two processes that start together must not try the same ports in the same order: 97 ports apart for each process id.
const STRIDE: u32 = 97;

/// Each call goes on from where the last one stopped: a port once lost to another process is not tried again at once.
static NEXT: AtomicU16 = AtomicU16::new(0);

/// A port that was free a moment ago. Another process may still take it first: who binds must be ready to ask again.
///
/// # Errors
/// When every port of the range is taken.
pub(crate) fn free() -> Result<u16> {
    let start = std::process::id().wrapping_mul(STRIDE) % u32::from(COUNT);
    for _ in 0..COUNT {
        let step = u32::from(NEXT.fetch_add(1, Ordering::Relaxed));
        let offset = u16::try_from((start + step) % u32::from(COUNT))?;
        let port = FIRST + offset;
        if TcpListener::bind((Ipv4Addr::LOCALHOST, port)).is_ok() {
            return Ok(port);
        }
    }
    bail!("no free loopback port between {FIRST} and {}", FIRST + COUNT)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_taken_port_is_passed_over() {
        let first = free().unwrap();
        let held: Vec<TcpListener> =
            (first + 1..first + 4).filter_map(|port| TcpListener::bind((Ipv4Addr::LOCALHOST, port)).ok()).collect();
        let next = free().unwrap();
        assert!(next != first && held.iter().all(|held| held.local_addr().unwrap().port() != next), "{next} is taken");
        assert!((FIRST..FIRST + COUNT).contains(&next));
    }
}
