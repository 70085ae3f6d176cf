//! What the server makes of its disk and its configuration: a cut log, a full disk, a wrong port.

use anyhow::{Context, Result, ensure};
use groundswell_foundation::stand::{Programs, charts_dir, run};
use groundswell_tests::{Alone, SmallDisk, digest};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

/// Every file below a folder, by the digest of its bytes.
fn files(folder: &Path) -> Result<BTreeMap<PathBuf, String>> {
    let mut all = BTreeMap::new();
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        if path.is_dir() {
            all.extend(files(&path)?);
        } else {
            all.insert(path.clone(), digest(&fs::read(&path)?));
        }
    }
    Ok(all)
}

/// The log of sled: the largest file named `db`.
fn log_of(data: &Path) -> Result<PathBuf> {
    let found = files(data)?.into_keys().filter(|path| path.file_name().is_some_and(|name| name == "db"));
    found.max_by_key(|path| fs::metadata(path).map(|file| file.len()).unwrap_or_default()).context("the store has no log")
}

#[test]
fn a_store_with_a_cut_log_is_refused_and_left_as_it_is() -> Result<()> {
    Alone::play(|server| {
        for n in 0..20 {
            server.operator()?.send("POST", "/v1/tokens", json!({"cluster": format!("east-{n}"), "ttlSeconds": 600, "uses": 1}))?;
        }
        let before = server.operator()?.state()?;
        ensure!(server.stop()?.success(), "the server did not end well");
        let log = log_of(server.data_dir())?;
        let whole = fs::read(&log)?;
        // sled's log is a power of two with room at its end, so that half of what was written has to go.
        let written = whole.iter().rposition(|byte| *byte != 0).context("an empty log")?;
        for keep in [written / 2, 0] {
            fs::write(&log, &whole[..keep])?;
            let damaged = files(server.data_dir())?;
            let ran = server.refuses_to_start()?;
            let said = format!("{}{}", ran.stdout, ran.stderr);
            let folder = log.ancestors().find(|folder| folder.parent() == Some(server.data_dir())).context("no folder of the store")?;
            ensure!(said.contains(&folder.display().to_string()), "the refusal does not name {}:\n{said}", folder.display());
            ensure!(!said.contains("panicked"), "{said}");
            let after = files(server.data_dir())?;
            ensure!(damaged == after, "the damaged store was changed with {keep} bytes left:\n{damaged:#?}\n{after:#?}\n{said}");
        }
        fs::write(&log, &whole)?;
        server.start_again()?;
        ensure!(server.operator()?.state()? == before, "the whole log does not give the old state");
        Ok(())
    })
}

#[test]
fn a_full_disk_is_told_and_loses_nothing() -> Result<()> {
    let temporary = tempfile::tempdir()?;
    let dir = temporary.path().canonicalize()?;
    let disk = SmallDisk::mount(&dir.join("disk"), 32)?;
    let mut server = Alone::start_on(&disk, &dir)?;
    let beacon = charts_dir().join("beacon").to_str().context("a path that is no UTF-8")?.to_owned();
    server.operator()?.send("POST", "/v1/tokens", json!({"cluster": "east-01", "ttlSeconds": 600, "uses": 1}))?;
    let before: Value = server.operator()?.state()?;
    let ballast = disk.fill()?;

    let ran = server.cli(&["chart", "push", &beacon])?;
    let log = fs::read_to_string(server.log())?;
    ensure!(ran.code != 0 && !ran.stderr.trim().is_empty(), "a chart was pushed to a full disk: {}", ran.stdout);
    ensure!(log.contains("No space left on device") && log.contains("disk/server"), "the log does not say what and where:\n{log}");
    ensure!(!log.contains("panicked"), "{log}");
    ensure!(server.operator()?.state()? == before, "the refused push changed something");

    ensure!(server.stop()?.success(), "the server did not end well:\n{}", fs::read_to_string(server.log())?);
    let ran = server.refuses_to_start()?;
    let said = format!("{}{}", ran.stdout, ran.stderr);
    ensure!(said.contains("No space left on device") && said.contains("disk/server"), "the refusal does not say what and where:\n{said}");
    ensure!(!said.contains("panicked"), "{said}");

    fs::remove_file(ballast)?;
    server.start_again()?;
    ensure!(server.operator()?.state()? == before, "something was lost on the full disk");
    server.cli(&["chart", "push", &beacon])?.ok().map(|_| ())
}

fn server(data: &Path, args: &[&str]) -> Result<groundswell_tests::Ran> {
    run(Command::new("timeout").arg("20").arg(Programs::locate()?.server).arg("run").arg("--data-dir").arg(data).args(args))
}

#[test]
fn a_wrong_configuration_is_refused_before_a_port_opens() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let data = folder.path().join("data");
    let cases = [
        ("sessions: {listen: '127.0.0.1:70000'}", "sessions.listen"),
        ("operators: {listen: localhost}", "operators.listen"),
        ("sessions: {listen: '127.0.0.1:7443'}", "two listeners"),
        ("sesions: {}", "sesions"),
        ("admin: [", "line 1"),
        ("heartbeatMs: 5", "heartbeatMs"),
    ];
    for (text, words) in cases {
        let file = folder.path().join("server.yaml");
        fs::write(&file, text)?;
        let ran = server(&data, &["--config", file.to_str().context("a path that is no UTF-8")?])?;
        ensure!(ran.code == 64 && ran.stderr.contains(words), "{text}: exited with {}: {}{}", ran.code, ran.stdout, ran.stderr);
        ensure!(!data.exists(), "{text}: the data folder was made");
    }
    Ok(())
}

#[test]
fn a_port_that_is_taken_is_named() -> Result<()> {
    Alone::play(|other| {
        let address = other.address("operators");
        let data = other.dir().join("second");
        let any = "127.0.0.1:0";
        let ran =
            server(&data, &["--enrolment-listen", any, "--sessions-listen", any, "--admin-listen", any, "--operators-listen", &address])?;
        let said = format!("{}{}", ran.stdout, ran.stderr);
        ensure!(ran.code != 0 && ran.code != 124 && said.contains(&address), "exited with {}: {said}", ran.code);
        ensure!(!said.contains("panicked"), "{said}");
        Ok(())
    })
}
