//! Pods that run as another account than before: they have its rights.

use std::collections::BTreeMap;

use serde_json::Value;

use super::super::Context;
use super::super::read::{Seen, claim, few, pod_spec, text};
use super::grant::{Held, Right, Subject};
use super::words::{phrases, place};
use crate::summary::{Item, Weight};

/// Phrases of rights that a sentence holds.
const PHRASES: usize = 2;

pub(super) fn items(context: &Context<'_>, held: &BTreeMap<Subject, Held>) -> Vec<Item> {
    let pairs = context.objects.pairs.iter().filter(|pair| pod_spec(&pair.old.value).is_some());
    let moved = pairs.filter_map(|pair| {
        let seen = Seen { object: &pair.object, rendered: pair.new };
        let (was, is) = (account(&pair.old.value)?, account(&pair.new.value)?);
        (was != is).then(|| {
            let subject = Subject { kind: "ServiceAccount".to_owned(), namespace: seen.object.namespace.clone(), name: is.to_owned() };
            let what = match held.get(&subject) {
                Some(held) => format!("its pods run as account {is}, which may {}, where they ran as {was}", may(held)),
                None => format!("its pods run as account {is} where they ran as {was}; this chart gives it no rights"),
            };
            claim("account-changed", Weight::Look, what, &[seen])
        })
    });
    moved.collect()
}

fn account(value: &Value) -> Option<&str> {
    let spec = pod_spec(value)?;
    let mut written = ["serviceAccountName", "serviceAccount"].into_iter().filter_map(|key| text(spec, &[key]));
    Some(written.find(|name| !name.is_empty()).unwrap_or("default"))
}

fn may(held: &Held) -> String {
    let said = held.rights.iter().map(|(scope, rights)| {
        let rights: Vec<&Right> = rights.all.iter().collect();
        format!("{} {}", few(&phrases(&rights), PHRASES), place(scope))
    });
    said.collect::<Vec<_>>().join("; ")
}
