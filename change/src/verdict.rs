//! What a summary comes to.

mod pods;

use std::collections::BTreeSet;

pub(crate) use pods::{GONE, MAY_RESTART, RESTART};
use pods::{restarts, restarts_any};

use crate::constraint::Version;
use crate::input::{Input, OverrideClass};
use crate::summary::{Item, Level, NotChecked, Section, SectionId, Verdict, Weight};

/// Reasons that fit beside a verdict; the sections have them all.
const MOST_REASONS: usize = 7;
/// Longest address that is quoted from a text of a chart: a terminal shows it in three lines.
const LONGEST_URL: usize = 240;
/// With fewer reasons than this, what somebody should look at is among them.
const FEW_REASONS: usize = 4;

/// Blockers that a step of the same summary removes.
pub(crate) const HAS_STEP: [&str; 5] = ["crd-adopted", "crd-not-applied", "crd-version-gone", "immutable-field", "installed-unserved-api"];

/// Judges the sections. `changed`: whether any object differs in substance.
pub(crate) fn judge(sections: &[Section], input: &Input, changed: bool) -> Verdict {
    // An object that a new CRD refuses stands among the CRDs, and stops the upgrade all the same.
    let stops: Vec<&Item> = sections.iter().flat_map(|section| &section.items).filter(|item| item.weight == Weight::Stop).collect();
    let steps = of(sections, SectionId::Steps);
    let level = if !stops.is_empty() {
        Level::Blocked
    } else if !steps.is_empty() {
        Level::Steps
    } else if changed || goes_back(input) || asking(sections) != (0, 0) {
        Level::OneStep
    } else {
        Level::Nothing
    };
    let line = match level {
        Level::Blocked => blocked(&stops, steps),
        Level::Steps => format!("{}{}{}.", capital(&plan(steps)), restarts(sections), decisions(sections)),
        Level::OneStep if !changed && !goes_back(input) && !restarts_any(sections) => nothing_but(asking(sections), notes(sections)),
        Level::OneStep => format!("One step: a plain upgrade does it{}{}.", restarts(sections), decisions(sections)),
        Level::Nothing => nothing(sections),
    };
    let line = if goes_back(input) { format!("{line} {}", back(input)) } else { line };
    Verdict { level, line, reasons: reasons(sections), not_checked: not_checked(input) }
}

/// Whether the new version is the older one.
fn goes_back(input: &Input) -> bool {
    let versions = (Version::parse(&input.old.chart.version), Version::parse(&input.new.chart.version));
    input.old.chart.name == input.new.chart.name && matches!(versions, (Ok(old), Ok(new)) if new.precedence(&old).is_lt())
}

/// Authors write for those who go on: what a newer version moved or migrated is not moved back by equal renders.
fn back(input: &Input) -> String {
    format!("This goes back to an older version, from {} to {}.", input.old.chart.version, input.new.chart.version)
}

fn of(sections: &[Section], id: SectionId) -> &[Item] {
    sections.iter().find(|section| section.id == id).map_or(&[], |section| section.items.as_slice())
}

fn blocked(stops: &[&Item], steps: &[Item]) -> String {
    let hard: Vec<&&Item> = stops.iter().filter(|item| !HAS_STEP.contains(&item.code.as_str())).collect();
    match hard.as_slice() {
        [] => format!("Blocked until it is prepared: a plain upgrade would fail. {}.", capital(&plan(steps))),
        [one] => format!("Blocked: {}.", sentence(one)),
        [first, rest @ ..] => {
            format!("Blocked: {}; and {} more {}.", sentence(first), rest.len(), if rest.len() == 1 { "blocker" } else { "blockers" })
        }
    }
}

/// The steps in a line: `2 steps: apply 3 CRDs first, then delete DaemonSet x`.
fn plan(steps: &[Item]) -> String {
    let mut codes: Vec<&str> = Vec::new();
    for item in steps {
        if !codes.contains(&item.code.as_str()) {
            codes.push(&item.code);
        }
    }
    let phrases: Vec<String> =
        codes.iter().map(|code| phrase(code, &steps.iter().filter(|item| item.code == *code).collect::<Vec<_>>())).collect();
    let count = if steps.len() == 1 { "1 step".to_owned() } else { format!("{} steps", steps.len()) };
    format!("{count}: {}", phrases.join(", then "))
}

