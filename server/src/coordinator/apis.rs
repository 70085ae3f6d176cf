//! What the clusters serve: versions and kinds, as their agents find them. A list is kept once, by its digest, however many
//! clusters share it; a cluster's record has the digest.

use super::enrolment::known;
use super::records::{Key, SeenRecord};
use super::sessions::{Live, SessionHandle};
use super::state::State;
use super::{Chain, Coordinator, CoordinatorError, Draft, Refused, batch, digest_of, open_blob, put_blob};
use groundswell_core::apis::ApiList;
use groundswell_core::id::{ClusterName, Digest};
use groundswell_core::time::{Span, Time};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Mutex, MutexGuard, PoisonError, Weak};
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

/// When a fleet starts, all ask to be asked for the same list: one of them sends it, and so long it may take.
const ASK_AGAIN: Span = Span::seconds(30);

/// What an agent says of its cluster's API versions.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum ApisSaid {
    /// It is of a version that does not know how.
    #[default]
    Unsupported,
    /// It has not looked yet.
    NotYet,
    /// It looked; SHA-256 of the list.
    Digest(Digest),
}

/// Lists that are known to be here, and those that somebody was asked for.
#[derive(Debug, Default)]
struct Known {
    here: BTreeSet<Digest>,
    asked: BTreeMap<Digest, Time>,
}

/// The lists of this server.
#[derive(Debug, Default)]
pub(super) struct Lists {
    known: Mutex<Known>,
    /// Writing and removing files take turns.
    files: tokio::sync::Mutex<()>,
}

impl Lists {
    fn known(&self) -> MutexGuard<'_, Known> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether it is here, or somebody was lately asked for it.
    fn is_coming(&self, digest: &Digest, now: Time) -> bool {
        let mut known = self.known();
        known.asked.retain(|_, at| now.since(*at) < ASK_AGAIN);
        known.here.contains(digest) || known.asked.contains_key(digest)
    }

    /// True for one of those who offer it.
    fn ask(&self, digest: &Digest, now: Time) -> bool {
        self.known().asked.insert(digest.clone(), now).is_none()
    }
}

/// What is new about one cluster.
#[derive(Debug)]
pub(super) struct Learned {
    cluster: ClusterName,
    kubernetes_version: String,
    /// `None` leaves what is known.
    apis: Option<ApisSaid>,
}

/// What is known of a cluster's API versions.
#[derive(Clone, Debug)]
pub(crate) struct ClusterApis {
    pub(crate) kubernetes_version: String,
    pub(crate) digest: Digest,
    pub(crate) list: ApiList,
    /// When the agent last looked, as far as this server knows.
    pub(crate) seen_at: Time,
}

impl Coordinator {
    /// Takes in what an agent says of its cluster; durable a moment later, and said again by the agent if that is lost.
    pub(super) async fn learn(&self, session: &SessionHandle, kubernetes_version: &str, said: ApisSaid) {
        if !self.sessions.describe_apis(session, kubernetes_version, &said) {
            return;
        }
        let apis = (said != ApisSaid::NotYet).then_some(said);
        let learned = Learned { cluster: session.cluster().clone(), kubernetes_version: kubernetes_version.to_owned(), apis };
        if learned.changes(&self.state()).is_some() {
            // Fails only when this server ends.
            drop(self.learned.send(learned).await);
        }
    }

    /// An agent looked again. True when its list is to be asked for.
    ///
    /// # Errors
    /// The session has ended.
    pub async fn announce(&self, session: &SessionHandle, kubernetes_version: &str, digest: Digest) -> Result<bool, CoordinatorError> {
        self.check_session(session)?;
        self.learn(session, kubernetes_version, ApisSaid::Digest(digest.clone())).await;
        Ok(self.wants(&digest).await)
    }

