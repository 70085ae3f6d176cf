//! What a helm binary can do, asked once.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

use semver::Version;

use crate::runner::{Control, Helm, HelmError};

/// Oldest helm that is accepted: what we rely on (SIGTERM marks a release as failed, `--reset-values` with several files,
/// schema errors in words) is in all of them, and Kubernetes 1.24 and later need nothing older.
pub const OLDEST: Version = Version::new(3, 12, 0);

const VERBS: [&str; 7] = ["upgrade", "rollback", "uninstall", "history", "status", "template", "test"];

/// Flags without which a call of ours would fail in the middle of a rollout.
const NEEDED: [(&str, &str); 8] = [
    ("upgrade", "--install"),
    ("upgrade", "--reset-values"),
    ("upgrade", "--skip-crds"),
    ("upgrade", "--description"),
    ("upgrade", "--history-max"),
    ("upgrade", "--create-namespace"),
    ("rollback", "--history-max"),
    ("uninstall", "--keep-history"),
];

/// A helm that we do not work with.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Unsupported {
    /// Helm 4 or later.
    #[error("Helm 4 comes next: found v{found} at {path:?}, use Helm 3.12 to 3.x for now")]
    TooNew {
        /// Its version.
        found: Version,
        /// The binary.
        path: PathBuf,
    },
    /// Older than [`OLDEST`].
    #[error("helm v{found} at {path:?} is too old: at least v{oldest} is needed")]
    TooOld {
        /// Its version.
        found: Version,
        /// The binary.
        path: PathBuf,
        /// The oldest that is accepted.
        oldest: Version,
    },
    /// A version that is no version.
    #[error("{path:?} does not say a helm version: {said:?}")]
    NoVersion {
        /// The binary.
        path: PathBuf,
        /// What it said.
        said: String,
    },
    /// A flag that we need is missing.
    #[error("helm v{found} at {path:?} has no `helm {verb} {flag}`")]
    MissingFlag {
        /// Its version.
        found: Version,
        /// The binary.
        path: PathBuf,
        /// The command.
        verb: &'static str,
        /// The flag.
        flag: &'static str,
    },
}

/// Version and flags of a helm binary.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Capability {
    /// Its version; a build that tells no patch number has 0.
    pub version: Version,
    /// Flags of each command that we use.
    pub flags: BTreeMap<&'static str, BTreeSet<String>>,
}

impl Capability {
    /// Whether `helm VERB` knows a flag, written with its dashes.
    #[must_use]
    pub fn has(&self, verb: &str, flag: &str) -> bool {
        self.flags.get(verb).is_some_and(|flags| flags.contains(flag))
    }
}

/// Asks a binary for its version alone, for those who only render.
///
/// # Errors
/// [`HelmError::Unsupported`] with words for the operator, or what kept it from running.
pub async fn version(helm: &Helm, control: &Control) -> Result<Version, HelmError> {
    let said = helm.ask("version", &["version", "--short"], control).await?;
    Ok(accepted(&said, &helm.binary)?)
}

/// Asks a binary what it is and can do. It talks to no cluster.
///
/// # Errors
/// [`HelmError::Unsupported`] with words for the operator, or what kept it from running.
pub async fn probe(helm: &Helm, control: &Control) -> Result<Capability, HelmError> {
    let version = version(helm, control).await?;
    let mut flags = BTreeMap::new();
    for verb in VERBS {
        let help = helm.ask("help", &[verb, "--help"], control).await?;
        flags.insert(verb, flags_of(&help));
    }
    let capability = Capability { version, flags };
    for (verb, flag) in NEEDED {
        if !capability.has(verb, flag) {
            let (found, path) = (capability.version, helm.binary.clone());
            return Err(Unsupported::MissingFlag { found, path, verb, flag }.into());
        }
    }
    Ok(capability)
}

fn accepted(said: &str, path: &std::path::Path) -> Result<Version, Unsupported> {
    let path = path.to_owned();
    let Some(found) = parse_version(said) else {
        let said = said.chars().take(120).collect();
        return Err(Unsupported::NoVersion { path, said });
    };
    if found.major > 3 {
        return Err(Unsupported::TooNew { found, path });
    }
    if (found.major, found.minor) < (OLDEST.major, OLDEST.minor) {
        return Err(Unsupported::TooOld { found, path, oldest: OLDEST });
    }
    Ok(found)
}

/// `v3.22.0+gabc`, and also `v3.22`, which a build without linker flags says.
fn parse_version(said: &str) -> Option<Version> {
    let word = said.split_whitespace().find_map(|word| word.strip_prefix('v'))?;
    Version::parse(word).ok().or_else(|| Version::parse(&format!("{word}.0")).ok())
}

fn flags_of(help: &str) -> BTreeSet<String> {
    let flag = |line: &str| {
        let word = line.split_whitespace().find(|w| w.starts_with("--"))?;
        Some(word.split(['=', '[', ',']).next().unwrap_or(word).to_owned())
    };
    help.lines().filter(|line| line.trim_start().starts_with('-')).filter_map(flag).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing;

    #[test]
    fn versions_are_refused_in_words() {
        let path = std::path::Path::new("/opt/helm");
        assert_eq!(accepted("v3.22", path), Ok(Version::new(3, 22, 0)));
        assert!(accepted("v3.12.3+g3a31588", path).is_ok());
        let new = accepted("v4.1.4+g1", path).unwrap_err().to_string();
        assert!(new.starts_with("Helm 4 comes next: found v4.1.4+g1 at \"/opt/helm\""), "{new}");
        assert!(matches!(accepted("v3.11.9", path), Err(Unsupported::TooOld { .. })));
        assert!(matches!(accepted("v2.17.0", path), Err(Unsupported::TooOld { .. })));
        assert!(matches!(accepted("hello", path), Err(Unsupported::NoVersion { .. })));
    }

    #[tokio::test]
    async fn the_real_helm_is_accepted() {
        let folder = tempfile::tempdir().unwrap();
        let capability = probe(&testing::helm(folder.path()), &testing::control()).await.unwrap();
        assert_eq!(capability.version.major, 3);
        assert!(capability.has("upgrade", "--reset-values") && !capability.has("upgrade", "--nonsense"));
    }
}
