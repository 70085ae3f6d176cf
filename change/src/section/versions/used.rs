//! Which images each render uses, and what becomes of them.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use super::super::Context;
use super::super::read::{Seen, about, claim, news, olds};
use super::image::Image;
use super::{Leap, leap};
use crate::summary::{Item, ObjectRef, Weight};

/// Deepest field that is looked at; the pod specs of the deepest custom resources known lie at 12.
const DEEPEST: usize = 40;

/// Kinds that hold text or schemas, whose `image` is none.
const NONE: [&str; 4] = ["ConfigMap", "Secret", "CustomResourceDefinition", "PrometheusRule"];

/// An image and the place that names it.
pub(in super::super) struct Use {
    path: String,
    image: Image,
}

impl Use {
    /// As it is written in full.
    pub(in super::super) fn written(&self) -> String {
        self.image.to_string()
    }
}

/// All images that an object names.
pub(in super::super) fn images(value: &Value) -> Vec<Use> {
    let mut found = Vec::new();
    if !value.get("kind").and_then(Value::as_str).is_some_and(|kind| NONE.contains(&kind)) {
        walk(value, "", 0, &mut found);
    }
    found
}

fn walk(value: &Value, path: &str, depth: usize, found: &mut Vec<Use>) {
    if depth > DEEPEST {
        return;
    }
    match value {
        Value::Object(map) => {
            if let Some(image) = here(value) {
                found.push(Use { path: format!("{path}.image"), image });
            }
            for (key, inner) in map {
                match (key.as_str(), inner) {
                    ("args" | "command", Value::Array(args)) => arguments(args, &format!("{path}.{key}"), found),
                    ("env", Value::Array(env)) => environment(env, &format!("{path}.{key}"), found),
                    // Free text and names of others.
                    ("annotations" | "labels" | "data" | "status", _) => {}
                    _ => walk(inner, &format!("{path}.{key}"), depth + 1, found),
                }
            }
        }
        Value::Array(items) => {
            for (n, item) in items.iter().enumerate() {
                let name = item.get("name").and_then(Value::as_str).map_or_else(|| n.to_string(), str::to_owned);
                walk(item, &format!("{path}[{name}]"), depth + 1, found);
            }
        }
        _ => {}
    }
}

/// The image that a map names itself: `image: x`, `baseImage: x, tag: y`, `image: {repository: x, tag: y}`.
fn here(map: &Value) -> Option<Image> {
    let text = |value: &Value, key: &str| value.get(key).and_then(Value::as_str).filter(|text| !text.is_empty()).map(str::to_owned);
    if let Some(image) = text(map, "image") {
        return Image::parse(&image);
    }
    let (base, from) = match map.get("image") {
        Some(inner @ Value::Object(_)) => (text(inner, "repository")?, inner),
        _ => (text(map, "baseImage")?, map),
    };
    let base = text(from, "registry").map_or(base.clone(), |registry| format!("{registry}/{base}"));
    let mut image = Image::parse(&base)?;
    if image.tag.is_empty() {
        image.tag = text(from, "tag").or_else(|| text(map, "version")).unwrap_or_default();
    }
    if let Some(sha) = text(from, "sha").or_else(|| text(from, "digest")) {
        image.digest = if sha.contains(':') { sha } else { format!("sha256:{sha}") };
    }
    Some(image)
}

/// Images in `--flag=image` and `--flag image`.
fn arguments(args: &[Value], path: &str, found: &mut Vec<Use>) {
    let mut flag_before = "";
    for arg in args.iter().filter_map(Value::as_str) {
        let (flag, value) = match arg.split_once('=') {
            Some((flag, value)) if flag.starts_with('-') => (flag, value),
            _ => (flag_before, arg),
        };
        if flag.starts_with('-')
            && let Some(image) = named(flag, value)
        {
            found.push(Use { path: format!("{path}[{flag}]"), image });
        }
        flag_before = if arg.starts_with('-') { arg } else { "" };
    }
}

fn environment(env: &[Value], path: &str, found: &mut Vec<Use>) {
    for entry in env {
        let (Some(name), Some(value)) = (entry.get("name").and_then(Value::as_str), entry.get("value").and_then(Value::as_str)) else {
            continue;
        };
        if let Some(image) = named(name, value) {
            found.push(Use { path: format!("{path}[{name}]"), image });
        }
    }
}

/// The image in a value, when its name or its look says that it is one.
fn named(name: &str, value: &str) -> Option<Image> {
    let name = name.to_ascii_lowercase();
    let says_so = name.contains("image") && !name.contains("pull");
    if says_so { Image::parse(value).filter(|image| value.contains('/') && !image.build().is_empty()) } else { Image::certain(value) }
}

/// An image of one render with the objects that use it.
type Users<'c> = BTreeMap<Image, Vec<Seen<'c>>>;

