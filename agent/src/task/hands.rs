//! What the steps of `core::agent` come to: blobs, checks, CRDs, helm.

use super::Tenure;
use crate::cluster::crds::{self, CrdError};
use crate::link::told;
use groundswell_core::agent::{Chart, Crds, Entry, HelmCall, HelmEnd, Marker, Preflight};
use groundswell_core::assignment::{Content, Target};
use groundswell_helm::archive::ChartArchive;
use groundswell_helm::history::Description;
use groundswell_helm::record::{SECRET_LIMIT, estimate_size};
use groundswell_helm::runner::{Control, HelmError, ReleaseName, Rollback, Template, Uninstall, Upgrade};
use groundswell_helm::values::{Layer, merge, parse_values};
use serde_json::Value;
use std::time::Duration;

/// Revisions that Helm keeps: its own default, which people expect.
const HISTORY: u32 = 10;
/// Helm's limit for each of its steps, a hook for one; its own default.
const STEP: Duration = Duration::from_secs(5 * 60);
/// For a whole call: a step for each of two hooks before and after, and as many again for the way back, doubled.
const CALL: Duration = Duration::from_secs(40 * 60);
/// A render talks to nobody.
const RENDER: Duration = Duration::from_secs(60);

/// Fetches chart and values.
pub(super) async fn fetch(tenure: &Tenure, content: &Content) -> Chart {
    for digest in std::iter::once(&content.chart.digest).chain(&content.values) {
        if let Err(why) = tenure.blobs.ensure(digest, tenure.board.channel()).await {
            return Chart::Unavailable(why);
        }
    }
    Chart::Ready
}

struct Loaded {
    archive: ChartArchive,
    values: Vec<Vec<u8>>,
    merged: Value,
}

async fn load(tenure: &Tenure, content: &Content) -> Result<Loaded, String> {
    let gone = |digest: &groundswell_core::id::Digest| format!("{} is not on disk any more", digest.short());
    let bytes = tenure.blobs.read(&content.chart.digest).await.ok_or_else(|| gone(&content.chart.digest))?;
    let archive = ChartArchive::read(&bytes).map_err(|error| format!("the chart archive is refused: {error}"))?;
    let mut values = Vec::new();
    let mut layers = Vec::new();
    let defaults = archive.values_yaml().map(|bytes| String::from_utf8_lossy(bytes).into_owned()).unwrap_or_default();
    layers.push(layer("values.yaml", &defaults)?);
    for (index, digest) in content.values.iter().enumerate() {
        let bytes = tenure.blobs.read(digest).await.ok_or_else(|| gone(digest))?;
        layers.push(layer(&format!("values document {}", index + 1), &String::from_utf8_lossy(&bytes))?);
        values.push(bytes);
    }
    let merged = merge(&layers).value;
    Ok(Loaded { archive, values, merged })
}

fn layer(name: &str, text: &str) -> Result<Layer, String> {
    let value = parse_values(name, text).map(Value::Object).map_err(|error| error.to_string())?;
    Ok(Layer { name: name.to_owned(), value })
}

/// The checks before anything is touched.
pub(super) async fn preflight(tenure: &Tenure, entry: &Entry) -> Preflight {
    let Target::Content(content) = &entry.assignment.target else { return Preflight::Passed };
    let loaded = match load(tenure, content).await {
        Ok(loaded) => loaded,
        Err(why) => return Preflight::Refused(why),
    };
    match release_size(tenure, entry, content, &loaded).await {
        Some(size) if size > SECRET_LIMIT => Preflight::Refused(format!(
            "helm's record of the release would have {size} bytes, and a Secret holds at most {SECRET_LIMIT}: the chart has too many or too large files"
        )),
        _ => Preflight::Passed,
    }
}

