//! Live sessions: mailboxes that hold the newest assignment of each release, presence, and health. Memory only.

use super::apis::ApisSaid;
use super::clock::Clock;
use super::state::State;
use super::{Coordinator, CoordinatorError, Refused};
use groundswell_core::assignment::Assignment;
use groundswell_core::id::{ClusterName, Digest, Epoch, Generation, Incarnation, ReleaseName, RolloutId};
use groundswell_core::planner::{ClusterFacts, LiveHealth, Presence};
use groundswell_core::report::{Phase, Report};
use groundswell_core::time::{Span, Time};
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tokio::sync::{Notify, watch};

/// Releases that Helm has in a cluster and we do not; the wire carries no more.
const MAX_FOUND: usize = 200;

/// Releases whose health one heartbeat may carry; a cluster with more is none that we know of.
const MAX_HEALTH: usize = 1_000;

/// What an agent says as it connects.
#[derive(Clone, Debug, Default)]
pub struct AttachFacts {
    /// The highest epoch it ever obeyed; its number is 0 when it obeyed none.
    pub epoch: Epoch,
    /// The state of each release that it has.
    pub reports: Vec<Report>,
    /// Of the agent.
    pub agent_version: String,
    /// Of the helm that it runs.
    pub helm_version: String,
    /// Of the API server.
    pub kubernetes_version: String,
    /// Releases that Helm has and the agent's ledger does not.
    pub found: Vec<Found>,
    /// What it says of the API versions that the cluster serves.
    pub apis: ApisSaid,
}

/// A release that Helm has in a cluster and that is not ours.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Found {
    /// Its name.
    pub name: String,
    /// Where it lives.
    pub namespace: String,
    /// Helm's revision.
    pub revision: u32,
    /// Helm's status.
    pub status: String,
    /// `<chart>-<version>`.
    pub chart: String,
}

/// Health of one release, as a heartbeat has it.
#[derive(Clone, Debug)]
pub struct HealthFact {
    /// Which release.
    pub release: ReleaseName,
    /// What it is about.
    pub rollout: RolloutId,
    /// What it is about.
    pub generation: Generation,
    /// How it stands.
    pub phase: Phase,
    /// How long the agent has seen it healthy without a break.
    pub healthy_for: Span,
    /// Helm's revision.
    pub helm_revision: Option<u32>,
}

/// Why a session ends from our side.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Closed {
    /// The cluster was revoked.
    Revoked,
    /// A newer session of the same cluster took over.
    Replaced,
}

#[derive(Debug)]
struct Session {
    id: u64,
    cluster: ClusterName,
    incarnation: Incarnation,
    mail: Mutex<Mail>,
    wake: Notify,
    closed: watch::Sender<Option<Closed>>,
}

/// Only the newest assignment of each release waits here, so the mailbox is never larger than what the cluster has.
#[derive(Debug, Default)]
struct Mail {
    /// Before the attach nothing is sent: what the agent has is not known yet.
    attached: bool,
    waiting: BTreeMap<ReleaseName, Assignment>,
    /// The newest generation that the agent has or was sent.
    has: BTreeMap<ReleaseName, Generation>,
}

impl Session {
    fn mail(&self) -> MutexGuard<'_, Mail> {
        self.mail.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn post(&self, assignment: Assignment) {
        let mut mail = self.mail();
        let is_news = mail.has.get(&assignment.release).is_none_or(|has| *has < assignment.generation);
        let is_newest = mail.waiting.get(&assignment.release).is_none_or(|waiting| waiting.generation < assignment.generation);
        if mail.attached && is_news && is_newest {
            mail.waiting.insert(assignment.release.clone(), assignment);
            drop(mail);
            self.wake.notify_one();
        }
    }
}

/// A live session, held by the side that speaks to the agent. Dropping it says that the agent is gone.
#[derive(Debug)]
pub struct SessionHandle {
    session: Arc<Session>,
    sessions: Arc<Sessions>,
}

impl SessionHandle {
    /// Whose session it is.
    pub fn cluster(&self) -> &ClusterName {
        &self.session.cluster
    }

