//! Small renders for the tests of the sections.

use serde_json::Value;

use super::Context;
use crate::compare::{compare, compare_hooks};
use crate::input::{Input, Rendered, Side};
use crate::summary::{Item, Weight};

/// A render from YAML documents; hooks are told by their annotation, and `crds/` by their source comment.
pub(super) fn side(yaml: &str) -> Side {
    let mut side = Side::default();
    for (n, document) in yaml.split("\n---\n").enumerate() {
        let value: Value = serde_saphyr::from_str(document).unwrap();
        if value.is_null() {
            continue;
        }
        let in_crds = document.contains("# crds/");
        let folder = if in_crds { "crds" } else { "templates" };
        let rendered = Rendered { source: format!("c/{folder}/{n}.yaml"), value };
        if in_crds {
            side.crds.push(rendered);
        } else if rendered.value["metadata"]["annotations"].get("helm.sh/hook").is_some() {
            side.hooks.push(rendered);
        } else {
            side.objects.push(rendered);
        }
    }
    side
}

/// Two renders laid against each other in the namespace `ns`.
pub(super) fn input(old: &str, new: &str) -> Input {
    let mut input = Input { old: side(old), new: side(new), ..Input::default() };
    input.target.namespace = "ns".to_owned();
    input
}

/// What a section says about an input.
pub(super) fn run(section: fn(&Context<'_>) -> Vec<Item>, input: &Input) -> Vec<Item> {
    let objects = compare(&input.old, &input.new, &input.target);
    let hooks = compare_hooks(&input.old, &input.new, &input.target);
    section(&Context { input, objects: &objects, hooks: &hooks })
}

/// Claims as a person reads them.
pub(super) fn page(items: &[Item]) -> String {
    let mut page = String::new();
    for item in items {
        let weight = match item.weight {
            Weight::Stop => "STOP",
            Weight::Act => "ACT",
            Weight::Look => "look",
            Weight::Know => "know",
        };
        let object = match (&item.object, item.objects.len()) {
            (None, _) => String::new(),
            (Some(object), 0) => format!(" {object}:"),
            (Some(object), n) => format!(" {object} +{}:", n - 1),
        };
        page.push_str(&format!("{weight} {}{object} {}\n", item.code, item.what));
        for line in &item.detail {
            page.push_str(&format!("    {line}\n"));
        }
        if let Some(next) = &item.next {
            page.push_str(&format!("    -> {next}\n"));
        }
    }
    page
}

/// What a section says about two renders, as a person reads it.
pub(super) fn says(section: fn(&Context<'_>) -> Vec<Item>, old: &str, new: &str) -> String {
    page(&run(section, &input(old, new)))
}
