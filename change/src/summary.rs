//! The answer: what changes, in the order that hurts first. This is also the JSON of `-o json`, so names here are an interface.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// `apiVersion` of a summary.
pub const API_VERSION: &str = "groundswell.dev/v1alpha1";
/// `kind` of a summary.
pub const KIND: &str = "ChangeSummary";

/// What changes between two versions of a chart, for one target.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Summary {
    /// `groundswell.dev/v1alpha1`.
    pub api_version: String,
    /// `ChangeSummary`.
    pub kind: String,
    /// The version that is there.
    pub old: ChartBrief,
    /// The version that is to come.
    pub new: ChartBrief,
    /// For what both were rendered.
    pub target: TargetBrief,
    /// What it comes to.
    pub verdict: Verdict,
    /// In the order that hurts first; sections without items are there too, so that their absence of findings can be seen.
    pub sections: Vec<Section>,
    /// What is no change of substance, counted.
    pub noise: Noise,
    /// Objects of both renders, counted.
    pub counts: Counts,
}

/// A chart in a line.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ChartBrief {
    /// Name.
    pub name: String,
    /// Version.
    pub version: String,
    /// Version of the application.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub app_version: Option<String>,
    /// SHA-256 of the archive.
    pub digest: String,
}

/// For what both versions were rendered.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct TargetBrief {
    /// Where these facts come from.
    pub from: String,
    /// Version of the API server; absent when helm's own default was taken.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub kube_version: Option<String>,
    /// How many APIs of the server are known; 0 when none are.
    pub api_versions: usize,
    /// Name of the release.
    pub release: String,
    /// Its namespace.
    pub namespace: String,
    /// Names of the values documents, in order.
    pub values: Vec<String>,
}

/// What it comes to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Verdict {
    /// In one word.
    pub level: Level,
    /// In one sentence, for the person who decides.
    pub line: String,
    /// Why, the worst first.
    pub reasons: Vec<String>,
    /// What was not checked, and how it could be.
    pub not_checked: Vec<NotChecked>,
}

/// The verdict in one word.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum Level {
    /// Nothing of substance.
    Nothing,
    /// One plain upgrade does it.
    OneStep,
    /// Something has to be done before or after.
    Steps,
    /// A plain upgrade would be refused or would fail.
    Blocked,
}

/// Something that this summary does not know.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct NotChecked {
    /// What.
    pub what: String,
    /// Why not.
    pub why: String,
    /// What would make it known.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub next: String,
}

/// Part of the summary.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Section {
    /// Which.
    pub id: SectionId,
    /// What is in it, the worst first.
    pub items: Vec<Item>,
}

/// The parts of a summary, in their order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum SectionId {
    /// What makes a plain upgrade fail.
    Blockers,
    /// What has to be done beside the upgrade, in order.
    Steps,
    /// What becomes of the operator's own values.
    Overrides,
    /// Chart, application, subcharts and images.
    Versions,
    /// Custom resource definitions, by field.
    Crds,
    /// Workloads: which pods restart, and why.
    Workloads,
    /// Rights that grow or shrink.
    Rbac,
    /// Ports, Services, Ingresses, network policies, volumes.
    Network,
    /// Alerts, recording rules, dashboards.
    Rules,
    /// Hooks and tests of the chart.
    Hooks,
    /// Objects that come, go or change and belong to no section above.
    Objects,
    /// What the chart's authors wrote about the versions that are crossed.
    Notes,
}

impl SectionId {
    /// All of them, in order.
    pub const ALL: [Self; 12] = [
        Self::Blockers,
        Self::Steps,
        Self::Overrides,
        Self::Versions,
        Self::Crds,
        Self::Workloads,
        Self::Rbac,
        Self::Network,
        Self::Rules,
        Self::Hooks,
        Self::Objects,
        Self::Notes,
    ];

    /// Its heading.
    #[must_use]
    pub fn title(self) -> &'static str {
        match self {
            Self::Blockers => "Blockers",
            Self::Steps => "Steps",
            Self::Overrides => "Your overrides",
            Self::Versions => "Versions and images",
            Self::Crds => "CRDs",
            Self::Workloads => "Workloads that restart",
            Self::Rbac => "RBAC",
            Self::Network => "Ports and storage",
            Self::Rules => "Alerts and rules",
            Self::Hooks => "Hooks",
            Self::Objects => "Other objects",
            Self::Notes => "Upgrade notes",
        }
    }
}

/// How much a claim matters, the worst first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum Weight {
    /// The upgrade fails.
    Stop,
    /// Somebody has to do something, or loses something.
    Act,
    /// Somebody should look at it.
    Look,
    /// Good to know.
    Know,
}

