//! The figures of DESIGN 16, each with its limit, a physical limit or a peer beside it: `cargo xtask bench [NAME]`.

mod agents;
mod cpu;
mod diff;
mod fleet;
mod handshake;
mod pki;
mod planner;
mod print;
mod server;
mod sessions;
mod store;
mod wire;

use anyhow::{Context as _, Result};

type Bench = (&'static str, fn() -> Result<()>);

const BENCHES: &[Bench] =
    &[("planner", planner::run), ("store", store::run), ("handshake", handshake::run), ("sessions", sessions::run), ("diff", diff::run)];

/// The first argument of the process that plays the agents: this program, started by itself.
const AGENTS: &str = "play-agents";

fn main() -> Result<()> {
    let mut args = std::env::args().skip(1);
    if args.next().as_deref() == Some(AGENTS) {
        return agents::run(&args.next().context("no orders")?);
    }
    for (name, run) in BENCHES {
        if print::is_wanted(name) {
            run()?;
        }
    }
    Ok(())
}
