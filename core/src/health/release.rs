//! One sentence about all objects of a release.

use serde::{Deserialize, Serialize};

use super::{Health, ObjectHealth, ObjectRef};

/// An object that keeps a release from being healthy.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Unready {
    /// Which object.
    pub object: ObjectRef,
    /// What is with it.
    pub health: ObjectHealth,
}

/// What all objects of a release say together.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReleaseHealth {
    /// Every object is current.
    pub healthy: bool,
    /// Objects that will not get there by themselves.
    pub failing: Vec<Unready>,
    /// Objects that may still get there: in progress, missing, being deleted, not to be judged.
    pub waiting: Vec<Unready>,
    /// One line for people.
    pub summary: String,
}

/// Objects named in the line before it counts the rest: the line has to fit a table cell and a log line.
const NAMED: usize = 3;

/// Sums up; an object without a verdict (`None`) is one that the cluster does not have.
pub fn summarise(objects: &[(ObjectRef, Option<ObjectHealth>)]) -> ReleaseHealth {
    let missing = || ObjectHealth::new(Health::NotFound, "is not in the cluster");
    let (failing, waiting): (Vec<_>, Vec<_>) = objects
        .iter()
        .map(|(object, health)| Unready { object: object.clone(), health: health.clone().unwrap_or_else(missing) })
        .filter(|unready| !unready.health.is_current())
        .partition(|unready| unready.health.state == Health::Failed);
    let healthy = failing.is_empty() && waiting.is_empty();
    let summary = sentence(objects.len(), &failing, &waiting);
    ReleaseHealth { healthy, failing, waiting, summary }
}

fn sentence(all: usize, failing: &[Unready], waiting: &[Unready]) -> String {
    let noun = if all == 1 { "object" } else { "objects" };
    let unready = failing.len() + waiting.len();
    if unready == 0 {
        return if all == 0 { "no objects to watch".into() } else { format!("{all} {noun} ready") };
    }
    let named: Vec<String> =
        failing.iter().chain(waiting).take(NAMED).map(|unready| format!("{} {}", unready.object, unready.health.why)).collect();
    let more = match unready.saturating_sub(NAMED) {
        0 => String::new(),
        more => format!("; and {more} more"),
    };
    format!("{unready} of {all} {noun} not ready: {}{more}", named.join("; "))
}
