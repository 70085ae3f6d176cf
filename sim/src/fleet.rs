//! What a world is made of: charts, clusters, strategies.

use groundswell_core::assignment::{ChartRef, Content, Drift};
use groundswell_core::id::{ClusterName, Digest, Namespace, ReleaseName, RolloutId, WaveName};
use groundswell_core::rollout::{Head, Member, Purpose, Snapshot, State};
use groundswell_core::selector::Selector;
use groundswell_core::strategy::{Each, OnFailure, Strategy, Wave};
use groundswell_core::time::{Span, Time};
use std::collections::BTreeMap;

/// How one version behaves in one cluster.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Behaviour {
    /// Installs and becomes ready.
    Good,
    /// helm fails.
    HelmFails,
    /// helm is content, the pods are not.
    NeverReady,
    /// Ready, but only after four minutes.
    Slow,
}

/// A name that is known to be one.
pub fn cluster(name: &str) -> ClusterName {
    ClusterName::new(name).unwrap_or_else(|error| panic!("{error}"))
}

/// A release's name.
pub fn release(name: &str) -> ReleaseName {
    ReleaseName::new(name).unwrap_or_else(|error| panic!("{error}"))
}

/// Chart and values of a version of a release.
pub fn content(release: &ReleaseName, version: u32) -> Content {
    let letter = release.as_str().bytes().map(u32::from).sum::<u32>() % 251;
    let digest = Digest::new(format!("{letter:08x}{version:08x}").repeat(4)).unwrap_or_else(|error| panic!("{error}"));
    Content { chart: ChartRef { name: release.to_string(), version: format!("0.{version}.0"), digest }, values: vec![] }
}

/// `<chart>-<version>`, as Helm shows it.
pub fn label(release: &ReleaseName, version: u32) -> String {
    format!("{release}-0.{version}.0")
}

/// The version that a label stands for.
pub fn version_of(chart: &str) -> Option<u32> {
    chart.rsplit('-').next()?.strip_prefix("0.")?.strip_suffix(".0")?.parse().ok()
}

/// A wave of a world's strategy with quick times.
pub fn wave(name: &str) -> Wave {
    let name = WaveName::new(name).unwrap_or_else(|error| panic!("{error}"));
    Wave { bake: Span::seconds(20), ..Wave::safe(name, Selector::default()) }
}

/// A strategy of these waves with quick times.
pub fn strategy(waves: Vec<Wave>, on_failure: OnFailure) -> Strategy {
    let each = Each { deadline: Span::minutes(3), offline_after: Span::minutes(1), ..Each::default() };
    Strategy { waves, each, on_failure, ..Strategy::default() }
}

/// What a person submits.
#[derive(Clone, Debug)]
pub struct Submission {
    /// The release.
    pub release: ReleaseName,
    /// The version; `None` takes the release away.
    pub version: Option<u32>,
    /// How.
    pub strategy: Strategy,
    /// The members and the index of their wave.
    pub members: BTreeMap<ClusterName, usize>,
}

impl Submission {
    /// The frozen rollout that it becomes.
    pub fn freeze(&self, id: &RolloutId, supersedes: Option<RolloutId>, now: Time) -> (Head, Snapshot) {
        let chart = self.version.map(|version| content(&self.release, version).chart);
        let zero = Digest::new("0".repeat(64)).unwrap_or_else(|error| panic!("{error}"));
        let head = Head {
            id: id.clone(),
            release: self.release.clone(),
            plan_hash: zero.clone(),
            plan_recipe: 1,
            snapshot: zero,
            state: State::Running,
            wave: 0,
            approvals: BTreeMap::new(),
            promotions: vec![],
            created_at: now,
        };
        let snapshot = Snapshot {
            id: id.clone(),
            release: self.release.clone(),
            namespace: Namespace::new("sim").unwrap_or_else(|error| panic!("{error}")),
            purpose: if chart.is_some() { Purpose::Apply } else { Purpose::Uninstall },
            chart,
            strategy: self.strategy.clone(),
            members: self.members.iter().map(|(name, wave)| (name.clone(), Member { wave: *wave, values: vec![] })).collect(),
            drift: Drift::Report,
            service_account: None,
            create_namespace: true,
            document_revision: 1,
            supersedes,
            created_at: now,
            created_by: "sim".into(),
        };
        (head, snapshot)
    }
}
