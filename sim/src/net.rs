//! Sessions between agents and coordinators. Within a session messages arrive in order, late, some twice; one that is lost
//! takes the session with it, a while later. What was under way when a session broke may arrive after the next one began.

use crate::pod::AgentSession;
use crate::world::{Actor, Cut, Event, World};
use groundswell_core::assignment::Assignment;
use groundswell_core::id::{Epoch, Generation, Incarnation, ReleaseName, RolloutId};
use groundswell_core::report::{Phase, Report};
use groundswell_core::time::{Span, Time};

/// Health of one release, as a heartbeat has it.
#[derive(Clone, Debug)]
pub(crate) struct HealthFact {
    pub(crate) release: ReleaseName,
    pub(crate) rollout: RolloutId,
    pub(crate) generation: Generation,
    pub(crate) phase: Phase,
    pub(crate) healthy_for: Span,
    pub(crate) helm_revision: Option<u32>,
}

/// What travels.
#[derive(Clone, Debug)]
pub(crate) enum Message {
    /// What an agent has, as it connects.
    Attach(Epoch, Vec<Report>),
    /// Something changed.
    Report(Box<Report>),
    /// Still here.
    Heartbeat(Vec<HealthFact>),
    /// May this generation start?
    AskPermit(ReleaseName, Generation),
    /// To the agent: what it must have.
    Assign(Box<Assignment>),
    /// To the agent: it may start within the span; without one it may not.
    Permit(ReleaseName, Generation, Option<Span>),
}

impl World {
    fn delay(&mut self, site: usize) -> Span {
        let (calm, rng) = (self.calm, &mut self.sites[site].rng);
        let slow = !calm && rng.per_mille(20);
        Span(if slow { rng.range(200, 5_000) } else { rng.range(1, 50) })
    }

    /// Whether the next message is lost; the session then breaks.
    fn loses(&mut self, site: usize, session: u64) -> bool {
        if self.sites[site].online && (self.calm || !self.sites[site].rng.per_mille(4)) {
            return false;
        }
        let span = Span(self.sites[site].rng.range(100, 15_000));
        self.after(span, Event::AgentBreak { site, session });
        true
    }

    pub(crate) fn send_up(&mut self, site: usize, body: Message) {
        let Some(session) = self.sites[site].pod.as_ref().and_then(|pod| pod.session.clone()) else { return };
        if self.loses(site, session.id) {
            return;
        }
        let arrives = self.in_order(site, |session| &mut session.last_up);
        let (leader, session) = (session.leader, session.id);
        if matches!(body, Message::Report(_)) && !self.calm && self.sites[site].rng.per_mille(30) {
            self.at(arrives, Event::ToServer { leader, site, session, body: Box::new(body.clone()) });
        }
        self.at(arrives, Event::ToServer { leader, site, session, body: Box::new(body) });
    }

    /// From the coordinator's side of a session.
    pub(crate) fn send_down(&mut self, site: usize, session: u64, body: Message) {
        if self.loses(site, session) {
            return;
        }
        let arrives = self.in_order(site, |session| &mut session.last_down);
        if matches!(body, Message::Assign(_)) && !self.calm && self.sites[site].rng.per_mille(50) {
            let late = Span(self.sites[site].rng.range(0, 60_000));
            self.at(arrives + late, Event::ToAgent { site, session, body: Box::new(body.clone()) });
        }
        self.at(arrives, Event::ToAgent { site, session, body: Box::new(body) });
    }

    fn in_order(&mut self, site: usize, last: impl FnOnce(&mut AgentSession) -> &mut Time) -> Time {
        let arrives = self.now + self.delay(site);
        match self.sites[site].pod.as_mut().and_then(|pod| pod.session.as_mut()) {
            Some(session) => {
                let last = last(session);
                *last = arrives.max(*last);
                *last
            }
            None => arrives,
        }
    }

    /// The agent dials.
    pub(crate) fn connect(&mut self, site: usize, pod: u64) {
        let present = self.sites[site].pod.as_ref().filter(|present| present.id == pod && !present.frozen && present.session.is_none());
        if present.is_none() {
            return;
        }
        let again = Span(self.sites[site].rng.range(300, 5_000));
        let Some(number) = self.reachable_leader(site) else { return self.after(again, Event::Connect { site, pod }) };
        let Some(leader) = self.leaders.get(&number) else { return };
        if leader.records.clusters.get(&self.sites[site].name) != Some(&true) {
            return self.after(Span::seconds(30), Event::Connect { site, pod });
        }
        let epoch = leader.epoch.clone();
        if self.sites[site].ledger.clone().see(&epoch) {
            let cut = self.cut(Actor::Agent);
            if cut != Cut::Before {
                self.sites[site].ledger.see(&epoch);
            }
            if cut != Cut::None {
                return self.crash_pod(site);
            }
        }
        let id = self.serial();
        let now = self.now;
        let reports = self.all_reports(site);
        let attach = Message::Attach(self.sites[site].ledger.max_epoch.clone(), reports);
        if let Some(pod) = &mut self.sites[site].pod {
            pod.session = Some(AgentSession { id, leader: number, last_up: now, last_down: now });
        }
        self.open_session(number, site, id);
        self.send_up(site, attach);
        self.wake(site, Span(1));
    }

    /// Mostly the one that leads; one that was replaced answers as well, as long as it does not know.
    fn reachable_leader(&mut self, site: usize) -> Option<u64> {
        if !self.sites[site].online {
            return None;
        }
        let up: Vec<u64> = self.leaders.values().filter(|leader| !leader.down).map(|leader| leader.epoch.number).collect();
        let astray = up.len() > 1 && self.sites[site].rng.per_mille(300);
        if astray { up.first().copied() } else { up.last().copied() }
    }

    /// The agent sees that its session is over, and dials again.
    pub(crate) fn agent_break(&mut self, site: usize, session: u64) {
        let Some(pod) = &mut self.sites[site].pod else { return };
        let Some(broken) = pod.session.take_if(|present| present.id == session) else { return };
        let pod = pod.id;
        let (sees, redials) = (Span(self.sites[site].rng.range(0, 25_000)), Span(self.sites[site].rng.range(100, 5_000)));
        self.after(sees, Event::ServerBreak { leader: broken.leader, site, session });
        self.after(redials, Event::Connect { site, pod });
    }

    /// Cuts a cluster off, or lets it back.
    pub fn set_online(&mut self, site: usize, online: bool) {
        self.sites[site].online = online;
        let session = self.sites[site].pod.as_ref().and_then(|pod| pod.session.as_ref()).map(|session| session.id);
        if let (false, Some(session)) = (online, session) {
            let span = Span(self.sites[site].rng.range(1_000, 20_000));
            self.after(span, Event::AgentBreak { site, session });
        }
    }

    pub(crate) fn incarnation(&mut self) -> Incarnation {
        Incarnation(format!("life-{}", self.serial()))
    }
}
