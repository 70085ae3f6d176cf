//! What a killed pull leaves behind, and folders that cannot be moved.

use super::super::leftover::{Mark, clear};
use super::*;
use std::os::unix::fs::PermissionsExt as _;

fn mode(path: &Path, mode: u32) {
    fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
}

#[test]
fn what_a_killed_pull_left_behind_is_put_right() {
    let home = tempfile::tempdir().unwrap();
    let folder = home.path().join("beacon");
    let old = archive("1.0.0", &OLD);
    pull(&folder, &old, &[], false).unwrap();
    let before = contents(&folder);
    let stage = home.path().join(".beacon.groundswell-pull");
    // Killed while it wrote.
    write(&stage, "new/values.yaml", "half");
    drop(Place::of(&folder).unwrap().lock().unwrap());
    assert!(!stage.exists() && contents(&folder) == before);
    // Killed between the two renames of a file system that cannot swap.
    write(&stage, "new/values.yaml", "whole");
    fs::rename(&folder, stage.join("old")).unwrap();
    drop(Place::of(&folder).unwrap().lock().unwrap());
    assert!(!stage.exists() && contents(&folder) == before);
    // A file of that name is not ours.
    fs::write(&stage, "").unwrap();
    let error = Place::of(&folder).unwrap().lock().unwrap_err();
    assert!(error.to_string().contains("in the way"), "{error}");
}

/// A pull that wrote its new folder and left its mark, and was not killed yet: the stage, and the look that it had taken.
fn ready(home: &Path, folder: &Path) -> std::path::PathBuf {
    let Standing::Chart { tree, .. } = Place::of(folder).unwrap().lock().unwrap().look().unwrap() else { panic!() };
    let stage = home.join(".beacon.groundswell-pull");
    write(&stage, "new/values.yaml", "new");
    write(&stage, "new/Chart.yaml", "new");
    Mark::leave(&stage, &stage.join("new"), &tree).unwrap();
    stage
}

fn swap(folder: &Path, new: &Path) {
    let between = new.with_extension("between");
    fs::rename(folder, &between).unwrap();
    fs::rename(new, folder).unwrap();
    fs::rename(between, new).unwrap();
}

/// The answer is where the old folder was put, and what is left beside the folder.
fn recovered(home: &Path, folder: &Path) -> (Option<std::path::PathBuf>, usize) {
    let locked = Place::of(folder).unwrap().lock().unwrap();
    (locked.left_behind().map(Path::to_owned), fs::read_dir(home).unwrap().count() - 1)
}

#[test]
fn what_was_changed_while_a_killed_pull_ran_is_put_aside() {
    let home = tempfile::tempdir().unwrap();
    let home = home.path().canonicalize().unwrap();
    let folder = home.join("beacon");
    let fresh = || {
        let _ = fs::remove_dir_all(&folder);
        pull(&folder, &archive("1.0.0", &OLD), &[], false).unwrap();
        ready(&home, &folder)
    };
    let aside = home.join(".beacon.left-behind");
    // Killed before the swap: the folder is as it was, late file and all.
    fresh();
    write(&folder, "late", "late");
    assert_eq!(recovered(&home, &folder), (None, 0));
    assert!(folder.join("late").exists() && folder.join("templates").exists());
    // Killed after it, and nothing was changed: what the operator agreed to is gone.
    let stage = fresh();
    swap(&folder, &stage.join("new"));
    assert_eq!(recovered(&home, &folder), (None, 0));
    assert_eq!(contents(&folder)["values.yaml"], "new");
    // Killed after it, and something was changed.
    for (number, change) in ["late", "values.yaml", "late-folder/"].into_iter().enumerate() {
        let stage = fresh();
        if change.ends_with('/') {
            fs::create_dir_all(folder.join("late-folder")).unwrap()
        } else {
            write(&folder, change, "late")
        };
        swap(&folder, &stage.join("new"));
        let to = if number == 0 { aside.clone() } else { home.join(format!(".beacon.left-behind-{}", number + 1)) };
        assert_eq!(recovered(&home, &folder), (Some(to.clone()), number + 1), "{change}");
        assert!(contents(&folder)["values.yaml"] == "new" && to.join("templates/gone.yaml").exists());
        assert!(to.join("late").exists() || to.join("late-folder").exists() || contents(&to)["values.yaml"] == "late");
    }
}

