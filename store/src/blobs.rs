//! Content by its SHA-256, one file each: charts and whatever else is too large for the store.

use std::{
    fmt, fs, io,
    path::{Path, PathBuf},
    str::FromStr,
};

use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use crate::files::{create_dir_durably, sweep, sync_dir, write_atomically};

/// SHA-256 of some content. As text it is 64 lower-case hexadecimal digits.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Digest([u8; 32]);

impl Digest {
    /// The digest of the content.
    #[must_use]
    pub fn of(content: &[u8]) -> Self {
        Self(Sha256::digest(content).into())
    }
}

impl fmt::Display for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&hex::encode(self.0))
    }
}

impl fmt::Debug for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Digest({self})")
    }
}

/// Not a digest.
#[derive(Debug, thiserror::Error)]
#[error("a digest is 64 lower-case hexadecimal digits")]
pub struct ParseDigestError;

impl FromStr for Digest {
    type Err = ParseDigestError;

    fn from_str(text: &str) -> Result<Self, ParseDigestError> {
        let mut bytes = [0; 32];
        hex::decode_to_slice(text, &mut bytes).map_err(|_| ParseDigestError)?;
        // One file has one name.
        if text.bytes().any(|b| b.is_ascii_uppercase()) { Err(ParseDigestError) } else { Ok(Self(bytes)) }
    }
}

impl TryFrom<String> for Digest {
    type Error = ParseDigestError;

    fn try_from(text: String) -> Result<Self, ParseDigestError> {
        text.parse()
    }
}

impl From<Digest> for String {
    fn from(digest: Digest) -> Self {
        digest.to_string()
    }
}

/// Why content could not be stored or read.
#[derive(Debug, thiserror::Error)]
pub enum BlobError {
    /// Beyond the limit of this store.
    #[error("content of {given} bytes is more than the {max} that are stored")]
    TooLarge {
        /// Bytes of the content.
        given: u64,
        /// The limit in bytes.
        max: u64,
    },
    /// Nothing with this digest.
    #[error("there is no content with digest {digest}")]
    Missing {
        /// The digest asked for.
        digest: Digest,
    },
    /// The file is not what was stored. It is left in its place; storing the same content again repairs it.
    #[error("{path} does not hold what its name says: put the same content again to repair it")]
    Damaged {
        /// The file.
        path: PathBuf,
    },
    /// No room. Nothing was stored.
    #[error("no space left in {dir} for {given} bytes: make room and try again")]
    NoSpace {
        /// The folder.
        dir: PathBuf,
        /// Bytes of the content.
        given: u64,
    },
    /// The disk failed.
    #[error("{path}: cannot {what}")]
    Io {
        /// The file or folder.
        path: PathBuf,
        /// What was tried.
        what: &'static str,
        /// Why not.
        #[source]
        source: io::Error,
    },
}

/// A folder of content-addressed files. All methods block; call them where blocking is allowed.
#[derive(Clone, Debug)]
pub struct BlobStore {
    dir: PathBuf,
    max_bytes: u64,
}

impl BlobStore {
    /// Takes the folder, makes it if need be, and removes what a crash left unfinished. One process at a time: the lock
    /// of the store beside it sees to that.
    ///
    /// # Errors
    /// [`BlobError::Io`].
    pub fn new(dir: &Path, max_bytes: u64) -> Result<Self, BlobError> {
        let failed = |source| BlobError::Io { path: dir.to_owned(), what: "prepare the folder", source };
        create_dir_durably(dir).map_err(failed)?;
        sweep(dir).map_err(failed)?;
        Ok(Self { dir: dir.to_owned(), max_bytes })
    }

    /// Stores the content; when it returns it is durable. Storing the same again costs a read.
    ///
    /// # Errors
    /// [`BlobError::TooLarge`], [`BlobError::NoSpace`], [`BlobError::Io`]. None leaves anything that can be seen.
    pub fn put(&self, content: &[u8]) -> Result<Digest, BlobError> {
        let given = content.len() as u64;
        if given > self.max_bytes {
            return Err(BlobError::TooLarge { given, max: self.max_bytes });
        }
        let digest = Digest::of(content);
        if self.open(&digest).is_ok() {
            // Whoever wrote it may have died between its rename and its sync of the folder.
            sync_dir(&self.dir).map_err(|e| self.put_error(given, e))?;
            return Ok(digest);
        }
        write_atomically(&self.dir, &digest.to_string(), |out| out.write_all(content)).map_err(|e| self.put_error(given, e))?;
        Ok(digest)
    }

    /// Reads the content and checks it against its digest.
    ///
    /// # Errors
    /// [`BlobError::Missing`], [`BlobError::Damaged`], [`BlobError::Io`].
    pub fn open(&self, digest: &Digest) -> Result<Vec<u8>, BlobError> {
        let path = self.path(digest);
        let content = match fs::metadata(&path) {
            Ok(meta) if meta.len() > self.max_bytes => return Err(BlobError::Damaged { path }),
            Ok(_) => fs::read(&path),
            Err(e) => Err(e),
        };
        match content {
            Ok(content) if Digest::of(&content) == *digest => Ok(content),
            Ok(_) => Err(BlobError::Damaged { path }),
            Err(e) if e.kind() == io::ErrorKind::NotFound => Err(BlobError::Missing { digest: *digest }),
            Err(source) => Err(BlobError::Io { path, what: "read it", source }),
        }
    }

    /// Whether there is a file for the digest. Its content is not looked at.
    ///
    /// # Errors
    /// [`BlobError::Io`].
    pub fn has(&self, digest: &Digest) -> Result<bool, BlobError> {
        let path = self.path(digest);
        path.try_exists().map_err(|source| BlobError::Io { path, what: "look for it", source })
    }

