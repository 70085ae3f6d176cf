//! Who may do what, by one render: roles and bindings taken together, rules taken apart.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use super::super::read::{Seen, about, entries, list, text};
use super::rights::MOST;
pub(crate) use super::rights::same_rights;
pub(super) use super::rights::{Right, Rights};
use crate::summary::{Evidence, Item, ObjectRef, Provenance, Weight};

/// Most single rights that are taken from all roles of a render, and most that are given to all who are bound to them: twenty of the
/// largest roles.
const MOST_IN_ALL: usize = 20 * MOST;

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

/// All that a render gives to one subject, with the roles that give it.
#[derive(Debug, Default)]
pub(super) struct Held {
    pub(super) rights: BTreeMap<Scope, Rights>,
    pub(super) by: BTreeMap<Scope, BTreeSet<ObjectRef>>,
    pub(super) source: String,
}

impl Held {
    /// Whether a right is held there, or everywhere.
    pub(super) fn holds(&self, scope: &Scope, right: &Right) -> bool {
        let among = |scope: &Scope| self.rights.get(scope).is_some_and(|rights| rights.give(right));
        among(scope) || (scope.is_some() && among(&None))
    }

    /// As many of the rights as there is room for.
    fn add(&mut self, scope: &Scope, rights: &Rights, room: &mut usize, by: &Seen<'_>) {
        let held = self.rights.entry(scope.clone()).or_default();
        held.all.extend(rights.all.iter().take(*room).cloned());
        held.cut |= rights.cut || rights.all.len() > *room;
        *room = room.saturating_sub(rights.all.len());
        self.by.entry(scope.clone()).or_default().insert(by.object.clone());
        self.source.clone_from(&by.rendered.source);
    }
}

/// Kind, namespace and name of a role.
type RoleKey<'c> = (&'c str, &'c str, &'c str);

/// A role of a render.
pub(super) struct Role<'c> {
    pub(super) seen: Seen<'c>,
    pub(super) rights: Rights,
}

/// What one render gives.
#[derive(Default)]
pub(super) struct Grants<'c> {
    pub(super) roles: BTreeMap<RoleKey<'c>, Role<'c>>,
    pub(super) held: BTreeMap<Subject, Held>,
    /// Roles and bindings, as they are written.
    written: BTreeMap<&'c ObjectRef, &'c Value>,
    /// Whether more is given than there was room for.
    cut: bool,
}

/// The key of a role among [`Grants::roles`].
pub(super) fn key(role: &ObjectRef) -> RoleKey<'_> {
    (&role.kind, &role.namespace, &role.name)
}

/// What a render gives.
pub(super) fn grants<'c>(objects: &[Seen<'c>]) -> Grants<'c> {
    let mut grants = Grants::default();
    let mut room = MOST_IN_ALL;
    for seen in objects.iter().filter(|seen| matches!(seen.kind(), "Role" | "ClusterRole")) {
        let rights = Rights::of(seen.value(), room.min(MOST));
        room -= rights.all.len();
        grants.roles.insert(key(seen.object), Role { seen: *seen, rights });
        grants.written.insert(seen.object, seen.value());
    }
    let mut room = MOST_IN_ALL;
    for binding in objects.iter().filter(|seen| matches!(seen.kind(), "RoleBinding" | "ClusterRoleBinding")) {
        grants.written.insert(binding.object, binding.value());
        bind(&grants.roles, binding, &mut grants.held, &mut room);
    }
    for role in grants.roles.values().filter(|role| role.seen.kind() == "ClusterRole") {
        for name in aggregated(role.seen.value()) {
            let subject = Subject { kind: "ClusterRole".to_owned(), namespace: String::new(), name };
            grants.held.entry(subject).or_default().add(&None, &role.rights, &mut room, &role.seen);
        }
    }
    grants.cut = room == 0;
    grants
}

/// Gives all subjects of a binding the rights of its role.
fn bind(roles: &BTreeMap<RoleKey<'_>, Role<'_>>, binding: &Seen<'_>, held: &mut BTreeMap<Subject, Held>, room: &mut usize) {
    let of = |field: &str| text(binding.value(), &["roleRef", field]).unwrap_or_default();
    let (kind, name) = (of("kind"), of("name"));
    let scope = (binding.kind() == "RoleBinding").then(|| binding.object.namespace.clone());
    let namespace = if kind == "Role" { binding.object.namespace.as_str() } else { "" };
    let other = || Rights { all: BTreeSet::from([Right::Role { kind: kind.to_owned(), name: name.to_owned() }]), cut: false };
    let (rights, by) = match roles.get(&(kind, namespace, name)) {
        Some(role) => (&role.rights, &role.seen),
        None => (&other(), binding),
    };
    for subject in list(binding.value(), &["subjects"]) {
        held.entry(subject_of(subject, &binding.object.namespace)).or_default().add(&scope, rights, room, by);
    }
}

/// Who holds a role, and where.
fn holders<'g>(grants: &'g Grants<'_>) -> BTreeMap<&'g ObjectRef, BTreeSet<(&'g Subject, &'g Scope)>> {
    let mut holders: BTreeMap<&ObjectRef, BTreeSet<(&Subject, &Scope)>> = BTreeMap::new();
    for (subject, held) in &grants.held {
        for (scope, roles) in &held.by {
            for role in roles {
                holders.entry(role).or_default().insert((subject, scope));
            }
        }
    }
    holders
}

/// Where not all rights were looked at: whatever hides among the rest must not be taken for nothing.
pub(super) fn too_large(old: &Grants<'_>, new: &Grants<'_>) -> Option<Item> {
    let (were, are) = (holders(old), holders(new));
    let same = |role: &Role<'_>| {
        let was = old.written.get(role.seen.object).map(|was| list(was, &["rules"]));
        was == Some(list(role.seen.value(), &["rules"])) && were.get(role.seen.object) == are.get(role.seen.object)
    };
    let roles: Vec<&Role<'_>> = new.roles.values().filter(|role| role.rights.cut && !same(role)).collect();
    if roles.is_empty() && !(new.cut && old.written != new.written) {
        return None;
    }
    let what = if roles.is_empty() {
        format!("roles and bindings give more than the {MOST_IN_ALL} rights that are taken apart: what is said about them is not all")
    } else {
        format!("gives more rights than are taken apart ({MOST} of a role, {MOST_IN_ALL} in all): what is said about it is not all")
    };
    let source = roles.first().map_or("roles and bindings", |role| role.seen.rendered.source.as_str());
    let mut item = Item::new("rbac-too-large", Weight::Act, what, Provenance::new(Evidence::Render, source));
    item.next = Some("read what the new version writes there, or let somebody who may give the whole cluster away decide on it".to_owned());
    about(&mut item, roles.iter().map(|role| role.seen.object.clone()).collect());
    Some(item)
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
