//! One file for each command.

pub(crate) mod apply;
pub(crate) mod chart;
pub(crate) mod check;
pub(crate) mod cluster;
pub(crate) mod completion;
pub(crate) mod delete;
pub(crate) mod documents;
pub(crate) mod get;
pub(crate) mod path;
pub(crate) mod rollout;
pub(crate) mod system;
pub(crate) mod token;
pub(crate) mod values;

use crate::args::{Args, Command};
use crate::client::Client;
use crate::config;
use crate::error::{Failure, Result};
use crate::exit::Exit;
use crate::output::Output;
use clap::CommandFactory;
use std::future::Future;
use std::time::Duration;
use tokio::runtime::Runtime;

/// The environment of this process.
pub(crate) fn environment(name: &str) -> Option<String> {
    std::env::var(name).ok()
}

/// Does what the command line asks.
pub(crate) fn run(args: Args, out: &mut Output) -> Result<Exit> {
    // What needs no server.
    match &args.command {
        Command::Schema(schema) => return system::schema(schema, out),
        Command::Completion(completion) => return completion::run(completion, &mut Args::command(), out),
        _ => {}
    }
    // One thread is enough for one conversation; the packing of charts has threads of its own.
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|error| Failure::error("cannot start the runtime", error, ""))?;
    ended(runtime, connected(args, out))
}

/// Longest wait for work that nobody wants any more: a file is written in less, and what a hostile chart asks for may take hours.
const LINGER: Duration = Duration::from_secs(1);

/// Does the work, and waits no longer than that for what it left behind: a runtime that is dropped waits without end.
fn ended<T>(runtime: Runtime, work: impl Future<Output = T>) -> T {
    let done = runtime.block_on(work);
    runtime.shutdown_timeout(LINGER);
    done
}

async fn connected(args: Args, out: &mut Output) -> Result<Exit> {
    let flags = args.flags();
    match args.command {
        Command::Version(version) => system::version(&version, connect(&flags), out).await,
        Command::Check(check) => check::run(&check, &flags, out).await,
        Command::Apply(apply) => apply::apply(&apply, &connect(&flags)?, out).await,
        Command::Plan(plan) => apply::plan(&plan, &connect(&flags)?, out).await,
        Command::Get(get) => get::run(&get.what, &connect(&flags)?, out).await,
        Command::Rollout(rollout) => rollout::run(&rollout, &connect(&flags)?, out).await,
        Command::Cluster(cluster) => cluster::run(&cluster, &connect(&flags)?, out).await,
        Command::Token(token) => token::run(&token, &connect(&flags)?, out).await,
        Command::Chart(chart) => chart::run(&chart, &flags, out).await,
        Command::Values(values) => values::show(&values, &connect(&flags)?, out).await,
        Command::Set(set) => values::set(&set, &connect(&flags)?, out).await,
        Command::Delete(delete) => delete::run(&delete, &connect(&flags)?, out).await,
        Command::Audit(audit) => system::audit(&audit, &connect(&flags)?, out).await,
        Command::Path(path) => path::run(&path, out).await,
        Command::Schema(_) | Command::Completion(_) => Ok(Exit::Ok),
    }
}

/// Finds the configuration and makes a client of it. Nothing is sent yet.
pub(crate) fn connect(flags: &config::Flags) -> Result<Client> {
    let file = config::read_file(environment)?;
    Client::new(&config::resolve(flags, environment, &file)?)
}

/// A length of time on the command line: `90s`, `10m`, `1h30m`.
pub(crate) fn duration(text: &str) -> std::result::Result<Duration, String> {
    let hint = |why: String| format!("{why}; write 90s, 10m or 1h30m");
    groundswell_api::document::parse_span(text).map(|span| Duration::from_millis(span.0)).map_err(hint)
}

/// `key=value` on the command line.
pub(crate) fn pair(text: &str) -> std::result::Result<(String, String), String> {
    match text.split_once('=') {
        Some((key, value)) if !key.is_empty() => Ok((key.to_owned(), value.to_owned())),
        _ => Err("write KEY=VALUE".to_owned()),
    }
}

/// Asks a person, where there is one; elsewhere `--yes` must have been said.
pub(crate) fn confirm(out: &mut Output, question: &str, yes: bool) -> Result<()> {
    if yes {
        return Ok(());
    }
    if !out.asks {
        return Err(Failure::usage(format!("{question}: nobody is there to be asked"), "add --yes"));
    }
    out.err(&format!("{question}? Type yes: "))?;
    let mut answer = String::new();
    std::io::stdin().read_line(&mut answer)?;
    if answer.trim() == "yes" { Ok(()) } else { Err(Failure::error("nothing was changed", "the answer was not yes", "")) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::mpsc;
    use std::time::Instant;

    #[test]
    fn what_blocks_does_not_hold_the_end() {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        let (held, release) = mpsc::sync_channel::<()>(1);
        let begun = Instant::now();
        let work = async {
            // It ends when `held` is dropped, below; with a runtime that waits for it, after half a minute.
            drop(tokio::task::spawn_blocking(move || release.recv_timeout(Duration::from_secs(30))));
            7
        };
        assert_eq!(ended(runtime, work), 7);
        assert!(begun.elapsed() < Duration::from_secs(20), "{:?}", begun.elapsed());
        drop(held);
    }
}
