//! A server that answers from a script, and the conversations that the command has with it.

use crate::args::Args;
use crate::error::finish;
use crate::exit::Exit;
use crate::output::Output;
use clap::Parser;
use serde_json::{Value, json};
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpListener;
use std::sync::{Arc, Mutex};

/// One answer: status and body.
type Answer = (u16, Value);

/// What a run of the command said and asked.
struct Run {
    exit: Exit,
    stdout: String,
    stderr: String,
    /// `METHOD path` and the body of each request.
    requests: Vec<(String, String)>,
}

#[derive(Clone, Default)]
pub(crate) struct Buffer(Arc<Mutex<Vec<u8>>>);

impl Buffer {
    pub(crate) fn text(&self) -> String {
        String::from_utf8(self.0.lock().unwrap().clone()).unwrap()
    }
}

impl Write for Buffer {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }
    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

/// Runs a command line against the script.
fn run(line: &str, script: Vec<Answer>) -> Run {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = format!("http://{}", listener.local_addr().unwrap());
    let token = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(token.path(), "secret-token\n").unwrap();
    let count = script.len();
    let server = std::thread::spawn(move || serve(&listener, script));
    let token_file = token.path().display().to_string();
    let words = ["groundswell", "--server", &address, "--token-file", &token_file].into_iter().chain(line.split(' '));
    let (stdout, stderr) = (Buffer::default(), Buffer::default());
    let mut out = Output::captured(stdout.clone(), stderr.clone());
    let done = crate::command::run(Args::try_parse_from(words).unwrap(), &mut out);
    let exit = finish(done, &mut out);
    let requests = server.join().unwrap();
    assert_eq!(requests.len(), count, "{requests:#?}");
    Run { exit, stdout: stdout.text(), stderr: stderr.text().replace(&address, "SERVER"), requests }
}

fn serve(listener: &TcpListener, script: Vec<Answer>) -> Vec<(String, String)> {
    script
        .into_iter()
        .map(|(status, body)| {
            let (stream, _) = listener.accept().unwrap();
            let mut reader = BufReader::new(stream);
            let (mut first, mut length, mut authorized) = (String::new(), 0, false);
            reader.read_line(&mut first).unwrap();
            loop {
                let mut line = String::new();
                reader.read_line(&mut line).unwrap();
                let lower = line.to_lowercase();
                length = lower.strip_prefix("content-length:").map_or(length, |n| n.trim().parse().unwrap());
                authorized |= lower == "authorization: bearer secret-token\r\n";
                if line == "\r\n" {
                    break;
                }
            }
            assert!(authorized, "{first} came without its token");
            let mut sent = vec![0; length];
            reader.read_exact(&mut sent).unwrap();
            let body = body.to_string();
            let head = format!(
                "HTTP/1.1 {status} X\r\ncontent-type: application/json\r\ncontent-length: {}\r\nconnection: close\r\n\r\n",
                body.len()
            );
            reader.get_mut().write_all(format!("{head}{body}").as_bytes()).unwrap();
            let request = first.trim_end_matches(" HTTP/1.1\r\n").to_owned();
            (request, String::from_utf8_lossy(&sent).into_owned())
        })
        .collect()
}

fn rollout(revision: u64, state: &str, wave: &str, reason: &str) -> Value {
    json!({
        "apiVersion": "groundswell.dev/v1alpha1", "kind": "Rollout", "id": "beacon-4", "release": "beacon", "namespace": "demo",
        "purpose": "apply", "revision": revision, "documentRevision": 3, "state": state, "reason": reason, "planHash": "cafe",
        "createdAt": "2026-11-23T10:00:00Z", "createdBy": "admin",
        "waves": [{"name": "canary", "index": 0, "state": wave, "size": 1, "counts": {"inFlight": 1}, "maxConcurrent": 1, "bake": {"for": "1m"}}],
    })
}

fn refusal(what: &str) -> Value {
    json!({"error": {"code": "GS-NOT-FOUND", "what": what, "why": "", "next": "groundswell get rollouts"}})
}

