//! A change summary on a terminal: the verdict first, the rest folded, so that the first screen is enough to decide from.

use super::item::{Layout, lines, wrap};
use super::value::{cut, safe};
use super::word::{self, level, slug, weights};
use anstyle::{Effects, Style};
use groundswell_change::summary::{ChartBrief, Item, NotChecked, Section, SectionId, Summary, TargetBrief, Weight};

/// Lines of a section that are shown unless it was asked for: three sections and the verdict fit on a screen of 24.
const FOLD: usize = 6;
/// Reasons, and things not checked, that are shown folded.
const HEAD: usize = 3;
/// Random fields that are named.
const RANDOM: usize = 4;

/// Lines under it: what the command says of its own work, and the prompt.
const UNDER: usize = 2;

/// What of a summary is shown, and how wide.
pub(crate) struct View<'a> {
    /// Columns.
    pub(crate) width: usize,
    /// Rows of the screen that it is shown on, if it is one.
    pub(crate) rows: Option<usize>,
    /// Everything, with all details.
    pub(crate) full: bool,
    /// Only these sections, in full; all of them when empty.
    pub(crate) only: &'a [SectionId],
}

/// The summary for people.
pub(crate) fn text(summary: &Summary, view: &View<'_>) -> String {
    let mut lines = head(summary, view);
    lines.extend(not_checked(&summary.verdict.not_checked, view));
    let shown = summary.sections.iter().filter(|section| view.only.is_empty() || view.only.contains(&section.id));
    let (full, empty): (Vec<&Section>, Vec<&Section>) = shown.partition(|section| !section.items.is_empty());
    for section in full {
        lines.push(String::new());
        lines.extend(one(section, summary, view));
    }
    lines.push(String::new());
    if !empty.is_empty() {
        let names: Vec<&str> = empty.iter().map(|section| section.id.title()).collect();
        lines.extend(wrap(&format!("Nothing in: {}", names.join(", ")), view.width, "", "  "));
    }
    lines.extend(noise(summary, view));
    // The top has scrolled away, and the end is what is seen.
    if view.rows.is_some_and(|rows| lines.len() + UNDER > rows) {
        lines.push(String::new());
        lines.extend(verdict(summary, view));
    }
    let mut text = lines.join("\n");
    text.push('\n');
    text
}

fn bold(text: &str) -> String {
    let style = Style::new().effects(Effects::BOLD);
    format!("{style}{text}{style:#}")
}

/// The first words, and on a small screen the last.
fn verdict(summary: &Summary, view: &View<'_>) -> Vec<String> {
    let (glyph, word, style) = level(summary.verdict.level);
    let style = style.effects(Effects::BOLD);
    let first = format!("{style}{glyph} {}{style:#}  {}", word.to_uppercase(), charts(&summary.old, &summary.new));
    let mut lines = wrap(&first, view.width, "", "  ");
    if !summary.verdict.line.is_empty() {
        lines.extend(wrap(&safe(&summary.verdict.line), view.width, "  ", "  "));
    }
    lines
}

fn head(summary: &Summary, view: &View<'_>) -> Vec<String> {
    let mut lines = verdict(summary, view);
    let reasons = &summary.verdict.reasons;
    let shown = if view.full { reasons.len() } else { HEAD };
    for reason in reasons.iter().take(shown) {
        lines.extend(wrap(&two_lines(&safe(reason), view), view.width, "  - ", "    "));
    }
    if reasons.len() > shown {
        lines.push(format!("  - … {} more: --full", reasons.len() - shown));
    }
    if let Some(overview) = overview(&summary.sections) {
        lines.extend(wrap(&overview, view.width, "  ", "  "));
    }
    let counts = &summary.counts;
    let objects = format!(
        "{} objects -> {}: {} added, {} removed, {} changed, {} unchanged",
        counts.old, counts.new, counts.added, counts.removed, counts.changed, counts.unchanged
    );
    lines.extend(wrap(&objects, view.width, "  ", "  "));
    lines.extend(wrap(&format!("for {}", target(&summary.target)), view.width, "  ", "  "));
    lines
}

