//! The operator's command.

mod args;
mod client;
mod command;
mod config;
mod error;
mod exit;
mod follow;
mod output;
mod render;
#[cfg(test)]
mod testing;

use clap::Parser;
use std::process::ExitCode;

fn main() -> ExitCode {
    let args = args::Args::parse();
    args.color.write_global();
    let mut out = output::Output::terminal();
    let done = command::run(args, &mut out);
    error::finish(done, &mut out).into()
}
