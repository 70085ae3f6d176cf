//! `chart`.

use super::documents;
use super::get::show;
use crate::client::{Client, segment};
use crate::error::Result;
use crate::exit::Exit;
use crate::output::{Format, Output, clean};
use crate::render::lists;
use clap::Subcommand;
use groundswell_api::dto::{ChartDto, List, Object};
use std::path::PathBuf;

#[derive(Debug, Subcommand)]
pub(crate) enum ChartCommand {
    /// Pack a chart folder (or take a .tgz), check it, and store it by its digest
    #[command(
        after_help = "Examples:\n  groundswell chart push ./charts/beacon\n  groundswell chart push prometheus-80.14.4.tgz -o json\n\nThe same content gives the same digest; pushing it again changes nothing."
    )]
    Push {
        /// Chart folder or archive
        path: PathBuf,
        /// Output
        #[arg(short, long, value_enum, default_value_t)]
        output: Format,
    },
    /// One chart: what it holds
    #[command(after_help = "Examples:\n  groundswell chart show 53f375c72fdc\n  groundswell chart show beacon:1.2.0 -o yaml")]
    Show {
        /// Its digest or the first 8 digits or more of it, a name, or name:version
        #[arg(value_name = "CHART")]
        chart: String,
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

pub(crate) async fn run(command: &ChartCommand, client: &Client, out: &mut Output) -> Result<Exit> {
    match command {
        ChartCommand::Push { path, output } => {
            let bytes = documents::archive(path.clone()).await?;
            let answer = client.put_bytes::<Object<ChartDto>>("/v1/charts", bytes).await?;
            show(&answer, *output, out, |body| lists::charts(std::slice::from_ref(&body.body), *output))
        }
        ChartCommand::Show { chart, output } => {
            let chart = chart.strip_prefix("sha256:").unwrap_or(chart);
            let answer = client.get::<Object<ChartDto>>(&format!("/v1/charts/{}", segment(chart)), &[]).await?;
            show(&answer, *output, out, |body| detail(&body.body, *output))
        }
        ChartCommand::List { output } => {
            let answer = client.get::<List<ChartDto>>("/v1/charts", &[]).await?;
            show(&answer, *output, out, |body| lists::charts(&body.items, *output))
        }
    }
}

fn detail(chart: &ChartDto, format: Format) -> String {
    let mut text = lists::charts(std::slice::from_ref(chart), if format == Format::Table { Format::Wide } else { format });
    if format == Format::Name {
        return text;
    }
    if let Some(range) = &chart.kube_version {
        text.push_str(&format!("\nKubernetes {}\n", clean(range)));
    }
    for (label, names) in [
        ("CRDs", chart.crds.clone()),
        ("Charts inside", chart.dependencies.iter().map(|inner| format!("{} {}", inner.name, inner.version)).collect()),
    ] {
        if !names.is_empty() {
            text.push_str(&format!("\n{label}\n{}", names.iter().map(|name| format!("  {}\n", clean(name))).collect::<String>()));
        }
    }
    text
}
