//! Helm's records, read straight from the API server: a tenth of the cost of a helm child, and nothing is locked.

use super::is_missing;
use groundswell_core::agent::{HistoryEntry, Marker, RevisionStatus, UNLOCKED};
use groundswell_core::id::{Generation, Namespace, ReleaseName};
use groundswell_core::time::Time;
use groundswell_helm::history::Description;
use groundswell_helm::record::{RecordLabels, ReleaseRecord, secret_name, unlock};
use groundswell_proto::v1;
use k8s_openapi::ByteString;
use k8s_openapi::api::core::v1::Secret;
use kube::api::{ListParams, PostParams};
use kube::core::PartialObjectMeta;
use kube::{Api, Client};
use std::collections::BTreeMap;

/// Releases that are told of as candidates for adoption (`session.proto`).
const MAX_FOUND: usize = 200;
/// Secrets in one page of a list; each may have a MiB.
const PAGE: u32 = 10;

/// Why records could not be used.
#[derive(Debug, thiserror::Error)]
pub(crate) enum RecordsError {
    #[error("helm's records of {release} cannot be read")]
    Api { release: String, source: Box<kube::Error> },
    #[error("helm's record {name} cannot be read")]
    Record { name: String, source: groundswell_helm::record::RecordError },
    #[error("helm's record {0} has no data")]
    Empty(String),
}

/// Helm's records in one cluster.
#[derive(Clone)]
pub(crate) struct Records {
    client: Client,
}

impl Records {
    pub(crate) fn new(client: Client) -> Self {
        Self { client }
    }

    fn api(&self, namespace: &Namespace) -> Api<Secret> {
        Api::namespaced(self.client.clone(), namespace.as_str())
    }

    /// All revisions, ascending. One page at a time is decoded and dropped, so that a long history costs little memory.
    pub(crate) async fn history(&self, namespace: &Namespace, release: &ReleaseName) -> Result<Vec<HistoryEntry>, RecordsError> {
        let api = self.api(namespace);
        let mut params = ListParams::default().labels(&format!("owner=helm,name={release}")).limit(PAGE);
        let mut entries = Vec::new();
        loop {
            let failed = |source| RecordsError::Api { release: release.to_string(), source: Box::new(source) };
            let page = api.list(&params).await.map_err(failed)?;
            for secret in page.items {
                entries.push(entry(&decode(secret)?));
            }
            match page.metadata.continue_.filter(|token| !token.is_empty()) {
                Some(token) => params = params.continue_token(&token),
                None => break,
            }
        }
        entries.sort_by_key(|entry| entry.revision);
        Ok(entries)
    }

    /// The newest revision's number and status, from labels alone.
    pub(crate) async fn latest(&self, namespace: &Namespace, release: &ReleaseName) -> Result<Option<(u32, String)>, RecordsError> {
        let params = ListParams::default().labels(&format!("owner=helm,name={release}"));
        let list = self.api(namespace).list_metadata(&params).await;
        let list = list.map_err(|source| RecordsError::Api { release: release.to_string(), source: Box::new(source) })?;
        let read = |labels: Option<BTreeMap<String, String>>| RecordLabels::parse(&labels.unwrap_or_default()).ok();
        let newest = list.items.into_iter().filter_map(|item| read(item.metadata.labels)).max_by_key(|labels| labels.version);
        Ok(newest.map(|labels| (narrow(labels.version), labels.status.as_str().to_owned())))
    }

    /// One revision in full.
    pub(crate) async fn record(&self, namespace: &Namespace, release: &ReleaseName, revision: u32) -> Result<ReleaseRecord, RecordsError> {
        let name = secret_name(release.as_str(), u64::from(revision));
        let got = self.api(namespace).get(&name).await;
        decode(got.map_err(|source| RecordsError::Api { release: release.to_string(), source: Box::new(source) })?)
    }

