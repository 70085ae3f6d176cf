//! Logical snapshots: the whole content as JSON lines, with a checksum at the end. They do not depend on how the store
//! keeps its files, so a store can be restored from them when those files are lost.

use std::{
    fs::{self, File},
    io::{self, BufRead, BufReader, Write},
    path::{Path, PathBuf},
    sync::Arc,
};

use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use crate::{
    error::SnapshotError,
    files::{sweep, write_atomically},
    state::{Fingerprint, Record, State},
    types::{Lineage, MAX_KEY_BYTES, MAX_VALUE_BYTES, Revision},
};

const FORMAT: &str = "groundswell-store-1";
const SUFFIX: &str = ".snapshot.jsonl";

/// The longest line: a value and a key, each byte escaped as six characters, and room for the rest.
const MAX_LINE: u64 = ((MAX_VALUE_BYTES + MAX_KEY_BYTES) * 6 + 256) as u64;

/// What a snapshot holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SnapshotInfo {
    /// The file.
    pub path: PathBuf,
    /// The store that it was taken from.
    pub lineage: Lineage,
    /// The epoch of that store.
    pub epoch: u64,
    /// The last transaction in it.
    pub revision: Revision,
    /// How many entries.
    pub entries: usize,
}

#[derive(Serialize, Deserialize)]
struct Header {
    format: String,
    lineage: Lineage,
    epoch: u64,
    revision: Revision,
    entries: usize,
}

#[derive(Serialize, Deserialize)]
struct Line {
    key: String,
    revision: Revision,
    /// The value where it is UTF-8, so that a person can read the file.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    text: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    hex: Option<String>,
}

#[derive(Serialize, Deserialize)]
struct Trailer {
    sha256: String,
}

/// Writes a snapshot into the folder and removes all but the newest `keep`.
pub(crate) fn write(state: &State, dir: &Path, keep: usize) -> Result<SnapshotInfo, SnapshotError> {
    let info = write_as(state, dir, &format!("{:020}{SUFFIX}", state.revision.0))?;
    let failed = |source| SnapshotError::Io { path: dir.to_owned(), what: "remove old snapshots", source };
    for old in list(dir).map_err(failed)?.into_iter().skip(keep.max(1)) {
        fs::remove_file(old).map_err(failed)?;
    }
    sweep(dir).map_err(failed)?;
    Ok(info)
}

/// Writes a snapshot under a name of the caller's choice.
pub(crate) fn write_as(state: &State, dir: &Path, name: &str) -> Result<SnapshotInfo, SnapshotError> {
    let header = Header {
        format: FORMAT.to_owned(),
        lineage: state.lineage.clone(),
        epoch: state.epoch,
        revision: state.revision,
        entries: state.entries.len(),
    };
    let path = write_atomically(dir, name, |out| {
        let mut out = Hashing { out, hash: Sha256::new() };
        out.line(&header)?;
        for (key, record) in &state.entries {
            let text = std::str::from_utf8(&record.value).ok().map(str::to_owned);
            let hex = if text.is_none() { Some(hex::encode(&record.value)) } else { None };
            out.line(&Line { key: key.clone(), revision: record.revision, text, hex })?;
        }
        let sha256 = hex::encode(out.hash.clone().finalize());
        out.line(&Trailer { sha256 })
    })
    .map_err(|source| SnapshotError::Io { path: dir.join(name), what: "write the snapshot", source })?;
    Ok(SnapshotInfo { path, lineage: header.lineage, epoch: header.epoch, revision: header.revision, entries: header.entries })
}

struct Hashing<'a> {
    out: &'a mut dyn Write,
    hash: Sha256,
}

impl Hashing<'_> {
    fn line(&mut self, value: &impl Serialize) -> io::Result<()> {
        let mut line = serde_json::to_vec(value)?;
        line.push(b'\n');
        self.hash.update(&line);
        self.out.write_all(&line)
    }
}

