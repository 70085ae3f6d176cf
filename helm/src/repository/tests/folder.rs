use super::swap::step_aside;
use super::*;
use crate::archive::ChartArchive;
use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

#[path = "folder_kept.rs"]
mod kept;
#[path = "folder_left.rs"]
mod left;

/// A chart with these files, beside a Chart.yaml.
fn archive(version: &str, files: &[(&str, &str)]) -> ChartArchive {
    let folder = tempfile::tempdir().unwrap();
    let chart = format!("apiVersion: v2\nname: beacon\nversion: {version}\n");
    for (path, text) in files.iter().copied().chain([("Chart.yaml", chart.as_str())]) {
        let path = folder.path().join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }
    ChartArchive::read(&crate::pack::pack(folder.path()).unwrap().bytes).unwrap()
}

fn write(folder: &Path, path: &str, text: &str) {
    let path = folder.join(path);
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(path, text).unwrap();
}

/// What is in a folder, by path; links by their target.
fn contents(folder: &Path) -> BTreeMap<String, String> {
    fn walk(folder: &Path, below: &str, into: &mut BTreeMap<String, String>) {
        for entry in fs::read_dir(folder).unwrap().map(Result::unwrap) {
            let name = format!("{below}{}", entry.file_name().to_str().unwrap());
            match entry.file_type().unwrap() {
                kind if kind.is_dir() => walk(&entry.path(), &format!("{name}/"), into),
                kind if kind.is_symlink() => drop(into.insert(name, "link".into())),
                _ => drop(into.insert(name, fs::read_to_string(entry.path()).unwrap())),
            }
        }
    }
    let mut all = BTreeMap::new();
    walk(folder, "", &mut all);
    all
}

/// Pulls an archive into a folder; the answer is what would be lost, and nothing was done if there is any.
fn pull(folder: &Path, archive: &ChartArchive, keep: &[&str], discard: bool) -> Result<Vec<Group>, FolderError> {
    let locked = Place::of(folder)?.lock()?;
    let standing = locked.look()?;
    let (tree, record) = match &standing {
        Standing::Empty => (Tree::new(), None),
        Standing::Chart { tree, record, .. } => (tree.clone(), record.as_ref()),
    };
    let kept = record.map(|record| record.kept.clone()).unwrap_or_default();
    let changes = local_changes(&tree, record.map(|record| &record.files), &kept, &archive.files);
    let keep: Vec<String> = keep.iter().map(|path| (*path).to_owned()).collect();
    let plan = plan(&tree, &changes, &keep, &archive.files)?;
    if plan.lost.is_empty() || discard {
        locked.replace(&archive.files, &Record::of(archive, "here").keeping(&plan, &tree), &plan, &standing)?;
    }
    Ok(grouped(&plan.lost))
}

fn lines(groups: &[Group]) -> Vec<String> {
    groups.iter().map(|group| format!("{} {:?} {}", group.path, group.kind, group.files)).collect()
}

const OLD: [(&str, &str); 4] =
    [("values.yaml", "a: 1\n"), ("templates/a.yaml", "a\n"), ("templates/gone.yaml", "x\n"), ("README.md", "old\n")];
const NEW: [(&str, &str); 4] =
    [("values.yaml", "a: 2\n"), ("templates/a.yaml", "a\n"), ("templates/new.yaml", "n\n"), ("README.md", "new\n")];

#[test]
fn no_file_of_the_old_version_stays() {
    let home = tempfile::tempdir().unwrap();
    let folder = home.path().join("beacon");
    let (old, new) = (archive("1.0.0", &OLD), archive("2.0.0", &NEW));
    assert!(pull(&folder, &old, &[], false).unwrap().is_empty());
    assert!(pull(&folder, &new, &[], false).unwrap().is_empty());
    let mut there = contents(&folder);
    let record: Record = serde_json::from_str(&there.remove(RECORD).unwrap()).unwrap();
    assert_eq!((record.version.as_str(), record.digest), ("2.0.0", format!("sha256:{}", new.digest)));
    let expected: BTreeSet<&String> = new.files.keys().collect();
    assert_eq!(there.keys().collect::<BTreeSet<_>>(), expected);
    assert_eq!(fs::read_dir(home.path()).unwrap().count(), 1, "something was left beside the folder");
    let packed = crate::pack::pack(&folder).unwrap();
    assert_eq!(packed.archive.files, new.files, "the record is packed too");
}

