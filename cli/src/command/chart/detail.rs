//! What a chart holds, read from its archive and, where there is a helm, from a render with its own defaults.

use super::images;
use super::inside::{self, DependencyDetail};
use super::source::Loaded;
use groundswell_helm::archive::{ChartArchive, Files};
use groundswell_helm::preview::defaults;
use groundswell_helm::values::{ChartValuesError, Position, chart_values};
use schemars::JsonSchema;
use serde::Serialize;
use serde_json::{Map, Value};
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
    /// Images with the chart's own defaults. Guessed ones can be too many, too few, and without their tags.
    pub(crate) images: Vec<String>,
    /// How the images and hooks are known.
    pub(crate) known_from: KnownFrom,
    /// Keys of `values.yaml`, the top level.
    pub(crate) values: Vec<ValueDetail>,
    /// What is wrong with `values.yaml`, or what Helm leaves aside of it.
    pub(crate) values_problem: Option<String>,
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
    /// There was no helm, or it could not render the chart: images are guessed from the values and the text of the templates, hooks
    /// from that text; the charts inside are looked at, too.
    Files,
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
    let (values, values_problem) = own_values(archive).unwrap_or_else(|error| (Map::new(), Some(error.to_string())));
    let (images, hooks, known_from) = match rendered {
        Some(objects) => (images::rendered(objects), rendered_hooks(objects), KnownFrom::Render),
        None => {
            let defaults = defaults(archive);
            (images::guessed(archive, &defaults), written_hooks(archive, &defaults), KnownFrom::Files)
        }
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
        dependencies: inside::charts(metadata, &archive.subcharts),
        images,
        known_from,
        values: keys(&values, archive.values_yaml()),
        values_problem,
        crds: crds(archive, rendered),
        hooks,
    }
}

/// The chart's own values, and what of the file Helm leaves aside.
pub(super) fn own_values(archive: &ChartArchive) -> Result<(Map<String, Value>, Option<String>), ChartValuesError> {
    let read = chart_values("values.yaml", archive.values_yaml().unwrap_or_default())?;
    let second = |at: Position| format!("values.yaml:{at}: a second document begins here, which helm does not read");
    Ok((read.values, read.second.map(second)))
}

fn keys(values: &Map<String, Value>, text: Option<&[u8]>) -> Vec<ValueDetail> {
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

/// Of the chart and of those inside that are on by default.
fn written_hooks(archive: &ChartArchive, defaults: &Value) -> Vec<HookDetail> {
    let mut found = BTreeSet::new();
    hooks_in(&archive.files, "", &mut found);
    for (keys, sub) in archive.subcharts_for(defaults) {
        let at: String = keys.iter().map(|key| format!("charts/{key}/")).collect();
        hooks_in(&sub.files, &at, &mut found);
    }
    found.into_iter().collect()
}

fn hooks_in(files: &Files, at: &str, found: &mut BTreeSet<HookDetail>) {
    for (path, data) in files.iter().filter(|(path, _)| path.starts_with("templates/")) {
        for line in String::from_utf8_lossy(data).lines() {
            let plain = line.trim().trim_start_matches(['"', '\'']);
            let events = plain.strip_prefix(HOOK).map(|rest| rest.trim_start_matches(['"', '\'']).trim_start());
            if let Some(events) = events.and_then(|rest| rest.strip_prefix(':')) {
                found.insert(HookDetail {
                    source: format!("{at}{path}"),
                    kind: String::new(),
                    name: String::new(),
                    events: split(events.trim().trim_matches(['"', '\''])),
                });
            }
        }
    }
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

    #[test]
    fn comments_belong_to_the_key_below() {
        let text =
            "# Licence\n\n## How many\n## more\nreplicas: 1\n# @param image\nimage: x\nmap:\n  # inner\n  a: 1\n# -- last\n\"b.c\": 2\n";
        let found = comments(text);
        let expected = BTreeMap::from([("replicas", "How many".to_owned()), ("b.c", "last".to_owned())]);
        assert_eq!(found, expected);
    }

    #[test]
    fn a_guess_looks_into_the_charts_inside() {
        let folder = tempfile::tempdir().unwrap();
        for (path, text) in [
            (
                "Chart.yaml",
                "apiVersion: v2\nname: a\nversion: 1.0.0\ndependencies:\n- {name: lit, version: 1.0.0, condition: lit.enabled}\n- {name: dark, version: 1.0.0, condition: dark.enabled}\n",
            ),
            (
                "values.yaml",
                "image: {registry: quay.io, repository: op, tag: v1}\na: {sideImage: {repository: x}}\ndark: {enabled: false}\nlit: {enabled: true, image: {tag: v9}}\n",
            ),
            ("templates/x.yaml", "image: {{ .Values.image }}\n  - image: \"fixed:1\"\n"),
            ("charts/lit/Chart.yaml", "apiVersion: v2\nname: lit\nversion: 1.0.0\n"),
            ("charts/lit/values.yaml", "image: {repository: inner, tag: v8}\n"),
            ("charts/lit/templates/tests/t.yaml", "image: bats:1\n\"helm.sh/hook\": test\n"),
            ("charts/dark/Chart.yaml", "apiVersion: v2\nname: dark\nversion: 1.0.0\n"),
            ("charts/dark/values.yaml", "image: {repository: never}\n"),
            ("charts/dark/templates/t.yaml", "image: never:1\nhelm.sh/hook: test\n"),
        ] {
            let path = folder.path().join(path);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, text).unwrap();
        }
        let packed = groundswell_helm::pack::pack(folder.path()).unwrap();
        let found = detail(&Loaded { bytes: packed.bytes.into(), archive: packed.archive, from: None }, None);
        assert_eq!(found.images, ["bats:1", "fixed:1", "inner:v9", "quay.io/op:v1", "x"]);
        let hooks: Vec<_> = found.hooks.iter().map(|hook| (hook.source.as_str(), hook.events.as_slice())).collect();
        assert_eq!(hooks, [("charts/lit/templates/tests/t.yaml", ["test".to_owned()].as_slice())]);
        let shown = crate::render::chart::detail(&found);
        assert!(shown.contains("not rendered: guessed") && shown.contains("  x (a tag is not in the values)\n"), "{shown}");
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
