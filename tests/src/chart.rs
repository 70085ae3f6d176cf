//! Charts on disk that a test may change.

use anyhow::{Context, Result, ensure};
use groundswell_foundation::stand::charts_dir;
use sha2::{Digest, Sha256};
use std::fs;
use std::path::{Path, PathBuf};

/// A chart folder of the test's own.
#[derive(Clone, Debug)]
pub struct Chart {
    folder: PathBuf,
}

impl Chart {
    /// A copy of `charts/beacon` at a version, as `<into>/beacon`.
    ///
    /// # Errors
    /// When it cannot be copied.
    pub fn beacon(into: &Path, version: &str) -> Result<Self> {
        let chart = Self { folder: into.join("beacon") };
        copy(&charts_dir().join("beacon"), &chart.folder)?;
        chart.edit("Chart.yaml", "version: 0.1.0", &format!("version: {version}"))?;
        Ok(chart)
    }

    /// A chart that shows in a ConfigMap what its templates were given, and takes any values.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn mirror(into: &Path, defaults: &str) -> Result<Self> {
        let folder = into.join("mirror");
        fs::create_dir_all(folder.join("templates"))?;
        fs::write(folder.join("Chart.yaml"), "apiVersion: v2\nname: mirror\nversion: 1.0.0\n")?;
        fs::write(folder.join("values.yaml"), defaults)?;
        let template =
            "apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: {{ .Release.Name }}\ndata:\n  values: {{ toJson .Values | quote }}\n";
        fs::write(folder.join("templates/mirror.yaml"), template)?;
        Ok(Self { folder })
    }

    /// Replaces a text in one of its files; the text must be there.
    ///
    /// # Errors
    /// When it is not.
    pub fn edit(&self, file: &str, from: &str, to: &str) -> Result<()> {
        let path = self.folder.join(file);
        let text = fs::read_to_string(&path).with_context(|| format!("read {}", path.display()))?;
        ensure!(text.contains(from), "{} does not say {from:?}", path.display());
        Ok(fs::write(&path, text.replace(from, to))?)
    }

    /// Makes the hook's Job take the ten seconds of kwok's stage `slow`: helm is in the middle of its upgrade meanwhile.
    ///
    /// # Errors
    /// When the chart's hook is not what it was.
    pub fn slow_hook(self) -> Result<Self> {
        self.edit("templates/hook.yaml", "beacon.groundswell.dev/fate: completes", "beacon.groundswell.dev/fate: slow")?;
        Ok(self)
    }

    /// Its folder.
    pub fn folder(&self) -> &Path {
        &self.folder
    }
}

fn copy(from: &Path, to: &Path) -> Result<()> {
    fs::create_dir_all(to)?;
    for entry in fs::read_dir(from).with_context(|| format!("read {}", from.display()))? {
        let entry = entry?;
        let target = to.join(entry.file_name());
        if entry.file_type()?.is_dir() { copy(&entry.path(), &target)? } else { fs::copy(entry.path(), target).map(|_| ())? }
    }
    Ok(())
}

/// SHA-256 in hexadecimal.
pub fn digest(bytes: &[u8]) -> String {
    hex::encode(Sha256::digest(bytes))
}
