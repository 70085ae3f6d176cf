//! An agent's process: what it holds in memory, and how it carries out the steps that `core::agent` decides.

use crate::fleet::{Behaviour, version_of};
use crate::helm::{Fate, Running};
use crate::mutation::Mutation;
use crate::net::{HealthFact, Message};
use crate::world::{Actor, Cut, Event, HEARTBEAT, LEASE, MARGIN, World};
use groundswell_core::agent::{Chart, Crds, HealthSeen, HelmCall, HelmEnd, Marker, Observed, Offer, Permit, Preflight, Step, next, offer};
use groundswell_core::assignment::Assignment;
use groundswell_core::id::{Generation, Incarnation, ReleaseName};
use groundswell_core::report::{Adopted, Phase, Report};
use groundswell_core::time::{Span, Time};
use std::collections::BTreeMap;

/// How often an agent looks at its objects when nothing moves.
const LOOK: Span = Span::seconds(5);

/// The agent's end of a session.
#[derive(Clone, Debug)]
pub(crate) struct AgentSession {
    pub(crate) id: u64,
    pub(crate) leader: u64,
    pub(crate) last_up: Time,
    pub(crate) last_down: Time,
}

/// What is lost with the process.
#[derive(Debug)]
pub(crate) struct Pod {
    /// Tells pods apart.
    pub(crate) id: u64,
    /// Stopped, and does not know.
    pub(crate) frozen: bool,
    pub(crate) session: Option<AgentSession>,
    incarnation: Incarnation,
    sequence: u64,
    lease_at: Time,
    clear_at: Time,
    tick_at: Option<Time>,
    heartbeat_at: Time,
    seen: BTreeMap<ReleaseName, Seen>,
}

/// One release, as the process sees it.
#[derive(Debug, Default)]
struct Seen {
    observed: Observed,
    generation: Generation,
    phase: Option<Phase>,
    message: String,
    said: Option<Said>,
    healthy: Option<(u32, Time)>,
    asked_at: Option<Time>,
}

/// What makes a report news.
#[derive(Debug, PartialEq)]
struct Said {
    generation: Generation,
    phase: Phase,
    attempt: u32,
    revision: Option<u32>,
    adopted: Option<Adopted>,
    notes: usize,
}

enum Busy {
    Crashed,
    Soon,
    Idle,
}

impl World {
    pub(crate) fn start_pod(&mut self, site: usize) {
        if self.sites[site].pod.is_some() {
            return;
        }
        let (id, incarnation, now) = (self.serial(), self.incarnation(), self.now);
        let releases = self.sites[site].ledger.entries.keys().cloned().collect::<Vec<_>>();
        // The predecessor's Lease has to run out, and its helm to be gone, before this one touches anything.
        let (lease_at, clear_at) = if releases.is_empty() { (now, now) } else { (now + LEASE, now + LEASE + MARGIN) };
        let seen = releases.into_iter().map(|release| (release, Seen::default())).collect();
        let pod =
            Pod { id, frozen: false, session: None, incarnation, sequence: 0, lease_at, clear_at, tick_at: None, heartbeat_at: now, seen };
        self.sites[site].pod = Some(pod);
        let dials = Span(self.sites[site].rng.range(1, 3_000));
        self.after(dials, Event::Connect { site, pod: id });
        self.wake(site, Span(10));
    }

    pub(crate) fn wake(&mut self, site: usize, span: Span) {
        let at = self.now + span;
        if let Some(pod) = &mut self.sites[site].pod
            && pod.tick_at.is_none_or(|before| at < before)
        {
            pod.tick_at = Some(at);
            self.at(at, Event::Tick { site, at });
        }
    }

    pub(crate) fn tick(&mut self, site: usize, at: Time) {
        let Some(pod) = &mut self.sites[site].pod else { return };
        if pod.frozen || pod.tick_at != Some(at) {
            return;
        }
        pod.tick_at = None;
        let releases: Vec<ReleaseName> = self.sites[site].ledger.entries.keys().cloned().collect();
        let mut soon = false;
        for release in releases {
            match self.look(site, &release) {
                Busy::Crashed => return,
                Busy::Soon => soon = true,
                Busy::Idle => {}
            }
            self.say(site, &release);
        }
        self.heartbeat(site);
        let step = Span(self.sites[site].rng.range(5, 100));
        self.wake(site, if soon { step } else { LOOK });
    }

