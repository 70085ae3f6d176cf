//! Each class, by renders of the real helm.

use std::sync::Mutex;

use serde_json::json;

use super::*;
use crate::pack::PackedChart;
use crate::preview::tests::{bench, chart, documents};
use crate::preview::{PreviewOptions, Previewed};

fn options(limit: Duration) -> PreviewOptions {
    PreviewOptions { overrides: Some(limit) }
}

const OLD: &str = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a}\ndata:\n  works: {{ .Values.works | quote }}\n  server: {{ .Values.replicas | quote }}\n  \
                   notes: {{ .Values.said | quote }}\n  lost: {{ .Values.lost | quote }}\n  idle: {{ .Values.idle | quote }}\n  list: {{ .Values.list | toJson | quote }}\n  \
                   changed: {{ .Values.changed | quote }}\n  same: {{ .Values.same | quote }}\n  map: {{ .Values.map | toJson | quote }}\n  r: {{ randAlphaNum 9 }}\n";
const NEW: &str = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a}\ndata:\n  works: {{ .Values.works | quote }}\n  server: {{ .Values.server.replicas | quote }}\n  \
                   notes: {{ .Values.fresh.name | quote }}\n  {{- if .Values.enabled }}\n  idle: {{ .Values.idle | quote }}\n  {{- end }}\n  list: {{ .Values.list | toJson | quote }}\n  \
                   changed: {{ .Values.changed | quote }}\n  same: {{ .Values.same | quote }}\n  map: {{ .Values.map | toJson | quote }}\n  r: {{ randAlphaNum 9 }}\n  need: {{ required \"need it\" .Values.need }}\n";

fn charts() -> (PackedChart, PackedChart) {
    let old = "works: a\nreplicas: 1\nsaid: x\nlist: [one]\nchanged: 1\nsame: 1\n";
    let new = "works: a\nserver: {replicas: 1}\nfresh: {name: x}\nlist: [one, two]\nchanged: 2\nsame: 5\nenabled: false\n";
    let notes = "# 2\n`said` is now `fresh.name`.\n";
    let old = chart("1.0.0", &[("templates/a.yaml", OLD), ("values.yaml", old)]);
    (old, chart("2.0.0", &[("templates/a.yaml", NEW), ("values.yaml", new), ("UPGRADE.md", notes)]))
}

const VALUES: &str = "works: b\nreplicas: 3\nsaid: name\nlost: z\nidle: q\nlist: [mine]\nchanged: 7\nsame: 5\ntypo: 1\nother: {typo2: 1}\nneed: n\nmap: {any: {password: hunter2}}\n";

fn classes(made: &Previewed) -> Vec<String> {
    let word = |class: &OverrideClass| match class {
        OverrideClass::Gone { moved_to, because } => format!("gone to {} ({because})", moved_to.as_deref().unwrap_or("nowhere")),
        OverrideClass::HidesNewItems { items } => format!("hides {}", json!(items)),
        other => format!("{other:?}"),
    };
    made.input.overrides.iter().flatten().map(|verdict| format!("{}: {}", verdict.path, word(&verdict.class))).collect()
}

#[tokio::test]
async fn every_key_is_classed_by_renders() {
    let (old, new) = charts();
    let (mut bench, values) = (bench(), documents(&[VALUES]));
    let cache = tempfile::tempdir().unwrap();
    let heard = Arc::new(Mutex::new(Vec::new()));
    let hears = Arc::clone(&heard);
    bench.preview.cache = Some(cache.path().to_owned());
    bench.preview.progress = Some(Arc::new(move |step| hears.lock().unwrap().push(step)));
    let limit = options(Duration::from_secs(120));
    let run = || bench.preview.input((&old).into(), (&new).into(), &bench.target, &values, limit);
    let made = run().await.unwrap();
    let expected = [
        "changed: DefaultChanged",
        "idle: NoEffect",
        "list: hides [\"two\"]",
        "lost: gone to nowhere (the new chart has no such key, neither in its defaults nor in its templates)",
        "map.any.password: Works",
        "need: Works",
        "other.typo2: NeverWorked",
        "replicas: gone to server.replicas (setting it changes the render as the old key did)",
        "said: gone to fresh.name (UPGRADE.md:2 says so, and setting it changes the render as the old key did)",
        "same: NowDefault",
        "typo: NeverWorked",
        "works: Works",
    ];
    assert_eq!(classes(&made), expected);
    assert!(made.input.not_checked.is_empty(), "{:?}", made.input.not_checked);
    let verdicts = made.input.overrides.as_ref().unwrap();
    let works = verdicts.iter().find(|verdict| verdict.path == "works").unwrap();
    assert_eq!((works.affects.as_slice(), works.document.as_str()), (["ConfigMap/ops/a".to_owned()].as_slice(), "v0.yaml"));
    let secret = verdicts.iter().find(|verdict| verdict.path == "map.any.password").unwrap();
    assert_eq!(secret.given, json!("(secret)"));
    let steps = heard.lock().unwrap().drain(..).collect::<Vec<_>>();
    assert!(steps.len() >= 10 && steps.iter().all(|step| step.done <= step.total), "{steps:?}");

    let kept: String = std::fs::read_dir(cache.path().join("overrides"))
        .unwrap()
        .filter_map(|entry| std::fs::read_to_string(entry.unwrap().path()).ok())
        .collect();
    assert!(kept.contains("ConfigMap/ops/a") && !kept.contains("hunter2") && !kept.contains("works"), "{kept}");
    assert_eq!(classes(&run().await.unwrap()), expected);
    let again = heard.lock().unwrap().drain(..).map(|step| step.what).collect::<Vec<_>>();
    assert!(!again.iter().any(|what| what == "works" || what == "typo"), "tried again: {again:?}");
}

#[tokio::test]
async fn without_time_nothing_is_claimed() {
    let (old, new) = charts();
    let (bench, values) = (bench(), documents(&[VALUES]));
    let made = bench.preview.input((&old).into(), (&new).into(), &bench.target, &values, options(Duration::ZERO)).await.unwrap();
    let classes = classes(&made);
    assert!(classes.contains(&"same: NowDefault".to_owned()), "known without a render: {classes:?}");
    assert_eq!(classes.iter().filter(|class| class.ends_with("NotTried")).count(), classes.len() - 1, "{classes:?}");
    assert!(made.input.not_checked[0].next.contains("--overrides-limit"));
}

#[tokio::test]
async fn a_key_that_only_brings_crds_works() {
    let top =
        "apiVersion: v2\nname: beacon\nversion: 1.0.0\ndependencies:\n- {name: sub, version: 0.1.0, condition: crds.active, alias: crds}\n";
    let crd = "apiVersion: apiextensions.k8s.io/v1\nkind: CustomResourceDefinition\nmetadata: {name: a.b}\nspec: {}\n";
    let files = [
        ("Chart.yaml", top),
        ("values.yaml", "crds: {active: true}\n"),
        ("charts/sub/Chart.yaml", "apiVersion: v2\nname: sub\nversion: 0.1.0\n"),
        ("charts/sub/crds/a.yaml", crd),
    ];
    let chart = chart("1.0.0", &files);
    let (bench, values) = (bench(), documents(&["crds: {active: false}\n"]));
    let limit = options(Duration::from_secs(60));
    let made = bench.preview.input((&chart).into(), (&chart).into(), &bench.target, &values, limit).await.unwrap();
    assert_eq!(classes(&made), ["crds.active: Works"]);
    assert_eq!(made.input.overrides.unwrap()[0].affects, ["CRDs of beacon/sub"]);
}

#[tokio::test]
async fn keys_that_cover_each_other_work() {
    let map = |name: &str, either: &str| {
        format!(
            "---\napiVersion: v1\nkind: ConfigMap\nmetadata: {{name: {name}}}\ndata: {{v: '{{{{ if or {either} }}}}on{{{{ end }}}}'}}\n"
        )
    };
    let old = map("a", ".Values.a .Values.b") + &map("b", ".Values.c .Values.d .Values.e") + &map("c", ".Values.f .Values.g");
    let new = map("a", ".Values.a .Values.b") + &map("b", ".Values.c .Values.d .Values.e");
    let (old, new) = (chart("1.0.0", &[("templates/a.yaml", old.as_str())]), chart("2.0.0", &[("templates/a.yaml", new.as_str())]));
    let values = "a: true\nb: true\nc: 1\nd: 1\ne: 1\nf: 1\ng: 1\ntypo: 1\nzypo: 1\n";
    let (bench, values) = (bench(), documents(&[values]));
    let limit = options(Duration::from_secs(60));
    let made = bench.preview.input((&old).into(), (&new).into(), &bench.target, &values, limit).await.unwrap();
    let classes = classes(&made);
    assert!(classes[..5].iter().all(|class| class.ends_with(": Works")), "{classes:?}");
    assert!(classes[5..7].iter().all(|class| class.contains("gone to nowhere")), "{classes:?}");
    assert!(classes[7..].iter().all(|class| class.ends_with(": NeverWorked")), "{classes:?}");
    assert_eq!(made.input.overrides.unwrap()[1].affects, ["ConfigMap/ops/a"]);
}