pub(super) fn items(context: &Context<'_>) -> Vec<Item> {
    let before = all(olds(context.objects).into_iter().chain(olds(context.hooks)));
    let after = all(news(context.objects).into_iter().chain(news(context.hooks)));
    let was = users(&before);
    let is = users(&after);
    let steps = steps(&before, &after, &was, &is);
    let mut items: Vec<Item> = steps.iter().filter_map(|((old, new), seen)| step(old, new, seen)).collect();
    let covered_old: BTreeSet<&Image> = steps.keys().map(|(old, _)| old).collect();
    let covered_new: BTreeSet<&Image> = steps.keys().map(|(_, new)| new).collect();
    for (image, seen) in is.iter().filter(|(image, _)| !was.contains_key(image) && !covered_new.contains(image)) {
        items.push(claim("image-new", Weight::Look, format!("image {image} is new: it has to be in your mirror before"), seen));
    }
    for (image, seen) in was.iter().filter(|(image, _)| !is.contains_key(image) && !covered_old.contains(image)) {
        items.push(claim("image-gone", Weight::Know, format!("image {image} is used no more"), seen));
    }
    // Where images come from first: what a mirror lacks stops pods from starting.
    items.sort_by_key(|item| match item.code.as_str() {
        "image-moved" => 0,
        "image-new" => 1,
        "image-major" | "image-back" => 2,
        "image-gone" => 4,
        _ => 3,
    });
    items
}

fn all<'c>(objects: impl Iterator<Item = Seen<'c>>) -> Vec<(Seen<'c>, Use)> {
    objects.flat_map(|seen| images(seen.value()).into_iter().map(move |one| (seen, one))).collect()
}

fn users<'c>(uses: &[(Seen<'c>, Use)]) -> Users<'c> {
    let mut users = Users::new();
    for (seen, one) in uses {
        users.entry(one.image.clone()).or_default().push(*seen);
    }
    users
}

/// Which image follows which: first where the same place of the same object names another, then by the repository, then by its last
/// part, as a mirror keeps it.
fn steps<'c>(
    before: &[(Seen<'c>, Use)],
    after: &[(Seen<'c>, Use)],
    was: &Users<'c>,
    is: &Users<'c>,
) -> BTreeMap<(Image, Image), Vec<Seen<'c>>> {
    let places: BTreeMap<(&ObjectRef, &str), &Image> =
        before.iter().map(|(seen, one)| ((seen.object, one.path.as_str()), &one.image)).collect();
    let mut steps: BTreeMap<(Image, Image), Vec<Seen<'c>>> = BTreeMap::new();
    for (seen, one) in after {
        if let Some(old) = places.get(&(seen.object, one.path.as_str()))
            && **old != one.image
        {
            steps.entry(((*old).clone(), one.image.clone())).or_default().push(*seen);
        }
    }
    let followed: BTreeSet<Image> = steps.keys().map(|(_, new)| new.clone()).collect();
    let left: BTreeSet<Image> = steps.keys().map(|(old, _)| old.clone()).collect();
    let gone: Vec<&Image> = was.keys().filter(|old| !is.contains_key(old)).collect();
    for (new, seen) in is.iter().filter(|(new, _)| !was.contains_key(new) && !followed.contains(new)) {
        let same = |old: &&&Image| old.name() == new.name();
        let alike = |old: &&&Image| old.short() == new.short() && !left.contains(**old);
        if let Some(old) = gone.iter().find(same).or_else(|| gone.iter().find(alike)) {
            steps.entry(((*old).clone(), new.clone())).or_default().extend(seen);
        }
    }
    steps
}

fn step(old: &Image, new: &Image, seen: &[Seen<'_>]) -> Option<Item> {
    let item = |code, weight, what: String| {
        let item = claim(code, weight, what, seen);
        let objects = if item.objects.is_empty() { item.object.iter().cloned().collect() } else { item.objects.clone() };
        let mut item = item.field("image", Some(Value::String(old.to_string())), Some(Value::String(new.to_string())));
        about(&mut item, objects);
        item
    };
    let builds = || if old.build() == new.build() { new.build() } else { format!("{} to {}", old.build(), new.build()) };
    if old.name() != new.name() {
        let what = if old.registry != new.registry && old.repository == new.repository {
            format!("image {} now comes from {} where it came from {} ({})", new.repository, new.registry, old.registry, builds())
        } else if old.short() == new.short() {
            format!("image {} is now {} ({})", old.name(), new.name(), builds())
        } else {
            format!("image {}:{} takes the place of {}:{}", new.name(), new.build(), old.name(), old.build())
        };
        return Some(item("image-moved", Weight::Look, what).next(format!("have {new} in your mirror and its rules before the upgrade")));
    }
    if old.tag == new.tag {
        let what = match (old.digest.is_empty(), new.digest.is_empty()) {
            (true, true) => return None,
            (false, false) => format!("image {} has another digest under the same tag {}", new.name(), new.build()),
            (true, false) => format!("image {}:{} is now pinned to a digest", new.name(), new.build()),
            (false, true) => format!("image {}:{} is no longer pinned to a digest", new.name(), new.build()),
        };
        return Some(item("image-digest", Weight::Know, what));
    }
    let line = format!("image {} goes from {} to {}", new.name(), old.build(), new.build());
    Some(match leap(&old.tag, &new.tag) {
        Leap::Majors(1) => item("image-major", Weight::Look, format!("{line}, a new major version")),
        Leap::Majors(n) => item("image-major", Weight::Look, format!("{line}, {n} major versions on")),
        Leap::Back => item("image-back", Weight::Look, format!("{line}, which is older")),
        Leap::None | Leap::Small => item("image-tag", Weight::Know, line),
    })
}
