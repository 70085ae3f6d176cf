//! A way between versions, as people read it.

use crate::command::path::proof::{Apis, Proof};
use crate::output::clean;
use anstyle::{AnsiColor, Effects, Style};
use groundswell_change::path::{
    Blocking, Chore, ClusterUpgrade, DiffClaim, Finding, FindingCode, Hop, MinorStop, NoRoute, Origin, Problem, Reason, Route, Rule,
    RuleSet, Seen, Step,
};
use std::collections::{BTreeMap, BTreeSet};
use textwrap::{Options, WordSeparator, WordSplitter};

const BOLD: Style = Style::new().effects(Effects::BOLD);
const DIM: Style = Style::new().effects(Effects::DIMMED);
const HELD: Style = AnsiColor::Yellow.on_default();
const BAD: Style = AnsiColor::Red.on_default().effects(Effects::BOLD);

/// Rules that are named for one step; `-o json` has all.
const RULES: usize = 3;
/// What prints the kinds that a cluster serves.
const KINDS: &str = "kubectl api-resources --no-headers | awk '{print $(NF-2) \"/\" $NF}'";
/// Columns before what belongs to a hop.
const INDENT: &str = "      ";

/// Lines of at most so many columns.
struct Page {
    text: String,
    width: usize,
    /// Rules whose reason and source stand above.
    told: BTreeSet<String>,
}

impl Page {
    fn new(width: usize) -> Self {
        Self { text: String::new(), width: width.max(40), told: BTreeSet::new() }
    }

    /// A paragraph that begins with `first` and goes on under it.
    fn add(&mut self, first: &str, rest: &str, style: Style, text: &str) {
        let options = Options::new(self.width)
            .initial_indent(first)
            .subsequent_indent(rest)
            .word_separator(WordSeparator::AsciiSpace)
            .word_splitter(WordSplitter::NoHyphenation)
            // What is to be copied stays in one piece, even where that makes a line longer.
            .break_words(false);
        for line in textwrap::wrap(&clean(text), options) {
            let bare = line.trim_start();
            let indent = &line[..line.len() - bare.len()];
            self.text.push_str(&format!("{indent}{style}{}{style:#}\n", bare.trim_end()));
        }
    }

    fn gap(&mut self) {
        self.text.push('\n');
    }
}

/// The way; `unproved` hops of it were to be rendered, and could not be.
pub(crate) fn route(route: &Route, unproved: usize, width: usize) -> String {
    let mut page = Page::new(width);
    let hops = route.hops.len();
    let count = |n: usize, one: &str, many: &str| if n == 1 { format!("1 {one}") } else { format!("{n} {many}") };
    let head = if hops == 0 {
        format!("{}: nothing to do", route.to)
    } else {
        let hand = count(route.manual_steps, "step by hand", "steps by hand");
        format!("{} → {}: {}, {hand}", route.from, route.to, count(hops, "hop", "hops"))
    };
    let missed = if unproved > 0 { format!(", {} not rendered", count(unproved, "hop", "hops")) } else { String::new() };
    let blocked: Vec<String> = route.blocked_at().iter().map(ToString::to_string).collect();
    match blocked.as_slice() {
        [] => page.add("", "  ", BOLD, &format!("{head}{missed}")),
        hops => {
            let word = if hops.len() == 1 { "hop" } else { "hops" };
            page.add("", "  ", BAD, &format!("{head}{missed}, BLOCKED at {word} {}", hops.join(", ")));
        }
    }
    // It has to be known before the first hop.
    let unsupported = route.findings.iter().find(|finding| finding.code == FindingCode::KubernetesUnsupported);
    if let Some(finding) = unsupported {
        page.add(" !  ", "    ", HELD, &finding.words);
    } else if let Some(version) = &route.kubernetes {
        page.add("  ", "  ", Style::new(), &format!("the cluster runs Kubernetes {version}"));
    } else if let Some(range) = &route.kubernetes_assumed {
        let text = format!("assumed: the cluster runs Kubernetes {range} to begin with; say what it runs with --kube-version");
        page.add("  ", "  ", HELD, &text);
    }
    let (mut here, mut back) = (&route.from, &route.from);
    for hop in &route.hops {
        page.gap();
        if let Some(upgrade) = &hop.cluster_upgrade {
            let from = upgrade.from.as_ref().map(|range| format!("from {range} ")).unwrap_or_default();
            let text = format!("Upgrade Kubernetes {from}to {}, one minor after another, while at {here}", upgrade.to);
            page.add(" ▲  ", "    ", HELD, &text);
            because(&mut page, &upgrade.why);
            stops(&mut page, upgrade);
            page.gap();
        }
        one(&mut page, hop, back, &route.from);
        (here, back) = (&hop.stand, &hop.way_back_to);
    }
    findings(&mut page, route);
    page.text
}