    /// Steps of one release until one takes time.
    fn look(&mut self, site: usize, release: &ReleaseName) -> Busy {
        let now = self.now;
        let place = &mut self.sites[site];
        let (Some(pod), Some(entry)) = (&mut place.pod, place.ledger.entries.get(release)) else { return Busy::Idle };
        let (lease, clear) = (pod.lease_at <= now, pod.clear_at <= now);
        let seen = pod.seen.entry(release.clone()).or_default();
        if seen.generation != entry.assignment.generation {
            seen.generation = entry.assignment.generation;
            seen.asked_at = None;
            let Observed { helm_running, helm_end, health, .. } = std::mem::take(&mut seen.observed);
            seen.observed = Observed { helm_running, helm_end, health, ..Observed::default() };
        }
        (seen.observed.holds_lease, seen.observed.predecessor_gone) = (lease, clear);
        for _ in 0..8 {
            let next = next(entry, &seen.observed, now);
            seen.phase = Some(next.phase);
            seen.message = next.message;
            let helm = place.helm.entry(release.clone()).or_default();
            match next.step {
                Step::ReadHistory => seen.observed.history = Some(helm.history.clone()),
                Step::Fetch => seen.observed.chart = Chart::Ready,
                Step::Preflight => seen.observed.preflight = Preflight::Passed,
                Step::ApplyCrds => seen.observed.crds = Crds::Applied { notes: vec![] },
                Step::Watch { revision } => {
                    let healthy = helm.is_healthy(now) && helm.deployed().is_some_and(|deployed| deployed.revision == revision);
                    let since = seen.healthy.filter(|(known, _)| *known == revision).map_or(now, |(_, since)| since);
                    seen.healthy = healthy.then_some((revision, since));
                    let message = if healthy { "all pods are ready" } else { "0 of 1 pods are ready" }.to_owned();
                    let looked = HealthSeen { revision, healthy, healthy_for: now.since(since), message };
                    let again =
                        seen.observed.health.replace(looked).is_none_or(|before| before.healthy != healthy || before.revision != revision);
                    if !again {
                        return Busy::Idle;
                    }
                }
                Step::Wait => {
                    seen.observed.history = None;
                    return Busy::Idle;
                }
                Step::Rest => return Busy::Idle,
                Step::AskPermit => return self.ask_permit(site, release),
                Step::WriteLedger(entry) => {
                    let entry = *entry;
                    return self.agent_step(site, |world| drop(world.sites[site].ledger.entries.insert(release.clone(), entry)));
                }
                Step::Unlock { revision } => {
                    seen.observed.history = None;
                    return self.agent_step(site, |world| world.sites[site].helm.entry(release.clone()).or_default().unlock(revision, now));
                }
                Step::RunHelm { call, marker } => {
                    seen.observed.history = None;
                    seen.observed.helm_end = None;
                    seen.observed.helm_running = true;
                    return self.agent_step(site, |world| world.start_helm(site, release, call, marker));
                }
            }
        }
        Busy::Soon
    }

    fn agent_step(&mut self, site: usize, act: impl FnOnce(&mut Self)) -> Busy {
        let cut = self.cut(Actor::Agent);
        if cut != Cut::Before {
            act(self);
        }
        if cut == Cut::None {
            return Busy::Soon;
        }
        self.crash_pod(site);
        Busy::Crashed
    }

    fn ask_permit(&mut self, site: usize, release: &ReleaseName) -> Busy {
        let now = self.now;
        let Some(seen) = self.sites[site].pod.as_mut().and_then(|pod| pod.seen.get_mut(release)) else { return Busy::Idle };
        if seen.asked_at.is_some_and(|asked| now.since(asked) < LOOK) {
            return Busy::Idle;
        }
        seen.asked_at = Some(now);
        let generation = seen.generation;
        self.send_up(site, Message::AskPermit(release.clone(), generation));
        Busy::Idle
    }

    fn start_helm(&mut self, site: usize, release: &ReleaseName, call: HelmCall, marker: Marker) {
        let (run, now) = (self.serial(), self.now);
        let place = &self.sites[site];
        let Some(pod) = place.pod.as_ref().map(|pod| pod.id) else { return };
        let Some(entry) = place.ledger.entries.get(release) else { return };
        let chart = match &call {
            HelmCall::Upgrade { content } => format!("{}-{}", content.chart.name, content.chart.version),
            HelmCall::Rollback { to } => {
                let of = place.helm.get(release).and_then(|helm| helm.history.iter().find(|known| known.revision == *to));
                of.map(|known| known.chart.clone()).unwrap_or_default()
            }
            HelmCall::Uninstall => String::new(),
        };
        let epoch = entry.assignment.epoch.clone();
        self.truth.helm_began(&place.name, release, run, &call, marker, &epoch, &chart, now);
        let fate = self.fate(site, &chart);
        let helm = self.sites[site].helm.entry(release.clone()).or_default();
        if let Some(other) = helm.running.take() {
            // Both would run; the checker has seen it.
            self.truth.helm_ended(&self.sites[site].name, release, other.run, false, now);
        }
        self.sites[site].helm.entry(release.clone()).or_default().running = Some(Running { run, call, marker, pod, fate, revision: None });
        self.after(fate.pending_after, Event::HelmPending { site, release: release.clone(), run });
        self.after(fate.ends_after, Event::HelmEnd { site, release: release.clone(), run });
    }

