//! Rights in words.

use std::collections::{BTreeMap, BTreeSet};

use super::super::read::and;
use super::grant::{Right, Scope, Subject};

/// Why a right is worth a second look; the worst first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Danger {
    /// Everything, or all of something.
    Wildcard,
    /// Whoever has it can give itself more.
    Escalation,
    /// Secrets can be read or written.
    Secrets,
    /// Pods with more privileges, or commands in those of others.
    Privilege,
    /// Nothing of these.
    None,
}

impl Danger {
    /// Which one a right is.
    pub(super) fn of(right: &Right) -> Self {
        match right {
            Right::Role { name, .. } if matches!(name.as_str(), "cluster-admin" | "admin") => Self::Wildcard,
            Right::Role { .. } => Self::None,
            Right::Url { url, .. } => {
                if url == "*" {
                    Self::Wildcard
                } else {
                    Self::None
                }
            }
            Right::On { resource, verb, name, group } => {
                if resource == "*" && (verb == "*" || group == "*") {
                    Self::Wildcard
                } else if matches!(verb.as_str(), "escalate" | "bind" | "impersonate") || escalating(group, resource, verb) {
                    Self::Escalation
                } else if resource == "secrets" && name.is_none() || resource == "*" && (group.is_empty()) {
                    Self::Secrets
                } else if matches!(
                    resource.as_str(),
                    "podsecuritypolicies" | "securitycontextconstraints" | "pods/exec" | "pods/attach" | "nodes/proxy"
                ) {
                    Self::Privilege
                } else if verb == "*" || resource == "*" {
                    Self::Wildcard
                } else {
                    Self::None
                }
            }
        }
    }

    /// What is added to the sentence.
    pub(super) fn said(self) -> &'static str {
        match self {
            Self::Wildcard => ", a wildcard",
            Self::Escalation => ", with which it can give itself more rights",
            Self::Secrets | Self::Privilege | Self::None => "",
        }
    }
}

fn escalating(group: &str, resource: &str, verb: &str) -> bool {
    let writes = matches!(verb, "*" | "create" | "update" | "patch");
    match (group, resource) {
        ("", "serviceaccounts/token") => writes,
        ("rbac.authorization.k8s.io", "clusterroles" | "clusterrolebindings" | "roles" | "rolebindings") => writes,
        _ => false,
    }
}

/// Whether next to everybody is one of them: whoever reaches the API server, or has any account of the cluster.
pub(super) fn is_anybody(subject: &Subject) -> bool {
    match subject.kind.as_str() {
        "Group" => matches!(subject.name.as_str(), "system:authenticated" | "system:unauthenticated" | "system:serviceaccounts"),
        "User" => subject.name == "system:anonymous",
        _ => false,
    }
}

/// `prometheus-operator`, with its namespace where that is another than the one of the release.
pub(super) fn who(subject: &Subject, release: &str) -> String {
    match subject.kind.as_str() {
        "ClusterRole" => format!("whoever has the role {}", subject.name),
        "Group" => match subject.name.as_str() {
            "system:authenticated" => "everybody who is logged in".to_owned(),
            "system:unauthenticated" => "anybody, without logging in,".to_owned(),
            "system:serviceaccounts" => "every service account of the cluster".to_owned(),
            name => format!("group {name}"),
        },
        "User" if subject.name == "system:anonymous" => "anybody, without logging in,".to_owned(),
        "User" => format!("user {}", subject.name),
        _ if subject.namespace == release || subject.namespace.is_empty() => subject.name.clone(),
        _ => format!("{} of namespace {}", subject.name, subject.namespace),
    }
}

/// `in every namespace`, `in namespace x`.
pub(super) fn place(scope: &Scope) -> String {
    scope.as_ref().map_or_else(|| "in every namespace".to_owned(), |namespace| format!("in namespace {namespace}"))
}

/// Rights, those with the same verbs together: `get, list and watch pods and services`.
pub(super) fn phrases(rights: &[&Right]) -> Vec<String> {
    let mut verbs: BTreeMap<String, BTreeSet<&str>> = BTreeMap::new();
    let mut phrases = Vec::new();
    for right in rights {
        match right {
            Right::On { group, resource, verb, name } => {
                verbs.entry(resource_text(group, resource, name.as_deref())).or_default().insert(verb);
            }
            Right::Url { url, verb } => {
                verbs.entry(format!("the URL {url}")).or_default().insert(verb);
            }
            Right::Role { kind, name } => phrases.push(format!("do all that {kind} {name} allows (it is not of this chart)")),
        }
    }
    let mut resources: BTreeMap<Vec<&str>, Vec<String>> = BTreeMap::new();
    for (resource, verbs) in verbs {
        resources.entry(ordered(&verbs)).or_default().push(resource);
    }
    phrases.extend(resources.into_iter().map(|(verbs, resources)| {
        let verbs = if verbs == ["*"] { "do anything with".to_owned() } else { and(&verbs) };
        format!("{verbs} {}", and(&resources))
    }));
    phrases
}

/// Verbs in the order in which people say them.
fn ordered<'v>(verbs: &BTreeSet<&'v str>) -> Vec<&'v str> {
    const ORDER: [&str; 8] = ["get", "list", "watch", "create", "update", "patch", "delete", "deletecollection"];
    let mut ordered: Vec<&str> = verbs.iter().copied().collect();
    ordered.sort_by_key(|verb| ORDER.iter().position(|one| one == verb).unwrap_or(ORDER.len()));
    ordered
}

fn resource_text(group: &str, resource: &str, name: Option<&str>) -> String {
    let of = match group {
        "*" => " of any group".to_owned(),
        // Names that are the same in all groups, or are known to everybody.
        "" | "apps" | "batch" | "rbac.authorization.k8s.io" => String::new(),
        group => format!(".{group}"),
    };
    let (resource, part) = resource.split_once('/').map_or((resource, String::new()), |(resource, part)| (resource, format!("/{part}")));
    let resource = if resource == "*" { "all resources" } else { resource };
    let of = format!("{of}{part}");
    match name {
        Some(name) => format!("the {resource}{of} named {name}"),
        None => format!("{resource}{of}"),
    }
}
