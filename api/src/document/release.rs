//! Reads the `spec` of a `Release`.

use super::problem::Report;
use super::read::Fields;
use super::strategy;
use super::tree::{Kind, Node};
use super::types::{At, ChartSource, Override, ReleaseSpec, StrategyChoice, ValuesForm, ValuesText};
use groundswell_core::assignment::Drift;
use groundswell_core::id::Digest;
use groundswell_core::selector::Selector;
use serde_saphyr::granit_parser::ScalarStyle;
use std::collections::BTreeSet;

pub(super) const SPEC_FIELDS: &[&str] = &[
    "namespace",
    "createNamespace",
    "chart",
    "clusters",
    "values",
    "valuesFiles",
    "overrides",
    "drift",
    "strategy",
    "strategySpec",
    "serviceAccount",
];
pub(super) const CHART_FIELDS: &[&str] = &["path", "repository", "name", "version", "digest"];
pub(super) const CLUSTERS_FIELDS: &[&str] = &["selector"];
pub(super) const OVERRIDE_FIELDS: &[&str] = &["selector", "values", "valuesFiles"];
/// Helm gets each as a `--values` file; more than this is a mistake, and they count against one release's 1 MiB.
const MAX_LAYERS: usize = 100;

pub(super) fn spec(report: &mut Report<'_>, node: &Node) -> Option<ReleaseSpec> {
    let fields = Fields::open(report, node, "spec", SPEC_FIELDS)?;
    let namespace =
        fields.require(report, "namespace", "where the release lives in each cluster").and_then(|n| report.parsed(n, "spec.namespace"));
    let create_namespace = fields.get("createNamespace").map_or(Some(true), |n| report.flag(n, "spec.createNamespace"));
    let chart = fields.require(report, "chart", "`chart: {path: …}` or `chart: {name: …, version: …}`").and_then(|n| chart(report, n));
    let clusters = fields
        .require(report, "clusters", "`clusters: {selector: …}`")
        .and_then(|n| Fields::open(report, n, "spec.clusters", CLUSTERS_FIELDS))
        .and_then(|f| f.require(report, "selector", "which clusters, such as `foundation in (east, west)`; `\"\"` is all of them"))
        .and_then(|n| report.parsed(n, "spec.clusters.selector"));
    let values = fields.get("values").and_then(|n| values(report, n, "spec.values"));
    let values_files = fields.get("valuesFiles").map(|n| files(report, n, "spec.valuesFiles")).unwrap_or_default();
    let overrides = fields.get("overrides").map(|n| overrides(report, n)).unwrap_or_default();
    let drifts = [("report", Drift::Report), ("correct", Drift::Correct)];
    let drift = fields.get("drift").map_or(Some(Drift::default()), |n| report.one_of(n, "spec.drift", &drifts));
    let strategy = strategy_choice(report, &fields);
    let service_account = fields.get("serviceAccount").and_then(|n| service_account(report, n));
    let spec = ReleaseSpec {
        namespace: namespace?,
        create_namespace: create_namespace?,
        chart: chart?,
        clusters: clusters?,
        values,
        values_files,
        overrides,
        drift: drift?,
        strategy,
        service_account,
    };
    Some(spec)
}