#[test]
fn what_is_the_operators_stops_the_pull() {
    let home = tempfile::tempdir().unwrap();
    let folder = home.path().join("beacon");
    pull(&folder, &archive("1.0.0", &OLD), &[], false).unwrap();
    write(&folder, "values.yaml", "a: mine\n");
    write(&folder, "charts/mine/Chart.yaml", "name: mine\n");
    write(&folder, "charts/mine/templates/x.yaml", "x\n");
    write(&folder, "templates/mine.yaml", "m\n");
    fs::remove_file(folder.join("README.md")).unwrap();
    fs::remove_file(folder.join("templates/gone.yaml")).unwrap();
    std::os::unix::fs::symlink("/etc/passwd", folder.join("link")).unwrap();
    let before = contents(&folder);
    let new = archive("2.0.0", &NEW);
    let expected = ["README.md Deleted 1", "charts/ Added 2", "link Added 1", "templates/mine.yaml Added 1", "values.yaml Edited 1"];
    assert_eq!(lines(&pull(&folder, &new, &[], false).unwrap()), expected);
    assert_eq!(contents(&folder), before);
    let left = pull(&folder, &new, &["charts/mine", "./values.yaml", "README.md"], false).unwrap();
    assert_eq!(lines(&left), ["link Added 1", "templates/mine.yaml Added 1"]);
    assert_eq!(contents(&folder), before);
    pull(&folder, &new, &["charts/mine", "values.yaml", "README.md"], true).unwrap();
    let after = contents(&folder);
    assert_eq!(after["values.yaml"], "a: mine\n");
    assert_eq!(after["charts/mine/templates/x.yaml"], "x\n");
    assert!(after.contains_key("templates/new.yaml"));
    for gone in ["README.md", "link", "templates/mine.yaml", "templates/gone.yaml"] {
        assert!(!after.contains_key(gone), "{gone}");
    }
    let again = pull(&folder, &new, &[], false).unwrap();
    assert_eq!(lines(&again), ["README.md Deleted 1", "charts/ Added 2", "values.yaml Edited 1"], "what was kept is still the operator's");
}

#[test]
fn what_the_new_version_has_too_is_not_lost() {
    let home = tempfile::tempdir().unwrap();
    let folder = home.path().join("beacon");
    pull(&folder, &archive("1.0.0", &OLD), &[], false).unwrap();
    write(&folder, "values.yaml", "a: 2\n");
    write(&folder, "templates/new.yaml", "n\n");
    fs::remove_file(folder.join("templates/gone.yaml")).unwrap();
    assert!(pull(&folder, &archive("2.0.0", &NEW), &[], false).unwrap().is_empty());
}

#[test]
fn a_part_of_an_added_folder_can_be_kept() {
    let home = tempfile::tempdir().unwrap();
    let folder = home.path().join("beacon");
    pull(&folder, &archive("1.0.0", &OLD), &[], false).unwrap();
    write(&folder, "mine/a", "a");
    write(&folder, "mine/b", "b");
    let new = archive("2.0.0", &NEW);
    assert_eq!(lines(&pull(&folder, &new, &["mine/a"], false).unwrap()), ["mine/ Added 1"]);
    pull(&folder, &new, &["mine/a"], true).unwrap();
    assert!(folder.join("mine/a").exists() && !folder.join("mine/b").exists());
}

#[test]
fn a_record_inside_of_the_archive_is_left_out() {
    let home = tempfile::tempdir().unwrap();
    let folder = home.path().join("beacon");
    let with_record = |path: &str| {
        let mut archive = archive("1.0.0", &OLD);
        archive.files.insert(path.to_owned(), b"{}".as_slice().into());
        archive
    };
    for path in [RECORD.to_owned(), format!("{RECORD}/x")] {
        let round_trip = with_record(&path);
        for _ in 0..2 {
            assert!(pull(&folder, &round_trip, &[], false).unwrap().is_empty(), "{path}");
        }
        let record: Record = serde_json::from_str(&contents(&folder)[RECORD]).unwrap();
        assert!(record.version == "1.0.0" && !record.files.contains_key(&path), "{path}");
    }
}

