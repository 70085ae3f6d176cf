//! Which images a chart brings into a cluster: read from a render, or guessed from its defaults and the text of its templates.

use super::detail::Objects;
use groundswell_helm::archive::{ChartArchive, Files};
use serde_json::{Map, Value};
use std::collections::BTreeSet;

/// Lists of containers, wherever a pod's template stands.
const CONTAINERS: [&str; 3] = ["containers", "initContainers", "ephemeralContainers"];

/// Images of the pods, of image volumes, and those that custom resources name for pods that an operator makes.
pub(super) fn rendered(objects: &Objects) -> Vec<String> {
    let mut found = BTreeSet::new();
    for (_, object) in objects {
        of_object(object, &mut found);
    }
    found.into_iter().collect()
}

fn of_object(object: &Value, found: &mut BTreeSet<String>) {
    let Value::Object(map) = object else { return };
    match map.get("kind").and_then(Value::as_str) {
        // What is in it is data, whatever it looks like.
        Some("ConfigMap" | "Secret") | None => {}
        // It speaks of images without using one.
        Some("CustomResourceDefinition") => {}
        Some("List") => map.get("items").and_then(Value::as_array).into_iter().flatten().for_each(|item| of_object(item, found)),
        Some(_) => {
            let is_custom = map.get("apiVersion").and_then(Value::as_str).is_some_and(is_custom);
            map.iter().filter(|(key, _)| *key != "metadata").for_each(|(key, value)| below(key, value, is_custom, found));
        }
    }
}

/// Kubernetes' own groups have no dot, or end in `.k8s.io`.
fn is_custom(api_version: &str) -> bool {
    api_version.split_once('/').is_some_and(|(group, _)| group.contains('.') && !group.ends_with(".k8s.io"))
}

fn below(key: &str, value: &Value, is_custom: bool, found: &mut BTreeSet<String>) {
    match value {
        Value::Array(items) if CONTAINERS.contains(&key) => items.iter().for_each(|container| of_container(container, is_custom, found)),
        Value::Array(items) if key == "volumes" => {
            found.extend(items.iter().filter_map(|volume| text(volume.get("image")?, "reference")).map(str::to_owned));
        }
        Value::Array(items) => items.iter().for_each(|item| below("", item, is_custom, found)),
        Value::Object(map) if is_custom && names_image(key) && !map.contains_key("image") => match put_together(map) {
            Some(image) => found.extend(Some(image)),
            None => map.iter().for_each(|(key, value)| below(key, value, is_custom, found)),
        },
        Value::Object(map) => map.iter().for_each(|(key, value)| below(key, value, is_custom, found)),
        Value::String(image) if is_custom && is_named(key, image) => found.extend(Some(image.clone())),
        _ => {}
    }
}

fn of_container(container: &Value, is_custom: bool, found: &mut BTreeSet<String>) {
    found.extend(text(container, "image").map(str::to_owned));
    // `--prometheus-config-reloader=quay.io/…:v1`: operators are told of images by flags, in one word or two.
    for words in ["command", "args"].into_iter().filter_map(|key| container[key].as_array()) {
        let words: Vec<&str> = words.iter().map(|word| word.as_str().unwrap_or_default()).collect();
        let apart = words.windows(2).filter(|pair| is_flag(pair[0]) && !pair[0].contains('=')).map(|pair| pair[1]);
        let together = words.iter().filter(|word| is_flag(word)).filter_map(|word| word.split_once('=')).map(|(_, image)| image);
        found.extend(together.chain(apart).filter(|image| has_registry(image) && is_pinned(image)).map(str::to_owned));
    }
    // Custom resources carry more in their containers than Kubernetes knows.
    if let (true, Value::Object(map)) = (is_custom, container) {
        map.iter().filter(|(key, _)| *key != "image").for_each(|(key, value)| below(key, value, is_custom, found));
    }
}

fn is_flag(word: &str) -> bool {
    word.starts_with('-')
}

fn text<'v>(value: &'v Value, key: &str) -> Option<&'v str> {
    value.get(key).and_then(Value::as_str).filter(|text| !text.is_empty())
}

/// `image`, `sidecarImage`, `initImage`.
fn names_image(key: &str) -> bool {
    key == "image" || key.ends_with("Image")
}

/// `image: nginx` names one; of `backgroundImage: blue` that is not so sure, so that it has to have a place or a tag.
fn is_named(key: &str, image: &str) -> bool {
    is_reference(image) && (key == "image" || key.ends_with("Image") && image.contains(['/', ':', '@']))
}

