//! One rule of an upgrade path, and what a person has to do for it.

use super::graph::Stand;
use crate::constraint::{Constraint, Version};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::fmt;

/// One fact about a way between versions, with the place that it comes from.
///
/// `from` and `to` say which single steps the rule is about: those that begin in `from` and end in `to`. Left out, each takes all.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rule {
    /// Its name, unique among all rules.
    pub id: String,
    /// The chart that `to`, `must_stop_at` and `skip` are versions of.
    pub chart: String,
    /// The chart that `from` is a version of. Another one than `chart` declares the way from the old name to the new.
    pub from_chart: String,
    /// Where the step begins.
    pub from: Option<Constraint>,
    /// Where the step ends.
    pub to: Option<Constraint>,
    /// Such a step begins or ends at the newest version in here, or is not taken.
    pub must_stop_at: Option<Constraint>,
    /// Versions that nobody should stand on.
    pub skip: Option<Constraint>,
    /// What the cluster must run while it stands on a version in `to`.
    pub needs_kubernetes: Option<Constraint>,
    /// `before` is not to be done before such a step, but before the cluster is upgraded to what is in here while the release stands on
    /// a version in `to`.
    pub before_kubernetes: Option<Constraint>,
    /// What to do before such a step.
    pub before: Vec<Step>,
    /// What to do after it.
    pub after: Vec<Step>,
    /// Why nobody who got to `to` goes back to `from`.
    pub no_way_back: Option<String>,
    /// What to check after it.
    pub tests: Vec<String>,
    /// Where the rule comes from: a document with its version, or an address.
    pub source: String,
    /// Why the rule is so.
    pub note: Option<String>,
    /// The rule that this one stands in for.
    pub replaces: Option<String>,
    /// Where it is written.
    pub place: Place,
    /// Who wrote it.
    pub origin: Origin,
    /// What the renders of charts said about it.
    pub proofs: Vec<Proof>,
}

/// A place in a file.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Place {
    /// The file, as it was named.
    pub file: String,
    /// From 1.
    pub line: u64,
    /// In characters, from 1.
    pub column: u64,
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}:{}", self.file, self.line, self.column)
    }
}

/// Who wrote a rule.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum Origin {
    /// It came with Groundswell.
    Shipped,
    /// The operator's own file.
    Operator,
    /// Found by rendering; no rule named it.
    Rendered,
}

/// What two rendered charts said about a rule.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Proof {
    /// Whether they bear the rule out.
    pub holds: bool,
    /// What was seen, between which versions.
    pub detail: String,
    /// The step of the rule that is not borne out.
    #[serde(skip)]
    pub denies: Option<Box<Denied>>,
}

/// A step that renders do not bear out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Denied {
    /// Where the hop begins that was rendered.
    pub from: Stand,
    /// Where it ends.
    pub to: Stand,
    /// What a rule asks for there.
    pub step: Step,
}

/// Something to do by hand, or by a script, around a step.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub enum Step {
    /// Apply the CRDs of the version that the step goes to. Several rules that ask for it are served by doing it once.
    ApplyCrds,
    /// Delete an object and leave its pods running (`kubectl delete --cascade=orphan`).
    DeleteOrphan(Object),
    /// Delete an object.
    DeleteObject(Object),
    /// A key of the values has a new name.
    RenameValue {
        /// Its old path, with dots.
        from: String,
        /// Its new path.
        to: String,
    },
    /// A key of the values has to be set.
    SetValue {
        /// Its path, with dots.
        path: String,
        /// What to.
        value: String,
    },
    /// A key of the values that has no meaning any more.
    RemoveValue {
        /// Its path, with dots.
        path: String,
    },
    /// Anything else, in words.
    Text(String),
    /// What `groundswell chart diff` asks for between the two versions that were rendered; no file has it.
    #[serde(skip_deserializing)]
    ChartDiff(super::diffed::DiffClaim),
}

/// An object in the cluster.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Object {
    /// Its kind, such as `Deployment`.
    pub kind: String,
    /// Its name; `RELEASE` stands for the name of the release.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// Its labels, where it has no fixed name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub selector: Option<String>,
    /// Its namespace, where that is not the namespace of the release.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub namespace: Option<String>,
}

impl fmt::Display for Object {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.kind)?;
        if let Some(name) = &self.name {
            write!(f, " {name}")?;
        }
        if let Some(selector) = &self.selector {
            write!(f, " with {selector}")?;
        }
        if let Some(namespace) = &self.namespace {
            write!(f, " in {namespace}")?;
        }
        Ok(())
    }
}

/// Kinds that hold what nobody makes anew, as a manifest and as kubectl names them.
const HOLD_DATA: [&str; 6] = ["crd", "customresourcedefinition", "persistentvolume", "persistentvolumeclaim", "pv", "pvc"];

impl Object {
    /// Whether nobody makes anew what is lost with it. The kind may be as an operator typed it: `pvc`, `PersistentVolumeClaims`,
    /// `crds.apiextensions.k8s.io`.
    pub(super) fn holds_data(&self) -> bool {
        let kind = self.kind.to_ascii_lowercase();
        kind.split(|c: char| !c.is_ascii_alphanumeric()).any(|word| HOLD_DATA.contains(&word.strip_suffix('s').unwrap_or(word)))
    }
}

impl Step {
    /// What to do, in words; `target` is the version that the step goes to.
    #[must_use]
    pub fn words(&self, target: &Version) -> String {
        match self {
            Self::ApplyCrds => format!("apply the CRDs of {target}"),
            Self::DeleteOrphan(object) => format!("delete {object}, and leave its pods running (--cascade=orphan)"),
            Self::DeleteObject(object) => format!("delete {object}"),
            Self::RenameValue { from, to } => format!("rename the value {from} to {to}, where it is set"),
            Self::SetValue { path, value } => format!("set the value {path} to {value}"),
            Self::RemoveValue { path } => format!("remove the value {path}, where it is set"),
            Self::Text(text) => text.clone(),
            Self::ChartDiff(claim) => claim.words.clone(),
        }
    }
}

impl Rule {
    /// Whether a rule is about the way from one chart's name to another's.
    #[must_use]
    pub fn renames(&self) -> bool {
        self.from_chart != self.chart
    }

    /// What the rule is about, in words.
    #[must_use]
    pub fn says(&self) -> String {
        let any = |range: &Option<Constraint>| range.as_ref().map_or_else(|| "any version".to_owned(), ToString::to_string);
        let step = || format!("a step from {} to {}", any(&self.from), any(&self.to));
        if let Some(skip) = &self.skip {
            format!("{} {skip} is no version to stand on", self.chart)
        } else if let Some(range) = &self.needs_kubernetes {
            format!("{} {} needs Kubernetes {range}", self.chart, any(&self.to))
        } else if let Some(range) = &self.before_kubernetes {
            format!("before Kubernetes {range}, while at {} {}", self.chart, any(&self.to))
        } else if let Some(stop) = &self.must_stop_at {
            format!("{} has to stop at the newest of {stop}", step())
        } else if self.renames() {
            format!("{} goes on as {}, from {} to {}", self.from_chart, self.chart, any(&self.from), any(&self.to))
        } else {
            step()
        }
    }
}

/// Whether a range takes a version. A prerelease counts as the release that it leads to, so that no rule is missed on one.
#[must_use]
pub(crate) fn takes(range: Option<&Constraint>, version: &Version) -> bool {
    let release = || Version::new(version.major(), version.minor(), version.patch());
    range.is_none_or(|range| range.matches(version) || (!version.prerelease().is_empty() && range.matches(&release())))
}
