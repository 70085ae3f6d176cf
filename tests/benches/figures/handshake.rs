//! Full TLS 1.3 handshakes with certificates on both sides, per second and core: the settings of the session listener, both ends in
//! this process and in memory, so that nothing but the handshake is measured. `sessions` measures the same on the running server.

use crate::cpu;
use crate::pki;
use crate::print::{count, figure, say, span};
use anyhow::{Result, bail};
use rustls::{ClientConnection, ServerConnection};
use rustls_pki_types::ServerName;
use std::sync::Arc;
use std::time::{Duration, Instant};

const FOR: Duration = Duration::from_secs(3);
/// Flights of a TLS 1.3 handshake with client certificate, with room to spare; more is a handshake that never ends.
const MAX_FLIGHTS: usize = 10;

pub(crate) fn run() -> Result<()> {
    say("handshake: TLS 1.3, P-256, client certificate asked and verified, no resumption")?;
    let ends = pki::ends()?;
    // Warm: the first handshake builds tables.
    handshake(&ends)?;
    let begun = Instant::now();
    let (mut server, mut client, mut handshakes) = (Duration::ZERO, Duration::ZERO, 0_u32);
    while begun.elapsed() < FOR {
        let (at_server, at_client) = handshake(&ends)?;
        server += at_server;
        client += at_client;
        handshakes += 1;
    }
    let rate = |cpu: Duration| format!("{}/s", count(f64::from(handshakes) / cpu.as_secs_f64()));
    figure("on a core of the server", &rate(server), "DESIGN 16: 1,500 a second and core")?;
    figure("  CPU of one at the server", &span(server / handshakes), "")?;
    figure("on a core of the client", &rate(client), "")?;
    figure("with both ends on one core", &rate(server + client), "")
}

/// CPU time at the server and at the client.
fn handshake(ends: &pki::Ends) -> Result<(Duration, Duration)> {
    let (mut at_server, mut at_client) = (Duration::ZERO, Duration::ZERO);
    let mut server = timed(&mut at_server, || ServerConnection::new(Arc::clone(&ends.server)))?;
    let name = ServerName::try_from("localhost")?;
    let mut client = timed(&mut at_client, || ClientConnection::new(Arc::clone(&ends.client), name))?;
    let mut wire = Vec::with_capacity(8 * 1024);
    for _ in 0..MAX_FLIGHTS {
        timed(&mut at_client, || flush(&mut client, &mut wire))?;
        timed(&mut at_server, || take(&mut server, &mut wire))?;
        timed(&mut at_server, || flush(&mut server, &mut wire))?;
        timed(&mut at_client, || take(&mut client, &mut wire))?;
        if !server.is_handshaking() && !client.is_handshaking() && wire.is_empty() {
            return Ok((at_server, at_client));
        }
    }
    bail!("the handshake did not end within {MAX_FLIGHTS} flights")
}

fn timed<T>(sum: &mut Duration, work: impl FnOnce() -> T) -> T {
    let begun = cpu::of_thread();
    let done = work();
    *sum += cpu::of_thread().saturating_sub(begun);
    done
}

fn flush<D>(from: &mut rustls::ConnectionCommon<D>, wire: &mut Vec<u8>) -> Result<()> {
    while from.wants_write() {
        from.write_tls(wire)?;
    }
    Ok(())
}

fn take<D>(to: &mut rustls::ConnectionCommon<D>, wire: &mut Vec<u8>) -> Result<()> {
    let mut rest = wire.as_slice();
    while !rest.is_empty() {
        to.read_tls(&mut rest)?;
        to.process_new_packets()?;
    }
    wire.clear();
    Ok(())
}
