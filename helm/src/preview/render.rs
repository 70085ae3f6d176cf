//! Renders by the real helm, a bounded number at a time.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use tempfile::TempDir;
use tokio::sync::{Semaphore, SemaphorePermit};

use super::error::{PreviewError, Which};
use super::{PreviewChart, PreviewTarget, revision};
use crate::runner::{Control, Helm, HelmError, Template};

/// Helm calls at the same time: each keeps one core busy.
fn slots() -> usize {
    std::thread::available_parallelism().map_or(2, usize::from)
}

/// An archive on disk: the copy for the first render of a side, and the one for the second.
struct Both {
    first: PathBuf,
    second: PathBuf,
}

/// Both archives on disk, gone when dropped, and how they are rendered.
pub(super) struct Renderer {
    helm: Helm,
    control: Control,
    target: PreviewTarget,
    old: Both,
    new: Both,
    slots: Arc<Semaphore>,
    _folder: TempDir,
}

impl Renderer {
    pub(super) async fn new(
        helm: &Helm,
        control: &Control,
        target: &PreviewTarget,
        old: PreviewChart<'_>,
        new: PreviewChart<'_>,
    ) -> Result<Self, PreviewError> {
        let absent = |source, chart: PreviewChart<'_>| match source {
            HelmError::NotFound { path } => PreviewError::NoHelm { path },
            source => PreviewError::Helm { which: Which::Old, chart: chart.name(), source: Box::new(source) },
        };
        helm.prepare().await.map_err(|source| absent(source, old))?;
        let work = helm.home.join("work");
        let refused = |source| PreviewError::Folder { path: work.clone(), source };
        // In helm's own folder, which is ours alone.
        let folder = tempfile::Builder::new().prefix("preview-").tempdir_in(&work).map_err(refused)?;
        let (old, new) = tokio::try_join!(laid(folder.path(), "old", old), laid(folder.path(), "new", new))?;
        let slots = Arc::new(Semaphore::new(slots()));
        Ok(Self { helm: helm.clone(), control: control.clone(), target: target.clone(), old, new, slots, _folder: folder })
    }

    fn chart(&self, which: Which) -> &Both {
        match which {
            Which::Old => &self.old,
            Which::New => &self.new,
        }
    }

    /// Waits for a free core. The semaphore is never closed; were it, the render would only be less bounded.
    pub(super) async fn turn(&self) -> Option<SemaphorePermit<'_>> {
        self.slots.acquire().await.ok()
    }

    /// Renders one side with these documents. The time is helm's own, without the wait for its turn.
    pub(super) async fn render(&self, which: Which, kube_version: Option<&str>, values: &[&[u8]]) -> (Result<String, HelmError>, Duration) {
        let _turn = self.turn().await;
        self.render_now(which, kube_version, values).await
    }

    /// The same side once more, at another revision of the release and a day later.
    pub(super) async fn render_again(
        &self,
        which: Which,
        kube_version: Option<&str>,
        values: &[&[u8]],
    ) -> (Result<String, HelmError>, Duration) {
        let _turn = self.turn().await;
        self.render_chart(&self.chart(which).second, kube_version, values).await
    }

    /// The same for one who has the turn already.
    pub(super) async fn render_now(
        &self,
        which: Which,
        kube_version: Option<&str>,
        values: &[&[u8]],
    ) -> (Result<String, HelmError>, Duration) {
        self.render_chart(&self.chart(which).first, kube_version, values).await
    }

    async fn render_chart(&self, chart: &Path, kube_version: Option<&str>, values: &[&[u8]]) -> (Result<String, HelmError>, Duration) {
        let template = Template { values, kube_version, api_versions: &self.target.api_versions, is_upgrade: true, ..Template::default() };
        let start = Instant::now();
        let text = self.helm.template(&self.target.release, chart, &template, &self.control).await;
        (text, start.elapsed())
    }
}

/// Writes both copies of the archive.
async fn laid(folder: &Path, name: &str, chart: PreviewChart<'_>) -> Result<Both, PreviewError> {
    let (first, second) = (folder.join(format!("{name}.tgz")), folder.join(format!("{name}-again.tgz")));
    let refused = |path: &Path, source| PreviewError::Folder { path: path.to_owned(), source };
    let bytes = chart.bytes.to_owned();
    let copies = tokio::task::spawn_blocking(move || Ok((revision::first(&bytes)?, revision::second(&bytes)?))).await;
    let (one, two) = copies.map_err(|_| PreviewError::Ended)?.map_err(|source| refused(&first, source))?;
    tokio::fs::write(&first, &one).await.map_err(|source| refused(&first, source))?;
    tokio::fs::write(&second, &two).await.map_err(|source| refused(&second, source))?;
    Ok(Both { first, second })
}
