//! Hops that the real helm renders.

use super::super::tests::run;
use super::*;
use crate::exit::Exit;
use serde_json::Value;
use std::fs;

#[test]
fn charts_are_known_by_their_names() {
    let of = |name: &str| named(Path::new(name)).map(|(name, version)| format!("{name} {version}"));
    assert_eq!(of("kube-prometheus-stack-80.14.4.tgz").as_deref(), Some("kube-prometheus-stack 80.14.4"));
    assert_eq!(of("beacon-1.0.0-rc.1.tgz").as_deref(), Some("beacon 1.0.0-rc.1"));
    assert_eq!(of("k8s-2-agent-v3.1.0.tgz").as_deref(), Some("k8s-2-agent v3.1.0"));
    assert_eq!(of("beacon.tgz"), None);
    let empty = tempfile::tempdir().unwrap();
    assert!(charts_in(empty.path()).unwrap_err().errors[0].why.contains("no chart"));
    // A device that never ends stands where a chart's description should.
    std::os::unix::fs::symlink("/dev/zero", empty.path().join("Chart.yaml")).unwrap();
    assert_eq!(named(empty.path()), None);
    let full = tempfile::tempdir().unwrap();
    (0..=MAX_ENTRIES).for_each(|at| drop(std::fs::File::create(full.path().join(at.to_string())).unwrap()));
    assert!(charts_in(full.path()).unwrap_err().errors[0].why.contains("more than 10000 files"));
}

/// The real helm. Absent, the test fails and says how to get it.
fn helm() -> PathBuf {
    let built = Path::new(env!("CARGO_MANIFEST_DIR")).join("../target/foundation/bin/helm");
    let named = std::env::var_os("GROUNDSWELL_HELM").map(PathBuf::from);
    let on_path =
        std::env::split_paths(&std::env::var_os("PATH").unwrap_or_default()).map(|folder| folder.join("helm")).collect::<Vec<_>>();
    let found = named.into_iter().chain([built]).chain(on_path).find(|path| path.is_file());
    found.expect("no helm binary: build it (cargo xtask foundation) or name one in GROUNDSWELL_HELM")
}

/// A folder of charts.
struct Shelf(tempfile::TempDir);

impl Shelf {
    /// Versions of a chart, each with lines for its `Chart.yaml` and one template.
    fn of(chart: &str, versions: &[(&str, &str, &str)]) -> Self {
        let shelf = Self(tempfile::tempdir().unwrap());
        for (version, about, template) in versions {
            let folder = shelf.0.path().join(format!("{chart}-{version}"));
            fs::create_dir_all(folder.join("templates")).unwrap();
            fs::write(folder.join("Chart.yaml"), format!("apiVersion: v2\nname: {chart}\nversion: {version}\n{about}")).unwrap();
            fs::write(folder.join("templates/a.yaml"), template).unwrap();
        }
        shelf
    }

    fn show(&self, rest: &str) -> (Exit, String) {
        let line = format!("show --charts {} --helm {} {rest}", self.0.path().display(), helm().display());
        let (exit, text, said) = run(line.trim_end());
        assert!(!text.is_empty(), "{said}");
        (exit, text)
    }
}

/// From 1.0.0 to 2.0.0 with a template that becomes another.
fn step(old: &str, new: &str, rest: &str) -> (Exit, String) {
    let shelf = Shelf::of("beacon", &[("1.0.0", "", old), ("2.0.0", "", new)]);
    shelf.show(&format!("--chart beacon --from 1.0.0 --to 2.0.0 --kube-version 1.28.3 {rest}"))
}

const CLAIM: &str = "apiVersion: v1\nkind: PersistentVolumeClaim\nmetadata: {name: data}\n\
    spec: {accessModes: [ReadWriteOnce], resources: {requests: {storage: 2Gi}}}\n";
const BUDGET: &str = "apiVersion: policy/v1\nkind: PodDisruptionBudget\nmetadata: {name: b}\n\
    spec: {minAvailable: 1, selector: {matchLabels: {a: b}}}\n";

fn agent(label: &str, spec: &str) -> String {
    format!(
        "apiVersion: apps/v1\nkind: DaemonSet\nmetadata: {{name: {{{{ .Release.Name }}}}-agent}}\nspec:\n  selector: {{matchLabels: {{app: {label}}}}}\n  \
         template:\n    metadata: {{labels: {{app: {label}}}}}\n    spec: {{{spec}containers: [{{name: a, image: x}}]}}\n"
    )
}

