//! What rendered charts prove: that a rule holds, that it does not, or that one is missing.

use super::diffed::DiffClaim;
use super::graph::Stand;
use super::rule::{Denied, Object, Origin, Place, Proof, Rule, Step, takes};
use super::set::RuleSet;
use crate::constraint::{Constraint, Version};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::fmt;

/// Labels of an object.
pub type Labels = BTreeMap<String, String>;

/// Something seen when two versions were rendered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Evidence {
    /// The older version.
    pub from: Stand,
    /// The newer one.
    pub to: Stand,
    /// What was seen.
    pub seen: Seen,
    /// What was rendered, for people: charts, values, Kubernetes version.
    pub source: String,
}

/// What was seen between two versions.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", rename_all_fields = "camelCase")]
pub enum Seen {
    /// A field that cannot be changed differs, so that helm cannot upgrade the object.
    ImmutableField {
        /// The object.
        object: Object,
        /// Its labels as it was installed, by which a rule may mean it.
        #[serde(skip)]
        labels: Labels,
        /// Its fields.
        fields: Vec<String>,
        /// What `chart diff` says to do about it: keep the old value, or delete it, with or without its pods.
        before: Box<DiffClaim>,
        /// What is left to be removed after the upgrade.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        after: Option<Box<DiffClaim>>,
    },
    /// Another step by hand that `chart diff` asks for, or something that is lost without one.
    Asks(Box<DiffClaim>),
    /// What stops the upgrade, and no step helps.
    Blocks(Box<DiffClaim>),
    /// An object uses a field that the newer version's CRD has no more, or takes otherwise.
    CrdFieldRemoved {
        /// The field.
        field: String,
        /// The object that uses it.
        used_by: String,
    },
    /// Objects go while others of the same content come under another name.
    Replaced {
        /// How many.
        count: usize,
        /// A value (path, value) that keeps their names, as a render showed.
        keeps: Option<(String, String)>,
    },
    /// CRDs of the newer version differ, and helm does not upgrade them.
    CrdChanged {
        /// Their names.
        crds: Vec<String>,
    },
    /// The `kubeVersion` of one of the two charts.
    KubeVersion {
        /// Which.
        at: Stand,
        /// The range.
        range: Constraint,
    },
    /// A rule says that an object or value changes here, and nothing of the kind was seen.
    Refutes {
        /// The rule.
        rule: String,
        /// Which step of it.
        step: Step,
        /// What was looked at.
        detail: String,
    },
    /// A rule says that something changes here, and it was seen.
    Confirms {
        /// The rule.
        rule: String,
        /// What was seen.
        detail: String,
    },
}

/// CRDs that are named before the rest is counted.
const NAMED: usize = 2;

impl Seen {
    /// The CRDs that differ, in words.
    fn crds(&self) -> String {
        let Self::CrdChanged { crds } = self else { return String::new() };
        let more = crds.len().saturating_sub(NAMED);
        let first = crds[..crds.len() - more].join(" and ");
        if more > 0 { format!("{first} and {more} more") } else { first }
    }
}

impl fmt::Display for Seen {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::ImmutableField { object, fields, .. } => {
                write!(f, "{} of {object} changes, and cannot be changed in place", fields.join(", "))
            }
            Self::Asks(claim) => claim.fmt(f),
            Self::Blocks(claim) => write!(f, "blocked: {claim}"),
            Self::CrdFieldRemoved { field, used_by } => write!(f, "{used_by} sets {field}, which its new CRD does not take"),
            Self::Replaced { count, keeps: None } => write!(f, "{count} objects are replaced by others of another name"),
            Self::Replaced { count, keeps: Some((path, value)) } => {
                write!(f, "{count} objects are replaced by others of another name, unless {path} is {value}")
            }
            Self::CrdChanged { .. } => write!(f, "CRDs change: {}", self.crds()),
            Self::KubeVersion { at, range } => write!(f, "kubeVersion of {at} is {range}"),
            Self::Refutes { rule, detail, .. } => write!(f, "{detail}, against rule {rule}"),
            Self::Confirms { rule, detail } => write!(f, "{detail}, as rule {rule} says"),
        }
    }
}

