//! What lies in the folder of a sled store, how it is opened with care, and how a group is made durable.
//!
//! ```text
//! lock        held while a process has the store
//! store.json  written last at creation: from then on an empty log is a lost one
//! acked       the last acknowledged revision, written without a sync
//! sled/       the database; its `db` is the log
//! snapshots/  logical snapshots
//! ```

use std::{
    any::Any,
    fs::{self, File},
    io,
    os::unix::fs::FileExt,
    panic::{AssertUnwindSafe, catch_unwind},
    path::{Path, PathBuf},
    sync::Arc,
    thread,
    time::{Duration, Instant},
};

use serde::{Deserialize, Serialize};

use super::{SledOptions, sync::Syncer};
use crate::{
    error::OpenError,
    files::{FolderLock, LockError, create_dir_durably, sync_dir, write_atomically},
    snapshot,
    state::{Delta, Fingerprint, Record, State},
    types::{Lineage, Revision},
};

const FORMAT: u32 = 1;
const MARKER: &str = "store.json";
const META_KEY: &[u8] = b"m";
const ENTRY_PREFIX: u8 = b'e';
/// Format byte and revision in front of each value.
const RECORD_HEAD: usize = 1 + 8;
/// Entries in one batch of an import: as many as the operations of a group.
const IMPORT_BATCH: usize = 512;
/// A thread that is done needs microseconds to let go; on a machine under load it may wait for its turn.
const LETTING_GO: Duration = Duration::from_secs(10);

/// Written with every group, in the same batch.
#[derive(Serialize, Deserialize)]
struct Meta {
    format: u32,
    lineage: Lineage,
    epoch: u64,
    revision: Revision,
    fingerprint: String,
}

#[derive(Serialize, Deserialize)]
struct Marker {
    format: u32,
    lineage: Lineage,
}

/// The open files of a store.
pub(super) struct Disk {
    dir: PathBuf,
    lineage: Lineage,
    db: ::sled::Db,
    syncer: Box<dyn Syncer>,
    acked: File,
    /// Last, so that the folder is free only when the database is closed.
    _lock: FolderLock,
}

impl Disk {
    pub(super) fn open(dir: &Path, options: &SledOptions) -> Result<(Self, State), OpenError> {
        let failed = |what| io_error(dir, what);
        create_dir_durably(dir).map_err(failed("create the folder"))?;
        create_dir_durably(&snapshots_dir(dir)).map_err(failed("create the folder of snapshots"))?;
        let lock = take_lock(dir)?;
        let marker = read_marker(dir)?;
        if marker.is_some() && !log_path(dir).exists() {
            return Err(damaged(dir, "its log sled/db is gone".to_owned()));
        }
        remove_generating(&sled_dir(dir)).map_err(failed("remove unfinished snapshots of sled"))?;
        let (db, found) = open_sled(dir, options)?;
        let syncer = (options.syncer)(&log_path(dir)).map_err(failed("open the log to sync it"))?;
        let acked = open_acked(dir).map_err(failed("open acked"))?;
        let lineage = Lineage::random();
        let mut disk = Self { dir: dir.to_owned(), lineage, db, syncer, acked, _lock: lock };
        let state = match found {
            Found::State(state) => {
                disk.lineage = state.lineage.clone();
                disk.check(marker.as_ref(), &state)?;
                state
            }
            Found::Nothing if marker.is_some() => {
                return Err(damaged(dir, "its log holds nothing".to_owned()));
            }
            Found::Nothing => {
                disk.check_no_snapshots()?;
                let state = State::empty(disk.lineage.clone());
                disk.write_meta(&state).map_err(failed("write the first record"))?;
                state
            }
        };
        disk.finish_opening(&state, marker.is_none()).map_err(failed("make the folder durable"))?;
        Ok((disk, state))
    }

