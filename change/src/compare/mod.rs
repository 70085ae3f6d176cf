//! Finds which object of the old render is which of the new one, and what differs in it.

mod align;
pub(crate) mod budget;
mod convert;
pub(crate) mod drawn;
pub(crate) mod held;
pub(crate) mod identity;
mod labels;
mod list;
pub(crate) mod mask;
#[cfg(test)]
mod pods_tests;
mod rename;
pub(crate) mod scalar;
pub(crate) mod scaled;
#[cfg(test)]
mod tests;
mod variables;
mod walk;

use std::borrow::Cow;
use std::collections::BTreeMap;

use serde_json::Value;

use crate::input::{RANDOM, Rendered, Side, Target};
use crate::section::rbac::grant;
use crate::summary::{NoiseKind, ObjectRef};
use crate::table::scopes::is_builtin;
use drawn::Drawn;
use held::Held;
use identity::{Key, Scopes, key};
use labels::Versions;
pub(crate) use rename::replacements;
pub use rename::{rename_candidates, replaced_count};
use scaled::Targets;

/// Both renders, laid against each other.
#[derive(Debug, Clone, Default)]
pub struct Comparison<'a> {
    /// Objects that both have, in the order of the new render.
    pub pairs: Vec<Pair<'a>>,
    /// Objects of the new render alone.
    pub added: Vec<Single<'a>>,
    /// Objects of the old render alone.
    pub removed: Vec<Single<'a>>,
    /// Objects of the old render that a later one of the same name covers.
    pub old_twice: Vec<Single<'a>>,
    /// Objects of the new render that a later one of the same name covers.
    pub new_twice: Vec<Single<'a>>,
}

impl Comparison<'_> {
    /// Whether anything of substance differs.
    #[must_use]
    pub fn changed(&self) -> bool {
        !self.added.is_empty() || !self.removed.is_empty() || self.pairs.iter().any(Pair::changed)
    }
}

/// An object in both renders.
#[derive(Debug, Clone)]
pub struct Pair<'a> {
    /// Its name, as the new render has it.
    pub object: ObjectRef,
    /// As it was.
    pub old: &'a Rendered,
    /// As it will be.
    pub new: &'a Rendered,
    /// What differs. Secrets are masked in it already.
    pub changes: Vec<Change>,
    /// What differs and means nothing.
    pub noise: Vec<NoiseKind>,
}

impl Pair<'_> {
    /// Whether anything of substance differs.
    #[must_use]
    pub fn changed(&self) -> bool {
        !self.changes.is_empty()
    }
}

/// An object in one render.
#[derive(Debug, Clone)]
pub struct Single<'a> {
    /// Its name.
    pub object: ObjectRef,
    /// What it is.
    pub rendered: &'a Rendered,
}

/// A field that differs in substance. Lists of named things are compared by name, so one changed container is one change inside it.
#[derive(Debug, Clone, PartialEq)]
pub struct Change {
    /// Where, from the top of the object.
    pub path: Vec<Step>,
    /// As it was; `None` when it was not there.
    pub before: Option<Value>,
    /// As it will be; `None` when it goes.
    pub after: Option<Value>,
}

impl Change {
    /// The path as people write it: `spec.template.spec.containers[grafana].image`.
    #[must_use]
    pub fn path_text(&self) -> String {
        path_text(&self.path)
    }

    /// Whether the path begins with these keys; items of lists are skipped over.
    #[must_use]
    pub fn under(&self, keys: &[&str]) -> bool {
        let mut found = self.path.iter().filter_map(|step| match step {
            Step::Key(key) => Some(key.as_str()),
            Step::Item(_) | Step::Index(_) => None,
        });
        keys.iter().all(|key| found.next() == Some(key))
    }
}

/// One step of a path.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Step {
    /// Key of a map.
    Key(String),
    /// Item of a list whose items have names: the name.
    Item(String),
    /// Item of another list, from 0.
    Index(usize),
}

/// Writes a path as people do.
#[must_use]
pub fn path_text(path: &[Step]) -> String {
    let mut text = String::new();
    for step in path {
        match step {
            Step::Key(key) if key.contains(['.', '/', '[']) => text.push_str(&format!("[{key}]")),
            Step::Key(key) if text.is_empty() => text.push_str(key),
            Step::Key(key) => text.push_str(&format!(".{key}")),
            Step::Item(name) => text.push_str(&format!("[{name}]")),
            Step::Index(index) => text.push_str(&format!("[{index}]")),
        }
    }
    text
}

/// Compares the objects of two renders.
#[must_use]
pub fn compare<'a>(old: &'a Side, new: &'a Side, target: &Target) -> Comparison<'a> {
    Sides::of(old, new, target).compare(&old.objects, &new.objects)
}

/// Compares the hooks of two renders.
#[must_use]
pub fn compare_hooks<'a>(old: &'a Side, new: &'a Side, target: &Target) -> Comparison<'a> {
    Sides::of(old, new, target).compare(&old.hooks, &new.hooks)
}

/// Compares the CRDs of the `crds/` folders of two charts.
#[must_use]
pub fn compare_crds<'a>(old: &'a Side, new: &'a Side, target: &Target) -> Comparison<'a> {
    Sides::of(old, new, target).compare(&old.crds, &new.crds)
}

