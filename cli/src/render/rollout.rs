//! A rollout as a tree, and what changed between two looks at it.

use super::{short, until, word};
use crate::output::clean;
use groundswell_api::dto::{BackState, ClusterTurnDto, RolloutDto, RolloutPurpose, RolloutState, WaitDto, WaveDto, WaveState};
use jiff::Timestamp;

/// More than these fill a screen; `rollout show` has all of them.
const MAX_EXCEPTIONS: usize = 12;
/// As many waits as fit beside them.
const MAX_WAITS: usize = 6;

/// The tree that `status`, `watch` and `wait` share.
pub(crate) fn tree(rollout: &RolloutDto, now: Timestamp) -> String {
    let mut lines = vec![headline(rollout, now)];
    if !rollout.reason.is_empty() {
        lines.push(format!("  {}", clean(&rollout.reason)));
    }
    let width = rollout.waves.iter().map(|wave| wave.name.chars().count()).max().unwrap_or(0);
    for wave in &rollout.waves {
        lines.push(wave_line(wave, width, now));
        let of_wave: Vec<&ClusterTurnDto> = rollout.exceptions.iter().filter(|turn| turn.wave == wave.name).collect();
        lines.extend(of_wave.iter().take(MAX_EXCEPTIONS).map(|turn| format!("      {}", turn_line(turn))));
        if of_wave.len() > MAX_EXCEPTIONS {
            lines.push(format!("      and {} more: groundswell rollout show {}", of_wave.len() - MAX_EXCEPTIONS, clean(&rollout.id)));
        }
    }
    lines.extend(rollout.waits.iter().take(MAX_WAITS).map(|wait| format!("  waits: {}", wait_line(wait, now))));
    if rollout.waits.len() > MAX_WAITS {
        lines.push(format!("  waits: and {} more", rollout.waits.len() - MAX_WAITS));
    }
    lines.push(String::new());
    lines.join("\n")
}

fn headline(rollout: &RolloutDto, now: Timestamp) -> String {
    let what = match (&rollout.chart, rollout.purpose) {
        (Some(chart), _) => format!("{} {} ({})", clean(&chart.name), clean(&chart.version), clean(short(&chart.digest))),
        (None, RolloutPurpose::Uninstall) => "uninstall".to_owned(),
        (None, RolloutPurpose::Orphan) => "let go".to_owned(),
        (None, RolloutPurpose::Apply) => "no chart".to_owned(),
    };
    let when = match rollout.ended_at {
        Some(ended) => format!("took {}", super::span(ended.as_second() - rollout.created_at.as_second())),
        None => format!("since {}", super::age(rollout.created_at, now)),
    };
    format!("{}  {}  {what}  by {}, {when}", clean(&rollout.id), word::rollout(rollout.state).painted(), clean(&rollout.created_by))
}

fn wave_line(wave: &WaveDto, width: usize, now: Timestamp) -> String {
    let mut line = format!("  {:<width$}  {}  {}", clean(&wave.name), word::wave(wave.state).painted(), word::counts(wave.counts));
    if wave.state == WaveState::Open {
        line.push_str(&format!("; {} at once, ", wave.max_concurrent));
        line.push_str(&wave.failure_budget.map_or_else(|| "any may fail".to_owned(), |budget| format!("{budget} may fail")));
    }
    if let (WaveState::Baking, Some(at)) = (wave.state, wave.bake.until) {
        line.push_str(&format!("; bake of {} over in {}", clean(&wave.bake.span), until(at, now)));
    }
    if let Some(by) = wave.approval.as_ref().and_then(|approval| approval.by.as_ref()) {
        line.push_str(&format!("; approved by {}", clean(by)));
    }
    line
}

fn turn_line(turn: &ClusterTurnDto) -> String {
    let mut line = format!("{}  {}", clean(&turn.cluster), word::turn(turn.state).painted());
    if !turn.message.is_empty() {
        line.push_str(&format!("  {}", clean(&turn.message)));
    }
    if let Some(back) = &turn.back {
        let said = match back.state {
            BackState::InFlight | BackState::Done => None,
            BackState::Left => Some("left as it is"),
            BackState::Failed => Some("could not be taken back"),
            BackState::Owed => Some("owes the old version"),
        };
        // The reason may say it already.
        if let Some(said) = said.filter(|said| !back.why.contains(said)) {
            line.push_str(&format!("; {said}"));
        }
        if !back.why.is_empty() {
            line.push_str(&format!(": {}", clean(&back.why)));
        }
    }
    line
}

/// What it waits for, and who or what ends that.
fn wait_line(wait: &WaitDto, now: Timestamp) -> String {
    let end = match (wait.until, &wait.who) {
        (Some(at), Some(who)) => format!("ends by itself in {}, or: {}", until(at, now), clean(who)),
        (Some(at), None) => format!("ends by itself in {}", until(at, now)),
        (None, Some(who)) => format!("until: {}", clean(who)),
        (None, None) => "until its agent reports".to_owned(),
    };
    format!("{}: {}; {end}", clean(&wait.subject), clean(&wait.why))
}

