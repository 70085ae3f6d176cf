//! Which Kubernetes serves which API. Removals are those of the "Deprecated API Migration Guide" of the Kubernetes documentation (and
//! of pluto's `versions.yaml`, which follows it); first versions are from the API changes of the release notes.

/// Where the table is from, as a claim says it.
pub(crate) const SOURCE: &str = "Kubernetes deprecated API migration guide";

/// An API of Kubernetes 1.x: `minor` is the first that has it no more.
pub(crate) struct Removed {
    pub(crate) minor: u64,
    /// What takes its place; empty when nothing does.
    pub(crate) instead: &'static str,
}

/// Group and version, kinds, minor version of Kubernetes that serves it no more, replacement.
const REMOVED: &[(&str, &[&str], u64, &str)] = &[
    (
        "admissionregistration.k8s.io/v1beta1",
        &["MutatingWebhookConfiguration", "ValidatingWebhookConfiguration"],
        22,
        "admissionregistration.k8s.io/v1",
    ),
    ("apiextensions.k8s.io/v1beta1", &["CustomResourceDefinition"], 22, "apiextensions.k8s.io/v1"),
    ("apiregistration.k8s.io/v1beta1", &["APIService"], 22, "apiregistration.k8s.io/v1"),
    ("apps/v1beta1", &["ControllerRevision", "Deployment", "StatefulSet"], 16, "apps/v1"),
    ("apps/v1beta2", &["ControllerRevision", "DaemonSet", "Deployment", "ReplicaSet", "StatefulSet"], 16, "apps/v1"),
    ("authentication.k8s.io/v1beta1", &["TokenReview"], 22, "authentication.k8s.io/v1"),
    (
        "authorization.k8s.io/v1beta1",
        &["LocalSubjectAccessReview", "SelfSubjectAccessReview", "SelfSubjectRulesReview", "SubjectAccessReview"],
        22,
        "authorization.k8s.io/v1",
    ),
    ("autoscaling/v2beta1", &["HorizontalPodAutoscaler"], 25, "autoscaling/v2"),
    ("autoscaling/v2beta2", &["HorizontalPodAutoscaler"], 26, "autoscaling/v2"),
    ("batch/v1beta1", &["CronJob"], 25, "batch/v1"),
    ("batch/v2alpha1", &["CronJob"], 21, "batch/v1"),
    ("certificates.k8s.io/v1beta1", &["CertificateSigningRequest"], 22, "certificates.k8s.io/v1"),
    ("coordination.k8s.io/v1beta1", &["Lease"], 22, "coordination.k8s.io/v1"),
    ("discovery.k8s.io/v1beta1", &["EndpointSlice"], 25, "discovery.k8s.io/v1"),
    ("events.k8s.io/v1beta1", &["Event"], 25, "events.k8s.io/v1"),
    ("extensions/v1beta1", &["DaemonSet", "Deployment", "ReplicaSet"], 16, "apps/v1"),
    ("extensions/v1beta1", &["Ingress"], 22, "networking.k8s.io/v1"),
    ("extensions/v1beta1", &["NetworkPolicy"], 16, "networking.k8s.io/v1"),
    ("extensions/v1beta1", &["PodSecurityPolicy"], 16, "policy/v1beta1"),
    ("flowcontrol.apiserver.k8s.io/v1alpha1", &["FlowSchema", "PriorityLevelConfiguration"], 21, "flowcontrol.apiserver.k8s.io/v1"),
    ("flowcontrol.apiserver.k8s.io/v1beta1", &["FlowSchema", "PriorityLevelConfiguration"], 26, "flowcontrol.apiserver.k8s.io/v1"),
    ("flowcontrol.apiserver.k8s.io/v1beta2", &["FlowSchema", "PriorityLevelConfiguration"], 29, "flowcontrol.apiserver.k8s.io/v1"),
    ("flowcontrol.apiserver.k8s.io/v1beta3", &["FlowSchema", "PriorityLevelConfiguration"], 32, "flowcontrol.apiserver.k8s.io/v1"),
    ("networking.k8s.io/v1beta1", &["Ingress", "IngressClass"], 22, "networking.k8s.io/v1"),
    ("node.k8s.io/v1beta1", &["RuntimeClass"], 25, "node.k8s.io/v1"),
    ("policy/v1beta1", &["PodDisruptionBudget"], 25, "policy/v1"),
    ("policy/v1beta1", &["PodSecurityPolicy"], 25, ""),
    (
        "rbac.authorization.k8s.io/v1alpha1",
        &["ClusterRole", "ClusterRoleBinding", "Role", "RoleBinding"],
        22,
        "rbac.authorization.k8s.io/v1",
    ),
    (
        "rbac.authorization.k8s.io/v1beta1",
        &["ClusterRole", "ClusterRoleBinding", "Role", "RoleBinding"],
        22,
        "rbac.authorization.k8s.io/v1",
    ),
    ("scheduling.k8s.io/v1beta1", &["PriorityClass"], 22, "scheduling.k8s.io/v1"),
    ("storage.k8s.io/v1beta1", &["CSIDriver", "CSINode", "StorageClass", "VolumeAttachment"], 22, "storage.k8s.io/v1"),
    ("storage.k8s.io/v1beta1", &["CSIStorageCapacity"], 27, "storage.k8s.io/v1"),
];

