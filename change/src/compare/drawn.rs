//! Fields that are another at each upgrade although the versions agree: random ones, and those that carry the revision. They say nothing
//! about a change between versions, but pods restart for them, and what cannot be changed fails on them.

use std::collections::BTreeSet;

use serde_json::Value;

use super::{Change, NUMBER, Step};
use crate::input::{LOOKED_UP, RANDOM, REVISION, RandomField, Rendered, Side, is_drawn};
use crate::summary::ObjectRef;
use crate::table::immutable::fixed;

/// Where such fields are in both renders.
#[derive(Debug, Default)]
pub(super) struct Drawn<'a> {
    /// The objects, as they are printed.
    objects: BTreeSet<&'a str>,
    /// Charts of the new version that use `lookup`.
    lookups: &'a [String],
}

impl<'a> Drawn<'a> {
    pub(super) fn of(old: &'a Side, new: &'a Side) -> Self {
        let names = |fields: &'a [RandomField]| -> BTreeSet<&'a str> { fields.iter().map(|field| field.object.as_str()).collect() };
        Self { objects: names(&old.random).intersection(&names(&new.random)).copied().collect(), lookups: &new.lookups }
    }

    /// Those of the fields for which something happens; an object with another name each time is another object each time.
    pub(super) fn changes(&self, object: &ObjectRef, old: &Rendered, new: &Rendered) -> Vec<Change> {
        let name = object.to_string();
        if !name.split(NUMBER).next().is_some_and(|name| self.objects.contains(name)) {
            return Vec::new();
        }
        let (looked_up, old, new) = (may_look_up(self.lookups, &new.source), &old.value, &new.value);
        if is_drawn(&object.name) {
            let name = || Some(Value::from(object.name.as_str()));
            return vec![Change { path: ["metadata", "name"].map(|key| Step::Key(key.to_owned())).into(), before: name(), after: name() }];
        }
        let mut paths = Vec::new();
        find(old, new, &mut Vec::new(), &mut paths);
        let all: Vec<Change> = paths.into_iter().map(|(path, text)| marked(path, text, looked_up)).collect();
        let stuck = fixed(old, new, &|keys| all.iter().any(|change| change.under(keys)));
        let is_stuck = |change: &Change| stuck.iter().any(|field| change.path_text().starts_with(&field.path));
        let restarts = matches!(object.kind.as_str(), "DaemonSet" | "Deployment" | "ReplicaSet" | "StatefulSet");
        all.iter().filter(|change| is_stuck(change) || (restarts && change.under(&["spec", "template"]))).cloned().collect()
    }
}

/// Whether the chart of a template, one in it or one around it uses `lookup`: helpers are shared among them.
pub(crate) fn may_look_up(lookups: &[String], source: &str) -> bool {
    let chart = source.split("/templates/").next().unwrap_or_default();
    let within = |inner: &str, outer: &str| inner.strip_prefix(outer).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'));
    lookups.iter().any(|other| within(chart, other) || within(other, chart))
}

/// Whether the change is one of these.
pub(crate) fn is_of_every_upgrade(change: &Change) -> bool {
    change.before == change.after && change.after.as_ref().and_then(Value::as_str).is_some_and(is_drawn)
}

/// Whether the field is another at each upgrade only where `lookup` does not find the last one.
pub(crate) fn may_be_looked_up(change: &Change) -> bool {
    change.after.as_ref().and_then(Value::as_str) == Some(LOOKED_UP)
}

/// The mark alone: what stands around it in a text may be secret.
fn marked(path: Vec<Step>, text: &str, looked_up: bool) -> Change {
    let mark = match (text.contains(REVISION), looked_up) {
        (true, _) => REVISION,
        (false, true) => LOOKED_UP,
        (false, false) => RANDOM,
    };
    Change { path, before: Some(mark.into()), after: Some(mark.into()) }
}

fn find<'v>(old: &Value, new: &'v Value, path: &mut Vec<Step>, found: &mut Vec<(Vec<Step>, &'v str)>) {
    match (old, new) {
        (Value::String(was), Value::String(is)) if was == is && is_drawn(is) => found.push((path.clone(), is)),
        (Value::Object(old), Value::Object(new)) => {
            for (key, is) in new {
                let Some(was) = old.get(key) else { continue };
                path.push(Step::Key(key.clone()));
                find(was, is, path, found);
                path.pop();
            }
        }
        (Value::Array(old), Value::Array(new)) => {
            for (at, is) in new.iter().enumerate() {
                let named = is["name"].as_str();
                let was = match named {
                    Some(name) => old.iter().find(|was| was["name"] == name),
                    None => old.get(at),
                };
                let Some(was) = was else { continue };
                path.push(named.map_or(Step::Index(at), |name| Step::Item(name.to_owned())));
                find(was, is, path, found);
                path.pop();
            }
        }
        _ => {}
    }
}
