//! The agent's own Secrets: identity and ledger.

use super::{is_conflict, is_missing};
use k8s_openapi::ByteString;
use k8s_openapi::api::core::v1::Secret;
use kube::api::{ListParams, ObjectMeta, PostParams};
use kube::{Api, Client};
use std::collections::BTreeMap;

/// Marks the Secrets of the ledger, so that they are found without knowing the releases.
const LABEL: &str = "groundswell.dev/part";

/// Why a Secret could not be written.
#[derive(Debug, thiserror::Error)]
pub(crate) enum SecretError {
    /// Another pod wrote it since it was read: another pod acts.
    #[error("secret {0} was changed by somebody else")]
    Conflict(String),
    #[error("secret {name}")]
    Api { name: String, source: Box<kube::Error> },
}

/// One Secret as it was read.
#[derive(Clone, Debug, Default)]
pub(crate) struct Held {
    pub(crate) data: BTreeMap<String, Vec<u8>>,
    /// `None`: it was not there.
    version: Option<String>,
}

impl Held {
    /// A text of it.
    pub(crate) fn text(&self, key: &str) -> Option<String> {
        self.data.get(key).and_then(|bytes| String::from_utf8(bytes.clone()).ok())
    }
}

/// The Secrets of one namespace.
#[derive(Clone)]
pub(crate) struct Secrets {
    api: Api<Secret>,
}

impl Secrets {
    pub(crate) fn new(client: Client, namespace: &str) -> Self {
        Self { api: Api::namespaced(client, namespace) }
    }

    /// Reads one; an empty one when it is not there.
    pub(crate) async fn read(&self, name: &str) -> Result<Held, SecretError> {
        match self.api.get(name).await {
            Ok(secret) => Ok(held(secret).1),
            Err(error) if is_missing(&error) => Ok(Held::default()),
            Err(source) => Err(SecretError::Api { name: name.to_owned(), source: Box::new(source) }),
        }
    }

    /// All that bear this part's label.
    pub(crate) async fn list(&self, part: &str) -> Result<BTreeMap<String, Held>, SecretError> {
        let params = ListParams::default().labels(&format!("{LABEL}={part}"));
        let list = self.api.list(&params).await.map_err(|source| SecretError::Api { name: part.to_owned(), source: Box::new(source) })?;
        Ok(list.items.into_iter().map(held).collect())
    }

    /// Writes the whole of it, only if it still is as it was read; `before` becomes what was written.
    pub(crate) async fn write(
        &self,
        name: &str,
        part: &str,
        before: &mut Held,
        data: BTreeMap<String, Vec<u8>>,
    ) -> Result<(), SecretError> {
        let secret = Secret {
            metadata: ObjectMeta {
                name: Some(name.to_owned()),
                labels: Some(BTreeMap::from([
                    (LABEL.to_owned(), part.to_owned()),
                    ("app.kubernetes.io/managed-by".to_owned(), super::FIELD_MANAGER.to_owned()),
                ])),
                resource_version: before.version.clone(),
                ..ObjectMeta::default()
            },
            data: Some(data.into_iter().map(|(key, bytes)| (key, ByteString(bytes))).collect()),
            type_: Some("Opaque".into()),
            ..Secret::default()
        };
        let params = PostParams { field_manager: Some(super::FIELD_MANAGER.into()), ..PostParams::default() };
        let written = match before.version {
            None => self.api.create(&params, &secret).await,
            Some(_) => self.api.replace(name, &params, &secret).await,
        };
        match written {
            Ok(secret) => {
                *before = held(secret).1;
                Ok(())
            }
            Err(error) if is_conflict(&error) || is_missing(&error) => Err(SecretError::Conflict(name.to_owned())),
            Err(source) => Err(SecretError::Api { name: name.to_owned(), source: Box::new(source) }),
        }
    }
}

fn held(secret: Secret) -> (String, Held) {
    let data = secret.data.unwrap_or_default().into_iter().map(|(key, bytes)| (key, bytes.0)).collect();
    (secret.metadata.name.unwrap_or_default(), Held { data, version: secret.metadata.resource_version })
}
