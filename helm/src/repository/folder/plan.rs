//! What the new folder will hold.

use super::{FolderError, Local, LocalChange, Node, RECORD, Tree, is_record};
use crate::archive::Files;
use std::collections::BTreeSet;

/// What becomes of the operator's own.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Plan {
    /// Files that are carried over.
    pub carried: BTreeSet<String>,
    /// Empty folders that are carried over: git's own, for one, is none without them.
    pub folders: BTreeSet<String>,
    /// Files of the new archive that stay away, because they were deleted.
    pub absent: BTreeSet<String>,
    /// Files of the new archive that stay away, because they lie in a folder that is carried over: a mixture of two versions of a
    /// subchart is neither of them.
    pub left_out: BTreeSet<String>,
    /// Of those carried over: what the new archive has too, with another content.
    pub shadowed: BTreeSet<String>,
    /// Of those carried over: files of the old version, or of one before it, that nobody edited, where the new chart has another content or none.
    pub unedited: BTreeSet<String>,
    /// What nobody asked to keep.
    pub lost: Vec<LocalChange>,
}

/// Applies `--keep` to what was found.
///
/// # Errors
/// When a path is not in the folder, leads out of it, or cannot stand beside the new archive's files.
pub fn plan(tree: &Tree, changes: &[LocalChange], keep: &[String], new: &Files) -> Result<Plan, FolderError> {
    let mut plan = Plan::default();
    let mut kept = Vec::new();
    for given in keep {
        let path = inside(given)?;
        let refuse = |reason: String| FolderError::Keep { path: given.clone(), reason };
        let mut found = false;
        for (file, node) in tree.iter().filter(|(file, _)| covers(&path, file)) {
            found = true;
            match node {
                Node::File(_) => plan.carried.insert(file.clone()),
                Node::Folder => plan.folders.insert(file.clone()),
                Node::Link => return Err(refuse(format!("{file:?} is a symbolic link, which no chart can hold"))),
                Node::Special => return Err(refuse(format!("{file:?} is neither file nor folder"))),
            };
        }
        for change in changes.iter().filter(|change| change.kind == Local::Deleted && covers(&path, &change.path)) {
            found = true;
            plan.absent.insert(change.path.clone());
        }
        if !found {
            return Err(refuse("there is nothing of that name in the folder".to_owned()));
        }
        kept.push(path);
    }
    let folders: Vec<&String> = kept.iter().filter(|path| is_folder(tree, changes, path)).collect();
    let in_kept_folder = |file: &&String| folders.iter().any(|folder| *file != *folder && covers(folder, file));
    let elsewhere = |file: &&String| !plan.carried.contains(*file) && !plan.absent.contains(*file) && !is_record(file);
    plan.left_out = new.keys().filter(in_kept_folder).filter(elsewhere).cloned().collect();
    for file in plan.carried.iter().chain(&plan.folders) {
        let away = |other: &String| plan.left_out.contains(other) || plan.absent.contains(other);
        let stands = |other: &&String| !away(other) && (*other != file || plan.folders.contains(file));
        let clash = new.keys().filter(stands).find(|other| covers(file, other) || covers(other, file));
        if let Some(clash) = clash {
            let reason = format!("the new chart has {clash:?}, and one of the two would have to be a folder");
            return Err(FolderError::Keep { path: file.clone(), reason });
        }
    }
    let differs = |file: &&String| match (new.get(*file), tree.get(*file)) {
        (Some(data), Some(Node::File(hash))) => crate::archive::digest_hex(data) != *hash,
        _ => false,
    };
    plan.shadowed = plan.carried.iter().filter(differs).cloned().collect();
    let own: BTreeSet<&String> = changes.iter().filter(|change| change.kind != Local::Kept).map(|change| &change.path).collect();
    let old = |file: &&String| !own.contains(*file) && (plan.shadowed.contains(*file) || !new.contains_key(*file));
    plan.unedited = plan.carried.iter().filter(old).cloned().collect();
    plan.lost = changes.iter().filter(|change| !kept.iter().any(|path| covers(path, &change.path))).cloned().collect();
    Ok(plan)
}

/// Whether a path is a folder, or was one that somebody deleted.
fn is_folder(tree: &Tree, changes: &[LocalChange], path: &str) -> bool {
    let deleted = changes.iter().filter(|change| change.kind == Local::Deleted).map(|change| &change.path);
    tree.get(path) == Some(&Node::Folder) || tree.keys().chain(deleted).any(|file| file != path && covers(path, file))
}

fn covers(path: &str, file: &str) -> bool {
    file.strip_prefix(path).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

/// A path as the listing writes it.
fn inside(given: &str) -> Result<String, FolderError> {
    let refuse = |reason: &str| Err(FolderError::Keep { path: given.to_owned(), reason: reason.to_owned() });
    let parts: Vec<&str> = given.split('/').filter(|part| !matches!(*part, "" | ".")).collect();
    if given.starts_with('/') || parts.contains(&"..") {
        return refuse("it is not a path inside of the folder");
    }
    match parts.as_slice() {
        [] => refuse("to keep all is not to pull"),
        [first, ..] if *first == RECORD => refuse("it is the record, which is written anew"),
        _ => Ok(parts.join("/")),
    }
}
