//! What renders add to a way that was found, beside its rules: blockers, and the names that people see.

use super::evidence::{Evidence, Seen};
use super::graph::Stand;
use super::route::{Chore, Reason, Route};
use crate::constraint::Version;

/// What stands for the name of the release in rules.
const RELEASE: &str = "RELEASE";
/// As in the rules about Kubernetes: a cluster is upgraded to the newest patch of a minor.
const NEWEST_PATCH: u64 = 99;

/// What the cluster runs around a hop, where that is known.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Ran {
    /// When the release came to where the hop begins.
    pub before: Option<Version>,
    /// At the hop; another one where the cluster is upgraded before it.
    pub at: Option<Version>,
}

impl Ran {
    /// What it runs at the hop, for people: of a minor that it is upgraded to nobody knows the patch.
    #[must_use]
    pub fn words(&self) -> Option<String> {
        let version = self.at.as_ref()?;
        Some(if version.patch() == NEWEST_PATCH { format!("{}.{}", version.major(), version.minor()) } else { version.to_string() })
    }
}

impl Route {
    /// The steps from version to version, each with what the cluster runs then.
    #[must_use]
    pub fn legs(&self) -> Vec<(Stand, Stand, Ran)> {
        let (mut here, mut runs) = (&self.from, self.kubernetes.clone());
        let mut legs = Vec::with_capacity(self.hops.len());
        for hop in &self.hops {
            let mut before = runs.clone();
            if let Some(upgrade) = &hop.cluster_upgrade {
                // It is upgraded once more at each stop on the way, so its manifest is of the last one.
                let last = upgrade.stops.iter().rev().find(|stop| stop.certain && stop.upgrade_again);
                let other = |runs: &Version, on: &str| format!("1.{}", runs.minor()) != on;
                if let Some((stop, _)) = last.zip(runs.as_ref()).filter(|(stop, runs)| other(runs, &stop.on)) {
                    before = newest(&stop.on);
                }
                runs = upgrade.to.from.as_deref().map_or(runs, newest);
            }
            legs.push((here.clone(), hop.stand.clone(), Ran { before, at: runs.clone() }));
            here = &hop.stand;
        }
        legs
    }

    /// Tells at each hop what stops it, as the renders of its two versions showed.
    pub fn block(&mut self, evidence: &[Evidence]) {
        let mut here = self.from.clone();
        for hop in &mut self.hops {
            let of_hop = evidence.iter().filter(|one| one.from == here && one.to == hop.stand);
            let blocker = |one: &Evidence| if let Seen::Blocks(claim) = &one.seen { Some((**claim).clone()) } else { None };
            hop.blockers = of_hop.filter_map(blocker).collect();
            here = hop.stand.clone();
        }
    }

    /// The numbers of the hops that are blocked.
    #[must_use]
    pub fn blocked_at(&self) -> Vec<usize> {
        self.hops.iter().filter(|hop| !hop.blockers.is_empty()).map(|hop| hop.number).collect()
    }

    /// Writes the name of the release where the rules say `RELEASE`, in what people read; the data of the steps stays as it is.
    pub fn name_release(&mut self, name: &str) {
        let chore = |chore: &mut Chore| [&mut chore.words].into_iter().chain(&mut chore.contradicted).for_each(|words| named(words, name));
        let chores = |list: &mut Vec<Chore>| list.iter_mut().for_each(chore);
        let reasons = |list: &mut Vec<Reason>| list.iter_mut().for_each(|reason| named(&mut reason.words, name));
        for hop in &mut self.hops {
            [&mut hop.before, &mut hop.after].into_iter().for_each(chores);
            [&mut hop.tests, &mut hop.no_way_back].into_iter().for_each(reasons);
            hop.cluster_upgrade.iter_mut().flat_map(|upgrade| &mut upgrade.stops).for_each(|stop| chores(&mut stop.steps));
            hop.going_back.iter_mut().for_each(|words| named(words, name));
        }
        self.findings.iter_mut().for_each(|finding| named(&mut finding.words, name));
    }
}

/// The newest patch of a minor.
fn newest(minor: &str) -> Option<Version> {
    Version::parse(&format!("{minor}.{NEWEST_PATCH}")).ok()
}

/// Replaces the word, and not a part of another one.
fn named(text: &mut String, name: &str) {
    let part = |c: Option<char>| c.is_some_and(|c| c.is_alphanumeric() || c == '_');
    let mut out = String::with_capacity(text.len());
    let mut rest = text.as_str();
    while let Some(at) = rest.find(RELEASE) {
        let (before, after) = (&rest[..at], &rest[at + RELEASE.len()..]);
        out.push_str(before);
        let inside = part(out.chars().next_back()) || part(after.chars().next());
        out.push_str(if inside { RELEASE } else { name });
        rest = after;
    }
    out.push_str(rest);
    *text = out;
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::path::{RuleSet, Step, solve, tests::question};

    #[test]
    fn the_release_is_named_for_people() {
        let set = RuleSet::shipped().unwrap();
        let mut route = solve(&set, &question("kube-prometheus-stack", "21.0.5", "22.1.0", Some("1.20.0"))).unwrap();
        route.name_release("mon");
        let chore = route.hops[0].before.iter().find(|chore| matches!(chore.step, Step::DeleteOrphan(_))).unwrap();
        assert!(chore.words.contains("app.kubernetes.io/instance=mon,"), "{}", chore.words);
        assert!(matches!(&chore.step, Step::DeleteOrphan(object) if object.to_string().contains("instance=RELEASE,")));
        for (text, wanted) in
            [("RELEASE-grafana", "a-grafana"), ("RELEASES and MY_RELEASE", "RELEASES and MY_RELEASE"), ("x RELEASE", "x a")]
        {
            let mut said = text.to_owned();
            named(&mut said, "a");
            assert_eq!(said, wanted);
        }
    }

    #[test]
    fn each_hop_knows_what_the_cluster_runs() {
        let set = RuleSet::shipped().unwrap();
        let route = solve(&set, &question("kube-prometheus-stack", "22.1.0", "80.14.4", Some("1.22.4"))).unwrap();
        let legs = route.legs();
        let runs: Vec<String> = (legs.iter())
            .map(|(_, to, ran)| {
                let said = |version: &Option<Version>| version.as_ref().map(ToString::to_string).unwrap_or_default();
                format!("{} {}→{}", to.version, said(&ran.before), said(&ran.at))
            })
            .collect();
        let upgraded = route.hops.iter().position(|hop| hop.cluster_upgrade.is_some()).unwrap();
        assert!(runs[..upgraded].iter().all(|leg| leg.ends_with("1.22.4→1.22.4")), "{runs:?}");
        // At its last stop before 1.25 the release was upgraded once more.
        assert!(runs[upgraded].ends_with(" 1.24.99→1.25.99"), "{runs:?}");
        assert!(runs[upgraded + 1..].iter().all(|leg| leg.ends_with("1.25.99→1.25.99")), "{runs:?}");
    }
}