/// `None` when the chart does not render without a cluster: then helm itself will say what is wrong, before it touches anything.
async fn release_size(tenure: &Tenure, entry: &Entry, content: &Content, loaded: &Loaded) -> Option<usize> {
    let name = helm_name(entry).ok()?;
    let values: Vec<&[u8]> = loaded.values.iter().map(Vec::as_slice).collect();
    let version = tenure.apis.found().kubernetes_version;
    let template = Template { values: &values, kube_version: Some(&version), ..Template::default() };
    let chart = tenure.blobs.path(&content.chart.digest);
    let manifest = tenure.helm.template(&name, &chart, &template, &Control::new(RENDER)).await;
    let manifest = manifest.inspect_err(|error| tracing::debug!("no size estimate: {error}")).ok()?;
    estimate_size(&loaded.archive, &loaded.merged, &manifest).ok()
}

/// Applies the chart's CRDs.
pub(super) async fn apply_crds(tenure: &Tenure, content: &Content) -> Crds {
    let loaded = match load(tenure, content).await {
        Ok(loaded) => loaded,
        Err(why) => return Crds::Unavailable(why),
    };
    match crds::apply(&tenure.client, &loaded.archive.crds_for(&loaded.merged)).await {
        Ok(notes) => {
            if !notes.is_empty() {
                tenure.apis.look_again();
            }
            Crds::Applied { notes }
        }
        Err(CrdError::Refused(why)) => Crds::Failed(why),
        Err(CrdError::Unavailable(why)) => Crds::Unavailable(why),
    }
}

fn helm_name(entry: &Entry) -> Result<ReleaseName, HelmError> {
    ReleaseName::new(entry.assignment.namespace.as_str(), entry.assignment.release.as_str())
}

/// Runs helm. `None`: it was stopped from outside, and the history will tell what it left behind.
pub(super) async fn run_helm(tenure: &Tenure, entry: &Entry, call: &HelmCall, marker: Marker) -> Option<HelmEnd> {
    let end = |error: Option<String>| Some(HelmEnd { marker, error });
    let called = call_helm(tenure, entry, call, marker).await;
    // Templates may hold CRDs and API services too.
    tenure.apis.look_again();
    match called {
        Ok(()) => end(None),
        Err(HelmError::ReleaseNotFound { .. }) if *call == HelmCall::Uninstall => end(None),
        Err(error @ (HelmError::Stopped { .. } | HelmError::LeaseLost { .. })) => {
            tracing::warn!(release = %entry.assignment.release, "{error}");
            None
        }
        Err(error) => end(Some(told(&error))),
    }
}

async fn call_helm(tenure: &Tenure, entry: &Entry, call: &HelmCall, marker: Marker) -> Result<(), HelmError> {
    let name = helm_name(entry)?;
    let control = Control::new(CALL).stopped_by(tenure.stop_helm.subscribe());
    let said = |text: String| Description {
        rollout: entry.assignment.rollout.to_string(),
        generation: marker.generation.0,
        attempt: marker.attempt,
        text,
    };
    match call {
        HelmCall::Upgrade { content } => {
            let loaded = load(tenure, content).await.map_err(|reason| HelmError::BadOutput { verb: "upgrade", reason })?;
            let values: Vec<&[u8]> = loaded.values.iter().map(Vec::as_slice).collect();
            let description = said(format!("{} {}", content.chart.name, content.chart.version)).to_string();
            let upgrade = Upgrade {
                chart: &tenure.blobs.path(&content.chart.digest),
                values: &values,
                description: &description,
                history_max: HISTORY,
                timeout: STEP,
                create_namespace: entry.assignment.create_namespace,
            };
            drop(loaded.archive);
            tenure.helm.upgrade_install(&name, &upgrade, &control).await.map(|_| ())
        }
        HelmCall::Rollback { to } => {
            let rollback = Rollback { revision: u64::from(*to), history_max: HISTORY, timeout: STEP };
            tenure.helm.rollback(&name, rollback, &control).await.map(|_| ())
        }
        HelmCall::Uninstall => {
            let description = said("uninstall".into()).to_string();
            let uninstall = Uninstall { keep_history: false, description: &description, timeout: STEP };
            tenure.helm.uninstall(&name, &uninstall, &control).await
        }
    }
}