/// What the operator may do now.
pub(crate) fn next_commands(rollout: &RolloutDto) -> Vec<String> {
    let id = clean(&rollout.id);
    let awaiting = rollout.waves.iter().find(|wave| wave.state == WaveState::AwaitingApproval);
    match (rollout.state, awaiting) {
        (RolloutState::Paused, _) => vec![format!("groundswell rollout resume {id}"), format!("groundswell rollout abort {id}")],
        (RolloutState::Halted, _) => vec![
            format!("groundswell rollout retry {id} CLUSTER"),
            format!("groundswell rollout skip {id} CLUSTER --reason WHY"),
            format!("groundswell rollout undo {id}"),
        ],
        (RolloutState::Running, Some(wave)) => vec![format!("groundswell rollout approve {id} --wave {}", clean(&wave.name))],
        (RolloutState::RolledBack, _) => vec![format!("groundswell rollout show {id}")],
        _ => Vec::new(),
    }
}

/// One line for each thing that changed; all that matters on the first look.
pub(crate) fn changes(before: Option<&RolloutDto>, after: &RolloutDto, now: Timestamp) -> Vec<String> {
    let id = clean(&after.id);
    let mut lines = Vec::new();
    if before.is_none_or(|before| before.state != after.state || before.reason != after.reason) {
        let reason = if after.reason.is_empty() { String::new() } else { format!(": {}", clean(&after.reason)) };
        lines.push(format!("{id}  {}{reason}", word::rollout(after.state).painted()));
    }
    for (n, wave) in after.waves.iter().enumerate() {
        let earlier = before.and_then(|before| before.waves.get(n));
        let moved = earlier.is_some_and(|earlier| earlier.state != wave.state || earlier.counts != wave.counts);
        if moved || (earlier.is_none() && wave.state != WaveState::Waiting) {
            let name = clean(&wave.name);
            lines.push(format!("{id}  wave {name}  {}  {}", word::wave(wave.state).painted(), word::counts(wave.counts)));
        }
    }
    for turn in &after.exceptions {
        let earlier = before.and_then(|before| before.exceptions.iter().find(|earlier| earlier.cluster == turn.cluster));
        if earlier.is_none_or(|earlier| earlier.state != turn.state || earlier.message != turn.message) {
            lines.push(format!("{id}  {}", turn_line(turn)));
        }
    }
    for wait in &after.waits {
        let known =
            before.is_some_and(|before| before.waits.iter().any(|earlier| earlier.subject == wait.subject && earlier.why == wait.why));
        if !known {
            lines.push(format!("{id}  waits: {}", wait_line(wait, now)));
        }
    }
    lines
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use serde_json::json;

    pub(crate) fn now() -> Timestamp {
        "2026-11-23T10:05:00Z".parse().unwrap()
    }

    /// A canary that bakes, and one that failed, as the server sends it.
    pub(crate) fn fixed() -> RolloutDto {
        serde_json::from_value(json!({
            "apiVersion": "groundswell.dev/v1alpha1", "kind": "Rollout",
            "id": "beacon-4", "release": "beacon", "namespace": "demo", "purpose": "apply", "revision": 17, "documentRevision": 3,
            "state": "running",
            "chart": {"name": "beacon", "version": "1.2.0", "digest": "0123456789abcdef"},
            "planHash": "ffff", "createdAt": "2026-11-23T10:00:00Z", "createdBy": "admin",
            "waves": [
                {"name": "canary", "index": 0, "state": "baking", "size": 1, "counts": {"succeeded": 1}, "maxConcurrent": 1, "failureBudget": 0,
                 "bake": {"for": "10m", "until": "2026-11-23T10:05:40Z"}, "approval": {}},
                {"name": "rest", "index": 1, "state": "waiting", "size": 3, "counts": {"waiting": 2, "failed": 1}, "maxConcurrent": 2, "bake": {"for": "1m"}},
            ],
            "waits": [{"subject": "wave canary", "why": "bake", "until": "2026-11-23T10:05:40Z", "who": "groundswell rollout pause beacon-4"}],
            "exceptions": [{"cluster": "east-02", "wave": "rest", "state": "failed", "attempt": 1, "message": "pods \u{1b}[2Jnever ready",
                "back": {"state": "left", "why": "first install"}}],
        }))
        .unwrap()
    }

    fn plain(text: &str) -> String {
        anstream::adapter::strip_str(text).to_string()
    }

    #[test]
    fn the_tree_says_where_it_stands_and_what_it_waits_for() {
        insta::assert_snapshot!(plain(&tree(&fixed(), now())), @r#"
        beacon-4  ▶ running  beacon 1.2.0 (0123456789ab)  by admin, since 5m
          canary  ~ baking  1 succeeded; bake of 10m over in 40s
          rest    · waiting  1 failed, 2 waiting
              east-02  ✗ failed  pods �[2Jnever ready; left as it is: first install
          waits: wave canary: bake; ends by itself in 40s, or: groundswell rollout pause beacon-4
        "#);
    }

    #[test]
    fn between_two_looks_only_what_changed_is_said() {
        let before = fixed();
        let first: Vec<String> = changes(None, &before, now()).iter().map(|line| plain(line)).collect();
        assert_eq!(first.len(), 4, "{first:#?}");
        assert!(changes(Some(&before), &before, now()).is_empty());
        let mut after = fixed();
        after.revision += 1;
        after.waves[0].state = WaveState::Promoted;
        after.waits.clear();
        let lines: Vec<String> = changes(Some(&before), &after, now()).iter().map(|line| plain(line)).collect();
        assert_eq!(lines, ["beacon-4  wave canary  ✓ promoted  1 succeeded"]);
    }

    #[test]
    fn a_cluster_cannot_steer_the_terminal() {
        assert!(!tree(&fixed(), now()).contains("\u{1b}[2J"));
    }
}
