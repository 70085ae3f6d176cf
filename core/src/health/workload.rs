//! Kinds that keep a number of pods.

use super::read::Read;
use super::{ObjectHealth, current, failed, in_progress};

/// Replicas that are wanted; the API server's default is 1.
fn wanted(read: &Read<'_>) -> i64 {
    read.int("/spec/replicas").unwrap_or(1)
}

fn short(have: i64, want: i64, what: &str) -> Option<ObjectHealth> {
    (have < want).then(|| in_progress(format!("{have}/{want} replicas {what}")))
}

fn surplus(have: i64, want: i64) -> Option<ObjectHealth> {
    (have > want).then(|| in_progress(format!("{} old replicas still to go", have.saturating_sub(want))))
}

fn rest_of(want: i64) -> ObjectHealth {
    current(format!("{want}/{want} replicas ready"))
}

pub(super) fn deployment(read: &Read<'_>) -> ObjectHealth {
    if let Some(unseen) = read.unseen() {
        return unseen;
    }
    // Kubernetes leaves the exceeded deadline of before a pause in place and goes on with it after the resume.
    let paused = read.flag("/spec/paused");
    if let Some(progress) = read.condition("Progressing").filter(|c| c.reason == "ProgressDeadlineExceeded" && !paused) {
        return failed(progress.said());
    }
    let want = wanted(read);
    let updated = read.count("/status/updatedReplicas");
    let waits = short(updated, want, "updated")
        .or_else(|| surplus(read.count("/status/replicas"), want))
        .or_else(|| short(read.count("/status/availableReplicas"), want, "available"))
        .or_else(|| short(read.count("/status/readyReplicas"), want, "ready"));
    let Some(waits) = waits else { return rest_of(want) };
    // Quota and admission show up only here: the pods that are missing were never made.
    if let Some(refused) = read.condition("ReplicaFailure").filter(|c| c.is_true()) {
        return in_progress(format!("{}; {}", waits.why, refused.said()));
    }
    if paused { in_progress(format!("{}, and it is paused", waits.why)) } else { waits }
}

/// kstatus stops at "current" for OnDelete and calls crashing pods healthy; here the pods must be ready, only not updated.
pub(super) fn stateful_set(read: &Read<'_>) -> ObjectHealth {
    if let Some(unseen) = read.unseen() {
        return unseen;
    }
    let want = wanted(read);
    let by_hand = read.text("/spec/updateStrategy/type") == Some("OnDelete");
    let kept = read.count("/spec/updateStrategy/rollingUpdate/partition").clamp(0, want.max(0));
    let to_update = want.saturating_sub(kept);
    let steady = read.count("/spec/minReadySeconds") == 0;
    let waits = short(read.count("/status/replicas"), want, "created")
        .or_else(|| if by_hand { None } else { short(read.count("/status/updatedReplicas"), to_update, "updated") })
        .or_else(|| short(read.count("/status/readyReplicas"), want, "ready"))
        // Kubernetes below 1.22 does not write the field, so it is asked for only where it says more than ready.
        .or_else(|| if steady { None } else { short(read.count("/status/availableReplicas"), want, "available") })
        .or_else(|| surplus(read.count("/status/replicas"), want));
    if let Some(waits) = waits {
        return waits;
    }
    if !by_hand && kept == 0 && want > 0 {
        let (now, next) = (read.text("/status/currentRevision"), read.text("/status/updateRevision"));
        if now != next {
            return in_progress(format!("moving to revision {}", next.unwrap_or("unknown")));
        }
    }
    match (by_hand, kept) {
        (true, _) => current(format!("{want}/{want} replicas ready (updated only when they are deleted)")),
        (false, 0) => rest_of(want),
        (false, kept) => current(format!("{want}/{want} replicas ready, {kept} kept back by the partition")),
    }
}

pub(super) fn daemon_set(read: &Read<'_>) -> ObjectHealth {
    if let Some(unseen) = read.unseen() {
        return unseen;
    }
    let Some(want) = read.int("/status/desiredNumberScheduled") else {
        return in_progress("its controller has not looked at it yet");
    };
    let by_hand = read.text("/spec/updateStrategy/type") == Some("OnDelete");
    let waits = short(read.count("/status/currentNumberScheduled"), want, "created")
        .or_else(|| if by_hand { None } else { short(read.count("/status/updatedNumberScheduled"), want, "updated") })
        .or_else(|| short(read.count("/status/numberAvailable"), want, "available"))
        .or_else(|| short(read.count("/status/numberReady"), want, "ready"));
    waits.unwrap_or_else(|| rest_of(want))
}

pub(super) fn replica_set(read: &Read<'_>) -> ObjectHealth {
    if let Some(unseen) = read.unseen() {
        return unseen;
    }
    if let Some(refused) = read.condition("ReplicaFailure").filter(|c| c.is_true()) {
        return in_progress(refused.said());
    }
    let want = wanted(read);
    short(read.count("/status/fullyLabeledReplicas"), want, "created")
        .or_else(|| short(read.count("/status/availableReplicas"), want, "available"))
        .or_else(|| short(read.count("/status/readyReplicas"), want, "ready"))
        .or_else(|| surplus(read.count("/status/replicas"), want))
        .unwrap_or_else(|| rest_of(want))
}
