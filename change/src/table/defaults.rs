//! Values outside of pods that the API server writes when a manifest says nothing: from `pkg/apis/*/*/defaults.go` of Kubernetes 1.36, each
//! tried on a server of that version. What pods get is in [`super::pods`]; those of `extensions/v1beta1` differed and are not here.

use serde_json::{Map, Value};

use super::pods::{self, is_path, is_text, pod_part};

/// By kind.
const FIELDS: &[(&str, &str, &str)] = &[
    ("CSIDriver", "spec.attachRequired", "true"),
    ("CSIDriver", "spec.fsGroupPolicy", r#""ReadWriteOnceWithFSType""#),
    ("CSIDriver", "spec.podInfoOnMount", "false"),
    ("CSIDriver", "spec.requiresRepublish", "false"),
    ("CSIDriver", "spec.seLinuxMount", "false"),
    ("CSIDriver", "spec.storageCapacity", "false"),
    ("ClusterRoleBinding", "roleRef.apiGroup", r#""""#),
    ("ClusterRoleBinding", "roleRef.apiGroup", r#""rbac.authorization.k8s.io""#),
    ("CronJob", "spec.concurrencyPolicy", r#""Allow""#),
    ("CronJob", "spec.failedJobsHistoryLimit", "1"),
    ("CronJob", "spec.successfulJobsHistoryLimit", "3"),
    ("CronJob", "spec.suspend", "false"),
    ("DaemonSet", "spec.minReadySeconds", "0"),
    ("DaemonSet", "spec.revisionHistoryLimit", "10"),
    ("DaemonSet", "spec.updateStrategy.rollingUpdate.maxSurge", "0"),
    ("DaemonSet", "spec.updateStrategy.rollingUpdate.maxUnavailable", "1"),
    ("DaemonSet", "spec.updateStrategy.type", r#""RollingUpdate""#),
    ("Deployment", "spec.minReadySeconds", "0"),
    ("Deployment", "spec.paused", "false"),
    ("Deployment", "spec.progressDeadlineSeconds", "600"),
    ("Deployment", "spec.replicas", "1"),
    ("Deployment", "spec.revisionHistoryLimit", "10"),
    ("Deployment", "spec.strategy.rollingUpdate.maxSurge", r#""25%""#),
    ("Deployment", "spec.strategy.rollingUpdate.maxUnavailable", r#""25%""#),
    ("Deployment", "spec.strategy.type", r#""RollingUpdate""#),
    ("HorizontalPodAutoscaler", "spec.minReplicas", "1"),
    ("Job", "spec.backoffLimit", "6"),
    ("Job", "spec.completionMode", r#""NonIndexed""#),
    ("Job", "spec.manualSelector", "false"),
    ("Job", "spec.suspend", "false"),
    ("MutatingWebhookConfiguration", "webhooks.clientConfig.service.port", "443"),
    ("MutatingWebhookConfiguration", "webhooks.failurePolicy", r#""Fail""#),
    ("MutatingWebhookConfiguration", "webhooks.matchPolicy", r#""Equivalent""#),
    ("MutatingWebhookConfiguration", "webhooks.namespaceSelector", "{}"),
    ("MutatingWebhookConfiguration", "webhooks.objectSelector", "{}"),
    ("MutatingWebhookConfiguration", "webhooks.reinvocationPolicy", r#""Never""#),
    ("MutatingWebhookConfiguration", "webhooks.rules.scope", r#""*""#),
    ("MutatingWebhookConfiguration", "webhooks.timeoutSeconds", "10"),
    ("NetworkPolicy", "spec.egress.ports.protocol", r#""TCP""#),
    ("NetworkPolicy", "spec.ingress.ports.protocol", r#""TCP""#),
    ("PersistentVolume", "spec.persistentVolumeReclaimPolicy", r#""Retain""#),
    ("PersistentVolume", "spec.volumeMode", r#""Filesystem""#),
    ("PersistentVolumeClaim", "spec.volumeMode", r#""Filesystem""#),
    ("PersistentVolumeClaim", "spec.volumeName", r#""""#),
    ("PriorityClass", "globalDefault", "false"),
    ("PriorityClass", "preemptionPolicy", r#""PreemptLowerPriority""#),
    ("RoleBinding", "roleRef.apiGroup", r#""""#),
    ("RoleBinding", "roleRef.apiGroup", r#""rbac.authorization.k8s.io""#),
    ("Secret", "type", r#""""#),
    ("Secret", "type", r#""Opaque""#),
    ("Service", "spec.allocateLoadBalancerNodePorts", "true"),
    ("Service", "spec.clusterIP", r#""""#),
    ("Service", "spec.externalTrafficPolicy", r#""Cluster""#),
    ("Service", "spec.internalTrafficPolicy", r#""Cluster""#),
    ("Service", "spec.ipFamilyPolicy", r#""SingleStack""#),
    ("Service", "spec.ports.protocol", r#""TCP""#),
    ("Service", "spec.publishNotReadyAddresses", "false"),
    ("Service", "spec.sessionAffinity", r#""None""#),
    ("Service", "spec.type", r#""ClusterIP""#),
    ("StatefulSet", "spec.minReadySeconds", "0"),
    ("StatefulSet", "spec.persistentVolumeClaimRetentionPolicy.whenDeleted", r#""Retain""#),
    ("StatefulSet", "spec.persistentVolumeClaimRetentionPolicy.whenScaled", r#""Retain""#),
    ("StatefulSet", "spec.podManagementPolicy", r#""OrderedReady""#),
    ("StatefulSet", "spec.replicas", "1"),
    ("StatefulSet", "spec.revisionHistoryLimit", "10"),
    ("StatefulSet", "spec.updateStrategy.rollingUpdate.partition", "0"),
    ("StatefulSet", "spec.updateStrategy.type", r#""RollingUpdate""#),
    ("StatefulSet", "spec.volumeClaimTemplates.apiVersion", r#""v1""#),
    ("StatefulSet", "spec.volumeClaimTemplates.kind", r#""PersistentVolumeClaim""#),
    ("StatefulSet", "spec.volumeClaimTemplates.spec.volumeMode", r#""Filesystem""#),
    ("StorageClass", "reclaimPolicy", r#""Delete""#),
    ("StorageClass", "volumeBindingMode", r#""Immediate""#),
    ("ValidatingWebhookConfiguration", "webhooks.clientConfig.service.port", "443"),
    ("ValidatingWebhookConfiguration", "webhooks.failurePolicy", r#""Fail""#),
    ("ValidatingWebhookConfiguration", "webhooks.matchPolicy", r#""Equivalent""#),
    ("ValidatingWebhookConfiguration", "webhooks.namespaceSelector", "{}"),
    ("ValidatingWebhookConfiguration", "webhooks.objectSelector", "{}"),
    ("ValidatingWebhookConfiguration", "webhooks.rules.scope", r#""*""#),
    ("ValidatingWebhookConfiguration", "webhooks.timeoutSeconds", "10"),
];

/// Stored as given, and nevertheless the same as nothing: no pods are made anew for them, and nothing runs otherwise. Those of the
/// Prometheus Operator's kinds are from its API reference (0.90) and the defaults of its CRDs.
const ALIKE: &[(&str, &str, &str)] = &[
    ("Alertmanager", "spec.forceEnableClusterMode", "false"),
    ("Alertmanager", "spec.listenLocal", "false"),
    ("Alertmanager", "spec.paused", "false"),
    ("Alertmanager", "spec.replicas", "1"),
    ("ConfigMap", "immutable", "false"),
    ("CronJob", "spec.jobTemplate.spec.backoffLimit", "6"),
    ("CronJob", "spec.jobTemplate.spec.completionMode", r#""NonIndexed""#),
    ("CronJob", "spec.jobTemplate.spec.completions", "1"),
    ("CronJob", "spec.jobTemplate.spec.parallelism", "1"),
    ("CronJob", "spec.jobTemplate.spec.suspend", "false"),
    ("PodDisruptionBudget", "spec.unhealthyPodEvictionPolicy", r#""IfHealthyBudget""#),
    ("PodMonitor", "spec.podMetricsEndpoints.metricRelabelings.action", r#""replace""#),
    ("PodMonitor", "spec.podMetricsEndpoints.relabelings.action", r#""replace""#),
    ("Prometheus", "spec.disableCompaction", "false"),
    ("Prometheus", "spec.enableAdminAPI", "false"),
    ("Prometheus", "spec.enableRemoteWriteReceiver", "false"),
    ("Prometheus", "spec.hostNetwork", "false"),
    ("Prometheus", "spec.listenLocal", "false"),
    ("Prometheus", "spec.paused", "false"),
    ("Prometheus", "spec.replicas", "1"),
    ("Prometheus", "spec.shards", "1"),
    ("Secret", "immutable", "false"),
    ("ServiceAccount", "automountServiceAccountToken", "true"),
    ("ServiceMonitor", "spec.endpoints.honorLabels", "false"),
    ("ServiceMonitor", "spec.endpoints.metricRelabelings.action", r#""replace""#),
    ("ServiceMonitor", "spec.endpoints.relabelings.action", r#""replace""#),
    ("ServiceMonitor", "spec.endpoints.scheme", r#""http""#),
    ("StorageClass", "allowVolumeExpansion", "false"),
];

/// Both manifests around a value that only one of them has.
#[derive(Clone, Copy)]
pub(crate) struct Around<'v> {
    /// The map in which it stands.
    pub(crate) having: &'v Map<String, Value>,
    /// The map in which it does not.
    pub(crate) lacking: &'v Map<String, Value>,
    /// Whether the new manifest is the one without it.
    pub(crate) goes: bool,
}

/// Whether the API server has this value where the manifest has nothing. `keys` leads to it from the top of the object.
pub(crate) fn is_default(kind: &str, keys: &[&str], value: &Value, around: Around<'_>) -> bool {
    if let Some(part) = pod_part(kind, keys) {
        return pods::is_default(kind, part, value, around.lacking);
    }
    let known = |(of, path, text): &(&str, &str, &str)| *of == kind && is_path(path, keys) && is_text(value, text);
    FIELDS.iter().chain(ALIKE).any(known) || by_neighbour(kind, keys, value, around)
}

/// Defaults that follow from another field of the same map.
fn by_neighbour(kind: &str, keys: &[&str], value: &Value, around: Around<'_>) -> bool {
    let lacks = |key: &str| around.lacking.get(key).is_none_or(Value::is_null);
    match (kind, keys) {
        ("Service", ["spec", "ports", "targetPort"]) => around.lacking.get("port") == Some(value),
        ("RoleBinding" | "ClusterRoleBinding", ["subjects", "apiGroup"]) => match around.lacking.get("kind").and_then(Value::as_str) {
            Some("ServiceAccount") => value == "",
            _ => value == "rbac.authorization.k8s.io" || value == "",
        },
        // Both are 1 where neither is written; where one is, the other is not filled in by it.
        ("Job", ["spec", "completions"]) => {
            value.as_u64() == Some(1) && lacks("parallelism") && (!around.goes || around.having.contains_key("parallelism"))
        }
        ("Job", ["spec", "parallelism"]) => value.as_u64() == Some(1) && (!around.goes || around.having.contains_key("completions")),
        _ => false,
    }
}