/// What was rendered to prove it.
pub(crate) fn proof(proof: &Proof, width: usize) -> String {
    let mut page = Page::new(width);
    if proof.0.is_empty() {
        return page.text;
    }
    page.gap();
    page.add("", "", BOLD, "Rendered");
    for (words, command) in doubts(proof) {
        page.add("  ? ", "    ", HELD, words);
        // It is to be copied.
        command.into_iter().for_each(|command| page.text.push_str(&format!("    {command}\n")));
    }
    let bent = proof.0.iter().any(|tried| tried.taken);
    // What a chart says of Kubernetes is seen in two steps: from it, and to it.
    let mut told = BTreeSet::new();
    for tried in &proof.0 {
        let kubernetes = tried.kubernetes.as_ref().map(|version| format!(", Kubernetes {version}")).unwrap_or_default();
        let left = if tried.taken || !bent { "" } else { ", which the path does not take" };
        let step = format!("{} → {}{kubernetes}{left}", tried.from, tried.to);
        if let Some(why) = &tried.why_not {
            page.add("  ? ", "    ", HELD, &format!("{step}: not rendered: {why}"));
            continue;
        }
        page.add("  - ", "    ", Style::new(), &step);
        if tried.seen.is_empty() {
            page.add(INDENT, INDENT, DIM, "nothing that rules are about");
        }
        for seen in tried.seen.iter().filter(|seen| !matches!(seen, Seen::KubeVersion { .. }) || told.insert(seen.to_string())) {
            let words = match seen {
                // The hop has it in full.
                Seen::Asks(claim) if tried.taken => format!("{}: a step of the hop", claim.code),
                Seen::Blocks(claim) if tried.taken => format!("{}: the hop is blocked", claim.code),
                seen => seen.to_string(),
            };
            page.add(INDENT, INDENT, Style::new(), &words);
        }
    }
    page.text
}

/// What the renders were not told, and what that may have done to them; with a command where one helps.
pub(crate) fn doubts(proof: &Proof) -> Vec<(&'static str, Option<&'static str>)> {
    let rendered = || proof.0.iter().filter(|tried| tried.why_not.is_none());
    let told = |some: &[Apis]| rendered().any(|tried| some.contains(&tried.apis));
    let (later, later_bare) = (Apis::OfAnother { kinds: true }, Apis::OfAnother { kinds: false });
    let mut doubts = Vec::new();
    if told(&[Apis::NotGiven]) {
        doubts.push((
            "which APIs the cluster serves was not given (--api-versions FILE): charts that ask saw helm's built-in list, which has \
             no kinds and nothing of CRDs, and what a hop is blocked for may come from that",
            None,
        ));
    }
    if told(&[Apis::NoKinds, later_bare]) {
        doubts.push((
            "--api-versions names no group/version/Kind, and helm's own list has none: charts that ask for a kind did not find it, and \
             what a hop is blocked for may come from that; add what this prints:",
            Some(KINDS),
        ));
    }
    if told(&[later, later_bare]) {
        doubts.push((
            "--api-versions is of the cluster before it is upgraded: for the hops after that, kinds that Kubernetes is known to remove \
             gave way to what takes their place, and others that come or go are not known; what a hop is blocked for may come from that",
            None,
        ));
    }
    let unknown = || rendered().filter(|tried| tried.kubernetes.is_none());
    if unknown().any(|tried| tried.apis == Apis::NotGiven) {
        doubts.push(("what the cluster runs was not given (--kube-version): APIs that Kubernetes removed were not looked at", None));
    } else if unknown().next().is_some() {
        doubts
            .push(("what the cluster runs was not given (--kube-version): which APIs it lacks is known from --api-versions at most", None));
    }
    doubts
}

