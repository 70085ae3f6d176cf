//! Makes archives, good ones and hostile ones, byte by byte where a library would refuse.

use std::io::Write;

use flate2::Compression;
use flate2::write::GzEncoder;
use tar::{EntryType, Header};

pub(crate) const CHART_YAML: &str = "apiVersion: v2\nname: beacon\nversion: 1.2.3\nappVersion: 1.10\n";

/// A tar under construction. Paths go into the header as they are.
#[derive(Default)]
pub(crate) struct Tar(Vec<u8>);

impl Tar {
    /// A chart that is in order, to be spoilt.
    pub(crate) fn good() -> Self {
        Self::default().file("beacon/Chart.yaml", CHART_YAML.as_bytes()).file("beacon/values.yaml", b"a: 1\n")
    }

    pub(crate) fn entry(mut self, kind: EntryType, path: &[u8], data: &[u8]) -> Self {
        let mut header = Header::new_ustar();
        header.as_old_mut().name[..path.len()].copy_from_slice(path);
        header.set_entry_type(kind);
        header.set_mode(0o644);
        header.set_size(data.len() as u64);
        header.set_cksum();
        self.0.extend_from_slice(header.as_bytes());
        self.0.extend_from_slice(data);
        self.0.resize(self.0.len().next_multiple_of(512), 0);
        self
    }

    pub(crate) fn file(self, path: &str, data: &[u8]) -> Self {
        self.entry(EntryType::Regular, path.as_bytes(), data)
    }

    /// A pax header for the entry that follows.
    pub(crate) fn pax(self, key: &str, value: &[u8]) -> Self {
        let body = key.len() + value.len() + 3;
        let mut length = body;
        while length != body + length.to_string().len() {
            length = body + length.to_string().len();
        }
        let record = [format!("{length} {key}=").as_bytes(), value, b"\n"].concat();
        self.entry(EntryType::XHeader, b"pax", &record)
    }

    pub(crate) fn bytes(mut self) -> Vec<u8> {
        self.0.resize(self.0.len() + 1024, 0);
        self.0
    }

    pub(crate) fn tgz(self) -> Vec<u8> {
        gzip(&self.bytes())
    }
}

pub(crate) fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}
