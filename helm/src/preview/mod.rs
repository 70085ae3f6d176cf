//! Two versions of a chart, rendered for one target: what a change summary is made from.
//!
//! Rendering is helm's, with the operator's own documents; values never travel as arguments. Both sides are rendered at the same
//! time, each twice, so that what is random is known. CRDs come from the archives, as Helm's own rule chooses them.

mod clock;
#[cfg(feature = "corpus")]
pub mod corpus;
mod defaults;
mod drawn;
mod effect;
mod error;
mod legacy;
mod lookup;
mod manifest;
mod names;
mod overrides;
mod random;
mod range;
mod render;
mod revision;
mod side;
mod words;

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use groundswell_change::input::Input;
use serde_json::Value;

pub use defaults::defaults;
pub use error::{PreviewError, Which};
pub use random::RANDOM;

use crate::archive::ChartArchive;
use crate::pack::PackedChart;
use crate::runner::{Control, Helm, HelmError, ReleaseName};
use crate::values::{Layer, merge, parse_values};
use drawn::{Drawn, Renders, finish, previewed};
use effect::Reference;
use overrides::{Basis, Bounds};
use render::Renderer;
use words::Refusal;

/// From the end of a render to the start of the next, when the chart asks for the time: they see another second on the clock.
const CLOCK_STEP: Duration = Duration::from_millis(1_050);

/// A chart archive: what it holds, and its bytes.
#[derive(Debug, Clone, Copy)]
pub struct PreviewChart<'a> {
    /// The archive, checked.
    pub archive: &'a ChartArchive,
    /// Its bytes.
    pub bytes: &'a [u8],
}

impl PreviewChart<'_> {
    fn name(&self) -> String {
        format!("{} {}", self.archive.metadata.name, self.archive.metadata.version)
    }
}

impl<'a> From<&'a PackedChart> for PreviewChart<'a> {
    fn from(packed: &'a PackedChart) -> Self {
        Self { archive: &packed.archive, bytes: &packed.bytes }
    }
}

/// For what both versions are rendered.
#[derive(Debug, Clone)]
pub struct PreviewTarget {
    /// Where the facts come from, for people: `--kube-version`, `cluster east-01`.
    pub from: String,
    /// Version of the API server; Helm's own default without it.
    pub kube_version: Option<String>,
    /// APIs of the server, `group/version` and `group/version/Kind`; Helm adds those that it knows itself.
    pub api_versions: Vec<String>,
    /// The release and its namespace.
    pub release: ReleaseName,
}

/// One step of the work, for whoever waits.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Progressed {
    /// Steps done.
    pub done: usize,
    /// Steps in all, as far as is known now.
    pub total: usize,
    /// What was done last.
    pub what: String,
}

/// Hears of each step. Called from the task that works, so it must not block.
pub type Progress = Arc<dyn Fn(Progressed) + Send + Sync>;

/// Makes previews with one helm.
#[derive(Clone)]
pub struct Preview {
    /// The binary, with [`crate::runner::Cluster::None`] and no stub.
    pub helm: Helm,
    /// Deadline of one render, and what stops it. Dropping the future stops all of its helms too.
    pub control: Control,
    /// Who wants to hear how far it is.
    pub progress: Option<Progress>,
    /// Folder in which the classing of overrides keeps what it found; it keeps nothing without one.
    pub cache: Option<PathBuf>,
}

/// Helm's own time.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Took {
    /// The slowest render of the old version.
    pub old: Duration,
    /// The slowest render of the new version.
    pub new: Duration,
    /// All renders together, one after another.
    pub all: Duration,
    /// How many there were.
    pub renders: usize,
}

impl Took {
    fn add(&mut self, render: Duration) {
        self.all += render;
        self.renders += 1;
    }
}

/// A preview.
#[derive(Debug, Clone, Default)]
pub struct Previewed {
    /// What a summary is made from.
    pub input: Input,
    /// Helm's part of the time.
    pub took: Took,
    /// The Kubernetes version that the new side was rendered for; `None` is helm's default.
    new_kube_version: Option<String>,
}

/// What is made beside the two sides.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct PreviewOptions {
    /// Longest time for the classing of overrides; they are not classed without one. Two minutes try some 400 keys of a large chart.
    pub overrides: Option<Duration>,
}

