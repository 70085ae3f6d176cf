//! Which kinds belong to no namespace, and which groups are one and the same thing under two names.

/// Kinds of the cluster, as `kubectl api-resources --namespaced=false` of Kubernetes 1.16 to 1.36 lists them.
const CLUSTER_KINDS: &[(&str, &[&str])] = &[
    ("", &["ComponentStatus", "Namespace", "Node", "PersistentVolume"]),
    (
        "admissionregistration.k8s.io",
        &[
            "MutatingAdmissionPolicy",
            "MutatingAdmissionPolicyBinding",
            "MutatingWebhookConfiguration",
            "ValidatingAdmissionPolicy",
            "ValidatingAdmissionPolicyBinding",
            "ValidatingWebhookConfiguration",
        ],
    ),
    ("apiextensions.k8s.io", &["CustomResourceDefinition"]),
    ("apiregistration.k8s.io", &["APIService"]),
    ("certificates.k8s.io", &["CertificateSigningRequest", "ClusterTrustBundle"]),
    ("extensions", &["PodSecurityPolicy"]),
    ("flowcontrol.apiserver.k8s.io", &["FlowSchema", "PriorityLevelConfiguration"]),
    ("networking.k8s.io", &["IngressClass", "IPAddress", "ServiceCIDR"]),
    ("node.k8s.io", &["RuntimeClass"]),
    ("policy", &["PodSecurityPolicy"]),
    ("rbac.authorization.k8s.io", &["ClusterRole", "ClusterRoleBinding"]),
    ("resource.k8s.io", &["DeviceClass", "DeviceTaintRule", "ResourceSlice"]),
    ("scheduling.k8s.io", &["PriorityClass"]),
    ("storage.k8s.io", &["CSIDriver", "CSINode", "StorageClass", "VolumeAttachment", "VolumeAttributesClass"]),
    // Custom ones that charts use without bringing their definition.
    ("cert-manager.io", &["ClusterIssuer"]),
    ("gateway.networking.k8s.io", &["GatewayClass"]),
    ("kyverno.io", &["ClusterPolicy"]),
    ("security.openshift.io", &["SecurityContextConstraints"]),
];

/// Objects of these kinds are stored once and served under both groups: the first is the old name, the second the one that stays.
const MOVED_GROUPS: &[(&str, &str, &str)] = &[
    ("extensions", "DaemonSet", "apps"),
    ("extensions", "Deployment", "apps"),
    ("extensions", "Ingress", "networking.k8s.io"),
    ("extensions", "NetworkPolicy", "networking.k8s.io"),
    ("extensions", "PodSecurityPolicy", "policy"),
    ("extensions", "ReplicaSet", "apps"),
    ("", "Event", "events.k8s.io"),
];

/// Groups of Kubernetes itself, whose defaults and meanings of "empty" are known.
const BUILTIN_GROUPS: &[&str] = &[
    "",
    "admissionregistration.k8s.io",
    "apiextensions.k8s.io",
    "apiregistration.k8s.io",
    "apps",
    "autoscaling",
    "batch",
    "certificates.k8s.io",
    "coordination.k8s.io",
    "discovery.k8s.io",
    "events.k8s.io",
    "extensions",
    "flowcontrol.apiserver.k8s.io",
    "networking.k8s.io",
    "node.k8s.io",
    "policy",
    "rbac.authorization.k8s.io",
    "resource.k8s.io",
    "scheduling.k8s.io",
    "storage.k8s.io",
];

/// Whether the kind is known to belong to the cluster.
pub(crate) fn is_cluster_kind(group: &str, kind: &str) -> bool {
    CLUSTER_KINDS.iter().any(|(of, kinds)| *of == group && kinds.contains(&kind))
}

/// Whether the group is one of Kubernetes itself.
pub(crate) fn is_builtin(group: &str) -> bool {
    BUILTIN_GROUPS.contains(&group)
}

/// The group under which the kind is known today.
pub(crate) fn lasting_group<'a>(group: &'a str, kind: &str) -> &'a str {
    MOVED_GROUPS.iter().find(|(old, of, _)| *old == group && *of == kind).map_or(group, |(_, _, new)| new)
}
