//! The solver against a second, dumber one that tries every rising row of versions.

use super::super::rule::{Origin, Place, Rule, Step};
use super::super::set::RuleSet;
use super::super::{NoRoute, Question, Route, Stand, solve};
use super::version;
use crate::constraint::{Constraint, Version};
use proptest::prelude::*;
use std::collections::BTreeMap;

/// Minors of Kubernetes that the generated rules tell apart.
const MINORS: std::ops::Range<u64> = 16..21;
/// What lies below and above them is all the same, but it is there.
const BELOW: u64 = 9;
const ABOVE: u64 = 40;

/// Each costs up to 256 rows of versions; so many take two seconds.
const CASES: u32 = 200;

/// What a way costs: hops, then steps by hand and upgrades of the cluster.
type Price = (usize, usize);

/// A version with the number of its chart.
type Place2 = (usize, Version);

struct Oracle<'a> {
    set: &'a RuleSet,
    from: Place2,
    to: Place2,
    /// Whether the versions of its Kubernetes have a vendor's suffix.
    vendor: bool,
}

/// A version of Kubernetes, of a vendor or not.
fn patch(minor: u64, vendor: bool) -> Version {
    if vendor { version(&format!("v1.{minor}.99-gke.7")) } else { Version::new(1, minor, 99) }
}

