//! The objects of a release, judged one by one.

use super::{documents, is_missing};
use futures::StreamExt as _;
use groundswell_core::health::{Health, ObjectHealth, ObjectRef, assess, assess_missing, operator_children, parse_refs, summarise};
use kube::api::{ApiResource, DynamicObject, GroupVersionKind};
use kube::discovery::{Scope, oneshot};
use kube::{Api, Client};
use serde_json::Value;
use std::collections::BTreeMap;

/// Objects asked for at once: a large chart has 200, and an API server of a small cluster must not feel a look at it.
const AT_ONCE: usize = 8;

/// What a look came to.
#[derive(Debug)]
pub(crate) struct Look {
    pub(crate) healthy: bool,
    pub(crate) message: String,
    /// StatefulSets that are not ready, as namespace and name.
    pub(crate) waiting_sets: Vec<(String, String)>,
}

/// The objects of one revision's manifest, hooks not among them.
pub(crate) struct Objects {
    client: Client,
    namespace: String,
    manifest: Vec<(ObjectRef, Value)>,
    /// How kinds are reached; asked once for each.
    kinds: BTreeMap<(String, String, String), Option<(ApiResource, bool)>>,
}

impl Objects {
    /// Reads the manifest. Only what tells objects apart is kept of it.
    pub(crate) fn new(client: Client, namespace: &str, manifest: &str) -> Result<Self, String> {
        let mut kept = Vec::new();
        for object in documents("manifest", manifest)? {
            for reference in parse_refs(std::slice::from_ref(&object)).map_err(|error| error.to_string())? {
                let short = serde_json::json!({"kind": reference.kind, "spec": {"ttlSecondsAfterFinished": object.pointer("/spec/ttlSecondsAfterFinished")}});
                kept.push((reference, short));
            }
        }
        Ok(Self { client, namespace: namespace.to_owned(), manifest: kept, kinds: BTreeMap::new() })
    }

    /// Looks at every object, and at the StatefulSets that operators make of some.
    pub(crate) async fn look(&mut self) -> Look {
        let wanted: Vec<(ObjectRef, Value)> = self.manifest.clone();
        for (reference, _) in &wanted {
            self.learn(reference).await;
        }
        let mut judged = Vec::with_capacity(wanted.len());
        let mut children = Vec::new();
        {
            let this = &*self;
            let mut looks = futures::stream::iter(wanted).map(|(reference, short)| this.judge(reference, short)).buffer_unordered(AT_ONCE);
            while let Some((reference, health, made)) = looks.next().await {
                judged.push((reference, Some(health)));
                children.extend(made);
            }
        }
        for child in children {
            self.learn(&child).await;
            let (reference, health, _) = self.judge(child, Value::Null).await;
            judged.push((reference, Some(health)));
        }
        judged.sort_by(|(a, _), (b, _)| a.cmp(b));
        let health = summarise(&judged);
        let sets =
            health.waiting.iter().map(|unready| &unready.object).filter(|object| object.group == "apps" && object.kind == "StatefulSet");
        let namespace = |object: &ObjectRef| object.namespace.clone().unwrap_or_else(|| self.namespace.clone());
        let waiting_sets = sets.map(|object| (namespace(object), object.name.clone())).collect();
        Look { healthy: health.healthy, message: health.summary, waiting_sets }
    }

    async fn learn(&mut self, reference: &ObjectRef) {
        let key = key(reference);
        if matches!(self.kinds.get(&key), Some(Some(_))) {
            return;
        }
        let kind = GroupVersionKind::gvk(&reference.group, &reference.version, &reference.kind);
        let known = oneshot::pinned_kind(&self.client, &kind).await.ok();
        self.kinds.insert(key, known.map(|(resource, capabilities)| (resource, capabilities.scope == Scope::Namespaced)));
    }

    async fn judge(&self, reference: ObjectRef, short: Value) -> (ObjectRef, ObjectHealth, Vec<ObjectRef>) {
        let unknown = |why: String| ObjectHealth::new(Health::Unknown, why);
        let Some(Some((resource, namespaced))) = self.kinds.get(&key(&reference)) else {
            let why = format!("the cluster does not serve {}/{} {}", reference.group, reference.version, reference.kind);
            return (reference, unknown(why), Vec::new());
        };
        let namespace = reference.namespace.as_deref().unwrap_or(&self.namespace);
        let api: Api<DynamicObject> = match namespaced {
            true => Api::namespaced_with(self.client.clone(), namespace, resource),
            false => Api::all_with(self.client.clone(), resource),
        };
        let got = api.get(&reference.name).await;
        let (health, children) = match got {
            Ok(object) => match serde_json::to_value(&object) {
                Ok(value) => (assess(&value), operator_children(&value)),
                Err(error) => (unknown(error.to_string()), Vec::new()),
            },
            Err(error) if is_missing(&error) && short.is_null() => {
                (ObjectHealth::new(Health::InProgress, "its operator has not made it yet"), Vec::new())
            }
            Err(error) if is_missing(&error) => (assess_missing(&short), Vec::new()),
            Err(error) => (unknown(crate::link::told(&error)), Vec::new()),
        };
        (reference, health, children)
    }
}

fn key(reference: &ObjectRef) -> (String, String, String) {
    (reference.group.clone(), reference.version.clone(), reference.kind.clone())
}
