//! Pairs of small charts, each made for one point, and what `chart diff` says about them.
//!
//! A pair is a folder of `pairs/`: `point.md` says in a sentence what a person must be told; `old/` and `new/` are the two charts,
//! `both/` is in either and `base/` in all; `values.yaml` and `args` are optional. `expected.txt` is what is printed, and the exit
//! code. A `Gap:` in a point says where the text still falls short of it. `UPDATE_EXPECT=1 cargo test -p groundswell --test pairs`
//! writes it anew: read it against the point before you commit it.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

/// Pairs at once: most of their time is the wait for helm.
const THREADS: usize = 4;

fn pairs() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/pairs")
}

/// The real helm. Absent, the test fails and says how to get it.
fn helm() -> PathBuf {
    let built = Path::new(env!("CARGO_MANIFEST_DIR")).join("../target/foundation/bin/helm");
    let named = std::env::var_os("GROUNDSWELL_HELM").map(PathBuf::from);
    let on_path = std::env::var_os("PATH").unwrap_or_default();
    let candidates = named.into_iter().chain([built]).chain(std::env::split_paths(&on_path).map(|p| p.join("helm")));
    let found = candidates.into_iter().find(|path| path.is_file());
    found.and_then(|p| p.canonicalize().ok()).expect("no helm binary: build it (cargo xtask foundation) or name one in GROUNDSWELL_HELM")
}

fn lay(from: &Path, to: &Path) {
    let Ok(entries) = fs::read_dir(from) else { return };
    fs::create_dir_all(to).unwrap();
    for entry in entries {
        let entry = entry.unwrap();
        let to = to.join(entry.file_name());
        if entry.path().is_dir() {
            lay(&entry.path(), &to);
        } else {
            fs::copy(entry.path(), to).unwrap();
        }
    }
}

/// What is printed, and the exit code; the same on every machine.
fn said(pair: &Path, home: &Path) -> String {
    for side in ["old", "new"] {
        for from in [pairs().join("base").join(side), pair.join("both"), pair.join(side)] {
            lay(&from, &home.join(side));
        }
    }
    let args = fs::read_to_string(pair.join("args")).unwrap_or_default();
    let defaults = ["--kube-version 1.33.2", "--release beacon", "--namespace demo", "--width 80", "--color never"];
    let mut command = Command::new(env!("CARGO_BIN_EXE_groundswell"));
    command.args(["chart", "diff", "./old", "./new"]).args(args.split_whitespace());
    for default in defaults {
        let mut words = default.split(' ');
        if words.next().is_some_and(|flag| !args.contains(flag)) {
            command.args(default.split(' '));
        }
    }
    if pair.join("values.yaml").is_file() {
        fs::copy(pair.join("values.yaml"), home.join("values.yaml")).unwrap();
        command.args(["--values", "values.yaml"]);
    }
    command.env_clear().env("HOME", home).env("XDG_CACHE_HOME", home.join("cache")).env("GROUNDSWELL_HELM", helm());
    let out = command.current_dir(home).output().unwrap();
    let code = out.status.code().unwrap_or(-1);
    let mut text = String::from_utf8(out.stdout).unwrap();
    // What helm needed in time goes to the other stream; a refusal goes there too.
    if text.is_empty() || !matches!(code, 0 | 3 | 9) {
        text += &String::from_utf8_lossy(&out.stderr);
    }
    format!("{text}exit code {code}\n")
}

#[test]
fn every_pair_is_told_as_it_should_be() {
    let mut all: Vec<PathBuf> = fs::read_dir(pairs()).unwrap().map(|entry| entry.unwrap().path()).collect();
    all.retain(|path| path.join("point.md").is_file());
    all.sort();
    let numbers: BTreeSet<String> = all.iter().filter_map(|p| Some(p.file_name()?.to_str()?.split('-').next()?.to_owned())).collect();
    assert!(all.len() >= 36 && numbers.len() == all.len(), "{} pairs, {} numbers", all.len(), numbers.len());
    let (next, wrong) = (AtomicUsize::new(0), Mutex::new(Vec::new()));
    std::thread::scope(|scope| {
        for _ in 0..THREADS {
            scope.spawn(|| {
                while let Some(pair) = all.get(next.fetch_add(1, Ordering::Relaxed)) {
                    check(pair, &wrong);
                }
            });
        }
    });
    let mut wrong = wrong.into_inner().unwrap();
    wrong.sort();
    assert!(wrong.is_empty(), "{} of {} pairs:\n\n{}", wrong.len(), all.len(), wrong.join("\n"));
}

fn check(pair: &Path, wrong: &Mutex<Vec<String>>) {
    let home = tempfile::tempdir().unwrap();
    let got = said(pair, home.path());
    let file = pair.join("expected.txt");
    if std::env::var_os("UPDATE_EXPECT").is_some() {
        fs::write(&file, &got).unwrap();
        return;
    }
    let expected = fs::read_to_string(&file).unwrap_or_default();
    if got != expected {
        let point = fs::read_to_string(pair.join("point.md")).unwrap();
        let name = pair.file_name().unwrap_or_default().to_string_lossy();
        wrong.lock().unwrap().push(format!("== {name}\n{point}-- expected\n{expected}-- got\n{got}"));
    }
}
