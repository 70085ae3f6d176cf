//! A chart folder as an archive whose bytes depend on the folder's content alone: sorted, without times, owners or modes.

mod ignore;

use std::collections::BTreeMap;
use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};

use flate2::{Compression, GzBuilder};

use crate::archive::{ArchiveError, ChartArchive, Limits};
use ignore::Rules;

/// What `chart pull` leaves in a folder about where it came from; never packed.
pub const PULL_RECORD: &str = ".groundswell-chart.json";

/// Why a folder could not be packed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum PackError {
    /// The folder or a file in it cannot be read.
    #[error("cannot read {path:?}")]
    Read {
        /// Which.
        path: PathBuf,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// No `Chart.yaml` in the folder.
    #[error("{folder:?} is not a chart folder: it has no Chart.yaml")]
    NotAChart {
        /// Which folder.
        folder: PathBuf,
    },
    /// A symbolic link.
    #[error("{path:?} is a symbolic link: replace it by a copy of its target, or name it in .helmignore")]
    Symlink {
        /// Which.
        path: PathBuf,
    },
    /// A device, pipe or socket.
    #[error("{path:?} is neither file nor folder: name it in .helmignore")]
    NotAFile {
        /// Which.
        path: PathBuf,
    },
    /// A file name that is not UTF-8.
    #[error("the name of {path:?} is not UTF-8")]
    NotUtf8 {
        /// Which.
        path: PathBuf,
    },
    /// A `.helmignore` that Helm would refuse too.
    #[error("{path:?} line {line}: {reason}")]
    Ignore {
        /// The .helmignore.
        path: PathBuf,
        /// Line, from 1.
        line: usize,
        /// What is wrong with it.
        reason: &'static str,
    },
    /// What the folder holds breaks a rule for chart archives.
    #[error("{folder:?} does not make an acceptable chart")]
    Refused {
        /// Which folder.
        folder: PathBuf,
        /// Which rule.
        #[source]
        source: ArchiveError,
    },
}

/// A packed folder.
#[derive(Debug, Clone)]
pub struct PackedChart {
    /// The .tgz.
    pub bytes: Vec<u8>,
    /// The same, read back and checked.
    pub archive: ChartArchive,
}

/// Packs a chart folder. The same content gives the same bytes on every machine with this build of Groundswell.
///
/// This reads files and compresses: call it from a blocking thread.
///
/// # Errors
/// Unreadable, links, or content that breaks a rule for archives.
pub fn pack(folder: &Path) -> Result<PackedChart, PackError> {
    let read = |path: &Path| fs::read(path).map_err(|source| PackError::Read { path: path.to_owned(), source });
    let chart_yaml = folder.join("Chart.yaml");
    if !chart_yaml.is_file() {
        return Err(PackError::NotAChart { folder: folder.to_owned() });
    }
    let refused = |source| PackError::Refused { folder: folder.to_owned(), source };
    let ignore_path = folder.join(".helmignore");
    let rules = match fs::read(&ignore_path) {
        Ok(text) => {
            Rules::parse(&String::from_utf8_lossy(&text)).map_err(|(line, reason)| PackError::Ignore { path: ignore_path, line, reason })?
        }
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Rules::default(),
        Err(source) => return Err(PackError::Read { path: ignore_path, source }),
    };
    let mut files = BTreeMap::new();
    let mut room = Room { bytes: Limits::DEFAULT.expanded, files: Limits::DEFAULT.files };
    walk(folder, "", &rules, &mut files, &mut room).map_err(|stop| match stop {
        Stop::Pack(error) => error,
        Stop::Limit(error) => refused(error),
    })?;
    let name = chart_name(&read(&chart_yaml)?).map_err(refused)?;
    let bytes = archive_bytes(&name, &files).map_err(|source| PackError::Read { path: folder.to_owned(), source })?;
    let archive = ChartArchive::read(&bytes).map_err(refused)?;
    Ok(PackedChart { bytes, archive })
}

