//! What the agent does not do at all, whatever helm would say to it.

use super::history::HistoryEntry;
use super::ledger::Entry;
use super::observed::Observed;
use crate::assignment::Target;

/// The chart that brings the agent itself.
const OWN_CHART: &str = "groundswell-agent";

/// Why nothing may be done for this assignment; `None` when it may.
pub(super) fn of(entry: &Entry, history: &[HistoryEntry], seen: &Observed) -> Option<String> {
    let assignment = &entry.assignment;
    if seen.own_namespace.as_ref() == Some(&assignment.namespace) && is_the_agent(entry, history) {
        let (release, namespace) = (&assignment.release, &assignment.namespace);
        return Some(format!(
            "release {release} in namespace {namespace} is the agent's own, and the agent does not upgrade itself in this version: \
             upgrade it with helm, and take the release out of your documents"
        ));
    }
    // Helm would run with the agent's rights, which is more than the release asked for.
    let account = assignment.service_account.as_ref()?;
    Some(format!("the release is to run as ServiceAccount {account}, which this agent cannot do yet"))
}

fn is_the_agent(entry: &Entry, history: &[HistoryEntry]) -> bool {
    let is_wanted = matches!(&entry.assignment.target, Target::Content(content) if content.chart.name == OWN_CHART);
    is_wanted || history.last().is_some_and(|latest| is_own_label(&latest.chart))
}

