//! Small charts, rendered by the real helm.

use std::fs;

use groundswell_change::input::REVISION;

use super::*;
use crate::pack::pack;
use crate::testing;

/// A chart from files; `Chart.yaml` is made when it is not among them.
pub(super) fn chart(version: &str, files: &[(&str, &str)]) -> PackedChart {
    let folder = tempfile::tempdir().unwrap();
    let write = |path: &str, text: &str| {
        let path = folder.path().join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    };
    write("Chart.yaml", &format!("apiVersion: v2\nname: beacon\nversion: {version}\n"));
    for (path, text) in files {
        write(path, text);
    }
    pack(folder.path()).unwrap()
}

pub(super) struct Bench {
    _folder: tempfile::TempDir,
    pub(super) preview: Preview,
    pub(super) target: PreviewTarget,
}

pub(super) fn bench() -> Bench {
    let folder = tempfile::tempdir().unwrap();
    let preview = Preview { helm: testing::helm(folder.path()), control: testing::control(), progress: None, cache: None };
    let target = PreviewTarget {
        from: "--kube-version".into(),
        kube_version: Some("1.30.0".into()),
        api_versions: Vec::new(),
        release: ReleaseName::new("ops", "b1").unwrap(),
    };
    Bench { _folder: folder, preview, target }
}

pub(super) fn documents(texts: &[&str]) -> Vec<(String, String)> {
    texts.iter().enumerate().map(|(index, text)| (format!("v{index}.yaml"), (*text).to_owned())).collect()
}

impl Bench {
    async fn sides(&self, old: &PackedChart, new: &PackedChart, values: &[&str]) -> Result<Previewed, PreviewError> {
        self.preview.sides(old.into(), new.into(), &self.target, &documents(values)).await
    }
}

const MAP: &str = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a}\ndata: {v: {{ .Values.v | quote }}}\n";

#[tokio::test]
async fn both_sides_are_rendered_with_the_values() {
    let old = chart("1.0.0", &[("templates/a.yaml", MAP), ("values.yaml", "v: one\n")]);
    let new = chart("2.0.0", &[("templates/a.yaml", MAP), ("values.yaml", "v: two\nw: 1\n"), ("UPGRADE.md", "# 2\n")]);
    let plain = bench().sides(&old, &new, &[]).await.unwrap();
    let v = |side: &groundswell_change::input::Side| side.objects[0].value["data"]["v"].clone();
    assert_eq!((v(&plain.input.old), v(&plain.input.new)), ("one".into(), "two".into()));
    assert_eq!(plain.input.new.defaults, serde_json::json!({"v": "two", "w": 1}));
    assert_eq!(plain.input.new.texts[0].path, "UPGRADE.md");
    assert_eq!(plain.input.new.objects[0].source, "beacon/templates/a.yaml");
    assert!(plain.input.new.record_bytes.is_some_and(|bytes| bytes > 500) && plain.took.renders == 4);
    let given = bench().sides(&old, &new, &["v: x\n", "v: yes\n"]).await.unwrap();
    assert_eq!((v(&given.input.old), v(&given.input.new)), ("true".into(), "true".into()));
    assert_eq!(given.input.documents, ["v0.yaml", "v1.yaml"]);
    assert!(given.input.not_checked.is_empty());
}

#[tokio::test]
async fn random_fields_are_named_and_hooks_and_crds_stand_apart() {
    let secret = "apiVersion: v1\nkind: Secret\nmetadata: {name: s}\ndata: {p: {{ randAlphaNum 20 | b64enc }}, at: {{ now | unixEpoch | toString | b64enc }}}\n";
    let hook = "apiVersion: v1\nkind: Pod\nmetadata: {name: t, annotations: {\"helm.sh/hook\": test}}\nspec: {}\n";
    let crd = "apiVersion: apiextensions.k8s.io/v1\nkind: CustomResourceDefinition\nmetadata: {name: a.b}\nspec: {}\n";
    let sub = "apiVersion: v2\nname: sub\nversion: 0.1.0\nappVersion: v5\n";
    let top =
        "apiVersion: v2\nname: beacon\nversion: 1.0.0\ndependencies:\n- {name: sub, version: 0.1.0, condition: crds.active, alias: crds}\n";
    let files = [
        ("Chart.yaml", top),
        ("values.yaml", "crds: {active: true}\n"),
        ("templates/s.yaml", secret),
        ("templates/t.yaml", hook),
        ("charts/sub/Chart.yaml", sub),
        ("charts/sub/values.yaml", "inner: 1\n"),
        ("charts/sub/crds/a.yaml", crd),
    ];
    let chart = chart("1.0.0", &files);
    let made = bench().sides(&chart, &chart, &[]).await.unwrap();
    let paths: Vec<&str> = made.input.new.random.iter().map(|field| field.path.as_str()).collect();
    assert_eq!(paths, ["data.p", "data.at"]);
    assert_eq!(made.input.new.random[0].object, "Secret/ops/s");
    assert_eq!(made.input.old.objects, made.input.new.objects);
    assert_eq!((made.input.new.objects.len(), made.input.new.hooks.len()), (1, 1));
    assert_eq!(made.input.new.crds[0].source, "beacon/charts/sub/crds/a.yaml");
    let sub = &made.input.new.chart.subcharts[0];
    assert_eq!((sub.key.as_str(), sub.name.as_str(), sub.app_version.as_deref()), ("crds", "sub", Some("v5")));
    assert_eq!(made.input.new.defaults, serde_json::json!({"crds": {"active": true, "inner": 1}}));
    let off = bench().sides(&chart, &chart, &["crds: {active: false}\n"]).await.unwrap();
    assert!(off.input.new.crds.is_empty() && off.input.new.chart.subcharts.is_empty());
}