fn chart(report: &mut Report<'_>, node: &Node) -> Option<At<ChartSource>> {
    let fields = Fields::open(report, node, "spec.chart", CHART_FIELDS)?;
    if let Some(repository) = fields.get("repository") {
        report.add(
            repository.at,
            "charts are not taken from repositories yet",
            "that comes in a later release",
            "run `helm pull CHART --version X` and `groundswell chart push CHART-X.tgz`, then leave `repository` out",
        );
        return None;
    }
    let text = |report: &mut Report<'_>, name: &str| fields.get(name).and_then(|n| report.text(n, &fields.path(name)));
    let (path, digest) = (text(report, "path"), text(report, "digest"));
    let (name, version) = (text(report, "name"), text(report, "version"));
    let source = match (path, digest, name, version) {
        (Some(path), None, None, None) => ChartSource::Path(path.value),
        (None, Some(digest), None, None) => {
            let hex = digest.value.strip_prefix("sha256:").unwrap_or(&digest.value);
            match Digest::new(hex) {
                Ok(digest) => ChartSource::Digest(digest),
                Err(error) => {
                    report.add(digest.at, "`spec.chart.digest` cannot be taken", error.to_string(), "`groundswell chart list` shows them");
                    return None;
                }
            }
        }
        (None, None, Some(name), Some(version)) => ChartSource::Pushed { name: name.value, version: version.value },
        (None, None, Some(name), None) => {
            report.add(
                name.at,
                "`spec.chart` names no version",
                "a release says exactly what it wants",
                "add `version: …`; `groundswell chart list` shows them",
            );
            return None;
        }
        _ => {
            let hint = "write either `path`, or `name` and `version`, or `digest`";
            report.add(fields.at(), "`spec.chart` does not say which chart in one way", "", hint);
            return None;
        }
    };
    Some(At { value: source, at: fields.at() })
}

fn strategy_choice(report: &mut Report<'_>, fields: &Fields<'_>) -> Option<StrategyChoice> {
    match (fields.get("strategy"), fields.get("strategySpec")) {
        (None, None) => None,
        (Some(name), None) if matches!(name.kind, Kind::Map { .. }) => {
            report.add(
                name.at,
                "`spec.strategy` is the name of a Strategy",
                "this is a map",
                "a strategy written here goes under `strategySpec`",
            );
            None
        }
        (Some(name), None) => report.name(name, "spec.strategy", "strategy").map(StrategyChoice::Named),
        (None, Some(spec)) => strategy::spec(report, spec, "spec.strategySpec").map(|spec| StrategyChoice::Inline(Box::new(spec))),
        (Some(_), Some(spec)) => {
            report.add(spec.at, "`strategy` and `strategySpec` stand side by side", "only one of them could count", "take one of them out");
            None
        }
    }
}

fn overrides(report: &mut Report<'_>, node: &Node) -> Vec<Override> {
    let items = report.list(node, "spec.overrides");
    if items.len() > MAX_LAYERS {
        report.add(
            node.at,
            format!("`spec.overrides` has more than {MAX_LAYERS} entries"),
            "each becomes a file that helm reads",
            "use variables: `((name))`",
        );
        return Vec::new();
    }
    items.iter().enumerate().filter_map(|(n, item)| one_override(report, item, &format!("spec.overrides[{n}]"))).collect()
}

fn one_override(report: &mut Report<'_>, node: &Node, place: &str) -> Option<Override> {
    let fields = Fields::open(report, node, place, OVERRIDE_FIELDS)?;
    let selector: Option<At<Selector>> =
        fields.require(report, "selector", "which clusters").and_then(|n| report.parsed(n, &fields.path("selector")));
    let values = fields.get("values").and_then(|n| values(report, n, &fields.path("values")));
    let values_files = fields.get("valuesFiles").map(|n| files(report, n, &fields.path("valuesFiles"))).unwrap_or_default();
    if fields.get("values").is_none() && fields.get("valuesFiles").is_none() {
        report.add(
            node.at,
            format!("`{place}` changes nothing"),
            "it has neither `values` nor `valuesFiles`",
            "add one of them, or take it out",
        );
    }
    Some(Override { selector: selector?, values, values_files })
}

fn files(report: &mut Report<'_>, node: &Node, place: &str) -> Vec<At<String>> {
    let items = report.list(node, place);
    if items.len() > MAX_LAYERS {
        report.add(node.at, format!("`{place}` has more than {MAX_LAYERS} entries"), "helm reads each as a file", "");
        return Vec::new();
    }
    items.iter().filter_map(|item| report.text(item, place)).collect()
}

fn service_account(report: &mut Report<'_>, node: &Node) -> Option<At<String>> {
    let name = report.text(node, "spec.serviceAccount")?;
    // DNS subdomain, as Kubernetes wants it for a ServiceAccount.
    let good = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit();
    let fits = name.len() <= 253
        && name.split('.').all(|part| part.starts_with(good) && part.ends_with(good) && part.chars().all(|c| good(c) || c == '-'));
    if !fits {
        report.add(
            name.at,
            "`spec.serviceAccount` is no name of a ServiceAccount",
            "lower-case letters, digits, `-` and `.` may stand in it",
            "",
        );
        return None;
    }
    Some(name)
}

