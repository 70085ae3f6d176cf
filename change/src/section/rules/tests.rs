use super::super::testing::says;

fn rules(name: &str, rules: &str) -> String {
    format!(
        "apiVersion: monitoring.coreos.com/v1\nkind: PrometheusRule\nmetadata: {{name: {name}, namespace: ns}}\nspec: {{groups: [{{name: g, rules: [{rules}]}}]}}"
    )
}

fn change(old: &str, new: &str) -> String {
    says(super::items, &rules("r", old), &rules("r", new))
}

fn alert(name: &str, expr: &str, more: &str) -> String {
    format!("{{alert: {name}, expr: '{expr}'{more}}}")
}

#[test]
fn alerts() {
    let down = alert("Down", "up == 0", ", for: 5m, labels: {severity: critical}");
    insta::assert_snapshot!(change(&down, ""), @"
    look alerts-removed PrometheusRule/ns/r: 1 alert is gone: Down; nobody is paged for it any more
        Down (critical) in r/g
    ");
    insta::assert_snapshot!(change("", &down), @"
    look alerts-added PrometheusRule/ns/r: 1 alert is new: Down (0 before, 1 after)
        Down (critical) in r/g
    ");
    insta::assert_snapshot!(change(&down, &down.replace("Down", "TargetDown")), @"look alerts-renamed PrometheusRule/ns/r: 1 alert is called otherwise: Down is now TargetDown");
    insta::assert_snapshot!(change(&down, &down.replace("== 0", "< 1")), @"
    look alerts-expr PrometheusRule/ns/r: 1 alert is evaluated otherwise: Down
        Down: up < 1 | was: up == 0
    ");
    insta::assert_snapshot!(change(&down, &down.replace("5m", "15m").replace("critical", "warning")), @"
    look alerts-severity PrometheusRule/ns/r: 1 alert is of another severity: Down: critical to warning
    look alerts-for PrometheusRule/ns/r: 1 alert is given another time to wait: Down: 5m to 15m
    ");
    assert_eq!(change(&down, &down.replace("5m", "300s")), "", "as long, written otherwise");
    insta::assert_snapshot!(change(&down, &down.replace("critical", "critical, team: x")), @"look alerts-labels PrometheusRule/ns/r: 1 alert is labelled otherwise: Down: no labels to team=x");
    assert_eq!(change(&down, &down.replace("up == 0", "up   ==0 # spelt otherwise")), "");
}

#[test]
fn many_are_counted_and_named_in_detail() {
    let all: Vec<String> = ["A", "B", "C", "D", "E"].iter().map(|name| alert(name, &format!("{name} > 1"), "")).collect();
    insta::assert_snapshot!(change(&all.join(", "), &all[0]), @"
    look alerts-removed PrometheusRule/ns/r: 4 alerts are gone: B, C, D and E; nobody is paged for them any more
        B in r/g
        C in r/g
        D in r/g
        E in r/g
    ");
}

#[test]
fn moved_to_another_object_is_no_change_of_substance() {
    let down = alert("Down", "up == 0", "");
    insta::assert_snapshot!(says(super::items, &rules("old", &down), &rules("new", &down)), @"know alerts-moved PrometheusRule/ns/new: 1 alert is in another group or object, and the same: Down: old/g to new/g");
}

#[test]
fn alerts_of_one_name_are_told_apart() {
    let two = |critical: &str| {
        format!(
            "{}, {}",
            alert("Full", "x > 8", ", labels: {severity: warning}"),
            alert("Full", critical, ", labels: {severity: critical}")
        )
    };
    insta::assert_snapshot!(change(&two("x > 9"), &two("x > 95")), @"
    look alerts-expr PrometheusRule/ns/r: 1 alert is evaluated otherwise: Full
        Full: x > 95 | was: x > 9
    ");
}

#[test]
fn a_recording_rule_that_is_gone_and_still_used() {
    let record = "{record: 'job:up:sum', expr: sum by (job) (up)}";
    let user = alert("Few", "job:up:sum < 3", "");
    insta::assert_snapshot!(change(&format!("{record}, {user}"), &user), @"
    look recordings-removed PrometheusRule/ns/r: 1 recording rule is gone: job:up:sum; queries for it find nothing
        job:up:sum in r/g
    ACT recording-used PrometheusRule/ns/r: job:up:sum is recorded no more, and Few still asks for it
        -> check what records it now; until then they find nothing
    ");
}

#[test]
fn dashboards_and_rules_in_config_maps() {
    let board = |title: &str, uid: &str, panels: &str| {
        format!(
            "apiVersion: v1\nkind: ConfigMap\nmetadata: {{name: {}, namespace: ns}}\ndata: {{d.json: '{{\"title\": \"{title}\", \"uid\": \"{uid}\", \"version\": {}, \"panels\": [{panels}]}}'}}",
            title.to_lowercase(),
            uid.len()
        )
    };
    let join = |boards: &[String]| boards.join("\n---\n");
    insta::assert_snapshot!(says(super::items, &join(&[board("Nodes", "a", ""), board("Pods", "b", ""), board("Etcd", "c", "")]), &join(&[board("Nodes", "aa", ""), board("Pods", "b", "{}"), board("Kubelet", "d", "")])), @"
    look dashboards-removed ConfigMap/ns/etcd: 1 dashboard is gone: Etcd
    look dashboards-uid ConfigMap/ns/nodes: 1 dashboard is found under another uid, so that links to them break: Nodes
        Nodes: uid a to aa
    know dashboards-added ConfigMap/ns/kubelet: 1 dashboard is new: Kubelet
    know dashboards-changed ConfigMap/ns/pods: 1 dashboard is changed: Pods
    ");
    assert_eq!(says(super::items, &board("Nodes", "a", ""), &board("Nodes", "a", "").replace("\"version\": 1", "\"version\": 7")), "");
    let map = |expr: &str| {
        format!(
            "apiVersion: v1\nkind: ConfigMap\nmetadata: {{name: m, namespace: ns}}\ndata:\n  alerting.rules.yml: |\n    groups:\n    - name: g\n      rules:\n      - alert: Down\n        expr: {expr}\n"
        )
    };
    insta::assert_snapshot!(says(super::items, &map("up == 0"), &map("up < 1")), @"
    look alerts-expr ConfigMap/ns/m: 1 alert is evaluated otherwise: Down
        Down: up < 1 | was: up == 0
    ");
}