/// Reads a whole snapshot and checks all of it.
pub(crate) fn read(path: &Path) -> Result<State, SnapshotError> {
    let mut lines = Lines::open(path)?;
    let header: Header = lines.parse()?;
    lines.check(header.format == FORMAT, || format!("format {} is not {FORMAT}", header.format))?;
    let mut state = State::empty(header.lineage);
    state.epoch = header.epoch;
    state.revision = header.revision;
    for _ in 0..header.entries {
        let line: Line = lines.parse()?;
        let value = match (line.text, line.hex) {
            (Some(text), None) => Some(text.into_bytes()),
            (None, Some(hex)) => hex::decode(hex).ok(),
            _ => None,
        };
        let Some(value) = value else {
            return Err(lines.damaged("no value".to_owned()));
        };
        let record = Record { value: Arc::from(value), revision: line.revision };
        state.fingerprint.toggle(&line.key, &record);
        let sound = record.revision <= state.revision && state.entries.insert(line.key, record).is_none();
        lines.check(sound, || "the key is there twice or newer than the snapshot".to_owned())?;
    }
    let hash = hex::encode(lines.hash.clone().finalize());
    let trailer: Trailer = lines.parse()?;
    lines.check(trailer.sha256 == hash, || "the content does not match its checksum".to_owned())?;
    debug_assert!(state.fingerprint != Fingerprint::default() || state.entries.is_empty());
    Ok(state)
}

/// The lineage and revision that the first line tells, unchecked.
pub(crate) fn peek(path: &Path) -> Result<(Lineage, Revision), SnapshotError> {
    let header: Header = Lines::open(path)?.parse()?;
    Ok((header.lineage, header.revision))
}

/// The snapshots of the folder, newest first. A folder that is not there has none.
pub(crate) fn list(dir: &Path) -> io::Result<Vec<PathBuf>> {
    let entries = match fs::read_dir(dir) {
        Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        entries => entries?,
    };
    let mut found = Vec::new();
    for entry in entries {
        let entry = entry?;
        if entry.file_name().to_string_lossy().ends_with(SUFFIX) {
            found.push(entry.path());
        }
    }
    found.sort_unstable_by(|a, b| b.cmp(a));
    Ok(found)
}

/// The newest snapshot of the folder that is whole.
pub(crate) fn newest_sound(dir: &Path) -> Option<PathBuf> {
    list(dir).ok()?.into_iter().find(|path| read(path).is_ok())
}

struct Lines {
    path: PathBuf,
    reader: BufReader<File>,
    hash: Sha256,
    number: usize,
}

impl Lines {
    fn open(path: &Path) -> Result<Self, SnapshotError> {
        let file = File::open(path).map_err(|source| SnapshotError::Io { path: path.to_owned(), what: "open the snapshot", source })?;
        Ok(Self { path: path.to_owned(), reader: BufReader::new(file), hash: Sha256::new(), number: 0 })
    }

    fn parse<T: for<'de> Deserialize<'de>>(&mut self) -> Result<T, SnapshotError> {
        self.number += 1;
        let mut line = Vec::new();
        io::Read::take(&mut self.reader, MAX_LINE).read_until(b'\n', &mut line).map_err(|source| SnapshotError::Io {
            path: self.path.clone(),
            what: "read the snapshot",
            source,
        })?;
        self.check(line.ends_with(b"\n"), || "the file ends here".to_owned())?;
        self.hash.update(&line);
        serde_json::from_slice(&line).map_err(|e| self.damaged(e.to_string()))
    }

    fn check(&self, sound: bool, why: impl FnOnce() -> String) -> Result<(), SnapshotError> {
        if sound { Ok(()) } else { Err(self.damaged(why())) }
    }

    fn damaged(&self, why: String) -> SnapshotError {
        SnapshotError::Damaged { path: self.path.clone(), line: self.number, why }
    }
}
