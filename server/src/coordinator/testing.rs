//! A coordinator on a memory store with a clock that stands still, and agents that do as they are told.

use super::clock::Clock;
use super::enrolment::TokenWish;
use super::{AttachFacts, Coordinator, CoordinatorConfig, CoordinatorError, SessionHandle};
use groundswell_api::dto::{ApplyRequest, ApplyResponse, SourceText};
use groundswell_core::assignment::{Assignment, Target};
use groundswell_core::id::{ClusterName, Incarnation, RolloutId};
use groundswell_core::report::{Phase, Report};
use groundswell_core::rollout::State as RolloutState;
use groundswell_core::time::{Span, Time};
use groundswell_helm::pack::pack;
use groundswell_store::{BlobStore, MemoryStore, Store};
use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;
use tempfile::TempDir;

/// A clock that moves when it is told to.
#[derive(Debug)]
pub(crate) struct FakeClock(AtomicU64);

impl FakeClock {
    pub(crate) fn advance(&self, span: Span) {
        self.0.fetch_add(span.0, Ordering::SeqCst);
    }
}

impl Clock for FakeClock {
    fn now(&self) -> Time {
        Time(self.0.load(Ordering::SeqCst))
    }
}

/// A release of three clusters: a canary, then two.
pub(crate) const RELEASE: &str = r#"apiVersion: groundswell.dev/v1alpha1
kind: Release
metadata:
  name: beacon
spec:
  namespace: monitoring
  chart: {path: ./chart}
  clusters: {selector: ""}
  values: |
    cluster: ((cluster_name))
  strategySpec:
    waves:
      - {name: canary, selector: canary=true, bake: 10s}
      - {name: rest, selector: "", maxConcurrent: 2, bake: 0s}
"#;

const SCHEMA: &str = r#"{"type": "object", "properties": {"replicas": {"type": "integer"}}}"#;

pub(crate) struct World {
    pub(crate) coordinator: Arc<Coordinator>,
    pub(crate) store: Arc<MemoryStore>,
    pub(crate) clock: Arc<FakeClock>,
    folder: TempDir,
    config: CoordinatorConfig,
}

impl World {
    pub(crate) async fn new() -> Self {
        Self::with(MemoryStore::new(), CoordinatorConfig::default()).await
    }

    pub(crate) async fn with(store: MemoryStore, config: CoordinatorConfig) -> Self {
        let clock = Arc::new(FakeClock(AtomicU64::new(1_700_000_000_000)));
        Self::open(Arc::new(store), clock, tempfile::tempdir().unwrap(), config).await
    }

    async fn open(store: Arc<MemoryStore>, clock: Arc<FakeClock>, folder: TempDir, config: CoordinatorConfig) -> Self {
        let blobs = BlobStore::new(&folder.path().join("blobs"), 32 << 20).unwrap();
        let dynamic: Arc<dyn Store> = store.clone();
        let coordinator = Coordinator::open(dynamic, blobs, config.clone(), clock.clone()).await.unwrap();
        Self { coordinator, store, clock, folder, config }
    }

    /// The next process: what was durable, and nothing else.
    pub(crate) async fn restart(self) -> Self {
        let store = Arc::new(self.store.reopen());
        Self::open(store, self.clock, self.folder, self.config).await
    }

    /// Three clusters: `a` is the canary, `b` and `c` the rest.
    pub(crate) async fn fleet(&self) {
        self.enrol("a", &[("canary", "true")]).await;
        self.enrol("b", &[]).await;
        self.enrol("c", &[]).await;
    }

    pub(crate) async fn enrol(&self, name: &str, labels: &[(&str, &str)]) -> ClusterName {
        let labels = labels.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect();
        let wish = TokenWish { cluster: Some(name.parse().unwrap()), labels, ttl: Span::minutes(5), uses: 1 };
        let token = self.coordinator.create_token(wish, "admin").await.unwrap().token;
        self.coordinator.redeem(bare(&token), None, &format!("key-{name}"), BTreeMap::new()).await.unwrap()
    }

    /// A small chart of this version, pushed; its digest.
    pub(crate) async fn chart(&self, version: &str) -> String {
        self.chart_with(version, "replicas: 1\n").await
    }