    /// Marks a pending revision failed. A record that changed in between is left alone (409), as is one that is gone.
    pub(crate) async fn unlock(&self, namespace: &Namespace, release: &ReleaseName, revision: u32) -> Result<(), RecordsError> {
        let api = self.api(namespace);
        let name = secret_name(release.as_str(), u64::from(revision));
        let failed = |source| RecordsError::Api { release: release.to_string(), source: Box::new(source) };
        let mut secret = match api.get(&name).await {
            Ok(secret) => secret,
            Err(error) if is_missing(&error) => return Ok(()),
            Err(error) => return Err(failed(error)),
        };
        let payload = payload(&secret).ok_or_else(|| RecordsError::Empty(name.clone()))?;
        let unlocked = unlock(payload, UNLOCKED).map_err(|source| RecordsError::Record { name: name.clone(), source })?;
        secret.data.get_or_insert_default().insert("release".into(), ByteString(unlocked.payload));
        secret.metadata.labels.get_or_insert_default().insert("status".into(), unlocked.status_label.into());
        let params = PostParams { field_manager: Some(super::FIELD_MANAGER.into()), ..PostParams::default() };
        api.replace(&name, &params, &secret).await.map(|_| ()).map_err(failed)
    }

    /// Releases that Helm has and we do not: everywhere, or, without the right to list Secrets everywhere, in `namespaces`. What may
    /// not be read is not found, which is no error.
    pub(crate) async fn found(&self, namespaces: &[Namespace], ours: impl Fn(&str) -> bool) -> Vec<v1::FoundRelease> {
        let mut found = Vec::new();
        for item in self.deployed(namespaces).await {
            let (Some(namespace), Some(labels)) = (item.metadata.namespace, item.metadata.labels) else { continue };
            let Ok(labels) = RecordLabels::parse(&labels) else { continue };
            if ours(&labels.name) || found.len() >= MAX_FOUND {
                continue;
            }
            found.push(v1::FoundRelease {
                name: labels.name,
                namespace,
                revision: narrow(labels.version),
                status: labels.status.as_str().into(),
                chart: String::new(),
            });
        }
        found
    }

    async fn deployed(&self, namespaces: &[Namespace]) -> Vec<PartialObjectMeta<Secret>> {
        let params = ListParams::default().labels("owner=helm,status=deployed");
        let everywhere = Api::<Secret>::all(self.client.clone()).list_metadata(&params).await;
        if let Ok(list) = everywhere {
            return list.items;
        }
        let mut items = Vec::new();
        for namespace in namespaces {
            match self.api(namespace).list_metadata(&params).await {
                Ok(list) => items.extend(list.items),
                Err(error) => tracing::debug!(%namespace, %error, "releases of this namespace are not seen"),
            }
        }
        items
    }
}

fn payload(secret: &Secret) -> Option<&[u8]> {
    secret.data.as_ref()?.get("release").map(|bytes| bytes.0.as_slice())
}

fn decode(secret: Secret) -> Result<ReleaseRecord, RecordsError> {
    let name = secret.metadata.name.clone().unwrap_or_default();
    let payload = payload(&secret).ok_or_else(|| RecordsError::Empty(name.clone()))?;
    ReleaseRecord::decode(payload).map_err(|source| RecordsError::Record { name, source })
}

fn narrow(revision: u64) -> u32 {
    u32::try_from(revision).unwrap_or(u32::MAX)
}

fn entry(record: &ReleaseRecord) -> HistoryEntry {
    let status = RevisionStatus::parse(record.status.as_str());
    let marker =
        Description::parse(&record.description).map(|mark| Marker { generation: Generation(mark.generation), attempt: mark.attempt });
    let rollback_to = record.description.strip_prefix("Rollback to ").and_then(|rest| rest.split(';').next()?.trim().parse().ok());
    let updated = record.last_deployed.parse::<jiff::Timestamp>().ok();
    let updated = updated.and_then(|at| u64::try_from(at.as_millisecond()).ok()).unwrap_or_default();
    HistoryEntry {
        revision: narrow(record.version),
        status,
        marker,
        rollback_to,
        description: record.description.clone(),
        chart: format!("{}-{}", record.chart_name, record.chart_version),
        updated: Time(updated),
    }
}