/// The name decides the folder in the archive; that it is a good one is checked when the archive is read back.
fn chart_name(yaml: &[u8]) -> Result<String, ArchiveError> {
    #[derive(serde::Deserialize)]
    struct Named {
        #[serde(default)]
        name: String,
    }
    let path = "Chart.yaml".to_owned();
    let text = String::from_utf8_lossy(yaml);
    let named: Named = serde_saphyr::from_str(text.trim_start_matches('\u{feff}'))
        .map_err(|e| ArchiveError::Metadata { path: path.clone(), reason: crate::values::what_is_wrong(&e) })?;
    if crate::archive::valid_chart_name(&named.name) { Ok(named.name) } else { Err(ArchiveError::BadName { path, name: named.name }) }
}

/// What may still be read: somebody may name the wrong folder, and `/` does not fit into memory.
struct Room {
    bytes: u64,
    files: usize,
}

enum Stop {
    Pack(PackError),
    Limit(ArchiveError),
}

fn walk(folder: &Path, below: &str, rules: &Rules, files: &mut BTreeMap<String, Vec<u8>>, room: &mut Room) -> Result<(), Stop> {
    let unreadable = |path: &Path| {
        let path = path.to_owned();
        move |source| Stop::Pack(PackError::Read { path, source })
    };
    let limits = Limits::DEFAULT;
    for entry in fs::read_dir(folder).map_err(unreadable(folder))? {
        let entry = entry.map_err(unreadable(folder))?;
        let path = entry.path();
        let name = entry.file_name();
        let Some(name) = name.to_str() else { return Err(Stop::Pack(PackError::NotUtf8 { path })) };
        let relative = if below.is_empty() { name.to_owned() } else { format!("{below}/{name}") };
        let kind = entry.file_type().map_err(unreadable(&path))?;
        if rules.ignored(&relative, kind.is_dir()) {
            continue;
        }
        room.files = room.files.checked_sub(1).ok_or(Stop::Limit(ArchiveError::TooManyFiles { limit: limits.files }))?;
        if kind.is_dir() {
            if relative.len() > limits.path {
                return Err(Stop::Limit(ArchiveError::PathTooLong { path: relative, limit: limits.path }));
            }
            walk(&path, &relative, rules, files, room)?;
        } else if kind.is_symlink() {
            return Err(Stop::Pack(PackError::Symlink { path }));
        } else if !kind.is_file() {
            return Err(Stop::Pack(PackError::NotAFile { path }));
        } else {
            let bytes = entry.metadata().map_err(unreadable(&path))?.len();
            if bytes > limits.file {
                return Err(Stop::Limit(ArchiveError::FileTooLarge { path: relative, bytes, limit: limits.file }));
            }
            room.bytes = room.bytes.checked_sub(bytes).ok_or(Stop::Limit(ArchiveError::ExpandsTooFar { limit: limits.expanded }))?;
            files.insert(relative, fs::read(&path).map_err(unreadable(&path))?);
        }
    }
    Ok(())
}

/// The bytes: entries in order, nothing of the machine in them. Helm, too, writes every file with mode 0644.
fn archive_bytes(name: &str, files: &BTreeMap<String, Vec<u8>>) -> std::io::Result<Vec<u8>> {
    let mut tar = tar::Builder::new(Vec::new());
    for (path, data) in files {
        let mut header = tar::Header::new_gnu();
        header.set_entry_type(tar::EntryType::Regular);
        header.set_mode(0o644);
        header.set_mtime(0);
        header.set_uid(0);
        header.set_gid(0);
        header.set_size(data.len() as u64);
        tar.append_data(&mut header, format!("{name}/{path}"), data.as_slice())?;
    }
    let tar = tar.into_inner()?;
    // 255 is "unknown system": the default would differ between systems.
    let mut gzip = GzBuilder::new().mtime(0).operating_system(255).write(Vec::new(), Compression::best());
    gzip.write_all(&tar)?;
    gzip.finish()
}

#[cfg(test)]
mod tests;
