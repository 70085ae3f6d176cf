//! Bytes by digest, only those that the cluster's own assignments name.

use super::Sessions;
use futures::StreamExt as _;
use futures::stream::BoxStream;
use groundswell_core::id::{ClusterName, Digest};
use groundswell_proto::v1::FetchChunk;
use tonic::Status;

/// Well below the stream window of 256 KiB.
const CHUNK: usize = 64 * 1024;

/// The same words for "is not there" and "is not yours": nobody learns what others have.
fn unknown() -> Status {
    Status::not_found("no assignment of this cluster names that digest")
}

pub(super) async fn open(
    sessions: &Sessions,
    cluster: &ClusterName,
    digest: String,
) -> Result<BoxStream<'static, Result<FetchChunk, Status>>, Status> {
    let digest = Digest::new(digest).map_err(|_| unknown())?;
    if !sessions.coordinator.may_fetch(cluster, &digest) {
        return Err(unknown());
    }
    let permit = sessions.fetches.clone().acquire_owned().await.map_err(|_| Status::unavailable("the server is stopping"))?;
    let blobs = sessions.coordinator.blobs().clone();
    let read = tokio::task::spawn_blocking(move || crate::coordinator::open_blob(&blobs, &digest)).await;
    let bytes = match read {
        Ok(Ok(bytes)) => bytes::Bytes::from(bytes),
        Ok(Err(error)) => return Err(super::internal(error)),
        Err(error) => return Err(Status::internal(format!("reading was cut short: {error}"))),
    };
    let chunks = (0..bytes.len().div_ceil(CHUNK)).map(move |n| {
        // The permit lives as long as the stream: that is what it limits.
        let _ = &permit;
        let end = bytes.len().min((n + 1) * CHUNK);
        Ok(FetchChunk { data: bytes[n * CHUNK..end].to_vec() })
    });
    Ok(futures::stream::iter(chunks).boxed())
}
