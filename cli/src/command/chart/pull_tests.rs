use super::*;
use crate::error::finish;
use clap::Parser;
use groundswell_helm::pack;
use std::sync::Mutex;

#[derive(Debug, Parser)]
struct Line {
    #[command(flatten)]
    pull: PullArgs,
}

#[derive(Clone, Default)]
struct Buffer(Arc<Mutex<Vec<u8>>>);

impl std::io::Write for Buffer {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }
    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

/// Runs the command with a home of its own; the answer is exit code, stdout and stderr.
fn pull(home: &Path, words: &[&str]) -> (Exit, String, String) {
    let (stdout, stderr) = (Buffer::default(), Buffer::default());
    let mut out = Output::captured(stdout.clone(), stderr.clone());
    let line = Line::try_parse_from(std::iter::once(&"pull").chain(words)).unwrap();
    let home = home.display().to_string();
    let env = |name: &str| (name == "HOME").then(|| home.clone());
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let done = runtime.block_on(async {
        let (fetching, pulled) = fetched(&line.pull, env, &mut out).await?;
        land(&line.pull, &fetching, pulled, &mut out).await
    });
    let exit = finish(done, &mut out);
    let text = |buffer: Buffer| String::from_utf8(buffer.0.lock().unwrap().clone()).unwrap().replace(&home, "HOME");
    (exit, text(stdout), text(stderr))
}

/// A chart's archive in a folder.
fn archive(home: &Path, version: &str, values: &str) -> String {
    let chart = format!("apiVersion: v2\nname: beacon\nversion: {version}\nappVersion: '7'\n");
    archive_of(home, version, &[("Chart.yaml", chart.as_bytes()), ("values.yaml", values.as_bytes())])
}

fn archive_of(home: &Path, name: &str, files: &[(&str, &[u8])]) -> String {
    let folder = home.join(format!("made-{name}"));
    for (path, data) in files {
        let path = folder.join(path);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, data).unwrap();
    }
    let path = home.join(format!("from-{name}.tgz"));
    std::fs::write(&path, pack::pack(&folder).unwrap().bytes).unwrap();
    path.display().to_string()
}

#[test]
fn an_archive_lands_once_and_another_one_is_not_overwritten() {
    let home = tempfile::tempdir().unwrap();
    let from = archive(home.path(), "1.0.0", "a: 1\n");
    let into = home.path().join("into");
    std::fs::create_dir(&into).unwrap();
    let into = into.display().to_string();
    let (exit, stdout, stderr) = pull(home.path(), &[&from, "-d", &into]);
    assert_eq!(exit, Exit::Ok, "{stderr}");
    let digest = groundswell_helm::archive::digest_hex(&std::fs::read(&from).unwrap());
    let expected = format!(
        "chart       beacon 1.0.0\napp         7\ndigest      sha256:{digest} (named by nobody beforehand)\n\
         from        HOME/from-1.0.0.tgz\nprovenance  none\nfile        HOME/into/beacon-1.0.0.tgz\n"
    );
    assert_eq!(stdout.replace(&into, "HOME/into"), expected);
    assert!(stderr.starts_with("next: groundswell chart show "), "{stderr}");
    assert_eq!(pull(home.path(), &[&from, "-d", &into, "-o", "name"]).1, "HOME/into/beacon-1.0.0.tgz\n");
    let other = archive(home.path(), "1.0.0", "a: 2\n");
    let (exit, stdout, stderr) = pull(home.path(), &[&other, "-d", &into]);
    assert!(exit == Exit::Conflict && stdout.is_empty() && stderr.contains("is there and is another archive"), "{stderr}");
    let (exit, _, stderr) = pull(home.path(), &[&other, "-d", &format!("{into}/none")]);
    assert!(exit == Exit::Error && stderr.contains("make the folder first"), "{stderr}");
}

