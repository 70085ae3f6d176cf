//! The nodes that kwok plays.

use anyhow::Result;
use serde_json::{Value, json};

use crate::api::Api;
use crate::tools::KUBERNETES;

/// Makes the node objects; kwok brings them to life.
pub(crate) fn create(api: &Api, cluster: &str, count: u32) -> Result<()> {
    for index in 0..count {
        api.create("/api/v1/nodes", &node(&format!("{cluster}-node-{index}")))?;
    }
    Ok(())
}

/// Large enough that no chart is refused for want of room.
fn node(name: &str) -> Value {
    let room = json!({ "cpu": "64", "memory": "512Gi", "ephemeral-storage": "4Ti", "pods": "1000" });
    json!({
        "apiVersion": "v1",
        "kind": "Node",
        "metadata": {
            "name": name,
            "labels": {
                "kubernetes.io/arch": "amd64",
                "kubernetes.io/hostname": name,
                "kubernetes.io/os": "linux",
            },
        },
        "status": {
            "allocatable": room,
            "capacity": room,
            "nodeInfo": {
                "architecture": "amd64", "bootID": "", "containerRuntimeVersion": "kwok", "kernelVersion": "kwok",
                "kubeProxyVersion": "", "kubeletVersion": KUBERNETES, "machineID": "", "operatingSystem": "linux",
                "osImage": "kwok", "systemUUID": "",
            },
        },
    })
}

/// Whether `count` nodes are ready and take pods, and the controller manager has begun its work.
pub(crate) fn ready(api: &Api, count: u32) -> Result<bool> {
    let nodes = api.get("/api/v1/nodes")?;
    let open = nodes["items"].as_array().into_iter().flatten().filter(|node| takes_pods(node)).count();
    // The controller manager makes this account: without it no pod can name one.
    let (account, _) = api.request("GET", "/api/v1/namespaces/default/serviceaccounts/default", None)?;
    Ok(open >= usize::try_from(count)? && account == 200)
}

fn takes_pods(node: &Value) -> bool {
    let conditions = node["status"]["conditions"].as_array().into_iter().flatten();
    let ready = conditions.into_iter().any(|condition| condition["type"] == "Ready" && condition["status"] == "True");
    let closed = node["spec"]["taints"].as_array().is_some_and(|taints| !taints.is_empty());
    ready && !closed
}