/// `{registry, repository, tag, digest}`, put together as most charts do.
fn put_together(map: &Map<String, Value>) -> Option<String> {
    let of = |key: &str| match map.get(key) {
        Some(Value::String(text)) if !text.is_empty() => Some(text.clone()),
        // `tag: 1.27` is written for a text.
        Some(Value::Number(number)) => Some(number.to_string()),
        _ => None,
    };
    let repository = of("repository").or_else(|| of("name").filter(|_| map.contains_key("tag")))?;
    let registry = of("registry").map(|registry| format!("{registry}/")).unwrap_or_default();
    let tag = of("tag").map(|tag| format!(":{tag}")).unwrap_or_default();
    let digest = of("digest").or_else(|| of("sha").map(|sha| if sha.starts_with("sha256:") { sha } else { format!("sha256:{sha}") }));
    let digest = digest.map(|digest| format!("@{digest}")).unwrap_or_default();
    Some(format!("{registry}{repository}{tag}{digest}")).filter(|image| is_reference(image))
}

/// Whether the text can be the name of an image: `[HOST[:PORT]/]PATH[:TAG][@DIGEST]`.
fn is_reference(text: &str) -> bool {
    let (rest, digest) = text.split_once('@').map_or((text, None), |(rest, digest)| (rest, Some(digest)));
    let (path, tag) = match rest.rsplit_once(':') {
        Some((path, tag)) if !tag.contains('/') => (path, Some(tag)),
        _ => (rest, None),
    };
    let word = |text: &str, more: &[u8]| !text.is_empty() && text.bytes().all(|b| b.is_ascii_alphanumeric() || more.contains(&b));
    let (host, parts) = match path.split_once('/') {
        Some((host, parts)) if host.contains(['.', ':']) || host == "localhost" => (Some(host), parts),
        _ => (None, path),
    };
    let is_part = |part: &str| word(part, b"._-") && !part.bytes().any(|b| b.is_ascii_uppercase());
    host.is_none_or(|host| word(host, b".-:"))
        && parts.split('/').all(is_part)
        && tag.is_none_or(|tag| tag.len() <= 128 && word(tag, b"._-"))
        && digest.is_none_or(|digest| digest.split_once(':').is_some_and(|(by, hex)| word(by, b"+._-") && word(hex, b"")))
}

/// A registry with a dot, and a path.
fn has_registry(text: &str) -> bool {
    is_reference(text) && text.split_once('/').is_some_and(|(host, _)| host.contains('.'))
}

/// Whether the name says which one it is. A guess often cannot: charts take the tag from their `appVersion` when they render.
pub(crate) fn is_pinned(image: &str) -> bool {
    image.contains('@') || image.rsplit('/').next().is_some_and(|last| last.contains(':'))
}

/// What the defaults name as images (those of the charts inside that are on by default, too), and what templates write out.
pub(super) fn guessed(archive: &ChartArchive, defaults: &Value) -> Vec<String> {
    let mut found = BTreeSet::new();
    in_values(archive, defaults, &mut found);
    written(&archive.files, &mut found);
    for (_, sub) in archive.subcharts_for(defaults) {
        written(&sub.files, &mut found);
    }
    found.into_iter().collect()
}

/// Values of a chart that is off are left aside.
fn in_values(archive: &ChartArchive, defaults: &Value, found: &mut BTreeSet<String>) {
    let on: BTreeSet<Vec<String>> = archive.subcharts_for(defaults).into_iter().map(|(keys, _)| keys).collect();
    let mut values = defaults.clone();
    for dependency in &archive.metadata.dependencies {
        let key = dependency.values_key();
        if let (false, Value::Object(map)) = (on.contains(&vec![key.to_owned()]), &mut values) {
            map.remove(key);
        }
    }
    walk(&values, found);
}

fn walk(value: &Value, found: &mut BTreeSet<String>) {
    match value {
        Value::Object(map) => {
            for (key, value) in map {
                match value {
                    Value::String(image) if is_named(key, image) => found.extend(Some(image.clone())),
                    Value::Object(map) if names_image(key) => match put_together(map) {
                        Some(image) => found.extend(Some(image)),
                        None => walk(value, found),
                    },
                    other => walk(other, found),
                }
            }
        }
        Value::Array(items) => items.iter().for_each(|item| walk(item, found)),
        _ => {}
    }
}

