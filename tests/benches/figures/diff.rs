//! Time of `groundswell chart diff` over a chart of 140 objects and 10 CRDs, beside helm's own time for the same renders.
//!
//! The chart is generated, of the size of kube-prometheus-stack 80: 4 MB of CRDs, and templates that ask for the time, so that the
//! second render has to wait for another second.

use crate::print::{figure, median, say, span};
use crate::server::programs;
use anyhow::{Context as _, Result, ensure};
use groundswell_foundation::Binaries;
use std::fmt::Write as _;
use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};

const OBJECTS: usize = 140;
const CRDS: usize = 10;
/// Fields of a CRD: with their descriptions 400 KB, which is what those of Prometheus have.
const FIELDS: usize = 2_000;
const RUNS: usize = 5;
const LIMIT: &str = "limit: below 3 s on 2 cores";

pub(crate) fn run() -> Result<()> {
    let helm = Binaries::locate_or_build(&mut |what| drop(say(what))).context("no helm")?.helm;
    let command = programs()?.join("groundswell");
    let folder = tempfile::Builder::new().prefix("bench-diff-").tempdir_in(env!("CARGO_TARGET_TMPDIR"))?;
    let (old, new) = (folder.path().join("old"), folder.path().join("new"));
    chart(&old, 1)?;
    chart(&new, 2)?;
    say(&format!("chart diff: two versions of a chart with {OBJECTS} objects and {CRDS} CRDs, without classing of overrides"))?;
    let mut failed = None;
    let alone = median(RUNS, || {
        for chart in [&old, &new] {
            let run = Command::new(&helm).args(["template", "x"]).arg(chart).stdout(Stdio::null()).status();
            failed = failed.take().or(run.err().map(anyhow::Error::from));
        }
    });
    figure("helm template of both versions, one after another", &span(alone), "the peer: what helm alone needs to render them once")?;
    let ours = median(RUNS, || {
        let mut diff = Command::new(&command);
        diff.args(["chart", "diff", "--no-overrides", "--helm"]).arg(&helm).args([&old, &new]);
        let code = diff.stdout(Stdio::null()).stderr(Stdio::null()).status().map(|status| status.code());
        let right = matches!(code, Ok(Some(3)));
        failed = failed.take().or((!right).then(|| anyhow::anyhow!("chart diff ended with {code:?} instead of 3")));
    });
    figure("groundswell chart diff (four renders, two of them a second later)", &span(ours), LIMIT)?;
    match failed {
        Some(error) => Err(error),
        None => Ok(()),
    }
}

fn chart(folder: &Path, version: usize) -> Result<()> {
    fs::create_dir_all(folder.join("templates"))?;
    fs::create_dir_all(folder.join("crds"))?;
    fs::write(folder.join("Chart.yaml"), format!("apiVersion: v2\nname: wide\nversion: {version}.0.0\n"))?;
    fs::write(folder.join("values.yaml"), format!("image: registry.example/wide:{version}\nreplicas: 2\n"))?;
    for number in 0..OBJECTS {
        let made = if number == 0 { "{{ now | date \"2006\" }}" } else { "always" };
        let text = format!(
            "apiVersion: apps/v1\nkind: Deployment\nmetadata:\n  name: {{{{ .Release.Name }}}}-{number}\n  annotations: {{made: \"{made}\"}}\n  \
             labels: {{chart: wide-{{{{ .Chart.Version }}}}}}\nspec:\n  replicas: {{{{ .Values.replicas }}}}\n  selector: {{matchLabels: {{app: a{number}}}}}\n  \
             template:\n    metadata: {{labels: {{app: a{number}}}}}\n    spec:\n      containers:\n      - name: main\n        image: {{{{ .Values.image }}}}\n        \
             args: [--number={number}]\n        ports: [{{name: http, containerPort: 8080}}]\n"
        );
        fs::write(folder.join(format!("templates/{number}.yaml")), text)?;
    }
    for number in 0..CRDS {
        fs::write(folder.join(format!("crds/{number}.yaml")), crd(number, version))?;
    }
    let size: u64 = fs::read_dir(folder.join("crds"))?.map(|entry| Ok(entry?.metadata()?.len())).sum::<Result<u64>>()?;
    ensure!(size > 3_000_000, "the CRDs have only {size} bytes");
    Ok(())
}

fn crd(number: usize, version: usize) -> String {
    let mut text = format!(
        "apiVersion: apiextensions.k8s.io/v1\nkind: CustomResourceDefinition\nmetadata: {{name: wide{number}s.example.org}}\nspec:\n  group: example.org\n  \
         scope: Namespaced\n  names: {{kind: Wide{number}, plural: wide{number}s}}\n  versions:\n  - name: v1\n    served: true\n    storage: true\n    \
         schema:\n      openAPIV3Schema:\n        type: object\n        properties:\n          spec:\n            type: object\n            properties:\n"
    );
    for field in 0..FIELDS * (9 + version) / 10 {
        let words =
            "what this field is about, in as many words as authors of custom resources usually take to say it, and then some more of them";
        // Writing into a String cannot fail.
        let _ = write!(text, "              field{field}:\n                description: {words} {field}\n                type: string\n");
    }
    text
}
