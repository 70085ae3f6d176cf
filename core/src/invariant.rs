//! The invariants of DESIGN 5 that a state or a step can be checked against. Pure functions with numbers; the simulator calls
//! them after every step, tests call them, and the running server calls [`check_round`] before each commit.
//!
//! They are written to be dumber than the planner: they count and compare, and share none of its helpers.

use crate::assignment::{Assignment, Direction};
use crate::id::{ClusterName, Epoch, Generation};
use crate::planner::{Change, View};
use crate::report::Phase;
use crate::rollout::{Back, Forward, Snapshot, State, Turn, member_names};
use crate::time::Time;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

/// An invariant that does not hold.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Violation {
    /// `GS-1` to `GS-12`.
    pub id: &'static str,
    /// What was seen.
    pub what: String,
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.id, self.what)
    }
}

fn violation(id: &'static str, what: impl Into<String>) -> Violation {
    Violation { id, what: what.into() }
}

/// Checks what a round of the planner wants to commit against the view it was made from.
pub fn check_round(view: &View<'_>, changes: &[Change], now: Time) -> Vec<Violation> {
    let issued: Vec<&Assignment> = changes.iter().filter_map(|change| if let Change::Issue(a) = change { Some(a) } else { None }).collect();
    let mut found = Vec::new();
    found.extend(gs_1_concurrency(view, changes, &issued));
    found.extend(gs_1_availability(view, changes, &issued, now));
    found.extend(gs_2_reached(view, changes, &issued));
    found.extend(gs_3_members(view, &issued));
    found.extend(gs_4_pause(view, &issued));
    found.extend(gs_5_generations(view, &issued));
    found.extend(gs_10_promotion(view, changes, now));
    found
}

fn in_flight_after(view: &View<'_>, changes: &[Change]) -> BTreeSet<ClusterName> {
    let mut names: BTreeSet<ClusterName> = view.turns.iter().filter(|(_, turn)| is_in_flight(turn)).map(|(name, _)| name.clone()).collect();
    for change in changes {
        match change {
            Change::Issue(assignment) => {
                names.insert(assignment.cluster.clone());
            }
            Change::Forward(name, Forward::InFlight { .. }) | Change::Back(name, Back::InFlight { .. }) => {
                names.insert(name.clone());
            }
            Change::Forward(name, _) | Change::Back(name, _) | Change::CarriedEnded(name) => {
                names.remove(name);
            }
            _ => {}
        }
    }
    names
}

fn is_in_flight(turn: &Turn) -> bool {
    match turn.back {
        Back::InFlight { .. } => true,
        Back::None => matches!(turn.forward, Forward::InFlight { .. }) || turn.carried.is_some(),
        _ => turn.carried.is_some(),
    }
}

/// Issuing must not bring more in flight than the wave and the fleet allow. Turning a cluster round that is in flight adds none.
fn gs_1_concurrency(view: &View<'_>, changes: &[Change], issued: &[&Assignment]) -> Vec<Violation> {
    let after = in_flight_after(view, changes);
    let was_in_flight = |name: &ClusterName| view.turns.get(name).is_some_and(is_in_flight);
    let added = issued.iter().filter(|assignment| !was_in_flight(&assignment.cluster));
    let mut found = Vec::new();
    for assignment in added {
        let Some(member) = view.snapshot.members.get(&assignment.cluster) else { continue };
        let wave = if assignment.direction == Direction::Forward { view.head.wave } else { member.wave };
        let Some(wave) = view.snapshot.strategy.waves.get(wave) else { continue };
        let size = view.snapshot.members.values().filter(|other| other.wave == member.wave).count();
        let limit =
            wave.max_concurrent.max_concurrent(size).max(wave.max_concurrent.max_concurrent(wave_size(view.snapshot, view.head.wave)));
        if after.len() > limit {
            found.push(violation(
                "GS-1",
                format!("{} in flight with {} issued, maxConcurrent of wave {} is {limit}", after.len(), assignment.cluster, wave.name),
            ));
        }
        if after.len() > view.fleet_room {
            found.push(violation("GS-1", format!("{} in flight, the fleet has room for {}", after.len(), view.fleet_room)));
        }
    }
    found
}

fn wave_size(snapshot: &Snapshot, wave: usize) -> usize {
    snapshot.members.values().filter(|member| member.wave == wave).count()
}