#[test]
fn a_kept_folder_is_carried_over_whole() {
    let home = tempfile::tempdir().unwrap();
    let folder = home.path().join("beacon");
    pull(&folder, &archive("1.0.0", &OLD), &[], false).unwrap();
    write(&folder, "charts/sub/Chart.yaml", "name: sub\nversion: 0.1.0\n");
    write(&folder, "charts/sub/templates/mine.yaml", "m\n");
    let theirs = [
        ("charts/sub/Chart.yaml", "apiVersion: v2\nname: sub\nversion: 9.0.0\n"),
        ("charts/sub/templates/theirs.yaml", "t\n"),
        ("charts/subway/Chart.yaml", "apiVersion: v2\nname: subway\nversion: 1.0.0\n"),
    ];
    let new = archive("2.0.0", &[&NEW[..], &theirs[..]].concat());
    assert!(pull(&folder, &new, &["charts/sub"], false).unwrap().is_empty());
    let there: Vec<String> = contents(&folder).into_keys().filter(|path| path.starts_with("charts/")).collect();
    assert_eq!(there, ["charts/sub/Chart.yaml", "charts/sub/templates/mine.yaml", "charts/subway/Chart.yaml"]);
    let locked = Place::of(&folder).unwrap().lock().unwrap();
    let Standing::Chart { tree, record: Some(record), .. } = locked.look().unwrap() else { panic!() };
    let changes = local_changes(&tree, Some(&record.files), &record.kept, &new.files);
    let plan = plan(&tree, &changes, &["charts/sub".to_owned()], &new.files).unwrap();
    // Of the second pull: what is away since the first one counts as deleted by hand.
    assert_eq!(plan.absent.iter().chain(&plan.left_out).collect::<Vec<_>>(), ["charts/sub/templates/theirs.yaml"]);
    assert_eq!(plan.shadowed.iter().collect::<Vec<_>>(), ["charts/sub/Chart.yaml"]);
}

#[test]
fn without_a_record_all_that_differs_is_the_operators() {
    let home = tempfile::tempdir().unwrap();
    let folder = home.path().join("beacon");
    let old = archive("1.0.0", &OLD);
    for (path, data) in &old.files {
        write(&folder, path, std::str::from_utf8(data).unwrap());
    }
    let new = archive("2.0.0", &NEW);
    let lost = pull(&folder, &new, &[], false).unwrap();
    assert_eq!(lines(&lost), ["Chart.yaml Added 1", "README.md Added 1", "templates/gone.yaml Added 1", "values.yaml Added 1"]);
    let locked = Place::of(&folder).unwrap().lock().unwrap();
    let Standing::Chart { tree, record: None, chart } = locked.look().unwrap() else { panic!() };
    assert_eq!(chart, Some(("beacon".to_owned(), "1.0.0".to_owned())));
    assert!(local_changes(&tree, Some(&Record::of(&old, "x").files), &BTreeMap::new(), &new.files).is_empty());
}

#[test]
fn paths_to_keep_stay_inside() {
    let home = tempfile::tempdir().unwrap();
    let folder = home.path().join("beacon");
    pull(&folder, &archive("1.0.0", &OLD), &[], false).unwrap();
    std::os::unix::fs::symlink("/etc", folder.join("link")).unwrap();
    write(&folder, "templates/new.yaml/x", "a folder");
    let new = archive("2.0.0", &NEW);
    for (path, said) in [
        ("/etc/passwd", "not a path inside"),
        ("../other", "not a path inside"),
        ("a/../../b", "not a path inside"),
        ("", "to keep all"),
        (".", "to keep all"),
        ("nothing", "nothing of that name"),
        ("values", "nothing of that name"),
        ("link", "symbolic link"),
        ("link/passwd", "nothing of that name"),
        (RECORD, "it is the record"),
        ("templates/new.yaml", "would have to be a folder"),
    ] {
        let error = pull(&folder, &new, &[path], true).expect_err(path);
        assert!(error.to_string().contains(said), "{path}: {error}");
    }
}

