//! What the server makes of its disk and its configuration: a cut log, a full disk, a wrong port.

use anyhow::{Context, Result, ensure};
use groundswell_api::dto::TokenDto;
use groundswell_foundation::stand::{Programs, charts_dir, run};
use groundswell_tests::{Alone, SmallDisk};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

/// Every file below a folder, with its bytes.
fn contents(folder: &Path) -> Result<BTreeMap<PathBuf, Vec<u8>>> {
    let mut all = BTreeMap::new();
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        if path.is_dir() {
            all.extend(contents(&path)?);
        } else {
            all.insert(path.clone(), fs::read(&path)?);
        }
    }
    Ok(all)
}

/// The log of sled.
fn log_of(data: &Path) -> Result<PathBuf> {
    contents(data)?.into_keys().find(|path| path.ends_with("sled/db")).context("the store has no log")
}

#[test]
fn a_store_with_a_cut_log_is_refused_and_left_as_it_is() -> Result<()> {
    Alone::play(|server| {
        for n in 0..20 {
            token(server, &format!("east-{n}"))?;
        }
        let before = server.operator()?.state()?;
        ensure!(server.stop()?.success(), "the server did not end well");
        let log = log_of(server.data_dir())?;
        let good = contents(server.data_dir())?;
        let whole = &good[&log];
        // sled's log may have room at its end, so that half of what was written has to go.
        let written = whole.iter().rposition(|byte| *byte != 0).context("an empty log")?;
        for keep in [written / 2, 0] {
            fs::write(&log, &whole[..keep])?;
            let damaged = contents(server.data_dir())?;
            // Twice: a refusal must not mend what the next start then takes.
            for _ in 0..2 {
                refused_with_its_place(server, &log)?;
            }
            let after = contents(server.data_dir())?;
            // sled opens its own file to read it, and marks in it where it stopped; all else is as it was.
            let ours = |path: &&PathBuf| !path.starts_with(log.parent().unwrap_or(&log)) && !path.ends_with("lock");
            let touched: Vec<_> = damaged.keys().filter(ours).filter(|path| damaged.get(*path) != after.get(*path)).collect();
            ensure!(touched.is_empty(), "files of the damaged store were changed: {touched:?}");
            fs::remove_dir_all(log.parent().context("no folder of sled")?)?;
            for (path, bytes) in &good {
                fs::create_dir_all(path.parent().context("no folder")?)?;
                fs::write(path, bytes)?;
            }
        }
        server.start_again()?;
        ensure!(server.operator()?.state()? == before, "the whole log does not give the old state");
        Ok(())
    })
}

fn refused_with_its_place(server: &Alone, log: &Path) -> Result<()> {
    let ran = server.refuses_to_start()?;
    let said = format!("{}{}", ran.stdout, ran.stderr);
    let folder = log.ancestors().find(|folder| folder.parent() == Some(server.data_dir())).context("no folder of the store")?;
    ensure!(said.contains(&format!("store {} is damaged", folder.display())), "the refusal does not name {}:\n{said}", folder.display());
    ensure!(!said.contains("panicked"), "{said}");
    Ok(())
}

fn token(server: &Alone, cluster: &str) -> Result<()> {
    let request = json!({"cluster": cluster, "ttlSeconds": 600, "uses": 1});
    server.operator()?.send("POST", "/v1/tokens", request).map(|_| ())
}

fn tokens(server: &Alone) -> Result<Vec<String>> {
    let tokens: Vec<TokenDto> = server.operator()?.list("/v1/tokens")?;
    Ok(tokens.into_iter().filter_map(|token| token.cluster).collect())
}

#[test]
fn a_full_disk_is_told_and_loses_nothing() -> Result<()> {
    let temporary = tempfile::tempdir()?;
    let dir = temporary.path().canonicalize()?;
    let disk = SmallDisk::mount(&dir.join("disk"), 32)?;
    let mut server = Alone::start_on(&disk, &dir)?;
    let beacon = charts_dir().join("beacon").to_str().context("a path that is no UTF-8")?.to_owned();
    let mut acknowledged = vec!["before".to_owned()];
    token(&server, "before")?;
    let before: Value = server.operator()?.state()?;
    let ballast = disk.fill()?;

    let ran = server.cli(&["chart", "push", &beacon])?;
    ensure!(ran.code == 1 && ran.stderr.contains("GS-NO-SPACE"), "a chart pushed to a full disk: {}{}", ran.stdout, ran.stderr);
    ensure!(server.operator()?.state()? == before, "the refused push changed something");

    // What still fits into the log's last page is taken; then nobody knows what is on the disk, and the process ends.
    for n in 0..1_000 {
        let cluster = format!("east-{n}");
        if token(&server, &cluster).is_err() {
            break;
        }
        acknowledged.push(cluster);
    }
    server.wait_end()?;
    let log = fs::read_to_string(server.log())?;
    ensure!(log.contains("No space left on device") && !log.contains("panicked"), "{log}");
    let ran = server.refuses_to_start()?;
    let said = format!("{}{}", ran.stdout, ran.stderr);
    ensure!(said.contains("No space left on device") && said.contains("disk/server/store"), "it does not say what and where:\n{said}");
    ensure!(!said.contains("panicked") && !said.contains("damaged"), "{said}");

    fs::remove_file(ballast)?;
    server.start_again()?;
    let kept = tokens(&server)?;
    let lost: Vec<&String> = acknowledged.iter().filter(|cluster| !kept.contains(cluster)).collect();
    ensure!(lost.is_empty(), "acknowledged and lost: {lost:?} of {acknowledged:?}");
    server.cli(&["chart", "push", &beacon])?.ok().map(|_| ())
}

fn server(data: &Path, args: &[&str]) -> Result<groundswell_tests::Ran> {
    run(Command::new("timeout").arg("60").arg(Programs::locate()?.server).arg("run").arg("--data-dir").arg(data).args(args))
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
