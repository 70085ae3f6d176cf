//! The ledger, kept in Secrets: one for each release, and one for the epoch.

use crate::cluster::secrets::{Held, SecretError, Secrets};
use groundswell_core::agent::{Entry, Ledger, Offer, offer};
use groundswell_core::assignment::Assignment;
use groundswell_core::id::{Epoch, ReleaseName};
use std::collections::BTreeMap;
use tokio::sync::Mutex;

const PART: &str = "ledger";
const EPOCH: &str = "groundswell-agent-epoch";
const EPOCH_PART: &str = "epoch";
const KEY: &str = "entry.json";

/// Why the ledger could not be read or written. After each of these the tenure ends and everything is read again.
#[derive(Debug, thiserror::Error)]
pub(crate) enum KeeperError {
    #[error(transparent)]
    Secret(#[from] SecretError),
    #[error("the ledger in secret {name} cannot be read; it was written by another version, or by hand")]
    Damaged { name: String, source: serde_json::Error },
}

struct Kept {
    ledger: Ledger,
    secrets: BTreeMap<String, Held>,
}

/// The ledger of the pod that holds the Lease.
pub(crate) struct Keeper {
    secrets: Secrets,
    kept: Mutex<Kept>,
}

fn name_of(release: &ReleaseName) -> String {
    format!("groundswell-agent-ledger-{release}")
}

impl Keeper {
    /// Reads the whole ledger.
    pub(crate) async fn load(secrets: Secrets) -> Result<Self, KeeperError> {
        let mut ledger = Ledger::default();
        let mut held = secrets.list(PART).await?;
        for (name, secret) in &held {
            let bytes = secret.data.get(KEY).map_or(&[][..], Vec::as_slice);
            let entry: Entry = serde_json::from_slice(bytes).map_err(|source| KeeperError::Damaged { name: name.clone(), source })?;
            ledger.entries.insert(entry.assignment.release.clone(), entry);
        }
        let epoch = secrets.read(EPOCH).await?;
        if let Some(bytes) = epoch.data.get(KEY) {
            ledger.max_epoch = serde_json::from_slice(bytes).map_err(|source| KeeperError::Damaged { name: EPOCH.into(), source })?;
        }
        held.insert(EPOCH.into(), epoch);
        Ok(Self { secrets, kept: Mutex::new(Kept { ledger, secrets: held }) })
    }

    /// All releases of the ledger.
    pub(crate) async fn releases(&self) -> Vec<ReleaseName> {
        self.kept.lock().await.ledger.entries.keys().cloned().collect()
    }

    /// The highest epoch obeyed.
    pub(crate) async fn epoch(&self) -> Epoch {
        self.kept.lock().await.ledger.max_epoch.clone()
    }

    /// One release's entry.
    pub(crate) async fn entry(&self, release: &ReleaseName) -> Option<Entry> {
        self.kept.lock().await.ledger.entries.get(release).cloned()
    }

    /// Takes an assignment into the ledger, or says why not. What is accepted was written.
    pub(crate) async fn offer(&self, assignment: &Assignment) -> Result<Offer, KeeperError> {
        let mut kept = self.kept.lock().await;
        let answer = offer(&kept.ledger, assignment);
        if let Offer::Accept(next) = &answer {
            if next.max_epoch != kept.ledger.max_epoch {
                self.write_epoch(&mut kept, next.max_epoch.clone()).await?;
            }
            if let Some(entry) = next.entries.get(&assignment.release) {
                self.write_entry(&mut kept, entry.clone()).await?;
            }
        }
        Ok(answer)
    }

    /// A leader said who it is.
    pub(crate) async fn see(&self, epoch: &Epoch) -> Result<(), KeeperError> {
        let mut kept = self.kept.lock().await;
        let mut next = kept.ledger.clone();
        if next.see(epoch) {
            self.write_epoch(&mut kept, next.max_epoch).await?;
        }
        Ok(())
    }

    /// Replaces an entry, unless a newer generation came in between: then the step that led here is void. Says whether it was
    /// written.
    pub(crate) async fn write(&self, entry: Entry) -> Result<bool, KeeperError> {
        let mut kept = self.kept.lock().await;
        let known = kept.ledger.entries.get(&entry.assignment.release);
        if known.is_some_and(|known| known.assignment.generation != entry.assignment.generation) {
            return Ok(false);
        }
        self.write_entry(&mut kept, entry).await?;
        Ok(true)
    }

    async fn write_entry(&self, kept: &mut Kept, entry: Entry) -> Result<(), KeeperError> {
        let name = name_of(&entry.assignment.release);
        self.put(kept, &name, PART, &entry).await?;
        kept.ledger.entries.insert(entry.assignment.release.clone(), entry);
        Ok(())
    }

    async fn write_epoch(&self, kept: &mut Kept, epoch: Epoch) -> Result<(), KeeperError> {
        self.put(kept, EPOCH, EPOCH_PART, &epoch).await?;
        kept.ledger.max_epoch = epoch;
        Ok(())
    }

    async fn put(&self, kept: &mut Kept, name: &str, part: &str, value: &impl serde::Serialize) -> Result<(), KeeperError> {
        let bytes = serde_json::to_vec(value).map_err(|source| KeeperError::Damaged { name: name.to_owned(), source })?;
        let held = kept.secrets.entry(name.to_owned()).or_default();
        self.secrets.write(name, part, held, BTreeMap::from([(KEY.to_owned(), bytes)])).await?;
        Ok(())
    }
}
