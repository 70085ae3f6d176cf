//! From untrusted bytes to checked paths and contents, in memory: nothing here writes to a disk.

use std::collections::{BTreeMap, BTreeSet};
use std::io::Read;
use std::sync::Arc;

use flate2::bufread::GzDecoder;
use icu_normalizer::ComposingNormalizer;
use tar::EntryType;

use super::budget::Budget;
use super::member::{Member, Members};
use super::{ArchiveError, git};

/// Files of an archive: path below the top folder, and content.
pub type Files = BTreeMap<String, Arc<[u8]>>;

/// One read archive: its top folder and the files in it.
#[derive(Debug)]
pub(super) struct Unpacked {
    pub(super) top: String,
    pub(super) files: Files,
}

const GZIP_MAGIC: [u8; 3] = [0x1f, 0x8b, 0x08];

/// Expands a gzip stream within the budget.
fn expand(bytes: &[u8], budget: &mut Budget) -> Result<Vec<u8>, ArchiveError> {
    if !bytes.starts_with(&GZIP_MAGIC) {
        return Err(ArchiveError::NotGzip);
    }
    let mut decoder = GzDecoder::new(bytes);
    let mut out = Vec::new();
    let mut chunk = vec![0_u8; 64 << 10];
    loop {
        let read = decoder.read(&mut chunk).map_err(|e| ArchiveError::BrokenGzip { reason: e.to_string() })?;
        if read == 0 {
            break;
        }
        budget.spend_expanded(read as u64)?;
        out.extend_from_slice(&chunk[..read]);
        let size = out.len() as u64;
        if size > budget.limits.ratio_floor && size / budget.limits.ratio > bytes.len() as u64 {
            return Err(ArchiveError::Ratio { limit: budget.limits.ratio });
        }
    }
    let rest = decoder.into_inner();
    if !rest.is_empty() {
        return Err(ArchiveError::TrailingData { bytes: rest.len() as u64 });
    }
    Ok(out)
}

/// Reads a .tgz completely, or says which rule it breaks.
pub(super) fn unpack(bytes: &[u8], budget: &mut Budget) -> Result<Unpacked, ArchiveError> {
    if bytes.len() as u64 > budget.limits.compressed {
        return Err(ArchiveError::TooLarge { bytes: bytes.len() as u64, limit: budget.limits.compressed });
    }
    let expanded = expand(bytes, budget)?;
    let mut members = Members::new(&expanded);
    let mut tree = Tree::default();
    while let Some(member) = members.next()? {
        read_member(&member, &mut members, budget, &mut tree)?;
    }
    tree.refuse_repository()?;
    Ok(Unpacked { top: tree.top.unwrap_or_default(), files: tree.files })
}

#[derive(Default)]
struct Tree {
    top: Option<String>,
    files: Files,
    folders: BTreeSet<String>,
    explicit_folders: BTreeSet<String>,
    /// Each path by the form in which systems that ignore case or Unicode's normal forms keep it.
    kept_as: BTreeMap<String, String>,
}

fn read_member(member: &Member, members: &mut Members<'_>, budget: &mut Budget, tree: &mut Tree) -> Result<(), ArchiveError> {
    budget.spend_file()?;
    let full = checked_path(&member.path, budget.limits.path, member.kind == EntryType::Directory)?;
    let folder = match member.kind {
        EntryType::Regular => false,
        EntryType::Directory => true,
        other => return Err(ArchiveError::NotAFile { path: full, kind: kind_words(other) }),
    };
    let (top, below) = full.split_once('/').unwrap_or((full.as_str(), ""));
    match &tree.top {
        None if !folder && below.is_empty() => {
            return Err(ArchiveError::NoChartYaml { chart: full });
        }
        None => tree.top = Some(top.to_owned()),
        Some(first) if first != top || (!folder && below.is_empty()) => {
            return Err(ArchiveError::TwoTopFolders { first: first.clone(), second: full });
        }
        Some(_) => {}
    }
    if folder {
        return tree.add_folder(below, &full);
    }
    if member.size > budget.limits.file {
        return Err(ArchiveError::FileTooLarge { path: full, bytes: member.size, limit: budget.limits.file });
    }
    tree.add_file(below, &full, members.content(member.size)?)
}

impl Tree {
    fn add_folder(&mut self, below: &str, full: &str) -> Result<(), ArchiveError> {
        if self.files.contains_key(below) || !self.explicit_folders.insert(below.to_owned()) {
            return Err(ArchiveError::Duplicate { path: full.to_owned() });
        }
        self.folders.insert(below.to_owned());
        self.keep(below)?;
        self.add_parents(below, full)
    }

