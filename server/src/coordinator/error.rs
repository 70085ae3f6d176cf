//! How the coordinator says no.

use super::records::RecordError;
use groundswell_api::dto::ErrorDto;
use groundswell_store::{BlobError, CommitError, StoreError};

/// Why a coordinator could not be opened.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// The store could not be read.
    #[error("cannot read the store")]
    Store(#[from] StoreError),
    /// A record could not be read.
    #[error("cannot read a record of the store")]
    Record(#[from] RecordError),
    /// The store lost transactions faster than they could be read.
    #[error("the store changes faster than it can be read; is another coordinator writing to it?")]
    NeverStill,
}

/// Which kind of refusal it is; the HTTP side makes a status of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RefusalKind {
    /// What was sent is wrong.
    Invalid,
    /// It is not there.
    NotFound,
    /// It does not fit the present state.
    Conflict,
    /// It is too large.
    TooLarge,
    /// The caller may not.
    Forbidden,
    /// Nobody knows the caller.
    Unauthenticated,
}

/// A refusal that tells its reader what, where, why and what next.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{}: {}", .error.what, .error.why)]
pub struct Refused {
    /// Its kind.
    pub kind: RefusalKind,
    /// What the operator reads.
    pub error: Box<ErrorDto>,
}

impl Refused {
    /// What was sent is wrong.
    pub fn invalid(code: &str, what: impl Into<String>, why: impl Into<String>) -> Self {
        Self::new(RefusalKind::Invalid, code, what, why)
    }

    /// It is not there.
    pub fn not_found(what: impl Into<String>, next: impl Into<String>) -> Self {
        Self::new(RefusalKind::NotFound, "GS-NOT-FOUND", what, "there is none of that name").next(next)
    }

    /// With another reason.
    #[must_use]
    pub fn because(mut self, why: impl Into<String>) -> Self {
        self.error.why = why.into();
        self
    }

    /// It does not fit the present state.
    pub fn conflict(code: &str, what: impl Into<String>, why: impl Into<String>) -> Self {
        Self::new(RefusalKind::Conflict, code, what, why)
    }

    /// Any kind.
    pub fn new(kind: RefusalKind, code: &str, what: impl Into<String>, why: impl Into<String>) -> Self {
        Self { kind, error: Box::new(ErrorDto { code: code.to_owned(), what: what.into(), why: why.into(), ..ErrorDto::default() }) }
    }

    /// With its place in what was sent.
    #[must_use]
    pub fn at(mut self, place: impl Into<String>) -> Self {
        self.error.place = Some(place.into());
        self
    }

    /// With the next command or edit.
    #[must_use]
    pub fn next(mut self, next: impl Into<String>) -> Self {
        self.error.next = next.into();
        self
    }

    /// The first of several, the others behind it; `None` when there are none.
    pub fn all(refusals: Vec<Self>) -> Option<Self> {
        let mut refusals = refusals.into_iter();
        let mut first = refusals.next()?;
        first.error.more.extend(refusals.take(MAX_MORE).map(|refused| *refused.error));
        Some(first)
    }
}

/// An operator mends the first few and tries again.
const MAX_MORE: usize = 19;

/// Why the coordinator did not do something.
#[derive(Debug, thiserror::Error)]
pub enum CoordinatorError {
    /// It was asked for something that does not go.
    #[error(transparent)]
    Refused(#[from] Box<Refused>),
    /// The transaction was not committed.
    #[error("cannot commit")]
    Commit(#[from] CommitError),
    /// The store could not be read.
    #[error("cannot read the store")]
    Store(#[from] StoreError),
    /// Content could not be stored or read.
    #[error("cannot keep content")]
    Blob(#[from] BlobError),
    /// A stored record could not be read.
    #[error("cannot read a record")]
    Record(#[from] RecordError),
    /// This process no longer leads.
    #[error("this server has stepped down: {0}")]
    SteppedDown(String),
    /// A blocking part panicked or was cancelled.
    #[error("the work was cut off: {0}")]
    Cut(String),
}

impl From<Refused> for CoordinatorError {
    fn from(refused: Refused) -> Self {
        Self::Refused(Box::new(refused))
    }
}

/// Why a join token was not redeemed. All refusals read the same, so that nobody learns which tokens exist.
#[derive(Debug, thiserror::Error)]
pub enum RedeemError {
    /// Wrong, expired or used token, or a name that it may not have.
    #[error("the token is not valid for this cluster; ask an admin for a new one: groundswell cluster token create")]
    Refused,
    /// Not the caller's fault.
    #[error("the token could not be redeemed; try again")]
    Failed(#[from] CoordinatorError),
}

/// Why a certificate does not open a session.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NotAdmitted {
    /// Not enrolled here.
    #[error("the cluster is not enrolled with this server; enrol it with a token")]
    Unknown,
    /// Revoked.
    #[error("the cluster was revoked; to bring it back: groundswell cluster token create NAME, give the agent that token, and restart it")]
    Revoked,
    /// Another key.
    #[error("the certificate's key is none of this cluster's; enrol it anew with a token for its name")]
    Key,
}
