//! Failures against `failureBudget`.

use super::draft::Draft;
use super::settle::last_words;
use crate::id::ClusterName;
use crate::report::Phase;
use crate::rollout::{Back, Forward};

/// Why the rollout must stop; `None` while every budget holds.
pub(super) fn exceeded(draft: &Draft<'_>) -> Option<String> {
    draft.snapshot().strategy.waves.iter().enumerate().find_map(|(index, wave)| {
        let size = draft.members_of(index).count();
        let failures: Vec<String> = draft.members_of(index).filter_map(|(name, _)| failure_of(draft, name)).collect();
        if failures.len() <= wave.failure_budget.failure_budget(size) {
            return None;
        }
        let more = if failures.len() > 3 { format!(" and {} more", failures.len() - 3) } else { String::new() };
        let first = failures.iter().take(3).cloned().collect::<Vec<_>>().join("; ");
        Some(format!("wave {}: {} failed, the budget is {}: {first}{more}", wave.name, failures.len(), wave.failure_budget))
    })
}

fn failure_of(draft: &Draft<'_>, name: &ClusterName) -> Option<String> {
    let turn = draft.turn(name);
    match &turn.forward {
        Forward::Failed { why, .. } | Forward::TimedOut { why, .. } => Some(format!("{name}: {why}")),
        Forward::Succeeded { .. } if turn.back == Back::None => {
            relapsed(draft, name).then(|| format!("{name} relapsed: {}", last_words(draft, name)))
        }
        _ => None,
    }
}

/// A cluster of an earlier wave that has been unhealthy for longer than `relapseAfter`.
fn relapsed(draft: &Draft<'_>, name: &ClusterName) -> bool {
    let is_earlier = draft.snapshot().members.get(name).is_some_and(|member| member.wave < draft.head().wave);
    let relapse_after = draft.snapshot().strategy.each.relapse_after;
    is_earlier && draft.fresh_health(name).is_some_and(|live| is_sick(live.phase) && draft.now.since(live.changed_at) >= relapse_after)
}

/// Phases that say that a release which was healthy is so no longer.
pub(super) fn is_sick(phase: Phase) -> bool {
    matches!(phase, Phase::Unhealthy | Phase::Failed)
}