#[test]
fn a_volume_is_never_to_be_deleted() {
    let (exit, text) = step(CLAIM, &CLAIM.replace("2Gi", "1Gi"), "");
    assert!(exit == Exit::Ok && text.contains("keep the old value in your values, or copy the data to a new\n"), "{text}");
    assert!(!text.contains("delete PersistentVolumeClaim") && !text.contains("kubectl delete"), "{text}");
    let (_, text) = step(CLAIM, "", "");
    assert!(text.contains("1 step by hand") && text.contains(" annotate pvc data helm.sh/resource-policy=keep\n"), "{text}");
}

#[test]
fn pods_that_hold_ports_of_their_nodes_are_not_left_running() {
    let (_, text) = step(&agent("a", "hostNetwork: true, "), &agent("b", "hostNetwork: true, "), "--release mon");
    assert!(text.contains("         kubectl delete daemonset.apps mon-agent --namespace default\n"), "{text}");
    // Others are, and what is left of them is removed afterwards.
    let (_, text) = step(&agent("a", ""), &agent("b", ""), "--release mon");
    assert!(text.contains("         kubectl delete daemonset.apps mon-agent --namespace default --cascade=orphan\n"), "{text}");
    let after = text.split("    after:\n").nth(1).unwrap_or_default();
    assert!(after.contains("         kubectl delete pods --namespace default --selector app=a\n"), "{text}");
}

#[test]
fn a_step_that_renders_do_not_bear_out_is_marked() {
    let rules = tempfile::NamedTempFile::new().unwrap();
    let orphan = "apiVersion: groundswell.dev/v1alpha1\nkind: PathRules\nchart: beacon\nversions: [1.0.0, 2.0.0]\nrules:\n\
        - {id: orphan, from: <2, to: '>=2', source: runbook 7, before: [deleteOrphan: {kind: DaemonSet, name: RELEASE-agent}]}\n";
    fs::write(rules.path(), orphan).unwrap();
    let with = format!("--rules {} --release mon", rules.path().display());
    let (_, text) = step(&agent("a", "hostNetwork: true, "), &agent("b", "hostNetwork: true, "), &with);
    let lines = text.split_whitespace().collect::<Vec<_>>().join(" ");
    let marked = "2. delete DaemonSet mon-agent, and leave its pods running (--cascade=orphan) [orphan] runbook 7 \
        the renders do not bear this out: DaemonSet mon-agent: delete it before the upgrade";
    assert!(lines.contains("1. DaemonSet mon-agent: delete it before the upgrade") && lines.contains(marked), "{text}");
    assert!(!lines.contains("renders contradict it"), "{text}");
    let (_, text) = step(&agent("a", ""), &agent("a", ""), &with);
    let lines = text.split_whitespace().collect::<Vec<_>>().join(" ");
    assert!(lines.contains("the renders do not bear this out: no field of DaemonSet mon-agent differs"), "{text}");
}

#[test]
fn a_hop_that_is_blocked_is_shown_and_told() {
    let (exit, text) = step("", &BUDGET.replace("policy/v1", "policy/v1beta1"), "");
    assert_eq!(exit, Exit::Blocked);
    assert!(text.starts_with("beacon 1.0.0 → beacon 2.0.0: 1 hop, 0 steps by hand, BLOCKED at hop 1\n"), "{text}");
    assert!(text.contains("    ✗ blocked: PodDisruptionBudget b: is policy/v1beta1 PodDisruptionBudget"), "{text}");
    let (exit, text) = step("", "{{ required \"x is needed\" .Values.x }}", "-o json");
    let value: Value = serde_json::from_str(&text).unwrap();
    assert_eq!((exit, &value["hops"][0]["blockers"][0]["code"]), (Exit::Blocked, &"does-not-render".into()));
    assert_eq!(value["rendered"][0]["seen"][0]["blocks"]["code"], "does-not-render");
}

/// Asks for the kind, as Grafana's chart does.
fn asking() -> String {
    format!(
        "{{{{ if .Capabilities.APIVersions.Has \"policy/v1/PodDisruptionBudget\" }}}}\n{BUDGET}{{{{ else }}}}\n{}{{{{ end }}}}\n",
        BUDGET.replace("policy/v1", "policy/v1beta1")
    )
}

/// The text under `Rendered`, in one line.
fn rendered(text: &str) -> String {
    text.split("\nRendered\n").nth(1).unwrap_or_default().split_whitespace().collect::<Vec<_>>().join(" ")
}

const NO_LIST: &str = "? which APIs the cluster serves was not given (--api-versions FILE): charts that ask saw helm's built-in list, \
    which has no kinds and nothing of CRDs, and what a hop is blocked for may come from that";

