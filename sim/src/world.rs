//! The world: virtual time, events, and who is alive. One thread; the same seed gives the same world.

use crate::check::Truth;
use crate::coordinator::Leader;
use crate::fleet::Behaviour;
use crate::helm::{HelmRelease, Kill};
use crate::mutation::Mutation;
use crate::net::Message;
use crate::pod::Pod;
use crate::records::Durable;
use crate::rng::Rng;
use groundswell_core::agent::Ledger;
use groundswell_core::id::{ClusterName, ReleaseName};
use groundswell_core::time::{Span, Time};
use std::collections::BTreeMap;

/// How a world is set up. The spans are those of the server's defaults.
#[derive(Clone, Debug)]
pub struct Config {
    /// How many clusters may be in flight over all rollouts.
    pub fleet_max: usize,
    /// How many clusters a round may touch.
    pub max_assignments: usize,
    /// How many clusters may pay debts of a release at once.
    pub debts_at_once: usize,
}

impl Default for Config {
    fn default() -> Self {
        Self { fleet_max: 1_000, max_assignments: 10, debts_at_once: 3 }
    }
}

pub(crate) const HEARTBEAT: Span = Span::seconds(10);
pub(crate) const STALE: Span = Span::seconds(30);
pub(crate) const PERMIT: Span = Span::seconds(60);
pub(crate) const PERMIT_RETRY: Span = Span::seconds(5);
/// The Lease of an agent's pod, and how much longer a successor waits.
pub(crate) const LEASE: Span = Span::seconds(15);
pub(crate) const MARGIN: Span = Span::seconds(5);

/// Who writes durably, and so may crash there.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Actor {
    /// The coordinator, at a commit.
    Coordinator,
    /// An agent, at a ledger write or at a step of helm.
    Agent,
}

/// Where a durable step is cut.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cut {
    /// Not at all.
    None,
    /// The process ends and the step was not done.
    Before,
    /// The step was done and the process knows nothing of it.
    After,
}

/// Crashes at durable steps: planned ones by number, and random ones.
pub struct Cuts {
    counts: BTreeMap<Actor, u64>,
    planned: Vec<(Actor, u64, Cut)>,
    per_mille: u64,
    rng: Rng,
}

impl Cuts {
    /// Durable steps so far.
    pub fn count(&self, actor: Actor) -> u64 {
        self.counts.get(&actor).copied().unwrap_or_default()
    }

    /// Cuts the `nth` step from now (1 is the next).
    pub fn plan(&mut self, actor: Actor, nth: u64, cut: Cut) {
        self.planned.push((actor, self.count(actor) + nth, cut));
    }

    /// So many of a thousand steps are cut.
    pub fn at_random(&mut self, per_mille: u64) {
        self.per_mille = per_mille;
    }
}

/// One cluster: what its API server holds, its agent, and the way to it.
pub struct Site {
    /// Its name.
    pub name: ClusterName,
    /// What Helm has, by release.
    pub helm: BTreeMap<ReleaseName, HelmRelease>,
    /// The agent's, in Secrets of the cluster.
    pub ledger: Ledger,
    /// The pod that acts, unless it is being replaced.
    pub(crate) pod: Option<Pod>,
    /// Whether messages get through.
    pub online: bool,
    /// Whether it has enrolled.
    pub enrolled: bool,
    pub(crate) rng: Rng,
}

/// Something that happens.
#[derive(Clone, Debug)]
pub(crate) enum Event {
    Plan(u64),
    ToServer { leader: u64, site: usize, session: u64, body: Box<Message> },
    ToAgent { site: usize, session: u64, body: Box<Message> },
    Tick { site: usize, at: Time },
    Connect { site: usize, pod: u64 },
    AgentBreak { site: usize, session: u64 },
    ServerBreak { leader: u64, site: usize, session: u64 },
    HelmPending { site: usize, release: ReleaseName, run: u64 },
    HelmEnd { site: usize, release: ReleaseName, run: u64 },
    StartLeader,
    StartPod { site: usize },
    LeaseLost { site: usize, pod: u64 },
    Retire(u64),
}

