//! Making the log durable. A seam, because the proof that nothing is acknowledged earlier needs to stand in it.

use std::{fs::File, io, path::Path, sync::Arc};

/// Makes everything that was written to the log survive a loss of power.
pub trait Syncer: Send + 'static {
    /// Returns once the log is durable.
    ///
    /// # Errors
    /// Any error means that the state of the disk is not known; the store ends the process.
    fn sync(&mut self) -> io::Result<()>;
}

/// Makes a [`Syncer`] for the log file at the path, once for each opening.
pub type SyncerFactory = Arc<dyn Fn(&Path) -> io::Result<Box<dyn Syncer>> + Send + Sync>;

/// Called when the disk has failed, with what happened. It should not return; if it does, the store is closed.
pub type AbortHook = Arc<dyn Fn(&str) + Send + Sync>;

/// `fdatasync` on a descriptor of our own: sled's `flush` only starts the write-back.
pub struct RealSyncer {
    log: File,
}

impl RealSyncer {
    /// Opens the log.
    ///
    /// # Errors
    /// As `open(2)`.
    pub fn open(log: &Path) -> io::Result<Self> {
        // Opened before the first write that it has to vouch for: Linux reports a failed write-back only to descriptors
        // that were open when it failed.
        Ok(Self { log: File::options().read(true).write(true).open(log)? })
    }
}

impl Syncer for RealSyncer {
    fn sync(&mut self) -> io::Result<()> {
        self.log.sync_data()
    }
}
