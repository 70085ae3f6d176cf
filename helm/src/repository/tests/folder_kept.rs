//! What is carried over, and what a folder without files is.

use super::*;
use std::os::unix::fs::PermissionsExt as _;

#[test]
fn empty_folders_are_yours_and_stop_the_pull() {
    let home = tempfile::tempdir().unwrap();
    let folder = home.path().join("beacon");
    let new = archive("2.0.0", &NEW);
    pull(&folder, &archive("1.0.0", &OLD), &[], false).unwrap();
    fs::create_dir_all(folder.join("keepme/sub")).unwrap();
    fs::create_dir(folder.join("templates/mine")).unwrap();
    write(&folder, "notes/a.txt", "a");
    fs::create_dir(folder.join("notes/empty")).unwrap();
    let lost = pull(&folder, &new, &[], false).unwrap();
    assert_eq!(lines(&lost), ["keepme/ Added 0", "notes/ Added 1", "templates/mine/ Added 0"]);
    assert!(fs::read_to_string(folder.join("Chart.yaml")).unwrap().contains("1.0.0"));
    // A folder of the chart of which somebody deleted all files is no folder of theirs.
    let fewer = archive("3.0.0", &[("values.yaml", "a: 3\n")]);
    for path in ["templates/a.yaml", "templates/gone.yaml", "notes/a.txt"] {
        fs::remove_file(folder.join(path)).unwrap();
    }
    for path in ["templates/mine", "notes/empty", "notes", "keepme/sub", "keepme"] {
        fs::remove_dir(folder.join(path)).unwrap();
    }
    assert!(pull(&folder, &fewer, &[], false).unwrap().is_empty() && !folder.join("templates").exists());
}

/// As git's: of its folders some are empty, and without them it is none.
#[test]
fn a_kept_folder_keeps_its_empty_folders_and_modes() {
    let home = tempfile::tempdir().unwrap();
    let folder = home.path().join("beacon");
    pull(&folder, &archive("1.0.0", &OLD), &[], false).unwrap();
    write(&folder, ".git/HEAD", "ref: refs/heads/main\n");
    write(&folder, ".git/objects/ab/cdef", "x");
    fs::create_dir_all(folder.join(".git/refs/heads")).unwrap();
    fs::create_dir(folder.join("drafts")).unwrap();
    let modes = [(".git", 0o700), (".git/objects/ab", 0o750), (".git/refs/heads", 0o711), (".git/HEAD", 0o600), ("drafts", 0o700)];
    for (path, mode) in modes {
        fs::set_permissions(folder.join(path), fs::Permissions::from_mode(mode)).unwrap();
    }
    assert!(pull(&folder, &archive("2.0.0", &NEW), &[".git", "drafts/"], false).unwrap().is_empty());
    assert!(fs::read_to_string(folder.join("Chart.yaml")).unwrap().contains("2.0.0"));
    assert_eq!(contents(&folder)[".git/objects/ab/cdef"], "x");
    for (path, mode) in modes {
        assert_eq!(fs::metadata(folder.join(path)).unwrap().permissions().mode() & 0o777, mode, "{path}");
    }
}

#[test]
fn an_empty_folder_in_the_place_of_the_new_charts_files() {
    let home = tempfile::tempdir().unwrap();
    let folder = home.path().join("beacon");
    pull(&folder, &archive("1.0.0", &OLD), &[], false).unwrap();
    fs::create_dir_all(folder.join("charts/sub")).unwrap();
    fs::create_dir(folder.join("NOTES")).unwrap();
    let theirs = [("charts/sub/Chart.yaml", "apiVersion: v2\nname: sub\nversion: 9.0.0\n"), ("NOTES", "n\n")];
    let new = archive("2.0.0", &[&NEW[..], &theirs[..]].concat());
    let error = pull(&folder, &new, &["NOTES", "charts/sub"], true).unwrap_err();
    assert!(error.to_string().contains("\"NOTES\" cannot be kept"), "{error}");
    pull(&folder, &new, &["charts/sub"], true).unwrap();
    assert!(folder.join("NOTES").is_file() && fs::read_dir(folder.join("charts/sub")).unwrap().count() == 0);
}

/// The moment between the look and the swap, again.
#[test]
fn an_empty_folder_in_the_last_moment_is_put_back() {
    let home = tempfile::tempdir().unwrap();
    let folder = home.path().join("beacon");
    pull(&folder, &archive("1.0.0", &OLD), &[], false).unwrap();
    let new = archive("2.0.0", &NEW);
    let locked = Place::of(&folder).unwrap().lock().unwrap();
    let standing = locked.look().unwrap();
    fs::create_dir(folder.join("late")).unwrap();
    let error = locked.replace(&new.files, &Record::of(&new, "x"), &Plan::default(), &standing).unwrap_err();
    assert!(error.is_conflict() && folder.join("late").is_dir(), "{error}");
}

/// `--keep templates` for one file in it keeps the others of the old version, too.
#[test]
fn what_is_kept_and_nobodys_is_told_from_what_is_yours() {
    let home = tempfile::tempdir().unwrap();
    let folder = home.path().join("beacon");
    let old =
        [("templates/cm.yaml", "old\n"), ("templates/same.yaml", "s\n"), ("templates/gone.yaml", "g\n"), ("templates/edited.yaml", "e\n")];
    let new = [("templates/cm.yaml", "new\n"), ("templates/same.yaml", "s\n"), ("templates/edited.yaml", "new\n")];
    pull(&folder, &archive("1.0.0", &old), &[], false).unwrap();
    write(&folder, "templates/mine.yaml", "m\n");
    write(&folder, "templates/edited.yaml", "mine\n");
    let Standing::Chart { tree, record: Some(record), .. } = Place::of(&folder).unwrap().lock().unwrap().look().unwrap() else { panic!() };
    let new = archive("2.0.0", &new);
    let changes = local_changes(&tree, Some(&record.files), &record.kept, &new.files);
    let plan = plan(&tree, &changes, &["templates".to_owned(), "Chart.yaml".to_owned()], &new.files).unwrap();
    let of = |set: &BTreeSet<String>| set.iter().cloned().collect::<Vec<_>>();
    assert_eq!(of(&plan.shadowed), ["Chart.yaml", "templates/cm.yaml", "templates/edited.yaml"]);
    assert_eq!(of(&plan.unedited), ["Chart.yaml", "templates/cm.yaml", "templates/gone.yaml"]);
    // By the next time nobody has touched them, and they are nobody's still.
    pull(&folder, &new, &["templates", "Chart.yaml"], false).unwrap();
    let lost = lines(&pull(&folder, &archive("3.0.0", &[("templates/cm.yaml", "newer\n")]), &[], false).unwrap());
    let expected = [
        "Chart.yaml Kept 1",
        "templates/cm.yaml Kept 1",
        "templates/edited.yaml Edited 1",
        "templates/gone.yaml Kept 1",
        "templates/mine.yaml Added 1",
    ];
    assert_eq!(lost, expected);
    write(&folder, "templates/cm.yaml", "edited\n");
    let lost = lines(&pull(&folder, &archive("3.0.0", &[("templates/cm.yaml", "newer\n")]), &[], false).unwrap());
    assert_eq!(lost[1], "templates/cm.yaml Edited 1");
}
