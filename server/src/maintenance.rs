//! `groundswell-server admin …`: work on the data folder of a server that is stopped.

use crate::app::complain;
use crate::args::Admin;
use crate::config::Config;
use anyhow::{Context as _, Result, bail};
use groundswell_store::{SledOptions, SledStore};
use std::io::Write as _;
use std::process::ExitCode;

/// Does it, and says what was done and what comes next.
pub fn run(config: &Config, admin: &Admin) -> ExitCode {
    let done = match admin {
        Admin::Export { file } => export(config, file),
        Admin::Restore { file } => restore(config, file),
    };
    match done {
        Ok(said) => {
            let _ = writeln!(std::io::stdout().lock(), "{said}");
            ExitCode::SUCCESS
        }
        Err(error) => complain(error.as_ref(), 1),
    }
}

fn export(config: &Config, file: &std::path::Path) -> Result<String> {
    if file.exists() {
        bail!("{} exists; name a file that does not", file.display());
    }
    let folder = config.data_dir.join("store");
    if !folder.is_dir() {
        bail!("{} is not there; name the server's folder with --data-dir", folder.display());
    }
    let store = SledStore::open(&folder, &SledOptions::default()).with_context(|| format!("open the store in {}", folder.display()))?;
    store.export(file).with_context(|| format!("write {}", file.display()))?;
    Ok(format!(
        "wrote {}; keep {} and {} with it",
        file.display(),
        config.data_dir.join("blobs").display(),
        config.data_dir.join("pki").display()
    ))
}

fn restore(config: &Config, file: &std::path::Path) -> Result<String> {
    let folder = config.data_dir.join("store");
    if !file.is_file() {
        bail!("{} is not a file; snapshots lie in the snapshots folder of the store", file.display());
    }
    if folder.read_dir().is_ok_and(|mut entries| entries.next().is_some()) {
        bail!("{} is not empty; move it aside first, and keep it", folder.display());
    }
    let store = SledStore::import(file, &folder, &SledOptions::default())
        .with_context(|| format!("make a store in {} from {}", folder.display(), file.display()))?;
    drop(store);
    Ok(format!("{} holds a new lineage now. Start the server; agents keep what they have until they have attached", folder.display()))
}
