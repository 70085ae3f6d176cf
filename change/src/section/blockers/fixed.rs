//! Fields that the API server lets nobody change.

use serde_json::Value;

use super::super::Context;
use super::super::objects::is_refused;
use super::super::read::{Seen, claim as seen_claim, few};
use super::kubernetes::minor;
use super::selector::mismatch;
use crate::compare::drawn::{is_of_every_upgrade, may_be_looked_up};
use crate::compare::held::Held;
use crate::compare::identity::text;
use crate::compare::mask;
use crate::compare::{Change, Pair, Step};
use crate::input::{Rendered, is_drawn};
use crate::summary::{Evidence, Item, ObjectRef, Provenance, Weight};
use crate::table::immutable::{Fixed, SOURCE, fixed};

/// An object that cannot be changed in place.
pub(in crate::section) struct Stuck<'c> {
    pub(in crate::section) object: &'c ObjectRef,
    pub(in crate::section) old: &'c Rendered,
    pub(in crate::section) new: &'c Rendered,
    pub(in crate::section) fields: Vec<Fixed>,
    /// Fields that are another at each upgrade.
    drawn: Vec<String>,
    /// Whether `lookup` may keep them at some upgrades.
    may_stay: bool,
}

impl Stuck<'_> {
    /// Whether the new one would be made when the old one is deleted.
    pub(in crate::section) fn can_be_made_anew(&self) -> bool {
        mismatch(&self.new.value).is_none() && !is_refused(Seen { object: self.object, rendered: self.new })
    }
}

/// Objects whose change the API server refuses, in the order of the new render.
pub(in crate::section) fn stuck<'c>(context: &'c Context<'_>) -> Vec<Stuck<'c>> {
    // One with another name at each upgrade is made anew, and not changed.
    let lasts = |pair: &&Pair<'_>| pair.changed() && !is_drawn(&pair.object.name);
    let minor = minor(context.input);
    context.objects.pairs.iter().filter(lasts).filter_map(|pair| of_pair(pair, minor)).collect()
}

fn of_pair<'c>(pair: &'c Pair<'_>, minor: Option<u64>) -> Option<Stuck<'c>> {
    let (old, new) = (&pair.old.value, &pair.new.value);
    let differs = |keys: &[&str]| {
        let at = |value: &Value| keys.iter().try_fold(value, |value, key| value.get(key)).cloned();
        pair.changes.iter().any(|change| change.under(keys) || (above(&change.path, keys) && at(old) != at(new)))
    };
    let mut fields = fixed(old, new, &differs);
    fields.retain(|field| !(is_free_while_suspended(pair, field, minor) || is_given_a_class(pair, field) || is_looked_up(pair, field)));
    let drawn = pair.changes.iter().filter(|change| is_of_every_upgrade(change)).map(Change::path_text).collect();
    let may_stay = pair.changes.iter().filter(|change| is_of_every_upgrade(change)).all(may_be_looked_up);
    (!fields.is_empty()).then_some(Stuck { object: &pair.object, old: pair.old, new: pair.new, fields, drawn, may_stay })
}

/// First minor version of Kubernetes in which a suspended Job may get other resources (`MutablePodResourcesForSuspendedJobs`).
const RESOURCES_OF_SUSPENDED: u64 = 36;

/// A Job that was made suspended has not run: where its pods may run can be changed, and what they may use.
fn is_free_while_suspended(pair: &Pair<'_>, field: &Fixed, minor: Option<u64>) -> bool {
    let free = |change: &Change| {
        let pod = |key| change.under(&["spec", "template", "spec", key]);
        let resources = ["containers", "initContainers"].iter().any(|list| change.under(&["spec", "template", "spec", list, "resources"]));
        ["nodeSelector", "tolerations", "schedulingGates"].into_iter().any(pod)
            || change.under(&["spec", "template", "spec", "affinity", "nodeAffinity"])
            || change.under(&["spec", "template", "metadata", "labels"])
            || change.under(&["spec", "template", "metadata", "annotations"])
            || (resources && minor.is_none_or(|minor| minor >= RESOURCES_OF_SUSPENDED))
    };
    field.path == "spec.template"
        && pair.old.value["spec"]["suspend"] == true
        && pair.changes.iter().filter(|change| change.under(&["spec", "template"])).all(free)
}

/// A claim without a class may be given one once, unless the cluster had a default class to give it.
fn is_given_a_class(pair: &Pair<'_>, field: &Fixed) -> bool {
    pair.object.kind == "PersistentVolumeClaim" && field.path == "spec.storageClassName" && field.before.as_ref().is_none_or(Value::is_null)
}

/// What is random there in a render alone, where the chart may find the last one in the cluster. Charts look up what a Secret or
/// `ConfigMap` holds; a hash or copy of it in another object is of a text of its own after the install, and differs at the next upgrade.
fn is_looked_up(pair: &Pair<'_>, field: &Fixed) -> bool {
    let object = &pair.object;
    if !(object.group.is_empty() && matches!(object.kind.as_str(), "Secret" | "ConfigMap")) {
        return false;
    }
    let keys: Vec<&str> = field.path.split('.').collect();
    let mut changes = pair.changes.iter().filter(|change| change.under(&keys)).peekable();
    changes.peek().is_some() && changes.all(may_be_looked_up)
}