#[test]
fn what_is_no_chart_folder_is_never_replaced() {
    let home = tempfile::tempdir().unwrap();
    let new = archive("2.0.0", &NEW);
    write(home.path(), "photos/a.jpg", "a");
    write(home.path(), "file", "a");
    std::os::unix::fs::symlink("photos", home.path().join("link")).unwrap();
    let here = std::env::current_dir().unwrap();
    for (path, said) in [
        (home.path().join("photos"), "no Chart.yaml"),
        (home.path().join("file"), "it is a file"),
        (home.path().join("link"), "symbolic link"),
        (home.path().join("none/beacon"), "the folder above it is not there"),
        (home.path().join(".."), "ends in .."),
        ("/".into(), "root"),
        ("/proc".into(), "mount point"),
        (here.clone(), "you stand in it"),
        (here.parent().unwrap().to_owned(), "you stand in it"),
    ] {
        let error = pull(&path, &new, &[], true).expect_err(&path.display().to_string());
        assert!(error.to_string().contains(said) && !error.next().is_empty(), "{path:?}: {error}");
    }
    assert_eq!(contents(home.path()).len(), 3);
}

/// The moment in which an editor saves: after the look, before the swap.
#[test]
fn a_change_in_the_last_moment_is_put_back() {
    let home = tempfile::tempdir().unwrap();
    let folder = home.path().join("beacon");
    pull(&folder, &archive("1.0.0", &OLD), &[], false).unwrap();
    let new = archive("2.0.0", &NEW);
    let locked = Place::of(&folder).unwrap().lock().unwrap();
    let standing = locked.look().unwrap();
    write(&folder, "values.yaml", "saved: just now\n");
    let error = locked.replace(&new.files, &Record::of(&new, "x"), &Plan::default(), &standing).unwrap_err();
    assert!(error.is_conflict(), "{error}");
    assert_eq!(contents(&folder)["values.yaml"], "saved: just now\n");
    assert!(!folder.join("templates/new.yaml").exists());
    drop(locked);
    assert_eq!(fs::read_dir(home.path()).unwrap().count(), 1);
}

#[test]
fn a_file_system_that_cannot_swap_is_served_by_two_renames() {
    let home = tempfile::tempdir().unwrap();
    let (new, target, aside) = (home.path().join("new"), home.path().join("target"), home.path().join("aside"));
    write(&new, "a", "new");
    write(&target, "a", "old");
    step_aside(&new, &target, &aside).unwrap();
    assert_eq!((contents(&target)["a"].as_str(), contents(&aside)["a"].as_str()), ("new", "old"));
    assert!(step_aside(&home.path().join("none"), &target, &home.path().join("aside2")).is_err());
    assert_eq!(contents(&target)["a"], "new", "put back when the second rename fails");
}

/// One thread holds the lock; the other has to wait for it and then sees what the first one did.
#[test]
fn two_pulls_go_one_after_the_other() {
    let home = tempfile::tempdir().unwrap();
    let folder = home.path().join("beacon");
    let (old, new) = (archive("1.0.0", &OLD), archive("2.0.0", &NEW));
    pull(&folder, &old, &[], false).unwrap();
    let held = Place::of(&folder).unwrap().lock().unwrap();
    let second = std::thread::spawn({
        let folder = folder.clone();
        move || pull(&folder, &new, &[], false).map(|lost| lines(&lost))
    });
    write(&folder, "values.yaml", "a: mine\n");
    assert!(!second.is_finished());
    drop(held);
    assert_eq!(second.join().unwrap().unwrap(), ["values.yaml Edited 1"]);
}

#[test]
fn an_unwritable_parent_is_said() {
    let home = tempfile::tempdir().unwrap();
    let folder = home.path().join("beacon");
    fs::create_dir(&folder).unwrap();
    let error = FolderError::Io { what: "cannot make", path: folder.clone(), source: std::io::ErrorKind::PermissionDenied.into() };
    assert!(error.next().contains("beside the old one"));
    let full = FolderError::Io { what: "cannot write", path: folder, source: std::io::ErrorKind::StorageFull.into() };
    assert!(full.next().contains("make room"));
}
