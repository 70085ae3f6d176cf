//! What a folder was made from.

use crate::archive::{ChartArchive, digest_hex};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

pub use crate::pack::PULL_RECORD as RECORD;

/// A record larger than this is none: 10,000 files of 150 bytes.
pub(super) const MAX_RECORD: u64 = 16 << 20;

/// Whether a path of an archive stands where the record goes. A chart that was pulled and packed by others brings an old one,
/// which speaks of another archive.
#[must_use]
pub fn is_record(path: &str) -> bool {
    path.strip_prefix(RECORD).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

/// What a folder was made from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Record {
    /// Version of this form.
    pub schema: u32,
    /// Name of the chart.
    pub name: String,
    /// Its version.
    pub version: String,
    /// `sha256:…` of the archive.
    pub digest: String,
    /// Where it came from.
    pub origin: String,
    /// SHA-256 of every file of the archive, by path.
    pub files: BTreeMap<String, String>,
}

impl Record {
    /// The record of an archive.
    #[must_use]
    pub fn of(archive: &ChartArchive, origin: &str) -> Self {
        Self {
            schema: 1,
            name: archive.metadata.name.clone(),
            version: archive.metadata.version.clone(),
            digest: format!("sha256:{}", archive.digest),
            origin: origin.to_owned(),
            files: archive.files.iter().filter(|(path, _)| !is_record(path)).map(|(path, data)| (path.clone(), digest_hex(data))).collect(),
        }
    }

    /// Reads one; nothing that is not of this form is one.
    pub(super) fn read(bytes: &[u8]) -> Option<Self> {
        serde_json::from_slice::<Self>(bytes).ok().filter(|record| record.schema == 1)
    }
}
