//! The Kubernetes API server of the agent's own cluster.

pub(crate) mod apis;
pub(crate) mod crds;
pub(crate) mod lease;
pub(crate) mod objects;
pub(crate) mod records;
pub(crate) mod secrets;
pub(crate) mod stuck;

use crate::config::ClusterConfig;
use anyhow::Context as _;
use groundswell_helm::runner;
use groundswell_helm::values::parse;
use kube::Client;
use kube::config::{KubeConfigOptions, Kubeconfig};
use serde_json::Value;

/// What the agent writes objects as.
pub(crate) const FIELD_MANAGER: &str = "groundswell-agent";

/// A client of the cluster; nothing is asked of it yet.
pub(crate) async fn client(config: &ClusterConfig) -> anyhow::Result<Client> {
    let settings = match &config.kubeconfig {
        Some(path) => {
            let file = Kubeconfig::read_from(path).with_context(|| format!("the kubeconfig {} cannot be read", path.display()))?;
            kube::Config::from_custom_kubeconfig(file, &KubeConfigOptions::default())
                .await
                .context("the kubeconfig does not lead to a cluster")?
        }
        None => kube::Config::incluster().context("not inside a cluster: give --kubeconfig")?,
    };
    Client::try_from(settings).context("the cluster's client cannot be made")
}

/// The same cluster, in helm's terms.
pub(crate) fn for_helm(config: &ClusterConfig) -> anyhow::Result<runner::Cluster> {
    if let Some(path) = &config.kubeconfig {
        return Ok(runner::Cluster::Kubeconfig(path.clone()));
    }
    let variable =
        |name: &'static str| std::env::var(name).with_context(|| format!("{name} is not set: give --kubeconfig outside a cluster"));
    let port = variable("KUBERNETES_SERVICE_PORT")?;
    let port = port.parse().with_context(|| format!("KUBERNETES_SERVICE_PORT is {port:?}"))?;
    Ok(runner::Cluster::InCluster { host: variable("KUBERNETES_SERVICE_HOST")?, port })
}

/// Whether the API server says that it is not there.
pub(crate) fn is_missing(error: &kube::Error) -> bool {
    matches!(error, kube::Error::Api(status) if status.code == 404)
}

/// Whether somebody else was faster.
pub(crate) fn is_conflict(error: &kube::Error) -> bool {
    matches!(error, kube::Error::Api(status) if status.code == 409)
}

/// Whether trying again is of no use: the API server understood, and said no.
pub(crate) fn is_refusal(error: &kube::Error) -> bool {
    matches!(error, kube::Error::Api(status) if (400..500).contains(&status.code) && !matches!(status.code, 404 | 408 | 409 | 429))
}

/// The objects of a text of several YAML documents, in Helm's dialect.
pub(crate) fn documents(source: &str, text: &str) -> Result<Vec<Value>, String> {
    let mut objects = Vec::new();
    for document in split(text) {
        let object = parse(source, &document).map_err(|error| error.to_string())?;
        if !object.is_null() {
            objects.push(object);
        }
    }
    Ok(objects)
}

fn split(text: &str) -> Vec<String> {
    let mut parts = vec![String::new()];
    for line in text.lines() {
        if line == "---" || line.starts_with("--- ") {
            parts.push(String::new());
        } else if let Some(last) = parts.last_mut() {
            last.push_str(line);
            last.push('\n');
        }
    }
    parts.retain(|part| part.lines().any(|line| !line.trim().is_empty() && !line.trim_start().starts_with('#')));
    parts
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn documents_are_split_as_helm_writes_them() {
        let text = "---\n# Source: a.yaml\nkind: A\n---\n# only a comment\n---\nkind: B\nsw: yes\ntext: |\n  --- no end\n";
        let objects = documents("manifest", text).unwrap();
        assert_eq!(objects.len(), 2);
        assert_eq!(objects[1]["sw"], true, "YAML 1.1, as Helm reads it");
        assert_eq!(objects[1]["text"], "--- no end\n");
    }
}
