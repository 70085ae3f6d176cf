//! Healing a world, bringing it to rest, and the oracle of what it must look like then.

use crate::person::Act;
use crate::world::{Event, World};
use groundswell_core::assignment::Target;
use groundswell_core::id::{ClusterName, ReleaseName, RolloutId};
use groundswell_core::report::Phase;
use groundswell_core::rollout::{Back, Forward, Outcome, Snapshot, State, Turn};
use groundswell_core::time::{Span, Time};
use std::collections::BTreeMap;

/// How often a person looks while a world heals.
const SLICE: Span = Span::seconds(30);

/// A rollout that has not moved for so long is given up by its person.
const PATIENCE: Span = Span::minutes(25);

/// What a person remembers of a rollout while a world heals.
struct Memory {
    state: String,
    since: Time,
    retried: Vec<ClusterName>,
}

impl World {
    /// Ends all trouble: messages arrive, nobody crashes, every cluster is reachable, locks of others are gone.
    pub fn heal(&mut self) {
        self.calm = true;
        self.cuts.at_random(0);
        let now = self.now;
        let newest = self.leaders.last_key_value().map(|(number, _)| *number);
        let replaced: Vec<u64> = self.leaders.keys().copied().filter(|number| Some(*number) != newest).collect();
        for number in replaced {
            self.after(Span::seconds(5), Event::Retire(number));
        }
        for site in 0..self.sites.len() {
            self.set_online(site, true);
            for (release, helm) in &mut self.sites[site].helm {
                helm.unlock_by_hand(release, now);
                helm.sick_until = Time(0);
            }
        }
    }

    /// Lets a healed world run, with a person who resumes, approves, retries and skips, until it is at rest.
    ///
    /// # Errors
    /// What still moves, or waits for what, after `bound`; or what broke.
    pub fn come_to_rest(&mut self, bound: Span) -> Result<(), String> {
        let end = self.now + bound;
        let mut memories = BTreeMap::new();
        let mut debts = BTreeMap::new();
        while self.now < end {
            self.run(SLICE);
            self.sound()?;
            if self.unrest().is_none() {
                // Once more, later: nothing may begin by itself.
                self.run(SLICE);
                self.sound()?;
                if self.unrest().is_none() && !self.would_change() {
                    self.oracle();
                    return self.sound();
                }
            }
            self.help(&mut memories, &mut debts);
        }
        Err(format!("no rest within {bound}: {}", self.unrest().unwrap_or_default()))
    }

