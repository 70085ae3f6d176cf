//! `foundation build | up --clusters a,b --dir D [--nodes N] | down --dir D`: clusters for a developer's own use.

use std::io::Write;
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{Context, Result, bail};
use groundswell_foundation::{Binaries, ClusterConfig, Foundation, FoundationConfig, reap};

const USAGE: &str =
    "usage: foundation build\n       foundation up --clusters east-01,west-01 --dir DIR [--nodes 2]\n       foundation down --dir DIR";

fn main() -> ExitCode {
    let args: Vec<String> = std::env::args().skip(1).collect();
    match run(&args) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            let _ = writeln!(std::io::stderr(), "error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run(args: &[String]) -> Result<()> {
    match args.first().map(String::as_str) {
        Some("build") => tools().map(drop),
        Some("up") => up(args),
        Some("down") => down(args),
        _ => bail!("{USAGE}"),
    }
}

fn tools() -> Result<Binaries> {
    let mut progress = |words: &str| {
        let _ = writeln!(std::io::stderr(), "{words}");
    };
    let binaries = Binaries::locate_or_build(&mut progress)?;
    progress(&format!("helm: {}", binaries.helm.display()));
    Ok(binaries)
}

fn up(args: &[String]) -> Result<()> {
    let nodes = value(args, "--nodes").map_or(Ok(2), |count| count.parse().context("--nodes wants a number"))?;
    let names = value(args, "--clusters").context(USAGE)?;
    let clusters = names.split(',').map(|name| ClusterConfig { name: name.to_owned(), nodes }).collect();
    let dir = PathBuf::from(value(args, "--dir").context(USAGE)?);
    let foundation = Foundation::start(&FoundationConfig { clusters, dir: Some(dir), keep: true }, &tools()?)?;
    let mut out = std::io::stdout();
    for cluster in foundation.clusters() {
        writeln!(out, "export KUBECONFIG={}  # {}", cluster.admin_kubeconfig().display(), cluster.name())?;
    }
    writeln!(out, "# to end them: foundation down --dir {}", foundation.dir().display())?;
    Ok(())
}

fn down(args: &[String]) -> Result<()> {
    let dir = PathBuf::from(value(args, "--dir").context(USAGE)?);
    let ended = reap(&dir)?;
    writeln!(std::io::stdout(), "{ended} processes ended; {} may be removed", dir.display())?;
    Ok(())
}

fn value<'a>(args: &'a [String], name: &str) -> Option<&'a str> {
    let at = args.iter().position(|arg| arg == name)?;
    args.get(at + 1).map(String::as_str)
}
