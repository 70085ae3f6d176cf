//! Bad input at the operators' side: each of a corpus gets a refusal that says what and where, nothing panics, nothing changes.

use anyhow::{Context, Result, ensure};
use groundswell_foundation::stand::charts_dir;
use groundswell_tests::archive::Tar;
use groundswell_tests::{Alone, digest};
use serde_json::{Value, json};
use std::fs;
use std::path::{Path, PathBuf};
use tar::EntryType;

fn corpus() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("corpus/documents")
}

/// Three clusters without agents, and the beacon chart.
fn play(test: impl FnOnce(&mut Alone) -> Result<()>) -> Result<()> {
    Alone::play(|server| {
        server.enrol("east-01", json!({"foundation": "east", "canary": "true"}))?;
        server.enrol("east-02", json!({"foundation": "east"}))?;
        server.enrol("west-01", json!({"foundation": "west"}))?;
        let variables = json!({"variables": {"lines": "one\ntwo: 2"}});
        for cluster in ["east-01", "east-02", "west-01"] {
            server.operator()?.send("PUT", &format!("/v1/clusters/{cluster}/variables"), variables.clone())?;
        }
        let beacon = charts_dir().join("beacon");
        server.cli(&["chart", "push", beacon.to_str().context("a path that is no UTF-8")?])?.ok()?;
        let before = server.operator()?.state()?;
        test(server)?;
        let after = server.operator()?.state()?;
        ensure!(before == after, "something changed:\n{before:#}\n{after:#}");
        Ok(())
    })
}

/// `# refused: LINE:COLUMN | words` in a document's first line; `-` where no place of the document is to blame.
fn expectation(text: &str) -> Result<(Option<String>, String)> {
    let first = text.lines().next().unwrap_or_default();
    let (place, words) =
        first.strip_prefix("# refused:").and_then(|rest| rest.split_once('|')).context("no expectation in its first line")?;
    let place = Some(place.trim().to_owned()).filter(|place| place != "-");
    Ok((place, words.trim().to_owned()))
}

#[test]
fn every_document_of_the_corpus_is_refused() -> Result<()> {
    play(|server| {
        let mut wrong = Vec::new();
        let mut seen = 0;
        for entry in fs::read_dir(corpus())? {
            let path = entry?.path();
            let (place, words) = expectation(&fs::read_to_string(&path)?).with_context(|| path.display().to_string())?;
            let name = path.to_str().context("a path that is no UTF-8")?;
            seen += 1;
            for more in [&["--dry-run"][..], &[]] {
                let ran = server.cli(&[&["apply", "-f", name], more].concat())?;
                let said = format!("{}{}", ran.stdout, ran.stderr);
                let placed = place.as_ref().is_none_or(|place| said.contains(&format!("{name}:{place}")));
                if ran.code == 0 || !placed || !said.contains(&words) || said.contains("panicked") {
                    wrong.push(format!("{name} {more:?}: expected {place:?} {words:?}, exit code {}:\n{said}", ran.code));
                }
            }
        }
        ensure!(seen > 20, "only {seen} documents in {}", corpus().display());
        ensure!(wrong.is_empty(), "{} of {seen}:\n{}", wrong.len(), wrong.join("\n"));
        Ok(())
    })
}

