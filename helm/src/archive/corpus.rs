//! Makes archives, good ones and hostile ones, byte by byte where a library would refuse.

mod mutate;
mod table;

use std::io::{Read, Write};

use flate2::Compression;
use flate2::write::GzEncoder;
use tar::{EntryType, Header};

pub use mutate::{Chance, mutate, tars};
pub use table::{Case, table};

use super::{ArchiveError, ChartArchive};

/// A `Chart.yaml` that is in order.
pub const CHART_YAML: &str = "apiVersion: v2\nname: beacon\nversion: 1.2.3\nappVersion: 1.10\n";

/// A tar under construction. Paths go into the header as they are.
#[derive(Debug, Default, Clone)]
pub struct Tar(Vec<u8>);

impl Tar {
    /// A chart that is in order, to be spoilt.
    #[must_use]
    pub fn good() -> Self {
        Self::of(CHART_YAML).file("beacon/values.yaml", b"a: 1\n")
    }

    /// A chart of nothing but this `Chart.yaml`.
    #[must_use]
    pub fn of(yaml: &str) -> Self {
        Self::default().file("beacon/Chart.yaml", yaml.as_bytes())
    }

    /// One more member of this kind, path at most 100 bytes.
    #[must_use]
    pub fn entry(self, kind: EntryType, path: &[u8], data: &[u8]) -> Self {
        self.spoilt(path, data, |header| header.set_entry_type(kind))
    }

    /// One more file whose header is altered before its checksum is made.
    #[must_use]
    pub fn spoilt(self, path: &[u8], data: &[u8], spoil: impl FnOnce(&mut Header)) -> Self {
        self.headed(Header::new_ustar(), path, data, spoil)
    }

    /// As [`Tar::spoilt`], with a header in GNU's form.
    #[must_use]
    pub fn gnu(self, path: &[u8], data: &[u8], spoil: impl FnOnce(&mut Header)) -> Self {
        self.headed(Header::new_gnu(), path, data, spoil)
    }

    /// As [`Tar::spoilt`], with a header from before ustar.
    #[must_use]
    pub fn old(self, path: &[u8], data: &[u8]) -> Self {
        self.headed(Header::new_old(), path, data, |_| {})
    }

    fn headed(mut self, mut header: Header, path: &[u8], data: &[u8], spoil: impl FnOnce(&mut Header)) -> Self {
        header.as_old_mut().name[..path.len()].copy_from_slice(path);
        header.set_entry_type(EntryType::Regular);
        header.set_mode(0o644);
        header.set_uid(0);
        header.set_gid(0);
        header.set_mtime(0);
        header.set_size(data.len() as u64);
        spoil(&mut header);
        header.set_cksum();
        self.0.extend_from_slice(header.as_bytes());
        self.0.extend_from_slice(data);
        self.0.resize(self.0.len().next_multiple_of(512), 0);
        self
    }

    /// One more file.
    #[must_use]
    pub fn file(self, path: &str, data: &[u8]) -> Self {
        self.entry(EntryType::Regular, path.as_bytes(), data)
    }

    /// A pax header for the entry that follows.
    #[must_use]
    pub fn pax(self, key: &str, value: &[u8]) -> Self {
        self.entry(EntryType::XHeader, b"pax", &record(key, value))
    }

    /// A pax header for all entries that follow.
    #[must_use]
    pub fn global(self, key: &str, value: &[u8]) -> Self {
        self.entry(EntryType::XGlobalHeader, b"pax_global_header", &record(key, value))
    }

    /// A GNU long name for the entry that follows.
    #[must_use]
    pub fn long_name(self, name: &str) -> Self {
        self.entry(EntryType::GNULongName, b"././@LongLink", format!("{name}\0").as_bytes())
    }

    /// Without the mark at the end.
    #[must_use]
    pub fn unended(self) -> Vec<u8> {
        self.0
    }

    /// The tar.
    #[must_use]
    pub fn bytes(mut self) -> Vec<u8> {
        self.0.resize(self.0.len() + 1024, 0);
        self.0
    }

    /// The tar, compressed.
    #[must_use]
    pub fn tgz(self) -> Vec<u8> {
        gzip(&self.bytes())
    }
}

/// A pax record.
#[must_use]
pub fn record(key: &str, value: &[u8]) -> Vec<u8> {
    let body = key.len() + value.len() + 3;
    let mut length = body;
    while length != body + length.to_string().len() {
        length = body + length.to_string().len();
    }
    [format!("{length} {key}=").as_bytes(), value, b"\n"].concat()
}

/// These bytes, compressed.
#[must_use]
pub fn gzip(bytes: &[u8]) -> Vec<u8> {
    gzip_at(bytes, Compression::default())
}

fn gzip_at(bytes: &[u8], level: Compression) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), level);
    // Writing into memory does not fail.
    let _ = encoder.write_all(bytes);
    encoder.finish().unwrap_or_default()
}

/// These bytes, expanded; what came before the damage where there is any.
#[must_use]
pub fn gunzip(bytes: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    let _ = flate2::bufread::GzDecoder::new(bytes).take(8 << 20).read_to_end(&mut out);
    out
}

/// What became of an archive, in the words of [`Case::expect`].
#[must_use]
pub fn outcome(read: &Result<ChartArchive, ArchiveError>) -> String {
    match read {
        Ok(_) => "read".to_owned(),
        Err(error) => variant(error),
    }
}

fn variant(error: &ArchiveError) -> String {
    let word = |debug: String| debug.split(|c: char| !c.is_alphanumeric()).next().unwrap_or_default().to_owned();
    match error {
        ArchiveError::Nested { source, .. } => format!("Nested > {}", variant(source)),
        ArchiveError::Schema { source, .. } => format!("Schema > {}", word(format!("{source:?}"))),
        other => word(format!("{other:?}")),
    }
}
