use super::super::testing::{input, page, run, says};
use super::*;

fn deployment(name: &str, image: &str) -> String {
    format!(
        "apiVersion: apps/v1\nkind: Deployment\nmetadata: {{name: {name}, namespace: ns}}\nspec: {{template: {{spec: {{containers: [{{name: c, image: \"{image}\"}}]}}}}}}"
    )
}

fn image(old: &str, new: &str) -> String {
    says(super::items, &deployment("a", old), &deployment("a", new))
}

#[test]
fn images() {
    insta::assert_snapshot!(image("grafana/grafana:10.1.0", "grafana/grafana:11.0.0"), @"look image-major Deployment/ns/a: image docker.io/grafana/grafana goes from 10.1.0 to 11.0.0, a new major version");
    insta::assert_snapshot!(image("grafana/grafana:10.1.0", "docker.io/grafana/grafana:10.1.2"), @"know image-tag Deployment/ns/a: image docker.io/grafana/grafana goes from 10.1.0 to 10.1.2");
    insta::assert_snapshot!(image("grafana/grafana:10.1.0", "grafana/grafana:9.0.0"), @"look image-back Deployment/ns/a: image docker.io/grafana/grafana goes from 10.1.0 to 9.0.0, which is older");
    insta::assert_snapshot!(image("k8s.gcr.io/kube-state-metrics:v2.1.0", "registry.k8s.io/kube-state-metrics:v2.1.0"), @"
    look image-moved Deployment/ns/a: image kube-state-metrics now comes from registry.k8s.io where it came from k8s.gcr.io (v2.1.0)
        -> have registry.k8s.io/kube-state-metrics:v2.1.0 in your mirror and its rules before the upgrade
    ");
    insta::assert_snapshot!(image("quay.io/coreos/kube-state-metrics:v1.9.0", "registry.k8s.io/kube-state-metrics/kube-state-metrics:v2.1.0"), @"
    look image-moved Deployment/ns/a: image quay.io/coreos/kube-state-metrics is now registry.k8s.io/kube-state-metrics/kube-state-metrics (v1.9.0 to v2.1.0)
        -> have registry.k8s.io/kube-state-metrics/kube-state-metrics:v2.1.0 in your mirror and its rules before the upgrade
    ");
    insta::assert_snapshot!(image("grafana/grafana:10.1.0", "bitnami/grafana:10.1.0"), @"
    look image-moved Deployment/ns/a: image docker.io/grafana/grafana is now docker.io/bitnami/grafana (10.1.0)
        -> have docker.io/bitnami/grafana:10.1.0 in your mirror and its rules before the upgrade
    ");
    insta::assert_snapshot!(image("a/b:1@sha256:00", "a/b:1@sha256:ff"), @"know image-digest Deployment/ns/a: image docker.io/a/b has another digest under the same tag 1");
    insta::assert_snapshot!(image("a/b:1", "docker.io/a/b:1"), @"");
}

#[test]
fn the_same_image_in_many_objects_is_one_claim() {
    let all = |tag: &str| [deployment("a", tag), deployment("b", tag)].join("\n---\n");
    insta::assert_snapshot!(says(super::items, &all("x/y:1.0"), &all("x/y:1.1")), @"know image-tag Deployment/ns/a +1: image docker.io/x/y goes from 1.0 to 1.1");
}

#[test]
fn images_of_custom_resources_and_arguments() {
    let old = "apiVersion: monitoring.coreos.com/v1\nkind: Prometheus\nmetadata: {name: p, namespace: ns}\nspec: {baseImage: quay.io/prometheus/prometheus, version: v2.15.2}
---
apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: op, namespace: ns}\nspec: {template: {spec: {containers: [{name: c, args: [--prometheus-config-reloader=quay.io/po/reloader:v0.90.1, --kubelet-service=kube-system/kubelet, --web.listen=example.com:10250]}]}}}";
    let new = "apiVersion: monitoring.coreos.com/v1\nkind: Prometheus\nmetadata: {name: p, namespace: ns}\nspec: {image: 'quay.io/prometheus/prometheus:v3.0.1'}
---
apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: op, namespace: ns}\nspec: {template: {spec: {containers: [{name: c, args: [--prometheus-config-reloader=quay.io/po/reloader:v0.93.0, --kubelet-service=kube-system/other]}]}}}";
    insta::assert_snapshot!(says(super::items, old, new), @"
    look image-major Prometheus/ns/p: image quay.io/prometheus/prometheus goes from v2.15.2 to v3.0.1, a new major version
    know image-tag Deployment/ns/op: image quay.io/po/reloader goes from v0.90.1 to v0.93.0
    ");
}

#[test]
fn new_and_gone() {
    insta::assert_snapshot!(says(super::items, &deployment("a", "x/a:1"), &deployment("b", "x/b:1")), @"
    look image-new Deployment/ns/b: image docker.io/x/b:1 is new: it has to be in your mirror before
    know image-gone Deployment/ns/a: image docker.io/x/a:1 is used no more
    ");
}

#[test]
fn the_chart_itself() {
    let mut input = input("", "");
    let sub =
        |key: &str, name: &str, version: &str| Subchart { key: key.into(), name: name.into(), version: version.into(), app_version: None };
    input.old.chart = Chart {
        name: "prometheus-operator".into(),
        version: "9.3.2".into(),
        app_version: Some("0.38.1".into()),
        kube_version: Some(">=1.10.0-0".into()),
        annotations: vec![("artifacthub.io/license".into(), "Apache-2.0".into()), ("x".into(), "1".into())],
        subcharts: vec![
            sub("grafana", "grafana", "5.0.0"),
            sub("old", "old", "1.0.0"),
            sub("nodeExporter", "prometheus-node-exporter", "4.0.0"),
            sub("kube-state-metrics", "kube-state-metrics", "2.8.0"),
        ],
        ..Chart::default()
    };
    input.new.chart = Chart {
        name: "kube-prometheus-stack".into(),
        version: "12.0.0".into(),
        app_version: Some("0.44.0".into()),
        kube_version: Some(">=1.16.0-0".into()),
        deprecated: true,
        annotations: vec![("artifacthub.io/license".into(), "BUSL-1.1".into()), ("x".into(), "2".into())],
        subcharts: vec![
            sub("grafana", "grafana", "6.1.0"),
            sub("new", "new", "1.0.0"),
            sub("prometheus-node-exporter", "prometheus-node-exporter", "4.0.0"),
            sub("kube-state-metrics", "kube-state-metrics", "2.9.0"),
        ],
        ..Chart::default()
    };
    insta::assert_snapshot!(page(&run(super::items, &input)), @"
    look chart-renamed the chart is called kube-prometheus-stack where it was prometheus-operator: check that it is meant to follow it
    look chart-deprecated the chart kube-prometheus-stack 12.0.0 is marked as deprecated
    look chart-version the chart goes from 9.3.2 to 12.0.0, 3 major versions on
    know app-version its application goes from 0.38.1 to 0.44.0
    know kube-version it asks for Kubernetes >=1.16.0-0 where it asked for >=1.10.0-0
    look chart-license the license is now BUSL-1.1 where it was Apache-2.0
    know chart-annotations 1 annotation of Chart.yaml changed
        x
    look subchart-version subchart grafana goes from 5.0.0 to 6.1.0, a new major version
    know subchart-version subchart kube-state-metrics goes from 2.8.0 to 2.9.0
    look subchart-added subchart new 1.0.0 is new
    ACT subchart-moved the values of subchart prometheus-node-exporter stand below prometheus-node-exporter where they stood below nodeExporter
        -> move what your values set below nodeExporter to prometheus-node-exporter
    look subchart-removed subchart old 1.0.0 is gone, with all that it made
    ");
}

#[test]
fn a_date_has_no_major_versions() {
    use super::{Leap, leap};
    for (old, new, expected) in [
        ("20240101", "20250101", Leap::Small),
        ("2024.1.0", "2025.2.0", Leap::Small),
        ("2025.1.0", "2024.1.0", Leap::Back),
        ("1.0.0", "20250101", Leap::Majors(20_250_100)),
        ("1.0.0", "3.0.0", Leap::Majors(2)),
    ] {
        assert_eq!(leap(old, new), expected, "{old} to {new}");
    }
}
