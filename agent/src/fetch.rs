//! Charts and values by digest, kept on disk. What is on disk is checked each time it is read.

use crate::link::told;
use groundswell_core::id::Digest;
use groundswell_helm::archive::digest_hex;
use groundswell_proto::v1;
use groundswell_proto::v1::session_service_client::SessionServiceClient;
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use tonic::transport::Channel;

/// No chart of use is larger: its record has to fit 1 MiB, and the server's own limit for archives is lower.
const MAX_BYTES: usize = 32 << 20;

/// The folder of blobs.
#[derive(Clone, Debug)]
pub(crate) struct Blobs {
    folder: PathBuf,
}

impl Blobs {
    /// Makes the folder.
    pub(crate) fn open(data_dir: &Path) -> std::io::Result<Self> {
        let folder = data_dir.join("blobs");
        std::fs::create_dir_all(&folder)?;
        Ok(Self { folder })
    }

    /// Where a blob is.
    pub(crate) fn path(&self, digest: &Digest) -> PathBuf {
        self.folder.join(format!("{digest}.tgz"))
    }

    /// A blob, if it is there and whole.
    pub(crate) async fn read(&self, digest: &Digest) -> Option<Vec<u8>> {
        let bytes = tokio::fs::read(self.path(digest)).await.ok()?;
        (digest_hex(&bytes) == digest.as_str()).then_some(bytes)
    }

    /// Sees to it that a blob is there.
    pub(crate) async fn ensure(&self, digest: &Digest, channel: Option<Channel>) -> Result<(), String> {
        if self.read(digest).await.is_some() {
            return Ok(());
        }
        let channel = channel.ok_or_else(|| format!("{} is not here yet, and there is no session to fetch it over", digest.short()))?;
        let bytes = download(digest, channel).await.map_err(|why| format!("{} cannot be fetched: {why}", digest.short()))?;
        let (path, temporary) = (self.path(digest), self.folder.join(format!("{digest}.new")));
        let written = async {
            tokio::fs::write(&temporary, &bytes).await?;
            tokio::fs::rename(&temporary, &path).await
        };
        written.await.map_err(|error| format!("{} cannot be written: {error}", path.display()))
    }

    /// Removes all that is not in use.
    pub(crate) async fn keep_only(&self, used: &BTreeSet<Digest>) {
        let names: BTreeSet<_> = used.iter().map(|digest| format!("{digest}.tgz")).collect();
        let Ok(mut folder) = tokio::fs::read_dir(&self.folder).await else { return };
        while let Ok(Some(file)) = folder.next_entry().await {
            if file.file_name().to_str().is_some_and(|name| !names.contains(name)) {
                // It is only a copy; one that stays costs room and nothing else.
                let _ = tokio::fs::remove_file(file.path()).await;
            }
        }
    }
}

async fn download(digest: &Digest, channel: Channel) -> Result<Vec<u8>, String> {
    let request = v1::FetchRequest { digest: digest.to_string() };
    let answer = SessionServiceClient::new(channel).fetch(request).await.map_err(|status| told(&status))?;
    let (mut chunks, mut bytes) = (answer.into_inner(), Vec::new());
    while let Some(chunk) = chunks.message().await.map_err(|status| told(&status))? {
        if bytes.len() + chunk.data.len() > MAX_BYTES {
            return Err(format!("it has more than {MAX_BYTES} bytes"));
        }
        bytes.extend_from_slice(&chunk.data);
    }
    let got = digest_hex(&bytes);
    if got == digest.as_str() { Ok(bytes) } else { Err(format!("its SHA-256 is {got}")) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_damaged_blob_is_no_blob() {
        let folder = tempfile::tempdir().unwrap();
        let blobs = Blobs::open(folder.path()).unwrap();
        let digest = Digest::new(digest_hex(b"chart")).unwrap();
        std::fs::write(blobs.path(&digest), b"chart").unwrap();
        assert!(blobs.ensure(&digest, None).await.is_ok());
        std::fs::write(blobs.path(&digest), b"chars").unwrap();
        assert!(blobs.read(&digest).await.is_none());
        assert!(blobs.ensure(&digest, None).await.unwrap_err().contains("no session"));
        blobs.keep_only(&BTreeSet::new()).await;
        assert!(!blobs.path(&digest).exists());
    }
}
