//! Objects that the API server refuses whatever is in the cluster. Only what is certain without its schemas; a dry run knows the rest.

mod labels;
mod ports;
mod texts;

use std::collections::BTreeSet;

pub(in super::super) use ports::is_port_name;
use serde_json::Value;

use super::super::Context;
use super::super::read::{Seen, at, claim, clean, few, is_upgrade_hook, list, pod_spec, text};
use crate::compare::Comparison;
use crate::input::is_drawn;
use crate::summary::{Item, Weight};
use crate::table::scopes::is_builtin;

/// Longest name of an object, and of one that is a label in DNS: RFC 1123.
const LONGEST: usize = 253;
const LONGEST_LABEL: usize = 63;
/// Longest name of a CronJob: its jobs add eleven characters to it.
const LONGEST_CRON: usize = 52;
/// Keys and mounts that are named in a sentence.
const NAMED: usize = 3;

pub(super) fn items(context: &Context<'_>) -> Vec<Item> {
    let mut items = of(context.objects, |_| true);
    // Other hooks are not made by an upgrade.
    items.extend(of(context.hooks, |seen| is_upgrade_hook(seen.value())));
    items.extend(context.objects.added.iter().filter_map(|one| nameless(Seen { object: &one.object, rendered: one.rendered })));
    items.extend(context.objects.pairs.iter().filter_map(|pair| nameless(Seen { object: &pair.object, rendered: pair.new })));
    items
}

fn of(comparison: &Comparison<'_>, wanted: impl Fn(&Seen<'_>) -> bool) -> Vec<Item> {
    let pairs = comparison.pairs.iter().map(|pair| {
        let old = faults(Seen { object: &pair.object, rendered: pair.old });
        (Seen { object: &pair.object, rendered: pair.new }, old)
    });
    let added = comparison.added.iter().map(|one| (Seen { object: &one.object, rendered: one.rendered }, Vec::new()));
    let fresh = |(seen, old): (Seen<'_>, Vec<Item>)| {
        // What was so before is in the cluster already.
        faults(seen).into_iter().filter(move |item| !old.iter().any(|one| one.what == item.what))
    };
    pairs.chain(added).filter(|(seen, _)| wanted(seen)).flat_map(fresh).collect()
}

fn faults(seen: Seen<'_>) -> Vec<Item> {
    [name(seen), texts::item(seen), labels::item(seen), ports::item(seen), mounts(seen)].into_iter().flatten().collect()
}

/// Whether the API server refuses to make it.
pub(in super::super) fn is_refused(seen: Seen<'_>) -> bool {
    !faults(seen).is_empty()
}

/// Helm asks for each object by its name, also for one that the API server could give a name.
fn nameless(seen: Seen<'_>) -> Option<Item> {
    let metadata = seen.value().get("metadata");
    let named = metadata.and_then(|metadata| metadata.get("name")).is_some_and(|name| !name.is_null() && name != "");
    (!named && !seen.kind().is_empty()).then(|| {
        let generated = metadata.is_some_and(|metadata| metadata.get("generateName").is_some());
        let more = if generated { " (Helm makes no use of generateName)" } else { "" };
        fault(seen, format!("has no name, and the upgrade fails on it{more}"))
    })
}

fn fault(seen: Seen<'_>, what: String) -> Item {
    claim("invalid-object", Weight::Stop, what, &[seen]).next("correct the value that makes it, or tell the chart's authors")
}

/// Kinds whose names are parts of a path, such as `example.com:ca:1`; or addresses.
fn takes_any_name(kind: &str) -> bool {
    matches!(kind, "CertificateSigningRequest" | "ClusterTrustBundle" | "Event" | "IPAddress")
}

