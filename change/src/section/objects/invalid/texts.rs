//! Fields that are texts, with something else in them. A plain `true`, `5`, `1e3` or `0x1f` is none to Helm and the API server, and
//! neither is a plain `yes`, `no`, `on`, `off`, `y` or `n`: both read YAML 1.1. A null is let through.

use serde_json::Value;

use super::super::super::read::{Seen, at, entries, few, list, pod_spec};
use super::{NAMED, fault, ports};
use crate::summary::Item;
use crate::table::scopes::is_builtin;

/// Maps whose values are texts, in objects of the core group.
const CORE: [(&str, &[&str]); 7] = [
    ("ConfigMap", &["data"]),
    ("ConfigMap", &["binaryData"]),
    ("Secret", &["data"]),
    ("Secret", &["stringData"]),
    ("Service", &["spec", "selector"]),
    ("ReplicationController", &["spec", "selector"]),
    ("PersistentVolumeClaim", &["spec", "selector", "matchLabels"]),
];

/// What is no text, by path.
#[derive(Default)]
struct Found {
    paths: Vec<String>,
    numbers: bool,
    booleans: bool,
}

impl Found {
    fn look(&mut self, path: impl FnOnce() -> String, value: Option<&Value>) {
        let Some(value) = value.filter(|value| !value.is_string() && !value.is_null()) else { return };
        self.numbers |= value.is_number();
        self.booleans |= value.is_boolean();
        self.paths.push(path());
    }

    fn map(&mut self, value: &Value, at: &[&str], prefix: &str) {
        for (key, value) in entries(value, at) {
            self.look(|| format!("{prefix}{}.{key}", at.join(".")), Some(value));
        }
    }
}

pub(super) fn item(seen: Seen<'_>) -> Option<Item> {
    let value = seen.value();
    let mut found = Found::default();
    for key in ["name", "namespace"] {
        found.look(|| format!("metadata.{key}"), at(value, &["metadata", key]));
    }
    found.map(value, &["metadata", "labels"], "");
    found.map(value, &["metadata", "annotations"], "");
    if seen.object.group.is_empty() {
        for (_, path) in CORE.iter().filter(|(kind, _)| *kind == seen.kind()) {
            found.map(value, path, "");
        }
    }
    // Kinds of others have schemas of their own.
    if is_builtin(&seen.object.group) {
        found.map(value, &["spec", "selector", "matchLabels"], "");
        pods(seen, &mut found);
    }
    let Found { paths, numbers, booleans } = &found;
    let first = paths.first()?;
    let what = match (paths.len(), *numbers, *booleans) {
        (1, true, _) => format!("is refused: {first} has to be a text, and a number is none"),
        (1, _, true) => format!("is refused: {first} has to be a text, and true, false, yes, no, on, off, y and n are none without quotes"),
        (1, ..) => format!("is refused: {first} has to be a text, and a map or list is none"),
        _ => format!("is refused: {} have to be texts, and are none without quotes", few(paths, NAMED)),
    };
    Some(fault(seen, what).next("quote the value in the template or in your values, or tell the chart's authors"))
}

fn pods(seen: Seen<'_>, found: &mut Found) {
    let value = seen.value();
    let template: &[&str] = if seen.kind() == "CronJob" { &["spec", "jobTemplate", "spec", "template"] } else { &["spec", "template"] };
    if let Some(template_value) = at(value, template) {
        let prefix = format!("{}.", template.join("."));
        found.map(template_value, &["metadata", "labels"], &prefix);
        found.map(template_value, &["metadata", "annotations"], &prefix);
    }
    for (n, claim) in list(value, &["spec", "volumeClaimTemplates"]).iter().enumerate() {
        found.map(claim, &["metadata", "labels"], &format!("spec.volumeClaimTemplates[{n}]."));
        found.map(claim, &["metadata", "annotations"], &format!("spec.volumeClaimTemplates[{n}]."));
    }
    let Some(spec) = pod_spec(value) else { return };
    let prefix = if seen.kind() == "Pod" { "spec.".to_owned() } else { format!("{}.spec.", template.join(".")) };
    found.map(spec, &["nodeSelector"], &prefix);
    for (n, toleration) in list(spec, &["tolerations"]).iter().enumerate() {
        for key in ["key", "value", "effect", "operator"] {
            found.look(|| format!("{prefix}tolerations[{n}].{key}"), toleration.get(key));
        }
    }
    for kind in ["initContainers", "containers"] {
        for container in list(spec, &[kind]) {
            let name = container.get("name").and_then(Value::as_str).unwrap_or("?");
            container_texts(container, &format!("{prefix}{kind}[{name}]"), found);
        }
    }
}

