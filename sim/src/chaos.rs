//! One seed: a fleet, people who change their minds, and everything that can go wrong; then healing and rest.

use crate::fleet::{Behaviour, Submission, cluster, release, strategy, wave};
use crate::helm::{HelmRelease, Kill};
use crate::mutation::Mutation;
use crate::person::Act;
use crate::rng::Rng;
use crate::world::{Config, World};
use groundswell_core::id::{ClusterName, ReleaseName};
use groundswell_core::limit::Limit;
use groundswell_core::strategy::{OnFailedInstall, OnFailure, Strategy};
use groundswell_core::time::{Span, Time};
use std::collections::BTreeMap;

/// How long the trouble lasts, and how long the rest may take.
const CHAOS: Span = Span::minutes(25);
const BOUND: Span = Span::minutes(60 * 12);
const SLICE: Span = Span::seconds(5);

/// What came of a seed that came to rest.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Outcome {
    /// Virtual time.
    pub ended: Time,
    /// Runs of helm in all clusters.
    pub helm_runs: usize,
    /// How the rollouts ended, with counts.
    pub rollouts: BTreeMap<String, usize>,
}

/// Runs one seed with so many clusters.
///
/// # Errors
/// The invariants that broke, or what never came to rest.
pub fn run(seed: u64, clusters: usize, mutation: Mutation) -> Result<Outcome, String> {
    let mut chaos = Chaos::new(seed, clusters, mutation);
    chaos.trouble()?;
    let Chaos { mut world, releases, .. } = chaos;
    world.heal();
    world.come_to_rest(BOUND)?;
    let helm_runs = world.sites.iter().flat_map(|site| releases.iter().map(|release| world.truth.runs(&site.name, release))).sum();
    let mut rollouts = BTreeMap::new();
    for head in world.store.records().heads.values() {
        let state = format!("{:?}", head.state);
        let word = state.split("outcome: ").nth(1).and_then(|rest| rest.split(',').next()).unwrap_or("open").to_owned();
        *rollouts.entry(word).or_default() += 1;
    }
    Ok(Outcome { ended: world.now, helm_runs, rollouts })
}

struct Chaos {
    world: World,
    rng: Rng,
    releases: Vec<ReleaseName>,
    version: u32,
    back_at: BTreeMap<usize, Time>,
    unlock_at: BTreeMap<(usize, ReleaseName), Time>,
}

impl Chaos {
    fn new(seed: u64, clusters: usize, mutation: Mutation) -> Self {
        let root = Rng::new(seed);
        let mut rng = root.child("chaos");
        let config = Config {
            fleet_max: rng.range(3 + clusters as u64 / 10, 6 + clusters as u64 / 4) as usize,
            max_assignments: rng.range(2, 30) as usize,
            debts_at_once: rng.range(1, 4) as usize,
        };
        let mut world = World::new(seed, config);
        world.mutation = mutation;
        let releases = if rng.per_mille(300) { vec![release("beacon"), release("lamp")] } else { vec![release("beacon")] };
        for n in 0..clusters {
            let site = world.add_site(&cluster(&format!("c{n:04}")));
            if rng.per_mille(150) {
                let by_hand = HelmRelease::by_hand(&releases[0], 3);
                world.truth.had_by_hand(&world.sites[site].name.clone(), &releases[0], &format!("{}-9.9.9", releases[0]));
                world.sites[site].helm.insert(releases[0].clone(), by_hand);
            }
            if rng.per_mille(970) {
                world.enrol(site);
            }
        }
        Self { world, rng, releases, version: 0, back_at: BTreeMap::new(), unlock_at: BTreeMap::new() }
    }

    /// The troubled half.
    fn trouble(&mut self) -> Result<(), String> {
        // A quiet beginning, so that there is a last good state to come back to.
        self.world.run(Span::seconds(10));
        let first = self.releases.clone();
        first.iter().for_each(|release| self.submit(release));
        self.world.run(Span::minutes(4));
        self.world.calm = false;
        let crashes = self.rng.range(0, 8);
        self.world.cuts.at_random(crashes);
        let end = self.world.now + CHAOS;
        while self.world.now < end {
            self.world.run(SLICE);
            self.world.sound()?;
            self.come_back();
            self.misfortune();
            self.people();
        }
        Ok(())
    }

    fn any_site(&mut self) -> usize {
        self.rng.range(0, self.world.sites.len() as u64) as usize
    }

    fn any_release(&mut self) -> ReleaseName {
        let n = self.rng.range(0, self.releases.len() as u64) as usize;
        self.releases[n].clone()
    }

    fn strategy(&mut self, clusters: usize) -> Strategy {
        let rng = &mut self.rng;
        let on_failure = [OnFailure::Halt, OnFailure::RollbackFailed, OnFailure::RollbackAll][rng.range(0, 3) as usize];
        let waves = ["canary", "some", "rest"].map(|name| {
            let mut wave = wave(name);
            wave.bake = Span::seconds(rng.range(0, 60));
            wave.max_concurrent =
                if rng.per_mille(500) { Limit::Percent(rng.range(1, 30) as u8) } else { Limit::Count(rng.range(1, 12) as u32) };
            wave.failure_budget =
                if rng.per_mille(500) { Limit::Count(0) } else { Limit::Count(rng.range(0, 1 + clusters as u64 / 20) as u32) };
            wave.min_available = if rng.per_mille(600) { Limit::None } else { Limit::Percent(rng.range(1, 60) as u8) };
            wave.approval = rng.per_mille(150);
            wave.may_be_owed = rng.per_mille(300);
            wave
        });
        let mut strategy = strategy(waves.into(), on_failure);
        if rng.per_mille(300) {
            strategy.on_failed_install = OnFailedInstall::Uninstall;
        }
        strategy
    }

