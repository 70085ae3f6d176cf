//! Which keys a chart names: in its defaults, or in its templates.

use std::cell::Cell;
use std::collections::BTreeSet;

use groundswell_change::input::{RANDOM, Side};
use serde_json::Value;

use super::super::random::{draws, draws_with_others};
use crate::archive::{ChartArchive, ChartMetadata, Files, Subchart};

/// Functions that print or hand on all that is below a key, whatever its name.
const WHOLE: [&str; 7] = ["toYaml", "toJson", "toRawJson", "tpl", "range", "toString", "merge"];

/// What the templates of one chart say about values.
#[derive(Default)]
struct Templates {
    /// Keys under which its values stand.
    at: Vec<String>,
    /// Chains behind `.Values`, and whether all below is used in the same action.
    chains: BTreeSet<(Vec<String>, bool)>,
}

/// Whether a template, by its path and its text, counts.
type Only<'a> = &'a dyn Fn(&str, &str) -> bool;

/// All charts of an archive.
pub(super) struct Named {
    charts: Vec<Templates>,
    words: BTreeSet<String>,
}

impl Named {
    pub(super) fn new(archive: &ChartArchive) -> Self {
        Self::of(archive, &|_, _| true)
    }

    /// What is said by those templates alone that make random fields of this side, or can: what they read may be in them. `given` are the
    /// operator's values, which may be templates too.
    pub(super) fn of_random(archive: &ChartArchive, side: &Side, given: &Value) -> Self {
        let mixed = Cell::new([given, &side.defaults].iter().any(|values| draws(&values.to_string())));
        let look = |_: &str, text: &str| {
            mixed.set(mixed.get() || draws_with_others(text));
            false
        };
        let nothing = Self::of(archive, &look);
        if !mixed.get() {
            return nothing;
        }
        let drawn = side.objects.iter().chain(&side.hooks).filter(|object| object.value.to_string().contains(RANDOM));
        let sources: Vec<&str> = drawn.map(|object| object.source.as_str()).collect();
        let makes = |path: &str| sources.iter().any(|source| source.strip_suffix(path).is_some_and(|chart| chart.ends_with('/')));
        Self::of(archive, &|path, text| !sources.is_empty() && (makes(path) || draws(text)))
    }

    fn of(archive: &ChartArchive, only: Only<'_>) -> Self {
        let mut named = Self { charts: Vec::new(), words: BTreeSet::new() };
        named.add(&archive.files, &archive.metadata, &archive.subcharts, &[], only);
        named
    }

    fn add(&mut self, files: &Files, metadata: &ChartMetadata, subcharts: &[Subchart], at: &[String], only: Only<'_>) {
        let mut templates = Templates { at: at.to_vec(), ..Templates::default() };
        for (path, data) in files {
            if path.starts_with("templates/") {
                let text = String::from_utf8_lossy(data);
                if only(path, &text) {
                    self.read(&text, &mut templates);
                }
            }
        }
        self.charts.push(templates);
        for sub in subcharts {
            let declared = metadata.dependencies.iter().filter(|dependency| dependency.name == sub.metadata.name);
            let mut keys: BTreeSet<&str> = declared.map(|dependency| dependency.values_key()).collect();
            if keys.is_empty() {
                keys.insert(&sub.metadata.name);
            }
            for key in keys {
                let below: Vec<String> = at.iter().cloned().chain([key.to_owned()]).collect();
                self.add(&sub.files, &sub.metadata, &sub.subcharts, &below, only);
            }
        }
    }

    fn read(&mut self, text: &str, templates: &mut Templates) {
        for action in text.split("{{").skip(1) {
            let action = action.split("}}").next().unwrap_or_default();
            let letter = |c: char| c.is_ascii_alphanumeric() || c == '_';
            for separators in [true, false] {
                let words = action.split(|c: char| !(letter(c) || (separators && c == '-'))).filter(|word| !word.is_empty());
                self.words.extend(words.map(str::to_owned));
            }
            let whole = WHOLE.iter().any(|function| action.split(|c: char| !letter(c)).any(|word| word == *function));
            for rest in action.split(".Values").skip(1) {
                let chain: String = rest.chars().take_while(|c| letter(*c) || *c == '.').collect();
                let keys = chain.split('.').filter(|key| !key.is_empty()).map(str::to_owned).collect();
                templates.chains.insert((keys, whole));
            }
        }
    }

    /// Whether the last part of the key is a word of any template. Where it is not, the key is most likely without effect: or it
    /// is one of a map that is printed as a whole.
    pub(super) fn says(&self, path: &[&str]) -> bool {
        path.last().is_some_and(|last| self.words.contains(*last))
    }

    /// Whether the chart has this key: it is among its defaults, a template reads it or something below it, or a template uses all
    /// that stands around it.
    pub(super) fn has(&self, path: &[&str], defaults: &Value) -> bool {
        if path.iter().try_fold(defaults, |at, key| at.get(key)).is_some() {
            return true;
        }
        let global = path.first() == Some(&"global");
        self.charts.iter().any(|chart| {
            let own = chart.at.len() <= path.len() && chart.at.iter().zip(path).all(|(at, key)| at == key);
            let relative = if own { &path[chart.at.len()..] } else { path };
            (own || global) && chart.chains.iter().any(|(chain, whole)| self.used(chain, *whole, relative))
        })
    }

    /// Whether these templates may read the key in any way: they have all parts of its name as words, or use what is around it.
    pub(super) fn may_read(&self, path: &[&str]) -> bool {
        let words = |chart: &Templates| {
            let relative = if chart.at.iter().zip(path).all(|(at, key)| at == key) { path.get(chart.at.len()..) } else { None };
            relative.is_some_and(|keys| !keys.is_empty() && keys.iter().all(|key| self.words.contains(*key)))
        };
        self.has(path, &Value::Null) || self.charts.iter().any(words)
    }

    fn used(&self, chain: &[String], whole: bool, path: &[&str]) -> bool {
        let common = chain.iter().zip(path).take_while(|(a, b)| a == b).count();
        if common == path.len() {
            return !path.is_empty();
        }
        // All of `.Values` is handed around in most charts; that says nothing about a key.
        common == chain.len() && ((whole && !chain.is_empty()) || self.says(path) && chain.len() + 1 == path.len() && !chain.is_empty())
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::preview::tests::chart;

    #[test]
    fn templates_name_keys_directly_or_around_them() {
        let packed = chart(
            "1.0.0",
            &[
                (
                    "templates/a.yaml",
                    "a: {{ .Values.one.two }}\nb: {{ toYaml .Values.map | nindent 2 }}\n{{ with .Values.scope }}{{ .inner }}{{ end }}",
                ),
                ("templates/_h.tpl", "{{ index .Values \"dash-ed\" }}{{ include \"x\" .Values }}"),
                ("charts/sub/Chart.yaml", "apiVersion: v2\nname: sub\nversion: 1.0.0\n"),
                ("charts/sub/templates/b.yaml", "c: {{ .Values.own }} {{ .Values.global.shared }}"),
            ],
        );
        let named = Named::new(&packed.archive);
        let has = |path: &str| named.has(&path.split('.').collect::<Vec<_>>(), &json!({"known": {"k": null}}));
        for path in ["one.two", "one", "map.any.thing", "scope.inner", "sub.own", "global.shared", "known.k"] {
            assert!(has(path), "{path}");
        }
        for path in ["one.three", "two", "scope.other", "own", "sub.one.two", "typo", "global.other"] {
            assert!(!has(path), "{path}");
        }
        assert!(named.says(&["x", "dash-ed"]) && !named.says(&["map", "any"]));
    }
}
