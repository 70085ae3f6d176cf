//! Fields of pods, each written into a Deployment that lacks it, and whether a server of Kubernetes 1.36.3 then stored another template.

use serde_json::{Value, json};

use super::super::input::{Rendered, Side, Target};
use super::compare;

/// A pod with a place for each of them.
const POD: &str = r#"{"serviceAccountName": "sa1", "containers": [{"name": "a", "image": "a:1", "env": [{"name": "E", "valueFrom": {"fieldRef": {"fieldPath": "metadata.name"}}}, {"name": "F", "valueFrom": {"configMapKeyRef": {"name": "c", "key": "k"}}}, {"name": "G", "valueFrom": {"secretKeyRef": {"name": "c", "key": "k"}}}, {"name": "H"}, {"name": "I", "valueFrom": {"resourceFieldRef": {"resource": "limits.cpu"}}}], "envFrom": [{"configMapRef": {"name": "c"}}, {"secretRef": {"name": "c"}}], "ports": [{"containerPort": 80}], "volumeMounts": [{"name": "v0", "mountPath": "/a"}], "livenessProbe": {"httpGet": {"port": 80}}, "readinessProbe": {"grpc": {"port": 80}}, "startupProbe": {"tcpSocket": {"port": 80}}, "lifecycle": {"preStop": {"httpGet": {"port": 80}}, "postStart": {"httpGet": {"port": 80}}}, "securityContext": {"runAsUser": 1, "capabilities": {"drop": ["ALL"]}, "seccompProfile": {"type": "RuntimeDefault"}}}, {"name": "b", "image": "b:1"}], "topologySpreadConstraints": [{"maxSkew": 1, "topologyKey": "x", "whenUnsatisfiable": "DoNotSchedule", "labelSelector": {"matchLabels": {"a": "b"}}}], "tolerations": [{"key": "a", "operator": "Exists"}], "volumes": [{"name": "v0"}, {"name": "v1", "configMap": {"name": "c"}}, {"name": "v2", "secret": {"secretName": "c"}}, {"name": "v3", "csi": {"driver": "d.io"}}, {"name": "v4", "downwardAPI": {"items": [{"path": "a", "fieldRef": {"fieldPath": "metadata.name"}}]}}, {"name": "v5", "hostPath": {"path": "/x"}}, {"name": "v6", "nfs": {"server": "a", "path": "/b"}}, {"name": "v7", "persistentVolumeClaim": {"claimName": "c"}}, {"name": "v8", "projected": {"sources": [{"serviceAccountToken": {"path": "t"}}, {"configMap": {"name": "c"}}, {"secret": {"name": "c"}}, {"downwardAPI": {"items": [{"path": "a", "fieldRef": {"fieldPath": "metadata.name"}}]}}]}}, {"name": "v9", "emptyDir": {}}, {"name": "v10", "ephemeral": {"volumeClaimTemplate": {"spec": {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}}}}}}, {"name": "v11", "image": {"reference": "x:1"}}]}"#;

