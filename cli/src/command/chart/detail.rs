//! What a chart holds, read from its archive and, where there is a helm, from a render with its own defaults.

use super::source::Loaded;
use groundswell_helm::archive::{ChartArchive, ChartMetadata, Subchart};
use groundswell_helm::values::parse_values;
use schemars::JsonSchema;
use serde::Serialize;
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};

/// What a chart holds. This is also the JSON of `chart show -o json`.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct ChartDetail {
    /// `groundswell.dev/v1alpha1`.
    pub(crate) api_version: String,
    /// `ChartDetail`.
    pub(crate) kind: String,
    /// From `Chart.yaml`.
    pub(crate) name: String,
    /// From `Chart.yaml`.
    pub(crate) version: String,
    /// Version of the application.
    pub(crate) app_version: Option<String>,
    /// Kubernetes versions that it asks for.
    pub(crate) kube_version: Option<String>,
    /// One sentence of the authors.
    pub(crate) description: Option<String>,
    /// `application` or `library`.
    #[serde(rename = "type")]
    pub(crate) chart_type: String,
    /// Whether the authors no longer care for it.
    pub(crate) deprecated: bool,
    /// SHA-256 of the archive; of a folder, of its reproducible packing.
    pub(crate) digest: String,
    /// Bytes of the archive.
    pub(crate) size: u64,
    /// Bytes that it expands to.
    pub(crate) expanded_size: u64,
    /// Files in it, without those inside packed subcharts.
    pub(crate) files: usize,
    /// Whether it has a `values.schema.json`.
    pub(crate) has_schema: bool,
    /// Charts that it names or that are packed inside it.
    pub(crate) dependencies: Vec<DependencyDetail>,
    /// Images with the chart's own defaults.
    pub(crate) images: Vec<String>,
    /// How the images and hooks are known.
    pub(crate) known_from: KnownFrom,
    /// Keys of `values.yaml`, the top level.
    pub(crate) values: Vec<ValueDetail>,
    /// Custom resource definitions, those of subcharts included.
    pub(crate) crds: Vec<CrdDetail>,
    /// Hooks, tests included.
    pub(crate) hooks: Vec<HookDetail>,
}

/// How images and hooks are known.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) enum KnownFrom {
    /// The chart was rendered with its own defaults.
    Render,
    /// There was no helm: images are guessed from `values.yaml`, hooks from the text of the templates.
    Files,
}

/// A chart inside a chart.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct DependencyDetail {
    /// Key of its values.
    pub(crate) key: String,
    /// Its name.
    pub(crate) name: String,
    /// The versions that `Chart.yaml` allows; absent when it does not name the chart.
    pub(crate) range: Option<String>,
    /// The version that is packed inside; absent when it is not there.
    pub(crate) version: Option<String>,
    /// Keys of the values that switch it on or off.
    pub(crate) condition: Option<String>,
    /// Tags that switch it on or off.
    pub(crate) tags: Vec<String>,
    /// Where it came from.
    pub(crate) repository: Option<String>,
}

/// A key of `values.yaml`.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct ValueDetail {
    /// Which.
    pub(crate) key: String,
    /// `string`, `number`, `boolean`, `list`, `map` or `null`.
    #[serde(rename = "type")]
    pub(crate) value_type: &'static str,
    /// Its default.
    pub(crate) default: Value,
    /// First line of the comment above it.
    pub(crate) comment: Option<String>,
}

/// A custom resource definition.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct CrdDetail {
    /// `plural.group`.
    pub(crate) name: String,
    /// Kind that it defines.
    pub(crate) kind: String,
    /// Versions that are served.
    pub(crate) versions: Vec<String>,
    /// File or template that it comes from.
    pub(crate) source: String,
}

/// A hook.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct HookDetail {
    /// Template that it comes from.
    pub(crate) source: String,
    /// Its kind; empty when the chart was not rendered.
    pub(crate) kind: String,
    /// Its name; empty when the chart was not rendered.
    pub(crate) name: String,
    /// When it runs: `pre-install`, `post-upgrade` and others.
    pub(crate) events: Vec<String>,
}

