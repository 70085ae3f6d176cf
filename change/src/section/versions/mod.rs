//! Versions: of the chart, its application, its subcharts, and of images.

mod image;
mod used;

use std::collections::BTreeMap;

use super::Context;
use super::read::{count, finish};
use crate::constraint::Version;
use crate::input::{Chart, Subchart};
use crate::summary::{Evidence, Item, Provenance, Weight};

pub(super) use used::{Use, images};

pub(super) fn items(context: &Context<'_>) -> Vec<Item> {
    let (old, new) = (&context.input.old.chart, &context.input.new.chart);
    let mut items = chart(old, new);
    items.extend(subcharts(&old.subcharts, &new.subcharts));
    items.extend(used::items(context));
    finish(items)
}

/// How far it is from one version to another.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Leap {
    /// The same, or nothing that can be compared.
    None,
    /// To an older one.
    Back,
    /// Within a major version.
    Small,
    /// This many major versions.
    Majors(u64),
}

/// A number from here on is a year, or begins with one.
const FIRST_YEAR: u64 = 1970;

fn leap(old: &str, new: &str) -> Leap {
    let (Ok(old), Ok(new)) = (Version::parse(old), Version::parse(new)) else { return Leap::None };
    match new.precedence(&old) {
        std::cmp::Ordering::Less => Leap::Back,
        std::cmp::Ordering::Equal => Leap::None,
        // A date says nothing about what is compatible.
        std::cmp::Ordering::Greater if old.major() >= FIRST_YEAR => Leap::Small,
        std::cmp::Ordering::Greater if new.major() > old.major() => Leap::Majors(new.major() - old.major()),
        std::cmp::Ordering::Greater => Leap::Small,
    }
}

/// What a leap adds to a sentence, and how much it matters.
fn said(leap: Leap) -> (String, Weight) {
    match leap {
        Leap::None | Leap::Small => (String::new(), Weight::Know),
        Leap::Back => (", which is older".to_owned(), Weight::Look),
        Leap::Majors(1) => (", a new major version".to_owned(), Weight::Look),
        Leap::Majors(n) => (format!(", {n} major versions on"), Weight::Look),
    }
}

fn from_chart(at: &str) -> Provenance {
    Provenance::new(Evidence::Chart, at)
}

fn chart(old: &Chart, new: &Chart) -> Vec<Item> {
    let item = |code, weight, what: String| Item::new(code, weight, what, from_chart("Chart.yaml"));
    let mut items = Vec::new();
    if old.name != new.name {
        let what = format!("the chart is called {} where it was {}: check that it is meant to follow it", new.name, old.name);
        items.push(item("chart-renamed", Weight::Look, what));
    }
    if new.deprecated && !old.deprecated {
        items.push(item("chart-deprecated", Weight::Look, format!("the chart {} {} is marked as deprecated", new.name, new.version)));
    }
    if old.version != new.version {
        let (more, weight) = said(leap(&old.version, &new.version));
        items.push(item("chart-version", weight, format!("the chart goes from {} to {}{more}", old.version, new.version)));
    }
    if let (Some(before), Some(after)) = (&old.app_version, &new.app_version)
        && before != after
    {
        let (more, weight) = said(leap(before, after));
        items.push(item("app-version", weight, format!("its application goes from {before} to {after}{more}")));
    }
    if old.kube_version != new.kube_version {
        let range = |range: &Option<String>| range.clone().unwrap_or_else(|| "any".to_owned());
        let what = format!("it asks for Kubernetes {} where it asked for {}", range(&new.kube_version), range(&old.kube_version));
        items.push(item("kube-version", Weight::Know, what));
    }
    items.extend(annotations(old, new));
    items
}