#[test]
fn a_chart_that_asks_for_an_api_gets_the_list() {
    let list = tempfile::NamedTempFile::new().unwrap();
    let with = format!("--api-versions {}", list.path().display());
    fs::write(list.path(), "v1\napps/v1\npolicy/v1\npolicy/v1/PodDisruptionBudget\n").unwrap();
    let (exit, text) = step("", &asking(), &with);
    assert!(exit == Exit::Ok && !text.contains("BLOCKED") && !rendered(&text).contains('?'), "{text}");
    let (exit, text) = step("", &asking(), "");
    assert!(exit == Exit::Blocked && text.contains("is policy/v1beta1 PodDisruptionBudget"), "{text}");
    assert_eq!(rendered(&text).matches(NO_LIST).count(), 1, "{text}");
    // What `kubectl api-versions` prints has no kinds.
    fs::write(list.path(), "v1\napps/v1\npolicy/v1\n").unwrap();
    let (exit, text) = step("", &asking(), &with);
    assert!(exit == Exit::Blocked && rendered(&text).contains("? --api-versions names no group/version/Kind, "), "{text}");
    assert!(text.contains("\n    kubectl api-resources --no-headers | awk"), "{text}");
}

#[test]
fn the_list_is_of_the_cluster_as_it_is_now() {
    let list = tempfile::NamedTempFile::new().unwrap();
    fs::write(list.path(), "v1\napps/v1\npolicy/v1beta1/PodDisruptionBudget\n").unwrap();
    let shelf = Shelf::of("beacon", &[("1.0.0", "", ""), ("2.0.0", "kubeVersion: '>=1.25.0-0'\n", &asking())]);
    let line = format!("--chart beacon --from 1.0.0 --to 2.0.0 --kube-version 1.24.3 --api-versions {}", list.path().display());
    let (exit, text) = shelf.show(&line);
    // What Kubernetes 1.25 has in its place is known.
    assert!(exit == Exit::Ok && text.contains("Upgrade Kubernetes from 1.24 to 1.25 or newer"), "{text}");
    assert_eq!(rendered(&text).matches("? --api-versions is of the cluster before it is upgraded: ").count(), 1, "{text}");
    assert!(!text.contains("kubectl api-resources"), "{text}");
    // One without kinds is still one without kinds then.
    fs::write(list.path(), "v1\napps/v1\npolicy/v1beta1\n").unwrap();
    let (_, text) = shelf.show(&line);
    assert!(rendered(&text).contains("? --api-versions is of the cluster before it is upgraded: "), "{text}");
    assert!(text.contains("\n    kubectl api-resources --no-headers | awk"), "{text}");
}

/// Signals are for the whole process, so this has one of its own.
#[cfg(unix)]
#[test]
fn who_stops_it_is_told_so() {
    use std::os::unix::fs::PermissionsExt;
    const ALONE: &str = "GROUNDSWELL_TEST_ALONE";
    if std::env::var_os(ALONE).is_none() {
        let name = "command::path::proof::tests::who_stops_it_is_told_so";
        let alone = std::process::Command::new(std::env::current_exe().unwrap()).args(["--exact", name]).env(ALONE, "1").output().unwrap();
        let said = String::from_utf8_lossy(&alone.stdout);
        assert!(alone.status.success() && said.contains("1 passed"), "{said}");
        return;
    }
    let shelf = Shelf::of("beacon", &[("1.0.0", "", ""), ("2.0.0", "", "")]);
    let helm = shelf.0.path().join("helm");
    fs::write(&helm, "#!/bin/sh\nkill -TERM $PPID\nexec sleep 60\n").unwrap();
    fs::set_permissions(&helm, fs::Permissions::from_mode(0o755)).unwrap();
    let line = format!("show --chart beacon --from 1.0.0 --to 2.0.0 --charts {} --helm {}", shelf.0.path().display(), helm.display());
    let (exit, text, said) = run(&line);
    assert!(exit == Exit::Interrupted && text.is_empty() && said.ends_with("\nstopped\n"), "{exit:?} {text}{said}");
}

