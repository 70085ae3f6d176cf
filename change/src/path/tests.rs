//! The shipped rules, and what each part of the grammar does to a way.

mod oracle;
mod words;

use super::*;
use crate::constraint::Version;

pub(super) fn version(text: &str) -> Version {
    Version::parse(text).unwrap()
}

pub(super) fn question(chart: &str, from: &str, to: &str, kubernetes: Option<&str>) -> Question {
    let from = Stand { chart: chart.to_owned(), version: version(from) };
    Question { from, to_chart: None, to: version(to), kubernetes: kubernetes.map(version) }
}

/// A way in one line: versions, with the upgrades of the cluster between them.
pub(super) fn line(route: &Route) -> String {
    let mut text = route.from.version.to_string();
    for hop in &route.hops {
        if let Some(upgrade) = &hop.cluster_upgrade {
            text.push_str(&format!(" [k8s {}]", upgrade.to));
        }
        text.push_str(&format!(" {}", hop.stand.version));
    }
    text
}

fn shipped(from: &str, to: &str, kubernetes: Option<&str>) -> String {
    let set = RuleSet::shipped().unwrap();
    let chart = set.charts_with(&version(from))[0].to_owned();
    match solve(&set, &question(&chart, from, to, kubernetes)) {
        Ok(route) => line(&route),
        Err(error) => error.to_string(),
    }
}

#[test]
fn ways_of_the_shipped_rules() {
    for (from, to, kubernetes, way) in [
        ("8.5.2", "80.14.4", Some("1.16.15"), "8.5.2 9.3.2 9.4.10 22.1.0 40.5.0 [k8s 1.25 or newer] 66.7.1 72.9.1 80.14.4"),
        // With 1.21 it goes on to 66 as it is.
        ("8.5.2", "80.14.4", Some("v1.21.14+vmware.1"), "8.5.2 9.3.2 9.4.10 22.1.0 40.5.0 66.7.1 72.9.1 [k8s 1.25 or newer] 80.14.4"),
        // Charts of that time bear 1.16 to 1.21 on both sides of 10.
        ("8.5.2", "16.15.0", Some("1.15.12"), "8.5.2 9.3.2 9.4.10 [k8s 1.16–1.21] 16.15.0"),
        ("5.19.0", "8.16.1", Some("1.14.10"), "5.19.0 7.5.0 8.16.1"),
        ("7.2.1", "8.5.2", None, "7.2.1 7.5.0 8.5.2"),
        ("7.5.0", "8.5.2", None, "7.5.0 8.5.2"),
        ("61.9.0", "64.0.0", Some("1.28.3"), "61.9.0 64.0.0"),
        ("62.7.0", "67.11.0", Some("1.28.3"), "62.7.0 66.7.1 67.11.0"),
        ("66.2.0", "72.9.1", Some("1.28.3"), "66.2.0 72.9.1"),
        ("80.14.4", "88.5.3", Some("1.33.2"), "80.14.4 88.5.3"),
        (
            "61.9.0",
            "63.1.0",
            None,
            "no path from kube-prometheus-stack 61.9.0 to kube-prometheus-stack 63.1.0 keeps the rule kps-63-skip: kube-prometheus-stack 63.x is no version to stand on",
        ),
        ("9.4.10", "10.3.5", Some("1.22.1"), "9.4.10 10.3.5"),
        (
            "9.3.2",
            "9.4.10",
            Some("1.22.1"),
            "no path from prometheus-operator 9.3.2 to kube-prometheus-stack 9.4.10 keeps the rule kps-9-kubernetes: kube-prometheus-stack <10.0.0 needs Kubernetes <1.22.0-0",
        ),
    ] {
        assert_eq!(shipped(from, to, kubernetes), way, "{from} to {to} on {kubernetes:?}");
    }
}

#[test]
fn the_shipped_rules_are_sound() {
    let files = SHIPPED.map(|(name, text)| (name.to_owned(), text.to_owned()));
    assert_eq!(lint(&RuleSet::default(), &files, Origin::Shipped), []);
}

#[test]
fn the_shipped_files_count_what_they_list() {
    let [(_, text), _] = SHIPPED;
    let listed = RuleSet::shipped().unwrap().charts["prometheus-operator"].versions.len();
    assert!(text.contains(&format!("all {listed} published versions")), "{listed}");
}