#[tokio::test]
async fn dashes_in_a_block_scalar_part_nothing() {
    let map = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a}\ndata:\n  x.yaml: |\n    a: 1\n    ---\n    b: 2\n---\n# nothing\n---\n\
               apiVersion: v1\nkind: List\nitems:\n- {apiVersion: v1, kind: ConfigMap, metadata: {name: b}}\n";
    let chart = chart("1.0.0", &[("templates/a.yaml", map)]);
    let made = bench().sides(&chart, &chart, &[]).await.unwrap();
    let names: Vec<&str> = made.input.new.objects.iter().filter_map(|o| o.value["metadata"]["name"].as_str()).collect();
    assert_eq!(names, ["a", "b"]);
    assert_eq!(made.input.new.objects[0].value["data"]["x.yaml"], "a: 1\n---\nb: 2\n");
}

#[tokio::test]
async fn a_refusal_names_side_place_and_key_and_no_secret() {
    let fine = chart("1.0.0", &[]);
    let schema = r#"{"properties": {"db": {"properties": {"password": {"pattern": "^x$"}}}}}"#;
    let strict = chart("2.0.0", &[("values.schema.json", schema)]);
    let error = bench().sides(&fine, &strict, &["db: {password: hunter2}\n"]).await.unwrap_err();
    let PreviewError::Schema { which: Which::New, keys, .. } = &error else { panic!("{error:?}") };
    assert_eq!(keys[0].0, "db.password");
    assert!(error.to_string().contains("beacon 2.0.0") && !error.to_string().contains("hunter2"), "{error}");
    let broken = chart("0.9.0", &[("templates/a.yaml", "{{ fail .Values.password }}")]);
    let error = bench().sides(&broken, &fine, &["password: hunter2\n"]).await.unwrap_err();
    let PreviewError::DoesNotRender { which: Which::Old, template: Some(template), .. } = &error else { panic!("{error:?}") };
    assert!(template.starts_with("beacon/templates/a.yaml") && !error.to_string().contains("hunter2"), "{error}");
    let error = bench().sides(&fine, &fine, &["a: [\n"]).await.unwrap_err();
    assert!(matches!(error, PreviewError::Values(_)), "{error:?}");
    let mut absent = bench();
    absent.preview.helm.binary = "/nowhere/helm".into();
    let error = absent.sides(&fine, &fine, &[]).await.unwrap_err();
    assert!(matches!(&error, PreviewError::NoHelm { .. }) && error.to_string().contains("GROUNDSWELL_HELM"), "{error}");
}

#[tokio::test]
async fn outside_of_the_range_a_version_inside_is_rendered_and_said() {
    let yaml = "apiVersion: v2\nname: beacon\nversion: 2.0.0\nkubeVersion: \">=1.33.0-0\"\n";
    let map = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a}\ndata: {v: {{ .Capabilities.KubeVersion.Version }}}\n";
    let old = chart("1.0.0", &[("templates/a.yaml", map)]);
    let new = chart("2.0.0", &[("Chart.yaml", yaml), ("templates/a.yaml", map)]);
    let made = bench().sides(&old, &new, &[]).await.unwrap();
    let v = |side: &groundswell_change::input::Side| side.objects[0].value["data"]["v"].clone();
    assert_eq!((v(&made.input.old), v(&made.input.new)), ("v1.30.0".into(), "v1.33.0".into()));
    assert_eq!(made.input.not_checked.len(), 1);
    assert!(made.input.not_checked[0].why.contains(">=1.33.0-0") && made.input.not_checked[0].why.contains("1.33.0"));
    assert_eq!(made.input.target.kube_version.as_deref(), Some("1.30.0"));
}

