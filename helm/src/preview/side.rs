//! What an archive says about itself, in the form that a summary is made from.

use groundswell_change::input::{Chart, Rendered, Side, Subchart, Text};
use serde_json::Value;

use super::defaults;
use super::lookup;
use super::manifest::{self, Objects};
use crate::archive::{ChartArchive, Files};

/// Longest text that is read for upgrade notes, in bytes. The longest README that was looked at has 0.2 MB.
const MAX_TEXT: usize = 2 << 20;

/// All of a side that needs no render. `given` are the operator's merged values.
pub(super) fn still(archive: &ChartArchive, given: &Value) -> (Side, Vec<(String, String)>) {
    let defaults = defaults::defaults(archive);
    let values = defaults::applied(given, &defaults);
    let crds = crds(archive, &values);
    let side = Side {
        chart: chart(archive, &values),
        crds: crds.objects,
        defaults,
        texts: texts(archive),
        lookups: lookup::charts(archive),
        ..Side::default()
    };
    (side, crds.odd)
}

fn chart(archive: &ChartArchive, values: &Value) -> Chart {
    let metadata = &archive.metadata;
    let written = archive.files.get("Chart.yaml").map(|bytes| defaults::read(bytes)).unwrap_or_default();
    let annotations = written["annotations"].as_object().into_iter().flatten();
    let subcharts = archive.subcharts_for(values).into_iter().map(|(keys, sub)| Subchart {
        key: keys.join("."),
        name: sub.metadata.name.clone(),
        version: sub.metadata.version.clone(),
        app_version: sub.metadata.app_version.clone(),
    });
    Chart {
        name: metadata.name.clone(),
        version: metadata.version.clone(),
        app_version: metadata.app_version.clone(),
        kube_version: metadata.kube_version.clone().filter(|range| !range.trim().is_empty()),
        deprecated: metadata.deprecated.unwrap_or(false),
        annotations: annotations.filter_map(|(key, value)| Some((key.clone(), value.as_str()?.to_owned()))).collect(),
        subcharts: subcharts.collect(),
        digest: archive.digest.clone(),
        // Whoever asks knows how it was named.
        from: None,
    }
}

fn crds(archive: &ChartArchive, values: &Value) -> Objects {
    let mut out = Objects::default();
    for file in archive.crds_for(values) {
        let source = format!("{}/{}", file.chart.join("/charts/"), file.path);
        let mut read: Objects = manifest::file(&source, &String::from_utf8_lossy(&file.data));
        out.objects.append(&mut read.objects);
        out.odd.append(&mut read.odd);
    }
    out
}

fn texts(archive: &ChartArchive) -> Vec<Text> {
    let mut out = Vec::new();
    let mut take = |files: &Files, at: &str, words: &[&str]| {
        for (path, data) in files {
            if data.len() <= MAX_TEXT && is_text(path, words) {
                out.push(Text { path: format!("{at}{path}"), text: String::from_utf8_lossy(data).into_owned() });
            }
        }
    };
    take(&archive.files, "", &["readme", "upgrade", "upgrading", "changelog", "changes", "migration", "migrating", "release"]);
    for sub in &archive.subcharts {
        take(&sub.files, &format!("charts/{}/", sub.metadata.name), &["readme", "upgrade", "upgrading"]);
    }
    out
}

/// `UPGRADE.md`, `docs/migration-to-2.md`, but no template and no chart within.
fn is_text(path: &str, words: &[&str]) -> bool {
    let name = match path.rsplit_once('/') {
        None => path,
        Some(("docs" | "doc", name)) => name,
        Some(_) => return false,
    };
    let name = name.to_ascii_lowercase();
    let written = [".md", ".txt", ".rst", ".adoc"].iter().any(|end| name.ends_with(end)) || !name.contains('.');
    written && words.iter().any(|word| name.starts_with(word))
}

/// Objects apart from hooks.
pub(super) fn sort(objects: Vec<Rendered>) -> (Vec<Rendered>, Vec<Rendered>) {
    objects.into_iter().partition(|object| !manifest::is_hook(object))
}