#[test]
fn the_way_back_from_prometheus_3_ends_at_2_55() {
    let set = RuleSet::shipped().unwrap();
    let route = solve(&set, &question("kube-prometheus-stack", "60.5.0", "75.18.1", Some("1.28.3"))).unwrap();
    assert_eq!(line(&route), "60.5.0 66.7.1 72.9.1 75.18.1");
    let back: Vec<&str> = route.hops.iter().map(|hop| hop.way_back_to.version.as_str()).collect();
    assert_eq!(back, ["60.5.0", "66.7.1", "66.7.1"]);
    assert_eq!(route.hops[1].no_way_back[0].rule, "kps-67-prometheus-3");
}

#[test]
fn the_way_back_ends_at_what_the_cluster_does_not_run() {
    // 22.1.0 bears Kubernetes up to 1.24, so nobody comes back to it, though nothing has changed since the way began.
    let set = RuleSet::shipped().unwrap();
    let route = solve(&set, &question("kube-prometheus-stack", "22.1.0", "80.14.4", Some("1.25.3"))).unwrap();
    assert_eq!(route.hops[0].way_back_to, route.hops[0].stand);
    assert_eq!(route.hops[0].no_way_back[0].rule, "kps-27-kubernetes");
    assert!(route.hops[1].no_way_back.is_empty());
    assert_eq!(route.hops[1].way_back_to, route.hops[0].stand);
}

/// The stops of the only upgrade of the cluster on a way.
fn stops(from: &str, to: &str, kubernetes: Option<&str>) -> (ClusterUpgrade, Vec<String>) {
    let set = RuleSet::shipped().unwrap();
    let chart = set.charts_with(&version(from))[0].to_owned();
    let route = solve(&set, &question(&chart, from, to, kubernetes)).unwrap();
    let upgrade = route.hops.into_iter().find_map(|hop| hop.cluster_upgrade).unwrap();
    let said = |stop: &MinorStop| format!("{}<{}{}", stop.on, stop.before, if stop.certain { "" } else { "?" });
    let stops = upgrade.stops.iter().map(said).collect();
    (upgrade, stops)
}

#[test]
fn what_a_new_kubernetes_serves_no_more_leaves_the_release_before() {
    let (upgrade, said) = stops("8.5.2", "80.14.4", Some("1.16.15"));
    assert_eq!(
        (upgrade.at.to_string().as_str(), said.as_slice()),
        (
            "kube-prometheus-stack 40.5.0",
            ["1.21<1.22", "1.24<1.25", "1.25<1.26?", "1.28<1.29?", "1.31<1.32?"].map(str::to_owned).as_slice()
        )
    );
    let has = |stop: &MinorStop, version: &str, kind: &str| {
        stop.removed.iter().any(|api| api.api_version == version && api.kinds.iter().any(|known| known == kind))
    };
    assert!(has(&upgrade.stops[0], "networking.k8s.io/v1beta1", "Ingress") && has(&upgrade.stops[0], "extensions/v1beta1", "Ingress"));
    assert!(
        has(&upgrade.stops[1], "policy/v1beta1", "PodDisruptionBudget") && has(&upgrade.stops[1], "policy/v1beta1", "PodSecurityPolicy")
    );
    assert!(upgrade.stops.iter().all(|stop| stop.upgrade_again));
    // Rules know which values keep PodSecurityPolicies in it, and say so before the cluster goes on and not three hops later.
    let words = upgrade.stops[1].words(&upgrade.at);
    let keys = ["global.rbac", "grafana.rbac", "kube-state-metrics.podSecurityPolicy", "prometheus-node-exporter.rbac"];
    assert!(keys.iter().zip(&words).all(|(key, words)| words.starts_with(&format!("set the value {key}."))), "{words:#?}");
    assert_eq!(
        words[4],
        "upgrade the release to kube-prometheus-stack 40.5.0 once more: a chart chooses its APIs by what the cluster serves"
    );
    assert!(
        words[5].contains("no API that Kubernetes 1.25 no longer serves")
            && words[5].contains("policy/v1beta1 (PodDisruptionBudget, PodSecurityPolicy)")
    );
    let rules: Vec<&str> = upgrade.stops[0].steps.iter().map(|chore| chore.words.as_str()).collect();
    assert_eq!(rules, Vec::<&str>::new());
}