/// Folded, a sentence of the head has two lines.
fn two_lines(text: &str, view: &View<'_>) -> String {
    if view.full { text.to_owned() } else { cut(text, (view.width.saturating_sub(5)) * 2) }
}

/// `1 stop, 3 act: Blockers 1, Steps 2, CRDs 14`.
fn overview(sections: &[Section]) -> Option<String> {
    let said: Vec<String> = sections
        .iter()
        .filter(|section| !section.items.is_empty())
        .map(|section| format!("{} {}", section.id.title(), section.items.len()))
        .collect();
    let all = weights(sections.iter().flat_map(|section| &section.items));
    (!said.is_empty()).then(|| format!("{all}: {}", said.join(", ")))
}

pub(super) fn charts(old: &ChartBrief, new: &ChartBrief) -> String {
    let app = |chart: &ChartBrief| chart.app_version.as_deref().map(safe).filter(|app| !app.is_empty());
    let both = if old.name == new.name {
        format!("{} {} -> {}", safe(&new.name), safe(&old.version), safe(&new.version))
    } else {
        format!("{} {} -> {} {}", safe(&old.name), safe(&old.version), safe(&new.name), safe(&new.version))
    };
    match (app(old), app(new)) {
        (Some(a), Some(b)) if a != b => format!("{both} (application {a} -> {b})"),
        (_, Some(b)) => format!("{both} (application {b})"),
        _ => both,
    }
}

pub(super) fn target(target: &TargetBrief) -> String {
    let version = match &target.kube_version {
        Some(version) => format!("Kubernetes {}", safe(version)),
        None => "Kubernetes by helm's default".to_owned(),
    };
    let from = if target.from.is_empty() { String::new() } else { format!(" (from {})", safe(&target.from)) };
    let apis = if target.api_versions == 0 { String::new() } else { format!(", {} APIs", target.api_versions) };
    let values = if target.values.is_empty() {
        "no values of yours".to_owned()
    } else {
        format!("values {}", target.values.iter().map(|name| safe(name)).collect::<Vec<_>>().join(", "))
    };
    format!("release {} in {}, {version}{from}{apis}, {values}", safe(&target.release), safe(&target.namespace))
}

fn not_checked(all: &[NotChecked], view: &View<'_>) -> Vec<String> {
    if all.is_empty() {
        return Vec::new();
    }
    let mut lines = vec![String::new(), bold(&format!("Not checked ({})", all.len()))];
    let shown = if view.full { all.len() } else { HEAD };
    for one in all.iter().take(shown) {
        let next = if one.next.is_empty() { String::new() } else { format!("; {}", safe(&one.next)) };
        // Folded, what would make it known is worth more than why it is not.
        let why = if view.full || next.is_empty() { format!(": {}", safe(&one.why)) } else { String::new() };
        lines.extend(wrap(&two_lines(&format!("{}{why}{next}", safe(&one.what)), view), view.width, "  ? ", "    "));
    }
    if all.len() > shown {
        lines.push(format!("  … {} more: --full", all.len() - shown));
    }
    lines
}

fn one(section: &Section, summary: &Summary, view: &View<'_>) -> Vec<String> {
    let full = view.full || !view.only.is_empty();
    let layout = Layout { width: view.width, full, chart: &summary.new.name, namespace: &summary.target.namespace };
    let mut lines_shown = vec![bold(&format!("{} ({})", section.id.title(), section.items.len()))];
    let (mut used, mut shown) = (0, 0);
    for item in &section.items {
        let of_item = lines(item, &layout);
        // What stops the upgrade is never folded away, and no section is a mere number.
        if !full && shown > 0 && item.weight != Weight::Stop && used + of_item.len() > FOLD {
            break;
        }
        used += of_item.len();
        shown += 1;
        lines_shown.extend(of_item);
    }
    let rest: &[Item] = &section.items[shown..];
    if !rest.is_empty() {
        lines_shown.push(format!("  … {} more ({}): --section {}", rest.len(), weights(rest.iter()), slug(section.id)));
    }
    lines_shown
}

