//! The form of what is stored: keys, and versioned bytes (`{"v":1,"r":…}`). A golden test pins both.

use groundswell_core::id::{ClusterName, Digest, Namespace, ReleaseName, RolloutId};
use groundswell_core::rollout::{ClusterRelease, Head, Turn};
use groundswell_core::selector::Labels;
use groundswell_core::strategy::Strategy;
use groundswell_core::time::Time;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::collections::BTreeMap;
use std::fmt;

/// The form that is written. A reader of a later form must still read this one.
const VERSION: u32 = 1;

/// Why stored bytes cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum RecordError {
    /// The key is none of ours.
    #[error("key {key} is of no known kind; was the store written by a newer server?")]
    Key {
        /// The key.
        key: String,
    },
    /// Written by a newer program.
    #[error("record {key} has form {found}, this server reads up to {VERSION}; start the newer server again")]
    Version {
        /// The key.
        key: String,
        /// Its form.
        found: u32,
    },
    /// Not what was written.
    #[error("record {key} is damaged; restore the store from a snapshot")]
    Damaged {
        /// The key.
        key: String,
        /// Where and why.
        #[source]
        source: serde_json::Error,
    },
}

/// Where a record lies.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Key {
    /// A cluster.
    Cluster(ClusterName),
    /// An enrolment token, by its id.
    Token(String),
    /// An operator, by the id of their token.
    Operator(String),
    /// A release.
    Release(ReleaseName),
    /// One revision of a release's document.
    Document(ReleaseName, u64),
    /// A named strategy.
    Strategy(String),
    /// A rollout's progress.
    Rollout(RolloutId),
    /// A cluster's progress in a rollout.
    Turn(RolloutId, ClusterName),
    /// A release in a cluster.
    ClusterRelease(ReleaseName, ClusterName),
    /// A chart that was pushed.
    Chart(Digest),
    /// A record of the audit log. Twenty digits, so that the order of keys is the order of numbers.
    Audit(u64),
}

impl fmt::Display for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Cluster(name) => write!(f, "cluster/{name}"),
            Self::Token(id) => write!(f, "token/{id}"),
            Self::Operator(id) => write!(f, "operator/{id}"),
            Self::Release(name) => write!(f, "release/{name}"),
            Self::Document(release, revision) => write!(f, "document/{release}/{revision:020}"),
            Self::Strategy(name) => write!(f, "strategy/{name}"),
            Self::Rollout(id) => write!(f, "rollout/{id}"),
            Self::Turn(id, cluster) => write!(f, "turn/{id}/{cluster}"),
            Self::ClusterRelease(release, cluster) => write!(f, "cr/{release}/{cluster}"),
            Self::Chart(digest) => write!(f, "chart/{digest}"),
            Self::Audit(sequence) => write!(f, "audit/{sequence:020}"),
        }
    }
}

impl Key {
    /// Reads a key back.
    pub fn parse(key: &str) -> Result<Self, RecordError> {
        Self::read(key).ok_or_else(|| RecordError::Key { key: key.to_owned() })
    }

    fn read(key: &str) -> Option<Self> {
        let (kind, rest) = key.split_once('/')?;
        Some(match kind {
            "cluster" => Self::Cluster(rest.parse().ok()?),
            "token" => Self::Token(rest.to_owned()),
            "operator" => Self::Operator(rest.to_owned()),
            "release" => Self::Release(rest.parse().ok()?),
            "document" => {
                let (release, revision) = rest.split_once('/')?;
                Self::Document(release.parse().ok()?, revision.parse().ok()?)
            }
            "strategy" => Self::Strategy(rest.to_owned()),
            "rollout" => Self::Rollout(RolloutId(rest.to_owned())),
            "turn" => {
                let (id, cluster) = rest.split_once('/')?;
                Self::Turn(RolloutId(id.to_owned()), cluster.parse().ok()?)
            }
            "cr" => {
                let (release, cluster) = rest.split_once('/')?;
                Self::ClusterRelease(release.parse().ok()?, cluster.parse().ok()?)
            }
            "chart" => Self::Chart(Digest::new(rest).ok()?),
            "audit" => Self::Audit(rest.parse().ok()?),
            _ => return None,
        })
    }
}