/// Group and version, kinds (none: all of them), first minor version of Kubernetes that serves it.
const SINCE: &[(&str, &[&str], u64)] = &[
    ("admissionregistration.k8s.io/v1", &["MutatingWebhookConfiguration", "ValidatingWebhookConfiguration"], 16),
    ("admissionregistration.k8s.io/v1", &["ValidatingAdmissionPolicy", "ValidatingAdmissionPolicyBinding"], 30),
    ("apiextensions.k8s.io/v1", &[], 16),
    ("autoscaling/v2", &[], 23),
    ("batch/v1", &["CronJob"], 21),
    ("coordination.k8s.io/v1", &[], 14),
    ("discovery.k8s.io/v1", &[], 21),
    ("events.k8s.io/v1", &[], 19),
    ("flowcontrol.apiserver.k8s.io/v1", &[], 29),
    ("networking.k8s.io/v1", &["Ingress", "IngressClass"], 19),
    ("node.k8s.io/v1", &[], 20),
    ("policy/v1", &["PodDisruptionBudget"], 21),
    ("scheduling.k8s.io/v1", &[], 14),
    ("storage.k8s.io/v1", &["CSIDriver"], 18),
    ("storage.k8s.io/v1", &["CSINode"], 17),
    ("storage.k8s.io/v1", &["CSIStorageCapacity"], 24),
];

/// Kinds that the cluster makes itself, or that are only ever sent to it: no chart has them.
const OF_THE_CLUSTER: [&str; 14] = [
    "CSINode",
    "CSIStorageCapacity",
    "CertificateSigningRequest",
    "ControllerRevision",
    "EndpointSlice",
    "Event",
    "Lease",
    "LocalSubjectAccessReview",
    "ReplicaSet",
    "SelfSubjectAccessReview",
    "SelfSubjectRulesReview",
    "SubjectAccessReview",
    "TokenReview",
    "VolumeAttachment",
];

/// What a minor version of Kubernetes serves no more and charts have: group and version, each with its kinds. Alpha APIs, which are
/// off unless somebody switches them on, are left out.
pub(crate) fn removed_by(minor: u64) -> impl Iterator<Item = (&'static str, Vec<&'static str>)> {
    let mut apis: Vec<(&str, Vec<&str>)> = Vec::new();
    for (version, kinds, ..) in REMOVED.iter().filter(|(version, _, gone, _)| *gone == minor && !version.contains("alpha")) {
        let kinds = kinds.iter().copied().filter(|kind| !OF_THE_CLUSTER.contains(kind));
        match apis.last_mut().filter(|(known, _)| known == version) {
            Some((_, known)) => known.extend(kinds),
            None => apis.push((version, kinds.collect())),
        }
    }
    apis.into_iter().filter(|(_, kinds)| !kinds.is_empty())
}

/// When the API was removed, if it was.
pub(crate) fn removed(api_version: &str, kind: &str) -> Option<Removed> {
    let (_, _, minor, instead) = REMOVED.iter().find(|(version, kinds, ..)| *version == api_version && kinds.contains(&kind))?;
    Some(Removed { minor: *minor, instead })
}

/// The first minor version of Kubernetes that serves the API, where that is not long ago.
pub(crate) fn since(api_version: &str, kind: &str) -> Option<u64> {
    let of = |(version, kinds, _): &&(&str, &[&str], u64)| *version == api_version && (kinds.is_empty() || kinds.contains(&kind));
    SINCE.iter().find(of).map(|(_, _, minor)| *minor)
}