    fn fate(&mut self, site: usize, chart: &str) -> Fate {
        let name = &self.sites[site].name;
        let version = version_of(chart).unwrap_or_default();
        let told = self.behaviours.get(&(version, Some(name.clone()))).or_else(|| self.behaviours.get(&(version, None)));
        let behaviour = told.copied().unwrap_or(Behaviour::Good);
        let (calm, rng) = (self.calm, &mut self.sites[site].rng);
        let pending_after = Span(rng.range(50, 1_000));
        let ends_after = pending_after + Span(rng.range(500, if calm { 5_000 } else { 40_000 }));
        let fails = behaviour == Behaviour::HelmFails || (!calm && rng.per_mille(20));
        let ready_after = match behaviour {
            Behaviour::NeverReady => None,
            _ if !calm && rng.per_mille(10) => None,
            Behaviour::Slow => Some(Span::minutes(4)),
            _ => Some(Span(rng.range(100, 15_000))),
        };
        Fate { pending_after, ends_after, fails, ready_after }
    }

    pub(crate) fn helm_pending(&mut self, site: usize, release: &ReleaseName, run: u64) {
        if !self.is_running(site, release, run) {
            return;
        }
        let cut = self.cut(Actor::Agent);
        if cut == Cut::Before {
            return self.crash_pod(site);
        }
        let now = self.now;
        if let Some(Err(error)) = self.sites[site].helm.get_mut(release).map(|helm| helm.write_pending(now)) {
            return self.helm_is_over(site, release, Some(error));
        }
        if cut == Cut::After {
            self.crash_pod(site);
        }
    }

    fn is_running(&self, site: usize, release: &ReleaseName, run: u64) -> bool {
        self.sites[site].helm.get(release).and_then(|helm| helm.running.as_ref()).is_some_and(|running| running.run == run)
    }

    pub(crate) fn helm_end(&mut self, site: usize, release: &ReleaseName, run: u64) {
        if !self.is_running(site, release, run) {
            return;
        }
        let cut = self.cut(Actor::Agent);
        if cut == Cut::Before {
            return self.crash_pod(site);
        }
        self.helm_is_over(site, release, None);
        if cut == Cut::After {
            self.crash_pod(site);
        }
    }

    fn helm_is_over(&mut self, site: usize, release: &ReleaseName, refused: Option<String>) {
        let now = self.now;
        let Some(helm) = self.sites[site].helm.get_mut(release) else { return };
        let Some(running) = helm.running.clone() else { return };
        let (error, deployed) = match refused {
            Some(error) => {
                helm.running = None;
                (Some(error), false)
            }
            None => helm.finish(now),
        };
        self.truth.helm_ended(&self.sites[site].name, release, running.run, deployed, now);
        self.tell_end(site, release, &running, error);
    }

    /// The process that started a helm sees its end.
    pub(crate) fn tell_end(&mut self, site: usize, release: &ReleaseName, running: &Running, error: Option<String>) {
        let Some(pod) = self.sites[site].pod.as_mut().filter(|pod| pod.id == running.pod) else { return };
        let seen = pod.seen.entry(release.clone()).or_default();
        seen.observed.helm_running = false;
        seen.observed.history = None;
        seen.observed.helm_end = Some(HelmEnd { marker: running.marker, error });
        self.wake(site, Span(5));
    }

    pub(crate) fn agent_hears(&mut self, site: usize, session: u64, body: Message) {
        let Some(pod) = self.sites[site].pod.as_mut().filter(|pod| !pod.frozen) else { return };
        let is_current = pod.session.as_ref().is_some_and(|present| present.id == session);
        match body {
            // An assignment of a session that is over is looked at all the same: the ledger must tell.
            Message::Assign(assignment) => self.take(site, &assignment),
            Message::Permit(release, generation, granted) if is_current => {
                let now = self.now;
                let Some(seen) = pod.seen.get_mut(&release).filter(|seen| seen.generation == generation) else { return };
                // From the moment of asking: the answer's way is not added to it.
                let Some(asked) = seen.asked_at.take() else { return };
                seen.observed.permit = match granted {
                    Some(span) => Permit::Until(asked + span),
                    None => Permit::Refused { why: "not now".into(), ask_at: now + crate::world::PERMIT_RETRY },
                };
                self.wake(site, Span(2));
            }
            _ => {}
        }
    }