/// A cluster of the fleet.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ClusterRecord {
    /// SHA-256 of the public keys that may hold a session, newest last. At most [`MAX_KEYS`].
    pub keys: Vec<String>,
    /// Set when it was revoked.
    pub revoked: Option<Revoked>,
    /// Its labels, without `name`.
    pub labels: Labels,
    /// What `((name))` becomes for it, beside its labels.
    pub variables: BTreeMap<String, Value>,
    /// When the newest certificate runs out.
    pub certificate_not_after: Option<Time>,
    /// When it enrolled.
    pub enrolled_at: Time,
    /// What its agent last said of it; `None` before the first session, and in records from before this was kept.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub seen: Option<SeenRecord>,
}

/// What a cluster is, in its agent's words. Written when it changes, not when it is said again.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SeenRecord {
    /// Of the API server.
    pub kubernetes_version: String,
    /// SHA-256 of the list of its API versions; the list itself is a blob that many clusters share.
    pub apis: Option<Digest>,
    /// When it was first said.
    pub at: Time,
}

/// The present key, one whose answer was lost, one before, and one to spare.
pub const MAX_KEYS: usize = 4;

/// Who revoked a cluster.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Revoked {
    /// Who.
    pub by: String,
    /// Why, in their words.
    pub why: String,
    /// When.
    pub at: Time,
}

/// An enrolment token.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TokenRecord {
    /// SHA-256 of the secret, hexadecimal.
    pub hash: String,
    /// The only cluster that may use it.
    pub cluster: Option<ClusterName>,
    /// Labels of the cluster that enrols with it.
    pub labels: Labels,
    /// When it was made.
    pub created_at: Time,
    /// By whom.
    pub created_by: String,
    /// When it runs out.
    pub expires_at: Time,
    /// How often it may be used.
    pub uses: u32,
    /// Who used it.
    pub used: Vec<TokenUse>,
}

/// One use of an enrolment token.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TokenUse {
    /// Which cluster it became.
    pub cluster: ClusterName,
    /// The key that it brought.
    pub key_hash: String,
    /// When.
    pub at: Time,
}

/// What an operator may do; each may do all that the ones before it may.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Role {
    /// Reads.
    Viewer,
    /// Applies, pauses, retries, goes back.
    Operator,
    /// Approves waves.
    Approver,
    /// Tokens, revocation, deletion.
    Admin,
}

/// An operator.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct OperatorRecord {
    /// What the audit log calls them.
    pub name: String,
    /// SHA-256 of the secret, hexadecimal.
    pub hash: String,
    /// What they may do.
    pub role: Role,
    /// When it was made.
    pub created_at: Time,
}

/// A release.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReleaseRecord {
    /// Where it lives in each cluster.
    pub namespace: Namespace,
    /// Of its newest document.
    pub revision: u64,
    /// How many rollouts it had; the next is one more.
    pub rollouts: u64,
    /// The newest rollout.
    pub latest: Option<RolloutId>,
    /// SHA-256 over what the newest rollout decides, without who and when: the same again makes no rollout.
    pub content: Option<Digest>,
    /// Set while (and after) the release is deleted.
    pub deleted: bool,
}

/// One revision of a release's document. The texts are blobs: a document may be larger than a record.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DocumentRecord {
    /// The name of the file that it came from; positions begin with it.
    pub source: String,
    /// SHA-256 of its text.
    pub text: Digest,
    /// SHA-256 of the texts of `valuesFiles`, by the path as it stands in the document.
    pub files: BTreeMap<String, Digest>,
    /// The chart, by digest.
    pub chart: Digest,
    /// The labels that it selects, as text.
    pub selector: String,
    /// The strategy's name, where it has one.
    pub strategy: Option<String>,
    /// Whether drift is corrected.
    pub corrects_drift: bool,
    /// When it was stored.
    pub at: Time,
    /// By whom.
    pub by: String,
    /// What made it, such as `apply` or `set image.tag=2`.
    pub cause: String,
    /// The rollout that it led to.
    pub rollout: Option<RolloutId>,
}

/// A named strategy.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct StrategyRecord {
    /// Rises with each change.
    pub revision: u64,
    /// What it says.
    pub strategy: Strategy,
    /// When it last changed.
    pub at: Time,
    /// Who changed it.
    pub by: String,
}

