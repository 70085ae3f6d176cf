//! `groundswell set`: changes keys in the stored document, as a new revision of it.

use super::prepare::{Prepared, Wish};
use super::splice;
use crate::coordinator::records::DocumentRecord;
use crate::coordinator::{Coordinator, CoordinatorError, Refused, open_blob};
use groundswell_api::document::{Document, Release, parse};
use groundswell_api::dto::{ApplyResponse, ErrorDto, SetRequest};
use groundswell_core::id::ReleaseName;
use groundswell_helm::values;
use std::collections::BTreeMap;

/// Assignments of one request; more belongs into the document.
const MAX_ASSIGNMENTS: usize = 50;

/// A stored document with its files.
pub(crate) struct Stored {
    pub(crate) record: DocumentRecord,
    pub(crate) release: Release,
    pub(crate) files: BTreeMap<String, String>,
}

impl Coordinator {
    /// `POST /v1/releases/{name}/set`.
    ///
    /// # Errors
    /// No such release, a path that cannot be set, or anything that an apply of the changed document would be refused for.
    pub async fn set(&self, name: &ReleaseName, request: &SetRequest, by: &str) -> Result<ApplyResponse, CoordinatorError> {
        let known = self.state().releases.get(name).map(|release| (release.revision, release.deleted));
        let (revision, deleted) = known.ok_or_else(|| Refused::not_found(format!("release {name}"), "groundswell get releases"))?;
        if deleted {
            let why = "it is being deleted, or was";
            let refused = Refused::conflict("GS-DELETED", format!("release {name}"), why);
            return Err(refused.next("apply its document to bring it back").into());
        }
        let stored = self.stored(name, revision).await?;
        let source = format!("release/{name}");
        let text = assign(&source, &stored.release, &request.assignments)?;
        let release = one_release(&source, &text)?;
        let wish = Wish {
            source: stored.record.source.clone(),
            release,
            files: stored.files,
            chart: None,
            supersede: request.supersede,
            again: false,
            // What is changed is the revision that was read.
            expect_revision: Some(request.expect_revision.unwrap_or(revision)),
            by: by.to_owned(),
            cause: format!("set {}", request.assignments.join(" ")),
        };
        let prepared = self.prepare(&wish, &BTreeMap::new()).await.map_err(|error| of_set(error, &wish))?;
        let result = if request.dry_run { Prepared::dry_result(&prepared) } else { self.commit_release(&prepared, by).await? };
        Ok(ApplyResponse { results: vec![result], warnings: prepared.warnings })
    }

    /// One revision of a release's document, read again.
    pub(crate) async fn stored(&self, name: &ReleaseName, revision: u64) -> Result<Stored, CoordinatorError> {
        let record = self.state().documents.get(&(name.clone(), revision)).cloned();
        let record = record.ok_or_else(|| {
            Refused::not_found(format!("revision {revision} of release {name}"), format!("groundswell rollout history {name}"))
        })?;
        let (blobs, wanted) = (self.blobs().clone(), record.clone());
        let (text, files) = Self::blocking(move || {
            let read = |digest| Ok::<_, CoordinatorError>(String::from_utf8_lossy(&open_blob(&blobs, digest)?).into_owned());
            let files = wanted
                .files
                .iter()
                .map(|(path, digest)| Ok((path.clone(), read(digest)?)))
                .collect::<Result<BTreeMap<_, _>, CoordinatorError>>()?;
            Ok::<_, CoordinatorError>((read(&wanted.text)?, files))
        })
        .await??;
        let release = one_release(&record.source, &text)?;
        Ok(Stored { record, release, files })
    }
}

/// The operator gave an argument, not the file that the stored document once came from.
fn of_set(error: CoordinatorError, wish: &Wish) -> CoordinatorError {
    let CoordinatorError::Refused(mut refused) = error else { return error };
    let mend = |error: &mut ErrorDto| {
        if error.place.as_deref().is_some_and(|place| place.starts_with(&wish.source)) {
            error.place = Some(wish.cause.clone());
        }
    };
    mend(&mut refused.error);
    refused.error.more.iter_mut().for_each(mend);
    CoordinatorError::Refused(refused)
}

fn one_release(source: &str, text: &str) -> Result<Release, Refused> {
    match parse(source, text).map(|documents| documents.into_iter().next()) {
        Ok(Some(Document::Release(release))) => Ok(release),
        Ok(_) => Err(Refused::invalid("GS-DOCUMENT", source, "there is no release in it")),
        Err(problems) => {
            let problems = problems
                .into_iter()
                .map(|problem| Refused { kind: crate::coordinator::RefusalKind::Invalid, error: Box::new(problem.into()) })
                .collect();
            Err(Refused::all(problems).unwrap_or_else(|| Refused::invalid("GS-DOCUMENT", source, "it cannot be read")))
        }
    }
}

fn assign(source: &str, release: &Release, assignments: &[String]) -> Result<String, Refused> {
    let refuse = |what: &str, why: String| Refused::invalid("GS-SET", what, why).next("groundswell set RELEASE path.to.key=value");
    if assignments.is_empty() || assignments.len() > MAX_ASSIGNMENTS {
        return Err(refuse("the assignments", format!("from 1 to {MAX_ASSIGNMENTS} may be given, not {}", assignments.len())));
    }
    let mut text = release.spec.values.as_ref().map(|values| values.text.clone()).unwrap_or_default();
    for assignment in assignments {
        let Some((path, value)) = assignment.split_once('=') else {
            return Err(refuse(assignment, "there is no '=' in it".into()));
        };
        text = values::set(source, &text, path, value).map_err(|error| refuse(assignment, error.to_string()))?;
    }
    splice::with_values(source, release, &text).ok_or_else(|| {
        let why = "the document is written in a way that a line cannot mend".to_owned();
        refuse("spec.values", why).next("change the document by hand and apply it, or write the values as a text (values: |)")
    })
}
