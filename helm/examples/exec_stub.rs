//! The exec stub alone, as the agent's `exec-stub` has it. The tests of this crate start it.

fn main() -> std::process::ExitCode {
    let code = groundswell_helm::stub::run(&[], std::env::args_os().skip(1));
    std::process::ExitCode::from(u8::try_from(code).unwrap_or(groundswell_helm::stub::EXIT_STUB as u8))
}
