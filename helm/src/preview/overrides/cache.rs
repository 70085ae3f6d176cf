//! What trials found, kept between runs. No values and no manifests: names of objects, behind keyed hashes of what was tried.

use std::collections::BTreeMap;
use std::fs;
use std::io::{Read, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use sha2::{Digest, Sha256};

/// Rises with every change of what a trial means; entries of another number are never found.
const SCHEME: u32 = 5;

/// Bytes of one entry that are read: 400 keys of two sides with 8 names of 300 bytes are 2 MB.
const MAX_ENTRY: u64 = 4 << 20;

/// Entries that are kept; the oldest go. An operator compares a chart for some clusters in turn, not for a thousand.
const MAX_ENTRIES: usize = 64;

/// By the keyed hash of a trial: the objects that it changed.
pub(super) type Found = BTreeMap<String, Vec<String>>;

/// The entry for one pair of charts, target and values.
pub(super) struct Cache {
    file: PathBuf,
    key: [u8; 32],
    pub(super) found: Found,
    fresh: bool,
}

impl Cache {
    /// Opens the entry, or begins one. Whatever is wrong with the folder means that nothing is kept, never that nothing is found.
    pub(super) fn open(folder: &Path, about: &[&[u8]]) -> Option<Self> {
        let folder = folder.join("overrides");
        fs::DirBuilder::new().recursive(true).mode(0o700).create(&folder).ok()?;
        let key = key(&folder)?;
        let scheme = SCHEME.to_le_bytes();
        let name = keyed(&key, [scheme.as_slice()].into_iter().chain(about.iter().copied()));
        let file = folder.join(format!("{name}.json"));
        let found = read(&file, MAX_ENTRY).and_then(|bytes| serde_json::from_slice(&bytes).ok()).unwrap_or_default();
        Some(Self { file, key, found, fresh: false })
    }

    /// Name of a trial.
    pub(super) fn name(&self, parts: &[&[u8]]) -> String {
        keyed(&self.key, parts.iter().copied())
    }

    pub(super) fn put(&mut self, name: String, objects: Vec<String>) {
        self.fresh |= self.found.get(&name) != Some(&objects);
        self.found.insert(name, objects);
    }

    /// Writes the entry as a whole, and takes the oldest ones away.
    fn save(&mut self) {
        if !std::mem::take(&mut self.fresh) {
            return;
        }
        let Some(folder) = self.file.parent() else { return };
        let written = serde_json::to_vec(&self.found).ok().and_then(|bytes| {
            // Private from the start (0600), and seen whole or not at all.
            let mut file = tempfile::NamedTempFile::new_in(folder).ok()?;
            file.write_all(&bytes).ok()?;
            file.persist(&self.file).ok()
        });
        if written.is_none() {
            tracing::debug!(folder = %folder.display(), "what the trials found could not be kept");
        }
        trim(folder);
    }
}

/// Whoever is stopped halfway keeps what was found so far.
impl Drop for Cache {
    fn drop(&mut self) {
        self.save();
    }
}

fn trim(folder: &Path) {
    let Ok(entries) = fs::read_dir(folder) else { return };
    let entry = |entry: fs::DirEntry| {
        let path = entry.path();
        let json = path.extension().is_some_and(|end| end == "json");
        json.then(|| Some((entry.metadata().ok()?.modified().ok()?, path)))?
    };
    let mut found: Vec<_> = entries.filter_map(Result::ok).filter_map(entry).collect();
    found.sort();
    let over = found.len().saturating_sub(MAX_ENTRIES);
    for (_, path) in found.into_iter().take(over) {
        // Somebody else may have been faster.
        let _ = fs::remove_file(path);
    }
}

fn read(path: &Path, limit: u64) -> Option<Vec<u8>> {
    let mut bytes = Vec::new();
    fs::File::open(path).ok()?.take(limit + 1).read_to_end(&mut bytes).ok()?;
    (bytes.len() as u64 <= limit).then_some(bytes)
}

/// The folder's own key: a hash of a short password could be guessed, a keyed one only by who can read this folder.
fn key(folder: &Path) -> Option<[u8; 32]> {
    let path = folder.join("key");
    if let Some(key) = read(&path, 32).and_then(|bytes| bytes.try_into().ok()) {
        return Some(key);
    }
    let mut key = [0_u8; 32];
    fs::File::open("/dev/urandom").ok()?.read_exact(&mut key).ok()?;
    let mut file = fs::OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&path).ok()?;
    file.write_all(&key).ok()?;
    // Another process may have written its own in between: the one that is there counts.
    read(&path, 32)?.try_into().ok()
}

fn keyed<'a>(key: &[u8; 32], parts: impl IntoIterator<Item = &'a [u8]>) -> String {
    let mut hash = Sha256::new();
    hash.update(key);
    for part in parts {
        hash.update((part.len() as u64).to_le_bytes());
        hash.update(part);
    }
    hex::encode(hash.finalize())
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    #[test]
    fn what_was_found_is_found_again_and_damage_is_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let open = |about: &[u8]| Cache::open(folder.path(), &[about]).unwrap();
        let mut cache = open(b"one");
        let name = cache.name(&[b"old", b"a.b"]);
        cache.put(name.clone(), vec!["Secret/a".into()]);
        let file = cache.file.clone();
        drop(cache);
        assert_eq!(open(b"one").found.get(&name), Some(&vec!["Secret/a".to_owned()]));
        assert!(open(b"two").found.is_empty());
        for path in [&file, &folder.path().join("overrides/key")] {
            assert_eq!(fs::metadata(path).unwrap().permissions().mode() & 0o777, 0o600);
        }
        fs::write(&file, b"{\"a\": [").unwrap();
        assert!(open(b"one").found.is_empty());
    }

    #[test]
    fn only_so_many_entries_are_kept() {
        let folder = tempfile::tempdir().unwrap();
        for index in 0..MAX_ENTRIES + 3 {
            let mut cache = Cache::open(folder.path(), &[&index.to_le_bytes()]).unwrap();
            cache.put("x".into(), Vec::new());
            drop(cache);
        }
        let json = |entry: &fs::DirEntry| entry.path().extension().is_some_and(|end| end == "json");
        let left = fs::read_dir(folder.path().join("overrides")).unwrap().filter(|entry| json(entry.as_ref().unwrap())).count();
        assert_eq!(left, MAX_ENTRIES);
    }
}
