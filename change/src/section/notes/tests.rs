use proptest::prelude::*;

use super::super::testing::{page, run};
use super::*;
use crate::input::{Input, Subchart};

fn says(old: &str, new: &str, texts: &[(&str, &str)]) -> String {
    let mut input = Input::default();
    input.old.chart.version = old.to_owned();
    input.new.chart.version = new.to_owned();
    let sub = |version: &str| Subchart { key: "grafana".into(), name: "grafana".into(), version: version.into(), app_version: None };
    input.old.chart.subcharts = vec![sub("6.0.0")];
    input.new.chart.subcharts = vec![sub("8.1.0")];
    input.new.texts = texts.iter().map(|(path, text)| Text { path: (*path).to_owned(), text: (*text).to_owned() }).collect();
    page(&run(super::items, &input))
}

const UPGRADE: &str = "# Upgrade

## From 12.x to 13.x

This version moves `a` to `b`. You **must** delete the Deployment, see [the issue](https://example.com/1).

```console
# Helm 3 wants this
kubectl delete deployment x --cascade=orphan
```

## From 11.x to 12.x

This version upgrades the operator to v0.12.0.

```console
kubectl apply --server-side -f https://example.com/12/a.yaml
kubectl apply --server-side -f https://example.com/12/b.yaml
kubectl apply --server-side -f https://example.com/12/c.yaml
```

## From 10.x to 11.x

This version upgrades the operator to v0.11.0.

```console
kubectl apply --server-side -f https://example.com/11/a.yaml
```

## From 9.x to 10.x

Long ago.

## Configuration

Not a note.
";

#[test]
fn every_version_that_is_crossed_in_order() {
    insta::assert_snapshot!(says("10.2.0", "13.0.1", &[("UPGRADE.md", UPGRADE)]), @"
    look note From 10.x to 11.x … From 11.x to 12.x (2 notes alike): This version upgrades the operator to v0.12.0.
        From 10.x to 11.x at UPGRADE.md:22
        From 11.x to 12.x at UPGRADE.md:12
        $ kubectl apply --server-side -f https://example.com/12/a.yaml
        $ kubectl apply --server-side -f https://example.com/12/b.yaml
        $ … and 1 more like it
        -> read UPGRADE.md:12: it has 3 commands, to be checked before they are run
    look note From 12.x to 13.x: This version moves `a` to `b`. You must delete the Deployment, see the issue.
        it says: must, delete
        $ kubectl delete deployment x --cascade=orphan
        -> read UPGRADE.md:3: it has 1 command, to be checked before they are run
    ");
    insta::assert_snapshot!(says("12.9.0", "13.0.0", &[("UPGRADE.md", UPGRADE)]), @"
    look note From 12.x to 13.x: This version moves `a` to `b`. You must delete the Deployment, see the issue.
        it says: must, delete
        $ kubectl delete deployment x --cascade=orphan
        -> read UPGRADE.md:3: it has 1 command, to be checked before they are run
    ");
    assert_eq!(says("13.0.0", "13.9.0", &[("UPGRADE.md", UPGRADE)]), "");
    assert_eq!(says("13.0.0", "9.0.0", &[("UPGRADE.md", UPGRADE)]), "");
}

#[test]
fn readmes_of_charts_inside_go_by_their_own_versions() {
    let readme = "# Grafana\n## Upgrading\n### To 7.0.0\nBreaking: labels.\n#### Details\nMore.\n### To 9.0.0\nNot yet.\n";
    insta::assert_snapshot!(says("1.0.0", "1.1.0", &[("charts/grafana/README.md", readme), ("charts/unknown/README.md", readme)]), @"
    look note grafana, To 7.0.0: Breaking: labels. Details More.
        it says: breaking
        -> read charts/grafana/README.md:3
    ");
}

#[test]
fn prose_is_bounded_and_stripped() {
    let text = format!("## 2.0.0\n{}\u{1b}[31mred\u{202e}\n", "word ".repeat(200));
    let page = says("1.0.0", "2.0.0", &[("CHANGELOG.md", &text)]);
    assert!(page.lines().all(|line| line.chars().count() < 460), "{page}");
    assert!(!page.contains('\u{1b}') && !page.contains('\u{202e}'));
}

#[test]
fn changes_for_artifact_hub() {
    let mut input = Input::default();
    input.new.chart.version = "2.0.0".to_owned();
    input.new.chart.annotations = vec![(
        "artifacthub.io/changes".to_owned(),
        "- kind: security\n  description: fix CVE\n- kind: added\n  description: a flag\n- plain words\n".to_owned(),
    )];
    insta::assert_snapshot!(page(&run(super::items, &input)), @"
    look note-changes 2.0.0 3 changes by its authors: security: fix CVE, added: a flag and plain words
        security: fix CVE
        added: a flag
        plain words
    ");
}

proptest! {
    #[test]
    fn no_text_panics(text in "(#{0,3} ?(From|To|v)? ?[0-9x.]{0,6}[ \\]\\[()*`é\n-]{0,3}){0,12}", other in ".{0,200}") {
        says("0.1.0", "99.0.0", &[("README.md", &text), ("UPGRADE.md", &other)]);
    }
}
