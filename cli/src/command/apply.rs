//! `apply` and `plan`.

use super::{documents, duration};
use crate::client::Client;
use crate::error::Result;
use crate::exit::Exit;
use crate::follow::{Follow, Until, follow};
use crate::output::{Format, Output, clean};
use crate::render::plan::applied;
use groundswell_api::dto::{ApplyAction, ApplyResponse, Object};
use std::path::PathBuf;
use std::time::Duration;

#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  groundswell apply -f release.yaml
  groundswell apply -f strategies.yaml -f release.yaml --wait --timeout 30m
  groundswell apply -f release.yaml --dry-run

Values files and charts that a document names by path are read beside it. With --wait the exit code tells how the
rollout ended.")]
pub(crate) struct ApplyArgs {
    /// Document file, folder, or - for stdin; may be given several times
    #[arg(short, long = "file", value_name = "FILE", required = true)]
    files: Vec<PathBuf>,
    /// Follow the rollouts to their end
    #[arg(long)]
    wait: bool,
    /// With --wait: give up after so long; the rollout goes on
    #[arg(long, value_name = "DURATION", value_parser = duration, requires = "wait")]
    timeout: Option<Duration>,
    /// Show the plan and change nothing
    #[arg(long, conflicts_with = "wait")]
    dry_run: bool,
    /// Let a paused or halted rollout of the release be superseded
    #[arg(long)]
    supersede: bool,
    /// Make a rollout even though nothing changed
    #[arg(long)]
    again: bool,
    /// Refuse unless the release's document has this revision
    #[arg(long, value_name = "N")]
    expect_revision: Option<u64>,
    /// Output
    #[arg(short, long, value_enum, default_value_t)]
    output: Format,
}

#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  groundswell plan -f release.yaml
  groundswell plan -f release.yaml --exit-code || echo 'there is something to do'")]
pub(crate) struct PlanArgs {
    /// Document file, folder, or - for stdin; may be given several times
    #[arg(short, long = "file", value_name = "FILE", required = true)]
    files: Vec<PathBuf>,
    /// Exit with 3 when something would change
    #[arg(long)]
    exit_code: bool,
    /// Plan as if a paused or halted rollout might be superseded
    #[arg(long)]
    supersede: bool,
    /// Plan a rollout even though nothing changed
    #[arg(long)]
    again: bool,
    /// Output
    #[arg(short, long, value_enum, default_value_t)]
    output: Format,
}

pub(crate) async fn apply(args: &ApplyArgs, client: &Client, out: &mut Output) -> Result<Exit> {
    let mut request = documents::request(&args.files, client, out).await?;
    request.dry_run = args.dry_run;
    request.supersede = args.supersede;
    request.again = args.again;
    request.expect_revision = args.expect_revision;
    let answer = client.post::<Object<ApplyResponse>>("/v1/apply", &request).await?;
    show(&answer.raw, &answer.body.body, args.output, args.dry_run, out)?;
    if !args.wait {
        return next(&answer.body.body, out);
    }
    wait(&answer.body.body, args.timeout, client, out).await
}

pub(crate) async fn plan(args: &PlanArgs, client: &Client, out: &mut Output) -> Result<Exit> {
    let mut request = documents::request(&args.files, client, out).await?;
    request.dry_run = true;
    request.supersede = args.supersede;
    request.again = args.again;
    let answer = client.post::<Object<ApplyResponse>>("/v1/apply", &request).await?;
    let response = &answer.body.body;
    show(&answer.raw, response, args.output, true, out)?;
    let changes = response.results.iter().any(|result| result.action != ApplyAction::Unchanged || result.plan.is_some());
    Ok(if args.exit_code && changes { Exit::Changes } else { Exit::Ok })
}

/// What an apply or a `set` answered.
pub(crate) fn show(raw: &serde_json::Value, response: &ApplyResponse, format: Format, dry_run: bool, out: &mut Output) -> Result<()> {
    for warning in &response.warnings {
        out.note(&format!("warning: {}", clean(warning)))?;
    }
    match format {
        Format::Json | Format::Yaml => out.structured(format, raw),
        Format::Name => {
            let names: String =
                response.results.iter().map(|result| format!("{}/{}\n", result.kind.to_lowercase(), clean(&result.name))).collect();
            Ok(out.data(&names)?)
        }
        Format::Table | Format::Wide => Ok(out.data(&applied(response, dry_run))?),
    }
}

/// What to do after an apply that does not wait.
pub(crate) fn next(response: &ApplyResponse, out: &mut Output) -> Result<Exit> {
    for rollout in response.results.iter().filter_map(|result| result.rollout.as_ref()) {
        out.note(&format!("next: groundswell rollout watch {}", clean(rollout)))?;
    }
    Ok(Exit::Ok)
}

/// Waits for every rollout that was made; the worst end is the answer.
pub(crate) async fn wait(response: &ApplyResponse, timeout: Option<Duration>, client: &Client, out: &mut Output) -> Result<Exit> {
    let started = tokio::time::Instant::now();
    let mut worst = Exit::Ok;
    for rollout in response.results.iter().filter_map(|result| result.rollout.as_ref()) {
        let timeout = timeout.map(|timeout| timeout.saturating_sub(started.elapsed()));
        let how = Follow { until: Until::Ended, timeout, for_people: out.redraws, format: Format::Table };
        let exit = follow(client, rollout, &how, out).await?;
        if exit == Exit::Interrupted {
            return Ok(exit);
        }
        worst = worst.max(exit);
    }
    Ok(worst)
}
