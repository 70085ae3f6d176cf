//! Charts by digest.

use crate::coordinator::records::{ChartRecord, Key};
use crate::coordinator::state::State;
use crate::coordinator::{Coordinator, CoordinatorError, Refused, open_blob, put_blob};
use groundswell_core::assignment::ChartRef;
use groundswell_core::id::Digest;
use groundswell_helm::archive::ChartArchive;
use groundswell_helm::installable::installable;

/// Names in a chart's record; more are counted, not named.
const MAX_NAMES: usize = 200;

/// Digests of a refusal; whoever pushed more under one version looks them up.
const MAX_LISTED: usize = 5;

impl Coordinator {
    /// Checks an archive by the rules and keeps it. The same bytes again change nothing.
    ///
    /// # Errors
    /// The first rule that the archive breaks, why helm could never install it, or no room.
    pub async fn push_chart(&self, bytes: Vec<u8>, by: &str) -> Result<(Digest, ChartRecord), CoordinatorError> {
        let blobs = self.blobs().clone();
        let (digest, archive) = Self::blocking(move || {
            let archive = ChartArchive::read(&bytes).map_err(|error| bad_archive(&error.to_string()))?;
            installable(&archive).map_err(|error| not_installable(&error.to_string()))?;
            let digest = put_blob(&blobs, &bytes)?;
            Ok::<_, CoordinatorError>((digest, archive))
        })
        .await??;
        self.write(|state, draft| {
            if let Some(known) = state.charts.get(&digest) {
                return Ok((digest, known.clone()));
            }
            let record = record(&archive, draft.now(), by);
            draft.put(&Key::Chart(digest.clone()), &record);
            draft.audit(by, "chart.push", format!("chart/{digest}"), format!("{}-{}", record.name, record.version));
            Ok((digest, record))
        })
        .await
    }

    /// A chart's archive, read again.
    pub(crate) async fn archive(&self, digest: &Digest) -> Result<ChartArchive, CoordinatorError> {
        let (blobs, digest) = (self.blobs().clone(), digest.clone());
        Self::blocking(move || {
            let bytes = open_blob(&blobs, &digest)?;
            ChartArchive::read(&bytes).map_err(|error| bad_archive(&error.to_string()).into())
        })
        .await?
    }
}

fn not_installable(why: &str) -> Refused {
    Refused::invalid("GS-ARCHIVE", "helm could install this chart in no cluster", why).next("mend it until helm template <chart> takes it")
}

fn bad_archive(why: &str) -> Refused {
    Refused::invalid("GS-ARCHIVE", "the chart archive is refused", why).next("helm package <folder>, or groundswell chart push <folder>")
}

fn record(archive: &ChartArchive, now: groundswell_core::time::Time, by: &str) -> ChartRecord {
    let metadata = &archive.metadata;
    let crds = archive.crds();
    ChartRecord {
        name: metadata.name.clone(),
        version: metadata.version.clone(),
        app_version: metadata.app_version.clone(),
        kube_version: metadata.kube_version.clone(),
        size: archive.compressed_bytes,
        crds: crds.iter().take(MAX_NAMES).map(|file| file.path.rsplit('/').next().unwrap_or(&file.path).to_owned()).collect(),
        dependencies: archive
            .subcharts
            .iter()
            .take(MAX_NAMES)
            .map(|subchart| (subchart.metadata.name.clone(), subchart.metadata.version.clone()))
            .collect(),
        has_schema: archive.values_schema().is_some(),
        pushed_at: now,
        pushed_by: by.to_owned(),
    }
}

/// A chart that was pushed, by its digest.
pub(crate) fn by_digest(state: &State, digest: &Digest) -> Option<ChartRef> {
    let record = state.charts.get(digest)?;
    Some(ChartRef { name: record.name.clone(), version: record.version.clone(), digest: digest.clone() })
}

/// Every chart of this name, and of this version unless all are asked for, the oldest first. A version means one content
/// only as long as nobody pushes another under it, so whoever reads this must not choose among several.
pub(crate) fn by_name<'s>(state: &'s State, name: &str, version: Option<&str>) -> Vec<(&'s Digest, &'s ChartRecord)> {
    let is_one = |record: &ChartRecord| record.name == name && version.is_none_or(|version| record.version == version);
    let mut found: Vec<_> = state.charts.iter().filter(|(_, record)| is_one(record)).collect();
    found.sort_by_key(|(_, record)| record.pushed_at);
    found
}

/// What a person needs to choose among several.
pub(crate) fn listed(found: &[(&Digest, &ChartRecord)]) -> String {
    let shown = found.iter().rev().take(MAX_LISTED).map(|(digest, record)| {
        let at = i64::try_from(record.pushed_at.0).ok().and_then(|ms| jiff::Timestamp::from_millisecond(ms).ok());
        let at = at.map(|at| format!(" at {at}")).unwrap_or_default();
        format!("{digest} ({} {}, pushed by {}{at})", record.name, record.version, record.pushed_by)
    });
    let more = found.len().saturating_sub(MAX_LISTED);
    let shown = shown.collect::<Vec<_>>().join(", ");
    if more > 0 { format!("{shown} and {more} older ones") } else { shown }
}