fn deployment(pod: &Value) -> Side {
    let spec = json!({"selector": {"matchLabels": {"a": "b"}}, "template": {"metadata": {"labels": {"a": "b"}}, "spec": pod}});
    let value = json!({"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "x"}, "spec": spec});
    Side { objects: vec![Rendered { source: String::new(), value }], ..Side::default() }
}

fn with(path: &str, text: &str) -> Value {
    let mut pod: Value = serde_json::from_str(POD).unwrap();
    let (above, key) = path.rsplit_once('.').unwrap_or(("", path));
    let mut place = &mut pod;
    for step in above.split('.').filter(|step| !step.is_empty()) {
        place = match step.parse::<usize>() {
            Ok(index) => &mut place[index],
            Err(_) => &mut place[step],
        };
    }
    place[key] = serde_json::from_str(text).unwrap();
    pod
}

/// Whether the pods restart, both ways: for a field that comes and for one that goes.
fn restarts(path: &str, text: &str) -> bool {
    let (without, with) = (deployment(&serde_json::from_str(POD).unwrap()), deployment(&with(path, text)));
    let changed = |old: &Side, new: &Side| compare(old, new, &Target::default()).changed();
    let comes = changed(&without, &with);
    assert_eq!(comes, changed(&with, &without), "{path}: {text}, coming and going");
    comes
}

#[test]
fn stored_as_given() {
    for (path, text) in [
        ("affinity", r#"{"nodeAffinity": {}}"#),
        ("affinity", r#"{"podAffinity": {}}"#),
        ("affinity", r#"{"podAntiAffinity": {"preferredDuringSchedulingIgnoredDuringExecution": []}}"#),
        ("affinity", r#"{"podAntiAffinity": {}}"#),
        ("affinity", "{}"),
        ("automountServiceAccountToken", "true"),
        ("containers.0.env.1.valueFrom.configMapKeyRef.optional", "false"),
        ("containers.0.env.2.valueFrom.secretKeyRef.optional", "false"),
        ("containers.0.env.4.valueFrom.resourceFieldRef.divisor", r#""1""#),
        ("containers.0.envFrom.0.configMapRef.optional", "false"),
        ("containers.0.envFrom.1.secretRef.optional", "false"),
        ("containers.0.livenessProbe.terminationGracePeriodSeconds", "30"),
        ("containers.0.securityContext.allowPrivilegeEscalation", "false"),
        ("containers.0.securityContext.allowPrivilegeEscalation", "true"),
        ("containers.0.securityContext.privileged", "false"),
        ("containers.0.securityContext.procMount", r#""Default""#),
        ("containers.0.securityContext.readOnlyRootFilesystem", "false"),
        ("containers.0.securityContext.runAsNonRoot", "false"),
        ("containers.0.securityContext.seLinuxOptions", "{}"),
        ("containers.0.securityContext.windowsOptions", "{}"),
        ("containers.0.volumeMounts.0.mountPropagation", r#""None""#),
        ("containers.0.volumeMounts.0.recursiveReadOnly", r#""Disabled""#),
        ("containers.1.lifecycle", "{}"),
        ("containers.1.securityContext", r#"{"capabilities": {}}"#),
        ("containers.1.securityContext", "{}"),
        ("dnsConfig", "{}"),
        ("enableServiceLinks", "false"),
        ("enableServiceLinks", "true"),
        ("hostUsers", "false"),
        ("hostUsers", "true"),
        ("preemptionPolicy", r#""PreemptLowerPriority""#),
        ("resources", "{}"),
        ("securityContext", r#"{"fsGroupChangePolicy": "Always"}"#),
        ("securityContext", r#"{"runAsNonRoot": false}"#),
        ("securityContext", r#"{"seLinuxOptions": {}}"#),
        ("securityContext", r#"{"supplementalGroupsPolicy": "Merge"}"#),
        ("setHostnameAsFQDN", "false"),
        ("shareProcessNamespace", "false"),
        ("topologySpreadConstraints.0.minDomains", "1"),
        ("topologySpreadConstraints.0.nodeAffinityPolicy", r#""Honor""#),
        ("topologySpreadConstraints.0.nodeTaintsPolicy", r#""Ignore""#),
        ("volumes.0.emptyDir", r#"{"sizeLimit": "0"}"#),
        ("volumes.1.configMap.optional", "false"),
        ("volumes.10.ephemeral.volumeClaimTemplate.spec.storageClassName", r#""""#),
        ("volumes.2.secret.optional", "false"),
        ("volumes.3.csi.fsType", r#""""#),
        ("volumes.3.csi.readOnly", "false"),
        ("volumes.8.projected.sources.1.configMap.optional", "false"),
        ("volumes.8.projected.sources.2.secret.optional", "false"),
    ] {
        assert!(restarts(path, text), "{path}: {text} is stored");
    }
}

#[test]
fn stored_all_the_same() {
    for (path, text) in [
        ("containers.0.args", "[]"),
        ("containers.0.command", "[]"),
        ("containers.0.env.0.valueFrom.fieldRef.apiVersion", r#""v1""#),
        ("containers.0.env.3.value", r#""""#),
        ("containers.0.env.4.valueFrom.resourceFieldRef.divisor", r#""0""#),
        ("containers.0.envFrom.0.prefix", r#""""#),
        ("containers.0.imagePullPolicy", r#""""#),
        ("containers.0.imagePullPolicy", r#""IfNotPresent""#),
        ("containers.0.lifecycle.postStart.httpGet.scheme", r#""HTTP""#),
        ("containers.0.lifecycle.preStop.httpGet.path", r#""/""#),
        ("containers.0.lifecycle.preStop.httpGet.scheme", r#""HTTP""#),
        ("containers.0.livenessProbe.failureThreshold", "0"),
        ("containers.0.livenessProbe.failureThreshold", "3"),
        ("containers.0.livenessProbe.httpGet.host", r#""""#),
        ("containers.0.livenessProbe.httpGet.httpHeaders", "[]"),
        ("containers.0.livenessProbe.httpGet.path", r#""""#),
        ("containers.0.livenessProbe.httpGet.path", r#""/""#),
        ("containers.0.livenessProbe.httpGet.scheme", r#""HTTP""#),
        ("containers.0.livenessProbe.initialDelaySeconds", "0"),
        ("containers.0.livenessProbe.periodSeconds", "10"),
        ("containers.0.livenessProbe.successThreshold", "1"),
        ("containers.0.livenessProbe.timeoutSeconds", "1"),
        ("containers.0.ports.0.hostIP", r#""""#),
        ("containers.0.ports.0.hostPort", "0"),
        ("containers.0.ports.0.name", r#""""#),
        ("containers.0.ports.0.protocol", r#""""#),
        ("containers.0.ports.0.protocol", r#""TCP""#),
        ("containers.0.readinessProbe.grpc.service", r#""""#),
        ("containers.0.resizePolicy", "[]"),
        ("containers.0.resources", r#"{"claims": []}"#),
        ("containers.0.resources", r#"{"limits": {}, "requests": {}}"#),
        ("containers.0.resources", "{}"),
        ("containers.0.securityContext.capabilities.add", "[]"),
        ("containers.0.startupProbe.tcpSocket.host", r#""""#),
        ("containers.0.stdin", "false"),
        ("containers.0.stdinOnce", "false"),
        ("containers.0.terminationMessagePath", r#""/dev/termination-log""#),
        ("containers.0.terminationMessagePolicy", r#""File""#),
        ("containers.0.tty", "false"),
        ("containers.0.volumeMounts.0.readOnly", "false"),
        ("containers.0.volumeMounts.0.subPath", r#""""#),
        ("containers.0.volumeMounts.0.subPathExpr", r#""""#),
        ("containers.0.workingDir", r#""""#),
        ("containers.1.env", "[]"),
        ("containers.1.envFrom", "[]"),
        ("containers.1.ports", "[]"),
        ("containers.1.volumeDevices", "[]"),
        ("containers.1.volumeMounts", "[]"),
        ("dnsPolicy", r#""""#),
        ("dnsPolicy", r#""ClusterFirst""#),
        ("hostAliases", "[]"),
        ("hostIPC", "false"),
        ("hostNetwork", "false"),
        ("hostPID", "false"),
        ("hostname", r#""""#),
        ("imagePullSecrets", "[]"),
        ("initContainers", "[]"),
        ("nodeName", r#""""#),
        ("nodeSelector", "{}"),
        ("overhead", "{}"),
        ("priorityClassName", r#""""#),
        ("readinessGates", "[]"),
        ("resourceClaims", "[]"),
        ("restartPolicy", r#""""#),
        ("restartPolicy", r#""Always""#),
        ("schedulerName", r#""""#),
        ("schedulerName", r#""default-scheduler""#),
        ("schedulingGates", "[]"),
        ("securityContext", r#"{"sysctls": []}"#),
        ("securityContext", "{}"),
        ("serviceAccount", r#""sa1""#),
        ("serviceAccount", r#""x""#),
        ("subdomain", r#""""#),
        ("terminationGracePeriodSeconds", "30"),
        ("tolerations.0.effect", r#""""#),
        ("tolerations.0.value", r#""""#),
        ("topologySpreadConstraints.0.labelSelector.matchExpressions", "[]"),
        ("volumes.0.emptyDir", r#"{"medium": ""}"#),
        ("volumes.0.emptyDir", "{}"),
        ("volumes.1.configMap.defaultMode", "420"),
        ("volumes.1.configMap.items", "[]"),
        ("volumes.10.ephemeral.volumeClaimTemplate.metadata", "{}"),
        ("volumes.10.ephemeral.volumeClaimTemplate.spec.volumeMode", r#""Filesystem""#),
        ("volumes.11.image.pullPolicy", r#""IfNotPresent""#),
        ("volumes.2.secret.defaultMode", "420"),
        ("volumes.2.secret.items", "[]"),
        ("volumes.3.csi.volumeAttributes", "{}"),
        ("volumes.4.downwardAPI.defaultMode", "420"),
        ("volumes.4.downwardAPI.items.0.fieldRef.apiVersion", r#""v1""#),
        ("volumes.5.hostPath.type", r#""""#),
        ("volumes.6.nfs.readOnly", "false"),
        ("volumes.7.persistentVolumeClaim.readOnly", "false"),
        ("volumes.8.projected.defaultMode", "420"),
        ("volumes.8.projected.sources.0.serviceAccountToken.audience", r#""""#),
        ("volumes.8.projected.sources.0.serviceAccountToken.expirationSeconds", "3600"),
        ("volumes.8.projected.sources.3.downwardAPI.items.0.fieldRef.apiVersion", r#""v1""#),
        ("volumes.9.emptyDir.medium", r#""""#),
    ] {
        assert!(!restarts(path, text), "{path}: {text} is not stored, or would be without being written");
    }
}

#[test]
fn what_maps_hold_is_stored() {
    for (path, text) in
        [("nodeSelector", r#"{"a": ""}"#), ("overhead", r#"{"cpu": "0"}"#), ("containers.0.resources", r#"{"limits": {"cpu": 0}}"#)]
    {
        assert!(restarts(path, text), "{path}: {text}");
    }
}
