//! What a cluster serves after its Kubernetes was upgraded, as far as a list from before tells.

use crate::constraint::Version;
use crate::table::apis::{removed, since};
use crate::table::scopes::is_builtin;

/// A list of APIs, as it is on a later Kubernetes: CRDs stay, and of the kinds that go those come that take their place. Groups and
/// versions of Kubernetes itself are left out, since which of them come and go nobody knows from a list; helm has its own of them.
#[must_use]
pub fn later_apis(apis: &[String], kubernetes: &Version) -> Vec<String> {
    let mut later: Vec<String> = apis.iter().filter_map(|api| later_api(api, kubernetes.minor())).collect();
    later.sort();
    later.dedup();
    later
}

fn later_api(api: &str, minor: u64) -> Option<String> {
    let is_kind = |last: &&str| last.starts_with(|c: char| c.is_ascii_uppercase());
    let Some((version, kind)) = api.rsplit_once('/').filter(|(_, last)| is_kind(last)) else {
        let group = api.rsplit_once('/').map_or("", |(group, _)| group);
        return (!is_builtin(group)).then(|| api.to_owned());
    };
    let Some(gone) = removed(version, kind).filter(|removed| removed.minor <= minor) else { return Some(api.to_owned()) };
    let there = !gone.instead.is_empty() && since(gone.instead, kind).is_none_or(|first| first <= minor);
    // What took its place may be gone by then, too.
    there.then(|| format!("{}/{kind}", gone.instead)).and_then(|instead| later_api(&instead, minor))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_goes_is_replaced_and_crds_stay() {
        let list = [
            "v1",
            "v1/Pod",
            "policy/v1beta1",
            "policy/v1beta1/PodDisruptionBudget",
            "policy/v1beta1/PodSecurityPolicy",
            "extensions/v1beta1/PodSecurityPolicy",
            "autoscaling/v2beta2/HorizontalPodAutoscaler",
            "monitoring.coreos.com/v1",
            "monitoring.coreos.com/v1/ServiceMonitor",
            "gateway.networking.k8s.io/v1",
        ];
        let later = later_apis(&list.map(str::to_owned), &Version::new(1, 25, 99));
        let wanted = [
            "autoscaling/v2beta2/HorizontalPodAutoscaler",
            "gateway.networking.k8s.io/v1",
            "monitoring.coreos.com/v1",
            "monitoring.coreos.com/v1/ServiceMonitor",
            "policy/v1/PodDisruptionBudget",
            "v1/Pod",
        ];
        assert_eq!(later, wanted);
    }
}
