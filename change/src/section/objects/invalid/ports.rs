//! Ports that the API server refuses: `"80"` is a text to it, and no number.

use serde_json::Value;

use super::super::super::read::{Seen, clean, few, list, pod_spec};
use super::{NAMED, fault};
use crate::input::is_drawn;
use crate::summary::Item;
use crate::table::scopes::is_builtin;

/// Longest name of a port: `IsValidPortName` of Kubernetes 1.36.
const LONGEST: usize = 15;

/// What may stand there.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Wanted {
    Number,
    Name,
    Either,
}

impl Wanted {
    fn words(self) -> String {
        match self {
            Self::Number => "a number without quotes".to_owned(),
            Self::Name => format!("a name of at most {LONGEST} small letters, digits and hyphens, with a letter among them"),
            Self::Either => "a number without quotes, or the name of a port with a letter in it".to_owned(),
        }
    }
}

pub(super) fn item(seen: Seen<'_>) -> Option<Item> {
    let found = found(seen);
    let (_, wanted) = found.first()?;
    // The others may be of another sort, and are found when this one is mended.
    let alike: Vec<&String> = found.iter().filter(|(_, other)| other == wanted).map(|(path, _)| path).collect();
    let has = if alike.len() == 1 { "has" } else { "have" };
    Some(fault(seen, format!("is refused: {} {has} to be {}", few(&alike, NAMED), wanted.words())))
}

/// Paths of what is wrong, with what stands there.
fn found(seen: Seen<'_>) -> Vec<(String, Wanted)> {
    let mut found = Vec::new();
    let mut look = |path: String, value: Option<&Value>, wanted: Wanted| {
        let Some(text) = value.and_then(Value::as_str).filter(|text| !text.is_empty() && !is_drawn(text)) else { return };
        if wanted == Wanted::Number || !is_port_name(text) {
            found.push((format!("{path} ({:?})", clean(text, 40)), wanted));
        }
    };
    if seen.kind() == "Service" && seen.object.group.is_empty() {
        for (n, port) in list(seen.value(), &["spec", "ports"]).iter().enumerate() {
            look(format!("spec.ports[{n}].port"), port.get("port"), Wanted::Number);
            look(format!("spec.ports[{n}].nodePort"), port.get("nodePort"), Wanted::Number);
            look(format!("spec.ports[{n}].targetPort"), port.get("targetPort"), Wanted::Either);
        }
    }
    let spec = pod_spec(seen.value()).filter(|_| is_builtin(&seen.object.group)).unwrap_or(&Value::Null);
    for container in ["initContainers", "containers"].into_iter().flat_map(|kind| list(spec, &[kind])) {
        let name = container.get("name").and_then(Value::as_str).unwrap_or("?");
        for (n, port) in list(container, &["ports"]).iter().enumerate() {
            for (key, wanted) in [("containerPort", Wanted::Number), ("hostPort", Wanted::Number), ("name", Wanted::Name)] {
                look(format!("ports[{n}].{key} of container {name}"), port.get(key), wanted);
            }
        }
        for (path, action) in actions(container) {
            let wanted = if path.ends_with("grpc") { Wanted::Number } else { Wanted::Either };
            look(format!("{path}.port of container {name}"), action.get("port"), wanted);
        }
    }
    found
}

/// What asks a container over the network: its probes and the hooks of its life.
pub(super) fn actions(container: &Value) -> impl Iterator<Item = (String, &Value)> {
    let probes = ["livenessProbe", "readinessProbe", "startupProbe"].into_iter().map(|key| (key.to_owned(), container.get(key)));
    let life = container.get("lifecycle");
    let hooks = ["postStart", "preStop"].into_iter().map(move |key| (format!("lifecycle.{key}"), life.and_then(|life| life.get(key))));
    probes.chain(hooks).filter_map(|(path, probe)| Some((path, probe?))).flat_map(|(path, probe)| {
        ["httpGet", "tcpSocket", "grpc"].into_iter().filter_map(move |key| Some((format!("{path}.{key}"), probe.get(key)?)))
    })
}

pub(in super::super::super) fn is_port_name(text: &str) -> bool {
    let plain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
    text.len() <= LONGEST
        && text.bytes().all(plain)
        && text.bytes().any(|byte| byte.is_ascii_lowercase())
        && !(text.starts_with('-') || text.ends_with('-') || text.contains("--"))
}

#[cfg(test)]
mod tests {
    use super::super::super::super::testing::says;

    /// Each was tried on an API server 1.36.
    #[test]
    fn ports_that_are_no_ports() {
        let pods = |container: &str| {
            format!(
                "apiVersion: apps/v1\nkind: Deployment\nmetadata: {{name: a}}\nspec: {{selector: {{matchLabels: {{a: b}}}}, template: \
                 {{metadata: {{labels: {{a: b}}}}, spec: {{containers: [{{name: c, {container}}}]}}}}}}"
            )
        };
        let service = |port: &str| format!("apiVersion: v1\nkind: Service\nmetadata: {{name: a}}\nspec: {{ports: [{{{port}}}]}}");
        let either = "has to be a number without quotes, or the name";
        for (new, expected) in [
            (pods("livenessProbe: {httpGet: {port: '80'}}"), format!("livenessProbe.httpGet.port of container c (\"80\") {either}")),
            (pods("startupProbe: {tcpSocket: {port: HTTP}}"), format!("startupProbe.tcpSocket.port of container c (\"HTTP\") {either}")),
            (
                pods("readinessProbe: {grpc: {port: '80'}}"),
                "readinessProbe.grpc.port of container c (\"80\") has to be a number".to_owned(),
            ),
            (pods("lifecycle: {preStop: {httpGet: {port: '80'}}}"), "lifecycle.preStop.httpGet.port of container c".to_owned()),
            (pods("ports: [{containerPort: '80'}]"), "ports[0].containerPort of container c (\"80\") has to be a number".to_owned()),
            (pods("ports: [{containerPort: 80, name: a-name-of-sixteen}]"), "ports[0].name of container c (\"a-name-".to_owned()),
            (pods("ports: [{containerPort: 80, name: a--b}]"), "ports[0].name of container c".to_owned()),
            (pods("ports: [{containerPort: 80, name: ''}], livenessProbe: {httpGet: {port: 80a}}"), String::new()),
            (pods("ports: [{containerPort: 80, name: http}], livenessProbe: {httpGet: {port: http}}"), String::new()),
            (service("port: '80'"), "spec.ports[0].port (\"80\") has to be a number without".to_owned()),
            (service("port: 80, targetPort: '80'"), format!("spec.ports[0].targetPort (\"80\") {either}")),
            (service("port: 80, targetPort: '', name: '80'"), String::new()),
            (service("port: 80, targetPort: (random)"), String::new()),
        ] {
            let said = says(super::super::super::items, "", &new);
            assert_eq!(said.is_empty(), expected.is_empty(), "{new}: {said}");
            assert!(said.is_empty() || said.contains(&format!("is refused: {expected}")), "{new}: {said}");
        }
        assert_eq!(says(super::super::super::items, &service("port: '80'"), &service("port: '80'")), "", "it is there already");
    }
}
