//! Rights that grow, and webhooks that may refuse what others do.

pub(crate) mod grant;
mod pods;
mod rights;
mod webhooks;
mod words;

use std::collections::{BTreeMap, BTreeSet};

use super::Context;
use super::read::{Seen, about, count, few, finish, news, olds};
use crate::summary::{Evidence, Item, ObjectRef, Provenance, Weight};
use grant::{Grants, Held, Right, Scope, Subject};
use words::{Danger, phrases, place, who};

/// How many phrases a sentence holds; the rest stands in its detail.
const PHRASES: usize = 2;

pub(super) fn items(context: &Context<'_>) -> Vec<Item> {
    // The rights of hooks count too: they hold while the hook runs, and often longer.
    let before: Vec<Seen<'_>> = olds(context.objects).into_iter().chain(olds(context.hooks)).collect();
    let after: Vec<Seen<'_>> = news(context.objects).into_iter().chain(news(context.hooks)).collect();
    let (was, will) = (grant::grants(&before), grant::grants(&after));
    let (old, new) = (&was.held, &will.held);
    let release = context.input.target.namespace.as_str();
    let mut grown: Vec<(Danger, Item)> = Vec::new();
    let nothing = Held::default();
    for (subject, held) in new {
        let was = old.get(subject).unwrap_or(&nothing);
        for (scope, rights) in &held.rights {
            let fresh: Vec<&Right> = rights.all.iter().filter(|right| !was.holds(scope, right)).collect();
            grown.extend(grow(&who(subject, release), subject, scope, held, &fresh, old.contains_key(subject)));
        }
    }
    grown.sort_by_key(|(danger, _)| *danger);
    let mut items: Vec<Item> = grown.into_iter().map(|(_, item)| item).collect();
    items.extend(grant::too_large(&was, &will));
    items.extend(webhooks::items(context));
    items.extend(accounts(context));
    items.extend(pods::items(context, new));
    items.extend(policies(&before, &after));
    items.extend(unbound(&was, &will));
    items.extend(shrunk(old, new, release));
    finish(items)
}

/// What a subject may do now that it could not before: one claim for each danger.
fn grow(name: &str, subject: &Subject, scope: &Scope, held: &Held, fresh: &[&Right], known: bool) -> Vec<(Danger, Item)> {
    let mut by_danger: BTreeMap<Danger, Vec<&Right>> = BTreeMap::new();
    for right in fresh {
        by_danger.entry(Danger::of(right)).or_default().push(right);
    }
    let claim = |(danger, rights): (Danger, Vec<&Right>)| {
        let phrases = phrases(&rights);
        let code = match danger {
            Danger::Wildcard => "rbac-wildcard",
            Danger::Escalation => "rbac-escalation",
            Danger::Secrets => "rbac-secrets",
            Danger::Privilege => "rbac-privilege",
            Danger::None => "rbac-grows",
        };
        let may = if known || subject.kind == "ClusterRole" { "may now" } else { "is new and may" };
        let what = format!("{name} {may} {} {}{}", said(&phrases), place(scope), danger.said());
        let is_everything = scope.is_none() && rights.iter().any(|right| right.is_everything());
        let to_anybody = words::is_anybody(subject) && danger != Danger::None;
        let weight = if is_everything || to_anybody { Weight::Act } else { Weight::Look };
        let mut item = Item::new(code, weight, what, Provenance::new(Evidence::Render, &held.source));
        if weight == Weight::Act {
            item.next = Some("let somebody who may give the whole cluster away decide on it, or switch it off by the values".to_owned());
        }
        if phrases.len() > PHRASES + 1 {
            item.detail = phrases;
        }
        let roles: BTreeSet<ObjectRef> = held.by.get(scope).cloned().unwrap_or_default();
        about(&mut item, roles.into_iter().collect());
        (danger, item)
    };
    by_danger.into_iter().map(claim).collect()
}

fn said(phrases: &[String]) -> String {
    if phrases.len() <= PHRASES + 1 {
        phrases.join("; ")
    } else {
        format!("{}; and {} more", phrases[..PHRASES].join("; "), phrases.len() - PHRASES)
    }
}

