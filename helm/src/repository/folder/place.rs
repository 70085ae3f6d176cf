//! A folder that may be replaced, and the lock on doing so.

use super::record::MAX_RECORD;
use super::tree::scan;
use super::{FolderError, RECORD, Record, Tree, io};
use serde::Deserialize;
use std::ffi::OsString;
use std::fs::{self, File, Metadata};
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// Where a chart folder is or will be.
#[derive(Debug, Clone)]
pub struct Place {
    pub(super) parent: PathBuf,
    pub(super) name: OsString,
}

/// What is there now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Standing {
    /// Nothing, or an empty folder.
    Empty,
    /// A chart.
    Chart {
        /// All its files.
        tree: Tree,
        /// What it was made from, when it was made by us.
        record: Option<Box<Record>>,
        /// Name and version of its `Chart.yaml`, as far as they can be read.
        chart: Option<(String, String)>,
    },
}

/// A place that nobody else replaces at the moment.
#[derive(Debug)]
pub struct Locked {
    pub(super) place: Place,
    left_behind: Option<PathBuf>,
    _lock: File,
}

/// How long one pull waits for another: writing and swapping takes a second or two.
const PATIENCE: Duration = Duration::from_secs(30);
const LOOK_EVERY: Duration = Duration::from_millis(50);

impl Place {
    /// Checks that a folder may be replaced.
    ///
    /// # Errors
    /// When it is not one, is a link, a mount point or the current folder, or its parent is not there.
    pub fn of(folder: &Path) -> Result<Self, FolderError> {
        let refused = |reason: &str, next: &str| FolderError::refused(folder, reason, next);
        let Some(name) = folder.file_name() else {
            return Err(refused("it ends in .. or is the root", "name the folder itself, from outside: charts/NAME"));
        };
        let parent = match folder.parent() {
            Some(parent) if !parent.as_os_str().is_empty() => parent,
            _ => Path::new("."),
        };
        let parent = parent.canonicalize().map_err(|source| match source.kind() {
            ErrorKind::NotFound => refused("the folder above it is not there", "make it first"),
            _ => FolderError::Io { what: "cannot use", path: parent.to_owned(), source },
        })?;
        let place = Self { parent, name: name.to_owned() };
        let path = place.path();
        if let Some(found) = place.look_at()? {
            if found.is_symlink() {
                return Err(refused("it is a symbolic link", "name the folder that it leads to"));
            }
            if !found.is_dir() {
                return Err(refused("it is a file", "name a folder"));
            }
            if is_mount_point(&path, &found, &fs::metadata(&place.parent).map_err(io("cannot look at", &place.parent))?) {
                return Err(refused("it is a mount point, and those cannot be swapped", "name a folder inside of it"));
            }
            let path = path.canonicalize().map_err(io("cannot use", &path))?;
            if std::env::current_dir().is_ok_and(|here| here.starts_with(&path)) {
                return Err(refused(
                    "you stand in it, and would be left in the old one",
                    "go to the folder above it and name it from there",
                ));
            }
            if !may_write(&path) {
                let next = format!("chmod u+w {}, or let its owner do it", path.display());
                return Err(refused("this user may not write in it, and so cannot move it either", &next));
            }
        }
        Ok(place)
    }

    /// The folder itself.
    #[must_use]
    pub fn path(&self) -> PathBuf {
        self.parent.join(&self.name)
    }

    /// Where the new folder is written: beside the old one, because only within one file system can they change places.
    pub(super) fn stage(&self) -> PathBuf {
        self.beside("groundswell-pull")
    }

    /// `.NAME.what` beside the folder.
    pub(super) fn beside(&self, what: &str) -> PathBuf {
        let mut name = OsString::from(".");
        name.push(&self.name);
        name.push(format!(".{what}"));
        self.parent.join(name)
    }

    fn look_at(&self) -> Result<Option<Metadata>, FolderError> {
        match fs::symlink_metadata(self.path()) {
            Ok(found) => Ok(Some(found)),
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
            Err(source) => Err(FolderError::Io { what: "cannot look at", path: self.path(), source }),
        }
    }