/// `image: quay.io/…:v1` in the text of a template, where no part of it is computed.
fn written(files: &Files, found: &mut BTreeSet<String>) {
    for (_, data) in files.iter().filter(|(path, _)| path.starts_with("templates/")) {
        for line in String::from_utf8_lossy(data).lines() {
            let image = line.trim().trim_start_matches("- ").strip_prefix("image:").map(|image| image.trim().trim_matches(['"', '\'']));
            found.extend(image.filter(|image| is_reference(image)).map(str::to_owned));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn of(object: Value) -> Vec<String> {
        rendered(&vec![("templates/x.yaml".to_owned(), object)])
    }

    #[test]
    fn images_of_pods_and_of_their_volumes() {
        let pod = json!({
            "containers": [{"image": "a:1", "args": ["--reloader=quay.io/x/reloader:v2", "--url=https://x.y/z:1", "--name=b"]}],
            "initContainers": [{"image": "b", "command": ["run", "quay.io/x/no:1", "-r", "quay.io/x/runner:v3", "--to", "db.example:5432", "-v=2", "h.io/x/no:2"]}],
            "ephemeralContainers": [{"image": "c@sha256:00"}],
            "volumes": [{"name": "v", "image": {"reference": "d:4"}}, {"name": "w", "configMap": {"name": "image"}}],
        });
        let all = ["a:1", "b", "c@sha256:00", "d:4", "quay.io/x/reloader:v2", "quay.io/x/runner:v3"];
        assert_eq!(of(json!({"kind": "Pod", "apiVersion": "v1", "spec": pod})), all);
        let deployment = json!({"kind": "Deployment", "apiVersion": "apps/v1", "spec": {"template": {"spec": pod}}});
        assert_eq!(of(deployment.clone()), all);
        let cron = json!({"kind": "CronJob", "apiVersion": "batch/v1", "spec": {"jobTemplate": {"spec": {"template": {"spec": pod}}}}});
        assert_eq!(of(cron), all);
        assert_eq!(of(json!({"kind": "List", "apiVersion": "v1", "items": [deployment]})), all);
    }

    #[test]
    fn data_is_no_image() {
        for kind in ["ConfigMap", "Secret", "CustomResourceDefinition"] {
            let data = json!({"kind": kind, "apiVersion": "v1", "data": {"image": "this is text"}, "stringData": {"image": "nginx:1"}});
            assert_eq!(of(data), Vec::<String>::new());
        }
        let service =
            json!({"kind": "Service", "apiVersion": "v1", "metadata": {"annotations": {"image": "nginx"}}, "spec": {"image": "nginx"}});
        assert_eq!(of(service), Vec::<String>::new());
    }

    #[test]
    fn custom_resources_name_images_in_their_ways() {
        let custom = json!({"kind": "Prometheus", "apiVersion": "monitoring.coreos.com/v1", "metadata": {"image": "no:1"}, "spec": {
            "image": "quay.io/prometheus/prometheus:v3",
            "backup": {"image": {"repository": "r/backup", "tag": 1.5, "pullPolicy": "Always"}},
            "sidecarImage": "r/sidecar:1",
            "backgroundImage": "blue",
            "motd": {"image": "a picture of this"},
            "bootImage": {"registry": "ghcr.io", "repository": "o/boot", "digest": "sha256:00"},
            "nested": {"image": {"image": "inner:1"}},
            "podTemplate": {"spec": {"containers": [{"image": "pod:1"}]}},
        }});
        let all = ["ghcr.io/o/boot@sha256:00", "inner:1", "pod:1", "quay.io/prometheus/prometheus:v3", "r/backup:1.5", "r/sidecar:1"];
        assert_eq!(of(custom), all);
    }

    #[test]
    fn what_can_be_the_name_of_an_image() {
        for good in ["nginx", "nginx:1.27", "a/b_c/d-e:v1.0_x", "localhost:5000/x", "h.io:5000/a/b:1@sha256:0a", "h.io/a@sha256:0a"] {
            assert!(is_reference(good), "{good}");
        }
        for bad in ["", "this is text", "{{ .x }}", "https://h.io/a:1", "a//b", "h.io/A/b", "a:", "a@b", "a:b:c", "x\n"] {
            assert!(!is_reference(bad), "{bad}");
        }
        assert!(is_pinned("h:5000/a:1") && is_pinned("a@sha256:0") && !is_pinned("h:5000/a") && !is_pinned("a"));
    }
}
