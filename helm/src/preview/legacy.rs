//! Hooks of Helm 2: Helm passes over a hook of a kind that it does not know, so that no render shows it.

use std::collections::BTreeSet;

use groundswell_change::summary::NotChecked;

use crate::archive::{ChartArchive, Files};

/// Files that are named.
const NAMED: usize = 3;

/// What the templates of the new version mark in this way, and those of the old one did not.
pub(super) fn passed_over(old: &ChartArchive, new: &ChartArchive) -> Option<NotChecked> {
    let before = marked(&old.files);
    let fresh: Vec<String> = marked(&new.files).difference(&before).cloned().collect();
    let first = fresh.get(..NAMED).unwrap_or(&fresh).join(", ");
    let more = fresh.len().saturating_sub(NAMED);
    let more = if more > 0 { format!(" and {more} more") } else { String::new() };
    (!fresh.is_empty()).then(|| NotChecked {
        what: format!("what {first}{more} marks as a crd-install hook"),
        why: "Helm 3 and 4 pass over hooks of that name: they are in no render, and nothing makes them".to_owned(),
        next: "apply what is in it yourself, before the upgrade".to_owned(),
    })
}

fn marked(files: &Files) -> BTreeSet<String> {
    let is = |text: &str| text.contains("helm.sh/hook") && text.contains("crd-install");
    let marked = files.iter().filter(|(path, data)| path.contains("templates/") && std::str::from_utf8(data).is_ok_and(is));
    marked.map(|(path, _)| path.to_string()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::preview::tests::chart;

    #[test]
    fn what_became_a_hook_of_helm_2_is_named() {
        let plain = chart("1.0.0", &[("templates/a.yaml", "kind: CustomResourceDefinition")]);
        let hook = chart("2.0.0", &[("templates/a.yaml", "metadata: {annotations: {helm.sh/hook: crd-install}}")]);
        let found = passed_over(&plain.archive, &hook.archive).unwrap();
        assert_eq!(found.what, "what templates/a.yaml marks as a crd-install hook");
        assert_eq!(passed_over(&hook.archive, &hook.archive), None, "it was so before");
    }
}
