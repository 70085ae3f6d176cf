//! From documents to a frozen rollout. Anything wrong is refused here, before anything changes.
//!
//! `prepare` does all of the work on a copy of what it needs; `commit` makes content durable first, then commits the
//! records, if nothing that mattered changed in between.

pub(crate) mod charts;
mod commit;
mod delete;
mod hash;
pub(crate) mod layout;
mod limits;
pub(crate) mod plan;
pub(crate) mod prepare;
mod schema;
mod set;
mod splice;
mod values;
mod waves;

#[cfg(test)]
mod limits_tests;
#[cfg(test)]
mod tests;

pub use delete::DeleteMode;

use super::records::{Key, StrategyRecord};
use super::{Coordinator, CoordinatorError, Refused};
use groundswell_api::convert;
use groundswell_api::document::{Document, Strategy as StrategyDocument, parse};
use groundswell_api::dto::{ApplyAction, ApplyRequest, ApplyResponse, ApplyResult, file_key};
use groundswell_core::strategy::Strategy;
use prepare::{Prepared, Wish};
use std::collections::BTreeMap;
use waves::Places;

/// Documents of one request; one for each release of a large fleet.
const MAX_DOCUMENTS: usize = 200;

/// A strategy of the same request, and where its waves are written.
#[derive(Clone, Debug)]
pub(crate) struct Named {
    strategy: Strategy,
    places: Places,
}

/// How often a submit is begun anew when something changed under it.
const MAX_TRIES: usize = 3;

impl Coordinator {
    /// `POST /v1/apply`.
    ///
    /// # Errors
    /// Everything that is wrong with the documents, at once; nothing has changed then.
    pub async fn apply(&self, request: ApplyRequest, by: &str) -> Result<ApplyResponse, CoordinatorError> {
        let documents = read(&request)?;
        let named = strategies(&documents);
        let mut tries = 1;
        loop {
            let prepared = self.prepare_all(&request, &documents, &named, by).await?;
            if request.dry_run {
                return Ok(respond(self.dry_results(&documents, &prepared), &prepared));
            }
            match self.commit_all(&documents, &prepared, by).await {
                Err(CoordinatorError::Refused(refused)) if refused.error.code == commit::MOVED && tries < MAX_TRIES => tries += 1,
                results => return Ok(respond(results?, &prepared)),
            }
        }
    }

    async fn prepare_all(
        &self,
        request: &ApplyRequest,
        documents: &[(String, Document)],
        named: &BTreeMap<String, Named>,
        by: &str,
    ) -> Result<Vec<Option<Prepared>>, CoordinatorError> {
        let mut prepared = Vec::with_capacity(documents.len());
        let mut refused = Vec::new();
        for (source, document) in documents {
            let Document::Release(release) = document else {
                prepared.push(None);
                continue;
            };
            let wish = wish(request, source, release, by);
            match self.prepare(&wish, named).await {
                Ok(done) => prepared.push(Some(done)),
                Err(CoordinatorError::Refused(one)) => refused.push(*one),
                Err(error) => return Err(error),
            }
        }
        match Refused::all(refused) {
            Some(refused) => Err(refused.into()),
            None => Ok(prepared),
        }
    }

    async fn commit_all(
        &self,
        documents: &[(String, Document)],
        prepared: &[Option<Prepared>],
        by: &str,
    ) -> Result<Vec<ApplyResult>, CoordinatorError> {
        let mut results = Vec::with_capacity(documents.len());
        // Strategies first: a release that is looked at later must find the one that it was planned with.
        let mut strategies = BTreeMap::new();
        for (_, document) in documents {
            if let Document::Strategy(strategy) = document {
                strategies.insert(strategy.name.value.clone(), self.store_strategy(strategy, by).await?);
            }
        }
        for ((_, document), prepared) in documents.iter().zip(prepared) {
            results.push(match (document, prepared) {
                (Document::Strategy(strategy), _) => match strategies.remove(&strategy.name.value) {
                    Some(result) => result,
                    None => continue,
                },
                (Document::Release(_), Some(prepared)) => self.commit_release(prepared, by).await?,
                (Document::Release(_), None) => continue,
            });
        }
        Ok(results)
    }

    fn dry_results(&self, documents: &[(String, Document)], prepared: &[Option<Prepared>]) -> Vec<ApplyResult> {
        let state = self.state();
        let results = documents.iter().zip(prepared).filter_map(|((_, document), prepared)| match (document, prepared) {
            (Document::Release(_), prepared) => prepared.as_ref().map(Prepared::dry_result),
            (Document::Strategy(document), _) => {
                let before = state.strategies.get(&document.name.value);
                let (action, revision) = strategy_action(before, &convert::strategy(&document.spec));
                Some(strategy_result(document, action, revision))
            }
        });
        results.collect()
    }

