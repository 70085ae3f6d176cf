//! Scenarios as text: one command in a line, `#` for what a person should know. `docs` of each command stand in `Script::command`.

use crate::fleet::{Behaviour, Submission, cluster, release, strategy, wave};
use crate::helm::{HelmRelease, Kill};
use crate::person::Act;
use crate::world::{Actor, Config, Cut, World};
use groundswell_core::id::ClusterName;
use groundswell_core::rollout::{Outcome, State};
use groundswell_core::strategy::{OnFailure, Wave};
use groundswell_core::time::Span;

/// How long `rest` may take.
const BOUND: Span = Span::minutes(120);

/// A scenario that is being played.
struct Script {
    world: World,
    waves: Vec<Wave>,
    members: Vec<(ClusterName, usize)>,
    on_failure: OnFailure,
}

/// Plays a scenario to its end; there, planning again must change nothing.
///
/// # Errors
/// The line that does not hold or is not understood, and why.
pub fn play(text: &str) -> Result<(), String> {
    let mut script = Script { world: World::new(1, Config::default()), waves: vec![], members: vec![], on_failure: OnFailure::RollbackAll };
    for (number, line) in text.lines().enumerate() {
        let line = line.split('#').next().unwrap_or_default().trim();
        let words: Vec<&str> = line.split_whitespace().collect();
        if words.is_empty() {
            continue;
        }
        script.command(&words).and_then(|()| script.world.sound()).map_err(|why| format!("line {}: {line}: {why}", number + 1))?;
    }
    script.world.plan_now();
    if script.world.would_change() {
        return Err("at the end: planning again changes something".into());
    }
    script.world.sound()
}

fn span(text: &str) -> Result<Span, String> {
    let (digits, unit) = text.split_at(text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len()));
    let number: u64 = digits.parse().map_err(|_| format!("{text} is no time"))?;
    match unit {
        "s" => Ok(Span::seconds(number)),
        "m" => Ok(Span::minutes(number)),
        _ => Err(format!("{text} is no time: write 30s or 5m")),
    }
}

fn number<T: std::str::FromStr>(text: &str) -> Result<T, String> {
    text.parse().map_err(|_| format!("{text:?} is not understood"))
}

impl Script {
    fn command(&mut self, words: &[&str]) -> Result<(), String> {
        let beacon = release("beacon");
        match words {
            // `wave NAME COUNT [max=N|N%] [budget=N] [min=N%] [bake=TIME] [approval] [may-be-owed]`: clusters NAME-0 and on.
            ["wave", name, count, settings @ ..] => self.wave(name, number(count)?, settings),
            ["on-failure", word] => self.on_failure(word),
            // `by-hand CLUSTER N`: somebody has installed the release and is at revision N.
            ["by-hand", name, revisions] => {
                let site = self.site(name)?;
                self.world.sites[site].helm.insert(beacon.clone(), HelmRelease::by_hand(&beacon, number(revisions)?));
                self.world.truth.had_by_hand(&cluster(name), &beacon, "beacon-9.9.9");
                Ok(())
            }
            // `version N good|helm-fails|never-ready|slow [CLUSTER]`
            ["version", version, how, only @ ..] => self.version(number(version)?, how, only.first().copied()),
            ["apply", version] => self.submit(Some(number(version)?)),
            ["uninstall"] => self.submit(None),
            ["run", time] => {
                self.world.run(span(time)?);
                Ok(())
            }
            // Lets time pass until all is at rest, with a person who helps.
            ["rest"] => self.world.come_to_rest(BOUND),
            ["offline", name] => self.on_site(name, |world, site| world.set_online(site, false)),
            ["online", name] => self.on_site(name, |world, site| world.set_online(site, true)),
            ["revoke", name] => self.on_site(name, World::revoke),
            ["join", name] => {
                let site = self.world.add_site(&cluster(name));
                self.world.enrol(site);
                Ok(())
            }
            ["crash", "coordinator", when, nth] => self.cut(Actor::Coordinator, when, nth),
            ["crash", "agent", when, nth] => self.cut(Actor::Agent, when, nth),
            ["kill", "agent", name] => self.on_site(name, World::crash_pod),
            ["freeze", "agent", name] => self.on_site(name, World::freeze_pod),
            ["kill", "helm", name] => self.on_site(name, |world, site| world.kill_helm(site, &release("beacon"), Kill::Hard)),
            ["kill", "coordinator"] => {
                let number = self.world.leader().map(|leader| leader.epoch.number).ok_or("none is up")?;
                self.world.crash_leader(number, true);
                Ok(())
            }
            ["replace", "leader", goes_on] => {
                self.world.replace_leader(span(goes_on)?);
                Ok(())
            }
            ["lock", name] => {
                let now = self.world.now;
                self.on_site(name, |world, site| world.sites[site].helm.entry(beacon.clone()).or_default().lock_by_hand(&beacon, now))
            }
            ["unlock", name] => {
                let now = self.world.now;
                self.on_site(name, |world, site| world.sites[site].helm.entry(beacon.clone()).or_default().unlock_by_hand(&beacon, now))
            }
            ["expect", rest @ ..] => self.expect(rest),
            ["refused", rest @ ..] => match self.act(rest) {
                Ok(()) => Err("was not refused".into()),
                Err(_) => Ok(()),
            },
            act => self.act(act),
        }
    }

