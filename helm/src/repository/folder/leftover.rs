//! What a pull that was killed left behind: half a new folder, or the old one, which may hold what nobody was asked about.

use super::place::Place;
use super::record::MAX_RECORD;
use super::tree::scan;
use super::{FolderError, Tree, io};
use serde::{Deserialize, Serialize};
use std::fs::{self, File};
use std::io::{ErrorKind, Write as _};
use std::path::{Path, PathBuf};

/// Written before the two folders change places, for whoever finds them after a crash.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Mark {
    /// The new folder's inode: where it is says whether they did.
    new: Option<u64>,
    /// What the operator was asked about.
    seen: Tree,
}

impl Mark {
    /// Leaves a mark in the stage.
    pub(super) fn leave(stage: &Path, new: &Path, seen: &Tree) -> Result<(), FolderError> {
        let path = stage.join("mark.json");
        let text = serde_json::to_vec(&Self { new: inode(new), seen: seen.clone() }).map_err(std::io::Error::other);
        let written = text.and_then(|text| {
            let mut file = File::create_new(&path)?;
            file.write_all(&text).and_then(|()| file.sync_all())
        });
        written.map_err(io("cannot write", path))
    }

    fn read(stage: &Path) -> Option<Self> {
        let path = stage.join("mark.json");
        let found = fs::symlink_metadata(&path).ok().filter(|found| found.is_file() && found.len() <= MAX_RECORD)?;
        let text = fs::read(&path).ok().filter(|text| text.len() as u64 == found.len())?;
        serde_json::from_slice(&text).ok()
    }
}

/// Puts right what a killed pull left behind. The answer is where the old folder is now, when it holds what was changed while that
/// pull ran. Where the file system cannot swap, the pull may have been killed between two renames, and the old folder is put back.
pub(super) fn recover(place: &Place) -> Result<Option<PathBuf>, FolderError> {
    let (stage, target) = (place.stage(), place.path());
    match fs::symlink_metadata(&stage) {
        Err(_) => return Ok(None),
        Ok(found) if !found.is_dir() => {
            return Err(FolderError::refused(stage, "it is in the way: the new folder is written there", "move it away"));
        }
        Ok(_) => {}
    }
    let (new, old) = (stage.join("new"), stage.join("old"));
    if !target.exists() && old.exists() {
        fs::rename(&old, &target).map_err(io("cannot rename to", &target))?;
    }
    let mark = Mark::read(&stage);
    let swapped = mark.as_ref().is_some_and(|mark| inode(&new) != mark.new);
    let left = if old.exists() { Some(old) } else { Some(new).filter(|new| swapped && new.exists()) };
    let aside = match left {
        Some(left) if swapped && mark.is_some_and(|mark| scan(&left).is_ok_and(|tree| tree == mark.seen)) => None,
        Some(left) => Some(put_aside(place, &left)?),
        None => None,
    };
    clear(&stage)?;
    Ok(aside)
}

/// Hidden, because in the `charts/` of another chart helm would take a second folder for a second subchart.
fn put_aside(place: &Place, left: &Path) -> Result<PathBuf, FolderError> {
    // A folder that nobody may write in cannot be moved either.
    allow(left);
    let free = (1..1000).map(|number| place.beside(&if number == 1 { "left-behind".to_owned() } else { format!("left-behind-{number}") }));
    let is_free = |path: &PathBuf| fs::symlink_metadata(path).is_err_and(|error| error.kind() == ErrorKind::NotFound);
    let to = free.into_iter().find(is_free).unwrap_or_else(|| place.beside("left-behind"));
    fs::rename(left, &to).map_err(io("cannot move the folder that an earlier pull left behind to", &to))?;
    Ok(to)
}

/// What is tried when a folder is removed.
pub(super) const CLEAR: &str = "cannot clear away";

/// Removes a folder, also one in which some folders are write-protected.
pub(super) fn clear(folder: &Path) -> Result<(), FolderError> {
    let removed = fs::remove_dir_all(folder).or_else(|error| {
        if error.kind() != ErrorKind::PermissionDenied {
            return Err(error);
        }
        allow_all(folder);
        fs::remove_dir_all(folder)
    });
    removed.map_err(io(CLEAR, folder))
}

/// Where this does not work, neither will what comes after it, which says why.
fn allow_all(folder: &Path) {
    allow(folder);
    for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
        if entry.file_type().is_ok_and(|kind| kind.is_dir()) {
            allow_all(&entry.path());
        }
    }
}

#[cfg(unix)]
fn allow(folder: &Path) {
    use std::os::unix::fs::PermissionsExt as _;
    if let Ok(found) = fs::symlink_metadata(folder).map(|found| found.permissions()) {
        let _ = fs::set_permissions(folder, fs::Permissions::from_mode(found.mode() | 0o700));
    }
}

#[cfg(not(unix))]
fn allow(_: &Path) {}

#[cfg(unix)]
fn inode(path: &Path) -> Option<u64> {
    use std::os::unix::fs::MetadataExt as _;
    fs::symlink_metadata(path).ok().map(|found| found.ino())
}

/// Without it a folder counts as not moved, and nothing is put aside.
#[cfg(not(unix))]
fn inode(_: &Path) -> Option<u64> {
    None
}
