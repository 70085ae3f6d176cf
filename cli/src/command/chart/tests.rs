//! `chart diff` and `chart show` with the real helm, and without any server.

use crate::args::Args;
use crate::error::finish;
use crate::exit::Exit;
use crate::output::Output;
use crate::testing::Buffer;
use clap::Parser;
use serde_json::Value;
use std::path::{Path, PathBuf};

struct Said {
    exit: Exit,
    stdout: String,
    stderr: String,
}

/// The real helm. Absent, the test fails and says how to get it.
fn helm() -> PathBuf {
    let workspace = Path::new(env!("CARGO_MANIFEST_DIR")).join("../target/foundation/bin/helm");
    let named = std::env::var_os("GROUNDSWELL_HELM").map(PathBuf::from);
    let on_path =
        std::env::split_paths(&std::env::var_os("PATH").unwrap_or_default()).map(|folder| folder.join("helm")).collect::<Vec<_>>();
    let found = named.into_iter().chain([workspace]).chain(on_path).find(|path| path.is_file());
    found
        .and_then(|path| path.canonicalize().ok())
        .expect("no helm binary: build it (cargo xtask foundation) or name one in GROUNDSWELL_HELM")
}

/// A folder to work in, with two versions of a chart.
struct Bench(tempfile::TempDir);

const MAP: &str = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: {{ .Release.Name }}, labels: {chart: {{ .Chart.Version }}}}\ndata: {v: {{ .Values.v | quote }}}\n";

impl Bench {
    fn new() -> Self {
        let bench = Self(tempfile::tempdir().unwrap());
        for (name, version, default) in [("old", "1.0.0", "one"), ("same", "1.0.1", "one"), ("new", "1.1.0", "two")] {
            bench.write(&format!("{name}/Chart.yaml"), &format!("apiVersion: v2\nname: small\nversion: {version}\n"));
            bench.write(&format!("{name}/values.yaml"), &format!("# What it says\nv: {default}\n"));
            bench.write(&format!("{name}/templates/map.yaml"), MAP);
        }
        bench
    }

    fn write(&self, path: &str, text: &str) {
        let path = self.0.path().join(path);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    }

    /// Runs a command line, `@` in it standing for the folder.
    fn run(&self, line: &str) -> Said {
        let line = line.replace('@', &self.0.path().display().to_string());
        let (stdout, stderr) = (Buffer::default(), Buffer::default());
        let mut out = Output::captured(stdout.clone(), stderr.clone());
        let args =
            Args::try_parse_from(std::iter::once("groundswell").chain(line.split(' '))).unwrap_or_else(|error| panic!("{line}: {error}"));
        let exit = finish(crate::command::run(args, &mut out), &mut out);
        let folder = self.0.path().display().to_string();
        Said { exit, stdout: stdout.text().replace(&folder, "@"), stderr: stderr.text().replace(&folder, "@") }
    }

    fn diff(&self, rest: &str) -> Said {
        self.run(&format!("chart diff {rest} --helm {}", helm().display()))
    }
}

#[test]
fn the_exit_code_says_what_changes() {
    let bench = Bench::new();
    for (line, exit) in [
        ("@/old @/old", Exit::Ok),
        ("@/old @/new", Exit::Changes),
        ("@/old @/new -o json", Exit::Changes),
        ("@/old @/new -o markdown", Exit::Changes),
    ] {
        let said = bench.diff(line);
        assert_eq!(said.exit, exit, "{line}: {}{}", said.stdout, said.stderr);
        assert!(said.stderr.contains("for 4 renders"), "{}", said.stderr);
    }
    bench.write("new/Chart.yaml", "apiVersion: v2\nname: small\nversion: 2.0.0\nkubeVersion: '>=1.30.0'\n");
    let said = bench.diff("@/old @/new --kube-version 1.20.0");
    assert_eq!(said.exit, Exit::Blocked, "{}{}", said.stdout, said.stderr);
    assert!(said.stdout.starts_with("✗ BLOCKED  small 1.0.0 -> 2.0.0"), "{}", said.stdout);
}

