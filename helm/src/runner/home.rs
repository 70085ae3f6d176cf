//! The folder that helm lives in, its environment, and the files that values travel in.

use std::ffi::OsString;
use std::fs;
use std::io::Write;
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

use tempfile::TempDir;

use super::{Cluster, Helm, HelmError};

const FOLDERS: [&str; 6] = ["work", "cache", "config", "data", "plugins", "values"];

/// Values on disk for one call; gone when dropped.
pub(super) struct ValuesFiles {
    folder: TempDir,
    count: usize,
}

impl ValuesFiles {
    pub(super) fn paths(&self) -> impl Iterator<Item = PathBuf> {
        (0..self.count).map(|index| file(self.folder.path(), index))
    }
}

fn file(folder: &Path, index: usize) -> PathBuf {
    folder.join(format!("{index:03}.yaml"))
}

async fn blocking<T: Send + 'static>(path: PathBuf, work: impl FnOnce() -> Result<T, HelmError> + Send + 'static) -> Result<T, HelmError> {
    let lost = |e| HelmError::Home { path, source: std::io::Error::other(e) };
    tokio::task::spawn_blocking(work).await.map_err(lost)?
}

impl Helm {
    /// Makes helm's folders (0700) and says when the binary is not there. Every call does it again: it costs microseconds, and
    /// somebody may have cleaned up.
    ///
    /// # Errors
    /// [`HelmError::NotFound`], [`HelmError::Home`].
    pub async fn prepare(&self) -> Result<(), HelmError> {
        let (binary, home) = (self.binary.clone(), self.home.clone());
        blocking(home.clone(), move || {
            if !binary.is_absolute() || !binary.is_file() {
                return Err(HelmError::NotFound { path: binary });
            }
            for name in FOLDERS {
                let path = home.join(name);
                let made = fs::DirBuilder::new().recursive(true).mode(0o700).create(&path);
                made.map_err(|source| HelmError::Home { path, source })?;
            }
            Ok(())
        })
        .await
    }

    /// Removes values files that an agent which was killed left behind. Call it at start, before the first helm.
    ///
    /// # Errors
    /// [`HelmError::Home`].
    pub async fn remove_leftovers(&self) -> Result<(), HelmError> {
        let path = self.home.join("values");
        blocking(path.clone(), move || match fs::remove_dir_all(&path) {
            Err(source) if source.kind() != std::io::ErrorKind::NotFound => Err(HelmError::Home { path, source }),
            _ => Ok(()),
        })
        .await
    }

    /// All that helm sees of the world. Proxies, credentials and `HELM_*` of ours stay out.
    pub(super) fn environment(&self) -> Vec<(&'static str, OsString)> {
        let at = |name: &str| self.home.join(name).into_os_string();
        let mut env: Vec<(&'static str, OsString)> = vec![
            ("PATH", "/usr/bin:/bin".into()),
            ("HOME", self.home.clone().into()),
            ("TMPDIR", at("work")),
            ("HELM_CACHE_HOME", at("cache")),
            ("HELM_CONFIG_HOME", at("config")),
            ("HELM_DATA_HOME", at("data")),
            ("HELM_PLUGINS", at("plugins")),
            ("HELM_NO_PLUGINS", "1".into()),
            ("NO_COLOR", "1".into()),
        ];
        match &self.cluster {
            Cluster::Kubeconfig(path) => env.push(("KUBECONFIG", path.clone().into())),
            Cluster::InCluster { host, port } => {
                env.push(("KUBERNETES_SERVICE_HOST", host.into()));
                env.push(("KUBERNETES_SERVICE_PORT", port.to_string().into()));
            }
            Cluster::None => {}
        }
        env
    }

    /// Writes values documents into 0600 files of a new 0700 folder.
    pub(super) async fn values_files(&self, documents: &[&[u8]]) -> Result<ValuesFiles, HelmError> {
        self.prepare().await?;
        let path = self.home.join("values");
        let documents: Vec<Vec<u8>> = documents.iter().map(|d| d.to_vec()).collect();
        blocking(path.clone(), move || {
            let private = fs::Permissions::from_mode(0o700);
            let folder = tempfile::Builder::new()
                .prefix("call-")
                .permissions(private)
                .tempdir_in(&path)
                .map_err(|source| HelmError::Home { path, source })?;
            for (index, document) in documents.iter().enumerate() {
                let path = file(folder.path(), index);
                let opened = fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(&path);
                let written = opened.and_then(|mut file| file.write_all(document));
                written.map_err(|source| HelmError::Home { path, source })?;
            }
            Ok(ValuesFiles { folder, count: documents.len() })
        })
        .await
    }
}
