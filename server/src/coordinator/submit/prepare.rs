//! Everything about a submit that can be known before anything is written.

use super::hash::{RECIPE, content_hash, plan_hash};
use super::layout::{Cache, Layers, Subject};
use super::schema::Checker;
use super::waves::{self, Places};
use super::{Named, charts, limits, plan};
use crate::coordinator::records::{DocumentRecord, ReleaseRecord};
use crate::coordinator::state::State;
use crate::coordinator::{Coordinator, CoordinatorError, Refused, digest_of};
use groundswell_api::convert;
use groundswell_api::document::{ChartSource, Release, StrategyChoice, StrategySpec};
use groundswell_api::dto::{ApplyAction, ApplyResult, PlanDto};
use groundswell_core::assignment::{ChartRef, Drift};
use groundswell_core::id::{ClusterName, Digest, ReleaseName, RolloutId};
use groundswell_core::planner::Presence;
use groundswell_core::rollout::{Member, Outcome, Purpose, Snapshot, State as RolloutState};
use groundswell_core::strategy::Strategy;
use groundswell_core::time::Time;
use std::collections::BTreeMap;

/// What an operator wants of one release.
#[derive(Clone, Debug)]
pub(crate) struct Wish {
    pub(crate) source: String,
    pub(crate) release: Release,
    /// Texts of the `valuesFiles`, by the path as written.
    pub(crate) files: BTreeMap<String, String>,
    /// Digest of the chart that the command pushed for `chart.path`.
    pub(crate) chart: Option<String>,
    pub(crate) supersede: bool,
    pub(crate) again: bool,
    pub(crate) expect_revision: Option<u64>,
    pub(crate) by: String,
    pub(crate) cause: String,
}

/// A submit that is ready to be committed.
#[derive(Clone, Debug)]
pub(crate) struct Prepared {
    pub(crate) name: ReleaseName,
    /// As it was when this was prepared; the commit begins anew when it is no longer so.
    pub(crate) base: Option<ReleaseRecord>,
    pub(crate) action: ApplyAction,
    pub(crate) document: DocumentRecord,
    pub(crate) revision: u64,
    /// `None` when what the release brings does not change.
    pub(crate) rollout: Option<PreparedRollout>,
    /// Content to be stored: document, files, values.
    pub(crate) texts: BTreeMap<Digest, String>,
    pub(crate) supersede: bool,
    /// The release goes away with this rollout.
    pub(crate) deletes: bool,
    pub(crate) warnings: Vec<String>,
}

/// The rollout of a submit.
#[derive(Clone, Debug)]
pub(crate) struct PreparedRollout {
    pub(crate) snapshot: Snapshot,
    pub(crate) hash: Digest,
    pub(crate) recipe: u32,
    pub(crate) content: Digest,
    pub(crate) plan: PlanDto,
}

impl Prepared {
    pub(crate) fn dry_result(&self) -> ApplyResult {
        ApplyResult {
            kind: "Release".into(),
            name: self.name.to_string(),
            action: self.action,
            revision: self.revision,
            rollout: None,
            plan: self.rollout.as_ref().map(|rollout| rollout.plan.clone()),
        }
    }
}

/// A copy of what the work needs, so that nothing is locked while it is done.
struct Inputs {
    subjects: Vec<Subject>,
    strategy: Strategy,
    places: Places,
    chart: ChartRef,
    base: Option<ReleaseRecord>,
    before: Option<DocumentRecord>,
    active: Option<RolloutId>,
    away: Vec<ClusterName>,
    /// Why the newest rollout did not bring what it should.
    unhappy: Option<String>,
    now: Time,
}

impl Coordinator {
    /// Prepares one release.
    ///
    /// # Errors
    /// Everything that is wrong with it.
    pub(crate) async fn prepare(&self, wish: &Wish, named: &BTreeMap<String, Named>) -> Result<Prepared, CoordinatorError> {
        let inputs = self.inputs(wish, named)?;
        let archive = self.archive(&inputs.chart.digest).await?;
        let wish = wish.clone();
        let mut prepared = Self::blocking(move || {
            let laid = lay_out(&wish, &inputs, &archive)?;
            Ok::<_, CoordinatorError>(finish(&wish, inputs, laid, archive.metadata.deprecated == Some(true)))
        })
        .await??;
        if let Some(rollout) = &mut prepared.rollout {
            rollout.plan = plan::describe(&self.state(), self.sessions(), &rollout.snapshot, &rollout.hash);
        }
        Ok(prepared)
    }