    /// Whether nobody has sent this list yet, nor was lately asked for it.
    pub(crate) async fn wants(&self, digest: &Digest) -> bool {
        if self.lists.is_coming(digest, self.now()) {
            return false;
        }
        let _turn = self.lists.files.lock().await;
        let (blobs, wanted) = (self.blobs.clone(), digest.clone());
        let found = Self::blocking(move || read(&blobs, &wanted).is_ok()).await;
        if matches!(found, Ok(true)) {
            self.lists.known().here.insert(digest.clone());
            return false;
        }
        self.lists.ask(digest, self.now())
    }

    /// Keeps a list that was asked for.
    ///
    /// # Errors
    /// In words: it is not the one that was asked for, or is no list, or could not be stored.
    pub async fn take_list(&self, session: &SessionHandle, digest: &Digest, canonical: Vec<u8>) -> Result<(), String> {
        self.check_session(session).map_err(|error| error.to_string())?;
        let taken = self.keep_list(digest, canonical).await;
        self.lists.known().asked.remove(digest);
        taken.inspect_err(|why| self.sessions.refuse_apis(session, why.clone()))
    }

    async fn keep_list(&self, digest: &Digest, canonical: Vec<u8>) -> Result<(), String> {
        ApiList::parse(&canonical).map_err(|error| error.to_string())?;
        if digest_of(&canonical) != *digest {
            return Err("it is another list than its digest says".into());
        }
        let blobs = self.blobs.clone();
        let _turn = self.lists.files.lock().await;
        let stored = Self::blocking(move || put_blob(&blobs, &canonical)).await.and_then(|stored| stored);
        stored.map_err(|error| Chain(&error).to_string())?;
        self.lists.known().here.insert(digest.clone());
        Ok(())
    }

    /// What a cluster serves.
    ///
    /// # Errors
    /// No such cluster, or not known yet: then the refusal says why.
    pub(crate) async fn cluster_apis(&self, cluster: &ClusterName) -> Result<ClusterApis, CoordinatorError> {
        let seen = known(&self.state(), cluster)?.seen.clone();
        let live = self.sessions.live(cluster);
        let unknown = |why: String, next: &str| {
            Refused::conflict("GS-APIS", format!("the API versions of cluster {cluster} are not known yet"), why).next(next)
        };
        let Some((seen, digest)) = seen.and_then(|seen| Some((seen.clone(), seen.apis?))) else {
            let (why, next) = why_unknown(&live);
            return Err(unknown(why, next).into());
        };
        let (blobs, wanted) = (self.blobs.clone(), digest.clone());
        let list = match Self::blocking(move || read(&blobs, &wanted)).await? {
            Ok(list) => list,
            Err(why) => {
                let why = live.apis_refused.clone().unwrap_or(why);
                return Err(unknown(format!("its agent named a list that this server does not have: {why}"), "try again in a while").into());
            }
        };
        let confirmed = live.apis_at.filter(|_| live.apis == ApisSaid::Digest(digest.clone()));
        let seen_at = confirmed.unwrap_or(seen.at);
        Ok(ClusterApis { kubernetes_version: seen.kubernetes_version, digest, list, seen_at })
    }

    /// Removes lists that no cluster serves any more. An upgrade of Kubernetes leaves one behind in each cluster.
    async fn sweep(&self, left: BTreeSet<Digest>) {
        if left.is_empty() {
            return;
        }
        let _turn = self.lists.files.lock().await;
        for digest in left {
            // First forgotten, then looked for: who names it from here on is asked for it again.
            self.lists.known().here.remove(&digest);
            let is_named = self.state().clusters.values().any(|record| apis_of(record.seen.as_ref()) == Some(&digest));
            if is_named || self.sessions.names_apis(&digest) {
                continue;
            }
            let blobs = self.blobs.clone();
            // An agent may name what is no list: a chart, say. That stays.
            let removed = Self::blocking(move || match (read(&blobs, &digest), digest.as_str().parse()) {
                (Ok(_), Ok(digest)) => blobs.delete(&digest).map(drop),
                _ => Ok(()),
            });
            if let Ok(Err(error)) = removed.await {
                tracing::warn!(error = %Chain(&error), "a list of API versions that nobody needs stays on disk");
            }
        }
    }
}