    /// The same with other values of its own.
    pub(crate) async fn chart_with(&self, version: &str, values: &str) -> String {
        let folder = tempfile::tempdir().unwrap();
        let write = |path: &str, text: &str| {
            let path = folder.path().join(path);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, text).unwrap();
        };
        write("Chart.yaml", &format!("apiVersion: v2\nname: beacon\nversion: {version}\n"));
        write("values.yaml", values);
        write("values.schema.json", SCHEMA);
        write("templates/config.yaml", "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: beacon}\n");
        let bytes = pack(folder.path()).unwrap().bytes;
        self.coordinator.push_chart(bytes, "admin").await.unwrap().0.to_string()
    }

    pub(crate) fn request(text: &str, digest: &str) -> ApplyRequest {
        ApplyRequest {
            documents: vec![SourceText { source: "release.yaml".into(), text: text.into() }],
            charts: BTreeMap::from([("./chart".to_owned(), digest.to_owned())]),
            ..ApplyRequest::default()
        }
    }

    pub(crate) async fn apply(&self, text: &str, digest: &str) -> Result<ApplyResponse, CoordinatorError> {
        self.coordinator.apply(Self::request(text, digest), "alice").await
    }

    pub(crate) async fn agent(&self, name: &str) -> Agent {
        self.agent_with(name, Vec::new()).await
    }

    pub(crate) async fn agent_with(&self, name: &str, reports: Vec<Report>) -> Agent {
        let cluster: ClusterName = name.parse().unwrap();
        let session = self.coordinator.connect(&cluster, &Incarnation(format!("{name}-{}", self.clock.now().0)));
        let agent = Agent { coordinator: Arc::clone(&self.coordinator), session, sequence: AtomicU64::new(0) };
        agent.coordinator.attach(&agent.session, AttachFacts { reports, ..AttachFacts::default() }).await.unwrap();
        agent
    }

    pub(crate) fn head(&self, id: &str) -> RolloutState {
        self.coordinator.state().rollouts.get(&RolloutId(id.into())).unwrap().state.clone()
    }

    /// Plans until the rollout ends; the limit is for a test that fails.
    pub(crate) async fn until_ended(&self, id: &str) -> RolloutState {
        for _ in 0..200 {
            self.coordinator.plan_all().await.unwrap();
            if self.head(id).is_ended() {
                return self.head(id);
            }
            tokio::task::yield_now().await;
        }
        panic!("{id} never ended: {:?} {:?}", self.head(id), self.coordinator.waits(&RolloutId(id.into())));
    }
}

/// `<id>.<secret>` of a token as it is printed, with prefix and pin.
pub(crate) fn bare(token: &str) -> &str {
    token.strip_prefix("gs1.").and_then(|token| token.rsplit_once('.')).unwrap().0
}

pub(crate) struct Agent {
    pub(crate) coordinator: Arc<Coordinator>,
    pub(crate) session: SessionHandle,
    sequence: AtomicU64,
}

impl Agent {
    /// The next assignment; the limit is for a test that fails.
    pub(crate) async fn take(&self) -> Assignment {
        let next = tokio::time::timeout(Duration::from_secs(60), self.session.next_assignment()).await;
        next.unwrap_or_else(|_| panic!("no assignment came for {}", self.session.cluster()))
    }

    /// Whether nothing is there to take, after a round of the planner.
    pub(crate) async fn has_nothing(&self) -> bool {
        self.coordinator.plan_all().await.unwrap();
        futures::future::FutureExt::now_or_never(self.session.next_assignment()).is_none()
    }

    pub(crate) fn words(&self, assignment: &Assignment, phase: Phase) -> Report {
        let chart_digest = match &assignment.target {
            Target::Content(content) => content.chart.digest.to_string(),
            _ => String::new(),
        };
        Report {
            cluster: self.session.cluster().clone(),
            release: assignment.release.clone(),
            rollout: assignment.rollout.clone(),
            generation: assignment.generation,
            chart_digest,
            attempt: 1,
            incarnation: self.session.incarnation().clone(),
            sequence: self.sequence.fetch_add(1, Ordering::SeqCst) + 1,
            phase,
            healthy_for: if phase == Phase::Healthy { Span::seconds(10) } else { Span::ZERO },
            helm_revision: Some(u32::try_from(assignment.generation.0).unwrap()),
            message: format!("{phase:?}"),
            adopted: None,
            notes: Vec::new(),
            received_at: Time(0),
        }
    }

    pub(crate) async fn report(&self, assignment: &Assignment, phase: Phase) {
        self.coordinator.report(&self.session, self.words(assignment, phase)).await.unwrap();
    }

    /// Takes the next assignment and has it healthy.
    pub(crate) async fn comply(&self) -> Assignment {
        let assignment = self.take().await;
        self.report(&assignment, Phase::Healthy).await;
        assignment
    }
}
