//! Follows a rollout over the long poll: `watch` for people, `wait` for scripts. Both show the same tree.

use crate::client::{Client, UNREACHABLE, segment};
use crate::error::{Failure, Result};
use crate::exit::Exit;
use crate::output::{Format, Output};
use crate::render::rollout::{changes, next_commands, tree};
use clap::ValueEnum;
use groundswell_api::dto::{Object, RolloutDto, RolloutState, WaveState};
use jiff::Timestamp;
use std::time::Duration;
use tokio::time::Instant;

/// One turn of the long poll; below the idle limit of the proxies that operators have in between.
const POLL: Duration = Duration::from_secs(25);
/// On a terminal the times that are left should move.
const REDRAW: Duration = Duration::from_secs(5);
/// Between tries while the server cannot be reached.
const RETRY: Duration = Duration::from_secs(3);

/// What `--for` waits for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
#[value(rename_all = "camelCase")]
pub(crate) enum Until {
    /// The rollout has ended, or was halted by failures
    #[default]
    Ended,
    /// It succeeded, with or without debt
    Succeeded,
    /// It was rolled back
    RolledBack,
    /// It is going back
    RollingBack,
    /// A person paused it
    Paused,
    /// Failures halted it
    Halted,
    /// A wave awaits an approval
    AwaitingApproval,
}

/// How a rollout is followed.
pub(crate) struct Follow {
    pub(crate) until: Until,
    pub(crate) timeout: Option<Duration>,
    /// People see it drawn; scripts get their lines on stderr and the last tree on stdout.
    pub(crate) for_people: bool,
    pub(crate) format: Format,
}

/// Follows until the end, the timeout, or Ctrl-C.
pub(crate) async fn follow(client: &Client, id: &str, how: &Follow, out: &mut Output) -> Result<Exit> {
    let mut last = None;
    tokio::select! {
        biased;
        signal = tokio::signal::ctrl_c() => {
            signal.map_err(|error| Failure::error("cannot listen for Ctrl-C", error, ""))?;
            out.note(&format!("\ninterrupted; the rollout goes on: groundswell rollout watch {id}, or stop it: groundswell rollout pause {id}"))?;
            Ok(Exit::Interrupted)
        }
        done = look(client, id, how, out, &mut last) => done,
    }
}

async fn look(client: &Client, id: &str, how: &Follow, out: &mut Output, last: &mut Option<RolloutDto>) -> Result<Exit> {
    let deadline = how.timeout.map(|timeout| Instant::now() + timeout);
    let mut drawn = 0;
    let mut unreachable = false;
    loop {
        let turn = if how.for_people && out.redraws { REDRAW } else { POLL };
        let left = deadline.map_or(turn, |deadline| deadline.saturating_duration_since(Instant::now()));
        let wait = left.min(turn);
        let answer = poll(client, id, last.as_ref(), wait).await;
        let (raw, now) = match answer {
            Ok(answer) => answer,
            // The first look must succeed: a wrong address is not waited out.
            Err(failure) if last.is_none() || !may_pass(&failure) => return Err(failure),
            Err(_) => {
                if !unreachable {
                    out.note(&format!(
                        "the server cannot be reached; the agents go on, and this command tries again every {}s",
                        RETRY.as_secs()
                    ))?;
                }
                unreachable = true;
                tokio::time::sleep(RETRY.min(left)).await;
                if deadline.is_some_and(|deadline| Instant::now() >= deadline) {
                    return at_timeout(last.as_ref(), how, out);
                }
                continue;
            }
        };
        unreachable = false;
        let rollout = now;
        show(how, last.as_ref(), &rollout, &raw, &mut drawn, out)?;
        let reached = reached(&rollout, how.until);
        *last = Some(rollout);
        if let Some(exit) = reached {
            finish(last.as_ref(), how, exit, out)?;
            return Ok(exit);
        }
        if deadline.is_some_and(|deadline| Instant::now() >= deadline) {
            return at_timeout(last.as_ref(), how, out);
        }
    }
}

async fn poll(client: &Client, id: &str, last: Option<&RolloutDto>, wait: Duration) -> Result<(serde_json::Value, RolloutDto)> {
    let path = format!("/v1/rollouts/{}", segment(id));
    let seconds = wait.as_secs().max(1).to_string();
    let answer = match last {
        None => client.get::<Object<RolloutDto>>(&path, &[]).await?,
        Some(last) => {
            let after = last.revision.to_string();
            client.poll(&path, &[("after", after.as_str()), ("timeoutSeconds", seconds.as_str())], wait).await?
        }
    };
    Ok((answer.raw, answer.body.body))
}

fn may_pass(failure: &Failure) -> bool {
    failure.errors.iter().any(|error| error.code == UNREACHABLE)
}

fn show(
    how: &Follow,
    before: Option<&RolloutDto>,
    after: &RolloutDto,
    raw: &serde_json::Value,
    drawn: &mut usize,
    out: &mut Output,
) -> Result<()> {
    let now = Timestamp::now();
    let moved = before.is_none_or(|before| before.revision != after.revision);
    if how.format == Format::Json {
        // One object for each change.
        return if moved && how.for_people { Ok(out.data(&format!("{raw}\n"))?) } else { Ok(()) };
    }
    if how.for_people && out.redraws {
        // Without line wrap a line is a row, so the cursor finds the top of what was drawn.
        let text = tree(after, now);
        let up = if *drawn > 0 { format!("\x1b[{drawn}A\x1b[J") } else { String::new() };
        *drawn = text.lines().count();
        return Ok(out.data(&format!("{up}\x1b[?7l{text}\x1b[?7h"))?);
    }
    for line in changes(before, after, now) {
        if how.for_people {
            out.data(&format!("{line}\n"))?;
        } else {
            out.note(&line)?;
        }
    }
    Ok(())
}