/// Everything there is.
pub struct World {
    /// Virtual time.
    pub now: Time,
    /// How it was set up.
    pub config: Config,
    /// What outlives coordinators.
    pub store: Durable,
    /// By the number of their epoch; the last one leads, others do not know yet that they were replaced.
    pub leaders: BTreeMap<u64, Leader>,
    /// The clusters.
    pub sites: Vec<Site>,
    /// What was seen, and which invariants broke.
    pub truth: Truth,
    /// Crashes at durable steps.
    pub cuts: Cuts,
    /// What is broken on purpose.
    pub mutation: Mutation,
    /// No chance any more: messages arrive, helm does what its version says.
    pub calm: bool,
    /// How versions behave: in one cluster, or everywhere.
    pub behaviours: BTreeMap<(u32, Option<ClusterName>), Behaviour>,
    pub(crate) rng: Rng,
    pub(crate) serial: u64,
    queue: BTreeMap<(Time, u64), Event>,
    names: BTreeMap<ClusterName, usize>,
}

impl World {
    /// A world without clusters. A coordinator is up.
    pub fn new(seed: u64, config: Config) -> Self {
        let rng = Rng::new(seed);
        let cuts = Cuts { counts: BTreeMap::new(), planned: vec![], per_mille: 0, rng: rng.child("cuts") };
        let mut world = Self {
            now: Time(1_000_000),
            config,
            store: Durable::default(),
            leaders: BTreeMap::new(),
            sites: Vec::new(),
            truth: Truth::default(),
            cuts,
            mutation: Mutation::None,
            calm: true,
            behaviours: BTreeMap::new(),
            rng: rng.child("world"),
            serial: 0,
            queue: BTreeMap::new(),
            names: BTreeMap::new(),
        };
        world.start_leader();
        world
    }

    /// A cluster that has not enrolled yet.
    pub fn add_site(&mut self, name: &ClusterName) -> usize {
        let site = self.sites.len();
        let rng = self.rng.child(name.as_str());
        let helm = BTreeMap::new();
        self.sites.push(Site { name: name.clone(), helm, ledger: Ledger::default(), pod: None, online: true, enrolled: false, rng });
        self.names.insert(name.clone(), site);
        site
    }

    /// The place of a cluster.
    pub fn site(&self, name: &ClusterName) -> Option<usize> {
        self.names.get(name).copied()
    }

    /// The coordinator that leads, if one is up.
    pub fn leader(&self) -> Option<&Leader> {
        self.leaders.last_key_value().map(|(_, leader)| leader).filter(|leader| !leader.down)
    }

    pub(crate) fn leader_number(&self) -> Option<u64> {
        self.leader().map(|leader| leader.epoch.number)
    }

    pub(crate) fn serial(&mut self) -> u64 {
        self.serial += 1;
        self.serial
    }

    pub(crate) fn at(&mut self, time: Time, event: Event) {
        let serial = self.serial();
        self.queue.insert((time, serial), event);
    }

    pub(crate) fn after(&mut self, span: Span, event: Event) {
        self.at(self.now + span, event);
    }

    /// Lets time pass. Ends early when an invariant broke.
    pub fn run(&mut self, span: Span) {
        let end = self.now + span;
        while self.truth.violations.is_empty() {
            let Some(((time, _), event)) = self.queue.first_entry().filter(|next| next.key().0 <= end).map(|next| next.remove_entry())
            else {
                break;
            };
            self.now = time;
            self.happen(event);
        }
        self.now = end;
    }