/// Names follow RFC 1123, but for those of RBAC and a few others, which take nearly anything.
fn name(seen: Seen<'_>) -> Option<Item> {
    let name = text(seen.value(), &["metadata", "name"]).filter(|name| !name.is_empty() && !is_drawn(name))?;
    if !is_builtin(&seen.object.group) || seen.object.group == "rbac.authorization.k8s.io" || takes_any_name(seen.kind()) {
        return None;
    }
    let is_label = match seen.object.group.as_str() {
        "" => matches!(seen.kind(), "Namespace" | "Service"),
        // Its pods are named for it, and so are their hosts. Before Kubernetes 1.27 it was taken, and its pods refused.
        "apps" => seen.kind() == "StatefulSet",
        _ => false,
    };
    let most = match seen.kind() {
        "CronJob" => LONGEST_CRON,
        // Its name is a label of its pods, unless they have labels of their own choice.
        "Job" if at(seen.value(), &["spec", "manualSelector"]) != Some(&Value::Bool(true)) => LONGEST_LABEL,
        _ if is_label => LONGEST_LABEL,
        _ => LONGEST,
    };
    let fits = name.len() <= most && if is_label { label(name) } else { name.split('.').all(label) };
    let letters = if is_label { "small letters, digits and hyphens" } else { "small letters, digits, hyphens and dots" };
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
                "Job" => "batch/v1",
                "CertificateSigningRequest" => "certificates.k8s.io/v1",
                "ClusterTrustBundle" => "certificates.k8s.io/v1beta1",
                "ClusterRole" => "rbac.authorization.k8s.io/v1",
                _ => "v1",
            };
            format!("apiVersion: {api}\nkind: {kind}\nmetadata: {{name: '{name}'}}\n{rest}")
        };
        let pods = |spec: &str| {
            format!("spec: {{template: {{spec: {{containers: [{{name: a, volumeMounts: [{{name: v, mountPath: /v}}]}}], {spec}}}}}}}")
        };
        let cron = |length: usize| format!("apiVersion: batch/v1\nkind: CronJob\nmetadata: {{name: {}}}", "c".repeat(length));
        for (new, expected) in [
            (object("ConfigMap", "a.b-c", "data: {a: '1', b: null}"), ""),
            (
                object("ConfigMap", "a", "data: {a: 1, b: 'x', c: true}"),
                "STOP invalid-object ConfigMap/ns/a: is refused: data.a and data.c have to be texts, and are none without quotes",
            ),
            (
                object("Secret", "a", "stringData: {a: 1}"),
                "STOP invalid-object Secret/ns/a: is refused: stringData.a has to be a text, and a number is none",
            ),
            (object("ConfigMap", "a", "").replace("name: 'a'", "labels: {a: b}"), "STOP invalid-object ConfigMap/ns/: has no name, and"),
            (cron(52), ""),
            (cron(53), "STOP invalid-object CronJob/ns/"),
            (object("ConfigMap", "A_b", ""), "STOP invalid-object ConfigMap/ns/A_b: is refused: \"A_b\" is no name"),
            (object("ConfigMap", "a..b", ""), "STOP"),
            (object("ConfigMap", "-a", ""), "STOP"),
            (object("ConfigMap", &"a".repeat(254), ""), "STOP"),
            (object("Service", "a.b", ""), "STOP"),
            (object("Service", &"a".repeat(64), ""), "STOP"),
            (object("StatefulSet", &"a".repeat(63), ""), ""),
            (object("StatefulSet", &"a".repeat(64), ""), "STOP"),
            (object("StatefulSet", "a.b", ""), "STOP invalid-object StatefulSet/ns/a.b: is refused: \"a.b\" is no name"),
            (object("Deployment", "a.b", ""), ""),
            (object("ClusterRole", "system:a", ""), ""),
            (object("Event", "A:b", ""), ""),
            (object("CertificateSigningRequest", "system:Foo_x", ""), ""),
            (object("ClusterTrustBundle", "example.com:foo:bar", ""), ""),
            (object("Job", &"a".repeat(64), "spec: {}"), "STOP"),
            (object("Job", &"a".repeat(64), "spec: {manualSelector: true}"), ""),
            (object("Deployment", "a", &pods("volumes: [{name: v, emptyDir: {}}]")), ""),
            (object("Deployment", "a", &pods("volumes: [{name: w}]")), "STOP invalid-object Deployment/ns/a: is refused: it mounts v"),
            (object("StatefulSet", "a", &pods("").replacen("spec: {", "spec: {volumeClaimTemplates: [{metadata: {name: v}}], ", 1)), ""),
        ] {
            let said = says(super::super::items, "", &new);
            assert!(said.starts_with(expected) && said.is_empty() == expected.is_empty(), "{new}: {said}");
            let there = says(super::super::items, &new, &new);
            assert!(there.is_empty() || there.contains("has no name"), "it is there already: {there}");
        }
    }

    #[test]
    fn an_upgrade_makes_its_own_hooks_alone() {
        let hook = |event: &str| {
            format!("apiVersion: v1\nkind: ConfigMap\nmetadata: {{name: a, annotations: {{helm.sh/hook: {event}}}}}\ndata: {{a: 1}}")
        };
        assert!(says(super::super::items, "", &hook("pre-upgrade")).starts_with("STOP invalid-object"));
        assert_eq!(says(super::super::items, "", &hook("post-install")), "");
    }
}
