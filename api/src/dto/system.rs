//! `/v1/version` and `/v1/audit`.

use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// `GET /v1/version`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct VersionDto {
    /// Of the server.
    pub version: String,
    /// The versions of documents that it takes.
    pub api_versions: Vec<String>,
    /// Who the token belongs to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub user: Option<String>,
    /// What the token may do.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub role: Option<Role>,
}

/// What an operator may do; each may do all that the ones before it may.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
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

/// One record of the audit log.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct AuditDto {
    /// Its place, without gaps.
    pub sequence: u64,
    /// When, by the server's clock.
    pub at: Timestamp,
    /// Who: an operator, `planner`, or a cluster.
    pub who: String,
    /// The verb, such as `rollout.approve`.
    pub what: String,
    /// To what, such as `rollout/beacon-3`.
    pub subject: String,
    /// Anything more.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub detail: String,
    /// SHA-256 over this record and the hash of the one before.
    pub hash: String,
}

/// `POST /v1/operators`: a token for a person or a script.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct OperatorRequest {
    /// Whose it is, for the audit log.
    pub name: String,
    /// What it may do.
    pub role: Role,
}

/// An operator in a list: no secret in it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct OperatorDto {
    /// What the token is called; its part before the dot.
    pub id: String,
    /// Whose it is.
    pub name: String,
    /// What it may do.
    pub role: Role,
    /// When it was made.
    pub created_at: Timestamp,
}

/// An operator's token that was just made; the only answer that ever carries it.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct OperatorTokenDto {
    /// Whose it is.
    pub name: String,
    /// The token itself. Not stored, so never to be had again.
    pub token: String,
}

impl std::fmt::Debug for OperatorTokenDto {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("OperatorTokenDto").field("name", &self.name).finish_non_exhaustive()
    }
}