    /// Fills a new folder from a snapshot. The meta record comes last, so that a half import is not taken for a store.
    pub(super) fn import(dir: &Path, mut state: State, options: &SledOptions) -> Result<(Self, State), OpenError> {
        let failed = |what| io_error(dir, what);
        create_dir_durably(dir).map_err(failed("create the folder"))?;
        if fs::read_dir(dir).map_err(failed("read the folder"))?.next().is_some() {
            return Err(OpenError::NotEmpty { dir: dir.to_owned() });
        }
        create_dir_durably(&snapshots_dir(dir)).map_err(failed("create the folder of snapshots"))?;
        let lock = take_lock(dir)?;
        let (db, _) = open_sled(dir, options)?;
        let syncer = (options.syncer)(&log_path(dir)).map_err(failed("open the log to sync it"))?;
        let acked = open_acked(dir).map_err(failed("open acked"))?;
        state.lineage = Lineage::random();
        let mut disk = Self { dir: dir.to_owned(), lineage: state.lineage.clone(), db, syncer, acked, _lock: lock };
        let entries: Vec<_> = state.entries.iter().collect();
        for part in entries.chunks(IMPORT_BATCH) {
            let mut batch = ::sled::Batch::default();
            for (key, record) in part {
                batch.insert(entry_key(key), encode(record));
            }
            disk.apply(batch).map_err(failed("write the entries"))?;
        }
        disk.write_meta(&state).map_err(failed("write the last record"))?;
        disk.finish_opening(&state, true).map_err(failed("make the folder durable"))?;
        Ok((disk, state))
    }

    /// Makes the group durable: one batch, which sled recovers as a whole or not at all, then flush, then `fdatasync`.
    pub(super) fn write(&mut self, delta: &Delta) -> io::Result<()> {
        let mut batch = ::sled::Batch::default();
        for (key, record) in &delta.changed {
            match record {
                Some(record) => batch.insert(entry_key(key), encode(record)),
                None => batch.remove(entry_key(key)),
            }
        }
        batch.insert(META_KEY, self.meta(delta.epoch, delta.revision, delta.fingerprint)?);
        self.apply(batch)?;
        self.note_acked(delta.revision);
        Ok(())
    }

    fn write_meta(&mut self, state: &State) -> io::Result<()> {
        let mut batch = ::sled::Batch::default();
        batch.insert(META_KEY, self.meta(state.epoch, state.revision, state.fingerprint)?);
        self.apply(batch)
    }

    fn meta(&self, epoch: u64, revision: Revision, fingerprint: Fingerprint) -> io::Result<Vec<u8>> {
        let fingerprint = hex::encode(fingerprint.0);
        let meta = Meta { format: FORMAT, lineage: self.lineage.clone(), epoch, revision, fingerprint };
        Ok(serde_json::to_vec(&meta)?)
    }

    fn apply(&mut self, batch: ::sled::Batch) -> io::Result<()> {
        // sled panics on some failures of the disk where it should return them.
        catch_unwind(AssertUnwindSafe(|| {
            self.db.apply_batch(batch)?;
            self.db.flush()
        }))
        .unwrap_or_else(|panic| Err(::sled::Error::ReportableBug(panic_words(panic.as_ref()))))
        .map_err(io::Error::other)?;
        self.syncer.sync()
    }

    /// No sync: the file may be older than the log after a loss of power, but never newer. So a log that holds less
    /// than it says has lost what was acknowledged, and one that holds more has not.
    fn note_acked(&self, revision: Revision) {
        let line = format!("{:020} {}\n", revision.0, self.lineage);
        if let Err(error) = self.acked.write_all_at(line.as_bytes(), 0) {
            tracing::warn!(%error, dir = %self.dir.display(), "cannot note the acknowledged revision");
        }
    }

    fn check(&self, marker: Option<&Marker>, state: &State) -> Result<(), OpenError> {
        if let Some(marker) = marker.filter(|marker| marker.lineage != state.lineage) {
            let why = format!("store.json is of lineage {}, its log of {}", marker.lineage, state.lineage);
            return Err(damaged(&self.dir, why));
        }
        let acked = fs::read_to_string(self.dir.join("acked")).unwrap_or_default();
        let acked = parse_acked(&acked).filter(|(_, lineage)| *lineage == state.lineage.0);
        let newest = self.snapshots()?.into_iter().find_map(|path| snapshot::peek(&path).ok());
        let proofs = [
            acked.map(|(revision, _)| (revision, "it had acknowledged")),
            newest.filter(|(lineage, _)| *lineage == state.lineage).map(|(_, revision)| (revision, "a snapshot has")),
        ];
        for (revision, words) in proofs.into_iter().flatten() {
            if revision > state.revision {
                let why = format!("its log ends at revision {}, but {words} {revision}", state.revision);
                return Err(damaged(&self.dir, why));
            }
        }
        Ok(())
    }

