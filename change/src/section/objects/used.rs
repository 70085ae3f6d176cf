//! Objects that go while pods of the new version still name them.

use std::collections::BTreeSet;

use serde_json::Value;

use super::super::Context;
use super::super::read::{Seen, claim, few, kept, list, news, pod_spec, text};
use crate::summary::{Item, Weight};

/// Workloads that are named in a sentence.
const NAMED: usize = 3;

pub(super) fn items(context: &Context<'_>) -> Vec<Item> {
    let after: Vec<Seen<'_>> = news(context.objects);
    let hooks: Vec<Seen<'_>> = news(context.hooks);
    let removed = context.objects.removed.iter().map(|one| Seen { object: &one.object, rendered: one.rendered });
    let missing = removed.filter(|seen| {
        let is_it = |one: &Seen<'_>| one.object == seen.object;
        wanted(seen.kind()) && seen.object.group.is_empty() && !kept(seen.value()) && !hooks.iter().any(is_it) && !is_made(*seen, &after)
    });
    missing.filter_map(|seen| missed(seen, &after)).collect()
}

fn wanted(kind: &str) -> bool {
    matches!(kind, "ConfigMap" | "Secret" | "ServiceAccount" | "PersistentVolumeClaim")
}

/// Whether another object of the new version says that its controller makes the Secret or ConfigMap.
fn is_made(seen: Seen<'_>, after: &[Seen<'_>]) -> bool {
    let name = Some(seen.object.name.as_str());
    after.iter().filter(|one| !one.object.group.is_empty() && one.object.namespace == seen.object.namespace).any(|one| {
        let value = one.value();
        let says = |path: &[&str]| text(value, path) == name;
        says(&["spec", "secretName"])
            || says(&["spec", "target", "name"])
            || matches!(one.kind(), "SealedSecret" | "ExternalSecret") && text(value, &["metadata", "name"]) == name
    })
}

fn missed(seen: Seen<'_>, after: &[Seen<'_>]) -> Option<Item> {
    let needs = |one: &&Seen<'_>| {
        let spec = pod_spec(one.value()).filter(|_| one.object.namespace == seen.object.namespace);
        spec.is_some_and(|spec| needed(spec).contains(&(seen.kind(), seen.object.name.as_str())))
    };
    let users: Vec<String> = after.iter().filter(needs).map(|one| one.object.to_string()).collect();
    if users.is_empty() {
        return None;
    }
    let what = match seen.kind() {
        "ServiceAccount" => format!("goes, and {} still runs as it: no new pod of it can be made", few(&users, NAMED)),
        _ => format!("goes, and {} still needs it: pods hang at their next start", few(&users, NAMED)),
    };
    let next = "take what names it out of the values, or make the object yourself before the upgrade";
    Some(claim("object-used", Weight::Act, what, &[seen]).next(next))
}

/// What pods cannot start without, as kind and name.
pub(in super::super) fn needed<'v>(spec: &'v Value) -> BTreeSet<(&'static str, &'v str)> {
    let mut found = BTreeSet::new();
    let mut add = |kind, reference: Option<&'v Value>, key: &str| {
        let reference = reference.filter(|reference| reference.get("optional") != Some(&Value::Bool(true)));
        found.extend(reference.and_then(|reference| text(reference, &[key])).map(|name| (kind, name)));
    };
    for volume in list(spec, &["volumes"]) {
        add("ConfigMap", volume.get("configMap"), "name");
        add("Secret", volume.get("secret"), "secretName");
        add("PersistentVolumeClaim", volume.get("persistentVolumeClaim"), "claimName");
        for source in list(volume, &["projected", "sources"]) {
            add("ConfigMap", source.get("configMap"), "name");
            add("Secret", source.get("secret"), "name");
        }
    }
    for container in ["containers", "initContainers"].into_iter().flat_map(|key| list(spec, &[key])) {
        for from in list(container, &["envFrom"]) {
            add("ConfigMap", from.get("configMapRef"), "name");
            add("Secret", from.get("secretRef"), "name");
        }
        for variable in list(container, &["env"]) {
            let from = variable.get("valueFrom");
            add("ConfigMap", from.and_then(|from| from.get("configMapKeyRef")), "name");
            add("Secret", from.and_then(|from| from.get("secretKeyRef")), "name");
        }
    }
    add("ServiceAccount", Some(spec), "serviceAccountName");
    found
}

#[cfg(test)]
mod tests {
    use super::super::super::testing::says;

    #[test]
    fn what_goes_while_pods_still_name_it() {
        let object = |kind: &str, name: &str, rest: &str| format!("apiVersion: v1\nkind: {kind}\nmetadata: {{name: {name}{rest}}}");
        let pods = |spec: &str| {
            format!(
                "apiVersion: apps/v1\nkind: Deployment\nmetadata: {{name: x}}\nspec: {{template: {{spec: {{containers: [{{name: a}}], {spec}}}}}}}"
            )
        };
        let certificate = "apiVersion: cert-manager.io/v1\nkind: Certificate\nmetadata: {name: x}\nspec: {secretName: s}";
        let both = |one: &str, other: &str| format!("{one}\n---\n{other}");
        let (map, secret) = (object("ConfigMap", "m", ""), object("Secret", "s", ""));
        let secrets = pods("volumes: [{name: v, projected: {sources: [{secret: {name: s}}]}}]");
        for (gone, new, expected) in [
            (
                &map,
                pods("volumes: [{name: v, configMap: {name: m}}]"),
                "ACT object-used ConfigMap/ns/m: goes, and Deployment/ns/x still needs it",
            ),
            (&map, pods("volumes: [{name: v, configMap: {name: m, optional: true}}]"), ""),
            (&map, pods("volumes: [{name: v, configMap: {name: n}}]"), ""),
            (
                &map,
                pods("initContainers: [{name: b, env: [{name: A, valueFrom: {configMapKeyRef: {name: m}}}]}]"),
                "ACT object-used ConfigMap/ns/m: goes",
            ),
            (&secret, pods("initContainers: [{name: b, envFrom: [{secretRef: {name: s}}]}]"), "ACT object-used Secret/ns/s: goes"),
            (&secret, secrets.clone(), "ACT object-used Secret/ns/s: goes"),
            (&secret, both(&secrets, certificate), ""),
            (&secret, both(&secrets, &object("Secret", "s", ", annotations: {helm.sh/hook: pre-upgrade}")), ""),
            (&object("Secret", "s", ", annotations: {helm.sh/resource-policy: keep}"), secrets.clone(), ""),
            (
                &object("ServiceAccount", "a", ""),
                pods("serviceAccountName: a"),
                "ACT object-used ServiceAccount/ns/a: goes, and Deployment/ns/x still runs as it",
            ),
            (
                &object("PersistentVolumeClaim", "c", ""),
                pods("volumes: [{name: v, persistentVolumeClaim: {claimName: c}}]"),
                "ACT object-used PersistentVolumeClaim/ns/c: goes",
            ),
        ] {
            let said = says(super::super::items, &both(gone, &new), &new);
            assert!(said.starts_with(expected) && said.is_empty() == expected.is_empty(), "{new}: {said}");
        }
    }
}