#[test]
fn a_release_that_was_just_upgraded_there_is_only_looked_at() {
    // 22.1.0 came on 1.24 who knows when; what was done at a hop on 1.24 is of 1.24.
    let (upgrade, said) = stops("40.5.0", "80.14.4", Some("1.24.3"));
    assert_eq!((upgrade.at.version.as_str(), said[0].as_str()), ("72.9.1", "1.24<1.25"));
    let again = MinorStop { steps: Vec::new(), ..upgrade.stops[0].clone() };
    assert!(upgrade.stops[0].upgrade_again, "values change");
    assert_eq!(again.words(&upgrade.at).len(), 2);
    let mut set = RuleSet::shipped().unwrap();
    set.rules.retain(|rule| rule.before_kubernetes.is_none());
    let looked = |from: &str| {
        let route = solve(&set, &question("kube-prometheus-stack", from, "80.14.4", Some("1.24.3"))).unwrap();
        route.hops.into_iter().find_map(|hop| hop.cluster_upgrade).unwrap().stops[0].upgrade_again
    };
    assert_eq!((looked("40.5.0"), looked("72.9.1")), (false, true));
}

#[test]
fn every_minor_that_removes_an_api_is_one_to_stop_before() {
    let (_, said) = stops("8.5.2", "16.15.0", Some("1.15.12"));
    assert_eq!(said, ["1.15<1.16"]);
    let minors: Vec<u64> = (0..127).filter(|minor| crate::table::apis::removed_by(*minor).next().is_some()).collect();
    assert_eq!(minors, [16, 22, 25, 26, 29, 32]);
}

#[test]
fn going_back_meets_the_same_fields() {
    let set = RuleSet::shipped().unwrap();
    let route = solve(&set, &question("kube-prometheus-stack", "21.0.5", "40.5.0", Some("1.21.2"))).unwrap();
    assert_eq!(line(&route), "21.0.5 22.1.0 40.5.0");
    let back = &route.hops[0].going_back;
    assert!(back[0].starts_with("delete Deployment with app.kubernetes.io/instance=RELEASE,"), "{back:?}");
    assert!(back[0].ends_with("once more: a plain `helm rollback` meets the same field") && back.len() == 1, "{back:?}");
    let back = &route.hops[1].going_back;
    assert!(back[0].starts_with("delete DaemonSet with app=prometheus-node-exporter once more"), "{back:?}");
    let keys = ": kubeStateMetrics.serviceMonitor.selfMonitor, kubeStateMetrics.serviceMonitor, ";
    assert!(back[1].contains(keys) && back[1].ends_with(", grafana.serviceMonitor.selfMonitor"), "{back:?}");
    // One rollback goes over both hops.
    let over = "all the way to kube-prometheus-stack 21.0.5 goes over hop 1, too, and takes what is said there of the way back";
    assert_eq!(back[2..], [over]);
    // Where nobody goes back, nothing is said of how.
    let route = solve(&set, &question("kube-prometheus-stack", "27.2.2", "40.5.0", Some("1.25.3"))).unwrap();
    assert_eq!((route.hops[0].way_back_to.version.as_str(), route.hops[0].going_back.len()), ("40.5.0", 0));
}

#[test]
fn a_key_is_renamed_before_the_one_that_it_lies_in() {
    let set = RuleSet::shipped().unwrap();
    let route = solve(&set, &question("kube-prometheus-stack", "22.1.0", "25.2.0", Some("1.22.0"))).unwrap();
    let at = |key: &str| route.hops[0].before.iter().position(|chore| matches!(&chore.step, Step::RenameValue { from, .. } if from == key));
    assert!(at("kubeStateMetrics.serviceMonitor.selfMonitor").unwrap() < at("kubeStateMetrics.serviceMonitor").unwrap());
}

#[test]
fn crds_are_applied_once_and_things_are_deleted_last() {
    let set = RuleSet::shipped().unwrap();
    let route = solve(&set, &question("kube-prometheus-stack", "22.1.0", "40.5.0", Some("1.22.0"))).unwrap();
    let steps: Vec<&Step> = route.hops[0].before.iter().map(|chore| &chore.step).collect();
    assert_eq!(steps.iter().filter(|step| ***step == Step::ApplyCrds).count(), 1);
    assert!(matches!(steps[steps.len() - 2..], [Step::ApplyCrds, Step::DeleteObject(_)]), "{steps:#?}");
}
