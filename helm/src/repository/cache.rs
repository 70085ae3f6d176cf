//! What was fetched before, by digest. Nothing in it is believed: the digest of what is read is computed anew.

use crate::archive::digest_hex;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

/// Bytes that are kept: some hundred versions of the largest charts, and little beside a container image.
const MAX_BYTES: u64 = 1 << 30;

/// A folder of archives, and of which reference led to which of them.
#[derive(Debug, Clone)]
pub struct Cache {
    folder: PathBuf,
    max_bytes: u64,
}

/// Where an archive came from, the last time that its reference was fetched.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Remembered {
    pub(super) digest: String,
    pub(super) origin: String,
    pub(super) manifest_digest: Option<String>,
    pub(super) provenance: Option<String>,
    #[serde(default)]
    pub(super) provenance_unknown: Option<String>,
    /// Who named the digest then; absent in what older versions wrote.
    #[serde(default)]
    pub(super) vouched: Option<Vec<String>>,
}

impl Cache {
    /// A cache in this folder, which is made when first needed.
    #[must_use]
    pub fn new(folder: PathBuf) -> Self {
        Self { folder, max_bytes: MAX_BYTES }
    }

    /// The same with another size.
    #[must_use]
    pub fn limited(self, max_bytes: u64) -> Self {
        Self { max_bytes, ..self }
    }

    /// An archive by its digest. One that was damaged is removed and reads as absent.
    pub(super) fn archive(&self, digest: &str) -> Option<Vec<u8>> {
        let path = self.archive_path(digest);
        let bytes = fs::read(&path).ok()?;
        if digest_hex(&bytes) != digest {
            let _ = fs::remove_file(&path);
            return None;
        }
        // What is used stays; where the time cannot be set it goes a little earlier.
        let _ = fs::File::options().append(true).open(&path).and_then(|file| file.set_modified(SystemTime::now()));
        Some(bytes)
    }

    /// Whether there is something under the name of an archive, damaged or not.
    pub(super) fn holds(&self, digest: &str) -> bool {
        self.archive_path(digest).exists()
    }

    pub(super) fn keep_archive(&self, digest: &str, bytes: &[u8]) -> std::io::Result<()> {
        self.write(&self.archive_path(digest), bytes)?;
        self.trim(&self.archive_path(digest))
    }

    /// What a reference led to when it was last fetched.
    pub(super) fn recall(&self, reference: &str) -> Option<Remembered> {
        serde_json::from_slice(&fs::read(self.reference_path(reference)).ok()?).ok()
    }

    pub(super) fn remember(&self, reference: &str, remembered: &Remembered) -> std::io::Result<()> {
        self.write(&self.reference_path(reference), &serde_json::to_vec_pretty(remembered)?)
    }

    /// An index as it was, with the mark that its server gave it.
    pub(super) fn index(&self, url: &str) -> Option<(String, Vec<u8>)> {
        let bytes = fs::read(self.named("indexes", url, "yaml")).ok()?;
        let mark: IndexMark = serde_json::from_slice(&fs::read(self.named("indexes", url, "json")).ok()?).ok()?;
        (digest_hex(&bytes) == mark.digest).then_some((mark.etag, bytes))
    }

    pub(super) fn keep_index(&self, url: &str, etag: &str, bytes: &[u8]) -> std::io::Result<()> {
        let path = self.named("indexes", url, "yaml");
        self.write(&path, bytes)?;
        let mark = IndexMark { etag: etag.to_owned(), digest: digest_hex(bytes) };
        self.write(&self.named("indexes", url, "json"), &serde_json::to_vec(&mark)?)?;
        self.trim(&path)
    }

    fn archive_path(&self, digest: &str) -> PathBuf {
        self.folder.join("archives").join(format!("{digest}.tgz"))
    }

    fn reference_path(&self, reference: &str) -> PathBuf {
        self.named("references", reference, "json")
    }

