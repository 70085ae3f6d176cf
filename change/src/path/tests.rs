//! The shipped rules, and what each part of the grammar does to a way.

mod oracle;

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
    assert_eq!(shipped("8.5.2", "80.14.4", Some("1.16.15")), "8.5.2 9.3.2 9.4.10 22.1.0 40.5.0 [k8s 1.25 or newer] 66.7.1 72.9.1 80.14.4");
}
