//! What a person does to a rollout: the core decides, this commits.

use super::records::{Key, ReleaseRecord};
use super::state::State;
use super::{Coordinator, CoordinatorError, Draft, Refused};
use groundswell_core::id::{ClusterName, Digest, RolloutId};
use groundswell_core::planner::command::{self, Refusal};
use groundswell_core::planner::{Change, apply};
use groundswell_core::rollout::{ClusterRelease, Debt, Head, Purpose, Snapshot, Turn};
use groundswell_core::time::Span;
use std::collections::{BTreeMap, BTreeSet};

/// What a person wants.
#[derive(Clone, Debug)]
pub enum Command {
    /// No new cluster starts.
    Pause {
        /// In their words.
        why: String,
    },
    /// Goes on.
    Resume,
    /// A wave may be promoted.
    Approve {
        /// Its name; the open one when absent.
        wave: Option<String>,
        /// The plan that they saw.
        plan_hash: Option<Digest>,
        /// After which the word counts no more.
        expires_in: Option<Span>,
    },
    /// Another try for one cluster.
    Retry(ClusterName),
    /// One cluster is left out.
    Skip {
        /// Which.
        cluster: ClusterName,
        /// In their words.
        why: String,
    },
    /// Ended where it stands.
    Abort {
        /// In their words.
        why: String,
    },
    /// Taken back everywhere.
    Undo {
        /// In their words.
        why: String,
    },
}

impl Command {
    fn audit(&self) -> (&'static str, String) {
        match self {
            Self::Pause { why } => ("rollout.pause", why.clone()),
            Self::Resume => ("rollout.resume", String::new()),
            Self::Approve { wave, .. } => {
                ("rollout.approve", wave.as_ref().map_or_else(|| "the open wave".into(), |wave| format!("wave {wave}")))
            }
            Self::Retry(cluster) => ("rollout.retry", cluster.to_string()),
            Self::Skip { cluster, why } => ("rollout.skip", format!("{cluster}: {why}")),
            Self::Abort { why } => ("rollout.abort", why.clone()),
            Self::Undo { why } => ("rollout.undo", why.clone()),
        }
    }
}

/// What a rollout that is not there is answered with.
pub(crate) fn no_rollout(id: &RolloutId) -> Refused {
    Refused::not_found(format!("rollout {id}"), "groundswell get rollouts")
}

impl Coordinator {
    /// Carries out what a person wants; when it returns, it holds (GS-4).
    ///
    /// # Errors
    /// No such rollout, or it does not fit where the rollout stands.
    pub async fn command(&self, id: &RolloutId, wanted: Command, by: &str) -> Result<(), CoordinatorError> {
        let head = self.state().rollouts.get(id).cloned().ok_or_else(|| no_rollout(id))?;
        let snapshot = self.snapshot(&head).await?;
        self.write(|state, draft| {
            let head = state.rollouts.get(id).ok_or_else(|| no_rollout(id))?;
            let changes = decide(state, &snapshot, head, &wanted, by, draft)?;
            commit_changes(state, draft, head, &changes);
            if matches!(wanted, Command::Undo { .. }) && snapshot.purpose != Purpose::Apply {
                revive(state, draft, head);
            }
            let (what, detail) = wanted.audit();
            draft.audit(by, what, format!("rollout/{id}"), detail);
            Ok(())
        })
        .await
    }
}

fn decide(state: &State, snapshot: &Snapshot, head: &Head, wanted: &Command, by: &str, draft: &Draft) -> Result<Vec<Change>, Refused> {
    let (turns, now) = (state.turns_of(&head.id), draft.now());
    let answer = match wanted {
        Command::Pause { why } => command::pause(head, by, why),
        Command::Resume => command::resume(head),
        Command::Approve { wave, plan_hash, expires_in } => {
            command::approve(snapshot, head, turns, wave.as_deref(), plan_hash.as_ref(), by, *expires_in, now)
        }
        Command::Retry(cluster) => match failed_debt(state, head, cluster) {
            Some(debt) => Ok(vec![Change::Owe(cluster.clone(), Debt { failed: None, ..debt.clone() })]),
            None => command::retry(snapshot, head, turns, cluster),
        },
        Command::Skip { cluster, why } => command::skip(snapshot, head, turns, cluster, by, why, now),
        Command::Abort { why } => command::abort(head, by, why, now),
        Command::Undo { why } => {
            is_newest(state, head)?;
            command::undo(head, by, why)
        }
    };
    answer.map_err(|refusal| refused(head, refusal))
}

/// A deletion that is undone leaves a release that is there.
fn revive(state: &State, draft: &mut Draft, head: &Head) {
    if let Some(record) = state.releases.get(&head.release) {
        draft.put(&Key::Release(head.release.clone()), &ReleaseRecord { deleted: false, ..record.clone() });
    }
}

fn refused(head: &Head, refusal: Refusal) -> Refused {
    Refused::conflict("GS-STATE", format!("rollout {}", head.id), refusal.why).next(refusal.next)
}

/// After the rollout, a cluster whose debt could not be paid may be tried again.
fn failed_debt<'s>(state: &'s State, head: &Head, cluster: &ClusterName) -> Option<&'s Debt> {
    let debt = state.cluster_release(&head.release, cluster)?.debt.as_ref()?;
    (debt.rollout == head.id && debt.failed.is_some()).then_some(debt)
}

fn is_newest(state: &State, head: &Head) -> Result<(), Refused> {
    let latest = state.releases.get(&head.release).and_then(|release| release.latest.as_ref());
    match latest {
        Some(latest) if *latest != head.id => {
            let why = format!("{latest} is newer; what it brought would be lost");
            Err(Refused::conflict("GS-STATE", format!("undo {}", head.id), why).next(format!("groundswell rollout undo {latest}")))
        }
        _ => Ok(()),
    }
}

/// Carries changes out on the records, and puts those that differ into the draft.
pub(crate) fn commit_changes(state: &State, draft: &mut Draft, head: &Head, changes: &[Change]) {
    let (known_turns, known_releases) = (state.turns_of(&head.id), state.clusters_of(&head.release));
    let names: BTreeSet<&ClusterName> = changes.iter().filter_map(Change::cluster).collect();
    let mut turns: BTreeMap<ClusterName, Turn> = pick(&names, known_turns);
    let mut releases: BTreeMap<ClusterName, ClusterRelease> = pick(&names, known_releases);
    let mut after = head.clone();
    apply(changes, &mut after, &mut turns, &mut releases);
    if after != *head {
        draft.put(&Key::Rollout(head.id.clone()), &after);
    }
    for (name, turn) in turns {
        if known_turns.get(&name) != Some(&turn) {
            draft.put(&Key::Turn(head.id.clone(), name), &turn);
        }
    }
    for (name, release) in releases {
        if known_releases.get(&name) != Some(&release) && (release != ClusterRelease::default() || known_releases.contains_key(&name)) {
            draft.put(&Key::ClusterRelease(head.release.clone(), name), &release);
        }
    }
}

fn pick<T: Clone>(names: &BTreeSet<&ClusterName>, known: &BTreeMap<ClusterName, T>) -> BTreeMap<ClusterName, T> {
    names.iter().filter_map(|name| Some(((*name).clone(), known.get(*name)?.clone()))).collect()
}
