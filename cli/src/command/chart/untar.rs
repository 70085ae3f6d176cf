//! A pulled chart in the place of a folder.

use super::fetch::Fetching;
use crate::error::{Failure, Result, chain};
use crate::exit::Exit;
use crate::output::{Output, clean};
use groundswell_helm::repository::Pulled;
use groundswell_helm::repository::folder::{FolderError, Group, Local, Locked, Place, Record, Standing, grouped, local_changes, plan};
use serde::Serialize;
use std::collections::BTreeMap;
use std::path::Path;

/// How many lines of a listing are for people; `-o json` has all of them.
const LISTED: usize = 40;

/// What the command line asks.
pub(crate) struct Wish<'a> {
    pub(crate) folder: &'a Path,
    pub(crate) keep: &'a [String],
    pub(crate) discard: bool,
}

/// What became of the folder.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Replaced {
    /// The folder, as it was named.
    pub(crate) folder: String,
    /// Name and version of the chart that was there.
    pub(crate) replaced: Option<String>,
    /// Files that were carried over, and empty folders with a slash at their end.
    pub(crate) kept: Vec<String>,
    /// Of those, what the new chart has too: its own is not there.
    pub(crate) shadowed: Vec<String>,
    /// Files that were deleted by hand and stay away.
    pub(crate) kept_away: Vec<String>,
    /// Files of the new chart that are not there, because the folder around them was carried over as a whole.
    pub(crate) left_out: Vec<String>,
    /// What was given up.
    pub(crate) discarded: Vec<Group>,
    /// Where the old folder of an earlier pull is that was killed, with what had been changed in that moment.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) left_behind: Option<String>,
}

impl Replaced {
    /// For people.
    pub(crate) fn text(&self) -> String {
        let mut text = String::new();
        if let Some(replaced) = &self.replaced {
            text.push_str(&format!("{:<11} {}\n", "in place of", clean(replaced)));
        }
        for path in self.kept.iter().take(LISTED) {
            let note = if self.shadowed.contains(path) { " (the new chart has one too: yours is there)" } else { "" };
            text.push_str(&format!("{:<11} {}{note}\n", "kept", clean(path)));
        }
        text.push_str(&rest(self.kept.len(), "kept"));
        for path in self.kept_away.iter().take(LISTED) {
            text.push_str(&format!("{:<11} {} (deleted by hand)\n", "kept away", clean(path)));
        }
        text.push_str(&rest(self.kept_away.len(), "kept away"));
        for path in self.left_out.iter().take(LISTED) {
            text.push_str(&format!("{:<11} {} (of the new chart; the folder is yours as a whole)\n", "left out", clean(path)));
        }
        text.push_str(&rest(self.left_out.len(), "left out"));
        for group in self.discarded.iter().take(LISTED) {
            text.push_str(&format!("{:<11} {}\n", "discarded", line(group)));
        }
        text + &rest(self.discarded.len(), "discarded")
    }
}

fn rest(count: usize, label: &str) -> String {
    if count > LISTED { format!("{label:<11} and {} more\n", count - LISTED) } else { String::new() }
}

fn line(group: &Group) -> String {
    let kind = match group.kind {
        Local::Added => "added by hand",
        Local::Edited => "edited",
        Local::Deleted => "deleted",
    };
    let files = match group.files {
        0 => ", no file in it".to_owned(),
        1 => String::new(),
        files => format!(", {files} files"),
    };
    format!("{} ({kind}{files})", clean(&group.path))
}

