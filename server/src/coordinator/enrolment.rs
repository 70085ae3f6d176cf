//! Join tokens, and clusters coming into and out of the fleet.

use super::records::{ClusterRecord, Key, MAX_KEYS, Revoked, TokenRecord, TokenUse};
use super::state::State;
use super::{Coordinator, CoordinatorError, NotAdmitted, RedeemError, Refused};
use groundswell_core::id::ClusterName;
use groundswell_core::selector::{Labels, is_label_text};
use groundswell_core::time::{Span, Time};
use sha2::{Digest, Sha256};
use std::collections::BTreeMap;
use subtle::ConstantTimeEq;

/// A week: long enough for a foundation to be built, short enough that a lost one is soon worthless.
const MAX_TTL: Span = Span(7 * 24 * 60 * 60 * 1_000);

/// Each use is kept in the token's record, at some 200 bytes.
const MAX_USES: u32 = 200;

/// Labels of one cluster; the record stays far below the store's 64 KiB.
pub(crate) const MAX_LABELS: usize = 64;

/// What an admin wants of a new token.
#[derive(Clone, Debug)]
pub struct TokenWish {
    /// The only cluster that may use it.
    pub cluster: Option<ClusterName>,
    /// Labels of the cluster that enrols with it.
    pub labels: Labels,
    /// How long it may be used.
    pub ttl: Span,
    /// How often.
    pub uses: u32,
}

/// A token that was just made.
#[derive(Clone)]
pub struct NewToken {
    /// `gs1.<id>.<secret>.<pin>`, printed once.
    pub token: String,
    /// What it is called.
    pub id: String,
    /// When it runs out.
    pub expires_at: Time,
}

/// A random id and secret; 256 bits, so that a plain SHA-256 at rest is enough.
pub(crate) fn new_secret() -> (String, String) {
    (hex::encode(rand::random::<[u8; 5]>()), hex::encode(rand::random::<[u8; 32]>()))
}

pub(crate) fn hash_secret(secret: &str) -> String {
    hex::encode(Sha256::digest(secret.as_bytes()))
}

pub(crate) fn same_secret(stored_hash: &str, secret: &str) -> bool {
    bool::from(stored_hash.as_bytes().ct_eq(hash_secret(secret).as_bytes()))
}

impl Coordinator {
    /// Makes a join token.
    ///
    /// # Errors
    /// A lifetime, a number of uses or labels out of range.
    pub async fn create_token(&self, wish: TokenWish, by: &str) -> Result<NewToken, CoordinatorError> {
        check_wish(&wish)?;
        let (id, secret) = new_secret();
        // `gs1` tells a version of the form from the next, and a secret scanner what it found.
        let token = format!("gs1.{id}.{secret}.{}", self.config.root_pin);
        self.write(|_, draft| {
            let expires_at = draft.now() + wish.ttl;
            let detail = wish.cluster.as_ref().map_or_else(|| "any cluster".to_owned(), |cluster| format!("cluster {cluster}"));
            let record = TokenRecord {
                hash: hash_secret(&secret),
                cluster: wish.cluster,
                labels: wish.labels,
                created_at: draft.now(),
                created_by: by.to_owned(),
                expires_at,
                uses: wish.uses,
                used: Vec::new(),
            };
            draft.put(&Key::Token(id.clone()), &record);
            draft.audit(by, "token.create", format!("token/{id}"), detail);
            Ok(NewToken { token, id, expires_at })
        })
        .await
    }

    /// Takes a join token away. Clusters that joined with it stay.
    ///
    /// # Errors
    /// No such token.
    pub async fn revoke_token(&self, id: &str, by: &str) -> Result<TokenRecord, CoordinatorError> {
        self.write(|state, draft| {
            let what = || format!("token {:?}", id.chars().take(80).collect::<String>());
            let record = state.tokens.get(id).ok_or_else(|| Refused::not_found(what(), "groundswell cluster token list"))?;
            draft.delete(&Key::Token(id.to_owned()));
            draft.audit(by, "token.revoke", format!("token/{id}"), format!("used {} of {} times", record.used.len(), record.uses));
            Ok(record.clone())
        })
        .await
    }

    /// Exchanges a token for a place in the fleet. The same token with the same key gets the same answer again, because
    /// the first answer may have been lost.
    ///
    /// # Errors
    /// One text for every refusal; or the store failed.
    pub async fn redeem(
        &self,
        token: &str,
        wanted: Option<&str>,
        key_hash: &str,
        labels: BTreeMap<String, String>,
    ) -> Result<ClusterName, RedeemError> {
        let Some((id, secret)) = token.split_once('.') else { return Err(RedeemError::Refused) };
        let answer = self
            .write(|state, draft| {
                let now = draft.now();
                let decided = decide(state, id, secret, wanted, key_hash, labels, now);
                let Some(Redeemed { name, writes }) = decided else { return Ok(None) };
                if let Some((token, cluster)) = writes {
                    draft.put(&Key::Token(id.to_owned()), &token);
                    draft.put(&Key::Cluster(name.clone()), &cluster);
                    draft.audit(format!("token {id}"), "cluster.enrol", format!("cluster/{name}"), format!("key {key_hash}"));
                }
                Ok(Some(name))
            })
            .await?;
        answer.ok_or(RedeemError::Refused)
    }