fn one(page: &mut Page, hop: &Hop, back: &groundswell_change::path::Stand, from: &groundswell_change::path::Stand) {
    page.add(&format!("{:>2}  ", hop.number), "    ", BOLD, &hop.stand.to_string());
    if !hop.why.is_empty() {
        page.add("    ", "    ", Style::new(), "why stop here:");
        because(page, &hop.why);
    }
    blockers(page, &hop.blockers);
    let mut number = 0;
    for (label, chores) in [("before:", &hop.before), ("after:", &hop.after)] {
        if !chores.is_empty() {
            page.add("    ", "    ", Style::new(), label);
        }
        for chore in chores {
            number += 1;
            page.add(&format!("{INDENT}{number}. "), &format!("{INDENT}   "), Style::new(), &chore.words);
            if let Step::ChartDiff(claim) = &chore.step {
                further(page, claim, &format!("{INDENT}   "));
            }
            page.add(&format!("{INDENT}   "), &format!("{INDENT}   "), DIM, &asked(chore));
            if let Some(words) = &chore.contradicted {
                page.add(&format!("{INDENT}   "), &format!("{INDENT}   "), HELD, &format!("the renders do not bear this out: {words}"));
            }
        }
    }
    if !hop.tests.is_empty() {
        page.add("    ", "    ", Style::new(), "tested:");
        hop.tests.iter().for_each(|test| page.add(&format!("{INDENT}- "), &format!("{INDENT}  "), Style::new(), &test.words));
    }
    if hop.no_way_back.is_empty() && hop.way_back_to == *back {
        let far = if hop.way_back_to == *from { format!("to {from}, where it began") } else { format!("to {}", hop.way_back_to) };
        page.add("    ", "    ", Style::new(), &format!("way back: {far}"));
    } else {
        let end =
            if hop.way_back_to == hop.stand { "none from here on".to_owned() } else { format!("only to {} from here on", hop.way_back_to) };
        page.add("    ", "    ", HELD, &format!("way back: {end}"));
        because(page, &hop.no_way_back);
    }
    hop.going_back.iter().for_each(|words| page.add(&format!("{INDENT}- "), &format!("{INDENT}  "), Style::new(), words));
}

/// What is done while the cluster goes from minor to minor. Minors that it may never come by are only named.
fn stops(page: &mut Page, upgrade: &ClusterUpgrade) {
    let (told, rest): (Vec<&MinorStop>, Vec<&MinorStop>) = upgrade.stops.iter().partition(|stop| stop.certain || !stop.steps.is_empty());
    for stop in told {
        let maybe = if stop.certain { "" } else { ", if the cluster comes by" };
        page.add("    ", "    ", Style::new(), &format!("on {}, before {}{maybe}:", stop.on, stop.before));
        for (index, words) in stop.words(&upgrade.at).iter().enumerate() {
            page.add(&format!("{INDENT}{}. ", index + 1), &format!("{INDENT}   "), Style::new(), words);
            let source = stop.steps.get(index).map(asked);
            // Steps of one rule have one reason, under the last of them.
            if let Some(source) = source.filter(|source| stop.steps.get(index + 1).map(asked).as_ref() != Some(source)) {
                let note = stop.steps[index].why.iter().find_map(|reason| reason.note.as_ref());
                note.into_iter().for_each(|note| page.add(&format!("{INDENT}   "), &format!("{INDENT}   "), Style::new(), note));
                page.add(&format!("{INDENT}   "), &format!("{INDENT}   "), DIM, &source);
            }
        }
    }
    if !rest.is_empty() {
        let minors = rest.iter().map(|stop| stop.before.as_str()).collect::<Vec<_>>().join(", ");
        page.add("    ", "    ", Style::new(), &format!("in the same way before {minors}, if the cluster comes by"));
    }
}

/// What stops a hop.
fn blockers(page: &mut Page, blockers: &[DiffClaim]) {
    for claim in blockers {
        page.add("    ✗ blocked: ", INDENT, BAD, &claim.words);
        further(page, claim, INDENT);
        page.add(INDENT, INDENT, DIM, &format!("[{}] as `groundswell chart diff` says of this hop", claim.code));
    }
}

/// Details of a claim, and what to do about it; a command stays in one line.
fn further(page: &mut Page, claim: &DiffClaim, indent: &str) {
    claim.detail.iter().for_each(|line| page.add(indent, indent, Style::new(), line));
    match &claim.next {
        Some(next) if DiffClaim::is_command(next) => page.text.push_str(&format!("{indent}{}\n", clean(next))),
        Some(next) => page.add(indent, indent, Style::new(), next),
        None => {}
    }
}

/// Reasons with their sources; what stands above is not said again.
fn because(page: &mut Page, why: &[Reason]) {
    for reason in why {
        page.add(&format!("{INDENT}- "), &format!("{INDENT}  "), Style::new(), &reason.words);
        if !page.told.insert(reason.rule.clone()) {
            page.add(&format!("{INDENT}  "), &format!("{INDENT}  "), DIM, &format!("[{}] as above", reason.rule));
            continue;
        }
        if let Some(note) = &reason.note {
            page.add(&format!("{INDENT}  "), &format!("{INDENT}  "), Style::new(), note);
        }
        page.add(&format!("{INDENT}  "), &format!("{INDENT}  "), DIM, &format!("[{}] {}", reason.rule, reason.source));
        for proof in &reason.proofs {
            let says = if proof.holds { "renders bear it out" } else { "renders contradict it" };
            page.add(&format!("{INDENT}  "), &format!("{INDENT}  "), DIM, &format!("{says}: {}", proof.detail));
        }
    }
}

