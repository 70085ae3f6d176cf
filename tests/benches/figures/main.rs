//! The figures of DESIGN 16, each with its limit, a physical limit or a peer beside it: `cargo xtask bench [NAME]`.

mod cpu;
mod fleet;
mod handshake;
mod pki;
mod planner;
mod print;
mod store;

use anyhow::Result;

type Bench = (&'static str, fn() -> Result<()>);

const BENCHES: &[Bench] = &[("planner", planner::run), ("store", store::run), ("handshake", handshake::run)];

fn main() -> Result<()> {
    for (name, run) in BENCHES {
        if print::is_wanted(name) {
            run()?;
        }
    }
    Ok(())
}
