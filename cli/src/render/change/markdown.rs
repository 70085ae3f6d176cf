//! A change summary as Markdown for a review: nothing in a chart can become markup, and it always fits into a comment.

use super::item::is_command;
use super::value::{cut, plain, safe};
use super::word::{self, evidence, level, objects, slug, weight, weights};
use groundswell_change::summary::{Item, NotChecked, ObjectRef, Section, SectionId, Summary};
use serde_json::Value;

/// GitHub refuses a comment of more than 65,536 characters; a byte is never less than a character.
const LIMIT: usize = 65_536;
/// For headings, counts and closing tags of what is left out: 12 sections at some 200 bytes, and the noise.
const RESERVE: usize = 4_096;
/// Items of a section that are open; more are behind a fold.
const OPEN: usize = 8;
/// Columns of a sentence; a note of the authors is rarely longer, and its file has the rest.
const TEXT: usize = 600;
/// Columns of a value.
const VALUE: usize = 160;
/// Names of objects before the sentence about them; all of them are behind a fold.
const NAMES: usize = 3;
/// Names behind a fold.
const ALL_NAMES: usize = 60;
/// Reasons, things not checked, random fields: more than this many are counted.
const LIST: usize = 40;

/// A page that does not grow beyond its limit.
struct Page {
    text: String,
    full: bool,
}

impl Page {
    /// What always has room: see [`RESERVE`].
    fn always(&mut self, text: &str) {
        self.text.push_str(text);
    }

    /// Adds a block, where it and the rest of the frame fit.
    fn fits(&mut self, block: &str) -> bool {
        self.full |= self.text.len() + block.len() + RESERVE > LIMIT;
        if !self.full {
            self.text.push_str(block);
        }
        !self.full
    }
}

/// The summary for a review; only these sections, or all when none are named.
pub(crate) fn markdown(summary: &Summary, only: &[SectionId]) -> String {
    let mut page = Page { text: String::new(), full: false };
    head(summary, &mut page);
    let shown = summary.sections.iter().filter(|section| only.is_empty() || only.contains(&section.id));
    let (filled, empty): (Vec<&Section>, Vec<&Section>) = shown.partition(|section| !section.items.is_empty());
    for section in filled {
        one(section, &mut page);
    }
    if !empty.is_empty() {
        let names: Vec<&str> = empty.iter().map(|section| section.id.title()).collect();
        page.always(&format!("\nNothing in: {}.\n", names.join(", ")));
    }
    noise(summary, &mut page);
    page.text
}

fn head(summary: &Summary, page: &mut Page) {
    let (glyph, word, _) = level(summary.verdict.level);
    let charts = super::text::charts(&summary.old, &summary.new).replace(" -> ", " → ");
    page.always(&format!("## {glyph} {word}: {}\n\n", text(&charts)));
    if !summary.verdict.line.is_empty() {
        page.always(&format!("**{}**\n\n", text(&summary.verdict.line)));
    }
    bullets(&summary.verdict.reasons, |reason| text(reason), page);
    let counts = &summary.counts;
    page.always(&format!(
        "For {}. {} objects → {}: {} added, {} removed, {} changed, {} unchanged.\n",
        text(&super::text::target(&summary.target)),
        counts.old,
        counts.new,
        counts.added,
        counts.removed,
        counts.changed,
        counts.unchanged
    ));
    let unchecked = &summary.verdict.not_checked;
    if !unchecked.is_empty() {
        page.always(&format!("\n### Not checked ({})\n\n", unchecked.len()));
        let said = |one: &NotChecked| {
            let next = if one.next.is_empty() { String::new() } else { format!("; {}", text(&one.next)) };
            format!("{}: {}{next}", text(&one.what), text(&one.why))
        };
        bullets(unchecked, said, page);
    }
}

fn bullets<T>(all: &[T], said: impl Fn(&T) -> String, page: &mut Page) {
    let shown = all.iter().take(LIST).take_while(|one| page.fits(&format!("- {}\n", said(one)))).count();
    if shown < all.len() {
        page.always(&format!("- … {} more\n", all.len() - shown));
    }
    if !all.is_empty() {
        page.always("\n");
    }
}