    fn submit(&mut self, release: &ReleaseName) {
        self.version += 1;
        let version = self.version;
        let enrolled: Vec<ClusterName> = self.world.sites.iter().filter(|site| site.enrolled).map(|site| site.name.clone()).collect();
        let (canaries, some) = (1 + enrolled.len() / 40, 1 + enrolled.len() / 5);
        let is_first = version as usize <= self.releases.len();
        let mut strategy = self.strategy(enrolled.len());
        if is_first {
            for wave in &mut strategy.waves {
                (wave.bake, wave.max_concurrent, wave.min_available, wave.approval) = (Span::ZERO, Limit::None, Limit::None, false);
            }
        }
        let in_wave = |n: usize| usize::from(n >= canaries) + usize::from(n >= canaries + some);
        let members = enrolled.into_iter().enumerate().map(|(n, name)| (name, in_wave(n))).collect();
        if !is_first && self.rng.per_mille(250) {
            let bad = [Behaviour::HelmFails, Behaviour::NeverReady, Behaviour::Slow][self.rng.range(0, 3) as usize];
            self.world.behaviours.insert((version, None), bad);
        }
        let gone = !is_first && self.rng.per_mille(40);
        let submission = Submission { release: release.clone(), version: (!gone).then_some(version), strategy, members };
        // No coordinator is up just now: the person tries again another time.
        drop(self.world.submit(&submission));
    }

    fn people(&mut self) {
        let release = self.any_release();
        let site = self.any_site();
        let name = self.world.sites[site].name.clone();
        let act = match self.rng.range(0, 100) {
            0..=2 => Some(Act::Pause),
            3..=14 => Some(Act::Resume),
            15..=24 => Some(Act::Approve),
            25 => Some(Act::Undo),
            26 if self.rng.per_mille(300) => Some(Act::Abort),
            27..=31 => Some(Act::Retry(self.failed_of(&release).unwrap_or(name))),
            32..=33 => Some(Act::Skip(self.failed_of(&release).unwrap_or(name))),
            34 if self.rng.per_mille(500) => {
                self.submit(&release);
                None
            }
            36 => {
                self.world.enrol(site);
                None
            }
            37 if self.rng.per_mille(200) => {
                self.world.revoke(site);
                None
            }
            35..=41 if self.world.state_of(&release).is_none_or(groundswell_core::rollout::State::is_ended) => {
                self.submit(&release);
                None
            }
            _ => None,
        };
        if let Some(act) = act {
            // What does not fit is refused, as it should be.
            drop(self.world.act(&release, &act));
        }
    }

    fn failed_of(&self, release: &ReleaseName) -> Option<ClusterName> {
        let records = self.world.store.records();
        let turns = records.turns_of(&records.latest(release)?.id)?;
        turns.iter().find(|(_, turn)| turn.is_failure()).map(|(name, _)| name.clone())
    }

    fn misfortune(&mut self) {
        let (site, release, now) = (self.any_site(), self.any_release(), self.world.now);
        match self.rng.range(0, 60) {
            0..=4 => {
                self.world.set_online(site, false);
                let away = if self.rng.per_mille(150) { Span::minutes(20) } else { Span::seconds(self.rng.range(5, 200)) };
                self.back_at.insert(site, now + away);
            }
            5..=7 => self.world.crash_pod(site),
            8 => self.world.freeze_pod(site),
            9 => {
                let newest = self.world.leader().map(|leader| leader.epoch.number);
                newest.into_iter().for_each(|number| self.world.crash_leader(number, true));
            }
            10 => {
                let goes_on = Span::seconds(self.rng.range(1, 40));
                self.world.replace_leader(goes_on);
            }
            11..=13 => self.kill_helm(site, &release),
            14..=17 => {
                let until = now + Span::seconds(self.rng.range(3, 200));
                if let Some(helm) = self.world.sites[site].helm.get_mut(&release) {
                    helm.sick_until = until;
                }
            }
            18 => {
                self.world.sites[site].helm.entry(release.clone()).or_default().lock_by_hand(&release, now);
                let until = now + Span::seconds(self.rng.range(10, 300));
                self.unlock_at.insert((site, release), until);
            }
            19 => {
                let group = self.rng.range(1, 1 + self.world.sites.len() as u64 / 4);
                for _ in 0..group {
                    let site = self.any_site();
                    self.world.set_online(site, false);
                    let away = Span::seconds(self.rng.range(5, 120));
                    self.back_at.insert(site, now + away);
                }
            }
            _ => {}
        }
    }

    fn kill_helm(&mut self, site: usize, release: &ReleaseName) {
        let kill = if self.rng.per_mille(500) { Kill::Hard } else { Kill::Soft };
        self.world.kill_helm(site, release, kill);
    }

    fn come_back(&mut self) {
        let now = self.world.now;
        let due: Vec<usize> = self.back_at.iter().filter(|(_, at)| **at <= now).map(|(site, _)| *site).collect();
        for site in due {
            self.back_at.remove(&site);
            self.world.set_online(site, true);
        }
        let due: Vec<(usize, ReleaseName)> = self.unlock_at.iter().filter(|(_, at)| **at <= now).map(|(key, _)| key.clone()).collect();
        for (site, release) in due {
            self.unlock_at.remove(&(site, release.clone()));
            if let Some(helm) = self.world.sites[site].helm.get_mut(&release) {
                helm.unlock_by_hand(&release, now);
            }
        }
    }
}