    fn take(&mut self, site: usize, assignment: &Assignment) {
        self.truth.delivered(&self.sites[site].name, assignment);
        let ledger = match offer(&self.sites[site].ledger, assignment) {
            Offer::Accept(ledger) => *ledger,
            Offer::Known => return,
            Offer::Refuse(_) if self.mutation == Mutation::AgentTakesAll => {
                let mut ledger = self.sites[site].ledger.clone();
                let entry = ledger.entries.get(&assignment.release).map(|entry| entry.succeed(assignment.clone()));
                ledger.entries.extend(entry.map(|entry| (assignment.release.clone(), entry)));
                ledger
            }
            Offer::Refuse(_) => return,
        };
        let cut = self.cut(Actor::Agent);
        if cut != Cut::Before {
            self.truth.obeyed(&self.sites[site].name, assignment);
            self.sites[site].ledger = ledger;
        }
        if cut != Cut::None {
            return self.crash_pod(site);
        }
        self.wake(site, Span(1));
    }

    fn report(&mut self, site: usize, release: &ReleaseName) -> Option<(Said, Report)> {
        let now = self.now;
        let place = &mut self.sites[site];
        let (pod, entry) = (place.pod.as_mut()?, place.ledger.entries.get(release)?);
        let seen = pod.seen.get(release).filter(|seen| seen.generation == entry.assignment.generation)?;
        let phase = seen.phase?;
        let revision = entry.applied_revision();
        let holds = revision.and_then(|revision| entry.revisions.get(&revision)).and_then(|held| held.content());
        pod.sequence += 1;
        let said = Said {
            generation: seen.generation,
            phase,
            attempt: entry.attempt,
            revision,
            adopted: entry.adopted.clone(),
            notes: entry.notes.len(),
        };
        let report = Report {
            cluster: place.name.clone(),
            release: release.clone(),
            rollout: entry.assignment.rollout.clone(),
            generation: seen.generation,
            chart_digest: holds.map(|content| content.chart.digest.to_string()).unwrap_or_default(),
            attempt: entry.attempt,
            incarnation: pod.incarnation.clone(),
            sequence: pod.sequence,
            phase,
            healthy_for: healthy_for(seen, phase, now),
            helm_revision: revision,
            message: seen.message.clone(),
            adopted: entry.adopted.clone(),
            notes: entry.notes.clone(),
            received_at: Time(0),
        };
        Some((said, report))
    }

    fn say(&mut self, site: usize, release: &ReleaseName) {
        let Some((said, report)) = self.report(site, release) else { return };
        let Some(pod) = self.sites[site].pod.as_mut().filter(|pod| pod.session.is_some()) else { return };
        let Some(seen) = pod.seen.get_mut(release) else { return };
        if seen.said.as_ref() != Some(&said) {
            seen.said = Some(said);
            self.send_up(site, Message::Report(Box::new(report)));
        }
    }

    /// What an agent says of a release.
    pub(crate) fn words_of(&self, site: usize, release: &ReleaseName) -> String {
        let seen = self.sites[site].pod.as_ref().and_then(|pod| pod.seen.get(release));
        seen.map_or_else(|| "no agent is up".to_owned(), |seen| format!("{:?}: {}", seen.phase, seen.message))
    }

    /// The state of each release, for the attach.
    pub(crate) fn all_reports(&mut self, site: usize) -> Vec<Report> {
        let releases: Vec<ReleaseName> = self.sites[site].ledger.entries.keys().cloned().collect();
        let mut reports = Vec::new();
        for release in releases {
            let Some((said, report)) = self.report(site, &release) else { continue };
            if let Some(seen) = self.sites[site].pod.as_mut().and_then(|pod| pod.seen.get_mut(&release)) {
                seen.said = Some(said);
            }
            reports.push(report);
        }
        reports
    }

    fn heartbeat(&mut self, site: usize) {
        let now = self.now;
        let place = &mut self.sites[site];
        let Some(pod) = place.pod.as_mut().filter(|pod| pod.session.is_some() && pod.heartbeat_at <= now) else { return };
        pod.heartbeat_at = now + HEARTBEAT;
        let mut facts = Vec::new();
        for (release, entry) in &place.ledger.entries {
            let Some(seen) = pod.seen.get(release).filter(|seen| seen.generation == entry.assignment.generation) else { continue };
            let Some(phase) = seen.phase else { continue };
            facts.push(HealthFact {
                release: release.clone(),
                rollout: entry.assignment.rollout.clone(),
                generation: seen.generation,
                phase,
                healthy_for: healthy_for(seen, phase, now),
                helm_revision: entry.applied_revision(),
            });
        }
        self.send_up(site, Message::Heartbeat(facts));
    }
}

fn healthy_for(seen: &Seen, phase: Phase, now: Time) -> Span {
    match seen.healthy {
        Some((_, since)) if phase == Phase::Healthy => now.since(since),
        _ => Span::ZERO,
    }
}
