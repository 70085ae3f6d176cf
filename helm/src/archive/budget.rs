//! The limits of an archive, and what is left of them while it is read.

use super::ArchiveError;

/// Limits of one chart archive, subcharts included.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Bytes of the .tgz.
    pub compressed: u64,
    /// Bytes of all that it expands to, vendored archives expanded again included.
    pub expanded: u64,
    /// Expanded bytes for each compressed byte.
    pub ratio: u64,
    /// Expanded bytes below which the ratio is not looked at: a tar of many small files pads each to 512 bytes, and
    /// zeros compress by a factor of about 1000, so a small honest chart can go over the ratio.
    pub ratio_floor: u64,
    /// Entries, folders included.
    pub files: usize,
    /// Bytes of one file.
    pub file: u64,
    /// Bytes of one path. Longer ones cannot be unpacked on common file systems with a folder in front.
    pub path: usize,
    /// Charts within charts, the outermost not counted.
    pub depth: usize,
    /// Charts in all, each counted once for every place of its values: a chart with ten aliases is ten.
    pub charts: usize,
}

impl Limits {
    /// What the coordinator and the agents hold to. 20 MiB and 10,000 files are five times the largest public chart
    /// that was looked at; 5 MiB for a file and 100 MiB in all are Helm's own limits. 1,000 charts are 25 times what the
    /// largest public charts have in them.
    pub const DEFAULT: Limits = Limits {
        compressed: 20 << 20,
        expanded: 100 << 20,
        ratio: 100,
        ratio_floor: 1 << 20,
        files: 10_000,
        file: 5 << 20,
        path: 1024,
        depth: 4,
        charts: 1_000,
    };
}

impl Default for Limits {
    fn default() -> Self {
        Self::DEFAULT
    }
}

/// What is left to spend. One budget serves the archive and all that is vendored inside it, so nesting gains nothing.
#[derive(Debug)]
pub(super) struct Budget {
    pub(super) limits: Limits,
    expanded: u64,
    files: usize,
}

impl Budget {
    pub(super) fn new(limits: Limits) -> Self {
        Self { limits, expanded: 0, files: 0 }
    }

    pub(super) fn expanded(&self) -> u64 {
        self.expanded
    }

    pub(super) fn spend_expanded(&mut self, bytes: u64) -> Result<(), ArchiveError> {
        self.expanded = self.expanded.saturating_add(bytes);
        if self.expanded > self.limits.expanded {
            return Err(ArchiveError::ExpandsTooFar { limit: self.limits.expanded });
        }
        Ok(())
    }

    pub(super) fn spend_file(&mut self) -> Result<(), ArchiveError> {
        self.files += 1;
        if self.files > self.limits.files {
            return Err(ArchiveError::TooManyFiles { limit: self.limits.files });
        }
        Ok(())
    }
}