    /// Removes the content. Returns whether it was there.
    ///
    /// # Errors
    /// [`BlobError::Io`].
    pub fn delete(&self, digest: &Digest) -> Result<bool, BlobError> {
        let path = self.path(digest);
        match fs::remove_file(&path).and_then(|()| sync_dir(&self.dir)) {
            Ok(()) => Ok(true),
            Err(e) if e.kind() == io::ErrorKind::NotFound => Ok(false),
            Err(source) => Err(BlobError::Io { path, what: "remove it", source }),
        }
    }

    /// All digests, in order.
    ///
    /// # Errors
    /// [`BlobError::Io`].
    pub fn list(&self) -> Result<Vec<Digest>, BlobError> {
        let failed = |source| BlobError::Io { path: self.dir.clone(), what: "list it", source };
        let mut found = Vec::new();
        for entry in fs::read_dir(&self.dir).map_err(failed)? {
            let name = entry.map_err(failed)?.file_name();
            found.extend(name.to_str().and_then(|name| name.parse::<Digest>().ok()));
        }
        found.sort_unstable();
        Ok(found)
    }

    fn path(&self, digest: &Digest) -> PathBuf {
        self.dir.join(digest.to_string())
    }

    fn put_error(&self, given: u64, source: io::Error) -> BlobError {
        match source.kind() {
            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => BlobError::NoSpace { dir: self.dir.clone(), given },
            _ => BlobError::Io { path: self.dir.clone(), what: "write into it", source },
        }
    }
}

#[cfg(test)]
mod tests {
    use std::{fs::File, io::Write};

    use super::*;

    fn names(dir: &Path) -> Vec<String> {
        let mut names: Vec<_> = fs::read_dir(dir).unwrap().map(|e| e.unwrap().file_name().into_string().unwrap()).collect();
        names.sort();
        names
    }

    #[test]
    fn content_comes_back_by_its_digest() {
        let dir = tempfile::tempdir().unwrap();
        let blobs = BlobStore::new(&dir.path().join("deep/blobs"), 100).unwrap();
        let digest = blobs.put(b"abc").unwrap();
        assert_eq!(digest.to_string(), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
        assert_eq!(blobs.put(b"abc").unwrap(), digest);
        let empty = blobs.put(b"").unwrap();
        assert_eq!(blobs.open(&digest).unwrap(), b"abc");
        assert_eq!(blobs.open(&empty).unwrap(), b"");
        let mut both = vec![digest, empty];
        both.sort();
        assert_eq!(blobs.list().unwrap(), both);
        assert!(blobs.has(&digest).unwrap() && blobs.delete(&digest).unwrap());
        assert!(!blobs.has(&digest).unwrap() && !blobs.delete(&digest).unwrap());
        assert!(matches!(blobs.open(&digest), Err(BlobError::Missing { digest: d }) if d == digest));
    }

    #[test]
    fn a_damaged_file_is_told_and_repaired() {
        let dir = tempfile::tempdir().unwrap();
        let blobs = BlobStore::new(dir.path(), 100).unwrap();
        let digest = blobs.put(b"abc").unwrap();
        for content in [&b"abd"[..], b"", &[b'a'; 101]] {
            fs::write(dir.path().join(digest.to_string()), content).unwrap();
            assert!(matches!(blobs.open(&digest), Err(BlobError::Damaged { .. })));
            assert_eq!(blobs.put(b"abc").unwrap(), digest);
            assert_eq!(blobs.open(&digest).unwrap(), b"abc");
        }
    }

    #[test]
    fn the_limit_holds() {
        let dir = tempfile::tempdir().unwrap();
        let blobs = BlobStore::new(dir.path(), 100).unwrap();
        blobs.put(&[b'x'; 100]).unwrap();
        assert!(matches!(blobs.put(&[b'x'; 101]), Err(BlobError::TooLarge { given: 101, max: 100 })));
        assert_eq!(names(dir.path()).len(), 1);
    }

    #[test]
    fn what_a_crash_left_is_swept_and_never_listed() {
        let dir = tempfile::tempdir().unwrap();
        fs::write(dir.path().join(".tmp-half"), b"hal").unwrap();
        fs::write(dir.path().join("a note"), b"").unwrap();
        let blobs = BlobStore::new(dir.path(), 100).unwrap();
        assert_eq!(blobs.list().unwrap(), []);
        assert_eq!(names(dir.path()), ["a note"]);
    }

    /// `/dev/full` gives the error of a full disk, on every machine.
    #[test]
    fn a_full_disk_is_told_and_leaves_nothing() {
        let dir = tempfile::tempdir().unwrap();
        let blobs = BlobStore::new(dir.path(), 100).unwrap();
        let full = || File::options().write(true).open("/dev/full").unwrap().write_all(b"abc");
        let error = write_atomically(dir.path(), "content", |out| {
            out.write_all(b"half of it")?;
            full()
        })
        .unwrap_err();
        let told = blobs.put_error(3, error);
        assert!(matches!(told, BlobError::NoSpace { given: 3, .. }), "{told}");
        assert_eq!(names(dir.path()), Vec::<String>::new());
    }

    #[test]
    fn digests_are_parsed_strictly() {
        let text = Digest::of(b"abc").to_string();
        assert_eq!(text.parse::<Digest>().unwrap(), Digest::of(b"abc"));
        let upper = text.to_uppercase();
        for bad in ["", "abc", "../../etc/passwd", &upper, &text[1..], &format!("{text}0"), &format!(" {}", &text[1..])] {
            assert!(bad.parse::<Digest>().is_err(), "{bad}");
        }
    }
}
