//! Which charts ask the cluster. A render has none: `lookup` finds nothing there, and what it would have kept is drawn anew.

use super::random::has_action;
use crate::archive::{ChartArchive, ChartMetadata, Files, Subchart};

/// The charts whose templates use `lookup`, as the sources of their objects begin: `kube-prometheus-stack/charts/grafana`.
pub(super) fn charts(archive: &ChartArchive) -> Vec<String> {
    let mut found = Vec::new();
    collect(archive.metadata.name.clone(), &archive.metadata, &archive.files, &archive.subcharts, &mut found);
    found
}

fn collect(place: String, metadata: &ChartMetadata, files: &Files, subcharts: &[Subchart], found: &mut Vec<String>) {
    let asks = files
        .iter()
        .any(|(path, data)| path.starts_with("templates/") && std::str::from_utf8(data).is_ok_and(|text| has_action(text, &["lookup"])));
    if asks {
        found.push(place.clone());
    }
    for sub in subcharts {
        let declared = metadata.dependencies.iter().filter(|dependency| dependency.name == sub.metadata.name);
        let mut names: Vec<&str> = declared.map(|dependency| dependency.values_key()).collect();
        if names.is_empty() {
            names.push(&sub.metadata.name);
        }
        for name in names {
            collect(format!("{place}/charts/{name}"), &sub.metadata, &sub.files, &sub.subcharts, found);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::{bench, chart};
    use super::*;

    const ASKS: &str = "{{- define \"p\" }}{{ (lookup \"v1\" \"Secret\" .Release.Namespace \"s\") | default (randAlpha 9) }}{{ end }}";

    #[tokio::test]
    async fn charts_are_called_as_the_sources_of_their_objects_are() {
        let map = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a}\ndata: {p: {{ include \"p\" . | quote }}}\n";
        let one = chart(
            "1.0.0",
            &[
                ("Chart.yaml", "apiVersion: v2\nname: beacon\nversion: 1.0.0\ndependencies: [{name: sub, version: 1.0.0, alias: lamp}]\n"),
                ("templates/n.yaml", "# lookup"),
                ("charts/sub/Chart.yaml", "apiVersion: v2\nname: sub\nversion: 1.0.0\n"),
                ("charts/sub/templates/_p.tpl", ASKS),
                ("charts/sub/templates/a.yaml", map),
            ],
        );
        assert_eq!(charts(&one.archive), ["beacon/charts/lamp"]);
        let bench = bench();
        let sides = bench.preview.sides((&one).into(), (&one).into(), &bench.target, &[]).await.unwrap();
        assert_eq!(sides.input.new.objects[0].source, "beacon/charts/lamp/templates/a.yaml");
        assert_eq!(sides.input.new.lookups, ["beacon/charts/lamp"]);
    }
}