/// Sections whose items say what became of what are tables, the others lists.
fn is_table(section: &Section) -> bool {
    let may = matches!(section.id, SectionId::Overrides | SectionId::Versions | SectionId::Network);
    may && section.items.iter().any(|item| item.before.is_some() || item.after.is_some())
}

fn one(section: &Section, page: &mut Page) {
    let table = is_table(section);
    page.always(&format!("\n### {} ({})\n\n", section.id.title(), section.items.len()));
    let header = if table { "| | what | field | before | after |\n| --- | --- | --- | --- | --- |\n" } else { "" };
    let line = |item: &Item| if table { row(item) } else { bullet(item) };
    page.always(header);
    let (open, folded) = section.items.split_at(section.items.len().min(OPEN));
    let mut shown = open.iter().take_while(|item| page.fits(&line(item))).count();
    if !folded.is_empty() && !page.full {
        page.always(&format!("\n<details><summary>{} more: {}</summary>\n\n{header}", folded.len(), weights(folded.iter())));
        shown += folded.iter().take_while(|item| page.fits(&line(item))).count();
        page.always("\n</details>\n");
    }
    let rest = &section.items[shown..];
    if !rest.is_empty() {
        let left = format!(
            "{} more ({}) do not fit here: `groundswell chart diff … --section {}`",
            rest.len(),
            weights(rest.iter()),
            slug(section.id)
        );
        page.always(&format!("\n… {left}\n"));
    }
}

fn bullet(item: &Item) -> String {
    let (glyph, word, _) = weight(item.weight);
    let mut lines = vec![format!("- {glyph} **{word}** {}", sentence(item, false))];
    let field = item.path.as_deref().filter(|path| !path.is_empty()).map(|path| code(path, false));
    let said = match (&item.before, &item.after) {
        (None, None) => None,
        (Some(before), None) => Some(format!("was {}", value(before, false))),
        (None, Some(after)) => Some(format!("now {}", value(after, false))),
        (Some(before), Some(after)) => Some(format!("{} → {}", value(before, false), value(after, false))),
    };
    let place: Vec<String> = field.into_iter().chain(said).collect();
    if !place.is_empty() {
        lines.push(place.join(": "));
    }
    lines.extend(item.next.as_deref().map(|next| advice(next, false)));
    lines.push(from(item, false));
    lines.join("<br>\n  ") + "\n"
}

fn row(item: &Item) -> String {
    let mut what = sentence(item, true);
    if let Some(next) = &item.next {
        what.push_str(&format!("<br>{}", advice(next, true)));
    }
    what.push_str(&format!("<br>{}", from(item, true)));
    let (glyph, word, _) = weight(item.weight);
    let field = item.path.as_deref().filter(|path| !path.is_empty()).map(|path| code(path, true)).unwrap_or_default();
    let cell = |side: &Option<Value>| side.as_ref().map(|side| value(side, true)).unwrap_or_default();
    format!("| {glyph}&nbsp;**{word}** | {what} | {field} | {} | {} |\n", cell(&item.before), cell(&item.after))
}

/// A command can be copied as it is.
fn advice(next: &str, table: bool) -> String {
    format!("next: {}", if is_command(next) { code(next, table) } else { text(next) })
}

/// Objects, and what is said about them.
fn sentence(item: &Item, table: bool) -> String {
    let all = objects(item);
    let more = if all.len() > NAMES { format!(" and {} more", all.len() - NAMES) } else { String::new() };
    let of = if all.is_empty() { String::new() } else { format!("{}{more}: ", names(&all, NAMES, table)) };
    format!("{of}{}", text(&item.what))
}

fn names(all: &[&ObjectRef], most: usize, table: bool) -> String {
    all.iter().take(most).map(|object| code(&object.to_string(), table)).collect::<Vec<_>>().join(", ")
}

/// How it is known. What is folded stays in this line: one that began with the fold would be HTML to its end.
fn from(item: &Item, table: bool) -> String {
    let at = safe(&item.from.at);
    let at = if at.is_empty() { String::new() } else { format!(" {}", code(&at, table)) };
    let known = format!("<sub>{}{at}</sub>", evidence(item.from.kind));
    let all = objects(item);
    if all.len() <= NAMES {
        return known;
    }
    let more = if all.len() > ALL_NAMES { format!(" and {} more", all.len() - ALL_NAMES) } else { String::new() };
    format!("{known} <details><summary>all {}</summary>{}{more}</details>", all.len(), names(&all, ALL_NAMES, table))
}