impl Preview {
    /// Renders both versions with these documents, in order, the last wins: everything of an [`Input`] but the classing of
    /// overrides and the trial of names.
    ///
    /// # Errors
    /// No helm, values that are none, a version that does not render with them.
    pub async fn sides(
        &self,
        old: PreviewChart<'_>,
        new: PreviewChart<'_>,
        target: &PreviewTarget,
        documents: &[(String, String)],
    ) -> Result<Previewed, PreviewError> {
        let given = merge(&layers(documents)?).value;
        let renderer = Renderer::new(&self.helm, &self.control, target, old, new).await?;
        let (was, will) = self.drawn(&renderer, old, new, target, documents, &given).await?;
        Ok(previewed(was, will, target, documents))
    }

    /// The same, with names tried that would keep those of the old release, and the operator's overrides classed as `options` say.
    ///
    /// # Errors
    /// As [`Preview::sides`]. The trials never fail: what could not be tried is among what was not checked.
    pub async fn input(
        &self,
        old: PreviewChart<'_>,
        new: PreviewChart<'_>,
        target: &PreviewTarget,
        documents: &[(String, String)],
        options: PreviewOptions,
    ) -> Result<Previewed, PreviewError> {
        let layers = layers(documents)?;
        let given = merge(&layers).value;
        let renderer = Renderer::new(&self.helm, &self.control, target, old, new).await?;
        let (was, will) = self.drawn(&renderer, old, new, target, documents, &given).await?;
        let limit = options.overrides.filter(|_| !documents.is_empty());
        let reference = |drawn: &Drawn| Reference::new(&drawn.text, &drawn.side, &drawn.unsteady, target.release.namespace());
        let references = limit.map(|_| (reference(&was), reference(&will)));
        let versions = (was.kube_version(target), will.kube_version(target));
        let mut previewed = previewed(was, will, target, documents);
        previewed.input.not_checked.extend(legacy::passed_over(old.archive, new.archive));
        names::tried(&renderer, documents, &mut previewed).await;
        let (Some(limit), Some((was, will))) = (limit, references) else { return Ok(previewed) };
        let (old_side, new_side) = (&previewed.input.old, &previewed.input.new);
        let old = Basis { chart: old, side: old_side, reference: was, kube_version: versions.0 };
        let new = Basis { chart: new, side: new_side, reference: will, kube_version: versions.1 };
        // A helm that does not say its version keeps its findings to itself.
        let version = crate::capability::version(&self.helm, &self.control).await.ok();
        let cache = self.cache.clone().filter(|_| version.is_some());
        let helm_version = version.map(|version| version.to_string()).unwrap_or_default();
        let bounds = Bounds { limit, progress: self.progress.clone(), cache, helm_version };
        let (verdicts, missed) = overrides::classed(renderer, &layers, target, old, new, bounds).await;
        previewed.input.overrides = Some(verdicts);
        previewed.input.not_checked.extend(missed);
        Ok(previewed)
    }

    async fn drawn(
        &self,
        renderer: &Renderer,
        old: PreviewChart<'_>,
        new: PreviewChart<'_>,
        target: &PreviewTarget,
        documents: &[(String, String)],
        given: &Value,
    ) -> Result<(Drawn, Drawn), PreviewError> {
        let draw = |which, chart| self.draw(renderer, which, chart, target, documents, given);
        tokio::try_join!(draw(Which::Old, old), draw(Which::New, new))
    }

    async fn draw(
        &self,
        renderer: &Renderer,
        which: Which,
        chart: PreviewChart<'_>,
        target: &PreviewTarget,
        documents: &[(String, String)],
        given: &Value,
    ) -> Result<Drawn, PreviewError> {
        let (archive, values) = (chart.archive.clone(), given.clone());
        // Reading CRDs is the longest part of our own work: it goes beside helm's.
        let still = tokio::task::spawn_blocking(move || side::still(&archive, &values));
        let renders = self.twice(renderer, which, chart, target, documents, given).await?;
        let (side, odd) = still.await.map_err(|_| PreviewError::Ended)?;
        let (archive, values, namespace) = (chart.archive.clone(), given.clone(), target.release.namespace().to_owned());
        let finish = move || finish(side, odd, renders, &archive, &values, &namespace);
        tokio::task::spawn_blocking(finish).await.map_err(|_| PreviewError::Ended)
    }