/// Rules with what renders proved about them. What no rule names becomes a rule of its own, of [`Origin::Rendered`], which holds for
/// steps between the two versions that were rendered, and over both of them.
#[must_use]
pub fn apply_evidence(set: &RuleSet, evidence: &[Evidence]) -> RuleSet {
    let mut set = set.clone();
    for (index, one) in evidence.iter().enumerate() {
        let (named, detail) = judged(&set, one);
        let (mut borne_out, mut clean_up) = (false, true);
        // A selector may mean several objects, of which one alone needs it.
        let needed =
            |step: &Step| evidence.iter().any(|other| (&other.from, &other.to) == (&one.from, &one.to) && bears_out(&other.seen, step));
        for rule in set.rules.iter_mut().filter(|rule| named.contains(&rule.id)) {
            let denied: Vec<Step> = rule.before.iter().filter(|step| denies(&one.seen, step)).cloned().collect();
            let holds = denied.is_empty() && !matches!(one.seen, Seen::Refutes { .. });
            borne_out |= holds;
            let denies = |step: Step| Box::new(Denied { from: one.from.clone(), to: one.to.clone(), step });
            let contradicts = |step: Step| Proof { holds: false, detail: against(one), denies: Some(denies(step)) };
            let mut proofs: Vec<Proof> = denied.into_iter().filter(|step| !needed(step)).map(contradicts).collect();
            proofs.extend(holds.then(|| Proof { holds, detail: detail.clone(), denies: None }));
            for proof in proofs {
                if !rule.proofs.contains(&proof) {
                    rule.proofs.push(proof);
                }
            }
            // One that deletes the pods, too, leaves nothing behind.
            clean_up &= rule.after.is_empty() && rule.before.iter().any(|step| matches!(step, Step::DeleteOrphan(_)));
        }
        let missing = missing(one, index + 1);
        match &one.seen {
            // A rule that does it otherwise does not stand for it.
            _ if named.is_empty() => set.rules.extend(missing),
            Seen::ImmutableField { .. } if !borne_out => set.rules.extend(missing),
            Seen::ImmutableField { after: Some(_), .. } if clean_up => {
                set.rules.extend(missing.map(|rule| Rule { before: Vec::new(), ..rule }));
            }
            _ => {}
        }
    }
    set
}

/// Whether a step of a rule is not what was seen to be needed. Pods that a rule stops where they could run on are the more careful way.
fn denies(seen: &Seen, step: &Step) -> bool {
    match seen {
        Seen::Refutes { step: denied, .. } => denied == step,
        Seen::ImmutableField { .. } => deletes(seen, step) == Some(false),
        _ => false,
    }
}

/// Whether a step of a rule is what was seen to be needed.
fn bears_out(seen: &Seen, step: &Step) -> bool {
    deletes(seen, step) == Some(true)
}

/// Whether a step that deletes the object that was seen does it as it has to be done; none where it is about something else.
fn deletes(seen: &Seen, step: &Step) -> Option<bool> {
    let Seen::ImmutableField { object, labels, before, .. } = seen else { return None };
    match step {
        Step::DeleteOrphan(wanted) => means(wanted, object, labels).then(|| before.orphans()),
        Step::DeleteObject(wanted) => means(wanted, object, labels).then(|| before.recreates()),
        _ => None,
    }
}

/// What an evidence says against a rule.
fn against(evidence: &Evidence) -> String {
    let words = match &evidence.seen {
        Seen::ImmutableField { before, .. } => &before.words,
        Seen::Refutes { detail, .. } => detail,
        other => &other.to_string(),
    };
    format!("{words}, {}", between(evidence))
}

fn between(evidence: &Evidence) -> String {
    format!("{} → {} ({})", evidence.from, evidence.to, evidence.source)
}

/// The rules that an evidence is about, and what it says for them.
fn judged(set: &RuleSet, evidence: &Evidence) -> (Vec<String>, String) {
    let between = between(evidence);
    let ids = |fits: &dyn Fn(&Rule) -> bool| set.rules.iter().filter(|rule| fits(rule)).map(|rule| rule.id.clone()).collect();
    let own = |name: &str| ids(&|rule| rule.id == name);
    let asks = |step: &dyn Fn(&Step) -> bool| ids(&|rule| crosses(rule, &evidence.from, &evidence.to) && rule.before.iter().any(step));
    match &evidence.seen {
        Seen::Confirms { rule, detail } => (own(rule), format!("{detail}, {between}")),
        Seen::Refutes { rule, .. } => (own(rule), String::new()),
        Seen::ImmutableField { object, fields, .. } => {
            let deletes = |step: &Step| deletes(&evidence.seen, step).is_some();
            (asks(&deletes), format!("{object}: {} changes, {between}", fields.join(", ")))
        }
        Seen::CrdChanged { .. } => (asks(&|step| *step == Step::ApplyCrds), format!("new or changed: {}, {between}", evidence.seen.crds())),
        // Which field of which CRD no rule says; that is a finding in any case.
        Seen::CrdFieldRemoved { .. } | Seen::Asks(_) | Seen::Blocks(_) => (Vec::new(), String::new()),
        Seen::Replaced { keeps, .. } => {
            let sets = |step: &Step| matches!((step, keeps), (Step::SetValue { path, value }, Some(keeps)) if (path, value) == (&keeps.0, &keeps.1));
            (asks(&sets), format!("{}, {between}", evidence.seen))
        }
        Seen::KubeVersion { at, range } => {
            let says = |rule: &Rule| {
                let there = rule.chart == at.chart && takes(rule.to.as_ref(), &at.version);
                there && rule.needs_kubernetes.as_ref() == Some(range)
            };
            (ids(&says), format!("kubeVersion is {range}, {between}"))
        }
    }
}

