//! Charts on disk.

use super::Arrived;
use super::error::FetchError;
use super::limits::Limits;
use crate::pack;
use std::fs::File;
use std::io::Read as _;
use std::path::{Path, PathBuf};

/// A folder, packed as `chart push` packs it.
pub(super) async fn folder(path: &Path) -> Result<Arrived, FetchError> {
    let owned = path.to_owned();
    let packed = blocking(path, move || Ok(pack::pack(&owned)?)).await?;
    Ok(arrived(path, packed.bytes, None))
}

/// An archive, with the provenance beside it where there is one.
pub(super) async fn archive(path: &Path, limits: &Limits) -> Result<Arrived, FetchError> {
    let (owned, archive_limit, prov_limit) = (path.to_owned(), limits.archive, limits.provenance);
    let (bytes, provenance) = blocking(path, move || {
        let bytes = read(&owned, "chart archive", archive_limit)?;
        let beside = PathBuf::from(format!("{}.prov", owned.display()));
        let provenance = if beside.is_file() { Some(read(&beside, "provenance", prov_limit)?) } else { None };
        Ok((bytes, provenance.map(|text| (text, beside.display().to_string()))))
    })
    .await?;
    Ok(arrived(path, bytes, provenance))
}

fn arrived(path: &Path, bytes: Vec<u8>, provenance: Option<(Vec<u8>, String)>) -> Arrived {
    Arrived { bytes, origin: path.display().to_string(), provenance, ..Arrived::default() }
}

fn read(path: &Path, what: &'static str, limit: u64) -> Result<Vec<u8>, FetchError> {
    let failed = |source| FetchError::Read { path: path.to_owned(), source };
    let mut bytes = Vec::new();
    // One byte more than allowed is enough to know, also of a file that grows or a device that never ends.
    File::open(path).map_err(failed)?.take(limit + 1).read_to_end(&mut bytes).map_err(failed)?;
    if bytes.len() as u64 > limit {
        return Err(FetchError::TooLarge { what, url: path.display().to_string(), limit });
    }
    Ok(bytes)
}

async fn blocking<T: Send + 'static>(path: &Path, work: impl FnOnce() -> Result<T, FetchError> + Send + 'static) -> Result<T, FetchError> {
    let failed = |error| FetchError::Read { path: path.to_owned(), source: std::io::Error::other(error) };
    tokio::task::spawn_blocking(work).await.map_err(failed)?
}
