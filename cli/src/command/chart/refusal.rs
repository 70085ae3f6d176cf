//! The summary of an upgrade that helm would refuse before anything can be compared.

use super::source::Loaded;
use groundswell_change::summary::{
    API_VERSION, ChartBrief, Counts, Evidence, Item, KIND, Level, Noise, NotChecked, Provenance, Section, SectionId, Summary, TargetBrief,
    Verdict, Weight,
};
use groundswell_helm::preview::{PreviewError, Which};

/// Keys that are named in a sentence; its details have them all.
const FEW: usize = 3;

/// Why the new version cannot be rendered, as a claim. `None`: it is no refusal of the new version, but an error.
pub(crate) fn item(error: &PreviewError) -> Option<Item> {
    match error {
        PreviewError::Schema { which: Which::New, keys, .. } => {
            let line = |(key, what): &(String, String)| if key.is_empty() { what.clone() } else { format!("{key}: {what}") };
            let lines: Vec<String> = keys.iter().map(line).collect();
            let more = lines.len().saturating_sub(FEW);
            let more = if more > 0 { format!("; and {more} more") } else { String::new() };
            let what = format!("the new version does not take these values: {}{more}", lines.get(..FEW).unwrap_or(&lines).join("; "));
            let item = Item::new("values-refused", Weight::Stop, what, Provenance::new(Evidence::Chart, "values.schema.json"));
            let item = if more.is_empty() { item } else { item.detail(lines) };
            Some(item.next("mend these keys, or leave them out to see what else changes"))
        }
        PreviewError::DoesNotRender { which: Which::New, template, words, .. } => {
            let at = template.clone().unwrap_or_default();
            let what = format!("the new version does not render with these values: {words}");
            let item = Item::new("does-not-render", Weight::Stop, what, Provenance::new(Evidence::Render, at));
            Some(item.next("try `helm template` with it, and mend the values or the chart"))
        }
        _ => None,
    }
}

/// The summary with this claim and nothing else: a plain upgrade fails, and more is not known.
pub(super) fn summary(item: Item, old: &Loaded, new: &Loaded, target: TargetBrief, mut not_checked: Vec<NotChecked>) -> Summary {
    let rest = NotChecked { what: "all the rest".to_owned(), why: "there is nothing to compare".to_owned(), next: String::new() };
    not_checked.insert(0, rest);
    let line = match item.code.as_str() {
        "values-refused" => "Blocked: the new version does not take these values, and helm would refuse the upgrade.",
        _ => "Blocked: the new version does not render with these values, and helm would refuse the upgrade.",
    };
    let verdict = Verdict { level: Level::Blocked, line: line.to_owned(), reasons: vec![item.what.clone()], not_checked };
    let mut item = Some(item);
    let section = |id| Section { id, items: if id == SectionId::Blockers { item.take().into_iter().collect() } else { Vec::new() } };
    Summary {
        api_version: API_VERSION.to_owned(),
        kind: KIND.to_owned(),
        old: brief(old),
        new: brief(new),
        target,
        verdict,
        sections: SectionId::ALL.into_iter().map(section).collect(),
        noise: Noise::default(),
        counts: Counts::default(),
    }
}

fn brief(chart: &Loaded) -> ChartBrief {
    let metadata = &chart.archive.metadata;
    ChartBrief {
        name: metadata.name.clone(),
        version: metadata.version.clone(),
        app_version: metadata.app_version.clone(),
        digest: chart.archive.digest.clone(),
    }
}