    /// A certificate was issued for this key; it may hold sessions from now on.
    ///
    /// # Errors
    /// The cluster is gone, or the store failed.
    pub async fn certified(&self, cluster: &ClusterName, key_hash: &str, not_after: Time) -> Result<(), CoordinatorError> {
        self.write(|state, draft| {
            let mut record = known(state, cluster)?.clone();
            if record.revoked.is_some() {
                return Err(Refused::conflict("GS-REVOKED", format!("cluster {cluster}"), "it was revoked").into());
            }
            record.keys.retain(|key| key != key_hash);
            record.keys.push(key_hash.to_owned());
            let excess = record.keys.len().saturating_sub(MAX_KEYS);
            record.keys.drain(..excess);
            record.certificate_not_after = Some(not_after);
            draft.put(&Key::Cluster(cluster.clone()), &record);
            draft.audit(cluster.as_str(), "cluster.certify", format!("cluster/{cluster}"), format!("key {key_hash}"));
            Ok(())
        })
        .await
    }

    /// Whether a certificate of this cluster with this key opens a session.
    ///
    /// # Errors
    /// Not enrolled, revoked, or another key.
    pub fn admit(&self, cluster: &ClusterName, key_hash: &str) -> Result<(), NotAdmitted> {
        let state = self.state();
        let record = state.clusters.get(cluster).ok_or(NotAdmitted::Unknown)?;
        if record.revoked.is_some() {
            return Err(NotAdmitted::Revoked);
        }
        if record.keys.iter().any(|key| key == key_hash) { Ok(()) } else { Err(NotAdmitted::Key) }
    }

    /// Takes a cluster out of the fleet; its session ends as soon as the mirror has seen it.
    ///
    /// # Errors
    /// No such cluster, or revoked already.
    pub async fn revoke(&self, cluster: &ClusterName, why: &str, by: &str) -> Result<(), CoordinatorError> {
        self.write(|state, draft| {
            let mut record = known(state, cluster)?.clone();
            if let Some(revoked) = &record.revoked {
                let why = format!("{} did it already", revoked.by);
                return Err(Refused::conflict("GS-REVOKED", format!("revoke cluster {cluster}"), why).into());
            }
            record.revoked = Some(Revoked { by: by.to_owned(), why: why.to_owned(), at: draft.now() });
            record.keys.clear();
            draft.put(&Key::Cluster(cluster.clone()), &record);
            draft.audit(by, "cluster.revoke", format!("cluster/{cluster}"), why);
            Ok(())
        })
        .await
    }

    /// Changes a cluster's labels. Nothing is rolled out for it; the next rollout sees them.
    ///
    /// # Errors
    /// No such cluster, or labels that Kubernetes would not take.
    pub async fn set_labels(&self, cluster: &ClusterName, set: Labels, remove: &[String], by: &str) -> Result<(), CoordinatorError> {
        check_labels(&set)?;
        self.write(|state, draft| {
            let mut record = known(state, cluster)?.clone();
            record.labels.retain(|key, _| !remove.contains(key));
            let detail = set
                .iter()
                .map(|(key, value)| format!("{key}={value}"))
                .chain(remove.iter().map(|key| format!("{key}-")))
                .collect::<Vec<_>>()
                .join(",");
            record.labels.extend(set);
            if record.labels.len() > MAX_LABELS {
                return Err(Refused::invalid("GS-LABELS", format!("labels of {cluster}"), format!("more than {MAX_LABELS}")).into());
            }
            draft.put(&Key::Cluster(cluster.clone()), &record);
            draft.audit(by, "cluster.label", format!("cluster/{cluster}"), detail);
            Ok(())
        })
        .await
    }

    /// Replaces a cluster's variables.
    ///
    /// # Errors
    /// No such cluster, or variables beyond what a record bears.
    pub async fn set_variables(
        &self,
        cluster: &ClusterName,
        variables: BTreeMap<String, serde_json::Value>,
        by: &str,
    ) -> Result<(), CoordinatorError> {
        let bytes = serde_json::to_vec(&variables).map_or(usize::MAX, |bytes| bytes.len());
        if bytes > MAX_VARIABLES_BYTES {
            let why = format!("{bytes} bytes are more than the {MAX_VARIABLES_BYTES} that a cluster may have");
            return Err(Refused::invalid("GS-VARIABLES", format!("variables of {cluster}"), why).into());
        }
        check_variables(cluster, &variables)?;
        self.write(|state, draft| {
            let mut record = known(state, cluster)?.clone();
            // Names only: a value may be a secret.
            let detail = variables.keys().cloned().collect::<Vec<_>>().join(",");
            record.variables = variables;
            draft.put(&Key::Cluster(cluster.clone()), &record);
            draft.audit(by, "cluster.variables", format!("cluster/{cluster}"), detail);
            Ok(())
        })
        .await
    }
}