/// What a render with the chart's defaults brought: the template and the object.
pub(crate) type Objects = Vec<(String, Value)>;

/// Puts it together.
pub(crate) fn detail(loaded: &Loaded, rendered: Option<&Objects>) -> ChartDetail {
    let archive = &loaded.archive;
    let metadata = &archive.metadata;
    let values = defaults(archive);
    let (images, hooks, known_from) = match rendered {
        Some(objects) => (images_of(objects.iter().map(|(_, object)| object)), rendered_hooks(objects), KnownFrom::Render),
        None => (guessed_images(&Value::Object(values.clone())), written_hooks(archive), KnownFrom::Files),
    };
    ChartDetail {
        api_version: groundswell_api::dto::API_VERSION.to_owned(),
        kind: "ChartDetail".to_owned(),
        name: metadata.name.clone(),
        version: metadata.version.clone(),
        app_version: metadata.app_version.clone(),
        kube_version: metadata.kube_version.clone(),
        description: metadata.description.clone(),
        chart_type: metadata.kind.clone().unwrap_or_else(|| "application".to_owned()),
        deprecated: metadata.deprecated.unwrap_or(false),
        digest: archive.digest.clone(),
        size: archive.compressed_bytes,
        expanded_size: archive.expanded_bytes,
        files: archive.files.len(),
        has_schema: archive.values_schema().is_some(),
        dependencies: dependencies(metadata, &archive.subcharts),
        images,
        known_from,
        values: keys(&values, archive.values_yaml()),
        crds: crds(archive, rendered),
        hooks,
    }
}

fn defaults(archive: &ChartArchive) -> serde_json::Map<String, Value> {
    let text = archive.values_yaml().and_then(|bytes| std::str::from_utf8(bytes).ok()).unwrap_or_default();
    // Helm itself will say what is wrong with it.
    parse_values("values.yaml", text).unwrap_or_default()
}

fn dependencies(metadata: &ChartMetadata, inside: &[Subchart]) -> Vec<DependencyDetail> {
    let named = metadata.dependencies.iter().map(|dependency| DependencyDetail {
        key: dependency.values_key().to_owned(),
        name: dependency.name.clone(),
        range: dependency.version.clone(),
        version: inside.iter().find(|chart| chart.metadata.name == dependency.name).map(|chart| chart.metadata.version.clone()),
        condition: dependency.condition.clone().filter(|condition| !condition.is_empty()),
        tags: dependency.tags.clone(),
        repository: dependency.repository.clone().filter(|repository| !repository.is_empty()),
    });
    let unnamed = inside.iter().filter(|chart| metadata.dependencies.iter().all(|dependency| dependency.name != chart.metadata.name));
    let unnamed = unnamed.map(|chart| DependencyDetail {
        key: chart.metadata.name.clone(),
        name: chart.metadata.name.clone(),
        range: None,
        version: Some(chart.metadata.version.clone()),
        condition: None,
        tags: Vec::new(),
        repository: None,
    });
    named.chain(unnamed).collect()
}

fn keys(values: &serde_json::Map<String, Value>, text: Option<&[u8]>) -> Vec<ValueDetail> {
    let text = text.and_then(|bytes| std::str::from_utf8(bytes).ok()).unwrap_or_default();
    let comments = comments(text);
    let detail = |(key, default): (&String, &Value)| ValueDetail {
        key: key.clone(),
        value_type: type_of(default),
        default: default.clone(),
        comment: comments.get(key.as_str()).cloned(),
    };
    values.iter().map(detail).collect()
}

fn type_of(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "boolean",
        Value::Number(_) => "number",
        Value::String(_) => "string",
        Value::Array(_) => "list",
        Value::Object(_) => "map",
    }
}

