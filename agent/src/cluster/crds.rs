//! CRDs go before the upgrade, by server-side apply: helm installs them once and never touches them again. None is ever deleted.

use super::{FIELD_MANAGER, documents, is_refusal};
use groundswell_core::health::assess;
use groundswell_helm::archive::ChartFile;
use kube::api::{ApiResource, DynamicObject, GroupVersionKind, Patch, PatchParams};
use kube::{Api, Client};
use serde_json::Value;
use std::time::Duration;

/// The API server establishes a CRD within a second or two; an overloaded one takes longer.
const ESTABLISHED: Duration = Duration::from_secs(30);
const LOOK_AGAIN: Duration = Duration::from_millis(200);

/// Why CRDs could not be applied.
#[derive(Debug, thiserror::Error)]
pub(crate) enum CrdError {
    /// Trying again is of no use.
    #[error("{0}")]
    Refused(String),
    /// Worth another try.
    #[error("{0}")]
    Unavailable(String),
}

/// Applies the CRDs of these files and waits until they are established; says what changed.
pub(crate) async fn apply(client: &Client, files: &[ChartFile]) -> Result<Vec<String>, CrdError> {
    let mut changed = Vec::new();
    for file in files {
        let text = std::str::from_utf8(&file.data).map_err(|_| CrdError::Refused(format!("{} is no UTF-8", file.path)))?;
        for object in documents(&file.path, text).map_err(CrdError::Refused)? {
            if object["kind"] == "CustomResourceDefinition" {
                changed.extend(apply_one(client, &file.path, &object).await?);
            }
        }
    }
    Ok(changed)
}

async fn apply_one(client: &Client, path: &str, object: &Value) -> Result<Option<String>, CrdError> {
    let name = object.pointer("/metadata/name").and_then(Value::as_str);
    let name = name.ok_or_else(|| CrdError::Refused(format!("a CRD in {path} has no name")))?;
    let version = object["apiVersion"].as_str().and_then(|v| v.strip_prefix("apiextensions.k8s.io/")).unwrap_or("v1");
    let kind = GroupVersionKind::gvk("apiextensions.k8s.io", version, "CustomResourceDefinition");
    let api: Api<DynamicObject> = Api::all_with(client.clone(), &ApiResource::from_gvk(&kind));
    let failed = |error: kube::Error| {
        let said = format!("CRD {name}: {}", crate::link::told(&error));
        if is_refusal(&error) { CrdError::Refused(said) } else { CrdError::Unavailable(said) }
    };
    let before = api.get_metadata_opt(name).await.map_err(failed)?.and_then(|meta| meta.metadata.resource_version);
    let params = PatchParams { field_manager: Some(FIELD_MANAGER.into()), force: true, ..PatchParams::default() };
    let after = api.patch(name, &params, &Patch::Apply(object)).await.map_err(failed)?;
    wait_established(&api, name).await?;
    // A server-side apply that changes nothing leaves the resource version as it was.
    Ok(match before {
        None => Some(format!("CRD {name} was created")),
        Some(version) if after.metadata.resource_version.as_ref() != Some(&version) => Some(format!("CRD {name} was changed")),
        Some(_) => None,
    })
}

async fn wait_established(api: &Api<DynamicObject>, name: &str) -> Result<(), CrdError> {
    let established = async {
        loop {
            if let Ok(object) = api.get(name).await
                && let Ok(value) = serde_json::to_value(&object)
                && assess(&value).is_current()
            {
                return;
            }
            tokio::time::sleep(LOOK_AGAIN).await;
        }
    };
    let late = |_| CrdError::Unavailable(format!("CRD {name} was applied and is not established after {} s", ESTABLISHED.as_secs()));
    tokio::time::timeout(ESTABLISHED, established).await.map_err(late)
}
