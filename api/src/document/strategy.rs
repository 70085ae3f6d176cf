//! Reads the `spec` of a `Strategy`.

use super::problem::Report;
use super::read::{Fields, cut};
use super::tree::{Kind, Node};
use super::types::{At, EachSpec, Limits, StrategySpec, WaveSpec};
use groundswell_core::limit::Limit;
use groundswell_core::strategy::{OnFailedInstall, OnFailure, Unmatched};
use groundswell_core::time::Span;

pub(super) const SPEC_FIELDS: &[&str] = &["waves", "each", "onFailure", "onFailedInstall", "unmatched"];
pub(super) const WAVE_FIELDS: &[&str] =
    &["name", "selector", "maxConcurrent", "failureBudget", "minAvailable", "bake", "approval", "mayBeEmpty", "canaryMayBeOwed"];
pub(super) const EACH_FIELDS: &[&str] =
    &["deadline", "failureBudget", "maxConcurrent", "minAvailable", "bake", "offlineAfter", "relapseAfter", "gates"];
pub(super) const READY_FIELDS: &[&str] = &["for"];
/// As many as a rollout's record bears with its evidence (`core::rollout::MAX_EVIDENCE`).
const MAX_WAVES: usize = 31;
/// Gates of the design that this release does not have.
const LATER_GATES: &[&str] = &["helmTest", "http", "prometheus", "webhook"];

pub(super) fn spec(report: &mut Report<'_>, node: &Node, place: &str) -> Option<StrategySpec> {
    let fields = Fields::open(report, node, place, SPEC_FIELDS)?;
    let waves = fields.get("waves").map(|n| waves(report, n, &fields.path("waves"))).unwrap_or_default();
    let each = fields.get("each").map(|n| each(report, n, &fields.path("each"))).unwrap_or_default();
    let failure = [("halt", OnFailure::Halt), ("rollbackFailed", OnFailure::RollbackFailed), ("rollbackAll", OnFailure::RollbackAll)];
    let install = [("keep", OnFailedInstall::Keep), ("uninstall", OnFailedInstall::Uninstall)];
    let unmatched = [("refuse", Unmatched::Refuse), ("lastWave", Unmatched::LastWave)];
    let spec = StrategySpec {
        waves,
        each,
        on_failure: fields.get("onFailure").and_then(|n| report.one_of(n, &fields.path("onFailure"), &failure)),
        on_failed_install: fields.get("onFailedInstall").and_then(|n| report.one_of(n, &fields.path("onFailedInstall"), &install)),
        unmatched: fields.get("unmatched").and_then(|n| report.one_of(n, &fields.path("unmatched"), &unmatched)),
    };
    Some(spec)
}

fn waves(report: &mut Report<'_>, node: &Node, place: &str) -> Vec<WaveSpec> {
    let items = report.list(node, place);
    if items.is_empty() && matches!(node.kind, Kind::List(_)) {
        report.add(
            node.at,
            format!("`{place}` is empty"),
            "no cluster would ever go",
            "leave it out for one wave of all clusters, one at a time",
        );
    }
    if items.len() > MAX_WAVES {
        report.add(
            node.at,
            format!("`{place}` has more than {MAX_WAVES} waves"),
            "the record of a rollout bears no more",
            "join some of them",
        );
    }
    let waves: Vec<WaveSpec> =
        items.iter().take(MAX_WAVES).enumerate().filter_map(|(n, item)| wave(report, item, &format!("{place}[{n}]"), n == 0)).collect();
    for (n, wave) in waves.iter().enumerate() {
        if let Some(first) = waves[..n].iter().find(|earlier| earlier.name == wave.name) {
            let why = format!("the other one is on line {}; approvals name a wave", first.name.at.line);
            report.add(wave.name.at, format!("two waves are named `{}`", wave.name.as_str()), why, "give one of them another name");
        }
    }
    waves
}

fn wave(report: &mut Report<'_>, node: &Node, place: &str, first: bool) -> Option<WaveSpec> {
    let fields = Fields::open(report, node, place, WAVE_FIELDS)?;
    let name = fields.require(report, "name", "what the wave is called").and_then(|n| report.parsed(n, &fields.path("name")));
    let example = "which clusters; `\"\"` is all that no earlier wave took";
    let selector = fields.require(report, "selector", example).and_then(|n| report.parsed(n, &fields.path("selector")));
    let mut limits = limits(report, &fields);
    limits.approval = fields.get("approval").and_then(|n| approval(report, n, &fields.path("approval")));
    let flag = |report: &mut Report<'_>, name: &str| fields.get(name).and_then(|n| report.flag(n, &fields.path(name))).unwrap_or(false);
    let (may_be_empty, canary_may_be_owed) = (flag(report, "mayBeEmpty"), flag(report, "canaryMayBeOwed"));
    if canary_may_be_owed
        && !first
        && let Some(node) = fields.get("canaryMayBeOwed")
    {
        report.add(
            node.at,
            "`canaryMayBeOwed` stands in a later wave",
            "only the first wave is the canary; later ones may always be owed",
            "take it out",
        );
    }
    Some(WaveSpec { name: name?, selector: selector?, limits, may_be_empty, canary_may_be_owed })
}