fn noise(summary: &Summary, page: &mut Page) {
    let noise = &summary.noise;
    if noise.objects > 0 {
        let both = summary.counts.changed + summary.counts.unchanged;
        page.always(&format!(
            "\n<details><summary>Noise: {} of {both} objects that are in both differ in nothing of substance</summary>\n\n",
            noise.objects
        ));
        for kind in &noise.kinds {
            page.always(&format!("- {}: {}\n", word::noise(kind.kind), kind.objects));
        }
        page.always("\n</details>\n");
    }
    if !noise.random.is_empty() {
        page.always("\nAnother in each render:\n\n");
        bullets(&noise.random, |field| code(field, false), page);
    }
}

fn value(value: &Value, table: bool) -> String {
    code(&cut(&plain(value), VALUE), table)
}

/// Text of a chart as text: no markup, no HTML, nobody mentioned, no issue linked.
fn text(raw: &str) -> String {
    let raw = cut(&safe(raw), TEXT);
    let mut escaped = String::with_capacity(raw.len() + 16);
    let mut chars = raw.chars().peekable();
    while let Some(c) = chars.next() {
        match c {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '\\' | '`' | '*' | '_' | '[' | ']' | '|' | '~' | '$' => escaped.extend(['\\', c]),
            '@' => escaped.push_str("@<!-- -->"),
            '#' if chars.peek().is_some_and(char::is_ascii_digit) => escaped.push_str("#<!-- -->"),
            c => escaped.push(c),
        }
    }
    escaped
}

/// Text of a chart as code, behind more backticks than it has itself.
fn code(raw: &str, table: bool) -> String {
    let raw = cut(&safe(raw), TEXT);
    let longest = raw.split(|c| c != '`').map(str::len).max().unwrap_or(0);
    let fence = "`".repeat(longest + 1);
    let pad = if raw.is_empty() || raw.starts_with('`') || raw.ends_with('`') { " " } else { "" };
    let inner = if table { raw.replace('|', "\\|") } else { raw };
    format!("{fence}{pad}{inner}{pad}{fence}")
}

#[cfg(test)]
mod tests {
    use super::super::sample;
    use super::*;
    use groundswell_change::summary::Weight;