/// Values as text, or the source text of a map.
fn values(report: &mut Report<'_>, node: &Node, place: &str) -> Option<ValuesText> {
    match &node.kind {
        Kind::Scalar { text, style } => {
            let block = matches!(style, ScalarStyle::Literal | ScalarStyle::Folded);
            if !block && !text.contains('\n') && !text.contains(':') {
                report.add(
                    node.at,
                    format!("`{place}` holds no values"),
                    format!("this is {}", node.called()),
                    "write a map, or a text behind `|`",
                );
                return None;
            }
            // The parser gives a block's first line that is not empty, and a quoted text's quote.
            let blank = if block { text.len() - text.trim_start_matches('\n').len() } else { 0 };
            let line = node.at.line.saturating_sub(blank);
            let quote = usize::from(matches!(style, ScalarStyle::SingleQuoted | ScalarStyle::DoubleQuoted));
            let indent = node.at.column - 1 + quote;
            Some(ValuesText { text: text.clone(), form: ValuesForm::Text, line, indent })
        }
        Kind::Map { entries, flow } => {
            no_repeats(report, node, place);
            let mut own = BTreeSet::new();
            aliases(report, node, &mut own);
            let indent = node.at.column - 1;
            let source = report.slice(node.bytes.clone());
            let text = if *flow || entries.is_empty() { format!("{source}\n") } else { dedent(source, indent) };
            Some(ValuesText { text, form: ValuesForm::Map, line: node.at.line, indent })
        }
        Kind::List(_) | Kind::Alias(_) => {
            report.add(node.at, format!("`{place}` is a map or a text"), format!("this is {}", node.called()), "");
            None
        }
    }
}

/// Moves the lines of a block map to the left edge. The first line already begins there.
fn dedent(source: &str, indent: usize) -> String {
    let mut text = String::with_capacity(source.len());
    for (n, line) in source.trim_end_matches([' ', '\r']).split_inclusive('\n').enumerate() {
        let spaces = line.len() - line.trim_start_matches(' ').len();
        text.push_str(line.get(if n == 0 { 0 } else { indent.min(spaces) }..).unwrap_or_default());
    }
    if !text.ends_with('\n') {
        text.push('\n');
    }
    text
}

fn no_repeats(report: &mut Report<'_>, node: &Node, place: &str) {
    match &node.kind {
        Kind::Map { entries, .. } => {
            let mut seen = BTreeSet::new();
            for (key, value) in entries {
                let Kind::Scalar { text, .. } = &key.kind else { continue };
                let path = format!("{place}.{text}");
                if !seen.insert(text.as_str()) {
                    report.add(key.at, format!("field `{path}` is written twice"), "only one of them could count", "take one of them out");
                }
                no_repeats(report, value, &path);
            }
        }
        Kind::List(items) => items.iter().for_each(|item| no_repeats(report, item, place)),
        Kind::Scalar { .. } | Kind::Alias(_) => {}
    }
}

/// The map is cut out of the document, so an alias in it must find its anchor in it.
fn aliases(report: &mut Report<'_>, node: &Node, own: &mut BTreeSet<usize>) {
    if node.anchor > 0 {
        own.insert(node.anchor);
    }
    match &node.kind {
        Kind::Alias(target) if !own.contains(target) => {
            report.add(
                node.at,
                "this alias points out of the values",
                "values are cut out and sent as they are",
                "repeat what it stands for",
            );
        }
        Kind::Map { entries, .. } => entries.iter().for_each(|(key, value)| {
            aliases(report, key, own);
            aliases(report, value, own);
        }),
        Kind::List(items) => items.iter().for_each(|item| aliases(report, item, own)),
        Kind::Scalar { .. } | Kind::Alias(_) => {}
    }
}
