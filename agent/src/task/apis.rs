//! Looks at what the cluster serves: when a session begins, after CRDs or a chart were applied, and on a slow period.

use super::Tenure;
use crate::cluster::apis::discover;
use crate::link::told;
use crate::retry::even;
use groundswell_core::apis::ApiList;
use sha2::{Digest as _, Sha256};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{Notify, watch};

/// Without a nudge. What others install in the cluster is known after this; 40 small requests, and one message to the server.
const PERIOD: Duration = Duration::from_secs(10 * 60);
/// Clusters that were started together do not look together for ever.
const SPREAD: Duration = Duration::from_secs(60);
/// Between two looks, however often it is nudged. The server takes a list each 10 s.
const APART: Duration = Duration::from_secs(15);
/// For one look; an API server that takes longer has other worries.
const LOOK: Duration = Duration::from_secs(60);

/// What was found.
#[derive(Clone, Debug, Default)]
pub(crate) struct Found {
    /// As of the newest look.
    pub(crate) kubernetes_version: String,
    /// `None` before the first look.
    pub(crate) list: Option<Arc<Listed>>,
}

/// A list and its digest.
#[derive(Debug)]
pub(crate) struct Listed {
    pub(crate) digest: String,
    pub(crate) canonical: String,
}

/// What is known, and who asks for a new look.
#[derive(Debug)]
pub(crate) struct Apis {
    found: watch::Sender<Found>,
    nudge: Notify,
}

impl Apis {
    pub(crate) fn new(kubernetes_version: String) -> Self {
        Self { found: watch::Sender::new(Found { kubernetes_version, list: None }), nudge: Notify::new() }
    }

    pub(crate) fn found(&self) -> Found {
        self.found.borrow().clone()
    }

    /// Changes with each look, also when it found the same: what is said again depends on no message having arrived.
    pub(crate) fn watch(&self) -> watch::Receiver<Found> {
        self.found.subscribe()
    }

    pub(crate) fn look_again(&self) {
        self.nudge.notify_one();
    }
}

impl From<&ApiList> for Listed {
    fn from(list: &ApiList) -> Self {
        let canonical = list.canonical();
        Self { digest: hex::encode(Sha256::digest(canonical.as_bytes())), canonical }
    }
}

/// Looks for ever.
pub(crate) async fn run(tenure: &Arc<Tenure>) -> anyhow::Result<()> {
    loop {
        let why = match tokio::time::timeout(LOOK, look(tenure)).await {
            Ok(Ok(found)) => {
                tenure.apis.found.send_replace(found);
                None
            }
            Ok(Err(error)) => Some(told(&error)),
            Err(_) => Some(format!("no answer within {} s", LOOK.as_secs())),
        };
        if let Some(why) = &why {
            tracing::warn!("what the cluster serves is not known anew: {why}");
        }
        tokio::time::sleep(APART).await;
        let pause = if why.is_none() { PERIOD + even(SPREAD) } else { LOOK };
        tokio::select! {
            () = tenure.apis.nudge.notified() => {}
            () = tokio::time::sleep(pause) => {}
        }
    }
}

async fn look(tenure: &Tenure) -> Result<Found, kube::Error> {
    let version = tenure.client.apiserver_version().await?.git_version;
    let list = discover(&tenure.client).await?;
    let known = tenure.apis.found();
    let listed = Listed::from(&list);
    if known.list.as_ref().is_none_or(|known| known.digest != listed.digest) {
        tracing::info!(kubernetes = version, entries = list.versions().len(), missing = ?list.incomplete(), "what the cluster serves");
    }
    Ok(Found { kubernetes_version: version, list: Some(Arc::new(listed)) })
}