    /// The life of the agent that holds it.
    pub fn incarnation(&self) -> &Incarnation {
        &self.session.incarnation
    }

    /// The next assignment to send. May be dropped and called again without losing one.
    pub async fn next_assignment(&self) -> Assignment {
        loop {
            let woken = self.session.wake.notified();
            {
                let mut mail = self.session.mail();
                if let Some((release, assignment)) = mail.waiting.pop_first() {
                    mail.has.insert(release, assignment.generation);
                    return assignment;
                }
            }
            woken.await;
        }
    }

    /// Waits until the session must end, and says why.
    pub async fn closed(&self) -> Closed {
        let mut closed = self.session.closed.subscribe();
        match closed.wait_for(Option::is_some).await {
            Ok(why) => why.unwrap_or(Closed::Replaced),
            Err(_) => Closed::Replaced,
        }
    }
}

impl Drop for SessionHandle {
    fn drop(&mut self) {
        self.sessions.disconnect(&self.session);
    }
}

/// What is known of a cluster and not stored.
#[derive(Clone, Debug, Default)]
pub(crate) struct Live {
    session: Option<Arc<Session>>,
    /// When a message last came, or the session ended.
    pub(crate) last_heard: Option<Time>,
    pub(crate) connected_at: Option<Time>,
    pub(crate) agent_version: String,
    pub(crate) helm_version: String,
    pub(crate) kubernetes_version: String,
    pub(crate) found: Vec<Found>,
    /// What the agent says of its API versions, and when it last looked.
    pub(crate) apis: ApisSaid,
    pub(crate) apis_at: Option<Time>,
    /// Why a list that it sent was not taken.
    pub(crate) apis_refused: Option<String>,
    health: BTreeMap<ReleaseName, LiveHealth>,
}

#[derive(Default)]
struct Table {
    next_id: u64,
    clusters: BTreeMap<ClusterName, Live>,
}

/// All sessions of this server.
pub(crate) struct Sessions {
    clock: Arc<dyn Clock>,
    started_at: Time,
    stale_after: Span,
    table: Mutex<Table>,
}

impl std::fmt::Debug for Sessions {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Sessions").finish_non_exhaustive()
    }
}

impl Sessions {
    pub(crate) fn new(clock: Arc<dyn Clock>, stale_after: Span) -> Self {
        let started_at = clock.now();
        Self { clock, started_at, stale_after, table: Mutex::default() }
    }

    fn table(&self) -> MutexGuard<'_, Table> {
        self.table.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn connect(self: &Arc<Self>, cluster: &ClusterName, incarnation: &Incarnation) -> SessionHandle {
        let mut table = self.table();
        table.next_id += 1;
        let session = Arc::new(Session {
            id: table.next_id,
            cluster: cluster.clone(),
            incarnation: incarnation.clone(),
            mail: Mutex::default(),
            wake: Notify::new(),
            closed: watch::Sender::new(None),
        });
        let now = self.clock.now();
        let live = table.clusters.entry(cluster.clone()).or_default();
        live.last_heard = Some(now);
        live.connected_at = Some(now);
        // Health is what an agent sees without a break; it says so again as it attaches.
        live.health.clear();
        if let Some(before) = live.session.replace(Arc::clone(&session)) {
            before.closed.send_replace(Some(Closed::Replaced));
        }
        SessionHandle { session, sessions: Arc::clone(self) }
    }

    fn disconnect(&self, session: &Session) {
        let mut table = self.table();
        let Some(live) = table.clusters.get_mut(&session.cluster) else { return };
        if live.session.as_ref().is_some_and(|present| present.id == session.id) {
            live.session = None;
            live.last_heard = Some(self.clock.now());
        }
    }

    pub(crate) fn revoke(&self, cluster: &ClusterName) {
        let session = self.table().clusters.get(cluster).and_then(|live| live.session.clone());
        if let Some(session) = session {
            session.closed.send_replace(Some(Closed::Revoked));
        }
    }

