//! One render with other values, and what it changes.

use std::collections::BTreeSet;
use std::sync::{Mutex, PoisonError};

use serde_json::Value;
use tokio::time::Instant;

use super::super::defaults;
use super::super::effect::{Delta, Reference};
use super::super::error::Which;
use super::super::render::Renderer;
use super::super::{Progress, Progressed};
use crate::archive::ChartArchive;
use crate::runner::HelmError;
use crate::values::flow;

/// Stands among the changed objects when helm does not render without the key: nothing works without it.
pub(super) const NEEDED: &str = "(it does not render without it)";

/// Where trials of one side are made.
pub(super) struct Bench {
    pub(super) which: Which,
    pub(super) archive: ChartArchive,
    pub(super) defaults: Value,
    pub(super) reference: Reference,
    /// The Kubernetes version that the side was rendered for.
    pub(super) kube_version: Option<String>,
}

/// What all trials share.
pub(super) struct Trials {
    pub(super) renderer: Renderer,
    pub(super) merged: Value,
    pub(super) deadline: Instant,
    pub(super) progress: Option<Progress>,
    pub(super) counted: Mutex<(usize, usize)>,
}

impl Trials {
    /// Objects that are others with these values than with the operator's; `None` when there was no time, or no answer. The values
    /// are made when it is their turn: four hundred copies of them would be a lot to hold.
    pub(super) async fn run(&self, bench: &Bench, values: impl FnOnce() -> Option<Value>) -> Option<BTreeSet<String>> {
        tokio::time::timeout_at(self.deadline, self.run_on(bench, values)).await.ok()?
    }

    async fn run_on(&self, bench: &Bench, values: impl FnOnce() -> Option<Value>) -> Option<BTreeSet<String>> {
        let (values, text) = self.rendered(bench, values).await?;
        let Some(text) = text else { return Some(BTreeSet::from([NEEDED.to_owned()])) };
        let mut found = bench.reference.differs(&text);
        found.extend(self.other_crds(bench, &values));
        Some(found)
    }

    /// The same, field by field; empty where helm does not render with these values.
    pub(super) async fn delta(&self, bench: &Bench, values: impl FnOnce() -> Option<Value>) -> Option<Delta> {
        let (_, text) = tokio::time::timeout_at(self.deadline, self.rendered(bench, values)).await.ok()??;
        Some(text.map(|text| bench.reference.delta(&text)).unwrap_or_default())
    }

    /// The values, and what helm makes of them; no text where it refuses to.
    async fn rendered(&self, bench: &Bench, values: impl FnOnce() -> Option<Value>) -> Option<(Value, Option<String>)> {
        let _turn = self.renderer.turn().await;
        let values = values()?;
        let document = flow(&values);
        let (answer, _) = self.renderer.render_now(bench.which, bench.kube_version.as_deref(), &[document.as_bytes()]).await;
        match answer {
            Ok(text) => Some((values, Some(text))),
            Err(HelmError::Failed { .. }) => Some((values, None)),
            Err(_) => None,
        }
    }

    /// CRDs in `crds/` are not rendered, but values choose the subcharts that bring them.
    fn other_crds(&self, bench: &Bench, values: &Value) -> BTreeSet<String> {
        let files = |given: &Value| -> BTreeSet<String> {
            let applied = defaults::applied(given, &bench.defaults);
            bench.archive.crds_for(&applied).into_iter().map(|file| format!("CRDs of {}", file.chart.join("/"))).collect()
        };
        files(values).symmetric_difference(&files(&self.merged)).cloned().collect()
    }

    /// More steps are to come.
    pub(super) fn expect(&self, more: usize) {
        self.counted.lock().unwrap_or_else(PoisonError::into_inner).1 += more;
    }

    /// Steps are done.
    pub(super) fn done(&self, steps: usize, what: impl FnOnce() -> String) {
        let (done, total) = {
            let mut counted = self.counted.lock().unwrap_or_else(PoisonError::into_inner);
            counted.0 += steps;
            *counted
        };
        if let Some(progress) = &self.progress {
            progress(Progressed { done, total, what: what() });
        }
    }
}
