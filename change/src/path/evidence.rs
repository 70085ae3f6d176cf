//! What rendered charts prove: that a rule holds, that it does not, or that one is missing.

use super::graph::Stand;
use super::rule::{Object, Origin, Place, Proof, Rule, Step, takes};
use super::set::RuleSet;
use crate::constraint::{Constraint, Version};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::fmt;

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
#[serde(rename_all = "camelCase")]
pub enum Seen {
    /// A field that cannot be changed differs, so that helm cannot upgrade the object.
    ImmutableField {
        /// The kind of the object.
        kind: String,
        /// Its name.
        name: String,
        /// Its namespace, where that is not the release's.
        #[serde(default)]
        namespace: Option<String>,
        /// The field.
        field: String,
        /// Whether the object has pods that can be left running.
        pods: bool,
    },
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
    /// A CRD of the newer version differs, and helm does not upgrade it.
    CrdChanged {
        /// The CRD.
        crd: String,
    },
    /// The newer chart's `kubeVersion`.
    KubeVersion {
        /// The range.
        range: Constraint,
    },
    /// A rule says that an object or value changes here, and nothing of the kind was seen.
    Refutes {
        /// The rule.
        rule: String,
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

impl fmt::Display for Seen {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::ImmutableField { kind, name, field, .. } => write!(f, "{field} of {kind} {name} changes, and cannot be changed in place"),
            Self::CrdFieldRemoved { field, used_by } => write!(f, "{used_by} sets {field}, which its new CRD does not take"),
            Self::Replaced { count, keeps: None } => write!(f, "{count} objects are replaced by others of another name"),
            Self::Replaced { count, keeps: Some((path, value)) } => {
                write!(f, "{count} objects are replaced by others of another name, unless {path} is {value}")
            }
            Self::CrdChanged { crd } => write!(f, "CRDs change: {crd}"),
            Self::KubeVersion { range } => write!(f, "kubeVersion is {range}"),
            Self::Refutes { rule, detail } => write!(f, "{detail}, against rule {rule}"),
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
        let (named, holds, detail) = judged(&set, one);
        for rule in set.rules.iter_mut().filter(|rule| named.contains(&rule.id)) {
            let proof = Proof { holds, detail: detail.clone() };
            if !rule.proofs.contains(&proof) {
                rule.proofs.push(proof);
            }
        }
        if named.is_empty() {
            set.rules.extend(missing(one, index + 1));
        }
    }
    set
}

/// The rules that an evidence is about, and what it says of them.
fn judged(set: &RuleSet, evidence: &Evidence) -> (Vec<String>, bool, String) {
    let between = format!("{} → {} ({})", evidence.from, evidence.to, evidence.source);
    let ids = |fits: &dyn Fn(&Rule) -> bool| set.rules.iter().filter(|rule| fits(rule)).map(|rule| rule.id.clone()).collect();
    let own = |name: &str| ids(&|rule| rule.id == name);
    let asks = |step: &dyn Fn(&Step) -> bool| ids(&|rule| crosses(rule, &evidence.from, &evidence.to) && rule.before.iter().any(step));
    match &evidence.seen {
        Seen::Confirms { rule, detail } => (own(rule), true, format!("{detail}, {between}")),
        Seen::Refutes { rule, detail } => (own(rule), false, format!("{detail}, {between}")),
        Seen::ImmutableField { kind, name, field, .. } => {
            let deletes = |step: &Step| matches!(step, Step::DeleteOrphan(object) | Step::DeleteObject(object) if is(object, kind, name));
            (asks(&deletes), true, format!("{kind} {name}: {field} changes, {between}"))
        }
        Seen::CrdChanged { crd } => (asks(&|step| *step == Step::ApplyCrds), true, format!("new or changed: {crd}, {between}")),
        // Which field of which CRD no rule says; that is a finding in any case.
        Seen::CrdFieldRemoved { .. } => (Vec::new(), true, String::new()),
        Seen::Replaced { keeps, .. } => {
            let sets = |step: &Step| matches!((step, keeps), (Step::SetValue { path, value }, Some(keeps)) if (path, value) == (&keeps.0, &keeps.1));
            (asks(&sets), true, format!("{}, {between}", evidence.seen))
        }
        Seen::KubeVersion { range } => {
            let says = |rule: &Rule| {
                let there = rule.chart == evidence.to.chart && takes(rule.to.as_ref(), &evidence.to.version);
                there && rule.needs_kubernetes.as_ref() == Some(range)
            };
            (ids(&says), true, format!("kubeVersion is {range}, {between}"))
        }
    }
}

/// Whether a step from the one version to the other falls under a rule.
pub(super) fn crosses(rule: &Rule, from: &Stand, to: &Stand) -> bool {
    let begins = if rule.from_chart == from.chart { takes(rule.from.as_ref(), &from.version) } else { rule.from_chart == to.chart };
    let ends = if rule.chart == to.chart { takes(rule.to.as_ref(), &to.version) } else { rule.chart == from.chart };
    begins && ends
}

/// Whether a rule's object is the one that was seen. A selector may mean it: that the kind is the same has to do, together with the
/// component's name in the selector where there is one.
pub(super) fn is(object: &Object, kind: &str, name: &str) -> bool {
    let component = |selector: &str| {
        let value = |pair: &str| pair.split_once('=').is_some_and(|(_, value)| value != "RELEASE" && name.contains(value));
        selector.split(',').any(value)
    };
    let named = object.name.as_deref().map(|wanted| name.ends_with(wanted.trim_start_matches("RELEASE")));
    object.kind == kind && named.or_else(|| object.selector.as_deref().map(component)).unwrap_or(true)
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
        Seen::ImmutableField { kind, name, namespace, field, pods } => {
            let object = Object { kind: kind.clone(), name: Some(name.clone()), selector: None, namespace: namespace.clone() };
            rule.before = vec![if *pods { Step::DeleteOrphan(object) } else { Step::DeleteObject(object) }];
            rule.note = Some(format!("{field} changes, which cannot be changed in place"));
        }
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
        Seen::CrdChanged { crd } => {
            rule.before = vec![Step::ApplyCrds];
            rule.note = Some(format!("{crd}: new or changed, and helm never upgrades a CRD"));
        }
        Seen::KubeVersion { range: needed } => {
            // Of the versions between nothing is known, so it is the one that was rendered.
            (rule.from, rule.to, rule.needs_kubernetes) = (None, range("=", &evidence.to.version), Some(needed.clone()));
        }
        Seen::Confirms { .. } | Seen::Refutes { .. } => return None,
    }
    Some(rule)
}