/// Roles that nothing in the chart binds: whoever binds them gets more.
fn unbound(old: &Grants<'_>, new: &Grants<'_>) -> Vec<Item> {
    let bound: BTreeSet<&ObjectRef> = new.held.values().flat_map(|held| held.by.values().flatten()).collect();
    let mut items = Vec::new();
    for (key, role) in new.roles.iter().filter(|(_, role)| !bound.contains(role.seen.object)) {
        let was = old.roles.get(key);
        let fresh: Vec<&Right> = role.rights.all.iter().filter(|right| !was.is_some_and(|was| was.rights.give(right))).collect();
        if !fresh.is_empty() {
            let wild = fresh.iter().any(|right| Danger::of(right) == Danger::Wildcard);
            let (weight, more) = if wild { (Weight::Look, Danger::Wildcard.said()) } else { (Weight::Know, "") };
            let what = format!("whoever is bound to it may now {}{more}; the chart itself binds it to nobody", said(&phrases(&fresh)));
            items.push(super::read::claim("rbac-unbound", weight, what, &[role.seen]));
        }
    }
    items
}

/// What is taken away, counted.
fn shrunk(old: &BTreeMap<Subject, Held>, new: &BTreeMap<Subject, Held>, release: &str) -> Option<Item> {
    let mut lines = Vec::new();
    let mut sum = 0;
    let nothing = Held::default();
    for (subject, held) in old {
        let is = new.get(subject).unwrap_or(&nothing);
        for (scope, rights) in &held.rights {
            let gone: Vec<&Right> = rights.all.iter().filter(|right| !is.holds(scope, right)).collect();
            if !gone.is_empty() {
                sum += gone.len();
                lines.push(format!("{} may no longer {} {}", who(subject, release), few(&phrases(&gone), 3), place(scope)));
            }
        }
    }
    if sum == 0 {
        return None;
    }
    let what = format!("{} taken away", count(sum, "right is", "rights are"));
    Some(Item::new("rbac-shrinks", Weight::Know, what, Provenance::new(Evidence::Render, "roles and bindings")).detail(lines))
}

/// Accounts that another system trusts: who may act for them there.
fn accounts(context: &Context<'_>) -> Vec<Item> {
    const TRUST: [&str; 3] = ["eks.amazonaws.com/role-arn", "iam.gke.io/gcp-service-account", "azure.workload.identity/client-id"];
    let mut items = Vec::new();
    for pair in context.objects.pairs.iter().filter(|pair| pair.object.kind == "ServiceAccount") {
        let seen = Seen { object: &pair.object, rendered: pair.new };
        for key in TRUST {
            let value = |side: &serde_json::Value| super::read::annotation(side, key).map(str::to_owned);
            let (was, is) = (value(&pair.old.value), value(&pair.new.value));
            if was != is {
                let name = |value: Option<String>| value.unwrap_or_else(|| "nobody".to_owned());
                let what = format!("acts in the cloud as {} where it acted as {}", name(is), name(was));
                items.push(super::read::claim("account-identity", Weight::Look, what, &[seen]));
            }
        }
    }
    items
}

/// Policies for pods that come or go; the change of one is a change like others.
fn policies(before: &[Seen<'_>], after: &[Seen<'_>]) -> Vec<Item> {
    let of = |objects: &[Seen<'_>]| -> BTreeMap<ObjectRef, String> {
        let policies = objects.iter().filter(|seen| matches!(seen.kind(), "PodSecurityPolicy" | "SecurityContextConstraints"));
        policies.map(|seen| (seen.object.clone(), seen.rendered.source.clone())).collect()
    };
    let (old, new) = (of(before), of(after));
    let item = |what: &str, object: &ObjectRef, source: &str| {
        Item::new("pod-policy", Weight::Look, what, Provenance::new(Evidence::Render, source)).about(object.clone())
    };
    let gone = old
        .iter()
        .filter(|(object, _)| !new.contains_key(object))
        .map(|(object, source)| item("is gone: pods that it let in are judged by what remains", object, source));
    let come = new.iter().filter(|(object, _)| !old.contains_key(object)).map(|(object, source)| item("is new", object, source));
    gone.chain(come).collect()
}

#[cfg(test)]
mod tests;