impl Oracle<'_> {
    fn chart(name: &str) -> usize {
        usize::from(name == "new")
    }

    fn takes(range: &Option<Constraint>, version: &Version) -> bool {
        range.as_ref().is_none_or(|range| range.matches(version))
    }

    fn published(&self, chart: usize) -> Vec<Version> {
        self.set.charts[["old", "new"][chart]].versions.iter().cloned().collect()
    }

    fn skipped(&self, at: &Place2) -> bool {
        let hit = |rule: &&Rule| Self::chart(&rule.chart) == at.0 && rule.skip.as_ref().is_some_and(|range| range.matches(&at.1));
        self.set.rules.iter().any(|rule| hit(&rule))
    }

    /// Whether a step falls under a rule.
    fn crosses(&self, rule: &Rule, a: &Place2, b: &Place2) -> bool {
        let (rule_from, rule_to) = (Self::chart(&rule.from_chart), Self::chart(&rule.chart));
        if a.0 == b.0 || rule_from != rule_to {
            return rule_from == a.0 && rule_to == b.0 && Self::takes(&rule.from, &a.1) && Self::takes(&rule.to, &b.1);
        }
        // Over a change of name: seen from the old chart the step goes beyond its newest, seen from the new one it comes from before
        // its oldest.
        let (begin, end) = if rule_to == a.0 {
            (a.1.clone(), self.published(a.0).last().cloned())
        } else {
            (self.published(b.0).first().cloned().unwrap_or_else(|| b.1.clone()), Some(b.1.clone()))
        };
        Self::takes(&rule.from, &begin) && end.is_none_or(|end| Self::takes(&rule.to, &end))
    }

    /// Whether standing at a version counts as the stop that a rule wants.
    fn is_stop(&self, rule: &Rule, range: &Constraint, at: &Place2) -> bool {
        let chart = Self::chart(&rule.chart);
        if at.0 != chart || !range.matches(&at.1) {
            return false;
        }
        let end = *at == self.from || *at == self.to;
        let mut all = self.published(chart);
        all.extend([&self.from, &self.to].into_iter().filter(|end| end.0 == chart).map(|end| end.1.clone()));
        let newest = all.into_iter().filter(|v| range.matches(v) && !self.skipped(&(chart, v.clone()))).max();
        end || newest.as_ref() == Some(&at.1)
    }

    fn may(&self, a: &Place2, b: &Place2) -> bool {
        let named = a.0 == b.0 || self.set.rules.iter().any(|rule| rule.renames() && self.crosses(rule, a, b));
        let stops = |rule: &Rule| match &rule.must_stop_at {
            Some(range) if self.crosses(rule, a, b) => self.is_stop(rule, range, a) || self.is_stop(rule, range, b),
            _ => true,
        };
        named && !self.skipped(b) && self.set.rules.iter().all(stops)
    }

    fn chores(&self, a: &Place2, b: &Place2) -> usize {
        let mut lists: [Vec<&Step>; 2] = [Vec::new(), Vec::new()];
        for rule in self.set.rules.iter().filter(|rule| self.crosses(rule, a, b)) {
            for (list, steps) in lists.iter_mut().zip([&rule.before, &rule.after]) {
                for step in steps {
                    if !list.contains(&step) {
                        list.push(step);
                    }
                }
            }
        }
        lists.iter().map(Vec::len).sum()
    }

    /// Whether a cluster can run a minor while the release stands somewhere.
    fn bears(&self, at: &Place2, minor: u64) -> bool {
        let rules = self.set.rules.iter().filter(|rule| Self::chart(&rule.chart) == at.0 && Self::takes(&rule.to, &at.1));
        rules.filter_map(|rule| rule.needs_kubernetes.as_ref()).all(|range| range.matches(&patch(minor, self.vendor)))
    }

    /// The fewest upgrades of the cluster on a row of versions, by trying all minors for each hop.
    fn upgrades(&self, row: &[Place2], kubernetes: Option<u64>) -> Option<usize> {
        let all: Vec<u64> = [BELOW].into_iter().chain(MINORS).chain([ABOVE]).collect();
        let start: Vec<u64> = match kubernetes {
            Some(minor) => vec![minor],
            None => all.iter().copied().filter(|minor| self.bears(&row[0], *minor)).collect(),
        };
        let mut runs: BTreeMap<u64, usize> = start.into_iter().map(|minor| (minor, 0)).collect();
        for pair in row.windows(2) {
            let mut next: BTreeMap<u64, usize> = BTreeMap::new();
            for (minor, price) in &runs {
                for reached in all.iter().filter(|reached| *reached >= minor) {
                    let way = (*minor..=*reached).all(|step| self.bears(&pair[0], step));
                    if (reached == minor || way) && self.bears(&pair[1], *reached) {
                        let price = price + usize::from(reached != minor);
                        next.entry(*reached).and_modify(|old| *old = price.min(*old)).or_insert(price);
                    }
                }
            }
            runs = next;
        }
        runs.into_values().min()
    }

    /// What a row of versions costs, if it keeps the rules.
    fn price(&self, row: &[Place2], kubernetes: Option<u64>) -> Option<Price> {
        let kept = row.windows(2).all(|pair| self.may(&pair[0], &pair[1]));
        let upgrades = if kept { self.upgrades(row, kubernetes)? } else { return None };
        let chores: usize = row.windows(2).map(|pair| self.chores(&pair[0], &pair[1])).sum();
        Some((row.len() - 1, chores + upgrades))
    }

    /// The best price of all rows.
    fn best(&self, kubernetes: Option<u64>) -> Option<Price> {
        let mut between: Vec<Place2> = (0..2).flat_map(|chart| self.published(chart).into_iter().map(move |v| (chart, v))).collect();
        between.retain(|at| *at > self.from && *at < self.to);
        let rows = 0u32..1 << between.len();
        let row = |picks: u32| {
            let picked = between.iter().enumerate().filter(move |(index, _)| picks & 1 << index != 0).map(|(_, at)| at.clone());
            std::iter::once(self.from.clone()).chain(picked).chain([self.to.clone()]).collect::<Vec<_>>()
        };
        rows.filter_map(|picks| self.price(&row(picks), kubernetes)).min()
    }
}

fn range() -> impl Strategy<Value = Option<Constraint>> {
    let number = 1u64..6;
    let text = prop_oneof![
        3 => number.clone().prop_map(|n| format!("<{n}")),
        3 => number.clone().prop_map(|n| format!(">={n}")),
        1 => number.clone().prop_map(|n| format!("{n}.x")),
        1 => (number.clone(), number).prop_map(|(a, b)| format!(">={a} <{b}")),
    ];
    proptest::option::weighted(0.85, text.prop_map(|text| Constraint::parse(&text).unwrap()))
}

fn kubernetes() -> impl Strategy<Value = Option<Constraint>> {
    let text = prop_oneof![
        MINORS.prop_map(|n| format!("<1.{n}.0-0")),
        MINORS.prop_map(|n| format!(">=1.{n}.0-0")),
        MINORS.prop_map(|n| format!(">=1.{n}")),
        MINORS.prop_map(|n| format!("<1.{n} || >1.{n}")),
    ];
    proptest::option::of(text.prop_map(|text| Constraint::parse(&text).unwrap()))
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![Just(Step::ApplyCrds), "[ab]".prop_map(Step::Text)]
}

