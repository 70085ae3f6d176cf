use std::fs;
use std::time::Instant;

use super::*;
use crate::testing::{self, script};

struct Bench {
    folder: tempfile::TempDir,
    helm: Helm,
    release: ReleaseName,
}

/// A stand-in for helm that runs a shell script with helm's arguments.
fn bench(body: &str) -> Bench {
    let folder = tempfile::tempdir().unwrap();
    let binary = script(folder.path(), "helm", body);
    let cluster = Cluster::Kubeconfig("/nowhere/kubeconfig".into());
    let helm = Helm { binary, stub: None, home: folder.path().join("home"), cluster };
    Bench { folder, helm, release: ReleaseName::new("ops", "beacon").unwrap() }
}

fn control(seconds: u64) -> Control {
    Control { grace: Duration::from_secs(seconds), ..Control::new(Duration::from_secs(20)) }
}

const HISTORY: &str =
    r#"echo '[{"revision":2,"status":"deployed","chart":"beacon-1.0.0","description":"d"},{"revision":1,"status":"superseded"}]'"#;

#[tokio::test]
async fn an_upgrade_says_all_it_must_and_leaves_no_values() {
    let bench = bench(&format!(
        "if [ \"$1\" = history ]; then {HISTORY}; exit; fi\nout=$HOME/../seen\nfor a in \"$@\"; do echo \"$a\"; done > $out\n\
         env > $HOME/../env\nls -ld $HOME/values/* >> $out\nls -l $HOME/values/* >> $out\ncat $HOME/values/*/*.yaml >> $out"
    ));
    let values: [&[u8]; 2] = [b"one: 1\n", b"two: 2\n"];
    let upgrade = Upgrade {
        chart: Path::new("/charts/beacon.tgz"),
        values: &values,
        description: "groundswell r1 gen=1 attempt=1: a\nb",
        history_max: 7,
        timeout: Duration::from_secs(90),
        create_namespace: true,
    };
    let outcome = bench.helm.upgrade_install(&bench.release, &upgrade, &control(1)).await.unwrap();
    assert_eq!((outcome.revision.revision, outcome.history.len()), (2, 2));
    let seen = fs::read_to_string(bench.folder.path().join("seen")).unwrap();
    let args = "upgrade\n--namespace\nops\n--install\n--reset-values\n--skip-crds\n--description\ngroundswell r1 gen=1 attempt=1: a b\n\
                --history-max\n7\n--timeout\n90s\n--create-namespace\n--values\n";
    assert!(seen.starts_with(args), "{seen}");
    assert!(seen.contains("--\nbeacon\n/charts/beacon.tgz\n"), "{seen}");
    assert!(seen.contains("drwx------") && seen.contains("-rw-------") && seen.contains("one: 1\ntwo: 2\n"), "{seen}");
    assert!(!seen.contains("--wait"), "{seen}");
    assert_eq!(fs::read_dir(bench.helm.home.join("values")).unwrap().count(), 0);
    let env = fs::read_to_string(bench.folder.path().join("env")).unwrap();
    let mut names: Vec<&str> = env.lines().filter_map(|l| l.split_once('=')).map(|(n, _)| n).collect();
    names.retain(|n| !matches!(*n, "PWD" | "_" | "SHLVL" | "OLDPWD"));
    names.sort_unstable();
    let expected = "HELM_CACHE_HOME HELM_CONFIG_HOME HELM_DATA_HOME HELM_NO_PLUGINS HELM_PLUGINS HOME KUBECONFIG NO_COLOR PATH TMPDIR";
    assert_eq!(names.join(" "), expected);
}