fn container_texts(container: &Value, prefix: &str, found: &mut Found) {
    for key in ["name", "image", "imagePullPolicy", "workingDir"] {
        found.look(|| format!("{prefix}.{key}"), container.get(key));
    }
    for key in ["command", "args"] {
        for (n, item) in list(container, &[key]).iter().enumerate() {
            found.look(|| format!("{prefix}.{key}[{n}]"), Some(item));
        }
    }
    for (path, action) in ports::actions(container) {
        found.look(|| format!("{prefix}.{path}.path"), action.get("path"));
        for header in list(action, &["httpHeaders"]) {
            let name = header.get("name").and_then(Value::as_str).unwrap_or("?");
            found.look(|| format!("{prefix}.{path}.httpHeaders[{name}].value"), header.get("value"));
        }
    }
    for variable in list(container, &["env"]) {
        let name = variable.get("name").and_then(Value::as_str).unwrap_or("?");
        found.look(|| format!("{prefix}.env[{name}].name"), variable.get("name"));
        found.look(|| format!("{prefix}.env[{name}].value"), variable.get("value"));
    }
}

#[cfg(test)]
mod tests {
    use super::super::super::super::testing::says;

    /// Each was tried with helm 3.22 on an API server 1.36.
    #[test]
    fn what_is_no_text_is_refused() {
        let deployment = |labels: &str, pod: &str, container: &str| {
            format!(
                "apiVersion: apps/v1\nkind: Deployment\nmetadata: {{name: a}}\nspec: {{selector: {{matchLabels: {{app: a}}}}, template: \
                 {{metadata: {{labels: {{app: a{labels}}}}}, spec: {{{pod}containers: [{{name: c, {container}}}]}}}}}}"
            )
        };
        let map = |metadata: &str| format!("apiVersion: v1\nkind: ConfigMap\nmetadata: {{name: a, {metadata}}}");
        let service = "apiVersion: v1\nkind: Service\nmetadata: {name: a}\nspec: {selector: {a: 1}}".to_owned();
        let set = |label: &str| {
            format!(
                "apiVersion: apps/v1\nkind: StatefulSet\nmetadata: {{name: a}}\nspec: {{volumeClaimTemplates: [{{metadata: {{name: d, labels: \
                 {{a: {label}}}}}}}]}}"
            )
        };
        let other = "apiVersion: x.io/v1\nkind: Foo\nmetadata: {name: a}\nspec: {selector: {matchLabels: {a: 1}}}".to_owned();
        for (new, expected) in [
            (
                map("annotations: {prometheus.io/scrape: true}"),
                "metadata.annotations.prometheus.io/scrape has to be a text, and true, false",
            ),
            (map("annotations: {a: 5}"), "metadata.annotations.a has to be a text, and a number is none"),
            (map("labels: {a: {}}"), "metadata.labels.a has to be a text, and a map or list is none"),
            (map("annotations: {a: null, b: '5'}"), ""),
            (service, "spec.selector.a has to be"),
            (other, ""),
            (deployment("", "", "env: [{name: X, value: 5}]"), "spec.template.spec.containers[c].env[X].value has to be"),
            (deployment("", "", "env: [{name: X, value: null}], args: [a, null]"), ""),
            (deployment("", "", "args: [a, 5], command: [true]"), "spec.template.spec.containers[c].command[0] and spec.template.spec"),
            (
                deployment("", "", "livenessProbe: {httpGet: {port: 80, httpHeaders: [{name: A, value: 5}]}}"),
                "spec.template.spec.containers[c].livenessProbe.httpGet.httpHeaders[A].value has to be a text, and a number",
            ),
            (
                deployment("", "", "lifecycle: {preStop: {httpGet: {port: 80, path: 5}}}"),
                "spec.template.spec.containers[c].lifecycle.preStop",
            ),
            (deployment("", "", "livenessProbe: {httpGet: {port: 80, path: /, httpHeaders: [{name: A, value: '5'}]}}"), ""),
            (set("true"), "spec.volumeClaimTemplates[0].metadata.labels.a has to be a text, and true"),
            (set("'true'"), ""),
            (deployment(", x: 1", "", "image: a"), "spec.template.metadata.labels.x has to be"),
            (deployment("", "nodeSelector: {a: true}, ", "image: a"), "spec.template.spec.nodeSelector.a has to be"),
            (deployment("", "tolerations: [{key: a, value: true}], ", "image: a"), "spec.template.spec.tolerations[0].value has to be"),
        ] {
            let said = says(super::super::super::items, "", &new);
            assert_eq!(said.is_empty(), expected.is_empty(), "{new}: {said}");
            assert!(
                said.is_empty() || said.starts_with("STOP invalid-object ") && said.contains(&format!("is refused: {expected}")),
                "{new}: {said}"
            );
        }
    }

    #[test]
    fn quotes_that_go_are_no_spelling() {
        let map = |value: &str| format!("apiVersion: v1\nkind: ConfigMap\nmetadata: {{name: a, annotations: {{a: {value}}}}}");
        assert!(says(super::super::super::items, &map("'true'"), &map("true")).starts_with("STOP invalid-object"));
    }
}