/// Archives that no honest packer makes, and what their refusal names.
fn archives() -> Result<Vec<(&'static str, Vec<u8>, &'static str)>> {
    let good = Tar::good().tgz()?;
    Ok(vec![
        ("a way up", Tar::good().file("beacon/../../etc/passwd", b"x").tgz()?, ".."),
        ("an absolute path", Tar::good().file("/etc/passwd", b"x").tgz()?, "absolute"),
        ("a drive", Tar::good().file("C:\\windows", b"x").tgz()?, "C:"),
        ("a symbolic link", Tar::good().link(EntryType::Symlink, "beacon/templates", "/etc").tgz()?, "symbolic link"),
        ("a hard link", Tar::good().link(EntryType::Link, "beacon/x", "/etc/passwd").tgz()?, "link"),
        ("a device", Tar::good().link(EntryType::Char, "beacon/zero", "").tgz()?, "only files and folders"),
        ("two folders", Tar::good().file("other/Chart.yaml", b"x").tgz()?, "one folder at the top"),
        ("a bomb", Tar::good().file("beacon/bomb", &vec![0; 64 << 20]).tgz()?, "expands to more"),
        ("a name like a flag", Tar::default().file("--set/Chart.yaml", b"apiVersion: v2\nname: --set\nversion: 1.0.0\n").tgz()?, "--set"),
        ("no chart", Tar::default().file("beacon/values.yaml", b"a: 1\n").tgz()?, "Chart.yaml"),
        (
            "a schema from elsewhere",
            Tar::good().file("beacon/values.schema.json", br#"{"$ref": "https://example.com/s.json"}"#).tgz()?,
            "schema",
        ),
        ("half of one", good[..good.len() / 2].to_vec(), "truncated"),
        ("no archive", b"hello".to_vec(), "gzip"),
        ("nothing", Vec::new(), "gzip"),
    ])
}

#[test]
fn hostile_archives_are_refused_by_command_and_server() -> Result<()> {
    play(|server| {
        let mut wrong = Vec::new();
        for (what, bytes, words) in archives()? {
            let (status, answer) = server.operator()?.api().send_bytes("PUT", "/v1/charts", "application/gzip", &bytes)?;
            let error = &answer["error"];
            if !(400..500).contains(&status) || !error.to_string().contains(words) || error["code"].as_str().is_none_or(str::is_empty) {
                wrong.push(format!("{what}: the server answered {status} {answer}, {words:?} was expected"));
            }
            let file = server.dir().join(format!("{}.tgz", what.replace(' ', "-")));
            fs::write(&file, &bytes)?;
            let ran = server.cli(&["chart", "push", file.to_str().context("a path that is no UTF-8")?])?;
            if ran.code == 0 || !ran.stderr.contains(words) || ran.stderr.contains("panicked") {
                wrong.push(format!("{what}: the command exited with {}: {}", ran.code, ran.stderr));
            }
        }
        ensure!(wrong.is_empty(), "{}", wrong.join("\n"));
        Ok(())
    })
}

#[test]
fn words_that_look_like_flags_are_never_taken_for_names() -> Result<()> {
    play(|server| {
        let mut wrong = Vec::new();
        for words in [
            &["cluster", "token", "create", "--cluster=--set"][..],
            &["cluster", "label", "--", "--set", "a=b"],
            &["cluster", "show", "--", "--kubeconfig=x"],
            &["cluster", "label", "east-01", "--", "--x=y"],
            &["values", "--cluster=-A", "--", "-A"],
            &["rollout", "status", "--", "--all"],
            &["rollout", "undo", "--", "../../v1/tokens"],
            &["get", "releases", "--", "..%2f..%2f"],
            &["delete", "--orphan", "--yes", "--", "-n"],
            &["set", "--", "beacon", "--x"],
        ] {
            let ran = server.cli(words)?;
            if ran.code == 0 || ran.stderr.trim().is_empty() || ran.stderr.contains("panicked") {
                wrong.push(format!("{words:?} exited with {}: {}{}", ran.code, ran.stdout, ran.stderr));
            }
        }
        ensure!(wrong.is_empty(), "{}", wrong.join("\n"));
        Ok(())
    })
}

#[test]
fn requests_that_make_no_sense_are_refused_in_our_words() -> Result<()> {
    play(|server| {
        let operator = server.operator()?;
        let text = fs::read_to_string(corpus().join("unknown-field.yaml"))?.replace("strateggy: careful", "createNamespace: true");
        let wrong_digest = json!({"documents": [{"source": "r.yaml", "text": text.replace("name: beacon, version: 0.1.0", "path: ./beacon")}],
            "charts": {"./beacon": digest(b"nobody pushed this")}});
        let cases: [(&str, &str, Value, u16); 13] = [
            ("GET", "/v1/nothing", Value::Null, 404),
            ("POST", "/v1/releases", json!({}), 405),
            ("POST", "/v1/apply", json!({"documents": [], "dryrun": true}), 400),
            ("POST", "/v1/apply", json!({"documents": "all"}), 400),
            ("POST", "/v1/apply", wrong_digest, 400),
            ("GET", "/v1/rollouts/beacon-99", Value::Null, 404),
            ("GET", "/v1/rollouts/..%2f..%2fetc%2fpasswd", Value::Null, 404),
            ("GET", "/v1/values?release=beacon&cluster=nobody", Value::Null, 404),
            ("GET", "/v1/audit?limit=many", Value::Null, 400),
            ("POST", "/v1/rollouts/beacon-99/approve", json!({"expiresIn": "soon"}), 400),
            ("POST", "/v1/tokens", json!({"cluster": "--set", "ttlSeconds": 60}), 400),
            ("POST", "/v1/tokens", json!({"cluster": "a", "ttlSeconds": 0}), 400),
            ("PATCH", "/v1/clusters/east-01/labels", json!({"set": {"-n": "x"}}), 400),
        ];
        let mut wrong = Vec::new();
        for (method, path, body, status) in &cases {
            let body = Some(body).filter(|body| !body.is_null());
            match operator.refused(method, path, body, *status) {
                Ok(refusal) if refusal.error.code.starts_with("GS-") && !refusal.error.what.is_empty() => {}
                Ok(refusal) => wrong.push(format!("{method} {path}: {refusal:?}")),
                Err(error) => wrong.push(format!("{error:#}")),
            }
        }
        ensure!(wrong.is_empty(), "{}", wrong.join("\n"));
        Ok(())
    })
}

#[test]
fn a_request_beyond_all_measure_is_cut_off() -> Result<()> {
    play(|server| {
        let text = "x".repeat(5 << 20);
        let request = json!({"documents": [{"source": "r.yaml", "text": text}]});
        match server.operator()?.api().request("POST", "/v1/apply", Some(&request)) {
            Ok((status, answer)) => ensure!(status == 413, "5 MiB were answered {status}: {answer}"),
            // The server says so before it has read all, and hangs up; what was still being sent may then break off first.
            Err(error) => ensure!(format!("{error:#}").contains("roken pipe") || format!("{error:#}").contains("reset"), "{error:#}"),
        }
        Ok(())
    })
}