#[test]
fn wait_follows_a_rollback_to_its_end_and_exits_with_5() {
    let script = vec![
        (200, rollout(1, "running", "open", "")),
        (200, rollout(1, "running", "open", "")),
        (200, rollout(2, "rollingBack", "open", "east-01 failed")),
        (200, rollout(3, "rolledBack", "open", "east-01 failed")),
    ];
    let run = run("rollout wait beacon-4 --timeout 1m", script);
    assert_eq!(run.exit, Exit::Failed);
    assert_eq!(run.requests[2].0, "GET /v1/rollouts/beacon-4?after=1&timeoutSeconds=25");
    assert!(run.stdout.starts_with("beacon-4  ✗ rolled back"), "{}", run.stdout);
    let expected = "beacon-4  ▶ running\nbeacon-4  wave canary  ▶ open  1 in flight\nbeacon-4  ◀ rolling back: east-01 failed\nbeacon-4  ✗ rolled back: east-01 failed\nnext: groundswell rollout show beacon-4\n";
    assert_eq!(run.stderr, expected);
}

#[test]
fn the_timeout_tells_a_paused_rollout_from_one_that_goes_on() {
    for (state, wave, exit) in
        [("running", "open", Exit::Timeout), ("paused", "open", Exit::Paused), ("running", "awaitingApproval", Exit::Paused)]
    {
        let look = (200, rollout(1, state, wave, ""));
        let run = run("rollout wait beacon-4 --timeout 0s", vec![look.clone(), look]);
        assert_eq!(run.exit, exit, "{state} {wave}: {}", run.stderr);
    }
}