/// The first line of the comment that stands directly above each key of the top level.
fn comments(text: &str) -> BTreeMap<&str, String> {
    let (mut found, mut above) = (BTreeMap::new(), None::<String>);
    for line in text.lines() {
        if let Some(comment) = line.strip_prefix('#') {
            let said = comment.trim_start_matches(['#', ' ', '-']).trim();
            // Some authors write annotations for tools: `@param image.tag  Tag`, `@default --`.
            if above.is_none() && !said.is_empty() && !said.starts_with('@') {
                above = Some(said.to_owned());
            }
        } else {
            if let (Some((key, _)), false) = (line.split_once(':'), line.starts_with([' ', '-', '\t'])) {
                found.extend(above.take().map(|said| (key.trim_matches(['"', '\'']), said)));
            }
            above = None;
        }
    }
    found
}

/// All `image` fields of containers and custom resources.
fn images_of<'v>(objects: impl Iterator<Item = &'v Value>) -> Vec<String> {
    let mut found = BTreeSet::new();
    // A CRD speaks of images without using one.
    for object in objects.filter(|object| object["kind"] != "CustomResourceDefinition") {
        collect(object, &mut found);
    }
    found.into_iter().collect()
}

fn collect(value: &Value, found: &mut BTreeSet<String>) {
    match value {
        Value::Object(map) => {
            for (key, value) in map {
                match value {
                    Value::String(image) if key == "image" && !image.is_empty() => {
                        found.insert(image.clone());
                    }
                    other => collect(other, found),
                }
            }
        }
        Value::Array(items) => items.iter().for_each(|item| collect(item, found)),
        // `--prometheus-config-reloader=quay.io/…:v1`: operators are told of images by flags.
        Value::String(flag) if flag.starts_with("--") => {
            found.extend(flag.split_once('=').map(|(_, image)| image).filter(|image| looks_like_image(image)).map(str::to_owned));
        }
        _ => {}
    }
}

/// A registry with a dot, a path, and a tag or digest.
fn looks_like_image(text: &str) -> bool {
    let Some((registry, rest)) = text.split_once('/') else { return false };
    let is_host = registry.contains('.') && registry.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'-' | b':'));
    is_host && !registry.contains("://") && rest.contains(':') && !rest.contains([' ', '=', '?'])
}

/// `image: {registry, repository, tag}` in the values, put together as most charts do.
fn guessed_images(values: &Value) -> Vec<String> {
    fn walk(value: &Value, found: &mut BTreeSet<String>) {
        let Value::Object(map) = value else { return };
        for (key, value) in map {
            let of = |key: &str| value.get(key).and_then(Value::as_str).filter(|text| !text.is_empty());
            match (value, of("repository")) {
                (Value::String(image), _) if key == "image" && !image.is_empty() => {
                    found.insert(image.clone());
                }
                (Value::Object(_), Some(repository)) if key.to_lowercase().ends_with("image") => {
                    let registry = of("registry").map(|registry| format!("{registry}/")).unwrap_or_default();
                    let tag = of("tag").map(|tag| format!(":{tag}")).unwrap_or_default();
                    found.insert(format!("{registry}{repository}{tag}"));
                }
                _ => walk(value, found),
            }
        }
    }
    let mut found = BTreeSet::new();
    walk(values, &mut found);
    found.into_iter().collect()
}

const HOOK: &str = "helm.sh/hook";

fn rendered_hooks(objects: &Objects) -> Vec<HookDetail> {
    let hook = |(source, object): &(String, Value)| {
        let events = object["metadata"]["annotations"][HOOK].as_str()?;
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        Some(HookDetail {
            source: source.clone(),
            kind: text(&object["kind"]),
            name: text(&object["metadata"]["name"]),
            events: split(events),
        })
    };
    let found: BTreeSet<HookDetail> = objects.iter().filter_map(hook).collect();
    found.into_iter().collect()
}

fn written_hooks(archive: &ChartArchive) -> Vec<HookDetail> {
    let mut found = BTreeSet::new();
    for (path, data) in archive.templates() {
        for line in String::from_utf8_lossy(data).lines() {
            let plain = line.trim().trim_start_matches(['"', '\'']);
            let events = plain.strip_prefix(HOOK).map(|rest| rest.trim_start_matches(['"', '\'']).trim_start());
            if let Some(events) = events.and_then(|rest| rest.strip_prefix(':')) {
                found.insert(HookDetail {
                    source: path.to_owned(),
                    kind: String::new(),
                    name: String::new(),
                    events: split(events.trim().trim_matches(['"', '\''])),
                });
            }
        }
    }
    found.into_iter().collect()
}

