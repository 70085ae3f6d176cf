//! Stores for the tests of this folder.
#![allow(dead_code, unreachable_pub, reason = "each test binary uses a part of it")]
#![allow(clippy::unwrap_used, reason = "clippy knows tests, not their helpers")]

use std::{
    fs,
    path::{Path, PathBuf},
    sync::{Arc, Mutex},
};

use groundswell_store::{MemoryStore, Op, SledOptions, SledStore, Store, StoreFuture, Txn, conformance::Fixture};
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
        Self { root: tempfile::tempdir().unwrap(), stores: 0, options: SledOptions::default() }
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
    (told, Arc::new(move |why: &str| hook.lock().unwrap().push(why.to_owned())))
}

/// Numbers that look random and are the same on each run (splitmix64).
pub struct Numbers(pub u64);

impl Numbers {
    pub fn below(&mut self, limit: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (z ^ (z >> 31)) % limit
    }
}

pub fn put(key: &str, value: &[u8]) -> Op {
    Op::Put { key: key.to_owned(), value: value.to_vec() }
}

pub fn txn(ops: Vec<Op>) -> Txn {
    Txn { epoch: 0, expect: vec![], ops }
}

/// Copies a folder with all that is in it.
pub fn copy_dir(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let to = to.join(entry.file_name());
        if entry.path().is_dir() {
            copy_dir(&entry.path(), &to);
        } else {
            fs::copy(entry.path(), to).unwrap();
        }
    }
}