#[test]
fn values_go_into_the_render() {
    let bench = Bench::new();
    bench.write("v.yaml", "v: mine\n");
    let said = bench.diff("@/old @/new --values @/v.yaml -o json --release r -n ops --kube-version 1.33.2");
    let summary: Value = serde_json::from_str(&said.stdout).unwrap();
    assert_eq!(summary["kind"], "ChangeSummary");
    let target = &summary["target"];
    assert_eq!((&target["release"], &target["namespace"], &target["kubeVersion"]), (&"r".into(), &"ops".into(), &"1.33.2".into()));
    assert_eq!(summary["counts"]["changed"], 0, "{summary:#}");
    let yaml = bench.diff("@/old @/new --values @/v.yaml -o yaml --section rbac");
    assert!(yaml.stdout.contains("kind: ChangeSummary") && !yaml.stdout.contains("id: hooks"), "{}", yaml.stdout);
}

#[test]
fn wrong_input_is_named() {
    let bench = Bench::new();
    bench.write("broken.yaml", "v: 1\nw: [\n");
    bench.write("type.yaml", "- 1\n");
    bench.write("x.tgz", "no archive");
    bench.write("bad/Chart.yaml", "apiVersion: v2\nname: small\nversion: 1.0.0\n");
    bench.write("bad/templates/x.yaml", "{{ fail \"never\" }}\n");
    for (line, words) in [
        ("@/none @/new", "cannot read chart @/none"),
        ("@/old @/x.tgz", "@/x.tgz is no chart"),
        ("@ @/new", "it has no Chart.yaml"),
        ("@/old @/new -f @/broken.yaml", "@/broken.yaml:2:4: "),
        ("@/old @/new -f @/type.yaml", "@/type.yaml:1:1: values are a map"),
        ("@/old @/new -f @/gone.yaml", "cannot read @/gone.yaml"),
        ("@/old @/new --api-versions @/broken.yaml", "these are no APIs"),
        ("@/bad @/new", "never"),
    ] {
        let said = bench.diff(line);
        assert!(
            said.exit == Exit::Error && said.stderr.contains(words) && said.stdout.is_empty(),
            "{line}: {:?} {}",
            said.exit,
            said.stderr
        );
    }
    for (line, words) in [("@/old @/new --kube-version banana", "--kube-version"), ("@/old @/new --overrides-limit 60", "Write 60s or 60m")]
    {
        let line = format!("groundswell chart diff {line}");
        let error = Args::try_parse_from(line.split(' ')).unwrap_err();
        assert!(error.exit_code() == 2 && error.to_string().contains(words), "{error}");
    }
    for line in ["@/old", "@/old @/new --release UPPER", "@/old @/new -f - -f -"] {
        assert_eq!(bench.diff(line).exit, Exit::Usage, "{line}");
    }
    let absent = bench.run("chart diff @/old @/new --helm @/none/helm");
    assert!(
        absent.exit == Exit::Error && absent.stderr.contains("there is no helm at @/none/helm") && absent.stderr.contains("install helm"),
        "{}",
        absent.stderr
    );
}