    /// Names of files say nothing of what stands in URLs.
    fn named(&self, kind: &str, key: &str, extension: &str) -> PathBuf {
        self.folder.join(kind).join(format!("{}.{extension}", hex::encode(Sha256::digest(key))))
    }

    /// Whole or not at all, also with two processes: each writes a file of its own and renames it.
    fn write(&self, path: &Path, bytes: &[u8]) -> std::io::Result<()> {
        let folder = path.parent().unwrap_or(&self.folder);
        private_folder(folder)?;
        let mut file = tempfile::Builder::new().prefix(".new-").tempfile_in(folder)?;
        file.write_all(bytes)?;
        file.persist(path).map(|_| ()).map_err(|error| error.error)
    }

    /// Removes what was not used for longest until the rest fits; what was just written stays.
    fn trim(&self, newest: &Path) -> std::io::Result<()> {
        let mut files = Vec::new();
        for kind in ["archives", "indexes", "references"] {
            let Ok(entries) = fs::read_dir(self.folder.join(kind)) else { continue };
            for entry in entries.flatten() {
                let Ok(found) = entry.metadata() else { continue };
                if found.is_file() && entry.path() != newest {
                    files.push((found.modified().unwrap_or(SystemTime::UNIX_EPOCH), found.len(), entry.path()));
                }
            }
        }
        files.sort();
        let mut total = files.iter().map(|(_, bytes, _)| bytes).sum::<u64>() + fs::metadata(newest)?.len();
        for (_, bytes, path) in files {
            if total <= self.max_bytes {
                break;
            }
            if fs::remove_file(&path).is_ok() {
                total = total.saturating_sub(bytes);
            }
        }
        Ok(())
    }
}

#[derive(Serialize, Deserialize)]
struct IndexMark {
    etag: String,
    digest: String,
}

/// Charts may have been fetched with credentials: they are for this user alone.
fn private_folder(folder: &Path) -> std::io::Result<()> {
    let mut builder = fs::DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(folder)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_damaged_reads_as_absent() {
        let folder = tempfile::tempdir().unwrap();
        let cache = Cache::new(folder.path().join("cache"));
        let digest = digest_hex(b"chart");
        assert!(cache.archive(&digest).is_none());
        cache.keep_archive(&digest, b"chart").unwrap();
        assert_eq!(cache.archive(&digest).as_deref(), Some(&b"chart"[..]));
        fs::write(cache.archive_path(&digest), "other").unwrap();
        assert!(cache.archive(&digest).is_none());
        assert!(!cache.archive_path(&digest).exists());
        cache.keep_index("https://c.example", "\"1\"", b"entries: {}").unwrap();
        assert_eq!(cache.index("https://c.example").unwrap().0, "\"1\"");
        fs::write(cache.named("indexes", "https://c.example", "yaml"), "entries: {x: []}").unwrap();
        assert!(cache.index("https://c.example").is_none());
    }

    #[test]
    fn the_least_used_goes_first() {
        let folder = tempfile::tempdir().unwrap();
        let cache = Cache::new(folder.path().to_owned()).limited(25);
        let contents = [[b'a'; 10], [b'b'; 10], [b'c'; 10]];
        let digests = contents.map(|content| digest_hex(&content));
        for (age, at) in [(300, 0), (200, 1)] {
            cache.keep_archive(&digests[at], &contents[at]).unwrap();
            let file = fs::File::options().append(true).open(cache.archive_path(&digests[at])).unwrap();
            file.set_modified(SystemTime::now() - std::time::Duration::from_secs(age)).unwrap();
        }
        assert!(cache.archive(&digests[0]).is_some(), "read, and so used last");
        cache.keep_archive(&digests[2], &contents[2]).unwrap();
        let there = digests.clone().map(|digest| cache.archive_path(&digest).exists());
        assert_eq!(there, [true, false, true]);
        assert_eq!(fs::metadata(folder.path().join("archives")).unwrap().permissions(), {
            use std::os::unix::fs::PermissionsExt;
            fs::Permissions::from_mode(0o40700)
        });
    }
}