    fn inputs(&self, wish: &Wish, named: &BTreeMap<String, Named>) -> Result<Inputs, CoordinatorError> {
        let state = self.state();
        let (name, spec) = (&wish.release.name.value, &wish.release.spec);
        let base = state.releases.get(name).cloned();
        check_expected(wish, base.as_ref())?;
        let active = state.active(name);
        if let Some(head) = active {
            check_supersede(&head.id, &head.state, wish.supersede)?;
        }
        let before = state.document(name).cloned();
        limits::check_supported(wish)?;
        let chart = chart(&state, wish, before.as_ref())?;
        let (strategy, places) = strategy(&state, wish, named)?;
        let subjects: Vec<Subject> = state
            .clusters
            .iter()
            .filter(|(_, record)| record.revoked.is_none())
            .map(|(name, record)| Subject::new(name, record))
            .filter(|subject| spec.clusters.value.matches(&subject.labels))
            .collect();
        if subjects.is_empty() {
            let what = format!("selector {:?}", spec.clusters.value.to_string());
            let refused = Refused::invalid("GS-NO-CLUSTER", what, "no cluster of the fleet matches it");
            return Err(refused.at(format!("{}:{}", wish.source, spec.clusters.at)).next("groundswell cluster list").into());
        }
        limits::check_namespace(&state, wish, &subjects)?;
        limits::check_agent(self.sessions(), wish, &subjects)?;
        let away = subjects
            .iter()
            .filter(|subject| self.sessions().presence(&subject.name) != Presence::Connected)
            .map(|subject| subject.name.clone())
            .collect();
        let unhappy = base.as_ref().and_then(|base| unhappy(&state, base));
        let active = active.map(|head| head.id.clone());
        Ok(Inputs { subjects, strategy, places, chart, active, base, before, away, unhappy, now: self.now() })
    }
}

/// An unchanged document makes no rollout; whoever expects another try must be told.
fn unhappy(state: &State, base: &ReleaseRecord) -> Option<String> {
    let latest = state.rollouts.get(base.latest.as_ref()?)?;
    match &latest.state {
        RolloutState::Ended { outcome: Outcome::RolledBack | Outcome::Aborted, why, .. } => Some(format!("{} ended: {why}", latest.id)),
        _ => None,
    }
}

fn check_expected(wish: &Wish, base: Option<&ReleaseRecord>) -> Result<(), Refused> {
    let Some(expected) = wish.expect_revision else { return Ok(()) };
    let found = base.map_or(0, |base| base.revision);
    if expected == found {
        return Ok(());
    }
    let name = &wish.release.name.value;
    let why = format!("its document is at revision {found}, not {expected}: somebody changed it meanwhile");
    Err(Refused::conflict("GS-REVISION", format!("release {name}"), why).next(format!("groundswell get release {name}")))
}

/// Whether a rollout under way may be superseded without a word.
pub(crate) fn check_supersede(id: &RolloutId, state: &RolloutState, supersede: bool) -> Result<(), Refused> {
    let why = match state {
        RolloutState::Paused { by, why, .. } if why.is_empty() => format!("it was paused by {by}"),
        RolloutState::Paused { by, why, .. } => format!("it was paused by {by}: {why}"),
        RolloutState::Halted { why } => format!("it is halted: {why}"),
        RolloutState::Running | RolloutState::RollingBack { .. } | RolloutState::Ended { .. } => return Ok(()),
    };
    if supersede {
        return Ok(());
    }
    Err(Refused::conflict("GS-SUPERSEDE", format!("rollout {id} is under way"), why).next("resume, undo or abort it, or say --supersede"))
}

