//! How the server says no.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// The body of every answer that is not a success.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ErrorBody {
    /// What went wrong.
    pub error: ErrorDto,
}

/// One refusal: what, where, why, and what to do.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ErrorDto {
    /// Stable, `GS-` and a word or number.
    pub code: String,
    /// What was refused or failed.
    pub what: String,
    /// `file:line:column`, where it has a place in what was sent.
    #[serde(rename = "where", default, skip_serializing_if = "Option::is_none")]
    pub place: Option<String>,
    /// The reason.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub why: String,
    /// The next command or edit.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub next: String,
    /// Further refusals of the same request; they have no further ones of their own.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub more: Vec<ErrorDto>,
}
