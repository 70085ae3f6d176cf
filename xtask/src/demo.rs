//! `cargo xtask demo`: the main job on real parts, in front of the reader. It exits 0 only if what it shows is so.

mod scene;

use crate::shell::{cargo, run as execute, say};
use anyhow::{Context as _, Result};
use groundswell_foundation::Binaries;
use groundswell_foundation::stand::{Programs, Stand, StandConfig};
use std::path::PathBuf;
use std::time::Instant;

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Leave everything running afterwards, and print the commands to go on with
    #[arg(long)]
    keep: bool,
    /// Where everything lies [default: a temporary folder, or target/demo with --keep]
    #[arg(long)]
    dir: Option<PathBuf>,
}

/// Three clusters in two foundations; the first is the canary.
const CLUSTERS: &[(&str, &str)] =
    &[("east-01", "foundation=east,canary=true"), ("east-02", "foundation=east"), ("west-01", "foundation=west,role=federation")];

/// Locates or builds the control planes' programs, with progress.
pub(crate) fn tools() -> Result<Binaries> {
    Binaries::locate_or_build(&mut |line| say(&format!("   {line}")))
}

pub(crate) fn run(args: &Args) -> Result<()> {
    let begun = Instant::now();
    say("== 1. programs: the coordinator, the agent, the command");
    execute(&mut cargo(&["build", "--locked", "-p", "groundswell-server", "-p", "groundswell-agent", "-p", "groundswell"]))?;
    say("== 2. tools: etcd, the Kubernetes control plane, kwok and helm (built once, from pinned Go modules)");
    let binaries = tools()?;
    let warm = Instant::now();
    say("== 3. three real control planes in two foundations, and the coordinator");
    let keep = args.dir.clone().or_else(|| args.keep.then(|| crate::shell::root().join("target/demo")));
    let config = StandConfig { dir: keep, keep: args.keep, ..StandConfig::of(CLUSTERS) };
    let mut stand = Stand::start(config, binaries, Programs::locate()?)?;
    say(&format!("   up after {:.0} s; data in {}", warm.elapsed().as_secs_f64(), stand.dir().display()));
    scene::play(&mut stand).with_context(|| format!("the last lines of the server's log:\n{}", stand.server_log(15)))?;
    say(&format!(
        "== all of it is so. {:.0} s in all, {:.0} s of them with everything built",
        begun.elapsed().as_secs_f64(),
        warm.elapsed().as_secs_f64()
    ));
    if args.keep {
        go_on(stand);
    }
    Ok(())
}

fn go_on(stand: Stand) {
    say("\nEverything is still running. To go on:\n");
    for (key, value) in stand.cli_env() {
        say(&format!("  export {key}={value}"));
    }
    let programs = Programs::locate().map(|programs| programs.cli.display().to_string()).unwrap_or_else(|_| "groundswell".into());
    say(&format!("  alias groundswell={programs}"));
    say("  groundswell get rollouts; groundswell cluster list; groundswell rollout show beacon-1");
    let dir = stand.leave();
    say(&format!("\nTo end it: cargo run -p groundswell-foundation --bin foundation -- down --dir {}", dir.display()));
}