    pub(crate) fn post(&self, assignment: Assignment) {
        let session = self.table().clusters.get(&assignment.cluster).and_then(|live| live.session.clone());
        if let Some(session) = session {
            session.post(assignment);
        }
    }

    /// Takes in what was heard of one release.
    pub(crate) fn heard(&self, session: &SessionHandle, facts: impl IntoIterator<Item = HealthFact>) -> bool {
        let now = self.clock.now();
        let mut table = self.table();
        let Some(live) = table.clusters.get_mut(session.cluster()) else { return false };
        // What a replaced session still says is no longer the newest.
        if live.session.as_ref().is_none_or(|present| present.id != session.session.id) {
            return false;
        }
        live.last_heard = Some(now);
        let mut is_news = false;
        for fact in facts.into_iter().take(MAX_HEALTH) {
            is_news |= live.hear(fact, now);
        }
        is_news
    }

    fn describe(&self, session: &SessionHandle, facts: &AttachFacts) {
        let mut table = self.table();
        let Some(live) = table.clusters.get_mut(session.cluster()) else { return };
        let cut = |text: &str| text.chars().filter(|c| !c.is_control()).take(80).collect::<String>();
        live.agent_version = cut(&facts.agent_version);
        live.helm_version = cut(&facts.helm_version);
        live.kubernetes_version = cut(&facts.kubernetes_version);
        live.found = facts.found.iter().take(MAX_FOUND).cloned().collect();
    }

    /// Takes in what an agent says of its API versions. False when a newer session took over.
    pub(super) fn describe_apis(&self, session: &SessionHandle, kubernetes_version: &str, said: &ApisSaid) -> bool {
        let now = self.clock.now();
        self.change(session, |live| {
            live.kubernetes_version = kubernetes_version.to_owned();
            if let ApisSaid::Digest(_) = said {
                live.apis_at = Some(now);
            }
            if live.apis != *said {
                live.apis_refused = None;
            }
            live.apis = said.clone();
        })
    }

    pub(super) fn refuse_apis(&self, session: &SessionHandle, why: String) {
        self.change(session, |live| live.apis_refused = Some(why));
    }

    /// What a session says of its own cluster. What a replaced one still says is no longer the newest, and changes nothing.
    fn change(&self, session: &SessionHandle, change: impl FnOnce(&mut Live)) -> bool {
        let mut table = self.table();
        let Some(live) = table.clusters.get_mut(session.cluster()) else { return false };
        let is_newest = live.session.as_ref().is_some_and(|present| present.id == session.session.id);
        if is_newest {
            change(live);
        }
        is_newest
    }

    /// Whether a live agent says that its cluster serves this list.
    pub(super) fn names_apis(&self, digest: &Digest) -> bool {
        self.table().clusters.values().any(|live| live.session.is_some() && live.apis == ApisSaid::Digest(digest.clone()))
    }

    /// What is known of a cluster; the default when it never had a session.
    pub(crate) fn live(&self, cluster: &ClusterName) -> Live {
        self.table().clusters.get(cluster).cloned().unwrap_or_default()
    }

    pub(crate) fn connected(&self) -> usize {
        self.table().clusters.values().filter(|live| live.session.is_some()).count()
    }

    pub(crate) fn presence(&self, cluster: &ClusterName) -> Presence {
        self.presence_of(self.table().clusters.get(cluster), self.clock.now())
    }

    fn presence_of(&self, live: Option<&Live>, now: Time) -> Presence {
        match live {
            Some(Live { session: Some(_), last_heard: Some(heard), .. }) if now.since(*heard) <= self.stale_after => Presence::Connected,
            Some(Live { last_heard: Some(heard), .. }) => Presence::Away { since: *heard },
            _ => Presence::Unknown { since: self.started_at },
        }
    }

    /// What the planner looks at, for every cluster that is enrolled.
    pub(crate) fn facts(&self, state: &State, release: &ReleaseName) -> BTreeMap<ClusterName, ClusterFacts> {
        let (now, table) = (self.clock.now(), self.table());
        let facts = state.clusters.iter().map(|(name, record)| {
            let live = table.clusters.get(name);
            let health = live.and_then(|live| live.health.get(release).cloned());
            (name.clone(), ClusterFacts { presence: self.presence_of(live, now), member: record.revoked.is_none(), live: health })
        });
        facts.collect()
    }
}