    async fn store_strategy(&self, document: &StrategyDocument, by: &str) -> Result<ApplyResult, CoordinatorError> {
        let strategy = convert::strategy(&document.spec);
        self.write(|state, draft| {
            let name = &document.name.value;
            let (action, revision) = strategy_action(state.strategies.get(name), &strategy);
            if action != ApplyAction::Unchanged {
                let record = StrategyRecord { revision, strategy, at: draft.now(), by: by.to_owned() };
                draft.put(&Key::Strategy(name.clone()), &record);
                draft.audit(by, "strategy.apply", format!("strategy/{name}"), format!("revision {revision}"));
            }
            Ok(strategy_result(document, action, revision))
        })
        .await
    }
}

fn strategy_action(before: Option<&StrategyRecord>, strategy: &Strategy) -> (ApplyAction, u64) {
    match before {
        None => (ApplyAction::Created, 1),
        Some(before) if before.strategy == *strategy => (ApplyAction::Unchanged, before.revision),
        Some(before) => (ApplyAction::Configured, before.revision + 1),
    }
}

fn strategy_result(document: &StrategyDocument, action: ApplyAction, revision: u64) -> ApplyResult {
    ApplyResult { kind: "Strategy".into(), name: document.name.value.clone(), action, revision, rollout: None, plan: None }
}

fn respond(results: Vec<ApplyResult>, prepared: &[Option<Prepared>]) -> ApplyResponse {
    let warnings = prepared.iter().flatten().flat_map(|prepared| prepared.warnings.clone()).collect();
    ApplyResponse { results, warnings }
}

/// Every document with the name of its file.
fn read(request: &ApplyRequest) -> Result<Vec<(String, Document)>, Refused> {
    let (mut documents, mut problems) = (Vec::new(), Vec::new());
    for file in &request.documents {
        match parse(&file.source, &file.text) {
            Ok(found) => documents.extend(found.into_iter().map(|document| (file.source.clone(), document))),
            Err(found) => problems.extend(found),
        }
    }
    let problems =
        problems.into_iter().map(|problem| Refused { kind: super::RefusalKind::Invalid, error: Box::new(problem.into()) }).collect();
    if let Some(refused) = Refused::all(problems) {
        return Err(refused);
    }
    if documents.is_empty() || documents.len() > MAX_DOCUMENTS {
        let why = format!("a request has from 1 to {MAX_DOCUMENTS} documents, not {}", documents.len());
        return Err(Refused::invalid("GS-DOCUMENT", "the request", why));
    }
    for (n, (source, document)) in documents.iter().enumerate() {
        let twice = documents[..n].iter().find(|(_, earlier)| earlier.kind() == document.kind() && earlier.name() == document.name());
        if let Some((other, _)) = twice {
            let what = format!("{} {} stands in two files", document.kind(), document.name());
            return Err(Refused::invalid("GS-DOCUMENT", what, format!("{other} has it too")).at(format!("{source}:{}", document.at())));
        }
    }
    Ok(documents)
}

/// Strategies of the request, for its own releases.
fn strategies(documents: &[(String, Document)]) -> BTreeMap<String, Named> {
    let found = documents.iter().filter_map(|(source, document)| match document {
        Document::Strategy(strategy) => {
            let places = prepare::places(source, &strategy.spec);
            Some((strategy.name.value.clone(), Named { strategy: convert::strategy(&strategy.spec), places }))
        }
        Document::Release(_) => None,
    });
    found.collect()
}

fn wish(request: &ApplyRequest, source: &str, release: &groundswell_api::document::Release, by: &str) -> Wish {
    let spec = &release.spec;
    let paths = spec.values_files.iter().chain(spec.overrides.iter().flat_map(|over| &over.values_files));
    let files = paths.filter_map(|path| Some((path.value.clone(), request.files.get(&file_key(source, &path.value))?.clone()))).collect();
    let chart = match &spec.chart.value {
        groundswell_api::document::ChartSource::Path(path) => request.charts.get(&file_key(source, path)).cloned(),
        _ => None,
    };
    Wish {
        source: source.to_owned(),
        release: release.clone(),
        files,
        chart,
        supersede: request.supersede,
        again: request.again,
        expect_revision: request.expect_revision,
        by: by.to_owned(),
        cause: "apply".to_owned(),
    }
}
