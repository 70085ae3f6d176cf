//! The agent of one cluster: it dials out to the coordinator, applies what it is assigned with Helm, and says what came of it.

mod app;
mod args;
mod board;
mod cluster;
mod config;
mod convert;
mod enrol;
mod fetch;
mod keeper;
mod link;
mod log;
mod retry;
mod task;
mod tls;
mod token;

use std::process::ExitCode;

fn main() -> ExitCode {
    let mut words = std::env::args_os().skip(1);
    if words.next().is_some_and(|word| word == "exec-stub") {
        // Before any thread: the stub's guard against its parent's death belongs to the thread that asks for it.
        let code = groundswell_helm::stub::run(&["exec-stub".into()], words);
        return ExitCode::from(u8::try_from(code).unwrap_or(u8::MAX));
    }
    app::main()
}