    fn act(&mut self, words: &[&str]) -> Result<(), String> {
        let act = match words {
            ["pause"] => Act::Pause,
            ["resume"] => Act::Resume,
            ["approve"] => Act::Approve,
            ["abort"] => Act::Abort,
            ["undo"] => Act::Undo,
            ["retry", name] => Act::Retry(cluster(name)),
            ["skip", name] => Act::Skip(cluster(name)),
            _ => return Err("is no command".into()),
        };
        self.world.act(&release("beacon"), &act)
    }

    fn site(&self, name: &str) -> Result<usize, String> {
        self.world.site(&cluster(name)).ok_or_else(|| format!("there is no cluster {name}"))
    }

    fn on_site(&mut self, name: &str, act: impl FnOnce(&mut World, usize)) -> Result<(), String> {
        let site = self.site(name)?;
        act(&mut self.world, site);
        Ok(())
    }

    fn wave(&mut self, name: &str, count: usize, settings: &[&str]) -> Result<(), String> {
        let mut wave = wave(name);
        for setting in settings {
            match setting.split_once('=').unwrap_or((setting, "")) {
                ("max", value) => wave.max_concurrent = number(value)?,
                ("budget", value) => wave.failure_budget = number(value)?,
                ("min", value) => wave.min_available = number(value)?,
                ("bake", value) => wave.bake = span(value)?,
                ("approval", "") => wave.approval = true,
                ("may-be-owed", "") => wave.may_be_owed = true,
                _ => return Err(format!("{setting} is no setting of a wave")),
            }
        }
        let index = self.waves.len();
        self.waves.push(wave);
        for n in 0..count {
            let name = cluster(&format!("{name}-{n}"));
            let site = self.world.add_site(&name);
            self.world.enrol(site);
            self.members.push((name, index));
        }
        self.world.run(Span::seconds(5));
        Ok(())
    }

    fn on_failure(&mut self, word: &str) -> Result<(), String> {
        self.on_failure = match word {
            "halt" => OnFailure::Halt,
            "rollback-failed" => OnFailure::RollbackFailed,
            "rollback-all" => OnFailure::RollbackAll,
            _ => return Err("halt, rollback-failed or rollback-all".into()),
        };
        Ok(())
    }

    fn version(&mut self, version: u32, how: &str, only: Option<&str>) -> Result<(), String> {
        let behaviour = match how {
            "good" => Behaviour::Good,
            "helm-fails" => Behaviour::HelmFails,
            "never-ready" => Behaviour::NeverReady,
            "slow" => Behaviour::Slow,
            _ => return Err("good, helm-fails, never-ready or slow".into()),
        };
        self.world.behaviours.insert((version, only.map(cluster)), behaviour);
        Ok(())
    }

    fn submit(&mut self, version: Option<u32>) -> Result<(), String> {
        let strategy = strategy(self.waves.clone(), self.on_failure);
        let members = self.members.iter().cloned().collect();
        let submission = Submission { release: release("beacon"), version, strategy, members };
        self.world.submit(&submission).map(drop)
    }

