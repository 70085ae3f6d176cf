//! `get`.

use crate::client::{Answer, Client, segment};
use crate::error::Result;
use crate::exit::Exit;
use crate::output::{Format, Output};
use crate::render::{lists, rollout};
use clap::Subcommand;
use groundswell_api::dto::{ClusterDto, List, Object, ReleaseDto, RolloutDto, RolloutSummaryDto};
use groundswell_core::selector::Selector;
use jiff::Timestamp;

#[derive(Debug, clap::Args)]
pub(crate) struct GetArgs {
    #[command(subcommand)]
    pub(crate) what: Get,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Get {
    /// Releases: what should run, and how much of it does
    #[command(visible_aliases = ["release", "rel"], after_help = "Examples:\n  groundswell get releases\n  groundswell get release beacon -o yaml")]
    Releases {
        /// Show this one
        name: Option<String>,
        /// Output
        #[arg(short, long, value_enum, default_value_t)]
        output: Format,
    },
    /// Rollouts, those under way first
    #[command(visible_aliases = ["rollout", "ro"], after_help = "Examples:\n  groundswell get rollouts --release beacon\n  groundswell get rollouts --all --limit 200 -o json")]
    Rollouts {
        /// Show this one
        name: Option<String>,
        /// Only of this release
        #[arg(long, value_name = "RELEASE")]
        release: Option<String>,
        /// Also those that have ended
        #[arg(long)]
        all: bool,
        /// At most so many
        #[arg(long, default_value_t = 50)]
        limit: u32,
        /// Output
        #[arg(short, long, value_enum, default_value_t)]
        output: Format,
    },
    /// Clusters; many are answered with a summary and the exceptions
    #[command(visible_aliases = ["cluster", "cl"], after_help = "Examples:\n  groundswell get clusters -l foundation=east,canary!=true\n  groundswell get cluster east-01\n  groundswell get clusters --all -o wide")]
    Clusters(ClustersArgs),
}

#[derive(Debug, clap::Args)]
pub(crate) struct ClustersArgs {
    /// Show this one
    name: Option<String>,
    /// Labels, in kubectl's grammar
    #[arg(short = 'l', long, value_name = "SELECTOR")]
    selector: Option<Selector>,
    /// Every row, however many there are
    #[arg(long)]
    all: bool,
    /// Output
    #[arg(short, long, value_enum, default_value_t)]
    output: Format,
}

pub(crate) async fn run(what: &Get, client: &Client, out: &mut Output) -> Result<Exit> {
    let now = Timestamp::now();
    match what {
        Get::Releases { name: Some(name), output } => {
            let answer = client.get::<Object<ReleaseDto>>(&format!("/v1/releases/{}", segment(name)), &[]).await?;
            show(&answer, *output, out, |body| lists::releases(std::slice::from_ref(&body.body), *output, now))
        }
        Get::Releases { name: None, output } => {
            let answer = client.list::<ReleaseDto>("/v1/releases", &[]).await?;
            show(&answer, *output, out, |body| lists::releases(&body.items, *output, now))
        }
        Get::Rollouts { name: Some(id), output, .. } => {
            let answer = client.get::<Object<RolloutDto>>(&format!("/v1/rollouts/{}", segment(id)), &[]).await?;
            show(&answer, *output, out, |body| match output {
                Format::Name => format!("rollout/{}\n", crate::output::clean(&body.body.id)),
                _ => rollout::tree(&body.body, now),
            })
        }
        Get::Rollouts { name: None, release, all, limit, output } => {
            let limit = limit.to_string();
            let mut query = vec![("limit", limit.as_str())];
            query.extend(release.as_deref().map(|release| ("release", release)));
            if *all {
                query.push(("all", "true"));
            }
            let answer = client.get::<List<RolloutSummaryDto>>("/v1/rollouts", &query).await?;
            show(&answer, *output, out, |body| lists::rollouts(&body.items, *output, now))
        }
        Get::Clusters(args) => clusters(args, client, out).await,
    }
}

pub(crate) async fn clusters(args: &ClustersArgs, client: &Client, out: &mut Output) -> Result<Exit> {
    if let Some(name) = &args.name {
        return cluster(name, args.output, client, out).await;
    }
    let selector = args.selector.as_ref().map(ToString::to_string);
    let query: Vec<(&str, &str)> = selector.as_deref().map(|selector| ("selector", selector)).into_iter().collect();
    let answer = client.list::<ClusterDto>("/v1/clusters", &query).await?;
    show(&answer, args.output, out, |body| lists::clusters(&body.items, args.output, args.all, Timestamp::now()))
}

/// One cluster with all that is known.
pub(crate) async fn cluster(name: &str, output: Format, client: &Client, out: &mut Output) -> Result<Exit> {
    let answer = client.get::<Object<ClusterDto>>(&format!("/v1/clusters/{}", segment(name)), &[]).await?;
    show(&answer, output, out, |body| match output {
        Format::Name => format!("cluster/{}\n", crate::output::clean(&body.body.name)),
        _ => lists::cluster(&body.body, Timestamp::now()),
    })
}

/// JSON and YAML as they came; anything else as it is drawn.
pub(crate) fn show<T>(answer: &Answer<T>, output: Format, out: &mut Output, draw: impl FnOnce(&T) -> String) -> Result<Exit> {
    match output {
        Format::Json | Format::Yaml => out.structured(output, &answer.raw)?,
        Format::Table | Format::Wide | Format::Name => out.data(&draw(&answer.body))?,
    }
    Ok(Exit::Ok)
}
