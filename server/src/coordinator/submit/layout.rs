//! Values for each cluster: the documents that apply to it in helm's order, with its variables in place.

use crate::coordinator::records::ClusterRecord;
use crate::coordinator::{Refused, digest_of};
use groundswell_api::document::{Release, ValuesForm, ValuesText};
use groundswell_core::id::{ClusterName, Digest};
use groundswell_core::selector::{Labels, Selector};
use groundswell_helm::values::{self, InterpolateError, Position, YamlError};
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet, HashMap};

/// One cluster, as documents see it.
#[derive(Clone, Debug)]
pub(crate) struct Subject {
    pub(crate) name: ClusterName,
    /// With `name`.
    pub(crate) labels: Labels,
    pub(crate) variables: BTreeMap<String, Value>,
}

impl Subject {
    pub(crate) fn new(name: &ClusterName, record: &ClusterRecord) -> Self {
        let mut labels = record.labels.clone();
        let mut variables: BTreeMap<String, Value> = labels.iter().map(|(key, value)| (key.clone(), Value::from(value.as_str()))).collect();
        variables.extend(record.variables.clone());
        // Last: a record of an earlier version may still name it otherwise.
        variables.insert("cluster_name".to_owned(), Value::from(name.as_str()));
        labels.insert("name".to_owned(), name.as_str().to_owned());
        Self { name: name.clone(), labels, variables }
    }
}

/// One values document before interpolation.
#[derive(Debug)]
struct Layer {
    /// For people: `values`, `overrides.yaml`, `override role=federation`.
    name: String,
    /// The file that positions begin with.
    file: String,
    text: String,
    /// Set where the text stands inside a document: positions are moved to where it stands there.
    inline: Option<ValuesText>,
    /// `None` is every cluster.
    selector: Option<Selector>,
    /// Variables that it uses; without any it is the same for all.
    uses: BTreeSet<String>,
}

/// All values documents of a release.
#[derive(Debug)]
pub(crate) struct Layers {
    layers: Vec<Layer>,
}

/// A values document as one cluster gets it.
#[derive(Clone, Debug)]
pub(crate) struct Text {
    pub(crate) name: String,
    pub(crate) text: String,
    pub(crate) digest: Digest,
}

/// Texts that were made already: most clusters share most of them.
#[derive(Debug, Default)]
pub(crate) struct Cache(HashMap<(usize, String), Text>);

impl Layers {
    /// Reads the release's documents; `files` are the texts of its `valuesFiles` by the path as written.
    pub(crate) fn read(source: &str, release: &Release, files: &BTreeMap<String, String>) -> Result<Self, Vec<Refused>> {
        let mut reading = Reading { source, files, layers: Vec::new(), refused: Vec::new() };
        let spec = &release.spec;
        reading.add("values", spec.values.as_ref(), &spec.values_files, None);
        for over in &spec.overrides {
            let name = format!("override {}", over.selector.value);
            reading.add(&name, over.values.as_ref(), &over.values_files, Some(&over.selector.value));
        }
        if reading.refused.is_empty() { Ok(Self { layers: reading.layers }) } else { Err(reading.refused) }
    }

    /// What one cluster gets.
    pub(crate) fn for_cluster(&self, subject: &Subject, cache: &mut Cache) -> Result<Vec<Text>, Refused> {
        let applies = |layer: &Layer| layer.selector.as_ref().is_none_or(|selector| selector.matches(&subject.labels));
        let mut texts = Vec::new();
        for (index, layer) in self.layers.iter().enumerate().filter(|(_, layer)| applies(layer)) {
            let used: BTreeMap<&String, Option<&Value>> = layer.uses.iter().map(|name| (name, subject.variables.get(name))).collect();
            let key = (index, serde_json::to_string(&used).unwrap_or_default());
            if let Some(text) = cache.0.get(&key) {
                texts.push(text.clone());
                continue;
            }
            let text =
                values::interpolate(&layer.text, &layer.file, &subject.variables).map_err(|error| layer.refuse(&subject.name, &error))?;
            // A variable may not turn a text into something that is no values document.
            values::parse_values(&layer.file, &text).map_err(|error| layer.refuse(&subject.name, &InterpolateError::Yaml(error)))?;
            let text = Text { name: layer.name.clone(), digest: digest_of(text.as_bytes()), text };
            cache.0.insert(key, text.clone());
            texts.push(text);
        }
        Ok(texts)
    }
}

struct Reading<'a> {
    source: &'a str,
    files: &'a BTreeMap<String, String>,
    layers: Vec<Layer>,
    refused: Vec<Refused>,
}