fn chart(state: &State, wish: &Wish, before: Option<&DocumentRecord>) -> Result<ChartRef, Refused> {
    let source = &wish.release.spec.chart;
    let place = format!("{}:{}", wish.source, source.at);
    let refuse = |what: String, why: &str, next: &str| Refused::invalid("GS-CHART", what, why).at(place.clone()).next(next);
    match &source.value {
        ChartSource::Path(path) => {
            let digest = match &wish.chart {
                Some(text) => Digest::new(text.as_str()).map_err(|error| refuse(format!("chart {path}"), &error.to_string(), ""))?,
                None => before.filter(|_| wish.cause != "apply").map(|before| before.chart.clone()).ok_or_else(|| {
                    refuse(
                        format!("chart {path}"),
                        "its archive did not come with the request",
                        "apply with the groundswell command, which packs and pushes it",
                    )
                })?,
            };
            charts::by_digest(state, &digest).ok_or_else(|| {
                refuse(
                    format!("chart {path}"),
                    &format!("the server has no chart with digest {}", digest.short()),
                    "groundswell chart push <folder>",
                )
            })
        }
        ChartSource::Pushed { name, version } => {
            let found = charts::by_name(state, name, Some(version));
            let what = format!("chart {name} {version}");
            // Whoever changes a value means the chart that the release has.
            let held = before.filter(|_| wish.cause != "apply").map(|before| &before.chart);
            let digest = match found.as_slice() {
                [] => return Err(refuse(what, "the server does not have it", "groundswell chart push <folder or .tgz>")),
                [(digest, _)] => *digest,
                several => match several.iter().find(|(digest, _)| Some(*digest) == held) {
                    Some((digest, _)) => *digest,
                    None => {
                        let why = format!("it is ambiguous: {} contents were pushed under it: {}", several.len(), charts::listed(several));
                        return Err(refuse(what, &why, "write the one that is meant: chart: {digest: <64 digits>}"));
                    }
                },
            };
            charts::by_digest(state, digest).ok_or_else(|| refuse(what, "the server does not have it", ""))
        }
        ChartSource::Digest(digest) => charts::by_digest(state, digest).ok_or_else(|| {
            refuse(format!("chart {}", digest.short()), "the server does not have it", "groundswell chart push <folder or .tgz>")
        }),
    }
}

fn strategy(state: &State, wish: &Wish, named: &BTreeMap<String, Named>) -> Result<(Strategy, Places), Refused> {
    match &wish.release.spec.strategy {
        None => Ok((convert::safe_strategy(), Places::new())),
        Some(StrategyChoice::Inline(spec)) => Ok((convert::strategy(spec), places(&wish.source, spec))),
        Some(StrategyChoice::Named(name)) => {
            if let Some(named) = named.get(&name.value) {
                return Ok((named.strategy.clone(), named.places.clone()));
            }
            match state.strategies.get(&name.value) {
                Some(record) => Ok((record.strategy.clone(), Places::new())),
                None => {
                    let refused = Refused::invalid("GS-STRATEGY", format!("strategy {}", name.value), "there is none of that name");
                    Err(refused.at(format!("{}:{}", wish.source, name.at)).next("apply its document first, or together with this one"))
                }
            }
        }
    }
}

/// Where the waves of a strategy are written.
pub(crate) fn places(source: &str, spec: &StrategySpec) -> Places {
    spec.waves.iter().map(|wave| (wave.name.value.clone(), format!("{source}:{}", wave.name.at))).collect()
}

struct Laid {
    members: BTreeMap<ClusterName, Member>,
    texts: BTreeMap<Digest, String>,
}

fn lay_out(wish: &Wish, inputs: &Inputs, archive: &groundswell_helm::archive::ChartArchive) -> Result<Laid, CoordinatorError> {
    let all = |refused: Vec<Refused>| Refused::all(refused).map_or(Ok(()), Err);
    let layers = match Layers::read(&wish.source, &wish.release, &wish.files) {
        Ok(layers) => layers,
        Err(refused) => return all(refused).map(|()| Laid { members: BTreeMap::new(), texts: BTreeMap::new() }).map_err(Into::into),
    };
    let mut refused = Vec::new();
    let waves = waves::assign(&inputs.strategy, &inputs.subjects, &inputs.places).unwrap_or_else(|found| {
        refused.extend(found);
        BTreeMap::new()
    });
    let (mut cache, mut checker) = (Cache::default(), Checker::new(archive, &wish.release.name.value));
    let mut laid = Laid { members: BTreeMap::new(), texts: BTreeMap::new() };
    for subject in &inputs.subjects {
        match layers.for_cluster(subject, &mut cache) {
            Err(one) => refused.push(one),
            Ok(texts) => {
                checker.check(&subject.name, &texts);
                let values = texts.iter().map(|text| text.digest.clone()).collect();
                laid.texts.extend(texts.into_iter().map(|text| (text.digest, text.text)));
                let wave = waves.get(&subject.name).copied().unwrap_or_default();
                laid.members.insert(subject.name.clone(), Member { wave, values });
            }
        }
        // The first few tell as much as ten thousand.
        if refused.len() > 20 {
            break;
        }
    }
    refused.extend(checker.finish());
    all(refused)?;
    Ok(laid)
}