    fn check_no_snapshots(&self) -> Result<(), OpenError> {
        match self.snapshots()?.first() {
            None => Ok(()),
            Some(_) => Err(damaged(&self.dir, "its log holds nothing, but there are snapshots".to_owned())),
        }
    }

    fn snapshots(&self) -> Result<Vec<PathBuf>, OpenError> {
        snapshot::list(&snapshots_dir(&self.dir)).map_err(io_error(&self.dir, "list the snapshots"))
    }

    fn finish_opening(&mut self, state: &State, new: bool) -> io::Result<()> {
        // What was read may be in the page cache only, left there by a process that died before its sync. It is shown to
        // readers from here on, so it has to stay. sled does not sync its `conf`, nor the folder of what it renames.
        self.db.flush().map_err(io::Error::other)?;
        self.syncer.sync()?;
        File::open(sled_dir(&self.dir).join("conf"))?.sync_all()?;
        sync_dir(&sled_dir(&self.dir))?;
        sync_dir(&self.dir)?;
        self.note_acked(state.revision);
        if new {
            let marker = serde_json::to_vec(&Marker { format: FORMAT, lineage: self.lineage.clone() })?;
            write_atomically(&self.dir, MARKER, |out| out.write_all(&marker))?;
        }
        Ok(())
    }
}

pub(super) fn snapshots_dir(dir: &Path) -> PathBuf {
    dir.join("snapshots")
}

fn sled_dir(dir: &Path) -> PathBuf {
    dir.join("sled")
}

fn log_path(dir: &Path) -> PathBuf {
    sled_dir(dir).join("db")
}

fn take_lock(dir: &Path) -> Result<FolderLock, OpenError> {
    let path = dir.join("lock");
    FolderLock::take(&path).map_err(|error| match error {
        LockError::Held(holder) => OpenError::Locked { dir: dir.to_owned(), holder },
        LockError::Io(source) => OpenError::Io { path, what: "lock the folder", source },
    })
}

fn read_marker(dir: &Path) -> Result<Option<Marker>, OpenError> {
    let bytes = match fs::read(dir.join(MARKER)) {
        Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(None),
        bytes => bytes.map_err(io_error(dir, "read store.json"))?,
    };
    let marker: Marker = serde_json::from_slice(&bytes).map_err(|e| damaged(dir, format!("store.json cannot be read: {e}")))?;
    check_format(dir, marker.format)?;
    Ok(Some(marker))
}

fn check_format(dir: &Path, found: u32) -> Result<(), OpenError> {
    if found <= FORMAT { Ok(()) } else { Err(OpenError::Format { dir: dir.to_owned(), found, known: FORMAT }) }
}

fn open_acked(dir: &Path) -> io::Result<File> {
    File::options().read(true).write(true).create(true).truncate(false).open(dir.join("acked"))
}

fn parse_acked(line: &str) -> Option<(Revision, &str)> {
    let (revision, lineage) = line.strip_suffix('\n')?.split_once(' ')?;
    Some((Revision(revision.parse().ok()?), lineage))
}

/// A crash while sled opens leaves a half-written snapshot of its own, which it would then read at every later open
/// and call itself corrupt. The one before is deleted only after the rename, so nothing is lost.
fn remove_generating(sled: &Path) -> io::Result<()> {
    let entries = match fs::read_dir(sled) {
        Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(()),
        entries => entries?,
    };
    for entry in entries {
        let entry = entry?;
        let name = entry.file_name();
        let name = name.to_string_lossy();
        if name.starts_with("snap.") && name.ends_with(".generating") {
            tracing::warn!(file = %entry.path().display(), "removing what a crash while opening left behind");
            fs::remove_file(entry.path())?;
        }
    }
    Ok(())
}