/// A chart that was pushed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ChartRecord {
    /// From `Chart.yaml`.
    pub name: String,
    /// From `Chart.yaml`.
    pub version: String,
    /// From `Chart.yaml`.
    pub app_version: Option<String>,
    /// From `Chart.yaml`.
    pub kube_version: Option<String>,
    /// Bytes of the archive.
    pub size: u64,
    /// Names of the CRDs.
    pub crds: Vec<String>,
    /// Name and version of the charts packed inside.
    pub dependencies: Vec<(String, String)>,
    /// Whether it has a `values.schema.json`.
    pub has_schema: bool,
    /// When it was pushed.
    pub pushed_at: Time,
    /// By whom.
    pub pushed_by: String,
}

/// One change of anything (GS-12), chained to the one before.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AuditRecord {
    /// Its place, from 1, without gaps.
    pub sequence: u64,
    /// When, by the server's clock.
    pub at: Time,
    /// An operator, `planner`, or `cluster <name>`.
    pub who: String,
    /// The verb, such as `rollout.approve`.
    pub what: String,
    /// To what, such as `rollout/beacon-3`.
    pub subject: String,
    /// Anything more.
    pub detail: String,
    /// SHA-256 over the hash before and this record with an empty hash, hexadecimal.
    pub hash: String,
}

/// A record of any kind.
#[derive(Clone, Debug, PartialEq)]
#[expect(clippy::large_enum_variant, reason = "lives only between bytes and the mirror")]
pub enum Record {
    /// See the key of the same name.
    Cluster(ClusterRecord),
    /// See the key of the same name.
    Token(TokenRecord),
    /// See the key of the same name.
    Operator(OperatorRecord),
    /// See the key of the same name.
    Release(ReleaseRecord),
    /// See the key of the same name.
    Document(DocumentRecord),
    /// See the key of the same name.
    Strategy(StrategyRecord),
    /// See the key of the same name.
    Rollout(Head),
    /// See the key of the same name.
    Turn(Turn),
    /// See the key of the same name.
    ClusterRelease(ClusterRelease),
    /// See the key of the same name.
    Chart(ChartRecord),
    /// See the key of the same name.
    Audit(AuditRecord),
}

#[derive(Serialize)]
struct Written<'a, T> {
    v: u32,
    r: &'a T,
}

#[derive(Deserialize)]
struct Form {
    v: u32,
}

#[derive(Deserialize)]
struct Read<T> {
    r: T,
}

/// The bytes of a record. Every record is plain data with text keys, so this cannot fail; should it, nothing is written.
pub fn encode<T: Serialize>(record: &T) -> Vec<u8> {
    serde_json::to_vec(&Written { v: VERSION, r: record }).unwrap_or_default()
}

/// Reads bytes as a record of one kind.
pub fn decode_as<T: DeserializeOwned>(key: &str, bytes: &[u8]) -> Result<T, RecordError> {
    let damaged = |source| RecordError::Damaged { key: key.to_owned(), source };
    let form: Form = serde_json::from_slice(bytes).map_err(damaged)?;
    if form.v != VERSION {
        return Err(RecordError::Version { key: key.to_owned(), found: form.v });
    }
    serde_json::from_slice::<Read<T>>(bytes).map(|read| read.r).map_err(damaged)
}

/// Reads bytes as the kind that the key says.
pub fn decode(key: &str, bytes: &[u8]) -> Result<(Key, Record), RecordError> {
    let parsed = Key::parse(key)?;
    let record = match &parsed {
        Key::Cluster(_) => Record::Cluster(decode_as(key, bytes)?),
        Key::Token(_) => Record::Token(decode_as(key, bytes)?),
        Key::Operator(_) => Record::Operator(decode_as(key, bytes)?),
        Key::Release(_) => Record::Release(decode_as(key, bytes)?),
        Key::Document(..) => Record::Document(decode_as(key, bytes)?),
        Key::Strategy(_) => Record::Strategy(decode_as(key, bytes)?),
        Key::Rollout(_) => Record::Rollout(decode_as(key, bytes)?),
        Key::Turn(..) => Record::Turn(decode_as(key, bytes)?),
        Key::ClusterRelease(..) => Record::ClusterRelease(decode_as(key, bytes)?),
        Key::Chart(_) => Record::Chart(decode_as(key, bytes)?),
        Key::Audit(_) => Record::Audit(decode_as(key, bytes)?),
    };
    Ok((parsed, record))
}