#[test]
fn a_provenance_lands_beside_its_archive() {
    let home = tempfile::tempdir().unwrap();
    let from = archive(home.path(), "1.0.0", "a: 1\n");
    let digest = groundswell_helm::archive::digest_hex(&std::fs::read(&from).unwrap());
    let signed = format!(
        "-----BEGIN PGP SIGNED MESSAGE-----\r\nHash: SHA512\r\n\r\nname: beacon\r\nversion: 1.0.0\r\n\r\n...\r\nfiles:\r\n  \
         beacon-1.0.0.tgz: sha256:{digest}\r\n-----BEGIN PGP SIGNATURE-----\r\n\r\nbm9uc2Vuc2U=\r\n=abcd\r\n-----END PGP SIGNATURE-----\r\n"
    );
    std::fs::write(format!("{from}.prov"), &signed).unwrap();
    let into = home.path().join("into");
    std::fs::create_dir(&into).unwrap();
    let (exit, stdout, stderr) = pull(home.path(), &[&from, "-d", &into.display().to_string()]);
    assert_eq!(exit, Exit::Ok, "{stderr}");
    assert!(stdout.contains("provenance  has this archive's hash, and no signature that can be read\n"), "{stdout}");
    assert!(stdout.contains("signature   HOME/into/beacon-1.0.0.tgz.prov\n"), "{stdout}");
    let saved = into.join("beacon-1.0.0.tgz.prov");
    assert_eq!(std::fs::read_to_string(&saved).unwrap(), signed, "a signature holds for the text as it came");
    let (_, json, _) = pull(home.path(), &[&from, "-d", &into.display().to_string(), "-o", "json"]);
    let report: serde_json::Value = serde_json::from_str(&json).unwrap();
    assert_eq!((&report["provenanceFile"], &report["provenance"]["verified"]), (&"HOME/into/beacon-1.0.0.tgz.prov".into(), &false.into()));
    assert!(pull(home.path(), &[&from, "-d", &into.display().to_string(), "-o", "wide"]).1.contains("  -----BEGIN PGP SIGNATURE-----\n"));
    std::fs::write(&saved, "another").unwrap();
    std::fs::remove_file(into.join("beacon-1.0.0.tgz")).unwrap();
    let (exit, _, stderr) = pull(home.path(), &[&from, "-d", &into.display().to_string()]);
    assert!(exit == Exit::Conflict && stderr.contains("is there and is another provenance"), "{stderr}");
    assert!(!into.join("beacon-1.0.0.tgz").exists(), "no archive stands beside the provenance of another");
    std::fs::remove_file(&saved).unwrap();
    std::os::unix::fs::symlink("nowhere", &saved).unwrap();
    assert_eq!(pull(home.path(), &[&from, "-d", &into.display().to_string()]).0, Exit::Conflict);
    assert!(!into.join("beacon-1.0.0.tgz").exists());
}

