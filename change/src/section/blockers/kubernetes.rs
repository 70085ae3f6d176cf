//! Whether the chart takes the version of the target.

use crate::constraint::{Constraint, Version};
use crate::input::Input;
use crate::summary::{Evidence, Item, Provenance, Weight};

pub(super) fn items(input: &Input) -> Vec<Item> {
    let Some(range) = input.new.chart.kube_version.as_deref().filter(|range| !range.trim().is_empty()) else { return Vec::new() };
    let claim = |what: String| Item::new("kube-version", Weight::Stop, what, Provenance::new(Evidence::Chart, "Chart.yaml, kubeVersion"));
    let constraint = match Constraint::parse(range) {
        Ok(constraint) => constraint,
        Err(error) => return vec![claim(format!("its kubeVersion {range:?} is none that Helm can read, so Helm refuses it: {error}"))],
    };
    let Some(server) = input.target.kube_version.as_deref() else { return Vec::new() };
    let Ok(version) = Version::parse(server) else { return Vec::new() };
    if constraint.matches(&version) {
        return Vec::new();
    }
    let mut item = claim(format!("{} {} needs Kubernetes {range}; the target is {server}", input.new.chart.name, input.new.chart.version));
    // `>=1.25.0` leaves out v1.25.3-vmware.1, which is meant to be in it: a prerelease to the grammar.
    let core = Version::new(version.major(), version.minor(), version.patch());
    let next = if !version.prerelease().is_empty() && constraint.matches(&core) {
        format!("{server} is a prerelease in Helm's grammar, and the range names none; only the chart can say {range}-0")
    } else {
        "upgrade the cluster first, or choose a chart version that takes it (`groundswell path show` finds one)".to_owned()
    };
    item = item.next(next);
    vec![item]
}

/// The minor version of the target, where it is known and its major version is 1.
pub(in crate::section) fn minor(input: &Input) -> Option<u64> {
    let version = Version::parse(input.target.kube_version.as_deref()?).ok()?;
    (version.major() == 1).then_some(version.minor())
}
