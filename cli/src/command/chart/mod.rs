//! `chart`.

mod cluster;
pub(crate) mod detail;
mod diff;
pub(crate) mod fetch;
pub(crate) mod given;
pub(crate) mod images;
pub(crate) mod inside;
pub(crate) mod progress;
mod pull;
pub(crate) mod refusal;
mod show;
pub(crate) mod source;
pub(crate) mod stop;
mod untar;

#[cfg(test)]
mod tests;

use super::connect;
use super::documents;
use super::get::show as show_answer;
use crate::config::Flags;
use crate::error::Result;
use crate::exit::Exit;
use crate::output::{Format, Output};
use crate::render::lists;
use clap::Subcommand;
use groundswell_api::dto::{ChartDto, List, Object};
use std::path::PathBuf;

#[derive(Debug, Subcommand)]
pub(crate) enum ChartCommand {
    /// What changes between two versions of a chart, with your values, for your cluster
    Diff(Box<diff::DiffArgs>),
    /// Fetch a chart from a repository or registry
    Pull(Box<pull::PullArgs>),
    /// One chart: what it holds
    Show(Box<show::ShowArgs>),
    /// Pack a chart folder (or take a .tgz), check it, and store it by its digest
    #[command(
        after_help = "Examples:\n  groundswell chart push ./charts/beacon\n  groundswell chart push prometheus-80.14.4.tgz -o json\n\nA .tgz keeps its digest. A folder is packed anew: the same folder gives the same digest everywhere, but not that of the .tgz that it\nwas unpacked from. Pushing the same again changes nothing. What helm could install nowhere (a library chart, values.yaml that it cannot\nload) is refused."
    )]
    Push {
        /// Chart folder or archive
        path: PathBuf,
        /// Output
        #[arg(short, long, value_enum, default_value_t)]
        output: Format,
    },
    /// Charts that the server holds
    #[command(visible_alias = "ls", after_help = "Example:\n  groundswell chart list -o wide")]
    List {
        /// Output
        #[arg(short, long, value_enum, default_value_t)]
        output: Format,
    },
}

/// A server is needed only where a chart or a cluster of it is meant.
pub(crate) async fn run(command: &ChartCommand, flags: &Flags, out: &mut Output) -> Result<Exit> {
    match command {
        ChartCommand::Diff(args) => diff::run(args, flags, out).await,
        ChartCommand::Pull(args) => pull::run(args, out).await,
        ChartCommand::Show(args) => show::run(args, flags, out).await,
        ChartCommand::Push { path, output } => {
            let client = connect(flags)?;
            let bytes = documents::archive(path.clone()).await?;
            let answer = client.put_bytes::<Object<ChartDto>>("/v1/charts", bytes).await?;
            show_answer(&answer, *output, out, |body| lists::charts(std::slice::from_ref(&body.body), *output))
        }
        ChartCommand::List { output } => {
            let answer = connect(flags)?.get::<List<ChartDto>>("/v1/charts", &[]).await?;
            show_answer(&answer, *output, out, |body| lists::charts(&body.items, *output))
        }
    }
}