#[test]
fn a_new_version_that_refuses_the_values_is_a_summary_like_any_other() {
    let bench = Bench::new();
    bench.write("v.yaml", "v: SUPERSECRET3\n");
    bench.write("bad/Chart.yaml", "apiVersion: v2\nname: small\nversion: 2.0.0\n");
    bench.write("bad/templates/x.yaml", "{{ fail (printf \"v was %s\" .Values.v) }}\n");
    bench.write("strict/Chart.yaml", "apiVersion: v2\nname: small\nversion: 2.0.0\n");
    bench.write("strict/values.schema.json", r#"{"properties": {"v": {"pattern": "^x$"}}}"#);
    for (new, code) in [("bad", "does-not-render"), ("strict", "values-refused")] {
        for shape in ["text", "json", "yaml", "markdown"] {
            let said = bench.diff(&format!("@/old @/{new} --values @/v.yaml -o {shape}"));
            assert_eq!(said.exit, Exit::Blocked, "{new} {shape}: {}", said.stderr);
            assert!(said.stdout.contains("(value)") && said.stdout.contains("nothing to compare"), "{new} {shape}: {}", said.stdout);
            assert!(!format!("{}{}", said.stdout, said.stderr).contains("SUPERSECRET"), "{new} {shape}: {}{}", said.stdout, said.stderr);
            if shape == "json" {
                let summary: Value = serde_json::from_str(&said.stdout).unwrap();
                assert_eq!((&summary["verdict"]["level"], &summary["new"]["version"]), (&"blocked".into(), &"2.0.0".into()));
                assert_eq!(summary["sections"][0]["items"][0]["code"], code);
            }
        }
    }
}

#[test]
fn a_name_that_is_nowhere_is_no_file_either() {
    let bench = Bench::new();
    let said = bench.run("chart show nothing --server ftp://none");
    assert!(said.exit != Exit::Ok && said.stderr.contains("is no file or folder here"), "{}", said.stderr);
}

#[test]
fn a_digest_holds_wherever_the_chart_is() {
    let bench = Bench::new();
    let none = format!("sha256:{}", "0".repeat(64));
    let said = bench.run(&format!("chart show @/new --values --digest {none}"));
    assert!(said.exit == Exit::Error && said.stdout.is_empty(), "{}", said.stdout);
    assert!(said.stderr.contains("is not the archive that --digest names") && said.stderr.contains(&none), "{}", said.stderr);
    let shown = bench.run(&format!("chart show @/new -o name --helm {}", helm().display())).stdout;
    let digest = shown.trim().strip_prefix("chart/").unwrap();
    assert_eq!(bench.run(&format!("chart show @/new --values --digest {digest}")).exit, Exit::Ok);
}

#[test]
fn a_chart_that_is_not_here_is_told_where_charts_are() {
    let said = Bench::new().run("chart show @/nope.tgz");
    assert!(said.exit == Exit::Error && said.stderr.contains("name a chart folder or .tgz that is here"), "{}", said.stderr);
}

#[test]
fn what_was_not_rendered_is_said() {
    let bench = Bench::new();
    bench.write("bad/Chart.yaml", "apiVersion: v2\nname: small\nversion: 1.0.0\n");
    bench.write("bad/templates/x.yaml", "{{ fail \"never\" }}\n");
    let said = bench.run(&format!("chart show @/bad --helm {}", helm().display()));
    assert!(said.stdout.contains("\nImages\n  not rendered; none found in the files\n\nHooks\n  not rendered"), "{}", said.stdout);
}

#[test]
fn a_chart_is_shown_without_a_server() {
    let bench = Bench::new();
    bench.write("new/templates/job.yaml", "apiVersion: batch/v1\nkind: Job\nmetadata: {name: j, annotations: {helm.sh/hook: 'pre-upgrade, test'}}\nspec: {template: {spec: {containers: [{image: 'h/i:1'}]}}}\n");
    bench.write("new/crds/a.yaml", "apiVersion: apiextensions.k8s.io/v1\nkind: CustomResourceDefinition\nmetadata: {name: as.x}\nspec: {names: {kind: A}, versions: [{name: v1, served: true}]}\n");
    let said = bench.run(&format!("chart show @/new --helm {}", helm().display()));
    for line in [
        "Version      1.1.0\n",
        "  h/i:1\n",
        "  as.x v1 (crds/a.yaml)\n",
        "  Job/j pre-upgrade, test (templates/job.yaml)\n",
        "  v    string  \"two\"    What it says\n",
    ] {
        assert!(said.stdout.contains(line), "{line:?} in {}", said.stdout);
    }
    let detail: Value = serde_json::from_str(&bench.run(&format!("chart show @/new -o json --helm {}", helm().display())).stdout).unwrap();
    assert_eq!((&detail["kind"], &detail["knownFrom"]), (&"ChartDetail".into(), &"render".into()));
    assert_eq!(bench.run("chart show @/new --values").stdout, "# What it says\nv: two\n");
}

#[test]
fn values_are_what_helm_reads_of_them() {
    let bench = Bench::new();
    bench.write("two/Chart.yaml", "apiVersion: v2\nname: two\nversion: 1.0.0\n");
    bench.write("two/values.yaml", "a: 1\n---\nb: 2\n");
    let said = bench.run("chart show @/two --values -o json");
    assert_eq!((said.exit, said.stdout.as_str()), (Exit::Ok, "{\n  \"a\": 1\n}\n"), "{}", said.stderr);
    assert!(said.stderr.contains("values.yaml:2:1: a second document begins here, which helm does not read"), "{}", said.stderr);
    let shown = bench.run(&format!("chart show @/two --helm {}", helm().display())).stdout;
    assert!(shown.contains("  a    number  1") && shown.contains("a second document begins here"), "{shown}");
    bench.write("two/values.yaml", "[a]\n");
    let refused = bench.run("chart show @/two --values -o json");
    assert!(refused.exit == Exit::Error && refused.stderr.contains("this document is a list"), "{}", refused.stderr);
    let shown = bench.run(&format!("chart show @/two --helm {}", helm().display())).stdout;
    assert!(shown.contains("Values\n  helm cannot load values.yaml:1:1: values are a map"), "{shown}");
}

#[test]
fn a_chart_inside_that_is_out_of_its_range_is_remarked() {
    let bench = Bench::new();
    bench.write("up/Chart.yaml", "apiVersion: v2\nname: up\nversion: 1.0.0\ndependencies: [{name: sub, version: ^1, alias: x}]\n");
    bench.write("up/charts/sub/Chart.yaml", "apiVersion: v2\nname: sub\nversion: 9.0.0\n");
    bench.write("up/charts/sub/charts/deep/Chart.yaml", "apiVersion: v2\nname: deep\nversion: 2.0.0\n");
    let shown = bench.run(&format!("chart show @/up --helm {}", helm().display())).stdout;
    assert!(shown.contains("  sub 9.0.0 is not in the range ^1: helm takes it all the same, but as sub and not as x\n"), "{shown}");
    assert!(shown.contains("  sub/deep  2.0.0"), "{shown}");
}

/// Texts of the sections' sources, without their tests.
fn sources(folder: &Path, found: &mut Vec<String>) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        if path.is_dir() {
            sources(&path, found);
        } else if !name.contains("test") {
            let text = std::fs::read_to_string(&path).unwrap();
            found.push(text.split("#[cfg(test)]").next().unwrap_or_default().to_owned());
        }
    }
}

