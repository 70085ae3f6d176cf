//! Scenarios of the way back.

use super::*;

#[test]
fn a_bad_canary_takes_back_what_was_changed_and_touches_nobody_else() {
    let mut fleet = Fleet::new(&[1, 3], |_| {});
    let good = LastGood { content: Some(content(1)), helm_revision: 1, rollout: None, chart: "beacon-0.1.0".into() };
    fleet.releases.insert(name("w0-0"), ClusterRelease { last_good: Some(good), ..ClusterRelease::default() });
    fleet.rest();
    fleet.report(&name("w0-0"), Phase::Failed, "helm said no");
    fleet.rest();
    assert!(matches!(fleet.head.state, State::RollingBack { .. }));
    let assignment = fleet.releases[&name("w0-0")].assignment.clone().unwrap();
    assert_eq!((assignment.direction, assignment.target), (Direction::Back, Target::Content(content(1))));
    fleet.run();
    assert_eq!(fleet.outcome(), Some(Outcome::RolledBack));
    assert_eq!(fleet.turns.len(), 1, "untouched clusters have no turn");
}

#[test]
fn undo_of_an_adopted_release_goes_to_helms_own_revision() {
    let mut fleet = Fleet::new(&[1], |_| {});
    fleet.rest();
    fleet.report(&name("w0-0"), Phase::Healthy, "healthy");
    fleet.releases.get_mut(&name("w0-0")).unwrap().report.as_mut().unwrap().adopted =
        Some(Adopted { helm_revision: 6, chart: "beacon-0.0.9".into() });
    fleet.run();
    assert_eq!(fleet.outcome(), Some(Outcome::Succeeded));
    let changes = command::undo(&fleet.head, "ann", "").unwrap();
    apply(&changes, &mut fleet.head, &mut fleet.turns, &mut fleet.releases);
    fleet.rest();
    assert_eq!(fleet.releases[&name("w0-0")].assignment.as_ref().unwrap().target, Target::HelmRevision(6));
}

#[test]
fn rollback_goes_in_reverse_wave_order() {
    let mut fleet = Fleet::new(&[1, 1, 1], |_| {});
    for cluster in ["w0-0", "w1-0", "w2-0"] {
        let good = LastGood { content: Some(content(1)), helm_revision: 1, rollout: None, chart: String::new() };
        fleet.releases.insert(name(cluster), ClusterRelease { last_good: Some(good), ..ClusterRelease::default() });
    }
    fleet.run();
    let changes = command::undo(&fleet.head, "ann", "").unwrap();
    apply(&changes, &mut fleet.head, &mut fleet.turns, &mut fleet.releases);
    let mut order = vec![];
    for _ in 0..100 {
        for change in fleet.round() {
            if let Change::Issue(assignment) = change {
                order.push(assignment.cluster.to_string());
            }
        }
        for cluster in fleet.in_flight() {
            if fleet.releases[&cluster].current_report().is_none() {
                fleet.report(&cluster, Phase::Healthy, "healthy");
            }
        }
        fleet.pass(Span::seconds(1));
    }
    assert_eq!(order, ["w2-0", "w1-0", "w0-0"]);
    assert_eq!(fleet.outcome(), Some(Outcome::RolledBack));
}

#[test]
fn a_rollback_that_failed_half_way_is_finished_and_never_promoted_over() {
    let mut fleet = Fleet::new(&[1, 1], |_| {});
    for cluster in ["w0-0", "w1-0"] {
        let good = LastGood { content: Some(content(1)), helm_revision: 1, rollout: None, chart: String::new() };
        fleet.releases.insert(name(cluster), ClusterRelease { last_good: Some(good), ..ClusterRelease::default() });
    }
    fleet.run();
    let changes = command::undo(&fleet.head, "ann", "").unwrap();
    apply(&changes, &mut fleet.head, &mut fleet.turns, &mut fleet.releases);
    fleet.rest();
    fleet.report(&name("w1-0"), Phase::Failed, "no");
    fleet.run();
    assert!(matches!(fleet.head.state, State::Halted { .. }), "{:?}", fleet.head.state);
    let changes = command::resume(&fleet.head).unwrap();
    apply(&changes, &mut fleet.head, &mut fleet.turns, &mut fleet.releases);
    fleet.run();
    assert!(matches!(fleet.head.state, State::Halted { .. }), "resumed into {:?} with clusters that are back", fleet.head.state);
    assert!(command::retry(&fleet.snapshot, &fleet.head, &fleet.turns, &name("w0-0")).is_err());
    let changes = command::retry(&fleet.snapshot, &fleet.head, &fleet.turns, &name("w1-0")).unwrap();
    apply(&changes, &mut fleet.head, &mut fleet.turns, &mut fleet.releases);
    fleet.run();
    assert_eq!(fleet.outcome(), Some(Outcome::RolledBack));
    assert!(matches!(fleet.turns[&name("w1-0")].back, Back::Done { .. }));
}