/// Puts the chart in the folder's place, or says what stands against it. Nothing is changed then.
pub(crate) async fn replace(wish: &Wish<'_>, pulled: &Pulled, fetching: &Fetching, out: &mut Output) -> Result<Replaced> {
    let place = Place::of(wish.folder).map_err(|error| failure(&error))?;
    // Another pull may hold the lock for as long as it takes to write a folder.
    let locking = tokio::task::spawn_blocking(move || place.lock()).await;
    let locked = locking.map_err(|error| Failure::error("the folder could not be locked", error, ""))?.map_err(|error| failure(&error))?;
    let left_behind = locked.left_behind().map(|path| path.display().to_string());
    if let Some(path) = &left_behind {
        out.note(&clean(&format!(
            "note: an earlier pull was killed when it had put the new folder in its place, and the old one had been changed meanwhile: \
             that one is {path} now; take from it what you need, and remove it"
        )))?;
    }
    let standing = locked.look().map_err(|error| failure(&error))?;
    let baseline = baseline(&standing, fetching, out).await?;
    let archive = &pulled.archive;
    let changes = match &standing {
        Standing::Empty => Vec::new(),
        Standing::Chart { tree, .. } => local_changes(tree, baseline.as_ref(), &archive.files),
    };
    let tree = match &standing {
        Standing::Empty => BTreeMap::new(),
        Standing::Chart { tree, .. } => tree.clone(),
    };
    let plan = plan(&tree, &changes, wish.keep, &archive.files).map_err(|error| failure(&error))?;
    let lost = grouped(&plan.lost);
    if !lost.is_empty() && !wish.discard {
        return Err(conflict(wish.folder, &lost, baseline.is_some()));
    }
    let record = Record::of(archive, &pulled.origin);
    if let Some(error) = locked.replace(&archive.files, &record, &plan, &standing).map_err(|error| failure(&error))? {
        out.note(&clean(&format!("note: the new folder is in its place; {}: {}", chain(&error), error.next())))?;
    }
    drop::<Locked>(locked);
    Ok(Replaced {
        folder: wish.folder.display().to_string(),
        replaced: before(&standing),
        kept: plan.carried.into_iter().chain(plan.folders.iter().map(|path| format!("{path}/"))).collect(),
        shadowed: plan.shadowed.into_iter().collect(),
        kept_away: plan.absent.into_iter().collect(),
        left_out: plan.left_out.into_iter().collect(),
        discarded: lost,
        left_behind,
    })
}

/// The files of the archive that the folder was made from. A folder that we did not make is compared with the version that its
/// `Chart.yaml` names, where that can be had.
async fn baseline(standing: &Standing, fetching: &Fetching, out: &mut Output) -> Result<Option<BTreeMap<String, String>>> {
    let Standing::Chart { record, chart, .. } = standing else { return Ok(None) };
    if let Some(record) = record {
        return Ok(Some(record.files.clone()));
    }
    let Some((name, version)) = chart else { return Ok(None) };
    out.note(&format!("the folder has no record of what it was made from; comparing it with {} {}…", clean(name), clean(version)))?;
    let before = fetching.fetch_version(version).await.filter(|before| before.archive.metadata.name == *name);
    if before.is_none() {
        out.note("that version cannot be had: everything in the folder counts as yours")?;
    }
    Ok(before.map(|before| Record::of(&before.archive, &before.origin).files))
}

fn before(standing: &Standing) -> Option<String> {
    let Standing::Chart { record, chart, .. } = standing else { return None };
    let recorded = record.as_ref().map(|record| format!("{} {}", record.name, record.version));
    recorded.or_else(|| chart.as_ref().map(|(name, version)| format!("{name} {version}")))
}

fn conflict(folder: &Path, lost: &[Group], known: bool) -> Failure {
    let what = format!("{} holds what the new chart would overwrite; nothing was changed", folder.display());
    let mut lines: Vec<String> = lost.iter().take(LISTED).map(line).collect();
    if lost.len() > LISTED {
        lines.push(format!("and {} more", lost.len() - LISTED));
    }
    if !known {
        lines.push("(it is not known what the folder was made from, so all that differs from the new chart is listed)".to_owned());
    }
    let next = "--keep PATH carries a file or folder over (repeat it for each), --discard-local gives up the rest";
    Failure::new(Exit::Conflict, what, lines.join("\n"), next)
}

fn failure(error: &FolderError) -> Failure {
    let exit = match error {
        _ if error.is_conflict() => Exit::Conflict,
        FolderError::Keep { .. } => Exit::Usage,
        _ => Exit::Error,
    };
    let why = std::error::Error::source(error).map(chain).unwrap_or_default();
    Failure::new(exit, error.to_string(), why, error.next())
}
