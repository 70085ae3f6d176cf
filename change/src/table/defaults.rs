//! Values that the API server stores when a manifest says nothing. From `pkg/apis/*/*/defaults.go` of Kubernetes 1.36; those of
//! `extensions/v1beta1` differed and are not here.

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

/// Of the spec of a pod; `*` stands for containers and initContainers, `?` for the three probes.
const POD: &[(&str, &str)] = &[
    ("dnsPolicy", r#""ClusterFirst""#),
    ("enableServiceLinks", "true"),
    ("hostIPC", "false"),
    ("hostNetwork", "false"),
    ("hostPID", "false"),
    ("nodeName", r#""""#),
    ("preemptionPolicy", r#""PreemptLowerPriority""#),
    ("priorityClassName", r#""""#),
    ("schedulerName", r#""default-scheduler""#),
    ("serviceAccountName", r#""default""#),
    ("serviceAccountName", r#""""#),
    ("setHostnameAsFQDN", "false"),
    ("shareProcessNamespace", "false"),
    ("subdomain", r#""""#),
    ("terminationGracePeriodSeconds", "30"),
    ("*.env.value", r#""""#),
    ("*.env.valueFrom.fieldRef.apiVersion", r#""v1""#),
    ("*.env.valueFrom.configMapKeyRef.optional", "false"),
    ("*.env.valueFrom.secretKeyRef.optional", "false"),
    ("*.envFrom.configMapRef.optional", "false"),
    ("*.envFrom.secretRef.optional", "false"),
    ("*.lifecycle.postStart.httpGet.scheme", r#""HTTP""#),
    ("*.lifecycle.preStop.httpGet.scheme", r#""HTTP""#),
    ("*.ports.hostPort", "0"),
    ("*.ports.protocol", r#""TCP""#),
    ("*.securityContext.privileged", "false"),
    ("*.securityContext.procMount", r#""Default""#),
    ("*.securityContext.readOnlyRootFilesystem", "false"),
    ("*.stdin", "false"),
    ("*.stdinOnce", "false"),
    ("*.terminationMessagePath", r#""/dev/termination-log""#),
    ("*.terminationMessagePolicy", r#""File""#),
    ("*.tty", "false"),
    ("*.volumeMounts.readOnly", "false"),
    ("*.volumeMounts.subPath", r#""""#),
    ("*.?.failureThreshold", "3"),
    ("*.?.grpc.service", r#""""#),
    ("*.?.httpGet.path", r#""/""#),
    ("*.?.httpGet.scheme", r#""HTTP""#),
    ("*.?.initialDelaySeconds", "0"),
    ("*.?.periodSeconds", "10"),
    ("*.?.successThreshold", "1"),
    ("*.?.timeoutSeconds", "1"),
    ("volumes.configMap.defaultMode", "420"),
    ("volumes.configMap.optional", "false"),
    ("volumes.csi.readOnly", "false"),
    ("volumes.downwardAPI.defaultMode", "420"),
    ("volumes.downwardAPI.items.fieldRef.apiVersion", r#""v1""#),
    ("volumes.emptyDir.medium", r#""""#),
    ("volumes.hostPath.type", r#""""#),
    ("volumes.nfs.readOnly", "false"),
    ("volumes.persistentVolumeClaim.readOnly", "false"),
    ("volumes.projected.defaultMode", "420"),
    ("volumes.projected.sources.serviceAccountToken.expirationSeconds", "3600"),
    ("volumes.secret.defaultMode", "420"),
    ("volumes.secret.optional", "false"),
];

/// Of other fields, by kind. Those of the Prometheus Operator's kinds are from its API reference (0.90) and the defaults of its CRDs.
const FIELDS: &[(&str, &str, &str)] = &[
    ("Alertmanager", "spec.forceEnableClusterMode", "false"),
    ("Alertmanager", "spec.listenLocal", "false"),
    ("Alertmanager", "spec.paused", "false"),
    ("Alertmanager", "spec.replicas", "1"),
    ("ClusterRoleBinding", "roleRef.apiGroup", r#""rbac.authorization.k8s.io""#),
    ("CronJob", "spec.concurrencyPolicy", r#""Allow""#),
    ("CronJob", "spec.failedJobsHistoryLimit", "1"),
    ("CronJob", "spec.jobTemplate.spec.backoffLimit", "6"),
    ("CronJob", "spec.jobTemplate.spec.completions", "1"),
    ("CronJob", "spec.jobTemplate.spec.parallelism", "1"),
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
    ("Job", "spec.completions", "1"),
    ("Job", "spec.manualSelector", "false"),
    ("Job", "spec.parallelism", "1"),
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
    ("RoleBinding", "roleRef.apiGroup", r#""rbac.authorization.k8s.io""#),
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
    ("ServiceAccount", "automountServiceAccountToken", "true"),
    ("ServiceMonitor", "spec.endpoints.honorLabels", "false"),
    ("ServiceMonitor", "spec.endpoints.metricRelabelings.action", r#""replace""#),
    ("ServiceMonitor", "spec.endpoints.relabelings.action", r#""replace""#),
    ("ServiceMonitor", "spec.endpoints.scheme", r#""http""#),
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
    ("StorageClass", "allowVolumeExpansion", "false"),
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

const PROBES: [&str; 3] = ["livenessProbe", "readinessProbe", "startupProbe"];
const CONTAINERS: [&str; 2] = ["containers", "initContainers"];

/// Whether the API server would have stored this value anyway. `keys` leads to it from the top of the object, `parent` is the map
/// that it stands in.
pub(crate) fn is_default(kind: &str, keys: &[&str], value: &Value, parent: &Map<String, Value>) -> bool {
    if FIELDS.iter().any(|(of, path, text)| *of == kind && is_path(path, keys) && is_text(value, text)) {
        return true;
    }
    if by_neighbour(kind, keys, value, parent) {
        return true;
    }
    let Some(pod) = pod_part(kind, keys) else { return false };
    if pod == ["restartPolicy"] {
        return !matches!(kind, "Job" | "CronJob") && value == "Always";
    }
    POD.iter().any(|(path, text)| is_path(path, pod) && is_text(value, text))
}

/// The keys below the spec of the pods; `None` when they lead elsewhere.
pub(crate) fn pod_part<'k, 's>(kind: &str, keys: &'k [&'s str]) -> Option<&'k [&'s str]> {
    let (_, spec) = POD_SPECS.iter().find(|(of, _)| *of == kind)?;
    keys.strip_prefix(*spec)
}

/// Defaults that follow from another field of the same map.
fn by_neighbour(kind: &str, keys: &[&str], value: &Value, parent: &Map<String, Value>) -> bool {
    let neighbour = |key: &str| parent.get(key);
    match (kind, keys) {
        ("Service", ["spec", "ports", "targetPort"]) => neighbour("port") == Some(value),
        ("RoleBinding" | "ClusterRoleBinding", ["subjects", "apiGroup"]) => match neighbour("kind").and_then(Value::as_str) {
            Some("ServiceAccount") => value == "",
            _ => value == "rbac.authorization.k8s.io",
        },
        _ => match pod_part(kind, keys) {
            Some([list, "imagePullPolicy"]) if CONTAINERS.contains(list) => {
                neighbour("image").and_then(Value::as_str).is_some_and(|image| value == pull_policy(image))
            }
            Some(["serviceAccount"]) => neighbour("serviceAccountName") == Some(value),
            _ => false,
        },
    }
}

/// What the API server puts for a container that does not say it.
fn pull_policy(image: &str) -> &'static str {
    if image.contains('@') {
        return "IfNotPresent";
    }
    let name = image.rsplit('/').next().unwrap_or(image);
    match name.split_once(':') {
        None | Some((_, "latest")) => "Always",
        Some(_) => "IfNotPresent",
    }
}

fn is_path(pattern: &str, keys: &[&str]) -> bool {
    let mut wanted = pattern.split('.');
    keys.iter().all(|key| match wanted.next() {
        Some("*") => CONTAINERS.contains(key),
        Some("?") => PROBES.contains(key),
        other => other == Some(*key),
    }) && wanted.next().is_none()
}

/// The tables hold JSON, so that `0` and `"0"` stay apart.
fn is_text(value: &Value, text: &str) -> bool {
    serde_json::from_str::<Value>(text).is_ok_and(|default| default == *value)
}