fn split(events: &str) -> Vec<String> {
    events.split(',').map(|event| event.trim().to_owned()).filter(|event| !event.is_empty()).collect()
}

fn crds(archive: &ChartArchive, rendered: Option<&Objects>) -> Vec<CrdDetail> {
    let files = archive.crds().into_iter().flat_map(|file| {
        let source = if file.chart.len() > 1 { format!("{}/{}", file.chart[1..].join("/"), file.path) } else { file.path.clone() };
        documents(&String::from_utf8_lossy(&file.data)).into_iter().map(move |object| (source.clone(), object))
    });
    let found: BTreeSet<CrdDetail> =
        files.chain(rendered.into_iter().flatten().cloned()).filter_map(|(source, object)| crd(source, &object)).collect();
    found.into_iter().collect()
}

fn crd(source: String, object: &Value) -> Option<CrdDetail> {
    if object["kind"] != "CustomResourceDefinition" {
        return None;
    }
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let spec = &object["spec"];
    let listed = spec["versions"].as_array().into_iter().flatten().filter(|version| version["served"] != false);
    let mut versions: Vec<String> = listed.map(|version| text(&version["name"])).collect();
    // v1beta1 of the API had one version beside the list.
    versions.extend(spec["version"].as_str().filter(|_| versions.is_empty()).map(str::to_owned));
    Some(CrdDetail { name: text(&object["metadata"]["name"]), kind: text(&spec["names"]["kind"]), versions, source })
}

/// The documents of a YAML stream; what cannot be read is left out, helm will say so.
pub(crate) fn documents(text: &str) -> Vec<Value> {
    let mut parts = vec![String::new()];
    for line in text.lines() {
        if line == "---" || line.starts_with("--- ") {
            parts.push(String::new());
        } else if let Some(part) = parts.last_mut() {
            part.push_str(line);
            part.push('\n');
        }
    }
    parts.iter().filter_map(|part| serde_saphyr::from_str(part).ok()).filter(Value::is_object).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn comments_belong_to_the_key_below() {
        let text =
            "# Licence\n\n## How many\n## more\nreplicas: 1\n# @param image\nimage: x\nmap:\n  # inner\n  a: 1\n# -- last\n\"b.c\": 2\n";
        let found = comments(text);
        let expected = BTreeMap::from([("replicas", "How many".to_owned()), ("b.c", "last".to_owned())]);
        assert_eq!(found, expected);
    }

    #[test]
    fn images_are_found_where_operators_put_them() {
        let object = json!({"kind": "Deployment", "spec": {"template": {"spec": {"containers": [
            {"image": "quay.io/op:v1", "args": ["--reloader=quay.io/reloader:v1", "--url=https://a.b/c:1", "--log=debug"]}]}}}});
        let crd = json!({"kind": "CustomResourceDefinition", "spec": {"image": "no"}});
        assert_eq!(images_of([&object, &crd].into_iter()), ["quay.io/op:v1", "quay.io/reloader:v1"]);
        let values = json!({"image": {"registry": "quay.io", "repository": "op", "tag": "v1"}, "a": {"sideImage": {"repository": "x"}}, "b": {"image": "y:1"}});
        assert_eq!(guessed_images(&values), ["quay.io/op:v1", "x", "y:1"]);
    }

    #[test]
    fn definitions_say_what_they_serve() {
        let text = "# head\n---\nkind: CustomResourceDefinition\nmetadata: {name: beacons.example.org}\nspec:\n  names: {kind: Beacon}\n  versions: [{name: v1, served: true}, {name: v0, served: false}]\n---\nkind: ConfigMap\n";
        let all: Vec<_> = documents(text).iter().filter_map(|object| crd("crds/x.yaml".into(), object)).collect();
        assert_eq!(all.len(), 1);
        assert_eq!(
            (all[0].name.as_str(), all[0].kind.as_str(), all[0].versions.as_slice()),
            ("beacons.example.org", "Beacon", ["v1".to_owned()].as_slice())
        );
    }
}
