//! Files that are whole or not there.

use std::{
    fs::{self, File},
    io::{self, BufWriter, Write},
    path::{Path, PathBuf},
};

/// Names of unfinished files; one that is left over after a crash may be removed by who owns the folder.
pub(crate) const TMP_PREFIX: &str = ".tmp-";

/// Makes creations, renames and removals in the folder durable.
pub(crate) fn sync_dir(dir: &Path) -> io::Result<()> {
    File::open(dir)?.sync_all()
}

/// Creates the folder, its missing parents too, and makes that durable.
pub(crate) fn create_dir_durably(dir: &Path) -> io::Result<()> {
    if dir.is_dir() {
        return Ok(());
    }
    if let Some(parent) = dir.parent().filter(|parent| !parent.as_os_str().is_empty()) {
        create_dir_durably(parent)?;
        fs::create_dir(dir).or_else(|e| if e.kind() == io::ErrorKind::AlreadyExists { Ok(()) } else { Err(e) })?;
        return sync_dir(parent);
    }
    fs::create_dir(dir)
}

/// Writes `<dir>/<name>`: temporary file, fsync, rename, fsync of the folder. An error leaves what was there before.
pub(crate) fn write_atomically(dir: &Path, name: &str, fill: impl FnOnce(&mut dyn Write) -> io::Result<()>) -> io::Result<PathBuf> {
    let mut file = tempfile::Builder::new().prefix(TMP_PREFIX).tempfile_in(dir)?;
    let mut buffered = BufWriter::new(file.as_file_mut());
    fill(&mut buffered)?;
    buffered.flush()?;
    drop(buffered);
    file.as_file().sync_all()?;
    let path = dir.join(name);
    file.persist(&path).map_err(|e| e.error)?;
    sync_dir(dir)?;
    Ok(path)
}

/// Removes what a crash left unfinished in the folder.
pub(crate) fn sweep(dir: &Path) -> io::Result<()> {
    for entry in fs::read_dir(dir)? {
        let entry = entry?;
        if entry.file_name().to_string_lossy().starts_with(TMP_PREFIX) {
            fs::remove_file(entry.path())?;
        }
    }
    Ok(())
}

/// An exclusive lock on a folder, held as long as this lives and never longer than the process.
pub(crate) struct FolderLock {
    _file: File,
}

/// Why a lock was not taken.
pub(crate) enum LockError {
    /// Somebody has it; what they wrote about themselves.
    Held(String),
    Io(io::Error),
}

impl FolderLock {
    pub(crate) fn take(path: &Path) -> Result<Self, LockError> {
        let mut file = File::options().read(true).write(true).create(true).truncate(false).open(path).map_err(LockError::Io)?;
        match file.try_lock() {
            Ok(()) => {}
            Err(fs::TryLockError::WouldBlock) => {
                let holder = fs::read_to_string(path).unwrap_or_default();
                let holder = holder.trim();
                let known = !holder.is_empty();
                return Err(LockError::Held(if known { holder.to_owned() } else { "another process".to_owned() }));
            }
            Err(fs::TryLockError::Error(e)) => return Err(LockError::Io(e)),
        }
        file.set_len(0).map_err(LockError::Io)?;
        writeln!(file, "process {}", std::process::id()).map_err(LockError::Io)?;
        Ok(Self { _file: file })
    }
}
