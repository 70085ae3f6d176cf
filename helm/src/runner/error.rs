//! How a helm call can end badly.

use std::path::PathBuf;
use std::time::Duration;

/// Why a helm call gave no result.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum HelmError {
    /// The binary is not there.
    #[error("no helm binary at {path:?}")]
    NotFound {
        /// Where it was looked for.
        path: PathBuf,
    },
    /// A name that Helm or Kubernetes would refuse, or that could be read as a flag.
    #[error("{what} {value:?} is not allowed: it must match {rule}")]
    BadName {
        /// What the name is for.
        what: &'static str,
        /// The name.
        value: String,
        /// What it must match.
        rule: &'static str,
    },
    /// Our own folder cannot be used.
    #[error("cannot prepare {path:?} for helm")]
    Home {
        /// Which file or folder.
        path: PathBuf,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// The process could not be started or waited for.
    #[error("cannot run {path:?}")]
    Spawn {
        /// The program.
        path: PathBuf,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// Helm said no.
    #[error("helm {verb}{} failed with code {code}{}", of(.release), said(.stderr_tail))]
    Failed {
        /// The helm command.
        verb: &'static str,
        /// Name of the release.
        release: String,
        /// Exit code; 128 and the signal's number when a signal ended it.
        code: i32,
        /// End of what helm wrote to stderr, control characters taken out.
        stderr_tail: String,
    },
    /// The release, or the revision asked for, is not there.
    #[error("release {release:?} is not there")]
    ReleaseNotFound {
        /// Name of the release.
        release: String,
    },
    /// The deadline passed and helm was ended.
    #[error("helm {verb}{} did not end within {deadline:?} and was ended", of(.release))]
    TimedOut {
        /// The helm command.
        verb: &'static str,
        /// Name of the release.
        release: String,
        /// The deadline.
        deadline: Duration,
        /// End of what helm wrote to stderr.
        stderr_tail: String,
    },
    /// We were asked to stop and helm was ended.
    #[error("helm {verb}{} was stopped on request", of(.release))]
    Stopped {
        /// The helm command.
        verb: &'static str,
        /// Name of the release.
        release: String,
    },
    /// The agent's Lease was not renewed in time, so the stub ended helm.
    #[error("helm {verb} of {release:?} was ended because the agent's lease was not renewed in time")]
    LeaseLost {
        /// The helm command.
        verb: &'static str,
        /// Name of the release.
        release: String,
    },
    /// The exec stub could not start helm.
    #[error("exec stub could not start helm {verb} of {release:?}: {stderr_tail}")]
    Stub {
        /// The helm command.
        verb: &'static str,
        /// Name of the release.
        release: String,
        /// What the stub said.
        stderr_tail: String,
    },
    /// Helm's answer is not what it should be.
    #[error("helm {verb} gave an answer that cannot be used: {reason}")]
    BadOutput {
        /// The helm command.
        verb: &'static str,
        /// What is wrong with it.
        reason: String,
    },
    /// A helm that we do not work with.
    #[error(transparent)]
    Unsupported(#[from] crate::capability::Unsupported),
}

/// What the call was about; `helm version` is about no release.
fn of(release: &str) -> String {
    if release.is_empty() { String::new() } else { format!(" of {release:?}") }
}

fn said(stderr: &str) -> String {
    if stderr.trim().is_empty() { " and said nothing".to_owned() } else { format!(": {stderr}") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_call_was_about() {
        let failed = |verb, release: &str, stderr: &str| {
            HelmError::Failed { verb, release: release.to_owned(), code: 1, stderr_tail: stderr.to_owned() }.to_string()
        };
        assert_eq!(failed("upgrade", "beacon", "no"), "helm upgrade of \"beacon\" failed with code 1: no");
        assert_eq!(failed("version", "", ""), "helm version failed with code 1 and said nothing");
    }
}