/// Half of the store's 64 KiB, so that labels and keys have room.
const MAX_VARIABLES_BYTES: usize = 32 * 1024;

/// Names as `((name))` has them; any other could never be used.
fn check_variables(cluster: &ClusterName, variables: &BTreeMap<String, serde_json::Value>) -> Result<(), Refused> {
    let refuse = |name: &str, why: &str| {
        let what = format!("variable {:?} of {cluster}", name.chars().take(80).collect::<String>());
        Err(Refused::invalid("GS-VARIABLES", what, why))
    };
    for name in variables.keys() {
        if name == "cluster_name" {
            return refuse(name, "it is the cluster's own name and cannot be set");
        }
        if name.is_empty() || !name.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '_' | '.' | '-')) {
            return refuse(name, "no document could use it: a name has letters, digits, '_', '.' and '-'");
        }
    }
    Ok(())
}

/// The cluster, or a refusal that says so.
pub(crate) fn known<'s>(state: &'s State, cluster: &ClusterName) -> Result<&'s ClusterRecord, Refused> {
    state.clusters.get(cluster).ok_or_else(|| Refused::not_found(format!("cluster {cluster}"), "groundswell cluster list"))
}

fn check_wish(wish: &TokenWish) -> Result<(), Refused> {
    let refuse = |why: String| Err(Refused::invalid("GS-TOKEN", "create a token", why).next("groundswell cluster token create --help"));
    if wish.ttl == Span::ZERO || wish.ttl > MAX_TTL {
        return refuse(format!("it may last from a second to {MAX_TTL}, not {}", wish.ttl));
    }
    if wish.uses == 0 || wish.uses > MAX_USES {
        return refuse(format!("it may have from 1 to {MAX_USES} uses, not {}", wish.uses));
    }
    if wish.cluster.is_some() && wish.uses > 1 {
        return refuse("a token for one cluster has one use".into());
    }
    check_labels(&wish.labels)
}

/// Kubernetes' rules for labels; `name` is the cluster's own.
pub(crate) fn check_labels(labels: &Labels) -> Result<(), Refused> {
    let refuse = |what: String, why: &str| Err(Refused::invalid("GS-LABELS", what, why));
    if labels.len() > MAX_LABELS {
        return refuse(format!("{} labels", labels.len()), "a cluster may have 64");
    }
    for (key, value) in labels {
        let name = key.rsplit_once('/').map_or(key.as_str(), |(_, name)| name);
        if key == "name" || key == "cluster_name" {
            return refuse(format!("label {key}"), "it is the cluster's own name and cannot be set");
        }
        if key.len() > 253 || !is_label_text(name) {
            return refuse(format!("label {:?}", key.chars().take(80).collect::<String>()), "it is no label key as Kubernetes has them");
        }
        if !value.is_empty() && !is_label_text(value) {
            return refuse(format!("label {key}"), "its value is no label value as Kubernetes has them");
        }
    }
    Ok(())
}

struct Redeemed {
    name: ClusterName,
    /// `None` for a repeat.
    writes: Option<(TokenRecord, ClusterRecord)>,
}

/// Whether a token opens the fleet to this key, and under which name; `None` is a refusal.
fn decide(state: &State, id: &str, secret: &str, wanted: Option<&str>, key_hash: &str, labels: Labels, now: Time) -> Option<Redeemed> {
    let token = state.tokens.get(id)?;
    if !same_secret(&token.hash, secret) {
        return None;
    }
    if let Some(used) = token.used.iter().find(|used| used.key_hash == key_hash) {
        let is_admitted = state
            .clusters
            .get(&used.cluster)
            .is_some_and(|record| record.revoked.is_none() && record.keys.iter().any(|key| key == key_hash));
        return is_admitted.then(|| Redeemed { name: used.cluster.clone(), writes: None });
    }
    if token.expires_at <= now || token.used.len() >= token.uses as usize {
        return None;
    }
    let name = match (&token.cluster, wanted) {
        (Some(name), None) => name.clone(),
        (Some(name), Some(wanted)) if name.as_str() == wanted => name.clone(),
        (None, Some(wanted)) => wanted.parse().ok()?,
        _ => return None,
    };
    let before = state.clusters.get(&name);
    // A name that is taken is given anew only by a token that was made for it.
    if before.is_some() && token.cluster.is_none() {
        return None;
    }
    check_labels(&labels).ok()?;
    let mut merged = before.map_or(labels, |record| record.labels.clone());
    merged.extend(token.labels.clone());
    let cluster = ClusterRecord {
        keys: vec![key_hash.to_owned()],
        revoked: None,
        labels: merged,
        variables: before.map(|record| record.variables.clone()).unwrap_or_default(),
        certificate_not_after: None,
        enrolled_at: now,
        // Who enrols anew may be another cluster.
        seen: None,
    };
    let mut token = token.clone();
    token.used.push(TokenUse { cluster: name.clone(), key_hash: key_hash.to_owned(), at: now });
    Some(Redeemed { name, writes: Some((token, cluster)) })
}
