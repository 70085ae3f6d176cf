//! Our own programs, as cargo built them.

use std::path::{Path, PathBuf};

use anyhow::{Result, bail};

/// Where the three programs lie.
#[derive(Debug, Clone)]
pub struct Programs {
    /// `groundswell-server`.
    pub server: PathBuf,
    /// `groundswell-agent`.
    pub agent: PathBuf,
    /// `groundswell`.
    pub cli: PathBuf,
}

impl Programs {
    /// Takes them from the folder that cargo built this very program into.
    ///
    /// # Errors
    /// When one of them is not there; the text says how to build it.
    pub fn locate() -> Result<Self> {
        let here = std::env::current_exe()?;
        let folder = here.ancestors().skip(1).find(|folder| folder.join("groundswell-server").is_file());
        let Some(folder) = folder else {
            bail!(
                "groundswell-server is not beside {}: run `cargo build -p groundswell-server -p groundswell-agent -p groundswell`",
                here.display()
            );
        };
        Self::beside(folder)
    }

    fn beside(folder: &Path) -> Result<Self> {
        let programs =
            Self { server: folder.join("groundswell-server"), agent: folder.join("groundswell-agent"), cli: folder.join("groundswell") };
        for program in [&programs.server, &programs.agent, &programs.cli] {
            if !program.is_file() {
                bail!("{} is not built: run `cargo build -p groundswell-server -p groundswell-agent -p groundswell`", program.display());
            }
        }
        Ok(programs)
    }
}
