//! What a folder was made from.

use super::{Node, Plan, Tree};
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
    /// SHA-256 of the files of earlier versions that were carried over and that nobody had edited, by path.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub kept: BTreeMap<String, String>,
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
            kept: BTreeMap::new(),
        }
    }

    /// The same with what a plan carries over of earlier versions.
    #[must_use]
    pub fn keeping(self, plan: &Plan, tree: &Tree) -> Self {
        let hash = |path: &String| match tree.get(path) {
            Some(Node::File(hash)) => Some((path.clone(), hash.clone())),
            _ => None,
        };
        Self { kept: plan.unedited.iter().filter_map(hash).collect(), ..self }
    }

    /// Reads one; nothing that is not of this form is one.
    pub(super) fn read(bytes: &[u8]) -> Option<Self> {
        serde_json::from_slice::<Self>(bytes).ok().filter(|record| record.schema == 1)
    }
}
