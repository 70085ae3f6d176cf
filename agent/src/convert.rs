//! Between the wire and the core. What the server sends is checked here.

use groundswell_core::assignment::{Assignment, ChartRef, Content, Direction, Drift, Target};
use groundswell_core::id::{BadName, ClusterName, Digest, Epoch, Generation, Namespace, ReleaseName, RolloutId};
use groundswell_core::report::Phase;
use groundswell_core::time::{Span, Time};
use groundswell_proto::v1;

/// Values documents of one release; the strictest server lays out a handful.
const MAX_VALUES: usize = 64;

/// Why an assignment cannot be read.
#[derive(Debug, thiserror::Error)]
pub(crate) enum BadAssignment {
    #[error(transparent)]
    Name(#[from] BadName),
    #[error("it has no {0} that this agent knows")]
    Missing(&'static str),
    #[error("it has {0} values documents, at most {MAX_VALUES} are taken")]
    TooMany(usize),
}

pub(crate) fn epoch(epoch: &Epoch) -> v1::Epoch {
    v1::Epoch { lineage: epoch.lineage.clone(), number: epoch.number }
}

pub(crate) fn epoch_of(epoch: v1::Epoch) -> Epoch {
    Epoch { lineage: epoch.lineage, number: epoch.number }
}

pub(crate) fn phase(phase: Phase) -> v1::Phase {
    match phase {
        Phase::Accepted => v1::Phase::Accepted,
        Phase::Blocked => v1::Phase::Blocked,
        Phase::Applying => v1::Phase::Applying,
        Phase::Unhealthy => v1::Phase::Unhealthy,
        Phase::Healthy => v1::Phase::Healthy,
        Phase::Failed => v1::Phase::Failed,
        Phase::Refused => v1::Phase::Refused,
        Phase::Gone => v1::Phase::Gone,
    }
}

pub(crate) fn assignment_of(wire: v1::Assignment, cluster: &ClusterName) -> Result<Assignment, BadAssignment> {
    let direction = match wire.direction() {
        v1::Direction::Forward => Direction::Forward,
        v1::Direction::Back => Direction::Back,
        v1::Direction::Debt => Direction::Debt,
        v1::Direction::Unspecified => return Err(BadAssignment::Missing("direction")),
    };
    let drift = if wire.drift() == v1::Drift::Correct { Drift::Correct } else { Drift::Report };
    Ok(Assignment {
        cluster: cluster.clone(),
        release: ReleaseName::new(wire.release)?,
        namespace: Namespace::new(wire.namespace)?,
        rollout: RolloutId(wire.rollout),
        generation: Generation(wire.generation),
        epoch: wire.epoch.map(epoch_of).ok_or(BadAssignment::Missing("epoch"))?,
        direction,
        target: target_of(wire.target.ok_or(BadAssignment::Missing("target"))?)?,
        issued_at: Time(wire.issued_at_ms),
        deadline: Span(wire.deadline_ms),
        service_account: Some(wire.service_account).filter(|name| !name.is_empty()),
        drift,
        create_namespace: wire.create_namespace,
    })
}

fn target_of(wire: v1::assignment::Target) -> Result<Target, BadAssignment> {
    use v1::assignment::Target as Wire;
    Ok(match wire {
        Wire::Content(content) => {
            let chart = content.chart.ok_or(BadAssignment::Missing("chart"))?;
            if content.values.len() > MAX_VALUES {
                return Err(BadAssignment::TooMany(content.values.len()));
            }
            let values = content.values.into_iter().map(Digest::new).collect::<Result<_, _>>()?;
            Target::Content(Content {
                chart: ChartRef { name: chart.name, version: chart.version, digest: Digest::new(chart.digest)? },
                values,
            })
        }
        Wire::HelmRevision(0) => return Err(BadAssignment::Missing("revision")),
        Wire::HelmRevision(revision) => Target::HelmRevision(revision),
        Wire::Uninstalled(true) => Target::Uninstalled,
        Wire::Orphaned(true) => Target::Orphaned,
        // GS-11: a deletion is only ever said in full.
        Wire::Uninstalled(false) | Wire::Orphaned(false) => return Err(BadAssignment::Missing("target")),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wire() -> v1::Assignment {
        v1::Assignment {
            release: "beacon".into(),
            namespace: "beacon".into(),
            epoch: Some(v1::Epoch::default()),
            direction: v1::Direction::Forward.into(),
            target: Some(v1::assignment::Target::Uninstalled(true)),
            ..v1::Assignment::default()
        }
    }

    #[test]
    fn what_is_not_said_in_full_is_not_taken() {
        let cluster = ClusterName::new("east-01").unwrap();
        let read = |wire| assignment_of(wire, &cluster);
        assert!(read(wire()).is_ok());
        assert!(read(v1::Assignment { target: None, ..wire() }).is_err());
        assert!(read(v1::Assignment { target: Some(v1::assignment::Target::Uninstalled(false)), ..wire() }).is_err());
        assert!(read(v1::Assignment { release: "--all".into(), ..wire() }).is_err());
        assert!(read(v1::Assignment { epoch: None, ..wire() }).is_err());
        assert!(read(v1::Assignment { direction: 99, ..wire() }).is_err());
    }
}
