//! `delete`.

use super::{confirm, duration};
use crate::client::{Client, segment};
use crate::error::Result;
use crate::exit::Exit;
use crate::follow::{Follow, Until, follow};
use crate::output::{Format, Output, clean};
use crate::render::plan::planned;
use groundswell_api::dto::{Object, ReleaseDto, RolloutRef};
use std::time::Duration;

#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  groundswell delete beacon --uninstall
  groundswell delete beacon --orphan --yes      # leave what runs, and let go of it

It goes through the same waves as any other rollout.")]
#[command(group = clap::ArgGroup::new("mode").required(true))]
pub(crate) struct DeleteArgs {
    /// Which release
    release: String,
    /// Uninstall it from every cluster
    #[arg(long, group = "mode")]
    uninstall: bool,
    /// Leave it in every cluster, and manage it no more
    #[arg(long, group = "mode")]
    orphan: bool,
    /// Let a paused or halted rollout of the release be superseded
    #[arg(long)]
    supersede: bool,
    /// Do not ask
    #[arg(long, short)]
    yes: bool,
    /// Follow the rollout to its end
    #[arg(long)]
    wait: bool,
    /// With --wait: give up after so long; the rollout goes on
    #[arg(long, value_name = "DURATION", value_parser = duration, requires = "wait")]
    timeout: Option<Duration>,
}

pub(crate) async fn run(args: &DeleteArgs, client: &Client, out: &mut Output) -> Result<Exit> {
    let path = format!("/v1/releases/{}", segment(&args.release));
    let release = client.get::<Object<ReleaseDto>>(&path, &[]).await?.body.body;
    let (mode, does) = if args.uninstall { ("uninstall", "Uninstall") } else { ("orphan", "Let go of") };
    let breadth = crate::render::clusters(usize::try_from(release.counts.clusters).unwrap_or(usize::MAX));
    confirm(out, &format!("{does} release {} in namespace {} of {breadth}", clean(&release.name), clean(&release.namespace)), args.yes)?;
    let mut query = vec![("mode", mode)];
    query.extend(args.supersede.then_some(("supersede", "true")));
    let answer = client.delete::<RolloutRef>(&path, &query).await?;
    let rollout = &answer.body.rollout;
    let goes = if args.uninstall { "goes" } else { "is let go; its objects stay" };
    out.data(&format!("release/{} {goes}, rollout {}\n", clean(&release.name), clean(rollout)))?;
    out.data(&answer.body.plan.as_ref().map(planned).unwrap_or_default())?;
    if !args.wait {
        out.note(&format!("next: groundswell rollout watch {}", clean(rollout)))?;
        return Ok(Exit::Ok);
    }
    let how = Follow { until: Until::Ended, timeout: args.timeout, for_people: out.redraws, format: Format::Table };
    follow(client, rollout, &how, out).await
}
