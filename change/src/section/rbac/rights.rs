//! The rules of a role, taken apart into single rights.

use std::collections::BTreeSet;

use serde_json::Value;

use super::super::read::{list, texts};

/// Most single rights that are taken from one role: one that names a hundred resources of five groups with ten verbs each has 5,000.
pub(super) const MOST: usize = 5_000;

/// Longest text of a right. Names in Kubernetes have at most 253 letters; without a limit a rule would be its square in memory.
const LONGEST: usize = 256;

/// One right.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Right {
    /// A verb on a resource.
    On { group: String, resource: String, verb: String, name: Option<String> },
    /// A verb on a URL that is no resource.
    Url { url: String, verb: String },
    /// All that a role gives that is not of this chart.
    Role { kind: String, name: String },
}

impl Right {
    /// Whether nothing in a cluster is kept from whoever holds it everywhere.
    pub(super) fn is_everything(&self) -> bool {
        match self {
            Self::On { group, resource, verb, name } => group == "*" && resource == "*" && verb == "*" && name.is_none(),
            Self::Role { kind, name } => kind == "ClusterRole" && name == "cluster-admin",
            Self::Url { .. } => false,
        }
    }

    /// Whether it stands for more than it names.
    fn is_wide(&self) -> bool {
        match self {
            Self::On { group, resource, verb, .. } => group == "*" || verb == "*" || resource.starts_with('*'),
            Self::Url { url, verb } => verb == "*" || url.ends_with('*'),
            Self::Role { .. } => true,
        }
    }

    /// All that would give it too. They are looked up: to go through what somebody holds for each of his rights takes its square.
    fn given_by(&self) -> Vec<Self> {
        let any = |one: &String| [one.clone(), "*".to_owned()];
        let mut all = Vec::new();
        match self {
            Self::On { group, resource, verb, name } => {
                let part = resource.split_once('/').map(|(_, part)| format!("*/{part}"));
                let names: BTreeSet<Option<String>> = [name.clone(), None].into();
                for resource in any(resource).into_iter().chain(part) {
                    for (group, verb) in any(group).into_iter().flat_map(|group| any(verb).map(|verb| (group.clone(), verb))) {
                        let named = |name| Self::On { group: group.clone(), resource: resource.clone(), verb: verb.clone(), name };
                        all.extend(names.iter().cloned().map(named));
                    }
                }
            }
            Self::Url { url, verb } => {
                let starts = url.char_indices().map(|(at, _)| at).chain([url.len()]).map(|at| format!("{}*", &url[..at]));
                let urls: Vec<String> = starts.chain([url.clone()]).collect();
                all.extend(any(verb).iter().flat_map(|verb| urls.iter().map(|url| Self::Url { url: url.clone(), verb: verb.clone() })));
            }
            Self::Role { .. } => {}
        }
        all
    }
}

/// Single rights.
#[derive(Debug, Clone, Default)]
pub(super) struct Rights {
    pub(super) all: BTreeSet<Right>,
    /// Whether there are more than these.
    pub(super) cut: bool,
}

impl Rights {
    /// The rules of a role; the first `most` rights of them.
    pub(super) fn of(role: &Value, most: usize) -> Self {
        let mut cut = false;
        let mut rules: Vec<Rule<'_>> = list(role, &["rules"]).iter().map(|rule| Rule::read(rule, &mut cut)).collect();
        // What gives everything is a short rule, and must not be lost behind a long one.
        rules.sort_by_cached_key(Rule::size);
        let mut rights = rules.iter().flat_map(Rule::rights);
        let all = rights.by_ref().take(most).collect();
        Self { all, cut: cut || rights.next().is_some() }
    }

    /// Whether somebody with these has that one. Where there are more than these, what names one thing alone may be among them.
    pub(super) fn give(&self, right: &Right) -> bool {
        self.all.contains(right) || right.given_by().iter().any(|one| self.all.contains(one)) || (self.cut && !right.is_wide())
    }
}

/// Whether two roles give the same, however their rules are split. Of roles that are too large to be taken apart nobody knows.
pub(crate) fn same_rights(old: &Value, new: &Value) -> bool {
    if list(old, &["rules"]) == list(new, &["rules"]) {
        return true;
    }
    let (old, new) = (Rights::of(old, MOST), Rights::of(new, MOST));
    !old.cut && !new.cut && old.all == new.all
}

/// A rule, in one order. What a wildcard stands for is left out.
struct Rule<'v> {
    verbs: BTreeSet<&'v str>,
    groups: BTreeSet<&'v str>,
    resources: BTreeSet<&'v str>,
    names: BTreeSet<Option<&'v str>>,
    urls: BTreeSet<&'v str>,
}

impl<'v> Rule<'v> {
    fn read(rule: &'v Value, cut: &mut bool) -> Self {
        let mut of = |key: &str, any: bool| {
            let all: BTreeSet<&str> = texts(rule, &[key]).collect();
            if any && all.contains("*") {
                return BTreeSet::from(["*"]);
            }
            let count = all.len();
            let short: BTreeSet<&str> = all.into_iter().filter(|text| text.len() <= LONGEST).collect();
            *cut |= short.len() < count;
            short
        };
        let mut names: BTreeSet<Option<&str>> = of("resourceNames", false).into_iter().map(Some).collect();
        if list(rule, &["resourceNames"]).is_empty() {
            names.insert(None);
        }
        Self {
            verbs: of("verbs", true),
            groups: of("apiGroups", true),
            resources: of("resources", true),
            urls: of("nonResourceURLs", true),
            names,
        }
    }