    #[test]
    fn a_review_reads_like_this() {
        insta::assert_snapshot!(markdown(&sample::blocked(), &[]), @"
        ## ✗ blocked: beacon 1.0.0 → 2.0.0 (application 1 → 2)

        **A plain upgrade would be refused: 1 immutable field changes.**

        - StatefulSet/demo/beacon: spec.serviceName cannot change

        For release beacon in demo, Kubernetes 1.36.3 (from --kube-version), values values.yaml. 12 objects → 13: 2 added, 1 removed, 3 changed, 8 unchanged.

        ### Not checked (1)

        - objects in the cluster: no cluster was asked; add --cluster


        ### Blockers (1)

        - ✗ **stop** `StatefulSet/demo/beacon`: Kubernetes refuses a change of this field<br>
          `spec.serviceName`: `beacon` → `beacon-headless`<br>
          next: `kubectl -n demo delete statefulset beacon --cascade=orphan`<br>
          <sub>render `beacon/templates/sts.yaml`</sub>

        ### Versions and images (1)

        | | what | field | before | after |
        | --- | --- | --- | --- | --- |
        | ·&nbsp;**know** | `StatefulSet/demo/beacon`, `Deployment/demo/one`, `Deployment/demo/two`: image of container beacon<br><sub>render `beacon/templates/sts.yaml`</sub> | `image` | `registry.example/beacon:1` | `registry.example/beacon:2` |

        ### RBAC (9)

        - ~ **look** `ClusterRole/beacon`: may now list thing0<br>
          <sub>render `beacon/templates/role.yaml`</sub>
        - · **know** `ClusterRole/beacon`: may now list thing1<br>
          <sub>render `beacon/templates/role.yaml`</sub>
        - · **know** `ClusterRole/beacon`: may now list thing2<br>
          <sub>render `beacon/templates/role.yaml`</sub>
        - · **know** `ClusterRole/beacon`: may now list thing3<br>
          <sub>render `beacon/templates/role.yaml`</sub>
        - · **know** `ClusterRole/beacon`: may now list thing4<br>
          <sub>render `beacon/templates/role.yaml`</sub>
        - · **know** `ClusterRole/beacon`: may now list thing5<br>
          <sub>render `beacon/templates/role.yaml`</sub>
        - · **know** `ClusterRole/beacon`: may now list thing6<br>
          <sub>render `beacon/templates/role.yaml`</sub>
        - · **know** `ClusterRole/beacon`: may now list thing7<br>
          <sub>render `beacon/templates/role.yaml`</sub>

        <details><summary>1 more: 1 know</summary>

        - · **know** `ClusterRole/beacon`: may now list thing8<br>
          <sub>render `beacon/templates/role.yaml`</sub>

        </details>

        Nothing in: Steps, Your overrides, CRDs, Workloads that restart, Ports and storage, Alerts and rules, Hooks, Other objects, Upgrade notes.

        <details><summary>Noise: 7 of 11 objects that are in both differ in nothing of substance</summary>

        - labels that carry the version: 7

        </details>

        Another in each render:

        - `Secret/demo/beacon data.password`
        ");
    }

    #[test]
    fn of_many_objects_a_few_are_named_and_all_are_behind_a_fold() {
        let mut summary = sample::blocked();
        let item = &mut summary.sections[0].items[0];
        let object = item.object.clone().unwrap();
        item.objects = (0..5).map(|n| ObjectRef { name: format!("b{n}"), ..object.clone() }).collect();
        item.object = item.objects.first().cloned();
        let text = markdown(&summary, &[]);
        let (named, all) =
            ("`StatefulSet/demo/b0`, `StatefulSet/demo/b1`, `StatefulSet/demo/b2`", "`StatefulSet/demo/b3`, `StatefulSet/demo/b4`");
        assert!(text.contains(&format!("**stop** {named} and 2 more: Kubernetes refuses")), "{text}");
        assert!(text.contains(&format!("</sub> <details><summary>all 5</summary>{named}, {all}</details>\n")), "{text}");
        assert!(!text.lines().any(|line| line.trim_start().starts_with("<details><summary>all")), "{text}");
    }

    #[test]
    fn a_table_has_something_in_its_columns() {
        let mut summary = sample::blocked();
        for section in &mut summary.sections {
            for item in &mut section.items {
                (item.before, item.after) = (None, None);
            }
        }
        assert!(markdown(&sample::blocked(), &[]).contains("| before | after |"));
        assert!(!markdown(&summary, &[]).contains("| before | after |"));
    }

    #[test]
    fn a_chart_writes_no_markup() {
        let mut summary = sample::blocked();
        let evil = "</details><script>x</script> [a](http://b) **c** `d` | e | @team #12 \n# f";
        let item = &mut summary.sections[0].items[0];
        item.what = evil.into();
        item.path = Some("a`b``c|d".into());
        item.next = Some(evil.into());
        summary.sections[3].items[0].path = Some("`|<b>`".into());
        summary.verdict.reasons = vec![evil.into()];
        let text = markdown(&summary, &[]);
        assert!(!text.contains("<script") && !text.contains("[a](") && !text.contains("@team") && !text.contains("#12"), "{text}");
        assert!(text.contains("```a`b``c|d```"), "{text}");
        assert!(text.contains(r"`` `\|<b>` ``"), "{text}");
        assert_eq!(text.matches("</details>").count(), text.matches("<details>").count());
        assert!(text.lines().all(|line| !line.starts_with("# f")), "{text}");
    }

    #[test]
    fn it_fits_into_a_comment_and_says_what_is_left_out() {
        let mut summary = sample::blocked();
        for section in &mut summary.sections {
            let mut item = sample::blocked().sections[0].items[0].clone();
            item.weight = Weight::Know;
            item.what = "<".repeat(2_000);
            section.items = vec![item; 400];
        }
        summary.verdict.reasons = vec!["&".repeat(900); 500];
        let text = markdown(&summary, &[]);
        assert!(text.len() <= LIMIT, "{}", text.len());
        assert!(text.contains("### Upgrade notes (400)") && text.contains("--section notes"), "{}", &text[text.len() - 2_000..]);
        assert_eq!(text.matches("</details>").count(), text.matches("<details>").count());
    }
}
