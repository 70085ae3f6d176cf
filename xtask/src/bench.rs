//! `cargo xtask bench`: the figures of DESIGN 16, each beside its limit.

use crate::shell::{cargo, run as execute};
use anyhow::Result;

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Only the benches whose names contain this
    only: Option<String>,
}

pub(crate) fn run(args: &Args) -> Result<()> {
    // Figures of a debug build mean nothing.
    execute(&mut cargo(&["build", "--release", "--locked", "-p", "groundswell-server", "-p", "groundswell"]))?;
    let mut command = cargo(&["bench", "--locked", "-p", "groundswell-tests"]);
    if let Some(only) = &args.only {
        command.args(["--", only]);
    }
    execute(&mut command)
}