impl Reading<'_> {
    fn add(&mut self, name: &str, text: Option<&ValuesText>, paths: &[groundswell_api::document::At<String>], selector: Option<&Selector>) {
        if let Some(inline) = text {
            self.layer(Layer {
                name: name.to_owned(),
                file: self.source.to_owned(),
                text: inline.text.clone(),
                inline: Some(inline.clone()),
                selector: selector.cloned(),
                uses: BTreeSet::new(),
            });
        }
        for path in paths {
            let Some(text) = self.files.get(&path.value) else {
                let what = format!("values file {}", path.value);
                let refused = Refused::invalid("GS-VALUES", what, "its text did not come with the request");
                self.refused.push(
                    refused.at(format!("{}:{}", self.source, path.at)).next("apply with the groundswell command, which sends it along"),
                );
                continue;
            };
            self.layer(Layer {
                name: path.value.clone(),
                file: path.value.clone(),
                text: text.clone(),
                inline: None,
                selector: selector.cloned(),
                uses: BTreeSet::new(),
            });
        }
    }

    fn layer(&mut self, mut layer: Layer) {
        let read = values::parse_values(&layer.file, &layer.text).and_then(|_| values::names_used(&layer.text, &layer.file));
        match read {
            Ok(uses) => layer.uses = uses,
            Err(error) => {
                let (at, why) = (position(&error), words(&error));
                self.refused.push(layer.place(Refused::invalid("GS-VALUES", format!("values document `{}`", layer.name), why), at));
                return;
            }
        }
        if layer.inline.as_ref().is_some_and(|inline| inline.form == ValuesForm::Map) {
            for found in values::ambiguous_plain(&layer.file, &layer.text).unwrap_or_default() {
                let why = format!("it is {} in YAML 1.1, as Helm reads it, and {} in YAML 1.2", found.yaml11, found.yaml12);
                let refused = Refused::invalid("GS-VALUES", format!("`{}` means two things", found.text), why);
                let next = format!("quote it (\"{}\"), or write the values as a text (values: |)", found.text);
                self.refused.push(layer.place(refused.next(next), Some(found.at)));
            }
        }
        self.layers.push(layer);
    }
}

impl Layer {
    fn place(&self, refused: Refused, at: Option<Position>) -> Refused {
        let Some(at) = at else { return refused.at(self.file.clone()) };
        match &self.inline {
            Some(inline) => refused.at(format!("{}:{}", self.file, inline.place(at.line, at.column))),
            None => refused.at(format!("{}:{}:{}", self.file, at.line, at.column)),
        }
    }

    fn refuse(&self, cluster: &ClusterName, error: &InterpolateError) -> Refused {
        let what = format!("values document `{}` for cluster {cluster}", self.name);
        let (at, why, next) = match error {
            InterpolateError::Yaml(error) => (position(error), words(error), String::new()),
            InterpolateError::Unknown { at, name, near, .. } => {
                let near = if near.is_empty() { String::new() } else { format!(" (did you mean {}?)", near.join(", ")) };
                let next = format!("groundswell cluster vars set {cluster} -f vars.yaml, or write ((!{name})) for the text itself");
                (Some(*at), format!("no variable is named `{name}`{near}"), next)
            }
            InterpolateError::NotText { at, name, kind, .. } => (
                Some(*at),
                format!("`{name}` is a {kind} and stands within a text"),
                format!("let it stand alone and without quotes: key: (({name}))"),
            ),
            InterpolateError::Block { at, name, .. } => (
                Some(*at),
                format!("the value of `{name}` has a line break or control character and cannot stand in a block scalar"),
                "use double quotes".into(),
            ),
            InterpolateError::Breaks { at, .. } => (
                Some(*at),
                "the value cannot stand here without changing what is around it".into(),
                "write this scalar on one line in double quotes".into(),
            ),
            InterpolateError::TooLarge { .. } => (None, "it is too long with its variables in place".into(), String::new()),
        };
        self.place(Refused::invalid("GS-VALUES", what, why).next(next), at)
    }
}

fn position(error: &YamlError) -> Option<Position> {
    match error {
        YamlError::Character { at, .. } | YamlError::Syntax { at, .. } | YamlError::Limit { at, .. } | YamlError::Refused { at, .. } => {
            Some(*at)
        }
        YamlError::TooLarge { .. } => None,
    }
}

/// The error without its place, which stands beside it.
fn words(error: &YamlError) -> String {
    match error {
        YamlError::Syntax { what, .. } | YamlError::Limit { what, .. } | YamlError::Refused { what, .. } => what.clone(),
        YamlError::Character { code, .. } => format!("the character U+{code:04X} cannot stand here as it is"),
        YamlError::TooLarge { bytes, .. } => format!("{bytes} bytes are more than a release can carry"),
    }
}
