//! What in a folder is the operator's own.

use super::{Node, Tree};
use crate::archive::{Files, digest_hex};
use serde::Serialize;
use std::collections::{BTreeMap, BTreeSet};

/// How something differs from the archive that the folder was made from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "camelCase")]
pub enum Local {
    /// It is not of the archive.
    Added,
    /// It is of the archive and was changed.
    Edited,
    /// It is of the archive and is gone.
    Deleted,
    /// It is of an older version, was carried over by an earlier pull, and nobody edited it.
    Kept,
}

/// A file or an empty folder that would be lost.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct LocalChange {
    /// Path in the folder.
    pub path: String,
    /// How it differs.
    pub kind: Local,
    /// The outermost folder above it of which everything is added; of an empty folder perhaps itself.
    pub under: Option<String>,
    /// Whether it is a file, and not an empty folder.
    pub file: bool,
}

/// Changes as a person wants to read them: a folder that somebody put there is one thing.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Group {
    /// Path in the folder; of a folder with a slash at its end.
    pub path: String,
    /// How it differs.
    pub kind: Local,
    /// How many files that are; none in a folder that holds nothing but folders.
    pub files: usize,
}

/// What would be lost if the folder became what `new` holds, in the order of paths. Where nobody knows what the folder was made
/// from, all counts as the operator's own. What is the same in the new archive is not lost, whoever put it there. `kept` is what an
/// earlier pull carried over ([`super::Record::kept`]).
#[must_use]
pub fn local_changes(
    tree: &Tree,
    baseline: Option<&BTreeMap<String, String>>,
    kept: &BTreeMap<String, String>,
    new: &Files,
) -> Vec<LocalChange> {
    let nothing = BTreeMap::new();
    let baseline = baseline.unwrap_or(&nothing);
    let known: BTreeSet<&str> = baseline.keys().chain(new.keys()).flat_map(|path| folders(path)).collect();
    let mut changes = Vec::new();
    for (path, node) in tree {
        let of_a_chart = match node {
            Node::File(hash) => baseline.get(path) == Some(hash) || new.get(path).is_some_and(|data| digest_hex(data) == *hash),
            // Somebody deleted what was in it, which is listed itself where it is a loss.
            Node::Folder => known.contains(path.as_str()),
            Node::Link | Node::Special => false,
        };
        if of_a_chart {
            continue;
        }
        let kind = match node {
            Node::File(hash) if kept.get(path) == Some(hash) => Local::Kept,
            _ if baseline.contains_key(path) => Local::Edited,
            _ => Local::Added,
        };
        let file = *node != Node::Folder;
        let under = folders(path).chain((!file).then_some(path.as_str())).find(|folder| kind == Local::Added && !known.contains(folder));
        changes.push(LocalChange { path: path.clone(), kind, under: under.map(str::to_owned), file });
    }
    // What the new archive does not have either is gone with everybody's consent.
    for path in baseline.keys().filter(|path| !tree.contains_key(*path) && new.contains_key(*path)) {
        changes.push(LocalChange { path: path.clone(), kind: Local::Deleted, under: None, file: true });
    }
    changes.sort();
    changes
}

/// Puts together what lies in one added folder.
#[must_use]
pub fn grouped(changes: &[LocalChange]) -> Vec<Group> {
    let mut groups: BTreeMap<(String, Local), usize> = BTreeMap::new();
    for change in changes {
        let path = change.under.as_ref().map_or_else(|| change.path.clone(), |folder| format!("{folder}/"));
        *groups.entry((path, change.kind)).or_default() += usize::from(change.file);
    }
    groups.into_iter().map(|((path, kind), files)| Group { path, kind, files }).collect()
}

/// The folders above a path, the outermost first.
pub(super) fn folders(path: &str) -> impl Iterator<Item = &str> {
    path.match_indices('/').map(|(at, _)| &path[..at])
}