/// One claim.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Item {
    /// What kind of claim, in stable words with hyphens (`immutable-field`, `image-tag`).
    pub code: String,
    /// How much it matters.
    pub weight: Weight,
    /// One sentence, without the name of the object where `object` says it.
    pub what: String,
    /// The object, or the first of `objects`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub object: Option<ObjectRef>,
    /// All objects for which the claim holds alike, when there are several.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub objects: Vec<ObjectRef>,
    /// Path of the field or of the values key.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub path: Option<String>,
    /// As it was; secrets are masked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub before: Option<Value>,
    /// As it will be.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub after: Option<Value>,
    /// Further lines, for whoever wants to know more.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub detail: Vec<String>,
    /// What to do about it: a sentence or a command.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next: Option<String>,
    /// How it is known.
    pub from: Provenance,
}

impl Item {
    /// A claim with nothing but its sentence.
    #[must_use]
    pub fn new(code: &str, weight: Weight, what: impl Into<String>, from: Provenance) -> Self {
        Self {
            code: code.to_owned(),
            weight,
            what: what.into(),
            object: None,
            objects: Vec::new(),
            path: None,
            before: None,
            after: None,
            detail: Vec::new(),
            next: None,
            from,
        }
    }

    /// About this object.
    #[must_use]
    pub fn about(mut self, object: ObjectRef) -> Self {
        self.object = Some(object);
        self
    }

    /// At this field, from this to that.
    #[must_use]
    pub fn field(mut self, path: impl Into<String>, before: Option<Value>, after: Option<Value>) -> Self {
        self.path = Some(path.into());
        self.before = before;
        self.after = after;
        self
    }

    /// With this advice.
    #[must_use]
    pub fn next(mut self, next: impl Into<String>) -> Self {
        self.next = Some(next.into());
        self
    }

    /// With further lines.
    #[must_use]
    pub fn detail(mut self, lines: Vec<String>) -> Self {
        self.detail = lines;
        self
    }
}

/// How a claim is known.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Provenance {
    /// In one word.
    pub kind: Evidence,
    /// Where: a template, a file with a line, a table with its version.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub at: String,
}

impl Provenance {
    /// Known in this way, from there.
    #[must_use]
    pub fn new(kind: Evidence, at: impl Into<String>) -> Self {
        Self { kind, at: at.into() }
    }
}

/// The ways in which something is known.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum Evidence {
    /// The renders of both versions differ so.
    Render,
    /// It was rendered once more to find out.
    Tried,
    /// The schema of a CRD says so.
    CrdSchema,
    /// `Chart.yaml` or `values.yaml` says so.
    Chart,
    /// The chart's authors wrote so; not checked.
    Text,
    /// A rule of Kubernetes or Helm, from a table of ours.
    Table,
    /// Concluded from the above; it may be wrong.
    Inferred,
}

/// Names an object.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ObjectRef {
    /// API group, empty for the core.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub group: String,
    /// Kind.
    pub kind: String,
    /// Namespace in which it will be; empty for objects of the cluster.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub namespace: String,
    /// Name.
    pub name: String,
}

impl std::fmt::Display for ObjectRef {
    /// `Deployment/monitoring/grafana`, `ClusterRole/grafana`.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        if self.namespace.is_empty() {
            write!(f, "{}/{}", self.kind, self.name)
        } else {
            write!(f, "{}/{}/{}", self.kind, self.namespace, self.name)
        }
    }
}

/// What is no change of substance.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Noise {
    /// Objects that differ in nothing but noise.
    pub objects: usize,
    /// By reason, the most frequent first.
    pub kinds: Vec<NoiseCount>,
    /// Fields that are random in each render, and were left out.
    pub random: Vec<String>,
}

/// One reason for noise, counted.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct NoiseCount {
    /// What differs.
    pub kind: NoiseKind,
    /// In how many objects.
    pub objects: usize,
    /// A few of them.
    pub examples: Vec<String>,
}

/// Differences that change nothing in the cluster that anybody would notice.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum NoiseKind {
    /// A label or annotation that carries the chart's version.
    VersionLabel,
    /// The namespace was implied and is now written, or the other way round.
    Namespace,
    /// A list of named things in another order.
    Order,
    /// The same quantity, duration, number or boolean, written differently.
    Spelling,
    /// A default of Kubernetes that is now written, or no longer.
    Default,
    /// The same object under another apiVersion that the server serves alike.
    ApiVersion,
    /// What the schema of a CRD says to people about a field.
    Description,
    /// A text with other whitespace at its line ends.
    Whitespace,
    /// `status`, `creationTimestamp: null` and empty maps or lists.
    Empty,
}

/// Objects of both renders, counted.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Counts {
    /// In the old render.
    pub old: usize,
    /// In the new render.
    pub new: usize,
    /// In the new one only.
    pub added: usize,
    /// In the old one only.
    pub removed: usize,
    /// In both, different in substance.
    pub changed: usize,
    /// In both, equal or different in noise only.
    pub unchanged: usize,
}