    /// Waits until no other pull works in the folder above, and puts right what one left behind that was killed.
    ///
    /// # Errors
    /// When another one takes longer than half a minute.
    pub fn lock(self) -> Result<Locked, FolderError> {
        let lock = File::open(&self.parent).map_err(io("cannot open", &self.parent))?;
        let mut waited = Duration::ZERO;
        while let Err(error) = lock.try_lock() {
            match error {
                fs::TryLockError::WouldBlock if waited >= PATIENCE => return Err(FolderError::Locked { path: self.parent }),
                fs::TryLockError::WouldBlock => std::thread::sleep(LOOK_EVERY),
                fs::TryLockError::Error(source) => return Err(FolderError::Io { what: "cannot lock", path: self.parent, source }),
            }
            waited += LOOK_EVERY;
        }
        let left_behind = super::leftover::recover(&self)?;
        Ok(Locked { place: self, left_behind, _lock: lock })
    }
}

impl Locked {
    /// Where the old folder of a pull is that was killed after the swap, when somebody had changed it while that pull ran.
    #[must_use]
    pub fn left_behind(&self) -> Option<&Path> {
        self.left_behind.as_deref()
    }

    /// What is there now.
    ///
    /// # Errors
    /// When it is not a chart: no other folder is ever replaced.
    pub fn look(&self) -> Result<Standing, FolderError> {
        let path = self.place.path();
        if self.place.look_at()?.is_none() {
            return Ok(Standing::Empty);
        }
        let tree = scan(&path)?;
        if tree.is_empty() && !path.join(RECORD).exists() {
            return Ok(Standing::Empty);
        }
        let record = read_limited(&path.join(RECORD), MAX_RECORD).and_then(|bytes| Record::read(&bytes)).map(Box::new);
        if record.is_none() && !tree.contains_key("Chart.yaml") {
            let next = format!("name the chart's own folder: {}/NAME", path.display());
            return Err(FolderError::refused(&path, "it is no chart folder: there is no Chart.yaml in it", next));
        }
        Ok(Standing::Chart { chart: read_chart(&path), tree, record })
    }
}

#[derive(Deserialize)]
struct Named {
    name: String,
    version: String,
}

fn read_chart(folder: &Path) -> Option<(String, String)> {
    let bytes = read_limited(&folder.join("Chart.yaml"), 1 << 20)?;
    let named: Named = serde_saphyr::from_str(&String::from_utf8_lossy(&bytes)).ok()?;
    Some((named.name, named.version))
}

fn read_limited(path: &Path, limit: u64) -> Option<Vec<u8>> {
    let found = fs::symlink_metadata(path).ok()?;
    (found.is_file() && found.len() <= limit).then(|| fs::read(path).ok())?
}

#[cfg(unix)]
fn may_write(folder: &Path) -> bool {
    rustix::fs::access(folder, rustix::fs::Access::WRITE_OK).is_ok()
}

#[cfg(not(unix))]
fn may_write(_: &Path) -> bool {
    true
}

/// Whether something is mounted at a folder: it cannot be moved then, nor what is around it be cleared away.
#[cfg(unix)]
pub(super) fn is_mount_point(path: &Path, found: &Metadata, above: &Metadata) -> bool {
    use std::os::unix::fs::MetadataExt as _;
    mount_root(path).unwrap_or(above.dev() != found.dev())
}

#[cfg(not(unix))]
pub(super) fn is_mount_point(_: &Path, _: &Metadata, _: &Metadata) -> bool {
    false
}

/// What the kernel says, where it does (5.8 and later): a folder of the same device may be mounted there, and a subvolume has
/// another device without being mounted.
#[cfg(target_os = "linux")]
fn mount_root(path: &Path) -> Option<bool> {
    use rustix::fs::{AtFlags, CWD, StatxAttributes, StatxFlags, statx};
    let found = statx(CWD, path, AtFlags::SYMLINK_NOFOLLOW, StatxFlags::empty()).ok()?;
    let known = found.stx_attributes_mask.contains(StatxAttributes::MOUNT_ROOT);
    known.then(|| found.stx_attributes.contains(StatxAttributes::MOUNT_ROOT))
}

#[cfg(all(unix, not(target_os = "linux")))]
fn mount_root(_: &Path) -> Option<bool> {
    None
}
