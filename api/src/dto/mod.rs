//! The JSON of the operator API, all of it under `/v1`.
//!
//! Requests refuse fields that they do not know (a mistyped `dryRun` must not become a real change); answers ignore them, so
//! that an older command reads a newer server. Times are RFC 3339 in UTC, spans are text such as `10m`.

mod apply;
mod chart;
mod cluster;
mod error;
mod installed;
mod release;
mod rollout;
mod system;

pub use apply::*;
pub use chart::*;
pub use cluster::*;
pub use error::*;
pub use installed::*;
pub use release::*;
pub use rollout::*;
pub use system::*;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// The version that every object and list carries.
pub const API_VERSION: &str = "groundswell.dev/v1alpha1";

/// What an object is called in its `kind`.
pub trait Kind {
    /// Such as `Rollout`; a list of them is a `RolloutList`.
    const KIND: &'static str;
}

macro_rules! kinds {
    ($($type:ident = $kind:literal),+ $(,)?) => {
        $(impl Kind for $type {
            const KIND: &'static str = $kind;
        })+
    };
}

kinds!(
    ApplyResponse = "ApplyResult",
    AuditDto = "AuditRecord",
    ChartDto = "Chart",
    ClusterApisDto = "ClusterApis",
    ClusterDto = "Cluster",
    ClusterTurnDto = "ClusterTurn",
    InstalledDto = "InstalledRelease",
    NewTokenDto = "EnrolmentToken",
    OperatorDto = "Operator",
    OperatorTokenDto = "OperatorToken",
    PromotionDto = "Promotion",
    ReleaseDto = "Release",
    ReleaseRevisionDto = "ReleaseRevision",
    RolloutDto = "Rollout",
    RolloutRef = "RolloutRef",
    RolloutSummaryDto = "RolloutSummary",
    TokenDto = "EnrolmentToken",
    ValuesDto = "Values",
    VersionDto = "Version",
);

/// One object as it is sent: `apiVersion` and `kind` beside its own fields.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Object<T> {
    /// [`API_VERSION`].
    pub api_version: String,
    /// [`Kind::KIND`].
    pub kind: String,
    /// The fields of the object itself.
    #[serde(flatten)]
    pub body: T,
}

impl<T: Kind> Object<T> {
    /// Puts version and kind beside an object.
    pub fn new(body: T) -> Self {
        Self { api_version: API_VERSION.to_owned(), kind: T::KIND.to_owned(), body }
    }
}

/// Several objects as they are sent.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct List<T> {
    /// [`API_VERSION`].
    pub api_version: String,
    /// The kind of the items with `List` behind it.
    pub kind: String,
    /// The objects, in an order that the endpoint names.
    pub items: Vec<T>,
    /// Where the next page begins; absent at the end.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next: Option<String>,
}

impl<T: Kind> List<T> {
    /// A list that ends here.
    pub fn new(items: Vec<T>) -> Self {
        Self { api_version: API_VERSION.to_owned(), kind: format!("{}List", T::KIND), items, next: None }
    }

    /// A page of a list, with the place where the next one begins.
    pub fn page(items: Vec<T>, next: Option<String>) -> Self {
        Self { next, ..Self::new(items) }
    }
}

fn is_false(flag: &bool) -> bool {
    !*flag
}
