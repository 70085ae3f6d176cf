//! Writing the new folder, and changing places with the old one.

use super::compare::folders;
use super::place::{Locked, Place};
use super::tree::scan;
use super::{FolderError, Plan, RECORD, Record, Standing, Tree, io, is_record};
use crate::archive::Files;
use rustix::fs::{CWD, RenameFlags, renameat_with};
use rustix::io::Errno;
use std::collections::BTreeSet;
use std::fs::{self, File};
use std::io::Write as _;
use std::path::Path;

impl Locked {
    /// Puts the archive's files, with what the plan carries over, in the place of what is there. A crash at any moment leaves the
    /// old folder or the new one, whole.
    ///
    /// # Errors
    /// When it cannot be written, or the folder was changed meanwhile. Nothing is changed then.
    pub fn replace(&self, files: &Files, record: &Record, plan: &Plan, standing: &Standing) -> Result<(), FolderError> {
        let stage = Stage::make(&self.place)?;
        let new = stage.path.join("new");
        self.write(&new, files, record, plan)?;
        sync(&new)?;
        let target = self.place.path();
        if !target.exists() {
            rename(&new, &target)?;
        } else {
            exchange(&new, &target, &stage.path.join("old"))?;
            let old = if new.exists() { new } else { stage.path.join("old") };
            let seen = match standing {
                Standing::Chart { tree, .. } => tree.clone(),
                Standing::Empty => Tree::new(),
            };
            // Between the look and the swap an editor may have saved: what nobody was asked about is not given up.
            if scan(&old)? != seen {
                put_back(&old, &target, &stage)?;
                return Err(FolderError::Moved { path: target });
            }
        }
        sync_folder(&self.place.parent)
    }

    fn write(&self, new: &Path, files: &Files, record: &Record, plan: &Plan) -> Result<(), FolderError> {
        let old = self.place.path();
        fs::create_dir(new).map_err(io("cannot make", new))?;
        let stays_away =
            |path: &String| plan.carried.contains(path) || plan.absent.contains(path) || plan.left_out.contains(path) || is_record(path);
        for (path, data) in files.iter().filter(|(path, _)| !stays_away(path)) {
            let to = new.join(path);
            make_parent(&to)?;
            write_new(&to, data)?;
        }
        for path in &plan.carried {
            let to = new.join(path);
            make_parent(&to)?;
            fs::copy(old.join(path), &to).map_err(io("cannot copy", &to))?;
        }
        for path in &plan.folders {
            let to = new.join(path);
            fs::create_dir_all(&to).map_err(io("cannot make", &to))?;
        }
        carry_modes(&old, new, plan)?;
        let text = serde_json::to_vec_pretty(record).map_err(|error| std::io::Error::other(error.to_string()));
        write_new(&new.join(RECORD), &text.map_err(io("cannot write", new))?)?;
        match fs::metadata(&old) {
            Ok(found) => fs::set_permissions(new, found.permissions()).map_err(io("cannot set the mode of", new)),
            Err(_) => Ok(()),
        }
    }
}

/// Folders around what is carried over keep their modes: some are for their owner alone. The innermost come first, because one
/// may forbid to go into it.
fn carry_modes(old: &Path, new: &Path, plan: &Plan) -> Result<(), FolderError> {
    let above = plan.carried.iter().chain(&plan.folders).flat_map(|path| folders(path));
    let all: BTreeSet<&str> = above.chain(plan.folders.iter().map(String::as_str)).collect();
    for path in all.into_iter().rev() {
        let found = fs::metadata(old.join(path)).map_err(io("cannot look at", old.join(path)))?;
        fs::set_permissions(new.join(path), found.permissions()).map_err(io("cannot set the mode of", new.join(path)))?;
    }
    Ok(())
}

/// Clears away what a pull that was killed left behind. Where the file system cannot swap, it may have been killed between two
/// renames, and the old folder is put back first.
pub(super) fn recover(place: &Place) -> Result<(), FolderError> {
    let (stage, target) = (place.stage(), place.path());
    match fs::symlink_metadata(&stage) {
        Err(_) => return Ok(()),
        Ok(found) if !found.is_dir() => {
            return Err(FolderError::refused(stage, "it is in the way: the new folder is written there", "move it away"));
        }
        Ok(_) => {}
    }
    let old = stage.join("old");
    if !target.exists() && old.exists() {
        rename(&old, &target)?;
    }
    fs::remove_dir_all(&stage).map_err(io("cannot clear away", &stage))
}

/// The folder in which the new one is written; gone when this value is.
struct Stage {
    path: std::path::PathBuf,
}

impl Stage {
    fn make(place: &Place) -> Result<Self, FolderError> {
        let path = place.stage();
        fs::create_dir(&path).map_err(io("cannot make", &path))?;
        Ok(Self { path })
    }
}

impl Drop for Stage {
    fn drop(&mut self) {
        // What stays is cleared away by the next pull.
        let _ = fs::remove_dir_all(&self.path);
    }
}

fn make_parent(path: &Path) -> Result<(), FolderError> {
    match path.parent() {
        Some(parent) => fs::create_dir_all(parent).map_err(io("cannot make", parent)),
        None => Ok(()),
    }
}

fn write_new(path: &Path, data: &[u8]) -> Result<(), FolderError> {
    File::create_new(path).and_then(|mut file| file.write_all(data)).map_err(io("cannot write", path))
}

/// One call for all that was written: a chart has hundreds of files, and an fsync of each would take seconds on a slow disk.
#[cfg(target_os = "linux")]
fn sync(folder: &Path) -> Result<(), FolderError> {
    let opened = File::open(folder).map_err(io("cannot open", folder))?;
    rustix::fs::syncfs(&opened).map_err(|errno| io("cannot write", folder)(errno.into()))
}

#[cfg(not(target_os = "linux"))]
fn sync(folder: &Path) -> Result<(), FolderError> {
    for entry in fs::read_dir(folder).map_err(io("cannot read", folder))? {
        let path = entry.map_err(io("cannot read", folder))?.path();
        if path.is_dir() { sync(&path)? } else { sync_folder(&path)? }
    }
    sync_folder(folder)
}

fn sync_folder(path: &Path) -> Result<(), FolderError> {
    File::open(path).and_then(|file| file.sync_all()).map_err(io("cannot write", path))
}

fn rename(from: &Path, to: &Path) -> Result<(), FolderError> {
    fs::rename(from, to).map_err(io("cannot rename to", to))
}

/// Swaps two folders; where the file system cannot, the old one steps aside first. After the first kind `new` holds the old folder.
fn exchange(new: &Path, target: &Path, aside: &Path) -> Result<(), FolderError> {
    match renameat_with(CWD, new, CWD, target, RenameFlags::EXCHANGE) {
        Ok(()) => Ok(()),
        Err(Errno::INVAL | Errno::NOSYS | Errno::NOTSUP) => step_aside(new, target, aside),
        Err(Errno::BUSY) => {
            Err(FolderError::refused(target, "it is in use by the system, as mount points are", "name a folder inside of it"))
        }
        Err(errno) => Err(io("cannot swap", target)(errno.into())),
    }
}

/// Two renames: a crash between them is put right by [`recover`].
pub(super) fn step_aside(new: &Path, target: &Path, aside: &Path) -> Result<(), FolderError> {
    rename(target, aside)?;
    rename(new, target).inspect_err(|_| {
        let _ = fs::rename(aside, target);
    })
}

fn put_back(old: &Path, target: &Path, stage: &Stage) -> Result<(), FolderError> {
    exchange(old, target, &stage.path.join("unwanted"))
}
