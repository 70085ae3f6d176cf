//! Builds the programs with Go, once for all processes of a machine.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail};

use crate::tools::{TOOLS, Tool};

/// Where built programs are kept.
pub(crate) struct Cache {
    dir: PathBuf,
}

impl Cache {
    /// `$GROUNDSWELL_TOOLS`, or the workspace's `target/foundation/bin`.
    pub(crate) fn open() -> Result<Self> {
        let dir = match std::env::var_os("GROUNDSWELL_TOOLS") {
            Some(dir) => PathBuf::from(dir),
            None => Path::new(env!("CARGO_MANIFEST_DIR")).join("../../target/foundation/bin"),
        };
        fs::create_dir_all(&dir).with_context(|| format!("the tools folder {} cannot be made", dir.display()))?;
        Ok(Self { dir: dir.canonicalize()? })
    }

    /// The program, when it was built from just what the tree holds now.
    pub(crate) fn fresh(&self, tool: &Tool) -> Result<Option<PathBuf>> {
        let program = self.dir.join(tool.name);
        let built_from = fs::read_to_string(self.recipe_path(tool)).unwrap_or_default();
        Ok((program.is_file() && built_from == recipe(tool)?).then_some(program))
    }

    /// Any file of that name, of whatever version: for programs that only people use.
    pub(crate) fn any(&self, name: &str) -> Option<PathBuf> {
        Some(self.dir.join(name)).filter(|program| program.is_file())
    }

    /// Holds other processes off until dropped: two builds at once take longer than one after the other.
    pub(crate) fn lock(&self, progress: &mut dyn FnMut(&str)) -> Result<File> {
        let lock = File::create(self.dir.join(".lock"))?;
        if lock.try_lock().is_err() {
            progress("waiting for another process that builds the same tools…");
            lock.lock().context("the lock on the tools folder cannot be taken")?;
        }
        Ok(lock)
    }

    /// Builds beside the final name, so that a build cut short leaves nothing that looks finished.
    pub(crate) fn build(&self, tool: &Tool, progress: &mut dyn FnMut(&str)) -> Result<PathBuf> {
        let place = TOOLS.iter().position(|other| other.name == tool.name);
        let place = place.map(|index| format!(" ({} of {})", index + 1, TOOLS.len())).unwrap_or_default();
        progress(&format!("building {} {}{place}, about {} min…", tool.name, tool.version, tool.minutes));
        let unfinished = self.dir.join(format!(".{}.new", tool.name));
        let output = Command::new("go")
            .args(["build", "-trimpath", "-mod=readonly", "-ldflags", &tool.linker_flags(), "-o"])
            .arg(&unfinished)
            .arg(tool.package)
            .current_dir(module_dir(tool))
            .env("CGO_ENABLED", "0")
            .output()
            .context("`go` cannot be run: install Go 1.26 or later, or put the programs on PATH or into KUBEBUILDER_ASSETS")?;
        if !output.status.success() {
            bail!("building {} failed ({}):\n{}", tool.name, output.status, String::from_utf8_lossy(&output.stderr));
        }
        let program = self.dir.join(tool.name);
        fs::rename(&unfinished, &program)?;
        fs::write(self.recipe_path(tool), recipe(tool)?)?;
        Ok(program)
    }

    fn recipe_path(&self, tool: &Tool) -> PathBuf {
        self.dir.join(format!(".{}.recipe", tool.name))
    }
}

/// All that decides the program, verbatim: no hash to keep stable, and a person can diff it.
fn recipe(tool: &Tool) -> Result<String> {
    let dir = module_dir(tool);
    let read = |name: &str| fs::read_to_string(dir.join(name)).with_context(|| format!("{} cannot be read", dir.join(name).display()));
    Ok(format!("{}\n{}\n{}\n{}", tool.package, tool.linker_flags(), read("go.mod")?, read("go.sum")?))
}

fn module_dir(tool: &Tool) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("go").join(tool.module)
}