#[tokio::test]
async fn a_name_that_keeps_the_objects_is_found() {
    let maps = "{{ range list 1 2 3 }}---\napiVersion: v1\nkind: ConfigMap\nmetadata: {name: {{ $.Release.Name }}-{{ $.Values.nameOverride | default $.Chart.Name }}-{{ . }}}\n\
                data: {number: '{{ . }}', color: green, shape: round}\n{{ end }}";
    let named = |name: &str| format!("apiVersion: v2\nname: {name}\nversion: 1.0.0\n");
    let old = chart("1.0.0", &[("templates/a.yaml", maps)]);
    let new = chart("2.0.0", &[("Chart.yaml", &named("other")), ("templates/a.yaml", maps)]);
    let bench = bench();
    let made = bench.preview.input((&old).into(), (&new).into(), &bench.target, &documents(&[]), PreviewOptions::default()).await.unwrap();
    let trial = made.input.rename.unwrap();
    let set = vec![("nameOverride".to_owned(), "beacon".to_owned())];
    assert_eq!((trial.set, trial.replaced_without, trial.replaced_with), (set, 3, 0));
    assert!(made.took.renders > 4);
    // Where nothing is replaced, nothing is tried.
    let made = bench.preview.input((&old).into(), (&old).into(), &bench.target, &documents(&[]), PreviewOptions::default()).await.unwrap();
    assert_eq!((made.input.rename, made.took.renders), (None, 4));
}

#[tokio::test]
async fn a_day_is_another_at_each_upgrade() {
    let map = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a}\ndata: {day: '{{ now | date \"2006-01-02\" }}', minute: '{{ now.Format \"15:04\" }}', \
               word: '{{ \"now\" }} now', v: {{ tpl .Values.v . | quote }}}\n";
    let chart = chart("1.0.0", &[("templates/m.yaml", map)]);
    let made = bench().sides(&chart, &chart, &["v: '{{ now | unixEpoch }}'\n"]).await.unwrap().input.new;
    assert_eq!(made.objects[0].value["data"], serde_json::json!({"day": RANDOM, "minute": RANDOM, "v": RANDOM, "word": "now now"}));
}

#[tokio::test]
async fn a_chart_that_minds_our_revision_is_compared_all_the_same() {
    let map = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a}\ndata: {v: '{{ if gt (int .Release.Revision) 100 }}{{ fail \"too many\" }}{{ end }}{{ randAlpha 9 }}'}\n";
    let (old, new) = (chart("1.0.0", &[("templates/m.yaml", map)]), chart("2.0.0", &[]));
    let made = bench().sides(&old, &new, &[]).await.unwrap().input;
    assert_eq!(made.old.objects[0].value["data"]["v"], RANDOM);
    let missed: Vec<&str> = made.not_checked.iter().map(|missed| missed.what.as_str()).collect();
    assert_eq!(missed, ["what holds the revision of the release or the day in the old version"]);
}

#[tokio::test]
async fn a_revision_is_another_at_each_upgrade() {
    let job = "apiVersion: batch/v1\nkind: Job\nmetadata: {name: 'mig-{{ .Release.Revision }}'}\nspec: {}\n";
    let map = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a}\ndata: {rev: '{{ $.Release.Revision }}', v: {{ tpl .Values.v . | quote }}}\n\
               {{- if eq .Release.Revision 1 }}\n---\napiVersion: v1\nkind: Secret\nmetadata: {name: first}\n{{- end }}\n";
    let chart = chart("1.0.0", &[("templates/j.yaml", job), ("templates/m.yaml", map)]);
    let ways = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: ways}\ndata:\n  a: '{{ $r := .Release }}{{ $r.Revision }}'\n  b: '{{ (.Release).Revision }}'\n  \
                c: '{{ index .Release \"Revision\" }}'\n  d: '{{ with .Release }}{{ .Revision }}{{ end }}'\n  e: '{{ index (dict \"root\" $).root.Release \"Revision\" }}'\n";
    let sub = "apiVersion: v2\nname: sub\nversion: 0.1.0\n";
    let within = [("charts/sub/Chart.yaml", sub), ("charts/sub/templates/a/b/c/w.yaml", ways)];
    let other = self::chart("1.0.0", &within);
    let made = bench().sides(&other, &other, &[]).await.unwrap().input.new;
    let data = serde_json::json!({"a": REVISION, "b": REVISION, "c": REVISION, "d": REVISION, "e": REVISION});
    assert_eq!(made.objects[0].value["data"], data, "however it is asked for");
    let made = bench().sides(&chart, &chart, &["v: 'r{{ .Release.Revision }}'\n"]).await.unwrap().input.new;
    let texts: Vec<&str> = made
        .objects
        .iter()
        .flat_map(|one| [one.value["metadata"]["name"].as_str(), one.value["data"]["rev"].as_str(), one.value["data"]["v"].as_str()])
        .flatten()
        .collect();
    assert_eq!(texts, ["a", "(revision)", "r(revision)", "mig-(revision)"], "an upgrade is never the first");
    let fields: Vec<String> = made.random.iter().map(|field| format!("{} {}", field.object, field.path)).collect();
    assert_eq!(fields, ["ConfigMap/ops/a data.rev", "ConfigMap/ops/a data.v", "Job/ops/mig-(revision) metadata.name"]);
}
