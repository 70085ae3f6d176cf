//! A glyph, a word and a colour for verdicts and weights, and names for what a summary only enumerates.

use anstyle::{AnsiColor, Effects, Style};
use groundswell_change::summary::{Evidence, Item, Level, NoiseKind, ObjectRef, SectionId, Weight};

/// How a verdict is headed.
pub(super) fn level(level: Level) -> (&'static str, &'static str, Style) {
    match level {
        Level::Nothing => ("✓", "nothing of substance", AnsiColor::Green.on_default()),
        Level::OneStep => ("✓", "one step", AnsiColor::Green.on_default()),
        Level::Steps => ("!", "steps by hand", AnsiColor::Yellow.on_default()),
        Level::Blocked => ("✗", "blocked", AnsiColor::Red.on_default()),
    }
}

/// How an item is headed.
pub(super) fn weight(weight: Weight) -> (&'static str, &'static str, Style) {
    match weight {
        Weight::Stop => ("✗", "stop", AnsiColor::Red.on_default().effects(Effects::BOLD)),
        Weight::Act => ("!", "act", AnsiColor::Yellow.on_default()),
        Weight::Look => ("~", "look", AnsiColor::Cyan.on_default()),
        Weight::Know => ("·", "know", Style::new()),
    }
}

/// Weights of items, counted, the worst first: `1 stop, 12 know`.
pub(super) fn weights<'i>(items: impl Iterator<Item = &'i Item>) -> String {
    let mut counts = [0_usize; 4];
    for item in items {
        counts[item.weight as usize] += 1;
    }
    let words = [Weight::Stop, Weight::Act, Weight::Look, Weight::Know].map(|w| weight(w).1);
    let said: Vec<String> = counts.iter().zip(words).filter(|(n, _)| **n > 0).map(|(n, word)| format!("{n} {word}")).collect();
    said.join(", ")
}

/// How something is known.
pub(super) fn evidence(kind: Evidence) -> &'static str {
    match kind {
        Evidence::Render => "render",
        Evidence::Tried => "tried",
        Evidence::CrdSchema => "CRD schema",
        Evidence::Chart => "chart",
        Evidence::Text => "the authors' words, not checked",
        Evidence::Table => "rule",
        Evidence::Inferred => "inferred",
    }
}

/// What an object differs in when it differs in nothing of substance.
pub(super) fn noise(kind: NoiseKind) -> &'static str {
    match kind {
        NoiseKind::VersionLabel => "labels that carry the version",
        NoiseKind::Namespace => "a namespace now written, or no longer",
        NoiseKind::Order => "order of lists",
        NoiseKind::Spelling => "spelling of quantities and numbers",
        NoiseKind::Default => "defaults now written, or no longer",
        NoiseKind::ApiVersion => "apiVersion",
        NoiseKind::Description => "descriptions in CRDs",
        NoiseKind::Whitespace => "white space",
        NoiseKind::Empty => "empty fields",
    }
}

/// The word for a section on the command line, the same as in JSON.
pub(super) fn slug(id: SectionId) -> &'static str {
    match id {
        SectionId::Blockers => "blockers",
        SectionId::Steps => "steps",
        SectionId::Overrides => "overrides",
        SectionId::Versions => "versions",
        SectionId::Crds => "crds",
        SectionId::Workloads => "workloads",
        SectionId::Rbac => "rbac",
        SectionId::Network => "network",
        SectionId::Rules => "rules",
        SectionId::Hooks => "hooks",
        SectionId::Objects => "objects",
        SectionId::Notes => "notes",
    }
}

/// The section of that name.
pub(crate) fn section(name: &str) -> Result<SectionId, String> {
    let known = SectionId::ALL.into_iter().find(|id| slug(*id) == name);
    known.ok_or_else(|| format!("no section {name:?}; there are {}", section_names()))
}

/// Names of all sections, in their order.
pub(crate) fn section_names() -> String {
    SectionId::ALL.map(slug).join(", ")
}

/// All objects of an item, each once.
pub(super) fn objects(item: &Item) -> Vec<&ObjectRef> {
    let mut all: Vec<&ObjectRef> = Vec::new();
    for object in item.object.iter().chain(&item.objects) {
        if !all.contains(&object) {
            all.push(object);
        }
    }
    all
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sections_are_named_as_in_json() {
        for id in SectionId::ALL {
            assert_eq!(serde_json::to_value(id).unwrap(), slug(id));
            assert_eq!(section(slug(id)), Ok(id));
        }
        assert!(section("nothing").unwrap_err().contains("blockers, steps, overrides"));
    }
}