/// Where the file system cannot swap, the old folder steps aside.
#[test]
fn an_old_folder_that_stepped_aside_is_not_lost() {
    let home = tempfile::tempdir().unwrap();
    let home = home.path().canonicalize().unwrap();
    let folder = home.join("beacon");
    for (late, made_anew, kept) in [(false, false, false), (true, false, true), (false, true, true)] {
        let _ = fs::remove_dir_all(&folder);
        let _ = fs::remove_dir_all(home.join(".beacon.left-behind"));
        pull(&folder, &archive("1.0.0", &OLD), &[], false).unwrap();
        let stage = ready(&home, &folder);
        if late {
            write(&folder, "late", "late");
        }
        fs::rename(&folder, stage.join("old")).unwrap();
        if made_anew {
            // Between the two renames, and somebody helped themselves.
            write(&folder, "Chart.yaml", "another");
        } else {
            fs::rename(stage.join("new"), &folder).unwrap();
        }
        let (aside, beside) = recovered(&home, &folder);
        assert_eq!((aside.is_some(), beside), (kept, usize::from(kept)), "{late} {made_anew}");
        assert!(aside.is_none_or(|aside| aside.join("values.yaml").exists()));
    }
}

#[test]
fn a_folder_with_protected_folders_is_cleared_away() {
    let home = tempfile::tempdir().unwrap();
    let folder = home.path().join("stage");
    write(&folder, "new/templates/deep/a", "a");
    for path in ["new/templates/deep", "new/templates", "new", ""] {
        mode(&folder.join(path), 0o555);
    }
    clear(&folder).unwrap();
    assert!(!folder.exists());
    let error = clear(&folder).unwrap_err();
    assert!(error.next().contains("remove it by hand"), "{error}");
}

/// To root nothing is protected.
#[test]
fn a_protected_folder_is_refused_before_anything_is_written() {
    let home = tempfile::tempdir().unwrap();
    let folder = home.path().join("beacon");
    let root = rustix::process::geteuid().is_root();
    pull(&folder, &archive("1.0.0", &OLD), &[], false).unwrap();
    mode(&folder, 0o555);
    match pull(&folder, &archive("2.0.0", &NEW), &[], false) {
        Ok(_) => assert!(root),
        Err(error) => {
            assert!(!root && error.to_string().contains("may not write in it") && error.next().starts_with("chmod u+w "), "{error}");
            assert_eq!(fs::read_dir(home.path()).unwrap().count(), 1, "something was left beside the folder");
            mode(&folder, 0o755);
            // Folders inside of it stop nothing.
            mode(&folder.join("templates"), 0o555);
            pull(&folder, &archive("2.0.0", &NEW), &[], false).unwrap();
        }
    }
    assert_eq!(fs::read_dir(home.path()).unwrap().count(), 1, "something was left beside the folder");
    mode(&folder, 0o755);
}

#[test]
fn mount_points_are_known() {
    let found = |path: &str| fs::symlink_metadata(path).unwrap();
    let home = tempfile::tempdir().unwrap();
    let path = home.path().display().to_string();
    let is = |path: &str, above: &str| super::super::place::is_mount_point(Path::new(path), &found(path), &found(above));
    assert!(is("/proc", "/") && !is(&path, &path));
}

/// What is found in the last moment can be worse than a change: the words are of the place where it is again.
#[test]
fn what_was_put_back_is_named_where_it_is() {
    use std::os::unix::ffi::OsStrExt as _;
    let home = tempfile::tempdir().unwrap();
    let folder = home.path().join("beacon");
    pull(&folder, &archive("1.0.0", &OLD), &[], false).unwrap();
    let new = archive("2.0.0", &NEW);
    let locked = Place::of(&folder).unwrap().lock().unwrap();
    let standing = locked.look().unwrap();
    let late = locked.place.path().join("templates").join(std::ffi::OsStr::from_bytes(b"late-\xff"));
    fs::write(&late, "l").unwrap();
    match locked.replace(&new.files, &Record::of(&new, "x"), &Plan::default(), &standing).unwrap_err() {
        FolderError::Refused { path, reason, .. } => assert!(path == late && reason.contains("not UTF-8"), "{path:?}: {reason}"),
        other => panic!("{other:?}"),
    }
    assert!(late.exists() && fs::read_to_string(folder.join("Chart.yaml")).unwrap().contains("1.0.0"));
}
