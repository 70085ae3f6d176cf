//! `rollout`.

use super::duration;
use super::get::show;
use crate::client::{Client, segment};
use crate::error::{Failure, Result};
use crate::exit::Exit;
use crate::follow::{Follow, Until, follow};
use crate::output::{Format, Output, clean};
use crate::render::{age, lists, rollout as draw, short};
use clap::{Args, Subcommand};
use groundswell_api::dto::{
    ApproveRequest, ClusterTurnDto, List, Object, PromotionDto, ReleaseDto, ReleaseRevisionDto, RetryRequest, RolloutDto, RolloutRef,
    SkipRequest, WaveState, WhyRequest,
};
use jiff::Timestamp;
use serde::Serialize;
use std::time::Duration;

#[derive(Debug, Args)]
pub(crate) struct Target {
    /// A rollout (beacon-3), or a release for its newest one
    #[arg(value_name = "ROLLOUT")]
    id: String,
}

#[derive(Debug, Args)]
pub(crate) struct Steer {
    #[command(flatten)]
    target: Target,
    /// For the audit log and for those who look at it
    #[arg(long, value_name = "WHY", default_value = "")]
    reason: String,
}

#[derive(Debug, Subcommand)]
pub(crate) enum RolloutCommand {
    /// Where a rollout stands, and what it waits for
    #[command(after_help = "Example:\n  groundswell rollout status beacon")]
    Status {
        #[command(flatten)]
        target: Target,
        /// Output
        #[arg(short, long, value_enum, default_value_t)]
        output: Format,
    },
    /// Follow a rollout on the screen until it ends
    #[command(
        after_help = "Example:\n  groundswell rollout watch beacon\n\nOn a terminal the tree is drawn anew; elsewhere each change is a line, with -o json an object."
    )]
    Watch {
        #[command(flatten)]
        target: Target,
        /// table or json
        #[arg(short, long, value_enum, default_value_t)]
        output: Format,
    },
    /// Wait for a rollout in a script; the exit code tells how it went
    #[command(
        after_help = "Examples:\n  groundswell rollout wait beacon --timeout 30m\n  groundswell rollout wait beacon-3 --for awaitingApproval\n\nA rollout that rolls back is followed to the end of that. See `groundswell --help` for the exit codes."
    )]
    Wait {
        #[command(flatten)]
        target: Target,
        /// What to wait for
        #[arg(long = "for", value_enum, default_value_t, value_name = "STATE")]
        until: Until,
        /// Give up after so long; the rollout goes on
        #[arg(long, value_name = "DURATION", value_parser = duration)]
        timeout: Option<Duration>,
        /// Output of the last look
        #[arg(short, long, value_enum, default_value_t)]
        output: Format,
    },
    /// Start no further cluster; what runs finishes
    #[command(after_help = "Example:\n  groundswell rollout pause beacon --reason 'looking at the canary'")]
    Pause(Steer),
    /// Go on after a pause or a halt
    #[command(after_help = "Example:\n  groundswell rollout resume beacon")]
    Resume(Target),
    /// Say yes to the wave that awaits it; bound to the plan that is shown
    #[command(
        after_help = "Examples:\n  groundswell rollout approve beacon\n  groundswell rollout approve beacon-3 --wave canary --expires-in 2h"
    )]
    Approve {
        #[command(flatten)]
        target: Target,
        /// Name of the wave; the one that awaits it when unsaid
        #[arg(long)]
        wave: Option<String>,
        /// Refuse unless the rollout has this plan; the one that is stored when unsaid
        #[arg(long, value_name = "SHA256")]
        plan_hash: Option<String>,
        /// After how long it counts no more
        #[arg(long, value_name = "DURATION", value_parser = duration)]
        expires_in: Option<Duration>,
    },
    /// Give a cluster that failed another try
    #[command(after_help = "Example:\n  groundswell rollout retry beacon east-03")]
    Retry {
        #[command(flatten)]
        target: Target,
        /// Which cluster
        cluster: String,
    },
    /// Leave a cluster out of this rollout
    #[command(after_help = "Example:\n  groundswell rollout skip beacon east-03 --reason 'decommissioned next week'")]
    Skip {
        #[command(flatten)]
        target: Target,
        /// Which cluster
        cluster: String,
        /// For the audit log and for those who look at it
        #[arg(long, value_name = "WHY")]
        reason: String,
    },
    /// End a rollout where it stands; nothing is taken back
    #[command(after_help = "Example:\n  groundswell rollout abort beacon --reason 'wrong chart'")]
    Abort(Steer),
    /// Take every cluster back that a rollout changed
    #[command(after_help = "Example:\n  groundswell rollout undo beacon --reason 'slow queries' --wait")]
    Undo {
        #[command(flatten)]
        steer: Steer,
        /// Follow it to its end
        #[arg(long)]
        wait: bool,
        /// With --wait: give up after so long; it goes on
        #[arg(long, value_name = "DURATION", value_parser = duration, requires = "wait")]
        timeout: Option<Duration>,
    },
    /// The revisions of a release, and the rollouts they led to
    #[command(after_help = "Example:\n  groundswell rollout history beacon")]
    History {
        /// Which release
        release: String,
        /// Output
        #[arg(short, long, value_enum, default_value_t)]
        output: Format,
    },
    /// Every cluster of a rollout, and the evidence on which its waves were promoted
    #[command(after_help = "Examples:\n  groundswell rollout show beacon-3\n  groundswell rollout show beacon-3 --state failed")]
    Show {
        #[command(flatten)]
        target: Target,
        /// Only clusters of this wave
        #[arg(long)]
        wave: Option<String>,
        /// Only clusters in this state, such as failed or inFlight
        #[arg(long)]
        state: Option<String>,
        /// At most so many
        #[arg(long, default_value_t = 200)]
        limit: u32,
        /// Output
        #[arg(short, long, value_enum, default_value_t)]
        output: Format,
    },
}