/// The exit code, once there is nothing more to wait for.
fn reached(rollout: &RolloutDto, until: Until) -> Option<Exit> {
    let state = rollout.state;
    let awaiting = rollout.waves.iter().any(|wave| wave.state == WaveState::AwaitingApproval);
    let there = match until {
        Until::Ended => false,
        Until::Succeeded => matches!(state, RolloutState::Succeeded | RolloutState::SucceededWithDebt),
        Until::RolledBack => state == RolloutState::RolledBack,
        Until::RollingBack => state == RolloutState::RollingBack,
        Until::Paused => state == RolloutState::Paused,
        Until::Halted => state == RolloutState::Halted,
        Until::AwaitingApproval => awaiting,
    };
    if there {
        return Some(Exit::Ok);
    }
    match state {
        RolloutState::Succeeded | RolloutState::SucceededWithDebt if until == Until::Ended => Some(Exit::Ok),
        // It ended otherwise than was waited for, and what was waited for cannot come any more.
        RolloutState::Succeeded | RolloutState::SucceededWithDebt => Some(Exit::Error),
        RolloutState::RolledBack | RolloutState::Aborted => Some(Exit::Failed),
        RolloutState::Superseded => Some(Exit::Conflict),
        // Only a person ends a halt; a script that waits for it would sit out its timeout for nothing.
        RolloutState::Halted if matches!(until, Until::Ended | Until::Succeeded) => Some(Exit::Failed),
        RolloutState::Running | RolloutState::Paused | RolloutState::RollingBack | RolloutState::Halted => None,
    }
}

fn at_timeout(last: Option<&RolloutDto>, how: &Follow, out: &mut Output) -> Result<Exit> {
    let held = last.is_some_and(|rollout| {
        matches!(rollout.state, RolloutState::Paused | RolloutState::Halted)
            || rollout.waves.iter().any(|wave| wave.state == WaveState::AwaitingApproval)
    });
    let exit = if held { Exit::Paused } else { Exit::Timeout };
    out.note(if held { "timeout: it waits for a person" } else { "timeout: the rollout goes on" })?;
    finish(last, how, exit, out)?;
    Ok(exit)
}

/// The last tree for scripts, and what can be done now.
fn finish(last: Option<&RolloutDto>, how: &Follow, exit: Exit, out: &mut Output) -> Result<()> {
    let Some(rollout) = last else { return Ok(()) };
    if !how.for_people {
        match how.format {
            Format::Json | Format::Yaml => {
                let value =
                    serde_json::to_value(Object::new(rollout.clone())).map_err(|error| Failure::error("cannot write JSON", error, ""))?;
                out.structured(how.format, &value)?;
            }
            Format::Name => out.data(&format!("rollout/{}\n", crate::output::clean(&rollout.id)))?,
            Format::Table | Format::Wide => out.data(&tree(rollout, Timestamp::now()))?,
        }
    }
    if exit != Exit::Ok {
        for command in next_commands(rollout) {
            out.note(&format!("next: {command}"))?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::render::rollout::tests::fixed;

    #[test]
    fn the_exit_code_follows_from_the_state_and_what_was_waited_for() {
        let exit = |state, until| reached(&RolloutDto { state, ..fixed() }, until);
        let cases = [
            (RolloutState::Running, Until::Ended, None),
            (RolloutState::RollingBack, Until::Ended, None),
            (RolloutState::Paused, Until::Ended, None),
            (RolloutState::Succeeded, Until::Ended, Some(Exit::Ok)),
            (RolloutState::SucceededWithDebt, Until::Ended, Some(Exit::Ok)),
            (RolloutState::RolledBack, Until::Ended, Some(Exit::Failed)),
            (RolloutState::Aborted, Until::Ended, Some(Exit::Failed)),
            (RolloutState::Halted, Until::Ended, Some(Exit::Failed)),
            (RolloutState::Superseded, Until::Ended, Some(Exit::Conflict)),
            (RolloutState::RolledBack, Until::RolledBack, Some(Exit::Ok)),
            (RolloutState::Succeeded, Until::RolledBack, Some(Exit::Error)),
            (RolloutState::Halted, Until::Halted, Some(Exit::Ok)),
            (RolloutState::Halted, Until::RolledBack, None),
            (RolloutState::Paused, Until::Paused, Some(Exit::Ok)),
        ];
        for (state, until, expected) in cases {
            assert_eq!(exit(state, until), expected, "{state:?} waiting for {until:?}");
        }
        let mut awaiting = fixed();
        awaiting.waves[0].state = WaveState::AwaitingApproval;
        assert_eq!(reached(&awaiting, Until::AwaitingApproval), Some(Exit::Ok));
        assert_eq!(reached(&awaiting, Until::Ended), None);
    }
}
