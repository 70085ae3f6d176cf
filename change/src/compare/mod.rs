//! Finds which object of the old render is which of the new one, and what differs in it.

use serde_json::Value;

use crate::input::{Rendered, Side, Target};
use crate::summary::{NoiseKind, ObjectRef};

/// Both renders, laid against each other.
#[derive(Debug, Clone, Default)]
pub struct Comparison<'a> {
    /// Objects that both have, in the order of the new render.
    pub pairs: Vec<Pair<'a>>,
    /// Objects of the new render alone.
    pub added: Vec<Single<'a>>,
    /// Objects of the old render alone.
    pub removed: Vec<Single<'a>>,
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
pub fn compare<'a>(_old: &'a Side, _new: &'a Side, _target: &Target) -> Comparison<'a> {
    Comparison::default()
}

/// Compares the hooks of two renders.
#[must_use]
pub fn compare_hooks<'a>(_old: &'a Side, _new: &'a Side, _target: &Target) -> Comparison<'a> {
    Comparison::default()
}
