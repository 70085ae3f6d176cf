//! `cargo xtask test`: all that CI runs, in the order in which it fails fastest.

use crate::shell::{cargo, run as execute, say};
use crate::tidy;
use anyhow::{Context as _, Result};
use std::time::Instant;

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Leave out the tests on real control planes (they need Go once, and minutes)
    #[arg(long)]
    fast: bool,
}

pub(crate) fn run_step(name: &str, step: impl FnOnce() -> Result<()>) -> Result<()> {
    say(&format!("== {name}"));
    let begun = Instant::now();
    step().with_context(|| format!("step {name:?}"))?;
    say(&format!("== {name}: ok after {:.0} s", begun.elapsed().as_secs_f64()));
    Ok(())
}

/// Runs every step; the first that fails ends it.
pub(crate) fn run_all(args: &Args) -> Result<()> {
    run_step("format", || execute(&mut cargo(&["fmt", "--all", "--check"])))?;
    run_step("tidy", tidy::run)?;
    run_step("clippy", || execute(&mut cargo(&["clippy", "--workspace", "--all-targets", "--locked", "--quiet", "--", "-D", "warnings"])))?;
    run_step("docs", || {
        let mut doc = cargo(&["doc", "--workspace", "--no-deps", "--locked", "--quiet"]);
        execute(doc.env("RUSTDOCFLAGS", "-D warnings"))
    })?;
    run_step("tools", || crate::demo::tools().map(|_| ()))?;
    run_step("programs", || {
        execute(&mut cargo(&["build", "--locked", "--quiet", "-p", "groundswell-server", "-p", "groundswell-agent", "-p", "groundswell"]))
    })?;
    run_step("unit and property tests", || {
        execute(&mut cargo(&[
            "test",
            "--workspace",
            "--locked",
            "--quiet",
            "--exclude",
            "groundswell-tests",
            "--exclude",
            "groundswell-foundation",
        ]))
    })?;
    if args.fast {
        return Ok(());
    }
    // One test at a time: each starts control planes of 450 MB, and deadlines are for two cores.
    run_step("tests on real clusters", || {
        execute(&mut cargo(&[
            "test",
            "--locked",
            "-p",
            "groundswell-foundation",
            "-p",
            "groundswell-tests",
            "--no-fail-fast",
            "--",
            "--test-threads=1",
        ]))
    })
}

pub(crate) fn run(args: &Args) -> Result<()> {
    let begun = Instant::now();
    run_all(args)?;
    say(&format!("== everything passed after {:.0} s", begun.elapsed().as_secs_f64()));
    Ok(())
}