fn phrase(code: &str, items: &[&Item]) -> String {
    let named = |verb: &str| match items {
        [one] => match &one.object {
            Some(object) => format!("{verb} {} {}", object.kind, object.name),
            None => format!("{verb} one object"),
        },
        _ => {
            let kinds: BTreeSet<&str> = items.iter().filter_map(|item| item.object.as_ref().map(|object| object.kind.as_str())).collect();
            match kinds.iter().next() {
                Some(kind) if kinds.len() == 1 => format!("{verb} {} {kind}s", items.len()),
                _ => format!("{verb} {} objects", items.len()),
            }
        }
    };
    match code {
        "apply-crds" => {
            let crds: usize = items.iter().map(|item| objects(item)).sum();
            format!("apply {crds} {}", if crds == 1 { "CRD" } else { "CRDs" })
        }
        "adopt-crd" => named("adopt"),
        "migrate-stored" => named("migrate the objects of"),
        "recreate" => named("delete"),
        "clean-up" => named("clean up after"),
        "keep-field" => named("keep a field of"),
        "keep-names" => "keep the old names by a value".to_owned(),
        "move-value" if items.len() == 1 => "move 1 value".to_owned(),
        "move-value" => format!("move {} values", items.len()),
        "rewrite-record" => "rewrite the release record".to_owned(),
        _ => items.first().map(|item| item.what.trim_end_matches('.').to_owned()).unwrap_or_default(),
    }
}

/// Equal renders do not show what the authors ask for between the versions.
fn nothing(sections: &[Section]) -> String {
    match notes(sections) {
        0 => "Nothing of substance changes.".to_owned(),
        n => format!("Nothing of substance changes in the renders; {}.", to_read(n)),
    }
}

fn to_read(notes: usize) -> String {
    if notes == 1 { "there is 1 upgrade note to read".to_owned() } else { format!("there are {notes} upgrade notes to read") }
}

/// Findings that ask for a decision, and those that are worth a look. The authors' notes are counted apart: equal renders with notes
/// to read stay nothing.
fn asking(sections: &[Section]) -> (usize, usize) {
    let items = || sections.iter().filter(|section| section.id != SectionId::Notes).flat_map(|section| &section.items);
    let of = |weight| items().filter(|item| item.weight == weight).count();
    (of(Weight::Act), of(Weight::Look))
}

fn nothing_but((decide, look): (usize, usize), notes: usize) -> String {
    let findings = |n: usize, one: &str, many: &str| if n == 1 { format!("1 finding {one}") } else { format!("{n} findings {many}") };
    let what = match (decide, look) {
        (_, 0) => findings(decide, "asks for a decision", "ask for a decision"),
        (0, _) => findings(look, "is worth a look", "are worth a look"),
        (..) => format!(
            "{} and {look} {} worth a look",
            findings(decide, "asks for a decision", "ask for a decision"),
            if look == 1 { "is" } else { "are" }
        ),
    };
    let read = if notes > 0 { format!("; {}", to_read(notes)) } else { String::new() };
    format!("Nothing changes in the cluster, but {what}{read}.")
}

/// Upgrade notes of the versions that are crossed.
fn notes(sections: &[Section]) -> usize {
    of(sections, SectionId::Notes).iter().filter(|item| item.code == "note").count()
}

/// With a capital at its beginning.
pub(crate) fn capital(text: &str) -> String {
    let mut chars = text.chars();
    chars.next().map(|first| first.to_uppercase().chain(chars).collect()).unwrap_or_default()
}

/// Findings that ask somebody to act, and are no steps: data that is left behind, a value that does nothing any more.
fn decisions(sections: &[Section]) -> String {
    let others = sections.iter().filter(|section| section.id != SectionId::Steps);
    match others.flat_map(|section| &section.items).filter(|item| item.weight == Weight::Act).count() {
        0 => String::new(),
        1 => "; 1 finding asks for a decision".to_owned(),
        n => format!("; {n} findings ask for a decision"),
    }
}

/// Where the README says that the notes on upgrades are, when they were not packed into the chart.
fn unpacked_notes(input: &Input) -> Option<String> {
    let names_upgrades = |name: &str| {
        ["UPGRADE", "UPGRADING", "MIGRATE", "MIGRATION"].contains(&name.split('.').next().unwrap_or_default().to_ascii_uppercase().as_str())
    };
    let own = || input.new.texts.iter().filter(|text| !text.path.contains("charts/"));
    let file = |path: &str| path.rsplit('/').next().unwrap_or_default().to_owned();
    if input.old.chart.version == input.new.chart.version || own().any(|text| names_upgrades(&file(&text.path))) {
        return None;
    }
    own().filter(|text| file(&text.path).to_ascii_uppercase().starts_with("README")).find_map(|text| {
        let links = text.text.match_indices("https://").map(|(at, _)| {
            let rest = &text.text[at..];
            let end = rest
                .find(|c: char| c.is_whitespace() || c.is_control() || matches!(c, ')' | ']' | '>' | '<' | '"' | '\'' | '`' | '#' | '?'));
            &rest[..end.unwrap_or(rest.len())]
        });
        links.filter(|url| url.len() <= LONGEST_URL && url.is_ascii()).find(|url| names_upgrades(&file(url))).map(str::to_owned)
    })
}