pub(crate) async fn run(command: &RolloutCommand, client: &Client, out: &mut Output) -> Result<Exit> {
    match command {
        RolloutCommand::Status { target, output } => {
            let id = resolve(target, client).await?;
            let answer = client.get::<Object<RolloutDto>>(&path(&id, ""), &[]).await?;
            show(&answer, *output, out, |body| match output {
                Format::Name => format!("rollout/{}\n", clean(&body.body.id)),
                _ => draw::tree(&body.body, Timestamp::now()),
            })?;
            for command in
                draw::next_commands(&answer.body.body).into_iter().filter(|_| !matches!(output, Format::Json | Format::Yaml | Format::Name))
            {
                out.note(&format!("next: {command}"))?;
            }
            Ok(Exit::Ok)
        }
        RolloutCommand::Watch { target, output } => {
            let how = Follow { until: Until::Ended, timeout: None, for_people: true, format: *output };
            follow(client, &resolve(target, client).await?, &how, out).await
        }
        RolloutCommand::Wait { target, until, timeout, output } => {
            let how = Follow { until: *until, timeout: *timeout, for_people: false, format: *output };
            follow(client, &resolve(target, client).await?, &how, out).await
        }
        RolloutCommand::Pause(steer) => verb(&steer.target, "pause", &why(&steer.reason), "paused", client, out).await,
        RolloutCommand::Resume(target) => verb(target, "resume", &WhyRequest::default(), "resumed", client, out).await,
        RolloutCommand::Abort(steer) => verb(&steer.target, "abort", &why(&steer.reason), "aborted", client, out).await,
        RolloutCommand::Retry { target, cluster } => {
            verb(target, "retry", &RetryRequest { cluster: cluster.clone() }, "retried", client, out).await
        }
        RolloutCommand::Skip { target, cluster, reason } => {
            verb(target, "skip", &SkipRequest { cluster: cluster.clone(), why: reason.clone() }, "changed", client, out).await
        }
        RolloutCommand::Approve { target, wave, plan_hash, expires_in } => {
            approve(target, wave.as_deref(), plan_hash.as_deref(), *expires_in, client, out).await
        }
        RolloutCommand::Undo { steer, wait, timeout } => undo(steer, wait.then_some(*timeout), client, out).await,
        RolloutCommand::History { release, output } => {
            let answer = client.get::<List<ReleaseRevisionDto>>(&format!("/v1/releases/{}/history", segment(release)), &[]).await?;
            show(&answer, *output, out, |body| lists::history(&body.items, Timestamp::now()))
        }
        RolloutCommand::Show { target, wave, state, limit, output } => {
            let id = resolve(target, client).await?;
            show_all(&id, wave.as_deref(), state.as_deref(), *limit, *output, client, out).await
        }
    }
}

fn path(id: &str, below: &str) -> String {
    format!("/v1/rollouts/{}{below}", segment(id))
}

fn why(reason: &str) -> WhyRequest {
    WhyRequest { why: reason.to_owned() }
}

/// A rollout goes before a release of the same name; a release means its newest rollout.
async fn resolve(target: &Target, client: &Client) -> Result<String> {
    match client.get::<Object<RolloutDto>>(&path(&target.id, ""), &[]).await {
        Ok(answer) => Ok(answer.body.body.id),
        Err(first) if first.exit != Exit::Error || first.errors.iter().any(|error| error.code == crate::client::UNREACHABLE) => Err(first),
        Err(first) => {
            let release =
                client.get::<Object<ReleaseDto>>(&format!("/v1/releases/{}", segment(&target.id)), &[]).await.map_err(|_| first)?;
            release.body.body.latest_rollout.map(|rollout| rollout.id).ok_or_else(|| {
                Failure::error(
                    format!("release {} has no rollout yet", target.id),
                    "nothing was ever applied that changed it",
                    "groundswell apply -f FILE --again",
                )
            })
        }
    }
}

