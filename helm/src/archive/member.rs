//! The members of a tar, read so narrowly that no other reader can see others.
//!
//! Tar grew for forty years and its readers differ: in what wins when a name is said twice, whether a folder has content,
//! how a number is written, where the archive ends. Who knows two readers can show each of them another chart. So only the
//! forms that packers write today pass: ustar and GNU headers with octal sizes, one pax header or one GNU long name.

use tar::{EntryType, Header};

use super::ArchiveError;
use super::pax;

const BLOCK: usize = 512;

/// Bytes of a pax header or long name; Go's reader, which is Helm's, stops at the same size.
const MAX_EXTENSION: u64 = 1 << 20;

/// One member, its content still to be taken with [`Members::content`].
#[derive(Debug)]
pub(super) struct Member {
    pub(super) kind: EntryType,
    pub(super) path: Vec<u8>,
    pub(super) size: u64,
}

/// A tar in memory and how far it was read.
pub(super) struct Members<'a> {
    tar: &'a [u8],
    at: usize,
}

/// What headers say about the member that follows them.
#[derive(Default)]
struct Said {
    pax: Option<Vec<u8>>,
    pax_seen: bool,
    long: Option<Vec<u8>>,
}

impl<'a> Members<'a> {
    pub(super) fn new(tar: &'a [u8]) -> Self {
        Self { tar, at: 0 }
    }

    /// The next member, `None` at the end mark.
    pub(super) fn next(&mut self) -> Result<Option<Member>, ArchiveError> {
        let mut said = Said::default();
        loop {
            let Some(header) = self.header()? else {
                return if said.pax_seen || said.long.is_some() { broken("headers that belong to no file") } else { Ok(None) };
            };
            let size = size(&header)?;
            let kind = header.entry_type();
            match kind {
                EntryType::XHeader if said.pax_seen => return broken("two pax headers for one file"),
                EntryType::XHeader => {
                    said.pax_seen = true;
                    said.pax = pax::path(self.extension(size)?, &shown(&header))?;
                }
                // `git archive` puts a comment in a global header. Anything else there changes all files for some readers and none for others.
                EntryType::XGlobalHeader => {
                    if said.pax_seen || said.long.is_some() {
                        return broken("a global header between a file and what describes it");
                    }
                    pax::only_comment(self.extension(size)?, &shown(&header))?;
                }
                EntryType::GNULongName if said.long.is_some() => return broken("two long names for one file"),
                EntryType::GNULongName => {
                    let name = self.extension(size)?;
                    let end = name.iter().rposition(|b| *b != 0).map_or(0, |last| last + 1);
                    said.long = Some(name[..end].to_vec());
                }
                EntryType::GNULongLink => {
                    return Err(ArchiveError::NotAFile { path: shown(&header), kind: "link with a long target".into() });
                }
                _ => {
                    let path = match (said.pax, said.long) {
                        (Some(_), Some(_)) => return Err(ArchiveError::PaxHeader { path: shown(&header), key: "path".into() }),
                        (Some(path), None) | (None, Some(path)) => path,
                        (None, None) => own_path(&header),
                    };
                    return Ok(Some(Member { kind, path, size }));
                }
            }
        }
    }

    /// The content of the member that was just given.
    pub(super) fn content(&mut self, size: u64) -> Result<&'a [u8], ArchiveError> {
        let early = || ArchiveError::BrokenTar { reason: "a file that ends early".into() };
        let size = usize::try_from(size).map_err(|_| early())?;
        let end = self.at.checked_add(size).filter(|end| *end <= self.tar.len()).ok_or_else(early)?;
        let content = &self.tar[self.at..end];
        self.at = end.checked_next_multiple_of(BLOCK).filter(|next| *next <= self.tar.len()).ok_or_else(early)?;
        Ok(content)
    }

    fn extension(&mut self, size: u64) -> Result<&'a [u8], ArchiveError> {
        if size > MAX_EXTENSION { broken("a pax header or long name of more than 1 MiB") } else { self.content(size) }
    }

    /// The next header, `None` when the end mark and nothing but padding is left.
    fn header(&mut self) -> Result<Option<Header>, ArchiveError> {
        let rest = &self.tar[self.at..];
        let Some(block) = rest.get(..BLOCK) else { return broken("no mark at its end") };
        if block.iter().any(|b| *b != 0) {
            self.at += BLOCK;
            let header = Header::from_byte_slice(block).clone();
            return well_formed(&header).map(|()| Some(header));
        }
        // Another reader may go on where ours stops, so what follows the end mark must be padding.
        match rest.iter().filter(|b| **b != 0).count() {
            0 if rest.len() < 2 * BLOCK => broken("half a mark at its end"),
            0 => Ok(None),
            bytes => Err(ArchiveError::TrailingData { bytes: bytes as u64 }),
        }
    }
}