/// How many objects a claim is about.
fn objects(item: &Item) -> usize {
    item.objects.len().max(usize::from(item.object.is_some()))
}

fn sentence(item: &Item) -> String {
    let what = item.what.trim_end_matches('.');
    match (&item.object, item.objects.len()) {
        (None, _) => what.to_owned(),
        // It says how many there are.
        _ if item.code == "apply-crds" => what.to_owned(),
        (Some(object), 0 | 1) => format!("{object}: {what}"),
        (Some(object), n) => format!("{object} and {} more: {what}", n - 1),
    }
}

fn reasons(sections: &[Section]) -> Vec<String> {
    // Deleting an object is the answer to a blocker that is told already.
    let told = |item: &&Item| !matches!(item.code.as_str(), "recreate" | "clean-up" | "rewrite-record" | "adopt-crd" | "migrate-stored");
    let with = |weight: Weight| sections.iter().flat_map(|section| &section.items).filter(move |item| item.weight == weight);
    let mut all: Vec<String> = with(Weight::Stop).chain(with(Weight::Act)).filter(told).map(sentence).collect();
    if all.len() < FEW_REASONS {
        let room = FEW_REASONS - all.len();
        all.extend(with(Weight::Look).map(sentence).take(room));
    }
    let mut seen = BTreeSet::new();
    all.retain(|reason| seen.insert(reason.clone()));
    let more = all.len().saturating_sub(MOST_REASONS);
    if more > 0 {
        all.truncate(MOST_REASONS - 1);
        all.push(format!("and {} more", more + 1));
    }
    all
}