/// Annotations that say something to whoever decides; the changelog among them belongs to the notes.
fn annotations(old: &Chart, new: &Chart) -> Vec<Item> {
    let map = |chart: &Chart| chart.annotations.iter().cloned().collect::<BTreeMap<String, String>>();
    let (before, after) = (map(old), map(new));
    let mut items = Vec::new();
    let mut others = Vec::new();
    let keys: std::collections::BTreeSet<&String> = before.keys().chain(after.keys()).collect();
    for key in keys {
        let (was, is) = (before.get(key), after.get(key));
        let about = |code, weight, what: String| Item::new(code, weight, what, from_chart(&format!("Chart.yaml, annotation {key}")));
        match key.as_str() {
            "artifacthub.io/changes" => {}
            "artifacthub.io/containsSecurityUpdates" => {
                if is.is_some_and(|is| is == "true") {
                    items.push(about("security-update", Weight::Look, "its authors say that this version has security updates".to_owned()));
                }
            }
            _ if was == is => {}
            "artifacthub.io/license" | "licenses" | "license" => {
                let named = |license: Option<&String>| license.map_or("none named", String::as_str).to_owned();
                let what = format!("the license is now {} where it was {}", named(is), named(was));
                items.push(about("chart-license", Weight::Look, what));
            }
            _ => others.push(key.clone()),
        }
    }
    if !others.is_empty() {
        let what = format!("{} of Chart.yaml changed", count(others.len(), "annotation", "annotations"));
        items.push(Item::new("chart-annotations", Weight::Know, what, from_chart("Chart.yaml")).detail(others));
    }
    items
}

fn subcharts(old: &[Subchart], new: &[Subchart]) -> Vec<Item> {
    let map = |charts: &[Subchart]| charts.iter().map(|chart| (chart.key.clone(), chart.clone())).collect::<BTreeMap<_, _>>();
    let (before, after) = (map(old), map(new));
    let mut items = Vec::new();
    for (key, now) in &after {
        let item = |code, weight, what: String| Item::new(code, weight, what, from_chart(&format!("subchart {key}"))).about_path(key);
        let Some(was) = before.get(key) else {
            // The same chart under another key: its values have to move with it.
            let moved = before.values().find(|was| was.name == now.name && !after.contains_key(&was.key));
            items.push(match moved {
                Some(was) => item(
                    "subchart-moved",
                    Weight::Act,
                    format!("the values of subchart {} stand below {key} where they stood below {}", now.name, was.key),
                )
                .next(format!("move what your values set below {} to {key}", was.key)),
                None => item("subchart-added", Weight::Look, format!("subchart {} {} is new", named(now), now.version)),
            });
            continue;
        };
        if was.name != now.name {
            items.push(item(
                "subchart-replaced",
                Weight::Look,
                format!("subchart {key} is now {} {} where it was {} {}", now.name, now.version, was.name, was.version),
            ));
        } else if was.version != now.version {
            let (more, weight) = said(leap(&was.version, &now.version));
            let app = match (&was.app_version, &now.app_version) {
                (Some(was), Some(now)) if was != now => format!(" (application {was} to {now})"),
                _ => String::new(),
            };
            items.push(item(
                "subchart-version",
                weight,
                format!("subchart {} goes from {} to {}{more}{app}", named(now), was.version, now.version),
            ));
        }
    }
    for (key, was) in &before {
        let moved = || after.values().any(|now| now.name == was.name && !before.contains_key(&now.key));
        if !after.contains_key(key) && !moved() {
            let what = format!("subchart {} {} is gone, with all that it made", named(was), was.version);
            items.push(Item::new("subchart-removed", Weight::Look, what, from_chart(&format!("subchart {key}"))).about_path(key));
        }
    }
    items
}

/// The name, and the key where that is another.
fn named(chart: &Subchart) -> String {
    if chart.key == chart.name { chart.name.clone() } else { format!("{} ({})", chart.name, chart.key) }
}

trait AboutPath {
    fn about_path(self, path: &str) -> Self;
}

impl AboutPath for Item {
    /// With the key of the values that it is about.
    fn about_path(mut self, path: &str) -> Self {
        self.path = Some(path.to_owned());
        self
    }
}

#[cfg(test)]
mod tests;
