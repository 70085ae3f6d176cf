//! Finding the programs of a control plane, or building what is not there.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, Result};

use crate::builder::Cache;
use crate::tools::{REGISTRY, TOOLS, Tool};

/// The programs of a control plane.
#[derive(Debug, Clone)]
pub struct Binaries {
    /// etcd 3.6.
    pub etcd: PathBuf,
    /// The API server.
    pub kube_apiserver: PathBuf,
    /// The controller manager.
    pub kube_controller_manager: PathBuf,
    /// The scheduler.
    pub kube_scheduler: PathBuf,
    /// kwok, which plays nodes and pods.
    pub kwok: PathBuf,
    /// helm 3.
    pub helm: PathBuf,
    /// kubectl, for people; never built, never needed.
    pub kubectl: Option<PathBuf>,
}

impl Binaries {
    /// Takes each program from `KUBEBUILDER_ASSETS` (unasked: you chose it), else from the cache, else from PATH when its version
    /// fits, and builds it otherwise. `progress` is told what is built and about how long that takes.
    ///
    /// # Errors
    /// When Go is missing or a build fails; the text carries the compiler's output.
    pub fn locate_or_build(progress: &mut dyn FnMut(&str)) -> Result<Self> {
        let cache = Cache::open()?;
        let mut found = Vec::with_capacity(TOOLS.len());
        for tool in &TOOLS {
            found.push(locate(tool, &cache, progress).with_context(|| format!("no {} to start a cluster with", tool.name))?);
        }
        let [helm, etcd, kube_apiserver, kube_controller_manager, kube_scheduler, kwok]: [PathBuf; TOOLS.len()] =
            found.try_into().map_err(|_| anyhow::anyhow!("the list of tools and this function disagree"))?;
        let kubectl = from_assets("kubectl").or_else(|| cache.any("kubectl")).or_else(|| on_path("kubectl").next());
        Ok(Self { etcd, kube_apiserver, kube_controller_manager, kube_scheduler, kwok, helm, kubectl })
    }
}

/// The registry, from the same places as the rest.
pub(crate) fn registry_program(progress: &mut dyn FnMut(&str)) -> Result<PathBuf> {
    locate(&REGISTRY, &Cache::open()?, progress).context("no registry to start")
}

fn locate(tool: &Tool, cache: &Cache, progress: &mut dyn FnMut(&str)) -> Result<PathBuf> {
    if let Some(program) = from_assets(tool.name) {
        return Ok(program);
    }
    if let Some(program) = cache.fresh(tool)? {
        return Ok(program);
    }
    if let Some(program) = on_path(tool.name).find(|program| fits(program, tool)) {
        return Ok(program);
    }
    let _held = cache.lock(progress)?;
    // Whoever held the lock before may have built it.
    match cache.fresh(tool)? {
        Some(program) => Ok(program),
        None => cache.build(tool, progress),
    }
}

fn from_assets(name: &str) -> Option<PathBuf> {
    let program = PathBuf::from(std::env::var_os("KUBEBUILDER_ASSETS")?).join(name);
    program.is_file().then_some(program)
}

fn on_path(name: &str) -> impl Iterator<Item = PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let folders: Vec<PathBuf> = std::env::split_paths(&path).collect();
    let name = name.to_owned();
    folders.into_iter().map(move |folder| folder.join(&name)).filter(|program| program.is_file())
}

fn fits(program: &Path, tool: &Tool) -> bool {
    let output = Command::new(program).args(tool.version_args).stdin(Stdio::null()).output();
    output.is_ok_and(|output| output.status.success() && String::from_utf8_lossy(&output.stdout).contains(tool.fits))
}