    fn add_file(&mut self, below: &str, full: &str, content: &[u8]) -> Result<(), ArchiveError> {
        if self.folders.contains(below) || self.files.insert(below.to_owned(), content.into()).is_some() {
            return Err(ArchiveError::Duplicate { path: full.to_owned() });
        }
        self.keep(below)?;
        self.add_parents(below, full)
    }

    /// Windows and macOS would unpack two such paths into one file.
    fn keep(&mut self, below: &str) -> Result<(), ArchiveError> {
        let key = ComposingNormalizer::new_nfc().normalize(&below.to_lowercase()).into_owned();
        match self.kept_as.insert(key, below.to_owned()) {
            Some(first) if first != below => Err(ArchiveError::Indistinct { first, second: below.to_owned() }),
            _ => Ok(()),
        }
    }

    fn refuse_repository(&self) -> Result<(), ArchiveError> {
        let paths: Vec<String> = self.files.keys().chain(&self.folders).map(|path| path.to_lowercase()).collect();
        match git::bare_repository(&paths.iter().map(String::as_str).collect()) {
            Some(folder) => {
                let top = self.top.as_deref().unwrap_or_default();
                Err(ArchiveError::GitRepository { path: format!("{top}/{folder}") })
            }
            None => Ok(()),
        }
    }

    /// Notes the folders that a path needs; one of them being a file is two entries of one name.
    fn add_parents(&mut self, below: &str, full: &str) -> Result<(), ArchiveError> {
        for (at, _) in below.match_indices('/') {
            let parent = &below[..at];
            if self.files.contains_key(parent) {
                return Err(ArchiveError::Duplicate { path: full.to_owned() });
            }
            if self.folders.insert(parent.to_owned()) {
                self.keep(parent)?;
            }
        }
        Ok(())
    }
}

fn kind_words(kind: EntryType) -> String {
    match kind {
        EntryType::Symlink => "symbolic link".into(),
        EntryType::Link => "hard link".into(),
        EntryType::Char => "character device".into(),
        EntryType::Block => "block device".into(),
        EntryType::Fifo => "pipe".into(),
        EntryType::GNUSparse => "sparse file".into(),
        other => format!("tar entry of type {:?}", char::from(other.as_byte())),
    }
}

/// Bytes of one file's or folder's name: `NAME_MAX` of Linux, and no less than what macOS and Windows take.
const MAX_NAME: usize = 255;

/// Characters that turn the direction of text: `values\u{202e}lmay.` is shown as `values.yaml`.
const TURNS_TEXT: &[char] = &[
    '\u{61c}', '\u{200e}', '\u{200f}', '\u{202a}', '\u{202b}', '\u{202c}', '\u{202d}', '\u{202e}', '\u{2066}', '\u{2067}', '\u{2068}',
    '\u{2069}',
];

/// A path that means the same on every system, without a trailing slash.
fn checked_path(raw: &[u8], limit: usize, folder: bool) -> Result<String, ArchiveError> {
    let lossy = || String::from_utf8_lossy(&raw[..raw.len().min(limit)]).into_owned();
    if raw.len() > limit {
        return Err(ArchiveError::PathTooLong { path: lossy(), limit });
    }
    let path = std::str::from_utf8(raw).map_err(|_| ArchiveError::PathNotUtf8 { path: lossy() })?;
    let path = if folder { path.strip_suffix('/').unwrap_or(path) } else { path };
    let owned = || path.to_owned();
    if path.starts_with('/') {
        return Err(ArchiveError::PathAbsolute { path: owned() });
    }
    if let Some(character) = path.chars().find(|c| *c == '\\' || c.is_control() || TURNS_TEXT.contains(c)) {
        return Err(ArchiveError::PathCharacter { path: owned(), character });
    }
    for part in path.split('/') {
        let drive = part.len() == 2 && part.ends_with(':') && part.starts_with(|c: char| c.is_ascii_alphabetic());
        if drive {
            return Err(ArchiveError::PathAbsolute { path: owned() });
        }
        if part.len() > MAX_NAME {
            return Err(ArchiveError::NameTooLong { path: owned(), bytes: part.len(), limit: MAX_NAME });
        }
        if matches!(part, "" | "." | "..") {
            return Err(ArchiveError::PathPart { path: owned(), part: part.to_owned() });
        }
        if git::is_dot_git(part) {
            return Err(ArchiveError::GitRepository { path: owned() });
        }
    }
    Ok(owned())
}
