//! Whether Helm can install a chart at all. An archive can keep every rule and still be one that no cluster ever gets.

use crate::archive::{ChartArchive, Files, Subchart};
use crate::values::{ChartValuesError, chart_values};

/// Why Helm can install a chart nowhere.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NotInstallable {
    /// It only lends templates to other charts.
    #[error("{name} is a library chart: helm installs it only as a part of another chart")]
    Library {
        /// Name of the chart.
        name: String,
    },
    /// The `values.yaml` of it or of a chart in it.
    #[error(transparent)]
    Values(ChartValuesError),
}

/// Looks for what Helm refuses in every cluster and with all values. Whether the templates render is not looked at: that can depend
/// on the values.
///
/// # Errors
/// The first reason.
pub fn installable(archive: &ChartArchive) -> Result<(), NotInstallable> {
    if archive.metadata.kind.as_deref() == Some("library") {
        return Err(NotInstallable::Library { name: archive.metadata.name.clone() });
    }
    values(&archive.files, &archive.subcharts, "")
}

/// Helm loads the values of all charts inside, also of those that are switched off.
fn values(files: &Files, subcharts: &[Subchart], at: &str) -> Result<(), NotInstallable> {
    if let Some(bytes) = files.get("values.yaml")
        && let Err(error @ ChartValuesError::Unloadable(_)) = chart_values(&format!("{at}values.yaml"), bytes)
    {
        return Err(NotInstallable::Values(error));
    }
    subcharts.iter().try_for_each(|sub| values(&sub.files, &sub.subcharts, &format!("{at}{}/", sub.path)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pack::pack;

    #[test]
    fn what_helm_installs_nowhere_is_refused() {
        let refused = |kind: &str, own: &str, below: &str| {
            let folder = tempfile::tempdir().unwrap();
            let sub = folder.path().join("charts/sub");
            std::fs::create_dir_all(&sub).unwrap();
            std::fs::write(folder.path().join("Chart.yaml"), format!("apiVersion: v2\nname: beacon\nversion: 1.0.0\ntype: {kind}\n"))
                .unwrap();
            std::fs::write(sub.join("Chart.yaml"), "apiVersion: v2\nname: sub\nversion: 1.0.0\n").unwrap();
            std::fs::write(folder.path().join("values.yaml"), own).unwrap();
            std::fs::write(sub.join("values.yaml"), below).unwrap();
            installable(&pack(folder.path()).unwrap().archive).err().map(|error| error.to_string()).unwrap_or_default()
        };
        assert_eq!(refused("application", "a: 1\n---\nb: 2\n", ""), "");
        assert_eq!(refused("library", "", ""), "beacon is a library chart: helm installs it only as a part of another chart");
        assert_eq!(
            refused("application", "[a]\n", ""),
            "helm cannot load values.yaml:1:1: values are a map of keys, this document is a list"
        );
        assert!(refused("application", "", "a: [\n").starts_with("helm cannot load charts/sub/values.yaml:"));
    }
}
