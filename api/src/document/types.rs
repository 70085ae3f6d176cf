//! What the documents say, checked and with places.

use groundswell_core::assignment::Drift;
use groundswell_core::id::{Digest, Namespace, ReleaseName, WaveName};
use groundswell_core::limit::Limit;
use groundswell_core::selector::Selector;
use groundswell_core::strategy::{OnFailedInstall, OnFailure, Unmatched};
use groundswell_core::time::Span;
use std::fmt;

/// A place in a text, as an editor counts it: line and column (in characters) from 1.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Spot {
    /// From 1.
    pub line: usize,
    /// In characters, from 1.
    pub column: usize,
}

impl fmt::Display for Spot {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.line, self.column)
    }
}

/// Something with the place where it is written. Equal when the values are: a comment that moves a line changes nothing.
#[derive(Clone, Copy, Debug)]
pub struct At<T> {
    /// What is written.
    pub value: T,
    /// Where.
    pub at: Spot,
}

impl<T: PartialEq> PartialEq for At<T> {
    fn eq(&self, other: &Self) -> bool {
        self.value == other.value
    }
}

impl<T: Eq> Eq for At<T> {}

impl<T> std::ops::Deref for At<T> {
    type Target = T;
    fn deref(&self) -> &T {
        &self.value
    }
}

/// One document.
#[derive(Clone, Debug)]
pub enum Document {
    /// Which chart, values and clusters a release should have.
    Release(Release),
    /// How rollouts go through their clusters.
    Strategy(Strategy),
}

/// What a document is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum DocumentKind {
    /// [`Release`].
    Release,
    /// [`Strategy`].
    Strategy,
}

impl fmt::Display for DocumentKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Release => "Release",
            Self::Strategy => "Strategy",
        })
    }
}

impl Document {
    /// What it is.
    pub fn kind(&self) -> DocumentKind {
        match self {
            Self::Release(_) => DocumentKind::Release,
            Self::Strategy(_) => DocumentKind::Strategy,
        }
    }

    /// Its `metadata.name`.
    pub fn name(&self) -> &str {
        match self {
            Self::Release(release) => release.name.as_str(),
            Self::Strategy(strategy) => strategy.name.as_str(),
        }
    }

    /// Where its name is written.
    pub fn at(&self) -> Spot {
        match self {
            Self::Release(release) => release.name.at,
            Self::Strategy(strategy) => strategy.name.at,
        }
    }

    /// The document alone, byte for byte, without its neighbours in the file.
    pub fn text(&self) -> &str {
        match self {
            Self::Release(release) => &release.text,
            Self::Strategy(strategy) => &strategy.text,
        }
    }
}

/// Which chart, values and clusters a release should have.
#[derive(Clone, Debug)]
pub struct Release {
    /// `metadata.name`.
    pub name: At<ReleaseName>,
    /// What it says.
    pub spec: ReleaseSpec,
    /// The document alone, byte for byte.
    pub text: String,
}

/// The `spec` of a [`Release`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReleaseSpec {
    /// Where the release lives in each cluster.
    pub namespace: At<Namespace>,
    /// Whether a missing namespace is made; true when unsaid.
    pub create_namespace: bool,
    /// Which chart.
    pub chart: At<ChartSource>,
    /// Which clusters.
    pub clusters: At<Selector>,
    /// The base values.
    pub values: Option<ValuesText>,
    /// Files with further values, laid over `values` in this order; paths as written.
    pub values_files: Vec<At<String>>,
    /// Values for some clusters, laid over the base in this order.
    pub overrides: Vec<Override>,
    /// What to do about drift.
    pub drift: Drift,
    /// How it goes through the clusters; `None` is the safe default.
    pub strategy: Option<StrategyChoice>,
    /// The ServiceAccount that helm runs as.
    pub service_account: Option<At<String>>,
}

/// Where a chart comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ChartSource {
    /// A folder or archive beside the document, which the command packs and pushes.
    Path(String),
    /// A chart that was pushed before, by name and version.
    Pushed {
        /// From its `Chart.yaml`.
        name: String,
        /// From its `Chart.yaml`.
        version: String,
    },
    /// A chart that was pushed before, by digest.
    Digest(Digest),
}