    /// Both renders of a side; outside of the chart's Kubernetes range with a version inside.
    async fn twice(
        &self,
        renderer: &Renderer,
        which: Which,
        chart: PreviewChart<'_>,
        target: &PreviewTarget,
        documents: &[(String, String)],
        given: &Value,
    ) -> Result<Renders, PreviewError> {
        let values: Vec<&[u8]> = documents.iter().map(|(_, text)| text.as_bytes()).collect();
        let clock = asks_for_the_time(chart.archive, documents);
        let mut version = target.kube_version.clone();
        let mut instead = None;
        loop {
            let render = || renderer.render(which, version.as_deref(), &values);
            let again = || renderer.render_again(which, version.as_deref(), &values);
            let ((first, one), (second, two)) = if clock {
                let first = render().await;
                tokio::time::sleep(CLOCK_STEP).await;
                (first, again().await)
            } else {
                tokio::join!(render(), again())
            };
            let refused = match (first, second) {
                (Ok(first), Ok(second)) => return Ok(Renders { first, second, took: [one, two], instead, is_later: true }),
                // Not every chart takes our revision or the day after; the upgrade that is asked about it takes.
                (Ok(first), Err(HelmError::Failed { .. })) => {
                    let (second, two) = render().await;
                    let refused = |error| refusal(error, which, chart, given);
                    return Ok(Renders { first, second: second.map_err(refused)?, took: [one, two], instead, is_later: false });
                }
                (Err(error), _) | (_, Err(error)) => error,
            };
            let again = inside(&refused, chart, version.as_deref(), given).filter(|_| instead.is_none());
            let Some(found) = again else { return Err(refusal(refused, which, chart, given)) };
            instead = Some((version.clone(), found.clone()));
            version = Some(found);
        }
    }
}

/// A version inside the chart's range, when it was the range that helm refused.
fn inside(error: &HelmError, chart: PreviewChart<'_>, wanted: Option<&str>, given: &Value) -> Option<String> {
    let HelmError::Failed { stderr_tail, .. } = error else { return None };
    let refused = words::read(stderr_tail, &chart.archive.metadata.name, given) == Refusal::KubeVersion;
    range::inside(chart.archive.metadata.kube_version.as_deref().filter(|_| refused)?, wanted)
}

fn refusal(error: HelmError, which: Which, chart: PreviewChart<'_>, given: &Value) -> PreviewError {
    let name = chart.name();
    let stderr = match &error {
        HelmError::Failed { stderr_tail, .. } => stderr_tail,
        HelmError::NotFound { path } => return PreviewError::NoHelm { path: path.clone() },
        _ => return PreviewError::Helm { which, chart: name, source: Box::new(error) },
    };
    match words::read(stderr, &chart.archive.metadata.name, given) {
        Refusal::Schema(keys) => PreviewError::Schema { which, chart: name, keys },
        Refusal::Render(template, words) => PreviewError::DoesNotRender { which, chart: name, template, words },
        Refusal::KubeVersion => {
            let range = chart.archive.metadata.kube_version.clone().unwrap_or_default();
            let words = format!("it takes Kubernetes {range}, and no version is known that it takes");
            PreviewError::DoesNotRender { which, chart: name, template: None, words }
        }
    }
}

fn layers(documents: &[(String, String)]) -> Result<Vec<Layer>, PreviewError> {
    let layer = |(name, text): &(String, String)| {
        let value = Value::Object(parse_values(name, text).map_err(PreviewError::Values)?);
        Ok(Layer { name: name.clone(), value })
    };
    documents.iter().map(layer).collect()
}

/// Whether a template of the chart or of a chart in it asks for the time; values count, for `tpl` makes templates of them.
fn asks_for_the_time(archive: &ChartArchive, documents: &[(String, String)]) -> bool {
    let of = |files: &crate::archive::Files| files.values().any(|data| std::str::from_utf8(data).is_ok_and(random::asks_for_the_time));
    fn below(subs: &[crate::archive::Subchart], of: &dyn Fn(&crate::archive::Files) -> bool) -> bool {
        // Folders in `charts/` are among the files of the chart around them; packed ones are not.
        subs.iter().any(|sub| of(&sub.files) || below(&sub.subcharts, of))
    }
    documents.iter().any(|(_, text)| random::asks_for_the_time(text)) || of(&archive.files) || below(&archive.subcharts, &of)
}

#[cfg(test)]
mod tests;
