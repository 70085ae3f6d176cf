//! What this version refuses although the documents may say it.

use super::layout::Subject;
use super::prepare::Wish;
use crate::coordinator::Refused;
use crate::coordinator::sessions::Sessions;
use crate::coordinator::state::State;
use groundswell_core::assignment::{Drift, Target};
use groundswell_core::report::Phase;
use std::collections::BTreeMap;

/// The chart of the agent, and the name that its release has unless somebody chose another.
const AGENT: &str = "groundswell-agent";

/// Names in a refusal.
const MAX_SHOWN: usize = 5;

/// What the agents of this version do not carry out is no promise that a document may rely on.
pub(super) fn check_supported(wish: &Wish) -> Result<(), Refused> {
    let spec = &wish.release.spec;
    let refuse = |what: &str, why: &str, place: String, next: &str| {
        Err(Refused::new(crate::coordinator::RefusalKind::Invalid, "GS-UNSUPPORTED", what, why).at(place).next(next))
    };
    if spec.drift == Drift::Correct {
        let why = "agents report drift and do not correct it yet; that comes in a later release";
        return refuse("spec.drift correct", why, wish.source.clone(), "write `drift: report`, or leave it out");
    }
    if let Some(account) = &spec.service_account {
        let why = "agents do not act as another ServiceAccount yet; that comes in a later release";
        return refuse("spec.serviceAccount", why, format!("{}:{}", wish.source, account.at), "leave it out: the agent's own rights count");
    }
    Ok(())
}

/// Helm cannot move a release to another namespace: it would install a second one beside it.
pub(super) fn check_namespace(state: &State, wish: &Wish, subjects: &[Subject]) -> Result<(), Refused> {
    let (name, namespace) = (&wish.release.name.value, &wish.release.spec.namespace);
    let mut elsewhere: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for subject in subjects {
        let Some(known) = state.cluster_release(name, &subject.name) else { continue };
        let Some(assignment) = &known.assignment else { continue };
        let is_there = matches!(assignment.target, Target::Content(_) | Target::HelmRevision(_));
        // Refused before it began: nothing is there.
        let is_refused = known.last_good.is_none() && known.current_report().is_some_and(|report| report.phase == Phase::Refused);
        if is_there && !is_refused && assignment.namespace != namespace.value {
            elsewhere.entry(assignment.namespace.as_str()).or_default().push(subject.name.as_str());
        }
    }
    if elsewhere.is_empty() {
        return Ok(());
    }
    let found: Vec<String> = elsewhere.iter().map(|(namespace, names)| format!("in {namespace} in {}", listed(names))).collect();
    let why = format!("it is installed {}, and Helm cannot move it", found.join("; "));
    Err(Refused::conflict("GS-NAMESPACE", format!("release {name} into namespace {}", namespace.value), why)
        .at(format!("{}:{}", wish.source, namespace.at))
        .next(format!("groundswell delete {name} --uninstall and apply then, or choose a new name for the release")))
}

/// An agent that replaces itself is killed in the middle of it, and nobody is left to take that back.
pub(super) fn check_agent(sessions: &Sessions, wish: &Wish, subjects: &[Subject]) -> Result<(), Refused> {
    let (name, namespace) = (&wish.release.name, &wish.release.spec.namespace);
    let next = "upgrade agents with helm; give the release another name and namespace";
    if name.value.as_str() == AGENT {
        let why = "the agent does not upgrade itself: it would be stopped in the middle of it";
        let refused = Refused::invalid("GS-AGENT", format!("release {AGENT}"), why);
        return Err(refused.at(format!("{}:{}", wish.source, name.at)).next(next));
    }
    let is_agent = |release: &str, chart: &str| {
        let version = chart.strip_prefix(AGENT).and_then(|rest| rest.strip_prefix('-'));
        release == AGENT || version.is_some_and(|version| version.starts_with(|c: char| c.is_ascii_digit()))
    };
    let holds_agent = |subject: &&Subject| {
        let found = sessions.live(&subject.name).found;
        found.iter().any(|found| found.namespace == namespace.value.as_str() && is_agent(&found.name, &found.chart))
    };
    let names: Vec<&str> = subjects.iter().filter(holds_agent).map(|subject| subject.name.as_str()).collect();
    if names.is_empty() {
        return Ok(());
    }
    let why = format!("the agent itself lives there in {}; what goes wrong beside it could stop it", listed(&names));
    let refused = Refused::invalid("GS-AGENT", format!("namespace {}", namespace.value), why);
    Err(refused.at(format!("{}:{}", wish.source, namespace.at)).next(next))
}

fn listed(names: &[&str]) -> String {
    let shown = names.iter().take(MAX_SHOWN).copied().collect::<Vec<_>>().join(", ");
    if names.len() > MAX_SHOWN { format!("{shown} and {} more", names.len() - MAX_SHOWN) } else { shown }
}
