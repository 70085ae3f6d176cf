//! What becomes of pods.

use super::{objects, of};
use crate::summary::{Item, Section, SectionId, Weight};

/// Code of a workload whose pods are replaced.
pub(crate) const RESTART: &str = "pods-restart";
/// Code of a workload whose pods are replaced unless the chart finds in the cluster what it made before.
pub(crate) const MAY_RESTART: &str = "pods-may-restart";
/// Code of a workload that is in the new version no more.
pub(crate) const GONE: &str = "workload-removed";

/// In words, of those that go with their workload too.
pub(super) fn restarts(sections: &[Section]) -> String {
    let workloads = of(sections, SectionId::Workloads);
    let count = |code: &str| -> usize { workloads.iter().filter(|item| item.code == code).map(objects).sum() };
    let (sure, may) = (count(RESTART), count(MAY_RESTART));
    // One that is kept weighs less. Autoscalers and budgets stand there too, and have no pods.
    let goes = |item: &&Item| {
        let kind = item.object.as_ref().map_or("", |object| object.kind.as_str());
        item.code == GONE && item.weight < Weight::Know && !matches!(kind, "HorizontalPodAutoscaler" | "PodDisruptionBudget")
    };
    let gone: usize = workloads.iter().filter(goes).map(objects).sum();
    let its_names_are_kept = of(sections, SectionId::Steps).iter().any(|item| item.code == "keep-names");
    let unless = if its_names_are_kept { " unless the names are kept" } else { "" };
    let rest = match (sure, may) {
        (0, 0) => "no pod restarts".to_owned(),
        (0, 1) => "1 workload may restart".to_owned(),
        (0, n) => format!("{n} workloads may restart"),
        (1, 0) => "1 workload restarts".to_owned(),
        (n, 0) => format!("{n} workloads restart"),
        (1, m) => format!("1 workload restarts, {m} more may"),
        (n, m) => format!("{n} workloads restart, {m} more may"),
    };
    match (gone, sure + may) {
        (0, _) => format!("; {rest}"),
        (1, 0) => format!("; 1 workload goes with its pods{unless}, no other pod restarts"),
        (n, 0) => format!("; {n} workloads go with their pods{unless}, no other pod restarts"),
        (1, _) => format!("; {rest}, 1 goes with its pods{unless}"),
        (n, _) => format!("; {rest}, {n} go with their pods{unless}"),
    }
}

/// Pods restart for what is random in both renders, although these do not differ.
pub(super) fn restarts_any(sections: &[Section]) -> bool {
    of(sections, SectionId::Workloads).iter().any(|item| [RESTART, MAY_RESTART].contains(&item.code.as_str()))
}
