//! Charts that somebody has: they were published, whatever a list says.

use super::set::RuleSet;
use crate::constraint::Version;

impl RuleSet {
    /// Counts versions of a chart as published, on the way to a version. What lies beyond both that one and the newest that is known
    /// is left out: nothing is known of what was published between them.
    pub fn at_hand(&mut self, chart: &str, versions: impl IntoIterator<Item = Version>, to: &Version) {
        let Some(chart) = self.charts.get_mut(chart) else { return };
        let newest = chart.versions.last().cloned();
        let tells = |version: &Version| version <= to || newest.as_ref().is_some_and(|newest| version < newest);
        chart.versions.extend(versions.into_iter().filter(tells));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::path::{NoRoute, solve, tests::question};

    fn version(text: &str) -> Version {
        Version::parse(text).unwrap()
    }

    #[test]
    fn a_backport_at_hand_was_published() {
        let mut set = RuleSet::shipped().unwrap();
        let asked = question("kube-prometheus-stack", "80.14.4", "80.14.5", None);
        assert!(matches!(solve(&set, &asked), Err(NoRoute::NeverPublished { .. })));
        set.at_hand("kube-prometheus-stack", ["80.14.5", "500.0.0"].map(version), &asked.to);
        assert_eq!(solve(&set, &asked).unwrap().to.version.as_str(), "80.14.5");
        // One from the far future says nothing about what comes before it.
        let later = question("kube-prometheus-stack", "80.14.4", "400.0.0", None);
        assert!(solve(&set, &later).is_ok());
    }

    #[test]
    fn a_chart_that_nobody_listed_stays_unlisted_beyond_its_target() {
        let mut set = RuleSet::default();
        set.at_hand("beacon", [version("1.0.0")], &version("2.0.0"));
        assert!(set.charts.is_empty());
        set.charts.entry("beacon".to_owned()).or_default();
        set.at_hand("beacon", ["1.0.0", "3.0.0"].map(version), &version("2.0.0"));
        assert_eq!(set.charts["beacon"].versions.len(), 1);
        assert!(solve(&set, &question("beacon", "1.0.0", "2.0.0", None)).is_ok());
    }
}