enum Found {
    Nothing,
    State(State),
}

/// A thread of sled's pool may hold the log, and sled's lock on it, for a moment after the database was dropped; sled itself
/// takes its lock without waiting. The lock of the folder says that nobody else is there to wait for.
fn until_let_go(dir: &Path) {
    let Ok(log) = File::options().read(true).write(true).open(log_path(dir)) else { return };
    let begun = Instant::now();
    while matches!(log.try_lock(), Err(fs::TryLockError::WouldBlock)) && begun.elapsed() < LETTING_GO {
        thread::sleep(Duration::from_millis(1));
    }
}

fn open_sled(dir: &Path, options: &SledOptions) -> Result<(::sled::Db, Found), OpenError> {
    let config =
        ::sled::Config::new().path(sled_dir(dir)).cache_capacity(options.cache_bytes).flush_every_ms(Some(500)).use_compression(false);
    until_let_go(dir);
    // sled panics on some damaged logs where it should return an error.
    catch_unwind(AssertUnwindSafe(|| {
        let db = config.open().map_err(|e| sled_error(dir, e))?;
        let found = load(dir, &db)?;
        Ok((db, found))
    }))
    .unwrap_or_else(|panic| Err(damaged(dir, format!("sled: {}", panic_words(panic.as_ref())))))
}

/// Reads everything and proves that it is what the last group left.
fn load(dir: &Path, db: &::sled::Db) -> Result<Found, OpenError> {
    let bad = |why: String| damaged(dir, why);
    let mut state = State::empty(Lineage(String::new()));
    for pair in db.scan_prefix([ENTRY_PREFIX]) {
        let (key, value) = pair.map_err(|e| sled_error(dir, e))?;
        let key = std::str::from_utf8(key.get(1..).unwrap_or_default());
        let (Ok(key), Some(record)) = (key, decode(&value)) else {
            return Err(bad("an entry cannot be read".to_owned()));
        };
        state.fingerprint.toggle(key, &record);
        state.entries.insert(key.to_owned(), record);
    }
    let Some(meta) = db.get(META_KEY).map_err(|e| sled_error(dir, e))? else {
        let empty = state.entries.is_empty();
        return if empty { Ok(Found::Nothing) } else { Err(bad("it has entries but no head record".to_owned())) };
    };
    let meta: Meta = serde_json::from_slice(&meta).map_err(|e| bad(format!("its head record cannot be read: {e}")))?;
    check_format(dir, meta.format)?;
    if meta.fingerprint != hex::encode(state.fingerprint.0) {
        return Err(bad(format!("its entries are not those of revision {}", meta.revision)));
    }
    state.lineage = meta.lineage;
    state.epoch = meta.epoch;
    state.revision = meta.revision;
    Ok(Found::State(state))
}

fn entry_key(key: &str) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(1 + key.len());
    bytes.push(ENTRY_PREFIX);
    bytes.extend_from_slice(key.as_bytes());
    bytes
}

fn encode(record: &Record) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(RECORD_HEAD + record.value.len());
    bytes.push(1);
    bytes.extend_from_slice(&record.revision.0.to_be_bytes());
    bytes.extend_from_slice(&record.value);
    bytes
}

fn decode(bytes: &[u8]) -> Option<Record> {
    let (&[1, ref revision @ ..], value) = bytes.split_first_chunk::<RECORD_HEAD>()? else {
        return None;
    };
    let revision = Revision(u64::from_be_bytes(*revision));
    Some(Record { value: Arc::from(value), revision })
}

fn damaged(dir: &Path, why: String) -> OpenError {
    let snapshot = snapshot::newest_sound(&snapshots_dir(dir));
    OpenError::Damaged { dir: dir.to_owned(), why, snapshot }
}