/// Fields of which nobody knows without the cluster whether they change.
fn looked_up(context: &Context<'_>) -> Vec<Item> {
    let of_pair = |pair: &Pair<'_>| -> Vec<Item> {
        let differs = |keys: &[&str]| pair.changes.iter().any(|change| change.under(keys));
        let fields = fixed(&pair.old.value, &pair.new.value, &differs).into_iter().filter(|field| is_looked_up(pair, field));
        let seen = Seen { object: &pair.object, rendered: pair.new };
        let claim = |field: Fixed| {
            let what = format!(
                "{} cannot be changed, and is random unless `lookup` finds the last one in the cluster: then it may stay, else the upgrade is refused",
                field.path
            );
            let mut item = seen_claim("immutable-field", Weight::Act, what, &[seen]);
            item.path = Some(field.path);
            item.from = Provenance::new(Evidence::Table, format!("{SOURCE}; {}", pair.new.source));
            item.next("try it on one cluster: helm upgrade --dry-run=server")
        };
        fields.map(claim).collect()
    };
    context.objects.pairs.iter().filter(|pair| pair.changed() && !is_drawn(&pair.object.name)).flat_map(of_pair).collect()
}

/// Claims that the API server refuses or takes, by what the cluster made of them.
fn classes(context: &Context<'_>) -> Vec<Item> {
    let given = |pair: &Pair<'_>| {
        let differs = |keys: &[&str]| pair.changes.iter().any(|change| change.under(keys));
        let field = fixed(&pair.old.value, &pair.new.value, &differs).into_iter().find(|field| is_given_a_class(pair, field))?;
        let what = "gets a storage class where it said none: refused if the cluster has given it its default class, or if it is bound";
        let seen = Seen { object: &pair.object, rendered: pair.new };
        let look =
            format!("kubectl get pvc {} --namespace {} -o jsonpath={{.spec.storageClassName}}", pair.object.name, pair.object.namespace);
        let mut item = seen_claim("immutable-field", Weight::Act, what, &[seen]).field(field.path.clone(), field.before, field.after);
        item.from = Provenance::new(Evidence::Table, format!("{SOURCE}; {}", pair.new.source));
        Some(item.next(format!("set the class that it has by your values: {look}")))
    };
    context.objects.pairs.iter().filter(|pair| pair.changed() && !is_drawn(&pair.object.name)).filter_map(given).collect()
}

/// Whether the change stands above the keys: a whole map that came or went.
fn above(path: &[Step], keys: &[&str]) -> bool {
    path.len() < keys.len() && path.iter().zip(keys).all(|(step, key)| matches!(step, Step::Key(found) if found == key))
}

pub(super) fn items(context: &Context<'_>) -> Vec<Item> {
    let mut items: Vec<Item> = stuck(context).iter().flat_map(|stuck| stuck.fields.iter().map(|field| claim(stuck, field))).collect();
    items.extend(classes(context));
    items.extend(looked_up(context));
    items.extend(crds(context));
    let held = Held::of(&context.input.old, &context.input.new);
    items.iter_mut().flat_map(|item| [&mut item.before, &mut item.after]).flatten().for_each(|value| held.mask_in(value));
    items
}

fn claim(stuck: &Stuck<'_>, field: &Fixed) -> Item {
    let kind = text(&stuck.new.value, "kind");
    let what = if field.shrinks {
        format!("{} cannot shrink", field.path)
    } else {
        let drawn: Vec<&String> = stuck.drawn.iter().filter(|path| path.starts_with(&field.path)).collect();
        let another = if stuck.may_stay {
            "is random: `lookup` may keep it at some upgrades, and seldom at the first one after the install"
        } else {
            "is another at each upgrade"
        };
        let always = match drawn.as_slice() {
            [] => String::new(),
            [one] if **one == field.path => format!(", and {another}"),
            all => format!(", and {} in it {another}", few(all, 3)),
        };
        format!("{} of a {kind} cannot be changed once it is there{always}", field.path)
    };
    let path: Vec<Step> = field.path.split('.').map(|key| Step::Key(key.to_owned())).collect();
    let shown = |value: &Option<Value>| value.as_ref().map(|value| mask::masked(kind, &path, value));
    let next = if stuck.can_be_made_anew() {
        "see the steps: they say what has to be done before the upgrade"
    } else {
        "do not delete it: the new one is invalid, and would not be made anew"
    };
    Item::new("immutable-field", Weight::Stop, what, Provenance::new(Evidence::Table, format!("{SOURCE}; {}", stuck.new.source)))
        .about(stuck.object.clone())
        .field(field.path.clone(), shown(&field.before), shown(&field.after))
        .next(next)
}

/// CRDs of `crds/` whose group, scope or name changes: applying them is refused.
fn crds(context: &Context<'_>) -> Vec<Item> {
    let name = |rendered: &Rendered| rendered.value["metadata"]["name"].as_str().unwrap_or_default().to_owned();
    let mut items = Vec::new();
    for new in &context.input.new.crds {
        let Some(old) = context.input.old.crds.iter().find(|old| name(old) == name(new)) else { continue };
        for key in ["/spec/scope", "/spec/names/kind"] {
            let (before, after) = (old.value.pointer(key), new.value.pointer(key));
            if before != after {
                let object = ObjectRef {
                    group: "apiextensions.k8s.io".to_owned(),
                    kind: "CustomResourceDefinition".to_owned(),
                    namespace: String::new(),
                    name: name(new),
                };
                let path = key.trim_start_matches('/').replace('/', ".");
                let what = format!("{path} of a CRD cannot be changed, and deleting a CRD deletes all objects of its kind");
                let from = Provenance::new(Evidence::Table, format!("{SOURCE}; {}", new.source));
                items.push(
                    Item::new("immutable-field", Weight::Stop, what, from).about(object).field(path, before.cloned(), after.cloned()).next(
                        "follow the notes of the chart's authors: save the objects, delete the CRD, apply the new one, write them back",
                    ),
                );
            }
        }
    }
    items
}
