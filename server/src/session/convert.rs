//! Between the wire and the core. What an agent sends is checked here; whose it is comes from the certificate.

use groundswell_core::assignment::{Assignment, Direction, Drift, Target};
use groundswell_core::id::{BadName, ClusterName, Epoch, Generation, Incarnation, ReleaseName, RolloutId};
use groundswell_core::report::{Adopted, Phase, Report};
use groundswell_core::time::{Span, Time};
use groundswell_proto::v1;

/// A sentence of helm and its last lines fit; more is cut, so that no report grows a record past the store's limit.
const MAX_MESSAGE: usize = 4 * 1024;
/// Notes are few; each is a sentence.
const MAX_NOTES: usize = 20;

/// Who sends, and when it was taken.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Sender<'a> {
    pub(crate) cluster: &'a ClusterName,
    pub(crate) incarnation: &'a Incarnation,
    pub(crate) now: Time,
}

pub(crate) fn epoch(epoch: &Epoch) -> v1::Epoch {
    v1::Epoch { lineage: epoch.lineage.clone(), number: epoch.number }
}

pub(crate) fn epoch_of(epoch: Option<v1::Epoch>) -> Epoch {
    epoch.map_or_else(Epoch::default, |epoch| Epoch { lineage: cut(&epoch.lineage, 64), number: epoch.number })
}

pub(crate) fn report_of(report: v1::Report, sender: Sender<'_>) -> Result<Report, BadName> {
    let phase = phase_of(report.phase());
    Ok(Report {
        cluster: sender.cluster.clone(),
        release: ReleaseName::new(report.release)?,
        rollout: RolloutId(cut(&report.rollout, 80)),
        generation: Generation(report.generation),
        chart_digest: cut(&report.chart_digest, 64),
        attempt: report.attempt,
        incarnation: sender.incarnation.clone(),
        sequence: report.sequence,
        phase,
        healthy_for: if phase == Phase::Healthy { Span(report.healthy_for_ms) } else { Span::ZERO },
        helm_revision: (report.helm_revision > 0).then_some(report.helm_revision),
        message: cut(&report.message, MAX_MESSAGE),
        adopted: report.adopted.map(|adopted| Adopted { helm_revision: adopted.helm_revision, chart: cut(&adopted.chart, 256) }),
        notes: report.notes.iter().take(MAX_NOTES).map(|note| cut(note, MAX_MESSAGE / 8)).collect(),
        received_at: sender.now,
    })
}

/// An unknown phase of a newer agent is "blocked": it neither promotes nor fails anything.
pub(crate) fn phase_of(phase: v1::Phase) -> Phase {
    match phase {
        v1::Phase::Accepted => Phase::Accepted,
        v1::Phase::Unspecified | v1::Phase::Blocked => Phase::Blocked,
        v1::Phase::Applying => Phase::Applying,
        v1::Phase::Unhealthy => Phase::Unhealthy,
        v1::Phase::Healthy => Phase::Healthy,
        v1::Phase::Failed => Phase::Failed,
        v1::Phase::Refused => Phase::Refused,
        v1::Phase::Gone => Phase::Gone,
    }
}

/// `leader` is who sends it, which may not be who issued it: what a leader before committed and did not send is still owed, and
/// an agent that has seen the newer epoch refuses the older one.
pub(crate) fn assignment(assignment: &Assignment, leader: &Epoch, permit: Option<Span>) -> v1::Assignment {
    use v1::assignment::Target as Wire;
    let target = match &assignment.target {
        Target::Content(content) => Wire::Content(v1::ContentTarget {
            chart: Some(v1::ChartRef {
                name: content.chart.name.clone(),
                version: content.chart.version.clone(),
                digest: content.chart.digest.to_string(),
            }),
            values: content.values.iter().map(ToString::to_string).collect(),
        }),
        Target::HelmRevision(revision) => Wire::HelmRevision(*revision),
        Target::Uninstalled => Wire::Uninstalled(true),
        Target::Orphaned => Wire::Orphaned(true),
    };
    let direction = match assignment.direction {
        Direction::Forward => v1::Direction::Forward,
        Direction::Back => v1::Direction::Back,
        Direction::Debt => v1::Direction::Debt,
    };
    let drift = match assignment.drift {
        Drift::Report => v1::Drift::Report,
        Drift::Correct => v1::Drift::Correct,
    };
    v1::Assignment {
        release: assignment.release.to_string(),
        namespace: assignment.namespace.to_string(),
        rollout: assignment.rollout.to_string(),
        generation: assignment.generation.0,
        epoch: Some(epoch(leader)),
        direction: direction.into(),
        target: Some(target),
        issued_at_ms: assignment.issued_at.0,
        deadline_ms: assignment.deadline.0,
        service_account: assignment.service_account.clone().unwrap_or_default(),
        drift: drift.into(),
        create_namespace: assignment.create_namespace,
        permit_ms: millis(permit.unwrap_or(Span::ZERO)),
    }
}

pub(crate) fn millis(span: Span) -> u32 {
    u32::try_from(span.0).unwrap_or(u32::MAX)
}

/// Cuts at a character's edge, and drops control characters: what a cluster says is shown in terminals and pages.
pub(crate) fn cut(text: &str, limit: usize) -> String {
    let mut end = text.len().min(limit);
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    text[..end].chars().filter(|c| !c.is_control() || matches!(c, '\n' | '\t')).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_cluster_says_is_cut_and_cleaned() {
        assert_eq!(cut("ä\u{1b}[31mred\n", 100), "ä[31mred\n");
        assert_eq!(cut("ää", 3), "ä");
    }

    #[test]
    fn a_report_about_a_name_that_is_none_is_refused() {
        let cluster = ClusterName::new("a").unwrap();
        let sender = Sender { cluster: &cluster, incarnation: &Incarnation("x".into()), now: Time(1) };
        assert!(report_of(v1::Report { release: "--x".into(), ..v1::Report::default() }, sender).is_err());
    }

    #[test]
    fn only_a_healthy_report_has_been_healthy_for_a_while() {
        let cluster = ClusterName::new("a").unwrap();
        let sender = Sender { cluster: &cluster, incarnation: &Incarnation("x".into()), now: Time(1) };
        let wire = v1::Report { release: "r".into(), healthy_for_ms: 9, phase: v1::Phase::Unhealthy.into(), ..v1::Report::default() };
        assert_eq!(report_of(wire, sender).unwrap().healthy_for, Span::ZERO);
    }
}
