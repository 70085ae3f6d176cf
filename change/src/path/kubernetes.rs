//! Sets of Kubernetes minor versions, since a cluster goes one minor after another.

use crate::constraint::{Constraint, Version};
use schemars::JsonSchema;
use serde::Serialize;
use std::fmt;

/// Minors that are looked at: 1.0 to 1.127. In 2026 there are 37 of them, three more each year.
const MINORS: u32 = u128::BITS;
/// Stands for the newest patch of a minor, which is what a cluster is upgraded to.
const NEWEST_PATCH: u64 = 99;

/// Some minors of Kubernetes 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Minors(u128);

impl Minors {
    pub(crate) const ALL: Self = Self(u128::MAX);
    pub(crate) const NONE: Self = Self(0);

    /// The minor of a version; of a Kubernetes that is not 1 there is none.
    pub(crate) fn of(version: &Version) -> Option<Self> {
        let minor = u32::try_from(version.minor()).ok().filter(|minor| version.major() == 1 && *minor < MINORS)?;
        Some(Self(1 << minor))
    }

    /// The minors that a range takes. Where the cluster's version is known, its minor is judged by that very version, and the others
    /// with its vendor's suffix, since an upgrade does not take that away.
    pub(crate) fn taken(range: &Constraint, cluster: Option<&Version>) -> Self {
        let vendor = cluster.and_then(vendor_suffix);
        let version = |minor: u64| match cluster {
            Some(cluster) if cluster.minor() == minor => cluster.clone(),
            _ => vendor
                .and_then(|suffix| Version::parse(&format!("1.{minor}.{NEWEST_PATCH}-{suffix}")).ok())
                .unwrap_or_else(|| Version::new(1, minor, NEWEST_PATCH)),
        };
        Self((0..MINORS).filter(|minor| range.matches(&version(u64::from(*minor)))).fold(0, |set, minor| set | 1 << minor))
    }

    pub(crate) fn and(self, other: Self) -> Self {
        Self(self.0 & other.0)
    }

    pub(crate) fn is_empty(self) -> bool {
        self.0 == 0
    }

    pub(crate) fn has(self, minor: u64) -> bool {
        minor < u64::from(MINORS) && self.0 & 1 << minor != 0
    }

    /// The lowest and the highest.
    pub(crate) fn ends(self) -> Option<(u64, u64)> {
        (!self.is_empty()).then(|| (u64::from(self.0.trailing_zeros()), u64::from(MINORS - 1 - self.0.leading_zeros())))
    }

    /// What a cluster in one of these can be upgraded to while each minor on the way is one of `within`.
    pub(crate) fn reach(self, within: Self) -> Self {
        let mut reached = self.0 & within.0;
        // Each round takes one more minor; after as many as there are nothing new comes.
        for _ in 0..MINORS {
            reached |= (reached << 1) & within.0;
        }
        Self(reached)
    }

    /// In words, where there is anything to say.
    pub(crate) fn range(self) -> Option<KubernetesRange> {
        let (lowest, highest) = self.ends().filter(|_| self != Self::ALL)?;
        let minor = |number: u64| format!("1.{number}");
        Some(KubernetesRange { from: (lowest > 0).then(|| minor(lowest)), to: (highest + 1 < u64::from(MINORS)).then(|| minor(highest)) })
    }
}

/// What a vendor adds to the version of its Kubernetes in such a way that it counts as a prerelease. Kubernetes' own prereleases
/// lead to releases.
fn vendor_suffix(version: &Version) -> Option<&str> {
    let own = ["alpha", "beta", "rc"].iter().any(|word| version.prerelease().starts_with(word));
    Some(version.prerelease()).filter(|suffix| !suffix.is_empty() && !own)
}

/// The vendor's suffix of the cluster's version, where it alone is why a range takes no Kubernetes that this cluster can run.
pub(crate) fn refused_suffix<'v>(range: &Constraint, cluster: Option<&'v Version>) -> Option<&'v str> {
    let suffix = vendor_suffix(cluster?)?;
    (Minors::taken(range, cluster).is_empty() && !Minors::taken(range, None).is_empty()).then_some(suffix)
}

/// Minor versions of Kubernetes, both ends among them.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct KubernetesRange {
    /// The lowest; none when no rule sets one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub from: Option<String>,
    /// The highest; none when no rule sets one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub to: Option<String>,
}

impl fmt::Display for KubernetesRange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (&self.from, &self.to) {
            (Some(from), Some(to)) if from == to => f.write_str(from),
            (Some(from), Some(to)) => write!(f, "{from}–{to}"),
            (Some(from), None) => write!(f, "{from} or newer"),
            (None, Some(to)) => write!(f, "{to} or older"),
            (None, None) => f.write_str("any"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn taken(range: &str) -> Minors {
        Minors::taken(&Constraint::parse(range).unwrap(), None)
    }

    fn words(minors: Minors) -> String {
        minors.range().map(|range| range.to_string()).unwrap_or_default()
    }

    #[test]
    fn ranges_in_words() {
        for (range, said) in [
            (">=1.25.0-0", "1.25 or newer"),
            ("<1.22.0-0", "1.21 or older"),
            (">=1.16.4, <1.22", "1.16–1.21"),
            ("1.20.x", "1.20"),
            ("*", ""),
            (">2", ""),
        ] {
            assert_eq!(words(taken(range)), said, "{range}");
        }
    }

    #[test]
    fn one_minor_after_another() {
        let at = Minors::of(&Version::new(1, 16, 3)).unwrap();
        assert_eq!(words(at.reach(taken("<1.22"))), "1.16–1.21");
        assert_eq!(words(at.reach(taken("<1.18 || >1.19"))), "1.16–1.17");
        assert_eq!(at.reach(taken(">=1.17")), Minors::NONE);
        assert_eq!(at.reach(Minors::ALL), taken(">=1.16.0-0"));
        assert_eq!(Minors::of(&Version::new(2, 0, 0)), None);
    }

    #[test]
    fn the_cluster_is_judged_by_its_own_version() {
        let vendor = Version::parse("v1.25.3-gke.7").unwrap();
        let own = Minors::of(&vendor).unwrap();
        let range = |text: &str| Minors::taken(&Constraint::parse(text).unwrap(), Some(&vendor));
        assert!(range(">=1.25.0").and(own).is_empty());
        assert!(!range(">=1.25.0-0").and(own).is_empty());
        // Its vendor's 1.26 has such a suffix, too.
        assert_eq!(range(">=1.25.0"), Minors::NONE);
        assert_eq!(words(range(">=1.25.0-0, <1.27.0-0")), "1.25–1.26");
        let refused = |text: &str| refused_suffix(&Constraint::parse(text).unwrap(), Some(&vendor));
        assert_eq!((refused(">=1.25.0"), refused(">=1.25.0-0"), refused(">2")), (Some("gke.7"), None, None));
    }
}
