//! The way from one version to another, found from rules that are data.
//!
//! A rule is about single steps, from a range of versions to a range of versions, and says where it comes from ([`Rule`]). A way is a
//! rising row of published versions in which every single step keeps every rule; [`solve`] finds the shortest. `docs/paths.md`
//! has the grammar.

mod at_hand;
mod back;
mod blocked;
mod cluster;
mod diffed;
mod evidence;
mod graph;
mod kubernetes;
mod later;
mod lint;
mod proved;
mod read;
mod rendered;
mod route;
mod rule;
mod set;
mod solve;

pub use blocked::{Blocking, NoRoute};
pub use cluster::{ClusterUpgrade, MinorStop, RemovedApi};
pub use diffed::DiffClaim;
pub use evidence::{Evidence, Labels, Seen, apply_evidence};
pub use graph::Stand;
pub use kubernetes::KubernetesRange;
pub use later::later_apis;
pub use lint::{Problem, lint};
pub use proved::Ran;
pub use read::{API_VERSION, Disabled, KIND, MAX_FILE_BYTES, RuleError, RuleFile, read};
pub use rendered::seen;
pub use route::{Chore, Finding, FindingCode, Hop, Reason, Route};
pub use rule::{Denied, Object, Origin, Place, Proof, Rule, Step};
pub use set::{Chart, RuleSet, SHIPPED};
pub use solve::{Question, solve};

#[cfg(test)]
mod tests;
