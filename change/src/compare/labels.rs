//! Labels and annotations that carry a version of the chart.

use crate::input::Side;

/// Versions that the two renders may carry at the same place, old and new.
#[derive(Debug, Default)]
pub(super) struct Versions {
    pairs: Vec<(String, String)>,
}

/// Labels that charts use for their version and nothing else, and the annotation by which a CRD names the tool that wrote it.
const KNOWN: [&str; 5] = ["helm.sh/chart", "chart", "app.kubernetes.io/version", "chart-version", "controller-gen.kubebuilder.io/version"];

impl Versions {
    pub(super) fn of(old: &Side, new: &Side) -> Self {
        let mut pairs = Vec::new();
        let mut add = |old: Option<&str>, new: Option<&str>| {
            if let (Some(old), Some(new)) = (old, new)
                && old != new
                && !old.is_empty()
                && !new.is_empty()
            {
                pairs.push((old.to_owned(), new.to_owned()));
                // A label cannot hold a plus; Helm's own starter chart writes an underscore.
                pairs.push((old.replace('+', "_"), new.replace('+', "_")));
                // `appVersion: v0.90.1` is `operator.prometheus.io/version: 0.90.1` elsewhere.
                if let (Some(old), Some(new)) = (old.strip_prefix('v'), new.strip_prefix('v')) {
                    pairs.push((old.to_owned(), new.to_owned()));
                }
            }
        };
        add(Some(&old.chart.version), Some(&new.chart.version));
        add(old.chart.app_version.as_deref(), new.chart.app_version.as_deref());
        for was in &old.chart.subcharts {
            for is in new.chart.subcharts.iter().filter(|is| is.name == was.name) {
                add(Some(&was.version), Some(&is.version));
                add(was.app_version.as_deref(), is.app_version.as_deref());
            }
        }
        // Long versions first, so that 1.2 is not found inside 1.2.3.
        pairs.sort_by(|a, b| b.0.len().cmp(&a.0.len()).then_with(|| a.cmp(b)));
        pairs.dedup();
        Self { pairs }
    }

    /// Whether the difference of a label or an annotation is the version of a chart and nothing else.
    pub(super) fn explain(&self, label: &str, old: Option<&str>, new: Option<&str>) -> bool {
        if KNOWN.contains(&label) {
            return true;
        }
        let (Some(old), Some(new)) = (old, new) else { return false };
        self.pairs.iter().any(|(was, is)| old.contains(was.as_str()) && old.replace(was.as_str(), is) == new)
    }
}
