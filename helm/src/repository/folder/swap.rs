//! Writing the new folder, and changing places with the old one.

use super::compare::folders;
use super::leftover::{Mark, clear};
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
    /// When it cannot be written, or the folder was changed meanwhile. Nothing is changed then. What comes with success is why the
    /// old folder could not be cleared away.
    pub fn replace(&self, files: &Files, record: &Record, plan: &Plan, standing: &Standing) -> Result<Option<FolderError>, FolderError> {
        let mut stage = Stage::make(&self.place)?;
        let new = stage.path.join("new");
        self.write(&new, files, record, plan)?;
        let seen = match standing {
            Standing::Chart { tree, .. } => tree.clone(),
            Standing::Empty => Tree::new(),
        };
        Mark::leave(&stage.path, &new, &seen)?;
        sync(&new)?;
        let target = self.place.path();
        if !target.exists() {
            rename(&new, &target)?;
        } else {
            exchange(&new, &target, &stage.path.join("old"))?;
            let old = if new.exists() { new } else { stage.path.join("old") };
            // Between the look and the swap an editor may have saved: what nobody was asked about is not given up.
            let found = scan(&old);
            if found.as_ref().ok() != Some(&seen) {
                stage.keep = true;
                exchange(&old, &target, &stage.path.join("unwanted"))?;
                stage.keep = false;
                return Err(found.err().map_or_else(|| FolderError::Moved { path: target.clone() }, |error| error.back(&old, &target)));
            }
        }
        sync_folder(&self.place.parent)?;
        Ok(clear(&stage.path).err())
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
            Ok(found) => fs::set_permissions(new, movable(found.permissions())).map_err(io("cannot set the mode of", new)),
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

/// Of somebody else's folder this user may write in as one of a group; of the new one they are the owner, and only who may write
/// in a folder can move it.
#[cfg(unix)]
fn movable(of_old: fs::Permissions) -> fs::Permissions {
    use std::os::unix::fs::PermissionsExt as _;
    fs::Permissions::from_mode(of_old.mode() | 0o700)
}

#[cfg(not(unix))]
fn movable(of_old: fs::Permissions) -> fs::Permissions {
    of_old
}

/// The folder in which the new one is written; gone when this value is.
struct Stage {
    path: std::path::PathBuf,
    /// It holds the old folder.
    keep: bool,
}

impl Stage {
    fn make(place: &Place) -> Result<Self, FolderError> {
        let path = place.stage();
        fs::create_dir(&path).map_err(io("cannot make", &path))?;
        Ok(Self { path, keep: false })
    }
}

impl Drop for Stage {
    fn drop(&mut self) {
        // What stays is put right by the next pull.
        if !self.keep {
            let _ = clear(&self.path);
        }
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

/// Two renames: a crash between them is put right by [`super::leftover::recover`].
pub(super) fn step_aside(new: &Path, target: &Path, aside: &Path) -> Result<(), FolderError> {
    rename(target, aside)?;
    rename(new, target).inspect_err(|_| {
        let _ = fs::rename(aside, target);
    })
}