async fn verb(target: &Target, name: &str, body: &impl Serialize, done: &str, client: &Client, out: &mut Output) -> Result<Exit> {
    let id = resolve(target, client).await?;
    client.post::<serde_json::Value>(&path(&id, &format!("/{name}")), body).await?;
    out.data(&format!("rollout/{id} {done}\n"))?;
    Ok(Exit::Ok)
}

/// What is approved is the plan that the operator sees: its hash goes with the word.
async fn approve(
    target: &Target,
    wave: Option<&str>,
    plan_hash: Option<&str>,
    expires_in: Option<Duration>,
    client: &Client,
    out: &mut Output,
) -> Result<Exit> {
    let id = resolve(target, client).await?;
    let rollout = client.get::<Object<RolloutDto>>(&path(&id, ""), &[]).await?.body.body;
    let awaiting = rollout.waves.iter().find(|wave| wave.state == WaveState::AwaitingApproval).map(|wave| wave.name.as_str());
    let request = ApproveRequest {
        wave: wave.or(awaiting).map(str::to_owned),
        plan_hash: Some(plan_hash.map_or_else(|| rollout.plan_hash.clone(), str::to_owned)),
        expires_in: expires_in.map(|span| format!("{}ms", span.as_millis())),
    };
    client.post::<serde_json::Value>(&path(&id, "/approve"), &request).await?;
    let what = rollout.chart.as_ref().map(|chart| format!(": {} {}", clean(&chart.name), clean(&chart.version))).unwrap_or_default();
    let wave = request.wave.map(|wave| format!(" wave {}", clean(&wave))).unwrap_or_default();
    out.data(&format!("rollout/{id}{wave} approved{what}, plan {}\n", clean(short(&rollout.plan_hash))))?;
    Ok(Exit::Ok)
}

async fn undo(steer: &Steer, wait: Option<Option<Duration>>, client: &Client, out: &mut Output) -> Result<Exit> {
    let id = resolve(&steer.target, client).await?;
    let answer = client.post::<RolloutRef>(&path(&id, "/undo"), &why(&steer.reason)).await?;
    let back = clean(&answer.body.rollout);
    out.data(&format!("rollout/{id} goes back, rollout {back}\n"))?;
    let Some(timeout) = wait else {
        out.note(&format!("next: groundswell rollout watch {back}"))?;
        return Ok(Exit::Ok);
    };
    // The same rollout ends rolled back; one of its own ends succeeded.
    let until = if back == id { Until::RolledBack } else { Until::Ended };
    follow(client, &back, &Follow { until, timeout, for_people: out.redraws, format: Format::Table }, out).await
}

async fn show_all(
    id: &str,
    wave: Option<&str>,
    state: Option<&str>,
    limit: u32,
    output: Format,
    client: &Client,
    out: &mut Output,
) -> Result<Exit> {
    let rollout = client.get::<Object<RolloutDto>>(&path(id, ""), &[]).await?;
    let limit = limit.to_string();
    let mut query = vec![("limit", limit.as_str())];
    query.extend(wave.map(|wave| ("wave", wave)));
    query.extend(state.map(|state| ("state", state)));
    let turns = client.get::<List<ClusterTurnDto>>(&path(id, "/clusters"), &query).await?;
    let evidence = client.get::<List<PromotionDto>>(&path(id, "/evidence"), &[]).await?;
    match output {
        Format::Json | Format::Yaml => {
            let value = serde_json::json!({
                "apiVersion": groundswell_api::dto::API_VERSION, "kind": "RolloutDetails",
                "rollout": rollout.raw, "clusters": turns.raw, "evidence": evidence.raw,
            });
            out.structured(output, &value)?;
        }
        Format::Name => out.data(&turns.body.items.iter().map(|turn| format!("cluster/{}\n", clean(&turn.cluster))).collect::<String>())?,
        Format::Table | Format::Wide => {
            out.data(&draw::tree(&rollout.body.body, Timestamp::now()))?;
            out.data(&format!("\nplan {}\n\n", clean(&rollout.body.body.plan_hash)))?;
            out.data(&lists::turns(&turns.body.items))?;
            out.data(&evidence.body.items.iter().map(promotion).collect::<String>())?;
            if turns.body.next.is_some() {
                out.note(&format!("there are more than {limit}: --limit, --wave and --state choose"))?;
            }
        }
    }
    Ok(Exit::Ok)
}

fn promotion(promotion: &PromotionDto) -> String {
    let by = promotion.approved_by.as_ref().map(|by| format!(", approved by {}", clean(by))).unwrap_or_default();
    let mut text = format!("\nwave {} promoted at {} on {} reports{by}\n", clean(&promotion.wave), promotion.at, promotion.reports);
    for report in &promotion.evidence {
        let revision = report.helm_revision.map(|n| format!(", helm revision {n}")).unwrap_or_default();
        let healthy = age(report.healthy_since, promotion.at);
        text.push_str(&format!("  {}: generation {}{revision}, healthy for {healthy}\n", clean(&report.cluster), report.generation));
    }
    text
}
