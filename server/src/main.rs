//! The Groundswell coordinator.

use clap::Parser as _;
use groundswell_server::args::{Args, Command};
use groundswell_server::{app, config::Config, maintenance};
use std::process::ExitCode;

/// Wrong configuration: EX_USAGE of sysexits.h, told apart from a failure while running.
const BAD_CONFIG: u8 = 64;

fn main() -> ExitCode {
    let args = Args::parse();
    let config = match Config::load(&args.settings) {
        Ok(config) => config,
        Err(error) => return app::complain(&error, BAD_CONFIG),
    };
    match args.command.unwrap_or(Command::Run) {
        Command::CheckConfig => app::describe(&config),
        Command::Admin(admin) => maintenance::run(&config, &admin),
        Command::Run => app::run(config),
    }
}