fn noise(summary: &Summary, view: &View<'_>) -> Vec<String> {
    let noise = &summary.noise;
    let mut lines = Vec::new();
    if noise.objects > 0 {
        let both = summary.counts.changed + summary.counts.unchanged;
        let kinds: Vec<String> = noise.kinds.iter().map(|kind| format!("{} {}", word::noise(kind.kind), kind.objects)).collect();
        let kinds = if kinds.is_empty() { String::new() } else { format!(": {}", kinds.join(", ")) };
        let text = format!("Noise: {} of {both} objects that are in both differ in nothing of substance{kinds}", noise.objects);
        lines.extend(wrap(&text, view.width, "", "  "));
        if view.full {
            for kind in &noise.kinds {
                let text = format!("{}: {}", word::noise(kind.kind), kind.examples.iter().map(|e| safe(e)).collect::<Vec<_>>().join(", "));
                lines.extend(wrap(&text, view.width, "  ", "    "));
            }
        }
    }
    if !noise.random.is_empty() {
        let shown = if view.full { noise.random.len() } else { RANDOM };
        let mut names: Vec<String> = noise.random.iter().take(shown).map(|field| safe(field)).collect();
        if noise.random.len() > shown {
            names.push(format!("{} more", noise.random.len() - shown));
        }
        lines.extend(wrap(&format!("Another in each render: {}", names.join(", ")), view.width, "", "  "));
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::super::sample;
    use super::*;

    fn plain(summary: &Summary, width: usize, full: bool, only: &[SectionId]) -> String {
        anstream::adapter::strip_str(&text(summary, &View { width, rows: None, full, only })).to_string()
    }

    #[test]
    fn nothing_is_said_in_four_lines() {
        insta::assert_snapshot!(plain(&sample::nothing(), 80, false, &[]), @"
        ✓ NOTHING OF SUBSTANCE  beacon 1.0.0 -> 1.0.1 (application 1)
          Nothing of substance changes.
          3 objects -> 3: 0 added, 0 removed, 0 changed, 3 unchanged
          for release beacon in demo, Kubernetes by helm's default, no values of yours

        Nothing in: Blockers, Steps, Your overrides, Versions and images, CRDs,
          Workloads that restart, RBAC, Ports and storage, Alerts and rules, Hooks,
          Other objects, Upgrade notes
        ");
    }

    #[test]
    fn the_worst_comes_first_and_the_rest_is_folded() {
        insta::assert_snapshot!(plain(&sample::blocked(), 80, false, &[]), @"
        ✗ BLOCKED  beacon 1.0.0 -> 2.0.0 (application 1 -> 2)
          A plain upgrade would be refused: 1 immutable field changes.
          - StatefulSet/demo/beacon: spec.serviceName cannot change
          1 stop, 1 look, 9 know: Blockers 1, Versions and images 1, RBAC 9
          12 objects -> 13: 2 added, 1 removed, 3 changed, 8 unchanged
          for release beacon in demo, Kubernetes 1.36.3 (from --kube-version), values
          values.yaml

        Not checked (1)
          ? objects in the cluster; add --cluster

        Blockers (1)
          ✗ stop  StatefulSet/beacon: Kubernetes refuses a change of this field
                  spec.serviceName: beacon -> beacon-headless  [templates/sts.yaml]
                  next: kubectl -n demo delete statefulset beacon --cascade=orphan

        Versions and images (1)
          · know  StatefulSet/beacon and 2 more: image of container beacon
                  image: registry.example/beacon:1 -> registry.example/beacon:2
                  [templates/sts.yaml]

        RBAC (9)
          ~ look  ClusterRole/beacon: may now list thing0  [templates/role.yaml]
          · know  ClusterRole/beacon: may now list thing1  [templates/role.yaml]
          · know  ClusterRole/beacon: may now list thing2  [templates/role.yaml]
          · know  ClusterRole/beacon: may now list thing3  [templates/role.yaml]
          · know  ClusterRole/beacon: may now list thing4  [templates/role.yaml]
          · know  ClusterRole/beacon: may now list thing5  [templates/role.yaml]
          … 3 more (3 know): --section rbac

        Nothing in: Steps, Your overrides, CRDs, Workloads that restart, Ports and
          storage, Alerts and rules, Hooks, Other objects, Upgrade notes
        Noise: 7 of 11 objects that are in both differ in nothing of substance: labels
          that carry the version 7
        Another in each render: Secret/demo/beacon data.password
        ");
    }

    #[test]
    fn where_the_top_scrolls_away_the_verdict_is_the_last_that_is_seen() {
        let (summary, tall) = (sample::blocked(), plain(&sample::blocked(), 80, false, &[]));
        let on = |rows| {
            let text = text(&summary, &View { width: 80, rows: Some(rows), full: false, only: &[] });
            anstream::adapter::strip_str(&text).to_string()
        };
        assert_eq!(on(tall.lines().count() + UNDER), tall);
        let end =
            "\n\n✗ BLOCKED  beacon 1.0.0 -> 2.0.0 (application 1 -> 2)\n  A plain upgrade would be refused: 1 immutable field changes.\n";
        assert_eq!(on(tall.lines().count() + UNDER - 1), format!("{tall}{}", &end[1..]));
    }

    #[test]
    fn a_section_alone_is_shown_in_full() {
        insta::assert_snapshot!(plain(&sample::blocked(), 100, false, &[SectionId::Blockers, SectionId::Hooks]), @"
        ✗ BLOCKED  beacon 1.0.0 -> 2.0.0 (application 1 -> 2)
          A plain upgrade would be refused: 1 immutable field changes.
          - StatefulSet/demo/beacon: spec.serviceName cannot change
          1 stop, 1 look, 9 know: Blockers 1, Versions and images 1, RBAC 9
          12 objects -> 13: 2 added, 1 removed, 3 changed, 8 unchanged
          for release beacon in demo, Kubernetes 1.36.3 (from --kube-version), values values.yaml

        Not checked (1)
          ? objects in the cluster; add --cluster

        Blockers (1)
          ✗ stop  StatefulSet/beacon: Kubernetes refuses a change of this field
                  spec.serviceName: beacon -> beacon-headless  [templates/sts.yaml]
                  next: kubectl -n demo delete statefulset beacon --cascade=orphan
                  - pods go on running

        Nothing in: Hooks
        Noise: 7 of 11 objects that are in both differ in nothing of substance: labels that carry the
          version 7
        Another in each render: Secret/demo/beacon data.password
        ");
    }

    #[test]
    fn no_line_is_wider_than_the_terminal() {
        for width in [40, 80, 140] {
            let text = plain(&sample::blocked(), width, true, &[]);
            // A command is one line, whatever the width: it is there to be copied.
            for line in text.lines().filter(|line| !line.contains("next: kubectl")) {
                assert!(unicode_width::UnicodeWidthStr::width(line) <= width, "{width}: {line}");
            }
        }
    }

    #[test]
    fn what_stops_the_upgrade_is_never_folded() {
        let mut summary = sample::blocked();
        let stop = summary.sections[0].items[0].clone();
        summary.sections[0].items = vec![stop; 30];
        assert_eq!(plain(&summary, 80, false, &[]).matches("✗ stop").count(), 30);
    }

    #[test]
    fn a_chart_does_not_steer_the_terminal() {
        let mut summary = sample::blocked();
        let item = &mut summary.sections[0].items[0];
        item.what = "\u{1b}]0;title\u{7}\r\nsafe ✓ ONE STEP".into();
        item.detail = vec!["\u{1b}[2J".into()];
        item.from.at = "\u{9b}31m".into();
        summary.old.version = "\u{1b}[31m".into();
        let text = plain(&summary, 80, true, &[]);
        assert!(text.chars().all(|c| !c.is_control() || c == '\n'), "{text:?}");
    }
}
