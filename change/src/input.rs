//! What a comparison is made from. Rendering, reading archives and asking clusters happen elsewhere; this is what they give.

use serde_json::Value;

/// One chart version, rendered for the target.
#[derive(Debug, Clone, Default)]
pub struct Side {
    /// What `Chart.yaml` says.
    pub chart: Chart,
    /// Objects of the release manifest, in Helm's order; hooks, tests and `crds/` are not among them.
    pub objects: Vec<Rendered>,
    /// Objects with a `helm.sh/hook` annotation, tests included.
    pub hooks: Vec<Rendered>,
    /// CRDs from `crds/` of the chart and of the subcharts that the values enable. CRDs that are templates are in `objects`.
    pub crds: Vec<Rendered>,
    /// The values that apply when the operator says nothing: the chart's `values.yaml` with those of its subcharts under their keys.
    pub defaults: Value,
    /// README, UPGRADE, CHANGELOG and the like, and rendered NOTES, for the notes of the versions that are crossed.
    pub texts: Vec<Text>,
    /// Fields that differed between two renders of this side. In `objects` and `hooks` a fixed text, [`RANDOM`] or [`REVISION`], stands in
    /// their place, so that those of both sides are equal, and one that becomes random or ceases to be so is still seen.
    pub random: Vec<RandomField>,
    /// Charts whose templates ask the cluster by `lookup`, which a render answers with nothing: as the source of an object begins,
    /// `kube-prometheus-stack/charts/grafana`.
    pub lookups: Vec<String>,
    /// Estimated bytes of Helm's release Secret; `None` when it was not estimated.
    pub record_bytes: Option<u64>,
}

/// Stands where a render gives another text each time.
pub const RANDOM: &str = "(random)";
/// Stands where a render gives the number of the release's revision, which is another at each upgrade.
pub const REVISION: &str = "(revision)";

/// Stands in a change for what is random in a render, while `lookup` may find in the cluster what was drawn before.
pub const LOOKED_UP: &str = "(random, or looked up)";

/// Whether a part of the text is another at each upgrade of one and the same version.
#[must_use]
pub fn is_drawn(text: &str) -> bool {
    [RANDOM, REVISION, LOOKED_UP].iter().any(|mark| text.contains(mark))
}

/// What `Chart.yaml` says, and what is packed inside.
#[derive(Debug, Clone, Default)]
pub struct Chart {
    /// Name.
    pub name: String,
    /// Version as written.
    pub version: String,
    /// Version of the application.
    pub app_version: Option<String>,
    /// Range of Kubernetes versions, Helm's grammar.
    pub kube_version: Option<String>,
    /// Whether it is marked as deprecated.
    pub deprecated: bool,
    /// `annotations` of `Chart.yaml` (`artifacthub.io/changes`, `artifacthub.io/license` and others).
    pub annotations: Vec<(String, String)>,
    /// Charts inside it that the values enable, those inside them too.
    pub subcharts: Vec<Subchart>,
    /// SHA-256 of the archive, lower-case hex; of a folder, of its reproducible packing.
    pub digest: String,
    /// Where the person has it from, where helm can take it from there too.
    pub from: Option<ChartSource>,
}

/// A place of a chart that helm knows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ChartSource {
    /// A folder or archive, as it was typed.
    Path(String),
    /// `oci://…` without its version; with its digest where one was given.
    Oci(String),
    /// Address of an archive.
    Url(String),
    /// A chart of an HTTP repository.
    Repository {
        /// Address of the repository.
        url: String,
        /// The chart's name there.
        name: String,
    },
}

/// A chart inside a chart.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Subchart {
    /// Key of its values below those of its parents, joined by dots; the alias where it has one.
    pub key: String,
    /// Name.
    pub name: String,
    /// Version.
    pub version: String,
    /// Version of the application.
    pub app_version: Option<String>,
}

/// One object of a render.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Rendered {
    /// The template or CRD file that it came from, as Helm names it (`chart/templates/x.yaml`).
    pub source: String,
    /// The object.
    pub value: Value,
}

/// Whether it is a `List` of objects, which Helm takes apart.
#[must_use]
pub fn is_list(rendered: &Rendered) -> bool {
    rendered.value["kind"].as_str().is_some_and(|kind| kind.ends_with("List")) && rendered.value["items"].is_array()
}