fn broken<T>(reason: &str) -> Result<T, ArchiveError> {
    Err(ArchiveError::BrokenTar { reason: reason.to_owned() })
}

fn shown(header: &Header) -> String {
    String::from_utf8_lossy(&own_path(header)).into_owned()
}

/// Field of the header up to its first NUL, as all readers take it.
fn text(field: &[u8]) -> &[u8] {
    field.split(|b| *b == 0).next().unwrap_or_default()
}

fn own_path(header: &Header) -> Vec<u8> {
    let name = text(&header.as_old().name);
    match header.as_ustar().map(|ustar| text(&ustar.prefix)) {
        Some(prefix) if !prefix.is_empty() => [prefix, b"/", name].concat(),
        _ => name.to_vec(),
    }
}

/// A number as tar writes it: spaces, octal digits, then spaces and NULs.
fn octal(field: &[u8]) -> Option<u64> {
    let start = field.iter().position(|b| *b != b' ').unwrap_or(field.len());
    let digits = field[start..].iter().position(|b| !(b'0'..=b'7').contains(b)).map_or(field.len(), |n| start + n);
    if field[digits..].iter().any(|b| !matches!(b, b' ' | 0)) {
        return None;
    }
    field[start..digits].iter().try_fold(0_u64, |n, digit| n.checked_mul(8)?.checked_add(u64::from(digit - b'0')))
}

/// Sizes from 8 GiB on are written in base 256; no file here has one.
fn size(header: &Header) -> Result<u64, ArchiveError> {
    let size = octal(&header.as_old().size).ok_or_else(|| ArchiveError::BrokenTar { reason: "a size that is no octal number".into() })?;
    // Some readers skip what a folder holds, others take it for further headers.
    if size > 0 && header.entry_type() == EntryType::Directory { broken("a folder with content") } else { Ok(size) }
}

fn well_formed(header: &Header) -> Result<(), ArchiveError> {
    let bytes = header.as_bytes();
    let sum: u64 = bytes[..148].iter().chain(&bytes[156..]).map(|b| u64::from(*b)).sum::<u64>() + 8 * u64::from(b' ');
    if octal(&header.as_old().cksum) != Some(sum) {
        return broken("a header whose checksum is wrong");
    }
    let gnu = header.as_gnu().is_some();
    // Where ustar keeps a prefix of the name, GNU and Schily keep other things, and readers guess.
    let unclear = if gnu { bytes[345..].iter().any(|b| *b != 0) } else { &bytes[508..] == b"tar\0" };
    if unclear || !gnu && header.as_ustar().is_none() {
        return broken("a header that is neither ustar nor GNU");
    }
    let old = header.as_old();
    // An owner or a time may be too large for octal; it is then in base 256, its first bit set.
    let binary = |field: &[u8]| field[0] == 0x80 && field[1..field.len() - 7].iter().all(|b| *b == 0);
    let number = |field: &[u8]| octal(field).is_some() || binary(field);
    let devices = [&bytes[329..337], &bytes[337..345]];
    let fields = [&old.mode[..], &old.uid, &old.gid, &old.mtime].into_iter().chain(devices);
    if fields.into_iter().all(number) { Ok(()) } else { broken("a header with a field that is no number") }
}
