//! Names and numbers that tell things apart; one type for each, so that no two can be swapped.

use serde::{Deserialize, Serialize};
use std::borrow::Borrow;
use std::fmt;

/// Why a name was refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{what} {name:?} is not a name: {why}")]
pub struct BadName {
    /// What the name was for, such as "cluster".
    pub what: &'static str,
    /// The name as given, cut to 80 characters.
    pub name: String,
    /// The rule that it breaks.
    pub why: &'static str,
}

/// RFC 1123 label, as Kubernetes and Helm want it: at most 53 characters (Helm's limit for a release name, the smallest
/// of those that apply), lower-case letters, digits and `-`, with a letter or digit at both ends. Nothing that passes
/// can look like a flag or a path.
pub fn check_name(what: &'static str, name: &str) -> Result<(), BadName> {
    let refuse = |why| Err(BadName { what, name: name.chars().take(80).collect(), why });
    let edge = |c: Option<char>| c.is_some_and(|c| c.is_ascii_lowercase() || c.is_ascii_digit());
    if name.is_empty() {
        return refuse("it is empty");
    }
    if name.len() > 53 {
        return refuse("it is longer than 53 characters");
    }
    if !name.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-') {
        return refuse("only lower-case letters, digits and '-' may stand in it");
    }
    if !edge(name.chars().next()) || !edge(name.chars().last()) {
        return refuse("it must begin and end with a letter or a digit");
    }
    Ok(())
}

macro_rules! name {
    ($(#[$doc:meta])* $type:ident, $what:literal) => {
        $(#[$doc])*
        #[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(try_from = "String", into = "String")]
        pub struct $type(String);

        impl $type {
            /// Checks the name against [`check_name`].
            pub fn new(name: impl Into<String>) -> Result<Self, BadName> {
                let name = name.into();
                check_name($what, &name)?;
                Ok(Self(name))
            }

            /// The name as text.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl TryFrom<String> for $type {
            type Error = BadName;
            fn try_from(name: String) -> Result<Self, BadName> {
                Self::new(name)
            }
        }

        impl std::str::FromStr for $type {
            type Err = BadName;
            fn from_str(name: &str) -> Result<Self, BadName> {
                Self::new(name)
            }
        }

        impl From<$type> for String {
            fn from(name: $type) -> Self {
                name.0
            }
        }

        impl fmt::Display for $type {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.pad(&self.0)
            }
        }

        impl Borrow<str> for $type {
            fn borrow(&self) -> &str {
                &self.0
            }
        }
    };
}

name!(
    /// A Kubernetes cluster with one agent.
    ClusterName,
    "cluster"
);
name!(
    /// A release: Helm's name of an installed chart, the same in every cluster.
    ReleaseName,
    "release"
);
name!(
    /// A Kubernetes namespace.
    Namespace,
    "namespace"
);
name!(
    /// A wave of a strategy.
    WaveName,
    "wave"
);

/// One execution of a release: `<release>-<number>`, the number rising with each rollout of that release.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct RolloutId(pub String);

impl RolloutId {
    /// The id of a release's n-th rollout.
    pub fn new(release: &ReleaseName, number: u64) -> Self {
        Self(format!("{release}-{number}"))
    }

    /// The id as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for RolloutId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

/// SHA-256 in lower-case hexadecimal.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Digest(String);

impl Digest {
    /// Takes 64 lower-case hexadecimal characters.
    pub fn new(hex: impl Into<String>) -> Result<Self, BadName> {
        let hex = hex.into();
        let fits = hex.len() == 64 && hex.bytes().all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b));
        if fits {
            Ok(Self(hex))
        } else {
            Err(BadName { what: "digest", name: hex.chars().take(80).collect(), why: "a SHA-256 has 64 lower-case hexadecimal characters" })
        }
    }

    /// The 64 characters.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The first 12 characters, for people.
    pub fn short(&self) -> &str {
        self.0.get(..12).unwrap_or(&self.0)
    }
}

impl TryFrom<String> for Digest {
    type Error = BadName;
    fn try_from(hex: String) -> Result<Self, BadName> {
        Self::new(hex)
    }
}

impl From<Digest> for String {
    fn from(digest: Digest) -> Self {
        digest.0
    }
}

impl fmt::Display for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

/// Rises with each assignment of a cluster's release (GS-5). Zero is "none yet".
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Generation(pub u64);

impl Generation {
    /// The one after this.
    pub fn next(self) -> Self {
        Self(self.0 + 1)
    }
}

impl fmt::Display for Generation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// A leader: the lineage of the store that it leads and a number that rises with each leader (GS-9).
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Epoch {
    /// Made at random when a store is created or restored.
    pub lineage: String,
    /// Rises with each leader of that lineage.
    pub number: u64,
}

/// One life of an agent process, made at random when it starts.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Incarnation(pub String);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_that_looks_like_a_flag_or_a_path_is_a_name() {
        for bad in ["", "--kubeconfig=x", "-a", "a-", "A", "a.b", "a/b", "..", "a b", "ä", &"x".repeat(54)] {
            assert!(ClusterName::new(bad).is_err(), "{bad:?} passed");
        }
        for good in ["a", "east-01", "0", &"x".repeat(53)] {
            assert!(ClusterName::new(good).is_ok(), "{good:?} was refused");
        }
    }

    #[test]
    fn names_are_checked_when_they_are_read_back() {
        assert!(serde_json::from_str::<ReleaseName>("\"--x\"").is_err());
        assert!(serde_json::from_str::<Digest>("\"abc\"").is_err());
    }
}
