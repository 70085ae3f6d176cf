//! Small charts, rendered by the real helm.

use std::fs;

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
    let v = |side: &Side| side.objects[0].value["data"]["v"].clone();
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
