//! The charts inside a chart, all the way down.

use groundswell_change::constraint::{Constraint, Version};
use groundswell_helm::archive::{ChartMetadata, Dependency, Subchart};
use schemars::JsonSchema;
use serde::Serialize;

/// A chart inside a chart.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct DependencyDetail {
    /// Names of the charts on the way down to it, below the outermost; empty for one directly inside.
    pub(crate) within: Vec<String>,
    /// Key of its values.
    pub(crate) key: String,
    /// Its name.
    pub(crate) name: String,
    /// The versions that `Chart.yaml` allows; absent when it does not name the chart.
    pub(crate) range: Option<String>,
    /// The version that is packed inside; absent when it is not there.
    pub(crate) version: Option<String>,
    /// Whether that version is not in the range. Helm renders it all the same, but not under its alias, and without its condition there.
    pub(crate) outside_range: bool,
    /// Keys of the values that switch it on or off.
    pub(crate) condition: Option<String>,
    /// Tags that switch it on or off.
    pub(crate) tags: Vec<String>,
    /// Where it came from.
    pub(crate) repository: Option<String>,
}

/// What `Chart.yaml` names, then what is only packed, then what is inside of those.
pub(super) fn charts(metadata: &ChartMetadata, inside: &[Subchart]) -> Vec<DependencyDetail> {
    let mut all = Vec::new();
    below(metadata, inside, &[], &mut all);
    all
}

fn below(metadata: &ChartMetadata, inside: &[Subchart], within: &[String], all: &mut Vec<DependencyDetail>) {
    all.extend(metadata.dependencies.iter().map(|dependency| named(dependency, inside, within)));
    let unnamed = inside.iter().filter(|chart| metadata.dependencies.iter().all(|dependency| dependency.name != chart.metadata.name));
    all.extend(unnamed.map(|chart| DependencyDetail {
        within: within.to_vec(),
        key: chart.metadata.name.clone(),
        name: chart.metadata.name.clone(),
        range: None,
        version: Some(chart.metadata.version.clone()),
        outside_range: false,
        condition: None,
        tags: Vec::new(),
        repository: None,
    }));
    for chart in inside {
        let within: Vec<String> = within.iter().cloned().chain([chart.metadata.name.clone()]).collect();
        below(&chart.metadata, &chart.subcharts, &within, all);
    }
}

/// Of several with the name, the one that is in the range is meant.
fn named(dependency: &Dependency, inside: &[Subchart], within: &[String]) -> DependencyDetail {
    let known = |text: &Option<String>| text.clone().filter(|text| !text.is_empty());
    let versions = || inside.iter().filter(|chart| chart.metadata.name == dependency.name).map(|chart| &chart.metadata.version);
    let fits = |version: &&String| in_range(dependency.version.as_deref().unwrap_or_default(), version);
    let version = versions().find(fits).or_else(|| versions().next());
    DependencyDetail {
        within: within.to_vec(),
        key: dependency.values_key().to_owned(),
        name: dependency.name.clone(),
        range: dependency.version.clone(),
        outside_range: version.is_some_and(|version| !fits(&version)),
        version: version.cloned(),
        condition: known(&dependency.condition),
        tags: dependency.tags.clone(),
        repository: known(&dependency.repository),
    }
}

/// A range that nobody can read has nothing in it.
fn in_range(range: &str, version: &str) -> bool {
    let (Ok(range), Ok(version)) = (Constraint::parse(range), Version::parse(version)) else { return range.trim().is_empty() };
    range.matches(&version)
}

#[cfg(test)]
mod tests {
    use super::*;
    use groundswell_helm::pack::pack;

    fn shown(files: &[(&str, &str)]) -> Vec<String> {
        let folder = tempfile::tempdir().unwrap();
        for (path, text) in files {
            let path = folder.path().join(path).join("Chart.yaml");
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, format!("apiVersion: v2\n{text}")).unwrap();
        }
        let archive = pack(folder.path()).unwrap().archive;
        let line = |one: DependencyDetail| {
            let outside = if one.outside_range { " outside" } else { "" };
            format!("{}{} {}{outside}", one.within.iter().map(|name| format!("{name}/")).collect::<String>(), one.key, one.version.unwrap())
        };
        charts(&archive.metadata, &archive.subcharts).into_iter().map(line).collect()
    }

    #[test]
    fn charts_are_found_all_the_way_down() {
        let all = shown(&[
            ("", "name: a\nversion: 1.0.0\ndependencies: [{name: b, version: ^1, alias: x}]\n"),
            ("charts/b", "name: b\nversion: 1.2.0\n"),
            ("charts/b/charts/c", "name: c\nversion: 0.1.0\ndependencies: [{name: d, version: '>=2'}]\n"),
            ("charts/b/charts/c/charts/d", "name: d\nversion: 2.0.0\n"),
            ("charts/e", "name: e\nversion: 5.0.0\n"),
        ]);
        assert_eq!(all, ["x 1.2.0", "e 5.0.0", "b/c 0.1.0", "b/c/d 2.0.0"]);
    }

    #[test]
    fn a_chart_outside_its_range_is_marked() {
        for (range, outside) in [("1.0.0", true), ("^9", false), ("", false), ("banana", true), ("'*'", false), ("^1 || ^9", false)] {
            let dependencies = format!("name: a\nversion: 1.0.0\ndependencies: [{{name: b, version: {range}}}]\n");
            let all = shown(&[("", &dependencies), ("charts/b", "name: b\nversion: 9.0.0\n")]);
            assert_eq!(all, [if outside { "b 9.0.0 outside" } else { "b 9.0.0" }], "{range}");
        }
    }
}
