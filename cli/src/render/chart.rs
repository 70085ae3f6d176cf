//! What a chart holds.

use super::lists::size;
use crate::command::chart::detail::{ChartDetail, KnownFrom, ValueDetail};
use crate::command::chart::images::is_pinned;
use crate::output::{cell, clean, table};
use serde_json::Value;

/// Columns of a default and of a comment.
const SHORT: usize = 48;

/// A chart for people.
pub(crate) fn detail(chart: &ChartDetail) -> String {
    let optional = |text: &Option<String>| text.as_deref().map(clean).filter(|text| !text.is_empty());
    let mut facts = vec![
        ("Name", Some(clean(&chart.name))),
        ("Version", Some(clean(&chart.version))),
        ("Application", optional(&chart.app_version)),
        ("Kubernetes", optional(&chart.kube_version)),
        ("About", optional(&chart.description)),
    ];
    facts.push(("Type", (chart.chart_type != "application").then(|| clean(&chart.chart_type))));
    facts.push(("Deprecated", chart.deprecated.then(|| "yes: its authors no longer care for it".to_owned())));
    facts.push(("Digest", Some(chart.digest.clone())));
    facts.push(("Size", Some(format!("{} packed, {} unpacked, {} files", size(chart.size), size(chart.expanded_size), chart.files))));
    facts.push(("Schema", Some(if chart.has_schema { "values.schema.json" } else { "none" }.to_owned())));
    let mut text: String = facts.into_iter().filter_map(|(label, fact)| fact.map(|fact| format!("{label:<12} {fact}\n"))).collect();
    text.push_str(&dependencies(chart));
    let how = match chart.known_from {
        KnownFrom::Render => "rendered with its own defaults; those that an operator chooses by itself are not among them",
        KnownFrom::Files => "not rendered: guessed from the default values and the text of templates",
    };
    let image = |image: &String| {
        let untold = match chart.known_from {
            _ if is_pinned(image) => "",
            KnownFrom::Render => " (no tag beside it in the render)",
            KnownFrom::Files => " (a tag is not in the values)",
        };
        format!("{}{untold}", clean(image))
    };
    text.push_str(&lines(&format!("Images ({}; {how})", chart.images.len()), chart.images.iter().map(image)));
    // An empty list of a guess says less than one of a render, and is left out like one.
    if chart.known_from == KnownFrom::Files {
        for (title, none) in [("Images", chart.images.is_empty()), ("Hooks", chart.hooks.is_empty())] {
            if none {
                text.push_str(&format!("\n{title}\n  not rendered; none found in the files\n"));
            }
        }
    }
    text.push_str(&lines(
        &format!("CRDs ({})", chart.crds.len()),
        chart.crds.iter().map(|crd| format!("{} {} ({})", clean(&crd.name), clean(&crd.versions.join(", ")), clean(&crd.source))),
    ));
    let how = if chart.known_from == KnownFrom::Files { "; not rendered: from the text of templates" } else { "" };
    text.push_str(&lines(
        &format!("Hooks ({}{how})", chart.hooks.len()),
        chart.hooks.iter().map(|hook| {
            let what = if hook.kind.is_empty() { String::new() } else { format!("{}/{} ", hook.kind, hook.name) };
            clean(&format!("{what}{} ({})", hook.events.join(", "), hook.source))
        }),
    ));
    text.push_str(&values(&chart.values));
    if let Some(problem) = &chart.values_problem {
        let title = if chart.values.is_empty() { "\nValues\n" } else { "" };
        text.push_str(&format!("{title}  {}\n", clean(problem)));
    }
    text
}

fn dependencies(chart: &ChartDetail) -> String {
    if chart.dependencies.is_empty() {
        return String::new();
    }
    let rows = chart.dependencies.iter().map(|one| {
        let name: String = one.within.iter().map(|name| format!("{name}/")).chain([one.name.clone()]).collect();
        let name = if one.key == one.name { name } else { format!("{name} as {}", one.key) };
        let when = one.condition.clone().unwrap_or_else(|| one.tags.join(", "));
        vec![
            cell(name),
            cell(one.version.as_deref().unwrap_or("not packed")),
            cell(one.range.as_deref().unwrap_or("-")),
            cell(if when.is_empty() { "always".to_owned() } else { when }),
        ]
    });
    let outside = chart.dependencies.iter().filter(|one| one.outside_range).map(|one| {
        let (version, range) = (one.version.as_deref().unwrap_or_default(), one.range.as_deref().unwrap_or_default());
        let alias = if one.key == one.name { String::new() } else { format!(", but as {} and not as {}", one.name, one.key) };
        format!("  {} {version} is not in the range {range}: helm takes it all the same{alias}", one.name)
    });
    let outside: String = outside.map(|line| clean(&line) + "\n").collect();
    let table = indented(&table(&["NAME", "VERSION", "RANGE", "WHEN"], rows));
    format!("\nCharts inside ({})\n{table}{outside}", chart.dependencies.len())
}

fn values(all: &[ValueDetail]) -> String {
    if all.is_empty() {
        return String::new();
    }
    let rows = all.iter().map(|value| {
        let default = match &value.default {
            Value::Object(map) if !map.is_empty() => format!("{{{} keys}}", map.len()),
            Value::Array(items) if !items.is_empty() => format!("[{} items]", items.len()),
            other => other.to_string(),
        };
        vec![cell(&value.key), cell(value.value_type), cell(short(&default)), cell(short(value.comment.as_deref().unwrap_or_default()))]
    });
    format!("\nValues ({}; --values prints the file)\n{}", all.len(), indented(&table(&["KEY", "TYPE", "DEFAULT", "ABOUT"], rows)))
}

fn short(text: &str) -> String {
    if text.chars().count() <= SHORT { text.to_owned() } else { text.chars().take(SHORT - 1).chain(['…']).collect() }
}

fn lines(title: &str, all: impl Iterator<Item = String>) -> String {
    let all: String = all.map(|line| format!("  {line}\n")).collect();
    if all.is_empty() { String::new() } else { format!("\n{title}\n{all}") }
}

fn indented(table: &str) -> String {
    table.lines().map(|line| format!("  {}\n", line.trim_end())).collect()
}