/// The objects, with the items of each `List` in its place.
#[must_use]
pub fn flattened(objects: Vec<Rendered>) -> Vec<Rendered> {
    let mut flat = Vec::with_capacity(objects.len());
    for mut rendered in objects {
        if !is_list(&rendered) {
            flat.push(rendered);
            continue;
        }
        let items = rendered.value.get_mut("items").map(Value::take);
        let source = rendered.source;
        if let Some(Value::Array(items)) = items {
            flat.extend(items.into_iter().map(|value| Rendered { source: source.clone(), value }));
        }
    }
    flat
}

/// A text for people inside a chart.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Text {
    /// Where it stands, such as `UPGRADE.md` or `charts/grafana/README.md`.
    pub path: String,
    /// The whole of it.
    pub text: String,
}

/// A field that is different each time the chart is rendered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RandomField {
    /// The object, as [`crate::summary::ObjectRef`] prints it.
    pub object: String,
    /// Path of the field.
    pub path: String,
}

/// For what the charts were rendered.
#[derive(Debug, Clone, Default)]
pub struct Target {
    /// Where the facts come from: `--kube-version`, `cluster east-01`, Helm's own default.
    pub from: String,
    /// Version of the API server as it says it; `None` when nobody said, and then Helm's default was taken.
    pub kube_version: Option<String>,
    /// APIs of the server, `group/version` and `group/version/Kind`; empty when not known.
    pub api_versions: Vec<String>,
    /// Name of the release.
    pub release: String,
    /// Its namespace.
    pub namespace: String,
}

/// A key of the operator's documents, classed by renders with and without it.
#[derive(Debug, Clone, PartialEq)]
pub struct OverrideVerdict {
    /// Path of the key, dots between.
    pub path: String,
    /// Which of the documents sets it (the last that does).
    pub document: String,
    /// Earlier documents that set it too, in their order: without the last one they count.
    pub also_in: Vec<String>,
    /// What became of it.
    pub class: OverrideClass,
    /// The value given, masked where the key looks like a secret.
    pub given: Value,
    /// Default of the old chart; `None` when it has none.
    pub old_default: Option<Value>,
    /// Default of the new chart.
    pub new_default: Option<Value>,
    /// Objects of the new render that it changes, as they are printed; a few of them.
    pub affects: Vec<String>,
}

/// What a key of the operator does in the new version.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum OverrideClass {
    /// It changes the render of the new version.
    Works,
    /// It changes neither render: ignored today and tomorrow.
    NeverWorked,
    /// It changed the old render, and changes the new one no more, though the new chart still names the key or cannot be asked.
    NoEffect,
    /// It changed the old render; the new chart does not have it any more. With the key that took its place, where that is known.
    Gone {
        /// The new key; in words (`a and b`) where it became several.
        moved_to: Option<String>,
        /// How that is known.
        because: String,
    },
    /// The value given is what the new chart does anyway.
    NowDefault,
    /// It works, and the default that it replaces has changed: is it still wanted?
    DefaultChanged,
    /// A list that replaces a default list which has gained items.
    HidesNewItems {
        /// The items of the new default that the list does not have.
        items: Vec<Value>,
    },
    /// It changes nothing that can be compared, and what is random may depend on it.
    Unclear,
    /// There was no time to try it.
    NotTried,
}

/// What came of trying a `nameOverride` or `fullnameOverride` that would keep the names of the old release.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RenameTrial {
    /// The values to set, `key=value`.
    pub set: Vec<(String, String)>,
    /// Objects that would be replaced (removed and added) as it is.
    pub replaced_without: usize,
    /// Objects that would still be replaced with it.
    pub replaced_with: usize,
}

/// All that a summary is made from.
#[derive(Debug, Clone, Default)]
pub struct Input {
    /// The version that is there.
    pub old: Side,
    /// The version that is to come.
    pub new: Side,
    /// For what both were rendered.
    pub target: Target,
    /// The operator's keys; `None` when they were not classed.
    pub overrides: Option<Vec<OverrideVerdict>>,
    /// Names of the operator's documents, in order; empty when there are none.
    pub documents: Vec<String>,
    /// A trial that would keep the names, where one was made.
    pub rename: Option<RenameTrial>,
    /// What could not be done on the way here, and therefore was not checked.
    pub not_checked: Vec<crate::summary::NotChecked>,
}