fn finish(wish: &Wish, inputs: Inputs, laid: Laid, deprecated: bool) -> Prepared {
    let (name, spec) = (wish.release.name.value.clone(), &wish.release.spec);
    let base = inputs.base;
    let text = digest_of(wish.release.text.as_bytes());
    let files: BTreeMap<String, Digest> = wish.files.iter().map(|(path, text)| (path.clone(), digest_of(text.as_bytes()))).collect();
    let is_same_document =
        inputs.before.as_ref().is_some_and(|before| before.text == text && before.files == files && before.chart == inputs.chart.digest);
    let revision = base.as_ref().map_or(0, |base| base.revision) + u64::from(!is_same_document || base.is_none());
    let number = base.as_ref().map_or(0, |base| base.rollouts) + 1;
    let snapshot = Snapshot {
        id: RolloutId::new(&name, number),
        release: name.clone(),
        namespace: spec.namespace.value.clone(),
        purpose: Purpose::Apply,
        chart: Some(inputs.chart.clone()),
        strategy: inputs.strategy,
        members: laid.members,
        drift: spec.drift,
        service_account: spec.service_account.as_ref().map(|account| account.value.clone()),
        create_namespace: spec.create_namespace,
        document_revision: revision,
        supersedes: inputs.active,
        created_at: inputs.now,
        created_by: wish.by.clone(),
    };
    let content = content_hash(&snapshot);
    let is_same_content = base.as_ref().is_some_and(|base| !base.deleted && base.content.as_ref() == Some(&content));
    let makes_rollout = wish.again || !is_same_content;
    let is_new = base.as_ref().is_none_or(|base| base.deleted);
    let action = match (is_new, is_same_document && !makes_rollout) {
        (true, _) => ApplyAction::Created,
        (false, true) => ApplyAction::Unchanged,
        (false, false) => ApplyAction::Configured,
    };
    let document = DocumentRecord {
        source: wish.source.clone(),
        text,
        files,
        chart: inputs.chart.digest.clone(),
        selector: spec.clusters.value.to_string(),
        strategy: match &spec.strategy {
            Some(StrategyChoice::Named(name)) => Some(name.value.clone()),
            Some(StrategyChoice::Inline(_)) | None => None,
        },
        corrects_drift: spec.drift == Drift::Correct,
        at: inputs.now,
        by: wish.by.clone(),
        cause: wish.cause.clone(),
        rollout: makes_rollout.then(|| snapshot.id.clone()),
    };
    let mut warnings = warnings(&name, &inputs.away, snapshot.members.len(), deprecated, &inputs.chart);
    if let (false, Some(unhappy)) = (makes_rollout, &inputs.unhappy) {
        warnings.push(format!("release {name}: nothing changed, so no rollout is made, but {unhappy}; apply with --again for another try"));
    }
    if let (true, true, Some(unhappy)) = (makes_rollout, wish.cause.starts_with("set "), &inputs.unhappy) {
        // Who sets one key may not know that the rest of the document was taken back.
        warnings.push(format!("release {name}: this builds on a document that did not hold ({unhappy}); what it changed goes out again"));
    }
    let mut texts = laid.texts;
    let written = std::iter::once(&wish.release.text).chain(wish.files.values());
    texts.extend(written.map(|text| (digest_of(text.as_bytes()), text.clone())));
    let rollout = makes_rollout.then(|| {
        let hash = plan_hash(&snapshot);
        PreparedRollout { plan: plan::empty(&snapshot, &hash), snapshot, hash, recipe: RECIPE, content }
    });
    Prepared { name, base, action, document, revision, rollout, texts, supersede: wish.supersede, deletes: false, warnings }
}

fn warnings(name: &ReleaseName, away: &[ClusterName], size: usize, deprecated: bool, chart: &ChartRef) -> Vec<String> {
    let mut warnings = Vec::new();
    if !away.is_empty() {
        let shown = away.iter().take(5).map(ClusterName::as_str).collect::<Vec<_>>().join(", ");
        let rest = if away.len() > 5 { format!(" and {} more", away.len() - 5) } else { String::new() };
        warnings.push(format!("release {name}: {} of {size} clusters are away now ({shown}{rest})", away.len()));
    }
    if deprecated {
        warnings.push(format!("release {name}: chart {} {} is marked deprecated by its maintainers", chart.name, chart.version));
    }
    warnings
}