#[test]
fn what_the_renders_were_not_told_is_said_once() {
    let shelf = Shelf::of("beacon", &[("1.0.0", "", CLAIM), ("2.0.0", "", CLAIM), ("3.0.0", "", CLAIM)]);
    let rules = tempfile::NamedTempFile::new().unwrap();
    let stop = "apiVersion: groundswell.dev/v1alpha1\nkind: PathRules\nchart: beacon\nversions: [1.0.0, 2.0.0, 3.0.0]\n\
        rules:\n- {id: stop, from: <2, to: '>=3', mustStopAt: 2.x, source: runbook 7}\n";
    fs::write(rules.path(), stop).unwrap();
    let line = format!("--chart beacon --from 1.0.0 --to 3.0.0 --rules {}", rules.path().display());
    let (_, text) = shelf.show(&line);
    assert!(text.contains(": 2 hops") && text.contains("\nRendered\n  ? which APIs the cluster serves was not given"), "{text}");
    let no_version = "? what the cluster runs was not given (--kube-version): APIs that Kubernetes removed were not looked at";
    let said = rendered(&text);
    assert_eq!((said.matches(NO_LIST).count(), said.matches(no_version).count(), said.matches('?').count()), (1, 1, 2), "{text}");
    // Beside JSON, since its document does not have it.
    let (_, _, noise) = run(&format!("show --charts {} --helm {} {line} -o json", shelf.0.path().display(), helm().display()));
    assert_eq!(noise.matches("note: which APIs the cluster serves was not given").count(), 1, "{noise}");
    let (_, text) = shelf.show(&format!("{line} --kube-version 1.28.3"));
    assert!(rendered(&text).contains(NO_LIST) && !rendered(&text).contains(no_version), "{text}");
}

#[test]
fn what_is_installed_was_rendered_before_the_cluster_was_upgraded() {
    let moves = format!(
        "{{{{ if semverCompare \"<1.25-0\" .Capabilities.KubeVersion.Version }}}}\n{}{{{{ else }}}}\n{BUDGET}{{{{ end }}}}\n",
        BUDGET.replace("/v1", "/v1beta1")
    );
    let shelf = Shelf::of("beacon", &[("1.0.0", "", &moves), ("2.0.0", "kubeVersion: '>=1.25.0-0'\n", &moves)]);
    let (exit, text) = shelf.show("--chart beacon --from 1.0.0 --to 2.0.0 --kube-version 1.24.3");
    assert!(exit == Exit::Ok && text.contains("Upgrade Kubernetes from 1.24 to 1.25 or newer"), "{text}");
    assert!(text.contains("1. Rewrite the release record: the installed manifest names APIs"), "{text}");
}

#[test]
fn what_is_at_hand_was_published() {
    let backport = Shelf::of("kube-prometheus-stack", &[("80.14.4", "", BUDGET), ("80.14.5", "", BUDGET)]);
    let (exit, text) = backport.show("--from 80.14.4 --to 80.14.5 --kube-version 1.30.0");
    assert!(exit == Exit::Ok && text.starts_with("kube-prometheus-stack 80.14.4 → kube-prometheus-stack 80.14.5: 1 hop"), "{text}");
    let (exit, text) = backport.show("--from 80.14.4 --to 80.14.44");
    assert!(
        exit == Exit::Blocked && text.contains("80.14.44 was never published") && text.contains("--versions") && !text.contains("Rendered"),
        "{text}"
    );
}

#[test]
fn the_release_is_called_by_its_name() {
    let (_, text, _) = run("show --from 21.0.5 --to 22.1.0 --kube-version 1.20.0 --release mon");
    assert!(text.contains("instance=mon,") && !text.contains("RELEASE"), "{text}");
    let (_, text, _) = run("show --from 21.0.5 --to 22.1.0 --kube-version 1.20.0");
    assert!(text.contains("instance=RELEASE,"), "{text}");
    let (_, text, _) = run("show --from 21.0.5 --to 22.1.0 --kube-version 1.20.0 --release mon -o json");
    assert!(text.contains("instance=mon,") && text.contains("instance=RELEASE,"), "{text}");
}

#[test]
fn a_hop_that_could_not_be_rendered_is_counted_in_the_head() {
    let shelf = Shelf::of("beacon", &[("1.0.0", "", "")]);
    let (exit, text) = shelf.show("--chart beacon --from 1.0.0 --to 2.0.0");
    assert!(exit == Exit::Ok && text.starts_with("beacon 1.0.0 → beacon 2.0.0: 1 hop, 0 steps by hand, 1 hop not rendered\n"), "{text}");
}

#[test]
fn a_repository_that_does_not_answer_is_told() {
    // Nothing listens on port 1.
    let line = format!("show --from 80.14.4 --to 80.14.5 --repo http://127.0.0.1:1 --plain-http --helm {}", helm().display());
    let (exit, text, said) = run(&line);
    assert!(exit == Exit::Blocked && text.contains("was never published"), "{text}");
    assert!(said.contains("the repository does not say which versions of kube-prometheus-stack there are: "), "{said}");
}
