//! What an apply did or would do.

use super::{clusters, short};
use crate::output::clean;
use groundswell_api::dto::{ApplyAction, ApplyResponse, ApplyResult, PlanDto, PlanWaveDto};

/// Names of a wave that are shown; a wave of 10,000 is a number.
const MAX_NAMES: usize = 8;

/// One line for each document, as kubectl has them, and the plan of those that have one.
pub(crate) fn applied(response: &ApplyResponse, dry_run: bool) -> String {
    response.results.iter().map(|result| one(result, dry_run)).collect()
}

fn one(result: &ApplyResult, dry_run: bool) -> String {
    let action = match (result.action, dry_run) {
        (ApplyAction::Created, false) => "created",
        (ApplyAction::Configured, false) => "configured",
        (ApplyAction::Created, true) => "would be created",
        (ApplyAction::Configured, true) => "would be configured",
        (ApplyAction::Unchanged, _) => "unchanged",
    };
    let mut text = format!("{}/{} {action}, revision {}", result.kind.to_lowercase(), clean(&result.name), result.revision);
    if let Some(rollout) = &result.rollout {
        text.push_str(&format!(", rollout {}", clean(rollout)));
    }
    text.push('\n');
    if let Some(plan) = &result.plan {
        text.push_str(&planned(plan));
    }
    text
}

/// The plan of a rollout: who goes when, under which numbers.
pub(crate) fn planned(plan: &PlanDto) -> String {
    let total: usize = plan.waves.iter().map(|wave| wave.clusters.len()).sum();
    let what = plan.chart.as_ref().map_or_else(
        || "takes the release away".to_owned(),
        |chart| format!("{} {} ({})", clean(&chart.name), clean(&chart.version), clean(short(&chart.digest))),
    );
    let mut lines = vec![format!("  {what} in namespace {} of {}, waves: {}", clean(&plan.namespace), clusters(total), plan.waves.len())];
    lines.extend(plan.waves.iter().map(wave));
    lines.push(format!("  each within {}; on failure: {}", clean(&plan.deadline), clean(&plan.on_failure)));
    if let Some(rollout) = &plan.supersedes {
        lines.push(format!("  supersedes {}", clean(rollout)));
    }
    for adopted in plan.adopted.iter().take(MAX_NAMES) {
        let (cluster, chart) = (clean(&adopted.cluster), clean(&adopted.chart));
        lines.push(format!("  adopts {chart} in {cluster}; undo returns to its revision {}", adopted.helm_revision));
    }
    if plan.adopted.len() > MAX_NAMES {
        lines.push(format!("  and adopts it in {} more", clusters(plan.adopted.len() - MAX_NAMES)));
    }
    for (label, notes) in [("skips", &plan.skipped), ("outdated", &plan.outdated)] {
        lines.extend(notes.iter().take(MAX_NAMES).map(|note| format!("  {label} {}: {}", clean(&note.cluster), clean(&note.why))));
        if notes.len() > MAX_NAMES {
            lines.push(format!("  {label} {} more", clusters(notes.len() - MAX_NAMES)));
        }
    }
    lines.push(format!("  plan {}", clean(short(&plan.plan_hash))));
    lines.join("\n") + "\n"
}

fn wave(wave: &PlanWaveDto) -> String {
    let mut names: Vec<String> = wave.clusters.iter().take(MAX_NAMES).map(|name| clean(name)).collect();
    if wave.clusters.len() > MAX_NAMES {
        names.push(format!("and {} more", wave.clusters.len() - MAX_NAMES));
    }
    let budget = wave.failure_budget.map_or_else(|| "any may fail".to_owned(), |budget| format!("{budget} may fail"));
    let approval = if wave.approval { ", then approval" } else { "" };
    let head = format!(
        "    {}: {}, {} at once, {budget}, bake {}{approval}",
        clean(&wave.name),
        clusters(wave.clusters.len()),
        wave.max_concurrent,
        clean(&wave.bake)
    );
    if names.is_empty() { head } else { format!("{head}\n      {}", names.join(" ")) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_plan_shows_its_whole_breadth() {
        let many: Vec<String> = (0..12).map(|n| format!("east-{n:02}")).collect();
        let response: ApplyResponse = serde_json::from_value(json!({"results": [
            {"kind": "Strategy", "name": "careful", "action": "unchanged", "revision": 2},
            {"kind": "Release", "name": "beacon", "action": "configured", "revision": 4, "plan": {
                "planHash": "0123456789abcdef", "chart": {"name": "beacon", "version": "1.2.0", "digest": "fedcba9876543210"}, "namespace": "demo",
                "waves": [
                    {"name": "canary", "clusters": ["east-99"], "maxConcurrent": 1, "failureBudget": 0, "minAvailable": 0, "bake": "10m", "approval": true},
                    {"name": "rest", "clusters": many, "maxConcurrent": 3, "minAvailable": 0, "bake": "1m"},
                ],
                "onFailure": "rollbackAll", "deadline": "15m",
                "adopted": [{"cluster": "east-99", "chart": "beacon-1.0.0", "helmRevision": 7}],
                "skipped": [{"cluster": "west-01", "why": "revoked"}],
            }},
        ]}))
        .unwrap();
        insta::assert_snapshot!(applied(&response, true), @r#"
        strategy/careful unchanged, revision 2
        release/beacon would be configured, revision 4
          beacon 1.2.0 (fedcba987654) in namespace demo of 13 clusters, waves: 2
            canary: 1 cluster, 1 at once, 0 may fail, bake 10m, then approval
              east-99
            rest: 12 clusters, 3 at once, any may fail, bake 1m
              east-00 east-01 east-02 east-03 east-04 east-05 east-06 east-07 and 4 more
          each within 15m; on failure: rollbackAll
          adopts beacon-1.0.0 in east-99; undo returns to its revision 7
          skips west-01: revoked
          plan 0123456789ab
        "#);
    }
}