fn gs_1_availability(view: &View<'_>, changes: &[Change], issued: &[&Assignment], now: Time) -> Vec<Violation> {
    // A cluster whose work this same round found ended is disturbed no more.
    let ended = |name: &ClusterName| {
        changes.iter().any(|change| match change {
            Change::Forward(of, forward) => of == name && !matches!(forward, Forward::InFlight { .. }),
            Change::Back(of, back) => of == name && !matches!(back, Back::InFlight { .. }),
            Change::CarriedEnded(of) => of == name,
            _ => false,
        })
    };
    let is_disturbed = |name: &ClusterName| view.turns.get(name).is_some_and(is_in_flight) && !ended(name);
    let healthy = |name: &ClusterName| is_healthy(view, name, now) && !is_disturbed(name);
    let mut found = Vec::new();
    for (index, wave) in view.snapshot.strategy.waves.iter().enumerate() {
        let members: Vec<&ClusterName> =
            view.snapshot.members.iter().filter(|(_, member)| member.wave == index).map(|(name, _)| name).collect();
        let floor = wave.min_available.min_available(members.len());
        let before = members.iter().filter(|name| healthy(name)).count();
        let disturbed =
            issued.iter().filter(|a| a.direction == Direction::Forward && members.contains(&&a.cluster) && healthy(&a.cluster)).count();
        if disturbed > 0 && before - disturbed < floor {
            found
                .push(violation("GS-1", format!("wave {}: {} healthy, {disturbed} disturbed, minAvailable is {floor}", wave.name, before)));
        }
    }
    found
}

fn is_healthy(view: &View<'_>, name: &ClusterName, now: Time) -> bool {
    let (Some(facts), Some(assignment)) = (view.clusters.get(name), view.releases.get(name).and_then(|r| r.assignment.as_ref())) else {
        return false;
    };
    facts.presence == crate::planner::Presence::Connected
        && facts.live.as_ref().is_some_and(|live| {
            live.phase == Phase::Healthy && live.generation == assignment.generation && now.0 <= live.received_at.0 + view.stale_after.0
        })
}

fn gs_2_reached(view: &View<'_>, changes: &[Change], issued: &[&Assignment]) -> Vec<Violation> {
    let reached = changes.iter().fold(view.head.wave, |wave, change| if let Change::Promote(p) = change { p.wave + 1 } else { wave });
    let beyond = issued.iter().filter(|a| a.direction == Direction::Forward);
    let beyond = beyond.filter(|a| view.snapshot.members.get(&a.cluster).is_none_or(|member| member.wave > reached));
    beyond.map(|a| violation("GS-2", format!("{} was issued {} before its wave is open", a.cluster, a.rollout))).collect()
}

fn gs_3_members(view: &View<'_>, issued: &[&Assignment]) -> Vec<Violation> {
    let strangers = issued.iter().filter(|a| !view.snapshot.members.contains_key(&a.cluster));
    strangers.map(|a| violation("GS-3", format!("{} is no member of {}", a.cluster, view.snapshot.id))).collect()
}

/// Members of a rollout never change: two looks at the same snapshot.
pub fn gs_3_frozen(first: &Snapshot, later: &Snapshot) -> Option<Violation> {
    (first.id == later.id && member_names(first) != member_names(later))
        .then(|| violation("GS-3", format!("members of {} changed", first.id)))
}

fn gs_4_pause(view: &View<'_>, issued: &[&Assignment]) -> Vec<Violation> {
    let is_stopped = !matches!(view.head.state, State::Running | State::RollingBack { .. });
    issued
        .iter()
        .filter(|_| is_stopped)
        .map(|a| violation("GS-4", format!("{} was issued while the rollout is {:?}", a.cluster, view.head.state)))
        .collect()
}

fn gs_5_generations(view: &View<'_>, issued: &[&Assignment]) -> Vec<Violation> {
    let known = |name: &ClusterName| view.releases.get(name).map_or(Generation(0), |release| release.generation);
    let stale = issued.iter().filter(|a| a.generation <= known(&a.cluster));
    stale.map(|a| violation("GS-5", format!("{} was issued generation {} after {}", a.cluster, a.generation, known(&a.cluster)))).collect()
}

