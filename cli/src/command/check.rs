//! `check`: what is wrong here, and what fixes it.

use crate::client::Client;
use crate::config;
use crate::error::Result;
use crate::exit::Exit;
use crate::output::{Format, Output, clean};
use anstyle::AnsiColor;
use groundswell_api::dto::{API_VERSION, ClusterDto, List, Object, PresenceState, RolloutState, RolloutSummaryDto, VersionDto};
use jiff::Timestamp;
use serde::Serialize;
use serde_json::json;

/// A certificate renews at half its 30 days; below this it has failed to for a week.
const CERTIFICATE_DAYS: i64 = 7;

#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:\n  groundswell check\n  groundswell check -o json")]
pub(crate) struct CheckArgs {
    /// Output
    #[arg(short, long, value_enum, default_value_t)]
    output: Format,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
enum Verdict {
    Good,
    Warning,
    Bad,
}

/// One check; its id is stable.
#[derive(Debug, Serialize)]
struct Check {
    id: &'static str,
    verdict: Verdict,
    what: String,
    #[serde(skip_serializing_if = "String::is_empty")]
    fix: String,
}

fn check(id: &'static str, verdict: Verdict, what: impl Into<String>, fix: impl Into<String>) -> Check {
    Check { id, verdict, what: what.into(), fix: fix.into() }
}

pub(crate) async fn run(args: &CheckArgs, flags: &config::Flags, out: &mut Output) -> Result<Exit> {
    let mut checks = Vec::new();
    match super::connect(flags) {
        Ok(client) => {
            checks.push(check("configuration", Verdict::Good, format!("the server is {}", client.server()), ""));
            server(&client, &mut checks).await;
        }
        Err(failure) => {
            let error = failure.errors.into_iter().next().unwrap_or_default();
            checks.push(check("configuration", Verdict::Bad, said(&error.what, &error.why), error.next));
        }
    }
    match args.output {
        Format::Json | Format::Yaml => {
            out.structured(args.output, &json!({ "apiVersion": API_VERSION, "kind": "CheckList", "items": checks }))?
        }
        _ => out.data(&checks.iter().map(line).collect::<String>())?,
    }
    Ok(if checks.iter().any(|check| check.verdict == Verdict::Bad) { Exit::Error } else { Exit::Ok })
}

async fn server(client: &Client, checks: &mut Vec<Check>) {
    let version = match client.get::<Object<VersionDto>>("/v1/version", &[]).await {
        Ok(answer) => answer.body.body,
        Err(failure) => {
            let id = if failure.exit == Exit::Denied { "token" } else { "connection" };
            let error = failure.errors.into_iter().next().unwrap_or_default();
            checks.push(check(id, Verdict::Bad, said(&error.what, &error.why), error.next));
            return;
        }
    };
    checks.push(check("connection", Verdict::Good, format!("the server answers, version {}", version.version), ""));
    let speaks = version.api_versions.iter().any(|known| known == API_VERSION);
    let (own, fix) = (env!("CARGO_PKG_VERSION"), "use a command of the server's version");
    checks.push(match speaks {
        true => check("api-version", Verdict::Good, format!("both speak {API_VERSION}"), ""),
        false => check("api-version", Verdict::Bad, format!("the server does not speak {API_VERSION}; this command is {own}"), fix),
    });
    if let (Some(user), Some(role)) = (&version.user, version.role) {
        checks.push(check("token", Verdict::Good, format!("the token is {user}'s, role {}", format!("{role:?}").to_lowercase()), ""));
    }
    match client.list::<ClusterDto>("/v1/clusters", &[]).await {
        Ok(answer) => clusters(&answer.body.items, Timestamp::now(), checks),
        Err(failure) => failed("clusters", failure, checks),
    }
    match client.get::<List<RolloutSummaryDto>>("/v1/rollouts", &[("limit", "200")]).await {
        Ok(answer) => rollouts(&answer.body.items, checks),
        Err(failure) => failed("rollouts", failure, checks),
    }
}

fn failed(id: &'static str, failure: crate::error::Failure, checks: &mut Vec<Check>) {
    let error = failure.errors.into_iter().next().unwrap_or_default();
    checks.push(check(id, Verdict::Bad, said(&error.what, &error.why), error.next));
}

fn clusters(clusters: &[ClusterDto], now: Timestamp, checks: &mut Vec<Check>) {
    // Those that were revoked are the fleet's no more.
    let clusters: Vec<&ClusterDto> = clusters.iter().filter(|c| c.presence.state != PresenceState::Revoked).collect();
    let named = |names: Vec<&str>| {
        let more = if names.len() > 5 { format!(" and {} more", names.len() - 5) } else { String::new() };
        format!("{}{more}", names.iter().take(5).copied().collect::<Vec<_>>().join(", "))
    };
    let away: Vec<&str> = clusters.iter().filter(|c| c.presence.state == PresenceState::Offline).map(|c| c.name.as_str()).collect();
    checks.push(match (clusters.len(), away.is_empty()) {
        (0, _) => check("clusters", Verdict::Warning, "no cluster has joined yet", "groundswell cluster token create NAME"),
        (n, true) => check("clusters", Verdict::Good, format!("{}, none of them offline", crate::render::clusters(n)), ""),
        (n, false) => check(
            "clusters",
            Verdict::Warning,
            format!("{} of {n} clusters offline: {}", away.len(), named(away)),
            "groundswell cluster show NAME; look at the agent's log there",
        ),
    });
    let soon = |c: &&&ClusterDto| c.certificate_expires_at.is_some_and(|at| at.as_second() - now.as_second() < CERTIFICATE_DAYS * 86_400);
    let expiring: Vec<&str> = clusters.iter().filter(soon).map(|c| c.name.as_str()).collect();
    if !expiring.is_empty() {
        let what = format!("certificates that end within {CERTIFICATE_DAYS} days: {}", named(expiring));
        checks.push(check("certificates", Verdict::Warning, what, "the agent renews by itself while it is connected; look at its log"));
    }
}

fn rollouts(rollouts: &[RolloutSummaryDto], checks: &mut Vec<Check>) {
    let held: Vec<&RolloutSummaryDto> =
        rollouts.iter().filter(|r| matches!(r.state, RolloutState::Halted | RolloutState::Paused)).collect();
    if held.is_empty() {
        checks.push(check("rollouts", Verdict::Good, "none is halted or paused", ""));
    }
    for rollout in held {
        let what = format!("{} is {}", rollout.id, crate::render::word::rollout(rollout.state).plain());
        checks.push(check(
            "rollouts",
            Verdict::Warning,
            said(&what, &rollout.reason),
            format!("groundswell rollout status {}", rollout.id),
        ));
    }
}

fn said(what: &str, why: &str) -> String {
    if why.is_empty() { what.to_owned() } else { format!("{what}: {why}") }
}

fn line(check: &Check) -> String {
    let (glyph, word, colour) = match check.verdict {
        Verdict::Good => ("√", "ok", AnsiColor::Green),
        Verdict::Warning => ("‼", "warning", AnsiColor::Yellow),
        Verdict::Bad => ("×", "bad", AnsiColor::Red),
    };
    let style = colour.on_default();
    let mut text = format!("{style}{glyph} {word}{style:#}  {}: {}\n", check.id, clean(&check.what));
    if !check.fix.is_empty() {
        text.push_str(&format!("    fix: {}\n", clean(&check.fix)));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_wrong_comes_with_a_fix() {
        let now: Timestamp = "2026-11-23T10:00:00Z".parse().unwrap();
        let cluster = |name: &str, state: &str| -> ClusterDto {
            serde_json::from_value(json!({"name": name, "presence": {"state": state}, "certificateExpiresAt": "2026-11-25T10:00:00Z"}))
                .unwrap()
        };
        let mut checks = Vec::new();
        clusters(&[cluster("east-01", "online"), cluster("east-02", "offline"), cluster("east-03", "revoked")], now, &mut checks);
        let text = anstream::adapter::strip_str(&checks.iter().map(line).collect::<String>()).to_string();
        insta::assert_snapshot!(text, @r#"
        ‼ warning  clusters: 1 of 2 clusters offline: east-02
            fix: groundswell cluster show NAME; look at the agent's log there
        ‼ warning  certificates: certificates that end within 7 days: east-01, east-02
            fix: the agent renews by itself while it is connected; look at its log
        "#);
    }
}
