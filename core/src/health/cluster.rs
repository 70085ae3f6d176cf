//! The other built-in kinds that take time to become what they should be.

use serde_json::Value;

use super::read::Read;
use super::{Health, ObjectHealth, current, failed, in_progress};

/// kstatus calls a pod that ended with an error "current", since it is at its end; a release is not healthy with it.
pub(super) fn pod(read: &Read<'_>) -> ObjectHealth {
    match read.text("/status/phase") {
        Some("Succeeded") => current("completed"),
        Some("Failed") => failed(read.text("/status/message").or(read.text("/status/reason")).unwrap_or("ended with an error")),
        Some("Running") if read.condition("Ready").is_some_and(|c| c.is_true()) => current("ready"),
        Some("Running" | "Pending") => unready_pod(read),
        Some(phase) => ObjectHealth::new(Health::Unknown, format!("phase {phase}")),
        None => in_progress("its phase is not known yet"),
    }
}

fn unready_pod(read: &Read<'_>) -> ObjectHealth {
    let waiting =
        ["/status/initContainerStatuses", "/status/containerStatuses"].into_iter().flat_map(|list| read.list(list)).find_map(|container| {
            let reason = container.pointer("/state/waiting/reason").and_then(Value::as_str)?;
            let name = container.get("name").and_then(Value::as_str).unwrap_or("?");
            (!matches!(reason, "ContainerCreating" | "PodInitializing")).then_some((name, reason))
        });
    match waiting {
        Some((name, "CrashLoopBackOff")) => failed(format!("container {name} is in CrashLoopBackOff")),
        // An image may still arrive: registries come back. The deadline of the rollout ends the wait.
        Some((name, reason)) => in_progress(format!("container {name} waits: {reason}")),
        None => match read.condition("PodScheduled").filter(|c| c.is_false()) {
            Some(unscheduled) => in_progress(unscheduled.said()),
            None => in_progress("not ready"),
        },
    }
}

/// kstatus is content once a Job has started; a Job of a release has to end before the release is what it should be.
pub(super) fn job(read: &Read<'_>) -> ObjectHealth {
    let said = |kind: &str| read.condition(kind).filter(|c| c.is_true());
    if said("Complete").is_some() {
        return current("completed");
    }
    if let Some(failure) = said("Failed").or_else(|| said("FailureTarget")) {
        return failed(failure.said());
    }
    if read.flag("/spec/suspend") {
        return current("suspended, as its spec says");
    }
    let parallel = read.int("/spec/parallelism").unwrap_or(1);
    let want = read.int("/spec/completions").unwrap_or(parallel);
    in_progress(format!("{}/{want} completions", read.count("/status/succeeded")))
}

pub(super) fn volume_claim(read: &Read<'_>) -> ObjectHealth {
    match read.text("/status/phase") {
        Some("Bound") => current("bound"),
        Some("Lost") => failed("its volume is lost"),
        phase => in_progress(format!("not bound (phase {})", phase.unwrap_or("unknown"))),
    }
}

/// kstatus looks only for a cluster IP; who calls a load balancer needs its address.
pub(super) fn service(read: &Read<'_>) -> ObjectHealth {
    let balanced = read.text("/spec/type") == Some("LoadBalancer");
    if balanced && read.list("/spec/externalIPs").is_empty() && read.list("/status/loadBalancer/ingress").is_empty() {
        return in_progress("its load balancer has no address yet");
    }
    current("exists")
}

pub(super) fn namespace(read: &Read<'_>) -> ObjectHealth {
    match read.text("/status/phase") {
        Some("Terminating") => ObjectHealth::new(Health::Terminating, "is being deleted"),
        _ => current("exists"),
    }
}

pub(super) fn disruption_budget(read: &Read<'_>) -> ObjectHealth {
    if let Some(unseen) = read.unseen() {
        return unseen;
    }
    match read.condition("DisruptionAllowed").filter(|c| c.reason == "SyncFailed") {
        Some(failure) => in_progress(failure.said()),
        None => current("computed"),
    }
}

pub(super) fn definition(read: &Read<'_>) -> ObjectHealth {
    if let Some(refused) = read.condition("NamesAccepted").filter(|c| c.is_false()) {
        return failed(refused.said());
    }
    match read.condition("Established") {
        Some(established) if established.is_true() => current("established"),
        Some(established) if established.is_false() && established.reason != "Installing" => failed(established.said()),
        _ => in_progress("not established yet"),
    }
}

pub(super) fn api_service(read: &Read<'_>) -> ObjectHealth {
    match read.condition("Available") {
        Some(available) if available.is_true() => current("available"),
        Some(available) => in_progress(available.said()),
        None => in_progress("its availability is not known yet"),
    }
}