    /// # Errors
    /// The invariants that broke.
    pub fn sound(&self) -> Result<(), String> {
        if self.truth.violations.is_empty() {
            return Ok(());
        }
        Err(self.truth.violations.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n"))
    }

    /// What is not at rest; `None` when all is.
    pub fn unrest(&self) -> Option<String> {
        let Some(leader) = self.leader() else { return Some("no coordinator is up".into()) };
        for (release, record) in &leader.records.index {
            let id = record.latest.as_ref()?;
            let head = leader.records.heads.get(id)?;
            if !head.state.is_ended() {
                let waits = leader.waits.get(id).into_iter().flatten().take(6);
                let waits: Vec<String> = waits.map(|wait| format!("{}: {}", wait.subject, wait.why)).collect();
                return Some(format!("{id} wave {} {:?}; {}", head.wave, head.state, waits.join("; ")));
            }
            for (name, known) in leader.records.releases.get(release).into_iter().flatten() {
                if leader.records.clusters.get(name) != Some(&true) {
                    continue;
                }
                if known.debt.as_ref().is_some_and(|debt| debt.failed.is_none()) {
                    return Some(format!("{name} owes {release}"));
                }
                let ledger = self.site(name).and_then(|site| self.sites[site].ledger.entries.get(release));
                if known.assignment.is_some() && ledger.map(|entry| entry.assignment.generation) != Some(known.generation) {
                    let has = ledger.map(|entry| (entry.assignment.generation, &entry.phase));
                    return Some(format!("GS-8: {name} does not have generation {} of {release}, but {has:?}", known.generation));
                }
                // What a person aborted before its helm began stays asking for a permit.
                let aborted = known.assignment.as_ref().and_then(|assignment| leader.records.heads.get(&assignment.rollout));
                let aborted = aborted.is_some_and(|head| matches!(head.state, State::Ended { outcome: Outcome::Aborted, .. }));
                if !aborted && ledger.is_some_and(|entry| entry.operation.is_some()) {
                    return Some(format!("{name} is at it: {}", self.words_of(self.site(name).unwrap_or_default(), release)));
                }
            }
        }
        None
    }

    fn help(&mut self, memories: &mut BTreeMap<RolloutId, Memory>, debts: &mut BTreeMap<(ReleaseName, ClusterName), u32>) {
        let releases: Vec<ReleaseName> = self.store.records().index.keys().cloned().collect();
        for release in releases {
            let records = self.store.records();
            let failed = records.releases.get(&release).into_iter().flatten();
            let failed: Vec<ClusterName> = failed
                .filter(|(_, known)| known.debt.as_ref().is_some_and(|debt| debt.failed.is_some()))
                .map(|(name, _)| name.clone())
                .collect();
            for name in failed {
                let tries = debts.entry((release.clone(), name.clone())).or_default();
                *tries += 1;
                if *tries <= 2 {
                    self.retry_debt(&release, &name);
                }
            }
            for act in self.helpful(&release, memories) {
                // A command that does not fit any more is what a person would see; the next look decides anew.
                drop(self.act(&release, &act));
            }
        }
    }

    fn helpful(&self, release: &ReleaseName, memories: &mut BTreeMap<RolloutId, Memory>) -> Vec<Act> {
        let records = self.store.records();
        let Some(head) = records.latest(release).filter(|head| !head.state.is_ended()) else { return vec![] };
        let (Some(snapshot), turns) = (records.snapshots.get(&head.id), records.turns_of(&head.id)) else { return vec![] };
        let done = turns.into_iter().flat_map(BTreeMap::values).filter(|turn| turn.in_flight().is_none()).count();
        let state = format!("{} {} {done}", head.wave, std::mem::discriminant(&head.state) == std::mem::discriminant(&State::Running));
        let fresh = Memory { state: String::new(), since: self.now, retried: vec![] };
        let memory = memories.entry(head.id.clone()).or_insert(fresh);
        if memory.state != state {
            (memory.state, memory.since) = (state, self.now);
        }
        if self.now.since(memory.since) > PATIENCE {
            return vec![Act::Abort];
        }
        let failed: Vec<ClusterName> =
            turns.into_iter().flatten().filter(|(_, turn)| turn.is_failure()).map(|(name, _)| name.clone()).collect();
        match &head.state {
            State::Paused { .. } => vec![Act::Resume],
            State::Running => {
                let waits = snapshot.strategy.waves.get(head.wave).is_some_and(|wave| wave.approval);
                if waits && !head.approvals.contains_key(&head.wave) { vec![Act::Approve] } else { vec![] }
            }
            State::Halted { .. } if failed.is_empty() => vec![Act::Resume],
            State::Halted { .. } => {
                let mut acts = Vec::new();
                for name in failed {
                    if memory.retried.contains(&name) {
                        acts.push(Act::Skip(name));
                    } else {
                        memory.retried.push(name.clone());
                        acts.push(Act::Retry(name));
                    }
                }
                acts
            }
            State::RollingBack { .. } | State::Ended { .. } => vec![],
        }
    }

    /// What every cluster must have at rest, from how each rollout ended.
    fn oracle(&mut self) {
        let records = self.store.records().clone();
        for (release, record) in &records.index {
            let Some(id) = &record.latest else { continue };
            let (Some(head), Some(snapshot)) = (records.heads.get(id), records.snapshots.get(id)) else { continue };
            let State::Ended { outcome, .. } = &head.state else { continue };
            for name in snapshot.members.keys().filter(|name| records.clusters.get(*name) == Some(&true)) {
                let turn = records.turns_of(id).and_then(|turns| turns.get(name)).cloned().unwrap_or_default();
                if let Err(what) = self.judge(release, snapshot, name, &turn, *outcome) {
                    self.truth.complain("oracle", format!("{id} ended {outcome:?}: {name} {what}; {turn:?}"));
                }
            }
        }
    }

    fn judge(&self, release: &ReleaseName, snapshot: &Snapshot, name: &ClusterName, turn: &Turn, outcome: Outcome) -> Result<(), String> {
        let records = self.store.records();
        let known = records.release(release, name).cloned().unwrap_or_default();
        let site = self.site(name).ok_or("is no cluster")?;
        let helm = self.sites[site].helm.get(release);
        let deployed = helm.and_then(|helm| helm.deployed()).map(|deployed| deployed.chart.clone());
        let is_healthy = helm.is_some_and(|helm| helm.is_healthy(self.now));
        let well = known.current_report().is_some_and(|report| report.phase == Phase::Healthy);
        if well && !is_healthy {
            return Err("is said to be healthy and is not".into());
        }
        // What the newest assignment says and the agent confirmed is what Helm has.
        if let (true, Some(Target::Content(content))) = (well, known.assignment.as_ref().map(|assignment| &assignment.target)) {
            let wanted = format!("{}-{}", content.chart.name, content.chart.version);
            if deployed.as_ref() != Some(&wanted) {
                return Err(format!("has {deployed:?}, and {wanted} was confirmed"));
            }
        }
        let wanted = snapshot.chart.as_ref().map(|chart| format!("{}-{}", chart.name, chart.version));
        let has = |wanted: &Option<String>| if deployed == *wanted { Ok(()) } else { Err(format!("has {deployed:?} and not {wanted:?}")) };
        match (outcome, &turn.forward, &turn.back) {
            (Outcome::Succeeded | Outcome::SucceededWithDebt, Forward::Succeeded { .. }, Back::None) => has(&wanted),
            (Outcome::Succeeded | Outcome::SucceededWithDebt, Forward::Skipped { .. } | Forward::Owed { .. }, _)
                if outcome == Outcome::Succeeded =>
            {
                Err("was left out of a full success".into())
            }
            (Outcome::SucceededWithDebt, Forward::Owed { .. }, _) if known.debt.is_none() => has(&wanted),
            (Outcome::SucceededWithDebt, Forward::Owed { .. } | Forward::Skipped { .. }, _) => Ok(()),
            (Outcome::Succeeded | Outcome::SucceededWithDebt, ..) => Err("is neither done, owed nor skipped".into()),
            (Outcome::RolledBack, _, Back::Done { .. }) => has(&self.truth.before(&snapshot.id, name).cloned()),
            (Outcome::RolledBack, _, Back::Owed { .. }) if known.debt.is_none() => has(&self.truth.before(&snapshot.id, name).cloned()),
            (Outcome::RolledBack, _, Back::None) if turn.was_changed() => Err("was changed and not taken back".into()),
            _ => Ok(()),
        }
    }
}