#[tokio::test]
async fn failures_are_typed_and_their_text_is_tame() {
    let failed = bench("printf 'Error: UPGRADE FAILED: \\033[2Jno\\n' >&2; exit 1");
    let error = failed.helm.history(&failed.release, &control(1)).await.unwrap_err();
    assert!(
        matches!(&error, HelmError::Failed { verb: "history", code: 1, stderr_tail, .. } if stderr_tail == "Error: UPGRADE FAILED: [2Jno"),
        "{error:?}"
    );
    let absent = bench("echo 'Error: release: not found' >&2; exit 1");
    let error = absent.helm.status(&absent.release, &control(1)).await.unwrap_err();
    assert!(matches!(error, HelmError::ReleaseNotFound { .. }), "{error:?}");
    let garbage = bench("echo '{\"name\": 7}'");
    let error = garbage.helm.status(&garbage.release, &control(1)).await.unwrap_err();
    assert!(matches!(error, HelmError::BadOutput { verb: "status", .. }), "{error:?}");
    let mut gone = garbage.helm.clone();
    gone.binary = "/nowhere/helm".into();
    let error = gone.status(&garbage.release, &control(1)).await.unwrap_err();
    assert!(matches!(error, HelmError::NotFound { .. }), "{error:?}");
    let error = garbage.helm.lint(Path::new("relative.tgz"), &control(1)).await.unwrap_err();
    assert!(matches!(error, HelmError::BadName { .. }), "{error:?}");
}

#[tokio::test]
async fn a_flood_of_output_neither_blocks_nor_fills_memory() {
    let flood = bench("head -c 3000000 /dev/zero | tr '\\0' x >&2; echo end >&2; exit 3");
    let error = flood.helm.status(&flood.release, &control(1)).await.unwrap_err();
    let HelmError::Failed { code: 3, stderr_tail, .. } = error else { panic!("{error:?}") };
    assert!(stderr_tail.ends_with("xend") && stderr_tail.len() <= TAIL);
}

#[tokio::test]
async fn the_deadline_is_sigterm_first() {
    let polite = bench("trap 'echo marked failed >&2; exit 1' TERM\ntouch $HOME/../ready\nwhile :; do sleep 0.01; done");
    let control = Control { deadline: Duration::from_secs(5), ..control(15) };
    let error = polite.helm.status(&polite.release, &control).await.unwrap_err();
    assert!(matches!(&error, HelmError::TimedOut { stderr_tail, .. } if stderr_tail.ends_with("marked failed")), "{error:?}");
}

#[tokio::test]
async fn a_stop_ends_even_a_helm_that_ignores_sigterm() {
    let stubborn = bench("trap '' TERM\necho $$ > $HOME/../pid\nwhile :; do sleep 0.01; done");
    let (stop, stopped) = watch::channel(false);
    let pid = stubborn.folder.path().join("pid");
    tokio::task::spawn_blocking(move || {
        testing::until("helm runs", || fs::read_to_string(&pid).is_ok_and(|p| p.ends_with('\n')));
        stop.send(true).unwrap();
        stop
    });
    let start = Instant::now();
    let control = Control { grace: Duration::from_millis(100), ..control(0) }.stopped_by(stopped);
    let error = stubborn.helm.status(&stubborn.release, &control).await.unwrap_err();
    assert!(matches!(error, HelmError::Stopped { .. }), "{error:?}");
    assert!(start.elapsed() < Duration::from_secs(15));
}

#[tokio::test]
async fn dropping_a_call_ends_its_helm() {
    let bench = bench("trap 'touch $HOME/../termed; exit 1' TERM\ntouch $HOME/../ready\nwhile :; do sleep 0.01; done");
    let (helm, release) = (bench.helm.clone(), bench.release.clone());
    let call = tokio::spawn(async move { helm.status(&release, &control(1)).await.map(|_| ()) });
    let (ready, termed) = (bench.folder.path().join("ready"), bench.folder.path().join("termed"));
    tokio::task::spawn_blocking(move || testing::until("helm runs", || ready.exists())).await.unwrap();
    call.abort();
    tokio::task::spawn_blocking(move || testing::until("helm got SIGTERM", || termed.exists())).await.unwrap();
}