/// `<chart>-<version>` of our chart; not of one that is only named alike.
fn is_own_label(label: &str) -> bool {
    let version = label.strip_prefix(OWN_CHART).and_then(|rest| rest.strip_prefix('-'));
    version.is_some_and(|version| version.starts_with(|first: char| first.is_ascii_digit()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::agent::tests::{FakeHelm, World, assignment, back, content, forward, taken};
    use crate::agent::{HelmCall, Ledger, Offer, Refusal, Step, offer};
    use crate::assignment::{Assignment, Content, Drift};
    use crate::id::Namespace;
    use crate::report::Phase;

    fn moved(assignment: Assignment) -> Assignment {
        Assignment { namespace: Namespace::new("elsewhere").unwrap(), ..assignment }
    }

    fn at_home(helm: FakeHelm) -> World {
        let mut world = World::new(helm);
        world.own_namespace = Some(Namespace::new("beacon").unwrap());
        world
    }

    fn own(version: &str) -> Content {
        let mut content = content(version);
        content.chart.name = OWN_CHART.into();
        content
    }

    #[test]
    fn only_what_is_older_is_refused_in_silence() {
        let mut world = World::new(FakeHelm::default());
        world.give(&forward(5, "1.0.0"));
        world.settle();
        let refused = |assignment: &Assignment| match offer(&world.ledger, assignment) {
            Offer::Refuse(Refusal { is_stale, .. }) => Some(is_stale),
            _ => None,
        };
        assert_eq!(refused(&forward(4, "1.0.0")), Some(true), "older generation");
        let mut old_leader = forward(6, "1.0.0");
        old_leader.epoch.number = 1;
        assert_eq!(refused(&old_leader), Some(true), "older leader");
        assert_eq!(refused(&forward(5, "2.0.0")), Some(false), "other content");
        assert_eq!(refused(&moved(forward(6, "2.0.0"))), Some(false), "moved");
        for target in [Target::Content(content("1.0.0")), Target::HelmRevision(1), Target::Uninstalled] {
            assert_eq!(refused(&moved(back(6, target))), Some(false), "moved on the way back");
        }
    }

    #[test]
    fn a_release_that_was_never_begun_may_move() {
        let ledger = taken(&Ledger::default(), &forward(1, "1.0.0"));
        assert!(matches!(offer(&ledger, &moved(forward(2, "1.0.0"))), Offer::Accept(_)));
        let mut world = World::new(FakeHelm::default());
        world.give(&forward(1, "1.0.0"));
        world.run_helm(crate::agent::tests::Cut::Failing);
        world.settle();
        world.give(&forward(2, "1.0.1"));
        assert!(matches!(offer(&world.ledger, &moved(forward(3, "1.0.1"))), Offer::Refuse(_)), "its failed install is still there");
    }

    #[test]
    fn the_agents_own_release_is_left_alone_whatever_it_is_called() {
        let mut helm = FakeHelm::default();
        helm.by_hand("groundswell-agent-0.1.0");
        for target in [Target::Content(content("1.0.0")), Target::Content(own("0.2.0")), Target::HelmRevision(9), Target::Uninstalled] {
            let mut world = at_home(helm.clone());
            world.give(&assignment(1, target));
            let end = world.settle();
            assert_eq!((end.step, end.phase), (Step::Rest, Phase::Refused));
            assert!(end.message.contains("does not upgrade itself"), "{}", end.message);
            assert!(world.runs.is_empty());
        }
        let mut world = at_home(FakeHelm::default());
        world.give(&assignment(1, Target::Content(own("0.2.0"))));
        assert_eq!(world.settle().phase, Phase::Refused, "a second agent in the first one's place");
    }

    #[test]
    fn only_the_agents_own_release_is_the_agents_own() {
        let mut named_alike = FakeHelm::default();
        named_alike.by_hand("groundswell-agent-dashboard-1.0.0");
        let mut world = at_home(named_alike);
        world.give(&forward(1, "1.0.0"));
        assert_eq!(world.settle().step, Step::Watch { revision: 2 }, "another release in its namespace");
        let mut elsewhere = World::new(FakeHelm::default());
        elsewhere.own_namespace = Some(Namespace::new("groundswell").unwrap());
        elsewhere.give(&assignment(1, Target::Content(own("0.2.0"))));
        assert_eq!(elsewhere.settle().step, Step::Watch { revision: 1 }, "an agent for somebody else");
    }

    #[test]
    fn going_back_to_where_the_agents_own_release_stands_is_no_work() {
        let mut helm = FakeHelm::default();
        helm.by_hand("groundswell-agent-0.1.0");
        let mut world = at_home(helm);
        world.give(&forward(1, "1.0.0"));
        world.settle();
        world.give(&back(2, Target::HelmRevision(1)));
        assert_eq!(world.settle().step, Step::Watch { revision: 1 });
        assert!(world.runs.is_empty());
    }

    #[test]
    fn no_helm_call_has_more_rights_than_were_asked_for() {
        let as_account = |assignment| Assignment { service_account: Some("deployer".into()), ..assignment };
        let mut installed = World::new(FakeHelm::default());
        installed.give(&forward(1, "1.0.0"));
        installed.settle();
        installed.give(&forward(2, "2.0.0"));
        installed.settle();
        for wanted in [forward(3, "3.0.0"), back(3, Target::HelmRevision(1)), assignment(3, Target::Uninstalled)] {
            let mut world = World::new(installed.helm.clone());
            world.ledger = installed.ledger.clone();
            world.give(&as_account(wanted));
            let end = world.settle();
            assert_eq!(end.phase, Phase::Refused, "{}", end.message);
            assert!(end.message.contains("ServiceAccount deployer"), "{}", end.message);
            assert!(world.runs.is_empty());
        }
        installed.give(&as_account(back(3, Target::HelmRevision(2))));
        assert_eq!(installed.settle().step, Step::Watch { revision: 2 }, "already there: nobody's rights are needed");
    }

    #[test]
    fn who_wants_drift_corrected_is_told_that_it_is_not() {
        let mut world = World::new(FakeHelm::default());
        world.give(&Assignment { drift: Drift::Correct, ..forward(1, "1.0.0") });
        world.settle();
        assert!(world.entry().notes[0].contains("not carried out"), "{:?}", world.entry().notes);
        assert!(matches!(world.runs[0].0, HelmCall::Upgrade { .. }));
        world.give(&forward(2, "1.0.1"));
        assert!(world.entry().notes.is_empty());
    }
}