fn approval(report: &mut Report<'_>, node: &Node, place: &str) -> Option<bool> {
    report.one_of(node, place, &[("required", true), ("none", false)])
}

fn limits(report: &mut Report<'_>, fields: &Fields<'_>) -> Limits {
    let limit = |report: &mut Report<'_>, name: &str| fields.get(name).and_then(|n| report.parsed::<Limit>(n, &fields.path(name)));
    let max_concurrent = limit(report, "maxConcurrent");
    if let Some(zero) = max_concurrent.filter(|limit| matches!(limit.value, Limit::Count(0) | Limit::Percent(0))) {
        report.add(
            zero.at,
            format!("`{}` is 0", fields.path("maxConcurrent")),
            "0 means zero: no cluster would ever go",
            "write 1 or more, a percentage, or `none`",
        );
    }
    let failure_budget = limit(report, "failureBudget");
    if let Some(all) = failure_budget.filter(|limit| limit.value == Limit::Percent(100)) {
        let what = format!("`{}` is as large as its wave", fields.path("failureBudget"));
        report.add(all.at, what, "it would never stop anything", "write less, or `none` to say so in words");
    }
    let min_available = limit(report, "minAvailable");
    let bake = fields.get("bake").and_then(|n| report.span(n, &fields.path("bake")));
    Limits { max_concurrent, failure_budget, min_available, bake, approval: None }
}

fn each(report: &mut Report<'_>, node: &Node, place: &str) -> EachSpec {
    let Some(fields) = Fields::open(report, node, place, EACH_FIELDS) else { return EachSpec::default() };
    let span = |report: &mut Report<'_>, name: &str| fields.get(name).and_then(|n| report.span(n, &fields.path(name)));
    let mut each = EachSpec {
        limits: limits(report, &fields),
        deadline: span(report, "deadline"),
        ready_for: None,
        offline_after: span(report, "offlineAfter"),
        relapse_after: span(report, "relapseAfter"),
    };
    if let Some(gates) = fields.get("gates") {
        for gate in report.list(gates, &fields.path("gates")) {
            one_gate(report, gate, &mut each);
        }
    }
    if let Some(zero) = each.deadline.filter(|deadline| deadline.value == Span::ZERO) {
        report.add(zero.at, "`deadline` is 0", "every cluster would time out at once", "write for example `15m`");
    }
    if let (Some(deadline), Some(ready)) = (each.deadline, each.ready_for)
        && ready.value >= deadline.value
    {
        let why = format!("a cluster must be ready for {}, and times out after {}", ready.value, deadline.value);
        report.add(ready.at, "no cluster could ever be done", why, "make `deadline` longer, or the time of gate `ready` shorter");
    }
    each
}

/// A gate is its name alone, or a map of its name to its settings.
fn one_gate(report: &mut Report<'_>, node: &Node, each: &mut EachSpec) {
    let (name, at, settings) = match &node.kind {
        Kind::Scalar { text, .. } => (text.as_str(), node.at, None),
        Kind::Map { entries, .. } => match entries.as_slice() {
            [(key, value)] => match &key.kind {
                Kind::Scalar { text, .. } => (text.as_str(), key.at, Some(value).filter(|value| !value.is_null())),
                _ => return report.add(key.at, "a gate has a name", "", "write `- ready: {for: 30s}`"),
            },
            _ => return report.add(node.at, "a gate is one name with its settings", "", "begin each gate with `- `"),
        },
        _ => {
            return report.add(
                node.at,
                "a gate is a name with its settings",
                format!("this is {}", node.called()),
                "write `- ready: {for: 30s}`",
            );
        }
    };
    match name {
        "ready" if each.ready_for.is_some() => report.add(at, "gate `ready` stands here twice", "", "take one of them out"),
        "ready" => each.ready_for = settings.and_then(|node| ready(report, node)),
        "approval" if settings.is_none() => each.limits.approval = Some(true),
        "approval" => each.limits.approval = settings.and_then(|node| approval(report, node, "gates.approval")),
        later if LATER_GATES.contains(&later) => {
            let hint = "take it out; `ready` and `approval` are there now";
            report.add(at, format!("gate `{later}` comes in a later release"), "this server could not hold to it", hint);
        }
        other => report.add(at, format!("gate `{}` is not known", cut(other)), "", "write `ready` or `approval`"),
    }
}

fn ready(report: &mut Report<'_>, node: &Node) -> Option<At<Span>> {
    let fields = Fields::open(report, node, "gates.ready", READY_FIELDS)?;
    fields.get("for").and_then(|n| report.span(n, "gates.ready.for"))
}
