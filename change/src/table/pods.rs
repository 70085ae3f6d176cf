//! What the API server stores of a pod that a manifest describes. Pods are made anew when what is stored of their template differs, so
//! this is decided by how `k8s.io/api/core/v1/types.go` declares a field and by what `pkg/apis/core/v1/defaults.go` writes into it
//! (Kubernetes 1.36), and not by what the kubelet makes of it: a field behind a pointer is stored as it was given, `{}` and `false` too;
//! maps, lists and scalars without a pointer are not stored when they are empty.

use serde_json::{Map, Value};

/// Where kinds keep the spec of their pods.
pub(crate) const POD_SPECS: &[(&str, &[&str])] = &[
    ("CronJob", &["spec", "jobTemplate", "spec", "template", "spec"]),
    ("DaemonSet", &["spec", "template", "spec"]),
    ("Deployment", &["spec", "template", "spec"]),
    ("Job", &["spec", "template", "spec"]),
    ("Pod", &["spec"]),
    ("ReplicaSet", &["spec", "template", "spec"]),
    ("ReplicationController", &["spec", "template", "spec"]),
    ("StatefulSet", &["spec", "template", "spec"]),
];

/// What the server writes where nothing stands, as JSON; `*` stands for containers and initContainers, `?` for the three probes, `!` for
/// the hooks of a container's life.
const DEFAULTS: &[(&str, &str)] = &[
    ("dnsPolicy", r#""ClusterFirst""#),
    ("schedulerName", r#""default-scheduler""#),
    ("terminationGracePeriodSeconds", "30"),
    ("*.env.valueFrom.fieldRef.apiVersion", r#""v1""#),
    ("*.env.valueFrom.resourceFieldRef.divisor", r#""0""#),
    ("*.lifecycle.!.httpGet.path", r#""/""#),
    ("*.lifecycle.!.httpGet.scheme", r#""HTTP""#),
    ("*.ports.protocol", r#""TCP""#),
    ("*.terminationMessagePath", r#""/dev/termination-log""#),
    ("*.terminationMessagePolicy", r#""File""#),
    ("*.?.failureThreshold", "3"),
    ("*.?.grpc.service", r#""""#),
    ("*.?.httpGet.path", r#""/""#),
    ("*.?.httpGet.scheme", r#""HTTP""#),
    ("*.?.periodSeconds", "10"),
    ("*.?.successThreshold", "1"),
    ("*.?.timeoutSeconds", "1"),
    ("volumes.configMap.defaultMode", "420"),
    ("volumes.downwardAPI.defaultMode", "420"),
    ("volumes.downwardAPI.items.fieldRef.apiVersion", r#""v1""#),
    ("volumes.downwardAPI.items.resourceFieldRef.divisor", r#""0""#),
    ("volumes.ephemeral.volumeClaimTemplate.spec.volumeMode", r#""Filesystem""#),
    ("volumes.hostPath.type", r#""""#),
    ("volumes.projected.defaultMode", "420"),
    ("volumes.projected.sources.downwardAPI.items.fieldRef.apiVersion", r#""v1""#),
    ("volumes.projected.sources.downwardAPI.items.resourceFieldRef.divisor", r#""0""#),
    ("volumes.projected.sources.serviceAccountToken.expirationSeconds", "3600"),
    ("volumes.secret.defaultMode", "420"),
];

/// What it writes into a Pod, and into no template of pods: `SetDefaults_Pod`, and the admission plugins ServiceAccount and Priority.
const DEFAULTS_OF_PODS: &[(&str, &str)] =
    &[("enableServiceLinks", "true"), ("preemptionPolicy", r#""PreemptLowerPriority""#), ("serviceAccountName", r#""default""#)];

/// Scalars behind pointers, told by the end of their path.
const POINTERS: &[&str] = &[
    "activeDeadlineSeconds",
    "allowPrivilegeEscalation",
    "automountServiceAccountToken",
    "azureDisk.cachingMode",
    "azureDisk.fsType",
    "azureDisk.kind",
    "azureDisk.readOnly",
    "clusterTrustBundle.name",
    "csi.fsType",
    "csi.readOnly",
    "dataSource.apiGroup",
    "dataSourceRef.apiGroup",
    "dataSourceRef.namespace",
    "defaultMode",
    "enableServiceLinks",
    "expirationSeconds",
    "fc.lun",
    "fsGroup",
    "fsGroupChangePolicy",
    "gmsaCredentialSpec",
    "gmsaCredentialSpecName",
    "grpc.service",
    "hostPath.type",
    "hostProcess",
    "hostUsers",
    "hostnameOverride",
    "iscsi.initiatorName",
    "localhostProfile",
    "maxExpirationSeconds",
    "minDomains",
    "mode",
    "mountPropagation",
    "nodeAffinityPolicy",
    "nodeTaintsPolicy",
    "optional",
    "options.value",
    "podGroupName",
    "preemptionPolicy",
    "priority",
    "privileged",
    "procMount",
    "readOnlyRootFilesystem",
    "recursiveReadOnly",
    "resourceClaimName",
    "resourceClaimTemplateName",
    "runAsGroup",
    "runAsNonRoot",
    "runAsUser",
    "runAsUserName",
    "runtimeClassName",
    "seLinuxChangePolicy",
    "setHostnameAsFQDN",
    "shareProcessNamespace",
    "signerName",
    "sizeLimit",
    "stopSignal",
    "storageClassName",
    "supplementalGroupsPolicy",
    "terminationGracePeriodSeconds",
    "tolerationSeconds",
    "volumeAttributesClassName",
    "volumeMode",
];

/// Fields that are maps: what stands in them is stored, be it empty; an empty map is not.
const MAPS: [&str; 9] =
    ["annotations", "labels", "limits", "matchLabels", "nodeSelector", "overhead", "requests", "userAnnotations", "volumeAttributes"];

/// Structs that stand where they are without a pointer. With nothing in them they are not there.
const STRUCTS: &[&str] = &[
    "containers.resources",
    "initContainers.resources",
    "podAffinityTerm",
    "preference",
    "volumeClaimTemplate.metadata",
    "volumeClaimTemplate.spec",
    "volumeClaimTemplate.spec.resources",
];

const PROBES: [&str; 3] = ["livenessProbe", "readinessProbe", "startupProbe"];
const HOOKS: [&str; 2] = ["postStart", "preStop"];
const CONTAINERS: [&str; 2] = ["containers", "initContainers"];

/// The keys below the spec of the pods; `None` when they lead elsewhere.
pub(crate) fn pod_part<'k, 's>(kind: &str, keys: &'k [&'s str]) -> Option<&'k [&'s str]> {
    let (_, spec) = POD_SPECS.iter().find(|(of, _)| *of == kind)?;
    keys.strip_prefix(*spec)
}

/// What becomes of a value in a pod that stands in one manifest and not in the other.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Stored {
    /// Nothing is stored of it.
    Nothing,
    /// It is stored as it is.
    AsGiven,
    /// As much as of its parts.
    Parts,
}

/// Whether the server stores the value, defaults aside.
pub(crate) fn stored(part: &[&str], value: &Value) -> Stored {
    let last = part.last().copied().unwrap_or_default();
    match value {
        Value::Null => Stored::Nothing,
        Value::Array(items) if items.is_empty() => Stored::Nothing,
        Value::Object(_) if MAPS.contains(&last) || part.is_empty() || part == ["securityContext"] || ends_as(STRUCTS, part) => {
            Stored::Parts
        }
        Value::Array(_) | Value::Object(_) => Stored::AsGiven,
        _ => {
            let in_map = part.iter().rev().nth(1).is_some_and(|above| MAPS.contains(above));
            let is_zero = *value == Value::Bool(false) || value.as_f64() == Some(0.0) || value == "";
            if is_zero && !in_map && !ends_as(POINTERS, part) { Stored::Nothing } else { Stored::AsGiven }
        }
    }
}

/// Whether the server writes this value where the manifest has nothing. `lacking` is the map in which nothing stands.
pub(crate) fn is_default(kind: &str, part: &[&str], value: &Value, lacking: &Map<String, Value>) -> bool {
    let neighbour = |key: &str| lacking.get(key);
    match part {
        ["restartPolicy"] => return !matches!(kind, "Job" | "CronJob") && value == "Always",
        [list, "imagePullPolicy"] if CONTAINERS.contains(list) => {
            return neighbour("image").and_then(Value::as_str).is_some_and(|image| value == pull_policy(image));
        }
        ["volumes", "image", "pullPolicy"] => {
            return neighbour("reference").and_then(Value::as_str).is_some_and(|image| value == pull_policy(image));
        }
        // The old name of the field: the new one is stored for it, and wins.
        ["serviceAccount"] => return neighbour("serviceAccountName").and_then(Value::as_str).is_some_and(|name| !name.is_empty()),
        ["serviceAccountName"] if neighbour("serviceAccount") == Some(value) => return true,
        // A volume without a source is an empty folder.
        ["volumes", "emptyDir"] if lacking.keys().all(|key| key == "name") => {
            return value.as_object().is_some_and(|map| map.iter().all(|(key, value)| key == "medium" && value == ""));
        }
        _ => {}
    }
    let of_pods = DEFAULTS_OF_PODS.iter().filter(|_| kind == "Pod");
    DEFAULTS.iter().chain(of_pods).any(|(path, text)| is_path(path, part) && is_text(value, text))
}

/// What the API server puts for a container that does not say it.
fn pull_policy(image: &str) -> &'static str {
    let (name, digest) = image.split_once('@').map_or((image, None), |(name, digest)| (name, Some(digest)));
    let name = name.rsplit('/').next().unwrap_or(name);
    match name.split_once(':') {
        None if digest.is_none() => "Always",
        Some((_, "latest")) => "Always",
        _ => "IfNotPresent",
    }
}

fn ends_as(ends: &[&str], part: &[&str]) -> bool {
    ends.iter().any(|end| {
        let mut keys = part.iter().rev();
        end.rsplit('.').all(|wanted| keys.next() == Some(&wanted))
    })
}

pub(super) fn is_path(pattern: &str, keys: &[&str]) -> bool {
    let mut wanted = pattern.split('.');
    keys.iter().all(|key| match wanted.next() {
        Some("*") => CONTAINERS.contains(key),
        Some("?") => PROBES.contains(key),
        Some("!") => HOOKS.contains(key),
        other => other == Some(*key),
    }) && wanted.next().is_none()
}

/// The tables hold JSON, so that `0` and `"0"` stay apart.
pub(super) fn is_text(value: &Value, text: &str) -> bool {
    serde_json::from_str::<Value>(text).is_ok_and(|default| default == *value)
}
