//! Stores for the tests of this folder.
#![allow(
    dead_code,
    unreachable_pub,
    reason = "each test binary uses a part of it"
)]

use std::{
    path::PathBuf,
    sync::{Arc, Mutex},
};

use groundswell_store::{
    MemoryStore, SledOptions, SledStore, Store, StoreFuture, conformance::Fixture,
};
use tempfile::TempDir;

#[derive(Default)]
pub struct Memory {
    last: Option<Arc<MemoryStore>>,
}

impl Fixture for Memory {
    fn fresh(&mut self, watch_capacity: usize) -> Arc<dyn Store> {
        let store = Arc::new(MemoryStore::new().with_watch_capacity(watch_capacity));
        self.last = Some(Arc::clone(&store));
        store
    }

    fn reopen(&mut self) -> StoreFuture<'_, Arc<dyn Store>> {
        let store = Arc::new(self.last.as_ref().unwrap().reopen());
        self.last = Some(Arc::clone(&store));
        Box::pin(async move { store as Arc<dyn Store> })
    }
}

pub struct Sled {
    root: TempDir,
    stores: usize,
    options: SledOptions,
}

impl Default for Sled {
    fn default() -> Self {
        Self {
            root: tempfile::tempdir().unwrap(),
            stores: 0,
            options: SledOptions::default(),
        }
    }
}

impl Sled {
    fn dir(&self) -> PathBuf {
        self.root.path().join(self.stores.to_string())
    }
}

impl Fixture for Sled {
    fn fresh(&mut self, watch_capacity: usize) -> Arc<dyn Store> {
        self.stores += 1;
        self.options.watch_capacity = watch_capacity;
        Arc::new(SledStore::open(&self.dir(), &self.options).unwrap())
    }

    fn reopen(&mut self) -> StoreFuture<'_, Arc<dyn Store>> {
        let store: Arc<dyn Store> = Arc::new(SledStore::open(&self.dir(), &self.options).unwrap());
        Box::pin(async move { store })
    }
}

/// An abort hook that tells instead.
pub fn telling_abort() -> (Arc<Mutex<Vec<String>>>, groundswell_store::AbortHook) {
    let told = Arc::new(Mutex::new(Vec::new()));
    let hook = Arc::clone(&told);
    (
        told,
        Arc::new(move |why: &str| hook.lock().unwrap().push(why.to_owned())),
    )
}