    fn happen(&mut self, event: Event) {
        match event {
            Event::Plan(leader) => self.plan_event(leader),
            Event::ToServer { leader, site, session, body } => self.server_hears(leader, site, session, *body),
            Event::ToAgent { site, session, body } => self.agent_hears(site, session, *body),
            Event::Tick { site, at } => self.tick(site, at),
            Event::Connect { site, pod } => self.connect(site, pod),
            Event::AgentBreak { site, session } => self.agent_break(site, session),
            Event::ServerBreak { leader, site, session } => self.server_break(leader, site, session),
            Event::HelmPending { site, release, run } => self.helm_pending(site, &release, run),
            Event::HelmEnd { site, release, run } => self.helm_end(site, &release, run),
            Event::StartLeader => self.start_leader(),
            Event::StartPod { site } => self.start_pod(site),
            Event::LeaseLost { site, pod } => self.lease_lost(site, pod),
            Event::Retire(leader) => self.crash_leader(leader, false),
        }
    }

    /// Asks where the next durable step is cut.
    pub(crate) fn cut(&mut self, actor: Actor) -> Cut {
        let count = self.cuts.counts.entry(actor).or_default();
        *count += 1;
        let count = *count;
        if let Some(found) = self.cuts.planned.iter().position(|(who, at, _)| *who == actor && *at == count) {
            return self.cuts.planned.swap_remove(found).2;
        }
        if !self.calm && self.cuts.rng.per_mille(self.cuts.per_mille) {
            return if self.cuts.rng.per_mille(500) { Cut::Before } else { Cut::After };
        }
        Cut::None
    }

    /// Ends a coordinator. Its sessions break; another one starts, unless this one was replaced already.
    pub fn crash_leader(&mut self, number: u64, restart: bool) {
        if self.leaders.remove(&number).is_none() {
            return;
        }
        for site in 0..self.sites.len() {
            let session = self.sites[site].pod.as_ref().and_then(|pod| pod.session.as_ref()).filter(|session| session.leader == number);
            if let Some(session) = session.map(|session| session.id) {
                let span = Span(self.sites[site].rng.range(1, 3_000));
                self.after(span, Event::AgentBreak { site, session });
            }
        }
        if restart {
            let span = Span(self.rng.range(500, 15_000));
            self.after(span, Event::StartLeader);
        }
    }

    /// A second coordinator takes over; the first goes on for a while, and does not know.
    pub fn replace_leader(&mut self, goes_on: Span) {
        let before = self.leader_number();
        self.start_leader();
        if let Some(before) = before {
            self.after(goes_on, Event::Retire(before));
        }
    }

    /// Ends an agent. Its helm dies with it.
    pub fn crash_pod(&mut self, site: usize) {
        let now = self.now;
        if self.sites[site].pod.take().is_none() {
            return;
        }
        let releases: Vec<ReleaseName> = self.sites[site].helm.keys().cloned().collect();
        for release in releases {
            let kill = if self.sites[site].rng.per_mille(300) { Kill::Soft } else { Kill::Hard };
            if let Some(killed) = self.sites[site].helm.get_mut(&release).and_then(|helm| helm.kill(kill, now)) {
                self.truth.helm_ended(&self.sites[site].name, &release, killed.run, false, now);
            }
        }
        let span = Span(self.sites[site].rng.range(500, 5_000));
        self.after(span, Event::StartPod { site });
    }

    /// Ends the helm of a release alone; its agent sees it.
    pub fn kill_helm(&mut self, site: usize, release: &ReleaseName, kill: Kill) {
        let now = self.now;
        if let Some(killed) = self.sites[site].helm.get_mut(release).and_then(|helm| helm.kill(kill, now)) {
            self.truth.helm_ended(&self.sites[site].name, release, killed.run, false, now);
            self.tell_end(site, release, &killed, Some("signal: killed".into()));
        }
    }

    /// Stops an agent (SIGSTOP, a node that hangs). Its helm goes on until the Lease ends; then a successor starts.
    pub fn freeze_pod(&mut self, site: usize) {
        if let Some(pod) = &mut self.sites[site].pod {
            pod.frozen = true;
            let pod = pod.id;
            self.after(LEASE, Event::LeaseLost { site, pod });
        }
    }

    fn lease_lost(&mut self, site: usize, pod: u64) {
        if self.sites[site].pod.as_ref().is_some_and(|present| present.id == pod && present.frozen) {
            self.crash_pod(site);
        }
    }
}