/// Whether a step from the one version to the other falls under a rule.
pub(super) fn crosses(rule: &Rule, from: &Stand, to: &Stand) -> bool {
    let begins = if rule.from_chart == from.chart { takes(rule.from.as_ref(), &from.version) } else { rule.from_chart == to.chart };
    let ends = if rule.chart == to.chart { takes(rule.to.as_ref(), &to.version) } else { rule.chart == from.chart };
    begins && ends && rule.before_kubernetes.is_none()
}

fn means(wanted: &Object, seen: &Object, labels: &Labels) -> bool {
    is(wanted, &seen.kind, seen.name.as_deref().unwrap_or_default(), labels)
}

/// Whether a rule's object is the one that was seen, by its name or else by its labels.
pub(super) fn is(object: &Object, kind: &str, name: &str, labels: &Labels) -> bool {
    // How a release is called differs from one to the next.
    let says = |wanted: &str, found: &str| wanted.strip_prefix("RELEASE").map_or(found == wanted, |end| found.ends_with(end));
    let has = |pair: &str| {
        let (key, wanted) = pair.split_once('=').unwrap_or_default();
        labels.get(key.trim()).is_some_and(|found| says(wanted.trim_start_matches('=').trim(), found))
    };
    let named = object.name.as_deref().map(|wanted| says(wanted, name));
    object.kind == kind && named.or_else(|| object.selector.as_deref().map(|selector| selector.split(',').all(has))).unwrap_or(true)
}

/// The rule that is missing.
fn missing(evidence: &Evidence, number: usize) -> Option<Rule> {
    let range = |sign: &str, version: &Version| Constraint::parse(&format!("{sign}{}", version.normal())).ok();
    let mut rule = Rule {
        id: format!("rendered-{number}"),
        chart: evidence.to.chart.clone(),
        from_chart: evidence.from.chart.clone(),
        from: range("<=", &evidence.from.version),
        to: range(">=", &evidence.to.version),
        must_stop_at: None,
        skip: None,
        needs_kubernetes: None,
        before_kubernetes: None,
        before: Vec::new(),
        after: Vec::new(),
        no_way_back: None,
        tests: Vec::new(),
        source: format!("rendering {} and {}: {}", evidence.from, evidence.to, evidence.source),
        note: None,
        replaces: None,
        place: Place::default(),
        origin: Origin::Rendered,
        proofs: Vec::new(),
    };
    if rule.renames() {
        // Seen over a change of name, it is a matter of the newer chart; whether there is such a way is for others to say.
        (rule.from_chart, rule.from) = (rule.chart.clone(), None);
    }
    match &evidence.seen {
        Seen::ImmutableField { before, after, .. } => {
            rule.before = vec![Step::ChartDiff((**before).clone())];
            rule.after = after.iter().map(|claim| Step::ChartDiff((**claim).clone())).collect();
        }
        Seen::Asks(claim) => rule.before = vec![Step::ChartDiff((**claim).clone())],
        Seen::CrdFieldRemoved { field, used_by } => {
            rule.before = vec![Step::Text(format!("{used_by} sets {field}, which its new CRD does not take: change that first"))];
            rule.note = Some(evidence.seen.to_string());
        }
        Seen::Replaced { count, keeps } => {
            rule.before = vec![match keeps {
                Some((path, value)) => Step::SetValue { path: path.clone(), value: value.clone() },
                None => Step::Text(format!("find the value that keeps the names of {count} objects, or plan for their replacement")),
            }];
            rule.note = Some(evidence.seen.to_string());
        }
        Seen::CrdChanged { .. } => {
            rule.before = vec![Step::ApplyCrds];
            rule.note = Some(format!("{}: new or changed, and helm never upgrades a CRD", evidence.seen.crds()));
        }
        Seen::KubeVersion { at, range: needed } => {
            // Of the versions between nothing is known, so it is the one that was rendered.
            (rule.chart, rule.from_chart) = (at.chart.clone(), at.chart.clone());
            (rule.from, rule.to, rule.needs_kubernetes) = (None, range("=", &at.version), Some(needed.clone()));
        }
        // A blocker stops its one hop, and asks for nothing.
        Seen::Blocks(_) | Seen::Confirms { .. } | Seen::Refutes { .. } => return None,
    }
    Some(rule)
}

#[cfg(test)]
mod tests;