fn apis_of(seen: Option<&SeenRecord>) -> Option<&Digest> {
    seen.and_then(|seen| seen.apis.as_ref())
}

fn read(blobs: &groundswell_store::BlobStore, digest: &Digest) -> Result<ApiList, String> {
    let bytes = open_blob(blobs, digest).map_err(|error| Chain(&error).to_string())?;
    ApiList::parse(&bytes).map_err(|error| error.to_string())
}

fn why_unknown(live: &Live) -> (String, &'static str) {
    match (&live.apis, live.connected_at) {
        (_, None) => ("no agent of it was heard yet".into(), "start its agent, then try again"),
        (ApisSaid::Unsupported, _) => {
            let why = format!("its agent {} does not tell; it is of an older version", live.agent_version);
            (why, "upgrade the agent of that cluster")
        }
        (ApisSaid::NotYet | ApisSaid::Digest(_), _) => ("its agent has not finished its first look".into(), "try again in a while"),
    }
}

impl Learned {
    /// What would be written, if anything.
    fn changes(&self, state: &State) -> Option<SeenRecord> {
        let record = state.clusters.get(&self.cluster).filter(|record| record.revoked.is_none())?;
        if self.kubernetes_version.is_empty() {
            return None;
        }
        let apis = match &self.apis {
            None => apis_of(record.seen.as_ref()).cloned(),
            Some(ApisSaid::Digest(digest)) => Some(digest.clone()),
            Some(ApisSaid::Unsupported | ApisSaid::NotYet) => None,
        };
        let same = record.seen.as_ref().is_some_and(|seen| seen.kubernetes_version == self.kubernetes_version && seen.apis == apis);
        (!same).then(|| SeenRecord { kubernetes_version: self.kubernetes_version.clone(), apis, at: Time(0) })
    }
}

/// Commits what has gathered while the last transaction was made durable.
pub(super) async fn run(coordinator: Weak<Coordinator>, mut queue: mpsc::Receiver<Learned>, stop: CancellationToken) {
    while let Some((coordinator, batch)) = batch::next(&coordinator, &mut queue, &stop).await {
        // The newest word of each cluster.
        let batch: BTreeMap<ClusterName, Learned> = batch.into_iter().map(|learned| (learned.cluster.clone(), learned)).collect();
        match coordinator.write(|state, draft| Ok(store(state, draft, &batch))).await {
            Ok(left) => coordinator.sweep(left).await,
            // The agents say it again.
            Err(error) => tracing::warn!(error = %Chain(&error), "what agents say of their clusters was not stored"),
        }
    }
}

/// The lists that were left.
fn store(state: &State, draft: &mut Draft, batch: &BTreeMap<ClusterName, Learned>) -> BTreeSet<Digest> {
    let mut left = BTreeSet::new();
    for (cluster, learned) in batch {
        let Some(seen) = learned.changes(state) else { continue };
        let Some(record) = state.clusters.get(cluster) else { continue };
        left.extend(apis_of(record.seen.as_ref()).filter(|before| Some(*before) != seen.apis.as_ref()).cloned());
        let list = seen.apis.as_ref().map_or_else(|| "unknown".to_owned(), |digest| digest.short().to_string());
        let detail = format!("Kubernetes {}, API versions {list}", seen.kubernetes_version);
        draft.audit(cluster.as_str(), "cluster.describe", format!("cluster/{cluster}"), detail);
        let seen = SeenRecord { at: draft.now(), ..seen };
        draft.put(&Key::Cluster(cluster.clone()), &super::records::ClusterRecord { seen: Some(seen), ..record.clone() });
    }
    left
}
