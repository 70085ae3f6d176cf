//! Who may do what, by one render: roles and bindings taken together, rules taken apart.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use super::super::read::{Seen, entries, list, text, texts};
use crate::summary::ObjectRef;

/// Most single rights that are taken from one role: a role that names a hundred resources of five groups with ten verbs each has 5,000.
const MOST: usize = 5_000;

/// Who: an account, a group, or whoever holds an aggregated role.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Subject {
    pub(super) kind: String,
    /// Empty for users and groups.
    pub(super) namespace: String,
    pub(super) name: String,
}

/// Where: `None` is every namespace and the cluster itself.
pub(super) type Scope = Option<String>;

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

    /// Whether whoever holds this one holds the other too.
    pub(super) fn covers(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::On { group, resource, verb, name }, Self::On { group: g, resource: r, verb: v, name: n }) => {
                covers(group, g) && covers_resource(resource, r) && covers(verb, v) && (name.is_none() || name == n)
            }
            (Self::Url { url, verb }, Self::Url { url: u, verb: v }) => covers(verb, v) && covers_url(url, u),
            (one, other) => one == other,
        }
    }
}

fn covers(one: &str, other: &str) -> bool {
    one == "*" || one == other
}

fn covers_resource(one: &str, other: &str) -> bool {
    covers(one, other) || one.strip_prefix("*/").is_some_and(|part| other.split_once('/').is_some_and(|(_, sub)| sub == part))
}

fn covers_url(one: &str, other: &str) -> bool {
    covers(one, other) || one.strip_suffix('*').is_some_and(|start| other.starts_with(start))
}

/// All that a render gives to one subject, with the roles that give it.
#[derive(Debug, Default)]
pub(super) struct Held {
    pub(super) rights: BTreeMap<Scope, BTreeSet<Right>>,
    pub(super) by: BTreeMap<Scope, BTreeSet<ObjectRef>>,
    pub(super) source: String,
}

impl Held {
    /// Whether a right is held there, or everywhere.
    pub(super) fn holds(&self, scope: &Scope, right: &Right) -> bool {
        let among = |scope: &Scope| {
            let held = self.rights.get(scope);
            held.is_some_and(|held| held.contains(right) || held.iter().any(|one| one.covers(right)))
        };
        among(scope) || (scope.is_some() && among(&None))
    }
}

/// What a render gives, by subject.
pub(super) fn held(objects: &[Seen<'_>]) -> BTreeMap<Subject, Held> {
    let mut roles: BTreeMap<(&str, &str, &str), &Seen<'_>> = BTreeMap::new();
    for seen in objects.iter().filter(|seen| matches!(seen.kind(), "Role" | "ClusterRole")) {
        roles.insert((seen.kind(), &seen.object.namespace, &seen.object.name), seen);
    }
    let mut all: BTreeMap<Subject, Held> = BTreeMap::new();
    for binding in objects.iter().filter(|seen| matches!(seen.kind(), "RoleBinding" | "ClusterRoleBinding")) {
        let (kind, name) = (
            text(binding.value(), &["roleRef", "kind"]).unwrap_or_default(),
            text(binding.value(), &["roleRef", "name"]).unwrap_or_default(),
        );
        let scope = (binding.kind() == "RoleBinding").then(|| binding.object.namespace.clone());
        let namespace = if kind == "Role" { binding.object.namespace.as_str() } else { "" };
        let role = roles.get(&(kind, namespace, name));
        let rights = role
            .map_or_else(|| BTreeSet::from([Right::Role { kind: kind.to_owned(), name: name.to_owned() }]), |role| rights(role.value()));
        for subject in list(binding.value(), &["subjects"]) {
            let held = all.entry(subject_of(subject, &binding.object.namespace)).or_default();
            held.rights.entry(scope.clone()).or_default().extend(rights.iter().cloned());
            held.by.entry(scope.clone()).or_default().insert(role.map_or(binding.object, |role| role.object).clone());
            held.source.clone_from(&role.map_or(binding, |role| *role).rendered.source);
        }
    }
    for role in roles.values().filter(|role| role.kind() == "ClusterRole") {
        for name in aggregated(role.value()) {
            let held = all.entry(Subject { kind: "ClusterRole".to_owned(), namespace: String::new(), name }).or_default();
            held.rights.entry(None).or_default().extend(rights(role.value()));
            held.by.entry(None).or_default().insert(role.object.clone());
            held.source.clone_from(&role.rendered.source);
        }
    }
    all
}

fn subject_of(subject: &Value, namespace: &str) -> Subject {
    let field = |key: &str| subject.get(key).and_then(Value::as_str).unwrap_or_default().to_owned();
    let kind = field("kind");
    let namespace = match (kind.as_str(), field("namespace")) {
        ("ServiceAccount", empty) if empty.is_empty() => namespace.to_owned(),
        ("ServiceAccount", named) => named,
        _ => String::new(),
    };
    Subject { kind, namespace, name: field("name") }
}

/// The roles into which Kubernetes copies the rules of this one (`view`, `edit`, `admin`).
fn aggregated(role: &Value) -> Vec<String> {
    let labels = entries(role, &["metadata", "labels"]).filter(|(_, value)| value.as_str() == Some("true"));
    labels.filter_map(|(key, _)| key.strip_prefix("rbac.authorization.k8s.io/aggregate-to-").map(str::to_owned)).collect()
}

/// Whether two roles give the same, however their rules are split. Roles that are too large to be taken apart are not the same.
pub(crate) fn same_rights(old: &Value, new: &Value) -> bool {
    let (old, new) = (rights(old), rights(new));
    old.len() <= MOST && old == new
}

/// The rules of a role, taken apart.
pub(super) fn rights(role: &Value) -> BTreeSet<Right> {
    let mut rights = BTreeSet::new();
    for rule in list(role, &["rules"]) {
        let verbs: Vec<&str> = texts(rule, &["verbs"]).collect();
        let names: Vec<Option<String>> = texts(rule, &["resourceNames"]).map(|name| Some(name.to_owned())).collect();
        let names = if names.is_empty() { vec![None] } else { names };
        for verb in &verbs {
            for url in texts(rule, &["nonResourceURLs"]) {
                rights.insert(Right::Url { url: url.to_owned(), verb: (*verb).to_owned() });
            }
            for group in texts(rule, &["apiGroups"]) {
                for resource in texts(rule, &["resources"]) {
                    if rights.len() > MOST {
                        return rights;
                    }
                    rights.extend(names.iter().map(|name| Right::On {
                        group: group.to_owned(),
                        resource: resource.to_owned(),
                        verb: (*verb).to_owned(),
                        name: name.clone(),
                    }));
                }
            }
        }
    }
    rights
}