impl Live {
    /// The newest that is known of a release's health.
    pub(crate) fn health(&self, release: &ReleaseName) -> Option<&LiveHealth> {
        self.health.get(release)
    }

    /// True when the phase changed, so that the planner should look.
    fn hear(&mut self, fact: HealthFact, now: Time) -> bool {
        let before = self.health.get(&fact.release);
        if before.is_some_and(|before| before.generation > fact.generation) {
            return false;
        }
        let same = before.filter(|before| before.generation == fact.generation && before.phase == fact.phase);
        let changed_at = same.map_or(now, |before| before.changed_at);
        let is_news = same.is_none();
        let healthy_since = (fact.phase == Phase::Healthy).then(|| now - fact.healthy_for);
        let HealthFact { release, rollout, generation, phase, helm_revision, .. } = fact;
        self.health.insert(release, LiveHealth { rollout, generation, phase, healthy_since, changed_at, helm_revision, received_at: now });
        is_news
    }
}

impl Coordinator {
    /// A session of an admitted cluster begins; an older one of the same cluster is told to end.
    pub fn connect(&self, cluster: &ClusterName, incarnation: &Incarnation) -> SessionHandle {
        let handle = self.sessions.connect(cluster, incarnation);
        // Revoked between the certificate check and here: the mirror's word came before this session was known.
        if self.state().clusters.get(cluster).is_none_or(|record| record.revoked.is_some()) {
            self.sessions.revoke(cluster);
        }
        handle
    }

    /// Takes in what the agent has, and puts what differs into its mailbox.
    ///
    /// # Errors
    /// The store failed, or the agent has obeyed a newer leader: then this server steps down.
    pub async fn attach(&self, session: &SessionHandle, facts: AttachFacts) -> Result<(), CoordinatorError> {
        if facts.epoch.lineage == self.epoch.lineage && facts.epoch.number > self.epoch.number {
            let why = format!(
                "cluster {} has obeyed leader {} of this store, and this server is leader {}",
                session.cluster(),
                facts.epoch.number,
                self.epoch.number
            );
            self.step_down(why.clone());
            return Err(CoordinatorError::SteppedDown(why));
        }
        self.sessions.describe(session, &facts);
        self.learn(session, &facts.kubernetes_version, facts.apis).await;
        let mut has = BTreeMap::new();
        for report in facts.reports {
            has.insert(report.release.clone(), report.generation);
            self.raise(session.cluster(), &report).await?;
            self.report(session, report).await?;
        }
        {
            let mut mail = session.session.mail();
            mail.has = has;
            mail.attached = true;
        }
        let assignments: Vec<Assignment> = {
            let state = self.state();
            let of_cluster = state.cluster_releases.values().filter_map(|known| known.get(session.cluster()));
            of_cluster.filter_map(|release| release.assignment.clone()).collect()
        };
        for assignment in assignments {
            session.session.post(assignment);
        }
        self.nudge();
        Ok(())
    }

    /// Health from a heartbeat. Not stored.
    pub fn heartbeat(&self, session: &SessionHandle, facts: Vec<HealthFact>) {
        self.metrics.heartbeats.inc();
        if self.sessions.heard(session, facts) {
            self.nudge();
        }
    }

    /// Sessions that are up.
    pub fn sessions_up(&self) -> usize {
        self.sessions.connected()
    }

    /// The session that takes part in nothing any more is refused.
    pub(crate) fn check_session(&self, session: &SessionHandle) -> Result<(), CoordinatorError> {
        match *session.session.closed.borrow() {
            None => Ok(()),
            Some(Closed::Revoked) => {
                Err(Refused::conflict("GS-REVOKED", format!("session of {}", session.cluster()), "the cluster was revoked").into())
            }
            Some(Closed::Replaced) => {
                Err(Refused::conflict("GS-REPLACED", format!("session of {}", session.cluster()), "a newer session took over").into())
            }
        }
    }
}
