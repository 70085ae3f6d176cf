//! A chart folder that is replaced as a whole, and the record in it of what it was made from.
//!
//! Unpacking one version over another leaves files of the old one behind, and helm renders them. So the new folder is written
//! beside the old one and the two change places in one step; what somebody put into the old one by hand is found first, by the
//! record, and is carried over or given up only by the operator's word.

mod compare;
mod leftover;
mod place;
mod plan;
mod record;
mod swap;
mod tree;

pub use compare::{Group, Local, LocalChange, grouped, local_changes};
pub use place::{Locked, Place, Standing};
pub use plan::{Plan, plan};
pub use record::{RECORD, Record, is_record};
pub use tree::{Node, Tree};

use std::io;
use std::path::{Path, PathBuf};

/// Why a folder is left as it is.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum FolderError {
    /// The file system refuses.
    #[error("{what} {path:?}")]
    Io {
        /// What was tried: `cannot write` and the like.
        what: &'static str,
        /// On what.
        path: PathBuf,
        /// Why not.
        #[source]
        source: io::Error,
    },
    /// Not a folder that may be replaced.
    #[error("{path:?} is not replaced: {reason}")]
    Refused {
        /// Which.
        path: PathBuf,
        /// Why not.
        reason: String,
        /// What to do instead.
        next: String,
    },
    /// A path of `--keep` that cannot be carried over.
    #[error("{path:?} cannot be kept: {reason}")]
    Keep {
        /// As it was given.
        path: String,
        /// Why not.
        reason: String,
    },
    /// Somebody changed the folder in the same moment.
    #[error("{path:?} was changed while it was being replaced, and was put back")]
    Moved {
        /// Which.
        path: PathBuf,
    },
    /// Another pull holds the lock.
    #[error("another pull is replacing a folder in {path:?}")]
    Locked {
        /// The folder in which both work.
        path: PathBuf,
    },
}

impl FolderError {
    fn refused(path: impl Into<PathBuf>, reason: impl Into<String>, next: impl Into<String>) -> Self {
        Self::Refused { path: path.into(), reason: reason.into(), next: next.into() }
    }

    /// The same of what was put back from one folder to another: where it was is nothing any more.
    fn back(mut self, from: &Path, to: &Path) -> Self {
        if let Self::Io { path, .. } | Self::Refused { path, .. } = &mut self
            && let Ok(below) = path.strip_prefix(from)
        {
            *path = if below.as_os_str().is_empty() { to.to_owned() } else { to.join(below) };
        }
        self
    }

    /// What the operator does next.
    #[must_use]
    pub fn next(&self) -> String {
        match self {
            Self::Refused { next, .. } => next.clone(),
            Self::Io { what: leftover::CLEAR, .. } => {
                "look into it and remove it by hand (rm -r), else the next pull into this folder stops there".to_owned()
            }
            Self::Io { source, .. } => match source.kind() {
                io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => "make room on that disk; nothing was changed".to_owned(),
                io::ErrorKind::PermissionDenied | io::ErrorKind::ReadOnlyFilesystem => {
                    "the new folder is written beside the old one: this user must be able to write there".to_owned()
                }
                _ => String::new(),
            },
            Self::Keep { .. } => "name paths inside of the folder, as they were listed".to_owned(),
            Self::Moved { .. } | Self::Locked { .. } => "try again when the other one is done".to_owned(),
        }
    }

    /// Whether somebody else was at work.
    #[must_use]
    pub fn is_conflict(&self) -> bool {
        matches!(self, Self::Moved { .. } | Self::Locked { .. })
    }
}

/// For `map_err`: what was tried, on what.
fn io(what: &'static str, path: impl Into<PathBuf>) -> impl FnOnce(io::Error) -> FolderError {
    let path = path.into();
    move |source| FolderError::Io { what, path, source }
}

#[cfg(test)]
#[path = "../tests/folder.rs"]
mod tests;