/// What is known of each render before its objects are looked at.
struct Sides<'a> {
    scopes: Scopes<'a>,
    versions: Versions,
    scaled: Targets,
    drawn: Drawn<'a>,
    held: Held<'a>,
}

/// Objects in order, each of its own; and those that a later one covers.
type Named<'a> = (Vec<Single<'a>>, Vec<Single<'a>>);

impl<'a> Sides<'a> {
    fn of(old: &'a Side, new: &'a Side, target: &Target) -> Self {
        // A CRD in either render tells the scope for both: one may have it in `crds/`, the other in a chart of its own.
        let all = [old, new].into_iter().flat_map(|side| side.crds.iter().chain(&side.objects));
        let scopes = Scopes::new(&target.namespace, all);
        let objects = || old.objects.iter().chain(&new.objects);
        Self {
            scaled: Targets::of(&scopes, objects()),
            scopes,
            versions: Versions::of(old, new),
            drawn: Drawn::of(old, new),
            held: Held::of(old, new),
        }
    }

    fn compare(&self, old: &'a [Rendered], new: &'a [Rendered]) -> Comparison<'a> {
        let (old, old_twice) = name(&self.scopes, old);
        let (new, new_twice) = name(&self.scopes, new);
        let mut before: BTreeMap<Key, Single<'a>> = BTreeMap::new();
        let mut order = Vec::new();
        for single in old {
            let key = key(&single.object);
            order.push(key.clone());
            before.insert(key, single);
        }
        let mut comparison = Comparison { old_twice, new_twice, ..Comparison::default() };
        for single in new {
            match before.remove(&key(&single.object)) {
                Some(was) => comparison.pairs.push(self.pair(was, single)),
                None => comparison.added.push(single),
            }
        }
        comparison.removed = order.into_iter().filter_map(|key| before.remove(&key)).collect();
        comparison
    }

    fn pair(&self, old: Single<'a>, new: Single<'a>) -> Pair<'a> {
        let group = new.object.group.as_str();
        let rules = walk::Rules {
            kind: &new.object.kind,
            builtin: is_builtin(group),
            lists: group == "monitoring.coreos.com",
            versions: &self.versions,
            lasting: new.rendered.value["metadata"]["annotations"].get("helm.sh/hook").is_none(),
            scaled: self.scaled.contains(&new.object),
        };
        let (before, after) = (convert::stored(&old.rendered.value), convert::stored(&new.rendered.value));
        let mut found = walk::walk(rules, &before, &after);
        // Only one of them is in clear text: the other says the same in other words.
        if new.object.kind == "Secret" && matches!(before, Cow::Owned(_)) != matches!(after, Cow::Owned(_)) {
            found.noise.insert(NoiseKind::Spelling);
        }
        if is_role(&new.object) && grant::same_rights(&before, &after) {
            let all = found.changes.len();
            found.changes.retain(|change| !change.under(&["rules"]));
            if found.changes.len() < all {
                found.noise.insert(NoiseKind::Spelling);
            }
        }
        found.changes.iter_mut().for_each(|change| self.held.mask(change));
        found.changes.extend(budget::turned(&old.rendered.value, &new.rendered.value));
        if rules.lasting {
            found.changes.extend(self.drawn.changes(&new.object, old.rendered, new.rendered));
        }
        let noise = found.noise.into_iter().collect();
        Pair { object: new.object, old: old.rendered, new: new.rendered, changes: found.changes, noise }
    }
}

/// Stands before the number of an object of a random name, where there are more than one.
const NUMBER: &str = " #";

fn is_role(object: &ObjectRef) -> bool {
    object.group == "rbac.authorization.k8s.io" && matches!(object.kind.as_str(), "Role" | "ClusterRole")
}

/// Names the objects. Of several with one name the last is what a cluster has in the end; several of a random name are as many objects,
/// and numbered.
fn name<'a>(scopes: &Scopes<'_>, objects: &'a [Rendered]) -> Named<'a> {
    let mut last: BTreeMap<Key, usize> = BTreeMap::new();
    let mut alike: BTreeMap<Key, usize> = BTreeMap::new();
    let numbered = |rendered| {
        let mut object = scopes.name(rendered);
        if object.name.contains(RANDOM) {
            let nth = alike.entry(key(&object)).or_default();
            *nth += 1;
            object.name.extend((*nth > 1).then(|| format!("{NUMBER}{nth}")));
        }
        object
    };
    let names: Vec<ObjectRef> = objects.iter().map(|rendered| &rendered.value).map(numbered).collect();
    let singles: Vec<Single<'a>> = names.into_iter().zip(objects).map(|(object, rendered)| Single { object, rendered }).collect();
    for (at, single) in singles.iter().enumerate() {
        last.insert(key(&single.object), at);
    }
    let mut kept = Vec::with_capacity(singles.len());
    let mut covered = Vec::new();
    for (at, single) in singles.into_iter().enumerate() {
        if last.get(&key(&single.object)) == Some(&at) { kept.push(single) } else { covered.push(single) }
    }
    (kept, covered)
}
