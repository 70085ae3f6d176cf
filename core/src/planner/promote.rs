//! When a wave has proved itself.

use super::Change;
use super::draft::Draft;
use crate::id::ClusterName;
use crate::report::Phase;
use crate::rollout::{Approval, Debt, Evidence, Forward, MAX_EVIDENCE, Outcome, Promotion, State};
use crate::strategy::Wave;
use crate::time::Time;

/// Promotes the open wave if all that must hold does; says otherwise what is missing. True when something was decided.
pub(super) fn try_promote(draft: &mut Draft<'_>) -> bool {
    let index = draft.head().wave;
    let Some(wave) = draft.snapshot().strategy.waves.get(index) else {
        return finish(draft);
    };
    let members: Vec<&ClusterName> = draft.members_of(index).map(|(name, _)| name).collect();
    if members
        .iter()
        .any(|name| matches!(draft.turn(name).forward, Forward::Waiting | Forward::InFlight { .. }) || draft.turn(name).carried.is_some())
    {
        return false;
    }
    let evidence = match evidence(draft, wave, &members) {
        Ok(evidence) => evidence,
        Err(Missing { why, until, who }) => {
            draft.wait_for(wave.name.as_str(), why, until, who);
            return false;
        }
    };
    let approval = if wave.approval { approval(draft, index) } else { Ok(None) };
    let approved_by = match approval {
        Ok(approval) => approval.map(|approval| approval.by.clone()),
        Err(why) => {
            let who = format!("groundswell rollout approve {}", draft.head().id);
            draft.wait_for(wave.name.as_str(), why, None, Some(who));
            return false;
        }
    };
    let promotion = Promotion { wave: index, at: draft.now, reports: evidence.len(), evidence: the_latest(evidence), approved_by };
    draft.push(Change::Promote(promotion));
    draft.more();
    true
}

struct Missing {
    why: String,
    until: Option<Time>,
    who: Option<String>,
}

fn missing(why: String) -> Missing {
    Missing { why, until: None, who: None }
}

/// Fresh proof that every required cluster of this wave and of the waves before it is healthy, for the bake time.
fn evidence(draft: &Draft<'_>, wave: &Wave, members: &[&ClusterName]) -> Result<Vec<Evidence>, Missing> {
    if members.is_empty() {
        return Ok(Vec::new());
    }
    let succeeded = |name: &&ClusterName| matches!(draft.turn(name).forward, Forward::Succeeded { .. });
    let required: Vec<&ClusterName> = members.iter().copied().filter(succeeded).collect();
    let owed = members.iter().filter(|name| matches!(draft.turn(name).forward, Forward::Owed { .. })).count();
    if draft.head().wave == 0 && owed > 0 && !wave.may_be_owed {
        let who = Some("the cluster, by coming back; or skip it".into());
        return Err(Missing { why: format!("{owed} of the first wave are owed, and canaryMayBeOwed is not set"), until: None, who });
    }
    if required.is_empty() {
        let who = Some("retry a cluster, undo or abort".into());
        return Err(Missing { why: "no cluster of the wave succeeded; a wave without a success is not promoted".into(), until: None, who });
    }
    let mut proof = Vec::with_capacity(required.len());
    for name in required {
        proof.push(proof_of(draft, name)?);
    }
    for (name, member) in &draft.snapshot().members {
        if member.wave < draft.head().wave && succeeded(&name) {
            proof_of(draft, name)?;
        }
    }
    // The last one to become healthy decides; a relapse moves its time, and so begins the bake anew.
    let begun = proof.iter().map(|evidence| evidence.healthy_since).max().unwrap_or(draft.now);
    if draft.now.since(begun) < wave.bake {
        return Err(Missing {
            why: format!("baking: healthy for {} of {}", draft.now.since(begun), wave.bake),
            until: Some(begun + wave.bake),
            who: None,
        });
    }
    Ok(proof)
}