/// Words with hyphens in quotes: that is how codes look, and little else.
fn codes(text: &str) -> Vec<&str> {
    let is_code = |word: &&str| {
        word.contains('-') && word.bytes().all(|b| b.is_ascii_lowercase() || b == b'-') && !word.starts_with('-') && !word.ends_with('-')
    };
    text.lines()
        .filter(|line| !line.trim_start().starts_with("//"))
        .flat_map(|line| line.split('"').skip(1).step_by(2))
        .filter(is_code)
        .collect()
}

#[test]
fn every_code_is_in_the_book() {
    /// Words of Kubernetes and Helm, and of reasons.
    const OTHERS: [&str; 11] = [
        "before-hook-creation",
        "cluster-admin",
        "config-version",
        "crd-install",
        "post-upgrade",
        "pre-upgrade",
        "rel-new",
        "rel-old",
        "test-success",
        "x-kubernetes-preserve-unknown-fields",
        "x-kubernetes-validations",
    ];
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let book = std::fs::read_to_string(root.join("docs/change-summary.md")).unwrap();
    let mut texts = Vec::new();
    sources(&root.join("change/src/section"), &mut texts);
    let found: std::collections::BTreeSet<&str> = texts.iter().flat_map(|text| codes(text)).filter(|code| !OTHERS.contains(code)).collect();
    assert!(found.len() > 50, "codes are written otherwise now: {found:?}");
    let missing: Vec<_> = found.iter().filter(|code| !book.contains(&format!("`{code}`"))).collect();
    assert!(missing.is_empty(), "docs/change-summary.md does not say what to do about {missing:?}");
}

#[test]
fn the_schemas_in_the_book_are_those_of_the_code() {
    let bench = Bench::new();
    for name in ["change-summary", "chart-detail", "upgrade-path", "path-lint", "path-rule-list"] {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("../docs/schema/{name}.json"));
        let printed = bench.run(&format!("schema {name}")).stdout;
        let kept = std::fs::read_to_string(&path).unwrap_or_default();
        assert!(printed == kept, "write it anew: groundswell schema {name} > docs/schema/{name}.json");
    }
}
