//! The developer's verbs: `cargo xtask demo`, `test`, `tidy`, `bench`.

mod bench;
mod check;
mod demo;
mod shell;
mod tidy;

use clap::{Parser, Subcommand};
use std::process::ExitCode;

#[derive(Debug, Parser)]
#[command(name = "cargo xtask", about = "The developer's verbs")]
struct Args {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, Subcommand)]
enum Verb {
    /// Show the main job on three real control planes: install, upgrade canary first, a bad version taken back
    Demo(demo::Args),
    /// Everything that CI runs: format, clippy, tidy, docs, unit and property tests, tests on real clusters
    Test(check::Args),
    /// Check the edges between crates, bans and file sizes
    Tidy,
    /// Print the figures of DESIGN 16, each beside its limit
    Bench(bench::Args),
}

fn main() -> ExitCode {
    let result = match Args::parse().verb {
        Verb::Demo(args) => demo::run(&args),
        Verb::Test(args) => check::run(&args),
        Verb::Tidy => tidy::run(),
        Verb::Bench(args) => bench::run(&args),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            shell::say(&format!("\nfailed: {error:#}"));
            ExitCode::FAILURE
        }
    }
}