    fn size(&self) -> usize {
        let resources = [&self.groups, &self.resources].iter().fold(self.names.len(), |size, list| size.saturating_mul(list.len()));
        resources.saturating_add(self.urls.len()).saturating_mul(self.verbs.len())
    }

    /// One after another: a rule of a few lines can give more than a memory holds.
    fn rights(&self) -> impl Iterator<Item = Right> + '_ {
        let owned = |text: &&str| (*text).to_owned();
        let urls =
            self.verbs.iter().flat_map(move |verb| self.urls.iter().map(move |url| Right::Url { url: owned(url), verb: owned(verb) }));
        let on = self.verbs.iter().flat_map(move |verb| self.groups.iter().map(move |group| (verb, group)));
        let on = on.flat_map(move |(verb, group)| self.resources.iter().map(move |resource| (verb, group, resource)));
        let on = on.flat_map(move |(verb, group, resource)| {
            self.names.iter().map(move |name| Right::On {
                group: owned(group),
                resource: owned(resource),
                verb: owned(verb),
                name: name.as_ref().map(owned),
            })
        });
        urls.chain(on)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    /// Helm's and Kubernetes' rule in its own words: whether whoever holds the one holds the other too.
    fn covers(one: &Right, other: &Right) -> bool {
        let any = |one: &str, other: &str| one == "*" || one == other;
        match (one, other) {
            (Right::On { group, resource, verb, name }, Right::On { group: g, resource: r, verb: v, name: n }) => {
                let part = resource.strip_prefix("*/").is_some_and(|part| r.split_once('/').is_some_and(|(_, sub)| sub == part));
                any(group, g) && (any(resource, r) || part) && any(verb, v) && (name.is_none() || name == n)
            }
            (Right::Url { url, verb }, Right::Url { url: u, verb: v }) => {
                any(verb, v) && (any(url, u) || url.strip_suffix('*').is_some_and(|start| u.starts_with(start)))
            }
            (one, other) => one == other,
        }
    }

    fn right() -> impl Strategy<Value = Right> {
        let word = |words: &'static [&'static str]| prop::sample::select(words).prop_map(str::to_owned);
        let name = prop::option::of(word(&["a", "b"]));
        let on = (word(&["*", "", "g"]), word(&["*", "p", "p/log", "*/log", "q/log"]), word(&["*", "get", "put"]), name)
            .prop_map(|(group, resource, verb, name)| Right::On { group, resource, verb, name });
        let url = (word(&["*", "/a", "/a*", "/a/*", "/a/é", "/a/éx", "/b"]), word(&["*", "get"]))
            .prop_map(|(url, verb)| Right::Url { url, verb });
        prop_oneof![on, url]
    }

    proptest! {
        #[test]
        fn who_gives_a_right_is_found_by_name(held in prop::collection::btree_set(right(), 0..6), right in right()) {
            let by_hand = held.iter().any(|one| covers(one, &right));
            prop_assert_eq!(Rights { all: held, cut: false }.give(&right), by_hand);
        }
    }

    #[test]
    fn a_role_without_end_is_cut_behind_its_wildcards() {
        let many = |start: &str, count: usize| (0..count).map(|n| format!("{start}{n}")).collect::<Vec<_>>();
        let all = json!({"apiGroups": ["*"], "resources": ["*"], "verbs": ["*", "get"]});
        let everything = |right: &Right| right.is_everything();
        let wide = json!({"apiGroups": many("g", 10), "resources": many("r", 60), "verbs": many("v", 10)});
        // 10^20 rights in some megabytes.
        let bomb = json!({"apiGroups": many("g", 9_999), "resources": many("r", 9_999), "verbs": many("v", 9_999), "resourceNames": many("n", 9_999)});
        let urls = json!({"nonResourceURLs": many("/", 2_000), "verbs": many("v", 10)});
        let long = json!({"apiGroups": [""], "resources": ["x".repeat(300)], "verbs": ["get"]});
        for rule in [wide, bomb, urls, long] {
            let rights = Rights::of(&json!({"rules": [rule, all]}), MOST);
            assert!(rights.cut && rights.all.len() <= MOST && rights.all.iter().any(everything));
            assert!(!same_rights(&json!({"rules": [rule, all]}), &json!({"rules": [all, rule]})), "nobody knows");
        }
        let one = |verbs: &[&str]| json!({"rules": [{"apiGroups": [""], "resources": ["pods"], "verbs": verbs}]});
        assert!(same_rights(&one(&["*"]), &one(&["get", "*"])) && !same_rights(&one(&["*"]), &one(&["get"])));
        assert!(!Rights::of(&one(&["get"]), 1).cut && Rights::of(&one(&["get", "list"]), 1).cut);
    }
}
