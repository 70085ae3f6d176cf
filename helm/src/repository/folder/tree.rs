//! What is in a folder.

use super::place::is_mount_point;
use super::{FolderError, RECORD, io};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

/// Something in a folder.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Node {
    /// A file, by the SHA-256 of its content.
    File(String),
    /// A folder with nothing in it. All others are there by what is in them.
    Folder,
    /// A symbolic link, which no chart has.
    Link,
    /// A device, pipe or socket.
    Special,
}

/// All that is in a folder, by path with `/`, without the record.
pub type Tree = BTreeMap<String, Node>;

/// Twice what an archive may hold: whoever has more there means another folder.
const MAX_ENTRIES: usize = 20_000;
/// The same in bytes.
const MAX_BYTES: u64 = 512 << 20;

struct Room {
    entries: usize,
    bytes: u64,
    /// Of the folder at the top: what lies on another device is mounted there.
    top: fs::Metadata,
}

/// Reads a folder. Links are not followed.
pub(super) fn scan(folder: &Path) -> Result<Tree, FolderError> {
    let mut tree = Tree::new();
    let found = fs::symlink_metadata(folder).map_err(io("cannot look at", folder))?;
    walk(folder, folder, "", &mut tree, &mut Room { entries: MAX_ENTRIES, bytes: MAX_BYTES, top: found })?;
    tree.remove(RECORD);
    Ok(tree)
}

fn walk(top: &Path, folder: &Path, below: &str, tree: &mut Tree, room: &mut Room) -> Result<(), FolderError> {
    let too_much = || FolderError::refused(top, "there is more in it than any chart has", "name the folder of one chart");
    let mut empty = true;
    for entry in fs::read_dir(folder).map_err(io("cannot read", folder))? {
        empty = false;
        let entry = entry.map_err(io("cannot read", folder))?;
        let path = entry.path();
        room.entries = room.entries.checked_sub(1).ok_or_else(too_much)?;
        let Some(name) = entry.file_name().to_str().map(str::to_owned) else {
            return Err(FolderError::refused(&path, "its name is not UTF-8, which no chart can hold", "move it away"));
        };
        let relative = if below.is_empty() { name } else { format!("{below}/{name}") };
        let found = entry.metadata().map_err(io("cannot read", &path))?;
        let kind = found.file_type();
        if is_mount_point(&path, &found, &room.top) {
            return Err(FolderError::refused(
                &path,
                "something is mounted there, and so the folder cannot be cleared away",
                "unmount it first",
            ));
        }
        if kind.is_dir() {
            walk(top, &path, &relative, tree, room)?;
            continue;
        }
        let node = if kind.is_symlink() {
            Node::Link
        } else if kind.is_file() {
            room.bytes = room.bytes.checked_sub(found.len()).ok_or_else(too_much)?;
            Node::File(hash(&path)?)
        } else {
            Node::Special
        };
        tree.insert(relative, node);
    }
    if empty && !below.is_empty() {
        tree.insert(below.to_owned(), Node::Folder);
    }
    Ok(())
}

fn hash(path: &Path) -> Result<String, FolderError> {
    let mut file = fs::File::open(path).map_err(io("cannot read", path))?;
    let mut hasher = Sha256::new();
    std::io::copy(&mut file, &mut hasher).map_err(io("cannot read", path))?;
    Ok(hex::encode(hasher.finalize()))
}