#[test]
fn an_approval_is_bound_to_the_plan_that_is_stored() {
    let look = rollout(1, "running", "awaitingApproval", "");
    let run = run("rollout approve beacon-4", vec![(200, look.clone()), (200, look), (200, json!({"rollout": "beacon-4"}))]);
    assert_eq!((run.exit, run.stdout.as_str()), (Exit::Ok, "rollout/beacon-4 wave canary approved, plan cafe\n"));
    assert_eq!(run.requests[2], ("POST /v1/rollouts/beacon-4/approve".to_owned(), r#"{"wave":"canary","planHash":"cafe"}"#.to_owned()));
}

#[test]
fn what_the_server_refuses_is_shown_with_its_exit_code() {
    let found = run("rollout status beacon", vec![(404, refusal("no rollout beacon")), (404, refusal("no release beacon"))]);
    assert_eq!(found.exit, Exit::Error);
    assert_eq!(found.stderr, "error: no rollout beacon [GS-NOT-FOUND]\n  next: groundswell get rollouts\n");
    assert_eq!(run("get releases", vec![(403, refusal("not for you"))]).exit, Exit::Denied);
    assert_eq!(run("get releases", vec![(409, refusal("moved"))]).exit, Exit::Conflict);
    let proxy = run("get releases", vec![(502, json!("bad gateway"))]);
    assert!(proxy.stderr.starts_with("error: SERVER answered 502"), "{}", proxy.stderr);
}

#[test]
fn json_is_what_the_server_sent() {
    let list = json!({"apiVersion": "groundswell.dev/v1alpha1", "kind": "ClusterList", "items": [
        {"name": "east-01", "presence": {"state": "online"}, "labels": {"a": "b"}, "aFieldOfTomorrow": 1}]});
    let run = run("get clusters -l foundation=east,!old -o json", vec![(200, list.clone())]);
    assert_eq!(serde_json::from_str::<Value>(&run.stdout).unwrap(), list);
    assert_eq!(run.requests[0].0, "GET /v1/clusters?selector=foundation%3Deast%2C%21old");
}

#[test]
fn a_list_is_read_to_its_end() {
    let page = |names: &[&str], next: Option<&str>| {
        let items: Vec<Value> = names.iter().map(|name| json!({"name": name, "presence": {"state": "online"}})).collect();
        (200, json!({"apiVersion": "groundswell.dev/v1alpha1", "kind": "ClusterList", "items": items, "next": next}))
    };
    let script = || vec![page(&["a", "b"], Some("b")), page(&["c"], None)];
    let names = run("get clusters -l x -o name", script());
    assert_eq!(names.stdout, "cluster/a\ncluster/b\ncluster/c\n");
    assert_eq!(names.requests[1].0, "GET /v1/clusters?selector=x&next=b");
    let whole: Value = serde_json::from_str(&run("get clusters -o json", script()).stdout).unwrap();
    assert_eq!((whole["items"].as_array().map(Vec::len), whole.get("next")), (Some(3), None));
}

#[test]
fn apply_sends_documents_with_what_lies_beside_them() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("r.yaml");
    let text = "apiVersion: groundswell.dev/v1alpha1\nkind: Release\nmetadata: {name: beacon}\nspec:\n  namespace: demo\n  clusters: {selector: ''}\n  chart: {name: beacon, version: 1.0.0}\n  valuesFiles: [v.yaml]\n";
    std::fs::write(&file, text).unwrap();
    std::fs::write(folder.path().join("v.yaml"), "a: 1\n").unwrap();
    let answer = json!({"apiVersion": "groundswell.dev/v1alpha1", "kind": "ApplyResult",
        "results": [{"kind": "Release", "name": "beacon", "action": "created", "revision": 1, "rollout": "beacon-1"}], "warnings": ["look"]});
    let done = run(&format!("apply -f {} --expect-revision 0", file.display()), vec![(200, answer.clone())]);
    assert_eq!((done.exit, done.stdout.as_str()), (Exit::Ok, "release/beacon created, revision 1, rollout beacon-1\n"));
    assert_eq!(done.stderr, "warning: look\nnext: groundswell rollout watch beacon-1\n");
    let sent: Value = serde_json::from_str(&done.requests[0].1).unwrap();
    assert_eq!(sent["documents"][0]["text"], text);
    assert_eq!(sent["files"][folder.path().join("v.yaml").display().to_string()], "a: 1\n");
    assert_eq!((&sent["dryRun"], &sent["expectRevision"]), (&json!(false), &json!(0)));
    let plan = run(&format!("plan -f {} --exit-code", file.display()), vec![(200, answer)]);
    assert_eq!((plan.exit, plan.requests[0].1.contains("\"dryRun\":true")), (Exit::Changes, true));
    std::fs::write(&file, text.replace("valuesFiles", "valuesFils")).unwrap();
    let bad = run(&format!("apply -f {}", file.display()), Vec::new());
    assert!(bad.exit == Exit::Error && bad.stderr.contains("r.yaml:8:3: field `spec.valuesFils` is not known"), "{}", bad.stderr);
}

#[test]
fn a_deletion_shows_who_goes_when() {
    let release = json!({"apiVersion": "groundswell.dev/v1alpha1", "kind": "Release", "name": "beacon", "namespace": "demo", "revision": 1,
        "selector": "", "drift": "report", "updatedAt": "2026-11-23T10:00:00Z", "updatedBy": "admin", "counts": {"clusters": 1}});
    let plan = json!({"planHash": "cafe", "namespace": "demo", "onFailure": "halt", "deadline": "5m", "supersedes": "beacon-1",
        "waves": [{"name": "canary", "clusters": ["east-01"], "maxConcurrent": 1, "minAvailable": 0, "bake": "1m", "approval": false}]});
    let done = json!({"rollout": "beacon-2", "plan": plan});
    let run = run("delete beacon --orphan --yes --supersede", vec![(200, release), (200, done)]);
    assert_eq!(run.exit, Exit::Ok, "{}", run.stderr);
    assert_eq!(run.requests[1].0, "DELETE /v1/releases/beacon?mode=orphan&supersede=true");
    for said in ["release/beacon is let go; its objects stay, rollout beacon-2\n", "canary: 1 cluster", "east-01", "supersedes beacon-1"] {
        assert!(run.stdout.contains(said), "{said}: {}", run.stdout);
    }
}

#[test]
fn tokens_are_listed_and_revoked() {
    let ci = json!({"apiVersion": "groundswell.dev/v1alpha1", "kind": "Operator", "id": "3f9c02ab71", "name": "ci", "role": "operator",
        "createdAt": "2026-11-23T10:00:00Z"});
    let list = json!({"apiVersion": "groundswell.dev/v1alpha1", "kind": "OperatorList", "items": [ci.clone()]});
    let listed = run("token list", vec![(200, list)]);
    assert!(listed.stdout.contains("3f9c02ab71") && listed.stdout.contains("operator"), "{}", listed.stdout);
    let gone = run("token revoke ci --yes", vec![(200, ci)]);
    assert_eq!(gone.stdout, "operator/ci revoked, token 3f9c02ab71\n");
    assert_eq!(gone.requests[0].0, "DELETE /v1/operators/ci");
}

#[test]
fn the_audit_log_says_where_older_records_are() {
    let record = json!({"sequence": 44, "at": "2026-11-23T10:00:00Z", "who": "admin", "what": "x", "subject": "y", "hash": "00"});
    let list = json!({"apiVersion": "groundswell.dev/v1alpha1", "kind": "AuditRecordList", "items": [record]});
    let tail = run("audit --limit 1", vec![(200, list)]);
    assert_eq!(tail.requests[0].0, "GET /v1/audit?limit=1");
    assert_eq!(tail.stderr, "older ones: groundswell audit --before 44\n");
}
