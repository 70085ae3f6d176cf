//! Volumes that hold data: their size, class and access, and claims that go.

use std::collections::BTreeMap;

use serde_json::Value;

use super::super::Context;
use super::super::read::{Seen, and, at, claim, kept, list, plain, text, texts};
use super::new_of;
use crate::summary::{Item, Weight};

/// The parts of a claim that matter.
#[derive(PartialEq, Clone, Default)]
struct Claim {
    size: Option<String>,
    class: Option<String>,
    modes: Vec<String>,
}

pub(super) fn items(context: &Context<'_>) -> Vec<Item> {
    let mut items = Vec::new();
    for pair in &context.objects.pairs {
        let seen = new_of(pair);
        let (was, is) = (claims(&pair.old.value), claims(&pair.new.value));
        for (name, after) in &is {
            match was.get(name) {
                Some(before) => items.extend(changed(seen, name, before, after)),
                None => items.push(claim(
                    "volume-added",
                    Weight::Look,
                    format!("{name} is new: data that lay elsewhere is not copied into it"),
                    &[seen],
                )),
            }
        }
        for name in was.keys().filter(|name| !is.contains_key(*name)) {
            let what = format!("{name} is gone: it starts without the data, which stays behind in the old claim");
            items.push(claim("volume-removed", Weight::Act, what, &[seen]).next("decide whether that data is needed, and move it first"));
        }
        if pair.object.kind == "StorageClass" && pair.changed() {
            items.push(claim("storage-class", Weight::Look, "changes, for volumes that are made from now on".to_owned(), &[seen]));
        }
    }
    for one in &context.objects.removed {
        let seen = Seen { object: &one.object, rendered: one.rendered };
        match seen.kind() {
            "PersistentVolumeClaim" if kept(seen.value()) => {
                items.push(claim(
                    "claim-removed",
                    Weight::Know,
                    "is no longer in the chart; it stays, since it is marked to be kept",
                    &[seen],
                ));
            }
            "PersistentVolumeClaim" => {
                let what = "is no longer in the chart, so Helm deletes it, and with most storage classes its data";
                items.push(claim("claim-removed", Weight::Act, what, &[seen]).next(format!(
                    "keep it: kubectl -n {} annotate pvc {} helm.sh/resource-policy=keep",
                    seen.object.namespace, seen.object.name
                )));
            }
            "StorageClass" => items.push(claim("storage-class", Weight::Look, "is gone: claims that name it stay pending", &[seen])),
            _ => {}
        }
    }
    for one in &context.objects.added {
        let seen = Seen { object: &one.object, rendered: one.rendered };
        match seen.kind() {
            "StorageClass" => items.push(claim("storage-class", Weight::Know, "is new", &[seen])),
            "PersistentVolumeClaim" | "StatefulSet" => {
                items.extend(
                    claims(seen.value())
                        .into_iter()
                        .map(|(name, one)| claim("volume-added", Weight::Know, format!("{name} is new: {}", one.said()), &[seen])),
                );
            }
            _ => {}
        }
    }
    items
}

impl Claim {
    fn read(spec: &Value) -> Self {
        Self {
            size: at(spec, &["resources", "requests", "storage"]).map(plain),
            class: text(spec, &["storageClassName"]).map(str::to_owned),
            modes: texts(spec, &["accessModes"]).map(str::to_owned).collect(),
        }
    }

    fn said(&self) -> String {
        let class = self.class.as_ref().map_or_else(|| "the cluster's default class".to_owned(), |class| format!("class {class}"));
        format!("{} of {class}", self.size.as_deref().unwrap_or("no size"))
    }
}

/// The claims that an object makes, by the name that people know them under.
fn claims(object: &Value) -> BTreeMap<String, Claim> {
    let mut claims = BTreeMap::new();
    if text(object, &["kind"]) == Some("PersistentVolumeClaim") {
        claims.insert("the volume".to_owned(), Claim::read(object.get("spec").unwrap_or(&Value::Null)));
    }
    for template in list(object, &["spec", "volumeClaimTemplates"]) {
        let name = text(template, &["metadata", "name"]).unwrap_or_default();
        claims.insert(format!("the volume {name}"), Claim::read(template.get("spec").unwrap_or(&Value::Null)));
    }
    // Prometheus, Alertmanager, ThanosRuler.
    if let Some(spec) = at(object, &["spec", "storage", "volumeClaimTemplate", "spec"]) {
        claims.insert("the volume for its data".to_owned(), Claim::read(spec));
    }
    claims
}

fn changed(seen: Seen<'_>, name: &str, before: &Claim, after: &Claim) -> Vec<Item> {
    let mut items = Vec::new();
    let unsaid = |text: &Option<String>| text.clone().unwrap_or_else(|| "none".to_owned());
    if let (Some(was), Some(is)) = (before.size.as_deref().and_then(bytes), after.size.as_deref().and_then(bytes))
        && (was - is).abs() > f64::EPSILON
    {
        let line = format!("{name} goes from {} to {}", unsaid(&before.size), unsaid(&after.size));
        items.push(if is < was {
            claim("volume-shrinks", Weight::Act, format!("{line}: a volume cannot shrink"), &[seen])
                .next("keep the old size in your values, or make a new volume and copy the data")
        } else {
            claim("volume-grows", Weight::Look, format!("{line}: {}", grows(seen.kind())), &[seen])
        });
    }
    if before.class != after.class {
        let what = format!(
            "{name} asks for class {} where it asked for {}: claims that exist keep theirs",
            unsaid(&after.class),
            unsaid(&before.class)
        );
        items.push(claim("volume-class", Weight::Look, what, &[seen]));
    }
    if before.modes != after.modes {
        items.push(claim(
            "volume-modes",
            Weight::Look,
            format!("{name} asks for {} where it asked for {}", and(&after.modes), and(&before.modes)),
            &[seen],
        ));
    }
    items
}

/// What it takes to make a volume larger, by what asks for it.
fn grows(kind: &str) -> &'static str {
    match kind {
        "PersistentVolumeClaim" => "its storage class must allow that",
        "StatefulSet" => "its storage class must allow that, and the StatefulSet has to be made anew for it",
        _ => "its storage class must allow that, and the claims that exist are not made larger by it",
    }
}

/// A quantity of Kubernetes in bytes.
fn bytes(text: &str) -> Option<f64> {
    const UNITS: [(&str, f64); 13] = [
        ("Ki", 1024.0),
        ("Mi", 1_048_576.0),
        ("Gi", 1_073_741_824.0),
        ("Ti", 1_099_511_627_776.0),
        ("Pi", 1_125_899_906_842_624.0),
        ("Ei", 1_152_921_504_606_846_976.0),
        ("m", 0.001),
        ("k", 1e3),
        ("M", 1e6),
        ("G", 1e9),
        ("T", 1e12),
        ("P", 1e15),
        ("E", 1e18),
    ];
    let text = text.trim();
    let unit = UNITS.iter().find(|(unit, _)| text.ends_with(unit));
    let (digits, factor) = unit.map_or((text, 1.0), |(unit, factor)| (text.trim_end_matches(unit), *factor));
    digits.parse::<f64>().ok().filter(|n| n.is_finite()).map(|n| n * factor)
}
