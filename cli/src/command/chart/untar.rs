//! A pulled chart in the place of a folder.

use super::fetch::Fetching;
use crate::error::{Failure, Result, chain};
use crate::exit::Exit;
use crate::output::{Output, clean};
use groundswell_helm::archive::ChartArchive;
use groundswell_helm::repository::Pulled;
use groundswell_helm::repository::folder::{
    FolderError, Group, Local, Locked, Place, Record, Standing, grouped, is_record, local_changes, plan,
};
use serde::Serialize;
use std::collections::{BTreeMap, BTreeSet};
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
    /// Of those carried over, files of an older version that nobody edited and that the new chart has otherwise or not at all.
    pub(crate) unedited: Vec<String>,
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
            let note = match (self.unedited.contains(path), self.shadowed.contains(path)) {
                (true, true) => " (of an older version, unedited: the new chart's own is not there)",
                (true, false) => " (of an older version, unedited: the new chart has none)",
                (false, true) => " (the new chart has one too: yours is there)",
                (false, false) => "",
            };
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
        Local::Kept => "kept before, of an older version",
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
    let archive = &pulled.archive;
    if let Some(there) = named(&standing).filter(|there| *there != archive.metadata.name && !wish.discard) {
        return Err(another(wish.folder, there, archive));
    }
    let baseline = baseline(&standing, fetching, out).await?;
    let changes = match &standing {
        Standing::Empty => Vec::new(),
        Standing::Chart { tree, record, .. } => {
            let kept = record.as_ref().map(|record| record.kept.clone()).unwrap_or_default();
            local_changes(tree, baseline.as_ref(), &kept, &archive.files)
        }
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
    let record = Record::of(archive, &pulled.origin).keeping(&plan, &tree);
    if let Some(error) = locked.replace(&archive.files, &record, &plan, &standing).map_err(|error| failure(&error))? {
        out.note(&clean(&format!("note: the new folder is in its place; {}: {}", chain(&error), error.next())))?;
    }
    drop::<Locked>(locked);
    Ok(Replaced {
        folder: wish.folder.display().to_string(),
        replaced: before(&standing),
        kept: plan.carried.into_iter().chain(plan.folders.iter().map(|path| format!("{path}/"))).collect(),
        shadowed: plan.shadowed.into_iter().collect(),
        unedited: plan.unedited.into_iter().collect(),
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

/// The name of the chart that is there.
fn named(standing: &Standing) -> Option<&str> {
    let Standing::Chart { record, chart, .. } = standing else { return None };
    record.as_ref().map(|record| record.name.as_str()).or(chart.as_ref().map(|(name, _)| name.as_str()))
}

/// A name is mistyped more often than a chart replaced by another.
fn another(folder: &Path, there: &str, archive: &ChartArchive) -> Failure {
    let (name, version) = (&archive.metadata.name, &archive.metadata.version);
    let what = format!("{} holds the chart {}, and {name} {version} is another; nothing was changed", folder.display(), clean(there));
    let next = format!("name the folder of {name}; --discard-local puts it in the place of {}", clean(there));
    Failure::new(Exit::Conflict, what, "", next)
}

/// What the operator should know of a folder that is partly theirs.
pub(crate) fn remarks(replaced: &Replaced, archive: &ChartArchive) -> Vec<String> {
    let mut remarks = Vec::new();
    if replaced.shadowed.iter().any(|path| path == "Chart.yaml") {
        let (name, version) = (&archive.metadata.name, &archive.metadata.version);
        remarks.push(format!("the Chart.yaml in the folder was kept: it says what it said before, and not {name} {version}"));
    }
    let kept: BTreeSet<&str> =
        replaced.kept.iter().filter_map(|path| path.strip_prefix("charts/")?.split('/').next()).filter(|name| !name.is_empty()).collect();
    for name in kept {
        let of_same_name = |path: &str, chart: &str| path != name && (chart == name || is_archive_of(name, chart));
        let subcharts = archive.subcharts.iter().filter_map(|sub| Some((sub.path.strip_prefix("charts/")?, sub.metadata.name.as_str())));
        // What lies in a folder that was carried over as a whole is not there.
        let there = |path: &str| !replaced.left_out.iter().chain(&replaced.kept_away).any(|out| out.starts_with(&format!("charts/{path}")));
        for (path, chart) in subcharts.filter(|(path, chart)| of_same_name(path, chart) && there(path)) {
            remarks.push(format!("charts/{name} was kept, and the new chart has charts/{path}: helm takes both for {chart}; remove one"));
        }
    }
    remarks
}

/// `NAME-1.2.3.tgz`, as helm names what it packs.
fn is_archive_of(file: &str, chart: &str) -> bool {
    file.strip_prefix(chart)
        .and_then(|rest| rest.strip_prefix('-'))
        .is_some_and(|rest| rest.ends_with(".tgz") && rest.trim_start_matches('v').starts_with(|first: char| first.is_ascii_digit()))
}

/// Files that begin with a dot are not seen, and some are run: `.envrc` by a shell that is allowed to, tasks by an editor.
pub(crate) fn hidden(archive: &ChartArchive) -> Option<String> {
    /// What charts usually have and what nothing runs.
    const USUAL: [&str; 4] = [".helmignore", ".gitignore", ".gitkeep", ".editorconfig"];
    let hidden_part = |path: &str| path.split('/').find(|part| part.starts_with('.')).map(str::to_owned);
    let unusual = |path: &&String| hidden_part(path).is_some_and(|part| !USUAL.contains(&part.as_str())) && !is_record(path);
    let found: Vec<String> = archive.files.keys().filter(unusual).map(|path| clean(path)).collect();
    let more = if found.len() > 10 { format!(" and {} more", found.len() - 10) } else { String::new() };
    let named = found.iter().take(10).map(String::as_str).collect::<Vec<_>>().join(", ");
    (!found.is_empty()).then(|| format!("the chart brings hidden files, which shells, editors and other tools may run: {named}{more}"))
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
