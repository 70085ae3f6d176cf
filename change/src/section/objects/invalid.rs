//! Objects that the API server refuses whatever is in the cluster. Only what is certain without its schemas; a dry run knows the rest.

use std::collections::BTreeSet;

use super::super::Context;
use super::super::read::{Seen, at, claim, clean, entries, few, list, pod_spec, text};
use crate::summary::{Item, Weight};
use crate::table::scopes::is_builtin;

/// Longest name of an object, and of one that is a label in DNS: RFC 1123.
const LONGEST: usize = 253;
const LONGEST_LABEL: usize = 63;
/// Keys and mounts that are named in a sentence.
const NAMED: usize = 3;

pub(super) fn items(context: &Context<'_>) -> Vec<Item> {
    // One that does not change is in the cluster already.
    let changed = context.objects.pairs.iter().filter(|pair| pair.changed()).map(|pair| Seen { object: &pair.object, rendered: pair.new });
    let added = context.objects.added.iter().map(|one| Seen { object: &one.object, rendered: one.rendered });
    let faults = |seen: Seen<'_>| [name(seen), data(seen), mounts(seen)].into_iter().flatten().collect::<Vec<_>>();
    changed.chain(added).flat_map(faults).collect()
}

fn fault(seen: Seen<'_>, what: String) -> Item {
    claim("invalid-object", Weight::Stop, what, &[seen]).next("correct the value that makes it, or tell the chart's authors")
}

/// Names follow RFC 1123, but for those of RBAC, which take nearly anything, and of addresses.
fn name(seen: Seen<'_>) -> Option<Item> {
    let name = text(seen.value(), &["metadata", "name"]).filter(|name| !name.is_empty() && !name.contains("(random)"))?;
    if !is_builtin(&seen.object.group) || seen.object.group == "rbac.authorization.k8s.io" || seen.kind() == "IPAddress" {
        return None;
    }
    let is_label = seen.object.group.is_empty() && matches!(seen.kind(), "Namespace" | "Service");
    let fits = if is_label { name.len() <= LONGEST_LABEL && label(name) } else { name.len() <= LONGEST && name.split('.').all(label) };
    let letters = if is_label { "small letters, digits and hyphens" } else { "small letters, digits, hyphens and dots" };
    let most = if is_label { LONGEST_LABEL } else { LONGEST };
    (!fits).then(|| {
        let shown = clean(name, 80);
        fault(
            seen,
            format!("is refused: {shown:?} is no name, which has at most {most} {letters} and begins and ends with a letter or digit"),
        )
    })
}

fn label(part: &str) -> bool {
    let plain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
    let ends = part.as_bytes().first().is_some_and(|byte| plain(*byte)) && part.as_bytes().last().is_some_and(|byte| plain(*byte));
    ends && part.bytes().all(|byte| plain(byte) || byte == b'-')
}

/// Data is text: a number or a boolean that nobody quoted is none.
fn data(seen: Seen<'_>) -> Option<Item> {
    let maps: &[&str] = match seen.kind() {
        "ConfigMap" if seen.object.group.is_empty() => &["data", "binaryData"],
        "Secret" if seen.object.group.is_empty() => &["data", "stringData"],
        _ => return None,
    };
    let mut keys = Vec::new();
    for map in maps {
        for (key, value) in entries(seen.value(), &[map]) {
            if !value.is_string() && !value.is_null() {
                keys.push(format!("{map}.{key}"));
            }
        }
    }
    (!keys.is_empty()).then(|| fault(seen, format!("is refused: {} is no text, a quoted one is", few(&keys, NAMED))))
}

fn mounts(seen: Seen<'_>) -> Option<Item> {
    let spec = pod_spec(seen.value())?;
    let mut volumes: BTreeSet<&str> = list(spec, &["volumes"]).iter().filter_map(|volume| text(volume, &["name"])).collect();
    let templates = list(seen.value(), &["spec", "volumeClaimTemplates"]);
    volumes.extend(templates.iter().filter_map(|claim| text(claim, &["metadata", "name"])));
    // Kinds of others may add volumes of their own.
    if !is_builtin(&seen.object.group) || at(spec, &["volumes"]).is_some_and(|volumes| !volumes.is_array() && !volumes.is_null()) {
        return None;
    }
    let containers = ["containers", "initContainers"].into_iter().flat_map(|key| list(spec, &[key]));
    let wanted = containers.flat_map(|container| list(container, &["volumeMounts"])).filter_map(|mount| text(mount, &["name"]));
    let missing: BTreeSet<&str> = wanted.filter(|name| !volumes.contains(name)).collect();
    let missing: Vec<&str> = missing.into_iter().collect();
    (!missing.is_empty()).then(|| fault(seen, format!("is refused: it mounts {}, and has no such volume", few(&missing, NAMED))))
}

#[cfg(test)]
mod tests {
    use super::super::super::testing::says;

    #[test]
    fn what_the_server_refuses_whatever_is_there() {
        let object = |kind: &str, name: &str, rest: &str| {
            let api = match kind {
                "Deployment" | "StatefulSet" => "apps/v1",
                "ClusterRole" => "rbac.authorization.k8s.io/v1",
                _ => "v1",
            };
            format!("apiVersion: {api}\nkind: {kind}\nmetadata: {{name: '{name}'}}\n{rest}")
        };
        let pods = |spec: &str| {
            format!("spec: {{template: {{spec: {{containers: [{{name: a, volumeMounts: [{{name: v, mountPath: /v}}]}}], {spec}}}}}}}")
        };
        for (new, expected) in [
            (object("ConfigMap", "a.b-c", "data: {a: '1', b: null}"), ""),
            (
                object("ConfigMap", "a", "data: {a: 1, b: 'x', c: true}"),
                "STOP invalid-object ConfigMap/ns/a: is refused: data.a and data.c is no text",
            ),
            (object("Secret", "a", "stringData: {a: 1}"), "STOP invalid-object Secret/ns/a: is refused: stringData.a is no text"),
            (object("ConfigMap", "A_b", ""), "STOP invalid-object ConfigMap/ns/A_b: is refused: \"A_b\" is no name"),
            (object("ConfigMap", "a..b", ""), "STOP"),
            (object("ConfigMap", "-a", ""), "STOP"),
            (object("ConfigMap", &"a".repeat(254), ""), "STOP"),
            (object("Service", "a.b", ""), "STOP"),
            (object("Service", &"a".repeat(64), ""), "STOP"),
            (object("ClusterRole", "system:a", ""), ""),
            (object("Deployment", "a", &pods("volumes: [{name: v, emptyDir: {}}]")), ""),
            (object("Deployment", "a", &pods("volumes: [{name: w}]")), "STOP invalid-object Deployment/ns/a: is refused: it mounts v"),
            (object("StatefulSet", "a", &pods("").replacen("spec: {", "spec: {volumeClaimTemplates: [{metadata: {name: v}}], ", 1)), ""),
        ] {
            let said = says(super::super::items, "", &new);
            assert!(said.starts_with(expected) && said.is_empty() == expected.is_empty(), "{new}: {said}");
            assert_eq!(says(super::super::items, &new, &new), "", "it is there already");
        }
    }
}