fn not_checked(input: &Input) -> Vec<NotChecked> {
    let mut all = input.not_checked.clone();
    let mut add = |what: &str, why: String, next: &str| {
        if !all.iter().any(|one| one.what == what) {
            all.push(NotChecked { what: what.to_owned(), why, next: next.to_owned() });
        }
    };
    match input.target.kube_version.as_deref() {
        None => add(
            "the Kubernetes version of the target",
            "nobody said it: Helm's default was taken, and kubeVersion and removed APIs are not checked".to_owned(),
            "give --kube-version or --cluster",
        ),
        Some(version) if Version::parse(version).is_err() => add(
            "the Kubernetes version of the target",
            format!("{version:?} is no version: kubeVersion and removed APIs are not checked"),
            "give --kube-version v1.N.N",
        ),
        Some(_) => {}
    }
    if input.target.api_versions.is_empty() {
        add(
            "which APIs the target serves",
            "no list was given: charts that ask saw Helm's built-in one, and removed APIs are known from a table".to_owned(),
            "give --api-versions FILE or --cluster",
        );
    }
    let untried = input.overrides.iter().flatten().filter(|verdict| verdict.class == OverrideClass::NotTried).count();
    if input.overrides.is_none() && !input.documents.is_empty() {
        add("what becomes of your values", "your keys were not tried one by one".to_owned(), "");
    } else if untried > 0 {
        add("what becomes of all your values", format!("there was no time to try {untried} of your keys"), "");
    }
    // A field that is random in both versions is one field.
    let random: BTreeSet<(&str, &str)> =
        input.old.random.iter().chain(&input.new.random).map(|field| (field.object.as_str(), field.path.as_str())).collect();
    let differ = match random.len() {
        1 => "1 field differs between two renders of one version, and is compared no further".to_owned(),
        n => format!("{n} fields differ between two renders of one version, and are compared no further"),
    };
    if !random.is_empty() {
        add("fields that are random", differ, "");
    }
    if let Some(url) = unpacked_notes(input) {
        add("the authors' upgrade notes", format!("they are at {url}, not in the archive"), &format!("read {url}"));
    }
    if input.new.record_bytes.is_none() {
        add("the size of the release record", "it was not estimated".to_owned(), "");
    }
    add(
        "the objects in the cluster",
        "the renders were compared, not what runs: changes by hand, `lookup` in templates, admission webhooks, quotas and permissions are not seen"
            .to_owned(),
        "a rollout's preflight asks the cluster",
    );
    add(
        "whether the server takes the objects",
        "they were not laid against its schemas: a misspelt field or a value that it refuses shows in a dry run alone".to_owned(),
        "helm upgrade --dry-run=server",
    );
    all
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::input::RandomField;
    use crate::summary::{Evidence, ObjectRef, Provenance};

    fn item(code: &str, weight: Weight, what: &str, name: Option<(&str, &str)>) -> Item {
        let item = Item::new(code, weight, what, Provenance::new(Evidence::Render, ""));
        match name {
            Some((kind, name)) => {
                item.about(ObjectRef { group: String::new(), kind: kind.to_owned(), namespace: "ns".to_owned(), name: name.to_owned() })
            }
            None => item,
        }
    }

    fn section(id: SectionId, items: Vec<Item>) -> Section {
        Section { id, items }
    }

    #[test]
    fn lines() {
        let restarting = || item(RESTART, Weight::Look, "image", Some(("Deployment", "x")));
        let restart = || section(SectionId::Workloads, vec![restarting()]);
        let gone = |kind, weight| item(GONE, weight, "goes", Some((kind, "y")));
        let fixed = || item("immutable-field", Weight::Stop, "spec.selector cannot be changed", Some(("DaemonSet", "x")));
        let recreate = || item("recreate", Weight::Act, "Delete it.", Some(("DaemonSet", "x")));
        let crds = || item("apply-crds", Weight::Act, "Apply.", Some(("CustomResourceDefinition", "a")));
        for (sections, changed, level, line) in [
            (vec![], false, Level::Nothing, "Nothing of substance changes."),
            (vec![], true, Level::OneStep, "One step: a plain upgrade does it; no pod restarts."),
            (vec![restart()], true, Level::OneStep, "One step: a plain upgrade does it; 1 workload restarts."),
            (
                vec![section(SectionId::Workloads, vec![gone("Deployment", Weight::Look), gone("HorizontalPodAutoscaler", Weight::Look)])],
                true,
                Level::OneStep,
                "One step: a plain upgrade does it; 1 workload goes with its pods, no other pod restarts.",
            ),
            (
                vec![section(SectionId::Workloads, vec![gone("Deployment", Weight::Know)])],
                true,
                Level::OneStep,
                "One step: a plain upgrade does it; no pod restarts.",
            ),
            (
                vec![
                    section(SectionId::Steps, vec![item("keep-names", Weight::Act, "Set it.", None)]),
                    section(SectionId::Workloads, vec![restarting(), gone("Deployment", Weight::Look), gone("StatefulSet", Weight::Look)]),
                ],
                true,
                Level::Steps,
                "1 step: keep the old names by a value; 1 workload restarts, 2 go with their pods unless the names are kept.",
            ),
            (
                vec![section(
                    SectionId::Notes,
                    vec![item("note", Weight::Look, "2.0", None), item("note-changes", Weight::Know, "3.0", None)],
                )],
                false,
                Level::Nothing,
                "Nothing of substance changes in the renders; there is 1 upgrade note to read.",
            ),
            (
                vec![section(SectionId::Overrides, vec![item("a", Weight::Act, "A.", None), item("b", Weight::Look, "B.", None)])],
                false,
                Level::OneStep,
                "Nothing changes in the cluster, but 1 finding asks for a decision and 1 is worth a look.",
            ),
            (
                vec![
                    section(SectionId::Rbac, vec![item("b", Weight::Look, "B.", None), item("c", Weight::Know, "C.", None)]),
                    section(SectionId::Notes, vec![item("note", Weight::Look, "2.0", None), item("note", Weight::Look, "3.0", None)]),
                ],
                false,
                Level::OneStep,
                "Nothing changes in the cluster, but 1 finding is worth a look; there are 2 upgrade notes to read.",
            ),
            (vec![restart()], false, Level::OneStep, "One step: a plain upgrade does it; 1 workload restarts."),
            (vec![section(SectionId::Steps, vec![crds()]), restart()], true, Level::Steps, "1 step: apply 1 CRD; 1 workload restarts."),
            (
                vec![section(SectionId::Blockers, vec![fixed()]), section(SectionId::Steps, vec![crds(), recreate()])],
                true,
                Level::Blocked,
                "Blocked until it is prepared: a plain upgrade would fail. 2 steps: apply 1 CRD, then delete DaemonSet x.",
            ),
            (
                vec![section(SectionId::Blockers, vec![fixed(), item("kube-version", Weight::Stop, "needs Kubernetes 2", None)])],
                true,
                Level::Blocked,
                "Blocked: needs Kubernetes 2.",
            ),
        ] {
            let verdict = judge(&sections, &Input::default(), changed);
            assert_eq!((verdict.level, verdict.line.as_str()), (level, line));
        }
    }

    #[test]
    fn reasons_are_few_and_the_worst_first() {
        let looks = (0..9).map(|n| item("a", Weight::Act, &format!("act {n}"), None));
        let mut items: Vec<Item> = looks.collect();
        items.push(item("b", Weight::Stop, "stop", Some(("Service", "x"))));
        let verdict = judge(&[section(SectionId::Objects, items)], &Input::default(), true);
        assert_eq!(verdict.reasons.len(), 7);
        assert_eq!(verdict.reasons.first().map(String::as_str), Some("Service/ns/x: stop"));
        assert_eq!(verdict.reasons.last().map(String::as_str), Some("and 4 more"));
    }

    #[test]
    fn a_field_that_is_random_in_both_versions_is_one() {
        let field = |path: &str| RandomField { object: "Secret/ns/x".to_owned(), path: path.to_owned() };
        let mut input = Input::default();
        let said = |input: &Input| {
            let found = judge(&[], input, false).not_checked.into_iter().find(|one| one.what == "fields that are random");
            found.map(|one| one.why).unwrap_or_default()
        };
        assert_eq!(said(&input), "");
        (input.old.random, input.new.random) = (vec![field("data.a")], vec![field("data.a")]);
        assert!(said(&input).starts_with("1 field differs"), "{}", said(&input));
        input.new.random.push(field("data.b"));
        assert!(said(&input).starts_with("2 fields differ"), "{}", said(&input));
    }

    #[test]
    fn an_older_version_is_never_nothing() {
        for (old, new, level, says) in [
            (
                "2.0.0",
                "1.0.0",
                Level::OneStep,
                "One step: a plain upgrade does it; no pod restarts. This goes back to an older version, from 2.0.0 to 1.0.0.",
            ),
            ("1.0.0", "2.0.0", Level::Nothing, "Nothing of substance changes."),
            ("1.0.0", "1.0.0", Level::Nothing, "Nothing of substance changes."),
            ("x", "1.0.0", Level::Nothing, "Nothing of substance changes."),
        ] {
            let mut input = Input::default();
            (input.old.chart.version, input.new.chart.version) = (old.to_owned(), new.to_owned());
            let verdict = judge(&[], &input, false);
            assert_eq!((verdict.level, verdict.line.as_str()), (level, says), "{old} to {new}");
        }
    }

    #[test]
    fn notes_that_are_not_in_the_archive() {
        let link = "See [UPGRADE.md](https://x.example/blob/main/UPGRADE.md#from-1)\n";
        for (texts, expected) in [
            (vec![("README.md", link)], "they are at https://x.example/blob/main/UPGRADE.md, not in the archive"),
            (vec![("README.md", link), ("UPGRADE.md", "")], ""),
            (vec![("charts/y/README.md", link)], ""),
            (vec![("README.md", "https://x.example/upgrade-insecure-requests https://é")], ""),
        ] {
            let mut input = Input::default();
            (input.old.chart.version, input.new.chart.version) = ("1.0.0".to_owned(), "2.0.0".to_owned());
            input.new.texts =
                texts.into_iter().map(|(path, text)| crate::input::Text { path: path.to_owned(), text: text.to_owned() }).collect();
            let found = judge(&[], &input, false).not_checked.into_iter().find(|one| one.what == "the authors' upgrade notes");
            assert_eq!(found.map(|one| one.why).unwrap_or_default(), expected);
        }
    }

    #[test]
    fn what_was_not_checked_is_said() {
        let verdict = judge(&[], &Input::default(), false);
        let what: Vec<&str> = verdict.not_checked.iter().map(|one| one.what.as_str()).collect();
        assert!(what.contains(&"the Kubernetes version of the target") && what.contains(&"the objects in the cluster"), "{what:?}");
        let mut input = Input::default();
        input.target.kube_version = Some("v1.30.0".to_owned());
        input.target.api_versions = vec!["v1".to_owned()];
        input.new.record_bytes = Some(1);
        assert_eq!(judge(&[], &input, false).not_checked.len(), 2, "no cluster was asked");
    }
}
