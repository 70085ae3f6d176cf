//! What one cluster really gets, and from where.

use super::layout::{Cache, Layers, Subject};
use crate::coordinator::enrolment::known;
use crate::coordinator::{Coordinator, CoordinatorError, Refused};
use groundswell_api::dto::{ValuesDocumentDto, ValuesDto};
use groundswell_core::assignment::Target;
use groundswell_core::id::{ClusterName, ReleaseName};
use groundswell_helm::values::{Layer, merge, parse_values};
use serde_json::Value;

impl Coordinator {
    /// `GET /v1/values`.
    ///
    /// # Errors
    /// No such release or cluster, or a variable that is missing by now.
    pub async fn values(&self, release: &ReleaseName, cluster: &ClusterName) -> Result<ValuesDto, CoordinatorError> {
        let (revision, subject, assignment) = {
            let state = self.state();
            let record =
                state.releases.get(release).ok_or_else(|| Refused::not_found(format!("release {release}"), "groundswell get releases"))?;
            let subject = Subject::new(cluster, known(&state, cluster)?);
            (record.revision, subject, state.cluster_release(release, cluster).and_then(|known| known.assignment.clone()))
        };
        let stored = self.stored(release, revision).await?;
        let all = |refused| {
            Refused::all(refused)
                .unwrap_or_else(|| Refused::invalid("GS-VALUES", format!("release {release}"), "its values cannot be read"))
        };
        let layers = Layers::read(&stored.record.source, &stored.release, &stored.files).map_err(all)?;
        let texts = layers.for_cluster(&subject, &mut Cache::default())?;
        let parsed: Vec<Layer> = texts
            .iter()
            .map(|text| Layer {
                name: text.name.clone(),
                value: parse_values(&text.name, &text.text).map(Value::Object).unwrap_or_default(),
            })
            .collect();
        let merged = merge(&parsed);
        let carries = assignment.filter(|assignment| match &assignment.target {
            Target::Content(content) => content.values.iter().eq(texts.iter().map(|text| &text.digest)),
            Target::HelmRevision(_) | Target::Uninstalled | Target::Orphaned => false,
        });
        let overridden = merged.origin.iter().filter(|(_, origin)| !origin.overridden.is_empty());
        Ok(ValuesDto {
            release: release.to_string(),
            cluster: cluster.to_string(),
            overridden: overridden.map(|(path, origin)| (path.to_string(), origin.overridden.clone())).collect(),
            origin: merged.origin.iter().map(|(path, origin)| (path.to_string(), origin.layer.clone())).collect(),
            merged: merged.value,
            documents: texts.into_iter().map(|text| ValuesDocumentDto { name: text.name, text: text.text }).collect(),
            rollout: carries.as_ref().map(|assignment| assignment.rollout.to_string()),
            generation: carries.map(|assignment| assignment.generation.0),
        })
    }
}