/// A rule that says nothing.
fn plain(chart: &str) -> Rule {
    Rule {
        id: String::new(),
        chart: chart.to_owned(),
        from_chart: chart.to_owned(),
        from: None,
        to: None,
        must_stop_at: None,
        skip: None,
        needs_kubernetes: None,
        before_kubernetes: None,
        before: Vec::new(),
        after: Vec::new(),
        no_way_back: None,
        tests: Vec::new(),
        source: "generated".to_owned(),
        note: None,
        replaces: None,
        place: Place::default(),
        origin: Origin::Operator,
        proofs: Vec::new(),
    }
}

/// 0 and 1 are stops, 2 is a skip, 3 and 4 need a Kubernetes, 5 and 6 are steps by hand.
fn rule(effects: std::ops::Range<i32>) -> impl Strategy<Value = Rule> {
    (effects, any::<bool>(), range(), range(), range(), kubernetes(), proptest::collection::vec(step(), 0..2)).prop_map(
        |(effect, new, from, to, other, kubernetes, steps)| {
            let mut rule = Rule { from, to, before: steps, ..plain(if new { "new" } else { "old" }) };
            match effect {
                0 | 1 => rule.must_stop_at = other,
                2 => rule.skip = other.filter(|range| !range.to_string().contains('<')),
                3 | 4 => rule.needs_kubernetes = kubernetes,
                5 => std::mem::swap(&mut rule.before, &mut rule.after),
                _ => {}
            }
            rule
        },
    )
}

prop_compose! {
    fn rules()(mut rules in proptest::collection::vec(rule(0..7), 0..7), from in range(), to in range(),
               old in proptest::collection::btree_set((1u64..6, 0u64..2), 1..5), new in proptest::collection::btree_set((1u64..6, 0u64..2), 1..5))
        -> RuleSet {
        rules.push(Rule { from_chart: "old".to_owned(), from, to, before: vec![Step::Text("rename".to_owned())], ..plain("new") });
        rules.iter_mut().enumerate().for_each(|(index, rule)| rule.id = format!("r{index}"));
        let mut set = RuleSet { rules, ..RuleSet::default() };
        set.publish("old", old.into_iter().map(|(major, minor)| Version::new(major, minor, 0)));
        set.publish("new", new.into_iter().map(|(major, minor)| Version::new(major, minor, 0)));
        set
    }
}

prop_compose! {
    /// Two names with a change of name in the middle, so that many ways have the same number of hops.
    fn level(effects: std::ops::Range<i32>)(mut rules in proptest::collection::vec(rule(effects), 1..8)) -> RuleSet {
        let mut set = RuleSet::default();
        for name in ["old", "new"] {
            set.publish(name, (1..5).map(|major| Version::new(major, 0, 0)));
        }
        rules.push(Rule {
            from_chart: "old".to_owned(), from: Some(Constraint::parse(">=2").unwrap()), to: Some(Constraint::parse("<4").unwrap()),
            ..plain("new")
        });
        rules.iter_mut().enumerate().for_each(|(index, rule)| rule.id = format!("r{index}"));
        RuleSet { rules, ..set }
    }
}

fn through(set: &RuleSet, cluster: Option<(u64, bool)>) -> (Oracle<'_>, Question) {
    let from = Stand { chart: "old".to_owned(), version: version("1.0.0") };
    let kube = cluster.map(|(minor, vendor)| patch(minor, vendor));
    let vendor = cluster.is_some_and(|(_, vendor)| vendor);
    let question = Question { from, to_chart: Some("new".to_owned()), to: version("4.0.0"), kubernetes: kube };
    (Oracle { set, from: (0, version("1.0.0")), to: (1, version("4.0.0")), vendor }, question)
}