    fn cut(&mut self, actor: Actor, when: &str, nth: &str) -> Result<(), String> {
        let cut = match when {
            "before" => Cut::Before,
            "after" => Cut::After,
            _ => return Err("before or after".into()),
        };
        self.world.cuts.plan(actor, number(nth)?, cut);
        Ok(())
    }

    fn expect(&mut self, words: &[&str]) -> Result<(), String> {
        let beacon = release("beacon");
        let is = |found: String, wanted: &str| if found == wanted { Ok(()) } else { Err(format!("it is {found}")) };
        match words {
            ["state", wanted] => is(self.state(), wanted),
            // `expect wave N`: the index of the open wave.
            ["wave", wanted] => {
                let wave = self.world.store.records().latest(&beacon).map(|head| head.wave.to_string());
                is(wave.unwrap_or_default(), wanted)
            }
            // `expect has CLUSTER VERSION|nothing|by-hand`
            ["has", name, wanted] => {
                let deployed = self.world.sites[self.site(name)?].helm.get(&beacon).and_then(|helm| helm.deployed());
                let has = match deployed.map(|deployed| deployed.chart.as_str()) {
                    None => "nothing".to_owned(),
                    Some("beacon-9.9.9") => "by-hand".to_owned(),
                    Some(chart) => crate::fleet::version_of(chart).map_or_else(|| chart.to_owned(), |version| version.to_string()),
                };
                is(has, wanted)
            }
            ["revision", name, wanted] => {
                let deployed = self.world.sites[self.site(name)?].helm.get(&beacon).and_then(|helm| helm.deployed());
                is(deployed.map(|deployed| deployed.revision.to_string()).unwrap_or_default(), wanted)
            }
            // `expect runs CLUSTER N`: how often helm was run there.
            ["runs", name, wanted] => is(self.world.truth.runs(&cluster(name), &beacon).to_string(), wanted),
            // `expect turn CLUSTER WORD`: waiting, inflight, succeeded, failed, timedout, skipped, owed.
            ["turn", name, wanted] => {
                let records = self.world.store.records();
                let turns = records.latest(&beacon).and_then(|head| records.turns_of(&head.id));
                let turn = turns.and_then(|turns| turns.get(&cluster(name))).cloned().unwrap_or_default();
                is(word(&format!("{:?}", turn.forward)), wanted)
            }
            ["debt", name, wanted] => {
                let debt = self.world.store.records().release(&beacon, &cluster(name)).is_some_and(|known| known.debt.is_some());
                is(if debt { "yes" } else { "no" }.to_owned(), wanted)
            }
            // `expect wait WORDS`: a reason with these words is shown.
            ["wait", wanted @ ..] => {
                let wanted = wanted.join(" ");
                let waits = self.world.leader().into_iter().flat_map(|leader| leader.waits.values()).flatten();
                let waits: Vec<String> = waits.map(|wait| format!("{}: {}", wait.subject, wait.why)).collect();
                if waits.iter().any(|wait| wait.contains(&wanted)) { Ok(()) } else { Err(format!("the reasons are {waits:?}")) }
            }
            _ => Err("is nothing to expect".into()),
        }
    }

    fn state(&self) -> String {
        match self.world.store.records().latest(&release("beacon")).map(|head| &head.state) {
            None => "none".into(),
            Some(State::Running) => "running".into(),
            Some(State::Paused { .. }) => "paused".into(),
            Some(State::Halted { .. }) => "halted".into(),
            Some(State::RollingBack { .. }) => "rolling-back".into(),
            Some(State::Ended { outcome, .. }) => match outcome {
                Outcome::Succeeded => "succeeded",
                Outcome::SucceededWithDebt => "succeeded-with-debt",
                Outcome::RolledBack => "rolled-back",
                Outcome::Superseded => "superseded",
                Outcome::Aborted => "aborted",
            }
            .into(),
        }
    }
}

fn word(debug: &str) -> String {
    debug.split([' ', '{']).next().unwrap_or_default().to_lowercase()
}