/// The rules that ask for a step; the source where it is one.
fn asked(chore: &Chore) -> String {
    match chore.why.as_slice() {
        [one] if one.origin == Origin::Rendered => format!("[{}] no rule names it; found by {}", one.rule, one.source),
        [one] => format!("[{}] {}", one.rule, one.source),
        rules => {
            let named: Vec<&str> = rules.iter().take(RULES).map(|reason| reason.rule.as_str()).collect();
            let more = if rules.len() > RULES { format!(" and {} more", rules.len() - RULES) } else { String::new() };
            format!("[{}]{more}", named.join(", "))
        }
    }
}

fn findings(page: &mut Page, route: &Route) {
    let chores = || route.hops.iter().flat_map(|hop| hop.before.iter().chain(&hop.after));
    let above = |finding: &Finding| match finding.code {
        FindingCode::NothingToDo | FindingCode::KubernetesUnsupported => true,
        // A step says where it comes from.
        FindingCode::FoundByRendering => chores().any(|chore| finding.words.contains(&chore.words)),
        FindingCode::Refuted => chores().filter_map(|chore| chore.contradicted.as_ref()).any(|words| finding.words.ends_with(words)),
        _ => false,
    };
    let told = route.findings.iter().filter(|finding| !above(finding));
    for (index, finding) in told.enumerate() {
        if index == 0 {
            page.gap();
        }
        page.add(" !  ", "    ", HELD, &finding.words);
    }
}

/// Why there is no way.
pub(crate) fn no_route(error: &NoRoute, width: usize) -> String {
    let mut page = Page::new(width);
    let NoRoute::Blocked { from, to, by } = error else {
        page.add("", "  ", BAD, &format!("no path: {error}"));
        if matches!(error, NoRoute::NeverPublished { .. }) {
            let next =
                "where it was published after all, --versions CHART=FILE lists it, and what is in the folder of --charts counts, too";
            page.add("  ", "  ", Style::new(), next);
        }
        return page.text;
    };
    page.add("", "  ", BAD, &format!("no path from {from} to {to}"));
    let why = match by.len() {
        0 => "no rule leads from the one name to the other here",
        1 => "this rule stops it:",
        _ => "these rules stop it together; fewer of them would not:",
    };
    page.add("  ", "  ", Style::new(), why);
    for rule in by {
        page.add("  - ", "    ", Style::new(), &rule.words);
        if let Some(note) = &rule.note {
            page.add("    ", "    ", Style::new(), note);
        }
        page.add("    ", "    ", DIM, &format!("[{}] {}", rule.rule, rule.source));
    }
    if let Some(next) = next(by) {
        page.add("  ", "  ", Style::new(), &next);
    }
    page.text
}

/// What can be done about rules that stop a way. A shipped rule that another one makes impossible is not the one to disable.
fn next(by: &[Blocking]) -> Option<String> {
    let of =
        |origin: Origin| by.iter().filter(|rule| rule.origin == origin).map(|rule| rule.rule.as_str()).collect::<Vec<_>>().join(" or ");
    let (own, rendered) = (of(Origin::Operator), of(Origin::Rendered));
    match (own.is_empty(), rendered.is_empty(), by.is_empty()) {
        (_, _, true) => None,
        (false, ..) => Some(format!("mend or take out your own rule {own}; `groundswell path lint FILE` checks a file")),
        (_, false, _) => Some(format!(
            "{rendered} is what the rendered charts show, not a rule of a file; other --values or another --kube-version may render otherwise"
        )),
        _ => Some("where a rule does not hold for you, a file with `disable` and the reason says so (--rules FILE)".to_owned()),
    }
}

/// All rules, by chart.
pub(crate) fn rules(set: &RuleSet, width: usize) -> String {
    let mut charts: BTreeMap<&str, Vec<&Rule>> = BTreeMap::new();
    set.rules.iter().for_each(|rule| charts.entry(&rule.chart).or_default().push(rule));
    let mut page = Page::new(width);
    for (index, (name, rules)) in charts.iter().enumerate() {
        if index > 0 {
            page.gap();
        }
        let known = set.charts.get(*name).map_or(0, |chart| chart.versions.len());
        page.add("", "  ", BOLD, &format!("{name}: {} rules, {known} known versions", rules.len()));
        for rule in rules {
            page.add("  ", "    ", Style::new(), &format!("{}: {}", rule.id, rule.says()));
            page.add("    ", "    ", DIM, &rule.source);
        }
    }
    for (id, reason) in &set.disabled {
        page.add("  ", "    ", HELD, &format!("{id}: disabled, {reason}"));
    }
    page.text
}

/// What lint found, one line each, so that an editor can jump there.
pub(crate) fn problems(problems: &[Problem]) -> String {
    problems.iter().map(|problem| format!("{}: {}\n", clean(&problem.place.to_string()), clean(&problem.words))).collect()
}
