//! Chart archives byte by byte, where a library would refuse to make them.

use anyhow::Result;
use flate2::Compression;
use flate2::write::GzEncoder;
use std::io::Write as _;
use tar::{EntryType, Header};

const CHART: &str = "apiVersion: v2\nname: beacon\nversion: 1.2.3\n";

/// A tar under construction.
#[derive(Clone, Debug, Default)]
pub struct Tar(Vec<u8>);

impl Tar {
    /// A chart that is in order, to be spoilt.
    pub fn good() -> Self {
        Self::default().file("beacon/Chart.yaml", CHART.as_bytes()).file("beacon/values.yaml", b"a: 1\n")
    }

    /// One more file; the path goes into the header as it is.
    #[must_use]
    pub fn file(self, path: &str, data: &[u8]) -> Self {
        self.entry(EntryType::Regular, path, "", data)
    }

    /// One more link.
    #[must_use]
    pub fn link(self, kind: EntryType, path: &str, to: &str) -> Self {
        self.entry(kind, path, to, b"")
    }

    fn entry(mut self, kind: EntryType, path: &str, link: &str, data: &[u8]) -> Self {
        let mut header = Header::new_ustar();
        let old = header.as_old_mut();
        old.name[..path.len()].copy_from_slice(path.as_bytes());
        old.linkname[..link.len()].copy_from_slice(link.as_bytes());
        header.set_entry_type(kind);
        header.set_mode(0o644);
        header.set_size(data.len() as u64);
        header.set_cksum();
        self.0.extend_from_slice(header.as_bytes());
        self.0.extend_from_slice(data);
        self.0.resize(self.0.len().next_multiple_of(512), 0);
        self
    }

    /// The archive.
    ///
    /// # Errors
    /// When it cannot be compressed.
    pub fn tgz(mut self) -> Result<Vec<u8>> {
        self.0.resize(self.0.len() + 1024, 0);
        let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
        encoder.write_all(&self.0)?;
        Ok(encoder.finish()?)
    }
}