/// A disk that is full or not ours has damaged nothing, and restoring would not help.
fn sled_error(dir: &Path, error: ::sled::Error) -> OpenError {
    use io::ErrorKind::{PermissionDenied, QuotaExceeded, ReadOnlyFilesystem, StorageFull};
    match error {
        ::sled::Error::Io(e) if matches!(e.kind(), PermissionDenied | QuotaExceeded | ReadOnlyFilesystem | StorageFull) => {
            io_error(dir, "open its log")(e)
        }
        other => damaged(dir, format!("sled: {other}")),
    }
}

fn io_error(path: &Path, what: &'static str) -> impl FnOnce(io::Error) -> OpenError {
    let path = path.to_owned();
    move |source| OpenError::Io { path, what, source }
}

/// What a panic said.
pub(super) fn panic_words(panic: &(dyn Any + Send)) -> String {
    let text = panic.downcast_ref::<&str>().copied().or_else(|| panic.downcast_ref::<String>().map(String::as_str));
    format!("panicked: {}", text.unwrap_or("without words"))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A store of three entries, whose database was then changed behind our back.
    fn tampered(change: impl FnOnce(&::sled::Db)) -> String {
        let dir = tempfile::tempdir().unwrap();
        let options = SledOptions::default();
        let (mut disk, mut state) = Disk::open(dir.path(), &options).unwrap();
        let mut draft = crate::state::Draft::new(&state);
        for key in ["a", "b", "c"] {
            let ops = vec![crate::types::Op::Put { key: key.to_owned(), value: key.as_bytes().to_vec() }];
            draft.admit(crate::types::Txn { epoch: 0, expect: vec![], ops }).unwrap();
        }
        let delta = draft.finish();
        disk.write(&delta).unwrap();
        state.apply(delta);
        drop(disk);
        until_let_go(dir.path());
        let db = ::sled::open(sled_dir(dir.path())).unwrap();
        change(&db);
        drop(db);
        match Disk::open(dir.path(), &options) {
            Ok(_) => "opened".to_owned(),
            Err(OpenError::Damaged { why, .. }) => why,
            Err(other) => other.to_string(),
        }
    }

    #[test]
    fn a_hole_in_the_history_is_noticed() {
        assert_eq!(tampered(|_| {}), "opened");
        let hole = "its entries are not those of revision 3";
        assert_eq!(tampered(|db| drop(db.remove(entry_key("b")).unwrap())), hole);
        assert_eq!(tampered(|db| drop(db.insert(entry_key("d"), db.get(entry_key("b")).unwrap().unwrap()).unwrap())), hole);
        let older = Record { value: Arc::from(*b"b"), revision: Revision(1) };
        assert_eq!(tampered(|db| drop(db.insert(entry_key("b"), encode(&older)).unwrap())), hole);
        assert_eq!(tampered(|db| drop(db.insert(entry_key("b"), vec![9]).unwrap())), "an entry cannot be read");
        assert_eq!(tampered(|db| drop(db.remove(META_KEY).unwrap())), "it has entries but no head record");
    }

    /// As a thread of sled's pool does that has not had its turn since the database was dropped.
    #[test]
    fn who_has_still_to_let_go_of_the_log_is_waited_for() {
        let dir = tempfile::tempdir().unwrap();
        drop(Disk::open(dir.path(), &SledOptions::default()).unwrap());
        until_let_go(dir.path());
        let held = File::open(log_path(dir.path())).unwrap();
        held.lock().unwrap();
        let folder = dir.path().to_owned();
        let opening = thread::spawn(move || Disk::open(&folder, &SledOptions::default()).map(drop));
        // Time for one that does not wait to fail.
        let begun = Instant::now();
        while !opening.is_finished() && begun.elapsed() < Duration::from_millis(100) {
            thread::yield_now();
        }
        drop(held);
        opening.join().unwrap().unwrap();
    }

    #[test]
    fn a_full_disk_is_no_damage() {
        let full = io::Error::from(io::ErrorKind::StorageFull);
        let told = sled_error(Path::new("here"), ::sled::Error::Io(full));
        assert!(matches!(told, OpenError::Io { what: "open its log", .. }), "{told}");
        let told = sled_error(Path::new("here"), ::sled::Error::Corruption { at: None, bt: () });
        assert!(matches!(told, OpenError::Damaged { .. }), "{told}");
    }
}