fn proof_of(draft: &Draft<'_>, name: &ClusterName) -> Result<Evidence, Missing> {
    let release = draft.release(name);
    if let (Some(report), Some(assignment)) = (release.current_report(), &release.assignment)
        && report.phase == Phase::Gone
    {
        return Ok(Evidence {
            cluster: name.clone(),
            generation: assignment.generation,
            chart_digest: String::new(),
            helm_revision: None,
            healthy_since: report.received_at,
            received_at: report.received_at,
        });
    }
    let Some(live) = draft.fresh_health(name) else {
        return Err(missing(format!("no fresh report of {name}")));
    };
    let (Some(healthy_since), Some(report)) = (draft.proven_healthy_since(name), release.current_report()) else {
        return Err(missing(format!("{name} is not healthy: {}", super::settle::last_words(draft, name))));
    };
    Ok(Evidence {
        cluster: name.clone(),
        generation: live.generation,
        chart_digest: report.chart_digest.clone(),
        helm_revision: report.helm_revision.or(live.helm_revision),
        healthy_since,
        received_at: live.received_at,
    })
}

fn approval<'d>(draft: &'d Draft<'_>, wave: usize) -> Result<Option<&'d Approval>, String> {
    let head = draft.head();
    match head.approvals.get(&wave) {
        None => Err("waits for approval".into()),
        Some(approval) if approval.plan_hash != head.plan_hash => Err("the approval is for another plan".into()),
        Some(approval) if approval.expires_at.is_some_and(|end| end <= draft.now) => {
            Err(format!("the approval of {} has expired", approval.by))
        }
        Some(approval) => Ok(Some(approval)),
    }
}

fn the_latest(mut evidence: Vec<Evidence>) -> Vec<Evidence> {
    evidence.sort_by(|a, b| b.healthy_since.cmp(&a.healthy_since).then_with(|| a.cluster.cmp(&b.cluster)));
    evidence.truncate(MAX_EVIDENCE);
    evidence
}

/// Every wave is promoted: writes down what is owed, then ends.
fn finish(draft: &mut Draft<'_>) -> bool {
    let failed = draft.snapshot().members.keys().filter(|name| draft.turn(name).is_failure()).count();
    if failed > 0 {
        let why = format!("every wave is done, but {failed} clusters failed within the budget; retry or skip them, or undo");
        draft.push(Change::SetState(State::Halted { why }));
        return true;
    }
    // A cluster of an earlier wave that was owed and came back may still be at it: an end would lose its slot and its outcome.
    let at_it = draft.in_flight();
    if at_it > 0 {
        draft.wait("rollout", format!("every wave is done, but {at_it} clusters that came back are in flight"), None);
        return false;
    }
    for name in draft.snapshot().members.keys() {
        let Forward::Owed { why, at } = draft.turn(name).forward.clone() else { continue };
        if draft.release(name).debt.as_ref().is_some_and(|debt| debt.rollout == draft.head().id) {
            continue;
        }
        if draft.is_full() {
            return true;
        }
        let Some(member) = draft.snapshot().members.get(name) else { continue };
        let debt = debt_of(draft, name, draft.snapshot().target(member), why, at);
        draft.push(Change::Owe(name.clone(), debt));
    }
    let left_behind = |name: &ClusterName| matches!(draft.turn(name).forward, Forward::Owed { .. } | Forward::Skipped { .. });
    let behind = draft.snapshot().members.keys().filter(|name| left_behind(name)).count();
    let (outcome, why) = match behind {
        0 => (Outcome::Succeeded, String::new()),
        n => (Outcome::SucceededWithDebt, format!("{n} clusters are owed or were skipped")),
    };
    draft.push(Change::SetState(State::Ended { outcome, at: draft.now, why }));
    true
}

/// What a cluster is owed by this rollout.
pub(super) fn debt_of(draft: &Draft<'_>, name: &ClusterName, target: crate::assignment::Target, why: String, since: Time) -> Debt {
    let snapshot = draft.snapshot();
    Debt {
        rollout: snapshot.id.clone(),
        order: crate::assignment::Assignment {
            cluster: name.clone(),
            release: snapshot.release.clone(),
            namespace: snapshot.namespace.clone(),
            rollout: snapshot.id.clone(),
            generation: crate::id::Generation(0),
            epoch: crate::id::Epoch::default(),
            direction: crate::assignment::Direction::Debt,
            target,
            issued_at: since,
            deadline: snapshot.strategy.each.deadline,
            service_account: snapshot.service_account.clone(),
            drift: snapshot.drift,
            create_namespace: snapshot.create_namespace,
        },
        why,
        since,
        paying: None,
        failed: None,
    }
}