/// What the solver says the way costs, and that it is told truly.
fn check(oracle: &Oracle<'_>, route: &Route, kubernetes: Option<u64>) -> Result<Price, TestCaseError> {
    let place = |stand: &Stand| (Oracle::chart(&stand.chart), stand.version.clone());
    let row: Vec<Place2> = std::iter::once(&route.from).chain(route.hops.iter().map(|hop| &hop.stand)).map(place).collect();
    prop_assert!(row.windows(2).all(|pair| pair[0] < pair[1]), "not rising: {row:?}");
    for hop in &route.hops[..route.hops.len() - 1] {
        prop_assert!(!hop.why.is_empty(), "no reason to stop at {}", hop.stand);
    }
    for upgrade in route.hops.iter().filter_map(|hop| hop.cluster_upgrade.as_ref()) {
        prop_assert!(!upgrade.why.is_empty(), "no reason to upgrade the cluster at {}", upgrade.at);
    }
    let told = (route.hops.len(), route.manual_steps);
    prop_assert_eq!(oracle.price(&row, kubernetes), Some(told), "the way breaks a rule or is told wrongly: {:?}", row);
    Ok(told)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: CASES, ..ProptestConfig::default() })]

    #[test]
    fn as_good_as_trying_everything(
        set in rules(), ends in any::<(proptest::sample::Index, proptest::sample::Index)>(),
        cluster in proptest::option::of((MINORS, any::<bool>())),
    ) {
        let all: Vec<Place2> = ["old", "new"].iter().enumerate()
            .flat_map(|(chart, name)| set.charts[*name].versions.iter().map(move |v| (chart, v.clone()))).collect();
        let (a, b) = (ends.0.get(&all).clone(), ends.1.get(&all).clone());
        if a == b {
            return Ok(());
        }
        let (from, to) = (a.clone().min(b.clone()), a.max(b));
        let stand = |at: &Place2| Stand { chart: ["old", "new"][at.0].to_owned(), version: at.1.clone() };
        let question = Question {
            from: stand(&from), to_chart: Some(stand(&to).chart), to: to.1.clone(),
            kubernetes: cluster.map(|(minor, vendor)| patch(minor, vendor)),
        };
        let vendor = cluster.is_some_and(|(_, vendor)| vendor);
        compare(&Oracle { set: &set, from, to, vendor }, &question, cluster.map(|(minor, _)| minor))?;
    }

    #[test]
    fn steps_by_hand_decide(set in level(5..7)) {
        let (oracle, question) = through(&set, None);
        compare(&oracle, &question, None)?;
    }

    #[test]
    fn the_cluster_goes_along(set in level(3..6), cluster in proptest::option::of((MINORS, any::<bool>()))) {
        let (oracle, question) = through(&set, cluster);
        compare(&oracle, &question, cluster.map(|(minor, _)| minor))?;
    }
}

fn compare(oracle: &Oracle<'_>, question: &Question, kubernetes: Option<u64>) -> Result<(), TestCaseError> {
    let best = oracle.best(kubernetes);
    match solve(oracle.set, question) {
        Ok(route) => {
            prop_assert_eq!(Some(check(oracle, &route, kubernetes)?), best);
            prop_assert_eq!(&solve(oracle.set, question).unwrap(), &route);
        }
        Err(NoRoute::Blocked { by, .. }) => {
            prop_assert_eq!(best, None);
            blames_no_innocent(oracle.set, question, &by)?;
        }
        Err(other) => prop_assert!(false, "{}", other),
    }
    Ok(())
}

/// With only the blamed rules there is no way either, and without any one of them there is one.
fn blames_no_innocent(set: &RuleSet, question: &Question, by: &[super::super::Blocking]) -> Result<(), TestCaseError> {
    let without = |spare: &dyn Fn(&Rule) -> bool| {
        let mut set = set.clone();
        for rule in set.rules.iter_mut().filter(|rule| !spare(rule)) {
            (rule.must_stop_at, rule.skip, rule.needs_kubernetes) = (None, None, None);
        }
        solve(&set, question)
    };
    let blamed = |rule: &Rule| by.iter().any(|blocking| blocking.rule == rule.id);
    prop_assert!(without(&blamed).is_err(), "the blamed rules do not block: {by:?}");
    for one in by {
        let spare = |rule: &Rule| blamed(rule) && rule.id != one.rule;
        prop_assert!(without(&spare).is_ok(), "{} is blamed for nothing: {by:?}", one.rule);
    }
    Ok(())
}

#[test]
fn the_oracle_knows_a_way() {
    let mut set = RuleSet::default();
    set.publish("old", ["1.0.0", "2.0.0", "3.0.0"].map(version));
    set.publish("new", []);
    let oracle = Oracle { set: &set, from: (0, version("1.0.0")), to: (0, version("3.0.0")), vendor: false };
    assert_eq!(oracle.best(None), Some((1, 0)));
}
