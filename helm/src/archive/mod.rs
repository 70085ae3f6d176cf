//! A chart archive (.tgz) from somebody whom we do not trust, read in memory and checked before anything uses it.
//!
//! Helm's own loader is more generous: it takes backslashes, several top folders, archives that expand without end.
//! What passes here reads the same with every tool, so the digest that an operator approved is what a cluster gets.

mod ambiguous;
mod budget;
mod error;
mod git;
mod member;
mod metadata;
mod pax;
mod tree;
mod unpack;

#[cfg(any(test, feature = "corpus"))]
pub mod corpus;
#[cfg(test)]
mod tests;

use std::sync::Arc;

use serde_json::Value;
use sha2::{Digest, Sha256};

pub use budget::Limits;
pub use error::ArchiveError;
pub(crate) use metadata::valid_chart_name;
pub use metadata::{ChartMetadata, Dependency};
pub use tree::{ChartFile, ChartSchema, Subchart};
pub use unpack::Files;

/// A checked chart archive.
#[derive(Debug, Clone)]
pub struct ChartArchive {
    /// What the outermost `Chart.yaml` says.
    pub metadata: ChartMetadata,
    /// SHA-256 of the archive's bytes, lower-case hex.
    pub digest: String,
    /// Bytes of the archive.
    pub compressed_bytes: u64,
    /// Bytes that it expands to, vendored archives expanded again included.
    pub expanded_bytes: u64,
    /// All files, path below the top folder. Vendored .tgz are here as they are.
    pub files: Files,
    /// Charts in `charts/`, folders and .tgz alike.
    pub subcharts: Vec<Subchart>,
}

impl ChartArchive {
    /// Reads and checks an archive with the default limits.
    ///
    /// # Errors
    /// The first rule that it breaks.
    pub fn read(bytes: &[u8]) -> Result<Self, ArchiveError> {
        Self::read_with(bytes, Limits::DEFAULT)
    }

    /// Reads and checks an archive with limits of the caller's.
    ///
    /// # Errors
    /// The first rule that it breaks.
    pub fn read_with(bytes: &[u8], limits: Limits) -> Result<Self, ArchiveError> {
        let mut budget = budget::Budget::new(limits);
        let unpacked = unpack::unpack(bytes, &mut budget)?;
        let at = format!("{}/", unpacked.top);
        let metadata = ChartMetadata::read(&unpacked.files, &at)?;
        if unpacked.top != metadata.name {
            return Err(ArchiveError::NameMismatch { folder: unpacked.top, name: metadata.name });
        }
        let subcharts = tree::subcharts(&unpacked.files, &metadata, &at, 1, &mut budget)?;
        tree::unfolded(&unpacked.files, &metadata, &subcharts).keeps(limits)?;
        Ok(Self {
            metadata,
            digest: digest_hex(bytes),
            compressed_bytes: bytes.len() as u64,
            expanded_bytes: budget.expanded(),
            files: unpacked.files,
            subcharts,
        })
    }

    /// CRD files (`crds/` of this chart and of every subchart, in Helm's order), whether the values enable the
    /// subchart or not.
    #[must_use]
    pub fn crds(&self) -> Vec<ChartFile> {
        tree::crds(&self.files, &self.metadata, &self.subcharts, None)
    }

    /// CRD files of this chart and of those subcharts that these values (merged over the chart's own) enable, which
    /// is what Helm itself would install.
    #[must_use]
    pub fn crds_for(&self, values: &Value) -> Vec<ChartFile> {
        tree::crds(&self.files, &self.metadata, &self.subcharts, Some(values))
    }

    /// Charts inside that these values (merged over the chart's own) enable, each with the keys under which its values stand.
    #[must_use]
    pub fn subcharts_for(&self, values: &Value) -> Vec<(Vec<String>, &Subchart)> {
        let mut out = Vec::new();
        tree::enabled_below(&self.metadata, &self.subcharts, values, &[], &mut out);
        out
    }

    /// The chart's own `values.yaml`, without a byte order mark.
    #[must_use]
    pub fn values_yaml(&self) -> Option<&[u8]> {
        tree::values_yaml(&self.files)
    }

    /// The chart's own `values.schema.json`.
    #[must_use]
    pub fn values_schema(&self) -> Option<&[u8]> {
        self.files.get("values.schema.json").map(AsRef::as_ref)
    }

    /// Schemas of this chart and its subcharts, each with the keys under which its values stand.
    #[must_use]
    pub fn schemas(&self) -> Vec<ChartSchema> {
        tree::schemas(&self.files, &self.metadata, &self.subcharts)
    }

    /// Files under `templates/`, without subcharts'.
    pub fn templates(&self) -> impl Iterator<Item = (&str, &Arc<[u8]>)> {
        self.files.iter().filter(|(path, _)| path.starts_with("templates/")).map(|(path, data)| (path.as_str(), data))
    }
}

/// SHA-256 in lower-case hex, the name of an archive everywhere.
#[must_use]
pub fn digest_hex(bytes: &[u8]) -> String {
    hex::encode(Sha256::digest(bytes))
}