/// Each cluster that lets a wave through has a fresh, healthy report about this rollout, its generation and its digest, healthy
/// for the bake time.
fn gs_10_promotion(view: &View<'_>, changes: &[Change], now: Time) -> Vec<Violation> {
    let mut found = Vec::new();
    for promotion in changes.iter().filter_map(|change| if let Change::Promote(p) = change { Some(p) } else { None }) {
        let bake = view.snapshot.strategy.waves.get(promotion.wave).map_or(0, |wave| wave.bake.0);
        let succeeded = |name: &ClusterName| {
            let changed = changes.iter().rev().find_map(|change| match change {
                Change::Forward(changed, forward) if changed == name => Some(matches!(forward, Forward::Succeeded { .. })),
                _ => None,
            });
            changed.unwrap_or_else(|| view.turns.get(name).is_some_and(|turn| matches!(turn.forward, Forward::Succeeded { .. })))
        };
        for (name, member) in &view.snapshot.members {
            if member.wave <= promotion.wave && succeeded(name) {
                found.extend(unproven(view, name, if member.wave == promotion.wave { bake } else { 0 }, now));
            }
        }
    }
    found
}

fn unproven(view: &View<'_>, name: &ClusterName, bake: u64, now: Time) -> Option<Violation> {
    let complain = |what: &str| Some(violation("GS-10", format!("wave promoted, but {name} {what}")));
    let Some(release) = view.releases.get(name) else { return complain("has no record") };
    let (Some(assignment), Some(report)) = (&release.assignment, &release.report) else { return complain("has no report") };
    if report.rollout != view.snapshot.id || report.generation != assignment.generation || assignment.rollout != view.snapshot.id {
        return complain("has only a report about something else");
    }
    if report.phase == Phase::Gone {
        return None;
    }
    let Some(live) = view.clusters.get(name).and_then(|facts| facts.live.as_ref()) else { return complain("has not been heard") };
    if now.0 > live.received_at.0 + view.stale_after.0 || live.generation != assignment.generation {
        return complain("has only stale health");
    }
    let wanted = view.snapshot.chart.as_ref().map(|chart| chart.digest.as_str()).unwrap_or_default();
    if report.chart_digest != wanted {
        return complain("runs another chart");
    }
    match live.healthy_since {
        Some(since) if live.phase == Phase::Healthy && now.0.saturating_sub(since.0) >= bake => None,
        _ => complain("is not healthy for the bake time"),
    }
}

/// One helm run that an agent (or the simulator's) saw begin.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HelmRun {
    /// Where.
    pub cluster: ClusterName,
    /// For which generation.
    pub generation: Generation,
    /// Which try.
    pub attempt: u32,
    /// The epoch of the assignment.
    pub epoch: Epoch,
    /// When it began.
    pub began: Time,
    /// When it ended; `None` while it runs.
    pub ended: Option<Time>,
    /// Whether it left a deployed revision.
    pub deployed: bool,
}

/// GS-6: no two runs of one cluster's release overlap.
pub fn gs_6_one_helm(runs: &[HelmRun]) -> Vec<Violation> {
    let mut found = Vec::new();
    for (n, run) in runs.iter().enumerate() {
        for other in &runs[n + 1..] {
            let overlap = run.cluster == other.cluster
                && other.began < run.ended.unwrap_or(Time(u64::MAX))
                && run.began < other.ended.unwrap_or(Time(u64::MAX));
            if overlap {
                found.push(violation(
                    "GS-6",
                    format!("{}: helm ran twice at once, for generations {} and {}", run.cluster, run.generation, other.generation),
                ));
            }
        }
    }
    found
}

/// GS-7: at most one deployed revision for each attempt.
pub fn gs_7_deployed_once(runs: &[HelmRun]) -> Vec<Violation> {
    let mut seen: BTreeMap<(&ClusterName, Generation, u32), usize> = BTreeMap::new();
    for run in runs.iter().filter(|run| run.deployed) {
        *seen.entry((&run.cluster, run.generation, run.attempt)).or_default() += 1;
    }
    let doubled = seen.into_iter().filter(|(_, count)| *count > 1);
    doubled
        .map(|((name, generation, attempt), count)| {
            violation("GS-7", format!("{name}: generation {generation} attempt {attempt} was deployed {count} times"))
        })
        .collect()
}

/// GS-9: the epochs that one agent obeys never fall within a lineage.
pub fn gs_9_epochs(obeyed: &[Epoch]) -> Option<Violation> {
    let fell = obeyed.windows(2).find(|pair| pair[0].lineage == pair[1].lineage && pair[1].number < pair[0].number)?;
    Some(violation("GS-9", format!("epoch {} was obeyed after {}", fell[1].number, fell[0].number)))
}

/// GS-5 over time: the generations that a cluster's release was issued only rise.
pub fn gs_5_rising(issued: &[Generation]) -> Option<Violation> {
    let fell = issued.windows(2).find(|pair| pair[1] <= pair[0])?;
    Some(violation("GS-5", format!("generation {} was issued after {}", fell[1], fell[0])))
}