#[test]
fn a_folder_is_replaced_and_what_is_yours_stops_it() {
    let home = tempfile::tempdir().unwrap();
    let (one, two) = (archive(home.path(), "1.0.0", "a: 1\n"), archive(home.path(), "2.0.0", "a: 2\n"));
    let folder = home.path().join("beacon");
    let path = folder.display().to_string();
    assert_eq!(pull(home.path(), &[&one, "--untar", &path]).0, Exit::Ok);
    std::fs::create_dir_all(folder.join("charts/mine")).unwrap();
    std::fs::write(folder.join("charts/mine/Chart.yaml"), "name: mine\n").unwrap();
    std::fs::write(folder.join("values.yaml"), "a: mine\n").unwrap();
    let (exit, stdout, stderr) = pull(home.path(), &[&two, "--untar", &path]);
    assert_eq!((exit, stdout.as_str()), (Exit::Conflict, ""));
    insta::assert_snapshot!(stderr, @r"
    error: HOME/beacon holds what the new chart would overwrite; nothing was changed
      why: charts/ (added by hand)
           values.yaml (edited)
      next: --keep PATH carries a file or folder over (repeat it for each), --discard-local gives up the rest
    ");
    assert!(std::fs::read_to_string(folder.join("Chart.yaml")).unwrap().contains("1.0.0"));
    let (exit, stdout, stderr) = pull(home.path(), &[&two, "--untar", &path, "--keep", "charts/mine", "--discard-local", "-o", "json"]);
    assert_eq!(exit, Exit::Ok, "{stderr}");
    let report: serde_json::Value = serde_json::from_str(&stdout).unwrap();
    assert_eq!(report["replaced"], "beacon 1.0.0");
    assert_eq!(report["kept"], serde_json::json!(["charts/mine/Chart.yaml"]));
    assert_eq!(report["discarded"], serde_json::json!([{"path": "values.yaml", "kind": "edited", "files": 1}]));
    assert_eq!(std::fs::read_to_string(folder.join("values.yaml")).unwrap(), "a: 2\n");
    let (exit, _, stderr) = pull(home.path(), &[&two, "--untar", &path, "--keep", "nothing"]);
    assert!(exit == Exit::Usage && stderr.contains("nothing of that name"), "{stderr}");
    let (exit, _, stderr) = pull(home.path(), &[&two, "--untar", &home.path().join("made-1.0.0/values.yaml").display().to_string()]);
    assert!(exit == Exit::Error && stderr.contains("it is a file"), "{stderr}");
}

#[test]
fn another_chart_needs_a_word() {
    let home = tempfile::tempdir().unwrap();
    let (one, other) =
        (archive(home.path(), "1.0.0", "a: 1\n"), archive_of(home.path(), "x", &[("Chart.yaml", b"name: other\nversion: 2.0.0\n")]));
    let folder = home.path().join("beacon");
    let path = folder.display().to_string();
    assert_eq!(pull(home.path(), &[&one, "--untar", &path]).0, Exit::Ok);
    let (exit, stdout, stderr) = pull(home.path(), &[&other, "--untar", &path]);
    assert_eq!((exit, stdout.as_str()), (Exit::Conflict, ""));
    assert!(
        stderr.contains("HOME/beacon holds the chart beacon, and other 2.0.0 is another") && stderr.contains("--discard-local"),
        "{stderr}"
    );
    assert!(folder.join("values.yaml").exists());
    let (exit, stdout, stderr) = pull(home.path(), &[&other, "--untar", &path, "--discard-local"]);
    assert!(exit == Exit::Ok && stdout.contains("in place of beacon 1.0.0"), "{stdout} {stderr}");
    // A folder that helm unpacked has no record, and its Chart.yaml says what it is.
    std::fs::remove_file(folder.join(RECORD)).unwrap();
    assert_eq!(pull(home.path(), &[&one, "--untar", &path]).0, Exit::Conflict);
}

#[test]
fn what_is_kept_of_the_old_version_is_said() {
    let home = tempfile::tempdir().unwrap();
    let chart = |version: &str| format!("apiVersion: v2\nname: beacon\nversion: {version}\n");
    let sub = b"apiVersion: v2\nname: sub\nversion: 9.0.0\n";
    let packed = std::fs::read(archive_of(home.path(), "sub", &[("Chart.yaml", sub)])).unwrap();
    let one = archive_of(
        home.path(),
        "1",
        &[("Chart.yaml", chart("1.0.0").as_bytes()), ("templates/cm.yaml", b"old"), ("templates/b.yaml", b"b")],
    );
    let new: [(&str, &[u8]); 4] = [
        ("Chart.yaml", chart("2.0.0").leak().as_bytes()),
        ("templates/cm.yaml", b"new"),
        ("charts/sub-9.0.0.tgz", &packed),
        (".envrc", b"touch run"),
    ];
    let two = archive_of(home.path(), "2", &new);
    let folder = home.path().join("beacon");
    let path = folder.display().to_string();
    assert_eq!(pull(home.path(), &[&one, "--untar", &path]).0, Exit::Ok);
    for file in ["templates/mine.yaml", "charts/sub/Chart.yaml"] {
        std::fs::create_dir_all(folder.join(file).parent().unwrap()).unwrap();
        std::fs::write(folder.join(file), "name: sub\nversion: 1.0.0\n").unwrap();
    }
    let keep = ["--keep", "templates", "--keep", "Chart.yaml", "--keep", "charts/sub"];
    let (exit, stdout, stderr) = pull(home.path(), &[&[two.as_str(), "--untar", &path], &keep[..]].concat());
    assert_eq!(exit, Exit::Ok, "{stderr}");
    for said in [
        "kept        templates/cm.yaml (of an older version, unedited: the new chart's own is not there)\n",
        "kept        templates/b.yaml (of an older version, unedited: the new chart has none)\n",
        "kept        templates/mine.yaml\n",
    ] {
        assert!(stdout.contains(said), "{said}: {stdout}");
    }
    for said in [
        "note: the Chart.yaml in the folder was kept: it says what it said before, and not beacon 2.0.0\n",
        "note: charts/sub was kept, and the new chart has charts/sub-9.0.0.tgz: helm takes both for sub; remove one\n",
        "note: the chart brings hidden files, which shells, editors and other tools may run: .envrc\n",
    ] {
        assert!(stderr.contains(said), "{said}: {stderr}");
    }
    let (exit, _, stderr) = pull(home.path(), &[&two, "--untar", &path]);
    assert!(exit == Exit::Conflict && stderr.contains("templates/b.yaml (kept before, of an older version)\n"), "{stderr}");
}

/// Helm's own `helm package` packs the record of the folder.
#[test]
fn a_packed_record_is_left_out_with_a_note() {
    let home = tempfile::tempdir().unwrap();
    archive(home.path(), "1.0.0", "a: 1\n");
    let made = home.path().join("beacon-made/beacon");
    std::fs::create_dir_all(made.parent().unwrap()).unwrap();
    std::fs::rename(home.path().join("made-1.0.0"), &made).unwrap();
    std::fs::write(made.join(RECORD), "{}").unwrap();
    let path = home.path().join("round.tgz").display().to_string();
    let packed = std::process::Command::new("tar").args(["-czf", &path, "-C"]).arg(made.parent().unwrap()).arg("beacon").status();
    assert!(packed.unwrap().success());
    let folder = home.path().join("beacon");
    let (exit, _, stderr) = pull(home.path(), &[&path, "--untar", &folder.display().to_string()]);
    assert!(exit == Exit::Ok && stderr.contains("of an earlier pull: it was left out"), "{stderr}");
    assert!(std::fs::read_to_string(folder.join(RECORD)).unwrap().contains("\"digest\""));
}

#[test]
fn what_is_a_folder_here_is_not_fetched() {
    let home = tempfile::tempdir().unwrap();
    let (exit, _, stderr) = pull(home.path(), &[&home.path().display().to_string()]);
    assert!(exit == Exit::Usage && stderr.contains("is a folder here already") && stderr.contains("--repo"), "{stderr}");
}

#[test]
fn command_lines_that_make_no_sense() {
    for words in [
        &["a", "--untar", "b", "-d", "c"][..],
        &["a", "--keep", "b"],
        &["a", "--discard-local"],
        // clap forgets `requires` where what is required conflicts with what is there.
        &["a", "--keep", "b", "-d", "c"],
        &["a", "--discard-local", "-d", "c"],
        &["a", "--password-stdin"],
        &["a", "--username", "x", "--password-stdin", "--password-file", "y"],
        &["a", "--digest", "x"],
        &[],
    ] {
        assert!(Line::try_parse_from(std::iter::once(&"pull").chain(words)).is_err(), "{words:?}");
    }
}