/// A values text, cut out of the document.
#[derive(Clone, Debug)]
pub struct ValuesText {
    /// What helm gets, before interpolation. Of a map: its source text, moved to the left edge.
    pub text: String,
    /// How it is written.
    pub form: ValuesForm,
    /// Line of the document's file that the first line of `text` stands on.
    pub line: usize,
    /// Characters that stand to the left of `text` in the file.
    pub indent: usize,
}

impl PartialEq for ValuesText {
    fn eq(&self, other: &Self) -> bool {
        self.text == other.text && self.form == other.form
    }
}

impl Eq for ValuesText {}

impl ValuesText {
    /// Where a place in `text` stands in the document's file.
    pub fn place(&self, line: usize, column: usize) -> Spot {
        Spot { line: self.line + line.saturating_sub(1), column: self.indent + column }
    }
}

/// How values are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ValuesForm {
    /// As a text (`values: |`): byte for byte what helm gets.
    Text,
    /// As a map: plain scalars that YAML 1.1 and 1.2 read differently must be refused by whoever reads it.
    Map,
}

/// Values for some clusters.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Override {
    /// Which clusters.
    pub selector: At<Selector>,
    /// The values.
    pub values: Option<ValuesText>,
    /// Files with further values, laid over `values` in this order; paths as written.
    pub values_files: Vec<At<String>>,
}

/// The strategy of a release.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum StrategyChoice {
    /// A `Strategy` document by name.
    Named(At<String>),
    /// Written into the release (`strategySpec`).
    Inline(Box<StrategySpec>),
}

/// How rollouts go through their clusters.
#[derive(Clone, Debug)]
pub struct Strategy {
    /// `metadata.name`.
    pub name: At<String>,
    /// What it says.
    pub spec: StrategySpec,
    /// The document alone, byte for byte.
    pub text: String,
}

/// The `spec` of a [`Strategy`]. What is `None` is unsaid; [`crate::convert::strategy`] knows the defaults.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct StrategySpec {
    /// In their order; none is one wave of all clusters.
    pub waves: Vec<WaveSpec>,
    /// For every wave and cluster, where the wave says nothing else.
    pub each: EachSpec,
    /// What is done when a failure budget is exceeded.
    pub on_failure: Option<OnFailure>,
    /// What is done with a first install that failed.
    pub on_failed_install: Option<OnFailedInstall>,
    /// What is done with selected clusters that no wave takes.
    pub unmatched: Option<Unmatched>,
}

/// One wave as written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WaveSpec {
    /// Unique in its strategy.
    pub name: At<WaveName>,
    /// Which clusters, of those that no earlier wave took.
    pub selector: At<Selector>,
    /// Its limits.
    pub limits: Limits,
    /// Whether it may have no cluster.
    pub may_be_empty: bool,
    /// Whether it may be promoted while clusters of it are owed; only on the first wave.
    pub canary_may_be_owed: bool,
}

/// What may be said for a wave, and in `each` for all of them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Limits {
    /// How many may be in flight.
    pub max_concurrent: Option<At<Limit>>,
    /// How many may fail.
    pub failure_budget: Option<At<Limit>>,
    /// How many must stay healthy.
    pub min_available: Option<At<Limit>>,
    /// How long a wave must stay healthy before the next opens.
    pub bake: Option<At<Span>>,
    /// Whether a person must approve before the next wave opens.
    pub approval: Option<bool>,
}

/// Rules for every cluster as written.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct EachSpec {
    /// For waves that say nothing else.
    pub limits: Limits,
    /// From the assignment to a healthy report.
    pub deadline: Option<At<Span>>,
    /// How long a cluster must have been healthy to count as done (gate `ready`).
    pub ready_for: Option<At<Span>>,
    /// How long a cluster may be away before its turn until it is owed.
    pub offline_after: Option<At<Span>>,
    /// How long a cluster of an earlier wave may be unhealthy before it counts.
    pub relapse_after: Option<At<Span>>,
}
